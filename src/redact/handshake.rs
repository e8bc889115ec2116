//! Handshakes of DTLS and TLS in the clear: hellos stay but for the server's name, certificates go, and so does what can only be checked with them.

use super::bytes::{put, three, word, zero};
use super::names::Names;
use super::{Flow, Redactor};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Bytes of messages in fragments that are kept until all is known, and what each takes beside its bytes.
const HELD: usize = 64 << 20;
const ENTRY: usize = 256;
/// A message longer than this is none.
const LONGEST: usize = 1 << 17;
/// Messages with the same number on one flow: handshakes after each other.
const VERSIONS: usize = 8;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// What of a handshake message stays.
pub(super) struct Rewriter {
    /// Whether certificates stay as they are, and the names that clients ask for.
    pub(super) keep_certificates: bool,
}

impl Rewriter {
    /// Rewrites the body of a whole message; gives the SHA-256 fingerprints of certificates that went. `version` is that of the record, or that of the
    /// connection where keys opened a message of version 1.3.
    pub(super) fn body(&self, kind: u8, body: &mut [u8], version: u16, dtls: bool, names: &mut Names) -> Vec<String> {
        let modern = matches!(version, 0x0304 | 0xfefc);
        match kind {
            CLIENT_HELLO => self.client_hello(body, dtls, names),
            SERVER_HELLO => {
                let id = session_id(body, names);
                extensions(body, id + 3, |kind, content| extension(kind, content, names));
            }
            // HelloVerifyRequest: the cookie
            3 => {
                let length = body.get(2).map_or(0, |&length| usize::from(length));
                opaque(body, 3..3 + length, names);
            }
            // HelloRequest, HelloRetryRequest of drafts, ServerHelloDone
            0 | 6 | 14 => {}
            // EncryptedExtensions, KeyUpdate
            8 if modern => {
                extensions(body, 0, |kind, content| extension(kind, content, names));
            }
            24 if modern => {}
            CERTIFICATE if self.keep_certificates => {}
            CERTIFICATE if modern => {
                let context = body.first().map_or(0, |&length| usize::from(length));
                return certificates(body, 1 + context, true);
            }
            CERTIFICATE => return certificates(body, 0, false),
            // of ServerKeyExchange the curve
            12 => zero(body, 4..usize::MAX),
            13 if modern => {
                let context = body.first().map_or(0, |&length| usize::from(length));
                extensions(body, 1 + context, |kind, content| extension(kind, content, names));
            }
            13 if !self.keep_certificates => {
                let types = 1 + body.first().map_or(0, |&count| usize::from(count));
                let algorithms =
                    if matches!(version, 0x0303 | 0xfefd) { 2 + word(body, types).unwrap_or(0) } else { 0 };
                put(body, types + algorithms, &[0, 0]);
                zero(body, types + algorithms..usize::MAX);
            }
            13 | 22 if self.keep_certificates => {}
            _ => body.fill(0),
        }
        Vec::new()
    }

    /// Replaces what names the server or an earlier session. A hello that does not read to its end is zeroed from there on.
    fn client_hello(&self, body: &mut [u8], dtls: bool, names: &mut Names) {
        let mut at = session_id(body, names);
        if dtls {
            let length = body.get(at).map_or(usize::from(u16::MAX), |&length| usize::from(length));
            opaque(body, at + 1..at + 1 + length, names);
            at += 1 + length;
        }
        let suites = word(body, at).unwrap_or(usize::from(u16::MAX));
        at += 2 + suites;
        at += 1 + body.get(at).map_or(usize::from(u16::MAX), |&length| usize::from(length));
        let end = extensions(body, at, |kind, content| match kind {
            // certificates show the name, too, and are judged by it
            0 if self.keep_certificates => {}
            0 => server_names(content, names),
            41 => earlier_sessions(content, names),
            _ => extension(kind, content, names),
        });
        zero(body, end.min(body.len())..usize::MAX);
    }
}

/// Replaces the session id of a hello, the same one everywhere; gives where it ends.
fn session_id(body: &mut [u8], names: &Names) -> usize {
    let length = body.get(34).map_or(usize::from(u16::MAX), |&length| usize::from(length));
    opaque(body, 35..35 + length, names);
    35 + length
}

fn opaque(body: &mut [u8], range: std::ops::Range<usize>, names: &Names) {
    let end = range.end.min(body.len());
    if let Some(bytes) = body.get_mut(range.start..end).filter(|bytes| !bytes.is_empty()) {
        let other = names.opaque(bytes);
        put(bytes, 0, &other);
    }
}

/// Gives each extension of a list that begins with its length; and where the list ends, or what does not read any more begins.
fn extensions(body: &mut [u8], at: usize, mut each: impl FnMut(usize, &mut [u8])) -> usize {
    let mut at = at + 2;
    while let (Some(kind), Some(length)) = (word(body, at), word(body, at + 2)) {
        let (start, end) = (at + 4, at + 4 + length);
        match body.get_mut(start..end) {
            Some(content) => each(kind, content),
            None => zero(body, start..usize::MAX),
        }
        at = end;
    }
    at
}

