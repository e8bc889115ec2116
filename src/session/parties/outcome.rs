//! What one client had in the end. There are tens of thousands of clients: a server is written down once for each, whatever came of it.

use crate::net::Endpoint;
use crate::session::conversations::exchange::Seen;
use crate::session::tables::names::Name;
use crate::time::Timestamp;

/// How many servers of a client are kept.
const MAX_SERVERS: usize = 16;
/// How many (user, server) pairs of a client are kept.
const MAX_GRANTS: usize = 16;
/// How many redirections of a client are kept.
const MAX_REDIRECTS: usize = 8;

/// Before anything that a capture can hold, and near to nothing of it.
pub(super) const NEVER: Timestamp = Timestamp(i64::MIN);

/// What a client asked of its servers and got from them, and whether its data flowed.
#[derive(Debug)]
pub(super) struct Outcome {
    servers: Vec<Server>,
    /// In the order of the first time.
    grants: Vec<Grant>,
    /// Until when data went both ways on flows of the client's own.
    pub(super) data: Timestamp,
    rare: Option<Box<Rare>>,
}

/// A server that a client asked, or that answered it.
#[derive(Debug)]
pub(super) struct Server {
    endpoint: Endpoint,
    /// The last Binding request that it answered.
    pub(super) answered: Timestamp,
    /// The first request on the 5-tuple that was opened last.
    pub(super) contacted: Timestamp,
    /// When the last 5-tuple that began with credentials was opened, or taken up again.
    pub(super) signed: Timestamp,
}

/// What a server gave a user of a client.
#[derive(Debug)]
pub(super) struct Grant {
    /// The last allocation.
    pub(super) allocated: Timestamp,
    /// Until when data went both ways through the relay.
    pub(super) relayed: Timestamp,
    /// The user that signed for it.
    pub(super) user: Option<Name>,
    /// The place of the server among those of the client.
    pub(super) server: u8,
}

/// What few clients have.
#[derive(Debug, Default)]
struct Rare {
    redirects: Vec<Redirect>,
    denied: Option<Denied>,
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

/// A 5-tuple on which a client asked for an allocation and never got one.
#[derive(Clone, Copy, Debug)]
pub struct Denied {
    /// The client, with the port that it asked from.
    pub client: Endpoint,
    /// The server.
    pub server: Endpoint,
    /// The first request.
    pub asked: Seen,
}

impl Default for Outcome {
    fn default() -> Self {
        Outcome { servers: Vec::new(), grants: Vec::new(), data: NEVER, rare: None }
    }
}

impl Outcome {
    /// The servers, in no order.
    pub(super) fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// What the servers gave.
    pub(super) fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The place of a server that is known.
    #[inline]
    pub(super) fn place(&self, endpoint: Endpoint) -> Option<u8> {
        let mut known = (0..).zip(&self.servers);
        known.find(|(_, server)| server.endpoint == endpoint).map(|(place, _)| place)
    }

    /// What there was with a server, if it is known.
    pub(super) fn server(&self, endpoint: Endpoint) -> Option<&Server> {
        self.servers.iter().find(|server| server.endpoint == endpoint)
    }

    /// What there was with a server, to be written on.
    #[inline]
    pub(super) fn server_mut(&mut self, endpoint: Endpoint) -> Option<&mut Server> {
        let place = self.place(endpoint).or_else(|| self.add(endpoint))?;
        self.servers.get_mut(usize::from(place))
    }

    /// What a server gave a user, to be written on.
    pub(super) fn grant_mut(&mut self, user: Option<Name>, endpoint: Endpoint) -> Option<&mut Grant> {
        let server = self.place(endpoint).or_else(|| self.add(endpoint))?;
        let known = self.grants.iter().position(|grant| grant.server == server && grant.user == user);
        let index = known.unwrap_or_else(|| {
            if self.grants.len() >= MAX_GRANTS {
                self.grants.remove(0);
            }
            self.grants.reserve_exact(1);
            self.grants.push(Grant { allocated: NEVER, relayed: NEVER, user, server });
            self.grants.len() - 1
        });
        self.grants.get_mut(index)
    }

    /// Whether data of the client went both ways, or a server, any of them, answered it or gave it something.
    pub(super) fn is_served(&self) -> bool {
        self.data > NEVER || !self.grants.is_empty() || self.servers.iter().any(|server| server.answered > NEVER)
    }

    /// Whether this server answered it or gave it something.
    pub(super) fn is_served_by(&self, endpoint: Endpoint) -> bool {
        let mut known = (0..).zip(&self.servers);
        known.find(|(_, server)| server.endpoint == endpoint).is_some_and(|(place, server)| {
            server.answered > NEVER || self.grants.iter().any(|grant| grant.server == place)
        })
    }

    /// Which servers gave it allocations, to which users, and when last.
    pub(super) fn lent(&self) -> impl Iterator<Item = (Endpoint, Option<Name>, Timestamp)> {
        let given = self.grants.iter().filter(|grant| grant.allocated > NEVER);
        given.filter_map(|grant| {
            let server = self.servers.get(usize::from(grant.server))?;
            Some((server.endpoint, grant.user, grant.allocated))
        })
    }

