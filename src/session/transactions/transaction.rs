//! Requests and responses, matched by transaction id over the whole capture.
//!
//! The 5-tuple decides nothing by itself: an answer from another address is found and said, and the same id seen on two flows is
//! one transaction on both sides of a NAT or of a relay. A transaction is kept for [`KEEP`] of capture time after its last copy.

use super::leg::{Leg, short};
use crate::bounded::BoundedList;
use crate::net::{Endpoint, Transport};
use crate::session::conversations::exchange::{Asked, Seen};
use crate::session::flow::FlowId;
use crate::session::tables::keyed::Keyed;
use crate::session::tables::queue::Queue;
use crate::session::warm::fetch;
use crate::time::{Span, Timestamp};
use crate::wire::stun::{Method, TransactionId};

/// How long a transaction is kept after its last copy: an answer may come until 39.5 s after the first (RFC 8489 §6.2.1), and a
/// server may repeat its answer for 40 s (§6.3.1).
pub(in crate::session) const KEEP: Span = Span::from_secs(40);

/// On how many further flows one transaction is followed.
const MAX_LEGS: usize = 8;
/// How many waiting transactions are passed over in a full table to find one that is answered.
const MAX_PATIENCE: u32 = 64;
/// How many of the latest requests a short quote may be of.
const QUOTED: usize = 256;
/// What is due so soon after the entry before it is waited for.
const SOON: Span = Span::from_secs(1);
/// How many entries before it is to be forgotten one is asked for.
const AHEAD: usize = 8;
/// How many entries there may be beyond the most, until one is taken out.
const MARGIN: usize = 64;
/// How much room of open requests is kept for the next ones.
const MAX_SPARE: usize = 1024;

/// Where and when a message was seen, and what tells it from others like it.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Sighting {
    /// The flow.
    pub flow: FlowId,
    /// How many relay passages deep.
    pub depth: u8,
    /// Sender of the datagram.
    pub src: Endpoint,
    /// Receiver of the datagram.
    pub dst: Endpoint,
    /// What carried it.
    pub transport: Transport,
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
    /// Not seen before: [`Transactions::add`] it.
    New,
    /// Seen before on another flow: [`Transactions::add`] it there too.
    Twin {
        /// That flow, where it is the same message: two sides of a NAT or a relay.
        of: Option<FlowId>,
    },
    /// Another request with the id of one that was answered: [`Transactions::add`] it in its place.
    Another {
        /// Where it was seen before, if it is the same message: the other side of a NAT or a relay.
        of: Option<FlowId>,
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
        /// What it says, to be [given back](Transactions::give_back); `None` for a connectivity check, of which nothing is asked later
        /// but whose it was.
        asked: Option<Box<Asked>>,
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
    others: Option<Box<Others>>,
}

#[derive(Debug, Default)]
struct Others {
    legs: Vec<Leg>,
}

impl Entry {
    fn legs(&mut self) -> impl Iterator<Item = &mut Leg> {
        std::iter::once(&mut self.leg).chain(self.others.iter_mut().flat_map(|others| &mut others.legs))
    }

    /// When it is to be looked at.
    fn due(&self) -> Timestamp {
        let later = self.leg.rare.as_ref().and_then(|rare| rare.due);
        later.unwrap_or_else(|| self.leg.first.time.after(KEEP))
    }

    /// Whether nothing is lost when it goes.
    fn is_settled(&self) -> bool {
        self.others.is_none() && self.leg.is_settled()
    }

    fn newest(&self) -> Timestamp {
        let others = self.others.iter().flat_map(|others| &others.legs).map(Leg::newest);
        others.fold(self.leg.newest(), Timestamp::max)
    }
}

/// A transaction that is about to be asked for, looked up beforehand.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Expected {
    id: TransactionId,
    hash: u64,
    /// The number of what is probably its entry.
    number: Option<u32>,
}

impl Expected {
    /// Whether no transaction of this id was known.
    #[inline]
    pub(in crate::session) fn is_new(&self) -> bool {
        self.number.is_none()
    }
}

