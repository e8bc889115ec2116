//! `tls-certificate-rejected`, `tls-certificate-name`, `tls-certificate-expired`: the TURN server's certificate.

use super::{CERTIFICATE_EXPIRED, CERTIFICATE_NAME, CERTIFICATE_REJECTED, Story, names};
use crate::rules::evidence::{date, frames, frames_at};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Text, View};
use crate::session::Seen;
use crate::session::handshake::{Certificate, Role};
use crate::session::tls::{ClosedBy, Ending, TlsConnection};
use crate::time::{Span, Timestamp};
use crate::wire::handshake::certificate::Summary;

const BAD_CERTIFICATE: u8 = 42;
const CERTIFICATE_EXPIRED_ALERT: u8 = 45;
const CERTIFICATE_UNKNOWN: u8 = 46;
const UNKNOWN_CA: u8 = 48;
/// Frames before 2000 have a clock that nobody set.
const CLOCK_SET: Timestamp = Timestamp(946_684_800_000_000_000);

/// The client says that it does not take the certificate.
pub(in crate::rules) fn judge_rejected(connection: &TlsConnection, view: &View<'_>, out: &mut Collector) {
    let story = Story::of(connection);
    match connection.ending() {
        Some(Ending::Alert(alert))
            if alert.from == Role::Client
                && [BAD_CERTIFICATE, CERTIFICATE_UNKNOWN, UNKNOWN_CA].contains(&alert.alert.description.0) =>
        {
            rejected(&story, alert.alert.description.0, &alert.alert.description.to_string(), alert.seen, out);
        }
        // version 1.3 hides certificate and alert: a client that breaks off there, and never comes back, mostly does so for that reason
        Some(Ending::SealedAlert(Role::Client, seen))
            if connection.handshake.is_1_3()
                && !view.session.clients().encrypted().is_ever_secured(story.client.ip(), story.server.ip()) =>
        {
            sealed(&story, seen, out);
        }
        _ => {}
    }
}

fn rejected(story: &Story<'_>, code: u8, name: &str, at: Seen, out: &mut Collector) {
    let handshake = &story.connection.handshake;
    let certificate = server_certificate(story.connection);
    let listed = frames_at([handshake.first, at].into_iter().chain(certificate.map(|known| known.seen)));
    let mut seen = story.occurrence(CERTIFICATE_REJECTED, at, Confidence::Certain, name);
    seen.frames = listed.clone();
    seen.reference = "RFC 8489 §6.2.3";
    seen.causes = &[CERTIFICATE_NAME, CERTIFICATE_EXPIRED];
    out.add(seen, || {
        let (client, server) = (story.client.ip(), story.server);
        let summary = certificate.and_then(|known| known.summary.as_ref());
        let asked = story.asked();
        let fits = summary.zip(story.connection.server_name()).map(|(known, asked)| names::is_for(known, asked));
        let wanted = match (&asked, fits) {
            (None, _) if handshake.sides.client.hello.is_some() => {
                " The ClientHello asks for no server name: the TURN URL holds an address, mostly, which few certificates name.".to_owned()
            }
            (None, _) => " The ClientHello is not in the capture.".to_owned(),
            (Some(asked), Some(false)) => format!(" The client asks for {asked}, which is not among its names."),
            (Some(asked), Some(true)) => format!(" The client asks for {asked}, which is among its names: it is the chain that it does not trust."),
            (Some(asked), None) => format!(" The client asks for {asked}."),
        };
        let presented = match (certificate, summary) {
            (Some(known), Some(summary)) => {
                let signer = if summary.self_signed { "signed by itself".to_owned() } else { format!("signed by {}", super::quote(&summary.issuer)) };
                let chain = handshake.sides.server.certificates.as_ref().map_or(0, Vec::len);
                format!(
                    " The server presents {chain} certificate{}; its own is for {}, {signer}, valid until {}. Its fingerprint is {}.",
                    if chain == 1 { "" } else { "s" },
                    names::listed(summary),
                    date(summary.not_after),
                    known.fingerprint
                )
            }
            _ if handshake.is_1_3() => " Version 1.3 encrypts the certificate: what it says takes the keys (--keylog).".to_owned(),
            _ => " The certificate itself is not in the capture.".to_owned(),
        };
        let meaning = match code {
            UNKNOWN_CA => "unknown_ca: the authority that signed it is not one that the client trusts, or an intermediate certificate is missing from what the server sends.",
            BAD_CERTIFICATE => "bad_certificate: it is malformed, wrongly signed, or for another name, to the client.",
            _ => "certificate_unknown: the client's check of it failed, for any reason.",
        };
        Text {
            title: format!("{client} rejects the certificate of the TURN server {server} with the {} alert {name}", story.name()),
            explanation: format!("{client} answered the server's certificate with the fatal alert {name} ({}). {meaning}{wanted}{presented}", frames(&listed)),
            fix: format!(
                "Give {server} a certificate that the clients' authorities vouch for, with its full chain, and with the name of the TURN URL among its \
                 alternative names; use that name in the URL instead of an address. Where the authority is private, install it on the clients."
            ),
        }
    });
}

