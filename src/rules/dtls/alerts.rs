//! `dtls-handshake-failure`, `dtls-version`, `dtls-alert`: an alert in the clear ended the handshake.

use super::{ALERT, HANDSHAKE_FAILURE, ROLE_CONFLICT, Reading, Story, VERSION, hello_frames};
use crate::frame::in_order;
use crate::rules::evidence::{all_of, capital, frames, offered};
use crate::rules::{Collector, Confidence, Severity, Text, View};
use crate::session::handshake::{AlertSeen, Handshake, Offer, Role};
use crate::wire::handshake::certificate::Summary;
use crate::wire::handshake::{HandshakeType, Version, registry};

pub(super) fn judge(handshake: &Handshake, _view: &View<'_>, out: &mut Collector) {
    let Some(story) = Story::of(handshake) else { return };
    let Some(alert) = handshake.fatal() else { return };
    let (id, severity) = match story.reading {
        Reading::HandshakeFailure => (HANDSHAKE_FAILURE, Severity::Failure),
        Reading::Version => (VERSION, Severity::Failure),
        // of an alert on which the capture joins nobody can tell what it ended: a handshake, or an association long complete
        Reading::Alert if !handshake.from_start && handshake.flights.is_empty() => return,
        Reading::Alert | Reading::RoleConflict => (ALERT, Severity::Warning),
        _ => return,
    };
    let name = alert.alert.description.to_string();
    let mut seen = story.occurrence(id, severity, Confidence::Certain, &format!("{} {name}", alert.from.name()));
    let listed = in_order(hello_frames(handshake).into_iter().chain([alert.seen.frame]));
    seen.frames = listed.clone();
    seen.at = alert.seen.time;
    seen.causes = &[ROLE_CONFLICT];
    seen.reference = "RFC 8446 §6.2";
    out.add(seen, || match story.reading {
        Reading::Version => version(&story, alert, &listed),
        Reading::HandshakeFailure => nothing_in_common(&story, alert, &name, &listed),
        _ => other(&story, alert, &name, &listed),
    });
}

fn offers(handshake: &Handshake) -> String {
    let Some(offer) = handshake.sides.client.hello.as_deref() else {
        return "What the client offers is not in the capture.".to_owned();
    };
    let srtp = match &offer.srtp {
        Some(profiles) => all_of(profiles),
        None => "none (no use_srtp)".to_owned(),
    };
    let chosen = match handshake.sides.server.hello.as_deref() {
        Some(hello) => format!(
            " The server chose {}, {}{}.",
            all_of(&hello.versions),
            all_of(&hello.suites),
            hello.srtp.as_ref().map(|profiles| format!(", SRTP profile {}", all_of(profiles))).unwrap_or_default()
        ),
        None => String::new(),
    };
    format!("{}; SRTP profiles {srtp}.{chosen}", offered(offer))
}

fn nothing_in_common(story: &Story<'_>, alert: &AlertSeen, name: &str, listed: &[u64]) -> Text {
    let handshake = story.handshake;
    let (by, of) = (story.end(alert.from), story.end(alert.from.other()));
    let asked = handshake.sides.server.certificate_request.is_some();
    let empty = handshake.sides.client.certificates.as_ref().is_some_and(Vec::is_empty);
    if asked && empty && alert.from == Role::Server {
        return Text {
            title: format!("{by} requires a certificate of the DTLS client {of}, which sent none (alert {name})"),
            explanation: format!(
                "The server asked for a certificate (CertificateRequest), the client answered with an empty Certificate, and the server sent the fatal \
                 alert {name} ({}).",
                frames(listed)
            ),
            fix: format!("Configure a certificate on {of}: WebRTC needs one of either side."),
        };
    }
    if alert.alert.description.0 == 71
        && alert.from == Role::Client
        && let Some(key) = handshake.sides.server.certificates.as_ref().and_then(|chain| chain.first())
    {
        return too_weak(story, name, listed, key.summary.as_ref());
    }
    let compare = "Compare the lists with the configuration of the side that sent the alert: allow a cipher suite that fits its certificate (ECDSA or \
                   RSA), a group and an SRTP profile that both have.";
    let (clause, what, fix) = match alert.alert.description.0 {
        71 => (
            "they have nothing in common",
            "insufficient_security: none of what was offered is strong enough, or there is no acceptable SRTP profile.",
            compare,
        ),
        47 => (
            "a value in a message is out of place",
            "illegal_parameter: a value in a message is out of place, such as a wrong cookie, changed bytes in a retransmission, or an \
             extension that does not fit.",
            "Look in the log of the side that sent the alert for the value that it means, and update the two stacks: what one writes the other does not \
             accept. A gateway between the two that changes bytes does this, too.",
        ),
        _ => (
            "they have nothing in common",
            "handshake_failure: no cipher suite, group, signature scheme or SRTP profile that both take; an RSA certificate where the client \
             takes ECDSA suites only, or the other way round, gives the same.",
            compare,
        ),
    };
    let stage = if handshake.chosen.is_none() { "its ClientHello" } else { "the handshake" };
    Text {
        title: format!("{by} ends the DTLS handshake of {of} with the alert {name}: {clause}"),
        explanation: format!(
            "{} answered {stage} with the fatal alert {name} ({}). {what} {}{}",
            capital(&story.named(alert.from)),
            frames(listed),
            offers(handshake),
            if alert.from == Role::Server { lacks_extended_master(handshake) } else { "" }
        ),
        fix: fix.to_owned(),
    }
}

