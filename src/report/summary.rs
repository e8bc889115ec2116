//! One row of a batch: what became of one capture.

use super::{Report, Severity, Time, Verdict};
use crate::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many servers and findings a row names.
const MAX_NAMED: usize = 50;

/// What became of one capture of a batch: one line of `summary.jsonl`, one row of the table of captures.
///
/// Of a file that could not be read there is its name, the reason in `error`, and `null` for what is not known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Names this capture in every table: 16 hex digits, made from the path alone, so that they stay the same from run to run.
    pub capture_id: String,
    /// The file as it was found; of a file in an archive `archive.zip!/folder/file.pcap`; of rotated files `folder/name_*.pcap`.
    pub path: String,
    /// The files that were read as one, where it is several.
    pub parts: Vec<String>,
    /// The report, from the folder of results: `reports/….json`.
    pub report: Option<String>,
    /// The same as a page to look at, where pages are wanted: `reports/….html`.
    pub page: Option<String>,
    /// SHA-256 of the file as it is, in hex; of several one after another.
    pub sha256: Option<String>,
    /// Bytes of the file as it is.
    pub size: Option<u64>,
    /// `pcap`, `pcapng`, with the compression in parentheses.
    pub format: Option<String>,
    /// Frames read.
    pub frames: u64,
    /// Bytes of the unpacked file that were read.
    pub bytes: u64,
    /// Time of the first frame.
    pub first_time: Option<String>,
    /// The same as integer nanoseconds since 1970.
    pub first_time_ns: Option<i64>,
    /// Time of the last frame.
    pub last_time: Option<String>,
    /// The same as integer nanoseconds since 1970.
    pub last_time_ns: Option<i64>,
    /// The worst that was found.
    pub verdict: Option<Verdict>,
    /// One sentence: what explains the most.
    pub headline: Option<String>,
    /// The id of the finding that the headline is made from.
    pub headline_finding: Option<String>,
    /// Findings that are failures.
    pub failures: u64,
    /// Findings that are warnings.
    pub warnings: u64,
    /// Findings that are notes.
    pub notes: u64,
    /// The ids of the findings, the headline's first, each once; the first 50.
    pub findings: Vec<String>,
    /// The STUN and TURN servers that were asked; the first 50.
    pub servers: Vec<String>,
    /// STUN messages.
    pub stun: u64,
    /// TURN ChannelData messages.
    pub channel_data: u64,
    /// DTLS records.
    pub dtls: u64,
    /// RTP packets.
    pub rtp: u64,
    /// RTCP packets.
    pub rtcp: u64,
    /// Error responses by code.
    pub error_codes: BTreeMap<String, u64>,
    /// Places of the file that could not be read.
    pub damage: u64,
    /// Why the file could not be read at all.
    pub error: Option<String>,
}

impl Summary {
    /// The row of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let of = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count() as u64;
        let first = report.captures.iter().filter_map(|capture| capture.first_time).min_by_key(|time| time.at);
        let last = report.captures.iter().filter_map(|capture| capture.last_time).max_by_key(|time| time.at);
        let text = |time: Option<Time>| time.map(|time| time.to_string());
        let nanos = |time: Option<Time>| time.map(|Time { at: Timestamp(nanos), .. }| nanos);
        let mut findings: Vec<String> = Vec::new();
        for finding in &report.findings {
            if findings.len() < MAX_NAMED && !findings.contains(&finding.id) {
                findings.push(finding.id.clone());
            }
        }
        Summary {
            format: report.captures.first().map(|capture| capture.format.clone()),
            frames: report.captures.iter().map(|capture| capture.frames).sum(),
            bytes: report.captures.iter().map(|capture| capture.bytes).sum(),
            first_time: text(first),
            first_time_ns: nanos(first),
            last_time: text(last),
            last_time_ns: nanos(last),
            verdict: Some(report.verdict),
            headline: Some(report.headline.clone()),
            headline_finding: report.headline_finding.clone(),
            failures: of(Severity::Failure),
            warnings: of(Severity::Warning),
            notes: of(Severity::Note),
            findings,
            servers: report.servers.iter().take(MAX_NAMED).map(|server| server.address.to_string()).collect(),
            stun: report.counts.stun.values().sum(),
            channel_data: report.counts.channel_data,
            dtls: report.counts.dtls.values().sum(),
            rtp: report.counts.rtp,
            rtcp: report.counts.rtcp,
            error_codes: report.counts.error_codes.clone(),
            damage: report.captures.iter().map(|capture| capture.damage_total).sum(),
            ..Summary::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Finding;

    #[test]
    fn a_row_counts_findings_by_severity_and_names_each_once() {
        let finding = |id: &str, severity| Finding::example(id, severity);
        let findings = vec![
            finding("b", Severity::Failure),
            finding("a", Severity::Warning),
            finding("b", Severity::Failure),
            finding("c", Severity::Note),
        ];
        let row = Summary::of(&Report { findings, ..Report::default() });
        assert_eq!((row.failures, row.warnings, row.notes), (2, 1, 1));
        assert_eq!(row.findings, ["b", "a", "c"]);
        assert_eq!(row.error, None);
    }

    #[test]
    fn a_row_comes_back_as_it_was_written() {
        let row = Summary { path: "a\u{1b}".into(), frames: 3, ..Summary::of(&Report::default()) };
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), row);
        let failed = Summary { error: Some("empty file".into()), ..Summary::default() };
        assert_eq!(failed.verdict, None);
        assert_eq!(serde_json::from_str::<Summary>(&serde_json::to_string(&failed).unwrap()).unwrap(), failed);
    }

    #[test]
    fn the_words_of_verdicts_are_those_of_the_json() {
        for verdict in [Verdict::Failure, Verdict::Warning, Verdict::Healthy, Verdict::NothingFound] {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.name());
        }
    }
}
