//! What a batch has done so far, in a file that only grows: a killed run goes on where it was.
//!
//! A record is written with one call and carries its length and checksum, so that one that was cut short is known for it and dropped. A
//! capture is done when its record stands there; its report was put in place before.
//!
//! ```text
//! length u32 · CRC-32 u32 · kind u8 · payload     kind 0: what this file is · 1: rows of tables · 2: a capture that is done
//! ```

use super::codec::{Decoder, Encoder};
use crate::report::Summary;
use crate::report::tables::{Cell, Table};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;

/// What the first record says.
const FORMAT: &[u8] = b"turnscope batch 2";
const HEADER: usize = 9;
/// Bytes of a key and two marks, which the record of a capture begins with.
const HEAD: usize = 16 + 2 * 12;
/// A longer record is none.
const MAX_RECORD: u32 = 256 << 20;
/// Rows that are held before they become a record of their own.
const MAX_ROWS: usize = 1 << 20;

/// Bytes that a record reserves before it is read.
const RESERVED: u32 = 2 << 20;

const FIRST: u8 = 0;
const ROWS: u8 = 1;
const DONE: u8 = 2;

/// Names what was done: the capture by path and content, and what it was read with.
pub(super) type Key = [u8; 16];

/// The file, and what of it may be used again.
pub(super) struct Journal {
    file: Mutex<Writer>,
    done: HashMap<Key, Done>,
    /// The reports of an earlier batch, if this one begins anew.
    pub(super) stale: Vec<String>,
}

struct Writer {
    file: File,
    end: u64,
}

/// Where a capture's record is, and what its report and page must be to be those that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) at: u64,
    pub(super) report: Mark,
    /// Of no bytes where none was wanted.
    pub(super) page: Mark,
}

/// What tells the bytes of a file from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) length: u64,
    pub(super) sum: u32,
}

/// Rows on their way into the journal.
#[derive(Default)]
pub(super) struct Rows {
    rows: Encoder,
    parts: Vec<u64>,
}

/// What became of a capture.
pub(super) struct Record {
    pub(super) summary: Summary,
    parts: Vec<u64>,
    rows: Vec<u8>,
}

