use super::build::*;
use crate::frame::Frame;
use crate::packet::Limits;

fn eth4() -> Vec<u8> {
    ethernet(0x0800, &plain())
}

fn over_udp(port: u16, header: &[u8], inner: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(17, &udp(51_111, port, &cat(&[header, inner]))))
}

fn over_ip(protocol: u8, header: &[u8], inner: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(protocol, &cat(&[header, inner])))
}

#[test]
fn every_tag_and_label_leads_to_the_datagram() {
    let v4 = plain();
    let v6 = plain6();
    let llc = cat(&[&SNAP, &[8, 0], &v4]);
    let size = u16::try_from(llc.len()).unwrap();
    let pppoe = cat(&[&[0x11, 0, 0, 1], &u16::try_from(v4.len() + 2).unwrap().to_be_bytes(), &[0, 0x21], &v4]);
    let many_tags = [0x81, 0, 0, 1].repeat(8);
    let frames: Vec<(&str, Vec<u8>)> = vec![
        ("vlan", ethernet(0x8100, &cat(&[&[0, 1, 8, 0], &v4]))),
        ("qinq", ethernet(0x88a8, &cat(&[&[0, 1, 0x81, 0, 0, 2, 0x86, 0xdd], &v6]))),
        ("qinq 9100", ethernet(0x9100, &cat(&[&[0, 1, 0x92, 0, 0, 1, 0x93, 0, 0, 1, 0x81, 0, 0, 2, 8, 0], &v4]))),
        ("ten tags", ethernet(0x8100, &cat(&[&[0, 9], &many_tags, &[8, 0], &v4]))),
        ("802.3 snap", ethernet(size, &cat(&[&llc, &[0; 12]]))),
        ("802.3 snap 802.1H", ethernet(size, &cat(&[&[0xaa, 0xaa, 3, 0, 0, 0xf8, 8, 0], &v4]))),
        ("vlan 802.3 snap", ethernet(0x8100, &cat(&[&[0, 1], &size.to_be_bytes(), &llc]))),
        ("mpls", ethernet(0x8847, &cat(&[&[0, 1, 0, 9, 0, 2, 0, 9, 0, 3, 1, 9], &v4]))),
        ("mpls v6", ethernet(0x8848, &cat(&[&[0, 1, 1, 9], &v6]))),
        ("pseudo-wire", ethernet(0x8847, &cat(&[&[0, 1, 1, 9], &eth4()]))),
        ("pseudo-wire with control word", ethernet(0x8847, &cat(&[&[0, 1, 1, 9, 0, 0, 0, 0], &eth4()]))),
        ("pppoe", ethernet(0x8864, &pppoe)),
        ("macsec integrity only", ethernet(0x88e5, &cat(&[&[0x20, 0], &[0; 12], &[8, 0], &v4, &[9; 16]]))),
        ("802.1ah", ethernet(0x88e7, &cat(&[&[0, 0, 0, 1], &eth4()]))),
        ("trill", ethernet(0x22f3, &cat(&[&[0, 0x3f, 0, 1, 0, 2], &eth4()]))),
        ("trill with options", ethernet(0x22f3, &cat(&[&[0, 0x7f, 0, 1, 0, 2, 0, 0, 0, 0], &eth4()]))),
        ("nsh ethernet", ethernet(0x894f, &cat(&[&[0x0f, 0xc6, 1, 3], &[0; 20], &eth4()]))),
        ("nsh ipv4", ethernet(0x894f, &cat(&[&[0x0f, 0xc2, 2, 1], &[0; 4], &v4]))),
        ("vn-tag", ethernet(0x8926, &cat(&[&[0, 0, 0, 0, 8, 0], &v4]))),
        ("cisco metadata", ethernet(0x8909, &cat(&[&[1, 1, 0, 1, 0, 2, 8, 0], &v4]))),
    ];
    for (what, data) in &frames {
        assert_plain(what, 1, data);
    }
}

