//! What was given beside the packets, and what of it they show: the deployment, logs, session descriptions, keys; and comments.

use super::super::super::text::{description_name, log_summary, opened, whether_seen};
use super::super::Links;
use super::{Cell, Table, frames, long, mono, number, omitted, optional, table, text, time};
use crate::render::base_name;
use crate::render::clock::Clock;
use crate::report::{Place, Report, Stated, StatedSeen};

/// What was stated of the deployment: what is wrong first.
pub(super) fn deployment(report: &Report, links: &Links) -> Table {
    let mut order: Vec<&Stated> = report.deployment.iter().collect();
    order.sort_by_key(|known| match known.seen {
        StatedSeen::Wrong => 0,
        StatedSeen::Right => 1,
        StatedSeen::NotSeen => 2,
    });
    let rows = order.into_iter().map(|known| {
        let seen = match known.seen {
            StatedSeen::Wrong => text("wrong").classed("bad"),
            StatedSeen::Right => text("right").classed("good"),
            StatedSeen::NotSeen => text("not seen"),
        };
        vec![
            seen,
            long(&known.expected),
            long(known.instead.as_deref().unwrap_or_default()),
            text(&known.file),
            number(known.line),
            frames(&known.places, known.places_total, links),
        ]
    });
    let columns = &["seen", "stated", "seen instead", "file", "line", "frames"];
    table("deployment", "Deployment", columns, rows, omitted(report, "deployment"))
}

/// What each log is, and how its times were placed.
pub(super) fn log_files(report: &Report) -> Table {
    let rows = report.log_files.iter().map(|file| {
        vec![long(&file.file), long(log_summary(file)), number(file.lines), number(file.relevant), number(file.matched)]
    });
    let columns = &["log", "form and clock", "lines", "about this", "fit the packets"];
    table("log-files", "Logs", columns, rows, 0)
}

/// The lines that are about what the captures show.
pub(super) fn logs(report: &Report, clock: &Clock) -> Table {
    let several = report.log_files.len() > 1;
    let rows = report.logs.iter().map(|line| {
        let finding = line.finding.as_deref().map(|key| key.split('/').next().unwrap_or(key));
        vec![
            time(Some(line.time), clock),
            text(if several { base_name(&line.file) } else { "" }),
            number(line.line),
            long(&line.text),
            optional(finding),
        ]
    });
    table("logs", "Lines of the logs", &["time", "log", "line", "text", "finding"], rows, omitted(report, "logs"))
}

/// Session descriptions, and whether checks use them.
pub(super) fn signalling(report: &Report) -> Table {
    let rows = report.signalling.iter().map(|told| {
        let seen = told.candidates.iter().filter(|candidate| candidate.seen == Some(true)).count();
        vec![
            long(description_name(told)),
            mono(&told.ufrag),
            if told.seen { text("yes").classed("good") } else { text("no") },
            optional(told.setup.as_deref()),
            long(told.media.join(" ")),
            number(told.candidates.len() as u64),
            number(seen as u64),
            long(told.fingerprints.join(" ")).classed("long print"),
        ]
    });
    let columns = &["description", "ufrag", "in checks", "setup", "media", "candidates", "seen", "fingerprints"];
    table("signalling", "Session descriptions", columns, rows, omitted(report, "signalling"))
}

/// The candidates in session descriptions.
pub(super) fn signalled_candidates(report: &Report) -> Table {
    let rows = report.signalling.iter().flat_map(|told| {
        told.candidates
            .iter()
            .map(move |candidate| vec![mono(&told.ufrag), text(&candidate.kind), long(whether_seen(candidate))])
    });
    table("signalled", "Candidates told", &["ufrag", "type", "candidate"], rows, 0)
}

/// What keys opened in each capture.
pub(super) fn keys(report: &Report) -> Table {
    let rows = report.captures.iter().filter_map(|capture| {
        let known = capture.decryption.as_ref()?;
        let shut: Vec<String> = known.shut_records.iter().map(|(reason, count)| format!("{count}: {reason}")).collect();
        let class = if shut.is_empty() { "long" } else { "long odd" };
        Some(vec![
            long(capture.path.rsplit('/').next().unwrap_or(&capture.path)),
            long(format!("keys {}", opened(known))),
            number(known.opened_records),
            long(shut.join("; ")).classed(class),
            filled(known.embedded_damaged).classed("number odd"),
        ])
    });
    let columns = &["capture", "what came of them", "records opened", "not opened", "damaged lines in the capture"];
    table("keys", "Keys", columns, rows, 0)
}

/// A number, or nothing for 0.
fn filled(value: u64) -> Cell {
    optional((value > 0).then_some(value))
}

/// Comments in the captures.
pub(super) fn comments(report: &Report, links: &Links) -> Table {
    let rows = report.captures.iter().zip(0..).flat_map(|(capture, index)| {
        capture.comments.iter().map(move |comment| {
            let place = comment.frame.map(|frame| Place { capture: index, frame });
            vec![text(&capture.path), frames(&place, u64::from(place.is_some()), links), long(&comment.text)]
        })
    });
    table("comments", "Comments in the captures", &["capture", "frame", "comment"], rows, 0)
}
