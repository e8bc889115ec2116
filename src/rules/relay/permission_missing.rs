//! `turn-permission-missing`: data to a peer for which the relay has no permission, or no longer has one.

use crate::net::{Endpoint, PeerAddress};
use crate::rules::evidence::{counted, filter_of, frames, hides_a_peer, how_long, is_whole};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::session::{Allocation, Conversation, Ends, Exchange, Grievance, Inside, Lack, Permission, Seen, Stray};
use crate::time::Span;
use crate::wire::stun::Method;
use std::net::IpAddr;

pub(super) const ID: &str = "turn-permission-missing";

/// So many messages must have gone nowhere, over so much time: the first ones may go out while the permission is still being asked for.
const ENOUGH: (u64, Span) = (3, Span::from_secs(2));
/// As many permissions as are kept of one allocation: with so many nobody knows them all.
const ALL_KEPT: usize = 32;

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    if [Method::CREATE_PERMISSION, Method::CHANNEL_BIND].into_iter().any(|method| hides_a_peer(conversation, method)) {
        return; // it may have been asked for there
    }
    for allocation in conversation.allocations() {
        for stray in allocation.strays.iter().flat_map(|strays| &strays.unpermitted) {
            match stray.renewed {
                Some(renewed) => tell_lapse(stray, renewed, conversation, allocation, view, out),
                None if is_one(stray, allocation, conversation) => tell(stray, conversation, allocation, view, out),
                None => {}
            }
        }
    }
}

/// Whether the data went nowhere for want of a permission, as far as the capture shows.
fn is_one(stray: &Stray, allocation: &Allocation, conversation: &Conversation) -> bool {
    let (messages, over) = ENOUGH;
    let permitted_later = allocation
        .permissions
        .iter()
        .any(|known| Some(known.peer.0.ip()) == stray.peer && known.expires > stray.last.time);
    // a request that was refused, or got no answer: told elsewhere, or not known
    let asked = conversation.of(Method::CREATE_PERMISSION).chain(conversation.of(Method::CHANNEL_BIND)).any(|known| {
        known.first.time >= allocation.created.time
            && (known.has_unknown_peers() || known.asked.peer.map(|peer| peer.0.ip()) == stray.peer)
            && (stray.lack == Lack::Never || known.last.time >= stray.first.time)
    });
    stray.packets >= messages
        && stray.last.time.since(stray.first.time) >= over
        && !permitted_later
        && !asked
        && allocation.permissions.len() < ALL_KEPT
}

fn tell(stray: &Stray, conversation: &Conversation, allocation: &Allocation, view: &View<'_>, out: &mut Collector) {
    let Some(peer) = stray.peer else { return };
    let (client, server) = (conversation.client, conversation.server);
    let passes = allocation.received.packets > 0 && allocation.received.last >= stray.first.time;
    let whole = is_whole(conversation);
    if passes && stray.lack == Lack::Expired && (!whole || is_heard(stray, peer, conversation, view)) {
        return; // it was renewed, and the capture does not show it
    }
    let at = stray.first.time;
    let listed = [allocation.created.frame, stray.first.frame, stray.last.frame];
    let seen = Occurrence {
        id: ID,
        key: format!("{server} {:?}", stray.lack),
        severity: if passes { Severity::Note } else { Severity::Failure },
        confidence: Confidence::certain_if(whole),
        remedy: match passes {
            true => Remedy::None,
            false => Remedy::DataOrNothing(Grievance::of(conversation, allocation.user, at)),
        },
        at,
        frames: listed.to_vec(),
        filter: Some(filter_of(conversation)),
        reference: "RFC 8656 §9",
        subject: subject(peer, conversation, allocation, view),
        causes: &["turn-peer-forbidden"],
    };
    out.add(seen, || {
        let many = counted(stray.packets, "message");
        let title = match stray.lack {
            Lack::Never | Lack::Other => format!("{client} sends to {peer} through the relay without ever asking {server} for a permission"),
            Lack::Expired => format!("The permission for {peer} on {server} ran out, and {client} goes on sending to it"),
        };
        let what = match stray.lack {
            Lack::Never | Lack::Other => "No CreatePermission and no ChannelBind for that address is in the capture, though it holds the allocation from its start".to_owned(),
            Lack::Expired => "A permission holds for 300 seconds, and only CreatePermission and ChannelBind renew it, never data".to_owned(),
        };
        Text {
            title,
            explanation: format!(
                "{client} sent {many} to {peer} through its relay ({}). {what}: the server drops such data without a word, in both directions.{}{}",
                frames(&listed),
                renews_others(stray, allocation),
                if passes { " Data of other peers passes." } else { " Nothing came back." },
            ),
            fix: "Let the client ask for a permission for each peer address (CreatePermission, or ChannelBind), and renew it before 300 seconds are over.".to_owned(),
        }
    });
}

