//! `annotate`: what it writes is the same capture, with what was found beside it.
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::io::Cursor;
use std::process::Command;
use support::oracle::is_required;
use support::samples::{self, Sample};
use turnscope::capture::{Capture, CaptureInfo, Record, Records};
use turnscope::render::annotate::{self, Notes, Written};
use turnscope::report::Report;

/// The annotated capture of a sample.
fn annotated(sample: &Sample, report: &Report, all: bool) -> (Vec<u8>, Written) {
    annotated_bytes(&sample.bytes, report, all)
}

fn annotated_bytes(bytes: &[u8], report: &Report, all: bool) -> (Vec<u8>, Written) {
    let mut records = Records::open(Cursor::new(bytes.to_vec())).expect("a capture");
    let mut out = Vec::new();
    let written = annotate::write(&mut records, &Notes::new(report, 0), all, None, &mut out).expect("memory takes all");
    (out, written)
}

/// Everything that a capture says: each frame, and what the file says beside them.
fn taken_apart(bytes: &[u8]) -> (Vec<String>, CaptureInfo) {
    let mut capture = Capture::open(Cursor::new(bytes.to_vec())).expect("a capture");
    let mut frames = Vec::new();
    while let Some(frame) = capture.next_frame() {
        frames.push(format!(
            "{:?}",
            (frame.time, frame.digits, frame.link_type, frame.original_len, frame.fcs_len, frame.data)
        ));
    }
    (frames, capture.info().clone())
}

#[test]
fn with_all_frames_nothing_of_the_original_is_lost_or_changed() {
    for sample in samples::all() {
        let report = sample.report();
        let (bytes, _) = annotated(&sample, &report, true);
        let ((frames, before), (again, after)) = (taken_apart(&sample.bytes), taken_apart(&bytes));
        assert!(frames == again, "{}: the frames differ", sample.name);
        assert_eq!(before.link_types, after.link_types, "{}", sample.name);
        for comment in &before.comments {
            assert!(after.comments.contains(comment), "{}: {comment:?} is lost", sample.name);
        }
        for name in &before.names {
            assert!(after.names.contains(name), "{}: {name:?} is lost", sample.name);
        }
        assert_eq!(before.interfaces.len().max(1), after.interfaces.len(), "{}", sample.name);
        assert!(after.damage.is_empty(), "{}: {:?}", sample.name, after.damage);
    }
}

#[test]
fn each_finding_stands_on_the_frames_that_prove_it() {
    for sample in samples::all() {
        let report = sample.report();
        let (bytes, _) = annotated(&sample, &report, true);
        let (_, info) = taken_apart(&bytes);
        for finding in &report.findings {
            for place in &finding.places {
                let beside = |comment: &&turnscope::capture::Comment| {
                    comment.frame == Some(place.frame)
                        && comment.text.contains(&finding.id)
                        && comment.text.contains(&finding.title)
                };
                let found = info.comments.iter().find(beside);
                assert!(found.is_some(), "{}: {} is not on frame {}", sample.name, finding.id, place.frame);
            }
        }
        let first =
            info.comments.iter().find(|comment| comment.frame.is_none() && comment.text.contains(&report.headline));
        assert!(first.is_some(), "{}: no headline", sample.name);
    }
}

#[test]
fn by_itself_it_keeps_every_frame_that_the_report_names_in_order_and_no_more_than_needed() {
    for sample in samples::all() {
        let report = sample.report();
        let (bytes, written) = annotated(&sample, &report, false);
        let ((all, _), (kept, info)) = (taken_apart(&sample.bytes), taken_apart(&bytes));
        assert_eq!(kept.len() as u64, written.frames, "{}", sample.name);
        let mut rest = all.iter();
        assert!(kept.iter().all(|frame| rest.any(|other| other == frame)), "{}: not in order", sample.name);
        for place in report.findings.iter().flat_map(|finding| &finding.places) {
            let frame = &all[usize::try_from(place.frame).unwrap() - 1];
            assert!(kept.contains(frame), "{}: frame {} is left out", sample.name, place.frame);
        }
        assert!(info.damage.is_empty());
    }
}