/// The transactions that are still of interest, in the order in which they began or were found to go on: the first is the first to go.
#[derive(Debug)]
pub(in crate::session) struct Transactions {
    hasher: Keyed,
    entries: Queue<Entry>,
    /// Room for what open requests say, to be used again.
    #[expect(clippy::vec_box, reason = "the boxes themselves are what is used again")]
    spare: Vec<Box<Asked>>,
    expected: Option<Expected>,
    /// Before this time no transaction is over, and there are not too many.
    due: Timestamp,
    max: usize,
    dropped: u64,
}

impl Transactions {
    /// An empty table for at most `max` transactions.
    #[must_use]
    pub(in crate::session) fn new(max: usize) -> Self {
        Transactions {
            hasher: Keyed::default(),
            entries: Queue::default(),
            spare: Vec::new(),
            expected: None,
            due: Timestamp(i64::MIN),
            max,
            dropped: 0,
        }
    }

    /// How many transactions without an answer were given up for want of room.
    #[must_use]
    pub(in crate::session) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn find(&mut self, id: TransactionId) -> Option<&mut Entry> {
        let number = self.number(id)?;
        self.entries.get_mut(number)
    }

    #[inline]
    fn number(&self, id: TransactionId) -> Option<u32> {
        let same = |entry: &Entry| entry.id == id;
        if let Some(number) = self.expected.filter(|expected| expected.id == id).and_then(|expected| expected.number)
            && self.entries.get(number).is_some_and(same)
        {
            return Some(number);
        }
        self.entries.find(self.hash(id), same)
    }

    #[inline]
    fn hash(&self, id: TransactionId) -> u64 {
        match self.expected {
            Some(expected) if expected.id == id => expected.hash,
            _ => self.hasher.id(id),
        }
    }

    /// A transaction that will be asked for: asks for what tells where its entry is.
    #[must_use]
    #[inline]
    pub(in crate::session) fn foresee(&self, id: TransactionId, is_request: bool) -> Expected {
        let hash = self.hasher.id(id);
        self.entries.fetch(hash);
        if is_request {
            self.entries.fetch_old(hash);
        }
        Expected { id, hash, number: None }
    }

    /// Looks it up: asks for its entry.
    #[inline]
    pub(in crate::session) fn look_up(&self, expected: &mut Expected) {
        expected.number = self.entries.likely(expected.hash);
        if let Some(entry) = expected.number.and_then(|number| self.entries.get(number)) {
            fetch(&entry.leg.first);
            fetch(&entry.leg.client);
            fetch(&entry.others);
        }
    }

    /// The next to be asked for.
    #[inline]
    pub(in crate::session) fn expect(&mut self, expected: Expected) {
        self.expected = Some(expected);
    }

    /// Asks for what it takes to forget the first entries: one goes for each of so many that come.
    #[inline]
    pub(in crate::session) fn fetch_first(&self, count: usize) {
        for soon in (AHEAD..AHEAD + count).filter_map(|place| self.entries.nth(place)) {
            fetch(&soon.others);
            fetch(&soon.leg.rare);
            fetch(&soon.leg.answered);
        }
    }

    /// Whether a transaction with this id is in the table.
    #[inline]
    pub(in crate::session) fn is_known(&self, id: TransactionId) -> bool {
        self.number(id).is_some()
    }

    /// The request of a transaction that waits for its answer on this flow, sent once and seen nowhere else.
    #[inline]
    pub(in crate::session) fn plain(&mut self, id: TransactionId, flow: FlowId) -> Option<&mut Leg> {
        let number = self.number(id)?;
        let entry = self.entries.get_mut(number)?;
        (entry.others.is_none() && entry.leg.flow == flow && entry.leg.is_plain()).then_some(&mut entry.leg)
    }

