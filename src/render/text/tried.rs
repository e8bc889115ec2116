//! What was tried: servers by transport, and how far each came; and the connections of relays for TCP.

use super::page::{Page, Tint, cell, count, or_dash};
use super::tables::bytes;
use crate::report::{
    Allocation, ConnectionOpener, ConnectionState, DataConnection, Report, Server, ServerConnections, ServerTransport,
    TransportOutcome,
};
use crate::time::Span;

/// Rows of a table.
const ROWS: usize = 10;
/// Names of a server that are shown.
const NAMES: usize = 3;

/// Every server and transport that was tried.
pub(super) fn servers(page: &mut Page<'_>, report: &Report) {
    if report.servers.is_empty() {
        return;
    }
    page.heading("Servers", "what was tried");
    let shown = page.limit(ROWS).min(report.servers.len());
    let tried =
        || report.servers.iter().take(shown).flat_map(|server| server.transports.iter().map(move |it| (server, it)));
    // over UDP there is no SYN from which to count
    let connects = tried().any(|(_, tried)| tried.connections.is_some() && tried.transport.is_stream());
    let rows: Vec<Vec<String>> = tried().map(|(server, transport)| row(server, transport, connects)).collect();
    let mut heads = vec!["server", "transport", "outcome", "answered", "allocated", "rtt"];
    if connects {
        heads.push("connect");
    }
    heads.push("software");
    page.table_of_lines(&heads, rows);
    let omitted = report.left_out("servers");
    page.more(2, shown, report.servers.len() as u64 + omitted);
    for server in report.servers.iter().take(shown).filter(|server| server.peak_clients > 0) {
        page.item(2, &format!("{}:", server.address), None, &status(server));
        over_time(page, server);
    }
}

/// Proxies on the way to servers, and what they answered.
pub(super) fn proxies(page: &mut Page<'_>, report: &Report) {
    if report.proxies.is_empty() {
        return;
    }
    page.heading("Proxies", "asked for a TURN server");
    let shown = page.limit(ROWS).min(report.proxies.len());
    for known in report.proxies.iter().take(shown) {
        let [asked, answered] = known.places;
        let tint = known.is_refusal().then_some(Tint::Warning);
        let wanted = if known.target.is_empty() { "a connection" } else { &known.target };
        let text = format!(
            "{} asked for {wanted} (frame {}) and was answered {} (frame {})",
            known.client,
            asked.frame,
            known.answer(),
            answered.frame
        );
        page.item(2, &format!("{} ({}):", known.proxy, known.protocol), tint, &text);
    }
    page.more(2, shown, report.proxies.len() as u64);
}

/// What a server lent from each time on. One relay of one client is told with the allocations.
fn over_time(page: &mut Page<'_>, server: &Server) {
    let shown = page.limit(0).min(server.activity.len());
    if server.peak_clients < 2 || shown == 0 {
        return;
    }
    let clock = page.options.clock.clone();
    page.table(
        &["from", "clients", "relays", "relays for TCP", "connected over UDP", "over TCP"],
        server.activity.iter().take(shown).map(|known| {
            let relays = known.relays_udp + known.relays_tcp;
            [
                clock.show(known.time),
                known.clients.to_string(),
                known.relays_udp.to_string(),
                known.relays_tcp.to_string(),
                relays.saturating_sub(known.over_tcp).to_string(),
                known.over_tcp.to_string(),
            ]
        }),
    );
}

/// What a status page of the server would say: whom it sees, what it lends at the end, and the most that it did.
fn status(server: &Server) -> String {
    let mut words = Vec::new();
    if let Some(mapped) = server.transports.iter().find_map(|transport| transport.mapped) {
        // each client, and each of its ports, has an address of its own
        let allocated: u64 = server.transports.iter().map(|transport| transport.allocated).sum();
        words.push(format!(
            "{} seen as {mapped}",
            if server.peak_clients > 1 || allocated > 1 { "one of its clients" } else { "clients" }
        ));
    }
    let relays = |udp: u64, tcp: u64| match (udp, tcp) {
        (udp, 0) => count(udp, "relay", "relays"),
        (0, tcp) => count(tcp, "relay for TCP", "relays for TCP"),
        (udp, tcp) => format!("{} and {tcp} for TCP", count(udp, "relay", "relays")),
    };
    let (udp, tcp) = (server.active_relays_udp, server.active_relays_tcp);
    words.push(match server.active_clients {
        0 => "no relay open at the end".to_owned(),
        clients => format!("{} of {} open at the end", relays(udp, tcp), count(clients, "client", "clients")),
    });
    let (udp, tcp) = (server.peak_relays_udp, server.peak_relays_tcp);
    let over_tcp = server.activity.iter().map(|known| known.over_tcp).max().unwrap_or(0);
    let over_tcp = if over_tcp > 0 { format!(", {over_tcp} of them connected over TCP") } else { String::new() };
    words.push(format!(
        "at most {} of {} at a time{over_tcp}",
        relays(udp, tcp),
        count(server.peak_clients, "client", "clients")
    ));
    let unsigned: u64 = server.transports.iter().filter_map(|transport| transport.allocated_unsigned).sum();
    if unsigned > 0 {
        words
            .push(format!("{} without credentials: it lends to anybody", count(unsigned, "allocation", "allocations")));
    }
    words.join("; ")
}

