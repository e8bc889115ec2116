//! The way that nearly all packets of a real capture take: a known link header, plain IP, UDP or TCP, in a few loads.
//!
//! Whatever is not plain gets `None` here and goes the long way, which gives the same for a plain packet (tested).

use crate::frame::Frame;
use crate::net::{Endpoint, Transport};

use super::model::{Datagram, Packet, Segment, TcpFlags};
use super::tunnel;

/// Addresses and the rest of what transport needs to know of IP.
struct Network<'a> {
    src: Endpoint,
    dst: Endpoint,
    protocol: u8,
    ttl: u8,
    ip_id: u16,
    payload: &'a [u8],
    /// Of the payload by the header.
    length: usize,
}

/// The packet in a frame, if it is a plain one.
#[inline]
pub(super) fn dissect<'a>(frame: &Frame<'a>) -> Option<Packet<'a>> {
    if frame.link_type.0 == 1 {
        if let Some(datagram) = commonest(frame.data) {
            return Some(Packet::Datagram(datagram));
        }
        if let Some(segment) = commonest_segment(frame.data) {
            return Some(Packet::Segment(segment));
        }
    }
    let (kind, data) = match frame.link_type.0 {
        1 => ethernet(frame.data)?,
        113 => {
            let (header, data) = frame.data.split_first_chunk::<16>()?;
            if is_special(header[2], header[3]) {
                return None;
            }
            (u16::from_be_bytes([header[14], header[15]]), data)
        }
        276 => {
            let (header, data) = frame.data.split_first_chunk::<20>()?;
            if is_special(header[8], header[9]) {
                return None;
            }
            (u16::from_be_bytes([header[0], header[1]]), data)
        }
        12 | 14 | 101 | 228 | 229 => match frame.data.first()? >> 4 {
            4 => (0x0800, frame.data),
            6 => (0x86dd, frame.data),
            _ => return None,
        },
        _ => return None,
    };
    let network = match kind {
        0x0800 => ipv4(data)?,
        0x86dd => ipv6(data)?,
        _ => return None,
    };
    match network.protocol {
        17 => udp(&network),
        6 => tcp(&network),
        _ => None,
    }
}

/// UDP in IPv4 without options in Ethernet without tags, whose lengths agree: all at known places.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // lengths of UDP have 16 bits
pub(super) fn commonest(data: &[u8]) -> Option<Datagram<'_>> {
    let (header, rest) = data.split_first_chunk::<42>()?;
    let &[_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x00, 0x45, _, t0, t1, i0, i1, f0, f1, ttl, 17, ref tail @ ..] =
        header
    else {
        return None;
    };
    let &[_, _, a0, a1, a2, a3, b0, b1, b2, b3, s0, s1, d0, d1, l0, l1, _, _] = tail;
    let (src, dst) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    let length = usize::from(u16::from_be_bytes([l0, l1])).checked_sub(8)?;
    let plain = u16::from_be_bytes([f0, f1]) & 0x3fff == 0 && usize::from(u16::from_be_bytes([t0, t1])) == length + 28;
    if !plain || tunnel::is_port(src) || tunnel::is_port(dst) {
        return None;
    }
    Some(Datagram {
        src: Endpoint::v4([a0, a1, a2, a3], src),
        dst: Endpoint::v4([b0, b1, b2, b3], dst),
        transport: Transport::Udp,
        payload: rest.get(..length)?,
        length: length as u32,
        truncated: false,
        ip_id: u32::from(u16::from_be_bytes([i0, i1])),
        ttl,
        fragments: 1,
    })
}

/// TCP in the same, captured whole.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // lengths of IP packets have 16 bits
pub(super) fn commonest_segment(data: &[u8]) -> Option<Segment<'_>> {
    let &[_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x00, 0x45, _, t0, t1, i0, i1, f0, f1, ttl, 6, ref tail @ ..] =
        data.first_chunk::<54>()?
    else {
        return None;
    };
    let &[_, _, a0, a1, a2, a3, b0, b1, b2, b3, ref tcp @ ..] = tail;
    let &[s0, s1, d0, d1, q0, q1, q2, q3, k0, k1, k2, k3, offset, flags, w0, w1, _, _, _, _] = tcp;
    let (total, size) = (usize::from(u16::from_be_bytes([t0, t1])), usize::from(offset >> 4) * 4);
    if size < 20 || u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
        return None;
    }
    let payload = data.get(34 + size..14 + total)?;
    Some(Segment {
        src: Endpoint::v4([a0, a1, a2, a3], u16::from_be_bytes([s0, s1])),
        dst: Endpoint::v4([b0, b1, b2, b3], u16::from_be_bytes([d0, d1])),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([k0, k1, k2, k3]),
        flags: TcpFlags(flags),
        window: u16::from_be_bytes([w0, w1]),
        payload,
        length: payload.len() as u32,
        truncated: false,
        ip_id: u32::from(u16::from_be_bytes([i0, i1])),
        ttl,
    })
}

