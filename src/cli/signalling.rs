//! The session descriptions given on the command line.

use super::credentials::slurp;
use super::error::{Error, say};
use crate::secret::Secret;
use crate::session::credentials::Credentials;
use crate::session::signalling::{self, Description, MAX_FILE, Read, Signalling};
use flate2::read::MultiGzDecoder;
use std::io::Read as _;
use std::path::PathBuf;

/// How many warnings of one file are printed.
const MAX_WARNINGS: usize = 5;

/// What was told, kept so that every capture gets it.
#[derive(Debug, Default)]
pub(super) struct Told {
    files: Vec<(String, Read)>,
}

impl Told {
    /// Reads the files.
    pub(super) fn read(files: &[PathBuf]) -> Result<Self, Error> {
        let mut told = Told::default();
        for path in files {
            told.files.extend(Told::of(&slurp(path, MAX_FILE)?, &path.display().to_string())?.files);
        }
        Ok(told)
    }

    /// Reads what a file holds.
    pub(super) fn of(bytes: &Secret, origin: &str) -> Result<Self, Error> {
        let unpacked = if is_packed(bytes.expose()) { Some(unpack(bytes, origin)?) } else { None };
        let bytes = unpacked.as_ref().unwrap_or(bytes);
        let read = signalling::read(bytes.expose(), origin).map_err(|error| Error::new("", error, ""))?;
        Ok(Told { files: vec![(origin.to_owned(), read)] })
    }

    /// Adds it to what a capture is read with.
    pub(super) fn add_to(&self, signalling: &mut Signalling, credentials: &mut Credentials) {
        for (_, read) in &self.files {
            signalling.take(read, credentials);
        }
    }

    /// All descriptions, each with the password of its agent where that was told.
    pub(super) fn descriptions(&self) -> Vec<(Description, Option<Secret>)> {
        self.files.iter().flat_map(|(_, read)| read.descriptions.iter().cloned()).collect()
    }

    /// Says what was passed over.
    pub(super) fn warn(&self) {
        for (origin, read) in &self.files {
            for warning in read.warnings.iter().take(MAX_WARNINGS) {
                say(&Error::new("", format_args!("{warning}, passed over"), ""));
            }
            if let more @ 1.. = read.warnings.len().saturating_sub(MAX_WARNINGS) {
                say(&Error::new(origin, format_args!("{more} more such lines passed over"), ""));
            }
            if read.omitted > 0 {
                say(&Error::new(origin, format_args!("more than is kept: {} left out", read.omitted), ""));
            }
        }
    }
}

/// Whether a file is packed with gzip, as newer Chromium saves its dump.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

fn unpack(packed: &Secret, origin: &str) -> Result<Secret, Error> {
    let mut unpacked = Vec::new();
    // a byte more than is read, for the reader to refuse
    let limit = MAX_FILE as u64 + 1;
    match MultiGzDecoder::new(packed.expose()).take(limit).read_to_end(&mut unpacked) {
        Ok(_) => Ok(Secret::new(unpacked)),
        Err(_) if !unpacked.is_empty() => Ok(Secret::new(unpacked)), // cut short: what is there is read
        Err(error) => Err(Error::new(origin, format_args!("cannot be unpacked ({error})"), "unpack it first")),
    }
}
