//! TLS and DTLS opened with keys: every suite and turn of events that OpenSSL makes (`keys/matrix.py`), with records lost, reordered and cut, keys
//! that come late, and keys that do not fit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use turnscope::analyzer::{self, Analyzer, Options};
use turnscope::capture::{Capture, Secrets, SecretsKind};
use turnscope::event::Body;
use turnscope::keys::KeyLog;
use turnscope::report::Report;
use turnscope::secret::Secret;

/// One capture of the matrix, its key log, and its frames.
struct Matrix {
    keys: Vec<u8>,
    frames: Vec<Kept>,
}

#[derive(Clone)]
struct Kept {
    data: Vec<u8>,
    /// The client's port, which tells the connection, and whether the frame has a payload.
    port: u16,
    full: bool,
}

/// The STUN messages: client's port and transaction id, with class.
type Messages = BTreeSet<(u16, String)>;

fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name)).unwrap()
}

fn matrix(protocol: &str) -> Matrix {
    let bytes = file(&format!("{protocol}.pcap"));
    let mut capture = Capture::open(bytes.as_slice()).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = capture.next_frame() {
        let data = frame.data.to_vec();
        let ports = [u16::from_be_bytes([data[20], data[21]]), u16::from_be_bytes([data[22], data[23]])];
        let port = ports.into_iter().find(|&port| port != 5349).unwrap();
        let full = data.len() > if protocol == "tls" { 40 } else { 28 };
        frames.push(Kept { data, port, full });
    }
    Matrix { keys: file(&format!("{protocol}.keylog")), frames }
}

/// A pcap file of raw IP.
fn pcap(frames: &[Kept]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(0xa1b2_c3d4_u32.to_le_bytes());
    out.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0]);
    for (number, frame) in frames.iter().enumerate() {
        let length = u32::try_from(frame.data.len()).unwrap().to_le_bytes();
        let micros = u32::try_from(number).unwrap() * 1000;
        out.extend((1_700_000_000 + micros / 1_000_000).to_le_bytes());
        out.extend((micros % 1_000_000).to_le_bytes());
        out.extend(length);
        out.extend(length);
        out.extend(&frame.data);
    }
    out
}

fn opened(frames: &[Kept], keys: &[u8]) -> (Messages, Report) {
    opened_late(frames, keys, 0)
}

/// The messages of frames, with keys that come before the frame of an index.
fn opened_late(frames: &[Kept], keys: &[u8], late: usize) -> (Messages, Report) {
    let bytes = pcap(frames);
    let mut capture = Capture::open(bytes.as_slice()).unwrap();
    let mut messages = Messages::new();
    let mut analyzer = Analyzer::new(Options::default());
    let mut sink = |row: &turnscope::event::Row<'_>| {
        if let Body::Stun(message) = row.event.body {
            let port =
                [row.event.src, row.event.dst].map(|end| end.port()).into_iter().find(|&port| port != 5349).unwrap();
            messages.insert((port, format!("{:?} {:?}", message.transaction_id(), message.class())));
        }
    };
    let mut number = 0;
    while let Some(frame) = capture.next_frame() {
        if number == late {
            analyzer.secrets(&[Secrets { kind: SecretsKind::TLS_KEY_LOG, data: Secret::from(keys) }]);
        }
        number += 1;
        analyzer.frame(&frame, &mut sink);
    }
    analyzer.drain(&mut sink);
    let report = analyzer::report(vec![analyzer.finish("matrix".to_owned(), capture.info())]);
    (messages, report)
}

fn by_connection(messages: &Messages) -> BTreeMap<u16, usize> {
    messages.iter().fold(BTreeMap::new(), |mut counts, (port, _)| {
        *counts.entry(*port).or_default() += 1;
        counts
    })
}

