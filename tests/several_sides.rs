//! Captures that hold several sides of a NAT in one file: of all interfaces of its host, or of two points that were merged.

#![allow(clippy::expect_used, clippy::indexing_slicing)]

mod support;

use std::net::SocketAddr;

use support::analyze::{finding, ids, report};
use support::packet::Ip;
use support::*;
use turnscope::report::{Report, Verdict};

const CLIENT: &str = "198.51.100.7:40123";
const OUTSIDE: &str = "203.0.113.10:3478";
const INSIDE: &str = "10.0.0.5:3478";
const RELAYED: &str = "203.0.113.10:49153";

#[test]
fn an_answer_that_stands_before_its_request_behind_a_nat_does_not_come_from_elsewhere() {
    let login = alice();
    let mut scene = Scene::new();
    let (request, challenge) = scene.allocate_challenge(CLIENT, INSIDE, "example.org", "nonce-1");
    // the host's two interfaces, of which one is written out a little late
    let mut scene = Scene::new();
    let mut passes = |request: &Sent, answer: &dyn Fn(&mut Scene) -> Sent| {
        let asked = scene.after_ms(50).forwarded(request, CLIENT, OUTSIDE);
        let answered = answer(scene.after_us(300));
        scene.after_us(10).forwarded(&asked, CLIENT, INSIDE);
        scene.after_us(300).forwarded(&answered, OUTSIDE, CLIENT);
    };
    passes(&request, &|scene| scene.forwarded(&challenge, INSIDE, CLIENT));
    let signed = Scene::new().allocate_as(CLIENT, INSIDE, &login, "nonce-1");
    passes(&signed, &|scene| scene.allocate_granted(&signed, RELAYED, 600, &login));
    let report = report(&scene.pcap());
    assert_eq!((report.verdict, ids(&report)), (Verdict::Healthy, vec!["turn-challenge"]), "{}", report.headline);
}

/// A point of the capture: how far its clock is ahead, how long after it left the client a packet passes there, the client's TTL there, and who is translated to whom.
struct Point<'p> {
    ahead_us: i64,
    after_us: i64,
    ttl: u8,
    translated: &'p [(&'p str, &'p str)],
}

/// Both points as one capture, in the order of its clocks; each packet with the time at which it left or reached the client.
fn merged(sent: &[(i64, Sent)], points: &[Point<'_>]) -> Scene {
    let mut packets = Vec::new();
    for point in points {
        let seen_as = |address: SocketAddr| {
            let known = point.translated.iter().find(|(near, _)| address == near.place());
            known.map_or(address, |(_, far)| far.place())
        };
        for (at_us, sent) in sent {
            let up = sent.to == OUTSIDE.place();
            let at_us = at_us + point.ahead_us + if up { point.after_us } else { -point.after_us };
            let ip =
                Ip { id: u16::from_be_bytes([sent.packet[4], sent.packet[5]]), ttl: if up { point.ttl } else { 60 } };
            packets.push((at_us, packet::udp(seen_as(sent.from), seen_as(sent.to), ip, &sent.payload)));
        }
    }
    packets.sort_by_key(|(at_us, _)| *at_us);
    let mut scene = Scene::new();
    for (at_us, packet) in packets {
        scene.at_us(u64::try_from(at_us).expect("no point is that far behind")).packet(&packet);
    }
    scene
}

/// What a client with this password says and gets, with the times, from 10 s on.
fn told(client: &str, mapped: &str, password: &str) -> Vec<(i64, Sent)> {
    let (mut scene, mut told) = (Scene::new(), Vec::new());
    let (wrong, right) = (Login::new("alice", "example.org", password), alice());
    let mut at_us = 10_000_000;
    let mut say = |sent: Sent| {
        at_us += 30_000;
        told.push((at_us, sent.clone()));
        sent
    };
    let asked = say(scene.allocate(client, OUTSIDE));
    say(scene.challenge(&asked, 401, "Unauthorized", "example.org", "nonce-1"));
    let signed = say(scene.allocate_as(client, OUTSIDE, &wrong, "nonce-1"));
    if password != "secret" {
        say(scene.challenge(&signed, 401, "Unauthorized", "example.org", "nonce-2"));
        return told;
    }
    let granted = |success: Stun| success.xor_relayed(RELAYED).xor_mapped(mapped).lifetime(600).integrity(right.key());
    say(scene.succeed(&signed, granted));
    let release = say(scene.refresh(client, OUTSIDE, &right, "nonce-1", 0));
    say(scene.granted(&release, Some(0), &right));
    told
}

#[test]
fn two_points_whose_clocks_are_apart_are_two_sides_of_a_nat_in_one_capture_too() {
    const HOME: &str = "192.168.1.20:51000";
    let near = Point { ahead_us: 0, after_us: 0, ttl: 64, translated: &[] };
    for (translated, mapped, inside, outside) in
        [([(HOME, CLIENT)], CLIENT, HOME, CLIENT), ([(OUTSIDE, INSIDE)], HOME, INSIDE, OUTSIDE)]
    {
        for ahead_us in [0, 500_000, -500_000, 3_000_000] {
            let far = Point { ahead_us, after_us: 12_000, ttl: 57, translated: &translated };
            let of = |password: &str| -> Report {
                report(&merged(&told(HOME, mapped, password), &[Point { ..near }, Point { ..far }]).pcap())
            };
            let good = of("secret");
            assert_eq!((good.verdict, good.allocations.len()), (Verdict::Healthy, 1), "{ahead_us}: {}", good.headline);
            let mapping = |nat: &turnscope::report::NatMapping| (nat.inside.to_string(), nat.outside.to_string());
            assert_eq!(good.nat.iter().map(mapping).collect::<Vec<_>>(), [(inside.to_owned(), outside.to_owned())]);
            let bad = of("wrong");
            let found = finding(&bad, "turn-integrity-rejected");
            assert_eq!((found.occurrences, found.affected.clients_total), (1, 1), "{ahead_us}: {}", bad.headline);
            assert_eq!(bad.findings.len(), 1, "{:?}", ids(&bad));
        }
    }
}
