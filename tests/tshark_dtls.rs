//! DTLS as this program and tshark read it, frame by frame: records, handshake fragments, alerts.
//!
//! Runs over the samples, and over the captures in the folders that `TURNSCOPE_CAPTURES` names, where tshark is installed;
//! `TURNSCOPE_REQUIRE_TSHARK=1` makes it fail elsewhere.
// What is unwrapped here is ours or tshark's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use support::of_each;
use support::oracle::{self, has_tshark};
use support::samples::captures;
use turnscope::analyzer::{Analyzer, Options};
use turnscope::capture::Capture;
use turnscope::event::{Body, Framing, Row as MessageRow};
use turnscope::net::Endpoint;
use turnscope::report::DtlsState;
use turnscope::wire::dtls::{Arrival, Form, Pushed, Reassembler, Record};
use turnscope::wire::handshake::{AlertDescription, CipherSuite, HandshakeType, Message, Protocol, Version};

/// What a frame holds, in wire order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// Where tshark says that it could not read on.
const STOPPED: &str = "_ws.malformed";

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

/// The record of a row, if it is anywhere where tshark looks for one: it reads none in the frames of ICE over TCP (RFC 4571).
fn shown<'r>(row: &'r MessageRow<'_>) -> Option<&'r Record<'r>> {
    match &row.event.body {
        Body::Dtls(record) if row.event.framing != Framing::Rfc4571 => Some(record),
        _ => None,
    }
}

fn ours(path: &Path) -> BTreeMap<u64, Seen> {
    let mut capture = Capture::open(File::open(path).unwrap()).unwrap();
    let mut analyzer = Analyzer::new(Options::default());
    let mut frames: BTreeMap<u64, Seen> = BTreeMap::new();
    while let Some(frame) = capture.next_frame() {
        analyzer.frame(&frame, &mut |row| {
            // records of DTLS 1.3 with a unified header are left out: not all versions of tshark know them
            if let Some(record) = shown(row)
                && record.form != Form::Unified
            {
                frames.entry(row.event.frame).or_default().add(record);
            }
        });
    }
    frames
}

/// Values, each with the frame that has it.
type InFrames<T> = Vec<(u64, T)>;

/// Certificates of the messages put together, with the frame that completes each, as hexadecimal digits; and the suites offered.
fn certificates_and_suites(path: &Path) -> (InFrames<String>, InFrames<u64>) {
    let mut capture = Capture::open(File::open(path).unwrap()).unwrap();
    let mut analyzer = Analyzer::new(Options::default());
    let mut ways: BTreeMap<(Endpoint, Endpoint), Reassembler> = BTreeMap::new();
    let (mut certificates, mut suites) = (Vec::new(), Vec::new());
    while let Some(frame) = capture.next_frame() {
        analyzer.frame(&frame, &mut |row| {
            let Some(record) = shown(row) else { return };
            let arrival =
                Arrival { frame: row.event.frame, time: row.event.time, record: record.number(), datagram: 0 };
            for fragment in record.fragments() {
                let reassembler = ways.entry((row.event.src, row.event.dst)).or_default();
                let Pushed::Complete(message) = reassembler.push(&fragment, arrival) else { continue };
                let wanted = [HandshakeType::CERTIFICATE, HandshakeType::CLIENT_HELLO, HandshakeType::SERVER_HELLO];
                if !wanted.contains(&message.kind) {
                    continue; // how some others are read depends on the version
                }
                match Message::parse(message.kind, message.body().unwrap(), Protocol::Dtls, None).unwrap() {
                    Message::Certificate(chain) => certificates.extend(
                        chain.map(|der| (row.event.frame, der.iter().map(|byte| format!("{byte:02x}")).collect())),
                    ),
                    Message::ClientHello(hello) => {
                        suites.extend(hello.cipher_suites().map(|suite| (row.event.frame, u64::from(suite.0))));
                    }
                    Message::ServerHello(hello) => suites.push((row.event.frame, hello.cipher_suite.0.into())),
                    _ => {}
                }
            }
        });
    }
    (certificates, suites)
}

/// One field of every frame that has it: each of its values with the frame.
fn their_field(rows: &Rows, field: &str) -> InFrames<String> {
    let of_row = |row: &Row| row[field].iter().map(|value| (number(&row["frame.number"][0]), value.clone())).collect();
    rows.iter().flat_map(|row| -> InFrames<String> { of_row(row) }).collect()
}