    /// Whether a request was seen before; where it was on this flow it is counted.
    pub(super) fn request(&mut self, id: TransactionId, at: &Sighting) -> Request {
        let Some(number) = self.number(id) else { return Request::New };
        let client = short(self.hasher.end(at.src));
        let Some(entry) = self.entries.get_mut(number) else { return Request::New };
        let same = |leg: &&mut Leg| leg.flow == at.flow && leg.client == client && leg.depth == at.depth;
        let (first, alike) = (entry.leg.flow, entry.leg.digest == short(at.digest));
        if let Some(leg) = entry.legs().find(same) {
            if !leg.is_another(at) {
                return leg.repeat(at);
            }
            return Request::Another { of: (alike && first != at.flow).then_some(first) };
        }
        Request::Twin { of: alike.then_some(first) }
    }

    /// Takes a request that is new here; `known` where its id is, from another flow or from a request before it.
    #[inline]
    pub(in crate::session) fn add(
        &mut self,
        id: TransactionId,
        method: Method,
        at: &Sighting,
        asked: Box<Asked>,
        known: bool,
    ) {
        let mut leg = Leg::new(method, at, short(self.hasher.end(at.src)), &asked);
        if asked.check {
            self.give_back(asked);
        } else {
            leg.asked = Some(asked);
        }
        if known {
            if let Some(entry) = self.find(id) {
                let due = entry.due();
                let same = |old: &&mut Leg| old.flow == leg.flow && old.client == leg.client && old.depth == leg.depth;
                if let Some(old) = entry.legs().find(same) {
                    *old = leg.instead(due);
                    return;
                }
                let others = entry.others.get_or_insert_default();
                others.legs.push_up_to(MAX_LEGS, leg);
            }
            return;
        }
        let hash = self.hash(id);
        let due = leg.first.time.after(KEEP);
        self.entries.make_place(self.max.saturating_add(MARGIN));
        self.entries.push(hash, Entry { id, leg, others: None });
        let full = self.entries.len() > self.max;
        if full && self.entries.nth(0).is_some_and(|first| first.is_settled() && first.leg.answered) {
            self.entries.pop();
        } else {
            self.due = self.due.min(if full { Timestamp(i64::MIN) } else { due });
        }
    }

    /// The request that a response answers: on its own flow, else another of the same client; and whether it is another.
    #[inline]
    pub(super) fn answered_by(&mut self, id: TransactionId, at: &Sighting) -> Option<(&mut Leg, bool)> {
        let number = self.number(id)?;
        let client = short(self.hasher.end(at.dst));
        let entry = self.entries.get_mut(number)?;
        let to_client = |leg: &Leg| leg.client == client && leg.depth == at.depth;
        let on_flow = |leg: &Leg| leg.flow == at.flow && to_client(leg);
        if on_flow(&entry.leg) {
            return Some((&mut entry.leg, false));
        }
        let found = entry.legs().position(|leg| on_flow(leg)).map(|index| (index, false));
        let (index, elsewhere) =
            found.or_else(|| entry.legs().position(|leg| to_client(leg)).map(|index| (index, true)))?;
        Some((entry.legs().nth(index)?, elsewhere))
    }

