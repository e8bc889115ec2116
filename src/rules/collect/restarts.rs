//! Allocations that clients of several networks lose at about the same time: a server that was restarted looks like that, and no NAT does.

use super::{Group, Remedy};
use crate::net::{Network, Scope};
use crate::session::Lendings;
use crate::time::{Span, Timestamp};
use hashbrown::{HashMap, HashSet};
use std::net::IpAddr;

/// The finding that an allocation is gone.
const GONE: &str = "turn-allocation-gone";
/// How its key ends where the allocation should have lived, and a NAT may be why it does not.
const LOST: &str = " lost";
/// So many networks do not lose their mappings at once by chance.
const MANY: usize = 3;
/// A client finds out with its next request, at the latest when it refreshes (RFC 8656 §3.2).
const WITHIN: Span = Span::from_secs(600);

/// A restart takes the allocations of all: of those clients that the server served, at least one in so many tells of it.
const SHARE: usize = 4;

impl Group {
    /// Says so, where it leaves only the server or what stands before it.
    pub(super) fn tell_of_restart(&mut self, lendings: &Lendings<'_>) {
        let Some(server) = self.finding.subject.server else { return };
        if self.finding.id != GONE || !self.finding.key.ends_with(LOST) {
            return;
        }
        let lost = self.lost_at_once();
        let (Some((first, _)), Some((last, _))) = (lost.first(), lost.last()) else { return };
        let clients: HashSet<IpAddr> = lost.iter().map(|(_, client)| *client).collect();
        let networks: HashSet<Network> = clients.iter().map(|client| Network::around(*client)).collect();
        let (clients, networks) = (clients.len(), networks.len());
        if networks < MANY
            || clients * SHARE < lendings.clients(server.0)
            || lendings.has_outlasting(server.0, last.before(WITHIN), *first)
        {
            return;
        }
        self.finding.text.explanation += &format!(
            " {clients} clients of {networks} public networks lost theirs at about the same time: no NAT takes the mappings of all of them, so that the \
             server was restarted, or a balancer before it sends them to another one now.",
        );
    }

    /// When clients at public addresses found that their allocations were lost, in order: those that did so at one time, that of the most clients.
    fn lost_at_once(&self) -> Vec<(Timestamp, IpAddr)> {
        let public =
            self.remedies().filter_map(Remedy::grievance).filter(|from| Scope::of(from.client) == Scope::Public);
        let mut lost: Vec<(Timestamp, IpAddr)> = public.map(|from| (from.at, from.client)).collect();
        lost.sort_unstable();
        let (mut most, mut at_once, mut since) = (0, 0..0, 0);
        let mut times: HashMap<IpAddr, usize> = HashMap::new();
        for (place, (at, client)) in lost.iter().enumerate() {
            *times.entry(*client).or_default() += 1;
            while let Some((_, early)) = lost.get(since).filter(|(early, _)| at.since(*early) > WITHIN) {
                if let Some(left) = times.get_mut(early).filter(|left| **left > 1) {
                    *left -= 1;
                } else {
                    times.remove(early);
                }
                since += 1;
            }
            if times.len() > most {
                (most, at_once) = (times.len(), since..place + 1);
            }
        }
        lost.get(at_once).unwrap_or_default().to_vec()
    }
}
