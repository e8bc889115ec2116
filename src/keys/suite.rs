//! Cipher suites as record protection sees them: what is done with which keys.

/// What encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cipher {
    Aes128Gcm,
    Aes256Gcm,
    Aes128Ccm,
    Aes256Ccm,
    /// With tags of 8 bytes.
    Aes128Ccm8,
    Aes256Ccm8,
    ChaCha20Poly1305,
    Aes128Cbc,
    Aes256Cbc,
}

/// A hash function, of key derivation or of the MAC of CBC suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
}

/// A suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub cipher: Cipher,
    /// Of the PRF (TLS 1.2) or of HKDF (TLS 1.3).
    pub hash: Hash,
    /// Of the MAC of CBC suites.
    pub mac: Option<Hash>,
}

impl Suite {
    /// The suite of this number, where it is one that can be opened: AES-GCM, AES-CCM, ChaCha20-Poly1305 and AES-CBC, whatever the key exchange.
    pub(super) fn of(number: u16) -> Option<Suite> {
        use Cipher as C;
        use Hash::{Sha1, Sha256, Sha384};
        let aead = |cipher, hash| Some(Suite { cipher, hash, mac: None });
        let cbc = |cipher, hash, mac| Some(Suite { cipher, hash, mac: Some(mac) });
        match number {
            0x1301 => aead(C::Aes128Gcm, Sha256),
            0x1302 => aead(C::Aes256Gcm, Sha384),
            0x1303 => aead(C::ChaCha20Poly1305, Sha256),
            0x1304 => aead(C::Aes128Ccm, Sha256),
            0x1305 => aead(C::Aes128Ccm8, Sha256),
            // RFC 5288, 5487, 5289, 8442: in pairs, first with 128 bits
            0x009c..=0x00ad | 0xc02b..=0xc032 | 0xd001..=0xd002 => {
                let first = if number >= 0xc000 { number & 1 == 1 } else { number & 1 == 0 };
                if first { aead(C::Aes128Gcm, Sha256) } else { aead(C::Aes256Gcm, Sha384) }
            }
            // RFC 6655, 7251, 8442
            0xc09c | 0xc09e | 0xc0a4 | 0xc0a6 | 0xc0ac | 0xd005 => aead(C::Aes128Ccm, Sha256),
            0xc09d | 0xc09f | 0xc0a5 | 0xc0a7 | 0xc0ad => aead(C::Aes256Ccm, Sha256),
            0xc0a0 | 0xc0a2 | 0xc0a8 | 0xc0aa | 0xc0ae | 0xd003 => aead(C::Aes128Ccm8, Sha256),
            0xc0a1 | 0xc0a3 | 0xc0a9 | 0xc0ab | 0xc0af => aead(C::Aes256Ccm8, Sha256),
            // RFC 7905
            0xcca8..=0xccae => aead(C::ChaCha20Poly1305, Sha256),
            // RFC 5246, 4279, 8422, 5054, 5489
            0x002f..=0x0034
            | 0x008c
            | 0x0090
            | 0x0094
            | 0xc004
            | 0xc009
            | 0xc00e
            | 0xc013
            | 0xc018
            | 0xc01d..=0xc01f
            | 0xc035 => cbc(C::Aes128Cbc, Sha256, Sha1),
            0x0035..=0x003a
            | 0x008d
            | 0x0091
            | 0x0095
            | 0xc005
            | 0xc00a
            | 0xc00f
            | 0xc014
            | 0xc019
            | 0xc020..=0xc022
            | 0xc036 => cbc(C::Aes256Cbc, Sha256, Sha1),
            0x003c
            | 0x003e..=0x0040
            | 0x0067
            | 0x006c
            | 0x00ae
            | 0x00b2
            | 0x00b6
            | 0xc023
            | 0xc025
            | 0xc027
            | 0xc029
            | 0xc037 => cbc(C::Aes128Cbc, Sha256, Sha256),
            0x003d | 0x0068..=0x006b | 0x006d => cbc(C::Aes256Cbc, Sha256, Sha256),
            0x00af | 0x00b3 | 0x00b7 | 0xc024 | 0xc026 | 0xc028 | 0xc02a | 0xc038 => cbc(C::Aes256Cbc, Sha384, Sha384),
            _ => None,
        }
    }

