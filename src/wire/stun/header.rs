//! The 20 bytes of the header: class, method, transaction id (RFC 8489 §5).

use std::fmt;
use std::hash::{Hash, Hasher};

/// The magic cookie at byte 4 of every message since RFC 5389.
pub const COOKIE: u32 = 0x2112_a442;

/// What a message is to its transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Asks for an answer.
    #[default]
    Request,
    /// Asks for none.
    Indication,
    /// Answers with what was asked for.
    Success,
    /// Answers with an error code.
    Error,
}

impl Class {
    /// The class in a message type.
    #[must_use]
    #[inline]
    pub fn of(message_type: u16) -> Class {
        match message_type & 0x0110 {
            0x0000 => Class::Request,
            0x0010 => Class::Indication,
            0x0100 => Class::Success,
            _ => Class::Error,
        }
    }

    /// `request`, `indication`, `success`, `error`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Class::Request => "request",
            Class::Indication => "indication",
            Class::Success => "success",
            Class::Error => "error",
        }
    }

    /// Whether the class answers a request.
    #[must_use]
    pub fn is_response(self) -> bool {
        matches!(self, Class::Success | Class::Error)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The method of a message, a number of 12 bits.
///
/// A message without the cookie is read by the meaning its time gave the number: its wire method 4 is [`Method::SEND`], its type
/// 0x0115 a [`Method::DATA`] indication, its wire method 6 is [`Method::SET_ACTIVE_DESTINATION`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(pub u16);

impl Method {
    /// Asks for the reflexive address; ICE checks (RFC 8489 §3).
    pub const BINDING: Method = Method(0x001);
    /// Asks for a short-lived user name and password; RFC 3489 only.
    pub const SHARED_SECRET: Method = Method(0x002);
    /// Asks for a relayed address (RFC 8656 §7).
    pub const ALLOCATE: Method = Method(0x003);
    /// Keeps or ends an allocation (RFC 8656 §8).
    pub const REFRESH: Method = Method(0x004);
    /// Data from the client to a peer (RFC 8656 §11).
    pub const SEND: Method = Method(0x006);
    /// Data from a peer to the client (RFC 8656 §11).
    pub const DATA: Method = Method(0x007);
    /// Lets a peer's address through the relay (RFC 8656 §10).
    pub const CREATE_PERMISSION: Method = Method(0x008);
    /// Binds a channel number to a peer (RFC 8656 §12).
    pub const CHANNEL_BIND: Method = Method(0x009);
    /// Asks the server to connect to a peer by TCP (RFC 6062 §4.3).
    pub const CONNECT: Method = Method(0x00a);
    /// Ties a new connection to a peer's (RFC 6062 §4.3).
    pub const CONNECTION_BIND: Method = Method(0x00b);
    /// Says that a peer connected (RFC 6062 §4.4).
    pub const CONNECTION_ATTEMPT: Method = Method(0x00c);
    /// Google's short connectivity check.
    pub const GOOG_PING: Method = Method(0x080);
    /// Set Active Destination of midcom TURN and MS-TURN. Its wire number is that of [`Method::SEND`], so it stands beyond the 12 bits
    /// that a message can hold.
    pub const SET_ACTIVE_DESTINATION: Method = Method(0x1006);

    /// The method in a message type.
    #[must_use]
    #[inline]
    pub fn of(message_type: u16) -> Method {
        Method(message_type & 0x000f | (message_type & 0x00e0) >> 1 | (message_type & 0x3e00) >> 2)
    }

    /// The name of the IANA registry, or of the document that used the number before.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        super::registry::method(self).map(|row| row.name).filter(|name| !name.is_empty())
    }

    /// The message type of this method with a class.
    #[must_use]
    pub fn message_type(self, class: Class) -> u16 {
        let method = self.0 & 0x0fff;
        let class = match class {
            Class::Request => 0x0000,
            Class::Indication => 0x0010,
            Class::Success => 0x0100,
            Class::Error => 0x0110,
        };
        method & 0x000f | (method & 0x0070) << 1 | (method & 0x0f80) << 2 | class
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "0x{:03x}", self.0),
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What ties a response to its request: 96 bits, or 128 in RFC 3489.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransactionId {
    /// The cookie and the first 32 bits, or the first 64 of a classic id.
    high: u64,
    low: u64,
}

impl TransactionId {
    /// The id in bytes 4 to 19 of a message, the cookie being the first four of a modern one.
    #[must_use]
    #[inline]
    pub fn from_header(bytes: [u8; 16]) -> Self {
        let [high @ .., _, _, _, _, _, _, _, _] = bytes;
        let [_, _, _, _, _, _, _, _, low @ ..] = bytes;
        TransactionId { high: u64::from_be_bytes(high), low: u64::from_be_bytes(low) }
    }

    /// Whether it is the 128-bit id of RFC 3489.
    #[must_use]
    #[inline]
    pub fn is_classic(self) -> bool {
        self.high >> 32 != u64::from(COOKIE)
    }

    /// Bytes 4 to 19 of the message: what addresses are XORed with.
    #[must_use]
    #[inline]
    pub fn header_bytes(self) -> [u8; 16] {
        (u128::from(self.high) << 64 | u128::from(self.low)).to_be_bytes()
    }

    /// All of it, as two words.
    #[must_use]
    #[inline]
    pub fn words(self) -> [u64; 2] {
        [self.high, self.low]
    }
}

impl Hash for TransactionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.high);
        state.write_u64(self.low);
    }
}

impl fmt::Display for TransactionId {
    /// 24 hexadecimal digits, or 32 of a classic id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_classic() {
            write!(f, "{:016x}{:016x}", self.high, self.low)
        } else {
            write!(f, "{:08x}{:016x}", self.high & 0xffff_ffff, self.low)
        }
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whose rules a message follows where they differ (which number means what, padding, integrity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// RFC 5389, RFC 8489 and what builds on them.
    Modern,
    /// RFC 3489: no cookie, Binding or SharedSecret.
    Classic,
    /// Early TURN (midcom) drafts: no cookie, with TURN methods; REALM and NONCE have each other's number.
    Draft,
    /// MS-TURN, and the Google and MSN relays before it: MAGIC-COOKIE comes first, attributes are not aligned.
    Microsoft,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Dialect::Modern => "RFC 5389/8489",
            Dialect::Classic => "RFC 3489",
            Dialect::Draft => "early TURN draft",
            Dialect::Microsoft => "MS-TURN",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_class_and_method_convert_both_ways_for_every_type() {
        for message_type in 0..0x4000u16 {
            assert_eq!(Method::of(message_type).message_type(Class::of(message_type)), message_type);
        }
        assert_eq!((Method::of(0x0113), Class::of(0x0113)), (Method::ALLOCATE, Class::Error));
        assert_eq!((Method::of(0x0017), Class::of(0x0017)), (Method::DATA, Class::Indication));
        assert_eq!(Method::of(0x0300), Method::GOOG_PING);
        assert_eq!(Method::of(0x0802), Method(0x202));
    }

    #[test]
    fn transaction_ids_print_24_digits_or_32_of_a_classic_one() {
        let mut bytes = [0x21, 0x12, 0xa4, 0x42, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
        assert_eq!(TransactionId::from_header(bytes).to_string(), "000102030405060708090a0b");
        assert_eq!(TransactionId::from_header(bytes).header_bytes(), bytes);
        bytes[0] = 0;
        assert_eq!(TransactionId::from_header(bytes).to_string(), "0012a442000102030405060708090a0b");
    }
}
