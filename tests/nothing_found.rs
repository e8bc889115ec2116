//! What a report says of a capture without any message: why there may be none, and where to capture instead.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::Scene;
use turnscope::report::{Report, Verdict};

const HOME: &str = "192.168.1.5:40000";
const WEB: &str = "198.51.100.7:443";

fn told(make: impl FnOnce(&mut Scene)) -> Report {
    let mut scene = Scene::new();
    make(&mut scene);
    let report = support::analyze::report(&scene.pcap());
    assert_eq!((report.verdict, report.findings.len()), (Verdict::NothingFound, 0), "{}", report.headline);
    report
}

/// Ten datagrams both ways, each of so many bytes of which the first are these.
fn tunnel(port: u16, start: &[u8], length: usize) -> Report {
    told(|scene| {
        let mut payload = vec![0x5a; length];
        payload[..start.len()].copy_from_slice(start);
        let gateway = format!("198.51.100.7:{port}");
        for _ in 0..5 {
            scene.after_ms(20).udp(HOME, gateway.as_str(), payload.clone());
            scene.after_ms(20).udp(gateway.as_str(), HOME, payload.clone());
        }
    })
}

#[test]
fn a_capture_outside_a_vpn_is_told_to_be_taken_inside_it() {
    for (port, start, length, name) in [
        (51820, &[4, 0, 0, 0][..], 144, "WireGuard"),
        (4500, &[0x0a, 0x5a, 0x5a, 0x5a], 136, "IPsec"),
        (1194, &[0x48], 120, "OpenVPN"),
    ] {
        let told = tunnel(port, start, length);
        let sentence = format!(
            "No STUN, TURN or DTLS in 10 frames, but 10 datagrams of {name}, which hides what goes through it. Capture inside the VPN, on the \
             interface that it has at the client."
        );
        assert_eq!(told.headline, sentence);
        assert_eq!(told.counts.skipped.get(&format!("tunnelled in {name}")), Some(&10));
    }
}

#[test]
fn a_call_beside_a_vpn_is_told_of_alone() {
    let mut scene = Scene::new();
    scene.direct_call("10.0.0.2:50000", "198.51.100.7:40000", 0);
    let alone = support::analyze::report(&scene.pcap()).headline;
    let mut payload = vec![0x5a; 144];
    payload[..4].copy_from_slice(&[4, 0, 0, 0]);
    scene.after_ms(20).udp(HOME, "198.51.100.7:51820", payload);
    let beside = support::analyze::report(&scene.pcap());
    assert_eq!((beside.headline, beside.counts.skipped.len()), (alone, 0));
}

#[test]
fn encrypted_packets_are_told_to_be_captured_where_they_are_in_the_clear() {
    let told = told(|scene| {
        for _ in 0..3 {
            let mut esp = vec![0x45, 0, 0, 60, 0, 1, 0, 0, 64, 50, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            esp.resize(60, 0x5a);
            scene.after_ms(20).packet(&esp);
        }
    });
    assert_eq!(
        told.headline,
        "No STUN, TURN or DTLS in 3 frames, 3 of them encrypted (Wi-Fi, MACsec or IPsec). Capture on the client itself, where they are not."
    );
}

#[test]
fn tcp_alone_is_told_as_what_a_filter_may_have_left() {
    let web = |scene: &mut Scene| {
        for number in 0..3 {
            scene.after_ms(20).tcp(HOME, WEB, (1000 + number * 10, 1), 0x18, &[0x5a; 10]);
        }
    };
    let told_tcp = told(web);
    assert_eq!((told_tcp.counts.udp, told_tcp.counts.tcp), (0, 3));
    assert!(told_tcp.headline.contains("They hold TCP alone, and calls go over UDP first"), "{}", told_tcp.headline);
    let told_both = told(|scene| {
        web(scene);
        scene.after_ms(20).udp(HOME, "198.51.100.7:9000", vec![0x5a; 100]);
    });
    assert_eq!((told_both.counts.udp, told_both.counts.tcp), (1, 3));
    assert_eq!(
        told_both.headline,
        "No STUN, TURN or DTLS in 4 frames. Capture without a filter, on the client or the TURN server, from before the call."
    );
}
