//! What nearly every block of a large pcapng file is: a whole Enhanced Packet Block without options, improper in no way.

use super::block::ENHANCED_PACKET;
use super::options::Order;

/// Bytes of the block before its data.
pub(super) const HEAD: usize = 28;

/// Such a block.
pub(super) struct PlainBlock {
    pub(super) interface: u32,
    pub(super) units: u64,
    pub(super) captured: usize,
    pub(super) original: u32,
    /// Bytes of the whole block.
    pub(super) len: usize,
}

impl PlainBlock {
    /// Reads the block at the start of `bytes`; `None` for any other.
    #[inline(always)]
    pub(super) fn read(bytes: &[u8], order: Order) -> Option<Self> {
        if order.big_endian { read(bytes, u32::from_be_bytes) } else { read(bytes, u32::from_le_bytes) }
    }
}

#[inline(always)]
fn read(bytes: &[u8], word: impl Fn([u8; 4]) -> u32) -> Option<PlainBlock> {
    let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let ([kind, len, interface, high, low, captured, original], []) = head.as_chunks::<4>() else { return None };
    let (len, captured) = (word(*len), word(*captured) as usize);
    // with the data padded there is room for the second length and nothing else, so no options
    let behind = captured.checked_add(3)? & !3;
    if word(*kind) != ENHANCED_PACKET || len as usize != behind + HEAD + 4 {
        return None;
    }
    if word(*rest.get(behind..)?.first_chunk::<4>()?) != len {
        return None;
    }
    Some(PlainBlock {
        interface: word(*interface),
        units: u64::from(word(*high)) << 32 | u64::from(word(*low)),
        captured,
        original: word(*original),
        len: len as usize,
    })
}
