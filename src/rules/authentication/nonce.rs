//! `turn-stale-nonce` and `turn-stale-nonce-loop`: nonces that ran out, and nonces that never hold.

use crate::rules::evidence::{filter_of, frames, frames_of, host_filter, ip_filter};
use crate::rules::refusal::ran_out;
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Text, View};
use crate::session::{Conversation, Exchange, Grievance, StaleRow};
use crate::time::Span;

pub(super) const STALE: &str = "turn-stale-nonce";
pub(super) const LOOP: &str = "turn-stale-nonce-loop";

/// No server lets a nonce run out so soon.
pub(in crate::rules) const YOUNG: Span = Span::from_secs(5);
/// How many refusals in a row are a loop.
pub(in crate::rules) const MANY: u32 = 3;

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    for (refused, renewed) in renewals(conversation) {
        tell_renewal(refused, renewed, conversation, view, out);
    }
    if let Some(row) = conversation.stale.as_deref().filter(|row| row.count >= MANY) {
        tell_loop(row, conversation, view, out);
    }
}

/// Each 438, or 401 in its place, with the request that was granted with the nonce that it brought.
fn renewals(conversation: &Conversation) -> impl Iterator<Item = (&Exchange, &Exchange)> {
    let mut done = None;
    let stale = conversation.exchanges.iter().filter(|exchange| {
        let says_so = exchange.answer.as_ref().is_some_and(|answer| answer.is_error(438));
        exchange.asked.is_signed() && (says_so || ran_out(exchange, conversation))
    });
    stale.filter_map(move |refused| {
        let new = refused.answer.as_ref()?.nonce?;
        let granted = conversation
            .exchanges
            .iter()
            .find(|known| known.first > refused.first && known.asked.nonce == Some(new) && known.succeeded())?;
        // several requests under way with the old nonce: one renewal
        (done.replace(granted.first) != Some(granted.first)).then_some((refused, granted))
    })
}

fn tell_renewal(
    refused: &Exchange,
    renewed: &Exchange,
    conversation: &Conversation,
    view: &View<'_>,
    out: &mut Collector,
) {
    let (at, listed) = (refused.first.time, frames_of([refused, renewed]));
    if out.add_to_note(STALE, conversation.server, at, &listed) {
        return;
    }
    let seen = Occurrence {
        key: conversation.server.to_string(),
        severity: Severity::Note,
        confidence: Confidence::Certain,
        at,
        frames: listed.clone(),
        filter: Some(filter_of(conversation)),
        subject: view.subject(conversation, refused.asked.user, refused.asked.realm),
        ..Occurrence::of(STALE, "RFC 8489 §9.2.5")
    };
    let why = match age(refused, conversation).filter(|age| *age < YOUNG) {
        Some(age) => format!(
            "That nonce was {age} old and cannot have run out: several servers behind one address that do not know each other's nonces refuse them so, as \
             does a server that was restarted."
        ),
        None => "Servers limit the life of a nonce so that captured requests cannot be replayed.".to_owned(),
    };
    out.add(seen, || Text {
        title: format!("{} renewed the nonce of {} and went on", conversation.server, conversation.client),
        explanation: format!(
            "The server no longer took the nonce of the {} and gave a new one; with that a request was granted ({}). {why}",
            refused.method,
            frames(&listed),
        ),
        fix: String::new(),
    });
}

/// How long before a request the server had given the client the nonce in it, on the same ports.
pub(in crate::rules) fn age(refused: &Exchange, conversation: &Conversation) -> Option<Span> {
    let answers = conversation.exchanges.iter().filter_map(|known| known.answer.as_ref());
    let given = answers.filter(|answer| answer.nonce.is_some() && answer.nonce == refused.asked.nonce);
    given
        .map(|answer| answer.seen)
        .filter(|seen| *seen < refused.first)
        .max()
        .map(|seen| refused.first.time.since(seen.time))
}

