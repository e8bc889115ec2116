//! One candidate pair: who checked it, who answered, what ran on it.

use super::rtt::Rtt;
use crate::event::IcmpAnswer;
use crate::net::Endpoint;
use crate::session::conversations::exchange::Seen;
use crate::session::path::Path;
use crate::session::tables::names::Name;
use crate::time::{Span, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// After this long an unanswered check has failed: RFC 8489 §6.2.1 waits 16 × 500 ms after the last copy.
pub const TIMEOUT: Span = Span::from_secs(8);
/// At how many further points of the capture a pair may be seen.
pub(super) const MAX_POINTS: usize = 3;

/// The states of RFC 8445 §6.1.2.6 that show on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "IceState")]
pub enum State {
    /// An answer may still come.
    InProgress,
    /// A check was answered by success.
    Succeeded,
    /// No check was answered by success.
    Failed,
}

/// A place of the capture at which the pair passes: the other side of a NAT, the other side of a relay.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    pub path: Path,
    /// The agent at the lower end of the path.
    pub low: u8,
}

impl Point {
    /// The agent that sent what goes in this direction of the path (0: from its lower end).
    fn agent(&self, direction: usize) -> usize {
        let low = usize::from(self.low) & 1;
        if direction == 0 { low } else { 1 - low }
    }
}

/// A candidate pair. Agents are numbered as in their session: 0 and 1. What every packet of media touches comes first.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct Pair {
    /// DTLS and media that each agent sent.
    pub(super) data: Option<Box<[Carried; 2]>>,
    /// At which point data is counted.
    pub(super) data_point: u8,
    /// How often it carried data between data of the same agent on the selected pair, a second and more after its first.
    pub(super) interleaved: u8,
    /// Where its checks were seen first.
    pub(super) point: Point,
    pub(super) points: Vec<Point>,
    /// The end of each agent as ICE sees it.
    pub(super) ends: [Endpoint; 2],
    /// The agent that uses the relay which the path passes.
    pub(super) relays: Option<u8>,
    /// USERNAME of each agent's checks.
    pub(super) users: [Option<Name>; 2],
    /// The checks that each agent sent.
    ways: [Way; 2],
    /// The ICMP error that one of its checks met first.
    pub icmp: Option<Box<IcmpAnswer>>,
    /// An answer to one of its checks that came from another address than was checked, which makes the check fail (RFC 8445 §7.2.5.2.1): that address,
    /// the frame, and the agent that had asked.
    pub elsewhere: Option<(Endpoint, u64, u8)>,
    /// Whether it goes over TCP (RFC 6544), as ICE sees it: what carries messages to a relay is another thing.
    pub(super) tcp: bool,
    /// The agent that opened the TCP connection.
    pub(super) opener: Option<u8>,
}

/// The checks of one agent on one pair.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// How many, retransmissions left out.
    pub sent: u32,
    /// Retransmissions.
    pub copies: u32,
    /// How many were answered by an error.
    pub errors: u32,
    /// The last such error, 0 for none.
    pub error: u16,
    /// How often 400 or 401 came next after an answer by success, with the first and the last of these; meaningless where none did.
    pub wavers: (u32, Option<[Seen; 2]>),
    /// Whether the last answer was a success.
    pub(super) agreed: bool,
    /// Initial TTL or hop limit, as captured.
    pub ttl: u8,
    /// PRIORITY of the last that had it: that of a peer-reflexive candidate (RFC 8445 §7.1.1).
    pub priority: Option<u32>,
    /// The first.
    pub first: Option<Seen>,
    /// When the last copy was sent; meaningless where there is none.
    pub last: Timestamp,
    /// The first with USE-CANDIDATE.
    pub use_candidate: Option<Seen>,
    /// How many had it, copies included, and when the last of these was sent; meaningless where none had it.
    pub nominations: (u32, Timestamp),
    /// What came of those that were answered by success.
    pub answered: Option<Box<Answered>>,
}

