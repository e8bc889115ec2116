//! Fragments of handshake messages (RFC 6347 §4.2.2, RFC 9147 §5.2).

use crate::problem::{Layer, Problem};
use crate::wire::handshake::{HELLO_RETRY_RANDOM, HandshakeType};
use std::fmt;
use std::ops::Range;

/// Bytes of the header.
const HEADER: usize = 12;

/// A fragment of a handshake message, or the whole of one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The type of the message.
    pub kind: HandshakeType,
    /// The number of the message in its direction; a retransmission keeps it.
    pub sequence: u16,
    /// Bytes of the whole message's body.
    pub length: u32,
    /// Where in the body the fragment begins.
    pub offset: u32,
    /// The length that the header gives to the fragment.
    pub declared: u32,
    /// What is there of it.
    pub data: &'a [u8],
    /// Whether `data` is shorter because the capture kept no more.
    pub truncated: bool,
    /// Bytes from the start of the datagram to its header.
    pub at: usize,
}

impl Fragment<'_> {
    /// Whether it is a message by itself.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.offset == 0 && self.declared == self.length && !self.truncated && self.problem().is_none()
    }

    /// The bytes of the body that the header says are in it.
    #[must_use]
    pub fn range(&self) -> Range<u32> {
        self.offset..self.offset.saturating_add(self.declared)
    }

    /// What the message is called. A ServerHello whose random is in the fragment and says so is a HelloRetryRequest.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        let retry = || self.offset == 0 && self.data.get(2..34) == Some(&HELLO_RETRY_RANDOM);
        if self.kind == HandshakeType::SERVER_HELLO && retry() { Some("HelloRetryRequest") } else { self.kind.name() }
    }

    /// What is improper in it; the offset counts from the start of the datagram.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        let present = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        let (at, needed, present, what) = if self.range().end > self.length {
            (6, self.range().end, self.length, "a handshake fragment reaches past the end of its message")
        } else if present < self.declared && !self.truncated {
            (9, self.declared, present, "a handshake fragment runs past its record")
        } else {
            return None;
        };
        Some(Problem::new(Layer::Dtls, self.at + at, needed as usize, present as usize, what))
    }
}

impl fmt::Debug for Fragment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fragment { kind, sequence, length, data, .. } = self;
        write!(f, "Fragment({kind} {sequence}, {:?} of {length}, {} bytes there)", self.range(), data.len())
    }
}

/// Iterator over the fragments of a record.
#[derive(Clone, Copy)]
pub struct Fragments<'a> {
    rest: &'a [u8],
    at: usize,
    truncated: bool,
}

impl<'a> Fragments<'a> {
    /// The fragments in the contents of a record, which begin at byte `at` of the datagram.
    pub(super) fn new(payload: &'a [u8], at: usize, truncated: bool) -> Self {
        Fragments { rest: payload, at, truncated }
    }

    /// What is improper at the point where the iteration has come to its end: bytes too few for a header.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        let (present, what) = (self.rest.len(), "too few bytes for the header of a handshake message");
        let short = (1..HEADER).contains(&present) && !self.truncated;
        short.then(|| Problem::new(Layer::Dtls, self.at, HEADER, present, what))
    }
}

impl<'a> Iterator for Fragments<'a> {
    type Item = Fragment<'a>;

    fn next(&mut self) -> Option<Fragment<'a>> {
        let (&[kind, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2], after) = self.rest.split_first_chunk::<HEADER>()?;
        let declared = u32::from_be_bytes([0, f0, f1, f2]);
        let there = after.len().min(usize::try_from(declared).unwrap_or(usize::MAX));
        let (data, rest) = after.split_at_checked(there)?;
        let fragment = Fragment {
            kind: HandshakeType(kind),
            sequence: u16::from_be_bytes([s0, s1]),
            length: u32::from_be_bytes([0, l0, l1, l2]),
            offset: u32::from_be_bytes([0, o0, o1, o2]),
            declared,
            data,
            truncated: self.truncated && data.len() < declared as usize,
            at: self.at,
        };
        self.at += HEADER + there;
        self.rest = rest;
        Some(fragment)
    }
}