#[test]
fn every_suite_version_and_turn_of_events_of_tls_is_opened() {
    let Matrix { keys, frames } = matrix("tls");
    let (messages, report) = opened(&frames, &keys);
    let known = report.captures[0].decryption.as_ref().unwrap();
    assert_eq!((known.tls_connections, known.tls_opened), (51, 51));
    assert_eq!(known.shut_records, BTreeMap::new(), "nothing stays shut");
    let counts = by_connection(&messages);
    assert_eq!(counts.len(), 51);
    for (port, count) in counts {
        // renegotiation and key update go on talking; taking up with early data says one thing more; split: several messages in one record
        let expected = match port {
            40180 | 40190 | 40200 | 40280 => 12,
            40340 | 40350 | 40360 => 16,
            40381 | 40391 => 5,
            40430.. => 8,
            _ => 4,
        };
        assert_eq!(count, expected, "{port}");
    }
    assert_eq!(report.servers[0].transports[0].transport.to_string(), "tls");
}

#[test]
fn every_suite_version_and_turn_of_events_of_dtls_is_opened() {
    let Matrix { keys, frames } = matrix("dtls");
    let (messages, report) = opened(&frames, &keys);
    let known = report.captures[0].decryption.as_ref().unwrap();
    assert_eq!((known.dtls_associations, known.dtls_opened), (27, 27));
    assert_eq!(known.shut_records, BTreeMap::new(), "nothing stays shut");
    let counts = by_connection(&messages);
    assert_eq!(counts.len(), 27);
    assert!(counts.iter().all(|(port, &count)| count == if matches!(port, 40180 | 40190 | 40200) { 12 } else { 4 }));
}

#[test]
fn dtls_1_3_is_opened_through_key_updates_and_its_handshake_is_read() {
    let Matrix { keys, frames } = matrix("dtls13");
    let (messages, report) = opened(&frames, &keys);
    let known = report.captures[0].decryption.as_ref().unwrap();
    assert_eq!((known.dtls_associations, known.dtls_opened), (5, 5));
    assert_eq!(known.shut_records, BTreeMap::new(), "nothing stays shut");
    let counts: Vec<usize> = by_connection(&messages).into_values().collect();
    assert_eq!(counts, [6, 6, 6, 40, 300]);
    for association in &report.dtls {
        assert_eq!(association.version.as_deref(), Some("DTLS 1.3"));
        let both = [&association.client_fingerprint, &association.server_fingerprint];
        assert!(both.iter().all(|fingerprint| fingerprint.as_ref().is_some_and(|text| text.starts_with("sha-256 "))));
        let closed = association.closed.as_ref().unwrap();
        assert!(closed.clear && closed.by == "client", "close_notify is readable");
    }
}

#[test]
fn without_keys_nothing_is_opened_and_nothing_is_said_of_keys() {
    for protocol in ["tls", "dtls", "dtls13"] {
        let (messages, report) = opened_late(&matrix(protocol).frames, &[], usize::MAX);
        assert_eq!(messages.len(), 0);
        assert!(report.captures[0].decryption.is_none());
    }
}

/// A key log in which one digit of every secret is another.
fn wrong(keys: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(keys.to_vec()).unwrap();
    let line = |line: &str| {
        let (rest, last) = line.split_at(line.len() - 1);
        format!("{rest}{}\n", if last == "0" { "1" } else { "0" })
    };
    text.lines().map(line).collect::<String>().into_bytes()
}

#[test]
fn a_connection_that_carries_nothing_is_told_of_in_the_headline_with_keys_as_without() {
    const APPLICATION_DATA: u8 = 23;
    let all = matrix("tls");
    let ports: BTreeSet<u16> = all.frames.iter().map(|frame| frame.port).collect();
    let mut told = 0;
    for port in ports {
        let of_it = all.frames.iter().filter(|frame| frame.port == port);
        let begun = of_it.take_while(|frame| !frame.full || frame.data[40] != APPLICATION_DATA);
        let handshake: Vec<Kept> = begun.cloned().collect();
        let headlines = [&all.keys[..], &[]].map(|keys| opened(&handshake, keys).1.headline);
        if headlines[1].contains("agreed on TLS") {
            assert_eq!(headlines[0], headlines[1], "{port}");
            told += 1;
        }
    }
    assert!(told > 0);
}

