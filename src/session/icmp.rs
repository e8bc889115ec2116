//! ICMP errors of one kind, added up.

use super::conversations::exchange::Seen;
use crate::bounded::BoundedList;
use crate::event::IcmpAnswer;
use crate::time::Timestamp;

/// Bytes of the headers of IP and UDP.
const HEADERS_V4: u32 = 28;
const HEADERS_V6: u32 = 48;

/// ICMP errors that came back for what one end sends to another.
#[derive(Clone, Debug)]
pub struct IcmpErrors {
    /// What the first one says.
    pub answer: IcmpAnswer,
    /// The smallest MTU that they tell, of packets that are too large.
    pub mtu: Option<u32>,
    /// How many there were.
    pub total: u64,
    /// Their frames; the first ones.
    pub frames: Vec<u64>,
    /// The first.
    pub first: Seen,
    /// The last.
    pub last: Seen,
}

impl IcmpErrors {
    /// None so far; the first is about to be added.
    pub(super) fn begun(answer: IcmpAnswer, time: Timestamp) -> Self {
        let seen = Seen { frame: answer.frame, time };
        IcmpErrors { answer, mtu: None, total: 0, frames: Vec::new(), first: seen, last: seen }
    }

    /// One more, of which the frame is kept where there are fewer than so many.
    pub(super) fn add(&mut self, max_frames: usize, frame: u64, time: Timestamp, mtu: Option<u32>) {
        self.total += 1;
        self.mtu = self.mtu.into_iter().chain(mtu).min();
        self.last = Seen { frame, time };
        self.frames.push_up_to(max_frames, frame);
    }

    /// The most bytes that a datagram of UDP can carry within that MTU.
    #[must_use]
    pub fn largest_payload(&self) -> Option<u32> {
        let headers = if self.answer.kind.v6 { HEADERS_V6 } else { HEADERS_V4 };
        Some(self.mtu?.saturating_sub(headers))
    }
}
