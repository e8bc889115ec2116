//! The second pass: which packets were seen at which points, as they come by in one merged row.

use super::facts::{Joins, MAX_TRAVELS, Point, Travel};
use super::print::{KINDS, Kind, Print};
use super::survey::Survey;
use super::{Clock, MAX_POINTS};
use crate::bounded::{BoundedList, BoundedMap};
use crate::frame::Frame;
use crate::net::Endpoint;
use crate::packet::{Packet, Packets};
use crate::time::{Span, Timestamp, is_mirrored};
use crate::wire::stun::{AttributeCode, Message, TransactionId};
use hashbrown::{HashMap, HashSet};
use std::collections::{BTreeMap, VecDeque};

/// How long a packet is looked for at other points, at least; twice that at most.
const WINDOW: Span = Span::from_secs(20);
/// How many packets are looked for at a time, in each of two generations.
const MAX_ENTRIES: usize = 1 << 16;
/// How many directions of flows, and how many pairs of them.
const MAX_FLOWS: usize = 1 << 16;
const MAX_LINKS: usize = 1 << 16;
/// How many different things can be said of absence.
const MAX_ABSENT: usize = 1 << 15;
/// How many places, or pairs of places, are kept of one thing.
pub(super) const MAX_PLACES: usize = 4;
/// What a point must have run on after a packet that it does not show.
const AFTER: Span = Span::from_millis(500);
/// How many STUN messages are kept to see what was rewritten in them, and how long they may be.
const MAX_BODIES: usize = 512;
const MAX_BODY: usize = 1500;
/// How much of a value is shown.
const MAX_VALUE: usize = 60;

/// One direction of a flow at one point.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub point: usize,
    pub src: Endpoint,
    pub dst: Endpoint,
    pub wrapped: bool,
    pub seen: [u64; KINDS],
    /// Whether it opened a TCP connection.
    pub opens: bool,
    /// Whether it is of TCP, as far as its packets tell.
    pub stream: bool,
    /// Packets that this point has not seen on the other side of a relay.
    pub alone: u64,
}

/// Two flows that the same packets were seen on; times are those of the second after the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    pub matched: u64,
    /// How many of these are at the same place of a TCP stream.
    pub in_step: u64,
    /// How many have routers still to pass at the first, and how many at the second: the lower time to live is further on.
    pub nearer: [u64; 2],
    timed: u64,
    sum: i64,
    pub min: Span,
    pub max: Span,
    /// Copies that only the first, and only the second, has.
    pub extra: [[u64; KINDS]; 2],
    pub evidence: Vec<[u64; 2]>,
}

impl Link {
    /// The mean of the times.
    pub(super) fn mean(&self) -> Option<Span> {
        (self.timed > 0).then(|| Span(self.sum / i64::try_from(self.timed).unwrap_or(i64::MAX)))
    }
}

/// Packets of a kind that were seen on these flows and nowhere at a point that ran at the time.
#[derive(Clone, Debug, Default)]
pub(super) struct Absent {
    pub count: u64,
    /// How many of them are questions to a server, not checks of ICE.
    pub questions: u64,
    /// The shortest and the longest of them.
    pub sizes: Option<(u32, u32)>,
    pub places: Vec<u64>,
}

/// What differs in messages that are otherwise the same on two flows.
#[derive(Clone, Debug, Default)]
pub(super) struct Rewriting {
    pub values: [Option<String>; 2],
    pub count: u64,
    pub places: Vec<[u64; 2]>,
}

/// What differs, and the two values.
type Difference = (String, [Option<String>; 2]);

#[derive(Debug)]
struct Entry {
    kind: Kind,
    id: Option<TransactionId>,
    question: bool,
    length: u32,
    sightings: Vec<Sighting>,
    changed: Option<Box<Difference>>,
}

#[derive(Clone, Copy, Debug)]
struct Sighting {
    flow: u32,
    count: u32,
    first: Timestamp,
    last: Timestamp,
    number: u64,
    ip_id: u32,
    exact: u32,
    seq: Option<u32>,
    ttl: u8,
}

