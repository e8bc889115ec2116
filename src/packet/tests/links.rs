use super::build::*;
use crate::frame::Frame;

fn wifi(control: u8, flags: u8, extra: &[u8], body: &[u8]) -> Vec<u8> {
    cat(&[&[control, flags, 0, 0], &[0x11; 18], &[0, 0], extra, body])
}

fn snap(kind: u16, body: &[u8]) -> Vec<u8> {
    cat(&[&SNAP, &kind.to_be_bytes(), body])
}

fn radiotap(flags: u8, body: &[u8]) -> Vec<u8> {
    // Two words of presence, a time stamp aligned to eight bytes, flags.
    let header = [0, 0, 25, 0, 3, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, flags];
    cat(&[&header, body])
}

fn tag(number: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
    cat(&[&number.to_be_bytes(), &length.to_be_bytes(), value, &padding])
}

fn exported(name_tag: u16, name: &[u8], port_type: u32, payload: &[u8]) -> Vec<u8> {
    cat(&[
        &tag(name_tag, name),
        &tag(20, &[192, 0, 2, 1]),
        &tag(21, &[198, 51, 100, 2]),
        &tag(24, &port_type.to_be_bytes()),
        &tag(25, &40_000u32.to_be_bytes()),
        &tag(26, &3478u32.to_be_bytes()),
        &tag(0, b""),
        payload,
    ])
}

