//! `annotate`: what it writes is the same capture, with what was found beside it.
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod capture_bytes;
mod support;

use capture_bytes::Bytes;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use support::oracle::{fields, has_tshark, tshark};
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
    if !has_tshark() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for sample in samples::all().into_iter().step_by(9) {
        let report = sample.report();
        let (bytes, written) = annotated(&sample, &report, true);
        let path = folder.path().join("annotated.pcapng");
        fs::write(&path, bytes).unwrap();
        let comments = ["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=\u{1}", "-e", "frame.comment"];
        let text = tshark(&path, &comments).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
        let said = text.matches("turnscope: ").count() as u64;
        assert_eq!(said, written.comments, "{}", sample.name);
    }
}

/// Frames of a sample in two sections of different byte order, with three interfaces each: microseconds, nanoseconds, and parts of 1024 of seconds
/// that are counted from another time. Every third frame has a comment of its own.
fn odd() -> Vec<u8> {
    let sample = samples::all().into_iter().find(|sample| sample.name == "expressway-431").unwrap();
    let mut capture = Capture::open(sample.bytes.as_slice()).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = capture.next_frame() {
        frames.push((u64::try_from(frame.time.unwrap().0).unwrap(), frame.data.to_vec()));
    }
    let mut file = Vec::new();
    for (half, big_endian) in frames.chunks(frames.len() / 2).zip([true, false, true]) {
        let mut part = Bytes::new(big_endian);
        let offset = if big_endian { 100_i64.to_be_bytes() } else { 100_i64.to_le_bytes() };
        part.section().interface(1, 0, |_| ());
        part.interface(1, 0, |b| {
            b.option(2, b"eth1").option(9, &[9]).u32(0);
        });
        part.interface(1, 0, |b| {
            b.option(9, &[0x8a]).option(14, &offset).u32(0);
        });
        for (number, (nanos, data)) in half.iter().enumerate() {
            match number % 3 {
                0 => part.packet(0, nanos / 1000, data, |b| {
                    b.option(1, b"what somebody said").option(2, &[0, 0, 0, 1]).u32(0);
                }),
                1 => part.packet(1, *nanos, data, |_| ()),
                _ => {
                    let units = (nanos / 1_000_000_000 - 100) * 1024 + (nanos % 1_000_000_000) * 1024 / 1_000_000_000;
                    part.packet(2, units, data, |_| ())
                }
            };
        }
        file.extend(part.bytes);
    }
    file
}

#[test]
fn sections_interfaces_resolutions_and_comments_stay_to_the_last_digit() {
    let sample = samples::all().into_iter().find(|sample| sample.name == "expressway-431").unwrap();
    let file = odd();
    let report = sample.report_on(&file).unwrap();
    assert_eq!(report.headline_finding.as_deref(), Some("turn-integrity-rejected"));
    let (bytes, written) = annotated_bytes(&file, &report, true);
    assert_eq!(written.unplaced, 0);
    assert_eq!(taken_apart(&file).0, taken_apart(&bytes).0);
    let records = |bytes: &[u8]| {
        let mut records = Records::open(Cursor::new(bytes.to_vec())).unwrap();
        let mut found = Vec::new();
        while let Some(record) = records.next_record() {
            if let Record::Packet(packet) = record {
                let options: Vec<(u16, Vec<u8>)> = packet.options().map(|(code, v)| (code, v.to_vec())).collect();
                found.push((packet.interface, packet.units, packet.frame.big_endian, options));
            }
        }
        found
    };
    for (before, after) in records(&file).into_iter().zip(records(&bytes)) {
        assert_eq!((before.0, before.1, before.2), (after.0, after.1, after.2));
        assert!(after.3.starts_with(&before.3), "options and comments of the original stay, in their order");
        assert!(after.3[before.3.len()..].iter().all(|(code, _)| *code == 1));
    }
    if !has_tshark() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("original.pcapng"), folder.path().join("annotated.pcapng"));
    fs::write(&one, &file).unwrap();
    fs::write(&other, &bytes).unwrap();
    let shown = |path: &Path, wanted: &[&str]| fields(path, &["-E", "occurrence=f"], wanted).unwrap();
    let same = ["frame.number", "frame.time_epoch", "frame.interface_id", "frame.len", "ip.src", "udp.port"];
    assert_eq!(shown(&one, &same), shown(&other, &same));
    let comments = shown(&other, &["frame.comment"]).concat().concat();
    assert!(comments.contains("what somebody said") && comments.contains("turnscope: "), "{comments}");
}

#[test]
fn wireshark_knows_server_client_and_peer_by_name_and_opens_with_the_embedded_keys() {
    if !has_tshark() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("annotated.pcapng");
    let sample = samples::all().into_iter().find(|sample| sample.name == "tls-success").unwrap();
    let report = sample.report();
    let shown = |keys: Option<&[u8]>, arguments: &[&str]| {
        let mut records = Records::open(sample.bytes.as_slice()).unwrap();
        let mut out = Vec::new();
        annotate::write(&mut records, &Notes::new(&report, 0), true, keys, &mut out).unwrap();
        fs::write(&path, out).unwrap();
        tshark(&path, arguments).unwrap()
    };
    let finished = ["-Y", "tls.handshake.type == 20"];
    assert_eq!(shown(None, &finished), "");
    assert_eq!(shown(Some(&sample.keylog), &finished).lines().count(), 2);
    let hosts = shown(None, &["-n", "-N", "n", "-T", "fields", "-e", "ip.src_host", "-e", "ip.dst_host"]);
    let server = report.servers[0].names.first().map_or("turn-server", String::as_str).to_owned();
    assert!(hosts.contains("client") && hosts.contains(&server), "{hosts}");
    let names = taken_apart(&fs::read(&path).unwrap()).1.names;
    assert!(names.iter().any(|name| format!("{name:?}").contains("peer")), "{names:?}");
}
