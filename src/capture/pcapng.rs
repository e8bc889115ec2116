//! Blocks of pcapng files.

use std::io::Read;
use std::net::IpAddr;

use pcap_parser::pcapng::{UnknownBlock, parse_sectionheaderblock, parse_unknownblock_be, parse_unknownblock_le};

use super::Found;
use super::block;
use super::buffer::Buffer;
use super::log::Log;
use super::options::{COMMENT, Options, Order};
use super::plain::{HEAD, PlainBlock};
use super::records::OtherBlock;
use super::resolution::Resolution;
use super::unpack::Failure;
use crate::frame::LinkType;
use crate::time::Timestamp;

/// A search believes no block longer than this.
const SEARCH_BLOCK: usize = 1 << 20;

/// Reads the blocks of one file.
#[derive(Default)]
pub(super) struct PcapngReader {
    pub(super) order: Order,
    /// Those of the current section, by their number.
    pub(super) interfaces: Vec<InterfaceState>,
    /// The undescribed interface for which damage was noted last, so that it is noted once.
    undescribed: Option<u32>,
    /// The first time in the file and its digits, where it was looked for; of packets before it.
    pub(super) begin: Option<Option<(Timestamp, u8)>>,
    done: bool,
}

/// What packets need of their interface.
#[derive(Clone, Copy)]
pub(super) struct InterfaceState {
    link_type: LinkType,
    pub(super) resolution: Resolution,
    fcs_len: u8,
    pub(super) snap_len: u32,
    /// Place in the list of the capture's interfaces.
    listed: Option<usize>,
}

/// A packet within its block.
pub(super) struct Packet<'a> {
    pub(super) interface: u32,
    pub(super) units: Option<u64>,
    pub(super) captured: usize,
    pub(super) original: u32,
    /// Bytes of the block body before the data.
    pub(super) before: usize,
    pub(super) options: &'a [u8],
}

impl InterfaceState {
    /// A packet of this interface, in a block whose body lies at `position` in the buffer.
    #[inline]
    fn found(&self, packet: &Packet<'_>, position: usize, order: Order) -> Found {
        Found {
            start: position + packet.before,
            len: packet.captured,
            time: packet.units.map(|units| self.resolution.time(units)),
            digits: if packet.units.is_some() { self.resolution.digits } else { 0 },
            link_type: self.link_type,
            original_len: packet.original,
            fcs_len: self.fcs_len,
            big_endian: order.big_endian,
        }
    }
}

impl PcapngReader {
    /// The next packet; other blocks are taken in, and damage is noted, on the way.
    pub(super) fn next<R: Read + Failure>(&mut self, buffer: &mut Buffer<R>, log: &mut Log) -> Option<Found> {
        while !self.done {
            if let Some((found, len)) = self.plain_packet(buffer.available(), buffer.position()) {
                log.frame(found.time);
                buffer.consume(len);
                return Some(found);
            }
            if !buffer.fill(12) {
                log.end(buffer, "a block", 12);
                self.done = true;
                break;
            }
            let (kind, order, len) = match block::head(buffer.available(), self.order, log.limits.block) {
                Ok(head) => head,
                Err(what) => {
                    self.resume(buffer, log, what);
                    continue;
                }
            };
            if !buffer.fill(len) {
                self.cut(buffer, log, kind, len);
                continue;
            }
            let bytes = buffer.available().get(..len).unwrap_or_default();
            let Some(raw) = framed(bytes, order) else {
                self.resume(buffer, log, format!("a block of type {kind:#010x} of no sense"));
                continue;
            };
            if raw.block_len2 != raw.block_len1 {
                let (first, last) = (raw.block_len1, raw.block_len2);
                let what = format!("a block says at its start that it is {first} bytes long, and {last} at its end");
                if !self.is_sound_at(buffer, len) {
                    self.resume(buffer, log, what);
                    continue;
                }
                let offset = buffer.offset();
                log.damage(offset, what, Some(offset + len as u64));
            }
            if kind == block::SIMPLE_PACKET {
                self.look_ahead(buffer, log);
            }
            let start = buffer.position();
            let offset = buffer.offset();
            let kept = (log.keeps_blocks() && !block::is_packet(kind))
                .then(|| OtherBlock::new(kind, order, buffer.slice(start, len)));
            let found = match kind {
                kind if block::is_packet(kind) => {
                    let body = buffer.slice(start + 8, len - 12);
                    self.packet(kind, body, start + 8, log)
                }
                block::SECRETS => {
                    let bytes = buffer.available_mut().get_mut(8..len - 4).unwrap_or_default();
                    self.secrets(offset, bytes, log).map(|()| None)
                }
                block::SECTION_HEADER => {
                    self.order = order;
                    self.section(buffer.slice(start, len), log).map(|()| None)
                }
                kind => self.other(kind, buffer.slice(start + 8, len - 12), log).map(|()| None),
            };
            buffer.consume(len);
            if std::mem::take(&mut log.overrun) {
                let what = "a block with an option that claims more bytes than are left of it".to_owned();
                log.damage(offset, what, Some(offset + len as u64));
            }
            match found {
                Ok(Some(found)) => return Some(found),
                Ok(None) => {
                    if let Some(block) = kept {
                        log.keep_block(block);
                        return None;
                    }
                }
                Err(what) => log.damage(offset, what, Some(offset + len as u64)),
            }
        }
        None
    }