#[test]
fn every_ip_tunnel_leads_to_the_datagram() {
    let v4 = plain();
    let v6 = plain6();
    let ah = |next: u8| cat(&[&[next, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1], &[7; 12]]);
    let udp_bytes = udp(40_000, 3478, PAYLOAD);
    let frames: Vec<(&str, Vec<u8>)> = vec![
        ("ip in ip", over_ip(4, b"", &v4)),
        ("6in4", over_ip(41, b"", &v6)),
        ("4in6", ethernet(0x86dd, &ipv6(4, &v4))),
        ("ah", ethernet(0x0800, &ipv4(51, &cat(&[&ah(17), &udp_bytes])))),
        ("ah over v6", ethernet(0x86dd, &ipv6(51, &cat(&[&ah(17), &udp_bytes])))),
        (
            "hop by hop, destination options, routing",
            ethernet(
                0x86dd,
                &ipv6(
                    0,
                    &cat(&[
                        &[60, 0, 1, 4, 0, 0, 0, 0],
                        &[43, 0, 1, 4, 0, 0, 0, 0],
                        &[17, 0, 0, 0, 0, 0, 0, 0],
                        &udp_bytes,
                    ]),
                ),
            ),
        ),
        ("atomic fragment", ethernet(0x86dd, &ipv6(44, &cat(&[&[17, 0, 0, 0, 0, 0, 0, 1], &udp_bytes])))),
        ("gre", over_ip(47, &[0, 0, 8, 0], &v4)),
        ("gre csum key seq", over_ip(47, &[0xb0, 0, 0x86, 0xdd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2], &v6)),
        ("gre routing", over_ip(47, &[0x40, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0], &v4)),
        ("gre ethernet", over_ip(47, &[0, 0, 0x65, 0x58], &eth4())),
        ("gre mpls", over_ip(47, &[0, 0, 0x88, 0x47, 0, 1, 1, 9], &v4)),
        ("gre wccp", over_ip(47, &[0, 0, 0x88, 0x3e, 0, 0, 0, 0], &v4)),
        ("pptp", over_ip(47, &[0x30, 1, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 3, 0, 0x21], &v4)),
        ("pptp with ack", over_ip(47, &[0x30, 0x81, 0x88, 0x0b, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x21], &v4)),
        ("erspan I", over_ip(47, &[0, 0, 0x88, 0xbe], &eth4())),
        ("erspan II", over_ip(47, &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 1, 0, 0, 0, 2], &eth4())),
        ("erspan III", over_ip(47, &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0], &eth4())),
        (
            "erspan III with subheader",
            over_ip(
                47,
                &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9],
                &eth4(),
            ),
        ),
        (
            "erspan III ip",
            over_ip(47, &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0x08, 0], &v4),
        ),
        ("etherip", over_ip(97, &[0x30, 0], &eth4())),
        ("l2tpv3 over ip", over_ip(115, &[0, 0, 0, 7, 1, 2, 3, 4], &eth4())),
        ("mpls in ip", over_ip(137, &[0, 1, 1, 9], &v4)),
        ("ethernet in ip", over_ip(143, b"", &eth4())),
    ];
    for (what, data) in &frames {
        assert_plain(what, 1, data);
    }
}

#[test]
fn extension_headers_lead_to_the_datagram_in_every_order() {
    // hop by hop, destination options, routing, authentication, mobility, and a fragment header that cuts nothing
    let headers: [(u8, Vec<u8>); 6] = [
        (0, vec![0; 8]),
        (60, cat(&[&[0, 1], &[0; 14]])),
        (43, cat(&[&[0, 2], &[0; 22]])),
        (51, cat(&[&[0, 4], &[0; 22]])),
        (135, vec![0; 8]),
        (44, vec![0; 8]),
    ];
    let count = headers.len();
    for number in 0..count.pow(count as u32) {
        let order: Vec<usize> = (0..count).map(|place| number / count.pow(place as u32) % count).collect();
        if (1..count).any(|place| order[..place].contains(&order[place])) {
            continue;
        }
        for length in 1..=count {
            let mut packet = (17, udp(40_000, 3478, PAYLOAD));
            for &at in order[..length].iter().rev() {
                let (number, header) = &headers[at];
                packet = (*number, cat(&[&[packet.0], &header[1..], &packet.1]));
            }
            assert_plain(&format!("{:?}", &order[..length]), 1, &ethernet(0x86dd, &ipv6(packet.0, &packet.1)));
        }
    }
}

