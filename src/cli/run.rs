//! Does what the options say.

use super::Status;
use super::args::{Args, FlowFormat, PageFormat, ReportFormat, RowFormat};
use super::beside::Beside;
use super::error::{Error, say_damage};
use super::input::{Input, start};
use super::options::{Look, Options, Wanted};
use super::output;
use super::together;
use crate::analyzer::{self, Analyzed, Analyzer, IcmpAnswers};
use crate::event::{IcmpAnswer, Row};
use crate::packet::{Packet, Packets};
use crate::render::{html, json, ladder, messages, text, verify};
use crate::report::ladder::Ladder;
use crate::report::{Report, Verdict};
use crate::session::deployment::Deployment;
use crate::time::Timestamp;
use clap::CommandFactory as _;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What `analyze` is asked to do.
#[derive(Debug)]
pub(super) struct Analyze {
    pub captures: Vec<PathBuf>,
    /// Whether rotated files are one capture.
    pub join: bool,
    pub format: PageFormat,
    /// The file to write, if not standard output.
    pub output: Option<PathBuf>,
    pub reading: Wanted,
    pub beside: Beside,
    pub look: Look,
}

/// What `flow` is asked to do.
#[derive(Debug)]
pub(super) struct Flow {
    pub captures: Vec<PathBuf>,
    pub format: FlowFormat,
    pub choice: ladder::Choice,
    /// The file to write, if not standard output.
    pub output: Option<PathBuf>,
    pub reading: Wanted,
    pub look: Look,
}

/// Runs a command.
pub(super) fn run(options: Options) -> Result<Status, Error> {
    options.warn();
    match options {
        Options::Analyze(job) => analyze(&job),
        Options::Messages { capture, format, media, reading, look } => {
            list_messages(&capture, format, media, &reading, look)
        }
        Options::Verify { capture, format, reading, look } => list_verified(&capture, format, &reading, look),
        Options::Flow(job) => flow(&job),
        Options::Batch(job) => super::batch::run(*job),
        Options::Annotate(job) => super::annotate::run(&job),
        Options::Redact(job) => super::redact::run(&job),
        Options::Explain { what, look } => {
            let layout = output::text_options(look, look.clock(None), false);
            let told = text::explain(&what, &layout).map_err(|unknown| Error::new("", unknown, ""))?;
            output::print(told.as_bytes()).map(|()| Status::Fine)
        }
        Options::Completions(shell) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "turnscope", &mut script);
            output::print(&script).map(|()| Status::Fine)
        }
        Options::Man => {
            let mut page = Vec::new();
            super::man::write(&mut page).map_err(|error| output::stdout_error(&error))?;
            output::print(&page).map(|()| Status::Fine)
        }
    }
}

fn analyze(job: &Analyze) -> Result<Status, Error> {
    let &Analyze { ref captures, join, format, ref output, ref reading, ref beside, look } = job;
    let extra = || Extra { deployment: beside.deployment.clone(), ..Extra::default() };
    let (parts, collected) = together::read(captures, join, reading, &extra, format == PageFormat::Html)?;
    if parts.is_empty() {
        return Ok(Status::Unusable);
    }
    let report = analyzer::report_beside(parts, &beside.logs(), beside.log_offset);
    let (to_file, clock) = (output.is_some(), look.clock(first_time(&report)));
    let written = match format {
        // as it is made: the JSON of a large report is larger than all else that is in memory
        PageFormat::Json => {
            let path = output.as_deref().unwrap_or(Path::new(output::STDOUT));
            output::write_file(path, |mut out| json::report(&mut out, &report))
        }
        PageFormat::Text => {
            let layout = output::text_options(look, clock, to_file);
            output::write(output.as_deref(), &text::report(&report, &layout))
        }
        PageFormat::Html => {
            let layout = output::text_options(look, clock, true);
            output::write(output.as_deref(), &html::report(&report, &Ladder::new(collected, &report), &layout))
        }
    };
    written.or_else(super::broken)?;
    Ok(status(&report))
}

