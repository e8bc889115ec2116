//! `turn-relay-private` and `turn-relay-unusable`: the address that a server lends is of no use where it is told.

use crate::net::{RelayedAddress, Scope, ServerAddress, are_neighbours, is_unrouted, without_nat64};
use crate::rules::evidence::{filter_of, frames};
use crate::rules::mapped_private::{REWRITTEN, may_be_rewritten};
use crate::rules::{Collector, Confidence, Occurrence, Remedy, Severity, Subject, Text, View};
use crate::session::{Allocation, Conversation, Grievance};

pub(super) const PRIVATE: &str = "turn-relay-private";
pub(super) const UNUSABLE: &str = "turn-relay-unusable";

/// So much must have left through a relay, with nothing back, before it counts as tried.
const TRIED: u64 = 3;

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    for allocation in conversation.allocations() {
        if allocation.lends_nothing {
            unusable(conversation, allocation, None, view, out);
        }
        for &relayed in allocation.relayed.iter().flatten() {
            if !relayed.is_usable() {
                unusable(conversation, allocation, Some(relayed), view, out);
            } else if is_out_of_reach(relayed, conversation.server) {
                private(conversation, allocation, relayed, view, out);
            }
        }
    }
}

/// Whether a relayed address cannot be meant for those who reach the server where this client did: it is of lesser reach, and in another
/// network. The mirror image, a private server address and a public relayed one, is what a server behind static NAT sees of itself.
pub(super) fn is_out_of_reach(relayed: RelayedAddress, server: ServerAddress) -> bool {
    let inside = matches!(relayed.0.scope(), Scope::Private | Scope::Shared | Scope::Loopback | Scope::LinkLocal);
    let comparable = server.0.scope() == Scope::Public || relayed.0.is_v6() == without_nat64(server.0.ip()).is_ipv6();
    inside && comparable && !are_neighbours(relayed.0.ip(), server.0.ip())
}

/// On whose side of the routers between them a conversation was captured.
enum Side {
    Client,
    Server,
    Unknown,
}

/// A packet that still has the TTL with which hosts send was captured next to its sender; a server's that has less passed a router, and
/// with it the NAT before the server.
fn side(conversation: &Conversation) -> Side {
    match conversation.ttl {
        [_, 0] => Side::Unknown,
        [_, server] if !is_unrouted(server) => Side::Client,
        [client, _] if is_unrouted(client) => Side::Unknown,
        _ => Side::Server,
    }
}

fn private(
    conversation: &Conversation,
    allocation: &Allocation,
    relayed: RelayedAddress,
    view: &View<'_>,
    out: &mut Collector,
) {
    let server = conversation.server;
    let scope = relayed.0.scope();
    let passed = allocation.received.packets > 0 || conversation.relayed_checks.answered > 0;
    let fails = !passed && allocation.sent.packets >= TRIED;
    // where the server's own address is a private one too, this may be the server's side of its NAT, or both networks may be routed
    let local = server.0.scope() != Scope::Public && scope != Scope::Loopback;
    let is_hearsay = !local && allocation.mapped.is_some_and(|mapped| may_be_rewritten(mapped, conversation));
    let confidence = match (local, side(conversation)) {
        (false, _) if is_hearsay => Confidence::Likely,
        (false, _) => Confidence::Certain,
        (true, Side::Server) => return,
        (true, Side::Client) if fails => Confidence::Certain,
        (true, Side::Client) => Confidence::Likely,
        (true, Side::Unknown) if fails => Confidence::Likely,
        (true, Side::Unknown) => return,
    };
    let user = allocation.user;
    let at = allocation.created.time;
    let seen = Occurrence {
        key: format!("{server} {}", relayed.0.ip()),
        severity: if fails { Severity::Failure } else { Severity::Warning },
        confidence,
        remedy: Remedy::Data(Grievance::of(conversation, user, at)),
        at,
        frames: vec![allocation.requested.frame, allocation.created.frame],
        filter: Some(filter_of(conversation)),
        subject: Subject { relayed: Some(relayed), ..subject(conversation, allocation, view) },
        ..Occurrence::of(PRIVATE, "RFC 8656 §7.2")
    };
    out.add(seen, || {
        let traffic = match (fails, passed) {
            (true, _) => format!(
                " {} messages left through this relay and nothing came back: peers cannot reach it.",
                allocation.sent.packets
            ),
            (false, true) => " The peers of this session reach it all the same; those outside that network will not.".to_owned(),
            (false, false) => " The capture does not show whether a peer could reach it.".to_owned(),
        };
        Text {
            title: format!(
                "{server} lends the {} address {relayed}, which peers outside its own network cannot reach",
                scope_word(scope)
            ),
            explanation: format!(
                "The client reached the server at {server}, and was given {relayed} as its relayed address ({}). That address is {} and in \
                 another network than the one at which the server is reached: a NAT before the server, or a container, hides it, and the \
                 server does not know its outside address.{traffic}{}",
                frames(&[allocation.requested.frame, allocation.created.frame]),
                scope_word(scope),
                if is_hearsay { REWRITTEN } else { "" },
            ),
            fix: format!(
                "Tell the server its outside address, {}, for relaying (coturn: external-ip; Expressway: static NAT mode), and forward its \
                 relay port range to it.",
                without_nat64(server.0.ip())
            ),
        }
    });
}

