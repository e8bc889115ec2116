//! Requests and responses, matched by transaction id over the whole capture.
//!
//! The 5-tuple decides nothing by itself: an answer from another address is found and said, and the same id seen on two flows is
//! one transaction on both sides of a NAT or of a relay. A transaction is kept for [`KEEP`] of capture time after its last copy.

use super::exchange::{Asked, Exchange, Seen};
use super::flow::FlowId;
use crate::event::IcmpAnswer;
use crate::net::{ClientAddress, Endpoint, ServerAddress};
use crate::time::{Span, Timestamp};
use crate::wire::stun::{Method, TransactionId};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry as MapEntry;
use std::collections::VecDeque;

/// How long a transaction is kept after its last copy: an answer may come until 39.5 s after the first (RFC 8489 §6.2.1), and a
/// server may repeat its answer for 40 s (§6.3.1).
pub(super) const KEEP: Span = Span::from_secs(40);

/// Two sightings of the same bytes closer than this are copies made by the capture, never a retransmission: the shortest
/// retransmission timer in use is 50 ms.
const MIRROR: Span = Span::from_millis(2);

/// How many retransmissions are kept with frame and time.
const MAX_COPIES: usize = 8;

/// One request on one flow, and how it stands.
#[derive(Debug)]
pub(super) struct Leg {
    /// The flow that it was seen on.
    pub flow: FlowId,
    /// How many relay passages deep.
    pub depth: u8,
    /// Its method.
    pub method: Method,
    /// Who asked.
    pub client: ClientAddress,
    /// Who was asked.
    pub server: ServerAddress,
    /// The first copy.
    pub first: Seen,
    /// The last copy.
    pub last: Seen,
    /// Further copies.
    pub again: Vec<Seen>,
    /// How many further copies.
    pub again_total: u32,
    /// How many of them after the first answer.
    pub again_after_answer: u32,
    /// What it says.
    pub asked: Asked,
    /// The first answer.
    pub answer: Option<Seen>,
    /// The ICMP error that it met.
    pub icmp: Option<IcmpAnswer>,
    /// Where its conversation keeps the exchange.
    pub kept: Option<u32>,
    /// The flow on which the same request was seen first: this leg is its other side.
    pub twin_of: Option<FlowId>,
    /// Whether the answer that came last was a copy made by the capture.
    pub answer_mirrored: bool,
    digest: u64,
    last_ip_id: u32,
    answer_digest: u64,
    answer_ip_id: u32,
    last_answer: Timestamp,
}

impl Leg {
    /// IPv4 identification of the last copy.
    #[must_use]
    pub(super) fn ip_id(&self) -> u32 {
        self.last_ip_id
    }

    /// The exchange as it stands, without an answer.
    #[must_use]
    pub(super) fn exchange(&self, id: TransactionId, watched: bool) -> Exchange {
        Exchange {
            id,
            method: self.method,
            client: self.client,
            server: self.server,
            first: self.first,
            again: self.again.clone(),
            again_total: self.again_total,
            again_after_answer: self.again_after_answer,
            last: self.last,
            asked: self.asked,
            answer: None,
            icmp: self.icmp,
            watched,
        }
    }
}

/// Where and when a message was seen, and what tells it from others like it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    /// The flow.
    pub flow: FlowId,
    /// How many relay passages deep.
    pub depth: u8,
    /// Sender of the datagram.
    pub src: Endpoint,
    /// Receiver of the datagram.
    pub dst: Endpoint,
    /// Frame and time.
    pub seen: Seen,
    /// A digest of the message.
    pub digest: u64,
    /// IPv4 identification.
    pub ip_id: u32,
    /// TTL or hop limit.
    pub ttl: u8,
}

/// What a request turned out to be.
#[derive(Debug)]
pub(super) enum Request {
    /// Not seen before.
    New {
        /// The flow on which the same request was seen before: two sides of a NAT or a relay.
        twin_of: Option<FlowId>,
    },
    /// A retransmission.
    Again {
        /// The first copy.
        first: Seen,
        /// Whether the answer had been seen before it.
        after_answer: bool,
    },
    /// The same packet captured twice.
    Mirrored {
        /// The first copy.
        first: Seen,
    },
}

/// What a response turned out to be.
#[derive(Debug)]
pub(super) enum Response<'t> {
    /// The first answer to a request.
    First {
        /// The request.
        leg: &'t mut Leg,
        /// The copy that it is counted from: the last before the answer.
        to: Seen,
        /// Whether it came from another address than was asked.
        elsewhere: bool,
    },
    /// Another answer to a request that was answered before, or the same packet captured twice: [`Leg::answer_mirrored`].
    Again {
        /// The request.
        leg: &'t mut Leg,
        /// The first answer.
        first: Seen,
    },
    /// No request with this id was seen.
    Orphan,
}

#[derive(Debug)]
struct Entry {
    leg: Leg,
    others: Vec<Leg>,
    newest: Timestamp,
}

impl Entry {
    fn legs(&mut self) -> impl Iterator<Item = &mut Leg> {
        std::iter::once(&mut self.leg).chain(self.others.iter_mut())
    }
}

/// The transactions that are still of interest.
#[derive(Debug)]
pub(super) struct Transactions {
    open: HashMap<TransactionId, Entry>,
    /// Every entry once, with the time at which it is due for a look.
    due: VecDeque<(TransactionId, Timestamp)>,
    max: usize,
    dropped: u64,
}

impl Transactions {
    /// An empty table for at most `max` transactions.
    #[must_use]
    pub(super) fn new(max: usize) -> Self {
        Transactions { open: HashMap::new(), due: VecDeque::new(), max, dropped: 0 }
    }

