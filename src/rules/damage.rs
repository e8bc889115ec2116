//! `stun-malformed` and `stun-fingerprint-bad`: messages that are broken, or were changed on the way.

use super::evidence::first_frames;
use super::{Collector, Confidence, Occurrence, Severity, Subject, Text, View};
use crate::net::{ClientAddress, Endpoint, ServerAddress};
use crate::session::{BySender, Sender};

pub(super) const MALFORMED: &str = "stun-malformed";
pub(super) const FINGERPRINT: &str = "stun-fingerprint-bad";

pub(super) fn judge_malformed(view: &View<'_>, out: &mut Collector) {
    let totals = view.session.totals();
    each(MALFORMED, "RFC 8489 §5", &totals.malformed, out, |sender| {
        let Sender { sample, src, dst, first } = sender;
        let what = totals.malformed_how.get(&src.ip()).map_or_else(String::new, ToString::to_string);
        Text {
            title: format!(
                "{} sends malformed STUN messages to {}, first in frame {}",
                src.ip(),
                dst.ip(),
                first.frame
            ),
            explanation: format!(
                "{} on a flow of STUN cannot be read as the protocol has it, and the snap length has no part in it ({}). In frame {}: {what}.",
                messages(sample.total),
                first_frames(&sample.frames, sample.total),
                first.frame
            ),
            fix: format!(
                "Report it to the maker of the software at {src}, or find the device on the way that damages the messages."
            ),
        }
    });
}

pub(super) fn judge_fingerprint(view: &View<'_>, out: &mut Collector) {
    each(FINGERPRINT, "RFC 8489 §14.7", &view.session.totals().fingerprint_bad, out, |sender| {
        let Sender { sample, src, dst, first } = sender;
        Text {
            title: format!("FINGERPRINT is wrong in messages from {} to {}, first in frame {}", src.ip(), dst.ip(), first.frame),
            explanation: format!(
                "{} from {} a FINGERPRINT that does not fit the message ({}): it was changed or damaged after it was sent, or its sender \
                 computes the checksum wrongly. A receiver drops such messages.",
                messages(sample.total),
                if sample.total == 1 { format!("{src} carries") } else { format!("{src} carry") },
                first_frames(&sample.frames, sample.total)
            ),
            fix: "Capture at both ends: where the same message is right at its sender, a device on the way rewrites it (SIP ALG, NAT helper), \
                  else its sender is at fault."
                .to_owned(),
        }
    });
}

fn messages(total: u64) -> String {
    if total == 1 { "One message".to_owned() } else { format!("{total} messages") }
}

/// One finding a sender and receiver's address.
fn each(
    id: &'static str,
    reference: &'static str,
    counted: &BySender,
    out: &mut Collector,
    text: impl Fn(&Sender) -> Text,
) {
    for sender in counted.senders.values() {
        let seen = Occurrence {
            key: sender.src.ip().to_string(),
            severity: Severity::Warning,
            confidence: Confidence::Certain,
            at: sender.first.time,
            frames: sender.sample.frames.clone(),
            filter: Some(filter(sender.src)),
            subject: subject(sender),
            causes: if id == FINGERPRINT { &["nat-alg-rewrite"] } else { &[] },
            ..Occurrence::of(id, reference)
        };
        out.add_times(sender.sample.total, seen, || text(sender));
    }
}

/// Which of the two ends is the client: the one with the higher port, as a rule.
fn subject(sender: &Sender) -> Subject {
    let (src, dst) = (sender.src, sender.dst);
    let (client, server) = if src.port() < dst.port() { (dst, src) } else { (src, dst) };
    Subject::between(ClientAddress(client), ServerAddress(server))
}

fn filter(src: Endpoint) -> String {
    format!("stun && {}.src == {}", if src.is_v6() { "ipv6" } else { "ip" }, src.ip())
}
