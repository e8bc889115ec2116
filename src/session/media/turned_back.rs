//! Packets of calls that a router finds too large for the way on, and says so by ICMP: what is sent and never gets there.

use crate::event::{Hops, IcmpAnswer};
use crate::net::{Endpoint, Transport};
use crate::packet::IcmpError;
use crate::session::Session;
use crate::session::conversations::exchange::Seen;
use crate::session::path::Path;
use std::collections::BTreeMap;

/// How many ways are kept.
const MAX_WAYS: usize = 256;
/// How many frames of errors are kept of each.
const MAX_FRAMES: usize = 8;

/// What came back for packets that one end sends to another.
#[derive(Clone, Debug)]
pub struct TurnedBack {
    /// The first error.
    pub answer: IcmpAnswer,
    /// The smallest MTU that the errors tell.
    pub mtu: Option<u32>,
    /// How many errors came.
    pub total: u64,
    /// The frames of the first ones.
    pub frames: Vec<u64>,
    /// The first.
    pub first: Seen,
    /// The last.
    pub last: Seen,
}

/// All of that, by sender and receiver.
pub(in crate::session) type AllTurnedBack = BTreeMap<(Endpoint, Endpoint), TurnedBack>;

impl Session {
    /// An ICMP error quotes what is too large: media, data of DTLS, or what goes to a relay or comes from it. Handshakes keep their own.
    pub(in crate::session) fn met_too_large(&mut self, frame: u64, error: &IcmpError<'_>) {
        let quoted = &error.quoted;
        let first = quoted.payload.first();
        let is_data = first.is_none_or(|first| matches!(first, 0 | 1 | 23 | 64..=79 | 128..=191));
        if !error.kind.is_too_big() || !is_data {
            return;
        }
        let path = Path::of(Transport::Udp, quoted.src, quoted.dst, &Hops::default());
        let on_flow = || self.flows.find(quoted.src, quoted.dst).and_then(|id| self.flows.get(id));
        let is_known = self.ice.find(&path).is_some() || on_flow().is_some_and(|flow| flow.conversation.is_some());
        let key = (quoted.src, quoted.dst);
        let room = self.turned_back.len() < MAX_WAYS || self.turned_back.contains_key(&key);
        if !is_known || !room || self.handshakes.is_under_way(&path) {
            return;
        }
        let seen = Seen { frame, time: self.now };
        let answer = IcmpAnswer { frame, sender: error.sender, kind: error.kind };
        let new = TurnedBack { answer, mtu: error.mtu, total: 0, frames: Vec::new(), first: seen, last: seen };
        let known = self.turned_back.entry(key).or_insert(new);
        known.total += 1;
        known.mtu = known.mtu.into_iter().chain(error.mtu).min();
        known.last = seen;
        if known.frames.len() < MAX_FRAMES {
            known.frames.push(frame);
        }
    }

    /// What was too large for a router, by sender and receiver, in their order.
    pub fn turned_back(&self) -> impl Iterator<Item = (Endpoint, Endpoint, &TurnedBack)> {
        self.turned_back.iter().map(|((src, dst), known)| (*src, *dst, known))
    }
}
