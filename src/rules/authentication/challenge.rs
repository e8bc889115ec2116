//! `turn-challenge` and `turn-no-credentials`: the first leg of long-term credentials, and clients that stop there.

use crate::net::is_unrouted;
use crate::rules::denied::is_release;
use crate::rules::evidence::{filter_of, frames, frames_of, how_long};
use crate::rules::refusal::{PATIENCE, Refusal, classify};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::session::{Answer, Conversation, Exchange, Grievance, Name};
use crate::time::Span;
use crate::wire::stun::Method;

pub(super) const CHALLENGE: &str = "turn-challenge";
pub(in crate::rules) const NO_CREDENTIALS: &str = "turn-no-credentials";

/// What a client asks for once it has an allocation.
const LATER: [Method; 4] = [Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND, Method::CONNECT];

/// An allocation that a client was granted this long before an abandoned challenge shows that it has credentials: clients ask from
/// several sockets at once and drop those that they do not need.
const SHORTLY: Span = Span::from_secs(60);

/// So many requests without credentials, each challenged, are all that a client has to say.
const INSISTENT: usize = 4;

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
    for method in LATER {
        judge_later(method, conversation, view, out);
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
    if first.method != Method::ALLOCATE || out.is_routine(CHALLENGE, conversation.server, first.first.time, frames_each)
    {
        return;
    }
    let seen = Occurrence {
        key: conversation.server.to_string(),
        severity: Severity::Note,
        confidence: Confidence::Certain,
        at: first.first.time,
        frames: frames_of([first, granted]),
        filter: Some(filter_of(conversation)),
        subject: subject(conversation, granted, view),
        ..Occurrence::of(CHALLENGE, "RFC 8489 §9.2")
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
    let went_on = conversation.relayed.iter().any(|traffic| traffic.packets > 0) || conversation.allocation.is_some();
    let of_these = matches!(last.method, Method::ALLOCATE | Method::BINDING);
    if went_on || !of_these || !is_left(last, answer, conversation, view) {
        return;
    }
    let challenged: Vec<&Exchange> = conversation.exchanges.iter().filter(|exchange| exchange.failed()).collect();
    let remedy = |answer: &Answer| {
        let grievance = Grievance::of(conversation, None, answer.seen.time.before(SHORTLY));
        match last.method {
            Method::BINDING => Remedy::Reachability(grievance),
            _ => Remedy::Credentials(grievance),
        }
    };
    let key = conversation.server.to_string();
    let seen = Occurrence {
        key: key.clone(),
        remedy: remedy(answer),
        at: first.first.time,
        ..left(last, answer, &challenged, conversation, view)
    };
    let confidence = seen.confidence;
    out.add(seen, || {
        let (client, server) = (conversation.client, conversation.server);
        let tokens = tokens_of(answer, view);
        let wanted = if tokens.is_some() { "credentials or an access token" } else { "credentials" };
        // RFC 8489 §9.2.5: a client must not retry where the nonce promises what the challenge does not list
        let stripped = answer.nonce_features.is_some_and(|features| features.password_algorithms) && !answer.password_algorithms;
        let why = if stripped {
            " The nonce promises PASSWORD-ALGORITHMS and the challenge lists none, and then a client must not go on: the server is at fault, or \
             something took them out on the way."
        } else {
            ""
        };
        let (bare, empty) = (names_user(&challenged), is_empty(answer, view));
        if let Some(user) = bare.filter(|_| last.method != Method::BINDING) {
            return unsigned(user, answer, &challenged, conversation, view);
        }
        let nameless = if empty { NAMELESS } else { "" };
        Text {
            title: match last.method {
                Method::BINDING => {
                    format!("{server} asked {client} for {wanted} on its Binding request, and the client gave none")
                }
                _ => format!("{server} asked {client} for {wanted}, and the client gave none"),
            },
            explanation: format!(
                "The server answered {} with realm {} and a nonce ({}). {}.{why}{nameless}{}",
                view.error(answer),
                view.quoted(answer.realm),
                frames(&frames_of(challenged.iter().copied())),
                if challenged.len() < INSISTENT {
                    format!("The client neither sent credentials nor repeated its request in the {} that the capture goes on", how_long(patience))
                } else {
                    format!("The client asked {} times in all, each time without credentials", challenged.len())
                },
                tokens.as_deref().unwrap_or_default(),
            ),
            fix: match last.method {
                Method::BINDING => format!(
                    "Have {server} answer Binding requests without credentials (coturn: without secure-stun), or give the client another STUN server: browsers and \
                     most other clients never sign them."
                ),
                _ if tokens.is_some() => {
                    "Have the client fetch an access token from that authorization server and give it as ACCESS-TOKEN; or, if clients are to have passwords \
                     (coturn: without oauth), configure user name and password on the client together with the server's address."
                        .to_owned()
                }
                _ if empty => format!(
                    "Set a realm on {server} (coturn: realm). If the client still gives none, configure user name and password on it together with the server's address."
                ),
                _ => "Configure user name and password on the client together with the server's address; in a browser they are username and credential \
                      of the RTCIceServer entry."
                    .to_owned(),
            },
        }
    });
    let earlier = challenged.iter().filter(|known| known.first != last.first).filter_map(|known| known.answer.as_ref());
    out.add_earlier(NO_CREDENTIALS, &key, earlier.map(remedy), confidence);
}

/// What an empty realm does, as a sentence.
const NAMELESS: &str =
    " The realm is empty: some clients (libnice) take that for none, and then have nothing to sign for.";

/// Whether the realm of a challenge is empty.
fn is_empty(answer: &Answer, view: &View<'_>) -> bool {
    !answer.truncated && answer.realm.is_some_and(|realm| view.session.names().bytes(realm).is_empty())
}

/// The user that a request names which is not signed all the same.
fn names_user(challenged: &[&Exchange]) -> Option<Name> {
    challenged.iter().rev().find_map(|exchange| exchange.asked.user.filter(|_| !exchange.asked.truncated))
}

/// A client that gives its name, and nothing that proves it.
fn unsigned(
    user: Name,
    answer: &Answer,
    challenged: &[&Exchange],
    conversation: &Conversation,
    view: &View<'_>,
) -> Text {
    let (client, server, user) = (conversation.client, conversation.server, view.quoted(Some(user)));
    Text {
        title: format!("{client} names the user {user} to {server} and does not sign its request: no MESSAGE-INTEGRITY"),
        explanation: format!(
            "The server answered {} with realm {} and a nonce ({}). The client asked again with USERNAME, but without MESSAGE-INTEGRITY, which alone proves that it has \
             the password; to the server that is a request without credentials.",
            view.error(answer),
            view.quoted(answer.realm),
            frames(&frames_of(challenged.iter().copied())),
        ),
        fix: "Update or repair the client: after the challenge it has to sign its request with the key that it makes of user, realm and password (RFC 8489 §9.2.5). See \
              that a password is configured at all."
            .to_owned(),
    }
}

/// That a challenge offers to take access tokens (RFC 7635 §4), as a sentence.
pub(super) fn tokens_of(answer: &Answer, view: &View<'_>) -> Option<String> {
    let authorization = answer.authorization.filter(|_| answer.is_challenge())?;
    Some(format!(
        " By THIRD-PARTY-AUTHORIZATION the server takes access tokens of OAuth, which {} issues (RFC 7635).",
        view.quoted(Some(authorization))
    ))
}

/// A client that asks for more than its allocation without credentials is asked for them as well.
fn judge_later(method: Method, conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let asks = |exchange: &&Exchange| {
        let refused = classify(exchange, conversation, view) == Refusal::Challenge;
        refused && !exchange.asked.truncated && !is_release(exchange)
    };
    let challenged: Vec<&Exchange> = conversation.of(method).filter(asks).collect();
    let Some((last, answer)) = challenged.last().and_then(|last| Some((*last, last.answer.as_ref()?))) else { return };
    let goes_on = |known: &Exchange| {
        let signed = known.asked.is_signed() || known.asked.truncated || known.succeeded() || is_release(known);
        known.first > last.first && signed
    };
    if !is_left(last, answer, conversation, view) || conversation.exchanges.iter().any(goes_on) {
        return;
    }
    let at = if method == Method::REFRESH { answer.seen.time } else { conversation.first.time };
    let grievance = Grievance::of(conversation, None, at);
    let seen = Occurrence {
        key: format!("{} {method}", conversation.server),
        remedy: if method == Method::REFRESH { Remedy::Service(grievance) } else { Remedy::Data(grievance) },
        ..left(last, answer, &challenged, conversation, view)
    };
    let listed = seen.frames.clone();
    out.add(seen, || {
        let (client, server) = (conversation.client, conversation.server);
        let mut lent = conversation.of(Method::ALLOCATE).filter(|known| known.succeeded() && known.first < last.first);
        let before = match lent.next_back() {
            Some(known) if known.asked.is_signed() => {
                format!(" The Allocate before it was signed (frame {}), this request is not.", known.first.frame)
            }
            Some(known) => format!(" The Allocate before it was granted without any (frame {}).", known.first.frame),
            None => String::new(),
        };
        Text {
            title: format!("{server} asked {client} for credentials on its {method}, and the client gave none"),
            explanation: format!(
                "The server answered the {method} of {client} with {}, realm {} and a nonce ({}).{before} In the {} that the capture goes on the client \
                 sent nothing that is signed.",
                view.error(answer),
                view.quoted(answer.realm),
                frames(&listed),
                how_long(view.now().since(answer.seen.time)),
            ),
            fix: "Have the client sign every request of its allocation, with the user that asked for it. A server that wants credentials should ask for them \
                  with the Allocate already."
                .to_owned(),
        }
    });
}

/// A challenge that a client left at that, however it is told and whatever would remedy it.
fn left(
    last: &Exchange,
    answer: &Answer,
    challenged: &[&Exchange],
    conversation: &Conversation,
    view: &View<'_>,
) -> Occurrence {
    Occurrence {
        key: String::new(),
        severity: Severity::Failure,
        confidence: if answer.truncated || !is_plain(answer, conversation, view) {
            Confidence::Likely
        } else {
            Confidence::Certain
        },
        at: challenged.first().map_or(last.first.time, |first| first.first.time),
        frames: frames_of(challenged.iter().copied()),
        filter: Some(filter_of(conversation)),
        subject: subject(conversation, last, view),
        ..Occurrence::of(NO_CREDENTIALS, "RFC 8489 §9.2.5")
    }
}

/// Whether a client left a challenge at that: it neither repeats its request nor shows elsewhere that it got the nonce, though there was time.
fn is_left(last: &Exchange, answer: &Answer, conversation: &Conversation, view: &View<'_>) -> bool {
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
        || answer.nonce.is_some_and(|nonce| view.session.is_echoed_after(conversation, nonce, answer.seen.time));
    let unsigned = |known: &&Exchange| known.method == last.method && known.failed() && !known.asked.is_signed();
    let insists = conversation.exchanges.iter().filter(unsigned).count() >= INSISTENT;
    silent && !went_on && (insists || had_time(answer, view))
}

/// Whether it is beyond doubt that a client had the challenge that it left: there was time to go on, or it asked again and again near this capture point.
fn is_plain(answer: &Answer, conversation: &Conversation, view: &View<'_>) -> bool {
    is_unrouted(conversation.ttl[0]) || had_time(answer, view)
}

/// Whether the capture goes on for so long after a challenge that what the client did with it would be there.
fn had_time(answer: &Answer, view: &View<'_>) -> bool {
    view.now().since(answer.seen.time) >= PATIENCE
}

fn subject(conversation: &Conversation, exchange: &Exchange, view: &View<'_>) -> Subject {
    let realm = exchange.asked.realm.or(exchange.answer.as_ref().and_then(|answer| answer.realm));
    view.subject(conversation, exchange.asked.user, realm)
}
