//! One thing to read after the other: what it is, what is in it, what was found.

use super::inputs::Item;
use super::journal::{Key, Rows};
use super::progress::Progress;
use super::store::{Store, capture_id, hex, report_name};
use super::tee::Tee;
use crate::analyzer;
use crate::cli::archive::{self, Allowance, Section, Shape, Skip, Tar, Zip};
use crate::cli::error::Error;
use crate::cli::input::Input;
use crate::cli::options::Wanted;
use crate::cli::run::{self, Extra};
use crate::render::{json, messages};
use crate::report::tables::{self, Table};
use crate::report::{Summary, Verdict};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// Files up to this size, in bytes, are read at once, and then hashed and looked at in memory.
const SMALL: u64 = 4 << 20;
/// Memory that all analyses together may come to need. One alone needs 160 MiB at the most, whatever it reads.
const MEMORY: u64 = 1 << 30;
const MOST: u64 = 160 << 20;
/// What an analysis begins with, and what a byte of a capture may become.
const BASE: u64 = 4 << 20;
const FACTOR: u64 = 16;
/// What a byte of a packed capture may become.
const PACKED_FACTOR: u64 = 160;
/// Entries of packed archives that wait for their turn in memory, in bytes.
const WAITING: u64 = 64 << 20;

/// What all workers share.
pub(super) struct Work<'b> {
    pub(super) store: &'b Store,
    pub(super) reading: &'b Wanted,
    /// What captures are read with, in short: results of other settings are not used again.
    pub(super) settings: [u8; 32],
    /// Whether the table of messages is wanted.
    pub(super) messages: bool,
    pub(super) progress: &'b Progress,
    /// Set when someone wants it to stop.
    pub(super) stop: &'b AtomicBool,
    memory: Room,
    waiting: Room,
    done: Mutex<Vec<Outcome>>,
    failed: Mutex<Option<Error>>,
}

/// A capture that is done. They sort in the order in which they were given, entries of an archive in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Outcome {
    pub(super) item: u32,
    pub(super) entry: u32,
    /// Place of its record in the journal.
    pub(super) at: u64,
}

/// Where a capture comes from: its item, and its entry in an archive.
#[derive(Clone, Copy)]
struct Origin<'a> {
    item: u32,
    entry: u32,
    path: &'a str,
    inner: Option<&'a str>,
}

