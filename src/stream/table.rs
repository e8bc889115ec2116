//! The connections that are still of interest.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

use super::connection::{Connection, Moment, Turned};
use super::direction::{DISORDER, Direction, Piece, Stamp};
use super::entry::{Entry, Look};
use super::framing::Framer;
use super::head;
use super::item::{Counts, Item, Out};
use super::limits::Limits;
use super::sieve::Sieve;
use crate::keys::KeyLog;
use crate::net::Endpoint;
use crate::packet::{IcmpError, Segment};
use crate::time::Timestamp;
use crate::wire::tls;

const TCP: u8 = 6;
/// After anything that a capture can hold.
const NEVER: Timestamp = Timestamp(i64::MAX);

/// Puts TCP streams together, as far as there is STUN in them.
#[derive(Debug)]
pub struct Streams {
    limits: Limits,
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    slots: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// What passes over the segments of unknown connections.
    sieve: Sieve,
    /// Bytes that wait in all connections.
    held: usize,
    /// Connections with holes, and when they are looked at next.
    holed: Vec<u32>,
    due: Timestamp,
    counts: Counts,
    keys: KeyLog,
}

impl Streams {
    /// No connections yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Streams {
            limits,
            hasher: DefaultHashBuilder::default(),
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            sieve: Sieve::default(),
            held: 0,
            holed: Vec::new(),
            due: NEVER,
            counts: Counts::default(),
            keys: KeyLog::new(),
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
        (self.index.len(), self.held)
    }

    /// Takes a segment; `each` gets what it completes.
    #[inline]
    pub fn segment(&mut self, frame: u64, time: Timestamp, segment: &Segment<'_>, each: &mut impl FnMut(Item<'_>)) {
        if self.sieve.may_hold(segment.src, segment.dst)
            || segment.flags.syn()
            || head::may_join(segment.payload, segment.src, segment.dst)
        {
            self.take(Moment { frame, time }, segment, each);
        }
    }

    /// Lets time pass: what waited long enough for bytes that do not come is taken without them. Call it before every frame.
    #[inline(always)]
    pub fn advance(&mut self, now: Moment, each: &mut impl FnMut(Item<'_>)) {
        if now.time >= self.due {
            self.look_at_holes(now, each);
        }
    }

    #[inline(never)]
    fn look_at_holes(&mut self, now: Moment, each: &mut impl FnMut(Item<'_>)) {
        self.due = NEVER;
        for slot in std::mem::take(&mut self.holed) {
            if let Some(entry) = self.entry(slot) {
                entry.holed = false;
            }
            for side in [0, 1] {
                self.wait(slot, now, side, each);
            }
        }
    }

    /// Looks whether a direction has waited long enough.
    fn wait(&mut self, slot: u32, now: Moment, side: usize, each: &mut impl FnMut(Item<'_>)) {
        let limits = self.limits;
        let (entry, keys) = (self.slots.get_mut(slot as usize).and_then(Option::as_mut), &self.keys);
        let Some(Entry { connection, directions, tls, .. }) = entry else { return };
        let Some(direction) = directions.as_mut().and_then(|both| both.get_mut(side)) else { return };
        if !direction.has_hole() {
            return;
        }
        let mut out = Out::new(connection, tls, keys, side, each);
        direction.wait(now, &limits, &mut |frame, stamp| out.frame(frame, stamp));
        let unpadded = out.unpadded;
        self.recount(slot);
        self.counts.unpadded += unpadded;
        self.settle(slot, now, side, each);
    }

    /// Takes an ICMP error, which may quote a segment.
    pub fn icmp(&mut self, at: Moment, error: &IcmpError<'_>, each: &mut impl FnMut(Item<'_>)) {
        let quoted = &error.quoted;
        if quoted.protocol != TCP || !error.kind.is_unreachable() || !self.sieve.may_hold(quoted.src, quoted.dst) {
            return;
        }
        let Some(slot) = self.find(quoted.src, quoted.dst) else { return };
        let Some(entry) = self.entry(slot) else { return };
        if entry.connection.client == quoted.src && entry.connection.icmp.is_none() {
            entry.connection.icmp = Some(Turned { at, sender: error.sender, kind: error.kind });
            let connection = entry.connection;
            each(Item::Connection(&connection));
        }
    }

    /// The capture is over: whatever waits is taken as far as it goes.
    pub fn finish(&mut self, each: &mut impl FnMut(Item<'_>)) {
        let mut all: Vec<(u64, u32)> =
            self.numbered().map(|(slot, entry)| (entry.connection.first.frame, slot)).collect();
        all.sort_unstable();
        for (_, slot) in all {
            self.remove(slot, each);
        }
    }

    fn take(&mut self, at: Moment, segment: &Segment<'_>, each: &mut impl FnMut(Item<'_>)) {
        let (syn, ack) = (segment.flags.syn(), segment.flags.ack());
        let slot = match (self.find(segment.src, segment.dst), syn) {
            (Some(slot), true) if self.is_another(slot, segment) => {
                self.remove(slot, each);
                self.open(at, segment, each)
            }
            (None, true) => self.open(at, segment, each),
            (Some(slot), _) => Some(slot),
            (None, false) if head::may_join(segment.payload, segment.src, segment.dst) => self.join(at, segment, each),
            (None, false) => return,
        };
        let Some((slot, entry)) = slot.and_then(|slot| Some((slot, self.entry(slot)?))) else { return };
        entry.connection.last = at;
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
            let first = self.entry(slot).is_some_and(|entry| entry.directions.is_none());
            self.data(slot, at, segment, side, each);
            // nothing was there before that it could be told to
            if first && ack {
                self.acknowledged(slot, at, segment.ack, 1 - side, each);
            }
        }
        if segment.flags.fin() || segment.flags.rst() {
            self.closed(slot, at, segment, side, each);
        }
    }

    /// Whether a SYN opens another connection than the one that is known on its ports.
    fn is_another(&self, slot: u32, segment: &Segment<'_>) -> bool {
        let Some(entry) = self.slots.get(slot as usize).and_then(Option::as_ref) else { return true };
        let side = entry.connection.side(segment.src);
        let [client, server] = entry.first;
        let known = if side == 0 { client } else { server };
        match known {
            Some(first) => first != segment.seq.wrapping_add(1),
            // the answer to the SYN that is known; or the SYN of what was known without it
            None => !segment.flags.ack(),
        }
    }

    /// A connection begins with this SYN, or with the answer to one that was not captured.
    fn open(&mut self, at: Moment, segment: &Segment<'_>, each: &mut impl FnMut(Item<'_>)) -> Option<u32> {
        let (client, server) =
            if segment.flags.ack() { (segment.dst, segment.src) } else { (segment.src, segment.dst) };
        self.add(Connection::new(client, server, at), each)
    }

    /// A connection that began before the capture, and whose first segment that is looked at begins with a message.
    fn join(&mut self, at: Moment, segment: &Segment<'_>, each: &mut impl FnMut(Item<'_>)) -> Option<u32> {
        let (client, server) = if head::is_of_server(segment.payload, segment.src) {
            (segment.dst, segment.src)
        } else {
            (segment.src, segment.dst)
        };
        self.add(Connection::new(client, server, at), each)
    }

    fn acknowledged(&mut self, slot: u32, at: Moment, ack: u32, side: usize, each: &mut impl FnMut(Item<'_>)) {
        let limits = self.limits;
        let (entry, keys) = (self.slots.get_mut(slot as usize).and_then(Option::as_mut), &self.keys);
        let Some(Entry { connection, directions, tls, .. }) = entry else { return };
        let Some(direction) = directions.as_mut().and_then(|both| both.get_mut(side)) else { return };
        let mut out = Out::new(connection, tls, keys, side, each);
        direction.acknowledge(ack, at, &limits, &mut |frame, stamp| out.frame(frame, stamp));
        let unpadded = out.unpadded;
        self.recount(slot);
        self.counts.unpadded += unpadded;
        self.settle(slot, at, side, each);
    }

    fn data(&mut self, slot: u32, at: Moment, segment: &Segment<'_>, side: usize, each: &mut impl FnMut(Item<'_>)) {
        let limits = self.limits;
        let seq = segment.seq.wrapping_add(u32::from(segment.flags.syn()));
        let (entry, keys) = (self.slots.get_mut(slot as usize).and_then(Option::as_mut), &self.keys);
        let Some(entry) = entry else { return };
        if entry.directions.is_none() {
            match entry.look(seq, segment, side) {
                Look::Wait => return,
                Look::Forget => return self.remove(slot, each),
                Look::Read => {}
            }
        }
        let [client, server] = entry.first;
        // TLS that began before the capture
        let in_tls =
            entry.directions.is_none() && client.is_none() && server.is_none() && tls::is_record(segment.payload);
        let followed = entry.is_followed();
        let both = entry.directions.get_or_insert_with(|| Box::new([Direction::new(client), Direction::new(server)]));
        if in_tls {
            both.iter_mut().for_each(|direction| direction.framer = Framer::midway_in_tls());
        }
        let Some(direction) = both.get_mut(side) else { return };
        direction.framer.seal(keys.is_empty() && !followed);
        let stamp = Stamp { at, ip_id: segment.ip_id, ttl: segment.ttl };
        let piece = Piece { seq, bytes: segment.payload, length: segment.length, stamp };
        let mut out = Out::new(&entry.connection, &mut entry.tls, keys, side, each);
        direction.take(piece, &limits, &mut |frame, stamp| out.frame(frame, stamp));
        let unpadded = out.unpadded;
        self.recount(slot);
        self.counts.unpadded += unpadded;
        self.settle(slot, at, side, each);
    }

    /// What became of a connection by what a direction of it just took.
    fn settle(&mut self, slot: u32, at: Moment, side: usize, each: &mut impl FnMut(Item<'_>)) {
        let full = self.held > self.limits.total;
        let Some(entry) = self.entry(slot) else { return };
        let followed = entry.is_followed();
        let Some(both) = entry.directions.as_deref_mut() else { return };
        if both.iter().any(|direction| direction.framer.is_bound()) {
            // what follows a granted ConnectionBind is the peer's, both ways
            both.iter_mut().for_each(Direction::bind);
            let [client, server] = both;
            entry.connection.carried = Some([client.carried(), server.carried()]);
        }
        // a hello may take several segments
        if entry.tls.is_none() && both.iter().any(|direction| direction.framer.is_tls() && direction.framer.is_framed())
        {
            entry.tls = Some(Box::default());
        }
        let Some(direction) = both.get_mut(side) else { return };
        if direction.has_hole() && !entry.holed {
            entry.holed = true;
            self.holed.push(slot);
            self.due = self.due.min(at.time.after(DISORDER));
            return self.settle(slot, at, side, each);
        }
        let (mut gaps, mut conflicts, mut dropped) = (0, 0, 0);
        if entry.tls.is_some() && !entry.connection.tls {
            entry.connection.tls = true;
            let connection = entry.connection;
            self.counts.tls += 1;
            each(Item::Connection(&connection));
            return self.settle(slot, at, side, each);
        }
        let stun = match &entry.tls {
            Some(tls) => tls.is_stun(),
            None => direction.framer.is_framed() && !direction.framer.is_tls(),
        };
        if stun && !entry.connection.stun {
            entry.connection.stun = true;
            let connection = entry.connection;
            self.counts.recognised += 1;
            each(Item::Connection(&connection));
            return self.settle(slot, at, side, each);
        }
        if entry.tls.as_ref().is_some_and(|tls| tls.is_done_with()) {
            entry.connection.let_go = true;
            return self.remove(slot, each);
        }
        if entry.connection.stun || entry.connection.tls {
            let wanted = entry.connection.stun || followed;
            if direction.framer.is_other() {
                // what a server begins with that speaks TLS is a hello or an alert
                if side == 1 && !wanted {
                    entry.connection.let_go = true;
                    return self.remove(slot, each);
                }
                direction.framer = if entry.tls.is_some() { Framer::midway_in_tls() } else { Framer::midway() };
            }
            gaps = std::mem::take(&mut direction.gaps) * u64::from(wanted);
            conflicts = std::mem::take(&mut direction.conflicts) * u64::from(wanted);
            if let Some(missing) = entry.connection.missing.get_mut(side) {
                *missing = direction.missing;
            }
            if full && !wanted {
                entry.connection.let_go = true;
                return self.remove(slot, each);
            }
            if full {
                dropped = 1;
                direction.drop_held();
            }
        } else if full || direction.framer.is_lost() {
            return self.remove(slot, each);
        }
        if gaps > 0
            && let Some(entry) = self.entry(slot)
        {
            let connection = entry.connection;
            each(Item::Connection(&connection));
        }
        self.recount(slot);
        self.counts.gaps += gaps;
        self.counts.conflicts += conflicts;
        self.counts.dropped += dropped;
    }

    fn closed(&mut self, slot: u32, at: Moment, segment: &Segment<'_>, side: usize, each: &mut impl FnMut(Item<'_>)) {
        let Some(entry) = self.entry(slot) else { return };
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
        if self.index.len() >= self.limits.connections {
            self.make_room(each);
        }
        let ends = ends(connection.client, connection.server);
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(None);
                slot
            }
        };
        *self.slots.get_mut(slot as usize)? =
            Some(Entry { ends, connection, first: [None; 2], directions: None, tls: None, counted: 0, holed: false });
        let (hasher, slots) = (&self.hasher, &self.slots);
        let rehash = |&slot: &u32| match slots.get(slot as usize) {
            Some(Some(entry)) => hasher.hash_one(entry.ends),
            _ => 0,
        };
        self.index.insert_unique(hasher.hash_one(ends), slot, rehash);
        self.sieve.add(ends.0, ends.1);
        Some(slot)
    }

    /// The quarter that was silent longest goes.
    fn make_room(&mut self, each: &mut impl FnMut(Item<'_>)) {
        let mut all: Vec<(Moment, u32)> = self.numbered().map(|(slot, entry)| (entry.connection.last, slot)).collect();
        all.sort_unstable_by_key(|&(last, slot)| (last.time, last.frame, slot));
        for &(_, slot) in all.iter().take((all.len() / 4).max(1)) {
            let held = self.entry(slot).is_some_and(|entry| entry.connection.stun && entry.held() > 0);
            self.counts.dropped += u64::from(held);
            self.remove(slot, each);
        }
    }

    /// A connection is over, or nothing that is read here.
    fn remove(&mut self, slot: u32, each: &mut impl FnMut(Item<'_>)) {
        let Some(mut entry) = self.slots.get_mut(slot as usize).and_then(Option::take) else { return };
        if let Ok(found) = self.index.find_entry(self.hasher.hash_one(entry.ends), |&known| known == slot) {
            found.remove();
        }
        self.sieve.remove(entry.ends.0, entry.ends.1);
        self.free.push(slot);
        self.held = self.held.saturating_sub(entry.counted);
        if let Some(both) = entry.directions.as_deref_mut() {
            for (side, direction) in both.iter_mut().enumerate() {
                let mut out = Out::new(&entry.connection, &mut entry.tls, &self.keys, side, each);
                direction.finish(&mut |frame, stamp| out.frame(frame, stamp));
                self.counts.unpadded += out.unpadded;
                let stun = match &entry.tls {
                    Some(tls) => tls.is_stun(),
                    None => direction.framer.is_framed() && !direction.framer.is_tls(),
                };
                if stun && !entry.connection.stun {
                    entry.connection.stun = true;
                    self.counts.recognised += 1;
                }
                if entry.tls.is_some() && !entry.connection.tls {
                    entry.connection.tls = true;
                    self.counts.tls += 1;
                }
                if entry.connection.stun {
                    self.counts.gaps += direction.gaps;
                    self.counts.conflicts += direction.conflicts;
                    self.counts.incomplete += u64::from(direction.framer.is_within());
                    if let Some(missing) = entry.connection.missing.get_mut(side) {
                        *missing = direction.missing;
                    }
                }
            }
        }
        each(Item::Connection(&entry.connection));
    }

    /// Counts again what waits in a connection.
    fn recount(&mut self, slot: u32) {
        let Some(entry) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        let held = entry.held();
        self.held = self.held.saturating_sub(std::mem::replace(&mut entry.counted, held)).saturating_add(held);
    }

    fn find(&self, src: Endpoint, dst: Endpoint) -> Option<u32> {
        let ends = ends(src, dst);
        let same = |&slot: &u32| matches!(self.slots.get(slot as usize), Some(Some(entry)) if entry.ends == ends);
        self.index.find(self.hasher.hash_one(ends), same).copied()
    }

    fn entry(&mut self, slot: u32) -> Option<&mut Entry> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    fn numbered(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0u32..).zip(&self.slots).filter_map(|(slot, entry)| Some((slot, entry.as_ref()?)))
    }
}

fn ends(one: Endpoint, other: Endpoint) -> (Endpoint, Endpoint) {
    if one <= other { (one, other) } else { (other, one) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_keeps_the_bound_that_is_promised() {
        let limits = Limits::default();
        let each = size_of::<Option<Entry>>() + size_of::<[Direction; 2]>() + 2 * size_of::<u64>();
        let all = limits.connections * each + limits.total;
        assert!(all <= 32 << 20, "{all} bytes, {each} for each connection");
    }
}
