//! What is known of a connection itself, beside the bytes in it.

use super::proxy::Header;
use crate::frame::Seen;
use crate::net::Endpoint;
use crate::packet::IcmpAnswer;
use crate::time::{Span, Timestamp};

/// One TCP connection: how it was opened and how it ended, as far as the capture shows (RFC 9293 §3.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Who opened it; where that was not captured, who spoke first.
    pub client: Endpoint,
    /// The other end.
    pub server: Endpoint,
    /// The first SYN.
    pub syn: Option<Seen>,
    /// The last copy of it.
    pub syn_last: Option<Seen>,
    /// How many copies of the SYN there were.
    pub syns: u32,
    /// Its sequence number, which stays the same through a NAT.
    pub syn_number: Option<u32>,
    /// The first SYN with ACK.
    pub syn_ack: Option<Seen>,
    /// The RST that answered the SYN: nothing listens, or a firewall says so.
    pub refused: Option<Seen>,
    /// From the last copy of the SYN before it to the SYN with ACK.
    pub handshake: Option<Span>,
    /// The first FIN of the client, and of the server.
    pub fin: [Option<Seen>; 2],
    /// The first RST of the client, and of the server, after the connection was open.
    pub rst: [Option<Seen>; 2],
    /// Time to live or hop limit of the first RST of the client, and of the server; 0 where there is none.
    pub rst_ttl: [u8; 2],
    /// Lowest and highest time to live or hop limit of all else that the client sent, and the server; (255, 0) where nothing was seen.
    /// One end may have several: some relays set that of their peers' packets on what they hand on.
    pub ttl: [(u8, u8); 2],
    /// The first ICMP error that quotes a segment of the client.
    pub icmp: Option<(IcmpAnswer, Timestamp)>,
    /// Whether STUN was recognised in it, in the clear or under TLS that was opened.
    pub stun: bool,
    /// Whether it is TLS.
    pub tls: bool,
    /// Whether nothing more is looked at: TLS that carries something else than TURN, as far as anybody can tell.
    pub let_go: bool,
    /// Whether the capture cut the first bytes of it so short that nobody can tell what it carries.
    pub cut: bool,
    /// Bytes that the capture lacks, from the client and from the server.
    pub missing: [u64; 2],
    /// The header of the PROXY protocol that it begins with.
    pub proxied: Option<Header>,
    /// Where the server's first words are those of a web server: the segment, and the status code.
    pub http: Option<(Seen, u16)>,
    /// Where it carries bytes between a relay's client and a peer (RFC 6062 §4.4): how many, from the client and from the server.
    pub carried: Option<[u64; 2]>,
    /// Its first segment.
    pub first: Seen,
    /// Its last segment.
    pub last: Seen,
    /// The longest time without a segment, and when that was over.
    pub rest: (Span, Timestamp),
}

impl Connection {
    /// A connection of which this is the first segment.
    #[must_use]
    pub fn new(client: Endpoint, server: Endpoint, first: Seen) -> Self {
        let (ttl, rest) = ([(u8::MAX, 0); 2], (Span(0), first.time));
        Connection { client, server, ttl, first, last: first, rest, ..Connection::default() }
    }

    /// One more segment.
    pub(super) fn see(&mut self, at: Seen) {
        let rest = at.time.since(self.last.time);
        if rest > self.rest.0 {
            self.rest = (rest, at.time);
        }
        self.last = at;
    }

    /// Whether it was seen to be opened and to come to nothing: no SYN with ACK, or a RST instead of it.
    #[must_use]
    pub fn came_to_nothing(&self) -> bool {
        self.syn.is_some() && self.syn_ack.is_none() && !self.stun && !self.tls
    }

    /// 0 for what the client sent, 1 for the server: the index into pairs of things by direction.
    #[must_use]
    pub fn side(&self, src: Endpoint) -> usize {
        usize::from(src != self.client)
    }
}
