//! How flows end: when they are over, what is added up of them then, and how they wait to be judged.

use super::conversations::conversation::Conversation;
use super::conversations::exchange::Exchange;
use super::flow::{Flow, FlowId};
use super::parties::outcome::Denied;
use super::path::Path;
use super::transactions::transaction::KEEP;
use super::{IDLE, Session};
use crate::time::Timestamp;
use crate::wire::stun::Method;

impl Session {
    /// The next flow that is over, to be judged and [forgotten](Session::forget). Each comes once, in an order that the capture alone decides.
    pub fn next_ripe(&mut self) -> Option<Flow> {
        while let Some(id) = self.ripe.pop_front() {
            self.look_beyond_judging(|count| self.ripe.get(count).copied());
            if let Some(flow) = self.flows.take(id) {
                return Some(flow);
            }
        }
        None
    }

    /// A flow was judged: its memory is used again.
    pub fn forget(&mut self, flow: Flow) {
        self.rooms.take(flow);
    }

    /// A conversation that must be judged as far as it went, because too many exchanges are kept: judge it, then
    /// [`Session::forget_exchanges`] of it. Call until it gives nothing more.
    pub fn overfull(&mut self) -> Option<FlowId> {
        // many at a time: what judges them is in the processor's caches then
        let most = if self.crammed { self.limits.exchanges / 8 * 7 } else { self.limits.exchanges };
        self.crammed = self.rooms.kept > most;
        if !self.crammed {
            return None;
        }
        self.look_beyond_judging(|count| self.rooms.keeping.get(count).copied());
        self.rooms.keeping.pop_front()
    }

    /// Forgets the exchanges of a conversation that were judged.
    pub fn forget_exchanges(&mut self, id: FlowId) {
        if let Some(conversation) = self.flows.conversation_mut(id) {
            self.rooms.kept = self.rooms.kept.saturating_sub(conversation.exchanges.len());
            conversation.exchanges_omitted += conversation.exchanges.len() as u64;
            self.rooms.take_exchanges(std::mem::take(&mut conversation.exchanges));
        }
    }

    /// Ends the flows that are over; with many of them also those that are done.
    pub(super) fn sweep(&mut self, crowded: bool, now: Timestamp) {
        let (idle, settled) = (now.before(IDLE), now.before(KEEP));
        let over = self.flows.select(|flow| {
            if flow.last.time >= settled || (!crowded && flow.last.time >= idle) {
                return false;
            }
            let Some(conversation) = flow.conversation.as_deref() else { return flow.last.time < idle };
            if flow.last.time < idle {
                conversation.live_allocation(self.now).is_none()
            } else {
                conversation.is_done()
            }
        });
        self.end_all(&over);
        self.ice.sweep(self.now);
    }

    /// Makes room in a full table: the quarter that has been silent longest goes.
    pub(super) fn make_room(&mut self) {
        let since = self.flows.oldest_quarter();
        let over = self.flows.idle(since);
        self.flows_dropped += over.len() as u64;
        self.end_all(&over);
    }

    /// Ends flows.
    pub(super) fn end_all(&mut self, over: &[FlowId]) {
        for (place, &id) in over.iter().enumerate() {
            self.look_beyond_ending(|count| over.get(place + count).copied());
            self.end(id);
        }
    }

    /// A flow is over: what it showed is added up, and it waits to be judged.
    pub(super) fn end(&mut self, id: FlowId) {
        let Some(over) = self.flows.close(id) else { return };
        self.ripe.push_back(over);
        self.sum_up(over);
    }

    /// What a flow that is over showed.
    fn sum_up(&mut self, over: FlowId) {
        let Some(flow) = self.flows.lift(over) else { return };
        if !self.sightings.is_empty() {
            self.sightings.address(flow.ends.low);
            self.sightings.address(flow.ends.high);
        }
        self.note_stated(&flow);
        let [low, high] = &flow.directions;
        let (orphans, has_data) = (low.orphans + high.orphans, low.data.packets + high.data.packets > 0);
        if orphans > 0 || has_data {
            self.ice.add_flow(&Path { ends: flow.ends, inside: None }, orphans, has_data);
        }
        let checked = || flow.checks_both_ways().then_some(flow.last.time);
        if let Some(until) = flow.data_both_ways().or_else(checked) {
            self.clients.data(flow.ends.low.ip(), until);
            self.clients.data(flow.ends.high.ip(), until);
        }
        if let Some(until) = flow.data_both_ways() {
            self.clients.company.met(flow.ends.low, flow.ends.high, until);
        }
        if let Some(conversation) = &flow.conversation {
            let (client, server) = (conversation.client.0, conversation.server.0);
            self.rooms.kept = self.rooms.kept.saturating_sub(conversation.exchanges.len());
            if let Some(known) = conversation.moved.and_then(|number| self.moves.get_mut(number)) {
                known.returned |= known.old == client && conversation.heard.time > known.first.time;
            }
            if let Some(until) = conversation.relayed_both_ways() {
                self.clients.relayed(client.ip(), conversation.user, server, until);
            }
            let lent_unseen = lent_unseen(conversation);
            if let Some(at) = lent_unseen {
                self.clients.allocated(client.ip(), conversation.user, server, at);
            }
            let about_none = |exchange: &Exchange| exchange.settled().is_some_and(|known| known.is_about_no_relay());
            if conversation.allocated == 0
                && lent_unseen.is_none()
                && let Some(asked) = conversation.of(Method::ALLOCATE).next()
                && !conversation.of(Method::ALLOCATE).any(about_none)
            {
                self.clients.denied(Denied { client, server, asked: asked.first });
            }
            if conversation.acts_on_unseen() {
                self.clients.coverage.acts_on_unseen(client.ip());
            }
            if flow.twin_of.is_none() {
                if !conversation.is_between_peers() {
                    self.servers.add(conversation, self.now);
                }
                self.ways.add(conversation);
                self.lents.add(conversation);
                self.arrivals.conversation(conversation, self.now);
            }
        }
        self.arrivals.flow(&flow);
        self.totals.flow(&flow);
        self.flows.put_back(over, flow);
    }
}

/// When the client was last granted what only an allocation gives, after an Allocate whose answer the capture lacks: it was lent one.
fn lent_unseen(conversation: &Conversation) -> Option<Timestamp> {
    let of_allocation = [Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND];
    let unanswered = conversation.of(Method::ALLOCATE).filter(|asked| asked.answer.is_none());
    let asked = unanswered.map(|asked| asked.first.time).min().filter(|_| conversation.allocated == 0)?;
    let granted = conversation.granted.iter().filter(|(method, at)| of_allocation.contains(method) && *at > asked);
    granted.map(|(_, at)| at).max()
}
