//! Which finding is the cause of which.

use super::{Concluded, Group, Subject};
use crate::rules::Severity;
use crate::session::Clients;
use crate::time::Span;
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What is said to be the cause of others is a failure where one of them is.
pub(super) fn raise_causes(groups: &mut [Group]) {
    let failed: BTreeSet<String> = groups
        .iter()
        .filter(|group| group.finding.effective_severity() == Severity::Failure)
        .filter_map(|group| group.finding.caused_by.clone())
        .collect();
    for group in groups.iter_mut().filter(|group| !group.effects.is_empty()) {
        if failed.contains(&group.finding.key) {
            group.finding.severity = Severity::Failure;
        }
    }
}

/// Whether a finding says of itself that it is the cause of another: about the same server where both name one, else about the same client; and
/// about the same user where both name one.
fn causes(cause: &Group, symptom: &Group) -> bool {
    let (one, other) = (&cause.finding.subject, &symptom.finding.subject);
    let server = |subject: &Subject| subject.server.map(|server| server.0.ip());
    let client = |subject: &Subject| subject.client.map(|client| client.0.ip());
    let same_user = one.username.as_ref().zip(other.username.as_ref()).is_none_or(|(one, other)| one == other);
    let same_place = match (server(one), server(other)) {
        (Some(one), Some(other)) => one == other,
        _ => client(one).is_some() && client(one) == client(other),
    };
    cause.effects.contains(&symptom.finding.id)
        && !cause.remedied
        && cause.finding.key != symptom.finding.key
        && same_user
        && same_place
}

/// A cause that shows later than this after its symptom's beginning belongs to another story.
const AFTERWARDS: Span = Span::from_secs(120);

pub(super) fn cause_of(symptom: &Group, groups: &[Group], clients: &Clients) -> Option<String> {
    let first = |cause: &&Group| (cause.finding.severity, cause.finding.at);
    if let Some(cause) = groups.iter().filter(|cause| causes(cause, symptom)).min_by_key(first) {
        return Some(cause.finding.key.clone());
    }
    let related = |cause: &&Group| {
        let (one, other) = (&symptom.finding.subject, &cause.finding.subject);
        let client = |subject: &Subject| subject.client.map(|client| client.0.ip());
        let peer = |subject: &Subject| subject.peer.map(|peer| peer.0.ip());
        let mapped = |subject: &Subject| subject.mapped.map(|mapped| mapped.0.ip());
        let server = |subject: &Subject| subject.server.map(|server| server.0.ip());
        symptom.causes.contains(&cause.finding.id)
            && cause.finding.key != symptom.finding.key
            // what was got over, and what is merely worth knowing, explains nothing
            && !cause.remedied
            && cause.finding.severity != Severity::Note
            && !is_beside(other, one)
            && !is_of_another_call(&cause.finding, &symptom.finding, clients)
            && cause.finding.at.since(symptom.finding.at) <= AFTERWARDS
            && (client(one).is_some_and(|client| cause.finding.strikes(client))
                || one.server.is_some() && one.server == other.server
                // what befell the other side
                || one.peer.is_some() && (peer(one) == client(other) || peer(one) == mapped(other))
                || one.server.is_some() && server(one) == client(other) && peer(other) == client(one))
    };
    // what befell the same server explains more than what befell another, there what befell the same client more than what befell another, and of several
    // causes the one that is named first is the nearest
    let nearest = |cause: &&Group| {
        let (one, other) = (symptom.finding.subject.server, cause.finding.subject.server);
        let elsewhere = one.zip(other).is_some_and(|(one, other)| one.0.ip() != other.0.ip());
        let client = symptom.finding.subject.client.map(|client| client.0.ip());
        let of_others = client.is_some_and(|client| !cause.finding.may_affect(client));
        let place = symptom.causes.iter().position(|id| *id == cause.finding.id);
        (elsewhere, of_others, cause.finding.severity, place, cause.finding.at)
    };
    let cause = groups.iter().filter(related).min_by_key(nearest)?;
    Some(cause.finding.key.clone())
}

/// Whether what is about a peer at an address that no other host could reach says nothing of another peer: such candidates are tried beside good ones.
fn is_beside(cause: &Subject, symptom: &Subject) -> bool {
    let (Some(one), Some(other)) = (cause.peer, symptom.peer) else { return false };
    one.0.scope().leads_nowhere() && one.0.ip() != other.0.ip()
}

/// Whether two findings about calls have only a host in common that is in calls with several others.
fn is_of_another_call(cause: &Concluded, symptom: &Concluded, clients: &Clients) -> bool {
    let hosts = |subject: &Subject| {
        let Subject { client, peer, server, .. } = subject;
        let all = [client.map(|end| end.0), peer.map(|end| end.0), server.map(|end| end.0)];
        all.into_iter().flatten().map(|end| end.ip())
    };
    let serves = |host: &IpAddr| clients.company().serves_several(*host);
    let is_about_a_call = cause.id.starts_with("ice-") || cause.id.starts_with("dtls-");
    let mut own = hosts(&symptom.subject).filter(|host| !serves(host)).peekable();
    is_about_a_call
        && hosts(&symptom.subject).any(|host| serves(&host))
        && own.peek().is_some()
        && !own.any(|host| cause.may_affect(host) || hosts(&cause.subject).any(|other| other == host))
}

/// For each finding that is a cause, how grave the gravest of what it explains is: a cause weighs as much as what came of it.
pub(super) fn gravest_symptoms(
    findings: &[Concluded],
    severity: impl Fn(&Concluded) -> Severity,
) -> HashMap<String, Severity> {
    // what explains explains itself through others: no chain of causes is longer than this
    const CHAIN: usize = 8;
    let by_key: HashMap<&str, &Concluded> = findings.iter().map(|finding| (finding.key.as_str(), finding)).collect();
    let mut gravest: HashMap<String, Severity> = HashMap::new();
    for finding in findings {
        let own = severity(finding);
        let mut cause = finding.caused_by.as_deref();
        for _ in 0..CHAIN {
            let Some(key) = cause else { break };
            let known = gravest.entry(key.to_owned()).or_insert(own);
            *known = own.min(*known);
            cause = by_key.get(key).and_then(|finding| finding.caused_by.as_deref());
        }
    }
    gravest
}
