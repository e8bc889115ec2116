//! How far the clocks of captures are apart, and how fast they part.
//!
//! A request that is seen at A and then at B, and its answer at B and then at A, bound the clock of B from both sides, as in NTP: the request
//! cannot arrive before it left, nor the answer. Each such transaction gives an interval that holds the difference of the clocks; a straight
//! line is laid through all of them, as far from their ends as can be. What is left on both sides of it is the uncertainty.

use super::survey::Survey;
use crate::time::{Span, Timestamp};

/// A clock that runs faster or slower than this against another, in parts of one, is not believed.
const MAX_DRIFT: f64 = 1e-3;
/// From so many transactions on over so long a drift is looked for.
const MIN_DRIFT_SAMPLES: usize = 6;
const MIN_DRIFT_SPAN: f64 = 5e9;
/// The drift must widen what is left by this part of it, or a straight line without it must not fit.
const WORTH: f64 = 0.25;
/// Timestamps of microseconds contradict each other by as much.
const NOISE: f64 = 4_000.0;

/// What has to be added to the times of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Correction {
    /// When, by its own clock, the offset is what it is.
    anchor: Timestamp,
    /// Nanoseconds.
    offset: i64,
    /// What comes on top for each nanosecond since.
    rate: f64,
}

impl Correction {
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // saturates, and microseconds over years are enough
    pub(super) fn apply(&self, time: Timestamp) -> Timestamp {
        let more = if self.rate == 0.0 { 0 } else { (time.since(self.anchor).0 as f64 * self.rate) as i64 };
        time.after(Span(self.offset)).after(Span(more))
    }

    /// This correction, and then another.
    fn then(&self, next: &Correction, at: Timestamp) -> Correction {
        let offset = next.apply(self.apply(at)).since(at).0;
        Correction { anchor: at, offset, rate: self.rate + next.rate }
    }
}

/// The clock of one capture against the first of those that it shares packets with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clock {
    /// The capture that the clocks of its group are lined up with; a group shares packets, directly or by others.
    pub reference: usize,
    /// Whether it is lined up with any other at all.
    pub joined: bool,
    pub(super) correction: Correction,
    /// How far the offset may be off; `None` where packets in one direction only could be compared.
    pub uncertainty: Option<Span>,
}

impl Clock {
    /// The clock of a point that shares nothing with any other.
    #[must_use]
    pub fn alone(point: usize) -> Clock {
        Clock { reference: point, joined: false, correction: Correction::default(), uncertainty: Some(Span(0)) }
    }

    /// A time of the capture by the clock of its group.
    #[must_use]
    pub fn apply(&self, time: Timestamp) -> Timestamp {
        self.correction.apply(time)
    }

    /// By how much the clock runs slow, in parts per million.
    #[must_use]
    pub fn drift_ppm(&self) -> f64 {
        self.correction.rate * 1e6
    }
}

/// One comparison of two captures.
#[derive(Clone, Copy, Debug)]
struct Difference {
    /// What to add to times of the second to have those of the first.
    correction: Correction,
    uncertainty: Option<Span>,
}

/// Lines up the clocks of captures.
#[must_use]
pub fn align(surveys: &[Survey]) -> Vec<Clock> {
    let mut clocks: Vec<Clock> = (0..surveys.len()).map(Clock::alone).collect();
    let mut open: Vec<usize> = (0..surveys.len()).collect();
    while let Some(&reference) = open.first() {
        open.remove(0);
        let mut inside = vec![reference];
        // the capture of which least is uncertain comes next, and stands then for those that only it can be compared with
        while let Some((known, next, difference)) = closest(surveys, &inside, &open) {
            open.retain(|&point| point != next);
            let (Some(before), Some(survey)) = (clocks.get(known).copied(), surveys.get(next)) else { break };
            let at = survey.span.map_or(Timestamp(0), |(first, _)| first);
            let sum = |(a, b): (Span, Span)| Span(a.0.saturating_add(b.0));
            if let Some(clock) = clocks.get_mut(next) {
                *clock = Clock {
                    reference,
                    joined: true,
                    correction: difference.correction.then(&before.correction, at),
                    uncertainty: difference.uncertainty.zip(before.uncertainty).map(sum),
                };
            }
            inside.push(next);
        }
        if inside.len() > 1
            && let Some(clock) = clocks.get_mut(reference)
        {
            clock.joined = true;
        }
    }
    clocks
}

fn closest(surveys: &[Survey], inside: &[usize], open: &[usize]) -> Option<(usize, usize, Difference)> {
    let pairs = inside.iter().flat_map(|&known| open.iter().map(move |&next| (known, next)));
    let compared =
        pairs.filter_map(|(known, next)| Some((known, next, difference(surveys.get(known)?, surveys.get(next)?)?)));
    compared.min_by_key(|(known, next, difference)| {
        (difference.uncertainty.is_none(), difference.uncertainty.unwrap_or_default(), *known, *next)
    })
}

/// An interval that the difference of two clocks lies in, and when.
#[derive(Clone, Copy, Debug)]
struct Bound {
    at: f64,
    low: f64,
    high: f64,
}

