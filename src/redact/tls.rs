//! TLS in TCP streams: handshakes in the clear rewritten, and what keys open rewritten and sealed anew.

use super::bytes::{at, put, three};
use super::handshake::left_out;
use super::stream::{Direction, HANDSHAKE};
use super::{Flow, Redactor};
use crate::keys::{Outcome, Seal};

/// Bytes of a record's payload that are kept: the IV or explicit nonce that it begins with.
const START: usize = 16;

/// What keys opened of one direction.
#[derive(Default)]
pub(super) struct Inside {
    handshake: Direction,
    /// Bytes of handshake messages so far.
    heard: u64,
    data: Direction,
    records: Vec<Opened>,
}

/// A record that keys opened.
struct Opened {
    /// Its place in the stream.
    start: u64,
    head: [u8; 5],
    payload: [u8; START],
    seal: Option<Seal>,
    content_type: u8,
    content: Content,
    /// Bytes of what is in it.
    size: usize,
}

/// What an opened record holds.
enum Content {
    /// So many bytes of the handshake messages before it.
    Handshake(u64),
    /// So many bytes of the stream before it.
    Data(u64),
    Bytes(Vec<u8>),
}

impl Redactor {
    pub(super) fn read_tls(&mut self, direction: &mut Direction, flow: &Flow) -> Option<bool> {
        let head @ [kind, v0, v1, l0, l1] = at::<5>(&direction.reader.buffer, 0)?;
        let (length, version) = (usize::from(u16::from_be_bytes([l0, l1])), u16::from_be_bytes([v0, v1]));
        if !matches!((kind, v0), (20..=24, 3)) || length > 0x4800 {
            return Some(false);
        }
        let start = direction.reader.start;
        if self.opened.follows(flow) {
            let payload = direction.reader.buffer.get(5..5 + length)?;
            let mut plain = Vec::new();
            let (outcome, seal) = self.opened.tls(flow, (kind, version), payload, &mut plain);
            if outcome != Outcome::Clear {
                let mut first = [0; START];
                put(&mut first, 0, payload);
                direction.reader.skip = start + 5 + length as u64;
                self.edit(direction, start, head.to_vec());
                match outcome {
                    Outcome::Opened { content_type, .. } => {
                        let record = Opened {
                            start,
                            head,
                            payload: first,
                            seal,
                            content_type,
                            content: Content::Bytes(Vec::new()),
                            size: plain.len(),
                        };
                        self.inside(direction, flow, record, &plain);
                    }
                    _ => direction.lose_inside(),
                }
                return Some(true);
            }
        }
        let content = direction.reader.buffer.get(5..5 + length);
        let plain = match kind {
            // a hello that is by itself is one, also behind the ChangeCipherSpec of version 1.3 that means nothing
            22 => {
                let content = content?;
                let alone =
                    matches!(content.first(), Some(1 | 2)) && three(content, 1).map(|size| size + 4) == Some(length);
                !direction.reader.encrypted || alone
            }
            _ => !direction.reader.encrypted,
        };
        let mut stays = head.to_vec();
        match kind {
            20 => {
                stays.push(1);
                direction.reader.encrypted = true;
            }
            21 if plain && length == 2 => stays.extend(content?),
            22 if plain => {
                let bytes = (start + 5..).zip(content.unwrap_or_default().iter().copied());
                direction.reader.handshake.extend(bytes);
            }
            _ => {}
        }
        self.edit(direction, start, stays);
        direction.reader.skip = start + 5 + length as u64;
        self.tls_handshake(direction, flow, version);
        Some(true)
    }

