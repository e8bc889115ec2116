//! What is improper in a message. Unknown attributes are not, nor is what the capture cut off; a checksum that does not fit is told by
//! [`Message::fingerprint`] alone.

use super::attribute::{Attribute, AttributeCode as Code};
use super::header::{COOKIE, Class, Dialect, Method};
use super::registry;
use super::{ErrorCode, Message};
use crate::problem::{Layer, Problem};
use std::ops::ControlFlow;

const PAST_DATAGRAM: &str = "the message length runs past the datagram";
const PAST_MESSAGE: &str = "an attribute runs past the end of the message";
const LEFT_OVER: &str = "bytes after the last attribute, too few for another";
const NO_COOKIE: &str = "no magic cookie in a message of a form that needs it";

/// Whether a problem breaks the structure of a message, so that a receiver cannot read it: lengths that run past what holds them, bytes left
/// over, no cookie where there must be one. The others are about values, which private dialects fill in their own way.
#[must_use]
pub fn is_structural(problem: &Problem) -> bool {
    problem.layer == Layer::Stun && [PAST_DATAGRAM, PAST_MESSAGE, LEFT_OVER, NO_COOKIE].contains(&problem.what)
}

impl Message<'_> {
    /// Everything improper, in the order of the bytes as far as it goes. Allocates only if there is something.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let _ = self.check(&mut |problem| {
            problems.push(problem);
            ControlFlow::Continue(())
        });
        problems
    }

    /// Whether [`Message::problems`] would be empty, without allocation.
    #[must_use]
    pub fn is_proper(&self) -> bool {
        self.check(&mut |_| ControlFlow::Break(())).is_continue()
    }

    fn check(&self, each: &mut impl FnMut(Problem) -> ControlFlow<()>) -> ControlFlow<()> {
        self.check_header(each)?;
        let present = self.bytes().len();
        let mut walk = self.attributes();
        let mut seen = Seen::default();
        for attribute in walk.by_ref() {
            self.check_attribute(&attribute, each)?;
            self.check_order(&attribute, &mut seen, each)?;
        }
        if walk.offset() < present && !self.truncated() {
            let what = LEFT_OVER;
            each(problem(walk.offset(), 4, present - walk.offset(), what))?;
        }
        if self.class() == Class::Error && !seen.error_code && !self.truncated() && self.method() != Method::GOOG_PING {
            each(problem(20, 0, 0, "an error response without ERROR-CODE"))?;
        }
        if self.trailing() > 0 {
            each(problem(present, 0, self.trailing(), "bytes in the datagram after the end of the message"))?;
        }
        ControlFlow::Continue(())
    }

    fn check_header(&self, each: &mut impl FnMut(Problem) -> ControlFlow<()>) -> ControlFlow<()> {
        let declared = usize::from(self.declared_length());
        let present = self.bytes().len().saturating_sub(20);
        if present < declared && !self.truncated() {
            each(problem(2, declared, present, PAST_DATAGRAM))?;
        }
        if self.is_aligned() && !declared.is_multiple_of(4) {
            each(problem(2, declared.next_multiple_of(4), declared, "the message length is not a multiple of 4"))?;
        }
        if self.is_classic() && self.dialect() != Dialect::Microsoft && self.looks_modern() {
            let [a, b, c, d, ..] = self.transaction_id().header_bytes();
            let cookie = u32::from_be_bytes([a, b, c, d]);
            each(Problem { layer: Layer::Stun, offset: 4, needed: COOKIE, present: cookie, what: NO_COOKIE })?;
        }
        ControlFlow::Continue(())
    }

    /// Whether a message without the cookie has methods or attributes that came after it. Servers of RFC 3489 took over XOR-MAPPED-ADDRESS
    /// from its drafts, beside MAPPED-ADDRESS, and mask it with the transaction id.
    fn looks_modern(&self) -> bool {
        let mapped = self.attributes().any(|attribute| attribute.code == Code::MAPPED_ADDRESS);
        let later = |code: Code| {
            matches!(
                code,
                Code::FINGERPRINT
                    | Code::MESSAGE_INTEGRITY_SHA256
                    | Code::USERHASH
                    | Code::REQUESTED_TRANSPORT
                    | Code::PRIORITY
                    | Code::ICE_CONTROLLED
                    | Code::ICE_CONTROLLING
            )
        };
        self.method() >= Method::CREATE_PERMISSION && self.method() != Method::SET_ACTIVE_DESTINATION
            || self
                .attributes()
                .any(|Attribute { code, .. }| later(code) || code == Code::XOR_MAPPED_ADDRESS && !mapped)
    }

    fn check_attribute(
        &self,
        attribute: &Attribute<'_>,
        each: &mut impl FnMut(Problem) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let at = attribute.offset;
        let (value, length) = (attribute.value, attribute.value.len());
        if !attribute.is_whole() {
            if !self.truncated() {
                let what = PAST_MESSAGE;
                each(problem(at, usize::from(attribute.declared), length, what))?;
            }
            return ControlFlow::Continue(());
        }
        if attribute.is_malformed(self) {
            let needed = registry::attribute(attribute.code).map_or(0, |row| row.format.least());
            return each(problem(at, usize::from(needed), length, "the value does not fit the attribute's type"));
        }
        let swapped = self.dialect() != Dialect::Modern;
        match attribute.code {
            Code::USERNAME if length > 512 => each(problem(at, 512, length, "USERNAME is too long")),
            Code::REALM | Code::NONCE if swapped && length > 128 => {
                each(problem(at, 128, length, "realm or nonce is too long"))
            }
            Code::REALM | Code::NONCE | Code::SOFTWARE if characters(value) > 127 => {
                each(problem(at, 127, characters(value), "more characters than the attribute may have"))
            }
            Code::ALTERNATE_DOMAIN if length > 255 => each(problem(at, 255, length, "ALTERNATE-DOMAIN is too long")),
            Code::ERROR_CODE => self.check_error(at, value, each),
            _ if reserved_bits(attribute.code, value) => each(problem(at + 4, 0, 0, "reserved bits are set")),
            _ => ControlFlow::Continue(()),
        }
    }

    fn check_error(
        &self,
        at: usize,
        value: &[u8],
        each: &mut impl FnMut(Problem) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (Some(error), &[r0, r1, class, number, ..]) = (ErrorCode::read(value), value) else {
            return ControlFlow::Continue(());
        };
        if r0 | r1 | class & 0xf8 != 0 {
            each(problem(at + 4, 0, 0, "reserved bits are set"))?;
        }
        // RFC 3489 had classes 1 and 2 too, and Microsoft uses 2.
        if class & 0x07 == 0 || class & 0x07 == 7 || number > 99 {
            each(problem(at + 6, 0, usize::from(error.code), "an error code outside the range of codes"))?;
        }
        if characters(error.reason) > 127 {
            each(problem(at + 8, 127, characters(error.reason), "more characters than a reason phrase may have"))?;
        }
        ControlFlow::Continue(())
    }

    fn check_order(
        &self,
        attribute: &Attribute<'_>,
        seen: &mut Seen,
        each: &mut impl FnMut(Problem) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let at = attribute.offset;
        match attribute.code {
            _ if seen.fingerprint => each(problem(at, 0, 0, "an attribute after FINGERPRINT"))?,
            Code::FINGERPRINT => {}
            Code::MESSAGE_INTEGRITY_SHA256 if !seen.sha256 => {}
            _ if seen.sha1 || seen.sha256 => each(problem(at, 0, 0, "an attribute after the integrity attribute"))?,
            _ => {}
        }
        match attribute.code {
            Code::FINGERPRINT => seen.fingerprint = true,
            Code::MESSAGE_INTEGRITY => seen.sha1 = true,
            Code::MESSAGE_INTEGRITY_SHA256 => seen.sha256 = true,
            Code::ERROR_CODE => seen.error_code = true,
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// What came before.
#[derive(Default)]
struct Seen {
    sha1: bool,
    sha256: bool,
    error_code: bool,
    fingerprint: bool,
}

fn problem(offset: usize, needed: usize, present: usize, what: &'static str) -> Problem {
    Problem::new(Layer::Stun, offset, needed, present, what)
}

/// How many bytes a text of an attribute may have at most (RFC 8489 §14).
pub const LONGEST_TEXT: usize = 763;

/// Limits count characters; a value in which they cannot be counted is measured by what they may take at most.
fn characters(value: &[u8]) -> usize {
    if value.len() <= 127 {
        return value.len();
    }
    match std::str::from_utf8(value) {
        Ok(text) => text.chars().count(),
        Err(_) => value.len().saturating_sub(LONGEST_TEXT - 127),
    }
}

/// Whether bits are set that the attribute's document wants to be zero.
fn reserved_bits(code: Code, value: &[u8]) -> bool {
    match (code, value) {
        (Code::CHANNEL_NUMBER, [_, _, a, b]) => a | b != 0,
        (
            Code::REQUESTED_TRANSPORT | Code::REQUESTED_ADDRESS_FAMILY | Code::ADDITIONAL_ADDRESS_FAMILY,
            [_, a, b, c],
        ) => a | b | c != 0,
        (Code::EVEN_PORT, [flags]) => flags & 0x7f != 0,
        (Code::CHANGE_REQUEST, [a, b, c, flags]) => a | b | c | flags & !6 != 0,
        (Code::RESPONSE_PORT, [_, _, a, b]) => a | b != 0,
        (Code::ICMP, [a, b, ..]) => a | b != 0,
        (Code::ECN_CHECK, [a, b, c, flags]) => a | b | c | flags & !7 != 0,
        (Code::ADDRESS_ERROR_CODE, [_, a, class, _, ..]) => a | class & 0xf8 != 0,
        _ => false,
    }
}
