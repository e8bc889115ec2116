//! What candidates the capture shows, and how surely (RFC 8445 §5.1.1): from checks and their answers, and from Binding answers of servers.
//! PRIORITY of a check is that of a peer-reflexive candidate whatever the sender's own is, and shows no type.

use super::convert::tcp_type;
use crate::bounded::BoundedList;
use crate::net::{Endpoint, Scope, ServerAddress, is_unrouted};
use crate::report::convert::Origin;
use crate::report::{Address, Candidate, CandidateType, Confidence, Transport};
use crate::session::ice::{IceSession, Pair};
use crate::session::signalling::compare;
use crate::session::{Conversation, Exchange, Session};
use crate::wire::stun::Method;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How many frames are kept as evidence of one candidate.
const MAX_EVIDENCE: usize = 4;

/// The candidates that are known so far, each once, and the type of each address.
#[derive(Debug, Default)]
pub(in crate::report) struct Known {
    listed: Vec<Candidate>,
    kinds: BTreeMap<(Endpoint, bool), CandidateType>,
    /// The hosts of STUN and TURN servers: what else is seen there may be a relay.
    servers: BTreeSet<IpAddr>,
}

impl Known {
    /// None yet, beside these servers.
    pub(in crate::report) fn beside(servers: impl Iterator<Item = ServerAddress>) -> Known {
        Known { servers: servers.map(|server| server.0.ip()).collect(), ..Known::default() }
    }

    /// Takes a candidate; one that is known gets more evidence.
    pub(in crate::report) fn add(&mut self, candidate: Candidate) {
        let place = self.place_of(&candidate);
        if let Some(known) = place.and_then(|place| self.listed.get_mut(place)) {
            known.evidence_total += candidate.evidence_total;
            for place in candidate.evidence {
                known.evidence.push_new_up_to(MAX_EVIDENCE, place);
            }
            known.confidence = known.confidence.min(candidate.confidence);
            known.server = known.server.or(candidate.server);
            known.tcp_type = known.tcp_type.or(candidate.tcp_type);
            return;
        }
        self.kinds.entry((candidate.address.0, candidate.transport.is_stream())).or_insert(candidate.kind);
        self.listed.push(candidate);
    }

    /// Where a candidate is listed already. A relayed address is lent to one client after another: who checks from it is who has it then.
    fn place_of(&self, candidate: &Candidate) -> Option<usize> {
        let key = |known: &Candidate| (known.kind, known.transport, known.address, known.base);
        let frame = |known: &Candidate| known.evidence.first().map(|place| place.frame);
        let same = || self.listed.iter().enumerate().filter(|(_, known)| key(known) == key(candidate));
        let found = if candidate.kind != CandidateType::Relay {
            same().next()
        } else if candidate.owner == candidate.address.0.ip().to_string() {
            same().rfind(|(_, known)| frame(known) <= frame(candidate)).or_else(|| same().next())
        } else {
            same().find(|(_, known)| known.owner == candidate.owner)
        };
        found.map(|(place, _)| place)
    }

    /// The type of the candidate with this address, for TCP or for UDP, where something shows it.
    pub(in crate::report) fn kind(&self, address: Endpoint, tcp: bool) -> Option<CandidateType> {
        self.kinds.get(&(address, tcp)).copied()
    }

    /// All of them, by their first evidence.
    pub(in crate::report) fn sorted(mut self) -> Vec<Candidate> {
        self.listed.sort_by_key(|candidate| candidate.evidence.first().map(|place| place.frame));
        self.listed
    }
}

/// The server-reflexive candidates that Binding answers of a server show.
pub(in crate::report) fn binding(
    conversation: &Conversation,
    origin: Origin,
) -> impl Iterator<Item = (u64, Candidate)> {
    conversation.of(Method::BINDING).filter_map(move |exchange: &Exchange| {
        let answer = exchange.answer.as_ref().filter(|_| exchange.succeeded() && !exchange.asked.check)?;
        let (mapped, client) = (answer.mapped?.0, conversation.client.0);
        // the capture's own view decides: a server that sees the address which the client sends from has no NAT before it
        if mapped == client || answer.mapped_plain.is_some_and(|plain| plain.0 != mapped) {
            return None;
        }
        let candidate = Candidate {
            owner: client.ip().to_string(),
            kind: CandidateType::Srflx,
            transport: if conversation.transport.is_stream() { Transport::Tcp } else { Transport::Udp },
            tcp_type: None,
            address: Address(mapped),
            base: Some(Address(client)),
            server: Some(conversation.server.into()),
            confidence: Confidence::Certain,
            evidence: origin.places(&[answer.seen.frame]),
            evidence_total: 1,
        };
        Some((answer.seen.frame, candidate))
    })
}

/// Adds what the checks of a session show.
pub(in crate::report) fn of_session(known: &mut Known, ice: &IceSession, session: &Session, origin: Origin) {
    for pair in &ice.pairs {
        for agent in 0..2 {
            of_agent(known, ice, pair, agent, session, origin);
        }
    }
}

