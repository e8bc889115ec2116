//! A message: how it is recognised, and the view on it.

use super::attribute::{Attribute, AttributeCode, Attributes};
use super::header::{COOKIE, Class, Dialect, Method, TransactionId};
use super::{address, registry};
use crate::net::Endpoint;
use std::fmt;

/// Length of the header.
/// Bytes of the header (RFC 8489 §5).
pub const HEADER: usize = 20;
/// How often a request is sent at most over UDP: Rc (RFC 8489 §6.2.1).
pub const TRANSMISSIONS: u32 = 7;
/// Type and length of MAGIC-COOKIE, the first attribute of MS-TURN, and its value.
const MAGIC: [u8; 8] = [0x00, 0x0f, 0x00, 0x04, 0x72, 0xc6, 0x4b, 0xc6];
/// Where XMCP has its own word in the cookie's place.
const XMCP: u32 = 0x7f5a_9bc7;

/// A STUN message, borrowed from the payload that carried it.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// From the first byte of the header to the end that the header's length gives, as far as present.
    bytes: &'a [u8],
    id: TransactionId,
    message_type: u16,
    declared: u16,
    trailing: usize,
    truncated: bool,
    aligned: bool,
    dialect: Dialect,
}

impl<'a> Message<'a> {
    /// Recognises a message by what it is, on any port.
    ///
    /// With the magic cookie, the length must account for the datagram, or the attributes must end exactly where it says. Without, the type
    /// must be one of RFC 3489 or early TURN, and the chain of attributes end exactly at the end of the datagram. The 12 bytes of
    /// Microsoft's multiplexed TURN before a message are stripped. `truncated` says that bytes are missing at the end of `payload`.
    #[must_use]
    #[inline]
    pub fn recognise(payload: &'a [u8], truncated: bool) -> Option<Message<'a>> {
        let (&header, _) = payload.split_first_chunk::<HEADER>()?;
        let [t0, _, l0, l1, c0, c1, c2, c3, ..] = header;
        if t0 & 0xc0 != 0 {
            return if t0 == 0xff { Message::multiplexed(payload, truncated) } else { None };
        }
        if u32::from_be_bytes([c0, c1, c2, c3]) != COOKIE {
            return if t0 < 4 { Message::without_cookie(payload, header, truncated) } else { None };
        }
        let end = HEADER + usize::from(u16::from_be_bytes([l0, l1]));
        let whole = payload.len() == end || (payload.len() < end && truncated);
        if whole || (payload.len() > end && chain(payload, end, true) == Chain::Exact) {
            return Some(Message::with_cookie(payload, header, truncated));
        }
        None
    }

    /// Recognises, as [`Message::recognise`] does, what nearly all messages are: the magic cookie, and a length that accounts for the datagram.
    #[must_use]
    #[inline(always)]
    pub fn exact(payload: &'a [u8]) -> Option<Message<'a>> {
        let header = exact(payload)?;
        Some(Message::with_cookie(payload, header, false))
    }

    /// Type and transaction id of such a message.
    #[must_use]
    #[inline(always)]
    pub fn exact_head(payload: &[u8]) -> Option<(u16, TransactionId)> {
        let [t0, t1, _, _, id @ ..] = exact(payload)?;
        Some((u16::from_be_bytes([t0, t1]), TransactionId::from_header(id)))
    }

    /// Recognises a message on a flow that is known to be STUN: lengths that lie and a missing cookie are accepted, and told by
    /// [`Message::problems`].
    #[must_use]
    pub fn recognise_on_stun_flow(payload: &'a [u8], truncated: bool) -> Option<Message<'a>> {
        if let Some(message) = Message::recognise(payload, truncated) {
            return Some(message);
        }
        let (&header, _) = payload.split_first_chunk::<HEADER>()?;
        let [t0, _, l0, l1, c0, c1, c2, c3, ..] = header;
        if t0 & 0xc0 != 0 {
            return None;
        }
        if u32::from_be_bytes([c0, c1, c2, c3]) == COOKIE {
            return Some(Message::with_cookie(payload, header, truncated));
        }
        // No cookie: the shape must be right in all else, and to the end.
        let end = HEADER + usize::from(u16::from_be_bytes([l0, l1]));
        let shaped =
            t0 < 4 && !truncated && payload.len() == end && registry::method(Method::of(type_of(header))).is_some();
        let aligned = [false, true].into_iter().find(|&aligned| chain(payload, end, aligned) == Chain::Exact)?;
        shaped.then(|| Message::classic(payload, header, truncated, aligned))
    }

    /// The bytes of the message, from its header on: as many as its length says, or as are there.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What tells a request or an answer from others with its transaction id: the FINGERPRINT or MESSAGE-INTEGRITY that it ends with, since these
    /// cover all that is before them, or else all of it.
    #[must_use]
    #[inline]
    pub fn seal(&self) -> &'a [u8] {
        if let Some((_, seal @ [0x80, 0x28, 0, 4, ..])) = self.bytes.split_last_chunk::<8>() {
            return seal;
        }
        if let Some((_, seal @ [0, 8, 0, 20, ..])) = self.bytes.split_last_chunk::<24>() {
            return seal;
        }
        self.bytes
    }

    /// The first two bytes: class and method as on the wire.
    #[must_use]
    #[inline]
    pub fn message_type(&self) -> u16 {
        self.message_type
    }

    /// Request, indication or answer.
    #[must_use]
    #[inline]
    pub fn class(&self) -> Class {
        // The Data indication of early TURN would read as an error of method 5.
        if self.message_type == 0x0115 && self.dialect != Dialect::Modern {
            Class::Indication
        } else {
            Class::of(self.message_type)
        }
    }

    /// What it is about, by the meaning that its dialect gives the number.
    #[must_use]
    #[inline]
    pub fn method(&self) -> Method {
        match (self.dialect, Method::of(self.message_type)) {
            (Dialect::Modern, method) => method,
            (_, Method::REFRESH) => Method::SEND,
            (_, Method::SEND) => Method::SET_ACTIVE_DESTINATION,
            _ if self.message_type == 0x0115 => Method::DATA,
            (_, method) => method,
        }
    }

    /// What ties it to the other messages of its transaction.
    #[must_use]
    #[inline]
    pub fn transaction_id(&self) -> TransactionId {
        self.id
    }

    /// Whether the cookie is missing, as in RFC 3489.
    #[must_use]
    #[inline]
    pub fn is_classic(&self) -> bool {
        self.id.is_classic()
    }

    /// Whose rules it follows.
    #[must_use]
    #[inline]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether the capture lacks bytes of the message.
    #[must_use]
    #[inline]
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// The length in the header: bytes after the first 20.
    #[must_use]
    #[inline]
    pub fn declared_length(&self) -> u16 {
        self.declared
    }

    /// Whether it follows today's rules, is all there and nothing comes behind it.
    #[must_use]
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.dialect == Dialect::Modern && self.trailing == 0 && !self.truncated
    }

    /// The XORed address in a value that is proper in every way.
    #[must_use]
    #[inline]
    pub fn plain_address(&self, value: &[u8]) -> Option<Endpoint> {
        if value.first() == Some(&0) { self.xor_address(value) } else { None }
    }

    /// How many bytes followed the message in its datagram.
    #[must_use]
    pub fn trailing(&self) -> usize {
        self.trailing
    }

    /// Whether attributes are padded to a multiple of 4; those of MS-TURN are not.
    #[must_use]
    pub fn is_aligned(&self) -> bool {
        self.aligned
    }

    /// The attributes in wire order. Never allocates, stops at damage.
    #[must_use]
    #[inline]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, self.aligned)
    }

