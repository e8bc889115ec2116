//! Requests as they come: what is new, repeated or seen twice, and what it says.

use super::signatures::mismatched;
use super::transaction::{Request, Sighting};
use crate::net::{ClientAddress, Endpoint, PeerAddress, ServerAddress};
use crate::session::conversations::exchange::{Asked, Exchange, NonceFeatures, Verdicts};
use crate::session::credentials::Identity;
use crate::session::flow::FlowId;
use crate::session::observe::{Known, speak};
use crate::session::{From, Move, Name, Names, Session, What};
use crate::time::Span;
use crate::wire::stun::{Fields, Message, Method, TransactionId};

/// NATs pass a packet on within this time.
const NAT_PASSAGE: Span = Span::from_millis(20);

impl Session {
    pub(in crate::session) fn request(&mut self, at: &Sighting, message: &Message<'_>, fields: &Fields<'_>) -> Known {
        let method = message.method();
        let identity = Identity::of(fields);
        let integrity = self.check(message, fields, &identity);
        let id = message.transaction_id();
        let known = Known { integrity, ..Known::default() };
        let twin_of = match self.transactions.request(id, at) {
            Request::Mirrored { first } => {
                self.totals.mirrored.add(at.seen.frame);
                return Known { retransmission_of: Some(first.frame), mirrored: true, ..known };
            }
            Request::Again { first } => {
                self.totals.stun(message.message_type());
                self.count_check(at, is_check(method, fields));
                return Known { retransmission_of: Some(first.frame), ..known };
            }
            Request::New => None,
            Request::Twin { of } | Request::Another { of } => Some(of),
        };
        let conversation = self.flows.conversation(at.flow);
        let likely = conversation.map_or([None; 2], |known| [known.user, known.realm]);
        let asked = asked(&mut self.names, likely, message, fields, integrity);
        let mut room = self.transactions.room();
        *room = asked;
        self.transactions.add(id, method, at, room, twin_of.is_some());
        if method == Method::CREATE_PERMISSION
            && asked.peers > 1
            && let Some(leg) = self.transactions.leg_on(id, at.flow)
        {
            leg.asks_for(message.peers().take(asked.peers.into()).skip(1).map(PeerAddress));
        }
        self.totals.stun(message.message_type());
        // the other side of a NAT or of a relay shows the same transaction once more
        let twin_of = twin_of.flatten().filter(|&first| !self.is_sent_on(first, at));
        self.totals.transactions += u64::from(twin_of.is_none());
        self.count_integrity(at.seen.frame, &integrity, true);
        if mismatched(&integrity) {
            self.totals.mismatch(&self.credentials, &identity);
        }
        if let (false, Some(_), Some(flow)) = (self.credentials.is_empty(), integrity[0], self.flows.get(at.flow)) {
            let (names, place) = ([asked.user, asked.realm, asked.userhash], (at.seen.frame, flow.ends));
            self.near.look(&self.credentials, message, &identity, names, &integrity, place);
        }
        if let Some(first) = twin_of {
            self.twin(id, first, at);
        }
        let known = Known { user: asked.user, ..known };
        self.count_check(at, asked.check);
        if let (0, true, Some(user), false) = (at.depth, asked.check, asked.user, at.transport.is_stream()) {
            let flows = &self.flows;
            let answered = |old: Endpoint| {
                let flow = flows.find_on(at.transport, old, at.dst).and_then(|id| flows.get(id));
                flow.is_some_and(|flow| flow.directions.iter().any(|direction| direction.checks.answered > 0))
            };
            self.moves.check(user, (at.src, at.dst), at.seen, self.limits.mappings, answered);
        }
        if let (1, true, Some(user), false) = (at.depth, asked.check, asked.user, at.transport.is_stream()) {
            self.check_carried(at, user);
        }
        if at.depth == 0 && !asked.check {
            if fields.mobility_ticket.is_some() {
                self.ticket_shown(message, fields);
            }
            self.converse(at, id, method, &asked);
        }
        known
    }

