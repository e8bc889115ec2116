//! One host with which several others meet the same, as the clients of a conference server do: one finding, and it is that host's.

use super::alike::join_alike;
use super::{Concluded, Group};
use crate::net::{Endpoint, Network, are_neighbours};
use crate::rules::Severity;
use crate::rules::evidence::how_long;
use crate::session::Clients;
use crate::time::Span;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// So many do not meet the same by chance.
const MANY: usize = 3;

/// What so many meet within this time they meet at once.
const AT_ONCE: Span = Span::from_secs(10);

/// Of so many ports it is no chance that those of some are all below those of the others.
const APART: usize = 8;

/// Findings of two hosts that others have with one of them, too.
struct Kind {
    ids: &'static [&'static str],
    /// How long after the first one the others are found.
    within: Option<Span>,
}

const KINDS: &[Kind] = &[
    Kind {
        ids: &["ice-consent-lost"],
        // agents that lose a peer at once find out within this time: those that ask seldom when 30 s are over (RFC 7675 §5.1)
        within: Some(Span::from_secs(60)),
    },
    Kind {
        ids: &[
            "ice-checks-unanswered",
            "ice-one-way",
            "ice-check-unauthorized",
            "ice-not-nominated",
            "dtls-no-answer",
            "dtls-unreachable",
            "dtls-never-started",
            "dtls-fragment-lost",
            "dtls-hello-fragmented",
            "dtls-certificate-rejected",
            "dtls-handshake-failure",
            "dtls-version",
            "dtls-incomplete",
            "dtls-closed",
            "media-one-way",
            "media-lossy",
        ],
        within: None,
    },
];

/// Joins what tells the same of one host, as grave.
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
fn ends(finding: &Concluded) -> Option<[Endpoint; 2]> {
    let subject = &finding.subject;
    let (peer, server) = (subject.peer.map(|peer| peer.0), subject.server.map(|server| server.0));
    let asked = if finding.id.starts_with("dtls-") { server.or(peer) } else { peer.or(server) }?;
    Some([subject.client?.0, asked])
}

/// The finding's id, the end that it shares with others, what tells it from others of that id between the same hosts, and how grave it is.
fn same(finding: &Concluded, shared: usize) -> Option<(&'static str, IpAddr, String, Severity)> {
    let what = finding.key.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
    Some((finding.id, ends(finding)?.get(shared)?.ip(), what, finding.severity))
}

/// One of those that share an end, where enough do.
fn of_one(alike: Vec<Group>, shared: usize, kind: &Kind, clients: &Clients) -> Vec<Group> {
    let crowd = (alike.len() >= MANY).then(|| Crowd::of(&alike, shared, clients)).flatten();
    let Some(crowd) = crowd.filter(|crowd| crowd.others.len() >= MANY) else { return alike };
    // whom a conference server asks in vain is its client, whatever others get from it
    let asks = shared == 0 && clients.company().serves_several(crowd.host);
    let is_note = alike.iter().all(|group| group.finding.severity == Severity::Note);
    let (told, fix) = if is_note { crowd.note() } else { crowd.words(kind, asks) };
    // a host that calls others may call some in vain, and who was served may have left
    let certain = kind.within.is_none() && (crowd.is_of_ports() || crowd.is_from_outside());
    // several that lose a host at once, and of whom none came back, did not hang up
    let is_gone = shared == 1 && kind.within.is_some() && crowd.span <= AT_ONCE && crowd.is_without_others();
    let tell = |mut group: Group| {
        if is_gone {
            group.assure();
        }
        group.finding.text.explanation += &told;
        group.finding.text.fix += &fix;
        if let Some([own, _]) = ends(&group.finding).filter(|_| asks) {
            group.turn_around(own, certain);
        }
        group
    };
    alike.into_iter().map(tell).reduce(|one, other| one.joined(other, clients)).into_iter().collect()
}

/// Those that meet the same with one host, and those that do not.
struct Crowd {
    host: IpAddr,
    others: BTreeSet<IpAddr>,
    /// The host's ports at which they do.
    ports: BTreeSet<u16>,
    /// From the first to the last of them.
    span: Span,
    /// Who exchanged data with the host after that.
    well: BTreeSet<IpAddr>,
    /// At which of its ports.
    well_at: BTreeSet<u16>,
    /// Whether all of these are known.
    all_known: bool,
}

