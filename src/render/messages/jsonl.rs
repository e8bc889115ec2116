//! Messages as JSON Lines. The fields and their order are those of [`report::Message`](crate::report::Message).

use super::append::{TimeWriter, endpoint, hex, hex16, json_string, number, signed};
use super::{Media, carrier, dtls, encryption, inside, protocol, tls};
use crate::event::{Body, IcmpAnswer, Row};
use crate::problem::Problem;
use crate::session::credentials::{Credentials, Integrity, Status};
use crate::wire::stun::integrity::Rule;
use crate::wire::stun::{Attribute, ErrorCode, Message, Value};
use crate::wire::turn::ChannelData;
use std::io::Write as _;

/// Appends the object of one message.
#[inline]
pub(in crate::render) fn row(out: &mut Vec<u8>, times: &mut TimeWriter, row: &Row<'_>) {
    let event = row.event;
    out.extend_from_slice(b"{\"capture\":");
    number(out, u64::from(row.capture));
    member(out, "frame", event.frame);
    key(out, "time");
    out.push(b'"');
    times.append(out, event.time, event.digits);
    out.push(b'"');
    key(out, "time_ns");
    signed(out, event.time.0);
    address(out, "src", event.src);
    address(out, "dst", event.dst);
    layers(out, row);
    if let Some(hop) = event.hops.last() {
        if let Some(peer) = hop.peer {
            address(out, "peer", peer.0);
        }
        if let Some(relayed) = hop.relayed {
            address(out, "relayed", relayed.0);
        }
    }
    word(out, "protocol", protocol(event));
    if let Body::Stun(message) = &event.body {
        stun(out, message, row.integrity, row.credentials);
    }
    if let Some(frame) = row.request_frame {
        member(out, "request_frame", frame);
    }
    if let Some(rtt) = row.rtt {
        key(out, "rtt_us");
        signed(out, rtt.micros());
    }
    if let Some(frame) = row.retransmission_of {
        member(out, "retransmission_of", frame);
    }
    if let Some(answer) = &row.icmp {
        icmp(out, answer);
    }
    if let Body::ChannelData(data) = &event.body {
        channel_data(out, data);
    }
    media(out, &event.body);
    match &event.body {
        Body::Stun(message) if !message.is_proper() => problems(out, &message.problems()),
        Body::Dtls(record) => {
            dtls::json(out, record);
            if let Some(problem) = record.problem() {
                problems(out, &[problem]);
            }
        }
        Body::Tls(sealed) => {
            tls::json(out, sealed);
            if let Some(problem) = sealed.record.problem(!sealed.protected) {
                problems(out, &[problem]);
            }
        }
        _ => {}
    }
    out.push(b'}');
}

#[inline]
pub(super) fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// A member whose value is a number.
#[inline]
pub(super) fn member(out: &mut Vec<u8>, name: &str, value: u64) {
    key(out, name);
    number(out, value);
}

/// A member whose value is a word of this program: nothing to escape.
#[inline]
fn word(out: &mut Vec<u8>, name: &str, value: &str) {
    key(out, name);
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

#[inline]
fn address(out: &mut Vec<u8>, name: &str, value: crate::net::Endpoint) {
    key(out, name);
    out.push(b'"');
    endpoint(out, value);
    out.push(b'"');
}

#[inline]
fn layers(out: &mut Vec<u8>, row: &Row<'_>) {
    key(out, "layers");
    let transport = row.event.transport;
    let below = std::iter::once(carrier(transport)).chain(encryption(transport));
    let mut open = b'[';
    for layer in below.chain(inside(row.event)).chain(std::iter::once(protocol(row.event))) {
        out.extend_from_slice(&[open, b'"']);
        out.extend_from_slice(layer.as_bytes());
        out.push(b'"');
        open = b',';
    }
    out.push(b']');
}

fn stun(out: &mut Vec<u8>, message: &Message<'_>, integrity: &[Integrity], credentials: &Credentials) {
    word(out, "class", message.class().name());
    key(out, "method");
    out.push(b'"');
    super::method(out, message.method());
    out.push(b'"');
    key(out, "classic");
    out.extend_from_slice(if message.is_classic() { b"true" } else { b"false" });
    key(out, "transaction_id");
    out.push(b'"');
    super::transaction_id(out, message);
    out.push(b'"');
    let error = attributes(out, message);
    if let Some(error) = error {
        key(out, "error");
        error_code(out, error);
    }
    verdicts(out, integrity, credentials);
    if let Some(fingerprint) = super::fingerprint_name(message) {
        word(out, "fingerprint", fingerprint);
    }
}

/// The list of attributes; gives back the first error code that stands among them.
fn attributes<'a>(out: &mut Vec<u8>, message: &Message<'a>) -> Option<ErrorCode<'a>> {
    let mut error = None;
    key(out, "attributes");
    out.push(b'[');
    for (i, attribute) in message.attributes().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"type\":\"");
        hex16(out, attribute.code.0);
        out.push(b'"');
        if let Some(name) = name(&attribute, message) {
            word(out, "name", name);
        }
        key(out, "value");
        let decoded = attribute.decode(message);
        value(out, &decoded);
        out.push(b'}');
        if let Value::Error(code) = decoded {
            error = error.or(Some(code));
        }
    }
    out.push(b']');
    error
}

