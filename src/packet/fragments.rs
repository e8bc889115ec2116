//! IP fragments, put together in bounded memory.
//!
//! Parts are kept as they came, not in a buffer of the final size, so that one small fragment at the far end costs little. Where
//! fragments overlap, the bytes that came first count.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::net::Endpoint;
use crate::time::{Span, Timestamp};

use super::counts::{FragmentCounts, Incomplete};
use super::ip::{Fragment, Header};

/// The largest payload that an IP packet can have.
const MAX_END: u32 = 65_535;
/// What a part costs in memory beside its bytes.
const PART_COST: usize = 64;
/// For how long copies of a finished packet's fragments (mirror ports) are told from a new packet with the same number.
const COPIES: Span = Span::from_secs(1);
/// How many packets that stayed incomplete are remembered one by one.
const MAX_INCOMPLETE: usize = 64;

/// Bounds on packets that wait for fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentLimits {
    /// Packets at a time.
    pub packets: usize,
    /// Bytes over all of them, with what keeping them costs.
    pub bytes: usize,
    /// Parts of one packet.
    pub parts: usize,
    /// Capture time from a packet's first fragment until it is given up.
    pub age: Span,
}

impl Default for FragmentLimits {
    fn default() -> Self {
        FragmentLimits { packets: 1024, bytes: 4 << 20, parts: 256, age: Span::from_secs(30) }
    }
}

/// A packet of which all fragments came.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) payload: Vec<u8>,
    /// What the payload starts with.
    pub(super) protocol: u8,
    /// Of the first fragment.
    pub(super) ttl: u8,
    pub(super) fragments: u16,
    /// Bytes behind `payload` that a snap length cut off, counted from the first gap.
    pub(super) missing: u32,
}

/// RFC 791 §3.2 identifies by protocol too, RFC 8200 §4.5 does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    src: Endpoint,
    dst: Endpoint,
    ip_id: u32,
    protocol: u8,
}

#[derive(Debug)]
struct Entry {
    first_seen: Timestamp,
    /// Tells this entry from an earlier one with the same key.
    serial: u64,
    /// In ascending order, never overlapping.
    parts: Vec<Part>,
    /// Known once the last fragment came.
    end: Option<u32>,
    protocol: u8,
    ttl: u8,
    fragments: u16,
    /// Set when it was delivered.
    finished: Option<Timestamp>,
}

#[derive(Debug)]
struct Part {
    start: u32,
    /// By the headers.
    end: u32,
    /// Shorter than from `start` to `end` if a snap length cut it.
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Fragments {
    limits: FragmentLimits,
    entries: HashMap<Key, Entry>,
    /// Oldest first; some of them gone already.
    order: VecDeque<(Key, u64)>,
    serial: u64,
    bytes: usize,
    incomplete: Vec<Incomplete>,
}

impl Fragments {
    pub(super) fn new(limits: FragmentLimits) -> Self {
        Fragments { limits, ..Fragments::default() }
    }

    pub(super) fn incomplete(&self) -> &[Incomplete] {
        &self.incomplete
    }

    /// Takes a fragment in, and gives the packet if it was the last that was missing.
    pub(super) fn add(
        &mut self,
        header: &Header<'_>,
        fragment: Fragment,
        now: Timestamp,
        counts: &mut FragmentCounts,
    ) -> Option<Whole> {
        counts.seen += 1;
        counts.first += u64::from(fragment.offset == 0);
        self.expire(now, counts);
        let length = u32::try_from(header.payload.len()).ok()?.saturating_add(header.missing);
        let end = fragment.offset.saturating_add(length);
        // All but the last fill whole units of eight bytes (RFC 791 §3.2, RFC 8200 §4.5).
        if length == 0 || end > MAX_END || (fragment.more && !length.is_multiple_of(8)) {
            counts.malformed += 1;
            return None;
        }
        let protocol = if header.src.is_v6() { 0 } else { header.protocol };
        let key = Key { src: header.src, dst: header.dst, ip_id: header.ip_id, protocol };
        if let Some(entry) = self.entries.get(&key)
            && let Some(finished) = entry.finished
        {
            if (0..=COPIES.0).contains(&now.since(finished).0) {
                counts.duplicates += 1;
                return None;
            }
            self.entries.remove(&key);
        }
        if !self.entries.contains_key(&key) {
            self.open(key, header, now, counts);
        }
        let entry = self.entries.get_mut(&key)?;
        if !entry.accepts(end, fragment.more) {
            counts.malformed += 1;
            return None;
        }
        if !fragment.more {
            entry.end = Some(end);
        }
        if fragment.offset == 0 {
            entry.protocol = header.protocol;
            entry.ttl = header.ttl;
        }
        let before = entry.cost();
        entry.insert(fragment.offset, end, header.payload, counts);
        self.bytes = self.bytes.saturating_add(entry.cost()).saturating_sub(before);
        if entry.parts.len() > self.limits.parts {
            counts.dropped += 1;
            self.remove(&key);
            return None;
        }
        if entry.is_complete() {
            counts.completed += 1;
            let whole = entry.take(now);
            self.bytes = self.bytes.saturating_sub(whole.1);
            return Some(whole.0);
        }
        while self.bytes > self.limits.bytes && self.drop_oldest(counts) {}
        None
    }

    /// The capture is over: what is incomplete stays so.
    pub(super) fn finish(&mut self, counts: &mut FragmentCounts) {
        while let Some((key, serial)) = self.order.pop_front() {
            if self.is_live(&key, serial) {
                self.give_up(&key, counts);
            }
        }
    }

