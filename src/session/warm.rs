//! Looking up and asking for what the next messages will need, while those before them are taken.
//!
//! With tens of thousands of flows nothing of a flow is in the processor's caches when its next message comes, and a message needs some
//! twenty places, each of which tells where the next one is. So each is asked for some messages before it is looked at, and has come by then.
//! Nothing depends on it: what was found is believed only where it still holds, and a wrong guess costs time only.

use super::Session;
use super::conversations::conversation::Conversation;
use super::flow::{Ends, Flow, FlowId};
use super::transactions::transaction::Expected;
use crate::net::Endpoint;
use crate::wire::stun::TransactionId;
use std::hint::black_box;

/// How many packets are foreseen at a time.
pub const FORESEEN: usize = 64;
/// How many messages are taken a step further together: what one waits for, which is longest where pages have to be looked up, the others wait for
/// at the same time.
const GROUP: usize = 8;
/// How many steps there are: a flow and a transaction are found, then what the flow leads to, then what that leads to.
const STEPS: usize = 3;
/// The bits of a message's type that say what class it is of; none of them is set in a request (RFC 8489 §5).
const CLASS: u16 = 0x0110;
/// The type of the success response to a Binding request.
const BINDING_SUCCESS: u16 = 0x0101;
/// Those of messages that change permissions or channels: a ChannelBind request, and the success responses to it and to CreatePermission.
const OF_PEERS: [u16; 3] = [0x0009, 0x0109, 0x0108];
/// Up to so many flows there is nothing to win: they stay in the caches.
const FEW: usize = 2048;

/// What was found for a message that is about to come.
#[derive(Clone, Copy, Debug)]
pub struct Expectation {
    /// The flow that it is on, what that is looked up by, and where it probably is.
    ends: Ends,
    hash: u64,
    flow: Option<u32>,
    transaction: Expected,
    message_type: u16,
    /// Whether it goes to the higher end.
    to_high: bool,
}

impl Session {
    /// Whether there is so much that looking ahead pays.
    #[must_use]
    #[inline]
    pub fn is_large(&self) -> bool {
        self.flows.len() > FEW
    }

    /// What a message that is about to come will be looked up by.
    #[must_use]
    #[inline(always)]
    pub fn foresee(&self, src: Endpoint, dst: Endpoint, message_type: u16, id: TransactionId) -> Expectation {
        let is_request = message_type & CLASS == 0;
        let (ends, transaction) = (Ends::of(src, dst), self.transactions.foresee(id, is_request));
        let hash = self.flows.hash(&ends);
        self.flows.fetch(hash);
        Expectation { ends, hash, flow: None, transaction, message_type, to_high: ends.high == dst }
    }

    /// Asks for what the first of the messages that were foreseen need.
    pub fn look_ahead(&self, expected: &mut [Option<Expectation>]) {
        (0..STEPS).for_each(|group| self.bring_nearer(expected, group));
    }

    /// The message at this place comes next: asks for what those behind it need.
    #[inline]
    pub fn look_beyond(&self, expected: &mut [Option<Expectation>], place: usize) {
        if place.is_multiple_of(GROUP) {
            self.bring_nearer(expected, place / GROUP + STEPS);
        }
    }

    /// The messages of this group are found, and those of the groups before it are a step further.
    fn bring_nearer(&self, expected: &mut [Option<Expectation>], group: usize) {
        for message in expected.chunks_mut(GROUP).nth(group).into_iter().flatten().flatten() {
            self.find(message);
        }
        let before = |steps: usize| expected.chunks(GROUP).nth(group.checked_sub(steps)?);
        for message in before(1).into_iter().flatten().flatten() {
            if let Some(conversation) = self.conversation(message) {
                fetch_conversation(conversation);
            }
        }
        let mut new = 0;
        for message in before(2).into_iter().flatten().flatten() {
            if OF_PEERS.contains(&message.message_type)
                && let Some(allocation) = self.conversation(message).and_then(|known| known.allocation.as_ref())
            {
                fetch(&allocation.permissions);
                fetch(&allocation.channels);
            }
            new += usize::from(message.transaction.is_new());
        }
        self.transactions.fetch_first(new);
    }

    #[inline]
    fn find(&self, message: &mut Expectation) {
        let Session { flows, transactions, clients, .. } = self;
        transactions.look_up(&mut message.transaction);
        message.flow = flows.likely(message.hash);
        if let Some(flow) = message.flow.and_then(|slot| flows.at(slot)) {
            fetch_flow(flow);
        }
        if message.message_type == BINDING_SUCCESS {
            let client = if message.to_high { message.ends.high } else { message.ends.low };
            black_box(clients.touch(client.ip()));
        }
    }

    #[inline]
    fn conversation(&self, message: &Expectation) -> Option<&Conversation> {
        self.flows.at(message.flow?)?.conversation.as_deref()
    }

    /// The next message is this one: what was found for it need not be looked up again. Gives its flow, if that was found.
    #[inline]
    pub fn expect(&mut self, message: &Expectation) -> Option<FlowId> {
        self.transactions.expect(message.transaction);
        self.flows.confirm(message.flow?, &message.ends)
    }

    /// Asks for what it takes to end flows; `later` tells which come after so many others.
    #[inline]
    pub(super) fn look_beyond_ending(&self, later: impl Fn(usize) -> Option<FlowId>) {
        let flow = |count| self.flows.get(later(count)?);
        if let Some(flow) = flow(12) {
            fetch_flow(flow);
            fetch(&flow.first);
        }
        if let Some(conversation) = flow(8).and_then(|flow| flow.conversation.as_deref()) {
            fetch_conversation(conversation);
            fetch(&conversation.server);
            fetch(&conversation.orphans);
            fetch(&conversation.turned_away);
        }
        let next = flow(4).and_then(|flow| flow.conversation.as_deref());
        if let Some(allocation) = next.and_then(|conversation| conversation.allocation.as_ref()) {
            fetch(&allocation.permissions);
            fetch(&allocation.channels);
            fetch(&allocation.received);
            fetch(&allocation.created);
        }
    }

    /// Asks for what it takes to judge flows, in the same way.
    #[inline]
    pub(super) fn look_beyond_judging(&self, later: impl Fn(usize) -> Option<FlowId>) {
        self.look_beyond_ending(&later);
        let next = later(4).and_then(|id| self.flows.get(id)?.conversation.as_deref());
        for exchange in next.iter().flat_map(|conversation| &conversation.exchanges) {
            fetch(&exchange.first);
            fetch(&exchange.asked);
            fetch(&exchange.answer);
            fetch(&exchange.watched);
        }
    }
}

/// Asks for what every message needs of its flow.
#[inline]
fn fetch_flow(flow: &Flow) {
    fetch(&flow.ends);
    fetch(&flow.heard);
}

/// The same of a conversation: places no more than 64 bytes apart, wherever a cache line begins.
#[inline]
fn fetch_conversation(conversation: &Conversation) {
    fetch(&conversation.client);
    fetch(&conversation.messages);
    fetch(&conversation.exchanges_omitted);
    fetch(&conversation.remembered);
    fetch(&conversation.granted);
    fetch(&conversation.allocation);
}

/// Asks for the cache line of a place, without waiting for it.
#[inline(always)]
pub(super) fn fetch<T>(place: &T) {
    prefetch_index::prefetch_index(std::slice::from_ref(place), 0);
}
