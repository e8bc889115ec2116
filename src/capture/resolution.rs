//! Timestamps of pcapng: any resolution and offset, to nanoseconds, with arithmetic that saturates.

use crate::time::Timestamp;

const NANOS: u64 = 1_000_000_000;

/// How the timestamps of one interface are read (`if_tsresol`, `if_tsoffset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolution {
    unit: Unit,
    /// Nanoseconds added to each timestamp.
    offset: i128,
    /// Decimal digits of the second that the unit gives, at most 9.
    pub(super) digits: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Nanoseconds in one unit: a second down to a nanosecond.
    Multiple(u64),
    /// Units in one nanosecond: finer decimal units.
    Fraction(u128),
    /// Units in a second, as a power of two.
    Binary(u32),
}

impl Resolution {
    /// From the option byte and the offset in seconds. The default of a file that says nothing is 6 and 0.
    pub(super) fn new(tsresol: u8, tsoffset: i64) -> Self {
        let power = u32::from(tsresol & 0x7f);
        let unit = match (tsresol & 0x80, power) {
            (0, 0..=9) => Unit::Multiple(10_u64.pow(9 - power)),
            // Above 10^38 units in a nanosecond, no 64-bit number of them reaches one.
            (0, _) => Unit::Fraction(10_u128.checked_pow(power - 9).unwrap_or(u128::MAX)),
            _ => Unit::Binary(power),
        };
        let offset = i128::from(tsoffset) * i128::from(NANOS);
        Resolution { unit, offset, digits: power.min(9) as u8 }
    }

    /// The time of a timestamp counted in units; rounded towards the past, saturated at the ends of the range.
    #[inline]
    pub(super) fn time(&self, units: u64) -> Timestamp {
        if let Unit::Multiple(nanos) = self.unit
            && self.offset == 0
            && let Some(nanos) = units.checked_mul(nanos)
            && let Ok(nanos) = i64::try_from(nanos)
        {
            return Timestamp(nanos);
        }
        self.time_by_wide_arithmetic(units)
    }

    #[inline(never)]
    fn time_by_wide_arithmetic(&self, units: u64) -> Timestamp {
        let wide = u128::from(units);
        let nanos = match self.unit {
            Unit::Multiple(nanos) => wide * u128::from(nanos),
            Unit::Fraction(units) => wide / units,
            Unit::Binary(power) => (wide * u128::from(NANOS)) >> power,
        };
        // Below 2^94 by construction; the offset is below 2^93.
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX).saturating_add(self.offset);
        Timestamp(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl Default for Resolution {
    fn default() -> Self {
        Resolution::new(6, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_resolutions_give_the_usual_times() {
        assert_eq!(Resolution::default().time(1_700_000_000_123_456), Timestamp(1_700_000_000_123_456_000));
        assert_eq!(Resolution::new(9, 0).time(1_700_000_000_123_456_789), Timestamp(1_700_000_000_123_456_789));
        assert_eq!(Resolution::new(0, 0).time(5), Timestamp(5_000_000_000));
        assert_eq!(Resolution::new(12, 0).time(1_999), Timestamp(1));
        assert_eq!(Resolution::new(0x8a, 0).time(1024 + 512), Timestamp(1_500_000_000));
        assert_eq!(Resolution::new(0xa0, 0).time(1 << 31), Timestamp(500_000_000));
    }

    #[test]
    fn digits_are_those_that_the_unit_gives_exactly_and_at_most_nine() {
        let digits = |tsresol| Resolution::new(tsresol, 0).digits;
        assert_eq!([0, 3, 6, 9, 12, 0x80, 0x83, 0x8a].map(digits), [0, 3, 6, 9, 9, 0, 3, 9]);
    }

    #[test]
    fn offsets_reach_before_1970_and_saturate() {
        assert_eq!(Resolution::new(6, -1).time(500_000), Timestamp(-500_000_000));
        assert_eq!(Resolution::new(6, i64::MIN).time(0), Timestamp(i64::MIN));
        assert_eq!(Resolution::new(0, i64::MAX).time(u64::MAX), Timestamp(i64::MAX));
    }

    proptest! {
        #[test]
        fn decimal_units_agree_with_exact_arithmetic(power in 0_u8..=127, units: u64, offset in -10_000_000_000_i64..10_000_000_000) {
            let exact = if power <= 9 {
                i128::from(units) * 10_i128.pow(9 - u32::from(power))
            } else {
                10_i128.checked_pow(u32::from(power) - 9).map_or(0, |unit| i128::from(units) / unit)
            } + i128::from(offset) * 1_000_000_000;
            let exact = exact.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
            prop_assert_eq!(i128::from(Resolution::new(power, offset).time(units).0), exact);
        }

        #[test]
        fn binary_units_agree_with_whole_seconds_and_the_rest(power in 0_u8..=63, units: u64) {
            let seconds = units >> power;
            let rest = units & ((1_u64 << power) - 1);
            let nanos = (u128::from(rest) * 1_000_000_000) >> power;
            let exact = u128::from(seconds) * 1_000_000_000 + nanos;
            let exact = i64::try_from(exact).unwrap_or(i64::MAX);
            prop_assert_eq!(Resolution::new(0x80 | power, 0).time(units).0, exact);
        }

        #[test]
        fn later_units_are_never_earlier_times(tsresol: u8, offset: i64, units: u64, more: u64) {
            let resolution = Resolution::new(tsresol, offset);
            prop_assert!(resolution.time(units.saturating_add(more)) >= resolution.time(units));
        }
    }
}
