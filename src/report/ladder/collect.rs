//! Takes rows as they are read, and folds them flow by flow.

use super::label::{is_check, is_turn, stun};
use super::limits::{CROWD, CROWDED_MOMENTS, MOMENTS, STORIES, TRANSACTIONS};
use super::moment::{Hop, Kind, Seen};
use super::story::{Story, learn};
use super::ticket::Tickets;
use super::{Mark, flight};
use crate::event::{Body, Event, IcmpAnswer, Row, Sealed, Via};
use crate::net::Endpoint;
use crate::time::Timestamp;
use crate::wire::demux;
use crate::wire::dtls::Record;
use crate::wire::handshake::{AlertLevel, ContentType};
use crate::wire::stun::{Class, Fields, Message, Method, TransactionId};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

/// Collects what the ladder of one capture is made of. Its memory is bounded by [`limits`](super::limits).
#[derive(Debug, Default)]
pub struct Collector {
    /// The captures that the rows are of, the first of them first.
    pub(super) captures: Vec<u32>,
    pub(super) stories: Vec<Story>,
    /// Messages on flows that there was no room for.
    pub(super) omitted: u64,
    /// Decimal digits of the second.
    pub(super) digits: u8,
    /// The latest time.
    pub(super) last: Timestamp,
    index: BTreeMap<(Endpoint, Endpoint), usize>,
    waiting: BTreeMap<(TransactionId, bool), Wait>,
    /// The order in which transactions were begun.
    queue: VecDeque<(TransactionId, bool)>,
    /// A relay message of which it is not known yet whether it carries one that is understood.
    carrier: Option<Carrier>,
    moments: usize,
    label: String,
    tickets: Tickets,
}

/// A transaction that was begun.
#[derive(Clone, Copy, Debug)]
struct Wait {
    /// The flow of its request, as it was on the wire.
    raw: usize,
    /// The flow that it is told on.
    story: usize,
    moment: u64,
    src: Endpoint,
    dst: Endpoint,
    ip_id: u32,
    unsigned: bool,
    /// The flow that the response was on, its moment, and its IP identification.
    response: Option<(usize, u64, u32)>,
}

/// What a relay message was, in case that nothing in it is understood.
#[derive(Clone, Copy, Debug)]
struct Carrier {
    story: usize,
    from: usize,
    frame: u64,
    time: Timestamp,
    depth: usize,
    hop: Hop,
    icmp: Option<IcmpAnswer>,
}

impl Collector {
    /// A collector of the capture with this index among those read together.
    #[must_use]
    pub fn new(capture: u32) -> Self {
        Collector::of(vec![capture])
    }

    /// A collector of several captures that are read as one.
    #[must_use]
    pub fn of(captures: Vec<u32>) -> Self {
        Collector { captures, ..Collector::default() }
    }

    /// Takes a row; those of RTP and RTCP should be among them.
    pub fn row(&mut self, row: &Row<'_>) {
        let event = row.event;
        let depth = event.hops.iter().count();
        self.settle(Some((event.frame, depth)));
        self.digits = self.digits.max(event.digits);
        self.last = if self.stories.is_empty() { event.time } else { self.last.max(event.time) };
        let Some(raw) = self.story(event) else {
            self.omitted += 1;
            return;
        };
        let Some(story) = self.stories.get_mut(raw) else { return };
        let told = story.twin_of.unwrap_or(raw);
        let is_copy = story.is_copy(event);
        match &event.body {
            Body::Stun(message) => self.stun((raw, told), row, message, depth, is_copy),
            // the rest has no number of its own by which to know it on the other side of a NAT
            _ if told != raw || is_copy => {}
            Body::ChannelData(data) => self.channel_data(told, row, data.channel, depth),
            Body::Dtls(record) => self.dtls(told, row, record),
            Body::Tls(sealed) => self.tls(told, row, sealed),
            Body::Rtp(_) => self.bulk(told, row, "RTP"),
            Body::Rtcp(_) => self.bulk(told, row, "RTCP"),
        }
    }

