//! `turn-allocation-leaked`: allocations that nobody uses any more, left to run out.

use crate::rules::evidence::{filter_of, frames};
use crate::rules::reachability::stopped::is_silent;
use crate::rules::{Collector, Confidence, Occurrence, Severity, Subject, Text, View};
use crate::session::{Allocation, Conversation, End, closed};
use crate::time::Span;

pub(super) const ID: &str = "turn-allocation-leaked";

/// A client that uses its allocation is heard more often than this: keepalives of NAT mappings and consent checks are due at 30 s at the latest.
const SILENT: Span = Span::from_secs(45);

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let Some(allocation) = &conversation.allocation else { return };
    let last = conversation.heard.time.max(allocation.created.time);
    // a clock that was set back does not tell how long ago that was
    let silent = view.now().since(last) >= SILENT && !view.session.clients().coverage().is_out_of_order(last);
    // an allocation over TCP or TLS ends with its connection (RFC 8656 §3.1)
    let closed = conversation.connection.as_deref().is_some_and(|connection| closed(connection).is_some());
    if !silent || closed || allocation.end(view.now()) != End::Open || conversation.moved_from.is_some() {
        return;
    }
    // a client that asks for it to be kept, and gets no answer, did not leave it
    let heard = conversation.server_heard.unwrap_or(allocation.created);
    if !conversation.exchanges.iter().any(|exchange| is_silent(exchange) && exchange.first > heard) {
        leaked(conversation, allocation, view, out);
    }
}

fn leaked(conversation: &Conversation, allocation: &Allocation, view: &View<'_>, out: &mut Collector) {
    let (client, server) = (conversation.client, conversation.server);
    let listed = [allocation.created.frame, conversation.heard.frame];
    let seen = Occurrence {
        key: server.to_string(),
        severity: Severity::Note,
        confidence: Confidence::Likely,
        at: conversation.heard.time,
        frames: listed.to_vec(),
        filter: Some(filter_of(conversation)),
        subject: Subject {
            relayed: allocation.relayed[0],
            ..view.subject(conversation, allocation.user, allocation.realm)
        },
        ..Occurrence::of(ID, "RFC 8656 §8")
    };
    out.add(seen, || Text {
        title: format!("{client} left its allocation on {server} to run out"),
        explanation: format!(
            "The client was heard last in frame {}, {} seconds before the capture ends, and never gave its allocation up ({}): it stays on the server for another {} \
             seconds, takes a relay port and counts towards the user's quota.",
            conversation.heard.frame,
            view.now().since(conversation.heard.time).secs(),
            frames(&listed),
            allocation.expires.since(view.now()).secs(),
        ),
        fix: "Let the client end an allocation that it no longer needs with a Refresh of lifetime 0.".to_owned(),
    });
}
