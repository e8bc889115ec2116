//! Whom the same server served: that it took the same user at another time, or from another client, and how many others it took.

use super::{Concluded, Group, Remedy, guesses};
use crate::net::Endpoint;
use crate::rules::evidence::{counted, how_long, listed};
use crate::session::{Clients, Grievance, Lendings, Name, Names};
use hashbrown::HashSet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The finding that the server does not take a user's password.
pub(super) const REJECTED: &str = "turn-integrity-rejected";
/// Findings in which it makes a difference whether others fare better.
const ABOUT_ONE: &[&str] = &[
    REJECTED,
    "turn-unknown-user",
    "turn-credential-expired",
    "turn-realm-mismatch",
    "turn-quota",
    "turn-answer-lost",
    "turn-no-response",
];
/// The same, where it is over TLS that they fare better.
pub(super) const ABOUT_TLS: &[&str] =
    &["tls-certificate-rejected", "tls-certificate-name", "tls-certificate-expired", "tls-handshake-failure"];
/// How many servers are told that took a user.
const TAKERS: usize = 3;
/// How a title ends that leaves open which side is wrong.
pub(super) const OPEN: &str = "differs between client and server";

impl Group {
    /// Whose allocations are asked for: the users that a server does not take.
    pub(super) fn refused_users(&self) -> impl Iterator<Item = Name> {
        let grievances = self.remedies().filter(|_| self.finding.id == REJECTED).filter_map(Remedy::grievance);
        grievances.filter_map(|from| from.user)
    }

    /// Tells what the server did for others, and for the same user.
    pub(super) fn tell_of_others(&mut self, grievances: &[Grievance], lendings: &Lendings<'_>, names: &Names) {
        if !ABOUT_ONE.contains(&self.finding.id) {
            return;
        }
        let refused: BTreeSet<Name> = self.refused_users().collect();
        let finding = &mut self.finding;
        let is_told = |from: &&Grievance| {
            let subject = &finding.subject;
            let user = from.user.map(|user| names.text(user));
            subject.client.is_some_and(|client| client.0.ip() == from.client)
                && (user.is_none() || user == subject.username)
        };
        let Some(told) = grievances.iter().find(is_told).copied() else { return };
        let these: HashSet<IpAddr> = grievances.iter().map(|from| from.client).collect();
        if finding.id == REJECTED {
            guesses::tell_of_host(finding);
        }
        let is_open = finding.id == REJECTED && finding.text.title.ends_with(OPEN);
        if is_open && !tell_of_user(finding, &told, lendings) {
            tell_of_takers(finding, told.server, &refused, lendings);
        }
        let others = lendings.beside(told.server, &these);
        if others == 0 {
            return;
        }
        let explanation = &mut finding.text.explanation;
        *explanation +=
            &format!(" In this capture the server gave relays to {}.", counted(others as u64, "other client"));
        if finding.id == REJECTED && lendings.takes_limited(told.server) {
            *explanation += " Time-limited credentials were among those that it took: its secret and its clock fit some issuer of them.";
        }
    }

    /// Tells how many others agreed on TLS with the same host.
    pub(super) fn tell_of_secured(&mut self, grievances: &[Grievance], clients: &Clients) {
        if !ABOUT_TLS.contains(&self.finding.id) {
            return;
        }
        let Some(host) = self.finding.subject.server.map(|server| server.0.ip()) else { return };
        let these: HashSet<IpAddr> = grievances.iter().map(|from| from.client).collect();
        let others = clients.encrypted().secured_with(host).filter(|(client, _)| !these.contains(client)).count();
        if others > 0 {
            self.finding.text.explanation += &format!(
                " In this capture {} completed TLS with {host}, on this port or another.",
                counted(others as u64, "other client")
            );
        }
    }
}

/// Tells of a server that took the same user before or later, or from another client; whether it did.
fn tell_of_user(finding: &mut Concluded, told: &Grievance, lendings: &Lendings<'_>) -> bool {
    let Some(user) = told.user else { return false };
    let own = lendings.last(told.server, user, told.client).map(|at| (at, told.client));
    let Some((at, client)) = own.or_else(|| lendings.last_of_another(told.server, user, told.client)) else {
        return false;
    };
    let (apart, is_before, is_own) = (how_long(at.apart(told.met)), at < told.met, client == told.client);
    if finding.affected.others().is_empty() {
        finding.text.title += &match (is_own, is_before) {
            (true, true) => format!("; {apart} before the same user was accepted"),
            (true, false) => "; later the same user was accepted".to_owned(),
            (false, _) => format!("; it accepted the same user from {client}"),
        };
    }
    let when = if is_before { format!("{apart} before") } else { format!("afterwards, the last time {apart} later") };
    let why = match (is_own, is_before) {
        (true, true) => "what is refused now was changed in between, on one of the two sides",
        (true, false) => "what was wrong was mended in between, on one of the two sides",
        (false, _) => "the server knows the user, and holds what that client has",
    };
    let found = if is_own && !is_before { guesses::or_found(finding) } else { "" };
    finding.text.explanation += &format!(" {client} was given a relay as that user {when}: {why}{found}.");
    true
}

/// Tells of other servers that took users whom this one refuses.
fn tell_of_takers(finding: &mut Concluded, server: Endpoint, refused: &BTreeSet<Name>, lendings: &Lendings<'_>) {
    let taken = refused.iter().filter(|user| lendings.elsewhere(server, **user).next().is_some()).count();
    let takers: BTreeSet<Endpoint> = refused.iter().flat_map(|user| lendings.elsewhere(server, *user)).collect();
    let Some(first) = takers.first() else { return };
    if finding.affected.others().is_empty() {
        finding.text.title += &format!("; {first} accepted the same user");
    }
    let mut told: Vec<String> = takers.iter().take(TAKERS).map(Endpoint::to_string).collect();
    if takers.len() > TAKERS {
        told.push(counted((takers.len() - TAKERS) as u64, "other server"));
    }
    let whom =
        if refused.len() == 1 { "that user".to_owned() } else { format!("{taken} of the users that it refuses") };
    finding.text.explanation += &format!(
        " {} gave relays to {whom}: where all are to have the same users or the same shared secret, {server} is the one that differs.",
        listed(&told)
    );
}
