//! The short way for what nearly all messages of a busy server are: a request like those before it on its flow, sent once, and the
//! success that answers it.
//!
//! It does what the long way does ([`Session::request`], [`Session::response`]) and gives the same, which is tested; it merely leaves out
//! what cannot be in such a message. Whatever is not plain goes the long way, with nothing changed.

use super::conversations::exchange::{Asked, Seen, Verdicts};
use super::conversations::remembered::Remembered;
use super::credentials::{Integrity, Status};
use super::flow::FlowId;
use super::observe::Known;
use super::tables::names::{Name, Names};
use super::transactions::requests::features;
use super::transactions::transaction::Sighting;
use super::{From, Session};
use crate::event::Event;
use crate::net::{Endpoint, PeerAddress, Transport};
use crate::wire::stun::integrity::Algorithm;
use crate::wire::stun::{AttributeCode as Code, Class, Fingerprint, Message, Method};

/// Where and when a message came by that is a datagram of its own: nothing carries it but the flow.
#[derive(Clone, Copy, Debug)]
pub struct Bare {
    /// The sender.
    pub src: Endpoint,
    /// The receiver.
    pub dst: Endpoint,
    /// What carried it.
    pub transport: Transport,
    /// Frame and time.
    pub seen: Seen,
    /// IPv4 identification.
    pub ip_id: u32,
    /// TTL or hop limit; 0 where it is not known.
    pub ttl: u8,
    /// Its flow, if that was [looked up](Session::expect) beforehand.
    pub flow: Option<FlowId>,
}

impl Bare {
    /// That of an event, unless a stream or a relay passage is around it.
    #[inline]
    pub(super) fn of(event: &Event<'_>) -> Option<Bare> {
        let &Event { src, dst, transport, ip_id, ttl, frame, time, .. } = event;
        let is_bare = event.hops.is_empty() && !transport.is_stream();
        is_bare.then_some(Bare { src, dst, transport, seen: Seen { frame, time }, ip_id, ttl, flow: None })
    }

    #[inline]
    fn sighting(&self, flow: FlowId, digest: u64) -> Sighting {
        let &Bare { src, dst, transport, seen, ip_id, ttl, .. } = self;
        Sighting { flow, depth: 0, src, dst, transport, seen, digest, ip_id, ttl }
    }
}

/// What a plain message holds.
#[derive(Default)]
struct Plain<'a> {
    /// Which attributes it holds, of those that are told apart here.
    held: u16,
    user: &'a [u8],
    realm: &'a [u8],
    nonce: &'a [u8],
    software: &'a [u8],
    mapped: Option<Endpoint>,
    peer: Option<Endpoint>,
    lifetime: u32,
    channel: u16,
    transport: u8,
}

impl<'a> Plain<'a> {
    const USER: u16 = 1;
    const REALM: u16 = 1 << 1;
    const NONCE: u16 = 1 << 2;
    const SOFTWARE: u16 = 1 << 3;
    const MAPPED: u16 = 1 << 4;
    const PEER: u16 = 1 << 5;
    const LIFETIME: u16 = 1 << 6;
    const CHANNEL: u16 = 1 << 7;
    const TRANSPORT: u16 = 1 << 8;
    const SIGNED: u16 = 1 << 9;
    const FINGERPRINT: u16 = 1 << 10;
    /// User, realm and nonce are those that are remembered, and were not read again.
    const REMEMBERED: u16 = 1 << 11;

