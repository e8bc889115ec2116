//! Answers that stand in the capture just before the requests that they answer, as interfaces that were merged, or the queues of a capture card, may
//! have them. An answer that nobody asked for yet is held for a moment; then it is an orphan.

use super::signatures::check_answer;
use super::transaction::Sighting;
use crate::event::{Body, Event};
use crate::frame::OUT_OF_ORDER;
use crate::session::Session;
use crate::session::credentials::Identity;
use crate::session::flow::FlowId;
use crate::session::observe::Known;
use crate::session::totals::Messages;
use crate::time::Timestamp;
use crate::wire::stun::{Fields, Message, TransactionId};
use std::collections::VecDeque;

/// How many answers are held at one time, and of how many bytes; they take 160 KiB.
const MAX: usize = 64;
const MAX_BYTES: usize = 2048;

#[derive(Debug)]
struct Held {
    id: TransactionId,
    at: Sighting,
    event: Event<'static>,
    bytes: Vec<u8>,
    /// Whether another point showed it, and it was counted there.
    again: bool,
}

/// The answers that are held, in the order of the capture.
#[derive(Debug, Default)]
pub(in crate::session) struct EarlyAnswers {
    held: VecDeque<Held>,
    /// Room of those that were, to be used again.
    spare: Vec<Vec<u8>>,
    /// What was counted until a packet came that another point showed, while that is taken.
    before: Option<Messages>,
}

impl EarlyAnswers {
    /// Whether none are held.
    #[inline(always)]
    pub(in crate::session) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

impl Session {
    /// What is taken until [`Session::told_again`] was counted before: the same packet at another point.
    pub fn tells_again(&mut self) {
        self.early.before = Some(self.totals.messages.clone());
    }

    /// What comes now counts.
    pub fn told_again(&mut self) {
        if let Some(counted) = self.early.before.take() {
            self.totals.messages = counted;
        }
    }

    /// Holds an answer, if nobody asked for it yet; or if nobody asked where it comes from, for behind a NAT the same request may follow. What is known of
    /// it then.
    pub(in crate::session) fn hold(
        &mut self,
        at: &Sighting,
        event: &Event<'_>,
        message: &Message<'_>,
        fields: &Fields<'_>,
    ) -> Option<Known> {
        let (id, bytes) = (message.transaction_id(), message.bytes());
        let asked = match self.transactions.answered_by(id, at) {
            Some((leg, elsewhere)) if elsewhere && leg.answer().is_none() => Some((leg.last(), leg.identity)),
            Some(_) => return None,
            None => None,
        };
        if bytes.len() > MAX_BYTES || Message::recognise(bytes, event.truncated).is_none() {
            return None;
        }
        if self.early.held.len() >= MAX {
            self.release_first();
        }
        let mut room = self.early.spare.pop().unwrap_or_default();
        room.clear();
        room.extend_from_slice(bytes);
        let again = self.early.before.is_some();
        self.early.held.push_back(Held { id, at: *at, event: event.bare(), bytes: room, again });
        let (to, identity) = asked.unzip();
        Some(Known {
            integrity: match identity {
                Some(identity) => check_answer(&mut self.credentials, &self.names, message, fields, identity),
                None => self.check(message, fields, &Identity::default()),
            },
            request_frame: to.map(|to| to.frame),
            rtt: to.and_then(|to| at.seen.time.passed_since(to.time)),
            user: identity.and_then(|[user, ..]| user),
            dtls: fields.dtls.is_some(),
            ..Known::default()
        })
    }

    /// A request came: an answer that is held for it is its answer.
    pub(in crate::session) fn asked_late(&mut self, id: TransactionId, at: &Sighting) {
        let is_its = |held: &Held| held.id == id && held.at.dst == at.src && held.at.depth == at.depth;
        let place = self.early.held.iter().position(is_its);
        if let Some(held) = place.and_then(|place| self.early.held.remove(place)) {
            self.release_one(held);
        }
    }

    /// Takes the answers that were held long enough at `now`.
    pub(in crate::session) fn release(&mut self, now: Timestamp) {
        while self.early.held.front().is_some_and(|held| now.since(held.at.seen.time) > OUT_OF_ORDER) {
            self.release_first();
        }
    }

    /// ChannelData passes on a flow: where there is no conversation yet, an answer that is held shows that it is one, and who is the server.
    pub(in crate::session) fn release_before(&mut self, flow: FlowId) {
        if !self.early.is_empty() && self.flows.get(flow).is_some_and(|flow| flow.conversation.is_none()) {
            self.release(Timestamp(i64::MAX));
        }
    }

    fn release_first(&mut self) {
        if let Some(held) = self.early.held.pop_front() {
            self.release_one(held);
        }
    }

    /// Whether it counts was decided when it came, and not by the packet that it waited for.
    fn release_one(&mut self, Held { at, event, bytes, again, .. }: Held) {
        let within = self.early.before.is_some();
        self.told_again();
        if again {
            self.tells_again();
        }
        if let Some(message) = Message::recognise(&bytes, event.truncated) {
            let event = Event { body: Body::Stun(message), ..event };
            self.settle_stun(&at, &event, &message, &message.fields());
        }
        self.told_again();
        if within {
            self.tells_again();
        }
        self.early.spare.push(bytes);
    }
}
