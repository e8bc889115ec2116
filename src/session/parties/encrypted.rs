//! What clients got over DTLS and TLS, as far as it shows without keys.

use crate::bounded::BoundedMap;
use crate::net::Endpoint;
use crate::time::{Span, Timestamp};
use hashbrown::HashMap;
use std::net::IpAddr;

/// How many DTLS associations of a host are remembered.
const MAX_KEYED: usize = 16;

/// What was encrypted, by whom.
#[derive(Debug, Default)]
pub struct Encrypted {
    max: usize,
    /// When the last DTLS association of two hosts was complete, the lower address first.
    keyed: HashMap<(IpAddr, IpAddr), Timestamp>,
    /// When the last associations of one host began and were complete.
    keyed_hosts: HashMap<IpAddr, Vec<(Timestamp, Timestamp)>>,
    /// When the last TLS connection of a client to a TURN server was complete.
    secured: HashMap<(IpAddr, IpAddr), Timestamp>,
    /// When the last one of a client to any of them answered what the client said.
    answered: HashMap<IpAddr, Timestamp>,
    /// What each client last said in TLS that nobody opened, by whether the hello was read.
    sealed: HashMap<(IpAddr, bool), Sealed>,
}

/// TLS between a client and what may be a TURN server, with data both ways that nobody opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The client.
    pub client: Endpoint,
    /// The server.
    pub server: Endpoint,
    /// Until when it went on.
    pub at: Timestamp,
    /// Whether the capture lacks the hello, so that it may be of anything.
    pub unread: bool,
}

impl Encrypted {
    /// Nothing known yet; of at most `max` pairs of hosts.
    pub(super) fn new(max: usize) -> Self {
        Encrypted { max, ..Encrypted::default() }
    }

    /// A DTLS association between two hosts that began at `first` was complete at `at`.
    pub(in crate::session) fn keyed(&mut self, one: IpAddr, other: IpAddr, first: Timestamp, at: Timestamp) {
        let hosts = (one.min(other), one.max(other));
        if let Some(known) = self.keyed.entry_up_to(self.max, hosts, || at) {
            *known = at.max(*known);
        }
        for host in [one, other] {
            let Some(known) = self.keyed_hosts.entry_up_to(self.max, host, Vec::new) else { continue };
            if known.last() == Some(&(first, at)) {
                continue;
            }
            if known.len() >= MAX_KEYED {
                known.remove(0);
            }
            known.push((first, at));
        }
    }

    /// Whether the two hosts completed a DTLS association after `at`.
    #[must_use]
    pub fn was_keyed(&self, one: IpAddr, other: IpAddr, at: Timestamp) -> bool {
        self.keyed.get(&(one.min(other), one.max(other))).is_some_and(|&completed| completed >= at)
    }

    /// Whether a host completed one with any other after `at` that began within 10 s of it: on another pair of addresses, where it does not serve several.
    #[must_use]
    pub fn was_keyed_at_once(&self, host: IpAddr, at: Timestamp) -> bool {
        const AT_ONCE: Span = Span::from_secs(10);
        let together = |&(first, completed): &(Timestamp, Timestamp)| completed >= at && first.apart(at) <= AT_ONCE;
        self.keyed_hosts.get(&host).is_some_and(|known| known.iter().any(together))
    }

    /// A TLS connection of a client to a TURN server was complete at `at`; `answered` where the server answered application data in it.
    pub(in crate::session) fn secured(
        &mut self,
        client: IpAddr,
        server: IpAddr,
        at: Timestamp,
        answered: Option<Timestamp>,
    ) {
        if let Some(completed) = self.secured.entry_up_to(self.max, (client, server), || at) {
            *completed = at.max(*completed);
        }
        if let Some(at) = answered
            && let Some(known) = self.answered.entry_up_to(self.max, client, || at)
        {
            *known = at.max(*known);
        }
    }

    /// Whether the client completed a TLS connection to the host after `at`.
    #[must_use]
    pub fn was_secured(&self, client: IpAddr, server: IpAddr, at: Timestamp) -> bool {
        self.secured.get(&(client, server)).is_some_and(|&completed| completed >= at)
    }

    /// Whether the client ever completed a TLS connection to the host.
    #[must_use]
    pub fn is_ever_secured(&self, client: IpAddr, server: IpAddr) -> bool {
        self.secured.contains_key(&(client, server))
    }

    /// The clients that ever completed a TLS connection to the host, and when last.
    pub fn secured_with(&self, server: IpAddr) -> impl Iterator<Item = (IpAddr, Timestamp)> + '_ {
        self.secured.iter().filter(move |((_, known), _)| *known == server).map(|(&(client, _), &at)| (client, at))
    }

    /// Whether a host that is taken for a TURN server over TLS answered application data of the client after `at`. What it said is not known.
    #[must_use]
    pub fn spoke_secured(&self, client: IpAddr, at: Timestamp) -> bool {
        self.answered.get(&client).is_some_and(|&answered| answered >= at)
    }

    /// A client and what may be a TURN server spoke TLS that nobody opened.
    pub(in crate::session) fn spoke_sealed(&mut self, sealed: Sealed) {
        let key = (sealed.client.ip(), sealed.unread);
        if let Some(known) = self.sealed.entry_up_to(self.max, key, || sealed)
            && (sealed.at, sealed.server) > (known.at, known.server)
        {
            *known = sealed;
        }
    }

    /// What of that went on after `at`, what is known to be of a TURN server first.
    #[must_use]
    pub fn sealed(&self, client: IpAddr, at: Timestamp) -> Option<&Sealed> {
        [false, true].iter().find_map(|&unread| self.sealed.get(&(client, unread)).filter(|known| known.at >= at))
    }
}
