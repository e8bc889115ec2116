//! Compressed captures, unpacked as they are read.

use std::io::{self, Chain, Cursor, ErrorKind, Read};

use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;

use super::info::Compression;
use super::magic::OpenError;

/// Memory that a zstd or xz stream may ask for: 2 to this power.
#[cfg(any(feature = "zstd", feature = "xz"))]
const WINDOW_LOG: u32 = 27;

/// The largest block of a zstd stream (RFC 8878 §3.1.1.2.4).
#[cfg(feature = "zstd")]
const ZSTD_BLOCK: usize = 128 << 10;

/// How many of the first bytes tell the compression.
const MAGIC: usize = 6;

/// The input with the bytes already looked at put back.
type Input<R> = Chain<Cursor<Vec<u8>>, R>;

/// An input that can say in plain words why it cannot be read further.
pub(super) trait Failure {
    fn describe(&self, error: &io::Error) -> String;
}

/// The bytes of a capture file, unpacked.
pub(super) enum Source<R: Read> {
    Plain(Input<R>),
    Gzip(Box<MultiGzDecoder<Input<R>>>),
    Lz4(Box<FrameDecoder<Counted<Input<R>>>>),
    #[cfg(feature = "zstd")]
    Zstd(Box<ZstdInput<R>>),
    #[cfg(feature = "xz")]
    Xz(Box<XzInput<R>>),
}

/// Counts the bytes that are read.
pub(super) struct Counted<R> {
    input: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(room)?;
        self.count += count as u64;
        Ok(count)
    }
}

/// Hands the decoder no more at a time than it asks for: what a wrong checksum follows is unpacked by then.
#[cfg(feature = "zstd")]
pub(super) struct ZstdInput<R: Read> {
    decoder: zstd::stream::raw::Decoder<'static>,
    input: io::BufReader<Input<R>>,
    /// How many bytes it asks for; none at the end of a frame.
    wanted: usize,
    /// Whether there was no room for all that it has.
    full: bool,
}

#[cfg(feature = "zstd")]
impl<R: Read> Read for ZstdInput<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        use std::io::BufRead as _;
        use zstd::stream::raw::Operation as _;
        loop {
            let there = if self.full { &[] } else { self.input.fill_buf()? };
            if there.is_empty() && !self.full {
                return if self.wanted == 0 { Ok(0) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
            let wanted = if self.wanted == 0 { MAGIC } else { self.wanted };
            let given = there.get(..wanted).unwrap_or(there);
            let status = self.decoder.run_on_buffers(given, room)?;
            self.input.consume(status.bytes_read);
            self.wanted = status.remaining;
            self.full = self.wanted > 0 && status.bytes_written == room.len();
            if status.bytes_written > 0 {
                return Ok(status.bytes_written);
            }
        }
    }
}

/// Gives what was unpacked before an error, and then the error.
#[cfg(feature = "xz")]
pub(super) struct XzInput<R: Read> {
    decoder: liblzma::read::XzDecoder<Input<R>>,
    error: Option<io::Error>,
}

#[cfg(feature = "xz")]
impl<R: Read> Read for XzInput<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let before = self.decoder.total_out();
        let read = self.decoder.read(room);
        match (read, usize::try_from(self.decoder.total_out() - before)) {
            (Err(error), Ok(unpacked @ 1..)) => {
                self.error = Some(error);
                Ok(unpacked)
            }
            (read, _) => read,
        }
    }
}

