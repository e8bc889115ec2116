//! One STUN message under construction.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use super::packet::Place;

/// The magic cookie of RFC 5389 and later.
pub const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];

/// Method numbers (IANA, "STUN Methods").
pub mod method {
    pub const BINDING: u16 = 0x001;
    pub const SHARED_SECRET: u16 = 0x002;
    pub const ALLOCATE: u16 = 0x003;
    pub const REFRESH: u16 = 0x004;
    pub const SEND: u16 = 0x006;
    pub const DATA: u16 = 0x007;
    pub const CREATE_PERMISSION: u16 = 0x008;
    pub const CHANNEL_BIND: u16 = 0x009;
    pub const CONNECT: u16 = 0x00A;
    pub const CONNECTION_BIND: u16 = 0x00B;
    pub const CONNECTION_ATTEMPT: u16 = 0x00C;
}

/// Attribute numbers that the kit itself writes (IANA, "STUN Attributes"); any other goes through [`Stun::attribute`].
pub mod attribute {
    pub const MAPPED_ADDRESS: u16 = 0x0001;
    pub const RESPONSE_ADDRESS: u16 = 0x0002;
    pub const CHANGE_REQUEST: u16 = 0x0003;
    pub const USERNAME: u16 = 0x0006;
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub const ERROR_CODE: u16 = 0x0009;
    pub const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub const CHANNEL_NUMBER: u16 = 0x000C;
    pub const LIFETIME: u16 = 0x000D;
    pub const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub const DATA: u16 = 0x0013;
    pub const REALM: u16 = 0x0014;
    pub const NONCE: u16 = 0x0015;
    pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub const EVEN_PORT: u16 = 0x0018;
    pub const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub const DONT_FRAGMENT: u16 = 0x001A;
    pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001C;
    pub const PASSWORD_ALGORITHM: u16 = 0x001D;
    pub const USERHASH: u16 = 0x001E;
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub const RESERVATION_TOKEN: u16 = 0x0022;
    pub const PRIORITY: u16 = 0x0024;
    pub const USE_CANDIDATE: u16 = 0x0025;
    pub const ADDITIONAL_ADDRESS_FAMILY: u16 = 0x8000;
    pub const PASSWORD_ALGORITHMS: u16 = 0x8002;
    pub const SOFTWARE: u16 = 0x8022;
    pub const ALTERNATE_SERVER: u16 = 0x8023;
    pub const FINGERPRINT: u16 = 0x8028;
    pub const ICE_CONTROLLED: u16 = 0x8029;
    pub const ICE_CONTROLLING: u16 = 0x802A;
    pub const RESPONSE_ORIGIN: u16 = 0x802B;
    pub const OTHER_ADDRESS: u16 = 0x802C;
}

/// What a TURN client logs in with.
#[derive(Clone, Debug)]
pub struct Login {
    pub username: String,
    pub realm: String,
    pub password: String,
}

impl Login {
    pub fn new(username: &str, realm: &str, password: &str) -> Self {
        Self { username: username.into(), realm: realm.into(), password: password.into() }
    }

    /// The long-term key of RFC 8489 §9.2.2: MD5 of `username:realm:password`.
    pub fn key(&self) -> Vec<u8> {
        md5_key(&self.username, &self.realm, &self.password)
    }

    /// The same with another password: for "what the server thinks it is".
    pub fn with_password(&self, password: &str) -> Self {
        Self { password: password.into(), ..self.clone() }
    }
}

/// Whose login does where it does not matter whose.
pub fn alice() -> Login {
    Login::new("alice", "example.org", "secret")
}

/// The long-term key by MD5 (RFC 8489 §9.2.2).
pub fn md5_key(username: &str, realm: &str, password: &str) -> Vec<u8> {
    Md5::digest(format!("{username}:{realm}:{password}")).to_vec()
}

/// The long-term key by SHA-256 (RFC 8489 §18.5.1.2).
pub fn sha256_key(username: &str, realm: &str, password: &str) -> Vec<u8> {
    Sha256::digest(format!("{username}:{realm}:{password}")).to_vec()
}

/// A STUN message: class and method first, then its parts in wire order. Nothing is worked out before [`Stun::bytes`], so the
/// transaction id may be set at any time before that, and a [`Scene`](super::Scene) numbers those that have none.
#[derive(Clone, Debug)]
pub struct Stun {
    class: u16,
    method: u16,
    transaction: Option<[u8; 12]>,
    classic: Option<[u8; 16]>,
    parts: Vec<Part>,
    length: Option<u16>,
}