/// Samples whose messages take several frames each. Findings that rest on silence need all frames, and are not in these.
fn is_in_parts(name: &str) -> bool {
    name.starts_with("tcp-") && name != "tcp-unanswered"
        || name.contains("fragment")
        || name == "dtls-large-certificate"
}

#[test]
fn a_message_over_several_segments_fragments_or_datagrams_keeps_them_all() {
    for sample in samples::all().iter().filter(|sample| is_in_parts(&sample.name)) {
        let report = sample.report();
        let (bytes, _) = annotated(sample, &report, false);
        let again = sample.report_on(&bytes).unwrap();
        let ids = |report: &Report| {
            let mut ids: Vec<String> = report.findings.iter().map(|finding| finding.id.clone()).collect();
            ids.sort();
            ids
        };
        let (before, after) = (ids(&report), ids(&again));
        let lost: Vec<&String> = before.iter().filter(|id| !after.contains(id)).collect();
        assert!(lost.is_empty(), "{}: {lost:?} cannot be found in what was kept", sample.name);
    }
}

#[test]
fn what_was_annotated_gives_the_same_report() {
    for sample in samples::all() {
        let report = sample.report();
        let (bytes, _) = annotated(&sample, &report, true);
        let mut again = sample.report_on(&bytes).unwrap();
        let mut before = report;
        (before.captures, again.captures) = (Vec::new(), Vec::new());
        let text = |report: &Report| serde_json::to_string(report).unwrap();
        // names that the file gives may appear in what is said of servers
        for report in [&mut before, &mut again] {
            report.servers.iter_mut().for_each(|server| server.names.clear());
        }
        assert!(text(&before) == text(&again), "{}", sample.name);
    }
}

#[test]
fn of_a_damaged_capture_the_sound_part_is_written() {
    let sample = samples::all().into_iter().find(|sample| sample.name == "expressway-431").unwrap();
    let report = sample.report();
    let half = &sample.bytes[..sample.bytes.len() * 2 / 3];
    let (bytes, written) = annotated_bytes(half, &report, true);
    let (frames, info) = taken_apart(&bytes);
    assert_eq!(frames, taken_apart(half).0);
    assert_eq!(frames.len() as u64, written.frames);
    assert!(info.damage.is_empty());
}

#[test]
fn blocks_that_hold_no_frame_come_through_once_each() {
    for sample in samples::all().iter().filter(|sample| sample.path.ends_with("ng")) {
        let count = |bytes: &[u8]| {
            let mut records = Records::open(Cursor::new(bytes.to_vec())).unwrap();
            let mut kinds = Vec::new();
            while let Some(record) = records.next_record() {
                if let Record::Other(block) = record {
                    kinds.push(block.kind);
                }
            }
            kinds
        };
        let (bytes, _) = annotated(sample, &Report::default(), true);
        assert_eq!(count(&sample.bytes), count(&bytes), "{}", sample.name);
    }
}

#[test]
fn wireshark_opens_it_and_shows_the_comments() {
    let required = is_required();
    if Command::new("tshark").arg("--version").output().is_err() {
        assert!(!required, "tshark is required and not installed");
        eprintln!("skipped: tshark is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for sample in samples::all().into_iter().step_by(9) {
        let report = sample.report();
        let (bytes, written) = annotated(&sample, &report, true);
        let path = folder.path().join("annotated.pcapng");
        fs::write(&path, bytes).unwrap();
        let output = Command::new("tshark")
            .args(["-r".as_ref(), path.as_os_str()])
            .args(["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=\u{1}", "-e", "frame.comment"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}: {}", sample.name, String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = text.matches("turnscope: ").count() as u64;
        assert_eq!(said, written.comments, "{}", sample.name);
    }
}
