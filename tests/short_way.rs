//! The short way for plain messages gives what the long way gives, and many frames at once what they give one by one.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use turnscope::analyzer::{Analyzer, Options, report};
use turnscope::capture::Capture;
use turnscope::event::Row;
use turnscope::session::Limits;

/// The report of a capture and all its rows. Nothing is kept that is not odd, so that the short way is taken from the start.
fn told(bytes: &[u8], long: bool, at_once: bool, ordinary_exchanges: usize) -> String {
    let limits = Limits { ordinary_exchanges, ..Limits::default() };
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

fn captures(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(captures(&entry));
        } else if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("capture.pcap")) {
            found.push(entry);
        }
    }
    found.sort();
    found
}

#[test]
fn every_sample_is_told_the_same_by_the_short_way_and_by_the_long_way() {
    let samples = captures(&Path::new(env!("CARGO_MANIFEST_DIR")).join("samples"));
    assert!(samples.len() > 20);
    for path in samples {
        let bytes = fs::read(&path).unwrap();
        for ordinary in [0, 1, 1024] {
            let long = told(&bytes, true, false, ordinary);
            for at_once in [false, true] {
                let short = told(&bytes, false, at_once, ordinary);
                assert!(short == long, "{}: {ordinary} ordinary exchanges kept, at once: {at_once}", path.display());
            }
        }
    }
}
