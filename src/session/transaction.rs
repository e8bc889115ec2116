//! Requests and responses, matched by transaction id over the whole capture.
//!
//! The 5-tuple decides nothing by itself: an answer from another address is found and said, and the same id seen on two flows is
//! one transaction on both sides of a NAT or of a relay. A transaction is kept for [`KEEP`] of capture time after its last copy.

use super::exchange::{Asked, Exchange, Seen};
use super::flow::FlowId;
use super::names::Name;
use crate::event::IcmpAnswer;
use crate::net::{ClientAddress, Endpoint, ServerAddress};
use crate::time::{Span, Timestamp};
use crate::wire::stun::{Method, TransactionId};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::VecDeque;
use std::hash::BuildHasher;

/// How long a transaction is kept after its last copy: an answer may come until 39.5 s after the first (RFC 8489 §6.2.1), and a
/// server may repeat its answer for 40 s (§6.3.1).
pub(super) const KEEP: Span = Span::from_secs(40);

/// Two sightings of the same bytes closer than this are copies made by the capture, never a retransmission: the shortest
/// retransmission timer in use is 50 ms.
const MIRROR: Span = Span::from_millis(2);

/// How many retransmissions are kept with frame and time.
const MAX_COPIES: usize = 8;
/// On how many further flows one transaction is followed.
const MAX_LEGS: usize = 8;
/// How many waiting transactions are passed over in a full table to find one that is answered.
const MAX_PATIENCE: u32 = 64;

/// One request on one flow, and how it stands. There are tens of thousands of them, so what only an open one needs is kept apart.
#[derive(Debug)]
pub(super) struct Leg {
    /// The flow that it was seen on.
    pub flow: FlowId,
    /// Who asked.
    pub client: ClientAddress,
    /// Who was asked.
    pub server: ServerAddress,
    /// The first copy.
    pub first: Seen,
    /// The last copy.
    pub last: Seen,
    /// Its method.
    pub method: Method,
    /// How many relay passages deep.
    pub depth: u8,
    /// Whether it is a connectivity check of ICE.
    pub check: bool,
    /// Whether the answer that came last was a copy made by the capture.
    pub answer_mirrored: bool,
    /// USERNAME, REALM, USERHASH: whose the answers are too.
    pub identity: [Option<Name>; 3],
    /// How many further copies.
    pub again_total: u32,
    /// How many of them after the first answer.
    pub again_after_answer: u32,
    /// Where its conversation keeps the exchange.
    pub kept: Option<u32>,
    /// The first answer.
    pub answer: Option<Seen>,
    /// What it says, until it is answered.
    asked: Option<Box<Asked>>,
    /// What few have.
    rare: Option<Box<Rare>>,
    digest: u64,
    answer_digest: u64,
    last_answer: Timestamp,
    last_ip_id: u32,
    answer_ip_id: u32,
}

#[derive(Debug, Default)]
struct Rare {
    again: Vec<Seen>,
    icmp: Option<IcmpAnswer>,
}

impl Leg {
    fn new(method: Method, at: &Sighting, asked: Asked) -> Leg {
        Leg {
            flow: at.flow,
            client: ClientAddress(at.src),
            server: ServerAddress(at.dst),
            first: at.seen,
            last: at.seen,
            method,
            depth: at.depth,
            check: asked.check,
            answer_mirrored: false,
            identity: [asked.user, asked.realm, asked.userhash],
            again_total: 0,
            again_after_answer: 0,
            kept: None,
            answer: None,
            // of a check nothing is asked later but whose it was
            asked: (!asked.check).then(|| Box::new(asked)),
            rare: None,
            digest: at.digest,
            answer_digest: 0,
            last_answer: Timestamp::default(),
            last_ip_id: at.ip_id,
            answer_ip_id: 0,
        }
    }

    /// IPv4 identification of the last copy.
    #[must_use]
    pub(super) fn ip_id(&self) -> u32 {
        self.last_ip_id
    }

    /// The ICMP error that it met.
    #[must_use]
    pub(super) fn icmp(&self) -> Option<IcmpAnswer> {
        self.rare.as_ref()?.icmp
    }

    /// It met an ICMP error.
    pub(super) fn met(&mut self, icmp: IcmpAnswer) {
        self.rare.get_or_insert_default().icmp.get_or_insert(icmp);
    }

    /// Further copies, the first ones.
    #[must_use]
    pub(super) fn again(&self) -> &[Seen] {
        self.rare.as_ref().map_or(&[], |rare| &rare.again)
    }

    /// The exchange as it stands, without an answer. What the request says is given away with it: it is there once.
    #[must_use]
    pub(super) fn exchange(&mut self, id: TransactionId, watched: bool) -> Exchange {
        let [user, realm, userhash] = self.identity;
        let asked = self.asked.take().map(|asked| *asked);
        Exchange {
            id,
            method: self.method,
            client: self.client,
            server: self.server,
            first: self.first,
            again: self.again().to_vec(),
            again_total: self.again_total,
            again_after_answer: self.again_after_answer,
            last: self.last,
            asked: asked.unwrap_or(Asked { user, realm, userhash, check: self.check, ..Asked::default() }),
            answer: None,
            icmp: self.icmp(),
            answered_beyond: None,
            watched,
        }
    }

