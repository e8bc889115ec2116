//! Handmade frames.

use std::net::Ipv6Addr;

use crate::frame::{Frame, LinkType};
use crate::packet::{Counts, Packet, Packets};
use crate::time::Timestamp;

pub(super) const PAYLOAD: &[u8] = b"a payload of no known protocol";
pub(super) const SNAP: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];

pub(super) fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub(super) fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap();
    cat(&[&src.to_be_bytes(), &dst.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload])
}

pub(super) fn tcp(flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let offset = u8::try_from((20 + options.len()) / 4).unwrap() << 4;
    cat(&[&[0x9c, 0x40, 0x0d, 0x96, 0, 0, 0, 7, 0, 0, 0, 9, offset, flags, 0x20, 0x01, 0, 0, 0, 0], options, payload])
}

/// `fragment`: flags and offset as on the wire.
pub(super) fn ipv4_part(protocol: u8, id: u16, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 20).unwrap();
    cat(&[
        &[0x45, 0],
        &length.to_be_bytes(),
        &id.to_be_bytes(),
        &fragment.to_be_bytes(),
        &[64, protocol, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2],
        payload,
    ])
}

pub(super) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_part(protocol, 0x1234, 0, payload)
}

pub(super) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let src: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let dst: Ipv6Addr = "2001:db8::2".parse().unwrap();
    let length = u16::try_from(payload.len()).unwrap();
    cat(&[&[0x60, 0, 0, 0], &length.to_be_bytes(), &[next, 60], &src.octets(), &dst.octets(), payload])
}

pub(super) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    cat(&[&[0, 0x1b, 2, 3, 4, 5, 0, 0x1c, 6, 7, 8, 9], &kind.to_be_bytes(), payload])
}

/// A datagram over IPv4 from 192.0.2.1:40000 to 198.51.100.2:3478.
pub(super) fn plain() -> Vec<u8> {
    ipv4(17, &udp(40_000, 3478, PAYLOAD))
}

pub(super) fn plain6() -> Vec<u8> {
    ipv6(17, &udp(40_000, 3478, PAYLOAD))
}

pub(super) fn frame(link_type: u16, data: &[u8]) -> Frame<'_> {
    Frame {
        number: 1,
        time: None,
        digits: 6,
        link_type: LinkType(link_type),
        data,
        original_len: u32::try_from(data.len()).unwrap(),
        fcs_len: 0,
        big_endian: false,
    }
}

/// A packet that outlives its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// `udp 192.0.2.1:40000 > 198.51.100.2:3478`, and what is special: `cut`, how many fragments.
    pub(super) what: String,
    pub(super) payload: Vec<u8>,
}

pub(super) fn found(packet: &Packet<'_>) -> Found {
    match packet {
        Packet::Datagram(datagram) => {
            let mut what = format!("{} {} > {}", datagram.transport, datagram.src, datagram.dst);
            if datagram.truncated {
                what += &format!(" cut of {}", datagram.length);
            }
            if datagram.fragments != 1 {
                what += &format!(" in {}", datagram.fragments);
            }
            Found { what, payload: datagram.payload.to_vec() }
        }
        Packet::Segment(segment) => {
            let mut what = format!("{} {} > {}", segment.flags, segment.src, segment.dst);
            if segment.truncated {
                what += &format!(" cut of {}", segment.length);
            }
            Found { what, payload: segment.payload.to_vec() }
        }
        Packet::IcmpError(error) => Found {
            what: format!(
                "{} by {} to {} for {} > {}",
                error.kind, error.sender, error.receiver, error.quoted.src, error.quoted.dst
            ),
            payload: error.quoted.payload.to_vec(),
        },
    }
}

pub(super) fn dissect_frame(frame: &Frame<'_>) -> (Vec<Found>, Counts) {
    let mut packets = Packets::default();
    let mut all = Vec::new();
    packets.dissect(frame, Timestamp(0), &mut |packet| all.push(found(&packet)));
    (all, packets.counts().clone())
}

pub(super) fn dissect(link_type: u16, data: &[u8]) -> (Vec<Found>, Counts) {
    dissect_frame(&frame(link_type, data))
}

/// Asserts that the frame holds the plain datagram, of either IP version, and nothing else.
pub(super) fn assert_plain(what: &str, link_type: u16, data: &[u8]) {
    let (all, counts) = dissect(link_type, data);
    let [one] = &*all else { panic!("{what}: {all:?} {counts:?}") };
    let expected = ["udp 192.0.2.1:40000 > 198.51.100.2:3478", "udp [2001:db8::1]:40000 > [2001:db8::2]:3478"];
    assert!(expected.contains(&&*one.what), "{what}: {}", one.what);
    assert_eq!(one.payload, PAYLOAD, "{what}");
}