/// Whether a client whose certificate the server wanted sends one in the clear, goes on to its Finished, and does not sign for it.
fn is_unproven(handshake: &Handshake, alert: &AlertSeen) -> bool {
    let client = &handshake.sides.client;
    alert.from == Role::Server
        && client.certificates.as_ref().is_some_and(|chain| !chain.is_empty())
        && client.change_cipher.is_some()
        && !client.sent(HandshakeType::CERTIFICATE_VERIFY)
        && handshake.from_start
        && !handshake.truncated
        && client.missing.is_empty()
}

/// That a hello up to DTLS 1.2 goes without extended_master_secret, which some stacks insist on.
fn lacks_extended_master(handshake: &Handshake) -> &'static str {
    let lacks =
        |hello: &Offer| !hello.extended_master && hello.versions.iter().all(|&version| version != Version::DTLS_1_3);
    match handshake.sides.client.hello.as_deref().filter(|hello| lacks(hello)) {
        Some(_) => " It does not offer extended_master_secret (RFC 7627), without which some stacks refuse a client.",
        None => "",
    }
}

/// A client that has got a suite which it offered, and the certificate, and then finds the security insufficient: the suite it had offered itself.
fn too_weak(story: &Story<'_>, name: &str, listed: &[u64], certificate: Option<&Summary>) -> Text {
    let (client, server) = (story.end(Role::Client), story.end(Role::Server));
    let key = certificate.map(|known| format!(", whose key is {}", known.key)).unwrap_or_default();
    Text {
        title: format!("{client} ends the DTLS handshake with the alert {name} after the certificate of {server}"),
        explanation: format!(
            "The server had chosen what the client offered and sent its certificate{key}; {client} answered that with the fatal alert {name} ({}). What is not \
             secure enough for it is the certificate, then: mostly an RSA key of fewer than 1024 or 2048 bits, or a signature with SHA-1 or MD5; or the key that \
             the server sent for the exchange. {}",
            frames(listed),
            offers(story.handshake)
        ),
        fix: format!(
            "Give {server} a new certificate: ECDSA on P-256, or RSA of 2048 bits or more, signed with SHA-256. Samples that come with old programs are too weak for \
             the stacks of today."
        ),
    }
}

fn version(story: &Story<'_>, alert: &AlertSeen, frames_listed: &[u64]) -> Text {
    let handshake = story.handshake;
    let (by, of) = (story.end(alert.from), story.end(alert.from.other()));
    let offered = handshake.sides.client.hello.as_ref().map(|hello| all_of(&hello.versions));
    let wanted =
        handshake.chosen.as_ref().map(|chosen| format!(" The server chose {}.", chosen.version)).unwrap_or_default();
    let (clause, versions) = match offered {
        Some(offered) => (
            format!("the client offers {offered}, and {by} answers protocol_version"),
            format!("the versions listed are those of {}", story.end(Role::Client)),
        ),
        None => (
            format!("{by} answers protocol_version"),
            "the ClientHello, which tells the versions of one of them, is not in the capture".to_owned(),
        ),
    };
    Text {
        title: format!("{by} and {of} have no version of DTLS in common: {clause}"),
        explanation: format!(
            "{} sent the fatal alert protocol_version ({}): it speaks none of the versions that the other offers.{wanted}",
            capital(&story.named(alert.from)),
            frames(frames_listed)
        ),
        fix: format!("Update the older of the two stacks; {versions}."),
    }
}

fn other(story: &Story<'_>, alert: &AlertSeen, name: &str, listed: &[u64]) -> Text {
    let handshake = story.handshake;
    let by = story.end(alert.from);
    let about =
        registry::find(alert.alert.description.0).map(|row| format!(" It says: {}", row.meaning)).unwrap_or_default();
    let after = handshake.flights.last().and_then(|flight| flight.messages.last()).map(|what| what.name());
    let certificate = handshake.sides[alert.from.other()].sent(HandshakeType::CERTIFICATE);
    let hint = match certificate {
        true if is_unproven(handshake, alert) => {
            " The client had sent its certificate and no CertificateVerify behind it, without which the certificate proves nothing (RFC 5246 §7.4.8)."
        }
        true => " The other side's certificate had come by then.",
        false => "",
    };
    Text {
        title: format!("{by} ends the DTLS handshake with the alert {name}"),
        explanation: format!(
            "{} sent the fatal alert {name} ({}){}.{about}{hint}",
            capital(&story.named(alert.from)),
            frames(listed),
            after.map(|after| format!(" after {after}")).unwrap_or_default()
        ),
        fix: format!(
            "Look at the log of {by}, which knows what it objects to; `turnscope explain {name}` tells the usual causes."
        ),
    }
}
