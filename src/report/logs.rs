//! Logs of servers: the lines that are about what the captures show, on the same timeline, and the findings that explain them.

pub use crate::logs::Source as LogOffset;

use super::{Capture, Finding, Report, Time};
use crate::bounded::BoundedList;
use crate::logs::{self, Event, Line, Offset, estimate, words::Said};
use crate::rules::{Severity, View};
use crate::session::Exchange;
use crate::time::{Span, Timestamp};
use crate::wire::stun::Method;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// How many lines are listed.
const MAX_LISTED: usize = 250;
/// How many lines of a finding are listed.
const MAX_QUOTED: usize = 8;
/// Lines so long before the capture and after it may be about it: servers give up, and write, later than the packets tell.
const AROUND: Span = Span::from_secs(30);
/// A line is not explained by what begins so long after it.
const BEFORE: Span = Span::from_secs(5);

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LogLine {
    /// Its time, on the clock of the captures.
    pub time: Time,
    /// Its text without the time; what looks like a secret is replaced by `[…]`.
    pub text: String,
    /// The log.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// The key of the finding that explains it.
    pub finding: Option<String>,
}

/// A log that was given.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LogFile {
    /// Its path.
    pub file: String,
    /// How its times are written: `dates and times`, `syslog (RFC 3164)`, `syslog (RFC 5424)`, `seconds since the server began`; `null` where
    /// none was found.
    pub format: Option<String>,
    /// Lines that were read.
    pub lines: u64,
    /// Lines that were passed over: without a time, or beyond what is kept.
    pub passed_over: u64,
    /// Whether its end was not read, since it is too large.
    pub cut: bool,
    /// Lines that are about what the captures show.
    pub relevant: u64,
    /// What was added to its times, in microseconds; `null` where they could not be placed.
    pub offset_us: Option<i64>,
    /// Where that comes from; `null` as there.
    pub offset_from: Option<LogOffset>,
    /// How many of its lines fit answers in the captures, where the offset was estimated by them.
    pub matched: u64,
}

/// What a server may write of an exchange.
pub(super) fn event(exchange: &Exchange, view: &View<'_>) -> Option<Event> {
    let answer = exchange.answer.as_ref()?;
    let method = match exchange.method {
        Method::ALLOCATE => "ALLOCATE",
        Method::REFRESH => "REFRESH",
        Method::CREATE_PERMISSION => "CREATE_PERMISSION",
        Method::CHANNEL_BIND => "CHANNEL_BIND",
        _ => return None,
    };
    let text = |name: Option<crate::session::Name>| name.map(|name| view.text(name)).unwrap_or_default();
    Some(Event {
        at: answer.seen.time,
        code: (answer.code > 0).then_some(answer.code),
        user: text(exchange.asked.user),
        realm: text(exchange.asked.realm.or(answer.realm)),
        method: method.to_owned(),
    })
}

/// Whom and what the captures are about.
struct Interest {
    addresses: BTreeSet<IpAddr>,
    users: BTreeSet<String>,
}

impl Interest {
    fn of(report: &Report) -> Self {
        let mut addresses: BTreeSet<IpAddr> = report.servers.iter().map(|server| server.address.0.ip()).collect();
        let mut users = BTreeSet::new();
        for known in &report.authentications {
            addresses.extend([known.client.0.ip(), known.server.0.ip()]);
            users.extend(known.username.clone());
        }
        for known in &report.allocations {
            addresses.extend(known.relayed.iter().chain(&known.mapped).map(|address| address.0.ip()));
            users.extend(known.username.clone());
        }
        for finding in &report.findings {
            addresses.extend(addresses_of(finding));
            users.extend(finding.subject.username.clone());
        }
        Interest { addresses, users }
    }

    fn in_it(&self, said: &Said) -> bool {
        said.addresses.iter().any(|ip| self.addresses.contains(ip))
            || said.user.as_ref().is_some_and(|user| self.users.contains(user))
    }
}

fn addresses_of(finding: &Finding) -> impl Iterator<Item = IpAddr> {
    let subject = &finding.subject;
    let all = [subject.client, subject.server, subject.peer, subject.relayed, subject.mapped];
    all.into_iter().flatten().map(|address| address.0.ip())
}

