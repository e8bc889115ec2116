//! Allocations that clients of several networks lose at about the same time: a server that was restarted looks like that, and no NAT does.

use super::{Group, Remedy};
use crate::net::Scope;
use crate::session::Grievance;
use crate::time::Span;
use hashbrown::HashSet;
use std::net::IpAddr;

/// The finding that an allocation is gone.
const GONE: &str = "turn-allocation-gone";
/// How its key ends where the allocation should have lived, and a NAT may be why it does not.
const LOST: &str = " lost";
/// So many networks do not lose their mappings at once by chance.
const MANY: usize = 3;
/// A client finds out with its next request, at the latest when it refreshes (RFC 8656 §3.2).
const WITHIN: Span = Span::from_secs(600);

impl Group {
    /// Says so, where it leaves only the server or what stands before it.
    pub(super) fn tell_of_restart(&mut self) {
        if self.finding.id != GONE || !self.finding.key.ends_with(LOST) {
            return;
        }
        let first = self.finding.at;
        let is_one =
            |from: &&Grievance| from.at.apart(first) <= WITHIN && matches!(Scope::of(from.client), Scope::Public);
        let clients: HashSet<IpAddr> =
            self.remedies().filter_map(Remedy::grievance).filter(is_one).map(|from| from.client).collect();
        if clients.len() < MANY {
            return;
        }
        self.finding.text.explanation += &format!(
            " {} clients at public addresses of their own lost theirs at about that time: no NAT takes the mappings of all of them, so that the server \
             was restarted, or a balancer before it sends them to another one now.",
            clients.len()
        );
    }
}