    /// The capture is over.
    pub(super) fn finish(&mut self) {
        self.settle(None);
        self.waiting.clear();
        self.queue.clear();
    }

    /// The flow of an event; `None` where there is no room for another.
    fn story(&mut self, event: &Event<'_>) -> Option<usize> {
        let (src, dst) = (event.src, event.dst);
        // those of a TCP connection the other way round: it is another flow than UDP between the same ports
        let key = if (src <= dst) != event.transport.is_stream() { (src, dst) } else { (dst, src) };
        if let Some(&index) = self.index.get(&key) {
            return Some(index);
        }
        if self.stories.len() >= STORIES {
            return None;
        }
        self.stories.push(Story::new(src, dst, event.frame, event.time));
        self.index.insert(key, self.stories.len() - 1);
        Some(self.stories.len() - 1)
    }

    /// Tells the relay message that waits, unless what comes now is what it carries.
    fn settle(&mut self, next: Option<(u64, usize)>) {
        let Some(carrier) = self.carrier.take() else { return };
        if next.is_some_and(|(frame, depth)| frame == carrier.frame && depth > carrier.depth) {
            return;
        }
        let Carrier { story, from, frame, time, hop, icmp, .. } = carrier;
        let seen = Seen { from, kind: Kind::Bulk, hop: Some(hop), label: "data", mark: Mark::Ok, frame, time };
        self.tell(story, &seen, icmp.as_ref());
        if let Some(story) = self.stories.get_mut(story) {
            set(&mut story.data, from);
        }
    }

    /// Tells a message on a flow, and what an ICMP error said to it. Returns its moment.
    fn tell(&mut self, story: usize, seen: &Seen<'_>, icmp: Option<&IcmpAnswer>) -> u64 {
        let Some(story) = self.stories.get_mut(story) else { return 0 };
        note(story, seen);
        let alike = if icmp.is_none() { story.add(seen) } else { None };
        alike.unwrap_or_else(|| push(story, seen, icmp, &mut self.moments))
    }

    fn stun(&mut self, (raw, told): (usize, usize), row: &Row<'_>, message: &Message<'_>, depth: usize, copy: bool) {
        let event = row.event;
        let (class, method) = (message.class(), message.method());
        let fields = message.fields();
        if matches!(method, Method::SEND | Method::DATA) && class == Class::Indication {
            if !copy {
                self.indication(told, row, method, &fields, depth);
            }
            return;
        }
        let key = (message.transaction_id(), depth > 0);
        let known = self.waiting.get(&key).copied();
        let Some(story) = self.stories.get(told) else { return };
        let mut from = story.side(event.src, event.dst);
        if let Some(wait) = known.filter(|_| class == Class::Request) {
            if self.again(raw, &key, &wait, row) {
                return;
            }
        } else if let Some(wait) = known.filter(|_| class.is_response()) {
            if self.answered_again(raw, &key, &wait, row) {
                return;
            }
            // an answer on the outside of a NAT comes before its copy on the inside; one from elsewhere is on a flow with ends of its own
            if let Some(asked) = self.stories.get_mut(wait.story).and_then(|story| story.moment(wait.moment)) {
                asked.answered += 1;
                if wait.story == told {
                    from = 1 - asked.from.min(1);
                }
            }
        }
        self.label.clear();
        let mut label = std::mem::take(&mut self.label);
        let unsigned = known.is_some_and(|wait| wait.unsigned);
        let mark = stun(&mut label, row, message, &fields, unsigned);
        if let Some(story) = self.stories.get_mut(told) {
            learn_stun(story, from, event, message, &fields, class);
            story.refused |= mark == Mark::Error;
        }
        self.tickets.take(told, (message, &fields), &mut self.stories, &mut label);
        let kind = if class == Class::Request { Kind::Request } else { Kind::Stun };
        let seen = Seen { from, kind, hop: hop(event), label: &label, mark, frame: event.frame, time: event.time };
        let earlier = known.filter(|_| class.is_response()).and_then(|wait| self.earlier_answer(&wait));
        let id = self.answer(told, &seen, row.icmp.as_ref(), known.filter(|_| class.is_response()), earlier);
        self.label = label;
        if class == Class::Request && known.is_none() {
            let unsigned = fields.integrity.iter().all(Option::is_none);
            let wait = Wait {
                raw,
                story: told,
                moment: id,
                src: event.src,
                dst: event.dst,
                ip_id: event.ip_id,
                unsigned,
                response: None,
            };
            self.wait(key, wait);
        } else if let Some(wait) = self.waiting.get_mut(&key).filter(|_| class.is_response()) {
            wait.response = Some((raw, id, event.ip_id));
        }
    }

