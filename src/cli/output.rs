//! Where results go: standard output, or a file that appears when it is complete.

use super::STOPPED;
use super::args::Colour;
use super::error::Error;
use super::options::Look;
use super::stop::on_stop;
use crate::render::clock::Clock;
use crate::render::text::Options as TextOptions;
use anstream::ColorChoice;
use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stands for standard output where the name of a file is asked for.
pub(super) const STDOUT: &str = "-";

/// Columns where there is no terminal to ask.
const WIDTH: usize = 100;
/// Wider lines are hard to read.
const WIDEST: usize = 140;

/// Whether standard output is a terminal.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// How text is laid out on standard output, or in a file.
pub(super) fn text_options(look: Look, clock: Clock, to_file: bool) -> TextOptions {
    let terminal = if to_file { None } else { terminal_size::terminal_size_of(io::stdout()) };
    let width = terminal.map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(40, WIDEST));
    let colour = match look.colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => !to_file && anstream::AutoStream::choice(&io::stdout()) != ColorChoice::Never,
    };
    TextOptions { width, colour, clock, detail: look.detail }
}

/// Writes text to standard output, colours included.
pub(super) fn print(text: &[u8]) -> Result<(), Error> {
    // The text has colours only where they are wanted; a console that needs them translated gets them so.
    let mut out = anstream::AutoStream::new(io::stdout(), ColorChoice::Always);
    out.write_all(text).and_then(|()| out.flush()).map_err(|error| stdout_error(&error))
}

/// Writes text to a file as a whole, or to standard output where none is named.
pub(super) fn write(file: Option<&Path>, text: &str) -> Result<(), Error> {
    match file {
        Some(path) => write_file(path, |file| file.write_all(text.as_bytes())),
        None => print(text.as_bytes()),
    }
}

/// What writing to standard output failed with.
pub(super) fn stdout_error(error: &io::Error) -> Error {
    Error::writing("standard output", error)
}

/// Writes a file as a whole or not at all: what stood there before stays until the new one is complete. `-` is standard output.
pub(super) fn write_file<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> Result<T, Error> {
    replace_file(path, Readers::Usual, write)
}

/// The same of a file that nobody but its owner may read, where the system knows owners: it tells what was kept from others.
pub(super) fn write_private_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    replace_file(path, Readers::Owner, |file| file.write_all(bytes))
}

/// Who may read a new file.
#[derive(Clone, Copy)]
enum Readers {
    /// Whoever the system lets read new files.
    Usual,
    /// Nobody else than its owner.
    Owner,
}

fn replace_file<T>(
    path: &Path,
    readers: Readers,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> Result<T, Error> {
    if path == Path::new(STDOUT) {
        let mut out = BufWriter::with_capacity(32 << 10, io::stdout().lock());
        return write(&mut out).and_then(|done| out.flush().map(|()| done)).map_err(|error| stdout_error(&error));
    }
    let name = path.display().to_string();
    let failed = |error: io::Error| Error::writing(&name, &error);
    let before = fs::metadata(path);
    if before.as_ref().is_ok_and(|metadata| !metadata.is_file()) {
        // a device or pipe cannot be replaced
        let mut file = BufWriter::new(OpenOptions::new().write(true).open(path).map_err(failed)?);
        return write(&mut file).and_then(|done| file.flush().map(|()| done)).map_err(failed);
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()); // a link stays one
    let (file, temporary) = begin(&path, readers).map_err(failed)?;
    if let (Ok(before), Readers::Usual, true) = (before, readers, cfg!(unix)) {
        let _ = file.set_permissions(before.permissions()); // what others may not read stays so
    }
    let mut file = BufWriter::new(file);
    let written = write(&mut file).and_then(|done| {
        file.flush()?;
        file.get_ref().sync_all()?;
        fs::rename(&temporary, &path).map(|()| done)
    });
    let written = written.map_err(|error| {
        let _ = fs::remove_file(&temporary); // what matters is the first error
        failed(error)
    });
    *unfinished() = None;
    written
}

/// The file that is being written beside its place; files are written one after the other.
fn unfinished() -> MutexGuard<'static, Option<PathBuf>> {
    static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new file in the same folder, which a signal that ends the process takes away as long as it is [`unfinished`].
fn begin(path: &Path, readers: Readers) -> io::Result<(fs::File, PathBuf)> {
    on_stop(|| {
        let unfinished = unfinished();
        if let Some(path) = unfinished.as_ref() {
            let _ = fs::remove_file(path); // it may be complete by now
        }
        std::process::exit(STOPPED.into());
    });
    // a signal that comes while the file is made waits until it is noted
    let mut unfinished = unfinished();
    let (file, temporary) = beside(path, readers)?;
    *unfinished = Some(temporary.clone());
    Ok((file, temporary))
}

/// A new file in the same folder.
fn beside(path: &Path, readers: Readers) -> io::Result<(fs::File, PathBuf)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if let Readers::Owner = readers {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = readers;
    path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let process = std::process::id();
    for attempt in 0..100 {
        let temporary = path.with_file_name(format!(".turnscope.{process}-{attempt}.part"));
        match options.open(&temporary) {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
