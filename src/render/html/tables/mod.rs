//! The lists of the report as tables that the page's script searches and sorts.

mod beside;
mod joins;
mod tls;
mod turn;

use super::super::clock::Clock;
use super::super::text::{bytes, candidate_type, checks, inside, lost, pair_state, pair_types};
use super::{FrameLink, Links, shown_text, soft};
use crate::report::{
    Address, AuthenticationOutcome, DtlsAlertSeen, DtlsCertificate, DtlsState, IntegrityStatus, MediaStream, Place,
    Report, Time, TransactionOutcome,
};
use crate::time::Span;
use std::collections::HashSet;

/// Rows of a table; the rest is in the JSON report.
const ROWS: usize = 1000;
/// Bytes of a name that may be broken at its underscores.
const LONG_NAME: usize = 24;
/// Frames linked in one cell.
const FRAMES: usize = 6;

/// One table.
pub(super) struct Table {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// How many rows it would have beyond these.
    pub(super) more: u64,
}

impl Table {
    /// Whether a column holds numbers, which stand at the right.
    pub(super) fn is_number(&self, column: &usize) -> bool {
        self.rows.first().and_then(|row| row.get(*column)).is_some_and(|cell| cell.class.starts_with("number"))
    }
}

/// What stands in one place of a table.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) class: &'static str,
    /// What it is sorted by, where that is not its text.
    pub(super) key: Option<i64>,
    pub(super) frames: Vec<FrameLink>,
}

impl Cell {
    fn classed(self, class: &'static str) -> Self {
        Cell { class, ..self }
    }

    /// The text as markup.
    pub(super) fn markup(&self) -> String {
        let markup = soft(&self.text);
        // names of cipher suites are wider than paper has room for
        if self.text.len() > LONG_NAME { markup.replace('_', "_<wbr>") } else { markup }
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.frames.is_empty()
    }
}

/// Text as the capture has it.
fn text(text: impl ToString) -> Cell {
    Cell { text: shown_text(&text.to_string()), ..Cell::default() }
}

fn long(value: impl ToString) -> Cell {
    text(value).classed("long")
}

fn mono(value: impl ToString) -> Cell {
    text(value).classed("mono")
}

fn optional(value: Option<impl ToString>) -> Cell {
    text(value.map(|value| value.to_string()).unwrap_or_default())
}

fn number(value: u64) -> Cell {
    text(value).classed("number")
}

/// An amount shown in words of its size and sorted by it.
fn size(value: u64) -> Cell {
    Cell { key: i64::try_from(value).ok(), ..text(bytes(value)).classed("number") }
}

fn span(micros: Option<i64>) -> Cell {
    let shown = micros.map(|micros| Span::from_micros(micros).to_string()).unwrap_or_default();
    Cell { key: micros, ..text(shown).classed("number") }
}

/// A time to the microsecond, sorted to the last digit.
fn time(time: Option<Time>, clock: &Clock) -> Cell {
    let shown = time.map(|time| clock.show(Time { digits: time.digits.min(6), ..time }));
    Cell { key: time.map(|time| time.at.0), ..mono(shown.unwrap_or_default()) }
}

fn frames<'a>(places: impl IntoIterator<Item = &'a Place>, total: u64, links: &Links) -> Cell {
    let mut places = places.into_iter().peekable();
    let key = places.peek().and_then(|place| i64::try_from(place.frame).ok());
    let frames: Vec<FrameLink> = places.take(FRAMES).map(|place| links.to(*place)).collect();
    let more = total.saturating_sub(frames.len() as u64);
    let text = if more > 0 { format!("and {more} more") } else { String::new() };
    Cell { text, key, frames, ..Cell::default() }
}

