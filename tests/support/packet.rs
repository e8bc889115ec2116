//! Headers below the payload: UDP, TCP, ICMP, IPv4, IPv6, VLAN, Ethernet, all with right checksums.

use std::net::{IpAddr, SocketAddr};

/// Anything that names a transport address: `"192.0.2.1:3478"`, `"[2001:db8::1]:3478"` or a [`SocketAddr`].
pub trait Place {
    fn place(self) -> SocketAddr;
}

impl Place for SocketAddr {
    fn place(self) -> SocketAddr {
        self
    }
}

impl Place for &SocketAddr {
    fn place(self) -> SocketAddr {
        *self
    }
}

impl Place for &str {
    fn place(self) -> SocketAddr {
        self.parse().unwrap_or_else(|_| panic!("{self:?} is not address:port"))
    }
}

pub const UDP: u8 = 17;
pub const TCP: u8 = 6;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;

/// TCP flags, to be added up.
pub type TcpFlags = u8;
pub const FIN: TcpFlags = 1;
pub const SYN: TcpFlags = 2;
pub const RST: TcpFlags = 4;
pub const PSH: TcpFlags = 8;
pub const ACK: TcpFlags = 16;

/// What an IP header says besides addresses and protocol.
#[derive(Clone, Copy, Debug)]
pub struct Ip {
    /// The IPv4 identification; not sent with IPv6.
    pub id: u16,
    /// The time to live, or hop limit.
    pub ttl: u8,
}

impl Default for Ip {
    fn default() -> Self {
        Self { id: 0, ttl: 64 }
    }
}

/// A UDP datagram in its IP packet.
pub fn udp(from: impl Place, to: impl Place, ip: Ip, payload: &[u8]) -> Vec<u8> {
    let (from, to) = (from.place(), to.place());
    let mut out = Vec::new();
    out.extend(from.port().to_be_bytes());
    out.extend(to.port().to_be_bytes());
    out.extend((payload.len() as u16 + 8).to_be_bytes());
    out.extend([0, 0]);
    out.extend(payload);
    let sum = match checksum(&[&pseudo_header(from.ip(), to.ip(), UDP, out.len()), &out]) {
        0 => 0xFFFF, // zero would say "none"
        sum => sum,
    };
    out[6..8].copy_from_slice(&sum.to_be_bytes());
    internet(from.ip(), to.ip(), UDP, ip, &out)
}

/// A TCP segment in its IP packet.
#[allow(clippy::too_many_arguments)]
pub fn tcp(from: impl Place, to: impl Place, ip: Ip, seq: u32, ack: u32, flags: TcpFlags, payload: &[u8]) -> Vec<u8> {
    let (from, to) = (from.place(), to.place());
    let mut out = Vec::new();
    out.extend(from.port().to_be_bytes());
    out.extend(to.port().to_be_bytes());
    out.extend(seq.to_be_bytes());
    out.extend(ack.to_be_bytes());
    out.extend([0x50, flags, 0xFA, 0xF0, 0, 0, 0, 0]);
    out.extend(payload);
    let sum = checksum(&[&pseudo_header(from.ip(), to.ip(), TCP, out.len()), &out]);
    out[16..18].copy_from_slice(&sum.to_be_bytes());
    internet(from.ip(), to.ip(), TCP, ip, &out)
}

/// An ICMP or ICMPv6 error (by the router's address family) about `quoted`, an IP packet that `router` would not pass on.
/// `rest` is the header's second word: the MTU for "too big", else zero.
pub fn icmp_error(router: IpAddr, ip: Ip, kind: u8, code: u8, rest: u32, quoted: &[u8]) -> Vec<u8> {
    let to = source_of(quoted);
    let mut out = vec![kind, code, 0, 0];
    out.extend(rest.to_be_bytes());
    out.extend(&quoted[..quoted.len().min(if router.is_ipv4() { 548 } else { 1232 })]);
    let protocol = if router.is_ipv4() { ICMP } else { ICMPV6 };
    let sum = if router.is_ipv4() {
        checksum(&[&out])
    } else {
        checksum(&[&pseudo_header(router, to, ICMPV6, out.len()), &out])
    };
    out[2..4].copy_from_slice(&sum.to_be_bytes());
    internet(router, to, protocol, ip, &out)
}

/// An IP packet around `body`, of the family that the addresses have.
pub fn internet(from: IpAddr, to: IpAddr, protocol: u8, ip: Ip, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            out.extend([0x45, 0]);
            out.extend((body.len() as u16 + 20).to_be_bytes());
            out.extend(ip.id.to_be_bytes());
            out.extend([0, 0, ip.ttl, protocol, 0, 0]);
            out.extend(from.octets());
            out.extend(to.octets());
            let sum = checksum(&[&out]);
            out[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            out.extend([0x60, 0, 0, 0]);
            out.extend((body.len() as u16).to_be_bytes());
            out.extend([protocol, ip.ttl]);
            out.extend(from.octets());
            out.extend(to.octets());
        }
        _ => panic!("{from} and {to} are of different families"),
    }
    out.extend(body);
    out
}

/// The IPv4 packet `whole` as fragments of at most `size` bytes of payload (a multiple of eight).
pub fn fragments(whole: &[u8], size: usize) -> Vec<Vec<u8>> {
    assert!(whole[0] == 0x45 && size.is_multiple_of(8), "IPv4 without options, cut at a multiple of eight");
    let body = &whole[20..];
    let pieces = body.len().div_ceil(size);
    (0..pieces)
        .map(|piece| {
            let start = piece * size;
            let end = body.len().min(start + size);
            let mut out = whole[..20].to_vec();
            out[2..4].copy_from_slice(&((20 + end - start) as u16).to_be_bytes());
            let more = if piece + 1 < pieces { 0x2000 } else { 0 };
            out[6..8].copy_from_slice(&(more | (start / 8) as u16).to_be_bytes());
            out[10..12].copy_from_slice(&[0, 0]);
            let sum = checksum(&[&out]);
            out[10..12].copy_from_slice(&sum.to_be_bytes());
            out.extend(&body[start..end]);
            out
        })
        .collect()
}

/// An Ethernet frame around an IP packet; each VLAN id adds an 802.1Q tag, the outermost first.
pub fn ethernet(packet: &[u8], vlans: &[u16]) -> Vec<u8> {
    let mut out = vec![0x02, 0, 0, 0, 0, 0x02, 0x02, 0, 0, 0, 0, 0x01];
    for vlan in vlans {
        out.extend([0x81, 0x00]);
        out.extend(vlan.to_be_bytes());
    }
    out.extend(if packet[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xDD] });
    out.extend(packet);
    out
}

fn source_of(packet: &[u8]) -> IpAddr {
    if packet[0] >> 4 == 4 {
        IpAddr::from(<[u8; 4]>::try_from(&packet[12..16]).unwrap())
    } else {
        IpAddr::from(<[u8; 16]>::try_from(&packet[8..24]).unwrap())
    }
}

/// RFC 768, RFC 8200 §8.1: what the checksum covers beside the body.
fn pseudo_header(from: IpAddr, to: IpAddr, protocol: u8, length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for address in [from, to] {
        match address {
            IpAddr::V4(v4) => out.extend(v4.octets()),
            IpAddr::V6(v6) => out.extend(v6.octets()),
        }
    }
    out.extend(u32::from(protocol).to_be_bytes());
    out.extend((length as u32).to_be_bytes());
    out
}

/// The Internet checksum (RFC 1071) over parts of which all but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}
