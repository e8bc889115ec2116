//! All associations: which one a record belongs to.

use super::association::{Handshake, Role, Surroundings, Way};
use super::entry::{Arriving, Entry};
use crate::event::{Event, IcmpAnswer};
use crate::frame::OUT_OF_ORDER;
use crate::net::{Endpoint, Transport};
use crate::packet::Quoted;
use crate::session::Clients;
use crate::session::conversations::exchange::Seen;
use crate::session::flow::Flows;
use crate::session::path::{Inside, Path};
use crate::session::tls::dtls_of_turn;
use crate::slots::Slots;
use crate::time::{Span, Timestamp};
use crate::wire::dtls::{Fragment, Record};
use crate::wire::handshake::certificate::HashFunction;
use crate::wire::handshake::{ContentType, HELLO_RETRY_RANDOM, HandshakeType};
use hashbrown::HashMap;
use std::net::IpAddr;

/// Associations at one time; those to which nothing came for longest are judged as far as they went.
const MAX_ASSOCIATIONS: usize = 2048;
/// Bytes of handshake messages that all of them keep.
pub(super) const MAX_BYTES: usize = 8 << 20;
/// How long after a ClientHello an answer to another port may be one to it.
const NEAR: Span = Span::from_secs(2);

/// The associations that are not over.
#[derive(Debug, Default)]
pub(in crate::session) struct Handshakes {
    entries: Slots<Entry>,
    /// The current association of each way.
    by_path: HashMap<Path, u32>,
    /// By the random of a hello: the same handshake seen at another point of the network, or on another pair.
    by_random: HashMap<[u8; 32], u32>,
    ripe: Vec<Handshake>,
    /// The hash functions that session descriptions use besides SHA-256.
    functions: Vec<HashFunction>,
    begun: u32,
    bytes: usize,
    /// Fragments of messages of those that are over, which were not kept.
    unkept: u64,
    /// Whether IP packets stayed incomplete of which nothing more is known.
    pub(super) forgot_packets: bool,
}

/// What the beginning of a handshake record tells of whose it is.
struct Clue {
    kind: HandshakeType,
    /// Of a hello whose first bytes are there; not that of a HelloRetryRequest, which is always the same.
    random: Option<[u8; 32]>,
}

impl Handshakes {
    /// The hash functions by which certificates are to be compared besides SHA-256.
    pub(in crate::session) fn with_functions(functions: Vec<HashFunction>) -> Handshakes {
        Handshakes { functions, ..Handshakes::default() }
    }

    /// Takes a record of a datagram with so many bytes; `carrier` names a layer around it that is no relay passage.
    #[inline]
    pub(in crate::session) fn take(
        &mut self,
        event: &Event<'_>,
        record: &Record<'_>,
        datagram: usize,
        carrier: Option<&'static str>,
        room: impl FnOnce(&mut Handshakes),
    ) {
        let path = Path::of_event(event);
        let known = self.find(&path, event);
        let clue = if record.is_plain() && record.content_type == ContentType::HANDSHAKE { clue(record) } else { None };
        let begins = clue.is_some()
            || record.is_plain() && matches!(record.content_type, ContentType::ALERT | ContentType::CHANGE_CIPHER_SPEC);
        if known.is_none() && !begins {
            return; // nothing could be said of it
        }
        let seen = event.seen();
        let Some(slot) = self.association(known, path, event, clue.as_ref(), room) else { return };
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let before = entry.bytes();
        if let Some(way) = entry.way(new_way(path, event, Role::Client))
            && let Some(known) = entry.handshake.ways.get_mut(way)
        {
            let sender = known.sender(event.src);
            if clue.is_some() || begins {
                carried(known, event, carrier);
            }
            let at =
                Arriving { record, role: sender, way, seen, datagram: u32::try_from(datagram).unwrap_or(u32::MAX) };
            let reflected = sender == Role::Server
                && clue.as_ref().is_some_and(|clue| clue.random.is_some() && clue.random == entry.client_random);
            let is_hello = clue.as_ref().is_some_and(|clue| clue.kind == HandshakeType::CLIENT_HELLO);
            if is_hello && sender == Role::Server && way == 0 && !reflected {
                entry.counter_hello(record, seen);
            } else if !is_hello || sender == Role::Client {
                entry.take(at, &self.functions);
            }
        }
        self.bytes = (self.bytes + entry.bytes()).saturating_sub(before);
    }

