//! How ICE sessions take in checks, their answers, and what runs on pairs.

use super::pair::{Answered, Carried, Pair, Point};
use super::recent::Sent;
use super::session::{IceSession, MAX_SELECTIONS, Nomination, Role, Selection, Unauthorized};
use super::table::{Ice, Place};
use crate::event::{Body, Event, IcmpAnswer};
use crate::net::Endpoint;
use crate::session::Session;
use crate::session::exchange::Seen;
use crate::session::names::{Name, Names};
use crate::session::observe::Known;
use crate::session::path::Path;
use crate::session::requests::is_check;
use crate::time::{Span, Timestamp};
use crate::wire::handshake::ContentType;
use crate::wire::stun::{Class, Fields, Message, Method};
use std::hash::BuildHasher;

/// Data on a pair that is not nominated makes it the selected one only after this long: agents may send before they agree.
const SETTLED: Span = Span::from_secs(5);
/// A session that begins so soon after the capture may have begun before it.
const CAPTURE_START: Span = Span::from_secs(1);
/// So many datagrams over so much time on another pair, without one on the selected pair, show that it changed.
const SWITCH_AFTER: (u32, Span) = (5, Span::from_secs(1));
/// How many frames of refused checks are kept.
const MAX_FRAMES: usize = 8;

impl Session {
    /// What ICE makes of a Binding or GOOG-PING message.
    pub(in crate::session) fn connectivity(
        &mut self,
        event: &Event<'_>,
        message: &Message<'_>,
        fields: &Fields<'_>,
        known: &Known,
    ) {
        let method = message.method();
        self.ice.began = self.ice.began.min(event.time);
        if !matches!(method, Method::BINDING | Method::GOOG_PING) || known.mirrored {
            return;
        }
        match message.class() {
            Class::Request if is_check(method, fields) => {
                self.ice.check(&mut self.names, event, message, fields, known)
            }
            Class::Request | Class::Indication => {}
            Class::Success | Class::Error => {
                if known.request_frame.is_some() && known.retransmission_of.is_none() {
                    self.ice.answer(&mut self.names, event, message, fields, known);
                }
            }
        }
    }
}

impl Ice {
    fn check(
        &mut self,
        names: &mut Names,
        event: &Event<'_>,
        message: &Message<'_>,
        fields: &Fields<'_>,
        known: &Known,
    ) {
        let path = Path::of_event(event);
        let id = self.hasher.hash_one(message.transaction_id());
        let place = self.find(&path);
        let sent = self.recent.get(id).filter(|sent| self.get(sent.slot).is_some_and(|s| s.number == sent.session));
        let seen = Seen { frame: event.frame, time: event.time };
        let direction = path.direction(event.src);
        if known.retransmission_of.is_some() {
            let Some(place) = place else { return };
            if sent.is_none_or(|sent| (sent.slot, sent.pair, sent.point) == (place.slot, place.pair, place.point)) {
                self.repeated(place, direction, seen);
            }
            return;
        }
        if let Some(sent) = sent {
            // the other side of a NAT or of a relay
            let same = |place: Place| (place.slot, place.pair) == (sent.slot, sent.pair);
            if place.is_none_or(|place| !same(place)) {
                let low = if direction == 0 { sent.agent } else { 1 - sent.agent };
                self.add_point(sent.slot, sent.pair, Point { path, low });
            }
            return;
        }
        let Some(place) = self.place(names, event, &path, place, known.user) else {
            self.checks_dropped += 1;
            return;
        };
        let began = self.began;
        let Some(session) = self.get_mut(place.slot) else { return };
        let Some(pair) = session.pairs.get_mut(usize::from(place.pair)) else { return };
        let agent = pair.agent(usize::from(place.point), direction);
        let nominates = fields.use_candidate || fields.nomination.is_some();
        if let (Some(user), Some(slot)) = (known.user, pair.users.get_mut(agent)) {
            *slot = Some(user);
        }
        let way = pair.way_mut(agent);
        way.sent = way.sent.saturating_add(1);
        way.first.get_or_insert(seen);
        way.last = seen.time;
        way.ttl = event.ttl;
        way.priority = fields.priority.or(way.priority);
        let was_answered = way.answered.is_some();
        if let Some(answered) = &mut way.answered {
            if answered.open == 0 {
                answered.open_since = seen.time;
            }
            answered.open = answered.open.saturating_add(1);
        }
        if nominates {
            way.use_candidate.get_or_insert(seen);
        }
        session.last = seen;
        session.spoke(agent, fields, message.method(), known, seen);
        if nominates && session.agent(agent).use_candidate.is_none() {
            session.agent_mut(agent).use_candidate = Some(seen);
            let may_have_begun_before = session.first.time.since(began) < CAPTURE_START;
            session.nomination = match (was_answered, may_have_begun_before) {
                (true, _) => Some(Nomination::Regular),
                (false, false) => Some(Nomination::Aggressive),
                (false, true) => None,
            };
        }
        let Place { slot, pair, point } = place;
        let agent = u8::from(agent != 0);
        let session = session.number;
        self.recent.put(Sent { id, session, slot, pair, point, agent, nominates });
    }

