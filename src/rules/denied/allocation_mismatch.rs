//! `turn-allocation-mismatch` and `turn-retransmission-rejected`: an Allocate on addresses that have an allocation, the client's older
//! one or the very one that it asks for.

use super::{Denied, released_before};
use crate::frame::in_order;
use crate::net::{ClientAddress, Endpoint};
use crate::rules::evidence::{counted, filter_of, frames, frames_at};
use crate::rules::refusal::allocation_at;
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Text, View};
use crate::session::{Conversation, Exchange, Grievance, Lent, Seen};
use crate::wire::stun::{Class, Method};

pub(in crate::rules) const MISMATCH: &str = "turn-allocation-mismatch";
pub(super) const FORGOTTEN: &str = "turn-retransmission-rejected";

pub(super) fn tell_mismatch(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    let old = allocation_at(denied.first, denied.conversation);
    let held = if old.is_none() { held_behind_nat(denied, view) } else { None };
    let mut seen = denied.occurrence(MISMATCH, "RFC 8656 §7.2", view);
    match old.map(|old| old.created).or(held.as_ref().map(|(_, lent)| lent.created)) {
        Some(created) => seen.frames = in_order(seen.frames.into_iter().chain([created.frame])),
        None => seen.confidence = Confidence::Likely,
    }
    seen.causes = &[FORGOTTEN];
    out.add(seen, || match held {
        Some((outside, lent)) => given_to_another(denied, outside, &lent, view),
        None => mismatch(denied, view),
    });
}

pub(super) fn tell_forgotten(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    // the success is not in the capture: an allocation from before it would look the same
    let mut seen = denied.occurrence(FORGOTTEN, "RFC 8489 §6.3.1", view);
    seen.confidence = Confidence::Likely;
    out.add(seen, || forgotten(denied.first, denied.conversation, None, view));
}

/// A copy that is refused is no refusal of the exchange, whose first answer stands: it is looked for by itself.
pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    for exchange in conversation.of(Method::ALLOCATE).filter(|exchange| exchange.succeeded()) {
        if let Some((again, 437)) = exchange.answer.as_ref().and_then(|answer| answer.otherwise) {
            granted_and_refused(exchange, again, conversation, view, out);
        }
    }
}

/// A success, and then 437 to a copy of the same request.
fn granted_and_refused(
    exchange: &Exchange,
    again: Seen,
    conversation: &Conversation,
    view: &View<'_>,
    out: &mut Collector,
) {
    let Some(answer) = exchange.answer.as_ref().filter(|answer| answer.class == Class::Success) else { return };
    // a client that repeats after the success never got it; one that goes on with the allocation did
    let lost = exchange.again_after_answer > 0;
    let used =
        conversation.granted.iter().any(|(_, time)| time > again.time) || conversation.relayed_both_ways().is_some();
    let user = exchange.asked.user_or_hash();
    let proof = frames_at([exchange.first, answer.seen, exchange.last, again]);
    let seen = Occurrence {
        key: conversation.server.to_string(),
        severity: if lost && !used { Severity::Failure } else { Severity::Warning },
        confidence: Confidence::Certain,
        remedy: Remedy::Service(Grievance::of(conversation, user, again.time)),
        at: again.time,
        frames: proof,
        filter: Some(filter_of(conversation)),
        subject: view.subject(conversation, user, exchange.asked.realm),
        ..Occurrence::of(FORGOTTEN, "RFC 8489 §6.3.1")
    };
    out.add(seen, || forgotten(exchange, conversation, Some(again), view));
}

fn forgotten(exchange: &Exchange, conversation: &Conversation, again: Option<Seen>, view: &View<'_>) -> Text {
    let (client, server) = (conversation.client, conversation.server);
    let copies: Vec<u64> =
        std::iter::once(exchange.first).chain(exchange.again.iter().copied()).map(|copy| copy.frame).collect();
    let answered = exchange.answer.as_ref().map(|answer| answer.seen.frame).unwrap_or_default();
    let how = match again {
        Some(again) => format!(
            "was granted the allocation in frame {answered}, and a copy of the very same request was refused with 437 in frame {}",
            again.frame
        ),
        None => format!(
            "was refused with 437 in frame {answered}, the capture shows no allocation on these addresses before it, and the first copy got \
             no answer here: that answer was a success which got lost, most likely, or an allocation from before the capture stands in the way"
        ),
    };
    Text {
        title: format!("{server} refuses with 437 the repetition of an Allocate that it had granted to {client}"),
        explanation: format!(
            "The Allocate of {} ({}) {how}. A server must answer a repeated request as it did the first time; a client whose first answer was \
             lost otherwise never learns of its allocation.",
            view.quoted(exchange.asked.user),
            frames(&copies),
        ),
        fix: "A defect of the server, or of a balancer that sends the copies to different servers: update the server, keep a client's \
              address on one server. The client can go on from a new local port."
            .to_owned(),
    }
}

