//! Who the client is, and whether the server believes it: challenges, names, passwords, nonces, and what protects messages.
//!
//! The requests of one conversation that were refused for the same reason are one occurrence, however often the client tried ([`Refused`]).

mod challenge;
pub(super) mod expiry;
mod identity;
mod integrity_rejected;
mod lacking;
mod nearly;
pub(super) mod nonce;
mod protection;

pub(super) use integrity_rejected::SIGNS;

use crate::rules::evidence::{filter_of, frames, is_whole};
use crate::rules::refusal::{Refusal, Refusals, classify};
use crate::rules::relay::after_expiry::ran_out_after;
use crate::rules::{Collector, Confidence, Judge, Occurrence, Remedy, Rule, Severity, View};
use crate::session::{Conversation, Exchange, Grievance};
use crate::time::Timestamp;
use crate::wire::stun::Method;
use std::mem::discriminant;

#[rustfmt::skip] // one rule a line
pub(super) const RULES: &[Rule] = &[
    Rule { ids: IDS, judge: Judge::Exchanges(judge) },
    Rule { ids: &[expiry::ACCEPTED], judge: Judge::Exchanges(expiry::judge_accepted) },
    Rule { ids: &[challenge::CHALLENGE, challenge::NO_CREDENTIALS], judge: Judge::Exchanges(challenge::judge) },
    Rule { ids: &[nonce::STALE, nonce::LOOP], judge: Judge::Exchanges(nonce::judge) },
    Rule { ids: &[protection::RESPONSE_BAD, protection::BID_DOWN], judge: Judge::Exchanges(protection::judge) },
];

const IDS: &[&str] = &[
    integrity_rejected::ID,
    identity::UNKNOWN_USER,
    identity::REALM_MISMATCH,
    identity::USER_CHANGED,
    expiry::EXPIRED,
    lacking::MISSING,
    lacking::UNKNOWN,
];

/// Refusals of one kind, for one user.
pub(in crate::rules) type Refused<'c> = Refusals<'c, Refusal>;

fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    for group in &groups(conversation, view) {
        match group.reason {
            Refusal::Integrity => integrity_rejected::tell(group, view, out),
            Refusal::UnknownUser => identity::tell_unknown_user(group, view, out),
            Refusal::Realm => identity::tell_realm(group, view, out),
            Refusal::UserChanged => identity::tell_user_changed(group, view, out),
            Refusal::Expired(end) => expiry::tell(group, end, view, out),
            Refusal::Missing(missing) => lacking::tell_missing(group, missing, view, out),
            Refusal::UnknownAttribute => lacking::tell_unknown(group, view, out),
            Refusal::None | Refusal::Challenge | Refusal::StaleNonce | Refusal::Other => {}
        }
    }
}

fn groups<'c>(conversation: &'c Conversation, view: &View<'_>) -> Vec<Refused<'c>> {
    // what no rule of this family tells needs no group
    let told = |refusal: &Refusal| {
        !matches!(refusal, Refusal::None | Refusal::Challenge | Refusal::StaleNonce | Refusal::Other)
    };
    let reason = |exchange: &Exchange| Some(classify(exchange, conversation, view)).filter(told);
    Refusals::of(conversation, reason, |known, refusal, exchange, answer| {
        let kind = match (known.reason, refusal) {
            (Refusal::Missing(one), Refusal::Missing(other)) => one == other,
            (one, other) => discriminant(&one) == discriminant(&other),
        };
        kind && known.answer.unknown == answer.unknown
            && known.last.asked.user_or_hash() == exchange.asked.user_or_hash()
    })
}

impl Refused<'_> {
    /// `once (frames 3 and 4)`, `twice (…)`, `7 times (…)`; "at least" where the conversation was too long to keep all of it.
    pub(in crate::rules) fn listed(&self) -> String {
        let listed = frames(&self.frames());
        match self.exchanges.len() {
            many if self.conversation.exchanges_omitted > 0 => format!("at least {many} times ({listed})"),
            1 => format!("once ({listed})"),
            2 => format!("twice ({listed})"),
            many => format!("{many} times ({listed})"),
        }
    }

    /// When the first Refresh among them was refused.
    fn refused_refresh(&self) -> Option<Timestamp> {
        let refresh = self.exchanges.iter().find(|known| known.method == Method::REFRESH)?;
        refresh.answer.as_ref().map(|answer| answer.seen.time)
    }

    /// A failure, unless the client was granted the same later or is otherwise served.
    pub(in crate::rules) fn occurrence(
        &self,
        id: &'static str,
        key: String,
        reference: &'static str,
        view: &View<'_>,
    ) -> Occurrence {
        let (conversation, at) = (self.conversation, self.answer.seen.time);
        let ended = self.refused_refresh().and_then(|refused| ran_out_after(conversation, refused));
        let grievance = Grievance::of(conversation, self.user(), ended.unwrap_or(at));
        let granted = conversation.granted_after(self.last.method, at);
        Occurrence {
            key,
            severity: if granted { Severity::Warning } else { Severity::Failure },
            confidence: Confidence::certain_if(!self.answer.truncated && (ended.is_none() || is_whole(conversation))),
            remedy: match self.last.method {
                Method::BINDING => Remedy::Reachability(grievance),
                _ => Remedy::Service(grievance),
            },
            at: self.first.first.time,
            frames: self.frames(),
            filter: Some(filter_of(conversation)),
            subject: view.subject(conversation, self.last.asked.user, self.last.asked.realm),
            ..Occurrence::of(id, reference)
        }
    }
}
