//! `turn-unreachable` over TCP: a connection to a STUN or TURN server that is refused, or never answered.

use super::AT_ONCE;
use super::no_response::PATIENCE;
use super::unreachable::{ID, another_way, reading};
use crate::frame::in_order;
use crate::net::Transport;
use crate::rules::evidence::{counted, frames, ip_filter};
use crate::rules::nat::own_outside;
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::session::{Attempt, Grievance, Reached};
use crate::time::Span;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// How many copies of a SYN, over how many seconds, are a client that waits in vain.
const SEVERAL: u32 = 3;
const LONG: i64 = 3;
/// So long after its second SYN one has given up that sends no third: that comes after two seconds (RFC 6298 §2.1, §5.5).
const GIVEN_UP: Span = Span::from_secs(3);

/// How a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Refused,
    TurnedAway,
    Unanswered,
}

pub(super) fn judge(view: &View<'_>, out: &mut Collector) {
    if view.session.attempts().is_empty() {
        return;
    }
    let ways = view.session.ways().sorted();
    let served: BTreeSet<IpAddr> = ways.iter().filter(|way| way.allocated > 0).map(|way| way.client.0.ip()).collect();
    let clients: BTreeSet<IpAddr> = ways.iter().map(|way| way.client.0.ip()).collect();
    for attempt in view.session.turn_attempts() {
        let client = attempt.client.0.ip();
        let Some(how) = how(attempt, view) else { continue };
        // anyone may knock at a well-known port: who speaks STUN means it
        let speaks = clients.contains(&client);
        let waited = how == How::Unanswered && is_long(attempt);
        let sure = match how {
            How::Unanswered => waited,
            _ => speaks || clients.is_empty() || attempt.connections > 1,
        };
        // a host that knocks once, speaks no STUN, and is turned away by one that serves others, is looking for open ports
        let serves_others = || ways.iter().any(|way| way.server.0.ip() == attempt.server.0.ip() && way.answered > 0);
        if !speaks && attempt.connections == 1 && !waited && serves_others() {
            continue;
        }
        // SYNs of which nothing came back prove silence only where the capture holds what is sent to the client
        let sure = sure && (view.holds_answers(client) || how != How::Unanswered);
        // where nothing can be read of any message, the port alone says that it is about TURN
        let by_port = !speaks && view.session.totals().holds_headers_only();
        let sure = sure && !by_port;
        // who has an allocation is served, though not in this way
        let has_relay = served.contains(&client);
        tell(attempt, how, (sure, by_port), has_relay, view, out);
    }
}

/// Whether a client sent its SYN for so long that it cannot but miss the answer.
fn is_long(attempt: &Attempt) -> bool {
    let (syns, seconds) = attempt.unanswered;
    syns >= SEVERAL && seconds >= LONG
}

fn how(attempt: &Attempt, view: &View<'_>) -> Option<How> {
    let (syns, _) = attempt.unanswered;
    let silence = view.now().since(attempt.last.time);
    match () {
        () if attempt.opened.is_some() => None,
        () if attempt.refused > 0 => Some(How::Refused),
        () if attempt.icmp.is_some() => Some(How::TurnedAway),
        () if is_long(attempt) && silence >= PATIENCE || syns > 1 && silence >= GIVEN_UP => Some(How::Unanswered),
        () => None,
    }
}

fn tell(
    attempt: &Attempt,
    how: How,
    (sure, by_port): (bool, bool),
    has_relay: bool,
    view: &View<'_>,
    out: &mut Collector,
) {
    let (client, server) = (attempt.client, attempt.server);
    let at = attempt.first.time.before(AT_ONCE);
    let listed = in_order(attempt.frames.iter().copied());
    let what = match how {
        How::Refused => "refused",
        How::TurnedAway => "icmp",
        How::Unanswered => "unanswered",
    };
    let (from, port) = (client.0.ip(), server.0.port());
    let icmp = if how == How::TurnedAway { " || icmp || icmpv6" } else { "" };
    let filter = format!("({} && tcp.port == {port}){icmp}", ip_filter(client.0, server.0));
    let seen = Occurrence {
        key: format!("{server} tcp {what}"),
        severity: if has_relay { Severity::Warning } else { Severity::Failure },
        confidence: Confidence::certain_if(sure),
        remedy: Remedy::Service(Grievance::new(from, None, server.0, at)),
        at: attempt.first.time,
        frames: listed.clone(),
        filter: Some(filter),
        subject: Subject {
            client: Some(client),
            server: Some(server),
            transport: Some(Transport::Tcp),
            ..Subject::default()
        },
        ..Occurrence::of(ID, "RFC 9293 §3.5")
    };
    let otherwise = match (how, &attempt.icmp) {
        (How::TurnedAway, Some(icmp)) => another_way(icmp, Transport::Tcp),
        (How::Unanswered, _) if port != 443 => {
            "Where only port 443 is let through, let the server listen there for TURN over TLS.".to_owned()
        }
        _ => String::new(),
    };
    out.add_way(seen, &otherwise, || text(attempt, how, by_port, &frames(&listed), view));
}

