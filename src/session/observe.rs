//! How a session takes in events.

use super::credentials::{Credentials, Identity, Integrity, Status};
use super::exchange::{Answer, Asked, Exchange, NonceFeatures, Seen, Verdicts};
use super::flow::{Flow, FlowId};
use super::leg::Leg;
use super::transaction::{Closed, Request, Response, Sighting};
use super::{Conversation, From, Move, Name, Names, Redirect, Session, What};
use crate::event::{Event, Hop, IcmpAnswer, Via};
use crate::net::{ClientAddress, Endpoint, MappedAddress, PeerAddress, RelayedAddress, ServerAddress};
use crate::packet::IcmpError;
use crate::time::Span;
use crate::wire::demux;
use crate::wire::stun::integrity::Algorithm;
use crate::wire::stun::{Class, Fields, Fingerprint, Message, Method, TransactionId};
use crate::wire::turn::ChannelData;
use std::collections::VecDeque;

/// NATs pass a packet on within this time.
const NAT_PASSAGE: Span = Span::from_millis(20);

/// What a session knows of a message at the moment when it passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// The verdicts on its integrity.
    pub integrity: Verdicts,
    /// On a response: the copy of the request that it is counted from.
    pub request_frame: Option<u64>,
    /// On a response: the time since that copy.
    pub rtt: Option<Span>,
    /// The first copy of a repeated message.
    pub retransmission_of: Option<u64>,
    /// The user that the message or its request names.
    pub user: Option<super::Name>,
}

impl Session {
    /// The flow of a datagram, where one is known.
    #[must_use]
    pub fn flow(&self, src: Endpoint, dst: Endpoint) -> Option<FlowId> {
        self.flows.find(src, dst)
    }

    fn flow_for(&mut self, event: &Event<'_>) -> Option<FlowId> {
        let seen = Seen { frame: event.frame, time: event.time };
        if self.flows.is_full() && self.flows.find(event.src, event.dst).is_none() {
            self.make_room();
        }
        let id = self.flows.find_or_add(event.src, event.dst, seen)?;
        let flow = self.flows.get_mut(id)?;
        flow.last = seen;
        if event.hops.last().is_none() {
            flow.directions_from(event.src).0.packets += 1;
        }
        Some(id)
    }

    /// Takes a STUN message.
    pub fn stun(&mut self, event: &Event<'_>, message: &Message<'_>) -> Known {
        let Some(flow) = self.flow_for(event) else { return Known::default() };
        let fields = message.fields();
        let class = message.class();
        let at = Sighting {
            flow,
            depth: u8::try_from(event.hops.iter().count()).unwrap_or(u8::MAX),
            src: event.src,
            dst: event.dst,
            seen: Seen { frame: event.frame, time: event.time },
            digest: self.names.digest(message.bytes()),
            ip_id: event.ip_id,
            ttl: event.ttl,
        };
        if let Some(flow) = self.flows.get_mut(flow) {
            flow.stun = true;
        }
        self.inspect(event, message, &fields);
        match class {
            Class::Request => self.request(&at, message, &fields),
            Class::Indication => {
                self.totals.stun(message.message_type());
                self.indication(&at, event, message.method(), &fields);
                Known::default()
            }
            Class::Success | Class::Error => self.response(&at, message, &fields),
        }
    }

    fn inspect(&mut self, event: &Event<'_>, message: &Message<'_>, fields: &Fields<'_>) {
        if message.truncated() {
            self.totals.truncated.add(event.frame);
        }
        let seen = Seen { frame: event.frame, time: event.time };
        if fields.fingerprint && message.fingerprint() == Some(Fingerprint::Bad) {
            self.totals.fingerprint_bad.add(event.src, event.dst, seen);
        }
        if fields.suspect
            && let Some(problem) = message.problems().into_iter().find(crate::wire::stun::is_structural)
        {
            self.totals.malformed(event.src, event.dst, seen, problem);
        }
    }

