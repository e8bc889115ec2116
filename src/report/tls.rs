//! TLS connections of TURN in a report.

pub use crate::session::tls::TcpState as TlsTcpState;

use super::convert::Origin;
use super::dtls::{alert_of, certificates, closing_of, evidence, texts};
use super::{Address, DtlsAlertSeen, DtlsCertificate, DtlsClosing, DtlsState, Place, Time};
use crate::frame::in_order;
use crate::session::handshake::Offer;
use crate::session::tls::TlsConnection;
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// One TLS connection of TURN. What it takes the keys to read is `null`: in TLS 1.3 that is all but the hellos, where no keys are given.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Tls {
    /// Who opened it.
    pub client: Address,
    /// The server.
    pub server: Address,
    /// What says that it is of TURN: `stun-inside` (it was opened with keys), `alpn`, `port`, `server` (the client asks the same address and port for relays
    /// over another transport), `host` (the same host), `name` (the server name asked for); the surest of them. The last two leave it open.
    pub recognised_by: &'static str,
    /// The version agreed on: `TLS 1.2`.
    pub version: Option<String>,
    /// The versions that the client offers, by preference.
    pub versions_offered: Vec<String>,
    /// The suite agreed on, by its IANA name.
    pub cipher_suite: Option<String>,
    /// The suites that the client offers.
    pub cipher_suites_offered: Vec<String>,
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
    /// How far it came: `failed` is a handshake that an alert, FIN or RST ended.
    pub state: DtlsState,
    /// Its first record, where that is the ClientHello.
    pub started_at: Option<Time>,
    /// When both ends had finished.
    pub completed_at: Option<Time>,
    /// From the ClientHello to the end of the handshake, in microseconds; `null` where the beginning is not in the capture.
    pub duration_us: Option<i64>,
    /// Whether an earlier session was taken up.
    pub resumed: bool,
    /// Whether the server asked for another ClientHello (HelloRetryRequest).
    pub hello_retry: bool,
    /// The SHA-256 of the client's certificate: `sha-256 AB:CD:…`.
    pub client_fingerprint: Option<String>,
    /// That of the server's certificate.
    pub server_fingerprint: Option<String>,
    /// All certificates.
    pub certificates: Vec<DtlsCertificate>,
    /// What each end sent until the other did, in order; the first ones.
    pub flights: Vec<TlsFlight>,
    /// The alert that ended it, else the first that is readable.
    pub alert: Option<DtlsAlertSeen>,
    /// Who sent close_notify, or what may be that, first.
    pub closed: Option<DtlsClosing>,
    /// Records of application data from the client; of TLS 1.3 without keys all protected records behind its Finished.
    pub client_data_records: u64,
    /// Records of application data from the server.
    pub server_data_records: u64,
    /// Records that were opened with the keys given.
    pub opened_records: u64,
    /// Records that the keys given did not open.
    pub shut_records: u64,
    /// Why the first of them was not opened.
    pub shut_reason: Option<String>,
    /// The TCP connection under it.
    pub tcp: TlsTcp,
    /// The frames that tell it.
    pub evidence: Vec<Place>,
    /// How many frames that are.
    pub evidence_total: u64,
}

/// What one end sent until the other did.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TlsFlight {
    /// `client` or `server`.
    pub from: &'static str,
    /// What is in it; `(encrypted)` for what cannot be read.
    pub messages: Vec<String>,
    /// When it began.
    pub time: Time,
    /// The frame in which it began.
    pub place: Place,
}

/// The TCP connection under TLS.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TlsTcp {
    /// How far it came.
    pub state: TlsTcpState,
    /// Who ended it first; `null` where nobody did in the capture.
    pub closed_by: Option<TlsTcpClosing>,
    /// From the SYN to its answer, in microseconds.
    pub handshake_us: Option<i64>,
    /// Bytes of it that the capture lacks, from the client and from the server.
    pub missing_bytes: [u64; 2],
}

/// Who ended a TCP connection.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TlsTcpClosing {
    /// `client` or `server`.
    pub by: &'static str,
    /// `fin` or `rst`.
    pub how: &'static str,
    /// Whether before the TLS handshake was complete.
    pub during_handshake: bool,
    /// When.
    pub at: Time,
    /// Where.
    pub place: Place,
}

/// The published form of a connection; `None` for one that nothing says to be of TURN.
pub(super) fn tls(known: &TlsConnection, origin: Origin) -> Option<Tls> {
    let handshake = &known.handshake;
    let time = |at: Timestamp| origin.time(at);
    let (client, server) = (&handshake.sides.client, &handshake.sides.server);
    let (chosen, none) = (handshake.chosen.as_ref(), Offer::default());
    let offer = client.hello.as_deref().unwrap_or(&none);
    let closed_by = known.closed_by();
    let frames = in_order(evidence(handshake).into_iter().chain(closed_by.map(|closed| closed.seen.frame)));
    Some(Tls {
        client: Address(known.tcp.client),
        server: Address(known.tcp.server),
        recognised_by: known.evidence?.name(),
        version: chosen.map(|chosen| chosen.version.to_string()),
        versions_offered: texts(&offer.versions),
        cipher_suite: chosen.map(|chosen| chosen.suite.to_string()),
        cipher_suites_offered: texts(&offer.suites),
        group: chosen.and_then(|chosen| chosen.group).map(|group| group.to_string()),
        groups: texts(&offer.groups),
        signature_algorithm: chosen.and_then(|chosen| chosen.signature).map(|scheme| scheme.to_string()),
        signature_algorithms: texts(&offer.signatures),
        alpn: chosen.and_then(|chosen| chosen.alpn.clone()),
        alpn_offered: offer.alpn.clone(),
        server_name: offer.server_name.clone(),
        state: known.state(),
        started_at: handshake.from_start.then(|| time(handshake.first.time)),
        completed_at: handshake.completed.map(|seen| time(seen.time)),
        duration_us: handshake.duration().map(|span| span.micros()),
        resumed: handshake.resumed,
        hello_retry: handshake.retry_request.is_some(),
        client_fingerprint: client.certificate().map(|known| known.fingerprint.to_string()),
        server_fingerprint: server.certificate().map(|known| known.fingerprint.to_string()),
        certificates: certificates(&handshake.sides, origin),
        flights: handshake
            .flights
            .iter()
            .map(|flight| TlsFlight {
                from: flight.from.name(),
                messages: flight.messages.iter().map(|what| what.name()).collect(),
                time: time(flight.first.time),
                place: origin.place(flight.first.frame),
            })
            .collect(),
        alert: handshake.fatal().or(handshake.alerts.first()).map(|alert| alert_of(alert, origin)),
        closed: handshake.closing().map(|closing| closing_of(&closing, origin)),
        client_data_records: client.data.records,
        server_data_records: server.data.records,
        opened_records: known.opened,
        shut_records: known.shut.0,
        shut_reason: known.shut.1.map(str::to_owned),
        tcp: TlsTcp {
            state: known.tcp_state(),
            closed_by: closed_by.map(|closed| TlsTcpClosing {
                by: closed.role.name(),
                how: if closed.reset { "rst" } else { "fin" },
                during_handshake: match handshake.completed {
                    Some(completed) => closed.seen < completed,
                    // of a connection that the capture joined later nobody knows
                    None => handshake.from_start && !known.is_perhaps_complete(),
                },
                at: time(closed.seen.time),
                place: origin.place(closed.seen.frame),
            }),
            handshake_us: known.tcp.handshake.map(|span| span.micros()),
            missing_bytes: known.tcp.missing,
        },
        evidence_total: frames.len() as u64,
        evidence: origin.places(&frames),
    })
}
