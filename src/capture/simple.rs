//! Simple Packet Blocks, which do not tell their time. Before the first packet that does they are told with its time, and not as of 1970.

use super::block;
use super::buffer::Buffer;
use super::log::Log;
use super::pcapng::{Packet, PcapngReader};
use super::unpack::Failure;
use crate::time::Timestamp;
use std::io::Read;

/// How far on a packet with a time is looked for, in bytes; in what comes live, as far as it has come.
const FAR: usize = 64 << 10;

impl PcapngReader {
    /// Looks out for the first time in the file, once.
    pub(super) fn look_ahead<R: Read + Failure>(&mut self, buffer: &mut Buffer<R>, log: &Log) {
        if self.begin.is_none() && log.info.first_time.is_none() && !log.keeps_blocks() {
            self.begin = Some(self.time_ahead(buffer));
        }
    }

    fn time_ahead<R: Read + Failure>(&self, buffer: &mut Buffer<R>) -> Option<(Timestamp, u8)> {
        let mut at = 0;
        while at < FAR && buffer.fill_ahead(at + 20) {
            let bytes = buffer.available().get(at..)?;
            let (kind, order, len) = block::head(bytes, self.order, FAR).ok()?;
            let interface = match kind {
                block::ENHANCED_PACKET => order.u32(bytes, 8)?,
                block::PACKET => order.u16(bytes, 8)?.into(),
                block::SECTION_HEADER => return None,
                _ => {
                    at += len;
                    continue;
                }
            };
            let units = u64::from(order.u32(bytes, 12)?) << 32 | u64::from(order.u32(bytes, 16)?);
            let resolution = self.interfaces.get(interface as usize)?.resolution;
            return Some((resolution.time(units), resolution.digits));
        }
        None
    }

    pub(super) fn simple_packet<'a>(&self, body: &'a [u8]) -> Option<Packet<'a>> {
        let original = self.order.u32(body, 0)?;
        let snap_len = self.interfaces.first().map_or(0, |interface| interface.snap_len);
        let captured = if snap_len == 0 { original } else { original.min(snap_len) };
        // Some writers cut simple packets without a snap length; what is there is what there is.
        let captured = (captured as usize).min(body.len() - 4);
        Some(Packet { interface: 0, units: None, captured, original, before: 4, options: &[] })
    }
}
