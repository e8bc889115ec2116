//! All TLS connections, bounded: those of TURN, and those that may turn out to be.

use super::connection::{Evidence, TlsConnection};
use crate::bounded::BoundedMap;
use crate::event::{Connection, Secured, SecuredWhat};
use crate::net::Endpoint;
use crate::session::conversations::exchange::Seen;
use crate::session::handshake::{Role, State};
use crate::session::parties::attempts::is_usual;
use crate::session::{Clients, Sealed};
use crate::wire::handshake::HandshakeType;
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Connections at one time; those to which nothing came for longest are judged as far as they went, those not of TURN first.
const MAX_CONNECTIONS: usize = 1024;
/// Bytes of handshake messages that all of them keep.
const MAX_BYTES: usize = 8 << 20;
/// How many ways of a client to a server over TLS are remembered.
const MAX_WAYS: usize = 1024;
/// How many servers, and how many pairs of a client and a server, are remembered to know connections of TURN by.
const MAX_ASKED: usize = 3584;

/// What a client got of a host over TLS of TURN, as far as it is to be seen without keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsWay {
    /// The server as it was reached.
    pub server: Endpoint,
    /// The first record of the first connection that was completed.
    pub first: Seen,
    /// The last handshake that was completed.
    pub completed: Seen,
    /// The last answer to application data, by the directions of records.
    pub exchanged: Option<Seen>,
    /// What says that it is TURN's, the surest.
    pub evidence: Evidence,
}

/// Who asked whom for what, over whatever transport.
#[derive(Debug, Default)]
struct Asked {
    /// Clients, and the addresses and ports that they asked for relays.
    relays: HashSet<(IpAddr, Endpoint)>,
    /// The same without the ports.
    hosts: HashSet<(IpAddr, IpAddr)>,
    /// Whoever was asked for anything.
    servers: HashSet<Endpoint>,
}

/// The connections that are not over, and what those that are came to.
#[derive(Debug, Default)]
pub struct TlsConnections {
    /// By client, server and first frame.
    known: HashMap<(Endpoint, Endpoint, u64), TlsConnection>,
    ripe: Vec<TlsConnection>,
    ways: BTreeMap<(IpAddr, IpAddr), TlsWay>,
    asked: Asked,
    bytes: usize,
    begun: u32,
    /// TLS connections of which nothing says that they are of TURN.
    others: u64,
    dropped: u64,
}

impl TlsConnections {
    /// What a client got of a host over TLS, of connections that are over.
    #[must_use]
    pub fn way(&self, client: IpAddr, server: IpAddr) -> Option<&TlsWay> {
        self.ways.get(&(client, server))
    }

    /// How many connections nothing says to be of TURN, of those that are over.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }

    /// How many of those of TURN were judged before their end for want of room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether any wait to be judged.
    #[must_use]
    pub(in crate::session) fn has_ripe(&self) -> bool {
        !self.ripe.is_empty()
    }

    pub(super) fn ripe(&mut self) -> Vec<TlsConnection> {
        std::mem::take(&mut self.ripe)
    }

    pub(super) fn is_full(&self) -> bool {
        self.known.len() >= MAX_CONNECTIONS || self.bytes > MAX_BYTES
    }

    /// A client opens a conversation with a STUN or TURN server, or asks it for a relay.
    pub(in crate::session) fn asked(&mut self, client: IpAddr, server: Endpoint, relay: bool) {
        let Asked { relays, hosts, servers } = &mut self.asked;
        if servers.len() < MAX_ASKED {
            servers.insert(server);
        }
        if relay && relays.len() < MAX_ASKED {
            relays.insert((client, server));
            hosts.insert((client, server.ip()));
        }
    }

    /// Takes what a record tells; whether its connection is known to be of TURN.
    pub(super) fn take(&mut self, secured: &Secured<'_>) -> bool {
        let seen = secured.at;
        let begun = &mut self.begun;
        let connection = self.known.entry(key(secured.connection)).or_insert_with(|| {
            *begun = begun.wrapping_add(1);
            TlsConnection::new(begun.wrapping_sub(1), secured.connection, seen)
        });
        connection.tcp = *secured.connection;
        let role = if secured.side == 0 { Role::Client } else { Role::Server };
        let before = connection.weight;
        connection.take(&secured.what, role, seen);
        self.bytes += connection.weight - before;
        if is_usual(secured.connection.server.port()) {
            connection.say(Evidence::Port);
        }
        if matches!(secured.what, SecuredWhat::Message { kind: HandshakeType::CLIENT_HELLO, .. }) {
            self.asked.tell(connection);
        }
        connection.evidence.is_some()
    }

