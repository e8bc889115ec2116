use super::build::*;
use crate::frame::Frame;
use crate::packet::{Packet, Packets};
use crate::time::Timestamp;

const UDP: &str = "udp 192.0.2.1:40000 > 198.51.100.2:3478";

#[test]
fn the_ip_length_keeps_ethernet_padding_out() {
    let mut data = ethernet(0x0800, &ipv4(17, &udp(40_000, 3478, b"x")));
    data.resize(60, 0);
    data.extend_from_slice(&[0xde, 0xad, 0xbe, 0xef]);
    assert_eq!(dissect(1, &data).0, [Found { what: UDP.into(), payload: b"x".into() }]);
    assert_eq!(dissect(101, &data[14..]).0, [Found { what: UDP.into(), payload: b"x".into() }]);
}

#[test]
fn a_udp_length_that_cannot_be_means_the_rest_of_the_packet() {
    for length in [0u16, 3, 7, 39, 500, 65_535] {
        let mut datagram = udp(40_000, 3478, PAYLOAD);
        datagram[4..6].copy_from_slice(&length.to_be_bytes());
        for data in [ethernet(0x0800, &ipv4(17, &datagram)), ethernet(0x86dd, &ipv6(17, &datagram))] {
            let (all, _) = dissect(1, &data);
            assert_eq!(all[0].payload, PAYLOAD, "{length}");
            assert!(!all[0].what.contains("cut"));
        }
    }
}

#[test]
fn a_udp_length_shorter_than_the_packet_counts() {
    let mut datagram = udp(40_000, 3478, PAYLOAD);
    datagram[4..6].copy_from_slice(&13u16.to_be_bytes());
    assert_eq!(dissect(1, &ethernet(0x0800, &ipv4(17, &datagram))).0[0].payload, &PAYLOAD[..5]);
}

#[test]
fn segmentation_offload_leaves_lengths_of_zero() {
    for link_type in [1, 101] {
        let mut packet = plain();
        packet[2..4].copy_from_slice(&[0, 0]);
        let data = if link_type == 1 { ethernet(0x0800, &packet) } else { packet };
        assert_eq!(dissect(link_type, &data).0, [Found { what: UDP.into(), payload: PAYLOAD.into() }]);
        let mut packet = ipv6(6, &tcp(0x18, b"", PAYLOAD));
        packet[4..6].copy_from_slice(&[0, 0]);
        let data = if link_type == 1 { ethernet(0x86dd, &packet) } else { packet };
        assert_eq!(dissect(link_type, &data).0[0].payload, PAYLOAD);
    }
}

#[test]
fn a_snap_length_is_carried_as_truncation() {
    let data = ethernet(0x0800, &plain());
    for kept in 0..data.len() {
        let cut = Frame { original_len: u32::try_from(data.len()).unwrap(), ..frame(1, &data[..kept]) };
        let (all, counts) = dissect_frame(&cut);
        if kept < 14 + 20 + 8 {
            assert!(all.is_empty());
            assert_eq!(counts.malformed, 1);
        } else {
            assert_eq!(all[0].what, format!("{UDP} cut of 30"));
            assert_eq!(all[0].payload, PAYLOAD[..kept - 42]);
        }
    }
}

#[test]
fn cutting_off_only_the_padding_truncates_nothing() {
    let data = ethernet(0x0800, &plain());
    let (all, _) = dissect_frame(&Frame { original_len: 1500, ..frame(1, &data) });
    assert_eq!(all[0].what, UDP);
}

#[test]
fn truncation_without_an_ip_length_is_told_by_the_frame() {
    let mut packet = plain();
    packet[2..4].copy_from_slice(&[0, 0]);
    let data = ethernet(0x0800, &packet);
    let kept = data.len() - 10;
    let cut = Frame { original_len: u32::try_from(data.len()).unwrap(), ..frame(1, &data[..kept]) };
    assert_eq!(dissect_frame(&cut).0[0].what, format!("{UDP} cut of 30"));
}

#[test]
fn truncation_reaches_into_tunnels() {
    let vxlan = udp(50_000, 4789, &cat(&[&[8, 0, 0, 0, 0, 0, 1, 0], &ethernet(0x0800, &plain())]));
    let data = ethernet(0x0800, &ipv4(17, &vxlan));
    let kept = data.len() - 4;
    let cut = Frame { original_len: u32::try_from(data.len()).unwrap(), ..frame(1, &data[..kept]) };
    assert_eq!(dissect_frame(&cut).0[0].what, format!("{UDP} cut of 30"));
}

#[test]
fn a_frame_check_sequence_is_no_payload() {
    let mut packet = plain();
    packet[2..4].copy_from_slice(&[0, 0]);
    packet[24..26].copy_from_slice(&[0, 0]);
    let data = cat(&[&ethernet(0x0800, &packet), &[1, 2, 3, 4]]);
    let with_fcs = Frame { fcs_len: 4, ..frame(1, &data) };
    assert_eq!(dissect_frame(&with_fcs).0[0].payload, PAYLOAD);
    let cut = Frame { original_len: with_fcs.original_len, ..Frame { data: &data[..data.len() - 3], ..with_fcs } };
    let (all, _) = dissect_frame(&cut);
    assert_eq!((&*all[0].what, &*all[0].payload), (UDP, PAYLOAD));
}

#[test]
fn tcp_segments_tell_what_a_stream_needs() {
    let data = ethernet(0x0800, &ipv4(6, &tcp(0x18, &[1, 1, 1, 1], PAYLOAD)));
    let mut packets = Packets::default();
    let mut seen = 0;
    packets.dissect(&frame(1, &data), Timestamp(0), &mut |packet| {
        let Packet::Segment(segment) = packet else { panic!("{packet:?}") };
        assert_eq!((segment.seq, segment.ack, segment.window, segment.length), (7, 9, 0x2001, 30));
        assert_eq!((segment.payload, segment.truncated, segment.ip_id, segment.ttl), (PAYLOAD, false, 0x1234, 64));
        assert_eq!(segment.flags.to_string(), "PSH ACK");
        seen += 1;
    });
    assert_eq!((seen, packets.counts().segments), (1, 1));
}

#[test]
fn tcp_options_that_were_cut_leave_a_segment_of_known_length() {
    let data = ethernet(0x0800, &ipv4(6, &tcp(0x10, &[1; 12], PAYLOAD)));
    let cut = Frame { original_len: u32::try_from(data.len()).unwrap(), ..frame(1, &data[..14 + 20 + 24]) };
    let (all, _) = dissect_frame(&cut);
    assert_eq!(all[0].what, "ACK 192.0.2.1:40000 > 198.51.100.2:3478 cut of 30");
    let mut lying = tcp(0x10, b"", b"");
    lying[12] = 0xf0;
    let (all, counts) = dissect(1, &ethernet(0x0800, &ipv4(6, &lying)));
    assert_eq!((all.len(), counts.malformed), (0, 1));
}
