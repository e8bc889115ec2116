//! The page of a batch: one self-contained file without script, a table of captures with links to their reports.
//!
//! What is from a capture, a file name or an archive is escaped, wherever it stands.

use super::escape::escape;
use crate::report::{Summary, Totals, Verdict};
use std::fmt::Write as _;

/// How many captures the page lists; the tables have all.
const MAX_ROWS: usize = 20_000;

/// The page while its rows come.
#[derive(Debug, Default)]
pub struct Index {
    totals: Totals,
    rows: String,
    listed: usize,
}

impl Index {
    /// Adds a row.
    pub fn add(&mut self, row: &Summary) {
        self.totals.add(row);
        if self.listed >= MAX_ROWS {
            return;
        }
        self.listed += 1;
        let verdict = row.verdict.map_or("unreadable", Verdict::name);
        let path = text(&row.path);
        let link = match &row.report {
            Some(report) => format!("<a href=\"{}\">{path}</a>", text(report)),
            None => path,
        };
        let said = row.error.as_deref().or(row.headline.as_deref()).unwrap_or_default();
        let _ = writeln!(
            self.rows,
            "<tr class=\"{verdict}\"><td>{verdict}</td><td>{link}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
            text(said),
            text(row.headline_finding.as_deref().unwrap_or_default()),
            text(row.first_time.as_deref().unwrap_or_default()),
            row.frames,
        ); // writing to a String cannot fail
    }

    /// What was counted.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> String {
        let Totals { captures, failure, warning, healthy, nothing_found, unreadable, .. } = self.totals;
        let mut page = String::with_capacity(self.rows.len() + 4096);
        page.push_str(HEAD);
        let _ = writeln!(
            page,
            "<p>{captures} captures: {failure} failure, {warning} warning, {healthy} healthy, {nothing_found} with nothing to judge, \
             {unreadable} not readable.</p>"
        );
        page.push_str("<h2>Findings</h2>\n<table><tr><th>Headline of captures</th><th>Finding</th></tr>\n");
        for (finding, count) in self.totals.by_frequency() {
            let _ = writeln!(page, "<tr><td class=\"n\">{count}</td><td>{}</td></tr>", text(finding));
        }
        page.push_str("</table>\n<h2>Captures</h2>\n");
        if captures > self.listed as u64 {
            let _ = writeln!(page, "<p>The first {}; summary.jsonl and captures.parquet have all.</p>", self.listed);
        }
        page.push_str("<table><tr><th>Verdict</th><th>Capture</th><th>Headline</th><th>Finding</th><th>From</th><th>Frames</th></tr>\n");
        page.push_str(&self.rows);
        page.push_str("</table>\n</body></html>\n");
        page
    }
}

const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"viewport\" content=\"width=device-width\"><title>turnscope batch</title>
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem; border-bottom: 1px solid #8884; overflow-wrap: anywhere; }
.n { text-align: right; }
.failure td:first-child { color: #c22; font-weight: bold; }
.warning td:first-child { color: #a60; }
.unreadable { opacity: .7; }
</style></head><body>
<h1>turnscope batch</h1>
";

/// Text as it may stand between tags and in attributes.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in escape(raw).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
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
            first_time: Some(evil.into()),
            verdict: Some(Verdict::Failure),
            ..Summary::default()
        });
        index.add(&Summary::unreadable(evil));
        let page = index.page();
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}'), "{page}");
        assert_eq!(page.matches("<tr class=").count(), 2);
    }
}
