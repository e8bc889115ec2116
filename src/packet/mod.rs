//! Frames to datagrams, TCP segments and ICMP errors: link types, tunnels, IP and its fragments. The only user of etherparse.
//!
//! ```text
//! Frame ─▶ fast ── plain Ethernet or SLL, IP, UDP or TCP ──────────────▶ Packet
//!            └──▶ walk: link ▶ layer ▶ wifi ▶ ip ▶ tunnel ─┐ ▶ transport ▶ Packet
//!                         ▲          fragments ◀── ip      │
//!                         └────────────────────────────────┘
//! ```
//!
//! Nothing is refused for a wrong checksum or a length that lies: such packets are normal in captures made on the sending host.

mod counts;
mod exported;
mod fast;
mod fragments;
mod icmp;
mod ip;
mod layer;
mod link;
mod model;
mod neighbour;
#[cfg(test)]
mod tests;
mod transport;
mod tunnel;
mod walk;
mod wifi;

pub use counts::{Counts, FragmentCounts, Incomplete, Unsupported};
pub use fragments::FragmentLimits;
pub use icmp::IcmpKind;
pub use link::link_type_name;
pub use model::{Datagram, IcmpAnswer, IcmpError, Packet, Quoted, Segment, TcpFlags};

use crate::frame::Frame;
use crate::time::Timestamp;
use std::net::IpAddr;

/// Bounds on what frames may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Headers taken off one frame, those of tunnels and every tag and label among them.
    pub headers: u32,
    /// Packets that wait for fragments.
    pub fragments: FragmentLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { headers: 40, fragments: FragmentLimits::default() }
    }
}

/// Finds the packets in frames. Its only memory is that of fragments whose packets are not complete.
#[derive(Debug, Default)]
pub struct Packets {
    limits: Limits,
    counts: Counts,
    fragments: fragments::Fragments,
    neighbour: Option<IpAddr>,
}

impl Packets {
    /// Starts without any frame seen.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Packets { limits, fragments: fragments::Fragments::new(limits.fragments), ..Packets::default() }
    }

    /// Calls `each` for every packet in a frame. `now` is the frame's time, or where it has none that of the last frame that had;
    /// fragments age by it.
    #[inline]
    pub fn dissect(&mut self, frame: &Frame<'_>, now: Timestamp, each: &mut impl FnMut(Packet<'_>)) {
        if let Some(packet) = fast::dissect(frame) {
            self.counts.frames += 1;
            match packet {
                Packet::Datagram(_) => self.counts.datagrams += 1,
                _ => self.counts.segments += 1,
            }
            each(packet);
        } else {
            self.dissect_slowly(frame, now, each);
        }
    }

    /// The datagram in a frame that holds what nearly all frames of a call hold: UDP in IPv4 in Ethernet, whole and without options. Counts it,
    /// or gives `None` with nothing done: then [`Packets::dissect`] is to be asked.
    #[must_use]
    #[inline(always)]
    pub fn commonest<'a>(&mut self, frame: &Frame<'a>) -> Option<Datagram<'a>> {
        let datagram = if frame.link_type.0 == 1 { fast::commonest(frame.data) } else { None }?;
        self.counts.frames += 1;
        self.counts.datagrams += 1;
        Some(datagram)
    }

    /// The same of a TCP segment.
    #[must_use]
    #[inline(always)]
    pub fn commonest_segment<'a>(&mut self, frame: &Frame<'a>) -> Option<Segment<'a>> {
        let segment = if frame.link_type.0 == 1 { fast::commonest_segment(frame.data) } else { None }?;
        self.counts.frames += 1;
        self.counts.segments += 1;
        Some(segment)
    }

    /// Counts a frame with a datagram that was [peeked](Packets::peek) at and is taken without being dissected.
    #[inline]
    pub fn count_datagram(&mut self) {
        self.counts.frames += 1;
        self.counts.datagrams += 1;
    }

    /// The plain UDP datagram in a frame, as [`Packets::dissect`] would give it, without counting it; `None` for whatever else it holds.
    #[must_use]
    #[inline]
    pub fn peek<'a>(frame: &Frame<'a>) -> Option<Datagram<'a>> {
        // as it is built it stays where it is wanted; out of a packet of any kind it would be copied
        if frame.link_type.0 == 1
            && let Some(datagram) = fast::commonest(frame.data)
        {
            return Some(datagram);
        }
        match fast::dissect(frame)? {
            Packet::Datagram(datagram) => Some(datagram),
            _ => None,
        }
    }

    /// To whom the answer was sent that the last frame without packets held, if it was one to the question who has an address: ARP
    /// (RFC 826) or a neighbour advertisement (RFC 4861 §4.4).
    #[must_use]
    pub fn neighbour_answered(&self) -> Option<IpAddr> {
        self.neighbour
    }

    /// The capture is over: fragmented packets that still wait are counted as incomplete.
    pub fn finish(&mut self) {
        self.fragments.finish(&mut self.counts.fragments);
    }

    /// What became of the frames so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Fragmented packets of which parts never came, in the order in which they were given up; the first 64.
    /// `counts().fragments.incomplete` says how many there were.
    #[must_use]
    pub fn incomplete(&self) -> &[Incomplete] {
        self.fragments.incomplete()
    }

    /// As `dissect`, but always the long way; only for showing that both give the same.
    #[doc(hidden)]
    #[inline(never)]
    pub fn dissect_slowly(&mut self, frame: &Frame<'_>, now: Timestamp, each: &mut impl FnMut(Packet<'_>)) {
        self.counts.frames += 1;
        let cut = u64::from(frame.original_len).saturating_sub(frame.data.len() as u64);
        let cut = u32::try_from(cut).unwrap_or(u32::MAX);
        let fcs = u32::from(frame.fcs_len);
        let context = layer::Context {
            big_endian: frame.big_endian,
            missing: cut.saturating_sub(fcs),
            fcs: fcs.saturating_sub(cut),
        };
        let first = layer::Layer::Link(frame.link_type, frame.data);
        let Packets { limits, counts, fragments, neighbour } = self;
        *neighbour = None;
        walk::Walk { counts, fragments, neighbour, now, each }.run(first, context, limits.headers);
    }
}

/// Dissects frames made of arbitrary bytes and gives how many packets they held. For fuzzing: the first bytes choose the link type
/// and what else a file says of its frames, then come frames, each behind its length.
#[doc(hidden)]
#[must_use]
pub fn exercise(bytes: &[u8]) -> u64 {
    let mut found = 0;
    let mut packets = Packets::default();
    let Some((&[high, low, fcs_len, flags, beyond, step], mut rest)) = bytes.split_first_chunk::<6>() else { return 0 };
    let mut number = 0;
    let mut now = Timestamp::default();
    while let Some((&[long, short], data)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes([long, short]));
        let data = data.get(..length).unwrap_or(data);
        rest = rest.get(2 + data.len()..).unwrap_or_default();
        number += 1;
        now = now.after(crate::time::Span::from_millis(i64::from(step) * 100));
        let frame = Frame {
            number,
            time: Some(now),
            digits: 6,
            link_type: crate::frame::LinkType(u16::from_be_bytes([high, low])),
            data,
            original_len: u32::try_from(data.len()).unwrap_or(u32::MAX).saturating_add(u32::from(beyond)),
            fcs_len: fcs_len & 0x0f,
            big_endian: flags & 1 != 0,
        };
        packets.dissect(&frame, now, &mut |packet| {
            found += 1;
            if let Packet::IcmpError(error) = packet {
                found += error.kind.to_string().len() as u64;
            }
        });
    }
    packets.finish();
    found
}