impl Journal {
    /// Opens the journal, or begins one. What it holds is used again only where `resume` is set; else it begins anew.
    pub(super) fn open(path: &Path, resume: bool) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let (mut done, end, mut stale) = scan(&mut file)?;
        let end = if resume { end } else { 0 };
        if resume {
            stale.clear();
        } else {
            done.clear();
        }
        file.set_len(end)?;
        let journal = Journal { file: Mutex::new(Writer { file, end }), done, stale };
        if end == 0 {
            journal.append(FIRST, &[FORMAT])?;
        }
        Ok(journal)
    }

    /// What was done under this name.
    pub(super) fn find(&self, key: &Key) -> Option<Done> {
        self.done.get(key).copied()
    }

    /// Whether there is anything to go on from.
    pub(super) fn is_empty(&self) -> bool {
        self.done.is_empty()
    }

    /// Adds a row; writes what has come together if it is much.
    pub(super) fn row(&self, rows: &mut Rows, table: Table, cells: &[Cell<'_>]) -> io::Result<()> {
        rows.rows.row(table, cells);
        if rows.rows.len() >= MAX_ROWS {
            rows.parts.push(self.append(ROWS, &rows.rows.pieces(&mut [0; 4]))?);
            rows.rows.clear();
        }
        Ok(())
    }

    /// A capture is done; gives the place of its record. One without key is not found again.
    pub(super) fn done(
        &self,
        key: Option<Key>,
        (report, page): (&[u8], &[u8]),
        summary: &Summary,
        rows: &Rows,
    ) -> io::Result<u64> {
        let summary = serde_json::to_vec(summary)?;
        let mut payload = Vec::with_capacity(summary.len() + 8 * rows.parts.len() + 64);
        payload.extend_from_slice(&key.unwrap_or_default());
        for Mark { length, sum } in [Mark::of(report), Mark::of(page)] {
            payload.extend_from_slice(&length.to_le_bytes());
            payload.extend_from_slice(&sum.to_le_bytes());
        }
        payload.extend_from_slice(&u32::try_from(summary.len()).unwrap_or_default().to_le_bytes());
        payload.extend_from_slice(&summary);
        payload.extend_from_slice(&u32::try_from(rows.parts.len()).unwrap_or_default().to_le_bytes());
        for part in &rows.parts {
            payload.extend_from_slice(&part.to_le_bytes());
        }
        let mut length = [0; 4];
        let [length, texts, cells] = rows.rows.pieces(&mut length);
        self.append(DONE, &[&payload, length, texts, cells])
    }

    /// The record of a capture.
    pub(super) fn read(&self, at: u64) -> io::Result<Record> {
        let payload = self.payload(at)?;
        Record::parse(&payload).ok_or_else(damaged)
    }

    /// Gives the rows of a capture in the order in which they came.
    #[cfg_attr(not(feature = "parquet"), allow(dead_code))] // there is nothing to write them to
    pub(super) fn rows(
        &self,
        record: &Record,
        sink: &mut dyn FnMut(Table, &[Cell<'_>]) -> io::Result<()>,
    ) -> io::Result<()> {
        let id = &record.summary.capture_id;
        for part in &record.parts {
            each_row(id, &self.payload(*part)?, sink)?;
        }
        each_row(id, &record.rows, sink)
    }

    /// Appends a record of these pieces.
    fn append(&self, kind: u8, payload: &[&[u8]]) -> io::Result<u64> {
        let length = payload.iter().map(|piece| piece.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(HEADER + length);
        let length = u32::try_from(length).ok().filter(|length| *length <= MAX_RECORD);
        let length = length.ok_or_else(|| io::Error::other("a record is too long"))?;
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&sum(kind, payload).to_le_bytes());
        bytes.push(kind);
        payload.iter().for_each(|piece| bytes.extend_from_slice(piece));
        let mut writer = self.file.lock().map_err(|_| io::Error::other("a thread has failed"))?;
        let at = writer.end;
        writer.file.seek(SeekFrom::Start(at))?;
        writer.file.write_all(&bytes)?;
        writer.end = at.saturating_add(bytes.len() as u64);
        Ok(at)
    }

    fn payload(&self, at: u64) -> io::Result<Vec<u8>> {
        let mut writer = self.file.lock().map_err(|_| io::Error::other("a thread has failed"))?;
        writer.file.seek(SeekFrom::Start(at))?;
        let (_, payload) = next_record(&mut writer.file)?.ok_or_else(damaged)?;
        Ok(payload)
    }
}

impl Record {
    fn parse(mut payload: &[u8]) -> Option<Self> {
        let (_, rest) = payload.split_at_checked(HEAD)?;
        payload = rest;
        let summary = take(&mut payload)?;
        let summary = serde_json::from_slice(summary).ok()?;
        let (count, rest) = payload.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*count)).ok()?.checked_mul(8)?;
        let (parts, rows) = rest.split_at_checked(length)?;
        let parts = parts.chunks_exact(8).filter_map(|part| part.first_chunk().map(|part| u64::from_le_bytes(*part)));
        Some(Record { summary, parts: parts.collect(), rows: rows.to_vec() })
    }
}

/// Takes off what is preceded by its length.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (taken, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(taken)
}

fn each_row(
    capture_id: &str,
    bytes: &[u8],
    sink: &mut dyn FnMut(Table, &[Cell<'_>]) -> io::Result<()>,
) -> io::Result<()> {
    let mut rows = Decoder::new(bytes).ok_or_else(damaged)?;
    let mut cells = vec![Cell::from(capture_id)];
    while !rows.is_empty() {
        cells.truncate(1);
        let table = rows.row(&mut cells).ok_or_else(damaged)?;
        sink(table, &cells)?;
    }
    Ok(())
}

/// All that was done, where the sound records end, and the reports that were written.
fn scan(file: &mut File) -> io::Result<(HashMap<Key, Done>, u64, Vec<String>)> {
    file.seek(SeekFrom::Start(0))?;
    let mut input = BufReader::with_capacity(1 << 16, file);
    let (mut done, mut end, mut reports) = (HashMap::new(), 0_u64, Vec::new());
    while let Ok(Some((kind, payload))) = next_record(&mut input) {
        if (end == 0) != (kind == FIRST && payload == FORMAT) {
            break; // of another version, or no journal
        }
        if kind == DONE {
            let Some((key, report, page)) = head_of(&payload) else { break };
            if key != Key::default() {
                done.insert(key, Done { at: end, report, page });
            }
            let summary = Record::parse(&payload).map(|record| record.summary);
            reports.extend(summary.into_iter().flat_map(|summary| [summary.report, summary.page]).flatten());
        }
        end = end.saturating_add((HEADER + payload.len()) as u64);
    }
    Ok((done, end, reports))
}

fn head_of(payload: &[u8]) -> Option<(Key, Mark, Mark)> {
    let (key, rest) = payload.split_first_chunk()?;
    let (report, rest) = Mark::take(rest)?;
    let (page, _) = Mark::take(rest)?;
    Some((*key, report, page))
}

impl Mark {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Mark { length: bytes.len() as u64, sum: crc32fast::hash(bytes) }
    }

    fn take(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        Some((Mark { length: u64::from_le_bytes(*length), sum: u32::from_le_bytes(*sum) }, rest))
    }
}

/// The next record; `None` at the end, and where there is none or it is cut short or damaged.
fn next_record(input: &mut impl Read) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut header = Vec::with_capacity(HEADER);
    input.by_ref().take(HEADER as u64).read_to_end(&mut header)?;
    let Some((length, rest)) = header.split_first_chunk::<4>() else { return Ok(None) };
    let Some((wanted, &[kind])) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length);
    if length > MAX_RECORD {
        return Ok(None);
    }
    // with room for the end, or it would be read in small pieces; a length that is none reserves little
    let mut payload = Vec::with_capacity(length.min(RESERVED) as usize + 1);
    input.by_ref().take(length.into()).read_to_end(&mut payload)?;
    let whole = payload.len() as u64 == u64::from(length) && sum(kind, &[&payload]) == u32::from_le_bytes(*wanted);
    Ok(whole.then_some((kind, payload)))
}

