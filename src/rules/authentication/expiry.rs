//! `turn-credential-expired` and `turn-expired-credential-accepted`: time-limited credentials after their end.

use super::Refused;
use crate::rules::evidence::{date, filter_of, frames, frames_of, how_long};
use crate::rules::{Collector, Confidence, Occurrence, Proof, Severity, Text, View};
use crate::session::credentials::{Scheme, Status, rest_expiry};
use crate::session::{Conversation, Exchange};
use crate::time::{Span, Timestamp};
use crate::wire::stun::Method;

pub(super) const EXPIRED: &str = "turn-credential-expired";
pub(super) const ACCEPTED: &str = "turn-expired-credential-accepted";

/// A number that ended longer ago than this is more likely no date at all, unless a shared secret proves that it is.
const LONG_AGO: Span = Span::from_secs(5 * 366 * 86_400);

/// No credential lasts for longer than this; what would is no date, or the capture's clock is wrong.
const LONGEST: Span = Span::from_secs(31 * 86_400);

/// When the credential of a request ends: its user name is of the form `expiry:user` (bare digits only where a shared secret verifies it).
fn end_of(exchange: &Exchange, view: &View<'_>) -> Option<Timestamp> {
    let expiry = rest_expiry(view.session.names().bytes(exchange.asked.user?))?;
    (!expiry.bare || is_derived(exchange)).then(|| Timestamp(expiry.seconds.saturating_mul(1_000_000_000)))
}

/// When the credential of a request had ended before the request was sent.
pub(in crate::rules) fn expired_at(exchange: &Exchange, view: &View<'_>) -> Option<Timestamp> {
    end_of(exchange, view).filter(|end| *end < exchange.first.time)
}

/// How long the credential of a request was still good for when the request was sent, where its user name tells.
pub(super) fn good_for(exchange: &Exchange, view: &View<'_>) -> Option<Span> {
    let left = end_of(exchange, view)?.since(exchange.first.time);
    (left >= Span(0) && left < LONGEST).then_some(left)
}

/// What is wrong with a user name whose expiry is a time near that of the request only if it counts milliseconds, as JavaScript does.
pub(super) fn in_milliseconds(exchange: &Exchange, view: &View<'_>) -> Option<String> {
    let user = view.session.names().bytes(exchange.asked.user?);
    let digits = user.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = user.split_at_checked(digits)?;
    let millis: i64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    let end = Timestamp(millis.checked_mul(1_000_000)?);
    (rest.starts_with(b":") && end.apart(exchange.first.time) < LONGEST).then(|| {
        format!(
            " The number in the user name is a time only if it counts milliseconds ({}); servers that take time-limited credentials read seconds there.",
            date(end)
        )
    })
}

/// Whether a given shared secret made the password that the request is signed with.
fn is_derived(exchange: &Exchange) -> bool {
    exchange.asked.integrity.iter().flatten().any(|verdict| {
        matches!(verdict.status, Status::Verified { derivation, .. } if matches!(derivation.scheme, Scheme::TurnRest { .. }))
    })
}

fn is_sure(exchange: &Exchange, end: Timestamp) -> bool {
    is_derived(exchange) || exchange.first.time.since(end) < LONG_AGO
}

pub(super) fn tell(group: &Refused<'_>, end: Option<Timestamp>, view: &View<'_>, out: &mut Collector) {
    let conversation = group.conversation;
    let key = format!("{} {}", conversation.server, group.answer.code);
    let mut seen = group.occurrence(EXPIRED, key, "draft-uberti-behave-turn-rest", view);
    if end.is_some_and(|end| !is_sure(group.last, end)) {
        seen.confidence = Confidence::Likely;
    }
    out.add(seen, || {
        let (server, user, error) = (conversation.server, view.user(&group.last.asked), view.error(group.answer));
        let times = group.listed();
        let proof = match Proof::of(&group.last.asked.integrity, view) {
            Proof::By { label, .. } => format!(" Its integrity verifies with \"{label}\", so nothing else is wrong with it."),
            Proof::Mismatch(tried) => {
                format!(" Besides, the request verifies with none of the {tried} credentials given for it.")
            }
            _ => String::new(),
        };
        match end {
            Some(end) => {
                let late = how_long(group.first.first.time.since(end));
                Text {
                    title: format!("{server} refused {user} with {error}: that credential ended on {}, {late} earlier", date(end)),
                    explanation: format!(
                        "The user name is that of a time-limited credential and carries the time of its end, {}. {} used it at {} and was refused \
                         {times}.{proof}",
                        date(end),
                        conversation.client,
                        date(group.first.first.time),
                    ),
                    fix: "Let the client fetch a new credential before the old one ends, and compare the clocks of the server, of the machine that \
                          issues the credentials and of the one that captured this."
                        .to_owned(),
                }
            }
            None => Text {
                title: format!("{server} says that the credential of {user} has expired: {error}"),
                explanation: format!("{} was refused {times} with words or a code that mean expiry.{proof}", conversation.client),
                fix: "Let the client fetch a new credential before the old one ends, and compare the clocks of server and issuer.".to_owned(),
            },
        }
    });
}

/// An Allocate that was granted to a credential after its end.
pub(super) fn judge_accepted(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let granted = |exchange: &&Exchange| exchange.succeeded() && exchange.asked.is_signed();
    let mut expired = conversation.of(Method::ALLOCATE).filter(granted).filter_map(|exchange| {
        let end = expired_at(exchange, view)?;
        Some((exchange, end))
    });
    let Some((exchange, end)) = expired.next() else { return };
    let user = exchange.asked.user;
    let seen = Occurrence {
        key: conversation.server.to_string(),
        severity: Severity::Warning,
        confidence: Confidence::certain_if(is_sure(exchange, end)),
        at: exchange.first.time,
        frames: frames_of([exchange]),
        filter: Some(filter_of(conversation)),
        subject: view.subject(conversation, user, exchange.asked.realm),
        ..Occurrence::of(ACCEPTED, "draft-uberti-behave-turn-rest")
    };
    out.add(seen, || {
        let (server, user) = (conversation.server, view.user(&exchange.asked));
        Text {
            title: format!("{server} granted {user} an allocation although that credential ended on {}", date(end)),
            explanation: format!(
                "The user name carries the end of a time-limited credential, {} before the request ({}). The server granted it all the same: it \
                 does not look at the expiry, so a credential that leaks works for ever.",
                how_long(exchange.first.time.since(end)),
                frames(&frames_of([exchange])),
            ),
            fix: "Configure the server to check the expiry in time-limited user names, and compare its clock with that of the machine that \
                  captured this."
                .to_owned(),
        }
    });
}