#[derive(Clone, Debug)]
enum Part {
    Attribute { code: u16, value: Vec<u8>, padding: u8 },
    Xor { code: u16, address: SocketAddr },
    Integrity { code: u16, key: Vec<u8>, keep: usize },
    Fingerprint { wrong: bool },
}

/// What the message is.
impl Stun {
    fn new(class: u16, method: u16) -> Self {
        Self { class, method, transaction: None, classic: None, parts: Vec::new(), length: None }
    }

    pub fn request(method: u16) -> Self {
        Self::new(0, method)
    }

    pub fn indication(method: u16) -> Self {
        Self::new(1, method)
    }

    pub fn success(method: u16) -> Self {
        Self::new(2, method)
    }

    /// An error response with its ERROR-CODE.
    pub fn error(method: u16, code: u16, reason: &str) -> Self {
        Self::new(3, method).error_code(code, reason)
    }

    /// The success response to `request`, with its method and transaction id.
    pub fn success_to(request: &[u8]) -> Self {
        Self::success(method_of(request)).answering(request)
    }

    /// The error response to `request`, with its method and transaction id.
    pub fn error_to(request: &[u8], code: u16, reason: &str) -> Self {
        Self::error(method_of(request), code, reason).answering(request)
    }

    /// The same message with the transaction id of `request`.
    pub fn answering(mut self, request: &[u8]) -> Self {
        if request[4..8] == COOKIE {
            self.tid(request[8..20].try_into().unwrap())
        } else {
            self.classic = Some(request[4..20].try_into().unwrap());
            self
        }
    }

    pub fn tid(mut self, id: [u8; 12]) -> Self {
        self.transaction = Some(id);
        self
    }

    /// A message of RFC 3489: sixteen bytes of transaction id and no cookie.
    pub fn classic(mut self, id: [u8; 16]) -> Self {
        self.classic = Some(id);
        self
    }

    /// Lets the header's Length lie.
    pub fn length_says(mut self, length: u16) -> Self {
        self.length = Some(length);
        self
    }

    pub(super) fn has_transaction(&self) -> bool {
        self.transaction.is_some() || self.classic.is_some()
    }
}

/// Attributes.
impl Stun {
    /// Any attribute; the padding is zeros.
    pub fn attribute(self, code: u16, value: impl AsRef<[u8]>) -> Self {
        self.padded_with(0, code, value)
    }

    /// Any attribute, padded with another byte than zero (allowed by RFC 5389 §15, done by the vectors of RFC 5769).
    pub fn padded_with(self, padding: u8, code: u16, value: impl AsRef<[u8]>) -> Self {
        self.part(Part::Attribute { code, value: value.as_ref().to_vec(), padding })
    }

    /// Any address attribute in plain form (RFC 8489 §14.1).
    pub fn address(self, code: u16, address: impl Place) -> Self {
        let address = address.place();
        let mut value = vec![0, family(&address)];
        value.extend(address.port().to_be_bytes());
        value.extend(octets(address.ip()));
        self.attribute(code, value)
    }

    /// Any address attribute in XOR form (RFC 8489 §14.2).
    pub fn xor_address(self, code: u16, address: impl Place) -> Self {
        self.part(Part::Xor { code, address: address.place() })
    }

    pub fn error_code(self, code: u16, reason: &str) -> Self {
        let mut value = vec![0, 0, (code / 100) as u8, (code % 100) as u8];
        value.extend(reason.as_bytes());
        self.attribute(attribute::ERROR_CODE, value)
    }

    pub fn username(self, username: impl AsRef<[u8]>) -> Self {
        self.attribute(attribute::USERNAME, username)
    }

    pub fn realm(self, realm: impl AsRef<[u8]>) -> Self {
        self.attribute(attribute::REALM, realm)
    }

    pub fn nonce(self, nonce: impl AsRef<[u8]>) -> Self {
        self.attribute(attribute::NONCE, nonce)
    }

    pub fn software(self, software: &str) -> Self {
        self.attribute(attribute::SOFTWARE, software)
    }

