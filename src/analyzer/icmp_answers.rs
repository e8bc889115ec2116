//! Which message each ICMP error answered, asked before the rows are printed.

use crate::event::IcmpAnswer;
use crate::frame::Frame;
use crate::net::Endpoint;
use crate::packet::{Datagram, Limits, Packet, Packets};
use crate::time::Timestamp;
use crate::wire::demux::{self, Kind};
use crate::wire::stun::Message;
use hashbrown::HashMap;
use std::collections::{BTreeMap, VecDeque};

/// A first pass over a capture that only asks which messages an ICMP error answered, so that `messages` can say so on the row of the
/// message, which comes before the error.
#[derive(Debug)]
pub struct IcmpAnswers {
    packets: Packets,
    now: Timestamp,
    /// What each sender sent to each receiver of late; the old generation goes when the young one is full.
    young: HashMap<(Endpoint, Endpoint), VecDeque<Sent>>,
    old: HashMap<(Endpoint, Endpoint), VecDeque<Sent>>,
    answers: BTreeMap<u64, IcmpAnswer>,
}

/// A message that an ICMP error may quote: its frame, and its first bytes as far as there are any.
#[derive(Debug)]
struct Sent {
    frame: u64,
    start: ([u8; 20], usize),
}

/// How many ICMP answers are kept for the second pass.
const MAX_ICMP_ANSWERS: usize = 100_000;
/// Pairs of sender and receiver in each of the two generations, and messages kept of each.
const MAX_PAIRS: usize = 8192;
const MAX_SENT: usize = 16;

impl Default for IcmpAnswers {
    fn default() -> Self {
        IcmpAnswers {
            packets: Packets::new(Limits::default()),
            now: Timestamp(0),
            young: HashMap::default(),
            old: HashMap::default(),
            answers: BTreeMap::new(),
        }
    }
}

impl IcmpAnswers {
    /// Takes the next frame.
    pub fn frame(&mut self, frame: &Frame<'_>) {
        self.now = frame.time.unwrap_or(self.now);
        let IcmpAnswers { packets, now, young, old, answers } = self;
        packets.dissect(frame, *now, &mut |packet| match packet {
            Packet::Datagram(Datagram { src, dst, payload, truncated, .. }) => {
                let told = match demux::kind_of_cut(payload, truncated) {
                    Kind::Stun => Message::recognise(payload, truncated).is_some(),
                    kind => matches!(kind, Kind::Channel | Kind::Dtls | Kind::MsTurn),
                };
                if !told {
                    return;
                }
                if young.len() >= MAX_PAIRS {
                    *old = std::mem::take(young);
                }
                let sent = young.entry((src, dst)).or_insert_with(|| old.remove(&(src, dst)).unwrap_or_default());
                if sent.len() >= MAX_SENT {
                    sent.pop_front();
                }
                sent.push_back(Sent { frame: frame.number, start: start(payload) });
            }
            Packet::IcmpError(error) if answers.len() < MAX_ICMP_ANSWERS => {
                let (quoted, ends) = (start(error.quoted.payload), (error.quoted.src, error.quoted.dst));
                let Some(sent) = young.get(&ends).or_else(|| old.get(&ends)) else { return };
                // Copies of a request look alike: the latest that no error has answered yet.
                let killed =
                    sent.iter().rev().find(|sent| sent.is_quoted(&quoted) && !answers.contains_key(&sent.frame));
                if let Some(killed) = killed {
                    let answer = IcmpAnswer { frame: frame.number, sender: error.sender, kind: error.kind };
                    answers.insert(killed.frame, answer);
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
