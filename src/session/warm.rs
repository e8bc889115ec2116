//! Looking up and reading what the next packets will need before they are taken, many at a time.
//!
//! With tens of thousands of flows nothing of a flow is in the processor's caches when its next packet comes, and a packet needs some
//! twenty places one after the other. Read for many packets together, without waiting for each, they come in a fraction of the time.
//! Nothing depends on it: what was found is believed only where it still holds, and a wrong guess costs time only.

use super::conversation::Conversation;
use super::exchange::Exchange;
use super::flow::{Flow, FlowId};
use super::transaction::Expected;
use super::{Session, WARM};
use crate::net::Endpoint;
use crate::wire::stun::TransactionId;
use std::hint::black_box;

/// How many packets are foreseen at a time: their places fit the first cache with room to spare.
pub const FORESEEN: usize = 24;
/// The type of the success response to a Binding request.
const BINDING_SUCCESS: u16 = 0x0101;
/// Up to so many flows there is nothing to win: they stay in the caches.
const FEW: usize = 2048;

/// What was found for a message that is about to come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expectation {
    /// What its flow is looked up by, and where it probably is.
    hash: u64,
    flow: Option<u32>,
    transaction: Option<Expected>,
    /// The client to which it says that a Binding request was granted.
    served: Option<Endpoint>,
}

impl Session {
    /// Whether there is so much that reading ahead pays.
    #[must_use]
    #[inline]
    pub fn is_large(&self) -> bool {
        self.flows.len() > FEW
    }

    /// What a message that is about to come will be looked up by.
    #[must_use]
    #[inline]
    pub fn foresee(&self, src: Endpoint, dst: Endpoint, message_type: u16, id: TransactionId) -> Expectation {
        let (hash, transaction) = (self.flows.hash(src, dst), self.transactions.foresee(id));
        let served = (message_type == BINDING_SUCCESS).then_some(dst);
        Expectation { hash, flow: None, transaction: Some(transaction), served }
    }

    /// Looks up what messages that were foreseen will need, and reads it: one thing for all of them, then the next, in loops so short that
    /// the processor is in several turns at once.
    pub fn warm(&self, expected: &mut [Expectation]) {
        let Session { flows, transactions, nonces, clients, .. } = self;
        for expectation in expected.iter_mut().filter(|expectation| expectation.transaction.is_some()) {
            expectation.flow = flows.likely(expectation.hash);
        }
        for transaction in expected.iter_mut().filter_map(|expectation| expectation.transaction.as_mut()) {
            transactions.look_up(transaction);
        }
        let mut sum = transactions.touch_first();
        for transaction in expected.iter().filter_map(|expectation| expectation.transaction.as_ref()) {
            sum ^= transactions.touch(transaction);
        }
        for client in expected.iter().filter_map(|expectation| expectation.served) {
            sum ^= clients.touch(client.ip());
        }
        let known = |expectation: &Expectation| flows.at(expectation.flow?);
        for flow in expected.iter().filter_map(known) {
            sum ^= touch_flow(flow);
        }
        for conversation in expected.iter().filter_map(|expectation| known(expectation)?.conversation.as_deref()) {
            sum ^= touch_conversation(conversation);
        }
        for expectation in expected.iter() {
            // a request carries the nonce of the one before it
            let is_new = expectation.transaction.is_some_and(|transaction| transaction.is_new());
            if let (true, Some(flow)) = (is_new, known(expectation))
                && let Some(nonce) = flow.conversation.as_deref().and_then(|conversation| conversation.echoed)
            {
                sum ^= nonces.touch(nonce);
            }
        }
        black_box(sum);
    }

    /// The next message is this one: what was found for it need not be looked up again.
    #[inline]
    pub fn expect(&mut self, src: Endpoint, dst: Endpoint, found: &Expectation) {
        self.transactions.expect(found.transaction);
        if let Some(slot) = found.flow {
            self.flows.expect(src, dst, slot);
        }
    }

    /// Reads what it takes to end these flows.
    pub(super) fn warm_flows(&self, ids: &[FlowId]) {
        let flows = || ids.iter().filter_map(|&id| self.flows.get(id));
        let sum = flows().fold(0, |sum, flow| sum ^ touch_flow(flow) ^ flow.first.frame);
        black_box(sum);
        touch_conversations(flows());
    }

    /// Reads what it takes to judge conversations that keep too much: of one that comes soon where it is, of one that comes sooner what it keeps.
    pub(super) fn warm_keeping(&self) {
        const LATER: [usize; 3] = [12, 8, 4];
        let known = |place: usize| self.keeping.get(place).and_then(|&id| self.flows.get(id));
        let [flow, conversation, exchanges] = LATER.map(known);
        let exchanges = exchanges.and_then(|flow| flow.conversation.as_deref());
        let sum = flow.map_or(0, touch_flow)
            ^ conversation.and_then(|flow| flow.conversation.as_deref()).map_or(0, touch_ending)
            ^ exchanges
                .map_or(0, |known| known.exchanges.iter().fold(0, |sum, exchange| sum ^ touch_exchange(exchange)));
        black_box(sum);
    }

    /// Reads what it takes to judge the next flows that are over; gives how many.
    #[must_use]
    pub fn warm_ripe(&self) -> usize {
        touch_conversations(self.ripe.iter().take(WARM).filter_map(|&id| self.flows.get(id)));
        self.ripe.len().min(WARM)
    }
}

fn touch_conversations<'f>(flows: impl Iterator<Item = &'f Flow>) {
    let conversations = flows.filter_map(|flow| flow.conversation.as_deref());
    black_box(conversations.fold(0, |sum, known| sum ^ touch_ending(known)));
}

/// What it takes to judge a conversation, but for its exchanges.
fn touch_ending(known: &Conversation) -> u64 {
    let rare = known.turned_away.is_some() ^ known.connection.is_some() ^ known.ended.is_empty();
    let ends = known.allocation.as_ref().map_or(0, |known| known.created.frame ^ u64::from(known.lifetime));
    touch_conversation(known) ^ ends ^ known.first.frame ^ known.orphans ^ u64::from(rare)
}

/// The parts of an exchange that every rule looks at.
fn touch_exchange(exchange: &Exchange) -> u64 {
    let answer = exchange
        .answer
        .as_ref()
        .map_or(0, |answer| answer.seen.frame ^ u64::from(answer.code) ^ u64::from(answer.again));
    let asked = exchange.asked.nonce.unwrap_or_default() ^ u64::from(exchange.asked.peers);
    exchange.first.frame ^ exchange.last.frame ^ asked ^ answer ^ u64::from(exchange.watched)
}

/// The start, the middle and the end of what a message needs, no more than 64 bytes apart with the conversation, which is read next.
fn touch_flow(flow: &Flow) -> u64 {
    flow.ends.low.mixed() ^ flow.last.frame ^ u64::from(flow.stun)
}

/// Numbers some 64 bytes apart, so that no cache line that a message needs is left out, wherever they begin. Nothing is decided by what is read:
/// the processor would have to wait for it.
fn touch_conversation(conversation: &Conversation) -> u64 {
    let &Conversation { client, last, messages: [_, of_server], exchanges_omitted, .. } = conversation;
    let allocated = conversation
        .allocation
        .as_ref()
        .map_or(0, |known| u64::from(known.lifetime) ^ known.sent.packets ^ known.received.packets);
    client.0.mixed() ^ last.frame ^ of_server ^ exchanges_omitted ^ conversation.granted.touch() ^ allocated
}
