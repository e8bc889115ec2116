//! DTLS associations: who shook hands with whom, on what, and how it ended.

use super::conversation::digits;
use super::page::{Page, Tint};
use super::tables::inside;
use crate::render::clock::since;
use crate::report::{Dtls, DtlsAlertSeen, DtlsCertificate, DtlsState, Place, Report, Time};
use crate::time::Span;

/// How many associations are told.
const TOLD: usize = 3;
/// How many are listed after these in one line each.
const LISTED: usize = 5;
/// How many flights of one are told.
const FLIGHTS: usize = 8;

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    let mut order: Vec<&Dtls> = report.dtls.iter().collect();
    order.sort_by_key(|known| known.state == DtlsState::Complete); // stable: otherwise by time
    let omitted = report.left_out("dtls");
    page.told(("DTLS", "DTLS"), &order, (TOLD, LISTED), omitted, summary, details);
}

/// `10.0.0.2:5000 → 192.0.2.1:6000: complete within 12.3 ms`.
fn summary(known: &Dtls) -> String {
    let arrow = if known.roles_known { "→" } else { "–" };
    let mut text = format!("{} {arrow} {}", known.client, known.server);
    if !known.via.is_empty() {
        text += &format!(" {}", inside(&known.via));
    }
    text + ": " + &how_far(known.state, known.duration_us, known.resumed)
}

/// `complete within 12.3 ms, resumed`.
pub(super) fn how_far(state: DtlsState, took_us: Option<i64>, resumed: bool) -> String {
    let word = match state {
        DtlsState::Complete => "complete",
        DtlsState::Failed => "failed",
        DtlsState::Incomplete => "incomplete",
    };
    let took = took_us.map(|took| format!(" within {}", Span::from_micros(took))).unwrap_or_default();
    format!("{word}{took}{}", if resumed { ", resumed" } else { "" })
}

fn details(page: &mut Page<'_>, known: &Dtls) {
    let terms = Terms {
        agreed: &[&known.version, &known.cipher_suite, &known.group, &known.srtp_profile],
        alpn: &known.alpn,
        versions: &known.versions_offered,
        offered: [("groups", &known.groups), ("SRTP", &known.srtp_profiles_offered)],
        suites: &known.cipher_suites_offered,
        server_name: &known.server_name,
    };
    terms.tell(page);
    certificate_lines(page, &known.certificates);
    flights(page, known);
    for part in &known.missing {
        let bytes: Vec<String> = part.bytes.iter().map(|[from, to]| format!("{from} to {to}")).collect();
        let text =
            format!("of {} ({} bytes) from the {}: bytes {}", part.message, part.length, part.from, bytes.join(", "));
        let (label, tint) = if part.cut { ("cut", None) } else { ("missing", Some(Tint::Warning)) };
        page.item(2, label, tint, &text);
    }
    if let Some(alert) = &known.alert {
        alert_line(page, alert, &who(known, alert.from), Some(Tint::Failure));
    }
    if let Some(closed) = &known.closed {
        let how = if closed.clear { "close_notify" } else { "encrypted alert" };
        page.item(2, "closed", None, &format!("by {} ({how}, frame {})", who(known, closed.by), closed.place.frame));
    }
    for way in &known.also {
        let via = if way.via.is_empty() { String::new() } else { format!(" {}", inside(&way.via)) };
        let text = format!("{} → {}{via}, from frame {}", way.client, way.server, way.place.frame);
        page.item(2, "seen also as", None, &text);
    }
}

/// An end by its role, or, where the capture does not tell who is client and who is server, by its address.
fn who(known: &Dtls, role: &str) -> String {
    match (known.roles_known, role) {
        (true, _) => format!("the {role}"),
        (false, "client") => known.client.to_string(),
        (false, _) => known.server.to_string(),
    }
}

/// What the two agreed on, or else what was offered, and for which name.
pub(super) struct Terms<'r> {
    pub agreed: &'r [&'r Option<String>],
    pub alpn: &'r Option<String>,
    pub versions: &'r [String],
    pub offered: [(&'static str, &'r [String]); 2],
    pub suites: &'r [String],
    pub server_name: &'r Option<String>,
}

