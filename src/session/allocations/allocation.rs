//! The ledger of one TURN allocation (RFC 8656 §6): what was lent, for how long, to whom it may talk, and how it ended.

use super::data_connection::DataConnection;
use super::stray::Strays;
use crate::net::{ClientAddress, MappedAddress, PeerAddress, RelayedAddress};
use crate::session::conversations::exchange::{Seen, Settled};
use crate::session::flow::Traffic;
use crate::session::tables::few::Few;
use crate::session::tables::names::Name;
use crate::time::{Span, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::net::IpAddr;

/// How long a permission holds (RFC 8656 §9).
const PERMISSION: Span = Span::from_secs(300);
/// How long a channel binding holds (RFC 8656 §12).
pub(super) const CHANNEL: Span = Span::from_secs(600);
/// What a server grants where neither side names a lifetime (RFC 8656 §6).
const DEFAULT_LIFETIME: u32 = 600;
/// How many permissions and channels of one allocation are kept.
const MAX_PEERS: usize = 32;

/// How an [`Allocation`] ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "AllocationEnd")]
pub enum End {
    /// By a Refresh with lifetime 0.
    Released,
    /// Its lifetime ran out.
    Expired,
    /// It lives on at the end of the capture.
    #[default]
    Open,
    /// It was never made, or the server knew it no longer before its lifetime ran out.
    Rejected,
}

/// A peer address that may send through the relay.
#[derive(Clone, Copy, Debug)]
pub struct Permission {
    /// The peer; only its address counts.
    pub peer: PeerAddress,
    /// The request that made it.
    pub made: Seen,
    /// When it ends unless renewed.
    pub expires: Timestamp,
}

/// A channel bound to a peer.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// Its number.
    pub number: u16,
    /// The peer.
    pub peer: PeerAddress,
    /// The request that bound it.
    pub bound: Seen,
    /// When it ends unless renewed.
    pub expires: Timestamp,
    /// Whether the server's success was seen.
    pub confirmed: bool,
    /// Another peer that the client wanted to bind it to and was refused, last.
    pub wanted: Option<PeerAddress>,
}

/// One allocation on a conversation's 5-tuple. What is written again and again comes first.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Allocation {
    /// When it ends unless refreshed.
    pub expires: Timestamp,
    /// LIFETIME granted last, in seconds.
    pub lifetime: u32,
    /// Successful refreshes.
    pub refreshes: u32,
    /// How and when it ended.
    pub ended: Option<(End, Seen)>,
    /// Peers that may send.
    pub permissions: Few<Permission>,
    /// Channels.
    pub channels: Few<Channel>,
    /// What the client sent to peers.
    pub sent: Traffic,
    /// What peers sent to the client.
    pub received: Traffic,
    /// What it lent.
    pub relayed: [Option<RelayedAddress>; 2],
    /// The Allocate request that was granted.
    pub requested: Seen,
    /// The success response.
    pub created: Seen,
    /// USERNAME.
    pub user: Option<Name>,
    /// REALM.
    pub realm: Option<Name>,
    /// LIFETIME asked for, in seconds.
    pub requested_lifetime: Option<u32>,
    /// REQUESTED-TRANSPORT.
    pub transport: Option<u8>,
    /// What the server saw as the client's address.
    pub mapped: Option<MappedAddress>,
    /// Connections to peers, of a relay for TCP (RFC 6062); the first ones.
    pub connections: Vec<DataConnection>,
    /// How many there were.
    pub connections_total: u32,
    /// Whether the server granted a relay and named no address of it.
    pub lends_nothing: bool,
    /// What the client sent that the relay does not pass on.
    pub strays: Option<Box<Strays>>,
    /// The address family that the client gave back, of two that it was lent (RFC 8656 §8.1).
    given_back: Option<u8>,
    /// Where it went on (RFC 8016), if it did: then it was given up here.
    pub moved_to: Option<Box<ClientAddress>>,
}

impl Allocation {
    /// The allocation that a granted Allocate makes.
    #[must_use]
    pub fn granted(exchange: &Settled<'_>) -> Allocation {
        let answer = exchange.answer;
        let lifetime = answer.lifetime.or(exchange.asked.lifetime).unwrap_or(DEFAULT_LIFETIME);
        Allocation {
            requested: exchange.first,
            created: answer.seen,
            user: exchange.asked.user_or_hash(),
            realm: exchange.asked.realm,
            transport: exchange.asked.transport,
            mapped: answer.mapped,
            relayed: answer.relayed,
            requested_lifetime: exchange.asked.lifetime,
            lifetime,
            expires: answer.seen.time.after(Span::from_secs(i64::from(lifetime))),
            lends_nothing: exchange.lends_nothing(),
            ..Allocation::default()
        }
    }

    /// It goes on at another address of its client, where a Refresh with its ticket was granted (RFC 8016 §3.2); gives what is there from then on.
    #[must_use]
    pub(super) fn moves(&mut self, to: ClientAddress, requested: Seen, granted: Seen) -> Allocation {
        self.ended = Some((End::Released, granted));
        self.moved_to = Some(Box::new(to));
        Allocation {
            requested,
            created: granted,
            ended: None,
            moved_to: None,
            mapped: None,
            refreshes: 0,
            sent: Traffic::default(),
            received: Traffic::default(),
            connections: Vec::new(),
            connections_total: 0,
            strays: None,
            ..self.clone()
        }
    }

