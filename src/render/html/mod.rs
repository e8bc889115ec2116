//! The report as one HTML file: nothing in it comes from elsewhere, and it can be read without its script, which searches and sorts.
//!
//! Whatever the capture says is escaped by the template; the policy in the page's head lets no script run but the one that belongs to it.

mod index;
mod tables;
mod timeline;

pub use index::Index;

use super::clock::Clock;
use super::escape::escape;
use super::ladder::{self, Choice, xml};
use super::text::{self, Options, Station};
use super::{frame_name, id_of};
use crate::report::ladder::Ladder;
use crate::report::{Capture, Confidence, Finding, LogLine, Place, Report, Severity, Verdict, base_name};
use askama::Template;
use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use tables::Table;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Findings told; the rest is in the JSON report.
const FINDINGS: usize = 500;
/// Frames linked of one finding.
const FRAMES: usize = 40;
/// Ways in the address picture.
const WAYS: usize = 12;
/// Bytes of hexadecimal text that are a fingerprint and no address.
const LONG: usize = 16;
/// Lines of logs quoted by one finding.
const LOGS: usize = 10;

/// What the template fills in.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    version: &'static str,
    title: String,
    style: &'static str,
    ladder_style: &'static str,
    script: &'static str,
    script_hash: String,
    verdict: Worded,
    headline: String,
    captures: Vec<CaptureFacts>,
    parts: Vec<Part>,
    findings: Vec<Told<'a>>,
    more_findings: u64,
    ways: Vec<Vec<StationShown>>,
    more_ways: usize,
    ladder: String,
    timeline: String,
    tables: Vec<Table>,
}

/// A word and the class that colours it.
struct Worded {
    word: &'static str,
    class: &'static str,
}

struct CaptureFacts {
    path: String,
    facts: String,
}

/// An entry of the navigation.
struct Part {
    id: &'static str,
    name: &'static str,
}

/// One finding.
struct Told<'a> {
    class: &'static str,
    severity: &'static str,
    title: String,
    id: &'a str,
    likely: bool,
    occurrences: u64,
    cause: Option<Cause<'a>>,
    explanation: String,
    when: Option<String>,
    affected: Option<String>,
    fix: String,
    frames: Vec<FrameLink>,
    more_frames: u64,
    logs: Vec<String>,
    more_logs: u64,
    filter: Option<String>,
    reference: Option<&'a str>,
}

/// The finding that explains another: its number on the page, 0 where it is not on it.
struct Cause<'a> {
    index: usize,
    id: &'a str,
}

/// A frame, linked where the ladder shows it.
struct FrameLink {
    name: String,
    anchor: String,
    is_drawn: bool,
}

struct StationShown {
    role: &'static str,
    address: String,
}

/// The page for a report and the ladder of the same captures. The ladder is that of the session which the headline is about.
#[must_use]
pub fn report(report: &Report, ladder: &Ladder, options: &Options) -> String {
    let drawing = if ladder.sessions.is_empty() {
        String::new()
    } else {
        ladder::embedded(ladder, report, Choice::Telling, options)
    };
    let links = Links { drawn: anchors(&drawing), several: report.captures.len() > 1 };
    let tables = tables::all(report, &options.clock, &links);
    let timeline = timeline::svg(report);
    let ways = text::ways(report);
    let (shown, told) = (ways.len().min(WAYS), report.findings.len().min(FINDINGS));
    let mut page = Page {
        version: env!("CARGO_PKG_VERSION"),
        title: title(report),
        style: STYLE,
        ladder_style: ladder::STYLE,
        script: SCRIPT,
        script_hash: script_hash(),
        verdict: verdict(report.verdict),
        headline: shown_text(&report.headline),
        captures: report.captures.iter().map(|capture| facts(capture, &options.clock)).collect(),
        parts: Vec::new(),
        findings: report
            .findings
            .iter()
            .take(FINDINGS)
            .map(|finding| tell(finding, report, &options.clock, &links))
            .collect(),
        more_findings: (report.findings.len() - told) as u64 + report.left_out("findings"),
        more_ways: ways.len() - shown,
        ways: ways.into_iter().take(WAYS).map(|way| way.into_iter().map(station).collect()).collect(),
        ladder: drawing,
        timeline,
        tables,
    };
    page.parts = page.contents();
    page.render().unwrap_or_default() // writing to a String cannot fail
}

impl Page<'_> {
    fn contents(&self) -> Vec<Part> {
        let fixed = [
            (!self.findings.is_empty(), Part { id: "findings", name: "Findings" }),
            (!self.ways.is_empty(), Part { id: "addresses", name: "Addresses" }),
            (!self.ladder.is_empty(), Part { id: "ladder", name: "Ladder" }),
            (!self.timeline.is_empty(), Part { id: "timeline", name: "Timeline" }),
        ];
        let fixed = fixed.into_iter().filter_map(|(is_there, part)| is_there.then_some(part));
        fixed.chain(self.tables.iter().map(|table| Part { id: table.id, name: table.name })).collect()
    }
}

/// What the policy of a page lets run.
fn script_hash() -> String {
    format!("sha256-{}", Base64::encode_string(&Sha256::digest(SCRIPT.as_bytes())))
}

/// Which frames the ladder has, and how they are called.
struct Links {
    drawn: BTreeSet<String>,
    several: bool,
}

