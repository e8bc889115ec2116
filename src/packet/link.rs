//! The table of link types: a number, a name, and how to take its header off. A new link type is a new row.

use crate::frame::LinkType;

use super::exported;
use super::layer::{Context, Layer, Stop, be16, be32, le16, le32};
use super::wifi;

type Start = for<'a> fn(&'a [u8], &Context) -> Option<Layer<'a>>;

/// Numbers and names as registered for pcap files (`LINKTYPE_…`), in ascending order. `None`: known by name only.
const LINK_TYPES: &[(u16, &str, Option<Start>)] = &[
    (0, "NULL", Some(null)),
    (1, "ETHERNET", Some(|data, _| Some(Layer::Ethernet(data)))),
    (3, "AX25", None),
    (6, "IEEE802_5", None),
    (7, "ARCNET_BSD", None),
    (8, "SLIP", None),
    (9, "PPP", Some(ppp)),
    (10, "FDDI", None),
    (12, "RAW", Some(raw)),
    (14, "RAW", Some(raw)),
    (50, "PPP_HDLC", Some(ppp)),
    (51, "PPP_ETHER", Some(|data, _| Some(Layer::EtherType(0x8864, data)))),
    (99, "SYMANTEC_FIREWALL", None),
    (100, "ATM_RFC1483", None),
    (101, "RAW", Some(raw)),
    (104, "C_HDLC", Some(|data, _| Some(Layer::CiscoHdlc(data)))),
    (105, "IEEE802_11", Some(|data, _| Some(Layer::Wifi(data, wifi::Hints::default())))),
    (106, "ATM_CLIP", None),
    (107, "FRELAY", None),
    (108, "LOOP", Some(null)),
    (109, "ENC", Some(|data, _| Some(Layer::Ip(data.get(12..)?)))),
    (113, "LINUX_SLL", Some(|data, _| cooked(be16(data, 2)?, be16(data, 14)?, data.get(16..)?))),
    (114, "LTALK", None),
    (117, "PFLOG", Some(|data, _| Some(Layer::Ip(data.get(usize::from(*data.first()?).next_multiple_of(4)..)?)))),
    (119, "IEEE802_11_PRISM", Some(wifi::prism)),
    (122, "IP_OVER_FC", None),
    (123, "SUNATM", None),
    (127, "IEEE802_11_RADIOTAP", Some(wifi::radiotap)),
    (129, "ARCNET_LINUX", None),
    (138, "APPLE_IP_OVER_IEEE1394", None),
    (139, "MTP2_WITH_PHDR", None),
    (140, "MTP2", None),
    (141, "MTP3", None),
    (142, "SCCP", None),
    (143, "DOCSIS", None),
    (144, "LINUX_IRDA", None),
    (147, "USER0", None),
    (148, "USER1", None),
    (149, "USER2", Some(user2)),
    (150, "USER3", None),
    (151, "USER4", None),
    (152, "USER5", None),
    (153, "USER6", None),
    (154, "USER7", None),
    (155, "USER8", None),
    (156, "USER9", None),
    (157, "USER10", None),
    (158, "USER11", None),
    (159, "USER12", None),
    (160, "USER13", None),
    (161, "USER14", None),
    (162, "USER15", None),
    (163, "IEEE802_11_AVS", Some(wifi::avs)),
    (165, "BACNET_MS_TP", None),
    (166, "PPP_PPPD", Some(ppp_pppd)),
    (169, "GPRS_LLC", None),
    (177, "LINUX_LAPD", None),
    (178, "JUNIPER_ETHER", None),
    (179, "JUNIPER_PPP", None),
    (180, "JUNIPER_FRELAY", None),
    (181, "JUNIPER_CHDLC", None),
    (187, "BLUETOOTH_HCI_H4", None),
    (189, "USB_LINUX", None),
    (192, "PPI", Some(wifi::ppi)),
    (195, "IEEE802_15_4_WITHFCS", None),
    (197, "ERF", None),
    (201, "BLUETOOTH_HCI_H4_WITH_PHDR", None),
    (203, "LAPD", None),
    (204, "PPP_WITH_DIR", Some(|data, _| Some(Layer::Ppp(data.get(1..)?)))),
    (219, "MPLS", Some(|data, _| Some(Layer::Mpls(data)))),
    (220, "USB_LINUX_MMAPPED", None),
    (224, "FC_2", None),
    (226, "IPNET", None),
    (227, "CAN_SOCKETCAN", None),
    (228, "IPV4", Some(raw)),
    (229, "IPV6", Some(raw)),
    (230, "IEEE802_15_4_NOFCS", None),
    (231, "DBUS", None),
    (235, "DVB_CI", None),
    (239, "NFLOG", Some(nflog)),
    (240, "NETANALYZER", None),
    (241, "NETANALYZER_TRANSPARENT", None),
    (242, "IPOIB", None),
    (247, "INFINIBAND", None),
    (248, "SCTP", None),
    (249, "USBPCAP", None),
    (251, "BLUETOOTH_LE_LL", None),
    (252, "WIRESHARK_UPPER_PDU", Some(exported::pdu)),
    (253, "NETLINK", None),
    (254, "BLUETOOTH_LINUX_MONITOR", None),
    (258, "PKTAP", Some(pktap)),
    (259, "EPON", None),
    (266, "USB_DARWIN", None),
    (271, "VSOCK", None),
    (274, "ETHERNET_MPACKET", None),
    (276, "LINUX_SLL2", Some(|data, _| cooked(be16(data, 8)?, be16(data, 0)?, data.get(20..)?))),
    (280, "VPP_DISPATCH", None),
    (281, "DSA_TAG_BRCM", None),
    (282, "DSA_TAG_BRCM_PREPEND", None),
    (284, "DSA_TAG_DSA", None),
    (285, "DSA_TAG_EDSA", None),
    (290, "ETW", None),
];

