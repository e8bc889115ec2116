//! What a client and its STUN or TURN server said to each other on one 5-tuple: the exchanges of the authentication, and the
//! allocations that came of it.

/// Which end of a conversation a message came from.
pub use crate::session::credentials::Side as From;

use super::exchange::{Answer, Asked, Exchange, Seen, Settled};
use super::nonce::StaleRow;
use super::remembered::Remembered;
use crate::bounded::BoundedList;
use crate::event::{Connection, IcmpAnswer};
use crate::net::{ClientAddress, Endpoint, PeerAddress, ServerAddress, Transport};
use crate::session::allocations::allocation::{Allocation, End};
use crate::session::allocations::earlier::EarlierChannels;
use crate::session::allocations::stray::To;
use crate::session::flow::{Checks, Traffic};
use crate::session::icmp::IcmpErrors;
use crate::session::parties::server::Servers;
use crate::session::tables::names::Name;
use crate::time::{Span, Timestamp};
use crate::wire::stun::{Class, Method};

/// How many exchanges are kept from the start of a conversation, and as many from its end.
const KEPT_EACH_END: usize = 24;
/// How many ended allocations are kept.
const MAX_ENDED: usize = 4;
/// Of how many methods it is kept when they were last granted: all that TURN has, and Binding.
const MAX_GRANTED: usize = 6;

/// One client and one server on one 5-tuple.
///
/// What every message touches comes first and fills four cache lines: with tens of thousands of conversations, reading them is most of
/// what a message costs.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Conversation {
    /// Who asks.
    pub client: ClientAddress,
    /// Its last message.
    pub last: Seen,
    /// When the client was heard last.
    pub heard: Seen,
    /// Messages from the client, and from the server.
    pub messages: [u64; 2],
    /// When the server was heard last.
    pub server_heard: Option<Seen>,
    /// How many requests there were, without copies.
    pub asked: u64,
    /// How many of them were answered, by whatever.
    pub answered: u64,
    /// How many exchanges of the middle are not kept.
    pub exchanges_omitted: u64,
    /// The user that signed last.
    pub user: Option<Name>,
    /// The realm of the last challenge or request.
    pub realm: Option<Name>,
    /// SOFTWARE of the server.
    pub software: Option<Name>,
    /// TTL or hop limit of the last packet from the client, and from the server; 0 where it is not known.
    pub ttl: [u8; 2],
    /// What carries it.
    pub transport: Transport,
    /// Whether the first message seen belongs to something that began before the capture.
    pub began_before: bool,
    /// Channels of an allocation that the capture does not hold.
    pub(in crate::session) earlier: EarlierChannels,
    /// Whether what is taken for the server asks the client, too: so do peers that try each other.
    pub(in crate::session) asks_back: bool,
    /// The number of the move from this 5-tuple or to it.
    pub(in crate::session) moved: Option<u32>,
    /// The nonces that were refused one after the other up to now, if nothing was granted since.
    pub stale: Option<Box<StaleRow>>,
    /// What the client said of itself last, to be known again by its bytes.
    pub(in crate::session) remembered: Option<Remembered>,
    /// The least round trip time.
    pub rtt: Option<Span>,
    /// When each method was last granted.
    pub granted: Granted,
    /// The allocation that is alive, or ended last.
    pub allocation: Option<Allocation>,
    /// Who answers.
    pub server: ServerAddress,
    /// Its first message.
    pub first: Seen,
    /// The exchanges that are kept: every failed or odd one, every Allocate, and of the rest some.
    pub exchanges: Vec<Exchange>,
    /// How many Allocate requests were granted, for longer than no time at all.
    pub allocated: u64,
    /// How many of them bore no signature: the server asks nobody for credentials.
    pub allocated_unsigned: u64,
    /// Responses whose request is not in the capture.
    pub orphans: u64,
    /// Allocations that ended before it.
    pub ended: Vec<Allocation>,
    /// What the client sent through the relay outside any allocation that is known, and what it got.
    pub relayed: [Traffic; 2],
    /// How many of these were STUN, as connectivity checks and their answers are.
    pub relayed_stun: [u64; 2],
    /// Connectivity checks that the client sent through the relay.
    pub relayed_checks: Checks,
    /// The 5-tuple's client end to which the nonce that it uses was given, if another.
    pub nonce_of: Option<ClientAddress>,
    /// Another conversation of the same client, user and nonce that this one goes on from.
    pub moved_from: Option<Box<(ClientAddress, Seen)>>,
    /// ICMP errors that the client's messages met, requests or not.
    pub turned_away: Option<Box<IcmpErrors>>,
    /// The TCP connection that carries it: how it was opened and how it ended.
    pub connection: Option<Box<Connection>>,
}

