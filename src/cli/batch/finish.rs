//! The results of all captures put together: `summary.jsonl`, the tables, the page.

use super::journal::{Journal, Record};
use super::store::Store;
#[cfg(feature = "parquet")]
use super::tables::Tables;
use super::work::Outcome;
use crate::cli::error::Error;
use crate::render::html::Index;
use crate::render::json;
use crate::report::Totals;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Writes what is of all captures, in their order; gives the counts.
///
/// Gives `None` if someone wants it to stop meanwhile: nothing of it is then in place.
pub(super) fn write(
    store: &Store,
    done: &[Outcome],
    messages: bool,
    stop: &AtomicBool,
) -> Result<Option<Totals>, Error> {
    let mut summary = store.begin("summary.jsonl")?;
    let mut tables = Tables::begin(store, messages)?;
    let mut index = Index::default();
    let all = each(&store.journal, done, &mut |record| {
        if stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        json::compact(&mut summary.file, &record.summary)?;
        summary.file.write_all(b"\n")?;
        tables.rows(&store.journal, record)?;
        index.add(&record.summary);
        Ok(())
    });
    match all {
        Ok(()) => summary.end(Ok(()), true)?,
        Err(_) if stop.load(Ordering::Relaxed) => return Ok(None),
        Err(error) => return Err(store.journal_error(&error)),
    }
    tables.end()?;
    let mut page = store.begin("index.html")?;
    let written = page.file.write_all(index.page().as_bytes());
    page.end(written, true)?;
    Ok(Some(index.totals().clone()))
}

fn each(journal: &Journal, done: &[Outcome], sink: &mut dyn FnMut(&Record) -> io::Result<()>) -> io::Result<()> {
    done.iter().try_for_each(|outcome| sink(&journal.read(outcome.at)?))
}

/// This build leaves tables out.
#[cfg(not(feature = "parquet"))]
struct Tables;

#[cfg(not(feature = "parquet"))]
impl Tables {
    fn begin(_: &Store, _: bool) -> Result<Self, Error> {
        Ok(Tables)
    }

    fn rows(&mut self, _: &Journal, _: &Record) -> io::Result<()> {
        Ok(())
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}