    /// Takes what is known of a TCP connection by now.
    pub(in crate::session) fn connection(&mut self, connection: &Connection) {
        if connection.tls
            && let Some(known) = self.known.get_mut(&key(connection))
        {
            known.tcp = *connection;
            if connection.stun {
                known.say(Evidence::Inside);
            }
        }
    }

    /// Those to which nothing came for longest, those not of TURN first.
    pub(super) fn oldest(&mut self) -> Vec<TlsConnection> {
        let mut all: Vec<_> = self
            .known
            .iter()
            .map(|(key, known)| (known.evidence.is_some(), known.tcp.last, known.handshake.number, *key))
            .collect();
        all.sort_unstable_by_key(|&(of_turn, last, number, _)| (of_turn, last, number));
        all.truncate(all.len().div_ceil(4));
        self.dropped += all.iter().filter(|(of_turn, ..)| *of_turn).count() as u64;
        let gone: Vec<TlsConnection> = all.into_iter().filter_map(|(.., key)| self.known.remove(&key)).collect();
        self.bytes = self.bytes.saturating_sub(gone.iter().map(|known| known.weight).sum());
        gone
    }

    /// All of them, in order.
    pub(super) fn all(&mut self) -> Vec<TlsConnection> {
        let mut all: Vec<TlsConnection> = self.known.drain().map(|(_, known)| known).collect();
        all.sort_unstable_by_key(|known| known.handshake.number);
        all
    }

    /// One is over. Where nothing said that it is of TURN, what the capture shows of its server meanwhile may.
    pub(super) fn end(&mut self, mut gone: TlsConnection, clients: &mut Clients) {
        self.asked.tell(&mut gone);
        let unread = gone.evidence.is_none();
        if gone.spoke_sealed() && (!unread || gone.handshake.sides.client.hello.is_none()) {
            let Connection { client, server, last, .. } = gone.tcp;
            clients.encrypted.spoke_sealed(Sealed { client, server, at: last.time, unread });
        }
        let Some(evidence) = gone.evidence else {
            self.others += 1;
            return;
        };
        let completed = gone.handshake.completed.filter(|_| gone.state() == State::Complete);
        if let Some(completed) = completed.or_else(|| gone.spoke_at_length()) {
            let (client, server) = (gone.tcp.client.ip(), gone.tcp.server.ip());
            clients.encrypted.secured(client, server, completed.time, gone.exchanged.map(|seen| seen.time));
            let first = gone.handshake.first;
            let way = TlsWay { server: gone.tcp.server, first, completed, exchanged: gone.exchanged, evidence };
            if let Some(known) = self.ways.entry_up_to(MAX_WAYS, (client, server), || way) {
                known.completed = known.completed.max(completed);
                known.exchanged = known.exchanged.max(gone.exchanged);
                known.evidence = known.evidence.min(evidence);
            }
        }
        self.ripe.push(gone);
    }
}

impl Asked {
    /// What the hello of a connection, and what is known of its server, say of it.
    fn tell(&self, connection: &mut TlsConnection) {
        let (client, server) = (connection.tcp.client.ip(), connection.tcp.server);
        let Some(hello) = &connection.handshake.sides.client.hello else { return };
        if hello.alpn.iter().any(|name| super::is_of_stun(name)) {
            return connection.say(Evidence::Alpn);
        }
        if connection.is_of_web() {
            return;
        }
        let evidence = match () {
            () if self.relays.contains(&(client, server)) => Some(Evidence::Server),
            () if self.hosts.contains(&(client, server.ip())) || self.servers.contains(&server) => Some(Evidence::Host),
            () if connection.is_named_for_turn() => Some(Evidence::Name),
            () => None,
        };
        if let Some(evidence) = evidence {
            connection.say(evidence);
        }
    }
}

fn key(connection: &Connection) -> (Endpoint, Endpoint, u64) {
    (connection.client, connection.server, connection.first.frame)
}
