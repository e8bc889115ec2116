use proptest::prelude::*;

use super::build::*;
use crate::frame::Frame;
use crate::packet::{Packets, fast};
use crate::time::Timestamp;

/// Asserts that the short way, where it gives a packet at all, gives what the long way gives; says whether it did.
fn assert_same(frame: &Frame<'_>) -> bool {
    let Some(fast) = fast::dissect(frame) else { return false };
    let mut slow = Vec::new();
    Packets::default().dissect_slowly(frame, Timestamp(0), &mut |packet| slow.push(format!("{packet:?}")));
    assert_eq!(slow, [format!("{fast:?}")], "{frame:?}");
    true
}

fn corpus() -> Vec<(u16, Vec<u8>)> {
    let mut transports = vec![(6, tcp(0x12, &[2, 4, 5, 0xb4], b"")), (6, tcp(0xff, b"", PAYLOAD))];
    for payload in [&b""[..], b"x", PAYLOAD, &[7; 1400]] {
        transports.push((17, udp(40_000, 3478, payload)));
        transports.push((17, udp(4789, 3478, payload)));
    }
    let mut frames = Vec::new();
    for (protocol, bytes) in &transports {
        let options = {
            let mut packet = ipv4(*protocol, &cat(&[&[1; 8], bytes]));
            packet[0] = 0x47;
            packet
        };
        for (kind, packet) in [(0x0800u16, ipv4(*protocol, bytes)), (0x0800, options), (0x86dd, ipv6(*protocol, bytes))]
        {
            let tag = cat(&[&[0, 5], &kind.to_be_bytes(), &packet]);
            frames.push((1, ethernet(kind, &packet)));
            frames.push((1, ethernet(0x8100, &tag)));
            frames.push((1, ethernet(0x88a8, &cat(&[&[0, 1, 0x81, 0], &tag]))));
            frames.push((1, ethernet(kind, &cat(&[&packet, &[0; 18]]))));
            frames.push((113, cat(&[&[0, 4, 0, 1, 0, 6], &[0; 8], &kind.to_be_bytes(), &packet])));
            frames.push((101, packet.clone()));
            frames.push((276, cat(&[&kind.to_be_bytes(), &[0; 6], &[0, 1, 4, 6], &[0; 8], &packet])));
        }
    }
    frames
}

#[test]
fn the_short_way_agrees_with_the_long_way() {
    let mut short = 0;
    for (link_type, data) in corpus() {
        assert!(
            assert_same(&frame(link_type, &data)) || data.windows(2).any(|port| port == [0x12, 0xb5]),
            "{link_type}"
        );
        // Cut at every byte, as by a snap length.
        let step = (data.len() / 100).max(1);
        for kept in (0..data.len()).step_by(step) {
            let original_len = u32::try_from(data.len()).unwrap();
            short += usize::from(assert_same(&Frame { original_len, ..frame(link_type, &data[..kept]) }));
        }
    }
    assert!(short > 1000, "{short}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_two_ways_agree_on_damaged_frames(
        pick in any::<proptest::sample::Index>(),
        damage in prop::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        kept in any::<proptest::sample::Index>(),
        cut in any::<bool>(),
        fcs_len in prop_oneof![Just(0u8), Just(4u8)],
    ) {
        let corpus = corpus();
        let (link_type, mut data) = pick.get(&corpus).clone();
        let headers = data.len().min(90);
        for (at, value) in damage {
            data[at.index(headers)] = value;
        }
        let original_len = u32::try_from(data.len()).unwrap();
        let kept = if cut { kept.index(data.len()) } else { data.len() };
        assert_same(&Frame { original_len, fcs_len, ..frame(link_type, &data[..kept]) });
    }
}
