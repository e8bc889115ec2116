//! Allocations that follow their client to another 5-tuple (RFC 8016): the server gives a ticket for each, and a Refresh that brings the ticket from
//! elsewhere moves the allocation there.

use crate::session::Session;
use crate::session::conversations::exchange::Seen;
use crate::session::flow::{Flow, FlowId};
use crate::wire::stun::{Class, Fields, Message, Method, TransactionId};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// How many tickets are remembered.
const MAX_TICKETS: usize = 16_384;
/// How many requests that bring one are remembered until they are answered.
const MAX_SHOWN: usize = 64;

/// The tickets, by their digests.
#[derive(Debug, Default)]
pub(in crate::session) struct Tickets {
    /// For which allocation each was given: its flow, and the success that made it.
    given: HashMap<u64, (FlowId, Seen)>,
    /// Which one a Refresh brought; the last ones.
    shown: VecDeque<(TransactionId, u64)>,
}

impl Tickets {
    fn show(&mut self, id: TransactionId, ticket: u64) {
        if self.shown.len() >= MAX_SHOWN {
            self.shown.pop_front();
        }
        self.shown.push_back((id, ticket));
    }

    fn take(&mut self, id: TransactionId) -> Option<(FlowId, Seen)> {
        let place = self.shown.iter().position(|(known, _)| *known == id)?;
        let (_, ticket) = self.shown.remove(place)?;
        self.given.remove(&ticket)
    }
}

impl Session {
    /// A client brings a ticket.
    pub(in crate::session) fn ticket_shown(&mut self, message: &Message<'_>, fields: &Fields<'_>) {
        let ticket = fields.mobility_ticket.filter(|ticket| !ticket.is_empty() && message.method() == Method::REFRESH);
        if let Some(ticket) = ticket {
            let digest = self.names.digest(ticket);
            self.tickets.show(message.transaction_id(), digest);
        }
    }

    /// The allocation of the ticket that a request brought goes on where the request was granted with another ticket, unless there is one.
    pub(in crate::session) fn ticket_taken(
        &mut self,
        flow: FlowId,
        message: &Message<'_>,
        (first, granted): (Seen, Seen),
    ) {
        let new = self.flows.get(flow).and_then(Flow::own_conversation);
        let new = new.filter(|known| known.live_allocation(granted.time).is_none());
        let Some(client) = new.map(|known| known.client) else { return };
        if (message.method(), message.class()) != (Method::REFRESH, Class::Success) {
            return;
        }
        let Some((old, created)) = self.tickets.take(message.transaction_id()).filter(|(old, _)| *old != flow) else {
            return;
        };
        let known = self.flows.conversation_mut(old).and_then(|known| known.allocation.as_mut());
        let known = known.filter(|known| known.created == created && known.is_alive(granted.time));
        let Some(allocation) = known.map(|known| known.moves(client, first, granted)) else { return };
        if let Some(conversation) = self.flows.conversation_mut(flow) {
            conversation.take_over(allocation);
        }
    }

    /// A server gives a ticket for the allocation on a flow.
    pub(in crate::session) fn ticket_given(&mut self, flow: FlowId, message: &Message<'_>, fields: &Fields<'_>) {
        let Some(ticket) = fields.mobility_ticket.filter(|_| message.class() == Class::Success) else { return };
        let known = self.flows.get(flow).and_then(Flow::own_conversation);
        let lent = known.and_then(|known| known.allocation.as_ref());
        let Some(created) = lent.filter(|lent| lent.ended.is_none()).map(|lent| lent.created) else { return };
        if self.tickets.given.len() < MAX_TICKETS {
            self.tickets.given.insert(self.names.digest(ticket), (flow, created));
        }
    }
}
