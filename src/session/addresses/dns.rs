//! Names of servers: who asked which name, and what was answered.

use crate::bounded::BoundedList;
use crate::net::Endpoint;
use crate::session::Session;
use crate::session::conversations::exchange::Seen;
use crate::session::totals::Sample;
use crate::time::NUMBERED_MIRROR;
use crate::wire::dns::{self, Asked, Kind, Rcode, Told};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How many questions are kept about names that may be those of servers; and as many about others.
const MAX_LOOKUPS: usize = 2_048;
/// How many bytes a name may have (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;
/// How many addresses or hosts of one answer are kept.
const MAX_TOLD: usize = 16;
/// How many clients are remembered to which a resolver ever answered.
const MAX_HEARD: usize = 8_192;

/// Who asks, for which name, in lower case, and what of it.
pub type Question = (IpAddr, String, Kind);

/// One question of a client, with all its copies to all resolvers, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Lookup {
    /// Who asked, with the port of the first question.
    pub client: Endpoint,
    /// Who was asked first.
    pub resolver: Endpoint,
    /// The first question; the answer, where no question is in the capture.
    pub first: Seen,
    /// The last question.
    pub last: Seen,
    /// All questions.
    pub questions: Sample,
    /// All answers.
    pub answers: Sample,
    /// The last answer: how it went. One without error stands, whatever other resolvers say.
    pub rcode: Option<Rcode>,
    /// The addresses that were answered; the first ones.
    pub addresses: Vec<IpAddr>,
    /// The hosts and ports that were answered to SRV; the first ones. Names in lower case.
    pub hosts: Vec<(String, u16)>,
}

/// The questions, bounded.
#[derive(Debug, Default)]
pub struct Lookups {
    known: BTreeMap<Question, Lookup>,
    /// How many of them are about names that may be those of servers.
    likely: usize,
    /// Names that were stated, or told by SRV or NAPTR.
    wanted: BTreeSet<String>,
    heard: BTreeSet<IpAddr>,
    dropped: u64,
    /// The names by which clients asked servers over TLS (SNI), in lower case.
    by_tls: BTreeSet<(IpAddr, String)>,
    /// Datagrams of DNS, and all packets of the capture.
    messages: u64,
    packets: u64,
}

impl Lookups {
    /// No questions yet; those about these names, in lower case, always find room.
    #[must_use]
    pub fn about(names: impl IntoIterator<Item = String>) -> Self {
        Lookups { wanted: names.into_iter().take(MAX_LOOKUPS).collect(), ..Lookups::default() }
    }

    /// The questions, in the order of their clients and names.
    pub fn iter(&self) -> impl Iterator<Item = (&Question, &Lookup)> {
        self.known.iter()
    }

    /// What a client asked about a name.
    #[must_use]
    pub fn get(&self, client: IpAddr, name: &str, kind: Kind) -> Option<&Lookup> {
        self.known.get(&(client, name.to_owned(), kind))
    }

    /// Whether a name is one that was stated, that SRV told, or that SRV of STUN and TURN is asked by.
    #[must_use]
    pub fn is_wanted(&self, name: &str) -> bool {
        self.wanted.contains(name)
    }

    /// A client asked a server by this name (SNI).
    pub(in crate::session) fn asked_for(&mut self, server: IpAddr, name: &str) {
        if self.by_tls.len() < MAX_LOOKUPS && name.len() <= MAX_NAME {
            self.by_tls.insert((server, name.trim_end_matches('.').to_ascii_lowercase()));
        }
    }

