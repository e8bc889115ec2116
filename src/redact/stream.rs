//! TCP streams: put together in the first pass, where each message is rewritten and kept by its place in the stream; in the second every segment gets
//! what stands at its place, and zeros elsewhere. Retransmissions, overlaps and messages over several segments come right by themselves.

use super::bytes::{at, put, word};
use super::payload::Room;
use super::tls::Inside;
use super::{Counts, Flow, Redactor};
use std::collections::{BTreeMap, HashMap};

/// Directions of connections, in both passes.
const DIRECTIONS: usize = 1 << 16;
/// Bytes of rewritten messages, and of what is said of them, over all streams.
const KEPT: usize = 128 << 20;
/// Bytes of what is incomplete, over all streams; then a stream lets go of what it has.
const PENDING: usize = 128 << 20;
/// What a segment that waits, a rewritten message or a comment takes beside its bytes.
const ENTRY: usize = 96;
/// Bytes that wait for what is missing before them; then it is taken for lost.
const WAITING: usize = 1 << 18;
/// Bytes of handshake messages that are not complete.
pub(super) const HANDSHAKE: usize = 1 << 17;

/// Connections after each other between the same two ports.
const CONNECTIONS: usize = 1024;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

const SYN: u8 = 2;

#[derive(Default)]
pub(super) struct Streams {
    directions: HashMap<Flow, Vec<Direction>>,
    /// How many directions there are.
    count: usize,
    kept: usize,
    /// Bytes of what is incomplete.
    pending: usize,
    pub(super) counts: Counts,
}

/// One direction of one connection.
#[derive(Default)]
pub(super) struct Direction {
    /// Sequence number of the first byte.
    base: u32,
    /// Where the last segment was.
    last: u64,
    /// What stands where, none over another; zeros elsewhere.
    edits: BTreeMap<u64, Box<[u8]>>,
    /// What is said of the segment that has this byte.
    pub(super) comments: BTreeMap<u64, Vec<String>>,
    pub(super) reader: Reader,
    /// Whether a ClientHello was read in it.
    pub(super) greeted: bool,
    /// What keys open of it.
    pub(super) inside: Option<Box<Inside>>,
}

/// How a stream is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Unknown,
    /// STUN and ChannelData (RFC 8656 §12.5).
    Turn,
    Tls,
    /// Lengths of two bytes (RFC 4571), and so DNS.
    Framed,
}

#[derive(Default)]
pub(super) struct Reader {
    mode: Mode,
    /// What is contiguous and not yet read, and where it begins.
    pub(super) buffer: Vec<u8>,
    pub(super) start: u64,
    /// Up to here nothing is of interest.
    pub(super) skip: u64,
    waiting: BTreeMap<u64, Vec<u8>>,
    /// What those that wait take.
    held: usize,
    /// Bytes of padding that should stand here; not everybody pads.
    padding: usize,
    /// Whether records are encrypted.
    pub(super) encrypted: bool,
    /// Handshake messages, with the place of each byte.
    pub(super) handshake: Vec<(u64, u8)>,
}

impl Direction {
    /// The place of a sequence number, near the last one.
    fn place(&self, seq: u32) -> Option<u64> {
        let last = self.base.wrapping_add((self.last & 0xffff_ffff) as u32);
        self.last.checked_add_signed(i64::from(seq.wrapping_sub(last).cast_signed()))
    }

    /// What takes memory until more comes.
    pub(super) fn pending(&self) -> usize {
        let inside = self.inside.iter().map(|inside| inside.pending()).sum::<usize>();
        let handshake = self.reader.handshake.capacity() * size_of::<(u64, u8)>();
        self.reader.held + self.reader.buffer.capacity() + handshake + inside
    }

    /// Puts what stands from a place on over zeros.
    pub(super) fn overlay(&self, place: u64, data: &mut [u8]) {
        let end = place + data.len() as u64;
        // the last one that began before may reach into it
        let from = self.edits.range(..place).next_back().map_or(place, |(&start, _)| start);
        for (&start, bytes) in self.edits.range(from..end) {
            let (from, to) = (place.saturating_sub(start), start.saturating_sub(place));
            let bytes = bytes.get(usize::try_from(from).unwrap_or(usize::MAX)..).unwrap_or_default();
            put(data, usize::try_from(to).unwrap_or(usize::MAX), bytes);
        }
    }
}

