//! Several ways to one server that are all closed to a client: then the first of them tells of the others, and nobody is sent from one to the next.

use super::{Collector, Group, Occurrence, Text};
use crate::net::Transport;
use crate::rules::{Confidence, Severity};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Findings that speak of one way to a server that does not get a client through.
const CLOSED: &[&str] = &[
    "turn-no-response",
    "turn-unreachable",
    "tls-handshake-failure",
    "tls-certificate-rejected",
    "tls-certificate-name",
    "tls-certificate-expired",
];
/// How many ways of one client to one server are told of.
const SHOWN: usize = 6;

impl Collector {
    /// A way to a server does not get a client through. `otherwise` is what to do if another way is open, in whole sentences: where the others are seen to be
    /// closed, too, that is said in its place.
    pub fn add_way(&mut self, seen: Occurrence, otherwise: &str, text: impl FnOnce() -> Text) {
        let key = super::key_of(seen.id, &seen.key);
        self.add(seen, text);
        if let Some(group) = self.groups.get_mut(&key) {
            group.otherwise.get_or_insert_with(|| otherwise.to_owned());
        }
    }
}

/// A way that is closed: how sure that is, over what, and which port.
struct Closed {
    place: usize,
    confidence: Confidence,
    over: (Transport, u16),
}

/// Says of ways that are closed whether others are, too.
pub(super) fn tell(groups: &mut [Group]) {
    let mut closed: BTreeMap<(IpAddr, IpAddr), Vec<Closed>> = BTreeMap::new();
    let mut order: Vec<usize> = (0..groups.len()).collect();
    // the one that makes the headline comes first
    order.sort_by_key(|&place| {
        groups
            .get(place)
            .map(|group| (group.finding.confidence, group.finding.at, group.finding.frames.first().copied()))
    });
    for place in order {
        let Some(finding) = groups.get(place).map(|group| &group.finding) else { continue };
        let fails = finding.severity == Severity::Failure && finding.caused_by.is_none();
        let subject = &finding.subject;
        let (Some(client), Some(server), Some(transport)) = (subject.client, subject.server, subject.transport) else {
            continue;
        };
        if CLOSED.contains(&finding.id) && fails {
            let (confidence, over) = (finding.confidence, (transport, server.0.port()));
            closed.entry((client.0.ip(), server.0.ip())).or_default().push(Closed { place, confidence, over });
        }
    }
    for (_, ways) in closed {
        for (number, way) in ways.iter().enumerate() {
            let of = |certain: bool| -> Vec<(Transport, u16)> {
                let others = ways.iter().filter(|other| other.over != way.over);
                others
                    .filter(|other| (other.confidence <= way.confidence) == certain)
                    .map(|other| other.over)
                    .take(SHOWN)
                    .collect()
            };
            // what is certain is not said to be like what is only likely
            let (others, is_likely) = match (of(true), of(false)) {
                (others, _) if !others.is_empty() => (others, false),
                (_, others) => (others, true),
            };
            if let Some(group) = groups.get_mut(way.place).filter(|_| !others.is_empty()) {
                tell_others(group, (&others, is_likely), number == 0);
            }
        }
    }
    for group in groups {
        if let Some(otherwise) = group.otherwise.take().filter(|otherwise| !otherwise.is_empty()) {
            group.finding.text.fix = format!("{} {otherwise}", group.finding.text.fix);
        }
    }
}

fn tell_others(group: &mut Group, (others, is_likely): (&[(Transport, u16)], bool), is_first: bool) {
    let (listed, many) = list(others);
    let fail = match (is_likely, many) {
        (false, true) => "fail",
        (false, false) => "fails",
        (true, true) => "likely fail",
        (true, false) => "likely fails",
    };
    let text = &mut group.finding.text;
    if is_first {
        text.title += &format!("; {listed} {fail} as well");
    }
    if group.otherwise.is_some() {
        group.otherwise = Some(format!(
            "Another transport is no way out: {listed} to the same host {fail} as well. Check first that the address is right and that the host runs; then \
             find what closes these ways, and have at least one of them opened."
        ));
    }
}

/// `TCP on ports 443 and 3478`, `UDP on port 3478 and TLS on port 443`; and whether these are several.
fn list(ways: &[(Transport, u16)]) -> (String, bool) {
    let mut by_transport: Vec<(&'static str, Vec<u16>)> = Vec::new();
    for &(transport, port) in ways {
        match by_transport.iter_mut().find(|(name, _)| *name == transport.name()) {
            Some((_, ports)) if ports.contains(&port) => {}
            Some((_, ports)) => ports.push(port),
            None => by_transport.push((transport.name(), vec![port])),
        }
    }
    let words: Vec<String> = by_transport
        .into_iter()
        .map(|(name, mut ports)| {
            ports.sort_unstable();
            let numbers: Vec<String> = ports.iter().map(u16::to_string).collect();
            let plural = if ports.len() == 1 { "" } else { "s" };
            format!("{name} on port{plural} {}", crate::rules::evidence::listed(&numbers))
        })
        .collect();
    (crate::rules::evidence::listed(&words), words.len() > 1)
}
