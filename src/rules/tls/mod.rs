//! TLS under TURN: certificates that the client does not take, or should not, and handshakes that come to nothing.
//!
//! Only connections that something says to be of TURN come here ([`Evidence`](crate::session::tls::Evidence)); where that leaves it open, nothing is
//! certain.

mod certificate;
mod failure;
mod hung_up;
mod names;

use super::evidence::{ip_filter, quote};
use super::{Confidence, Judge, Occurrence, Remedy, Rule, Severity, Subject};
use crate::net::{ClientAddress, Endpoint, ServerAddress, Transport};
use crate::session::tls::TlsConnection;
use crate::session::{Grievance, Seen};

const CERTIFICATE_REJECTED: &str = "tls-certificate-rejected";
const CERTIFICATE_NAME: &str = "tls-certificate-name";
const CERTIFICATE_EXPIRED: &str = "tls-certificate-expired";
const HANDSHAKE_FAILURE: &str = "tls-handshake-failure";

#[rustfmt::skip] // one rule a line
pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[CERTIFICATE_NAME], judge: Judge::Tls(certificate::judge_name) },
    Rule { ids: &[CERTIFICATE_EXPIRED], judge: Judge::Tls(certificate::judge_expired) },
    Rule { ids: &[CERTIFICATE_REJECTED], judge: Judge::Tls(certificate::judge_rejected) },
    Rule { ids: &[HANDSHAKE_FAILURE], judge: Judge::Tls(failure::judge) },
    Rule { ids: &[super::reachability::CONNECTION_CLOSED], judge: Judge::Tls(hung_up::judge) },
];

/// A connection with what all findings about it share.
struct Story<'c> {
    connection: &'c TlsConnection,
    client: Endpoint,
    server: Endpoint,
}

impl<'c> Story<'c> {
    fn of(connection: &'c TlsConnection) -> Story<'c> {
        Story { connection, client: connection.tcp.client, server: connection.tcp.server }
    }

    /// `TLS`, or `DTLS`.
    fn name(&self) -> &'static str {
        if self.connection.over_udp { "DTLS" } else { "TLS" }
    }

    /// The name that the client asks for, in quotes.
    fn asked(&self) -> Option<String> {
        self.connection.server_name().map(quote)
    }

    /// An occurrence about this connection, between its hosts; `what` tells it from others of its id. A TLS connection that is completed, or what else the
    /// client got, remedies it.
    fn occurrence(&self, id: &'static str, at: Seen, confidence: Confidence, what: &str) -> Occurrence {
        let sure = self.connection.evidence.is_some_and(|evidence| evidence.is_certain());
        let from = self.connection.handshake.first.time;
        let grievance = Grievance::new(self.client.ip(), None, self.server, from);
        let (layer, carrier) = if self.connection.over_udp { ("dtls", "udp") } else { ("tls", "tcp") };
        let (hosts, port) = (ip_filter(self.client, self.server), self.server.port());
        let filter = format!("{layer} && {hosts} && {carrier}.port == {port}");
        let blank = if what.is_empty() { "" } else { " " };
        Occurrence {
            key: format!("{}{blank}{what}", self.server),
            severity: Severity::Failure,
            confidence: if sure { confidence } else { Confidence::Likely },
            remedy: Remedy::Secure(grievance),
            at: at.time,
            frames: Vec::new(),
            filter: Some(filter),
            subject: Subject {
                client: Some(ClientAddress(self.client)),
                server: Some(ServerAddress(self.server)),
                transport: Some(if self.connection.over_udp { Transport::Dtls } else { Transport::Tls }),
                ..Subject::default()
            },
            ..Occurrence::of(id, "RFC 8446 §6.2")
        }
    }
}
