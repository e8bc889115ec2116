//! Lists and maps that take no more than so many items: what is kept of a capture is bounded, however much of it there is.

use hashbrown::hash_map::Entry;
use std::collections::{BTreeMap, btree_map};
use std::hash::{BuildHasher, Hash};

/// A list that is kept below a bound.
pub trait BoundedList<T> {
    /// Adds the item if there are fewer than `max`; whether there were.
    fn push_up_to(&mut self, max: usize, item: T) -> bool;

    /// Adds the item if there are fewer than `max` and it is none of them.
    fn push_new_up_to(&mut self, max: usize, item: T)
    where
        T: PartialEq;
}

impl<T> BoundedList<T> for Vec<T> {
    #[inline]
    fn push_up_to(&mut self, max: usize, item: T) -> bool {
        let room = self.len() < max;
        if room {
            self.push(item);
        }
        room
    }

    fn push_new_up_to(&mut self, max: usize, item: T)
    where
        T: PartialEq,
    {
        if self.len() < max && !self.contains(&item) {
            self.push(item);
        }
    }
}

/// A map that is kept below a bound.
pub trait BoundedMap<K, V> {
    /// The value of a key, which is added if it is not there and there are fewer than `max`; `None` where there is no room for it.
    fn entry_up_to(&mut self, max: usize, key: K, new: impl FnOnce() -> V) -> Option<&mut V>;
}

impl<K: Eq + Hash, V, S: BuildHasher> BoundedMap<K, V> for hashbrown::HashMap<K, V, S> {
    fn entry_up_to(&mut self, max: usize, key: K, new: impl FnOnce() -> V) -> Option<&mut V> {
        let room = self.len() < max;
        match self.entry(key) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(free) => room.then(|| free.insert(new())),
        }
    }
}

impl<K: Ord, V> BoundedMap<K, V> for BTreeMap<K, V> {
    fn entry_up_to(&mut self, max: usize, key: K, new: impl FnOnce() -> V) -> Option<&mut V> {
        let room = self.len() < max;
        match self.entry(key) {
            btree_map::Entry::Occupied(known) => Some(known.into_mut()),
            btree_map::Entry::Vacant(free) => room.then(|| free.insert(new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_stays_and_what_there_is_no_room_for_is_not_added() {
        let mut list = Vec::new();
        assert_eq!([1, 2, 3].map(|item| list.push_up_to(2, item)), [true, true, false]);
        [2, 3, 4].into_iter().for_each(|item| list.push_new_up_to(3, item));
        assert_eq!(list, [1, 2, 3]);
        let (mut hashed, mut sorted) = (hashbrown::HashMap::new(), BTreeMap::new());
        for (key, known) in [(1, Some(10)), (2, Some(20)), (3, None), (1, Some(10))] {
            assert_eq!(hashed.entry_up_to(2, key, || key * 10).copied(), known);
            assert_eq!(sorted.entry_up_to(2, key, || key * 10).copied(), known);
        }
    }
}
