//! Several captures given at once: vantage points of the same event.

use super::error::{Error, say};
use super::input::Input;
use super::options::Wanted;
use super::rotation::rotations;
use super::run::{self, Extra};
use crate::analyzer::{Analyzed, Source, Together};
use crate::event::Row;
use crate::time::Timestamp;

/// Reads captures; several together, since they may show the same packets. One bad file does not stop the others, and places count the captures that
/// the report lists.
pub(super) fn read(
    captures: &[String],
    join: bool,
    reading: &Wanted,
    extra: Extra,
    sink: &mut impl FnMut(&Row<'_>),
) -> Result<Vec<Analyzed>, Error> {
    let mut inputs: Vec<Input> = Vec::new();
    for path in captures {
        match Input::open(path) {
            Ok(input) => inputs.push(input),
            Err(error) => say(&error),
        }
    }
    if inputs.len() < 2 || inputs.iter().any(|input| !input.regular) {
        if inputs.len() > 1 {
            say(&Error::new("", "a pipe can be read only once", "what it shares with the other captures is not looked for"));
        }
        return one_by_one(inputs, reading, extra, sink);
    }
    let sources: Vec<Source> = if join {
        rotated(inputs)
    } else {
        inputs.into_iter().enumerate().map(|(point, input)| Source { path: input.path, point }).collect()
    };
    let paths: Vec<String> = sources.iter().map(|source| source.path.clone()).collect();
    let open = |index: u32| Input::open(paths.get(index as usize)?).ok().map(Input::into_capture);
    let together = Together::new(sources, &open);
    let mut icmp = Some(extra.icmp);
    let mut wanted = |start: Timestamp| {
        let extra = Extra { media: extra.media, icmp: icmp.take().unwrap_or_default() };
        let mut options = run::wanted(0, reading, extra)?;
        options.filters = reading.filters(start);
        Ok(options)
    };
    together.analyze(&mut wanted, sink)
}

/// Which files are one capture, by their names, in the order of their first frames: the numbers of a ring that came round begin in the middle.
/// Where the names tell nothing, all files that were given are one capture.
fn rotated(inputs: Vec<Input>) -> Vec<Source> {
    let paths: Vec<String> = inputs.iter().map(|input| input.path.clone()).collect();
    let mut begin: Vec<(Option<Timestamp>, usize)> = Vec::new();
    for (index, mut input) in inputs.into_iter().enumerate() {
        begin.push((input.next_frame().and_then(|frame| frame.time), index));
    }
    let rotations = rotations(&paths);
    let together = rotations.len() == paths.len();
    let point_of = |index: usize| {
        let found = rotations.iter().position(|rotation| rotation.members.contains(&index));
        if together { 0 } else { found.unwrap_or_default() }
    };
    let mut sources: Vec<(usize, Option<Timestamp>, usize)> =
        begin.into_iter().map(|(time, index)| (point_of(index), time, index)).collect();
    sources.sort_unstable();
    let source = |(point, _, index): (usize, Option<Timestamp>, usize)| {
        Some(Source { path: paths.get(index)?.clone(), point })
    };
    sources.into_iter().filter_map(source).collect()
}

fn one_by_one(
    inputs: Vec<Input>,
    reading: &Wanted,
    extra: Extra,
    sink: &mut impl FnMut(&Row<'_>),
) -> Result<Vec<Analyzed>, Error> {
    let mut parts = Vec::new();
    let media = extra.media;
    let mut icmp = Some(extra.icmp);
    for mut input in inputs {
        let extra = Extra { media, icmp: icmp.take().unwrap_or_default() };
        parts.push(run::read(&mut input, parts.len(), reading, extra, |row, _| {
            sink(row);
            true
        })?);
    }
    Ok(parts)
}