/// Follows the packets of several captures that are read as one.
#[derive(Debug, Default)]
pub struct Trace {
    packets: Vec<Packets>,
    pub(super) points: Vec<Point>,
    pub(super) relayed: HashSet<u16>,
    now: Timestamp,
    index: HashMap<(usize, Endpoint, Endpoint, bool), u32>,
    pub(super) flows: Vec<Flow>,
    young: HashMap<u64, Entry>,
    old: HashMap<u64, Entry>,
    turned: Timestamp,
    bodies: VecDeque<(u64, u32, Vec<u8>)>,
    pub(super) links: BTreeMap<(u32, u32), Link>,
    pub(super) absent: BTreeMap<(Vec<u32>, usize, Kind), Absent>,
    pub(super) rewritten: BTreeMap<(u32, u32, String), Rewriting>,
    pub(super) matched: BTreeMap<(usize, usize), u64>,
    pub(super) travels: HashMap<TransactionId, Travel>,
    pub(super) omitted: u64,
}

impl Trace {
    /// Begins with what the first pass told of every point, and the clocks; `files` are the files of each point.
    #[must_use]
    pub fn new(surveys: &[Survey], clocks: &[Clock], files: &[Vec<u32>]) -> Self {
        let points = surveys.iter().zip(clocks).zip(files).take(MAX_POINTS);
        let points: Vec<Point> = points.map(|((survey, clock), files)| Point::new(survey, clock, files)).collect();
        Trace {
            packets: points.iter().map(|_| Packets::default()).collect(),
            points,
            relayed: surveys.iter().flat_map(|survey| survey.relayed.iter().copied()).collect(),
            now: Timestamp(i64::MIN),
            turned: Timestamp(i64::MIN),
            ..Trace::default()
        }
    }

    /// Takes the next frame of the merged row, and the point that shows it.
    pub fn frame(&mut self, point: usize, frame: &Frame<'_>) {
        self.now = frame.time.unwrap_or(self.now).max(self.now);
        if self.now.since(self.turned) >= WINDOW || self.young.len() >= MAX_ENTRIES {
            self.turned = self.now;
            let old = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.close(old);
        }
        let Some(packets) = self.packets.get_mut(point) else { return };
        let mut packets = std::mem::take(packets);
        let (number, now) = (frame.number, frame.time.unwrap_or(self.now));
        packets.dissect(frame, now, &mut |packet| match packet {
            Packet::Datagram(datagram) => {
                let relayed = || [datagram.src, datagram.dst].iter().any(|end| self.relayed.contains(&end.port()));
                let print = Print::of(datagram.payload, datagram.truncated);
                let print = print.or_else(|| relayed().then(|| Print::of_relayed(datagram.payload)));
                self.packet(
                    point,
                    datagram.src,
                    datagram.dst,
                    print,
                    (number, now, datagram.ip_id, datagram.length, datagram.ttl),
                );
            }
            Packet::Segment(segment) => {
                let print = Print::of_segment(&segment);
                self.packet(
                    point,
                    segment.src,
                    segment.dst,
                    print,
                    (number, now, segment.ip_id, segment.length, segment.ttl),
                );
            }
            _ => {}
        });
        if let Some(slot) = self.packets.get_mut(point) {
            *slot = packets;
        }
    }

    /// Everything was seen: what follows from it.
    #[must_use]
    pub fn finish(mut self) -> Joins {
        let (old, young) = (std::mem::take(&mut self.old), std::mem::take(&mut self.young));
        self.close(old);
        self.close(young);
        Joins::resolve(self)
    }

    fn flow(&mut self, point: usize, src: Endpoint, dst: Endpoint, wrapped: bool) -> Option<u32> {
        if let Some(&known) = self.index.get(&(point, src, dst, wrapped)) {
            return Some(known);
        }
        if self.flows.len() >= MAX_FLOWS {
            self.omitted += 1;
            return None;
        }
        let number = u32::try_from(self.flows.len()).ok()?;
        self.flows.push(Flow { point, src, dst, wrapped, seen: [0; KINDS], opens: false, stream: false, alone: 0 });
        self.index.insert((point, src, dst, wrapped), number);
        Some(number)
    }