    fn request(&mut self, at: &Sighting, message: &Message<'_>, fields: &Fields<'_>) -> Known {
        let method = message.method();
        let identity = Identity::of(fields);
        let integrity = self.check(message, fields, &identity);
        let mut new = None;
        let names = &mut self.names;
        let conversation = self.flows.get(at.flow).and_then(|flow| flow.conversation.as_deref());
        let likely = conversation.map_or([None; 2], |known| [known.user, known.realm]);
        let request = self.transactions.request(message.transaction_id(), method, at, || {
            let asked = asked(names, likely, message, fields, integrity);
            new = Some(asked);
            asked
        });
        let known = Known { integrity, user: new.and_then(|asked| asked.user), ..Known::default() };
        match request {
            Request::Mirrored { first } => {
                self.totals.mirrored.add(at.seen.frame);
                return Known { retransmission_of: Some(first.frame), ..known };
            }
            Request::Again { first } => {
                self.totals.stun(message.message_type());
                self.count_check(at, is_check(method, fields));
                return Known { retransmission_of: Some(first.frame), ..known };
            }
            Request::New { twin_of } => {
                self.totals.stun(message.message_type());
                // the other side of a NAT or of a relay shows the same transaction once more
                self.totals.transactions += u64::from(twin_of.is_none());
                self.count_integrity(at.seen.frame, &integrity, true);
                if mismatched(&integrity) {
                    self.totals.mismatch(&self.credentials, &identity);
                }
                if let Some(first) = twin_of {
                    self.twin(message.transaction_id(), first, at);
                }
            }
        }
        let Some(asked) = new else { return known };
        self.count_check(at, asked.check);
        if let (0, true, Some(user)) = (at.depth, asked.check, asked.user) {
            let flows = &self.flows;
            let answered = |old: Endpoint| {
                let flow = flows.find(old, at.dst).and_then(|id| flows.get(id));
                flow.is_some_and(|flow| flow.directions.iter().any(|direction| direction.checks.answered > 0))
            };
            self.moves.check(user, (at.src, at.dst), at.seen, self.limits.mappings, answered);
        }
        if at.depth == 0 && !asked.check {
            self.converse(at, message.transaction_id(), method, &asked);
        }
        known
    }

    /// A new request of a client to a server on the flow's own level.
    fn converse(&mut self, at: &Sighting, id: TransactionId, method: Method, asked: &Asked) {
        let given = asked.nonce.and_then(|nonce| self.nonces.echo(nonce, at.seen.time));
        let Some(flow) = self.flows.get_mut(at.flow) else { return };
        flow.pending = Some(id);
        let starts = matches!(method, Method::ALLOCATE | Method::BINDING);
        let Some(conversation) = speak(flow, From::Client, at, !starts) else { return };
        if let Some((client, seen)) = given
            && client != conversation.client
        {
            conversation.nonce_of = Some(client);
            if !starts && conversation.asked == 0 && client.0.ip() == conversation.client.0.ip() {
                conversation.moved_from = Some((client, seen));
                let server = conversation.server;
                conversation.sent(method, asked, at.seen);
                return self.moved(at, asked, client, server);
            }
        }
        let first = conversation.asked == 0;
        conversation.sent(method, asked, at.seen);
        if first {
            let (client, server) = (conversation.client.0.ip(), conversation.server.0);
            self.clients.contacted(client, server, at.seen.time);
            if asked.is_signed() {
                self.clients.began_signed(client, server, at.seen.time);
            }
        }
    }

    /// A client uses a nonce that it was given on another port, where it had an allocation.
    fn moved(&mut self, at: &Sighting, asked: &Asked, old: ClientAddress, server: ServerAddress) {
        let Some(id) = self.flows.find(old.0, server.0) else { return };
        let Some(known) = self.flows.get_mut(id).and_then(|flow| flow.conversation.as_mut()) else { return };
        if known.client != old || known.moved.is_some() || known.live_allocation(at.seen.time).is_none() {
            return;
        }
        let new = Move {
            what: What::Allocation,
            to: server.0,
            old: old.0,
            last: known.heard,
            new: at.src,
            first: at.seen,
            user: asked.user.or(known.user),
            returned: false,
            code: None,
        };
        known.moved = self.moves.add(new);
        let number = known.moved;
        if let Some(conversation) = self.flows.get_mut(at.flow).and_then(|flow| flow.conversation.as_mut()) {
            conversation.moved = number;
        }
    }