    /// Reads a message in place; `None` where anything in it is improper, rare or there twice.
    fn read(&mut self, message: &Message<'a>, remembered: Option<&Remembered>, names: &Names) -> Option<()> {
        let declared = usize::from(message.declared_length());
        let mut rest = message.bytes().get(20..)?;
        if !message.is_plain() || declared % 4 != 0 || rest.len() != declared {
            return None;
        }
        while let Some((&[t0, t1, l0, l1], after)) = rest.split_first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            let (padded, next) = after.split_at_checked((length + 3) & !3)?;
            let value = padded.get(..length)?;
            let attributes = std::mem::replace(&mut rest, next);
            let code = Code(u16::from_be_bytes([t0, t1]));
            // which attribute it is, and which may not stand before it
            let (kind, barred) = match code {
                Code::USERNAME => match remembered.and_then(|known| known.passed(attributes, names)) {
                    Some(passed) => {
                        rest = passed;
                        (Plain::USER | Plain::REALM | Plain::NONCE | Plain::REMEMBERED, Plain::SIGNED)
                    }
                    None => {
                        self.user = short(value)?;
                        (Plain::USER, Plain::SIGNED)
                    }
                },
                Code::REALM => {
                    self.realm = short(value)?;
                    (Plain::REALM, Plain::SIGNED)
                }
                Code::NONCE => {
                    self.nonce = short(value)?;
                    (Plain::NONCE, Plain::SIGNED)
                }
                Code::SOFTWARE => {
                    self.software = short(value)?;
                    (Plain::SOFTWARE, Plain::SIGNED)
                }
                Code::MESSAGE_INTEGRITY if length == 20 => (Plain::SIGNED, 0),
                Code::FINGERPRINT if length == 4 => (Plain::FINGERPRINT, 0),
                Code::XOR_MAPPED_ADDRESS => {
                    self.mapped = Some(message.plain_address(value)?);
                    (Plain::MAPPED, Plain::SIGNED)
                }
                Code::XOR_PEER_ADDRESS => {
                    self.peer = Some(message.plain_address(value)?);
                    (Plain::PEER, Plain::SIGNED)
                }
                Code::LIFETIME => {
                    self.lifetime = u32::from_be_bytes(value.try_into().ok()?);
                    (Plain::LIFETIME, Plain::SIGNED)
                }
                Code::CHANNEL_NUMBER => {
                    let &[high, low, 0, 0] = value else { return None };
                    self.channel = u16::from_be_bytes([high, low]);
                    (Plain::CHANNEL, Plain::SIGNED)
                }
                Code::REQUESTED_TRANSPORT => {
                    let &[protocol, 0, 0, 0] = value else { return None };
                    self.transport = protocol;
                    (Plain::TRANSPORT, Plain::SIGNED)
                }
                _ => return None,
            };
            if self.held & (kind | barred | Plain::FINGERPRINT) != 0 {
                return None;
            }
            self.held |= kind;
        }
        rest.is_empty().then_some(())
    }

    /// Whether it holds any of these.
    #[inline(always)]
    fn holds(&self, kinds: u16) -> bool {
        self.held & kinds != 0
    }

    /// A value, if it is there.
    #[inline(always)]
    fn having<T>(&self, kind: u16, value: T) -> Option<T> {
        self.holds(kind).then_some(value)
    }

    /// Whether something is special about it as a request.
    #[inline]
    fn is_special_request(&self, method: Method) -> bool {
        let check = method == Method::BINDING && self.holds(Plain::USER) && !self.holds(Plain::REALM);
        check || self.holds(Plain::MAPPED) || (self.holds(Plain::NONCE) && features(self.nonce).is_some())
    }

    /// Whether it is a success to a request of this method that nothing is special about.
    #[inline]
    fn is_plain_success(&self, message: &Message<'_>, method: Method, client: Endpoint) -> bool {
        !self.holds(Plain::REALM | Plain::NONCE | Plain::USER)
            && message.method() == method
            && self.mapped.is_none_or(|mapped| mapped == client)
            && !self.has_bad_fingerprint(message)
    }

    #[inline]
    fn has_bad_fingerprint(&self, message: &Message<'_>) -> bool {
        self.holds(Plain::FINGERPRINT) && message.fingerprint() == Some(Fingerprint::Bad)
    }

    /// What the request says.
    #[inline]
    fn asked(&self, user: Option<Name>, realm: Option<Name>, nonce: Option<u64>) -> Asked {
        Asked {
            user,
            realm,
            nonce,
            integrity_sha1: self.holds(Plain::SIGNED),
            integrity: self.verdicts(),
            lifetime: self.having(Plain::LIFETIME, self.lifetime),
            transport: self.having(Plain::TRANSPORT, self.transport),
            channel: self.having(Plain::CHANNEL, self.channel),
            peer: self.peer.map(PeerAddress),
            peers: u16::from(self.holds(Plain::PEER)),
            ..Asked::default()
        }
    }

    fn verdicts(&self) -> Verdicts {
        let untested = Integrity { algorithm: Algorithm::Sha1, status: Status::Untested };
        [self.having(Plain::SIGNED, untested), None]
    }
}

