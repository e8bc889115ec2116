//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers with their extensions, read leniently: lengths that lie bound nothing away.

use etherparse::{
    IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, ip_number,
};

use crate::net::Endpoint;

/// Extension headers followed in one packet.
const MAX_EXTENSIONS: usize = 16;

/// What an IP packet says about its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header<'a> {
    /// Ports are 0.
    pub(super) src: Endpoint,
    pub(super) dst: Endpoint,
    /// What the payload starts with, behind all extension headers.
    pub(super) protocol: u8,
    pub(super) ttl: u8,
    pub(super) ip_id: u32,
    /// 1 unless put together.
    pub(super) fragments: u16,
    /// Set if the payload is only a part.
    pub(super) fragment: Option<Fragment>,
    pub(super) payload: &'a [u8],
    /// Bytes that are missing behind `payload`.
    pub(super) missing: u32,
}

/// Where a fragment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// In bytes, at most 65,528.
    pub(super) offset: u32,
    pub(super) more: bool,
}

/// Reads the headers of a packet. `missing`: how many bytes were cut off behind `data`; `fcs`: how many at its end are not part of
/// it. Both count only where the packet does not say its own length. `None` where there is no whole header.
pub(super) fn parse(data: &[u8], missing: u32, fcs: u32) -> Option<Header<'_>> {
    match data.first()? >> 4 {
        4 => parse_v4(data, missing, fcs),
        6 => parse_v6(data, missing, fcs),
        _ => None,
    }
}

/// Whether `data` starts like an IP packet that fits into its room; for guesses, not for judging packets.
pub(super) fn is_plausible(data: &[u8], missing: u32) -> bool {
    let room = data.len() as u64 + u64::from(missing);
    if let Ok(header) = Ipv4HeaderSlice::from_slice(data) {
        let length = u64::from(header.total_len());
        return header.ttl() != 0 && length <= room && length >= header.slice().len() as u64;
    }
    match Ipv6HeaderSlice::from_slice(data) {
        Ok(header) => header.hop_limit() != 0 && u64::from(header.payload_length()) + 40 <= room,
        Err(_) => false,
    }
}

/// Cuts `rest` to the length that a header gives, or says how much is missing. Without a length all of `rest` counts.
fn bound(rest: &[u8], length: Option<usize>, missing: u32, fcs: u32) -> (&[u8], u32) {
    match length {
        None => {
            let fcs = usize::try_from(fcs).unwrap_or(usize::MAX);
            (rest.get(..rest.len().saturating_sub(fcs)).unwrap_or(rest), missing)
        }
        Some(length) => match rest.get(..length) {
            Some(payload) => (payload, 0),
            None => (rest, u32::try_from(length.saturating_sub(rest.len())).unwrap_or(u32::MAX)),
        },
    }
}

fn parse_v4(data: &[u8], missing: u32, fcs: u32) -> Option<Header<'_>> {
    let header = Ipv4HeaderSlice::from_slice(data).ok()?;
    let size = header.slice().len();
    // A total length of 0, or of less than the header, is left by segmentation offload (TSO): the card would have set it.
    let length = usize::from(header.total_len()).checked_sub(size);
    let (payload, missing) = bound(data.get(size..)?, length, missing, fcs);
    let fragment = header
        .is_fragmenting_payload()
        .then(|| Fragment { offset: u32::from(header.fragments_offset().value()) * 8, more: header.more_fragments() });
    let mut parsed = Header {
        src: Endpoint::v4(header.source(), 0),
        dst: Endpoint::v4(header.destination(), 0),
        protocol: header.protocol().0,
        ttl: header.ttl(),
        ip_id: u32::from(header.identification()),
        fragments: 1,
        fragment,
        payload,
        missing,
    };
    // In a fragment the authentication header, if any, belongs to what is put together.
    if parsed.fragment.is_none() {
        skip_extensions(&mut parsed, false)?;
    }
    Some(parsed)
}

fn parse_v6(data: &[u8], missing: u32, fcs: u32) -> Option<Header<'_>> {
    let header = Ipv6HeaderSlice::from_slice(data).ok()?;
    // 0 stands for a jumbogram, or again for segmentation offload.
    let length = Some(usize::from(header.payload_length())).filter(|length| *length != 0 || data.len() == 40);
    let (payload, missing) = bound(data.get(40..)?, length, missing, fcs);
    let mut parsed = Header {
        src: Endpoint::v6(header.source(), 0),
        dst: Endpoint::v6(header.destination(), 0),
        protocol: header.next_header().0,
        ttl: header.hop_limit(),
        ip_id: 0,
        fragments: 1,
        fragment: None,
        payload,
        missing,
    };
    skip_extensions(&mut parsed, true)?;
    Some(parsed)
}

/// Goes over the extension headers up to the upper layer or up to a fragment header that really cuts. `None` where they make no
/// sense, or are not all there.
pub(super) fn skip_extensions(header: &mut Header<'_>, v6: bool) -> Option<()> {
    for _ in 0..MAX_EXTENSIONS {
        let (next, size) = match etherparse::IpNumber(header.protocol) {
            ip_number::AUTH => {
                let auth = IpAuthHeaderSlice::from_slice(header.payload).ok()?;
                (auth.next_header(), auth.slice().len())
            }
            ip_number::IPV6_FRAG if v6 => {
                let fragment = Ipv6FragmentHeaderSlice::from_slice(header.payload).ok()?;
                if fragment.is_fragmenting_payload() {
                    let offset = u32::from(fragment.fragment_offset().value()) * 8;
                    header.fragment = Some(Fragment { offset, more: fragment.more_fragments() });
                }
                header.ip_id = fragment.identification();
                (fragment.next_header(), fragment.slice().len())
            }
            ip_number::IPV6_HOP_BY_HOP
            | ip_number::IPV6_ROUTE
            | ip_number::IPV6_DEST_OPTIONS
            | ip_number::MOBILITY
            | ip_number::HIP
            | ip_number::SHIM6
                if v6 =>
            {
                let extension = Ipv6RawExtHeaderSlice::from_slice(header.payload).ok()?;
                (extension.next_header(), extension.slice().len())
            }
            _ => return Some(()),
        };
        header.protocol = next.0;
        header.payload = header.payload.get(size..)?;
        if header.fragment.is_some() {
            return Some(());
        }
    }
    None
}