/// Where the capture shows what a NAT makes of its clients: the place that the refused one was given, and the allocation that another one behind the same NAT
/// still has there.
fn held_behind_nat(denied: &Denied<'_>, view: &View<'_>) -> Option<(Endpoint, Lent)> {
    let Conversation { client, server, .. } = *denied.conversation;
    let (session, first) = (view.session, denied.first.first);
    let lives = |lent: &Lent| {
        lent.created.time <= first.time
            && first.time <= lent.expires
            && lent.ended.is_none_or(|(_, at)| at > first.time)
    };
    let lent_to = |inside: Endpoint| {
        let flows = session.flows();
        let known = flows.find(inside, server.0).and_then(|id| flows.get(id)?.own_conversation());
        let own = known.and_then(|known| Lent::of(known).filter(lives).last());
        own.or_else(|| session.last_lent(ClientAddress(inside), server).filter(lives))
    };
    let nat = session.nat();
    nat.passed(client.0, first.frame).find_map(|given| Some((given.outside, nat.before(given).find_map(lent_to)?)))
}

fn given_to_another(denied: &Denied<'_>, outside: Endpoint, lent: &Lent, view: &View<'_>) -> Text {
    let Conversation { client, server, .. } = *denied.conversation;
    let (holder, owner, error) = (lent.client, view.quoted(lent.user), view.error(denied.answer));
    let left = lent.expires.since(denied.first.first.time).secs().max(0);
    Text {
        title: format!(
            "The NAT gave {client} the place of {holder}, whose allocation still lives at {outside} on {server}: {error}"
        ),
        explanation: format!(
            "{} asked {server} for an allocation and was refused {}. The NAT sends it out from {outside}, as it did {holder} before, to which the server had lent a \
             relay as {owner} in frame {}: that allocation was not given up and had {} to live.",
            denied.who(view),
            denied.listed(),
            lent.created.frame,
            counted(left.unsigned_abs(), "second"),
        ),
        fix: "Have the NAT wait longer before it gives a port to another client (an allocation that nobody ends lives on for ten minutes), or give it more ports or \
              addresses; let clients end an allocation with a Refresh of lifetime 0. A client that is refused so can ask from another local port."
            .to_owned(),
    }
}

fn mismatch(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (conversation, first) = (denied.conversation, denied.first);
    let (client, server, error) = (conversation.client, conversation.server, view.error(denied.answer));
    let asked = format!("{} asked {server} for an allocation and was refused {}", denied.who(view), denied.listed());
    let fix = "Have the client use a new local port for a new allocation, and end the old one with a Refresh of lifetime 0 when it closes. \
               A client should try three ports at most, and then wait for two minutes (RFC 8656 §7.4)."
        .to_owned();
    let Some(old) = allocation_at(first, conversation) else {
        let since = match released_before(first, conversation) {
            Some(ago) => format!(
                "The client gave its allocation up {ago} before, which the server has not carried out, or holds the port for a while yet."
            ),
            None => "The capture does not show that allocation: it was made before the capture began, or by another client behind the same \
                     NAT address and port."
                .to_owned(),
        };
        return Text {
            title: format!("{server} still has an allocation at {client} and refuses a new one: {error}"),
            explanation: format!("{asked}: an older allocation lives on the same addresses and ports. {since}"),
            fix,
        };
    };
    let left = old.expires.since(first.first.time).secs().max(0);
    let left = counted(left.unsigned_abs(), "second");
    let owner = view.quoted(old.user);
    let relayed = old.relayed.iter().flatten().next().map(|relayed| format!(" {relayed}")).unwrap_or_default();
    Text {
        title: format!(
            "An older allocation of {owner} still holds {client} at {server} for {left}, so a new one was refused: {error}"
        ),
        explanation: format!(
            "{asked}. On the same addresses and ports the server had given{relayed} to {owner} in frame {}, for {} seconds; at the first refusal \
             that allocation had {left} to live. The client used its local port again (restart, crash, ICE restart) without ending it.",
            old.created.frame, old.lifetime,
        ),
        fix,
    }
}
