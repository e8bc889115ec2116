//! `redact`: nothing of who it is about is left, and the same is found.
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use support::oracle::is_required;
use support::samples::{self, Sample};
use turnscope::analyzer::{self, Analyzer, Options};
use turnscope::capture::{Capture, Record, Records};
use turnscope::event::Row;
use turnscope::keys::KeyLog;
use turnscope::net::Scope;
use turnscope::packet::{Packet, Packets};
use turnscope::redact::{Counts, Key, Redactor, Replaced};
use turnscope::render::messages;
use turnscope::report::Report;
use turnscope::session::credentials::Credentials;
use turnscope::session::signalling::{self, Signalling};

/// Findings about what a redacted capture has no more: what certificates say, where they do not stay.
const EXEMPT: [&str; 1] = ["tls-certificate-name"];

struct Redacted {
    bytes: Vec<u8>,
    credentials: String,
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
    redacted_bytes(&sample.bytes, credentials(sample), key, keep_certificates, keys)
}

fn redacted_bytes(
    capture: &[u8],
    credentials: Credentials,
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
    Redacted { bytes, credentials, replaced: redactor.replaced(), counts }
}

/// What is found with credentials and keys: descriptions, deployment and logs tell of the original.
fn report(bytes: &[u8], credentials: Credentials, keys: KeyLog, sink: &mut impl FnMut(&Row<'_>)) -> Report {
    let mut capture = Capture::open(bytes).unwrap();
    let mut analyzer = Analyzer::new(Options { credentials, keys, ..Options::default() });
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
        let certificates = sample.name.contains("certificate") || sample.name.contains("tls");
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
            let before = report(&sample.bytes, credentials(&sample), keys.clone(), &mut |_| {});
            let after = report(&redacted.bytes, of_toml(&redacted.credentials), KeyLog::new(), &mut |_| {});
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
        let redacted = redacted_bytes(&capture, Credentials::default(), 3, false, &keys);
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

#[test]
fn runs_with_one_key_agree_and_others_do_not() {
    let samples = samples::all();
    let sample = &samples[0];
    assert!(redacted(sample, 1).bytes == redacted(sample, 1).bytes);
    assert!(redacted(sample, 1).bytes != redacted(sample, 2).bytes);
}

#[test]
fn wireshark_reads_it() {
    let required = is_required();
    if Command::new("tshark").arg("--version").output().is_err() {
        assert!(!required, "tshark is required and not installed");
        eprintln!("skipped: tshark is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for sample in samples::all().into_iter().step_by(9) {
        let path = folder.path().join("redacted.pcapng");
        fs::write(&path, redacted(&sample, 5).bytes).unwrap();
        let output = Command::new("tshark").args(["-r".as_ref(), path.as_os_str()]).output().unwrap();
        assert!(output.status.success(), "{}: {}", sample.name, String::from_utf8_lossy(&output.stderr));
    }
}