    /// The same request on another flow: two sides of a NAT, if the packet is the same one.
    fn twin(&mut self, id: TransactionId, first: FlowId, at: &Sighting) {
        let Some(leg) = self.transactions.leg_on(id, first) else { return };
        let Some(flow) = self.flows.get(first) else { return };
        let (client, server) = leg.roles(&flow.ends);
        let same_packet = leg.depth == at.depth
            && (leg.ip_id() == at.ip_id || client.0 != at.src)
            && at.seen.time.since(leg.last().time).0.unsigned_abs() < NAT_PASSAGE.0.unsigned_abs();
        if !same_packet || at.depth > 0 {
            return;
        }
        let frames = [leg.last().frame, at.seen.frame];
        self.nat.learn(client.0, at.src, &frames);
        self.nat.learn(at.dst, server.0, &frames);
        if let Some(flow) = self.flows.get_mut(at.flow)
            && flow.conversation.is_none()
        {
            flow.twin_of = Some(first);
        }
    }

    fn count_check(&mut self, at: &Sighting, check: bool) {
        let Some(flow) = self.flows.get_mut(at.flow) else { return };
        if !check {
            return;
        }
        if at.depth == 0 {
            flow.directions_from(at.src).0.checks.sent += 1;
        } else if let Some(conversation) = &mut flow.conversation
            && conversation.client.0 == at.src
        {
            conversation.relayed_checks.sent += 1;
        }
    }

    fn response(&mut self, at: &Sighting, message: &Message<'_>, fields: &Fields<'_>) -> Known {
        let id = message.transaction_id();
        let error = fields.error.map(|error| error.code);
        let found = self.transactions.response(id, at);
        let (leg, asked, elsewhere) = match found {
            Response::First { leg, asked, elsewhere } => (leg, asked, elsewhere),
            Response::Again { leg, first } => {
                let (identity, to, request) = (leg.identity, leg.last(), leg.kept().map(|kept| (leg.flow, kept)));
                let mirrored = leg.answer_mirrored;
                let integrity = check_answer(&mut self.credentials, &self.names, message, fields, identity);
                if mirrored {
                    self.totals.mirrored.add(at.seen.frame);
                } else {
                    self.totals.stun(message.message_type());
                    error.into_iter().for_each(|code| self.totals.error(code));
                    if let Some((flow, kept)) = request
                        && let Some(conversation) = self.flows.get_mut(flow).and_then(|flow| flow.conversation.as_mut())
                        && let Some(answer) = conversation.kept_mut(kept, id).and_then(|known| known.answer.as_mut())
                    {
                        answer.again = answer.again.saturating_add(1);
                        let nonce = fields.nonce.map(|nonce| self.names.digest(nonce));
                        if let Some(nonce) = nonce.filter(|_| nonce != answer.nonce) {
                            answer.nonce_again = Some(nonce);
                            self.nonces.learn(nonce, ClientAddress(at.dst), at.seen, self.limits.nonces);
                        }
                        let code = error.unwrap_or_default();
                        if answer.otherwise.is_none() && code != answer.code {
                            answer.otherwise = Some((at.seen, code));
                        }
                    }
                }
                return Known {
                    integrity,
                    request_frame: Some(to.frame),
                    rtt: Some(at.seen.time.since(to.time)),
                    retransmission_of: Some(first.frame),
                    user: identity[0],
                };
            }
            Response::Orphan => {
                self.totals.stun(message.message_type());
                error.into_iter().for_each(|code| self.totals.error(code));
                return self.orphan(at, message, fields);
            }
        };
        let (identity, check, flow, to) = (leg.identity, leg.check, leg.flow, leg.last());
        let from = elsewhere.then_some(at.src);
        self.totals.stun(message.message_type());
        error.into_iter().for_each(|code| self.totals.error(code));
        let integrity = check_answer(&mut self.credentials, &self.names, message, fields, identity);
        if mismatched(&integrity) {
            self.totals.mismatch(&self.credentials, &identity_of_answer(&self.names, fields, identity));
        }
        if let Some(known) = self.flows.get(flow)
            && (check || at.depth == 0)
        {
            let mut exchange = leg.exchange(id, &known.ends, asked.as_ref(), true);
            exchange.answer = Some(answer(&mut self.names, message, fields, at.seen, to, from, integrity));
            if check {
                self.checked(at, message, fields, &exchange);
            } else if let Some(kept) = self.answered(flow, exchange, at.ttl)
                && let Some(leg) = self.transactions.leg_on(id, flow)
            {
                leg.keep(kept);
            }
        }
        self.count_integrity(at.seen.frame, &integrity, false);
        Known {
            integrity,
            request_frame: Some(to.frame),
            rtt: Some(at.seen.time.since(to.time)),
            retransmission_of: None,
            user: identity[0],
        }
    }

