//! What each client had in the end: the measure by which a refusal is a failure or a detour.

use super::outcome::{Denied, Grant, NEVER, Outcome, Redirect, Server};
use super::proxies::Proxies;
use crate::bounded::BoundedMap;
use crate::net::{Endpoint, are_neighbours};
use crate::session::conversations::conversation::Conversation;
use crate::session::tables::names::Name;
use crate::time::{Span, Timestamp};

use hashbrown::{HashMap, HashSet};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// How many DTLS associations of a host are remembered.
const MAX_KEYED: usize = 16;

/// How many hosts are remembered that act on what the capture lacks.
const MAX_UNSEEN: usize = 1024;

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
    /// When the last DTLS association of two hosts was complete, the lower address first.
    keyed: HashMap<(IpAddr, IpAddr), Timestamp>,
    /// When the last associations of one host began and were complete.
    keyed_hosts: HashMap<IpAddr, Vec<(Timestamp, Timestamp)>>,
    /// When the last TLS connection of a client to a TURN server was complete, and answered what the client said.
    secured: HashMap<(IpAddr, IpAddr), (Timestamp, Option<Timestamp>)>,
    /// What each client last said in TLS that nobody opened, by whether the hello was read.
    sealed: HashMap<(IpAddr, bool), Sealed>,
    proxies: Proxies,
    /// Where the capture's clock was set back: the time before, and the earliest after.
    set_back: Option<[Timestamp; 2]>,
    /// Whether the capture lacks frames from its middle.
    holes: bool,
    /// Hosts to which something else was sent: an answer to ARP, an ICMP error, a refusal.
    heard: HashSet<IpAddr>,
    /// Whether any of that was not STUN.
    others_heard: bool,
    /// Hosts that went on as only an answer lets them, none of which is in the capture.
    unseen: BTreeSet<IpAddr>,
    /// Hosts that sent STUN over TCP, or were sent it; and whether there are such by IPv4, and by IPv6.
    over_tcp: HashSet<IpAddr>,
    over_tcp_by: [bool; 2],
    /// Whether any request of anybody was answered.
    both_ways: bool,
    /// Frames that the capturing program lost by its own count.
    lost: u64,
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

impl Grievance {
    /// That of the client of a conversation.
    #[must_use]
    pub fn of(conversation: &Conversation, user: Option<Name>, at: Timestamp) -> Self {
        Grievance { client: conversation.client.0.ip(), user, server: conversation.server.0, at }
    }
}

