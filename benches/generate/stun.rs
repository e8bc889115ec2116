//! STUN messages built into a buffer that is used again and again; HMAC states are keyed once.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;

/// The password of every TURN user.
pub(crate) const PASSWORD: &str = "benchmark";
pub(crate) const REALM: &str = "example.org";

pub(crate) const BINDING: u16 = 1;
pub(crate) const ALLOCATE: u16 = 3;
pub(crate) const REFRESH: u16 = 4;
pub(crate) const CREATE_PERMISSION: u16 = 8;
pub(crate) const CHANNEL_BIND: u16 = 9;

pub(crate) const USERNAME: u16 = 0x0006;
pub(crate) const CHANNEL_NUMBER: u16 = 0x000C;
pub(crate) const LIFETIME: u16 = 0x000D;
pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
pub(crate) const REALM_ATTRIBUTE: u16 = 0x0014;
pub(crate) const NONCE: u16 = 0x0015;
pub(crate) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
pub(crate) const REQUESTED_TRANSPORT: u16 = 0x0019;
pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub(crate) const PRIORITY: u16 = 0x0024;
pub(crate) const USE_CANDIDATE: u16 = 0x0025;
pub(crate) const SOFTWARE: u16 = 0x8022;
pub(crate) const ICE_CONTROLLING: u16 = 0x802A;

pub(crate) type Id = [u8; 12];
pub(crate) type Key = Hmac<Sha1>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    Request,
    #[allow(dead_code)]
    Indication,
    Success,
    Error,
}

pub(crate) fn method_name(method: u16) -> &'static str {
    match method {
        BINDING => "Binding",
        ALLOCATE => "Allocate",
        REFRESH => "Refresh",
        CREATE_PERMISSION => "CreatePermission",
        CHANNEL_BIND => "ChannelBind",
        _ => unreachable!("the generator knows no other"),
    }
}

/// A user's name, long-term key and its HMAC state.
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) key: Key,
    /// Of someone who has the password wrong.
    pub(crate) wrong: Key,
}

impl User {
    pub(crate) fn numbered(number: u32) -> Self {
        let name = format!("user{number:04}");
        let key = long_term(&name, PASSWORD);
        let wrong = long_term(&name, "mistyped");
        Self { name, key, wrong }
    }
}

pub(crate) fn short_term(password: &[u8]) -> Key {
    Hmac::new_from_slice(password).unwrap()
}

fn long_term(name: &str, password: &str) -> Key {
    Hmac::new_from_slice(&Md5::digest(format!("{name}:{REALM}:{password}"))).unwrap()
}

/// One message under construction.
pub(crate) struct Message {
    pub(crate) class: Class,
    pub(crate) method: u16,
    pub(crate) bytes: Vec<u8>,
    pub(crate) error: Option<u16>,
    pub(crate) protected: bool,
    pub(crate) fingerprint: bool,
}

impl Message {
    pub(crate) fn new() -> Self {
        let bytes = Vec::with_capacity(512);
        Self { class: Class::Request, method: BINDING, bytes, error: None, protected: false, fingerprint: false }
    }

    pub(crate) fn start(&mut self, class: Class, method: u16, id: Id) -> &mut Self {
        (self.class, self.method, self.error) = (class, method, None);
        (self.protected, self.fingerprint) = (false, false);
        let class = class as u16;
        let kind = (method & 0x0F) | ((method & 0x70) << 1) | ((class & 1) << 4) | ((class & 2) << 7);
        self.bytes.clear();
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes.extend_from_slice(&[0, 0, 0x21, 0x12, 0xA4, 0x42]);
        self.bytes.extend_from_slice(&id);
        self
    }

    pub(crate) fn attribute(&mut self, code: u16, value: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(&code.to_be_bytes());
        self.bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(value);
        let padded = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(padded, 0);
        let length = (padded - 20) as u16;
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
        self
    }

    pub(crate) fn error_code(&mut self, code: u16, reason: &str) -> &mut Self {
        self.error = Some(code);
        let mut value = [0; 64];
        (value[2], value[3]) = ((code / 100) as u8, (code % 100) as u8);
        value[4..4 + reason.len()].copy_from_slice(reason.as_bytes());
        self.attribute(0x0009, &value[..4 + reason.len()])
    }

    pub(crate) fn xor_address(&mut self, code: u16, address: SocketAddr) -> &mut Self {
        let mut value = [0; 20];
        value[2..4].copy_from_slice(&(address.port() ^ 0x2112).to_be_bytes());
        let length = match address {
            SocketAddr::V4(v4) => {
                value[1] = 1;
                value[4..8].copy_from_slice(&v4.ip().octets());
                8
            }
            SocketAddr::V6(v6) => {
                value[1] = 2;
                value[4..20].copy_from_slice(&v6.ip().octets());
                20
            }
        };
        // The cookie and the transaction id begin at the fourth byte, as the address does in the attribute.
        for (byte, mask) in value[4..length].iter_mut().zip(&self.bytes[4..20]) {
            *byte ^= mask;
        }
        self.attribute(code, &value[..length])
    }

    pub(crate) fn login(&mut self, user: &User, nonce: &[u8], key: &Key) -> &mut Self {
        self.attribute(USERNAME, user.name.as_bytes());
        self.attribute(REALM_ATTRIBUTE, REALM.as_bytes());
        self.attribute(NONCE, nonce);
        self.integrity(key)
    }

    pub(crate) fn integrity(&mut self, key: &Key) -> &mut Self {
        let end = self.bytes.len();
        self.attribute(0x0008, &[0; 20]);
        let mut mac = key.clone();
        mac.update(&self.bytes[..end]);
        let value = mac.finalize().into_bytes();
        self.bytes[end + 4..].copy_from_slice(&value);
        self.protected = true;
        self
    }

    pub(crate) fn fingerprint(&mut self) -> &mut Self {
        let end = self.bytes.len();
        self.attribute(0x8028, &[0; 4]);
        let value = crc32fast::hash(&self.bytes[..end]) ^ 0x5354_554E;
        self.bytes[end + 4..].copy_from_slice(&value.to_be_bytes());
        self.fingerprint = true;
        self
    }
}
