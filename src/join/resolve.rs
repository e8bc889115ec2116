//! What follows from which packets were seen where: the order of the points on each way, and with it what was lost, translated, rewritten, relayed.

use super::facts::{Joins, Stretch, Translated};
use super::print::Kind;
use super::trace::{Flow, Link, MAX_PLACES, Trace};
use super::ways::{Partner, Ways, seen_of};
use crate::bounded::BoundedList;
use crate::frame::in_order;
use crate::net::Endpoint;
use crate::time::Span;
use hashbrown::HashSet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How many entries are kept of each list of a pair of points.
const MAX_LISTED: usize = 250;

/// What two points share. With the same point twice: what a relay passed on there.
#[derive(Clone, Debug, Default)]
pub struct PairFacts {
    /// The points, the lower first.
    pub points: (usize, usize),
    /// How many packets were seen at both.
    pub matched: u64,
    /// What was lost in between.
    pub lost: Vec<LostWay>,
    /// What was rewritten.
    pub rewritten: Vec<Change>,
    /// What was translated, and how many packets show it.
    pub translated: Vec<(Translated, u64)>,
    /// What relays passed on.
    pub relays: Vec<RelayWay>,
    /// How much found no room in these lists.
    pub omitted: u64,
}

/// Packets of one kind and direction that left one point and did not come to the other.
#[derive(Clone, Debug)]
pub struct LostWay {
    /// The point that shows them.
    pub from: usize,
    /// The point that does not.
    pub to: usize,
    /// Sender.
    pub src: Endpoint,
    /// Receiver.
    pub dst: Endpoint,
    /// Whether they are inside messages to or from a relay.
    pub wrapped: bool,
    /// What they are.
    pub kind: Kind,
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The shortest and the longest of those that were seen at the one point only, in bytes of their UDP payload or TCP segment; `None` where copies
    /// of them were seen at both.
    pub sizes: Option<(u32, u32)>,
    /// Whether other packets of the flow, or between the two hosts, were seen at both points.
    pub certain: bool,
    /// The first of them.
    pub frames: Vec<u64>,
}

/// Messages that were rewritten between two points.
#[derive(Clone, Debug)]
pub struct Change {
    /// What differs.
    pub what: String,
    /// Before and after, where it can be told.
    pub values: [Option<String>; 2],
    /// How many messages.
    pub count: u64,
    /// The same message before and after.
    pub frames: Vec<u64>,
}

/// What a relay passed on in one direction.
#[derive(Clone, Debug)]
pub struct RelayWay {
    /// The client and its server.
    pub client: (Endpoint, Endpoint),
    /// The relayed address and the peer.
    pub peer: (Endpoint, Endpoint),
    /// From the client to the peer.
    pub outward: bool,
    /// How many packets passed.
    pub passed: u64,
    /// How many came in and did not go out.
    pub lost: Option<u64>,
    /// The shortest, the mean and the longest time that it took.
    pub delay: [Span; 3],
}

