//! What streams give: messages, and what became of connections.

use super::connection::Connection;
use super::direction::Stamp;
use super::framing::{Frame, Framing};
use super::proxy::Proxied;
use super::tls::{Secured, Tls};
use crate::frame::Seen;
use crate::keys::KeyLog;
use crate::net::Endpoint;

/// One message of a byte stream.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    /// Who sent it.
    pub src: Endpoint,
    /// To whom.
    pub dst: Endpoint,
    /// The message, and what stood around it.
    pub message: Frame<'a>,
    /// Whether TLS protected it, and was opened.
    pub secured: bool,
    /// The frame that completes it.
    pub at: Seen,
    /// Time to live (IPv4) or hop limit (IPv6) of that frame.
    pub ttl: u8,
}

/// What a segment gave.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A message.
    Payload(Payload<'a>),
    /// What a record of TLS tells.
    Secured(Secured<'a>),
    /// A proxy answered a client that asks for a connection.
    Proxied(Proxied<'a>),
    /// STUN or TLS was recognised in a connection, it was closed or met an ICMP error, or it is over: what is known of it by now.
    Connection(&'a Connection),
}

/// Sums over the whole capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections in which STUN was recognised.
    pub recognised: u64,
    /// Connections in which TLS was recognised, whatever they carry.
    pub tls: u64,
    /// How often bytes of such a connection are missing from the capture.
    pub gaps: u64,
    /// Segments that repeat bytes that still waited, with other content: the first bytes count.
    pub conflicts: u64,
    /// ChannelData without the padding of RFC 8656 §12.5.
    pub unpadded: u64,
    /// Connections with STUN in them that were given up for want of room.
    pub dropped: u64,
    /// Messages of which the capture holds the start, and not the end.
    pub incomplete: u64,
}

/// Gives messages of one direction on, those under TLS by way of what knows the connection's TLS.
pub(super) struct Out<'e, F> {
    connection: &'e Connection,
    side: usize,
    tls: &'e mut Option<Box<Tls>>,
    keys: &'e KeyLog,
    /// ChannelData without padding so far.
    pub unpadded: u64,
    each: &'e mut F,
}

impl<'e, F: FnMut(Item<'_>)> Out<'e, F> {
    pub(super) fn new(
        connection: &'e Connection,
        tls: &'e mut Option<Box<Tls>>,
        keys: &'e KeyLog,
        side: usize,
        each: &'e mut F,
    ) -> Self {
        Out { connection, side, tls, keys, unpadded: 0, each }
    }

    pub(super) fn frame(&mut self, message: Frame<'_>, stamp: &Stamp) {
        let (connection, side) = (self.connection, self.side);
        if message.framing == Framing::Tls {
            let tls = self.tls.get_or_insert_default();
            if let Some(lost) = message.resumed {
                tls.missing(side, lost);
            }
            self.unpadded += tls.take(message, connection, side, stamp, self.keys, self.each);
            return;
        }
        self.unpadded += u64::from(message.unpadded_before);
        let (client, server) = (connection.client, connection.server);
        let (src, dst) = if side == 0 { (client, server) } else { (server, client) };
        let &Stamp { at, ttl } = stamp;
        (self.each)(Item::Payload(Payload { src, dst, message, secured: false, at, ttl }));
    }
}