    /// Takes what was in a protected record that was taken before.
    pub(in crate::session) fn opened(&mut self, event: &Event<'_>, record: &Record<'_>, datagram: usize) {
        let path = Path::of_event(event);
        let Some(slot) = self.by_path.get(&path).copied() else { return };
        let seen = event.seen();
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let before = entry.bytes();
        if let Some(way) = entry.handshake.ways.iter().position(|way| way.path == path)
            && let Some(role) = entry.handshake.ways.get(way).map(|way| way.sender(event.src))
        {
            let datagram = u32::try_from(datagram).unwrap_or(u32::MAX);
            entry.opened(Arriving { record, role, way, seen, datagram }, &self.functions);
        }
        self.bytes = (self.bytes + entry.bytes()).saturating_sub(before);
    }

    /// The association of a way, by number; where the peer of a channel became known meanwhile, the one of the channel.
    fn find(&mut self, path: &Path, event: &Event<'_>) -> Option<u32> {
        if let Some(&slot) = self.by_path.get(path) {
            return Some(slot);
        }
        let Some(crate::event::Via::Channel(number)) = event.hops.last().map(|hop| hop.via) else { return None };
        if !matches!(path.inside, Some(Inside::Peer(_))) {
            return None;
        }
        let before = Path { inside: Some(Inside::Channel(number)), ..*path };
        let slot = self.by_path.remove(&before)?;
        self.by_path.insert(*path, slot);
        let (client_end, server_end) = event.pair();
        if let Some(way) = self.entries.get_mut(slot)?.handshake.ways.iter_mut().find(|way| way.path == before) {
            let sender = way.sender(event.src);
            way.path = *path;
            (way.client, way.server) =
                if sender == Role::Client { (client_end, server_end) } else { (server_end, client_end) };
        }
        Some(slot)
    }

    /// The association that a record belongs to: the one of its way, one that was seen elsewhere, or a new one.
    fn association(
        &mut self,
        known: Option<u32>,
        path: Path,
        event: &Event<'_>,
        clue: Option<&Clue>,
        room: impl FnOnce(&mut Handshakes),
    ) -> Option<u32> {
        let Some(clue) = clue else {
            return known.or_else(|| self.begin(path, event, None, room));
        };
        let random = clue.random;
        let by_random = random.and_then(|random| self.by_random.get(&random).copied());
        if let Some(slot) = known
            && self.belongs(slot, &path, event, clue)
        {
            if let (Some(random), None) = (random, by_random) {
                self.remember(slot, clue.kind, random);
            }
            self.settle_roles(slot, &path, event, clue);
            return Some(slot);
        }
        if let Some(slot) = by_random {
            // the same handshake elsewhere: who is client there follows from the hello
            let low = low_role(&path, event, sender_of(clue.kind)?);
            let way = new_way(path, event, low);
            self.entries.get_mut(slot)?.way(way)?;
            self.by_path.insert(path, slot);
            return Some(slot);
        }
        if let Some(slot) = known
            && let Some(entry) = self.entries.get_mut(slot)
        {
            entry.handshake.superseded.get_or_insert(event.seen());
        }
        let slot = self.begin(path, event, Some(clue.kind), room)?;
        if let Some(random) = random {
            self.remember(slot, clue.kind, random);
        }
        Some(slot)
    }

