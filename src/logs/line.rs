//! The time at the start of a line, in the forms that servers write.

use crate::time::{Span, Timestamp};

/// How a log writes its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `2017-05-20 19:43:21.805`, with a blank or a `T`: a Cisco Meeting Server's event log, and many others.
    Rfc3339,
    /// The same with `Z` or an offset from UTC (RFC 3339): coturn with `--new-log-timestamp`.
    Rfc3339Zone,
    /// `<134>May 20 19:43:21 host …`, with or without the priority (RFC 3164): no year, no zone.
    Syslog3164,
    /// `<134>1 2017-05-20T19:43:21.805Z host …` (RFC 5424).
    Syslog5424,
    /// `123: …` or `123: : …`: seconds since the server began, as coturn writes by itself.
    Elapsed,
}

impl Format {
    /// How reports call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Rfc3339 | Format::Rfc3339Zone => "dates and times",
            Format::Syslog3164 => "syslog (RFC 3164)",
            Format::Syslog5424 => "syslog (RFC 5424)",
            Format::Elapsed => "seconds since the server began",
        }
    }
}

/// A line with its time taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written<'a> {
    /// The time; of a line without zone, as if it were UTC; of [`Format::Elapsed`], counted from 1970.
    pub time: Timestamp,
    /// How it is written.
    pub format: Format,
    /// What follows it.
    pub rest: &'a str,
}

/// Reads times line by line: of those without a year it keeps the year.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    year: i16,
    month: Option<i8>,
}

impl Clock {
    pub(super) fn new(year: i16) -> Self {
        Clock { year, month: None }
    }

    /// The time of a line, if it begins with one.
    pub(super) fn read<'a>(&mut self, line: &'a str) -> Option<Written<'a>> {
        let line = line.trim_start();
        // `[2017-05-20 19:43:21] …`
        let line = line.strip_prefix('[').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(line);
        let (priority, rest) = match line.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            Some((digits, rest)) if (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) => {
                (true, rest)
            }
            _ => (false, line),
        };
        if priority && let Some(rest) = rest.strip_prefix("1 ") {
            let (time, _, rest) = date_and_time(rest)?;
            return Some(Written { time, format: Format::Syslog5424, rest: rest.trim_start() });
        }
        if let Some((time, zone, rest)) = date_and_time(rest) {
            let format = if zone { Format::Rfc3339Zone } else { Format::Rfc3339 };
            return Some(Written { time, format, rest: rest.trim_start_matches([':', ' ', '\t', ',', ']']) });
        }
        if let Some((time, rest)) = self.month_and_day(rest) {
            return Some(Written { time, format: Format::Syslog3164, rest });
        }
        elapsed(rest)
    }

    /// `May 20 19:43:21`, `May  2 19:43:21`. A month that is before the last by more than half a year is of the next year.
    fn month_and_day<'a>(&mut self, text: &'a str) -> Option<(Timestamp, &'a str)> {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (name, rest) = text.split_at_checked(3)?;
        let (_, month) = MONTHS.iter().zip(1i8..).find(|(known, _)| **known == name)?;
        let (day, rest) = rest.strip_prefix(' ')?.trim_start().split_once(' ')?;
        let day: i8 = day.parse().ok()?;
        // some write the year all the same: `May 20 2017 19:43:21`
        let written = rest.split_once(' ').filter(|(year, _)| year.len() == 4);
        let written = written.and_then(|(year, rest)| Some((year.parse::<i16>().ok()?, rest)));
        let (told, rest) = written.map_or((None, rest), |(year, rest)| (Some(year), rest));
        let (nanos, rest) = time_of_day(rest.trim_start())?;
        match told {
            Some(year) => self.year = year,
            None if self.month.is_some_and(|last| last - month > 6) => self.year = self.year.saturating_add(1),
            None => {}
        }
        self.month = Some(month);
        Some((date(self.year, month, day)?.after(Span(nanos)), rest.trim_start()))
    }
}

/// `2017-05-20 19:43:21.805Z rest`: the time, whether a zone is told, the rest.
fn date_and_time(text: &str) -> Option<(Timestamp, bool, &str)> {
    let (day, rest) = text.split_at_checked(10)?;
    let mut parts = day.split(['-', '/']);
    let (year, month, of_month) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || month.len() != 2 || of_month.len() != 2 {
        return None;
    }
    let midnight = date(year.parse().ok()?, month.parse().ok()?, of_month.parse().ok()?)?;
    let (nanos, rest) = time_of_day(rest.strip_prefix(['T', 't', ' ', '_', '\t'])?)?;
    let time = midnight.after(Span(nanos));
    match zone(rest) {
        Some((offset, rest)) => Some((time.before(offset), true, rest)),
        None => Some((time, false, rest)),
    }
}

/// `19:43:21.805` as nanoseconds since midnight; a comma before the fraction is as good.
fn time_of_day(text: &str) -> Option<(i64, &str)> {
    let (clock, rest) = text.split_at_checked(8)?;
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = clock.as_bytes() else { return None };
    let two = |one: u8, other: u8| {
        let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
        Some(digit(one)? * 10 + digit(other)?)
    };
    let (hours, minutes, secs) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    if hours > 23 || minutes > 59 || secs > 60 {
        return None;
    }
    let nanos = (hours * 3600 + minutes * 60 + secs) * 1_000_000_000;
    let Some(fraction) = rest.strip_prefix(['.', ',']) else { return Some((nanos, rest)) };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = fraction.split_at_checked(digits).filter(|_| digits > 0)?;
    let number: i64 = format!("{:0<9}", number.get(..9).unwrap_or(number)).parse().ok()?;
    Some((nanos + number, rest))
}