impl Joins {
    pub(super) fn resolve(trace: Trace) -> Joins {
        let Trace {
            points, relayed: relayed_ports, flows, links, absent, rewritten, matched, travels, omitted, ..
        } = trace;
        let mut joins = Joins { members: (0..points.len()).collect(), points, travels, omitted, ..Joins::default() };
        let ways = Ways::new(&flows, &links);
        let mut pairs: BTreeMap<(usize, usize), PairFacts> = BTreeMap::new();
        for (&points, &matched) in &matched {
            pairs.insert(points, PairFacts { points, matched, ..PairFacts::default() });
        }
        joins.passages(&ways);
        joins.behind = behind_relays(&ways);
        joins.streams(&ways);
        joins.ranks = ways.ranks(joins.points.len());
        for (&(a, b), link) in &links {
            let (Some(one), Some(other)) = (ways.flow(a), ways.flow(b)) else { continue };
            let key = (one.point.min(other.point), one.point.max(other.point));
            let pair = pairs.entry(key).or_insert_with(|| PairFacts { points: key, ..PairFacts::default() });
            let Some(before) = ways.before(a, b) else { continue };
            if one.wrapped != other.wrapped {
                relayed(pair, one, other, before, link, &relayed_ports);
            } else if one.point != other.point {
                translated(pair, one, other, before, link);
                repeated(pair, one, other, before, link, &joins);
            }
        }
        let mut known = HashSet::new();
        let translated = pairs.values().flat_map(|pair| &pair.translated).map(|(translated, _)| translated.clone());
        joins.translated = translated.filter(|one| known.insert((one.inside, one.outside))).collect();
        for ((set, point, kind), absent) in &absent {
            let Some(lost) = joins.lost(&ways, set, *point, *kind) else { continue };
            let count = if lost.certain { absent.count } else { absent.questions };
            let key = (lost.from.min(lost.to), lost.from.max(lost.to));
            let pair = pairs.entry(key).or_insert_with(|| PairFacts { points: key, ..PairFacts::default() });
            add_lost(pair, LostWay { count, frames: absent.places.clone(), sizes: absent.sizes, ..lost });
        }
        for ((a, b, what), change) in rewritten {
            let (Some(one), Some(other)) = (ways.flow(a), ways.flow(b)) else { continue };
            let key = (one.point.min(other.point), one.point.max(other.point));
            let Some(pair) = pairs.get_mut(&key).filter(|_| one.point != other.point) else { continue };
            let (mut values, mut frames) = (change.values, change.places);
            if ways.before(a, b) == Some(false) {
                values.reverse();
                frames.iter_mut().for_each(|pair| pair.reverse());
            }
            add_change(pair, Change { what, values, count: change.count, frames: frames.concat() });
        }
        joins.pairs = pairs.into_values().collect();
        for pair in &mut joins.pairs {
            pair.settle();
        }
        joins
    }

    /// Which points each direction passes, and where last.
    fn passages(&mut self, ways: &Ways<'_>) {
        for (number, flow) in (0u32..).zip(ways.flows) {
            let way = (flow.src, flow.dst);
            let passed = self.passed.entry(way).or_default();
            let hosts = self.hosts.entry((flow.src.ip(), flow.dst.ip())).or_default();
            *passed |= 1 << flow.point;
            *hosts |= 1 << flow.point;
            let mut last: Option<(usize, bool)> = None;
            let mut stretches = Vec::new();
            for point in (0..self.points.len()).filter(|&point| point != flow.point) {
                let Some(partner) = ways.partner(number, point) else { continue };
                stretches.push(ways.stretch(point, &partner));
                *passed |= 1 << point;
                // what goes through a relay is on another way from there on
                if partner.wrapped == flow.wrapped {
                    *hosts |= 1 << point;
                }
                let other = (partner.src, partner.dst);
                if other != way {
                    if self.passages.len() < 1 << 16 {
                        self.passages.insert((way, other));
                    }
                    continue;
                }
                let hears = self.points.get(point).is_some_and(|point| point.heard(flow.dst.ip()).to > 0);
                if partner.later && hears {
                    // the last of those that come later
                    let later = last.is_none_or(|(known, _)| {
                        let index = |point| ways.index.get(&(point, way, flow.wrapped)).copied();
                        index(known).zip(index(point)).and_then(|(known, new)| ways.before(known, new)) != Some(false)
                    });
                    if later {
                        last = Some((point, true));
                    }
                }
            }
            if !stretches.is_empty() {
                let seen = seen_of(flow);
                let own = Stretch {
                    point: flow.point,
                    src: flow.src,
                    dst: flow.dst,
                    wrapped: flow.wrapped,
                    later: false,
                    seen,
                };
                self.stretches.entry((way, flow.wrapped)).or_insert_with(|| {
                    stretches.insert(0, own);
                    stretches
                });
            }
            let arrived = last
                .map_or(number, |(point, _)| ways.index.get(&(point, way, flow.wrapped)).copied().unwrap_or(u32::MAX));
            if ways.flow(arrived).is_some_and(|flow| flow.seen.get(Kind::Dtls as usize).is_some_and(|&seen| seen > 0)) {
                self.keyed.insert(way);
            }
            if let Some((point, _)) = last {
                // the flow that has most points after it has the last of them; others agree or know less
                self.last.entry(way).or_insert(point);
            } else if passed.count_ones() > 1 && ways.linked.contains_key(&number) {
                self.last.insert(way, flow.point);
            }
        }
    }

