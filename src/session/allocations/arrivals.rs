//! What peers send to relayed addresses, as a capture at the server shows it, and the allocations that these addresses belong to.
//!
//! Both are kept to the end of the capture: which flow ends first is chance.

use super::allocation::Allocation;
use crate::bounded::BoundedMap;
use crate::net::{ClientAddress, Endpoint, RelayedAddress, ServerAddress, is_unrouted};
use crate::session::Session;
use crate::session::conversations::conversation::Conversation;
use crate::session::conversations::exchange::{Exchange, Seen};
use crate::session::flow::{Flow, Traffic};
use crate::session::tables::names::Name;
use crate::time::{Span, Timestamp};
use crate::wire::stun::Method;
use hashbrown::HashSet;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

/// How many relayed addresses are known, in the two forms that each may have on the wire. It is what fits a hash table whose size is a power of 2.
const MAX_RELAYED: usize = 14_336;
/// How many pairs of relayed address and peer are kept.
const MAX_ARRIVALS: usize = 1_024;
/// How many flows of one pair are told apart.
const MAX_FLOWS: usize = 16;
/// How many allocations are kept; the newest ones.
const MAX_LENDERS: usize = 1_024;

/// What one peer sent to one relayed address while one allocation had it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The peer.
    pub peer: IpAddr,
    /// The first datagram.
    pub first: Seen,
    /// The last datagram.
    pub last: Seen,
    /// How many there were.
    pub packets: u64,
    /// How many of them were connectivity checks.
    pub checks: u64,
}

/// An allocation, reduced to what decides whether the data of a peer may pass.
#[derive(Clone, Debug)]
pub struct Lender {
    /// Who holds it.
    pub client: ClientAddress,
    /// Who lent it.
    pub server: ServerAddress,
    /// As which user.
    pub user: Option<Name>,
    /// In which realm.
    pub realm: Option<Name>,
    /// What was lent.
    pub relayed: RelayedAddress,
    /// The success response.
    pub created: Seen,
    /// Until when it was alive.
    pub until: Timestamp,
    /// The peers for which a permission was asked, whatever came of it.
    pub asked: Vec<IpAddr>,
    /// Whether these are all: none was forgotten, and no request named several.
    pub knows_all: bool,
    /// What passed from peers to the client.
    pub received: Traffic,
    /// Whether the client sent anything to peers, or asked for a permission.
    pub active: bool,
    /// Whether the capture holds the conversation from its start, both ways and without gaps.
    pub whole: bool,
    /// Whether the server's packets have passed no router yet. Elsewhere a NAT may still change the address that a peer has in the capture.
    pub at_server: bool,
}

/// What came on the flows between relayed addresses and peers.
type Flows = BTreeMap<(Endpoint, IpAddr), Vec<Arrival>>;

/// Both, as far as they are known.
#[derive(Debug, Default)]
pub(in crate::session) struct Arrivals {
    relayed: HashSet<Endpoint>,
    /// From peers to which the relay sent nothing.
    arrivals: Flows,
    /// From peers to which it did.
    returned: Flows,
    lenders: VecDeque<Lender>,
}

/// A relayed address as it may stand on the wire: as the client is told, and, behind a static NAT, as the server's own.
pub(super) fn on_the_wire(relayed: RelayedAddress, server: ServerAddress) -> [Endpoint; 2] {
    [relayed.0, Endpoint::new(server.0.ip(), relayed.0.port())]
}

impl Arrivals {
    /// A relayed address was lent.
    pub(in crate::session) fn lent(&mut self, relayed: RelayedAddress, server: ServerAddress) {
        if relayed.is_usable() && self.relayed.len() < MAX_RELAYED {
            self.relayed.extend(on_the_wire(relayed, server));
        }
    }

    /// Whether it is an address that was lent.
    pub(super) fn is_relayed(&self, address: Endpoint) -> bool {
        self.relayed.contains(&address)
    }

    /// A flow is over.
    pub(in crate::session) fn flow(&mut self, flow: &Flow) {
        if flow.conversation.is_some() || flow.twin_of.is_some() || self.relayed.is_empty() {
            return;
        }
        for (relay, peer, of_peer, of_relay) in
            [(flow.ends.low, flow.ends.high, 1, 0), (flow.ends.high, flow.ends.low, 0, 1)]
        {
            let (Some(direction), Some(&packets)) = (flow.directions.get(of_peer), flow.packets.get(of_peer)) else {
                continue;
            };
            // a relay sends to nobody without a permission; and strangers who try ports send no checks and no media
            let silent = flow.packets.get(of_relay) == Some(&0);
            let call = direction.checks.sent > 0 || direction.data.packets > 0;
            if packets == 0 || !self.relayed.contains(&relay) {
                continue;
            }
            let (packets, checks) = (u64::from(packets), u64::from(direction.checks.sent));
            let new = Arrival { peer: peer.ip(), first: flow.first, last: flow.last, packets, checks };
            if !silent {
                arrived(&mut self.returned, relay, new);
            } else if call {
                arrived(&mut self.arrivals, relay, new);
            }
        }
    }

