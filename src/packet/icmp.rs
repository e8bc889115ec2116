//! ICMP and ICMPv6 errors: why a packet did not arrive, and which.

use std::fmt;

use super::ip;
use super::model::{IcmpError, Quoted};

/// Type and code of an ICMP or ICMPv6 error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpKind {
    /// Whether it is ICMPv6.
    pub v6: bool,
    /// The type: 3, 4, 5, 11, 12 of ICMP (RFC 792), 1 to 4 of ICMPv6 (RFC 4443).
    pub kind: u8,
    /// The code within the type.
    pub code: u8,
}

impl IcmpKind {
    /// Whether the packet could not be delivered at all; too big packets and ended lifetimes are not among these.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        if self.v6 { self.kind == 1 } else { self.kind == 3 && self.code != 4 }
    }

    /// Whether a rule of a router or firewall forbade it.
    #[must_use]
    pub fn is_prohibited(&self) -> bool {
        match (self.v6, self.kind) {
            (false, 3) => matches!(self.code, 9 | 10 | 13..=15),
            (true, 1) => matches!(self.code, 1 | 5 | 6),
            _ => false,
        }
    }

    /// Whether nobody listens on the port: ICMP 3/3, ICMPv6 1/4.
    #[must_use]
    pub fn is_port_unreachable(&self) -> bool {
        matches!((self.v6, self.kind, self.code), (false, 3, 3) | (true, 1, 4))
    }

    /// Whether the packet was too big for a link on its way: ICMP 3/4, ICMPv6 2.
    #[must_use]
    pub fn is_too_big(&self) -> bool {
        matches!((self.v6, self.kind, self.code), (false, 3, 4) | (true, 2, _))
    }

    fn is_error(self) -> bool {
        if self.v6 { matches!(self.kind, 1..=4) } else { matches!(self.kind, 3..=5 | 11 | 12) }
    }

    /// The code in words (IANA ICMP and ICMPv6 parameters), if it has any.
    fn words(self) -> Option<&'static str> {
        Some(match (self.v6, self.kind, self.code) {
            (false, 3, 0) => "network unreachable",
            (false, 3, 1) => "host unreachable",
            (false, 3, 2) => "protocol unreachable",
            (false, 3, 3) | (true, 1, 4) => "port unreachable",
            (false, 3, 4) => "fragmentation needed but forbidden",
            (false, 3, 5) => "source route failed",
            (false, 3, 6) => "destination network unknown",
            (false, 3, 7) => "destination host unknown",
            (false, 3, 8) => "source host isolated",
            (false, 3, 9) => "network administratively prohibited",
            (false, 3, 10) => "host administratively prohibited",
            (false, 3, 11) => "network unreachable for this type of service",
            (false, 3, 12) => "host unreachable for this type of service",
            (false, 3, 13) | (true, 1, 1) => "administratively prohibited",
            (false, 3, 14) => "host precedence violation",
            (false, 3, 15) => "precedence cutoff in effect",
            (false, 4, _) => "source quench",
            (false, 5, 0) => "redirect for the network",
            (false, 5, 1) => "redirect for the host",
            (false, 5, 2) => "redirect for the type of service and network",
            (false, 5, 3) => "redirect for the type of service and host",
            (false, 11, 0) => "time to live exceeded in transit",
            (true, 3, 0) => "hop limit exceeded in transit",
            (false, 11, 1) | (true, 3, 1) => "fragment reassembly time exceeded",
            (false, 12, 0) => "bad header field",
            (false, 12, 1) => "required option missing",
            (false, 12, 2) => "bad header length",
            (true, 1, 0) => "no route to destination",
            (true, 1, 2) => "beyond scope of source address",
            (true, 1, 3) => "address unreachable",
            (true, 1, 5) => "source address failed ingress or egress policy",
            (true, 1, 6) => "route to destination rejected",
            (true, 1, 7) => "error in source routing header",
            (true, 1, 8) => "headers too long",
            (true, 2, _) => "packet too big",
            (true, 4, 0) => "erroneous header field",
            (true, 4, 1) => "unrecognized next header",
            (true, 4, 2) => "unrecognized IPv6 option",
            (true, 4, 3) => "incomplete IPv6 header chain in first fragment",
            (true, 4, 4) => "segment routing upper-layer header error",
            (true, 4, 5) => "unrecognized next header at an intermediate node",
            (true, 4, 6) => "extension header too big",
            (true, 4, 7) => "extension header chain too long",
            (true, 4, 8) => "too many extension headers",
            (true, 4, 9) => "too many options in extension header",
            (true, 4, 10) => "option too big",
            _ => return None,
        })
    }
}

impl fmt::Display for IcmpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(words) = self.words() {
            return f.write_str(words);
        }
        let family = match (self.v6, self.kind) {
            (false, 3) | (true, 1) => "destination unreachable",
            (false, 5) => "redirect",
            (false, 11) | (true, 3) => "time exceeded",
            (false, 12) | (true, 4) => "parameter problem",
            (v6, kind) => return write!(f, "{} type {kind} code {}", if v6 { "ICMPv6" } else { "ICMP" }, self.code),
        };
        write!(f, "{family} (code {})", self.code)
    }
}

