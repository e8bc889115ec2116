//! One direction of a connection: segments to bytes in order.

use super::framing::{Frame, Framer};
use super::limits::Limits;
use crate::frame::Seen;
use crate::time::Span;

/// A hole that the receiver acknowledged is given this long to be filled: captures of several interfaces are a little out of order.
pub(super) const DISORDER: Span = Span::from_millis(500);
/// A hole is given so long without any acknowledgment, as where one direction only was captured: senders repeat what was lost long before.
const PATIENCE: Span = Span::from_secs(10);
/// A segment further ahead of its stream than any window reaches, or further behind, belongs to another connection on the same ports.
const FAR: u32 = 1 << 26;
/// As long as it is not known what a stream is, so much of it waits at most.
const UNDECIDED: usize = 8 << 10;

/// Where a segment came from, for the messages in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub at: Seen,
    pub ttl: u8,
}

/// The bytes of a segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// Sequence number of the first.
    pub seq: u32,
    /// Those that were captured.
    pub bytes: &'a [u8],
    /// How many there were on the wire.
    pub length: u32,
    pub stamp: Stamp,
}

impl<'a> Piece<'a> {
    /// What is left of it from a sequence number on that lies within.
    fn from(self, count: u32) -> Piece<'a> {
        Piece {
            seq: self.seq.wrapping_add(count),
            bytes: self.bytes.get(count as usize..).unwrap_or_default(),
            length: self.length.saturating_sub(count),
            ..self
        }
    }

    /// Its first bytes.
    fn upto(self, count: u32) -> Piece<'a> {
        let length = self.length.min(count);
        Piece { bytes: self.bytes.get(..length as usize).unwrap_or(self.bytes), length, ..self }
    }
}

/// A piece that waits for those before it.
#[derive(Clone, Debug)]
struct Held {
    seq: u32,
    bytes: Box<[u8]>,
    length: u32,
    stamp: Stamp,
}

/// One direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Direction {
    /// The sequence number of the next byte in order, once it is known.
    next: Option<u32>,
    pub framer: Framer,
    /// What waits, in the order of sequence numbers; no two overlap.
    held: Vec<Held>,
    held_bytes: usize,
    /// The highest acknowledgment from the other side that reaches beyond a hole.
    acknowledged: Option<u32>,
    /// Up to where the stream goes, as far as a FIN or an acknowledgment told.
    end: Option<u32>,
    /// Since when there is a hole.
    hole: Option<Seen>,
    /// Bytes that the capture lacks.
    pub missing: u64,
    /// How often bytes were missing.
    pub gaps: u64,
    /// Segments that repeat bytes that still waited, with other content.
    pub conflicts: u64,
    /// Bytes between a relay's client and a peer, and the sequence number behind the last of them.
    carried: Option<(u64, u32)>,
}

impl Direction {
    /// The direction of a connection; `first` is the sequence number of its first byte, where its SYN was captured.
    pub(super) fn new(first: Option<u32>) -> Self {
        Direction {
            next: first,
            framer: if first.is_some() { Framer::at_start() } else { Framer::midway() },
            ..Direction::default()
        }
    }

    /// From here on what comes is between a relay's client and a peer (RFC 6062 §4.4).
    pub(super) fn bind(&mut self) {
        if self.carried.is_some() {
            return;
        }
        let underway = self.framer.is_undecided() || self.framer.is_within();
        if self.next.is_some() && underway && !self.framer.is_bound() {
            return self.framer.bind_after_request();
        }
        self.framer.bind();
        let Some(next) = self.next else { return };
        self.carried = Some((self.framer.carried(), next));
        let waits: Vec<u32> = self.held.iter().map(|held| held.seq.wrapping_add(held.length)).collect();
        waits.into_iter().for_each(|end| self.count_upto(end));
    }

    /// Bytes between a relay's client and a peer: each counted once, those that the capture lacks among them.
    pub(super) fn carried(&self) -> u64 {
        self.carried.map_or(0, |(bytes, _)| bytes)
    }