fn row(link_type: LinkType) -> Option<&'static (u16, &'static str, Option<Start>)> {
    LINK_TYPES.binary_search_by_key(&link_type.0, |row| row.0).ok().and_then(|at| LINK_TYPES.get(at))
}

/// The registered name of a link type without `LINKTYPE_`, such as `ETHERNET`; `unknown` for numbers that have none here.
#[must_use]
pub fn link_type_name(link_type: LinkType) -> &'static str {
    row(link_type).map_or("unknown", |row| row.1)
}

/// Takes the link header off a frame.
pub(super) fn start<'a>(link_type: LinkType, data: &'a [u8], context: &Context) -> Option<Layer<'a>> {
    match row(link_type) {
        Some((_, _, Some(start))) => start(data, context),
        _ => Some(Layer::Stop(Stop::Unsupported(link_type))),
    }
}

fn raw<'a>(data: &'a [u8], _: &Context) -> Option<Layer<'a>> {
    Some(Layer::Ip(data))
}

/// An address family in the byte order of whoever captured (NULL) or in network order (LOOP).
fn null<'a>(data: &'a [u8], _: &Context) -> Option<Layer<'a>> {
    let family = le32(data, 0)?;
    let family = if family > 0xffff { family.swap_bytes() } else { family };
    let rest = data.get(4..)?;
    let version = rest.first()? >> 4;
    Some(match (family, version) {
        // 24, 28 and 30 are IPv6 on the BSDs and macOS, 10 on Linux, 23 on Windows (and IPX elsewhere).
        (2, 4) | (10 | 23 | 24 | 28 | 30, 6) => Layer::Ip(rest),
        (2 | 24 | 28 | 30, _) => return None,
        _ => Layer::Stop(Stop::NotIp),
    })
}

/// PPP with or without framing, or Cisco HDLC on the same kind of line.
fn ppp<'a>(data: &'a [u8], _: &Context) -> Option<Layer<'a>> {
    Some(match data {
        [0x0f | 0x8f, 0, ..] => Layer::CiscoHdlc(data),
        _ => Layer::Ppp(data),
    })
}

/// The direction took the place of the address byte.
fn ppp_pppd<'a>(data: &'a [u8], _: &Context) -> Option<Layer<'a>> {
    let rest = data.get(1..)?;
    Some(Layer::Ppp(rest.strip_prefix(&[0x03]).unwrap_or(rest)))
}

/// Linux "cooked" captures: what the protocol means depends on the hardware type of the interface.
fn cooked(hardware: u16, protocol: u16, rest: &[u8]) -> Option<Layer<'_>> {
    Some(match (hardware, protocol) {
        (824, _) => Layer::Stop(Stop::NotIp),
        (803, _) => Layer::Link(LinkType(127), rest),
        (802, _) => Layer::Link(LinkType(119), rest),
        (801, _) => Layer::Link(LinkType(105), rest),
        // GRE tunnels, over IPv4 and IPv6: what GRE carries.
        (778 | 823, kind) => super::tunnel::gre_payload(kind, true, rest)?,
        // 802.2 without its length.
        (_, 0x0004) => Layer::Llc(rest),
        (_, 0..=1500) => Layer::Stop(Stop::NotIp),
        (_, kind) => Layer::EtherType(kind, rest),
    })
}

/// Netfilter log: attributes in the byte order of the file; the packet is one of them.
fn nflog<'a>(data: &'a [u8], context: &Context) -> Option<Layer<'a>> {
    let read = |data, at| if context.big_endian { be16(data, at) } else { le16(data, at) };
    let mut attributes = data.get(4..)?;
    loop {
        let length = usize::from(read(attributes, 0)?);
        let value = attributes.get(4..)?;
        if read(attributes, 2)? & 0x7fff == 9 {
            return Some(Layer::Ip(value.get(..length.checked_sub(4)?).unwrap_or(value)));
        }
        // Each step takes four bytes at least, so this ends.
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

/// macOS: which interface and process, before a frame of that interface's link type.
fn pktap<'a>(data: &'a [u8], _: &Context) -> Option<Layer<'a>> {
    let size = usize::try_from(le32(data, 0)?).ok()?;
    let link_type = LinkType(u16::try_from(le32(data, 8)?).ok()?);
    Some(Layer::Link(link_type, data.get(size.max(12)..)?))
}

/// PKTAP's number before it had one of its own; anybody's otherwise.
fn user2<'a>(data: &'a [u8], context: &Context) -> Option<Layer<'a>> {
    let is_pktap = matches!(le32(data, 0), Some(64..=256)) && be32(data, 4) == Some(0x0100_0000);
    if is_pktap { pktap(data, context) } else { Some(Layer::Stop(Stop::Unsupported(LinkType(149)))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(LINK_TYPES.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn link_types_have_names_even_where_they_cannot_be_read() {
        assert_eq!(link_type_name(LinkType(1)), "ETHERNET");
        assert_eq!(link_type_name(LinkType(189)), "USB_LINUX");
        assert_eq!(link_type_name(LinkType(40_000)), "unknown");
    }
}