/// That the permissions of other peers are renewed while this one is not.
fn renews_others(stray: &Stray, allocation: &Allocation) -> String {
    let renewed = |known: &&Permission| {
        Some(known.peer.0.ip()) != stray.peer && stray.lack == Lack::Expired && known.expires > stray.first.time
    };
    let other = allocation.permissions.iter().find(renewed).map(|known| known.peer.0.ip());
    other.map_or_else(String::new, |other| {
        format!(" It does renew the permission for {other}: the client takes that for the peer which it talks to, and this one not.")
    })
}

/// Whether anything came from that very peer since.
fn is_heard(stray: &Stray, peer: IpAddr, conversation: &Conversation, view: &View<'_>) -> bool {
    let ends = Ends::on(conversation.transport, conversation.client.0, conversation.server.0);
    let from_server = usize::from(conversation.server.0 != ends.low);
    stray.heard.is_some()
        || view.session.media().ways().iter().any(|way| {
            let its = matches!(way.path.inside, Some(Inside::Peer(inside)) if inside.ip() == peer);
            let (own, _) = way.from(from_server);
            let last = [own.media, own.rtcp_seen, own.handshake].into_iter().flatten().map(|(_, last)| last).max();
            its && way.path.ends == ends && last.max(own.alive).is_some_and(|last| last >= stray.first)
        })
}

fn subject(peer: IpAddr, conversation: &Conversation, allocation: &Allocation, view: &View<'_>) -> Subject {
    let peer = Some(PeerAddress(Endpoint::new(peer, 0)));
    Subject { peer, ..view.subject(conversation, allocation.user, allocation.realm) }
}

/// A permission that had run out, and was renewed after a while.
fn tell_lapse(
    stray: &Stray,
    renewed: Seen,
    conversation: &Conversation,
    allocation: &Allocation,
    view: &View<'_>,
    out: &mut Collector,
) {
    let (messages, over) = ENOUGH;
    let lasted = renewed.time.since(stray.first.time);
    let several = conversation.of(Method::CREATE_PERMISSION).any(Exchange::has_unknown_peers);
    let Some(peer) = stray.peer.filter(|_| stray.packets >= messages && lasted >= over && !several) else { return };
    let (client, server) = (conversation.client, conversation.server);
    let listed = [stray.first.frame, stray.last.frame, renewed.frame];
    let seen = Occurrence {
        key: format!("{server} lapsed"),
        severity: Severity::Note,
        confidence: Confidence::certain_if(is_whole(conversation)),
        at: stray.first.time,
        frames: listed.to_vec(),
        filter: Some(filter_of(conversation)),
        subject: subject(peer, conversation, allocation, view),
        ..Occurrence::of(ID, "RFC 8656 §9")
    };
    out.add(seen, || Text {
        title: format!("The permission for {peer} on {server} had run out, and {client} renewed it late"),
        explanation: format!(
            "{client} sent {} to {peer} through its relay over {} while it had no permission, until it asked for another ({}). A permission holds for \
             300 seconds, and only CreatePermission and ChannelBind renew it, never data: the server drops such data without a word, in both \
             directions. Nothing came back in that time.",
            counted(stray.packets, "message"),
            how_long(lasted),
            frames(&listed),
        ),
        fix: "Let the client renew each permission before 300 seconds are over; a client that was suspended has to renew it first of all.".to_owned(),
    });
}
