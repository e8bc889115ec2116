//! What a file is, by its first bytes, and why it cannot be read if it cannot.

use std::fmt::Write as _;
use std::io::{self, Read};

use thiserror::Error;

use super::buffer::Buffer;
use super::info::Compression;
use super::unpack::Failure;

/// Why a file is not read as a capture. Each displays as one line.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The input could not be read.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// There is nothing in it.
    #[error("empty file")]
    Empty,
    /// It ends within the header of a capture file.
    #[error("cut short: the file ends after {0} bytes, within the file header")]
    Cut(usize),
    /// It starts like no capture.
    #[error("not a capture file: starts with {0}")]
    NotACapture(String),
    /// It is of a known kind that this reader does not read.
    #[error("{0}")]
    Unsupported(&'static str),
    /// It holds other files.
    #[error("{0} archive")]
    Archive(&'static str),
    /// It is what a program wrote about packets, in words, and not the packets.
    #[error("packets written out as text, which are not the packets themselves")]
    Dissection,
    /// It is compressed, and what is inside cannot be got at.
    #[error("not a capture file: {0}")]
    Packed(String),
    /// It is compressed in a way that this build leaves out.
    #[error("compressed with {0}, which this build leaves out: unpack it first")]
    LeftOut(Compression),
}

/// How much of what is no capture is looked at to tell what it is.
const HEAD: usize = 512;
/// Where a tar says that it is one (POSIX ustar and GNU).
const USTAR: std::ops::Range<usize> = 257..262;
/// What stands near the beginning of packets that Wireshark and tshark wrote out in words: JSON, the same for Elasticsearch, PDML, PSML, plain text with
/// and without a summary, CSV, K12 text.
const DISSECTIONS: [&[u8]; 8] = [
    b"\"_index\": \"packets-",
    b"\"_index\":\"packets-",
    b"<pdml",
    b"<psml",
    b"No.     Time",
    b"Frame 1: ",
    b"\"No.\",\"Time\"",
    b"+---------+---------------+",
];

/// A kind of capture file that can be read.
pub(super) enum Magic {
    Pcap(Variant),
    Pcapng,
}

/// How the pcap variants differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) big_endian: bool,
    /// Fractions of a second are nanoseconds, not microseconds.
    pub(super) nanoseconds: bool,
    /// Bytes before the first record: 24, or 28.
    pub(super) file_header: usize,
    /// Bytes before the data of each record: 16, or 24.
    pub(super) record_header: usize,
}

impl Variant {
    /// Decimal digits of the second that its timestamps have.
    pub(super) fn digits(self) -> u8 {
        if self.nanoseconds { 9 } else { 6 }
    }
}

impl Magic {
    /// Reads the first bytes, without consuming them.
    pub(super) fn read<R: Read + Failure>(
        buffer: &mut Buffer<R>,
        compression: Option<Compression>,
    ) -> Result<Self, OpenError> {
        if !buffer.fill(4)
            && let Some(failure) = buffer.take_failure()
        {
            return Err(OpenError::Packed(failure));
        }
        let first = buffer.available();
        if let Some(magic) = recognise(first)? {
            if matches!(magic, Magic::Pcapng) {
                if !buffer.fill(12) {
                    return Err(OpenError::Cut(buffer.available().len()));
                }
                if !matches!(buffer.available().get(8..12), Some([0x1a, 0x2b, 0x3c, 0x4d] | [0x4d, 0x3c, 0x2b, 0x1a])) {
                    return Err(OpenError::NotACapture(describe(buffer.available())));
                }
            }
            return Ok(magic);
        }
        buffer.fill(HEAD);
        let first = buffer.available();
        if let Some(error) = foreign(first.get(..HEAD).unwrap_or(first)) {
            return Err(error);
        }
        if let (Some(outer), Some(inner)) = (compression, super::unpack::recognise(first)) {
            let what = format!("packed twice, with {inner} and then with {outer}: unpack it once");
            return Err(OpenError::Packed(what));
        }
        match (first, compression) {
            ([], None) => Err(OpenError::Empty),
            ([], Some(compression)) => Err(OpenError::Packed(format!("nothing is in the {compression} stream"))),
            (first, Some(compression)) => Err(OpenError::Packed(format!(
                "the {compression} stream unpacks to what starts with {}",
                describe(first)
            ))),
            (first, None) => Err(OpenError::NotACapture(describe(first))),
        }
    }
}

