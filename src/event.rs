//! What happened, where and when: one message of the capture with what is known of it so far.

use crate::frame::Seen;
use crate::net::{Endpoint, PeerAddress, RelayedAddress, Transport};
use crate::session::credentials::{Credentials, Integrity};
use crate::time::{Span, Timestamp};
use crate::wire::dtls::Record;
use crate::wire::stun::Message;
use crate::wire::turn::ChannelData;

pub use crate::packet::IcmpAnswer;
pub use crate::stream::{
    Connection, Counts as StreamCounts, Framing, Proxied, Reply, Sealed, Secured, What as SecuredWhat,
};

/// How deep messages are looked for inside Send, Data and ChannelData.
pub const MAX_HOPS: usize = 3;

/// What carried a nested message through a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// A Send indication, from the client (RFC 8656 §11).
    Send,
    /// A Data indication, to the client (RFC 8656 §11).
    Data,
    /// ChannelData with this channel number (RFC 8656 §12).
    Channel(u16),
    /// A TCP connection of its own, which the client bound to that of a peer (RFC 6062 §4.4).
    Connection,
}

impl Via {
    /// The name of the layer, as in the `layers` of `messages`.
    #[must_use]
    pub fn layer(self) -> &'static str {
        match self {
            Via::Send => "send",
            Via::Data => "data",
            Via::Channel(_) => "channel-data",
            Via::Connection => "data-connection",
        }
    }
}

/// One passage through a relay.
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    /// What carried the message between client and server.
    pub via: Via,
    /// The peer's end, where the capture tells it.
    pub peer: Option<PeerAddress>,
    /// The relay's end, where the capture tells it.
    pub relayed: Option<RelayedAddress>,
    /// Whether it goes from the client towards the peer, not the other way.
    pub outward: bool,
}

/// The relay passages of a message, outermost first; none for most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hops {
    hops: [Option<Hop>; MAX_HOPS],
}

impl Hops {
    /// The same path with one more passage inside it, or `None` where the fixed depth is reached.
    #[must_use]
    pub fn through(mut self, hop: Hop) -> Option<Hops> {
        let free = self.hops.iter_mut().find(|slot| slot.is_none())?;
        *free = Some(hop);
        Some(self)
    }

    /// One more passage inside the others; `None` where the fixed depth is reached.
    pub fn pass(&mut self, hop: Hop) -> Option<()> {
        let free = self.hops.iter_mut().find(|slot| slot.is_none())?;
        *free = Some(hop);
        Some(())
    }

    /// Whether there are none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        let [outermost, ..] = &self.hops;
        outermost.is_none()
    }

    /// The passages, outermost first.
    pub fn iter(&self) -> impl Iterator<Item = &Hop> {
        self.hops.iter().flatten()
    }

    /// The innermost passage.
    #[must_use]
    #[inline]
    pub fn last(&self) -> Option<&Hop> {
        if self.is_empty() { None } else { self.iter().last() }
    }
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// STUN, which includes TURN's requests and indications.
    Stun(Message<'a>),
    /// TURN ChannelData; what it carries follows as an event of its own.
    ChannelData(ChannelData<'a>),
    /// A DTLS record; a datagram may hold several, each of which is an event.
    Dtls(Record<'a>),
    /// A TLS record of a connection of TURN; what it protects, where it was opened, follows as events of their own.
    Tls(Sealed<'a>),
    /// RTP.
    Rtp(&'a [u8]),
    /// RTCP.
    Rtcp(&'a [u8]),
}

/// One message, borrowed from its frame.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Number of the frame within the capture.
    pub frame: u64,
    /// When the frame was captured, or the last known time where it does not say.
    pub time: Timestamp,
    /// Decimal digits of the second that the capture has.
    pub digits: u8,
    /// Sender of the datagram that was on the wire.
    pub src: Endpoint,
    /// Receiver of the datagram that was on the wire.
    pub dst: Endpoint,
    /// What carried it.
    pub transport: Transport,
    /// What stood around the message, or around the one that carries it, in the byte stream.
    pub framing: Framing,
    /// Relay passages between that datagram and the message.
    pub hops: Hops,
    /// Whether bytes at the end are missing from the capture.
    pub truncated: bool,
    /// IPv4 identification of the packet, 0 where there is none: tells a copy by a mirror port from a retransmission.
    pub ip_id: u32,
    /// Whether it came in a packet that the capture holds already, as far as is known: what it carries counts no second time.
    pub copy: bool,
    /// TTL or hop limit of the packet, 0 where there is none: tells how far the capture point is from the sender.
    pub ttl: u8,
    /// The message.
    pub body: Body<'a>,
}

impl Event<'_> {
    /// The frame and its time.
    #[must_use]
    #[inline]
    pub fn seen(&self) -> Seen {
        Seen { frame: self.frame, time: self.time }
    }

    /// The same without its message.
    #[must_use]
    pub fn bare(&self) -> Event<'static> {
        let Event { frame, time, digits, src, dst, transport, framing, hops, truncated, ip_id, copy, ttl, body: _ } =
            *self;
        let body = Body::Rtp(&[]);
        Event { frame, time, digits, src, dst, transport, framing, hops, truncated, ip_id, copy, ttl, body }
    }

    /// Sender and receiver as ICE sees them: for what passes a relay the relayed address and the peer's, as far as the capture tells them,
    /// else the ends of the datagram.
    #[must_use]
    pub fn pair(&self) -> (Endpoint, Endpoint) {
        let Some(hop) = self.hops.last() else { return (self.src, self.dst) };
        let (relayed, peer) = (hop.relayed.map(|relayed| relayed.0), hop.peer.map(|peer| peer.0));
        if hop.outward {
            (relayed.unwrap_or(self.src), peer.unwrap_or(self.dst))
        } else {
            (peer.unwrap_or(self.src), relayed.unwrap_or(self.dst))
        }
    }
}

/// One row of `messages`: an event with what correlation and verification found.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Index of the capture among those read.
    pub capture: u32,
    /// The message.
    pub event: &'a Event<'a>,
    /// One verdict for each integrity attribute, in wire order.
    pub integrity: &'a [Integrity],
    /// On a response: the frame of the request copy it is counted from.
    pub request_frame: Option<u64>,
    /// On a response: the time since that copy.
    pub rtt: Option<Span>,
    /// On a repeated request or response: the frame of its first copy.
    pub retransmission_of: Option<u64>,
    /// The ICMP error that answered it.
    pub icmp: Option<IcmpAnswer>,
    /// The credentials, for their labels.
    pub credentials: &'a Credentials,
}
