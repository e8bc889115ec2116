//! `turn-no-response`, in the middle of a call: a server that served a client and then answers nothing any more.

use super::hung;
use super::no_response::{ID, PATIENCE, TI, is_service, is_tried};
use crate::rules::denied::is_release;
use crate::rules::evidence::{Dialect, counted, filter_of, frames, frames_of, how_long, is_whole};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::session::{Allocation, Answer, Conversation, Exchange, Grievance, Meanwhile, Seen, closed};
use crate::time::Span;
use crate::wire::stun::Method;

/// A client that asked so often, over so much time, and was answered before, waits in vain for its address.
const ASKED_ON: (usize, Span) = (4, Span::from_secs(45));

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let (Some(heard), Some(allocation)) = (conversation.server_heard, conversation.allocations().last()) else {
        return judge_binding(conversation, view, out);
    };
    let asked = asked_in_vain(conversation);
    let Some(first) = asked.first() else { return };
    // who repeats the very same request has no answer, whatever of it the capture holds
    let repeated = asked.iter().any(|exchange| exchange.again_total >= 2);
    let in_vain = repeated && is_tried(&asked, view);
    // what TCP carries comes again by itself: there one request is enough, once the time for its answer is over
    let over_tcp = || is_open(conversation) && view.now().since(first.first.time) >= TI;
    if !(if conversation.transport.is_stream() { over_tcp() } else { in_vain }) {
        return;
    }
    let (server, user) = (conversation.server, allocation.user);
    let meanwhile = hung::meanwhile(conversation, &asked, view);
    let seen = Occurrence {
        id: ID,
        key: format!(
            "{server} stopped{}",
            if matches!(meanwhile, Some(Meanwhile::Nobody(_))) { " for all" } else { "" }
        ),
        severity: Severity::Failure,
        confidence: Confidence::certain_if(is_whole(conversation)),
        remedy: Remedy::Service(Grievance::of(conversation, user, first.first.time)),
        at: first.first.time,
        frames: frames_of(asked.iter().copied()),
        filter: Some(filter_of(conversation)),
        reference: "RFC 8489 §6.2.1",
        subject: Subject {
            relayed: allocation.relayed.iter().flatten().next().copied(),
            ..view.subject(conversation, user, allocation.realm)
        },
        causes: &["nat-rebinding"],
    };
    out.add(seen, || text(conversation, allocation, &asked, heard, meanwhile, view));
}

/// What a client asked for after it had heard its server last, where that began while it had an allocation: silence after the end is another story.
pub(in crate::rules) fn asked_in_vain(conversation: &Conversation) -> Vec<&Exchange> {
    let heard = conversation.server_heard;
    let silent = |exchange: &&Exchange| is_silent(exchange) && Some(exchange.first) > heard;
    let mut asked: Vec<&Exchange> = conversation.exchanges.iter().filter(silent).collect();
    asked.sort_unstable_by_key(|exchange| exchange.first);
    let lived = |first: &&Exchange| {
        conversation.allocations().last().is_some_and(|allocation| allocation.until() > first.first.time)
    };
    if asked.first().is_some_and(lived) { asked } else { Vec::new() }
}

/// Whether a TCP connection was left open by both, and the capture holds all that passed on it.
fn is_open(conversation: &Conversation) -> bool {
    conversation.connection.as_deref().is_some_and(|known| closed(known).is_none() && known.missing == [0; 2])
}

/// A server that told a client its address, again and again, and then does so no more: a client that asks on needs it for its NAT.
fn judge_binding(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let (tries, over) = ASKED_ON;
    let Some(heard) = conversation.server_heard else { return };
    let plain = |exchange: &&Exchange| exchange.method == Method::BINDING && !exchange.asked.nat_test;
    let asked: Vec<&Exchange> = conversation
        .exchanges
        .iter()
        .filter(|exchange| plain(exchange) && is_unanswered(exchange) && exchange.first > heard)
        .filter(|exchange| view.now().since(exchange.last.time) >= PATIENCE)
        .collect();
    let (Some(first), Some(last)) = (asked.first(), asked.last()) else { return };
    let waited = last.last.time.since(first.first.time);
    let served = is_service(conversation.server.0.port()) && conversation.answered > 0;
    if !served || asked.len() < tries || waited < over || conversation.transport.is_stream() {
        return;
    }
    let (client, server) = (conversation.client, conversation.server);
    let grievance = Grievance::of(conversation, None, first.first.time);
    let listed = frames_of(asked.iter().copied());
    let seen = Occurrence {
        id: ID,
        key: format!("{server} stopped Binding"),
        severity: Severity::Warning,
        confidence: Confidence::certain_if(is_whole(conversation)),
        remedy: Remedy::Reachability(grievance),
        at: first.first.time,
        frames: listed.clone(),
        filter: Some(filter_of(conversation)),
        reference: "RFC 8489 §6.2.1",
        subject: view.subject(conversation, conversation.user, None),
        causes: &["nat-rebinding"],
    };
    out.add(seen, || {
        let sent: u64 = asked.iter().map(|exchange| exchange.times_sent()).sum();
        let since = how_long(waited);
        Text {
            title: format!("{server} answers the Binding requests of {client} no more: the last {sent}, over {since}, went unanswered"),
            explanation: format!(
                "{server} answered this client before, and was heard last in frame {}. Neither an answer nor an ICMP error came to the {} \
                 after that ({}). While it gets none, the client cannot tell whether its NAT still maps it to the same address.",
                heard.frame,
                counted(sent, "Binding request"),
                frames(&listed),
            ),
            fix: format!(
                "Check that {server} still runs and that the firewalls on the way still let its answers through; give the client a second STUN server."
            ),
        }
    });
}

