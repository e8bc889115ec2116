//! `turn-response-integrity-bad` and `turn-bid-down`: it works, but it is protected worse than it looks.

use crate::rules::evidence::{filter_of, frames, frames_of};
use crate::rules::{Collector, Confidence, Occurrence, Proof, Severity, Text, View};
use crate::session::{Answer, Conversation, Exchange};

pub(super) const RESPONSE_BAD: &str = "turn-response-integrity-bad";
pub(super) const BID_DOWN: &str = "turn-bid-down";

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    tell_response(conversation, view, out);
    tell_bid_down(conversation, view, out);
}

/// Success responses that verify with nothing, to requests that do.
fn tell_response(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let bad = |exchange: &&Exchange| {
        exchange.succeeded()
            && matches!(Proof::of(&exchange.asked.integrity, view), Proof::By { .. })
            && exchange.answer.as_ref().is_some_and(|answer| {
                !answer.truncated && matches!(Proof::of(&answer.integrity, view), Proof::Mismatch(_))
            })
    };
    let all: Vec<&Exchange> = conversation.exchanges.iter().filter(bad).collect();
    let Some(first) = all.first() else { return };
    let mut seen = occurrence(RESPONSE_BAD, conversation, &all, first, view);
    seen.causes = &["nat-alg-rewrite"];
    out.add(seen, || {
        let (client, server) = (conversation.client, conversation.server);
        let label = Proof::of(&first.asked.integrity, view).label().unwrap_or_default().to_owned();
        Text {
            title: format!("{server} granted what {client} asked, but its answers are not signed with the same key"),
            explanation: format!(
                "The request verifies with \"{label}\", so the server knows that key; the integrity of its success response verifies with no credential \
                 given ({}). Something between the server and this point rewrote the response, or the server signs with another key. A client that \
                 checks will throw the answer away and go on asking.",
                frames(&frames_of(all.iter().copied())),
            ),
            fix: "Take whatever rewrites the payload out of the way (often a SIP ALG or another application gateway in a router), or use TURN over TLS."
                .to_owned(),
        }
    });
}

/// What a client left out of what it was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lesser {
    /// The nonce promises PASSWORD-ALGORITHMS, the challenge lists none.
    Stripped,
    /// Signed with SHA-1 alone.
    Sha1,
    /// The same, of a client that takes the offer up otherwise: it names a password algorithm.
    Kept,
    /// USERNAME in the clear.
    Username,
}

fn tell_bid_down(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    // who was shown the list is not cheated by an answer that leaves it out
    let lists = |answer: &Answer| answer.is_challenge() && answer.password_algorithms;
    let shown = conversation.exchanges.iter().any(|exchange| exchange.answer.as_ref().is_some_and(lists));
    for lesser in [Lesser::Stripped, Lesser::Sha1, Lesser::Kept, Lesser::Username] {
        if lesser == Lesser::Stripped && shown {
            continue;
        }
        let all: Vec<&Exchange> =
            conversation.exchanges.iter().filter(|exchange| is_lesser(exchange, lesser)).collect();
        let Some(first) = all.first() else { continue };
        let mut seen = occurrence(BID_DOWN, conversation, &all, first, view);
        seen.key = format!("{} {lesser:?}", conversation.server);
        (seen.severity, seen.reference) = match lesser {
            Lesser::Kept => (Severity::Note, "RFC 8489 §9.2.5"),
            Lesser::Stripped | Lesser::Sha1 | Lesser::Username => (Severity::Warning, "RFC 8489 §9.2.1"),
        };
        out.add(seen, || bid_down_text(lesser, &all, conversation, view));
    }
}