/// Extensions that say how to talk, and nothing of who talks: what is offered and chosen stays.
const HARMLESS: [usize; 26] =
    [1, 9, 10, 11, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 27, 28, 34, 43, 45, 49, 50, 51, 53, 54, 65281];

fn extension(kind: usize, content: &mut [u8], names: &Names) {
    match kind {
        // of a server that took the name, and the choice of an earlier session
        0 | 41 if content.len() <= 2 => {}
        // an answer about certificates from anybody
        5 if content == [1, 0, 0, 0, 0] => {}
        // names of authorities
        47 => content.fill(0),
        // Encrypted Client Hello: behind the key that it is encrypted by
        0xfe0d => {
            let key = word(content, 6).unwrap_or(0);
            zero(content, 10 + key..usize::MAX);
        }
        _ if HARMLESS.contains(&kind) => {}
        _ => {
            let end = content.len();
            opaque(content, 0..end, names);
        }
    }
}

/// Replaces the host names in server_name (RFC 6066 §3).
fn server_names(content: &mut [u8], names: &mut Names) {
    let mut at = 2;
    while let Some(length) = word(content, at + 1) {
        let range = at + 3..at + 3 + length;
        at = range.end;
        match content.get_mut(range.clone()) {
            Some(host) => {
                let other = names.name(host);
                put(host, 0, &other);
            }
            None => zero(content, range),
        }
    }
}

/// Replaces the identities in pre_shared_key (RFC 8446 §4.2.11), and drops what shows that the client has the keys.
fn earlier_sessions(content: &mut [u8], names: &Names) {
    let end = 2 + word(content, 0).unwrap_or(0);
    let mut at = 2;
    while at < end
        && let Some(length) = word(content, at)
    {
        opaque(content, at + 2..at + 2 + length, names);
        zero(content, at + 2 + length..at + 6 + length);
        at += 6 + length;
    }
    let mut at = end + 2;
    while let Some(&length) = content.get(at) {
        zero(content, at + 1..at + 1 + usize::from(length));
        at += 1 + usize::from(length);
    }
}

/// Zeroes each certificate of the list, and leaves the lengths. Those of version 1.3 have extensions behind each.
fn certificates(body: &mut [u8], at: usize, modern: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = at + 3;
    while let Some(length) = three(body, at) {
        let start = at + 3;
        at = start + length;
        match body.get_mut(start..at) {
            Some(certificate) => {
                let hash: [u8; 32] = Sha256::digest(&*certificate).into();
                found.push(hash.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":"));
                certificate.fill(0);
            }
            None => zero(body, start..usize::MAX),
        }
        if modern {
            at = extensions(body, at, |_, content| content.fill(0)).min(at + 2 + word(body, at).unwrap_or(0));
        }
    }
    zero(body, at..usize::MAX);
    found
}

/// A message that comes in fragments, by flow, number, type and length.
type Name = (Flow, u16, u8, usize);

/// One message put together, and what became of it.
struct Whole {
    bytes: Vec<u8>,
    have: Vec<bool>,
    missing: usize,
    redacted: Option<(Vec<u8>, Vec<String>)>,
}

/// Messages in fragments: learnt in the first pass, looked up in the second.
#[derive(Default)]
pub(super) struct Fragments {
    known: HashMap<Name, Vec<Whole>>,
    held: usize,
}

impl Fragments {
    fn learn(&mut self, name: Name, offset: usize, part: &[u8], rewrite: impl FnOnce(&mut [u8]) -> Vec<String>) {
        let length = name.3;
        let end = offset + part.len();
        if length > LONGEST || end > length {
            return;
        }
        let versions = self.known.get(&name).map_or(&[][..], Vec::as_slice);
        let fits = |whole: &Whole| {
            let (bytes, have) = (whole.bytes.get(offset..end), whole.have.get(offset..end));
            let pairs = bytes.unwrap_or_default().iter().zip(have.unwrap_or_default()).zip(part);
            pairs.into_iter().all(|((byte, have), new)| !have || byte == new)
        };
        let index = versions.iter().position(fits);
        if index.is_none() {
            // with what becomes of it
            let size = 3 * length + ENTRY;
            if versions.len() >= VERSIONS || self.held + size > HELD {
                return;
            }
            self.held += size;
        }
        let versions = self.known.entry(name).or_default();
        let index = index.unwrap_or_else(|| {
            let (bytes, have) = (vec![0; length], vec![false; length]);
            versions.push(Whole { bytes, have, missing: length, redacted: None });
            versions.len() - 1
        });
        let Some(whole) = versions.get_mut(index) else { return };
        put(&mut whole.bytes, offset, part);
        for have in whole.have.get_mut(offset..end).unwrap_or_default() {
            whole.missing -= usize::from(!*have);
            *have = true;
        }
        if whole.missing == 0 && whole.redacted.is_none() {
            let mut bytes = whole.bytes.clone();
            let found = rewrite(&mut bytes);
            self.held += found.iter().map(|print| print.len() + ENTRY).sum::<usize>();
            whole.redacted = Some((bytes, found));
        }
    }

