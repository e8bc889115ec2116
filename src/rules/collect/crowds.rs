//! A peer that several others lose at about the same time, as the clients of a conference server do when it dies: one finding, and it is the peer's.

use super::Group;
use super::alike::join_alike;
use crate::rules::{Confidence, Severity};
use crate::session::Clients;
use crate::time::Span;
use hashbrown::HashSet;
use std::net::IpAddr;

/// Findings that tell of a peer which is heard no more.
const LOST: &[&str] = &["ice-consent-lost"];
/// So many do not lose one peer at once by chance.
const MANY: usize = 3;
/// Agents that lose a peer at once find out within this time: those that ask seldom when 30 s are over (RFC 7675 §5.1).
const WITHIN: Span = Span::from_secs(60);

/// Joins what tells of one peer, as grave and as sure.
pub(super) fn join(groups: &mut Vec<Group>, clients: &Clients) {
    join_alike(groups, loss, Some(WITHIN), |alike| {
        let hosts: HashSet<IpAddr> =
            alike.iter().filter_map(|group| group.finding.subject.client).map(|client| client.0.ip()).collect();
        if hosts.len() < MANY {
            return alike;
        }
        alike
            .into_iter()
            .map(|group| tell(group, hosts.len() - 1))
            .reduce(|first, other| absorb(first, other, clients))
            .into_iter()
            .collect()
    });
}

/// The finding that tells of a loss, the peer that is lost, and how grave and sure that is.
fn loss(group: &Group) -> Option<(&'static str, IpAddr, Severity, Confidence)> {
    let finding = &group.finding;
    let peer = finding.subject.peer.filter(|_| LOST.contains(&finding.id))?;
    Some((finding.id, peer.0.ip(), finding.severity, finding.confidence))
}

fn tell(mut group: Group, others: usize) -> Group {
    if let Some(peer) = group.finding.subject.peer.map(|peer| peer.0.ip()) {
        group.finding.text.explanation += &format!(
            " {others} others lost it at about that time: it is {peer} itself, or a way that all of them share."
        );
    }
    group
}

fn absorb(mut first: Group, other: Group, clients: &Clients) -> Group {
    first.make_room(clients);
    first.absorb(other);
    first
}
