//! `turn-challenge` and `turn-no-credentials`: the first leg of long-term credentials, and clients that stop there.

use super::evidence::{filter_of, frames, frames_of, how_long};
use super::refusal::{PATIENCE, Refusal, classify};
use super::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::session::{Answer, Conversation, Exchange, Grievance};
use crate::time::Span;
use crate::wire::stun::Method;

pub(super) const CHALLENGE: &str = "turn-challenge";
pub(super) const NO_CREDENTIALS: &str = "turn-no-credentials";

/// An allocation that a client was granted this long before an abandoned challenge shows that it has credentials: clients ask from
/// several sockets at once and drop those that they do not need.
const SHORTLY: Span = Span::from_secs(60);

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let mut challenged =
        conversation.exchanges.iter().filter(|exchange| classify(exchange, conversation, view) == Refusal::Challenge);
    let Some(first) = challenged.next() else { return };
    let last = challenged.next_back().unwrap_or(first);
    let Some(answer) = &last.answer else { return };
    // what the capture cuts off may have been signed
    let signed =
        |exchange: &&Exchange| (exchange.asked.is_signed() || exchange.asked.truncated) && exchange.first > first.first;
    if let Some(granted) = conversation.of(Method::ALLOCATE).filter(signed).find(|exchange| exchange.succeeded()) {
        tell_challenge(first, granted, conversation, view, out);
    } else if !conversation.exchanges.iter().any(|exchange| signed(&exchange)) {
        tell_no_credentials(first, last, answer, conversation, view, out);
    }
}

fn tell_challenge(
    first: &Exchange,
    granted: &Exchange,
    conversation: &Conversation,
    view: &View<'_>,
    out: &mut Collector,
) {
    let frames_each = 4;
    if first.method != Method::ALLOCATE || out.is_routine(CHALLENGE, conversation.server, frames_each) {
        return;
    }
    let seen = Occurrence {
        id: CHALLENGE,
        key: conversation.server.to_string(),
        severity: Severity::Note,
        confidence: Confidence::Certain,
        remedy: Remedy::None,
        at: first.first.time,
        frames: frames_of([first, granted]),
        filter: Some(filter_of(conversation)),
        reference: "RFC 8489 §9.2",
        subject: subject(conversation, granted, view),
        causes: &[],
    };
    out.add(seen, || Text {
        title: format!("{} asked for credentials and accepted those of {}", conversation.server, view.user(&granted.asked)),
        explanation: format!(
            "The first Allocate without credentials only fetched realm and nonce ({}); the next one, signed, was granted ({}). Every client with \
             long-term credentials begins like this.",
            frames(&frames_of([first])),
            frames(&frames_of([granted])),
        ),
        fix: String::new(),
    });
}

fn tell_no_credentials(
    first: &Exchange,
    last: &Exchange,
    answer: &Answer,
    conversation: &Conversation,
    view: &View<'_>,
    out: &mut Collector,
) {
    let patience = view.now().since(answer.seen.time);
    // a repeated request means that the challenge was lost on its way; a nonce that comes back from another socket, that the
    // client goes on there
    // the same transaction id again, long after, is a copy too
    let copies = conversation.exchanges.iter().filter(|known| known.id == last.id).count();
    let silent = copies <= 1
        && last.again_after_answer == 0
        && !last.differs
        && answer.from.is_none()
        && conversation.nonce_of.is_none();
    let went_on = conversation.exchanges_omitted > 0
        || conversation.orphans > 0
        || conversation.relayed.iter().any(|traffic| traffic.packets > 0)
        || conversation.allocation.is_some()
        || answer.nonce.is_some_and(|nonce| view.session.is_echoed_after(conversation, nonce, answer.seen.time));
    if !silent || went_on || patience < PATIENCE || !matches!(last.method, Method::ALLOCATE | Method::BINDING) {
        return;
    }
    let challenged: Vec<&Exchange> = conversation.exchanges.iter().filter(|exchange| exchange.failed()).collect();
    let client = conversation.client.0.ip();
    let at = answer.seen.time.after(Span(-SHORTLY.0));
    let grievance = Grievance { client, user: None, server: conversation.server.0, at };
    let seen = Occurrence {
        id: NO_CREDENTIALS,
        key: conversation.server.to_string(),
        severity: Severity::Failure,
        confidence: if answer.truncated { Confidence::Likely } else { Confidence::Certain },
        remedy: if last.method == Method::BINDING {
            Remedy::Reachability(grievance)
        } else {
            Remedy::Credentials(grievance)
        },
        at: first.first.time,
        frames: frames_of(challenged.iter().copied()),
        filter: Some(filter_of(conversation)),
        reference: "RFC 8489 §9.2.5",
        subject: subject(conversation, last, view),
        causes: &[],
    };
    out.add(seen, || {
        let (client, server) = (conversation.client, conversation.server);
        // RFC 8489 §9.2.5: a client must not retry where the nonce promises what the challenge does not list
        let stripped = answer.nonce_features.is_some_and(|features| features.password_algorithms) && !answer.password_algorithms;
        let why = if stripped {
            " The nonce promises PASSWORD-ALGORITHMS and the challenge lists none, and then a client must not go on: the server is at fault, or \
             something took them out on the way."
        } else {
            ""
        };
        Text {
            title: format!("{server} asked {client} for credentials, and the client gave none"),
            explanation: format!(
                "The server answered {} with realm {} and a nonce ({}). The client neither sent credentials nor repeated its request in the {} that \
                 the capture goes on.{why}",
                view.error(answer),
                view.quoted(answer.realm),
                frames(&frames_of(challenged.iter().copied())),
                how_long(patience),
            ),
            fix: "Configure user name and password on the client together with the server's address; in a browser they are username and credential \
                  of the RTCIceServer entry."
                .to_owned(),
        }
    });
}

fn subject(conversation: &Conversation, exchange: &Exchange, view: &View<'_>) -> Subject {
    let realm = exchange.asked.realm.or(exchange.answer.as_ref().and_then(|answer| answer.realm));
    view.subject(conversation, exchange.asked.user, realm)
}
