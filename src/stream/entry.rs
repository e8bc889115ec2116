//! One connection: what is known of it, and its two directions once there is anything to look at.

use super::connection::Connection;
use super::direction::Direction;
use super::framing::Framer;
use super::head::{self, Head};
use super::proxy::Talk;
use super::tls::Tls;
use crate::frame::Seen;
use crate::net::Endpoint;
use crate::packet::Segment;
use crate::time::NUMBERED_MIRROR;
use crate::wire::tls;

/// A connection of the table.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub connection: Connection,
    /// The sequence number of the first byte of the client and of the server, where the SYN was captured.
    pub first: [Option<u32>; 2],
    /// Whether the client's first bytes were such as are read here.
    pub began: bool,
    /// From the client, from the server; once there was anything to look at.
    pub directions: Option<Box<[Direction; 2]>>,
    /// What the client says to a proxy first, where it is one to a proxy.
    pub proxy: Option<Box<Talk>>,
    /// Once it is known to be TLS.
    pub tls: Option<Box<Tls>>,
    /// Bytes of it that wait, as they were counted last.
    pub counted: usize,
    /// Whether it is among those with holes.
    pub holed: bool,
}

/// What a first segment with bytes says of its connection.
pub(super) enum Look {
    /// It is to be read.
    Read,
    /// It is nothing that is read here.
    Forget,
    /// Too little of it was kept to tell.
    Cut,
    /// It says nothing.
    Wait,
}

/// Two ends of a connection in the one order that they have whoever is asked of.
pub(super) fn sorted(one: Endpoint, other: Endpoint) -> (Endpoint, Endpoint) {
    if one <= other { (one, other) } else { (other, one) }
}

impl Entry {
    pub(super) fn new(connection: Connection) -> Self {
        Entry { connection, ..Entry::default() }
    }

    /// Its two ends, in the order in which they are looked up.
    pub(super) fn ends(&self) -> (Endpoint, Endpoint) {
        sorted(self.connection.client, self.connection.server)
    }

    /// What one end sent, once there was anything to look at.
    pub(super) fn direction(&self, side: usize) -> Option<&Direction> {
        self.directions.as_deref()?.get(side)
    }

    /// The same, to be changed.
    pub(super) fn direction_mut(&mut self, side: usize) -> Option<&mut Direction> {
        self.directions.as_deref_mut()?.get_mut(side)
    }

    /// There is something to look at: it begins with this segment.
    pub(super) fn begin(&mut self, segment: &Segment<'_>) {
        let [client, server] = self.first;
        let mut both = [Direction::new(client), Direction::new(server)];
        // what began before the capture
        if client.is_none() && server.is_none() {
            let midway = match head::relays_on(segment.payload, segment.src, segment.dst) {
                Some(channel) => Some(Framer::midway_on(channel)),
                None => tls::is_record(segment.payload).then(Framer::midway_in_tls),
            };
            if let Some(framer) = midway {
                both.iter_mut().for_each(|direction| direction.framer = framer.clone());
            }
        }
        self.directions = Some(Box::new(both));
    }

    /// After a granted ConnectionBind all that follows is the peer's, both ways.
    pub(super) fn bind(&mut self) {
        if let Some(both) = self.directions.as_deref_mut()
            && both.iter().any(|direction| direction.framer.is_bound())
        {
            both.iter_mut().for_each(Direction::bind);
            let [client, server] = both;
            self.connection.carried = Some([client.carried(), server.carried()]);
        }
    }

    /// Prepares for TLS where what was framed is that, for a hello may take several segments.
    pub(super) fn find_tls(&mut self) {
        let is_tls = |direction: &Direction| direction.framer.is_tls() && direction.framer.is_framed();
        if self.tls.is_none() && self.directions.iter().flat_map(|both| both.iter()).any(is_tls) {
            self.tls = Some(Box::default());
        }
    }

    /// Takes note of TLS; whether it is news.
    pub(super) fn recognise_tls(&mut self) -> bool {
        let is_new = self.tls.is_some() && !self.connection.tls;
        self.connection.tls |= is_new;
        is_new
    }

    /// Takes note of STUN in what one end sent, or in the TLS that both speak; whether it is news.
    pub(super) fn recognise_stun(&mut self, side: usize) -> bool {
        let is_stun = match &self.tls {
            Some(tls) => tls.is_stun(),
            None => self.direction(side).is_some_and(|sent| sent.framer.is_framed() && !sent.framer.is_tls()),
        };
        let is_new = is_stun && !self.connection.stun;
        self.connection.stun |= is_new;
        is_new
    }

    /// Bytes of it that wait.
    pub(super) fn held(&self) -> usize {
        let waiting: usize = self.directions.iter().flat_map(|both| both.iter()).map(Direction::held).sum();
        waiting + self.tls.as_ref().map_or(0, |tls| tls.held())
    }

    /// Whether it is TLS that is followed to its end.
    pub(super) fn is_followed(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_followed())
    }

    /// Whether a SYN opens another connection than this one on its ports.
    pub(super) fn is_another(&self, segment: &Segment<'_>) -> bool {
        let [client, server] = self.first;
        let known = if self.connection.side(segment.src) == 0 { client } else { server };
        match known {
            Some(first) => first != segment.seq.wrapping_add(1),
            // the answer to the SYN that is known; or the SYN of what was known without it
            None => !segment.flags.ack(),
        }
    }

    /// A SYN, with ACK or without.
    pub(super) fn opened(&mut self, at: Seen, segment: &Segment<'_>, side: usize) {
        if let Some(first) = self.first.get_mut(side) {
            first.get_or_insert(segment.seq.wrapping_add(1));
        }
        let connection = &mut self.connection;
        if segment.flags.ack() {
            if side == 1 && connection.syn_ack.is_none() {
                connection.syn_ack = Some(at);
                connection.handshake = connection.syn_last.map(|syn| at.time.since(syn.time));
            }
        } else {
            connection.syn.get_or_insert(at);
            connection.syn_number.get_or_insert(segment.seq);
            if connection.syn_last.is_none_or(|last| last.time.apart(at.time) >= NUMBERED_MIRROR) {
                connection.syn_last = Some(at);
                connection.syns = connection.syns.saturating_add(1);
            }
        }
    }

    /// Looks at the first bytes of a connection.
    pub(super) fn look(&self, seq: u32, segment: &Segment<'_>, side: usize) -> Look {
        let [client, server] = self.first;
        match if side == 0 { client } else { server } {
            Some(first) if first == seq => match head::of(segment.payload, None) {
                Head::Other => Look::Forget,
                Head::Short if segment.truncated => Look::Cut,
                _ => Look::Read,
            },
            _ if head::may_join(segment.payload, segment.src, segment.dst) => Look::Read,
            // its first bytes were lost, or are still to come
            Some(first) if seq.wrapping_sub(first) < u32::MAX / 2 => Look::Read,
            // a keep-alive: a byte before the first
            Some(_) => Look::Wait,
            None => Look::Forget,
        }
    }
}
