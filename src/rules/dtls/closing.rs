//! `dtls-closed`, `dtls-closed-early`: the end of an association that was complete.

use super::{CLOSED, CLOSED_EARLY, Story};
use crate::net::Endpoint;
use crate::rules::evidence::{capital, frames_at, how_long, listed};
use crate::rules::{Collector, Confidence, Remedy, Severity, Text, View};
use crate::session::Seen;
use crate::session::handshake::{Closing, Handshake, Role};
use crate::time::{Span, Timestamp};

/// An end so soon after the handshake is none of a call.
const AT_ONCE: Span = Span::from_secs(1);
/// An end that sends nothing for so long, while the other does, is not content.
const SILENT: Span = Span::from_secs(4);

pub(super) fn judge_closed(handshake: &Handshake, view: &View<'_>, out: &mut Collector) {
    let Some(story) = Story::of(handshake) else { return };
    let Some(closing) = handshake.closing().filter(|closing| !is_early(handshake, closing)) else { return };
    let mut seen = story.occurrence(CLOSED, Severity::Note, Confidence::Certain, "");
    if !closing.clear {
        seen.confidence = Confidence::Likely;
    }
    seen.frames = frames_at([closing.seen]);
    seen.at = closing.seen.time;
    seen.remedy = Remedy::None;
    seen.reference = "RFC 8446 §6.1";
    let missed = missed_consent(&story, &closing, view);
    out.add(seen, || {
        let by = story.end(closing.by);
        let after = handshake.completed.map(|completed| closing.seen.time.since(completed.time)).unwrap_or_default();
        let how = if closing.clear {
            "close_notify"
        } else {
            "a protected alert, after which it sends no more DTLS: close_notify in all likelihood, which is not readable without the keys"
        };
        Text {
            title: format!("{by} closed DTLS with {} after {after}", story.end(closing.by.other())),
            explanation: format!(
                "{} sent {how} (frame {}).{}",
                capital(&story.named(closing.by)),
                closing.seen.frame,
                missed.map_or_else(String::new, |(other, span)| format!(
                    " Meanwhile {other} went on sending media, and in the {} before that no check of {} is seen: a full agent asks for consent every 5 s as long as it sends \
                     (RFC 7675 §5.1), and some servers give up one that does not.",
                    how_long(span),
                    other.ip()
                ))
            ),
            fix: missed.map_or_else(String::new, |(other, _)| {
                format!(
                    "If the call was not meant to end there: let the ICE agent of {other} check its pair every 5 s (RFC 7675), or have {by} not wait for that \
                     (mediasoup: iceConsentTimeout 0)."
                )
            }),
        }
    });
}

/// The end that goes on with its media when the other one closes, and for how long it had sent no check by then, where that is as long as consent holds.
fn missed_consent(story: &Story<'_>, closing: &Closing, view: &View<'_>) -> Option<(Endpoint, Span)> {
    const CONSENT: (Span, Span) = (Span::from_secs(25), Span::from_secs(60));
    let other = closing.by.other();
    let media = story.last_media(other, view)?;
    let span = closing.seen.time.since(story.last_check(other, view)?);
    let goes_on = media.time >= closing.seen.time.before(AT_ONCE);
    (goes_on && (CONSENT.0..=CONSENT.1).contains(&span)).then(|| (story.end(other), span))
}