    /// Whether packets of these flows, which a point does not show, were lost on the way to it.
    fn lost(&self, ways: &Ways<'_>, set: &[u32], point: usize, kind: Kind) -> Option<LostWay> {
        let there = self.points.get(point)?;
        let partners: Vec<(u32, Option<Partner>)> = set.iter().map(|&flow| (flow, ways.partner(flow, point))).collect();
        let known = || partners.iter().filter_map(|(flow, partner)| partner.map(|partner| (*flow, partner)));
        if known().next().is_none() {
            return self.probably_lost(ways, set, point, kind);
        }
        // who is seen behind the point has passed it, and the point missed it
        if !there.shows(kind) || known().any(|(_, partner)| !partner.later) {
            return None;
        }
        let last =
            known().reduce(
                |(flow, partner), (other, others)| {
                    if ways.before(flow, other) == Some(false) { (flow, partner) } else { (other, others) }
                },
            );
        let (number, partner) = last?;
        let flow = ways.flow(number)?;
        if there.heard(partner.dst.ip()).to == 0 {
            return None;
        }
        Some(LostWay { certain: there.dropped == 0, ..way(flow, point, kind) })
    }

    /// Questions to a server of which nothing at all came to a point that shows that server otherwise. Where the server talks back, they reached it on
    /// another way: the point is at another client, or behind the relay.
    fn probably_lost(&self, ways: &Ways<'_>, set: &[u32], point: usize, kind: Kind) -> Option<LostWay> {
        let flow = ways.flow(*set.last()?)?;
        let there = self.points.get(point)?;
        let (src, dst) = (flow.src.ip(), flow.dst.ip());
        if set.iter().any(|&flow| ways.reverse(flow).is_some()) || self.is_behind_relay(dst, point) {
            return None;
        }
        let hears = self.names_of(dst).any(|ip| there.heard(ip).to > 0);
        let certain = self.passes_between(src, dst, point) && there.dropped == 0;
        let lost = matches!(kind, Kind::Request | Kind::Opening) && !flow.wrapped && hears && there.shows(kind);
        lost.then(|| LostWay { certain, ..way(flow, point, kind) })
    }
}

/// Of which servers a point shows packets that come out of a relay or go into it, where another shows them in messages of the relay, and none in such messages.
fn behind_relays(ways: &Ways<'_>) -> HashSet<(IpAddr, usize)> {
    let servers = |flow: &Flow| [flow.src.ip(), flow.dst.ip()].map(|ip| (ip, flow.point));
    let through = ways.links.keys().filter_map(|&(a, b)| {
        let (one, other) = (ways.flow(a)?, ways.flow(b)?);
        (one.wrapped != other.wrapped).then_some(if one.wrapped { (one, other) } else { (other, one) })
    });
    let before: HashSet<(IpAddr, usize)> = ways.flows.iter().filter(|flow| flow.wrapped).flat_map(servers).collect();
    let behind = through.flat_map(|(inside, bare)| servers(inside).map(|(server, _)| (server, bare.point)));
    behind.filter(|known| !before.contains(known)).collect()
}

fn way(flow: &Flow, to: usize, kind: Kind) -> LostWay {
    LostWay {
        from: flow.point,
        to,
        src: flow.src,
        dst: flow.dst,
        wrapped: flow.wrapped,
        kind,
        count: 0,
        of: flow.seen.get(kind as usize).copied().unwrap_or(0),
        sizes: None,
        certain: false,
        frames: Vec::new(),
    }
}

fn add_lost(pair: &mut PairFacts, lost: LostWay) {
    if lost.count == 0 {
        return;
    }
    let same = |known: &&mut LostWay| {
        let way = |lost: &LostWay| (lost.from, lost.to, lost.src, lost.dst, lost.wrapped, lost.kind);
        way(known) == way(&lost)
    };
    if let Some(known) = pair.lost.iter_mut().find(same) {
        known.count += lost.count;
        known.certain |= lost.certain;
        known.sizes = known.sizes.into_iter().chain(lost.sizes).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        known.frames = in_order(std::mem::take(&mut known.frames).into_iter().chain(lost.frames));
        known.frames.truncate(MAX_PLACES);
    } else if !pair.lost.push_up_to(MAX_LISTED, lost) {
        pair.omitted += 1;
    }
}

