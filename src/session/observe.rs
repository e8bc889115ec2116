//! How a session takes in events.

use super::conversations::exchange::{Answer, Exchange, Seen, Verdicts};
use super::conversations::rooms::Rooms;
use super::credentials::Identity;
use super::express::Bare;
use super::flow::{Flow, FlowId};
use super::transactions::leg::Leg;
use super::transactions::transaction::{Closed, Sighting};
use super::{Conversation, Ends, From, Servers, Session};
use crate::event::Event;
use crate::net::{ClientAddress, Endpoint, ServerAddress, Transport, protocol};
use crate::packet::{IcmpError, Quoted};
use crate::time::{Span, Timestamp};
use crate::wire::stun::{Class, Dialect, Fields, Fingerprint, Message, Method, TransactionId};
use std::net::IpAddr;

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
    /// Whether it is the same packet as one before, captured twice.
    pub mirrored: bool,
    /// The user that the message or its request names.
    pub user: Option<super::Name>,
    /// Whether a DTLS datagram rides in the message.
    pub dtls: bool,
}

impl Session {
    /// The flow of a message that came this way, where one is known.
    #[must_use]
    pub fn flow_on(&self, transport: Transport, src: Endpoint, dst: Endpoint) -> Option<FlowId> {
        self.flows.find_on(transport, src, dst)
    }

    pub(super) fn flow_for(&mut self, event: &Event<'_>) -> Option<FlowId> {
        let seen = event.seen();
        self.flow_between(event.transport, (event.src, event.dst), seen, event.hops.is_empty())
    }

    /// The flow of a message that nothing else carries, with the message counted.
    pub(super) fn flow_of(&mut self, at: &Bare) -> Option<FlowId> {
        self.flow_between(at.transport, (at.src, at.dst), at.seen, true)
    }

    fn flow_between(
        &mut self,
        transport: Transport,
        (src, dst): (Endpoint, Endpoint),
        seen: Seen,
        counted: bool,
    ) -> Option<FlowId> {
        if self.flows.is_full() && self.flows.find_on(transport, src, dst).is_none() {
            self.make_room();
        }
        let id = self.flows.find_or_add_on(transport, src, dst, seen)?;
        let flow = self.flows.get_mut(id)?;
        flow.last = seen;
        if counted {
            flow.count(src, seen);
        }
        Some(id)
    }

    /// Takes a STUN message.
    #[inline]
    pub fn stun(&mut self, event: &Event<'_>, message: &Message<'_>) -> Known {
        self.ice.begin(event.time);
        match Bare::of(event).and_then(|at| self.express(&at, message)) {
            Some(known) => known,
            None => self.other_stun(event, message, None),
        }
    }

    /// Takes a STUN message if it is one that nothing is special about; else nothing was done, and [`Session::other_stun`] takes it.
    #[inline(always)]
    pub fn plain_stun(&mut self, at: &Bare, message: &Message<'_>) -> Option<Known> {
        self.ice.begin(at.seen.time);
        self.express(at, message)
    }

