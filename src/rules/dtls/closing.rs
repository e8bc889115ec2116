//! `dtls-closed`, `dtls-closed-early`: the end of an association that was complete.

use super::{CLOSED, CLOSED_EARLY, Story, capital};
use crate::rules::evidence::frames_at;
use crate::rules::{Collector, Confidence, Remedy, Severity, Text, View};
use crate::session::handshake::{Closing, Handshake, Role};
use crate::time::{Span, Timestamp};

/// An end so soon after the handshake is none of a call.
const AT_ONCE: Span = Span::from_secs(1);
/// An end that sends nothing for so long, while the other does, is not content.
const SILENT: Span = Span::from_secs(4);

pub(super) fn judge_closed(handshake: &Handshake, _view: &View<'_>, out: &mut Collector) {
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
            explanation: format!("{} sent {how} (frame {}).", capital(&story.named(closing.by)), closing.seen.frame),
            fix: String::new(),
        }
    });
}

pub(super) fn judge_early(handshake: &Handshake, view: &View<'_>, out: &mut Collector) {
    let Some(story) = Story::of(handshake) else { return };
    let Some(completed) = handshake.completed else { return };
    let closed = handshake.closing().filter(|closing| is_early(handshake, closing));
    let silent = if closed.is_none() { silent_end(&story, completed.time, view) } else { None };
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
                    "The handshake was complete in frame {}. {other} then sends data, {who} neither DTLS nor media, for the rest of the capture.",
                    completed.frame
                ),
            )
        };
        let sdp = if view.session.signalling().is_empty() {
            " Give the session descriptions (--sdp) to have the fingerprints compared."
        } else {
            ""
        };
        Text {
            title,
            explanation: format!(
                "{what} Stacks that compare the certificate with a=fingerprint only after the handshake end like this where the two differ; an \
                 application that hangs up at once does too."
            ),
            fix: format!("Look at the log of {who}: whether it refused the fingerprint or the application closed.{sdp}"),
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
