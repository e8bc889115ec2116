//! One host with which several others meet the same, as the clients of a conference server do: one finding, and it is that host's.

use super::alike::join_alike;
use super::{Concluded, Group};
use crate::rules::{Confidence, Severity};
use crate::session::Clients;
use crate::time::Span;
use hashbrown::HashSet;
use std::net::IpAddr;

/// So many do not meet the same by chance.
const MANY: usize = 3;

/// Findings of two hosts, and what is said of others that they are found of, too.
struct Kind {
    ids: &'static [&'static str],
    /// How long after the first one the others are found.
    within: Option<Span>,
    told: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        ids: &["ice-consent-lost"],
        // agents that lose a peer at once find out within this time: those that ask seldom when 30 s are over (RFC 7675 §5.1)
        within: Some(Span::from_secs(60)),
        told: "met the same with it at about that time",
    },
    Kind {
        ids: &[
            "ice-checks-unanswered",
            "ice-one-way",
            "dtls-no-answer",
            "dtls-unreachable",
            "dtls-never-started",
            "dtls-fragment-lost",
            "dtls-hello-fragmented",
            "dtls-certificate-rejected",
            "dtls-handshake-failure",
            "dtls-version",
            "dtls-incomplete",
        ],
        within: None,
        told: "met the same with it",
    },
];

/// Joins what tells the same of one host, as grave and as sure.
pub(super) fn join(groups: &mut Vec<Group>, clients: &Clients) {
    for kind in KINDS {
        // whom several ask, then who asks several
        for shared in [1, 0] {
            let about =
                |group: &Group| kind.ids.contains(&group.finding.id).then(|| same(&group.finding, shared)).flatten();
            join_alike(groups, about, kind.within, |alike| of_one(alike, shared, kind, clients));
        }
    }
}

/// Who asks whom.
fn ends(finding: &Concluded) -> Option<[IpAddr; 2]> {
    let subject = &finding.subject;
    let asked = subject.peer.map(|peer| peer.0).filter(|_| finding.id.starts_with("ice-"));
    let asked = asked.or(subject.server.map(|server| server.0))?;
    Some([subject.client?.0.ip(), asked.ip()])
}

/// The finding's id, the end that it shares with others, what tells it from others of that id between the same hosts, and how grave and sure it is.
fn same(finding: &Concluded, shared: usize) -> Option<(&'static str, IpAddr, String, Severity, Confidence)> {
    let what = finding.key.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
    Some((finding.id, *ends(finding)?.get(shared)?, what, finding.severity, finding.confidence))
}

/// One of those that share an end, where enough do.
fn of_one(alike: Vec<Group>, shared: usize, kind: &Kind, clients: &Clients) -> Vec<Group> {
    let all: Vec<[IpAddr; 2]> = alike.iter().filter_map(|group| ends(&group.finding)).collect();
    let others: HashSet<IpAddr> = all.iter().filter_map(|ends| ends.get(1 - shared)).copied().collect();
    let Some(host) = all.first().and_then(|ends| ends.get(shared)).filter(|_| others.len() >= MANY) else {
        return alike;
    };
    let told =
        format!(" {} others {}: it is {host} itself, or a way that all of them share.", others.len() - 1, kind.told,);
    let tell = |mut group: Group| {
        group.finding.text.explanation += &told;
        group
    };
    let absorb = |mut first: Group, other: Group| {
        first.make_room(clients);
        first.absorb(other);
        first
    };
    alike.into_iter().map(tell).reduce(absorb).into_iter().collect()
}
