//! How TLS is opened: what whoever has the keys is asked, and what it gives.

use crate::wire::handshake::{CipherSuite, ContentType, Version};
use crate::wire::tls::Record;
use std::fmt;

/// What the hellos of a connection say that it takes to open it.
#[derive(Clone, Copy, Debug)]
pub struct Hellos<'a> {
    /// The client's random, by which a key log names the connection.
    pub client_random: &'a [u8; 32],
    /// The server's random.
    pub server_random: &'a [u8; 32],
    /// The version that was agreed on.
    pub version: Version,
    /// The suite that was agreed on.
    pub suite: CipherSuite,
    /// Whether both ends agreed to encrypt before they authenticate (RFC 7366).
    pub encrypt_then_mac: bool,
}

/// The keys that were given.
pub trait Keyring: fmt::Debug {
    /// What opens the connection with these hellos; `None` where there are no keys for it. It is asked once a connection, at the ServerHello, and
    /// again where the first time there were none: at the first protected record.
    fn connection(&self, hellos: &Hellos<'_>) -> Option<Box<dyn Opener>>;
}

/// Opens the protected records of one connection, in order.
pub trait Opener: fmt::Debug {
    /// Opens a record of the client (or of the server) and puts what is in it behind what `plain` holds. Every protected record comes once, in the order of
    /// its direction, those that the capture cut short ([`Record::truncated`]) among them, so that sequence numbers can be counted. What handshake messages
    /// come out (KeyUpdate, the hellos of another handshake) it has to heed itself.
    fn open(&mut self, from_client: bool, record: &Record<'_>, plain: &mut Vec<u8>) -> Opened;

    /// Records of the client (or of the server) are missing: nobody knows how many.
    fn missing(&mut self, from_client: bool);
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is open: what it holds in truth. Of TLS 1.3 the padding is taken off.
    Plain(ContentType),
    /// It stays shut, for the reason that is given in a few words.
    Shut(&'static str),
}
