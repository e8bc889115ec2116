//! RTP and RTCP: which streams there are, on which path, and what became of their packets on the way to the capture point.
//!
//! RTP has no mark of its own. A source is believed once two of its packets in sequence were seen (RFC 3550 A.1), and what was counted of it
//! until then counts; random bytes never make a stream. The header of SRTP is in the clear, so no key is asked for.

mod clock;
mod stream;
pub(super) mod turned_back;
mod unclaimed;
mod way;

pub use clock::Jitter;
pub use stream::{Break, Stream};
pub use way::{MediaDirection, MediaWay, Reports};

use super::conversations::exchange::Seen;
use super::ice::IceSession;
use super::path::Path;
use super::{Name, Session};
use crate::event::Event;
use crate::slots::Slots;
use crate::time::{Span, Timestamp};
use crate::wire::demux::Kind;
use crate::wire::dtls::Record;
use crate::wire::handshake::ContentType;
use crate::wire::rtcp::Rtcp;
use crate::wire::rtp::Head;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::VecDeque;
use std::hash::BuildHasher;
use unclaimed::Unclaimed;

/// The number of a path in the table, kept with a flow so that its next packet needs no look-up. It may be out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayId(u32);

/// Where the streams of one direction of a path are; void once paths made room for others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    way: u32,
    rooms: u32,
}

impl Route {
    pub(super) fn way(&self) -> WayId {
        WayId(self.way)
    }
}

/// The streams of a capture.
#[derive(Debug, Default)]
pub struct Media {
    hasher: DefaultHashBuilder,
    ways: Slots<MediaWay>,
    by_path: HashTable<u32>,
    streams: Slots<Kept>,
    by_source: HashTable<u32>,
    /// The sources on probation, the oldest first; some that are not any more among them.
    probation: VecDeque<(u32, u32)>,
    max: usize,
    /// Streams that made room for others, with the way that they took.
    over: Vec<(MediaWay, usize, Stream)>,
    dropped: u64,
    unproven: u64,
    unclaimed: Unclaimed,
    /// How often paths made room for others: their numbers are given again then.
    rooms: u32,
}

/// A stream with where it is.
#[derive(Clone, Copy, Debug)]
struct Kept {
    stream: Stream,
    way: u32,
    direction: usize,
}

impl Media {
    /// An empty table for at most `max` streams.
    #[must_use]
    pub fn new(max: usize) -> Media {
        Media { max: max.max(8), ..Media::default() }
    }

    /// The paths on which there was media or a DTLS handshake and that did not make room for others, in the order of their first frames.
    #[must_use]
    pub fn ways(&self) -> Vec<&MediaWay> {
        let mut all: Vec<_> = self.each_way().collect();
        all.sort_by_key(|way| (way.first.frame, way.path));
        all
    }

    /// The same in no order.
    pub fn each_way(&self) -> impl Iterator<Item = &MediaWay> {
        self.ways.iter().map(|(_, way)| way)
    }

    /// What passed on a path.
    #[must_use]
    pub fn way_on(&self, path: &Path) -> Option<&MediaWay> {
        self.ways.get(self.known_way(path)?)
    }

    /// The streams that are believed, each with its path and direction, in the order of their first frames.
    #[must_use]
    pub fn streams(&self) -> Vec<(&MediaWay, usize, &Stream)> {
        let here = self.streams.iter();
        let here = here.filter_map(|(_, kept)| Some((self.ways.get(kept.way)?, kept.direction, &kept.stream)));
        let over = self.over.iter().map(|(way, direction, stream)| (way, *direction, stream));
        let mut all: Vec<_> = here.chain(over).filter(|(_, _, stream)| stream.is_believed()).collect();
        all.sort_by_key(|(way, direction, stream)| (stream.first.frame, stream.ssrc, way.path, *direction));
        all
    }

    /// How many streams there were of which nothing is kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Packets of streams on flows of which nothing else is known: of calls that were set up before the capture began, or without ICE and DTLS.
    #[must_use]
    pub fn unclaimed(&self) -> u64 {
        self.unclaimed.packets()
    }

    /// Packets that look like RTP and whose numbers did not behave like RTP's.
    #[must_use]
    pub fn unproven(&self) -> u64 {
        let here = self.streams.iter().filter(|(_, kept)| !kept.stream.is_believed());
        self.unproven + here.map(|(_, kept)| kept.stream.packets).sum::<u64>()
    }