#[test]
fn keys_that_do_not_fit_open_nothing_and_are_said_not_to() {
    for protocol in ["tls", "dtls", "dtls13"] {
        let Matrix { keys, frames } = matrix(protocol);
        let (messages, report) = opened(&frames, &wrong(&keys));
        assert_eq!(messages.len(), 0);
        let known = report.captures[0].decryption.as_ref().unwrap();
        assert_eq!((known.opened_records, known.tls_opened, known.dtls_opened), (0, 0, 0));
        assert!(known.shut_records.keys().any(|reason| reason == "the keys do not fit"), "{:?}", known.shut_records);
        let json = serde_json::to_string(&report).unwrap();
        for line in String::from_utf8(keys).unwrap().lines().filter(|line| !line.starts_with('#')) {
            let secret = line.split(' ').nth(2).unwrap();
            assert!(!json.contains(&secret[..16]), "no secret in a report");
        }
    }
}

#[test]
fn keys_that_come_late_open_what_comes_after_them() {
    for protocol in ["tls", "dtls", "dtls13"] {
        let Matrix { keys, frames } = matrix(protocol);
        let (all, _) = opened(&frames, &keys);
        // one connection at a time; the keys come before each of its frames in turn
        for port in
            [40000, 40030, 40080, 40140, 40290, 40310].into_iter().filter(|port| all.iter().any(|(p, _)| p == port))
        {
            let of_it: Vec<Kept> = frames.iter().filter(|frame| frame.port == port).cloned().collect();
            let (whole, _) = opened(&of_it, &keys);
            for late in 1..of_it.len() {
                let (messages, report) = opened_late(&of_it, &keys, late);
                let (before, _) = opened(&of_it[..late], &keys);
                let expected: Messages = whole.difference(&before).cloned().collect();
                assert_eq!(messages, expected, "{protocol} {port}, keys before frame {late}");
                assert!(report.captures[0].decryption.is_some());
            }
        }
    }
}

#[test]
fn associations_whose_hellos_found_no_room_are_counted_where_there_are_keys() {
    let Matrix { keys, frames } = matrix("dtls");
    let hello = frames.iter().find(|frame| frame.port == 40000).unwrap();
    let from = |port: u16| {
        let mut frame = hello.clone();
        frame.data[20..22].copy_from_slice(&port.to_be_bytes());
        frame.data[26..28].fill(0); // no checksum
        frame
    };
    let many: Vec<Kept> = (20_000..24_000).map(from).collect();
    assert_eq!(opened(&many, &keys).1.omitted["dtls_hellos"], 1792);
    assert!(!opened(&many[..3000], &keys).1.omitted.contains_key("dtls_hellos"));
    assert!(!opened_late(&many, &[], usize::MAX).1.omitted.contains_key("dtls_hellos"), "nothing was lost by it");
}

#[test]
fn a_capture_that_lacks_the_hellos_says_so() {
    for protocol in ["tls", "dtls"] {
        let Matrix { keys, frames } = matrix(protocol);
        let of_it: Vec<Kept> = frames.into_iter().filter(|frame| frame.port == 40000).collect();
        let from = of_it.len() - 6;
        let (messages, report) = opened(&of_it[from..], &keys);
        assert_eq!(messages.len(), 0);
        let known = report.captures[0].decryption.as_ref().unwrap();
        let reasons: Vec<&str> = known.shut_records.keys().map(String::as_str).collect();
        assert_eq!(reasons, ["the connection's hellos are not in the capture"], "{protocol}");
    }
}

#[test]
fn the_seeds_for_fuzzing_are_opened() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/keys");
    let mut opened = 0;
    for file in fs::read_dir(folder).unwrap() {
        opened += turnscope::keys::exercise(&fs::read(file.unwrap().path()).unwrap());
    }
    assert!(opened > 300, "{opened} records");
}

#[test]
fn a_key_log_shows_nothing_of_itself() {
    let keys = file("tls.keylog");
    let mut log = KeyLog::new();
    log.add(&keys);
    let shown = format!("{log:?} {log:#?}");
    assert!(shown.starts_with("KeyLog(") && shown.len() < 200, "{shown}");
}

/// Frames that carry application data: those behind the handshake of their connection, which are the last ones of each.
fn droppable(frames: &[Kept], port: u16) -> Vec<usize> {
    let of_it: Vec<usize> = (0..frames.len()).filter(|&at| frames[at].port == port && frames[at].full).collect();
    let messages = 6; // four messages, two goodbyes
    of_it[of_it.len() - messages..].to_vec()
}

