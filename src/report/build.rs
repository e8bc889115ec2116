//! From what a session remembers to what a report says.
//!
//! A [`Builder`] takes each flow when it is over and keeps of it what the report lists, within bounds: first what findings speak of, then
//! what there is room for. [`assemble`] puts the parts of several captures together and writes the headline.

use super::headline;
use super::steps;
use super::{
    Address, Allocation, AllocationEnd, Authentication, Candidate, CandidateType, Capture, Channel, Comment,
    Confidence, Counts, Credential, CredentialKind, Damage, Finding, Integrity, IntegrityStatus, NatMapping,
    Permission, Place, ProtocolError, Report, Server, ServerTransport, Side, Time, Transaction, TransactionOutcome,
    Transport, Verdict,
};
use crate::capture::CaptureInfo;
use crate::net::{Endpoint, RelayedAddress, ServerAddress};
use crate::packet;
use crate::rules::{Concluded, Dialect, Severity, View};
use crate::session::credentials::{self, Status};
use crate::session::{self, Conversation, Exchange, Flow, Session, Verdicts};
use crate::time::Timestamp;
use crate::wire::stun::{Class, Method};
use std::collections::BTreeMap;

/// How many entries of each list are kept; twice, for what findings speak of and for the rest.
const MAX_LISTED: usize = 250;
/// How many transactions.
const MAX_TRANSACTIONS: usize = 1000;
/// How many places are listed of one thing.
const MAX_PLACES: usize = 16;

/// A list with an end: what findings speak of has its own room.
#[derive(Debug)]
struct Bounded<T> {
    telling: Vec<(u64, T)>,
    others: Vec<(u64, T)>,
    max: usize,
    omitted: u64,
}

impl<T> Bounded<T> {
    fn new(max: usize) -> Self {
        Bounded { telling: Vec::new(), others: Vec::new(), max, omitted: 0 }
    }

    fn add(&mut self, telling: bool, frame: u64, item: impl FnOnce() -> T) {
        let list = if telling { &mut self.telling } else { &mut self.others };
        if list.len() < self.max {
            list.push((frame, item()));
        } else {
            self.omitted += 1;
        }
    }

    fn sorted(self) -> Vec<T> {
        let mut all = self.telling;
        all.extend(self.others);
        all.sort_by_key(|(frame, _)| *frame);
        all.into_iter().map(|(_, item)| item).collect()
    }
}

/// Gathers the report of one capture while it is read.
#[derive(Debug)]
pub struct Builder {
    capture: u32,
    user: Option<String>,
    digits: u8,
    transactions: Bounded<Transaction>,
    authentications: Bounded<Authentication>,
    allocations: Bounded<Allocation>,
    candidates: Bounded<Candidate>,
    dialects: BTreeMap<ServerAddress, &'static str>,
    facts: headline::Facts,
}

/// The report of one capture, not yet put together with others.
#[derive(Debug)]
pub struct Part {
    report: Report,
    findings: Vec<Concluded>,
    facts: headline::Facts,
    capture: u32,
}

impl Builder {
    /// An empty builder for the capture with this index; with a user, only what is about that user is listed.
    #[must_use]
    pub fn new(capture: u32, user: Option<String>) -> Self {
        Builder {
            capture,
            user,
            digits: 0,
            transactions: Bounded::new(MAX_TRANSACTIONS),
            authentications: Bounded::new(MAX_LISTED),
            allocations: Bounded::new(MAX_LISTED),
            candidates: Bounded::new(MAX_LISTED),
            dialects: BTreeMap::new(),
            facts: headline::Facts::default(),
        }
    }

    /// Takes note of how exactly the capture tells time.
    pub fn digits(&mut self, digits: u8) {
        self.digits = self.digits.max(digits);
    }

