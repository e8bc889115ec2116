//! Fields one after the other, with the place of the first that is not there.

use super::Protocol;
use crate::problem::Problem;

/// Reads fields from the front of a message. Copies are cheap, so that a part can be looked at twice.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
    protocol: Protocol,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes` that begin at `offset` of the message.
    pub(super) fn new(bytes: &'a [u8], offset: usize, protocol: Protocol) -> Self {
        Reader { rest: bytes, offset, protocol }
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// A problem at the next field.
    pub(super) fn problem(&self, needed: usize, present: usize, what: &'static str) -> Problem {
        Problem::new(self.protocol.layer(), self.offset, needed, present, what)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Problem> {
        let Some((field, rest)) = self.rest.split_first_chunk::<N>() else { return Err(self.short(N)) };
        self.rest = rest;
        self.offset += N;
        Ok(field)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Problem> {
        let Some((field, rest)) = self.rest.split_at_checked(length) else { return Err(self.short(length)) };
        self.rest = rest;
        self.offset += length;
        Ok(field)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Problem> {
        self.array().map(|&[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Problem> {
        self.array().map(|&bytes| u16::from_be_bytes(bytes))
    }

    pub(super) fn u24(&mut self) -> Result<usize, Problem> {
        self.array().map(|&[a, b, c]| usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Problem> {
        self.array().map(|&bytes| u32::from_be_bytes(bytes))
    }

    /// Bytes after a length of one byte.
    pub(super) fn vec8(&mut self) -> Result<&'a [u8], Problem> {
        let length = self.u8()?;
        self.bytes(length.into())
    }

    /// Bytes after a length of two bytes.
    pub(super) fn vec16(&mut self) -> Result<&'a [u8], Problem> {
        let length = self.u16()?;
        self.bytes(length.into())
    }

    /// Bytes after a length of three bytes.
    pub(super) fn vec24(&mut self) -> Result<&'a [u8], Problem> {
        let length = self.u24()?;
        self.bytes(length)
    }

    /// 16-bit numbers after a length of two bytes.
    pub(super) fn numbers16(&mut self) -> Result<&'a [[u8; 2]], Problem> {
        let at = *self;
        let list = self.vec16()?;
        at.pairs(list)
    }

    /// 16-bit numbers after a length of one byte.
    pub(super) fn numbers8(&mut self) -> Result<&'a [[u8; 2]], Problem> {
        let at = *self;
        let list = self.vec8()?;
        at.pairs(list)
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), Problem> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.problem(0, self.rest.len(), "bytes after the last field")) }
    }

    fn pairs(&self, list: &'a [u8]) -> Result<&'a [[u8; 2]], Problem> {
        match list.as_chunks::<2>() {
            (pairs, []) => Ok(pairs),
            _ => Err(self.problem(list.len() + 1, list.len(), "a list of 16-bit numbers has an odd length")),
        }
    }

    fn short(&self, needed: usize) -> Problem {
        self.problem(needed, self.rest.len(), "a field runs past the end of the message")
    }
}
