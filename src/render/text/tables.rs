//! Credentials, allocations and candidates, a table each; none where there is nothing to show.

use super::page::{Page, or_dash};
use crate::report::{
    Allocation, AllocationEnd, Candidate, CandidateType, Confidence, Credential, CredentialKind, Report, TcpType,
};
use crate::time::Timestamp;

/// Rows of a table.
const ROWS: usize = 10;

pub(super) fn credentials(page: &mut Page<'_>, credentials: &[Credential]) {
    if credentials.is_empty() {
        return;
    }
    page.heading("Credentials", "who signs with what");
    let mut order: Vec<&Credential> = credentials.iter().collect();
    // among many, those that do not fit are looked for, and those that the server holds
    let many = credentials.len() > page.limit(ROWS);
    order.sort_by_key(|known| {
        let unused = known.verified == 0 && known.mismatched == 0;
        (unused, many && known.mismatched == 0, many && known.responses == 0, many && known.verified > 0)
    });
    let header = ["credential", "side", "kind", "requests", "responses", "mismatched"];
    page.table_of(&header, (&order, ROWS), order.len() as u64, |credential| {
        [
            credential.label.clone(),
            or_dash(credential.side),
            kind(credential.kind).to_owned(),
            credential.requests.to_string(),
            credential.responses.to_string(),
            credential.mismatched.to_string(),
        ]
    });
    let near =
        credentials.iter().flat_map(|credential| credential.near_misses.iter().map(move |near| (credential, near)));
    let told = page.limit(ROWS);
    for (credential, near) in near.clone().take(told) {
        let user = |whose: &str| near.username.as_ref().map(|user| format!(" {whose} \"{user}\"")).unwrap_or_default();
        let many = match (near.requests, near.responses) {
            (1, 0) => format!("1 request{} verifies", user("of")),
            (requests, 0) => format!("{requests} requests{} verify", user("of")),
            (_, 1) => format!("1 response{} verifies", user("to")),
            (_, responses) => format!("{responses} responses{} verify", user("to")),
        };
        page.remark(2, &format!("nearly: {many} with \"{}\" when {}", credential.label, near.when));
    }
    page.more(2, told, near.count() as u64);
}

pub(super) fn allocations(page: &mut Page<'_>, report: &Report) {
    let made = |allocation: &&Allocation| allocation.was_made() || page.limit(0) > 0;
    let allocations: Vec<&Allocation> = report.allocations.iter().filter(made).collect();
    if allocations.is_empty() {
        return; // what was refused is told by conversations and findings
    }
    page.heading("Allocations", "");
    let end = end(report);
    let header = ["client", "relayed", "user", "end", "sent", "received"];
    let total = allocations.len() as u64 + report.left_out("allocations");
    page.table_of(&header, (&allocations, ROWS), total, |allocation| {
        let relayed: Vec<String> = allocation.relayed.iter().map(ToString::to_string).collect();
        [
            match allocation.proxied_for {
                Some(behind) => format!("{} for {behind}", allocation.client),
                None => allocation.client.to_string(),
            },
            or_dash((!relayed.is_empty()).then(|| relayed.join(" "))),
            or_dash(allocation.username.as_deref()),
            how_it_ended(allocation, end),
            bytes(allocation.bytes_sent),
            bytes(allocation.bytes_received),
        ]
    });
}

/// The last time in any of the captures.
pub(in crate::render) fn end(report: &Report) -> Option<Timestamp> {
    report.captures.iter().filter_map(|capture| capture.last_time).map(|time| time.at).max()
}