fn sealed(story: &Story<'_>, at: Seen, out: &mut Collector) {
    let handshake = &story.connection.handshake;
    let listed = frames_at([handshake.first, at]);
    let mut seen = story.occurrence(CERTIFICATE_REJECTED, at, Confidence::Likely, "encrypted");
    seen.frames = listed.clone();
    seen.reference = "RFC 8489 §6.2.3";
    out.add(seen, || Text {
        title: format!(
            "{} breaks off {} 1.3 with the TURN server {} by an encrypted alert, in all likelihood for its certificate",
            story.client.ip(),
            story.name(),
            story.server
        ),
        explanation: format!(
            "In answer to the server's encrypted flight with the certificate, {} sent a protected record of the size of an alert, and nothing more \
             ({}). What the alert says is not readable without the keys; a client mostly says there that it does not take the certificate.{}",
            story.client.ip(),
            frames(&listed),
            story.asked().map(|asked| format!(" It asked for {asked}.")).unwrap_or_default()
        ),
        fix: format!(
            "Look at the client's log, or record its keys (--keylog). Check that the certificate of {} is valid, carries the name of the TURN URL and \
             comes with its full chain.",
            story.server
        ),
    });
}

/// The certificate is for other names than the one asked for.
pub(super) fn judge_name(connection: &TlsConnection, _view: &View<'_>, out: &mut Collector) {
    let story = Story::of(connection);
    let Some(asked) = connection.server_name() else { return };
    let Some((certificate, summary)) = readable(connection) else { return };
    if names::is_for(summary, asked) {
        return;
    }
    let mut seen = flaw(&story, CERTIFICATE_NAME, certificate.seen, asked);
    seen.reference = "RFC 6125 §6.4";
    let listed = seen.frames.clone();
    out.add(seen, || {
        let (client, server, quoted) = (story.client.ip(), story.server, super::quote(asked));
        Text {
            title: format!("The certificate of the TURN server {server} is not for {quoted}, which {client} asks for"),
            explanation: format!(
                "{client} asks for the server name {quoted} in its ClientHello; the certificate that {server} presents is for {} ({}).{} Its fingerprint is {}.",
                names::listed(summary),
                frames(&listed),
                outcome(connection),
                certificate.fingerprint
            ),
            fix: format!(
                "Put {quoted} among the alternative names of the certificate, or use one of its names in the clients' TURN URL. If it is not the certificate of \
                 {server} at all, by its fingerprint, something on the way that inspects TLS presents its own: exempt the TURN server from that."
            ),
        }
    });
}