    /// USERHASH: SHA-256 of `username:realm` (RFC 8489 §14.4).
    pub fn userhash(self, username: &str, realm: &str) -> Self {
        self.attribute(attribute::USERHASH, Sha256::digest(format!("{username}:{realm}")))
    }

    /// PASSWORD-ALGORITHMS: 1 is MD5, 2 is SHA-256; none has parameters.
    pub fn password_algorithms(self, algorithms: &[u16]) -> Self {
        let value: Vec<u8> = algorithms.iter().flat_map(|number| [(number >> 8) as u8, *number as u8, 0, 0]).collect();
        self.attribute(attribute::PASSWORD_ALGORITHMS, value)
    }

    pub fn password_algorithm(self, algorithm: u16) -> Self {
        self.attribute(attribute::PASSWORD_ALGORITHM, [(algorithm >> 8) as u8, algorithm as u8, 0, 0])
    }

    pub fn unknown_attributes(self, codes: &[u16]) -> Self {
        let value: Vec<u8> = codes.iter().flat_map(|code| code.to_be_bytes()).collect();
        self.attribute(attribute::UNKNOWN_ATTRIBUTES, value)
    }

    pub fn mapped(self, address: impl Place) -> Self {
        self.address(attribute::MAPPED_ADDRESS, address)
    }

    pub fn alternate_server(self, address: impl Place) -> Self {
        self.address(attribute::ALTERNATE_SERVER, address)
    }

    pub fn xor_mapped(self, address: impl Place) -> Self {
        self.xor_address(attribute::XOR_MAPPED_ADDRESS, address)
    }

    pub fn xor_relayed(self, address: impl Place) -> Self {
        self.xor_address(attribute::XOR_RELAYED_ADDRESS, address)
    }

    pub fn xor_peer(self, address: impl Place) -> Self {
        self.xor_address(attribute::XOR_PEER_ADDRESS, address)
    }

    /// REQUESTED-TRANSPORT: 17 for UDP, 6 for TCP.
    pub fn requested_transport(self, protocol: u8) -> Self {
        self.attribute(attribute::REQUESTED_TRANSPORT, [protocol, 0, 0, 0])
    }

    /// REQUESTED-ADDRESS-FAMILY: 1 for IPv4, 2 for IPv6.
    pub fn requested_family(self, family: u8) -> Self {
        self.attribute(attribute::REQUESTED_ADDRESS_FAMILY, [family, 0, 0, 0])
    }

    /// LIFETIME in seconds.
    pub fn lifetime(self, seconds: u32) -> Self {
        self.attribute(attribute::LIFETIME, seconds.to_be_bytes())
    }

    pub fn channel_number(self, channel: u16) -> Self {
        self.attribute(attribute::CHANNEL_NUMBER, [(channel >> 8) as u8, channel as u8, 0, 0])
    }

    pub fn data(self, data: impl AsRef<[u8]>) -> Self {
        self.attribute(attribute::DATA, data)
    }

    pub fn priority(self, priority: u32) -> Self {
        self.attribute(attribute::PRIORITY, priority.to_be_bytes())
    }

    pub fn use_candidate(self) -> Self {
        self.attribute(attribute::USE_CANDIDATE, [])
    }

    pub fn controlling(self, tie_breaker: u64) -> Self {
        self.attribute(attribute::ICE_CONTROLLING, tie_breaker.to_be_bytes())
    }

    pub fn controlled(self, tie_breaker: u64) -> Self {
        self.attribute(attribute::ICE_CONTROLLED, tie_breaker.to_be_bytes())
    }
}

/// Protection.
impl Stun {
    /// USERNAME, REALM, NONCE and MESSAGE-INTEGRITY: a request of someone who knows the password (or thinks so).
    pub fn signed(self, login: &Login, nonce: &str) -> Self {
        self.username(&login.username).realm(&login.realm).nonce(nonce).integrity(login.key())
    }

    /// MESSAGE-INTEGRITY under a key as it is (RFC 8489 §14.5).
    pub fn integrity(self, key: impl AsRef<[u8]>) -> Self {
        self.part(Part::Integrity { code: attribute::MESSAGE_INTEGRITY, key: key.as_ref().to_vec(), keep: 20 })
    }

    /// MESSAGE-INTEGRITY under the MD5 key of the three.
    pub fn integrity_long_term(self, username: &str, realm: &str, password: &str) -> Self {
        self.integrity(md5_key(username, realm, password))
    }

