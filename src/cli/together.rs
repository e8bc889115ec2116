//! Several captures given at once: vantage points of the same event.

use super::error::{Error, say};
use super::input::Input;
use super::options::Wanted;
use super::run::{self, Extra};
use crate::analyzer::{Analyzed, Source, Together};
use crate::event::Row;
use crate::time::Timestamp;

/// Reads captures; several together, since they may show the same packets. One bad file does not stop the others, and places count the captures that
/// the report lists.
pub(super) fn read(
    captures: &[String],
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
    let sources: Vec<Source> =
        inputs.iter().enumerate().map(|(point, input)| Source { path: input.path.clone(), point }).collect();
    drop(inputs);
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
