//! What each client had in the end: the measure by which a refusal is a failure or a detour.

use super::exchange::Seen;
use super::names::Name;
use crate::net::Endpoint;
use crate::time::Timestamp;
use hashbrown::HashMap;
use std::net::IpAddr;

/// How many (user, server) pairs of a client are kept.
const MAX_GRANTS: usize = 16;
/// How many servers that a client asked are kept, and how many redirections that it was given.
const MAX_SERVERS: usize = 8;

/// What a client was granted, and whether its data flowed.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    grants: Vec<Grant>,
    data: Option<Timestamp>,
    /// Servers with the time of the first request on the 5-tuple that was opened last.
    contacts: Vec<(Endpoint, Timestamp)>,
    redirects: Vec<Redirect>,
}

/// One redirection of a client: 300 with ALTERNATE-SERVER (RFC 8489 §10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The server that sent the client away.
    pub from: Endpoint,
    /// Where it was to go.
    pub to: Endpoint,
    /// When it was told, last.
    pub at: Seen,
}

#[derive(Debug)]
struct Grant {
    user: Option<Name>,
    server: Endpoint,
    allocated: Timestamp,
    relayed: Timestamp,
    answered: Timestamp,
}

/// Before anything that a capture can hold.
const NEVER: Timestamp = Timestamp(i64::MIN);

/// The outcomes of all clients, by address.
#[derive(Debug)]
pub struct Clients {
    outcomes: HashMap<IpAddr, Outcome>,
    max: usize,
    dropped: u64,
}

/// Who, and since when, for [`Clients::recovered`].
#[derive(Clone, Copy, Debug)]
pub struct Grievance {
    /// The client's address.
    pub client: IpAddr,
    /// The user that it signed as.
    pub user: Option<Name>,
    /// The server that refused it or kept silent.
    pub server: Endpoint,
    /// When.
    pub at: Timestamp,
}

impl Clients {
    /// An empty table for at most `max` clients.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Clients { outcomes: HashMap::new(), max, dropped: 0 }
    }

    /// How many clients found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn of(&mut self, client: IpAddr) -> Option<&mut Outcome> {
        if !self.outcomes.contains_key(&client) && self.outcomes.len() >= self.max {
            self.dropped += 1;
            return None;
        }
        Some(self.outcomes.entry(client).or_default())
    }

    fn grant(&mut self, client: IpAddr, user: Option<Name>, server: Endpoint) -> Option<&mut Grant> {
        let grants = &mut self.of(client)?.grants;
        let found = grants.iter().position(|grant| grant.user == user && grant.server == server);
        let index = match found {
            Some(index) => index,
            None => {
                if grants.len() >= MAX_GRANTS {
                    grants.remove(0);
                }
                grants.reserve_exact(1);
                grants.push(Grant { user, server, allocated: NEVER, relayed: NEVER, answered: NEVER });
                grants.len() - 1
            }
        };
        grants.get_mut(index)
    }

    /// The client was granted an allocation.
    pub fn allocated(&mut self, client: IpAddr, user: Option<Name>, server: Endpoint, at: Timestamp) {
        if let Some(grant) = self.grant(client, user, server) {
            grant.allocated = grant.allocated.max(at);
        }
    }

    /// A Binding request of the client was answered by a server.
    pub fn answered(&mut self, client: IpAddr, server: Endpoint, at: Timestamp) {
        if let Some(grant) = self.grant(client, None, server) {
            grant.answered = grant.answered.max(at);
        }
    }

    /// Data went both ways through the client's relay, until `at`.
    pub fn relayed(&mut self, client: IpAddr, user: Option<Name>, server: Endpoint, at: Timestamp) {
        if let Some(grant) = self.grant(client, user, server) {
            grant.relayed = grant.relayed.max(at);
        }
    }

    /// Data went both ways on a flow of the client's own, until `at`.
    pub fn data(&mut self, client: IpAddr, at: Timestamp) {
        if let Some(outcome) = self.of(client) {
            outcome.data = outcome.data.max(Some(at));
        }
    }

    /// The client opened a 5-tuple to a server with a request.
    pub fn contacted(&mut self, client: IpAddr, server: Endpoint, at: Timestamp) {
        let Some(outcome) = self.of(client) else { return };
        outcome.contacts.retain(|&(known, _)| known != server);
        if outcome.contacts.len() >= MAX_SERVERS {
            outcome.contacts.remove(0);
        }
        outcome.contacts.reserve_exact(1);
        outcome.contacts.push((server, at));
    }

    /// A server sent the client to another.
    pub fn redirected(&mut self, client: IpAddr, redirect: Redirect) {
        let Some(outcome) = self.of(client) else { return };
        outcome.redirects.retain(|known| (known.from, known.to) != (redirect.from, redirect.to));
        if outcome.redirects.len() >= MAX_SERVERS {
            outcome.redirects.remove(0);
        }
        outcome.redirects.push(redirect);
    }

    /// When the client opened its last 5-tuple to a server with a request, if it did.
    #[must_use]
    pub fn contact(&self, client: IpAddr, server: Endpoint) -> Option<Timestamp> {
        let contacts = &self.outcomes.get(&client)?.contacts;
        contacts.iter().find(|(known, _)| *known == server).map(|&(_, at)| at)
    }

    /// The redirections that the client was given, the last of each kind, in order; the newest ones.
    #[must_use]
    pub fn redirects(&self, client: IpAddr) -> &[Redirect] {
        self.outcomes.get(&client).map_or(&[], |outcome| &outcome.redirects)
    }

    /// Whether the client, after it was refused or met silence, had an allocation or data both ways all the same.
    ///
    /// An allocation of another user counts only where another server gave it: behind one address there may be many clients.
    #[must_use]
    pub fn recovered(&self, from: &Grievance) -> bool {
        let Some(outcome) = self.outcomes.get(&from.client) else { return false };
        let after = |time: Timestamp| time > from.at;
        let theirs = |grant: &&Grant| from.user.is_none() || grant.user == from.user || grant.server != from.server;
        outcome.data.is_some_and(after)
            || outcome.grants.iter().filter(theirs).any(|grant| after(grant.allocated) || after(grant.relayed))
    }

    /// Whether data of the client flowed both ways after `at`, through this server's relay or on a flow of its own.
    #[must_use]
    pub fn has_data(&self, client: IpAddr, at: Timestamp) -> bool {
        let after = |time: Timestamp| time > at;
        self.outcomes.get(&client).is_some_and(|outcome| {
            outcome.data.is_some_and(after) || outcome.grants.iter().any(|grant| after(grant.relayed))
        })
    }

    /// Whether the client was ever granted anything, or had data both ways: then the capture holds what is sent to it.
    #[must_use]
    pub fn is_heard(&self, client: IpAddr) -> bool {
        // that a client asked somebody says nothing of what came back
        self.outcomes.get(&client).is_some_and(|outcome| {
            outcome.data.is_some() || !outcome.grants.is_empty() || !outcome.redirects.is_empty()
        })
    }

    /// Whether a server answered a Binding request of the client after `at`.
    #[must_use]
    pub fn reached(&self, client: IpAddr, at: Timestamp) -> bool {
        let after = |time: Timestamp| time > at;
        self.outcomes.get(&client).is_some_and(|outcome| outcome.grants.iter().any(|grant| after(grant.answered)))
    }
}
