//! `dtls-certificate-rejected`, `dtls-fingerprint-mismatch`: the certificate is not taken, or should not be.

use super::signalled::{Match, listed};
use super::{CERTIFICATE_REJECTED, FINGERPRINT_MISMATCH, Reading, Story};
use crate::rules::evidence::{capital, frames, frames_at, quote};
use crate::rules::{Collector, Confidence, Severity, Text, View};
use crate::session::handshake::{Certificate, Handshake, Role, State};
use crate::session::signalling::Description;
use crate::time::Span;

/// The alert by which one end does not take the other's certificate.
pub(in crate::rules) fn judge_rejected(handshake: &Handshake, view: &View<'_>, out: &mut Collector) {
    let Some(story) = Story::of(handshake).filter(|story| story.reading == Reading::CertificateRejected) else {
        return;
    };
    let Some(alert) = handshake.fatal() else { return };
    let rejecter = alert.from;
    let certificate = handshake.sides[rejecter.other()].certificate();
    let listed = frames_at(certificate.iter().map(|known| known.seen).chain([alert.seen]));
    let name = alert.alert.description.to_string();
    let mut seen = story.occurrence(
        CERTIFICATE_REJECTED,
        Severity::Failure,
        Confidence::Certain,
        &format!("{} {name}", rejecter.name()),
    );
    seen.frames = listed.clone();
    seen.at = alert.seen.time;
    seen.reference = "RFC 8122 §6.2";
    seen.causes = &[FINGERPRINT_MISMATCH];
    out.add(seen, || {
        let (by, of) = (story.named(rejecter), story.end(rejecter.other()));
        let which = certificate.map_or_else(
            || "The certificate itself is not in the capture.".to_owned(),
            |known| described(&story, rejecter.other(), known, view),
        );
        let meaning = match alert.alert.description.0 {
            48 => {
                "unknown_ca: the stack looks for the issuer among its authorities, as a browser does for web sites, while certificates in WebRTC \
                 are self-signed; or the application found another fingerprint than was signalled, which stacks on OpenSSL (libdatachannel) \
                 tell with this alert, too."
            }
            42 => "bad_certificate: the certificate does not match the fingerprint that was signalled, or is malformed.",
            _ => "certificate_unknown: the check of the certificate failed, in WebRTC mostly because it does not match the fingerprint that was \
                  signalled.",
        };
        let fingerprint = match certificate {
            Some(_) => "Compare the fingerprint above".to_owned(),
            None => format!("Compare the fingerprint of the certificate of {of}, which its log or a capture of the whole handshake tells,"),
        };
        Text {
            title: format!("{} rejects the certificate of {of} with the DTLS alert {name}", story.end(rejecter)),
            explanation: format!("After the Certificate of {of}, {by} sent the fatal alert {name} ({}). {which} {meaning}", frames(&listed)),
            fix: match alert.alert.description.0 {
                48 => format!(
                    "{fingerprint} with a=fingerprint in the description that {} was given. If they are the same, let it verify \
                     the certificate by its fingerprint instead of a chain of authorities.",
                    story.end(rejecter)
                ),
                _ => format!(
                    "{fingerprint} with a=fingerprint in the description that {} was given: signalling may have altered it, \
                     another instance or a device between the two may have answered, or the description is of an earlier connection.",
                    story.end(rejecter)
                ),
            },
        }
    });
}

/// The certificates against the fingerprints of the session descriptions.
pub(super) fn judge_mismatch(handshake: &Handshake, view: &View<'_>, out: &mut Collector) {
    let Some(story) = Story::of(handshake) else { return };
    for role in [Role::Client, Role::Server] {
        let Some(certificate) = handshake.sides[role].certificate() else { continue };
        let compared = story.compare(role, certificate, view);
        let confidence = match compared {
            Match::Wrong(..) => Confidence::Certain,
            Match::InNone => Confidence::Likely,
            Match::Unknown | Match::Right => continue,
        };
        // data of both ends shows that both are content with what they were told
        let both = [Role::Client, Role::Server];
        let goes_on =
            handshake.state() == State::Complete && both.iter().all(|&role| handshake.sides[role].data.records > 1);
        let severity = if goes_on { Severity::Warning } else { Severity::Failure };
        let mut seen = story.occurrence(FINGERPRINT_MISMATCH, severity, confidence, role.name());
        if let super::Remedy::Association(from) = &mut seen.remedy {
            // its own completion is no remedy
            from.at = handshake.completed.map_or(from.at, |completed| completed.time.after(Span(1)));
        }
        seen.frames = frames_at([certificate.seen]);
        // it takes effect when the handshake is over: an alert about it comes first
        seen.at = handshake.last.time;
        seen.reference = "RFC 8122 §5";
        out.add(seen, || {
            let end = story.end(role);
            let told = match compared {
                Match::Wrong(description, right) => format!(
                    "Its session description ({}) says {}.{}",
                    quote(&description.origin),
                    listed(description),
                    altered(right)
                ),
                _ => "None of the session descriptions given has it. No connectivity checks on this pair tell which description is whose, so \
                      that all were compared."
                    .to_owned(),
            };
            let after = match handshake.state() {
                State::Complete => " The handshake completed all the same: some stacks compare afterwards, and close or keep silent without an alert.",
                _ => "",
            };
            Text {
                title: format!("The DTLS certificate of {end} is not the one that was signalled"),
                explanation: format!(
                    "{} showed a certificate with {} (frame {}). {told}{after}",
                    capital(&story.named(role)),
                    certificate.fingerprint,
                    certificate.seen.frame
                ),
                fix: "Compare offer, answer and certificate: signalling may have altered the description or paired it with another connection, \
                      another instance may have answered, or a device between the two ends terminates DTLS."
                    .to_owned(),
            }
        });
    }
}

/// The certificate, and whether it is the one that was signalled.
fn described(story: &Story<'_>, role: Role, known: &Certificate, view: &View<'_>) -> String {
    let says = known.summary.as_ref().map_or_else(String::new, |says| {
        let own = if says.self_signed { ", self-signed" } else { "" };
        let valid = if says.is_valid_at(known.seen.time) { "" } else { ", not valid at the time of the capture" };
        format!(" (subject {}, {}{own}{valid})", quote(&says.subject), says.key)
    });
    let compared = match story.compare(role, known, view) {
        Match::Unknown => String::new(),
        Match::Right => " It is the one that the session description given here tells.".to_owned(),
        Match::Wrong(description, right) => format!(
            " The session description ({}) tells another: {}.{}",
            quote(&description.origin),
            listed(description),
            altered(right)
        ),
        Match::InNone => " None of the session descriptions given has it.".to_owned(),
    };
    format!("The certificate{says} has the fingerprint {}.{compared}", known.fingerprint)
}

/// What a second description of the same agent shows that has the right fingerprint.
fn altered(right: Option<&Description>) -> String {
    right.map_or_else(String::new, |right| {
        format!(
            " Another description of the same agent ({}) has the right one: it was altered on its way.",
            quote(&right.origin)
        )
    })
}
