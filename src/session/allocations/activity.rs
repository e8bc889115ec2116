//! How many clients and relays a server had at each time: the counters of a TURN server's status page, from its allocations.

use super::allocation::Allocation;
use crate::net::Transport;
use crate::time::{Span, Timestamp};
use std::collections::BTreeMap;

/// How many changes are kept of one server; with more, those close together become one.
const MAX_CHANGES: usize = 128;

/// What a server lends at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Active {
    /// 5-tuples with a live allocation.
    pub clients: u64,
    /// Live allocations that relay UDP.
    pub relays_udp: u64,
    /// Live allocations that relay TCP (RFC 6062).
    pub relays_tcp: u64,
    /// Live allocations, whatever they relay, whose clients are connected over TCP or TLS, and not over UDP or DTLS.
    pub over_tcp: u64,
}

impl Active {
    fn max(self, other: Active) -> Active {
        Active {
            clients: self.clients.max(other.clients),
            relays_udp: self.relays_udp.max(other.relays_udp),
            relays_tcp: self.relays_tcp.max(other.relays_tcp),
            over_tcp: self.over_tcp.max(other.over_tcp),
        }
    }
}

/// The counters of one server over time, bounded: a busy server's are kept ever more coarsely, each allocation then counting for a little
/// longer than it lived.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// By how much clients, relays for UDP, relays for TCP and relays of clients over TCP changed.
    changes: BTreeMap<Timestamp, [i64; 4]>,
    /// Times are kept to so many nanoseconds; 0 and 1: exactly.
    step: i64,
}

impl Activity {
    /// An allocation of a client that is connected over this transport; it is over, or was alive at `now`, the last time that is known.
    pub(in crate::session) fn add(&mut self, allocation: &Allocation, transport: Transport, now: Timestamp) {
        let until = match allocation.ended {
            Some((_, seen)) => Some(seen.time),
            None => (!allocation.is_alive(now)).then_some(allocation.expires),
        };
        let is_tcp = allocation.transport == Some(6);
        let delta = [1, i64::from(!is_tcp), i64::from(is_tcp), i64::from(transport.is_stream())];
        self.change(allocation.created.time, delta, false);
        if let Some(until) = until {
            self.change(until.max(allocation.created.time), delta.map(|count| -count), true);
        }
        while self.changes.len() > MAX_CHANGES {
            self.coarsen();
        }
    }

    fn change(&mut self, at: Timestamp, delta: [i64; 4], end: bool) {
        let at = if self.step > 1 {
            let floor = at.0.div_euclid(self.step).saturating_mul(self.step);
            Timestamp(if end { floor.saturating_add(self.step) } else { floor })
        } else {
            at
        };
        let sums = self.changes.entry(at).or_default();
        for (sum, change) in sums.iter_mut().zip(delta) {
            *sum += change;
        }
    }

    /// Keeps times half as exactly. What begins counts from the step before it, what ends up to the step after it.
    fn coarsen(&mut self) {
        self.step = if self.step < 2 { Span::from_secs(1).0 } else { self.step.saturating_mul(2) };
        for (at, delta) in std::mem::take(&mut self.changes) {
            let (more, fewer) = (delta.map(|count| count.max(0)), delta.map(|count| count.min(0)));
            for (delta, end) in [(more, false), (fewer, true)] {
                if delta != [0; 4] {
                    self.change(at, delta, end);
                }
            }
        }
    }

    /// The counters from each time on at which one changed, in order.
    #[must_use]
    fn series(&self) -> Vec<(Timestamp, Active)> {
        let mut sums = [0i64; 4];
        let count = |sum: i64| u64::try_from(sum).unwrap_or(0);
        let all = self.changes.iter().map(|(&at, delta)| {
            for (sum, change) in sums.iter_mut().zip(delta) {
                *sum += change;
            }
            let [clients, relays_udp, relays_tcp, over_tcp] = sums.map(count);
            (at, Active { clients, relays_udp, relays_tcp, over_tcp })
        });
        let mut series: Vec<(Timestamp, Active)> = all.collect();
        series.dedup_by_key(|(_, active)| *active);
        series
    }

    /// The most of each that there was at one time.
    #[must_use]
    pub fn peak(&self) -> Active {
        self.series().into_iter().map(|(_, active)| active).fold(Active::default(), Active::max)
    }

    /// At most `most` points of the series, of which each shows the most that there was up to the next.
    #[must_use]
    pub fn points(&self, most: usize) -> Vec<(Timestamp, Active)> {
        let series = self.series();
        let group = series.len().div_ceil(most.max(1)).max(1);
        let points = series.chunks(group).filter_map(|chunk| {
            let (at, _) = chunk.first()?;
            Some((*at, chunk.iter().map(|(_, active)| *active).fold(Active::default(), Active::max)))
        });
        let mut points: Vec<(Timestamp, Active)> = points.collect();
        if let (Some(shown), Some(last)) = (points.last_mut(), series.last())
            && group > 1
        {
            // the end is told as it is
            *shown = *last;
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(spans: &[(i64, i64)]) -> Activity {
        let mut activity = Activity::default();
        for &(from, until) in spans {
            activity.change(Timestamp(from), [1, 1, 0, 1], false);
            activity.change(Timestamp(until), [-1, -1, 0, -1], true);
            while activity.changes.len() > MAX_CHANGES {
                activity.coarsen();
            }
        }
        activity
    }

    #[test]
    fn counters_rise_and_fall_with_allocations() {
        let activity = activity(&[(1, 10), (5, 20), (10, 12)]);
        let clients: Vec<(i64, u64)> = activity.series().iter().map(|(at, active)| (at.0, active.clients)).collect();
        assert_eq!(clients, [(1, 1), (5, 2), (12, 1), (20, 0)], "one ends as another begins");
        assert_eq!(activity.peak(), Active { clients: 2, relays_udp: 2, relays_tcp: 0, over_tcp: 2 });
        assert_eq!(activity.points(2).len(), 2);
        assert_eq!(activity.points(2).last().unwrap().1.clients, 0);
    }

    #[test]
    fn a_busy_server_is_kept_coarsely_and_within_bounds() {
        let second = 1_000_000_000;
        let spans: Vec<(i64, i64)> = (0..10_000).map(|n| (n * second / 4, n * second / 4 + 10 * second)).collect();
        let activity = activity(&spans);
        assert!(activity.changes.len() <= MAX_CHANGES);
        assert!(activity.peak().clients >= 40, "never fewer than there were: {:?}", activity.peak());
        assert_eq!(activity.series().last().unwrap().1, Active::default());
    }
}