/// Its bytes.
enum Bytes<'a> {
    Memory(Vec<u8>),
    /// Can be read again, for looking before whether it was done already.
    Again(Box<dyn Fn() -> io::Result<Box<dyn Read>> + 'a>),
    Once(Box<dyn Read + 'a>),
}

impl<'b> Work<'b> {
    pub(super) fn new(
        store: &'b Store,
        reading: &'b Wanted,
        settings: [u8; 32],
        messages: bool,
        progress: &'b Progress,
        stop: &'b AtomicBool,
    ) -> Self {
        let (memory, waiting) = (Room::new(MEMORY), Room::new(WAITING));
        let (done, failed) = (Mutex::default(), Mutex::default());
        Work { store, reading, settings, messages, progress, stop, memory, waiting, done, failed }
    }

    /// What was done, in order; or why no results could be written.
    pub(super) fn finish(self) -> Result<Vec<Outcome>, Error> {
        if let Some(error) = self.failed.into_inner().unwrap_or_default() {
            return Err(error);
        }
        let mut done = self.done.into_inner().unwrap_or_default();
        done.sort_unstable();
        Ok(done)
    }

    /// Reads an item.
    pub(super) fn item(&self, index: usize, item: &Item) {
        if self.is_over() {
            return;
        }
        let origin = Origin { item: u32::try_from(index).unwrap_or(u32::MAX), entry: 0, path: &item.name, inner: None };
        let result = match (&item.error, item.paths.as_slice()) {
            (Some(error), _) => self.unreadable(origin, item.size, error),
            (None, [path]) => self.file(origin, path),
            (None, _) => self.parts(origin, item),
        };
        self.settle(result);
        self.progress.bytes(item.size);
    }

    fn settle(&self, result: Result<(), Error>) {
        if let (Err(error), Ok(mut failed)) = (result, self.failed.lock()) {
            failed.get_or_insert(error);
        }
    }

    /// Whether to stop: someone wants it, or results cannot be written.
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.failed.lock().is_ok_and(|failed| failed.is_some())
    }

    fn file(&self, origin: Origin<'_>, path: &Path) -> Result<(), Error> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, mut file) = match opened {
            Ok((metadata, file)) if metadata.is_file() => (metadata, file),
            Ok(_) => return self.unreadable(origin, 0, "not a file: a pipe or device"),
            Err(error) => return self.unreadable(origin, 0, &Error::reading("", &error).to_string()),
        };
        let size = metadata.len();
        let mut small = Vec::new();
        let shaped = if size <= SMALL {
            // one that grows meanwhile is read as far as it was
            let read = file.by_ref().take(SMALL).read_to_end(&mut small);
            read.and_then(|_| shape(&mut small.as_slice(), || Ok(small.as_slice())))
        } else {
            shape(&mut file, || File::open(path))
        };
        match shaped {
            Ok(Shape::Single) if size <= SMALL => self.capture(origin, small.len() as u64, Bytes::Memory(small)),
            Ok(Shape::Single) => {
                let again = || File::open(path).map(|file| Box::new(file) as Box<dyn Read>);
                self.capture(origin, size, Bytes::Again(Box::new(again)))
            }
            Ok(Shape::Zip) => self.zip(origin, Arc::new(file), size),
            Ok(Shape::Tar) => {
                let file = Arc::new(file);
                self.tar(origin, Section::new(Arc::clone(&file), 0, size), Some(&file))
            }
            Ok(Shape::PackedTar) => {
                let reopened = File::open(path).map_err(|error| Error::reading("", &error));
                let allowance = Allowance::new(size);
                match reopened.and_then(|file| archive::unpacked(file, "", &allowance)) {
                    Ok(input) => self.tar(origin, input, None),
                    Err(error) => self.unreadable(origin, size, &error.to_string()),
                }
            }
            Err(error) => self.unreadable(origin, size, &Error::reading("", &error).to_string()),
        }
    }

    /// The captures in a zip, on all cores.
    fn zip(&self, origin: Origin<'_>, file: Arc<File>, size: u64) -> Result<(), Error> {
        let zip = match Zip::open(file, size) {
            Ok(zip) => zip,
            Err(error) => return self.unreadable(origin, size, &error.to_string()),
        };
        let allowance = Allowance::new(size);
        let mut names = Names::default();
        let (zip_of, allowance_of) = (&zip, &allowance);
        rayon::scope(|scope| {
            for (index, entry) in zip.entries.iter().enumerate() {
                let Some(name) = names.take(&entry.name) else { continue };
                scope.spawn(move |_| {
                    if self.is_over() {
                        return;
                    }
                    let origin = Origin { entry: number(index + 1), inner: Some(&name), ..origin };
                    self.settle(match zip_of.read(entry, allowance_of) {
                        Ok(mut input) if entry.size <= SMALL => {
                            let mut bytes = Vec::new();
                            match input.by_ref().take(SMALL + 1).read_to_end(&mut bytes) {
                                Ok(_) if bytes.len() as u64 <= SMALL => self.entry(origin, bytes),
                                Ok(_) => self.unreadable(origin, entry.size, "larger than its archive says"),
                                Err(error) => self.unreadable(origin, entry.size, &error.to_string()),
                            }
                        }
                        Ok(_) => {
                            let again = || Ok(Box::new(zip_of.read(entry, allowance_of)?) as Box<dyn Read>);
                            self.capture(origin, entry.size, Bytes::Again(Box::new(again)))
                        }
                        Err(error) => self.unreadable(origin, entry.size, &error.to_string()),
                    });
                });
            }
        });
        let omitted = (zip.omitted > 0).then(|| format!("{} more entries are not read", zip.omitted));
        match zip.damage.or(omitted) {
            Some(reason) => self.unreadable(origin, size, &reason),
            None if zip.entries.is_empty() => self.unreadable(origin, size, "an archive with no file in it"),
            None => Ok(()),
        }
    }

    /// The captures in a tar. Of one that is not packed they are read in place; of a packed one the small ones are handed on in memory, and the
    /// others read as they come.
    fn tar<R: Skip>(&self, origin: Origin<'_>, input: R, file: Option<&Arc<File>>) -> Result<(), Error> {
        let mut tar = Tar::new(input);
        let mut names = Names::default();
        let mut index = 0;
        let ended = rayon::in_place_scope(|scope| {
            while !self.is_over() {
                let entry = match tar.next_file() {
                    Ok(Some(entry)) => entry,
                    Ok(None) => return Ok(None),
                    Err(error) => return Ok(Some(error.to_string())),
                };
                index += 1;
                if index > archive::MAX_ENTRIES {
                    return Ok(Some("further entries are not read".to_owned()));
                }
                let Some(name) = names.take(&entry.name) else { continue };
                let entry_number = number(index);
                let borrowed = Origin { entry: entry_number, inner: Some(&name), ..origin };
                if let Some(reason) = entry.unreadable {
                    self.unreadable(borrowed, entry.size, reason)?;
                    continue;
                }
                if let Some(file) = file {
                    let section = Section::new(Arc::clone(file), entry.offset, entry.size);
                    scope.spawn(move |_| {
                        if self.is_over() {
                            return;
                        }
                        let origin = Origin { entry: entry_number, inner: Some(&name), ..origin };
                        self.settle(self.section(origin, &section, entry.size));
                    });
                } else if entry.size <= SMALL {
                    let mut bytes = Vec::new();
                    if let Err(error) = tar.data().read_to_end(&mut bytes) {
                        self.unreadable(borrowed, entry.size, &error.to_string())?;
                        return Ok(None);
                    }
                    // where enough wait this thread lends a hand
                    if !self.waiting.try_take(entry.size) {
                        self.entry(borrowed, bytes)?;
                        continue;
                    }
                    scope.spawn(move |_| {
                        if !self.is_over() {
                            let origin = Origin { entry: entry_number, inner: Some(&name), ..origin };
                            self.settle(self.entry(origin, bytes));
                        }
                        self.waiting.give(entry.size);
                    });
                } else {
                    self.capture(borrowed, entry.size, Bytes::Once(Box::new(tar.data())))?;
                }
            }
            Ok(None)
        })?;
        match ended {
            Some(reason) => self.unreadable(origin, 0, &reason),
            None if index == 0 && !self.is_over() => self.unreadable(origin, 0, "an archive with no file in it"),
            None => Ok(()),
        }
    }

    /// An entry that lies in a file as it is.
    fn section(&self, origin: Origin<'_>, section: &Section, size: u64) -> Result<(), Error> {
        if size > SMALL {
            let again = || Ok(Box::new(section.clone()) as Box<dyn Read>);
            return self.capture(origin, size, Bytes::Again(Box::new(again)));
        }
        let mut bytes = Vec::new();
        match section.clone().read_to_end(&mut bytes) {
            Ok(count) if (count as u64) < size => self.unreadable(origin, size, "the archive is cut short"),
            Ok(_) => self.entry(origin, bytes),
            Err(error) => self.unreadable(origin, size, &error.to_string()),
        }
    }

    /// An entry in memory.
    fn entry(&self, origin: Origin<'_>, bytes: Vec<u8>) -> Result<(), Error> {
        match shape(&mut bytes.as_slice(), || Ok(bytes.as_slice())) {
            Ok(Shape::Single) | Err(_) => self.capture(origin, bytes.len() as u64, Bytes::Memory(bytes)),
            Ok(_) => self.unreadable(origin, bytes.len() as u64, "an archive within an archive: unpack it first"),
        }
    }

    /// Files that are one capture.
    fn parts(&self, origin: Origin<'_>, item: &Item) -> Result<(), Error> {
        let mut hash = Sha256::new();
        for path in &item.paths {
            let read = File::open(path).and_then(|mut file| io::copy(&mut file, &mut HashWriter(&mut hash)));
            if let Err(error) = read {
                let shown = path.display().to_string();
                return self.unreadable(origin, item.size, &Error::reading(&shown, &error).to_string());
            }
        }
        let mut summary = self.named(origin, item.size);
        summary.parts = item.paths.iter().map(|path| path.display().to_string()).collect();
        let key = self.identify(&mut summary, &hash.finalize().into());
        if self.is_done(origin, key, &summary) {
            return Ok(());
        }
        match Input::of_parts(&item.name, &item.paths) {
            Ok(input) => self.analyze(origin, input, item.size, summary, |_| Some(key)),
            Err(error) => self.write_unreadable(origin, Summary { error: Some(error.to_string()), ..summary }),
        }
    }

    /// A capture, or a file that is none.
    fn capture(&self, origin: Origin<'_>, size: u64, bytes: Bytes<'_>) -> Result<(), Error> {
        let mut summary = self.named(origin, size);
        match bytes {
            Bytes::Memory(bytes) => {
                let key = self.identify(&mut summary, &Sha256::digest(&bytes).into());
                if self.is_done(origin, key, &summary) {
                    return Ok(());
                }
                self.open(origin, Box::new(Cursor::new(bytes)), size, summary, |_| Some(key))
            }
            Bytes::Again(open) => {
                if !self.store.journal.is_empty() {
                    let mut hash = Sha256::new();
                    let read = open().and_then(|mut input| io::copy(&mut input, &mut HashWriter(&mut hash)));
                    if read.is_ok() {
                        let mut known = summary.clone();
                        let key = self.identify(&mut known, &hash.finalize().into());
                        if self.is_done(origin, key, &known) {
                            return Ok(());
                        }
                    }
                }
                match open() {
                    Ok(input) => self.tee(origin, input, size, summary),
                    Err(error) => self.unreadable(origin, size, &Error::reading("", &error).to_string()),
                }
            }
            Bytes::Once(input) => self.tee(origin, input, size, summary),
        }
    }

    /// A capture that is hashed while it is read.
    fn tee<'a>(&self, origin: Origin<'_>, input: Box<dyn Read + 'a>, size: u64, summary: Summary) -> Result<(), Error> {
        let (tee, rest) = Tee::new(input);
        self.open(origin, Box::new(tee), size, summary, |summary| {
            // what the analysis did not read belongs to it all the same
            let hash = rest.finish()?;
            Some(self.identify(summary, &hash))
        })
    }

    fn open<'a>(
        &self,
        origin: Origin<'_>,
        input: Box<dyn Read + 'a>,
        size: u64,
        summary: Summary,
        key: impl FnOnce(&mut Summary) -> Option<Key>,
    ) -> Result<(), Error> {
        match Input::of(&summary.path, input) {
            Ok(input) => self.analyze(origin, input, size, summary, key),
            Err(error) => self.write_unreadable(origin, Summary { error: Some(error.to_string()), ..summary }),
        }
    }

    fn analyze<'a>(
        &self,
        origin: Origin<'_>,
        input: Input<'a>,
        size: u64,
        summary: Summary,
        key: impl FnOnce(&mut Summary) -> Option<Key>,
    ) -> Result<(), Error> {
        let packed = input.info().format.compression.is_some();
        let factor = if packed { PACKED_FACTOR } else { FACTOR };
        let _room = self.memory.take(size.saturating_mul(factor).saturating_add(BASE).min(MOST));
        let bomb = AtomicBool::new(false);
        let mut input = input.watched(|unpacked| {
            bomb.fetch_or(packed && archive::is_bomb(size, unpacked), Ordering::Relaxed);
            !bomb.load(Ordering::Relaxed) && !self.is_over()
        });
        let (mut rows, mut failed) = (Rows::default(), None);
        let capture_id = summary.capture_id.clone();
        let part = run::read(&mut input, 0, self.reading, Extra::default(), |row, _| {
            if self.messages {
                let cells = messages::cells(&capture_id, row);
                failed = self.store.journal.row(&mut rows, Table::Messages, &cells).err();
            }
            failed.is_none()
        })?;
        drop(input);
        if self.is_over() {
            return Ok(());
        }
        if bomb.load(Ordering::Relaxed) {
            return self.write_unreadable(origin, Summary { error: Some(archive::bomb().to_string()), ..summary });
        }
        let report = analyzer::report(vec![part]);
        tables::rows(&capture_id, &report, &mut |table, cells| {
            if failed.is_none() {
                failed = self.store.journal.row(&mut rows, table, cells).err();
            }
        });
        if let Some(error) = failed {
            return Err(self.store.journal_error(&error));
        }
        let Summary { path, parts, size, sha256, .. } = summary;
        let name = report_name(&path, &capture_id);
        let report_path = Some(name.clone());
        let mut summary =
            Summary { capture_id, path, parts, size, sha256, report: report_path, ..Summary::of(&report) };
        let key = key(&mut summary);
        let mut written = Vec::new();
        json::report(&mut written, &report).map_err(|error| Error::writing(&name, &error))?;
        self.store.write(&name, &written)?;
        self.record(origin, key, &written, &summary, &rows)
    }

    /// The row of a file that could not be read.
    fn unreadable(&self, origin: Origin<'_>, size: u64, reason: &str) -> Result<(), Error> {
        let summary = self.named(origin, size);
        self.write_unreadable(origin, Summary { error: Some(reason.to_owned()), ..summary })
    }

    fn write_unreadable(&self, origin: Origin<'_>, summary: Summary) -> Result<(), Error> {
        self.record(origin, None, &[], &summary, &Rows::default())
    }

    fn record(
        &self,
        origin: Origin<'_>,
        key: Option<Key>,
        report: &[u8],
        summary: &Summary,
        rows: &Rows,
    ) -> Result<(), Error> {
        let at = self.store.journal.done(key, report, summary, rows);
        self.done(origin, at.map_err(|error| self.store.journal_error(&error))?);
        self.progress.capture(summary.verdict == Some(Verdict::Failure));
        Ok(())
    }

    fn done(&self, origin: Origin<'_>, at: u64) {
        if let Ok(mut done) = self.done.lock() {
            done.push(Outcome { item: origin.item, entry: origin.entry, at });
        }
    }

    /// A row with the names of a capture.
    fn named(&self, origin: Origin<'_>, size: u64) -> Summary {
        let path = origin.inner.map_or_else(|| origin.path.to_owned(), |inner| format!("{}!/{inner}", origin.path));
        Summary { capture_id: capture_id(origin.path, origin.inner), path, size: Some(size), ..Summary::default() }
    }

    /// Notes the hash of a capture, and gives what its results are found by.
    fn identify(&self, summary: &mut Summary, hash: &[u8; 32]) -> Key {
        summary.sha256 = Some(hex(hash));
        let mut key = Sha256::new();
        key.update(self.settings);
        key.update(summary.capture_id.as_bytes());
        key.update(hash);
        key.finalize().first_chunk().copied().unwrap_or_default()
    }

    /// Whether a batch before this one has done the capture; if so its results are taken.
    fn is_done(&self, origin: Origin<'_>, key: Key, summary: &Summary) -> bool {
        let Some(done) = self.store.journal.find(&key) else { return false };
        if !self.store.holds(&report_name(&summary.path, &summary.capture_id), &done) {
            return false;
        }
        self.done(origin, done.at);
        self.progress.capture(false);
        true
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn shape<R: Read>(input: &mut impl Read, open: impl FnOnce() -> io::Result<R>) -> io::Result<Shape> {
    match Shape::of(input)? {
        (Shape::Single, head) => Shape::within(&head, open),
        (shape, _) => Ok(shape),
    }
}

/// The names of an archive's entries: each once, a number behind those that occur again, none of files that only say something of others.
#[derive(Default)]
struct Names {
    known: HashMap<String, u32>,
}

impl Names {
    fn take(&mut self, name: &str) -> Option<String> {
        // what macOS puts beside each file
        let file = name.rsplit('/').next().unwrap_or_default();
        if name.starts_with("__MACOSX/") || file.starts_with("._") || file == ".DS_Store" {
            return None;
        }
        let count = self.known.entry(name.to_owned()).or_default();
        *count += 1;
        Some(if *count > 1 { format!("{name} ({count})") } else { name.to_owned() })
    }
}

/// Something of which there is so much, and no more.
struct Room {
    left: Mutex<u64>,
    freed: Condvar,
}

/// Some of it, given back in the end.
struct Taken<'r>(&'r Room, u64);