/// When each method was last granted. It is kept in place, since every answer writes it.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Granted {
    times: [Timestamp; MAX_GRANTED],
    methods: [Method; MAX_GRANTED],
    len: u8,
}

impl Default for Granted {
    fn default() -> Self {
        Granted { times: [Timestamp(0); MAX_GRANTED], methods: [Method(0); MAX_GRANTED], len: 0 }
    }
}

impl Granted {
    /// Each method with the time when it was last granted.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (Method, Timestamp)> + '_ {
        self.methods.iter().copied().zip(self.times).take(usize::from(self.len))
    }

    /// A request of this method was granted. In want of room, the method that was granted the longest ago is forgotten.
    #[inline]
    fn add(&mut self, method: Method, time: Timestamp) {
        let len = usize::from(self.len);
        let found = self.methods.iter().take(len).position(|&known| known == method);
        let at = match found {
            Some(at) => at,
            None if len < MAX_GRANTED => {
                self.len += 1;
                len
            }
            None => self.times.iter().enumerate().min_by_key(|(_, time)| **time).map_or(0, |(at, _)| at),
        };
        if let (Some(slot), Some(when)) = (self.methods.get_mut(at), self.times.get_mut(at)) {
            (*slot, *when) = (method, time);
        }
    }
}

impl Conversation {
    /// An empty conversation.
    #[must_use]
    pub fn new(client: ClientAddress, server: ServerAddress, transport: Transport, first: Seen) -> Self {
        Conversation { client, server, transport, first, last: first, heard: first, ..Conversation::default() }
    }

    /// Counts a message, and tells of the first that the server sends in a second.
    pub(in crate::session) fn message(&mut self, from: From, seen: Seen, servers: &mut Servers) {
        self.last = seen;
        match from {
            From::Client => {
                self.messages[0] += 1;
                self.heard = seen;
            }
            From::Server => {
                self.messages[1] += 1;
                let before = self.server_heard.replace(seen);
                if before.is_none_or(|before| before.time.seconds() != seen.time.seconds()) {
                    servers.answers(self.server, self.transport, seen.time);
                }
            }
        }
    }

    /// A message of the client met an ICMP error.
    pub fn met(&mut self, icmp: IcmpAnswer, time: Timestamp) {
        const FRAMES: usize = 4;
        let away = self.turned_away.get_or_insert_with(|| Box::new(IcmpErrors::begun(icmp, time)));
        away.add(FRAMES, icmp.frame, time, None);
    }

    /// Whom the client stands for, as the PROXY header of its connection tells.
    #[must_use]
    pub fn proxied_for(&self) -> Option<Endpoint> {
        self.connection.as_deref()?.proxied?.client
    }

    /// Whether both ends were heard.
    #[must_use]
    pub fn both_heard(&self) -> bool {
        self.messages.iter().all(|&count| count > 0)
    }

    /// The allocation that can be in use at `time`.
    #[must_use]
    pub(in crate::session) fn live_allocation(&self, time: Timestamp) -> Option<&Allocation> {
        self.allocation.as_ref().filter(|allocation| allocation.is_alive(time))
    }