fn row(server: &Server, transport: &ServerTransport, connects: bool) -> Vec<String> {
    let micros = |time: Option<i64>| or_dash(time.map(Span::from_micros));
    let known = |told: String| or_dash(Some(told).filter(|_| !transport.is_sealed()));
    let names = server.names.iter().take(NAMES).map(|name| cell(name));
    let names = std::iter::once(server.address.to_string()).chain(names);
    let mut row = vec![
        names.collect::<Vec<_>>().join("\n"),
        transport.transport.to_string(),
        outcome(transport),
        known(format!("{} of {}", transport.answered, transport.asked)),
        known(transport.allocated.to_string()),
        micros(transport.rtt_us),
    ];
    if connects {
        row.push(micros(transport.connections.as_ref().and_then(|known| known.handshake_us)));
    }
    row.push(cell(&or_dash(server.product())));
    row
}

/// What came of it, in words: `allocated`, `SYN unanswered, 4 times`, `refused by reset`.
pub(in crate::render) fn outcome(transport: &ServerTransport) -> String {
    let none = ServerConnections::default();
    let known = transport.connections.as_ref().unwrap_or(&none);
    let mut told = match transport.outcome {
        TransportOutcome::Allocated => "allocated".to_owned(),
        TransportOutcome::Answered => "answered".to_owned(),
        TransportOutcome::HandshakeFailed => "handshake failed".to_owned(),
        TransportOutcome::Connected if transport.is_sealed() => "connected, encrypted".to_owned(),
        TransportOutcome::Connected => {
            let how = if known.opened > 0 { "connected" } else { "in use" };
            let asked = if transport.asked == 0 { "nothing asked" } else { "no answer" };
            format!("{how}, {asked}")
        }
        TransportOutcome::Refused => "refused by reset".to_owned(),
        TransportOutcome::Unreachable => match &transport.icmp {
            Some(icmp) => format!("ICMP {} from {}", icmp.kind, icmp.sender),
            None => "unreachable".to_owned(),
        },
        TransportOutcome::Unanswered if transport.asked == 0 && known.unanswered_syns > 0 => {
            format!("SYN unanswered, {}", times(known.unanswered_syns))
        }
        // there is only what goes through its relay, or what it answers
        TransportOutcome::Unanswered if transport.asked == 0 => "no request seen".to_owned(),
        TransportOutcome::Unanswered => "no answer".to_owned(),
    };
    // what was open is told beside what came of it
    for (count, by) in [(known.reset_by_server, "server"), (known.reset_by_client, "client")] {
        if count > 0 && transport.outcome != TransportOutcome::Refused {
            told += &format!(", reset by {by}");
        }
    }
    told
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// The connections of relays for TCP.
pub(super) fn data_connections(page: &mut Page<'_>, report: &Report) {
    let all = report.allocations.iter().flat_map(|one| one.connections.iter().map(move |known| (one, known)));
    let all: Vec<(&Allocation, &DataConnection)> = all.collect();
    let total: u64 = report.allocations.iter().map(|allocation| allocation.connections_total).sum();
    if total == 0 {
        return;
    }
    page.heading("Connections to peers", "of relays for TCP");
    let header = ["relayed", "peer", "opened by", "data connection", "state", "sent", "received"];
    page.table_of(&header, (&all, ROWS), total, |(allocation, known)| {
        [
            or_dash(relayed(allocation)),
            or_dash(known.peer),
            match known.opened_by {
                ConnectionOpener::Client => "client".to_owned(),
                ConnectionOpener::Peer => "peer".to_owned(),
            },
            or_dash(known.client),
            state(known),
            bytes(known.bytes_sent),
            bytes(known.bytes_received),
        ]
    });
}

fn relayed(allocation: &Allocation) -> Option<String> {
    allocation.relayed.first().map(ToString::to_string)
}

pub(in crate::render) fn state(known: &DataConnection) -> String {
    match known.state {
        ConnectionState::Refused => match known.error {
            Some(code) => format!("refused {code}"),
            None => "refused".to_owned(),
        },
        ConnectionState::Asked => "not answered".to_owned(),
        ConnectionState::Unbound => "not bound".to_owned(),
        ConnectionState::Bound => "bound".to_owned(),
        ConnectionState::Closed => {
            let how = if known.reset { "reset" } else { "closed" };
            known.closed_by.map_or_else(|| how.to_owned(), |by| format!("{how} by {by}"))
        }
    }
}