    /// A record of a DTLS handshake passes.
    fn handshake(&mut self, event: &Event<'_>) -> Option<u32> {
        let path = Path::of_event(event);
        let id = self.way(path, event, None)?;
        let way = self.ways.get_mut(id)?;
        let direction = way.directions.get_mut(path.direction(event.src))?;
        let seen = event.seen();
        direction.handshake.get_or_insert((seen, seen)).1 = seen;
        Some(id)
    }

    /// An ICE session is over: whose the media on its pairs is.
    pub(super) fn belongs_to(&mut self, session: &IceSession) {
        for pair in &session.pairs {
            for path in std::iter::once(pair.path()).chain(pair.other_paths()) {
                let Some(id) = self.known_way(path) else { continue };
                let Some(way) = self.ways.get_mut(id) else { continue };
                way.ice = Some(session.number);
                way.agents = [0, 1].map(|from| session.agent(pair.agent_on(path, from)?).ufrag);
            }
        }
    }

    /// Another DTLS record passes.
    fn sealed(&mut self, event: &Event<'_>) {
        let path = Path::of_event(event);
        let way = self.known_way(&path).and_then(|id| self.ways.get_mut(id));
        if let Some(direction) = way.and_then(|way| way.directions.get_mut(path.direction(event.src))) {
            direction.sealed = Some(event.seen());
        }
    }

    /// Takes RTP; whether it [is a copy](Media::is_copy).
    #[inline]
    fn rtp(&mut self, event: &Event<'_>, payload: &[u8], hint: &mut Option<WayId>, owner: Option<Name>) -> bool {
        let Some(head) = Head::parse(payload) else { return false };
        let Some((id, direction)) = self.find(event, hint, owner) else { return false };
        let Some(way) = self.ways.get_mut(id) else { return false };
        let Some(known) = way.directions.get_mut(direction) else { return false };
        let recent = known.recent(head.ssrc);
        let place = match recent {
            Some(place) => Some(place),
            None => self.source(id, direction, head.ssrc),
        };
        let Some(place) = place else {
            self.new_source(event, id, direction, &head, payload.len());
            return false;
        };
        let Some(kept) = self.streams.get_mut(place) else { return false };
        let copy = kept.stream.take(&head, payload.len(), event.seen());
        if kept.stream.is_believed() {
            let first = kept.stream.first;
            let Some(known) = self.ways.get_mut(id).and_then(|way| way.directions.get_mut(direction)) else {
                return copy;
            };
            known.media(first, event.seen());
            if recent.is_none() {
                known.remember(head.ssrc, place);
            }
        }
        copy
    }

    /// Whether RTP is a packet that came just before on the same way, captured twice.
    pub(super) fn is_copy(&self, event: &Event<'_>, head: &Head) -> bool {
        let path = Path::of_event(event);
        let place = self.known_way(&path).and_then(|way| self.source(way, path.direction(event.src), head.ssrc));
        let kept = place.and_then(|place| self.streams.get(place));
        kept.is_some_and(|kept| kept.stream.is_copy(head, event.time))
    }

    /// The route of a believed stream on this path.
    pub(super) fn route(&self, WayId(id): WayId, path: &Path, direction: usize, ssrc: u32) -> Option<Route> {
        let way = self.ways.get(id).filter(|way| way.path == *path)?;
        way.directions.get(direction)?.recent(ssrc)?;
        Some(Route { way: id, rooms: self.rooms })
    }

    /// Takes the next packet of a stream that is known on a route, and tells whether it [is a copy](Media::is_copy); `None` where there is no such
    /// stream: then nothing was done.
    #[inline(always)]
    pub(super) fn next(
        &mut self,
        route: &Route,
        direction: usize,
        head: &Head,
        bytes: usize,
        seen: Seen,
    ) -> Option<bool> {
        if route.rooms != self.rooms {
            return None;
        }
        let known = self.ways.get_mut(route.way)?.directions.get_mut(direction)?;
        let place = known.recent(head.ssrc)?;
        let kept = self.streams.get_mut(place)?;
        if !kept.stream.is_believed() {
            return None;
        }
        let copy = kept.stream.take(head, bytes, seen);
        known.media(kept.stream.first, seen);
        Some(copy)
    }

    fn rtcp(&mut self, event: &Event<'_>, payload: &[u8], hint: &mut Option<WayId>, owner: Option<Name>) {
        let Some(rtcp) = Rtcp::parse(payload) else { return };
        let Some((id, direction)) = self.find(event, hint, owner) else { return };
        let stream = self.source(id, direction, rtcp.ssrc).and_then(|place| self.streams.get(place));
        let captured = stream.map_or(0, |kept| kept.stream.packets);
        let known = self.ways.get_mut(id).and_then(|way| way.directions.get_mut(direction));
        if let Some(known) = known {
            known.report(&rtcp, captured, event.seen());
        }
    }

