//! From what a session remembers to what a report says.
//!
//! A [`Builder`] takes each flow when it is over and keeps of it what the report lists, within bounds: first what findings speak of, then
//! what there is room for. [`assemble`](super::assemble()) puts the parts of several captures together and writes the headline.

use super::convert::{
    Origin, allocation, capture_of, counts, credentials_of, mapping, refused_allocation, rejected, relayed_transport,
    server, transaction,
};
use super::dtls;
use super::headline;
use super::ice;
use super::media::media;
use super::steps;
use super::{
    Address, Allocation, Authentication, Candidate, CandidateType, Capture, Confidence, Decryption, Dtls, Join, Report,
    SetBack, Tls, Transaction, Transport,
};
use crate::capture::CaptureInfo;
use crate::event::StreamCounts;
use crate::logs::Event;
use crate::net::{Endpoint, ServerAddress};
use crate::packet;
use crate::rules::{Concluded, Dialect, View};
use crate::session::handshake::Handshake;
use crate::session::ice::IceSession;
use crate::session::tls::TlsConnection;
use crate::session::{self, Conversation, Exchange, Flow, Session};
use crate::wire::stun::Method;
use std::collections::BTreeMap;

/// How many entries of each list are kept; twice, for what findings speak of and for the rest.
const MAX_LISTED: usize = 250;
/// How many candidate pairs of the ICE sessions that are listed.
const MAX_PAIRS: usize = 4096;
/// How many answers are kept to compare logs with.
const MAX_EVENTS: usize = 512;
/// How many transactions.
const MAX_TRANSACTIONS: usize = 1000;

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
    origin: Origin,
    transactions: Bounded<Transaction>,
    authentications: Bounded<Authentication>,
    allocations: Bounded<Allocation>,
    candidates: Bounded<Candidate>,
    dtls: Bounded<Dtls>,
    tls: Bounded<Tls>,
    decryption: Decryption,
    keyed: bool,
    ice: Bounded<IceSession>,
    /// Pairs of the listed ICE sessions.
    pairs: usize,
    dialects: BTreeMap<ServerAddress, &'static str>,
    facts: headline::Facts,
    events: Vec<Event>,
    /// What others lack, by the name that it has in the report.
    lacking: Vec<(&'static str, u64)>,
}

/// The report of one capture, or of several that were read as one, not yet put together with others.
#[derive(Debug)]
pub struct Part {
    pub(super) report: Report,
    pub(super) findings: Vec<Concluded>,
    pub(super) facts: headline::Facts,
    pub(super) capture: u32,
    /// What servers may have written down, the first ones.
    pub(super) events: Vec<Event>,
    pub(super) captures: Vec<(u32, Capture)>,
}

impl Part {
    /// The year in which the capture begins.
    #[must_use]
    pub fn year(&self) -> Option<i16> {
        let first = self.captures.first()?.1.first_time?;
        let instant = jiff::Timestamp::from_nanosecond(i128::from(first.at.0)).ok()?;
        Some(instant.to_zoned(jiff::tz::TimeZone::UTC).year())
    }

    /// The captures that it is about, each with its index, to be changed.
    pub fn captures_mut(&mut self) -> impl Iterator<Item = (u32, &mut Capture)> {
        self.captures.iter_mut().map(|(index, capture)| (*index, capture))
    }

    /// Adds what captures share.
    pub fn add_joins(&mut self, joins: Vec<Join>) {
        self.report.joins.extend(joins);
    }
}

impl Builder {
    /// An empty builder for the capture with this index; with a user, only what is about that user is listed. `narrow`: frames of other times or hosts
    /// are passed over.
    #[must_use]
    pub fn new(capture: u32, user: Option<String>, narrow: bool) -> Self {
        Builder {
            origin: Origin { capture, digits: 0 },
            facts: headline::Facts::about(user, narrow),
            transactions: Bounded::new(MAX_TRANSACTIONS),
            authentications: Bounded::new(MAX_LISTED),
            allocations: Bounded::new(MAX_LISTED),
            candidates: Bounded::new(MAX_LISTED),
            dtls: Bounded::new(MAX_LISTED),
            tls: Bounded::new(MAX_LISTED),
            decryption: Decryption::default(),
            keyed: false,
            ice: Bounded::new(MAX_LISTED),
            pairs: 0,
            dialects: BTreeMap::new(),
            events: Vec::new(),
            lacking: Vec::new(),
        }
    }

    /// So much found no room elsewhere, and is to be told by this name.
    pub fn lacks(&mut self, what: &'static str, count: u64) {
        self.lacking.push((what, count));
    }