    /// An answer to a connectivity check.
    fn checked(&mut self, at: &Sighting, message: &Message<'_>, fields: &Fields<'_>, exchange: &Exchange) {
        let success = message.class() == Class::Success;
        let Some(flow) = self.flows.get_mut(at.flow) else { return };
        if at.depth > 0 {
            if let Some(conversation) = &mut flow.conversation
                && conversation.client == exchange.client
            {
                conversation.relayed_checks.answered += u32::from(success);
            }
            return;
        }
        flow.directions_from(at.dst).0.checks.answered += u32::from(success);
        if let Some(mapped) = fields.xor_mapped.filter(|_| success) {
            self.see_mapped(exchange, MappedAddress(mapped));
        }
    }

    /// An answer of a server to a client; gives where the exchange is kept.
    fn answered(&mut self, flow: FlowId, exchange: Exchange, ttl: u8) -> Option<u32> {
        let answer = exchange.answer.as_ref()?;
        let (client, server) = (exchange.client, exchange.server);
        // the far side of a NAT shows the same again: nobody else was given that nonce
        let twin = self.flows.get(flow).is_some_and(|flow| flow.twin_of.is_some());
        if let Some(nonce) = answer.nonce.filter(|_| !twin) {
            self.nonces.learn(nonce, client, answer.seen, self.limits.nonces);
        }
        let stale = if answer.is_error(438) && !twin {
            self.nonces.refused(&exchange, answer, self.limits.nonces)
        } else {
            None
        };
        if let Some(alternate) = answer.alternate.filter(|_| answer.code == 300) {
            self.clients.redirected(client.0.ip(), Redirect { from: server.0, to: alternate.0, at: answer.seen });
        }
        if answer.class == Class::Success {
            match exchange.method {
                Method::ALLOCATE if answer.relayed.iter().flatten().all(|relayed| relayed.is_usable()) => {
                    let user = exchange.asked.user.or(exchange.asked.userhash);
                    self.clients.allocated(client.0.ip(), user, server.0, answer.seen.time);
                }
                Method::BINDING => self.clients.answered(client.0.ip(), server.0, answer.seen.time),
                _ => {}
            }
            if let Some(mapped) = answer.mapped {
                self.see_mapped(&exchange, mapped);
            }
        }
        let id = flow;
        let flow = self.flows.get_mut(id)?;
        if flow.pending == Some(exchange.id) {
            flow.pending = None;
        }
        let conversation = flow.conversation.as_mut()?;
        if let Some(known) = conversation.moved.and_then(|number| self.moves.get_mut(number))
            && known.first == exchange.first
        {
            known.code = Some(answer.code);
        }
        conversation.message(From::Server, answer.seen);
        let [_, of_server] = &mut conversation.ttl;
        *of_server = ttl;
        conversation.settled(&exchange);
        if stale.is_some() {
            conversation.stale = stale.map(Box::new);
        } else if answer.class == Class::Success
            && conversation.stale.take_if(|row| row.last < exchange.first).is_some()
            && let Some(nonce) = exchange.asked.nonce
        {
            self.nonces.accepted(nonce);
        }
        let room = self.ordinary < self.limits.ordinary_exchanges;
        let kept = keep(conversation, exchange, room, id, &mut self.keeping, &mut self.kept);
        self.ordinary += usize::from(kept.is_some());
        kept
    }

    fn see_mapped(&mut self, exchange: &Exchange, mapped: MappedAddress) {
        let Some(answer) = &exchange.answer else { return };
        if mapped.0 != exchange.client.0 && answer.mapped_plain.is_none_or(|plain| plain == mapped) {
            self.nat.learn(exchange.client.0, mapped.0, &[exchange.first.frame, answer.seen.frame]);
            self.nat.view(exchange.client, exchange.server, mapped, answer.seen);
        }
    }

