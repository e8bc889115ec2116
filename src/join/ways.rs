//! The order of points: which of two that show the same packets is before the other, and where a flow is at another point.

use super::facts::{Stretch, Way};
use super::print::{KINDS, Kind};
use super::trace::{Flow, Link};
use crate::net::Endpoint;
use crate::time::Span;
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;

/// The other end of a flow's way, at another point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partner {
    /// Sender there.
    pub src: Endpoint,
    /// Receiver there.
    pub dst: Endpoint,
    /// Whether packets pass the flow's own point first.
    pub later: bool,
    /// Whether they are inside messages to or from a relay there.
    pub wrapped: bool,
}

/// The directions of flows at all points, and which of them show the same packets.
pub(super) struct Ways<'t> {
    pub flows: &'t [Flow],
    pub links: &'t BTreeMap<(u32, u32), Link>,
    pub index: HashMap<(usize, Way, bool), u32>,
    pub linked: HashMap<u32, Vec<u32>>,
}

impl<'t> Ways<'t> {
    pub(super) fn new(flows: &'t [Flow], links: &'t BTreeMap<(u32, u32), Link>) -> Self {
        let numbered = flows.iter().zip(0u32..);
        let index = numbered.map(|(flow, number)| ((flow.point, (flow.src, flow.dst), flow.wrapped), number)).collect();
        let mut linked: HashMap<u32, Vec<u32>> = HashMap::new();
        for &(a, b) in links.keys() {
            linked.entry(a).or_default().push(b);
            linked.entry(b).or_default().push(a);
        }
        Ways { flows, links, index, linked }
    }

    pub(super) fn flow(&self, number: u32) -> Option<&'t Flow> {
        self.flows.get(number as usize)
    }

    /// The same flow's other direction, at the same point.
    pub(super) fn reverse(&self, number: u32) -> Option<u32> {
        let flow = self.flow(number)?;
        self.index.get(&(flow.point, (flow.dst, flow.src), flow.wrapped)).copied()
    }

    /// How much later packets are seen on the one flow than on the other, by the clocks as they are taken to be.
    fn mean(&self, one: u32, other: u32) -> Option<Span> {
        if one < other {
            self.links.get(&(one, other))?.mean()
        } else {
            self.links.get(&(other, one))?.mean().map(|span| Span(-span.0))
        }
    }

    /// Whether packets have more routers before them on the one flow than on the other, where all of them agree. A relay begins to count anew: what is in its
    /// messages towards it goes out after that, and what comes in goes on in such messages.
    fn has_further_to_go(&self, one: u32, other: u32) -> Option<bool> {
        let (a, b) = (one.min(other), one.max(other));
        let (first, second) = (self.flow(a)?, self.flow(b)?);
        if first.wrapped != second.wrapped {
            let (inside, bare) = if first.wrapped { (first, second) } else { (second, first) };
            let goes_out = inside.dst.ip() == bare.src.ip();
            let comes_in = inside.src.ip() == bare.dst.ip();
            let inside_is_one = first.wrapped == (a == one);
            return (goes_out != comes_in).then_some(inside_is_one == goes_out);
        }
        match self.links.get(&(a, b))?.nearer {
            [nearer, 0] if nearer > 0 => Some(a == one),
            [0, nearer] if nearer > 0 => Some(b == one),
            _ => None,
        }
    }

    /// Whether packets pass the one flow's point before the other's. What goes there and what comes back together tell, however wrong the clocks
    /// are; where one way only is seen, times to live do, and the clocks as they are taken to be.
    pub(super) fn before(&self, one: u32, other: u32) -> Option<bool> {
        let there = self.mean(one, other);
        let reverse = self.reverse(one).zip(self.reverse(other));
        let back = reverse.and_then(|(one, other)| self.mean(one, other));
        if let (Some(there), Some(back)) = (there, back) {
            return Some(there >= back);
        }
        let by_hops = self.has_further_to_go(one, other);
        let by_hops = by_hops.or_else(|| reverse.and_then(|(one, other)| Some(!self.has_further_to_go(one, other)?)));
        by_hops.or_else(|| there.map(|there| there.0 >= 0).or_else(|| back.map(|back| back.0 <= 0)))
    }

    /// Where packets of a flow are at another point. One that shows both sides of a relay has them twice: on the same side is what has no relay in between.
    pub(super) fn partner(&self, number: u32, point: usize) -> Option<Partner> {
        let own = self.flow(number)?;
        let linked = |number: u32| {
            let flows = self.linked.get(&number)?.iter().filter_map(|&other| Some((other, self.flow(other)?)));
            flows.filter(|(_, flow)| flow.point == point).min_by_key(|(_, flow)| flow.wrapped != own.wrapped)
        };
        if let Some((other, flow)) = linked(number) {
            return Some(Partner {
                src: flow.src,
                dst: flow.dst,
                later: self.before(number, other)?,
                wrapped: flow.wrapped,
            });
        }
        let back = self.reverse(number)?;
        let (other, flow) = linked(back)?;
        // packets that come back pass the points the other way round
        Some(Partner { src: flow.dst, dst: flow.src, later: !self.before(back, other)?, wrapped: flow.wrapped })
    }
}

impl Ways<'_> {
    /// Of each point, how many others are before it on the ways from clients to servers.
    pub(super) fn ranks(&self, points: usize) -> Vec<usize> {
        let mut known: HashSet<(usize, usize)> = HashSet::new();
        for &(a, b) in self.links.keys() {
            let (Some(one), Some(other)) = (self.flow(a), self.flow(b)) else { continue };
            if one.point == other.point || one.wrapped != other.wrapped || !(one.asks() || other.asks()) {
                continue;
            }
            match self.before(a, b) {
                Some(true) => known.insert((one.point, other.point)),
                Some(false) => known.insert((other.point, one.point)),
                None => continue,
            };
        }
        (0..points).map(|point| known.iter().filter(|(_, later)| *later == point).count()).collect()
    }

    /// What another point shows of a flow whose packets it shows, or would show.
    pub(super) fn stretch(&self, point: usize, partner: &Partner) -> Stretch {
        let &Partner { src, dst, later, wrapped } = partner;
        let flow = self.index.get(&(point, (src, dst), wrapped)).and_then(|&number| self.flow(number));
        Stretch { point, src, dst, wrapped, later, seen: flow.map(seen_of).unwrap_or_default() }
    }
}

/// How many packets of each kind a flow has.
pub(super) fn seen_of(flow: &Flow) -> [u32; KINDS] {
    flow.seen.map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

impl Flow {
    /// Whether it is a client's, which opens a connection or asks more than it answers.
    pub(super) fn asks(&self) -> bool {
        let [requests, answers] =
            [Kind::Request, Kind::Answer].map(|kind| self.seen.get(kind as usize).copied().unwrap_or(0));
        self.opens || requests > answers
    }
}
