//! `tls-handshake-failure`: client and server have nothing in common, or something cuts the connection off in the middle of the handshake.

use super::super::dtls::listed;
use super::super::evidence::frames;
use super::super::{Collector, Confidence, Text, View};
use super::{HANDSHAKE_FAILURE, Story, frames_at};
use crate::session::handshake::{AlertSeen, Role};
use crate::session::tls::{ClosedBy, Ending, TlsConnection};

const NOTHING_IN_COMMON: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;

pub(in crate::rules) fn judge(connection: &TlsConnection, view: &View<'_>, out: &mut Collector) {
    let story = Story::of(connection);
    match connection.ending() {
        Some(Ending::Alert(alert)) if [NOTHING_IN_COMMON, PROTOCOL_VERSION].contains(&alert.alert.description.0) => {
            refused(&story, &alert, out);
        }
        Some(Ending::Closed(closed)) if closed.reset => cut_off(&story, &closed, view, out),
        _ => {}
    }
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
        let versions = handshake.sides.client.hello.as_ref().map(|hello| listed(&hello.versions));
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

fn offers(connection: &TlsConnection) -> String {
    let sides = &connection.handshake.sides;
    let Some(offer) = sides.client.hello.as_deref() else {
        return "What the client offers is not in the capture.".to_owned();
    };
    let chosen = match sides.server.hello.as_deref() {
        Some(hello) => format!(" The server chose {} and {}.", listed(&hello.versions), listed(&hello.suites)),
        None => " The server chose nothing.".to_owned(),
    };
    format!(
        "The client offers versions {}; suites {}; groups {}; signatures {}.{chosen}",
        listed(&offer.versions),
        listed(&offer.suites),
        listed(&offer.groups),
        listed(&offer.signatures)
    )
}

/// RST within the handshake.
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
    if by_client && view.session.clients().is_ever_secured(story.client.ip(), story.server.ip()) {
        return;
    }
    let confidence = if by_client { Confidence::Likely } else { Confidence::Certain };
    let mut seen =
        story.occurrence(HANDSHAKE_FAILURE, closed.seen, confidence, &format!("{} reset", closed.role.name()));
    let flights = connection.handshake.flights.iter().map(|flight| flight.first);
    let shown = frames_at(flights.chain([connection.handshake.first, closed.seen]));
    seen.frames = shown.clone();
    seen.reference = "RFC 9293 §3.5.2";
    seen.filter = seen.filter.map(|filter| filter.replacen("tls", "(tls || tcp.flags.reset == 1)", 1));
    out.add(seen, || {
        let (client, server) = (story.client.ip(), story.server);
        let answered = connection.handshake.sides.server.last.is_some();
        let stage = if answered { "in the middle of the handshake" } else { "in answer to its ClientHello" };
        let by = if by_client { format!("{client} resets its connection to") } else { format!("The connection of {client} is reset by") };
        let cause = match (by_client, answered) {
            (false, false) => {
                "A firewall that does not let TLS, or this server name, pass answers so in the name of the server; a server that expects no TLS on this \
                 port may, too."
            }
            (false, true) => "The server's process ended the connection, or a device on the way did in its name after it had seen the server's answer.",
            (true, _) => "The client gave up without saying why: it ran out of patience, or does not take what the server sent, such as its certificate.",
        };
        let asked = story.asked().map(|asked| format!(" It asked for the server name {asked}.")).unwrap_or_default();
        Text {
            title: format!("{by} the TURN server {server} during the TLS handshake (RST)"),
            explanation: format!("The RST came {stage} ({}). {cause}{asked}", frames(&shown)),
            fix: format!(
                "Capture at {server}, too: whether it sends the RST itself tells the server from a filter on the way. Look for a firewall or proxy that \
                 inspects TLS or filters by server name, and check that the server expects TLS on port {}.",
                story.server.port()
            ),
        }
    });
}