    fn packet(
        &mut self,
        point: usize,
        src: Endpoint,
        dst: Endpoint,
        print: Option<Print<'_>>,
        (number, now, ip_id, length, ttl): (u64, Timestamp, u32, u32, u8),
    ) {
        let Some(print) = print else { return };
        let Some(flow) = self.flow(point, src, dst, print.wrapped) else { return };
        if !self.young.contains_key(&print.key)
            && let Some(known) = self.old.remove(&print.key)
        {
            self.young.insert(print.key, known);
        }
        let entry = self.young.entry(print.key).or_insert_with(|| Entry {
            kind: print.kind,
            id: print.id,
            length,
            question: print.kind == Kind::Request && print.message.as_ref().is_some_and(is_question),
            sightings: Vec::with_capacity(2),
            changed: None,
        });
        if let Some(known) = entry.sightings.iter_mut().find(|known| known.flow == flow) {
            let mirrored = is_mirrored([known.ip_id, ip_id], now.since(known.last));
            known.count += u32::from(!mirrored);
            known.last = now;
            if mirrored {
                return;
            }
        } else if entry.sightings.len() < 2 * MAX_POINTS {
            let exact = print.exact;
            let other = entry.sightings.iter().find(|known| known.exact != exact && known.exact != 0 && exact != 0);
            if let (Some(other), None, Some(message)) = (other, &entry.changed, &print.message) {
                let mut bodies = self.bodies.iter();
                let before = bodies.find(|(key, flow, _)| (*key, *flow) == (print.key, other.flow));
                let (what, values) = before
                    .and_then(|(_, _, bytes)| difference(&Message::recognise(bytes, false)?, message))
                    .unwrap_or_else(|| ("bytes".to_owned(), [None, None]));
                entry.changed = Some(Box::new((what, values)));
            }
            let seq = print.seq;
            entry.sightings.push(Sighting { flow, count: 1, first: now, last: now, number, ip_id, exact, seq, ttl });
            if let Some(message) = print.message.filter(|message| message.bytes().len() <= MAX_BODY) {
                let mut room = if self.bodies.len() < MAX_BODIES {
                    Vec::new()
                } else {
                    self.bodies.pop_front().map(|(_, _, bytes)| bytes).unwrap_or_default()
                };
                room.clear();
                room.extend_from_slice(message.bytes());
                self.bodies.push_back((print.key, flow, room));
            }
        }
        if let Some(flow) = self.flows.get_mut(flow as usize) {
            flow.opens |= print.opens;
            flow.stream |= print.seq.is_some();
            if let Some(seen) = flow.seen.get_mut(print.kind as usize) {
                *seen += 1;
            }
        }
    }

    /// These will not be seen again: what became of them is added up. Their order is that of reading, so that the first places are.
    fn close(&mut self, entries: HashMap<u64, Entry>) {
        let mut entries: Vec<Entry> = entries.into_values().collect();
        entries.sort_unstable_by_key(|entry| entry.sightings.first().map(|first| first.number));
        for entry in entries {
            self.close_one(&entry);
        }
    }

