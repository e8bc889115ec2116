//! How ICE sessions take in checks, their answers, and what runs on pairs.

use super::pair::{Pair, Point};
use super::recent::Sent;
use super::session::Nomination;
use super::table::{CAPTURE_START, Ice, Place};
use crate::event::{Body, Event, Framing, Hops, IcmpAnswer};
use crate::net::{ClientAddress, Endpoint, MappedAddress, ServerAddress, Transport};
use crate::session::Session;
use crate::session::conversations::exchange::Seen;
use crate::session::observe::Known;
use crate::session::path::Path;
use crate::session::tables::names::{Name, Names};
use crate::session::transactions::requests::is_check;
use crate::wire::handshake::ContentType;
use crate::wire::stun::{Class, Fields, Message, Method};
use std::hash::BuildHasher;

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
        if !matches!(method, Method::BINDING | Method::GOOG_PING) || known.mirrored {
            return;
        }
        match message.class() {
            Class::Request if is_check(method, fields) => {
                if let Some(inside) = self.ice.check(&mut self.names, event, message, fields, known) {
                    let seen = event.seen();
                    self.nat.learn(inside, event.src, &[event.frame]);
                    self.nat.view(ClientAddress(inside), ServerAddress(event.dst), MappedAddress(event.src), seen);
                }
            }
            Class::Request | Class::Indication => {}
            Class::Success | Class::Error => {
                if known.request_frame.is_none() {
                    self.ice.stray(event);
                } else if known.retransmission_of.is_none() {
                    self.ice.answer(&mut self.names, event, message, fields, known);
                }
            }
        }
    }
}

impl Ice {
    /// Takes a check; of one that was seen before, on the sender's side of a NAT, the address that it had there.
    fn check(
        &mut self,
        names: &mut Names,
        event: &Event<'_>,
        message: &Message<'_>,
        fields: &Fields<'_>,
        known: &Known,
    ) -> Option<Endpoint> {
        let path = Path::of_event(event);
        let (id, sent) = self.sent(message);
        let place = self.find(&path);
        let seen = event.seen();
        let direction = path.direction(event.src);
        let nominates = fields.use_candidate || fields.nomination.is_some();
        if known.retransmission_of.is_some() {
            let place = place?;
            if sent.is_none_or(|sent| sent.place == place) {
                self.repeated(place, direction, seen, nominates);
            }
            return None;
        }
        if let Some(sent) = sent {
            // the other side of a NAT or of a relay
            if place.is_some_and(|place| place.is_of_pair(sent.place)) {
                return None;
            }
            // a pair that began with a check which the relay did not pass on: its way is that of another by now
            let leads = self.pair(sent.place).and_then(|own| self.find(own.path()));
            if leads.is_some_and(|now| place.is_some_and(|place| place.is_of_pair(now))) {
                return self.before_translation(sent, event);
            }
            let low = if direction == 0 { sent.agent } else { 1 - sent.agent };
            self.add_point(sent.place, Point { path, low });
            return self.before_translation(sent, event);
        }
        let Some(place) = self.place(names, event, &path, place, known.user) else {
            self.checks_dropped += 1;
            return None;
        };
        let began = self.began;
        let session = self.get_mut(place.slot)?;
        let pair = session.pairs.get_mut(usize::from(place.pair))?;
        let agent = pair.agent(usize::from(place.point), direction);
        if let (Some(user), Some(slot)) = (known.user, pair.users.get_mut(agent)) {
            *slot = Some(user);
        }
        let way = pair.way_mut(agent);
        let was_answered = way.answered.is_some();
        way.asked(seen, event.ttl, fields.priority, nominates);
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
        let agent = u8::from(agent != 0);
        let session = session.number;
        self.recent.put(Sent { id, session, place, agent, nominates });
        None
    }

    /// By which id the check of a transaction is remembered, and the check, where it is.
    fn sent(&self, message: &Message<'_>) -> (u64, Option<Sent>) {
        let id = self.hasher.hash_one(message.transaction_id());
        let is_there = |sent: &Sent| self.get(sent.place.slot).is_some_and(|session| session.number == sent.session);
        (id, self.recent.get(id).filter(is_there))
    }

