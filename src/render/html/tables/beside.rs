//! What was given beside the packets, and what of it they show: the deployment, logs, session descriptions, keys; and comments.

use super::super::super::text::{by_gravity, description_name, log_summary, opened, whether_seen};
use super::super::Links;
use super::{Cell, Table, frames, long, mono, number, optional, table, text, time};
use crate::render::clock::Clock;
use crate::render::id_of;
use crate::report::{Place, Report, StatedSeen, base_name};

/// What was stated of the deployment: what is wrong first.
pub(super) fn deployment(report: &Report, links: &Links) -> Table {
    let rows = by_gravity(report).into_iter().map(|known| {
        let seen = match known.seen {
            StatedSeen::Wrong => text("wrong").classed("bad"),
            StatedSeen::Right => text("right").classed("good"),
            StatedSeen::NotSeen => text("not seen"),
        };
        vec![
            ("seen", seen),
            ("stated", long(&known.expected)),
            ("seen instead", long(known.instead.as_deref().unwrap_or_default())),
            ("file", text(&known.file)),
            ("line", number(known.line)),
            ("frames", frames(&known.places, known.places_total, links)),
        ]
    });
    table("deployment", "Deployment", rows, report.left_out("deployment"))
}

/// What each log is, and how its times were placed.
pub(super) fn log_files(report: &Report) -> Table {
    let rows = report.log_files.iter().map(|file| {
        vec![
            ("log", long(&file.file)),
            ("form and clock", long(log_summary(file))),
            ("lines", number(file.lines)),
            ("about this", number(file.relevant)),
            ("fit the packets", number(file.matched)),
        ]
    });
    table("log-files", "Logs", rows, 0)
}

/// The lines that are about what the captures show.
pub(super) fn logs(report: &Report, clock: &Clock) -> Table {
    let several = report.log_files.len() > 1;
    let rows = report.logs.iter().map(|line| {
        let finding = line.finding.as_deref().map(id_of);
        vec![
            ("time", time(Some(line.time), clock)),
            ("log", text(if several { base_name(&line.file) } else { "" })),
            ("line", number(line.line)),
            ("text", long(&line.text)),
            ("finding", optional(finding)),
        ]
    });
    table("logs", "Lines of the logs", rows, report.left_out("logs"))
}

/// Session descriptions, and whether checks use them.
pub(super) fn signalling(report: &Report) -> Table {
    let rows = report.signalling.iter().map(|told| {
        let seen = told.candidates.iter().filter(|candidate| candidate.seen == Some(true)).count();
        vec![
            ("description", long(description_name(told))),
            ("ufrag", mono(&told.ufrag)),
            ("in checks", if told.seen { text("yes").classed("good") } else { text("no") }),
            ("setup", optional(told.setup.as_deref())),
            ("media", long(told.media.join(" "))),
            ("candidates", number(told.candidates.len() as u64)),
            ("seen", number(seen as u64)),
            ("fingerprints", long(told.fingerprints.join(" ")).classed("long print")),
        ]
    });
    table("signalling", "Session descriptions", rows, report.left_out("signalling"))
}

/// The candidates in session descriptions.
pub(super) fn signalled_candidates(report: &Report) -> Table {
    let rows = report.signalling.iter().flat_map(|told| {
        told.candidates.iter().map(move |candidate| {
            vec![
                ("ufrag", mono(&told.ufrag)),
                ("type", text(&candidate.kind)),
                ("candidate", long(whether_seen(candidate))),
            ]
        })
    });
    table("signalled", "Candidates told", rows, 0)
}

/// What keys opened in each capture.
pub(super) fn keys(report: &Report) -> Table {
    let rows = report.captures.iter().filter_map(|capture| {
        let known = capture.decryption.as_ref()?;
        let shut: Vec<String> = known.shut_records.iter().map(|(reason, count)| format!("{count}: {reason}")).collect();
        let class = if shut.is_empty() { "long" } else { "long odd" };
        Some(vec![
            ("capture", long(capture.name())),
            ("what came of them", long(format!("keys {}", opened(known)))),
            ("records opened", number(known.opened_records)),
            ("not opened", long(shut.join("; ")).classed(class)),
            ("damaged lines in the capture", filled(known.embedded_damaged).classed("number odd")),
            ("blocks behind all packets, not used", filled(known.embedded_behind).classed("number odd")),
        ])
    });
    table("keys", "Keys", rows, 0)
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
            vec![
                ("capture", text(&capture.path)),
                ("frame", frames(&place, u64::from(place.is_some()), links)),
                ("comment", long(&comment.text)),
            ]
        })
    });
    table("comments", "Comments in the captures", rows, 0)
}
