//! The servers that were asked, and how each fared by transport.

use super::answering::{Answering, Meanwhile};
use super::attempts::Attempt;
use crate::bounded::BoundedMap;
use crate::event::{Connection, IcmpAnswer};
use crate::net::{MappedAddress, ServerAddress, Transport};
use crate::session::allocations::activity::Activity;
use crate::session::conversations::conversation::{Conversation, From};
use crate::session::conversations::exchange::Seen;
use crate::session::handshake::{Handshake, Role, State};
use crate::session::tables::names::Name;
use crate::session::tls::{Evidence, TlsConnection};
use crate::time::{Span, Timestamp};
use hashbrown::HashMap;

/// How one transport of a server fared.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    /// Requests, without copies.
    pub asked: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Allocate requests that were granted.
    pub allocated: u64,
    /// Those of them that were not signed.
    pub allocated_unsigned: u64,
    /// The least round trip time.
    pub rtt: Option<Span>,
    /// A mapped address that it told.
    pub mapped: Option<MappedAddress>,
    /// 5-tuples with an allocation that was alive when last seen.
    pub clients: u64,
    /// Allocations for UDP, and for TCP, that were alive when last seen.
    pub relays: [u64; 2],
    /// Whether it relayed data both ways.
    pub in_use: bool,
    /// The connections that carry it, of TCP, TLS or DTLS.
    pub connections: Tried,
    /// The first ICMP error that answered.
    pub icmp: Option<IcmpAnswer>,
    /// The first message or SYN.
    pub first: Option<Seen>,
}

/// Connections of clients to a server.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// How many were tried.
    pub tried: u64,
    /// How many were opened, or were running when the capture began.
    pub opened: u64,
    /// How many were answered by a reset instead.
    pub refused: u64,
    /// SYNs that nothing answered, each copy counted.
    pub unanswered_syns: u64,
    /// The least time from SYN to SYN-ACK.
    pub handshake: Option<Span>,
    /// Resets that ended them after they had been open, by clients and by the server. What comes after a FIN, or after the client gave up what it
    /// had, is no more than tidying up.
    pub reset: [u64; 2],
    /// How many of those that were opened came no further than a handshake of TLS or DTLS that failed.
    pub handshakes_failed: u64,
}

impl Tried {
    /// Adds a connection that was open; `done` where the client gave up what it had on it.
    pub fn open(&mut self, connection: &Connection, done: bool) {
        self.tried += 1;
        self.opened += 1;
        self.handshake = [self.handshake, connection.handshake].into_iter().flatten().min();
        let [by_client, by_server] = &mut self.reset;
        match crate::session::closed(connection).filter(|_| !done) {
            Some((From::Client, _, true)) => *by_client += 1,
            Some((From::Server, _, true)) => *by_server += 1,
            _ => {}
        }
    }

    /// Adds connections that came to nothing.
    fn add(&mut self, attempt: &Attempt) {
        self.tried += attempt.connections;
        self.refused += attempt.refused;
        self.unanswered_syns += attempt.silent;
    }
}

impl Reached {
    fn begins(&mut self, first: Seen) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
    }
}

/// One server.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// By transport, in the order in which they were tried.
    pub transports: Vec<(Transport, Reached)>,
    /// How many clients and relays it had over time.
    pub activity: Activity,
    /// SOFTWARE.
    pub software: Option<Name>,
    /// The number of its first conversation, for the order in reports.
    pub first_frame: u64,
}

impl Server {
    fn over(&mut self, transport: Transport) -> Option<&mut Reached> {
        if !self.transports.iter().any(|(known, _)| *known == transport) {
            self.transports.push((transport, Reached::default()));
        }
        self.transports.iter_mut().find(|(known, _)| *known == transport).map(|(_, reached)| reached)
    }
}

/// All servers.
#[derive(Debug)]
pub struct Servers {
    servers: HashMap<ServerAddress, Server>,
    answering: Answering,
    max: usize,
    dropped: u64,
}

