//! The short way for what nearly all messages of a busy server are: a request like those before it on its flow, sent once, and the
//! success that answers it.
//!
//! It does what the long way does ([`Session::request`], [`Session::response`]) and gives the same, which is tested; it merely leaves out
//! what cannot be in such a message. Whatever is not plain goes the long way, with nothing changed.

use super::credentials::{Integrity, Status};
use super::exchange::{Asked, Seen, Verdicts};
use super::observe::Known;
use super::requests::features;
use super::transaction::Sighting;
use super::{From, Session};
use crate::event::Event;
use crate::net::{Endpoint, PeerAddress};
use crate::wire::stun::integrity::Algorithm;
use crate::wire::stun::{AttributeCode as Code, Class, Fingerprint, Message, Method};

/// What a plain message holds.
#[derive(Default)]
struct Plain<'a> {
    user: Option<&'a [u8]>,
    realm: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
    software: Option<&'a [u8]>,
    mapped: Option<Endpoint>,
    peer: Option<Endpoint>,
    lifetime: Option<u32>,
    channel: Option<u16>,
    transport: Option<u8>,
    signed: bool,
    fingerprint: bool,
}

impl<'a> Plain<'a> {
    /// Reads a message; `None` where anything in it is improper, rare or there twice.
    #[inline]
    fn read(message: &Message<'a>) -> Option<Plain<'a>> {
        let declared = usize::from(message.declared_length());
        let mut rest = message.bytes().get(20..)?;
        if !message.is_plain() || declared % 4 != 0 || rest.len() != declared {
            return None;
        }
        let mut plain = Plain::default();
        while let Some((&[t0, t1, l0, l1], after)) = rest.split_first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            let (padded, next) = after.split_at_checked((length + 3) & !3)?;
            let value = padded.get(..length)?;
            rest = next;
            let code = Code(u16::from_be_bytes([t0, t1]));
            if plain.fingerprint || (plain.signed && code != Code::FINGERPRINT) {
                return None;
            }
            let again = match code {
                Code::USERNAME => plain.user.replace(short(value)?).is_some(),
                Code::REALM => plain.realm.replace(short(value)?).is_some(),
                Code::NONCE => plain.nonce.replace(short(value)?).is_some(),
                Code::SOFTWARE => plain.software.replace(short(value)?).is_some(),
                Code::MESSAGE_INTEGRITY if length == 20 => std::mem::replace(&mut plain.signed, true),
                Code::FINGERPRINT if length == 4 => std::mem::replace(&mut plain.fingerprint, true),
                Code::XOR_MAPPED_ADDRESS => plain.mapped.replace(message.plain_address(value)?).is_some(),
                Code::XOR_PEER_ADDRESS => plain.peer.replace(message.plain_address(value)?).is_some(),
                Code::LIFETIME => plain.lifetime.replace(u32::from_be_bytes(value.try_into().ok()?)).is_some(),
                Code::CHANNEL_NUMBER => match *value {
                    [high, low, 0, 0] => plain.channel.replace(u16::from_be_bytes([high, low])).is_some(),
                    _ => true,
                },
                Code::REQUESTED_TRANSPORT => match *value {
                    [protocol, 0, 0, 0] => plain.transport.replace(protocol).is_some(),
                    _ => true,
                },
                _ => true,
            };
            if again {
                return None;
            }
        }
        rest.is_empty().then_some(plain)
    }