fn text(attempt: &Attempt, how: How, by_port: bool, listed: &str, view: &View<'_>) -> Text {
    let (client, server) = (attempt.client.0.ip(), attempt.server);
    let mut others = others(attempt, view);
    let (own, turn_back) = own_outside(client, server.0, view);
    if by_port {
        others.push_str(" The snap length left headers only: that a TURN server was meant is told by the port alone.");
    }
    match (how, &attempt.icmp) {
        (How::TurnedAway, Some(icmp)) => {
            let (title, meaning, fix) = reading(icmp, server, Transport::Tcp);
            Text {
                title: format!("{client} cannot connect to {server} over TCP: {title} (ICMP {})", icmp.kind),
                explanation: format!(
                    "A SYN of {client} to {server} was answered by ICMP {} from {} ({listed}). {meaning}{others}",
                    icmp.kind, icmp.sender
                ),
                fix,
            }
        }
        (How::Unanswered, _) => {
            let (syns, seconds) = attempt.unanswered;
            Text {
                title: format!("{server} does not answer over TCP: {syns} SYNs of {client} went unanswered"),
                explanation: format!(
                    "{client} tried to open a TCP connection to {server} and sent its SYN {syns} times within {} ({listed}). Neither \
                     a SYN-ACK nor a reset nor an ICMP error came back: a firewall on the way drops it, or the server is down.{others}{own}",
                    counted(seconds.unsigned_abs(), "second"),
                ),
                fix: format!(
                    "{turn_back}Open TCP port {} towards {} in the firewalls on the way, or check that the server runs.",
                    server.0.port(),
                    server.0.ip()
                ),
            }
        }
        _ => {
            let (why, fix) = rejection(attempt, view);
            Text {
                title: format!("{server} refuses TCP connections: the SYN of {client} is answered by a reset"),
                explanation: format!(
                    "{client} tried to open a TCP connection to {server}, and each SYN was answered by RST at once ({listed}). {why}{others}"
                ),
                fix,
            }
        }
    }
}

/// What a reset in place of a connection comes from, and what to do about it.
fn rejection(attempt: &Attempt, view: &View<'_>) -> (&'static str, String) {
    let (client, server) = (attempt.client, attempt.server);
    if took_others(attempt, view) {
        return (
            "It took other connections in this capture: it was stopped or restarted in between, it limits them, or a firewall rejects this one in its name.",
            format!(
                "Look in the log of {server} at that time whether it was stopped or restarted, and how many connections it allows; and at firewalls on the way \
                 for rules that apply to {client}."
            ),
        );
    }
    (
        "No process listens on that port of the server's host, or a firewall rejects in its name.",
        format!(
            "Let the TURN server listen on {server} over TCP, or correct address, port and transport in the client's TURN URL."
        ),
    )
}

/// Whether the server took a TCP connection of anybody, that the capture shows.
fn took_others(attempt: &Attempt, view: &View<'_>) -> bool {
    let servers = view.session.servers().sorted();
    let known = servers.iter().find(|(address, _)| *address == attempt.server);
    let took = |(transport, reached): &(Transport, Reached)| transport.is_stream() && reached.connections.opened > 0;
    known.is_some_and(|(_, server)| server.transports.iter().any(took))
}

/// Over what else the same server answered this client.
fn others(attempt: &Attempt, view: &View<'_>) -> String {
    let (client, server) = (attempt.client.0.ip(), attempt.server.0.ip());
    let answers =
        |transport: &Transport| view.session.ways().get(client, server, *transport).is_some_and(|way| way.answered > 0);
    let all = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Dtls];
    let found: Vec<String> = all.iter().filter(|transport| answers(transport)).map(ToString::to_string).collect();
    if found.is_empty() {
        String::new()
    } else {
        format!(" The same server answers this client over {}.", found.join(" and "))
    }
}
