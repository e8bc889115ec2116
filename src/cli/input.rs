//! Captures: files, pipes, standard input.

use super::error::{Error, say};
use crate::analyzer::Analyzer;
use crate::capture::{Capture, CaptureInfo, OpenError, Records};
use crate::frame::Frame;
use crate::time::Timestamp;
use std::fs::File;
use std::io::{self, Read};

/// A capture that is open, and what it is called.
pub(super) struct Input {
    pub path: String,
    /// Whether it is a file that can be read again and does not grow while it is read.
    pub regular: bool,
    capture: Capture<Box<dyn Read>>,
}

impl Input {
    /// Opens a path, or standard input for `-`.
    pub(super) fn open(path: &str) -> Result<Self, Error> {
        let (reader, regular): (Box<dyn Read>, bool) = if path == "-" {
            (Box::new(io::stdin()), false)
        } else {
            let file = File::open(path).map_err(|error| Error::reading(path, &error))?;
            let metadata = file.metadata().map_err(|error| Error::reading(path, &error))?;
            if metadata.is_dir() {
                return Err(Error::reading(path, &io::ErrorKind::IsADirectory.into()));
            }
            (Box::new(file), metadata.is_file())
        };
        let name = if path == "-" { "standard input" } else { path };
        let capture = Capture::open(reader).map_err(|error| unreadable(name, &error))?;
        Ok(Input { path: path.to_owned(), regular, capture })
    }

    /// Prepares an analyzer for the frames that lie ready.
    pub(super) fn foresee(&self, analyzer: &mut Analyzer) {
        analyzer.foresee(&self.capture);
    }

    /// The next frame.
    #[inline]
    pub(super) fn next_frame(&mut self) -> Option<Frame<'_>> {
        self.capture.next_frame()
    }

    /// What the file says beside its frames.
    pub(super) fn info(&self) -> &CaptureInfo {
        self.capture.info()
    }

    /// Tells what could not be read, for output that has no place for it.
    pub(super) fn warn_of_damage(&self) {
        let name = if self.path == "-" { "standard input" } else { &self.path };
        for damage in &self.info().damage {
            let rest = if damage.resumed_at.is_some() { "some of it is missing" } else { "the rest could not be read" };
            let (at, after) = (damage.offset, damage.after_frame);
            say(&Error::new(name, format_args!("damaged at byte {at}, after frame {after}: {}", damage.what), rest));
        }
    }
}

/// Opens a file to be written again, record by record.
pub(super) fn records(path: &str) -> Result<Records<File>, Error> {
    let file = File::open(path).map_err(|error| Error::reading(path, &error))?;
    Records::open(file).map_err(|error| unreadable(path, &error))
}

/// The time that a capture begins at, for what is counted from there: its first frame's, or 1970 where that has none.
pub(super) fn start(frame: &Frame<'_>) -> Timestamp {
    frame.time.unwrap_or_default()
}

fn unreadable(name: &str, error: &OpenError) -> Error {
    let hint = match error {
        OpenError::Read(error) => return Error::reading(name, error),
        OpenError::Empty | OpenError::Cut(_) => "capture again, and let the capturing program end by itself",
        OpenError::NotACapture(_) => "give a pcap or pcapng file",
        OpenError::Unsupported(_) => "save it as pcapng with Wireshark",
        OpenError::Packed(_) | OpenError::LeftOut(_) => "",
    };
    Error::new(name, error, hint)
}
