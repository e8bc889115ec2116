//! `tls-handshake-failure`: client and server have nothing in common, or something cuts the connection off in the middle of the handshake.

use super::{CERTIFICATE_EXPIRED, CERTIFICATE_NAME, HANDSHAKE_FAILURE, Story};
use crate::frame::Seen;
use crate::rules::evidence::{all_of, frames, frames_at, offered, quote};
use crate::rules::{Collector, Confidence, Severity, Text, View};
use crate::session::handshake::{AlertSeen, Role};
use crate::session::tls::{ClosedBy, Ending, TlsConnection};
use crate::time::Span;
use crate::wire::handshake::registry;

const NOTHING_IN_COMMON: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;
const UNRECOGNIZED_NAME: u8 = 112;
const NO_APPLICATION_PROTOCOL: u8 = 120;
/// What is told as a certificate's.
const ABOUT_CERTIFICATES: [u8; 4] = [42, 45, 46, 48];

pub(super) fn judge(connection: &TlsConnection, view: &View<'_>, out: &mut Collector) {
    let story = Story::of(connection);
    let ending = match connection.ending() {
        Some(Ending::Alert(alert)) => {
            answered_by(connection, &alert).map(Ending::Closed).or(Some(Ending::Alert(alert)))
        }
        other => other,
    };
    match ending {
        Some(Ending::Alert(alert)) if alert.from == Role::Server && connection.began_in_clear() => {
            in_clear(&story, &alert, out);
        }
        Some(Ending::Alert(alert)) if [NOTHING_IN_COMMON, PROTOCOL_VERSION].contains(&alert.alert.description.0) => {
            refused(&story, &alert, out);
        }
        Some(Ending::Alert(alert)) if !ABOUT_CERTIFICATES.contains(&alert.alert.description.0) => {
            broken_off(&story, &alert, view, out);
        }
        Some(Ending::Closed(closed))
            if closed.reset || is_turned_away(connection, &closed) || is_left(connection, &closed) =>
        {
            cut_off(&story, &closed, view, out)
        }
        _ => {}
    }
}

/// The client's end of the connection in the middle of the handshake, where the server's alert answers that: OpenSSL takes it for a message that is cut short.
fn answered_by(connection: &TlsConnection, alert: &AlertSeen) -> Option<ClosedBy> {
    const DECODE_ERROR: u8 = 50;
    let is_answer = alert.from == Role::Server && alert.alert.description.0 == DECODE_ERROR;
    connection.closed_by().filter(|closed| is_answer && closed.role == Role::Client && closed.seen < alert.seen)
}

/// Whether the server closed the connection in answer to the ClientHello, without a record of its own.
fn is_turned_away(connection: &TlsConnection, closed: &ClosedBy) -> bool {
    closed.role == Role::Server && connection.handshake.sides.server.last.is_none()
}

/// Whether the client closed the connection after it had waited for any record of the server for so long that no ServerHello was under way; or had left
/// what the server sent unanswered for as long.
fn is_left(connection: &TlsConnection, closed: &ClosedBy) -> bool {
    const WAITED: Span = Span::from_secs(5);
    let waited = closed.seen.time.since(connection.handshake.last_flight().time);
    let is_whole = connection.handshake.sides.server.last.is_none() || connection.tcp.missing == [0; 2];
    closed.role == Role::Client && is_whole && waited >= WAITED
}

/// The client speaks STUN where the server expects a ClientHello: a TURN URL without TLS for a port with TLS.
fn in_clear(story: &Story<'_>, alert: &AlertSeen, out: &mut Collector) {
    let name = alert.alert.description.to_string();
    let mut seen = story.occurrence(HANDSHAKE_FAILURE, alert.seen, Confidence::Certain, "in clear");
    seen.frames = vec![alert.seen.frame];
    seen.filter = seen.filter.map(|filter| filter.replacen("tls", "(stun || tls)", 1));
    seen.at = story.connection.tcp.first.time;
    out.add(seen, || {
        let (client, server) = (story.client.ip(), story.server);
        Text {
            title: format!("{client} speaks TURN without TLS to {server}, where TLS is expected: the server answers with the TLS alert {name}"),
            explanation: format!(
                "The connection begins with a STUN message in the clear, and the server answers with a TLS alert ({}), as it does to anything that is no \
                 ClientHello. No TLS handshake was tried.",
                frames(&[alert.seen.frame]),
            ),
            fix: format!(
                "Give the client a URL that fits the port: \"turns:\" for {server}, or \"turn:\" with ?transport=tcp and the port on which the server \
                 takes TURN without TLS (mostly 3478)."
            ),
        }
    });
}

