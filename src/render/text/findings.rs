//! What is wrong, why, and what to do about it.

use super::conversation::places;
use super::page::{Detail, Page, Tint};
use crate::render::clock::Clock;
use crate::render::id_of;
use crate::report::{Confidence, Finding, Report, Severity};

/// How many findings are told in full.
const TOLD: usize = 10;
/// How many frames of a finding are listed.
const FRAMES: usize = 8;

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    if report.findings.is_empty() {
        return;
    }
    page.heading("Findings", "");
    let shown = page.limit(TOLD).min(report.findings.len());
    for (i, finding) in report.findings.iter().take(shown).enumerate() {
        let brief = finding.severity == Severity::Note && page.options.detail != Detail::Verbose;
        if i > 0 && !brief {
            page.item(0, "", None, "");
        }
        tell(page, report, finding, brief);
    }
    let omitted = report.left_out("findings");
    page.more(2, shown, report.findings.len() as u64 + omitted);
}

fn tell(page: &mut Page<'_>, report: &Report, finding: &Finding, brief: bool) {
    let (word, tint) = match finding.severity {
        Severity::Failure => ("failure", Tint::Failure),
        Severity::Warning => ("warning", Tint::Warning),
        Severity::Note => ("note", Tint::Note),
    };
    let mut title = finding.id.clone();
    if finding.confidence == Confidence::Likely {
        title += ", likely";
    }
    if finding.occurrences > 1 {
        title += &format!(", {} times", finding.occurrences);
    }
    page.item(2, word, Some(tint), &title);
    if !report.headline.starts_with(finding.title.as_str()) {
        page.item(4, "", None, &finding.title);
    }
    if !finding.explanation.is_empty() {
        page.item(4, "", None, &finding.explanation);
    }
    if let Some(affected) = finding.affected.several() {
        page.item(4, "Affects:", None, &affected);
    }
    if !finding.fix.is_empty() {
        page.item(4, "Fix:", Some(Tint::Good), &finding.fix);
    }
    if brief {
        return;
    }
    if let Some(cause) = &finding.caused_by {
        page.item(4, "Because of:", None, id_of(cause));
    }
    if let Some(when) = when(finding, &page.options.clock) {
        page.item(4, "When:", Some(Tint::Dim), &when);
    }
    if !finding.places.is_empty() {
        let limit = page.limit(FRAMES);
        let frames = places(report, &finding.places, finding.places_total, limit);
        page.item(4, "Frames:", Some(Tint::Dim), &frames);
    }
    super::logs::of_finding(page, finding);
    if let Some(filter) = &finding.filter {
        page.item(4, "Wireshark:", Some(Tint::Dim), filter);
    }
    if let Some(reference) = &finding.reference {
        page.item(4, "See:", Some(Tint::Dim), reference);
    }
}

/// When a finding was seen: once, or from the first time to the last.
pub(in crate::render) fn when(finding: &Finding, clock: &Clock) -> Option<String> {
    let (first, last) = finding.first_time.zip(finding.last_time)?;
    Some(if first == last { clock.show(first) } else { format!("{} to {}", clock.show(first), clock.show(last)) })
}