pub(super) fn judge_early(handshake: &Handshake, view: &View<'_>, out: &mut Collector) {
    let Some(story) = Story::of(handshake) else { return };
    let Some(completed) = handshake.completed else { return };
    let closed = handshake.closing().filter(|closing| is_early(handshake, closing));
    let silent = if closed.is_none() { silent_end(&story, completed.time, view) } else { None };
    if closed.is_none() && silent.is_none() {
        return no_srtp(&story, completed, view, out);
    }
    let (by, at, confidence) = match (&closed, silent) {
        (Some(closing), _) => (closing.by, closing.seen, Confidence::Certain),
        (None, Some(role)) => (role, completed, Confidence::Likely),
        (None, None) => return,
    };
    let mut seen = story.occurrence(CLOSED_EARLY, Severity::Warning, confidence, by.name());
    seen.frames = frames_at([completed, at]);
    seen.at = at.time;
    seen.remedy = Remedy::None;
    seen.reference = "RFC 8122 §6.2";
    seen.causes = &["dtls-fingerprint-mismatch"];
    out.add(seen, || {
        let (who, other) = (story.end(by), story.end(by.other()));
        let (title, what) = if closed.is_some() {
            let after = at.time.since(completed.time);
            (
                format!("{who} closed DTLS with {other} {after} after the handshake"),
                format!(
                    "The handshake was complete in frame {}, and {after} later {who} sent a protected alert and nothing more (frame {}).",
                    completed.frame, at.frame
                ),
            )
        } else {
            (
                format!("{who} sends nothing to {other} once the DTLS handshake is complete"),
                format!(
                    "The handshake was complete in frame {}. {other} then sends data, {who} neither DTLS nor media, for the rest of the capture, though it is still \
                     there.",
                    completed.frame
                ),
            )
        };
        let sdp = if view.session.signalling().is_empty() {
            " Give the session descriptions (--sdp) to have the fingerprints compared."
        } else {
            ""
        };
        let (also, or) = if closed.is_some() {
            ("an application that hangs up at once does too".to_owned(), "the application closed")
        } else {
            (
                format!(
                    "a side that expects no data channel does too, where what {other} sends again and again begins one (the INIT of SCTP)"
                ),
                "knows of a data channel: both descriptions need the section m=application with a=sctp-port, and a program that listens there",
            )
        };
        Text {
            title,
            explanation: format!(
                "{what} Stacks that compare the certificate with a=fingerprint only after the handshake end like this where the two differ; {also}."
            ),
            fix: format!("Look at the log of {who}: whether it refused the fingerprint or {or}.{sdp}"),
        }
    });
}

/// The client offers profiles for SRTP, the server takes none, and nothing follows the handshake: there are no keys for media.
fn no_srtp(story: &Story<'_>, completed: Seen, view: &View<'_>, out: &mut Collector) {
    let handshake = story.handshake;
    let offered = handshake.sides.client.hello.as_ref().and_then(|hello| hello.srtp.as_deref()).unwrap_or_default();
    let refused = !offered.is_empty() && handshake.chosen.as_ref().is_some_and(|chosen| chosen.srtp.is_none());
    let whole = handshake.from_start && !handshake.truncated && !handshake.is_1_3() && handshake.of_turn.is_none();
    let is_idle = [Role::Client, Role::Server]
        .into_iter()
        .all(|role| handshake.sides[role].data.records == 0 && story.is_idle_after(role, completed.time, SILENT, view));
    if !refused || !whole || !is_idle {
        return;
    }
    let mut seen = story.occurrence(CLOSED_EARLY, Severity::Warning, Confidence::Certain, "srtp");
    seen.frames = frames_at([completed]);
    seen.at = completed.time;
    seen.remedy = Remedy::None;
    seen.reference = "RFC 5764 §4.1.1";
    out.add(seen, || {
        let (client, server) = (story.end(Role::Client), story.end(Role::Server));
        Text {
            title: format!("{client} and {server} agree on no SRTP profile, and nothing follows their DTLS handshake"),
            explanation: format!(
                "The handshake was complete in frame {}. {client} offered {} in use_srtp, and the ServerHello of {server} chose none: without a profile neither side has \
                 keys for media. Nothing but connectivity checks follows.",
                completed.frame,
                listed(&offered.iter().map(ToString::to_string).collect::<Vec<_>>()),
            ),
            fix: format!(
                "Have {server} take one of these profiles: its DTLS stack has to be built with DTLS-SRTP and to be told of them (OpenSSL: \
                 SSL_CTX_set_tlsext_use_srtp); read its log."
            ),
        }
    });
}

/// Whether an association was closed right after it was set up, before its ends said anything worth while.
fn is_early(handshake: &Handshake, closing: &Closing) -> bool {
    let Some(completed) = handshake.completed else { return false };
    let said = handshake.sides[closing.by].data.records;
    // the beginning of a data channel takes a few records
    handshake.from_start && closing.seen.time.since(completed.time) <= AT_ONCE && said <= 2
}

/// The end that says nothing after the handshake, while the other one does and goes on to be there.
fn silent_end(story: &Story<'_>, completed: Timestamp, view: &View<'_>) -> Option<Role> {
    let handshake = story.handshake;
    if !handshake.from_start || handshake.closing().is_some_and(|closing| closing.seen.time.since(completed) < SILENT) {
        return None;
    }
    [Role::Client, Role::Server].into_iter().find(|&role| {
        let (own, other) = (&handshake.sides[role].data, &handshake.sides[role.other()].data);
        // the other end begins a data channel, and sends its first packet again for want of an answer
        let asked = other.records > 1
            && other
                .last
                .zip(other.first)
                .is_some_and(|(last, first)| last.time.since(first.time) >= Span::from_secs(1));
        own.records == 0 && asked && !handshake.is_1_3() && story.sends_nothing_after(role, completed, SILENT, view)
    })
}