/// A text that is not so long that its characters have to be counted.
#[inline]
fn short(value: &[u8]) -> Option<&[u8]> {
    (value.len() <= 127).then_some(value)
}

impl Session {
    /// Takes a message if it is a plain one; else nothing was done.
    #[inline]
    pub(super) fn express(&mut self, at: &Bare, message: &Message<'_>) -> Option<Known> {
        if !self.plain_is_enough || !self.early.is_empty() {
            return None;
        }
        // an answer tells of its way too, where there are sessions of ICE
        if message.method() == Method::BINDING && !self.ice.is_empty() {
            return None;
        }
        match message.class() {
            Class::Request => self.express_request(at, message),
            // a report still lists them
            Class::Success if self.ordinary < self.limits.ordinary_exchanges => None,
            Class::Success => self.express_success(at, message),
            Class::Error | Class::Indication => None,
        }
    }

    fn express_request(&mut self, at: &Bare, message: &Message<'_>) -> Option<Known> {
        let method = message.method();
        let starts = matches!(method, Method::BINDING | Method::ALLOCATE);
        if !starts && !matches!(method, Method::REFRESH | Method::CREATE_PERMISSION | Method::CHANNEL_BIND) {
            return None;
        }
        let known = match at.flow.or_else(|| self.flows.find(at.src, at.dst)) {
            // media on the same flow is told that its way is alive
            Some(id) => Some((id, self.flows.get(id).filter(|flow| flow.media.is_none())?)),
            None => None,
        };
        let conversation = known.and_then(|(_, flow)| flow.conversation.as_deref());
        if conversation.is_some_and(|known| known.client.0 != at.src) {
            return None;
        }
        let mut plain = Plain::default();
        plain.read(message, conversation.and_then(|known| known.remembered.as_ref()), &self.names)?;
        let id = message.transaction_id();
        if plain.is_special_request(method) || self.transactions.is_known(id) || plain.has_bad_fingerprint(message) {
            return None;
        }
        let likely = conversation.map_or([None; 2], |known| [known.user, known.realm]);
        let remembered = conversation.and_then(|known| known.remembered).filter(|_| plain.holds(Plain::REMEMBERED));
        // the first request of a conversation, and one that asks for an allocation, is told to others too
        let told = method == Method::ALLOCATE || conversation.is_none_or(|known| known.asked == 0);
        let known = known.map(|(flow, _)| flow);
        let flow = match known {
            Some(flow) => flow,
            None => self.flow_of(at)?,
        };
        let (user, realm, nonce) = match remembered {
            Some(Remembered { user, realm, nonce, .. }) => (Some(user), Some(realm), Some(nonce)),
            None => self.identity_of(&plain, likely),
        };
        let seen = at.seen;
        let mut asked = self.transactions.room();
        *asked = plain.asked(user, realm, nonce);
        let integrity = asked.integrity;
        let sighting = at.sighting(flow, self.names.digest(message.seal()));
        self.totals.stun(message.message_type());
        self.totals.transactions += 1;
        let is_own = remembered.is_some_and(|known| known.echoed.is_some());
        let given = nonce.filter(|_| !told && !is_own).and_then(|nonce| self.nonces.echo(nonce, seen.time));
        let flow = self.flows.get_mut(flow)?;
        // a new flow is counted as it is made
        if known.is_some() {
            flow.count(at.src, seen);
        }
        flow.stun = true;
        flow.asks(id);
        match flow.conversation.as_deref_mut() {
            Some(conversation) if !told && given.is_none_or(|(client, _)| client == conversation.client) => {
                conversation.message(From::Client, seen, &mut self.servers);
                let [of_client, _] = &mut conversation.ttl;
                *of_client = at.ttl;
                conversation.sent(method, &asked, seen);
                if is_own {
                    conversation.remembered = remembered.map(|known| known.again(seen.time));
                } else if let (None, Some(user), Some(realm), Some(nonce)) = (remembered, user, realm, nonce) {
                    let echoed = given.map(|_| seen.time);
                    let new = Remembered::of(message, &self.names, (user, realm), nonce, echoed);
                    if let Some(Remembered { nonce, echoed: Some(time), .. }) = conversation.remembered {
                        self.nonces.echo(nonce, time);
                    }
                    conversation.remembered = new;
                }
            }
            _ => self.converse(&sighting, id, method, &asked),
        }
        self.transactions.add(id, method, &sighting, asked, false);
        Some(Known { integrity, user, ..Known::default() })
    }

