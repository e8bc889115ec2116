//! TCP connections that came to nothing, and how each transport of a server fared for each client.

use super::Session;
use super::conversation::Conversation;
use super::exchange::Seen;
use crate::event::{Connection, IcmpAnswer, Moment};
use crate::net::{ClientAddress, Endpoint, ServerAddress, Transport};
use hashbrown::HashMap;
use std::net::IpAddr;

/// How many pairs of a client and a server are remembered whose connections failed, on the ports of STUN and TURN; and as many on other ports.
const MAX_ATTEMPTS: usize = 1_024;
/// How many frames of an attempt are kept.
const MAX_FRAMES: usize = 8;
/// How many ways of a client to a server are remembered.
const MAX_WAYS: usize = 8_192;

/// What a client's connections to one address and port came to, as long as none was opened.
#[derive(Clone, Debug)]
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
    /// How many connections.
    pub connections: u64,
    /// How many of them were answered by RST.
    pub refused: u64,
    /// The most SYNs of one connection that nothing answered, and the seconds over which they were sent.
    pub unanswered: (u32, i64),
    /// The first ICMP error.
    pub icmp: Option<IcmpAnswer>,
    /// Frames of SYNs and of what answered them; the first ones.
    pub frames: Vec<u64>,
    /// When a connection of the client to the server was opened, last.
    pub opened: Option<Seen>,
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

    /// How many found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes a connection that is over, or of which something was learnt.
    fn take(&mut self, connection: &Connection) {
        let key = (connection.client.ip(), connection.server);
        if connection.syn_ack.is_some() || connection.stun {
            if !self.known.is_empty()
                && let Some(known) = self.known.get_mut(&key)
            {
                known.opened = Some(seen(connection.syn_ack.unwrap_or(connection.last)));
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
            first: seen(syn),
            last: seen(last),
            syns: 0,
            connections: 0,
            refused: 0,
            unanswered: (0, 0),
            icmp: None,
            frames: Vec::new(),
            opened: None,
        });
        attempt.last = attempt.last.max(seen(last));
        let answers = [connection.refused, connection.icmp.map(|icmp| icmp.at)];
        for at in [Some(syn), Some(last)].into_iter().chain(answers).flatten() {
            if attempt.frames.len() < MAX_FRAMES && !attempt.frames.contains(&at.frame) {
                attempt.frames.push(at.frame);
            }
        }
        if let Some(icmp) = connection.icmp {
            let answer = IcmpAnswer { frame: icmp.at.frame, sender: icmp.sender, kind: icmp.kind };
            attempt.icmp.get_or_insert(answer);
        }
        // what met an ICMP error comes again when it is over
        if over || attempt.connections == 0 {
            attempt.connections += 1;
            attempt.syns += u64::from(connection.syns);
            attempt.refused += u64::from(connection.refused.is_some());
        }
        if connection.refused.is_none() && connection.icmp.is_none() {
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

/// What a client got of a server over one transport, whichever ports were used.
#[derive(Clone, Debug)]
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
    pub(super) fn add(&mut self, conversation: &Conversation) {
        let (client, server) = (conversation.client, conversation.server);
        let key = (client.0.ip(), server.0.ip(), conversation.transport);
        if !self.known.contains_key(&key) && self.known.len() >= MAX_WAYS {
            self.dropped += 1;
            return;
        }
        let way = self.known.entry(key).or_insert_with(|| Way {
            client,
            server,
            transport: conversation.transport,
            first: conversation.first,
            asked: 0,
            answered: 0,
            in_vain: 0,
            allocated: 0,
            frames: Vec::new(),
        });
        way.first = way.first.min(conversation.first);
        way.asked += conversation.asked;
        way.answered += conversation.answered;
        way.allocated += conversation.allocated;
        let unanswered = || conversation.exchanges.iter().filter(|exchange| exchange.answer.is_none());
        way.in_vain += unanswered().map(|exchange| u64::from(exchange.again_total) + 1).sum::<u64>();
        let frames = unanswered().flat_map(|exchange| exchange.frames().collect::<Vec<_>>());
        for frame in frames.chain([conversation.first.frame]) {
            if way.frames.len() < MAX_FRAMES && !way.frames.contains(&frame) {
                way.frames.push(frame);
            }
        }
    }
}

impl Session {
    /// Takes what is known of a TCP connection, as often as something was learnt.
    pub fn connection(&mut self, connection: &Connection) {
        self.attempts.take(connection);
        if !self.stated.is_empty() {
            self.stated.connection(connection, &self.deployment);
        }
        if !connection.stun {
            return;
        }
        let id = self.flows.find_on(Transport::Tcp, connection.client, connection.server);
        if let Some(known) = id.and_then(|id| self.flows.get_mut(id)).and_then(|flow| flow.conversation.as_mut()) {
            match &mut known.connection {
                Some(kept) => **kept = *connection,
                None => known.connection = Some(Box::new(*connection)),
            }
        }
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

fn seen(at: Moment) -> Seen {
    Seen { frame: at.frame, time: at.time }
}
