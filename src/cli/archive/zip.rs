//! zip (APPNOTE 6.3.10): stored, deflate and zstd entries, zip64.

use super::{Allowance, Guarded, MAX_ENTRIES, Section};
use crate::bounded::BoundedList;
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

/// Bytes of the end record without its comment, and of the longest comment.
const END: usize = 22;
const MAX_COMMENT: usize = 0xffff;
/// Bytes of what points to the zip64 end record, which stands before the end record.
const LOCATOR: usize = 20;

/// An open archive.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Zip {
    file: Arc<File>,
    /// The files in it, in the order of its directory; the first [`MAX_ENTRIES`].
    pub entries: Vec<Entry>,
    /// How many more there are.
    pub omitted: u64,
    /// Why the directory could not be read to its end.
    pub damage: Option<String>,
}

/// A file in a zip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Entry {
    /// Its name, for showing.
    pub name: String,
    /// Bytes of it, unpacked, as the directory claims.
    pub size: u64,
    /// Bytes of it in the archive.
    pub packed: u64,
    method: u16,
    encrypted: bool,
    crc: u32,
    header: u64,
}

impl Zip {
    /// Reads the directory of an archive of `size` bytes.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub(in crate::cli) fn open(file: Arc<File>, size: u64) -> io::Result<Self> {
        let end = End::find(&file, size)?;
        let directory = Section::new(Arc::clone(&file), end.directory, end.length);
        let mut zip = Zip { file, entries: Vec::new(), omitted: 0, damage: None };
        if let Err(error) = zip.read_directory(&mut BufReader::new(directory), end.shift) {
            zip.damage = Some(format!("the directory of the archive is damaged ({error})"));
        }
        Ok(zip)
    }

    fn read_directory(&mut self, input: &mut impl BufRead, shift: u64) -> io::Result<()> {
        while !input.fill_buf()?.is_empty() {
            let fixed: [u8; 46] = array(input)?;
            if fixed.first_chunk() != Some(b"PK\x01\x02") {
                return Err(invalid("an entry does not begin as one"));
            }
            let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(u16_at(&fixed, at)));
            let name = bytes(input, name)?;
            let extra = bytes(input, extra)?;
            bytes(input, comment)?;
            let mut entry = Entry {
                name: String::from_utf8_lossy(&name).into_owned(),
                size: u32_at(&fixed, 24).into(),
                packed: u32_at(&fixed, 20).into(),
                method: u16_at(&fixed, 10),
                encrypted: u16_at(&fixed, 8) & 1 != 0,
                crc: u32_at(&fixed, 16),
                header: u32_at(&fixed, 42).into(),
            };
            entry.take_zip64(&extra);
            entry.header = entry.header.saturating_add(shift);
            if entry.name.ends_with('/') {
                continue;
            }
            if !self.entries.push_up_to(MAX_ENTRIES, entry) {
                self.omitted += 1;
            }
        }
        Ok(())
    }

    /// The bytes of a file, unpacked: no more than the directory says that there are.
    ///
    /// # Errors
    /// If it is packed or encrypted in a way that is not read here, or not where the directory says.
    pub(in crate::cli) fn read(&self, entry: &Entry) -> io::Result<Checked<Guarded<Unpacked>>> {
        if entry.encrypted {
            return Err(invalid("encrypted: unpack it first"));
        }
        let mut section = Section::new(Arc::clone(&self.file), entry.header, u64::MAX);
        let fixed: [u8; 30] = array(&mut section)?;
        if fixed.first_chunk() != Some(b"PK\x03\x04") {
            return Err(invalid("not where the directory of the archive says"));
        }
        let skip = u64::from(u16_at(&fixed, 26)) + u64::from(u16_at(&fixed, 28));
        let packed = Section::new(Arc::clone(&self.file), section.at().saturating_add(skip), entry.packed);
        let unpacked = match entry.method {
            0 => Unpacked::Stored(packed),
            8 => Unpacked::Deflate(Box::new(DeflateDecoder::new(packed))),
            #[cfg(feature = "zstd")]
            93 => {
                let mut decoder = zstd::stream::read::Decoder::new(packed)?;
                decoder.window_log_max(27)?;
                Unpacked::Zstd(Box::new(decoder))
            }
            method => {
                return Err(invalid(&format!(
                    "packed by a method that is not read (number {method}): unpack it first"
                )));
            }
        };
        Ok(Checked {
            input: Allowance::claimed(entry.size).guard(unpacked),
            sum: crc32fast::Hasher::new(),
            wanted: entry.crc,
        })
    }
}