    /// User, realm and nonce of a request; `likely` are the user and the realm of the one before it.
    fn identity_of(
        &mut self,
        plain: &Plain<'_>,
        likely: [Option<Name>; 2],
    ) -> (Option<Name>, Option<Name>, Option<u64>) {
        let [user, realm] = likely;
        let user = if plain.holds(Plain::USER) { self.names.intern_like(plain.user, user) } else { None };
        let realm = if plain.holds(Plain::REALM) { self.names.intern_like(plain.realm, realm) } else { None };
        (user, realm, plain.holds(Plain::NONCE).then(|| self.names.digest(plain.nonce)))
    }

    fn express_success(&mut self, at: &Bare, message: &Message<'_>) -> Option<Known> {
        let id = message.transaction_id();
        let flow_id = at.flow.or_else(|| self.flows.find(at.src, at.dst))?;
        let leg = self.transactions.plain(id, flow_id)?;
        let flow = self.flows.get_mut(flow_id).filter(|flow| flow.media.is_none())?;
        let (client, server) = leg.roles(&flow.ends);
        let conversation = flow.conversation.as_deref_mut().filter(|known| known.client == client)?;
        if client.0 != at.dst || conversation.moved.is_some() || conversation.stale.is_some() {
            return None;
        }
        let mut plain = Plain::default();
        plain.read(message, None, &self.names)?;
        let method = leg.method;
        if !plain.is_plain_success(message, method, client.0) {
            return None;
        }
        let asked = leg.asked.as_deref()?;
        let (seen, first) = (at.seen, leg.first);
        match method {
            Method::BINDING => self.clients.answered(client.0.ip(), server.0, seen.time),
            Method::REFRESH => {
                if let Some(allocation) = &mut conversation.allocation {
                    let lifetime = plain.having(Plain::LIFETIME, plain.lifetime);
                    allocation.prolonged(lifetime.or(asked.lifetime), seen);
                }
            }
            Method::CREATE_PERMISSION => {
                if let (Some(allocation), Some(peer)) = (&mut conversation.allocation, asked.peer) {
                    allocation.permitted(peer, first, seen.time);
                }
            }
            Method::CHANNEL_BIND => {
                if let (Some(allocation), Some(number), Some(peer)) =
                    (&mut conversation.allocation, asked.channel, asked.peer)
                {
                    allocation.bound(number, peer, first, seen.time);
                }
            }
            _ => return None,
        }
        if plain.holds(Plain::SOFTWARE)
            && let Some(software) = self.names.intern_like(plain.software, conversation.software)
        {
            conversation.software = Some(software);
        }
        self.clients.coverage.sees_both_ways();
        let rtt = seen.time.passed_since(first.time);
        conversation.message(From::Server, seen, &mut self.servers);
        let [_, of_server] = &mut conversation.ttl;
        *of_server = at.ttl;
        conversation.granted_plainly(method, rtt, seen.time);
        flow.stun = true;
        flow.gets_answer(id);
        flow.count(at.src, seen);
        let digest = self.names.digest(message.seal());
        let user = leg.answer_first(seen, digest, at.ip_id);
        if let Some(asked) = leg.asked.take() {
            self.transactions.give_back(asked);
        }
        self.totals.stun(message.message_type());
        let request_frame = Some(first.frame);
        Some(Known { integrity: plain.verdicts(), request_frame, rtt, user, ..Known::default() })
    }
}