    /// Takes a STUN message that [`Session::plain_stun`] did not take, with its flow, if that is known.
    #[inline(never)]
    pub fn other_stun(&mut self, event: &Event<'_>, message: &Message<'_>, flow: Option<FlowId>) -> Known {
        let known = flow.and_then(|id| Some((id, self.flows.get_mut(id)?)));
        let flow = match known {
            Some((id, flow)) => {
                flow.count(event.src, event.seen());
                id
            }
            None => match self.flow_for(event) {
                Some(id) => id,
                None => return Known::default(),
            },
        };
        let fields = message.fields();
        let class = message.class();
        let at = Sighting {
            flow,
            depth: u8::try_from(event.hops.iter().count()).unwrap_or(u8::MAX),
            src: event.src,
            dst: event.dst,
            transport: event.transport,
            seen: event.seen(),
            digest: self.names.digest(message.seal()),
            ip_id: event.ip_id,
            ttl: event.ttl,
        };
        if let Some(flow) = self.flows.get_mut(flow) {
            flow.stun = true;
            if let Some(conversation) = flow.conversation.as_mut().filter(|_| at.depth == 1 && !event.copy) {
                let [out, back] = &mut conversation.relayed_stun;
                *(if conversation.client.0 == event.src { out } else { back }) += 1;
            }
            // who refuses a check may be another than the one whose media it was
            if let Some(way) = flow.media.filter(|_| class != Class::Error) {
                self.media.alive(event, way);
            }
        }
        if event.transport.is_stream() {
            self.clients.coverage.speak_over_tcp([event.src.ip(), event.dst.ip()]);
        }
        if !self.sightings.is_empty() {
            self.sightings.stun(event, &fields);
        }
        if !self.early.is_empty() {
            self.release(event.time); // time passes in longer steps than an answer is held
        }
        if matches!(class, Class::Success | Class::Error)
            && let Some(known) = self.hold(&at, event, message, &fields)
        {
            self.inspect(event, message, &fields);
            return known;
        }
        let known = self.settle_stun(&at, event, message, &fields);
        // what is wrong with a packet is wrong with it once, however often the capture holds it
        if !known.mirrored {
            self.inspect(event, message, &fields);
        }
        if class == Class::Request && !self.early.is_empty() {
            self.asked_late(message.transaction_id(), &at);
        }
        known
    }

    /// What a message means for the transaction and the conversation that it is of.
    pub(super) fn settle_stun(
        &mut self,
        at: &Sighting,
        event: &Event<'_>,
        message: &Message<'_>,
        fields: &Fields<'_>,
    ) -> Known {
        // MS-TURN sends data in requests, and answers none of them: they are what became indications (RFC 8656 §11)
        let is_answered = message.dialect() != Dialect::Microsoft || message.method() != Method::SEND;
        let known = match message.class() {
            Class::Request if is_answered => self.request(at, message, fields),
            Class::Request | Class::Indication => {
                let integrity = self.check(message, fields, &Identity::of(fields));
                let mirrored = self.is_copy(event, message.seal());
                if mirrored {
                    self.totals.mirrored.add(event.frame);
                } else {
                    self.totals.stun(message.message_type());
                    self.indication(at, event, message.method(), fields);
                    self.count_integrity(event.frame, &integrity, true);
                }
                Known { integrity, mirrored, ..Known::default() }
            }
            Class::Success | Class::Error => self.response(at, message, fields),
        };
        if matches!(message.method(), Method::CONNECT | Method::CONNECTION_BIND | Method::CONNECTION_ATTEMPT) {
            self.relay_for_tcp(at, message, fields, &known);
        }
        self.connectivity(event, message, fields, &known);
        Known { dtls: fields.dtls.is_some(), ..known }
    }

    fn inspect(&mut self, event: &Event<'_>, message: &Message<'_>, fields: &Fields<'_>) {
        if message.truncated() {
            self.totals.truncated.add(event.frame);
            if message.class() == Class::Error && fields.error.is_none() {
                self.totals.hidden_errors.add(event.frame);
            }
        }
        let seen = event.seen();
        if fields.fingerprint && message.fingerprint() == Some(Fingerprint::Bad) {
            self.totals.fingerprint_bad.add(event.src, event.dst, seen);
        }
        if fields.suspect
            && let Some(problem) = message.problems().into_iter().find(crate::wire::stun::is_structural)
        {
            self.totals.malformed(event.src, event.dst, seen, problem);
        }
    }

    /// Takes DTLS, RTP or RTCP; on the flow's own level it counts as data of the flow. Whether the capture did not hold the packet yet.
    pub fn data(&mut self, event: &Event<'_>, payload: &[u8]) -> bool {
        if self.is_copy(event, payload) {
            return false;
        }
        let bytes = payload.len();
        self.ice.data(event, bytes);
        if event.hops.last().is_none()
            && let Some(id) = self.flow_for(event)
            && let Some(flow) = self.flows.get_mut(id)
        {
            flow.directions_from(event.src).0.data.add(bytes, event.time);
        }
        true
    }

