//! `nat-symmetric`, `nat-alg-rewrite` and `nat-rebinding`: what NATs and gateways do to a client's address.

use super::evidence::{filter_of, frames, host_filter};
use super::{Collector, Confidence, Occurrence, Severity, Subject, Text, View};
use crate::net::{ClientAddress, Endpoint, MappedAddress, PeerAddress, Scope, ServerAddress, are_neighbours};
use crate::session::credentials::Status;
use crate::session::ice::{IceSession, Pair, Remapped};
use crate::session::{Conversation, Dependent, Exchange, Mapping, Move, Verdicts, What};
use crate::time::Span;
use std::net::IpAddr;

pub(super) const SYMMETRIC: &str = "nat-symmetric";
pub(super) const ALG: &str = "nat-alg-rewrite";
pub(super) const REBINDING: &str = "nat-rebinding";

/// After so little silence no NAT forgets a mapping for being idle.
const IDLE: Span = Span::from_secs(5);
/// Two views of one port this close together show one moment: the shortest-lived mappings last about as long.
const ONE_MOMENT: Span = Span::from_secs(30);

pub(super) fn judge_symmetric(view: &View<'_>, out: &mut Collector) {
    let (dependents, _) = view.session.nat().dependents();
    for known in dependents {
        let Some(confidence) = how_sure(known) else { continue };
        let Dependent { client, one, other } = *known;
        let ((first_server, first_mapped, first_seen), (second_server, second_mapped, second_seen)) = (one, other);
        let listed = [first_seen.frame, second_seen.frame];
        let seen = Occurrence {
            key: client.0.ip().to_string(),
            severity: Severity::Warning,
            confidence,
            at: second_seen.time,
            frames: listed.to_vec(),
            filter: Some(format!("stun && {} && udp.port == {}", host_filter(client.0.ip()), client.0.port())),
            subject: Subject {
                client: Some(client),
                server: Some(second_server),
                mapped: Some(second_mapped),
                ..Subject::default()
            },
            ..Occurrence::of(SYMMETRIC, "RFC 5780 §4.3")
        };
        let doubt = match confidence {
            Confidence::Certain => "",
            Confidence::Likely => {
                " The two outside addresses differ in more than the port, or the views are some time apart: several ways out, as with a \
                 VPN, or a mapping that ran out would look the same."
            }
        };
        out.add(seen, || Text {
            title: format!(
                "The NAT of {client} maps it to {first_mapped} for {first_server} and to {second_mapped} for {second_server}: symmetric"
            ),
            explanation: format!(
                "From the same local port {client} was seen as {first_mapped} by {first_server} and as {second_mapped} by {second_server} \
                 ({}). Such a NAT makes another mapping for every destination, so the address that a server tells is of no use to a peer, \
                 and direct connections to peers behind NATs mostly fail.{doubt}",
                frames(&listed)
            ),
            fix: "Give clients behind this NAT a TURN server; or set the NAT to endpoint-independent mapping, where it can be set.".to_owned(),
        });
    }
}

/// How sure it is that two views of a client show a symmetric NAT, if they do at all.
fn how_sure(known: &Dependent) -> Option<Confidence> {
    let ((first_server, first, first_seen), (second_server, second, second_seen)) = (known.one, known.other);
    // a private address that a public server tells belongs to a proxy or balancer before the server, not to the client's NAT
    let beyond = |server: ServerAddress, mapped: MappedAddress| {
        server.0.scope() == Scope::Public && mapped.0.scope() != Scope::Public
    };
    if beyond(first_server, first) || beyond(second_server, second) {
        return None;
    }
    let apart = second_seen.time.since(first_seen.time).0.unsigned_abs();
    let moment = ONE_MOMENT.0.unsigned_abs();
    let same_address = first.0.ip() == second.0.ip();
    match (same_address, apart <= moment) {
        (true, true) => Some(Confidence::Certain),
        (true, false) if apart <= 4 * moment => Some(Confidence::Likely),
        (false, true)
            if first.0.port() != second.0.port()
                && first.0.scope() == Scope::Public
                && second.0.scope() == Scope::Public =>
        {
            Some(Confidence::Likely)
        }
        _ => None,
    }
}