fn refused(story: &Story<'_>, alert: &AlertSeen, out: &mut Collector) {
    let handshake = &story.connection.handshake;
    let name = alert.alert.description.to_string();
    let mut seen =
        story.occurrence(HANDSHAKE_FAILURE, alert.seen, Confidence::Certain, &format!("{} {name}", alert.from.name()));
    let shown = frames_at([handshake.first, alert.seen]);
    seen.frames = shown.clone();
    out.add(seen, || {
        let (client, server) = (story.client.ip(), story.server);
        let versions = handshake.sides.client.hello.as_ref().map(|hello| all_of(&hello.versions));
        let by = match alert.from {
            Role::Client => client.to_string(),
            Role::Server => server.to_string(),
        };
        let title = if alert.alert.description.0 == PROTOCOL_VERSION {
            let offered = versions.map(|versions| format!(": the client offers {versions}")).unwrap_or_default();
            format!("{client} and the TURN server {server} have no version of {} in common{offered}", story.name())
        } else {
            format!("The {} handshake of {client} with the TURN server {server} fails: the {} answers handshake_failure", story.name(), alert.from.name())
        };
        let meaning = if alert.alert.description.0 == PROTOCOL_VERSION {
            "It speaks none of the versions that the other offers."
        } else {
            "Nothing that was offered suits it: no version, cipher suite, group or signature scheme that both take, or none that fits the server's key; some \
             stacks say the same where versions are apart, or where a client certificate is missing."
        };
        Text {
            title,
            explanation: format!("{by} sent the fatal alert {name} ({}). {meaning} {}", frames(&shown), offers(story.connection)),
            fix: format!(
                "Compare what the client offers with the configuration of {server}: allow a version (TLS 1.2 or 1.3), and a suite that fits the key of its \
                 certificate, that both have; update the older of the two."
            ),
        }
    });
}

