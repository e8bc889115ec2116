//! 802.11 data frames and the headers that capture cards put before them.

use super::layer::{Context, Layer, Stop, be16, be32, le16, le32};

/// What a capture header says about the frame behind it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hints {
    /// The header is padded to a multiple of four bytes.
    pub(super) padded: bool,
    /// The two bytes of frame control changed places (CAPWAP from some controllers).
    pub(super) swapped: bool,
}

const SNAP: [u8; 5] = [0xaa, 0xaa, 0x03, 0x00, 0x00];

/// IEEE 802.11 §9.3.2.
pub(super) fn header(data: &[u8], hints: Hints) -> Option<Layer<'_>> {
    let [mut control, mut flags] = *data.first_chunk::<2>()?;
    if hints.swapped {
        (control, flags) = (flags, control);
    }
    // Protocol version 0, type 2 (data), and no "null" subtype, which carries nothing.
    if control & 0x0f != 0x08 || control & 0x40 != 0 {
        return Some(Layer::Stop(Stop::NotIp));
    }
    let quality_of_service = control & 0x80 != 0;
    let mut size = 24;
    if flags & 0x03 == 0x03 {
        size += 6; // the fourth address, between access points
    }
    let mut aggregated = false;
    if quality_of_service {
        aggregated = data.get(size)? & 0x80 != 0;
        size += 2;
        if flags & 0x80 != 0 {
            size += 4; // HT control
        }
    }
    if hints.padded {
        size = size.next_multiple_of(4);
    }
    // Later fragments of a frame carry no header to go by.
    if le16(data, 22)? & 0x0f != 0 {
        return Some(Layer::Stop(Stop::NotIp));
    }
    let mut body = data.get(size..)?;
    if flags & 0x40 != 0 {
        // Some cards decrypt but leave the bit set, with or without the 8 bytes of the cipher's header.
        body = [body, body.get(8..)?].into_iter().find(|body| body.starts_with(&SNAP)).unwrap_or_default();
        if body.is_empty() {
            return Some(Layer::Stop(Stop::Encrypted));
        }
    }
    Some(if aggregated && !body.starts_with(&SNAP) { Layer::Amsdu(body) } else { Layer::Llc(body) })
}

/// The LLC parts of the subframes of an A-MSDU (IEEE 802.11 §9.3.2.2.2).
pub(super) fn subframes(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = usize::from(be16(data, 12)?);
        let body = data.get(14..)?;
        let subframe = body.get(..length).unwrap_or(body);
        // Each but the last is padded to a multiple of four.
        data = data.get((14 + length).next_multiple_of(4)..).unwrap_or_default();
        Some(subframe)
    })
    .filter(|subframe| !subframe.is_empty())
}

fn without_fcs<'a>(data: &'a [u8], has_fcs: bool, context: &Context) -> &'a [u8] {
    let present = 4usize.saturating_sub(usize::try_from(context.missing).unwrap_or(usize::MAX));
    let strip = if has_fcs && context.fcs == 0 { present } else { 0 };
    data.get(..data.len().saturating_sub(strip)).unwrap_or(data)
}

/// <https://www.radiotap.org>: only the flags matter here.
pub(super) fn radiotap<'a>(data: &'a [u8], context: &Context) -> Option<Layer<'a>> {
    let size = usize::from(le16(data, 2)?);
    let header = data.get(..size)?;
    let present = le32(header, 4)?;
    let mut at = 8;
    let mut word = present;
    while word & 0x8000_0000 != 0 {
        word = le32(header, at)?;
        at += 4;
    }
    if present & 1 != 0 {
        at = at.next_multiple_of(8) + 8; // the time stamp
    }
    let flags = if present & 2 != 0 { *header.get(at)? } else { 0 };
    let frame = without_fcs(data.get(size..)?, flags & 0x10 != 0, context);
    Some(Layer::Wifi(frame, Hints { padded: flags & 0x20 != 0, swapped: false }))
}

/// The header of the Prism chip's driver, or the AVS header that took its number over.
pub(super) fn prism<'a>(data: &'a [u8], _: &Context) -> Option<Layer<'a>> {
    if be32(data, 0)? & 0xffff_f000 == 0x8021_1000 {
        return avs(data, &Context::default());
    }
    let sizes = [le32(data, 4)?, be32(data, 4)?];
    let size = sizes.into_iter().find(|size| (8..=512).contains(size)).unwrap_or(144);
    Some(Layer::Wifi(data.get(usize::try_from(size).ok()?..)?, Hints::default()))
}

pub(super) fn avs<'a>(data: &'a [u8], _: &Context) -> Option<Layer<'a>> {
    let size = usize::try_from(be32(data, 4)?).ok()?;
    Some(Layer::Wifi(data.get(size.max(8)..)?, Hints::default()))
}

/// Per-packet information: a radio's notes before a frame of any link type.
pub(super) fn ppi<'a>(data: &'a [u8], context: &Context) -> Option<Layer<'a>> {
    let aligned = data.get(1)? & 1 != 0;
    let size = usize::from(le16(data, 2)?);
    let link_type = crate::frame::LinkType(u16::try_from(le32(data, 4)?).ok()?);
    let frame = data.get(size.max(8)..)?;
    if link_type.0 != 105 {
        return Some(Layer::Link(link_type, frame));
    }
    let mut fields = data.get(8..size).unwrap_or_default();
    let mut has_fcs = false;
    while let (Some(kind), Some(length)) = (le16(fields, 0), le16(fields, 2)) {
        if kind == 2 {
            has_fcs = le16(fields, 12).is_some_and(|flags| flags & 1 != 0);
        }
        let length = usize::from(length);
        let step = 4 + if aligned { length.next_multiple_of(4) } else { length };
        fields = fields.get(step..).unwrap_or_default();
    }
    Some(Layer::Wifi(without_fcs(frame, has_fcs, context), Hints::default()))
}