    fn repeated(&mut self, place: Place, direction: usize, seen: Seen) {
        let Some(session) = self.get_mut(place.slot) else { return };
        session.last = seen;
        let Some(pair) = session.pairs.get_mut(usize::from(place.pair)) else { return };
        let agent = pair.agent(usize::from(place.point), direction);
        let way = pair.way_mut(agent);
        way.copies = way.copies.saturating_add(1);
        way.last = seen.time;
        session.agent_mut(agent).last_check = seen.time;
    }

    /// Where a check belongs: to the pair on its way, if that is of the same user fragments, else to a new one.
    fn place(
        &mut self,
        names: &mut Names,
        event: &Event<'_>,
        path: &Path,
        place: Option<Place>,
        user: Option<Name>,
    ) -> Option<Place> {
        let direction = path.direction(event.src);
        let seen = Seen { frame: event.frame, time: event.time };
        if let Some(place) = place {
            let pair = self.get(place.slot)?.pairs.get(usize::from(place.pair))?;
            let agent = pair.agent(usize::from(place.point), direction);
            if user.is_none() || pair.users.get(agent).copied().flatten() == user {
                return Some(place);
            }
        }
        let ufrags = user.and_then(|user| Ice::ufrags(names, user));
        let Some((peer, own)) = ufrags else {
            if let Some(place) = place {
                return Some(place); // a name of another form says nothing of sessions
            }
            let slot = self.add(None, path, seen)?;
            return self.add_pair(slot, new_pair(event, path, 0), false);
        };
        let known = self.of_ufrags(own, peer);
        if let Some(place) = place {
            if known == Some(place.slot) {
                return Some(place);
            }
            if known.is_none() && self.get(place.slot).is_some_and(|session| session.flow.is_some()) {
                let pair = self.get(place.slot)?.pairs.get(usize::from(place.pair))?;
                let agent = pair.agent(usize::from(place.point), direction);
                self.name(place.slot, agent, (own, peer));
                return Some(place);
            }
        }
        let slot = match known {
            Some(slot) => slot,
            None => self.add(Some((own, peer)), path, seen)?,
        };
        let session = self.get(slot)?;
        if let Some((index, pair)) = session.pair_on(path) {
            // an older generation, of which checks still come
            let point = if pair.path() == path { 0 } else { 1 + pair.other_paths().position(|other| other == path)? };
            return Some(Place { slot, pair: u16::try_from(index).ok()?, point: u8::try_from(point).ok()? });
        }
        let [one, other] = &session.agents;
        let sender = match (one.ufrag == Some(own), other.ufrag == Some(own)) {
            (true, true) => direction,
            (is_first, _) => usize::from(!is_first),
        };
        let is_whole = event.hops.last().is_none_or(|hop| hop.peer.is_some() && hop.relayed.is_some());
        let added = self.add_pair(slot, new_pair(event, path, sender), is_whole);
        if let Some(old) = place.filter(|old| old.slot != slot) {
            self.succeed(slot, old.slot, seen);
        }
        added
    }