fn tell_loop(row: &StaleRow, conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let stale = conversation.exchanges.iter().rev().find(|exchange| {
        exchange.answer.as_ref().is_some_and(|answer| answer.is_error(438) && answer.seen == row.last)
    });
    // where the row goes on from another socket it is told there
    let newest = stale.and_then(|exchange| exchange.answer.as_ref()?.nonce);
    let goes_on = conversation.last.time <= row.last.time
        && newest.is_some_and(|nonce| view.session.is_echoed_after(conversation, nonce, row.last.time));
    let Some(exchange) = stale.filter(|_| !goes_on) else { return };
    let seen = Occurrence {
        id: LOOP,
        key: format!("{} {}", conversation.server, Why::of(row).key()),
        severity: Severity::Failure,
        confidence: Confidence::Certain,
        remedy: Remedy::Service(Grievance::of(conversation, exchange.asked.user_or_hash(), row.last.time)),
        at: row.first.time,
        frames: row.frames.iter().copied().filter(|&frame| frame != 0).collect(),
        filter: Some(match Why::of(row) {
            Why::OtherAddress => format!("stun && {}", host_filter(conversation.server.0.ip())),
            Why::OtherPort => format!("stun && {}", ip_filter(conversation.client.0, conversation.server.0)),
            _ => filter_of(conversation),
        }),
        reference: "RFC 8489 §9.2.4",
        subject: view.subject(conversation, exchange.asked.user, exchange.asked.realm),
        causes: &["nat-rebinding"],
    };
    out.add(seen, || text(row, exchange, conversation, view));
}

/// What the requests of a row have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    OtherAddress,
    OtherPort,
    NotEchoed,
    NotTaken,
    SameEnds,
}

impl Why {
    fn of(row: &StaleRow) -> Why {
        if row.other_address > 0 {
            Why::OtherAddress
        } else if row.other_port > 0 {
            Why::OtherPort
        } else if row.never_given.saturating_mul(2) > row.count {
            Why::NotEchoed
        } else if row.not_taken > 0 && row.not_taken + 1 >= row.count {
            Why::NotTaken
        } else {
            Why::SameEnds
        }
    }

    fn key(self) -> &'static str {
        match self {
            Why::OtherAddress => "address",
            Why::OtherPort => "port",
            Why::NotEchoed => "echo",
            Why::NotTaken => "old",
            Why::SameEnds => "same",
        }
    }
}

fn text(row: &StaleRow, exchange: &Exchange, conversation: &Conversation, view: &View<'_>) -> Text {
    let (client, server) = (conversation.client, conversation.server);
    let user = view.user(&exchange.asked);
    let error = exchange.answer.as_ref().map(|answer| view.error(answer)).unwrap_or_default();
    let given = row.count - row.never_given.min(row.count);
    let echoed = match (given, row.never_given) {
        (_, 0) => "Each carried, byte for byte, a nonce that the server had given.".to_owned(),
        (0, _) => "None of them carried a nonce that an answer in this capture had given.".to_owned(),
        (given, never) => format!(
            "{given} carried, byte for byte, a nonce that the server had given; of {never} no answer in this capture had given it."
        ),
    };
    let (clause, shows, fix) = match Why::of(row) {
        Why::OtherAddress => (
            "each nonce was given to another address than the one that uses it",
            format!("{} of the requests came from another address than the one to which their nonce was given.", row.other_address),
            "Make the client leave by one address: a NAT that spreads connections over several, or a client with several interfaces, needs to keep to \
             one for the server.",
        ),
        Why::OtherPort => (
            "each nonce was given to another port than the one that uses it",
            format!(
                "{} of the requests came from another port than the one to which their nonce was given: the client opens a new socket for each try, \
                 or a NAT gives it a new mapping each time.",
                row.other_port
            ),
            "Keep one socket from challenge to answer in the client; if a NAT stands before this point, lengthen its UDP timeout.",
        ),
        Why::NotEchoed => (
            "the client does not use the nonces that it is given",
            "The client goes on with a nonce of its own.".to_owned(),
            "Repair or update the client: after 438 it must take over the nonce of that answer unchanged.",
        ),
        Why::NotTaken => (
            "the client goes on with the old one",
            "All of them carried the same one, although each refusal brought a new one: the client does not take it over.".to_owned(),
            "Repair or update the client: after 438 it must sign its request again with the nonce of that answer. If a server was \
             restarted, the client must allocate anew.",
        ),
        Why::SameEnds => (
            "the client echoes each nonce from where it was given",
            "Address and port stay the same, so the requests reach a server that did not make the nonce: several servers stand behind this address, \
             or the server's nonces hold for no time at all."
                .to_owned(),
            "Make the balancer keep a client on one server, or give all servers the same nonce key; compare the server's nonce lifetime.",
        ),
    };
    let listed: Vec<u64> = row.frames.iter().copied().filter(|&frame| frame != 0).collect();
    Text {
        title: format!(
            "{server} rejected {} of {} ({user}) in a row with {error}: {clause}",
            if Why::of(row) == Why::NotTaken {
                format!("{} requests", row.count)
            } else {
                format!("{} nonces", row.count)
            },
            client.0.ip()
        ),
        explanation: format!("{} requests in a row were refused ({}). {echoed} {shows}", row.count, frames(&listed)),
        fix: fix.to_owned(),
    }
}