    fn orphan(&mut self, at: &Sighting, message: &Message<'_>, fields: &Fields<'_>) -> Known {
        self.totals.orphans.add(at.seen.frame);
        let method = message.method();
        if let Some(flow) = self.flows.get_mut(at.flow) {
            flow.directions_from(at.src).0.orphans += 1;
            if at.depth == 0
                && (method != Method::BINDING || flow.conversation.is_some())
                && let Some(conversation) = speak(flow, From::Server, at, true)
            {
                conversation.orphans += 1;
                // that the request was not captured takes nothing from what was granted
                if (method, message.class()) == (Method::ALLOCATE, Class::Success)
                    && fields.relayed.iter().flatten().any(|&relayed| RelayedAddress(relayed).is_usable())
                {
                    let (client, user) = (conversation.client.0.ip(), conversation.user);
                    self.clients.allocated(client, user, conversation.server.0, at.seen.time);
                }
            }
        }
        let integrity = self.check(message, fields, &Identity::default());
        self.count_integrity(at.seen.frame, &integrity, false);
        Known { integrity, ..Known::default() }
    }

    fn indication(&mut self, at: &Sighting, event: &Event<'_>, method: Method, fields: &Fields<'_>) {
        let from = match method {
            Method::SEND => From::Client,
            Method::DATA | Method::CONNECTION_ATTEMPT => From::Server,
            _ => return,
        };
        if at.depth > 0 {
            return;
        }
        let Some(flow) = self.flows.get_mut(at.flow) else { return };
        let Some(conversation) = speak(flow, from, at, true) else { return };
        if let Some(data) = fields.data {
            conversation.relayed(from, data.len(), event.time);
        }
    }

    /// The relay passage that a Send or Data indication is.
    #[must_use]
    pub fn indication_hop(&self, event: &Event<'_>, method: Method, fields: &Fields<'_>) -> Option<Hop> {
        let via = match method {
            Method::SEND => Via::Send,
            Method::DATA => Via::Data,
            _ => return None,
        };
        let peer = fields.peer.or(fields.destination).map(PeerAddress);
        Some(Hop { via, peer, relayed: self.relayed_for(event, peer) })
    }

    fn relayed_for(&self, event: &Event<'_>, peer: Option<PeerAddress>) -> Option<RelayedAddress> {
        let flow = self.flows.get(self.flows.find(event.src, event.dst)?)?;
        flow.conversation.as_ref()?.allocation.as_ref()?.relayed_for(peer)
    }

    /// Whether what is framed like ChannelData is ChannelData: TURN was seen on the flow, or it looks right again and again.
    pub fn is_channel(&mut self, src: Endpoint, dst: Endpoint, data: &ChannelData<'_>) -> bool {
        const SURE: u8 = 3;
        let known = self.flows.find(src, dst).and_then(|id| self.flows.get_mut(id));
        if known.as_ref().is_some_and(|flow| flow.conversation.is_some()) {
            return true;
        }
        let inside = demux::kind(data.data);
        if data.padding > 0 || !data.is_current_range() || matches!(inside, demux::Kind::Other | demux::Kind::Quic) {
            return false;
        }
        if inside == demux::Kind::Stun {
            return Message::recognise(data.data, data.truncated).is_some_and(|message| !message.is_classic());
        }
        if data.truncated {
            return false; // its length proves nothing then
        }
        match known {
            Some(flow) => {
                flow.channel_guesses = flow.channel_guesses.saturating_add(1);
                flow.channel_guesses >= SURE
            }
            None => {
                // a guess makes a flow of its own only while there is plenty of room
                let seen = Seen { frame: 0, time: self.now };
                if self.flows.len() < self.limits.flows / 4
                    && let Some(flow) = self.flows.find_or_add(src, dst, seen).and_then(|id| self.flows.get_mut(id))
                {
                    flow.channel_guesses = 1;
                }
                false
            }
        }
    }

    /// Takes ChannelData on the flow's own level; gives the relay passage that it is.
    pub fn channel_data(&mut self, event: &Event<'_>, channel: u16, bytes: usize) -> Hop {
        self.totals.channel_data += 1;
        let unknown = Hop { via: Via::Channel(channel), peer: None, relayed: None };
        let depth = event.hops.iter().count();
        let Some(id) = self.flow_for(event) else { return unknown };
        let Some(flow) = self.flows.get_mut(id) else { return unknown };
        if depth > 0 {
            return unknown;
        }
        let seen = Seen { frame: event.frame, time: event.time };
        if flow.conversation.is_none() {
            // the capture starts later: the end with the service's port is the server, else the one with the lower port
            let (client, server) = by_port(event.src, event.dst);
            let mut conversation =
                Conversation::new(ClientAddress(client), ServerAddress(server), event.transport, seen);
            conversation.began_before = true;
            flow.conversation = Some(Box::new(conversation));
        }
        let Some(conversation) = &mut flow.conversation else { return unknown };
        let from = if conversation.client.0 == event.src { From::Client } else { From::Server };
        conversation.message(from, seen);
        conversation.relayed(from, bytes, event.time);
        let peer = conversation.peer_of(channel);
        let relayed = conversation.allocation.as_ref().and_then(|allocation| allocation.relayed_for(peer));
        Hop { via: Via::Channel(channel), peer, relayed }
    }