fn unusable(
    conversation: &Conversation,
    allocation: &Allocation,
    relayed: Option<RelayedAddress>,
    view: &View<'_>,
    out: &mut Collector,
) {
    let (client, server) = (conversation.client, conversation.server);
    let at = allocation.created.time;
    // an address of the other family that is of use makes this one a blemish
    let other = allocation.relayed.iter().flatten().any(RelayedAddress::is_usable);
    let listed = [allocation.requested.frame, allocation.created.frame];
    let seen = Occurrence {
        id: UNUSABLE,
        key: server.to_string(),
        severity: if other { Severity::Warning } else { Severity::Failure },
        confidence: Confidence::Certain,
        remedy: Remedy::Service(Grievance::of(conversation, allocation.user, at)),
        at,
        frames: listed.to_vec(),
        filter: Some(filter_of(conversation)),
        reference: "RFC 8656 §7.2",
        subject: Subject { relayed, ..subject(conversation, allocation, view) },
        causes: &["turn-capacity"],
    };
    let what = match relayed {
        Some(relayed) => {
            (format!("with {relayed}, which is no address"), format!("but XOR-RELAYED-ADDRESS is {relayed}"))
        }
        None => (
            "without a relayed address".to_owned(),
            "but its answer has no XOR-RELAYED-ADDRESS, or none that can be read (RFC 8656 §7.2)".to_owned(),
        ),
    };
    out.add(seen, || Text {
        title: format!("{server} granted {client} an allocation {}", what.0),
        explanation: format!(
            "The Allocate request succeeded ({}), {}: nobody can send there, so the allocation is of no use.",
            frames(&listed),
            what.1
        ),
        fix: format!(
            "Look into the log of {server}: its range of relay ports may be exhausted, or its relay address not configured; some servers answer \
             so after refused requests, then a new allocation from another local port helps."
        ),
    });
}

fn scope_word(scope: Scope) -> &'static str {
    match scope {
        Scope::Shared => "shared (100.64.0.0/10)",
        Scope::Loopback => "loopback",
        Scope::LinkLocal => "link-local",
        _ => "private",
    }
}

fn subject(conversation: &Conversation, allocation: &Allocation, view: &View<'_>) -> Subject {
    Subject { mapped: allocation.mapped, ..view.subject(conversation, allocation.user, allocation.realm) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> crate::net::Endpoint {
        let address: std::net::SocketAddr = text.parse().unwrap();
        address.into()
    }

    #[test]
    fn out_of_reach_is_a_lesser_scope_in_another_network() {
        for (server, relayed, expected) in [
            ("203.0.113.1:3478", "10.0.0.5:50000", true),
            ("203.0.113.1:3478", "100.64.1.1:50000", true),
            ("[2001:db8::1]:3478", "192.168.1.1:50000", true),
            ("203.0.113.1:3478", "203.0.113.1:50000", false),
            ("203.0.113.1:3478", "198.51.100.1:50000", false),
            ("192.168.1.5:3478", "192.168.1.6:50000", false),
            ("10.0.0.5:3478", "203.0.113.1:50000", false),
            ("10.0.0.5:3478", "192.168.1.1:50000", true),
            ("[fd00::1]:3478", "192.168.1.1:50000", false),
            // through a NAT64
            ("[64:ff9b::203.0.113.1]:3478", "192.168.1.1:50000", true),
            ("[64:ff9b::10.0.0.5]:3478", "10.0.0.6:50000", false),
            ("[64:ff9b::10.0.0.5]:3478", "192.168.1.1:50000", true),
        ] {
            assert_eq!(
                is_out_of_reach(RelayedAddress(v4(relayed)), ServerAddress(v4(server))),
                expected,
                "{server} {relayed}"
            );
        }
    }
}
