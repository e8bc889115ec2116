//! Records of pcap files in all their variants.

use std::io::Read;

use nom::{Err, Needed};
use pcap_parser::pcap::{parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified, parse_pcap_header};

use super::Found;
use super::buffer::Buffer;
use super::log::Log;
use super::magic::{OpenError, Variant};
use super::options::Order;
use super::records::Implied;
use super::unpack::Failure;
use crate::frame::LinkType;
use crate::time::Timestamp;

/// The largest captured length that a record may have without the record after it being looked at: libpcap's maximum.
const USUAL_LENGTH: u32 = 256 << 10;

/// The largest original length that is believed when looking for a record.
const USUAL_ORIGINAL: u32 = 16 << 20;

/// How far the time of a record may be from the last one without the record after it being looked at.
const USUAL_GAP: u32 = 7 * 24 * 3600;

/// Reads the records of one file.
pub(super) struct PcapReader {
    variant: Variant,
    link_type: LinkType,
    fcs_len: u8,
    lengths: Lengths,
    /// Seconds of the last record delivered.
    last: Option<u32>,
    done: bool,
}

/// What the two lengths of a record mean: old writers exchanged them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    /// Captured, then original.
    InOrder,
    /// Original, then captured.
    Swapped,
    /// Whichever is smaller is the captured one.
    SmallerIsCaptured,
}

/// The header of a record.
#[derive(Clone, Copy, Debug)]
struct Header {
    seconds: u32,
    fraction: u32,
    captured: u32,
    original: u32,
}

impl PcapReader {
    /// Reads the file header and notes what it says.
    pub(super) fn open<R: Read + Failure>(
        variant: Variant,
        buffer: &mut Buffer<R>,
        log: &mut Log,
    ) -> Result<Self, OpenError> {
        if !buffer.fill(variant.file_header) {
            return Err(OpenError::Cut(buffer.available().len()));
        }
        let mut bytes = [0; 24];
        bytes.iter_mut().zip(buffer.available()).for_each(|(to, from)| *to = *from);
        // The variants share the layout, and the parser need not know their names.
        let plain = if variant.big_endian { [0xa1, 0xb2, 0xc3, 0xd4] } else { [0xd4, 0xc3, 0xb2, 0xa1] };
        bytes.iter_mut().zip(plain).for_each(|(to, from)| *to = from);
        let Ok((_, header)) = parse_pcap_header(&bytes) else { return Err(OpenError::Cut(24)) };
        buffer.consume(variant.file_header);

        let network = u32::from_ne_bytes(header.network.0.to_ne_bytes());
        let fcs_words = if network & 0x0400_0000 != 0 { network >> 28 } else { 0 };
        let link_type = LinkType((network & 0xffff) as u16);
        log.link_type(link_type);
        Ok(PcapReader {
            variant,
            link_type,
            fcs_len: (fcs_words * 2) as u8,
            lengths: match (header.version_major, header.version_minor) {
                (0..2, _) | (2, 0..3) | (543, 0) => Lengths::Swapped,
                (2, 3) => Lengths::SmallerIsCaptured,
                _ => Lengths::InOrder,
            },
            last: None,
            done: false,
        })
    }

    /// The one interface that the file stands for.
    pub(super) fn implied(&self) -> Implied {
        Implied { link_type: self.link_type, fcs_len: self.fcs_len, digits: self.variant.digits() }
    }

    /// The next record; damage on the way is noted.
    pub(super) fn next<R: Read + Failure>(&mut self, buffer: &mut Buffer<R>, log: &mut Log) -> Option<Found> {
        let header_len = self.variant.record_header;
        while !self.done {
            let (header, whole) = match self.parse(buffer.available()) {
                Ok(header) => (header, true),
                Err(_) => {
                    if !buffer.fill(header_len) {
                        log.end(buffer, "a record header", header_len);
                        self.done = true;
                        break;
                    }
                    let Some(header) = self.header(buffer.available()) else { break };
                    (header, false)
                }
            };
            let captured = header.captured as usize;
            let size = header_len.saturating_add(captured);
            if captured > log.limits.block {
                self.resume(buffer, log, format!("a record claims {captured} captured bytes"));
                continue;
            }
            let usual = self.is_usual(&header, self.last);
            if !whole && !buffer.fill(size) {
                // An odd time alone is no reason to look for records in what may be the data of a record cut short.
                if self.is_usual(&header, None) {
                    log.end(buffer, "a record", size);
                    self.done = true;
                } else {
                    self.resume(
                        buffer,
                        log,
                        format!("a record header of no sense ({captured} captured bytes to come)"),
                    );
                }
                continue;
            }
            if !usual && !self.is_followed(&header, size, buffer) {
                self.resume(buffer, log, "a record header of no sense".to_owned());
                continue;
            }
            self.last = Some(header.seconds);
            let found = self.found(&header, buffer.position());
            log.frame(found.time);
            buffer.consume(size);
            return Some(found);
        }
        None
    }

    /// A record that is there as a whole and like those that capture programs write, where the record before it is of the second `last`. Returns
    /// its length and its second too.
    pub(super) fn plain_packet(
        &self,
        bytes: &[u8],
        position: usize,
        last: Option<u32>,
    ) -> Option<(Found, usize, Option<u32>)> {
        let header = self.parse(bytes).ok().filter(|header| !self.done && self.is_usual(header, last))?;
        let size = self.variant.record_header + header.captured as usize;
        Some((self.found(&header, position), size, Some(header.seconds)))
    }

