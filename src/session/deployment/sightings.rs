//! What the packets show of each statement: where they agree with it, where they contradict it.

use super::{Deployment, Says, Server, Statement};
use crate::bounded::BoundedList;
use crate::event::{Connection, IcmpAnswer};
use crate::net::{ClientAddress, RelayedAddress, ServerAddress, Transport};
use crate::session::Flow;
use crate::session::conversations::conversation::Conversation;
use crate::session::conversations::exchange::{Exchange, Seen};
use crate::session::tables::names::Names;
use crate::session::totals::Sample;
use crate::time::Timestamp;
use crate::wire::handshake::certificate::covers;
use crate::wire::stun::Method;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How many different contradictions of one statement are kept.
const MAX_INSTEAD: usize = 4;

/// What was seen of one statement.
#[derive(Clone, Debug, Default)]
pub struct Sighting {
    /// Where it was seen right.
    pub right: Sample,
    /// Where it was seen wrong.
    pub wrong: Sample,
    /// What was seen instead, the first ones.
    pub instead: Vec<String>,
    /// The first time that it was seen wrong.
    pub first_wrong: Option<Wrong>,
    /// Of a port: what became of those who tried it.
    pub port: Port,
}

/// Where a statement was seen wrong first, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    /// When.
    pub at: Timestamp,
    /// Who saw it.
    pub client: ClientAddress,
    /// At which server.
    pub server: ServerAddress,
    /// As which user.
    pub username: Option<String>,
    /// The relayed address that is wrong.
    pub relayed: Option<RelayedAddress>,
    /// Of a certificate: whether the client asked for a name that is stated and not in it.
    pub asked_for: bool,
}

/// What became of those who tried a port.
#[derive(Clone, Debug, Default)]
pub struct Port {
    /// Where it answered.
    pub answered: Sample,
    /// Where it was refused: by RST, or by ICMP.
    pub refused: Sample,
    /// The first ICMP error.
    pub icmp: Option<IcmpAnswer>,
    /// Where nothing answered.
    pub silent: Sample,
    /// The most tries of one client that nothing answered, and the seconds over which they were made.
    pub tries: (u64, i64),
    /// Whether somebody sent the very same request again and again: nobody does so after an answer.
    pub repeated: bool,
    /// The last try that nothing answered.
    pub last: Option<Timestamp>,
    /// The first try that failed: when, by whom, at which address.
    pub failed: Option<(Timestamp, ClientAddress, ServerAddress)>,
}

/// The sightings of all statements, in their order. Empty, and asked in no time, where nothing was stated.
#[derive(Debug, Default)]
pub struct Sightings {
    all: Vec<Sighting>,
    /// The number of the one server of which it is stated what it relays, and for whom.
    lone: Option<usize>,
    /// The same of servers at addresses that are not stated, in case that one of them is the lone one.
    elsewhere: Vec<Sighting>,
    /// Servers that lend relays at addresses that are not stated, the first ones, and when they were seen first.
    strangers: BTreeMap<IpAddr, Wrong>,
}

impl Sightings {
    /// What to look out for.
    #[must_use]
    pub fn of(deployment: &Deployment) -> Self {
        let all = vec![Sighting::default(); deployment.statements().len()];
        let relays = |says: &Says| {
            matches!(
                says,
                Says::External(_) | Says::RelayPorts(..) | Says::RelayOpen(..) | Says::Realm(_) | Says::Users(_)
            )
        };
        let mut with = deployment.statements().iter().filter(|one| relays(&one.says)).filter_map(|one| one.server);
        let lone = with.next().filter(|first| with.all(|other| other == *first));
        // of a server whose addresses are not stated it is no surprise where it is
        let located = |number: &usize| deployment.servers().get(*number).is_some_and(Server::is_located);
        Sightings { elsewhere: all.clone(), all, lone: lone.filter(located), strangers: BTreeMap::new() }
    }