fn name(attribute: &Attribute<'_>, message: &Message<'_>) -> Option<&'static str> {
    attribute.name(message).filter(|name| !name.is_empty())
}

/// A value: by hand where it is of a frequent kind.
fn value(out: &mut Vec<u8>, value: &Value<'_>) {
    match *value {
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json_string(out, text),
            Err(_) => rare(out, value),
        },
        Value::Bytes(bytes) | Value::Opaque(bytes) => {
            out.push(b'"');
            hex(out, bytes);
            out.push(b'"');
        }
        Value::Address(address) => {
            out.push(b'"');
            endpoint(out, address);
            out.push(b'"');
        }
        Value::Number(number) | Value::Seconds(number) | Value::Priority(number) => {
            self::number(out, u64::from(number))
        }
        Value::Error(error) => error_code(out, error),
        _ => rare(out, value),
    }
}

/// A value of a kind that is not frequent.
fn rare(out: &mut Vec<u8>, value: &Value<'_>) {
    let start = out.len();
    if crate::render::json::compact(out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

fn error_code(out: &mut Vec<u8>, error: ErrorCode<'_>) {
    out.extend_from_slice(b"{\"code\":");
    number(out, u64::from(error.code));
    key(out, "reason");
    lossy(out, error.reason);
    out.push(b'}');
}

/// Text of the wire as a string; what is not UTF-8 in it becomes U+FFFD.
fn lossy(out: &mut Vec<u8>, bytes: &[u8]) {
    json_string(out, &String::from_utf8_lossy(bytes));
}

fn verdicts(out: &mut Vec<u8>, integrity: &[Integrity], credentials: &Credentials) {
    key(out, "integrity");
    out.push(b'[');
    for (i, verdict) in integrity.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"algorithm\":\"");
        out.extend_from_slice(verdict.algorithm.name().as_bytes());
        out.push(b'"');
        word(out, "status", super::status_name(verdict.status));
        key(out, "credential");
        match verdict.status {
            Status::Verified { credential, rule, .. } => {
                json_string(out, &super::label(credentials, credential));
                if rule != Rule::Rfc8489 {
                    key(out, "rule");
                    let _ = write!(out, "\"{rule}\""); // words of this program; writing to a Vec cannot fail
                }
            }
            Status::Mismatch { tried } => {
                out.extend_from_slice(b"null");
                member(out, "tried", u64::from(tried));
            }
            Status::Untested | Status::Truncated => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
    }
    out.push(b']');
}

fn icmp(out: &mut Vec<u8>, answer: &IcmpAnswer) {
    key(out, "icmp");
    out.extend_from_slice(b"{\"frame\":");
    number(out, answer.frame);
    let _ = write!(out, ",\"sender\":\"{}\",\"error\":\"{}\"}}", answer.sender, answer.kind); // cannot fail
}

fn channel_data(out: &mut Vec<u8>, data: &ChannelData<'_>) {
    member(out, "channel", u64::from(data.channel));
    member(out, "length", u64::from(data.length));
}

fn media(out: &mut Vec<u8>, body: &Body<'_>) {
    let media = Media::of(body);
    if let Some(ssrc) = media.ssrc {
        member(out, "ssrc", u64::from(ssrc));
    }
    if let Some((payload_type, sequence)) = media.rtp {
        member(out, "payload_type", u64::from(payload_type));
        member(out, "sequence", u64::from(sequence));
    }
    if let Some(name) = media.packet_type {
        word(out, "packet_type", name);
    }
}

fn problems(out: &mut Vec<u8>, problems: &[Problem]) {
    key(out, "problems");
    out.push(b'[');
    for (i, problem) in problems.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let _ = write!(out, "{{\"layer\":\"{}\"", problem.layer); // words of this program; cannot fail
        for (name, value) in [("offset", problem.offset), ("needed", problem.needed), ("present", problem.present)] {
            member(out, name, u64::from(value));
        }
        key(out, "what");
        json_string(out, problem.what);
        out.push(b'}');
    }
    out.push(b']');
}