fn is_lesser(exchange: &Exchange, lesser: Lesser) -> bool {
    let asked = &exchange.asked;
    // a request carries the nonce that it was offered: its features hold even where the challenge is not in the capture
    let offered = asked.nonce_features.filter(|_| asked.is_signed() && !asked.truncated);
    let is_sha1 = offered.is_some_and(|features| features.password_algorithms) && !asked.integrity_sha256;
    match lesser {
        // other errors may repeat realm and nonce, but only these bring the list (RFC 8489 §9.2.4)
        Lesser::Stripped => exchange.answer.as_ref().is_some_and(|answer| {
            answer.is_challenge()
                && matches!(answer.code, 401 | 438)
                && !answer.truncated
                && !answer.password_algorithms
                && answer.nonce_features.is_some_and(|features| features.password_algorithms)
        }),
        Lesser::Sha1 => is_sha1 && asked.password_algorithm.is_none(),
        Lesser::Kept => is_sha1 && asked.password_algorithm.is_some(),
        Lesser::Username => offered.is_some_and(|features| features.username_anonymity) && asked.user.is_some(),
    }
}

fn bid_down_text(lesser: Lesser, all: &[&Exchange], conversation: &Conversation, view: &View<'_>) -> Text {
    let (client, server) = (conversation.client, conversation.server);
    let listed = frames(&frames_of(all.iter().copied()));
    let user = view.quoted(all.first().and_then(|exchange| exchange.asked.user));
    match lesser {
        Lesser::Stripped => Text {
            title: format!("{server} promises password algorithms in its nonce and lists none"),
            explanation: format!(
                "The nonce says that PASSWORD-ALGORITHMS are offered, the challenge carries none ({listed}). Either the server is at fault, or \
                 something on the way took the list out so that client and server fall back to MD5 and SHA-1."
            ),
            fix: "Look at the same challenge at the server: if the list is there, something in between removes it, and TLS keeps it from doing so; if \
                  not, update the server."
                .to_owned(),
        },
        Lesser::Sha1 => Text {
            title: format!("{client} signs with SHA-1 although {server} offers SHA-256"),
            explanation: format!(
                "The server's nonce announces password algorithms, the client's requests carry MESSAGE-INTEGRITY (SHA-1) and nothing stronger \
                 ({listed}). The client is older than RFC 8489, or something in between hid the offer from it."
            ),
            fix: "Update the client; use TLS so that nobody in between can weaken the choice.".to_owned(),
        },
        Lesser::Kept => Text {
            title: format!("{client} names a password algorithm, as {server} offers, and signs with SHA-1"),
            explanation: format!(
                "The client names one of the algorithms that the server lists, so the offer got through to it, yet its requests carry \
                 MESSAGE-INTEGRITY (SHA-1), where MESSAGE-INTEGRITY-SHA256 is asked for ({listed}). It is so by the client's settings or its library; \
                 calls work."
            ),
            fix: "Nothing to do for calls to work. Where the client can be told to sign with SHA-256, switch that on.".to_owned(),
        },
        Lesser::Username => Text {
            title: format!("{client} sends the user name {user} in the clear although {server} asks for its hash"),
            explanation: format!(
                "The server's nonce announces user anonymity, the client's requests carry USERNAME instead of USERHASH ({listed}). {}",
                if all.iter().any(|exchange| exchange.asked.password_algorithm.is_some()) {
                    "It names a password algorithm, as RFC 8489 has it, so it saw the nonce as it is and keeps to the name."
                } else {
                    "The client is older than RFC 8489, or something in between hid the offer from it."
                },
            ),
            fix: "Update the client; use TLS so that the name cannot be read on the way.".to_owned(),
        },
    }
}

fn occurrence(
    id: &'static str,
    conversation: &Conversation,
    all: &[&Exchange],
    first: &Exchange,
    view: &View<'_>,
) -> Occurrence {
    Occurrence {
        key: conversation.server.to_string(),
        severity: Severity::Warning,
        confidence: Confidence::Certain,
        at: first.first.time,
        frames: frames_of(all.iter().copied()),
        filter: Some(filter_of(conversation)),
        subject: view.subject(conversation, first.asked.user, first.asked.realm),
        ..Occurrence::of(id, "RFC 8489 §9.2.5")
    }
}
