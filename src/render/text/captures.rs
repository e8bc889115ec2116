//! What was read, and what could not be.

use super::page::{Page, Tint, count};
use super::tables::bytes;
use crate::render::clock::Clock;
use crate::report::{Capture, Comment, Counts, Decryption, Report, SetBack};
use crate::time::Span;

/// How many places of damage, and comments, are told of a capture.
const PLACES: usize = 5;
/// Comments that a capture tool writes into every file, and that say nothing about this one.
const ROUTINE: [&str; 1] = ["Counters provided by dumpcap"];

/// What is said of a capture whose times tell nothing.
pub(in crate::render) const TIMELESS: &str = "its frames have none of their own, so that how long anything took, and what was not answered in time, cannot be told";

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    list(page, &report.captures);
    if let Some(text) = messages(&report.counts) {
        page.item(2, "Messages:", Some(Tint::Dim), &text);
    }
    for (reason, number) in &report.counts.skipped {
        page.item(2, "Passed over:", Some(Tint::Warning), &format!("{number} × {reason}"));
    }
}

/// The captures, each with its damage and comments.
pub(super) fn list(page: &mut Page<'_>, captures: &[Capture]) {
    if captures.is_empty() {
        return;
    }
    page.heading(if captures.len() == 1 { "Capture" } else { "Captures" }, "");
    for (index, capture) in captures.iter().enumerate() {
        let label = if captures.len() > 1 { format!("{index}:") } else { String::new() };
        let text = summary(page, capture);
        page.item(2, &label, None, &text);
        if capture.timeless {
            page.item(4, "Times:", Some(Tint::Warning), TIMELESS);
        }
        if let Some(text) = set_back(capture, &page.options.clock) {
            page.item(4, "Times:", Some(Tint::Warning), &text);
        }
        lost(page, capture);
        damage(page, capture);
        decryption(page, capture);
        comments(page, capture);
    }
}

fn summary(page: &Page<'_>, capture: &Capture) -> String {
    let name = if capture.path == "-" { "standard input" } else { &capture.path };
    let mut text = format!("{name}: {}, {}", capture.format, count(capture.frames, "frame", "frames"));
    text += &format!(", {}", bytes(capture.bytes));
    if let (Some(first), Some(last)) = (capture.first_time, capture.last_time) {
        text += &format!(", {} from {}", duration(last.at.since(first.at)), page.options.clock.show(first));
    }
    if let Some(moved) = clock_moved(capture) {
        text += &format!(", {moved}");
    }
    text
}

/// Where the clock of a capture was set back, to follow "times".
pub(in crate::render) fn set_back(capture: &Capture, clock: &Clock) -> Option<String> {
    let SetBack { from, to } = capture.clock_set_back?;
    let (step, from) = (duration(from.at.since(to.at)), clock.show(from));
    Some(format!(
        "they go back by {step} after {from}, as where a clock is set; how long anything took from before to after that cannot be told"
    ))
}

/// `clock moved by -1.20 s (± 3.10 ms) and 0.4 ppm`.
pub(in crate::render) fn clock_moved(capture: &Capture) -> Option<String> {
    let offset = capture.clock_offset_us.filter(|offset| *offset != 0)?;
    let mut text = format!("clock moved by {}", Span::from_micros(offset));
    if let Some(uncertainty) = capture.clock_uncertainty_us {
        text += &format!(" (± {})", Span::from_micros(uncertainty));
    }
    if let Some(drift) = capture.clock_drift_ppm {
        text += &format!(" and {drift} ppm");
    }
    Some(text)
}

