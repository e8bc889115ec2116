use super::build::*;
use crate::packet::Packets;
use crate::time::Timestamp;
use std::net::IpAddr;

fn arp(operation: u8, to: [u8; 4]) -> Vec<u8> {
    let sender = [2, 2, 2, 2, 2, 2, 192, 0, 2, 1];
    cat(&[&[0, 1, 8, 0, 6, 4, 0, operation], &sender, &[3; 6], &to])
}

fn reply() -> Vec<u8> {
    ethernet(0x0806, &arp(2, [192, 0, 2, 9]))
}

/// To whom a frame is an answer, in the words of its address.
fn answered(link_type: u16, data: &[u8]) -> Option<String> {
    let mut packets = Packets::default();
    packets.dissect(&frame(link_type, data), Timestamp(0), &mut |packet| panic!("{packet:?}"));
    packets.neighbour_answered().as_ref().map(IpAddr::to_string)
}

#[test]
fn a_reply_is_sent_to_whom_it_names_and_a_question_or_an_announcement_to_nobody() {
    assert_eq!(answered(1, &reply()).as_deref(), Some("192.0.2.9"));
    let to_all = cat(&[&[0xff], &reply()[1..]]);
    for other in [ethernet(0x0806, &arp(1, [192, 0, 2, 9])), ethernet(0x0806, &arp(2, [192, 0, 2, 1])), to_all] {
        assert_eq!(answered(1, &other), None);
    }
}

#[test]
fn a_reply_is_one_behind_every_link_layer_and_in_every_tunnel_that_carries_frames() {
    let message = arp(2, [192, 0, 2, 9]);
    let over_udp = |header: &[u8]| ethernet(0x0800, &ipv4(17, &udp(51_111, 4789, &cat(&[header, &reply()]))));
    for (what, link_type, data) in [
        ("vlan", 1, ethernet(0x8100, &cat(&[&[0, 1, 8, 6], &message]))),
        ("cooked", 113, cat(&[&[0, 0, 0, 1, 0, 6], &[2; 8], &[8, 6], &message])),
        ("cooked v2", 276, cat(&[&[8, 6, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6], &[2; 8], &message])),
        ("vxlan", 1, over_udp(&[8, 0, 0, 0, 0, 0, 7, 0])),
        ("erspan", 1, ethernet(0x0800, &ipv4(47, &cat(&[&[0, 0, 0x88, 0xbe], &reply()])))),
    ] {
        assert_eq!(answered(link_type, &data).as_deref(), Some("192.0.2.9"), "{what}");
    }
}

#[test]
fn an_advertisement_is_sent_to_its_destination_unless_to_all() {
    let advertisement = |last: &[u8]| {
        let head = [&[0x60, 0, 0, 0, 0, 4, 58, 255][..], &[0xfe; 16], last, &[136, 0, 0, 0]];
        ethernet(0x86dd, &head.concat())
    };
    let host = cat(&[&[0x20, 1, 0x0d, 0xb8], &[0; 11], &[9]]);
    assert_eq!(answered(1, &advertisement(&host)).as_deref(), Some("2001:db8::9"));
    assert_eq!(answered(1, &advertisement(&cat(&[&[0xff, 2], &[0; 13], &[1]]))), None);
}

#[test]
fn what_is_cut_short_or_came_before_another_frame_is_no_answer() {
    let whole = reply();
    for length in 0..whole.len() {
        assert_eq!(answered(1, &whole[..length]), None);
    }
    let mut packets = Packets::default();
    for data in [whole, ethernet(0x88cc, &[0; 40])] {
        packets.dissect(&frame(1, &data), Timestamp(0), &mut |_| {});
    }
    assert_eq!(packets.neighbour_answered(), None);
}
