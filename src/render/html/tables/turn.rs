//! Servers, what they lent, and what went through it.

use super::super::Links;
use super::{Table, frames, long, mono, number, optional, size, span, table, text, time};
use crate::render::clock::Clock;
use crate::render::text::{connection_state, end, how_it_ended, transport_outcome};
use crate::report::{ConnectionOpener, ConnectionState, Report, TransportOutcome};

pub(super) fn servers(report: &Report) -> Table {
    let rows = report.servers.iter().flat_map(|server| {
        server.transports.iter().map(move |one| {
            let class = if one.answered == 0 && one.asked > 0 { "number bad" } else { "number" };
            let outcome = match one.outcome {
                TransportOutcome::Allocated => "good",
                TransportOutcome::Answered => "",
                TransportOutcome::Connected if one.is_sealed() => "",
                _ => "bad",
            };
            vec![
                ("server", mono(server.address)),
                ("names", long(server.names.join(" "))),
                ("transport", text(one.transport)),
                ("outcome", text(transport_outcome(one)).classed(outcome)),
                ("asked", number(one.asked)),
                ("answered", number(one.answered).classed(class)),
                ("allocated", number(one.allocated)),
                ("round trip", span(one.rtt_us)),
                ("connect", span(one.connections.as_ref().and_then(|known| known.handshake_us))),
                ("mapped", optional(one.mapped).classed("mono")),
                ("software", long(server.product().unwrap_or_default())),
            ]
        })
    });
    table("servers", "Servers", rows, report.left_out("servers"))
}

/// Proxies that were asked for a TURN server.
pub(super) fn proxies(report: &Report, links: &Links) -> Table {
    let rows = report.proxies.iter().map(|known| {
        vec![
            ("client", mono(&known.client)),
            ("proxy", mono(known.proxy)),
            ("protocol", text(known.protocol)),
            ("asked for", long(known.target.clone())),
            ("answer", number(known.code.into()).classed(if known.is_refusal() { "number bad" } else { "number" })),
            ("meaning", optional(known.meaning)),
            ("frames", frames(&known.places, 2, links)),
        ]
    });
    table("proxies", "Proxies", rows, report.left_out("proxies"))
}

/// What servers lent over time; where never more than one client had one relay, the allocations say it all.
pub(super) fn activity(report: &Report, clock: &Clock) -> Table {
    let busy = |server: &&crate::report::Server| {
        server.peak_clients > 1 || server.peak_relays_udp + server.peak_relays_tcp > 1
    };
    let rows = report.servers.iter().filter(busy).flat_map(|server| {
        server.activity.iter().map(move |known| {
            vec![
                ("server", mono(server.address)),
                ("from", time(Some(known.time), clock)),
                ("clients with a relay", number(known.clients)),
                ("relays", number(known.relays_udp)),
                ("relays for TCP", number(known.relays_tcp)),
                ("connected over TCP", number(known.over_tcp)),
            ]
        })
    });
    table("activity", "Relays over time", rows, 0)
}

/// Connections of relays for TCP.
pub(super) fn connections(report: &Report, clock: &Clock, links: &Links) -> Table {
    let rows = report.allocations.iter().flat_map(|allocation| {
        allocation.connections.iter().map(move |known| {
            let class = match known.state {
                ConnectionState::Refused => "bad",
                ConnectionState::Asked | ConnectionState::Unbound => "odd",
                ConnectionState::Bound | ConnectionState::Closed => "",
            };
            let opener = match known.opened_by {
                ConnectionOpener::Client => "client",
                ConnectionOpener::Peer => "peer",
            };
            vec![
                ("relayed", optional(allocation.relayed.first()).classed("mono")),
                ("peer", optional(known.peer).classed("mono")),
                ("opened by", text(opener)),
                ("data connection", optional(known.client).classed("mono")),
                ("opened", time(known.opened_at, clock)),
                ("state", text(connection_state(known)).classed(class)),
                ("sent", size(known.bytes_sent)),
                ("received", size(known.bytes_received)),
                ("frames", frames(&known.evidence, 0, links)),
            ]
        })
    });
    let listed: usize = report.allocations.iter().map(|one| one.connections.len()).sum();
    let total: u64 = report.allocations.iter().map(|one| one.connections_total).sum();
    table("connections", "Connections to peers", rows, total.saturating_sub(listed as u64))
}

pub(super) fn allocations(report: &Report, clock: &Clock, links: &Links) -> Table {
    let end = end(report);
    let rows = report.allocations.iter().map(|allocation| {
        let relayed: Vec<String> = allocation.relayed.iter().map(ToString::to_string).collect();
        vec![
            ("client", mono(allocation.client)),
            ("for", optional(allocation.proxied_for).classed("mono")),
            ("server", mono(allocation.server)),
            ("transport", text(allocation.transport)),
            ("user", optional(allocation.username.as_deref())),
            ("relayed", mono(relayed.join(" "))),
            ("mapped", optional(allocation.mapped).classed("mono")),
            ("created", time(allocation.created_at, clock)),
            ("end", text(how_it_ended(allocation, end))),
            ("refreshes", number(allocation.refreshes)),
            ("sent", size(allocation.bytes_sent)),
            ("received", size(allocation.bytes_received)),
            ("frames", frames(&allocation.evidence, allocation.evidence_total, links)),
        ]
    });
    table("allocations", "Allocations", rows, report.left_out("allocations"))
}
