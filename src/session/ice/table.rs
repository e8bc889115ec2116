//! All ICE sessions that are not over, and how they are found.

use super::pair::{MAX_POINTS, Pair, Point};
use super::recent::Recent;
use super::session::{Agent, IceSession};
use crate::event::Event;
use crate::net::Endpoint;
use crate::session::conversations::exchange::Seen;
use crate::session::limits::Limits;
use crate::session::path::Path;
use crate::session::tables::names::{Name, Names};
use crate::slots::Slots;
use crate::time::{Span, Timestamp};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::hash::BuildHasher;

/// A session with nothing new for this long is over: longer than a flow, so that what ran on its pairs can still ask for it.
const IDLE: Span = Span::from_secs(180);
/// In a full table, one that was silent for this long makes room: agents check every few seconds as long as they live.
const SILENT: Span = Span::from_secs(30);
/// How often a full table is searched for those.
const SEARCH: Span = Span::from_secs(1);
/// A session that begins so soon after the capture may have begun before it.
pub(super) const CAPTURE_START: Span = Span::from_secs(1);
/// New user fragments on the same addresses so long after the last check are a new session, not a restart.
const RESTART: Span = Span::from_secs(60);

/// A pair, and the point of the capture at which it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) struct Place {
    pub slot: u32,
    pub pair: u16,
    pub point: u8,
}

impl Place {
    /// Whether another one is of the same pair.
    pub(super) fn is_of_pair(self, other: Place) -> bool {
        (self.slot, self.pair) == (other.slot, other.pair)
    }
}

/// The ICE sessions that are not over.
#[derive(Debug, Default)]
pub struct Ice {
    pub(super) hasher: DefaultHashBuilder,
    by_path: HashTable<Place>,
    by_key: HashTable<u32>,
    /// The newest session in which each user fragment takes part.
    by_ufrag: HashMap<Name, u32>,
    sessions: Slots<Box<IceSession>>,
    pairs: usize,
    max: (usize, usize, usize),
    numbers: u32,
    pub(super) recent: Recent,
    /// Where the last data was.
    last_data: Option<(Path, Place)>,
    /// How often a way came to lead elsewhere, or a session was made or went.
    changes: u32,
    ripe: Vec<IceSession>,
    searched: Timestamp,
    is_over: bool,
    /// The time of the first frame.
    pub(super) began: Timestamp,
    pub(super) checks_dropped: u64,
}

impl Ice {
    pub(in crate::session) fn new(limits: &Limits) -> Self {
        Ice {
            max: (limits.ice_sessions, limits.ice_pairs, limits.ice_pairs_of_session),
            searched: Timestamp(i64::MIN),
            began: Timestamp(i64::MAX),
            ..Ice::default()
        }
    }

    /// The state of the table as far as it tells where a way leads: while this stays the same for what [`Ice::find`] gave, it gives the same.
    #[inline]
    pub(in crate::session) fn stamp(&self, place: Option<Place>) -> Option<u32> {
        match place {
            Some(place) => self.get(place.slot).map(|session| session.stamp),
            None => Some(self.changes),
        }
    }

    /// How many sessions there are that are not over.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// A STUN message was seen at this time.
    #[inline]
    pub(in crate::session) fn begin(&mut self, time: Timestamp) {
        self.began = self.began.min(time);
    }

    /// Checks that were not looked at for want of room.
    #[must_use]
    pub fn checks_dropped(&self) -> u64 {
        self.checks_dropped
    }

    /// Whether a session began a second or more after the capture, so that its start is in it.
    #[must_use]
    pub fn began_well_before(&self, session: &IceSession) -> bool {
        session.first.time.since(self.began) >= CAPTURE_START
    }