pub(super) fn judge_alg(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let found = conversation.exchanges.iter().filter_map(|exchange| Some((exchange, rewritten(exchange, view)?)));
    for (exchange, rewrite) in found {
        let (client, server) = (conversation.client, conversation.server);
        let Some(answer) = &exchange.answer else { continue };
        let listed = [exchange.first.frame, answer.seen.frame];
        let seen = Occurrence {
            key: format!("{} {server}", client.0.ip()),
            severity: Severity::Warning,
            confidence: rewrite.confidence,
            at: answer.seen.time,
            frames: listed.to_vec(),
            filter: Some(filter_of(conversation)),
            subject: Subject {
                client: Some(client),
                server: Some(server),
                username: exchange.asked.user.map(|name| view.text(name)),
                mapped: answer.mapped,
                ..Subject::default()
            },
            ..Occurrence::of(ALG, "RFC 8489 §14.2")
        };
        out.add(seen, || Text {
            title: format!("A gateway between {client} and {server} rewrites addresses inside STUN messages"),
            explanation: format!(
                "{} ({}). An application layer gateway (often called SIP ALG) replaces addresses in payload that it should leave alone; it \
                 breaks fingerprints and integrity, and gives clients wrong addresses.",
                rewrite.what,
                frames(&listed)
            ),
            fix: "Switch off the application layer gateway (SIP ALG, NAT helper) on the routers and firewalls between client and server; or \
                  use TURN over TLS, into which it cannot look."
                .to_owned(),
        });
    }
}

struct Rewrite {
    what: String,
    confidence: Confidence,
}

/// What in an answer shows that its addresses were changed on the way.
fn rewritten(exchange: &Exchange, view: &View<'_>) -> Option<Rewrite> {
    let answer = exchange.answer.as_ref()?;
    let mapped = answer.mapped?;
    let own = exchange.client;
    if let Some(plain) = answer.mapped_plain.filter(|plain| *plain != mapped) {
        let what = format!(
            "The answer tells {mapped} in XOR-MAPPED-ADDRESS and {plain} in MAPPED-ADDRESS, which should be the same"
        );
        // the inside address is what a gateway on the client's side would put there; else a server's whim would look alike
        let confidence = Confidence::certain_if(is_own(plain, own) || answer.fingerprint_bad);
        return Some(Rewrite { what, confidence });
    }
    // without another port in it, an answer that is only signed with something else speaks of another key, not of a gateway
    let unsealed = mapped.0 != own.0 && verified(&exchange.asked.integrity) && mismatched(&answer.integrity);
    // without a NAT the server sees the client as it is, and a wrong key or checksum is just that
    let behind_nat = || view.session.nat().is_translated(own.0.ip());
    if is_own(mapped, own) && (answer.fingerprint_bad || unsealed) && (mapped.0 != own.0 || behind_nat()) {
        let broken = if answer.fingerprint_bad { "FINGERPRINT" } else { "integrity" };
        let what = format!(
            "The answer tells the client its own inside address, {mapped}, and its {broken} does not fit it any more"
        );
        // no server sees the inside address with another port: only a gateway that replaces addresses and not ports makes such a pair
        let confidence = Confidence::certain_if(mapped.0 != own.0);
        return Some(Rewrite { what, confidence });
    }
    None
}

fn is_own(mapped: MappedAddress, client: ClientAddress) -> bool {
    mapped.0.ip() == client.0.ip()
}

fn verified(verdicts: &Verdicts) -> bool {
    verdicts.iter().flatten().any(|verdict| matches!(verdict.status, Status::Verified { .. }))
}

