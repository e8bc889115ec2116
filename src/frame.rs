//! What a capture file yields: frames with their place, time and link type.

use crate::time::{Span, Timestamp};

/// How far packets of a capture are out of order, as those of interfaces that were merged, or of the queues of a capture card, may be: what answers one may
/// stand so long before it.
pub const OUT_OF_ORDER: Span = Span::from_millis(20);

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

/// A frame and its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Number of the frame within the capture.
    pub frame: u64,
    /// When it was captured.
    pub time: Timestamp,
}

/// How many captures may be told apart in one [joined number](Place::joined).
pub const MAX_JOINED: u32 = 1 << CAPTURE_BITS;

/// A joined number has the order of reading above these, then the capture, then the frame within it.
const CAPTURE_BITS: u32 = 10;
const FRAME_BITS: u32 = 32;
const ORDER_BITS: u32 = 64 - CAPTURE_BITS - FRAME_BITS;

impl Place {
    /// One number for a frame of several captures that are read together. Such numbers sort in the order of reading, and no number of a frame in a
    /// capture by itself is as large.
    ///
    /// Frame 0 stands for the capture as such.
    ///
    /// `order` has to grow, from 1, whenever the next frame is from a capture of a lower index than the one before. Beyond what there is room
    /// for it stays at its most, and so do frame numbers beyond 2^32.
    #[must_use]
    pub fn joined(order: u64, capture: u32, frame: u64) -> u64 {
        let order = order.clamp(1, (1 << ORDER_BITS) - 1);
        let capture = u64::from(capture.min(MAX_JOINED - 1));
        order << (CAPTURE_BITS + FRAME_BITS) | capture << FRAME_BITS | frame.min(u64::from(u32::MAX))
    }

    /// The place that a number means: what [`Place::joined`] made, or else a frame of this capture.
    #[must_use]
    pub fn of(capture: u32, number: u64) -> Place {
        if number >> (CAPTURE_BITS + FRAME_BITS) == 0 {
            return Place { capture, frame: number };
        }
        let capture = u32::try_from(number >> FRAME_BITS & u64::from(MAX_JOINED - 1)).unwrap_or(capture);
        Place { capture, frame: number & u64::from(u32::MAX) }
    }
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

/// Numbers of frames in order, each once.
#[must_use]
pub fn in_order(numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut numbers: Vec<u64> = numbers.into_iter().collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_shows_two_things_is_listed_once() {
        assert_eq!(in_order([9, 7, 9, 8]), [7, 8, 9]);
    }

    #[test]
    fn a_joined_number_tells_its_place_and_sorts_by_the_order_of_reading() {
        let (early, late) = (Place::joined(1, 7, 1458), Place::joined(2, 0, 3));
        assert!(early < late);
        assert_eq!(Place::of(0, early), Place { capture: 7, frame: 1458 });
        assert_eq!(Place::of(9, late), Place { capture: 0, frame: 3 });
        assert_eq!(Place::of(9, 1458), Place { capture: 9, frame: 1458 });
    }

    #[test]
    fn what_there_is_no_room_for_stays_at_its_most() {
        let number = Place::joined(u64::MAX, u32::MAX, u64::MAX);
        assert_eq!(Place::of(0, number), Place { capture: MAX_JOINED - 1, frame: u64::from(u32::MAX) });
    }
}
