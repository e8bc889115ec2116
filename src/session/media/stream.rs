//! One RTP stream: the packets of one SSRC in one direction of a path, counted by their sequence numbers (RFC 3550 A.1, A.3).

use super::clock::{Clock, Jitter};
use crate::session::conversations::exchange::Seen;
use crate::time::{MIRROR, Span, Timestamp};
use crate::wire::rtp::Head;

/// As many packets in sequence make a source believed (RFC 3550 A.1).
const MIN_SEQUENTIAL: u8 = 2;
/// A jump forward by more than this is a source that began anew, unless its next packet and its timestamps say otherwise.
const MAX_DROPOUT: u16 = 3000;
/// A packet that is further behind the highest than this is not late but of another run.
const MAX_LATE: u16 = 2048;
/// How far back it is known which packets came.
const WINDOW: u16 = 128;
/// A break shorter than this is no outage.
const OUTAGE: Span = Span::from_secs(1);
/// Nor is one with fewer packets missing.
const OUTAGE_PACKETS: u64 = 5;

/// A stream so far. What every packet touches comes first and fills two cache lines.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub struct Stream {
    /// Its last packet.
    pub last: Seen,
    /// Packets, each counted once.
    pub packets: u64,
    /// Bytes of these, RTP header included, as far as the capture has them.
    pub bytes: u64,
    /// The highest number with its wraps counted.
    highest: u64,
    /// Bit n says whether the packet n before the highest came.
    window: u128,
    /// How long the longest pause is.
    pause: Span,
    clock: Clock,
    /// Its source.
    pub ssrc: u32,
    /// By how many packets the payload type of most of them leads.
    lead: u32,
    /// That payload type.
    usual_type: u8,
    probation: u8,
    /// Its first packet.
    pub first: Seen,
    /// Copies of packets that had come before, by a mirror port or the network.
    pub duplicates: u64,
    /// Packets that came after one with a higher number.
    pub reordered: u64,
    /// Runs of packets that are missing.
    pub gaps: u64,
    /// How often the numbers began anew.
    pub restarts: u32,
    /// The longest time between two packets of which the numbers show that others are missing between them.
    pub longest_gap: Option<Break>,
    /// The longest time without a packet, though none is missing: the sender paused.
    pub longest_pause: Option<Break>,
    /// Breaks of more than a second in which as many packets are missing as the stream would have had.
    pub outages: u32,
    /// The longest of these.
    pub longest_outage: Option<Break>,
    /// A bit for each payload type that was seen.
    payload_types: u128,
    /// The number that a source that began anew would send next.
    expected_anew: u32,
    /// The lowest number.
    base: u64,
    /// Packets that were expected before the numbers began anew.
    expected_before: u64,
}

/// A time without packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    /// How long it was.
    pub span: Span,
    /// The last packet before it.
    pub from: Timestamp,
    /// The frame with the first packet after it.
    pub until: u64,
    /// How many packets are missing.
    pub missing: u64,
}

/// What a packet's number says.
enum Arrival {
    /// It is ahead of all, with so many missing before it.
    Ahead(u64),
    Late,
    Duplicate,
    /// It belongs nowhere, for now.
    Stray,
    Anew,
}

impl Stream {
    pub(super) fn new(head: &Head, bytes: usize, seen: Seen) -> Stream {
        // a wrap ahead, so that packets from before the first have a number too
        let number = (1 << 16) | u64::from(head.sequence);
        Stream {
            ssrc: head.ssrc,
            first: seen,
            last: seen,
            packets: 1,
            bytes: bytes as u64,
            payload_types: 1 << (head.payload_type & 0x7f),
            usual_type: head.payload_type,
            lead: 1,
            probation: MIN_SEQUENTIAL - 1,
            expected_anew: u32::MAX,
            highest: number,
            base: number,
            window: 1,
            clock: Clock::new(head.payload_type, head.timestamp, seen.time),
            ..Stream::default()
        }
    }

    /// Whether its numbers behaved as those of RTP do.
    #[must_use]
    pub(in crate::session) fn is_believed(&self) -> bool {
        self.probation == 0
    }