    /// A conversation is over.
    pub(in crate::session) fn conversation(&mut self, conversation: &Conversation, now: Timestamp) {
        for allocation in conversation.allocations() {
            for relayed in allocation.relayed.into_iter().flatten().filter(|relayed| relayed.is_usable()) {
                if self.lenders.len() >= MAX_LENDERS {
                    self.lenders.pop_front();
                }
                self.lenders.push_back(Lender::new(conversation, allocation, relayed, now));
            }
        }
    }
}

fn arrived(known: &mut Flows, relay: Endpoint, new: Arrival) {
    let Some(flows) = known.entry_up_to(MAX_ARRIVALS, (relay, new.peer), Vec::new) else { return };
    match flows.get_mut(MAX_FLOWS - 1) {
        Some(last) => *last = last.and(new),
        None => flows.push(new),
    }
}

/// What came between two times: the same address may be lent again, to somebody else.
fn between(flows: &[Arrival], from: Timestamp, until: Timestamp) -> Option<Arrival> {
    let meets = |flow: &&Arrival| flow.last.time >= from && flow.first.time <= until;
    flows.iter().filter(meets).copied().reduce(Arrival::and)
}

impl Arrival {
    fn and(self, other: Arrival) -> Arrival {
        Arrival {
            peer: self.peer,
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            packets: self.packets + other.packets,
            checks: self.checks + other.checks,
        }
    }
}

impl Lender {
    fn new(conversation: &Conversation, allocation: &Allocation, relayed: RelayedAddress, now: Timestamp) -> Lender {
        let requests = || {
            let asked = [Method::CREATE_PERMISSION, Method::CHANNEL_BIND];
            conversation.exchanges.iter().filter(move |exchange| asked.contains(&exchange.method))
        };
        let mut asked: Vec<IpAddr> = allocation.permissions.iter().map(|known| known.peer.0.ip()).collect();
        asked.extend(allocation.channels.iter().map(|known| known.peer.0.ip()));
        asked.extend(requests().filter_map(|exchange| Some(exchange.asked.peer?.0.ip())));
        asked.sort_unstable();
        asked.dedup();
        Lender {
            client: conversation.client,
            server: conversation.server,
            user: allocation.user,
            realm: allocation.realm,
            relayed,
            created: allocation.created,
            until: allocation.until().min(now),
            knows_all: !allocation.has_forgotten_peers() && !requests().any(Exchange::has_unknown_peers),
            received: allocation.received,
            active: !asked.is_empty() || allocation.sent.packets > 0,
            at_server: is_unrouted(conversation.ttl[1]),
            whole: conversation.orphans == 0 && !conversation.began_before && conversation.both_heard(),
            asked,
        }
    }

    /// How long, and about how many datagrams, of what arrived came while the allocation was alive.
    #[must_use]
    pub fn shared(&self, arrival: &Arrival) -> (Span, u64) {
        let from = arrival.first.time.max(self.created.time);
        let within = arrival.last.time.min(self.until).since(from);
        let all = arrival.last.time.since(arrival.first.time);
        if within == all || all.0 <= 0 {
            return (within, arrival.packets);
        }
        let share = i128::from(arrival.packets) * i128::from(within.0.max(0)) / i128::from(all.0);
        (within, u64::try_from(share).unwrap_or_default())
    }
}

impl Session {
    /// What a capture at the server shows to come back to an allocation's relayed address from a peer that it sends to. Complete for flows that are
    /// over.
    #[must_use]
    pub fn returned(&self, allocation: &Allocation, server: ServerAddress, peer: IpAddr) -> Option<Arrival> {
        let places = allocation.relayed.into_iter().flatten().flat_map(|relayed| on_the_wire(relayed, server));
        let mut flows = places.filter_map(|at| self.arrivals.returned.get(&(at, peer)));
        flows.find_map(|flows| between(flows, allocation.created.time, allocation.until()))
    }

    /// The allocations of the capture with what arrived at each from peers to which nothing was sent. Complete once the capture is over.
    pub fn arrivals(&self) -> impl Iterator<Item = (&Lender, Arrival)> {
        let known = &self.arrivals;
        known.lenders.iter().flat_map(move |lender| {
            let [told, own] = on_the_wire(lender.relayed, lender.server);
            let during = |flows: &Vec<Arrival>| between(flows, lender.created.time, lender.until);
            let at = move |relayed: Endpoint| {
                let from = (relayed, IpAddr::V4(Ipv4Addr::UNSPECIFIED)); // no address comes before
                let here = known.arrivals.range(from..).take_while(move |((at, _), _)| *at == relayed);
                here.filter_map(move |(_, flows)| during(flows))
            };
            // both sides of a NAT may be in the capture: then one of them is enough
            let outside = at(told);
            let inside = at(own).filter(move |_| own != told);
            let seen_outside = move |peer: IpAddr| known.arrivals.get(&(told, peer)).and_then(during).is_some();
            outside.chain(inside.filter(move |arrival| !seen_outside(arrival.peer))).map(move |one| (lender, one))
        })
    }
}
