//! ClientHello, ServerHello, HelloVerifyRequest.

use super::Protocol;
use super::extension::{Extensions, Hello, Numbers, Value};
use super::reader::Reader;
use super::registry::{CipherSuite, ExtensionType, Version};
use crate::problem::Problem;

/// The random of a ServerHello that is a HelloRetryRequest (RFC 8446 §4.1.3).
pub const HELLO_RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a client offers (RFC 6347 §4.2.1, RFC 9147 §5.3).
#[derive(Clone, Copy, Debug)]
pub struct ClientHello<'a> {
    /// The highest version offered, as far as up to 1.2; [`ClientHello::versions`] tells the newer ones.
    pub version: Version,
    /// The client's random; a key log finds a session by it.
    pub random: &'a [u8; 32],
    /// The session to be resumed; empty for none.
    pub session_id: &'a [u8],
    /// The cookie of a HelloVerifyRequest, sent back; always empty in TLS.
    pub cookie: &'a [u8],
    suites: &'a [[u8; 2]],
    /// Compression methods; 0 is none.
    pub compression: &'a [u8],
    /// The extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// The first field that does not fit in it. What is wrong inside an extension, [`Extension::decode`](super::Extension::decode) tells.
    pub fn parse(body: &'a [u8], protocol: Protocol) -> Result<Self, Problem> {
        let mut reader = Reader::new(body, 0, protocol);
        let version = Version(reader.u16()?);
        let random = reader.array()?;
        let session_id = reader.vec8()?;
        let cookie = if protocol == Protocol::Dtls { reader.vec8()? } else { &[] };
        let suites = reader.numbers16()?;
        let compression = reader.vec8()?;
        let extensions = Extensions::parse(&mut reader, Hello::Client)?;
        reader.end()?;
        Ok(ClientHello { version, random, session_id, cookie, suites, compression, extensions })
    }

    /// The cipher suites, by preference.
    #[must_use]
    pub fn cipher_suites(&self) -> Numbers<'a, CipherSuite> {
        Numbers::new(self.suites, CipherSuite)
    }

    /// The versions offered, by preference: those of supported_versions, else the one of the hello itself.
    #[must_use]
    pub fn versions(&self) -> (Option<Numbers<'a, Version>>, Version) {
        let listed = match self.extensions.value(ExtensionType::SUPPORTED_VERSIONS) {
            Some(Value::Versions(versions)) => Some(versions),
            _ => None,
        };
        (listed, self.version)
    }
}

/// What a server chooses, or with which it asks for another ClientHello (RFC 5246 §7.4.1.3, RFC 8446 §4.1.3).
#[derive(Clone, Copy, Debug)]
pub struct ServerHello<'a> {
    /// The version as far as up to 1.2; [`ServerHello::negotiated`] knows the newer ones.
    pub version: Version,
    /// The server's random.
    pub random: &'a [u8; 32],
    /// The session.
    pub session_id: &'a [u8],
    /// The suite chosen.
    pub cipher_suite: CipherSuite,
    /// The compression method chosen; 0 is none.
    pub compression: u8,
    /// The extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// The first field that does not fit in it.
    pub fn parse(body: &'a [u8], protocol: Protocol) -> Result<Self, Problem> {
        let mut reader = Reader::new(body, 0, protocol);
        let version = Version(reader.u16()?);
        let random = reader.array()?;
        let session_id = reader.vec8()?;
        let cipher_suite = CipherSuite(reader.u16()?);
        let compression = reader.u8()?;
        let hello = if *random == HELLO_RETRY_RANDOM { Hello::Retry } else { Hello::Server };
        let extensions = Extensions::parse(&mut reader, hello)?;
        reader.end()?;
        Ok(ServerHello { version, random, session_id, cipher_suite, compression, extensions })
    }

    /// Whether it asks the client to begin again, with another key share or with a cookie.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        *self.random == HELLO_RETRY_RANDOM
    }

    /// The version that was agreed on.
    #[must_use]
    pub fn negotiated(&self) -> Version {
        match self.extensions.value(ExtensionType::SUPPORTED_VERSIONS) {
            Some(Value::SelectedVersion(version)) => version,
            _ => self.version,
        }
    }
}

/// A server that first wants to know whether the client's address is real (RFC 6347 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloVerifyRequest<'a> {
    /// A version, mostly DTLS 1.0 whatever will be spoken.
    pub version: Version,
    /// The cookie that the next ClientHello must bring.
    pub cookie: &'a [u8],
}

impl<'a> HelloVerifyRequest<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// The first field that does not fit in it.
    pub fn parse(body: &'a [u8]) -> Result<Self, Problem> {
        let mut reader = Reader::new(body, 0, Protocol::Dtls);
        let version = Version(reader.u16()?);
        let cookie = reader.vec8()?;
        reader.end()?;
        Ok(HelloVerifyRequest { version, cookie })
    }
}
