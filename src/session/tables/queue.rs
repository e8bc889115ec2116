//! Entries in the order in which they came, found by a hash.

use super::index::Index;
use std::collections::VecDeque;

/// A queue whose entries are found by a [keyed hash](super::keyed) of what they are about. Each has a number, by which it is found at once
/// for as long as it is in the queue; numbers wrap around.
#[derive(Debug)]
pub(in crate::session) struct Queue<T> {
    /// Where the numbers of what came last are, at least of as many as there are entries.
    young: Index,
    /// Where the numbers of what came before that are. What is gone stays in an index until all of it is forgotten: to find it there only to
    /// take it out would cost a cache line for each entry.
    old: Index,
    entries: VecDeque<T>,
    /// The number of the first entry.
    base: u32,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue { young: Index::default(), old: Index::default(), entries: VecDeque::new(), base: 0 }
    }
}

impl<T> Queue<T> {
    /// How many entries there are.
    #[inline]
    pub(in crate::session) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Asks for the cache line that [`Queue::find`] and [`Queue::likely`] begin at.
    #[inline]
    pub(in crate::session) fn fetch(&self, hash: u64) {
        self.young.fetch(hash);
    }

    /// Asks for the one that they go on at with what is new or came long ago.
    #[inline]
    pub(in crate::session) fn fetch_old(&self, hash: u64) {
        self.old.fetch(hash);
    }

    /// The number of what is probably the entry with this hash; the entries themselves are not looked at.
    #[inline]
    pub(in crate::session) fn likely(&self, hash: u64) -> Option<u32> {
        let is_there = |number: u32| (number.wrapping_sub(self.base) as usize) < self.entries.len();
        self.young.find(hash, is_there).or_else(|| self.old.find(hash, is_there))
    }

    /// The number of the entry with this hash that is the `same`.
    #[inline]
    pub(in crate::session) fn find(&self, hash: u64, same: impl Fn(&T) -> bool) -> Option<u32> {
        let same = |number| self.get(number).is_some_and(&same);
        self.young.find(hash, same).or_else(|| self.old.find(hash, same))
    }

    /// The entry with a number.
    #[inline]
    pub(in crate::session) fn get(&self, number: u32) -> Option<&T> {
        self.entries.get(number.wrapping_sub(self.base) as usize)
    }

    /// The same, to be changed.
    #[inline]
    pub(in crate::session) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.entries.get_mut(number.wrapping_sub(self.base) as usize)
    }

    /// The entry that so many are before.
    #[inline]
    pub(in crate::session) fn nth(&self, place: usize) -> Option<&T> {
        self.entries.get(place)
    }

    /// So many of the entries, those that came last before the others.
    pub(in crate::session) fn newest(&self, count: usize) -> impl Iterator<Item = &T> {
        self.entries.iter().rev().take(count)
    }

    /// The entry that came first.
    #[inline]
    pub(in crate::session) fn first_mut(&mut self) -> Option<&mut T> {
        self.entries.front_mut()
    }

    /// One more entry. There must be no more than have numbers.
    #[inline]
    pub(in crate::session) fn push(&mut self, hash: u64, entry: T) {
        #[allow(clippy::cast_possible_truncation)] // as it says
        let count = self.entries.len() as u32;
        // all that is still there came since the last time, and so much did that to clear an index costs each of it little
        if self.young.len() >= self.entries.len().max(self.young.room() / 4) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(hash, self.base.wrapping_add(count));
        self.entries.push_back(entry);
    }

    /// Takes out the entry that came first.
    #[inline]
    pub(in crate::session) fn pop(&mut self) -> Option<T> {
        let first = self.entries.pop_front()?;
        self.base = self.base.wrapping_add(1);
        Some(first)
    }

    /// Keeps room for entries, and no more of it than for `most`: as a ring a queue goes through all of its memory, however few entries
    /// there are.
    #[inline]
    pub(in crate::session) fn make_place(&mut self, most: usize) {
        let length = self.entries.len();
        if length == self.entries.capacity() && (length..length.saturating_mul(2)).contains(&most) {
            self.entries.reserve_exact(most - length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_number_and_hash_until_they_are_taken_out_in_order() {
        let mut queue = Queue::default();
        let hash = |value: u64| value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // it gets longer and shorter again and again, so that both indexes take their turns
        for value in 0..5000 {
            queue.push(hash(value), value);
            let wanted = 10 + value % 700 / 2;
            while queue.len() as u64 > wanted {
                let first = *queue.nth(0).unwrap();
                assert_eq!(queue.pop(), Some(first));
                assert_eq!(queue.find(hash(first), |&known| known == first), None);
            }
            let oldest = *queue.nth(0).unwrap();
            for known in [oldest, (oldest + value) / 2, value] {
                let number = queue.find(hash(known), |&other| other == known).unwrap();
                assert_eq!(queue.likely(hash(known)), Some(number));
                assert_eq!(queue.get(number), Some(&known));
            }
        }
        assert_eq!(queue.find(hash(5000), |&known| known == 5000), None);
    }
}
