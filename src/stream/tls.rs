//! One connection of TLS: records to handshake messages, and to the stream that they protect where there are keys.

use super::agreed;
use super::connection::Connection;
use super::direction::Stamp;
use super::framing::{Frame, Framer};
use super::item::{Item, Payload};
use crate::frame::Seen;
use crate::keys::{self, KeyLog, Outcome, Reason, Sender};
use crate::net::Endpoint;
use crate::wire::handshake::{
    Alert, ClientHello, ContentType, ExtensionType, HandshakeType, Protocol, ServerHello, Version,
};
use crate::wire::tls::{Assembler, Record, is_hello};
use std::cell::Cell;

/// How many handshake messages of one record are named.
const MAX_NAMED: usize = 8;
/// Records under keys after which a connection in which nobody is interested is let go: the handshake is over long before.
const MAX_RECORDS: u32 = 64;
/// A longer buffer for what was opened is not kept until the next record.
const KEPT: usize = 4096;
/// Bytes that a TLS connection takes beside what waits in it.
pub(super) const OWN: usize = size_of::<Tls>();

/// What a record of TLS tells.
#[derive(Clone, Copy, Debug)]
pub struct Secured<'a> {
    /// The connection as it is known by now.
    pub connection: &'a Connection,
    /// Who sent it: 0 for the client, 1 for the server.
    pub side: usize,
    /// Who sent it.
    pub src: Endpoint,
    /// To whom.
    pub dst: Endpoint,
    /// The frame that completes it.
    pub at: Seen,
    /// Time to live (IPv4) or hop limit (IPv6) of that frame.
    pub ttl: u8,
    /// What it is.
    pub what: What<'a>,
    /// Set it to have the connection followed to its end. Else it is let go when its handshake is over.
    pub follow: &'a Cell<bool>,
}

/// A record, or a message that records completed.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// A whole handshake message, in the clear or opened. It comes before the record that completes it.
    Message {
        /// Its type.
        kind: HandshakeType,
        /// Its body.
        body: &'a [u8],
        /// In how many records it came.
        records: u32,
        /// Whether it was under keys, and opened.
        opened: bool,
    },
    /// A record.
    Record(Sealed<'a>),
}

/// A record with what is known of it from the connection.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    /// The record as it was on the wire.
    pub record: Record<'a>,
    /// Whether it is under keys, so that its contents as they are on the wire mean nothing.
    pub protected: bool,
    /// What it holds in truth, where it was under keys and was opened.
    pub opened: Option<ContentType>,
    /// Why it was not opened, where it was under keys and any were given.
    pub shut: Option<&'static str>,
    /// The handshake messages that begin in it, in the clear or opened; the first 8.
    pub begun: [Option<HandshakeType>; MAX_NAMED],
    /// The alert in it, in the clear or opened.
    pub alert: Option<Alert>,
}

/// A connection of TLS.
#[derive(Debug, Default)]
pub(super) struct Tls {
    follow: Cell<bool>,
    sides: [Side; 2],
    /// Whether the last ClientHello offers encrypt_then_mac.
    then_mac: bool,
    version: Option<Version>,
    keys: keys::Connection,
    /// What comes out where there are keys.
    inside: Option<Box<Inside>>,
}

/// What comes out where there are keys.
#[derive(Debug)]
struct Inside {
    framers: [Framer; 2],
    plain: Vec<u8>,
}

#[derive(Debug, Default)]
struct Side {
    assembler: Assembler,
    /// After ChangeCipherSpec, up to TLS 1.2.
    ciphered: bool,
    /// Records under keys.
    protected: u32,
    /// Of them those that say application data.
    data: u32,
    /// Application data of the server's that came after two records under keys of the client, which are its Finished and more.
    after: bool,
}

impl Tls {
    /// Whether it is followed to its end.
    pub(super) fn is_followed(&self) -> bool {
        self.follow.get()
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        let inside = self.inside.as_ref().map_or(0, |inside| {
            inside.framers.iter().map(Framer::held).sum::<usize>() + inside.plain.capacity() + size_of::<Inside>()
        });
        OWN + self.sides.iter().map(|side| side.assembler.held()).sum::<usize>() + inside
    }

    /// Whether STUN was recognised in what was opened.
    pub(super) fn is_stun(&self) -> bool {
        self.inside.as_ref().is_some_and(|inside| inside.framers.iter().any(Framer::is_framed))
    }

