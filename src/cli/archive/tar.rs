//! tar: old, POSIX (ustar, pax) and GNU.

use super::Skip;
use std::io::{self, Read};

/// Bytes of a block.
const BLOCK: usize = 512;
/// Bytes of a long name or of extended headers; more is no honest archive.
const MAX_EXTENSION: u64 = 256 * 1024;

/// A file in a tar. Its bytes come next from [`Tar::data`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Entry {
    /// Its name, for showing.
    pub name: String,
    /// Bytes of it.
    pub size: u64,
    /// Where its first byte is in the unpacked tar.
    pub offset: u64,
    /// Why its bytes are not what the file holds, if so.
    pub unreadable: Option<&'static str>,
}

/// Reads a tar from its beginning.
pub(in crate::cli) struct Tar<R> {
    input: R,
    position: u64,
    /// Bytes before the next header.
    ahead: u64,
    /// Bytes of the entry told last that have not been read.
    left: u64,
}

/// What extended headers say of the next file.
#[derive(Default)]
struct Extended {
    name: Option<String>,
    size: Option<u64>,
}

impl<R: Skip> Tar<R> {
    pub(in crate::cli) fn new(input: R) -> Self {
        Tar { input, position: 0, ahead: 0, left: 0 }
    }

    /// The next file; folders, links and devices are passed over. `None` at the end.
    ///
    /// # Errors
    /// If the archive is damaged, cut short or cannot be read further. It ends there.
    pub(in crate::cli) fn next_file(&mut self) -> io::Result<Option<Entry>> {
        let mut extended = Extended::default();
        loop {
            self.pass()?;
            let Some(header) = self.header()? else { return Ok(None) };
            let size = number(header.get(124..136).unwrap_or_default())
                .ok_or_else(|| damaged("the size of an entry is no number"))?;
            match header.get(156).copied().unwrap_or_default() {
                b'L' => extended.name = Some(text(&self.extension(size)?)),
                b'x' => extended.take(&self.extension(size)?),
                kind @ (0 | b'0' | b'7' | b'S') => {
                    let name = extended.name.unwrap_or_else(|| name_of(&header));
                    let size = extended.size.unwrap_or(size);
                    // the old format tells a folder by its name
                    if kind == 0 && name.ends_with('/') {
                        self.expect(size);
                        extended = Extended::default();
                        continue;
                    }
                    self.expect(size);
                    self.left = size;
                    let unreadable = (kind == b'S').then_some("a sparse file of GNU tar: unpack it first");
                    return Ok(Some(Entry { name, size, offset: self.position, unreadable }));
                }
                kind => {
                    // links, devices and folders have no bytes, whatever their header says
                    let empty = matches!(kind, b'1'..=b'6');
                    self.expect(if empty { 0 } else { size });
                    // what stands between belongs to the next file, all else to this one
                    if !matches!(kind, b'K' | b'g') {
                        extended = Extended::default();
                    }
                }
            }
        }
    }

    /// The bytes of the file told last.
    pub(in crate::cli) fn data(&mut self) -> Data<'_, R> {
        Data { tar: self }
    }

    /// There are so many bytes, filled up to a block, before the next header.
    fn expect(&mut self, size: u64) {
        self.ahead = size.saturating_add(size.wrapping_neg() % BLOCK as u64);
        self.left = 0;
    }

    fn pass(&mut self) -> io::Result<()> {
        let count = std::mem::take(&mut self.ahead);
        self.left = 0;
        self.position = self.position.saturating_add(count);
        if count > 0 { self.input.skip(count) } else { Ok(()) }
    }

    /// The next header; `None` where the archive ends: at an empty block, or with the file.
    fn header(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = Vec::with_capacity(BLOCK);
        self.input.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        self.position = self.position.saturating_add(block.len() as u64);
        if block.is_empty() {
            return Ok(None);
        }
        let Ok(header) = <[u8; BLOCK]>::try_from(block) else { return Err(cut()) };
        if header.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        if !sums_up(&header) {
            return Err(damaged("the checksum of a header is wrong"));
        }
        Ok(Some(header))
    }

    /// The bytes of an entry that is about the next one.
    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > MAX_EXTENSION {
            return Err(damaged("an extended header is larger than 256 KiB"));
        }
        let mut bytes = Vec::new();
        self.input.by_ref().take(size).read_to_end(&mut bytes)?;
        self.position = self.position.saturating_add(bytes.len() as u64);
        if (bytes.len() as u64) < size {
            return Err(cut());
        }
        self.ahead = size.wrapping_neg() % BLOCK as u64;
        Ok(bytes)
    }
}

