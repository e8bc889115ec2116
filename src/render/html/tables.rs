//! The lists of the report as tables that the page's script searches and sorts.

mod beside;
mod joins;
mod tls;
mod turn;

use super::super::clock::Clock;
use super::super::text::{bytes, candidate_type, checks, inside, lost, pair_state, pair_types, side};
use super::{FrameLink, Links, shown_text, soft};
use crate::report::{
    AuthenticationOutcome, DtlsAlertSeen, DtlsCertificate, DtlsState, IntegrityStatus, MediaStream, Place, Report,
    Time, TransactionOutcome,
};
use crate::time::Span;

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
    let shown = micros.map(|micros| Span(micros.saturating_mul(1000)).to_string()).unwrap_or_default();
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

fn table(
    id: &'static str,
    name: &'static str,
    columns: &'static [&'static str],
    rows: impl Iterator<Item = Vec<Cell>>,
    omitted: u64,
) -> Table {
    let mut rows = rows;
    let mut shown: Vec<Vec<Cell>> = rows.by_ref().take(ROWS).collect();
    let more = rows.count() as u64 + omitted;
    // a column in which nothing stands takes room from the others
    let filled: Vec<bool> =
        (0..columns.len()).map(|at| shown.iter().any(|row| row.get(at).is_some_and(|cell| !cell.is_empty()))).collect();
    for row in &mut shown {
        let mut is_filled = filled.iter();
        row.retain(|_| is_filled.next() == Some(&true));
    }
    let columns = columns.iter().zip(&filled).filter_map(|(name, is_filled)| is_filled.then_some(*name)).collect();
    Table { id, name, columns, rows: shown, more }
}

fn omitted(report: &Report, list: &str) -> u64 {
    report.omitted.get(list).copied().unwrap_or(0)
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
                mono(conversation.client),
                mono(conversation.server),
                time(step.time, clock),
                text(side(step.from)),
                long(&step.what),
                outcome,
                frames([&step.place], 1, links),
            ]
        })
    });
    let columns = &["client", "server", "time", "from", "what", "outcome", "frame"];
    table("conversations", "Conversations", columns, rows, omitted(report, "authentications"))
}

fn credentials(report: &Report) -> Table {
    let rows = report.credentials.iter().map(|credential| {
        let bad = credential.mismatched > 0 && credential.verified == 0;
        vec![
            long(&credential.label),
            optional(credential.side.map(side)),
            number(credential.requests),
            number(credential.responses),
            number(credential.mismatched).classed(if bad { "number bad" } else { "number" }),
        ]
    });
    table("credentials", "Credentials", &["credential", "side", "requests", "responses", "mismatched"], rows, 0)
}

/// What would have fitted: the same credential with one thing otherwise.
fn near_misses(report: &Report, links: &Links) -> Table {
    let rows = report.credentials.iter().flat_map(|credential| {
        credential.near_misses.iter().map(move |near| {
            let signed = if near.requests > 0 { "client" } else { "server" };
            vec![
                long(&credential.label),
                long(&near.when),
                text(signed),
                number(near.requests + near.responses),
                optional(near.username.as_deref()),
                optional(near.realm.as_deref()),
                frames(&near.places, 0, links),
            ]
        })
    });
    let columns = &["credential", "fits when", "signed by", "messages", "user", "realm", "frames"];
    table("near", "Credentials that nearly fit", columns, rows, 0)
}

fn pairs(report: &Report, links: &Links) -> Table {
    let rows = report.ice.iter().flat_map(|session| {
        session.pairs.iter().map(move |pair| {
            let class = if pair.selected { "good" } else { "" };
            vec![
                mono(session.ufrags.join(" ")),
                mono(pair.local),
                mono(pair.remote),
                text(pair_types(pair)),
                optional(pair.via).classed("mono"),
                text(pair_state(pair)).classed(class),
                text(checks(&pair.from_local)),
                text(checks(&pair.from_remote)),
                span(pair.rtt_us.map(|rtt| i64::from(rtt.median))),
                size(pair.data_bytes),
                frames(&pair.evidence, 0, links),
            ]
        })
    });
    let columns = &[
        "session",
        "local",
        "remote",
        "types",
        "relay of",
        "state",
        "→ answered",
        "← answered",
        "round trip",
        "data",
        "frames",
    ];
    let more = report.ice.iter().map(|session| session.checks_omitted).sum();
    table("ice", "ICE pairs", columns, rows, more)
}

