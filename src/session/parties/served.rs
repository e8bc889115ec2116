//! Whom servers gave relays: who else is served tells what is wrong with all from what is wrong with one, and a server's capture from a client's.

use super::client::Clients;
use super::outcome::{NEVER, Outcome};
use crate::net::Endpoint;
use crate::session::credentials::rest_expiry;
use crate::session::tables::names::{Name, Names};
use crate::time::Timestamp;
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Whom servers gave relays.
#[derive(Debug)]
pub struct Lendings<'a> {
    clients: &'a Clients,
    servers: HashMap<Endpoint, Lent>,
    /// Which servers gave the users relays that were asked for.
    users: HashMap<Name, BTreeMap<Endpoint, Last>>,
}

/// Whom one server gave relays.
#[derive(Debug, Default)]
struct Lent {
    clients: usize,
    /// When it gave one last.
    last: Option<Timestamp>,
    /// Whether a time-limited credential was among those that it took.
    limited: bool,
}

/// When and to whom a server gave a user a relay last, and the same of another client.
#[derive(Debug, Default)]
struct Last([Option<(Timestamp, IpAddr)>; 2]);

impl Last {
    fn keep(&mut self, given: (Timestamp, IpAddr)) {
        let Last([last, other]) = self;
        let is_another = last.is_some_and(|(_, client)| client != given.1);
        if Some(given) > *last {
            *other = if is_another { *last } else { *other };
            *last = Some(given);
        } else if is_another && Some(given) > *other {
            *other = Some(given);
        }
    }

    fn of_another(&self, client: IpAddr) -> Option<(Timestamp, IpAddr)> {
        self.0.iter().flatten().find(|(_, known)| *known != client).copied()
    }
}

impl Lendings<'_> {
    /// How many clients the server gave relays.
    #[must_use]
    pub fn clients(&self, server: Endpoint) -> usize {
        self.servers.get(&server).map_or(0, |known| known.clients)
    }

    /// How many clients it gave relays that are not among these.
    #[must_use]
    pub fn beside(&self, server: Endpoint, these: &HashSet<IpAddr>) -> usize {
        self.clients(server).saturating_sub(self.among(server, these).count())
    }

    /// Whether a relay that it gave a client up to one time carried data both ways after another.
    #[must_use]
    pub fn has_outlasting(&self, server: Endpoint, given: Timestamp, after: Timestamp) -> bool {
        self.clients.outcomes.values().any(|outcome| {
            let place = outcome.place(server);
            let mut of_server = outcome.grants().iter().filter(|grant| Some(grant.server) == place);
            of_server.any(|grant| (NEVER < grant.allocated && grant.allocated <= given) && grant.relayed > after)
        })
    }

    /// Whether it took a time-limited credential, as far as its name tells.
    #[must_use]
    pub fn takes_limited(&self, server: Endpoint) -> bool {
        self.servers.get(&server).is_some_and(|known| known.limited)
    }

    /// When it gave anybody a relay last, where all clients are known.
    #[must_use]
    pub fn last_of_all(&self, server: Endpoint) -> Option<Timestamp> {
        self.servers.get(&server).filter(|_| self.clients.dropped() == 0)?.last
    }

    /// Which of these clients it gave relays.
    pub fn among<'c>(&self, server: Endpoint, these: &'c HashSet<IpAddr>) -> impl Iterator<Item = &'c IpAddr> {
        these.iter().filter(move |client| self.clients.lent(**client).any(|(known, ..)| known == server))
    }

    /// When it gave this client a relay as this user last.
    #[must_use]
    pub fn last(&self, server: Endpoint, user: Name, client: IpAddr) -> Option<Timestamp> {
        let given = self.clients.lent(client).filter(|&(known, as_user, _)| known == server && as_user == Some(user));
        given.map(|(.., at)| at).max()
    }

    /// When, and to which other client, it gave one as this user last; of users that were asked for.
    #[must_use]
    pub fn last_of_another(&self, server: Endpoint, user: Name, client: IpAddr) -> Option<(Timestamp, IpAddr)> {
        self.users.get(&user)?.get(&server)?.of_another(client)
    }

    /// Which other servers gave this user relays, in order; of users that were asked for.
    pub fn elsewhere(&self, server: Endpoint, user: Name) -> impl Iterator<Item = Endpoint> {
        self.users.get(&user).into_iter().flat_map(BTreeMap::keys).copied().filter(move |other| *other != server)
    }
}

impl Clients {
    /// All allocations that servers gave; of users those that are asked for.
    #[must_use]
    pub fn lendings(&self, names: &Names, users: impl Iterator<Item = Name>) -> Lendings<'_> {
        let mut servers = HashMap::<_, Lent>::new();
        let mut users: HashMap<_, BTreeMap<_, Last>> = users.map(|user| (user, BTreeMap::new())).collect();
        for &client in self.outcomes.keys() {
            for (place, (server, user, at)) in self.lent(client).enumerate() {
                let known = servers.entry(server).or_default();
                known.clients += usize::from(self.lent(client).take(place).all(|(before, ..)| before != server));
                known.last = known.last.max(Some(at));
                let Some(user) = user else { continue };
                known.limited |= rest_expiry(names.bytes(user)).is_some_and(|expiry| !expiry.bare);
                if let Some(servers) = users.get_mut(&user) {
                    servers.entry(server).or_default().keep((at, client));
                }
            }
        }
        Lendings { clients: self, servers, users }
    }

    /// Which servers gave it relays, as which user, and when last.
    fn lent(&self, client: IpAddr) -> impl Iterator<Item = (Endpoint, Option<Name>, Timestamp)> {
        self.outcomes.get(&client).into_iter().flat_map(Outcome::lent)
    }

    /// Whether all that there is of the client are requests without credentials to this server, none of which was granted.
    #[must_use]
    pub fn only_asked(&self, client: IpAddr, server: Endpoint) -> bool {
        let nothing_else = |outcome: &Outcome| {
            let asked = outcome.server(server).is_some_and(|known| known.signed == NEVER);
            asked && outcome.servers().len() == 1 && !outcome.is_served()
        };
        self.outcomes.get(&client).is_some_and(nothing_else) && !self.encrypted.is_ever_secured(client, server.ip())
    }
}