impl Servers {
    /// An empty table for at most `max` servers.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Servers { servers: HashMap::new(), answering: Answering::new(max), max, dropped: 0 }
    }

    /// Whether anything is known of it.
    #[must_use]
    pub fn is_known(&self, address: ServerAddress) -> bool {
        self.servers.contains_key(&address)
    }

    /// How many conversations were with servers that found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The servers in the order in which they were first spoken to.
    #[must_use]
    pub fn sorted(&self) -> Vec<(ServerAddress, &Server)> {
        let mut all: Vec<_> = self.servers.iter().map(|(&address, server)| (address, server)).collect();
        all.sort_unstable_by_key(|(address, server)| (server.first_frame, *address));
        all
    }

    /// What is known of a server over a transport, to be filled in; `None` where there is no room.
    fn tried(&mut self, address: ServerAddress, transport: Transport, first: Seen) -> Option<&mut Reached> {
        let reached = self.entry(address, first)?.over(transport)?;
        reached.begins(first);
        Some(reached)
    }

    /// Adds TCP connections that came to nothing.
    pub(super) fn add_attempt(&mut self, attempt: &Attempt) {
        if let Some(reached) = self.tried(attempt.server, Transport::Tcp, attempt.first) {
            reached.connections.add(attempt);
            reached.icmp = reached.icmp.or(attempt.icmp);
        }
    }

    /// Adds a connection that is over and surely of TURN over TLS. Where STUN was read in it, its conversation is what tells of it.
    pub(in crate::session) fn add_tls(&mut self, gone: &TlsConnection) {
        if !gone.evidence.is_some_and(|evidence| evidence.is_certain() && evidence != Evidence::Inside) {
            return;
        }
        let Some(reached) = self.tried(ServerAddress(gone.tcp.server), Transport::Tls, gone.handshake.first) else {
            return;
        };
        reached.connections.open(&gone.tcp, false);
        reached.connections.handshakes_failed += u64::from(gone.state() == State::Failed);
    }

    /// Adds a DTLS association that is over, if it was one with a TURN server.
    pub(in crate::session) fn add_dtls(&mut self, gone: &Handshake) {
        let Some(way) = gone.way().filter(|_| gone.of_turn.is_some()) else { return };
        let Some(reached) = self.tried(ServerAddress(way.server), Transport::Dtls, gone.first) else { return };
        let is_open = way.records[Role::Server] > 0;
        reached.connections.tried += 1;
        reached.connections.opened += u64::from(is_open);
        reached.connections.handshakes_failed += u64::from(is_open && gone.state() == State::Failed);
        let met = gone.unreachable.as_ref().filter(|(from, _)| *from == Role::Client).map(|(_, met)| met.answer);
        reached.icmp = reached.icmp.or(met);
    }

    fn entry(&mut self, address: ServerAddress, first: Seen) -> Option<&mut Server> {
        let Some(server) = self.servers.entry_up_to(self.max, address, Server::default) else {
            self.dropped += 1;
            return None;
        };
        if server.first_frame == 0 || first.frame < server.first_frame {
            server.first_frame = first.frame;
        }
        Some(server)
    }

    /// A server answered at a time, or sent anything else.
    pub(in crate::session) fn answers(&mut self, server: ServerAddress, transport: Transport, at: Timestamp) {
        self.answering.add(server, transport, at);
    }

    /// A client asked a server in vain, from one time to another.
    pub(in crate::session) fn in_vain(&mut self, conversation: &Conversation, times: [Timestamp; 2]) {
        let Conversation { client, server, transport, .. } = *conversation;
        self.answering.in_vain(server, transport, client, times);
    }

    /// When anybody heard a server over a transport last.
    #[must_use]
    pub fn last_heard(&self, server: ServerAddress, transport: Transport) -> Option<Timestamp> {
        self.answering.last(server, transport)
    }

    /// What the server of a conversation did for anybody between two times, at which its client asked it in vain; `None` where that is not known, and where
    /// nobody else asked.
    #[must_use]
    pub fn meanwhile(&self, conversation: &Conversation, times: [Timestamp; 2]) -> Option<Meanwhile> {
        let Conversation { client, server, transport, .. } = *conversation;
        self.answering.meanwhile(server, transport, client, times)
    }

    /// Adds what a conversation that ends at `now` showed.
    pub fn add(&mut self, conversation: &Conversation, now: Timestamp) {
        let address = conversation.server;
        if let Some(heard) = conversation.server_heard {
            self.answers(address, conversation.transport, heard.time);
        }
        let Some(server) = self.entry(address, conversation.first) else { return };
        server.software = conversation.software.or(server.software);
        for allocation in conversation.allocations() {
            server.activity.add(allocation, conversation.transport, now);
        }
        let Some(reached) = server.over(conversation.transport) else { return };
        reached.begins(conversation.first);
        reached.in_use |= conversation.relayed_both_ways().is_some();
        if let Some(connection) = &conversation.connection {
            reached.connections.open(connection, conversation.is_done());
        }
        let met = conversation.exchanges.iter().find_map(|exchange| exchange.icmp);
        let met = conversation.turned_away.as_ref().map(|away| away.answer).or(met);
        reached.icmp = reached.icmp.or(met);
        reached.asked += conversation.asked;
        reached.answered += conversation.answered;
        reached.allocated += conversation.allocated;
        reached.allocated_unsigned += conversation.allocated_unsigned;
        reached.rtt = [reached.rtt, conversation.rtt].into_iter().flatten().min();
        for allocation in conversation.allocations() {
            reached.mapped = reached.mapped.or(allocation.mapped);
            if allocation.is_alive(now) {
                reached.clients += 1;
                let [udp, tcp] = &mut reached.relays;
                *if allocation.transport == Some(6) { tcp } else { udp } += 1;
            }
        }
    }
}
