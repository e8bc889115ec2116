//! TCP connections that came to nothing, and how each transport of a server fared for each client.

use crate::bounded::{BoundedList, BoundedMap};
use crate::event::{Connection, IcmpAnswer};
use crate::net::{ClientAddress, Endpoint, ServerAddress, Transport};
use crate::session::conversations::conversation::Conversation;
use crate::session::conversations::exchange::{Exchange, Seen};
use crate::session::flow::FlowId;
use crate::session::{Sealed, Session};
use crate::time::{Span, Timestamp};
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How many pairs of a client and a server are remembered whose connections failed, on the ports of STUN and TURN; and as many on other ports.
const MAX_ATTEMPTS: usize = 1_024;
/// A host that fails to connect to more addresses and ports than this, and speaks no STUN, is looking for open ports.
const SCAN: usize = 4;
/// The other side of a NAT is looked for among so many that began just before.
const NEAR: usize = 64;
/// How many frames of an attempt are kept.
const MAX_FRAMES: usize = 8;
/// How many ways of a client to a server are remembered.
const MAX_WAYS: usize = 8_192;

/// What a client's connections to one address and port came to, as long as none was opened.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// The client, with the port of its first connection.
    pub client: ClientAddress,
    /// Whom it wanted to reach.
    pub server: ServerAddress,
    /// The first SYN.
    pub first: Seen,
    /// The last SYN.
    pub last: Seen,
    /// How many SYNs there were.
    pub syns: u64,
    /// The sequence number of the first.
    number: Option<u32>,
    /// How many connections.
    pub connections: u64,
    /// How many of them were answered by RST.
    pub refused: u64,
    /// SYNs of those that nothing answered, each copy counted.
    pub silent: u64,
    /// The most SYNs of one connection that nothing answered, and the seconds over which they were sent.
    pub unanswered: (u32, i64),
    /// The first ICMP error.
    pub icmp: Option<IcmpAnswer>,
    /// Frames of SYNs and of what answered them; the first ones.
    pub frames: Vec<u64>,
    /// When a connection of the client to the server was opened all the same, after the first of these.
    pub opened: Option<Seen>,
}

impl Attempt {
    /// Whether another one shows the same packets, on the other side of a NAT: the number of a SYN is drawn at random (RFC 9293 §3.4.1).
    fn is_beyond_nat(&self, other: &Attempt) -> bool {
        const TOGETHER: Span = Span::from_millis(500);
        self.number.is_some()
            && (self.number, self.server, self.connections) == (other.number, other.server, other.connections)
            && self.client.0.ip() != other.client.0.ip()
            && self.first.time.apart(other.first.time) < TOGETHER
            && self.last.time.apart(other.last.time) < TOGETHER
    }
}

/// The attempts, bounded.
#[derive(Debug, Default)]
pub struct Attempts {
    known: HashMap<(IpAddr, Endpoint), Attempt>,
    usual: usize,
    dropped: u64,
}