fn recognise(first: &[u8]) -> Result<Option<Magic>, OpenError> {
    let Some(magic) = first.first_chunk::<4>() else { return Ok(None) };
    let variant = |big_endian, nanoseconds, file_header, record_header| {
        Ok(Some(Magic::Pcap(Variant { big_endian, nanoseconds, file_header, record_header })))
    };
    let unsupported = |what| Err(OpenError::Unsupported(what));
    match magic {
        [0x0a, 0x0d, 0x0d, 0x0a] => Ok(Some(Magic::Pcapng)),
        [0xd4, 0xc3, 0xb2, 0xa1] => variant(false, false, 24, 16),
        [0xa1, 0xb2, 0xc3, 0xd4] => variant(true, false, 24, 16),
        [0x4d, 0x3c, 0xb2, 0xa1] => variant(false, true, 24, 16),
        [0xa1, 0xb2, 0x3c, 0x4d] => variant(true, true, 24, 16),
        [0x34, 0xcd, 0xb2, 0xa1] => variant(false, false, 24, 24),
        [0xa1, 0xb2, 0xcd, 0x34] => variant(true, false, 24, 24),
        [0x1c, 0x00, 0x01, 0xac] => variant(true, true, 28, 16),
        [0xac, 0x01, 0x00, 0x1c] => variant(false, true, 28, 16),
        [0x1c, 0x00, 0x01, 0xab] => variant(true, false, 28, 16),
        [0xab, 0x01, 0x00, 0x1c] => variant(false, false, 28, 16),
        [0xa1, 0x2b, 0x3c, 0x4d] | [0x4d, 0x3c, 0x2b, 0xa1] => unsupported(
            "pcap file of Navtel's variant, which is not supported: convert it to pcapng with Wireshark or editcap",
        ),
        [0xa1, 0xb2, 0x34, 0xcd] | [0xcd, 0x34, 0xb2, 0xa1] => unsupported(
            "pcap file of Mesquita's variant, which is not supported: convert it with the program that wrote it",
        ),
        [0xa1, 0xb2, 0xc3, 0xcb] | [0xcb, 0xc3, 0xb2, 0xa1] => {
            unsupported("not a capture file: holds a compiled capture filter (cbpf-savefile)")
        }
        [0xff, 0xfe, ..] => unsupported(
            "not a capture file: UTF-16 text, which PowerShell makes of what it redirects: have the capturing program write the file itself",
        ),
        b"snoo" => unsupported("snoop file: convert it to pcapng with Wireshark or editcap"),
        b"TRSN" => unsupported("Sniffer file (Network General): convert it to pcapng with Wireshark or editcap"),
        b"XCP\0" => unsupported("Windows Sniffer file (NetXray): convert it to pcapng with Wireshark or editcap"),
        b"RTSS" | b"GMBU" => unsupported("Network Monitor file: convert it to pcapng with Wireshark or editcap"),
        [b'P', b'K', 3, 4] | [b'P', b'K', 5, 6] => Err(OpenError::Archive("zip")),
        [b'B', b'Z', b'h', _] => unsupported("compressed with bzip2: unpack it first"),
        [0x1f, 0x9d, ..] => unsupported("compressed with compress (.Z): unpack it first"),
        [0x02, 0x21, 0x4c, 0x18] => unsupported("compressed with lz4 in its legacy format: unpack it first"),
        [0x5d, 0x00, 0x00, ..] => unsupported("compressed with lzma: unpack it first"),
        _ => Ok(None),
    }
}

/// What people take for a capture, by more than its first bytes.
fn foreign(head: &[u8]) -> Option<OpenError> {
    if head.get(USTAR) == Some(b"ustar") {
        return Some(OpenError::Archive("tar"));
    }
    // the header of the first buffer, and behind it an event of the trace itself
    if let (Some([0, ..]), Some([_, _, 1 | 2, 0xc0, _, _, 0, 0])) = (head.get(..4), head.get(72..80)) {
        return Some(OpenError::Unsupported("Windows trace (ETL): convert it with pktmon etl2pcap or etl2pcapng"));
    }
    let holds = |words: &&[u8]| head.windows(words.len()).any(|part| part == *words);
    DISSECTIONS.iter().any(holds).then_some(OpenError::Dissection)
}

/// The first bytes in words: as text if that is what they are.
fn describe(first: &[u8]) -> String {
    let first = first.get(..8).unwrap_or(first);
    if first.iter().all(|&b| b.is_ascii_graphic() || b" \t\r\n".contains(&b)) {
        return format!("{:?}", String::from_utf8_lossy(first));
    }
    let mut text = String::new();
    for byte in first {
        let space = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{space}{byte:02x}");
    }
    text
}