    fn open(&mut self, key: Key, header: &Header<'_>, now: Timestamp, counts: &mut FragmentCounts) {
        while self.entries.len() >= self.limits.packets.max(1) && self.drop_oldest(counts) {}
        if self.order.len() > self.limits.packets.saturating_mul(2) {
            let entries = &self.entries;
            self.order.retain(|(key, serial)| entries.get(key).is_some_and(|entry| entry.serial == *serial));
        }
        self.serial += 1;
        self.order.push_back((key, self.serial));
        let entry = Entry {
            first_seen: now,
            serial: self.serial,
            parts: Vec::new(),
            end: None,
            protocol: header.protocol,
            ttl: header.ttl,
            fragments: 0,
            finished: None,
        };
        self.entries.insert(key, entry);
    }

    /// What waiting fragments cost, in bytes.
    #[cfg(test)]
    pub(super) fn cost(&self) -> usize {
        self.entries.values().map(Entry::cost).sum()
    }

    /// Places in the queue.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.order.len()
    }

    fn is_live(&self, key: &Key, serial: u64) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.serial == serial)
    }

    fn expire(&mut self, now: Timestamp, counts: &mut FragmentCounts) {
        while let Some((key, serial)) = self.order.front().copied() {
            if self.is_live(&key, serial) {
                let too_old = |entry: &Entry| now.since(entry.first_seen) > self.limits.age;
                if !self.entries.get(&key).is_some_and(too_old) {
                    return;
                }
                self.give_up(&key, counts);
            }
            self.order.pop_front();
        }
    }

    /// Whether there was any to drop.
    fn drop_oldest(&mut self, counts: &mut FragmentCounts) -> bool {
        while let Some((key, serial)) = self.order.pop_front() {
            if self.is_live(&key, serial) {
                if self.entries.get(&key).is_some_and(|entry| entry.finished.is_none()) {
                    counts.dropped += 1;
                }
                self.remove(&key);
                return true;
            }
        }
        false
    }

    fn give_up(&mut self, key: &Key, counts: &mut FragmentCounts) {
        let Some(entry) = self.remove(key).filter(|entry| entry.finished.is_none()) else { return };
        counts.incomplete += 1;
        if self.incomplete.len() < MAX_INCOMPLETE {
            self.incomplete.push(entry.describe(key));
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.bytes = self.bytes.saturating_sub(entry.cost());
        Some(entry)
    }
}

impl Entry {
    /// Whether a fragment fits what is known of the packet's end.
    fn accepts(&self, end: u32, more: bool) -> bool {
        match self.end {
            Some(known) => {
                if more {
                    end < known
                } else {
                    end == known
                }
            }
            None => more || self.parts.last().is_none_or(|part| part.end <= end),
        }
    }

    fn cost(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len() + PART_COST).sum()
    }

    /// Keeps of `bytes`, which stand for `start..end`, what is not there yet.
    fn insert(&mut self, start: u32, end: u32, bytes: &[u8], counts: &mut FragmentCounts) {
        self.fragments = self.fragments.saturating_add(1);
        let piece = |from: u32, to: u32| {
            let from = (from.saturating_sub(start) as usize).min(bytes.len());
            let to = (to.saturating_sub(start) as usize).min(bytes.len());
            bytes.get(from..to).unwrap_or_default()
        };
        let mut gaps = Vec::new();
        let mut at = start;
        let mut differs = false;
        for part in self.parts.iter().filter(|part| part.start < end && part.end > start) {
            if at < part.start {
                gaps.push((at, part.start));
            }
            let (from, to) = (part.start.max(start), part.end.min(end));
            let kept = part.bytes.get((from - part.start) as usize..).unwrap_or_default();
            differs |= piece(from, to).iter().zip(kept).any(|(new, old)| new != old);
            at = part.end;
        }
        let repeats = at > start;
        if at < end {
            gaps.push((at, end));
        }
        if repeats {
            *(if differs || !gaps.is_empty() { &mut counts.overlaps } else { &mut counts.duplicates }) += 1;
        }
        for (from, to) in gaps {
            let place = self.parts.partition_point(|part| part.start < from);
            self.parts.insert(place, Part { start: from, end: to, bytes: piece(from, to).to_vec() });
        }
    }

    fn is_complete(&self) -> bool {
        let mut at = 0;
        for part in &self.parts {
            if part.start != at {
                return false;
            }
            at = part.end;
        }
        self.end == Some(at)
    }

    /// The packet, and the cost of what is no longer kept.
    fn take(&mut self, now: Timestamp) -> (Whole, usize) {
        let cost = self.cost();
        let mut payload = Vec::with_capacity(self.end.unwrap_or(0) as usize);
        for part in self.parts.drain(..) {
            // Behind a gap nothing can be said to be in its place.
            if payload.len() != part.start as usize {
                break;
            }
            payload.extend_from_slice(&part.bytes);
        }
        self.parts = Vec::new();
        self.finished = Some(now);
        let present = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let missing = self.end.unwrap_or(0).saturating_sub(present);
        (Whole { payload, protocol: self.protocol, ttl: self.ttl, fragments: self.fragments, missing }, cost)
    }

    fn describe(&self, key: &Key) -> Incomplete {
        let ports = match (self.parts.first(), self.protocol) {
            (Some(Part { start: 0, bytes, .. }), 6 | 17) => bytes.first_chunk::<4>().copied().unwrap_or_default(),
            _ => [0; 4],
        };
        let [a, b, c, d] = ports;
        Incomplete {
            src: key.src.with_port(u16::from_be_bytes([a, b])),
            dst: key.dst.with_port(u16::from_be_bytes([c, d])),
            protocol: self.protocol,
            ip_id: key.ip_id,
            first_seen: self.first_seen,
            received: self.parts.iter().map(|part| part.end - part.start).sum(),
            expected: self.end,
            fragments: self.fragments,
        }
    }
}
