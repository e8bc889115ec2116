//! Two stories in one capture: the headline is the one that explains the most, and what comes of it names it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::held::{frames, merged, report_on};
use support::samples::{self, Sample};
use turnscope::report::{Report, Severity};

const SECOND: i64 = 1_000_000_000;

/// The samples of one client, the second beginning two seconds after the first.
fn together(all: &[Sample], one: &str, other: &str) -> Report {
    let named = |name: &str| all.iter().find(|sample| sample.name == name).unwrap();
    let (one, other) = (named(one), named(other));
    report_on(&merged(&frames(one), &frames(other), 2 * SECOND), &[one, other])
}

/// Id and cause of what is worse than a note: `ice-checks-unanswered < ice-no-relay-candidate`.
fn told(report: &Report) -> Vec<String> {
    let id = |key: &str| key.split('/').next().unwrap_or(key).to_owned();
    let graver = report.findings.iter().filter(|finding| finding.severity != Severity::Note);
    let mut told: Vec<String> = graver
        .map(|finding| {
            let severity = if finding.severity == Severity::Failure { "" } else { " (warning)" };
            match &finding.caused_by {
                Some(cause) => format!("{}{severity} < {}", finding.id, id(cause)),
                None => format!("{}{severity}", finding.id),
            }
        })
        .collect();
    told.dedup();
    told
}

#[test]
fn the_refused_or_silent_server_explains_the_call_that_finds_no_path() {
    let all = samples::all();
    for (one, headline) in [
        ("wrong-password", "turn-integrity-rejected"),
        ("wrong-realm", "turn-realm-mismatch"),
        ("no-answer", "turn-no-response"),
        ("unreachable", "turn-unreachable"),
        ("prohibited", "turn-unreachable"),
        ("answer-from-elsewhere", "turn-answer-from-elsewhere"),
        ("stale-nonce-loop", "turn-stale-nonce-loop"),
        ("no-credentials", "turn-no-credentials"),
        ("refused", "turn-refused"),
        ("server-error", "turn-server-error"),
        ("missing-attribute", "turn-missing-attribute"),
        ("redirect-ignored", "turn-redirect-ignored"),
        ("mobility-forbidden", "turn-request-rejected"),
        ("transport-unsupported", "turn-transport-unsupported"),
        ("address-family", "turn-address-family"),
        ("rest-expired", "turn-credential-expired"),
        ("tcp-refused", "turn-unreachable"),
    ] {
        let report = together(&all, one, "ice-no-path");
        assert_eq!(report.headline_finding.as_deref(), Some(headline), "{one}: {:?}", told(&report));
        let told = told(&report);
        for symptom in [
            format!("ice-no-relay-candidate < {headline}"),
            "ice-checks-unanswered < ice-no-relay-candidate".to_owned(),
        ] {
            assert!(told.contains(&symptom), "{one}: no {symptom} in {told:?}");
        }
    }
}

#[test]
fn the_relay_that_does_not_pass_anything_on_explains_the_call_that_finds_no_path() {
    let all = samples::all();
    for (one, headline) in [
        ("relay-silent", "turn-relay-silent"),
        ("permission-missing", "turn-permission-missing"),
        ("channel-mismatch", "turn-channel-mismatch"),
        ("forbidden-peer", "turn-peer-forbidden"),
        ("relay-unusable", "turn-relay-unusable"),
    ] {
        let report = together(&all, one, "ice-no-path");
        assert_eq!(report.headline_finding.as_deref(), Some(headline), "{one}: {:?}", told(&report));
        let told = told(&report);
        assert!(told.contains(&format!("ice-checks-unanswered < {headline}")), "{one}: {told:?}");
    }
}

#[test]
fn what_breaks_the_call_comes_before_the_server_that_it_did_not_need() {
    let all = samples::all();
    for (one, other, headline) in [
        ("wrong-password", "dtls-blocked", "dtls-no-answer"),
        ("no-answer", "dtls-fingerprint-mismatch", "dtls-fingerprint-mismatch"),
        ("unreachable", "dtls-both-active", "dtls-role-conflict"),
        ("wrong-password", "media-one-way", "media-one-way"),
        ("refused", "ice-consent-lost", "ice-consent-lost"),
    ] {
        let report = together(&all, one, other);
        assert_eq!(report.headline_finding.as_deref(), Some(headline), "{one}, {other}: {:?}", told(&report));
    }
}

#[test]
fn a_server_that_a_working_call_did_not_need_is_a_warning() {
    let all = samples::all();
    for (one, headline) in [
        ("wrong-password", "turn-integrity-rejected"),
        ("no-answer", "turn-no-response"),
        ("unreachable", "turn-unreachable"),
        ("tcp-refused", "turn-unreachable"),
    ] {
        let report = together(&all, one, "chromium-chromium");
        assert_eq!(told(&report), [format!("{headline} (warning)")], "{one}");
    }
}
