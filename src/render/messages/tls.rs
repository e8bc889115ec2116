//! TLS records, as an object and as text.

use super::jsonl::key;
use super::text::put;
use crate::event::Sealed;
use crate::wire::handshake::ContentType;
use std::io::Write as _;

/// Appends the member `tls`. What a record holds in truth, behind keys, is `opened`.
pub(super) fn json(out: &mut Vec<u8>, sealed: &Sealed<'_>) {
    let record = &sealed.record;
    key(out, "tls");
    // all of it words of this program
    let _ = write!(out, "{{\"version\":\"{}\",\"content_type\":\"{}\"", record.version, record.content_type);
    let _ = write!(out, ",\"length\":{},\"encrypted\":{}", record.length, sealed.protected);
    if let Some(kind) = sealed.opened {
        let _ = write!(out, ",\"opened\":\"{kind}\"");
    }
    key(out, "handshake");
    out.push(b'[');
    for (i, kind) in sealed.begun.iter().flatten().enumerate() {
        let _ = write!(out, "{}\"{kind}\"", if i > 0 { "," } else { "" });
    }
    out.push(b']');
    if let Some(alert) = sealed.alert {
        let _ = write!(out, ",\"alert\":{{\"level\":\"{}\",\"description\":\"{}\"}}", alert.level, alert.description);
    }
    out.push(b'}');
}

/// Appends `TLS 1.2 handshake: ClientHello`.
pub(super) fn text(line: &mut String, sealed: &Sealed<'_>) {
    let record = &sealed.record;
    put(line, format_args!("{} {}", record.version, record.content_type));
    let kind = sealed.opened.unwrap_or(record.content_type);
    if sealed.protected {
        match sealed.opened {
            Some(kind) => put(line, format_args!(", encrypted {kind}")),
            None if record.content_type != ContentType::APPLICATION_DATA => line.push_str(", encrypted"),
            None => {}
        }
    }
    match (kind, sealed.alert) {
        (ContentType::HANDSHAKE, _) if sealed.begun.iter().any(Option::is_some) => {
            for (i, kind) in sealed.begun.iter().flatten().enumerate() {
                line.push_str(if i == 0 { ": " } else { "; " });
                put(line, format_args!("{kind}"));
            }
        }
        (_, Some(alert)) => put(line, format_args!(": {alert}")),
        (ContentType::CHANGE_CIPHER_SPEC, _) => {} // it is always the same one byte
        _ => put(line, format_args!(", {} bytes", record.length)),
    }
    if let Some(why) = sealed.shut {
        put(line, format_args!(" [not opened: {why}]"));
    }
    if let Some(problem) = record.problem(!sealed.protected) {
        put(line, format_args!(" [malformed: {problem}]"));
    }
}
