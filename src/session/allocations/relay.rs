//! What goes through a relay: Send, Data, ChannelData.

use crate::event::{Event, Hop, Via};
use crate::net::{ClientAddress, Endpoint, PeerAddress, RelayedAddress, ServerAddress};
use crate::session::conversations::exchange::Seen;
use crate::session::observe::speak;
use crate::session::transactions::transaction::Sighting;
use crate::session::{Conversation, FlowId, From, Session, To, is_alternative};
use crate::wire::demux;
use crate::wire::stun::{Fields, Message, Method};
use crate::wire::turn::ChannelData;

impl Session {
    pub(in crate::session) fn indication(
        &mut self,
        at: &Sighting,
        event: &Event<'_>,
        method: Method,
        fields: &Fields<'_>,
    ) {
        let from = match method {
            Method::SEND => From::Client,
            Method::DATA | Method::CONNECTION_ATTEMPT => From::Server,
            _ => return,
        };
        if at.depth > 0 {
            return;
        }
        let Some(flow) = self.flows.get_mut(at.flow) else { return };
        let Some(conversation) = speak(flow, from, at, true, &mut self.rooms, &mut self.servers) else { return };
        if let Some(data) = fields.data {
            conversation.relayed(from, data.len(), event.time);
            if let (From::Client, Some(peer)) = (from, fields.peer) {
                conversation.sends(To::Peer(PeerAddress(peer)), at.seen);
            }
            if from == From::Server {
                hears(conversation, fields.peer.map(PeerAddress), at.seen);
            }
        } else if let (From::Server, Some(peer), Some((kind, code, _))) = (from, fields.peer, fields.icmp) {
            let allocation = conversation.allocation.as_ref();
            if let Some(relayed) = allocation.and_then(|known| known.relayed_for(Some(PeerAddress(peer)))) {
                self.told_unreached(relayed, peer, (kind, code), at.seen);
            }
        }
    }

    /// The relay passage that a Send or Data indication is.
    #[must_use]
    pub fn indication_hop(&self, event: &Event<'_>, method: Method, fields: &Fields<'_>) -> Option<Hop> {
        let (via, outward) = match method {
            Method::SEND => (Via::Send, true),
            Method::DATA => (Via::Data, false),
            _ => return None,
        };
        let peer = fields.peer.or(fields.destination).map(PeerAddress);
        Some(Hop { via, peer, relayed: self.relayed_for(event, peer), outward })
    }

    pub(super) fn relayed_for(&self, event: &Event<'_>, peer: Option<PeerAddress>) -> Option<RelayedAddress> {
        let flow = self.flows.find_on(event.transport, event.src, event.dst)?;
        self.flows.conversation(flow)?.allocation.as_ref()?.relayed_for(peer)
    }

    /// Whether what is framed like ChannelData is ChannelData: TURN was seen on the flow, or it looks right again and again.
    pub fn is_channel(&mut self, event: &Event<'_>, data: &ChannelData<'_>) -> bool {
        const SURE: u8 = 3;
        let (src, dst) = (event.src, event.dst);
        let id = self.flows.find(src, dst);
        id.into_iter().for_each(|id| self.release_before(id));
        let known = id.and_then(|id| self.flows.get_mut(id));
        if known.as_ref().is_some_and(|flow| flow.conversation.is_some()) {
            return true;
        }
        let inside = demux::kind(data.data);
        if data.padding > 0 || !data.is_current_range() || matches!(inside, demux::Kind::Other | demux::Kind::Quic) {
            return false;
        }
        if inside == demux::Kind::Stun {
            return Message::recognise(data.data, data.truncated).is_some_and(|message| !message.is_classic());
        }
        if data.truncated {
            return false; // its length proves nothing then
        }
        match known {
            Some(flow) => {
                flow.channel_guesses = flow.channel_guesses.saturating_add(1);
                flow.channel_guesses >= SURE
            }
            None => {
                // a guess makes a flow of its own only while there is plenty of room
                let seen = Seen { frame: event.frame, time: self.now };
                if self.flows.len() < self.limits.flows / 4
                    && let Some(flow) = self.flows.find_or_add(src, dst, seen).and_then(|id| self.flows.get_mut(id))
                {
                    flow.channel_guesses = 1;
                }
                false
            }
        }
    }