    /// When it ended, or ends by what was granted last.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        match self.ended {
            Some((End::Released | End::Rejected, seen)) => seen.time,
            _ => self.expires, // a refusal that came later only shows that it was gone
        }
    }

    /// Whether it can be in use at `time`.
    #[must_use]
    pub(in crate::session) fn is_alive(&self, time: Timestamp) -> bool {
        self.ended.is_none() && time <= self.expires
    }

    /// Whether it may have had more peers than are kept.
    #[must_use]
    pub(in crate::session) fn has_forgotten_peers(&self) -> bool {
        self.permissions.len() >= MAX_PEERS || self.channels.len() >= MAX_PEERS
    }

    /// How it stands at `time`.
    #[must_use]
    pub fn end(&self, time: Timestamp) -> End {
        match self.ended {
            Some((end, _)) => end,
            None if time > self.expires => End::Expired,
            None => End::Open,
        }
    }

    /// A Refresh that was granted.
    pub fn refreshed(&mut self, exchange: &Settled<'_>) {
        let lifetime = exchange.answer.lifetime.or(exchange.asked.lifetime);
        let is_dual = self.relayed.iter().all(Option::is_some);
        match exchange.asked.family.filter(|_| is_dual && lifetime == Some(0)) {
            // the other of the two goes on (RFC 8656 §8.1)
            Some(family) if self.given_back.is_none_or(|known| known == family) => self.given_back = Some(family),
            _ => self.prolonged(lifetime, exchange.answer.seen),
        }
    }

    /// The same, for the lifetime that was named, if any.
    pub(in crate::session) fn prolonged(&mut self, lifetime: Option<u32>, at: Seen) {
        let lifetime = lifetime.unwrap_or(DEFAULT_LIFETIME);
        if lifetime == 0 {
            self.ended.get_or_insert((End::Released, at));
        } else {
            self.refreshes += 1;
            self.lifetime = lifetime;
            self.expires = at.time.after(Span::from_secs(i64::from(lifetime)));
        }
    }

    /// The server no longer knows it.
    pub fn refused(&mut self, at: Seen) {
        let end = if at.time > self.expires { End::Expired } else { End::Rejected };
        self.ended.get_or_insert((end, at));
    }

    /// A CreatePermission or ChannelBind that was granted makes or renews a permission; one that had run out is another.
    pub fn permitted(&mut self, peer: PeerAddress, made: Seen, granted: Timestamp) {
        let expires = granted.after(PERMISSION);
        let is_full = self.permissions.len() >= MAX_PEERS;
        let known = self.permissions.iter_mut().rfind(|known| known.peer.0.ip() == peer.0.ip());
        let ran_out = known.as_ref().is_some_and(|known| made.time > known.expires);
        if ran_out && let Some(strays) = &mut self.strays {
            strays.renewed(peer.0.ip(), made, self.received.packets);
        }
        match known {
            Some(known) if is_full || !ran_out => known.expires = expires,
            _ if is_full => {}
            _ => self.permissions.push(Permission { peer, made, expires }),
        }
    }

    /// The permission for a peer: the one made last.
    #[inline]
    pub(super) fn permission_of(&self, peer: IpAddr) -> Option<&Permission> {
        self.permissions.iter().rfind(|known| known.peer.0.ip() == peer)
    }

    /// A ChannelBind request was sent: the binding counts from here, since data follows before the answer. One that had run out is another.
    pub fn binding(&mut self, number: u16, peer: PeerAddress, bound: Seen) {
        let same = |known: &Channel| known.number == number && known.peer == peer && bound.time <= known.expires;
        if !self.channels.iter().any(same) && self.channels.len() < MAX_PEERS {
            let expires = bound.time.after(CHANNEL);
            self.channels.push(Channel { number, peer, bound, expires, confirmed: false, wanted: None });
        }
    }

    /// A ChannelBind was granted.
    pub fn bound(&mut self, number: u16, peer: PeerAddress, made: Seen, granted: Timestamp) {
        self.binding(number, peer, made);
        if let Some(known) = self.channels.iter_mut().rfind(|known| known.number == number && known.peer == peer) {
            known.confirmed = true;
            known.wanted = None;
            known.expires = granted.after(CHANNEL);
        }
        self.permitted(peer, made, granted);
    }

    /// A ChannelBind was refused.
    pub fn unbound(&mut self, number: u16, peer: PeerAddress) {
        self.channels.retain(|known| known.confirmed || known.number != number || known.peer != peer);
        let other = |known: &&mut Channel| known.confirmed && known.number == number && known.peer != peer;
        if let Some(known) = self.channels.iter_mut().rfind(other) {
            known.wanted = Some(peer);
        }
    }

    /// The peer of a channel: the binding made last.
    #[must_use]
    pub fn peer_of(&self, number: u16) -> Option<PeerAddress> {
        self.channels.iter().rev().find(|known| known.number == number).map(|known| known.peer)
    }

    /// The relayed address of the family of `peer`.
    #[must_use]
    pub fn relayed_for(&self, peer: Option<PeerAddress>) -> Option<RelayedAddress> {
        let v6 = peer.is_some_and(|peer| peer.0.is_v6());
        self.relayed
            .iter()
            .flatten()
            .find(|relayed| relayed.0.is_v6() == v6)
            .or(self.relayed.first()?.as_ref())
            .copied()
    }
}
