//! `annotate`: the same capture twice, once to learn what is in it, once to write it with comments.

use super::Status;
use super::error::{Error, say};
use super::input::{Input, records};
use super::keylog;
use super::options::{Look, Wanted};
use super::output;
use super::run::{Extra, read};
use crate::analyzer;
use crate::render::annotate::{self, Notes};
use crate::render::escape::escape;
use crate::secret::Secret;
use std::io::Write;
use std::path::PathBuf;

/// What `annotate` is asked to do.
#[derive(Debug)]
pub(super) struct Annotate {
    pub capture: PathBuf,
    /// The capture to write.
    pub output: PathBuf,
    /// Whether to write all frames.
    pub all: bool,
    /// The key logs whose keys are put into the capture.
    pub embedded: Vec<PathBuf>,
    pub reading: Wanted,
    pub look: Look,
}

/// Writes the annotated capture.
pub(super) fn run(job: &Annotate) -> Result<Status, Error> {
    let &Annotate { capture: ref path, ref output, all, ref embedded, ref reading, look } = job;
    let mut input = Input::open_file(path)?;
    let part = read(&mut input, 0, reading, Extra::default(), |_, _| true)?;
    let report = analyzer::report(vec![part]);
    let notes = Notes::new(&report, 0);
    let keys = if embedded.is_empty() { None } else { Some(keylog::of_capture(embedded, path)?) };
    let mut records = records(path)?;
    let write = |to: &mut dyn Write| annotate::write(&mut records, &notes, all, keys.as_ref().map(Secret::expose), to);
    let written = output::write_file(output, write)?;
    if !look.is_quiet() {
        input.warn_of_damage();
        if written.unplaced > 0 {
            let what = format_args!("{} comments are left out: simple packets have no room for them", written.unplaced);
            say(&Error::new(path.display().to_string(), what, ""));
        }
        let (frames, comments) = (written.frames, written.comments);
        let (output, headline) = (output.display().to_string(), escape(&report.headline));
        say(&format_args!("{}: {frames} frames, {comments} comments. {headline}", escape(&output)));
    }
    Ok(Status::Fine)
}
