//! RTCP (RFC 3550 §6), compound and of reduced size (RFC 5506). Of SRTCP the first packet's header and the SSRC of its sender are in the
//! clear (RFC 3711 §3.4); the rest is read only where it makes sense as plain RTCP to the last byte.

use std::fmt;

/// What an RTCP packet is for (IANA, "RTCP Control Packet Types").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketType(pub u8);

impl PacketType {
    /// Sender report: the sender sent media since its last or next to last report (RFC 3550 §6.4.1).
    pub const SR: PacketType = PacketType(200);
    /// Receiver report: the sender sent no media (RFC 3550 §6.4.2).
    pub const RR: PacketType = PacketType(201);
    /// Goodbye (RFC 3550 §6.6).
    pub const BYE: PacketType = PacketType(203);
    /// Payload-specific feedback (RFC 4585 §6.3).
    pub const PSFB: PacketType = PacketType(206);

    /// Its abbreviation.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            192 => "FIR",
            193 => "NACK",
            194 => "SMPTETC",
            195 => "IJ",
            200 => "SR",
            201 => "RR",
            202 => "SDES",
            203 => "BYE",
            204 => "APP",
            205 => "RTPFB",
            206 => "PSFB",
            207 => "XR",
            208 => "AVB",
            209 => "RSI",
            210 => "TOKEN",
            211 => "IDMS",
            212 => "RGRS",
            213 => "SNM",
            _ => return None,
        })
    }
}

impl fmt::Display for PacketType {
    /// `SR`, or `type 199` where it has no name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}

/// One packet of those that a datagram holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it is for.
    pub packet_type: PacketType,
    /// The count or format field, 0 to 31: report blocks, chunks, sources, or the kind of feedback.
    pub count: u8,
    /// Whether padding is counted in its length.
    pub padding: bool,
    /// What follows the header of 4 bytes.
    pub body: &'a [u8],
}

impl Part<'_> {
    /// The SSRC at its beginning, which all types but a BYE or SDES without sources have: who sent it.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        self.body.first_chunk::<4>().map(|&ssrc| u32::from_be_bytes(ssrc))
    }

    /// Of a sender report: the packets that its sender has sent so far (RFC 3550 §6.4.1).
    #[must_use]
    pub fn sender_packets(&self) -> Option<u32> {
        if self.packet_type != PacketType::SR {
            return None;
        }
        self.body.get(16..)?.first_chunk::<4>().map(|&count| u32::from_be_bytes(count))
    }
}

/// What a datagram of RTCP or SRTCP shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtcp<'a> {
    /// The type of the first packet.
    pub packet_type: PacketType,
    /// The count or format field of the first packet.
    pub count: u8,
    /// The SSRC of its sender.
    pub ssrc: u32,
    /// Whether all is in the clear: the packets' lengths add up to the datagram, which the additions of SRTCP make impossible to
    /// happen by chance often.
    pub plain: bool,
    bytes: &'a [u8],
}

impl<'a> Rtcp<'a> {
    /// Reads a datagram; `None` where its first 8 bytes are not those of RTCP. The types 192 to 223 are told from RTP by RFC 5761 §4.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Rtcp<'a>> {
        let &[first, packet_type, l0, l1, s0, s1, s2, s3] = bytes.first_chunk::<8>()?;
        let length = 4 * (usize::from(u16::from_be_bytes([l0, l1])) + 1);
        if first >> 6 != 2 || !(192..=223).contains(&packet_type) || length < 8 {
            return None;
        }
        let mut rest = Parts { rest: bytes };
        while rest.next().is_some() {}
        Some(Rtcp {
            packet_type: PacketType(packet_type),
            count: first & 0x1f,
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            plain: rest.rest.is_empty(),
            bytes,
        })
    }

    /// The packets, in order: all of them where the datagram is plain, else none, since they may be encrypted.
    #[must_use]
    pub fn parts(&self) -> Parts<'a> {
        Parts { rest: if self.plain { self.bytes } else { Default::default() } }
    }
}

/// The packets of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let (&[first, packet_type, l0, l1], rest) = self.rest.split_first_chunk::<4>()?;
        if first >> 6 != 2 || !(192..=223).contains(&packet_type) {
            return None;
        }
        let (body, rest) = rest.split_at_checked(4 * usize::from(u16::from_be_bytes([l0, l1])))?;
        self.rest = rest;
        Some(Part { packet_type: PacketType(packet_type), count: first & 0x1f, padding: first & 0x20 != 0, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RR: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 7];
    const BYE: [u8; 8] = [0x81, 203, 0, 1, 0, 0, 0, 7];

    #[test]
    fn a_compound_packet_falls_into_its_parts() {
        let bytes = [RR, BYE].concat();
        let rtcp = Rtcp::parse(&bytes).unwrap();
        assert_eq!((rtcp.packet_type, rtcp.ssrc, rtcp.plain), (PacketType::RR, 7, true));
        let types: Vec<_> = rtcp.parts().map(|part| part.packet_type.to_string()).collect();
        assert_eq!(types, ["RR", "BYE"]);
    }

    #[test]
    fn of_srtcp_only_the_first_header_and_its_sender_are_told() {
        let mut bytes = RR.to_vec();
        bytes.extend([0x93, 0x1f, 0x55, 0x81, 0x80, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]);
        let rtcp = Rtcp::parse(&bytes).unwrap();
        assert_eq!((rtcp.packet_type, rtcp.ssrc, rtcp.plain), (PacketType::RR, 7, false));
        assert_eq!(rtcp.parts().count(), 0);
    }

    #[test]
    fn a_packet_of_reduced_size_may_stand_alone() {
        let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        let rtcp = Rtcp::parse(&pli).unwrap();
        assert_eq!((rtcp.packet_type, rtcp.count, rtcp.plain), (PacketType::PSFB, 1, true));
    }

    #[test]
    fn a_sender_report_tells_how_many_packets_were_sent() {
        let mut report = vec![0x80, 200, 0, 6, 0, 0, 0, 7];
        report.extend([0; 12]);
        report.extend([0, 0, 1, 2, 0, 0, 9, 9]);
        let rtcp = Rtcp::parse(&report).unwrap();
        assert_eq!(rtcp.parts().next().and_then(|part| part.sender_packets()), Some(258));
    }

    #[test]
    fn what_is_too_short_or_of_another_type_is_not_rtcp() {
        assert_eq!(Rtcp::parse(&[0x80, 200, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(Rtcp::parse(&[0x80, 111, 0, 1, 0, 0, 0, 0]), None);
        assert_eq!(Rtcp::parse(&RR[..7]), None);
    }

    proptest! {
        #[test]
        fn parts_are_read_to_the_last_byte_or_not_at_all(
            mut bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 192u8..=223, length in 0u8..20,
        ) {
            if let [first, second, l0, l1, ..] = bytes.as_mut_slice() {
                (*first, *second, *l0, *l1) = (*first & 0x3f | 0x80, kind, 0, length);
            }
            if let Some(rtcp) = Rtcp::parse(&bytes) {
                let read: usize = rtcp.parts().map(|part| 4 + part.body.len()).sum();
                prop_assert_eq!(read, if rtcp.plain { bytes.len() } else { 0 });
            }
        }
    }
}
