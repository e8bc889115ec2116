//! Handshake messages as DTLS and TLS share them: bodies, extensions, certificates, alerts, and the numbers in them.
//!
//! A body is given whole and without its header, put together from records and fragments by whoever knows these. All views borrow from it.

mod body;
/// What a certificate says, and its fingerprint.
pub mod certificate;
mod extension;
mod hello;
mod reader;
/// Names of the numbers.
pub mod registry;

pub use body::{
    CertificateRequest, CertificateVerify, Certificates, ClientKeyExchange, DigitallySigned, Message, NewSessionTicket,
    ServerKeyExchange,
};
pub use extension::{Extension, Extensions, Hello, KeyShare, KeyShares, Names, Numbers, Value};
pub use hello::{ClientHello, HELLO_RETRY_RANDOM, HelloVerifyRequest, ServerHello};
pub use registry::{
    AlertDescription, AlertLevel, CipherSuite, ContentType, ExtensionType, HandshakeType, NamedGroup, SignatureScheme,
    SrtpProfile, Version,
};

use crate::problem::Layer;
use std::fmt;

/// Whose handshake it is. Bodies differ in one field: the cookie of a ClientHello, which only DTLS has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// DTLS.
    Dtls,
    /// TLS.
    Tls,
}

impl Protocol {
    fn layer(self) -> Layer {
        match self {
            Protocol::Dtls => Layer::Dtls,
            Protocol::Tls => Layer::Tls,
        }
    }
}

/// An alert in the clear (RFC 5246 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Alert {
    /// How grave.
    pub level: AlertLevel,
    /// What it says.
    pub description: AlertDescription,
}

impl Alert {
    /// Reads the payload of an alert record, which must be just the two bytes.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Alert> {
        let &[level, description] = payload else { return None };
        Some(Alert { level: AlertLevel(level), description: AlertDescription(description) })
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.level, self.description)
    }
}