#[test]
fn every_readable_link_type_leads_to_the_datagram() {
    let v4 = plain();
    let v6 = plain6();
    let wifi_snap = wifi(0x08, 1, b"", &snap(0x0800, &v4));
    let pppoe = cat(&[&[0x11, 0, 0, 1], &u16::try_from(v4.len() + 2).unwrap().to_be_bytes(), &[0, 0x21], &v4]);
    let sll = |hardware: u16, kind: u16, body: &[u8]| {
        cat(&[&[0, 4], &hardware.to_be_bytes(), &[0, 6], &[0; 8], &kind.to_be_bytes(), body])
    };
    let sll2 = |hardware: u16, kind: u16, body: &[u8]| {
        cat(&[&kind.to_be_bytes(), &[0, 0, 0, 0, 0, 2], &hardware.to_be_bytes(), &[4, 6], &[0; 8], body])
    };
    let pktap = |dlt: u8, body: &[u8]| cat(&[&[108, 0, 0, 0, 1, 0, 0, 0, dlt, 0, 0, 0], &[0; 96], body]);
    let ppi = |flags: u8, dlt: u8, fields: &[u8], body: &[u8]| {
        let size = u8::try_from(8 + fields.len()).unwrap();
        cat(&[&[0, flags, size, 0, dlt, 0, 0, 0], fields, body])
    };
    let nflog = |body: &[u8]| {
        let size = u16::try_from(body.len() + 4).unwrap().to_le_bytes();
        cat(&[&[2, 0, 0, 0], &[8, 0, 1, 0, 8, 0, 1, 0], &[5, 0, 10, 0, b'x', 0, 0, 0], &size, &[9, 0], body])
    };
    let frames: Vec<(&str, u16, Vec<u8>)> = vec![
        ("null little-endian", 0, cat(&[&[2, 0, 0, 0], &v4])),
        ("null big-endian", 0, cat(&[&[0, 0, 0, 2], &v4])),
        ("null v6 macOS", 0, cat(&[&[30, 0, 0, 0], &v6])),
        ("null v6 FreeBSD", 0, cat(&[&[0, 0, 0, 28], &v6])),
        ("null v6 Npcap", 0, cat(&[&[24, 0, 0, 0], &v6])),
        ("null v6 Windows", 0, cat(&[&[23, 0, 0, 0], &v6])),
        ("null v6 Linux", 0, cat(&[&[10, 0, 0, 0], &v6])),
        ("ethernet", 1, ethernet(0x0800, &v4)),
        ("ethernet v6", 1, ethernet(0x86dd, &v6)),
        ("ppp framed", 9, cat(&[&[0xff, 0x03, 0, 0x21], &v4])),
        ("ppp bare", 9, cat(&[&[0, 0x57], &v6])),
        ("ppp compressed protocol", 9, cat(&[&[0x21], &v4])),
        ("raw 12", 12, v4.clone()),
        ("raw 14", 14, v6.clone()),
        ("ppp hdlc", 50, cat(&[&[0xff, 0x03, 0, 0x21], &v4])),
        ("cisco hdlc on 50", 50, cat(&[&[0x0f, 0, 0x08, 0], &v4])),
        ("pppoe", 51, pppoe.clone()),
        ("raw 101", 101, v6.clone()),
        ("cisco hdlc", 104, cat(&[&[0x8f, 0, 0x86, 0xdd], &v6])),
        ("802.11", 105, wifi_snap.clone()),
        ("802.11 qos", 105, wifi(0x88, 1, &[0, 0], &snap(0x0800, &v4))),
        ("802.11 qos ht", 105, wifi(0x88, 0x81, &[0, 0, 0, 0, 0, 0], &snap(0x0800, &v4))),
        ("802.11 four addresses", 105, wifi(0x08, 3, &[7; 6], &snap(0x0800, &v4))),
        ("802.11 four addresses qos", 105, wifi(0x88, 3, &[7, 7, 7, 7, 7, 7, 0, 0], &snap(0x86dd, &v6))),
        ("802.11 decrypted, bit left", 105, wifi(0x08, 0x41, b"", &snap(0x0800, &v4))),
        ("802.11 decrypted, cipher header left", 105, wifi(0x08, 0x41, &[9; 8], &snap(0x0800, &v4))),
        ("loop", 108, cat(&[&[0, 0, 0, 2], &v4])),
        ("loop v6", 108, cat(&[&[0, 0, 0, 24], &v6])),
        ("enc", 109, cat(&[&[2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], &v4])),
        ("sll", 113, sll(1, 0x0800, &v4)),
        ("sll v6", 113, sll(772, 0x86dd, &v6)),
        ("sll vlan", 113, sll(1, 0x8100, &cat(&[&[0, 5, 8, 0], &v4]))),
        ("sll 802.2", 113, sll(1, 4, &snap(0x0800, &v4))),
        ("sll gre", 113, sll(778, 0x6558, &ethernet(0x0800, &v4))),
        ("sll radiotap", 113, sll(803, 0, &radiotap(0, &wifi_snap))),
        ("pflog", 117, cat(&[&[61, 2], &[0; 62], &v4])),
        ("prism", 119, cat(&[&[0x44, 0, 0, 0, 144, 0, 0, 0], &[0; 136], &wifi_snap])),
        ("avs as prism", 119, cat(&[&[0x80, 0x21, 0x10, 0x01, 0, 0, 0, 64], &[0; 56], &wifi_snap])),
        ("radiotap", 127, radiotap(0, &wifi_snap)),
        ("radiotap with pad", 127, radiotap(0x20, &wifi(0x88, 1, &[0, 0, 0xee, 0xee], &snap(0x0800, &v4)))),
        ("radiotap with fcs", 127, radiotap(0x10, &cat(&[&wifi_snap, &[1, 2, 3, 4]]))),
        ("pktap as user2", 149, pktap(1, &ethernet(0x0800, &v4))),
        ("avs", 163, cat(&[&[0x80, 0x21, 0x10, 0x01, 0, 0, 0, 64], &[0; 56], &wifi_snap])),
        ("pppd in", 166, cat(&[&[0, 3, 0, 0x21], &v4])),
        ("pppd out", 166, cat(&[&[1, 3, 0, 0x57], &v6])),
        ("ppi ethernet", 192, ppi(0, 1, b"", &ethernet(0x0800, &v4))),
        (
            "ppi 802.11",
            192,
            ppi(
                0,
                105,
                &[2, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                &cat(&[&wifi_snap, &[1, 2, 3, 4]]),
            ),
        ),
        ("ppp with direction", 204, cat(&[&[0, 0xff, 0x03, 0, 0x21], &v4])),
        ("mpls", 219, cat(&[&[0, 1, 0x01, 64], &v4])),
        ("ipv4", 228, v4.clone()),
        ("ipv6", 229, v6.clone()),
        ("nflog", 239, nflog(&v4)),
        ("exported ip", 252, exported(12, b"ip", 0, &v4)),
        ("exported ipv6", 252, exported(12, b"ipv6", 0, &v6)),
        ("exported eth", 252, exported(12, b"eth_maybefcs", 0, &ethernet(0x0800, &v4))),
        ("exported udp", 252, exported(12, b"udp", 0, &udp(40_000, 3478, PAYLOAD))),
        (
            "exported ip.proto",
            252,
            cat(&[&tag(32, &[0, 0, 0, 17]), &exported(14, b"ip.proto", 0, &udp(40_000, 3478, PAYLOAD))]),
        ),
        ("exported link type", 252, cat(&[&tag(11, &[0, 0, 0, 101]), &tag(0, b""), &v4])),
        ("exported stun", 252, exported(12, b"stun", 3, PAYLOAD)),
        ("exported padded name", 252, exported(12, b"dtls\0\0\0\0", 3, PAYLOAD)),
        ("exported heuristic", 252, exported(13, b"stun_udp", 0, PAYLOAD)),
        ("exported table", 252, exported(14, b"udp.port", 3, PAYLOAD)),
        ("pktap ethernet", 258, pktap(1, &ethernet(0x0800, &v4))),
        ("pktap raw", 258, pktap(12, &v6)),
        ("pktap utun", 258, pktap(0, &cat(&[&[2, 0, 0, 0], &v4]))),
        ("sll2", 276, sll2(1, 0x0800, &v4)),
        ("sll2 v6", 276, sll2(65534, 0x86dd, &v6)),
        ("sll2 gre over v6", 276, sll2(823, 0x0800, &v4)),
    ];
    for (what, link_type, data) in &frames {
        assert_plain(what, *link_type, data);
    }
}

#[test]
fn nflog_attributes_are_read_in_the_order_of_the_file() {
    let v4 = plain();
    let size = u16::try_from(v4.len() + 4).unwrap().to_be_bytes();
    let data = cat(&[&[2, 0, 0, 0], &size, &[0, 9], &v4]);
    let (all, _) = dissect_frame(&Frame { big_endian: true, ..frame(239, &data) });
    assert_eq!(all.len(), 1);
}

#[test]
fn an_aggregated_wifi_frame_gives_all_its_packets() {
    let llc = snap(0x0800, &plain());
    let subframe = |pad: bool| {
        let mut bytes = cat(&[&[5; 12], &u16::try_from(llc.len()).unwrap().to_be_bytes(), &llc]);
        if pad {
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    };
    let body = cat(&[&subframe(true), &subframe(true), &subframe(false)]);
    let (all, counts) = dissect(105, &wifi(0x88, 1, &[0x80, 0], &body));
    assert_eq!((all.len(), counts.datagrams), (3, 3));
    assert!(all.iter().all(|one| one.payload == PAYLOAD));
}

#[test]
fn encrypted_and_empty_wifi_frames_are_counted_as_what_they_are() {
    let (all, counts) = dissect(105, &wifi(0x08, 0x41, &[9; 8], &[0x5a; 80]));
    assert_eq!((all.len(), counts.encrypted), (0, 1));
    let (_, counts) = dissect(105, &wifi(0x48, 1, b"", b""));
    assert_eq!(counts.not_ip, 1);
    let (_, counts) = dissect(105, &wifi(0x80, 0, b"", &[0; 40]));
    assert_eq!(counts.not_ip, 1);
}

#[test]
fn exported_pdus_over_tcp_say_so_and_may_lack_addresses() {
    let (all, _) = dissect(252, &exported(12, b"stun", 2, PAYLOAD));
    assert_eq!(all[0].what, "tcp 192.0.2.1:40000 > 198.51.100.2:3478");
    let (all, _) = dissect(252, &cat(&[&tag(13, b"stun_tcp"), &tag(0, b""), PAYLOAD]));
    assert_eq!(all[0].what, "tcp 0.0.0.0:0 > 0.0.0.0:0");
    let (all, _) =
        dissect(252, &cat(&[&tag(12, b"rtp"), &tag(22, &[1; 16]), &tag(23, &[2; 16]), &tag(0, b""), PAYLOAD]));
    assert_eq!(all[0].what, "udp [101:101:101:101:101:101:101:101]:0 > [202:202:202:202:202:202:202:202]:0");
}

#[test]
fn tags_are_read_whether_their_padding_counts_or_is_missing() {
    let address = tag(20, &[192, 0, 2, 1]);
    for name in [&b"ip"[..], b"udp", b"turnchannel", b"stun_heur"] {
        let payload = if name == b"ip" { plain() } else { udp(7, 8, PAYLOAD) };
        let length = u16::try_from(name.len()).unwrap().to_be_bytes();
        let unpadded = cat(&[&[0, 12], &length, name, &address, &tag(0, b""), &payload]);
        let padding = vec![0; name.len().next_multiple_of(4) - name.len()];
        let counted = cat(&[&tag(12, &cat(&[name, &padding])), &address, &tag(0, b""), &payload]);
        let separate = cat(&[&tag(12, name), &address, &tag(0, b""), &payload]);
        let (expected, _) = dissect(252, &counted);
        assert_eq!(expected.len(), 1);
        assert!(expected[0].what.starts_with("udp 192.0.2.1:"));
        assert_eq!(dissect(252, &separate).0, expected);
        assert_eq!(dissect(252, &unpadded).0, expected);
    }
}

#[test]
fn link_types_that_cannot_be_read_are_counted_by_number() {
    let (all, counts) = dissect(189, &[0; 64]);
    assert!(all.is_empty());
    assert_eq!(counts.unsupported.iter().collect::<Vec<_>>(), [(crate::frame::LinkType(189), 1)]);
    let (_, counts) = dissect(149, &[0; 64]);
    assert_eq!(counts.unsupported.total(), 1);
}
