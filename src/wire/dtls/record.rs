//! One record: its headers in all forms, and what is in it.

use super::fragment::Fragments;
use crate::problem::{Layer, Problem};
use crate::wire::handshake::{Alert, ContentType, Version};
use std::fmt;

/// Bytes of the header of a plain record.
pub(super) const HEADER: usize = 13;
/// The longest plaintext, and the most that protection may add to it (RFC 6347 §4.1, RFC 5246 §6.2.3).
pub(super) const MAX_LENGTH: usize = (1 << 14) + 2048;
/// The shortest ciphertext of DTLS 1.3: what the encryption of the sequence number needs (RFC 9147 §4.2.3).
pub(super) const MIN_CIPHERTEXT: usize = 16;

/// The form of a record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// 13 bytes, all in the clear (RFC 6347 §4.1).
    Plain,
    /// The same with a connection id before the length; the content type is encrypted (RFC 9146 §4).
    ConnectionId,
    /// The unified header of DTLS 1.3: two bits of the epoch, the sequence number encrypted (RFC 9147 §4).
    Unified,
}

/// A record, borrowed from its datagram.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// How its header is made.
    pub form: Form,
    /// What it holds, as far as the header tells: `tls12_cid` and `ciphertext` hide it.
    pub content_type: ContentType,
    /// The version in the header. That of a first ClientHello says little; DTLS 1.3 where the header is a unified one.
    pub version: Version,
    /// The epoch; of a unified header the two lowest bits only.
    pub epoch: u16,
    /// The sequence number, 48 bits; none where it is encrypted.
    pub sequence: Option<u64>,
    /// The connection id; empty where there is none, or where its length is not known.
    pub connection_id: &'a [u8],
    /// Bytes from the start of the datagram to the record.
    pub offset: usize,
    /// Bytes of the header.
    pub header: usize,
    /// The length that the header gives, or that follows from the end of the datagram.
    pub length: usize,
    /// What is there of the contents.
    pub payload: &'a [u8],
    /// Whether `payload` is shorter than `length` because the capture kept no more.
    pub truncated: bool,
    /// Bytes after it in the datagram that are no record.
    pub trailing: usize,
    /// Whether it was protected, and opened with keys: then content type, epoch, sequence number and contents are those inside.
    pub opened: bool,
}

impl<'a> Record<'a> {
    /// The same record with what keys showed to be in it.
    #[must_use]
    pub fn opened<'p>(&self, content_type: ContentType, epoch: u16, sequence: u64, plain: &'p [u8]) -> Record<'p> {
        Record {
            content_type,
            epoch,
            sequence: Some(sequence),
            connection_id: &[],
            length: plain.len(),
            payload: plain,
            opened: true,
            ..*self
        }
    }

    /// Whether the contents can be read: they are in the clear, or were opened.
    #[must_use]
    #[inline]
    pub fn is_readable(&self) -> bool {
        self.opened || self.is_plain()
    }

    /// Whether the contents are in the clear: the epoch is 0, and the header not one that only protected records have.
    ///
    /// Where a suite without encryption was chosen, records of later epochs are readable on the wire; they are not read here.
    #[must_use]
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.epoch == 0 && self.form == Form::Plain && !self.opened
    }

    /// The fragments of handshake messages in it; none where it holds something else or is encrypted.
    #[must_use]
    pub fn fragments(&self) -> Fragments<'a> {
        if self.is_readable() && self.content_type == ContentType::HANDSHAKE {
            Fragments::new(self.payload, self.offset + self.header, self.truncated)
        } else {
            Fragments::new(&[], self.offset, false)
        }
    }

    /// The alert in it, where it holds one in the clear.
    #[must_use]
    pub fn alert(&self) -> Option<Alert> {
        if self.is_readable() && self.content_type == ContentType::ALERT { Alert::parse(self.payload) } else { None }
    }

    /// Epoch and sequence number in one, which tells a record sent again from one captured twice.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.sequence.map(|sequence| u64::from(self.epoch) << 48 | sequence)
    }

    /// The first thing that is improper; offsets count from the start of the datagram. What the capture cut off is not.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        let fault = |at: usize, needed: usize, present: usize, what: &'static str| {
            Some(Problem::new(Layer::Dtls, self.offset + at, needed, present, what))
        };
        let length_at = self.header.saturating_sub(2);
        if self.payload.len() < self.length && !self.truncated {
            return fault(length_at, self.length, self.payload.len(), "the record length runs past the datagram");
        }
        if self.length > MAX_LENGTH {
            return fault(length_at, MAX_LENGTH, self.length, "the record is longer than any may be");
        }
        if self.form != Form::Unified && self.version == Version::DTLS_1_3 {
            return fault(1, 0, 0, "a record header says DTLS 1.3, which no header may");
        }
        if self.is_plain() {
            let what = match self.content_type {
                ContentType::HANDSHAKE => return self.handshake_problem(),
                ContentType::ALERT if self.length != 2 => "an alert is not of two bytes",
                ContentType::CHANGE_CIPHER_SPEC if self.length != 1 => "a ChangeCipherSpec is not of one byte",
                ContentType::APPLICATION_DATA => "application data without encryption",
                _ => "",
            };
            if !what.is_empty() {
                return fault(self.header, 0, 0, what);
            }
        }
        if self.trailing > 0 && !self.truncated {
            return fault(self.header + self.length, 0, self.trailing, "bytes after the record that are no record");
        }
        None
    }

    fn handshake_problem(&self) -> Option<Problem> {
        let mut fragments = self.fragments();
        let found = fragments.by_ref().find_map(|fragment| fragment.problem());
        found.or_else(|| fragments.problem())
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { content_type, version, epoch, sequence, length, payload, .. } = self;
        write!(
            f,
            "Record({version} {content_type}, epoch {epoch}, sequence {sequence:?}, {} of {length} bytes)",
            payload.len()
        )
    }
}
