//! Peers that a relay does not reach: ICMP errors that come back to it, as a capture at the server shows them, or as the server tells them to its client
//! (RFC 8656 §11.5); and relays that peers do not reach, since their own host turns them away.

use super::allocation::Allocation;
use super::arrivals::on_the_wire;
use crate::bounded::BoundedMap;
use crate::net::{Endpoint, PeerAddress, RelayedAddress, ServerAddress};
use crate::packet::{IcmpKind, Quoted};
use crate::session::Session;
use crate::session::conversations::exchange::Seen;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How many pairs of relayed address and peer are kept.
const MAX_UNREACHED: usize = 1_024;

/// What came back to a relay for one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreached {
    /// The peer.
    pub peer: PeerAddress,
    /// What the first error says.
    pub kind: IcmpKind,
    /// Who sent it; not known of what the server told its client.
    pub sender: Option<IpAddr>,
    /// The frame that brought the first.
    pub first: Seen,
    /// The frame that brought the last.
    pub last: Seen,
}

/// All of that, by relayed address and peer.
pub(in crate::session) type AllUnreached = BTreeMap<(Endpoint, Endpoint), Unreached>;

/// Relayed addresses at which their own host says that no port is open, with the first and the last frame of that.
pub(in crate::session) type AllShut = BTreeMap<Endpoint, (Seen, Seen)>;

impl Session {
    /// A server told its client that ICMP came back for what it relayed to a peer: type and code.
    pub(super) fn told_unreached(&mut self, relayed: RelayedAddress, peer: Endpoint, (kind, code): (u8, u8), at: Seen) {
        let kind = IcmpKind { v6: peer.is_v6(), kind, code };
        self.unreached_at(relayed.0, peer, kind, None, at);
    }

    /// An ICMP error quotes what a relay sent, or what was sent to it.
    pub(in crate::session) fn met_unreached(&mut self, quoted: &Quoted<'_>, kind: IcmpKind, sender: IpAddr, at: Seen) {
        if self.arrivals.is_relayed(quoted.src) {
            self.unreached_at(quoted.src, quoted.dst, kind, Some(sender), at);
        }
        let relay = quoted.dst;
        if kind.is_port_unreachable()
            && sender == relay.ip()
            && self.arrivals.is_relayed(relay)
            && let Some((_, last)) = self.shut.entry_up_to(MAX_UNREACHED, relay, || (at, at))
        {
            *last = at;
        }
    }

    /// Where the host of a relayed address first said that this port is not open, though it was lent between these two times.
    #[must_use]
    pub fn shut(&self, relayed: RelayedAddress, server: ServerAddress, [from, until]: [Timestamp; 2]) -> Option<Seen> {
        let (first, last) = on_the_wire(relayed, server).iter().find_map(|at| self.shut.get(at)).copied()?;
        [first, last].into_iter().find(|seen| (from..=until).contains(&seen.time))
    }

    fn unreached_at(&mut self, relayed: Endpoint, peer: Endpoint, kind: IcmpKind, sender: Option<IpAddr>, at: Seen) {
        let new = || Unreached { peer: PeerAddress(peer), kind, sender, first: at, last: at };
        if kind.is_unreachable()
            && let Some(known) = self.unreached.entry_up_to(MAX_UNREACHED, (relayed, peer), new)
        {
            known.last = at;
        }
    }

    /// The peers that an allocation did not reach, in order, each with what came back first.
    #[must_use]
    pub fn unreached(&self, allocation: &Allocation, server: ServerAddress) -> Vec<Unreached> {
        let lent = |at: Endpoint| {
            allocation.relayed.into_iter().flatten().any(|relayed| on_the_wire(relayed, server).contains(&at))
        };
        // the same address may have been lent before, and again afterwards
        let (from, until) = (allocation.created.time, allocation.until());
        let during = |known: &Unreached| known.last.time >= from && known.first.time <= until;
        let of_it = self.unreached.iter().filter(|((at, _), known)| lent(*at) && during(known));
        let own = |known: &Unreached| if known.first.time < from { known.last } else { known.first };
        let mut all: Vec<Unreached> = of_it.map(|(_, known)| Unreached { first: own(known), ..*known }).collect();
        all.sort_unstable_by_key(|known| (known.peer, known.first));
        all.dedup_by_key(|known| known.peer);
        all
    }
}
