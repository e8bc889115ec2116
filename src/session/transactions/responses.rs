//! Responses as they come: to which request, from where, and what they settle.

use super::requests::features;
use super::signatures::{check_answer, identity_of_answer, mismatched};
use super::transaction::{Response, Sighting};
use crate::net::{ClientAddress, Endpoint, MappedAddress, RelayedAddress, ServerAddress, Transport};
use crate::session::conversations::conversation::is_telling;
use crate::session::conversations::exchange::{Answer, Asked, Exchange, Seen, Settled, Verdicts};
use crate::session::credentials::Identity;
use crate::session::flow::FlowId;
use crate::session::observe::{Known, speak};
use crate::session::{From, Name, Names, Redirect, Session};
use crate::time::Span;
use crate::wire::stun::{Class, Fields, Fingerprint, Message, Method, TransactionId};

/// Hardly any answer takes longer than this.
const ROUND_TRIP: Span = Span::from_millis(500);

/// What is known of a response that came before.
struct Again {
    identity: [Option<Name>; 3],
    /// The copy of the request that it is counted from.
    to: Seen,
    /// The request's flow, and where its exchange is kept.
    request: Option<(FlowId, u32)>,
    /// Frame of its first copy.
    first: u64,
    mirrored: bool,
}

impl Session {
    pub(in crate::session) fn response(&mut self, at: &Sighting, message: &Message<'_>, fields: &Fields<'_>) -> Known {
        let id = message.transaction_id();
        let error = fields.error.map(|error| error.code);
        let found = self.transactions.response(id, at);
        let (leg, asked, elsewhere) = match found {
            Response::First { leg, asked, elsewhere } => (leg, asked, elsewhere),
            Response::Again { leg, first } => {
                let again = Again {
                    identity: leg.identity,
                    to: leg.last(),
                    request: leg.kept().map(|kept| (leg.flow, kept)),
                    first: first.frame,
                    mirrored: leg.answer_mirrored,
                };
                return self.answered_again(&again, at, message, fields);
            }
            Response::Orphan => {
                if self.is_copied_answer(at, message.seal()) {
                    self.totals.mirrored.add(at.seen.frame);
                    let integrity = self.check(message, fields, &Identity::default());
                    return Known { integrity, mirrored: true, ..Known::default() };
                }
                self.totals.stun(message.message_type());
                error.into_iter().for_each(|code| self.totals.error(code));
                return self.orphan(at, message, fields);
            }
        };
        let (identity, check, flow, to) = (leg.identity, leg.check, leg.flow, leg.last());
        let (first, method, met) = (leg.first, leg.method, leg.icmp().is_some());
        let further = leg.take_peers();
        let roles = self.flows.get(flow).map(|flow| leg.roles(&flow.ends));
        let from = elsewhere.then_some(at.src);
        self.totals.stun(message.message_type());
        error.into_iter().for_each(|code| self.totals.error(code));
        let integrity = self.weigh(flow, identity, at, message, fields);
        if let Some((client, server)) = roles
            && (check || at.depth == 0)
        {
            let [user, realm, userhash] = identity;
            let whose;
            let said = match &asked {
                Some(asked) => &**asked,
                None => {
                    whose = Asked { user, realm, userhash, check, ..Asked::default() };
                    &whose
                }
            };
            let likely = self.flows.conversation(flow).map_or([None; 2], |known| [known.software, known.realm]);
            let answer = answer(&mut self.names, likely, message, fields, at.seen, to, from, integrity);
            let settled =
                Settled { id, method, client, server, first, asked: said, further: &further, answer: &answer };
            if fields.mobility_ticket.is_some() && !check {
                self.ticket_taken(flow, message, (first, at.seen));
            }
            if check {
                self.checked(at, message, fields, &settled);
            } else if self.answered(flow, &settled, at) {
                if met || is_telling(&settled) || self.ordinary < self.limits.ordinary_exchanges {
                    self.keep_answered(at, id, flow, said, answer);
                } else {
                    self.pass_over(flow);
                }
                if fields.mobility_ticket.is_some() {
                    self.ticket_given(flow, message, fields);
                }
            }
        }
        if let Some(asked) = asked {
            self.transactions.give_back(asked);
        }
        self.count_integrity(at.seen.frame, &integrity, false);
        Known {
            integrity,
            request_frame: Some(to.frame),
            rtt: at.seen.time.passed_since(to.time),
            user: identity[0],
            ..Known::default()
        }
    }