    /// The address that the sender of a check had where it was seen first, if it goes to the same place from another one now.
    fn before_translation(&self, sent: Sent, event: &Event<'_>) -> Option<Endpoint> {
        let point = self.pair(sent.place)?.at(usize::from(sent.place.point))?;
        let ends = point.path.ends;
        let (from, to) = if point.low == sent.agent { (ends.low, ends.high) } else { (ends.high, ends.low) };
        let plain = point.path.inside.is_none() && event.hops.last().is_none();
        (plain && to == event.dst && from != event.src).then_some(from)
    }

    fn repeated(&mut self, place: Place, direction: usize, seen: Seen, nominates: bool) {
        let Some(session) = self.get_mut(place.slot) else { return };
        session.last = seen;
        let Some(pair) = session.pairs.get_mut(usize::from(place.pair)) else { return };
        let agent = pair.agent(usize::from(place.point), direction);
        let way = pair.way_mut(agent);
        way.copies = way.copies.saturating_add(1);
        way.last = seen.time;
        if nominates {
            way.nominations = (way.nominations.0.saturating_add(1), seen.time);
        }
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
        let seen = event.seen();
        if let Some(place) = place {
            let pair = self.pair(place)?;
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
            if event.hops.last().is_some_and(|hop| hop.peer.is_none()) {
                return None; // neither who asks nor whom is shown
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
                self.name(place.slot, self.sender(place, direction), (own, peer));
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
            let older = Place { slot, pair: u16::try_from(index).ok()?, point: u8::try_from(point).ok()? };
            if let Some(newer) = place.and_then(|newer| self.get_mut(newer.slot)) {
                newer.beside = Some((own, seen));
            }
            return Some(older);
        }
        let [one, other] = &session.agents;
        let sender = match (one.ufrag == Some(own), other.ufrag == Some(own)) {
            (true, true) => direction,
            (is_first, _) => usize::from(!is_first),
        };
        let is_whole = event.hops.last().is_none_or(|hop| hop.peer.is_some() && hop.relayed.is_some());
        let pair = new_pair(event, path, sender);
        let ends = pair.ends;
        if known.is_none() || place.is_some() {
            self.succeed(slot, place.map(|old| old.slot), ends, seen);
        }
        if known.is_none() {
            self.remember(slot);
        }
        self.add_pair(slot, pair, is_whole)
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
        let (_, sent) = self.sent(message);
        let direction = path.direction(event.src);
        let seen = event.seen();
        let found = if sent.is_none() { self.find(&path) } else { None };
        let (place, asker, nominates) = match (sent, found) {
            (Some(sent), _) => {
                let known = self.pair(sent.place);
                let own = known.and_then(|pair| pair.at(usize::from(sent.place.point)));
                let beyond =
                    known.is_some_and(|pair| pair.path() == &path || pair.other_paths().any(|other| *other == path));
                match own {
                    Some(own) if own.path == path => {}
                    _ if beyond => return, // it counts where the check was seen first
                    _ => match self.is_elsewhere(sent, event) {
                        Some(true) => return self.elsewhere(sent, event),
                        Some(false) => {}
                        None => return,
                    },
                }
                (sent.place, usize::from(sent.agent), sent.nominates)
            }
            (None, Some(place)) if place.point == 0 => {
                let Some(pair) = self.pair(place) else { return };
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
            _ => session.refused(
                usize::from(place.pair),
                asker,
                names,
                (event, fields, message.truncated()),
                known,
                seen,
            ),
        }
    }

    /// An answer of which the capture lacks the check, or has it later.
    #[cold]
    fn stray(&mut self, event: &Event<'_>) {
        let Some(place) = self.find(&Path::of_event(event)) else { return };
        if let Some(session) = self.get_mut(place.slot) {
            session.stray_answers = session.stray_answers.saturating_add(1);
        }
    }

    /// What a flow showed in all: its stray answers, and whether DTLS or media ran on it. What came before the first check is not known yet.
    #[cold]
    pub(in crate::session) fn add_flow(&mut self, path: &Path, stray_answers: u32, has_data: bool) {
        let Some(place) = self.find(path) else { return };
        if let Some(session) = self.get_mut(place.slot) {
            session.stray_answers = session.stray_answers.max(stray_answers);
            session.is_under_data |= has_data;
        }
    }

    /// Whether an answer that is not on the way of its check comes from another address (`Some(true)`), or the same way looks different since
    /// the capture does not show a channel's peer (`Some(false)`).
    fn is_elsewhere(&self, sent: Sent, event: &Event<'_>) -> Option<bool> {
        let point = self.pair(sent.place)?.at(usize::from(sent.place.point))?;
        let ends = point.path.ends;
        let asker = if point.low == sent.agent { ends.low } else { ends.high };
        match event.hops.last() {
            None => (point.path.inside.is_none() && event.dst == asker).then_some(true),
            Some(_) => (point.path.inside.is_some() && Path::of_event(event).ends == ends).then_some(false),
        }
    }

    fn elsewhere(&mut self, sent: Sent, event: &Event<'_>) {
        if let Some(pair) = self.pair_mut(sent.place) {
            pair.elsewhere.get_or_insert((event.src, event.frame, sent.agent));
        }
    }

    /// Who opened the TCP connection that a pair takes.
    pub(in crate::session) fn opened(&mut self, client: Endpoint, server: Endpoint) {
        let path = Path::of(Transport::Tcp, client, server, &Hops::default());
        let Some(place) = self.find(&path) else { return };
        let direction = path.direction(client);
        if let Some(pair) = self.pair_mut(place) {
            pair.opener = Some(u8::from(pair.agent(usize::from(place.point), direction) != 0));
        }
    }

    /// A check met an ICMP error.
    pub(in crate::session) fn icmp(&mut self, transport: Transport, src: Endpoint, dst: Endpoint, answer: IcmpAnswer) {
        let path = Path::of(transport, src, dst, &Hops::default());
        let Some(place) = self.find(&path) else { return };
        if let Some(pair) = self.pair_mut(place).filter(|_| answer.kind.is_unreachable()) {
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
        let Some(place) = self.find_for_data(&path) else { return };
        let seen = event.seen();
        let agent = self.sender(place, path.direction(event.src));
        self.carry(place, agent, bytes, seen, is_alert(event));
    }

    /// The agent that sent what goes in this direction of a way that leads to a pair; that stays so as long as the way leads there.
    pub(in crate::session) fn sender(&self, place: Place, direction: usize) -> usize {
        self.pair(place).map_or(direction, |pair| pair.agent(usize::from(place.point), direction))
    }

    /// DTLS, RTP or RTCP of an agent passes a point of a pair.
    #[inline(always)]
    pub(in crate::session) fn carry(&mut self, place: Place, agent: usize, bytes: usize, seen: Seen, is_alert: bool) {
        let Some(session) = self.get_mut(place.slot) else { return };
        session.last = seen;
        let Some(pair) = session.pairs.get_mut(usize::from(place.pair)) else { return };
        if pair.data.is_none() {
            pair.data_point = place.point;
        } else if pair.data_point != place.point {
            return;
        }
        let data = pair.data.get_or_insert_default();
        if let Some(carried) = data.get_mut(agent) {
            carried.add(bytes, seen, is_alert);
        }
        if session.steady != Some(place.pair) {
            session.carried(place.pair, agent, seen);
        }
    }
}

/// The pair that a message shows, whose sender is this agent.
fn new_pair(event: &Event<'_>, path: &Path, sender: usize) -> Pair {
    let (src, dst) = event.pair();
    let ends = if sender == 0 { [src, dst] } else { [dst, src] };
    let sender = u8::from(sender != 0);
    let low = if path.direction(event.src) == 0 { sender } else { 1 - sender };
    let relays = event.hops.last().map(|hop| if hop.outward { sender } else { 1 - sender });
    let mut pair = Pair::new(Point { path: *path, low }, ends, relays);
    pair.tcp = event.framing == Framing::Rfc4571;
    pair
}

fn is_alert(event: &Event<'_>) -> bool {
    matches!(&event.body, Body::Dtls(record) if record.content_type == ContentType::ALERT)
}