    /// Whether no more is read, though bytes may be left.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// What nearly every block of a large file is: a whole Enhanced Packet Block without options, improper in no way. Anything
    /// else is left to the long way. Returns the length of the block too.
    #[inline(always)]
    pub(super) fn plain_packet(&self, bytes: &[u8], position: usize) -> Option<(Found, usize)> {
        let plain = PlainBlock::read(bytes, self.order)?;
        let interface = self.interfaces.get(plain.interface as usize)?;
        let found = Found {
            start: position + HEAD,
            len: plain.captured,
            time: Some(interface.resolution.time(plain.units)),
            digits: interface.resolution.digits,
            link_type: interface.link_type,
            original_len: plain.original,
            fcs_len: interface.fcs_len,
            big_endian: self.order.big_endian,
        };
        Some((found, plain.len))
    }

    /// Notes that the file ends within a block. If the block's own fields say that its length is a lie, looks for more behind its data;
    /// otherwise the file was merely cut, and nothing in the rest may be taken for a block.
    fn cut<R: Read + Failure>(&mut self, buffer: &mut Buffer<R>, log: &mut Log, kind: u32, len: usize) {
        let bytes = buffer.available();
        let (from, left) = (buffer.offset(), bytes.len());
        let captured = self.order.u32(bytes, 20).filter(|_| kind == block::ENHANCED_PACKET);
        let behind = captured.map(|captured| (captured as usize).next_multiple_of(4).saturating_add(28));
        if let Some(behind) = behind.filter(|&behind| behind.saturating_add(4) != len && left > behind) {
            buffer.consume(behind);
            if self.search(buffer, from.saturating_add(log.limits.search)) {
                let what = format!("a packet block claims {len} bytes, of which the file has {left}");
                log.damage(from, what, Some(buffer.offset()));
                return;
            }
        } else {
            buffer.consume(left);
        }
        log.cut(buffer, "a block", from, left, len);
        self.done = true;
    }

    /// A packet of any of the three blocks, whose body lies at `position` in the buffer.
    fn packet(&mut self, kind: u32, body: &[u8], position: usize, log: &mut Log) -> Result<Option<Found>, String> {
        let order = self.order;
        let packet = match kind {
            block::ENHANCED_PACKET => long_packet(body, order, order.u32(body, 0)),
            block::PACKET => long_packet(body, order, order.u16(body, 0).map(u32::from)),
            _ => self.simple_packet(body),
        };
        let Some(packet) = packet else {
            return Err("a packet block whose lengths do not fit in it".to_owned());
        };
        let Some(interface) = self.interfaces.get(packet.interface as usize) else {
            let news = self.undescribed != Some(packet.interface);
            self.undescribed = Some(packet.interface);
            let what = || format!("packets of interface {}, which the section does not describe", packet.interface);
            return if news { Err(what()) } else { Ok(None) };
        };
        let mut found = interface.found(&packet, position, order);
        log.frame(found.time);
        if let (None, None, Some(Some(begin))) = (found.time, log.info.first_time, self.begin) {
            (found.time, found.digits) = (Some(begin.0), begin.1);
        }
        if !packet.options.is_empty()
            && let Some(fcs_len) = packet_options(packet.options, order, log)
        {
            found.fcs_len = fcs_len;
        }
        Ok(Some(found))
    }

    /// Starts a section: interfaces are numbered from 0 again.
    fn section(&mut self, bytes: &[u8], log: &mut Log) -> Result<(), String> {
        self.interfaces.clear();
        self.undescribed = None;
        let Ok((_, header)) = parse_sectionheaderblock(bytes) else {
            return Err("a section header that is too short".to_owned());
        };
        let options = bytes.get(24..bytes.len() - 4).unwrap_or_default();
        let mut options = Options::new(options, self.order);
        for (code, value) in options.by_ref() {
            match code {
                COMMENT => log.comment(None, value),
                4 => log.application(value),
                _ => {}
            }
        }
        log.overrun = options.is_overrun();
        match header.major_version {
            1 => Ok(()),
            major => Err(format!("a section of version {major}.{}, read as if it were 1.0", header.minor_version)),
        }
    }

