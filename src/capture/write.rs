//! Writing pcapng: what [`Records`](super::Records) took apart, put together again with something more.

use std::io::{self, Write};
use std::net::IpAddr;

use super::block;
use super::info::SecretsKind;
use super::options::COMMENT;
use super::records::{Implied, OtherBlock};

/// Option codes of section headers and interfaces.
mod option {
    pub(super) const APPLICATION: u16 = 4;
    pub(super) const TIME_RESOLUTION: u16 = 9;
    pub(super) const FCS_LENGTH: u16 = 13;
}

/// Longest value of an option.
const LONGEST: usize = 0xffff;

/// Longest list of names that one record of a name resolution block holds.
const LONGEST_NAME: usize = 255;

/// Writes the blocks of a pcapng file. Each is written as a whole, so that whatever ends the writing leaves a file that can be read.
pub struct Writer<W: Write> {
    out: W,
    big_endian: bool,
    block: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Starts a file; the first thing to be written is a section.
    pub fn new(out: W) -> Self {
        Writer { out, big_endian: false, block: Vec::new() }
    }

    /// Begins a section in the byte order given, with these options and comments.
    ///
    /// # Errors
    /// If it cannot be written; so for all that follow.
    pub fn section<'a>(
        &mut self,
        big_endian: bool,
        options: impl Iterator<Item = (u16, &'a [u8])>,
        comments: &[String],
    ) -> io::Result<()> {
        self.big_endian = big_endian;
        self.begin(block::SECTION_HEADER);
        self.u32(0x1a2b_3c4d);
        self.u16(1);
        self.u16(0);
        self.block.extend([0xff; 8]); // its length is not known beforehand
        self.options(options, comments);
        self.end()
    }

    /// The option of a section header that names the program which wrote it.
    #[must_use]
    pub fn application(name: &str) -> (u16, &[u8]) {
        (option::APPLICATION, name.as_bytes())
    }

    /// Describes the interface that a pcap file stands for.
    ///
    /// # Errors
    /// See [`Writer::section`].
    pub fn interface(&mut self, implied: Implied) -> io::Result<()> {
        self.begin(block::INTERFACE);
        self.u16(implied.link_type.0);
        self.u16(0);
        self.u32(0); // no limit: what was cut says so itself
        let (digits, fcs_bits) = ([implied.digits], [implied.fcs_len.saturating_mul(8)]);
        let resolution = (option::TIME_RESOLUTION, digits.as_slice());
        let fcs = (implied.fcs_len > 0).then_some((option::FCS_LENGTH, fcs_bits.as_slice()));
        self.options([resolution].into_iter().chain(fcs), &[]);
        self.end()
    }

    /// Describes an interface by what its frames cannot be read without, see [`OtherBlock::bare_interface`].
    ///
    /// # Errors
    /// See [`Writer::section`].
    pub fn bare_interface(&mut self, link_type: u16, snap_len: u32, options: &[(u16, &[u8])]) -> io::Result<()> {
        self.begin(block::INTERFACE);
        self.u16(link_type);
        self.u16(0);
        self.u32(snap_len);
        self.options(options.iter().copied(), &[]);
        self.end()
    }

    /// A frame of an interface, at a time in its units, with options and comments. `data` may be shorter than it was on the wire.
    ///
    /// # Errors
    /// See [`Writer::section`].
    pub fn packet<'a>(
        &mut self,
        interface: u32,
        units: u64,
        data: &[u8],
        original_len: u32,
        options: impl Iterator<Item = (u16, &'a [u8])>,
        comments: &[String],
    ) -> io::Result<()> {
        self.begin(block::ENHANCED_PACKET);
        self.u32(interface);
        self.u32((units >> 32) as u32);
        self.u32((units & 0xffff_ffff) as u32);
        self.u32(u32::try_from(data.len()).unwrap_or(u32::MAX));
        self.u32(original_len);
        self.padded(data);
        self.options(options, comments);
        self.end()
    }

    /// A frame without a time, of the section's first interface. Such a record has no room for comments.
    ///
    /// # Errors
    /// See [`Writer::section`].
    pub fn simple_packet(&mut self, data: &[u8], original_len: u32) -> io::Result<()> {
        self.begin(block::SIMPLE_PACKET);
        self.u32(original_len);
        self.padded(data);
        self.end()
    }

    /// The names of addresses.
    ///
    /// # Errors
    /// See [`Writer::section`].
    pub fn names<'a>(&mut self, names: impl Iterator<Item = (IpAddr, &'a str)>) -> io::Result<()> {
        self.begin(block::NAMES);
        for (address, name) in names {
            let name = truncated(name, LONGEST_NAME).as_bytes();
            let (kind, ip) = match address {
                IpAddr::V4(ip) => (1, ip.octets().to_vec()),
                IpAddr::V6(ip) => (2, ip.octets().to_vec()),
            };
            let record: Vec<u8> = ip.into_iter().chain(name.iter().copied()).chain([0]).collect();
            self.u16(kind);
            self.u16(record.len() as u16);
            self.padded(&record);
        }
        self.u32(0);
        self.end()
    }

    /// Secrets by which Wireshark decrypts what follows.
    ///
    /// # Errors
    /// See [`Writer::section`].
    pub fn secrets(&mut self, kind: SecretsKind, data: &[u8]) -> io::Result<()> {
        self.begin(block::SECRETS);
        self.u32(kind.0);
        self.u32(u32::try_from(data.len()).unwrap_or(u32::MAX));
        self.padded(data);
        self.end()
    }

    /// A block as it was, in a section of the same byte order.
    ///
    /// # Errors
    /// See [`Writer::section`].
    pub fn other(&mut self, block: &OtherBlock) -> io::Result<()> {
        self.out.write_all(&block.bytes)
    }

    /// Hands on what may still lie in between.
    ///
    /// # Errors
    /// See [`Writer::section`].
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.u32(kind);
        self.u32(0);
    }

    fn end(&mut self) -> io::Result<()> {
        let len = u32::try_from(self.block.len() + 4).unwrap_or(u32::MAX);
        let bytes = if self.big_endian { len.to_be_bytes() } else { len.to_le_bytes() };
        if let Some(place) = self.block.get_mut(4..8) {
            place.copy_from_slice(&bytes);
        }
        self.u32(len);
        self.out.write_all(&self.block)
    }

    fn options<'a>(&mut self, options: impl Iterator<Item = (u16, &'a [u8])>, comments: &[String]) {
        let before = self.block.len();
        for (code, value) in options {
            self.option(code, value);
        }
        for comment in comments {
            self.option(COMMENT, truncated(comment, LONGEST).as_bytes());
        }
        if self.block.len() > before {
            self.u32(0);
        }
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        let value = value.get(..LONGEST).unwrap_or(value);
        self.u16(code);
        self.u16(value.len() as u16);
        self.padded(value);
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    fn u16(&mut self, value: u16) {
        self.block.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u32(&mut self, value: u32) {
        self.block.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }
}

/// The beginning of a text that fits in so many bytes.
fn truncated(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