    /// How many transactions without an answer were given up for want of room.
    #[must_use]
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes a request; `asked` is called only where it is new.
    pub(super) fn request(
        &mut self,
        id: TransactionId,
        method: Method,
        at: &Sighting,
        asked: impl FnOnce() -> Asked,
    ) -> Request {
        let leg = |asked, twin_of| Leg {
            flow: at.flow,
            depth: at.depth,
            method,
            client: ClientAddress(at.src),
            server: ServerAddress(at.dst),
            first: at.seen,
            last: at.seen,
            again: Vec::new(),
            again_total: 0,
            again_after_answer: 0,
            asked,
            answer: None,
            icmp: None,
            kept: None,
            twin_of,
            answer_mirrored: false,
            digest: at.digest,
            last_ip_id: at.ip_id,
            answer_digest: 0,
            answer_ip_id: 0,
            last_answer: Timestamp::default(),
        };
        match self.open.entry(id) {
            MapEntry::Vacant(slot) => {
                slot.insert(Entry { leg: leg(asked(), None), others: Vec::new(), newest: at.seen.time });
                self.due.push_back((id, at.seen.time.after(KEEP)));
                Request::New { twin_of: None }
            }
            MapEntry::Occupied(mut slot) => {
                let entry = slot.get_mut();
                entry.newest = entry.newest.max(at.seen.time);
                let same = |leg: &&mut Leg| leg.flow == at.flow && leg.client.0 == at.src && leg.depth == at.depth;
                if let Some(leg) = entry.legs().find(same) {
                    return leg.repeat(at);
                }
                let twin_of = (entry.leg.digest == at.digest).then_some(entry.leg.flow);
                if entry.others.len() < 8 {
                    entry.others.push(leg(asked(), twin_of));
                }
                Request::New { twin_of }
            }
        }
    }

    /// Takes a response.
    pub(super) fn response(&mut self, id: TransactionId, at: &Sighting) -> Response<'_> {
        let Some(entry) = self.open.get_mut(&id) else { return Response::Orphan };
        entry.newest = entry.newest.max(at.seen.time);
        let on_flow = |leg: &Leg| leg.flow == at.flow && leg.client.0 == at.dst && leg.depth == at.depth;
        let to_client = |leg: &Leg| leg.client.0 == at.dst && leg.depth == at.depth;
        let found = entry.legs().position(|leg| on_flow(leg)).map(|index| (index, false));
        let found = found.or_else(|| entry.legs().position(|leg| to_client(leg)).map(|index| (index, true)));
        let Some((index, elsewhere)) = found else { return Response::Orphan };
        let leg = match index.checked_sub(1) {
            None => Some(&mut entry.leg),
            Some(other) => entry.others.get_mut(other),
        };
        let Some(leg) = leg else { return Response::Orphan };
        let mirrored = leg.answer.is_some()
            && leg.answer_digest == at.digest
            && leg.answer_ip_id == at.ip_id
            && at.seen.time.since(leg.last_answer) < MIRROR;
        leg.answer_mirrored = mirrored;
        leg.last_answer = at.seen.time;
        leg.answer_digest = at.digest;
        leg.answer_ip_id = at.ip_id;
        match leg.answer {
            None => {
                leg.answer = Some(at.seen);
                let to = leg.last;
                Response::First { leg, to, elsewhere }
            }
            Some(first) => Response::Again { leg, first },
        }
    }

    /// The leg of a transaction on a flow, for an ICMP error that quotes it.
    pub(super) fn leg_on(&mut self, id: TransactionId, flow: FlowId) -> Option<&mut Leg> {
        self.open.get_mut(&id)?.legs().find(|leg| leg.flow == flow)
    }

    /// Takes out what is due at `now`, or what must go for want of room; call until it gives nothing more.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Closed> {
        loop {
            let full = self.open.len() > self.max;
            let &(id, due) = self.due.front()?;
            if due > now && !full {
                return None;
            }
            self.due.pop_front();
            let Some(entry) = self.open.get(&id) else { continue };
            let next = entry.newest.after(KEEP);
            if next > now && !full {
                self.due.push_back((id, next));
                continue;
            }
            let watched = next <= now;
            return self.take(id, watched);
        }
    }

    /// Takes out the oldest of what is left; for the end of the capture.
    pub(super) fn drain(&mut self) -> Option<Closed> {
        while let Some((id, _)) = self.due.pop_front() {
            if let Some(closed) = self.take(id, true) {
                return Some(closed);
            }
        }
        None
    }

    fn take(&mut self, id: TransactionId, watched: bool) -> Option<Closed> {
        let entry = self.open.remove(&id)?;
        if !watched && entry.leg.answer.is_none() {
            self.dropped += 1;
        }
        Some(Closed { id, leg: entry.leg, others: entry.others, watched })
    }
}

/// A transaction that has left the table.
#[derive(Debug)]
pub(super) struct Closed {
    /// Its id.
    pub id: TransactionId,
    /// Where it was seen first.
    pub leg: Leg,
    /// Where else it was seen.
    pub others: Vec<Leg>,
    /// Whether it was kept as long as an answer could come.
    pub watched: bool,
}

impl Leg {
    fn repeat(&mut self, at: &Sighting) -> Request {
        let first = self.first;
        let gap = at.seen.time.since(self.last.time);
        if self.last_ip_id == at.ip_id && gap < MIRROR {
            return Request::Mirrored { first };
        }
        let after_answer = self.answer.is_some();
        self.last = at.seen;
        self.last_ip_id = at.ip_id;
        self.again_total = self.again_total.saturating_add(1);
        self.again_after_answer = self.again_after_answer.saturating_add(u32::from(after_answer));
        if self.again.len() < MAX_COPIES {
            self.again.push(at.seen);
        }
        Request::Again { first, after_answer }
    }
}
