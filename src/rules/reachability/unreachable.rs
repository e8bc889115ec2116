//! `turn-unreachable`: a router or the server's host refuses what is sent to the server.

use super::AT_ONCE;
use super::no_response::{EPHEMERAL, is_service};
use crate::event::IcmpAnswer;
use crate::net::{ServerAddress, Transport};
use crate::rules::denied::redirect;
use crate::rules::evidence::{filter_with_icmp, frames, frames_of};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Text, View};
use crate::session::{Conversation, Exchange, Grievance};
use crate::wire::stun::Method;

pub(super) const ID: &str = "turn-unreachable";

/// So many messages turned away are no accident.
const SEVERAL: u64 = 3;

/// What may have become of a server that worked.
const RESTARTED: &str = "The server or its host may have restarted or crashed: its log tells.";

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let (asked, port) = (conversation.server, conversation.server.0.port());
    // applications ask peers by plain Binding requests, too: keepalives, which end with an error when the call does
    let peer = !is_service(port) && conversation.allocations().next().is_none();
    // who sends a single request to a port that is known for STUN, and nothing else, may be looking for servers
    let lone =
        matches!(conversation.exchanges.as_slice(), [only] if only.again_total == 0) && conversation.answered == 0;
    let sure = (!peer && !lone) || conversation.both_heard();
    if view.session.nat().is_own(conversation.client, asked) {
        return;
    }
    for exchange in conversation.exchanges.iter().filter(|exchange| is_refused(exchange)) {
        if exchange.method == Method::BINDING && peer && port >= EPHEMERAL {
            continue;
        }
        let Some(icmp) = exchange.icmp else { continue };
        if is_late_keepalive(exchange, conversation) && is_gone(conversation) {
            continue; // the relay that was lost before it is the story
        }
        let (client, server) = (conversation.client, conversation.server);
        let user = exchange.asked.user_or_hash();
        let together = matches!(exchange.method, Method::ALLOCATE | Method::BINDING);
        let at = if together { exchange.first.time.before(AT_ONCE) } else { exchange.first.time };
        let from = Grievance::of(conversation, user, at);
        let listed = frames_of([exchange]);
        let seen = Occurrence {
            key: format!("{server} {} {:?}", icmp.sender, icmp.kind),
            severity: if is_late_keepalive(exchange, conversation) { Severity::Warning } else { Severity::Failure },
            confidence: Confidence::certain_if(exchange.method != Method::BINDING || sure),
            remedy: if exchange.method == Method::BINDING { Remedy::Reachability(from) } else { Remedy::Service(from) },
            at: exchange.first.time,
            frames: listed.clone(),
            filter: Some(filter_with_icmp(conversation)),
            subject: view.subject(conversation, user, None),
            ..Occurrence::of(ID, "RFC 8489 §6.2.1")
        };
        // a relay that was lent before shows that the way was open
        let had =
            conversation.allocations().map(|known| known.created).filter(|made| made.time < exchange.first.time).last();
        out.add_way(seen, &another_way(&icmp, conversation.transport), || {
            let (title, meaning, fix) = reading(&icmp, server, conversation.transport);
            let (led, otherwise) = redirect::sent_here(conversation, view);
            let fix = fix + &otherwise;
            let lost = had.map(|made| exchange.first.time.since(made.time));
            Text {
                title: match lost {
                    Some(since) => format!("{client} lost its relay after {since}: {title} (ICMP {})", icmp.kind),
                    None => format!("{client} cannot reach {server}: {title} (ICMP {})", icmp.kind),
                },
                explanation: format!(
                    "{}The {} request of {client} to {server} was answered by ICMP {} from {} ({}). {meaning}{led}",
                    had.map(|made| format!("{client} has an allocation since frame {}. ", made.frame))
                        .unwrap_or_default(),
                    exchange.method,
                    icmp.kind,
                    icmp.sender,
                    frames(&listed)
                ),
                fix: if had.is_some() { format!("{fix} {RESTARTED}") } else { fix },
            }
        });
    }
}

/// How a title says that a port is closed.
pub(in crate::rules) const CLOSED: &str = "nothing listens on ";