    /// Rewrites the handshake messages that are complete, wherever records divide them.
    fn tls_handshake(&mut self, direction: &mut Direction, flow: &Flow, version: u16) {
        let mut held = std::mem::take(&mut direction.reader.handshake);
        let mut read = 0;
        while let Some(rest) = held.get(read..) {
            let head: Vec<u8> = rest.iter().take(4).map(|&(_, byte)| byte).collect();
            let (Some(&kind), Some(length)) = (head.first(), three(&head, 1)) else { break };
            if length > HANDSHAKE {
                direction.reader.encrypted = true;
                return;
            }
            let Some(message) = rest.get(..4 + length) else { break };
            let (places, mut bytes): (Vec<u64>, Vec<u8>) = message.iter().copied().unzip();
            read += message.len();
            let body = bytes.get_mut(4..).unwrap_or_default();
            if matches!(kind, 1 | 2) {
                self.opened.hello(flow, kind, body, !direction.greeted);
                direction.greeted |= kind == 1;
            }
            let Redactor { rewriter, names, .. } = self;
            let found = rewriter.body(kind, body, version, false, names);
            self.streams.counts.certificates += found.len() as u64;
            if let Some(&last) = places.last() {
                self.say(direction, last, found.iter().map(|print| left_out(print)).collect());
            }
            // one edit for each run of bytes that follow each other
            let placed: Vec<(u64, u8)> = places.into_iter().zip(bytes).collect();
            for run in placed.chunk_by(|(place, _), (next, _)| place + 1 == *next) {
                let Some((start, _)) = run.first() else { continue };
                self.edit(direction, *start, run.iter().map(|(_, byte)| *byte).collect());
            }
        }
        held.drain(..read);
        if held.is_empty() {
            held = Vec::new();
        }
        direction.reader.handshake = held;
    }

    /// Takes what a record holds, which is rewritten as it would be in the clear and sealed when all of the stream is known.
    fn inside(&mut self, direction: &mut Direction, flow: &Flow, mut record: Opened, plain: &[u8]) {
        let mut inside = direction.inside.take().unwrap_or_default();
        record.content = match record.content_type {
            22 => {
                let place = inside.heard;
                inside.heard += plain.len() as u64;
                inside.handshake.reader.handshake.extend((place..).zip(plain.iter().copied()));
                inside.handshake.greeted = true; // another handshake of the same connection
                let version = if self.opened.is_1_3(flow) { 0x0304 } else { 0x0303 };
                self.tls_handshake(&mut inside.handshake, flow, version);
                Content::Handshake(place)
            }
            23 => {
                let place = inside.data.reader.end();
                inside.data.reader.add(place, plain);
                self.read(&mut inside.data, &flow.inside(None));
                Content::Data(place)
            }
            20 => Content::Bytes(plain.get(..1).unwrap_or_default().to_vec()),
            21 => Content::Bytes(plain.get(..2).unwrap_or_default().to_vec()),
            _ => Content::Bytes(Vec::new()),
        };
        if self.keeps(size_of::<Opened>()) {
            inside.records.push(record);
        }
        direction.inside = Some(inside);
    }

    /// Seals what keys opened of a direction, now that all of it is rewritten.
    pub(super) fn seal_inside(&mut self, direction: &mut Direction) {
        let Some(inside) = direction.inside.take() else { return };
        for record in inside.records {
            let mut plain = vec![0; record.size];
            let said = match &record.content {
                Content::Handshake(place) => inside.handshake.copy(*place, &mut plain),
                Content::Data(place) => inside.data.copy(*place, &mut plain),
                Content::Bytes(bytes) => {
                    put(&mut plain, 0, bytes);
                    Vec::new()
                }
            };
            let [kind, v0, v1, l0, l1] = record.head;
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            let head = (kind, u16::from_be_bytes([v0, v1]));
            let like = (record.payload.as_slice(), length);
            let payload =
                record.seal.and_then(|seal| self.opened.sealer.tls(&seal, head, like, (record.content_type, &plain)));
            let Some(payload) = payload else {
                self.streams.counts.unsealed += 1;
                continue;
            };
            self.streams.counts.resealed += 1;
            self.say(direction, record.start + 4 + length as u64, said);
            self.edit(direction, record.start, [record.head.as_slice(), &payload].concat());
        }
    }
}

impl Inside {
    /// What takes memory until more comes.
    pub(super) fn pending(&self) -> usize {
        self.handshake.pending() + self.data.pending()
    }
}

impl Direction {
    /// What stands from a place on, and what is said of it.
    fn copy(&self, place: u64, into: &mut [u8]) -> Vec<String> {
        self.overlay(place, into);
        let end = place + into.len() as u64;
        self.comments.range(place..end).flat_map(|(_, said)| said.clone()).collect()
    }

    /// Records are missing among those that keys open.
    pub(super) fn lose_inside(&mut self) {
        if let Some(inside) = &mut self.inside {
            inside.handshake.reader.handshake.clear();
            inside.data.reader.lose();
        }
    }
}
