//! Tunnels above IP: what carries another packet as its payload.
//!
//! A port number alone proves nothing: a client's ephemeral port may be 4789 just as well. What claims to be a tunnel by its
//! port is opened only if the bytes inside lead to a plausible IP packet or ARP message; else it stays the datagram that it is.

use crate::frame::LinkType;

use super::ip;
use super::layer::{Context, Layer, Stop, be16, be32, nsh, peel};
use super::neighbour;
use super::wifi;

/// Headers looked through to see whether a tunnel leads to IP.
const MAX_LOOK_AHEAD: usize = 12;

const L2TP: u16 = 1701;
const GTP_U: u16 = 2152;
const TEREDO: u16 = 3544;
const VXLAN: u16 = 4789;
const VXLAN_GPE: u16 = 4790;
const CAPWAP_DATA: u16 = 5247;
const GENEVE: u16 = 6081;
const MPLS_IN_UDP: u16 = 6635;
const VXLAN_LINUX: u16 = 8472;
const TZSP: u16 = 37008;

const PORTS: [u16; 10] = [L2TP, GTP_U, TEREDO, VXLAN, VXLAN_GPE, CAPWAP_DATA, GENEVE, MPLS_IN_UDP, VXLAN_LINUX, TZSP];

/// By the last six bits of a port, whether a tunnel's port ends in them: this tells most packets from tunnels at once.
const LAST_BITS: u64 = bits(&PORTS);

const fn bits(ports: &[u16]) -> u64 {
    match ports {
        [port, rest @ ..] => 1 << (*port % 64) | bits(rest),
        [] => 0,
    }
}

/// Whether a UDP port is one of a tunnel.
#[inline]
pub(super) fn is_port(port: u16) -> bool {
    LAST_BITS & 1 << (port % 64) != 0 && PORTS.contains(&port)
}

/// What a UDP datagram carries, if one of its ports is a tunnel's and its bytes agree.
pub(super) fn in_udp(src: u16, dst: u16, payload: &[u8], missing: u32) -> Option<Layer<'_>> {
    if is_stun(payload) {
        return None;
    }
    [dst, src].into_iter().filter(|port| is_port(*port)).find_map(|port| {
        let layer = match port {
            L2TP => l2tp(payload, missing),
            GTP_U => gtp_u(payload),
            TEREDO => teredo(payload),
            VXLAN | VXLAN_LINUX => vxlan(payload),
            VXLAN_GPE => vxlan_gpe(payload),
            CAPWAP_DATA => capwap(payload),
            GENEVE => geneve(payload),
            MPLS_IN_UDP => Some(Layer::Mpls(payload)),
            TZSP => tzsp(payload),
            _ => None,
        }?;
        leads_to_ip(layer, missing).then_some(layer)
    })
}

/// The magic cookie of RFC 8489 §5 where no tunnel would have it.
fn is_stun(payload: &[u8]) -> bool {
    be32(payload, 4) == Some(0x2112_a442) && payload.first().is_some_and(|byte| byte & 0xc0 == 0)
}

fn leads_to_ip(mut layer: Layer<'_>, missing: u32) -> bool {
    let context = Context { missing, ..Context::default() };
    for _ in 0..MAX_LOOK_AHEAD {
        layer = match layer {
            Layer::Ip(data) => return ip::is_plausible(data, missing),
            Layer::Arp(data) => return neighbour::is_plausible(data),
            Layer::Amsdu(data) => match wifi::subframes(data).next() {
                Some(subframe) => Layer::Llc(subframe),
                None => return false,
            },
            Layer::Transport(_) | Layer::Message(_) | Layer::Stop(_) => return false,
            layer => peel(layer, &context),
        };
    }
    false
}

