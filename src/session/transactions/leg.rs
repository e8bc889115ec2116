//! One request on one flow, and what became of it.

use super::transaction::{Request, Sighting};
use crate::bounded::BoundedList;
use crate::event::IcmpAnswer;
use crate::net::{ClientAddress, PeerAddress, ServerAddress};
use crate::session::conversations::exchange::{Asked, Exchange, MAX_FURTHER_PEERS, Seen};
use crate::session::flow::{Ends, FlowId};
use crate::session::tables::names::Name;
use crate::time::{Timestamp, is_mirrored};
use crate::wire::stun::{Method, TransactionId};
use std::num::NonZeroU32;

/// How many retransmissions are kept with frame and time.
const MAX_COPIES: usize = 8;

/// One request on one flow, and how it stands. There are hundreds of thousands of them and almost all are answered once and never
/// touched again, so what only an open one needs, and what few have, is kept apart.
#[derive(Debug)]
pub(in crate::session) struct Leg {
    /// The first copy.
    pub first: Seen,
    /// The first answer; meaningful where `answered` is set.
    pub(super) answer: Seen,
    /// The flow that it was seen on.
    pub flow: FlowId,
    pub(super) digest: u32,
    answer_digest: u32,
    last_ip_id: u32,
    answer_ip_id: u32,
    /// A keyed hash of the client's address: which of the flow's ends it is tells the rest.
    pub(super) client: u32,
    /// USERNAME, REALM, USERHASH: whose the answers are too.
    pub identity: [Option<Name>; 3],
    kept: Option<NonZeroU32>,
    /// Its method.
    pub method: Method,
    /// How many relay passages deep.
    pub depth: u8,
    /// Whether it is a connectivity check of ICE.
    pub check: bool,
    /// Whether the answer that came last was a copy made by the capture.
    pub answer_mirrored: bool,
    pub(super) answered: bool,
    from_low: bool,
    /// What it says, until it is answered.
    pub(in crate::session) asked: Option<Box<Asked>>,
    /// What few have.
    pub(super) rare: Option<Box<Rare>>,
}

#[derive(Debug, Default)]
pub(super) struct Rare {
    /// The last copy, where there is more than one.
    last: Option<Seen>,
    /// The last answer, where there is more than one.
    last_answer: Option<Timestamp>,
    again: Vec<Seen>,
    again_total: u32,
    again_after_answer: u32,
    differs: bool,
    icmp: Option<IcmpAnswer>,
    /// An answer that passed another point on its way here.
    underway: Option<Seen>,
    /// The peers beside the first that it asks for permissions for, until it is answered.
    peers: Vec<PeerAddress>,
    /// When it is to be looked at, where it went on.
    pub(super) due: Option<Timestamp>,
}

impl Leg {
    pub(super) fn new(method: Method, at: &Sighting, client: u32, asked: &Asked) -> Leg {
        Leg {
            first: at.seen,
            answer: at.seen,
            flow: at.flow,
            digest: short(at.digest),
            answer_digest: 0,
            last_ip_id: at.ip_id,
            answer_ip_id: 0,
            client,
            identity: [asked.user, asked.realm, asked.userhash],
            kept: None,
            method,
            depth: at.depth,
            check: asked.check,
            answer_mirrored: false,
            answered: false,
            // as `Ends` orders them
            from_low: (at.src <= at.dst) != at.transport.is_stream(),
            asked: None,
            rare: None,
        }
    }

    /// Client and server, given the ends of its flow.
    #[must_use]
    #[inline]
    pub(in crate::session) fn roles(&self, ends: &Ends) -> (ClientAddress, ServerAddress) {
        let (client, server) = if self.from_low { (ends.low, ends.high) } else { (ends.high, ends.low) };
        (ClientAddress(client), ServerAddress(server))
    }

    /// The last copy of the request.
    #[must_use]
    pub(in crate::session) fn last(&self) -> Seen {
        self.rare.as_ref().and_then(|rare| rare.last).unwrap_or(self.first)
    }

    /// The first answer.
    #[must_use]
    pub(in crate::session) fn answer(&self) -> Option<Seen> {
        self.answered.then_some(self.answer)
    }

    /// An answer passed another point on its way here.
    pub(in crate::session) fn underway(&mut self, seen: Seen) {
        self.rare.get_or_insert_default().underway.get_or_insert(seen);
    }

    /// It asks for permissions for these peers, too.
    pub(super) fn asks_for(&mut self, peers: impl Iterator<Item = PeerAddress>) {
        self.rare.get_or_insert_default().peers.extend(peers.take(MAX_FURTHER_PEERS));
    }

    /// Takes out the peers beside the first that it asks for permissions for.
    pub(super) fn take_peers(&mut self) -> Vec<PeerAddress> {
        self.rare.as_mut().map(|rare| std::mem::take(&mut rare.peers)).unwrap_or_default()
    }

    /// The first answer, wherever it was seen.
    #[must_use]
    pub(in crate::session) fn answer_beyond(&self) -> Option<Seen> {
        self.answer().or_else(|| self.rare.as_ref()?.underway)
    }

    /// When it was last heard of.
    pub(super) fn newest(&self) -> Timestamp {
        let answer = if self.answered { self.last_answer() } else { self.first.time };
        self.last().time.max(answer)
    }

    fn last_answer(&self) -> Timestamp {
        self.rare.as_ref().and_then(|rare| rare.last_answer).unwrap_or(self.answer.time)
    }