    /// Whether nobody is interested in what follows: the handshake is over, and nothing says that it is TURN.
    pub(super) fn is_done_with(&self) -> bool {
        let [client, server] = &self.sides;
        let of_other = self.inside.as_ref().is_some_and(|inside| inside.framers.iter().any(Framer::is_other));
        let waits = self.inside.is_some() && !of_other;
        let speaking = client.data > 0 && server.after;
        let long = client.protected.max(server.protected) > MAX_RECORDS;
        !self.follow.get() && !self.is_stun() && ((speaking && !waits) || long || of_other)
    }

    /// Bytes of a direction are missing.
    pub(super) fn missing(&mut self, side: usize, bytes: u64) {
        self.keys.missing(sender(side), bytes);
        if let Some(known) = self.sides.get_mut(side) {
            known.assembler.lose();
        }
        if let Some(framer) = self.inside.as_mut().and_then(|inside| inside.framers.get_mut(side)) {
            framer.lose();
        }
    }

    /// Takes the next record of a direction. Gives how often ChannelData in it lacked padding.
    pub(super) fn take<F: FnMut(Item<'_>)>(
        &mut self,
        frame: Frame<'_>,
        connection: &Connection,
        side: usize,
        stamp: &Stamp,
        keys: &KeyLog,
        each: &mut F,
    ) -> u64 {
        let Some(record) = Record::parse(frame.bytes, frame.truncated) else { return 0 };
        let protected = self.is_protected(side, &record);
        if protected {
            self.count(side, &record);
        }
        let known = self.keys.client_random().is_some_and(|random| keys.knows(random));
        if protected && known && self.inside.is_none() {
            self.inside = Some(Box::new(Inside::new(self.keys.counts().sealed() > 0)));
        }
        // taken out while messages and payloads are given on
        let mut inside = self.inside.take();
        let mut plain = inside.as_mut().map(|inside| std::mem::take(&mut inside.plain)).unwrap_or_default();
        let mut sealed = Sealed { record, protected, opened: None, shut: None, begun: [None; MAX_NAMED], alert: None };
        let contents = self.open(keys, side, &mut sealed, &mut plain);
        if contents.is_none()
            && let Some(framer) = inside.as_mut().and_then(|inside| inside.framers.get_mut(side))
        {
            framer.lose();
        }
        let (src, dst) =
            if side == 0 { (connection.client, connection.server) } else { (connection.server, connection.client) };
        let &Stamp { at, ttl } = stamp;
        let follow = Cell::new(self.follow.get());
        let what = What::Record(sealed);
        let base = Secured { connection, side, src, dst, at, ttl, what, follow: &follow };
        match contents {
            Some((ContentType::HANDSHAKE, contents)) => {
                let told = &mut |what: What<'_>| each(Item::Secured(Secured { what, ..base }));
                self.handshake(side, (frame.bytes, &mut sealed), contents, told);
            }
            Some((ContentType::ALERT, contents)) => sealed.alert = Alert::parse(contents),
            Some((ContentType::CHANGE_CIPHER_SPEC, _)) if !sealed.protected => self.change_cipher(side),
            _ => {}
        }
        each(Item::Secured(Secured { what: What::Record(sealed), ..base }));
        let mut unpadded = 0;
        if let (Some(ContentType::APPLICATION_DATA), Some(inside)) = (sealed.opened, &mut inside)
            && let Some(framer) = inside.framers.get_mut(side)
        {
            framer.take(&plain, &mut |message| {
                unpadded += u64::from(message.unpadded_before);
                each(Item::Payload(Payload { src, dst, message, secured: true, at, ttl }));
            });
        }
        if let Some(inside) = inside.as_mut().filter(|_| plain.capacity() <= KEPT) {
            inside.plain = plain;
        }
        self.inside = inside;
        self.follow.set(follow.get());
        unpadded
    }