/// Puts the lines of logs into a report, and with the findings that explain them.
pub(super) fn quote(report: &mut Report, files: &[logs::LogFile], given: Option<Span>, events: &[Event]) {
    // the captures' own times, by the clock that they were lined up with
    let clock = |capture: &Capture| Span::from_micros(capture.clock_offset_us.unwrap_or(0));
    let captures = || report.captures.iter();
    let first = captures().filter_map(|one| Some(one.first_time?.at.after(clock(one)))).min();
    let last = captures().filter_map(|one| Some(one.last_time?.at.after(clock(one)))).max();
    let clocks: Vec<Span> = captures().map(clock).filter(|span| span.0 != 0).collect();
    let interest = Interest::of(report);
    let mut found: Vec<LogLine> = Vec::new();
    let mut omitted = 0;
    for file in files {
        let earlier = first.zip(last).and_then(|(first, last)| file.a_year_earlier(first, last));
        let file = earlier.as_ref().unwrap_or(file);
        let offset = match given {
            // what has no date counts from the beginning of the captures
            Some(span) if file.is_relative() => first.map(|first| Span(first.0.saturating_add(span.0))),
            given => given,
        };
        let offset = offset.map(|span| Offset::untold(span, LogOffset::Given));
        let offset = offset.or_else(|| estimate(file, events, &clocks));
        let mut relevant = 0;
        if let (Some(offset), Some(first), Some(last)) = (offset, first, last) {
            let (from, to) = (first.before(AROUND), last.after(AROUND));
            for line in &file.lines {
                let at = line.written.after(offset.span);
                if at < from || at > to {
                    continue;
                }
                let said = Said::of(&line.text);
                let key = explain(report, &said, at);
                if key.is_none() && !interest.in_it(&said) {
                    continue;
                }
                relevant += 1;
                let listed = log_line(file, line, at, key);
                tell(report, &listed);
                if !found.push_up_to(MAX_LISTED, listed) {
                    omitted += 1;
                }
            }
        }
        report.log_files.push(of_file(file, offset, relevant));
    }
    found.sort_by(|a, b| (a.time.at, &a.file, a.line).cmp(&(b.time.at, &b.file, b.line)));
    report.logs = found;
    let cut = files.iter().filter(|file| file.cut).count() as u64;
    for (what, count) in [("logs", omitted), ("logs_cut_off", cut)] {
        if count > 0 {
            report.omitted.insert(what.to_owned(), count);
        }
    }
}

fn of_file(file: &logs::LogFile, offset: Option<Offset>, relevant: u64) -> LogFile {
    LogFile {
        file: file.path.clone(),
        format: file.format.map(|format| format.name().to_owned()),
        lines: file.lines.len() as u64,
        passed_over: file.passed_over,
        cut: file.cut,
        relevant,
        offset_us: offset.map(|offset| offset.span.micros()),
        offset_from: offset.map(|offset| offset.source),
        matched: offset.map_or(0, |offset| offset.matched as u64),
    }
}

fn log_line(file: &logs::LogFile, line: &Line, at: Timestamp, finding: Option<String>) -> LogLine {
    // as exact as logs are at most
    LogLine { time: Time::new(at, 3), text: line.text.clone(), file: file.path.clone(), line: line.number, finding }
}

/// The key of the finding that explains a line: one that such lines are written for, about nobody else, and not long after the line.
fn explain(report: &Report, said: &Said, at: Timestamp) -> Option<String> {
    let fits = |finding: &&Finding| {
        let user = match (&said.user, &finding.subject.username) {
            (Some(user), Some(known)) => user == known,
            _ => true,
        };
        let mut known = addresses_of(finding).peekable();
        let place = said.addresses.is_empty() || known.peek().is_none() || known.any(|ip| said.addresses.contains(&ip));
        let begun = finding.first_time.is_none_or(|since| at.after(BEFORE) >= since.at);
        user && place && begun && said.findings.contains(&finding.id.as_str())
    };
    let order = |finding: &&Finding| {
        let likeliest = said.findings.iter().position(|id| *id == finding.id);
        (finding.severity == Severity::Note, finding.caused_by.is_some(), finding.severity, likeliest)
    };
    report.findings.iter().filter(fits).min_by_key(order).map(|finding| finding.key.clone())
}

fn tell(report: &mut Report, line: &LogLine) {
    let explains = |finding: &&mut Finding| Some(&finding.key) == line.finding.as_ref();
    if let Some(finding) = report.findings.iter_mut().find(explains) {
        finding.logs_total += 1;
        if finding.logs.len() < MAX_QUOTED {
            finding.logs.push(line.clone());
        }
    }
}
