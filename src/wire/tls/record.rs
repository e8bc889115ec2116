//! One record, and whether bytes are one.

use crate::problem::{Layer, Problem};
use crate::wire::handshake::{ContentType, Version};
use std::fmt;

/// Bytes of the header: type, version, length.
pub const HEADER: usize = 5;
/// The longest plaintext, and the most that protection may add to it (RFC 5246 §6.2.3).
pub const MAX_LENGTH: usize = (1 << 14) + 2048;

/// A record, borrowed from its stream (RFC 5246 §6.2.1, RFC 8446 §5.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it holds, as far as the header tells: in TLS 1.3 all that is protected says application data.
    pub content_type: ContentType,
    /// The version in the header. That of a first ClientHello says little, and TLS 1.3 writes TLS 1.2.
    pub version: Version,
    /// The length that the header gives.
    pub length: usize,
    /// The header as it stands, which the protection of TLS 1.3 covers.
    pub header: &'a [u8; HEADER],
    /// What is there of the contents.
    pub payload: &'a [u8],
    /// Whether `payload` is shorter than `length` because the capture lacks the rest.
    pub truncated: bool,
}

impl<'a> Record<'a> {
    /// Reads the record at the start of `bytes`; `None` where there is no header of one. `truncated` says that bytes are missing at the end.
    #[must_use]
    pub fn parse(bytes: &'a [u8], truncated: bool) -> Option<Record<'a>> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        if !is_record(bytes) {
            return None;
        }
        let &[kind, v0, v1, l0, l1] = header;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let payload = rest.get(..length).unwrap_or(rest);
        let (content_type, version) = (ContentType(kind), Version(u16::from_be_bytes([v0, v1])));
        Some(Record { content_type, version, length, header, payload, truncated: truncated && payload.len() < length })
    }

    /// The first thing that is improper; offsets count from the start of the record. `plain` says that the contents are in the clear.
    #[must_use]
    pub fn problem(&self, plain: bool) -> Option<Problem> {
        let fault = |offset: usize, needed: usize, present: usize, what: &'static str| {
            Some(Problem::new(Layer::Tls, offset, needed, present, what))
        };
        if self.length > MAX_LENGTH {
            return fault(3, MAX_LENGTH, self.length, "the record is longer than any may be");
        }
        if self.payload.len() < self.length && !self.truncated {
            return fault(3, self.length, self.payload.len(), "the record length runs past the end of the stream");
        }
        match self.content_type {
            ContentType::CHANGE_CIPHER_SPEC if self.length != 1 => {
                fault(3, 1, self.length, "a ChangeCipherSpec is not of one byte")
            }
            ContentType::ALERT if plain && self.length != 2 => fault(3, 2, self.length, "an alert is not of two bytes"),
            ContentType::HANDSHAKE if self.length == 0 => fault(3, 1, 0, "a handshake record is empty"),
            _ => None,
        }
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { content_type, version, length, payload, .. } = self;
        write!(f, "Record({version} {content_type}, {} of {length} bytes)", payload.len())
    }
}

/// Whether bytes begin with the header of a record: a content type, a version of SSL 3.0 to TLS 1.3, a length that may be.
#[must_use]
#[inline]
pub fn is_record(bytes: &[u8]) -> bool {
    match bytes {
        [20..=24, 3, 0..=4, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])) <= MAX_LENGTH,
        _ => false,
    }
}

/// Whether bytes begin with a record that begins with a ClientHello or a ServerHello in the clear. Looks at no more than seven bytes, and at fewer
/// where there are not as many.
#[must_use]
#[inline]
pub fn is_hello(bytes: &[u8]) -> bool {
    // no hello is shorter than its header and the fields that every one has, or as long as 64 KiB
    matches!(bytes, [22, 3, 0..=4, high, low, 1 | 2, rest @ ..]
        if (4..=MAX_LENGTH).contains(&usize::from(u16::from_be_bytes([*high, *low]))) && rest.first().is_none_or(|&long| long == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_far_as_it_is_there() {
        let bytes = [21, 3, 3, 0, 2, 2, 40, 22, 3];
        let record = Record::parse(&bytes, false).unwrap();
        assert_eq!((record.payload, record.truncated, record.problem(true)), (&[2, 40][..], false, None));
        let cut = Record::parse(&bytes[..6], true).unwrap();
        assert!(cut.truncated && cut.problem(true).is_none());
        let lies = Record::parse(&bytes[..6], false).unwrap().problem(true).unwrap();
        assert_eq!((lies.layer, lies.offset, lies.needed, lies.present), (Layer::Tls, 3, 2, 1));
    }

    #[test]
    fn what_is_no_record_is_not_taken_for_one() {
        for bytes in [&[22, 3][..], &[22, 3, 5, 0, 1], &[19, 3, 1, 0, 1], &[22, 3, 1, 0xff, 0xff], b"GET / HTTP/1.1"] {
            assert!(Record::parse(bytes, false).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn hellos_are_known_by_their_first_bytes() {
        assert!(is_hello(&[22, 3, 1, 2, 0, 1, 0, 1, 252]) && is_hello(&[22, 3, 3, 0, 90, 2, 0]));
        assert!(!is_hello(&[22, 3, 3, 0, 90, 11, 0]), "a certificate begins no connection");
        assert!(!is_hello(&[22, 3, 1, 2, 0, 1, 9]), "a hello of half a megabyte");
    }
}
