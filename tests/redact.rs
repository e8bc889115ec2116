//! `redact`: nothing of who it is about is left, and the same is found.
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod capture_bytes;
mod support;

use capture_bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use support::dtls;
use support::oracle::{fields, has_tshark};
use support::samples::{self, Sample};
use support::tcp::Tcp;
use support::{Scene, Stun, alice, method};
use turnscope::analyzer::{self, Analyzer, Options};
use turnscope::capture::{Capture, Record, Records};
use turnscope::event::{Body, Row};
use turnscope::keys::KeyLog;
use turnscope::net::Scope;
use turnscope::packet::{Packet, Packets};
use turnscope::redact::{Counts, Key, Redactor, Replaced};
use turnscope::render::messages;
use turnscope::report::Report;
use turnscope::secret::Secret;
use turnscope::session::credentials::Credentials;
use turnscope::session::signalling::{self, Description, Signalling};

/// Findings about what a redacted capture has no more: what certificates say, where they do not stay.
const EXEMPT: [&str; 2] = ["tls-certificate-name", "dtls-fingerprint-mismatch"];

struct Redacted {
    bytes: Vec<u8>,
    credentials: String,
    /// The descriptions as they are of the redacted capture.
    told: Signalling,
    replaced: Replaced,
    counts: Counts,
}

fn credentials(sample: &Sample) -> Credentials {
    let mut credentials = Credentials::default();
    if !sample.credentials.is_empty() {
        credentials.add_toml(&sample.credentials, "credentials.toml").unwrap();
    }
    let mut unused = Signalling::default();
    for (name, bytes) in &sample.descriptions {
        let told = signalling::read(bytes, name).unwrap();
        unused.take(&told, &mut credentials);
    }
    credentials
}

fn redacted(sample: &Sample, key: u8) -> Redacted {
    redacted_with(sample, key, false, &KeyLog::new())
}

fn redacted_with(sample: &Sample, key: u8, keep_certificates: bool, keys: &KeyLog) -> Redacted {
    redacted_bytes(&sample.bytes, (credentials(sample), &descriptions(sample)), key, keep_certificates, keys)
}

/// What the descriptions beside a sample tell.
fn signalling(sample: &Sample) -> Signalling {
    let mut told = Signalling::default();
    descriptions(sample).into_iter().for_each(|(description, _)| told.add(description));
    told
}

fn descriptions(sample: &Sample) -> Vec<(Description, Option<Secret>)> {
    let files = sample.descriptions.iter();
    files.flat_map(|(name, bytes)| signalling::read(bytes, name).unwrap().descriptions).collect()
}

fn redacted_bytes(
    capture: &[u8],
    (credentials, told): (Credentials, &[(Description, Option<Secret>)]),
    key: u8,
    keep_certificates: bool,
    keys: &KeyLog,
) -> Redacted {
    let mut redactor = Redactor::new(&Key::new([key; 32]), credentials, keep_certificates);
    redactor.keys(keys.clone());
    redactor.gather(&mut Records::open(capture).unwrap());
    let mut records = Records::open(capture).unwrap();
    while let Some(record) = records.next_record() {
        if let Record::Packet(packet) = record {
            redactor.learn(&packet.frame);
        }
    }
    let mut bytes = Vec::new();
    let counts = redactor.write(&mut Records::open(capture).unwrap(), &mut bytes).unwrap();
    let credentials = String::from_utf8(redactor.credentials().expose().to_vec()).unwrap();
    let descriptions = redactor.descriptions(told);
    let (mut again, mut unused) = (Signalling::default(), Credentials::default());
    if !told.is_empty() {
        again.take(&signalling::read(descriptions.expose(), "told.json").unwrap(), &mut unused);
    }
    Redacted { bytes, credentials, told: again, replaced: redactor.replaced(), counts }
}

