//! History: what the messages of a capture add up to. Nothing here judges; rules do.
//!
//! A [`Session`] takes events one by one and keeps flows, transactions, conversations with servers, what each client had in the end, and
//! NAT mappings, all bounded by [`Limits`]. What is over leaves it as the capture runs: the caller takes it from [`Session::next_ripe`].

mod addresses;
mod allocations;
mod conversations;
/// Who may have signed what.
pub mod credentials;
/// What should be, as it was given beside the capture.
pub mod deployment;
mod ending;
mod express;
mod flow;
/// DTLS associations.
pub mod handshake;
/// ICE: sessions, agents, pairs.
pub mod ice;
mod icmp;
mod joined;
mod lane;
mod limits;
mod media;
mod observe;
mod parties;
mod path;
/// What the two sides told each other beside the packets.
pub mod signalling;
mod tables;
/// TLS connections.
pub mod tls;
mod totals;
mod transactions;
mod warm;

pub use addresses::dns::{Lookup, Lookups, Question, is_likely};
pub use addresses::hidden::{Hidden, HiddenCandidates};
pub use addresses::moves::{Move, Moves, What};
pub use addresses::nat::{Dependent, Mapping, Nat};
pub use allocations::activity::{Active, Activity};
pub use allocations::allocation::{Allocation, Channel, End, Permission};
pub use allocations::arrivals::{Arrival, Lender};
pub use allocations::data_connection::{DataConnection, Opener, closed};
pub use allocations::lent::{Lent, Lents};
pub(crate) use allocations::stray::MAX_IN_USE;
pub use allocations::stray::{Lack, Stray, Strays, To};
pub use allocations::unreached::Unreached;
pub use conversations::conversation::{Conversation, From, Granted};
pub use conversations::exchange::{Answer, Asked, Exchange, NonceFeatures, Seen, Verdicts};
pub use conversations::nonce::StaleRow;
pub use express::Bare;
pub use flow::{Checks, Direction, Ends, Flow, FlowId, Flows, Traffic};
pub use icmp::IcmpErrors;
pub use limits::Limits;
pub use media::{Break, Jitter, Media, MediaDirection, MediaWay, Reports, Stream, WayId};
pub use observe::Known;
pub use parties::answering::{Meanwhile, Silence};
pub use parties::attempts::{Attempt, Attempts, Way, Ways, is_alternative, is_usual};
pub use parties::client::{Clients, Grievance};
pub use parties::coverage::Coverage;
pub use parties::encrypted::{Encrypted, Sealed};
pub use parties::outcome::{Denied, Redirect};
pub use parties::proxies::{Proxies, ProxyAnswer};
pub use parties::served::Lendings;
pub use parties::server::{Reached, Server, Servers, Tried};
pub use path::{Inside, Path};
pub use tables::few::Few;
pub use tables::names::{Name, Names};
pub use totals::{BySender, CredentialUse, Messages, Sample, Sender, Totals};
pub use transactions::near::{Near, NearMisses};
pub use warm::{Expectation, FORESEEN};

use crate::join::Joins;
use crate::net::Network;
use crate::time::{Span, Timestamp};
use allocations::arrivals::Arrivals;
use allocations::data_connection::DataConnections;
use allocations::mobility::Tickets;
use allocations::unreached::{AllShut, AllUnreached};
use conversations::nonce::Nonces;
use conversations::rooms::Rooms;
use credentials::Credentials;
use deployment::Deployment;
use handshake::Handshakes;
use handshake::dtls::DtlsFlows;
use media::turned_back::AllTurnedBack;
use signalling::{Sightings, Signalling};
use std::collections::VecDeque;
use std::net::IpAddr;
use transactions::copies::Copies;
use transactions::early::EarlyAnswers;
use transactions::transaction::Transactions;