    /// Takes DTLS, RTP or RTCP; on the flow's own level it counts as data of the flow.
    pub fn data(&mut self, event: &Event<'_>, bytes: usize) {
        if event.hops.last().is_some() {
            return;
        }
        let Some(id) = self.flow_for(event) else { return };
        if let Some(flow) = self.flows.get_mut(id) {
            flow.directions_from(event.src).0.data.add(bytes, event.time);
        }
    }

    /// Takes an ICMP error; gives the first frame of the transaction that it killed.
    pub fn icmp(&mut self, frame: u64, error: &IcmpError<'_>) -> Option<u64> {
        const UDP: u8 = 17;
        let quoted = &error.quoted;
        if quoted.protocol != UDP {
            return None;
        }
        let id = self.flows.find(quoted.src, quoted.dst)?;
        let flow = self.flows.get_mut(id)?;
        let quoted_id = Message::recognise(quoted.payload, true).map(|message| message.transaction_id());
        let transaction = quoted_id.or(flow.pending)?;
        let leg = self.transactions.leg_on(transaction, id)?;
        if leg.roles(&flow.ends).0.0 != quoted.src {
            return None; // it is the answer that could not be delivered
        }
        let answer = IcmpAnswer { frame, sender: error.sender, kind: error.kind };
        leg.met(answer);
        let first = leg.first.frame;
        if let Some(kept) = leg.kept()
            && let Some(conversation) = &mut flow.conversation
            && let Some(exchange) = conversation.kept_mut(kept, transaction)
        {
            exchange.icmp.get_or_insert(answer);
        }
        Some(first)
    }

    /// A transaction has left the table: what became of it only now is written down.
    pub(super) fn settle(&mut self, closed: Closed) {
        let Closed { id, leg, others, watched } = closed;
        let beyond = others.iter().chain([&leg]).filter(|leg| leg.depth == 0).filter_map(Leg::answer).min();
        for leg in std::iter::once(leg).chain(others) {
            if leg.is_settled() {
                continue;
            }
            let Some(flow) = self.flows.get_mut(leg.flow) else { continue };
            let Some(conversation) = &mut flow.conversation else { continue };
            match (leg.kept(), leg.answer()) {
                (_, None) => {
                    let exchange =
                        Exchange { answered_beyond: beyond, ..leg.exchange(id, &flow.ends, leg.asked(), watched) };
                    keep(conversation, exchange, true, leg.flow, &mut self.keeping, &mut self.kept);
                }
                (Some(kept), Some(_)) => {
                    if let Some(known) = conversation.kept_mut(kept, id) {
                        known.last = leg.last();
                        known.again_total = leg.again_total();
                        known.again_after_answer = leg.again_after_answer();
                        known.again = leg.again().to_vec();
                    }
                }
                (None, Some(seen)) if leg.again_after_answer() > 0 => {
                    let mut exchange = leg.exchange(id, &flow.ends, None, watched);
                    exchange.answer = Some(Answer::bare(seen, leg.first));
                    keep(conversation, exchange, true, leg.flow, &mut self.keeping, &mut self.kept);
                }
                (None, Some(_)) => {}
            }
        }
    }

    fn check(&mut self, message: &Message<'_>, fields: &Fields<'_>, identity: &Identity<'_>) -> Verdicts {
        if let Some(verdicts) = verdicts_at_once(&self.credentials, message, fields) {
            return verdicts;
        }
        verdicts(self.credentials.check(message, identity).results.iter())
    }

    fn count_integrity(&mut self, frame: u64, verdicts: &Verdicts, request: bool) {
        let mut verified = None;
        for verdict in verdicts.iter().flatten() {
            match verdict.status {
                Status::Verified { credential, .. } => verified = verified.or(Some(credential)),
                Status::Truncated => self.totals.unverifiable.add(frame),
                Status::Mismatch { .. } | Status::Untested => {}
            }
        }
        if let Some(used) = verified.and_then(|credential| self.totals.credential(credential)) {
            *if request { &mut used.requests } else { &mut used.responses } += 1;
        }
    }
}