    /// There are keys: what is known of them is to be told.
    pub fn keyed(&mut self, tell: impl FnOnce(&mut Decryption)) {
        self.keyed = true;
        tell(&mut self.decryption);
    }

    /// Takes note of how exactly the capture tells time.
    pub fn digits(&mut self, digits: u8) {
        self.origin.digits = self.origin.digits.max(digits);
    }

    /// Takes a flow that is over; `telling` if a finding speaks of it.
    pub fn flow(&mut self, flow: &Flow, session: &Session, telling: bool) {
        self.facts.flow(flow);
        let Some(conversation) = flow.own_conversation() else { return };
        if !self.is_wanted(conversation, session) {
            return;
        }
        self.facts.met();
        self.facts.conversation(conversation);
        self.list_exchanges(conversation, session, telling);
        self.ledger(conversation, &View { session }, telling);
    }

    /// Takes a DTLS association that is over; `telling` if a finding speaks of it. One that no user of TURN can be named for is listed
    /// whichever user is asked for.
    pub fn handshake(&mut self, known: &Handshake, telling: bool) {
        if let Some(listed) = dtls::dtls(known, self.origin) {
            self.dtls.add(telling, known.first.frame, || listed);
        }
    }

    /// Takes a TLS connection of TURN that is over; `telling` if a finding speaks of it.
    pub fn tls(&mut self, known: &TlsConnection, telling: bool) {
        if let Some(listed) = super::tls::tls(known, self.origin) {
            self.decryption.tls(&listed);
            self.tls.add(telling, known.handshake.first.frame, || listed);
        }
    }

    /// Takes the exchanges of a conversation that goes on, before they are forgotten.
    pub fn exchanges(&mut self, conversation: &Conversation, session: &Session, telling: bool) {
        if self.is_wanted(conversation, session) {
            self.list_exchanges(conversation, session, telling);
        }
    }

    /// Takes an ICE session that is over; `telling` if a finding speaks of it.
    pub fn ice(&mut self, ice: IceSession, telling: bool) {
        let one_user = self.facts.sought().is_some();
        if one_user || self.pairs + ice.pairs.len() > MAX_PAIRS {
            self.ice.omitted += u64::from(!one_user);
            return;
        }
        self.pairs += ice.pairs.len();
        self.ice.add(telling, u64::from(ice.number), || ice);
    }

