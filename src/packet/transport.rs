//! UDP and TCP headers behind any IP header: the long way.

use etherparse::{TcpHeaderSlice, UdpHeaderSlice};

use crate::net::Transport;

use super::ip;
use super::model::{Datagram, Segment, TcpFlags};

/// UDP (RFC 768), and UDP-Lite (RFC 3828), whose length field speaks of the checksum.
pub(super) fn udp<'a>(header: &ip::Header<'a>) -> Option<Datagram<'a>> {
    let udp = UdpHeaderSlice::from_slice(header.payload).ok()?;
    let rest = header.payload.get(8..)?;
    let room = rest.len().saturating_add(usize::try_from(header.missing).unwrap_or(usize::MAX));
    // A length that cannot be is no length: the rest of the packet counts.
    let length = match usize::from(udp.length()).checked_sub(8) {
        Some(length) if length <= room && header.protocol == 17 => length,
        _ => room,
    };
    let payload = rest.get(..length).unwrap_or(rest);
    Some(Datagram {
        src: header.src.with_port(udp.source_port()),
        dst: header.dst.with_port(udp.destination_port()),
        transport: Transport::Udp,
        payload,
        length: u32::try_from(length).unwrap_or(u32::MAX),
        truncated: payload.len() < length,
        ip_id: header.ip_id,
        ttl: header.ttl,
        fragments: header.fragments,
    })
}

/// TCP (RFC 9293 §3.1). A header whose options were cut off gives a segment without payload.
pub(super) fn tcp<'a>(header: &ip::Header<'a>) -> Option<Segment<'a>> {
    let room = header.payload.len().saturating_add(usize::try_from(header.missing).unwrap_or(usize::MAX));
    let fixed = header.payload.first_chunk::<20>()?;
    let size = usize::from(fixed[12] >> 4) * 4;
    if !(20..=room).contains(&size) {
        return None;
    }
    let length = room - size;
    let payload = header.payload.get(size..).unwrap_or_default();
    // The fixed part says all that is wanted, so read it as a header without options.
    let mut plain = *fixed;
    plain[12] = 0x50;
    let tcp = TcpHeaderSlice::from_slice(&plain).ok()?;
    Some(Segment {
        src: header.src.with_port(tcp.source_port()),
        dst: header.dst.with_port(tcp.destination_port()),
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
        flags: TcpFlags(fixed[13]),
        window: tcp.window_size(),
        payload,
        length: u32::try_from(length).unwrap_or(u32::MAX),
        truncated: payload.len() < length,
        ip_id: header.ip_id,
        ttl: header.ttl,
    })
}
