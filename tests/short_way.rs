//! The short way for plain messages gives what the long way gives, and many frames at once what they give one by one.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[allow(dead_code, unused_imports)]
#[path = "../benches/generate/main.rs"]
mod generate;
mod support;

use std::fs;
use std::path::Path;
use support::degrade::{self, Shot};
use support::samples::captures;
use turnscope::analyzer::{Analyzer, Options, report};
use turnscope::capture::Capture;
use turnscope::event::Row;
use turnscope::session::Limits;

/// The report of a capture and all its rows. Nothing is kept that is not odd, so that the short way is taken from the start.
fn told(bytes: &[u8], long: bool, at_once: bool, limits: Limits) -> String {
    let mut analyzer = Analyzer::new(Options { limits, ..Options::default() });
    if long {
        analyzer = analyzer.the_long_way();
    }
    let Ok(mut capture) = Capture::open(bytes) else { return String::new() };
    let mut rows = String::new();
    let mut sink = |row: &Row<'_>| {
        rows += &format!(
            "{} {:?} {:?} {:?} {:?}\n",
            row.event.frame, row.integrity, row.request_frame, row.rtt, row.retransmission_of
        );
    };
    loop {
        if at_once {
            let (ahead, taken) = analyzer.at_once(&capture, 0, &mut sink, || true);
            capture.pass_over(&ahead, taken);
        }
        let Some(frame) = capture.next_frame() else { break };
        analyzer.frame(&frame, &mut sink);
    }
    let report = report(vec![analyzer.finish("capture".to_owned(), capture.info())]);
    format!("{rows}{}", serde_json::to_string_pretty(&report).unwrap())
}

/// The frames of a capture, each with a second copy right behind it.
fn mirrored(bytes: &[u8]) -> Vec<u8> {
    let mut capture = Capture::open(bytes).unwrap();
    let mut shots = Vec::new();
    while let Some(frame) = capture.next_frame() {
        let ns = frame.time.map_or(0, |time| u64::try_from(time.0).unwrap_or(0));
        shots.push(Shot { ns, bytes: frame.data.to_vec(), whole: frame.data.len() });
    }
    degrade::pcap(&degrade::mirrored(&shots, 5))
}

#[test]
fn media_that_a_mirror_port_shows_twice_is_told_the_same_by_the_short_way_and_by_the_long_way() {
    for path in captures() {
        let twice = mirrored(&fs::read(&path).unwrap());
        let (long, short) =
            (told(&twice, true, false, Limits::default()), told(&twice, false, true, Limits::default()));
        assert!(short == long, "{}", path.display());
    }
}

#[test]
fn every_sample_is_told_the_same_by_the_short_way_and_by_the_long_way() {
    for path in captures() {
        let bytes = fs::read(&path).unwrap();
        for ordinary in [0, 1, 1024] {
            let limits = Limits { ordinary_exchanges: ordinary, ..Limits::default() };
            let long = told(&bytes, true, false, limits);
            for at_once in [false, true] {
                let short = told(&bytes, false, at_once, limits);
                assert!(short == long, "{}: {ordinary} ordinary exchanges kept, at once: {at_once}", path.display());
            }
        }
    }
}

/// The frames of the generator's capture of busy servers: logins, refreshes, permissions, channels, stale nonces, refusals, silence, repeated requests
/// and answers, releases.
fn busy_servers(flows: u32) -> Vec<Shot> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("busy-{flows}.pcap"));
    let words = ["--shape", "signalling", "--size", "1MiB", "--flows"].map(str::to_owned).into_iter();
    let words = words.chain([flows.to_string(), "-o".to_owned(), file.display().to_string()]);
    generate::one(&generate::options::Options::from_arguments(words).unwrap());
    let bytes = fs::read(file).unwrap();
    let mut rest = &bytes[24..];
    let mut shots = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<16>() {
        let [seconds, micros, kept, whole] =
            [0, 4, 8, 12].map(|at| u32::from_le_bytes(head[at..at + 4].try_into().unwrap()));
        let (bytes, next) = after.split_at(kept as usize);
        let ns = u64::from(seconds) * 1_000_000_000 + u64::from(micros) * 1000;
        shots.push(Shot { ns, bytes: bytes.to_vec(), whole: whole as usize });
        rest = next;
    }
    shots
}

#[test]
fn busy_servers_are_told_the_same_by_the_short_way_and_by_the_long_way_however_damaged_the_capture_is() {
    for flows in [16, 150] {
        let shots = busy_servers(flows);
        let thinned = |nth: usize| {
            shots.iter().enumerate().filter(|(at, _)| at % nth != 0).map(|(_, shot)| shot.clone()).collect()
        };
        let half = shots.len() / 2;
        let variants: [(&str, Vec<Shot>); 8] = [
            ("whole", shots.clone()),
            ("every third frame lost", thinned(3)),
            ("every 17th frame lost", thinned(17)),
            ("begun late", shots[half..].to_vec()),
            ("every frame twice", degrade::mirrored(&shots, 40)),
            ("clock set back", degrade::clock_set(&shots, half, -20_000)),
            ("clock set on", degrade::clock_set(&shots, half, 90_000)),
            ("whole seconds only", degrade::coarse(&shots)),
        ];
        for (name, shots) in variants {
            let bytes = degrade::pcap(&shots);
            let none_kept = Limits { ordinary_exchanges: 0, ..Limits::default() };
            let narrow = Limits { flows: 100, crowded: 12, transactions: 64, exchanges: 8, ..none_kept };
            for limits in [none_kept, narrow] {
                let long = told(&bytes, true, false, limits);
                let short = told(&bytes, false, true, limits);
                assert!(short == long, "{flows} flows, {name}, at most {} of them kept", limits.flows);
            }
        }
    }
}
