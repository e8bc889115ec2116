//! The page of a batch: what is wrong how often, where and when, and a table of captures with links to their reports.
//!
//! What is from a capture, a file name or an archive is escaped by the template, wherever it stands.

use super::{SCRIPT, STYLE, script_hash, shown_text};
use crate::report::{Counted, Summary, Totals, Verdict};
use crate::time::Timestamp;
use askama::Template;
use std::cmp::Reverse;

/// How many captures the page lists; the tables have all.
const MAX_ROWS: usize = 20_000;
/// How many servers it lists.
const MAX_SERVERS: usize = 200;
/// How many servers stand in the row of a capture.
const SERVERS: usize = 3;

/// The page while its rows come. It keeps what it shows of each capture, up to 20,000 of them.
#[derive(Debug, Default)]
pub struct Index {
    totals: Totals,
    rows: Vec<Row>,
}

/// One capture.
#[derive(Debug)]
struct Row {
    verdict: &'static str,
    class: &'static str,
    /// What it is sorted by: the worst first.
    order: u8,
    path: String,
    link: Option<String>,
    said: String,
    finding: String,
    servers: Vec<String>,
    more_servers: usize,
    from: String,
    time: i64,
    frames: u64,
}

#[derive(Template)]
#[template(path = "index.html")]
struct Page<'a> {
    version: &'static str,
    style: &'static str,
    script: &'static str,
    script_hash: String,
    totals: &'a Totals,
    counts: Vec<Count>,
    findings: Vec<Frequent>,
    servers: Vec<Asked>,
    more_servers: usize,
    width: String,
    times: Vec<Span>,
    rows: &'a [Row],
    more_rows: u64,
}

struct Count {
    number: u64,
    word: &'static str,
    class: &'static str,
}

struct Frequent {
    id: String,
    captures: u64,
    headlines: u64,
    bar: String,
}

struct Asked {
    address: String,
    captures: u64,
    failed: u64,
    bar: String,
}

struct Span {
    from: String,
    counted: Counted,
    bar: String,
}

impl Index {
    /// Adds a row.
    pub fn add(&mut self, row: &Summary) {
        self.totals.add(row);
        if self.rows.len() >= MAX_ROWS {
            return;
        }
        let (verdict, class, order) = match row.verdict {
            Some(Verdict::Failure) => ("failure", "bad", 0),
            Some(Verdict::Warning) => ("warning", "odd", 1),
            None => ("unreadable", "", 2),
            Some(Verdict::Healthy) => ("healthy", "good", 3),
            Some(Verdict::NothingFound) => ("nothing found", "", 4),
        };
        let said = row.error.as_deref().or(row.headline.as_deref()).unwrap_or_default();
        self.rows.push(Row {
            verdict,
            class,
            order,
            path: shown_text(&row.path),
            link: row.page.as_deref().or(row.report.as_deref()).map(shown_text),
            said: shown_text(said),
            finding: shown_text(row.headline_finding.as_deref().unwrap_or_default()),
            servers: row.servers.iter().take(SERVERS).map(|server| shown_text(server)).collect(),
            more_servers: row.servers.len().saturating_sub(SERVERS),
            from: row.first_time.as_deref().map(to_the_second).unwrap_or_default(),
            time: row.first_time_ns.unwrap_or(i64::MIN),
            frames: row.frames,
        });
    }

    /// What was counted.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> String {
        let totals = &self.totals;
        let (servers, more_servers) = servers(totals);
        let page = Page {
            version: env!("CARGO_PKG_VERSION"),
            style: STYLE,
            script: SCRIPT,
            script_hash: script_hash(),
            counts: counts(totals),
            findings: findings(totals),
            servers,
            more_servers,
            width: width(totals.over_time.width_s()),
            times: times(totals),
            rows: &self.rows,
            more_rows: totals.captures.saturating_sub(self.rows.len() as u64),
            totals,
        };
        page.render().unwrap_or_default() // writing to a String cannot fail
    }
}

fn counts(totals: &Totals) -> Vec<Count> {
    let all = [
        (totals.failure, "failure", "failure"),
        (totals.warning, "warning", "warning"),
        (totals.healthy, "healthy", "healthy"),
        (totals.nothing_found, "with nothing to judge", ""),
        (totals.unreadable, if totals.unreadable == 1 { "file not readable" } else { "files not readable" }, ""),
    ];
    let there = all.into_iter().filter(|(number, ..)| *number > 0);
    there.map(|(number, word, class)| Count { number, word, class }).collect()
}

/// The most frequent first, then by name.
fn findings(totals: &Totals) -> Vec<Frequent> {
    let mut all: Vec<(&str, u64)> = totals.findings.iter().map(|(id, count)| (id.as_str(), *count)).collect();
    all.sort_by_key(|(_, count)| Reverse(*count));
    let most = all.first().map_or(0, |(_, count)| *count);
    all.into_iter()
        .map(|(id, captures)| {
            let headlines = totals.headlines.get(id).copied().unwrap_or(0);
            Frequent { id: shown_text(id), captures, headlines, bar: bar(most, captures, [("bad", headlines)]) }
        })
        .collect()
}