fn flow(job: &Flow) -> Result<Status, Error> {
    let &Flow { ref captures, format, choice, ref output, ref reading, look } = job;
    let (parts, collected) = together::read(captures, false, reading, &Extra::default, true)?;
    if parts.is_empty() {
        return Ok(Status::Unusable);
    }
    let report = analyzer::report(parts);
    if !look.is_quiet() {
        report.captures.iter().for_each(|capture| say_damage(&capture.path, &capture.damage));
    }
    let ladder = Ladder::new(collected, &report);
    if let ladder::Choice::Session(number) = choice
        && number > ladder.sessions.len()
    {
        let there = match ladder.sessions.len() {
            0 => "there is none".to_owned(),
            1 => "there is only session 1".to_owned(),
            many => format!("there are sessions 1 to {many}"),
        };
        return Err(Error::new(format!("--session {number}"), format_args!("no such session: {there}"), ""));
    }
    let layout = output::text_options(look, look.clock(first_time(&report)), output.is_some());
    let drawing = match format {
        FlowFormat::Text => ladder::text(&ladder, &report, choice, &layout),
        FlowFormat::Svg => ladder::svg(&ladder, &report, choice, &layout),
        FlowFormat::Mermaid => ladder::mermaid(&ladder, choice, &layout),
    };
    output::write(output.as_deref(), &drawing).or_else(super::broken)?;
    Ok(Status::Fine)
}

fn list_messages(path: &Path, format: RowFormat, media: bool, reading: &Wanted, look: Look) -> Result<Status, Error> {
    let mut input = Input::open(path)?;
    let icmp = icmp_answers(&input)?;
    let live = !input.regular || output::is_terminal();
    let mut writer = None;
    let mut failed = None;
    read(&mut input, 0, reading, Extra { media, icmp, ..Extra::default() }, |row, start| {
        let writer = writer.get_or_insert_with(|| {
            let format = match format {
                RowFormat::Text => messages::Format::Text(look.clock(Some(start))),
                RowFormat::Jsonl => messages::Format::Jsonl,
                RowFormat::Csv => messages::Format::Csv,
            };
            messages::Writer::new(io::stdout().lock(), format, live)
        });
        failed = writer.row(row).err();
        failed.is_none()
    })?;
    let ended = match (failed, writer) {
        (Some(error), _) => Err(error),
        (None, Some(mut writer)) => writer.flush(),
        // No message at all: a table still has its header.
        (None, None) if format == RowFormat::Csv => {
            messages::Writer::new(io::stdout().lock(), messages::Format::Csv, live).flush()
        }
        (None, None) => Ok(()),
    };
    ended.map_err(|error| output::stdout_error(&error))?;
    if !look.is_quiet() {
        input.warn_of_damage();
    }
    Ok(Status::Fine)
}

fn list_verified(path: &Path, format: ReportFormat, reading: &Wanted, look: Look) -> Result<Status, Error> {
    let mut input = Input::open(path)?;
    let live = !input.regular || output::is_terminal();
    let format = match format {
        ReportFormat::Json => verify::Format::Json,
        ReportFormat::Text => verify::Format::Text(output::text_options(look, look.clock(None), false)),
    };
    let mut writer = verify::Writer::new(io::stdout().lock(), format, live);
    let mut failed = None;
    let part = read(&mut input, 0, reading, Extra::default(), |row, _| {
        failed = writer.row(row).err();
        failed.is_none()
    })?;
    let ended = match failed {
        Some(error) => Err(error),
        None => {
            let report = analyzer::report(vec![part]);
            writer.finish(&report.captures, &report.credentials)
        }
    };
    ended.map_err(|error| output::stdout_error(&error)).or_else(super::broken)?;
    Ok(if writer.protected().mismatched > 0 { Status::Found } else { Status::Fine })
}

/// What `messages` and `flow` want beyond the rest.
#[derive(Default)]
pub(super) struct Extra {
    pub media: bool,
    pub deployment: Deployment,
    pub icmp: BTreeMap<u64, IcmpAnswer>,
}

