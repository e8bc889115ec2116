//! `turn-connection-closed`: the connection that carries an allocation is closed while the allocation lives.

use crate::event::Connection;
use crate::rules::evidence::{flow_filter, how_long, ip_filter};
use crate::rules::{Collector, Confidence, Occurrence, Severity, Text, View};
use crate::session::{Allocation, Conversation, DataConnection, From, Seen};
use crate::time::Span;
use crate::wire::stun::Method;

pub(in crate::rules) const ID: &str = "turn-connection-closed";

/// A connection that was silent for so long may have been given up for that.
const IDLE: Span = Span::from_secs(20);
/// An end that comes so soon after data answers it.
const AT_ONCE: Span = Span::from_secs(1);
/// Hop limits of one host's packets differ by no more, whichever way they take.
const SAME_HOPS: u8 = 1;

/// Who ended a connection, and how.
struct Closing {
    by: From,
    at: Seen,
    reset: bool,
    /// Hop limit of the reset, and the lowest and highest of all else from the end in whose name it came, where they are too far apart for
    /// one host's.
    forged: Option<(u8, (u8, u8))>,
    /// Since its last message, or before the data that it answers.
    silent: Span,
}

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    for allocation in conversation.allocations() {
        for known in &allocation.connections {
            unbound(known, conversation, allocation, view, out);
        }
    }
    let (Some(connection), Some(allocation)) = (conversation.connection.as_deref(), conversation.allocations().last())
    else {
        return;
    };
    let Some(closing) = closing(connection, conversation) else { return };
    if !lived(allocation, closing.at) || gives_up(conversation, closing.at) {
        return;
    }
    let came_back = || {
        let contact = view.session.clients().contact(conversation.client.0.ip(), conversation.server.0);
        contact.is_some_and(|contact| contact > closing.at.time)
    };
    // a client that hangs up need not say so to the relay; one that comes back at once did not mean to
    if closing.by == From::Client && closing.forged.is_none() && !(closing.reset && came_back()) {
        return;
    }
    let both = conversation.both_heard() && connection.missing == [0; 2];
    let sure = both && (closing.by == From::Server || closing.forged.is_some());
    let mut subject = view.subject(conversation, allocation.user, None);
    subject.relayed = allocation.relayed.iter().flatten().next().copied();
    let seen = Occurrence {
        key: format!("{} {:?} {}", conversation.server, closing.by, closing.reset),
        severity: Severity::Warning,
        confidence: Confidence::certain_if(sure),
        at: closing.at.time,
        frames: vec![allocation.created.frame, closing.at.frame],
        filter: Some(flow_filter(conversation)),
        subject,
        ..Occurrence::of(ID, "RFC 8656 §3.1")
    };
    out.add(seen, || text(conversation, allocation, &closing));
}

/// A data connection of a relay for TCP that the server ends without an answer to the client's ConnectionBind.
fn unbound(
    known: &DataConnection,
    conversation: &Conversation,
    allocation: &Allocation,
    view: &View<'_>,
    out: &mut Collector,
) {
    let (Some((data, asked)), None, Some((From::Server, at, reset))) = (known.bind, known.bound, known.closed) else {
        return;
    };
    let (client, server) = (conversation.client, conversation.server);
    let peer = known.peer.map_or_else(|| "its peer".to_owned(), |peer| peer.to_string());
    let did = if reset { "reset" } else { "closed" };
    let listed = vec![known.first.frame, asked.frame, at.frame];
    let mut subject = view.subject(conversation, allocation.user, None);
    (subject.peer, subject.relayed) = (known.peer, allocation.relayed_for(known.peer));
    let seen = Occurrence {
        key: format!("{server} data connection {reset}"),
        severity: Severity::Warning,
        confidence: Confidence::certain_if(conversation.both_heard()),
        at: at.time,
        frames: listed,
        filter: Some(format!("{} && tcp.port == {}", ip_filter(data.0, server.0), data.0.port())),
        subject,
        causes: &["turn-peer-connect-failed"],
        ..Occurrence::of(ID, "RFC 6062 §5.4")
    };
    let id = known.id.map(|id| format!(" {id:#010x}")).unwrap_or_default();
    out.add(seen, || Text {
        title: format!("{server} {did} the data connection of {client} to {peer} without an answer to its ConnectionBind"),
        explanation: format!(
            "The relay told of its connection{id} to {peer} in frame {}. {data} asked to be joined to it (ConnectionBind, frame {}), and {server} {did} that connection \
             in frame {} without an answer: what the client and this peer have to say does not reach the other.",
            known.answer.map_or(known.first.frame, |(answer, _)| answer.frame), asked.frame, at.frame
        ),
        fix: format!(
            "Look into the log of {server}: the peer may have closed the connection meanwhile, or the server waited too long for the ConnectionBind (30 seconds by RFC \
             6062 §5.4). Let the client bind as soon as it learns of the connection, and connect anew after such an end."
        ),
    });
}

