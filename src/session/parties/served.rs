//! Whom servers gave relays: who else is served tells what is wrong with all from what is wrong with one, and a server's capture from a client's.

use super::client::Clients;
use super::outcome::{NEVER, Outcome};
use crate::net::Endpoint;
use crate::session::credentials::rest_expiry;
use crate::session::tables::names::{Name, Names};
use crate::time::Timestamp;
use hashbrown::{HashMap, HashSet};
use std::net::IpAddr;

/// All allocations that servers gave, by server.
#[derive(Debug, Default)]
pub struct Lendings {
    clients: HashMap<Endpoint, HashSet<IpAddr>>,
    /// Of each user the clients that were given one, and when last.
    users: HashMap<(Endpoint, Name), Vec<(Timestamp, IpAddr)>>,
    /// The servers that took time-limited credentials.
    limited: HashSet<Endpoint>,
}

impl Lendings {
    /// How many clients the server gave relays.
    #[must_use]
    pub fn clients(&self, server: Endpoint) -> usize {
        self.clients.get(&server).map_or(0, HashSet::len)
    }

    /// How many clients it gave relays that are not among these.
    #[must_use]
    pub fn beside(&self, server: Endpoint, these: &HashSet<IpAddr>) -> usize {
        self.clients.get(&server).map_or(0, |known| known.difference(these).count())
    }

    /// Whether it took a time-limited credential, as far as its name tells.
    #[must_use]
    pub fn takes_limited(&self, server: Endpoint) -> bool {
        self.limited.contains(&server)
    }

    /// The client that it gave one as this user last: this client, where it is `own`, or another.
    #[must_use]
    pub fn last(&self, server: Endpoint, user: Name, client: IpAddr, own: bool) -> Option<(Timestamp, IpAddr)> {
        let given = self.users.get(&(server, user))?;
        given.iter().copied().filter(|(_, known)| (*known == client) == own).max()
    }
}

impl Clients {
    /// All allocations that servers gave.
    #[must_use]
    pub fn lendings(&self, names: &Names) -> Lendings {
        let mut lendings = Lendings::default();
        for (&client, outcome) in &self.outcomes {
            for (server, user, at) in outcome.lent() {
                lendings.clients.entry(server).or_default().insert(client);
                let Some(user) = user else { continue };
                lendings.users.entry((server, user)).or_default().push((at, client));
                if rest_expiry(names.bytes(user)).is_some_and(|expiry| !expiry.bare) {
                    lendings.limited.insert(server);
                }
            }
        }
        lendings
    }

    /// Whether all that there is of the client are requests without credentials to this server, none of which was granted.
    #[must_use]
    pub fn only_asked(&self, client: IpAddr, server: Endpoint) -> bool {
        let nothing_else = |outcome: &Outcome| {
            let asked = outcome.server(server).is_some_and(|known| known.signed == NEVER);
            asked && outcome.servers().len() == 1 && !outcome.is_served()
        };
        self.outcomes.get(&client).is_some_and(nothing_else) && !self.is_ever_secured(client, server.ip())
    }
}