    fn answer(
        &mut self,
        names: &mut Names,
        event: &Event<'_>,
        message: &Message<'_>,
        fields: &Fields<'_>,
        known: &Known,
    ) {
        if self.is_empty() {
            return;
        }
        let path = Path::of_event(event);
        let id = self.hasher.hash_one(message.transaction_id());
        let direction = path.direction(event.src);
        let found = self.find(&path);
        let seen = Seen { frame: event.frame, time: event.time };
        let sent = self.recent.get(id).filter(|sent| self.get(sent.slot).is_some_and(|s| s.number == sent.session));
        let (place, asker, nominates) = match (sent, found) {
            (Some(sent), found) => {
                let Sent { slot, pair, point, .. } = sent;
                match found {
                    Some(found) if (found.slot, found.pair) == (slot, pair) && found.point != point => return,
                    Some(found) if (found.slot, found.pair) == (slot, pair) => {}
                    _ => match self.is_elsewhere(sent, event) {
                        Some(true) => return self.elsewhere(sent, event),
                        Some(false) => {}
                        None => return,
                    },
                }
                (Place { slot, pair, point }, usize::from(sent.agent), sent.nominates)
            }
            (None, Some(place)) if place.point == 0 => {
                let Some(pair) = self.get(place.slot).and_then(|s| s.pairs.get(usize::from(place.pair))) else {
                    return;
                };
                let asker = 1 - pair.agent(0, direction);
                let asked = pair.users.get(asker).copied().flatten();
                if message.method() == Method::BINDING && (known.user.is_none() || asked != known.user) {
                    return; // a question to a server on the same way, or one of another generation
                }
                let since = pair.way(asker).use_candidate;
                (place, asker, since.is_some_and(|since| known.request_frame >= Some(since.frame)))
            }
            _ => return,
        };
        let Some(session) = self.get_mut(place.slot) else { return };
        session.last = seen;
        match message.class() {
            Class::Success => session.succeeded(usize::from(place.pair), asker, nominates, seen, fields, known),
            _ => session.refused(usize::from(place.pair), asker, names, (event, fields), known, seen),
        }
    }

    /// Whether an answer that is not on the way of its check comes from another address (`Some(true)`), or the same way looks different since
    /// the capture does not show a channel's peer (`Some(false)`).
    fn is_elsewhere(&self, sent: Sent, event: &Event<'_>) -> Option<bool> {
        let pair = self.get(sent.slot)?.pairs.get(usize::from(sent.pair))?;
        let point = pair.at(usize::from(sent.point))?;
        let ends = point.path.ends;
        let asker = if point.low == sent.agent { ends.low } else { ends.high };
        match event.hops.last() {
            None => (point.path.inside.is_none() && event.dst == asker).then_some(true),
            Some(_) => (point.path.inside.is_some() && Path::of_event(event).ends == ends).then_some(false),
        }
    }

    fn elsewhere(&mut self, sent: Sent, event: &Event<'_>) {
        let session = self.get_mut(sent.slot);
        if let Some(pair) = session.and_then(|session| session.pairs.get_mut(usize::from(sent.pair))) {
            pair.elsewhere.get_or_insert((event.src, event.frame));
        }
    }

    /// A check met an ICMP error.
    pub(in crate::session) fn icmp(&mut self, src: Endpoint, dst: Endpoint, answer: IcmpAnswer) {
        let path = Path { ends: crate::session::flow::Ends::of(src, dst), inside: None };
        let Some(place) = self.find(&path) else { return };
        let pair = self.get_mut(place.slot).and_then(|session| session.pairs.get_mut(usize::from(place.pair)));
        if let Some(pair) = pair.filter(|_| answer.kind.is_unreachable()) {
            pair.icmp.get_or_insert_with(|| Box::new(answer));
        }
    }

    /// DTLS or media: what runs on a pair shows which one is selected.
    #[inline]
    pub(in crate::session) fn data(&mut self, event: &Event<'_>, bytes: usize) {
        if self.is_empty() {
            return;
        }
        let path = Path::of_event(event);
        let Some(place) = self.find(&path) else { return };
        let Some(session) = self.get_mut(place.slot) else { return };
        let seen = Seen { frame: event.frame, time: event.time };
        session.last = seen;
        let Some(pair) = session.pairs.get_mut(usize::from(place.pair)) else { return };
        let agent = pair.agent(usize::from(place.point), path.direction(event.src));
        if pair.data.is_none() {
            pair.data_point = place.point;
        } else if pair.data_point != place.point {
            return;
        }
        let data = pair.data.get_or_insert_default();
        if let Some(carried) = data.get_mut(agent) {
            carried.add(bytes, seen, is_alert(event));
        }
        session.carried(place.pair, agent, seen);
    }
}

