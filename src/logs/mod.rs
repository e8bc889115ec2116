//! Logs of servers beside the packets: lines of text with a time, put on the capture's timeline.
//!
//! ```text
//! file ─▶ line: time in one of the known forms, text with secrets taken out ─▶ LogFile
//!                                    events of the capture ─▶ offset: how far its clock is from the capture's
//! ```
//!
//! A line that bears no time belongs to the one before it and has its time. What a line says is looked at in [`words`], and nowhere else.

mod line;
mod offset;
mod redact;
pub mod words;

pub use line::{Format, Written};
pub use offset::{Event, Offset, Source, estimate};

use crate::time::{Span, Timestamp};
use line::Clock;

/// How many bytes of a file are read.
pub const MAX_FILE: usize = 64 << 20;
/// How many lines of a file are kept.
const MAX_LINES: usize = 200_000;
/// How many characters of a line are kept.
const MAX_TEXT: usize = 400;

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: u64,
    /// The time that stands on it, as far as it is known: of a log without dates it counts from the start of the program.
    pub written: Timestamp,
    /// Its text without the time, what looks like a secret replaced, control characters taken out; at most 400 characters.
    pub text: String,
}

/// A log that was read.
#[derive(Clone, Debug, Default)]
pub struct LogFile {
    /// Its path.
    pub path: String,
    /// How its times are written, by the first line that has one.
    pub format: Option<Format>,
    /// The lines that bear a time, and those that follow one.
    pub lines: Vec<Line>,
    /// Lines without any time before them, and those beyond what is kept.
    pub passed_over: u64,
    /// Whether bytes at the end were not read.
    pub cut: bool,
}

impl LogFile {
    /// Reads a log. Bytes that are no UTF-8 are replaced. `year` is that of the capture: some logs do not write it.
    #[must_use]
    pub fn read(bytes: &[u8], path: &str, year: i16) -> LogFile {
        let cut = bytes.len() > MAX_FILE;
        let bytes = bytes.get(..MAX_FILE).unwrap_or(bytes);
        let mut file = LogFile { path: path.to_owned(), cut, ..LogFile::default() };
        let mut clock = Clock::new(year);
        let mut last = None;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        for (raw, number) in bytes.split(|&byte| byte == b'\n').zip(1u64..) {
            let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
            if raw.is_empty() {
                continue;
            }
            // what follows of a line that is too long is passed over
            let text = String::from_utf8_lossy(raw.get(..4 * MAX_TEXT).unwrap_or(raw));
            let (written, rest) = match clock.read(&text) {
                Some(Written { time, format, rest }) => {
                    file.format.get_or_insert(format);
                    last = Some(time);
                    (time, rest)
                }
                None => match last {
                    Some(time) => (time, text.as_ref()),
                    None => {
                        file.passed_over += 1;
                        continue;
                    }
                },
            };
            if file.lines.len() >= MAX_LINES {
                file.passed_over += 1;
                continue;
            }
            file.lines.push(Line { number, written, text: tidy(rest) });
        }
        file
    }

    /// The same log a year earlier, if its times do not write the year and only so reach the time from `first` to `last`: it was read with the year
    /// of the capture, and may begin in the December before.
    #[must_use]
    pub fn a_year_earlier(&self, first: Timestamp, last: Timestamp) -> Option<LogFile> {
        const DAY: i64 = 86_400;
        if self.format != Some(Format::Syslog3164) {
            return None;
        }
        let near = |at: Timestamp| first.after(Span::from_secs(-DAY)) <= at && at <= last.after(Span::from_secs(DAY));
        if self.lines.iter().any(|line| near(line.written)) {
            return None;
        }
        [365, 366].into_iter().find_map(|days| {
            let earlier = |at: Timestamp| at.after(Span::from_secs(-days * DAY));
            let begins = earlier(self.lines.first()?.written);
            let fits = begins <= last && self.lines.iter().any(|line| near(earlier(line.written)));
            // a day more or less shows in the day of the month
            let same_day = line::day_of_month(begins) == line::day_of_month(self.lines.first()?.written);
            let moved = |line: &Line| Line { written: earlier(line.written), ..line.clone() };
            (fits && same_day).then(|| LogFile { lines: self.lines.iter().map(moved).collect(), ..self.clone() })
        })
    }