/// What is found with credentials and keys: deployment and logs tell of the original.
fn report(bytes: &[u8], credentials: Credentials, keys: KeyLog, sink: &mut impl FnMut(&Row<'_>)) -> Report {
    report_told(bytes, (credentials, keys, Signalling::default()), sink)
}

fn report_told(
    bytes: &[u8],
    (credentials, keys, signalling): (Credentials, KeyLog, Signalling),
    sink: &mut impl FnMut(&Row<'_>),
) -> Report {
    let mut capture = Capture::open(bytes).unwrap();
    let mut analyzer = Analyzer::new(Options { credentials, keys, signalling, ..Options::default() });
    while let Some((frame, secrets)) = capture.next_with_secrets() {
        analyzer.secrets(secrets);
        analyzer.frame(&frame, sink);
    }
    analyzer::report(vec![analyzer.finish("capture".to_owned(), capture.info())])
}

fn of_toml(text: &str) -> Credentials {
    let mut credentials = Credentials::default();
    if text.contains("[[credential]]") {
        credentials.add_toml(text, "stand-ins.toml").unwrap();
    }
    credentials
}

fn findings(report: &Report, keep: bool) -> Vec<String> {
    let mut found: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| keep || !EXEMPT.contains(&finding.id.as_str()))
        .map(|finding| {
            format!("{} {:?} {:?} {}", finding.id, finding.severity, finding.confidence, finding.occurrences)
        })
        .collect();
    found.sort();
    found
}

/// Which credential made what.
fn verdicts(report: &Report) -> Vec<String> {
    let said = report.credentials.iter();
    said.map(|one| format!("{:?} {} {} {} {}", one.side, one.verified, one.requests, one.responses, one.mismatched))
        .collect()
}

/// What keys opened, and what was in it.
fn opened(report: &Report) -> String {
    let exchanges = report.counts.stun.iter().map(|(kind, count)| format!("{kind} {count}"));
    let told = report.captures.iter().filter_map(|capture| capture.decryption.as_ref()).next();
    let records = told.map_or([0; 3], |told| [told.tls_opened, told.dtls_opened, told.opened_records]);
    format!("{records:?} {:?}", exchanges.collect::<Vec<_>>())
}

#[test]
fn the_same_is_found_in_every_sample() {
    let mut wrong = Vec::new();
    let only = std::env::var("SAMPLE").ok();
    for sample in samples::all() {
        if only.as_ref().is_some_and(|only| *only != sample.name) {
            continue;
        }
        let (none, keys) = (KeyLog::new(), sample.keys());
        let certificates = ["certificate", "tls", "fingerprint"].iter().any(|part| sample.name.contains(part));
        let mut ways = vec![(false, &none)];
        ways.extend(certificates.then_some((true, &none)));
        ways.extend((!keys.is_empty()).then_some((false, &keys)));
        ways.extend((certificates && !keys.is_empty()).then_some((true, &keys)));
        for (keep, keys) in ways {
            let redacted = redacted_with(&sample, 7, keep, keys);
            if only.is_some() {
                fs::write(std::env::temp_dir().join(format!("{}.redacted.pcapng", sample.name)), &redacted.bytes)
                    .unwrap();
            }
            let beside = (credentials(&sample), keys.clone(), signalling(&sample));
            let before = report_told(&sample.bytes, beside, &mut |_| {});
            let beside = (of_toml(&redacted.credentials), KeyLog::new(), redacted.told);
            let after = report_told(&redacted.bytes, beside, &mut |_| {});
            let way = format!("{} (certificates kept: {keep}, keys: {keys:?})", sample.name);
            let (was, is) = (findings(&before, keep), findings(&after, keep));
            if was != is {
                wrong.push(format!("{way}:\n   was {was:?}\n   is  {is:?}"));
            }
            let (was, is) = (verdicts(&before), verdicts(&after));
            if was != is {
                wrong.push(format!("{way}: credentials\n   was {was:?}\n   is  {is:?}"));
            }
            let (was, is) = (opened(&before), opened(&after));
            if was != is {
                wrong.push(format!("{way}: opened\n   was {was:?}\n   is  {is:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Attributes that name somebody.
const NAMING: [&str; 10] = [
    "USERNAME",
    "REALM",
    "NONCE",
    "SOFTWARE",
    "ALTERNATE-DOMAIN",
    "USERHASH",
    "ORIGIN",
    "THIRD-PARTY-AUTHORIZATION",
    "MOBILITY-TICKET",
    "RESERVATION-TOKEN",
];

/// Words that stay where names have them, each for its reason.
fn stays(word: &str) -> bool {
    // products whose servers answer in ways of their own, which rules ask for
    ["coturn", "rfc5766", "turn", "server", "pion", "stunner", "livekit"].contains(&word)
        // what kind of server a name is for, and which tree of names it is in
        || ["turns", "stun", "stuns", "local", "arpa", "addr"].contains(&word)
        // when time-limited credentials and nonces expire, which findings are about
        || word.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a capture tells of whom it is about.
#[derive(Default)]
struct Told {
    addresses: BTreeSet<IpAddr>,
    texts: BTreeSet<String>,
}

impl Told {
    fn text(&mut self, text: &str) {
        self.texts.insert(text.to_owned());
        // a nonce is one word, of which a server's mark at the start stays
        let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
        self.texts.extend(words);
    }

    /// Everything in what is printed: addresses wherever they stand, and names.
    fn value(&mut self, value: &Value, named: bool) {
        match value {
            Value::String(text) => {
                let ip = text.parse::<IpAddr>().ok().or(text.parse::<SocketAddr>().ok().map(|end| end.ip()));
                self.addresses.extend(ip);
                if named && ip.is_none() {
                    self.text(text);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.value(item, named)),
            Value::Object(fields) => {
                let naming = fields.get("name").and_then(Value::as_str).is_some_and(|name| NAMING.contains(&name));
                for (key, value) in fields {
                    let named = match key.as_str() {
                        "value" => naming,
                        "username" | "realm" | "server_name" | "software" | "subject" | "issuer" | "names" => true,
                        _ => false,
                    };
                    self.value(value, named);
                }
            }
            _ => {}
        }
    }
}

/// What the rows and the report tell, and what lies in the packets beside.
fn told(bytes: &[u8], credentials: Credentials, keys: KeyLog) -> (Told, String) {
    let (mut told, mut rows) = (Told::default(), Vec::new());
    let mut writer = messages::Writer::new(&mut rows, messages::Format::Jsonl, true);
    let report = report(bytes, credentials, keys, &mut |row| writer.row(row).unwrap());
    let rows = String::from_utf8(rows).unwrap();
    let printed: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    printed.iter().for_each(|row| told.value(row, false));
    told.value(&serde_json::to_value(&report.dtls).unwrap(), false);
    told.value(&serde_json::to_value(&report.tls).unwrap(), false);
    told.value(&serde_json::to_value(&report.servers).unwrap(), false);
    let (mut capture, mut packets) = (Capture::open(bytes).unwrap(), Packets::default());
    while let Some(frame) = capture.next_frame() {
        packets.dissect(&frame, frame.time.unwrap_or_default(), &mut |packet| {
            let (ends, payload) = match packet {
                Packet::Datagram(datagram) => ([datagram.src, datagram.dst], datagram.payload),
                Packet::Segment(segment) => ([segment.src, segment.dst], segment.payload),
                Packet::IcmpError(error) => ([error.quoted.src, error.quoted.dst], error.quoted.payload),
            };
            told.addresses.extend(ends.map(|end| end.ip()));
            if ends.iter().any(|end| matches!(end.port(), 53 | 5353 | 5355)) {
                labels(payload, &mut told);
            }
        });
    }
    let fixed = [Scope::Loopback, Scope::Multicast, Scope::Broadcast, Scope::Unspecified];
    told.addresses.retain(|&ip| !fixed.contains(&Scope::of(ip)) && !ip.is_unspecified());
    // what is shorter is anywhere by chance
    told.texts.retain(|text| text.len() >= 4 && !stays(&text.to_ascii_lowercase()));
    (told, rows)
}

/// The labels of names in a DNS message, wherever they stand.
fn labels(message: &[u8], told: &mut Told) {
    let mut at = 12;
    while let Some(&length) = message.get(at) {
        let end = at + 1 + usize::from(length);
        match message.get(at + 1..end) {
            Some(label)
                if (4..64).contains(&length) && label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') =>
            {
                if !label.starts_with(b"_") {
                    told.text(std::str::from_utf8(label).unwrap());
                }
                at = end;
            }
            _ => at += 1,
        }
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some(&first) = wanted.first() else { return false };
    let starts = bytes.iter().enumerate().filter(|&(_, &byte)| byte == first);
    starts.into_iter().any(|(at, _)| bytes[at..].starts_with(wanted))
}

/// An address as it stands in headers, and as XOR attributes have it: both orders of the cookie's bytes.
fn forms(address: IpAddr) -> Vec<Vec<u8>> {
    const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    match address {
        IpAddr::V4(ip) => {
            let ip = ip.octets();
            let xor = |key: [u8; 4]| ip.iter().zip(key).map(|(a, b)| a ^ b).collect();
            vec![ip.to_vec(), xor(COOKIE), xor([0x42, 0xa4, 0x12, 0x21])]
        }
        IpAddr::V6(ip) => {
            // what follows the cookie is hidden by the transaction id, of which rows tell
            let ip = ip.octets();
            vec![ip.to_vec()]
        }
    }
}

#[test]
fn nothing_of_who_it_is_about_is_left() {
    let (mut left, mut looked_for, mut in_original) = (Vec::new(), [0; 2], [0; 2]);
    let only = std::env::var("SAMPLE").ok();
    for sample in samples::all() {
        if only.as_ref().is_some_and(|only| *only != sample.name) {
            continue;
        }
        let keys = sample.keys();
        for given in [KeyLog::new(), keys.clone()] {
            let redacted = redacted_with(&sample, 9, false, &given);
            let (mut before, _) = told(&sample.bytes, credentials(&sample), keys.clone());
            for (_, description) in &sample.descriptions {
                sdp(&String::from_utf8_lossy(description), &mut before);
            }
            let found = |form: &[u8]| usize::from(contains(&sample.bytes, form));
            in_original[0] += before.addresses.iter().map(|ip| found(&forms(*ip)[0])).sum::<usize>();
            in_original[1] += before.texts.iter().map(|text| found(text.as_bytes())).sum::<usize>();
            let (after, rows) = told(&redacted.bytes, of_toml(&redacted.credentials), KeyLog::new());
            looked_for = [looked_for[0] + before.addresses.len(), looked_for[1] + before.texts.len()];
            let replacements: BTreeSet<IpAddr> = redacted.replaced.addresses.values().copied().collect();
            for &address in before.addresses.difference(&replacements) {
                for form in forms(address) {
                    if contains(&redacted.bytes, &form) {
                        left.push(format!("{}: {address} as {form:x?}", sample.name));
                    }
                }
                let text = address.to_string();
                if contains(&redacted.bytes, text.as_bytes()) || after.addresses.contains(&address) {
                    left.push(format!("{}: {address} in text, or opened", sample.name));
                }
            }
            for text in &before.texts {
                if contains(&redacted.bytes, text.as_bytes()) || rows.contains(&format!("\"{text}\"")) {
                    left.push(format!("{}: {text:?}", sample.name));
                }
            }
            let certificate = redacted.bytes.windows(6).any(|bytes| matches!(bytes, [0x30, 0x82, _, _, 0x30, 0x82]));
            if certificate {
                left.push(format!("{}: a certificate", sample.name));
            }
            if keys.is_empty() {
                break;
            }
        }
    }
    assert!(left.is_empty(), "\n{}", left.join("\n"));
    // the way that they are looked for finds them where they are
    println!("looked for {looked_for:?} addresses and texts, {in_original:?} of them in the originals");
    assert!(only.is_some() || (in_original[0] > 300 && in_original[1] > 900), "{in_original:?}");
}

/// What a session description tells: fragments, passwords, and the addresses of candidates.
fn sdp(text: &str, told: &mut Told) {
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("a=ice-ufrag:").or(line.strip_prefix("a=ice-pwd:")) {
            told.texts.insert(value.trim().to_owned());
        }
        if let Some(candidate) = line.strip_prefix("a=candidate:") {
            let words = candidate.split(' ').filter_map(|word| word.parse::<IpAddr>().ok());
            told.addresses.extend(words.filter(|ip| !ip.is_unspecified()));
        }
    }
}

#[test]
fn every_suite_that_keys_open_is_sealed_anew_and_the_given_keys_open_it_no_more() {
    for name in ["tls", "dtls", "dtls13"] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys");
        let capture = fs::read(folder.join(format!("{name}.pcap"))).unwrap();
        let mut keys = KeyLog::new();
        keys.add(&fs::read(folder.join(format!("{name}.keylog"))).unwrap());
        let redacted = redacted_bytes(&capture, (Credentials::default(), &[]), 3, false, &keys);
        let before = report(&capture, Credentials::default(), keys.clone(), &mut |_| {});
        let after = report(&redacted.bytes, Credentials::default(), KeyLog::new(), &mut |_| {});
        let told = |report: &Report| serde_json::to_value(report.captures[0].decryption.as_ref().unwrap()).unwrap();
        let (was, is) = (told(&before), told(&after));
        println!("{name}: {:?}, was {was}, is {is}", redacted.counts);
        assert_eq!(redacted.counts.unsealed, 0, "{name}");
        let opened = |told: &Value| told["opened_records"].as_u64().unwrap();
        assert_eq!(opened(&was), opened(&is), "{name}");
        assert_eq!(before.counts.stun, after.counts.stun, "{name}");
        let given = report(&without_secrets(&redacted.bytes), Credentials::default(), keys, &mut |_| {});
        assert_eq!(opened(&told(&given)), 0, "{name}: the keys of the original open something");
    }
}

/// A pcapng without its blocks of secrets.
fn without_secrets(mut bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    while let Some(&[k0, k1, k2, k3, l0, l1, l2, l3]) = bytes.first_chunk() {
        let (block, rest) = bytes.split_at(u32::from_le_bytes([l0, l1, l2, l3]) as usize);
        if u32::from_le_bytes([k0, k1, k2, k3]) != 0x0a {
            kept.extend(block);
        }
        bytes = rest;
    }
    kept
}

/// Puts a frame behind other headers.
type Wrap<'a> = dyn Fn(&[u8]) -> Vec<u8> + 'a;

/// The frames of a capture, each behind other headers, as a capture of this link type.
fn wrapped(sample: &Sample, link_type: u32, wrap: &Wrap<'_>) -> Vec<u8> {
    let mut file = Bytes::new(false);
    file.pcap_header(0xa1b2_3c4d, 4, link_type);
    let mut capture = Capture::open(sample.bytes.as_slice()).unwrap();
    while let Some(frame) = capture.next_frame() {
        let nanos = u64::try_from(frame.time.unwrap().0).unwrap();
        let data = wrap(frame.data);
        let [seconds, fraction] = [nanos / 1_000_000_000, nanos % 1_000_000_000].map(|part| part as u32);
        file.record(seconds, fraction, data.len() as u32, &data);
    }
    file.bytes
}

/// What an option of Geneve holds.
const TENANT: &[u8] = b"tenant-7";

/// An IPv4 header and what follows it, of this protocol; the addresses are of the tunnel.
fn outer(protocol: u8, data: &[u8]) -> Vec<u8> {
    let length = (20 + data.len() as u16).to_be_bytes();
    let mut header =
        vec![0x45, 0, length[0], length[1], 0, 7, 0, 0, 64, protocol, 0, 0, 203, 0, 113, 9, 203, 0, 113, 77];
    let sum: u32 = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [header.as_slice(), data].concat()
}

#[test]
fn what_tunnels_and_radio_carry_is_redacted_and_found_as_without_them() {
    let samples = samples::all();
    let udp = |port: u16, head: &[u8], data: &[u8]| {
        let length = (8 + head.len() as u16 + data.len() as u16).to_be_bytes();
        let port = port.to_be_bytes();
        let datagram = [&[0xc0, 1, port[0], port[1], length[0], length[1], 0, 0], head, data].concat();
        [&[2; 12], &[8, 0][..], &outer(17, &datagram)].concat()
    };
    let ethernet = |kind: [u8; 2], data: &[u8]| [&[2; 12], &kind[..], data].concat();
    let vxlan = |frame: &[u8]| udp(4789, &[8, 0, 0, 0, 0, 0, 5, 0], frame);
    let option = [&[1, 8, 1, 2], TENANT].concat();
    let geneve = |frame: &[u8]| udp(6081, &[&[3, 0, 0x65, 0x58, 0, 0, 5, 0], option.as_slice()].concat(), frame);
    let gtp = |frame: &[u8]| udp(2152, &[0x30, 0xff, 0, 0, 0, 0, 0, 9], &frame[14..]);
    let gre = |frame: &[u8]| ethernet([8, 0], &outer(47, &[&[0x20, 0, 8, 0, 0, 0, 0, 3], &frame[14..]].concat()));
    let mpls = |frame: &[u8]| ethernet([0x88, 0x47], &[&[0, 1, 0, 64, 0, 2, 1, 64], &frame[14..]].concat());
    let ipip = |frame: &[u8]| ethernet([8, 0], &outer(4, &frame[14..]));
    let wifi = |frame: &[u8]| {
        let snap = [0xaa, 0xaa, 3, 0, 0, 0];
        [&[8, 1, 0, 0], &[2; 18][..], &[0, 0], &snap, &frame[12..]].concat()
    };
    let radiotap = |frame: &[u8]| [&[0, 0, 8, 0, 0, 0, 0, 0], wifi(frame).as_slice()].concat();
    let ways: [(&str, u32, &Wrap<'_>); 8] = [
        ("VXLAN", 1, &vxlan),
        ("Geneve", 1, &geneve),
        ("GTP-U", 1, &gtp),
        ("GRE", 1, &gre),
        ("MPLS", 1, &mpls),
        ("IP in IP", 1, &ipip),
        ("802.11", 105, &wifi),
        ("radiotap", 127, &radiotap),
    ];
    for name in ["expressway-431", "tcp-wrong-password"] {
        let sample = samples.iter().find(|sample| sample.name == name).unwrap();
        for (way, link_type, wrap) in ways {
            let capture = wrapped(sample, link_type, wrap);
            let redacted = redacted_bytes(&capture, (credentials(sample), &[]), 8, false, &KeyLog::new());
            let (before, _) = told(&capture, credentials(sample), KeyLog::new());
            assert!(before.addresses.len() > 1, "{name} in {way}");
            let found =
                |bytes: &[u8], credentials| findings(&report(bytes, credentials, KeyLog::new(), &mut |_| {}), true);
            let was = found(&capture, credentials(sample));
            assert!(was.iter().any(|finding| finding.contains("Failure")), "{name} in {way}: {was:?}");
            assert_eq!(was, found(&redacted.bytes, of_toml(&redacted.credentials)), "{name} in {way}");
            for address in before.addresses.iter().chain([&IpAddr::from([203, 0, 113, 9])]) {
                assert!(!contains(&redacted.bytes, &forms(*address)[0]), "{name} in {way}: {address}");
            }
            for text in &before.texts {
                assert!(!contains(&redacted.bytes, text.as_bytes()), "{name} in {way}: {text}");
            }
            assert!(!contains(&redacted.bytes, TENANT), "{name} in {way}: the options of the tunnel");
        }
    }
}

#[test]
fn types_of_numbers_that_hold_something_else_lose_it() {
    let mut scene = Scene::new();
    for text in [&b"canary@10.7.66.55"[..], b"canary@10.7.66.155", b"canary10.7.66.55 zzzzz"] {
        for code in (0x0001..0x0040).chain(0x8000..0x80a0).chain(0xc000..0xc080).chain(0xff00..0xff10) {
            let message = Stun::request(method::ALLOCATE).attribute(code, text);
            scene.after_ms(1).send("10.0.0.2:50000", "192.0.2.1:3478", message);
        }
    }
    let redacted = redacted_bytes(&scene.pcap(), (Credentials::default(), &[]), 8, false, &KeyLog::new());
    assert!(!contains(&redacted.bytes, b"canary") && !contains(&redacted.bytes, b"10.7.66.55"));
}

#[test]
fn what_only_begins_as_rtp_does_loses_what_would_be_its_contributors() {
    let payload = [b"\x8fz\0\x01\0\0\0\x01\0\0\0\x02".as_slice(), &b"canary ".repeat(12)].concat();
    let mut scene = Scene::new();
    scene.udp("10.0.0.2:4569", "192.0.2.1:4569", payload);
    let redacted = redacted_bytes(&scene.pcap(), (Credentials::default(), &[]), 8, false, &KeyLog::new());
    assert!(!contains(&redacted.bytes, b"canary"));
}

#[test]
fn all_records_of_dtls_1_3_in_a_datagram_stay_records() {
    let mut end = dtls::End::default();
    let hello = end.server_hello(0xA5, dtls::DTLS_1_3, 0x1301);
    let flight = [hello, end.unified(2, 77), end.unified(2, 60), end.unified(2, 66)].concat();
    let more = [end.unified(2, 330), end.unified(2, 103), end.unified(3, 33)].concat();
    let mut scene = Scene::new();
    scene.udp("192.0.2.1:4569", "10.0.0.2:4569", flight);
    scene.after_ms(1).udp("192.0.2.1:4569", "10.0.0.2:4569", more);
    let redacted = redacted_bytes(&scene.pcap(), (Credentials::default(), &[]), 8, false, &KeyLog::new());
    let records = |bytes: &[u8]| {
        let mut lengths = Vec::new();
        report(bytes, Credentials::default(), KeyLog::new(), &mut |row| {
            if let Body::Dtls(record) = row.event.body {
                lengths.push((record.form, record.epoch, record.length, record.trailing));
            }
        });
        lengths
    };
    assert_eq!(records(&scene.pcap()).len(), 7);
    assert_eq!(records(&redacted.bytes), records(&scene.pcap()));
}

#[test]
fn types_that_a_server_does_not_know_stay_where_they_are_known_or_asked_with() {
    let mut scene = Scene::new();
    let request = Stun::request(method::ALLOCATE).attribute(0x7abc, b"").attribute(0xc059, [0, 1, 0x61, 0x62]);
    let asked = scene.send("10.0.0.2:50000", "192.0.2.1:3478", request);
    let unknown = [0x00, 0x18, 0x7a, 0xbc, 0x63, 0x61];
    scene.after_ms(1).refuse_with(&asked, 420, "Unknown attribute", |answer| answer.attribute(0x000a, unknown));
    let redacted = redacted_bytes(&scene.pcap(), (Credentials::default(), &[]), 8, false, &KeyLog::new());
    assert!(contains(&redacted.bytes, &[0x00, 0x0a, 0, 6, 0x00, 0x18, 0x7a, 0xbc, 0, 0]), "its list of types");
    assert!(contains(&redacted.bytes, &[0xc0, 0x59, 0, 4, 0, 1, 0, 0]), "the version of GOOG-PING");
}

#[test]
fn nothing_is_left_of_what_is_said_to_proxies_before_a_stream() {
    let before: [&[&[u8]]; 3] = [
        &[
            b"\x05\x01\x02",
            b"\x05\x02",
            b"\x01\x05carol\x07hunter2",
            b"\x01\x00",
            b"\x05\x01\0\x03\x0cturn.example\x0d\x96",
        ],
        &[b"CONNECT turn.example:3478 HTTP/1.1\r\nProxy-Authorization: Basic Y2Fyb2w6aHVudGVyMg==\r\n\r\n"],
        &[b"PROXY TCP4 198.51.100.77 203.0.113.1 40000 3478\r\n"],
    ];
    for words in before {
        let mut scene = Scene::new();
        let mut tcp = Tcp::open(&mut scene, "172.16.84.124:50000", "10.0.0.80:1080");
        for (turn, words) in words.iter().enumerate() {
            tcp.say(scene.after_ms(10), turn % 2, words);
        }
        tcp.allocate(&mut scene, &alice(), "203.0.113.1:50001", 17);
        let redacted = redacted_bytes(&scene.pcap(), (Credentials::default(), &[]), 8, false, &KeyLog::new());
        for secret in [&b"carol"[..], b"hunter2", b"turn.example", b"Y2Fyb2w", b"198.51.100.77", b"alice"] {
            assert!(!contains(&redacted.bytes, secret), "{}", String::from_utf8_lossy(secret));
        }
        let told = report(&redacted.bytes, Credentials::default(), KeyLog::new(), &mut |_| {});
        assert_eq!(told.allocations.len(), 1, "the stream is read behind them");
    }
}

#[test]
fn names_and_addresses_in_dns_over_tcp_are_replaced_as_in_datagrams() {
    let samples = samples::all();
    let sample = samples.iter().find(|sample| sample.name == "dns-nxdomain").unwrap();
    let mut packets = Packets::default();
    let (mut next, mut frames, mut asked) = (BTreeMap::new(), Vec::new(), 0);
    let mut capture = Capture::open(sample.bytes.as_slice()).unwrap();
    while let Some(frame) = capture.next_frame() {
        let mut made = frame.data.to_vec();
        packets.dissect(&frame, frame.time.unwrap(), &mut |packet| {
            let Packet::Datagram(datagram) = packet else { return };
            let (src, dst, payload) = (datagram.src, datagram.dst, datagram.payload);
            if src.port() != 53 && dst.port() != 53 {
                return;
            }
            let seq = next.entry((src.port(), dst.port())).or_insert(1_u32);
            let [from, to, length] = [src.port(), dst.port(), payload.len() as u16].map(u16::to_be_bytes);
            let head = [&from[..], &to, &seq.to_be_bytes(), &[0; 4], &[0x50, 0x18, 1, 0, 0, 0, 0, 0]].concat();
            *seq += 2 + payload.len() as u32;
            let mut packet = outer(6, &[&head, &length[..], payload].concat());
            for (at, end) in [(12, src), (16, dst)] {
                if let IpAddr::V4(ip) = end.ip() {
                    packet[at..at + 4].copy_from_slice(&ip.octets());
                }
            }
            made = [&[2; 12], &[8, 0][..], &packet].concat();
            asked += 1;
        });
        frames.push(made);
    }
    assert!(asked > 1, "{asked}");
    let made = std::cell::RefCell::new(frames.into_iter());
    let capture = wrapped(sample, 1, &|_| made.borrow_mut().next().unwrap());
    let redacted = redacted_bytes(&capture, (credentials(sample), &[]), 8, false, &KeyLog::new());
    let (before, _) = told(&sample.bytes, credentials(sample), KeyLog::new());
    assert!(before.texts.iter().any(|text| contains(&capture, text.as_bytes())));
    for text in &before.texts {
        assert!(!contains(&redacted.bytes, text.as_bytes()), "{text}");
    }
    let found = |bytes: &[u8]| findings(&report(bytes, Credentials::default(), KeyLog::new(), &mut |_| {}), true);
    let was = found(&capture);
    assert!(was.iter().any(|finding| finding.contains("dns")), "{was:?}");
    assert_eq!(was, found(&redacted.bytes));
}

#[test]
fn fingerprints_integrity_certificates_and_media_are_as_the_manual_says() {
    let samples = samples::all();
    let find = |name: &str| samples.iter().find(|sample| sample.name == name).unwrap();
    let rows = |bytes: &[u8], credentials| {
        let (mut rows, mut lines) = (Vec::new(), Vec::new());
        let mut writer = messages::Writer::new(&mut rows, messages::Format::Jsonl, true);
        report(bytes, credentials, KeyLog::new(), &mut |row| writer.row(row).unwrap());
        lines.extend(String::from_utf8(rows).unwrap().lines().map(str::to_owned));
        lines
    };
    let comments = |bytes: &[u8]| {
        let mut capture = Capture::open(bytes).unwrap();
        while capture.next_frame().is_some() {}
        let said = capture.info().comments.iter().map(|comment| (comment.frame, comment.text.clone()));
        said.collect::<Vec<_>>()
    };
    for name in ["chromium-relay-call", "ice-restart", "sha256", "fingerprint-bad", "classic-binding"] {
        let sample = find(name);
        let redacted = redacted(sample, 2);
        let (before, after) =
            (rows(&sample.bytes, credentials(sample)), rows(&redacted.bytes, of_toml(&redacted.credentials)));
        assert_eq!(before.len(), after.len(), "{name}");
        for mark in ["\"fingerprint\":\"ok\"", "\"fingerprint\":\"bad\"", "\"status\":\"verified\""] {
            let marked = |rows: &[String]| rows.iter().map(|row| row.contains(mark)).collect::<Vec<_>>();
            assert_eq!(marked(&before), marked(&after), "{name}: {mark}");
        }
    }
    // what nobody can sign is kept as it was, and marked
    let sample = find("expressway-431");
    let unsigned = redacted_bytes(&sample.bytes, (Credentials::default(), &[]), 2, false, &KeyLog::new());
    let marked =
        comments(&unsigned.bytes).iter().filter(|(_, text)| text.contains("integrity is that of the original")).count();
    assert!(marked > 0 && marked as u64 == unsigned.counts.unsigned, "{marked} {:?}", unsigned.counts);
    assert_eq!(redacted(sample, 2).counts.unsigned, 0);
    // certificates go, and their fingerprints stand on the frames that had them; unless they are to stay
    let sample = find("dtls-unknown-ca");
    let before = report(&sample.bytes, Credentials::default(), KeyLog::new(), &mut |_| {});
    let certificates: Vec<_> = before.dtls.iter().flat_map(|one| &one.certificates).collect();
    assert!(!certificates.is_empty());
    let (dropped, kept) = (redacted(sample, 2), redacted_with(sample, 2, true, &KeyLog::new()));
    for certificate in certificates {
        let print = certificate.fingerprint.trim_start_matches("sha-256 ");
        let said = |(_, text): &(Option<u64>, String)| text.contains(print);
        assert!(comments(&dropped.bytes).iter().any(said), "{}", certificate.fingerprint);
        assert!(!comments(&kept.bytes).iter().any(said));
    }
    let after = report(&kept.bytes, Credentials::default(), KeyLog::new(), &mut |_| {});
    let prints = |report: &Report| {
        let all = report.dtls.iter().flat_map(|one| &one.certificates);
        all.map(|certificate| certificate.fingerprint.clone()).collect::<Vec<_>>()
    };
    assert_eq!(prints(&before), prints(&after));
    // of media the headers are left, also behind a relay
    let sample = find("chromium-relay-media");
    let redacted = redacted(sample, 2);
    let (mut capture, mut packets, mut media) =
        (Capture::open(sample.bytes.as_slice()).unwrap(), Packets::default(), 0);
    while let Some(frame) = capture.next_frame() {
        packets.dissect(&frame, frame.time.unwrap(), &mut |packet| {
            let Packet::Datagram(datagram) = packet else { return };
            let inner = match datagram.payload {
                [0x40..=0x4f, _, _, _, inner @ ..] => inner,
                bare => bare,
            };
            if let ([0x80..=0xbf, _, ..], Some(last)) = (inner, inner.last_chunk::<16>())
                && inner.len() > 36
            {
                media += 1;
                assert!(!contains(&redacted.bytes, last), "frame {}", frame.number);
            }
        });
    }
    assert!(media > 20, "{media}");
}

#[test]
fn descriptions_tell_what_the_redacted_capture_shows_and_nothing_of_the_original() {
    let samples = samples::all();
    let mut pairs = 0;
    for sample in samples.iter().filter(|sample| !sample.descriptions.is_empty()) {
        let redacted = redacted(sample, 4);
        let (before, after) = (signalling(sample), redacted.told);
        assert_eq!(before.descriptions().len(), after.descriptions().len(), "{}", sample.name);
        for (was, is) in before.descriptions().iter().zip(after.descriptions()) {
            assert_eq!((was.kind, was.local, was.lite, was.setup), (is.kind, is.local, is.lite, is.setup));
            assert_eq!((&was.fingerprints, was.has_password), (&is.fingerprints, is.has_password));
            assert_ne!(was.ufrag, is.ufrag, "{}", sample.name);
            for (was, is) in was.candidates.iter().zip(&is.candidates) {
                assert_eq!((was.port, &was.kind, was.priority), (is.port, &is.kind, is.priority));
                if let (Ok(was), Ok(is)) = (&was.address, &is.address)
                    && !was.is_unspecified()
                {
                    assert_eq!(redacted.replaced.addresses.get(was), Some(is), "{}", sample.name);
                    pairs += 1;
                }
            }
        }
    }
    assert!(pairs > 50, "{pairs}");
}

#[test]
fn damaged_bytes_are_no_danger_under_keys_either() {
    let samples = samples::all();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    for name in ["tls-success", "tls13-success", "turn-over-dtls-keys", "chromium-turns", "tcp-channel-padding"] {
        let sample = samples.iter().find(|sample| sample.name == name).unwrap();
        // what was redacted holds the keys that open it
        let sound = redacted_with(sample, 6, false, &sample.keys()).bytes;
        for _ in 0..40 {
            let mut bytes = sound.clone();
            for _ in 0..1 + next(8) {
                let at = next(bytes.len());
                bytes[at] = u8::try_from(next(256)).unwrap();
            }
            bytes.truncate(bytes.len() - next(bytes.len() / 4));
            let _ = turnscope::redact::exercise(&bytes);
        }
    }
}

#[test]
fn runs_with_one_key_agree_and_others_do_not() {
    let samples = samples::all();
    let sample = &samples[0];
    assert!(redacted(sample, 1).bytes == redacted(sample, 1).bytes);
    assert!(redacted(sample, 1).bytes != redacted(sample, 2).bytes);
}

#[test]
fn wireshark_reads_it() {
    if !has_tshark() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for sample in samples::all().into_iter().step_by(9) {
        let path = folder.path().join("redacted.pcapng");
        let checked = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            // whether checksums are right: 1, wrong: 0, or not there: 2
            let of = ["ip", "udp", "tcp"].map(|protocol| format!("{protocol}.check_checksum:TRUE"));
            let mut arguments = vec!["-E", "occurrence=f"];
            arguments.extend(of.iter().flat_map(|checked| ["-o", checked]));
            let wanted = ["ip.checksum.status", "udp.checksum.status", "tcp.checksum.status", "frame.time_epoch"];
            fields(&path, &arguments, &wanted).unwrap_or_else(|error| panic!("{}: {error}", sample.name))
        };
        let (before, after) = (checked(&sample.bytes), checked(&redacted(&sample, 5).bytes));
        assert_eq!(before.len(), after.len(), "{}", sample.name);
        for (number, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(before.last(), after.last(), "{}: the time of frame {}", sample.name, number + 1);
            for (was, is) in before.iter().zip(after) {
                // of what is cut off nobody can tell
                let fits = was == is || is == "2" || is == "3" || is.is_empty();
                assert!(fits, "{}: frame {}: was {before:?}, is {after:?}", sample.name, number + 1);
            }
        }
    }
}