/// A flow with nothing new for this long is over, unless its allocation is alive.
const IDLE: Span = Span::from_secs(120);
/// A time without any frame that may be a clock that was set on.
const LEAP: Span = Span::from_secs(60);
/// How often idle flows are looked for.
const SWEEP: Span = Span::from_secs(20);
/// How often, while there are very many.
const CROWDED_SWEEP: Span = Span::from_secs(10);
/// As many places of the table of flows are looked through for each frame, at most: time may leap with each of them.
const PLACES_A_FRAME: usize = 1024;
/// Captures of several interfaces are out of order by less than this; what goes back further is a clock that was set.
const DISORDER: Span = Span::from_secs(1);

/// What was seen so far.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    credentials: Credentials,
    near: NearMisses,
    hidden: HiddenCandidates,
    signalling: Signalling,
    sightings: Sightings,
    deployment: Deployment,
    stated: deployment::Sightings,
    lookups: Lookups,
    joins: Joins,
    /// Those that alone are looked at, where not all are.
    shown: Option<Vec<Network>>,
    names: Names,
    flows: Flows,
    transactions: Transactions,
    clients: Clients,
    servers: Servers,
    attempts: Attempts,
    copies: Copies,
    early: EarlyAnswers,
    ways: Ways,
    lents: Lents,
    arrivals: Arrivals,
    unreached: AllUnreached,
    shut: AllShut,
    turned_back: AllTurnedBack,
    nat: Nat,
    moves: Moves,
    tickets: Tickets,
    nonces: Nonces,
    data_connections: DataConnections,
    dtls: DtlsFlows,
    handshakes: Handshakes,
    tls: tls::TlsConnections,
    ice: ice::Ice,
    media: Media,
    lanes: lane::Lanes,
    totals: Totals,
    /// Flows that are over and wait to be judged, in order.
    ripe: VecDeque<FlowId>,
    rooms: Rooms,
    now: Timestamp,
    swept: Timestamp,
    /// How many frames came since.
    unswept: usize,
    /// The last leap of the clock, from and to, while it counts as no time.
    leap: Option<(Timestamp, Timestamp)>,
    /// Whether so many are kept that some have to go: until there is room again.
    crammed: bool,
    ordinary: usize,
    flows_dropped: u64,
    /// Whether plain messages go the short way: there is nothing to test them with or to compare them to.
    plain_is_enough: bool,
    long_way_only: bool,
}

impl Session {
    /// An empty session.
    #[must_use]
    pub fn new(credentials: Credentials, limits: Limits) -> Self {
        let plain_is_enough = credentials.is_empty();
        Session {
            limits,
            credentials,
            near: NearMisses::default(),
            hidden: HiddenCandidates::default(),
            signalling: Signalling::default(),
            sightings: Sightings::default(),
            deployment: Deployment::default(),
            stated: deployment::Sightings::default(),
            lookups: Lookups::default(),
            joins: Joins::default(),
            shown: None,
            names: Names::new(limits.names, limits.name_bytes),
            flows: Flows::new(limits.flows),
            transactions: Transactions::new(limits.transactions),
            clients: Clients::new(limits.clients),
            servers: Servers::new(limits.servers),
            attempts: Attempts::default(),
            copies: Copies::default(),
            early: EarlyAnswers::default(),
            ways: Ways::default(),
            lents: Lents::new(limits.lents),
            arrivals: Arrivals::default(),
            unreached: AllUnreached::default(),
            shut: AllShut::default(),
            turned_back: AllTurnedBack::default(),
            nat: Nat::new(limits.mappings),
            moves: Moves::default(),
            tickets: Tickets::default(),
            nonces: Nonces::default(),
            data_connections: DataConnections::default(),
            dtls: DtlsFlows::default(),
            handshakes: Handshakes::default(),
            tls: tls::TlsConnections::default(),
            ice: ice::Ice::new(&limits),
            media: Media::new(limits.streams),
            lanes: lane::Lanes::default(),
            totals: Totals::default(),
            ripe: VecDeque::new(),
            rooms: Rooms::default(),
            now: Timestamp(i64::MIN),
            swept: Timestamp(i64::MIN),
            unswept: 0,
            leap: None,
            crammed: false,
            ordinary: 0,
            flows_dropped: 0,
            plain_is_enough,
            long_way_only: false,
        }
    }

