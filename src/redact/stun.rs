//! A STUN message rewritten in place: attribute by attribute, then what protects it.

use super::bytes::{at, put};
use super::payload::Room;
use super::{Flow, Redactor};
use crate::wire::stun::integrity::protections;
use crate::wire::stun::registry::{Format, attribute, errors_named, phrase};
use crate::wire::stun::{Attribute, AttributeCode as Code, Dialect, Fingerprint, Message, Value};

/// XORed over the checksum of FINGERPRINT (RFC 8489 §14.7).
const FINGERPRINT: u32 = 0x5354_554e;
/// As many types of attributes are remembered.
const MAX_TYPES: usize = 1024;

impl Redactor {
    /// Rewrites the message at the start of `bytes`, which are as many as it has.
    pub(super) fn stun(&mut self, bytes: &mut [u8], truncated: bool, flow: &Flow, depth: u32) {
        let original = bytes.to_vec();
        let Some(message) = Message::recognise_on_stun_flow(&original, truncated) else {
            bytes.fill(0);
            self.counts.zeroed += 1;
            return;
        };
        let fields = message.fields();
        if let (Some(channel), Some(peer), false) = (fields.channel, fields.peer, message.class().is_response()) {
            self.bind(flow, channel, peer);
        }
        let owner = self.standins.owner(&message, &fields);
        let (made, unknown) = self.standins.check(&message, &owner);
        // the capture may keep less of the message than was sent, or more than its length says
        let end = message.bytes().len();
        let mut reached = 20;
        for attribute in message.attributes() {
            if self.learning && self.types.len() < MAX_TYPES {
                self.types.insert(attribute.code);
            }
            let start = attribute.offset + 4;
            let stop = start + attribute.value.len();
            let Some(value) = bytes.get_mut(start..stop) else { break };
            if attribute.code == Code::USERHASH
                && let Some(hash) = self.standins.userhash(attribute.value, &owner, &mut self.names)
            {
                put(value, 0, &hash);
            } else {
                self.attribute(value, &attribute, &message, flow, depth);
            }
            let padding = if message.is_aligned() { attribute.value.len().wrapping_neg() % 4 } else { 0 };
            let behind = bytes.get_mut(stop..(stop + padding).min(end)).unwrap_or_default();
            if behind.iter().any(|byte| !matches!(byte, 0 | b' ')) {
                behind.fill(0);
            }
            reached = stop + behind.len();
        }
        // less than the header of an attribute, or what follows the message
        bytes.get_mut(reached..).unwrap_or_default().fill(0);
        for made in made {
            let current = bytes.to_vec();
            let Some(message) = Message::recognise_on_stun_flow(&current, truncated) else { continue };
            match self.standins.sign(&made, &message, &owner, &mut self.names) {
                Some(value) => put(bytes, made.protection.offset + 4, &value),
                None => self.unsigned(),
            }
        }
        if unknown && protections(&message).any(|protection| !protection.truncated) {
            self.unsigned();
        }
        let last = message.attributes().find(|attribute| attribute.code == Code::FINGERPRINT);
        if let (Some(Fingerprint::Ok), Some(attribute)) = (message.fingerprint(), last) {
            let sum = checksum(bytes, &original, &attribute);
            put(bytes, attribute.offset + 4, &sum.to_be_bytes());
        }
    }

    fn unsigned(&mut self) {
        self.counts.unsigned += 1;
        let comment = "turnscope: message integrity is that of the original, which was made with no given credential";
        self.comment(comment.to_owned());
    }

    fn attribute(
        &mut self,
        value: &mut [u8],
        attribute_: &Attribute<'_>,
        message: &Message<'_>,
        flow: &Flow,
        depth: u32,
    ) {
        let code = attribute_.code;
        let modern = message.dialect() == Dialect::Modern;
        let replaced = match code {
            // the drafts have each other's number
            Code::REALM | Code::NONCE => {
                if (code == Code::REALM) == modern {
                    self.names.name(value)
                } else {
                    self.names.nonce(value)
                }
            }
            Code::SOFTWARE => self.names.software(value),
            Code::DATA | Code::META_DTLS_IN_STUN => {
                let cut = !attribute_.is_whole();
                self.payload(value, cut, &flow.inside(message.fields().peer), Room::Inside, depth + 1);
                return;
            }
            Code::ERROR_CODE | Code::ADDRESS_ERROR_CODE => return self.reason(value, 4),
            Code::MOBILITY_TICKET | Code::RESERVATION_TOKEN | Code::USERHASH => self.names.opaque(value),
            Code::UNKNOWN_ATTRIBUTES => return self.types(value),
            Code::GOOG_MISC_INFO => return misc_info(value),
            _ => match attribute(code).map(|row| row.format) {
                Some(Format::Address) => return self.address(value, None),
                Some(Format::Xor) => return self.address(value, Some(message.transaction_id().header_bytes())),
                Some(Format::Relay | Format::Relayed) => {
                    return self.address(value, modern.then(|| message.transaction_id().header_bytes()));
                }
                Some(Format::Text | Format::PaddedText | Format::Hidden | Format::ThirdParty) => self.names.name(value),
                Some(
                    Format::Bytes { .. }
                    | Format::AccessToken
                    | Format::NumberOrBytes
                    | Format::LongWordOrBytes
                    | Format::FlowDescription
                    | Format::NetworkStatus,
                ) if !is_harmless(code) => vec![0; value.len()],
                Some(Format::Token | Format::ResponsePort | Format::AdditionalFamily) if value.len() > 4 => {
                    self.names.opaque(value)
                }
                Some(format) if fits(format, attribute_, message) => return,
                Some(_) | None => vec![0; value.len()],
            },
        };
        put(value, 0, &replaced);
    }