impl Terms<'_> {
    pub(super) fn tell(&self, page: &mut Page<'_>) {
        let alpn = self.alpn.as_ref().map(|alpn| format!("ALPN {alpn}"));
        let agreed: Vec<&str> = self.agreed.iter().copied().chain([&alpn]).filter_map(Option::as_deref).collect();
        if !agreed.is_empty() {
            page.item(2, "agreed on", None, &agreed.join(", "));
        } else if !self.versions.is_empty() {
            let mut text = self.versions.join(", ");
            for (what, words) in self.offered.iter().filter(|(_, words)| !words.is_empty()) {
                text += &format!("; {what} {}", words.join(", "));
            }
            if page.limit(0) > 0 {
                text += &format!("; suites {}", self.suites.join(", "));
            }
            page.item(2, "offered", None, &text);
        }
        if let Some(name) = self.server_name {
            page.item(2, "server name", None, name);
        }
    }
}

/// What an alert says, whose it is, and where it is.
pub(super) fn alert_line(page: &mut Page<'_>, alert: &DtlsAlertSeen, from: &str, tint: Option<Tint>) {
    let text = format!("{} {} from {from}, frame {}", alert.level, alert.description, alert.place.frame);
    page.item(2, "alert", tint, &text);
}

/// The first certificate of each end, and all where nothing is left out.
pub(super) fn certificate_lines(page: &mut Page<'_>, certificates: &[DtlsCertificate]) {
    for (index, certificate) in certificates.iter().enumerate() {
        let own = certificates.iter().position(|first| first.from == certificate.from) == Some(index);
        if own || page.limit(0) > 0 {
            certificate_line(page, certificate);
        }
    }
}

/// Whom it names in one line, and its digest in a line of its own, in which it fits.
fn certificate_line(page: &mut Page<'_>, certificate: &DtlsCertificate) {
    let (function, digest) = certificate.fingerprint.split_once(' ').unwrap_or(("", &certificate.fingerprint));
    let mut parts: Vec<&str> =
        [&certificate.subject, &certificate.key].into_iter().flatten().map(String::as_str).collect();
    if certificate.self_signed == Some(true) {
        parts.push("self-signed");
    }
    if certificate.valid == Some(false) {
        parts.push("not valid at the time of the capture");
    }
    parts.push(function);
    page.item(2, &format!("{} certificate", certificate.from), None, &parts.join(", "));
    page.item(4, "", None, digest);
}

fn flights(page: &mut Page<'_>, known: &Dtls) {
    let told = known.flights.iter().filter_map(|flight| {
        let mut text = flight.messages.join(", ");
        if flight.retransmits > 0 {
            text += &format!(" (sent {} times)", flight.retransmits.saturating_add(1));
        }
        Some((flight.from, *flight.places.first()?, *flight.times.first()?, text))
    });
    let ways = match known.roles_known {
        true => WAYS.map(str::to_owned),
        false => [format!("{} → {}", known.client, known.server), format!("{} → {}", known.server, known.client)],
    };
    flight_lines(page, &told.collect::<Vec<_>>(), &ways, FLIGHTS);
}

/// The ways that flights go: of the client, of the server.
pub(super) const WAYS: [&str; 2] = ["client → server", "server → client"];

/// Flights in a line each: who sent it, where, when, and what is in it; times count from the first.
pub(super) fn flight_lines(
    page: &mut Page<'_>,
    flights: &[(&str, Place, Time, String)],
    [client, server]: &[String; 2],
    usual: usize,
) {
    let Some((_, _, start, _)) = flights.first() else { return };
    let width = flights.iter().map(|(_, place, ..)| digits(place.frame)).max().unwrap_or(1);
    let shown = page.limit(usual).min(flights.len());
    for (from, place, time, text) in flights.iter().take(shown) {
        let arrow = if *from == "client" { client } else { server };
        let after = since(*start, *time);
        let label = format!("frame {:>width$}  {after:>9} s  {arrow} ", place.frame);
        page.item(2, &label, None, text);
    }
    page.more(2, shown, flights.len() as u64);
}