fn mismatched(verdicts: &Verdicts) -> bool {
    verdicts.iter().flatten().any(|verdict| matches!(verdict.status, Status::Mismatch { .. }))
}

/// After this long without an answer none comes to a request that is sent once.
const PATIENCE: Span = Span::from_secs(1);

pub(super) fn judge_rebinding(view: &View<'_>, out: &mut Collector) {
    let moves = view.session.moves().list();
    // a server that takes the new port for the old allocation's (RFC 8016), or gives one nonce to all, shows no fault
    for known in moves.iter().filter(|known| !known.returned && (known.what == What::Ice || known.code != Some(0))) {
        // an answer that had no time to come may yet take the new port
        let is_open = known.what == What::Allocation && known.code.is_none();
        if is_open && view.now().since(known.asked.time) < PATIENCE {
            continue;
        }
        rebinding(known, view, out);
    }
}

/// The same, captured before the NAT: only what the other agent says of its sender's address shows it.
pub(super) fn judge_remapped(ice: &IceSession, _: &View<'_>, out: &mut Collector) {
    for pair in ice.pairs.iter().filter(|_| !ice.is_mixed) {
        (0..2).for_each(|agent| remapped(pair, agent, out));
    }
}

fn remapped(pair: &Pair, agent: usize, out: &mut Collector) {
    let known = pair.way(agent).answered.as_ref().and_then(|answered| answered.remapped.as_deref());
    let (Some(known), None) = (known.filter(|known| !known.returned), pair.passes_relay()) else { return };
    let Remapped { old, last, new, first, .. } = *known;
    let (client, peer) = (pair.end(agent), pair.end(1 - agent));
    let listed = [last.frame, first.frame];
    let seen = Occurrence {
        key: format!("{} {peer}", old.ip()),
        severity: Severity::Warning,
        confidence: Confidence::Likely,
        at: first.time,
        frames: listed.to_vec(),
        filter: Some(format!("stun && {} && udp.port == {}", host_filter(peer.ip()), client.port())),
        subject: Subject {
            client: Some(ClientAddress(client)),
            mapped: Some(MappedAddress(new)),
            peer: Some(PeerAddress(peer)),
            ..Subject::default()
        },
        ..Occurrence::of(REBINDING, "RFC 8445 §11")
    };
    out.add(seen, || Text {
        title: format!("{peer} saw {client} as {old}, and then as {new}: the NAT between them made a new mapping"),
        explanation: format!(
            "By its answers {peer} got the checks of {client} from {old} (frame {}) and {} later from {new} (frame {}), though they come from the same port \
             here. What {peer} still sends to {old} is lost.",
            last.frame,
            first.time.since(last.time),
            first.frame
        ),
        fix: "See whether the NAT or firewall before the client was restarted or handed over to another one at that time, or forgets mappings sooner than \
              keepalives renew them (every 15 s is usual); let the client restart ICE when its network changes."
            .to_owned(),
    });
}

