//! One thing to read after the other: what it is, what is in it, what was found.

use super::Batch;
use super::inputs::Item;
use super::journal::{Key, Rows};
use super::progress::Progress;
use super::room::Room;
use super::store::{Store, capture_id, hex, page_name, report_name};
use super::tee::{HashWriter, Tee};
use crate::analyzer;
use crate::capture::Closing;
use crate::cli::archive::{self, Allowance, Section, Shape};
use crate::cli::error::Error;
use crate::cli::input::{self, Input};
use crate::cli::output;
use crate::cli::run::{self, Extra};
use crate::event::{Body, IcmpAnswer};
use crate::render::{html, json, messages as rows_of};
use crate::report::ladder::{Collector, Ladder};
use crate::report::tables::{self, Table};
use crate::report::{Report, Summary, Verdict};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Files up to this size, in bytes, are read at once, and then hashed and looked at in memory.
pub(super) const SMALL: u64 = 4 << 20;
/// Memory that all analyses together may come to need. One alone needs 160 MiB at the most, whatever it reads.
const MEMORY: u64 = 1 << 30;
const MOST: u64 = 160 << 20;
/// What an analysis begins with, and what a byte of a capture may become.
const BASE: u64 = 4 << 20;
const FACTOR: u64 = 16;
/// What a byte of a packed capture may become.
const PACKED_FACTOR: u64 = 160;
/// Room for a report before it is written, in bytes; it grows where that is not enough.
const MIN_REPORT: u64 = 16 << 10;
const MAX_REPORT: u64 = 1 << 20;
/// Entries of packed archives that wait for their turn in memory, in bytes.
const WAITING: u64 = 64 << 20;

/// Frames of requests, and the ICMP errors that answered them.
type Icmp = BTreeMap<u64, IcmpAnswer>;

/// What all workers share.
pub(super) struct Work<'b> {
    pub(super) store: &'b Store,
    /// What is wanted. Results of other settings are not used again.
    batch: &'b Batch,
    pub(super) progress: &'b Progress,
    /// Set when someone wants it to stop.
    pub(super) stop: &'b AtomicBool,
    memory: Room,
    pub(super) waiting: Room,
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
pub(super) struct Origin<'a> {
    pub(super) item: u32,
    pub(super) entry: u32,
    pub(super) path: &'a str,
    pub(super) inner: Option<&'a str>,
    /// The file that it is by itself.
    pub(super) file: Option<&'a Path>,
    /// What the archive may still unpack to, for captures in it that are packed themselves.
    pub(super) allowance: Option<&'a Allowance>,
    /// Bytes of the item that were told to be done before all of it is.
    pub(super) told: &'a AtomicU64,
}

