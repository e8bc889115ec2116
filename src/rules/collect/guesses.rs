//! One who tries out names and passwords, or ports: what tells it from a client that holds the wrong one.

use super::alike::join_alike;
use super::beside::REJECTED;
use super::{Concluded, Group, Remedy};
use crate::net::ServerAddress;
use crate::rules::authentication::SIGNS;
use crate::rules::reachability::CLOSED;
use crate::rules::{Confidence, Severity};
use crate::session::{Clients, Name};
use std::net::IpAddr;

/// So many passwords, each another of those given, no client was set up with.
const PASSWORDS: usize = 3;
/// So many users of one host are more than the accounts of a person.
const USERS: u64 = 5;
/// So many refusals before the server takes a user may have been guesses.
const TRIES: u64 = 10;
/// So many ports of one host at which nothing listens are more than a client is told to ask.
const PORTS: usize = 4;
/// How many of them are told.
const TOLD: usize = 3;
/// The finding that nobody is there.
const UNREACHABLE: &str = "turn-unreachable";

/// One host, one user and one server, and how grave and sure it is.
type Tried = (IpAddr, Option<Name>, ServerAddress, Severity, Confidence);

/// Makes one finding of what a host was refused that signs as one user with several of the credentials given.
pub(super) fn join(groups: &mut Vec<Group>, clients: &Clients) {
    join_alike(groups, tried, None, |alike| of_one(alike, clients));
    join_alike(groups, closed, None, |alike| of_ports(alike, clients));
}

/// A host that asked another one at a port at which nothing listens, perhaps to see whether something does.
fn closed(group: &Group) -> Option<(IpAddr, IpAddr)> {
    let finding = &group.finding;
    let told = finding.id == UNREACHABLE && finding.confidence == Confidence::Likely;
    let mut all = group.remedies().filter_map(Remedy::grievance).map(|from| from.client);
    let (client, server) = (all.next().filter(|_| told)?, finding.subject.server?.0.ip());
    (all.all(|other| other == client) && finding.text.title.contains(CLOSED)).then_some((client, server))
}

fn of_ports(alike: Vec<Group>, clients: &Clients) -> Vec<Group> {
    let ports: Vec<u16> = alike.iter().filter_map(|group| group.finding.subject.server).map(|at| at.0.port()).collect();
    let subject = alike.first().map(|group| &group.finding.subject);
    let ends = subject.and_then(|subject| Some((subject.client?.0.ip(), subject.server?.0.ip())));
    let Some((client, server)) = ends.filter(|_| ports.len() >= PORTS) else { return alike };
    let mut one = alike.into_iter().reduce(|one, other| one.joined(other, clients));
    if let Some(group) = &mut one {
        let first: Vec<String> = ports.iter().take(TOLD).map(u16::to_string).collect();
        let text = &mut group.finding.text;
        text.title = format!(
            "{client} asked {} ports of {server} at which nothing listens: {} and {} more",
            ports.len(),
            first.join(", "),
            ports.len() - first.len()
        );
        text.explanation += &format!(
            " That is the first of {} such ports of {server} that {client} asked, as one does who looks for servers.",
            ports.len()
        );
        text.fix = format!(
            "None, where {client} is no client of yours. Else correct the address and the ports in its configuration."
        );
    }
    one.into_iter().collect()
}

fn tried(group: &Group) -> Option<Tried> {
    let finding = &group.finding;
    if finding.id != REJECTED || !finding.text.title.contains(SIGNS) {
        return None;
    }
    let mut all = group.remedies().filter_map(Remedy::grievance).map(|from| (from.client, from.user));
    let (client, user) = all.next()?;
    let server = finding.subject.server?;
    all.all(|other| other == (client, user)).then_some((client, user, server, finding.severity, finding.confidence))
}

fn of_one(alike: Vec<Group>, clients: &Clients) -> Vec<Group> {
    let tried = alike.len();
    let host = alike.first().and_then(|group| group.finding.subject.client).map(|client| client.0.ip());
    let Some(host) = host.filter(|_| tried >= PASSWORDS) else { return alike };
    let mut one = alike.into_iter().reduce(|one, other| one.joined(other, clients));
    if let Some(group) = &mut one {
        let text = &mut group.finding.text;
        let title = text.title.split_once(SIGNS).map_or(text.title.as_str(), |(what, _)| what.trim_end_matches(": "));
        text.title = format!("{title}: {host} signs with {tried} of the credentials given, one after the other");
        text.explanation += &format!(
            " That is the first of {tried} of the credentials given with which {host} signed as that user, and each was refused: so does one who tries out passwords, or \
             somebody who does not know which of them is right."
        );
        text.fix = format!(
            "If {host} is a client of yours, give it the password that the server holds. Else bar it, and look whether the server took one of its passwords in the end."
        );
    }
    one.into_iter().collect()
}

/// That all the users which a server refuses come from one host.
pub(super) fn tell_of_host(finding: &mut Concluded) {
    let (affected, host) = (&finding.affected, finding.subject.client);
    if let Some(client) = host.filter(|_| affected.clients_total == 1 && affected.users_total >= USERS) {
        let host = client.0.ip();
        finding.text.explanation += &format!(
            " All {} users were tried from {host}: that is a gateway or NAT for all of them, or one who tries out names and passwords.",
            affected.users_total
        );
    }
}

/// What there is to add where a user is accepted after it was refused.
pub(super) fn or_found(finding: &Concluded) -> &'static str {
    let one = finding.affected.clients_total <= 1 && finding.affected.users_total <= 1;
    if one && finding.occurrences >= TRIES { ", or the right password was found by trying" } else { "" }
}
