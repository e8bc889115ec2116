//! Relays for TCP (RFC 6062): the connections to peers of an allocation, and the connection of its own on which each of them is carried.

use super::allocation::Allocation;
use crate::bounded::{BoundedList, Generations};
use crate::event::{Connection, Event, Hop, Via};
use crate::net::{ClientAddress, PeerAddress, ServerAddress, Transport};
use crate::session::Session;
use crate::session::conversations::conversation::From;
use crate::session::conversations::exchange::Seen;
use crate::session::flow::FlowId;
use crate::session::observe::Known;
use crate::session::transactions::transaction::Sighting;
use crate::wire::stun::{Class, Fields, Message, Method, TransactionId};
use schemars::JsonSchema;
use serde::Serialize;

/// How many connections to peers of one allocation are kept.
const MAX_CONNECTIONS: usize = 32;
/// How many connection ids, and how many data connections, are remembered in each of two generations. It is what fits a hash table whose size is a
/// power of 2.
const MAX_IDS: usize = 1_792;

/// Who had a relay connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "ConnectionOpener")]
pub enum Opener {
    /// The client.
    #[default]
    Client, // by Connect (RFC 6062 §4.3)
    /// The peer.
    Peer, // as ConnectionAttempt tells (RFC 6062 §4.5)
}

/// A connection between a relay and a peer, and the client's data connection that it is bound to.
#[derive(Clone, Copy, Debug, Default)]
pub struct DataConnection {
    /// CONNECTION-ID, once the relay told it.
    pub id: Option<u32>,
    /// The peer.
    pub peer: Option<PeerAddress>,
    /// Who wanted it.
    pub opener: Opener,
    /// The Connect request, or the ConnectionAttempt indication.
    pub first: Seen,
    /// The answer to Connect, and its error code: 0 for success.
    pub answer: Option<(Seen, u16)>,
    /// The connection on which the client claims it, and the ConnectionBind request there.
    pub bind: Option<(ClientAddress, Seen)>,
    /// The answer to that, and its error code: 0 for success.
    pub bound: Option<(Seen, u16)>,
    /// Bytes from the client to the peer, and back; what the capture lacks is counted by sequence numbers.
    pub bytes: [u64; 2],
    /// Which end of the data connection closed it first, and whether by a reset.
    pub closed: Option<(From, Seen, bool)>,
    transaction: Option<TransactionId>,
}

/// Where connection ids and data connections belong: to the flow of the client's conversation with the relay.
#[derive(Debug, Default)]
pub(in crate::session) struct DataConnections {
    ids: Generations<(ServerAddress, u32), FlowId, MAX_IDS>,
    flows: Generations<FlowId, (FlowId, u32), MAX_IDS>,
}

impl Allocation {
    /// A connection to a peer was asked for, or came about.
    fn connect(&mut self, new: DataConnection) {
        self.connections_total = self.connections_total.saturating_add(1);
        self.connections.push_up_to(MAX_CONNECTIONS, new);
    }
}

impl Session {
    /// What Connect, ConnectionAttempt and ConnectionBind say of connections to peers.
    pub(in crate::session) fn relay_for_tcp(
        &mut self,
        at: &Sighting,
        message: &Message<'_>,
        fields: &Fields<'_>,
        known: &Known,
    ) {
        let again = known.retransmission_of.is_some() || known.mirrored;
        if at.depth > 0 || again || self.flows.get(at.flow).is_none_or(|flow| flow.twin_of.is_some()) {
            return;
        }
        let transaction = message.transaction_id();
        let code = fields.error.map_or(0, |error| error.code);
        let new = DataConnection { peer: fields.peer.map(PeerAddress), first: at.seen, ..DataConnection::default() };
        match (message.method(), message.class()) {
            (Method::CONNECT, Class::Request) => {
                if let Some(allocation) = self.allocation_on(at.flow) {
                    allocation.connect(DataConnection { transaction: Some(transaction), ..new });
                }
            }
            (Method::CONNECT, Class::Success | Class::Error) => {
                let Some(allocation) = self.allocation_on(at.flow) else { return };
                let asked = allocation.connections.iter_mut().find(|known| known.transaction == Some(transaction));
                let Some(asked) = asked else { return };
                asked.answer = Some((at.seen, code));
                asked.id = fields.connection_id;
                if let Some(id) = fields.connection_id {
                    self.data_connections.ids.put((ServerAddress(at.src), id), at.flow);
                }
            }
            (Method::CONNECTION_ATTEMPT, Class::Indication) => {
                let Some(allocation) = self.allocation_on(at.flow) else { return };
                allocation.connect(DataConnection { id: fields.connection_id, opener: Opener::Peer, ..new });
                if let Some(id) = fields.connection_id {
                    self.data_connections.ids.put((ServerAddress(at.src), id), at.flow);
                }
            }
            (Method::CONNECTION_BIND, Class::Request) => {
                let Some(id) = fields.connection_id else { return };
                let Some(&control) = self.data_connections.ids.get(&(ServerAddress(at.dst), id)) else { return };
                let Some(connection) = self.data_connection_mut(control, id) else { return };
                connection.bind = Some((ClientAddress(at.src), at.seen));
                connection.bound = None;
                self.data_connections.flows.put(at.flow, (control, id));
            }
            (Method::CONNECTION_BIND, Class::Success | Class::Error) => {
                let Some(&(control, id)) = self.data_connections.flows.get(&at.flow) else { return };
                if let Some(connection) = self.data_connection_mut(control, id) {
                    connection.bound = Some((at.seen, code));
                }
            }
            _ => {}
        }
    }

