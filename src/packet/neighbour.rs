//! Answers to the question who has an address: ARP replies (RFC 826) and neighbour advertisements (RFC 4861 §4.4).
//!
//! They are no packets to go on with. What they show is that the capture holds what is sent to a host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::frame::Frame;

const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const ICMPV6: u8 = 58;
const ADVERTISEMENT: u8 = 136;

/// To whom an answer in a frame is sent, if it is one: to one host, not to all of them.
#[must_use]
pub fn neighbour_answered(frame: &Frame<'_>) -> Option<IpAddr> {
    let (kind, data) = match frame.link_type.0 {
        1 => {
            let (header, rest) = frame.data.split_first_chunk::<14>()?;
            let &[to, .., high, low] = header;
            if to & 1 == 1 {
                return None; // to a group
            }
            (u16::from_be_bytes([high, low]), rest)
        }
        113 => {
            let (header, rest) = frame.data.split_first_chunk::<16>()?;
            let &[.., high, low] = header;
            (u16::from_be_bytes([high, low]), rest)
        }
        276 => {
            let (header, rest) = frame.data.split_first_chunk::<20>()?;
            let &[high, low, ..] = header;
            (u16::from_be_bytes([high, low]), rest)
        }
        _ => return None,
    };
    match kind {
        ARP => arp(data),
        IPV6 => advertisement(data),
        _ => None,
    }
}

fn arp(data: &[u8]) -> Option<IpAddr> {
    let &[0, 1, 0x08, 0x00, 6, 4, 0, 2, _, _, _, _, _, _, s0, s1, s2, s3, _, _, _, _, _, _, t0, t1, t2, t3] =
        data.first_chunk::<28>()?
    else {
        return None;
    };
    // an announcement names itself twice
    (t0 != 0 && [s0, s1, s2, s3] != [t0, t1, t2, t3]).then_some(IpAddr::V4(Ipv4Addr::new(t0, t1, t2, t3)))
}

fn advertisement(data: &[u8]) -> Option<IpAddr> {
    let (header, rest) = data.split_first_chunk::<40>()?;
    if header.get(6) != Some(&ICMPV6) || rest.first() != Some(&ADVERTISEMENT) {
        return None;
    }
    let to = Ipv6Addr::from(*header.get(24..40)?.first_chunk::<16>()?);
    (!to.is_multicast()).then_some(IpAddr::V6(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::LinkType;

    fn to(data: &[u8]) -> Option<IpAddr> {
        let length = u32::try_from(data.len()).unwrap();
        neighbour_answered(&Frame {
            number: 1,
            time: None,
            digits: 6,
            link_type: LinkType(1),
            data,
            original_len: length,
            fcs_len: 0,
            big_endian: false,
        })
    }

    fn arp_frame(operation: u8, target: [u8; 4]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, operation, 2, 2, 2, 2, 2, 2, 192, 0, 2, 1, 2, 2, 2, 2, 2, 2]);
        frame.extend(target);
        frame
    }

    #[test]
    fn a_reply_is_sent_to_whom_it_names_and_a_question_to_nobody() {
        assert_eq!(to(&arp_frame(2, [192, 0, 2, 9])), Some("192.0.2.9".parse().unwrap()));
        assert_eq!(to(&arp_frame(1, [192, 0, 2, 9])), None);
        assert_eq!(to(&arp_frame(2, [192, 0, 2, 1])), None, "an announcement");
    }

    #[test]
    fn an_advertisement_is_sent_to_its_destination_unless_to_all() {
        let frame = |last: [u8; 16]| {
            let mut frame = vec![2; 12];
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, ICMPV6, 255]);
            frame.extend([0xfe; 16]);
            frame.extend(last);
            frame.extend([ADVERTISEMENT, 0, 0, 0]);
            frame
        };
        let host: Ipv6Addr = "2001:db8::9".parse().unwrap();
        assert_eq!(to(&frame(host.octets())), Some(IpAddr::V6(host)));
        assert_eq!(to(&frame("ff02::1".parse::<Ipv6Addr>().unwrap().octets())), None);
    }

    #[test]
    fn what_is_cut_short_is_no_answer() {
        let whole = arp_frame(2, [192, 0, 2, 9]);
        for length in 0..whole.len() {
            assert_eq!(to(&whole[..length]), None);
        }
    }
}