    fn other(&mut self, kind: u32, body: &[u8], log: &mut Log) -> Result<(), String> {
        let read = match kind {
            block::INTERFACE => self.interface(body, log),
            block::STATISTICS => self.statistics(body, log),
            block::NAMES => self.names(body, log),
            block::CUSTOM | block::CUSTOM_PRIVATE | block::JOURNAL => Some(()),
            _ => {
                log.info.blocks_skipped += 1;
                Some(())
            }
        };
        read.ok_or_else(|| format!("a block of type {kind:#010x} that is too short"))
    }

    fn interface(&mut self, body: &[u8], log: &mut Log) -> Option<()> {
        let order = self.order;
        let link_type = LinkType(order.u16(body, 0)?);
        let snap_len = order.u32(body, 4)?;
        let (mut tsresol, mut tsoffset, mut fcs_len) = (6, 0, 0);
        let (mut name, mut about): (&[u8], &[u8]) = (&[], &[]);
        let mut options = Options::new(body.get(8..).unwrap_or_default(), order);
        for (code, value) in options.by_ref() {
            match (code, value) {
                (COMMENT, _) => log.comment(None, value),
                (2, _) => name = value,
                (3, _) => about = value,
                (9, [resolution]) => tsresol = *resolution,
                (13, [bits]) => fcs_len = fcs_bytes(*bits),
                (14, _) if value.len() == 8 => tsoffset = order.u64(value, 0)?.cast_signed(),
                _ => {}
            }
        }
        log.overrun = options.is_overrun();
        // Interfaces beyond the limit stay undescribed: their packets are noted as such.
        if self.interfaces.len() < log.limits.interfaces {
            let listed = log.interface(link_type, snap_len, name, about);
            let resolution = Resolution::new(tsresol, tsoffset);
            self.interfaces.push(InterfaceState { link_type, resolution, fcs_len, snap_len, listed });
        }
        Some(())
    }

    fn statistics(&mut self, body: &[u8], log: &mut Log) -> Option<()> {
        let interface = self.order.u32(body, 0)?;
        let (mut received, mut dropped) = (None, None::<u64>);
        let mut options = Options::new(body.get(12..)?, self.order);
        for (code, value) in options.by_ref() {
            let count = self.order.u64(value, 0);
            match code {
                COMMENT => log.comment(None, value),
                4 => received = count,
                5 | 7 => dropped = count.map(|count| dropped.unwrap_or(0).saturating_add(count)).or(dropped),
                _ => {}
            }
        }
        log.overrun = options.is_overrun();
        let listed = self.interfaces.get(interface as usize).and_then(|interface| interface.listed);
        if let Some(listed) = listed.and_then(|listed| log.info.interfaces.get_mut(listed)) {
            listed.received = received.or(listed.received);
            listed.dropped = dropped.or(listed.dropped);
        }
        Some(())
    }

