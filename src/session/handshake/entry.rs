//! One association while records still come: what each of them adds.

use super::association::{Both, Handshake, Missing, Protected, Role, Side, Way};
use super::flight::{Flight, What};
use super::learn::{ALERT_1_3, Heard, learn};
use super::offer::Offer;
use super::window::Window;
use crate::bounded::BoundedList;
use crate::event::IcmpAnswer;
use crate::session::conversations::exchange::Seen;
use crate::session::icmp::IcmpErrors;
use crate::time::{Span, Timestamp};
use crate::wire::dtls::{Arrival, Form, Fragment, Limits, Pushed, Reassembled, Reassembler, Record};
use crate::wire::handshake::certificate::HashFunction;
use crate::wire::handshake::{ContentType, HandshakeType, Message, Protocol};

/// What one direction may hold; see [`MAX_BYTES`](super::table::MAX_BYTES) for all together.
const REASSEMBLY: Limits =
    Limits { messages: 24, message_bytes: 32_768, bytes: 49_152, parts: 64, age: Span::from_secs(600) };
/// Entries of the lists of an association.
const MAX_WAYS: usize = 8;
const MAX_COUNTER_HELLOS: usize = 8;
const MAX_PARTS: usize = 8;
const MAX_ICMP_FRAMES: usize = 8;
/// Fragments of one transmission come closer together than this; a sender waits longer before it sends a flight again.
const ONE_TRANSMISSION: Span = Span::from_millis(20);

/// An association under way.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) handshake: Handshake,
    tracks: Both<Track>,
    /// The client's random as soon as the first fragment of its hello told it.
    pub(super) client_random: Option<[u8; 32]>,
    /// The server's.
    pub(super) server_random: Option<[u8; 32]>,
}

/// What tells new records of one end from those known.
#[derive(Debug)]
struct Track {
    reassembler: Reassembler,
    /// Records of epoch 0, and those of later epochs.
    windows: [Window; 2],
    /// Those that keys opened.
    opened: Window,
}

/// A record on its way in.
#[derive(Clone, Copy)]
pub(super) struct Arriving<'r, 'a> {
    pub(super) record: &'r Record<'a>,
    pub(super) role: Role,
    /// The index of its way.
    pub(super) way: usize,
    pub(super) seen: Seen,
    /// Bytes of the datagram.
    pub(super) datagram: u32,
}

impl Default for Track {
    fn default() -> Self {
        Track { reassembler: Reassembler::new(REASSEMBLY), windows: [Window::default(); 2], opened: Window::default() }
    }
}

impl Entry {
    pub(super) fn new(number: u32, seen: Seen, from_start: bool) -> Entry {
        let handshake = Handshake { number, first: seen, last: seen, from_start, ..Handshake::default() };
        Entry { handshake, tracks: Both::default(), client_random: None, server_random: None }
    }

    /// The index of a way, or of a new one made for it; `None` where there is no room.
    pub(super) fn way(&mut self, new: Way) -> Option<usize> {
        let ways = &mut self.handshake.ways;
        if let Some(index) = ways.iter().position(|way| way.path == new.path) {
            return Some(index);
        }
        if ways.len() >= MAX_WAYS {
            return None;
        }
        ways.push(new);
        Some(ways.len() - 1)
    }

    /// Bytes that wait to be put together or were.
    pub(super) fn bytes(&self) -> usize {
        self.tracks.client.reassembler.bytes() + self.tracks.server.reassembler.bytes()
    }

    /// Who is client turns out to be the other end.
    pub(super) fn swap_roles(&mut self) {
        std::mem::swap(&mut self.tracks.client, &mut self.tracks.server);
        let handshake = &mut self.handshake;
        std::mem::swap(&mut handshake.sides.client, &mut handshake.sides.server);
        for way in &mut handshake.ways {
            std::mem::swap(&mut way.client, &mut way.server);
            std::mem::swap(&mut way.records.client, &mut way.records.server);
            way.low = way.low.other();
        }
        for flight in &mut handshake.flights {
            flight.from = flight.from.other();
        }
        for alert in &mut handshake.alerts {
            alert.from = alert.from.other();
        }
        std::mem::swap(&mut self.client_random, &mut self.server_random);
    }

    /// Takes a record.
    #[inline]
    pub(super) fn take(&mut self, at: Arriving<'_, '_>, functions: &[HashFunction]) {
        let Arriving { record, role, seen, .. } = at;
        if let Some(way) = self.handshake.ways.get_mut(at.way) {
            way.last = seen;
            way.records[role] += 1;
        }
        let side = &mut self.handshake.sides[role];
        side.last = Some(seen);
        if record.form == Form::Plain && record.content_type == ContentType::APPLICATION_DATA && record.epoch > 0 {
            if self.is_new(&at) {
                self.handshake.sides[role].data.add(record.length, seen);
            }
            return;
        }
        self.other(at, functions);
    }

