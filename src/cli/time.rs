//! `--from` and `--to`: points in time as people write them.

use crate::time::{Span, Timestamp};
use jiff::tz::TimeZone;

/// A point in time, perhaps one that only the capture makes definite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A date and time with its offset from UTC.
    At(Timestamp),
    /// Nanoseconds after midnight, on the day on which the capture starts.
    OfDay(i64),
    /// Nanoseconds after the capture's first frame.
    AfterStart(i64),
}

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

impl Moment {
    /// Reads `2024-05-01T12:00:00Z`, `12:00:00`, `12:00:00.5` or `+12.5`; `None` for what is none of these.
    pub(super) fn parse(text: &str) -> Option<Moment> {
        if let Some(seconds) = text.strip_prefix('+') {
            return fixed_point(seconds).map(Moment::AfterStart);
        }
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return i64::try_from(instant.as_nanosecond()).ok().map(|nanos| Moment::At(Timestamp(nanos)));
        }
        let mut parts = text.splitn(3, ':');
        let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
        let hours: i64 = two_digits(hours).filter(|hours| *hours < 24)?;
        let minutes: i64 = two_digits(minutes).filter(|minutes| *minutes < 60)?;
        let seconds = fixed_point(seconds).filter(|seconds| *seconds < 60 * SECOND)?;
        Some(Moment::OfDay((hours * 60 + minutes) * 60 * SECOND + seconds))
    }

    /// Whether it is before another whatever the capture; a time of day may be that of the next day.
    pub(super) fn is_always_before(self, other: Moment) -> bool {
        match (self, other) {
            (Moment::At(one), Moment::At(other)) => one < other,
            (Moment::AfterStart(one), Moment::AfterStart(other)) => one < other,
            _ => false,
        }
    }

    /// The time that is meant in a capture whose first frame has this time. A time of day is that of the zone; it is on the day of the first
    /// frame, or on the next day if it would be more than half a day before it.
    pub(super) fn resolve(self, start: Timestamp, zone: &TimeZone) -> Timestamp {
        match self {
            Moment::At(time) => time,
            Moment::AfterStart(nanos) => start.after(Span(nanos)),
            Moment::OfDay(nanos) => {
                let offset = jiff::Timestamp::from_nanosecond(i128::from(start.0))
                    .map_or(0, |start| i64::from(zone.to_offset(start).seconds()) * SECOND);
                let midnight =
                    (start.0.saturating_add(offset)).div_euclid(DAY).saturating_mul(DAY).saturating_sub(offset);
                let time = Timestamp(midnight.saturating_add(nanos));
                if start.since(time) > Span(DAY / 2) { time.after(Span(DAY)) } else { time }
            }
        }
    }
}

/// The times that are meant in such a capture: of two times of day the first is before the second, if need be on the day before.
pub(super) fn range(
    from: Option<Moment>,
    to: Option<Moment>,
    start: Timestamp,
    zone: &TimeZone,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let times = [from, to].map(|moment| moment.map(|moment| moment.resolve(start, zone)));
    match (from, to, times) {
        (Some(Moment::OfDay(_)), Some(Moment::OfDay(_)), [Some(begin), Some(end)]) if end < begin => {
            let day = |days: i64| Span(days * DAY);
            // what is over before the capture starts is not meant
            let (begin, end) = if end < start { (begin, end.after(day(1))) } else { (begin.after(day(-1)), end) };
            (Some(begin), Some(end))
        }
        (_, _, [from, to]) => (from, to),
    }
}

fn two_digits(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 2 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Seconds with up to nine decimals, as nanoseconds.
fn fixed_point(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(SECOND)?.checked_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-05-01T23:50:00Z
    const START: Timestamp = Timestamp(1_714_607_400 * SECOND);

    fn resolved(text: &str) -> i64 {
        let moment = Moment::parse(text).expect(text);
        (moment.resolve(START, &TimeZone::UTC).0 - START.0) / 1_000_000
    }

    #[test]
    fn a_date_and_time_is_itself() {
        assert_eq!(resolved("2024-05-01T23:50:01.5Z"), 1500);
        assert_eq!(resolved("2024-05-02T01:50:00+02:00"), 0);
        assert_eq!(resolved("2024-05-01 23:50:00Z"), 0);
    }

    #[test]
    fn seconds_are_counted_from_the_first_frame() {
        assert_eq!(resolved("+12.5"), 12_500);
        assert_eq!(resolved("+0"), 0);
    }

    #[test]
    fn a_time_of_day_is_on_the_day_of_the_capture_or_after_its_midnight() {
        assert_eq!(resolved("23:50:02"), 2000);
        assert_eq!(resolved("23:49"), -60_000);
        assert_eq!(resolved("00:10:00"), 20 * 60_000);
        let moment = Moment::parse("01:50:00").unwrap();
        assert_eq!(moment.resolve(START, &TimeZone::fixed(jiff::tz::offset(2))), START);
    }

    #[test]
    fn a_range_of_times_of_day_may_hold_midnight() {
        let hour = 3600 * SECOND;
        let midnight = START.0 + 600 * SECOND;
        let ranged = |from, to, start: i64| {
            let (from, to) = range(Moment::parse(from), Moment::parse(to), Timestamp(start), &TimeZone::UTC);
            (from.map(|from| (from.0 - midnight) / hour), to.map(|to| (to.0 - midnight) / hour))
        };
        assert_eq!(ranged("22:00", "02:00", START.0 - 13 * hour), (Some(-2), Some(2)));
        assert_eq!(ranged("22:00", "02:00", START.0 - hour), (Some(-2), Some(2)));
        assert_eq!(ranged("22:00", "02:00", midnight + 1), (Some(-2), Some(2)));
        assert_eq!(ranged("02:00", "22:00", midnight + 1), (Some(2), Some(22)));
        assert_eq!(ranged("22:00", "+0", midnight), (Some(22), Some(0)));
    }

    #[test]
    fn times_are_before_others_only_where_no_capture_can_change_it() {
        let before = |one, other| Moment::parse(one).unwrap().is_always_before(Moment::parse(other).unwrap());
        assert!(before("2024-05-01T12:00:00Z", "2024-05-01T14:00:01+02:00"));
        assert!(before("+1", "+1.5"));
        assert!(!before("+1", "+1"));
        assert!(!before("02:00", "22:00"));
        assert!(!before("2024-05-01T12:00:00Z", "+5"));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "+", "+-1", "25:00:00", "12:61", "yesterday", "12", "+1.0000000001", "2024-05-01", "+99999999999999"]
        {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }

    #[test]
    fn extreme_starts_do_not_overflow() {
        for start in [i64::MIN, i64::MAX] {
            for text in ["12:00:00", "+9000000000", "00:00"] {
                Moment::parse(text).unwrap().resolve(Timestamp(start), &TimeZone::UTC);
            }
        }
    }
}