/// RFC 2784 and 2890, with the routing field of RFC 1701; version 1 is PPTP's (RFC 2637 §4.1).
pub(super) fn gre(data: &[u8]) -> Option<Layer<'_>> {
    let flags = be16(data, 0)?;
    let kind = be16(data, 2)?;
    let (checksum, routing, key, sequence) = (0x8000, 0x4000, 0x2000, 0x1000);
    if flags & 7 == 1 {
        if flags & sequence == 0 {
            return Some(Layer::Stop(Stop::OtherTransport)); // an acknowledgment alone
        }
        let size = if flags & 0x0080 != 0 { 16 } else { 12 };
        return Some(Layer::Ppp(data.get(size..)?));
    }
    let mut size = 4;
    size += if flags & (checksum | routing) != 0 { 4 } else { 0 };
    size += if flags & key != 0 { 4 } else { 0 };
    size += if flags & sequence != 0 { 4 } else { 0 };
    let mut rest = data.get(size..)?;
    if flags & routing != 0 {
        // Source route entries, the last of them without family and length. Each is four bytes at least.
        loop {
            let (family, length) = (be16(rest, 0)?, usize::from(*rest.get(3)?));
            rest = rest.get(4 + length..)?;
            if family == 0 && length == 0 {
                break;
            }
        }
    }
    gre_payload(kind, flags & sequence != 0, rest)
}

/// What a GRE header announces. `sequence`: whether it has a sequence number, which tells ERSPAN type II from I.
pub(super) fn gre_payload(kind: u16, sequence: bool, rest: &[u8]) -> Option<Layer<'_>> {
    Some(match kind {
        0..=1500 => Layer::Stop(Stop::NotIp),
        0x88be if !sequence => Layer::Ethernet(rest),
        0x88be => Layer::Ethernet(rest.get(8..)?),
        0x22eb => {
            let notes = be16(rest, 10)?;
            let rest = rest.get(if notes & 1 != 0 { 20 } else { 12 }..)?;
            // The frame type: 2 is an IP packet without its MAC header.
            if notes >> 10 & 0x1f == 2 { Layer::Ip(rest) } else { Layer::Ethernet(rest) }
        }
        // WCCP version 2 puts four bytes before the redirected packet.
        0x883e if rest.first()? >> 4 != 4 => Layer::Ip(rest.get(4..)?),
        0x883e => Layer::Ip(rest),
        kind => Layer::EtherType(kind, rest),
    })
}

/// EtherIP (RFC 3378).
pub(super) fn ether_ip(data: &[u8]) -> Option<Layer<'_>> {
    Some(Layer::Ethernet(data.get(2..)?))
}

/// L2TPv3 straight over IP (RFC 3931 §4.1.1).
pub(super) fn l2tp_v3_in_ip(data: &[u8], missing: u32) -> Option<Layer<'_>> {
    if be32(data, 0)? == 0 {
        return Some(Layer::Stop(Stop::OtherTransport)); // a control message
    }
    Some(l2tp_v3_session(data.get(4..)?, missing).unwrap_or(Layer::Stop(Stop::OtherTransport)))
}

/// How long the cookie is and what is carried was agreed elsewhere: try what there may be.
fn l2tp_v3_session(data: &[u8], missing: u32) -> Option<Layer<'_>> {
    [0, 4, 8, 12].into_iter().filter_map(|skip| data.get(skip..)).find_map(|rest| {
        [Layer::Ethernet(rest), Layer::Ppp(rest), Layer::Ip(rest)]
            .into_iter()
            .find(|layer| leads_to_ip(*layer, missing))
    })
}

/// RFC 2661 §3.1 (version 2) and RFC 3931 §4.1.2 (version 3); data messages.
fn l2tp(data: &[u8], missing: u32) -> Option<Layer<'_>> {
    let flags = be16(data, 0)?;
    if flags & 0x8000 != 0 {
        return None;
    }
    match flags & 0x000f {
        2 if flags & 0x34f0 == 0 => {
            let mut size = 6;
            size += if flags & 0x4000 != 0 { 2 } else { 0 };
            size += if flags & 0x0800 != 0 { 4 } else { 0 };
            if flags & 0x0200 != 0 {
                size += 2 + usize::from(be16(data, size)?);
            }
            Some(Layer::Ppp(data.get(size..)?))
        }
        3 if flags == 3 && be16(data, 2)? == 0 => l2tp_v3_session(data.get(8..)?, missing),
        _ => None,
    }
}

/// 3GPP TS 29.281 §5.1; user packets only.
fn gtp_u(data: &[u8]) -> Option<Layer<'_>> {
    let &[flags, 0xff, ..] = data else { return None };
    if flags & 0xf8 != 0x30 {
        return None;
    }
    let mut at = 8;
    if flags & 0x07 != 0 {
        let mut next = *data.get(11)?;
        at = 12;
        // Every extension header takes four bytes at least.
        while next != 0 && flags & 0x04 != 0 {
            let size = usize::from(*data.get(at)?) * 4;
            at += size;
            next = *data.get(at.checked_sub(1).filter(|_| size != 0)?)?;
        }
    }
    Some(Layer::Ip(data.get(at..)?))
}