impl Entry {
    /// The sizes and the place that do not fit into 32 bits stand in an extra field.
    fn take_zip64(&mut self, mut extra: &[u8]) {
        while let Some((head, rest)) = extra.split_first_chunk::<4>() {
            let [id, length] = [0, 2].map(|at| u16_at(head, at));
            let Some((field, rest)) = rest.split_at_checked(length.into()) else { return };
            extra = rest;
            if id != 1 {
                continue;
            }
            let mut values = field.chunks_exact(8).map(|value| u64_at(value, 0));
            for wanted in [&mut self.size, &mut self.packed, &mut self.header] {
                if *wanted == u64::from(u32::MAX)
                    && let Some(value) = values.next()
                {
                    *wanted = value;
                }
            }
            return;
        }
    }
}

/// Where the directory is.
struct End {
    directory: u64,
    length: u64,
    /// What to add to the places in it: the archive may stand behind something else.
    shift: u64,
}

impl End {
    fn find(file: &Arc<File>, size: u64) -> io::Result<End> {
        let tail = size.min((END + MAX_COMMENT + LOCATOR) as u64);
        let mut bytes = Vec::new();
        Section::new(Arc::clone(file), size - tail, tail).read_to_end(&mut bytes)?;
        let at = (0..bytes.len().saturating_sub(END - 1))
            .rev()
            .find(|&at| bytes.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x05\x06")))
            .ok_or_else(|| invalid("the archive is cut short: it has no directory"))?;
        let record = bytes.get(at..).unwrap_or_default();
        let mut end = size - tail + at as u64;
        let (mut length, mut claimed) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
        let locator = at.checked_sub(LOCATOR).and_then(|at| bytes.get(at..));
        if let Some(locator) = locator.filter(|locator| locator.starts_with(b"PK\x06\x07")) {
            let mut section = Section::new(Arc::clone(file), u64_at(locator, 8), 56);
            let record: [u8; 56] = array(&mut section)?;
            if record.first_chunk() != Some(b"PK\x06\x06") {
                return Err(invalid("the zip64 directory is not where the archive says"));
            }
            (length, claimed, end) = (u64_at(&record, 40), u64_at(&record, 48), u64_at(locator, 8));
        }
        // it ends where the end record begins
        let directory = end.checked_sub(length).ok_or_else(|| invalid("the directory is larger than the archive"))?;
        Ok(End { directory, length, shift: directory.saturating_sub(claimed) })
    }
}

/// The bytes of an entry by their method.
pub(in crate::cli) enum Unpacked {
    Stored(Section),
    Deflate(Box<DeflateDecoder<Section>>),
    #[cfg(feature = "zstd")]
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Section>>>),
}

impl Read for Unpacked {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Unpacked::Stored(input) => input.read(room),
            Unpacked::Deflate(input) => input.read(room),
            #[cfg(feature = "zstd")]
            Unpacked::Zstd(input) => input.read(room),
        }
    }
}

/// Fails at the end if the bytes are not those that were packed.
pub(in crate::cli) struct Checked<R> {
    input: R,
    sum: crc32fast::Hasher,
    wanted: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(room)?;
        self.sum.update(room.get(..count).unwrap_or_default());
        if count == 0 && !room.is_empty() && self.sum.clone().finalize() != self.wanted {
            return Err(invalid("its checksum in the archive is another: the archive is damaged"));
        }
        Ok(count)
    }
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn bytes(input: &mut impl Read, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |value| u16::from_le_bytes(*value))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |value| u32::from_le_bytes(*value))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |value| u64::from_le_bytes(*value))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
