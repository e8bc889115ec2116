//! MESSAGE-INTEGRITY and its relatives: which attributes protect a message, and whether a key made them.
//!
//! The HMAC is fed in slices of the message; the length field that it covers is put in on the fly. Nothing is copied.

use super::{AttributeCode, Message};
use hmac::{Hmac, KeyInit};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use std::fmt;

/// The hash of an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// MESSAGE-INTEGRITY (RFC 8489 §14.5), GOOG-MESSAGE-INTEGRITY-32.
    Sha1,
    /// MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6); 32 bytes in MESSAGE-INTEGRITY (coturn).
    Sha256,
    /// 48 bytes in MESSAGE-INTEGRITY (coturn).
    Sha384,
    /// 64 bytes in MESSAGE-INTEGRITY (coturn).
    Sha512,
}

impl Algorithm {
    /// `sha1`, `sha256`, `sha384`, `sha512`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha384 => "sha384",
            Algorithm::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which bytes went under the HMAC: they end before the attribute in all, but stacks differ in the header's length and in padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Length up to and with the attribute, no padding (RFC 5389 §15.4, RFC 8489 §14.5).
    Rfc8489,
    /// The same, zeros appended to a multiple of 64 bytes (RFC 3489 §11.2.8, MS-TURN).
    ZeroPadded,
    /// Length as on the wire, zeros appended to a multiple of 64 bytes (MS-ICE2).
    FullLengthZeroPadded,
    /// Length as on the wire, no padding.
    FullLength,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Rule::Rfc8489 => "RFC 8489",
            Rule::ZeroPadded => "zero padding (RFC 3489, MS-TURN)",
            Rule::FullLengthZeroPadded => "full length and zero padding (MS-ICE2)",
            Rule::FullLength => "full length",
        })
    }
}

/// An attribute that protects a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 or GOOG-MESSAGE-INTEGRITY-32.
    pub code: AttributeCode,
    /// Offset of its header in the message.
    pub offset: usize,
    /// By its type, and for MESSAGE-INTEGRITY by its length.
    pub algorithm: Algorithm,
    /// Length of the value in bytes, as its header says.
    pub length: u16,
    /// The value is not wholly in the capture: nothing can be said.
    pub truncated: bool,
}

impl Protection {
    /// Whether the length of the value is one that its type allows. A value of another length fits no key.
    #[must_use]
    pub fn is_proper(&self) -> bool {
        match self.code {
            AttributeCode::MESSAGE_INTEGRITY => matches!(self.length, 20 | 32 | 48 | 64),
            AttributeCode::MESSAGE_INTEGRITY_SHA256 => {
                (16..=32).contains(&self.length) && self.length.is_multiple_of(4)
            }
            _ => self.length == 4,
        }
    }

    /// The value, if it is wholly there.
    #[must_use]
    pub fn value<'a>(&self, message: &Message<'a>) -> Option<&'a [u8]> {
        message.bytes().get(self.offset..)?.get(4..)?.get(..usize::from(self.length))
    }
}

/// The attributes that protect a message, in wire order. Of each type the first counts (RFC 8489 §14).
pub fn protections<'a>(message: &Message<'a>) -> impl Iterator<Item = Protection> + use<'a> {
    let cut = message.truncated();
    let mut seen = [false; 3];
    message.attributes().filter_map(move |attribute| {
        let [sha1, sha256, google] = &mut seen;
        let (seen, algorithm) = match attribute.code {
            AttributeCode::MESSAGE_INTEGRITY => (sha1, by_length(attribute.declared)),
            AttributeCode::MESSAGE_INTEGRITY_SHA256 => (sha256, Algorithm::Sha256),
            AttributeCode::GOOG_MESSAGE_INTEGRITY_32 => (google, Algorithm::Sha1),
            _ => return None,
        };
        (!std::mem::replace(seen, true)).then_some(Protection {
            code: attribute.code,
            offset: attribute.offset,
            algorithm,
            length: attribute.declared,
            truncated: cut && attribute.value.len() < usize::from(attribute.declared),
        })
    })
}

fn by_length(length: u16) -> Algorithm {
    match length {
        32 => Algorithm::Sha256,
        48 => Algorithm::Sha384,
        64 => Algorithm::Sha512,
        _ => Algorithm::Sha1,
    }
}

/// A key made ready for an algorithm: the hash states after the key's own blocks, which every message starts from. Wiped when it goes.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha1(Hmac<Sha1>),
    Sha256(Box<Hmac<Sha256>>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher(..)")
    }
}

