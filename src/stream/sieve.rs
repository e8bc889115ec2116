//! A small table that tells at once, and mostly rightly, that a connection is not known.

use crate::net::Endpoint;

/// Places in the table: 16 KiB, which stay in the first cache.
const PLACES: usize = 1 << 14;
/// Of a place that so many connections share, or shared once, it is not known any more when it is free.
const CROWDED: u8 = u8::MAX;

/// How many connections there are at each place. Two connections may have the same.
#[derive(Debug)]
pub(super) struct Sieve(Box<[u8]>);

impl Default for Sieve {
    fn default() -> Self {
        Sieve(vec![0; PLACES].into())
    }
}

impl Sieve {
    /// Whether the connection between these ends may be one that was added; never wrong where it says no.
    #[inline]
    pub(super) fn may_hold(&self, one: Endpoint, other: Endpoint) -> bool {
        self.0.get(place(one, other)).is_some_and(|&count| count > 0)
    }

    pub(super) fn add(&mut self, one: Endpoint, other: Endpoint) {
        if let Some(count) = self.0.get_mut(place(one, other)) {
            *count = count.saturating_add(1);
        }
    }

    /// Takes back what was added once.
    pub(super) fn remove(&mut self, one: Endpoint, other: Endpoint) {
        if let Some(count) = self.0.get_mut(place(one, other)).filter(|count| **count < CROWDED) {
            *count = count.saturating_sub(1);
        }
    }
}

/// The same for both directions.
#[inline]
fn place(one: Endpoint, other: Endpoint) -> usize {
    let mixed = one.mixed().wrapping_add(other.mixed()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    #[allow(clippy::cast_possible_truncation)] // the highest bits
    let place = (mixed >> (u64::BITS - PLACES.trailing_zeros())) as usize;
    place
}
