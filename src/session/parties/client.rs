//! What each client had in the end: the measure by which a refusal is a failure or a detour.

use super::company::Company;
use super::coverage::Coverage;
use super::encrypted::Encrypted;
use super::outcome::{Denied, Grant, NEVER, Outcome, Redirect, Server};
use super::proxies::Proxies;
use crate::bounded::BoundedMap;
use crate::net::{Endpoint, are_neighbours};
use crate::session::conversations::conversation::Conversation;
use crate::session::tables::names::Name;
use crate::time::{Span, Timestamp};

use hashbrown::HashMap;
use std::net::IpAddr;

/// Servers that a client asks within this time are asked together: what one of them gave just before another refused counts.
const TOGETHER: Span = Span::from_secs(2);
/// Two addresses of one family from which requests leave this close together may be one host's: its interfaces are tried at a time.
const ONE_HOST: Span = Span::from_millis(500);
/// The same for two addresses of different families: hosts with both try one after the other, or wait for the one first.
const BOTH_FAMILIES: Span = Span::from_secs(30);
/// In a capture with more clients than these it is not asked which addresses may be one host's: it was not taken on a client.
const FEW: usize = 16;

/// The outcomes of all clients, by address.
#[derive(Debug, Default)]
pub struct Clients {
    pub(super) outcomes: HashMap<IpAddr, Outcome>,
    max: usize,
    dropped: u64,
    /// What they got over DTLS and TLS.
    pub(in crate::session) encrypted: Encrypted,
    /// What the capture holds of them, and what it lacks.
    pub(in crate::session) coverage: Coverage,
    /// Who exchanged data with whom.
    pub(in crate::session) company: Company,
    pub(super) proxies: Proxies,
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
    pub met: Timestamp,
    /// Since when what it gets counts: then, or a little before.
    pub at: Timestamp,
}

impl Grievance {
    /// That of a client that did not get what it asked a server for at a time, as a user where it signed.
    #[must_use]
    pub fn new(client: IpAddr, user: Option<Name>, server: Endpoint, at: Timestamp) -> Self {
        Grievance { client, user, server, met: at, at }
    }

    /// That of the client of a conversation.
    #[must_use]
    pub fn of(conversation: &Conversation, user: Option<Name>, at: Timestamp) -> Self {
        Grievance::new(conversation.client.0.ip(), user, conversation.server.0, at)
    }
}

