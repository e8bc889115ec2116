//! Lines of logs: beside the findings that explain them, and those that are about the same clients and servers.

use super::page::{Page, Tint, count};
use crate::render::id_of;
use crate::report::{Finding, LogFile, LogLine, LogOffset, Report, base_name};
use crate::time::Span;

/// Lines of the section.
const ROWS: usize = 12;
/// Lines of a finding.
const QUOTED: usize = 3;

/// The lines that a finding explains.
pub(super) fn of_finding(page: &mut Page<'_>, finding: &Finding) {
    let shown = page.limit(QUOTED).min(finding.logs.len());
    for line in finding.logs.iter().take(shown) {
        let text = format!("{} line {}: {}", base_name(&line.file), line.line, told(page, line));
        page.item(4, "Log:", Some(Tint::Note), &text);
    }
    page.more(4, shown, finding.logs_total);
}

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    if report.log_files.is_empty() {
        return;
    }
    page.heading("Logs", "");
    for file in &report.log_files {
        let text = summary(file);
        page.item(2, &format!("{}:", file.file), None, &text);
    }
    let shown = page.limit(ROWS).min(report.logs.len());
    let several = report.log_files.len() > 1;
    for line in report.logs.iter().take(shown) {
        let mut text = told(page, line);
        if several {
            text = format!("{} {text}", base_name(&line.file));
        }
        if let Some(finding) = &line.finding {
            text += &format!(" ({})", id_of(finding));
        }
        page.item(4, &line.line.to_string(), Some(Tint::Dim), &text);
    }
    page.more(4, shown, report.logs.len() as u64 + report.left_out("logs"));
}

fn told(page: &Page<'_>, line: &LogLine) -> String {
    format!("{} {}", page.options.clock.show(line.time), line.text)
}

pub(in crate::render) fn summary(file: &LogFile) -> String {
    let Some(format) = &file.format else { return "no line with a time in a form that is known".to_owned() };
    let lines = format!("{}, {} about this", count(file.lines, "line", "lines"), file.relevant);
    let shift = file.offset_us.map(Span::from_micros).unwrap_or_default();
    let moved = |why: &str| match shift.0 {
        0 => why.to_owned(),
        _ => format!("{} {why}", signed(shift)),
    };
    let clock = match file.offset_from {
        None => "which nothing in the captures fits; give --log-offset to place them".to_owned(),
        Some(LogOffset::Given) => moved("as given"),
        Some(LogOffset::Zone) => "whose zone is written".to_owned(),
        Some(LogOffset::Assumed) => "taken for UTC, since they name no zone".to_owned(),
        Some(LogOffset::Capture) => moved("as the clock of one of the captures"),
        // seconds since the start have no offset that anybody could read
        Some(LogOffset::Estimated) if format.starts_with("seconds") => {
            format!("placed by {}", count(file.matched, "line that fits the packets", "lines that fit the packets"))
        }
        Some(LogOffset::Estimated) => {
            moved(&format!("by {}", count(file.matched, "line that fits the packets", "lines that fit the packets")))
        }
    };
    let cut = if file.cut { "; its end was not read, since it is too large" } else { "" };
    format!("{format}, {clock}; {lines}{cut}")
}

/// `+2:00:00`, `-0:00:01.5`.
fn signed(span: Span) -> String {
    let millis = span.0 / 1_000_000;
    let sign = if millis < 0 { '-' } else { '+' };
    let millis = millis.unsigned_abs();
    let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
    let fraction = if millis.is_multiple_of(1000) { String::new() } else { format!(".{:03}", millis % 1000) };
    format!("{sign}{hours}:{minutes:02}:{seconds:02}{fraction}")
}