    /// Takes a flow that is over; `telling` if a finding speaks of it.
    pub fn flow(&mut self, flow: &Flow, session: &Session, telling: bool) {
        self.facts.flow(flow);
        let Some(conversation) = flow.conversation.as_deref().filter(|_| flow.twin_of.is_none()) else { return };
        let wanted = |user: &String| conversation.user.is_some_and(|name| session.names().text(name) == *user);
        if !self.user.as_ref().is_none_or(wanted) {
            return;
        }
        self.facts.conversation(conversation);
        self.list_exchanges(conversation, session, telling);
        self.ledger(conversation, &View { session }, telling);
    }

    /// Takes the exchanges of a conversation that goes on, before they are forgotten.
    pub fn exchanges(&mut self, conversation: &Conversation, session: &Session, telling: bool) {
        let wanted = |user: &String| conversation.user.is_some_and(|name| session.names().text(name) == *user);
        if self.user.as_ref().is_none_or(wanted) {
            self.list_exchanges(conversation, session, telling);
        }
    }

    fn list_exchanges(&mut self, conversation: &Conversation, session: &Session, telling: bool) {
        let view = View { session };
        let telling_code = |exchange: &Exchange| !matches!(exchange.code(), None | Some(0 | 401 | 438));
        let undecided = match self.dialects.get(&conversation.server) {
            None => self.dialects.len() < MAX_LISTED && !conversation.exchanges.is_empty(),
            Some(&known) => known == Dialect::Standard.name() && conversation.exchanges.iter().any(telling_code),
        };
        if undecided {
            let dialect = Dialect::of(conversation, &view);
            if conversation.answered > 0 {
                self.dialects.insert(conversation.server, dialect.name());
            }
        }
        let at = conversation.first.frame;
        for exchange in &conversation.exchanges {
            let telling = telling && exchange.method != Method::BINDING;
            let (capture, transport) = (self.capture, conversation.transport);
            self.transactions.add(telling, exchange.first.frame, || transaction(exchange, transport, capture, &view));
        }
        if conversation.exchanges.iter().any(|exchange| exchange.method != Method::BINDING) {
            let (capture, digits) = (self.capture, self.digits);
            self.authentications.add(telling, at, || steps::authentication(conversation, &view, capture, digits));
        }
    }

    fn ledger(&mut self, conversation: &Conversation, view: &View<'_>, telling: bool) {
        for known in conversation.allocations() {
            self.allocations.add(telling, known.requested.frame, || {
                allocation(known, conversation, view, self.capture, self.digits)
            });
            self.relay_candidates(known, conversation, telling);
        }
        if let Some(refused) = refused_allocation(conversation) {
            self.allocations
                .add(telling, refused.first.frame, || rejected(refused, conversation, view, self.capture, self.digits));
        }
    }

    fn relay_candidates(&mut self, known: &session::Allocation, conversation: &Conversation, telling: bool) {
        let (capture, client, server) = (self.capture, conversation.client, conversation.server);
        let evidence = vec![place(capture, known.created.frame)];
        let candidate = |kind, address: Endpoint, base: Endpoint| Candidate {
            owner: client.0.ip().to_string(),
            kind,
            address: Address(address),
            base: Some(Address(base)),
            server: Some(server.into()),
            confidence: Confidence::Certain,
            evidence: evidence.clone(),
            evidence_total: 1,
        };
        for relayed in known.relayed.iter().flatten() {
            let make = || candidate(CandidateType::Relay, relayed.0, relayed.0);
            self.candidates.add(telling, known.created.frame, make);
        }
        if let Some(mapped) = known.mapped.filter(|mapped| mapped.0 != client.0) {
            let make = || candidate(CandidateType::Srflx, mapped.0, client.0);
            self.candidates.add(telling, known.created.frame, make);
        }
    }

