//! `turn-answer-lost` and `turn-answer-from-elsewhere`: answers that leave and do not arrive, or that arrive from where nobody asked.

use crate::net::Endpoint;
use crate::rules::denied::is_release;
use crate::rules::evidence::{client_filter, filter_of, frames, frames_at, frames_of};
use crate::rules::travel;
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Text, View};
use crate::session::credentials::Status;
use crate::session::{Answer, Asked, Conversation, Exchange, Grievance, Seen, Verdicts};
use crate::time::{Span, Timestamp};
use crate::wire::stun::{Class, Method, TRANSMISSIONS};

pub(super) const LOST: &str = "turn-answer-lost";
pub(super) const ELSEWHERE: &str = "turn-answer-from-elsewhere";

/// One copy can cross the answer, and one answer can be lost like any packet; a client that repeats its request more often after the
/// answer has passed here does not get it.
const REPEATS: u32 = 3;

/// No answer is under way for so long.
const UNDER_WAY: Span = Span::from_secs(2);

pub(super) fn judge_lost(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    for exchange in &conversation.exchanges {
        // what the capture cut off may be the user name of a connectivity check, which is no matter of a server
        let perhaps_check = exchange.method == Method::BINDING && exchange.asked.truncated;
        let Some(lost) = lost(exchange, conversation).filter(|_| !perhaps_check) else { continue };
        let (client, server) = (conversation.client, conversation.server);
        let frames_seen = frames_with_copies(exchange, lost.answer);
        let seen = Occurrence {
            id: LOST,
            key: format!("{server} {}", exchange.method),
            severity: Severity::Failure,
            confidence: Confidence::certain_if(!lost.is_open()),
            remedy: remedy(exchange, conversation),
            at: exchange.first.time,
            frames: frames_seen.clone(),
            filter: Some(filter_of(conversation)),
            reference: if lost.unsigned { "RFC 8489 §9.2.5" } else { "RFC 8489 §6.2.1" },
            subject: view.subject(conversation, exchange.asked.user, exchange.asked.realm),
            causes: &["nat-alg-rewrite", "stun-fingerprint-bad", "turn-response-integrity-bad"],
        };
        if lost.unsigned {
            out.add(seen, || not_signed(exchange, &lost, conversation));
            continue;
        }
        let between = travel::of_answer(exchange, lost.answer, view);
        let where_to = match &between {
            Some(between) => between,
            None if lost.hears && lost.data && lost.is_open() => {
                "An earlier answer on this way did arrive, for the client uses its nonce, and data goes on through the relay: a path that loses much of \
                 everything may have lost these, too, or the way back was lost in between."
            }
            None if lost.cut => {
                "Earlier answers on this way did arrive, for the client uses their nonce; by then none does, whatever it asks, though its requests still \
                 come: the way back was lost in between, beyond the point of this capture."
            }
            None if lost.hears => {
                "An earlier answer on this way did arrive, for the client uses its nonce; what differs is this one. Either it is dropped for its size or \
                 content on the way, or the client does not take it, as where something rewrote it and its integrity no longer fits; or the way back \
                 was lost in between."
            }
            None if lost.beyond => {
                "The capture shows both sides of a NAT: the answer reaches the outer side and not the inner one."
            }
            None => {
                "Up to the point of this capture the path works in both directions; beyond it, towards the client, the answers are lost."
            }
        };
        out.add(seen, || Text {
            title: if lost.hears && !lost.cut && between.is_none() {
                format!("{server} answers {client}, and the client does not take the answer: it repeats its {} request", exchange.method)
            } else {
                format!("{server} answers {client}, and the answers do not arrive: the client repeats its {} request", exchange.method)
            },
            explanation: format!(
                "{server} answered the {} request of {client} in frame {}, and the client sent the same request {} more times after that \
                 answer ({}). {where_to}",
                exchange.method,
                lost.answer.frame,
                lost.repeats,
                frames(&frames_seen),
            ),
            fix: match &between {
                Some(_) => "Look at what lies between these two points, for the way back: firewall state for answers, asymmetric routes, NAT; and at the \
                            client's own firewall, if the capture there was taken on it."
                    .to_owned(),
                None if lost.hears && !lost.cut => format!(
                    "Look at the log of {client} for why it drops the answer, and test its integrity with the credentials (--credentials FILE); capture there, too: if it does \
                     not arrive, look for a filter or an application gateway (ALG) between the two points."
                ),
                None => format!(
                "Follow the answers from this capture point towards {client}: firewall state for answers, asymmetric routes, the NAT on the \
                 way back; if the capture was taken on the client itself, its own firewall."
                ),
            },
        });
    }
}