#[test]
fn a_lost_record_costs_its_own_message_and_no_other() {
    for protocol in ["tls", "dtls"] {
        let Matrix { keys, frames } = matrix(protocol);
        let ports: BTreeSet<u16> = frames.iter().map(|frame| frame.port).collect();
        // the last TLS 1.0 suites lose the block that the next record begins with
        let chained = |port: u16| protocol == "tls" && matches!(port, 40240 | 40250 | 40280 | 40460);
        for port in ports {
            let of_it: Vec<Kept> = frames.iter().filter(|frame| frame.port == port).cloned().collect();
            let (all, _) = opened(&of_it, &keys);
            for lost in droppable(&of_it, port) {
                let mut fewer = of_it.clone();
                fewer.remove(lost);
                let (messages, _) = opened(&fewer, &keys);
                let gone = all.len() - messages.len();
                let most = if chained(port) { 2 } else { 1 };
                // three messages in one record, and one over two, go together
                let most = if (40430..=40460).contains(&port) && protocol == "tls" { 4 } else { most };
                assert!(
                    messages.is_subset(&all) && gone <= most,
                    "{protocol} {port}: {gone} of {} for frame {lost}",
                    all.len()
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn frames_in_disorder_or_twice_give_the_same_messages(
        protocol in prop_oneof![Just("tls"), Just("dtls"), Just("dtls13")],
        swaps in proptest::collection::vec(0_usize..10_000, 0..60),
        copies in proptest::collection::vec(0_usize..10_000, 0..20),
    ) {
        let Matrix { keys, frames } = matrix(protocol);
        let (all, _) = opened(&frames, &keys);
        let mut changed = frames;
        for swap in swaps {
            let at = swap % (changed.len() - 1);
            // data only: the order of SYN and hellos decides who is who, and a renegotiation has hellos among the data
            let (first, second) = (&changed[at], &changed[at + 1]);
            let late = |at: usize| changed[..at].iter().filter(|frame| frame.port == first.port && frame.full).count() > 5;
            let plain = !matches!(first.port, 40180..=40200 | 40280);
            if plain && first.full && second.full && first.port == second.port && late(at) {
                changed.swap(at, at + 1);
            }
        }
        for copy in copies {
            let at = copy % changed.len();
            if changed[at].full {
                changed.insert(at + 1, changed[at].clone());
            }
        }
        let (messages, _) = opened(&changed, &keys);
        prop_assert_eq!(messages, all);
    }

    #[test]
    fn frames_that_are_lost_leave_true_messages_and_a_said_gap(
        protocol in prop_oneof![Just("tls"), Just("dtls"), Just("dtls13")],
        lost in proptest::collection::btree_set(0_usize..900, 1..80),
    ) {
        let Matrix { keys, frames } = matrix(protocol);
        let (all, _) = opened(&frames, &keys);
        let kept: Vec<Kept> = (0..frames.len()).filter(|at| !lost.contains(at)).map(|at| frames[at].clone()).collect();
        let touched: BTreeSet<u16> = lost.iter().filter_map(|&at| frames.get(at)).map(|frame| frame.port).collect();
        let (messages, report) = opened(&kept, &keys);
        prop_assert!(messages.is_subset(&all), "nothing is made up");
        let missing: BTreeSet<u16> = all.difference(&messages).map(|(port, _)| *port).collect();
        prop_assert!(missing.is_subset(&touched), "a loss costs its own connection only: {:?} {:?}", missing, touched);
        let full = lost.iter().filter_map(|&at| frames.get(at)).any(|frame| frame.full);
        if protocol == "tls" && full && !missing.is_empty() {
            let bytes: u64 = report.tls.iter().map(|known| known.tcp.missing_bytes.iter().sum::<u64>()).sum();
            let shut: u64 = report.tls.iter().map(|known| known.shut_records).sum();
            prop_assert!(bytes + shut > 0 || report.tls.len() < 51, "what is missing is said");
        }
    }
}
