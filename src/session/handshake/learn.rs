//! What handshake messages tell of an association, whether DTLS or TLS carries them.

use super::association::{AlertSeen, Both, Certificate, Handshake, MessageSeen, Role};
use super::flight::{Flight, What};
use super::offer::Offer;
use crate::bounded::BoundedList;
use crate::session::conversations::exchange::Seen;
use crate::wire::handshake::certificate::{Fingerprint, HashFunction, Summary};
use crate::wire::handshake::{
    Alert, ExtensionType, HandshakeType, Message, Protocol, ServerKeyExchange, Value, Version,
};

/// Entries of the lists of an association.
const MAX_MESSAGES: usize = 24;
const MAX_CERTIFICATES: usize = 8;
const MAX_ALERTS: usize = 8;
const MAX_FLIGHTS: usize = 16;
/// Bytes of a protected alert of version 1.3: the alert, its content type, and the tag that all suites but one have.
pub(in crate::session) const ALERT_1_3: usize = 2 + 1 + 16;

/// A handshake message that came whole.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Heard<'a> {
    /// Its type.
    pub kind: HandshakeType,
    /// Its number in its direction.
    pub sequence: u16,
    /// Its body.
    pub body: &'a [u8],
    /// In how many fragments or records it came.
    pub pieces: u32,
    /// The frame that completed it.
    pub seen: Seen,
}

/// What a whole message tells.
pub(in crate::session) fn learn(
    handshake: &mut Handshake,
    role: Role,
    protocol: Protocol,
    heard: &Heard<'_>,
    functions: &[HashFunction],
) {
    let &Heard { kind, sequence, body, pieces, seen } = heard;
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let chosen = handshake.chosen.as_ref().map(|chosen| (chosen.version, chosen.suite));
    let side = &mut handshake.sides[role];
    side.messages.push_up_to(MAX_MESSAGES, MessageSeen { kind, sequence, length, fragments: pieces, seen });
    let Ok(read) = Message::parse(kind, body, protocol, chosen) else { return };
    match read {
        Message::ClientHello(hello) if role == Role::Client => {
            side.hello = Some(Box::new(Offer::of_client(&hello, seen, length, pieces)));
        }
        Message::ServerHello(hello) if role == Role::Server && hello.is_retry() => {
            handshake.retry_request.get_or_insert(seen);
        }
        Message::ServerHello(hello) if role == Role::Server => {
            let offer = Offer::of_server(&hello, seen, length, pieces);
            handshake.chosen = handshake.chosen.take().or_else(|| offer.chosen());
            let is_1_3 = matches!(hello.negotiated(), Version::DTLS_1_3 | Version::TLS_1_3);
            handshake.resumed |= offer.resumes && is_1_3;
            side.hello = Some(Box::new(offer));
        }
        Message::HelloVerifyRequest(_) if role == Role::Server => {
            handshake.verify_request.get_or_insert(seen);
        }
        Message::EncryptedExtensions(extensions) if role == Role::Server => {
            if let (Some(chosen), Some(Value::Alpn(mut names))) =
                (&mut handshake.chosen, extensions.value(ExtensionType::ALPN))
            {
                chosen.alpn = names.next().map(super::offer::text);
            }
        }
        Message::Certificate(chain) if side.certificates.is_none() => {
            side.certificates =
                Some(chain.take(MAX_CERTIFICATES).map(|der| certificate(der, seen, functions)).collect());
        }
        Message::CertificateRequest(_) | Message::Other(HandshakeType::CERTIFICATE_REQUEST, _) => {
            side.certificate_request = Some(seen)
        }
        Message::ServerKeyExchange(exchange) => {
            if let Some(chosen) = &mut handshake.chosen
                && let ServerKeyExchange::Ecdhe { group, signed, .. } = exchange
            {
                chosen.group = Some(group);
                chosen.signature = signed.and_then(|signed| signed.scheme);
            }
        }
        _ => {}
    }
}

impl Handshake {
    /// An alert in the clear, or one that keys opened.
    pub(in crate::session) fn alert(&mut self, from: Role, alert: Option<Alert>, seen: Seen) {
        if let Some(alert) = alert.filter(|_| self.alerts.len() < MAX_ALERTS) {
            self.alerts.push(AlertSeen { from, alert, seen });
        }
    }

    /// Puts something new into the last flight, if that `goes_on` with it, or into one of its own.
    pub(in crate::session) fn add_to_flight(
        &mut self,
        from: Role,
        what: What,
        seen: Seen,
        datagram: u32,
        goes_on: impl Fn(&Flight) -> bool,
    ) {
        if !self.flights.last().is_some_and(goes_on) {
            if self.flights.len() >= MAX_FLIGHTS {
                return;
            }
            self.flights.push(Flight::new(from, seen, datagram));
        }
        if let Some(flight) = self.flights.last_mut() {
            flight.add(what, seen, datagram);
        }
    }

    /// An alert that is encrypted.
    pub(in crate::session) fn sealed_alert(&mut self, from: Role, seen: Seen) {
        self.sides[from].sealed_alerts.get_or_insert((seen, seen)).1 = seen;
    }

    /// One end has finished. It is complete once both have; up to version 1.2 the server is first where an earlier session is taken up (RFC 5246 §7.3).
    pub(in crate::session) fn finished(&mut self, up_to_1_2: bool) {
        let Both { client, server } = &self.sides;
        if let (Some(of_client), Some(of_server), None) = (client.protected, server.protected, self.completed) {
            self.completed = Some(of_client.max(of_server));
            if up_to_1_2 {
                let certified = server.certificates.is_some() || client.sent(HandshakeType::CLIENT_KEY_EXCHANGE);
                self.resumed = self.from_start && of_server < of_client && !certified;
            }
        }
    }
}

fn certificate(der: &[u8], seen: Seen, functions: &[HashFunction]) -> Certificate {
    Certificate {
        fingerprint: Fingerprint::of(der),
        others: functions.iter().map(|&function| Fingerprint::with(function, der)).collect(),
        summary: Summary::of(der).ok(),
        seen,
    }
}
