//! The folder of results.
//!
//! ```text
//! DIR/summary.jsonl  captures.parquet …  index.html  reports/NAME-ID.json, .html
//! DIR/.turnscope/journal   what has been done      DIR/.turnscope/lock    *.part   files that are being written
//! ```
//!
//! Every file is written aside and then put in place, so that none is ever there in half.

use super::journal::{Journal, Mark};
use crate::cli::error::Error;
use crate::report::tables::Table;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

const HIDDEN: &str = ".turnscope";
const REPORTS: &str = "reports";
/// Characters of a path that stand in the name of its report.
const MAX_NAME: usize = 80;

/// The folder, which no other batch writes to meanwhile.
pub(super) struct Store {
    out: PathBuf,
    hidden: PathBuf,
    pub(super) journal: Journal,
    count: AtomicU64,
    /// Held open as long as the batch runs.
    _lock: File,
}

/// A file on its way into the folder.
pub(super) struct Part {
    pub(super) file: BufWriter<File>,
    pub(super) place: Place,
}

/// Where a file is while it is written, and where it comes to be.
pub(super) struct Place {
    temporary: PathBuf,
    place: PathBuf,
}

impl Store {
    /// Opens the folder, makes it where there is none, and clears away what a killed batch left.
    pub(super) fn open(out: &Path, resume: bool) -> Result<Self, Error> {
        let failed = |path: &Path, error: io::Error| Error::writing(&path.display().to_string(), &error);
        let hidden = out.join(HIDDEN);
        for folder in [out, &hidden, &out.join(REPORTS)] {
            fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        }
        let lock = File::create(hidden.join("lock")).map_err(|error| failed(&hidden, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let name = out.display().to_string();
                return Err(Error::new(name, "another batch is writing here", "wait for it, or give another folder"));
            }
            Err(fs::TryLockError::Error(_)) => {} // some network folders have no locks
        }
        for entry in fs::read_dir(&hidden).map_err(|error| failed(&hidden, error))?.flatten() {
            if entry.file_name().as_encoded_bytes().ends_with(b".part") {
                let _ = fs::remove_file(entry.path()); // what stays is in nobody's way
            }
        }
        let path = hidden.join("journal");
        let journal = Journal::open(&path, resume).map_err(|error| failed(&path, error))?;
        let store = Store { out: out.to_owned(), hidden, journal, count: AtomicU64::new(0), _lock: lock };
        store.remove_stale();
        Ok(store)
    }

    /// The reports of an earlier batch that this one does not go on from.
    fn remove_stale(&self) {
        if !self.journal.stale.is_empty() {
            for name in
                ["summary.jsonl".to_owned(), "index.html".to_owned()].into_iter().chain(Table::ALL.map(table_file))
            {
                self.remove(&name);
            }
        }
        for report in &self.journal.stale {
            let name = report.strip_prefix(REPORTS).and_then(|name| name.strip_prefix('/')).unwrap_or_default();
            // a journal that was tampered with deletes nothing else
            if !name.is_empty() && !name.contains(['/', '\\']) && (name.ends_with(".json") || name.ends_with(".html")) {
                let _ = fs::remove_file(self.out.join(REPORTS).join(name));
            }
        }
    }

    /// Whether a file that was written is still there as it was.
    pub(super) fn holds(&self, name: &str, written: Mark) -> bool {
        let path = self.out.join(name);
        let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        length == written.length && fs::read(&path).is_ok_and(|bytes| Mark::of(&bytes) == written)
    }

    /// Writes a file of the folder as a whole. It survives this process being killed, though perhaps not the machine: then its checksum tells.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let place = self.aside(name);
        let written = File::create(&place.temporary).and_then(|mut file| file.write_all(bytes));
        place.end(written)
    }

    /// Begins a file of the folder.
    pub(super) fn begin(&self, name: &str) -> Result<Part, Error> {
        let place = self.aside(name);
        match File::create(&place.temporary) {
            Ok(file) => Ok(Part { file: BufWriter::with_capacity(1 << 16, file), place }),
            Err(error) => Err(Error::writing(&place.place.display().to_string(), &error)),
        }
    }

    fn aside(&self, name: &str) -> Place {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        Place { temporary: self.hidden.join(format!("{number}.part")), place: self.out.join(name) }
    }

    /// Removes a file of the folder that this batch does not write.
    pub(super) fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.out.join(name)); // mostly there is none
    }

    /// What writing to the journal failed with.
    pub(super) fn journal_error(&self, error: &io::Error) -> Error {
        Error::writing(&self.hidden.join("journal").display().to_string(), error)
    }

    /// The folder, for showing.
    pub(super) fn shown(&self) -> String {
        self.out.display().to_string()
    }
}