    /// The relay passage of what a data connection carries.
    #[must_use]
    pub fn data_connection_hop(&self, event: &Event<'_>) -> Hop {
        let found = self.flows.find_on(event.transport, event.src, event.dst);
        let conversation = found.and_then(|id| self.flows.conversation(id));
        let outward = conversation.is_some_and(|known| known.client.0 == event.src);
        let owner = found.and_then(|id| self.data_connections.flows.get(&id));
        let of_owner = owner.and_then(|&(control, id)| {
            let allocation = self.flows.conversation(control)?.allocation.as_ref()?;
            let peer = allocation.connections.iter().rev().find(|known| known.id == Some(id))?.peer;
            Some((peer, allocation.relayed_for(peer)))
        });
        let (peer, relayed) = of_owner.unwrap_or_default();
        Hop { via: Via::Connection, peer, relayed, outward }
    }

    /// What became of a data connection, and how much it carried up to now.
    pub(in crate::session) fn carried(&mut self, connection: &Connection) {
        let Some(&(control, id)) = self
            .flows
            .find_on(Transport::Tcp, connection.client, connection.server)
            .and_then(|flow| self.data_connections.flows.get(&flow))
        else {
            return;
        };
        let Some(known) = self.data_connection_mut(control, id) else { return };
        known.closed = known.closed.or(closed(connection));
        let Some(bytes) = connection.carried else { return };
        let before = std::mem::replace(&mut known.bytes, bytes);
        let Some(conversation) = self.flows.conversation_mut(control) else {
            return;
        };
        for (from, now, before) in [(From::Client, bytes[0], before[0]), (From::Server, bytes[1], before[1])] {
            let more = usize::try_from(now.saturating_sub(before)).unwrap_or(usize::MAX);
            if more > 0 {
                conversation.relayed(from, more, connection.last.time);
            }
        }
    }

    fn allocation_on(&mut self, flow: FlowId) -> Option<&mut Allocation> {
        self.flows.conversation_mut(flow)?.allocation.as_mut()
    }

    fn data_connection_mut(&mut self, control: FlowId, id: u32) -> Option<&mut DataConnection> {
        self.allocation_on(control)?.connections.iter_mut().rev().find(|known| known.id == Some(id))
    }
}

/// Who closed a connection first, where, and whether by a reset.
#[must_use]
pub fn closed(connection: &Connection) -> Option<(From, Seen, bool)> {
    let [of_client, of_server] = [From::Client, From::Server];
    let all = [
        (of_client, connection.fin[0], false),
        (of_server, connection.fin[1], false),
        (of_client, connection.rst[0], true),
        (of_server, connection.rst[1], true),
    ];
    let ends = all.into_iter().filter_map(|(from, at, reset)| Some((from, at?, reset)));
    ends.min_by_key(|(_, at, _)| at.frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;
    use crate::time::Timestamp;

    #[test]
    fn the_first_to_close_is_the_one_that_closed() {
        let end = |port| Endpoint::v4([192, 0, 2, 1], port);
        let at = |frame| Seen { frame, time: Timestamp(0) };
        let mut connection = Connection::new(end(1), end(2), at(1));
        assert!(closed(&connection).is_none());
        connection.rst = [Some(at(9)), None];
        connection.fin = [None, Some(at(7))];
        let (from, seen, reset) = closed(&connection).unwrap();
        assert_eq!((from, seen.frame, reset), (From::Server, 7, false));
    }
}