impl Clients {
    /// An empty table for at most `max` clients.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Clients { max, ..Clients::default() }
    }

    /// What proxies answered clients.
    #[must_use]
    pub fn proxies(&self) -> &Proxies {
        &self.proxies
    }

    pub(super) fn proxies_mut(&mut self) -> &mut Proxies {
        &mut self.proxies
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

    /// The capture's clock was set back: what came later may bear an earlier time.
    pub fn clock_set_back(&mut self, from: Timestamp, to: Timestamp) {
        if self.set_back.is_none_or(|[_, known]| to < known) {
            self.set_back = Some([from, to]);
        }
    }

    /// The last time before the capture's clock was set back, and the earliest after it; `None` where it was not.
    #[must_use]
    pub fn set_back(&self) -> Option<[Timestamp; 2]> {
        self.set_back
    }

    /// The capture lacks frames from its middle.
    pub fn has_gaps(&mut self) {
        self.holes = true;
    }

    /// The capturing program says that it lost so many frames, nobody knows which.
    pub fn lost_while_capturing(&mut self, frames: u64) {
        self.lost = self.lost.saturating_add(frames);
        self.holes |= frames > 0;
    }

    /// Frames that the capturing program lost by its own count.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether what is not in the capture may have been on the wire all the same.
    #[must_use]
    pub fn may_miss_some(&self) -> bool {
        self.holes
    }

    /// Whether times after `at` are no measure of what came later.
    #[must_use]
    pub fn is_out_of_order(&self, at: Timestamp) -> bool {
        self.set_back.is_some_and(|[_, to]| to <= at)
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

    /// A DTLS association between two hosts that began at `first` was complete at `at`.
    pub fn keyed(&mut self, one: IpAddr, other: IpAddr, first: Timestamp, at: Timestamp) {
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

    /// A TLS connection of a client to a TURN server was complete at `at`; `exchanged` where the server answered application data in it.
    pub fn secured(&mut self, client: IpAddr, server: IpAddr, at: Timestamp, exchanged: Option<Timestamp>) {
        let known = self.secured.entry_up_to(self.max, (client, server), || (at, exchanged));
        if let Some((completed, answered)) = known {
            *completed = at.max(*completed);
            *answered = exchanged.max(*answered);
        }
    }

    /// Whether the client completed a TLS connection to the host after `at`.
    #[must_use]
    pub fn was_secured(&self, client: IpAddr, server: IpAddr, at: Timestamp) -> bool {
        self.secured.get(&(client, server)).is_some_and(|&(completed, _)| completed >= at)
    }

    /// Whether the client ever completed a TLS connection to the host.
    #[must_use]
    pub fn is_ever_secured(&self, client: IpAddr, server: IpAddr) -> bool {
        self.secured.contains_key(&(client, server))
    }

    /// Whether the host answered application data of the client over TLS after `at`. What it said is not known.
    #[must_use]
    pub fn spoke_secured(&self, client: IpAddr, server: IpAddr, at: Timestamp) -> bool {
        self.secured.get(&(client, server)).is_some_and(|&(_, answered)| answered.is_some_and(|time| time >= at))
    }

    /// The same of any host that is taken for a TURN server over TLS; with very many of them, of none.
    #[must_use]
    pub fn spoke_secured_anywhere(&self, client: IpAddr, at: Timestamp) -> bool {
        const MANY: usize = 4096;
        let spoke =
            |(known, answered): (IpAddr, Option<Timestamp>)| known == client && answered.is_some_and(|time| time >= at);
        self.secured.len() <= MANY && self.secured.iter().any(|(&(known, _), &(_, answered))| spoke((known, answered)))
    }

    /// A client and what may be a TURN server spoke TLS that nobody opened.
    pub fn spoke_sealed(&mut self, sealed: Sealed) {
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

    /// Whether the two hosts completed a DTLS association after `at`, or one of them did with another host in one that began within
    /// 10 s of it: on another pair of addresses.
    #[must_use]
    pub fn was_keyed(&self, one: IpAddr, other: IpAddr, at: Timestamp) -> bool {
        const AT_ONCE: Span = Span::from_secs(10);
        let together = |&(first, completed): &(Timestamp, Timestamp)| completed >= at && first.apart(at) <= AT_ONCE;
        self.keyed.get(&(one.min(other), one.max(other))).is_some_and(|&completed| completed >= at)
            || [one, other]
                .iter()
                .any(|host| self.keyed_hosts.get(host).is_some_and(|known| known.iter().any(together)))
    }

    /// The client opened a 5-tuple to a server with a request.
    pub fn contacted(&mut self, client: IpAddr, server: Endpoint, at: Timestamp) {
        if let Some(server) = self.server(client, server) {
            server.contacted = at;
        }
    }

    /// The client opened, or took up again, a 5-tuple to a server with a signed request.
    pub fn began_signed(&mut self, client: IpAddr, server: Endpoint, at: Timestamp) {
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

    /// Whether another address asked at the same time (`asked`) and was served, which may be one of the same host: of the other family, or in
    /// another network. Hosts try all their interfaces, and those that lead nowhere do no harm.
    #[must_use]
    pub fn may_have_another_way(&self, client: IpAddr, asked: Timestamp) -> bool {
        let near = |time: Timestamp, within: Span| time.apart(asked) <= within;
        let one_host = |other: IpAddr, outcome: &Outcome| {
            let within = if other.is_ipv4() == client.is_ipv4() { ONE_HOST } else { BOTH_FAMILIES };
            !are_neighbours(client, other) && outcome.servers().iter().any(|server| near(server.contacted, within))
        };
        self.outcomes.len() <= FEW
            && self.outcomes.iter().any(|(&other, outcome)| outcome.is_served() && one_host(other, outcome))
    }

    /// Whether a server answered a Binding request of the client or gave it an allocation, ever.
    #[must_use]
    pub fn was_answered(&self, client: IpAddr, server: Endpoint) -> bool {
        self.outcomes.get(&client).is_some_and(|outcome| outcome.is_served_by(server))
    }

    /// Whether data of the client flowed both ways after `at`, through this server's relay or on a flow of its own.
    #[must_use]
    pub fn has_data(&self, client: IpAddr, at: Timestamp) -> bool {
        let after = |time: Timestamp| time >= at;
        self.outcomes
            .get(&client)
            .is_some_and(|outcome| after(outcome.data) || outcome.grants().iter().any(|grant| after(grant.relayed)))
    }

    /// Something other than STUN was sent to a host, whatever it was: so the capture holds what is sent to it.
    pub fn hears(&mut self, host: IpAddr) {
        self.others_heard = true;
        self.hears_refusal(host);
    }

    /// A server refused a host something: so the capture holds what is sent to it.
    pub fn hears_refusal(&mut self, host: IpAddr) {
        if self.heard.len() < self.max {
            self.heard.insert(host);
        }
    }

    /// A host went on as only an answer lets it, and the capture does not hold that.
    pub fn acts_on_unseen(&mut self, host: IpAddr) {
        if self.unseen.len() < MAX_UNSEEN {
            self.unseen.insert(host);
        }
    }

    /// The hosts of which the capture holds what they send, and nothing of what is sent to them, though there was something; the first ones.
    pub fn unheard(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.unseen.iter().copied().filter(|&host| !self.is_heard(host))
    }

    /// Whether a host is one of them.
    #[must_use]
    pub fn is_unheard(&self, host: IpAddr) -> bool {
        self.unseen.contains(&host) && !self.is_heard(host)
    }

    /// STUN went between two hosts over TCP.
    pub fn speak_over_tcp(&mut self, hosts: [IpAddr; 2]) {
        if self.over_tcp.len() < self.max {
            let [by_v4, by_v6] = &mut self.over_tcp_by;
            *by_v4 |= hosts.iter().any(IpAddr::is_ipv4);
            *by_v6 |= hosts.iter().any(IpAddr::is_ipv6);
            self.over_tcp.extend(hosts);
        }
    }

    /// Whether one of these may have used TCP, or a host of which nothing tells that it is none of them: by IPv6, where these are known by IPv4.
    #[must_use]
    pub fn may_have_used_tcp(&self, hosts: &[IpAddr]) -> bool {
        let [by_v4, by_v6] = self.over_tcp_by;
        self.over_tcp.len() >= self.max
            || hosts.iter().any(|host| self.over_tcp.contains(host))
            || by_v4 && hosts.iter().all(IpAddr::is_ipv6)
            || by_v6 && hosts.iter().all(IpAddr::is_ipv4)
    }

    /// A request was answered by whom it was sent to.
    pub fn sees_both_ways(&mut self) {
        self.both_ways = true;
    }

    /// Whether the capture holds requests and their answers, of whomever: then it was taken where both directions pass.
    #[must_use]
    pub fn has_both_ways(&self) -> bool {
        self.both_ways
    }

    /// Whether anything other than STUN was sent to anybody: an answer to ARP, an ICMP error, an answer to a SYN.
    #[must_use]
    pub fn others_heard(&self) -> bool {
        self.others_heard
    }

    /// Whether the client was ever granted anything, had data both ways, or was sent something else: then the capture holds what is sent to it.
    #[must_use]
    pub fn is_heard(&self, client: IpAddr) -> bool {
        // that a client asked somebody says nothing of what came back
        self.heard.contains(&client)
            || self.outcomes.get(&client).is_some_and(|outcome| outcome.is_served() || !outcome.redirects().is_empty())
    }

    /// Whether a server answered a Binding request of the client after `at`.
    #[must_use]
    pub fn reached(&self, client: IpAddr, at: Timestamp) -> bool {
        let after = |time: Timestamp| time >= at;
        self.outcomes.get(&client).is_some_and(|outcome| outcome.servers().iter().any(|server| after(server.answered)))
    }
}