    fn close_one(&mut self, entry: &Entry) {
        let kind = entry.kind as usize;
        let mut copies = [0u32; MAX_POINTS];
        for one in &entry.sightings {
            let Some(flow) = self.flows.get(one.flow as usize) else { continue };
            let (point, wrapped) = (flow.point, flow.wrapped);
            if let Some(most) = copies.get_mut(point) {
                *most = (*most).max(one.count);
            }
            let other_side = |other: &Sighting| {
                self.flows.get(other.flow as usize).is_some_and(|flow| flow.point == point && flow.wrapped != wrapped)
            };
            let alone = !entry.sightings.iter().any(other_side);
            let near_the_end = self.points.get(point).is_none_or(|point| !point.ran_after(one.last, AFTER));
            if alone
                && !near_the_end
                && let Some(flow) = self.flows.get_mut(one.flow as usize)
            {
                flow.alone += u64::from(one.count);
            }
        }
        for (at, one) in entry.sightings.iter().enumerate() {
            for other in entry.sightings.iter().skip(at + 1) {
                if self.belong_together(entry, one, other) {
                    self.link(entry, kind, one, other);
                }
            }
        }
        for (point, &count) in copies.iter().enumerate() {
            for (other, &others) in copies.iter().enumerate().skip(point + 1) {
                if count > 0 && others > 0 {
                    *self.matched.entry((point, other)).or_default() += u64::from(count.min(others));
                }
            }
        }
        self.travel(entry, &copies);
        self.absence(entry, &copies);
    }

    /// Whether two sightings are of a packet on its way in one direction. A peer that sends back what it gets shows the same bytes both ways: then
    /// only what one point shows tells, by the order in which it came past: in, out, back in, back out.
    fn belong_together(&self, entry: &Entry, one: &Sighting, other: &Sighting) -> bool {
        let flow = |sighting: &Sighting| self.flows.get(sighting.flow as usize);
        let is_back = |one: &Flow, other: &Flow| {
            (one.point, one.wrapped, one.src, one.dst) == (other.point, other.wrapped, other.dst, other.src)
        };
        let flows: Vec<(&Sighting, &Flow)> =
            entry.sightings.iter().filter_map(|sighting| Some((sighting, flow(sighting)?))).collect();
        let echoed = flows.iter().any(|(_, one)| flows.iter().any(|(_, other)| is_back(one, other)));
        if !echoed {
            return true;
        }
        let (Some(here), Some(there)) = (flow(one), flow(other)) else { return false };
        let mut row: Vec<(u64, u32)> =
            flows.iter().filter(|(_, flow)| flow.point == here.point).map(|(one, _)| (one.number, one.flow)).collect();
        row.sort_unstable();
        let place = |sighting: &Sighting| row.iter().position(|(_, flow)| *flow == sighting.flow);
        let places = (place(one), place(other));
        here.point == there.point
            && matches!(places, (Some(a), Some(b)) if a / 2 == b / 2)
            && row.len().is_multiple_of(2)
    }

    fn link(&mut self, entry: &Entry, kind: usize, one: &Sighting, other: &Sighting) {
        let (a, b) = if one.flow < other.flow { (one, other) } else { (other, one) };
        let Some(link) = self.links.entry_up_to(MAX_LINKS, (a.flow, b.flow), Link::default) else {
            self.omitted += 1;
            return;
        };
        link.matched += u64::from(a.count.min(b.count));
        link.in_step += u64::from(a.seq.is_some() && a.seq == b.seq);
        let [first, second] = &mut link.nearer;
        *first += u64::from(a.ttl > b.ttl);
        *second += u64::from(b.ttl > a.ttl);
        if a.count == b.count {
            let apart = b.first.since(a.first);
            (link.min, link.max) =
                if link.timed == 0 { (apart, apart) } else { (link.min.min(apart), link.max.max(apart)) };
            link.timed += 1;
            link.sum = link.sum.saturating_add(apart.0);
        }
        let [extra_a, extra_b] = &mut link.extra;
        for (extra, more, less) in [(extra_a, a, b), (extra_b, b, a)] {
            if let Some(extra) = extra.get_mut(kind) {
                *extra += u64::from(more.count.saturating_sub(less.count));
            }
        }
        if link.evidence.len() < MAX_PLACES / 2 {
            link.evidence.push([a.number, b.number]);
        }
        // servers answer each copy of a request anew, with another nonce perhaps
        if let Some((what, values)) = entry.changed.as_deref()
            && (a.exact != b.exact && a.count == 1 && b.count == 1)
            && self.rewritten.len() < MAX_ABSENT
        {
            let known = self.rewritten.entry((a.flow, b.flow, what.clone())).or_default();
            if known.count == 0 {
                known.values = values.clone();
                if one.flow > other.flow {
                    known.values.reverse();
                }
            }
            known.count += 1;
            if known.places.len() < MAX_PLACES / 2 {
                known.places.push([a.number, b.number]);
            }
        }
    }