    /// A new request of a client to a server on the flow's own level.
    pub(in crate::session) fn converse(&mut self, at: &Sighting, id: TransactionId, method: Method, asked: &Asked) {
        let given = asked.nonce.and_then(|nonce| self.nonces.echo(nonce, at.seen.time));
        let is_one_host = given.is_some_and(|(old, _)| old.0.ip() == at.src.ip() || self.is_moved_to(at, asked, old));
        let Some(flow) = self.flows.get_mut(at.flow) else { return };
        flow.asks(id);
        let is_twin = flow.twin_of.is_some();
        let starts = matches!(method, Method::ALLOCATE | Method::BINDING);
        let Some(conversation) = speak(flow, From::Client, at, !starts, &mut self.rooms, &mut self.servers) else {
            return;
        };
        if let Some((client, seen)) = given
            && client != conversation.client
        {
            conversation.nonce_of = Some(client);
            // over TCP another port is another connection, and no sign of a NAT that forgot a mapping; nor is the other side of that
            let same_way = !at.transport.is_stream() && !is_twin;
            if same_way && !starts && conversation.asked == 0 && is_one_host {
                conversation.moved_from = Some(Box::new((client, seen)));
                let server = conversation.server;
                conversation.sent(method, asked, at.seen);
                return self.moved(at, asked.user, client, server);
            }
        }
        let first = conversation.asked == 0;
        conversation.sent(method, asked, at.seen);
        let (client, server) = (conversation.client.0.ip(), conversation.server.0);
        if first || method == Method::ALLOCATE {
            self.tls.asked(client, server, method == Method::ALLOCATE);
        }
        if first {
            self.clients.contacted(client, server, at.seen.time);
            if asked.is_signed() {
                self.clients.began_signed(client, server, at.seen.time);
            }
        }
    }

    /// Whether a request shows that the client with an allocation at `old` has another address now: it has the user of that, and a nonce that nobody else was
    /// given.
    fn is_moved_to(&self, at: &Sighting, asked: &Asked, old: ClientAddress) -> bool {
        let known = self.flows.find(old.0, at.dst).and_then(|id| self.flows.get(id)?.own_conversation());
        let known = known.filter(|known| known.client == old);
        let user = asked.user_or_hash();
        known
            .and_then(|known| known.live_allocation(at.seen.time))
            .is_some_and(|allocation| user.is_some() && allocation.user == user)
            && asked.nonce.is_some_and(|nonce| !self.nonces.is_shared(nonce))
    }

    /// A client has its server carry a connectivity check. Where the allocation that did so before is another port's, which is silent since, and the server
    /// says nothing to this one, the client has moved: servers pass over data of a port that has no allocation.
    fn check_carried(&mut self, at: &Sighting, user: Name) {
        const SEVERAL: u32 = 4;
        let Session { flows, moves, limits, .. } = self;
        let lends = |client: Endpoint| {
            let known = flows.find(client, at.dst).and_then(|id| flows.get(id)?.own_conversation());
            known.is_some_and(|known| known.client.0 == client && known.live_allocation(at.seen.time).is_some())
        };
        if lends(at.src) {
            return moves.carries(user, at.dst, at.src, limits.mappings);
        }
        let is_twin = flows.get(at.flow).is_none_or(|flow| flow.twin_of.is_some());
        let old = moves.carrier(user, at.dst).filter(|&old| !is_twin && old != at.src && lends(old));
        let Some(old) = old.filter(|_| moves.strays(at.src, at.dst, limits.mappings) == Some(SEVERAL)) else { return };
        self.moved(at, None, ClientAddress(old), ServerAddress(at.dst));
    }

