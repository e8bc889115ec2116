//! Reports as JSON.

use crate::report::Report;
use std::io::{self, Write};

/// Writes a report as indented JSON with a newline at the end.
///
/// # Errors
/// Whatever the writer fails with.
pub fn report(out: &mut impl Write, report: &Report) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}
