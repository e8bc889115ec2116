//! TCP streams: put together in the first pass, where each message is rewritten and kept by its place in the stream; in the second every segment gets
//! what stands at its place, and zeros elsewhere. Retransmissions, overlaps and messages over several segments come right by themselves.

use super::bytes::{at, put, three, word};
use super::payload::Room;
use super::{Counts, Flow, Redactor};
use std::collections::{BTreeMap, HashMap};

/// Directions of connections, in both passes.
const DIRECTIONS: usize = 1 << 16;
/// Bytes of rewritten messages over all streams.
const KEPT: usize = 128 << 20;
/// Bytes that wait for what is missing before them; then it is taken for lost.
const WAITING: usize = 1 << 18;
/// Bytes of handshake messages that are not complete.
const HANDSHAKE: usize = 1 << 17;

/// Connections after each other between the same two ports.
const CONNECTIONS: usize = 1024;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

const SYN: u8 = 2;

#[derive(Default)]
pub(super) struct Streams {
    directions: HashMap<Flow, Vec<Direction>>,
    kept: usize,
    pub(super) counts: Counts,
}

/// One direction of one connection.
#[derive(Default)]
struct Direction {
    /// Sequence number of the first byte.
    base: u32,
    /// Where the last segment was.
    last: u64,
    /// What stands where; zeros elsewhere.
    edits: BTreeMap<u64, Vec<u8>>,
    /// What is said of the segment that has this byte.
    comments: BTreeMap<u64, Vec<String>>,
    reader: Reader,
}

/// How a stream is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Unknown,
    /// STUN and ChannelData (RFC 8656 §12.5).
    Turn,
    Tls,
    /// Lengths of two bytes (RFC 4571).
    Framed,
}

#[derive(Default)]
struct Reader {
    mode: Mode,
    /// What is contiguous and not yet read, and where it begins.
    buffer: Vec<u8>,
    start: u64,
    /// Up to here nothing is of interest.
    skip: u64,
    waiting: BTreeMap<u64, Vec<u8>>,
    held: usize,
    /// Whether records are encrypted.
    encrypted: bool,
    /// Handshake messages, with the place of each byte.
    handshake: Vec<(u64, u8)>,
}

impl Direction {
    /// The place of a sequence number, near the last one.
    fn place(&self, seq: u32) -> Option<u64> {
        let last = self.base.wrapping_add((self.last & 0xffff_ffff) as u32);
        self.last.checked_add_signed(i64::from(seq.wrapping_sub(last).cast_signed()))
    }
}

impl Reader {
    fn end(&self) -> u64 {
        self.start + self.buffer.len() as u64
    }

    fn add(&mut self, place: u64, data: &[u8]) {
        if place > self.end() {
            if self.waiting.insert(place, data.to_vec()).is_none() {
                self.held += data.len();
            }
            return;
        }
        let known = usize::try_from(self.end() - place).unwrap_or(usize::MAX);
        self.buffer.extend(data.get(known..).unwrap_or_default());
        while let Some((&next, _)) = self.waiting.first_key_value()
            && next <= self.end()
        {
            let Some((next, data)) = self.waiting.pop_first() else { break };
            self.held = self.held.saturating_sub(data.len());
            let known = usize::try_from(self.end() - next).unwrap_or(usize::MAX);
            self.buffer.extend(data.get(known..).unwrap_or_default());
        }
    }

    /// Takes what is missing for lost; gives whether anything waited behind it.
    fn jump(&mut self) -> bool {
        let Some((place, data)) = self.waiting.pop_first() else { return false };
        self.held = self.held.saturating_sub(data.len());
        if place > self.skip {
            // what comes may be the middle of anything
            (self.mode, self.encrypted) = (Mode::Unknown, true);
        }
        self.handshake.clear();
        self.buffer.clear();
        self.start = place;
        self.add(place, &data);
        true
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
        let end = place + data.len() as u64;
        // what began before may reach into it; nothing is longer than a message
        for (&start, bytes) in direction.edits.range(place.saturating_sub(0x1_0100)..end) {
            let (from, to) = (place.saturating_sub(start), start.saturating_sub(place));
            let bytes = bytes.get(usize::try_from(from).unwrap_or(usize::MAX)..).unwrap_or_default();
            put(data, usize::try_from(to).unwrap_or(usize::MAX), bytes);
        }
        if !quoted {
            let comments: Vec<String> =
                direction.comments.range(place..end).flat_map(|(_, said)| said.clone()).collect();
            comments.into_iter().for_each(|comment| self.comment(comment));
        }
        data.len()
    }

    fn learn_segment(&mut self, data: &[u8], flow: &Flow, seq: u32, flags: u8) {
        if self.streams.directions.len() >= DIRECTIONS && !self.streams.directions.contains_key(flow) {
            return;
        }
        let connections = self.streams.directions.entry(*flow).or_default();
        let newer = flags & SYN != 0
            && connections.len() < CONNECTIONS
            && !connections.iter().any(|direction| direction.base == seq);
        if connections.is_empty() || newer {
            connections.push(Direction { base: seq, ..Direction::default() });
        }
        let Some(mut direction) = connections.pop() else { return };
        if let Some(place) = direction.place(seq)
            && !data.is_empty()
        {
            direction.last = place;
            direction.reader.add(place, data);
            self.read(&mut direction, flow);
            while direction.reader.held > WAITING && direction.reader.jump() {
                self.read(&mut direction, flow);
            }
        }
        self.streams.directions.entry(*flow).or_default().push(direction);
    }