    /// Takes an ICMP error; gives the first frame of the transaction that it killed.
    pub fn icmp(&mut self, frame: u64, error: &IcmpError<'_>) -> Option<u64> {
        let quoted = &error.quoted;
        if quoted.protocol == protocol::UDP {
            self.met_unreached(quoted, error.kind, error.sender, Seen { frame, time: self.now });
            self.met_turned_back(frame, error);
        }
        if quoted.protocol != protocol::UDP || self.dtls_icmp(frame, error) {
            return None;
        }
        let (id, src, dst) = self.flow_of_quote(quoted).or_else(|| self.flow_of_request(error))?;
        let flow = self.flows.get_mut(id)?;
        let answer = error.answer(frame);
        self.ice.icmp(Transport::Udp, src, dst, answer);
        if let Some(conversation) = flow.conversation.as_mut().filter(|known| known.client.0 == src)
            && error.kind.is_unreachable()
        {
            conversation.met(answer, self.now);
        }
        let quoted_id = Message::recognise(quoted.payload, true).map(|message| message.transaction_id());
        let of_packet = || self.transactions.of_packet(quoted.ip_id, id);
        let transaction = quoted_id.or_else(of_packet).or(flow.waiting())?;
        let leg = self.transactions.leg_on(transaction, id)?;
        if leg.roles(&flow.ends).0.0 != src {
            return None; // it is the answer that could not be delivered
        }
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

    /// The flow of a quoted packet, its sender and its receiver; where the capture cut the quote off before the ports (64 bytes a frame of IPv4, 104 of IPv6), that of
    /// the request between the two hosts which it was.
    fn flow_of_quote(&self, quoted: &Quoted<'_>) -> Option<(FlowId, Endpoint, Endpoint)> {
        let (src, dst) = (quoted.src, quoted.dst);
        if quoted.has_ports() || src.ip() == dst.ip() {
            return Some((self.flows.find(src, dst)?, src, dst));
        }
        let between = |ends: &Ends| {
            let both = [(ends.low, ends.high), (ends.high, ends.low)];
            both.into_iter().find(|(from, to)| !ends.is_stream() && (from.ip(), to.ip()) == (src.ip(), dst.ip()))
        };
        let of = |id: FlowId| self.flows.get(id).and_then(|flow| between(&flow.ends));
        let id = self.transactions.flow_of_packet(quoted.ip_id, |id| of(id).is_some())?;
        of(id).map(|(src, dst)| (id, src, dst))
    }

    /// The flow, the client and the server of the request that an ICMP error quotes as it was sent on by a NAT that does not translate quotes back
    /// (RFC 5508 §4.2), or before the headers of the capture were rewritten: the error goes to the client all the same.
    fn flow_of_request(&mut self, error: &IcmpError<'_>) -> Option<(FlowId, Endpoint, Endpoint)> {
        let id = Message::recognise(error.quoted.payload, true)?.transaction_id();
        let flows = &self.flows;
        self.transactions.of_leg(id, |leg| {
            let (client, server) = leg.roles(&flows.get(leg.flow)?.ends);
            (client.0.ip() == error.receiver).then_some((leg.flow, client.0, server.0))
        })
    }

    /// Something was sent to a host, whatever it was.
    pub fn hears(&mut self, host: IpAddr) {
        self.clients.coverage.hears(host);
    }

    /// A server's yes of which the capture holds the first bytes, and not enough to tell to what: a client that is served is served.
    pub fn granted_in_short(&mut self, method: Method, server: Endpoint, client: Endpoint, time: Timestamp) {
        // whose it is cannot be read: it counts as that of another server
        let server = Endpoint::new(server.ip(), 0);
        match method {
            Method::ALLOCATE => self.clients.allocated(client.ip(), None, server, time),
            Method::BINDING => self.clients.answered(client.ip(), server, time),
            _ => {}
        }
    }

    /// An answer was seen on its way, at a point that it passes before its last: where it is not seen there, it did not arrive.
    pub fn answer_underway(&mut self, id: TransactionId, src: Endpoint, dst: Endpoint, seen: Seen) {
        let Some(flow) = self.flows.find(src, dst) else { return };
        if let Some(leg) = self.transactions.leg_on(id, flow) {
            leg.underway(seen);
        }
    }

    /// A transaction has left the table: what became of it only now is written down.
    pub(super) fn settle(&mut self, closed: Closed) {
        let Closed { id, leg, others, watched } = closed;
        let beyond = others.iter().chain([&leg]).filter(|leg| leg.depth == 0).filter_map(Leg::answer_beyond).min();
        for leg in std::iter::once(leg).chain(others) {
            if leg.is_settled() {
                continue;
            }
            let Some(flow) = self.flows.get_mut(leg.flow) else { continue };
            let Some(conversation) = &mut flow.conversation else { continue };
            match (leg.kept(), leg.answer()) {
                (_, None) => {
                    // an answer that was there before the request is one to another with the same id
                    let answered_beyond = beyond.filter(|answer| answer.time >= leg.first.time);
                    let exchange = Exchange { answered_beyond, ..leg.exchange(id, &flow.ends, leg.asked(), watched) };
                    // who asks once may have left; over TCP nobody asks twice (RFC 8489 §6.2.2); the other side of a NAT is nobody else
                    let waits = exchange.again_total > 0 || conversation.transport.is_stream();
                    if exchange.is_unanswered() && waits && flow.twin_of.is_none() {
                        self.servers.in_vain(conversation, [exchange.first.time, exchange.last.time]);
                    }
                    self.rooms.keep(conversation, exchange, leg.flow);
                }
                (Some(kept), Some(_)) => {
                    if let Some(known) = conversation.kept_mut(kept, id) {
                        known.last = leg.last();
                        known.again_total = leg.again_total();
                        known.again_after_answer = leg.again_after_answer();
                        known.again = leg.again().to_vec();
                    }
                }
                // what the client answers when it is asked is no answer of the server's
                (None, Some(seen))
                    if leg.again_after_answer() > 0 && leg.roles(&flow.ends).0 == conversation.client =>
                {
                    let mut exchange = leg.exchange(id, &flow.ends, None, watched);
                    exchange.answer = Some(Answer::bare(seen, leg.first));
                    self.rooms.keep(conversation, exchange, leg.flow);
                }
                (None, Some(_)) => {}
            }
        }
    }
}

/// The conversation of a flow, with a message from one of its ends counted; `None` where the flow's conversation is the other way round.
pub(super) fn speak<'f>(
    flow: &'f mut Flow,
    from: From,
    at: &Sighting,
    began_before: bool,
    rooms: &mut Rooms,
    servers: &mut Servers,
) -> Option<&'f mut Conversation> {
    let (client, server) = match from {
        From::Client => (ClientAddress(at.src), ServerAddress(at.dst)),
        From::Server => (ClientAddress(at.dst), ServerAddress(at.src)),
    };
    let [low, high] = &flow.directions;
    let orphans = u64::from(low.orphans + high.orphans);
    let conversation = flow.conversation.get_or_insert_with(|| {
        let mut new = Conversation::new(client, server, at.transport, at.seen);
        new.began_before = began_before || orphans > 0;
        // the one that begins it is counted by whoever takes it
        new.orphans = orphans.saturating_sub(u64::from(from == From::Server));
        rooms.conversation(new)
    });
    if conversation.client != client {
        conversation.asks_back |= from == From::Client;
        return None;
    }
    conversation.message(from, at.seen, servers);
    let [of_client, of_server] = &mut conversation.ttl;
    *if from == From::Client { of_client } else { of_server } = at.ttl;
    Some(conversation)
}