/// The checks of one agent on one pair that were answered by success.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// How many.
    pub count: u32,
    /// The first answer.
    pub first: Seen,
    /// The last answer.
    pub last: Seen,
    /// Checks sent since the last answer, and the first of them.
    pub open: u32,
    /// When the first of these was sent.
    pub open_since: Timestamp,
    /// The longest time between two answers in which checks were sent, and when it began.
    pub longest: (Span, Timestamp),
    /// The longest time without a check of its sender since the first answer, and when it began.
    pub rest: (Span, Timestamp),
    /// The first answer to a check with USE-CANDIDATE: the pair is nominated.
    pub nominated: Option<Seen>,
    /// The sender's address as the last answer tells it, and the frame.
    pub mapped: Option<(Endpoint, u64)>,
    /// That it changed, once and for all as far as the capture shows.
    pub remapped: Option<Box<Remapped>>,
    /// Round-trip times, as seen at the capture point.
    pub rtt: Rtt,
}

/// The address as which the other agent sees one changed, though what is captured of it did not: a NAT between the two made a new mapping.
#[derive(Clone, Copy, Debug)]
pub struct Remapped {
    /// The address before.
    pub old: Endpoint,
    /// The last answer that tells it.
    pub last: Seen,
    /// The address afterwards.
    pub new: Endpoint,
    /// The first answer that tells this.
    pub first: Seen,
    /// Whether the old one was told again: then there are two ways, and none was lost.
    pub returned: bool,
}

/// DTLS, RTP and RTCP from one agent on one pair.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried {
    /// Datagrams.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// The first; `None` where there was none.
    pub first: Option<Seen>,
    /// The last; meaningless where there was none.
    pub last: Timestamp,
    /// The last DTLS alert, which may be a goodbye.
    pub alert: Option<Seen>,
}

impl Way {
    /// One more check, no copy.
    pub(super) fn asked(&mut self, seen: Seen, ttl: u8, priority: Option<u32>, nominates: bool) {
        self.sent = self.sent.saturating_add(1);
        self.first.get_or_insert(seen);
        let before = std::mem::replace(&mut self.last, seen.time);
        self.ttl = ttl;
        self.priority = priority.or(self.priority);
        if let Some(answered) = &mut self.answered {
            if answered.open == 0 {
                answered.open_since = seen.time;
            }
            answered.open = answered.open.saturating_add(1);
            let rest = seen.time.since(before);
            if rest > answered.rest.0 {
                answered.rest = (rest, before);
            }
        }
        if nominates {
            self.use_candidate.get_or_insert(seen);
            self.nominations = (self.nominations.0.saturating_add(1), seen.time);
        }
    }

    /// Whether it was checked often and for long, and no answer came.
    #[must_use]
    pub fn is_unheard(&self) -> bool {
        const ATTEMPT: (u32, Span) = (4, Span::from_secs(3));
        let (sends, span) = ATTEMPT;
        let lasted = self.first.map(|first| self.last.since(first.time));
        self.answered.is_none()
            && self.errors == 0
            && self.sent.saturating_add(self.copies) >= sends
            && lasted >= Some(span)
    }

    /// Whether its sender hears no answer, whatever the capture shows: it sends the same checks again and again (RFC 8489 §6.2.1).
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        const COPIES: u32 = 3;
        self.copies / COPIES >= self.sent.max(1)
    }

    /// Whether its sender acts on answers: it nominates a pair that it found to work before (RFC 8445 §8.1.1), or asks for consent only, at leisure and
    /// each time anew (RFC 7675 §5.1).
    #[must_use]
    pub fn is_heeded(&self) -> bool {
        const SEVERAL: u32 = 3;
        const LEISURE: i64 = 1_200_000_000;
        let (Some(first), Some(answered)) = (self.first, self.answered.as_ref()) else { return false };
        let nominates = self.use_candidate.is_some_and(|chosen| first < chosen && answered.first < chosen);
        let sent = self.sent.saturating_add(self.copies);
        let at_leisure = self.last.since(first.time).0 / i64::from(sent.max(1)) >= LEISURE;
        nominates || answered.count >= SEVERAL && self.copies < self.sent && at_leisure
    }
}

impl Pair {
    pub(super) fn new(point: Point, ends: [Endpoint; 2], relays: Option<u8>) -> Self {
        Pair { point, ends, relays, ..Pair::default() }
    }

