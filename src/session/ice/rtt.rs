//! Round-trip times of very many checks in little room.

use crate::time::Span;

/// How many are kept to find the median of.
const SAMPLES: usize = 16;

/// The round-trip times of the checks of one agent on one pair: least and greatest exactly; the median exactly of up to 16, beyond that of
/// a sample of 8 to 16 that are evenly spread over all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rtt {
    min: u32,
    max: u32,
    count: u32,
    /// Every so many-th is kept, as a power of 2.
    stride: u8,
    kept: u8,
    samples: [u32; SAMPLES],
}

impl Rtt {
    /// Takes one more, in the order of time. What is more than 71 minutes counts as 71 minutes, what is negative as 0.
    pub fn add(&mut self, rtt: Span) {
        let micros = u32::try_from(rtt.micros().max(0)).unwrap_or(u32::MAX);
        if self.count == 0 {
            (self.min, self.max) = (micros, micros);
        }
        (self.min, self.max) = (self.min.min(micros), self.max.max(micros));
        let number = self.count;
        self.count = self.count.saturating_add(1);
        if number.checked_rem(1 << self.stride) != Some(0) {
            return;
        }
        if usize::from(self.kept) == SAMPLES {
            self.thin();
            if number.checked_rem(1 << self.stride) != Some(0) {
                return;
            }
        }
        if let Some(slot) = self.samples.get_mut(usize::from(self.kept)) {
            *slot = micros;
            self.kept += 1;
        }
    }

    /// Every other sample goes.
    fn thin(&mut self) {
        let mut kept = 0;
        let old = self.samples;
        for (slot, &sample) in self.samples.iter_mut().zip(old.iter().step_by(2)) {
            *slot = sample;
            kept += 1;
        }
        self.kept = kept;
        self.stride = (self.stride + 1).min(30);
    }

    /// Least, median and greatest, in microseconds; `None` where there were none.
    #[must_use]
    pub fn summary(&self) -> Option<[u32; 3]> {
        let mut samples = self.samples;
        let samples = samples.get_mut(..usize::from(self.kept))?;
        samples.sort_unstable();
        let median = *samples.get(samples.len().checked_sub(1)? / 2)?;
        Some([self.min, median, self.max])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = i64>) -> Rtt {
        let mut rtt = Rtt::default();
        millis.into_iter().for_each(|millis| rtt.add(Span::from_millis(millis)));
        rtt
    }

    #[test]
    fn few_are_told_exactly() {
        assert_eq!(of([]).summary(), None);
        assert_eq!(of([7]).summary(), Some([7000, 7000, 7000]));
        assert_eq!(of([9, 1, 5]).summary(), Some([1000, 5000, 9000]));
    }

    #[test]
    fn of_many_the_median_is_that_of_a_sample_spread_over_all_of_them() {
        let [min, median, max] = of(1..=1000).summary().unwrap();
        assert_eq!((min, max), (1000, 1_000_000));
        assert!((400_000..600_000).contains(&median), "{median}");
    }

    #[test]
    fn nothing_overflows() {
        assert_eq!(of([-5, i64::MAX / 1_000_000]).summary(), Some([0, 0, u32::MAX]));
    }
}
