//! What several captures together show, for those who ask.

use super::MAX_POINTS;
use super::clock::Clock;
use super::print::{KINDS, Kind};
use super::resolve::PairFacts;
use super::survey::{Heard, Survey};
use crate::net::Endpoint;
use crate::time::{Span, Timestamp};
use crate::wire::stun::TransactionId;
use hashbrown::{HashMap, HashSet};
use std::net::IpAddr;

/// Of how many transactions it is known where they were seen.
pub(super) const MAX_TRAVELS: usize = 1 << 16;

/// One point at which was captured.
#[derive(Clone, Debug, Default)]
pub struct Point {
    /// The files, by their index among the captures of the report.
    pub files: Vec<u32>,
    /// When it ran, by the clock of its group: from its first frame to its last.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Packets that it lost by its own count.
    pub dropped: u64,
    kinds: [u64; KINDS],
    heard: HashMap<IpAddr, Heard>,
}

impl Point {
    pub(super) fn new(survey: &Survey, clock: &Clock, files: &[u32]) -> Point {
        let span = survey.span.map(|(first, last)| (clock.apply(first), clock.apply(last)));
        Point { files: files.to_vec(), span, dropped: survey.dropped, kinds: survey.kinds, heard: survey.heard.clone() }
    }

    /// Packets to and from an address.
    #[must_use]
    pub fn heard(&self, ip: IpAddr) -> Heard {
        self.heard.get(&ip).copied().unwrap_or_default()
    }

    /// Whether it shows packets of a kind at all, and so leaves them not out.
    #[must_use]
    pub fn shows(&self, kind: Kind) -> bool {
        let seen = |kind: Kind| self.kinds.get(kind as usize).is_some_and(|&count| count > 0);
        match kind {
            Kind::Request | Kind::Answer | Kind::Indication => {
                seen(Kind::Request) || seen(Kind::Answer) || seen(Kind::Indication)
            }
            kind => seen(kind),
        }
    }

    /// Whether it ran at this time.
    #[must_use]
    pub fn ran_at(&self, time: Timestamp) -> bool {
        self.span.is_some_and(|(first, last)| first <= time && time <= last)
    }

    /// Whether it ran on for so long after this time.
    #[must_use]
    pub fn ran_after(&self, time: Timestamp, span: Span) -> bool {
        self.span.is_some_and(|(_, last)| time.after(span) <= last)
    }
}

/// Where the copies of a request and its answers were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Travel {
    /// Copies of the request, by point.
    pub requests: [u16; MAX_POINTS],
    /// Copies of the answer.
    pub answers: [u16; MAX_POINTS],
    /// The points that ran at the time, a bit each.
    pub covered: u16,
}

impl Travel {
    pub(super) fn is_complete(&self, points: usize) -> bool {
        self.requests.iter().zip(&self.answers).take(points).all(|(&requests, &answers)| requests > 0 && answers > 0)
    }
}

/// An address that is another beyond a NAT.
#[derive(Clone, Debug)]
pub struct Translated {
    /// On the side of the host that has it.
    pub inside: Endpoint,
    /// On the other side.
    pub outside: Endpoint,
    /// Frames of the same packet on both sides.
    pub frames: Vec<u64>,
}

/// The ends of one direction of a flow.
pub(super) type Way = (Endpoint, Endpoint);

/// One direction of a flow as one of the points on its way shows it.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// The point.
    pub point: usize,
    /// Sender, as it is seen there.
    pub src: Endpoint,
    /// Receiver, as it is seen there.
    pub dst: Endpoint,
    /// Whether they are inside messages to or from a relay there.
    pub wrapped: bool,
    /// Whether packets pass it after the point that was asked about; `false` for that itself.
    pub later: bool,
    pub(super) seen: [u32; KINDS],
}

impl Stretch {
    /// Packets of a kind that were seen there.
    #[must_use]
    pub fn seen(&self, kind: Kind) -> u64 {
        self.seen.get(kind as usize).copied().unwrap_or(0).into()
    }
}

/// What several captures together show. Empty where there is one alone.
#[derive(Clone, Debug, Default)]
pub struct Joins {
    pub(super) points: Vec<Point>,
    /// Of which of the points this is told: those that share packets.
    pub(super) members: Vec<usize>,
    pub(super) travels: HashMap<TransactionId, Travel>,
    /// The last point that packets of a direction pass, with the same addresses as at others.
    pub(super) last: HashMap<Way, usize>,
    /// Directions that the same packets were seen on, on both sides of a NAT.
    pub(super) passages: HashSet<(Way, Way)>,
    /// The points that a direction is known to pass, a bit each.
    pub(super) passed: HashMap<Way, u16>,
    /// The same of hosts, whatever the ports.
    pub(super) hosts: HashMap<(IpAddr, IpAddr), u16>,
    /// Servers, and the points that show what goes through a relay of theirs on its far side alone.
    pub(super) behind: HashSet<(IpAddr, usize)>,
    /// Where else the packets of a direction were seen, and with which addresses; whether inside a relay's messages belongs to the direction.
    pub(super) stretches: HashMap<(Way, bool), Vec<Stretch>>,
    /// Directions of which DTLS is seen at their last point.
    pub(super) keyed: HashSet<Way>,
    /// Of TCP connections that are seen on both sides of a NAT: a direction there, and the same on the client's side.
    pub(super) streams: HashMap<Way, Way>,
    /// Directions of TCP connections whose messages are those of another connection, which counts.
    pub(super) passed_on: HashSet<Way>,
    /// Of each point, how many others are before it on the ways from clients to servers.
    pub(super) ranks: Vec<usize>,
    pub(super) translated: Vec<Translated>,
    pub(super) pairs: Vec<PairFacts>,
    pub(super) omitted: u64,
}