fn add_change(pair: &mut PairFacts, change: Change) {
    let same = |known: &&mut Change| known.what == change.what && known.values == change.values;
    if let Some(known) = pair.rewritten.iter_mut().find(same) {
        known.count += change.count;
    } else if !pair.rewritten.push_up_to(MAX_LISTED, change) {
        pair.omitted += 1;
    }
}

/// Copies of the same request or answer of which some did not come.
fn repeated(pair: &mut PairFacts, one: &Flow, other: &Flow, before: bool, link: &Link, joins: &Joins) {
    let (from, to) = if before { (one, other) } else { (other, one) };
    let [extra_one, extra_other] = &link.extra;
    let extra = if before { extra_one } else { extra_other };
    let hears = joins.points.get(to.point).is_some_and(|point| point.heard(to.dst.ip()).to > 0);
    for (kind, &count) in Kind::ALL.into_iter().zip(extra).filter(|_| hears) {
        let certain = joins.points.get(to.point).is_none_or(|point| point.dropped == 0);
        add_lost(pair, LostWay { count, certain, ..way(from, to.point, kind) });
    }
}

fn translated(pair: &mut PairFacts, one: &Flow, other: &Flow, before: bool, link: &Link) {
    let (from, to) = if before { (one, other) } else { (other, one) };
    // in two relays in a row both ends are others, and nothing was translated
    if from.wrapped && from.src != to.src && from.dst != to.dst {
        return;
    }
    for (inside, outside, own_first) in [(from.src, to.src, before), (to.dst, from.dst, !before)] {
        if inside == outside {
            continue;
        }
        // the inside first
        let pairs = link.evidence.iter().map(|&[one, other]| if own_first { [one, other] } else { [other, one] });
        let frames: Vec<u64> = pairs.flatten().collect();
        let same = |(known, _): &&mut (Translated, u64)| (known.inside, known.outside) == (inside, outside);
        if let Some((known, packets)) = pair.translated.iter_mut().find(same) {
            *packets += link.matched;
            known.frames.extend(frames);
            known.frames.truncate(MAX_PLACES);
        } else if !pair.translated.push_up_to(MAX_LISTED, (Translated { inside, outside, frames }, link.matched)) {
            pair.omitted += 1;
        }
    }
}

fn relayed(pair: &mut PairFacts, one: &Flow, other: &Flow, before: bool, link: &Link, ports: &HashSet<u16>) {
    let (wrapped, bare) = if one.wrapped { (one, other) } else { (other, one) };
    let outward = one.wrapped == before;
    let (client, peer) = if outward {
        ((wrapped.src, wrapped.dst), (bare.src, bare.dst))
    } else {
        ((wrapped.dst, wrapped.src), (bare.dst, bare.src))
    };
    // a peer that sends back what it gets is no second relay
    if !ports.is_empty() && !ports.contains(&peer.0.port()) {
        return;
    }
    let first = if before { one } else { other };
    let lost = (one.point == other.point).then_some(first.alone);
    let Some(mean) = link.mean() else { return };
    let (least, most) = if before { (link.min, link.max) } else { (Span(-link.max.0), Span(-link.min.0)) };
    let mean = if before { mean } else { Span(-mean.0) };
    if pair.relays.len() >= MAX_LISTED {
        pair.omitted += 1;
        return;
    }
    pair.relays.push(RelayWay { client, peer, outward, passed: link.matched, lost, delay: [least, mean, most] });
}

impl PairFacts {
    /// An order that does not depend on how the captures were given.
    fn settle(&mut self) {
        self.lost.sort_by_key(|lost| (std::cmp::Reverse(lost.count), lost.src, lost.dst, lost.kind, lost.from));
        self.translated.sort_by_key(|(known, _)| (known.inside, known.outside));
        self.rewritten.sort_by(|a, b| (&a.what, &a.values).cmp(&(&b.what, &b.values)));
        self.relays.sort_by_key(|relay| (relay.client, relay.peer, !relay.outward));
    }
}