    /// The client was sent from one server to another.
    pub(super) fn redirected(&mut self, redirect: Redirect) {
        let redirects = &mut self.rare.get_or_insert_default().redirects;
        redirects.retain(|known| (known.from, known.to) != (redirect.from, redirect.to));
        if redirects.len() >= MAX_REDIRECTS {
            redirects.remove(0);
        }
        redirects.push(redirect);
    }

    /// The redirections of the client, the last of each kind, in order; the newest ones.
    pub(super) fn redirects(&self) -> &[Redirect] {
        self.rare.as_deref().map_or(&[], |rare| &rare.redirects)
    }

    /// The client asked for an allocation on a 5-tuple that never got one.
    pub(super) fn deny(&mut self, denied: Denied) {
        self.rare.get_or_insert_default().denied = Some(denied);
    }

    /// The last such 5-tuple.
    pub(super) fn denied(&self) -> Option<Denied> {
        self.rare.as_deref()?.denied
    }

    /// Makes room for a server that is not known yet; gives its place.
    #[cold]
    fn add(&mut self, endpoint: Endpoint) -> Option<u8> {
        let server = Server { endpoint, answered: NEVER, contacted: NEVER, signed: NEVER };
        if self.servers.len() < MAX_SERVERS {
            self.servers.reserve_exact(1);
            self.servers.push(server);
            return u8::try_from(self.servers.len() - 1).ok();
        }
        let (place, least) =
            (0..).zip(&mut self.servers).min_by_key(|(place, known)| known.worth(*place, &self.grants))?;
        *least = server;
        self.grants.retain(|grant| grant.server != place);
        Some(place)
    }
}

impl Server {
    /// Where there are too many servers the one of the least worth is forgotten. One that gave the client something is worth more than one that only
    /// answered, then come those that it asked with credentials and those that it only asked; of two alike the one that was heard of later.
    fn worth(&self, place: u8, grants: &[Grant]) -> (bool, bool, bool, Timestamp) {
        let granted = || grants.iter().filter(|grant| grant.server == place);
        let last = granted().map(|grant| grant.allocated.max(grant.relayed)).max().unwrap_or(NEVER);
        let last = last.max(self.answered).max(self.signed).max(self.contacted);
        (granted().next().is_some(), self.answered > NEVER, self.signed > NEVER, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(number: usize) -> Endpoint {
        Endpoint::v4([192, 0, 2, 1], 1000 + u16::try_from(number).unwrap())
    }

    #[test]
    fn an_outcome_and_what_it_holds_stay_small() {
        assert!(size_of::<Outcome>() <= 64);
        assert!(size_of::<Server>() <= 48);
        assert!(size_of::<Grant>() <= 24);
    }

    #[test]
    fn a_server_is_kept_once_whatever_came_of_it() {
        let mut outcome = Outcome::default();
        outcome.server_mut(endpoint(1)).unwrap().contacted = Timestamp(1);
        assert!(!outcome.is_served());
        outcome.server_mut(endpoint(1)).unwrap().answered = Timestamp(2);
        outcome.grant_mut(None, endpoint(1)).unwrap().allocated = Timestamp(3);
        outcome.grant_mut(None, endpoint(1)).unwrap().relayed = Timestamp(4);
        assert_eq!((outcome.servers().len(), outcome.grants().len()), (1, 1));
        assert!(outcome.is_served_by(endpoint(1)) && !outcome.is_served_by(endpoint(2)));
    }

    #[test]
    fn of_too_many_servers_those_stay_that_gave_something_and_those_that_came_last() {
        let mut outcome = Outcome::default();
        outcome.grant_mut(None, endpoint(0)).unwrap().allocated = Timestamp(0);
        outcome.server_mut(endpoint(1)).unwrap().answered = Timestamp(1);
        outcome.server_mut(endpoint(2)).unwrap().signed = Timestamp(2);
        for number in 3..100 {
            outcome.server_mut(endpoint(number)).unwrap().contacted = Timestamp(i64::try_from(number).unwrap());
        }
        assert_eq!(outcome.servers().len(), MAX_SERVERS);
        let known = (0..100).filter(|&number| outcome.server(endpoint(number)).is_some());
        assert_eq!(known.collect::<Vec<_>>(), (0..3).chain(100 - (MAX_SERVERS - 3)..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_server_that_is_forgotten_takes_along_what_it_gave() {
        let mut outcome = Outcome::default();
        for number in 0..=MAX_SERVERS {
            outcome.grant_mut(None, endpoint(number)).unwrap().allocated = Timestamp(i64::try_from(number).unwrap());
        }
        assert_eq!((outcome.servers().len(), outcome.grants().len()), (MAX_SERVERS, MAX_GRANTS));
        assert!(!outcome.is_served_by(endpoint(0)));
        assert!((1..=MAX_SERVERS).all(|number| outcome.is_served_by(endpoint(number))));
    }
}
