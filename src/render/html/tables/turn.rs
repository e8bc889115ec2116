//! Servers, what they lent, and what went through it.

use super::super::Links;
use super::{Table, frames, long, mono, number, omitted, optional, size, span, table, text, time};
use crate::render::clock::Clock;
use crate::render::text::{connection_state, how_it_ended, is_sealed, transport_outcome};
use crate::report::{ConnectionOpener, ConnectionState, Report, TransportOutcome};

pub(super) fn servers(report: &Report) -> Table {
    let rows = report.servers.iter().flat_map(|server| {
        server.transports.iter().map(move |one| {
            let class = if one.answered == 0 && one.asked > 0 { "number bad" } else { "number" };
            let outcome = match one.outcome {
                TransportOutcome::Allocated => "good",
                TransportOutcome::Answered => "",
                TransportOutcome::Connected if is_sealed(one) => "",
                _ => "bad",
            };
            vec![
                mono(server.address),
                long(server.names.join(" ")),
                text(one.transport),
                text(transport_outcome(one)).classed(outcome),
                number(one.asked),
                number(one.answered).classed(class),
                number(one.allocated),
                span(one.rtt_us),
                span(one.connections.as_ref().and_then(|known| known.handshake_us)),
                optional(one.mapped).classed("mono"),
                long(server.software.as_deref().or(server.dialect.as_deref()).unwrap_or_default()),
            ]
        })
    });
    let columns = &[
        "server",
        "names",
        "transport",
        "outcome",
        "asked",
        "answered",
        "allocated",
        "round trip",
        "connect",
        "mapped",
        "software",
    ];
    table("servers", "Servers", columns, rows, omitted(report, "servers"))
}

/// What servers lent over time; where never more than one client had one relay, the allocations say it all.
pub(super) fn activity(report: &Report, clock: &Clock) -> Table {
    let busy = |server: &&crate::report::Server| {
        server.peak_clients > 1 || server.peak_relays_udp + server.peak_relays_tcp > 1
    };
    let rows = report.servers.iter().filter(busy).flat_map(|server| {
        server.activity.iter().map(move |known| {
            vec![
                mono(server.address),
                time(Some(known.time), clock),
                number(known.clients),
                number(known.relays_udp),
                number(known.relays_tcp),
                number(known.over_tcp),
            ]
        })
    });
    let columns = &["server", "from", "clients with a relay", "relays", "relays for TCP", "connected over TCP"];
    table("activity", "Relays over time", columns, rows, 0)
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
                optional(allocation.relayed.first()).classed("mono"),
                optional(known.peer).classed("mono"),
                text(opener),
                optional(known.client).classed("mono"),
                time(known.opened_at, clock),
                text(connection_state(known)).classed(class),
                size(known.bytes_sent),
                size(known.bytes_received),
                frames(&known.evidence, 0, links),
            ]
        })
    });
    let listed: usize = report.allocations.iter().map(|one| one.connections.len()).sum();
    let total: u64 = report.allocations.iter().map(|one| one.connections_total).sum();
    let columns = &["relayed", "peer", "opened by", "data connection", "opened", "state", "sent", "received", "frames"];
    table("connections", "Connections to peers", columns, rows, total.saturating_sub(listed as u64))
}

pub(super) fn allocations(report: &Report, clock: &Clock, links: &Links) -> Table {
    let end = report.captures.iter().filter_map(|capture| capture.last_time).map(|time| time.at).max();
    let rows = report.allocations.iter().map(|allocation| {
        let relayed: Vec<String> = allocation.relayed.iter().map(ToString::to_string).collect();
        vec![
            mono(allocation.client),
            mono(allocation.server),
            text(allocation.transport),
            optional(allocation.username.as_deref()),
            mono(relayed.join(" ")),
            optional(allocation.mapped).classed("mono"),
            time(allocation.created_at, clock),
            text(how_it_ended(allocation, end)),
            number(allocation.refreshes),
            size(allocation.bytes_sent),
            size(allocation.bytes_received),
            frames(&allocation.evidence, allocation.evidence_total, links),
        ]
    });
    let columns = &[
        "client",
        "server",
        "transport",
        "user",
        "relayed",
        "mapped",
        "created",
        "end",
        "refreshes",
        "sent",
        "received",
        "frames",
    ];
    table("allocations", "Allocations", columns, rows, omitted(report, "allocations"))
}