    /// Where the server is whose statements these are, if nothing was seen of it at any stated address, and one server alone lends relays at another.
    #[must_use]
    pub fn is_elsewhere(&self, deployment: &Deployment) -> Option<(usize, IpAddr, &Wrong)> {
        let lone = self.lone?;
        let mut strangers = self.strangers.iter();
        let (Some((&ip, wrong)), None) = (strangers.next(), strangers.next()) else { return None };
        let of_it = deployment.statements().iter().zip(&self.all).filter(|(known, _)| known.server == Some(lone));
        let seen = |sighting: &Sighting| {
            sighting.right.total + sighting.wrong.total + sighting.port.answered.total > 0
                || sighting.port.failed.is_some()
        };
        let unseen = of_it.map(|(_, sighting)| sighting).all(|sighting| !seen(sighting));
        unseen.then_some((lone, ip, wrong))
    }

    /// What was seen of a statement at servers whose addresses are not stated.
    #[must_use]
    pub fn elsewhere(&self, number: usize) -> Option<&Sighting> {
        self.elsewhere.get(number)
    }

    /// Whether nothing is looked out for.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What was seen of a statement, by its number.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&Sighting> {
        self.all.get(number)
    }

    fn each<'d>(
        &mut self,
        deployment: &'d Deployment,
    ) -> impl Iterator<Item = (&'d Statement, Option<&'d Server>, &mut Sighting)> {
        let statements = deployment.statements().iter().zip(&mut self.all);
        statements.map(|(statement, sighting)| (statement, deployment.server_of(statement), sighting))
    }

    /// Takes a flow that is over: its ends are there.
    pub fn flow(&mut self, flow: &Flow, deployment: &Deployment) {
        let [low, high] = flow.packets;
        for (end, packets) in [(flow.ends.low, low), (flow.ends.high, high)] {
            if packets > 0 {
                self.heard(end.ip(), flow.first, deployment);
            }
        }
    }

    /// Takes an address that was heard.
    fn heard(&mut self, ip: IpAddr, seen: Seen, deployment: &Deployment) {
        for (statement, _, sighting) in self.each(deployment) {
            if statement.says == Says::Address(ip) {
                once(&mut sighting.right, seen.frame);
            }
        }
    }

    /// Takes a TCP connection, as often as something was learnt of it.
    pub fn connection(&mut self, connection: &Connection, deployment: &Deployment) {
        let (client, server) = (ClientAddress(connection.client), ServerAddress(connection.server));
        let open = Says::Open(server.0.port(), Transport::Tcp);
        if let Some(answered) = connection.syn_ack {
            self.heard(server.0.ip(), Seen { frame: answered.frame, time: answered.time }, deployment);
        }
        for (statement, stated, sighting) in self.each(deployment) {
            if statement.says != open || !stated.is_some_and(|stated| stated.is_at(server.0.ip())) {
                continue;
            }
            let port = &mut sighting.port;
            let failed = (connection.first.time, client, server);
            match (connection.syn_ack, connection.refused, connection.icmp, connection.syn, connection.syn_last) {
                (Some(answered), ..) => once(&mut port.answered, answered.frame),
                (_, Some(refused), ..) => {
                    once(&mut port.refused, connection.syn.map_or(refused.frame, |syn| syn.frame));
                    once(&mut port.refused, refused.frame);
                    port.failed.get_or_insert(failed);
                }
                (_, _, Some((answer, _)), ..) => {
                    once(&mut port.refused, answer.frame);
                    port.icmp.get_or_insert(answer);
                    port.failed.get_or_insert(failed);
                }
                (_, _, _, Some(syn), Some(last)) => {
                    once(&mut port.silent, syn.frame);
                    once(&mut port.silent, last.frame);
                    port.tries = port.tries.max((u64::from(connection.syns), last.time.since(syn.time).secs()));
                    port.last = port.last.max(Some(last.time));
                    port.failed.get_or_insert(failed);
                }
                _ => {}
            }
        }
    }

    /// Takes a certificate that a server showed, with the name that the client asked for and those in it.
    pub fn certificate(
        &mut self,
        ends: (ClientAddress, ServerAddress),
        asked: Option<&str>,
        names: &[String],
        seen: Seen,
        deployment: &Deployment,
    ) {
        let (client, server) = ends;
        for (statement, stated, sighting) in self.each(deployment) {
            let Says::CertificateNames(wanted) = &statement.says else { continue };
            if !stated.is_some_and(|stated| stated.is_at(server.0.ip())) {
                continue;
            }
            let holds = |wanted: &String| names.iter().any(|name| covers(name, wanted));
            if wanted.iter().all(holds) {
                once(&mut sighting.right, seen.frame);
            } else {
                let asked_for = asked.is_some_and(|asked| {
                    wanted.iter().any(|name| covers(name, asked)) && !names.iter().any(|name| covers(name, asked))
                });
                let shown = names.iter().take(MAX_INSTEAD).map(String::as_str).collect::<Vec<_>>().join(", ");
                let instead = if shown.is_empty() { "a certificate without names".to_owned() } else { shown };
                let wrong = Wrong { at: seen.time, client, server, asked_for, ..Wrong::default() };
                sighting.contradict(instead, seen.frame, wrong);
            }
        }
    }

    /// Takes a conversation that is over.
    pub fn conversation(&mut self, conversation: &Conversation, names: &Names, deployment: &Deployment) {
        let server = conversation.server;
        for (statement, stated, sighting) in self.each(deployment) {
            if stated.is_some_and(|stated| stated.is_at(server.0.ip())) {
                sighting.conversation(&statement.says, conversation, names);
            }
        }
        self.stranger(conversation, names, deployment);
    }

    /// Takes a conversation with a server that nobody stated: it may be one that is not where it should be.
    fn stranger(&mut self, conversation: &Conversation, names: &Names, deployment: &Deployment) {
        let (Some(lone), server) = (self.lone, conversation.server) else { return };
        let ip = server.0.ip();
        let answers = |exchange: &Exchange| exchange.method == Method::ALLOCATE && exchange.answer.is_some();
        if deployment.servers().iter().any(|known| known.is_at(ip)) || !conversation.exchanges.iter().any(answers) {
            return;
        }
        if self.strangers.len() < MAX_INSTEAD {
            let (at, client) = (conversation.first.time, conversation.client);
            let wrong = Wrong { at, client, server, ..Wrong::default() };
            self.strangers.entry(ip).or_insert(wrong);
        }
        for (statement, sighting) in deployment.statements().iter().zip(&mut self.elsewhere) {
            if statement.server == Some(lone) {
                let is_its_own = matches!(&statement.says, Says::Address(_) | Says::External(_));
                if is_its_own {
                    once(&mut sighting.wrong, conversation.first.frame);
                }
                sighting.conversation(&statement.says, conversation, names);
            }
        }
    }
}

