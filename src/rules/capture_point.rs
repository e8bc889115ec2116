//! `capture-duplicates`, `capture-truncated` and `capture-one-sided`: what the way of capturing did to the capture. Never bad, but worth
//! knowing before absence is taken for evidence.

use super::evidence::{counted, first_frames};
use super::{Collector, Confidence, Occurrence, Severity, Text, View};
use crate::session::Sample;
use std::net::IpAddr;

pub(super) const DUPLICATES: &str = "capture-duplicates";
pub(crate) const TRUNCATED: &str = "capture-truncated";
pub(crate) const ONE_SIDED: &str = "capture-one-sided";

const BOTH_WAYS: &str = "Capture where both directions pass, and with a filter that takes both.";

pub(super) fn judge(view: &View<'_>, out: &mut Collector) {
    let totals = view.session.totals();
    note(DUPLICATES, &totals.mirrored, view, out, |count| Text {
        title: format!("The capture holds {} twice", counted(count, "message")),
        explanation: format!(
            "The same packets, with the same IP identification, were captured again within milliseconds ({}), as a mirror port does that \
             copies both directions. They are counted once and never taken for retransmissions; so are relayed data and media.",
            first_frames(&totals.mirrored.frames, totals.mirrored.total)
        ),
        fix: "None is needed; mirror one direction only to have smaller captures.".to_owned(),
    });
    note(TRUNCATED, &totals.truncated, view, out, |count| Text {
        title: format!("The capture cuts {} short", counted(count, "STUN message")),
        explanation: format!(
            "The snap length ends frames in the middle of a message ({}). {}{}What stands behind the cut is not known.",
            first_frames(&totals.truncated.frames, totals.truncated.total),
            match totals.unverifiable.total {
                0 => String::new(),
                total => format!("{} could not be verified for it. ", counted(total, "signature")),
            },
            match &totals.hidden_errors {
                Sample { total: 0, .. } => String::new(),
                Sample { total, frames } => format!(
                    "Of {} it hid the code ({}). ",
                    counted(*total, "error response"),
                    first_frames(frames, *total)
                ),
            }
        ),
        fix: "Capture whole packets (tcpdump -s 0).".to_owned(),
    });
    let unheard: Vec<IpAddr> = view.session.clients().unheard().collect();
    if let (0, Some(host)) = (totals.one_sided.total, unheard.first()) {
        let others = match unheard.len() - 1 {
            0 => String::new(),
            more => format!(" and {}", counted(more as u64, "other host")),
        };
        let sample = Sample { total: 1, frames: Vec::new() };
        note(ONE_SIDED, &sample, view, out, |_| Text {
            title: format!("The capture holds nothing that was sent to {host}{others}"),
            explanation: "What it sent shows that it was answered, and no answer is there. What seems to be missing \
                          proves nothing."
                .to_owned(),
            fix: BOTH_WAYS.to_owned(),
        });
    }
    note(ONE_SIDED, &totals.one_sided, view, out, |count| Text {
        title: format!("The capture holds one direction only of {}", counted(count, "flow")),
        explanation: format!(
            "Answers without requests, or clients that go on as only an answer lets them, show that the other direction was there and was \
             not captured ({}). What seems to be missing from it proves nothing.",
            first_frames(&totals.one_sided.frames, totals.one_sided.total)
        ),
        fix: BOTH_WAYS.to_owned(),
    });
}

fn note(id: &'static str, sample: &Sample, view: &View<'_>, out: &mut Collector, text: impl FnOnce(u64) -> Text) {
    if sample.total == 0 {
        return;
    }
    let seen = Occurrence {
        key: String::new(),
        severity: Severity::Note,
        confidence: Confidence::Certain,
        at: view.now(),
        frames: sample.frames.clone(),
        ..Occurrence::of(id, "")
    };
    out.add_times(sample.total, seen, || text(sample.total));
}