    /// The session and pair of a way, the newest generation of it: whether a pair is selected and since when, whether checks go on, whether
    /// the agents are WebRTC's.
    #[must_use]
    pub fn on(&self, path: &Path) -> Option<(&IceSession, &Pair)> {
        let place = self.find(path)?;
        let session = self.get(place.slot)?;
        Some((session, session.pairs.get(usize::from(place.pair))?))
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&IceSession> {
        self.sessions.get(slot).map(|session| &**session)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut IceSession> {
        self.sessions.get_mut(slot).map(|session| &mut **session)
    }

    /// The pair at a place.
    #[inline]
    pub(super) fn pair(&self, place: Place) -> Option<&Pair> {
        self.get(place.slot)?.pairs.get(usize::from(place.pair))
    }

    /// The same, to be changed.
    #[inline]
    pub(super) fn pair_mut(&mut self, place: Place) -> Option<&mut Pair> {
        self.get_mut(place.slot)?.pairs.get_mut(usize::from(place.pair))
    }

    /// The pair on a way, of the newest generation.
    #[inline]
    pub(in crate::session) fn find(&self, path: &Path) -> Option<Place> {
        if self.is_empty() {
            return None;
        }
        let sessions = &self.sessions;
        self.by_path.find(self.hasher.hash_one(path), |place| path_at(sessions, place) == Some(path)).copied()
    }

    /// Whether an event goes the way of a pair.
    pub(in crate::session) fn runs_on(&self, event: &Event<'_>) -> bool {
        !self.is_empty() && self.find(&Path::of_event(event)).is_some()
    }

    /// The same for data, of which most follows other data on the same way.
    #[inline]
    pub(super) fn find_for_data(&mut self, path: &Path) -> Option<Place> {
        if let Some((known, place)) = &self.last_data
            && known == path
        {
            return Some(*place);
        }
        let place = self.find(path)?;
        self.last_data = Some((*path, place));
        Some(place)
    }

    /// From now on the way leads to this place.
    pub(super) fn lead(&mut self, path: &Path, place: Place) {
        self.last_data = None;
        let hash = self.hasher.hash_one(path);
        let sessions = &self.sessions;
        if let Some(known) = self.by_path.find_mut(hash, |place| path_at(sessions, place) == Some(path)) {
            let before = std::mem::replace(known, place);
            if before != place {
                self.changes = self.changes.wrapping_add(1);
                let stamp = self.changes;
                if let Some(session) = self.get_mut(before.slot) {
                    session.stamp = stamp;
                }
            }
            return;
        }
        self.changes = self.changes.wrapping_add(1);
        let hasher = &self.hasher;
        self.by_path
            .insert_unique(hash, place, |place| path_at(sessions, place).map_or(0, |path| hasher.hash_one(path)));
    }

    /// The session of two user fragments.
    pub(super) fn of_ufrags(&self, one: Name, other: Name) -> Option<u32> {
        let hash = self.hasher.hash_one(key(one, other));
        self.by_key.find(hash, |&slot| self.get(slot).and_then(key_of) == Some(key(one, other))).copied()
    }

    /// Makes a session, if there is room; `ufrags` are those of the sender and of the receiver of its first check.
    pub(super) fn add(&mut self, ufrags: Option<(Name, Name)>, path: &Path, seen: Seen) -> Option<u32> {
        let (max_sessions, max_pairs, _) = self.max;
        if self.len() >= max_sessions || self.pairs >= max_pairs {
            self.make_room(seen.time);
        }
        if self.len() >= max_sessions || self.pairs >= max_pairs {
            return None;
        }
        let mut agents = [Agent::default(), Agent::default()];
        let [one, other] = &mut agents;
        (one.ufrag, other.ufrag) = ufrags.unzip();
        let number = self.numbers;
        let mut new = IceSession::new(number, agents, seen, ufrags.is_none().then_some(*path));
        self.changes = self.changes.wrapping_add(1);
        new.stamp = self.changes;
        let slot = self.sessions.add(Box::new(new))?;
        self.numbers = self.numbers.wrapping_add(1);
        self.list(slot);
        Some(slot)
    }

    /// Makes a session findable by its user fragments.
    fn list(&mut self, slot: u32) {
        let Some(known) = self.get(slot).and_then(key_of) else { return };
        let (hasher, sessions) = (&self.hasher, &self.sessions);
        let rehash =
            |&slot: &u32| sessions.get(slot).and_then(|known| key_of(known)).map_or(0, |key| hasher.hash_one(key));
        self.by_key.insert_unique(hasher.hash_one(known), slot, rehash);
    }

    /// A session that was known by its way alone turns out to be that of these user fragments, the first of which is that of `agent`.
    pub(super) fn name(&mut self, slot: u32, agent: usize, (own, peer): (Name, Name)) {
        let Some(session) = self.get_mut(slot) else { return };
        session.flow = None;
        session.agent_mut(agent).ufrag = Some(own);
        session.agent_mut(1 - agent).ufrag = Some(peer);
        self.list(slot);
    }

    /// From now on its user fragments lead to this session.
    pub(super) fn remember(&mut self, slot: u32) {
        let Some(session) = self.get(slot) else { return };
        let ufrags = session.agents.each_ref().map(|agent| agent.ufrag);
        for ufrag in ufrags.into_iter().flatten() {
            self.by_ufrag.insert(ufrag, slot);
        }
    }

    /// Adds a pair to a session and leads its way there; where its ends are those of a pair of the session already, it is one more point of that.
    pub(super) fn add_pair(&mut self, slot: u32, pair: Pair, is_whole: bool) -> Option<Place> {
        let path = *pair.path();
        let (_, max_pairs, max_of_session) = self.max;
        let is_full = self.pairs >= max_pairs;
        let session = self.get_mut(slot)?;
        let same = |known: &Pair| (known.ends, known.tcp) == (pair.ends, pair.tcp) && known.path() != &path;
        if is_whole && let Some(index) = session.pairs.iter().position(same) {
            return self.add_point(Place { slot, pair: u16::try_from(index).ok()?, point: 0 }, pair.point);
        }
        if is_full || session.pairs.len() >= max_of_session {
            session.checks_omitted += 1;
            return None;
        }
        let index = u16::try_from(session.pairs.len()).ok()?;
        session.pairs.reserve_exact(if index < 4 { 2 } else { 8 });
        session.pairs.push(pair);
        self.pairs += 1;
        let place = Place { slot, pair: index, point: 0 };
        self.lead(&path, place);
        Some(place)
    }

    /// A pair is seen at one more point of the capture.
    pub(super) fn add_point(&mut self, place: Place, point: Point) -> Option<Place> {
        let pair = self.pair_mut(place)?;
        let points = &mut pair.points;
        let number = match points.iter().position(|known| known.path == point.path) {
            Some(number) => number,
            None if points.len() >= MAX_POINTS => return None,
            None => {
                points.push(point);
                points.len() - 1
            }
        };
        let place = Place { point: u8::try_from(number + 1).ok()?, ..place };
        self.lead(&point.path, place);
        Some(place)
    }

    /// A session that begins with this pair may be the restart of one that is known: of that which ran on the same way (`on_path`), or of one in which
    /// one of its agents takes part from the same address, the other having a new user fragment and the same host.
    pub(super) fn succeed(&mut self, slot: u32, on_path: Option<u32>, ends: [Endpoint; 2], seen: Seen) {
        let Some(new) = self.get(slot) else { return };
        if new.restart_of.is_some() || new.flow.is_some() {
            return;
        }
        let related = new.agents.each_ref().map(|agent| self.before(slot, agent.ufrag?, ends));
        if let ([Some(one), Some(other)], None) = (related, on_path)
            && one != other
        {
            return self.bridge(slot, one, other);
        }
        let Some(old) = on_path.or_else(|| related.into_iter().flatten().max()) else { return };
        let Some(known) = self.get(old).filter(|known| known.number < new.number && known.flow.is_none()) else {
            return;
        };
        if seen.time.since(known.last.time) > RESTART {
            return;
        }
        let shares = known.agents.iter().any(|known| new.agents.iter().any(|agent| agent.ufrag == known.ufrag));
        // a session of an old and a new user fragment runs only until both sides know the new ones
        let (restart_of, restarts) = match known.restart_of.filter(|_| known.is_mixed) {
            Some(before) => (before, known.restarts),
            None => (known.number, known.restarts.saturating_add(1)),
        };
        let is_mixed = shares && !known.is_mixed;
        let Some(new) = self.get_mut(slot) else { return };
        (new.restart_of, new.restarts, new.is_mixed) = (Some(restart_of), restarts, is_mixed);
        let new = new.number;
        if !is_mixed {
            self.restarted(restart_of, (new, seen));
        } else if let Some(known) = self.get_mut(old) {
            known.half_restarted.get_or_insert(seen);
        }
    }

    /// A session has one agent in common with each of two others: the later of these is the restart of the earlier.
    fn bridge(&mut self, slot: u32, one: u32, other: u32) {
        let number = |slot: u32| self.get(slot).filter(|known| !known.is_mixed).map(|known| (known.number, slot));
        let (Some(one), Some(other)) = (number(one), number(other)) else { return };
        let ((old, old_slot), (new, new_slot)) = (one.min(other), one.max(other));
        let Some(restarts) = self.get(old_slot).map(|known| known.restarts.saturating_add(1)) else { return };
        if let Some(mixed) = self.get_mut(slot) {
            (mixed.restart_of, mixed.restarts, mixed.is_mixed) = (Some(old), restarts, true);
        }
        let Some(known) = self.get_mut(new_slot).filter(|known| known.restart_of.is_none()) else { return };
        (known.restart_of, known.restarts) = (Some(old), restarts);
        let first = known.first;
        self.restarted(old, (new, first));
    }

    /// A session is followed by another; so are those between the two, of an old and a new user fragment.
    fn restarted(&mut self, number: u32, by: (u32, Seen)) {
        let between = |session: &IceSession| session.is_mixed && session.restart_of == Some(number);
        let known = self.sessions.values_mut();
        known.filter(|session| session.number == number || between(session)).for_each(|known| {
            known.restarted_by.get_or_insert(by);
        });
    }

    /// The session that was known before this one, in which the agent with this user fragment takes part from the same address.
    fn before(&self, slot: u32, ufrag: Name, ends: [Endpoint; 2]) -> Option<u32> {
        let &old = self.by_ufrag.get(&ufrag).filter(|&&old| old != slot)?;
        let (known, new) = (self.get(old)?, self.get(slot)?);
        let number = |session: &IceSession| session.agents.iter().position(|agent| agent.ufrag == Some(ufrag));
        let (was, is) = (number(known)?, number(new)?);
        let [one, other] = ends;
        let (own, peer) = if is == 0 { (one, other) } else { (other, one) };
        let same = |pair: &Pair| pair.end(was) == own && pair.end(1 - was).ip() == peer.ip();
        // one that never checks may serve many with the same user fragment
        ((known.is_mixed || known.agent(was).checks > 0) && known.pairs.iter().any(same)).then_some(old)
    }

    /// The sessions that are over, to be judged and forgotten, in the order in which they began.
    pub(in crate::session) fn ripe(&mut self) -> Vec<IceSession> {
        if self.is_over {
            self.end(Timestamp(i64::MAX));
        }
        std::mem::take(&mut self.ripe)
    }

    /// Whether there are any.
    #[inline]
    pub(in crate::session) fn has_ripe(&self) -> bool {
        !self.ripe.is_empty() || (self.is_over && !self.is_empty())
    }

    /// Ends what is idle at `now`.
    pub(in crate::session) fn sweep(&mut self, now: Timestamp) {
        self.began = self.began.min(now);
        self.end(now.before(IDLE));
    }

    /// The capture is over: what is left is given to be judged, but stays until then.
    pub(in crate::session) fn finish(&mut self) {
        self.is_over = true;
    }

    fn make_room(&mut self, now: Timestamp) {
        if now.since(self.searched) >= SEARCH {
            self.searched = now;
            self.end(now.before(SILENT));
        }
    }

    fn end(&mut self, since: Timestamp) {
        let ended = self.sessions.iter().filter(|(_, session)| session.last.time < since);
        let mut ended: Vec<(u32, u32)> = ended.map(|(slot, session)| (session.number, slot)).collect();
        ended.sort_unstable();
        for (_, slot) in ended {
            self.remove(slot);
        }
    }

    fn remove(&mut self, slot: u32) {
        self.last_data = None;
        self.changes = self.changes.wrapping_add(1);
        let Some(session) = self.get(slot) else { return };
        let paths: Vec<Path> = session
            .pairs
            .iter()
            .flat_map(|pair| std::iter::once(pair.path()).chain(pair.other_paths()))
            .copied()
            .collect();
        let known = key_of(session);
        for path in paths {
            if let Ok(entry) = self.by_path.find_entry(self.hasher.hash_one(path), |place| {
                place.slot == slot && path_at(&self.sessions, place) == Some(&path)
            }) {
                entry.remove();
            }
        }
        if let Some(known) = known
            && let Ok(entry) = self.by_key.find_entry(self.hasher.hash_one(known), |&other| other == slot)
        {
            entry.remove();
        }
        if let Some(session) = self.sessions.remove(slot) {
            self.pairs = self.pairs.saturating_sub(session.pairs.len());
            for ufrag in session.agents.iter().filter_map(|agent| agent.ufrag) {
                if self.by_ufrag.get(&ufrag) == Some(&slot) {
                    self.by_ufrag.remove(&ufrag);
                }
            }
            self.ripe.push(*session);
        }
    }

    /// The user fragments in USERNAME, that of the receiver first (RFC 8445 §7.2.2); `None` where it has another form.
    pub(super) fn ufrags(names: &mut Names, user: Name) -> Option<(Name, Name)> {
        const LONGEST: usize = 513;
        let mut room = [0; LONGEST];
        let text = names.bytes(user);
        let text = room.get_mut(..text.len()).map(|room| {
            room.copy_from_slice(text);
            &*room
        })?;
        let end = text.iter().rposition(|&byte| byte != 0)? + 1;
        let text = text.get(..end)?;
        let colons = text.iter().filter(|&&byte| byte == b':').count();
        if colons % 2 == 0 {
            return None;
        }
        let middle = text.iter().enumerate().filter(|&(_, &byte)| byte == b':').nth(colons / 2)?.0;
        let (peer, own) = (text.get(..middle)?, text.get(middle + 1..)?);
        if peer.is_empty() || own.is_empty() {
            return None;
        }
        Some((names.intern(peer)?, names.intern(own)?))
    }
}

fn path_at<'s>(sessions: &'s Slots<Box<IceSession>>, place: &Place) -> Option<&'s Path> {
    sessions.get(place.slot)?.pairs.get(usize::from(place.pair))?.at(usize::from(place.point)).map(|point| &point.path)
}

fn key(one: Name, other: Name) -> (Name, Name) {
    (one.min(other), one.max(other))
}

fn key_of(session: &IceSession) -> Option<(Name, Name)> {
    let [one, other] = &session.agents;
    Some(key(one.ufrag?, other.ufrag?))
}