    /// A client uses a nonce, or the user fragments of checks, that it had on another port, where it had an allocation.
    pub(super) fn moved(&mut self, at: &Sighting, user: Option<Name>, old: ClientAddress, server: ServerAddress) {
        let Some(id) = self.flows.find(old.0, server.0) else { return };
        // data may have gone on from there at once, long before a request
        let began = self.flows.get(at.flow).map(|flow| flow.first);
        let Some(known) = self.flows.conversation_mut(id) else { return };
        if known.client != old || known.live_allocation(at.seen.time).is_none() {
            return;
        }
        if let Some(number) = known.moved {
            // what data had shown, the answer to a request may now take back
            let same = self.moves.get_mut(number).filter(|known| known.new == at.src && known.code.is_none());
            let conversation = self.flows.conversation_mut(at.flow);
            if let (Some(known), Some(conversation)) = (same, conversation) {
                known.asked = at.seen;
                conversation.moved = Some(number);
            }
            return;
        }
        let new = Move {
            what: What::Allocation,
            to: server.0,
            old: old.0,
            last: known.heard,
            new: at.src,
            first: began.filter(|&began| began > known.heard).unwrap_or(at.seen),
            asked: at.seen,
            user: user.or(known.user),
            returned: false,
            code: None,
        };
        known.moved = self.moves.add(new);
        let number = known.moved;
        if let Some(conversation) = self.flows.conversation_mut(at.flow) {
            conversation.moved = number;
        }
    }

    /// Whether a server sent the client on to where this request goes: libjuice asks there with the id that was answered.
    fn is_sent_on(&self, first: FlowId, at: &Sighting) -> bool {
        let known = self.flows.conversation(first);
        let leads_here = |exchange: &Exchange| {
            exchange.answer.as_ref().and_then(|answer| answer.alternate) == Some(ServerAddress(at.dst))
        };
        known.is_some_and(|known| known.client.0 == at.src && known.exchanges.iter().any(leads_here))
    }

    /// The same request on another flow: two sides of a NAT, if the packet is the same one.
    pub(super) fn twin(&mut self, id: TransactionId, first: FlowId, at: &Sighting) {
        let Some(leg) = self.transactions.leg_on(id, first) else { return };
        let Some(flow) = self.flows.get(first) else { return };
        let (client, server) = leg.roles(&flow.ends);
        let known_passage = self.joins.is_passage((client.0, server.0), (at.src, at.dst));
        let same_packet = leg.depth == at.depth && (leg.ip_id() == at.ip_id || client.0 != at.src);
        // where two captures became one, their clocks may be apart; a NAT leaves the number of a packet as it is, and lowers its TTL
        let [ttl, _] = flow.conversation.as_deref().map_or([0; 2], |known| known.ttl);
        let numbered = at.ip_id != 0 && leg.ip_id() == at.ip_id && ttl != 0 && ttl != at.ttl;
        let at_once = at.seen.time.apart(leg.last().time) < NAT_PASSAGE;
        if !same_packet || at.depth > 0 || !(known_passage || at_once || numbered) {
            return;
        }
        let frames = [leg.last().frame, at.seen.frame];
        // the lower TTL is further on, whatever the clocks say
        let reversed = !at_once && numbered && at.ttl > ttl;
        if !known_passage {
            let (one, other) = ((client.0, server.0), (at.src, at.dst));
            let (near, far) = if reversed { (other, one) } else { (one, other) };
            self.nat.cross(near.0, far.0, &frames);
            self.nat.learn(far.1, near.1, &frames);
        }
        // a flow of which nothing was seen before but data shows that of the other, too
        if let Some(flow) = self.flows.get_mut(at.flow)
            && flow.conversation.as_deref().is_none_or(|known| known.asked == 0)
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
}

/// Whether a request is a connectivity check of ICE rather than a question to a server: it has ICE's attributes, or it is signed with
/// short-term credentials, which in practice only ICE uses.
pub(in crate::session) fn is_check(method: Method, fields: &Fields<'_>) -> bool {
    let ice = fields.priority.is_some() || fields.controlling.is_some() || fields.controlled.is_some();
    let short_term = fields.username.is_some() && fields.realm.is_none();
    method == Method::GOOG_PING || (method == Method::BINDING && (ice || fields.use_candidate || short_term))
}

/// What a request says; `likely` are the user and the realm of the one before it.
pub(super) fn asked(
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

pub(in crate::session) fn features(nonce: &[u8]) -> Option<NonceFeatures> {
    let features = crate::wire::stun::nonce::features(nonce)?;
    Some(NonceFeatures {
        password_algorithms: features.password_algorithms,
        username_anonymity: features.username_anonymity,
    })
}
