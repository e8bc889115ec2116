//! Handshake messages put together from fragments: over records and datagrams, out of order, overlapping, repeated.

use super::fragment::Fragment;
use crate::time::{Span, Timestamp};
use crate::wire::handshake::HandshakeType;
use std::fmt;
use std::ops::Range;

/// How much one direction of an association may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Messages, complete or not.
    pub messages: usize,
    /// Bytes of one message's body; the longest certificate chains in use are a tenth of the default.
    pub message_bytes: u32,
    /// Bytes of all bodies.
    pub bytes: usize,
    /// Disjoint parts of one message.
    pub parts: usize,
    /// An incomplete message to which nothing came for this long is given up.
    pub age: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { messages: 64, message_bytes: 65_536, bytes: 131_072, parts: 256, age: Span::from_secs(120) }
    }
}

/// How a fragment came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Number of the frame.
    pub frame: u64,
    /// When.
    pub time: Timestamp,
    /// Epoch and sequence of the record: [`Record::number`](super::Record::number).
    pub record: Option<u64>,
    /// Bytes of the datagram.
    pub datagram: u32,
}

/// What became of a fragment.
#[derive(Clone, Copy, Debug)]
pub enum Pushed<'r> {
    /// It completes its message.
    Complete(&'r Reassembled),
    /// It brings something new, and more is missing.
    Progress(&'r Reassembled),
    /// All of it was known: its sender sent it again, in a record of its own.
    Repeated(&'r Reassembled),
    /// The same record was seen before: the network or the capture doubled it.
    Copied(&'r Reassembled),
    /// It was not taken.
    Dropped(Dropped),
}

/// Why a fragment was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dropped {
    /// It does not fit into its own message or record.
    Improper,
    /// Its message is longer than [`Limits::message_bytes`].
    TooLong,
    /// Its message already lies in too many parts.
    TooScattered,
}

/// Puts the messages of one direction of an association together.
///
/// Messages are told apart by number, type and length, so that a damaged fragment, or a new association on the same addresses, starts another
/// message with the same number instead of spoiling one.
#[derive(Debug, Default)]
pub struct Reassembler {
    limits: Limits,
    messages: Vec<Reassembled>,
    bytes: usize,
    unkept: u64,
}

impl Reassembler {
    /// An empty one.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Reassembler { limits, ..Reassembler::default() }
    }

    /// Takes a fragment.
    pub fn push(&mut self, fragment: &Fragment<'_>, arrival: Arrival) -> Pushed<'_> {
        self.give_up(arrival.time);
        if let Err(why) = self.check(fragment) {
            self.unkept += u64::from(why != Dropped::Improper);
            return Pushed::Dropped(why);
        }
        let index = self.find_or_add(fragment, arrival);
        let index = self.make_room(index, fragment);
        let Some(message) = self.messages.get_mut(index) else { return Pushed::Dropped(Dropped::TooLong) };
        let before = message.body.len();
        let outcome = message.add(fragment, arrival, self.limits.parts);
        self.bytes += message.body.len() - before;
        match outcome {
            Ok(Outcome::New) if message.is_complete() => Pushed::Complete(message),
            Ok(Outcome::New) => Pushed::Progress(message),
            Ok(Outcome::Repeated) => Pushed::Repeated(message),
            Ok(Outcome::Copied) => Pushed::Copied(message),
            Err(why) => {
                self.unkept += 1;
                Pushed::Dropped(why)
            }
        }
    }

    /// The messages, complete or not, by their numbers.
    pub fn messages(&self) -> impl ExactSizeIterator<Item = &Reassembled> {
        self.messages.iter()
    }

    /// Bytes of all bodies that are kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many fragments were not kept, or only for a time: of messages that are too long or too scattered, or that were given up before they were complete.
    #[must_use]
    pub fn unkept(&self) -> u64 {
        self.unkept
    }

    fn check(&self, fragment: &Fragment<'_>) -> Result<(), Dropped> {
        let idle = fragment.declared == 0 && fragment.length > 0;
        if fragment.problem().is_some() || idle {
            return Err(Dropped::Improper);
        }
        if fragment.length > self.limits.message_bytes || fragment.length as usize > self.limits.bytes {
            return Err(Dropped::TooLong);
        }
        Ok(())
    }

    fn give_up(&mut self, now: Timestamp) {
        let age = self.limits.age;
        let (bytes, unkept) = (&mut self.bytes, &mut self.unkept);
        self.messages.retain(|message| {
            let keep = message.is_complete() || now.since(message.last.time) <= age;
            if !keep {
                *bytes -= message.body.len();
                *unkept += u64::from(message.fragments);
            }
            keep
        });
    }

    fn find_or_add(&mut self, fragment: &Fragment<'_>, arrival: Arrival) -> usize {
        let key = (fragment.sequence, fragment.kind, fragment.length);
        match self.messages.binary_search_by_key(&key, Reassembled::key) {
            Ok(index) => index,
            Err(_) => {
                if self.messages.len() >= self.limits.messages {
                    self.evict(None);
                }
                let index = self.messages.partition_point(|message| message.key() < key);
                self.messages.insert(index, Reassembled::new(fragment, arrival));
                index
            }
        }
    }

    /// Gives up other messages until the fragment has room; gives the place of its own message, which may have moved.
    fn make_room(&mut self, mut index: usize, fragment: &Fragment<'_>) -> usize {
        let end = fragment.offset as usize + fragment.data.len();
        let has = self.messages.get(index).map_or(0, |message| message.body.len());
        while self.bytes + end.saturating_sub(has) > self.limits.bytes {
            let Some(gone) = self.evict(Some(index)) else { break };
            if gone < index {
                index -= 1;
            }
        }
        index
    }

    /// Gives up a message other than `spare`: an incomplete one if there is any, the one that nothing came to for longest.
    fn evict(&mut self, spare: Option<usize>) -> Option<usize> {
        let others = self.messages.iter().enumerate().filter(|(index, _)| Some(*index) != spare);
        let (index, _) =
            others.min_by_key(|(_, message)| (message.is_complete(), message.last.time, message.last.frame))?;
        let gone = self.messages.remove(index);
        self.bytes -= gone.body.len();
        self.unkept += if gone.is_complete() { 0 } else { u64::from(gone.fragments) };
        Some(index)
    }
}

/// A message as far as its fragments came.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reassembled {
    /// Its type.
    pub kind: HandshakeType,
    /// Its number in its direction.
    pub sequence: u16,
    /// Bytes of its body.
    pub length: u32,
    /// How its first fragment came.
    pub first: Arrival,
    /// How the last fragment came, repeated ones included.
    pub last: Arrival,
    /// How the fragment came that completed it.
    pub completed: Option<Arrival>,
    /// How the first fragment came whose bytes differ from those of another for the same place; the first to come are kept.
    pub conflict: Option<Arrival>,
    /// Fragments that brought something new.
    pub fragments: u32,
    /// Fragments that were sent again.
    pub repeated: u32,
    /// Fragments that the network or the capture doubled.
    pub copied: u32,
    /// Bytes of the largest datagram that brought a part of it.
    pub largest_datagram: u32,
    /// Whether a part is missing because the capture cut a datagram, not because it did not come.
    pub truncated: bool,
    /// As far as the highest byte that came; zeros in the gaps.
    body: Vec<u8>,
    /// What came: in order, disjoint, with gaps between.
    parts: Vec<Range<u32>>,
    /// The records of the latest fragments.
    records: [Option<u64>; RECENT],
    next_record: usize,
}

/// How many records are remembered to tell a doubled one from one sent again.
const RECENT: usize = 16;

enum Outcome {
    New,
    Repeated,
    Copied,
}

impl Reassembled {
    fn new(fragment: &Fragment<'_>, arrival: Arrival) -> Self {
        Reassembled {
            kind: fragment.kind,
            sequence: fragment.sequence,
            length: fragment.length,
            first: arrival,
            last: arrival,
            ..Reassembled::default()
        }
    }

    fn key(&self) -> (u16, HandshakeType, u32) {
        (self.sequence, self.kind, self.length)
    }

    /// Whether all of it came.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.body.len() == self.length as usize && self.missing().next().is_none()
    }

    /// The body, where all of it came.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.is_complete().then_some(&self.body)
    }

    /// The parts of the body that did not come, in order.
    pub fn missing(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        let starts = std::iter::once(0).chain(self.parts.iter().map(|part| part.end));
        let ends = self.parts.iter().map(|part| part.start).chain(std::iter::once(self.length));
        starts.zip(ends).filter(|(start, end)| start < end).map(|(start, end)| start..end)
    }

    fn add(&mut self, fragment: &Fragment<'_>, arrival: Arrival, max_parts: usize) -> Result<Outcome, Dropped> {
        let start = fragment.offset;
        let end = start.saturating_add(u32::try_from(fragment.data.len()).unwrap_or(u32::MAX));
        let known = self.fragments > 0 && self.covers(start, end);
        let touches = |part: &Range<u32>| part.start <= end && start <= part.end;
        if !known && self.parts.len() >= max_parts && !self.parts.iter().any(touches) {
            return Err(Dropped::TooScattered);
        }
        self.last = arrival;
        self.largest_datagram = self.largest_datagram.max(arrival.datagram);
        self.truncated |= fragment.truncated;
        let doubled = arrival.record.is_some() && self.records.contains(&arrival.record);
        self.remember(arrival.record);
        if self.differs(start, fragment.data) {
            self.conflict.get_or_insert(arrival);
        }
        if known {
            let (count, outcome) =
                if doubled { (&mut self.copied, Outcome::Copied) } else { (&mut self.repeated, Outcome::Repeated) };
            *count = count.saturating_add(1);
            return Ok(outcome);
        }
        self.fragments = self.fragments.saturating_add(1);
        self.fill(start, end, fragment.data);
        if self.is_complete() {
            self.completed = Some(arrival);
        }
        Ok(Outcome::New)
    }

    fn covers(&self, start: u32, end: u32) -> bool {
        start == end || self.parts.iter().any(|part| part.start <= start && end <= part.end)
    }

    fn remember(&mut self, record: Option<u64>) {
        if record.is_none() || self.records.contains(&record) {
            return;
        }
        if let Some(slot) = self.records.get_mut(self.next_record) {
            *slot = record;
        }
        self.next_record = (self.next_record + 1) % RECENT;
    }

    /// Whether bytes that came before differ from those of a fragment at `start`.
    fn differs(&self, start: u32, data: &[u8]) -> bool {
        let end = start.saturating_add(u32::try_from(data.len()).unwrap_or(u32::MAX));
        self.parts.iter().any(|part| {
            let (from, to) = (part.start.max(start), part.end.min(end));
            let ours = self.body.get(from as usize..to as usize);
            from < to && ours != data.get((from - start) as usize..(to - start) as usize)
        })
    }

    /// Writes the bytes of a fragment into the gaps between the parts, and makes one part of those that it joins.
    fn fill(&mut self, start: u32, end: u32, data: &[u8]) {
        if self.body.len() < end as usize {
            self.body.resize(end as usize, 0);
        }
        let gaps: Vec<Range<u32>> = self.missing().collect();
        for gap in gaps {
            let (from, to) = (gap.start.max(start), gap.end.min(end));
            if from >= to {
                continue;
            }
            let source = data.get((from - start) as usize..(to - start) as usize);
            if let (Some(slot), Some(source)) = (self.body.get_mut(from as usize..to as usize), source) {
                slot.copy_from_slice(source);
            }
        }
        let mut joined = start..end;
        self.parts.retain(|part| {
            let apart = part.end < joined.start || joined.end < part.start;
            if !apart {
                joined = joined.start.min(part.start)..joined.end.max(part.end);
            }
            apart
        });
        if !joined.is_empty() {
            let index = self.parts.partition_point(|part| part.start < joined.start);
            self.parts.insert(index, joined);
        }
    }
}

impl fmt::Debug for Reassembled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing: Vec<_> = self.missing().take(4).collect();
        write!(f, "Reassembled({} {}, {} bytes, missing {missing:?})", self.kind, self.sequence, self.length)
    }
}
