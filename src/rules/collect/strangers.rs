//! Those who knock once at a server that serves others: nobody knows whether they wanted to be served.

use super::Group;
use crate::rules::{Confidence, Severity};
use std::collections::BTreeSet;
use std::net::IpAddr;

const NO_CREDENTIALS: &str = "turn-no-credentials";
const CHALLENGE: &str = "turn-challenge";
/// A request and its answer.
const ONCE: u64 = 2;

/// Leaves open why a host asked once without credentials, where the same server took those of another one.
pub(super) fn tell(groups: &mut [Group]) {
    let ends = |group: &Group| {
        let subject = &group.finding.subject;
        Some((subject.server?.0.ip(), subject.client?.0.ip()))
    };
    let served: BTreeSet<(IpAddr, IpAddr)> =
        groups.iter().filter(|group| group.finding.id == CHALLENGE).filter_map(ends).collect();
    let is_stranger = |group: &Group| {
        let finding = &group.finding;
        let once = finding.occurrences == 1 && finding.frames_total <= ONCE;
        let others = ends(group)
            .is_some_and(|(server, client)| served.iter().any(|(known, other)| *known == server && *other != client));
        finding.id == NO_CREDENTIALS && finding.severity == Severity::Failure && once && others
    };
    for group in groups {
        if is_stranger(group) {
            group.finding.confidence = Confidence::Likely;
            group.finding.text.explanation += " It asked once, and the server takes the credentials of others: it may have been looking for servers, or seeing whether this one is there.";
        }
    }
}