impl Clients {
    /// An empty table for at most `max` clients.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Clients {
            max,
            encrypted: Encrypted::new(max),
            coverage: Coverage::new(max),
            company: Company::new(max),
            ..Clients::default()
        }
    }

    /// What proxies answered clients.
    #[must_use]
    pub fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    /// What they got over DTLS and TLS.
    #[must_use]
    pub fn encrypted(&self) -> &Encrypted {
        &self.encrypted
    }

    /// What the capture holds of them, and what it lacks.
    #[must_use]
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Who exchanged data with whom.
    #[must_use]
    pub fn company(&self) -> &Company {
        &self.company
    }

    /// How many clients found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether anything of the client was kept: all of it, then.
    #[must_use]
    pub fn knows(&self, client: IpAddr) -> bool {
        self.outcomes.contains_key(&client)
    }

    fn of(&mut self, client: IpAddr) -> Option<&mut Outcome> {
        let outcome = self.outcomes.entry_up_to(self.max, client, Outcome::default);
        self.dropped += u64::from(outcome.is_none());
        outcome
    }

    fn grant(&mut self, client: IpAddr, user: Option<Name>, server: Endpoint) -> Option<&mut Grant> {
        self.of(client)?.grant_mut(user, server)
    }

    fn server(&mut self, client: IpAddr, server: Endpoint) -> Option<&mut Server> {
        self.of(client)?.server_mut(server)
    }

    /// Reads what [`Clients::answered`] will.
    #[must_use]
    pub(in crate::session) fn touch(&self, client: IpAddr) -> u64 {
        let known = self.outcomes.get(&client).and_then(|outcome| outcome.servers().first());
        known.map_or(0, |server| server.answered.0.cast_unsigned())
    }

    /// The client was granted an allocation.
    pub fn allocated(&mut self, client: IpAddr, user: Option<Name>, server: Endpoint, at: Timestamp) {
        if let Some(grant) = self.grant(client, user, server) {
            grant.allocated = grant.allocated.max(at);
        }
    }

    /// A Binding request of the client was answered by a server.
    pub fn answered(&mut self, client: IpAddr, server: Endpoint, at: Timestamp) {
        if let Some(server) = self.server(client, server) {
            server.answered = server.answered.max(at);
        }
    }

    /// The client asked for an allocation, and its 5-tuple never got one.
    pub fn denied(&mut self, denied: Denied) {
        if let Some(outcome) = self.of(denied.client.ip()) {
            outcome.deny(denied);
        }
    }

    /// Where and when the client asked for an allocation on a 5-tuple that never got one, last.
    #[must_use]
    pub fn denied_relay(&self, client: IpAddr) -> Option<Denied> {
        self.outcomes.get(&client)?.denied()
    }

    /// Whether the client ever got an allocation.
    #[must_use]
    pub fn has_allocation(&self, client: IpAddr) -> bool {
        self.outcomes.get(&client).is_some_and(|outcome| outcome.grants().iter().any(|grant| grant.allocated > NEVER))
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
            outcome.data = outcome.data.max(at);
        }
    }

    /// The client opened a 5-tuple to a server with a request.
    pub(in crate::session) fn contacted(&mut self, client: IpAddr, server: Endpoint, at: Timestamp) {
        if let Some(server) = self.server(client, server) {
            server.contacted = at;
        }
    }

    /// The client opened, or took up again, a 5-tuple to a server with a signed request.
    pub(in crate::session) fn began_signed(&mut self, client: IpAddr, server: Endpoint, at: Timestamp) {
        if let Some(server) = self.server(client, server) {
            server.signed = at;
        }
    }

    /// Whether the client opened, or took up again, a 5-tuple to a server with a signed request after `at`.
    #[must_use]
    pub fn signed(&self, client: IpAddr, server: Endpoint, at: Timestamp) -> bool {
        self.outcomes.get(&client).and_then(|outcome| outcome.server(server)).is_some_and(|known| known.signed > at)
    }

    /// A server sent the client to another.
    pub fn redirected(&mut self, client: IpAddr, redirect: Redirect) {
        if let Some(outcome) = self.of(client) {
            outcome.redirected(redirect);
        }
    }

    /// When the client opened its last 5-tuple to a server with a request, if it did.
    #[must_use]
    pub fn contact(&self, client: IpAddr, server: Endpoint) -> Option<Timestamp> {
        let contacted = self.outcomes.get(&client)?.server(server)?.contacted;
        (contacted > NEVER).then_some(contacted)
    }

    /// The redirections that the client was given, the last of each kind, in order; the newest ones.
    #[must_use]
    pub fn redirects(&self, client: IpAddr) -> &[Redirect] {
        self.outcomes.get(&client).map_or(&[], Outcome::redirects)
    }

    /// Whether the client, after it was refused or met silence, had an allocation or data both ways all the same.
    ///
    /// An allocation of another user counts only where another server gave it: behind one address there may be many clients.
    #[must_use]
    pub fn recovered(&self, from: &Grievance) -> bool {
        let Some(outcome) = self.outcomes.get(&from.client) else { return false };
        // clocks of captures may be coarse: what has the same time counts as later
        let after = |time: Timestamp| time >= from.at;
        let refused = outcome.place(from.server);
        let elsewhere = |grant: &Grant| Some(grant.server) != refused;
        let theirs = |grant: &&Grant| from.user.is_none() || grant.user == from.user || elsewhere(grant);
        let together = |grant: &Grant| elsewhere(grant) && grant.allocated > from.at.before(TOGETHER);
        let served = |grant: &Grant| after(grant.allocated) || after(grant.relayed) || together(grant);
        after(outcome.data) || outcome.grants().iter().filter(theirs).any(served)
    }

    /// Another address that asked at the same time (`asked`) and was served, which may be one of the same host: of the other family, or in
    /// another network. Hosts try all their interfaces, and those that lead nowhere do no harm.
    #[must_use]
    pub fn other_way(&self, client: IpAddr, asked: Timestamp) -> Option<IpAddr> {
        let near = |time: Timestamp, within: Span| time.apart(asked) <= within;
        let one_host = |other: IpAddr, outcome: &Outcome| {
            let within = if other.is_ipv4() == client.is_ipv4() { ONE_HOST } else { BOTH_FAMILIES };
            !are_neighbours(client, other) && outcome.servers().iter().any(|server| near(server.contacted, within))
        };
        let few = Some(&self.outcomes).filter(|outcomes| outcomes.len() <= FEW)?;
        let ways = few.iter().filter(|(other, outcome)| outcome.is_served() && one_host(**other, outcome));
        ways.map(|(other, _)| *other).min()
    }

    /// Whether a server answered a Binding request of the client or gave it an allocation, ever.
    #[must_use]
    pub fn was_answered(&self, client: IpAddr, server: Endpoint) -> bool {
        self.outcomes.get(&client).is_some_and(|outcome| outcome.is_served_by(server))
    }

    /// Whether data of the client flowed both ways after `at`, through a relay or on a flow of its own.
    #[must_use]
    pub fn has_data(&self, client: IpAddr, at: Timestamp) -> bool {
        let after = |time: Timestamp| time >= at;
        self.outcomes
            .get(&client)
            .is_some_and(|outcome| after(outcome.data) || outcome.grants().iter().any(|grant| after(grant.relayed)))
    }

    /// The hosts of which the capture holds what they send, and nothing of what is sent to them, though there was something; the first ones.
    pub fn unheard(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.coverage.unseen.iter().copied().filter(|&host| !self.is_heard(host))
    }

    /// Whether a host is one of them.
    #[must_use]
    pub fn is_unheard(&self, host: IpAddr) -> bool {
        self.coverage.unseen.contains(&host) && !self.is_heard(host)
    }

    /// Whether the client was ever granted anything, had data both ways, or was sent something else: then the capture holds what is sent to it.
    #[must_use]
    pub fn is_heard(&self, client: IpAddr) -> bool {
        // that a client asked somebody says nothing of what came back
        self.coverage.heard.contains(&client)
            || self.outcomes.get(&client).is_some_and(|outcome| outcome.is_served() || !outcome.redirects().is_empty())
    }

    /// Whether a server answered a Binding request of the client after `at`.
    #[must_use]
    pub fn reached(&self, client: IpAddr, at: Timestamp) -> bool {
        let after = |time: Timestamp| time >= at;
        self.outcomes.get(&client).is_some_and(|outcome| outcome.servers().iter().any(|server| after(server.answered)))
    }
}
