//! What keys open: it is rewritten as though it had been in the clear, and sealed anew under other keys, which the capture then holds.
//!
//! So records stay where they are and as long as they were, and whoever reads the capture finds the same in them.

use super::bytes::put;
use super::payload::Room;
use super::prf::Key;
use super::{Flow, Redactor};
use crate::capture::{Record as CaptureRecord, Records as CaptureRecords};
use crate::keys::{Connection, KeyLog, Outcome, Seal, Sealer, Sender};
use crate::net::Endpoint;
use crate::secret::Secret;
use crate::stream::{Associations, agreed};
use crate::time::Timestamp;
use crate::wire::demux::{self, Kind};
use crate::wire::dtls::Records;
use crate::wire::handshake::{ClientHello, ContentType, ExtensionType, Protocol, ServerHello};
use std::collections::HashMap;
use std::io::Read;

/// TLS connections that are followed.
const CONNECTIONS: usize = 1 << 14;

/// What is learnt of a DTLS association: both ends in order, how deep it lies, and whom a relay carries it to.
type Way = (Endpoint, Endpoint, u8, Option<Endpoint>);

/// Keys, what they open, and those that stand in for them.
#[derive(Default)]
pub(super) struct Opener {
    log: KeyLog,
    pub(super) sealer: Sealer,
    tls: HashMap<(Endpoint, Endpoint), Tls>,
    dtls: Associations<Way>,
}

/// A TLS connection.
#[derive(Default)]
struct Tls {
    keys: Connection,
    client: Option<Endpoint>,
    /// Whether the last ClientHello offers encrypt_then_mac.
    then_mac: bool,
}

impl Opener {
    /// Takes the keys of a log, and no others. Those that stand in for them follow from `key`.
    pub(super) fn take(&mut self, log: KeyLog, key: &Key) {
        let by = |random: &[u8; 32], label: crate::keys::Label, length: usize| {
            key.bytes(&[b"stand-in secret", random, label.name().as_bytes()], length)
        };
        self.sealer = Sealer::new(log.with_secrets(by));
        self.log = log;
        self.forget();
    }

    /// Whether there are any keys.
    pub(super) fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// What was learnt of DTLS goes: the capture is read from its start.
    pub(super) fn forget(&mut self) {
        self.dtls = Associations::default();
        *self.dtls.keys() = self.log.clone();
    }

    /// The lines of the log that open what was sealed anew; none where nothing was.
    pub(super) fn stand_ins(&self) -> Option<Secret> {
        (self.sealer.connections() > 0).then(|| self.sealer.log())
    }

    /// A hello of a TLS connection; `first` says that the connection begins with it.
    pub(super) fn hello(&mut self, flow: &Flow, kind: u8, body: &[u8], first: bool) {
        let full = self.tls.len() >= CONNECTIONS && !self.tls.contains_key(&ends(flow));
        if self.is_empty() || flow.depth > 0 || full {
            return;
        }
        if kind == 1 {
            let Ok(hello) = ClientHello::parse(body, Protocol::Tls) else { return };
            let connection = self.tls.entry(ends(flow)).or_default();
            if first {
                *connection = Tls { client: Some(flow.src), ..Tls::default() };
            }
            connection.then_mac = hello.extensions.find(ExtensionType::ENCRYPT_THEN_MAC).is_some();
            connection.keys.client_hello(hello.random);
        } else if let Ok(hello) = ServerHello::parse(body, Protocol::Tls)
            && let Some(connection) = self.tls.get_mut(&ends(flow))
        {
            if hello.is_retry() {
                return connection.keys.hello_retry_request();
            }
            connection.keys.server_hello(agreed(&hello, connection.then_mac));
        }
    }

    /// Whether the records of a TLS connection are to be opened.
    pub(super) fn follows(&self, flow: &Flow) -> bool {
        flow.depth == 0 && self.tls.contains_key(&ends(flow))
    }

    /// Whether a TLS connection is of version 1.3.
    pub(super) fn is_1_3(&self, flow: &Flow) -> bool {
        self.tls.get(&ends(flow)).is_some_and(|connection| connection.keys.is_1_3())
    }

    /// Bytes of one direction are missing.
    pub(super) fn missing(&mut self, flow: &Flow, bytes: u64) {
        if let Some(connection) = self.tls.get_mut(&ends(flow)) {
            let from = connection.from(flow);
            connection.keys.missing(from, bytes);
        }
    }

