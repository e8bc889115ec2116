//! Servers that suited their clients until a time, and none since: what was changed then is the same for all of them.

use super::Group;
use super::beside::{ABOUT_TLS, OPEN, REJECTED};
use crate::rules::evidence::how_long;
use crate::session::{Clients, Grievance, Lendings};
use hashbrown::HashSet;
use std::net::IpAddr;

/// Findings that the server does not take what a client shows for itself, for no reason of that client alone, as that its time is over.
const ABOUT_CREDENTIALS: &[&str] = &[REJECTED, "turn-unknown-user", "turn-realm-mismatch"];
/// So many clients do not all begin to show something wrong at once.
const MANY: usize = 3;

impl Group {
    /// Tells of a server that took several of these clients before, and nobody since; whether it is one.
    pub(super) fn tell_of_change(&mut self, grievances: &[Grievance], lendings: &Lendings<'_>) -> bool {
        let Some(server) = self.finding.subject.server.filter(|_| ABOUT_CREDENTIALS.contains(&self.finding.id)) else {
            return false;
        };
        let these: HashSet<IpAddr> = grievances.iter().map(|from| from.client).collect();
        let taken = lendings.among(server.0, &these).count();
        let times = grievances.iter().map(|from| from.at).min().zip(lendings.last_of_all(server.0));
        let Some((first, last)) = times.filter(|(first, last)| last < first && taken >= MANY) else { return false };
        let text = &mut self.finding.text;
        let open = text.title.ends_with(OPEN).then(|| text.title.rsplit_once(": ")).flatten();
        if let Some(refused) = open.and_then(|(refused, _)| refused.strip_prefix(&server.to_string())) {
            text.title = format!("{server} accepts none of {taken} clients any more: it{refused}");
        }
        text.explanation += &format!(
            " The server gave relays to {taken} of the clients that it refuses here, the last one {} before the first of these refusals, and to nobody after \
             it: what was changed in between is the same for all, what the server checks against or what hands out the credentials.",
            how_long(first.since(last))
        );
        text.fix += " See what was changed at that time: the server's users and passwords or its shared secret, or what hands these out to clients.";
        true
    }

    /// Tells of a server with which one of these clients completed TLS before, and nobody did since; whether it is one.
    pub(super) fn tell_of_changed_tls(&mut self, grievances: &[Grievance], clients: &Clients) -> bool {
        let server = self.finding.subject.server.filter(|_| ABOUT_TLS.contains(&self.finding.id));
        let Some(host) = server.map(|server| server.0.ip()) else { return false };
        let these: HashSet<IpAddr> = grievances.iter().map(|from| from.client).collect();
        let secured = || clients.encrypted().secured_with(host);
        let before: Vec<IpAddr> = secured().map(|(client, _)| client).filter(|client| these.contains(client)).collect();
        let times = grievances.iter().map(|from| from.at).min().zip(secured().map(|(_, at)| at).max());
        let Some((first, last)) = times.filter(|(first, last)| last < first && !before.is_empty()) else {
            return false;
        };
        let whom = match (before.as_slice(), these.len()) {
            ([client], 1) => client.to_string(),
            (many, _) => format!("{} of these clients", many.len()),
        };
        let text = &mut self.finding.text;
        text.explanation += &format!(
            " {whom} completed TLS with {host} before, the last time {} before the first that failed, and nobody did after it: the server's TLS was \
             changed in between, or what it is judged by.",
            how_long(first.since(last))
        );
        text.fix += " See what was changed at that time.";
        true
    }
}
