//! A batch as a whole: what is wrong how often.

use super::{OverTime, Summary, Verdict};
use crate::bounded::BoundedMap;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// How many servers are counted apart.
const MAX_SERVERS: usize = 10_000;

/// Counts over all rows of a batch. Each grows with the kinds of findings and with servers, not with captures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows.
    pub captures: u64,
    /// Those that could not be read.
    pub unreadable: u64,
    /// Captures by verdict.
    pub failure: u64,
    /// With a warning as the worst.
    pub warning: u64,
    /// With nothing wrong.
    pub healthy: u64,
    /// With nothing to judge.
    pub nothing_found: u64,
    /// Frames read.
    pub frames: u64,
    /// Bytes of unpacked captures read.
    pub bytes: u64,
    /// In how many captures each finding is the headline's.
    pub headlines: BTreeMap<String, u64>,
    /// In how many captures each finding occurs.
    pub findings: BTreeMap<String, u64>,
    /// For each server in how many captures it was asked, and how many of these failed.
    pub servers: BTreeMap<String, (u64, u64)>,
    /// From when the captures are.
    pub over_time: OverTime,
}

impl Totals {
    /// Adds a row.
    pub fn add(&mut self, row: &Summary) {
        self.captures += 1;
        self.frames = self.frames.saturating_add(row.frames);
        self.bytes = self.bytes.saturating_add(row.bytes);
        match row.verdict {
            None => self.unreadable += 1,
            Some(Verdict::Failure) => self.failure += 1,
            Some(Verdict::Warning) => self.warning += 1,
            Some(Verdict::Healthy) => self.healthy += 1,
            Some(Verdict::NothingFound) => self.nothing_found += 1,
        }
        if let Some(nanos) = row.first_time_ns {
            self.over_time.add(Timestamp(nanos), row.verdict);
        }
        if let Some(finding) = &row.headline_finding {
            *self.headlines.entry(finding.clone()).or_default() += 1;
        }
        for finding in &row.findings {
            *self.findings.entry(finding.clone()).or_default() += 1;
        }
        for server in &row.servers {
            if let Some((asked, failed)) = self.servers.entry_up_to(MAX_SERVERS, server.clone(), Default::default) {
                *asked += 1;
                *failed += u64::from(row.verdict == Some(Verdict::Failure));
            }
        }
    }

    /// How many captures were read.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.captures.saturating_sub(self.unreadable)
    }

    /// Findings by how many captures have them as their headline's, the most frequent first.
    #[must_use]
    pub fn by_frequency(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> = self.headlines.iter().map(|(id, count)| (id.as_str(), *count)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count)); // else by name
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_by_verdict_finding_and_server() {
        let row = |verdict, finding: &str| Summary {
            verdict,
            headline_finding: Some(finding.to_owned()).filter(|id| !id.is_empty()),
            servers: vec!["192.0.2.1:3478".into()],
            ..Summary::default()
        };
        let mut totals = Totals::default();
        for row in [
            row(Some(Verdict::Failure), "b"),
            row(Some(Verdict::Failure), "b"),
            row(Some(Verdict::Warning), "a"),
            row(Some(Verdict::Healthy), ""),
            row(None, ""),
        ] {
            totals.add(&row);
        }
        assert_eq!((totals.captures, totals.failure, totals.unreadable), (5, 2, 1));
        assert_eq!(totals.by_frequency(), [("b", 2), ("a", 1)]);
        assert_eq!(totals.servers["192.0.2.1:3478"], (5, 2));
    }
}
