//! DTLS as this program and tshark read it, frame by frame: records, handshake fragments, alerts.
//!
//! Runs over the samples, and over the captures in the folders that `TURNSCOPE_CAPTURES` names, where tshark is installed.
// What is unwrapped here is ours or tshark's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use turnscope::analyzer::{Analyzer, Options};
use turnscope::capture::Capture;
use turnscope::event::Body;
use turnscope::wire::dtls::Record;

/// What a frame holds, in wire order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    content_types: Vec<u64>,
    versions: Vec<u64>,
    epochs: Vec<u64>,
    sequences: Vec<u64>,
    lengths: Vec<u64>,
    handshake_types: Vec<u64>,
    message_sequences: Vec<u64>,
    fragment_offsets: Vec<u64>,
    fragment_lengths: Vec<u64>,
    alert_levels: Vec<u64>,
    alerts: Vec<u64>,
}

const FIELDS: [&str; 11] = [
    "dtls.record.content_type",
    "dtls.record.version",
    "dtls.record.epoch",
    "dtls.record.sequence_number",
    "dtls.record.length",
    "dtls.handshake.type",
    "dtls.handshake.message_seq",
    "dtls.handshake.fragment_offset",
    "dtls.handshake.fragment_length",
    "dtls.alert_message.level",
    "dtls.alert_message.desc",
];

impl Seen {
    fn columns(&mut self) -> [&mut Vec<u64>; 11] {
        [
            &mut self.content_types,
            &mut self.versions,
            &mut self.epochs,
            &mut self.sequences,
            &mut self.lengths,
            &mut self.handshake_types,
            &mut self.message_sequences,
            &mut self.fragment_offsets,
            &mut self.fragment_lengths,
            &mut self.alert_levels,
            &mut self.alerts,
        ]
    }

    fn add(&mut self, record: &Record<'_>) {
        self.content_types.push(record.content_type.0.into());
        self.versions.push(record.version.0.into());
        self.epochs.push(record.epoch.into());
        self.sequences.extend(record.sequence);
        self.lengths.push(record.length as u64);
        for fragment in record.fragments() {
            self.handshake_types.push(fragment.kind.0.into());
            self.message_sequences.push(fragment.sequence.into());
            self.fragment_offsets.push(fragment.offset.into());
            self.fragment_lengths.push(fragment.declared.into());
        }
        if let Some(alert) = record.alert() {
            self.alert_levels.push(alert.level.0.into());
            self.alerts.push(alert.description.0.into());
        }
    }
}

fn ours(path: &Path) -> BTreeMap<u64, Seen> {
    let mut capture = Capture::open(File::open(path).unwrap()).unwrap();
    let mut analyzer = Analyzer::new(Options::default());
    let mut frames: BTreeMap<u64, Seen> = BTreeMap::new();
    while let Some(frame) = capture.next_frame() {
        analyzer.frame(&frame, &mut |row| {
            if let Body::Dtls(record) = &row.event.body {
                frames.entry(row.event.frame).or_default().add(record);
            }
        });
    }
    frames
}

fn theirs(path: &Path) -> Option<BTreeMap<u64, Seen>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(path);
    // DTLS inside a relay is looked at on request only; over TCP it is not read here yet.
    command.args(["--enable-heuristic", "dtls_stun", "-Y", "dtls && udp && !icmp && !icmpv6"]);
    command.args(["-T", "fields", "-E", "occurrence=a", "-E", "aggregator=,", "-e", "frame.number"]);
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command.output().ok().filter(|output| output.status.success())?;
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
        None => text.parse().unwrap(),
    };
    let mut frames = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let mut columns = line.split('\t');
        let frame = number(columns.next().unwrap());
        let mut seen = Seen::default();
        for (into, column) in seen.columns().into_iter().zip(columns) {
            into.extend(column.split(',').filter(|text| !text.is_empty()).map(number));
        }
        frames.insert(frame, seen);
    }
    Some(frames)
}

fn captures() -> Vec<PathBuf> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let more = std::env::var_os("TURNSCOPE_CAPTURES").unwrap_or_default();
    let folders = fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path()).chain(std::env::split_paths(&more));
    let mut found: Vec<PathBuf> = folders
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap" || end == "pcapng"))
        .collect();
    found.sort();
    found
}

#[test]
fn records_fragments_and_alerts_are_those_that_tshark_sees() {
    let mut frames = 0;
    for path in captures() {
        let Some(theirs) = theirs(&path) else {
            eprintln!("tshark is not installed or does not read {}: not compared", path.display());
            continue;
        };
        let ours = ours(&path);
        frames += ours.len();
        for number in ours.keys().chain(theirs.keys()) {
            assert_eq!(ours.get(number), theirs.get(number), "frame {number} of {}", path.display());
        }
    }
    eprintln!("{frames} frames compared");
}
