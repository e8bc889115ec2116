//! Archives with captures in them: zip and tar, the latter packed or not. Read from where they are, without a file being written.
//!
//! An archive is a stranger's: what it says of itself reserves no memory and opens no file, names are only shown, and what it unpacks to is bounded
//! by [`Allowance`]. Crates for these formats hand over a directory as a whole, reserve what it claims, and let entries with the same name
//! replace each other; here each entry is one row of a batch.

mod tar;
mod zip;

pub(super) use tar::Tar;
pub(super) use zip::Zip;

use super::error::Error;
use crate::capture::{self, OpenError};
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many entries of an archive are read.
pub(super) const MAX_ENTRIES: usize = 200_000;
/// What an archive may always unpack to, in bytes.
const FREE: u64 = 1 << 30;
/// How many times its own size it may unpack to beyond that. Captures pack to a tenth, rarely to a fiftieth.
const RATIO: u64 = 250;
/// What a packed capture within an archive may always unpack to, in bytes: there may be very many.
const FREE_WITHIN: u64 = 16 << 20;
/// How many of the first bytes tell what a file is: a block of tar.
const HEAD: usize = 512;

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A capture, or something else that is no archive.
    Single,
    Zip,
    Tar,
    /// A tar within gzip, zstd, lz4 or xz.
    PackedTar,
}

impl Shape {
    /// Looks at the beginning of a file or entry; gives up to 512 bytes of it that were read.
    pub(super) fn of(input: &mut impl Read) -> io::Result<(Shape, Vec<u8>)> {
        let mut head = Vec::with_capacity(HEAD);
        input.take(HEAD as u64).read_to_end(&mut head)?;
        let shape = match head.as_slice() {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Shape::Zip,
            head if tar::is_one(head) => Shape::Tar,
            _ => Shape::Single,
        };
        Ok((shape, head))
    }

    /// As [`Shape::of`], and looks into what is packed. `open` gives the input from its beginning.
    pub(super) fn within<R: Read>(head: &[u8], open: impl FnOnce() -> io::Result<R>) -> io::Result<Shape> {
        if !capture::is_packed(head) {
            return Ok(Shape::Single);
        }
        let Ok(mut unpacked) = capture::unpack(open()?) else { return Ok(Shape::Single) };
        // what cannot be unpacked is told of as the capture that it claims to be
        match Shape::of(&mut unpacked) {
            Ok((Shape::Tar, _)) => Ok(Shape::PackedTar),
            _ => Ok(Shape::Single),
        }
    }
}

/// How much an archive may still unpack to; shared by all that read it.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    left: Arc<AtomicU64>,
    /// What is said where it ends.
    beyond: fn() -> io::Error,
}

impl Allowance {
    /// For an archive of so many bytes.
    pub(super) fn new(size: u64) -> Self {
        Allowance { left: Arc::new(AtomicU64::new(most(size, false))), beyond: bomb }
    }

    /// For an entry that is said to have so many bytes.
    pub(super) fn claimed(size: u64) -> Self {
        Allowance { left: Arc::new(AtomicU64::new(size)), beyond: lie }
    }

    /// Takes so many bytes of it, if there are as many.
    pub(super) fn take(&self, count: u64) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(count)).is_ok()
    }

    /// The input, which fails where the allowance ends.
    pub(super) fn guard<R: Read>(&self, input: R) -> Guarded<R> {
        Guarded { input, allowance: self.clone() }
    }
}

/// An input that counts against an [`Allowance`].
pub(super) struct Guarded<R> {
    input: R,
    allowance: Allowance,
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(room)?;
        if self.allowance.take(count as u64) { Ok(count) } else { Err((self.allowance.beyond)()) }
    }
}

/// What a packed capture of so many bytes may unpack to, by itself or `within` an archive.
pub(super) fn most(packed: u64, within: bool) -> u64 {
    packed.saturating_mul(RATIO).max(if within { FREE_WITHIN } else { FREE })
}

/// What is said of an entry that has more bytes than its archive says.
pub(super) fn lie() -> io::Error {
    io::Error::other("larger than its archive says")
}

/// What is said of it.
pub(super) fn bomb() -> io::Error {
    io::Error::other(format!("unpacks to more than captures do, {RATIO} times its size: taken for an archive bomb"))
}

/// A part of a file, which can be read by several at once.
#[derive(Clone, Debug)]
pub(super) struct Section {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Section {
    /// The bytes of a file from `at` on, `len` of them or as many as there are.
    pub(super) fn new(file: Arc<File>, at: u64, len: u64) -> Self {
        Section { file, at, end: at.saturating_add(len) }
    }

    /// Where the next byte is read.
    fn at(&self) -> u64 {
        self.at
    }
}

impl Read for Section {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let room = room.get_mut(..left.min(room.len())).unwrap_or_default();
        let count = read_at(&self.file, room, self.at)?;
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}

#[cfg(unix)]
fn read_at(file: &File, room: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, room, at)
}

#[cfg(windows)]
fn read_at(file: &File, room: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, room, at)
}

/// An input of which a part can be passed over.
pub(super) trait Skip: Read {
    /// Passes over so many bytes, or all that there are.
    fn skip(&mut self, count: u64) -> io::Result<()>;
}

impl Skip for Section {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        self.at = self.at.saturating_add(count).min(self.end);
        Ok(())
    }
}

/// An input that can only be read.
pub(super) struct Stream<R>(pub R);

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.read(room)
    }
}

impl<R: Read> Skip for Stream<R> {
    fn skip(&mut self, count: u64) -> io::Result<()> {
        io::copy(&mut self.0.by_ref().take(count), &mut io::sink()).map(|_| ())
    }
}

/// A packed tar from its beginning, unpacked.
pub(super) fn unpacked(file: File, name: &str, allowance: &Allowance) -> Result<Stream<impl Read>, Error> {
    let unpacked = capture::unpack(file).map_err(|error: OpenError| Error::new(name, error, ""))?;
    Ok(Stream(allowance.guard(unpacked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_archive_unpacks_to_is_bounded() {
        let allowance = Allowance { left: Arc::new(AtomicU64::new(10)), beyond: bomb };
        let mut read = Vec::new();
        allowance.guard(&[7; 8][..]).read_to_end(&mut read).unwrap();
        let error = allowance.guard(&[7; 8][..]).read_to_end(&mut read).unwrap_err();
        assert!(error.to_string().contains("bomb"), "{error}");
        let error = Allowance::claimed(7).guard(&[7; 8][..]).read_to_end(&mut read).unwrap_err();
        assert!(error.to_string().contains("larger than its archive says"), "{error}");
        assert_eq!((most(1, false), most(1, true)), (1 << 30, 16 << 20));
        assert_eq!((most(1 << 30, false), most(u64::MAX, true)), (250 << 30, u64::MAX));
    }
}
