//! How times are shown to people: in UTC, in local time, or relative to the start of the capture.

use crate::report::Time;
use crate::time::{Span, Timestamp};
use jiff::tz::TimeZone;

/// How times are shown in text. JSON is always UTC.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// `2024-05-01 12:00:00.123456Z`.
    #[default]
    Utc,
    /// `2024-05-01 14:00:00.123456+02`, by the rules of this zone.
    Local(TimeZone),
    /// `12.123456`: seconds since this time.
    Relative(Timestamp),
}

impl Clock {
    /// Date and time, or seconds since the origin.
    #[must_use]
    pub fn show(&self, time: Time) -> String {
        match self {
            Clock::Utc => {
                let mut text = time.to_string();
                if let Some(t) = text.find('T') {
                    text.replace_range(t..=t, " ");
                }
                text
            }
            Clock::Local(zone) => local(time, zone),
            Clock::Relative(origin) => seconds(time.at.since(*origin), time.digits),
        }
    }
}

fn local(time: Time, zone: &TimeZone) -> String {
    let Ok(instant) = jiff::Timestamp::from_nanosecond(i128::from(time.at.0)) else {
        return time.to_string();
    };
    let zoned = instant.to_zoned(zone.clone());
    let mut text = zoned.strftime("%Y-%m-%d %H:%M:%S").to_string();
    fraction(&mut text, time.at.0.rem_euclid(1_000_000_000).unsigned_abs(), time.digits);
    text.push_str(&zoned.strftime("%:z").to_string());
    text
}

/// A span as seconds with a fixed number of digits: `12.123456`, `-0.5`.
#[must_use]
pub fn seconds(span: Span, digits: u8) -> String {
    let sign = if span.0 < 0 { "-" } else { "" };
    let nanos = span.0.unsigned_abs();
    let mut text = format!("{sign}{}", nanos / 1_000_000_000);
    fraction(&mut text, nanos % 1_000_000_000, digits);
    text
}

/// A time as what passed since another: `+12.123456`, or `-0.002160` where a capture has it before that.
#[must_use]
pub fn since(start: Time, time: Time) -> String {
    let passed = time.at.since(start.at);
    format!("{}{}", if passed.0 < 0 { "" } else { "+" }, seconds(passed, time.digits.min(6)))
}

fn fraction(text: &mut String, nanos: u64, digits: u8) {
    let digits = digits.min(9);
    if digits > 0 {
        let value = nanos / 10_u64.pow(9 - u32::from(digits));
        text.push_str(&format!(".{value:0width$}", width = usize::from(digits)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Time = Time { at: Timestamp(1_714_564_800_123_456_789), digits: 6 };

    #[test]
    fn utc_is_a_date_and_a_time_with_a_z() {
        assert_eq!(Clock::Utc.show(AT), "2024-05-01 12:00:00.123456Z");
    }

    #[test]
    fn local_time_says_how_far_it_is_from_utc() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(Clock::Local(zone).show(AT), "2024-05-01 14:00:00.123456+02:00");
    }

    #[test]
    fn relative_time_counts_seconds_from_its_origin() {
        assert_eq!(Clock::Relative(Timestamp(1_714_564_788_000_000_000)).show(AT), "12.123456");
        assert_eq!(seconds(Span(-500_000_000), 1), "-0.5");
        assert_eq!(seconds(Span(7), 0), "0");
    }

    #[test]
    fn what_passed_has_one_sign() {
        let later = Time { at: Timestamp(AT.at.0 + 2_160_000), ..AT };
        assert_eq!([since(AT, later), since(later, AT), since(AT, AT)], ["+0.002160", "-0.002160", "+0.000000"]);
    }
}
