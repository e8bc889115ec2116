//! TLS connections: what their handshakes say, how they ended, and which of them are of TURN (RFC 8656 §3.1, RFC 8489 §6.2.3).
//!
//! Most TLS of a capture is the web's. [`Evidence`](crate::session::tls::Evidence) is what says that a connection is of TURN; without any it is counted, and nothing else. A host that
//! serves TURN may serve web pages too, on the same address and port: what offers a protocol of the web is never taken for TURN because of its server.

mod connection;
mod table;

pub(super) use connection::is_name_of_turn;
pub use connection::{ClosedBy, Ending, Evidence, TcpState, TlsConnection};
pub use table::{TlsConnections, TlsWay};

use super::Session;
use super::flow::Flows;
use super::handshake::Handshake;
use super::parties::attempts::is_usual;
use crate::event::{Secured, SecuredWhat};
use crate::net::{ClientAddress, ServerAddress};

/// The port of TURN over TLS and DTLS (RFC 8656 §5).
const TURNS: u16 = 5349;

/// Whether a protocol of ALPN is STUN's or TURN's (RFC 7443).
fn is_of_stun(name: &str) -> bool {
    matches!(name, "stun.turn" | "stun.nat-discovery")
}

/// What says that a DTLS association is one with a TURN server: DTLS as transport of TURN (RFC 7350), not of a call. Agents of a call check the pair
/// before, and offer SRTP.
pub(super) fn dtls_of_turn(handshake: &Handshake, flows: &Flows) -> Option<Evidence> {
    let way = handshake.way().filter(|way| way.path.inside.is_none() && way.via == [None; 4])?;
    let hello = handshake.sides.client.hello.as_ref();
    let flow = flows.find(way.client, way.server).and_then(|id| flows.get(id));
    let checked = flow.is_some_and(|flow| flow.directions.iter().any(|direction| direction.checks.sent > 0));
    if checked || hello.is_some_and(|hello| hello.srtp.is_some()) {
        return None;
    }
    // port 3478 is one that media servers take, too, and without the hello nothing tells them apart
    let port = way.server.port() == TURNS || is_usual(way.server.port()) && hello.is_some();
    match () {
        () if hello.is_some_and(|hello| hello.alpn.iter().any(|name| is_of_stun(name))) => Some(Evidence::Alpn),
        () if port => Some(Evidence::Port),
        () => None,
    }
}

impl Session {
    /// Takes what a record of TLS tells; whether the connection is one of TURN by all that is known so far, so that the record is a row.
    pub fn secured(&mut self, secured: &Secured<'_>) -> bool {
        let of_turn = self.tls.take(secured);
        if of_turn {
            secured.follow.set(true);
            if let SecuredWhat::Record(sealed) = &secured.what {
                *self.totals.tls.entry(sealed.record.content_type.0).or_default() += 1;
            }
        }
        if self.tls.is_full() {
            // the quarter to which nothing came for longest, those that are not of TURN first
            for gone in self.tls.oldest() {
                self.note_names(&gone);
                self.tls.end(gone, &mut self.clients);
            }
        }
        of_turn
    }

    /// What a connection that is over says of names: the one that the client asked for, and those of the server's certificate.
    fn note_names(&mut self, gone: &TlsConnection) {
        let (client, server) = (gone.tcp.client, gone.tcp.server);
        let hello = gone.handshake.sides.client.hello.as_deref();
        let asked = hello.and_then(|hello| hello.server_name.as_deref());
        if let Some(name) = asked {
            self.lookups.asked_for(server.ip(), name);
        }
        let certificates = gone.handshake.sides.server.certificates.as_deref();
        if !self.stated.is_empty()
            && let Some(own) = certificates.and_then(|all| all.first())
            && let Some(summary) = &own.summary
        {
            let ends = (ClientAddress(client), ServerAddress(server));
            self.stated.certificate(ends, asked, &summary.names, own.seen, &self.deployment);
        }
    }

    /// The TLS connections.
    #[must_use]
    pub fn tls(&self) -> &TlsConnections {
        &self.tls
    }

    /// The TLS connections of TURN that are over, to be judged and forgotten.
    pub fn ripe_tls(&mut self) -> Vec<TlsConnection> {
        let ripe = self.tls.ripe();
        ripe.iter().for_each(|gone| self.servers.add_tls(gone));
        ripe
    }

    /// The capture is over: all are.
    pub(super) fn finish_tls(&mut self) {
        for gone in self.tls.all() {
            self.note_names(&gone);
            self.tls.end(gone, &mut self.clients);
        }
    }
}