/// Whether a request for what the client has was sent, and nothing came back.
pub(in crate::rules) fn is_silent(exchange: &Exchange) -> bool {
    matches!(exchange.method, Method::REFRESH | Method::CREATE_PERMISSION | Method::CHANNEL_BIND)
        && !is_release(exchange)
        && is_unanswered(exchange)
}

fn is_unanswered(exchange: &Exchange) -> bool {
    // of a Refresh that the capture cut short nobody knows whether it gives up, nor of a Binding whether it is a check
    exchange.is_unanswered() && !exchange.asked.truncated
}

/// The refusal of a nonce that brought a new one, which the client then used in vain: the way was open in both directions then.
fn forgotten<'c>(asked: &[&Exchange], conversation: &'c Conversation) -> Option<&'c Answer> {
    let in_vain = |nonce: u64| {
        let bears = |known: &Exchange| known.asked.nonce == Some(nonce);
        asked.iter().any(|known| bears(known))
            && !conversation.exchanges.iter().any(|known| bears(known) && known.answer.is_some())
    };
    let answers = conversation.exchanges.iter().rev().filter_map(|known| known.answer.as_ref());
    answers.filter(|answer| answer.is_error(438)).find(|answer| answer.nonce.is_some_and(in_vain))
}

/// What silence after an answer that was heard last comes from, and what to look at.
fn cause(
    asked: &[&Exchange],
    conversation: &Conversation,
    after: &str,
    meanwhile: Option<Meanwhile>,
    view: &View<'_>,
) -> (String, String) {
    let (client, server) = (conversation.client, conversation.server);
    if let Some(answer) = forgotten(asked, conversation) {
        return (
            format!(
                "The server gave a new nonce with {} (frame {}), and the client asked again with that: the way was open in both directions then. Most \
                 likely the server was restarted, or another one has taken its place, and knows no allocation of this client: servers built on pion (LiveKit, STUNner) do \
                 not answer what they have no allocation for.",
                view.error(answer),
                answer.seen.frame
            ),
            format!(
                "See whether {server} was restarted{after}, or whether a balancer sends {client} to another server now. A client that meets this must allocate anew and restart ICE."
            ),
        );
    }
    let pion = match Dialect::of(conversation, view) {
        Dialect::Pion => {
            " Or it was restarted: servers built on pion (LiveKit, STUNner) do not answer what they have no allocation for."
        }
        _ => "",
    };
    if let Some(Meanwhile::Nobody(silence)) = meanwhile {
        return (
            format!(
                "{} So it is not the way of this client alone that was closed: the server hung, or a way that all of them share was cut.{pion}",
                hung::told(silence, server)
            ),
            format!("{}. A client that meets this must allocate anew and restart ICE.", hung::fix(server)),
        );
    }
    let closed = match meanwhile {
        Some(Meanwhile::Answered) => {
            "The server was heard on other ways meanwhile, so that it is this one that is closed."
        }
        _ => "The way that was open is closed, or the server is gone.",
    };
    (
        format!("{closed}{pion}"),
        format!(
            "Capture at {server}: if the requests arrive there, see in its log whether it still runs; if not, look at the firewalls and NATs on \
             the way for a session that was ended or a rule that changed{after}, and whether the client changed its network. A client that \
             meets this must allocate anew and restart ICE."
        ),
    )
}

fn text(
    conversation: &Conversation,
    known: &Allocation,
    asked: &[&Exchange],
    heard: Seen,
    meanwhile: Option<Meanwhile>,
    view: &View<'_>,
) -> Text {
    let (client, server) = (conversation.client, conversation.server);
    let served = heard.time.since(known.created.time);
    let after = if served > Span::default() { format!(" after {served}") } else { String::new() };
    let sent: u64 = asked.iter().map(|exchange| exchange.times_sent()).sum();
    let first = asked.iter().map(|exchange| exchange.first.time).min();
    let over = asked.iter().map(|exchange| exchange.last.time).max().zip(first).map(|(last, first)| last.since(first));
    let over = over.map(|over| format!(" over {over}")).unwrap_or_default();
    let mut methods: Vec<String> = asked.iter().map(|exchange| exchange.method.to_string()).collect();
    methods.dedup();
    methods.truncate(3);
    let (methods, requests) = (methods.join(" and "), counted(sent, "request"));
    let (why, fix) = cause(asked, conversation, &after, meanwhile, view);
    let nobody = match meanwhile {
        Some(Meanwhile::Nobody(_)) if forgotten(asked, conversation).is_none() => ", nor anybody else in that time",
        _ => "",
    };
    let data = if known.sent.packets > 0 && known.sent.last > heard.time {
        " What it sends through the relay gets nothing back either."
    } else {
        ""
    };
    Text {
        title: format!(
            "{server} answers {client} no more{after}{nobody}: nothing comes back, and {requests} ({methods}) went unanswered"
        ),
        explanation: format!(
            "{server} gave {client} an allocation (frame {}) and was heard last in frame {}. After that {client} sent {requests} \
             ({methods}){over} ({}), and neither an answer nor anything else came from the server.{data} {why}",
            known.created.frame,
            heard.frame,
            frames(&frames_of(asked.iter().copied())),
        ),
        fix,
    }
}