/// Its bytes.
pub(super) enum Bytes<'a> {
    Memory(Vec<u8>),
    /// Can be read again, for looking before whether it was done already.
    Again(Box<dyn Fn() -> io::Result<Box<dyn Read>> + 'a>),
    Once(Box<dyn Read + 'a>),
}

impl<'b> Work<'b> {
    pub(super) fn new(store: &'b Store, batch: &'b Batch, progress: &'b Progress, stop: &'b AtomicBool) -> Self {
        let (memory, waiting) = (Room::new(MEMORY), Room::new(WAITING));
        let (done, failed) = (Mutex::default(), Mutex::default());
        Work { store, batch, progress, stop, memory, waiting, done, failed }
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
        let told = AtomicU64::new(0);
        let origin = Origin {
            item: u32::try_from(index).unwrap_or(u32::MAX),
            entry: 0,
            path: &item.name,
            inner: None,
            file: None,
            allowance: None,
            told: &told,
        };
        let result = match (&item.error, item.paths.as_slice()) {
            (Some(error), _) => self.unreadable(origin, item.size, error),
            (None, [path]) => self.file(origin, path),
            (None, _) => self.parts(origin, item),
        };
        self.settle(result);
        self.progress.bytes(item.size.saturating_sub(told.load(Ordering::Relaxed)));
    }

    /// So much of an archive is done, of `size` bytes that it has.
    pub(super) fn part(&self, origin: Origin<'_>, count: u64, size: u64) {
        // one that lies about what is in it does not make the bar overrun
        let before = origin.told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |told| {
            told.checked_add(count).filter(|told| *told <= size)
        });
        if before.is_ok() {
            self.progress.bytes(count);
        }
    }

    pub(super) fn settle(&self, result: Result<(), Error>) {
        if let (Err(error), Ok(mut failed)) = (result, self.failed.lock()) {
            failed.get_or_insert(error);
        }
    }

    /// Whether to stop: someone wants it, or results cannot be written.
    pub(super) fn is_over(&self) -> bool {
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
        // with room for all of it and the end, or it would be read in small pieces
        let mut small = Vec::with_capacity(if size <= SMALL { usize::try_from(size + 1).unwrap_or(0) } else { 0 });
        let shaped = if size <= SMALL {
            // one that grows meanwhile is read as far as it was
            let read = file.by_ref().take(SMALL).read_to_end(&mut small);
            read.and_then(|_| shape(&mut small.as_slice(), || Ok(small.as_slice())))
        } else {
            shape(&mut file, || File::open(path))
        };
        let single = Origin { file: Some(path), ..origin };
        match shaped {
            Ok(Shape::Single) if size <= SMALL => self.capture(single, small.len() as u64, Bytes::Memory(small)),
            Ok(Shape::Single) => {
                let again = || File::open(path).map(|file| Box::new(file) as Box<dyn Read>);
                self.capture(single, size, Bytes::Again(Box::new(again)))
            }
            Ok(Shape::Zip) => self.zip(origin, Arc::new(file), size),
            Ok(Shape::Tar) => {
                let file = Arc::new(file);
                self.tar(origin, Section::new(Arc::clone(&file), 0, size), Some(&file), &Allowance::new(size))
            }
            Ok(Shape::PackedTar) => {
                let reopened = File::open(path).map_err(|error| Error::reading("", &error));
                let allowance = Allowance::new(size);
                let count = |count| self.part(origin, count, size);
                let counted = reopened.map(|file| Counted { input: file, count });
                match counted.and_then(|file| archive::unpacked(file, "", &allowance)) {
                    Ok(input) => self.tar(origin, input, None, &allowance),
                    Err(error) => self.unreadable(origin, size, &error.to_string()),
                }
            }
            Err(error) => self.unreadable(origin, size, &Error::reading("", &error).to_string()),
        }
    }

    /// Files that are one capture. Of one that is none there is a row, and the others are read.
    fn parts(&self, origin: Origin<'_>, item: &Item) -> Result<(), Error> {
        let (mut hash, mut size, mut parts) = (Sha256::new(), 0, Vec::new());
        for (number, path) in (1..).zip(&item.paths) {
            let shown = path.display().to_string();
            let open = || File::open(path).map_err(|error| Error::reading("", &error));
            let mut with = hash.clone();
            let read = open().and_then(|file| Input::of("", Box::new(file))).and_then(|_| {
                io::copy(&mut open()?, &mut HashWriter(&mut with)).map_err(|error| Error::reading("", &error))
            });
            match read {
                Ok(bytes) => {
                    (hash, size) = (with, size + bytes);
                    parts.push(path.clone());
                }
                Err(error) => {
                    let length = path.metadata().map_or(0, |metadata| metadata.len());
                    self.unreadable(Origin { entry: number, path: &shown, ..origin }, length, &error.to_string())?;
                }
            }
        }
        if parts.is_empty() {
            return Ok(());
        }
        let mut summary = self.named(origin, size);
        summary.parts = parts.iter().map(|path| path.display().to_string()).collect();
        let key = self.identify(&mut summary, &hash.finalize().into());
        if self.is_done(origin, key, &summary) {
            return Ok(());
        }
        let open = || Input::of_parts(&item.name, &parts);
        let icmp = self.icmp_answers(origin, open);
        match open() {
            Ok(input) => self.analyze(origin, (input, icmp), size, summary, |_| Some(key)),
            Err(error) => self.write_unreadable(origin, error, summary),
        }
    }

    /// A capture, or a file that is none.
    pub(super) fn capture(&self, origin: Origin<'_>, size: u64, bytes: Bytes<'_>) -> Result<(), Error> {
        let mut summary = self.named(origin, size);
        match bytes {
            Bytes::Memory(bytes) => {
                let key = self.identify(&mut summary, &Sha256::digest(&bytes).into());
                if self.is_done(origin, key, &summary) {
                    return Ok(());
                }
                let icmp = self.icmp_answers(origin, || {
                    Input::bounded("", Box::new(bytes.as_slice()), archive::most(size, origin.inner.is_some()))
                });
                self.open(origin, (Box::new(Cursor::new(bytes)), icmp), size, summary, |_| Some(key))
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
                let icmp = self.icmp_answers(origin, || {
                    open()
                        .map_err(|error| Error::reading("", &error))
                        .and_then(|input| Input::bounded("", input, archive::most(size, origin.inner.is_some())))
                });
                match open() {
                    Ok(input) => self.tee(origin, (input, icmp), size, summary),
                    Err(error) => self.unreadable(origin, size, &Error::reading("", &error).to_string()),
                }
            }
            Bytes::Once(input) => self.tee(origin, (input, Icmp::new()), size, summary),
        }
    }

    /// A capture that is hashed while it is read.
    fn tee<'a>(
        &self,
        origin: Origin<'_>,
        (input, icmp): (Box<dyn Read + 'a>, Icmp),
        size: u64,
        summary: Summary,
    ) -> Result<(), Error> {
        let (tee, rest) = Tee::new(input);
        self.open(origin, (Box::new(tee), icmp), size, summary, |summary| {
            // what the analysis did not read belongs to it all the same
            let hash = rest.finish()?;
            Some(self.identify(summary, &hash))
        })
    }

    fn open<'a>(
        &self,
        origin: Origin<'_>,
        (input, icmp): (Box<dyn Read + 'a>, Icmp),
        size: u64,
        summary: Summary,
        key: impl FnOnce(&mut Summary) -> Option<Key>,
    ) -> Result<(), Error> {
        // what is in an archive is not read from its end
        let closing = origin.file.map_or_else(Closing::default, input::closing);
        match Input::bounded(&summary.path, input, archive::most(size, origin.inner.is_some())) {
            Ok(input) => self.analyze(origin, (input.knowing(closing), icmp), size, summary, key),
            Err(error) => self.write_unreadable(origin, error, summary),
        }
    }

    fn analyze<'a>(
        &self,
        origin: Origin<'_>,
        (input, icmp): (Input<'a>, Icmp),
        size: u64,
        summary: Summary,
        key: impl FnOnce(&mut Summary) -> Option<Key>,
    ) -> Result<(), Error> {
        let packed = input.info().format.compression.is_some();
        let factor = if packed { PACKED_FACTOR } else { FACTOR };
        let _room = self.memory.take(size.saturating_mul(factor).saturating_add(BASE).min(MOST));
        let bomb = AtomicBool::new(false);
        let mut input = self.watched(origin, input, &bomb);
        let (mut rows, mut failed) = (Rows::default(), None);
        let capture_id = summary.capture_id.clone();
        let Batch { reading, beside, messages, html, .. } = self.batch;
        let mut ladder = html.then(|| Collector::new(0));
        let extra = Extra { deployment: beside.deployment.clone(), media: *html, icmp };
        let part = run::read(&mut input, 0, reading, extra, |row, _| {
            if let Some(ladder) = &mut ladder {
                ladder.row(row);
            }
            // the ladder asks for media, the table of messages does not
            if *messages && !matches!(row.event.body, Body::Rtp(_) | Body::Rtcp(_)) {
                let cells = rows_of::cells(&capture_id, row);
                failed = self.store.journal.row(&mut rows, Table::Messages, &cells).err();
            }
            failed.is_none()
        })?;
        let is_too_much = input.info().is_too_much;
        drop(input);
        if self.is_over() {
            return Ok(());
        }
        if is_too_much || bomb.load(Ordering::Relaxed) {
            return self.write_unreadable(origin, archive::bomb(), summary);
        }
        let logs = beside.logs_of(part.year().unwrap_or(analyzer::NO_YEAR));
        let report = analyzer::report_with(vec![part], &logs, beside.log_offset);
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
        let page = ladder.map(|ladder| self.page(&report, ladder)).unwrap_or_default();
        let page_name = page_name(&name);
        if *html {
            self.store.write(&page_name, page.as_bytes())?;
            summary.page = Some(page_name);
        } else if !self.store.journal.is_empty() {
            self.store.remove(&page_name); // of an earlier batch
        }
        // about what a report of so many bytes needs: growing to that copies it over and over
        let room = size.unwrap_or(0).saturating_mul(2).clamp(MIN_REPORT, MAX_REPORT);
        let mut written = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
        // on one line: without the indentation it is half as much to write
        json::line(&mut written, &report).map_err(|error| Error::writing(&name, &error))?;
        self.store.write(&name, &written)?;
        self.record(origin, key, (&written, page.as_bytes()), &summary, &rows)
    }

    /// The page of a report, as `analyze --format html` writes it.
    fn page(&self, report: &Report, collected: Collector) -> String {
        let clock = self.batch.look.clock(run::first_time(report));
        let layout = output::text_options(self.batch.look, clock, true);
        html::report(report, &Ladder::new(vec![collected], report), &layout)
    }

    /// Which requests an ICMP error answered, for pages only: it takes a pass of its own.
    fn icmp_answers<'i>(&self, origin: Origin<'_>, open: impl Fn() -> Result<Input<'i>, Error>) -> Icmp {
        if !self.batch.html {
            return Icmp::new();
        }
        let bomb = AtomicBool::new(false);
        // what cannot be read is told of where it is read for its report
        run::icmp_answers_of(|| open().map(|input| self.watched(origin, input, &bomb))).unwrap_or_default()
    }

    /// An input that ends where the batch is to stop, or an archive has unpacked to more than captures do.
    fn watched<'i>(&'i self, origin: Origin<'i>, input: Input<'i>, bomb: &'i AtomicBool) -> Input<'i> {
        let allowance = origin.allowance.filter(|_| input.info().format.compression.is_some());
        let mut before = 0;
        input.watched(move |unpacked| {
            let more = unpacked.saturating_sub(std::mem::replace(&mut before, unpacked));
            bomb.fetch_or(allowance.is_some_and(|allowance| !allowance.take(more)), Ordering::Relaxed);
            !bomb.load(Ordering::Relaxed) && !self.is_over()
        })
    }

    /// The row of a file that could not be read.
    pub(super) fn unreadable(&self, origin: Origin<'_>, size: u64, reason: &str) -> Result<(), Error> {
        self.write_unreadable(origin, reason, self.named(origin, size))
    }

    fn write_unreadable(&self, origin: Origin<'_>, error: impl Display, summary: Summary) -> Result<(), Error> {
        let summary = Summary { error: Some(error.to_string()), ..summary };
        self.record(origin, None, (&[], &[]), &summary, &Rows::default())
    }

    fn record(
        &self,
        origin: Origin<'_>,
        key: Option<Key>,
        (report, page): (&[u8], &[u8]),
        summary: &Summary,
        rows: &Rows,
    ) -> Result<(), Error> {
        let at = self.store.journal.done(key, (report, page), summary, rows);
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
        key.update(self.batch.settings);
        key.update(summary.capture_id.as_bytes());
        key.update(hash);
        key.finalize().first_chunk().copied().unwrap_or_default()
    }

    /// Whether a batch before this one has done the capture; if so its results are taken.
    fn is_done(&self, origin: Origin<'_>, key: Key, summary: &Summary) -> bool {
        let Some(done) = self.store.journal.find(&key) else { return false };
        let report = report_name(&summary.path, &summary.capture_id);
        let page = page_name(&report);
        if !self.store.holds(&report, done.report) || (self.batch.html && !self.store.holds(&page, done.page)) {
            return false;
        }
        self.done(origin, done.at);
        self.progress.capture(false);
        true
    }
}

/// What a file or an entry is, by its beginning; `open` gives it from there.
pub(super) fn shape<R: Read>(input: &mut impl Read, open: impl FnOnce() -> io::Result<R>) -> io::Result<Shape> {
    match Shape::of(input)? {
        (Shape::Single, head) => Shape::within(&head, open),
        (shape, _) => Ok(shape),
    }
}

/// An input that tells how many bytes are read.
struct Counted<R, F> {
    input: R,
    count: F,
}

impl<R: Read, F: FnMut(u64)> Read for Counted<R, F> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(room)?;
        (self.count)(count as u64);
        Ok(count)
    }
}
