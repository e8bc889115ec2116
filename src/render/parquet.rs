//! Tables as Parquet files, for DuckDB, Polars, pandas, Spark. The only user of arrow and parquet.

use crate::report::tables::{Cell, Kind, Table};
use arrow_array::builder::{ArrayBuilder, BooleanBuilder, Int64Builder, StringBuilder, TimestampNanosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::io::{self, Write};
use std::sync::Arc;

/// Rows that are handed to the encoder together.
const BATCH: usize = 4096;
/// Bytes that the encoder holds before it writes them out as a row group.
const ROW_GROUP: usize = 16 << 20;
/// Columns of which nearly every value is another.
const UNREPEATED: [&str; 6] = ["transaction_id", "frame", "response_frame", "rtt_us", "rtt_max_us", "sha256"];
/// Times are in UTC and say so.
const UTC: &str = "UTC";

/// Writes one table to `W`, in memory that does not grow with it.
pub struct Writer<W: Write + Send> {
    schema: Arc<Schema>,
    columns: Vec<Column>,
    rows: usize,
    encoder: ArrowWriter<W>,
}

/// The values of a column that are not yet encoded.
enum Column {
    Text(StringBuilder),
    /// Numbers that cannot be negative, too: the difference of two may be, and unsigned ones would wrap.
    Number(Int64Builder),
    Flag(BooleanBuilder),
    Time(TimestampNanosecondBuilder),
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Whatever `W` fails with.
    pub fn new(out: W, table: Table) -> io::Result<Self> {
        let columns = table.columns();
        let fields = columns.iter().map(|(name, kind)| Field::new(*name, data_type(*kind), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("turnscope ", env!("CARGO_PKG_VERSION")).to_owned());
        for (name, kind) in &columns {
            // a dictionary of values that hardly ever occur twice is looked up in vain, and then thrown away
            if *kind == Kind::Time || UNREPEATED.contains(name) {
                properties = properties.set_column_dictionary_enabled((*name).into(), false);
            }
        }
        let properties = properties.build();
        let encoder = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties)).map_err(failed)?;
        let columns = columns.iter().map(|(_, kind)| Column::new(*kind)).collect();
        Ok(Writer { schema, columns, rows: 0, encoder })
    }

    /// Adds a row, with a cell for each column of the table; one that is missing or of another kind becomes null.
    ///
    /// # Errors
    /// Whatever `W` fails with.
    pub fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for (index, column) in self.columns.iter_mut().enumerate() {
            column.push(cells.get(index).unwrap_or(&Cell::Null));
        }
        self.rows += 1;
        if self.rows >= BATCH {
            self.encode()?;
        }
        Ok(())
    }

    /// Ends the file; gives `W` back, flushed.
    ///
    /// # Errors
    /// Whatever `W` fails with.
    pub fn finish(mut self) -> io::Result<W> {
        self.encode()?;
        self.encoder.into_inner().map_err(failed)
    }

    fn encode(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(Column::take).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(|error| failed(error.into()))?;
        self.encoder.write(&batch).map_err(failed)?;
        if self.encoder.in_progress_size() > ROW_GROUP {
            self.encoder.flush().map_err(failed)?;
        }
        Ok(())
    }
}

impl Column {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text => Column::Text(StringBuilder::new()),
            Kind::Unsigned | Kind::Signed => Column::Number(Int64Builder::new()),
            Kind::Flag => Column::Flag(BooleanBuilder::new()),
            Kind::Time => Column::Time(TimestampNanosecondBuilder::new().with_timezone(UTC)),
        }
    }

    fn push(&mut self, cell: &Cell<'_>) {
        match (self, cell) {
            (Column::Text(column), Cell::Text(text)) => column.append_value(text),
            (Column::Text(column), Cell::Address(address)) => column.append_value(address.to_string()),
            (Column::Number(column), Cell::Unsigned(number)) => {
                column.append_value(i64::try_from(*number).unwrap_or(i64::MAX));
            }
            (Column::Number(column), Cell::Signed(number)) => column.append_value(*number),
            (Column::Flag(column), Cell::Flag(flag)) => column.append_value(*flag),
            (Column::Time(column), Cell::Time(nanos)) => column.append_value(*nanos),
            (Column::Text(column), _) => column.append_null(),
            (Column::Number(column), _) => column.append_null(),
            (Column::Flag(column), _) => column.append_null(),
            (Column::Time(column), _) => column.append_null(),
        }
    }

    fn take(&mut self) -> ArrayRef {
        let builder: &mut dyn ArrayBuilder = match self {
            Column::Text(column) => column,
            Column::Number(column) => column,
            Column::Flag(column) => column,
            Column::Time(column) => column,
        };
        builder.finish()
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Unsigned | Kind::Signed => DataType::Int64,
        Kind::Flag => DataType::Boolean,
        Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into())),
    }
}

fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Summary;
    use crate::report::tables::capture_row;

    #[test]
    fn a_table_without_rows_is_a_whole_file() {
        for table in Table::ALL {
            let bytes = Writer::new(Vec::new(), table).unwrap().finish().unwrap();
            assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{table:?}");
        }
    }

    #[test]
    fn rows_beyond_a_batch_are_written() {
        let mut writer = Writer::new(Vec::new(), Table::Captures).unwrap();
        let summary = Summary { path: "a.pcap".into(), first_time_ns: Some(7), ..Summary::default() };
        for _ in 0..=BATCH {
            capture_row(&summary, &mut |_, cells| writer.row(cells).unwrap());
        }
        assert_eq!(writer.rows, 1);
        assert!(writer.finish().unwrap().ends_with(b"PAR1"));
    }
}
