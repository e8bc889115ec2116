//! Handshake messages of one direction: several in a record, or one over several.

use crate::wire::handshake::HandshakeType;
use std::fmt;

/// Bytes of the header of a message: type, length.
const HEADER: usize = 4;

/// Puts the handshake messages of one direction together, in order and bounded.
#[derive(Clone, Default)]
pub struct Assembler {
    /// What is there of a message that is not complete, with its header.
    pending: Vec<u8>,
    /// In how many records it came so far.
    records: u32,
    /// Whether nothing more can be made of what comes: bytes are missing, or a message was too long.
    lost: bool,
}

/// A message that is complete.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Assembled<'a> {
    /// Its type.
    pub kind: HandshakeType,
    /// Its body.
    pub body: &'a [u8],
    /// In how many records it came.
    pub records: u32,
}

impl Assembler {
    /// The longest message that is put together; the longest certificate chains in use are a tenth of it.
    pub const MAX_MESSAGE: usize = 65_536;

    /// Takes the contents of the next handshake record; `each` gets the messages that it completes.
    pub fn push(&mut self, contents: &[u8], each: &mut impl FnMut(Assembled<'_>)) {
        let mut rest = contents;
        while !rest.is_empty() && !self.lost {
            rest = if self.pending.is_empty() { self.step(rest, each) } else { self.complete(rest, each) };
        }
        self.records += u32::from(!self.pending.is_empty());
    }

    /// Bytes of the stream are missing: of what comes nobody can tell where messages begin.
    pub fn lose(&mut self) {
        self.pending = Vec::new();
        self.lost = true;
    }

    /// Whether messages cannot be told from each other any more.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// A new handshake begins: what was lost before does not matter.
    pub fn restart(&mut self) {
        *self = Assembler::default();
    }

    /// Bytes of memory that wait.
    #[must_use]
    pub fn held(&self) -> usize {
        self.pending.capacity()
    }

    /// Whether a message has begun that is not complete: its type, how many bytes its body has, and how many of them are there.
    #[must_use]
    pub fn incomplete(&self) -> Option<(HandshakeType, usize, usize)> {
        let (kind, length) = head(&self.pending)?;
        Some((kind, length, self.pending.len().saturating_sub(HEADER)))
    }

    fn step<'r>(&mut self, rest: &'r [u8], each: &mut impl FnMut(Assembled<'_>)) -> &'r [u8] {
        let Some((kind, length)) = head(rest) else {
            self.pending.extend_from_slice(rest);
            return &[];
        };
        if length > Assembler::MAX_MESSAGE {
            self.lose();
            return &[];
        }
        match rest.split_at_checked(HEADER + length) {
            Some((message, after)) => {
                let body = message.get(HEADER..).unwrap_or_default();
                each(Assembled { kind, body, records: std::mem::take(&mut self.records) + 1 });
                after
            }
            None => {
                self.pending.extend_from_slice(rest);
                &[]
            }
        }
    }

    fn complete<'r>(&mut self, rest: &'r [u8], each: &mut impl FnMut(Assembled<'_>)) -> &'r [u8] {
        let wanted = match head(&self.pending) {
            Some((_, length)) if length > Assembler::MAX_MESSAGE => {
                self.lose();
                return &[];
            }
            Some((_, length)) => HEADER + length,
            None => HEADER,
        };
        let (taken, after) = rest.split_at_checked(wanted.saturating_sub(self.pending.len())).unwrap_or((rest, &[]));
        self.pending.extend_from_slice(taken);
        if self.pending.len() >= wanted
            && let Some((kind, length)) = head(&self.pending)
            && self.pending.len() >= HEADER + length
        {
            let message = std::mem::take(&mut self.pending);
            let body = message.get(HEADER..).unwrap_or_default();
            each(Assembled { kind, body, records: std::mem::take(&mut self.records) + 1 });
        }
        after
    }
}

impl fmt::Debug for Assembler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Assembler({} bytes wait{})", self.pending.len(), if self.lost { ", lost" } else { "" })
    }
}

impl fmt::Debug for Assembled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Assembled({}, {} bytes, {} records)", self.kind, self.body.len(), self.records)
    }
}

fn head(bytes: &[u8]) -> Option<(HandshakeType, usize)> {
    let (&[kind, l0, l1, l2], _) = bytes.split_first_chunk::<HEADER>()?;
    Some((HandshakeType(kind), usize::from(l0) << 16 | usize::from(l1) << 8 | usize::from(l2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(records: &[&[u8]]) -> Vec<(u8, Vec<u8>, u32)> {
        let (mut assembler, mut found) = (Assembler::default(), Vec::new());
        for record in records {
            assembler.push(record, &mut |message| found.push((message.kind.0, message.body.to_vec(), message.records)));
        }
        found
    }

    #[test]
    fn messages_come_out_whole_however_records_cut_them() {
        let stream = [2, 0, 0, 3, 1, 2, 3, 14, 0, 0, 0, 11, 0, 0, 5, 1, 2, 3, 4, 5];
        let whole = vec![(2, vec![1, 2, 3], 1), (14, vec![], 1), (11, vec![1, 2, 3, 4, 5], 1)];
        assert_eq!(messages(&[&stream]), whole);
        for at in 1..stream.len() {
            let found = messages(&[&stream[..at], &stream[at..]]);
            let without: Vec<_> = found.iter().map(|(kind, body, _)| (*kind, body.clone())).collect();
            let expected: Vec<_> = whole.iter().map(|(kind, body, _)| (*kind, body.clone())).collect();
            assert_eq!(without, expected, "cut at {at}");
        }
        let bytewise: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(messages(&bytewise).iter().map(|found| found.2).collect::<Vec<_>>(), [7, 4, 9]);
    }

    #[test]
    fn a_message_that_is_too_long_is_given_up_and_nothing_is_guessed_after_it() {
        let mut assembler = Assembler::default();
        assembler.push(&[11, 0xff, 0, 0, 1, 2], &mut |_| panic!("no message"));
        assembler.push(&[14, 0, 0, 0], &mut |_| panic!("nobody knows where it begins"));
        assert_eq!((assembler.held(), assembler.incomplete()), (0, None));
        assembler.restart();
        let mut found = 0;
        assembler.push(&[14, 0, 0, 0], &mut |_| found += 1);
        assert_eq!(found, 1);
    }
}