/// The pair that a message shows, whose sender is this agent.
fn new_pair(event: &Event<'_>, path: &Path, sender: usize) -> Pair {
    let (src, dst) = event.pair();
    let ends = if sender == 0 { [src, dst] } else { [dst, src] };
    let sender = u8::from(sender != 0);
    let low = if path.direction(event.src) == 0 { sender } else { 1 - sender };
    let relays = event.hops.last().map(|hop| if hop.outward { sender } else { 1 - sender });
    Pair::new(Point { path: *path, low }, ends, relays)
}

fn is_alert(event: &Event<'_>) -> bool {
    matches!(&event.body, Body::Dtls(record) if record.content_type == ContentType::ALERT)
}

impl Carried {
    fn add(&mut self, bytes: usize, seen: Seen, is_alert: bool) {
        self.packets += 1;
        self.bytes += bytes as u64;
        self.first.get_or_insert(seen);
        self.last = seen.time;
        if is_alert {
            self.alert = Some(seen);
        }
    }
}

impl IceSession {
    /// What a check says of its sender.
    fn spoke(&mut self, agent: usize, fields: &Fields<'_>, method: Method, known: &Known, seen: Seen) {
        let others = self.agent(1 - agent).role;
        let speaker = self.agent_mut(agent);
        speaker.checks = speaker.checks.saturating_add(1);
        speaker.first_check.get_or_insert(seen);
        speaker.last_check = seen.time;
        speaker.webrtc |= fields.network_info.is_some() || method == Method::GOOG_PING;
        speaker.integrity = known.integrity;
        let (role, tie_breaker) = match (fields.controlling, fields.controlled) {
            (Some(number), _) => (Role::Controlling, number),
            (None, Some(number)) => (Role::Controlled, number),
            (None, None) => return,
        };
        speaker.role_changes += u32::from(speaker.role.is_some_and(|known| known != role));
        speaker.role = Some(role);
        speaker.tie_breaker = Some(tie_breaker);
        if others == Some(role) {
            self.same_role.add(seen);
        }
    }

    fn succeeded(
        &mut self,
        index: usize,
        asker: usize,
        nominates: bool,
        seen: Seen,
        fields: &Fields<'_>,
        known: &Known,
    ) {
        self.first_answer.get_or_insert(seen);
        let answerer = self.agent_mut(1 - asker);
        answerer.answers = answerer.answers.saturating_add(1);
        let Some(pair) = self.pairs.get_mut(index) else { return };
        let way = pair.way_mut(asker);
        let rtt = known.rtt.unwrap_or_default();
        let asked = Seen { frame: known.request_frame.unwrap_or(seen.frame), time: seen.time.after(Span(-rtt.0)) };
        let answered = way.answered.get_or_insert_with(|| Box::new(Answered::new(asked, seen)));
        answered.count = answered.count.saturating_add(1);
        let gap = (seen.time.since(answered.last.time), answered.last.time);
        if answered.open > 0 && gap.0 > answered.longest.0 {
            answered.longest = gap;
        }
        answered.last = seen;
        answered.open = 0;
        answered.rtt.add(rtt);
        if let Some(mapped) = fields.xor_mapped {
            answered.mapped = Some((mapped, seen.frame));
        }
        if nominates && answered.nominated.is_none() {
            answered.nominated = Some(seen);
            self.nominated.get_or_insert(seen);
            self.nominated(index, seen);
        }
    }

    fn refused(
        &mut self,
        index: usize,
        asker: usize,
        names: &mut Names,
        (event, fields): (&Event<'_>, &Fields<'_>),
        known: &Known,
        seen: Seen,
    ) {
        let Some(pair) = self.pairs.get_mut(index) else { return };
        let code = fields.error.map_or(0, |error| error.code);
        let way = pair.way_mut(asker);
        way.errors = way.errors.saturating_add(1);
        way.error = code;
        match code {
            487 => self.agent_mut(1 - asker).conflicts.add(seen),
            400 | 401 => {
                let reason = fields.error.and_then(|error| names.intern(error.reason));
                let request = known.request_frame.unwrap_or(seen.frame);
                let sender = self.agent_mut(asker);
                let integrity = sender.integrity;
                let pair = event.pair();
                let refused = sender.unauthorized.get_or_insert_with(|| {
                    let (frames, pair) = (Vec::new(), (pair.1, pair.0));
                    Box::new(Unauthorized { count: 0, code, reason, frames, first: seen, last: seen, pair, integrity })
                });
                refused.count = refused.count.saturating_add(1);
                (refused.code, refused.reason, refused.last) = (code, reason.or(refused.reason), seen);
                if refused.frames.len() + 2 <= MAX_FRAMES {
                    refused.frames.extend([request, seen.frame]);
                }
            }
            _ => {}
        }
    }