    /// STUN passes on a flow with media, and is no refusal.
    pub(super) fn alive(&mut self, event: &Event<'_>, WayId(id): WayId) {
        let Some(way) = self.ways.get_mut(id) else { return };
        let path = Path::of_event(event);
        if way.path == path
            && let Some(known) = way.directions.get_mut(path.direction(event.src))
        {
            let before = known.alive.replace(event.seen());
            let rest = before.map_or(Span(0), |before| event.time.since(before.time));
            if let Some(before) = before.filter(|_| rest > known.lifeless.0) {
                known.lifeless = (rest, before.time);
            }
        }
    }

    /// The path of a packet and its direction on it.
    #[inline]
    fn find(&mut self, event: &Event<'_>, hint: &mut Option<WayId>, owner: Option<Name>) -> Option<(u32, usize)> {
        let path = Path::of_event(event);
        let direction = path.direction(event.src);
        let hinted = hint.and_then(|hint| self.ways.get(hint.0));
        let id = match (hinted, *hint) {
            (Some(way), Some(WayId(id))) if way.path == path => id,
            _ => {
                let id = self.way(path, event, owner)?;
                *hint = Some(WayId(id));
                id
            }
        };
        let way = self.ways.get_mut(id)?;
        let known = way.directions.get_mut(direction)?;
        if known.ends.is_none() {
            way.user = way.user.or(owner);
            known.ends = Some(event.pair());
            for (slot, hop) in known.via.iter_mut().zip(event.hops.iter()) {
                *slot = Some(hop.via);
            }
        }
        Some((id, direction))
    }

    /// The number of a path.
    fn known_way(&self, path: &Path) -> Option<u32> {
        let same = |&id: &u32| self.ways.get(id).is_some_and(|way| way.path == *path);
        self.by_path.find(self.hasher.hash_one(path), same).copied()
    }

    /// The number of a path, made where there is none.
    fn way(&mut self, path: Path, event: &Event<'_>, owner: Option<Name>) -> Option<u32> {
        if let Some(id) = self.known_way(&path) {
            return Some(id);
        }
        if self.by_path.len() >= self.max {
            self.make_room();
        }
        let id = self.ways.add(MediaWay::new(path, event.seen(), owner))?;
        let (hasher, ways) = (&self.hasher, &self.ways);
        let rehash = |&id: &u32| ways.get(id).map_or(0, |way| hasher.hash_one(way.path));
        self.by_path.insert_unique(self.hasher.hash_one(path), id, rehash);
        Some(id)
    }

    fn hash_of(&self, way: u32, direction: usize, ssrc: u32) -> u64 {
        self.hasher.hash_one((u64::from(way) << 32 | u64::from(ssrc), direction as u64))
    }

    /// Where the stream of a source is.
    fn source(&self, way: u32, direction: usize, ssrc: u32) -> Option<u32> {
        let same = |&place: &u32| {
            let kept = self.streams.get(place);
            kept.is_some_and(|kept| (kept.way, kept.direction, kept.stream.ssrc) == (way, direction, ssrc))
        };
        self.by_source.find(self.hash_of(way, direction, ssrc), same).copied()
    }

    /// A source that was not seen before is put on probation. Of those there are few at one time: what only looks like RTP has a new
    /// source in every packet.
    #[cold]
    fn new_source(&mut self, event: &Event<'_>, way: u32, direction: usize, head: &Head, bytes: usize) {
        while self.probation.len() >= self.max / 4 {
            let Some((place, ssrc)) = self.probation.pop_front() else { break };
            let kept = self.streams.get(place);
            if kept.is_some_and(|kept| kept.stream.ssrc == ssrc && !kept.stream.is_believed()) {
                self.forget(place);
            }
        }
        if self.by_source.len() >= self.max {
            self.make_room();
        }
        if self.ways.get(way).is_none() {
            return;
        }
        let kept = Kept { way, direction, stream: Stream::new(head, bytes, event.seen()) };
        let Some(place) = self.streams.add(kept) else { return };
        let (hasher, streams) = (&self.hasher, &self.streams);
        let rehash = |&place: &u32| {
            streams.get(place).map_or(0, |kept| {
                hasher.hash_one((u64::from(kept.way) << 32 | u64::from(kept.stream.ssrc), kept.direction as u64))
            })
        };
        self.by_source.insert_unique(self.hash_of(way, direction, head.ssrc), place, rehash);
        self.probation.push_back((place, head.ssrc));
    }