    /// The capture is over.
    #[must_use]
    pub fn finish(
        self,
        path: String,
        info: &CaptureInfo,
        packets: &packet::Counts,
        session: &Session,
        mut findings: Vec<Concluded>,
    ) -> Part {
        let capture = self.capture;
        if let Some(user) = &self.user {
            findings.retain(|finding| finding.subject.username.as_ref().is_none_or(|name| name == user));
        }
        let mut omitted = BTreeMap::new();
        let mut note = |list: &str, count: u64| {
            if count > 0 {
                omitted.insert(list.to_owned(), count);
            }
        };
        note("authentications", self.authentications.omitted);
        note("allocations", self.allocations.omitted);
        note("candidates", self.candidates.omitted);
        note("nat", session.nat().dropped() + (session.nat().mappings().len().saturating_sub(MAX_LISTED)) as u64);
        note("servers", session.servers().dropped());
        note("flows", session.dropped().0);
        note("unanswered_transactions", session.dropped().1);
        note("names", session.names().dropped());
        let total = session.totals().transactions;
        let items = self.transactions.sorted();
        let servers = session.servers().sorted();
        let report = Report {
            captures: vec![capture_of(path, info, self.digits)],
            counts: counts(session, packets),
            servers: servers
                .into_iter()
                .map(|(address, known)| server(address, known, info, session, self.dialects.get(&address)))
                .collect(),
            transactions: super::Transactions { total, omitted: total.saturating_sub(items.len() as u64), items },
            authentications: self.authentications.sorted(),
            allocations: self.allocations.sorted(),
            candidates: self.candidates.sorted(),
            nat: session.nat().mappings().iter().take(MAX_LISTED).map(|known| mapping(known, capture)).collect(),
            credentials: credentials_of(session),
            omitted,
            ..Report::default()
        };
        Part { report, findings, facts: self.facts, capture }
    }
}

/// Puts the parts of several captures together.
#[must_use]
pub fn assemble(parts: Vec<Part>) -> Report {
    let mut whole = Report::default();
    let mut facts = headline::Facts::default();
    let mut findings: Vec<(u32, Concluded)> = Vec::new();
    for part in parts {
        let Part { report, findings: found, facts: seen, capture } = part;
        whole.captures.extend(report.captures);
        add_counts(&mut whole.counts, report.counts);
        whole.servers.extend(report.servers);
        whole.transactions.total += report.transactions.total;
        whole.transactions.omitted += report.transactions.omitted;
        whole.transactions.items.extend(report.transactions.items);
        whole.authentications.extend(report.authentications);
        whole.allocations.extend(report.allocations);
        whole.candidates.extend(report.candidates);
        whole.nat.extend(report.nat);
        add_credentials(&mut whole.credentials, report.credentials);
        for (list, count) in report.omitted {
            *whole.omitted.entry(list).or_default() += count;
        }
        facts.add(seen);
        findings.extend(found.into_iter().map(|finding| (capture, finding)));
    }
    findings.sort_by_key(|(_, finding)| {
        (finding.effective_severity(), finding.caused_by.is_some(), finding.severity, finding.at)
    });
    let worst = findings.first().map(|(_, finding)| finding.effective_severity());
    whole.verdict = match worst {
        Some(Severity::Failure) => Verdict::Failure,
        Some(Severity::Warning) => Verdict::Warning,
        _ if facts.is_empty(&whole.counts) => Verdict::NothingFound,
        _ => Verdict::Healthy,
    };
    let leading = findings
        .iter()
        .map(|(_, finding)| finding)
        .find(|finding| finding.caused_by.is_none() && finding.effective_severity() != Severity::Note);
    whole.headline = match leading {
        Some(finding) => format!("{}.", finding.text.title),
        None => facts.sentence(&whole),
    };
    whole.headline_finding = leading.map(|finding| finding.id.to_owned());
    whole.findings = findings.into_iter().map(|(capture, finding)| finding_of(finding, capture)).collect();
    whole
}

fn place(capture: u32, frame: u64) -> Place {
    Place { capture, frame }
}

