//! Errors: one line each, with what to do.

use crate::capture::Damage;
use crate::render::escape::escape;
use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;

/// Why something could not be done: about what, what is wrong, and what to do.
#[derive(Debug)]
pub(super) struct Error {
    about: String,
    what: String,
    hint: &'static str,
    broken_pipe: bool,
}

impl Error {
    /// An error about a file or option; no hint if there is nothing to advise.
    pub(super) fn new(about: impl Into<String>, what: impl fmt::Display, hint: &'static str) -> Self {
        Error { about: about.into(), what: what.to_string(), hint, broken_pipe: false }
    }

    /// What reading a file failed with.
    pub(super) fn reading(path: &str, error: &io::Error) -> Self {
        // Windows does not let folders be opened at all
        let kind = if Path::new(path).is_dir() { io::ErrorKind::IsADirectory } else { error.kind() };
        let (what, hint) = match kind {
            io::ErrorKind::NotFound => ("no such file".to_owned(), "check the path"),
            io::ErrorKind::PermissionDenied => ("permission denied".to_owned(), "make it readable for this user"),
            io::ErrorKind::IsADirectory => {
                ("is a directory".to_owned(), "have turnscope batch read it, or give the files in it")
            }
            io::ErrorKind::InvalidFilename => {
                ("cannot be the name of a file".to_owned(), "check the path; patterns are for turnscope batch")
            }
            _ => (error.to_string(), ""),
        };
        Error::new(path, what, hint)
    }

    /// What writing results failed with.
    pub(super) fn writing(path: &str, error: &io::Error) -> Self {
        let broken_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Error { broken_pipe, ..Error::new(path, format_args!("cannot be written: {error}"), "") }
    }

    /// Whether the reader of the results went away, which is its right.
    pub(super) fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.about.is_empty() {
            write!(f, "{}: ", escape(&self.about))?;
        }
        f.write_str(&escape(&self.what))?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Tells what of a capture could not be read, for output that has no place for it.
pub(super) fn say_damage(path: &str, damage: &[Damage]) {
    for Damage { offset, after_frame, what, resumed_at } in damage {
        let rest = if resumed_at.is_some() { "some of it is missing" } else { "the rest could not be read" };
        say(&Error::new(path, format_args!("damaged at byte {offset}, after frame {after_frame}: {what}"), rest));
    }
}

/// Prints a line to standard error, `turnscope:` before it. Where that takes nothing there is nobody to tell.
pub(super) fn say(what: &impl fmt::Display) {
    let _ = writeln!(anstream::stderr(), "turnscope: {what}");
}