    /// IPv4 identification of the last copy.
    #[must_use]
    pub(super) fn ip_id(&self) -> u32 {
        self.last_ip_id
    }

    /// Where its conversation keeps the exchange.
    #[must_use]
    pub(in crate::session) fn kept(&self) -> Option<u32> {
        self.kept.map(|kept| kept.get() - 1)
    }

    /// Its conversation keeps the exchange there.
    pub(super) fn keep(&mut self, at: u32) {
        self.kept = NonZeroU32::new(at.wrapping_add(1));
    }

    /// The ICMP error that it met.
    #[must_use]
    pub(super) fn icmp(&self) -> Option<IcmpAnswer> {
        self.rare.as_ref()?.icmp
    }

    /// It met an ICMP error.
    pub(in crate::session) fn met(&mut self, icmp: IcmpAnswer) {
        self.rare.get_or_insert_default().icmp.get_or_insert(icmp);
    }

    /// Further copies, the first ones.
    #[must_use]
    pub(in crate::session) fn again(&self) -> &[Seen] {
        self.rare.as_ref().map_or(&[], |rare| &rare.again)
    }

    /// How many further copies there were.
    #[must_use]
    pub(in crate::session) fn again_total(&self) -> u32 {
        self.rare.as_ref().map_or(0, |rare| rare.again_total)
    }

    /// How many of them came after the first answer.
    #[must_use]
    pub(in crate::session) fn again_after_answer(&self) -> u32 {
        self.rare.as_ref().map_or(0, |rare| rare.again_after_answer)
    }

    /// Whether what became of it is written down already, so that nothing is lost when it goes.
    #[must_use]
    pub(in crate::session) fn is_settled(&self) -> bool {
        self.check || self.depth > 0 || (self.answered && self.rare.is_none())
    }

    /// Whether it waits for its answer and was sent once: a question to a server on the flow's own level.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        !self.answered && self.rare.is_none() && !self.check && self.depth == 0
    }

    /// Takes the first answer of a [plain](Leg::is_plain) request; gives the user.
    #[inline]
    pub(in crate::session) fn answer_first(&mut self, seen: Seen, digest: u64, ip_id: u32) -> Option<Name> {
        self.answer_mirrored = false;
        self.answered = true;
        self.answer = seen;
        self.answer_digest = short(digest);
        self.answer_ip_id = ip_id;
        self.identity[0]
    }

    /// The exchange as it stands between the ends of its flow, without an answer; `asked` is what the request says, if that is still
    /// known.
    #[must_use]
    pub(in crate::session) fn exchange(
        &self,
        id: TransactionId,
        ends: &Ends,
        asked: Option<&Asked>,
        watched: bool,
    ) -> Exchange {
        let [user, realm, userhash] = self.identity;
        let (client, server) = self.roles(ends);
        Exchange {
            id,
            method: self.method,
            client,
            server,
            first: self.first,
            again: self.again().to_vec(),
            again_total: self.again_total(),
            again_after_answer: self.again_after_answer(),
            differs: self.rare.as_ref().is_some_and(|rare| rare.differs),
            last: self.last(),
            asked: asked.copied().unwrap_or(Asked { user, realm, userhash, check: self.check, ..Asked::default() }),
            answer: None,
            icmp: self.icmp(),
            answered_beyond: None,
            watched,
        }
    }

    /// What the request says, where it was never answered.
    #[must_use]
    pub(in crate::session) fn asked(&self) -> Option<&Asked> {
        self.asked.as_deref()
    }

    /// Whether a request with its id is another one: libjuice asks again with the id that was answered, now with credentials.
    #[must_use]
    pub(super) fn is_another(&self, at: &Sighting) -> bool {
        self.answered && !self.check && self.depth == 0 && self.digest != short(at.digest)
    }

    /// Takes the place of the one before it; `due` is when that was to be looked at.
    pub(super) fn instead(mut self, due: Timestamp) -> Leg {
        self.rare = Some(Box::new(Rare { due: Some(due), ..Rare::default() }));
        self
    }

    pub(super) fn repeat(&mut self, at: &Sighting) -> Request {
        let first = self.first;
        let gap = at.seen.time.since(self.last().time);
        if self.digest == short(at.digest) && is_mirrored([self.last_ip_id, at.ip_id], gap) {
            return Request::Mirrored { first };
        }
        self.last_ip_id = at.ip_id;
        let differs = self.digest != short(at.digest);
        self.digest = short(at.digest);
        let answered = self.answered;
        let rare = self.rare.get_or_insert_default();
        rare.differs |= differs;
        rare.last = Some(at.seen);
        rare.again_total = rare.again_total.saturating_add(1);
        rare.again_after_answer = rare.again_after_answer.saturating_add(u32::from(answered));
        rare.again.push_up_to(MAX_COPIES, at.seen);
        Request::Again { first }
    }

    /// Takes an answer; whether it is the first.
    pub(super) fn respond(&mut self, at: &Sighting) -> bool {
        self.answer_mirrored = self.answered
            && self.answer_digest == short(at.digest)
            && is_mirrored([self.answer_ip_id, at.ip_id], at.seen.time.since(self.last_answer()));
        self.answer_digest = short(at.digest);
        self.answer_ip_id = at.ip_id;
        let first = !self.answered;
        if first {
            self.answered = true;
            self.answer = at.seen;
        } else {
            self.rare.get_or_insert_default().last_answer = Some(at.seen.time);
        }
        first
    }
}

/// Half of a digest is enough between messages of the same transaction id.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn short(digest: u64) -> u32 {
    digest as u32
}
