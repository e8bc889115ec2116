//! Keyed hashing of what every message is looked up by: a word or two, in a few instructions.

use crate::net::Endpoint;
use crate::session::flow::Ends;
use crate::wire::stun::TransactionId;
use hashbrown::DefaultHashBuilder;
use std::hash::BuildHasher;

/// A hash that nobody can foresee who does not know the keys, which are drawn for each table: transaction ids and ports are the sender's to
/// choose. One multiplication of 64 by 64 bits whose halves are folded, as the hasher does it that everything else is hashed by.
#[derive(Clone, Debug)]
pub(in crate::session) struct Keyed {
    keys: [u64; 2],
    others: DefaultHashBuilder,
}

impl Default for Keyed {
    fn default() -> Self {
        let others = DefaultHashBuilder::default();
        Keyed { keys: [others.hash_one(1_u64), others.hash_one(2_u64)], others }
    }
}

impl Keyed {
    #[inline(always)]
    fn words(&self, one: u64, other: u64) -> u64 {
        let [first, second] = self.keys;
        let wide = u128::from(one ^ first) * u128::from(other ^ second);
        #[allow(clippy::cast_possible_truncation)] // the two halves
        let (high, low) = ((wide >> 64) as u64, wide as u64);
        let mixed = high ^ low;
        // where a key has few bits in its upper half, addresses in a row differ little in the upper half of this, which `Index` goes by
        mixed ^ mixed << 32
    }

    /// The hash of an id.
    #[inline]
    pub(in crate::session) fn id(&self, id: TransactionId) -> u64 {
        let [high, low] = id.words();
        self.words(high, low)
    }

    /// The hash of the ends of a flow.
    #[inline]
    pub(in crate::session) fn ends(&self, ends: &Ends) -> u64 {
        match (ends.low.word(), ends.high.word()) {
            (Some(low), Some(high)) => self.words(low, high),
            _ => self.others.hash_one(ends),
        }
    }

    /// The hash of an end.
    #[inline]
    pub(in crate::session) fn end(&self, end: Endpoint) -> u64 {
        match end.word() {
            Some(word) => self.words(word, 0),
            None => self.others.hash_one(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_differs_in_any_bit_has_another_hash_also_in_the_bits_that_tables_use() {
        let keyed = Keyed { keys: [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344], ..Keyed::default() };
        let hashes = of_addresses_in_a_row(&keyed);
        assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), hashes.len());
        // 40,000 in 65,536 places leave about 54 % of these empty, if they fall at random
        let places: BTreeSet<u64> = hashes.iter().map(|hash| hash % 65_536).collect();
        assert!((28_500..31_500).contains(&places.len()), "{}", places.len());
        let tags: BTreeSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
        assert_eq!(tags.len(), 128);
    }

    #[test]
    fn addresses_in_a_row_spread_over_the_upper_half_whatever_the_keys_are() {
        for upper in 0..40 {
            // the upper half of a key: from none of its bits to many
            let keys = [0x1319_8a2e_0370_7344 >> upper, 0x243f_6a88_85a3_08d3 >> (upper / 2)];
            let keyed = Keyed { keys, ..Keyed::default() };
            let places: BTreeSet<u64> = of_addresses_in_a_row(&keyed).iter().map(|hash| hash >> 48).collect();
            assert!(places.len() > 24_000, "{keys:x?}: {}", places.len());
        }
    }

    fn of_addresses_in_a_row(keyed: &Keyed) -> Vec<u64> {
        let ends = |address: u32, port: u16| {
            Ends::of(Endpoint::v4(address.to_be_bytes(), port), Endpoint::v4([192, 0, 2, 1], 3478))
        };
        (0..200_u32)
            .flat_map(|address| (0..200).map(move |port| (address, port)))
            .map(|(address, port)| keyed.ends(&ends(0x0a00_0000 + address, 49_152 + port)))
            .collect()
    }

    #[test]
    fn ends_of_both_families_and_both_orders_are_hashed() {
        let keyed = Keyed::default();
        let (v4, v6) = (Endpoint::v4([192, 0, 2, 1], 3478), Endpoint::v6([1; 16], 3478));
        assert_ne!(keyed.end(v4), keyed.end(v6));
        assert_eq!(keyed.ends(&Ends::of(v4, v6)), keyed.ends(&Ends::of(v6, v4)));
        assert_ne!(keyed.ends(&Ends { low: v4, high: v6 }), keyed.ends(&Ends { low: v6, high: v4 }));
    }
}
