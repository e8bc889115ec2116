//! Captures: files, pipes, standard input.

use super::error::{Error, say, say_damage};
use crate::analyzer::Analyzer;
use crate::capture::{Capture, CaptureInfo, Closing, Limits, OpenError, Records, Secrets};
use crate::event::Row;
use crate::frame::Frame;
use crate::time::Timestamp;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Frames after which whoever watches is asked again.
const WATCHED: u32 = 512;

/// Asked now and then with the bytes that were read, unpacked: whether to read on.
type Watch<'a> = Box<dyn FnMut(u64) -> bool + 'a>;

/// Whether a path stands for standard input, or standard output.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// A capture that is open, and what it is called.
pub(super) struct Input<'a> {
    pub path: String,
    /// What it was opened by, if that is a file by itself.
    pub file: PathBuf,
    /// Whether it is a file that can be read again and does not grow while it is read.
    pub regular: bool,
    capture: Capture<Box<dyn Read + 'a>>,
    /// The files that go on where this one ends, the next one last.
    later: Vec<PathBuf>,
    /// What the files before say of themselves, as one; at the end all of them.
    whole: Option<CaptureInfo>,
    watch: Option<(Watch<'a>, u32)>,
}

impl<'a> Input<'a> {
    /// Opens a path, or standard input for `-`.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let failed = |error: io::Error| Error::reading(&shown, &error);
        let (reader, regular): (Box<dyn Read>, bool) = if is_stdin(path) {
            (Box::new(io::stdin()), false)
        } else {
            let file = File::open(path).map_err(failed)?;
            let metadata = file.metadata().map_err(failed)?;
            if metadata.is_dir() {
                return Err(failed(io::ErrorKind::IsADirectory.into()));
            }
            (Box::new(file), metadata.is_file())
        };
        let name = if is_stdin(path) { "standard input" } else { &shown };
        let closing = if regular { closing(path) } else { Closing::default() };
        let capture = Capture::open(reader).map_err(|error| unreadable(name, &error))?.knowing(closing);
        let capture = if regular { capture } else { capture.live() };
        Ok(Input { file: path.to_owned(), regular, ..Input::around(shown, capture) })
    }

    fn around(path: String, capture: Capture<Box<dyn Read + 'a>>) -> Self {
        let (file, later) = (PathBuf::new(), Vec::new());
        Input { path, file, regular: false, capture, later, whole: None, watch: None }
    }

    /// Opens a capture that is read twice, which only a file can be.
    pub(super) fn open_file(path: &Path) -> Result<Self, Error> {
        // opening a pipe to which nobody writes would wait
        if std::fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir()) {
            let shown = path.display().to_string();
            return Err(Error::new(shown, "is read twice, and is no regular file", "save the capture to a file first"));
        }
        Input::open(path)
    }

    /// A capture of any origin.
    pub(super) fn of(name: &str, reader: Box<dyn Read + 'a>) -> Result<Self, Error> {
        Input::bounded(name, reader, u64::MAX)
    }

    /// The same, read no further than to so many bytes if it is packed.
    pub(super) fn bounded(name: &str, reader: Box<dyn Read + 'a>, unpacked: u64) -> Result<Self, Error> {
        let limits = Limits { unpacked, ..Limits::default() };
        let capture = Capture::open_with(reader, limits).map_err(|error| unreadable("", &error))?;
        Ok(Input::around(name.to_owned(), capture))
    }

    /// Several files of one capture, each beginning where the one before ends. A ring that came round begins in the middle, so they are put in
    /// the order of their first frames; those without keep their place.
    pub(super) fn of_parts(name: &str, paths: &[PathBuf]) -> Result<Self, Error> {
        let mut times = Vec::new();
        for path in paths {
            let shown = path.display().to_string();
            let file = File::open(path).map_err(|error| Error::reading(&shown, &error))?;
            let mut capture = Capture::open(file).map_err(|error| unreadable(&shown, &error))?;
            times.push((capture.next_frame().and_then(|frame| frame.time), path));
        }
        let mut begun = times.iter().filter(|(time, _)| time.is_some()).copied().collect::<Vec<_>>();
        begun.sort_by_key(|(time, _)| *time);
        let mut begun = begun.into_iter();
        let ordered =
            times.iter().filter_map(|(time, path)| if time.is_some() { begun.next() } else { Some((None, *path)) });
        let mut later: Vec<PathBuf> = ordered.map(|(_, path)| path.clone()).collect();
        later.reverse(); // not the iterator, which would hand out the first times to the last files
        let first = later.pop().unwrap_or_default();
        let file = File::open(&first).map_err(|error| Error::reading(&first.display().to_string(), &error))?;
        Ok(Input { later, ..Input::of(name, Box::new(file))?.knowing(closing(&first)) })
    }

    /// The same capture with what stands behind its packets.
    pub(super) fn knowing(self, closing: Closing) -> Self {
        Input { capture: self.capture.knowing(closing), ..self }
    }

    /// Has someone asked now and then whether to read on; the capture ends where the answer is no.
    pub(super) fn watched(mut self, watch: impl FnMut(u64) -> bool + 'a) -> Self {
        self.watch = Some((Box::new(watch), 0));
        self
    }

    /// Goes on with the next file of the same capture, if there is one.
    pub(super) fn next_part(&mut self) -> bool {
        while let Some(path) = self.later.pop() {
            let shown = path.display().to_string();
            let opened = match File::open(&path) {
                Ok(file) => Capture::open(Box::new(file) as Box<dyn Read>).map_err(|error| unreadable(&shown, &error)),
                Err(error) => Err(Error::reading(&shown, &error)),
            };
            match opened {
                Ok(capture) => {
                    self.follow();
                    self.capture = capture.knowing(closing(&path));
                    return true;
                }
                // it was there a moment ago
                Err(error) => say(&error),
            }
        }
        if self.whole.is_some() {
            self.follow();
        }
        false
    }

    fn follow(&mut self) {
        match &mut self.whole {
            Some(whole) => whole.follow(self.capture.info()),
            None => self.whole = Some(self.capture.info().clone()),
        }
    }

    /// The capture itself.
    pub(super) fn into_capture(self) -> Capture<Box<dyn Read + 'a>> {
        self.capture
    }

    /// Has an analyzer take the frames that lie ready, if it wants them at once, for as long as `more` says so; whether it took any.
    #[inline]
    pub(super) fn at_once(
        &mut self,
        analyzer: &mut Analyzer,
        sink: &mut impl FnMut(&Row<'_>),
        more: impl Fn() -> bool,
    ) -> bool {
        if !analyzer.is_large() {
            return false;
        }
        let before = self.whole.as_ref().map_or(0, |whole| whole.frames);
        let (ahead, taken) = analyzer.at_once(&self.capture, before, sink, more);
        self.capture.pass_over(&ahead, taken);
        if let Some((_, count)) = &mut self.watch {
            *count = count.saturating_add(u32::try_from(taken).unwrap_or(u32::MAX));
        }
        taken > 0
    }

    /// The next frame of this file; [`Input::next_part`] goes on behind it.
    #[inline(always)]
    pub(super) fn next_frame(&mut self) -> Option<Frame<'_>> {
        self.next_with_secrets().map(|(frame, _)| frame)
    }

    /// The same with the decryption secrets that stand before it in the file.
    #[inline]
    pub(super) fn next_with_secrets(&mut self) -> Option<(Frame<'_>, &[Secrets])> {
        if let Some((watch, count)) = &mut self.watch {
            *count = count.saturating_add(1);
            if *count >= WATCHED {
                *count = 0;
                if !watch(self.capture.info().bytes) {
                    self.later.clear();
                    return None;
                }
            }
        }
        let before = self.whole.as_ref().map_or(0, |whole| whole.frames);
        let (frame, secrets) = self.capture.next_with_secrets()?;
        Some((Frame { number: frame.number + before, ..frame }, secrets))
    }

    /// What the file says beside its frames; of several files all of them, once the last one is over.
    pub(super) fn info(&self) -> &CaptureInfo {
        self.whole.as_ref().unwrap_or_else(|| self.capture.info())
    }

    /// Tells what could not be read, for output that has no place for it.
    pub(super) fn warn_of_damage(&self) {
        let name = if self.path == "-" { "standard input" } else { &self.path };
        say_damage(name, &self.info().damage);
    }
}

/// The secrets that stand behind all packets of a file.
pub(super) fn closing(path: &Path) -> Closing {
    File::open(path).map(|mut file| Closing::find(&mut file)).unwrap_or_default()
}

/// Opens a file to be written again, record by record.
pub(super) fn records(path: &Path) -> Result<Records<File>, Error> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|error| Error::reading(&shown, &error))?;
    Records::open(file).map_err(|error| unreadable(&shown, &error))
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
        OpenError::Archive(_) => "have turnscope batch read it, or unpack it",
        OpenError::Dissection => "save the packets with Wireshark: File, Export Specified Packets, as pcapng",
        OpenError::Unsupported(_) | OpenError::Packed(_) | OpenError::LeftOut(_) => "",
    };
    Error::new(name, error, hint)
}