#[test]
fn certificates_and_suites_are_those_that_tshark_puts_together() {
    let mut compared = 0;
    for (path, rows) in told() {
        let (certificates, suites) = certificates_and_suites(path);
        if suites.is_empty() {
            continue;
        }
        // A message sent again is put together again by tshark: the first of each counts.
        let mut their_certificates = their_field(rows, "dtls.handshake.certificate");
        let mut known = std::collections::BTreeSet::new();
        their_certificates.retain(|(_, der)| known.insert(der.clone()));
        let mut known = std::collections::BTreeSet::new();
        let ours: Vec<_> = certificates.into_iter().filter(|(_, der)| known.insert(der.clone())).collect();
        assert_eq!(ours, their_certificates, "{}", path.display());
        let their_suites = their_field(rows, "dtls.handshake.ciphersuite");
        let frames: std::collections::BTreeSet<u64> = suites.iter().map(|(frame, _)| *frame).collect();
        let of = |frame: u64| -> Vec<String> {
            let mine = suites.iter().filter(|(number, _)| *number == frame);
            mine.map(|(_, suite)| format!("0x{suite:04x}")).collect()
        };
        for frame in frames {
            let theirs: Vec<_> =
                their_suites.iter().filter(|(number, _)| *number == frame).map(|(_, suite)| suite.clone()).collect();
            assert_eq!(of(frame), theirs, "frame {frame} of {}", path.display());
            compared += 1;
        }
        compared += ours.len();
    }
    eprintln!("{compared} certificates and lists of suites compared");
}

/// The values of each field in a frame.
type Row = BTreeMap<&'static str, Vec<String>>;
/// The frames of a capture that have DTLS in them.
type Rows = Vec<Row>;

/// What tshark tells of each capture; of none where it is not there. It is asked once for all tests, several captures at a time.
fn told() -> &'static [(PathBuf, Rows)] {
    static TOLD: OnceLock<Vec<(PathBuf, Rows)>> = OnceLock::new();
    TOLD.get_or_init(|| {
        let paths = if has_tshark() { captures() } else { Vec::new() };
        let told = of_each(&paths, |path| rows(path));
        paths.into_iter().zip(told).collect()
    })
}

fn rows(path: &Path) -> Rows {
    let more = ["frame.number", "frame.protocols", "dtls.handshake.certificate"];
    let fields: Vec<&str> = more.into_iter().chain(FIELDS).chain(OF_STREAMS).chain([STOPPED]).collect();
    // DTLS inside a relay is looked at on request only
    let shown = ["-n", "--enable-heuristic", "dtls_stun", "-Y", "dtls && !icmp && !icmpv6"];
    let found = oracle::fields(path, &[&shown[..], &["-E", "occurrence=a", "-E", "aggregator=,"]].concat(), &fields);
    let values = |column: &String| column.split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect();
    let row = |columns: &Vec<String>| fields.iter().copied().zip(columns.iter().map(values)).collect();
    found.unwrap_or_else(|error| panic!("{}: {error}", path.display())).iter().map(row).collect()
}

fn number(text: &str) -> u64 {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap(),
        None => text.parse().unwrap(),
    }
}

/// The frames that tshark reads to the first fragment of a flight that was sent again, cut differently: what comes behind it, it does not show.
fn stopped(rows: &Rows) -> BTreeSet<u64> {
    let stops = |row: &&Row| row[STOPPED].iter().any(|text| text.contains("Reassembly error"));
    rows.iter().filter(stops).map(|row| number(&row["frame.number"][0])).collect()
}

fn theirs(rows: &Rows) -> BTreeMap<u64, Seen> {
    let seen = |row: &Row| {
        let mut seen = Seen::default();
        for (into, field) in seen.columns().into_iter().zip(FIELDS) {
            into.extend(row[field].iter().map(|text| number(text)));
        }
        (number(&row["frame.number"][0]), seen)
    };
    rows.iter().map(seen).collect()
}

#[test]
fn records_fragments_and_alerts_are_those_that_tshark_sees() {
    let mut frames = 0;
    for (path, rows) in told() {
        let (mut ours, theirs, stopped) = (ours(path), theirs(rows), stopped(rows));
        frames += ours.len();
        for (number, seen) in ours.iter_mut().filter(|(number, _)| stopped.contains(number)) {
            let mut shown = theirs[number].clone();
            for (ours, theirs) in seen.columns().into_iter().zip(shown.columns()) {
                ours.truncate(theirs.len());
            }
        }
        for number in ours.keys().chain(theirs.keys()) {
            assert_eq!(ours.get(number), theirs.get(number), "frame {number} of {}", path.display());
        }
    }
    eprintln!("{frames} frames compared");
}

/// What tshark sees of one UDP stream with a handshake in it.
#[derive(Debug, Default)]
struct Stream {
    /// Server and client, suite and version of the ServerHello; the first that is no HelloRetryRequest.
    hello: Option<(String, String, u64, u64)>,
    /// Who sent the first ClientHello.
    client: Option<String>,
    /// Senders of protected handshake records.
    finished: std::collections::BTreeSet<String>,
    /// The first fatal alert in the clear: its sender and number.
    alert: Option<(String, u64)>,
    /// How many different ClientHellos there are.
    randoms: std::collections::BTreeSet<String>,
}