    /// An answer that came before: the server sent it again, or the packet was captured twice.
    fn answered_again(&mut self, again: &Again, at: &Sighting, message: &Message<'_>, fields: &Fields<'_>) -> Known {
        let &Again { identity, to, request, first, mirrored } = again;
        let integrity = check_answer(&mut self.credentials, &self.names, message, fields, identity);
        if mirrored {
            self.totals.mirrored.add(at.seen.frame);
        } else {
            let error = fields.error.map(|error| error.code);
            self.totals.stun(message.message_type());
            error.into_iter().for_each(|code| self.totals.error(code));
            if let Some((flow, kept)) = request
                && let Some(conversation) = self.flows.conversation_mut(flow)
                && let Some(exchange) = conversation.kept_mut(kept, message.transaction_id())
                && let Some(answer) = &mut exchange.answer
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
        Known {
            integrity,
            request_frame: Some(to.frame),
            rtt: at.seen.time.passed_since(to.time),
            retransmission_of: Some(first),
            mirrored,
            user: identity[0],
            ..Known::default()
        }
    }

    /// Tests the integrity of an answer to who `identity` is; what the credentials say of it, and of a refusal, is written down.
    fn weigh(
        &mut self,
        flow: FlowId,
        identity: [Option<Name>; 3],
        at: &Sighting,
        message: &Message<'_>,
        fields: &Fields<'_>,
    ) -> Verdicts {
        let integrity = check_answer(&mut self.credentials, &self.names, message, fields, identity);
        if let (false, Some(known)) = (self.credentials.is_empty(), self.flows.get(flow)) {
            if let Some(error) = fields.error {
                self.near.refused(&self.credentials, message.transaction_id(), error.code, identity, known.ends);
            }
            let whose = identity_of_answer(&self.names, fields, identity);
            if mismatched(&integrity) {
                self.totals.mismatch(&self.credentials, &whose);
                let place = (at.seen.frame, known.ends);
                self.near.look(&self.credentials, message, &whose, identity, &integrity, place);
            }
        }
        integrity
    }

    /// An answer to a connectivity check.
    pub(super) fn checked(
        &mut self,
        at: &Sighting,
        message: &Message<'_>,
        fields: &Fields<'_>,
        exchange: &Settled<'_>,
    ) {
        let success = message.class() == Class::Success;
        let Some(flow) = self.flows.get_mut(at.flow) else { return };
        if at.depth > 0 {
            if let Some(conversation) = &mut flow.conversation
                && conversation.client == exchange.client
            {
                conversation.relayed_checks.answered += u32::from(success);
            }
            if success && at.depth == 1 {
                self.moves.serves(at.dst, at.src);
            }
            return;
        }
        flow.directions_from(at.dst).0.checks.answered += u32::from(success);
        if let Some(mapped) = fields.xor_mapped.filter(|_| success) {
            self.see_mapped(at.transport, exchange, MappedAddress(mapped));
        }
    }

    /// An answer of a server to a client; whether a conversation took it.
    fn answered(&mut self, flow: FlowId, exchange: &Settled<'_>, at: &Sighting) -> bool {
        let (transport, ttl) = (at.transport, at.ttl);
        let answer = exchange.answer;
        let (client, server) = (exchange.client, exchange.server);
        // the far side of a NAT shows the same again: nobody else was given that nonce
        let twin_of = self.flows.get(flow).and_then(|flow| flow.twin_of);
        let twin = twin_of.is_some();
        // where it is the server that has another address there, the client has not been served by two
        let first = twin_of.and_then(|first| self.flows.conversation(first));
        let same_client = first.is_some_and(|known| known.client.0.ip() == client.0.ip());
        if let Some(nonce) = answer.nonce.filter(|_| !twin) {
            self.nonces.learn(nonce, client, answer.seen, self.limits.nonces);
        }
        let stale =
            if answer.is_error(438) && !twin { self.nonces.refused(exchange, self.limits.nonces) } else { None };
        if let Some(alternate) = answer.alternate.filter(|_| answer.code == 300) {
            self.clients.redirected(client.0.ip(), Redirect { from: server.0, to: alternate.0, at: answer.seen });
        }
        if answer.class == Class::Error {
            self.clients.coverage.hears_refusal(client.0.ip());
        }
        if answer.from.is_none() {
            self.clients.coverage.sees_both_ways();
        }
        if answer.class == Class::Success {
            match exchange.method {
                Method::ALLOCATE
                    if !exchange.lends_nothing()
                        && answer.lifetime != Some(0)
                        && answer.relayed.iter().flatten().all(|relayed| relayed.is_usable()) =>
                {
                    let user = exchange.asked.user_or_hash();
                    if !same_client {
                        self.clients.allocated(client.0.ip(), user, server.0, answer.seen.time);
                    }
                    answer.relayed.iter().flatten().for_each(|&relayed| self.arrivals.lent(relayed, server));
                }
                Method::BINDING => self.clients.answered(client.0.ip(), server.0, answer.seen.time),
                _ => {}
            }
            if let Some(mapped) = answer.mapped {
                self.see_mapped(transport, exchange, mapped);
            }
        }
        let Some(flow) = self.flows.get_mut(flow) else { return false };
        flow.gets_answer(exchange.id);
        // what the client answers when it is asked is no answer of the server's
        let conversation = flow.conversation.as_mut().filter(|known| known.client == client);
        let Some(conversation) = conversation else { return false };
        if let Some(known) = conversation.moved.and_then(|number| self.moves.get_mut(number))
            && known.asked == exchange.first
        {
            known.code = Some(answer.code);
        }
        conversation.message(From::Server, answer.seen, &mut self.servers);
        let [_, of_server] = &mut conversation.ttl;
        *of_server = ttl;
        conversation.settled(exchange);
        if stale.is_some() {
            conversation.stale = stale.map(Box::new);
        } else if answer.class == Class::Success
            && conversation.stale.take_if(|row| row.last < exchange.first).is_some()
            && let Some(nonce) = exchange.asked.nonce
        {
            self.nonces.accepted(nonce);
        }
        true
    }

    /// Writes down an exchange that was just answered.
    fn keep_answered(&mut self, at: &Sighting, id: TransactionId, flow: FlowId, asked: &Asked, answer: Answer) {
        let Some((leg, _)) = self.transactions.answered_by(id, at) else { return };
        let Some(known) = self.flows.get_mut(flow) else { return };
        let Some(conversation) = &mut known.conversation else { return };
        let exchange = Exchange { answer: Some(answer), ..leg.exchange(id, &known.ends, Some(asked), true) };
        if let Some(kept) = self.rooms.keep(conversation, exchange, flow) {
            leg.keep(kept);
            self.ordinary += 1;
        }
    }

    /// An exchange that nothing is odd about is only counted.
    fn pass_over(&mut self, flow: FlowId) {
        if let Some(conversation) = self.flows.conversation_mut(flow) {
            conversation.exchanges_omitted += 1;
        }
    }

    fn see_mapped(&mut self, transport: Transport, exchange: &Settled<'_>, mapped: MappedAddress) {
        let answer = exchange.answer;
        if mapped.0 != exchange.client.0 && answer.mapped_plain.is_none_or(|plain| plain == mapped) {
            self.nat.learn(exchange.client.0, mapped.0, &[exchange.first.frame, answer.seen.frame]);
            // a NAT maps the TCP port of the same number as it likes
            if !transport.is_stream() {
                self.nat.view(exchange.client, exchange.server, mapped, answer.seen);
            }
        }
    }

    pub(super) fn orphan(&mut self, at: &Sighting, message: &Message<'_>, fields: &Fields<'_>) -> Known {
        self.totals.orphans.add(at.seen.frame);
        let method = message.method();
        let dropped = self.transactions.dropped() > 0;
        if let Some(flow) = self.flows.get_mut(at.flow) {
            // who was heard here for longer than an answer takes, asked for it within the capture
            let [low, high] = flow.packets;
            let asker = if at.dst == flow.ends.low { low } else { high };
            let begun = at.seen.time.since(flow.first.time);
            self.totals.holes += u64::from(asker > 0 && begun >= ROUND_TRIP && !dropped);
            flow.directions_from(at.src).0.orphans += 1;
            if at.depth == 0
                && (method != Method::BINDING || flow.conversation.is_some())
                && let Some(conversation) = speak(flow, From::Server, at, true, &mut self.rooms, &mut self.servers)
            {
                conversation.orphans += 1;
                let (client, server) = (conversation.client.0.ip(), conversation.server.0);
                // who is answered has asked, and who is sent on is, whichever direction the capture lacks
                if conversation.asked == 0 {
                    self.clients.contacted(client, server, at.seen.time);
                }
                if let (Some(300), Some(to)) = (fields.error.map(|error| error.code), fields.alternate_server) {
                    self.clients.redirected(client, Redirect { from: server, to, at: at.seen });
                }
                // that the request was not captured takes nothing from what was granted
                if (method, message.class()) == (Method::ALLOCATE, Class::Success)
                    && fields.relayed.iter().flatten().any(|&relayed| RelayedAddress(relayed).is_usable())
                {
                    self.clients.allocated(client, conversation.user, server, at.seen.time);
                }
            }
        }
        let integrity = self.check(message, fields, &Identity::default());
        self.count_integrity(at.seen.frame, &integrity, false);
        Known { integrity, ..Known::default() }
    }
}

/// What a response says; `likely` are the software and the realm that the server told before.
#[expect(clippy::too_many_arguments, reason = "they are what an answer is made of")]
fn answer(
    names: &mut Names,
    likely: [Option<Name>; 2],
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
    let [software, realm] = likely;
    Answer {
        seen,
        to,
        from,
        class: message.class(),
        code: fields.error.map_or(0, |error| error.code),
        reason: fields.error.and_then(|error| names.intern(error.reason)),
        reason_truncated: fields.reason_truncated,
        realm: fields.realm.and_then(|text| names.intern_like(text, realm)),
        nonce: fields.nonce.map(|nonce| names.digest(nonce)),
        nonce_features: fields.nonce.and_then(features),
        software: fields.software.and_then(|text| names.intern_like(text, software)),
        mapped,
        mapped_plain: fields.mapped.map(MappedAddress).filter(|_| fields.xor_mapped.is_some()),
        relayed: fields.relayed.map(|relayed| relayed.map(RelayedAddress)),
        lifetime: fields.lifetime,
        alternate: fields.alternate_server.map(ServerAddress),
        unknown: [listed.next(), listed.next(), listed.next(), listed.next()],
        password_algorithms: fields.password_algorithms.is_some(),
        authorization: fields.third_party_authorization.and_then(|name| names.intern(name)),
        integrity,
        fingerprint_bad: fields.fingerprint && message.fingerprint() == Some(Fingerprint::Bad),
        truncated: message.truncated(),
        ..Answer::default()
    }
}