impl Links {
    fn to(&self, place: Place) -> FrameLink {
        let Place { capture, frame } = place;
        let anchor = format!("f{capture}-{frame}");
        FrameLink { name: frame_name(place, self.several), is_drawn: self.drawn.contains(&anchor), anchor }
    }
}

/// The anchors in a drawing, as its renderer writes them; text from captures cannot look like one, since its quotes are escaped.
fn anchors(drawing: &str) -> BTreeSet<String> {
    let ids = drawing.split("<g id=\"").skip(1).filter_map(|rest| rest.split('"').next());
    ids.map(str::to_owned).collect()
}

/// Text as markup in which a long fingerprint may be broken between its bytes, and is copied whole all the same.
fn soft(text: &str) -> String {
    let mut out = xml(text);
    let is_byte =
        |pair: &[u8]| matches!(pair, [high, low, b':'] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    let mut at = 0;
    while let Some(rest) = out.get(at..) {
        let bytes = rest.as_bytes().chunks(3).take_while(|pair| is_byte(pair)).count();
        if bytes >= LONG {
            let broken = rest.get(..3 * bytes).unwrap_or_default().replace(':', ":<wbr>");
            let length = broken.len();
            out.replace_range(at..at + 3 * bytes, &broken);
            at += length;
        }
        // the next byte that may begin one stands behind something that is none
        let Some(next) = out.get(at..).and_then(|rest| rest.find(' ')) else { break };
        at += next + 1;
    }
    out
}

/// Text of the capture, control characters and marks of direction made visible; the template escapes markup.
fn shown_text(text: &str) -> String {
    escape(text).into_owned()
}

fn title(report: &Report) -> String {
    let name = report.captures.first().map_or("report", Capture::name);
    format!("{}: {} – turnscope", verdict(report.verdict).word.to_lowercase(), shown_text(name))
}

fn verdict(verdict: Verdict) -> Worded {
    match verdict {
        Verdict::Failure => Worded { word: "FAILURE", class: "failure" },
        Verdict::Warning => Worded { word: "WARNING", class: "warning" },
        Verdict::Healthy => Worded { word: "HEALTHY", class: "healthy" },
        Verdict::NothingFound => Worded { word: "NOTHING FOUND", class: "nothing" },
    }
}

fn facts(capture: &Capture, clock: &Clock) -> CaptureFacts {
    let frames = text::count(capture.frames, "frame", "frames");
    let mut facts = format!("{}, {frames}, {}", capture.format, text::bytes(capture.bytes));
    if let (Some(first), Some(last)) = (capture.first_time, capture.last_time) {
        facts += &format!(", {} from {}", last.at.since(first.at), clock.show(first));
    }
    if let Some(moved) = text::clock_moved(capture) {
        facts += &format!(", {moved}");
    }
    if capture.timeless {
        facts += &format!("; times: {}", text::TIMELESS);
    }
    if let Some(set_back) = text::set_back(capture, clock) {
        facts += &format!("; times: {set_back}");
    }
    if let Some(lost) = capture.lost_packets {
        facts += &format!("; {lost} packets lost while capturing, by its own count");
    }
    for damage in &capture.damage {
        facts += &format!("; damaged at byte {}, after frame {}: {}", damage.offset, damage.after_frame, damage.what);
    }
    CaptureFacts { path: shown_text(&capture.path), facts: shown_text(&facts) }
}

fn tell<'a>(finding: &'a Finding, report: &'a Report, clock: &Clock, links: &Links) -> Told<'a> {
    let (class, severity) = match finding.severity {
        Severity::Failure => ("failure", "Failure"),
        Severity::Warning => ("warning", "Warning"),
        Severity::Note => ("note", "Note"),
    };
    let cause = finding.caused_by.as_deref().map(|key| Cause {
        index: report.findings.iter().take(FINDINGS).position(|other| other.key == key).map_or(0, |at| at + 1),
        id: id_of(key),
    });
    let frames: Vec<FrameLink> = finding.places.iter().take(FRAMES).map(|place| links.to(*place)).collect();
    Told {
        class,
        severity,
        title: shown_text(&finding.title),
        id: &finding.id,
        likely: finding.confidence == Confidence::Likely,
        occurrences: finding.occurrences,
        cause,
        explanation: soft(&shown_text(&finding.explanation)),
        when: text::when(finding, clock),
        affected: finding.affected.several().map(|affected| soft(&shown_text(&affected))),
        fix: soft(&shown_text(&finding.fix)),
        more_frames: finding.places_total.saturating_sub(frames.len() as u64),
        frames,
        more_logs: finding.logs_total.saturating_sub(finding.logs.len().min(LOGS) as u64),
        logs: finding.logs.iter().take(LOGS).map(|line| log_line(line, clock)).collect(),
        filter: finding.filter.as_deref().map(shown_text),
        reference: finding.reference.as_deref(),
    }
}

/// `coturn.log line 12: 10:00:00.1 401: user …`.
fn log_line(line: &LogLine, clock: &Clock) -> String {
    let file = base_name(&line.file);
    shown_text(&format!("{file} line {}: {} {}", line.line, clock.show(line.time), line.text))
}

fn station((role, address): Station) -> StationShown {
    StationShown { role, address: shown_text(&address) }
}