/// A success that is not signed, which its client passes over.
fn not_signed(exchange: &Exchange, lost: &Lost, conversation: &Conversation) -> Text {
    let (client, server, method) = (conversation.client, conversation.server, exchange.method);
    Text {
        title: format!(
            "{server} does not sign its answer to {client}, which passes over it: the client repeats its {method} request"
        ),
        explanation: format!(
            "{server} answered the {method} request of {client} by success in frame {}, and the client sent the same request {} more times after that \
             answer ({}). The request is signed, the answer carries no MESSAGE-INTEGRITY: a client must take such an answer for none, since anybody could \
             have sent it.",
            lost.answer.frame,
            lost.repeats,
            frames(&frames_with_copies(exchange, lost.answer)),
        ),
        fix: format!(
            "Have {server} sign what it answers to signed requests of {method}, as RFC 8489 asks: look for a newer version, tell its makers, or take another \
             server. If it does sign (capture there), something on the way takes the signature off: an application gateway (ALG)."
        ),
    }
}

/// An answer that did not arrive.
struct Lost {
    answer: Seen,
    repeats: u32,
    /// Whether it was seen on the other side of a NAT only.
    beyond: bool,
    /// Whether the client shows that another answer on this way came to it.
    hears: bool,
    /// Whether the client asks something else in vain, too, so that it is no matter of the one answer.
    cut: bool,
    /// Whether the answer lacks the signature without which a client passes over it (RFC 8489 §9.2.5).
    unsigned: bool,
    /// Whether the client did something after it that shows that it hears the server.
    went_on: bool,
    /// Whether data of its allocation passes here after it.
    data: bool,
    /// Whether it is a refusal of a request whose nonce may be of an answer that came to the client and that the capture does not hold, or
    /// not whole.
    unplaced: bool,
}

impl Lost {
    /// Whether it may be less than a way back that is closed: an unsigned answer of a client of which nothing else is seen may be lost, too; of a path
    /// that loses one packet in three, and passes data all the same, some answers in a row; and a client may pass over a refusal that it got.
    fn is_open(&self) -> bool {
        let chance = if self.unsigned { !self.went_on } else { self.data && self.repeats + 1 < TRANSMISSIONS };
        chance || self.unplaced
    }
}

/// Whether the client goes on with a request that was answered, and never shows that it got the answer.
fn lost(exchange: &Exchange, conversation: &Conversation) -> Option<Lost> {
    let (answer, repeats, beyond) = match (&exchange.answer, exchange.answered_beyond) {
        (None, Some(answer)) => {
            let after = exchange.again.iter().filter(|copy| copy.time > answer.time).count();
            (answer, u32::try_from(after).unwrap_or(u32::MAX), true)
        }
        (Some(answer), _) if answer.from.is_none() && !answer.fingerprint_bad && !has_mismatch(&answer.integrity) => {
            (answer.seen, exchange.again_after_answer, false)
        }
        _ => return None,
    };
    // the same question anew, with as little success, is no sign of an answer; nor is another that a client with an allocation has to ask in its time
    let is_apart = exchange.method != Method::ALLOCATE && exchange.asked.nonce.is_some();
    let in_vain = |other: &Exchange| {
        (other.method == exchange.method || is_apart)
            && other.asked.nonce == exchange.asked.nonce
            && (other.answer.is_none() || other.again_after_answer > 0 || is_apart && is_release(other))
    };
    let later = |other: &Exchange| other.first.time > answer.time && other.id != exchange.id && !in_vain(other);
    let answers_in_vain = |at: Timestamp| {
        let mut vain = conversation.exchanges.iter().filter(|other| in_vain(other));
        vain.any(|other| other.answer.as_ref().is_some_and(|answer| answer.seen.time == at))
    };
    // data goes on by what older answers granted, and shows nothing of one that would have come by then
    let is_renewed = matches!(exchange.method, Method::REFRESH | Method::CREATE_PERMISSION)
        && exchange.last.time.since(answer.time) >= UNDER_WAY;
    let data = conversation.relayed.iter().any(|traffic| traffic.packets > 0 && traffic.last > answer.time);
    let went_on = conversation.exchanges.iter().any(later)
        || conversation.granted.iter().any(|(_, at)| at > exchange.last.time && !answers_in_vain(at))
        || data && !is_renewed;
    // a client that uses the nonce of an answer on this way hears the server: it passes over the refusal that it repeats its request after
    let hears = |nonce| {
        let taken = |other: &Exchange| other.answer.as_ref().is_some_and(|answer| answer.nonce == Some(nonce));
        conversation.exchanges.iter().any(|other| other.first < exchange.first && taken(other))
    };
    let refused = exchange.answer.as_ref().is_some_and(|answer| answer.class == Class::Error);
    if refused && exchange.asked.nonce.is_some_and(hears) {
        return None;
    }
    let unplaced = refused && (exchange.asked.nonce.is_some() || exchange.asked.truncated);
    let hears = !beyond && exchange.asked.nonce.is_some_and(hears);
    let also = |other: &Exchange| other.method != exchange.method && in_vain(other) && !is_release(other);
    let cut = hears && conversation.exchanges.iter().any(also);
    let unsigned = !beyond && exchange.answer.as_ref().is_some_and(|answer| lacks_signature(&exchange.asked, answer));
    let asked = repeats >= REPEATS && !exchange.asked.nat_test && exchange.asked.lifetime != Some(0);
    let lost = Lost { answer, repeats, beyond, hears, cut, unsigned, went_on, data, unplaced };
    (asked && (unsigned || !went_on)).then_some(lost)
}

