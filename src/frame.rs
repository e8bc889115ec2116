//! What a capture file yields: frames with their place, time and link type.

use crate::time::Timestamp;

/// The number of a link type as registered for pcap and pcapng (`LINKTYPE_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

/// Where a thing was seen: which capture of the command line, and which of its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Index of the capture among those analysed together, from 0.
    pub capture: u32,
    /// Number of the frame within it, from 1, as Wireshark counts.
    pub frame: u64,
}

/// One captured frame, borrowed from the reader until the next is read.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Number within the capture, from 1, as Wireshark counts.
    pub number: u64,
    /// When it was captured; `None` where the file does not say (pcapng Simple Packet Blocks).
    pub time: Option<Timestamp>,
    /// How many decimal digits of the second the file gives for this frame: 0 to 9.
    pub digits: u8,
    /// What `data` starts with.
    pub link_type: LinkType,
    /// The bytes that were kept.
    pub data: &'a [u8],
    /// How long the frame was on the wire; at least `data.len()`.
    pub original_len: u32,
    /// Bytes of frame check sequence at the end of the frame on the wire, where the file says so.
    pub fcs_len: u8,
    /// Whether the file section is big-endian; some link types hold fields in the file's order.
    pub big_endian: bool,
}

impl Frame<'_> {
    /// Whether the snap length cut the frame short.
    #[must_use]
    pub fn truncated(&self) -> bool {
        (self.data.len() as u64) < u64::from(self.original_len)
    }
}
