//! `turn-connection-closed`, of TLS whose contents cannot be read: a server that ends the connection after a single answer.

use super::Story;
use crate::rules::evidence::{frames, frames_at};
use crate::rules::{Collector, Confidence, Severity, Text, View};
use crate::session::handshake::Role;
use crate::session::tls::TlsConnection;
use crate::time::Span;

/// An end that comes so soon after an answer has to do with it.
const AT_ONCE: Span = Span::from_secs(2);

pub(super) fn judge(connection: &TlsConnection, _view: &View<'_>, out: &mut Collector) {
    let (sides, closed) = (&connection.handshake.sides, connection.closed_by());
    let Some(closed) = closed.filter(|closed| closed.role == Role::Server && connection.tcp.missing == [0; 2]) else {
        return;
    };
    let (Some(completed), Some(asked), Some(answered)) =
        (connection.handshake.completed, sides.client.data.last, sides.server.data.last)
    else {
        return;
    };
    // a relay takes two answers, to the request that is challenged and to the one that is signed
    let single = connection.rounds == 1 && sides.client.data.records <= 2 && connection.opened == 0;
    if !single || !connection.handshake.from_start || closed.seen.time.since(asked.time.max(answered.time)) > AT_ONCE {
        return;
    }
    let story = Story::of(connection);
    let mut seen =
        story.occurrence(crate::rules::reachability::CONNECTION_CLOSED, closed.seen, Confidence::Likely, "answer");
    seen.severity = Severity::Warning;
    let shown = frames_at([completed, asked, answered, closed.seen]);
    seen.frames = shown.clone();
    seen.reference = "RFC 8656 §7";
    out.add(seen, || {
        let (client, server, did) = (story.client, story.server, if closed.reset { "resets" } else { "closes" });
        let name = story.asked().map(|asked| format!(" The client asks for the server name {asked}.")).unwrap_or_default();
        Text {
            title: format!("{server} {did} the TLS connection of {client} after a single answer: it lent no relay"),
            explanation: format!(
                "The handshake was complete, the client sent one request, and the server one answer, and then ended the connection itself ({}). What they said takes the \
                 keys to read; but a relay takes two answers at least, the challenge and the grant. Mostly it is a web server that answers there, since it takes what \
                 it cannot read for bad HTTP.{name}",
                frames(&shown)
            ),
            fix: format!(
                "See what serves {server}: a proxy that shares the port with a web server, by ALPN or by server name, has to pass on to the TURN server what names neither \
                 h2 nor http/1.1. Else correct the port of the TURN URL. A key log (--keylog) shows what the answer is."
            ),
        }
    });
}