    /// Where the requests and answers of a transaction were seen, for those that ask for one. What went all the way is forgotten first.
    fn travel(&mut self, entry: &Entry, copies: &[u32; MAX_POINTS]) {
        let (Some(id), Kind::Request | Kind::Answer) = (entry.id, entry.kind) else { return };
        if self.travels.len() >= MAX_TRAVELS && !self.travels.contains_key(&id) {
            let points = self.points.len();
            self.travels.retain(|_, travel| !travel.is_complete(points));
            if self.travels.len() >= MAX_TRAVELS {
                self.omitted += 1;
                return;
            }
        }
        let ran = entry.sightings.iter().map(|one| (one.first, one.last)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let travel = self.travels.entry(id).or_default();
        let counts = if entry.kind == Kind::Request { &mut travel.requests } else { &mut travel.answers };
        for ((total, &count), (number, point)) in counts.iter_mut().zip(copies).zip(self.points.iter().enumerate()) {
            *total = total.saturating_add(u16::try_from(count).unwrap_or(u16::MAX));
            if ran.is_some_and(|(first, _)| point.ran_at(first) && point.ran_after(first, AFTER)) {
                travel.covered |= 1 << number;
            }
        }
    }

    fn absence(&mut self, entry: &Entry, copies: &[u32; MAX_POINTS]) {
        let Some(first) = entry.sightings.first() else { return };
        for (number, point) in self.points.iter().enumerate() {
            let seen = copies.get(number).is_none_or(|&count| count > 0);
            if seen || !point.ran_at(first.first) || !point.ran_after(first.last, AFTER) {
                continue;
            }
            let mut set: Vec<u32> = entry.sightings.iter().map(|one| one.flow).collect();
            set.sort_unstable();
            let Some(absent) = self.absent.entry_up_to(MAX_ABSENT, (set, number, entry.kind), Absent::default) else {
                self.omitted += 1;
                continue;
            };
            let count = u64::from(copies.iter().copied().max().unwrap_or(0));
            let (least, most) = absent.sizes.unwrap_or((entry.length, entry.length));
            absent.sizes = Some((least.min(entry.length), most.max(entry.length)));
            absent.count += count;
            absent.questions += if entry.question { count } else { 0 };
            absent.places.push_up_to(MAX_PLACES, first.number);
        }
    }
}

/// Whether a request asks a server, and is not a connectivity check of ICE.
fn is_question(message: &Message<'_>) -> bool {
    message.attribute(AttributeCode::PRIORITY).is_none()
        && (message.attribute(AttributeCode::USERNAME).is_none() || message.attribute(AttributeCode::REALM).is_some())
}

/// The first attribute that differs, by name, with both values.
fn difference(before: &Message<'_>, after: &Message<'_>) -> Option<Difference> {
    let mut checks = None;
    for (one, other) in before.attributes().zip(after.attributes()) {
        if one.code != other.code {
            break;
        }
        if one.value == other.value {
            continue;
        }
        let name = || one.name(before).map_or_else(|| format!("0x{:04x}", one.code.0), str::to_owned);
        // what protects the message differs wherever anything does
        if matches!(
            one.code,
            AttributeCode::MESSAGE_INTEGRITY | AttributeCode::MESSAGE_INTEGRITY_SHA256 | AttributeCode::FINGERPRINT
        ) {
            checks.get_or_insert_with(name);
            continue;
        }
        let shown = |text: String| Some(text.chars().take(MAX_VALUE).collect());
        return Some((name(), [shown(one.decode(before).to_string()), shown(other.decode(after).to_string())]));
    }
    if before.attributes().count() != after.attributes().count() {
        return Some(("attributes".to_owned(), [None, None]));
    }
    checks.map(|name| (name, [None, None]))
}
