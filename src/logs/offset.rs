//! How far a log's clock is from the capture's: given, told by its zone, or estimated from what both tell.

use super::words::Said;
use super::{Line, LogFile};
use crate::time::{Span, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// How many lines and how many events are compared.
const MAX_COMPARED: usize = 400;
/// Two that are the same happen within this much of each other: logs are written in whole seconds, some time after the packet.
const NEAR: i64 = 1_500_000_000;
/// A difference of time zones is a multiple of a quarter of an hour.
const QUARTER: i64 = 900_000_000_000;
/// Zones are so far from UTC at most.
const FARTHEST: i64 = 14 * 3_600_000_000_000;
/// So many events that fit together make sure of a difference that is none of time zones.
const ENOUGH: usize = 3;

/// Something that the capture shows and that a server writes down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The error code that was answered; `None` for a success.
    pub code: Option<u16>,
    /// The user that asked; empty for none.
    pub user: String,
    /// The realm.
    pub realm: String,
    /// The method in the words of coturn's log, for successes: `ALLOCATE`.
    pub method: String,
}

impl Event {
    /// The event that a line tells of.
    #[must_use]
    pub fn of_line(line: &Line) -> Option<Event> {
        let said = Said::of(&line.text);
        // of what it does not write with its code a quiet coturn writes this
        let code = said.code.or_else(|| said.refused.then_some(401));
        if code.is_none() && said.granted.is_none() {
            return None;
        }
        Some(Event {
            at: line.written,
            code,
            user: said.user.unwrap_or_default(),
            realm: said.realm.unwrap_or_default(),
            method: said.granted.unwrap_or_default(),
        })
    }

    /// Whether a line may tell of it. A log says of errors no more than "message".
    fn is_same(&self, told: &Event) -> bool {
        let method = told.code.is_some() || self.method == told.method;
        let realm = told.realm.is_empty() || self.realm.is_empty() || self.realm == told.realm;
        self.code == told.code && self.user == told.user && method && realm
    }
}

/// Where the offset of a log comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "LogOffset")]
pub enum Source {
    /// It was given.
    Given,
    /// The log's times name their zone.
    Zone,
    /// What the log tells fits the captures so.
    Estimated,
    /// The same, and it is the clock of one of several captures.
    Capture,
    /// The log's times name no zone, and were taken for UTC.
    Assumed,
}

/// What is added to the times of a log to have those of the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// What is added.
    pub span: Span,
    /// Where it comes from.
    pub source: Source,
    /// How many lines of the log fit events of the capture, where it was estimated by them.
    pub matched: usize,
}

impl Offset {
    /// One that nothing in the captures tells.
    #[must_use]
    pub fn untold(span: Span, source: Source) -> Offset {
        Offset { span, source, matched: 0 }
    }
}

