//! What a batch found, in a few lines for a terminal.

use super::text::count;
use crate::report::Totals;
use std::fmt::Write as _;

/// How many findings are named.
const MAX_FINDINGS: usize = 8;

/// How many captures came out how, and what is wrong most often.
#[must_use]
pub fn overview(totals: &Totals) -> String {
    let mut out = count(totals.read(), "capture", "captures");
    let parts = [
        (totals.failure, "failure"),
        (totals.warning, "warning"),
        (totals.healthy, "healthy"),
        (totals.nothing_found, "with nothing to judge"),
    ];
    let mut separator = ':';
    for (count, what) in parts.iter().filter(|(count, _)| *count > 0) {
        let _ = write!(out, "{separator} {count} {what}"); // writing to a String cannot fail
        separator = ',';
    }
    if totals.unreadable > 0 {
        let files = count(totals.unreadable, "file", "files");
        let _ = write!(out, "; {files} not readable as captures, for the reasons in summary.jsonl");
    }
    out.push('\n');
    let all = totals.by_frequency();
    let width = all.first().map_or(0, |(_, count)| count.to_string().len());
    for (finding, count) in all.iter().take(MAX_FINDINGS) {
        let _ = writeln!(out, "  {count:>width$}  {finding}");
    }
    if all.len() > MAX_FINDINGS {
        let _ = writeln!(out, "  … and {} more findings", all.len() - MAX_FINDINGS);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_counts_what_there_is() {
        let totals = Totals {
            captures: 12,
            failure: 10,
            unreadable: 2,
            headlines: [("a".to_owned(), 1), ("b".to_owned(), 10)].into(),
            ..Totals::default()
        };
        let counts = "10 captures: 10 failure; 2 files not readable as captures, for the reasons in summary.jsonl";
        assert_eq!(overview(&totals), format!("{counts}\n  10  b\n   1  a\n"));
        assert_eq!(overview(&Totals::default()), "0 captures\n");
    }
}