#[test]
fn every_udp_tunnel_leads_to_the_datagram() {
    let v4 = plain();
    let teredo = {
        let mut inner = plain6();
        inner[8..12].copy_from_slice(&[0x20, 1, 0, 0]);
        inner
    };
    let wifi = cat(&[&[0x08, 1, 0, 0], &[0x11; 18], &[0, 0], &SNAP, &[8, 0], &v4]);
    let swapped = cat(&[&[1, 0x08], wifi.get(2..).unwrap()]);
    let frames: Vec<(&str, Vec<u8>)> = vec![
        ("vxlan", over_udp(4789, &[8, 0, 0, 0, 0, 0, 1, 0], &eth4())),
        ("vxlan old port, group policy", over_udp(8472, &[0x88, 0, 0, 5, 0, 0, 1, 0], &eth4())),
        ("vxlan-gpe ipv4", over_udp(4790, &[0x0c, 0, 0, 1, 0, 0, 1, 0], &v4)),
        ("vxlan-gpe ethernet", over_udp(4790, &[0x0c, 0, 0, 3, 0, 0, 1, 0], &eth4())),
        ("vxlan-gpe nsh", over_udp(4790, &[0x0c, 0, 0, 4, 0, 0, 1, 0, 0x0f, 0xc2, 2, 1, 0, 0, 0, 0], &v4)),
        ("geneve ethernet", over_udp(6081, &[0, 0, 0x65, 0x58, 0, 0, 1, 0], &eth4())),
        ("geneve ipv4 with options", over_udp(6081, &[1, 0, 8, 0, 0, 0, 1, 0, 9, 9, 9, 9], &v4)),
        ("gtp-u", over_udp(2152, &[0x30, 0xff, 0, 58, 0, 0, 0, 1], &v4)),
        ("gtp-u sequence", over_udp(2152, &[0x32, 0xff, 0, 62, 0, 0, 0, 1, 0, 1, 0, 0], &v4)),
        (
            "gtp-u extensions",
            over_udp(2152, &[0x34, 0xff, 0, 70, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0x40, 1, 0, 0, 0], &v4),
        ),
        ("tzsp ethernet", over_udp(37008, &[1, 0, 0, 1, 10, 1, 5, 0, 1], &eth4())),
        ("tzsp 802.11", over_udp(37008, &[1, 0, 0, 0x12, 1], &wifi)),
        ("mpls in udp", over_udp(6635, &[0, 1, 1, 9], &v4)),
        ("capwap 802.3", over_udp(5247, &[0, 0x10, 0x02, 0, 0, 0, 0, 0], &eth4())),
        ("capwap 802.11", over_udp(5247, &[0, 0x10, 0x03, 0, 0, 0, 0, 0], &wifi)),
        ("capwap 802.11 swapped", over_udp(5247, &[0, 0x10, 0x03, 0, 0, 0, 0, 0], &swapped)),
        ("l2tp", over_udp(1701, &[0, 2, 0, 1, 0, 2, 0xff, 3, 0, 0x21], &v4)),
        ("l2tp length sequence offset", over_udp(1701, &[0x4a, 2, 0, 99, 0, 1, 0, 2, 0, 0, 0, 0, 0, 1, 9, 0x21], &v4)),
        ("l2tpv3", over_udp(1701, &[0, 3, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4], &eth4())),
    ];
    for (what, data) in &frames {
        assert_plain(what, 1, data);
        let original_len = u32::try_from(data.len()).unwrap();
        let (cut, _) = dissect_frame(&Frame { original_len, ..frame(1, &data[..data.len() - 2]) });
        assert!(
            cut[0].what.contains(" cut of ") && !cut[0].what.contains("51111"),
            "{what} cut short: {}",
            cut[0].what
        );
    }
    for header in [&[][..], &[0, 0, 1, 2, 3, 4, 5, 6], &[0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6]]
    {
        let (all, _) = dissect(1, &over_udp(3544, header, &teredo));
        assert_eq!(
            all[0].what,
            "udp [2001:0:0:0:0:0:0:1]:40000 > [2001:db8::2]:3478".replace("2001:0:0:0:0:0:0:1", "2001::1")
        );
    }
}

#[test]
fn a_client_on_a_tunnels_port_keeps_its_datagrams() {
    let stun =
        [0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x80, 0x28, 0, 4, 1, 2, 3, 4];
    let mut classic = stun;
    classic[4..8].copy_from_slice(&[9, 9, 9, 9]);
    let channel = cat(&[&[0x40, 0, 0, 40], &[0x45; 40]]);
    let rtp = cat(&[&[0x80, 96, 0, 1], &[0x66; 80]]);
    let dtls = cat(&[&[22, 0xfe, 0xfd, 0, 0], &[0; 100]]);
    for port in [1701, 2152, 3544, 4789, 4790, 5247, 6081, 6635, 8472, 37008] {
        for payload in [&stun[..], &classic, &channel, &rtp, &dtls, b"", b"\x01"] {
            for (src, dst) in [(port, 3478), (3478, port)] {
                let (all, counts) = dissect(1, &ethernet(0x0800, &ipv4(17, &udp(src, dst, payload))));
                assert_eq!(all.len(), 1, "{port} {payload:?} {counts:?}");
                assert_eq!(all[0].payload, payload);
            }
        }
    }
}

#[test]
fn what_is_opaque_is_counted_so() {
    let (all, counts) = dissect(1, &ethernet(0x88e5, &[0x2c; 60]));
    assert_eq!((all.len(), counts.encrypted), (0, 1));
    let (all, counts) = dissect(1, &over_ip(50, &[1; 60], b""));
    assert_eq!((all.len(), counts.encrypted), (0, 1));
    let (_, counts) = dissect(1, &ethernet(0x0806, &[0; 28]));
    assert_eq!(counts.not_ip, 1);
    let (_, counts) = dissect(1, &over_ip(2, &[0; 8], b""));
    assert_eq!(counts.other_transport, 1);
    let (_, counts) = dissect(1, &ethernet(0x0800, &[0x45; 10]));
    assert_eq!(counts.malformed, 1);
}

#[test]
fn nesting_ends_at_the_limit() {
    let mut data = plain();
    for _ in 0..60 {
        data = ipv4(4, &data);
    }
    let (all, counts) = dissect(101, &data);
    assert_eq!((all.len(), counts.too_deep), (0, 1));
    let mut shallow = plain();
    for _ in 0..10 {
        shallow = ipv4(4, &shallow);
    }
    assert_plain("ten tunnels", 101, &shallow);
    assert!(Limits::default().headers >= 32);
}
