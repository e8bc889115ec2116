//! What was tried: servers by transport, and the connections of relays for TCP.

use super::convert::Origin;
use super::{
    Address, ConnectionState, DataConnection, Server, ServerConnections, ServerIcmp, ServerTransport, TransportOutcome,
};
use crate::frame::in_order;
use crate::net::Transport;
use crate::rules::Dialect;
use crate::session::{self, Opener, Reached, Seen, Tried};
use crate::time::Span;

impl Server {
    /// What it is, as far as that shows: what SOFTWARE says, else the family of its wording where that is not everybody's.
    #[must_use]
    pub fn product(&self) -> Option<&str> {
        let family = self.dialect.as_deref().filter(|&name| name != Dialect::Standard.name());
        self.software.as_deref().or(family)
    }
}

impl ServerTransport {
    /// Whether what went over it could not be read, so that what was asked and answered is not known.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.asked == 0 && matches!(self.transport, Transport::Tls | Transport::Dtls)
    }
}

/// How one transport of a server fared.
pub(super) fn transport(transport: Transport, reached: &Reached, origin: Origin) -> ServerTransport {
    let known = &reached.connections;
    ServerTransport {
        transport,
        reachable: outcome(reached) >= TransportOutcome::Connected,
        asked: reached.asked,
        answered: reached.answered,
        allocated: reached.allocated,
        allocated_unsigned: Some(reached.allocated_unsigned).filter(|&unsigned| unsigned > 0),
        rtt_us: reached.rtt.map(Span::micros),
        mapped: reached.mapped.map(Address::from),
        active_clients: reached.clients,
        active_relays: reached.relays.iter().sum(),
        outcome: outcome(reached),
        connections: (transport.is_stream() || known.tried > 0).then(|| connections(known)),
        icmp: reached.icmp.map(|icmp| ServerIcmp {
            kind: icmp.kind.to_string(),
            sender: icmp.sender.to_string(),
            place: origin.place(icmp.frame),
        }),
        first_time: reached.first.map(|first| origin.time(first.time)),
    }
}

fn outcome(reached: &Reached) -> TransportOutcome {
    let known = &reached.connections;
    match () {
        () if reached.allocated > 0 => TransportOutcome::Allocated,
        () if reached.answered > 0 => TransportOutcome::Answered,
        () if reached.in_use => TransportOutcome::Connected,
        () if known.handshakes_failed > 0 && known.handshakes_failed >= known.opened => {
            TransportOutcome::HandshakeFailed
        }
        () if known.opened > 0 => TransportOutcome::Connected,
        () if known.refused > 0 => TransportOutcome::Refused,
        () if reached.icmp.is_some() => TransportOutcome::Unreachable,
        () => TransportOutcome::Unanswered,
    }
}

fn connections(known: &Tried) -> ServerConnections {
    let [reset_by_client, reset_by_server] = known.reset;
    ServerConnections {
        tried: known.tried,
        opened: known.opened,
        refused: known.refused,
        unanswered_syns: known.unanswered_syns,
        handshake_us: known.handshake.map(Span::micros),
        reset_by_server,
        reset_by_client,
    }
}

/// A connection of a relay to a peer.
pub(super) fn data_connection(known: &session::DataConnection, origin: Origin) -> DataConnection {
    let time = |seen: Seen| origin.time(seen.time);
    let refused = |answer: Option<(Seen, u16)>| answer.map(|(_, code)| code).filter(|&code| code != 0);
    let error = refused(known.answer).or(refused(known.bound));
    let bound = known.bound.filter(|&(_, code)| code == 0);
    let state = match (known.opener, known.answer) {
        _ if error.is_some() => ConnectionState::Refused,
        _ if bound.is_some() && known.closed.is_some() => ConnectionState::Closed,
        _ if bound.is_some() => ConnectionState::Bound,
        (Opener::Client, None) => ConnectionState::Asked,
        _ => ConnectionState::Unbound,
    };
    let answers = [known.answer, known.bound].map(|answer| answer.map(|(seen, _)| seen));
    let binding = known.bind.map(|(_, seen)| seen);
    let [answered, bound_at] = answers;
    let closing = known.closed.map(|(_, seen, _)| seen);
    let moments = [Some(known.first), answered, binding, bound_at, closing];
    let frames = in_order(moments.into_iter().flatten().map(|seen| seen.frame));
    let [bytes_sent, bytes_received] = known.bytes;
    DataConnection {
        connection_id: known.id.map(|id| format!("0x{id:08x}")),
        peer: known.peer.map(Address::from),
        opened_by: known.opener,
        state,
        error,
        client: known.bind.map(|(client, _)| client.into()),
        opened_at: Some(time(known.first)),
        bound_at: bound.map(|(seen, _)| time(seen)),
        closed_at: closing.map(time),
        closed_by: known.closed.map(|(from, ..)| from),
        reset: known.closed.is_some_and(|(_, _, reset)| reset),
        bytes_sent,
        bytes_received,
        evidence: origin.places(&frames),
    }
}
