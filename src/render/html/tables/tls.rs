//! TLS connections of TURN.

use super::super::super::text::{how_tcp_ended, why_of_turn};
use super::super::Links;
use super::{Cell, Table, frames, long, mono, number, optional, span, state, table, text, time};
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
            ("client", mono(known.client)),
            ("server", mono(known.server)),
            ("name", optional(known.server_name.as_deref())),
            ("state", state(known.state, known.alert.as_ref())),
            ("version", text(version)),
            ("suite", optional(known.cipher_suite.as_deref())),
            ("group", optional(known.group.as_deref())),
            ("ALPN", optional(known.alpn.as_deref())),
            ("resumed", text(if known.resumed { "yes" } else { "" })),
            ("took", span(known.duration_us)),
            ("records sent", number(known.client_data_records)),
            ("received", number(known.server_data_records)),
            ("opened", number(known.opened_records)),
            ("TCP", tcp(known)),
            ("taken for TURN since", optional(why_of_turn(known))),
            ("frames", frames(&known.evidence, known.evidence_total, links)),
        ]
    });
    table("tls", "TLS", rows, report.left_out("tls"))
}

fn tcp(known: &Tls) -> Cell {
    let (ended, after) = how_tcp_ended(known);
    let (word, class) = match known.tcp.state {
        TlsTcpState::Open => ("open", ""),
        TlsTcpState::Unwatched => ("not followed", ""),
        TlsTcpState::Reset => (ended, "odd"),
        TlsTcpState::Closed => (ended, ""),
    };
    match &known.tcp.closed_by {
        Some(closed) if closed.during_handshake => {
            text(format!("{word} by the {} during the handshake{after}", closed.by)).classed("bad")
        }
        Some(closed) => text(format!("{word} by the {}{after}", closed.by)).classed(class),
        None => text(word).classed(class),
    }
}

/// What each end sent until the other did.
pub(super) fn flights(report: &Report, clock: &Clock, links: &Links) -> Table {
    let rows = report.tls.iter().flat_map(|known| {
        known.flights.iter().map(move |flight| {
            vec![
                ("client", mono(known.client)),
                ("server", mono(known.server)),
                ("time", time(Some(flight.time), clock)),
                ("from", text(flight.from)),
                ("messages", long(flight.messages.join(", "))),
                ("frame", frames([&flight.place], 1, links)),
            ]
        })
    });
    table("tls-flights", "TLS handshakes", rows, 0)
}