    /// Packets that were sent past this point, as far as their numbers tell (RFC 3550 A.3).
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.expected_before + (self.highest - self.base) + 1
    }

    /// Packets that never came past this point.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.packets)
    }

    /// The payload type of most packets.
    #[must_use]
    pub fn payload_type(&self) -> u8 {
        self.usual_type
    }

    /// All payload types, in order.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + use<> {
        let seen = self.payload_types;
        (0..128).filter(move |kind| seen >> kind & 1 == 1)
    }

    /// The jitter; `None` where the clock of the timestamps is not to be known.
    #[must_use]
    pub fn jitter(&self) -> Option<Jitter> {
        self.clock.jitter(self.last.time)
    }

    /// The time from the first packet to the last.
    #[must_use]
    pub fn duration(&self) -> Span {
        self.last.time.since(self.first.time)
    }

    /// Whether a packet of this number came just before: then it is the same one, captured twice.
    pub(super) fn is_copy(&self, head: &Head, time: Timestamp) -> bool {
        let back = low(self.highest).wrapping_sub(head.sequence);
        self.came(back) && time.since(self.last.time) < MIRROR
    }

    /// Takes the next packet of the source; whether it [is a copy](Stream::is_copy).
    #[inline]
    pub(super) fn take(&mut self, head: &Head, bytes: usize, seen: Seen) -> bool {
        let after = seen.time.since(self.last.time);
        if self.probation > 0 {
            self.prove(head);
        }
        match self.place(head, seen, after) {
            Arrival::Ahead(0) => {
                if after > self.pause {
                    self.paused(seen, after);
                }
            }
            Arrival::Ahead(missing) => self.gap(missing, seen, after),
            Arrival::Late => self.reordered += 1,
            Arrival::Duplicate => {
                self.duplicates += 1;
                return after < MIRROR;
            }
            Arrival::Stray => return false,
            Arrival::Anew => self.clock.restart(head.timestamp, seen.time),
        }
        self.packets += 1;
        self.bytes += bytes as u64;
        if head.payload_type == self.usual_type {
            self.lead = self.lead.saturating_add(1);
        } else {
            self.other_type(head.payload_type);
        }
        self.clock.take(head.payload_type, head.timestamp, seen.time, after);
        self.last = seen;
        false
    }

    #[cold]
    fn paused(&mut self, seen: Seen, after: Span) {
        self.pause = after;
        self.longest_pause = Some(Break { span: after, from: self.last.time, until: seen.frame, missing: 0 });
    }

    /// A packet of another payload type than most.
    fn other_type(&mut self, payload_type: u8) {
        self.payload_types |= 1 << (payload_type & 0x7f);
        if self.lead == 0 {
            (self.usual_type, self.lead) = (payload_type, 1);
        } else {
            self.lead -= 1;
        }
    }

    /// On probation, a packet that does not follow the one before puts it back to the start.
    #[cold]
    fn prove(&mut self, head: &Head) {
        match head.sequence.wrapping_sub(low(self.highest)) {
            0 => {} // a mirrored copy
            1 => self.probation -= 1,
            _ => self.probation = MIN_SEQUENTIAL - 1,
        }
    }

    #[inline]
    fn place(&mut self, head: &Head, seen: Seen, after: Span) -> Arrival {
        let ahead = head.sequence.wrapping_sub(low(self.highest));
        match ahead {
            1 => {
                (self.highest, self.window) = (self.highest + 1, self.window << 1 | 1);
                Arrival::Ahead(0)
            }
            0 => Arrival::Duplicate,
            2..=MAX_DROPOUT => {
                self.advance(ahead);
                Arrival::Ahead(u64::from(ahead) - 1)
            }
            _ if ahead.wrapping_neg() <= MAX_LATE => self.late(ahead.wrapping_neg()),
            _ => self.stray(head, seen, after, ahead),
        }
    }

    #[inline]
    fn advance(&mut self, by: u16) {
        self.highest += u64::from(by);
        self.window = self.window.checked_shl(u32::from(by)).unwrap_or(0) | 1;
    }

    /// Whether the packet `back` behind the highest is known to have come.
    fn came(&self, back: u16) -> bool {
        self.window.checked_shr(u32::from(back)).unwrap_or(0) & 1 == 1
    }

    /// A packet that is `back` behind the highest.
    #[cold]
    fn late(&mut self, back: u16) -> Arrival {
        let number = self.highest.saturating_sub(u64::from(back));
        if back < WINDOW {
            if self.came(back) {
                return Arrival::Duplicate;
            }
            // what it leaves of the run of missing packets that it was in
            let newer = self.came(back - 1);
            let older = number <= self.base || self.came(back + 1);
            match (newer, older) {
                (true, true) if number > self.base => self.gaps = self.gaps.saturating_sub(1),
                (false, false) => self.gaps += 1,
                (false, true) if number < self.base => self.gaps += 1,
                _ => {}
            }
            self.window |= 1 << back;
        }
        self.base = self.base.min(number);
        Arrival::Late
    }

    /// A packet far from all others: two of them in sequence are a source that began anew (RFC 3550 A.1), or, where the timestamps
    /// went on with the time, one of which very many packets are missing.
    #[cold]
    fn stray(&mut self, head: &Head, seen: Seen, after: Span, ahead: u16) -> Arrival {
        if u32::from(head.sequence) != self.expected_anew {
            self.expected_anew = u32::from(head.sequence.wrapping_add(1));
            return Arrival::Stray;
        }
        self.expected_anew = u32::MAX;
        // the stray before it is the first packet of the new run
        self.packets += 1;
        if ahead < 1 << 15 && self.clock.goes_on(head.timestamp, after) {
            self.highest += u64::from(ahead);
            self.window = 0b11;
            self.gap(u64::from(ahead) - 2, seen, after);
            return Arrival::Anew;
        }
        self.restarts += 1;
        self.expected_before = self.expected();
        let number = (1 << 16) | u64::from(head.sequence);
        (self.highest, self.base, self.window) = (number, number - 1, 0b11);
        Arrival::Anew
    }

    #[cold]
    fn gap(&mut self, missing: u64, seen: Seen, after: Span) {
        self.gaps += 1;
        let found = Break { span: after, from: self.last.time, until: seen.frame, missing };
        if self.longest_gap.is_none_or(|known| after > known.span) {
            self.longest_gap = Some(found);
        }
        if after <= OUTAGE || missing < OUTAGE_PACKETS {
            return;
        }
        // a pause with a packet lost at its edge is none: half of what usually comes in that time must be missing
        let before = i128::from(self.last.time.since(self.first.time).0);
        let usual = i128::from(self.packets) * i128::from(after.0);
        if i128::from(missing) * 2 * before >= usual {
            self.outages += 1;
            if self.longest_outage.is_none_or(|known| after > known.span) {
                self.longest_outage = Some(found);
            }
        }
    }
}

/// The number as the packet has it.
#[allow(clippy::cast_possible_truncation)] // the low half is what is meant
fn low(number: u64) -> u16 {
    number as u16
}
