//! TCP streams: what segments do to the connections that are still of interest.

use super::connection::Connection;
use super::connections::Connections;
use super::direction::{DISORDER, Direction, Piece, Stamp};
use super::early::EarlyResets;
use super::entry::{Entry, Look};
use super::framing::Framer;
use super::head;
use super::item::{Counts, Item, Out};
use super::limits::Limits;
use super::proxy::Turn;
use crate::frame::Seen;
use crate::keys::KeyLog;
use crate::net::{Endpoint, protocol};
use crate::packet::{IcmpError, Segment};
use crate::time::Timestamp;

/// After anything that a capture can hold.
const NEVER: Timestamp = Timestamp(i64::MAX);

/// As many connections with holes are looked at for each frame, at most.
const HOLES_A_FRAME: u64 = 64;

/// Puts TCP streams together, as far as there is STUN in them.
#[derive(Debug)]
pub struct Streams {
    limits: Limits,
    known: Connections,
    /// Connections with holes, and when they are looked at next.
    holed: Vec<u32>,
    due: Timestamp,
    /// The frame at which they were looked at last.
    looked: u64,
    counts: Counts,
    keys: KeyLog,
    early: EarlyResets,
}

impl Streams {
    /// No connections yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Streams {
            limits,
            known: Connections::default(),
            holed: Vec::new(),
            due: NEVER,
            looked: 0,
            counts: Counts::default(),
            keys: KeyLog::new(),
            early: EarlyResets::default(),
        }
    }

    /// The keys that open TLS: none, unless they are put here. They may come at any time, and open what comes after them.
    pub fn keys(&mut self) -> &mut KeyLog {
        &mut self.keys
    }

    /// What was seen so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many connections are followed now, and how many bytes of them wait.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.known.len(), self.known.held())
    }

    /// Takes a segment; `each` gets what it completes.
    #[inline]
    pub fn segment(&mut self, at: Seen, segment: &Segment<'_>, each: &mut impl FnMut(Item<'_>)) {
        if self.known.may_hold(segment.src, segment.dst)
            || segment.flags.syn()
            || head::may_join(segment.payload, segment.src, segment.dst)
        {
            self.take(at, segment, each);
        } else if segment.flags.rst() {
            self.early.hold(at, segment);
        }
    }

    /// Lets time pass: what waited long enough for bytes that do not come is taken without them. Call it before every frame.
    #[inline(always)]
    pub fn advance(&mut self, now: Seen, each: &mut impl FnMut(Item<'_>)) {
        if now.time >= self.due {
            self.look_at_holes(now, each);
        }
    }

    #[inline(never)]
    fn look_at_holes(&mut self, now: Seen, each: &mut impl FnMut(Item<'_>)) {
        // a clock that goes to and fro makes it time with each frame
        if now.frame.saturating_sub(self.looked) < self.holed.len() as u64 / HOLES_A_FRAME {
            return;
        }
        (self.due, self.looked) = (NEVER, now.frame);
        for slot in std::mem::take(&mut self.holed) {
            if let Some(entry) = self.known.get_mut(slot) {
                entry.holed = false;
            }
            for side in [0, 1] {
                self.wait(slot, now, side, each);
            }
        }
    }

    /// Looks whether a direction has waited long enough.
    fn wait(&mut self, slot: u32, now: Seen, side: usize, each: &mut impl FnMut(Item<'_>)) {
        let limits = self.limits;
        if self.known.get(slot).and_then(|entry| entry.direction(side)).is_some_and(Direction::has_hole) {
            self.on_direction(slot, now, side, each, |direction, out| {
                direction.wait(now, &limits, &mut |frame, stamp| out.frame(frame, stamp));
            });
        }
    }

    /// Whether anything is known of a connection.
    pub(crate) fn is_known(&self, src: Endpoint, dst: Endpoint) -> bool {
        self.known.may_hold(src, dst) && self.known.find(src, dst).is_some()
    }

    /// Takes an ICMP error, which may quote a segment.
    pub fn icmp(&mut self, at: Seen, error: &IcmpError<'_>, each: &mut impl FnMut(Item<'_>)) {
        let quoted = &error.quoted;
        if quoted.protocol != protocol::TCP
            || !error.kind.is_unreachable()
            || !self.known.may_hold(quoted.src, quoted.dst)
        {
            return;
        }
        let Some(slot) = self.known.find(quoted.src, quoted.dst) else { return };
        let Some(entry) = self.known.get_mut(slot) else { return };
        if entry.connection.client == quoted.src && entry.connection.icmp.is_none() {
            entry.connection.icmp = Some((error.answer(at.frame), at.time));
            let connection = entry.connection;
            each(Item::Connection(&connection));
        }
    }

    /// The capture is over: whatever waits is taken as far as it goes.
    pub fn finish(&mut self, each: &mut impl FnMut(Item<'_>)) {
        let mut all: Vec<(u64, u32)> =
            self.known.iter().map(|(slot, entry)| (entry.connection.first.frame, slot)).collect();
        all.sort_unstable();
        for (_, slot) in all {
            self.remove(slot, each);
        }
    }

    fn take(&mut self, at: Seen, segment: &Segment<'_>, each: &mut impl FnMut(Item<'_>)) {
        let (syn, ack) = (segment.flags.syn(), segment.flags.ack());
        let slot = match (self.known.find(segment.src, segment.dst), syn) {
            (Some(slot), true) if self.known.get(slot).is_none_or(|entry| entry.is_another(segment)) => {
                self.remove(slot, each);
                self.open(at, segment, each)
            }
            (None, true) => self.open(at, segment, each),
            (Some(slot), _) => Some(slot),
            (None, false) if head::may_join(segment.payload, segment.src, segment.dst) => self.join(at, segment, each),
            (None, false) => return self.early.hold(at, segment),
        };
        let Some((slot, entry)) = slot.and_then(|slot| Some((slot, self.known.get_mut(slot)?))) else { return };
        entry.connection.see(at);
        let side = entry.connection.side(segment.src);
        if !segment.flags.rst()
            && let Some((low, high)) = entry.connection.ttl.get_mut(side)
        {
            (*low, *high) = ((*low).min(segment.ttl), (*high).max(segment.ttl));
        }
        if syn {
            entry.opened(at, segment, side);
        }
        if ack {
            self.acknowledged(slot, at, segment.ack, 1 - side, each);
        }
        if segment.length > 0 {
            let first = self.known.get(slot).is_some_and(|entry| entry.directions.is_none());
            self.data(slot, at, segment, side, each);
            // nothing was there before that it could be told to
            if first && ack {
                self.acknowledged(slot, at, segment.ack, 1 - side, each);
            }
        }
        if segment.flags.fin() || segment.flags.rst() {
            self.closed(slot, at, segment, side, each);
        } else if syn
            && !ack
            && let Some((before, reset)) = self.early.answer_to(segment, at)
        {
            self.closed(slot, before, &reset, 1, each);
        }
    }

    /// A connection begins with this SYN, or with the answer to one that was not captured.
    fn open(&mut self, at: Seen, segment: &Segment<'_>, each: &mut impl FnMut(Item<'_>)) -> Option<u32> {
        let (client, server) =
            if segment.flags.ack() { (segment.dst, segment.src) } else { (segment.src, segment.dst) };
        self.add(Connection::new(client, server, at), each)
    }

    /// A connection that began before the capture, and whose first segment that is looked at begins with a message.
    fn join(&mut self, at: Seen, segment: &Segment<'_>, each: &mut impl FnMut(Item<'_>)) -> Option<u32> {
        let (client, server) = if head::is_of_server(segment.payload, segment.src) {
            (segment.dst, segment.src)
        } else {
            (segment.src, segment.dst)
        };
        self.add(Connection::new(client, server, at), each)
    }

    fn acknowledged(&mut self, slot: u32, at: Seen, ack: u32, side: usize, each: &mut impl FnMut(Item<'_>)) {
        let limits = self.limits;
        let Some(direction) = self.known.get_mut(slot).and_then(|entry| entry.direction_mut(side)) else { return };
        // nothing waits for it; and that nothing is known of one end does not make the other nothing that is read here
        if direction.framer.is_lost() && !direction.has_hole() {
            return direction.reaches(ack, at);
        }
        self.on_direction(slot, at, side, each, |direction, out| {
            direction.acknowledge(ack, at, &limits, &mut |frame, stamp| out.frame(frame, stamp));
        });
    }

    fn data(&mut self, slot: u32, at: Seen, segment: &Segment<'_>, side: usize, each: &mut impl FnMut(Item<'_>)) {
        let limits = self.limits;
        let mut seq = segment.seq.wrapping_add(u32::from(segment.flags.syn()));
        let Some(entry) = self.known.get_mut(slot) else { return };
        entry.hear_http(seq, at, segment.payload, side);
        let mut segment = *segment;
        if entry.directions.is_none() {
            match entry.between(seq, at, &segment, side) {
                Turn::Theirs => {}
                Turn::Between => return,
                Turn::Answer(answer) => return each(Item::Proxied(answer)),
                Turn::Header(bytes) if bytes == segment.payload.len() => return,
                Turn::Header(bytes) => {
                    segment = segment.after(bytes);
                    seq = seq.wrapping_add(bytes as u32);
                }
            }
            match entry.look(seq, &segment, side) {
                Look::Wait => return,
                Look::Forget => return self.remove(slot, each),
                Look::Cut => {
                    entry.connection.cut = true;
                    return self.remove(slot, each);
                }
                Look::Read => {
                    entry.began = side == 0 && entry.first[0] == Some(seq);
                    entry.begin(&segment);
                }
            }
        }
        let sealed = self.keys.is_empty() && !entry.is_followed();
        let stamp = Stamp { at, ttl: segment.ttl };
        let piece = Piece { seq, bytes: segment.payload, length: segment.length, stamp };
        self.on_direction(slot, at, side, each, |direction, out| {
            direction.framer.seal(sealed);
            direction.take(piece, &limits, &mut |frame, stamp| out.frame(frame, stamp));
        });
    }

    /// Lets something happen to a direction of a connection, and looks what became of both by it.
    fn on_direction<E: FnMut(Item<'_>)>(
        &mut self,
        slot: u32,
        at: Seen,
        side: usize,
        each: &mut E,
        happens: impl FnOnce(&mut Direction, &mut Out<'_, E>),
    ) {
        let Some(Entry { connection, directions, tls, .. }) = self.known.get_mut(slot) else { return };
        let Some(direction) = directions.as_mut().and_then(|both| both.get_mut(side)) else { return };
        let mut out = Out::new(connection, tls, &self.keys, side, each);
        happens(direction, &mut out);
        self.counts.unpadded += out.unpadded;
        self.known.recount(slot);
        self.settle(slot, at, side, each);
    }

    /// What became of a connection by what a direction of it just took.
    fn settle(&mut self, slot: u32, at: Seen, side: usize, each: &mut impl FnMut(Item<'_>)) {
        let full = self.known.held() > self.limits.total;
        let Some(entry) = self.known.get_mut(slot) else { return };
        let followed = entry.is_followed();
        entry.bind();
        entry.find_tls();
        if entry.direction(side).is_some_and(Direction::has_hole) && !entry.holed {
            entry.holed = true;
            self.holed.push(slot);
            self.due = self.due.min(at.time.after(DISORDER));
        }
        if entry.recognise_tls() {
            self.counts.tls += 1;
            each(Item::Connection(&entry.connection));
        }
        if entry.recognise_stun(side) {
            self.counts.recognised += 1;
            each(Item::Connection(&entry.connection));
        }
        if entry.tls.as_ref().is_some_and(|tls| tls.is_done_with()) {
            entry.connection.let_go = true;
            return self.remove(slot, each);
        }
        let Some(direction) = entry.directions.as_deref_mut().and_then(|both| both.get_mut(side)) else { return };
        if !entry.connection.stun && !entry.connection.tls {
            if full || direction.framer.is_lost() {
                self.remove(slot, each);
            }
            return;
        }
        let wanted = entry.connection.stun || followed;
        if direction.framer.is_other() {
            // what a server begins with that speaks TLS is a hello or an alert
            if side == 1 && !wanted {
                entry.connection.let_go = true;
                return self.remove(slot, each);
            }
            direction.framer = if entry.tls.is_some() { Framer::midway_in_tls() } else { Framer::midway() };
        }
        let (gaps, conflicts) = (std::mem::take(&mut direction.gaps), std::mem::take(&mut direction.conflicts));
        if let Some(missing) = entry.connection.missing.get_mut(side) {
            *missing = direction.missing;
        }
        if full && !wanted {
            entry.connection.let_go = true;
            return self.remove(slot, each);
        }
        if full {
            self.counts.dropped += 1;
            direction.drop_held();
        }
        if wanted {
            self.counts.conflicts += conflicts;
            self.counts.gaps += gaps;
            if gaps > 0 {
                each(Item::Connection(&entry.connection));
            }
        }
        self.known.recount(slot);
    }

    fn closed(&mut self, slot: u32, at: Seen, segment: &Segment<'_>, side: usize, each: &mut impl FnMut(Item<'_>)) {
        let Some(entry) = self.known.get_mut(slot) else { return };
        let connection = &mut entry.connection;
        let [first, _] = entry.first;
        if segment.flags.rst() {
            let of_syn = connection.came_to_nothing() && entry.directions.is_none() && side == 1;
            if of_syn {
                // the answer to a SYN acknowledges it, and nothing else
                if segment.flags.ack() && first == Some(segment.ack) {
                    connection.refused = Some(at);
                    self.remove(slot, each);
                }
                return;
            }
            if let (Some(rst @ None), Some(ttl)) = (connection.rst.get_mut(side), connection.rst_ttl.get_mut(side)) {
                (*rst, *ttl) = (Some(at), segment.ttl);
            }
        }
        if segment.flags.fin()
            && let Some(fin) = connection.fin.get_mut(side)
        {
            fin.get_or_insert(at);
            if let Some(direction) = entry.directions.as_deref_mut().and_then(|both| both.get_mut(side)) {
                direction.reaches(segment.seq.wrapping_add(segment.length), at);
            }
        }
        // it acknowledges the byte behind the last of the other end, which is a FIN that was not captured
        if segment.flags.ack()
            && let Some(other) = entry.directions.as_deref().and_then(|both| both.get(1 - side))
            && other.is_one_short_of(segment.ack)
            && let Some(fin) = connection.fin.get_mut(1 - side)
        {
            fin.get_or_insert(at);
        }
        let over = connection.rst.iter().any(Option::is_some) || connection.fin.iter().all(Option::is_some);
        if connection.tls && !connection.stun && over && !entry.tls.as_ref().is_some_and(|tls| tls.is_followed()) {
            self.remove(slot, each);
        } else if connection.stun || connection.tls {
            let connection = *connection;
            each(Item::Connection(&connection));
        } else if entry.directions.is_none() {
            self.remove(slot, each);
        }
    }

    fn add(&mut self, connection: Connection, each: &mut impl FnMut(Item<'_>)) -> Option<u32> {
        if self.known.len() >= self.limits.connections {
            self.make_room(each);
        }
        self.known.add(connection)
    }

    /// The quarter that was silent longest goes.
    fn make_room(&mut self, each: &mut impl FnMut(Item<'_>)) {
        let mut all: Vec<(Seen, u32)> = self.known.iter().map(|(slot, entry)| (entry.connection.last, slot)).collect();
        all.sort_unstable_by_key(|&(last, slot)| (last.time, last.frame, slot));
        for &(_, slot) in all.iter().take((all.len() / 4).max(1)) {
            let held = self.known.get(slot).is_some_and(|entry| entry.connection.stun && entry.held() > 0);
            self.counts.dropped += u64::from(held);
            self.remove(slot, each);
        }
    }

    /// A connection is over, or nothing that is read here.
    fn remove(&mut self, slot: u32, each: &mut impl FnMut(Item<'_>)) {
        let Some(mut entry) = self.known.remove(slot) else { return };
        if entry.holed {
            self.holed.retain(|&other| other != slot);
        }
        for side in [0, 1] {
            let Some(direction) = entry.directions.as_deref_mut().and_then(|both| both.get_mut(side)) else { break };
            let mut out = Out::new(&entry.connection, &mut entry.tls, &self.keys, side, each);
            direction.finish(&mut |frame, stamp| out.frame(frame, stamp));
            self.counts.unpadded += out.unpadded;
            let (gaps, conflicts) = (direction.gaps, direction.conflicts);
            let (missing, is_within) = (direction.missing, direction.framer.is_within());
            self.counts.recognised += u64::from(entry.recognise_stun(side));
            self.counts.tls += u64::from(entry.recognise_tls());
            if entry.connection.stun {
                self.counts.gaps += gaps;
                self.counts.conflicts += conflicts;
                self.counts.incomplete += u64::from(is_within);
                if let Some(known) = entry.connection.missing.get_mut(side) {
                    *known = missing;
                }
            }
        }
        each(Item::Connection(&entry.connection));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::TcpFlags;

    fn segment(port: u16, seq: u32, flags: u8, payload: &[u8]) -> Segment<'_> {
        Segment {
            src: Endpoint::v4([10, 0, 0, 2], port),
            dst: Endpoint::v4([192, 0, 2, 1], 3478),
            seq,
            flags: TcpFlags(flags),
            payload,
            length: u32::try_from(payload.len()).unwrap(),
            ttl: 64,
            ..Segment::default()
        }
    }

    #[test]
    fn holes_are_not_looked_at_with_each_frame_where_the_clock_goes_to_and_fro() {
        const HOLES: u16 = 6400;
        let mut streams = Streams::new(Limits::default());
        let (mut frame, mut looks) = (0, 0);
        let mut send = |time: Timestamp, segment: &Segment<'_>| {
            frame += 1;
            let at = Seen { frame, time };
            streams.advance(at, &mut |_| {});
            looks += u32::from(streams.looked == frame);
            streams.segment(at, segment, &mut |_| {});
            (streams.holed.len(), looks)
        };
        let (early, late) = (Timestamp(0), Timestamp(3_600_000_000_000));
        for port in 0..HOLES {
            send(late, &segment(port, 0, 0x02, &[]));
            send(late, &segment(port, 100, 0x10, &[0; 40]));
        }
        let (_, before) = send(late, &segment(HOLES, 0, 0x02, &[]));
        for seq in 0..1000 {
            send(early, &segment(HOLES, 100 + 100 * seq, 0x10, &[0; 40]));
            send(late, &segment(HOLES, 0, 0x02, &[]));
        }
        let (holes, after) = send(late, &segment(HOLES, 0, 0x02, &[]));
        assert!(holes >= usize::from(HOLES), "{holes}");
        assert!((1..=25).contains(&(after - before)), "{} times", after - before);
    }

    #[test]
    fn connections_that_went_with_holes_are_not_looked_at_any_more() {
        let mut streams = Streams::new(Limits::default());
        let mut frame = 0;
        let mut send = |seq: u32, flags: u8, payload: &[u8]| {
            frame += 1;
            let at = Seen { frame, time: Timestamp(0) };
            streams.segment(at, &segment(50_000, seq, flags, payload), &mut |_| {});
            streams.holed.len()
        };
        for round in 1..100 {
            assert_eq!(send(round << 16, 0x02, &[]), 0, "the connection before it is gone");
            // the first bytes are missing
            assert_eq!(send((round << 16) + 100, 0x10, &[0; 40]), 1);
        }
    }
}
