//! The requests of one conversation that were refused for the same reason: one occurrence, however often the client tried.

use super::evidence::{filter_of, frames_of};
use super::refusal::{Refusal, classify};
use super::{Collector, Confidence, Occurrence, Remedy, Severity, View};
use super::{expiry, identity, integrity_rejected, lacking};
use crate::session::{Answer, Conversation, Exchange, Grievance, Name};
use crate::wire::stun::Method;
use std::mem::discriminant;

pub(super) const IDS: &[&str] = &[
    integrity_rejected::ID,
    identity::UNKNOWN_USER,
    identity::REALM_MISMATCH,
    identity::USER_CHANGED,
    expiry::EXPIRED,
    lacking::MISSING,
    lacking::UNKNOWN,
];

/// Refusals of one kind, for one user.
#[derive(Debug)]
pub(super) struct Refused<'e> {
    /// What they are about.
    pub refusal: Refusal,
    /// All of them, in order; never empty.
    pub exchanges: Vec<&'e Exchange>,
    /// The last of them.
    pub last: &'e Exchange,
    /// Its answer.
    pub answer: &'e Answer,
}

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    for group in &groups(conversation, view) {
        match group.refusal {
            Refusal::Integrity => integrity_rejected::tell(group, conversation, view, out),
            Refusal::UnknownUser => identity::tell_unknown_user(group, conversation, view, out),
            Refusal::Realm => identity::tell_realm(group, conversation, view, out),
            Refusal::UserChanged => identity::tell_user_changed(group, conversation, view, out),
            Refusal::Expired(end) => expiry::tell(group, end, conversation, view, out),
            Refusal::Missing(missing) => lacking::tell_missing(group, missing, conversation, view, out),
            Refusal::UnknownAttribute => lacking::tell_unknown(group, conversation, view, out),
            Refusal::None | Refusal::Challenge | Refusal::StaleNonce | Refusal::Other => {}
        }
    }
}

fn groups<'c>(conversation: &'c Conversation, view: &View<'_>) -> Vec<Refused<'c>> {
    let mut groups: Vec<Refused<'c>> = Vec::new();
    for exchange in &conversation.exchanges {
        let refusal = classify(exchange, conversation, view);
        // what no rule of this family tells needs no group
        let told = !matches!(refusal, Refusal::None | Refusal::Challenge | Refusal::StaleNonce | Refusal::Other);
        let (true, Some(answer)) = (told, &exchange.answer) else { continue };
        let same = |known: &&mut Refused<'_>| {
            let kind = match (known.refusal, refusal) {
                (Refusal::Missing(one), Refusal::Missing(other)) => one == other,
                (one, other) => discriminant(&one) == discriminant(&other),
            };
            kind && known.answer.unknown == answer.unknown
                && known.last.asked.user_or_hash() == exchange.asked.user_or_hash()
        };
        match groups.iter_mut().find(same) {
            Some(known) => {
                known.exchanges.push(exchange);
                (known.last, known.answer) = (exchange, answer);
            }
            None => groups.push(Refused { refusal, exchanges: vec![exchange], last: exchange, answer }),
        }
    }
    groups
}

impl Refused<'_> {
    /// The first request.
    pub(super) fn first(&self) -> &Exchange {
        self.exchanges.first().copied().unwrap_or(self.last)
    }

    /// The user that was refused.
    pub(super) fn user(&self) -> Option<Name> {
        self.last.asked.user_or_hash()
    }

    /// The frames of requests and answers.
    pub(super) fn frames(&self) -> Vec<u64> {
        frames_of(self.exchanges.iter().copied())
    }

    /// "once", "twice", "7 times"; "at least" where the conversation was too long to keep all of it.
    pub(super) fn times(&self, conversation: &Conversation) -> String {
        match self.exchanges.len() {
            many if conversation.exchanges_omitted > 0 => format!("at least {many} times"),
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            many => format!("{many} times"),
        }
    }

    /// A failure, unless the client was granted the same later or is otherwise served.
    pub(super) fn occurrence(
        &self,
        id: &'static str,
        key: String,
        reference: &'static str,
        conversation: &Conversation,
        view: &View<'_>,
    ) -> Occurrence {
        let at = self.answer.seen.time;
        let grievance = Grievance::of(conversation, self.user(), at);
        let granted = conversation.granted_after(self.last.method, at);
        Occurrence {
            id,
            key,
            severity: if granted { Severity::Warning } else { Severity::Failure },
            confidence: if self.answer.truncated { Confidence::Likely } else { Confidence::Certain },
            remedy: match self.last.method {
                Method::BINDING => Remedy::Reachability(grievance),
                _ => Remedy::Service(grievance),
            },
            at: self.first().first.time,
            frames: self.frames(),
            filter: Some(filter_of(conversation)),
            reference,
            subject: view.subject(conversation, self.last.asked.user, self.last.asked.realm),
            causes: &[],
        }
    }
}
