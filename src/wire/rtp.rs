//! RTP packets (RFC 3550 §5.1) and their header extensions (RFC 8285). The header of SRTP is in the clear (RFC 3711 §3.1), so all of this is
//! read without a key; what is behind it is not.

/// Bytes of the header without contributing sources and extension.
pub const HEADER: usize = 12;

/// An RTP or SRTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtp<'a> {
    /// The marker bit: its meaning is the payload type's; of video mostly the last packet of a frame.
    pub marker: bool,
    /// What the payload is, 0 to 127.
    pub payload_type: u8,
    /// Increments by one for each packet, and wraps.
    pub sequence: u16,
    /// The sampling instant in ticks of the payload type's clock, and wraps.
    pub timestamp: u32,
    /// The synchronisation source: who sends, within the session.
    pub ssrc: u32,
    /// The contributing sources, 4 bytes each, 0 to 15.
    csrcs: &'a [u8],
    /// The header extension, if there is one.
    pub extension: Option<Extension<'a>>,
    /// What follows the header: encrypted in SRTP, with its authentication tag; padding included.
    pub body: &'a [u8],
    /// Whether there is padding at the end. How much is told by the last byte, which is encrypted in SRTP.
    pub padding: bool,
    /// Whether bytes at the end are missing from the capture.
    pub truncated: bool,
}

/// A header extension (RFC 3550 §5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// What its profile defines: 0xBEDE for one-byte and 0x1000 to 0x100F for two-byte elements (RFC 8285), 0xC0DE and 0xC2DE where
    /// elements are encrypted (RFC 9335).
    pub profile: u16,
    /// Its bytes without the header of four.
    pub data: &'a [u8],
}

impl<'a> Rtp<'a> {
    /// Reads a packet of version 2; `None` where it is none, or where the header does not fit. In a packet that the capture cut
    /// (`truncated`) the contributing sources and the extension may be missing.
    #[must_use]
    pub fn parse(packet: &'a [u8], truncated: bool) -> Option<Rtp<'a>> {
        let head = Head::parse(packet)?;
        let (first, rest) = (*packet.first()?, packet.get(HEADER..)?);
        let cut = |bytes: &'a [u8], at: usize| match bytes.split_at_checked(at) {
            Some(parts) => Some(parts),
            None if truncated => Some((bytes, Default::default())),
            None => None,
        };
        let (csrcs, rest) = cut(rest, 4 * usize::from(first & 0x0f))?;
        let (extension, body) = if first & 0x10 == 0 {
            (None, rest)
        } else {
            match rest.split_first_chunk::<4>() {
                Some((&[p0, p1, l0, l1], rest)) => {
                    let (data, body) = cut(rest, 4 * usize::from(u16::from_be_bytes([l0, l1])))?;
                    (Some(Extension { profile: u16::from_be_bytes([p0, p1]), data }), body)
                }
                None if truncated => (None, Default::default()),
                None => return None,
            }
        };
        let Head { marker, payload_type, sequence, timestamp, ssrc } = head;
        let padding = first & 0x20 != 0;
        Some(Rtp { marker, payload_type, sequence, timestamp, ssrc, csrcs, extension, body, padding, truncated })
    }

    /// The contributing sources, in order.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + 'a {
        self.csrcs
            .chunks_exact(4)
            .filter_map(|source| source.first_chunk::<4>())
            .map(|&source| u32::from_be_bytes(source))
    }

    /// The bytes of padding, if this is plain RTP: 0 where there is none, `None` where the count is impossible or cut off.
    #[must_use]
    pub fn padding_length(&self) -> Option<u8> {
        if !self.padding {
            return Some(0);
        }
        if self.truncated {
            return None;
        }
        self.body.last().copied().filter(|&count| count > 0 && usize::from(count) <= self.body.len())
    }
}

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
    use proptest::prelude::*;

    #[test]
    fn sources_extension_and_padding_are_read_in_their_places() {
        let packet = [
            0xb2, 0xef, 0x12, 0x34, 0, 0, 0, 5, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 0x10,
            9, 0, 0, 7, 7, 0, 2,
        ];
        let rtp = Rtp::parse(&packet, false).unwrap();
        assert!(rtp.marker && rtp.padding);
        assert_eq!((rtp.payload_type, rtp.sequence, rtp.timestamp, rtp.ssrc), (111, 0x1234, 5, 0xdead_beef));
        assert_eq!(rtp.csrcs().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(rtp.extension, Some(Extension { profile: 0xbede, data: &[0x10, 9, 0, 0] }));
        assert_eq!((rtp.body, rtp.padding_length()), (&[7, 7, 0, 2][..], Some(2)));
    }

    #[test]
    fn a_header_that_does_not_fit_is_none_unless_the_capture_cut_it() {
        let sources = [0x82, 96, 0, 1, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 1];
        assert_eq!(Rtp::parse(&sources, false), None);
        assert_eq!(Rtp::parse(&sources, true).map(|rtp| rtp.csrcs().count()), Some(1));
        let extension = [0x90, 96, 0, 1, 0, 0, 0, 5, 0, 0, 0, 9, 0xbe, 0xde, 0, 2, 1, 2, 3, 4];
        assert_eq!(Rtp::parse(&extension, false), None);
        assert!(Rtp::parse(&extension, true).is_some_and(|rtp| rtp.extension.is_some()));
        assert_eq!(Rtp::parse(&[0x40; 20], true), None);
    }

    #[test]
    fn padding_that_says_more_than_there_is_is_not_believed() {
        let packet = [0xa0, 96, 0, 1, 0, 0, 0, 5, 0, 0, 0, 9, 1, 200];
        assert_eq!(Rtp::parse(&packet, false).map(|rtp| rtp.padding_length()), Some(None));
    }

    proptest! {
        #[test]
        fn whatever_is_read_accounts_for_every_byte(
            mut bytes in prop::collection::vec(any::<u8>(), 0..80), version in any::<bool>(), truncated in any::<bool>(),
        ) {
            if let (true, Some(first)) = (version, bytes.first_mut()) {
                *first = *first & 0x3f | 0x80;
            }
            if let Some(rtp) = Rtp::parse(&bytes, truncated) {
                let extension = rtp.extension.map_or(0, |extension| 4 + extension.data.len());
                let read = HEADER + rtp.csrcs.len() + extension + rtp.body.len();
                prop_assert!(read <= bytes.len());
                prop_assert!(truncated || read == bytes.len());
                prop_assert!(usize::from(rtp.padding_length().unwrap_or(0)) <= rtp.body.len());
                let head = Head::parse(&bytes).unwrap();
                prop_assert_eq!((head.ssrc, head.sequence), (rtp.ssrc, rtp.sequence));
            }
        }
    }
}