    /// The moment with the answer to an earlier request that was folded with this one's.
    fn earlier_answer(&mut self, wait: &Wait) -> Option<u64> {
        self.stories.get_mut(wait.story)?.moment(wait.moment)?.answer
    }

    /// Tells an answer: with those to requests that are told together, never with those to others.
    fn answer(
        &mut self,
        told: usize,
        seen: &Seen<'_>,
        icmp: Option<&IcmpAnswer>,
        wait: Option<Wait>,
        earlier: Option<u64>,
    ) -> u64 {
        let Some(wait) = wait else { return self.tell(told, seen, icmp) };
        let Some(story) = self.stories.get_mut(told) else { return 0 };
        note(story, seen);
        let together = earlier.and_then(|id| story.moment(id)).filter(|moment| icmp.is_none() && moment.takes(seen));
        let id = if let Some(moment) = together {
            moment.add(seen.frame, seen.time, true);
            moment.id
        } else {
            push(story, seen, icmp, &mut self.moments)
        };
        if let Some(asked) = self.stories.get_mut(wait.story).and_then(|story| story.moment(wait.moment)) {
            asked.answer = Some(id);
        }
        id
    }

    /// A request that was seen before: again by its sender, or on the other side of a NAT. Returns whether that is all.
    fn again(&mut self, raw: usize, key: &(TransactionId, bool), wait: &Wait, row: &Row<'_>) -> bool {
        let event = row.event;
        if wait.raw == raw {
            let mirrored = event.ip_id != 0 && wait.ip_id == event.ip_id;
            if let Some(wait) = self.waiting.get_mut(key) {
                wait.ip_id = event.ip_id;
            }
            let Some(story) = self.stories.get_mut(wait.story) else { return true };
            if !mirrored {
                story.messages += 1;
                story.last = story.last.max(event.time);
                if let Some(moment) = story.moment(wait.moment) {
                    moment.add(event.frame, event.time, false);
                    if let Some(answer) = row.icmp.filter(|_| moment.remark.is_empty()) {
                        killed(moment, &answer, Kind::Request);
                    }
                }
            }
            return true;
        }
        let beyond = !key.1 && wait.dst == event.dst && wait.src != event.src;
        if beyond && let Some(other) = self.stories.get_mut(raw) {
            other.twin_of.get_or_insert(wait.story);
            if let Some(moment) = self.stories.get_mut(wait.story).and_then(|story| story.moment(wait.moment)) {
                moment.both_sides = true;
                moment.cite(event.frame);
            }
        }
        beyond
    }

    /// A response that was seen before, like [`Collector::again`].
    fn answered_again(&mut self, raw: usize, key: &(TransactionId, bool), wait: &Wait, row: &Row<'_>) -> bool {
        let Some((on, id, ip_id)) = wait.response else { return false };
        let event = row.event;
        let Some(story) = self.stories.get_mut(wait.story) else { return true };
        if on != raw {
            if let Some(moment) = story.moment(id) {
                moment.both_sides = true;
                moment.cite(event.frame);
            }
        } else if event.ip_id == 0 || event.ip_id != ip_id {
            story.messages += 1;
            if let Some(moment) = story.moment(id) {
                moment.add(event.frame, event.time, false);
            }
        }
        if let Some((_, _, known)) = self.waiting.get_mut(key).and_then(|wait| wait.response.as_mut()) {
            *known = event.ip_id;
        }
        true
    }

