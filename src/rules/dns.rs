//! `dns-failed`: the name of a STUN or TURN server cannot be resolved.

use super::evidence::{first_frames, quote};
use super::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::frame::in_order;
use crate::net::ClientAddress;
use crate::session::{Grievance, Lookup, Lookups, is_likely};
use crate::time::Span;
use crate::wire::dns::{Kind, Rcode};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) const ID: &str = "dns-failed";

/// A question counts as unanswered when it was asked so often, and the capture goes on for this long after the last time.
const COPIES: u64 = 2;
const PATIENCE: Span = Span::from_secs(3);

pub(super) fn judge(view: &View<'_>, out: &mut Collector) {
    let lookups = view.session.lookups();
    // what a resolver asks on behalf of others is told by what it answers them
    let resolvers: BTreeSet<IpAddr> = lookups.iter().map(|(_, lookup)| lookup.resolver.ip()).collect();
    let mut of_names: BTreeMap<(IpAddr, &str), Vec<(Kind, &Lookup)>> = BTreeMap::new();
    for ((client, name, kind), lookup) in lookups.iter() {
        let is_server = lookups.is_wanted(name) || is_likely(name);
        if is_server && matches!(kind, Kind::A | Kind::Aaaa) && !resolvers.contains(client) {
            of_names.entry((*client, name)).or_default().push((*kind, lookup));
        }
    }
    for (&(client, name), asked) in &of_names {
        // an address of either family is enough, and a name with none of one family has the other as a rule
        let resolved = asked.iter().any(|(_, lookup)| lookup.rcode == Some(Rcode::NOERROR));
        if resolved || is_of_search_list(client, name, lookups) {
            continue;
        }
        let failed: Vec<(Kind, &Lookup)> =
            asked.iter().filter(|(_, lookup)| lookup.rcode.is_some() || is_silent(lookup, view)).copied().collect();
        // a question that may still be answered leaves it open
        if let (Some(&(_, first)), true) = (failed.first(), failed.len() == asked.len()) {
            tell(client, name, &failed, first, view, out);
        }
    }
}

fn is_silent(lookup: &Lookup, view: &View<'_>) -> bool {
    lookup.questions.total >= COPIES && view.now().since(lookup.last.time) >= PATIENCE
}

/// Resolvers of hosts try a name with the domains of their search list behind it: the name itself tells then.
fn is_of_search_list(client: IpAddr, name: &str, lookups: &Lookups) -> bool {
    let dots = name.match_indices('.').map(|(at, _)| at);
    dots.filter_map(|at| name.get(..at)).any(|shorter| {
        shorter.contains('.') && [Kind::A, Kind::Aaaa].iter().any(|&kind| lookups.get(client, shorter, kind).is_some())
    })
}

fn tell(client: IpAddr, name: &str, failed: &[(Kind, &Lookup)], first: &Lookup, view: &View<'_>, out: &mut Collector) {
    let session = view.session;
    let answered = failed.iter().any(|(_, lookup)| lookup.rcode.is_some());
    // silence is evidence where an answer would have been seen, and that the client never reached a server where that would have been
    let heard = view.hears(client);
    let complete = session.has_other_packets();
    let listed = failed.iter().flat_map(|(_, lookup)| lookup.questions.frames.iter().chain(&lookup.answers.frames));
    let listed = in_order(listed.copied());
    let at = failed.iter().map(|(_, lookup)| lookup.first.time).min().unwrap_or(first.first.time);
    let grievance = Grievance::new(client, None, first.resolver, at);
    let seen = Occurrence {
        key: format!("{name} {client}"),
        severity: Severity::Failure,
        confidence: Confidence::certain_if((answered || heard) && complete),
        remedy: Remedy::Reachability(grievance),
        at,
        frames: listed.clone(),
        filter: Some(format!("dns && dns.qry.name == {}", quote(name))),
        subject: Subject { client: Some(ClientAddress(first.client)), ..Subject::default() },
        ..Occurrence::of(ID, "RFC 8489 §8")
    };
    out.add_cause(seen, &["ice-no-relay-candidate", "ice-checks-unanswered"], || text(client, name, failed, &listed));
}

fn text(client: IpAddr, name: &str, failed: &[(Kind, &Lookup)], listed: &[u64]) -> Text {
    let mut rcodes: Vec<Rcode> = failed.iter().filter_map(|(_, lookup)| lookup.rcode).collect();
    rcodes.sort_unstable();
    rcodes.dedup();
    let words: Vec<String> = rcodes.iter().map(ToString::to_string).collect();
    let total = failed.iter().map(|(_, lookup)| lookup.questions.total + lookup.answers.total).sum();
    let mut resolvers: Vec<IpAddr> = failed.iter().map(|(_, lookup)| lookup.resolver.ip()).collect();
    resolvers.sort_unstable();
    resolvers.dedup();
    let resolvers = resolvers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let kinds = failed.iter().map(|(kind, _)| kind.to_string()).collect::<Vec<_>>().join(" and ");
    let (title, seen, fix) = match rcodes.as_slice() {
        [] => (
            format!("{client} asks for the address of {name}, and no resolver answers"),
            format!("Nothing came back from {resolvers}."),
            format!(
                "See that {resolvers} runs and that UDP and TCP port 53 to it are open, or give the client another resolver."
            ),
        ),
        [Rcode::NXDOMAIN] => (
            format!("{client} cannot resolve {name}: there is no such name (NXDOMAIN)"),
            format!("{resolvers} answered NXDOMAIN: the name does not exist there."),
            format!(
                "Correct the name in the client's configuration, or enter {name} into the zone that {resolvers} answers from; where inside and \
                 outside have zones of their own (split DNS), into the one of this client."
            ),
        ),
        _ => (
            format!("{client} cannot resolve {name}: {}", words.join(" and ")),
            format!("{resolvers} answered {}.", words.join(" and ")),
            format!(
                "Look into the resolver {resolvers}: whether it reaches the servers of the zone of {name}, and may ask them."
            ),
        ),
    };
    Text {
        title,
        explanation: format!(
            "{client} asked for {kinds} of {name} ({}). {seen} Without an address the client cannot ask that server for anything.",
            first_frames(listed, total)
        ),
        fix,
    }
}
