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
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes the annotated capture.
pub(super) fn run(
    path: &str,
    out: &Path,
    (all, embedded): (bool, &[PathBuf]),
    reading: &Wanted,
    look: Look,
) -> Result<Status, Error> {
    let mut input = Input::open(path)?;
    if !input.regular {
        return Err(Error::new(path, "is read twice, and is no regular file", "save the capture to a file first"));
    }
    reading.credentials.warn(&[path], look);
    reading.told.warn(look);
    reading.keys.warn(look);
    let part = read(&mut input, 0, reading, Extra::default(), |_, _| true)?;
    let report = analyzer::report(vec![part]);
    let notes = Notes::new(&report, 0);
    let keys = if embedded.is_empty() { None } else { Some(keylog::of_capture(embedded, path)?) };
    let mut records = records(path)?;
    let mut write =
        |to: &mut dyn Write| annotate::write(&mut records, &notes, all, keys.as_ref().map(Secret::expose), to);
    let written = if out == Path::new("-") {
        write(&mut io::stdout().lock()).map_err(|error| output::stdout_error(&error))?
    } else {
        output::write_file_with(out, |file| write(file))?
    };
    if !look.is_quiet() {
        input.warn_of_damage();
        if written.unplaced > 0 {
            let what = format_args!("{} comments are left out: simple packets have no room for them", written.unplaced);
            say(&Error::new(path, what, ""));
        }
        let (frames, comments) = (written.frames, written.comments);
        say(&format_args!("{}: {frames} frames, {comments} comments. {}", out.display(), escape(&report.headline)));
    }
    Ok(Status::Fine)
}