impl Reader {
    pub(super) fn end(&self) -> u64 {
        self.start + self.buffer.len() as u64
    }

    pub(super) fn add(&mut self, place: u64, data: &[u8]) {
        if place > self.end() {
            let before = self.waiting.insert(place, data.to_vec());
            self.held = self.held - before.map_or(0, |before| before.len() + ENTRY) + data.len() + ENTRY;
            return;
        }
        let known = usize::try_from(self.end() - place).unwrap_or(usize::MAX);
        self.buffer.extend(data.get(known..).unwrap_or_default());
        while let Some((&next, _)) = self.waiting.first_key_value()
            && next <= self.end()
        {
            let Some((next, data)) = self.waiting.pop_first() else { break };
            self.held -= data.len() + ENTRY;
            let known = usize::try_from(self.end() - next).unwrap_or(usize::MAX);
            self.buffer.extend(data.get(known..).unwrap_or_default());
        }
    }

    /// Takes what is missing for lost; gives how much that is, where anything waited behind it.
    fn jump(&mut self) -> Option<u64> {
        let (place, data) = self.waiting.pop_first()?;
        self.padding = 0;
        let missing = place.saturating_sub(self.start);
        self.held -= data.len() + ENTRY;
        if place > self.skip {
            // what comes may be the middle of anything
            (self.mode, self.encrypted) = (Mode::Unknown, true);
        }
        self.handshake.clear();
        self.buffer.clear();
        self.start = place;
        self.add(place, &data);
        Some(missing)
    }

    /// What comes next does not follow what came.
    pub(super) fn lose(&mut self) {
        self.take(usize::MAX);
        (self.mode, self.skip, self.padding) = (Mode::Unknown, self.start, 0);
        self.handshake.clear();
    }

    /// Lets go of all that is incomplete; gives how many bytes in a row that were.
    fn abandon(&mut self) -> usize {
        let lost = self.buffer.len();
        self.lose();
        (self.waiting, self.held, self.encrypted) = (BTreeMap::new(), 0, true);
        (self.buffer, self.handshake) = (Vec::new(), Vec::new());
        lost
    }

    fn take(&mut self, count: usize) {
        let count = count.min(self.buffer.len());
        self.buffer.drain(..count);
        self.start += count as u64;
    }

    /// Passes over what is of no interest.
    fn pass(&mut self) {
        let count = self.skip.saturating_sub(self.start);
        self.take(usize::try_from(count).unwrap_or(usize::MAX));
    }
}

impl Redactor {
    /// Rewrites what a segment carries; gives how much of it stays.
    pub(super) fn segment(&mut self, data: &mut [u8], flow: &Flow, seq: u32, flags: u8, quoted: bool) -> usize {
        let seq = if flags & SYN != 0 { seq.wrapping_add(1) } else { seq };
        if self.learning && !quoted {
            self.learn_segment(data, flow, seq, flags);
            return 0;
        }
        let Some(connections) = self.streams.directions.get_mut(flow) else { return 0 };
        if flags & SYN != 0
            && let Some(index) = connections.iter().position(|direction| direction.base == seq)
        {
            // those before are over
            connections.rotate_left(index);
        }
        let Some(direction) = connections.first_mut() else { return 0 };
        let Some(place) = direction.place(seq) else { return 0 };
        if !quoted {
            direction.last = place;
        }
        if direction.edits.is_empty() {
            return 0;
        }
        data.fill(0);
        direction.overlay(place, data);
        let end = place + data.len() as u64;
        if !quoted {
            let comments: Vec<String> =
                direction.comments.range(place..end).flat_map(|(_, said)| said.clone()).collect();
            comments.into_iter().for_each(|comment| self.comment(comment));
        }
        data.len()
    }

    fn learn_segment(&mut self, data: &[u8], flow: &Flow, seq: u32, flags: u8) {
        let full = self.streams.count >= DIRECTIONS;
        if full && !self.streams.directions.contains_key(flow) {
            return;
        }
        let connections = self.streams.directions.entry(*flow).or_default();
        let newer = flags & SYN != 0
            && !full
            && connections.len() < CONNECTIONS
            && !connections.iter().any(|direction| direction.base == seq);
        if connections.is_empty() || newer {
            connections.push(Direction { base: seq, ..Direction::default() });
            self.streams.count += 1;
        }
        let Some(mut direction) = connections.pop() else { return };
        let others = self.streams.pending - direction.pending();
        if let Some(place) = direction.place(seq)
            && !data.is_empty()
        {
            direction.last = place;
            direction.reader.add(place, data);
            self.read(&mut direction, flow);
            while direction.reader.held > WAITING && self.jump(&mut direction, flow) {
                self.read(&mut direction, flow);
            }
        }
        if others + direction.pending() > PENDING {
            let lost = direction.reader.abandon();
            direction.lose_inside();
            self.opened.missing(flow, lost as u64);
        }
        self.streams.pending = others + direction.pending();
        self.streams.directions.entry(*flow).or_default().push(direction);
    }

