//! What a STUN message is called on its arrow.

use super::Mark;
use super::limits::NAME_BYTES;
use crate::event::Row;
use crate::net::Endpoint;
use crate::session::credentials::Status;
use crate::wire::stun::registry::error;
use crate::wire::stun::{Class, Fields, Message, Method};
use std::fmt::{Arguments, Write as _};

/// Whether a Binding message is a check between ICE agents (RFC 8445 §7.1), by what a request carries.
pub(super) fn is_check(message: &Message<'_>, fields: &Fields<'_>) -> bool {
    message.method() == Method::BINDING
        && (fields.priority.is_some()
            || fields.controlling.is_some()
            || fields.controlled.is_some()
            || fields.use_candidate
            || fields.username.is_some_and(|name| name.contains(&b':')))
}

/// Whether the method is one that only TURN has.
pub(super) fn is_turn(method: Method) -> bool {
    matches!(
        method,
        Method::ALLOCATE
            | Method::REFRESH
            | Method::SEND
            | Method::DATA
            | Method::CREATE_PERMISSION
            | Method::CHANNEL_BIND
            | Method::CONNECT
            | Method::CONNECTION_BIND
            | Method::CONNECTION_ATTEMPT
    )
}

/// Writes what the message is, and tells how it stands out. `challenged` says of an error response that the request was without
/// credentials, so that the error is how every login begins.
pub(super) fn stun(
    out: &mut String,
    row: &Row<'_>,
    message: &Message<'_>,
    fields: &Fields<'_>,
    unsigned: bool,
) -> Mark {
    let method = message.method();
    match message.class() {
        Class::Request if is_check(message, fields) => {
            out.push_str("Binding check");
            check(out, fields);
            verdict(out, row, fields, false);
            Mark::Ok
        }
        Class::Request => {
            put(out, format_args!("{method} request"));
            request(out, method, fields);
            // of what follows an allocation it goes without saying
            verdict(out, row, fields, matches!(method, Method::ALLOCATE | Method::REFRESH));
            Mark::Ok
        }
        Class::Indication => {
            put(out, format_args!("{method} indication"));
            if let Some(peer) = fields.peer {
                put(out, format_args!(" {peer}"));
            }
            Mark::Ok
        }
        Class::Success => {
            put(out, format_args!("{method} success"));
            success(out, row.event.pair().1, fields);
            if mismatches(row) {
                out.push_str(", signature does not verify");
            }
            Mark::Ok
        }
        Class::Error => failure(out, method, fields, unsigned),
    }
}

fn check(out: &mut String, fields: &Fields<'_>) {
    if fields.use_candidate {
        out.push_str(" USE-CANDIDATE");
    }
    if fields.controlling.is_some() {
        out.push_str(" controlling");
    }
    if fields.controlled.is_some() {
        out.push_str(" controlled");
    }
}

fn request(out: &mut String, method: Method, fields: &Fields<'_>) {
    match method {
        Method::ALLOCATE => {
            match fields.requested_transport {
                None | Some(17) => {}
                Some(6) => out.push_str(" over TCP"),
                Some(other) => put(out, format_args!(" for protocol {other}")),
            }
            match fields.requested_family {
                Some(2) => out.push_str(" for IPv6"),
                _ if fields.additional_family == Some(2) => out.push_str(" for IPv4 and IPv6"),
                _ => {}
            }
            if let Some(name) = fields.username {
                out.push(' ');
                name_of(out, name);
            } else if fields.userhash.is_some() {
                out.push_str(" user by its hash");
            }
        }
        Method::REFRESH => match fields.lifetime {
            Some(0) => out.push_str(" 0 s: release"),
            Some(seconds) => put(out, format_args!(" {seconds} s")),
            None => {}
        },
        Method::CHANNEL_BIND => {
            if let Some(channel) = fields.channel {
                put(out, format_args!(" 0x{channel:04x}"));
            }
            if let Some(peer) = fields.peer {
                put(out, format_args!(" {peer}"));
            }
        }
        _ => {
            if let Some(peer) = fields.peer {
                if method == Method::CREATE_PERMISSION {
                    put(out, format_args!(" {}", peer.ip())); // a permission is for an address (RFC 8656 §9)
                } else {
                    put(out, format_args!(" {peer}"));
                }
                if fields.peers > 1 {
                    put(out, format_args!(" and {} more", fields.peers - 1));
                }
            }
        }
    }
}

/// Who signed a request, as far as it is told. Of checks only what does not verify is.
fn verdict(out: &mut String, row: &Row<'_>, fields: &Fields<'_>, tell: bool) {
    if fields.integrity.iter().all(Option::is_none) {
        return;
    }
    if mismatches(row) {
        out.push_str(", signature does not verify");
    } else if tell && row.integrity.iter().any(|one| matches!(one.status, Status::Verified { .. })) {
        out.push_str(", signed, verified");
    } else if tell {
        out.push_str(", signed");
    }
}

fn mismatches(row: &Row<'_>) -> bool {
    let any = |wanted: fn(&Status) -> bool| row.integrity.iter().any(|one| wanted(&one.status));
    any(|status| matches!(status, Status::Mismatch { .. })) && !any(|status| matches!(status, Status::Verified { .. }))
}

/// A mapped address is told where it is another than the one that the answer is for.
fn success(out: &mut String, dst: Endpoint, fields: &Fields<'_>) {
    for relayed in fields.relayed.iter().flatten() {
        put(out, format_args!(", relay {relayed}"));
    }
    if let Some(mapped) = fields.xor_mapped.or(fields.mapped).filter(|mapped| *mapped != dst) {
        put(out, format_args!(", mapped {mapped}"));
    }
    if let Some(seconds) = fields.lifetime {
        put(out, format_args!(", {seconds} s"));
    }
}

fn failure(out: &mut String, method: Method, fields: &Fields<'_>, unsigned: bool) -> Mark {
    let Some(error_code) = fields.error else {
        put(out, format_args!("{method} error without a code"));
        return Mark::Error;
    };
    put(out, format_args!("{} ", error_code.code));
    let reason = error_code.reason;
    if reason.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()) {
        out.push_str(error(error_code.code).map_or("error", |row| row.name));
    } else {
        name_of(out, reason);
    }
    if let Some(server) = fields.alternate_server {
        put(out, format_args!(", try {server}"));
    }
    match error_code.code {
        401 if unsigned => Mark::Note,
        300 | 438 | 487 => Mark::Note,
        _ => Mark::Error,
    }
}

/// A name of the capture, cut where it is very long.
pub(super) fn name_of(out: &mut String, name: &[u8]) {
    let cut = name.get(..NAME_BYTES);
    out.push_str(String::from_utf8_lossy(cut.unwrap_or(name)).trim_end_matches('\0'));
    if cut.is_some() && name.len() > NAME_BYTES {
        out.push('…');
    }
}

fn put(out: &mut String, text: Arguments<'_>) {
    let _ = out.write_fmt(text); // writing to a String cannot fail
}
