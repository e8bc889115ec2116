//! What streams give: messages, and what became of connections.

use super::connection::{Connection, Moment};
use super::direction::Stamp;
use super::framing::Frame;
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
    /// The frame that completes it.
    pub at: Moment,
    /// The identification of that frame's IPv4 header; 0 for none.
    pub ip_id: u32,
    /// Time to live (IPv4) or hop limit (IPv6) of that frame.
    pub ttl: u8,
}

/// What a segment gave.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A message.
    Payload(Payload<'a>),
    /// STUN was recognised in a connection, it was closed or met an ICMP error, or it is over: what is known of it by now.
    Connection(&'a Connection),
}

/// Sums over the whole capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections in which STUN was recognised.
    pub recognised: u64,
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

/// Gives messages of one direction on.
pub(super) struct Out<'e, F> {
    src: Endpoint,
    dst: Endpoint,
    /// ChannelData without padding so far.
    pub unpadded: u64,
    each: &'e mut F,
}

impl<'e, F: FnMut(Item<'_>)> Out<'e, F> {
    pub(super) fn new(connection: &Connection, side: usize, each: &'e mut F) -> Self {
        let (client, server) = (connection.client, connection.server);
        let (src, dst) = if side == 0 { (client, server) } else { (server, client) };
        Out { src, dst, unpadded: 0, each }
    }

    pub(super) fn frame(&mut self, message: Frame<'_>, stamp: &Stamp) {
        self.unpadded += u64::from(message.unpadded_before);
        let &Stamp { at, ip_id, ttl } = stamp;
        (self.each)(Item::Payload(Payload { src: self.src, dst: self.dst, message, at, ip_id, ttl }));
    }
}