fn places(capture: u32, frames: &[u64]) -> Vec<Place> {
    frames.iter().take(MAX_PLACES).map(|&frame| place(capture, frame)).collect()
}

fn finding_of(finding: Concluded, capture: u32) -> Finding {
    let Concluded {
        id,
        key,
        severity,
        confidence,
        text,
        occurrences,
        frames,
        frames_total,
        filter,
        reference,
        subject,
        ..
    } = finding;
    Finding {
        id: id.to_owned(),
        key,
        severity,
        confidence,
        title: text.title,
        explanation: text.explanation,
        fix: text.fix,
        occurrences,
        caused_by: finding.caused_by,
        places: places(capture, &frames),
        places_total: frames_total,
        filter,
        reference: (!reference.is_empty()).then(|| reference.to_owned()),
        subject: super::Subject {
            client: subject.client.map(Address::from),
            server: subject.server.map(Address::from),
            username: subject.username,
            realm: subject.realm,
            peer: subject.peer.map(Address::from),
            relayed: subject.relayed.map(Address::from),
            mapped: subject.mapped.map(Address::from),
        },
    }
}

fn capture_of(path: String, info: &CaptureInfo, digits: u8) -> Capture {
    Capture {
        path,
        format: info.format.to_string(),
        link_types: info.link_types.iter().map(|&known| packet::link_type_name(known).to_owned()).collect(),
        frames: info.frames,
        bytes: info.bytes,
        first_time: info.first_time.map(|at| Time::new(at, digits)),
        last_time: info.last_time.map(|at| Time::new(at, digits)),
        comments: info
            .comments
            .iter()
            .map(|comment| Comment { frame: comment.frame, text: comment.text.clone() })
            .collect(),
        damage: info
            .damage
            .iter()
            .map(|damage| Damage {
                offset: damage.offset,
                after_frame: damage.after_frame,
                what: damage.what.clone(),
                resumed_at: damage.resumed_at,
            })
            .collect(),
        damage_total: info.damage_total,
        clock_offset_us: None,
        clock_uncertainty_us: None,
    }
}

/// The name that reports give a kind of STUN message: `Allocate request`, `Allocate success response`.
fn kind_name(method: Method, class: Class) -> String {
    match class {
        Class::Request | Class::Indication => format!("{method} {class}"),
        Class::Success | Class::Error => format!("{method} {class} response"),
    }
}

fn counts(session: &Session, packets: &packet::Counts) -> Counts {
    let totals = session.totals();
    let mut skipped = BTreeMap::new();
    let mut skip = |what: String, count: u64| {
        if count > 0 {
            skipped.insert(what, count);
        }
    };
    for (link_type, count) in packets.unsupported.iter() {
        skip(format!("link type {} ({})", link_type.0, packet::link_type_name(link_type)), count);
    }
    skip("encrypted".to_owned(), packets.encrypted);
    skip("malformed headers".to_owned(), packets.malformed);
    skip("nested too deep".to_owned(), packets.too_deep);
    skip("incomplete fragments".to_owned(), packets.fragments.incomplete);
    skip("mirrored copies".to_owned(), totals.mirrored.total);
    Counts {
        stun: totals
            .stun_by_kind()
            .into_iter()
            .map(|(method, class, count)| (kind_name(method, class), count))
            .collect(),
        channel_data: totals.channel_data,
        dtls: totals.dtls.iter().map(|(&kind, &count)| (content_type(kind), count)).collect(),
        rtp: totals.rtp,
        rtcp: totals.rtcp,
        error_codes: totals.errors().iter().map(|(code, &count)| (code.to_string(), count)).collect(),
        skipped,
    }
}

fn content_type(kind: u8) -> String {
    match kind {
        20 => "change_cipher_spec".to_owned(),
        21 => "alert".to_owned(),
        22 => "handshake".to_owned(),
        23 => "application_data".to_owned(),
        24 => "heartbeat".to_owned(),
        25 => "tls12_cid".to_owned(),
        26 => "ack".to_owned(),
        32..=63 => "ciphertext".to_owned(),
        other => format!("type {other}"),
    }
}