    /// Where it was seen first.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.point.path
    }

    /// Where else it was seen: on the other side of a NAT or of a relay.
    pub fn other_paths(&self) -> impl Iterator<Item = &Path> {
        self.points.iter().map(|point| &point.path)
    }

    /// The point with this number, 0 for the first.
    pub(super) fn at(&self, point: usize) -> Option<&Point> {
        match point.checked_sub(1) {
            None => Some(&self.point),
            Some(further) => self.points.get(further),
        }
    }

    /// The agent that sent what goes in this direction of a point's path.
    pub(super) fn agent(&self, point: usize, direction: usize) -> usize {
        self.at(point).map_or(direction & 1, |point| point.agent(direction))
    }

    /// The agent that sent what went in this direction of a way (0: from its lower end), where the pair was seen on it.
    #[must_use]
    pub fn agent_on(&self, path: &Path, direction: usize) -> Option<usize> {
        let points = std::iter::once(&self.point).chain(&self.points);
        Some(points.into_iter().find(|point| point.path == *path)?.agent(direction))
    }

    /// Whether it goes over TCP (RFC 6544).
    #[must_use]
    pub fn is_tcp(&self) -> bool {
        self.tcp
    }

    /// The agent that opened the TCP connection, whose candidate is the active one (RFC 6544 §4.1); where the capture shows it.
    #[must_use]
    pub fn opener(&self) -> Option<usize> {
        self.opener.map(usize::from)
    }

    /// The end of an agent as ICE sees it: of what passes a relay the relayed address and the peer's, as far as the capture tells them.
    #[must_use]
    pub fn end(&self, agent: usize) -> Endpoint {
        let [one, other] = self.ends;
        if agent == 0 { one } else { other }
    }

    /// The candidate of an agent: what the other one sees, as the answers to its checks tell it (RFC 8445 §7.2.5.3.2), else its end.
    #[must_use]
    pub fn candidate(&self, agent: usize) -> Endpoint {
        let mapped = self.way(agent).answered.as_ref().and_then(|answered| answered.mapped);
        mapped.map_or_else(|| self.end(agent), |(mapped, _)| mapped)
    }

    /// Whether the capture tells the address of an agent: behind a channel that was bound before it is a peer of which it shows the server's only.
    #[must_use]
    pub fn is_end_known(&self, agent: usize) -> bool {
        self.relay() != Some(self.end(agent))
    }

    /// The agent of whose relay this is the way, where the checks were seen inside a TURN client's Send, Data or ChannelData.
    #[must_use]
    pub fn relays(&self) -> Option<usize> {
        self.relays.map(usize::from)
    }

    /// The TURN server of that relay, as its client reaches it.
    #[must_use]
    pub fn relay(&self) -> Option<Endpoint> {
        let ends = self.point.path.ends;
        self.relays.map(|client| if client == self.point.low { ends.high } else { ends.low })
    }

    /// From where the agent that uses the relay reaches it.
    #[must_use]
    pub fn relay_client(&self) -> Option<Endpoint> {
        let ends = self.point.path.ends;
        self.relays.map(|client| if client == self.point.low { ends.low } else { ends.high })
    }

    /// Where an agent is on the wire: its end, or, behind its relay, where it reaches that from; `None` where the capture has only the far side of
    /// a relay.
    #[must_use]
    pub fn host(&self, agent: usize) -> Option<Endpoint> {
        if self.relays() == Some(agent) {
            return self.relay_client();
        }
        let relay = self.relay();
        let own =
            |point: &Point| if usize::from(point.low) == agent { point.path.ends.low } else { point.path.ends.high };
        // on the leg between a relay and the agent that uses it the agent's end is no end of the pair, and the relay's is the port of its server
        let is_client = |end: &Endpoint| {
            !self.ends.iter().any(|known| known.ip() == end.ip())
                && relay.is_none_or(|relay| relay.port() != end.port())
        };
        let legs = self.points.iter().filter(|point| point.path.inside.is_some());
        let behind = legs.map(own).find(is_client);
        behind.or_else(|| relay.is_none().then(|| self.end(agent)))
    }

    /// The TURN server that it passes, at whichever point of the capture that shows.
    #[must_use]
    pub fn passes_relay(&self) -> Option<Endpoint> {
        self.relay().or_else(|| {
            let point = self.points.iter().find(|point| point.path.inside.is_some())?;
            let ends = point.path.ends;
            // the client's end is the one that is no end of the pair as the leg without the relay shows it
            let own = self.point.path.ends;
            let is_relay = |end: Endpoint| end.ip() == own.low.ip() || end.ip() == own.high.ip();
            Some(if is_relay(ends.low) { ends.low } else { ends.high })
        })
    }

    /// Whether the capture tells the relayed address: then it is the end of the agent that uses the relay.
    #[must_use]
    pub fn is_relay_known(&self) -> bool {
        let ends = self.point.path.ends;
        self.relays().map(|client| self.end(client)).is_some_and(|end| end != ends.low && end != ends.high)
    }

    /// How it stands at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        if self.ways.iter().any(|way| way.answered.is_some()) {
            return State::Succeeded;
        }
        let over = |way: &Way| way.first.is_none() || way.errors > 0 || now.since(way.last) >= TIMEOUT;
        if self.icmp.is_some() || self.ways.iter().all(over) { State::Failed } else { State::InProgress }
    }

    /// Whether checks of both agents were answered.
    #[must_use]
    pub fn is_valid_both_ways(&self) -> bool {
        self.ways.iter().all(|way| way.answered.is_some())
    }

    /// Whether the checks of one agent were answered, and the other's had their chance and were not.
    #[must_use]
    pub(in crate::session) fn is_one_way(&self) -> bool {
        let [one, other] = &self.ways;
        let went = |way: &Way, back: &Way| way.answered.is_some() && back.is_unheard();
        went(one, other) || went(other, one)
    }

    /// The first answer to a check with USE-CANDIDATE, of whichever agent.
    #[must_use]
    pub fn nominated(&self) -> Option<Seen> {
        self.ways.iter().filter_map(|way| way.answered.as_ref()?.nominated).min()
    }

    /// Whether it carries data beside another pair that does, as a component or a stream of its own.
    pub(super) fn is_parallel(&self) -> bool {
        const OFTEN: u8 = 3;
        self.interleaved >= OFTEN
    }

    /// The component that PRIORITY of its checks tells (RFC 8445 §5.1.2.1): 1 for RTP and all that is multiplexed with it, 2 for RTCP.
    #[must_use]
    pub fn component(&self) -> Option<u16> {
        let priority = self.ways.iter().find_map(|way| way.priority)?;
        let [.., low] = priority.to_be_bytes();
        Some(256 - u16::from(low))
    }

    /// When the last check was sent, by whichever agent.
    #[must_use]
    pub fn last_check(&self) -> Option<Timestamp> {
        self.ways.iter().filter(|way| way.first.is_some()).map(|way| way.last).max()
    }

    /// DTLS and media that an agent sent on it.
    #[must_use]
    pub fn carried(&self, agent: usize) -> Carried {
        let Some([one, other]) = self.data.as_deref() else { return Carried::default() };
        if agent == 0 { *one } else { *other }
    }

    /// The first DTLS or media on it.
    #[must_use]
    pub fn first_data(&self) -> Option<Seen> {
        self.data.iter().flat_map(|data| data.iter()).filter_map(|carried| carried.first).min()
    }

    /// When the last DTLS or media was seen on it.
    #[must_use]
    pub fn last_data(&self) -> Option<Timestamp> {
        self.data.iter().flat_map(|data| data.iter()).filter_map(|carried| carried.first.map(|_| carried.last)).max()
    }

    /// Whether DTLS or media went both ways on it.
    #[must_use]
    pub fn has_data_both_ways(&self) -> bool {
        self.data.as_ref().is_some_and(|data| data.iter().all(|carried| carried.packets > 0))
    }

    /// USERNAME of an agent's checks.
    #[must_use]
    pub fn user(&self, agent: usize) -> Option<Name> {
        let [one, other] = self.users;
        if agent == 0 { one } else { other }
    }

    /// The checks that an agent sent.
    #[must_use]
    pub fn way(&self, agent: usize) -> &Way {
        let [one, other] = &self.ways;
        if agent == 0 { one } else { other }
    }

    pub(super) fn way_mut(&mut self, agent: usize) -> &mut Way {
        let [one, other] = &mut self.ways;
        if agent == 0 { one } else { other }
    }
}
