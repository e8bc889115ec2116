//! `turn-relay-silent`: data leaves through the relay, and nothing ever comes back.

use super::evidence::{counted, filter_of, frames};
use super::relay_address::{are_neighbours, is_out_of_reach};
use super::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::net::Scope;
use crate::session::{Allocation, Conversation, Grievance, Permission};
use crate::time::Span;

pub(super) const ID: &str = "turn-relay-silent";

/// So much must have left, over so much time, before silence is an answer.
const TRIED: (u64, Span) = (5, Span::from_secs(3));

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    for allocation in conversation.allocations() {
        silent(conversation, allocation, view, out);
    }
}

fn silent(conversation: &Conversation, allocation: &Allocation, view: &View<'_>, out: &mut Collector) {
    let nothing_back = allocation.received.packets == 0 && conversation.relayed_checks.answered == 0;
    let Some(relayed) = allocation.relayed.iter().flatten().find(|relayed| relayed.is_usable()).copied() else {
        return;
    };
    // what is sent where nothing is bound or permitted, and what no peer can reach, is told as that
    if !nothing_back || is_out_of_reach(relayed, conversation.server) {
        return;
    }
    // a relay in the open cannot send to an address of a closed network: that says nothing of the relay
    let in_reach = |peer: &&Permission| relayed.0.scope() != Scope::Public || peer.peer.0.scope() == Scope::Public;
    let Some(permission) = allocation.permissions.iter().find(in_reach) else { return };
    let (tried, over) = TRIED;
    let lasted = allocation.sent.last.since(permission.made.time);
    let astray = allocation.strays.as_deref().map_or(0, |strays| strays.packets());
    if allocation.sent.packets.saturating_sub(astray) < tried || lasted < over {
        return;
    }
    let (client, server) = (conversation.client, conversation.server);
    // an answer to what no request in the capture asked for shows that the capture has holes
    let whole = conversation.orphans == 0 && !conversation.began_before;
    let at = allocation.created.time;
    let listed = [allocation.requested.frame, allocation.created.frame, permission.made.frame];
    let seen = Occurrence {
        id: ID,
        key: server.to_string(),
        severity: Severity::Failure,
        confidence: if whole { Confidence::Certain } else { Confidence::Likely },
        remedy: Remedy::DataOrNothing(Grievance::of(conversation, allocation.user, at)),
        at: permission.made.time,
        frames: listed.to_vec(),
        filter: Some(filter_of(conversation)),
        reference: "RFC 8656 §9",
        subject: Subject {
            relayed: Some(relayed),
            peer: Some(permission.peer),
            ..view.subject(conversation, allocation.user, allocation.realm)
        },
        causes: &["turn-relay-private", "turn-peer-forbidden", "turn-permission-missing", "turn-channel-mismatch"],
    };
    // a server with several addresses lends them all; so does one whose outside address is set wrong
    let elsewhere = if are_neighbours(relayed.0.ip(), server.0.ip()) || relayed.0.is_v6() != server.0.is_v6() {
        String::new()
    } else {
        format!(
            " The relay is not at the address at which the client reaches the server, {}: an outside address that is set wrong on the server (coturn: \
             external-ip) looks the same.",
            server.0.ip()
        )
    };
    out.add(seen, || Text {
        title: format!("Nothing comes back through the relay {relayed} of {server}, though {client} sends through it"),
        explanation: format!(
            "The allocation and the permission for {} were granted ({}), and {} went out through the relay over {} seconds. Not one came back from any peer: either what the relay sends or what peers send to it is dropped, or no peer is there.{elsewhere}",
            permission.peer.0.ip(),
            frames(&listed),
            counted(allocation.sent.packets, "message"),
            lasted.secs(),
        ),
        fix: format!(
            "Let UDP through between {} and the peers, in both directions, for the whole range of relay ports: this relay has port {}. See on the far side \
             whether anything of it arrives at {}.",
            relayed.0.ip(),
            relayed.0.port(),
            permission.peer.0.ip(),
        ),
    });
}
