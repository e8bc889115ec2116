//! TLS as this program and tshark read it, frame by frame: records, handshake messages, server names, certificates, alerts.
//!
//! Runs over the samples, and over the captures in the folders that `TURNSCOPE_CAPTURES` names, where tshark is installed;
//! `TURNSCOPE_REQUIRE_TSHARK=1` makes it fail elsewhere. All TLS is compared, not that of TURN alone.
// What is unwrapped here is ours or tshark's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use support::oracle::{fields, has_tshark};
use support::samples::captures;
use turnscope::capture::Capture;
use turnscope::frame::Seen;
use turnscope::packet::{Limits as PacketLimits, Packet, Packets};
use turnscope::stream::{Item, Limits, Streams, What};
use turnscope::time::Timestamp;
use turnscope::wire::handshake::{ClientHello, ExtensionType, HandshakeType, Message, Protocol, Value};

/// What a frame holds, by the field of tshark, each list sorted: which of several lists a record stands in tshark does not tell.
type Fields = BTreeMap<&'static str, Vec<String>>;

const FIELDS: [&str; 9] = [
    "tls.record.content_type",
    "tls.record.version",
    "tls.record.length",
    "tls.handshake.type",
    "tls.handshake.extensions_server_name",
    "tls.handshake.certificate",
    "tls.handshake.ciphersuite",
    "tls.alert_message.level",
    "tls.alert_message.desc",
];
/// Content types of the records of TLS 1.3, which say application data whatever they hold.
const OPAQUE: &str = "tls.record.opaque_type";

fn ours(path: &Path) -> BTreeMap<u64, Fields> {
    let mut capture = Capture::open(File::open(path).unwrap()).unwrap();
    let (mut packets, mut streams) = (Packets::new(PacketLimits::default()), Streams::new(Limits::default()));
    let mut frames: BTreeMap<u64, Fields> = BTreeMap::new();
    let mut each = |item: Item<'_>| {
        let Item::Secured(secured) = item else { return };
        secured.follow.set(true);
        let seen = frames.entry(secured.at.frame).or_default();
        let mut add = |field: &'static str, value: String| seen.entry(field).or_default().push(value);
        match secured.what {
            What::Record(sealed) => {
                add(FIELDS[0], sealed.record.content_type.0.to_string());
                add(FIELDS[1], format!("0x{:04x}", sealed.record.version.0));
                add(FIELDS[2], sealed.record.length.to_string());
                if let Some(alert) = sealed.alert {
                    add(FIELDS[7], alert.level.0.to_string());
                    add(FIELDS[8], alert.description.0.to_string());
                }
            }
            What::Message { kind, body, .. } => {
                add(FIELDS[3], kind.0.to_string());
                message(kind, body, &mut add);
            }
        }
    };
    let mut now = Timestamp(0);
    while let Some(frame) = capture.next_frame() {
        now = frame.time.unwrap_or(now);
        let at = Seen { frame: frame.number, time: now };
        streams.advance(at, &mut each);
        packets.dissect(&frame, now, &mut |packet| {
            if let Packet::Segment(segment) = packet {
                streams.segment(at, &segment, &mut each);
            }
        });
    }
    streams.finish(&mut each);
    if !capture.info().secrets.is_empty() {
        return BTreeMap::new(); // tshark opens what these keys open, which tests/tshark_keys.rs compares
    }
    for seen in frames.values_mut() {
        seen.values_mut().for_each(|values| values.sort());
    }
    frames
}

fn message(kind: HandshakeType, body: &[u8], add: &mut impl FnMut(&'static str, String)) {
    if ![HandshakeType::CLIENT_HELLO, HandshakeType::SERVER_HELLO, HandshakeType::CERTIFICATE].contains(&kind) {
        return;
    }
    match Message::parse(kind, body, Protocol::Tls, None).unwrap() {
        Message::ClientHello(hello) => {
            hello.cipher_suites().for_each(|suite| add(FIELDS[6], format!("0x{:04x}", suite.0)));
            add_name(&hello, add);
        }
        Message::ServerHello(hello) => add(FIELDS[6], format!("0x{:04x}", hello.cipher_suite.0)),
        Message::Certificate(chain) => chain.for_each(|der| {
            add(FIELDS[5], der.iter().map(|byte| format!("{byte:02x}")).collect());
        }),
        _ => {}
    }
}

fn add_name(hello: &ClientHello<'_>, add: &mut impl FnMut(&'static str, String)) {
    if let Some(Value::HostName(name)) = hello.extensions.value(ExtensionType::SERVER_NAME) {
        add(FIELDS[4], String::from_utf8_lossy(name).into_owned());
    }
}

fn theirs(path: &Path) -> BTreeMap<u64, Fields> {
    let shown = ["-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", "tls && !icmp"];
    let begun = begun(path);
    let wanted = [&["frame.number", "tcp.stream"], &FIELDS[..], &[OPAQUE]].concat();
    let rows = fields(path, &[&shown[..], &["-E", "occurrence=a", "-E", "aggregator=,"]].concat(), &wanted);
    let row = |columns: &Vec<String>| {
        let mut columns = columns.iter();
        let number = columns.next()?.parse().ok()?;
        if !begun.contains(columns.next()?) {
            return None;
        }
        let mut seen = Fields::new();
        for (field, column) in FIELDS.iter().chain([&OPAQUE]).zip(columns) {
            let field = if *field == OPAQUE { FIELDS[0] } else { field };
            let values = column.split(',').filter(|text| !text.is_empty());
            let mut values: Vec<String> = values.map(plain).collect();
            seen.entry(field).or_default().append(&mut values);
        }
        seen.retain(|_, values| !values.is_empty());
        seen.values_mut().for_each(|values| values.sort());
        Some((number, seen))
    };
    let rows = rows.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    rows.iter().filter_map(row).filter(|(_, seen)| !seen.is_empty()).collect()
}

/// The connections whose TLS is known as such here: they begin in the capture, or are on TURN's own port. Of others, of which no hello was captured,
/// nothing could tell that they are of TURN, and so they are not looked at.
fn begun(path: &Path) -> BTreeSet<String> {
    let begins = "tcp.flags.syn == 1 || tls.handshake.type == 1 || tls.handshake.type == 2 || tcp.port == 5349";
    let rows = fields(path, &["-n", "-Y", begins], &["tcp.stream"]);
    let rows = rows.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    rows.into_iter().filter_map(|columns| columns.into_iter().next()).collect()
}

/// Certificates with colons in some versions; all else as it is.
fn plain(text: &str) -> String {
    if text.len() > 40 { text.replace(':', "") } else { text.to_owned() }
}

#[test]
fn records_messages_names_and_alerts_are_those_that_tshark_sees() {
    if !has_tshark() {
        return;
    }
    let (mut frames, mut with_tls) = (0, 0);
    for path in captures() {
        let ours = ours(&path);
        if ours.is_empty() {
            continue; // most samples: tshark takes long to say that there is nothing
        }
        let theirs = theirs(&path);
        frames += ours.len();
        with_tls += 1;
        for number in ours.keys().chain(theirs.keys()) {
            assert_eq!(ours.get(number), theirs.get(number), "frame {number} of {}", path.display());
        }
    }
    eprintln!("{frames} frames of {with_tls} captures compared");
    assert!(with_tls > 8, "the samples of TLS are there");
}
