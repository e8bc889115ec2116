//! Cipher suites (IANA "TLS Cipher Suites") that DTLS or TURN over TLS may offer.

use super::{displayed_as_name_or_hex, numbers};

numbers! {
    /// A cipher suite.
    CipherSuite(u16) in
    /// The suites worth naming.
    CIPHER_SUITES {
        0x000a "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        0x0016 "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA",
        0x002f "TLS_RSA_WITH_AES_128_CBC_SHA",
        0x0033 "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",
        0x0035 "TLS_RSA_WITH_AES_256_CBC_SHA",
        0x0039 "TLS_DHE_RSA_WITH_AES_256_CBC_SHA",
        0x003c "TLS_RSA_WITH_AES_128_CBC_SHA256",
        0x003d "TLS_RSA_WITH_AES_256_CBC_SHA256",
        0x0067 "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",
        0x006b "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256",
        0x008c "TLS_PSK_WITH_AES_128_CBC_SHA",
        0x008d "TLS_PSK_WITH_AES_256_CBC_SHA",
        0x009c "TLS_RSA_WITH_AES_128_GCM_SHA256",
        0x009d "TLS_RSA_WITH_AES_256_GCM_SHA384",
        0x009e "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        0x009f "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
        0x00a8 "TLS_PSK_WITH_AES_128_GCM_SHA256",
        0x00a9 "TLS_PSK_WITH_AES_256_GCM_SHA384",
        0x00ae "TLS_PSK_WITH_AES_128_CBC_SHA256",
        0x00af "TLS_PSK_WITH_AES_256_CBC_SHA384",
        0x00ff "TLS_EMPTY_RENEGOTIATION_INFO_SCSV" = EMPTY_RENEGOTIATION_INFO_SCSV,
        0x1301 "TLS_AES_128_GCM_SHA256",
        0x1302 "TLS_AES_256_GCM_SHA384",
        0x1303 "TLS_CHACHA20_POLY1305_SHA256",
        0x1304 "TLS_AES_128_CCM_SHA256",
        0x1305 "TLS_AES_128_CCM_8_SHA256",
        0x5600 "TLS_FALLBACK_SCSV" = FALLBACK_SCSV,
        0xc007 "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
        0xc008 "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA",
        0xc009 "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        0xc00a "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        0xc012 "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
        0xc013 "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        0xc014 "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        0xc023 "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        0xc024 "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
        0xc027 "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
        0xc028 "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
        0xc02b "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        0xc02c "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        0xc02f "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        0xc030 "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        0xc035 "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA",
        0xc036 "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA",
        0xc037 "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256",
        0xc038 "TLS_ECDHE_PSK_WITH_AES_256_CBC_SHA384",
        0xc09c "TLS_RSA_WITH_AES_128_CCM",
        0xc09d "TLS_RSA_WITH_AES_256_CCM",
        0xc09e "TLS_DHE_RSA_WITH_AES_128_CCM",
        0xc09f "TLS_DHE_RSA_WITH_AES_256_CCM",
        0xc0a0 "TLS_RSA_WITH_AES_128_CCM_8",
        0xc0a1 "TLS_RSA_WITH_AES_256_CCM_8",
        0xc0a4 "TLS_PSK_WITH_AES_128_CCM",
        0xc0a5 "TLS_PSK_WITH_AES_256_CCM",
        0xc0a8 "TLS_PSK_WITH_AES_128_CCM_8",
        0xc0a9 "TLS_PSK_WITH_AES_256_CCM_8",
        0xc0ac "TLS_ECDHE_ECDSA_WITH_AES_128_CCM",
        0xc0ad "TLS_ECDHE_ECDSA_WITH_AES_256_CCM",
        0xc0ae "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
        0xc0af "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8",
        0xcc13 "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 (old number)",
        0xcc14 "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 (old number)",
        0xcc15 "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256 (old number)",
        0xcca8 "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        0xcca9 "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        0xccaa "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        0xccab "TLS_PSK_WITH_CHACHA20_POLY1305_SHA256",
        0xccac "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
        0xd001 "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256",
        0xd002 "TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384",
    }
}
displayed_as_name_or_hex!(CipherSuite);

/// What the certificate of the server must be for a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// An RSA key.
    Rsa,
    /// A key on an elliptic curve (Ed25519 too).
    Ecdsa,
    /// A pre-shared key, no certificate.
    Psk,
    /// Any: version 1.3 negotiates it apart from the suite.
    Any,
}

/// The parts of a suite, as its name tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuiteParts {
    /// `ECDHE`, `DHE`, `RSA`, `PSK`, `ECDHE_PSK`; empty in version 1.3, where it is negotiated apart.
    pub key_exchange: &'static str,
    /// What the server shows.
    pub authentication: Authentication,
    /// Cipher and hash: `AES_128_GCM_SHA256`.
    pub cipher: &'static str,
    /// Whether each session has a key of its own, so that a stolen long-term key opens no recording.
    pub forward_secret: bool,
}

impl CipherSuite {
    /// Whether the number is no suite but a signal: renegotiation info, fallback.
    #[must_use]
    pub fn is_signal(self) -> bool {
        matches!(self, CipherSuite::EMPTY_RENEGOTIATION_INFO_SCSV | CipherSuite::FALLBACK_SCSV)
    }

    /// What the suite is made of; `None` for signals and numbers that are not known.
    #[must_use]
    pub fn parts(self) -> Option<SuiteParts> {
        let name = self.name().filter(|_| !self.is_signal())?;
        let name = name.strip_suffix(" (old number)").unwrap_or(name).strip_prefix("TLS_")?;
        let Some((exchange, cipher)) = name.split_once("_WITH_") else {
            let authentication = Authentication::Any;
            return Some(SuiteParts { key_exchange: "", authentication, cipher: name, forward_secret: true });
        };
        let (key_exchange, authentication) = match exchange {
            "ECDHE_ECDSA" => ("ECDHE", Authentication::Ecdsa),
            "ECDHE_RSA" => ("ECDHE", Authentication::Rsa),
            "DHE_RSA" => ("DHE", Authentication::Rsa),
            "RSA" => ("RSA", Authentication::Rsa),
            _ => (exchange, Authentication::Psk),
        };
        Some(SuiteParts { key_exchange, authentication, cipher, forward_secret: exchange.contains("DHE") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_falls_into_its_parts() {
        for &(suite, name) in CIPHER_SUITES.iter().filter(|(suite, _)| !suite.is_signal()) {
            let parts = suite.parts().unwrap_or_else(|| panic!("{name}"));
            assert!(!parts.cipher.contains("WITH") && !parts.cipher.is_empty(), "{name}");
        }
        let parts = CipherSuite(0xc02b).parts().unwrap();
        assert_eq!((parts.key_exchange, parts.authentication), ("ECDHE", Authentication::Ecdsa));
        assert_eq!((parts.cipher, parts.forward_secret), ("AES_128_GCM_SHA256", true));
        let parts = CipherSuite(0x00a8).parts().unwrap();
        assert_eq!(
            (parts.key_exchange, parts.authentication, parts.forward_secret),
            ("PSK", Authentication::Psk, false)
        );
        assert_eq!(CipherSuite(0x1301).parts().unwrap().authentication, Authentication::Any);
        assert_eq!(CipherSuite(0x00ff).parts(), None);
    }
}