impl Sighting {
    fn contradict(&mut self, instead: String, frame: u64, wrong: Wrong) {
        once(&mut self.wrong, frame);
        self.instead.push_new_up_to(MAX_INSTEAD, instead);
        self.first_wrong.get_or_insert(wrong);
    }

    fn conversation(&mut self, says: &Says, conversation: &Conversation, names: &Names) {
        let (client, server) = (conversation.client, conversation.server);
        let wrong = |at: Timestamp| Wrong { at, client, server, ..Wrong::default() };
        match says {
            Says::Open(port, Transport::Udp) if *port == server.0.port() && !conversation.transport.is_stream() => {
                self.port.conversation(conversation);
            }
            Says::External(outside) => {
                for (relayed, made) in relayed(conversation) {
                    if outside.contains(&relayed.0.ip()) {
                        once(&mut self.right, made.frame);
                    } else if outside.iter().any(|ip| ip.is_ipv6() == relayed.0.is_v6()) {
                        let seen = Wrong { relayed: Some(relayed), ..wrong(made.time) };
                        self.contradict(relayed.0.ip().to_string(), made.frame, seen);
                    }
                }
            }
            Says::RelayPorts(low, high) => {
                for (relayed, made) in relayed(conversation) {
                    if (*low..=*high).contains(&relayed.0.port()) {
                        once(&mut self.right, made.frame);
                    } else {
                        let seen = Wrong { relayed: Some(relayed), ..wrong(made.time) };
                        self.contradict(relayed.0.port().to_string(), made.frame, seen);
                    }
                }
            }
            Says::RelayOpen(low, high) => {
                for allocation in conversation.allocations().filter(|known| known.received.packets > 0) {
                    let within = |relayed: &RelayedAddress| (*low..=*high).contains(&relayed.0.port());
                    if allocation.relayed.iter().flatten().any(within) {
                        once(&mut self.right, allocation.created.frame);
                    }
                }
            }
            Says::Realm(realm) => {
                for answer in conversation.exchanges.iter().filter_map(|exchange| exchange.answer.as_ref()) {
                    match answer.realm.map(|name| names.text(name)) {
                        Some(told) if told == *realm => once(&mut self.right, answer.seen.frame),
                        Some(told) => self.contradict(told, answer.seen.frame, wrong(answer.seen.time)),
                        None => {}
                    }
                }
            }
            Says::Users(users) => {
                let asked = |exchange: &&Exchange| exchange.method != Method::BINDING && !exchange.asked.check;
                for exchange in conversation.exchanges.iter().filter(asked) {
                    let Some(name) = exchange.asked.user.map(|name| names.text(name)) else { continue };
                    if users.iter().any(|user| *user == name || Some(user.as_str()) == after_expiry(&name)) {
                        once(&mut self.right, exchange.first.frame);
                    } else {
                        let seen = Wrong { username: Some(name.clone()), ..wrong(exchange.first.time) };
                        self.contradict(name, exchange.first.frame, seen);
                    }
                }
            }
            Says::Mapped(ip) => {
                // others than the one whom it was told to are seen as somebody else
                let answers = conversation.exchanges.iter().filter_map(|exchange| exchange.answer.as_ref());
                let seen = answers.filter(|answer| answer.mapped.is_some_and(|mapped| mapped.0.ip() == *ip));
                for answer in seen {
                    once(&mut self.right, answer.seen.frame);
                }
            }
            _ => {}
        }
    }
}

