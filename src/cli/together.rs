//! Several captures given at once: vantage points of the same event.

use super::error::{Error, say};
use super::input::{Input, is_stdin};
use super::options::Wanted;
use super::rotation::rotations;
use super::run::{self, Extra};
use crate::analyzer::{Analyzed, IcmpAnswers, Options, Source, Together};
use crate::report::ladder::Collector;
use crate::time::Timestamp;
use std::path::PathBuf;

/// Reads captures; several together, since they may show the same packets. One bad file does not stop the others, and places count the captures that
/// the report lists. With `join`, rotated files of one capture are one. What a ladder takes is collected only where it is to be `drawn`.
pub(super) fn read(
    captures: &[PathBuf],
    join: bool,
    reading: &Wanted,
    extra: &dyn Fn() -> Extra,
    drawn: bool,
) -> Result<(Vec<Analyzed>, Vec<Collector>), Error> {
    if !are_compared(captures) {
        return one_by_one(opened(captures).collect(), reading, extra, drawn);
    }
    let (sources, paths) = sources(captures, join);
    let open = |index: u32| Input::open(paths.get(index as usize)?).ok().map(Input::into_capture);
    let together = Together::new(sources, &open);
    if !drawn {
        let parts = together.analyze(&mut |start| wanted(reading, start, extra()), &mut |_| {})?;
        return Ok((parts, Vec::new()));
    }
    let mut answers = IcmpAnswers::default();
    together.frames(&mut |frame| answers.frame(frame));
    let icmp = answers.finish();
    let groups: Vec<Vec<u32>> = together.groups().collect();
    let mut collectors: Vec<Collector> = groups.iter().cloned().map(Collector::of).collect();
    let mut options = |start| wanted(reading, start, Extra { media: true, icmp: icmp.clone(), ..extra() });
    let parts = together.analyze(&mut options, &mut |row| {
        let group = groups.iter().position(|captures| captures.contains(&row.capture));
        if let Some(collector) = group.and_then(|group| collectors.get_mut(group)) {
            collector.row(row);
        }
    })?;
    Ok((parts, collectors))
}

/// Whether there are several captures and no pipe among them, which could be read only once.
fn are_compared(captures: &[PathBuf]) -> bool {
    let is_pipe =
        |path: &PathBuf| is_stdin(path) || std::fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir());
    captures.len() > 1 && !captures.iter().any(is_pipe)
}

fn wanted(reading: &Wanted, start: Timestamp, extra: Extra) -> Result<Options, Error> {
    Ok(Options { filters: reading.filters(start), ..run::wanted(0, reading, extra)? })
}

/// The captures that can be read, each opened when it is asked for: there may be more than the system lets one have open.
fn opened(captures: &[PathBuf]) -> impl Iterator<Item = Input<'static>> {
    captures.iter().filter_map(|path| Input::open(path).inspect_err(say).ok())
}

/// What the captures are called, and by what they are opened again.
fn sources(captures: &[PathBuf], join: bool) -> (Vec<Source>, Vec<PathBuf>) {
    let inputs = opened(captures);
    if join {
        return rotated(inputs);
    }
    inputs.enumerate().map(|(point, input)| (Source { path: input.path, point }, input.file)).unzip()
}

/// Which files are one capture, by their names, in the order of their first frames: the numbers of a ring that came round begin in the middle.
/// Where the names tell nothing, all files that were given are one capture.
fn rotated(inputs: impl Iterator<Item = Input<'static>>) -> (Vec<Source>, Vec<PathBuf>) {
    let begun = |mut input: Input| (input.next_frame().and_then(|frame| frame.time), input.path, input.file);
    let begun: Vec<(Option<Timestamp>, String, PathBuf)> = inputs.map(begun).collect();
    let paths: Vec<&str> = begun.iter().map(|(_, path, _)| path.as_str()).collect();
    let rotations = rotations(&paths);
    let together = rotations.len() == paths.len();
    let point_of = |index: usize| {
        let found = rotations.iter().position(|rotation| rotation.members.contains(&index));
        if together { 0 } else { found.unwrap_or_default() }
    };
    let mut sources: Vec<(usize, Option<Timestamp>, usize)> =
        begun.iter().enumerate().map(|(index, (time, ..))| (point_of(index), *time, index)).collect();
    sources.sort_unstable();
    let source = |(point, _, index): (usize, Option<Timestamp>, usize)| {
        let (_, path, file) = begun.get(index)?;
        Some((Source { path: path.clone(), point }, file.clone()))
    };
    sources.into_iter().filter_map(source).unzip()
}

fn one_by_one(
    inputs: Vec<Input>,
    reading: &Wanted,
    extra: &dyn Fn() -> Extra,
    drawn: bool,
) -> Result<(Vec<Analyzed>, Vec<Collector>), Error> {
    if inputs.len() > 1 {
        let hint = "what it shares with the other captures is not looked for";
        say(&Error::new("", "a pipe can be read only once", hint));
    }
    let (mut parts, mut collectors) = (Vec::new(), Vec::new());
    for mut input in inputs {
        if !drawn {
            parts.push(run::read(&mut input, parts.len(), reading, extra(), |_, _| true)?);
            continue;
        }
        let icmp = run::icmp_answers(&input)?;
        let mut collector = Collector::new(u32::try_from(parts.len()).unwrap_or(u32::MAX));
        let extra = Extra { media: true, icmp, ..extra() };
        parts.push(run::read(&mut input, parts.len(), reading, extra, |row, _| {
            collector.row(row);
            true
        })?);
        collectors.push(collector);
    }
    Ok((parts, collectors))
}