    /// MESSAGE-INTEGRITY under the password itself, as in ICE.
    pub fn integrity_short_term(self, password: &str) -> Self {
        self.integrity(password)
    }

    /// MESSAGE-INTEGRITY-SHA256 under a key as it is (RFC 8489 §14.6).
    pub fn integrity_sha256(self, key: impl AsRef<[u8]>) -> Self {
        self.integrity_sha256_cut(key, 32)
    }

    /// MESSAGE-INTEGRITY-SHA256 of which only the first `keep` bytes are sent: 16, 20, 24, 28 or 32.
    pub fn integrity_sha256_cut(self, key: impl AsRef<[u8]>, keep: usize) -> Self {
        self.part(Part::Integrity { code: attribute::MESSAGE_INTEGRITY_SHA256, key: key.as_ref().to_vec(), keep })
    }

    /// FINGERPRINT (RFC 8489 §14.7): always the last.
    pub fn fingerprint(self) -> Self {
        self.part(Part::Fingerprint { wrong: false })
    }

    /// FINGERPRINT with one bit flipped.
    pub fn fingerprint_wrong(self) -> Self {
        self.part(Part::Fingerprint { wrong: true })
    }
}

/// The end.
impl Stun {
    /// The message as it goes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(message_type(self.class, self.method).to_be_bytes());
        out.extend([0, 0]);
        match self.classic {
            Some(id) => out.extend(id),
            None => {
                out.extend(COOKIE);
                out.extend(self.transaction.unwrap_or([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
            }
        }
        for part in &self.parts {
            write_part(&mut out, part);
        }
        let length = self.length.unwrap_or((out.len() - 20) as u16);
        out[2..4].copy_from_slice(&length.to_be_bytes());
        out
    }

    fn part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }
}

impl From<Stun> for Vec<u8> {
    fn from(message: Stun) -> Self {
        message.bytes()
    }
}

/// The two class bits lie between the method's bits (RFC 8489 §5).
fn message_type(class: u16, method: u16) -> u16 {
    (method & 0x0F) | ((method & 0x70) << 1) | ((method & 0xF80) << 2) | ((class & 1) << 4) | ((class & 2) << 7)
}

fn method_of(message: &[u8]) -> u16 {
    let kind = u16::from_be_bytes([message[0], message[1]]);
    (kind & 0x0F) | ((kind & 0xE0) >> 1) | ((kind & 0x3E00) >> 2)
}

fn write_part(out: &mut Vec<u8>, part: &Part) {
    match part {
        Part::Attribute { code, value, padding } => write_attribute(out, *code, value, *padding),
        Part::Xor { code, address } => {
            let mut value = vec![0, family(address)];
            value.extend((address.port() ^ u16::from_be_bytes([out[4], out[5]])).to_be_bytes());
            value.extend(octets(address.ip()).iter().zip(&out[4..20]).map(|(byte, mask)| byte ^ mask));
            write_attribute(out, *code, &value, 0);
        }
        Part::Integrity { code, key, keep } => {
            let mut text = out.clone();
            let length = (out.len() + 4 + keep - 20) as u16;
            text[2..4].copy_from_slice(&length.to_be_bytes());
            let value = if *code == attribute::MESSAGE_INTEGRITY {
                let mut mac = Hmac::<Sha1>::new_from_slice(key).unwrap();
                mac.update(&text);
                mac.finalize().into_bytes().to_vec()
            } else {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
                mac.update(&text);
                mac.finalize().into_bytes().to_vec()
            };
            write_attribute(out, *code, &value[..*keep], 0);
        }
        Part::Fingerprint { wrong } => {
            let length = (out.len() + 8 - 20) as u16;
            out[2..4].copy_from_slice(&length.to_be_bytes());
            let crc = crc32fast::hash(out) ^ 0x5354_554E ^ u32::from(*wrong);
            write_attribute(out, attribute::FINGERPRINT, &crc.to_be_bytes(), 0);
        }
    }
}

fn write_attribute(out: &mut Vec<u8>, code: u16, value: &[u8], padding: u8) {
    out.extend(code.to_be_bytes());
    out.extend((value.len() as u16).to_be_bytes());
    out.extend(value);
    let padded = value.len().next_multiple_of(4);
    out.resize(out.len() + padded - value.len(), padding);
}

fn family(address: &SocketAddr) -> u8 {
    if address.is_ipv4() { 1 } else { 2 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
