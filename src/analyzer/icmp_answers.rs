//! Which message each ICMP error answered, asked before the rows are printed.

use crate::bounded::Generations;
use crate::event::IcmpAnswer;
use crate::frame::Frame;
use crate::net::Endpoint;
use crate::packet::{Datagram, Packet, Packets, Segment};
use crate::time::Timestamp;
use crate::wire::demux::{self, Kind};
use crate::wire::stun::Message;
use std::collections::{BTreeMap, VecDeque};

/// A first pass over a capture that only asks which messages an ICMP error answered, so that `messages` can say so on the row of the
/// message, which comes before the error.
#[derive(Debug, Default)]
pub struct IcmpAnswers {
    packets: Packets,
    now: Timestamp,
    /// What each sender sent to each receiver of late.
    sent: Generations<Way, VecDeque<Sent>, MAX_PAIRS>,
    answers: BTreeMap<u64, IcmpAnswer>,
}

/// Sender, receiver, and whether over TCP.
type Way = (Endpoint, Endpoint, bool);

/// A message that an ICMP error may quote: its frame, the identification of its IP packet, and its first bytes as far as there are any; of TCP the
/// segment's sequence number.
#[derive(Debug)]
struct Sent {
    frame: u64,
    ip_id: u32,
    start: ([u8; 20], usize),
}

/// How many ICMP answers are kept for the second pass.
const MAX_ICMP_ANSWERS: usize = 100_000;
/// Pairs of sender and receiver in each of the two generations, and messages kept of each.
const MAX_PAIRS: usize = 8192;
const MAX_SENT: usize = 16;

impl IcmpAnswers {
    /// Takes the next frame.
    pub fn frame(&mut self, frame: &Frame<'_>) {
        self.now = frame.time.unwrap_or(self.now);
        let IcmpAnswers { packets, now, sent, answers } = self;
        packets.dissect(frame, *now, &mut |packet| match packet {
            Packet::Datagram(Datagram { src, dst, payload, truncated, ip_id, .. }) => {
                let told = match demux::kind_of_cut(payload, truncated) {
                    Kind::Stun => Message::recognise(payload, truncated).is_some(),
                    kind => matches!(kind, Kind::Channel | Kind::Dtls | Kind::MsTurn),
                };
                if !told {
                    return;
                }
                keep(sent.renew((src, dst, false)), Sent { frame: frame.number, ip_id, start: start(payload) });
            }
            // what follows STUN on a connection may be the rest of a message
            Packet::Segment(Segment { src, dst, seq, payload, ip_id, .. }) if !payload.is_empty() => {
                let way = (src, dst, true);
                let begins = || demux::kind(payload) == Kind::Stun && Message::recognise(payload, true).is_some();
                let framed = || payload.get(2..).is_some_and(|rest| Message::recognise(rest, true).is_some());
                if sent.get(&way).is_some() || begins() || framed() {
                    keep(sent.renew(way), Sent { frame: frame.number, ip_id, start: start(&seq.to_be_bytes()) });
                }
            }
            Packet::IcmpError(error) if answers.len() < MAX_ICMP_ANSWERS => {
                let seq = error.quoted.seq.map(u32::to_be_bytes);
                let quoted = seq.map_or_else(|| start(error.quoted.payload), |seq| start(&seq));
                let way = (error.quoted.src, error.quoted.dst, seq.is_some());
                let Some(sent) = sent.get(&way) else { return };
                let is_killed = |sent: &&Sent| sent.is_quoted(&quoted) && !answers.contains_key(&sent.frame);
                let is_numbered = |sent: &&Sent| sent.ip_id != 0 && sent.ip_id == error.quoted.ip_id && is_killed(sent);
                // Copies of a request look alike, and quotes may be too short to tell two requests apart: the one of the same packet, or the latest
                // that no error has answered yet. What TCP sends again is no row.
                let killed = match seq {
                    Some(_) => sent.iter().find(is_killed),
                    None => sent.iter().rfind(is_numbered).or_else(|| sent.iter().rfind(is_killed)),
                };
                if let Some(killed) = killed {
                    answers.insert(killed.frame, error.answer(frame.number));
                }
            }
            _ => {}
        });
    }

    /// The ICMP errors by the frame of the message that each answered.
    #[must_use]
    pub fn finish(self) -> BTreeMap<u64, IcmpAnswer> {
        self.answers
    }
}

fn keep(sent: &mut VecDeque<Sent>, new: Sent) {
    if sent.len() >= MAX_SENT {
        sent.pop_front();
    }
    sent.push_back(new);
}

/// The first bytes of a payload, and how many they are.
fn start(payload: &[u8]) -> ([u8; 20], usize) {
    let mut start = [0; 20];
    start.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
    (start, payload.len().min(20))
}

impl Sent {
    /// Whether it begins as the quote does; routers quote eight bytes behind the IP header at least, which may be the UDP header alone.
    fn is_quoted(&self, quoted: &([u8; 20], usize)) -> bool {
        let common = self.start.1.min(quoted.1);
        self.start.0.get(..common) == quoted.0.get(..common)
    }
}
