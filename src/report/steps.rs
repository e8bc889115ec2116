//! The conversation of an authentication, told step by step.

use super::convert::Origin;
use super::{Address, Authentication, AuthenticationOutcome, Side, Step};
use crate::rules::{Proof, View};
use crate::session::credentials::{Derivation, Preparation, Scheme};
use crate::session::{Answer, Conversation, Exchange, Seen, Verdicts};
use crate::wire::stun::integrity::Rule;
use crate::wire::stun::{Class, Method};
use std::borrow::Cow;
use std::fmt::Write as _;

/// How many steps of one conversation are told.
const MAX_STEPS: usize = 24;

/// The authentication of a conversation: what its exchanges add up to.
#[must_use]
pub(super) fn authentication(conversation: &Conversation, view: &View<'_>, origin: Origin) -> Authentication {
    let mut steps: Vec<Step> = Vec::new();
    let mut total = 0;
    let mut add = |seen: Seen, from: Side, what: &dyn Fn() -> String| {
        total += 1;
        if steps.len() < MAX_STEPS {
            let place = origin.place(seen.frame);
            steps.push(Step { place, time: Some(origin.time(seen.time)), from, what: what() });
        }
    };
    for exchange in conversation.exchanges.iter().filter(|exchange| exchange.method != Method::BINDING) {
        add(exchange.first, Side::Client, &|| request(exchange, view));
        match &exchange.answer {
            Some(answer) => add(answer.seen, Side::Server, &|| response(exchange, answer, view)),
            None => add(exchange.last, Side::Client, &|| silence(exchange)),
        }
    }
    let resets = conversation.connection.as_ref().map_or([None; 2], |connection| connection.rst);
    for (reset, side) in resets.into_iter().zip([Side::Client, Side::Server]) {
        if let Some(at) = reset {
            add(at, side, &|| "resets the connection".to_owned());
        }
    }
    let label = |verdicts: fn(&Exchange) -> Option<&Verdicts>| {
        let verified = conversation.exchanges.iter().rev().filter_map(verdicts);
        verified.map(|verdicts| Proof::of(verdicts, view)).find_map(|proof| proof.label().map(str::to_owned))
    };
    let text = |name: Option<crate::session::Name>| name.map(|name| view.text(name));
    Authentication {
        client: conversation.client.into(),
        proxied_for: conversation.proxied_for().map(Address),
        server: conversation.server.into(),
        username: text(conversation.user),
        realm: text(conversation.realm),
        steps,
        steps_total: total,
        outcome: outcome(conversation),
        request_credential: label(|exchange| Some(&exchange.asked.integrity)),
        response_credential: label(|exchange| Some(&exchange.answer.as_ref()?.integrity)),
    }
}

fn outcome(conversation: &Conversation) -> AuthenticationOutcome {
    let exchanges = || conversation.exchanges.iter().filter(|exchange| exchange.method != Method::BINDING);
    let accepted = exchanges().any(|exchange| exchange.succeeded()) || conversation.allocated > 0;
    match exchanges().next_back() {
        _ if accepted => AuthenticationOutcome::Accepted,
        Some(last) => match &last.answer {
            None if conversation.answered == 0 => AuthenticationOutcome::Unanswered,
            None => AuthenticationOutcome::Open,
            Some(answer) if answer.is_challenge() && !last.asked.is_signed() => AuthenticationOutcome::Challenged,
            Some(answer) if answer.is_error(300) => AuthenticationOutcome::Redirected,
            Some(_) => AuthenticationOutcome::Rejected,
        },
        None => AuthenticationOutcome::Open,
    }
}

/// Said of a message of which the capture lacks the end.
const CUT: &str = ", cut short by the capture";