    /// What a record holds, in the clear or opened; `None` where that cannot be read.
    fn open<'p, 'r: 'p>(
        &mut self,
        keys: &KeyLog,
        side: usize,
        sealed: &mut Sealed<'r>,
        plain: &'p mut Vec<u8>,
    ) -> Option<(ContentType, &'p [u8])> {
        let record = sealed.record;
        let head = (record.content_type.0, record.version.0);
        let whole = record.payload.len() == record.length;
        match self.keys.open(keys, sender(side), head, (record.payload, whole), plain) {
            Outcome::Opened { content_type, .. } => {
                sealed.protected = true;
                sealed.opened = Some(ContentType(content_type));
                Some((ContentType(content_type), plain.as_slice()))
            }
            Outcome::Clear if !sealed.protected => Some((record.content_type, record.payload)),
            shut => {
                sealed.protected = true;
                let reason = if let Outcome::Sealed(reason) = shut { reason } else { Reason::NoHello };
                sealed.shut = (!keys.is_empty()).then(|| reason.words());
                None
            }
        }
    }

    /// Handshake messages, put together and given on; hellos are learned from.
    fn handshake(
        &mut self,
        side: usize,
        (bytes, sealed): (&[u8], &mut Sealed<'_>),
        contents: &[u8],
        each: &mut impl FnMut(What<'_>),
    ) {
        // taken out while what it puts together is given on
        let mut assembler =
            self.sides.get_mut(side).map(|known| std::mem::take(&mut known.assembler)).unwrap_or_default();
        let record = sealed.record;
        if !sealed.protected && is_hello(bytes) && assembler.is_lost() {
            assembler.restart();
        }
        begun(&assembler, contents, &mut sealed.begun);
        assembler.push(contents, &mut |message| {
            let (kind, body, records) = (message.kind, message.body, message.records);
            each(What::Message { kind, body, records, opened: sealed.protected });
            if matches!(kind, HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO) {
                self.hello(kind, body);
            }
        });
        if record.truncated {
            assembler.lose();
        }
        if let Some(known) = self.sides.get_mut(side) {
            known.assembler = assembler;
        }
    }

    /// Whether a record is under keys.
    fn is_protected(&self, side: usize, record: &Record<'_>) -> bool {
        let ciphered = self.sides.get(side).is_some_and(|known| known.ciphered);
        match record.content_type {
            // in TLS 1.3 there is nothing in it, and it is in the clear
            ContentType::CHANGE_CIPHER_SPEC => ciphered && !self.is_1_3() && record.length != 1,
            ContentType::APPLICATION_DATA => true,
            ContentType::ALERT => ciphered && !self.is_1_3() || record.length != 2,
            _ => ciphered && !self.is_1_3(),
        }
    }

    fn is_1_3(&self) -> bool {
        self.version == Some(Version::TLS_1_3)
    }

    fn change_cipher(&mut self, side: usize) {
        if let Some(known) = self.sides.get_mut(side) {
            known.ciphered = true;
        }
    }

    fn count(&mut self, side: usize, record: &Record<'_>) {
        let of_client = self.sides.first().map_or(0, |client| client.protected);
        let Some(known) = self.sides.get_mut(side) else { return };
        known.protected = known.protected.saturating_add(1);
        if record.content_type == ContentType::APPLICATION_DATA {
            known.data = known.data.saturating_add(1);
            known.after |= side == 1 && of_client >= 2;
        }
    }

    fn hello(&mut self, kind: HandshakeType, body: &[u8]) {
        if kind == HandshakeType::CLIENT_HELLO {
            let Ok(hello) = ClientHello::parse(body, Protocol::Tls) else { return };
            self.then_mac = hello.extensions.find(ExtensionType::ENCRYPT_THEN_MAC).is_some();
            self.keys.client_hello(hello.random);
        } else if let Ok(hello) = ServerHello::parse(body, Protocol::Tls) {
            if hello.is_retry() {
                self.version = Some(Version::TLS_1_3);
                return self.keys.hello_retry_request();
            }
            self.version = Some(hello.negotiated());
            self.keys.server_hello(agreed(&hello, self.then_mac));
        }
    }
}

impl Inside {
    /// What was in the stream before it may be unknown.
    fn new(midway: bool) -> Inside {
        let framer = if midway { Framer::midway() } else { Framer::at_start() };
        Inside { framers: [framer.clone(), framer], plain: Vec::new() }
    }
}

fn sender(side: usize) -> Sender {
    if side == 0 { Sender::Client } else { Sender::Server }
}

/// The types of the messages that begin in the contents of a record.
fn begun(before: &Assembler, contents: &[u8], named: &mut [Option<HandshakeType>]) {
    let mut rest = match before.incomplete() {
        Some((_, length, there)) => contents.get(length.saturating_sub(there)..).unwrap_or_default(),
        None if before.held() > 0 || before.is_lost() => return, // not even its header is whole
        None => contents,
    };
    for slot in named {
        let &[kind, ref after @ ..] = rest else { return };
        *slot = Some(HandshakeType(kind));
        let Some((&[l0, l1, l2], body)) = after.split_first_chunk::<3>() else { return };
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        rest = body.get(length as usize..).unwrap_or_default();
    }
}