    fn count_upto(&mut self, end: u32) {
        if let Some((bytes, upto)) = &mut self.carried {
            let more = end.wrapping_sub(*upto);
            if more < FAR {
                *bytes += u64::from(more);
                *upto = end;
            }
        }
    }

    /// Bytes of memory that wait.
    pub(super) fn held(&self) -> usize {
        self.held_bytes + self.framer.held()
    }

    /// Whether bytes are known to be missing that may still come.
    pub(super) fn has_hole(&self) -> bool {
        self.hole.is_some()
    }

    /// Takes a segment with bytes in it.
    pub(super) fn take(&mut self, piece: Piece<'_>, limits: &Limits, each: &mut impl FnMut(Frame<'_>, &Stamp)) {
        self.count_upto(piece.seq.wrapping_add(piece.length));
        if self.framer.is_other() || self.framer.is_raw() {
            return;
        }
        let Some(next) = self.next else {
            return self.go_on_at(piece, each);
        };
        let ahead = piece.seq.wrapping_sub(next);
        if ahead == 0 {
            self.in_order(piece, each);
        } else if ahead < FAR {
            if self.framer.is_lost() && self.held.is_empty() {
                self.next = Some(piece.seq);
                self.in_order(piece, each);
            } else {
                self.hold(piece, limits);
            }
        } else if let behind = ahead.wrapping_neg()
            && behind < FAR
        {
            self.compare(&piece, behind);
            if behind < piece.length {
                self.in_order(piece.from(behind), each);
            }
        } else if super::head::may_begin(piece.bytes) {
            self.give_up_all(each);
            self.framer.lose();
            self.next = None;
            return self.go_on_at(piece, each);
        }
        self.look_at_hole(piece.stamp.at, limits, each);
    }

    /// The other side has all bytes before `ack`.
    pub(super) fn acknowledge(
        &mut self,
        ack: u32,
        now: Seen,
        limits: &Limits,
        each: &mut impl FnMut(Frame<'_>, &Stamp),
    ) {
        self.reaches(ack, now);
        let (Some(first), Some(next)) = (self.held.first(), self.next) else { return };
        let beyond = ack.wrapping_sub(next);
        if beyond >= first.seq.wrapping_sub(next) && beyond < FAR {
            self.acknowledged = Some(ack);
        }
        self.look_at_hole(now, limits, each);
    }

    /// Time has passed.
    pub(super) fn wait(&mut self, now: Seen, limits: &Limits, each: &mut impl FnMut(Frame<'_>, &Stamp)) {
        self.look_at_hole(now, limits, each);
    }

    /// The stream has all bytes before `seq`, seen or not.
    pub(super) fn reaches(&mut self, seq: u32, now: Seen) {
        if self.end.is_none_or(|end| seq.wrapping_sub(end) < FAR) {
            self.end = Some(seq);
        }
        if self.held.is_empty() && self.beyond() > 0 {
            self.hole.get_or_insert(now);
        }
    }

    /// Whether the other end has, by its acknowledgment, exactly one byte more than was seen.
    pub(super) fn is_one_short_of(&self, ack: u32) -> bool {
        self.held.is_empty() && self.next.is_some_and(|next| ack == next.wrapping_add(1))
    }

    /// How many bytes there were behind the last that was seen.
    fn beyond(&self) -> u32 {
        let (Some(end), Some(next)) = (self.end, self.next) else { return 0 };
        let beyond = end.wrapping_sub(next);
        // a FIN counts as a byte
        if beyond > 1 && beyond < FAR && !self.framer.is_lost() { beyond } else { 0 }
    }

    /// Takes it that what is behind the last byte that was seen is not in the capture.
    fn give_up_end(&mut self, each: &mut impl FnMut(Frame<'_>, &Stamp), stamp: Stamp) {
        let lost = self.beyond();
        self.hole = None;
        if lost > 0 {
            self.missing += u64::from(lost);
            self.gaps += 1;
            self.framer.missing(lost as usize, &mut |frame| each(frame, &stamp));
            self.next = self.end;
        }
    }

    /// There will be no more of it.
    pub(super) fn finish(&mut self, each: &mut impl FnMut(Frame<'_>, &Stamp)) {
        self.give_up_all(each);
        let lost = self.beyond();
        if lost > 0 {
            self.missing += u64::from(lost);
            self.gaps += 1;
        }
    }

    /// What is missing will not come any more: everything that waits is taken as far as it goes.
    pub(super) fn give_up_all(&mut self, each: &mut impl FnMut(Frame<'_>, &Stamp)) {
        while !self.held.is_empty() {
            self.give_up(each);
        }
    }

    /// Gives up what waits without looking at it, for want of room.
    pub(super) fn drop_held(&mut self) {
        self.gaps += 1;
        if let Some(last) = self.held.last() {
            self.next = Some(last.seq.wrapping_add(last.length));
        }
        let count = self.held.len();
        self.release(count);
        self.framer.lose();
    }

    /// In the middle of a stream: a message that begins the segment tells where it is.
    fn go_on_at(&mut self, piece: Piece<'_>, each: &mut impl FnMut(Frame<'_>, &Stamp)) {
        let before = self.framer.is_lost();
        self.deliver(piece, piece.stamp, each);
        if before && !self.framer.is_lost() {
            self.next = Some(piece.seq.wrapping_add(piece.length));
        }
    }

    fn in_order(&mut self, piece: Piece<'_>, each: &mut impl FnMut(Frame<'_>, &Stamp)) {
        self.deliver(piece, piece.stamp, each);
        let mut next = piece.seq.wrapping_add(piece.length);
        let mut used = 0;
        // what waited is complete now, by this frame
        while let Some(held) = self.held.get(used) {
            let overlap = next.wrapping_sub(held.seq);
            if overlap >= FAR {
                break; // still ahead
            }
            if overlap < held.length {
                let waiting = Piece { seq: held.seq, bytes: &held.bytes, length: held.length, stamp: held.stamp };
                let rest = waiting.from(overlap);
                next = rest.seq.wrapping_add(rest.length);
                deliver(&mut self.framer, &mut self.missing, &mut self.gaps, rest, piece.stamp, each);
            }
            used += 1;
        }
        self.next = Some(next);
        self.release(used);
    }

    /// Forgets the first pieces that waited.
    fn release(&mut self, count: usize) {
        if count == 0 {
            if self.held.is_empty() && self.hole.is_some() && self.beyond() == 0 {
                self.hole = None;
            }
            return;
        }
        for held in self.held.drain(..count.min(self.held.len())) {
            self.held_bytes = self.held_bytes.saturating_sub(held.bytes.len() + size_of::<Held>());
        }
        if self.held.is_empty() {
            self.held = Vec::new();
        }
        self.hole = self.held.first().map(|held| held.stamp.at);
        self.acknowledged = None;
    }

    fn deliver(&mut self, piece: Piece<'_>, stamp: Stamp, each: &mut impl FnMut(Frame<'_>, &Stamp)) {
        deliver(&mut self.framer, &mut self.missing, &mut self.gaps, piece, stamp, each);
    }

    /// Keeps a segment until those before it come: only what is not kept already, the first bytes win.
    fn hold(&mut self, piece: Piece<'_>, limits: &Limits) {
        let Some(next) = self.next else { return };
        self.hole.get_or_insert(piece.stamp.at);
        let offset = |seq: u32| seq.wrapping_sub(next);
        let mut rest = piece;
        let mut index =
            self.held.partition_point(|held| offset(held.seq).saturating_add(held.length) <= offset(rest.seq));
        while rest.length > 0 {
            let free = match self.held.get(index) {
                None => rest.length,
                Some(held) if offset(held.seq) > offset(rest.seq) => {
                    rest.length.min(offset(held.seq) - offset(rest.seq))
                }
                Some(held) => {
                    let into = offset(rest.seq) - offset(held.seq);
                    let common = rest.length.min(held.length.saturating_sub(into));
                    let known = held.bytes.get(into as usize..).unwrap_or_default();
                    if known.iter().zip(rest.upto(common).bytes).any(|(old, new)| old != new) {
                        self.conflicts += 1;
                    }
                    rest = rest.from(common.max(1));
                    index += 1;
                    continue;
                }
            };
            let part = rest.upto(free);
            if self.held.len() >= limits.segments {
                return; // it is missing then, and will be said to be
            }
            self.held_bytes += part.bytes.len() + size_of::<Held>();
            let new = Held { seq: part.seq, bytes: part.bytes.into(), length: part.length, stamp: part.stamp };
            self.held.insert(index, new);
            index += 1;
            rest = rest.from(free);
        }
    }

    /// Whether bytes that came again are what they were, as far as they are still there.
    fn compare(&mut self, piece: &Piece<'_>, behind: u32) {
        let waiting = self.framer.waiting();
        let (behind, count) = (behind as usize, waiting.len());
        let (old, new) = match behind.checked_sub(count) {
            Some(earlier) => (waiting, piece.bytes.get(earlier..).unwrap_or_default()),
            None => (waiting.get(count - behind..).unwrap_or_default(), piece.bytes),
        };
        if old.iter().zip(new).any(|(old, new)| old != new) {
            self.conflicts += 1;
        }
    }

    fn look_at_hole(&mut self, now: Seen, limits: &Limits, each: &mut impl FnMut(Frame<'_>, &Stamp)) {
        while let Some(since) = self.hole {
            let age = now.time.since(since.time);
            if self.held.is_empty() {
                if age >= DISORDER {
                    self.give_up_end(each, Stamp { at: now, ttl: 0 });
                }
                return;
            }
            let most = if self.framer.is_undecided() { UNDECIDED } else { limits.held };
            let lost = self.acknowledged.is_some() && age >= DISORDER;
            if !lost && age < PATIENCE && self.held_bytes <= most && self.held.len() < limits.segments {
                return;
            }
            self.give_up(each);
        }
    }

    /// The bytes before the first that waits are missing.
    fn give_up(&mut self, each: &mut impl FnMut(Frame<'_>, &Stamp)) {
        let (Some(first), Some(next)) = (self.held.first(), self.next) else {
            self.hole = None;
            return;
        };
        let stamp = first.stamp;
        let count = first.seq.wrapping_sub(next);
        self.missing += u64::from(count);
        self.gaps += 1;
        self.framer.missing(count as usize, &mut |frame| each(frame, &stamp));
        self.next = Some(first.seq);
        // what waits up to the next hole, each with its own frame
        let mut used = 0;
        let mut next = first.seq;
        while let Some(held) = self.held.get(used).filter(|held| held.seq == next) {
            let piece = Piece { seq: held.seq, bytes: &held.bytes, length: held.length, stamp: held.stamp };
            next = next.wrapping_add(held.length);
            deliver(&mut self.framer, &mut self.missing, &mut self.gaps, piece, held.stamp, each);
            used += 1;
        }
        self.next = Some(next);
        self.release(used);
    }
}

/// Gives bytes to the framer, and what the snap length cut off behind them.
fn deliver(
    framer: &mut Framer,
    missing: &mut u64,
    gaps: &mut u64,
    piece: Piece<'_>,
    stamp: Stamp,
    each: &mut impl FnMut(Frame<'_>, &Stamp),
) {
    framer.take(piece.bytes, &mut |frame| each(frame, &stamp));
    let cut = (piece.length as usize).saturating_sub(piece.bytes.len());
    if cut > 0 && !framer.is_lost() {
        *missing += cut as u64;
        *gaps += 1;
        framer.missing(cut, &mut |frame| each(frame, &stamp));
    }
}
