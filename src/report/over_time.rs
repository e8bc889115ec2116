//! How many captures of a batch are from when, without knowing beforehand from when they are.

use super::Verdict;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Spans are widened while there are more than this with a capture in them.
const MAX_SPANS: usize = 40;
/// Widths of spans in seconds. Each holds the one before a whole number of times, so that it does not matter which capture comes first.
const WIDTHS: [i64; 10] = [60, 300, 900, 3600, 10_800, 43_200, 86_400, 604_800, 2_419_200, 31_449_600];

/// Captures by the time of their first frame, in spans of the least width with which there are few enough; spans without any are not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverTime {
    width: usize,
    spans: BTreeMap<i64, Counted>,
}

/// The captures of one span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many there are.
    pub captures: u64,
    /// Of these, with a failure.
    pub failure: u64,
    /// With a warning as the worst.
    pub warning: u64,
}

impl OverTime {
    /// Counts a capture.
    pub fn add(&mut self, first: Timestamp, verdict: Option<Verdict>) {
        let counted = self.spans.entry(first.0.div_euclid(self.nanos())).or_default();
        counted.captures += 1;
        counted.failure += u64::from(verdict == Some(Verdict::Failure));
        counted.warning += u64::from(verdict == Some(Verdict::Warning));
        while self.spans.len() > MAX_SPANS && self.width + 1 < WIDTHS.len() {
            self.widen();
        }
    }

    fn widen(&mut self) {
        let narrow = self.nanos();
        self.width += 1;
        let wide = self.nanos();
        let mut spans: BTreeMap<i64, Counted> = BTreeMap::new();
        for (at, one) in &self.spans {
            // the product was a time before, rounded down: it may lie beyond the first time that there is
            let all = spans.entry(at.saturating_mul(narrow).div_euclid(wide)).or_default();
            all.captures += one.captures;
            all.failure += one.failure;
            all.warning += one.warning;
        }
        self.spans = spans;
    }

    fn nanos(&self) -> i64 {
        self.width_s() * 1_000_000_000
    }

    /// How long a span is, in seconds.
    #[must_use]
    pub fn width_s(&self) -> i64 {
        WIDTHS.get(self.width).copied().unwrap_or(31_449_600)
    }

    /// The spans with a capture in them by time: when each begins, and what is in it.
    pub fn spans(&self) -> impl Iterator<Item = (Timestamp, Counted)> {
        let width = self.nanos();
        self.spans.iter().map(move |(at, counted)| (Timestamp(at.saturating_mul(width)), *counted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn of(hours: impl Iterator<Item = i64>) -> OverTime {
        let mut all = OverTime::default();
        hours.for_each(|hour| all.add(Timestamp(hour * HOUR), Some(Verdict::Failure)));
        all
    }

    #[test]
    fn spans_widen_until_they_are_few() {
        let few = of(0..30);
        assert_eq!((few.width_s(), few.spans().count()), (60, 30));
        let many = of(0..24 * 30);
        assert_eq!((many.width_s(), many.spans().count()), (86_400, 30));
        assert_eq!(many.spans().map(|(_, counted)| counted.failure).sum::<u64>(), 24 * 30);
    }

    #[test]
    fn the_order_of_captures_does_not_matter() {
        assert_eq!(of((0..500).rev()), of(0..500));
        assert_eq!(of((0..500).map(|at| at * 7919 % 500)), of(0..500));
    }

    #[test]
    fn the_first_and_last_times_that_there_are_do_no_harm() {
        let mut all = of(0..100);
        all.add(Timestamp(i64::MIN), None);
        all.add(Timestamp(i64::MAX), None);
        assert_eq!(all.spans().map(|(_, counted)| counted.captures).sum::<u64>(), 102);
    }
}