    /// Whether a handshake record belongs to the association of its way, and does not begin another.
    fn belongs(&self, slot: u32, path: &Path, event: &Event<'_>, clue: &Clue) -> bool {
        let Some(entry) = self.entries.get(slot) else { return false };
        let Some(random) = clue.random else { return true };
        let Some(way) = entry.handshake.way_on(path) else { return true };
        let sender = way.sender(event.src);
        let handshake = &entry.handshake;
        let over = handshake.completed.is_some() || handshake.fatal().is_some();
        if clue.kind == HandshakeType::CLIENT_HELLO {
            // what a client says of another one's hello may stand before its own
            let overtaken = handshake.completed.is_none()
                && handshake.fatal().is_some_and(|alert| {
                    alert.from == Role::Server
                        && alert.alert.description.0 == 10
                        && event.time.since(alert.seen.time) < OUT_OF_ORDER
                });
            // the answer to a cookie has the same random in all stacks but careless ones
            let asked_again = handshake.verify_request.is_some() && handshake.chosen.is_none();
            match (sender, entry.client_random) {
                (_, Some(known)) if known == random => true,
                // both want to be client: one of them may give in, so that the two are one story
                (Role::Server, Some(_)) => entry.server_random.is_none() && (!over || overtaken),
                (Role::Client, Some(_)) => asked_again,
                // of a hello in several fragments another one may come first
                (_, None) => !over && handshake.chosen.is_none() && sender == Role::Client,
            }
        } else {
            let gives_in = sender == Role::Client && !handshake.counter_hellos.is_empty();
            match entry.server_random {
                Some(known) => known == random,
                None => !over && (sender == Role::Server || gives_in || !handshake.roles_known),
            }
        }
    }

    /// A message that only one of the two ends sends tells who is who.
    fn settle_roles(&mut self, slot: u32, path: &Path, event: &Event<'_>, clue: &Clue) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let Some(told) = sender_of(clue.kind) else { return };
        let Some(way) = entry.handshake.way_on(path) else { return };
        let sender = way.sender(event.src);
        let gave_in = clue.kind == HandshakeType::SERVER_HELLO && !entry.handshake.counter_hellos.is_empty();
        if sender != told && (!entry.handshake.roles_known || gave_in) {
            entry.swap_roles();
        }
        entry.handshake.roles_known = true;
    }

    fn remember(&mut self, slot: u32, kind: HandshakeType, random: [u8; 32]) {
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let known =
            if kind == HandshakeType::CLIENT_HELLO { &mut entry.client_random } else { &mut entry.server_random };
        // the ClientHello of the end that turned out to be the server is known by its own number only
        if known.is_none() || kind == HandshakeType::SERVER_HELLO {
            *known = Some(random);
            self.by_random.insert(random, slot);
        }
    }

    fn begin(
        &mut self,
        path: Path,
        event: &Event<'_>,
        kind: Option<HandshakeType>,
        room: impl FnOnce(&mut Handshakes),
    ) -> Option<u32> {
        if self.entries.len() >= MAX_ASSOCIATIONS || self.bytes > MAX_BYTES {
            room(self);
        }
        let told = kind.and_then(sender_of);
        let mut entry = Entry::new(self.begun, event.seen(), kind == Some(HandshakeType::CLIENT_HELLO));
        entry.handshake.roles_known = told.is_some();
        entry.way(new_way(path, event, low_role(&path, event, told.unwrap_or(Role::Client))));
        self.begun = self.begun.wrapping_add(1);
        let slot = self.entries.add(entry)?;
        self.by_path.insert(path, slot);
        Some(slot)
    }

    /// An ICMP error that quotes a datagram; whether it is one of an association.
    pub(in crate::session) fn icmp(
        &mut self,
        quoted: &Quoted<'_>,
        answer: IcmpAnswer,
        mtu: Option<u32>,
        at: Timestamp,
    ) -> bool {
        // many routers quote no more than the ports (RFC 792); what is too large for a path is none of the checks on it
        let of_dtls = quoted.payload.first().map(|first| (20..=63).contains(first));
        if !of_dtls.unwrap_or(answer.kind.is_too_big()) {
            return false;
        }
        let path = Path::of(Transport::Udp, quoted.src, quoted.dst, &crate::event::Hops::default());
        let Some(entry) = self.by_path.get(&path).copied().and_then(|slot| self.entries.get_mut(slot)) else {
            return false;
        };
        let Some(way) = entry.handshake.way_on(&path) else { return false };
        let from = way.sender(quoted.src);
        if answer.kind.is_too_big() {
            entry.too_big(from, answer, mtu, at);
        } else if answer.kind.is_unreachable() {
            entry.unreachable(from, answer, at);
        }
        true
    }