/// `Z`, `+02:00`, `+0200`, ` UTC`: the offset from UTC.
fn zone(text: &str) -> Option<(Span, &str)> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return Some((Span(0), rest));
    }
    if let Some(rest) = text.strip_prefix(" UTC").or_else(|| text.strip_prefix(" GMT")) {
        return Some((Span(0), rest));
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = rest.split_at_checked(2)?;
    let (minutes, rest) = rest.strip_prefix(':').unwrap_or(rest).split_at_checked(2)?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some((Span::from_secs(sign * (hours * 3600 + minutes * 60)), rest))
}

/// `123: rest` and `123: : rest`.
fn elapsed(text: &str) -> Option<Written<'_>> {
    let (number, rest) = text.split_once(": ")?;
    if number.is_empty() || number.len() > 10 {
        return None;
    }
    let time = Timestamp(digits(number)?.checked_mul(1_000_000_000)?);
    let rest = rest.strip_prefix(": ").unwrap_or(rest);
    Some(Written { time, format: Format::Elapsed, rest })
}

/// The day of the month of a time, in UTC.
pub(super) fn day_of_month(at: Timestamp) -> Option<i8> {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.0)).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).day())
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Seconds with up to nine decimals, as nanoseconds.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let nanos = digits(fraction).filter(|_| fraction.len() <= 9)?;
    let scale = 10i64.checked_pow(9 - u32::try_from(fraction.len()).ok()?)?;
    digits(whole)?.checked_mul(1_000_000_000)?.checked_add(nanos.checked_mul(scale)?)
}

fn date(year: i16, month: i8, day: i8) -> Option<Timestamp> {
    let date = jiff::civil::Date::new(year, month, day).ok()?;
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    i64::try_from(midnight.timestamp().as_nanosecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time in UTC, the format and what follows.
    fn read(line: &str) -> Option<(String, Format, &str)> {
        let Written { time, format, rest } = Clock::new(2017).read(line)?;
        let at = jiff::Timestamp::from_nanosecond(i128::from(time.0)).unwrap();
        Some((at.to_string(), format, rest))
    }

    #[test]
    fn every_form_of_time_is_read() {
        let at = |text: &str| text.to_owned();
        for (line, expected) in [
            ("2017-05-20 19:43:21.805 Warning x", (at("2017-05-20T19:43:21.805Z"), Format::Rfc3339, "Warning x")),
            (
                "2026-11-21T09:10:46+0000: session 1: x",
                (at("2026-11-21T09:10:46Z"), Format::Rfc3339Zone, "session 1: x"),
            ),
            ("2026-11-21T09:10:46.5-02:30 x", (at("2026-11-21T11:40:46.5Z"), Format::Rfc3339Zone, "x")),
            ("2026-11-21 09:10:46,250 INFO x", (at("2026-11-21T09:10:46.25Z"), Format::Rfc3339, "INFO x")),
            (
                "<134>1 2017-05-20T19:43:21.8Z cms app - - - x",
                (at("2017-05-20T19:43:21.8Z"), Format::Syslog5424, "cms app - - - x"),
            ),
            ("<134>May 20 19:43:21 cms x: y", (at("2017-05-20T19:43:21Z"), Format::Syslog3164, "cms x: y")),
            ("May  2 19:43:21 cms x", (at("2017-05-02T19:43:21Z"), Format::Syslog3164, "cms x")),
            ("123: session 001: x", (at("1970-01-01T00:02:03Z"), Format::Elapsed, "session 001: x")),
            ("3: : ERROR: x", (at("1970-01-01T00:00:03Z"), Format::Elapsed, "ERROR: x")),
        ] {
            assert_eq!(read(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for line in [
            "",
            "x",
            "2017-13-20 19:43:21 x",
            "2017-05-20",
            "2017-05-20 24:00:00",
            "May 32 19:43:21 x",
            "call 6: x",
            "<x>May 20",
            "12345678901: x",
            "+1: x",
            "2017-05-20 19:43:2",
            "日本-05-20 19:43:21",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn a_year_that_is_not_written_goes_on_after_december() {
        let mut clock = Clock::new(2017);
        let year = |written: Option<Written<'_>>| {
            jiff::Timestamp::from_nanosecond(i128::from(written.unwrap().time.0)).unwrap().to_string()[..4].to_owned()
        };
        assert_eq!(year(clock.read("Dec 31 23:59:59 x y")), "2017");
        assert_eq!(year(clock.read("Jan  1 00:00:01 x y")), "2018");
    }

    #[test]
    fn times_come_in_brackets_behind_tabs_and_with_a_year_where_syslog_has_none() {
        let at = |line: &str| {
            let written = Clock::new(2017).read(line).unwrap_or_else(|| panic!("{line}"));
            (jiff::Timestamp::from_nanosecond(i128::from(written.time.0)).unwrap().to_string(), written.rest.to_owned())
        };
        for line in [
            "2017-05-20\t19:43:21\tWarning\tcall 6",
            "[2017-05-20 19:43:21] Warning\tcall 6",
            "May 20 2017 19:43:21 Warning\tcall 6",
            "<134>May 20 19:43:21 Warning\tcall 6",
            "2017-05-20 19:43:21,000 Warning\tcall 6",
            "2017-05-20T21:43:21+02:00 Warning\tcall 6",
        ] {
            assert_eq!(at(line), ("2017-05-20T19:43:21Z".to_owned(), "Warning\tcall 6".to_owned()), "{line}");
        }
        assert!(Clock::new(2017).read("[info] nothing").is_none());
    }
}