/// Whether a signed request was granted by an answer without the signature that it must have (RFC 8489 §9.2.5).
fn lacks_signature(asked: &Asked, answer: &Answer) -> bool {
    let granted = answer.class == Class::Success && !answer.truncated;
    granted && asked.is_signed() && answer.integrity.iter().all(Option::is_none)
}

pub(super) fn judge_elsewhere(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let mut known: Vec<Endpoint> = Vec::new();
    for exchange in &conversation.exchanges {
        let Some(answer) = &exchange.answer else { continue };
        let Some(from) = answer.from.filter(|_| !exchange.asked.nat_test) else { continue };
        if known.contains(&from) {
            continue;
        }
        known.push(from);
        let all: Vec<&Exchange> = conversation
            .exchanges
            .iter()
            .filter(|other| other.answer.as_ref().is_some_and(|a| a.from == Some(from)))
            .collect();
        elsewhere(conversation, exchange, from, &all, view, out);
    }
}

fn elsewhere(
    conversation: &Conversation,
    exchange: &Exchange,
    from: Endpoint,
    all: &[&Exchange],
    view: &View<'_>,
    out: &mut Collector,
) {
    let (client, server) = (conversation.client, conversation.server);
    let Some(answer) = &exchange.answer else { return };
    // a client that takes such an answer goes on from it; one that drops it, as it must behind most NATs, asks again
    let repeats: u32 = all.iter().map(|exchange| exchange.again_after_answer).sum::<u32>()
        + u32::try_from(all.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let goes_on = conversation.went_on() || repeats == 0;
    let frames_seen = frames_of(all.iter().copied());
    let what = if from.ip() == server.0.ip() { "another port" } else { "another address" };
    let seen = Occurrence {
        key: format!("{server} {from}"),
        severity: if goes_on { Severity::Warning } else { Severity::Failure },
        confidence: Confidence::certain_if(repeats != 1),
        remedy: remedy(exchange, conversation),
        at: exchange.first.time,
        frames: frames_seen.clone(),
        filter: Some(client_filter(conversation)),
        subject: view.subject(conversation, exchange.asked.user, exchange.asked.realm),
        ..Occurrence::of(ELSEWHERE, "RFC 8489 §6.3.1")
    };
    out.add(seen, || Text {
        title: format!("{client} asked {server} and was answered from {what}, {from}"),
        explanation: format!(
            "The {} response in frame {} bears the transaction id of the request that {client} sent to {server}, but comes from {from} ({}). \
             A client, and every NAT and firewall before it, waits for the answer from where it asked and drops one from elsewhere.{}",
            exchange.method,
            answer.seen.frame,
            frames(&frames_seen),
            if goes_on { " Here the client went on all the same." } else { " The client went on repeating its request." },
        ),
        fix: format!(
            "Let the answers leave from {server}: translate both directions in the NAT before the server, bind the server to the address that \
             clients use, route answers out of the interface through which the requests came in, and set the server's external address."
        ),
    });
}

fn remedy(exchange: &Exchange, conversation: &Conversation) -> Remedy {
    // what the very answer granted that does not get there is no remedy
    let granted = exchange.method == Method::ALLOCATE && exchange.succeeded();
    let answered = exchange.answer.as_ref().map_or(exchange.last.time, |answer| answer.seen.time);
    let at = if granted { answered.max(exchange.last.time).after(Span(1)) } else { answered };
    let from = Grievance::of(conversation, exchange.asked.user_or_hash(), at);
    if exchange.method == Method::BINDING { Remedy::Reachability(from) } else { Remedy::Service(from) }
}

fn frames_with_copies(exchange: &Exchange, answer: Seen) -> Vec<u64> {
    frames_at([exchange.first, answer].into_iter().chain(exchange.again.iter().copied()))
}

fn has_mismatch(verdicts: &Verdicts) -> bool {
    verdicts.iter().flatten().any(|verdict| matches!(verdict.status, Status::Mismatch { .. }))
}
