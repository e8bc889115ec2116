//! The tables of all captures, written side by side.

use super::journal::{Journal, Record};
use super::store::{Part, Place, Store, table_file};
use crate::cli::error::Error;
use crate::render::parquet::Writer;
use crate::report::tables::{Cell, Table, capture_row};
use std::fs::File;
use std::io::{self, BufWriter};

/// The tables that are being written.
pub(super) struct Tables {
    open: Vec<(Table, Writer<BufWriter<File>>, Place)>,
}

impl Tables {
    pub(super) fn begin(store: &Store, messages: bool) -> Result<Self, Error> {
        let mut open = Vec::new();
        for table in Table::ALL {
            let name = table_file(table);
            if table == Table::Messages && !messages {
                store.remove(&name); // of an earlier batch
                continue;
            }
            let Part { file, place } = store.begin(&name)?;
            let writer = Writer::new(file, table).map_err(|error| Error::writing(&name, &error))?;
            open.push((table, writer, place));
        }
        Ok(Tables { open })
    }

    pub(super) fn rows(&mut self, journal: &Journal, record: &Record) -> io::Result<()> {
        let mut failed = Ok(());
        capture_row(&record.summary, &mut |table, cells| failed = self.row(table, cells));
        failed?;
        journal.rows(record, &mut |table, cells| self.row(table, cells))
    }

    fn row(&mut self, table: Table, cells: &[Cell<'_>]) -> io::Result<()> {
        let writer = self.open.iter_mut().find(|(of, _, _)| *of == table);
        writer.map_or(Ok(()), |(_, writer, _)| writer.row(cells))
    }

    pub(super) fn end(self) -> Result<(), Error> {
        for (table, writer, place) in self.open {
            let file = writer.finish().map_err(|error| Error::writing(table.name(), &error))?;
            Part { file, place }.end(Ok(()), true)?;
        }
        Ok(())
    }
}
