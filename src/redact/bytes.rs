//! Reading and writing within bytes that may be shorter than they should.

/// So many bytes from there on.
pub(super) fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// A number of two bytes.
pub(super) fn word(bytes: &[u8], offset: usize) -> Option<usize> {
    at::<2>(bytes, offset).map(|bytes| usize::from(u16::from_be_bytes(bytes)))
}

/// A number of three bytes.
pub(super) fn three(bytes: &[u8], offset: usize) -> Option<usize> {
    let [a, b, c] = at::<3>(bytes, offset)?;
    Some(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
}

/// Writes as much as there is room for.
pub(super) fn put(bytes: &mut [u8], offset: usize, new: &[u8]) {
    let room = bytes.get_mut(offset..).unwrap_or_default();
    room.iter_mut().zip(new).for_each(|(to, from)| *to = *from);
}

/// Fills a range, as much of it as there is.
pub(super) fn zero(bytes: &mut [u8], range: std::ops::Range<usize>) {
    let end = range.end.min(bytes.len());
    bytes.get_mut(range.start..end).unwrap_or_default().fill(0);
}

/// The offset in a slice of a part that was taken from it.
pub(super) fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}