/// The clock of the second against that of the first; `None` where they share nothing.
fn difference(first: &Survey, second: &Survey) -> Option<Difference> {
    let (origin, _) = second.span?;
    let mut clean: Vec<(Timestamp, i64, i64)> = Vec::new();
    let (mut repeated, mut single) = (Vec::new(), Vec::new());
    let (one, other) = (&first.sample.packets, &second.sample.packets);
    for (key, here) in one {
        let Some(there) = other.get(key) else { continue };
        let apart = here.time.since(there.time).0;
        let answers = here.answer.and_then(|key| Some((one.get(&key)?, other.get(&key)?)));
        match answers {
            Some((answer, answer_there)) => {
                let back = answer.time.since(answer_there.time).0;
                let bound = (there.time, apart.min(back), apart.max(back));
                let once = [here, there, answer, answer_there].iter().all(|moment| moment.count == 1);
                if once { clean.push(bound) } else { repeated.push(bound) }
            }
            None => single.push((there.time, apart)),
        }
    }
    // what was sent again may be matched with another copy: its bounds are wider, where a capture began in between even wrong
    let mut chosen = if clean.is_empty() { repeated } else { clean };
    chosen.sort_unstable();
    if chosen.is_empty() {
        for (key, here) in &first.others.packets {
            single.extend(second.others.packets.get(key).map(|there| (there.time, here.time.since(there.time).0)));
        }
        single.sort_unstable_by_key(|&(at, apart)| (apart, at));
        let &(_, offset) = single.get(single.len() / 2)?;
        return Some(Difference { correction: Correction { anchor: origin, offset, rate: 0.0 }, uncertainty: None });
    }
    // counted from one of them, so that little is lost in floating point
    let &(_, base, _) = chosen.get(chosen.len() / 2)?;
    #[allow(clippy::cast_precision_loss)]
    let bounds: Vec<Bound> = chosen
        .iter()
        .map(|&(at, low, high)| Bound {
            at: at.since(origin).0 as f64,
            low: low.saturating_sub(base) as f64,
            high: high.saturating_sub(base) as f64,
        })
        .collect();
    let (offset, rate, left) = fit(&bounds);
    #[allow(clippy::cast_possible_truncation)]
    let (offset, left) = (base.saturating_add(offset as i64), left.abs() as i64);
    Some(Difference { correction: Correction { anchor: origin, offset, rate }, uncertainty: Some(Span(left)) })
}

/// The straight line that keeps the farthest from the ends of all intervals: its value at 0, its slope, and how far it keeps; less than
/// nothing where no line goes through all.
fn fit(bounds: &[Bound]) -> (f64, f64, f64) {
    let room = |rate: f64| {
        let high = bounds.iter().map(|bound| bound.high - rate * bound.at).fold(f64::INFINITY, f64::min);
        let low = bounds.iter().map(|bound| bound.low - rate * bound.at).fold(f64::NEG_INFINITY, f64::max);
        (high - low, f64::midpoint(high, low))
    };
    let level = room(0.0);
    let first = bounds.iter().map(|bound| bound.at).fold(f64::INFINITY, f64::min);
    let last = bounds.iter().map(|bound| bound.at).fold(f64::NEG_INFINITY, f64::max);
    if bounds.len() < MIN_DRIFT_SAMPLES || last - first < MIN_DRIFT_SPAN {
        return (level.1, 0.0, level.0 / 2.0);
    }
    // the room is a concave function of the slope
    let (mut low, mut high) = (-MAX_DRIFT, MAX_DRIFT);
    for _ in 0..80 {
        let third = (high - low) / 3.0;
        if room(low + third).0 < room(high - third).0 {
            low += third;
        } else {
            high -= third;
        }
    }
    let rate = f64::midpoint(low, high);
    let best = room(rate);
    let needed = level.0 < -NOISE || best.0 - level.0 > WORTH * best.0.abs();
    let shows = (rate * (last - first)).abs() > NOISE;
    if needed && shows && best.0 > level.0 { (best.1, rate, best.0 / 2.0) } else { (level.1, 0.0, level.0 / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(at: f64, low: f64, high: f64) -> Bound {
        Bound { at, low, high }
    }

    #[test]
    fn the_offset_lies_in_the_middle_of_what_all_transactions_allow() {
        let (offset, rate, left) = fit(&[bound(0.0, -10.0, 30.0), bound(1e9, 0.0, 50.0)]);
        assert!((offset - 15.0).abs() < 1e-6 && rate == 0.0 && (left - 15.0).abs() < 1e-6);
    }

    #[test]
    fn a_clock_that_runs_fast_shows_as_a_slope() {
        // 50 parts per million over ten minutes, 1 ms of way each direction
        let bounds: Vec<Bound> = (0..600)
            .map(|second| {
                let at = f64::from(second) * 1e9;
                bound(at, 50e-6 * at - 1e6, 50e-6 * at + 1e6)
            })
            .collect();
        let (offset, rate, left) = fit(&bounds);
        assert!((rate - 50e-6).abs() < 1e-6, "{rate}");
        assert!(offset.abs() < 1e4 && (left - 1e6).abs() < 1e4, "{offset} {left}");
    }

    #[test]
    fn jitter_alone_is_no_drift() {
        let bounds: Vec<Bound> = (0..600)
            .map(|second| {
                let jitter = f64::from(second * 7919 % 100) * 1e5;
                bound(f64::from(second) * 1e9, -1e6 - jitter, 1e6 + jitter / 2.0)
            })
            .collect();
        let (offset, rate, left) = fit(&bounds);
        assert!(rate == 0.0 && offset.abs() < 1e5 && left > 0.0, "{offset} {rate} {left}");
    }

    #[test]
    fn corrections_come_one_after_the_other() {
        let first = Correction { anchor: Timestamp(0), offset: 10, rate: 0.0 };
        let second = Correction { anchor: Timestamp(0), offset: 100, rate: 0.5 };
        let both = first.then(&second, Timestamp(20));
        assert_eq!(both.apply(Timestamp(20)), Timestamp(20 + 10 + 100 + 15));
        assert_eq!(both.apply(Timestamp(40)).0, second.apply(first.apply(Timestamp(40))).0);
    }
}
