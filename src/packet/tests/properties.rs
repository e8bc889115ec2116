use proptest::prelude::*;

use super::build::*;
use crate::frame::{Frame, LinkType};
use crate::packet::{Packet, Packets, link_type_name};
use crate::time::Timestamp;

/// Dissects twice, so that fragments may meet, and checks what must hold for any bytes.
fn check(frame: &Frame<'_>) {
    let mut packets = Packets::default();
    for now in 0..2 {
        packets.dissect(frame, Timestamp(now), &mut |packet| {
            let (payload, length, truncated, fragments) = match packet {
                Packet::Datagram(datagram) => {
                    (datagram.payload, datagram.length, datagram.truncated, datagram.fragments)
                }
                Packet::Segment(segment) => (segment.payload, segment.length, segment.truncated, 1),
                Packet::IcmpError(error) => {
                    let length = u32::try_from(error.quoted.payload.len()).unwrap();
                    assert!(!error.kind.to_string().is_empty());
                    (error.quoted.payload, length, false, 1)
                }
            };
            let present = u32::try_from(payload.len()).unwrap();
            assert_eq!(truncated, present < length);
            if fragments == 1 {
                assert!(payload.len() <= frame.data.len());
            }
        });
    }
    packets.finish();
    let counts = packets.counts();
    assert_eq!(counts.frames, 2);
}

fn readable() -> Vec<u16> {
    (0..300).filter(|number| link_type_name(LinkType(*number)) != "unknown").collect()
}

/// Frames that reach deep, to be damaged.
fn seeds() -> Vec<(u16, Vec<u8>)> {
    let vxlan = udp(50_000, 4789, &cat(&[&[8, 0, 0, 0, 0, 0, 1, 0], &ethernet(0x0800, &plain())]));
    let gtp = udp(50_000, 2152, &cat(&[&[0x34, 0xff, 0, 70, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0], &plain()]));
    let erspan = cat(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 1, 0, 0, 0, 2], &ethernet(0x0800, &plain())]);
    let chain = cat(&[&[60, 0, 1, 4, 0, 0, 0, 0], &[44, 0, 1, 4, 0, 0, 0, 0], &[17, 0, 0, 1, 0, 0, 0, 1], &[3; 64]]);
    let wifi = cat(&[&[0x88, 1, 0, 0], &[0x11; 18], &[0, 0, 0x80, 0], &[5; 12], &[0, 70], &SNAP, &[8, 0], &plain()]);
    vec![
        (1, ethernet(0x0800, &ipv4(17, &vxlan))),
        (1, ethernet(0x0800, &ipv4(17, &gtp))),
        (113, cat(&[&[0, 4, 0, 1, 0, 6], &[0; 8], &[8, 0], &ipv4(47, &erspan)])),
        (101, ipv6(0, &chain)),
        (105, wifi),
        (1, ethernet(0x0800, &ipv4(1, &cat(&[&[3, 3, 0, 0, 0, 0, 0, 0], &plain()])))),
        (1, ethernet(0x8847, &cat(&[&[0, 1, 0, 9, 0, 2, 1, 9], &ethernet(0x0800, &plain())]))),
        (252, cat(&[&[0, 12, 0, 4], b"stun", &[0, 20, 0, 4, 1, 2, 3, 4], &[0; 4], PAYLOAD])),
        (101, ipv4_part(17, 1, 0x2000, &[1; 64])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_of_any_link_type_are_survived(
        link_type in proptest::sample::select(readable()),
        data in prop::collection::vec(any::<u8>(), 0..300),
        beyond in 0..2000u32,
        fcs_len in 0..16u8,
        big_endian in any::<bool>(),
    ) {
        let original_len = u32::try_from(data.len()).unwrap() + beyond;
        check(&Frame { original_len, fcs_len, big_endian, ..frame(link_type, &data) });
    }

    #[test]
    fn damaged_tunnels_are_survived(
        pick in any::<proptest::sample::Index>(),
        damage in prop::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        kept in any::<proptest::sample::Index>(),
    ) {
        let seeds = seeds();
        let (link_type, mut data) = pick.get(&seeds).clone();
        for (at, value) in damage {
            let at = at.index(data.len());
            data[at] = value;
        }
        check(&frame(link_type, &data));
        let original_len = u32::try_from(data.len()).unwrap();
        check(&Frame { original_len, ..frame(link_type, &data[..kept.index(data.len())]) });
    }
}

#[test]
fn every_single_bit_flip_is_survived() {
    for (link_type, data) in seeds() {
        for bit in 0..data.len() * 8 {
            let mut data = data.clone();
            data[bit / 8] ^= 1 << (bit % 8);
            check(&frame(link_type, &data));
        }
    }
}
