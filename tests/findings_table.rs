//! The findings on every sample are those that the table of `samples/README.md` promises, and nothing else of weight; and `samples/FINDINGS.md` says
//! for every finding which samples show it.
//!
//! `TURNSCOPE_BLESS=1 cargo test --test findings_table` writes that file again; look at the difference before you commit it.

#![allow(clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use support::samples::{self, Sample};
use turnscope::report::{Confidence, Finding, Report, Severity, Verdict};
use turnscope::rules::{self, catalogue};

/// Why there is no sample of a finding.
const WITHOUT_SAMPLE: &[(&str, &str)] = &[];

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

#[test]
fn every_finding_on_a_sample_cites_what_the_catalogue_says_it_rests_on() {
    for sample in samples::all() {
        for finding in sample.report().findings {
            let known = catalogue::all()
                .find(|rule| rule.id == finding.id)
                .expect("every finding is in the catalogue")
                .reference;
            let cited = finding.reference.as_deref().unwrap_or_default();
            assert!(
                known.split(", ").any(|one| one == cited),
                "{}: {}: {cited:?}, not {known:?}",
                sample.name,
                finding.id
            );
        }
    }
}

/// One cell of the table: `failure`, `warning ×3`, `failure, likely`, `note ← turn-quota`.
fn cell(finding: &Finding) -> String {
    let mut text = word(finding.severity).to_owned();
    if finding.confidence == Confidence::Likely {
        text.push_str(", likely");
    }
    if let Some(cause) = &finding.caused_by {
        write!(text, " ← {}", cause.split('/').next().unwrap_or(cause)).expect("a string takes everything");
    }
    text
}

/// The whole of `samples/FINDINGS.md`.
fn document(reports: &[(Sample, Report)]) -> String {
    let mut out = String::from(
        "# Every finding and every sample\n\n\
         Written by `TURNSCOPE_BLESS=1 cargo test --test findings_table`, which fails when a report and this file differ. What a finding means, `turnscope explain ID` says.\n\n\
         ## What each sample shows\n\
         All findings of its report, notes too, the headline's first; an arrow points to the cause.\n\n\
         | sample | verdict | headline | findings |\n| --- | --- | --- | --- |\n",
    );
    for (sample, report) in reports {
        let told: Vec<String> =
            report.findings.iter().map(|finding| format!("`{}` ({})", finding.id, cell(finding))).collect();
        let headline = report.headline_finding.as_ref().map_or("none".to_owned(), |id| format!("`{id}`"));
        let told = if told.is_empty() { "none".to_owned() } else { told.join(", ") };
        writeln!(out, "| `{}` | {} | {headline} | {told} |", sample.name, verdict_word(report.verdict))
            .expect("a string takes everything");
    }
    out.push_str(
        "\n## Which samples show a finding\nIn bold where it is the headline.\n\n| finding | samples |\n| --- | --- |\n",
    );
    for rule in catalogue::all() {
        let of = reports.iter().filter(|(_, report)| report.findings.iter().any(|finding| finding.id == rule.id));
        let names: Vec<String> = of
            .map(|(sample, report)| {
                let mark = if report.headline_finding.as_deref() == Some(rule.id) { "**" } else { "" };
                format!("{mark}`{}`{mark}", sample.name)
            })
            .collect();
        let names = match WITHOUT_SAMPLE.iter().find(|(id, _)| *id == rule.id) {
            Some((_, reason)) if names.is_empty() => format!("none: {reason}"),
            _ => names.join(", "),
        };
        writeln!(out, "| `{}` | {names} |", rule.id).expect("a string takes everything");
    }
    out
}

#[test]
fn the_table_of_every_finding_and_every_sample_is_the_one_in_the_project() {
    let reports: Vec<(Sample, Report)> = samples::all()
        .into_iter()
        .map(|sample| {
            let report = sample.report();
            (sample, report)
        })
        .collect();
    let shown: BTreeSet<&str> =
        reports.iter().flat_map(|(_, report)| &report.findings).map(|finding| finding.id.as_str()).collect();
    let missing: Vec<&str> = catalogue::all()
        .map(|rule| rule.id)
        .filter(|id| !shown.contains(id) && !WITHOUT_SAMPLE.iter().any(|(known, _)| known == id))
        .collect();
    assert!(missing.is_empty(), "neither a sample nor a reason for having none: {missing:?}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/FINDINGS.md");
    let made = document(&reports);
    if std::env::var_os("TURNSCOPE_BLESS").is_some() {
        std::fs::write(&path, made).expect("the samples can be written");
        return;
    }
    let kept = std::fs::read_to_string(&path).expect("samples/FINDINGS.md");
    let differs = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
    assert!(kept == made, "samples/FINDINGS.md is another; TURNSCOPE_BLESS=1 writes it again\n{differs:#?}");
}

#[test]
fn every_finding_of_the_catalogue_has_a_rule_or_waits_for_one_by_name() {
    let made: BTreeSet<&str> = rules::all().flat_map(|rule| rule.ids.iter().copied()).collect();
    let known: BTreeSet<&str> = catalogue::all().map(|rule| rule.id).collect();
    let strangers: Vec<&&str> = made.difference(&known).collect();
    assert!(strangers.is_empty(), "rules without an entry in the catalogue: {strangers:?}");
    let without: Vec<&str> = known.difference(&made).copied().collect();
    let excused: Vec<&str> =
        without.iter().copied().filter(|id| WITHOUT_SAMPLE.iter().any(|(known, _)| known == id)).collect();
    assert_eq!(without, excused, "entries of the catalogue without a rule");
}
