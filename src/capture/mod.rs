//! Bytes to frames: pcap and pcapng, plain or compressed, from a file or from a pipe that still grows.
//!
//! ```text
//! any Read ──unpack──▶ Buffer ──pcap / pcapng──▶ Frame<'_>     and, on the side, CaptureInfo
//! ```
//!
//! Framing of records and blocks is pcap-parser's; buffers, time, interfaces, limits and what to do about damage are decided here.
//! Reading never fails once it has begun: what is damaged is noted with its place, and reading goes on where the file makes sense
//! again. Memory is bounded by [`Limits`], whatever the file claims.

mod block;
mod buffer;
mod closing;
mod info;
mod log;
mod magic;
mod options;
mod pcap;
mod pcapng;
mod plain;
mod records;
mod resolution;
mod simple;
mod unpack;
mod write;

use std::io::Read;

pub use closing::Closing;
pub use info::{CaptureInfo, Comment, Compression, Damage, FileFormat, Format, Interface, Secrets, SecretsKind};
pub use magic::OpenError;
pub use records::{BareInterface, Implied, OtherBlock, PacketRecord, Record, Records};
pub use write::Writer;

use crate::frame::{Frame, LinkType};
use crate::time::Timestamp;
use buffer::Buffer;
use log::Log;
use magic::Magic;
use pcap::PcapReader;
use pcapng::PcapngReader;
use unpack::Source;

/// How much of a capture is held in memory, and how far a search for the next sound record goes.
///
/// What goes beyond is not kept and is counted in [`CaptureInfo`], or is noted as [`Damage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest pcapng block, and largest captured length of a pcap record, in bytes. Above it a length is taken for a lie.
    pub block: usize,
    /// How many comments are kept.
    pub comments: usize,
    /// Bytes of all comments kept together.
    pub comment_bytes: usize,
    /// How many resolved names are kept.
    pub names: usize,
    /// Bytes of all decryption secrets kept together.
    pub secret_bytes: usize,
    /// How many interfaces one section may describe, and how many [`CaptureInfo`] lists.
    pub interfaces: usize,
    /// How many places of damage are listed.
    pub damage: usize,
    /// How many bytes are searched for the next sound record after damage; reading ends where that is not enough.
    pub search: u64,
    /// How many bytes a packed file may unpack to; it ends there.
    pub unpacked: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            block: 16 << 20,
            comments: 1000,
            comment_bytes: 1 << 20,
            names: 10_000,
            secret_bytes: 16 << 20,
            interfaces: 4096,
            damage: 100,
            search: 1 << 30,
            unpacked: u64::MAX,
        }
    }
}

/// A capture being read.
pub struct Capture<R: Read> {
    buffer: Buffer<Source<R>>,
    reader: Reader,
    log: Log,
    /// How many blocks of decryption secrets [`Capture::next_with_secrets`] has given.
    secrets_given: usize,
}

/// Frames that lie ready, as [`Capture::ahead`] showed them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ahead {
    frames: usize,
    bytes: usize,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// Of a pcap file the second of the last of them.
    second: Option<u32>,
}

enum Reader {
    Pcap(PcapReader),
    Pcapng(PcapngReader),
}

/// A frame as the readers hand it over: where it lies in the buffer, and what is known about it.
struct Found {
    start: usize,
    len: usize,
    time: Option<Timestamp>,
    digits: u8,
    link_type: LinkType,
    original_len: u32,
    fcs_len: u8,
    big_endian: bool,
}

impl<R: Read> Capture<R> {
    /// Starts reading a capture of any supported format and compression, with the default limits.
    ///
    /// Reads no further than the file header, so that it returns on a pipe as soon as that has arrived.
    ///
    /// # Errors
    /// If the bytes are no capture, or of a kind that is not supported, or end within the file header.
    pub fn open(input: R) -> Result<Self, OpenError> {
        Self::open_with(input, Limits::default())
    }

    /// As [`Capture::open`], with other limits.
    ///
    /// # Errors
    /// As [`Capture::open`].
    pub fn open_with(input: R, limits: Limits) -> Result<Self, OpenError> {
        let source = Source::new(input)?;
        let compression = source.compression();
        let most = if compression.is_some() { limits.unpacked } else { u64::MAX };
        let mut buffer = Buffer::new(source).bounded(most);
        let magic = Magic::read(&mut buffer, compression)?;
        let file = match magic {
            Magic::Pcap(_) => FileFormat::Pcap,
            Magic::Pcapng => FileFormat::Pcapng,
        };
        let mut log = Log::new(Format { file, compression }, limits);
        let reader = match magic {
            Magic::Pcap(variant) => Reader::Pcap(PcapReader::open(variant, &mut buffer, &mut log)?),
            Magic::Pcapng => Reader::Pcapng(PcapngReader::default()),
        };
        Ok(Capture { buffer, reader, log, secrets_given: 0 })
    }

    /// The same capture with what stands behind its packets: [`Capture::next_with_secrets`] gives these secrets before all others.
    #[must_use]
    pub fn knowing(mut self, closing: Closing) -> Self {
        self.log.know(closing);
        self
    }

    /// The same capture of an input that may keep its reader waiting, as a pipe does: a frame is never held back for what comes after it.
    #[must_use]
    pub fn live(mut self) -> Self {
        self.buffer.set_live();
        self
    }

