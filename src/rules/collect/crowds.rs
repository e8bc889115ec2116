//! A peer that several others lose at about the same time, as the clients of a conference server do when it dies: one finding, and it is the peer's.

use super::Group;
use crate::net::Endpoint;
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

/// Joins what tells of one peer.
pub(super) fn join(groups: &mut Vec<Group>, clients: &Clients) {
    let (mut told, mut others): (Vec<Group>, Vec<Group>) =
        groups.drain(..).partition(|group| LOST.contains(&group.finding.id) && peer(group).is_some());
    told.sort_by_key(|group| (group.finding.at, group.finding.frames.first().copied()));
    while !told.is_empty() {
        let first = told.remove(0);
        let (mut all, rest): (Vec<Group>, Vec<Group>) = told.into_iter().partition(|group| is_same(&first, group));
        all.insert(0, first);
        told = rest;
        let hosts: HashSet<IpAddr> = all.iter().filter_map(client).collect();
        if hosts.len() < MANY {
            others.extend(all);
            continue;
        }
        for group in &mut all {
            let peer = peer(group).map(|peer| peer.ip().to_string()).unwrap_or_default();
            group.finding.text.explanation += &format!(
                " {} others lost it at about that time: it is {peer} itself, or a way that all of them share.",
                hosts.len() - 1
            );
        }
        others.extend(all.into_iter().reduce(|mut first, group| {
            first.make_room(clients);
            first.absorb(group);
            first
        }));
    }
    others.sort_by(|one, other| one.finding.key.cmp(&other.finding.key)); // as they were
    *groups = others;
}

fn peer(group: &Group) -> Option<Endpoint> {
    group.finding.subject.peer.map(|peer| peer.0)
}

fn client(group: &Group) -> Option<IpAddr> {
    group.finding.subject.client.map(|client| client.0.ip())
}

/// Whether another one tells as much of the same peer, at about the same time.
fn is_same(one: &Group, other: &Group) -> bool {
    let about = |group: &Group| {
        (group.finding.id, peer(group).map(|peer| peer.ip()), group.finding.severity, group.finding.confidence)
    };
    about(one) == about(other) && other.finding.at.since(one.finding.at) <= WITHIN
}