fn request(exchange: &Exchange, view: &View<'_>) -> String {
    let asked = &exchange.asked;
    // about what the longest need: a report has thousands
    let mut what = String::with_capacity(96);
    let _ = write!(what, "{} request", exchange.method); // writing to a String cannot fail
    if let Some(peer) = asked.peer {
        let _ = write!(what, " for peer {peer}");
        if asked.peers > 1 {
            let _ = write!(what, " and {} more", asked.peers - 1);
        }
    }
    if let Some(channel) = asked.channel {
        let _ = write!(what, " on channel 0x{channel:04x}");
    }
    if exchange.method == Method::REFRESH && asked.lifetime == Some(0) {
        what.push_str(" with lifetime 0");
    }
    match (asked.user, asked.userhash) {
        (Some(user), _) => {
            let _ = write!(what, " as {}", view.quoted(Some(user)));
        }
        (None, Some(_)) => what.push_str(" as a hashed user name"),
        // behind the cut there may have been some
        (None, None) if exchange.method == Method::ALLOCATE && !asked.truncated => {
            what.push_str(" without credentials")
        }
        (None, None) => {}
    }
    if asked.realm.is_some() {
        let _ = write!(what, ", realm {}", view.quoted(asked.realm));
    }
    if asked.is_signed() {
        let _ = write!(what, ", {}", signature(&asked.integrity, view));
    }
    if asked.truncated {
        what.push_str(CUT);
    }
    if exchange.again_total > 0 {
        let _ = write!(what, " (sent {} times)", exchange.again_total + 1);
    }
    what
}

fn response(exchange: &Exchange, answer: &Answer, view: &View<'_>) -> String {
    let mut what = String::with_capacity(96);
    let _ = match answer.class {
        Class::Error if answer.code == 0 => write!(what, "{} error", exchange.method),
        Class::Error => write!(what, "{} error {}", exchange.method, view.error(answer)),
        _ => write!(what, "{} success", exchange.method),
    };
    if answer.is_challenge() {
        let _ = write!(what, ", realm {}, with a nonce", view.quoted(answer.realm));
    }
    for relayed in answer.relayed.iter().flatten() {
        let _ = write!(what, ", relayed address {relayed}");
    }
    if let Some(mapped) = answer.mapped.filter(|_| exchange.method == Method::ALLOCATE) {
        let _ = write!(what, ", client seen as {mapped}");
    }
    if let Some(lifetime) = answer.lifetime.filter(|_| answer.class == Class::Success) {
        let _ = write!(what, ", lifetime {lifetime} s");
    }
    if let Some(alternate) = answer.alternate {
        let _ = write!(what, ", go to {alternate}");
    }
    if let Some(from) = answer.from {
        let _ = write!(what, ", sent from {from}");
    }
    if answer.integrity.iter().any(Option::is_some) {
        let _ = write!(what, ", {}", signature(&answer.integrity, view));
    }
    if answer.truncated {
        what.push_str(CUT);
    }
    what
}

fn silence(exchange: &Exchange) -> String {
    match &exchange.icmp {
        Some(icmp) => format!("answered by ICMP from {}: {} (frame {})", icmp.sender, icmp.kind, icmp.frame),
        None => format!("no answer to {} request in the capture", exchange.method),
    }
}

/// What the verdicts say of a signature, in words.
fn signature(verdicts: &Verdicts, view: &View<'_>) -> Cow<'static, str> {
    match Proof::of(verdicts, view) {
        Proof::Unsigned | Proof::Untested | Proof::Truncated => "signed".into(),
        Proof::Mismatch(1) => "signed, but not with the credential given".into(),
        Proof::Mismatch(tried) => format!("signed, but with none of the {tried} credentials given").into(),
        Proof::By { label, .. } => format!("signed with \"{}\"", label.escape_debug()).into(),
    }
}

/// The rule and derivation of a verified value, where they are not the ordinary ones of RFC 8489.
#[must_use]
pub(super) fn unusual(rule: Rule, derivation: Derivation) -> Option<String> {
    let ordinary =
        matches!(derivation.scheme, Scheme::LongTerm(_) | Scheme::ShortTerm | Scheme::RawKey | Scheme::TurnRest { .. })
            && derivation.preparation == Preparation::Raw;
    match (rule, ordinary) {
        (Rule::Rfc8489, true) => None,
        (Rule::Rfc8489, false) => Some(derivation.to_string()),
        (rule, _) => Some(format!("{rule}; {derivation}")),
    }
}
