//! Where the entry of a table is that has a certain hash.

use crate::session::warm::fetch;
use std::num::NonZeroU32;

/// Numbers by [keyed hashes](super::keyed): one array in which a number stands where its hash says or soon behind it, so that its cache line
/// can be asked for long before it is read.
#[derive(Debug, Default)]
pub(in crate::session) struct Index {
    /// Half of the hash, never 0, with the number. As many as a power of two, or none.
    places: Vec<Option<(NonZeroU32, u32)>>,
    len: usize,
}

/// How many places there are at first.
const FEWEST: usize = 64;

impl Index {
    /// How many numbers there are.
    #[inline]
    pub(in crate::session) fn len(&self) -> usize {
        self.len
    }

    /// How many there is room for, half of which is used at most.
    #[inline]
    pub(super) fn room(&self) -> usize {
        self.places.len()
    }

    /// Takes all numbers out.
    #[inline(never)]
    pub(super) fn clear(&mut self) {
        self.places.fill(None);
        self.len = 0;
    }

    /// The first number with this hash that is the `same`.
    #[inline]
    pub(in crate::session) fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        let mut at = self.home(tag);
        while let Some(&Some((known, number))) = self.places.get(at) {
            if known == tag && same(number) {
                return Some(number);
            }
            at = self.after(at);
        }
        None
    }

    /// Asks for the cache line in which [`Index::find`] begins.
    #[inline]
    pub(in crate::session) fn fetch(&self, hash: u64) {
        if let Some(place) = self.places.get(self.home(tag(hash))) {
            fetch(place);
        }
    }

    /// One more number, which is not there yet.
    pub(in crate::session) fn insert(&mut self, hash: u64, number: u32) {
        if self.places.len() < self.len.saturating_mul(2).max(FEWEST) {
            self.grow();
        }
        self.put(tag(hash), number);
        self.len += 1;
    }

    /// Takes a number out, if it is there.
    pub(in crate::session) fn remove(&mut self, hash: u64, number: u32) {
        let Some(mut hole) = self.place_of(hash, number) else { return };
        let mask = self.places.len().wrapping_sub(1);
        // what stands behind its place because this one was taken moves up
        let mut at = self.after(hole);
        while let Some(&place @ Some((known, _))) = self.places.get(at) {
            let way = |from: usize| at.wrapping_sub(from) & mask;
            if way(self.home(known)) >= way(hole) {
                self.set(hole, place);
                hole = at;
            }
            at = self.after(at);
        }
        self.set(hole, None);
        self.len -= 1;
    }

    fn place_of(&self, hash: u64, number: u32) -> Option<usize> {
        let wanted = (tag(hash), number);
        let mut at = self.home(wanted.0);
        while let Some(&Some(known)) = self.places.get(at) {
            if known == wanted {
                return Some(at);
            }
            at = self.after(at);
        }
        None
    }

    fn put(&mut self, tag: NonZeroU32, number: u32) {
        let mut at = self.home(tag);
        while let Some(Some(_)) = self.places.get(at) {
            at = self.after(at);
        }
        self.set(at, Some((tag, number)));
    }

    #[inline]
    fn set(&mut self, at: usize, value: Option<(NonZeroU32, u32)>) {
        if let Some(place) = self.places.get_mut(at) {
            *place = value;
        }
    }

    #[inline(never)]
    fn grow(&mut self) {
        let more = self.places.len().saturating_mul(2).max(FEWEST);
        let old = std::mem::replace(&mut self.places, vec![None; more]);
        for (tag, number) in old.into_iter().flatten() {
            self.put(tag, number);
        }
    }

    /// Where a number belongs: the upper bits say it.
    #[inline(always)]
    fn home(&self, tag: NonZeroU32) -> usize {
        let scaled = (u64::from(tag.get()) * self.places.len() as u64) >> 32;
        usize::try_from(scaled).unwrap_or_default()
    }

    #[inline(always)]
    fn after(&self, at: usize) -> usize {
        (at + 1) & self.places.len().wrapping_sub(1)
    }
}

#[inline(always)]
fn tag(hash: u64) -> NonZeroU32 {
    #[allow(clippy::cast_possible_truncation)] // the upper half
    let upper = (hash >> 32) as u32;
    NonZeroU32::MIN | upper
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_was_put_in_is_found_until_it_is_taken_out_however_the_hashes_collide() {
        let mut index = Index::default();
        let mut truth = BTreeMap::new();
        let mut state = 1_u64;
        for round in 0..20_000_u32 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // few different hashes, near each other and at the very end of the array
            let hash = ((state >> 33) % 97) << 56 | u64::MAX >> (state >> 60);
            if state >> 40 & 1 == 0 || truth.is_empty() {
                index.insert(hash, round);
                truth.insert(round, hash);
            } else {
                let (&number, &hash) =
                    truth.range(round.wrapping_mul(7) % round..).next().or(truth.iter().next()).unwrap();
                index.remove(hash, number);
                truth.remove(&number);
                assert_eq!(index.find(hash, |known| known == number), None);
                index.remove(hash, number);
            }
            assert_eq!(index.len(), truth.len());
            if round % 500 == 0 {
                assert!(truth.iter().all(|(&number, &hash)| index.find(hash, |known| known == number).is_some()));
            }
        }
        assert!(index.len() > 0);
    }

    #[test]
    fn an_empty_one_has_nothing() {
        let mut index = Index::default();
        index.fetch(7);
        index.remove(7, 7);
        assert_eq!(index.len(), 0);
        assert_eq!(index.find(7, |_| true), None);
    }
}