impl Attempts {
    /// All of them, in the order of their first SYN.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Attempt> {
        let mut all: Vec<&Attempt> = self.known.values().collect();
        all.sort_unstable_by_key(|attempt| (attempt.first.frame, attempt.client, attempt.server));
        all
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How many found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes a connection that is over, or of which something was learnt.
    fn take(&mut self, connection: &Connection) {
        let key = (connection.client.ip(), connection.server);
        if connection.syn_ack.is_some() || connection.stun || connection.tls {
            let opened = connection.syn_ack.unwrap_or(connection.last);
            if !self.known.is_empty()
                && let Some(known) = self.known.get_mut(&key)
                && opened.time >= known.first.time
            {
                known.opened = Some(opened);
            }
            return;
        }
        let (Some(syn), Some(last)) = (connection.syn, connection.syn_last) else { return };
        let over = connection.refused.is_some() || connection.icmp.is_none();
        if !self.known.contains_key(&key) {
            let usual = is_usual(connection.server.port());
            let others = self.known.len() - self.usual;
            if (if usual { self.usual } else { others }) >= MAX_ATTEMPTS {
                self.dropped += 1;
                return;
            }
            self.usual += usize::from(usual);
        }
        let attempt = self.known.entry(key).or_insert_with(|| Attempt {
            client: ClientAddress(connection.client),
            server: ServerAddress(connection.server),
            first: syn,
            last,
            number: connection.syn_number,
            ..Attempt::default()
        });
        attempt.last = attempt.last.max(last);
        let icmp = connection.icmp.map(|(answer, _)| answer);
        let answers = [connection.refused.map(|seen| seen.frame), icmp.map(|answer| answer.frame)];
        for frame in [syn.frame, last.frame].into_iter().chain(answers.into_iter().flatten()) {
            attempt.frames.push_new_up_to(MAX_FRAMES, frame);
        }
        attempt.icmp = attempt.icmp.or(icmp);
        // what met an ICMP error comes again when it is over
        if over || attempt.connections == 0 {
            attempt.connections += 1;
            attempt.syns += u64::from(connection.syns);
            attempt.refused += u64::from(connection.refused.is_some());
        }
        if connection.refused.is_none() && connection.icmp.is_none() {
            attempt.silent += u64::from(connection.syns);
            let tries = (connection.syns, last.time.since(syn.time).secs());
            attempt.unanswered = attempt.unanswered.max(tries);
        }
    }
}

/// Ports that are assigned to STUN and TURN (RFC 8489 §18.6, RFC 8656 §5).
#[must_use]
pub fn is_usual(port: u16) -> bool {
    matches!(port, 3478 | 5349)
}

/// Ports on which servers listen so that clients behind strict firewalls reach them; and those next to the usual ones.
#[must_use]
pub fn is_alternative(port: u16) -> bool {
    matches!(port, 80 | 443 | 3478..=3481 | 5349..=5350)
}

/// What a client got of a server over one transport, whichever ports were used.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// The client.
    pub client: ClientAddress,
    /// The server as it was asked first.
    pub server: ServerAddress,
    /// What carried it.
    pub transport: Transport,
    /// Its first message.
    pub first: Seen,
    /// Requests, without copies.
    pub asked: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that were not answered, each copy counted.
    pub in_vain: u64,
    /// Allocate requests that were granted.
    pub allocated: u64,
    /// Frames of requests that were not answered, else of the first message; the first ones.
    pub frames: Vec<u64>,
}

/// The ways of clients to servers, bounded: the scoreboard of what was tried and how it fared.
#[derive(Debug, Default)]
pub struct Ways {
    known: HashMap<(IpAddr, IpAddr, Transport), Way>,
    dropped: u64,
}

impl Ways {
    /// All of them, in the order of their first message.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Way> {
        let mut all: Vec<&Way> = self.known.values().collect();
        all.sort_unstable_by_key(|way| (way.first.frame, way.client, way.server, way.transport));
        all
    }

    /// The way of a client to a server over a transport.
    #[must_use]
    pub fn get(&self, client: IpAddr, server: IpAddr, transport: Transport) -> Option<&Way> {
        self.known.get(&(client, server, transport))
    }

    /// How many found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Adds what a conversation that is over showed.
    pub(in crate::session) fn add(&mut self, conversation: &Conversation) {
        let (client, server) = (conversation.client, conversation.server);
        let key = (client.0.ip(), server.0.ip(), conversation.transport);
        let (transport, first) = (conversation.transport, conversation.first);
        let new = || Way { client, server, transport, first, ..Way::default() };
        let Some(way) = self.known.entry_up_to(MAX_WAYS, key, new) else {
            self.dropped += 1;
            return;
        };
        way.first = way.first.min(conversation.first);
        way.asked += conversation.asked;
        way.answered += conversation.answered;
        way.allocated += conversation.allocated;
        let unanswered = || conversation.exchanges.iter().filter(|exchange| exchange.answer.is_none());
        way.in_vain += unanswered().map(Exchange::times_sent).sum::<u64>();
        let frames = unanswered().flat_map(|exchange| exchange.frames().collect::<Vec<_>>());
        for frame in frames.chain([conversation.first.frame]) {
            way.frames.push_new_up_to(MAX_FRAMES, frame);
        }
    }
}

