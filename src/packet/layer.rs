//! What may stand around an IP packet, and how to get one step further in.
//!
//! A tunnel is a loop: every function here takes one header off and says what comes next.

use crate::frame::LinkType;

use super::ip;
use super::link;
use super::model::Datagram;
use super::wifi;

/// What the rest of a frame starts with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layer<'a> {
    /// A frame inside a frame, of any link type.
    Link(LinkType, &'a [u8]),
    /// A MAC header.
    Ethernet(&'a [u8]),
    /// What an EtherType announced.
    EtherType(u16, &'a [u8]),
    /// An 802.2 LLC header.
    Llc(&'a [u8]),
    /// PPP, its address and control bytes left out or not.
    Ppp(&'a [u8]),
    /// Cisco HDLC.
    CiscoHdlc(&'a [u8]),
    /// An MPLS label.
    Mpls(&'a [u8]),
    /// An 802.11 header.
    Wifi(&'a [u8], wifi::Hints),
    /// The subframes of an aggregated 802.11 frame: the one thing that forks.
    Amsdu(&'a [u8]),
    /// An ARP message that is sent to one host.
    Arp(&'a [u8]),
    /// An IP packet of either version.
    Ip(&'a [u8]),
    /// What is inside an IP packet.
    Transport(ip::Header<'a>),
    /// A message without headers, out of an exported PDU.
    Message(Datagram<'a>),
    /// Nothing more to find.
    Stop(Stop),
}

/// Why there is nothing more to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// This is the end of it, and it has been counted.
    Done,
    Unsupported(LinkType),
    NotIp,
    OtherTransport,
    Encrypted,
    Malformed,
}

/// Facts about the file and frame that some headers need.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    /// Of the file.
    pub(super) big_endian: bool,
    /// Bytes that the snap length cut off.
    pub(super) missing: u32,
    /// Bytes of frame check sequence at the end of the frame, if the file is right about them. Lengths inside are more to be trusted.
    pub(super) fcs: u32,
}

/// The EtherType of ARP.
const ARP: u16 = 0x0806;

pub(super) fn be16(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

pub(super) fn le16(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

pub(super) fn be32(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

pub(super) fn le32(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Takes one header off. Layers below IP only: aggregates, IP, transport and messages come back as they are.
pub(super) fn peel<'a>(layer: Layer<'a>, context: &Context) -> Layer<'a> {
    let next = match layer {
        Layer::Link(link_type, data) => link::start(link_type, data, context),
        Layer::Ethernet(data) => ethernet(data),
        Layer::EtherType(kind, data) => ether_type(kind, data),
        Layer::Llc(data) => llc(data),
        Layer::Ppp(data) => ppp(data),
        Layer::CiscoHdlc(data) => cisco_hdlc(data),
        Layer::Mpls(data) => mpls(data),
        Layer::Wifi(data, hints) => wifi::header(data, hints),
        Layer::Amsdu(_) | Layer::Arp(_) | Layer::Ip(_) | Layer::Transport(_) | Layer::Message(_) | Layer::Stop(_) => {
            return layer;
        }
    };
    next.unwrap_or(Layer::Stop(Stop::Malformed))
}

fn ethernet(data: &[u8]) -> Option<Layer<'_>> {
    Some(match (be16(data, 12)?, data.first()? & 1) {
        // to a group
        (ARP, 1) => Layer::Stop(Stop::NotIp),
        (kind, _) => Layer::EtherType(kind, data.get(14..)?),
    })
}

/// Passes over `skip` bytes whose last two are the next EtherType.
fn tagged(data: &[u8], skip: usize) -> Option<Layer<'_>> {
    Some(Layer::EtherType(be16(data, skip.checked_sub(2)?)?, data.get(skip..)?))
}

fn ether_type(kind: u16, data: &[u8]) -> Option<Layer<'_>> {
    Some(match kind {
        0x0800 | 0x86dd => Layer::Ip(data),
        ARP => Layer::Arp(data),
        // An 802.3 length; what is behind it is padding.
        0..=1500 => Layer::Llc(data.get(..usize::from(kind)).unwrap_or(data)),
        // 802.1Q, 802.1ad and its older numbers.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => tagged(data, 4)?,
        0x8847 | 0x8848 => Layer::Mpls(data),
        0x8864 => {
            let length = usize::from(be16(data, 4)?);
            let session = data.get(6..)?;
            Layer::Ppp(session.get(..length).unwrap_or(session))
        }
        0x880b => Layer::Ppp(data),
        0x88e5 => macsec(data)?,
        // 802.1ah: service tag, then the customer's frame.
        0x88e7 => Layer::Ethernet(data.get(4..)?),
        0x22f3 => {
            // TRILL (RFC 6325 §3): the option length counts words.
            let options = usize::from(be16(data, 0)? >> 6 & 0x1f) * 4;
            Layer::Ethernet(data.get(6 + options..)?)
        }
        0x894f => nsh(data)?,
        // VN-tag; HSR; 802.1CB R-tag.
        0x8926 | 0x892f | 0xf1c1 => tagged(data, 6)?,
        // Cisco metadata.
        0x8909 => tagged(data, 8)?,
        // Transparent Ethernet bridging.
        0x6558 => Layer::Ethernet(data),
        // LLC in jumbo frames.
        0x8870 => Layer::Llc(data),
        _ => Layer::Stop(Stop::NotIp),
    })
}

/// 802.1AE: readable only if the sender chose integrity without encryption.
fn macsec(data: &[u8]) -> Option<Layer<'_>> {
    let control = *data.first()?;
    if control & 0x0c != 0 {
        return Some(Layer::Stop(Stop::Encrypted));
    }
    let tag = if control & 0x20 != 0 { 14 } else { 6 };
    Some(Layer::EtherType(be16(data, tag)?, data.get(tag + 2..)?))
}

/// Network Service Header (RFC 8300 §2).
pub(super) fn nsh(data: &[u8]) -> Option<Layer<'_>> {
    let words = usize::from(*data.get(1)? & 0x3f);
    let rest = data.get(words.max(2) * 4..)?;
    Some(match *data.get(3)? {
        1 | 2 => Layer::Ip(rest),
        3 => Layer::Ethernet(rest),
        4 => Layer::EtherType(0x894f, rest),
        5 => Layer::Mpls(rest),
        _ => Layer::Stop(Stop::NotIp),
    })
}

fn llc(data: &[u8]) -> Option<Layer<'_>> {
    Some(match data {
        // SNAP with an EtherType: RFC 1042, and the bridge tunnel encapsulation of 802.1H.
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low, rest @ ..] => {
            match u16::from_be_bytes([*high, *low]) {
                // Not a length here.
                0..=1500 => Layer::Stop(Stop::NotIp),
                kind => Layer::EtherType(kind, rest),
            }
        }
        // Bridged Ethernet (RFC 2684 §5.2), with two bytes of padding.
        [0xaa, 0xaa, 0x03, 0x00, 0x80, 0xc2, 0, 1 | 7, _, _, rest @ ..] => Layer::Ethernet(rest),
        // IP with a service access point of its own.
        [0x06, 0x06, 0x03, rest @ ..] | [0xfe, 0xfe, 0x03, 0xcc | 0x8e, rest @ ..] => Layer::Ip(rest),
        [] | [_] | [_, _] => return None,
        _ => Layer::Stop(Stop::NotIp),
    })
}

/// RFC 1661 §2, with the framing of RFC 1662 left in or not.
fn ppp(data: &[u8]) -> Option<Layer<'_>> {
    let data = data.strip_prefix(&[0xff, 0x03]).unwrap_or(data);
    let (protocol, rest) = match data {
        // A compressed protocol field is odd in its only byte.
        [low, rest @ ..] if low & 1 == 1 => (u16::from(*low), rest),
        [high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
        _ => return None,
    };
    Some(match protocol {
        0x0021 | 0x0057 => Layer::Ip(rest),
        0x0281 | 0x0283 => Layer::Mpls(rest),
        // Bridged frames (RFC 3518): flags, MAC type 1 for Ethernet, a LAN identification if bit 6 says so.
        0x0031 => match rest {
            [flags, 1, rest @ ..] => Layer::Ethernet(if flags & 0x40 != 0 { rest.get(4..)? } else { rest }),
            _ => Layer::Stop(Stop::NotIp),
        },
        // A multilink fragment that is first and last (RFC 1990 §3), long sequence numbers.
        0x003d => match rest {
            [0xc0, _, _, _, rest @ ..] => Layer::Ppp(rest),
            _ => Layer::Stop(Stop::NotIp),
        },
        // Compressed and encrypted datagrams.
        0x00fd | 0x00fb | 0x0053 => Layer::Stop(Stop::Encrypted),
        _ => Layer::Stop(Stop::NotIp),
    })
}

fn cisco_hdlc(data: &[u8]) -> Option<Layer<'_>> {
    Some(match be16(data, 2)? {
        0..=1500 => Layer::Stop(Stop::NotIp),
        kind => Layer::EtherType(kind, data.get(4..)?),
    })
}

/// RFC 3032 §2.1. What is under the bottom label is nowhere written down: guess as others do.
fn mpls(data: &[u8]) -> Option<Layer<'_>> {
    let bottom = data.get(2)? & 1 == 1;
    let rest = data.get(4..)?;
    if !bottom {
        return Some(Layer::Mpls(rest));
    }
    Some(match rest.first()? >> 4 {
        4 | 6 if !is_ethernet_of_known_type(rest) || ip::is_plausible(rest, u32::MAX) => Layer::Ip(rest),
        // A control word (RFC 4385 §3), unless it is the first byte of a MAC address.
        0 if rest.get(4..).is_some_and(is_ethernet_of_known_type) => Layer::Ethernet(rest.get(4..)?),
        // The associated channel.
        1 if !is_ethernet_of_known_type(rest) => Layer::Stop(Stop::NotIp),
        _ => Layer::Ethernet(rest),
    })
}

fn is_ethernet_of_known_type(data: &[u8]) -> bool {
    const KNOWN: [u16; 9] = [0x0800, 0x86dd, 0x8100, 0x88a8, 0x9100, 0x0806, 0x8847, 0x8848, 0x8864];
    be16(data, 12).is_some_and(|kind| KNOWN.contains(&kind))
}