/// Keeps an exchange in its conversation, and the account of all that are kept.
fn keep(
    conversation: &mut Conversation,
    exchange: Exchange,
    room: bool,
    flow: FlowId,
    keeping: &mut VecDeque<FlowId>,
    kept: &mut usize,
) -> Option<u32> {
    let before = conversation.exchanges.len();
    let at = conversation.keep(exchange, room);
    if before == 0 && at.is_some() {
        keeping.push_back(flow);
    }
    *kept += conversation.exchanges.len() - before;
    at
}

/// The conversation of a flow, with a message from one of its ends counted; `None` where the flow's conversation is the other way round.
fn speak<'f>(flow: &'f mut Flow, from: From, at: &Sighting, began_before: bool) -> Option<&'f mut Conversation> {
    let (client, server) = match from {
        From::Client => (ClientAddress(at.src), ServerAddress(at.dst)),
        From::Server => (ClientAddress(at.dst), ServerAddress(at.src)),
    };
    let [low, high] = &flow.directions;
    let orphans = u64::from(low.orphans + high.orphans);
    let conversation = flow.conversation.get_or_insert_with(|| {
        let mut new = Conversation::new(client, server, crate::net::Transport::Udp, at.seen);
        new.began_before = began_before || orphans > 0;
        // the one that begins it is counted by whoever takes it
        new.orphans = orphans.saturating_sub(u64::from(from == From::Server));
        Box::new(new)
    });
    if conversation.client != client {
        return None;
    }
    conversation.message(from, at.seen);
    let [of_client, of_server] = &mut conversation.ttl;
    *if from == From::Client { of_client } else { of_server } = at.ttl;
    Some(conversation)
}

fn by_port(one: Endpoint, other: Endpoint) -> (Endpoint, Endpoint) {
    let service = |end: Endpoint| matches!(end.port(), 3478..=3481 | 5349 | 5350 | 443 | 80 | 53);
    match (service(one), service(other)) {
        (true, false) => (other, one),
        (false, true) => (one, other),
        _ if one.port() < other.port() => (other, one),
        _ => (one, other),
    }
}

/// Whether a request is a connectivity check of ICE rather than a question to a server: it has ICE's attributes, or it is signed with
/// short-term credentials, which in practice only ICE uses.
fn is_check(method: Method, fields: &Fields<'_>) -> bool {
    let ice = fields.priority.is_some() || fields.controlling.is_some() || fields.controlled.is_some();
    let short_term = fields.username.is_some() && fields.realm.is_none();
    method == Method::GOOG_PING || (method == Method::BINDING && (ice || fields.use_candidate || short_term))
}

/// What a request says; `likely` are the user and the realm of the one before it.
fn asked(
    names: &mut Names,
    likely: [Option<Name>; 2],
    message: &Message<'_>,
    fields: &Fields<'_>,
    integrity: Verdicts,
) -> Asked {
    let method = message.method();
    let [user, realm] = likely;
    Asked {
        user: fields.username.and_then(|text| names.intern_like(text, user)),
        userhash: fields.userhash.and_then(|hash| names.intern(hash)),
        realm: fields.realm.and_then(|text| names.intern_like(text, realm)),
        nonce: fields.nonce.map(|nonce| names.digest(nonce)),
        nonce_features: fields.nonce.and_then(features),
        password_algorithm: fields.password_algorithm,
        password_algorithms: fields.password_algorithms.is_some(),
        integrity_sha1: fields.integrity[0].is_some(),
        integrity_sha256: fields.integrity[1].is_some(),
        integrity,
        lifetime: fields.lifetime,
        transport: fields.requested_transport,
        family: fields.requested_family.or(fields.additional_family),
        wants_port: fields.even_port.is_some() || fields.reservation_token.is_some(),
        channel: fields.channel,
        peer: fields.peer.map(PeerAddress),
        peers: fields.peers,
        nat_test: fields.change_request.is_some_and(|flags| flags != 0)
            || fields.response_port.is_some()
            || fields.padding,
        check: is_check(method, fields),
        access_token: fields.access_token.is_some(),
        truncated: message.truncated(),
    }
}