/// The tables that have a row, in the order of the page.
pub(super) fn all(report: &Report, clock: &Clock, links: &Links) -> Vec<Table> {
    let tables = [
        conversations(report, clock, links),
        credentials(report),
        near_misses(report, links),
        joins::summary(report),
        joins::lost(report, links),
        joins::rewritten(report, links),
        joins::nat(report, links),
        joins::relays(report),
        beside::deployment(report, links),
        beside::log_files(report),
        beside::logs(report, clock),
        turn::servers(report),
        turn::proxies(report, links),
        turn::activity(report, clock),
        turn::allocations(report, clock, links),
        turn::connections(report, clock, links),
        beside::signalling(report),
        beside::signalled_candidates(report),
        pairs(report, links),
        handshakes(report, links),
        tls::connections(report, links),
        tls::flights(report, clock, links),
        certificates(report, clock, links),
        beside::keys(report),
        media(report, clock, links),
        candidates(report, links),
        nat(report, links),
        transactions(report, links),
        beside::comments(report, links),
    ];
    tables.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

/// The cells of a row, each under the name of its column; all rows of a table name the same ones.
type Row = Vec<(&'static str, Cell)>;

fn table(id: &'static str, name: &'static str, mut rows: impl Iterator<Item = Row>, omitted: u64) -> Table {
    let mut shown: Vec<Row> = rows.by_ref().take(ROWS).collect();
    let more = rows.count() as u64 + omitted;
    // a column in which nothing stands takes room from the others
    let filled: HashSet<&str> =
        shown.iter().flatten().filter(|(_, cell)| !cell.is_empty()).map(|(column, _)| *column).collect();
    for row in &mut shown {
        row.retain(|(column, _)| filled.contains(column));
    }
    let columns = shown.first().map(|row| row.iter().map(|(column, _)| *column).collect()).unwrap_or_default();
    let rows = shown.into_iter().map(|row| row.into_iter().map(|(_, cell)| cell).collect()).collect();
    Table { id, name, columns, rows, more }
}

fn conversations(report: &Report, clock: &Clock, links: &Links) -> Table {
    let rows = report.authentications.iter().flat_map(|conversation| {
        conversation.steps.iter().map(move |step| {
            let outcome = match conversation.outcome {
                AuthenticationOutcome::Accepted => text("accepted").classed("good"),
                AuthenticationOutcome::Rejected => text("rejected").classed("bad"),
                AuthenticationOutcome::Redirected => text("redirected").classed("odd"),
                AuthenticationOutcome::Challenged => text("challenged").classed("odd"),
                AuthenticationOutcome::Unanswered => text("unanswered").classed("odd"),
                AuthenticationOutcome::Open => text("open"),
            };
            vec![
                ("client", mono(conversation.client)),
                ("for", optional(conversation.proxied_for).classed("mono")),
                ("server", mono(conversation.server)),
                ("time", time(step.time, clock)),
                ("from", text(step.from)),
                ("what", long(&step.what)),
                ("outcome", outcome),
                ("frame", frames([&step.place], 1, links)),
            ]
        })
    });
    table("conversations", "Conversations", rows, report.left_out("authentications"))
}

fn credentials(report: &Report) -> Table {
    let rows = report.credentials.iter().map(|credential| {
        let bad = credential.mismatched > 0 && credential.verified == 0;
        vec![
            ("credential", long(&credential.label)),
            ("side", optional(credential.side)),
            ("requests", number(credential.requests)),
            ("responses", number(credential.responses)),
            ("mismatched", number(credential.mismatched).classed(if bad { "number bad" } else { "number" })),
        ]
    });
    table("credentials", "Credentials", rows, 0)
}

/// What would have fitted: the same credential with one thing otherwise.
fn near_misses(report: &Report, links: &Links) -> Table {
    let rows = report.credentials.iter().flat_map(|credential| {
        credential.near_misses.iter().map(move |near| {
            let signed = if near.requests > 0 { "client" } else { "server" };
            vec![
                ("credential", long(&credential.label)),
                ("fits when", long(&near.when)),
                ("signed by", text(signed)),
                ("messages", number(near.requests + near.responses)),
                ("user", optional(near.username.as_deref())),
                ("realm", optional(near.realm.as_deref())),
                ("frames", frames(&near.places, 0, links)),
            ]
        })
    });
    table("near", "Credentials that nearly fit", rows, 0)
}

fn pairs(report: &Report, links: &Links) -> Table {
    let rows = report.ice.iter().flat_map(|session| {
        session.pairs.iter().map(move |pair| {
            let class = if pair.selected { "good" } else { "" };
            vec![
                ("session", mono(session.ufrags.join(" "))),
                ("local", mono(pair.local)),
                ("remote", if pair.remote_hidden { text("?") } else { mono(pair.remote) }),
                ("types", text(pair_types(pair))),
                ("relay of", optional(pair.via).classed("mono")),
                ("state", text(pair_state(pair)).classed(class)),
                ("→ answered", text(checks(&pair.from_local))),
                ("← answered", text(checks(&pair.from_remote))),
                ("round trip", span(pair.rtt_us.map(|rtt| i64::from(rtt.median)))),
                ("data", size(pair.data_bytes)),
                ("frames", frames(&pair.evidence, 0, links)),
            ]
        })
    });
    let more = report.ice.iter().map(|session| session.checks_omitted).sum();
    table("ice", "ICE pairs", rows, more)
}

fn handshakes(report: &Report, links: &Links) -> Table {
    let rows = report.dtls.iter().map(|handshake| {
        vec![
            ("client", mono(handshake.client)),
            ("server", mono(handshake.server)),
            ("in", text(handshake.via.join(", "))),
            ("state", state(handshake.state, handshake.alert.as_ref())),
            ("version", optional(handshake.version.as_deref())),
            ("suite", optional(handshake.cipher_suite.as_deref())),
            ("SRTP", optional(handshake.srtp_profile.as_deref())),
            ("took", span(handshake.duration_us)),
            ("retransmitted", number(handshake.retransmits)),
            ("frames", frames(&handshake.evidence, handshake.evidence_total, links)),
        ]
    });
    table("dtls", "DTLS", rows, report.left_out("dtls"))
}

fn state(state: DtlsState, alert: Option<&DtlsAlertSeen>) -> Cell {
    match (state, alert) {
        (DtlsState::Complete, _) => text("complete").classed("good"),
        (DtlsState::Failed, Some(alert)) => {
            text(format!("failed: {} from the {}", alert.description, alert.from)).classed("bad")
        }
        (DtlsState::Failed, None) => text("failed").classed("bad"),
        (DtlsState::Incomplete, _) => text("incomplete").classed("odd"),
    }
}

fn certificates(report: &Report, clock: &Clock, links: &Links) -> Table {
    let dtls = report.dtls.iter().map(|known| (known.client, known.server, &known.certificates));
    let tls = report.tls.iter().map(|known| (known.client, known.server, &known.certificates));
    let rows = dtls.chain(tls).flat_map(|(client, server, certificates)| {
        certificates.iter().map(move |certificate| {
            let owner = if certificate.from == "client" { client } else { server };
            of_certificate(owner, certificate, clock, links)
        })
    });
    table("certificates", "Certificates", rows, 0)
}

fn of_certificate(owner: Address, certificate: &DtlsCertificate, clock: &Clock, links: &Links) -> Row {
    let class = if certificate.valid == Some(false) { "mono bad" } else { "mono" };
    // browsers and conference servers sign for themselves
    let issuer = certificate.issuer.as_deref().filter(|issuer| Some(*issuer) != certificate.subject.as_deref());
    vec![
        ("of", mono(owner)),
        ("subject", long(certificate.subject.as_deref().unwrap_or_default())),
        ("issuer", long(issuer.unwrap_or_default())),
        ("names", long(certificate.names.join(" "))),
        ("key", optional(certificate.key.as_deref())),
        ("fingerprint", long(&certificate.fingerprint).classed("long print")),
        ("valid from", time(certificate.not_before, clock)),
        ("valid to", Cell { class, ..time(certificate.not_after, clock) }),
        ("frame", frames([&certificate.place], 1, links)),
    ]
}

fn media(report: &Report, clock: &Clock, links: &Links) -> Table {
    let rows = report.media.items.iter().map(|stream| {
        vec![
            ("from", mono(stream.src)),
            ("to", mono(stream.dst)),
            ("in", text(if stream.via.is_empty() { String::new() } else { inside(&stream.via) })),
            ("SSRC", mono(format!("0x{:08x}", stream.ssrc))),
            ("payload type", number(u64::from(stream.payload_type))),
            ("packets", number(stream.packets)),
            ("bytes", size(stream.bytes)),
            ("lost", loss(stream)),
            ("jitter", span(stream.jitter_us)),
            ("longest gap", span(stream.longest_gap_us)),
            ("first", time(Some(stream.first_time), clock)),
            ("lasted", span(stream.last_time.at.passed_since(stream.first_time.at).map(Span::micros))),
            ("frames", frames(&stream.evidence, 0, links)),
        ]
    });
    table("media", "Media", rows, report.media.omitted)
}

fn loss(stream: &MediaStream) -> Cell {
    // over one in twenty is what findings call lossy
    let class = if stream.lost.saturating_mul(20) > stream.lost + stream.packets { "number bad" } else { "number" };
    Cell { key: i64::try_from(stream.lost).ok(), ..text(lost(stream)).classed(class) }
}

fn candidates(report: &Report, links: &Links) -> Table {
    let rows = report.candidates.iter().map(|candidate| {
        vec![
            ("of", mono(&candidate.owner)),
            ("type", text(candidate_type(candidate.kind))),
            ("address", mono(candidate.address)),
            ("base", optional(candidate.base).classed("mono")),
            ("server", optional(candidate.server).classed("mono")),
            ("frames", frames(&candidate.evidence, candidate.evidence_total, links)),
        ]
    });
    table("candidates", "Candidates", rows, report.left_out("candidates"))
}

fn nat(report: &Report, links: &Links) -> Table {
    let rows = report.nat.iter().map(|mapping| {
        vec![
            ("inside", mono(mapping.inside)),
            ("outside", mono(mapping.outside)),
            ("frames", frames(&mapping.evidence, mapping.evidence_total, links)),
        ]
    });
    table("nat", "NAT mappings", rows, report.left_out("nat"))
}

fn transactions(report: &Report, links: &Links) -> Table {
    let rows = report.transactions.items.iter().map(|transaction| {
        let outcome = match (transaction.outcome, &transaction.error) {
            (TransactionOutcome::Success, _) => text("success"),
            (TransactionOutcome::Error, Some(error)) => {
                // the first 401 and a 438 ask for something, as they should
                let asks = error.code == 438 || error.code == 401 && transaction.username.is_none();
                text(format!("{} {}", error.code, error.reason)).classed(if asks { "odd" } else { "bad" })
            }
            (TransactionOutcome::Error, None) => text("error").classed("bad"),
            (TransactionOutcome::Unanswered, _) => text("unanswered").classed("odd"),
        };
        let signed = transaction.request_integrity.iter().map(|one| match (one.status, &one.credential) {
            (IntegrityStatus::Verified, Some(label)) => label.clone(),
            (IntegrityStatus::Verified, None) => "verified".to_owned(),
            (IntegrityStatus::Mismatch, _) => "by none of those given".to_owned(),
            (IntegrityStatus::Untested, _) => "untested".to_owned(),
            (IntegrityStatus::Truncated, _) => "cut short".to_owned(),
        });
        vec![
            ("request", frames(&transaction.requests, transaction.requests_total, links)),
            ("answer", frames(&transaction.response, u64::from(transaction.response.is_some()), links)),
            ("method", text(&transaction.method)),
            ("client", mono(transaction.client)),
            ("server", mono(transaction.server)),
            ("transport", text(transaction.transport)),
            ("outcome", outcome),
            ("round trip", span(transaction.rtt_us)),
            ("user", optional(transaction.username.as_deref())),
            ("signed with", long(signed.collect::<Vec<_>>().join(", "))),
        ]
    });
    table("transactions", "Transactions", rows, report.transactions.omitted)
}
