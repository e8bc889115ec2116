//! The connections that are known, and how they are found: by their two ends, in whichever order.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

use super::connection::Connection;
use super::entry::{Entry, sorted};
use super::sieve::Sieve;
use crate::net::Endpoint;
use crate::slots::Slots;

/// The connections, by number and by their ends.
#[derive(Debug, Default)]
pub(super) struct Connections {
    entries: Slots<Entry>,
    hasher: DefaultHashBuilder,
    by_ends: HashTable<u32>,
    /// What tells quickly of most connections that they are not known.
    sieve: Sieve,
    /// Bytes that wait in all of them.
    held: usize,
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes that wait in all of them, as they were counted last.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether there may be one between these ends; never wrong where it says no.
    #[inline]
    pub(super) fn may_hold(&self, src: Endpoint, dst: Endpoint) -> bool {
        self.sieve.may_hold(src, dst)
    }

    pub(super) fn find(&self, src: Endpoint, dst: Endpoint) -> Option<u32> {
        let ends = sorted(src, dst);
        let same = |&slot: &u32| self.entries.get(slot).is_some_and(|entry| entry.ends() == ends);
        self.by_ends.find(self.hasher.hash_one(ends), same).copied()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Entry> {
        self.entries.get(slot)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Entry> {
        self.entries.get_mut(slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.entries.iter()
    }

    pub(super) fn add(&mut self, connection: Connection) -> Option<u32> {
        let entry = Entry::new(connection);
        let ends = entry.ends();
        let slot = self.entries.add(entry)?;
        let (hasher, entries) = (&self.hasher, &self.entries);
        let rehash = |&slot: &u32| entries.get(slot).map_or(0, |entry| hasher.hash_one(entry.ends()));
        self.by_ends.insert_unique(hasher.hash_one(ends), slot, rehash);
        self.sieve.add(ends.0, ends.1);
        Some(slot)
    }

    pub(super) fn remove(&mut self, slot: u32) -> Option<Entry> {
        let entry = self.entries.remove(slot)?;
        if let Ok(found) = self.by_ends.find_entry(self.hasher.hash_one(entry.ends()), |&known| known == slot) {
            found.remove();
        }
        let (one, other) = entry.ends();
        self.sieve.remove(one, other);
        self.held = self.held.saturating_sub(entry.counted);
        Some(entry)
    }

    /// Counts again what waits in a connection.
    pub(super) fn recount(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let held = entry.held();
        self.held = self.held.saturating_sub(std::mem::replace(&mut entry.counted, held)).saturating_add(held);
    }
}

#[cfg(test)]
mod tests {
    use super::super::direction::Direction;
    use super::super::limits::Limits;
    use super::*;

    #[test]
    fn a_full_table_keeps_the_bound_that_is_promised() {
        let limits = Limits::default();
        let each = size_of::<Option<Entry>>() + size_of::<[Direction; 2]>() + 2 * size_of::<u64>();
        let all = limits.connections * each + limits.total;
        assert!(all <= 32 << 20, "{all} bytes, {each} for each connection");
    }
}