fn add_counts(whole: &mut Counts, part: Counts) {
    let add = |into: &mut BTreeMap<String, u64>, from: BTreeMap<String, u64>| {
        for (what, count) in from {
            *into.entry(what).or_default() += count;
        }
    };
    add(&mut whole.stun, part.stun);
    add(&mut whole.dtls, part.dtls);
    add(&mut whole.error_codes, part.error_codes);
    add(&mut whole.skipped, part.skipped);
    whole.channel_data += part.channel_data;
    whole.rtp += part.rtp;
    whole.rtcp += part.rtcp;
}

fn add_credentials(whole: &mut Vec<Credential>, part: Vec<Credential>) {
    for credential in part {
        match whole.iter_mut().find(|known| known.label == credential.label) {
            Some(known) => {
                known.verified += credential.verified;
                known.requests += credential.requests;
                known.responses += credential.responses;
                known.mismatched += credential.mismatched;
            }
            None => whole.push(credential),
        }
    }
}

fn server(
    address: ServerAddress,
    known: &session::Server,
    info: &CaptureInfo,
    session: &Session,
    dialect: Option<&&'static str>,
) -> Server {
    let names = info.names.iter().filter(|(ip, _)| *ip == address.0.ip()).map(|(_, name)| name.clone()).collect();
    let sum = |of: fn(&session::Reached) -> u64| known.transports.iter().map(|(_, reached)| of(reached)).sum();
    Server {
        address: address.into(),
        names,
        transports: known
            .transports
            .iter()
            .map(|(transport, reached)| ServerTransport {
                transport: *transport,
                asked: reached.asked,
                answered: reached.answered,
                allocated: reached.allocated,
                rtt_us: reached.rtt.map(crate::time::Span::micros),
                mapped: reached.mapped.map(Address::from),
            })
            .collect(),
        software: known.software.map(|name| session.names().text(name)),
        dialect: dialect.map(|&name| name.to_owned()),
        active_clients: sum(|reached| reached.clients),
        active_relays_udp: sum(|reached| reached.relays[0]),
        active_relays_tcp: sum(|reached| reached.relays[1]),
    }
}

fn mapping(known: &session::Mapping, capture: u32) -> NatMapping {
    NatMapping {
        inside: Address(known.inside),
        outside: Address(known.outside),
        evidence: places(capture, &known.evidence),
        evidence_total: known.total,
    }
}

fn credentials_of(session: &Session) -> Vec<Credential> {
    let used = &session.totals().credentials;
    let listed = session.credentials().list().len();
    (0u32..)
        .zip(0..used.len().max(listed))
        .filter_map(|(number, index)| {
            let fared = used.get(index).copied().unwrap_or_default();
            // of a list of a million passwords, those that signed something are of interest
            let interesting = index < listed || fared.requests + fared.responses > 0;
            let described = session.credentials().describe(number).filter(|_| interesting)?;
            Some(Credential {
                label: described.label.into_owned(),
                side: described.side.map(side),
                kind: match described.kind {
                    "shared-secret" => CredentialKind::SharedSecret,
                    "ice" => CredentialKind::Ice,
                    "key" => CredentialKind::Key,
                    _ => CredentialKind::Password,
                },
                verified: fared.requests + fared.responses,
                requests: fared.requests,
                responses: fared.responses,
                mismatched: fared.mismatched,
            })
        })
        .collect()
}

fn side(side: credentials::Side) -> Side {
    match side {
        credentials::Side::Client => Side::Client,
        credentials::Side::Server => Side::Server,
    }
}

/// The published form of the verdicts on a message.
#[must_use]
pub(super) fn integrity(verdicts: &Verdicts, session: &Session) -> Vec<Integrity> {
    verdicts.iter().flatten().map(|verdict| integrity_of(verdict, session.credentials())).collect()
}