impl Hasher {
    /// Makes a key ready. An HMAC takes keys of every length, so there is always a result in practice.
    #[must_use]
    pub fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        Some(Hasher(match algorithm {
            Algorithm::Sha1 => State::Sha1(Hmac::new_from_slice(key).ok()?),
            Algorithm::Sha256 => State::Sha256(Box::new(Hmac::new_from_slice(key).ok()?)),
            Algorithm::Sha384 => State::Sha384(Box::new(Hmac::new_from_slice(key).ok()?)),
            Algorithm::Sha512 => State::Sha512(Box::new(Hmac::new_from_slice(key).ok()?)),
        }))
    }

    /// What this key is ready for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Sha1(_) => Algorithm::Sha1,
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha384(_) => Algorithm::Sha384,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Whether this key made the value of `protection`, and by which rule.
    ///
    /// `None` too where the value is not wholly there, has a length that its type does not allow, or is of another algorithm.
    #[must_use]
    pub fn verify(&self, message: &Message<'_>, protection: &Protection) -> Option<Rule> {
        if protection.truncated || !protection.is_proper() {
            return None;
        }
        let text = Text::new(message, protection)?;
        match (&self.0, protection.algorithm) {
            (State::Sha1(mac), Algorithm::Sha1) => rule(mac, &text),
            (State::Sha256(mac), Algorithm::Sha256) => rule(mac.as_ref(), &text),
            (State::Sha384(mac), Algorithm::Sha384) => rule(mac.as_ref(), &text),
            (State::Sha512(mac), Algorithm::Sha512) => rule(mac.as_ref(), &text),
            _ => None,
        }
    }

    /// What this key makes of a message by a rule: the value that `protection` should have, as long as it is there.
    ///
    /// `None` where the value is not wholly there, has a length that its type does not allow, or is of another algorithm.
    #[must_use]
    pub fn value(&self, message: &Message<'_>, protection: &Protection, rule: Rule) -> Option<Vec<u8>> {
        if protection.truncated || !protection.is_proper() || self.algorithm() != protection.algorithm {
            return None;
        }
        let text = Text::new(message, protection)?;
        let mut value = match &self.0 {
            State::Sha1(mac) => made(mac, &text, rule),
            State::Sha256(mac) => made(mac.as_ref(), &text, rule),
            State::Sha384(mac) => made(mac.as_ref(), &text, rule),
            State::Sha512(mac) => made(mac.as_ref(), &text, rule),
        }?;
        value.truncate(text.value.len());
        Some(value)
    }
}

/// What goes under the HMAC, and what should come out.
struct Text<'a> {
    message_type: [u8; 2],
    /// The header's length as on the wire.
    full: [u8; 2],
    /// The length up to and with the attribute; `None` where it has no room in 16 bits.
    short: Option<[u8; 2]>,
    /// From the cookie to the attribute.
    rest: &'a [u8],
    value: &'a [u8],
    /// Four bytes of HMAC are a coincidence once in four thousand million: only the one rule in use there is tried.
    one_rule: bool,
}

impl<'a> Text<'a> {
    fn new(message: &Message<'a>, protection: &Protection) -> Option<Self> {
        let value = protection.value(message)?;
        let (before, _) = message.bytes().split_at_checked(protection.offset)?;
        let (&[t0, t1, l0, l1], rest) = before.split_first_chunk::<4>()?;
        let short = (protection.offset + 4).checked_sub(20)?.checked_add(value.len())?;
        Some(Text {
            message_type: [t0, t1],
            full: [l0, l1],
            short: u16::try_from(short).ok().map(u16::to_be_bytes),
            rest,
            value,
            one_rule: protection.code == AttributeCode::GOOG_MESSAGE_INTEGRITY_32,
        })
    }

    /// The HMAC with the header, which tells this length, and all up to the attribute under it.
    fn under<M: hmac::Mac + Clone>(&self, key: &M, [l0, l1]: [u8; 2]) -> M {
        let [t0, t1] = self.message_type;
        let mut mac = key.clone();
        mac.update(&[t0, t1, l0, l1]);
        mac.update(self.rest);
        mac
    }

    /// How many zeros a multiple of 64 bytes needs.
    fn zeros(&self) -> &'static [u8] {
        const ZEROS: [u8; 63] = [0; 63];
        let missing = (self.rest.len() + 4).wrapping_neg() % 64;
        ZEROS.get(..missing).unwrap_or(&ZEROS)
    }
}

fn made<M: hmac::Mac + Clone>(key: &M, text: &Text<'_>, rule: Rule) -> Option<Vec<u8>> {
    let mut mac = match rule {
        Rule::Rfc8489 | Rule::ZeroPadded => text.under(key, text.short?),
        Rule::FullLength | Rule::FullLengthZeroPadded => text.under(key, text.full),
    };
    if matches!(rule, Rule::ZeroPadded | Rule::FullLengthZeroPadded) {
        mac.update(text.zeros());
    }
    Some(mac.finalize().into_bytes().to_vec())
}

fn rule<M: hmac::Mac + Clone>(key: &M, text: &Text<'_>) -> Option<Rule> {
    let zeros = text.zeros();
    let padded = !text.one_rule && !zeros.is_empty();
    let with_zeros = |mut mac: M| {
        mac.update(zeros);
        mac
    };
    let fits = |mac: M| mac.verify_truncated_left(text.value).is_ok();

    if let Some(short) = text.short {
        let mac = text.under(key, short);
        if fits(mac.clone()) {
            return Some(Rule::Rfc8489);
        }
        if padded && fits(with_zeros(mac)) {
            return Some(Rule::ZeroPadded);
        }
    }
    if text.one_rule || text.short == Some(text.full) {
        return None;
    }
    let mac = text.under(key, text.full);
    if padded && fits(with_zeros(mac.clone())) {
        return Some(Rule::FullLengthZeroPadded);
    }
    fits(mac).then_some(Rule::FullLength)
}