    /// Whether the client gave up what it had, and asked for nothing since.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let released = |allocation: &Allocation| matches!(allocation.ended, Some((End::Released, _)));
        self.allocation.as_ref().is_some_and(released) && self.asked == self.answered
    }

    /// All allocations, in order.
    pub fn allocations(&self) -> impl Iterator<Item = &Allocation> {
        self.ended.iter().chain(self.allocation.as_ref())
    }

    /// The peer of a channel, where its binding is in the capture.
    #[inline]
    #[must_use]
    pub fn peer_of(&self, channel: u16) -> Option<PeerAddress> {
        self.allocation.as_ref().map_or_else(|| self.earlier.peer_of(channel), |known| known.peer_of(channel))
    }

    /// Counts what went through the relay.
    pub fn relayed(&mut self, from: From, bytes: usize, time: Timestamp) {
        let [out, back] = &mut self.relayed;
        match from {
            From::Client => out.add(bytes, time),
            From::Server => back.add(bytes, time),
        }
        if let Some(allocation) = &mut self.allocation {
            match from {
                From::Client => allocation.sent.add(bytes, time),
                From::Server => allocation.received.add(bytes, time),
            }
        }
    }

    /// The client sends data through the relay.
    #[inline]
    pub fn sends(&mut self, to: To, seen: Seen) {
        if let Some(allocation) = &mut self.allocation {
            allocation.sends(to, seen);
        }
    }

    /// Until when data went through the relay both ways, if it did.
    #[must_use]
    pub fn relayed_both_ways(&self) -> Option<Timestamp> {
        let [out, back] = &self.relayed;
        (out.packets > 0 && back.packets > 0).then(|| out.last.min(back.last))
    }

    /// Whether more than STUN did.
    #[must_use]
    pub fn relayed_data_both_ways(&self) -> bool {
        self.relayed.iter().zip(self.relayed_stun).all(|(traffic, stun)| traffic.packets > stun)
    }

    /// A request was sent: what it claims holds from here on, provisionally.
    pub fn sent(&mut self, method: Method, asked: &Asked, seen: Seen) {
        self.asked += 1;
        self.user = asked.user.or(self.user);
        self.realm = asked.realm.or(self.realm);
        if let (Method::CHANNEL_BIND, Some(number), Some(peer)) = (method, asked.channel, asked.peer) {
            match &mut self.allocation {
                Some(allocation) => allocation.binding(number, peer, seen),
                None => self.earlier.bind(number, peer),
            }
        }
    }

    /// Whether the client did what it can only do after an answer, though none may have been captured: it echoed a nonce, or
    /// used an allocation.
    #[must_use]
    pub fn went_on(&self) -> bool {
        let used = |exchange: &Exchange| {
            match exchange.method {
                // signed with the nonce of another connection (RFC 6062 §4.3)
                Method::CONNECTION_BIND => false,
                Method::ALLOCATE | Method::BINDING => exchange.asked.nonce.is_some(),
                _ => true,
            }
        };
        self.exchanges.iter().any(used) || self.relayed.iter().any(|traffic| traffic.packets > 0)
    }

    /// Whether the client knows what only an answer can have told it, and the capture holds none: after an unanswered request without nonce, it
    /// sends one with. What else looks unanswered may then be answered as well.
    #[must_use]
    pub fn acts_on_unseen(&self) -> bool {
        if self.answered > 0 || self.orphans > 0 {
            return false;
        }
        let Some(bare) = self.of(Method::ALLOCATE).find(|exchange| exchange.asked.nonce.is_none()) else {
            return false;
        };
        self.of(Method::ALLOCATE)
            .any(|exchange| exchange.asked.nonce.is_some() && exchange.first.time > bare.first.time)
    }

    /// A request was answered: writes the ledger.
    pub fn settled(&mut self, exchange: &Settled<'_>) {
        let answer = exchange.answer;
        self.answered += 1;
        if answer.software.is_some() {
            self.software = answer.software;
        }
        if answer.realm.is_some() && self.realm.is_none() {
            self.realm = answer.realm;
        }
        self.took(exchange.rtt());
        let granted = answer.class == Class::Success;
        if granted {
            self.granted.add(exchange.method, answer.seen.time);
        }
        match exchange.method {
            Method::ALLOCATE if granted && !exchange.is_about_no_relay() => self.allocate(exchange),
            Method::REFRESH => self.refresh(exchange, granted),
            Method::CREATE_PERMISSION if granted => {
                if let Some(allocation) = &mut self.allocation {
                    for &peer in exchange.asked.peer.iter().chain(exchange.further) {
                        allocation.permitted(peer, exchange.first, answer.seen.time);
                    }
                }
            }
            Method::CHANNEL_BIND => {
                if let (Some(allocation), Some(number), Some(peer)) =
                    (&mut self.allocation, exchange.asked.channel, exchange.asked.peer)
                {
                    if granted {
                        allocation.bound(number, peer, exchange.first, answer.seen.time);
                    } else {
                        allocation.unbound(number, peer);
                    }
                }
            }
            _ => {}
        }
    }

    /// A plain request was granted; what the method does to the allocation is written down by itself.
    #[inline]
    pub(in crate::session) fn granted_plainly(&mut self, method: Method, rtt: Option<Span>, time: Timestamp) {
        self.answered += 1;
        self.took(rtt);
        self.granted.add(method, time);
        self.exchanges_omitted += 1;
    }

    /// An answer came after this time.
    #[inline]
    fn took(&mut self, rtt: Option<Span>) {
        self.rtt = self.rtt.into_iter().chain(rtt).min();
    }

    fn allocate(&mut self, exchange: &Settled<'_>) {
        let lasts = exchange.answer.lifetime != Some(0);
        self.allocated += u64::from(lasts);
        self.allocated_unsigned += u64::from(lasts && !exchange.asked.is_signed() && !exchange.asked.truncated);
        let new = Allocation::granted(exchange);
        let same = |known: &Allocation| known.relayed == new.relayed && known.is_alive(exchange.first.time);
        match self.allocation.as_mut() {
            // the same relayed address again: MS-TURN refreshes by Allocate, and servers repeat a success to a new transaction
            Some(known) if same(known) => known.refreshed(exchange),
            _ => self.take_over(new),
        }
    }

    /// An allocation takes the place of the one before it: a 5-tuple has one at a time (RFC 8656 §5), so the server knows the other no longer.
    pub(in crate::session) fn take_over(&mut self, new: Allocation) {
        let created = new.created;
        let Some(mut known) = self.allocation.replace(new) else { return };
        if known.is_alive(created.time) {
            known.refused(created);
        }
        self.ended.push_up_to(MAX_ENDED, known);
    }

    fn refresh(&mut self, exchange: &Settled<'_>, granted: bool) {
        let Some(allocation) = &mut self.allocation else { return };
        let &Answer { code, seen: at, .. } = exchange.answer;
        if granted {
            allocation.refreshed(exchange);
        } else if code == 437 && exchange.asked.lifetime == Some(0) && at.time <= allocation.expires {
            allocation.ended.get_or_insert((End::Released, at));
        } else if code == 437 {
            allocation.refused(at);
        }
    }

    /// Keeps an exchange; gives its index.
    pub fn keep(&mut self, exchange: Exchange) -> Option<u32> {
        if self.exchanges.len() >= 2 * KEPT_EACH_END {
            // the index of what stays must not change while a transaction refers to it: the oldest of the later half makes room
            self.exchanges.remove(KEPT_EACH_END);
            self.exchanges_omitted += 1;
        }
        if self.exchanges.len() == self.exchanges.capacity() {
            // most have two, and few more than four
            self.exchanges.reserve_exact(match self.exchanges.len() {
                0 => 2,
                1..4 => 1,
                _ => 8,
            });
        }
        self.exchanges.push(exchange);
        u32::try_from(self.exchanges.len() - 1).ok()
    }

    /// The exchange of a transaction, where it is kept near the index that [`Conversation::keep`] gave.
    pub fn kept_mut(&mut self, index: u32, id: crate::wire::stun::TransactionId) -> Option<&mut Exchange> {
        let upto = (index as usize + 1).min(self.exchanges.len());
        self.exchanges.get_mut(..upto)?.iter_mut().rev().find(|exchange| exchange.id == id)
    }

    /// Whether a request of this method was granted after `time`.
    #[must_use]
    pub fn granted_after(&self, method: Method, time: Timestamp) -> bool {
        self.granted.iter().any(|(known, last)| known == method && last >= time)
    }

    /// Whether two peers try each other by plain Binding requests both ways: then neither is a server.
    #[must_use]
    pub fn is_between_peers(&self) -> bool {
        let is_plain = |exchange: &Exchange| exchange.method == Method::BINDING;
        self.asks_back && self.exchanges.iter().all(is_plain) && self.relayed.iter().all(|traffic| traffic.packets == 0)
    }

    /// The exchanges of a method.
    pub fn of(&self, method: Method) -> impl DoubleEndedIterator<Item = &Exchange> {
        self.exchanges.iter().filter(move |exchange| exchange.method == method)
    }
}

/// Whether an exchange is worth keeping however many there are.
pub(in crate::session) fn is_telling(exchange: &Settled<'_>) -> bool {
    use crate::session::credentials::Status;
    let bad = |verdicts: &super::exchange::Verdicts| {
        verdicts.iter().flatten().any(|verdict| matches!(verdict.status, Status::Mismatch { .. }))
    };
    let answer = exchange.answer;
    exchange.method == Method::ALLOCATE
        || answer.class == Class::Error
        || answer.from.is_some()
        || answer.fingerprint_bad
        || bad(&exchange.asked.integrity)
        || bad(&answer.integrity)
        || answer.mapped_plain.is_some_and(|plain| Some(plain) != answer.mapped)
}
