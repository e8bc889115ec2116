//! Reading what the next packets will need before they are taken, many at a time.
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
/// Up to so many flows there is nothing to win: they stay in the caches.
const FEW: usize = 2048;

/// What was found for a message that is about to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expectation {
    frame: u64,
    /// What its flow is looked up by, and where it probably is.
    hash: u64,
    flow: Option<u32>,
    transaction: Expected,
}

impl Session {
    /// Takes what was found beforehand for the messages up to this one, so that it is not looked up again.
    #[inline]
    pub(super) fn expect(&mut self, src: Endpoint, dst: Endpoint, frame: u64) {
        while let Some(next) = self.expected.get(self.expected_next).filter(|next| next.frame <= frame) {
            self.expected_next += 1;
            if next.frame == frame {
                self.transactions.expect(next.transaction);
                if let Some(slot) = next.flow {
                    self.flows.expect(src, dst, slot);
                }
            }
        }
    }

    /// Whether there is so much that reading ahead pays.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.flows.len() > FEW
    }

    /// A STUN message is about to come in this frame, after those that were foreseen before it; those beyond [`FORESEEN`] are left out.
    #[inline]
    pub fn foresee(&mut self, frame: u64, src: Endpoint, dst: Endpoint, id: TransactionId) {
        if self.expected_next > 0 {
            self.expected.clear();
            self.expected_next = 0;
        }
        if self.expected.len() < FORESEEN {
            let (hash, transaction) = (self.flows.hash(src, dst), self.transactions.foresee(id));
            self.expected.push(Expectation { frame, hash, flow: None, transaction });
        }
    }

    /// Looks up what the messages that were foreseen will need, and reads it: one thing for all of them, then the next, in loops so short that
    /// the processor is in several turns at once.
    pub fn warm(&mut self) {
        let Session { expected, flows, transactions, .. } = self;
        for expectation in expected.iter_mut() {
            expectation.flow = flows.likely(expectation.hash);
        }
        for expectation in expected.iter_mut() {
            transactions.look_up(&mut expectation.transaction);
        }
        let mut sum = transactions.touch_first();
        for expectation in expected.iter() {
            sum ^= transactions.touch(&expectation.transaction);
        }
        let known = |expectation: &Expectation| flows.at(expectation.flow?);
        for flow in expected.iter().filter_map(known) {
            sum ^= touch_flow(flow);
        }
        for conversation in expected.iter().filter_map(|expectation| known(expectation)?.conversation.as_deref()) {
            sum ^= touch_conversation(conversation);
        }
        black_box(sum);
    }

    /// Reads what it takes to end these flows.
    pub(super) fn warm_flows(&self, ids: &[FlowId]) {
        let flows = || ids.iter().filter_map(|&id| self.flows.get(id));
        let sum = flows().fold(0, |sum, flow| sum ^ touch_flow(flow) ^ flow.first.frame);
        black_box(sum);
        touch_conversations(flows());
    }

    /// Reads what it takes to judge the first [`WARM`] of the flows that are over.
    pub fn warm_ripe(flows: &[Flow]) {
        touch_conversations(flows.iter().take(WARM));
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