/// What an ICMP error says, what it means and what to do about it.
pub(in crate::rules) fn reading(
    icmp: &IcmpAnswer,
    server: ServerAddress,
    transport: Transport,
) -> (String, String, String) {
    let own = icmp.sender == server.0.ip();
    if icmp.kind.is_port_unreachable() && own {
        (
            format!("{CLOSED}{server}"),
            "The server's host itself says that no process has this port open.".to_owned(),
            format!(
                "Start the TURN server, let it listen on {server}, or correct the address and port in the client's TURN URL."
            ),
        )
    } else if icmp.kind.is_prohibited() {
        (
            format!("{} forbids the way to {server}", icmp.sender),
            "A rule of a firewall or router on the way forbids this traffic.".to_owned(),
            format!("Permit {} to {server} on {}.", if transport.is_stream() { "TCP" } else { "UDP" }, icmp.sender,),
        )
    } else if own {
        (
            format!("{server} refuses"),
            "The server's host itself, or a firewall that speaks in its name, rejects this traffic.".to_owned(),
            format!("Check that the TURN server listens on {server} and that no firewall rule on the host rejects it."),
        )
    } else {
        (
            format!("{} cannot deliver", icmp.sender),
            format!("The router or host {} on the way could not deliver the request.", icmp.sender),
            format!("Check the address in the client's TURN URL, and routes, NAT and forwarding at {}.", icmp.sender),
        )
    }
}

/// What to do where another way to the server is open.
pub(super) fn another_way(icmp: &IcmpAnswer, transport: Transport) -> String {
    let prohibited = icmp.kind.is_prohibited();
    match transport.is_stream() {
        _ if !prohibited => String::new(),
        true => "Or give the client a TURN URL over TLS on port 443, if that is permitted.".to_owned(),
        false => "Or give the client a TURN URL over TCP or TLS, if that is permitted.".to_owned(),
    }
}

/// A relay that worked and then is gone: the server, or its host, turns away what the client goes on sending, and nothing comes back.
pub(super) fn judge_gone(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let Some(away) = conversation.turned_away.as_ref().filter(|_| is_gone(conversation)) else { return };
    let since = away.first.time;
    let (client, server) = (conversation.client, conversation.server);
    let allocation = conversation.allocations().last();
    let user = allocation.and_then(|known| known.user);
    let from = Grievance::of(conversation, user, since);
    let seen = Occurrence {
        key: format!("{server} {} {:?}", away.answer.sender, away.answer.kind),
        severity: Severity::Failure,
        confidence: Confidence::certain_if(allocation.is_some()),
        remedy: Remedy::Service(from),
        at: since,
        frames: away.frames.clone(),
        filter: Some(filter_with_icmp(conversation)),
        subject: view.subject(conversation, user, None),
        ..Occurrence::of(ID, "RFC 8656 §5")
    };
    out.add_way(seen, &another_way(&away.answer, conversation.transport), || {
        let (title, meaning, fix) = reading(&away.answer, server, conversation.transport);
        let after = allocation.map(|known| format!(" after {}", since.since(known.created.time)));
        let relay = match allocation {
            Some(known) => format!("has an allocation since frame {} and sends data through it", known.created.frame),
            None => "exchanges data with the server, through a relay that is older than the capture".to_owned(),
        };
        Text {
            title: format!("{client} lost its relay{}: {title} (ICMP {})", after.unwrap_or_default(), away.answer.kind),
            explanation: format!(
                "{client} {relay}; from frame {} on its messages are answered by ICMP {} from {} ({} in all), and nothing comes from the \
                 server any more. {meaning}",
                away.first.frame, away.answer.kind, away.answer.sender, away.total
            ),
            fix: format!("{fix} {RESTARTED}"),
        }
    });
}

/// Whether a server is gone that the client had a relay of: its messages are turned away, and nothing else tells of it.
fn is_gone(conversation: &Conversation) -> bool {
    let Some(away) = &conversation.turned_away else { return false };
    let since = away.first.time;
    let heard_since = conversation.server_heard.is_some_and(|heard| heard.time >= since);
    let over = match conversation.allocations().last() {
        Some(known) => known.ended.is_some_and(|(_, seen)| seen.time <= since) || known.expires <= since,
        None => !used_before(conversation),
    };
    // refused requests tell it themselves
    let tells = |exchange: &Exchange| is_refused(exchange) && !is_late_keepalive(exchange, conversation);
    away.total >= SEVERAL && !heard_since && !over && !conversation.exchanges.iter().any(tells)
}

/// Whether a request asks a server for what it answered before: the last keepalive of a client that leaves its network proves nothing against it.
fn is_late_keepalive(exchange: &Exchange, conversation: &Conversation) -> bool {
    exchange.method == Method::BINDING && conversation.answered > 0
}

/// Whether what goes both ways at the capture's beginning goes through a relay of a TURN server, and the client did not give that back.
fn used_before(conversation: &Conversation) -> bool {
    let released = conversation.exchanges.iter().any(|exchange| exchange.asked.lifetime == Some(0));
    conversation.began_before && conversation.both_heard() && is_service(conversation.server.0.port()) && !released
}

fn is_refused(exchange: &Exchange) -> bool {
    exchange.answer.is_none()
        && !exchange.asked.nat_test
        && exchange.asked.lifetime != Some(0)
        && exchange.icmp.is_some_and(|icmp| icmp.kind.is_unreachable())
}
