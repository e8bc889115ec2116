//! DTLS records, as an object and as text.

use super::jsonl::{key, member};
use super::text::put;
use crate::wire::dtls::{Form, Record};
use crate::wire::handshake::ContentType;
use std::io::Write as _;

/// Appends the member `dtls`.
pub(super) fn json(out: &mut Vec<u8>, record: &Record<'_>) {
    key(out, "dtls");
    out.extend_from_slice(b"{\"version\":");
    let _ = write!(out, "\"{}\",\"content_type\":\"{}\"", record.version, record.content_type); // words of this program
    member(out, "epoch", record.epoch.into());
    if let Some(sequence) = record.sequence {
        member(out, "sequence", sequence);
    }
    key(out, "handshake");
    out.push(b'[');
    for (i, fragment) in record.fragments().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let _ = match fragment.name() {
            Some(name) => write!(out, "\"{name}\""),
            None => write!(out, "\"{}\"", fragment.kind),
        };
    }
    out.push(b']');
    if let Some(alert) = record.alert() {
        key(out, "alert");
        let _ = write!(out, "{{\"level\":\"{}\"", alert.level);
        key(out, "description");
        let _ = write!(out, "\"{}\"}}", alert.description);
    }
    out.push(b'}');
}

/// Appends `DTLS 1.2 handshake: ClientHello, fragment 0..1200 of 1500`.
pub(super) fn text(line: &mut String, record: &Record<'_>) {
    put(line, format_args!("{} {}", record.version, record.content_type));
    if record.opened {
        line.push_str(", opened");
    }
    if record.is_readable() && record.content_type == ContentType::HANDSHAKE {
        for (i, fragment) in record.fragments().enumerate() {
            line.push_str(if i == 0 { ": " } else { "; " });
            match fragment.name() {
                Some(name) => line.push_str(name),
                None => put(line, format_args!("{}", fragment.kind)),
            }
            if fragment.range() != (0..fragment.length) {
                let range = fragment.range();
                put(line, format_args!(", fragment {}..{} of {}", range.start, range.end, fragment.length));
            }
        }
    } else if let Some(alert) = record.alert() {
        put(line, format_args!(": {alert}"));
    } else if record.is_plain() && record.content_type == ContentType::CHANGE_CIPHER_SPEC {
        // it is always the same one byte
    } else {
        if record.form == Form::Plain
            && !record.opened
            && record.epoch > 0
            && record.content_type != ContentType::APPLICATION_DATA
        {
            line.push_str(", encrypted");
        }
        put(line, format_args!(", {} bytes", record.length));
    }
    if let Some(problem) = record.problem() {
        put(line, format_args!(" [malformed: {problem}]"));
    }
}