    fn other(&mut self, at: Arriving<'_, '_>, functions: &[HashFunction]) {
        let Arriving { record, role, seen, .. } = at;
        if record.form == Form::Unified {
            self.unified(at);
            return;
        }
        if record.is_plain() && record.content_type == ContentType::HANDSHAKE {
            self.handshake.truncated |= record.truncated;
            self.handshake.last = seen;
            for fragment in record.fragments() {
                self.fragment(at, &fragment, functions);
            }
            return;
        }
        let new = self.is_new(&at);
        let hidden = record.content_type == ContentType::TLS12_CID;
        match record.content_type {
            ContentType::CHANGE_CIPHER_SPEC if record.epoch == 0 => self.change_cipher(at, new),
            ContentType::CHANGE_CIPHER_SPEC => {}
            ContentType::ALERT if record.is_plain() => {
                self.handshake.last = seen;
                self.handshake.alert(role, record.alert().filter(|_| new), seen);
            }
            ContentType::ALERT if new => {
                self.handshake.last = seen;
                self.handshake.sealed_alert(role, seen);
            }
            ContentType::HANDSHAKE => self.finished(at, new),
            // the type is encrypted: what comes first is Finished
            _ if hidden && self.handshake.sides[role].protected.is_none() => self.finished(at, new),
            _ if hidden && new => self.handshake.sides[role].data.add(record.length, seen),
            _ => {}
        }
        self.handshake.renegotiations = self.handshake.renegotiations.max(record.epoch.saturating_sub(1));
    }

    /// Takes what keys showed to be in a record that was taken before: it is put together and read, but flights are told by what is on the wire.
    pub(super) fn opened(&mut self, at: Arriving<'_, '_>, functions: &[HashFunction]) {
        let Arriving { record, role, seen, datagram, .. } = at;
        let track = &mut self.tracks[role];
        if !record.number().is_some_and(|number| track.opened.take(number)) {
            return; // the same record on another way
        }
        match record.content_type {
            // those of the first handshake; later ones begin to count anew
            ContentType::HANDSHAKE if record.epoch <= if self.handshake.is_1_3() { 2 } else { 1 } => {
                for fragment in record.fragments() {
                    let arrival = Arrival { frame: seen.frame, time: seen.time, record: record.number(), datagram };
                    if let Pushed::Complete(message) = self.tracks[role].reassembler.push(&fragment, arrival) {
                        learn_from(&mut self.handshake, role, message, seen, functions);
                    }
                }
            }
            ContentType::ALERT => self.handshake.alert(role, record.alert(), seen),
            _ => {}
        }
    }

    /// Whether a record with its number in the clear was not seen before.
    fn is_new(&mut self, at: &Arriving<'_, '_>) -> bool {
        let [plain, protected] = &mut self.tracks[at.role].windows;
        let window = if at.record.epoch == 0 { plain } else { protected };
        at.record.number().is_none_or(|number| window.take(number))
    }

    /// ChangeCipherSpec.
    fn change_cipher(&mut self, at: Arriving<'_, '_>, new: bool) {
        let Arriving { role, seen, datagram, .. } = at;
        self.handshake.last = seen;
        let side = &mut self.handshake.sides[role];
        if side.change_cipher.is_none() {
            side.change_cipher = Some(seen);
            self.flight(role, What::ChangeCipherSpec, seen, datagram);
        } else if new && let Some(flight) = self.flight_with(role, What::ChangeCipherSpec) {
            flight.touch(seen, datagram);
            if flight.numbers.is_none() {
                flight.again(seen);
            }
        }
    }

    /// A protected handshake record up to DTLS 1.2.
    fn finished(&mut self, at: Arriving<'_, '_>, new: bool) {
        let Arriving { role, seen, datagram, .. } = at;
        self.handshake.last = seen;
        let side = &mut self.handshake.sides[role];
        if side.protected.is_none() {
            side.protected = Some(seen);
            self.flight(role, What::Protected, seen, datagram);
        } else if new
            && self.handshake.completed.is_none()
            && let Some(flight) = self.flight_with(role, What::Protected)
        {
            flight.touch(seen, datagram);
        }
        self.handshake.finished(true);
    }