impl Joins {
    /// The same, told of these points, which share packets; `points` are all.
    #[must_use]
    pub fn among(self, members: Vec<usize>) -> Joins {
        Joins { members, ..self }
    }

    /// Whether there is one capture only.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.len() < 2
    }

    /// All points, those included that share nothing with the ones of which this is told.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Whether a point is among those that share packets.
    #[must_use]
    pub fn is_member(&self, point: usize) -> bool {
        self.members.contains(&point)
    }

    /// The point that a file belongs to.
    #[must_use]
    pub fn point_of(&self, file: u32) -> Option<usize> {
        self.points.iter().position(|point| point.files.contains(&file))
    }

    /// Where a transaction was seen.
    #[must_use]
    pub fn travel(&self, id: TransactionId) -> Option<&Travel> {
        self.travels.get(&id)
    }

    /// The last point that packets from `src` to `dst` pass, where they pass several with these addresses.
    #[must_use]
    pub fn last_point(&self, src: Endpoint, dst: Endpoint) -> Option<usize> {
        self.last.get(&(src, dst)).copied()
    }

    /// The numbers of the points in the order in which what clients ask passes them, as far as that is known.
    #[must_use]
    pub fn in_order(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> = (0..self.points.len()).collect();
        numbers.sort_by_key(|&number| self.ranks.get(number).copied().unwrap_or(0));
        numbers
    }

    /// Whether the point that tells what arrives of a direction shows DTLS of it.
    #[must_use]
    pub fn has_keyed(&self, src: Endpoint, dst: Endpoint) -> bool {
        self.keyed.contains(&(src, dst))
    }

    /// Where packets from `src` to `dst` were seen, one of these points first; inside messages to or from a relay if `wrapped`. Empty where they were
    /// seen at one point only.
    #[must_use]
    pub fn stretches(&self, src: Endpoint, dst: Endpoint, wrapped: bool) -> &[Stretch] {
        self.stretches.get(&((src, dst), wrapped)).map_or(&[], Vec::as_slice)
    }

    /// The ends of a direction of a TCP connection on its client's side, where a NAT puts others for them on this one.
    #[must_use]
    #[inline]
    pub fn own_ends(&self, src: Endpoint, dst: Endpoint) -> Option<(Endpoint, Endpoint)> {
        if self.streams.is_empty() { None } else { self.streams.get(&(src, dst)).copied() }
    }

    /// Whether something on the way ends this TCP connection and passes its messages on, and they are counted on its other side.
    #[must_use]
    #[inline]
    pub fn is_passed_on(&self, src: Endpoint, dst: Endpoint) -> bool {
        !self.passed_on.is_empty() && self.passed_on.contains(&(src, dst))
    }

    /// Whether a point is known to be on the way from one host to another, either way round.
    #[must_use]
    pub fn passes_between(&self, one: IpAddr, other: IpAddr, point: usize) -> bool {
        let pairs = [(one, other), (other, one)];
        pairs.iter().any(|pair| self.hosts.get(pair).is_some_and(|points| points >> point & 1 == 1))
    }

    /// Whether a point shows what goes through a relay of a server on its far side alone: what others ask that server does not pass there.
    #[must_use]
    pub fn is_behind_relay(&self, server: IpAddr, point: usize) -> bool {
        self.behind.contains(&(server, point))
    }

    /// Whether the same packets were seen with the one pair of addresses and with the other.
    #[must_use]
    pub fn is_passage(&self, one: (Endpoint, Endpoint), other: (Endpoint, Endpoint)) -> bool {
        !self.passages.is_empty() && (self.passages.contains(&(one, other)) || self.passages.contains(&(other, one)))
    }

    /// The addresses that were translated between points.
    #[must_use]
    pub fn translated(&self) -> &[Translated] {
        &self.translated
    }

    /// The addresses that a host has at other points, with its own.
    pub fn names_of(&self, ip: IpAddr) -> impl Iterator<Item = IpAddr> + '_ {
        let others = self.translated.iter().filter_map(move |known| {
            let (inside, outside) = (known.inside.ip(), known.outside.ip());
            if inside == ip { Some(outside) } else { (outside == ip).then_some(inside) }
        });
        std::iter::once(ip).chain(others)
    }

    /// What each two points share, lost and changed.
    #[must_use]
    pub fn pairs(&self) -> &[PairFacts] {
        &self.pairs
    }

    /// How much found no room in the tables.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.omitted
    }
}