/// The offset of a log, from what it and the capture both tell. `None` where nothing fits and its times are not even those of a calendar.
///
/// `clocks` is what was added to the times of captures to line them up: a server's log may have the clock of the capture that was taken there.
#[must_use]
pub fn estimate(file: &LogFile, events: &[Event], clocks: &[Span]) -> Option<Offset> {
    let told: Vec<Event> = file.lines.iter().filter_map(Event::of_line).take(MAX_COMPARED).collect();
    let mut differences: Vec<i64> = told
        .iter()
        .flat_map(|told| {
            let same = events.iter().take(MAX_COMPARED).filter(|event| event.is_same(told));
            same.map(|event| event.at.since(told.at).0)
        })
        .collect();
    differences.sort_unstable();
    // the difference that most pairs have; of several, the one that is nearest to none
    let mut best: Option<(usize, i64)> = None;
    let mut start = 0;
    for (end, &last) in differences.iter().enumerate() {
        while differences.get(start).is_some_and(|&first| last.saturating_sub(first) > NEAR) {
            start += 1;
        }
        let count = end + 1 - start;
        let middle = differences.get(start + count / 2).copied().unwrap_or(last);
        let better =
            best.is_none_or(|(known, at)| count > known || count == known && middle.unsigned_abs() < at.unsigned_abs());
        if better {
            best = Some((count, middle));
        }
    }
    // one line may fit several events: what counts is lines
    let lines = |offset: i64| {
        let fits = |told: &&Event| {
            let near =
                |event: &Event| event.at.since(told.at).0.saturating_sub(offset).unsigned_abs() <= NEAR.unsigned_abs();
            events.iter().take(MAX_COMPARED).any(|event| event.is_same(told) && near(event))
        };
        told.iter().filter(fits).count()
    };
    let zero = lines(0);
    let best = best.map(|(_, difference)| (lines(difference), difference));
    let of_zone = |difference: i64| {
        let zone = difference.saturating_add(QUARTER / 2).div_euclid(QUARTER).saturating_mul(QUARTER);
        let is_one = zone.unsigned_abs() <= FARTHEST.unsigned_abs();
        (is_one && difference.saturating_sub(zone).unsigned_abs() <= NEAR.unsigned_abs()).then_some(zone)
    };
    // as one of the captures, where that fits better than as it stands: whole zones apart, if they are not written
    let of_capture = clocks.iter().filter(|clock| clock.0.unsigned_abs() > NEAR.unsigned_abs() && !file.is_relative());
    let of_capture = of_capture.filter_map(|clock| {
        let (count, difference) = best?;
        let as_it_is = lines(clock.0);
        let zones = (!file.has_zone()).then(|| of_zone(difference.saturating_sub(clock.0))).flatten();
        match zones {
            _ if as_it_is > 0 => Some((as_it_is, *clock)),
            Some(zones) => Some((count, Span(clock.0.saturating_add(zones)))),
            None => None,
        }
    });
    if let Some((count, span)) = of_capture.max_by_key(|(count, _)| *count).filter(|(count, _)| *count > zero) {
        return Some(Offset { span, source: Source::Capture, matched: count });
    }
    let assumed = Offset::untold(Span(0), if file.has_zone() { Source::Zone } else { Source::Assumed });
    let estimated = |span: i64, matched| Offset { span: Span(span), source: Source::Estimated, matched };
    match best {
        // as it stands it fits as well as in any other way
        Some((count, _)) if zero > 0 && zero >= count && !file.is_relative() => {
            Some(if file.has_zone() { assumed } else { estimated(0, zero) })
        }
        Some((count, difference)) if file.is_relative() || count >= ENOUGH => {
            let span = of_zone(difference).filter(|_| !file.is_relative()).unwrap_or(difference);
            Some(estimated(span, count))
        }
        // one or two that are apart by a difference of zones, and by no other
        Some((count, difference)) if !file.has_zone() && of_zone(difference).is_some() => {
            Some(estimated(of_zone(difference).unwrap_or_default(), count))
        }
        _ => (!file.is_relative()).then_some(assumed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    /// 2026-11-21T09:10:46Z
    const AT: i64 = 1_795_252_246 * SECOND;

    fn event(after_ms: i64, code: Option<u16>, user: &str, method: &str) -> Event {
        let at = Timestamp(AT + after_ms * 1_000_000);
        Event { at, code, user: user.to_owned(), realm: "r".to_owned(), method: method.to_owned() }
    }

    fn events() -> Vec<Event> {
        vec![
            event(0, Some(401), "", ""),
            event(20, Some(401), "bob", ""),
            event(5_000, Some(401), "", ""),
            event(5_020, None, "bob", "ALLOCATE"),
        ]
    }

    fn log(stamps: [&str; 4]) -> LogFile {
        let lines = [
            "session 1: realm <r> user <>: incoming packet message processed, error 401: Unauthorized",
            "session 1: realm <r> user <bob>: incoming packet message processed, error 401: Unauthorized",
            "session 2: realm <r> user <>: incoming packet message processed, error 401: Unauthorized",
            "session 2: realm <r> user <bob>: incoming packet ALLOCATE processed, success",
        ];
        let text: Vec<String> = stamps.iter().zip(lines).map(|(stamp, line)| format!("{stamp}{line}")).collect();
        LogFile::read(text.join("\n").as_bytes(), "turn.log", 2026)
    }

    #[test]
    fn a_log_in_utc_needs_no_offset() {
        let file =
            log(["2026-11-21 09:10:46 ", "2026-11-21 09:10:46 ", "2026-11-21 09:10:51 ", "2026-11-21 09:10:51 "]);
        assert_eq!(
            estimate(&file, &events(), &[]),
            Some(Offset { span: Span(0), source: Source::Estimated, matched: 4 })
        );
        let file =
            log(["2026-11-21T09:10:46Z ", "2026-11-21T09:10:46Z ", "2026-11-21T09:10:51Z ", "2026-11-21T09:10:51Z "]);
        assert_eq!(estimate(&file, &events(), &[]).unwrap().source, Source::Zone);
    }

    #[test]
    fn a_log_of_another_zone_is_put_right_by_whole_quarters() {
        let file =
            log(["2026-11-21 11:10:46 ", "2026-11-21 11:10:46 ", "2026-11-21 11:10:51 ", "2026-11-21 11:10:51 "]);
        let offset = estimate(&file, &events(), &[]).unwrap();
        assert_eq!(offset, Offset { span: Span(-7200 * SECOND), source: Source::Estimated, matched: 4 });
        let one = LogFile { lines: file.lines[1..2].to_vec(), ..file };
        assert_eq!(estimate(&one, &events(), &[]).unwrap().span, Span(-7200 * SECOND));
    }

    #[test]
    fn seconds_since_the_start_are_placed_where_they_fit() {
        let file = log(["3: : ", "3: : ", "8: : ", "8: : "]);
        let offset = estimate(&file, &events(), &[]).unwrap();
        let error = (offset.span.0 + 3 * SECOND - AT).abs();
        assert!(error < SECOND && (offset.source, offset.matched) == (Source::Estimated, 4), "{offset:?}");
        assert_eq!(estimate(&file, &[], &[]), None);
    }

    #[test]
    fn a_clock_that_is_wrong_takes_several_events() {
        let file =
            log(["2026-11-21 09:12:03 ", "2026-11-21 09:12:03 ", "2026-11-21 09:12:08 ", "2026-11-21 09:12:08 "]);
        let offset = estimate(&file, &events(), &[]).unwrap();
        let error = (offset.span.0 + 77 * SECOND).abs();
        assert!(error < SECOND && (offset.source, offset.matched) == (Source::Estimated, 4), "{offset:?}");
        let one = LogFile { lines: file.lines[1..2].to_vec(), ..file };
        assert_eq!(estimate(&one, &events(), &[]).unwrap(), Offset::untold(Span(0), Source::Assumed));
    }

    #[test]
    fn a_log_with_the_clock_of_a_capture_is_placed_by_a_single_line() {
        let clock = Span(-77 * SECOND);
        let file =
            log(["2026-11-21 09:12:03 ", "2026-11-21 09:12:03 ", "2026-11-21 09:12:08 ", "2026-11-21 09:12:08 "]);
        let one = LogFile { lines: file.lines[1..2].to_vec(), ..file };
        let offset = estimate(&one, &events(), &[Span(0), clock]).unwrap();
        assert_eq!(offset, Offset { span: clock, source: Source::Capture, matched: 1 });
        // the same clock, written in another zone
        let file =
            log(["2026-11-21 11:12:03 ", "2026-11-21 11:12:03 ", "2026-11-21 11:12:08 ", "2026-11-21 11:12:08 "]);
        let offset = estimate(&file, &events(), &[clock]).unwrap();
        assert_eq!(offset, Offset { span: Span((-7200 - 77) * SECOND), source: Source::Capture, matched: 4 });
        let zoned =
            log(["2026-11-21T09:12:03Z ", "2026-11-21T09:12:03Z ", "2026-11-21T09:12:08Z ", "2026-11-21T09:12:08Z "]);
        assert_eq!(estimate(&zoned, &events(), &[clock]).unwrap().source, Source::Capture);
        // what is right as it stands stays so
        let right =
            log(["2026-11-21 09:10:46 ", "2026-11-21 09:10:46 ", "2026-11-21 09:10:51 ", "2026-11-21 09:10:51 "]);
        assert_eq!(estimate(&right, &events(), &[clock]).unwrap().span, Span(0));
    }
}