    fn names(&self, body: &[u8], log: &mut Log) -> Option<()> {
        let mut rest = body;
        loop {
            let kind = self.order.u16(rest, 0)?;
            let len = usize::from(self.order.u16(rest, 2)?);
            let value = rest.get(4..4 + len)?;
            rest = rest.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
            let (address, names) = match kind {
                0 => break,
                1 => value.split_first_chunk::<4>().map(|(ip, names)| (IpAddr::from(*ip), names))?,
                2 => value.split_first_chunk::<16>().map(|(ip, names)| (IpAddr::from(*ip), names))?,
                // Names of MAC addresses are of no use here.
                _ => continue,
            };
            for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
                log.name(address, name);
            }
        }
        comments(rest, self.order, log);
        Some(())
    }

    /// Keeps the secrets and clears them in the buffer.
    fn secrets(&self, at: u64, body: &mut [u8], log: &mut Log) -> Result<(), String> {
        let short = "a block of decryption secrets whose length does not fit in it";
        let (kind, data) = block::secrets(body, self.order).ok_or(short)?;
        let behind = data.end.next_multiple_of(4);
        log.secrets(at, kind, body.get_mut(data).unwrap_or_default());
        comments(body.get(behind..).unwrap_or_default(), self.order, log);
        Ok(())
    }

    /// Notes damage at the current offset and passes over it: to the next block that makes sense, or to the end.
    fn resume<R: Read + Failure>(&mut self, buffer: &mut Buffer<R>, log: &mut Log, what: String) {
        let from = buffer.offset();
        buffer.consume(1);
        let found = self.search(buffer, from.saturating_add(log.limits.search));
        log.passed_over(buffer, from, what, found);
        self.done = !found;
    }

    fn search<R: Read + Failure>(&self, buffer: &mut Buffer<R>, until: u64) -> bool {
        buffer.search(until, 12, |bytes| self.candidate(bytes).is_some(), |buffer| self.is_sound_at(buffer, 0))
    }

    /// The byte order and length that a known block would have which starts with these bytes.
    fn candidate(&self, bytes: &[u8]) -> Option<(u32, Order, usize)> {
        let least = match self.order.u32(bytes, 0)? {
            block::SECTION_HEADER => 28,
            block::INTERFACE | block::SECRETS => 20,
            block::PACKET | block::ENHANCED_PACKET => 32,
            block::STATISTICS => 24,
            block::SIMPLE_PACKET | block::CUSTOM | block::CUSTOM_PRIVATE => 16,
            block::NAMES | block::JOURNAL => 12,
            _ => return None,
        };
        block::head(bytes, self.order, SEARCH_BLOCK).ok().filter(|&(_, _, len)| len >= least)
    }

    /// Whether a known block lies whole `at` bytes ahead, its two lengths agreeing and its fields fitting.
    fn is_sound_at<R: Read + Failure>(&self, buffer: &mut Buffer<R>, at: usize) -> bool {
        if !buffer.fill(at + 12) {
            // Nothing at all is sound too: the end of the file.
            return at > 0 && buffer.available().len() == at;
        }
        let Some((kind, order, len)) = self.candidate(buffer.available().get(at..).unwrap_or_default()) else {
            return false;
        };
        if !buffer.fill(at + len) {
            return false;
        }
        let bytes = buffer.available().get(at..at + len).unwrap_or_default();
        let body = bytes.get(8..len - 4).unwrap_or_default();
        order.u32(bytes, len - 4) == order.u32(bytes, 4)
            && match kind {
                block::ENHANCED_PACKET => long_packet(body, order, order.u32(body, 0)).is_some(),
                block::PACKET => long_packet(body, order, order.u16(body, 0).map(u32::from)).is_some(),
                _ => true,
            }
    }
}

/// A whole block with its lengths and its body, of any type; `None` if it is not there as a whole or too short to be one.
#[inline]
fn framed(bytes: &[u8], order: Order) -> Option<UnknownBlock<'_>> {
    let parsed = if order.big_endian { parse_unknownblock_be(bytes) } else { parse_unknownblock_le(bytes) };
    parsed.ok().map(|(_, block)| block)
}

/// An Enhanced Packet Block, or the obsolete Packet Block, which differs in how it numbers the interface.
#[inline]
fn long_packet(body: &[u8], order: Order, interface: Option<u32>) -> Option<Packet<'_>> {
    let (head, rest) = body.split_first_chunk::<20>()?;
    let (high, low) = (order.u32(head, 4)?, order.u32(head, 8)?);
    let captured = order.u32(head, 12)? as usize;
    rest.get(..captured)?;
    Some(Packet {
        interface: interface?,
        units: Some(u64::from(high) << 32 | u64::from(low)),
        captured,
        original: order.u32(head, 16)?,
        before: 20,
        options: rest.get(captured.next_multiple_of(4)..).unwrap_or_default(),
    })
}

/// Takes in the comments of a block that is no packet.
fn comments(options: &[u8], order: Order, log: &mut Log) {
    let mut options = Options::new(options, order);
    for (_, value) in options.by_ref().filter(|&(code, _)| code == COMMENT) {
        log.comment(None, value);
    }
    log.overrun = options.is_overrun();
}

/// Takes in a packet's comments; returns the FCS length of its flags, if they tell one.
fn packet_options(options: &[u8], order: Order, log: &mut Log) -> Option<u8> {
    let mut fcs_len = None;
    let mut options = Options::new(options, order);
    for (code, value) in options.by_ref() {
        match code {
            COMMENT => log.comment(Some(log.info.frames), value),
            2 => {
                let bytes = order.u32(value, 0).unwrap_or_default() >> 5 & 0xf;
                fcs_len = (bytes != 0).then_some(bytes as u8);
            }
            _ => {}
        }
    }
    log.overrun = options.is_overrun();
    fcs_len
}

/// The FCS length of an interface: in bits by the specification, in bytes by what many writers do.
fn fcs_bytes(value: u8) -> u8 {
    if value >= 8 { value / 8 } else { value }
}