    /// Whether the user that is asked for takes part in a conversation.
    fn is_wanted(&self, conversation: &Conversation, session: &Session) -> bool {
        let Some(user) = self.facts.sought() else { return true };
        let tried = conversation.exchanges.iter().filter_map(|exchange| exchange.asked.user);
        let granted = conversation.allocations().filter_map(|allocation| allocation.user);
        tried.chain(granted).chain(conversation.user).any(|name| session.names().text(name) == user)
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
            if self.events.len() < MAX_EVENTS {
                self.events.extend(super::logs::event(exchange, &view));
            }
            let telling = telling && exchange.method != Method::BINDING;
            let (origin, transport) = (self.origin, conversation.transport);
            self.transactions.add(telling, exchange.first.frame, || transaction(exchange, transport, origin, &view));
        }
        // a data connection that was bound is told with its allocation
        let bound = |exchange: &Exchange| exchange.method == Method::CONNECTION_BIND && exchange.succeeded();
        if conversation.exchanges.iter().any(|exchange| exchange.method != Method::BINDING && !bound(exchange)) {
            let origin = self.origin;
            self.authentications.add(telling, at, || steps::authentication(conversation, &view, origin));
        }
    }

    fn ledger(&mut self, conversation: &Conversation, view: &View<'_>, telling: bool) {
        for known in conversation.allocations() {
            self.allocations.add(telling, known.requested.frame, || allocation(known, conversation, view, self.origin));
            self.relay_candidates(known, conversation, telling);
        }
        for (frame, candidate) in ice::binding(conversation, self.origin) {
            self.candidates.add(telling, frame, || candidate);
        }
        if let Some(refused) = refused_allocation(conversation) {
            self.allocations.add(telling, refused.first.frame, || rejected(refused, conversation, view, self.origin));
        }
    }

    fn relay_candidates(&mut self, known: &session::Allocation, conversation: &Conversation, telling: bool) {
        let (client, server) = (conversation.client, conversation.server);
        let evidence = vec![self.origin.place(known.created.frame)];
        let reached = if conversation.transport.is_stream() { Transport::Tcp } else { Transport::Udp };
        let lent = relayed_transport(known.transport).unwrap_or(Transport::Udp);
        let candidate = |kind, address: Endpoint, base: Endpoint| Candidate {
            owner: client.0.ip().to_string(),
            kind,
            transport: if kind == CandidateType::Relay { lent } else { reached },
            tcp_type: None,
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

    /// How many entries each list lacks.
    fn omitted(&self, session: &Session, streams: &StreamCounts) -> BTreeMap<String, u64> {
        let (nat, (flows, unanswered)) = (session.nat(), session.dropped());
        let lists = [
            ("authentications", self.authentications.omitted),
            ("allocations", self.allocations.omitted),
            ("candidates", self.candidates.omitted),
            ("dtls", self.dtls.omitted),
            ("dtls_fragments", session.unkept_fragments()),
            ("tls", self.tls.omitted),
            ("tls_cut_off", session.tls().dropped()),
            ("nat", nat.dropped() + nat.mappings().len().saturating_sub(MAX_LISTED) as u64),
            ("servers", session.servers().dropped()),
            ("flows", flows),
            ("unanswered_transactions", unanswered),
            ("names", session.names().dropped()),
            ("signatures", session.credentials().cut_short()),
            ("streams", streams.dropped),
            ("connections", session.attempts().dropped()),
            ("ways", session.ways().dropped()),
            ("joins", session.joins().omitted()),
            ("lookups", session.lookups().dropped()),
            ("hidden_candidates", session.hidden().dropped()),
            ("ice", self.ice.omitted),
            ("ice_checks", session.ice().checks_dropped()),
        ];
        let lacking = lists.iter().chain(&self.lacking).filter(|(_, count)| *count > 0);
        lacking.map(|&(list, count)| (list.to_owned(), count)).collect()
    }

    /// The capture is over.
    #[must_use]
    pub fn finish(
        mut self,
        files: Vec<(u32, String, CaptureInfo)>,
        packets: &packet::Counts,
        streams: &StreamCounts,
        session: &Session,
        findings: Vec<Concluded>,
    ) -> Part {
        let origin = self.origin;
        let (signalling, untold) = super::signalling::signalled(session);
        let (deployment, unstated) = super::deployment::stated(session, origin);
        let (credentials, unlisted) = credentials_of(session, origin);
        self.lacking.extend([("signalling", untold), ("deployment", unstated), ("credentials", unlisted)]);
        let omitted = self.omitted(session, streams);
        let servers = session.servers().sorted();
        let mut known = ice::Known::beside(servers.iter().map(|(address, _)| *address));
        self.candidates.sorted().into_iter().for_each(|candidate| known.add(candidate));
        let sessions = self.ice.sorted();
        for session_of_ice in &sessions {
            ice::of_session(&mut known, session_of_ice, session, origin);
        }
        let total = session.totals().transactions;
        let items = self.transactions.sorted();
        let report = Report {
            captures: Vec::new(),
            counts: counts(session, packets, streams),
            servers: servers
                .into_iter()
                .map(|(address, known)| server(address, known, &files, session, self.dialects.get(&address), origin))
                .collect(),
            proxies: super::proxy::proxies(session, origin),
            transactions: super::Transactions { total, omitted: total.saturating_sub(items.len() as u64), items },
            authentications: self.authentications.sorted(),
            allocations: self.allocations.sorted(),
            dtls: self.dtls.sorted(),
            tls: self.tls.sorted(),
            ice: sessions
                .iter()
                .map(|told| {
                    let before = sessions.iter().find(|before| Some(before.number) == told.restart_of);
                    let ufrags =
                        before.into_iter().flat_map(|before| before.agents.iter().filter_map(|agent| agent.ufrag));
                    let ufrags = ufrags.map(|name| session.names().text(name)).collect();
                    ice::session(told, ufrags, session, &known, origin)
                })
                .collect(),
            candidates: known.sorted(),
            nat: session.nat().mappings().iter().take(MAX_LISTED).map(|known| mapping(known, origin)).collect(),
            media: media(session, origin, self.facts.sought()),
            credentials,
            signalling,
            deployment,
            omitted,
            ..Report::default()
        };
        let mut captures: Vec<(u32, Capture)> =
            files.into_iter().map(|(index, path, info)| (index, capture_of(path, &info, origin))).collect();
        if let [(_, alone)] = captures.as_mut_slice() {
            let times = session.clients().coverage().set_back();
            alone.clock_set_back =
                times.map(|times| times.map(|at| origin.time(at))).map(|[from, to]| SetBack { from, to });
        }
        // of captures that were read as one it stands with the first
        if let Some((_, first)) = captures.first_mut() {
            first.decryption = self.keyed.then_some(self.decryption);
        }
        Part { captures, report, findings, facts: self.facts, capture: origin.capture, events: self.events }
    }
}
