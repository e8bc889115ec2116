//! TLS connections of TURN: who opened them to whom, on what they agreed, and how they ended.

use super::dtls::{Terms, WAYS, alert_line, certificate_lines, flight_lines, how_far};
use super::page::{Page, Tint};
use crate::report::{DtlsState, Report, Tls, TlsTcpState};

/// How many connections are told.
const TOLD: usize = 3;
/// How many are listed after these in one line each.
const LISTED: usize = 5;
/// How many flights of one are told.
const FLIGHTS: usize = 6;

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    let mut order: Vec<&Tls> = report.tls.iter().collect();
    order.sort_by_key(|known| known.state == DtlsState::Complete); // stable: otherwise by time
    let omitted = report.left_out("tls");
    page.told(("TLS", "TLS"), &order, (TOLD, LISTED), omitted, summary, details);
}

/// `10.0.0.2:5000 → 192.0.2.1:5349: complete within 12.3 ms`.
fn summary(known: &Tls) -> String {
    let how = how_far(known.state, known.duration_us, known.resumed);
    format!("{} → {}: {how}", known.client, known.server)
}

fn details(page: &mut Page<'_>, known: &Tls) {
    if let Some(why) = why_of_turn(known) {
        page.item(2, "taken for TURN", None, why);
    }
    let terms = Terms {
        agreed: &[&known.version, &known.cipher_suite, &known.group],
        alpn: &known.alpn,
        versions: &known.versions_offered,
        offered: [("groups", &known.groups), ("ALPN", &known.alpn_offered)],
        suites: &known.cipher_suites_offered,
        server_name: &known.server_name,
    };
    terms.tell(page);
    certificate_lines(page, &known.certificates);
    flights(page, known);
    if let Some(alert) = &known.alert {
        let tint = if alert.description == "close_notify" { None } else { Some(Tint::Failure) };
        alert_line(page, alert, &format!("the {}", alert.from), tint);
    }
    if known.client_data_records + known.server_data_records > 0 {
        let opened = match (known.opened_records, known.shut_records) {
            (0, 0) => ", not opened".to_owned(),
            (_, 0) => String::new(),
            (_, shut) => format!(", {shut} of them not opened"),
        };
        let text =
            format!("{} records sent, {} received{opened}", known.client_data_records, known.server_data_records);
        page.item(2, "data", None, &text);
    }
    let (state, after) = match known.tcp.state {
        TlsTcpState::Open => ("still open at the end of the capture", ""),
        TlsTcpState::Unwatched => ("not followed behind the handshake", ""),
        _ => how_tcp_ended(known),
    };
    let by = known.tcp.closed_by.as_ref().map(|closed| {
        let when = if closed.during_handshake { " during the handshake" } else { "" };
        format!(" by the {} ({}, frame {}){when}", closed.by, closed.how.to_uppercase(), closed.place.frame)
    });
    page.item(2, "TCP", None, &format!("{state}{}{after}", by.unwrap_or_default()));
}

/// What the first to end a TCP connection did, and what came after that.
pub(in crate::render) fn how_tcp_ended(known: &Tls) -> (&'static str, &'static str) {
    let first = known.tcp.closed_by.as_ref().map(|closed| closed.how);
    match known.tcp.state {
        TlsTcpState::Reset if first == Some("fin") => ("closed", ", then reset"),
        TlsTcpState::Reset => ("reset", ""),
        _ => ("closed", ""),
    }
}

/// What says that it is of TURN, where that is not plain.
pub(in crate::render) fn why_of_turn(known: &Tls) -> Option<&'static str> {
    match known.recognised_by {
        "server" => Some("the client asks the same address and port for relays over another transport"),
        "host" => Some("likely: the same host serves STUN or TURN to this client"),
        "name" => Some("likely: by the server name"),
        _ => None,
    }
}

fn flights(page: &mut Page<'_>, known: &Tls) {
    let told = known.flights.iter().map(|flight| (flight.from, flight.place, flight.time, flight.messages.join(", ")));
    flight_lines(page, &told.collect::<Vec<_>>(), &WAYS.map(str::to_owned), FLIGHTS);
}
