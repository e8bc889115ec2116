//! Answers to the question who has an address: ARP replies (RFC 826) and neighbour advertisements (RFC 4861 §4.4).
//!
//! They are no packets to go on with. What they show is that the capture holds what is sent to a host.

use super::ip::Header;
use std::net::{IpAddr, Ipv4Addr};

const ICMPV6: u8 = 58;
const ADVERTISEMENT: u8 = 136;

/// Whether `data` starts like ARP for IPv4 on Ethernet; for guesses.
pub(super) fn is_plausible(data: &[u8]) -> bool {
    data.starts_with(&[0, 1, 0x08, 0x00, 6, 4])
}

/// To whom an ARP message is sent, if it is an answer.
pub(super) fn arp(data: &[u8]) -> Option<IpAddr> {
    let &[0, 1, 0x08, 0x00, 6, 4, 0, 2, _, _, _, _, _, _, s0, s1, s2, s3, _, _, _, _, _, _, t0, t1, t2, t3] =
        data.first_chunk::<28>()?
    else {
        return None;
    };
    // an announcement names itself twice
    (t0 != 0 && [s0, s1, s2, s3] != [t0, t1, t2, t3]).then_some(IpAddr::V4(Ipv4Addr::new(t0, t1, t2, t3)))
}

/// To whom an ICMP message is sent, if it is a neighbour advertisement to one host.
pub(super) fn advertisement(header: &Header<'_>) -> Option<IpAddr> {
    let is_one = header.protocol == ICMPV6 && header.payload.first() == Some(&ADVERTISEMENT);
    let to = header.dst.ip();
    (is_one && !to.is_multicast()).then_some(to)
}
