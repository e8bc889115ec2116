//! One connection: what is known of it, and its two directions once there is anything to look at.

use super::connection::{Connection, Moment};
use super::direction::Direction;
use super::head::{self, Head};
use super::tls::Tls;
use crate::net::Endpoint;
use crate::packet::Segment;

/// A connection of the table.
#[derive(Debug)]
pub(super) struct Entry {
    pub ends: (Endpoint, Endpoint),
    pub connection: Connection,
    /// The sequence number of the first byte of the client and of the server, where the SYN was captured.
    pub first: [Option<u32>; 2],
    /// From the client, from the server; once there was anything to look at.
    pub directions: Option<Box<[Direction; 2]>>,
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
    /// It says nothing.
    Wait,
}

impl Entry {
    pub(super) fn held(&self) -> usize {
        let waiting: usize = self.directions.iter().flat_map(|both| both.iter()).map(Direction::held).sum();
        waiting + self.tls.as_ref().map_or(0, |tls| tls.held())
    }

    /// Whether it is TLS that is followed to its end.
    pub(super) fn is_followed(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_followed())
    }

    /// A SYN, with ACK or without.
    pub(super) fn opened(&mut self, at: Moment, segment: &Segment<'_>, side: usize) {
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
            connection.syn_last = Some(at);
            connection.syns = connection.syns.saturating_add(1);
        }
    }

    /// Looks at the first bytes of a connection.
    pub(super) fn look(&self, seq: u32, segment: &Segment<'_>, side: usize) -> Look {
        let [client, server] = self.first;
        match if side == 0 { client } else { server } {
            Some(first) if first == seq => match head::of(segment.payload, None) {
                Head::Other => Look::Forget,
                Head::Short if segment.truncated => Look::Forget,
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
