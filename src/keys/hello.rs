//! What the hellos of a handshake tell that keys depend on.

use std::fmt;

/// Which end sent a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The one that sends the ClientHello.
    Client,
    /// The one that answers it.
    Server,
}

impl Sender {
    /// Of what there is for client and server, in this order, the one that is this end's.
    pub(super) fn of<T>(self, [client, server]: [T; 2]) -> T {
        match self {
            Sender::Client => client,
            Sender::Server => server,
        }
    }
}

/// A ServerHello, other than a HelloRetryRequest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// The version that was agreed on, as on the wire: 0x0303 for TLS 1.2, 0xfefd for DTLS 1.2. That of `supported_versions` where it stands there.
    pub version: u16,
    /// The server's random.
    pub random: [u8; 32],
    /// The suite's number.
    pub suite: u16,
    /// Whether encrypt_then_mac was agreed on (RFC 7366); says nothing but with CBC suites.
    pub encrypt_then_mac: bool,
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hello { version, suite, encrypt_then_mac, .. } = self;
        write!(f, "Hello(version {version:#06x}, suite {suite:#06x}, encrypt_then_mac {encrypt_then_mac})")
    }
}

/// A handshake as far as keys depend on it: both randoms, and what was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub client_random: [u8; 32],
    pub hello: Hello,
}