    /// The credentials that messages are tested with.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The credentials that nearly signed what none did sign.
    #[must_use]
    pub fn near_misses(&self) -> &NearMisses {
        &self.near
    }

    /// A session of which everything is left out that is neither sent nor received by these; `None`: nothing is.
    #[must_use]
    pub fn with_hosts(self, shown: Option<Vec<Network>>) -> Self {
        Session { shown, ..self }
    }

    /// Whether something of what a host sent or was sent may be left out.
    #[must_use]
    pub fn hides(&self, host: IpAddr) -> bool {
        self.shown.as_ref().is_some_and(|shown| !shown.iter().any(|network| network.contains(host)))
    }

    /// The same session with what the two sides told each other beside the packets.
    #[must_use]
    pub fn with_signalling(self, signalling: Signalling) -> Self {
        let handshakes = Handshakes::with_functions(handshake::functions_of(&signalling));
        let sightings = Sightings::of(&signalling);
        let plain_is_enough = self.plain_is_enough && sightings.is_empty();
        Session { sightings, signalling, handshakes, plain_is_enough, ..self }
    }

    /// Which of that shows in the packets.
    #[must_use]
    pub fn sightings(&self) -> &Sightings {
        &self.sightings
    }

    /// The same session without the short way for plain messages; only for showing that both give the same.
    #[doc(hidden)]
    #[must_use]
    pub fn the_long_way(self) -> Self {
        Session { long_way_only: true, plain_is_enough: false, ..self }
    }

    /// What the two sides told each other beside the packets.
    #[must_use]
    pub fn signalling(&self) -> &Signalling {
        &self.signalling
    }

    /// The texts behind the names.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The flows that are not over.
    #[must_use]
    pub fn flows(&self) -> &Flows {
        &self.flows
    }

    /// What each client had in the end.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The servers.
    #[must_use]
    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    /// The NAT mappings.
    #[must_use]
    pub fn nat(&self) -> &Nat {
        &self.nat
    }

    /// Whether a request carried a nonce, by its digest, after `time`, in this conversation or from whatever other 5-tuple.
    #[must_use]
    pub fn is_echoed_after(&self, conversation: &Conversation, nonce: u64, time: Timestamp) -> bool {
        conversation.remembered.is_some_and(|remembered| remembered.is_echoed_after(nonce, time))
            || self.nonces.is_echoed_after(nonce, time)
    }

    /// The clients that went on from another port.
    #[must_use]
    pub fn moves(&self) -> &Moves {
        &self.moves
    }

    /// How many fragments of DTLS handshake messages were not kept, of associations that are over: of messages that no association has, or that never came whole.
    #[must_use]
    pub fn unkept_fragments(&self) -> u64 {
        self.handshakes.unkept()
    }

    /// The ICE sessions that are not over.
    #[must_use]
    pub fn ice(&self) -> &ice::Ice {
        &self.ice
    }

    /// The ICE sessions that are over, to be judged and forgotten. At the end of the capture all of them come, and stay known until then: what
    /// asks for them must be judged before.
    pub fn ripe_ice(&mut self) -> Vec<ice::IceSession> {
        let ripe = self.ice.ripe();
        ripe.iter().for_each(|over| self.media.belongs_to(over));
        ripe
    }

    /// The sums over the whole capture.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The sums, for what the stages before the session have to add.
    pub fn totals_mut(&mut self) -> &mut Totals {
        &mut self.totals
    }

    /// The latest capture time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// How many flows and unanswered transactions were given up for want of room.
    #[must_use]
    pub fn dropped(&self) -> (u64, u64) {
        (self.flows_dropped, self.transactions.dropped())
    }