/// The published form of one verdict.
#[must_use]
pub fn integrity_of(verdict: &credentials::Integrity, known: &credentials::Credentials) -> Integrity {
    let (status, credential, rule, tried) = match verdict.status {
        Status::Verified { credential, rule, derivation } => {
            let label = known.describe(credential).map(|described| described.label.into_owned());
            let rule = steps::unusual(rule, derivation);
            (IntegrityStatus::Verified, label, rule, None)
        }
        Status::Mismatch { tried } => (IntegrityStatus::Mismatch, None, None, Some(tried)),
        Status::Untested => (IntegrityStatus::Untested, None, None, None),
        Status::Truncated => (IntegrityStatus::Truncated, None, None, None),
    };
    Integrity { algorithm: verdict.algorithm.name().to_owned(), status, credential, rule, tried }
}

fn protocol_error(answer: &session::Answer, view: &View<'_>) -> Option<ProtocolError> {
    let reason = answer.reason.map(|name| view.text(name)).unwrap_or_default();
    (answer.class == Class::Error).then_some(ProtocolError { code: answer.code, reason })
}

fn transaction(exchange: &Exchange, transport: Transport, capture: u32, view: &View<'_>) -> Transaction {
    let answer = exchange.answer.as_ref();
    let copies = std::iter::once(exchange.first).chain(exchange.again.iter().copied());
    let text = |name: Option<session::Name>| name.map(|name| view.text(name));
    Transaction {
        id: exchange.id.to_string(),
        method: exchange.method.to_string(),
        client: exchange.client.into(),
        server: exchange.server.into(),
        transport,
        requests: copies.map(|copy| place(capture, copy.frame)).collect(),
        requests_total: 1 + u64::from(exchange.again_total),
        response: answer.map(|answer| place(capture, answer.seen.frame)),
        outcome: match answer.map(|answer| answer.class) {
            None => TransactionOutcome::Unanswered,
            Some(Class::Error) => TransactionOutcome::Error,
            Some(_) => TransactionOutcome::Success,
        },
        error: answer.and_then(|answer| protocol_error(answer, view)),
        rtt_us: exchange.rtt().map(|(least, _)| least.micros()),
        rtt_max_us: exchange.rtt().map(|(_, most)| most.micros()),
        username: text(exchange.asked.user),
        realm: text(exchange.asked.realm.or(answer.and_then(|answer| answer.realm))),
        answered_from: answer.and_then(|answer| answer.from).map(Address),
        request_integrity: integrity(&exchange.asked.integrity, view.session),
        response_integrity: answer.map(|answer| integrity(&answer.integrity, view.session)).unwrap_or_default(),
    }
}

fn relayed_transport(number: Option<u8>) -> Option<Transport> {
    match number {
        Some(17) => Some(Transport::Udp),
        Some(6) => Some(Transport::Tcp),
        _ => None,
    }
}

