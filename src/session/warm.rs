//! Looking up and asking for what the next messages will need, while those before them are taken.
//!
//! With tens of thousands of flows nothing of a flow is in the processor's caches when its next message comes, and a message needs some
//! twenty places, each of which tells where the next one is. So each is asked for some messages before it is looked at, and has come by then.
//! Nothing depends on it: what was found is believed only where it still holds, and a wrong guess costs time only.

use super::Session;
use super::conversation::Conversation;
use super::flow::{Ends, Flow, FlowId};
use super::transaction::Expected;
use crate::net::Endpoint;
use crate::wire::stun::TransactionId;
use std::hint::black_box;

/// How many packets are foreseen at a time.
pub const FORESEEN: usize = 64;
/// How many messages before its own a flow and a transaction are found and asked for,
const FLOW: usize = 16;
/// what the flow leads to,
const CONVERSATION: usize = 11;
/// what that leads to, and where its nonce is,
const FURTHER: usize = 6;
/// and that.
const NONCE: usize = 3;
/// The type of the success response to a Binding request.
const BINDING_SUCCESS: u16 = 0x0101;
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
    /// The client to which it says that a Binding request was granted.
    served: Option<Endpoint>,
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
    #[inline]
    pub fn foresee(&self, src: Endpoint, dst: Endpoint, message_type: u16, id: TransactionId) -> Expectation {
        let (ends, transaction) = (Ends::of(src, dst), self.transactions.foresee(id));
        let hash = self.flows.hash(&ends);
        self.flows.fetch(hash);
        let served = (message_type == BINDING_SUCCESS).then_some(dst);
        Expectation { ends, hash, flow: None, transaction, served }
    }

    /// Asks for what the first of the messages that were foreseen need.
    pub fn look_ahead(&self, expected: &mut [Option<Expectation>]) {
        (0..FLOW).for_each(|place| self.bring_nearer(expected, place));
    }

    /// The message at this place comes next: asks for what those behind it need.
    #[inline]
    pub fn look_beyond(&self, expected: &mut [Option<Expectation>], place: usize) {
        self.bring_nearer(expected, place + FLOW);
    }

    /// The message at this place is found, and those before it are a step further.
    #[inline]
    fn bring_nearer(&self, expected: &mut [Option<Expectation>], place: usize) {
        if let Some(Some(message)) = expected.get_mut(place) {
            self.find(message);
        }
        let at = |step: usize| expected.get(place.checked_sub(FLOW - step)?)?.as_ref();
        if let Some(conversation) = at(CONVERSATION).and_then(|message| self.conversation(message)) {
            fetch_conversation(conversation);
        }
        if let Some(message) = at(FURTHER) {
            self.fetch_further(message);
        }
        if let Some(message) = at(NONCE) {
            self.fetch_nonce(message);
        }
    }

    #[inline]
    fn find(&self, message: &mut Expectation) {
        let Session { flows, transactions, clients, .. } = self;
        transactions.look_up(&mut message.transaction);
        message.flow = flows.likely(message.hash);
        if let Some(flow) = message.flow.and_then(|slot| flows.at(slot)) {
            fetch_flow(flow);
        }
        if let Some(client) = message.served {
            black_box(clients.touch(client.ip()));
        }
    }

    /// Asks for the allocation; for where the nonce is, since a request carries that of the one before it; and for what goes when it comes.
    #[inline]
    fn fetch_further(&self, message: &Expectation) {
        let conversation = self.conversation(message);
        if let Some(allocation) = conversation.and_then(|conversation| conversation.allocation.as_ref()) {
            fetch(&allocation.permissions);
            fetch(&allocation.channels);
        }
        if message.transaction.is_new() {
            self.transactions.fetch_first();
            if let Some(nonce) = conversation.and_then(|conversation| conversation.echoed) {
                self.nonces.fetch_place(nonce);
            }
        }
    }

    #[inline]
    fn fetch_nonce(&self, message: &Expectation) {
        if message.transaction.is_new()
            && let Some(nonce) = self.conversation(message).and_then(|conversation| conversation.echoed)
        {
            self.nonces.fetch(nonce);
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

/// Asks for what every message needs of its flow: places no more than 64 bytes apart, wherever a cache line begins.
#[inline]
fn fetch_flow(flow: &Flow) {
    fetch(&flow.ends);
    fetch(&flow.heard);
    fetch(&flow.stun);
}

/// The same of a conversation.
#[inline]
fn fetch_conversation(conversation: &Conversation) {
    fetch(&conversation.client);
    fetch(&conversation.messages);
    fetch(&conversation.exchanges_omitted);
    fetch(&conversation.granted);
    fetch(&conversation.allocation);
}

/// Asks for the cache line of a place, without waiting for it.
#[inline(always)]
pub(super) fn fetch<T>(place: &T) {
    prefetch_index::prefetch_index(std::slice::from_ref(place), 0);
}
