//! The findings on every sample are those that the table of `samples/README.md` promises, and nothing else of weight.

#![allow(clippy::expect_used, clippy::panic)]

mod support;

use std::fmt::Write;
use support::samples::{self, Sample};
use turnscope::report::{Confidence, Report, Severity, Verdict};

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Failure => "failure",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Failure => "failure",
        Verdict::Warning => "warning",
        Verdict::Healthy => "healthy",
        Verdict::NothingFound => "nothing-found",
    }
}

/// What is wrong with a report, one line each.
fn mismatches(sample: &Sample, report: &Report) -> Vec<String> {
    let mut wrong = Vec::new();
    let headline = report.headline_finding.as_deref().filter(|id| {
        // a note may explain the most that there is to explain; the table then says "none"
        sample.headline.is_some() || report.findings.iter().any(|f| f.id == *id && f.severity != Severity::Note)
    });
    if headline != sample.headline.as_deref() {
        wrong.push(format!("headline: expected {:?}, found {headline:?}", sample.headline.as_deref()));
    }
    if verdict_word(report.verdict) != sample.severity {
        wrong.push(format!("verdict: expected {}, found {}", sample.severity, verdict_word(report.verdict)));
    }
    let expected: Vec<&str> = sample.headline.iter().chain(&sample.others).map(String::as_str).collect();
    for id in &expected {
        if !report.findings.iter().any(|finding| finding.id == *id) {
            wrong.push(format!("missing: {id}"));
        }
    }
    for finding in &report.findings {
        let heavy = finding.severity != Severity::Note;
        if heavy && !expected.contains(&finding.id.as_str()) {
            let frames: Vec<u64> = finding.places.iter().map(|place| place.frame).collect();
            let likely = if finding.confidence == Confidence::Likely { ", likely" } else { "" };
            wrong.push(format!("not expected: {} ({}{likely}) frames {frames:?}", finding.id, word(finding.severity)));
        }
        if Some(&finding.id) == sample.headline.as_ref() && !heavy {
            wrong.push(format!("headline is only a {}", word(finding.severity)));
        }
    }
    wrong
}

#[test]
fn the_findings_on_every_sample_are_those_of_the_table() {
    let mut told = String::new();
    let (mut right, mut wrong) = (0, 0);
    for sample in samples::all() {
        let mismatches = mismatches(&sample, &sample.report());
        if mismatches.is_empty() {
            right += 1;
            continue;
        }
        wrong += 1;
        writeln!(told, "{}", sample.name).expect("a string takes everything");
        for mismatch in mismatches {
            writeln!(told, "    {mismatch}").expect("a string takes everything");
        }
    }
    assert!(wrong == 0, "{wrong} samples are not as samples/README.md says, {right} are:\n{told}");
}
