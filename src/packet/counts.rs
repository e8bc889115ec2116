//! What became of the frames: counted, since nothing may be dropped silently.

use crate::bounded::BoundedMap;
use std::collections::BTreeMap;

use crate::frame::LinkType;
use crate::net::Endpoint;
use crate::time::Timestamp;

/// How many frames and packets had which outcome.
///
/// A frame without a packet has exactly one reason among `unsupported`, `not_ip`, `other_transport`, `encrypted`, `malformed`,
/// `too_deep` and `fragments`. A frame with several packets may add several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames looked at.
    pub frames: u64,
    /// UDP datagrams and exported PDUs delivered.
    pub datagrams: u64,
    /// TCP segments delivered.
    pub segments: u64,
    /// ICMP and ICMPv6 errors delivered.
    pub icmp_errors: u64,
    /// Frames of link types that cannot be read.
    pub unsupported: Unsupported,
    /// Frames that hold no IP packet: ARP, LLDP, 802.11 management and the like.
    pub not_ip: u64,
    /// IP packets of protocols that carry nothing of interest: IGMP, SCTP, ICMP other than errors.
    pub other_transport: u64,
    /// Packets that cannot be read since they are encrypted: MACsec, protected 802.11 frames, ESP.
    pub encrypted: u64,
    /// Packets whose headers make no sense, or were cut before the ports.
    pub malformed: u64,
    /// Packets with more headers around them than the limit.
    pub too_deep: u64,
    /// IP fragments.
    pub fragments: FragmentCounts,
}

impl Counts {
    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Counts) {
        let Counts {
            frames,
            datagrams,
            segments,
            icmp_errors,
            unsupported,
            not_ip,
            other_transport,
            encrypted,
            malformed,
            too_deep,
            fragments,
        } = other;
        self.frames += frames;
        self.datagrams += datagrams;
        self.segments += segments;
        self.icmp_errors += icmp_errors;
        for (&link_type, &count) in &unsupported.by_type {
            self.unsupported.add(link_type, count);
        }
        self.unsupported.others += unsupported.others;
        self.not_ip += not_ip;
        self.other_transport += other_transport;
        self.encrypted += encrypted;
        self.malformed += malformed;
        self.too_deep += too_deep;
        let FragmentCounts { seen, first, completed, incomplete, overlaps, duplicates, malformed, dropped } = fragments;
        self.fragments.first += first;
        self.fragments.seen += seen;
        self.fragments.completed += completed;
        self.fragments.incomplete += incomplete;
        self.fragments.overlaps += overlaps;
        self.fragments.duplicates += duplicates;
        self.fragments.malformed += malformed;
        self.fragments.dropped += dropped;
    }
}

/// How many frames of which link types could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsupported {
    by_type: BTreeMap<LinkType, u64>,
    others: u64,
}

impl Unsupported {
    /// Link types counted one by one.
    const MAX: usize = 64;

    pub(super) fn add(&mut self, link_type: LinkType, frames: u64) {
        let count = self.by_type.entry_up_to(Self::MAX, link_type, || 0);
        *count.unwrap_or(&mut self.others) += frames;
    }

    /// The link types in ascending order, each with its number of frames; at most 64.
    pub fn iter(&self) -> impl Iterator<Item = (LinkType, u64)> + '_ {
        self.by_type.iter().map(|(link_type, count)| (*link_type, *count))
    }

    /// Frames of all unsupported link types together, those beyond the 64th among them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_type.values().sum::<u64>() + self.others
    }
}

/// What became of IP fragments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounts {
    /// Fragments seen.
    pub seen: u64,
    /// Those of them that begin a packet: only these have ports, so that a filter on ports lets them pass and no other.
    pub first: u64,
    /// Packets put together from them.
    pub completed: u64,
    /// Packets of which parts were still missing when their time was over or the capture ended.
    pub incomplete: u64,
    /// Fragments that covered, in part or with other content, what was there before; the bytes that came first count.
    pub overlaps: u64,
    /// Fragments that repeated what was there before, byte for byte.
    pub duplicates: u64,
    /// Fragments that no packet can have: past the end, past 65,535 bytes, or of a length that leaves a gap.
    pub malformed: u64,
    /// Packets given up since there were too many at a time, too many bytes or too many parts.
    pub dropped: u64,
}

/// A fragmented IP packet of which parts never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// Who sent it; port 0 unless the first fragment of a UDP or TCP packet was seen.
    pub src: Endpoint,
    /// To whom; port 0 as for `src`.
    pub dst: Endpoint,
    /// IANA protocol number.
    pub protocol: u8,
    /// The identification that its fragments share.
    pub ip_id: u32,
    /// When its first fragment in the capture was seen.
    pub first_seen: Timestamp,
    /// Bytes that came.
    pub received: u32,
    /// Bytes that there should be; `None` where the last fragment is missing.
    pub expected: Option<u32>,
    /// Fragments that came.
    pub fragments: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsupported_link_types_are_counted_within_a_bound() {
        let mut unsupported = Unsupported::default();
        for number in 0..200 {
            unsupported.add(LinkType(number), 1);
            unsupported.add(LinkType(3), 1);
        }
        assert_eq!(unsupported.iter().count(), Unsupported::MAX);
        assert_eq!(unsupported.total(), 400);
    }
}