/// Reads a capture to its end, or until the sink has enough. The sink gets the rows, and the time of the capture's first frame.
pub(super) fn read(
    input: &mut Input<'_>,
    index: usize,
    reading: &Wanted,
    extra: Extra,
    mut sink: impl FnMut(&Row<'_>, Timestamp) -> bool,
) -> Result<Analyzed, Error> {
    let mut options = wanted(index, reading, extra)?;
    let mut begun: Option<(Analyzer, Timestamp)> = None;
    let more = Cell::new(true);
    let mut sink = |row: &Row<'_>, start| more.set(more.get() && sink(row, start));
    while more.get() {
        if let Some((analyzer, start)) = &mut begun
            && input.at_once(analyzer, &mut |row| sink(row, *start), || more.get())
        {
            continue;
        }
        let Some((frame, secrets)) = input.next_with_secrets() else {
            if input.next_part() {
                continue;
            }
            break;
        };
        let (analyzer, start) = begun.get_or_insert_with(|| {
            let start = start(&frame);
            options.filters = reading.filters(start);
            (Analyzer::new(std::mem::take(&mut options)), start)
        });
        analyzer.secrets(secrets);
        analyzer.frame(&frame, &mut |row| sink(row, *start));
    }
    if let Some((analyzer, start)) = &mut begun
        && more.get()
    {
        analyzer.drain(&mut |row| sink(row, *start));
    }
    let analyzer = begun.map_or_else(|| Analyzer::new(options), |(analyzer, _)| analyzer);
    Ok(analyzer.finish(input.path.clone(), input.info()))
}

/// What is wanted of an analysis, but for what the capture's start decides.
pub(super) fn wanted(index: usize, reading: &Wanted, extra: Extra) -> Result<analyzer::Options, Error> {
    let mut options = analyzer::Options {
        capture: u32::try_from(index).unwrap_or(u32::MAX),
        credentials: reading.credentials.credentials()?,
        media: extra.media,
        deployment: extra.deployment,
        icmp: extra.icmp,
        keys: reading.keys.log(),
        ..analyzer::Options::default()
    };
    reading.told.add_to(&mut options.signalling, &mut options.credentials);
    Ok(options)
}

/// What `messages` and `flow` say of requests that an ICMP error answered: a pass of its own, since the error comes after what it answers, and
/// only over files, which can be read twice.
pub(super) fn icmp_answers(input: &Input<'_>) -> Result<BTreeMap<u64, IcmpAnswer>, Error> {
    if input.regular { icmp_answers_of(|| Input::open(&input.file)) } else { Ok(BTreeMap::new()) }
}

/// The same of anything that can be opened twice.
pub(super) fn icmp_answers_of<'i>(
    open: impl Fn() -> Result<Input<'i>, Error>,
) -> Result<BTreeMap<u64, IcmpAnswer>, Error> {
    let mut answers = IcmpAnswers::default();
    if has_icmp_errors(open()?) {
        let mut again = open()?;
        loop {
            while let Some(frame) = again.next_frame() {
                answers.frame(&frame);
            }
            if !again.next_part() {
                break;
            }
        }
    }
    Ok(answers.finish())
}

/// Whether a capture holds an ICMP error at all: most do not, and then need no closer look.
fn has_icmp_errors(mut input: Input<'_>) -> bool {
    let mut packets = Packets::default();
    let mut found = false;
    loop {
        while !found && let Some(frame) = input.next_frame() {
            let time = frame.time.unwrap_or_default();
            packets.dissect(&frame, time, &mut |packet| found |= matches!(packet, Packet::IcmpError(_)));
        }
        if found || !input.next_part() {
            return found;
        }
    }
}

/// When the first of the captures begins.
pub(super) fn first_time(report: &Report) -> Option<Timestamp> {
    report.captures.iter().filter_map(|capture| capture.first_time).map(|time| time.at).min()
}

/// Exit status by the verdict. A failure that is only likely makes the verdict a warning.
fn status(report: &Report) -> Status {
    if report.verdict == Verdict::Failure { Status::Found } else { Status::Fine }
}
