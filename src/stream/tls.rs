//! One connection of TLS: records to handshake messages, and to the stream that they protect where there are keys.

use super::connection::{Connection, Moment};
use super::direction::Stamp;
use super::framing::{Frame, Framer};
use super::item::{Item, Payload};
use super::open::{Hellos, Keyring, Opened, Opener};
use crate::net::Endpoint;
use crate::wire::handshake::{
    Alert, CipherSuite, ClientHello, ContentType, ExtensionType, HandshakeType, Protocol, ServerHello, Version,
};
use crate::wire::tls::{Assembler, Record, is_hello};
use std::cell::Cell;

/// How many handshake messages of one record are named.
const MAX_NAMED: usize = 8;
/// Records under keys after which a connection in which nobody is interested is let go: the handshake is over long before.
const MAX_RECORDS: u32 = 64;
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
    pub at: Moment,
    /// The identification of that frame's IPv4 header; 0 for none.
    pub ip_id: u32,
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
    /// Why it was not opened, where there are keys for the connection.
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
    client_hello: Option<([u8; 32], bool)>,
    server_hello: Option<([u8; 32], Version, CipherSuite, bool)>,
    inside: Option<Box<Inside>>,
    asked: u8,
}

/// What comes out where there are keys.
#[derive(Debug)]
struct Inside {
    opener: Box<dyn Opener>,
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
    pub(super) fn missing(&mut self, side: usize) {
        if let Some(known) = self.sides.get_mut(side) {
            known.assembler.lose();
        }
        if let Some(inside) = &mut self.inside {
            inside.opener.missing(side == 0);
            if let Some(framer) = inside.framers.get_mut(side) {
                framer.lose();
            }
        }
    }

    /// Takes the next record of a direction. Gives how often ChannelData in it lacked padding.
    pub(super) fn take<F: FnMut(Item<'_>)>(
        &mut self,
        frame: Frame<'_>,
        connection: &Connection,
        side: usize,
        stamp: &Stamp,
        keys: Option<&dyn Keyring>,
        each: &mut F,
    ) -> u64 {
        let Some(record) = Record::parse(frame.bytes, frame.truncated) else { return 0 };
        let protected = self.is_protected(side, &record);
        let (src, dst) =
            if side == 0 { (connection.client, connection.server) } else { (connection.server, connection.client) };
        let &Stamp { at, ip_id, ttl } = stamp;
        let mut sealed = Sealed { record, protected, opened: None, shut: None, begun: [None; MAX_NAMED], alert: None };
        let mut unpadded = 0;
        // taken out while messages and payloads are given on
        let mut inside = self.inside.take();
        if protected {
            self.count(side, &record);
            if inside.is_none() {
                inside = self.ask(keys);
            }
        }
        let mut plain = inside.as_mut().map(|inside| std::mem::take(&mut inside.plain)).unwrap_or_default();
        plain.clear();
        let contents = match (&mut inside, protected) {
            (_, false) => Some((record.content_type, record.payload)),
            (Some(inside), true) => match inside.opener.open(side == 0, &record, &mut plain) {
                Opened::Plain(kind) => {
                    sealed.opened = Some(kind);
                    Some((kind, plain.as_slice()))
                }
                Opened::Shut(why) => {
                    sealed.shut = Some(why);
                    if let Some(framer) = inside.framers.get_mut(side) {
                        framer.lose();
                    }
                    None
                }
            },
            (None, true) => None,
        };
        let follow = Cell::new(self.follow.get());
        let what = What::Record(sealed);
        let base = Secured { connection, side, src, dst, at, ip_id, ttl, what, follow: &follow };
        match contents {
            Some((ContentType::HANDSHAKE, contents)) => {
                let mut heard = Vec::new();
                if let Some(known) = self.sides.get_mut(side) {
                    if !protected && is_hello(frame.bytes) && known.assembler.is_lost() {
                        known.assembler.restart();
                    }
                    begun(&known.assembler, contents, &mut sealed.begun);
                    known.assembler.push(contents, &mut |message| {
                        let (kind, body, records) = (message.kind, message.body, message.records);
                        let what = What::Message { kind, body, records, opened: protected };
                        each(Item::Secured(Secured { what, ..base }));
                        if !protected && matches!(kind, HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO) {
                            heard.push((kind, body.to_vec()));
                        }
                    });
                    if record.truncated {
                        known.assembler.lose();
                    }
                }
                for (kind, body) in heard {
                    self.hello(kind, &body);
                }
            }
            Some((ContentType::ALERT, contents)) => sealed.alert = Alert::parse(contents),
            Some((ContentType::CHANGE_CIPHER_SPEC, _)) if !protected => self.change_cipher(side),
            _ => {}
        }
        each(Item::Secured(Secured { what: What::Record(sealed), ..base }));
        if let (Some(ContentType::APPLICATION_DATA), Some(inside)) = (sealed.opened, &mut inside)
            && let Some(framer) = inside.framers.get_mut(side)
        {
            framer.take(&plain, &mut |message| {
                unpadded += u64::from(message.unpadded_before);
                each(Item::Payload(Payload { src, dst, message, secured: true, at, ip_id, ttl }));
            });
        }
        if let Some(inside) = &mut inside {
            inside.plain = plain;
        }
        self.inside = inside;
        self.follow.set(follow.get());
        unpadded
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
        self.server_hello.is_some_and(|(_, version, ..)| version == Version::TLS_1_3)
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
            let then_mac = hello.extensions.find(ExtensionType::ENCRYPT_THEN_MAC).is_some();
            self.client_hello = Some((*hello.random, then_mac));
        } else if let Ok(hello) = ServerHello::parse(body, Protocol::Tls)
            && !hello.is_retry()
        {
            let then_mac = hello.extensions.find(ExtensionType::ENCRYPT_THEN_MAC).is_some();
            self.server_hello = Some((*hello.random, hello.negotiated(), hello.cipher_suite, then_mac));
        }
    }

    /// Asks for keys, twice at most.
    fn ask(&mut self, keys: Option<&dyn Keyring>) -> Option<Box<Inside>> {
        let (Some((client_random, offers)), Some((server_random, version, suite, takes))) =
            (&self.client_hello, &self.server_hello)
        else {
            return None;
        };
        if self.asked >= 2 {
            return None;
        }
        self.asked += 1;
        let (version, suite, encrypt_then_mac) = (*version, *suite, *offers && *takes);
        let opener = keys?.connection(&Hellos { client_random, server_random, version, suite, encrypt_then_mac })?;
        Some(Box::new(Inside { opener, framers: [Framer::at_start(), Framer::at_start()], plain: Vec::new() }))
    }
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
