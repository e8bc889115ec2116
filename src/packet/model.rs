//! What the stage hands on: datagrams, TCP segments and ICMP errors, all borrowed from the frame.

use std::fmt;
use std::net::IpAddr;

use crate::net::{Endpoint, Transport};

use super::icmp::IcmpKind;

/// One thing found in a frame. A frame may hold several (aggregated 802.11 frames) or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A UDP datagram, or an exported PDU that is one whole message.
    Datagram(Datagram<'a>),
    /// A TCP segment.
    Segment(Segment<'a>),
    /// An ICMP or ICMPv6 error with the start of the packet that it complains about.
    IcmpError(IcmpError<'a>),
}

/// A UDP datagram (RFC 768), out of all its tunnels and put together from its fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it. `0.0.0.0:0` where an exported PDU does not say.
    pub src: Endpoint,
    /// To whom. `0.0.0.0:0` where an exported PDU does not say.
    pub dst: Endpoint,
    /// UDP; TCP only for an exported PDU that is one whole message.
    pub transport: Transport,
    /// The bytes that were captured.
    pub payload: &'a [u8],
    /// How many bytes the payload has by its headers; at least `payload.len()`.
    pub length: u32,
    /// Whether bytes are missing at the end of `payload`, which a snap length cut off.
    pub truncated: bool,
    /// The identification of the IPv4 header, or of the IPv6 fragment header; 0 for none.
    pub ip_id: u32,
    /// Time to live (IPv4) or hop limit (IPv6) when captured; 0 for an exported PDU.
    pub ttl: u8,
    /// How many IP fragments it came in; 1 unless put together.
    pub fragments: u16,
}

/// A TCP segment (RFC 9293 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Who sent it.
    pub src: Endpoint,
    /// To whom.
    pub dst: Endpoint,
    /// Sequence number of the first payload byte (of SYN, if that is set).
    pub seq: u32,
    /// Acknowledgment number; only meaningful with the ACK flag.
    pub ack: u32,
    /// The control bits.
    pub flags: TcpFlags,
    /// The window as sent, not scaled.
    pub window: u16,
    /// The bytes that were captured.
    pub payload: &'a [u8],
    /// How many payload bytes the segment had on the wire by the IP header; at least `payload.len()`.
    pub length: u32,
    /// Whether bytes are missing at the end of `payload`, which a snap length cut off.
    pub truncated: bool,
    /// The identification of the IPv4 header; 0 for none.
    pub ip_id: u32,
    /// Time to live (IPv4) or hop limit (IPv6) when captured.
    pub ttl: u8,
}

impl Segment<'_> {
    /// What is left of its bytes, with their sequence number, after so many.
    #[must_use]
    pub fn after(mut self, bytes: usize) -> Self {
        self.payload = self.payload.get(bytes..).unwrap_or_default();
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.seq = self.seq.wrapping_add(bytes);
        self.length = self.length.saturating_sub(bytes);
        self
    }
}

/// An ICMP (RFC 792) or ICMPv6 (RFC 4443 §3) error message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError<'a> {
    /// Who complains: a router, a firewall, or the host itself.
    pub sender: IpAddr,
    /// To whom: the sender of the quoted packet, if nobody lies.
    pub receiver: IpAddr,
    /// Type and code.
    pub kind: IcmpKind,
    /// The next hop's MTU in bytes, where the error is "packet too big" and says it (RFC 1191, RFC 8201).
    pub mtu: Option<u32>,
    /// The packet that caused it.
    pub quoted: Quoted<'a>,
}

impl IcmpError<'_> {
    /// As the answer to a message, told in the frame with this number.
    #[must_use]
    pub fn answer(&self, frame: u64) -> IcmpAnswer {
        IcmpAnswer { frame, sender: self.sender, kind: self.kind }
    }
}

/// An ICMP error that answered a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpAnswer {
    /// Number of the frame with the ICMP error.
    pub frame: u64,
    /// Who sent it.
    pub sender: IpAddr,
    /// What it says.
    pub kind: IcmpKind,
}

/// The packet quoted in an ICMP error, as far as it was quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted<'a> {
    /// Who sent the quoted packet. Port 0 where the protocol has none or the ports were not quoted.
    pub src: Endpoint,
    /// To whom it was sent. Port 0 as for `src`.
    pub dst: Endpoint,
    /// IANA protocol number: 17 UDP, 6 TCP.
    pub protocol: u8,
    /// The identification of the IPv4 header, or of the IPv6 fragment header; 0 for none.
    pub ip_id: u32,
    /// The sequence number of a TCP segment: routers quote that much at least.
    pub seq: Option<u32>,
    /// What was quoted after the UDP or TCP header; for other protocols and later fragments, after the IP headers.
    pub payload: &'a [u8],
    /// Whether the quoted packet had more bytes than were quoted and captured.
    pub truncated: bool,
}

impl Quoted<'_> {
    /// Whether the quote goes as far as the ports.
    #[must_use]
    pub fn has_ports(&self) -> bool {
        (self.src.port(), self.dst.port()) != (0, 0)
    }
}

/// The control bits of a TCP segment (RFC 9293 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(0x01);
    /// Sequence numbers start here.
    pub const SYN: TcpFlags = TcpFlags(0x02);
    /// The connection is reset.
    pub const RST: TcpFlags = TcpFlags(0x04);
    /// Push.
    pub const PSH: TcpFlags = TcpFlags(0x08);
    /// The acknowledgment number counts.
    pub const ACK: TcpFlags = TcpFlags(0x10);

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: TcpFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether FIN is set.
    #[must_use]
    pub const fn fin(self) -> bool {
        self.contains(TcpFlags::FIN)
    }

    /// Whether SYN is set.
    #[must_use]
    pub const fn syn(self) -> bool {
        self.contains(TcpFlags::SYN)
    }

    /// Whether RST is set.
    #[must_use]
    pub const fn rst(self) -> bool {
        self.contains(TcpFlags::RST)
    }

    /// Whether ACK is set.
    #[must_use]
    pub const fn ack(self) -> bool {
        self.contains(TcpFlags::ACK)
    }
}

impl fmt::Display for TcpFlags {
    /// `SYN ACK`; nothing for no flag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
        let mut space = "";
        for (bit, name) in NAMES.iter().enumerate() {
            if self.0 & (1 << bit) != 0 {
                write!(f, "{space}{name}")?;
                space = " ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_flags_print_by_name() {
        assert_eq!(TcpFlags(0x12).to_string(), "SYN ACK");
        assert_eq!(TcpFlags(0).to_string(), "");
        assert!(TcpFlags(0x12).syn() && TcpFlags(0x12).ack() && !TcpFlags(0x12).fin() && !TcpFlags(0x12).rst());
    }
}
