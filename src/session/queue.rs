//! Entries in the order in which they came, found by a hash.

use super::index::Index;
use std::collections::VecDeque;

/// A queue whose entries are found by a [keyed hash](super::keyed) of what they are about. Each has a number, by which it is found at once
/// for as long as it is in the queue; numbers wrap around.
#[derive(Debug)]
pub(super) struct Queue<T> {
    index: Index,
    entries: VecDeque<T>,
    /// The number of the first entry.
    base: u32,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue { index: Index::default(), entries: VecDeque::new(), base: 0 }
    }
}

impl<T> Queue<T> {
    /// How many entries there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Asks for the cache line that [`Queue::find`] and [`Queue::likely`] begin at.
    #[inline]
    pub(super) fn fetch(&self, hash: u64) {
        self.index.fetch(hash);
    }

    /// The number of what is probably the entry with this hash; the entries themselves are not looked at.
    #[inline]
    pub(super) fn likely(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |_| true)
    }

    /// The number of the entry with this hash that is the `same`.
    #[inline]
    pub(super) fn find(&self, hash: u64, mut same: impl FnMut(&T) -> bool) -> Option<u32> {
        self.index.find(hash, |number| self.get(number).is_some_and(&mut same))
    }

    /// The entry with a number.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.entries.get(number.wrapping_sub(self.base) as usize)
    }

    /// The same, to be changed.
    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.entries.get_mut(number.wrapping_sub(self.base) as usize)
    }

    /// The entry that so many are before.
    #[inline]
    pub(super) fn nth(&self, place: usize) -> Option<&T> {
        self.entries.get(place)
    }

    /// The entry that came first.
    #[inline]
    pub(super) fn first_mut(&mut self) -> Option<&mut T> {
        self.entries.front_mut()
    }

    /// One more entry. There must be no more than have numbers.
    #[inline]
    pub(super) fn push(&mut self, hash: u64, entry: T) {
        #[allow(clippy::cast_possible_truncation)] // as it says
        let count = self.entries.len() as u32;
        self.index.insert(hash, self.base.wrapping_add(count));
        self.entries.push_back(entry);
    }

    /// Takes out the entry that came first, given its hash.
    #[inline]
    pub(super) fn pop(&mut self, hash: u64) -> Option<T> {
        self.index.remove(hash, self.base);
        let first = self.entries.pop_front()?;
        self.base = self.base.wrapping_add(1);
        Some(first)
    }

    /// Keeps room for entries, and no more of it than for `most`: as a ring a queue goes through all of its memory, however few entries
    /// there are.
    #[inline]
    pub(super) fn make_place(&mut self, most: usize) {
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
        for value in 0..1000 {
            queue.push(hash(value), value);
            if value >= 10 {
                let first = value - 10;
                assert_eq!(queue.pop(hash(first)), Some(first));
                assert_eq!(queue.find(hash(first), |_| true), None);
            }
            let number = queue.find(hash(value), |&known| known == value).unwrap();
            assert_eq!(queue.likely(hash(value)), Some(number));
            assert_eq!(queue.get(number), Some(&value));
        }
        assert_eq!((queue.len(), queue.nth(0), queue.nth(10)), (10, Some(&990), None));
    }
}