fn rebinding(known: &Move, view: &View<'_>, out: &mut Collector) {
    let Move { what, to, old, last, new, first, .. } = *known;
    let listed = [last.frame, first.frame];
    let (thing, reference) = match what {
        What::Allocation => ("TURN session", "RFC 8656 §5"),
        What::Ice => ("ICE session", "RFC 8445 §11"),
    };
    let seen = Occurrence {
        key: format!("{} {to}", old.ip()),
        severity: Severity::Warning,
        confidence: Confidence::certain_if(what != What::Ice),
        at: first.time,
        frames: listed.to_vec(),
        filter: Some(filter(to, old, new)),
        subject: Subject {
            client: Some(ClientAddress(new)),
            server: (what == What::Allocation).then_some(ServerAddress(to)),
            // what befell its other side is told of the address that it had
            mapped: (old.ip() != new.ip()).then_some(MappedAddress(old)),
            username: known.user.map(|name| view.text(name)),
            ..Subject::default()
        },
        ..Occurrence::of(REBINDING, reference)
    };
    out.add(seen, || {
        let answer = match (what, known.code) {
            (What::Ice, _) => String::new(),
            (_, Some(438)) => " The server gave the nonce to the old port and answered 438.".to_owned(),
            (_, Some(code)) => format!(" The server knows no allocation on the new port and answered {code}."),
            (_, None) => " The server knows no allocation on the new port; no answer of the server to that is in the capture.".to_owned(),
        };
        let silence = first.time.since(last.time);
        let (busy, fix) = if silence < IDLE && old.ip() == new.ip() {
            (
                " The mapping was in use until then, so it did not run out: the NAT lost it.",
                "See whether the NAT or firewall before the client was restarted, handed over to another one, or is short of ports or of room for \
                 connections; let the client restart ICE, or use TURN mobility (RFC 8016).",
            )
        } else {
            (
                "",
                "Send keepalives more often than the NAT forgets mappings (every 15 s is usual); raise the UDP timeout of the NAT; let the \
                 client restart ICE when its network changes, or use TURN mobility (RFC 8016).",
            )
        };
        Text {
            title: format!("The {thing} of {old} with {to} went on from {new}: {}", if old.ip() == new.ip() {
                "the NAT before it made a new mapping"
            } else {
                "it has another address now"
            }),
            explanation: format!(
                "Until frame {} the client was seen at {old}; after {silence} of silence the same session went on from {new} in frame {}, and \
                 nothing came from the old port any more.{busy}{answer}",
                last.frame, first.frame
            ),
            fix: fix.to_owned(),
        }
    });
}

fn filter(to: Endpoint, old: Endpoint, new: Endpoint) -> String {
    let ports = match (old.port(), new.port()) {
        (old, new) if old == new => format!("udp.port == {old}"),
        (old, new) => format!("(udp.port == {old} || udp.port == {new})"),
    };
    format!("{} && {ports}", host_filter(to.ip()))
}

/// How far requests came, where the capture holds both sides of the NAT before their client; empty where it does not.
pub(super) fn how_far(client: ClientAddress, asked: &[&Exchange], view: &View<'_>) -> String {
    let nat = view.session.nat();
    let mut passed = asked.iter().flat_map(|exchange| nat.passed(client.0, exchange.first.frame));
    if let Some(known) = passed.next() {
        return format!(
            " They leave the NAT: the capture holds them beyond it, too, as coming from {}.",
            known.outside
        );
    }
    let ip = client.0.ip();
    let beside = |known: &&Mapping| {
        known.crossed && known.inside.ip() != known.outside.ip() && are_neighbours(known.inside.ip(), ip)
    };
    let Some(other) = nat.mappings().iter().find(beside) else { return String::new() };
    format!(
        " Of {} the capture holds what passes the NAT on both of its sides (as {} beyond it), of these requests the inner side alone: look first whether they leave it.",
        other.inside, other.outside
    )
}

/// What to say, and to do, where a client asks a server at the outside address of its own NAT; empty where nothing shows that.
pub(super) fn own_outside(client: IpAddr, server: Endpoint, view: &View<'_>) -> (String, &'static str) {
    let ip = server.ip();
    let of_client = |known: &&Mapping| known.outside.ip() == ip && known.inside.ip() == client && client != ip;
    let Some(known) = view.session.nat().mappings().iter().find(of_client) else { return Default::default() };
    let seen = known.evidence.first().map(|frame| format!(" (frame {frame})")).unwrap_or_default();
    (
        format!(
            " {ip} is the outside address of the client's own NAT{seen}: where the server is behind the same one, the NAT has to turn such packets back (RFC 4787 §6, hairpin), \
             which many do not."
        ),
        "Have the NAT turn packets for its outside address back to the server (hairpin, NAT loopback), or have the server's name resolve to its inside address in that network \
         (split DNS). Else: ",
    )
}
