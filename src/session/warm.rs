//! Reading what the next packets will need before they are taken, many at a time.
//!
//! With tens of thousands of flows nothing of a flow is in the processor's caches when its next packet comes, and a packet needs some
//! twenty places one after the other. Read for many packets together, without waiting for each, they come in a fraction of the time.
//! Nothing is changed here, and nothing depends on it: a wrong guess costs time only.

use super::Session;
use super::conversation::Conversation;
use super::flow::Flow;
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
    /// Sender of its datagram.
    pub src: Endpoint,
    /// Receiver of its datagram.
    pub dst: Endpoint,
    /// Its transaction.
    pub id: TransactionId,
}

impl Session {
    /// Whether there is so much that reading ahead pays.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.flows.len() > FEW
    }

    /// Reads what these messages will need; those beyond [`FORESEEN`] are left out.
    pub fn warm(&self, ahead: impl Iterator<Item = Foreseen>) {
        let mut flows = [None; FORESEEN];
        let mut entries = [None; FORESEEN];
        for ((slot, entry), foreseen) in flows.iter_mut().zip(&mut entries).zip(ahead) {
            *slot = self.flows.likely(foreseen.src, foreseen.dst);
            *entry = self.transactions.likely(foreseen.id);
        }
        let mut sum = self.transactions.touch_first(FORESEEN / 2);
        for &entry in entries.iter().flatten() {
            sum ^= self.transactions.touch(entry);
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
