//! Datagrams of tunnels that encrypt what they carry: a call that goes through one is not to be seen in them.
//!
//! Nothing inside is read. That they are there tells where a capture was taken: outside a VPN, of which the inside should have been captured.

use std::fmt;

/// A protocol of tunnels over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vpn {
    /// `IKEv2` (RFC 7296 §3.1) and ESP in UDP (RFC 3948 §2).
    Ipsec,
    /// Known by its message types and their lengths, on any port.
    WireGuard,
    /// Known by its port and its operation codes.
    OpenVpn,
}

impl fmt::Display for Vpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Vpn::Ipsec => "IPsec",
            Vpn::WireGuard => "WireGuard",
            Vpn::OpenVpn => "OpenVPN",
        })
    }
}

const IKE: u16 = 500;
/// IKE and ESP behind a NAT, and the port that GlobalProtect takes for ESP.
const ESP: [u16; 2] = [4500, 4501];
const OPENVPN: u16 = 1194;
/// The SPIs of IKE, and behind them its types, flags, message id and length.
const IKE_HEADER: usize = 28;

/// The tunnel that a datagram may belong to, by its ports, its first bytes and its length on the wire.
///
/// What is on the port of another protocol may be that protocol: this is a hint for a capture in which nothing else was found.
#[must_use]
#[inline]
pub fn of(ports: [u16; 2], payload: &[u8], length: u32) -> Option<Vpn> {
    match payload {
        [1, 0, 0, 0, ..] if length == 148 => Some(Vpn::WireGuard),
        [2, 0, 0, 0, ..] if length == 92 => Some(Vpn::WireGuard),
        [3, 0, 0, 0, ..] if length == 64 => Some(Vpn::WireGuard),
        [4, 0, 0, 0, ..] if length >= 32 && length.is_multiple_of(16) => Some(Vpn::WireGuard),
        _ if ports.contains(&IKE) && is_ike(payload, length) => Some(Vpn::Ipsec),
        _ if ports.iter().any(|port| ESP.contains(port)) && is_esp(payload, length) => Some(Vpn::Ipsec),
        [first, ..] if ports.contains(&OPENVPN) && (1..=11).contains(&(first >> 3)) => Some(Vpn::OpenVpn),
        _ => None,
    }
}

fn is_ike(payload: &[u8], length: u32) -> bool {
    let said = payload.get(IKE_HEADER - 4..).and_then(|rest| rest.first_chunk().copied());
    said.map(u32::from_be_bytes) == Some(length)
}

/// A security parameters index that is not zero and a sequence number, or IKE behind a marker of four zero bytes.
fn is_esp(payload: &[u8], length: u32) -> bool {
    match payload.split_first_chunk::<4>() {
        Some(([0, 0, 0, 0], ike)) => is_ike(ike, length.saturating_sub(4)),
        Some(_) => length > 8,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaped(ports: [u16; 2], start: &[u8], length: usize) -> Option<Vpn> {
        let mut payload = vec![0x5a; length.max(start.len())];
        payload[..start.len()].copy_from_slice(start);
        of(ports, &payload, u32::try_from(length).unwrap())
    }

    fn ike(length: u32) -> Vec<u8> {
        let mut header = vec![7; IKE_HEADER - 4];
        header.extend(length.to_be_bytes());
        header
    }

    #[test]
    fn wireguard_is_known_by_its_messages_on_any_port() {
        for (kind, length) in [(1, 148), (2, 92), (3, 64), (4, 32), (4, 1440)] {
            assert_eq!(shaped([40000, 51820], &[kind, 0, 0, 0], length), Some(Vpn::WireGuard), "{kind} of {length}");
            assert_eq!(shaped([40000, 51820], &[kind, 0, 0, 0], length + 1), None, "{kind} of {length} and one more");
            assert_eq!(shaped([40000, 51820], &[kind, 0, 0, 1], length), None, "{kind}, with a reserved byte");
        }
    }

    #[test]
    fn ipsec_is_known_by_its_ports_and_what_they_carry() {
        assert_eq!(shaped([500, 500], &ike(300), 300), Some(Vpn::Ipsec));
        assert_eq!(shaped([500, 500], &ike(300), 301), None, "the length is another");
        assert_eq!(shaped([40000, 500], &[1], 20), None, "too short for a header");
        let behind_marker = [vec![0; 4], ike(300)].concat();
        assert_eq!(shaped([4500, 1024], &behind_marker, 304), Some(Vpn::Ipsec));
        assert_eq!(shaped([4500, 1024], &behind_marker, 300), None);
        assert_eq!(shaped([1024, 4500], &[9, 9, 9, 9], 100), Some(Vpn::Ipsec));
        assert_eq!(shaped([1024, 4501], &[9, 9, 9, 9], 100), Some(Vpn::Ipsec));
        assert_eq!(shaped([1024, 4500], &[0xff], 1), None, "a keepalive says nothing of a tunnel in use");
        assert_eq!(shaped([1024, 4502], &[9, 9, 9, 9], 100), None);
    }

    #[test]
    fn openvpn_is_known_by_its_port_and_operation_code() {
        for first in [0x38, 0x40, 0x20, 0x28, 0x30, 0x48, 0x50] {
            assert_eq!(shaped([50000, 1194], &[first], 60), Some(Vpn::OpenVpn), "{first:#x}");
            assert_eq!(shaped([50000, 1195], &[first], 60), None);
        }
        for first in [0x00, 0x80] {
            assert_eq!(shaped([50000, 1194], &[first], 60), None, "{first:#x}");
        }
    }
}
