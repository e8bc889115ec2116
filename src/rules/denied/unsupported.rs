//! `turn-transport-unsupported` and `turn-address-family`: the server relays, but not what was asked for.

use super::Denied;
use crate::net::{PeerAddress, RelayedAddress};
use crate::rules::evidence::listed;
use crate::rules::refusal::allocation_at;
use crate::rules::{Collector, Remedy, Text, View};
use crate::wire::stun::Method;

pub(in crate::rules) const TRANSPORT: &str = "turn-transport-unsupported";
pub(super) const FAMILY: &str = "turn-address-family";

pub(super) fn tell_transport(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    let mut seen = denied.occurrence(TRANSPORT, "RFC 8656 §7.2", view);
    seen.key = format!("{} {}", denied.conversation.server, protocol(denied.last.asked.transport));
    out.add(seen, || transport(denied, view));
}

pub(super) fn tell_family(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    let conversation = denied.conversation;
    let mut seen = denied.occurrence(FAMILY, "RFC 8656 §7.2", view);
    seen.key = format!("{} {} {}", conversation.server, denied.last.method, denied.answer.code);
    seen.subject.peer = denied.last.asked.peer;
    if denied.last.asked.peer.is_some() {
        // a candidate that cannot be used is no harm where another can
        seen.remedy = Remedy::Data(denied.grievance(conversation.first.time));
    }
    out.add(seen, || family(denied, view));
}

fn protocol(number: Option<u8>) -> String {
    match number {
        Some(17) => "UDP (17)".to_owned(),
        Some(6) => "TCP (6)".to_owned(),
        Some(other) => format!("IP protocol {other}"),
        None => "no transport".to_owned(),
    }
}

fn transport(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let server = denied.conversation.server;
    let asked = denied.last.asked.transport;
    let (why, fix) = match asked {
        Some(6) => (
            "TCP relays (RFC 6062) are switched off, or were asked for over a connection that is not TCP. REQUESTED-TRANSPORT is the \
             transport between relay and peer; clients are known to take it for the transport between them and the server.",
            "For media ask for UDP (REQUESTED-TRANSPORT 17), whichever way the server is reached. If TCP to the peers is really meant, enable \
             TCP relays on the server (coturn: without no-tcp-relay) and ask over TCP or TLS.",
        ),
        Some(17) => (
            "The server gives no UDP relays at all.",
            "Enable UDP relays on the server (coturn: without no-udp-relay).",
        ),
        _ => (
            "The server relays UDP (17) and perhaps TCP (6), and nothing else.",
            "Correct the client: REQUESTED-TRANSPORT 17 for UDP, 6 for TCP.",
        ),
    };
    Text {
        title: format!(
            "{server} does not relay {} for {}: {}",
            protocol(asked),
            denied.whom(view),
            view.error(denied.answer)
        ),
        explanation: format!(
            "{} asked {server} for an allocation with {} in REQUESTED-TRANSPORT and was refused {}. {why}",
            denied.who(view),
            protocol(asked),
            denied.listed(),
        ),
        fix: fix.to_owned(),
    }
}

/// The client's relayed address where it is of the peer's family: then that is not what the server minds.
fn of_the_family(denied: &Denied<'_>, peer: PeerAddress) -> Option<RelayedAddress> {
    let relayed = allocation_at(denied.last, denied.conversation)?.relayed;
    relayed.into_iter().flatten().find(|relayed| relayed.0.is_v6() == peer.0.is_v6())
}

fn family(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (server, asked, error) = (denied.conversation.server, &denied.last.asked, view.error(denied.answer));
    let name = |v6: bool| if v6 { "IPv6" } else { "IPv4" };
    if let Some(peer) = asked.peer {
        let family = name(peer.0.is_v6());
        if let Some(relayed) = of_the_family(denied, peer) {
            return Text {
                title: format!("{server} does not let {} talk to {peer}: {error}", denied.whom(view)),
                explanation: format!(
                    "{} named the peer {peer} in its {} request and was refused {}, although its relayed address {relayed} is of the same \
                     family, {family}: the server has another reason. turn-rs says so of every peer that is not at an address of the server's \
                     own, for it relays between its clients only.",
                    denied.who(view),
                    denied.last.method,
                    denied.listed(),
                ),
                fix: "See which peers the server relays to. Where it relays between its own clients only, give the peer a relay of the same \
                      server, too, or use a server that relays to any peer."
                    .to_owned(),
            };
        }
        return Text {
            title: format!("{server} has no {family} relay for the peer {peer}: {error}"),
            explanation: format!(
                "{} named the peer {peer} in its {} request and was refused {}: a relay carries only to peers of its own address family, and \
                 this allocation has no {family} address.",
                denied.who(view),
                denied.last.method,
                denied.listed(),
            ),
            fix: format!(
                "Give the server an {family} relay address and have the client ask for it (REQUESTED-ADDRESS-FAMILY, or \
                 ADDITIONAL-ADDRESS-FAMILY for both); or see that the peer offers a candidate of the relay's family."
            ),
        };
    }
    let family = match asked.family {
        Some(1) => "IPv4",
        Some(2) => "IPv6",
        // without the attribute IPv4 is asked for (RFC 8656 §7.2)
        None if denied.last.method == Method::ALLOCATE => "IPv4",
        _ => "the address family asked for",
    };
    if denied.last.method == Method::REFRESH {
        let relayed = allocation_at(denied.last, denied.conversation).map(|known| known.relayed);
        let relayed: Vec<String> = relayed.iter().flatten().flatten().map(ToString::to_string).collect();
        let lent = if relayed.is_empty() { String::new() } else { format!(" It was lent {}.", listed(&relayed)) };
        return Text {
            title: format!("{server} has lent {} nothing of {family} that a Refresh could renew: {error}", denied.whom(view)),
            explanation: format!(
                "{} asked {server} to renew what it has of {family} and was refused {}: a Refresh that names a family is for the relayed address of that \
                 family alone, and there is none.{lent}",
                denied.who(view),
                denied.listed(),
            ),
            fix: "Have the client renew the families only that the answer to its Allocate gave it an address of and that it has not given back (RFC 8656 §8.1), \
                  or leave REQUESTED-ADDRESS-FAMILY out of its Refresh."
                .to_owned(),
        };
    }
    Text {
        title: format!("{server} has no {family} relay for {}: {error}", denied.whom(view)),
        explanation: format!(
            "{} asked {server} by {} for a relay of {family} and was refused {}: the server has no relay address of that family.",
            denied.who(view),
            denied.last.method,
            denied.listed(),
        ),
        fix: format!(
            "Give the server a relay address for {family}, or have the client ask for the other family. A client should not repeat the \
             request as it is."
        ),
    }
}