/// Reads the bytes of one file.
pub(in crate::cli) struct Data<'t, R> {
    tar: &'t mut Tar<R>,
}

impl<R: Read> Read for Data<'_, R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.tar.left).unwrap_or(usize::MAX);
        let room = room.get_mut(..left.min(room.len())).unwrap_or_default();
        if room.is_empty() {
            return Ok(0);
        }
        let count = self.tar.input.read(room)?;
        if count == 0 {
            return Err(cut());
        }
        self.tar.left = self.tar.left.saturating_sub(count as u64);
        self.tar.ahead = self.tar.ahead.saturating_sub(count as u64);
        self.tar.position = self.tar.position.saturating_add(count as u64);
        Ok(count)
    }
}

impl Extended {
    /// Reads pax records: `length key=value\n`.
    fn take(&mut self, mut bytes: &[u8]) {
        while let Some(space) = bytes.iter().position(|&byte| byte == b' ') {
            let length = bytes.get(..space).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
            let Some(record) = length.and_then(|length| bytes.get(space + 1..length)) else { return };
            bytes = bytes.get(length.unwrap_or(usize::MAX)..).unwrap_or_default();
            let record = text(record.strip_suffix(b"\n").unwrap_or(record));
            match record.split_once('=') {
                Some(("path", name)) => self.name = Some(name.to_owned()),
                Some(("size", size)) => self.size = size.parse().ok().or(self.size),
                _ => {}
            }
        }
    }
}

/// Whether a file with these first bytes is a tar.
pub(super) fn is_one(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<BLOCK>() else { return false };
    header.first().is_some_and(|&byte| byte != 0) && sums_up(header)
}

/// Whether the checksum is right: the sum of all bytes, its own taken for spaces.
fn sums_up(header: &[u8; BLOCK]) -> bool {
    let field = header.get(148..156).unwrap_or_default();
    let sum = header.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    let own = field.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    number(field) == Some(sum - own + 8 * u64::from(b' '))
}

/// An octal number in text, or a binary one for what is too large (GNU).
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, rest @ ..] = field {
        let (high, low) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
        let low = u64::from_be_bytes(low.try_into().ok()?);
        return high.iter().all(|&byte| byte == 0).then_some(low);
    }
    let digits = field.split(|&byte| byte == 0).next().unwrap_or_default();
    let digits = std::str::from_utf8(digits).ok()?.trim_matches(' ');
    if digits.is_empty() {
        return Some(0);
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    u64::from_str_radix(digits, 8).ok()
}

/// The name in a header, with the prefix of POSIX.
fn name_of(header: &[u8; BLOCK]) -> String {
    let name = text(header.get(..100).unwrap_or_default());
    // GNU's own format, `ustar  `, has other things there
    let prefix = match header.get(257..263) {
        Some(b"ustar\0") => text(header.get(345..500).unwrap_or_default()),
        _ => String::new(),
    };
    if prefix.is_empty() { name } else { format!("{prefix}/{name}") }
}

/// Text up to a zero byte.
fn text(bytes: &[u8]) -> String {
    let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the archive is cut short")
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the archive is damaged: {what}"))
}

#[cfg(test)]
#[path = "tar_tests.rs"]
mod tests;