    /// Whether its times say no more than how long the server runs.
    #[must_use]
    pub fn is_relative(&self) -> bool {
        self.format == Some(Format::Elapsed)
    }

    /// Whether its times say which zone they are of.
    #[must_use]
    pub fn has_zone(&self) -> bool {
        matches!(self.format, Some(Format::Rfc3339Zone | Format::Syslog5424))
    }
}

/// The text of a line as it is kept.
fn tidy(text: &str) -> String {
    let redacted = redact::redact(text.trim());
    let plain = redacted.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut kept: String = plain.take(MAX_TEXT).collect();
    if redacted.chars().nth(MAX_TEXT).is_some() {
        kept.push('…');
    }
    kept
}

/// Reads `--log-offset`: seconds (`-2.5`, `+3600`) or `±hh:mm:ss`, what is added to the times of a log.
#[must_use]
pub fn parse_offset(text: &str) -> Option<Span> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = rest.split(':');
    let (first, second, third) = (parts.next()?, parts.next(), parts.next());
    if parts.next().is_some() {
        return None;
    }
    let nanos = match (second, third) {
        (None, _) => line::seconds(first)?,
        (Some(minutes), seconds) => {
            let two = |text: &str| text.parse::<i64>().ok().filter(|_| (1..=2).contains(&text.len()));
            let hours = two(first)?;
            let minutes = two(minutes).filter(|&minutes| minutes < 60)?;
            let seconds = seconds.map_or(Some(0), line::seconds).filter(|&nanos| nanos < 60_000_000_000)?;
            (hours * 3600 + minutes * 60).checked_mul(1_000_000_000)?.checked_add(seconds)?
        }
    };
    Some(Span(if negative { -nanos } else { nanos }))
}

/// Reads any bytes as a log. For fuzzing.
#[doc(hidden)]
#[must_use]
pub fn exercise(bytes: &[u8]) -> usize {
    let file = LogFile::read(bytes, "fuzz.log", 2026);
    assert!(file.lines.len() <= MAX_LINES);
    for line in &file.lines {
        assert!(line.text.chars().count() <= MAX_TEXT + 1 && !line.text.contains(char::is_control));
        let _ = words::Said::of(&line.text);
    }
    let events: Vec<Event> = file.lines.iter().take(50).filter_map(Event::of_line).collect();
    let _ = estimate(&file, &events, &[]);
    file.lines.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_seconds_or_hours_minutes_seconds() {
        let seconds = |text: &str| parse_offset(text).map(|span| span.0 as f64 / 1e9);
        for (text, expected) in [
            ("5", Some(5.0)),
            ("-2.5", Some(-2.5)),
            ("+3600", Some(3600.0)),
            ("-02:00:00", Some(-7200.0)),
            ("+1:30", Some(5400.0)),
            ("00:00:01.25", Some(1.25)),
            ("", None),
            ("-", None),
            ("1:60", None),
            ("1:00:60", None),
            ("1:2:3:4", None),
            ("--1", None),
            ("abc", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn lines_without_a_time_follow_the_one_before_them() {
        let file = LogFile::read(
            b"no time\n2017-05-20 19:43:21.805 Warning call 6: ICE failure; relay candidate creation timeout\r\n  more of it\n",
            "cms.log",
            2017,
        );
        assert_eq!((file.passed_over, file.lines.len(), file.format), (1, 2, Some(Format::Rfc3339)));
        assert_eq!(file.lines[0].text, "Warning call 6: ICE failure; relay candidate creation timeout");
        assert_eq!((file.lines[1].number, file.lines[1].text.as_str()), (3, "more of it"));
        assert_eq!(file.lines[1].written, file.lines[0].written);
    }

    #[test]
    fn long_lines_and_control_characters_are_tamed() {
        let text = format!("2017-05-20 19:43:21 \u{1b}[31m{}", "x".repeat(5000));
        let file = LogFile::read(text.as_bytes(), "x.log", 2017);
        assert_eq!(file.lines[0].text.chars().count(), MAX_TEXT + 1);
        assert!(!file.lines[0].text.contains('\u{1b}'));
    }
}