    /// Whether an association on this way is not complete yet.
    pub(in crate::session) fn is_under_way(&self, path: &Path) -> bool {
        let entry = self.by_path.get(path).and_then(|slot| self.entries.get(*slot));
        entry.is_some_and(|entry| entry.handshake.completed.is_none())
    }

    /// Those that are not over.
    pub(super) fn going_on(&mut self) -> impl Iterator<Item = &mut Handshake> {
        self.entries.values_mut().map(|entry| &mut entry.handshake)
    }

    /// Makes room: the quarter to which nothing came for longest goes, to be judged as far as it went.
    pub(in crate::session) fn make_room(&mut self, flows: &Flows, clients: &mut Clients, now: Timestamp) {
        let last = |entry: &Entry| entry.handshake.ways.iter().map(|way| way.last).max().unwrap_or_default();
        let mut by_age: Vec<(Seen, u32)> = self.entries.iter().map(|(slot, entry)| (last(entry), slot)).collect();
        by_age.sort_unstable();
        let going = by_age.len().div_ceil(4);
        for (_, slot) in by_age.into_iter().take(going) {
            self.end(slot, flows, clients, now);
        }
    }

    /// How many fragments of messages were not kept, for want of room or after a long time.
    pub(in crate::session) fn unkept(&self) -> u64 {
        self.unkept
    }

    /// The capture is over: all are.
    pub(in crate::session) fn finish(&mut self, flows: &Flows, clients: &mut Clients, now: Timestamp) {
        for slot in self.entries.iter().map(|(slot, _)| slot).collect::<Vec<_>>() {
            self.end(slot, flows, clients, now);
        }
        self.ripe.sort_by_key(|handshake| handshake.number);
        astray(&mut self.ripe);
    }

    fn end(&mut self, slot: u32, flows: &Flows, clients: &mut Clients, now: Timestamp) {
        let Some(entry) = self.entries.remove(slot) else { return };
        self.bytes = self.bytes.saturating_sub(entry.bytes());
        for way in &entry.handshake.ways {
            if self.by_path.get(&way.path) == Some(&slot) {
                self.by_path.remove(&way.path);
            }
        }
        for random in [entry.client_random, entry.server_random].into_iter().flatten() {
            if self.by_random.get(&random) == Some(&slot) {
                self.by_random.remove(&random);
            }
        }
        self.unkept += entry.unkept();
        let mut handshake = entry.close();
        handshake.surroundings = surroundings(&handshake, flows, now);
        handshake.of_turn = dtls_of_turn(&handshake, flows);
        if let (Some(_), Some(completed), Some(way)) = (handshake.of_turn, handshake.completed, handshake.way()) {
            let (client, server) = (&handshake.sides.client.data, &handshake.sides.server.data);
            let answered = server.last.filter(|last| client.first.is_some_and(|first| *last > first));
            clients.encrypted.secured(way.client.ip(), way.server.ip(), completed.time, answered.map(|seen| seen.time));
        } else if let Some(completed) = handshake.completed {
            for way in &handshake.ways {
                clients.encrypted.keyed(way.client.ip(), way.server.ip(), handshake.first.time, completed.time);
                let ends = way.path.ends;
                clients.encrypted.keyed(ends.low.ip(), ends.high.ip(), handshake.first.time, completed.time);
            }
        }
        self.ripe.push(handshake);
    }

    /// Those that are over, to be judged and forgotten.
    pub(in crate::session) fn ripe(&mut self) -> Vec<Handshake> {
        std::mem::take(&mut self.ripe)
    }

    /// Whether there are any.
    pub(in crate::session) fn has_ripe(&self) -> bool {
        !self.ripe.is_empty()
    }
}

/// What the first fragment in a record says.
fn clue(record: &Record<'_>) -> Option<Clue> {
    let fragment = record.fragments().next()?;
    Some(Clue { kind: fragment.kind, random: random(&fragment) })
}

