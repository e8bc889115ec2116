//! The way that DTLS, media and connectivity checks take: a flow, or what a relay carries inside one for one peer.

use super::flow::Ends;
use crate::event::{Event, Hops, Via};
use crate::net::{Endpoint, Transport};

/// A way between two ends. What Send, Data and ChannelData carry to and from one peer is one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The ends on the wire; those of a TCP connection are the higher one first, so that it is another way than UDP between the same ports.
    pub ends: Ends,
    /// What a relay carries inside them.
    pub inside: Option<Inside>,
}

/// Whom a relay carries something for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inside {
    /// For this peer.
    Peer(Endpoint),
    /// For the peer that is bound to this channel; the capture does not show the binding.
    Channel(u16),
    /// For a peer that the capture does not show.
    Unknown,
}

impl Path {
    /// The way of a message through these relay passages.
    #[must_use]
    #[inline]
    pub fn of(transport: Transport, src: Endpoint, dst: Endpoint, hops: &Hops) -> Path {
        let inside = hops.last().map(|hop| match (hop.peer, hop.via) {
            (Some(peer), _) => Inside::Peer(peer.0),
            (None, Via::Channel(number)) => Inside::Channel(number),
            (None, Via::Send | Via::Data | Via::Connection) => Inside::Unknown,
        });
        Path { ends: Ends::on(transport, src, dst), inside }
    }

    /// The way of an event.
    #[must_use]
    #[inline]
    pub fn of_event(event: &Event<'_>) -> Path {
        Path::of(event.transport, event.src, event.dst, &event.hops)
    }

    /// 0 for what the end that stands first sent, 1 for the other one: the index into pairs of things by direction.
    #[must_use]
    #[inline]
    pub fn direction(&self, src: Endpoint) -> usize {
        usize::from(src != self.ends.low)
    }
}