    /// The names that an address was answered for, or asked by over TLS, in order.
    #[must_use]
    pub fn names_of(&self, ip: IpAddr) -> Vec<&str> {
        let found = self.known.iter().filter(|(_, lookup)| lookup.addresses.contains(&ip));
        let mut names: Vec<&str> = found.map(|((_, name, _), _)| name.as_str()).collect();
        let of_tls = self.by_tls.range((ip, String::new())..).take_while(|(known, _)| *known == ip);
        names.extend(of_tls.map(|(_, name)| name.as_str()));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether any resolver ever answered a client here.
    #[must_use]
    pub fn is_heard(&self, client: IpAddr) -> bool {
        self.heard.contains(&client)
    }

    /// How many found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn take(&mut self, src: Endpoint, dst: Endpoint, payload: &[u8], seen: Seen) {
        let key = std::cell::RefCell::new(None);
        let asked = |asked: &Asked<'_>| {
            let question = self.asked(src, dst, asked, seen);
            let wanted = question.is_some();
            *key.borrow_mut() = question;
            wanted
        };
        let mut told = Vec::new();
        let (hosts, services) = (std::cell::RefCell::new(Vec::new()), std::cell::RefCell::new(Vec::new()));
        dns::read(payload, asked, |answer| match answer {
            Told::Address(ip) => told.push(ip),
            Told::Host(name, port) => hosts.borrow_mut().push((name.lower(), port)),
            Told::Service(name) => services.borrow_mut().push(name.lower()),
            Told::Alias(_) => {}
        });
        let Some(lookup) = key.into_inner().and_then(|key| self.known.get_mut(&key)) else { return };
        // NAPTR leads to names that SRV is asked of next, or addresses (RFC 5928 §3)
        for name in services.into_inner() {
            if self.wanted.len() < MAX_LOOKUPS && name.len() <= MAX_NAME {
                self.wanted.insert(name);
            }
        }
        for ip in told {
            lookup.addresses.push_new_up_to(MAX_TOLD, ip);
        }
        for host in hosts.into_inner() {
            if lookup.hosts.len() < MAX_TOLD && !lookup.hosts.contains(&host) {
                if self.wanted.len() < MAX_LOOKUPS {
                    self.wanted.insert(host.0.clone());
                }
                lookup.hosts.push(host);
            }
        }
    }

    /// Takes the question of a message, or of an answer; gives it if there is room for it.
    fn asked(&mut self, src: Endpoint, dst: Endpoint, asked: &Asked<'_>, seen: Seen) -> Option<Question> {
        let (client, resolver) = if asked.rcode.is_some() { (dst, src) } else { (src, dst) };
        let name = asked.name.lower();
        let key = (client.ip(), name, asked.kind);
        if asked.rcode.is_some() && self.heard.len() < MAX_HEARD {
            self.heard.insert(client.ip());
        }
        let lookup = match self.known.get_mut(&key) {
            Some(lookup) => lookup,
            None => {
                let likely = self.is_wanted(&key.1) || is_likely(&key.1);
                let others = self.known.len() - self.likely;
                if (if likely { self.likely } else { others }) >= MAX_LOOKUPS {
                    self.dropped += 1;
                    return None;
                }
                self.likely += usize::from(likely);
                self.known.entry(key.clone()).or_insert_with(|| Lookup {
                    client,
                    resolver,
                    first: seen,
                    last: seen,
                    ..Lookup::default()
                })
            }
        };
        match asked.rcode {
            None => {
                // what a mirror port shows again was not asked again: resolvers are given a second and more
                let again = lookup.questions.total > 0 && seen.time.since(lookup.last.time) < NUMBERED_MIRROR;
                if !again {
                    lookup.questions.add(seen.frame);
                }
                lookup.last = lookup.last.max(seen);
            }
            Some(rcode) => {
                lookup.answers.add(seen.frame);
                if lookup.rcode != Some(Rcode::NOERROR) {
                    lookup.rcode = Some(rcode);
                }
            }
        }
        Some(key)
    }
}

/// Whether a name looks like that of a STUN or TURN server, in lower case: `turn.example.org`, `stun2.example.org`, `_turns._tcp.example.org`.
#[must_use]
pub fn is_likely(name: &str) -> bool {
    let label = name.split('.').next().unwrap_or_default().trim_start_matches('_');
    let rest =
        label.strip_prefix("coturn").or_else(|| label.strip_prefix("turn")).or_else(|| label.strip_prefix("stun"));
    rest.is_some_and(|rest| {
        let rest = rest.strip_prefix('s').unwrap_or(rest);
        !rest.starts_with(|c: char| c.is_ascii_alphabetic())
    })
}

impl Session {
    /// Takes a datagram from or to the port of DNS.
    pub fn dns(&mut self, at: Seen, ends: (Endpoint, Endpoint), payload: &[u8]) {
        self.dns_segment();
        self.dns_in_stream(at, ends, payload);
    }

    /// A packet of DNS.
    pub fn dns_segment(&mut self) {
        self.lookups.messages += 1;
    }

    /// Takes a message of DNS that stood in packets which were [told](Session::dns_segment).
    pub fn dns_in_stream(&mut self, at: Seen, ends: (Endpoint, Endpoint), payload: &[u8]) {
        self.lookups.take(ends.0, ends.1, payload, at);
        self.hidden.add_from_dns(ends.0, ends.1, at, payload);
    }

    /// How many UDP datagrams and TCP segments the capture holds altogether.
    pub fn all_packets(&mut self, packets: u64) {
        self.lookups.packets = packets;
    }

    /// The capturing program says that it lost so many packets.
    pub fn lost_while_capturing(&mut self, packets: u64) {
        self.clients.coverage.lost_while_capturing(packets);
    }

    /// Whether the capture holds anything but DNS: what came of an answer would then be seen.
    #[must_use]
    pub fn has_other_packets(&self) -> bool {
        self.lookups.packets > self.lookups.messages
    }

    /// Whether the capture holds nothing but STUN, as one does that a display filter made: what else passed is then not known. An answer to
    /// ARP, or anything else that is sent to a host, shows that it holds more.
    #[must_use]
    pub fn holds_stun_only(&self) -> bool {
        let totals = &self.totals;
        let others = totals.messages.channel_data
            + totals.messages.rtp
            + totals.messages.rtcp
            + totals.messages.dtls.values().chain(totals.tls.values()).sum::<u64>();
        others == 0 && self.lookups.packets <= totals.stun_total() && !self.clients.coverage.others_heard()
    }

    /// Questions about names of servers.
    #[must_use]
    pub fn lookups(&self) -> &Lookups {
        &self.lookups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_servers_are_told_by_their_first_label() {
        for name in
            ["turn.example.org", "stun2.l.example.com", "_turns._tcp.example.org", "turn-eu.example.org", "coturn.lab"]
        {
            assert!(is_likely(name), "{name}");
        }
        for name in ["www.example.org", "turner.example.org", "stunning.example", "turntable.example", ""] {
            assert!(!is_likely(name), "{name}");
        }
    }
}