fn sum(kind: u8, payload: &[&[u8]]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&[kind]);
    payload.iter().for_each(|piece| sum.update(piece));
    sum.finalize()
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the journal of the batch is damaged: run it anew, without --resume")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn summary(path: &str) -> Summary {
        Summary { path: path.into(), report: Some(format!("reports/{path}.json")), ..Summary::default() }
    }

    fn row(journal: &Journal, rows: &mut Rows, number: u64) {
        let cells = [Cell::from("id"), Cell::Unsigned(number), Cell::from("x".repeat(1000))];
        journal.row(rows, Table::Findings, &cells).unwrap();
    }

    #[test]
    fn what_was_done_is_found_again_with_all_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = Journal::open(&path, true).unwrap();
        let mut rows = Rows::default();
        for number in 0..3000 {
            row(&journal, &mut rows, number);
        }
        assert!(!rows.parts.is_empty(), "some went ahead");
        journal.done(Some([1; 16]), (b"report", b"page"), &summary("a"), &rows).unwrap();
        journal
            .done(
                None,
                (b"", b""),
                &Summary { error: Some("empty file".into()), ..Summary::default() },
                &Rows::default(),
            )
            .unwrap();
        drop(journal);
        let journal = Journal::open(&path, true).unwrap();
        let done = journal.find(&[1; 16]).unwrap();
        assert_eq!((done.report, done.page), (Mark::of(b"report"), Mark::of(b"page")));
        assert_eq!(journal.find(&Key::default()), None);
        let record = journal.read(done.at).unwrap();
        assert_eq!(record.summary, summary("a"));
        let mut next = 0;
        let mut check = |table, cells: &[Cell<'_>]| {
            assert_eq!((table, &cells[1]), (Table::Findings, &Cell::Unsigned(next)));
            next += 1;
            Ok(())
        };
        journal.rows(&record, &mut check).unwrap();
        assert_eq!(next, 3000);
    }

    #[test]
    fn a_journal_cut_anywhere_keeps_what_was_whole_and_goes_on_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let journal = Journal::open(&path, true).unwrap();
        journal.done(Some([1; 16]), (b"", b""), &summary("a"), &Rows::default()).unwrap();
        let first = fs::metadata(&path).unwrap().len();
        journal.done(Some([2; 16]), (b"", b""), &summary("b"), &Rows::default()).unwrap();
        drop(journal);
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let journal = Journal::open(&path, true).unwrap();
            assert_eq!(journal.find(&[1; 16]).is_some(), cut as u64 >= first, "{cut}");
            assert_eq!(journal.find(&[2; 16]), None);
            let at = journal.done(Some([3; 16]), (b"", b""), &summary("c"), &Rows::default()).unwrap();
            assert_eq!(journal.read(at).unwrap().summary, summary("c"));
            drop(journal);
            assert!(Journal::open(&path, true).unwrap().find(&[3; 16]).is_some());
        }
    }

    #[test]
    fn a_batch_that_begins_anew_forgets_and_knows_what_reports_were_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        Journal::open(&path, true).unwrap().done(Some([1; 16]), (b"", b""), &summary("a"), &Rows::default()).unwrap();
        let journal = Journal::open(&path, false).unwrap();
        assert!(journal.is_empty());
        assert_eq!(journal.stale, ["reports/a.json"]);
    }
}