    /// The next frame, or `None` at the end of the capture or where its damage leaves nothing to read on.
    ///
    /// A frame is returned as soon as its bytes have been read; more are asked of the input only when they are needed. Where the first ones say no
    /// time, one that does is looked for within 64 KiB, or, in a [live](Capture::live) capture, in what has been read.
    #[inline(always)]
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        self.take_next().map(|found| self.frame(&found, self.log.info.frames))
    }

    /// The next frame as from [`Capture::next_frame`], and the decryption secrets that stand in the file before it and behind the frame before.
    #[inline]
    pub fn next_with_secrets(&mut self) -> Option<(Frame<'_>, &[Secrets])> {
        let found = self.take_next();
        let given = std::mem::replace(&mut self.secrets_given, self.log.info.secrets.len());
        let secrets = self.log.info.secrets.get(given..).unwrap_or_default();
        let Some(found) = found else {
            let of_tls = secrets.iter().filter(|block| block.kind == SecretsKind::TLS_KEY_LOG);
            self.log.info.secrets_behind += of_tls.count() as u64;
            return None;
        };
        Some((self.frame(&found, self.log.info.frames), secrets))
    }

    #[inline]
    fn take_next(&mut self) -> Option<Found> {
        // nearly all are plain and lie ready
        let plain = match &self.reader {
            Reader::Pcapng(reader) if !reader.is_done() => {
                reader.plain_packet(self.buffer.available(), self.buffer.position())
            }
            _ => None,
        };
        let found = match plain {
            Some((found, len)) => {
                self.log.frame(found.time);
                self.buffer.consume(len);
                found
            }
            None => self.next_found()?,
        };
        Some(found)
    }

    #[inline(never)]
    fn next_found(&mut self) -> Option<Found> {
        let found = match &mut self.reader {
            Reader::Pcap(reader) => reader.next(&mut self.buffer, &mut self.log),
            Reader::Pcapng(reader) => reader.next(&mut self.buffer, &mut self.log),
        };
        self.log.info.bytes = self.buffer.read_so_far();
        self.log.info.is_too_much = self.buffer.is_too_much();
        found
    }

    /// Shows the frames that lie ready behind the one returned last, without taking them: at most `max`, up to the first that is out
    /// of the ordinary. They will come in this order from [`Capture::next_frame`], unless they are [passed over](Capture::pass_over). Reads
    /// nothing.
    #[inline]
    pub fn ahead<'c>(&'c self, max: usize, mut each: impl FnMut(Frame<'c>)) -> Ahead {
        let mut ahead = Ahead::default();
        if let Reader::Pcap(reader) = &self.reader {
            ahead.second = reader.last();
        }
        while ahead.frames < max {
            let bytes = self.buffer.available().get(ahead.bytes..).unwrap_or_default();
            let position = self.buffer.position() + ahead.bytes;
            let found = match &self.reader {
                Reader::Pcap(reader) => reader.plain_packet(bytes, position, ahead.second),
                Reader::Pcapng(reader) if !reader.is_done() => {
                    reader.plain_packet(bytes, position).map(|(found, len)| (found, len, None))
                }
                Reader::Pcapng(_) => None,
            };
            let Some((found, len, second)) = found.filter(|(found, ..)| found.len <= self.log.limits.block) else {
                break;
            };
            ahead.second = second;
            ahead.bytes += len;
            ahead.frames += 1;
            if let Some(time) = found.time {
                ahead.first = Some(ahead.first.map_or(time, |first| first.min(time)));
                ahead.last = ahead.last.max(Some(time));
            }
            each(self.frame(&found, self.log.info.frames + ahead.frames as u64));
        }
        ahead
    }

    /// Takes the first `count` of the frames that [`Capture::ahead`] showed, as so many calls of [`Capture::next_frame`] would.
    pub fn pass_over(&mut self, ahead: &Ahead, count: usize) {
        if count == ahead.frames {
            if let Reader::Pcap(reader) = &mut self.reader {
                reader.passed_over(ahead.second);
            }
            self.log.frames(count as u64, ahead.first, ahead.last);
            self.buffer.consume(ahead.bytes);
        } else {
            for _ in 0..count.min(ahead.frames) {
                self.take_next();
            }
        }
    }

    #[inline(always)]
    fn frame(&self, found: &Found, number: u64) -> Frame<'_> {
        Frame {
            number,
            time: found.time,
            digits: found.digits,
            link_type: found.link_type,
            data: self.buffer.slice(found.start, found.len),
            original_len: found.original_len.max(u32::try_from(found.len).unwrap_or(u32::MAX)),
            fcs_len: found.fcs_len,
            big_endian: found.big_endian,
        }
    }

    /// What the file says beside its frames; complete once [`Capture::next_frame`] has returned `None`.
    #[must_use]
    pub fn info(&self) -> &CaptureInfo {
        &self.log.info
    }
}

/// Whether these first bytes of a file tell a compression that [`Capture::open`] looks through.
#[must_use]
pub fn is_packed(first: &[u8]) -> bool {
    unpack::recognise(first).is_some()
}

/// The bytes of a file, unpacked if its first ones tell a compression.
///
/// # Errors
/// If it cannot be read, or this build leaves the compression out.
pub fn unpack<R: Read>(input: R) -> Result<impl Read, OpenError> {
    Source::new(input)
}

/// Reads arbitrary bytes as a capture to its end and returns the number of frames. For fuzzing.
#[doc(hidden)]
#[must_use]
pub fn exercise(bytes: &[u8]) -> u64 {
    let limits = Limits { block: 1 << 20, ..Limits::default() };
    let Ok(mut capture) = Capture::open_with(bytes, limits) else { return 0 };
    let mut frames = 0;
    while let Some(frame) = capture.next_frame() {
        frames += 1;
        debug_assert!(frame.original_len as usize >= frame.data.len());
        debug_assert_eq!(frame.number, frames);
    }
    frames
}
