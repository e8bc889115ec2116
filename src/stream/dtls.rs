//! DTLS with keys: which associations there are, and what is in their protected records.

use super::agreed;
use crate::bounded::Generations;
use crate::keys::{self, KeyLog, Outcome, Seal, SealedRecord, Sender};
use crate::time::{Span, Timestamp};
use crate::wire::dtls::{Arrival, Form, Fragment, Limits, Pushed, Reassembler, Record};
use crate::wire::handshake::{ClientHello, ContentType, ExtensionType, HandshakeType, Protocol, ServerHello};
use std::hash::Hash;

/// How many associations are remembered, in each of two generations: as the younger one fills up, the older is forgotten.
const MAX_ASSOCIATIONS: usize = 1792;
/// What the fragments of one hello may hold until it is whole.
const REASSEMBLY: Limits =
    Limits { messages: 2, message_bytes: 16_384, bytes: 20_480, parts: 16, age: Span::from_secs(60) };

/// The DTLS associations of a capture by the way that their records take, and what opens them.
#[derive(Debug)]
pub struct Associations<K> {
    keys: KeyLog,
    known: Generations<K, Box<State>, MAX_ASSOCIATIONS>,
    /// Associations with protected records of which a ServerHello was seen, and those of them that were opened.
    seen: u64,
    opened: u64,
    records: keys::Counts,
}

#[derive(Debug, Default)]
struct State {
    keys: keys::Association,
    /// The random of the last ClientHello of either end, and whether it offers encrypt_then_mac.
    offered: [Option<([u8; 32], bool)>; 2],
    /// Which end is the client.
    client: usize,
    /// Hellos that came in several fragments, until they are whole.
    reassemblers: Option<Box<[Reassembler; 2]>>,
}

impl<K> Default for Associations<K> {
    fn default() -> Self {
        Associations {
            keys: KeyLog::new(),
            known: Generations::default(),
            seen: 0,
            opened: 0,
            records: keys::Counts::default(),
        }
    }
}

impl<K: Hash + Eq + Copy> Associations<K> {
    /// The keys: none, unless they are put here. They may come at any time, and open what comes after them.
    pub fn keys(&mut self) -> &mut KeyLog {
        &mut self.keys
    }

    /// How many associations were forgotten for want of room.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.known.forgotten()
    }

    /// How many associations have protected records that came when there were keys, and of which a ServerHello was seen; how many of them were
    /// opened; and what came of all such records.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, &keys::Counts) {
        (self.seen, self.opened, &self.records)
    }

    /// Takes a record of a datagram on this way, from one of its two ends (0 or 1). What was in it, where it is opened, is in `out`.
    pub fn take(
        &mut self,
        way: K,
        side: usize,
        (datagram, record): (&[u8], &Record<'_>),
        (frame, time): (u64, Timestamp),
        out: &mut Vec<u8>,
    ) -> Outcome {
        if record.is_plain() {
            if record.content_type == ContentType::HANDSHAKE {
                self.hear(way, side, record, (frame, time));
            }
            return Outcome::Clear;
        }
        if self.keys.is_empty() {
            return Outcome::Clear;
        }
        let Some(state) = self.known.get_mut(&way) else {
            let outcome = Outcome::Sealed(keys::Reason::NoHello);
            self.records.add(outcome);
            return outcome;
        };
        let sealed = Self::sealed(datagram, record);
        let from = if side == state.client { Sender::Client } else { Sender::Server };
        let before = state.keys.counts();
        let outcome = state.keys.open(&self.keys, from, &sealed, out);
        self.records.add(outcome);
        self.seen += u64::from(before == keys::Counts::default() && state.keys.is_agreed());
        self.opened += u64::from(before.opened == 0 && matches!(outcome, Outcome::Opened { .. }));
        if let Outcome::Opened { content_type, epoch, sequence } = outcome
            && content_type == ContentType::HANDSHAKE.0
        {
            // another handshake inside
            let inner = record.opened(ContentType(content_type), epoch, sequence, out);
            inner.fragments().for_each(|fragment| state.fragment(side, epoch, &fragment, (frame, time)));
        }
        outcome
    }

    /// A record as keys see it.
    #[must_use]
    pub fn sealed<'a>(datagram: &'a [u8], record: &Record<'a>) -> SealedRecord<'a> {
        let header = datagram.get(record.offset..).and_then(|rest| rest.get(..record.header)).unwrap_or_default();
        let header = match record.form {
            Form::Unified => keys::Header::Unified(header),
            Form::Plain | Form::ConnectionId => keys::Header::Numbered {
                content_type: record.content_type.0,
                version: record.version.0,
                epoch: record.epoch,
                sequence: record.sequence.unwrap_or_default(),
                connection_id: record.connection_id,
            },
        };
        SealedRecord { header, payload: record.payload, whole: record.payload.len() == record.length }
    }

    /// What sealing another record in place of one takes that was opened on this way, with this header, epoch and sequence number.
    #[must_use]
    pub fn seal(&self, way: K, side: usize, header: &keys::Header<'_>, (epoch, number): (u16, u64)) -> Option<Seal> {
        let state = self.known.get(&way)?;
        let from = if side == state.client { Sender::Client } else { Sender::Server };
        state.keys.seal(from, header, epoch, number)
    }

    /// A handshake record in the clear.
    fn hear(&mut self, way: K, side: usize, record: &Record<'_>, at: (u64, Timestamp)) {
        for fragment in record.fragments() {
            if self.known.get(&way).is_none() && fragment.kind != HandshakeType::CLIENT_HELLO {
                return; // nothing could be opened without it
            }
            self.known.renew(way).fragment(side, 0, &fragment, at);
        }
    }
}

impl State {
    fn fragment(&mut self, side: usize, epoch: u16, fragment: &Fragment<'_>, (frame, time): (u64, Timestamp)) {
        if !matches!(fragment.kind, HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO) {
            return;
        }
        if fragment.is_whole() {
            return self.hello(side, epoch, fragment.kind, fragment.data);
        }
        let fresh = || Box::new([Reassembler::new(REASSEMBLY), Reassembler::new(REASSEMBLY)]);
        let mut both = self.reassemblers.take().unwrap_or_else(fresh);
        let arrival = Arrival { frame, time, record: None, datagram: 0 };
        if let Some(reassembler) = both.get_mut(side)
            && let Pushed::Complete(message) = reassembler.push(fragment, arrival)
            && let Some(body) = message.body()
        {
            return self.hello(side, epoch, message.kind, body);
        }
        self.reassemblers = Some(both);
    }

    fn hello(&mut self, side: usize, epoch: u16, kind: HandshakeType, body: &[u8]) {
        if kind == HandshakeType::CLIENT_HELLO {
            let Ok(hello) = ClientHello::parse(body, Protocol::Dtls) else { return };
            let then_mac = hello.extensions.find(ExtensionType::ENCRYPT_THEN_MAC).is_some();
            if let Some(offered) = self.offered.get_mut(side) {
                *offered = Some((*hello.random, then_mac));
            }
            // that of an end that turned out to be the server changes nothing
            if !self.keys.is_agreed() || side == self.client {
                self.client = side;
                self.keys.client_hello(epoch, hello.random);
            }
        } else if let Ok(hello) = ServerHello::parse(body, Protocol::Dtls)
            && !hello.is_retry()
        {
            self.client = 1 - side.min(1);
            let Some(&Some((random, offers))) = self.offered.get(self.client) else { return };
            self.keys.client_hello(epoch, &random);
            self.keys.server_hello(epoch, agreed(&hello, offers));
        }
    }
}
