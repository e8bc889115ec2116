//! Lists and maps that take no more than so many items: what is kept of a capture is bounded, however much of it there is.

use hashbrown::HashMap;
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

impl<K: Eq + Hash, V, S: BuildHasher> BoundedMap<K, V> for HashMap<K, V, S> {
    #[inline]
    fn entry_up_to(&mut self, max: usize, key: K, new: impl FnOnce() -> V) -> Option<&mut V> {
        let room = self.len() < max;
        match self.entry(key) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(free) => room.then(|| free.insert(new())),
        }
    }
}

impl<K: Ord, V> BoundedMap<K, V> for BTreeMap<K, V> {
    #[inline]
    fn entry_up_to(&mut self, max: usize, key: K, new: impl FnOnce() -> V) -> Option<&mut V> {
        let room = self.len() < max;
        match self.entry(key) {
            btree_map::Entry::Occupied(known) => Some(known.into_mut()),
            btree_map::Entry::Vacant(free) => room.then(|| free.insert(new())),
        }
    }
}

/// A map that forgets: as the younger of two halves, each of at most `MAX`, fills up, the older one goes.
#[derive(Debug)]
pub struct Generations<K, V, const MAX: usize> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    forgotten: u64,
}

impl<K, V, const MAX: usize> Default for Generations<K, V, MAX> {
    fn default() -> Self {
        Generations { young: HashMap::new(), old: HashMap::new(), forgotten: 0 }
    }
}

impl<K: Eq + Hash, V, const MAX: usize> Generations<K, V, MAX> {
    /// The value of a key, if it is not forgotten.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.young.get_mut(key).or_else(|| self.old.get_mut(key))
    }

    /// How many values went for want of room.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Keeps a value, whatever was known of its key.
    pub fn put(&mut self, key: K, value: V) {
        self.make_room(&key);
        self.young.insert(key, value);
    }

    /// The value of a key, which is young again, or new.
    pub fn renew(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.make_room(&key);
        match self.young.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                let known = self.old.remove(free.key());
                free.insert(known.unwrap_or_default())
            }
        }
    }

    fn make_room(&mut self, key: &K) {
        if self.young.len() >= MAX && !self.young.contains_key(key) {
            self.forgotten += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
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
        let (mut hashed, mut sorted) = (HashMap::new(), BTreeMap::new());
        for (key, known) in [(1, Some(10)), (2, Some(20)), (3, None), (1, Some(10))] {
            assert_eq!(hashed.entry_up_to(2, key, || key * 10).copied(), known);
            assert_eq!(sorted.entry_up_to(2, key, || key * 10).copied(), known);
        }
    }

    #[test]
    fn what_was_asked_for_of_late_stays_as_older_things_are_forgotten() {
        let mut map = Generations::<u8, u8, 2>::default();
        [1, 2, 3].into_iter().for_each(|key| map.put(key, key));
        *map.renew(1) += 10;
        map.put(4, 4);
        assert_eq!([1, 2, 3, 4].map(|key| map.get(&key).copied()), [Some(11), None, Some(3), Some(4)]);
        assert_eq!((*map.renew(5), map.forgotten()), (0, 1));
    }
}