    /// What the length of ChannelData tells of its padding; in datagrams, which need none, only that of DTLS records is looked at.
    pub fn padding(&mut self, event: &Event<'_>, data: &ChannelData<'_>) {
        let seen = event.seen();
        let padded = match event.transport.is_stream() {
            true => &mut self.totals.padded,
            false if matches!(data.data.first(), Some(20..=25)) => &mut self.totals.padded_datagrams,
            false => return,
        };
        if !data.length.is_multiple_of(4) {
            self.totals.odd_lengths.add(event.src, event.dst, seen);
        } else if data.counts_padding() {
            padded.add(event.src, event.dst, seen);
        }
    }

    /// Takes ChannelData on the flow's own level; gives the relay passage that it is. Whether it is a copy, `event` then says.
    pub fn channel_data(&mut self, event: &mut Event<'_>, data: &ChannelData<'_>) -> Hop {
        let (flow, hop) = self.channel_hop(event, data.channel);
        event.copy = event.copy || self.is_copied_channel_data(event, hop, data);
        if event.copy {
            return hop;
        }
        self.totals.messages.channel_data += 1;
        let Some(conversation) = flow.and_then(|id| self.flows.conversation_mut(id)) else { return hop };
        let seen = event.seen();
        let from = if hop.outward { From::Client } else { From::Server };
        conversation.message(from, seen, &mut self.servers);
        conversation.relayed(from, usize::from(data.length), event.time);
        match from {
            From::Client => conversation.sends(To::Channel(data.channel), seen),
            From::Server => {
                hears(conversation, hop.peer, seen);
                if let (None, Some(allocation)) = (hop.peer, &mut conversation.allocation) {
                    allocation.strays.get_or_insert_default().uses(data.channel);
                }
            }
        }
        hop
    }

    /// The relay passage that ChannelData is, and its flow, where nothing else carries it.
    fn channel_hop(&mut self, event: &Event<'_>, channel: u16) -> (Option<FlowId>, Hop) {
        let unknown = Hop { via: Via::Channel(channel), peer: None, relayed: None, outward: false };
        let Some(id) = self.flow_for(event).filter(|_| event.hops.is_empty()) else { return (None, unknown) };
        self.release_before(id);
        let Some(flow) = self.flows.get_mut(id) else { return (None, unknown) };
        let seen = event.seen();
        if flow.conversation.is_none() {
            // the capture starts later: the end with the service's port is the server, else the one with the lower port
            let (client, server) = by_port(event.src, event.dst);
            let mut conversation =
                Conversation::new(ClientAddress(client), ServerAddress(server), event.transport, seen);
            conversation.began_before = true;
            flow.conversation = Some(Box::new(conversation));
        }
        let Some(conversation) = &mut flow.conversation else { return (None, unknown) };
        let peer = conversation.peer_of(channel);
        if peer.is_none() {
            conversation.earlier.carries();
        }
        let relayed = conversation.allocation.as_ref().and_then(|allocation| allocation.relayed_for(peer));
        (Some(id), Hop { via: Via::Channel(channel), peer, relayed, outward: conversation.client.0 == event.src })
    }
}

/// Where the client also sends to peers for want of a permission in vain, which peer something came from matters.
fn hears(conversation: &mut Conversation, peer: Option<PeerAddress>, seen: Seen) {
    if let Some(strays) = conversation.allocation.as_mut().and_then(|allocation| allocation.strays.as_mut()) {
        strays.hears(peer.map(|peer| peer.0.ip()), seen);
    }
}

pub(super) fn by_port(one: Endpoint, other: Endpoint) -> (Endpoint, Endpoint) {
    let service = |end: Endpoint| end.port() == 53 || is_alternative(end.port());
    match (service(one), service(other)) {
        (true, false) => (other, one),
        (false, true) => (one, other),
        _ if one.port() < other.port() => (other, one),
        _ => (one, other),
    }
}