/// RFC 4380 §5.1.1: authentication and origin, then IPv6 of which one end is a Teredo address or link-local.
fn teredo(mut data: &[u8]) -> Option<Layer<'_>> {
    if let [0, 1, client, value, ..] = *data {
        data = data.get(13 + usize::from(client) + usize::from(value)..)?;
    }
    if data.starts_with(&[0, 0]) {
        data = data.get(8..)?;
    }
    let is_fitting = |address: &[u8]| address.starts_with(&[0x20, 0x01, 0, 0]) || address.starts_with(&[0xfe, 0x80]);
    let fits = is_fitting(data.get(8..24)?) || is_fitting(data.get(24..40)?);
    (data.first()? >> 4 == 6 && fits).then_some(Layer::Ip(data))
}

/// RFC 7348 §5, with the group policy bits in use.
fn vxlan(data: &[u8]) -> Option<Layer<'_>> {
    match data {
        [0x08, _, _, _, _, _, _, 0, rest @ ..] | [0x88, _, _, _, _, _, _, 0, rest @ ..] => Some(Layer::Ethernet(rest)),
        // Senders that speak the generic protocol extension on the older port.
        [0x0c, ..] => vxlan_gpe(data),
        _ => None,
    }
}

/// draft-ietf-nvo3-vxlan-gpe.
fn vxlan_gpe(data: &[u8]) -> Option<Layer<'_>> {
    let [flags, _, _, next, _, _, _, 0, rest @ ..] = data else { return None };
    if flags & 0xc8 != 0x08 {
        return None;
    }
    match (flags & 0x04 != 0, next) {
        (false, _) | (true, 3) => Some(Layer::Ethernet(rest)),
        (true, 1 | 2) => Some(Layer::Ip(rest)),
        (true, 4) => nsh(rest),
        (true, 5) => Some(Layer::Mpls(rest)),
        _ => None,
    }
}

/// RFC 5415 §4.3: 802.3 frames, or 802.11 frames of whole messages.
fn capwap(data: &[u8]) -> Option<Layer<'_>> {
    // Version 0, type 0: not DTLS.
    let [0, first, second, third, ..] = *data else { return None };
    let size = usize::from(first >> 3) * 4;
    let fragment = third & 0xc0 != 0;
    if size < 8 || fragment {
        return None;
    }
    let rest = data.get(size..)?;
    let native = second & 0x01 != 0;
    if !native {
        return Some(Layer::Ethernet(rest));
    }
    // Binding 1 is 802.11. Some controllers swap the frame control.
    let binding = second >> 1 & 0x1f;
    let swapped = rest.first()? & 0x0f != 0x08 && rest.get(1)? & 0x0f == 0x08;
    (binding == 1).then_some(Layer::Wifi(rest, wifi::Hints { padded: false, swapped }))
}

/// RFC 8926 §3.4.
fn geneve(data: &[u8]) -> Option<Layer<'_>> {
    let [first, flags, _, _, _, _, _, reserved, ..] = *data else { return None };
    if first & 0xc0 != 0 || flags & 0x3f != 0 || reserved != 0 {
        return None;
    }
    Some(Layer::EtherType(be16(data, 2)?, data.get(8 + usize::from(first) * 4..)?))
}

/// TaZmen Sniffer Protocol: tags until an end tag, then a frame.
fn tzsp(data: &[u8]) -> Option<Layer<'_>> {
    let [1, 0 | 1, ..] = data else { return None };
    let protocol = be16(data, 2)?;
    let mut rest = data.get(4..)?;
    loop {
        rest = match rest {
            [0, rest @ ..] => rest,
            [1, rest @ ..] => {
                return Some(match protocol {
                    1 => Layer::Ethernet(rest),
                    4 => Layer::Ppp(rest),
                    7 => Layer::Ip(rest),
                    0x12 => Layer::Link(LinkType(105), rest),
                    0x77 => Layer::Link(LinkType(119), rest),
                    0x7f => Layer::Link(LinkType(163), rest),
                    _ => return None,
                });
            }
            [_, length, rest @ ..] => rest.get(usize::from(*length)..)?,
            _ => return None,
        };
    }
}
