//! Wireshark's exported PDUs (link type 252): tags, then bytes that a named dissector would read.

use crate::frame::LinkType;
use crate::net::{Endpoint, Transport};

use super::ip;
use super::layer::{Context, Layer, Stop, be16, be32};
use super::model::Datagram;

const END: u16 = 0;
const LINK_TYPE: u16 = 11;
const DISSECTOR: u16 = 12;
const HEURISTIC_DISSECTOR: u16 = 13;
const DISSECTOR_TABLE: u16 = 14;
const IPV4_SRC: u16 = 20;
const IPV4_DST: u16 = 21;
const IPV6_SRC: u16 = 22;
const IPV6_DST: u16 = 23;
const PORT_TYPE: u16 = 24;
const SRC_PORT: u16 = 25;
const DST_PORT: u16 = 26;
const TABLE_VALUE: u16 = 32;

/// What the tags say, as far as it matters.
struct Tags<'a> {
    src: Endpoint,
    dst: Endpoint,
    src_port: u16,
    dst_port: u16,
    port_type: u32,
    /// Of a dissector, a heuristic one, or a table of them.
    name: &'a [u8],
    table_value: Option<u32>,
    link_type: Option<u16>,
}

pub(super) fn pdu<'a>(data: &'a [u8], context: &Context) -> Option<Layer<'a>> {
    let (tags, rest) = read_tags(data)?;
    if let Some(link_type) = tags.link_type {
        return Some(Layer::Link(LinkType(link_type), rest));
    }
    Some(match tags.name {
        b"eth" | b"eth_withoutfcs" | b"eth_withfcs" | b"eth_maybefcs" => Layer::Ethernet(rest),
        b"ip" | b"ipv6" | b"raw_ip" => Layer::Ip(rest),
        b"ppp" | b"ppp_hdlc" => Layer::Ppp(rest),
        b"llc" => Layer::Llc(rest),
        b"mpls" => Layer::Mpls(rest),
        b"wlan" | b"wlan_withoutfcs" => Layer::Link(LinkType(105), rest),
        b"wlan_radio" | b"radiotap" => Layer::Link(LinkType(127), rest),
        b"sll" => Layer::Link(LinkType(113), rest),
        b"udp" => Layer::Transport(tags.header(17, rest, context.missing)),
        b"tcp" => Layer::Transport(tags.header(6, rest, context.missing)),
        b"icmp" => Layer::Transport(tags.header(1, rest, context.missing)),
        b"icmpv6" => Layer::Transport(tags.header(58, rest, context.missing)),
        b"ip.proto" => {
            let protocol = u8::try_from(tags.table_value?).ok()?;
            Layer::Transport(tags.header(protocol, rest, context.missing))
        }
        b"ethertype" => Layer::EtherType(u16::try_from(tags.table_value?).ok()?, rest),
        name => match (tags.port_type, name) {
            (2, _) | (0, b"tcp.port") => Layer::Message(tags.message(Transport::Tcp, rest, context.missing)),
            // SCTP and DCCP.
            (1 | 4, _) => Layer::Stop(Stop::OtherTransport),
            (_, name) if name.ends_with(b"_tcp") => Layer::Message(tags.message(Transport::Tcp, rest, context.missing)),
            _ => Layer::Message(tags.message(Transport::Udp, rest, context.missing)),
        },
    })
}

/// The tags, and what is behind the end tag.
fn read_tags(data: &[u8]) -> Option<(Tags<'_>, &[u8])> {
    let nowhere = Endpoint::v4([0; 4], 0);
    let mut tags = Tags {
        src: nowhere,
        dst: nowhere,
        src_port: 0,
        dst_port: 0,
        port_type: 0,
        name: b"",
        table_value: None,
        link_type: None,
    };
    let mut rest = data;
    loop {
        let (tag, length) = (be16(rest, 0)?, usize::from(be16(rest, 2)?));
        let value = rest.get(4..4 + length)?;
        rest = behind_padding(rest.get(4 + length..)?, length);
        match tag {
            END => return Some((tags, rest)),
            LINK_TYPE => tags.link_type = be32(value, 0).and_then(|v| u16::try_from(v).ok()).or(be16(value, 0)),
            DISSECTOR | HEURISTIC_DISSECTOR | DISSECTOR_TABLE => {
                // Padding NULs may count into the length.
                tags.name = value.split(|byte| *byte == 0).next().unwrap_or_default();
            }
            IPV4_SRC => tags.src = Endpoint::v4(*value.first_chunk()?, 0),
            IPV4_DST => tags.dst = Endpoint::v4(*value.first_chunk()?, 0),
            IPV6_SRC => tags.src = Endpoint::v6(*value.first_chunk()?, 0),
            IPV6_DST => tags.dst = Endpoint::v6(*value.first_chunk()?, 0),
            PORT_TYPE => tags.port_type = be32(value, 0)?,
            SRC_PORT => tags.src_port = u16::try_from(be32(value, 0)?).ok()?,
            DST_PORT => tags.dst_port = u16::try_from(be32(value, 0)?).ok()?,
            TABLE_VALUE => tags.table_value = be32(value, 0),
            _ => {}
        }
    }
}

/// Passes over the padding of a value to four bytes. Wireshark counts padding into the length, so that there is none left; others
/// do not count it, or do not pad.
fn behind_padding(data: &[u8], length: usize) -> &[u8] {
    let padding = length.next_multiple_of(4) - length;
    match data.split_at_checked(padding) {
        Some((zeros, rest)) if zeros.iter().all(|byte| *byte == 0) && starts_with_tag(rest) => rest,
        _ => data,
    }
}

fn starts_with_tag(data: &[u8]) -> bool {
    match data {
        [0, 0, rest @ ..] => rest.starts_with(&[0, 0]),
        [0, ..] => true,
        _ => false,
    }
}

impl Tags<'_> {
    fn header<'a>(&self, protocol: u8, payload: &'a [u8], missing: u32) -> ip::Header<'a> {
        ip::Header {
            src: self.src,
            dst: self.dst,
            protocol,
            ttl: 0,
            ip_id: 0,
            fragments: 1,
            fragment: None,
            payload,
            missing,
        }
    }

    fn message<'a>(&self, transport: Transport, payload: &'a [u8], missing: u32) -> Datagram<'a> {
        Datagram {
            src: self.src.with_port(self.src_port),
            dst: self.dst.with_port(self.dst_port),
            transport,
            payload,
            length: u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_add(missing),
            truncated: missing > 0,
            ip_id: 0,
            ttl: 0,
            fragments: 1,
        }
    }
}
