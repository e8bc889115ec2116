use super::build::*;
use crate::packet::{Packet, Packets};
use crate::time::Timestamp;

fn icmp(kind: u8, code: u8, rest: [u8; 4], quote: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(1, &cat(&[&[kind, code, 0, 0], &rest, quote])))
}

#[test]
fn a_port_unreachable_quotes_the_datagram_that_it_is_about() {
    let (all, counts) = dissect(1, &icmp(3, 3, [0; 4], &plain()));
    let what = "port unreachable by 192.0.2.1 to 198.51.100.2 for 192.0.2.1:40000 > 198.51.100.2:3478";
    assert_eq!(all, [Found { what: what.into(), payload: PAYLOAD.into() }]);
    assert_eq!((counts.icmp_errors, counts.datagrams), (1, 0));
}

#[test]
fn icmpv6_errors_quote_too() {
    let message = cat(&[&[1, 1, 0, 0, 0, 0, 0, 0], &plain6()]);
    let (all, _) = dissect(1, &ethernet(0x86dd, &ipv6(58, &message)));
    assert!(all[0].what.starts_with("administratively prohibited by 2001:db8::1"), "{}", all[0].what);
    assert_eq!(all[0].payload, PAYLOAD);
}

#[test]
fn eight_bytes_of_the_quoted_datagram_are_enough() {
    for kept in 20..plain().len() {
        let (all, _) = dissect(1, &icmp(11, 0, [0; 4], &plain()[..kept]));
        let ports = if kept < 24 { "192.0.2.1:0 > 198.51.100.2:0" } else { "192.0.2.1:40000 > 198.51.100.2:3478" };
        assert!(all[0].what.ends_with(ports), "{kept}: {}", all[0].what);
        if kept >= 28 {
            assert_eq!(all[0].payload, PAYLOAD[..kept - 28]);
        }
    }
}

#[test]
fn extensions_and_padding_behind_a_quote_are_not_part_of_it() {
    let mut quote = plain();
    quote.resize(128, 0);
    let extension = [0x20, 0, 0, 0, 0, 8, 1, 1, 1, 2, 3, 4];
    let (all, _) = dissect(1, &icmp(3, 3, [0, 32, 0, 0], &cat(&[&quote, &extension])));
    assert_eq!(all[0].payload, PAYLOAD);
    // A quote whose IP length was changed on the way.
    quote[2..4].copy_from_slice(&[0xff, 0xff]);
    let (all, _) = dissect(1, &icmp(3, 3, [0, 32, 0, 0], &cat(&[&quote, &extension])));
    assert_eq!(all[0].payload, PAYLOAD);
}

#[test]
fn the_mtu_is_told_where_the_error_has_it() {
    let mtu = |data: &[u8]| {
        let mut mtu = None;
        Packets::default().dissect(&frame(1, data), Timestamp(0), &mut |packet| {
            if let Packet::IcmpError(error) = packet {
                mtu = Some(error.mtu);
            }
        });
        mtu
    };
    assert_eq!(mtu(&icmp(3, 4, [0, 0, 5, 0xdc], &plain())), Some(Some(1500)));
    assert_eq!(mtu(&icmp(3, 4, [0; 4], &plain())), Some(None));
    assert_eq!(mtu(&icmp(3, 3, [0, 0, 5, 0xdc], &plain())), Some(None));
    let too_big = ethernet(0x86dd, &ipv6(58, &cat(&[&[2, 0, 0, 0, 0, 0, 5, 0], &plain6()])));
    assert_eq!(mtu(&too_big), Some(Some(1280)));
    assert_eq!(mtu(&icmp(8, 0, [0; 4], &plain())), None);
}

#[test]
fn a_quoted_later_fragment_has_no_ports() {
    let quote = ipv4_part(17, 1, 0x00b9, &udp(1, 2, PAYLOAD));
    let (all, _) = dissect(1, &icmp(11, 1, [0; 4], &quote));
    assert_eq!(
        all[0].what,
        "fragment reassembly time exceeded by 192.0.2.1 to 198.51.100.2 for 192.0.2.1:0 > 198.51.100.2:0"
    );
}

#[test]
fn quoted_segments_give_their_ports_and_echo_requests_nothing() {
    let (all, _) = dissect(1, &icmp(3, 1, [0; 4], &ipv4(6, &tcp(2, b"", b""))[..28]));
    assert!(all[0].what.ends_with("for 192.0.2.1:40000 > 198.51.100.2:3478"));
    let (all, counts) = dissect(1, &icmp(8, 0, [0; 4], PAYLOAD));
    assert_eq!((all.len(), counts.other_transport), (0, 1));
}
