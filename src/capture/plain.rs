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
    let (&head, rest) = bytes.split_first_chunk::<HEAD>()?;
    let [k0, k1, k2, k3, l0, l1, l2, l3, i0, i1, i2, i3, h0, h1, h2, h3, t0, t1, t2, t3, lengths @ ..] = head;
    let [c0, c1, c2, c3, o0, o1, o2, o3] = lengths;
    let len = word([l0, l1, l2, l3]);
    let captured = word([c0, c1, c2, c3]) as usize;
    // with the data padded there is room for the second length and nothing else, so no options
    let behind = captured.checked_next_multiple_of(4)?;
    if word([k0, k1, k2, k3]) != ENHANCED_PACKET || (len as usize).checked_sub(HEAD + 4)? != behind {
        return None;
    }
    if word(*rest.get(behind..)?.first_chunk::<4>()?) != len {
        return None;
    }
    Some(PlainBlock {
        interface: word([i0, i1, i2, i3]),
        units: u64::from(word([h0, h1, h2, h3])) << 32 | u64::from(word([t0, t1, t2, t3])),
        captured,
        original: word([o0, o1, o2, o3]),
        len: len as usize,
    })
}
