//! `turn-peer-forbidden` and `turn-peer-connect-failed`: the relay will not, or cannot, talk to that peer.

use super::Denied;
use crate::net::{PeerAddress, Scope};
use crate::rules::evidence::{counted, frames, listed};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Text, View};
use crate::wire::stun::Method;

pub(in crate::rules) const FORBIDDEN: &str = "turn-peer-forbidden";
pub(in crate::rules) const CONNECT: &str = "turn-peer-connect-failed";

/// How many peers are named.
const SHOWN: usize = 3;

pub(super) fn tell_forbidden(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    let mut seen = occurrence(denied, FORBIDDEN, "RFC 8656 §10.2", view);
    let first = seen.subject.peer;
    seen.subject.peer = peers(denied).into_iter().find(|peer| !peer.0.scope().leads_nowhere()).or(first);
    let allowed = |method| denied.conversation.granted.iter().any(|(granted, _)| granted == method);
    let open = allowed(Method::CREATE_PERMISSION) || allowed(Method::CHANNEL_BIND);
    if open && denied.conversation.relayed_both_ways().is_none() {
        // with a way to another peer open, it need not be this refusal that keeps data from passing
        seen.confidence = Confidence::Likely;
    }
    out.add(seen, || forbidden(denied, view));
}

pub(super) fn tell_connect(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    let mut seen = occurrence(denied, CONNECT, "RFC 6062 §5.2", view);
    seen.key = format!("{} {}", denied.conversation.server, denied.answer.code);
    out.add(seen, || connect(denied, view));
}

fn occurrence(denied: &Denied<'_>, id: &'static str, reference: &'static str, view: &View<'_>) -> Occurrence {
    let mut seen = denied.occurrence(id, reference, view);
    seen.subject.peer = denied.first.asked.peer;
    // another peer's permission does not make this one's good
    seen.severity = Severity::Failure;
    // agents try every candidate that they were told: one refused peer is no harm where data reaches another, before or after
    seen.remedy = Remedy::Data(denied.grievance(denied.conversation.first.time));
    seen
}

/// The peers that were refused, each once, in order.
fn peers(denied: &Denied<'_>) -> Vec<PeerAddress> {
    let mut peers: Vec<PeerAddress> = Vec::new();
    for peer in denied.exchanges.iter().filter_map(|exchange| exchange.asked.peer) {
        if !peers.iter().any(|known| known.0.ip() == peer.0.ip()) {
            peers.push(peer);
        }
    }
    peers
}

fn described(peer: PeerAddress) -> String {
    match peer.0.scope() {
        Scope::Public => format!("{} (public)", peer.0.ip()),
        scope => format!("{} ({scope} address)", peer.0.ip()),
    }
}

fn list(peers: &[PeerAddress]) -> String {
    let mut shown: Vec<String> = peers.iter().take(SHOWN).map(|&peer| described(peer)).collect();
    if peers.len() > SHOWN {
        shown.push(counted((peers.len() - SHOWN) as u64, "other"));
    }
    if shown.is_empty() { "a peer that the request does not name".to_owned() } else { listed(&shown) }
}

fn forbidden(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let server = denied.conversation.server;
    let peers = peers(denied);
    // of several peers in one request the first is known
    let (others, means) = if denied.exchanges.iter().any(|exchange| exchange.asked.peers > 1) {
        let means =
            "A request that names several peers is refused as a whole: the one that offends may be any of them.";
        (" or another peer of the same request", means.to_owned())
    } else {
        ("", classes(&peers))
    };
    Text {
        title: format!(
            "{server} does not let {} talk to {}{others}: {}",
            denied.conversation.client.0.ip(),
            list(&peers),
            view.error(denied.answer)
        ),
        explanation: format!(
            "{} asked for {} and was refused {}. {means}",
            denied.who(view),
            list(&peers),
            denied.listed(),
        ),
        fix: format!(
            "If the relay should reach {}, allow the range in the server's policy (coturn: allowed-peer-ip, denied-peer-ip, \
             allow-loopback-peers). If not, see that the other side offers an address that the relay can reach: its public one, or that of \
             its own relay.",
            if peers.len() > 1 { "these peers" } else { "this peer" },
        ),
    }
}

/// What the classes of the refused addresses say about the reason.
fn classes(peers: &[PeerAddress]) -> String {
    let mut said: Vec<&str> = Vec::new();
    for peer in peers {
        let sentence = match peer.0.scope() {
            Scope::Loopback => {
                "A loopback address means the server itself, and is barred for good reason: the other side offered a wrong candidate."
            }
            Scope::Private | Scope::Shared => {
                "A private address is reachable only if the relay stands in the same network; many servers bar such peers to protect their own."
            }
            Scope::LinkLocal => "A link-local address is good on one link only.",
            Scope::Multicast | Scope::Broadcast => "Multicast and broadcast addresses are never relayed to.",
            Scope::Unspecified => {
                "An unspecified address is no place to send to: the other side offered a wrong candidate."
            }
            Scope::Public => "A public address is barred by a rule of this server's own.",
        };
        if !said.contains(&sentence) {
            said.push(sentence);
        }
    }
    said.join(" ")
}

fn connect(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let server = denied.conversation.server;
    let named = peers(denied);
    let peer = denied.first.asked.peer.map_or_else(|| list(&named), |peer| format!("{peer} ({})", peer.0.scope()));
    let exists = denied.answer.code == 446;
    let what = if exists { "has a connection already to" } else { "could not connect to" };
    let asked: Vec<u64> = denied.exchanges.iter().map(|exchange| exchange.first.frame).collect();
    let others = if named.len() > 1 { format!(" Refused in the same way: {}.", list(&named)) } else { String::new() };
    let (why, fix) = if exists {
        (
            "The client asked twice, or the peer's own connection came first.",
            "Use the connection that there is: the client should wait for its first Connect, and for ConnectionAttempt.",
        )
    } else {
        (
            "The peer does not listen on that port, or a firewall between relay and peer lets nothing through.",
            "Check that the peer listens there, and open the way from the relay's address to it.",
        )
    };
    Text {
        title: format!("The relay at {server} {what} the peer {peer}: {}", view.error(denied.answer)),
        explanation: format!(
            "{} asked for a TCP connection to {peer} in {}. {why}{others}",
            denied.who(view),
            frames(&asked)
        ),
        fix: fix.to_owned(),
    }
}
