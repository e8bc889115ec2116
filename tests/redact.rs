//! `redact`: nothing of who it is about is left, and the same is found.
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
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
use turnscope::report::Report;
use turnscope::session::credentials::Credentials;
use turnscope::session::signalling::{self, Signalling};
use turnscope::wire::stun::{AttributeCode, Message};

/// Findings about what a redacted capture has no more, or about what was laid beside the original.
const EXEMPT: [&str; 7] = [
    // what certificates say
    "tls-certificate-expired",
    "tls-certificate-name",
    "tls-certificate-untrusted",
    "dtls-fingerprint-mismatch",
    "dtls-large-certificate",
    "deployment-mismatch",
    // where padding is wrong it is not certain what is data, and what is not certain is dropped
    "turn-channel-padding",
];

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
    let mut redactor = Redactor::new(&Key::new([key; 32]), credentials(sample), keep_certificates);
    redactor.keys(keys.clone());
    redactor.gather(&mut Records::open(sample.bytes.as_slice()).unwrap());
    let mut records = Records::open(sample.bytes.as_slice()).unwrap();
    while let Some(record) = records.next_record() {
        if let Record::Packet(packet) = record {
            redactor.learn(&packet.frame);
        }
    }
    let mut bytes = Vec::new();
    let counts = redactor.write(&mut Records::open(sample.bytes.as_slice()).unwrap(), &mut bytes).unwrap();
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

/// What a capture tells of whom it is about.
#[derive(Default)]
struct Told {
    addresses: BTreeSet<IpAddr>,
    texts: BTreeSet<Vec<u8>>,
}

fn told(bytes: &[u8]) -> Told {
    const TEXTS: [AttributeCode; 6] = [
        AttributeCode::USERNAME,
        AttributeCode::REALM,
        AttributeCode::NONCE,
        AttributeCode::SOFTWARE,
        AttributeCode::ALTERNATE_DOMAIN,
        AttributeCode::USERHASH,
    ];
    let mut told = Told::default();
    let (mut capture, mut packets) = (Capture::open(bytes).unwrap(), Packets::default());
    while let Some(frame) = capture.next_frame() {
        packets.dissect(&frame, frame.time.unwrap_or_default(), &mut |packet| {
            let (ends, payload) = match packet {
                Packet::Datagram(datagram) => ([datagram.src, datagram.dst], datagram.payload),
                Packet::Segment(segment) => ([segment.src, segment.dst], segment.payload),
                Packet::IcmpError(error) => ([error.quoted.src, error.quoted.dst], error.quoted.payload),
            };
            told.addresses.extend(ends.map(|end| end.ip()));
            let Some(message) = Message::recognise(payload, true) else { return };
            told.addresses.extend(message.fields().mapped.map(|end| end.ip()));
            let texts = message.attributes().filter(|attribute| TEXTS.contains(&attribute.code));
            told.texts.extend(texts.map(|attribute| attribute.value.to_vec()));
        });
    }
    let fixed = [Scope::Loopback, Scope::Multicast, Scope::Broadcast, Scope::Unspecified];
    told.addresses.retain(|&ip| !fixed.contains(&Scope::of(ip)));
    // what is short is anywhere by chance
    told.texts.retain(|text| text.len() >= 6 && !text.iter().all(u8::is_ascii_digit));
    told
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let Some(&first) = wanted.first() else { return false };
    let starts = bytes.iter().enumerate().filter(|&(_, &byte)| byte == first);
    starts.into_iter().any(|(at, _)| bytes[at..].starts_with(wanted))
}

#[test]
fn nothing_of_who_it_is_about_is_left() {
    for sample in samples::all() {
        let redacted = redacted(&sample, 9);
        let before = told(&sample.bytes);
        let replacements: BTreeSet<IpAddr> = redacted.replaced.addresses.values().copied().collect();
        for address in &before.addresses {
            let wanted = match address {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            let there = contains(&redacted.bytes, &wanted) && !replacements.contains(address);
            assert!(!there, "{}: {address} is still there", sample.name);
            let text = address.to_string();
            assert!(!contains(&redacted.bytes, text.as_bytes()), "{}: {address} is there as text", sample.name);
        }
        for text in &before.texts {
            let shown = String::from_utf8_lossy(text);
            assert!(!contains(&redacted.bytes, text), "{}: {shown:?} is still there", sample.name);
        }
        let certificate = redacted.bytes.windows(6).any(|bytes| matches!(bytes, [0x30, 0x82, _, _, 0x30, 0x82]));
        assert!(!certificate, "{}: a certificate is still there", sample.name);
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
