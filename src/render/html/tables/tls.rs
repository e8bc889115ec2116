//! TLS connections of TURN.

use super::super::super::text::why_of_turn;
use super::super::Links;
use super::{Cell, Table, frames, long, mono, number, omitted, optional, span, state, table, text, time};
use crate::render::clock::Clock;
use crate::report::{Report, Tls, TlsTcpState};

/// One row a connection.
pub(super) fn connections(report: &Report, links: &Links) -> Table {
    let rows = report.tls.iter().map(|known| {
        let version = known.version.clone().unwrap_or_else(|| match known.versions_offered.as_slice() {
            [] => String::new(),
            offered => format!("offered: {}", offered.join(", ")),
        });
        vec![
            mono(known.client),
            mono(known.server),
            optional(known.server_name.as_deref()),
            state(known.state, known.alert.as_ref()),
            text(version),
            optional(known.cipher_suite.as_deref()),
            optional(known.group.as_deref()),
            optional(known.alpn.as_deref()),
            text(if known.resumed { "yes" } else { "" }),
            span(known.duration_us),
            number(known.client_data_records),
            number(known.server_data_records),
            number(known.opened_records),
            tcp(known),
            optional(why_of_turn(known)),
            frames(&known.evidence, known.evidence_total, links),
        ]
    });
    let columns = &[
        "client",
        "server",
        "name",
        "state",
        "version",
        "suite",
        "group",
        "ALPN",
        "resumed",
        "took",
        "records sent",
        "received",
        "opened",
        "TCP",
        "taken for TURN since",
        "frames",
    ];
    table("tls", "TLS", columns, rows, omitted(report, "tls"))
}

fn tcp(known: &Tls) -> Cell {
    let (word, class) = match known.tcp.state {
        TlsTcpState::Open => ("open", ""),
        TlsTcpState::Closed => ("closed", ""),
        TlsTcpState::Reset => ("reset", "odd"),
        TlsTcpState::Unwatched => ("not followed", ""),
    };
    match &known.tcp.closed_by {
        Some(closed) if closed.during_handshake => {
            text(format!("{word} by the {} during the handshake", closed.by)).classed("bad")
        }
        Some(closed) => text(format!("{word} by the {}", closed.by)).classed(class),
        None => text(word).classed(class),
    }
}

/// What each end sent until the other did.
pub(super) fn flights(report: &Report, clock: &Clock, links: &Links) -> Table {
    let rows = report.tls.iter().flat_map(|known| {
        known.flights.iter().map(move |flight| {
            vec![
                mono(known.client),
                mono(known.server),
                time(Some(flight.time), clock),
                text(flight.from),
                long(flight.messages.join(", ")),
                frames([&flight.place], 1, links),
            ]
        })
    });
    table("tls-flights", "TLS handshakes", &["client", "server", "time", "from", "messages", "frame"], rows, 0)
}