impl Crowd {
    fn of(alike: &[Group], shared: usize, clients: &Clients) -> Option<Crowd> {
        let all: Vec<[Endpoint; 2]> = alike.iter().filter_map(|group| ends(&group.finding)).collect();
        let own = || all.iter().filter_map(|ends| ends.get(shared));
        let host = own().next()?.ip();
        let others: BTreeSet<IpAddr> = all.iter().filter_map(|ends| ends.get(1 - shared)).map(Endpoint::ip).collect();
        let first = alike.iter().map(|group| group.finding.at).min()?;
        let last = alike.iter().map(|group| group.finding.until).max()?;
        let company = clients.company();
        let well = || company.of(host).filter(|(_, other, until)| *until >= last && !others.contains(other));
        Some(Crowd {
            host,
            ports: own().map(Endpoint::port).collect(),
            span: last.since(first),
            well: well().map(|(_, other, _)| other).collect(),
            well_at: well().map(|(port, ..)| port).collect(),
            others,
            all_known: !company.is_full(),
        })
    }

    /// Whether they have ports of the host in common at which nobody does well.
    fn is_of_ports(&self) -> bool {
        let (one, other) = (&self.ports, &self.well_at);
        let (Some(low), Some(high)) = (one.first(), one.last()) else { return false };
        let apart = other.last() < Some(low) || other.first() > Some(high);
        let several = one.len() > 1;
        !other.is_empty() && one.is_disjoint(other) && (!several || apart && one.len() + other.len() >= APART)
    }

    /// Whether the host, or the ports of it that they have in common, serve nobody any more.
    fn is_without_others(&self) -> bool {
        self.all_known && (self.well.is_empty() || self.is_of_ports())
    }

    /// What to add to a note, which blames nobody.
    fn note(&self) -> (String, String) {
        (format!(" It is the same with {} others and {}.", self.others.len() - 1, self.host), String::new())
    }

    /// What to add to the explanation, and to the fix; `asks` where it is the host that asks them.
    fn words(&self, kind: &Kind, asks: bool) -> (String, String) {
        let Crowd { host, others, well, .. } = self;
        let when = match kind.within {
            Some(_) if self.span <= AT_ONCE => " at about that time".to_owned(),
            Some(_) => format!(" within {}", how_long(self.span)),
            None => String::new(),
        };
        let met = format!(" {} others met the same with it{when}", others.len() - 1);
        if well.is_empty() {
            // where there was no room for all that exchanged data with others, some may have gone on
            let whose = format!(": it is {host} itself, or a way that all of them share");
            return (format!("{met}{}.", if self.all_known { whose } else { String::new() }), String::new());
        }
        if self.is_of_ports() {
            let (own, other) = (listed(&self.ports), listed(&self.well_at));
            return (
                format!("{met}, all of them at its {own}, while others exchange data with it at its {other}."),
                format!(
                    " See what is different about {own} of {host}: another process or worker, which may hang, another rule of a firewall, or what a NAT does not \
                     forward.{}",
                    if self.ports.len() > 1 {
                        " Where it takes its ports in turn, see what changed at that time."
                    } else {
                        ""
                    }
                ),
            );
        }
        let go_on = if well.len() == 1 { "1 host goes on".to_owned() } else { format!("{} hosts go on", well.len()) };
        let (common, fix) = self.in_common();
        let look = match kind.within {
            Some(_) if asks && common.is_empty() => {
                ". Participants that leave without a goodbye look like that, too".to_owned()
            }
            _ => format!(": look for what these have in common{common}"),
        };
        let told = format!("{met}, while {go_on} exchanging data with it, so that it is not {host} as a whole{look}.");
        (told, if asks { fix } else { String::new() })
    }

    /// Whether only hosts of the host's own network go on, and none of the others is of it.
    fn is_from_outside(&self) -> bool {
        !self.well.is_empty() && are_all_beside(&self.well, self.host) && is_none_beside(&self.others, self.host)
    }

    /// What networks tell the ones from the others by, and what to do about it.
    fn in_common(&self) -> (String, String) {
        let Crowd { host, others, well, .. } = self;
        if self.is_from_outside() {
            let network = Network::around(*host);
            return (
                format!(": none of them is in {network}, its own network, and all that go on are"),
                format!(
                    " See that {host} announces an address in its candidates by which it is reached from outside {network}, and that a NAT and the firewalls before it \
                     let UDP to it in."
                ),
            );
        }
        let one = others.first().copied().filter(|&one| are_all_beside(others, one) && is_none_beside(well, one));
        let told = one.map(|one| format!(": all of them are in {}, and none that goes on is", Network::around(one)));
        (told.unwrap_or_default(), String::new())
    }
}

fn are_all_beside(hosts: &BTreeSet<IpAddr>, one: IpAddr) -> bool {
    hosts.iter().all(|&other| are_neighbours(one, other))
}

fn is_none_beside(hosts: &BTreeSet<IpAddr>, one: IpAddr) -> bool {
    !hosts.iter().any(|&other| are_neighbours(one, other))
}

/// `port 10001`, `ports 40100 to 40195`.
fn listed(ports: &BTreeSet<u16>) -> String {
    match (ports.first(), ports.last()) {
        (Some(low), Some(high)) if low < high => format!("ports {low} to {high}"),
        (Some(port), _) => format!("port {port}"),
        _ => String::new(),
    }
}