/// Any other fatal alert in the middle of the handshake: what it means for the client only the side that sent it knows.
fn broken_off(story: &Story<'_>, alert: &AlertSeen, view: &View<'_>, out: &mut Collector) {
    // clients try an old version, or another name, first
    if view.session.clients().encrypted().is_ever_secured(story.client.ip(), story.server.ip()) {
        return;
    }
    let handshake = &story.connection.handshake;
    let code = alert.alert.description.0;
    let name = alert.alert.description.to_string();
    let what = format!("{} {name}", alert.from.name());
    let mut seen = story.occurrence(HANDSHAKE_FAILURE, alert.seen, Confidence::Certain, &what);
    seen.severity = Severity::Warning;
    let shown = frames_at([handshake.first, alert.seen]);
    seen.frames = shown.clone();
    out.add(seen, || {
        let (client, server) = (story.client, story.server);
        let (by, other) = match alert.from {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        let says = registry::find(code).map(|row| format!(" It says: {}", row.meaning)).unwrap_or_default();
        let asked = story.asked().map(|asked| format!(" The client asks for the server name {asked}.")).unwrap_or_default();
        let alpn = handshake.sides.client.hello.as_ref().map(|hello| hello.alpn.join(", ")).filter(|names| !names.is_empty());
        let alpn = alpn.map(|names| format!(" It offers the protocols {} (ALPN).", quote(&names))).unwrap_or_default();
        Text {
            title: format!("{by} breaks off the {} handshake with {other} by the alert {name}", story.name()),
            explanation: format!("{by} sent the fatal alert {name} ({}).{says}{asked}{alpn}", frames(&shown)),
            fix: match code {
                UNRECOGNIZED_NAME => format!(
                    "Give the client a TURN URL with a name that {server} knows; or add the name there, and in what routes connections by name before it."
                ),
                NO_APPLICATION_PROTOCOL => format!(
                    "Let {server}, or the balancer before it, take the protocol that the client offers (stun.turn), or not ask for one."
                ),
                _ => format!("Look at the log of {by}, which knows what it objects to; `turnscope explain {name}` tells the usual causes."),
            },
        }
    });
}

fn offers(connection: &TlsConnection) -> String {
    let sides = &connection.handshake.sides;
    let Some(offer) = sides.client.hello.as_deref() else {
        return "What the client offers is not in the capture.".to_owned();
    };
    let chosen = match sides.server.hello.as_deref() {
        Some(hello) => format!(" The server chose {} and {}.", all_of(&hello.versions), all_of(&hello.suites)),
        None => " The server chose nothing.".to_owned(),
    };
    format!("{}.{chosen}", offered(offer))
}

/// RST within the handshake, or FIN in place of an answer to the ClientHello, or after it was waited for in vain.
fn cut_off(story: &Story<'_>, closed: &ClosedBy, view: &View<'_>, out: &mut Collector) {
    let connection = story.connection;
    let heard = connection.tcp.syn_ack.is_some()
        || connection.handshake.sides.server.last.is_some()
        || closed.role == Role::Server;
    if !heard {
        return; // one direction only: the handshake may have been completed in the other
    }
    // clients drop connections that they do not need any more
    let by_client = closed.role == Role::Client;
    if by_client && view.session.clients().encrypted().is_ever_secured(story.client.ip(), story.server.ip()) {
        return;
    }
    // a server may have other reasons to hang up
    let http = connection.tcp.http;
    let confidence = Confidence::certain_if(http.is_some() || closed.reset && !by_client);
    let mut seen = story.occurrence(
        HANDSHAKE_FAILURE,
        closed.seen,
        confidence,
        &format!("{} {}", closed.role.name(), if closed.reset { "reset" } else { "closed" }),
    );
    let flights = connection.handshake.flights.iter().map(|flight| flight.first);
    let shown = frames_at(flights.chain([connection.handshake.first, closed.seen]));
    seen.frames = shown.clone();
    let (how, done, flag) = if closed.reset { ("RST", "is reset", "reset") } else { ("FIN", "is closed", "fin") };
    seen.reference = if closed.reset { "RFC 9293 §3.5.2" } else { "RFC 9293 §3.6" };
    seen.filter = seen.filter.map(|filter| filter.replacen("tls", &format!("(tls || tcp.flags.{flag} == 1)"), 1));
    seen.frames.extend(http.map(|(seen, _)| seen.frame));
    if by_client {
        seen.causes = &[CERTIFICATE_NAME, CERTIFICATE_EXPIRED];
    }
    out.add(seen, || {
        let (client, server) = (story.client.ip(), story.server);
        let answered = connection.handshake.sides.server.last.is_some();
        let waited = closed.seen.time.since(connection.handshake.last.time);
        let stage = match (by_client, answered) {
            (_, true) => "in the middle of the handshake".to_owned(),
            (false, false) => "in answer to its ClientHello".to_owned(),
            (true, false) => format!("{waited} after its ClientHello, to which no TLS came back"),
        };
        if let Some((seen, code)) = http {
            return in_http(story, seen, code, &shown);
        }
        let by = if by_client { format!("{client} {} its connection to", if closed.reset { "resets" } else { "closes" }) } else { format!("The connection of {client} {done} by") };
        let cause = match (by_client, answered) {
            (false, false) => {
                "A firewall that does not let TLS, or this server name, pass answers so in the name of the server; a server that expects no TLS on this \
                 port may, too, and a proxy that shares the port between servers (by ALPN or server name) and does not reach the one for TURN."
            }
            (false, true) => "The server's process ended the connection, or a device on the way did in its name after it had seen the server's answer.",
            (true, false) => {
                "The client gave up waiting: the connection opens, and a firewall that drops TLS, or this server name, keeps the ClientHello or its answer; or \
                 what listens there expects no TLS."
            }
            (true, true) => "The client gave up without saying why: it ran out of patience, or does not take what the server sent, such as its certificate.",
        };
        let asked = story.asked().map(|asked| format!(" It asked for the server name {asked}.")).unwrap_or_default();
        Text {
            title: format!("{by} the TURN server {server} during the TLS handshake ({how})"),
            explanation: format!("The {how} came {stage} ({}). {cause}{asked}", frames(&shown)),
            fix: if by_client && answered && !closed.reset {
                format!(
                    "Look into the log of {client} for what it holds against the server: mostly the certificate, whose name, dates or authority it does not take. \
                     `openssl s_client -connect {server}` shows what the server sends."
                )
            } else {
                format!(
                "Capture at {server}, too: whether it sends the {how} itself tells the server from a filter on the way. Look for a firewall or proxy that \
                 inspects TLS or filters by server name, and check that the server expects TLS on port {}.",
                story.server.port()
            )
            },
        }
    });
}

/// A web server without TLS in answer to a ClientHello.
fn in_http(story: &Story<'_>, seen: Seen, code: u16, shown: &[u64]) -> Text {
    let (client, server) = (story.client.ip(), story.server);
    Text {
        title: format!(
            "{server} answers the ClientHello of {client} with HTTP status {code}: what listens there speaks no TLS"
        ),
        explanation: format!(
            "In place of a ServerHello the server sent HTTP in the clear (frame {}), and the connection ended ({}). A web server without TLS listens there, or \
             a proxy for the web that takes this port stands on the way.",
            seen.frame,
            frames(shown)
        ),
        fix: format!(
            "Check name and port of the TURN URL: {server} has to take TURN over TLS (turns:, mostly port 5349 or 443)."
        ),
    }
}