/// Those with the most failures first, and how many more there are.
fn servers(totals: &Totals) -> (Vec<Asked>, usize) {
    let mut all: Vec<(&String, u64, u64)> =
        totals.servers.iter().map(|(address, (asked, failed))| (address, *asked, *failed)).collect();
    all.sort_by_key(|(_, asked, failed)| Reverse((*failed, *asked)));
    let most = all.iter().map(|(_, asked, _)| *asked).max().unwrap_or(0);
    let more = all.len().saturating_sub(MAX_SERVERS);
    let shown = all.into_iter().take(MAX_SERVERS).map(|(address, captures, failed)| Asked {
        address: shown_text(address),
        captures,
        failed,
        bar: bar(most, captures, [("bad", failed)]),
    });
    (shown.collect(), more)
}

fn times(totals: &Totals) -> Vec<Span> {
    let most = totals.over_time.spans().map(|(_, counted)| counted.captures).max().unwrap_or(0);
    let spans = totals.over_time.spans().map(|(from, counted)| Span {
        from: minute(from),
        counted,
        bar: bar(most, counted.captures, [("bad", counted.failure), ("odd", counted.warning)]),
    });
    spans.collect()
}

/// `2024-05-01 12:00Z`.
fn minute(time: Timestamp) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(time.0)) {
        Ok(instant) => instant.strftime("%Y-%m-%d %H:%MZ").to_string(),
        Err(_) => time.0.to_string(), // the type holds less than this crate can write
    }
}

/// `2024-05-01 12:00:00Z` of `2024-05-01T12:00:00.123456Z`: the report has the rest.
fn to_the_second(time: &str) -> String {
    let (seconds, _) = time.trim_end_matches('Z').split_once('.').unwrap_or((time.trim_end_matches('Z'), ""));
    shown_text(&format!("{}Z", seconds.replacen('T', " ", 1)))
}

/// A span of time as a person says it.
fn width(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    if number == 1 { format!("one {unit}") } else { format!("{number} {unit}s") }
}

/// A bar, with its parts from the left. Parts and the whole are out of `most`, which is as wide as can be.
fn bar<const N: usize>(most: u64, whole: u64, parts: [(&str, u64); N]) -> String {
    const WIDTH: u128 = 240;
    let x = |number: u64| u128::from(number.min(most)) * WIDTH / u128::from(most.max(1));
    let mut out = format!(
        "<svg class=\"share\" viewBox=\"0 0 {WIDTH} 12\" width=\"{WIDTH}\" height=\"12\" aria-hidden=\"true\">\
         <rect class=\"whole\" x=\"0\" y=\"0\" width=\"{}\" height=\"12\"/>",
        x(whole).max(1)
    );
    let mut before = 0;
    for (class, part) in parts {
        let (from, to) = (x(before), x(before.saturating_add(part)));
        out += &format!("<rect class=\"{class}\" x=\"{from}\" y=\"0\" width=\"{}\" height=\"12\"/>", to - from);
        before = before.saturating_add(part);
    }
    out + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let evil = "\"><script>alert(1)</script><img src=x onerror='x'>&\u{202e}";
        let mut index = Index::default();
        index.add(&Summary {
            path: evil.into(),
            report: Some(evil.into()),
            headline: Some(evil.into()),
            headline_finding: Some(evil.into()),
            findings: vec![evil.into()],
            servers: vec![evil.into()],
            first_time: Some(evil.into()),
            verdict: Some(Verdict::Failure),
            ..Summary::default()
        });
        index.add(&Summary { error: Some(evil.into()), ..Summary::default() });
        let page = index.page();
        assert_eq!(page.matches("<script").count(), 1, "its own");
        assert!(!page.contains("<script>alert") && !page.contains("<img") && !page.contains('\u{202e}'), "{page}");
        assert_eq!(page.matches("class=\"long").count(), 4);
    }

    #[test]
    fn findings_servers_and_times_are_counted_over_all_captures() {
        let mut index = Index::default();
        for at in 0..100_i64 {
            index.add(&Summary {
                path: format!("{at}.pcap"),
                report: Some(format!("reports/{at}.json")),
                verdict: Some(if at % 4 == 0 { Verdict::Failure } else { Verdict::Healthy }),
                findings: if at % 4 == 0 { vec!["turn-no-credentials".into()] } else { Vec::new() },
                servers: vec!["192.0.2.1:3478".into()],
                first_time_ns: Some(at * 3_600_000_000_000),
                ..Summary::default()
            });
        }
        let page = index.page();
        let cells = |cells: &str| assert!(page.contains(cells), "{cells} in {page}");
        cells("<td class=\"mono\">turn-no-credentials</td><td class=\"number\">25</td><td class=\"number\">0</td>");
        cells("<td class=\"mono\">192.0.2.1:3478</td><td class=\"number\">100</td><td class=\"number bad\">25</td>");
        cells("3 hours a row");
        cells("<td class=\"mono\">1970-01-01 03:00Z</td><td class=\"number\">3</td><td class=\"number bad\">1</td>");
        cells("<a href=\"reports/7.json\">7.pcap</a>");
    }

    #[test]
    fn times_are_told_to_the_second() {
        assert_eq!(to_the_second("2024-05-01T12:00:00.123456Z"), "2024-05-01 12:00:00Z");
        assert_eq!(to_the_second("2024-05-01T12:00:00Z"), "2024-05-01 12:00:00Z");
    }

    #[test]
    fn bars_stay_within_their_width() {
        assert!(bar(4, 2, [("bad", 1)]).contains("class=\"bad\" x=\"0\" y=\"0\" width=\"60\""));
        assert!(bar(0, 0, [("bad", u64::MAX)]).contains("width=\"0\""));
    }
}