/// A span in the unit that a person would pick, days included.
fn duration(span: Span) -> String {
    let seconds = span.secs();
    match seconds {
        600..7_200 => format!("{} min {} s", seconds / 60, seconds % 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        172_800.. => format!("{} days", seconds / 86_400),
        _ => span.to_string(),
    }
}

fn lost(page: &mut Page<'_>, capture: &Capture) {
    if let Some(lost) = capture.lost_packets {
        let text = format!("{} while capturing, by its own count", count(lost, "packet", "packets"));
        page.item(4, "Lost:", Some(Tint::Warning), &text);
    }
}

fn damage(page: &mut Page<'_>, capture: &Capture) {
    let shown = page.limit(PLACES).min(capture.damage.len());
    for damage in capture.damage.iter().take(shown) {
        let mut text =
            format!("byte {} of the file, after frame {}: {}", damage.offset, damage.after_frame, damage.what);
        text += &match damage.resumed_at {
            Some(byte) => format!("; reading went on at byte {byte}"),
            None => "; the rest could not be read".to_owned(),
        };
        page.item(4, "Damaged at", Some(Tint::Warning), &text);
    }
    page.more(4, shown, capture.damage_total.max(capture.damage.len() as u64));
}

/// What keys opened, and why they did not open the rest.
fn decryption(page: &mut Page<'_>, capture: &Capture) {
    let Some(known) = &capture.decryption else { return };
    page.item(4, "Keys:", Some(Tint::Dim), &opened(known));
    for (reason, records) in &known.shut_records {
        let text = format!("{} not opened: {reason}", count(*records, "record", "records"));
        page.item(4, "Keys:", Some(Tint::Warning), &text);
    }
    if known.embedded_damaged > 0 {
        let lines = count(known.embedded_damaged, "damaged line", "damaged lines");
        page.item(4, "Keys:", Some(Tint::Warning), &format!("{lines} in the capture's own secrets passed over"));
    }
    if known.embedded_behind > 0 {
        let blocks = count(known.embedded_behind, "block", "blocks");
        let text = format!(
            "{blocks} of secrets behind all packets, found too late: save the capture as a file that is not packed"
        );
        page.item(4, "Keys:", Some(Tint::Warning), &text);
    }
}

/// How much of what there is keys opened.
pub(in crate::render) fn opened(known: &Decryption) -> String {
    let mut text = format!("of {}", count(known.keys, "connection", "connections"));
    for (opened, all, what) in [
        (known.tls_opened, known.tls_connections, "TLS connections of TURN"),
        (known.dtls_opened, known.dtls_associations, "DTLS associations"),
    ] {
        if all > 0 {
            text += &format!("; {opened} of {all} {what} opened");
        }
    }
    if known.tls_connections + known.dtls_associations == 0 {
        text += "; nothing here that they could open";
    }
    text
}

fn comments(page: &mut Page<'_>, capture: &Capture) {
    let mut seen: Vec<&Comment> = Vec::new();
    let routine = |comment: &&Comment| page.limit(0) == 0 && ROUTINE.contains(&comment.text.trim());
    for comment in capture.comments.iter().filter(|comment| !routine(comment)) {
        let again = |other: &&Comment| other.text == comment.text && other.frame == comment.frame;
        if seen.len() <= page.limit(PLACES) && !seen.iter().any(again) {
            seen.push(comment);
        }
    }
    let shown = page.limit(PLACES).min(seen.len());
    for comment in seen.iter().take(shown) {
        let label = match comment.frame {
            Some(frame) => format!("Comment on frame {frame}:"),
            None => "Comment:".to_owned(),
        };
        page.item(4, &label, Some(Tint::Dim), &comment.text);
    }
    if seen.len() > shown {
        page.remark(4, "… and more comments");
    }
}

fn messages(counts: &Counts) -> Option<String> {
    let mut parts: Vec<String> = counts.stun.iter().map(|(name, number)| format!("{number} {name}")).collect();
    let codes: Vec<String> = counts.error_codes.iter().map(|(code, number)| format!("{number} × {code}")).collect();
    if !codes.is_empty() {
        parts.push(format!("errors {}", codes.join(", ")));
    }
    let (dtls, tls): (u64, u64) = (counts.dtls.values().sum(), counts.tls.values().sum());
    for (number, name) in
        [(counts.channel_data, "ChannelData"), (dtls, "DTLS"), (tls, "TLS"), (counts.rtp, "RTP"), (counts.rtcp, "RTCP")]
    {
        if number > 0 {
            parts.push(format!("{number} {name}"));
        }
    }
    (!parts.is_empty()).then(|| parts.join(" · "))
}