impl Room {
    fn new(size: u64) -> Self {
        Room { left: Mutex::new(size), freed: Condvar::new() }
    }

    /// Takes some, once there is as much.
    fn take(&self, count: u64) -> Option<Taken<'_>> {
        let left = self.left.lock().ok()?;
        let mut left = self.freed.wait_while(left, |left| *left < count).ok()?;
        *left = left.saturating_sub(count);
        Some(Taken(self, count))
    }

    /// Takes some if there is as much.
    fn try_take(&self, count: u64) -> bool {
        let Ok(mut left) = self.left.lock() else { return false };
        let enough = *left >= count;
        if enough {
            *left -= count;
        }
        enough
    }

    fn give(&self, count: u64) {
        if let Ok(mut left) = self.left.lock() {
            *left = left.saturating_add(count);
        }
        self.freed.notify_all();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.give(self.1);
    }
}

/// Hashes what is written to it.
struct HashWriter<'h>(&'h mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_with_one_name_stay_apart() {
        let mut names = Names::default();
        let taken = ["a", "a", "__MACOSX/._a", "b/.DS_Store", "a"].map(|name| names.take(name));
        assert_eq!(taken, [Some("a".into()), Some("a (2)".into()), None, None, Some("a (3)".into())]);
    }

    #[test]
    fn room_is_given_back() {
        let room = Room::new(10);
        assert!(room.try_take(6));
        assert!(!room.try_take(6));
        room.give(6);
        drop(room.take(10));
        assert!(room.try_take(10));
    }
}