/// The certificate is out of date at the time of the capture, or the client says so.
pub(super) fn judge_expired(connection: &TlsConnection, _view: &View<'_>, out: &mut Collector) {
    let story = Story::of(connection);
    let said = match connection.ending() {
        Some(Ending::Alert(alert))
            if alert.from == Role::Client && alert.alert.description.0 == CERTIFICATE_EXPIRED_ALERT =>
        {
            Some(alert.seen)
        }
        _ => None,
    };
    let known = readable(connection);
    let invalid = known.filter(|(known, summary)| known.seen.time > CLOCK_SET && !summary.is_valid_at(known.seen.time));
    let Some(at) = invalid.map(|(known, _)| known.seen).or(said) else { return };
    let mut seen = flaw(&story, CERTIFICATE_EXPIRED, at, "");
    seen.reference = "RFC 5280 §4.1.2.5";
    let listed = seen.frames.clone();
    out.add(seen, || {
        let (client, server) = (story.client.ip(), story.server);
        let alert = if said.is_some() { format!(" {client} says so too, by the fatal alert certificate_expired.") } else { String::new() };
        match (invalid, known) {
            (Some((known, summary)), _) => {
                let early = known.seen.time < summary.not_before;
                let (what, when) = if early { ("is not valid yet", summary.not_before) } else { ("has expired", summary.not_after) };
                let edge = if early { "only from" } else { "until" };
                Text {
                    title: format!("The certificate of the TURN server {server} {what}: it is valid {edge} {}", date(when)),
                    explanation: format!(
                        "The certificate for {} that {server} presents is valid from {} to {}; the frame that brings it is of {} ({}).{}{alert}",
                        names::listed(summary),
                        date(summary.not_before),
                        date(summary.not_after),
                        date(known.seen.time),
                        frames(&listed),
                        outcome(connection)
                    ),
                    fix: format!("Renew the certificate of {server}, and check the clocks of the server, the clients and the capturing host."),
                }
            }
            (None, Some((_, summary))) => Text {
                title: format!("{client} takes the certificate of the TURN server {server} for expired, which it is not by the capture's clock"),
                explanation: format!(
                    "{client} answered the certificate, valid from {} to {}, with the fatal alert certificate_expired in a frame of {} ({}). Its clock is \
                     wrong, or another certificate of the chain is out of date.",
                    date(summary.not_before),
                    date(summary.not_after),
                    date(at.time),
                    frames(&listed)
                ),
                fix: format!("Check the clock of {client}, and the validity of every certificate in the chain that {server} sends."),
            },
            (None, None) => Text {
                title: format!("{client} takes the certificate of the TURN server {server} for expired"),
                explanation: format!(
                    "{client} answered the server's certificate, which is not readable here, with the fatal alert certificate_expired ({}).",
                    frames(&listed)
                ),
                fix: format!("Renew the certificate of {server}, and check the clock of {client}."),
            },
        }
    });
}

/// The end of a connection that the client closed when the handshake was complete, without any data: some look at the certificate only then.
fn left(connection: &TlsConnection) -> Option<ClosedBy> {
    let said = connection.handshake.sides.client.data.records;
    let closed = connection.closed_by().filter(|closed| closed.role == Role::Client);
    closed.filter(|_| connection.handshake.completed.is_some() && said == 0)
}

/// A certificate with a flaw that shows at this place; `what` tells it from others of its id.
fn flaw(story: &Story<'_>, id: &'static str, at: Seen, what: &str) -> Occurrence {
    let connection = story.connection;
    let completed = connection.handshake.completed;
    let ended = connection.ending().map(|ending| match ending {
        Ending::Alert(alert) => (alert.from, alert.seen),
        Ending::SealedAlert(role, seen) => (role, seen),
        Ending::Closed(closed) => (closed.role, closed.seen),
    });
    let by_client = ended.is_some_and(|(by, _)| by == Role::Client);
    let mut seen = story.occurrence(id, at, Confidence::Certain, what);
    // of a handshake that the capture shows neither complete nor ended nobody can say that the client gave up
    seen.severity = if by_client || completed.is_some() { Severity::Failure } else { Severity::Warning };
    seen.frames = frames_at([connection.handshake.first, at].into_iter().chain(ended.map(|(_, seen)| seen)));
    // of a client that left its own completion is no remedy, and what it did not like is not told
    if let (Some(_), Some(completed)) = (left(connection), completed) {
        seen.confidence = Confidence::Likely;
        if let Remedy::Secure(from) = &mut seen.remedy {
            from.at = completed.time.after(Span(1));
        }
    }
    seen
}

/// What the client made of it, with a blank before it.
fn outcome(connection: &TlsConnection) -> String {
    match connection.ending() {
        Some(Ending::Alert(alert)) => {
            format!(
                " The {} then ended the handshake with the alert {} (frame {}).",
                alert.from.name(),
                alert.alert.description,
                alert.seen.frame
            )
        }
        Some(Ending::SealedAlert(role, seen)) => {
            format!(" The {} then ended the handshake with an encrypted alert (frame {}).", role.name(), seen.frame)
        }
        Some(Ending::Closed(closed)) => {
            let how = if closed.reset { "reset" } else { "closed" };
            format!(
                " The {} then {how} the connection without an alert (frame {}).",
                closed.role.name(),
                closed.seen.frame
            )
        }
        None if left(connection).is_some() => {
            " The client completed the handshake and then closed the connection without a word in it, as one does that checks the certificate afterwards."
                .to_owned()
        }
        None if connection.handshake.completed.is_some() => {
            " The client completed the handshake all the same: it does not check this.".to_owned()
        }
        None => String::new(),
    }
}

fn server_certificate(connection: &TlsConnection) -> Option<&Certificate> {
    connection.handshake.sides.server.certificate()
}

fn readable(connection: &TlsConnection) -> Option<(&Certificate, &Summary)> {
    let known = server_certificate(connection)?;
    Some((known, known.summary.as_ref()?))
}