    fn find(&self, name: &Name, offset: usize, part: &[u8]) -> Option<(&[u8], &[String])> {
        let end = offset.checked_add(part.len())?;
        let fits = |whole: &&Whole| whole.redacted.is_some() && whole.bytes.get(offset..end) == Some(part);
        let (bytes, found) = self.known.get(name)?.iter().find(fits)?.redacted.as_ref()?;
        Some((bytes.get(offset..end)?, found))
    }
}

impl Redactor {
    /// The DTLS records of a datagram, plain ones and those with the unified header of version 1.3 (RFC 9147 §4); all headers stay.
    pub(super) fn dtls(&mut self, data: &mut [u8], flow: &Flow) {
        let mut at = 0;
        loop {
            if let Some([kind @ 20..=26, v0, v1, e0, e1]) = super::bytes::at::<5>(data, at) {
                let Some(length) = word(data, at + 11) else { break };
                let (start, end) = (at + 13, (at + 13 + length).min(data.len()));
                at = start + length;
                let Some(content) = data.get_mut(start..end) else { break };
                if kind == 25 || [e0, e1] != [0, 0] || !matches!(kind, 20..=22) {
                    content.fill(0);
                } else if kind == 22 {
                    self.dtls_handshake(content, u16::from_be_bytes([v0, v1]), flow);
                } else {
                    zero(content, 2..usize::MAX);
                }
            } else {
                let Some((start, end)) = unified(data, at) else { break };
                zero(data, start..end);
                at = end;
            }
        }
        // padding, or what is no record
        zero(data, at..usize::MAX);
    }

    pub(super) fn dtls_handshake(&mut self, content: &mut [u8], version: u16, flow: &Flow) {
        let mut at = 0;
        while let (Some(&kind), Some(length), Some(number), Some(offset), Some(part)) = (
            content.get(at),
            three(content, at + 1),
            word(content, at + 4),
            three(content, at + 6),
            three(content, at + 9),
        ) {
            let (start, end) = (at + 12, (at + 12 + part).min(content.len()));
            let whole = end == start + part;
            at = start + part;
            let Some(body) = content.get_mut(start..end) else { break };
            let Redactor { rewriter, names, fragments, .. } = self;
            let mut found = Vec::new();
            if offset == 0 && part == length {
                found = rewriter.body(kind, body, version, true, names);
            } else {
                let name = (*flow, number as u16, kind, length);
                if self.learning && whole {
                    fragments.learn(name, offset, body, |bytes| rewriter.body(kind, bytes, version, true, names));
                }
                let known = fragments.find(&name, offset, body).map(|(bytes, found)| (bytes.to_vec(), found.to_vec()));
                match known {
                    Some((bytes, all)) => {
                        put(body, 0, &bytes);
                        found = if offset + part == length { all } else { Vec::new() };
                    }
                    None => {
                        body.fill(0);
                        self.counts.zeroed += u64::from(!self.learning);
                    }
                }
            }
            self.dropped(&found);
        }
        zero(content, at..usize::MAX);
    }

    /// Notes certificates that are not there any more.
    pub(super) fn dropped(&mut self, fingerprints: &[String]) {
        self.counts.certificates += if self.learning { 0 } else { fingerprints.len() as u64 };
        for fingerprint in fingerprints {
            self.comment(left_out(fingerprint));
        }
    }
}

/// Where the content of a record with a unified header at `at` begins and ends: with the datagram, where it tells no length. A connection id has a
/// length that only the handshake tells, so all behind the first byte is content then.
fn unified(data: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = *data.get(at).filter(|first| matches!(first, 32..=63))?;
    let number = at + if first & 0x08 != 0 { 3 } else { 2 };
    match (first & 0x10 != 0, first & 0x04 != 0) {
        (true, _) => Some((at + 1, usize::MAX)),
        (false, false) => Some((number, usize::MAX)),
        (false, true) => Some((number + 2, number + 2 + word(data, number)?)),
    }
}

/// What is said where a certificate was.
pub(super) fn left_out(fingerprint: &str) -> String {
    format!("turnscope: certificate left out, SHA-256 fingerprint {fingerprint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;

    #[test]
    fn fragments_of_messages_that_never_come_take_bounded_memory() {
        let mut fragments = Fragments::default();
        let [src, dst] = [Endpoint::v4([10, 0, 0, 1], 1), Endpoint::v4([10, 0, 0, 2], 2)];
        let flow = Flow { src, dst, depth: 0, peer: None };
        for number in 0..400_000_u32 {
            // a byte long, of which nothing is there
            fragments.learn((flow, number as u16, (number >> 16) as u8, 1), 1, &[], |_| Vec::new());
        }
        assert!(fragments.known.len() <= HELD / ENTRY, "{}", fragments.known.len());
        assert!(fragments.known.values().all(|versions| !versions.is_empty()));
    }
}
