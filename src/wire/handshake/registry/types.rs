//! Versions, content types, handshake types, alerts.

use super::{alerts, displayed_as_name_or_hex, numbers};
use std::fmt;

numbers! {
    /// A protocol version as on the wire. DTLS counts downwards: its versions are the complements of 1.0, 1.2, 1.3.
    Version(u16) in
    /// The versions of TLS and DTLS.
    VERSIONS {
        0x0100 "DTLS 1.0 (before the RFC)" = DTLS_OPENSSL,
        0x0300 "SSL 3.0" = SSL_3_0,
        0x0301 "TLS 1.0" = TLS_1_0,
        0x0302 "TLS 1.1" = TLS_1_1,
        0x0303 "TLS 1.2" = TLS_1_2,
        0x0304 "TLS 1.3" = TLS_1_3,
        0xfefc "DTLS 1.3" = DTLS_1_3,
        0xfefd "DTLS 1.2" = DTLS_1_2,
        0xfeff "DTLS 1.0" = DTLS_1_0,
    }
}
displayed_as_name_or_hex!(Version);

numbers! {
    /// What a record holds (IANA "TLS ContentType").
    ContentType(u8) in
    /// The content types, and 32 for the records of DTLS 1.3 that hide theirs.
    CONTENT_TYPES {
        20 "change_cipher_spec" = CHANGE_CIPHER_SPEC,
        21 "alert" = ALERT,
        22 "handshake" = HANDSHAKE,
        23 "application_data" = APPLICATION_DATA,
        24 "heartbeat" = HEARTBEAT,
        25 "tls12_cid" = TLS12_CID,
        26 "ack" = ACK,
        27 "return_routability_check" = RETURN_ROUTABILITY_CHECK,
        32 "ciphertext" = CIPHERTEXT,
    }
}

numbers! {
    /// The type of a handshake message (IANA "TLS HandshakeType").
    HandshakeType(u8) in
    /// The handshake types of TLS and DTLS, old ones included.
    HANDSHAKE_TYPES {
        0 "HelloRequest" = HELLO_REQUEST,
        1 "ClientHello" = CLIENT_HELLO,
        2 "ServerHello" = SERVER_HELLO,
        3 "HelloVerifyRequest" = HELLO_VERIFY_REQUEST,
        4 "NewSessionTicket" = NEW_SESSION_TICKET,
        5 "EndOfEarlyData" = END_OF_EARLY_DATA,
        6 "HelloRetryRequest",
        8 "EncryptedExtensions" = ENCRYPTED_EXTENSIONS,
        9 "RequestConnectionId" = REQUEST_CONNECTION_ID,
        10 "NewConnectionId" = NEW_CONNECTION_ID,
        11 "Certificate" = CERTIFICATE,
        12 "ServerKeyExchange" = SERVER_KEY_EXCHANGE,
        13 "CertificateRequest" = CERTIFICATE_REQUEST,
        14 "ServerHelloDone" = SERVER_HELLO_DONE,
        15 "CertificateVerify" = CERTIFICATE_VERIFY,
        16 "ClientKeyExchange" = CLIENT_KEY_EXCHANGE,
        20 "Finished" = FINISHED,
        21 "CertificateURL" = CERTIFICATE_URL,
        22 "CertificateStatus" = CERTIFICATE_STATUS,
        23 "SupplementalData" = SUPPLEMENTAL_DATA,
        24 "KeyUpdate" = KEY_UPDATE,
        25 "CompressedCertificate" = COMPRESSED_CERTIFICATE,
        67 "NextProtocol",
        254 "MessageHash",
    }
}

/// How grave an alert is (RFC 5246 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertLevel(pub u8);

impl AlertLevel {
    /// The connection may go on.
    pub const WARNING: AlertLevel = AlertLevel(1);
    /// The connection ends.
    pub const FATAL: AlertLevel = AlertLevel(2);
}

impl fmt::Display for AlertLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            AlertLevel::WARNING => f.pad("warning"),
            AlertLevel::FATAL => f.pad("fatal"),
            AlertLevel(other) => write!(f, "level {other}"),
        }
    }
}

/// What an alert says; [`alerts::find`](super::find) tells more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertDescription(pub u8);

impl AlertDescription {
    /// The name, where the number is known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        alerts::find(self.0).map(|row| row.name)
    }
}

/// Display of 8-bit numbers: the name, or the number behind what it is.
macro_rules! displayed_as_name_or {
    ($($name:ident $kind:literal),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => write!(f, concat!($kind, " {}"), self.0),
                }
            }
        }
    )+};
}
displayed_as_name_or!(ContentType "type", HandshakeType "type", AlertDescription "alert");
