//! DTLS associations in a report.

pub use crate::session::handshake::State as DtlsState;

use super::convert::{Origin, transport};
use super::{Address, Place, Time, Transport};
use crate::event::Via;
use crate::frame::in_order;
use crate::session::handshake::{AlertSeen, Both, Certificate, Closing, Flight, Handshake, Offer, Role, Side};
use crate::time::Timestamp;
use crate::wire::handshake::certificate::Summary;
use schemars::JsonSchema;
use serde::Serialize;

/// One DTLS association. What it takes the keys to read is `null`: in DTLS 1.3 that is all but the hellos.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Dtls {
    /// Who sends the ClientHello; behind a relay the relayed or the peer's address, as ICE sees it.
    pub client: Address,
    /// Who answers it.
    pub server: Address,
    /// Whether it is known who is client: a capture that begins within a handshake may not show it.
    pub roles_known: bool,
    /// The version agreed on: `DTLS 1.2`.
    pub version: Option<String>,
    /// The versions that the client offers, by preference.
    pub versions_offered: Vec<String>,
    /// The suite agreed on, by its IANA name.
    pub cipher_suite: Option<String>,
    /// The suites that the client offers.
    pub cipher_suites_offered: Vec<String>,
    /// The SRTP profile agreed on.
    pub srtp_profile: Option<String>,
    /// The SRTP profiles that the client offers.
    pub srtp_profiles_offered: Vec<String>,
    /// The group of the key exchange.
    pub group: Option<String>,
    /// The groups that the client offers.
    pub groups: Vec<String>,
    /// The scheme of the server's signature.
    pub signature_algorithm: Option<String>,
    /// The signature schemes that the client offers.
    pub signature_algorithms: Vec<String>,
    /// The protocol of ALPN agreed on.
    pub alpn: Option<String>,
    /// The protocols of ALPN that the client offers.
    pub alpn_offered: Vec<String>,
    /// The server name that the client asks for.
    pub server_name: Option<String>,
    /// How far it came.
    pub state: DtlsState,
    /// Its first record.
    pub started_at: Option<Time>,
    /// When both ends had finished.
    pub completed_at: Option<Time>,
    /// From the first record to the end of the handshake, in microseconds; `null` where the beginning is not in the capture.
    pub duration_us: Option<i64>,
    /// Whether an earlier session was taken up.
    pub resumed: bool,
    /// Whether the server asked for a ClientHello with a cookie first (HelloVerifyRequest).
    pub hello_verify: bool,
    /// Whether the server asked for another ClientHello (HelloRetryRequest).
    pub hello_retry: bool,
    /// Handshakes inside the association, under its keys.
    pub renegotiations: u64,
    /// The client's certificate as session descriptions tell it: `sha-256 AB:CD:…`.
    pub client_fingerprint: Option<String>,
    /// The server's certificate.
    pub server_fingerprint: Option<String>,
    /// All certificates.
    pub certificates: Vec<DtlsCertificate>,
    /// The flights, in order; the first ones.
    pub flights: Vec<DtlsFlight>,
    /// How often flights were sent again.
    pub retransmits: u64,
    /// Handshake messages of which parts never came, or are not in the capture.
    pub missing: Vec<DtlsMissing>,
    /// Bytes of the largest datagram of the handshake from the client.
    pub client_largest_datagram: u32,
    /// Bytes of the largest datagram of the handshake from the server.
    pub server_largest_datagram: u32,
    /// The alert that ended it, else the first one in the clear.
    pub alert: Option<DtlsAlertSeen>,
    /// Who closed it, if anybody did.
    pub closed: Option<DtlsClosing>,
    /// Records of application data from the client; in DTLS 1.3 all records under the application keys.
    pub client_data_records: u64,
    /// Records of application data from the server.
    pub server_data_records: u64,
    /// What it goes over between the two: `udp`, or `tcp` in frames of RFC 4571; a relay's client may reach that over something else.
    pub transport: Transport,
    /// The layers that carried it, if it was not in the datagrams themselves: `send`, `data`, `channel-data`, `dtls-in-stun`.
    pub via: Vec<&'static str>,
    /// Other addresses between which the same association was seen: beyond a NAT or a relay, or on another pair.
    pub also: Vec<DtlsWay>,
    /// The frames that tell it.
    pub evidence: Vec<Place>,
    /// How many frames that are.
    pub evidence_total: u64,
}

