//! `turn-permission-missing`, as a capture at the server shows it: data of a peer reaches a relay that may not pass it on.

use super::permission_missing::ID;
use crate::net::{Endpoint, PeerAddress};
use crate::rules::evidence::{counted, host_filter, ip_filter, listed};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::session::{Arrival, Grievance, Lender};
use crate::time::Span;
use crate::wire::stun::TRANSMISSIONS;
use std::net::IpAddr;

/// So many datagrams must have arrived, over so much time: the first checks of a peer mostly come before the permission for it.
const ENOUGH: (u64, Span) = (3, Span::from_secs(2));
/// Peers that were permitted are named up to so many.
const NAMED: usize = 3;

pub(super) fn judge(view: &View<'_>, out: &mut Collector) {
    for (lender, arrival) in view.session.arrivals() {
        if is_one(lender, &arrival) && !was_shut(lender, &arrival, view) {
            tell(lender, &arrival, view, out);
        }
    }
}

/// Whether what arrived cannot have passed for want of a permission, as far as the capture shows.
fn is_one(lender: &Lender, arrival: &Arrival) -> bool {
    let (messages, over) = ENOUGH;
    let (lasted, packets) = lender.shared(arrival);
    lender.at_server
        && lender.knows_all
        && !lender.asked.contains(&arrival.peer)
        && packets >= messages
        && lasted >= over
}

/// Whether the relay's own host turned packets away before enough of them had been dropped without a word.
fn was_shut(lender: &Lender, arrival: &Arrival, view: &View<'_>) -> bool {
    let (_, over) = ENOUGH;
    let shut = view.session.shut(lender.relayed, lender.server, [lender.created.time, lender.until]);
    shut.is_some_and(|shut| shut.time.since(arrival.first.time) < over)
}

fn tell(lender: &Lender, arrival: &Arrival, view: &View<'_>, out: &mut Collector) {
    let &Lender { client, server, relayed, user, .. } = lender;
    let passes = lender.received.packets > 0 && lender.received.last >= arrival.first.time;
    // a client that was never told of its peer, in a call that nobody took, asks for nothing either
    let known = lender.whole && lender.active;
    if passes && !known {
        return;
    }
    let certain = known && !is_one_attempt(arrival);
    let at = arrival.first.time;
    let listed = [lender.created.frame, arrival.first.frame, arrival.last.frame];
    let grievance = Grievance::new(client.0.ip(), user, server.0, at);
    let seen = Occurrence {
        id: ID,
        key: format!("{server} arrived"),
        severity: if passes { Severity::Note } else { Severity::Failure },
        confidence: Confidence::certain_if(certain),
        remedy: if passes { Remedy::None } else { Remedy::DataOrNothing(grievance) },
        at,
        frames: listed.to_vec(),
        filter: Some(filter(lender, arrival)),
        reference: "RFC 8656 §9",
        subject: Subject {
            client: Some(client),
            server: Some(server),
            username: user.map(|name| view.text(name)),
            realm: lender.realm.map(|name| view.text(name)),
            peer: Some(PeerAddress(Endpoint::new(arrival.peer, 0))),
            relayed: Some(relayed),
            ..Subject::default()
        },
        causes: &["turn-peer-forbidden", "ice-mdns-unresolved"],
    };
    out.add(seen, || text(lender, arrival, passes));
}

/// Whether what arrived may be no more than one attempt of checks (RFC 8489 §6.2.1): the two may have found a direct way since, which does not pass a
/// capture at the server.
fn is_one_attempt(arrival: &Arrival) -> bool {
    arrival.checks <= u64::from(TRANSMISSIONS) && arrival.packets <= arrival.checks
}

fn filter(lender: &Lender, arrival: &Arrival) -> String {
    let (client, server) = (lender.client.0, lender.server.0);
    let (said, peer, port) = (ip_filter(client, server), host_filter(arrival.peer), lender.relayed.0.port());
    format!("(stun && {said}) || ({peer} && udp.port == {port})")
}

fn text(lender: &Lender, arrival: &Arrival, passes: bool) -> Text {
    let &Lender { client, server, relayed, .. } = lender;
    let peer = arrival.peer;
    let (lasted, packets) = lender.shared(arrival);
    let others = match lender.asked.as_slice() {
        [] if lender.active => " It asked for no permission at all.".to_owned(),
        [] => {
            " It asked for no permission at all and sent nothing: it may not have been told of its peer yet.".to_owned()
        }
        some => format!(" It asked for permissions for {} instead.", named(some)),
    };
    let outcome = match passes {
        true => "Data of other peers passes.",
        false if is_one_attempt(arrival) => {
            "Nothing of any peer was passed on to the client. These are connectivity checks alone, and few: if the two found a direct way, which does not \
             pass this capture point, nothing is missing."
        }
        false => "Nothing of any peer was passed on to the client.",
    };
    let (data, reaches, is) = match is_one_attempt(arrival) {
        true => ("Checks", "reach", "are"),
        false => ("Data", "reaches", "is"),
    };
    Text {
        title: format!(
            "{data} of {peer} {reaches} the relay {relayed} and {is} dropped: {client} never asked {server} for a permission for {peer}"
        ),
        explanation: format!(
            "{server} lends {relayed} to {client} since frame {}. {peer} sent {} to it over {lasted} (from frame {} to frame {}), and no CreatePermission and no \
             ChannelBind for that address is in the capture, though it holds the allocation from its start.{others} A relay drops the data of peers without \
             a permission without a word. {outcome}",
            lender.created.frame,
            counted(packets, "datagram"),
            arrival.first.frame,
            arrival.last.frame,
        ),
        fix: format!(
            "Let the client ask for a permission for every address that its peer may send from, {peer} among them (CreatePermission, or ChannelBind). See that the \
             candidates of the peer reach the client by signalling: permissions are asked for by them."
        ),
    }
}

fn named(peers: &[IpAddr]) -> String {
    let mut names: Vec<String> = peers.iter().take(NAMED).map(ToString::to_string).collect();
    if peers.len() > NAMED {
        names.push(format!("{} more", peers.len() - NAMED));
    }
    listed(&names)
}
