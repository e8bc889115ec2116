//! Addresses for addresses: prefixes stay common, and what reaches how far stays so.
//!
//! Bit by bit, each is flipped or not by a keyed function of the bits before it (the construction of Crypto-PAn), but for those bits that decide
//! which special range an address is in. So a special range is mapped to itself, and everything else to what is none.

use super::prf::Key;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses of each family that are kept ready; then they are computed again.
const KEPT: usize = 1 << 16;

/// Prefixes that say how far an address reaches, left-aligned, and their lengths.
const RANGES_V4: [(u32, u32); 9] = [
    (0x0000_0000, 8),
    (0x0a00_0000, 8),
    (0x6440_0000, 10),
    (0x7f00_0000, 8),
    (0xa9fe_0000, 16),
    (0xac10_0000, 12),
    (0xc0a8_0000, 16),
    (0xe000_0000, 4),
    (0xf000_0000, 4),
];

/// The same of IPv6.
const RANGES_V6: [(u128, u32); 6] =
    [(0, 8), (0x2000 << 112, 3), (0x2002 << 112, 16), (0xfc00 << 112, 7), (0xfe80 << 112, 64), (0xff00 << 112, 8)];

pub(super) struct Addresses {
    key: Key,
    v4: HashMap<u32, u32>,
    v6: HashMap<u128, u128>,
}

impl Addresses {
    pub(super) fn new(key: Key) -> Self {
        Addresses { key, v4: HashMap::new(), v6: HashMap::new() }
    }

    /// All addresses that were replaced, as far as they are still known, and by what.
    pub(super) fn replaced(&self) -> BTreeMap<IpAddr, IpAddr> {
        let v4 = self.v4.iter().map(|(&from, &to)| (Ipv4Addr::from(from).into(), Ipv4Addr::from(to).into()));
        let v6 = self.v6.iter().map(|(&from, &to)| (Ipv6Addr::from(from).into(), Ipv6Addr::from(to).into()));
        v4.chain(v6).collect()
    }

    pub(super) fn v4(&mut self, octets: [u8; 4]) -> [u8; 4] {
        let ip = u32::from_be_bytes(octets);
        // 0/8, loopback, multicast and broadcast mean the same everywhere
        if matches!(octets, [0 | 127 | 224..=255, ..]) {
            return octets;
        }
        if let Some(&known) = self.v4.get(&ip) {
            return known.to_be_bytes();
        }
        let mut flips = 0;
        for bit in 0..32 {
            let mask = u32::MAX.checked_shl(32 - bit).unwrap_or(0);
            let decides = RANGES_V4.iter().any(|&(range, length)| bit < length && (ip ^ range) & mask == 0);
            if !decides && self.flip(b"ip4", bit, &(ip & mask).to_be_bytes()) {
                flips |= 1 << (31 - bit);
            }
        }
        if self.v4.len() >= KEPT {
            self.v4.clear();
        }
        self.v4.insert(ip, ip ^ flips);
        (ip ^ flips).to_be_bytes()
    }

    pub(super) fn v6(&mut self, octets: [u8; 16]) -> [u8; 16] {
        let ip = u128::from_be_bytes(octets);
        let (head, [a, b, c, d]) = match octets {
            [head @ .., a, b, c, d] => (head, [a, b, c, d]),
        };
        // an IPv4 address within (RFC 4291 §2.5.5.2, RFC 6052 §2.1)
        if matches!(head, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] | [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]) {
            let v4 = u32::from_be_bytes(self.v4([a, b, c, d]));
            return (ip >> 32 << 32 | u128::from(v4)).to_be_bytes();
        }
        let solicited = ip >> 24 == 0xff02_0000_0000_0000_0000_0001_ff00_0000 >> 24;
        if ip <= 1 || (octets.first() == Some(&0xff) && !solicited) {
            return octets;
        }
        if let Some(&known) = self.v6.get(&ip) {
            return known.to_be_bytes();
        }
        let first = if solicited { 104 } else { 0 };
        let mut flips = 0;
        for bit in first..128 {
            let mask = u128::MAX.checked_shl(128 - bit).unwrap_or(0);
            let decides = RANGES_V6.iter().any(|&(range, length)| bit < length && (ip ^ range) & mask == 0);
            if !decides && self.flip(b"ip6", bit, &(ip & mask).to_be_bytes()) {
                flips |= 1 << (127 - bit);
            }
        }
        if self.v6.len() >= KEPT {
            self.v6.clear();
        }
        self.v6.insert(ip, ip ^ flips);
        (ip ^ flips).to_be_bytes()
    }

    /// Groups and zeros stay; all other MAC addresses become others, whether they were assigned or not staying as it is.
    pub(super) fn mac(&self, octets: [u8; 6]) -> [u8; 6] {
        match octets {
            [0, 0, 0, 0, 0, 0] => octets,
            // made from the address of who is looked for
            [0x33, 0x33, 0xff, ..] => [0x33, 0x33, 0xff, 0, 0, 0],
            [first, ..] if first & 1 == 1 => octets,
            [first, ..] => {
                let [a, b, c, d, e, f, ..] = self.key.block(&[b"mac", &octets]);
                [a & !3 | first & 3, b, c, d, e, f]
            }
        }
    }

    fn flip(&self, family: &[u8], bit: u32, prefix: &[u8]) -> bool {
        let [first, ..] = self.key.block(&[family, &bit.to_be_bytes(), prefix]);
        first & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Scope;

    fn prefix(one: u32, other: u32) -> u32 {
        (one ^ other).leading_zeros()
    }

    proptest::proptest! {
        #[test]
        fn prefixes_and_reach_stay(one: u32, other: u32, key: [u8; 32], common in 0_u32..32) {
            let mut addresses = Addresses::new(Key::new(key));
            let other = one ^ (other >> common);
            let [a, b] = [one, other].map(|ip| u32::from_be_bytes(addresses.v4(ip.to_be_bytes())));
            let special = |ip: u32| matches!(ip >> 24, 0 | 127 | 224..);
            if !special(one) && !special(other) {
                proptest::prop_assert_eq!(prefix(one, other), prefix(a, b));
            }
            for (from, to) in [(one, a), (other, b)] {
                let scope = |ip: u32| Scope::of(IpAddr::V4(Ipv4Addr::from(ip)));
                proptest::prop_assert_eq!(scope(from), scope(to));
            }
        }

        #[test]
        fn ipv6_reach_stays(ip: u128, key: [u8; 32], kind in 0_usize..6) {
            let mut addresses = Addresses::new(Key::new(key));
            let top: u128 = [0x2000, 0xfe80, 0xfd00, 0xff02, 0x2001, 0x0064][kind];
            let ip = ip >> 64 | top << 112;
            let to = addresses.v6(ip.to_be_bytes());
            let scope = |octets: [u8; 16]| Scope::of(IpAddr::V6(Ipv6Addr::from(octets)));
            proptest::prop_assert_eq!(scope(ip.to_be_bytes()), scope(to));
        }
    }

    #[test]
    fn mac_addresses_of_groups_stay_and_others_do_not() {
        let addresses = Addresses::new(Key::new([7; 32]));
        assert_eq!(addresses.mac([0xff; 6]), [0xff; 6]);
        let one = addresses.mac([0x02, 1, 2, 3, 4, 5]);
        assert_ne!(one, [0x02, 1, 2, 3, 4, 5]);
        assert_eq!(one[0] & 3, 2);
    }
}