    fn verdicts(&self) -> Verdicts {
        let untested = Integrity { algorithm: Algorithm::Sha1, status: Status::Untested };
        [self.signed.then_some(untested), None]
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
    pub(super) fn express(&mut self, event: &Event<'_>, message: &Message<'_>) -> Option<Known> {
        let silent = self.credentials.is_empty() && self.sightings.is_empty();
        if self.long_way_only || !silent || !event.hops.is_empty() || event.transport.is_stream() {
            return None;
        }
        // an answer tells of its way too, where there are sessions of ICE
        if message.method() == Method::BINDING && !self.ice.is_empty() {
            return None;
        }
        match message.class() {
            Class::Request => self.express_request(event, message),
            Class::Success => self.express_success(event, message),
            Class::Error | Class::Indication => None,
        }
    }

    fn express_request(&mut self, event: &Event<'_>, message: &Message<'_>) -> Option<Known> {
        let method = message.method();
        let flow = self.flows.find(event.src, event.dst)?;
        // media on the same flow is told that its way is alive
        let known = self.flows.get(flow).filter(|flow| flow.media.is_none())?;
        let conversation = known.conversation.as_deref().filter(|known| known.client.0 == event.src)?;
        let plain = Plain::read(message)?;
        let user = self.names.same(plain.user, conversation.user)?;
        let realm = self.names.same(plain.realm, conversation.realm)?;
        let proper = matches!(
            method,
            Method::REFRESH | Method::CREATE_PERMISSION | Method::CHANNEL_BIND | Method::BINDING | Method::ALLOCATE
        );
        let check = method == Method::BINDING && plain.user.is_some() && plain.realm.is_none();
        if !proper || check || plain.mapped.is_some() || plain.nonce.and_then(features).is_some() {
            return None;
        }
        let id = message.transaction_id();
        if self.transactions.is_known(id) || (plain.fingerprint && message.fingerprint() == Some(Fingerprint::Bad)) {
            return None;
        }
        let seen = Seen { frame: event.frame, time: event.time };
        let integrity = plain.verdicts();
        let asked = Asked {
            user,
            realm,
            nonce: plain.nonce.map(|nonce| self.names.digest(nonce)),
            integrity_sha1: plain.signed,
            integrity,
            lifetime: plain.lifetime,
            transport: plain.transport,
            channel: plain.channel,
            peer: plain.peer.map(PeerAddress),
            peers: u16::from(plain.peer.is_some()),
            ..Asked::default()
        };
        let at = Sighting {
            flow,
            depth: 0,
            src: event.src,
            dst: event.dst,
            transport: event.transport,
            seen,
            digest: self.names.digest(message.bytes()),
            ip_id: event.ip_id,
            ttl: event.ttl,
        };
        self.transactions.add(id, method, &at, &asked, false);
        self.totals.stun(message.message_type());
        self.totals.transactions += 1;
        if let Some(known) = self.flows.get_mut(flow) {
            known.count(event.src, seen);
            known.stun = true;
        }
        self.converse(&at, id, method, &asked);
        Some(Known { integrity, user, ..Known::default() })
    }

    fn express_success(&mut self, event: &Event<'_>, message: &Message<'_>) -> Option<Known> {
        if self.ordinary < self.limits.ordinary_exchanges {
            return None;
        }
        let id = message.transaction_id();
        let flow_id = self.flows.find(event.src, event.dst)?;
        let leg = self.transactions.plain(id, flow_id)?;
        let flow = self.flows.get_mut(flow_id).filter(|flow| flow.media.is_none())?;
        let (client, server) = leg.roles(&flow.ends);
        let conversation = flow.conversation.as_deref_mut().filter(|known| known.client == client)?;
        if client.0 != event.dst || conversation.moved.is_some() || conversation.stale.is_some() {
            return None;
        }
        let plain = Plain::read(message)?;
        self.names.same(plain.software, conversation.software)?;
        let method = leg.method;
        let nothing_new = plain.realm.is_none() && plain.nonce.is_none() && plain.user.is_none();
        if !nothing_new
            || message.method() != method
            || plain.mapped.is_some_and(|mapped| mapped != client.0)
            || (plain.fingerprint && message.fingerprint() == Some(Fingerprint::Bad))
        {
            return None;
        }
        let asked = leg.asked.as_deref()?;
        let (seen, first) = (Seen { frame: event.frame, time: event.time }, leg.first);
        match method {
            Method::BINDING => self.clients.answered(client.0.ip(), server.0, seen.time),
            Method::REFRESH => {
                if let Some(allocation) = &mut conversation.allocation {
                    allocation.prolonged(plain.lifetime.or(asked.lifetime), seen);
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
        let rtt = seen.time.since(first.time);
        flow.pending = flow.pending.filter(|&pending| pending != id);
        flow.stun = true;
        conversation.message(From::Server, seen);
        let [_, of_server] = &mut conversation.ttl;
        *of_server = event.ttl;
        conversation.granted_plainly(method, rtt, seen.time);
        flow.count(event.src, seen);
        let digest = self.names.digest(message.bytes());
        let user = leg.answer_first(seen, digest, event.ip_id);
        if let Some(asked) = leg.asked.take() {
            self.transactions.give_back(asked);
        }
        self.totals.stun(message.message_type());
        let request_frame = Some(first.frame);
        Some(Known { integrity: plain.verdicts(), request_frame, rtt: Some(rtt), user, ..Known::default() })
    }
}
