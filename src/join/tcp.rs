//! TCP connections that are seen with other addresses at other points: which of them are one.

use super::MAX_POINTS;
use super::facts::{Joins, Way};
use super::ways::Ways;
use hashbrown::HashMap;

impl Joins {
    /// TCP connections that are seen with other addresses elsewhere: as they are on the client's side they are told, the others are the same again.
    pub(super) fn streams(&mut self, ways: &Ways<'_>) {
        let swapped = |(src, dst): Way| (dst, src);
        let mut passed_on: HashMap<Way, Way> = HashMap::new();
        for (&(a, b), link) in ways.links {
            let (Some(one), Some(other)) = (ways.flow(a), ways.flow(b)) else { continue };
            let [here, there] = [one, other].map(|flow| (flow.src, flow.dst));
            if !one.stream || !other.stream || one.wrapped || other.wrapped || here == there {
                continue;
            }
            let Some(before) = ways.before(a, b) else { continue };
            // what the client sends passes its own side first
            let own_first = before == (one.asks() || other.asks());
            let (own, beyond) = if own_first { (here, there) } else { (there, here) };
            let known = if link.in_step > 0 { &mut self.streams } else { &mut passed_on };
            // what was said of the one direction holds for the other
            if known.get(&own) != Some(&beyond) {
                known.entry(beyond).or_insert(own);
                known.entry(swapped(beyond)).or_insert(swapped(own));
            }
        }
        self.passed_on.extend(passed_on.into_keys());
        // of several NATs in a row the side of the client counts
        let known = self.streams.clone();
        for own in self.streams.values_mut() {
            for _ in 0..MAX_POINTS {
                let Some(&nearer) = known.get(own) else { break };
                *own = nearer;
            }
        }
        let circles: Vec<Way> = self.streams.iter().filter(|(way, own)| way == own).map(|(way, _)| *way).collect();
        self.streams.retain(|way, _| !circles.contains(way));
    }
}
