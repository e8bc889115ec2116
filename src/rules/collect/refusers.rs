//! Several servers, or addresses of one, that bar a client from the same peer: one policy or one wrong candidate, and one finding.

use super::group::{AND, is_plain};
use super::{Concluded, Group, MAX_FRAMES};
use crate::frame::in_order;
use crate::net::Scope;
use crate::rules::evidence::{counted, listed};
use std::net::IpAddr;

/// The finding that tells of such a server.
const FORBIDDEN: &str = "turn-peer-forbidden";
/// How many of the others are named.
const SHOWN: usize = 3;

/// Joins the findings that tell of one client and one peer of no public address.
pub(super) fn join(groups: &mut Vec<Group>) {
    let (mut told, others): (Vec<Group>, Vec<Group>) =
        groups.drain(..).partition(|group| group.finding.id == FORBIDDEN);
    told.sort_by_key(|group| (group.finding.at, group.finding.frames.first().copied()));
    let mut joined: Vec<(Group, Vec<String>)> = Vec::new();
    for group in told {
        match joined.iter_mut().find(|(first, _)| is_same(&first.finding, &group.finding)) {
            Some((first, servers)) => {
                servers.extend(group.finding.subject.server.map(|server| server.to_string()));
                absorb(&mut first.finding, group.finding);
            }
            None => joined.push((group, Vec::new())),
        }
    }
    groups.extend(joined.into_iter().map(|(mut group, servers)| {
        tell(&mut group.finding, servers);
        group
    }));
    groups.extend(others);
    groups.sort_by(|one, other| one.finding.key.cmp(&other.finding.key)); // as they were
}

fn is_same(one: &Concluded, other: &Concluded) -> bool {
    let about = |finding: &Concluded| -> Option<(IpAddr, IpAddr)> {
        let peer = finding.subject.peer?.0;
        // a public address is barred by a rule of one server's own
        (peer.scope() != Scope::Public).then_some((finding.subject.client?.0.ip(), peer.ip()))
    };
    about(one).is_some()
        && about(one) == about(other)
        && one.affected == other.affected
        && (one.severity, one.confidence) == (other.severity, other.confidence)
}

fn absorb(first: &mut Concluded, other: Concluded) {
    first.occurrences += other.occurrences;
    first.frames_total += other.frames_total;
    first.frames = in_order(std::mem::take(&mut first.frames).into_iter().chain(other.frames));
    first.frames.truncate(MAX_FRAMES);
    widen(&mut first.filter, other.filter.as_deref());
}

/// Has a display filter show what is of another server of the same client, too: what both demand.
fn widen(filter: &mut Option<String>, other: Option<&str>) {
    let (Some(one), Some(other)) = (filter.as_deref(), other) else { return };
    if !is_plain(one) || !is_plain(other) {
        return;
    }
    let shared: Vec<&str> = one.split(AND).filter(|term| other.split(AND).any(|known| known == *term)).collect();
    if shared.iter().any(|term| term.contains(".addr == ")) {
        *filter = Some(shared.join(AND));
    }
}

fn tell(finding: &mut Concluded, mut servers: Vec<String>) {
    let verb = match servers.len() {
        0 => return,
        1 => "does",
        _ => "do",
    };
    let more = servers.len().saturating_sub(SHOWN);
    servers.truncate(SHOWN);
    if more > 0 {
        servers.push(counted(more as u64, "other"));
    }
    finding.text.title += &format!("; nor {verb} {}", listed(&servers));
}