    /// The first attribute of a type, if it is whole.
    #[must_use]
    pub fn attribute(&self, code: AttributeCode) -> Option<Attribute<'a>> {
        self.attributes().find(|attribute| attribute.code == code && attribute.is_whole())
    }

    /// Every peer that it names, in wire order (a CreatePermission request may name several, RFC 8656 §10.1).
    #[must_use]
    pub fn peers(&self) -> Peers<'a> {
        Peers { message: *self, attributes: self.attributes() }
    }

    /// The XORed address in an attribute's value.
    #[inline]
    pub(super) fn xor_address(&self, value: &[u8]) -> Option<Endpoint> {
        address::xored(value, self.id.header_bytes())
    }

    /// The address in a value of XOR-PEER-ADDRESS, XOR-RELAYED-ADDRESS: plain in the dialects before them.
    #[inline]
    pub(super) fn relay_address(&self, value: &[u8]) -> Option<Endpoint> {
        if self.dialect == Dialect::Modern { self.xor_address(value) } else { address::plain(value) }
    }

    #[inline]
    fn with_cookie(payload: &'a [u8], header: [u8; HEADER], truncated: bool) -> Message<'a> {
        let mut message = Message::view(payload, header, truncated);
        if payload.get(HEADER..HEADER + MAGIC.len()) == Some(&MAGIC) {
            message.dialect = Dialect::Microsoft;
            let end = HEADER + usize::from(message.declared);
            message.aligned = chain(message.bytes, end, false) == Chain::Broken;
        }
        message
    }

    /// Strict recognition of RFC 3489, early TURN and MS-TURN.
    #[cold]
    #[inline(never)]
    fn without_cookie(payload: &'a [u8], header: [u8; HEADER], truncated: bool) -> Option<Message<'a>> {
        let [_, _, l0, l1, id @ ..] = header;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let end = HEADER + length;
        let listed = matches!(
            type_of(header),
            0x0001..=0x0004 | 0x0006 | 0x0101..=0x0104 | 0x0106 | 0x0111..=0x0116
        );
        if !listed || payload.len() > end || (payload.len() < end && !truncated) {
            return None;
        }
        // Counters and lengths of other protocols (TFTP blocks, DNS headers) are mostly zeros; a transaction id is random.
        let [c0, c1, c2, c3, ..] = id;
        if u32::from_be_bytes([c0, c1, c2, c3]) == XMCP || id.iter().filter(|&&byte| byte == 0).count() >= 8 {
            return None;
        }
        if length == 0 {
            return (type_of(header) == 0x0001 || type_of(header) == 0x0002)
                .then(|| Message::classic(payload, header, truncated, true));
        }
        let first = Attributes::new(payload, false).next()?;
        if first.code.0 == 0 || registry::attribute(first.code).is_none() {
            return None;
        }
        let wanted = if payload.len() == end { Chain::Exact } else { Chain::Cut };
        let aligned = [false, true].into_iter().find(|&aligned| chain(payload, end, aligned) == wanted)?;
        Some(Message::classic(payload, header, truncated, aligned))
    }

    fn classic(payload: &'a [u8], header: [u8; HEADER], truncated: bool, aligned: bool) -> Message<'a> {
        let mut message = Message::view(payload, header, truncated);
        message.aligned = aligned;
        message.dialect = match Method::of(message.message_type) {
            _ if payload.get(HEADER..HEADER + MAGIC.len()) == Some(&MAGIC) => Dialect::Microsoft,
            Method::BINDING | Method::SHARED_SECRET => Dialect::Classic,
            _ => Dialect::Draft,
        };
        message
    }

    /// 0xFF10, length, 8 bytes of session id, then a message.
    #[cold]
    #[inline(never)]
    fn multiplexed(payload: &'a [u8], truncated: bool) -> Option<Message<'a>> {
        let (&[0xff, 0x10, ..], inner) = payload.split_first_chunk::<12>()? else { return None };
        let &[first, ..] = inner else { return None };
        if first & 0xc0 != 0 {
            return None;
        }
        Message::recognise(inner, truncated)
    }

    #[inline]
    fn view(payload: &'a [u8], header: [u8; HEADER], truncated: bool) -> Message<'a> {
        let [_, _, l0, l1, id @ ..] = header;
        let declared = u16::from_be_bytes([l0, l1]);
        let end = HEADER + usize::from(declared);
        let (bytes, trailing) = match payload.split_at_checked(end) {
            Some((bytes, trailing)) => (bytes, trailing.len()),
            None => (payload, 0),
        };
        Message {
            bytes,
            id: TransactionId::from_header(id),
            message_type: type_of(header),
            declared,
            trailing,
            truncated: truncated && bytes.len() < end,
            aligned: true,
            dialect: Dialect::Modern,
        }
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ({} bytes)", self.method(), self.class(), self.id, self.bytes.len())
    }
}

/// The peers of a message, see [`Message::peers`].
#[derive(Clone, Debug)]
pub struct Peers<'a> {
    message: Message<'a>,
    attributes: Attributes<'a>,
}

impl Iterator for Peers<'_> {
    type Item = Endpoint;

    fn next(&mut self) -> Option<Endpoint> {
        self.attributes.find_map(|attribute| match attribute.code {
            AttributeCode::XOR_PEER_ADDRESS if attribute.is_whole() => self.message.relay_address(attribute.value),
            _ => None,
        })
    }
}

#[inline]
fn type_of([t0, t1, ..]: [u8; HEADER]) -> u16 {
    u16::from_be_bytes([t0, t1])
}

/// The header of a message with the magic cookie that fills its datagram.
#[inline(always)]
fn exact(payload: &[u8]) -> Option<[u8; HEADER]> {
    let (&header, rest) = payload.split_first_chunk::<HEADER>()?;
    let [t0, _, l0, l1, c0, c1, c2, c3, ..] = header;
    let exact = t0 < 4
        && u32::from_be_bytes([c0, c1, c2, c3]) == COOKIE
        && rest.len() == usize::from(u16::from_be_bytes([l0, l1]));
    exact.then_some(header)
}

/// How a chain of attributes ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chain {
    /// Exactly at the end that the header gives.
    Exact,
    /// Within it, where the bytes that are there end.
    Cut,
    /// Past it, or with less than a header left.
    Broken,
}

/// Follows the attributes from byte 20 to `end`. The padding of the last one may be missing.
fn chain(bytes: &[u8], end: usize, aligned: bool) -> Chain {
    let mut walk = Attributes::new(bytes.get(..end).unwrap_or(bytes), aligned);
    while walk.offset() < end {
        let Some(attribute) = walk.next() else {
            return if bytes.len() < end && walk.offset() + 4 > bytes.len() { Chain::Cut } else { Chain::Broken };
        };
        if attribute.code.0 == 0 || attribute.offset + 4 + usize::from(attribute.declared) > end {
            return Chain::Broken;
        }
    }
    if walk.offset() < end + 4 { if bytes.len() < end { Chain::Cut } else { Chain::Exact } } else { Chain::Broken }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_from_others_by_what_covers_all_of_it() {
        let seal = |attributes: &[u8]| {
            let mut bytes =
                vec![0, 1, 0, attributes.len() as u8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
            bytes.extend(attributes);
            let seal = Message::recognise(&bytes, false).unwrap().seal().to_vec();
            (seal.len() == bytes.len()).then_some(()).ok_or(seal)
        };
        let (user, fingerprint) = ([0, 6, 0, 4, b'u', b's', b'e', b'r'], [0x80, 0x28, 0, 4, 1, 2, 3, 4]);
        let integrity: Vec<u8> = [0, 8, 0, 20].into_iter().chain(0..20).collect();
        assert_eq!(seal(&[]), Ok(()));
        assert_eq!(seal(&user), Ok(()));
        assert_eq!(seal(&[&user[..], &fingerprint].concat()), Err(fingerprint.to_vec()));
        assert_eq!(seal(&[&user[..], &integrity].concat()), Err(integrity.clone()));
        assert_eq!(seal(&[&user[..], &integrity, &fingerprint].concat()), Err(fingerprint.to_vec()));
        assert_eq!(seal(&[&integrity[..], &user].concat()), Ok(()));
    }
}