    /// Types of attributes stay that are known, or that a message has; others may be anything.
    fn types(&self, value: &mut [u8]) {
        for pair in value.chunks_mut(2) {
            let code = at::<2>(pair, 0).map(|code| Code(u16::from_be_bytes(code)));
            if !code.is_some_and(|code| attribute(code).is_some() || self.types.contains(&code)) {
                pair.fill(0);
            }
        }
    }

    /// An address as an attribute has it: family at byte 1, port at 2, the address from 4 on. What is cut short is zeroed.
    pub(super) fn address(&mut self, value: &mut [u8], key: Option<[u8; 16]>) {
        let key = key.unwrap_or_default();
        let (family, rest) = (value.get(1).copied(), value.get_mut(4..).unwrap_or_default());
        let xor = |byte: (&u8, &u8)| byte.0 ^ byte.1;
        let open: Vec<u8> = rest.iter().zip(&key).map(xor).collect();
        let other = match (family, open.as_slice(), rest.len()) {
            (Some(1), &[a, b, c, d], _) => self.addresses.v4([a, b, c, d]).to_vec(),
            (Some(2), open, 16) => match <[u8; 16]>::try_from(open) {
                Ok(ip) => self.addresses.v6(ip).to_vec(),
                Err(_) => Vec::new(),
            },
            _ => return rest.fill(0),
        };
        let closed: Vec<u8> = other.iter().zip(&key).map(xor).collect();
        put(rest, 0, &closed);
    }

    /// Phrases that the protocol or a known server uses stay; others may name anything.
    fn reason(&mut self, value: &mut [u8], from: usize) {
        let code = at::<4>(value, 0).map_or(0, |[_, _, class, number]| u16::from(class & 7) * 100 + u16::from(number));
        let Some(reason) = value.get_mut(from..) else { return };
        let text = String::from_utf8_lossy(reason).trim_end_matches('\0').trim().to_owned();
        let known = text.is_empty()
            || errors_named(&text).next().is_some()
            || phrase(code, reason).is_some_and(|row| text.len() <= row.contains.len() + 48)
            || WORDS.iter().any(|known| known.eq_ignore_ascii_case(&text));
        if !known {
            let other = self.names.name(reason);
            put(reason, 0, &other);
        }
    }
}

/// The version of GOOG-PING stays, in the first word of GOOG-MISC-INFO; libwebrtc has no use for others.
fn misc_info(value: &mut [u8]) {
    let kept = if matches!(value, [0, 0..16, ..]) { 2 } else { 0 };
    value.get_mut(kept..).unwrap_or_default().fill(0);
}

/// Phrases of servers that no registry lists.
const WORDS: [&str; 12] = [
    "Unauthorised",
    "Wrong nonce",
    "Stale nonce",
    "Forbidden IP",
    "Wrong TID",
    "Mismatched allocation",
    "Cannot create socket",
    "Role Conflict",
    "Integrity Check Failure",
    "Allocation Quota Reached",
    "Unknown attribute",
    "Wrong credentials",
];

/// Whether a value is one of numbers as its format has it. Who uses the type for something else may have put anything there.
fn fits(format: Format, attribute: &Attribute<'_>, message: &Message<'_>) -> bool {
    match attribute.decode(message) {
        Value::Opaque(_) => false,
        Value::Bytes(_) => format == Format::Integrity,
        _ => true,
    }
}

/// What is a list of bytes in the registry, and says nothing about anybody.
fn is_harmless(code: Code) -> bool {
    matches!(code, Code::CONNECTION_ID | Code::ICE_CONTROLLED | Code::ICE_CONTROLLING | Code::MAGIC_COOKIE)
}

/// FINGERPRINT of the changed message, by the length that the original's was right with.
fn checksum(bytes: &[u8], original: &[u8], attribute: &Attribute<'_>) -> u32 {
    let was = <[u8; 4]>::try_from(attribute.value).map_or(0, u32::from_be_bytes);
    let own = u16::try_from(attribute.offset.saturating_sub(12)).unwrap_or(u16::MAX);
    let covered = |bytes: &[u8]| bytes.get(..attribute.offset).unwrap_or_default().to_vec();
    let with_own = |bytes: &[u8]| {
        let mut covered = covered(bytes);
        put(&mut covered, 2, &own.to_be_bytes());
        crc32fast::hash(&covered) ^ FINGERPRINT
    };
    if with_own(original) == was { with_own(bytes) } else { crc32fast::hash(&covered(bytes)) ^ FINGERPRINT }
}
