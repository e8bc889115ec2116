//! The results of all captures put together: `summary.jsonl`, the tables, the page.

use super::journal::{Journal, Record};
use super::store::{Part, Store};
use super::work::Outcome;
use crate::cli::error::Error;
use crate::render::index::Index;
use crate::render::json;
use crate::report::Totals;
use crate::report::tables::Table;
use std::io::{self, BufWriter, Write};

/// Writes what is of all captures, in their order; gives the counts.
pub(super) fn write(store: &Store, done: &[Outcome], messages: bool) -> Result<Totals, Error> {
    let mut summary = store.begin("summary.jsonl")?;
    let mut tables = Tables::begin(store, messages)?;
    let mut index = Index::default();
    let all = each(&store.journal, done, &mut |record| {
        json::compact(&mut summary.file, &record.summary)?;
        summary.file.write_all(b"\n")?;
        tables.rows(&store.journal, record)?;
        index.add(&record.summary);
        Ok(())
    });
    match all {
        Ok(()) => summary.end(Ok(()), true)?,
        Err(error) => return Err(store.journal_error(&error)),
    }
    tables.end()?;
    let mut page = store.begin("index.html")?;
    let written = page.file.write_all(index.page().as_bytes());
    page.end(written, true)?;
    Ok(index.totals().clone())
}

fn each(journal: &Journal, done: &[Outcome], sink: &mut dyn FnMut(&Record) -> io::Result<()>) -> io::Result<()> {
    done.iter().try_for_each(|outcome| sink(&journal.read(outcome.at)?))
}

/// The tables that are being written.
#[cfg(feature = "parquet")]
struct Tables {
    open: Vec<(Table, crate::render::parquet::Writer<BufWriter<std::fs::File>>, Unplaced)>,
}

#[cfg(feature = "parquet")]
type Unplaced = super::store::Place;

#[cfg(feature = "parquet")]
impl Tables {
    fn begin(store: &Store, messages: bool) -> Result<Self, Error> {
        let mut open = Vec::new();
        for table in Table::ALL {
            let name = format!("{}.parquet", table.name());
            if table == Table::Messages && !messages {
                store.remove(&name); // of an earlier batch
                continue;
            }
            let Part { file, place } = store.begin(&name)?;
            let writer =
                crate::render::parquet::Writer::new(file, table).map_err(|error| Error::writing(&name, &error))?;
            open.push((table, writer, place));
        }
        Ok(Tables { open })
    }

    fn rows(&mut self, journal: &Journal, record: &Record) -> io::Result<()> {
        let mut failed = Ok(());
        crate::report::tables::capture_row(&record.summary, &mut |table, cells| failed = self.row(table, cells));
        failed?;
        journal.rows(record, &mut |table, cells| self.row(table, cells))
    }

    fn row(&mut self, table: Table, cells: &[crate::report::tables::Cell<'_>]) -> io::Result<()> {
        let writer = self.open.iter_mut().find(|(of, _, _)| *of == table);
        writer.map_or(Ok(()), |(_, writer, _)| writer.row(cells))
    }

    fn end(self) -> Result<(), Error> {
        for (table, writer, place) in self.open {
            let file = writer.finish().map_err(|error| Error::writing(table.name(), &error))?;
            Part { file, place }.end(Ok(()), true)?;
        }
        Ok(())
    }
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