    /// A pair is nominated: it is selected, unless data shows another to be.
    fn nominated(&mut self, index: usize, seen: Seen) {
        let Ok(pair) = u16::try_from(index) else { return };
        let chosen = self.selection().copied();
        match chosen {
            None => self.select(Selection { pair, at: seen, by_data: false }),
            // without data: a later nomination of a regular agent counts, where it is for the same component
            Some(chosen)
                if chosen.pair != pair
                    && !chosen.by_data
                    && self.nomination == Some(Nomination::Regular)
                    && self.is_same_component(chosen.pair, pair) =>
            {
                self.select(Selection { pair, at: seen, by_data: false });
            }
            Some(_) => {}
        }
    }

    /// DTLS or media ran on a pair.
    fn carried(&mut self, pair: u16, agent: usize, seen: Seen) {
        let Some(&chosen) = self.selection() else {
            let is_nominated = self.pairs.get(usize::from(pair)).is_some_and(|pair| pair.nominated().is_some());
            if is_nominated || seen.time.since(self.first.time) >= SETTLED {
                self.select(Selection { pair, at: seen, by_data: true });
            }
            return;
        };
        if chosen.pair == pair {
            if !chosen.by_data
                && let Some(last) = self.selections.last_mut()
            {
                last.by_data = true;
            }
            if let Some((other, first, _, of)) = self.challenger
                && of == agent
            {
                // whoever sends on both at a time has two streams or components, each with its own pair
                if seen.time.since(first.time) > SWITCH_AFTER.1
                    && let Some(other) = self.pairs.get_mut(usize::from(other))
                {
                    other.parallel = true;
                }
                self.challenger = None;
            }
            return;
        }
        let Some(known) = self.pairs.get(usize::from(pair)) else { return };
        if known.parallel || !self.is_same_component(chosen.pair, pair) {
            return;
        }
        if !chosen.by_data {
            let at = known.nominated().unwrap_or(seen);
            if let Some(last) = self.selections.last_mut() {
                *last = Selection { pair, at, by_data: true };
            }
            return;
        }
        let (first, count) = match self.challenger {
            Some((other, first, count, of)) if (other, of) == (pair, agent) => (first, count.saturating_add(1)),
            // that of the other agent is watched first
            Some((other, first, ..)) if other == pair && seen.time.since(first.time) < SWITCH_AFTER.1 => return,
            _ => (seen, 1),
        };
        self.challenger = Some((pair, first, count, agent));
        if count >= SWITCH_AFTER.0 && seen.time.since(first.time) >= SWITCH_AFTER.1 {
            self.challenger = None;
            self.select(Selection { pair, at: first, by_data: true });
        }
    }

    fn select(&mut self, new: Selection) {
        if self.selections.len() >= MAX_SELECTIONS {
            self.selections.remove(0);
            self.selections_omitted = self.selections_omitted.saturating_add(1);
        }
        self.selections.reserve_exact(1);
        self.selections.push(new);
    }

    /// Whether two pairs can stand for each other: as far as their priorities tell, they are of one component (RFC 8445 §5.1.2.1).
    fn is_same_component(&self, one: u16, other: u16) -> bool {
        let component = |pair: u16| self.pairs.get(usize::from(pair)).and_then(Pair::component);
        match (component(one), component(other)) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
    }
}

impl super::Conflicts {
    fn add(&mut self, seen: Seen) {
        self.count = self.count.saturating_add(1);
        self.first.get_or_insert(seen);
        self.last = Some(seen);
    }
}

impl Answered {
    fn new(asked: Seen, first: Seen) -> Self {
        let rtt = super::Rtt::default();
        let longest = (Span(0), first.time);
        let open_since = Timestamp(0);
        Answered {
            count: 0,
            asked,
            first,
            last: first,
            open: 0,
            open_since,
            longest,
            nominated: None,
            mapped: None,
            rtt,
        }
    }
}