impl Part {
    /// Puts the file in place if all of it could be written; on the disk where `sync` is set.
    pub(super) fn end(mut self, written: io::Result<()>, sync: bool) -> Result<(), Error> {
        let written = written
            .and_then(|()| self.file.flush())
            .and_then(|()| if sync { self.file.get_ref().sync_all() } else { Ok(()) });
        self.place.end(written)
    }
}

impl Place {
    fn end(&self, written: io::Result<()>) -> Result<(), Error> {
        let Place { temporary, place } = self;
        written.and_then(|()| fs::rename(temporary, place)).map_err(|error| {
            let _ = fs::remove_file(temporary); // what matters is the first error
            Error::writing(&place.display().to_string(), &error)
        })
    }
}

/// Where a table is, from the folder of results.
pub(super) fn table_file(table: Table) -> String {
    format!("{}.parquet", table.name())
}

/// The name of a capture in all tables: made from its path, so that it stays.
pub(super) fn capture_id(item: &str, entry: Option<&str>) -> String {
    let mut hash = Sha256::new();
    hash.update(item.as_bytes());
    if let Some(entry) = entry {
        hash.update([0]); // no path has a zero byte in it
        hash.update(entry.as_bytes());
    }
    hex(hash.finalize().get(..8).unwrap_or_default())
}

/// Where the report of a capture is, from the folder of results: what its path ends in, and its name in the tables. Only letters, digits, `.`, `-` and `_`.
pub(super) fn report_name(path: &str, capture_id: &str) -> String {
    let tame = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let tail: String = path.chars().rev().take(MAX_NAME).map(tame).collect();
    let tail: String = tail.chars().rev().collect();
    format!("{REPORTS}/{}-{capture_id}.json", tail.trim_start_matches(['.', '_', '-']))
}

/// Where the page of the same capture is.
pub(super) fn page_name(report: &str) -> String {
    format!("{}.html", report.strip_suffix(".json").unwrap_or(report))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_reports_are_tame_and_stay_apart() {
        let id = |path: &str| capture_id(path, None);
        for path in ["../../etc/passwd", "a/b c.pcap", "/", "", "\u{202e}x.pcap\n", "-rf", &"x/".repeat(500), "con:"] {
            let name = report_name(path, &id(path));
            let file = name.strip_prefix("reports/").unwrap();
            assert!(file.len() < 120 && file.ends_with(".json"), "{name}");
            assert!(!file.starts_with('.') && file.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)));
        }
        assert_ne!(report_name("a b", &id("a b")), report_name("a_b", &id("a_b")));
        assert_ne!(capture_id("a!/b", None), capture_id("a", Some("b")));
        assert_eq!(id("a").len(), 16);
    }

    #[test]
    fn leftovers_go_and_other_files_stay() {
        let desk = tempfile::tempdir().unwrap();
        let out = desk.path().join("out");
        let store = Store::open(&out, true).unwrap();
        store.write("reports/a.json", b"{}").unwrap();
        drop(store.begin("reports/b.json").unwrap());
        assert!(matches!(Store::open(&out, true), Err(error) if error.to_string().contains("another batch")));
        drop(store);
        fs::write(out.join("notes.txt"), "mine").unwrap();
        let store = Store::open(&out, true).unwrap();
        let names = |folder: &Path| {
            let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&out.join(HIDDEN)), ["journal", "lock"]);
        assert_eq!(names(&out), [HIDDEN, "notes.txt", "reports"]);
        assert_eq!(names(&out.join("reports")), ["a.json"]);
        drop(store);
    }
}
