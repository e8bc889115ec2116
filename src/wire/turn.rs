//! ChannelData, the 4-byte framing of relayed data (RFC 8656 §12.4).

/// A ChannelData message.
///
/// Channel numbers up to 0x7FFF are read, since RFC 5766 let a server lend up to 0x7FFE; RFC 8656 stops at 0x4FFF.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ChannelData<'a> {
    /// The channel number, 0x4000 to 0x7FFF.
    pub channel: u16,
    /// The length that the header gives: bytes of application data, padding not counted.
    pub length: u16,
    /// The application data that is there.
    pub data: &'a [u8],
    /// Whether `data` is shorter than `length` because the capture kept no more.
    pub truncated: bool,
    /// Bytes of padding after the data, 0 to 3.
    pub padding: usize,
}

impl<'a> ChannelData<'a> {
    /// Reads a datagram as ChannelData, by framing alone: the channel number is in range, and the length accounts for the whole datagram,
    /// or for the whole but the padding to a multiple of 4 that is optional over UDP. `truncated` says that bytes are missing at the
    /// end of `payload`.
    ///
    /// What QUIC and other protocols send can look the same, so a caller that knows the bound channels asks them too (RFC 9443 §2).
    #[must_use]
    #[inline]
    pub fn parse(payload: &'a [u8], truncated: bool) -> Option<Self> {
        let (&[c0, c1, l0, l1], rest) = payload.split_first_chunk::<4>()?;
        if c0 & 0xc0 != 0x40 {
            return None;
        }
        let channel = u16::from_be_bytes([c0, c1]);
        let length = u16::from_be_bytes([l0, l1]);
        match rest.split_at_checked(usize::from(length)) {
            Some((data, padding)) => {
                let padding = padding.len();
                let framed = padding == 0 || (padding < 4 && (payload.len().is_multiple_of(4) || truncated));
                framed.then_some(ChannelData { channel, length, data, truncated: false, padding })
            }
            None => truncated.then_some(ChannelData { channel, length, data: rest, truncated: true, padding: 0 }),
        }
    }

    /// Whether padding to a multiple of 4 is counted as data: DTLS records, which tell their own length, end one to three bytes before it.
    #[must_use]
    pub fn counts_padding(&self) -> bool {
        const RECORD: usize = 13;
        if self.truncated || !self.length.is_multiple_of(4) {
            return false;
        }
        let mut rest = self.data;
        while let [20..=25, 0xfe, 0xfc..=0xff, _, _, _, _, _, _, _, _, l0, l1, ..] = rest {
            let length = RECORD + usize::from(u16::from_be_bytes([*l0, *l1]));
            let Some(after) = rest.get(length..) else { return false };
            rest = after;
        }
        rest.len() != self.data.len() && (1..4).contains(&rest.len())
    }

    /// Whether the number is one that RFC 8656 §12 allows; those above it were legal under RFC 5766 only.
    #[must_use]
    pub fn is_current_range(&self) -> bool {
        self.channel <= 0x4fff
    }
}

impl std::fmt::Debug for ChannelData<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChannelData(0x{:04x}, {} of {} bytes)", self.channel, self.data.len(), self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_that_its_length_accounts_for_is_channel_data() {
        let data = ChannelData::parse(&[0x40, 0x01, 0, 2, 7, 8], false).unwrap();
        assert_eq!((data.channel, data.data, data.padding, data.truncated), (0x4001, &[7, 8][..], 0, false));
        assert_eq!(ChannelData::parse(&[0x40, 0, 0, 0], false).unwrap().length, 0, "empty data is legal");
    }

    #[test]
    fn padding_to_a_multiple_of_four_is_tolerated_and_nothing_else_is() {
        assert_eq!(ChannelData::parse(&[0x40, 0, 0, 1, 7, 0, 0, 0], false).unwrap().padding, 3);
        assert!(ChannelData::parse(&[0x40, 0, 0, 1, 7, 0, 0], false).is_none());
        assert!(ChannelData::parse(&[0x40, 0, 0, 0, 0, 0, 0, 0], false).is_none());
    }

    #[test]
    fn a_datagram_shorter_than_its_length_is_channel_data_only_if_the_capture_cut_it() {
        let cut = [0x4f, 0xff, 0, 100, 1, 2, 3];
        assert!(ChannelData::parse(&cut, false).is_none());
        let data = ChannelData::parse(&cut, true).unwrap();
        assert_eq!((data.truncated, data.length, data.data.len()), (true, 100, 3));
    }

    #[test]
    fn numbers_outside_the_channel_range_are_refused() {
        assert!(ChannelData::parse(&[0x3f, 0xff, 0, 0], false).is_none());
        assert!(ChannelData::parse(&[0x80, 0, 0, 0], false).is_none());
        assert!(ChannelData::parse(&[0x7f, 0xff, 0, 0], false).is_some_and(|data| !data.is_current_range()));
        assert!(ChannelData::parse(&[0x40, 0], true).is_none());
    }
}