    /// The second of the last record.
    pub(super) fn last(&self) -> Option<u32> {
        self.last
    }

    /// Records up to one of the second `last` were taken.
    pub(super) fn passed_over(&mut self, last: Option<u32>) {
        self.last = last;
    }

    fn found(&self, header: &Header, position: usize) -> Found {
        Found {
            start: position + self.variant.record_header,
            len: header.captured as usize,
            time: Some(self.time(header)),
            digits: self.variant.digits(),
            link_type: self.link_type,
            original_len: header.original,
            fcs_len: self.fcs_len,
            big_endian: self.variant.big_endian,
        }
    }

    /// The header of a record that is there as a whole; otherwise how many bytes are missing, as far as known.
    fn parse(&self, bytes: &[u8]) -> Result<Header, usize> {
        let parsed = match (self.lengths, self.variant.record_header, self.variant.big_endian) {
            (Lengths::InOrder, 16, false) => parse_pcap_frame(bytes),
            (Lengths::InOrder, 16, true) => parse_pcap_frame_be(bytes),
            (Lengths::InOrder, 24, false) => parse_pcap_frame_modified(bytes),
            _ => {
                let header = self.header(bytes).ok_or(1_usize)?;
                let size = self.variant.record_header.saturating_add(header.captured as usize);
                return if bytes.len() >= size { Ok(header) } else { Err(size - bytes.len()) };
            }
        };
        match parsed {
            Ok((_, block)) => Ok(Header {
                seconds: block.ts_sec,
                fraction: block.ts_usec,
                captured: block.caplen,
                original: block.origlen,
            }),
            Err(Err::Incomplete(Needed::Size(missing))) => Err(missing.get()),
            Err(_) => Err(1),
        }
    }

    /// The header alone, in any variant, whatever follows it.
    fn header(&self, bytes: &[u8]) -> Option<Header> {
        let order = Order { big_endian: self.variant.big_endian };
        let bytes = bytes.get(..self.variant.record_header)?;
        let (first, second) = (order.u32(bytes, 8)?, order.u32(bytes, 12)?);
        let (captured, original) = match self.lengths {
            Lengths::InOrder => (first, second),
            Lengths::Swapped => (second, first),
            Lengths::SmallerIsCaptured => (first.min(second), first.max(second)),
        };
        Some(Header { seconds: order.u32(bytes, 0)?, fraction: order.u32(bytes, 4)?, captured, original })
    }

    fn time(&self, header: &Header) -> Timestamp {
        let unit = if self.variant.nanoseconds { 1 } else { 1000 };
        Timestamp(i64::from(header.seconds) * 1_000_000_000 + i64::from(header.fraction) * unit)
    }

    /// Whether a header is like those that capture programs write, close in time to `near`.
    fn is_usual(&self, header: &Header, near: Option<u32>) -> bool {
        let second = if self.variant.nanoseconds { 1_000_000_000 } else { 1_000_000 };
        header.fraction < second
            && header.captured <= header.original
            && header.captured <= USUAL_LENGTH
            && header.original > 0
            && header.original <= USUAL_ORIGINAL
            && near.is_none_or(|near| header.seconds.abs_diff(near) <= USUAL_GAP)
    }

    /// Whether an unusual record of `size` bytes is borne out by what follows: the end of the file or a record that goes with it.
    fn is_followed<R: Read + Failure>(&self, header: &Header, size: usize, buffer: &mut Buffer<R>) -> bool {
        if header.original == 0 && header.captured == 0 {
            return false;
        }
        if !buffer.fill(size.saturating_add(self.variant.record_header)) {
            return true;
        }
        // Writers that get one field wrong get it wrong in each record, so the next need not be usual in all
        // respects; and packets gathered from several captures may be years apart.
        self.header(buffer.available().get(size..).unwrap_or_default()).is_some_and(|next| {
            let original = next.original.max(next.captured);
            let fraction = if next.fraction < 1_000_000_000 { 0 } else { next.fraction };
            self.is_usual(&Header { original, fraction, ..next }, None)
        })
    }

    /// Notes damage at the current offset and passes over it: to the next record that makes sense, or to the end.
    fn resume<R: Read + Failure>(&mut self, buffer: &mut Buffer<R>, log: &mut Log, what: String) {
        let from = buffer.offset();
        let until = from.saturating_add(log.limits.search);
        buffer.consume(1);
        // two records in a row, or one at the very end of the file, that look as they should
        let (length, candidate) = (self.variant.record_header, |bytes: &[u8]| self.is_candidate(bytes));
        let found = buffer.search(until, length, candidate, |buffer| self.is_pair(buffer));
        log.passed_over(buffer, from, what, found);
        self.done = !found;
    }

    fn is_candidate(&self, bytes: &[u8]) -> bool {
        self.header(bytes).is_some_and(|header| header.captured > 0 && self.is_usual(&header, self.last))
    }

    fn is_pair<R: Read + Failure>(&self, buffer: &mut Buffer<R>) -> bool {
        let Some(header) = self.header(buffer.available()) else { return false };
        let size = self.variant.record_header.saturating_add(header.captured as usize);
        if !buffer.fill(size) {
            return false;
        }
        if !buffer.fill(size.saturating_add(self.variant.record_header)) {
            return buffer.available().len() == size;
        }
        let next = self.header(buffer.available().get(size..).unwrap_or_default());
        next.is_some_and(|next| next.captured > 0 && self.is_usual(&next, Some(header.seconds)))
    }
}