fn random(fragment: &Fragment<'_>) -> Option<[u8; 32]> {
    let is_hello = matches!(fragment.kind, HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO);
    let (_, after) = fragment.data.split_first_chunk::<2>().filter(|_| is_hello && fragment.offset == 0)?;
    after.first_chunk::<32>().copied().filter(|random| *random != HELLO_RETRY_RANDOM)
}

/// Who sends a message of this type, where only one of the two ends does.
fn sender_of(kind: HandshakeType) -> Option<Role> {
    use HandshakeType as H;
    match kind {
        H::CLIENT_HELLO | H::CLIENT_KEY_EXCHANGE => Some(Role::Client),
        H::SERVER_HELLO
        | H::HELLO_VERIFY_REQUEST
        | H::SERVER_KEY_EXCHANGE
        | H::SERVER_HELLO_DONE
        | H::CERTIFICATE_REQUEST
        | H::CERTIFICATE_STATUS
        | H::NEW_SESSION_TICKET => Some(Role::Server),
        _ => None,
    }
}

/// The role of the lower end of a way, where the sender of an event has this one.
fn low_role(path: &Path, event: &Event<'_>, sender: Role) -> Role {
    if path.direction(event.src) == 0 { sender } else { sender.other() }
}

fn new_way(path: Path, event: &Event<'_>, low: Role) -> Way {
    let (seen, (src, dst)) = (event.seen(), event.pair());
    let sender = if path.direction(event.src) == 0 { low } else { low.other() };
    let (client, server) = if sender == Role::Client { (src, dst) } else { (dst, src) };
    Way { path, client, server, low, first: seen, last: seen, records: Default::default(), via: [None; 4] }
}

/// Takes note of the layers that carry a record.
fn carried(way: &mut Way, event: &Event<'_>, carrier: Option<&'static str>) {
    for layer in event.hops.iter().map(|hop| hop.via.layer()).chain(carrier) {
        if !way.via.contains(&Some(layer))
            && let Some(free) = way.via.iter_mut().find(|slot| slot.is_none())
        {
            *free = Some(layer);
        }
    }
}

/// What the flows of an association show besides it.
fn surroundings(handshake: &Handshake, flows: &Flows, now: Timestamp) -> Surroundings {
    let mut around = Surroundings { judged: now, ..Surroundings::default() };
    for way in handshake.ways.iter().filter(|way| way.path.inside.is_none()) {
        let ends = way.path.ends;
        let Some(flow) = flows.with(&ends).and_then(|id| flows.get(id)) else { continue };
        let counted = flow.packets.into_iter().zip(flow.heard);
        for ((direction, (packets, heard)), role) in flow.directions.iter().zip(counted).zip([way.low, way.low.other()])
        {
            around.packets[role] += u64::from(packets);
            let last = (packets > 0).then_some(heard);
            around.last[role] = around.last[role].max(last);
            let data = (direction.data.packets > 0).then_some(direction.data.last);
            around.data_last[role] = around.data_last[role].max(data);
            around.checks_answered[role] = around.checks_answered[role].saturating_add(direction.checks.answered);
        }
    }
    around
}

/// Finds for hellos that nothing answers the answers that went to another port.
fn astray(ripe: &mut [Handshake]) {
    let mut answers: HashMap<(IpAddr, Endpoint), Vec<(Endpoint, Seen)>> = HashMap::new();
    let direct = |known: &Handshake| known.way().filter(|way| way.path.inside.is_none()).copied();
    for known in ripe.iter().filter(|known| known.sides.client.last.is_none() && known.sides.server.hello.is_some()) {
        let Some(way) = direct(known).filter(|_| known.roles_known) else { continue };
        answers.entry((way.client.ip(), way.server)).or_default().push((way.client, known.first));
    }
    if answers.is_empty() {
        return;
    }
    for known in ripe.iter_mut().filter(|known| known.from_start && known.sides.server.last.is_none()) {
        let Some(way) = direct(known) else { continue };
        let of_these = answers.get(&(way.client.ip(), way.server)).map_or(&[][..], Vec::as_slice);
        let until = known.last.time.after(NEAR);
        let found = of_these.iter().find(|(_, first)| *first >= known.first && first.time <= until);
        known.surroundings.answered_at = found.copied();
    }
}