    /// Whether anything is to be judged: a conversation that keeps too much, or what is over.
    #[must_use]
    #[inline]
    pub fn has_something_over(&self) -> bool {
        self.rooms.kept > self.limits.exchanges
            || !self.ripe.is_empty()
            || self.handshakes.has_ripe()
            || self.tls.has_ripe()
            || self.ice.has_ripe()
    }

    /// Lets time pass: closes what is over at `now`. Time that goes back is ignored.
    #[inline(always)]
    pub fn advance(&mut self, now: Timestamp) {
        self.unswept = self.unswept.saturating_add(1);
        let sweep = if self.flows.len() > self.limits.crowded { CROWDED_SWEEP } else { SWEEP };
        if now > self.now && now < self.transactions.due() && now.since(self.swept) < sweep {
            self.now = now; // nothing is over yet
        } else {
            self.pass(now);
        }
    }

    #[inline(never)]
    fn pass(&mut self, now: Timestamp) {
        if now <= self.now {
            if self.now.since(now) > DISORDER {
                self.clients.coverage.clock_set_back(self.now, now);
            }
            // nothing is over, but while the clock does not go on there may be too many
            self.settle_what_is_over(Timestamp(i64::MIN));
            return;
        }
        if self.now > Timestamp(0) && now.since(self.now) >= LEAP {
            self.leap = Some((self.now, now));
        }
        self.now = now;
        self.release(now);
        let now = self.time_that_passed(now);
        self.settle_what_is_over(now);
        let crowded = self.flows.len() > self.limits.crowded;
        let due = now.since(self.swept) >= if crowded { CROWDED_SWEEP } else { SWEEP };
        if due && self.unswept.saturating_mul(PLACES_A_FRAME) >= self.flows.places() {
            (self.swept, self.unswept) = (now, 0);
            self.sweep(crowded, now);
        }
    }

    fn settle_what_is_over(&mut self, now: Timestamp) {
        while let Some(closed) = self.transactions.expire(now) {
            self.settle(closed);
        }
    }

    /// The capture is over: everything is.
    pub fn finish(&mut self) {
        self.release(Timestamp(i64::MAX));
        self.handshakes.finish(&self.flows, &mut self.clients, self.now);
        while let Some(closed) = self.transactions.drain() {
            self.settle(closed);
        }
        let left = self.flows.idle(Timestamp(i64::MAX));
        self.end_all(&left);
        self.count_attempts();
        self.finish_tls();
        self.ice.finish();
        if self.totals.has_holes() {
            self.clients.coverage.has_gaps();
        }
    }

    /// The time as far as frames show that it passed. A leap between two frames may be a clock that was set: for as long as flows are kept it counts as
    /// nothing, so that what belongs together stays together.
    fn time_that_passed(&mut self, now: Timestamp) -> Timestamp {
        match self.leap {
            Some((from, to)) if now.since(to) < IDLE => from.after(now.since(to)),
            _ => {
                self.leap = None;
                now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;

    /// How often `count` frames, each half a minute after the one before it, make a session look for flows that are over.
    fn sweeps(flows: u32, count: i64) -> i64 {
        let mut session = Session::new(Credentials::default(), Limits::default());
        let server = Endpoint::v4([192, 0, 2, 1], 3478);
        for number in 0..flows {
            let client = Endpoint::v4((0x0a00_0000 + number).to_be_bytes(), 5000);
            assert!(session.flows.find_or_add(client, server, Seen { frame: 0, time: Timestamp(0) }).is_some());
        }
        let mut sweeps = 0;
        for frame in 1..=count {
            session.advance(Timestamp(0).after(Span::from_secs(30 * frame)));
            sweeps += i64::from(session.swept == session.now);
        }
        sweeps
    }

    #[test]
    fn a_large_table_of_flows_is_not_looked_through_for_each_frame_of_a_clock_that_leaps() {
        assert_eq!(sweeps(1000, 640), 640);
        assert!((1..=11).contains(&sweeps(60_000, 640)), "{}", sweeps(60_000, 640));
    }
}