fn closing(connection: &Connection, conversation: &Conversation) -> Option<Closing> {
    let (by, at, reset) = crate::session::closed(connection)?;
    let [of_client, of_server] = connection.ttl;
    let [rst_client, rst_server] = connection.rst_ttl;
    let (told, (low, high)) = if by == From::Client { (rst_client, of_client) } else { (rst_server, of_server) };
    let apart = told > high.saturating_add(SAME_HOPS) || told.saturating_add(SAME_HOPS) < low;
    let forged = (reset && told > 0 && low <= high && apart).then_some((told, (low, high)));
    let last = conversation.last.time.min(at.time);
    // what ends a connection in answer to the first data after a long silence had forgotten it meanwhile
    let (rest, over) = connection.rest;
    let forgotten = by == From::Server && (Span(0)..=AT_ONCE).contains(&at.time.since(over));
    let silent = at.time.since(last).max(if forgotten { rest } else { Span(0) });
    Some(Closing { by, at, reset, forged, silent })
}

/// Whether the allocation could be in use when the connection was closed.
fn lived(allocation: &Allocation, closed: Seen) -> bool {
    let ended = allocation.ended.is_some_and(|(_, seen)| seen.time <= closed.time);
    !ended && allocation.created.time <= closed.time && allocation.expires > closed.time
}

/// Whether the client gave the allocation up, though the answer is not in the capture.
fn gives_up(conversation: &Conversation, closed: Seen) -> bool {
    conversation.of(Method::REFRESH).any(|asked| asked.asked.lifetime == Some(0) && asked.first.time <= closed.time)
}

fn text(conversation: &Conversation, allocation: &Allocation, closing: &Closing) -> Text {
    let (client, server, over) = (conversation.client, conversation.server, conversation.transport.name());
    let left = allocation.expires.since(closing.at.time).secs();
    let age = how_long(closing.at.time.since(allocation.created.time));
    let who = if closing.by == From::Server { server.to_string() } else { client.to_string() };
    let did = if closing.reset { "reset" } else { "closed" };
    let idle = closing.silent >= IDLE;
    let silent = if idle { format!(" after {} without a message", how_long(closing.silent)) } else { String::new() };
    let name = match closing.forged {
        Some(_) => format!("in the name of {who}"),
        None => format!("by {who}"),
    };
    let forged = closing.forged.map_or_else(String::new, |(told, (low, high))| {
        let usual = if low == high { low.to_string() } else { format!("{low} to {high}") };
        format!(
            " The reset bears the hop limit {told}, and all else from {who} bears {usual}: it was sent by something between the two, not by {who}."
        )
    });
    Text {
        title: format!(
            "The {over} connection of {client} to {server} was {did} {name}{silent} while its relay was alive"
        ),
        explanation: format!(
            "{client} has an allocation at {server} since frame {}, which had {left} seconds left when its connection was {did} {name} in frame {}, \
             {age} later. With the connection the allocation ends (RFC 8656 §3.1), and everything that went through the relay.{forged}",
            allocation.created.frame, closing.at.frame
        ),
        fix: fix(closing, &who, idle),
    }
}

fn fix(closing: &Closing, who: &str, idle: bool) -> String {
    if idle {
        let silent = how_long(closing.silent);
        return format!(
            "Keep the connection in use: send STUN or TCP keepalives more often than every {silent}, and raise the idle timeout of firewalls, balancers \
             and the server above that."
        );
    }
    match closing.by {
        _ if closing.forged.is_some() => {
            "Find the firewall, proxy or inspection device on the way that resets the connection, and let it pass."
                .to_owned()
        }
        From::Server => format!(
            "Look into the log of {who} and of its host: it was stopped or restarted, crashed, or was told to end the session."
        ),
        From::Client => format!(
            "Look for the cause at {who}: the application crashed or gave the connection up, or a device before it did."
        ),
    }
}
