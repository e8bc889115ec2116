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
        while let Some(&Expectation { frame: next, flow, transaction }) =
            self.expected.front().filter(|next| next.frame <= frame)
        {
            self.expected.pop_front();
            if next == frame {
                self.transactions.expect(transaction);
                if let Some(slot) = flow {
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
        let mut flows = [None; FORESEEN];
        for (slot, foreseen) in flows.iter_mut().zip(ahead) {
            *slot = self.flows.likely(foreseen.src, foreseen.dst);
            let transaction = self.transactions.foresee(foreseen.id);
            self.expected.push_back(Expectation { frame: foreseen.frame, flow: *slot, transaction });
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
        let conversations = || known.iter().flatten().filter_map(|flow| flow.conversation.as_deref());
        for conversation in conversations() {
            sum ^= touch_conversation(conversation);
        }
        for allocation in conversations().filter_map(|conversation| conversation.allocation.as_deref()) {
            sum ^= allocation.created.frame ^ allocation.requested.frame ^ allocation.sent.packets;
            sum ^= allocation.expires.0.cast_unsigned() ^ u64::from(allocation.lifetime);
            sum ^= u64::from(allocation.relayed[1].is_some()) ^ u64::from(allocation.mapped.is_some());
            sum ^= u64::from(allocation.permissions.first().map_or(0, |known| known.renewed));
            sum ^= u64::from(allocation.channels.first().map_or(0, |known| known.renewed));
        }
        for nonce in conversations().filter_map(|conversation| conversation.echoed) {
            sum ^= u64::from(self.nonces.is_known(nonce));
        }
        black_box(sum);
    }
}

/// One field of each of its cache lines.
fn touch_flow(flow: &Flow) -> u64 {
    let [low, high] = &flow.directions;
    flow.last.frame ^ low.packets ^ high.packets ^ u64::from(flow.ends.high.port()) ^ u64::from(flow.channel_guesses)
}

fn touch_conversation(conversation: &Conversation) -> u64 {
    let [sent, received] = &conversation.messages;
    let [out, back] = &conversation.relayed;
    let granted = conversation.granted.iter().map(|(_, time)| time.0.cast_unsigned()).fold(0, |sum, time| sum ^ time);
    let marks = [
        conversation.user.is_some(),
        conversation.nonce_of.is_some(),
        conversation.moved_from.is_some(),
        conversation.rtt.is_some(),
        conversation.exchanges.is_empty(),
        conversation.ended.is_empty(),
        conversation.client.0.is_v6(),
        conversation.server.0.is_v6(),
    ];
    let marks = marks.into_iter().fold(0, |sum, mark| sum << 1 | u64::from(mark));
    sent ^ received
        ^ out.packets
        ^ back.packets
        ^ granted
        ^ marks
        ^ conversation.first.frame
        ^ conversation.last.frame
        ^ conversation.asked
        ^ conversation.heard.frame
}