    /// Takes a response.
    pub(super) fn response(&mut self, id: TransactionId, at: &Sighting) -> Response<'_> {
        let Some((leg, elsewhere)) = self.answered_by(id, at) else { return Response::Orphan };
        if !leg.respond(at) {
            return Response::Again { first: leg.answer, leg };
        }
        let asked = leg.asked.take();
        Response::First { leg, asked, elsewhere }
    }

    /// Room for what a request says.
    #[inline]
    pub(in crate::session) fn room(&mut self) -> Box<Asked> {
        self.spare.pop().unwrap_or_default()
    }

    /// What a request says is not needed any longer: its room is used for the next.
    pub(in crate::session) fn give_back(&mut self, room: Box<Asked>) {
        self.spare.push_up_to(MAX_SPARE, room);
    }

    /// The leg of a transaction on a flow, for an ICMP error that quotes it.
    pub(in crate::session) fn leg_on(&mut self, id: TransactionId, flow: FlowId) -> Option<&mut Leg> {
        self.find(id)?.legs().find(|leg| leg.flow == flow)
    }

    /// What is wanted of the first leg of a transaction that has it: for an ICMP error that quotes it with other addresses than it has here.
    pub(in crate::session) fn of_leg<T>(&mut self, id: TransactionId, wanted: impl Fn(&Leg) -> Option<T>) -> Option<T> {
        self.find(id)?.legs().filter(|leg| leg.depth == 0).find_map(|leg| wanted(leg))
    }

    /// The request on a flow of which the last copy was the IP packet with this identification, among those that came last: for an ICMP error that quotes
    /// too little to tell its transaction id.
    pub(in crate::session) fn of_packet(&self, ip_id: u32, flow: FlowId) -> Option<TransactionId> {
        let is_it = |entry: &&Entry| entry.leg.flow == flow && entry.leg.ip_id() == ip_id;
        if ip_id == 0 { None } else { self.entries.newest(QUOTED).find(is_it).map(|entry| entry.id) }
    }

    /// The flow, among those that `is_between`, of the request whose last copy was the IP packet with this identification, or, of a sender who gives packets
    /// none, of the last one that waits: for an ICMP error whose quote ends before the ports.
    pub(in crate::session) fn flow_of_packet(&self, ip_id: u32, is_between: impl Fn(FlowId) -> bool) -> Option<FlowId> {
        let is_it = |leg: &Leg| if ip_id == 0 { leg.answer().is_none() } else { leg.ip_id() == ip_id };
        let mut legs = self.entries.newest(QUOTED).map(|entry| &entry.leg);
        legs.find(|leg| leg.depth == 0 && is_it(leg) && is_between(leg.flow)).map(|leg| leg.flow)
    }

    /// When [`Transactions::expire`] has something to do at the earliest.
    #[inline]
    pub(in crate::session) fn due(&self) -> Timestamp {
        self.due
    }

    /// Takes out what is due at `now`, or what must go for want of room; call until it gives nothing more.
    pub(in crate::session) fn expire(&mut self, now: Timestamp) -> Option<Closed> {
        // what still waits for its answer goes last: it is sent to the back of the queue while there is hope to find another
        let mut patience = MAX_PATIENCE;
        loop {
            let full = self.entries.len() > self.max;
            self.due = Timestamp(i64::MAX);
            let entry = self.entries.first_mut()?;
            self.due = if full { Timestamp(i64::MIN) } else { entry.due() };
            if self.due > now {
                return None;
            }
            let next = entry.newest().after(KEEP);
            if next <= now {
                if entry.is_settled() {
                    self.entries.pop();
                    continue;
                }
                return self.take(true);
            }
            if full && entry.is_settled() && entry.leg.answered {
                self.entries.pop();
                continue;
            }
            if full && (entry.leg.answered || patience == 0) {
                return self.take(false);
            }
            if full {
                patience -= 1;
            } else if next.since(now) < SOON {
                return None;
            } else {
                entry.leg.rare.get_or_insert_default().due = Some(next);
            }
            self.put_back();
        }
    }

    /// The first entry becomes the last.
    fn put_back(&mut self) {
        if let Some(entry) = self.entries.pop() {
            self.entries.push(self.hasher.id(entry.id), entry);
        }
    }

    /// Takes out the oldest of what is left; for the end of the capture.
    pub(in crate::session) fn drain(&mut self) -> Option<Closed> {
        self.take(true)
    }

    fn take(&mut self, watched: bool) -> Option<Closed> {
        let Entry { id, leg, others } = self.entries.pop()?;
        if !watched && !leg.answered {
            self.dropped += 1;
        }
        Some(Closed { id, leg, others: others.map(|others| others.legs).unwrap_or_default(), watched })
    }
}

/// A transaction that has left the table.
#[derive(Debug)]
pub(in crate::session) struct Closed {
    /// Its id.
    pub id: TransactionId,
    /// Where it was seen first.
    pub leg: Leg,
    /// Where else it was seen.
    pub others: Vec<Leg>,
    /// Whether it was kept as long as an answer could come.
    pub watched: bool,
}