fn handshakes(report: &Report, links: &Links) -> Table {
    let rows = report.dtls.iter().map(|handshake| {
        vec![
            mono(handshake.client),
            mono(handshake.server),
            text(handshake.via.join(", ")),
            state(handshake.state, handshake.alert.as_ref()),
            optional(handshake.version.as_deref()),
            optional(handshake.cipher_suite.as_deref()),
            optional(handshake.srtp_profile.as_deref()),
            span(handshake.duration_us),
            number(handshake.retransmits),
            frames(&handshake.evidence, handshake.evidence_total, links),
        ]
    });
    let columns = &["client", "server", "in", "state", "version", "suite", "SRTP", "took", "retransmitted", "frames"];
    table("dtls", "DTLS", columns, rows, omitted(report, "dtls"))
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
            let mut row = vec![mono(owner)];
            row.extend(of_certificate(certificate, clock, links));
            row
        })
    });
    let columns = &["of", "subject", "issuer", "names", "key", "fingerprint", "valid from", "valid to", "frame"];
    table("certificates", "Certificates", columns, rows, 0)
}

fn of_certificate(certificate: &DtlsCertificate, clock: &Clock, links: &Links) -> [Cell; 8] {
    let class = if certificate.valid == Some(false) { "mono bad" } else { "mono" };
    // browsers and conference servers sign for themselves
    let issuer = certificate.issuer.as_deref().filter(|issuer| Some(*issuer) != certificate.subject.as_deref());
    [
        long(certificate.subject.as_deref().unwrap_or_default()),
        long(issuer.unwrap_or_default()),
        long(certificate.names.join(" ")),
        optional(certificate.key.as_deref()),
        long(&certificate.fingerprint).classed("long print"),
        time(certificate.not_before, clock),
        Cell { class, ..time(certificate.not_after, clock) },
        frames([&certificate.place], 1, links),
    ]
}

fn media(report: &Report, clock: &Clock, links: &Links) -> Table {
    let rows = report.media.items.iter().map(|stream| {
        vec![
            mono(stream.src),
            mono(stream.dst),
            text(if stream.via.is_empty() { String::new() } else { inside(&stream.via) }),
            mono(format!("0x{:08x}", stream.ssrc)),
            number(u64::from(stream.payload_type)),
            number(stream.packets),
            size(stream.bytes),
            loss(stream),
            span(stream.jitter_us),
            span(stream.longest_gap_us),
            time(Some(stream.first_time), clock),
            span(Some(stream.last_time.at.since(stream.first_time.at).micros())),
            frames(&stream.evidence, 0, links),
        ]
    });
    let columns = &[
        "from",
        "to",
        "in",
        "SSRC",
        "payload type",
        "packets",
        "bytes",
        "lost",
        "jitter",
        "longest gap",
        "first",
        "lasted",
        "frames",
    ];
    table("media", "Media", columns, rows, report.media.omitted)
}

fn loss(stream: &MediaStream) -> Cell {
    // over one in twenty is what findings call lossy
    let class = if stream.lost.saturating_mul(20) > stream.lost + stream.packets { "number bad" } else { "number" };
    Cell { key: i64::try_from(stream.lost).ok(), ..text(lost(stream)).classed(class) }
}

fn candidates(report: &Report, links: &Links) -> Table {
    let rows = report.candidates.iter().map(|candidate| {
        vec![
            mono(&candidate.owner),
            text(candidate_type(candidate.kind)),
            mono(candidate.address),
            optional(candidate.base).classed("mono"),
            optional(candidate.server).classed("mono"),
            frames(&candidate.evidence, candidate.evidence_total, links),
        ]
    });
    let columns = &["of", "type", "address", "base", "server", "frames"];
    table("candidates", "Candidates", columns, rows, omitted(report, "candidates"))
}

fn nat(report: &Report, links: &Links) -> Table {
    let rows = report.nat.iter().map(|mapping| {
        vec![mono(mapping.inside), mono(mapping.outside), frames(&mapping.evidence, mapping.evidence_total, links)]
    });
    table("nat", "NAT mappings", &["inside", "outside", "frames"], rows, omitted(report, "nat"))
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
            frames(&transaction.requests, transaction.requests_total, links),
            frames(&transaction.response, u64::from(transaction.response.is_some()), links),
            text(&transaction.method),
            mono(transaction.client),
            mono(transaction.server),
            text(transaction.transport),
            outcome,
            span(transaction.rtt_us),
            optional(transaction.username.as_deref()),
            long(signed.collect::<Vec<_>>().join(", ")),
        ]
    });
    let columns = &[
        "request",
        "answer",
        "method",
        "client",
        "server",
        "transport",
        "outcome",
        "round trip",
        "user",
        "signed with",
    ];
    table("transactions", "Transactions", columns, rows, report.transactions.omitted)
}