    /// The end of the first pass: what still waits is read, gaps or not.
    pub(super) fn finish_streams(&mut self) {
        let mut flows: Vec<Flow> = self.streams.directions.keys().copied().collect();
        flows.sort_unstable(); // what one direction tells of the keys of the other, and who gets the last room, is the same in each run
        for flow in flows {
            let mut connections = self.streams.directions.remove(&flow).unwrap_or_default();
            for direction in &mut connections {
                while self.jump(direction, &flow) {
                    self.read(direction, &flow);
                }
                self.seal_inside(direction);
                (direction.last, direction.reader) = (0, Reader::default());
            }
            self.streams.directions.insert(flow, connections);
        }
    }

    /// Takes what a direction lacks for lost; gives whether anything waited behind it.
    fn jump(&mut self, direction: &mut Direction, flow: &Flow) -> bool {
        let Some(missing) = direction.reader.jump() else { return false };
        direction.lose_inside();
        self.opened.missing(flow, missing);
        true
    }

    pub(super) fn edit(&mut self, direction: &mut Direction, start: u64, mut bytes: Vec<u8>) {
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used.max(1));
        if self.keeps(bytes.len() + ENTRY) {
            direction.edits.insert(start, bytes.into_boxed_slice());
        }
    }

    /// Has the segment with this byte say something, if there is room.
    pub(super) fn say(&mut self, direction: &mut Direction, place: u64, said: Vec<String>) {
        let size = said.iter().map(|comment| comment.len() + ENTRY).sum::<usize>();
        if size > 0 && self.keeps(size) {
            direction.comments.entry(place).or_default().extend(said);
        }
    }

    /// Whether there is room for so many bytes more, until the second pass is over.
    pub(super) fn keeps(&mut self, bytes: usize) -> bool {
        let room = self.streams.kept + bytes <= KEPT;
        self.streams.kept += if room { bytes } else { 0 };
        self.streams.counts.zeroed += u64::from(!room);
        room
    }

    pub(super) fn read(&mut self, direction: &mut Direction, flow: &Flow) {
        loop {
            direction.reader.pass();
            if direction.reader.buffer.is_empty() {
                direction.reader.buffer = Vec::new();
                return;
            }
            let read = match direction.reader.mode {
                Mode::Unknown => self.begin(direction, flow),
                Mode::Turn => self.read_turn(direction, flow),
                Mode::Tls => self.read_tls(direction, flow),
                Mode::Framed => self.read_framed(direction, flow),
            };
            match read {
                Some(true) => {}
                Some(false) => {
                    // not what it was taken for: the next segment may begin something
                    let reader = &mut direction.reader;
                    (reader.mode, reader.encrypted) = (Mode::Unknown, true);
                    reader.take(usize::MAX);
                }
                None => return,
            }
        }
    }

    /// What a stream is, by its first bytes, or by what comes the other way. `None`: more has to come.
    fn begin(&mut self, direction: &mut Direction, flow: &Flow) -> Option<bool> {
        let back = Flow { src: flow.dst, dst: flow.src, ..*flow };
        let other = self.streams.directions.get(&back).and_then(|connections| connections.last());
        let other = other.map_or(Mode::Unknown, |other| other.reader.mode);
        let buffer = &direction.reader.buffer;
        let mode = match buffer.as_slice() {
            [20..=23, 3, 0..=4, ..] => Mode::Tls,
            [0..=3, _, _, _, ..] if buffer.get(4..8) == Some(&COOKIE) => Mode::Turn,
            [_, _, 0..=3, ..] if buffer.get(6..10) == Some(&COOKIE) => Mode::Framed,
            [0x40..=0x7f, ..] if other == Mode::Turn => Mode::Turn,
            [_, _, ..] if other == Mode::Framed => Mode::Framed,
            // DNS (RFC 7766 §8)
            [l0, l1, ..] if Self::is_name_service(flow) && u16::from_be_bytes([*l0, *l1]) >= 12 => Mode::Framed,
            bytes if bytes.len() < 10 => return None,
            _ => return Some(false),
        };
        direction.reader.mode = mode;
        Some(true)
    }

    /// A message in a stream, rewritten as a datagram would be.
    fn message(&mut self, direction: &mut Direction, flow: &Flow, head: usize, length: usize, taken: usize) {
        let start = direction.reader.start;
        let mut bytes = direction.reader.buffer.get(..head + length).unwrap_or_default().to_vec();
        let before = self.counts;
        let comments = std::mem::take(&mut self.comments);
        self.payload(bytes.get_mut(head..).unwrap_or_default(), false, flow, Room::Inside, 1);
        let said = std::mem::replace(&mut self.comments, comments);
        self.streams.counts.unsigned += self.counts.unsigned - before.unsigned;
        self.say(direction, start + (head + length).saturating_sub(1) as u64, said);
        self.edit(direction, start, bytes);
        direction.reader.take(taken);
    }

    fn read_turn(&mut self, direction: &mut Direction, flow: &Flow) -> Option<bool> {
        if direction.reader.padding > 0 {
            let padding = padding(&direction.reader.buffer, direction.reader.padding)?;
            direction.reader.padding = 0;
            direction.reader.take(padding);
            return Some(true);
        }
        let buffer = &direction.reader.buffer;
        let length = word(buffer, 2)?;
        let (length, padding) = match buffer.first()? {
            0..=3 => {
                if at(buffer, 4)? != COOKIE {
                    return Some(false);
                }
                (20 + length, 0)
            }
            0x40..=0x7f => (4 + length, length.wrapping_neg() % 4),
            _ => return Some(false),
        };
        if buffer.len() < length {
            return None;
        }
        direction.reader.skip = direction.reader.start + length as u64;
        self.message(direction, flow, 0, length, length);
        direction.reader.padding = padding;
        Some(true)
    }

    fn read_framed(&mut self, direction: &mut Direction, flow: &Flow) -> Option<bool> {
        let length = word(&direction.reader.buffer, 0)?;
        if direction.reader.buffer.len() < 2 + length {
            return None;
        }
        self.message(direction, flow, 2, length, 2 + length);
        Some(true)
    }
}