    /// Takes a stream out of the table; one that was believed is kept aside while there is room.
    fn forget(&mut self, place: u32) {
        let Some(kept) = self.streams.remove(place) else { return };
        let hash = self.hash_of(kept.way, kept.direction, kept.stream.ssrc);
        if let Ok(entry) = self.by_source.find_entry(hash, |&other| other == place) {
            entry.remove();
        }
        let Some(way) = self.ways.get_mut(kept.way) else { return };
        if let Some(direction) = way.directions.get_mut(kept.direction) {
            direction.forget(place);
        }
        if !kept.stream.is_believed() {
            self.unproven += kept.stream.packets;
        } else if self.over.len() < self.max {
            self.over.push((way.clone(), kept.direction, kept.stream));
        } else {
            self.dropped += 1;
        }
    }

    /// Makes room in a full table: the quarter of the paths that has been silent longest goes, with its streams.
    #[cold]
    fn make_room(&mut self) {
        self.rooms = self.rooms.wrapping_add(1);
        let mut lasts: Vec<Timestamp> = self.each_way().map(MediaWay::last).collect();
        let quarter = lasts.len() / 4;
        let Some((_, &mut until, _)) = (quarter < lasts.len()).then(|| lasts.select_nth_unstable(quarter)) else {
            return;
        };
        let gone = |way: u32| self.ways.get(way).is_some_and(|way| way.last() <= until);
        let streams = self.streams.iter().filter(|(_, kept)| gone(kept.way));
        let streams: Vec<u32> = streams.map(|(place, _)| place).collect();
        let ways: Vec<u32> = self.ways.iter().map(|(id, _)| id).filter(|&id| gone(id)).collect();
        for place in streams {
            self.forget(place);
        }
        for id in ways {
            let Some(way) = self.ways.remove(id) else { continue };
            if let Ok(entry) = self.by_path.find_entry(self.hasher.hash_one(way.path), |&other| other == id) {
                entry.remove();
            }
        }
    }
}

impl Session {
    /// The streams of RTP.
    #[must_use]
    pub fn media(&self) -> &Media {
        &self.media
    }

    /// Takes RTP or RTCP. It has no mark of its own: it is believed where STUN or DTLS was seen before it, or inside a relay; `false` where it
    /// is not.
    #[inline]
    pub fn take_media(&mut self, event: &Event<'_>, payload: &[u8], kind: Kind) -> bool {
        let nested = event.hops.last().is_some();
        let id = self.flows.find_on(event.transport, event.src, event.dst);
        if id.is_none() && !nested {
            if let Some(head) = Head::parse(payload).filter(|_| kind == Kind::Rtp) {
                self.media.unclaimed.take(event.pair(), &head);
            }
            return false;
        }
        let is_rtcp = kind == Kind::Rtcp;
        let mut copy = is_rtcp && self.is_copy(event, payload);
        let mut none = None;
        let (hint, owner) = match id.and_then(|id| self.flows.get_mut(id)) {
            Some(flow) => {
                if !nested {
                    flow.count(event.src, event.seen());
                }
                (&mut flow.media, flow.conversation.as_ref().and_then(|conversation| conversation.user))
            }
            None => (&mut none, None),
        };
        if !is_rtcp {
            copy = self.media.rtp(event, payload, hint, owner);
            if let (Some(id), Some(way), Some(head)) = (id, *hint, Head::parse(payload)) {
                self.open_lane(event, id, way, &head);
            }
        } else if !copy {
            self.media.rtcp(event, payload, hint, owner);
        }
        if copy {
            return true;
        }
        *(if is_rtcp { &mut self.totals.messages.rtcp } else { &mut self.totals.messages.rtp }) += 1;
        if let Some(flow) = id.filter(|_| !nested).and_then(|id| self.flows.get_mut(id)) {
            flow.directions_from(event.src).0.data.add(payload.len(), event.time);
        }
        self.ice.data(event, payload.len());
        true
    }

    /// Takes note of a DTLS record: media is expected where a handshake was, and who sends another record there has not gone.
    pub(in crate::session) fn expect_media(&mut self, event: &Event<'_>, record: &Record<'_>) {
        if record.content_type == ContentType::HANDSHAKE {
            let way = self.media.handshake(event);
            let flow = self.flows.find_on(event.transport, event.src, event.dst).and_then(|id| self.flows.get_mut(id));
            if let (Some(flow), Some(way)) = (flow, way) {
                flow.media = Some(WayId(way));
            }
        } else {
            self.media.sealed(event);
        }
    }
}
