//! The same scene as others would have captured it: a part of it, one direction, cut short, doubled, from both sides of a NAT, or
//! among other traffic.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Scene;

/// One frame of a capture: nanoseconds since 1970, the bytes kept, and how long it was on the wire.
#[derive(Clone, Debug)]
pub struct Shot {
    pub ns: u64,
    pub bytes: Vec<u8>,
    pub whole: usize,
}

/// The frames of a scene.
pub fn shots(scene: &Scene) -> Vec<Shot> {
    scene.frames().map(|(ns, bytes, whole)| Shot { ns, bytes: bytes.to_vec(), whole }).collect()
}

/// A pcap file with nanoseconds.
pub fn pcap(shots: &[Shot]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(0xA1B2_3C4D_u32.to_le_bytes());
    out.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
    for shot in shots {
        out.extend(((shot.ns / 1_000_000_000) as u32).to_le_bytes());
        out.extend(((shot.ns % 1_000_000_000) as u32).to_le_bytes());
        out.extend((shot.bytes.len() as u32).to_le_bytes());
        out.extend((shot.whole as u32).to_le_bytes());
        out.extend(&shot.bytes);
    }
    out
}

/// The ends of a UDP datagram in IPv4 in Ethernet without tags; `None` for anything else.
pub fn ends(shot: &Shot) -> Option<(SocketAddr, SocketAddr)> {
    let bytes = &shot.bytes;
    if bytes.len() < 42 || bytes[12..15] != [8, 0, 0x45] || bytes[23] != 17 {
        return None;
    }
    let end = |ip: usize, port: usize| {
        let ip: [u8; 4] = bytes[ip..ip + 4].try_into().unwrap();
        SocketAddr::new(IpAddr::V4(Ipv4Addr::from(ip)), u16::from_be_bytes([bytes[port], bytes[port + 1]]))
    };
    Some((end(26, 34), end(30, 36)))
}

/// Only what this address sent.
pub fn from(shots: &[Shot], ip: &str) -> Vec<Shot> {
    let ip: IpAddr = ip.parse().unwrap();
    shots.iter().filter(|shot| ends(shot).is_some_and(|(src, _)| src.ip() == ip)).cloned().collect()
}

/// Only what was sent to this address.
pub fn to(shots: &[Shot], ip: &str) -> Vec<Shot> {
    let ip: IpAddr = ip.parse().unwrap();
    shots.iter().filter(|shot| ends(shot).is_some_and(|(_, dst)| dst.ip() == ip)).cloned().collect()
}

/// Each frame cut to its first bytes.
pub fn snapped(shots: &[Shot], length: usize) -> Vec<Shot> {
    let cut = |shot: &Shot| Shot { bytes: shot.bytes[..shot.bytes.len().min(length)].to_vec(), ..shot.clone() };
    shots.iter().map(cut).collect()
}

/// Each frame a second time a little later, as a mirror port shows it.
pub fn mirrored(shots: &[Shot], after_us: u64) -> Vec<Shot> {
    let twice = |shot: &Shot| [shot.clone(), Shot { ns: shot.ns + after_us * 1000, ..shot.clone() }];
    sorted(shots.iter().flat_map(twice).collect())
}

/// Each packet of `inside` also as it passes beyond a NAT, with `outside` for it and one hop further. Ports stay.
pub fn both_sides_of_a_nat(shots: &[Shot], inside: &str, outside: &str) -> Vec<Shot> {
    let inside: Ipv4Addr = inside.parse().unwrap();
    let outside: Ipv4Addr = outside.parse().unwrap();
    let mut out = Vec::new();
    for shot in shots {
        let Some((src, dst)) = ends(shot) else {
            out.push(shot.clone());
            continue;
        };
        let mut beyond = shot.clone();
        beyond.bytes[22] -= 1;
        if src.ip() == inside {
            beyond.bytes[26..30].copy_from_slice(&outside.octets());
            beyond.ns += 200_000;
        } else if dst.ip() == inside {
            beyond.bytes[30..34].copy_from_slice(&outside.octets());
            beyond.ns = beyond.ns.saturating_sub(200_000);
        } else {
            out.push(shot.clone());
            continue;
        }
        out.extend([shot.clone(), beyond]);
    }
    sorted(out)
}

/// Two captures as one, in the order of time.
pub fn merged(one: &[Shot], other: &[Shot]) -> Vec<Shot> {
    sorted(one.iter().chain(other).cloned().collect())
}

/// All frames from number `from` (counted from 0) on are this many milliseconds later, or with a negative number earlier.
pub fn clock_set(shots: &[Shot], from: usize, by_ms: i64) -> Vec<Shot> {
    let set = |(place, shot): (usize, &Shot)| {
        let by = if place >= from { by_ms * 1_000_000 } else { 0 };
        Shot { ns: shot.ns.saturating_add_signed(by), ..shot.clone() }
    };
    shots.iter().enumerate().map(set).collect()
}

/// Times as a clock of whole seconds shows them.
pub fn coarse(shots: &[Shot]) -> Vec<Shot> {
    shots.iter().map(|shot| Shot { ns: shot.ns / 1_000_000_000 * 1_000_000_000, ..shot.clone() }).collect()
}

fn sorted(mut shots: Vec<Shot>) -> Vec<Shot> {
    shots.sort_by_key(|shot| shot.ns);
    shots
}