fn of_agent(known: &mut Known, ice: &IceSession, pair: &Pair, agent: usize, session: &Session, origin: Origin) {
    let end = pair.end(agent);
    let way = pair.way(agent);
    let relays = pair.relays() == Some(agent);
    let tcp = pair.is_tcp();
    let make = |kind, address: Endpoint, base: Option<Endpoint>, confidence, frames: &[u64]| Candidate {
        owner: base.map_or(address.ip(), |base| base.ip()).to_string(),
        kind,
        transport: if tcp { Transport::Tcp } else { Transport::Udp },
        tcp_type: tcp_type(pair, agent),
        address: Address(address),
        base: base.map(Address),
        server: pair.relay().filter(|_| relays).map(Address),
        confidence,
        evidence: origin.places(frames),
        evidence_total: frames.len() as u64,
    };
    let described = described(ice, agent, (end, tcp), session);
    let Some(first) = way.first else {
        // it sends no checks from there; what its description says is all there is
        if let Some((kind, base)) = described {
            let answered = pair.way(1 - agent).answered.as_ref().map(|answered| answered.first.frame);
            known.add(make(kind, end, base, Confidence::Certain, answered.as_slice()));
        }
        return;
    };
    let mapped = way.answered.as_ref().and_then(|answered| answered.mapped);
    let frames = [Some(first.frame), mapped.map(|(_, frame)| frame)];
    let frames: Vec<u64> = frames.into_iter().flatten().collect();
    let mapped = mapped.map(|(mapped, _)| mapped);
    let is_near = is_unrouted(way.ttl);
    let sure = Confidence::certain_if(is_near);
    if relays {
        if pair.is_relay_known() {
            known.add(make(CandidateType::Relay, end, Some(end), Confidence::Certain, &frames));
        }
    } else if let Some((kind, base)) = described {
        known.add(make(kind, end, base, Confidence::Certain, &frames));
    } else if !matches!(known.kind(end, tcp), Some(CandidateType::Relay | CandidateType::Srflx)) {
        match mapped {
            _ if !is_near && known.servers.contains(&end.ip()) => {}
            Some(_) if !is_near && is_outside_of(ice, agent, end) => {
                known.add(make(CandidateType::Srflx, end, None, Confidence::Likely, &frames));
            }
            Some(_) if !is_near && may_be_relay(ice, agent, end) => {}
            // whatever a NAT makes of it, it is what the sender sends from; beyond a NAT it only looks like that
            Some(_) => known.add(make(CandidateType::Host, end, Some(end), sure, &frames)),
            None if is_near => known.add(make(CandidateType::Host, end, Some(end), Confidence::Likely, &frames)),
            None => known.add(make(CandidateType::Prflx, end, None, Confidence::Likely, &frames)),
        }
    }
    let Some(mapped) = mapped.filter(|&mapped| mapped != end && known.kind(mapped, tcp).is_none()) else { return };
    if relays && !pair.is_relay_known() {
        // the allocation is not in the capture, but what the peer sees is the relay's address
        let mut relayed = make(CandidateType::Relay, mapped, Some(mapped), Confidence::Likely, &frames);
        if let Some(client) = pair.relay_client() {
            relayed.owner = client.ip().to_string();
        }
        known.add(relayed);
    } else {
        known.add(make(CandidateType::Prflx, mapped, Some(end), Confidence::Certain, &frames));
    }
}

/// Whether an agent was also checked at a private address with the same port: a NAT that keeps ports makes such a pair.
fn is_outside_of(ice: &IceSession, agent: usize, end: Endpoint) -> bool {
    let private = |inside: Endpoint| inside.port() == end.port() && inside.scope() == Scope::Private;
    end.scope() == Scope::Public && ice.pairs.iter().any(|pair| private(pair.end(agent)))
}

/// Whether an address seen from afar may as well be an agent's relay, or what a NAT makes of its host: nothing tells where it is public, or not the
/// only one of the agent's. Checks from all of these are answered alike.
fn may_be_relay(ice: &IceSession, agent: usize, end: Endpoint) -> bool {
    let other = |own: Endpoint| own.ip() != end.ip() && own.is_v6() == end.is_v6();
    let direct = ice.pairs.iter().filter(|pair| pair.relays() != Some(agent));
    end.scope() == Scope::Public || direct.map(|pair| pair.end(agent)).any(other)
}

/// What an agent's description says of an address.
fn described(
    ice: &IceSession,
    agent: usize,
    (end, tcp): (Endpoint, bool),
    session: &Session,
) -> Option<(CandidateType, Option<Endpoint>)> {
    let transport = if tcp { "tcp" } else { "udp" };
    let ufrag = ice.agent(agent).ufrag?;
    let description = session.signalling().of_agent(session.names().bytes(ufrag))?;
    let told = compare::told_as(description, end).find(|known| known.transport == transport)?;
    let kind = match told.kind.as_str() {
        "host" => CandidateType::Host,
        "srflx" => CandidateType::Srflx,
        "prflx" => CandidateType::Prflx,
        "relay" => CandidateType::Relay,
        _ => return None,
    };
    let base = match kind {
        CandidateType::Host | CandidateType::Relay => Some(end),
        _ => told.related.map(|(ip, port)| Endpoint::new(ip, port)),
    };
    Some((kind, base))
}
