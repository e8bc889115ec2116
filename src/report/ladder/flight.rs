//! DTLS handshake messages that go together: a flight, told by the names of its messages.

use super::limits::{FLIGHT, FRAGMENTS};
use crate::bounded::BoundedList;
use crate::wire::dtls::Record;
use crate::wire::handshake::ContentType;
use std::fmt::Write as _;

/// The messages of one flight.
#[derive(Clone, Debug, Default)]
pub(super) struct Flight {
    messages: Vec<Part>,
    /// Messages beyond the bound.
    more: u32,
}

/// After all messages in the clear.
const CHANGE: u64 = u64::MAX - 1;
/// After the change to encryption.
const ENCRYPTED: u64 = u64::MAX;

/// One message of a flight.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: String,
    /// The number of the handshake message; of what has none, [`CHANGE`] or [`ENCRYPTED`].
    sequence: u64,
    fragments: u32,
    /// The offsets at which the first fragments begin.
    offsets: Vec<u32>,
    /// Whether it came in one piece: what comes of it later is sent again, perhaps in other pieces.
    whole: bool,
}

/// What is in a record, as far as a flight is concerned.
pub(super) enum Handshake {
    /// Messages of a handshake, or what belongs to one.
    Part,
    /// An alert in the clear, in words; whether it is more than a goodbye.
    Alert(String, bool),
    /// Data, or what cannot be told from it.
    Data(&'static str),
}

/// What a record is.
pub(super) fn of(record: &Record<'_>) -> Handshake {
    if let Some(alert) = record.alert() {
        /// close_notify: a goodbye (RFC 5246 §7.2.1).
        const CLOSE: u8 = 0;
        return Handshake::Alert(format!("DTLS alert {alert}"), alert.description.0 != CLOSE);
    }
    match record.content_type {
        ContentType::HANDSHAKE | ContentType::CHANGE_CIPHER_SPEC => Handshake::Part,
        ContentType::ALERT => Handshake::Data("DTLS alert, encrypted"),
        ContentType::APPLICATION_DATA => Handshake::Data("DTLS application data"),
        ContentType::HEARTBEAT => Handshake::Data("DTLS heartbeat"),
        _ => Handshake::Data("DTLS, encrypted"),
    }
}

impl Flight {
    /// Whether something of the record was in the flight before: it is sent again.
    pub(super) fn has(&self, record: &Record<'_>) -> bool {
        let mut any = false;
        parts(record, |name, sequence, offset, _| {
            let known = |part: &Part| part.name == name && part.sequence == sequence;
            any |= self.messages.iter().any(|part| known(part) && (part.whole || part.offsets.contains(&offset)));
        });
        any
    }

    /// Whether the record begins with the flight's first message.
    pub(super) fn begins_with(&self, record: &Record<'_>) -> bool {
        let Some(first) = self.messages.first() else { return false };
        let mut begins = false;
        parts(record, |name, sequence, offset, _| {
            begins |= offset == 0 && first.name == name && first.sequence == sequence;
        });
        begins
    }

    /// Adds what is in the record.
    pub(super) fn add(&mut self, record: &Record<'_>) {
        parts(record, |name, sequence, offset, whole| {
            let full = self.messages.len() >= FLIGHT;
            let known = self.messages.iter_mut().find(|part| part.name == name && part.sequence == sequence);
            match known {
                Some(part) => {
                    part.fragments = part.fragments.saturating_add(1);
                    part.offsets.push_up_to(FRAGMENTS, offset);
                }
                None if !full => {
                    self.messages.push(Part {
                        name: name.to_owned(),
                        sequence,
                        fragments: 1,
                        offsets: vec![offset],
                        whole,
                    });
                }
                None => self.more += 1,
            }
        });
    }

    /// `ServerHello, Certificate (2 fragments), ServerHelloDone`.
    pub(super) fn label(&self) -> String {
        // by their numbers, in whatever order the network had them
        let mut parts: Vec<&Part> = self.messages.iter().collect();
        parts.sort_by_key(|part| part.sequence);
        let mut text = String::new();
        for part in parts {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(&part.name);
            let fragments = part.fragments;
            if fragments > 1 {
                let _ = write!(text, " ({fragments} fragments)"); // writing to a String cannot fail
            }
        }
        if self.more > 0 {
            let _ = write!(text, ", … {} more", self.more);
        }
        text
    }
}

/// Calls with name, number, offset and wholeness of everything in a record that belongs to a handshake.
fn parts(record: &Record<'_>, mut each: impl FnMut(&str, u64, u32, bool)) {
    if record.content_type == ContentType::CHANGE_CIPHER_SPEC {
        // it has no number of its own, and a flight has one
        return each("ChangeCipherSpec", CHANGE, 0, true);
    }
    if !record.is_readable() {
        return each("encrypted handshake", ENCRYPTED, 0, true);
    }
    for fragment in record.fragments() {
        let unknown;
        let name = match fragment.name() {
            Some(name) => name,
            None => {
                unknown = fragment.kind.to_string();
                &unknown
            }
        };
        each(name, u64::from(fragment.sequence), fragment.offset, fragment.is_whole());
    }
}