impl Port {
    /// A UDP port by how a server was spoken to on it.
    fn conversation(&mut self, conversation: &Conversation) {
        let answer = conversation.exchanges.iter().find_map(|exchange| exchange.answer.as_ref());
        let failed = (conversation.first.time, conversation.client, conversation.server);
        match (conversation.server_heard, &conversation.turned_away) {
            (Some(heard), _) => once(&mut self.answered, answer.map_or(heard.frame, |answer| answer.seen.frame)),
            (None, Some(away)) => {
                for &frame in &away.frames {
                    once(&mut self.refused, frame);
                }
                self.icmp.get_or_insert(away.answer);
                self.failed.get_or_insert(failed);
            }
            (None, None) => {
                let waiting = || conversation.exchanges.iter().filter(|exchange| exchange.answer.is_none());
                let last = waiting().map(|exchange| exchange.last).max().unwrap_or(conversation.heard);
                once(&mut self.silent, conversation.first.frame);
                once(&mut self.silent, last.frame);
                let tries = waiting().map(Exchange::times_sent).sum();
                let seconds = last.time.since(conversation.first.time).secs();
                self.tries = self.tries.max((tries, seconds));
                self.repeated |= waiting().any(|exchange| exchange.again_total >= 2);
                self.last = self.last.max(Some(last.time));
                self.failed.get_or_insert(failed);
            }
        }
    }
}

/// The relayed addresses that a conversation was lent, each with where.
fn relayed(conversation: &Conversation) -> impl Iterator<Item = (RelayedAddress, Seen)> {
    conversation.allocations().flat_map(|allocation| {
        let usable = allocation.relayed.iter().flatten().filter(|relayed| relayed.is_usable());
        usable.map(|&relayed| (relayed, allocation.created))
    })
}

/// The user of a time-limited user name `expiry:user`.
fn after_expiry(name: &str) -> Option<&str> {
    let (expiry, user) = name.split_once(':')?;
    (!expiry.is_empty() && expiry.bytes().all(|byte| byte.is_ascii_digit())).then_some(user)
}

/// A frame that may be told more than once.
fn once(sample: &mut Sample, frame: u64) {
    if !sample.frames.contains(&frame) {
        sample.add(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_limited_user_names_end_with_the_user() {
        assert_eq!(after_expiry("1767225600:alice"), Some("alice"));
        assert_eq!(after_expiry("alice:1767225600"), None);
        assert_eq!(after_expiry("1767225600"), None);
    }
}