    fn repeat(&mut self, at: &Sighting) -> Request {
        let first = self.first;
        let gap = at.seen.time.since(self.last.time);
        if self.last_ip_id == at.ip_id && gap < MIRROR {
            return Request::Mirrored { first };
        }
        self.last = at.seen;
        self.last_ip_id = at.ip_id;
        self.again_total = self.again_total.saturating_add(1);
        self.again_after_answer = self.again_after_answer.saturating_add(u32::from(self.answer.is_some()));
        let rare = self.rare.get_or_insert_default();
        if rare.again.len() < MAX_COPIES {
            rare.again.push(at.seen);
        }
        Request::Again { first }
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
    id: TransactionId,
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
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// Every entry once, with the time at which it is due for a look.
    due: VecDeque<(u32, Timestamp)>,
    max: usize,
    dropped: u64,
}

impl Transactions {
    /// An empty table for at most `max` transactions.
    #[must_use]
    pub(super) fn new(max: usize) -> Self {
        Transactions {
            hasher: DefaultHashBuilder::default(),
            index: HashTable::new(),
            entries: Vec::new(),
            free: Vec::new(),
            due: VecDeque::new(),
            max,
            dropped: 0,
        }
    }

    /// How many transactions without an answer were given up for want of room.
    #[must_use]
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn find(&mut self, id: TransactionId) -> Option<&mut Entry> {
        let entries = &self.entries;
        let same = |&at: &u32| entries.get(at as usize).and_then(Option::as_ref).is_some_and(|entry| entry.id == id);
        let &at = self.index.find(self.hasher.hash_one(id), same)?;
        self.entries.get_mut(at as usize)?.as_mut()
    }

    fn add(&mut self, id: TransactionId, leg: Leg) {
        let newest = leg.first.time;
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                let Ok(at) = u32::try_from(self.entries.len()) else { return };
                self.entries.push(None);
                at
            }
        };
        if let Some(slot) = self.entries.get_mut(at as usize) {
            *slot = Some(Entry { id, leg, others: Vec::new(), newest });
        }
        let (hasher, entries) = (&self.hasher, &self.entries);
        let rehash =
            |&at: &u32| entries.get(at as usize).and_then(Option::as_ref).map_or(0, |entry| hasher.hash_one(entry.id));
        self.index.insert_unique(hasher.hash_one(id), at, rehash);
        self.due.push_back((at, newest.after(KEEP)));
    }

    /// Takes a request; `asked` is called only where it is new.
    pub(super) fn request(
        &mut self,
        id: TransactionId,
        method: Method,
        at: &Sighting,
        asked: impl FnOnce() -> Asked,
    ) -> Request {
        let Some(entry) = self.find(id) else {
            self.add(id, Leg::new(method, at, asked()));
            return Request::New { twin_of: None };
        };
        entry.newest = entry.newest.max(at.seen.time);
        let same = |leg: &&mut Leg| leg.flow == at.flow && leg.client.0 == at.src && leg.depth == at.depth;
        if let Some(leg) = entry.legs().find(same) {
            return leg.repeat(at);
        }
        let twin_of = (entry.leg.digest == at.digest).then_some(entry.leg.flow);
        if entry.others.len() < MAX_LEGS {
            entry.others.push(Leg::new(method, at, asked()));
        }
        Request::New { twin_of }
    }

    /// Takes a response.
    pub(super) fn response(&mut self, id: TransactionId, at: &Sighting) -> Response<'_> {
        let Some(entry) = self.find(id) else { return Response::Orphan };
        entry.newest = entry.newest.max(at.seen.time);
        let on_flow = |leg: &Leg| leg.flow == at.flow && leg.client.0 == at.dst && leg.depth == at.depth;
        let to_client = |leg: &Leg| leg.client.0 == at.dst && leg.depth == at.depth;
        let found = entry.legs().position(|leg| on_flow(leg)).map(|index| (index, false));
        let found = found.or_else(|| entry.legs().position(|leg| to_client(leg)).map(|index| (index, true)));
        let Some((index, elsewhere)) = found else { return Response::Orphan };
        let Some(leg) = entry.legs().nth(index) else { return Response::Orphan };
        leg.answer_mirrored = leg.answer.is_some()
            && leg.answer_digest == at.digest
            && leg.answer_ip_id == at.ip_id
            && at.seen.time.since(leg.last_answer) < MIRROR;
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
        self.find(id)?.legs().find(|leg| leg.flow == flow)
    }

    /// Takes out what is due at `now`, or what must go for want of room; call until it gives nothing more.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Closed> {
        // what still waits for its answer goes last: it is sent to the back of the queue while there is hope to find another
        let mut patience = MAX_PATIENCE;
        loop {
            let full = self.index.len() > self.max;
            let &(at, due) = self.due.front()?;
            if due > now && !full {
                return None;
            }
            self.due.pop_front();
            let Some(entry) = self.entries.get(at as usize).and_then(Option::as_ref) else { continue };
            let next = entry.newest.after(KEEP);
            let waits = entry.leg.answer.is_none() && patience > 0;
            if next > now && (!full || waits) {
                patience -= u32::from(full);
                self.due.push_back((at, next));
                continue;
            }
            return self.take(at, next <= now);
        }
    }

    /// Takes out the oldest of what is left; for the end of the capture.
    pub(super) fn drain(&mut self) -> Option<Closed> {
        while let Some((at, _)) = self.due.pop_front() {
            if let Some(closed) = self.take(at, true) {
                return Some(closed);
            }
        }
        None
    }

    fn take(&mut self, at: u32, watched: bool) -> Option<Closed> {
        let entry = self.entries.get_mut(at as usize)?.take()?;
        if let Ok(found) = self.index.find_entry(self.hasher.hash_one(entry.id), |&known| known == at) {
            found.remove();
        }
        self.free.push(at);
        if !watched && entry.leg.answer.is_none() {
            self.dropped += 1;
        }
        Some(Closed { id: entry.id, leg: entry.leg, others: entry.others, watched })
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
