//! Who else a server serves, which tells a server's capture from a client's.

use super::client::Clients;
use super::outcome::{NEVER, Outcome};
use crate::net::Endpoint;
use std::net::IpAddr;

impl Clients {
    /// How many clients the server gave allocations.
    #[must_use]
    pub fn served(&self, server: Endpoint) -> usize {
        self.outcomes.values().filter(|outcome| outcome.was_lent(server)).count()
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
