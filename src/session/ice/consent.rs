//! Consent to send, which an agent must keep asking for (RFC 7675).

use super::session::IceSession;
use crate::session::conversations::exchange::Seen;
use crate::time::{Span, Timestamp};

/// Without a valid answer for this long an agent must stop sending (RFC 7675 §5.1).
pub const EXPIRY: Span = Span::from_secs(30);
/// Checks are sent every 4 to 6 s: whoever still asks has asked so often meanwhile.
const MIN_OPEN: u32 = 4;

/// An agent that went unanswered for so long at the end is worse off than one that was for longer, and is answered again.
const SILENT: Span = Span::from_secs(15);

/// How consent stands on the selected pair, of the agent that is answered worst.
#[derive(Clone, Copy, Debug)]
pub struct Consent {
    /// The agent that asks.
    pub from: usize,
    /// The longest time between two answers while it asked, or from the last answer to its last check.
    pub longest_gap: Span,
    /// The last answer.
    pub last_answer: Seen,
    /// Its last check.
    pub last_check: Timestamp,
    /// When consent ran out: [`EXPIRY`] after the last answer, if it went on asking for as long as that.
    pub lost_at: Option<Timestamp>,
}

impl IceSession {
    /// How consent stands on the selected pair; `None` where no pair is selected or none of its checks was answered.
    #[must_use]
    pub fn consent(&self) -> Option<Consent> {
        let pair = self.selected()?;
        let of = |from: usize| {
            let way = pair.way(from);
            let answered = way.answered.as_ref()?;
            let silence = if answered.open > 0 { way.last.since(answered.last.time) } else { Span(0) };
            let lost = silence >= EXPIRY && answered.open >= MIN_OPEN;
            let consent = Consent {
                from,
                longest_gap: answered.longest.0.max(silence),
                last_answer: answered.last,
                last_check: way.last,
                lost_at: lost.then(|| answered.last.time.after(EXPIRY)),
            };
            Some((lost, silence >= SILENT, consent))
        };
        let worse = |(lost, silent, consent): &(bool, bool, Consent)| (*lost, *silent, consent.longest_gap);
        match (of(0), of(1)) {
            (Some(one), Some(other)) => Some(if worse(&other) > worse(&one) { other } else { one }),
            (one, other) => one.or(other),
        }
        .map(|(.., consent)| consent)
    }
}