    fn wait(&mut self, key: (TransactionId, bool), wait: Wait) {
        if self.queue.len() >= TRANSACTIONS
            && let Some(oldest) = self.queue.pop_front()
        {
            self.waiting.remove(&oldest);
        }
        self.queue.push_back(key);
        self.waiting.insert(key, wait);
    }

    fn indication(&mut self, told: usize, row: &Row<'_>, method: Method, fields: &Fields<'_>, depth: usize) {
        let event = row.event;
        let via = if method == Method::SEND { Via::Send } else { Via::Data };
        let Some(story) = self.stories.get_mut(told) else { return };
        let from = story.side(event.src, event.dst);
        story.turn_by.get_or_insert(if method == Method::SEND { from } else { 1 - from.min(1) });
        self.carry(told, from, row, Hop { via, relayed: None, peer: fields.peer }, depth);
    }

    fn channel_data(&mut self, told: usize, row: &Row<'_>, channel: u16, depth: usize) {
        let Some(story) = self.stories.get(told) else { return };
        let from = story.side(row.event.src, row.event.dst);
        let hop = Hop { via: Via::Channel(channel), relayed: None, peer: story.peer_of(channel) };
        self.carry(told, from, row, hop, depth);
    }

    fn carry(&mut self, story: usize, from: usize, row: &Row<'_>, hop: Hop, depth: usize) {
        let (frame, time, icmp) = (row.event.frame, row.event.time, row.icmp);
        self.carrier = Some(Carrier { story, from, frame, time, depth, hop, icmp });
    }

    fn dtls(&mut self, told: usize, row: &Row<'_>, record: &Record<'_>) {
        let event = row.event;
        let carries_turn = || matches!(demux::kind(record.payload), demux::Kind::Stun | demux::Kind::Channel);
        let (label, kind, mark) = match flight::of(record) {
            // what is in it is told
            flight::Handshake::Data(_) if record.opened && event.hops.is_empty() && carries_turn() => return,
            flight::Handshake::Data(name) => return self.bulk(told, row, name),
            flight::Handshake::Alert(text, grave) => (text, Kind::Alert, if grave { Mark::Error } else { Mark::Ok }),
            flight::Handshake::Part => (String::new(), Kind::Flight, Mark::Ok),
        };
        let Some(story) = self.stories.get_mut(told) else { return };
        let from = story.side(event.src, event.dst);
        let seen = Seen { from, kind, hop: hop(event), label: &label, mark, frame: event.frame, time: event.time };
        if kind == Kind::Alert {
            self.tell(told, &seen, row.icmp.as_ref());
            return;
        }
        note(story, &seen);
        if story.handshake(&seen, record) {
            thin(story, &mut self.moments);
        }
    }

    /// TLS goes in order, so that each record tells its messages; what is encrypted, and not opened, is told as data.
    fn tls(&mut self, told: usize, row: &Row<'_>, sealed: &Sealed<'_>) {
        let event = row.event;
        let names: Vec<String> = sealed.begun.iter().flatten().map(ToString::to_string).collect();
        let (label, kind, mark) = match sealed.alert {
            Some(alert) => {
                let grave = alert.level == AlertLevel::FATAL && alert.description.0 != 0;
                (format!("TLS alert {alert}"), Kind::Alert, if grave { Mark::Error } else { Mark::Ok })
            }
            None if !names.is_empty() => (format!("TLS {}", names.join(", ")), Kind::Alert, Mark::Ok),
            None if sealed.opened.is_some() || sealed.record.content_type == ContentType::CHANGE_CIPHER_SPEC => return,
            None => return self.bulk(told, row, "TLS data"),
        };
        let Some(story) = self.stories.get_mut(told) else { return };
        let from = story.side(event.src, event.dst);
        let seen = Seen { from, kind, hop: None, label: &label, mark, frame: event.frame, time: event.time };
        self.tell(told, &seen, row.icmp.as_ref());
    }

    fn bulk(&mut self, told: usize, row: &Row<'_>, label: &str) {
        let event = row.event;
        let Some(story) = self.stories.get_mut(told) else { return };
        let from = story.side(event.src, event.dst);
        set(&mut story.data, from);
        let hop = hop(event);
        let seen = Seen { from, kind: Kind::Bulk, hop, label, mark: Mark::Ok, frame: event.frame, time: event.time };
        self.tell(told, &seen, row.icmp.as_ref());
    }
}