fn allocation(
    known: &session::Allocation,
    conversation: &Conversation,
    view: &View<'_>,
    capture: u32,
    digits: u8,
) -> Allocation {
    let time = |at: Timestamp| Some(Time::new(at, digits));
    let end = known.end(view.now());
    let ended_at = match (known.ended, end) {
        (Some((_, seen)), _) => time(seen.time),
        (None, session::End::Expired) => time(known.expires),
        _ => None,
    };
    let refused = refused_peers(conversation, view, digits);
    let mut permissions: Vec<Permission> = known
        .permissions
        .iter()
        .map(|made| Permission {
            peer: made.peer.0.ip(),
            created_at: time(made.made.time),
            expires_at: time(made.expires),
            error: None,
        })
        .collect();
    permissions.extend(refused);
    let evidence = [Some(known.requested), Some(known.created), known.ended.map(|(_, seen)| seen)];
    let evidence: Vec<Place> = evidence.into_iter().flatten().map(|seen| place(capture, seen.frame)).collect();
    Allocation {
        client: conversation.client.into(),
        server: conversation.server.into(),
        transport: conversation.transport,
        username: known.user.map(|name| view.text(name)),
        realm: known.realm.map(|name| view.text(name)),
        mapped: known.mapped.map(Address::from),
        relayed: known.relayed.iter().flatten().map(|&relayed: &RelayedAddress| relayed.into()).collect(),
        relayed_transport: relayed_transport(known.transport),
        requested_lifetime_s: known.requested_lifetime,
        lifetime_s: Some(known.lifetime),
        requested_at: time(known.requested.time),
        created_at: time(known.created.time),
        refreshes: u64::from(known.refreshes),
        expires_at: time(known.expires),
        ended_at,
        end: match end {
            session::End::Released => AllocationEnd::Released,
            session::End::Expired => AllocationEnd::Expired,
            session::End::Open => AllocationEnd::Open,
            session::End::Rejected => AllocationEnd::Rejected,
        },
        error: None,
        permissions_total: permissions.len() as u64,
        permissions,
        channels: known
            .channels
            .iter()
            .map(|bound| Channel {
                channel: bound.number,
                peer: bound.peer.into(),
                created_at: time(bound.bound.time),
                expires_at: time(bound.expires),
                error: None,
            })
            .collect(),
        channels_total: known.channels.len() as u64,
        bytes_sent: known.sent.bytes,
        bytes_received: known.received.bytes,
        evidence_total: evidence.len() as u64,
        evidence,
    }
}

/// Peers that the server refused to let send.
fn refused_peers(conversation: &Conversation, view: &View<'_>, digits: u8) -> Vec<Permission> {
    conversation
        .of(Method::CREATE_PERMISSION)
        .filter_map(|exchange| {
            let error = protocol_error(exchange.answer.as_ref()?, view)?;
            Some(Permission {
                peer: exchange.asked.peer?.0.ip(),
                created_at: Some(Time::new(exchange.first.time, digits)),
                expires_at: None,
                error: Some(error),
            })
        })
        .take(MAX_PLACES)
        .collect()
}

/// The last Allocate of a conversation that never got one, if it was refused for good.
fn refused_allocation(conversation: &Conversation) -> Option<&Exchange> {
    let last = conversation.of(Method::ALLOCATE).next_back()?;
    let signed_or_final = last.asked.is_signed() || last.answer.as_ref().is_some_and(|answer| !answer.is_challenge());
    (conversation.allocated == 0 && last.failed() && signed_or_final).then_some(last)
}

fn rejected(exchange: &Exchange, conversation: &Conversation, view: &View<'_>, capture: u32, digits: u8) -> Allocation {
    let answer = exchange.answer.as_ref();
    let evidence: Vec<Place> = exchange.frames().map(|frame| place(capture, frame)).collect();
    Allocation {
        client: conversation.client.into(),
        server: conversation.server.into(),
        transport: conversation.transport,
        username: exchange.asked.user.map(|name| view.text(name)),
        realm: exchange.asked.realm.map(|name| view.text(name)),
        mapped: None,
        relayed: Vec::new(),
        relayed_transport: relayed_transport(exchange.asked.transport),
        requested_lifetime_s: exchange.asked.lifetime,
        lifetime_s: None,
        requested_at: Some(Time::new(exchange.first.time, digits)),
        created_at: None,
        refreshes: 0,
        expires_at: None,
        ended_at: answer.map(|answer| Time::new(answer.seen.time, digits)),
        end: AllocationEnd::Rejected,
        error: answer.and_then(|answer| protocol_error(answer, view)),
        permissions: Vec::new(),
        permissions_total: 0,
        channels: Vec::new(),
        channels_total: 0,
        bytes_sent: 0,
        bytes_received: 0,
        evidence_total: evidence.len() as u64,
        evidence,
    }
}