/// How much of the padding that should stand here does, by what begins here or behind it (RFC 8656 §12.5). `None`: more has to come.
fn padding(bytes: &[u8], length: usize) -> Option<usize> {
    let stun = |from: usize| bytes.get(from + 4..from + 8) == Some(&COOKIE) && bytes.get(from).is_some_and(|b| *b < 4);
    let channel = |from: usize| matches!(bytes.get(from), Some(0x40..=0x4f));
    if bytes.len() < length + 8 {
        return None;
    }
    Some(if stun(0) || channel(0) && !stun(length) && !channel(length) { 0 } else { length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;
    use crate::redact::Key;
    use crate::session::credentials::Credentials;

    #[test]
    fn segments_that_wait_are_counted_by_what_they_take_also_where_one_replaces_another() {
        let mut reader = Reader::default();
        for _ in 0..3 {
            reader.add(10, &[1]);
            reader.add(10, &[2; 100]);
        }
        assert_eq!(reader.held, 100 + ENTRY);
        reader.add(0, &[0; 10]);
        assert_eq!((reader.held, reader.end()), (0, 110));
    }

    #[test]
    fn connections_of_which_nothing_becomes_complete_take_bounded_memory() {
        let mut redactor = Redactor::new(&Key::new([1; 32]), Credentials::default(), false);
        let mut data = vec![7; 60_000];
        for port in 0..700 {
            let [src, dst] = [Endpoint::v4([10, 0, 0, 1], port), Endpoint::v4([10, 0, 0, 2], 443)];
            let flow = Flow { src, dst, depth: 0, peer: None };
            redactor.segment(&mut [], &flow, 0, SYN, false);
            // a byte is missing before each
            for part in 0..4 {
                redactor.segment(&mut data, &flow, 2 + part * 60_001, 0, false);
            }
        }
        let all = redactor.streams.directions.values().flatten();
        assert_eq!(all.map(Direction::pending).sum::<usize>(), redactor.streams.pending);
        assert!(redactor.streams.pending <= PENDING, "{}", redactor.streams.pending);
    }
}
