//! A capture taken apart so that it can be written again: its frames with all that their records say, and its other blocks as they are.

use std::fmt;
use std::io::Read;

use zeroize::Zeroizing;

use super::block;
use super::options::{Options, Order};
use super::plain::HEAD;
use super::{Capture, CaptureInfo, Found, Limits, OpenError, Reader, SecretsKind};
use crate::frame::{Frame, LinkType};

/// Reads the records of a capture, one at a time, each once.
pub struct Records<R: Read> {
    capture: Capture<R>,
    other: OtherBlock,
}

/// What a capture file consists of.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// A frame.
    Packet(PacketRecord<'a>),
    /// A sound block of a pcapng file that holds no frame.
    Other(&'a OtherBlock),
}

/// A frame, and what its record says beyond what [`Frame`] has.
#[derive(Clone, Copy, Debug)]
pub struct PacketRecord<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// Index of its interface among those that its section described so far; 0 in a pcap file.
    pub interface: u32,
    /// Its timestamp in units of that interface's resolution; `None` where the record has none.
    pub units: Option<u64>,
    options: &'a [u8],
}

impl<'a> PacketRecord<'a> {
    /// Code and value of each of its options, in order.
    pub fn options(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        Options::new(self.options, Order { big_endian: self.frame.big_endian })
    }
}

/// Link type, snap length and options (code and value) of an interface.
pub type BareInterface<'a> = (u16, u32, Vec<(u16, &'a [u8])>);

/// A block of a pcapng file that holds no frame, with both its lengths made to agree.
#[derive(Clone, Default)]
pub struct OtherBlock {
    /// Its type.
    pub kind: u32,
    /// Whether its section is big-endian.
    pub big_endian: bool,
    /// All its bytes; they may hold secrets.
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for OtherBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OtherBlock({:#010x}, {} bytes)", self.kind, self.bytes.len())
    }
}

impl OtherBlock {
    /// A copy of a block, its last length made that of its start.
    pub(super) fn new(kind: u32, order: Order, block: &[u8]) -> Self {
        let mut bytes = Zeroizing::new(block.to_vec());
        let first = block.get(4..8).unwrap_or_default();
        if let Some((_, last)) = bytes.split_last_chunk_mut::<4>() {
            last.iter_mut().zip(first).for_each(|(to, from)| *to = *from);
        }
        OtherBlock { kind, big_endian: order.big_endian, bytes }
    }

    /// Whether it holds secrets to decrypt with.
    #[must_use]
    pub fn is_secrets(&self) -> bool {
        self.kind == block::SECRETS
    }

    /// The key log in it, where it holds one.
    #[must_use]
    pub fn key_log(&self) -> Option<&[u8]> {
        let order = Order { big_endian: self.big_endian };
        let kind = order.u32(&self.bytes, 8).map(SecretsKind);
        let length = usize::try_from(order.u32(&self.bytes, 12)?).ok()?;
        let data = self.bytes.get(16..16_usize.checked_add(length)?)?;
        (self.is_secrets() && kind == Some(SecretsKind::TLS_KEY_LOG)).then_some(data)
    }

    /// Code and value of each option, where it is a section header; none for other blocks.
    pub fn section_options(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let options = if self.is_section() { self.bytes.get(24..) } else { None };
        Options::new(options.unwrap_or_default(), Order { big_endian: self.big_endian })
    }

    /// Link type and snap length, and code and value of the options that its frames cannot be read without: the resolution and offset of times and
    /// the length of the frame check sequence. `None` where it describes no interface.
    #[must_use]
    pub fn bare_interface(&self) -> Option<BareInterface<'_>> {
        let order = Order { big_endian: self.big_endian };
        let options = self.bytes.get(16..self.bytes.len().checked_sub(4)?)?;
        let needed = Options::new(options, order).filter(|(code, _)| matches!(code, 9 | 13 | 14));
        (self.kind == block::INTERFACE)
            .then(|| Some((order.u16(&self.bytes, 8)?, order.u32(&self.bytes, 12)?, needed.collect())))
            .flatten()
    }

    /// Whether a section begins with it.
    #[must_use]
    pub fn is_section(&self) -> bool {
        self.kind == block::SECTION_HEADER
    }

    /// Whether whoever changes the file must leave it out: a custom block that forbids being copied.
    #[must_use]
    pub fn is_not_to_be_copied(&self) -> bool {
        self.kind == block::CUSTOM_PRIVATE
    }
}

/// The interface that a pcap file, which describes none, stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Implied {
    /// Link type of all frames.
    pub link_type: LinkType,
    /// Bytes of frame check sequence at the end of each.
    pub fcs_len: u8,
    /// Decimal digits of the second that its timestamps have: 6 or 9.
    pub digits: u8,
}

impl<R: Read> Records<R> {
    /// Starts reading, as [`Capture::open`].
    ///
    /// # Errors
    /// As [`Capture::open`].
    pub fn open(input: R) -> Result<Self, OpenError> {
        let mut capture = Capture::open_with(input, Limits::default())?;
        capture.log.keep_blocks();
        Ok(Records { capture, other: OtherBlock::default() })
    }

    /// The interface of a pcap file; `None` for pcapng, whose blocks describe theirs.
    #[must_use]
    pub fn implied(&self) -> Option<Implied> {
        match &self.capture.reader {
            Reader::Pcap(reader) => Some(reader.implied()),
            Reader::Pcapng(_) => None,
        }
    }

    /// The next record, or `None` at the end of the capture or where its damage leaves nothing to read on.
    pub fn next_record(&mut self) -> Option<Record<'_>> {
        let found = self.capture.next_found();
        if let Some(block) = self.capture.log.take_block() {
            self.other = block;
            return Some(Record::Other(&self.other));
        }
        found.map(|found| Record::Packet(self.packet(&found)))
    }

    /// What the file says beside its frames; complete once [`Records::next_record`] has returned `None`.
    #[must_use]
    pub fn info(&self) -> &CaptureInfo {
        self.capture.info()
    }

    /// The block of a packet still lies in the buffer, around its data.
    fn packet(&self, found: &Found) -> PacketRecord<'_> {
        let frame = self.capture.frame(found, self.capture.log.info.frames);
        let units = |time: i64, digits: u8| u64::try_from(if digits == 9 { time } else { time / 1000 }).ok();
        let plain = PacketRecord {
            frame,
            interface: 0,
            units: frame.time.and_then(|time| units(time.0, frame.digits)),
            options: &[],
        };
        if matches!(self.capture.reader, Reader::Pcap(_)) || frame.time.is_none() {
            return plain;
        }
        let order = Order { big_endian: frame.big_endian };
        let buffer = &self.capture.buffer;
        let Some(start) = found.start.checked_sub(HEAD) else { return plain };
        let head = buffer.slice(start, HEAD);
        let word = |at| order.u32(head, at).unwrap_or_default();
        let interface = match word(0) {
            block::PACKET => order.u16(head, 8).map_or(0, u32::from),
            _ => word(8),
        };
        let behind = HEAD + found.len.next_multiple_of(4);
        let options = (word(4) as usize).saturating_sub(behind + 4);
        PacketRecord {
            frame,
            interface,
            units: Some(u64::from(word(12)) << 32 | u64::from(word(16))),
            options: buffer.slice(start + behind, options),
        }
    }
}
