//! `turn-mapped-private`: the server sees the client at a private address, though it is itself in the open.

use super::evidence::{filter_of, frames};
use super::{Collector, Confidence, Occurrence, Severity, Subject, Text, View};
use crate::net::{MappedAddress, Scope};
use crate::session::{Conversation, Exchange};

pub(super) const ID: &str = "turn-mapped-private";

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    if conversation.server.0.scope() != Scope::Public {
        return;
    }
    let hidden = |exchange: &&Exchange| {
        exchange.answer.as_ref().is_some_and(|answer| {
            // an answer whose two addresses differ was rewritten on the way, and is told as that
            let true_to_itself = answer.mapped_plain.is_none_or(|plain| Some(plain) == answer.mapped);
            true_to_itself
                && answer.from.is_none()
                && answer.mapped.is_some_and(|mapped| is_hidden(mapped, conversation))
        })
    };
    let Some(exchange) = conversation.exchanges.iter().find(hidden) else { return };
    let Some((answer, mapped)) = exchange.answer.as_ref().and_then(|answer| Some((answer, answer.mapped?))) else {
        return;
    };
    let (client, server) = (conversation.client, conversation.server);
    let listed = [exchange.first.frame, answer.seen.frame];
    let is_hearsay = may_be_rewritten(mapped, conversation);
    let seen = Occurrence {
        key: format!("{server} {}", mapped.0.ip()),
        severity: Severity::Warning,
        confidence: if is_hearsay { Confidence::Likely } else { Confidence::Certain },
        at: answer.seen.time,
        frames: listed.to_vec(),
        filter: Some(filter_of(conversation)),
        subject: Subject { mapped: Some(mapped), ..view.subject(conversation, conversation.user, conversation.realm) },
        causes: &["nat-alg-rewrite"],
        ..Occurrence::of(ID, "RFC 8489 §14.2")
    };
    out.add(seen, || Text {
        title: format!("{server} is in the open, and sees {client} at the private address {mapped}"),
        explanation: format!(
            "The server was asked at {server}, and told {client} that it came from {mapped} ({}). That is neither the client's own address nor one that the Internet routes: a \
             NAT, a proxy or a VPN in front of the server put it there. The address is of no use as a server-reflexive candidate, and all clients look the same to the server.{}",
            frames(&listed),
            if is_hearsay { REWRITTEN } else { "" },
        ),
        fix: format!("Let the addresses of clients through to {server} unchanged (no source NAT before it), or place the server outside."),
    });
}

/// What else may be behind an address that [`may_be_rewritten`].
pub(super) const REWRITTEN: &str = " Or the addresses in the headers of this capture are not those that were there: the port in the message is the client's own, as where a \
     capture was made anonymous afterwards, and its messages were left as they are.";

/// Whether the headers of the capture may have been rewritten after it was taken (as `tcprewrite` does): a NAT seldom keeps the client's port, and what was
/// rewritten always has it.
pub(super) fn may_be_rewritten(mapped: MappedAddress, conversation: &Conversation) -> bool {
    is_hidden(mapped, conversation) && mapped.0.port() == conversation.client.0.port()
}

/// Whether the server sees an address that no one outside can reach, and that is not the one from which the client sent here.
fn is_hidden(mapped: MappedAddress, conversation: &Conversation) -> bool {
    let inside = matches!(mapped.0.scope(), Scope::Private | Scope::Shared | Scope::Loopback | Scope::LinkLocal);
    inside && mapped.0.ip() != conversation.client.0.ip()
}