/// A certificate of a DTLS handshake.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DtlsCertificate {
    /// Whose chain it is in: `client` or `server`.
    pub from: &'static str,
    /// Its SHA-256 as session descriptions tell it.
    pub fingerprint: String,
    /// Whom it names; `null` where it is no certificate.
    pub subject: Option<String>,
    /// Who made it.
    pub issuer: Option<String>,
    /// Its alternative names.
    pub names: Vec<String>,
    /// From when it is valid.
    pub not_before: Option<Time>,
    /// Until when.
    pub not_after: Option<Time>,
    /// Whether it is valid at the frame's time.
    pub valid: Option<bool>,
    /// The kind of its key: `EC secp256r1`, `RSA 2048`.
    pub key: Option<String>,
    /// How it is signed.
    pub signature: Option<String>,
    /// Whether issuer and subject are the same.
    pub self_signed: Option<bool>,
    /// The frame that completes it.
    pub place: Place,
}

/// A flight of a DTLS handshake.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DtlsFlight {
    /// `client` or `server`.
    pub from: &'static str,
    /// What is in it; `(encrypted)` for what cannot be read.
    pub messages: Vec<String>,
    /// When each transmission began; the first ones.
    pub times: Vec<Time>,
    /// The frames in which they began.
    pub places: Vec<Place>,
    /// How often it was sent again.
    pub retransmits: u32,
    /// Bytes of its largest datagram.
    pub largest_datagram: u32,
}

/// A handshake message of which parts never came, or are not in the capture.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DtlsMissing {
    /// `client` or `server`.
    pub from: &'static str,
    /// The message.
    pub message: String,
    /// Bytes of it.
    pub length: u32,
    /// The first and the last byte of each part that is missing, from 0; the first ones.
    pub bytes: Vec<[u32; 2]>,
    /// Whether the snap length cut them off, so that nothing tells whether they came.
    pub cut: bool,
}

/// An alert in the clear.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DtlsAlertSeen {
    /// Who sent it: `client` or `server`.
    pub from: &'static str,
    /// `warning` or `fatal`.
    pub level: String,
    /// What it says: `bad_certificate`.
    pub description: String,
    /// Where.
    pub place: Place,
}

/// How a DTLS association was closed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DtlsClosing {
    /// By whom: `client` or `server`.
    pub by: &'static str,
    /// When.
    pub at: Time,
    /// Whether close_notify was readable; else it is a protected alert at the end, which says so by its size and place only.
    pub clear: bool,
    /// Where.
    pub place: Place,
}

/// Another pair of addresses of an association.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DtlsWay {
    /// The client there.
    pub client: Address,
    /// The server there.
    pub server: Address,
    /// The layers that carried it there.
    pub via: Vec<&'static str>,
    /// Its first frame there.
    pub place: Place,
}

/// The published form of an association; `None` for one without a way, which there is not.
pub(super) fn dtls(handshake: &Handshake, origin: Origin) -> Option<Dtls> {
    let way = handshake.way()?;
    let time = |at: Timestamp| origin.time(at);
    let (client, server) = (&handshake.sides.client, &handshake.sides.server);
    let (chosen, none) = (handshake.chosen.as_ref(), Offer::default());
    let offer = client.hello.as_deref().unwrap_or(&none);
    let both = [(Role::Client, client), (Role::Server, server)];
    let evidence = evidence(handshake);
    Some(Dtls {
        client: Address(way.client),
        server: Address(way.server),
        roles_known: handshake.roles_known,
        version: chosen.map(|chosen| chosen.version.to_string()),
        versions_offered: texts(&offer.versions),
        cipher_suite: chosen.map(|chosen| chosen.suite.to_string()),
        cipher_suites_offered: texts(&offer.suites),
        srtp_profile: chosen.and_then(|chosen| chosen.srtp).map(|profile| profile.to_string()),
        srtp_profiles_offered: offer.srtp.as_deref().map(texts).unwrap_or_default(),
        group: chosen.and_then(|chosen| chosen.group).map(|group| group.to_string()),
        groups: texts(&offer.groups),
        signature_algorithm: chosen.and_then(|chosen| chosen.signature).map(|scheme| scheme.to_string()),
        signature_algorithms: texts(&offer.signatures),
        alpn: chosen.and_then(|chosen| chosen.alpn.clone()),
        alpn_offered: offer.alpn.clone(),
        server_name: offer.server_name.clone(),
        state: handshake.state(),
        started_at: handshake.from_start.then(|| time(handshake.first.time)),
        completed_at: handshake.completed.map(|seen| time(seen.time)),
        duration_us: handshake.duration().map(|span| span.micros()),
        resumed: handshake.resumed,
        hello_verify: handshake.verify_request.is_some(),
        hello_retry: handshake.retry_request.is_some(),
        renegotiations: handshake.renegotiations.into(),
        client_fingerprint: client.certificate().map(|known| known.fingerprint.to_string()),
        server_fingerprint: server.certificate().map(|known| known.fingerprint.to_string()),
        certificates: certificates(&handshake.sides, origin),
        flights: handshake.flights.iter().map(|flight| flight_of(flight, origin)).collect(),
        retransmits: handshake.retransmits(),
        missing: both.iter().flat_map(|(role, side)| missing(*role, side, handshake.truncated)).collect(),
        client_largest_datagram: client.largest_datagram,
        server_largest_datagram: server.largest_datagram,
        alert: handshake.fatal().or(handshake.alerts.first()).map(|alert| alert_of(alert, origin)),
        closed: handshake.closing().map(|closing| closing_of(&closing, origin)),
        client_data_records: client.data.records,
        server_data_records: server.data.records,
        transport: transport(&way.path, way.via.iter().flatten().any(|via| *via == Via::Connection.layer())),
        via: way.via.iter().flatten().copied().collect(),
        also: handshake
            .ways
            .iter()
            .skip(1)
            .map(|way| DtlsWay {
                client: Address(way.client),
                server: Address(way.server),
                via: way.via.iter().flatten().copied().collect(),
                place: origin.place(way.first.frame),
            })
            .collect(),
        evidence_total: evidence.len() as u64,
        evidence: origin.places(&evidence),
    })
}

