//! Looking up and reading what the next packets will need before they are taken, many at a time.
//!
//! With tens of thousands of flows nothing of a flow is in the processor's caches when its next packet comes, and a packet needs some
//! twenty places one after the other. Read for many packets together, without waiting for each, they come in a fraction of the time.
//! Nothing depends on it: what was found is believed only where it still holds, and a wrong guess costs time only.

use super::conversation::Conversation;
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

    /// Reads what it takes to judge the next flows that are over; gives how many.
    #[must_use]
    pub fn warm_ripe(&self) -> usize {
        touch_conversations(self.ripe.iter().take(WARM).filter_map(|&id| self.flows.get(id)));
        self.ripe.len().min(WARM)
    }
}

fn touch_conversations<'f>(flows: impl Iterator<Item = &'f Flow>) {
    let conversations = flows.filter_map(|flow| flow.conversation.as_deref());
    let sum = conversations.fold(0, |sum, known| {
        let rare = known.turned_away.is_some() ^ known.connection.is_some() ^ known.ended.is_empty();
        let ends = known.allocation.as_ref().map_or(0, |known| known.created.frame ^ u64::from(known.lifetime));
        sum ^ touch_conversation(known) ^ ends ^ known.first.frame ^ known.orphans ^ u64::from(rare)
    });
    black_box(sum);
}

/// The start, the middle and the end of what a message needs, no more than 64 bytes apart with the conversation, which is read next.
fn touch_flow(flow: &Flow) -> u64 {
    flow.ends.low.mixed() ^ flow.last.frame ^ u64::from(flow.stun)
}

/// Fields no more than 64 bytes apart, so that none of the cache lines that a message needs is left out, wherever they begin.
fn touch_conversation(conversation: &Conversation) -> u64 {
    let &Conversation { client, last, server_heard, exchanges_omitted, echoed, ref granted, ref allocation, .. } =
        conversation;
    let marks = client.0.is_v6() ^ server_heard.is_some() ^ echoed.is_some();
    let allocated = allocation.as_ref().map_or(0, |allocation| {
        let marks = allocation.permissions.is_empty() ^ allocation.channels.is_empty();
        u64::from(allocation.lifetime) ^ u64::from(marks) ^ allocation.sent.packets
    });
    last.frame ^ exchanges_omitted ^ u64::from(marks) ^ granted.touch() ^ allocated
}
