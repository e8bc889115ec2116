//! Reading what the next packets will need before they are taken, many at a time.
//!
//! With tens of thousands of flows nothing of a flow is in the processor's caches when its next packet comes, and a packet needs some
//! twenty places one after the other. Read for many packets together, without waiting for each, they come in a fraction of the time.
//! Nothing depends on it: what was found is believed only where it still holds, and a wrong guess costs time only.

use super::Session;
use super::conversation::Conversation;
use super::flow::Flow;
use super::transaction::Expected;
use crate::net::Endpoint;
use crate::wire::stun::TransactionId;
use std::hint::black_box;

/// How many packets are foreseen at a time: their places fit the first cache with room to spare.
pub const FORESEEN: usize = 24;
/// Up to so many flows there is nothing to win: they stay in the caches.
const FEW: usize = 2048;

/// A STUN message that is about to come.
#[derive(Clone, Copy, Debug)]
pub struct Foreseen {
    /// The number of its frame.
    pub frame: u64,
    /// Sender of its datagram.
    pub src: Endpoint,
    /// Receiver of its datagram.
    pub dst: Endpoint,
    /// Its transaction.
    pub id: TransactionId,
}

/// What was found for a message that is about to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expectation {
    frame: u64,
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

    /// Looks up what these messages will need, and reads it; those beyond [`FORESEEN`] are left out.
    pub fn warm(&mut self, ahead: impl Iterator<Item = Foreseen>) {
        self.expected.clear();
        self.expected_next = 0;
        let mut flows = [None; FORESEEN];
        for (slot, foreseen) in flows.iter_mut().zip(ahead) {
            *slot = self.flows.likely(foreseen.src, foreseen.dst);
            let transaction = self.transactions.foresee(foreseen.id);
            self.expected.push(Expectation { frame: foreseen.frame, flow: *slot, transaction });
        }
        let mut sum = self.transactions.touch_first(FORESEEN / 2);
        for expectation in &self.expected {
            sum ^= self.transactions.touch(&expectation.transaction);
        }
        let mut known: [Option<&Flow>; FORESEEN] = [None; FORESEEN];
        for (flow, slot) in known.iter_mut().zip(flows) {
            *flow = slot.and_then(|slot| self.flows.at(slot));
            sum ^= flow.map_or(0, touch_flow);
        }
        let mut conversations: [Option<&Conversation>; FORESEEN] = [None; FORESEEN];
        for (conversation, flow) in conversations.iter_mut().zip(known) {
            *conversation = flow.and_then(|flow| flow.conversation.as_deref());
            sum ^= conversation.map_or(0, touch_conversation);
        }
        black_box(sum);
    }
}

/// Fields no more than 64 bytes apart, so that none of the cache lines that a message needs is left out, wherever they begin.
fn touch_flow(flow: &Flow) -> u64 {
    flow.last.frame ^ u64::from(flow.stun) ^ u64::from(flow.ends.low.port())
}

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