/// Whether the protocol of a cooked header may mean something else than an EtherType, by the interface's hardware type: 802.11 and
/// netlink do not carry IP there, GRE is left to the long way with them.
#[inline]
fn is_special(high: u8, low: u8) -> bool {
    high == 3 && u16::from_be_bytes([high, low]) > 777
}

#[inline]
fn ethernet(data: &[u8]) -> Option<(u16, &[u8])> {
    let (header, mut data) = data.split_first_chunk::<14>()?;
    let mut kind = u16::from_be_bytes([header[12], header[13]]);
    let mut tags = 0;
    while matches!(kind, 0x8100 | 0x88a8) && tags < 2 {
        let (tag, rest) = data.split_first_chunk::<4>()?;
        kind = u16::from_be_bytes([tag[2], tag[3]]);
        data = rest;
        tags += 1;
    }
    Some((kind, data))
}

#[inline]
fn ipv4(data: &[u8]) -> Option<Network<'_>> {
    let header = data.first_chunk::<20>()?;
    if header[0] >> 4 != 4 {
        return None;
    }
    let size = usize::from(header[0] & 0x0f) * 4;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]])).checked_sub(size)?;
    // More fragments, or an offset.
    if size < 20 || u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
        return None;
    }
    let rest = data.get(size..)?;
    Some(Network {
        src: Endpoint::v4([header[12], header[13], header[14], header[15]], 0),
        dst: Endpoint::v4([header[16], header[17], header[18], header[19]], 0),
        protocol: header[9],
        ttl: header[8],
        ip_id: u16::from_be_bytes([header[4], header[5]]),
        payload: rest.get(..length).unwrap_or(rest),
        length,
    })
}

#[inline]
fn ipv6(data: &[u8]) -> Option<Network<'_>> {
    let (header, rest) = data.split_first_chunk::<40>()?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    if header[0] >> 4 != 6 || length == 0 {
        return None;
    }
    Some(Network {
        src: Endpoint::v6(*header.get(8..24)?.first_chunk()?, 0),
        dst: Endpoint::v6(*header.get(24..40)?.first_chunk()?, 0),
        protocol: header[6],
        ttl: header[7],
        ip_id: 0,
        payload: rest.get(..length).unwrap_or(rest),
        length,
    })
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // lengths of IP packets have 16 bits
fn udp<'a>(network: &Network<'a>) -> Option<Packet<'a>> {
    let (header, rest) = network.payload.split_first_chunk::<8>()?;
    let src = u16::from_be_bytes([header[0], header[1]]);
    let dst = u16::from_be_bytes([header[2], header[3]]);
    if tunnel::is_port(dst) || tunnel::is_port(src) {
        return None;
    }
    let room = network.length - 8;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let length = if length >= 8 && length - 8 <= room { length - 8 } else { room };
    let payload = rest.get(..length).unwrap_or(rest);
    Some(Packet::Datagram(Datagram {
        src: network.src.with_port(src),
        dst: network.dst.with_port(dst),
        transport: Transport::Udp,
        payload,
        length: length as u32,
        truncated: payload.len() < length,
        ip_id: u32::from(network.ip_id),
        ttl: network.ttl,
        fragments: 1,
    }))
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // lengths of IP packets have 16 bits
fn tcp<'a>(network: &Network<'a>) -> Option<Packet<'a>> {
    let header = network.payload.first_chunk::<20>()?;
    let size = usize::from(header[12] >> 4) * 4;
    if size < 20 {
        return None;
    }
    // Options that were cut off, or lie, go the long way.
    let payload = network.payload.get(size..)?;
    let length = network.length - size;
    Some(Packet::Segment(Segment {
        src: network.src.with_port(u16::from_be_bytes([header[0], header[1]])),
        dst: network.dst.with_port(u16::from_be_bytes([header[2], header[3]])),
        seq: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        ack: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        flags: TcpFlags(header[13]),
        window: u16::from_be_bytes([header[14], header[15]]),
        payload,
        length: length as u32,
        truncated: payload.len() < length,
        ip_id: u32::from(network.ip_id),
        ttl: network.ttl,
    }))
}