/// What an ICMP message (`v6`: ICMPv6) says; `None` unless it is an error that quotes an IP packet.
/// `outer` is the packet that carries it.
pub(super) fn error<'a>(outer: &ip::Header<'a>, v6: bool) -> Option<IcmpError<'a>> {
    let (&[kind, code, _, _, words4, words6, high, low], rest) = outer.payload.split_first_chunk::<8>()?;
    let kind = IcmpKind { v6, kind, code };
    if !kind.is_error() {
        return None;
    }
    let mtu = match (v6, kind.kind, code) {
        (false, 3, 4) => Some(u32::from(u16::from_be_bytes([high, low]))).filter(|mtu| *mtu != 0),
        (true, 2, _) => Some(u32::from_be_bytes([words4, words6, high, low])),
        _ => None,
    };
    // Where extensions follow, a length says where the quote ends (RFC 4884 §4).
    let quote_length = match (v6, kind.kind) {
        (false, 3 | 11 | 12) => usize::from(words6) * 4,
        (true, 1 | 3) => usize::from(words4) * 8,
        _ => 0,
    };
    let (quote, missing) = match rest.get(..quote_length) {
        Some(quote) if quote_length != 0 => (quote, 0),
        _ => (rest, outer.missing),
    };
    let quoted = quoted(ip::parse(quote, missing, 0)?);
    Some(IcmpError { sender: outer.src.ip(), receiver: outer.dst.ip(), kind, mtu, quoted })
}

fn quoted(header: ip::Header<'_>) -> Quoted<'_> {
    let is_first = header.fragment.is_none_or(|fragment| fragment.offset == 0);
    let mut quoted = Quoted {
        src: header.src,
        dst: header.dst,
        protocol: header.protocol,
        ip_id: header.ip_id,
        seq: None,
        payload: header.payload,
        truncated: header.missing > 0 || header.fragment.is_some(),
    };
    if !is_first || !matches!(header.protocol, 6 | 17 | 136) {
        return quoted;
    }
    let Some((ports, _)) = header.payload.split_first_chunk::<4>() else { return quoted };
    let [a, b, c, d] = *ports;
    quoted.src = quoted.src.with_port(u16::from_be_bytes([a, b]));
    quoted.dst = quoted.dst.with_port(u16::from_be_bytes([c, d]));
    quoted.seq = match header.payload.get(4..8) {
        Some(&[a, b, c, d]) if header.protocol == 6 => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    };
    let size = match (header.protocol, header.payload.get(12)) {
        (6, Some(offset)) => usize::from(offset >> 4).max(5) * 4,
        (6, None) => usize::MAX,
        _ => 8,
    };
    quoted.payload = header.payload.get(size..).unwrap_or_default();
    // The padding that RFC 4884 puts behind a short quote is not part of it.
    if header.protocol != 6
        && let Some(&[high, low]) = header.payload.get(4..6).and_then(|length| length.first_chunk())
    {
        let length = usize::from(u16::from_be_bytes([high, low])).saturating_sub(8);
        quoted.payload = quoted.payload.get(..length).filter(|_| length != 0).unwrap_or(quoted.payload);
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(kind: u8, code: u8) -> IcmpKind {
        IcmpKind { v6: false, kind, code }
    }

    fn v6(kind: u8, code: u8) -> IcmpKind {
        IcmpKind { v6: true, kind, code }
    }

    #[test]
    fn errors_are_said_in_words() {
        assert_eq!(v4(3, 3).to_string(), "port unreachable");
        assert_eq!(v6(1, 4).to_string(), "port unreachable");
        assert_eq!(v4(3, 13).to_string(), "administratively prohibited");
        assert_eq!(v6(2, 0).to_string(), "packet too big");
        assert_eq!(v4(3, 77).to_string(), "destination unreachable (code 77)");
        assert_eq!(v4(9, 2).to_string(), "ICMP type 9 code 2");
    }

    #[test]
    fn every_code_of_destination_unreachable_has_words() {
        assert!((0..=15).all(|code| v4(3, code).words().is_some()));
        assert!((0..=8).all(|code| v6(1, code).words().is_some()));
        assert!((0..=10).all(|code| v6(4, code).words().is_some()));
    }

    #[test]
    fn prohibition_is_told_from_a_closed_port() {
        assert!(v4(3, 10).is_prohibited() && v4(3, 10).is_unreachable());
        assert!(v6(1, 1).is_prohibited());
        assert!(!v4(3, 3).is_prohibited() && v4(3, 3).is_port_unreachable());
        assert!(!v4(3, 4).is_unreachable() && v4(3, 4).is_too_big());
        assert!(!v4(11, 0).is_unreachable() && !v6(3, 0).is_unreachable());
    }
}