    /// The end of the first pass: what still waits is read, gaps or not.
    pub(super) fn finish_streams(&mut self) {
        let flows: Vec<Flow> = self.streams.directions.keys().copied().collect();
        for flow in flows {
            let mut connections = self.streams.directions.remove(&flow).unwrap_or_default();
            for direction in &mut connections {
                while direction.reader.jump() {
                    self.read(direction, &flow);
                }
                (direction.last, direction.reader) = (0, Reader::default());
            }
            self.streams.directions.insert(flow, connections);
        }
    }

    fn edit(&mut self, direction: &mut Direction, start: u64, mut bytes: Vec<u8>) {
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used.max(1));
        if self.streams.kept + bytes.len() > KEPT {
            self.streams.counts.zeroed += 1;
            return;
        }
        self.streams.kept += bytes.len();
        direction.edits.insert(start, bytes);
    }

    fn read(&mut self, direction: &mut Direction, flow: &Flow) {
        loop {
            direction.reader.pass();
            if direction.reader.buffer.is_empty() {
                return;
            }
            let read = match direction.reader.mode {
                Mode::Unknown => self.begin(direction, flow),
                Mode::Turn => self.read_turn(direction, flow),
                Mode::Tls => self.read_tls(direction),
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
        if !said.is_empty() {
            direction.comments.insert(start + (head + length).saturating_sub(1) as u64, said);
        }
        self.edit(direction, start, bytes);
        direction.reader.take(taken);
    }

    fn read_turn(&mut self, direction: &mut Direction, flow: &Flow) -> Option<bool> {
        let buffer = &direction.reader.buffer;
        let length = word(buffer, 2)?;
        let (length, taken) = match buffer.first()? {
            0..=3 => {
                if at(buffer, 4)? != COOKIE {
                    return Some(false);
                }
                (20 + length, 20 + length)
            }
            0x40..=0x7f => (4 + length, 4 + length.next_multiple_of(4)),
            _ => return Some(false),
        };
        if buffer.len() < length {
            return None;
        }
        direction.reader.skip = direction.reader.start + taken as u64;
        self.message(direction, flow, 0, length, taken);
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

    fn read_tls(&mut self, direction: &mut Direction) -> Option<bool> {
        let [kind, v0, v1, l0, l1] = at::<5>(&direction.reader.buffer, 0)?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if !matches!((kind, v0), (20..=24, 3)) || length > 0x4800 {
            return Some(false);
        }
        let content = direction.reader.buffer.get(5..5 + length);
        let plain = match kind {
            // a hello that is by itself is one, also behind the ChangeCipherSpec of version 1.3 that means nothing
            22 => {
                let content = content?;
                let alone =
                    matches!(content.first(), Some(1 | 2)) && three(content, 1).map(|size| size + 4) == Some(length);
                !direction.reader.encrypted || alone
            }
            _ => !direction.reader.encrypted,
        };
        let start = direction.reader.start;
        let mut stays = vec![kind, v0, v1, l0, l1];
        match kind {
            20 => {
                stays.push(1);
                direction.reader.encrypted = true;
            }
            21 if plain && length == 2 => stays.extend(content?),
            22 if plain => {
                let bytes = (start + 5..).zip(content.unwrap_or_default().iter().copied());
                direction.reader.handshake.extend(bytes);
            }
            _ => {}
        }
        self.edit(direction, start, stays);
        direction.reader.skip = start + 5 + length as u64;
        self.tls_handshake(direction, u16::from_be_bytes([v0, v1]));
        Some(true)
    }

    /// Rewrites the handshake messages that are complete, wherever records divide them.
    fn tls_handshake(&mut self, direction: &mut Direction, version: u16) {
        loop {
            let held = &direction.reader.handshake;
            let head: Vec<u8> = held.iter().take(4).map(|&(_, byte)| byte).collect();
            let (Some(&kind), Some(length)) = (head.first(), three(&head, 1)) else { return };
            if length > HANDSHAKE {
                (direction.reader.encrypted, direction.reader.handshake) = (true, Vec::new());
                return;
            }
            if held.len() < 4 + length {
                return;
            }
            let (places, mut bytes): (Vec<u64>, Vec<u8>) = direction.reader.handshake.drain(..4 + length).unzip();
            let Redactor { rewriter, names, .. } = self;
            let body = bytes.get_mut(4..).unwrap_or_default();
            let found = rewriter.body(kind, body, version, false, names);
            self.streams.counts.certificates += found.len() as u64;
            if let Some(&last) = places.last()
                && !found.is_empty()
            {
                let said = |print: String| format!("turnscope: certificate left out, SHA-256 fingerprint {print}");
                direction.comments.entry(last).or_default().extend(found.into_iter().map(said));
            }
            // one edit for each run of bytes that follow each other
            let (mut start, mut run) = (0, Vec::new());
            for (place, byte) in places.into_iter().zip(bytes) {
                if place != start + run.len() as u64 || run.is_empty() {
                    if !run.is_empty() {
                        self.edit(direction, start, std::mem::take(&mut run));
                    }
                    start = place;
                }
                run.push(byte);
            }
            self.edit(direction, start, run);
        }
    }
}