const OF_STREAMS: [&str; 11] = [
    "udp.stream",
    "ip.src",
    "ipv6.src",
    "udp.srcport",
    "ip.dst",
    "ipv6.dst",
    "udp.dstport",
    "dtls.handshake.ciphersuite",
    "dtls.handshake.version",
    "dtls.handshake.extensions.supported_version",
    "dtls.handshake.random",
];

/// The streams with handshakes of a capture; none of those that are inside a relay.
fn their_streams(rows: &Rows) -> BTreeMap<u64, Stream> {
    let mut streams: BTreeMap<u64, Stream> = BTreeMap::new();
    let direct = |row: &&Row| !row["frame.protocols"].iter().any(|all| all.split(':').any(|name| name == "stun"));
    for row in rows.iter().filter(direct) {
        let end = |v4: &str, v6: &str, port: &str| match row[v4].first() {
            Some(ip) => format!("{ip}:{}", row[port][0]),
            None => format!("[{}]:{}", row[v6][0], row[port][0]),
        };
        let (src, dst) = (end("ip.src", "ipv6.src", "udp.srcport"), end("ip.dst", "ipv6.dst", "udp.dstport"));
        let stream = streams.entry(number(&row["udp.stream"][0])).or_default();
        let (randoms, suites) = (&row["dtls.handshake.random"], &row["dtls.handshake.ciphersuite"]);
        let sent = |kind: &str| row["dtls.handshake.type"].iter().any(|known| known == kind);
        if sent("1") {
            stream.client.get_or_insert(src.clone());
            stream.randoms.extend(randoms.iter().cloned());
        }
        let retry = randoms.iter().any(|random| random.starts_with("cf21ad74"));
        if sent("2") && !sent("1") && !retry && stream.hello.is_none() && suites.len() == 1 {
            let supported = row["dtls.handshake.extensions.supported_version"].first();
            let version = supported.unwrap_or_else(|| &row["dtls.handshake.version"][0]);
            stream.hello = Some((src.clone(), dst, number(&suites[0]), number(version)));
        }
        let mut records = row["dtls.record.content_type"].iter().zip(&row["dtls.record.epoch"]);
        if records.any(|(kind, epoch)| kind == "22" && epoch != "0") {
            stream.finished.insert(src.clone());
        }
        if let Some(at) = row["dtls.alert_message.level"].iter().position(|level| level == "2") {
            stream.alert.get_or_insert((src, number(&row["dtls.alert_message.desc"][at])));
        }
    }
    streams.retain(|_, stream| stream.client.is_some());
    streams
}

#[test]
fn associations_are_those_that_tshark_shows() {
    let mut compared = 0;
    for (path, rows) in told() {
        let report = support::analyze::report(&std::fs::read(path).unwrap());
        if report.dtls.is_empty() {
            continue;
        }
        for (number, stream) in their_streams(rows) {
            let client = stream.client.unwrap();
            // with several associations on one stream, or several streams of one, there is no one to compare with
            let mut ours = report.dtls.iter().filter(|known| {
                known.via.is_empty() && (known.client.to_string() == client || known.server.to_string() == client)
            });
            let (Some(known), None) = (ours.next(), ours.next()) else { continue };
            if !known.also.is_empty() {
                continue;
            }
            let about = format!("stream {number} of {}", path.display());
            if let Some((server, client, suite, version)) = stream.hello {
                assert_eq!((known.server.to_string(), known.client.to_string()), (server, client), "{about}");
                let suite = CipherSuite(u16::try_from(suite).unwrap()).to_string();
                let version = Version(u16::try_from(version).unwrap()).to_string();
                assert_eq!(known.cipher_suite.as_ref(), Some(&suite), "{about}");
                assert_eq!(known.version.as_ref(), Some(&version), "{about}");
            } else {
                assert_eq!(known.cipher_suite, None, "{about}");
            }
            if known.version.as_deref() != Some("DTLS 1.3") {
                assert_eq!(known.state == DtlsState::Complete, stream.finished.len() == 2, "{about}");
            }
            if let Some((from, description)) = stream.alert {
                let alert = known.alert.as_ref().unwrap();
                let sender = if alert.from == "client" { &known.client } else { &known.server };
                let description = AlertDescription(u8::try_from(description).unwrap()).to_string();
                assert_eq!((sender.to_string(), &alert.description), (from, &description), "{about}");
            }
            compared += 1;
        }
    }
    eprintln!("{compared} associations compared");
}