    /// Those of TLS 1.3 whose secrets have so many bytes.
    pub(super) fn with_secret_of(length: usize) -> impl Iterator<Item = u16> {
        let all = [0x1301, 0x1302, 0x1303, 0x1304, 0x1305];
        all.into_iter().filter(move |&number| Suite::of(number).is_some_and(|suite| suite.hash.bytes() == length))
    }
}

impl Cipher {
    /// Bytes of its key.
    pub(super) fn key(self) -> usize {
        match self {
            Cipher::Aes128Gcm | Cipher::Aes128Ccm | Cipher::Aes128Ccm8 | Cipher::Aes128Cbc => 16,
            Cipher::Aes256Gcm
            | Cipher::Aes256Ccm
            | Cipher::Aes256Ccm8
            | Cipher::ChaCha20Poly1305
            | Cipher::Aes256Cbc => 32,
        }
    }

    /// Bytes of the tag; none of CBC.
    pub(super) fn tag(self) -> usize {
        match self {
            Cipher::Aes128Ccm8 | Cipher::Aes256Ccm8 => 8,
            Cipher::Aes128Cbc | Cipher::Aes256Cbc => 0,
            _ => 16,
        }
    }

    /// Bytes of each nonce that the record itself carries up to TLS 1.2.
    pub(super) fn explicit_nonce(self) -> usize {
        match self {
            Cipher::ChaCha20Poly1305 | Cipher::Aes128Cbc | Cipher::Aes256Cbc => 0,
            _ => 8,
        }
    }

    pub(super) fn is_cbc(self) -> bool {
        matches!(self, Cipher::Aes128Cbc | Cipher::Aes256Cbc)
    }
}

impl Hash {
    /// Bytes of its output.
    pub(super) fn bytes(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::handshake::CipherSuite;

    #[test]
    fn a_suite_is_what_its_registered_name_says() {
        let mut known = 0;
        for number in 0..=u16::MAX {
            let suite = Suite::of(number);
            let Some(name) = CipherSuite(number).name() else { continue };
            let is = |part: &str| name.contains(part);
            let bits = |small, large| if is("AES_128") { small } else { large };
            let cipher = match () {
                () if is("ARIA") || is("CAMELLIA") || is("3DES") || is("RC4") || is("NULL") => None,
                () if is("_GCM") => Some(bits(Cipher::Aes128Gcm, Cipher::Aes256Gcm)),
                () if is("_CCM_8") => Some(bits(Cipher::Aes128Ccm8, Cipher::Aes256Ccm8)),
                () if is("_CCM") => Some(bits(Cipher::Aes128Ccm, Cipher::Aes256Ccm)),
                () if is("AES_128_CBC") || is("AES_256_CBC") => Some(bits(Cipher::Aes128Cbc, Cipher::Aes256Cbc)),
                () if is("CHACHA20") && !(0xcc13..=0xcc15).contains(&number) => Some(Cipher::ChaCha20Poly1305),
                () => None,
            };
            assert_eq!(suite.map(|suite| suite.cipher), cipher, "{number:#06x} {name}");
            let Some(suite) = suite else { continue };
            known += 1;
            let hash = if name.ends_with("SHA384") { Hash::Sha384 } else { Hash::Sha256 };
            assert_eq!(suite.hash, hash, "{name}");
            let mac = suite.cipher.is_cbc().then_some(if name.ends_with("_SHA") { Hash::Sha1 } else { hash });
            assert_eq!(suite.mac, mac, "{name}");
        }
        assert!(known > 40, "{known}");
    }
}