    /// A record of DTLS 1.3, of which two bits of the epoch and the length are all that is readable.
    fn unified(&mut self, at: Arriving<'_, '_>) {
        const HANDSHAKE_KEYS: u16 = 2;
        const FIRST_APPLICATION_KEYS: u16 = 3;
        let Arriving { record, role, way, seen, datagram } = at;
        if way > 0 {
            return; // numbers are encrypted: copies on another way cannot be told apart
        }
        let alert = record.length == ALERT_1_3 && !record.truncated;
        if alert {
            self.handshake.sealed_alert(role, seen);
        }
        let side = &mut self.handshake.sides[role];
        if record.epoch == HANDSHAKE_KEYS && side.application_keys.is_none() {
            self.handshake.last = seen;
            if alert {
                return;
            }
            let first = side.protected.is_none();
            side.protected.get_or_insert(seen);
            side.largest_datagram = side.largest_datagram.max(datagram);
            if first || self.handshake.flights.last().is_some_and(|flight| flight.from == role) {
                self.flight(role, What::Protected, seen, datagram);
                if let Some(flight) = self.handshake.flights.last_mut() {
                    let known = *flight.sealed.get_or_insert(record.length) == record.length;
                    let began = flight.times.last().map_or(flight.first, |&began| began);
                    if known && flight.numbers.is_none() && seen.time.since(began.time) > ONE_TRANSMISSION {
                        flight.again(seen);
                    }
                }
            }
        } else if !alert {
            // epoch 0 is epoch 4 here: nothing in the clear has this form
            if record.epoch == FIRST_APPLICATION_KEYS {
                side.application_keys.get_or_insert(seen);
            }
            side.data.add(record.length, seen);
        }
        // The server acknowledges the client's last flight under these keys. It may have used them before it knew that the client is content,
        // and an alert in the place of the acknowledgement says that it is not content with the client.
        let Both { client, server } = &self.handshake.sides;
        let finished = client.protected.is_some() && server.protected.is_some();
        let acknowledged = role == Role::Server || server.application_keys.is_some();
        let speaks = record.epoch == FIRST_APPLICATION_KEYS && !alert;
        if finished && acknowledged && speaks && self.handshake.completed.is_none() {
            self.handshake.completed = Some(seen);
            self.handshake.last = seen;
        }
    }

    /// The latest flight of an end with such a thing in it.
    fn flight_with(&mut self, role: Role, what: What) -> Option<&mut Flight> {
        self.handshake.flights.iter_mut().rev().find(|flight| flight.from == role && flight.messages.contains(&what))
    }

    /// Puts something new into the flight that it belongs to.
    fn flight(&mut self, role: Role, what: What, seen: Seen, datagram: u32) {
        let goes_on = |last: &Flight| last.from == role && !last.is_over_before(what);
        self.handshake.add_to_flight(role, what, seen, datagram, goes_on);
    }

    fn fragment(&mut self, at: Arriving<'_, '_>, fragment: &Fragment<'_>, functions: &[HashFunction]) {
        let Arriving { record, role, seen, datagram, .. } = at;
        let arrival = Arrival { frame: seen.frame, time: seen.time, record: record.number(), datagram };
        let handshake = &mut self.handshake;
        let pushed = self.tracks[role].reassembler.push(fragment, arrival);
        let (repeated, complete) = match pushed {
            Pushed::Dropped(_) | Pushed::Copied(_) => return,
            Pushed::Repeated(_) => (true, false),
            Pushed::Progress(_) => (false, false),
            Pushed::Complete(message) => {
                learn_from(handshake, role, message, seen, functions);
                (false, true)
            }
        };
        let side = &mut handshake.sides[role];
        side.largest_datagram = side.largest_datagram.max(datagram);
        let place = (fragment.sequence, fragment.offset);
        if let Some(flight) = handshake.flights.iter_mut().rev().find(|flight| flight.holds(role, fragment.sequence)) {
            let apart = seen.time.since(flight.last.time) > ONE_TRANSMISSION;
            if place <= flight.cursor && (repeated || apart) {
                flight.again(seen);
            }
            flight.cursor = place;
            flight.touch(seen, datagram);
            if complete {
                flight.name(what(fragment));
            }
            return;
        }
        if repeated {
            return; // of a flight that found no room
        }
        let what = what(fragment);
        let flights = &mut self.handshake.flights;
        if let Some(flight) =
            flights.iter_mut().rev().find_map(|flight| flight.precede(role, what, fragment.sequence).then_some(flight))
        {
            flight.again(seen);
            flight.cursor = place;
            flight.touch(seen, datagram);
            return;
        }
        self.flight(role, what, seen, datagram);
        if let Some(flight) = self.handshake.flights.last_mut().filter(|flight| flight.from == role) {
            let number = fragment.sequence;
            let (first, last) = flight.numbers.unwrap_or((number, number));
            flight.numbers = Some((first.min(number), last.max(number)));
            flight.cursor = place;
        }
    }

