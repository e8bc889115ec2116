//! The first pass over a capture: when it ran, what kinds of packets and whose it shows, and a sample of them.

use super::print::{KINDS, Kind, Print, digest, key_of};
use crate::frame::Frame;
use crate::net::Endpoint;
use crate::packet::{Limits, Packet, Packets};
use crate::time::Timestamp;
use crate::wire::stun::TransactionId;
use hashbrown::HashMap;
use std::net::IpAddr;

/// How many packets a sample holds.
const MAX_SAMPLE: usize = 1 << 15;
/// How many addresses are remembered.
const MAX_HEARD: usize = 1 << 14;

/// Packets to and from an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// How many were sent to it.
    pub to: u64,
    /// How many it sent.
    pub from: u64,
}

/// One packet of the sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// When it was seen first, by the capture's own clock.
    pub time: Timestamp,
    /// How often it was seen.
    pub count: u32,
    /// Of a request: the key of its answer.
    pub answer: Option<u64>,
    /// By which it was chosen.
    lot: u64,
}

/// What one pass over a capture shows.
#[derive(Debug)]
pub struct Survey {
    packets: Packets,
    now: Timestamp,
    pub(super) span: Option<(Timestamp, Timestamp)>,
    pub(super) kinds: [u64; KINDS],
    pub(super) heard: HashMap<IpAddr, Heard>,
    pub(super) sample: HashMap<u64, Moment>,
    /// Only what has so many zeros at the end of its lot is in the sample.
    zeros: u32,
}

impl Default for Survey {
    fn default() -> Self {
        Survey {
            packets: Packets::new(Limits::default()),
            now: Timestamp(0),
            span: None,
            kinds: [0; KINDS],
            heard: HashMap::new(),
            sample: HashMap::new(),
            zeros: 0,
        }
    }
}

impl Survey {
    /// Takes the next frame.
    pub fn frame(&mut self, frame: &Frame<'_>) {
        if let Some(time) = frame.time {
            self.now = time;
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
        let now = self.now;
        // taken out for the time being, since both are needed at once
        let mut packets = std::mem::take(&mut self.packets);
        packets.dissect(frame, now, &mut |packet| match packet {
            Packet::Datagram(datagram) => {
                self.packet(datagram.src, datagram.dst, Print::of(datagram.payload, datagram.truncated));
            }
            Packet::Segment(segment) if !segment.payload.is_empty() => {
                let print = Print::of(segment.payload, segment.truncated).filter(|print| print.id.is_some());
                self.packet(segment.src, segment.dst, print);
            }
            _ => {}
        });
        self.packets = packets;
    }

    fn packet(&mut self, src: Endpoint, dst: Endpoint, print: Option<Print<'_>>) {
        let Some(print) = print else { return };
        if let Some(count) = self.kinds.get_mut(print.kind as usize) {
            *count += 1;
        }
        self.hear(src.ip(), |heard| heard.from += 1);
        self.hear(dst.ip(), |heard| heard.to += 1);
        let lot = print.id.map_or(print.key, lot_of);
        if lot.trailing_zeros() < self.zeros {
            return;
        }
        let (time, answer) = (self.now, print.id.filter(|_| print.kind == Kind::Request));
        let answer = answer.map(|id| key_of(id, Kind::Answer));
        let moment = self.sample.entry(print.key).or_insert(Moment { time, count: 0, answer, lot });
        moment.count = moment.count.saturating_add(1);
        moment.time = moment.time.min(time);
        while self.sample.len() > MAX_SAMPLE && self.zeros < 63 {
            self.zeros += 1;
            let zeros = self.zeros;
            self.sample.retain(|_, moment| moment.lot.trailing_zeros() >= zeros);
        }
    }

    fn hear(&mut self, ip: IpAddr, count: impl FnOnce(&mut Heard)) {
        if let Some(heard) = self.heard.get_mut(&ip) {
            count(heard);
        } else if self.heard.len() < MAX_HEARD {
            count(self.heard.entry(ip).or_default());
        }
    }
}

/// Requests and answers of a transaction are chosen together, and by all captures alike.
fn lot_of(id: TransactionId) -> u64 {
    digest(0xff, &id.header_bytes())
}