pub(super) fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// The frames that tell how it went: where flights begin, where it was complete, alerts.
pub(super) fn evidence(handshake: &Handshake) -> Vec<u64> {
    let flights = handshake.flights.iter().map(|flight| flight.first);
    let alerts = handshake.alerts.iter().map(|alert| alert.seen);
    let told = flights.chain(alerts).chain(handshake.completed).chain([handshake.first]);
    in_order(told.map(|seen| seen.frame))
}

/// The chain of the client, then that of the server.
pub(super) fn certificates(sides: &Both<Side>, origin: Origin) -> Vec<DtlsCertificate> {
    let both = [(Role::Client, &sides.client), (Role::Server, &sides.server)];
    let all = both.into_iter().flat_map(|(role, side)| side.certificates.iter().flatten().map(move |one| (role, one)));
    all.map(|(role, known)| certificate_of(role, known, origin)).collect()
}

fn certificate_of(role: Role, known: &Certificate, origin: Origin) -> DtlsCertificate {
    let says = known.summary.as_ref();
    let time = |at: Timestamp| Time::new(at, 0);
    DtlsCertificate {
        from: role.name(),
        fingerprint: known.fingerprint.to_string(),
        subject: says.map(|says| says.subject.clone()),
        issuer: says.map(|says| says.issuer.clone()),
        names: says.map(|says| says.names.clone()).unwrap_or_default(),
        not_before: says.map(|says| time(says.not_before)),
        not_after: says.map(|says| time(says.not_after)),
        valid: says.map(|says: &Summary| says.is_valid_at(known.seen.time)),
        key: says.map(|says| says.key.to_string()),
        signature: says.map(|says| says.signature.clone()),
        self_signed: says.map(|says| says.self_signed),
        place: origin.place(known.seen.frame),
    }
}

fn flight_of(flight: &Flight, origin: Origin) -> DtlsFlight {
    let (largest_datagram, _) = flight.datagrams;
    DtlsFlight {
        from: flight.from.name(),
        messages: flight.messages.iter().map(|what| what.name()).collect(),
        times: flight.times.iter().map(|seen| origin.time(seen.time)).collect(),
        places: flight.times.iter().map(|seen| origin.place(seen.frame)).collect(),
        retransmits: flight.repeated,
        largest_datagram,
    }
}

fn missing(role: Role, side: &Side, cut: bool) -> impl Iterator<Item = DtlsMissing> {
    side.missing.iter().map(move |message| DtlsMissing {
        from: role.name(),
        message: message.kind.to_string(),
        length: message.length,
        bytes: message.parts.iter().map(|part| [part.start, part.end.saturating_sub(1)]).collect(),
        cut: cut || message.truncated,
    })
}

pub(super) fn alert_of(seen: &AlertSeen, origin: Origin) -> DtlsAlertSeen {
    DtlsAlertSeen {
        from: seen.from.name(),
        level: seen.alert.level.to_string(),
        description: seen.alert.description.to_string(),
        place: origin.place(seen.seen.frame),
    }
}

pub(super) fn closing_of(closing: &Closing, origin: Origin) -> DtlsClosing {
    DtlsClosing {
        by: closing.by.name(),
        at: origin.time(closing.seen.time),
        clear: closing.clear,
        place: origin.place(closing.seen.frame),
    }
}