    /// A ClientHello of the end that is the server so far.
    pub(super) fn counter_hello(&mut self, record: &Record<'_>, seen: Seen) {
        self.handshake.last = seen;
        self.handshake.counter_hellos.push_up_to(MAX_COUNTER_HELLOS, seen);
        for fragment in record.fragments().filter(Fragment::is_whole) {
            if let Ok(Message::ClientHello(hello)) = Message::parse(fragment.kind, fragment.data, Protocol::Dtls, None)
                && self.handshake.counter_offer.is_none()
            {
                self.handshake.counter_offer = Some(Box::new(Offer::of_client(&hello, seen, fragment.length, 1)));
            }
        }
    }

    /// An ICMP error quotes one of its datagrams.
    pub(super) fn unreachable(&mut self, from: Role, answer: IcmpAnswer, time: Timestamp) {
        add_error(&mut self.handshake.unreachable, from, (answer, None), time);
    }

    /// A router says that one of its datagrams was too large for it.
    pub(super) fn too_big(&mut self, from: Role, answer: IcmpAnswer, mtu: Option<u32>, time: Timestamp) {
        add_error(&mut self.handshake.too_big, from, (answer, mtu), time);
    }

    /// How many fragments of its messages were not kept.
    pub(super) fn unkept(&self) -> u64 {
        self.tracks.client.reassembler.unkept() + self.tracks.server.reassembler.unkept()
    }

    /// Nothing more comes: what is missing is written down.
    pub(super) fn close(mut self) -> Handshake {
        for role in [Role::Client, Role::Server] {
            let incomplete = self.tracks[role].reassembler.messages().filter(|message| !message.is_complete());
            let missing = incomplete.map(missing).collect();
            self.handshake.sides[role].missing = missing;
        }
        self.complete_by_data();
        self.handshake
    }

    /// Up to DTLS 1.2 a client sends data once it has the server's Finished, which comes last: then the capture lacks what completed the handshake.
    fn complete_by_data(&mut self) {
        let handshake = &mut self.handshake;
        let Both { client, server } = &handshake.sides;
        let newer = [client, server].iter().any(|side| side.application_keys.is_some());
        let shaken = handshake.last_flight();
        let went_on = client.data.last.is_some_and(|last| last > shaken);
        if handshake.completed.is_none() && handshake.from_start && !newer && went_on {
            handshake.completed = Some(shaken);
        }
    }
}

/// What a fragment is part of.
fn what(fragment: &Fragment<'_>) -> What {
    match fragment.name() {
        Some("HelloRetryRequest") => What::HelloRetryRequest,
        _ => What::Message(fragment.kind),
    }
}

fn missing(message: &Reassembled) -> Missing {
    let at = |arrival: Arrival| Seen { frame: arrival.frame, time: arrival.time };
    Missing {
        kind: message.kind,
        sequence: message.sequence,
        length: message.length,
        parts: message.missing().take(MAX_PARTS).collect(),
        repeated: message.repeated,
        truncated: message.truncated,
        seen: (at(message.first), at(message.last)),
    }
}

/// An ICMP error came back for what an end sends: those of the end that met the first are added up.
fn add_error(
    errors: &mut Option<(Role, IcmpErrors)>,
    from: Role,
    (answer, mtu): (IcmpAnswer, Option<u32>),
    time: Timestamp,
) {
    let (whose, known) = errors.get_or_insert_with(|| (from, IcmpErrors::begun(answer, time)));
    if *whose == from {
        known.add(MAX_ICMP_FRAMES, answer.frame, time, mtu);
    }
}

impl Protected {
    pub(in crate::session) fn add(&mut self, bytes: usize, seen: Seen) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.first.get_or_insert(seen);
        self.last = Some(seen);
    }
}

impl Side {
    /// Whether a message of a type came whole.
    #[must_use]
    pub fn sent(&self, kind: HandshakeType) -> bool {
        self.messages.iter().any(|message| message.kind == kind)
    }
}

/// What a message that came whole tells.
fn learn_from(handshake: &mut Handshake, role: Role, message: &Reassembled, seen: Seen, functions: &[HashFunction]) {
    let Some(body) = message.body() else { return };
    let heard = Heard { kind: message.kind, sequence: message.sequence, body, pieces: message.fragments, seen };
    learn(handshake, role, Protocol::Dtls, &heard, functions);
}
