//! Packets of calls that ICMP errors say do not get there: too large for the way on, or of which nobody wants to know.

use crate::bounded::BoundedMap;
use crate::event::Hops;
use crate::net::{Endpoint, Transport};
use crate::packet::IcmpError;
use crate::session::Session;
use crate::session::icmp::IcmpErrors;
use crate::session::path::Path;
use std::collections::BTreeMap;

/// How many ways are kept.
const MAX_WAYS: usize = 256;
/// How many frames of errors are kept of each.
const MAX_FRAMES: usize = 8;

/// By sender and receiver.
type Ways = BTreeMap<(Endpoint, Endpoint), IcmpErrors>;

/// All of them. Of what no one wants to know there may be much, at the end of every call: it leaves room for what is too large.
#[derive(Debug, Default)]
pub(in crate::session) struct AllTurnedBack {
    too_large: Ways,
    away: Ways,
}

impl Session {
    /// An ICMP error quotes what does not get there: media, data of DTLS, or what goes to a relay or comes from it. Handshakes keep their own.
    pub(in crate::session) fn met_turned_back(&mut self, frame: u64, error: &IcmpError<'_>) {
        let quoted = &error.quoted;
        let first = quoted.payload.first();
        let is_data = first.is_none_or(|first| matches!(first, 0 | 1 | 23 | 64..=79 | 128..=191));
        let too_large = error.kind.is_too_big();
        if !(too_large || error.kind.is_unreachable()) || !is_data {
            return;
        }
        let path = Path::of(Transport::Udp, quoted.src, quoted.dst, &Hops::default());
        let on_flow = || self.flows.find(quoted.src, quoted.dst).and_then(|id| self.flows.get(id));
        let is_known = self.ice.find(&path).is_some()
            || self.media.known_way(&path).is_some()
            || on_flow().is_some_and(|flow| flow.conversation.is_some());
        let AllTurnedBack { too_large: large, away } = &mut self.turned_back;
        let ways = if too_large { large } else { away };
        if !is_known || self.handshakes.is_under_way(&path) {
            return;
        }
        let new = || IcmpErrors::begun(error.answer(frame), self.now);
        let Some(known) = ways.entry_up_to(MAX_WAYS, (quoted.src, quoted.dst), new) else { return };
        known.add(MAX_FRAMES, frame, self.now, error.mtu);
    }

    /// What was too large for a router, by sender and receiver, in their order.
    pub fn too_large(&self) -> impl Iterator<Item = (Endpoint, Endpoint, &IcmpErrors)> {
        self.turned_back.too_large.iter().map(|((src, dst), known)| (*src, *dst, known))
    }

    /// What came back for packets of `src` that do not get to `dst`, whatever their size.
    #[must_use]
    pub fn turned_away(&self, src: Endpoint, dst: Endpoint) -> Option<&IcmpErrors> {
        self.turned_back.away.get(&(src, dst))
    }
}