    /// The next record of a TLS connection: what came of it, and what sealing another in its place takes.
    pub(super) fn tls(
        &mut self,
        flow: &Flow,
        head: (u8, u16),
        payload: &[u8],
        plain: &mut Vec<u8>,
    ) -> (Outcome, Option<Seal>) {
        let Some(connection) = self.tls.get_mut(&ends(flow)) else { return (Outcome::Clear, None) };
        let from = connection.from(flow);
        let outcome = connection.keys.open(&self.log, from, head, (payload, true), plain);
        (outcome, connection.keys.seal())
    }
}

impl Tls {
    fn from(&self, flow: &Flow) -> Sender {
        if self.client == Some(flow.src) { Sender::Client } else { Sender::Server }
    }
}

/// Both ends of a flow, in the same order whichever way it goes.
fn ends(flow: &Flow) -> (Endpoint, Endpoint) {
    if flow.src <= flow.dst { (flow.src, flow.dst) } else { (flow.dst, flow.src) }
}

impl Redactor {
    /// Takes the keys of a log: what they open is redacted and sealed anew with others, which the capture then holds.
    pub fn keys(&mut self, log: KeyLog) {
        let key = self.key.clone();
        self.opened.take(log, &key);
    }

    /// Takes the keys that a capture itself holds, too.
    pub fn gather<R: Read>(&mut self, records: &mut CaptureRecords<R>) {
        if records.implied().is_some() {
            return;
        }
        let mut log = self.opened.log.clone();
        while let Some(record) = records.next_record() {
            if let CaptureRecord::Other(block) = record
                && let Some(text) = block.key_log()
            {
                log.add(text);
            }
        }
        self.keys(log);
    }

    /// The records of a datagram that keys open, as they are to be: where each piece stands, and what it is.
    pub(super) fn reseal(&mut self, data: &[u8], cut: bool, flow: &Flow, depth: u32) -> Vec<(usize, Vec<u8>)> {
        let mut pieces = Vec::new();
        if self.opened.is_empty() {
            return pieces;
        }
        let Some(records) = Records::on_dtls_flow(data, cut, None) else { return pieces };
        let (one, other) = ends(flow);
        let (way, side) = ((one, other, flow.depth, flow.peer), usize::from(one != flow.src));
        for record in records {
            let mut plain = Vec::new();
            let at = (self.frame, Timestamp::default());
            let Outcome::Opened { content_type, epoch, sequence } =
                self.opened.dtls.take(way, side, (data, &record), at, &mut plain)
            else {
                continue;
            };
            match ContentType(content_type) {
                ContentType::HANDSHAKE => {
                    let version = if epoch > 0 && record.sequence.is_none() { 0xfefc } else { 0xfefd };
                    self.dtls_handshake(&mut plain, version, flow);
                }
                ContentType::ALERT => plain.iter_mut().skip(2).for_each(|byte| *byte = 0),
                ContentType::CHANGE_CIPHER_SPEC => plain.iter_mut().skip(1).for_each(|byte| *byte = 0),
                // DTLS to a TURN server; what peers say to each other under DTLS goes
                ContentType::APPLICATION_DATA
                    if flow.depth == 0 && matches!(demux::kind(&plain), Kind::Stun | Kind::Channel) =>
                {
                    self.payload(&mut plain, false, &flow.inside(None), Room::Inside, depth + 1);
                }
                _ => plain.fill(0),
            }
            let sealed = Associations::<Way>::sealed(data, &record);
            let seal = self.opened.dtls.seal(way, side, &sealed.header, (epoch, sequence));
            let made = seal.and_then(|seal| self.opened.sealer.dtls(&seal, &sealed, (content_type, &plain)));
            match made {
                Some((header, payload)) => {
                    self.counts.resealed += 1;
                    pieces.extend(header.map(|header| (record.offset, header)));
                    pieces.push((record.offset + record.header, payload));
                }
                None => self.counts.unsealed += 1,
            }
        }
        pieces
    }
}

/// Puts pieces where they stand.
pub(super) fn place(data: &mut [u8], pieces: &[(usize, Vec<u8>)]) {
    pieces.iter().for_each(|(at, piece)| put(data, *at, piece));
}
