//! The block types of pcapng that mean something to this reader, or are known to be there for others, and what stands where in them.

use super::info::SecretsKind;
use super::options::Order;
use std::ops::Range;

pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
pub(super) const INTERFACE: u32 = 1;
pub(super) const PACKET: u32 = 2;
pub(super) const SIMPLE_PACKET: u32 = 3;
pub(super) const NAMES: u32 = 4;
pub(super) const STATISTICS: u32 = 5;
pub(super) const ENHANCED_PACKET: u32 = 6;
pub(super) const JOURNAL: u32 = 9;
pub(super) const SECRETS: u32 = 10;
pub(super) const CUSTOM: u32 = 0x0bad;
pub(super) const CUSTOM_PRIVATE: u32 = 0x4000_0bad;

/// Whether a block of this type holds a frame.
pub(super) fn is_packet(kind: u32) -> bool {
    matches!(kind, ENHANCED_PACKET | SIMPLE_PACKET | PACKET)
}

/// Type, byte order and length of a block of which the first 12 bytes are there, in a section of this byte order.
pub(super) fn head(bytes: &[u8], mut order: Order, limit: usize) -> Result<(u32, Order, usize), String> {
    let kind = order.u32(bytes, 0).unwrap_or_default();
    if kind == SECTION_HEADER {
        order = match bytes.get(8..12) {
            Some([0x1a, 0x2b, 0x3c, 0x4d]) => Order { big_endian: true },
            Some([0x4d, 0x3c, 0x2b, 0x1a]) => Order { big_endian: false },
            _ => return Err("a section header without byte-order magic".to_owned()),
        };
    }
    let len = order.u32(bytes, 4).unwrap_or_default();
    let size = len as usize;
    if size < 12 || !size.is_multiple_of(4) || size > limit {
        return Err(format!("a block of type {kind:#010x} claims {len} bytes"));
    }
    Ok((kind, order, size))
}

/// The kind of decryption secrets, and where in the body of their block they stand.
pub(super) fn secrets(body: &[u8], order: Order) -> Option<(SecretsKind, Range<usize>)> {
    let data = 8..(order.u32(body, 4)? as usize).checked_add(8).filter(|&end| end <= body.len())?;
    Some((SecretsKind(order.u32(body, 0)?), data))
}