impl<R: Read> Source<R> {
    /// Looks at the first bytes and sets up what they ask for.
    pub(super) fn new(mut input: R) -> Result<Self, OpenError> {
        let mut first = Vec::with_capacity(MAGIC);
        let mut byte = [0; MAGIC];
        while first.len() < MAGIC {
            let room = byte.get_mut(first.len()..).unwrap_or_default();
            match input.read(room) {
                Ok(0) => break,
                Ok(count) => first.extend_from_slice(room.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(OpenError::Read(error)),
            }
        }
        let compression = recognise(&first);
        let input = Cursor::new(first).chain(input);
        match compression {
            None => Ok(Source::Plain(input)),
            Some(Compression::Gzip) => Ok(Source::Gzip(Box::new(MultiGzDecoder::new(input)))),
            Some(Compression::Lz4) => Ok(Source::Lz4(Box::new(FrameDecoder::new(Counted { input, count: 0 })))),
            Some(Compression::Zstd) => Self::zstd(input),
            Some(Compression::Xz) => Self::xz(input),
        }
    }

    pub(super) fn compression(&self) -> Option<Compression> {
        match self {
            Source::Plain(_) => None,
            Source::Gzip(_) => Some(Compression::Gzip),
            Source::Lz4(_) => Some(Compression::Lz4),
            #[cfg(feature = "zstd")]
            Source::Zstd(_) => Some(Compression::Zstd),
            #[cfg(feature = "xz")]
            Source::Xz(_) => Some(Compression::Xz),
        }
    }

    #[cfg(feature = "zstd")]
    fn zstd(input: Input<R>) -> Result<Self, OpenError> {
        use zstd::stream::raw::{DParameter, Decoder};
        let mut decoder = Decoder::new().map_err(OpenError::Read)?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).map_err(OpenError::Read)?;
        let input = io::BufReader::with_capacity(ZSTD_BLOCK, input);
        Ok(Source::Zstd(Box::new(ZstdInput { decoder, input, wanted: 0, full: false })))
    }

    #[cfg(not(feature = "zstd"))]
    fn zstd(_: Input<R>) -> Result<Self, OpenError> {
        Err(OpenError::LeftOut(Compression::Zstd))
    }

    #[cfg(feature = "xz")]
    fn xz(input: Input<R>) -> Result<Self, OpenError> {
        use liblzma::stream::{CONCATENATED, Stream};
        let stream = Stream::new_stream_decoder(1 << WINDOW_LOG, CONCATENATED)
            .map_err(|error| OpenError::Read(io::Error::from(error)))?;
        let decoder = liblzma::read::XzDecoder::new_stream(input, stream);
        Ok(Source::Xz(Box::new(XzInput { decoder, error: None })))
    }

    #[cfg(not(feature = "xz"))]
    fn xz(_: Input<R>) -> Result<Self, OpenError> {
        Err(OpenError::LeftOut(Compression::Xz))
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain(input) => input.read(room),
            Source::Gzip(input) => input.read(room),
            Source::Lz4(input) => {
                let before = input.get_ref().count;
                match input.read(room)? {
                    // The decoder takes the end of the input for that of a frame, which has a mark of four bytes.
                    0 if input.get_ref().count - before < 4 => Err(ErrorKind::UnexpectedEof.into()),
                    // It reports the end of each frame as the end; another may follow.
                    0 => input.read(room),
                    count => Ok(count),
                }
            }
            #[cfg(feature = "zstd")]
            Source::Zstd(input) => input.read(room),
            #[cfg(feature = "xz")]
            Source::Xz(input) => input.read(room),
        }
    }
}

impl<R: Read> Failure for Source<R> {
    fn describe(&self, error: &io::Error) -> String {
        match self.compression() {
            None => format!("the input cannot be read further ({error})"),
            Some(compression) if error.kind() == ErrorKind::UnexpectedEof => {
                format!("the {compression} stream is cut short")
            }
            Some(compression) => format!("the {compression} stream cannot be unpacked further ({error})"),
        }
    }
}

/// The compression that the first bytes of a file tell.
pub(super) fn recognise(first: &[u8]) -> Option<Compression> {
    match first {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        // Also what pzstd starts with: a skippable frame.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(Compression::Lz4),
        [0xfd, b'7', b'z', b'X', b'Z', 0x00, ..] => Some(Compression::Xz),
        _ => None,
    }
}