/// `released after 12 s`, `moved to 192.0.2.9:5000 after 12 s`, `open, 540 of 600 s left`, `open, connection closed`.
pub(in crate::render) fn how_it_ended(allocation: &Allocation, capture_end: Option<Timestamp>) -> String {
    let after = |ended: Option<crate::report::Time>| {
        let passed = ended.zip(allocation.created_at).and_then(|(ended, created)| ended.at.passed_since(created.at));
        passed.map(|passed| format!(" after {passed}")).unwrap_or_default()
    };
    if let Some(client) = allocation.moved_to {
        return format!("moved to {client}{}", after(allocation.ended_at));
    }
    match allocation.end {
        // the seconds that are left are of no use to anybody
        AllocationEnd::Open | AllocationEnd::Expired if allocation.connection_closed_at.is_some() => {
            let word = if allocation.end == AllocationEnd::Open { "open" } else { "expired" };
            format!("{word}, connection closed{}", after(allocation.connection_closed_at))
        }
        AllocationEnd::Released => format!("released{}", after(allocation.ended_at)),
        AllocationEnd::Expired => format!("expired{}", after(allocation.ended_at)),
        AllocationEnd::Open => match (allocation.expires_at, capture_end) {
            (Some(expires), Some(end)) => {
                let of = allocation.lifetime_s.map(|lifetime| format!(" of {lifetime}")).unwrap_or_default();
                format!("open, {}{of} s left", expires.at.since(end).secs())
            }
            _ => "open".to_owned(),
        },
        AllocationEnd::Rejected => match &allocation.error {
            Some(error) => format!("rejected {}", error.code),
            None if allocation.was_made() => format!("gone{}", after(allocation.ended_at)),
            None => "rejected".to_owned(),
        },
    }
}

pub(super) fn candidates(page: &mut Page<'_>, report: &Report) {
    if report.candidates.is_empty() {
        return;
    }
    page.heading("Candidates", "");
    let total = report.candidates.len() as u64 + report.left_out("candidates");
    page.table_of(&["of", "type", "address", "base"], (&report.candidates, ROWS), total, |candidate| {
        let unsure = if candidate.confidence == Confidence::Likely { " (likely)" } else { "" };
        [
            candidate.owner.clone(),
            format!("{}{}{unsure}", candidate_type(candidate.kind), over_tcp(candidate)),
            candidate.address.to_string(),
            or_dash(candidate.base.filter(|base| *base != candidate.address)),
        ]
    });
}

/// ` tcp active`; empty for UDP.
fn over_tcp(candidate: &Candidate) -> String {
    match candidate.tcp_type {
        _ if !candidate.transport.is_stream() => String::new(),
        Some(known) => format!(" tcp {}", tcp_type(known)),
        None => " tcp".to_owned(),
    }
}

fn tcp_type(known: TcpType) -> &'static str {
    match known {
        TcpType::Active => "active",
        TcpType::Passive => "passive",
    }
}

pub(super) fn kind(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Password => "password",
        CredentialKind::SharedSecret => "shared secret",
        CredentialKind::Ice => "ICE",
        CredentialKind::Key => "key",
    }
}

pub(in crate::render) fn candidate_type(kind: CandidateType) -> &'static str {
    match kind {
        CandidateType::Host => "host",
        CandidateType::Srflx => "srflx",
        CandidateType::Prflx => "prflx",
        CandidateType::Relay => "relay",
    }
}

/// What a relay carried it in: `in Send, ChannelData`.
pub(in crate::render) fn inside(via: &[impl AsRef<str>]) -> String {
    let names = via.iter().map(|layer| match layer.as_ref() {
        "send" => "Send",
        "data" => "Data",
        "channel-data" => "ChannelData",
        other => other,
    });
    format!("in {}", names.collect::<Vec<_>>().join(", "))
}

/// `0`, `512 B`, `1.4 kB`, `23.0 MB`.
pub(in crate::render) fn bytes(number: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", number / unit, number % unit * 10 / unit);
    match number {
        0 => "0".to_owned(),
        1..1_000 => format!("{number} B"),
        1_000..1_000_000 => format!("{} kB", tenths(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", tenths(1_000_000)),
        _ => format!("{} GB", tenths(1_000_000_000)),
    }
}