impl Session {
    /// Takes what is known of a TCP connection, as often as something was learnt.
    pub fn connection(&mut self, connection: &Connection) {
        self.attempts.take(connection);
        self.tls.connection(connection);
        if connection.syn_ack.is_some() {
            self.clients.coverage.hears(connection.client.ip());
        }
        if !self.stated.is_empty() {
            self.stated.connection(connection, &self.deployment);
        }
        if connection.cut && connection.syn_ack.is_some() && is_alternative(connection.server.port()) {
            let Connection { client, server, last, .. } = *connection;
            self.clients.encrypted.spoke_sealed(Sealed { client, server, at: last.time, unread: true });
        }
        if !connection.stun {
            return;
        }
        self.carried(connection);
        if connection.syn.is_some() || connection.syn_ack.is_some() {
            self.ice.opened(connection.client, connection.server);
        }
        let id = self.flows.find_on(Transport::Tcp, connection.client, connection.server);
        if let Some(known) = id.and_then(|id| self.flows.conversation_mut(id)) {
            let told =
                known.connection.as_ref().is_some_and(|kept| kept.icmp.is_some() && kept.first == connection.first);
            match &mut known.connection {
                Some(kept) => **kept = *connection,
                None => known.connection = Some(Box::new(*connection)),
            }
            if told {
                return;
            }
        }
        if let (Some(id), Some(icmp)) = (id, connection.icmp) {
            self.segment_met(id, connection, icmp);
        }
    }

    /// A segment of a connection that was open met an ICMP error: it is that of the request which waits for its answer.
    fn segment_met(&mut self, id: FlowId, connection: &Connection, (answer, time): (IcmpAnswer, Timestamp)) {
        self.ice.icmp(Transport::Tcp, connection.client, connection.server, answer);
        let Some(flow) = self.flows.get_mut(id) else { return };
        if let Some(conversation) = flow.conversation.as_mut() {
            conversation.met(answer, time);
        }
        if let Some(leg) = flow.waiting().and_then(|pending| self.transactions.leg_on(pending, id)) {
            leg.met(answer);
        }
    }

    /// The TCP connections that came to nothing and were meant for a server of STUN or TURN: by its port, since STUN was spoken there, or since the
    /// client asked the same address in another way. Whoever knocks at many ports and speaks no STUN looks for open ones, and is left out.
    #[must_use]
    pub fn turn_attempts(&self) -> Vec<&Attempt> {
        let asking: BTreeSet<(IpAddr, IpAddr)> =
            self.ways.known.values().map(|way| (way.client.0.ip(), way.server.0.ip())).collect();
        let clients: BTreeSet<IpAddr> = asking.iter().map(|&(client, _)| client).collect();
        let mut knocks: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for attempt in self.attempts.known.values() {
            *knocks.entry(attempt.client.0.ip()).or_default() += 1;
        }
        let mut all = self.attempts.sorted();
        all.retain(|attempt| {
            let (client, server) = (attempt.client.0.ip(), attempt.server);
            let alternative = is_alternative(server.0.port()) && asking.contains(&(client, server.0.ip()));
            let is_of_turn = is_usual(server.0.port()) || self.servers.is_known(server) || alternative;
            is_of_turn && (clients.contains(&client) || knocks.get(&client).is_none_or(|&count| count <= SCAN))
        });
        // what passes a NAT is told of its inner side, which it passes first
        let mut told: Vec<&Attempt> = Vec::with_capacity(all.len());
        for attempt in all {
            if !told.iter().rev().take(NEAR).any(|known| known.is_beyond_nat(attempt)) {
                told.push(attempt);
            }
        }
        told
    }

    /// Enters them into what is known of servers, once all conversations are over.
    pub(in crate::session) fn count_attempts(&mut self) {
        let attempts: Vec<Attempt> = self.turn_attempts().into_iter().cloned().collect();
        attempts.iter().for_each(|attempt| self.servers.add_attempt(attempt));
    }

    /// TCP connections that came to nothing.
    #[must_use]
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// What each client got of each server, by transport; of conversations that are over.
    #[must_use]
    pub fn ways(&self) -> &Ways {
        &self.ways
    }
}
