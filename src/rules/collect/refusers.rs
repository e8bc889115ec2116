//! Several servers, or addresses of one, that bar a client from the same peer: one policy or one wrong candidate, and one finding.

use super::alike::join_alike;
use super::group::{AND, is_plain};
use super::{Affected, Concluded, Group, MAX_FRAMES};
use crate::frame::in_order;
use crate::net::Scope;
use crate::rules::evidence::{counted, listed};
use crate::rules::{Confidence, Severity};
use std::net::IpAddr;

/// The finding that tells of such a server.
const FORBIDDEN: &str = "turn-peer-forbidden";
/// How many of the others are named.
const SHOWN: usize = 3;

/// Joins the findings that tell of one client and one peer of no public address, as grave and as sure.
pub(super) fn join(groups: &mut Vec<Group>) {
    join_alike(groups, refusal, None, |alike| {
        let mut alike = alike.into_iter();
        let mut first = alike.next();
        if let Some(Group { finding, .. }) = &mut first {
            let servers = alike.filter_map(|group| absorb(finding, group.finding)).collect();
            tell(finding, servers);
        }
        first.into_iter().collect()
    });
}

/// Who is barred from which peer, by the addresses of both, and how grave and sure that is.
fn refusal(group: &Group) -> Option<(IpAddr, IpAddr, Affected, Severity, Confidence)> {
    let finding = &group.finding;
    let (client, peer) = finding.subject.client.zip(finding.subject.peer).filter(|_| finding.id == FORBIDDEN)?;
    // a public address is barred by a rule of one server's own
    let is_private = peer.0.scope() != Scope::Public;
    is_private.then(|| (client.0.ip(), peer.0.ip(), finding.affected.clone(), finding.severity, finding.confidence))
}

/// Takes in what another server answers; gives that server.
fn absorb(first: &mut Concluded, other: Concluded) -> Option<String> {
    first.occurrences += other.occurrences;
    first.frames_total += other.frames_total;
    first.until = first.until.max(other.until);
    first.frames = in_order(std::mem::take(&mut first.frames).into_iter().chain(other.frames));
    first.frames.truncate(MAX_FRAMES);
    widen(&mut first.filter, other.filter.as_deref());
    other.subject.server.map(|server| server.to_string())
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