/// Counts a message of the flow.
fn note(story: &mut Story, seen: &Seen<'_>) {
    story.messages += 1;
    story.last = story.last.max(seen.time);
    set(&mut story.heard, seen.from);
    if let Some(relayed) = seen.hop.and_then(|hop| hop.relayed) {
        learn(&mut story.relayed, relayed);
    }
}

fn set(flags: &mut [bool; 2], side: usize) {
    if let Some(flag) = flags.get_mut(side) {
        *flag = true;
    }
}

/// Tells a message as a new moment, and what an ICMP error said to it. Returns its id.
fn push(story: &mut Story, seen: &Seen<'_>, icmp: Option<&IcmpAnswer>, moments: &mut usize) -> u64 {
    let id = story.push(seen);
    if let Some((answer, moment)) = icmp.and_then(|answer| Some((answer, story.moment(id)?))) {
        killed(moment, answer, seen.kind);
    }
    thin(story, moments);
    id
}

/// Counts a new moment among those of all flows, and makes room for it.
fn thin(story: &mut Story, moments: &mut usize) {
    let thinned = story.thin(if *moments < CROWD { MOMENTS } else { CROWDED_MOMENTS });
    *moments = (*moments + 1).saturating_sub(thinned);
}

fn hop(event: &Event<'_>) -> Option<Hop> {
    let hop = event.hops.last()?;
    Some(Hop { via: hop.via, relayed: hop.relayed.map(|end| end.0), peer: hop.peer.map(|end| end.0) })
}

/// An ICMP error answered it. To what a client no longer waits for, one is how its system says that the port is closed.
fn killed(moment: &mut super::moment::Moment, answer: &IcmpAnswer, kind: Kind) {
    moment.mark = if kind == Kind::Request { Mark::Error } else { moment.mark.max(Mark::Note) };
    moment.remark.clear();
    let IcmpAnswer { kind, sender, frame } = answer;
    let _ = write!(moment.remark, "ICMP {kind} from {sender} (frame {frame})"); // writing to a String cannot fail
}

/// What a STUN message tells of the two ends.
fn learn_stun(
    story: &mut Story,
    from: usize,
    event: &Event<'_>,
    message: &Message<'_>,
    fields: &Fields<'_>,
    class: Class,
) {
    let method = message.method();
    let nested = event.hops.last().is_some();
    let to = 1 - from.min(1);
    let asks = class == Class::Request;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if is_turn(method) && !nested {
        story.turn_by.get_or_insert(if asks { from } else { to });
        if let (true, Some(name)) = (asks, fields.username) {
            learn(&mut story.users, text(name));
        }
        match (method, class) {
            (Method::ALLOCATE, Class::Success) => {
                story.allocated = true;
                for relayed in fields.relayed.iter().flatten() {
                    learn(&mut story.relayed, *relayed);
                }
            }
            (Method::CHANNEL_BIND, Class::Request) => {
                if let (Some(channel), Some(peer)) = (fields.channel, fields.peer) {
                    story.learn_channel(channel, peer);
                }
            }
            _ => {}
        }
    }
    if asks && is_check(message, fields) {
        story.ice |= !nested;
        let own = fields
            .username
            .and_then(|name| name.iter().position(|byte| *byte == b':').and_then(|at| name.get(at + 1..)));
        if let (Some(own), Some(known)) = (own, story.ufrags.get_mut(from)) {
            learn(known, text(own));
        }
    } else if asks && method == Method::BINDING && !nested {
        story.binding_by.get_or_insert(from);
    }
    if class == Class::Success && method == Method::BINDING {
        story.checked |= nested || story.ice;
    }
    if class == Class::Success
        && !nested
        && let (Some(mapped), Some(known)) = (fields.xor_mapped.or(fields.mapped), story.mapped.get_mut(to))
    {
        learn(known, mapped);
    }
}
