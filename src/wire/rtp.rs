//! The header of RTP packets (RFC 3550 §5.1), as far as counting them takes. That of SRTP is in the clear (RFC 3711 §3.1), so it is read without
//! a key.

/// Bytes of the header without contributing sources and extension.
const HEADER: usize = 12;

/// The fixed part of the header: all that counting packets takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The marker bit.
    pub marker: bool,
    /// What the payload is, 0 to 127.
    pub payload_type: u8,
    /// Increments by one for each packet, and wraps.
    pub sequence: u16,
    /// The sampling instant in ticks of the payload type's clock, and wraps.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

impl Head {
    /// Reads the fixed part of a header of version 2.
    #[must_use]
    #[inline]
    pub fn parse(packet: &[u8]) -> Option<Head> {
        let &[first, second, q0, q1, t0, t1, t2, t3, s0, s1, s2, s3] = packet.first_chunk::<HEADER>()?;
        (first >> 6 == 2).then_some(Head {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([q0, q1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
        })
    }
}

/// The clock of a payload type that RFC 3551 §6 assigns for good, in ticks a second; `None` for those that are agreed on in signalling.
#[must_use]
pub fn static_clock(payload_type: u8) -> Option<u32> {
    Some(match payload_type {
        0 | 3 | 4 | 5 | 7 | 8 | 9 | 12 | 13 | 15 | 18 => 8_000,
        6 => 16_000,
        10 | 11 => 44_100,
        16 => 11_025,
        17 => 22_050,
        14 | 25 | 26 | 28 | 31..=34 => 90_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_part_of_a_header_is_read_whatever_follows_it() {
        let packet = [0xb2, 0xef, 0x12, 0x34, 0, 0, 0, 5, 0xde, 0xad, 0xbe, 0xef, 0, 0];
        let head = Head { marker: true, payload_type: 111, sequence: 0x1234, timestamp: 5, ssrc: 0xdead_beef };
        assert_eq!(Head::parse(&packet), Some(head));
    }

    #[test]
    fn what_is_too_short_or_of_another_version_is_no_rtp() {
        assert_eq!(Head::parse(&[0x80; HEADER - 1]), None);
        assert_eq!(Head::parse(&[0x40; HEADER]), None);
    }
}