fn answer(
    names: &mut Names,
    message: &Message<'_>,
    fields: &Fields<'_>,
    seen: Seen,
    to: Seen,
    from: Option<Endpoint>,
    integrity: Verdicts,
) -> Answer {
    let unknown = fields.unknown_attributes.unwrap_or_default();
    let mut listed = unknown.chunks_exact(2).map(|pair| match pair {
        &[high, low] => u16::from_be_bytes([high, low]),
        _ => 0,
    });
    let mapped = fields.xor_mapped.or(fields.mapped).map(MappedAddress);
    Answer {
        seen,
        to,
        from,
        class: message.class(),
        code: fields.error.map_or(0, |error| error.code),
        reason: fields.error.and_then(|error| names.intern(error.reason)),
        realm: fields.realm.and_then(|realm| names.intern(realm)),
        nonce: fields.nonce.map(|nonce| names.digest(nonce)),
        nonce_again: None,
        nonce_features: fields.nonce.and_then(features),
        software: fields.software.and_then(|software| names.intern(software)),
        mapped,
        mapped_plain: fields.mapped.map(MappedAddress).filter(|_| fields.xor_mapped.is_some()),
        relayed: fields.relayed.map(|relayed| relayed.map(RelayedAddress)),
        lifetime: fields.lifetime,
        alternate: fields.alternate_server.map(ServerAddress),
        unknown: [listed.next(), listed.next(), listed.next(), listed.next()],
        password_algorithms: fields.password_algorithms.is_some(),
        integrity,
        fingerprint_bad: fields.fingerprint && message.fingerprint() == Some(Fingerprint::Bad),
        truncated: message.truncated(),
        again: 0,
        otherwise: None,
    }
}

fn features(nonce: &[u8]) -> Option<NonceFeatures> {
    let features = crate::wire::stun::nonce::features(nonce)?;
    Some(NonceFeatures {
        password_algorithms: features.password_algorithms,
        username_anonymity: features.username_anonymity,
    })
}

/// The verdicts that need no look at the message: it has no integrity attribute, not even one that the capture cut off, or it is an
/// ordinary one and there is nothing to test it with.
fn verdicts_at_once(credentials: &Credentials, message: &Message<'_>, fields: &Fields<'_>) -> Option<Verdicts> {
    if message.truncated() || message.method() == Method::GOOG_PING {
        return None;
    }
    let untested = |algorithm| Some(Integrity { algorithm, status: Status::Untested });
    match fields.integrity {
        [None, None] => Some(Verdicts::default()),
        _ if fields.suspect || !credentials.is_empty() => None,
        [Some(_), None] => Some([untested(Algorithm::Sha1), None]),
        [None, Some(_)] => Some([untested(Algorithm::Sha256), None]),
        [Some(_), Some(_)] => None,
    }
}

fn check_answer(
    credentials: &mut Credentials,
    names: &Names,
    message: &Message<'_>,
    fields: &Fields<'_>,
    identity: [Option<super::Name>; 3],
) -> Verdicts {
    if let Some(verdicts) = verdicts_at_once(credentials, message, fields) {
        return verdicts;
    }
    verdicts(credentials.check(message, &identity_of_answer(names, fields, identity)).results.iter())
}

/// A response has no user name of its own: it takes the request's (RFC 8489 §9.1.4, §9.2.5).
fn identity_of_answer<'n>(names: &'n Names, fields: &Fields<'n>, asked: [Option<super::Name>; 3]) -> Identity<'n> {
    let bytes = |name: Option<super::Name>| name.map(|name| names.bytes(name));
    let [user, realm, userhash] = asked;
    Identity {
        username: bytes(user).or(fields.username),
        realm: bytes(realm).or(fields.realm),
        userhash: bytes(userhash),
        access_token: fields.access_token.is_some(),
    }
}

/// Whether a message is signed with none of the credentials given for it.
fn mismatched(verdicts: &Verdicts) -> bool {
    let mut statuses = verdicts.iter().flatten().map(|verdict| verdict.status);
    let bad = statuses.clone().any(|status| matches!(status, Status::Mismatch { .. }));
    bad && !statuses.any(|status| matches!(status, Status::Verified { .. }))
}

fn verdicts<'v>(checked: impl Iterator<Item = &'v Integrity>) -> Verdicts {
    let mut verdicts = Verdicts::default();
    for (slot, verdict) in verdicts.iter_mut().zip(checked) {
        *slot = Some(*verdict);
    }
    verdicts
}
