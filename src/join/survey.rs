//! The first pass over a capture: when it ran, what kinds of packets and whose it shows, and a sample of them.

use super::print::{KINDS, Kind, Print, digest, key_of, opening};
use crate::frame::Frame;
use crate::net::Endpoint;
use crate::packet::{Packet, Packets, TcpFlags};
use crate::time::Timestamp;
use crate::wire::stun::{Method, TransactionId};
use hashbrown::{HashMap, HashSet};
use std::net::IpAddr;

/// How many packets a sample holds.
const MAX_SAMPLE: usize = 1 << 15;
/// How many ports of relayed addresses are remembered.
const MAX_RELAYED: usize = 1 << 14;
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
#[derive(Debug, Default)]
pub struct Survey {
    packets: Packets,
    now: Timestamp,
    pub(super) span: Option<(Timestamp, Timestamp)>,
    /// Packets that the capture lost by its own count.
    pub(super) dropped: u64,
    pub(super) kinds: [u64; KINDS],
    pub(super) heard: HashMap<IpAddr, Heard>,
    /// Requests and answers.
    pub(super) sample: Sample,
    /// All else, whatever it is: what relays carry may be anything.
    pub(super) others: Sample,
    /// Ports of relayed addresses that servers gave: what goes to or from them is of interest, whatever it is.
    pub(super) relayed: HashSet<u16>,
}

/// Some of the packets, bounded in number, chosen by their bytes: all captures choose the same.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub(super) packets: HashMap<u64, Moment>,
    /// Only what has so many zeros at the end of its lot is in the sample.
    zeros: u32,
}

impl Sample {
    fn add(&mut self, key: u64, lot: u64, time: Timestamp, answer: Option<u64>) {
        if lot.trailing_zeros() < self.zeros {
            return;
        }
        let moment = self.packets.entry(key).or_insert(Moment { time, count: 0, answer, lot });
        moment.count = moment.count.saturating_add(1);
        moment.time = moment.time.min(time);
        while self.packets.len() > MAX_SAMPLE && self.zeros < 63 {
            self.zeros += 1;
            let zeros = self.zeros;
            self.packets.retain(|_, moment| moment.lot.trailing_zeros() >= zeros);
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
            Packet::Datagram(datagram) => match Print::of(datagram.payload, datagram.truncated) {
                Some(print) => self.packet(datagram.src, datagram.dst, Some(print), None),
                None => {
                    self.hear(datagram.src.ip(), |heard| heard.from += 1);
                    self.hear(datagram.dst.ip(), |heard| heard.to += 1);
                    let key = Print::of_relayed(datagram.payload).key;
                    self.others.add(key, key, now, None);
                }
            },
            Packet::Segment(segment) => {
                let answer = (segment.flags.contains(TcpFlags::SYN) && !segment.flags.contains(TcpFlags::ACK))
                    .then(|| opening(segment.seq, true));
                let print = Print::of_segment(&segment);
                if print.is_none() {
                    self.hear(segment.src.ip(), |heard| heard.from += 1);
                    self.hear(segment.dst.ip(), |heard| heard.to += 1);
                }
                self.packet(segment.src, segment.dst, print, answer);
            }
            _ => {}
        });
        self.packets = packets;
    }

    /// A file of it is over, and says that so many packets were lost while it was written.
    pub fn lost(&mut self, packets: u64) {
        self.dropped = self.dropped.saturating_add(packets);
    }

    /// A packet; `answer` is the key of the one that answers it, where no transaction tells.
    fn packet(&mut self, src: Endpoint, dst: Endpoint, print: Option<Print<'_>>, answer: Option<u64>) {
        let Some(print) = print else { return };
        if let Some(count) = self.kinds.get_mut(print.kind as usize) {
            *count += 1;
        }
        if print.kind == Kind::Answer
            && let Some(message) = &print.message
            && message.method() == Method::ALLOCATE
            && self.relayed.len() < MAX_RELAYED
        {
            self.relayed.extend(message.fields().relayed.into_iter().flatten().map(|relayed| relayed.port()));
        }
        self.hear(src.ip(), |heard| heard.from += 1);
        self.hear(dst.ip(), |heard| heard.to += 1);
        match print.id {
            Some(id) => {
                let answer = (print.kind == Kind::Request).then(|| key_of(id, Kind::Answer));
                self.sample.add(print.key, lot_of(id), self.now, answer);
            }
            None if print.kind == Kind::Opening => {
                // opening and answer are chosen together
                let lot = digest(0xfe, &answer.unwrap_or(print.key).to_be_bytes());
                self.sample.add(print.key, lot, self.now, answer);
            }
            None => self.others.add(print.key, print.key, self.now, None),
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
