//! What several captures add to findings: between which points checks, handshakes and media were lost, or how far they got; and TCP connections
//! through a NAT, which are one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::net::SocketAddr;
use support::analyze::{self, assert_says, finding, ids};
use support::calls::{failures, graver};
use support::degrade::{Shot, pcap, shots};
use support::dtls::{self, Shake, again};
use support::ice::{Agents, plain};
use support::tcp::{self, Tcp};
use support::{Login, Scene, Stun, method, payload, points};
use turnscope::report::{Confidence, Report, Severity};

const ALICE: &str = "10.0.0.2:50000";
const BOB: &str = "192.0.2.9:40000";
const NAT: &str = "203.0.113.50:61000";
const SERVER: &str = "192.0.2.1:3478";
const RELAYED: &str = "192.0.2.1:55000";
const PEER: &str = "198.51.100.7:40000";

fn two(near: &[Shot], far: &[Shot]) -> Report {
    points::report(&[("alice.pcap", pcap(near)), ("bob.pcap", pcap(far))])
}

/// As bob's capture shows it, whose clock is three seconds ahead.
fn at_bob(shots: &[Shot]) -> Vec<Shot> {
    points::clock(&points::further(shots, "10.0.0.2", 8_000), 3_000, 0)
}

fn from_alice(src: SocketAddr) -> bool {
    src.port() == 50_000
}

/// Something else that both captures show, before and after.
fn framed(fill: impl FnOnce(&mut Scene)) -> Scene {
    let mut scene = Scene::new();
    let other = |scene: &mut Scene| {
        scene.binding("10.0.0.2:50001", "192.0.2.9:3478", "10.0.0.2:50001");
    };
    scene.later(1);
    other(&mut scene);
    fill(&mut scene);
    scene.later(2);
    other(&mut scene);
    scene.later(40);
    scene
}

fn agents() -> Agents {
    Agents::new(ALICE, BOB)
}

/// Both check each other for ten seconds; alice answers bob's checks.
fn checks_in_vain() -> Scene {
    framed(|scene| {
        for _ in 0..12 {
            scene.after_ms(500).a_checks(&agents(), plain);
            let check = scene.after_ms(500).b_checks(&agents(), plain);
            scene.after_ms(20).ice_answer(&check, &agents().a);
        }
    })
}

#[test]
fn checks_that_leave_and_never_arrive_are_told_with_the_points_between_which_they_are_lost() {
    let near = shots(&checks_in_vain());
    let far = at_bob(&points::only(&near, |_, src, _| !from_alice(src)));
    let report = two(&near, &far);
    let told = finding(&report, "ice-checks-unanswered");
    assert!(told.title.ends_with("those of 10.0.0.2 never reached bob.pcap"), "{}", told.title);
    assert!(
        told.explanation
            .contains("alice.pcap shows 12 checks from 10.0.0.2:50000 to 192.0.2.9:40000, and bob.pcap none of them"),
        "{}",
        told.explanation
    );
    // alice's answers are lost on the same way
    assert_says(&told.explanation, "answers from 10.0.0.2:50000");
    assert_says(&told.fix, "Look between alice.pcap and bob.pcap first");
    let back = points::report(&[("bob.pcap", pcap(&far)), ("alice.pcap", pcap(&near))]);
    assert!(finding(&back, "ice-checks-unanswered").explanation.contains("12 checks"));
    // one capture alone knows nothing of it
    let alone = analyze::report(&pcap(&near));
    assert!(alone.findings.iter().all(|one| !one.explanation.contains("between these two points")));
}

#[test]
fn checks_that_arrive_and_are_not_answered_are_the_other_sides_affair() {
    let scene = framed(|scene| {
        for _ in 0..12 {
            scene.after_ms(500).a_checks(&agents(), plain);
            scene.b_is_answered(&agents(), plain);
        }
    });
    let near = shots(&scene);
    let report = two(&near, &at_bob(&near));
    let told = finding(&report, "ice-one-way");
    assert_says(&told.explanation, "12 of the 12 checks");
    assert_says(&told.explanation, "are in bob.pcap as well");
    assert_says(&told.title, "though 12 of them reached bob.pcap");
}

#[test]
fn consent_that_is_lost_because_one_way_is_cut_is_told_with_where() {
    // the captures end while both still ask: at the one all of the other arrives, at the other nothing
    let mut before = 0;
    let near = shots(&framed(|scene| {
        scene.connect(&agents()).talk_directly(ALICE, BOB, 20);
        before = scene.frames().count();
        for _ in 0..6 {
            scene.after_ms(2000).a_checks(&agents(), plain);
            let check = scene.after_ms(3000).b_checks(&agents(), plain);
            scene.after_ms(20).ice_answer(&check, &agents().a);
        }
    }));
    let far = at_bob(&points::only(&near, |number, src, _| number < before || !from_alice(src)));
    let report = two(&near, &far);
    let told = finding(&report, "ice-consent-lost");
    assert_eq!(told.confidence, Confidence::Likely);
    assert!(told.title.ends_with("; answers of 10.0.0.2 are lost between alice.pcap and bob.pcap"), "{}", told.title);
    let words = "6 checks from 10.0.0.2:50000 to 192.0.2.9:40000 that alice.pcap shows are not in bob.pcap";
    assert_says(&told.explanation, words);
    assert_says(&told.fix, "Look between alice.pcap and bob.pcap first");
}

fn connected(scene: &mut Scene) {
    scene.connect(&agents());
}

/// The ClientHello six times.
fn hellos(scene: &mut Scene) {
    let mut shake = Shake::between(ALICE, BOB);
    let hello = shake.hello(scene);
    for copy in 1..6 {
        scene.after_ms(50 << copy);
        scene.b_is_answered(&agents(), plain);
        shake.client_says(scene, |client| again(client, &hello.payload));
    }
}

fn is_dtls(shots: &[Shot], number: usize) -> bool {
    shots[number].bytes.get(42).is_some_and(|first| (20..64).contains(first))
}

#[test]
fn hellos_that_are_dropped_on_the_way_are_told_with_where() {
    let near = shots(&framed(|scene| {
        connected(scene);
        hellos(scene);
        scene.consent(&agents(), 10);
    }));
    let far = points::only(&near, |number, _, _| !is_dtls(&near, number));
    let report = two(&near, &at_bob(&far));
    // bob shows no DTLS at all: it may leave it out, and the finding says so
    let told = finding(&report, "dtls-no-answer");
    assert_eq!(told.severity, Severity::Failure);
    assert!(!told.title.contains("though"), "{}", told.title);
    // and with another handshake there, it does not leave it out
    let other = |scene: &mut Scene| {
        let mut shake = Shake::between("10.0.0.7:50005", "192.0.2.9:40005");
        shake.client_says(scene, |client| client.client_hello(&dtls::Offer { random: 0x33, ..dtls::Offer::default() }));
        shake.server_flight(scene);
        shake.client_flight(scene);
        shake.last_flight(scene);
    };
    let near = shots(&framed(|scene| {
        other(scene);
        connected(scene);
        hellos(scene);
        scene.consent(&agents(), 10);
    }));
    let far = points::only(&near, |number, src, _| !is_dtls(&near, number) || src.port() % 10 == 5);
    let report = two(&near, &at_bob(&far));
    let told = finding(&report, "dtls-no-answer");
    assert_eq!((told.severity, told.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&told.title, "and none of them reached bob.pcap");
    assert_says(&told.explanation, "6 ClientHello datagrams");
}

#[test]
fn hellos_that_arrive_are_the_peers_affair() {
    let near = shots(&framed(|scene| {
        connected(scene);
        hellos(scene);
        scene.consent(&agents(), 10);
    }));
    let report = two(&near, &at_bob(&near));
    let told = finding(&report, "dtls-no-answer");
    assert_says(&told.title, "though 6 of them reached bob.pcap");
    assert_says(&told.fix, "look beyond it");
}

#[test]
fn parts_of_a_handshake_that_left_one_point_and_never_came_to_the_other_are_lost_parts() {
    let all = shots(&framed(|scene| {
        connected(scene);
        // Bob's flight, of which the path takes the first datagram and the last
        Shake::between(ALICE, BOB).large_flight(scene, 4, true);
        scene.consent(&agents(), 10);
    }));
    // what is larger than 1000 bytes does not come to alice
    let near = points::only(&all, |number, _, _| all[number].bytes.len() < 1000);
    let report = two(&near, &at_bob(&all));
    let told = finding(&report, "dtls-fragment-lost");
    assert_eq!((told.severity, told.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&told.explanation, "bytes 400 to 1599 never came");
    assert_says(&told.explanation, "4 DTLS datagrams of 1225 bytes from 192.0.2.9:40000");
    assert_says(&told.fix, "Look between bob.pcap and alice.pcap first");
    // bob's capture alone shows all parts leave, and cannot tell
    let alone = analyze::report(&pcap(&all));
    assert!(!ids(&alone).contains(&"dtls-fragment-lost"));
}

#[test]
fn a_handshake_that_passes_whole_is_no_story_at_any_loss_of_the_captures() {
    let all = shots(&framed(|scene| {
        connected(scene);
        let mut shake = Shake::between(ALICE, BOB);
        shake.complete(scene);
        shake.talk(scene, 3);
        scene.consent(&agents(), 10);
    }));
    for seed in 0..24_u64 {
        let kept = |number: usize, salt: u64| {
            let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (seed + salt) << 17);
            !(mixed >> 33).is_multiple_of(8)
        };
        let near = points::only(&all, |number, _, _| kept(number, 100));
        let far = at_bob(&points::only(&all, |number, _, _| kept(number, 200)));
        let report = two(&near, &far);
        let told: Vec<_> = failures(&report);
        assert!(told.is_empty(), "{seed}: {told:?}");
    }
}

/// Bob's media does not come to alice; his checks and answers do.
fn one_way_media(scene: &mut Scene) {
    connected(scene);
    for second in 0..30_u16 {
        for number in 0..20 {
            let number = second * 20 + number;
            let packet = |source| payload::rtp(96, number, u32::from(number) * 960, source, 100);
            scene.after_ms(20).udp(ALICE, BOB, packet(1));
            scene.after_ms(20).udp(BOB, ALICE, packet(2));
        }
        scene.after_ms(10).udp(ALICE, BOB, payload::srtcp(&payload::rtcp_sender_report(1, 0), second.into()));
        scene.a_is_answered(&agents(), plain);
        scene.b_is_answered(&agents(), plain);
    }
}

#[test]
fn media_that_is_sent_and_never_arrives_is_told_with_where_it_was_lost() {
    let all = shots(&framed(one_way_media));
    let is_media = |number: usize| all[number].bytes.get(42).is_some_and(|first| *first >= 0x80);
    let near = points::only(&all, |number, src, _| from_alice(src) || !is_media(number));
    let report = two(&near, &at_bob(&all));
    let told = finding(&report, "media-one-way");
    assert_says(&told.explanation, "bob.pcap shows 600 RTP and RTCP packets from 192.0.2.9:40000");
    assert_says(&told.explanation, "and alice.pcap none of them");
}

#[test]
fn a_side_that_another_capture_shows_to_send_is_not_said_to_pause() {
    let all = shots(&framed(one_way_media));
    let first = all.iter().position(|shot| shot.bytes.get(42).is_some_and(|first| *first >= 0x80)).expect("media");
    let is_lost = |number: usize| number > first + 200 && all[number].bytes.get(42).is_some_and(|first| *first >= 0x80);
    let near = points::only(&all, |number, src, _| from_alice(src) || !is_lost(number));
    let alone = analyze::report(&pcap(&near));
    let told = finding(&alone, "media-one-way");
    assert_eq!(told.confidence, Confidence::Likely);
    assert_says(&told.fix, "is meant to send nothing");
    let report = two(&near, &at_bob(&all));
    let told = finding(&report, "media-one-way");
    assert_eq!(told.confidence, Confidence::Certain);
    assert!(!told.fix.contains("is meant to send nothing"), "{}", told.fix);
    assert!(!told.explanation.contains("gives no reports at all"), "{}", told.explanation);
}

#[test]
fn loss_of_media_is_put_between_two_points_or_before_the_first() {
    let scene = framed(|scene| {
        scene.direct_call(ALICE, BOB, 0);
        for number in 0..400 {
            let packet = |source| payload::rtp(96, number, u32::from(number) * 960, source, 100);
            scene.after_ms(10).udp(ALICE, BOB, packet(1));
            scene.after_ms(10).udp(BOB, ALICE, packet(2));
        }
    });
    let all = shots(&scene);
    let lossy = points::only(&all, |number, src, _| !from_alice(src) || number < 20 || number % 20 > 1);
    let between = two(&all, &at_bob(&lossy));
    let told = finding(&between, "media-lossy");
    assert_says(&told.explanation, "that alice.pcap shows are not in bob.pcap");
    let before = two(&lossy, &at_bob(&lossy));
    let told = finding(&before, "media-lossy");
    assert_says(&told.explanation, "alice.pcap, which is before the others on this way, lacks them as well");
}

#[test]
fn media_lost_in_a_relay_is_told_with_what_the_relay_passed_on() {
    let alice = Login::new("alice", "example.org", "blue-harbour-42");
    let mut client = Scene::new();
    client.later(1);
    client.allocation(ALICE, SERVER, &alice, "nonce-1", RELAYED);
    client.talk(ALICE, SERVER, &alice, "nonce-1", (0x4000, PEER), 0);
    let from = client.last_frame();
    for number in 0..300 {
        let packet = |source| payload::rtp(96, number, u32::from(number) * 960, source, 100);
        client.after_ms(10).channel_data(ALICE, SERVER, 0x4000, packet(1));
        client.after_ms(10).channel_data(SERVER, ALICE, 0x4000, packet(2));
    }
    client.hang_up(ALICE, SERVER, &alice, "nonce-1").later(2);
    let near = shots(&client);
    let mut server = points::further(&near, "10.0.0.2", 2_000);
    let mut legs = Scene::new();
    for shot in server.iter().skip(from as usize).filter(|shot| shot.bytes.len() > 50 && shot.bytes[42] == 0x40) {
        let data = shot.bytes[46..].to_vec();
        let since = (shot.ns - near[0].ns) / 1000 + 1_000_000;
        if shot.bytes[26..30] == [10, 0, 0, 2] {
            legs.at_us(since + 300).udp(RELAYED, PEER, data);
        } else {
            legs.at_us(since - 200).udp(PEER, RELAYED, data);
        }
    }
    server.extend(shots(&legs));
    server.sort_by_key(|shot| shot.ns);
    // the relay drops every eighth packet of the peer
    let is_dropped = |shot: &Shot| {
        let back = shot.bytes.len() > 50 && shot.bytes[42] == 0x40 && shot.bytes[30..34] == [10, 0, 0, 2];
        back && u16::from_be_bytes([shot.bytes[48], shot.bytes[49]]) % 8 == 3
    };
    let near: Vec<Shot> = near.into_iter().filter(|shot| !is_dropped(shot)).collect();
    let server: Vec<Shot> = server.into_iter().filter(|shot| !is_dropped(shot)).collect();
    let report = two(&near, &server);
    let relays: Vec<_> = report.joins.iter().flat_map(|join| &join.relays).collect();
    assert!(relays.iter().any(|relay| !relay.outward && relay.lost == Some(38)), "{relays:?}");
    let told = finding(&report, "media-lossy");
    assert_says(
        &told.explanation,
        "The relay 192.0.2.1:55000 passed on 262 packets from 198.51.100.7:40000 to 10.0.0.2:50000 and not 38 others",
    );
    assert_says(&told.explanation, "taking 200 µs on average");
}

/// A client whose checks go through a relay, and the peer that answers them; the answers get as far as the relay at most.
fn client_and_peer() -> (Scene, Scene) {
    let alice = Login::new("alice", "example.org", "blue-harbour-42");
    let agents = Agents::new(RELAYED, PEER);
    let (mut client, mut peer) = (Scene::new(), Scene::new());
    client.later(1);
    client.allocation(ALICE, SERVER, &alice, "nonce-1", RELAYED);
    client.talk(ALICE, SERVER, &alice, "nonce-1", (0x4000, PEER), 0);
    peer.at_ms(3000);
    for number in 0..5 {
        let check = peer.after_ms(50).a_is_answered(&agents, |check| check.tid([100 + number; 12]));
        client.at_ms(3069 + 80 * u64::from(number)).channel_data(ALICE, SERVER, 0x4000, check.payload);
    }
    (client, peer)
}

#[test]
fn answers_that_end_before_the_relay_are_no_answers_to_the_client_behind_it() {
    let (client, peer) = client_and_peer();
    let report = two(&shots(&client), &shots(&peer));
    assert!(report.joins.iter().any(|join| join.matched > 0), "{:?}", report.joins);
    assert_eq!(
        report.headline,
        "Nothing wrong: 192.0.2.1:3478 gave 10.0.0.2 the relayed address 192.0.2.1:55000 within 30.0 ms."
    );
}

#[test]
fn what_a_client_asks_its_server_is_not_missed_at_the_peer_behind_the_relay() {
    let (mut client, mut peer) = client_and_peer();
    let request = client.allocate("10.0.0.2:50009", SERVER);
    for gap in [500, 1000, 2000, 4000] {
        client.after_ms(gap).retransmit(&request);
    }
    client.later(40);
    peer.later(60);
    let report = two(&shots(&client), &shots(&peer));
    assert!(report.joins.iter().any(|join| !join.relays.is_empty()), "{:?}", report.joins);
    let told = finding(&report, "turn-no-response");
    assert!(!told.title.contains("bob.pcap") && !told.explanation.contains("bob.pcap"), "{}", told.explanation);
    let lost: Vec<_> = report.joins.iter().flat_map(|join| &join.lost).collect();
    assert!(lost.iter().all(|lost| lost.src.to_string() == PEER), "answers to checks alone: {lost:?}");
}

#[test]
fn what_a_peer_sends_to_a_relay_and_does_not_come_out_of_it_is_told_with_where_it_was_lost() {
    let (mut client, mut peer) = client_and_peer();
    client.later(40);
    peer.later(40);
    let report = two(&shots(&client), &shots(&peer));
    let told = finding(&report, "turn-relay-silent");
    assert_says(&told.title, "is seen on its way and does not come through to 10.0.0.2:50000");
    let words = "bob.pcap shows 5 answers from 198.51.100.7:40000 to 192.0.2.1:55000, and alice.pcap none of them";
    assert_says(&told.explanation, words);
    assert!(told.fix.ends_with("Look between bob.pcap and alice.pcap first: that is where packets are lost."));
}

fn turn_over_tcp() -> Scene {
    let alice = Login::new("alice", "example.org", "blue-harbour-42");
    let mut scene = Scene::new();
    scene.later(1);
    scene.allocation(ALICE, SERVER, &alice, "nonce-1", RELAYED);
    scene.talk(ALICE, SERVER, &alice, "nonce-1", (0x4000, PEER), 40);
    scene.hang_up(ALICE, SERVER, &alice, "nonce-1").later(2);
    scene
}

/// Everything that counts messages.
fn counted(report: &Report) -> String {
    let counts = &report.counts;
    let allocations: Vec<_> =
        report.allocations.iter().map(|known| (known.bytes_sent, known.bytes_received, known.end)).collect();
    format!(
        "{:?} {} {} {} {:?} {} {allocations:?} {:?}",
        counts.stun,
        counts.channel_data,
        counts.rtp,
        report.transactions.total,
        counts.error_codes,
        report.authentications.len(),
        ids(report)
    )
}

#[test]
fn messages_on_a_tcp_connection_through_a_nat_count_once() {
    let near = tcp::over_tcp(&shots(&turn_over_tcp()));
    let alone = analyze::report(&pcap(&near));
    assert!(alone.counts.stun["Allocate request"] == 2 && alone.counts.channel_data == 80);
    let far = points::clock(&points::translated(&points::further(&near, "10.0.0.2", 4_000), ALICE, NAT), -2_000, 0);
    let inside = points::translated(&points::further(&far, "203.0.113.50", 1_000), SERVER, "172.16.0.1:3478");
    for captures in [
        vec![("alice.pcap", pcap(&near)), ("nat.pcap", pcap(&far))],
        vec![("nat.pcap", pcap(&far)), ("alice.pcap", pcap(&near))],
        vec![("alice.pcap", pcap(&near)), ("nat.pcap", pcap(&far)), ("server.pcap", pcap(&inside))],
        vec![("server.pcap", pcap(&inside)), ("nat.pcap", pcap(&far)), ("alice.pcap", pcap(&near))],
    ] {
        let report = points::report(&captures);
        let names: Vec<_> = captures.iter().map(|(name, _)| *name).collect();
        assert_eq!(counted(&alone), counted(&report), "{names:?}");
        assert!(graver(&report).is_empty(), "{:?}", graver(&report));
        assert_eq!(report.allocations[0].client.to_string(), ALICE);
        assert!(report.nat.iter().any(|nat| nat.inside.to_string() == ALICE && nat.outside.to_string() == NAT));
        let lost: Vec<_> = report.joins.iter().flat_map(|join| &join.lost).collect();
        assert!(lost.iter().all(|lost| lost.src.to_string() == PEER), "answers to checks alone: {lost:?}");
    }
}

#[test]
fn a_connection_of_which_one_capture_lacks_segments_is_whole_with_the_other() {
    let near = tcp::over_tcp(&shots(&turn_over_tcp()));
    let alone = analyze::report(&pcap(&near));
    let far = points::translated(&points::further(&near, "10.0.0.2", 4_000), ALICE, NAT);
    let some: Vec<Shot> = near.iter().enumerate().filter(|(at, _)| at % 7 != 6).map(|(_, shot)| shot.clone()).collect();
    let others: Vec<Shot> =
        far.iter().enumerate().filter(|(at, _)| at % 7 != 3).map(|(_, shot)| shot.clone()).collect();
    let report = points::report(&[("alice.pcap", pcap(&some)), ("nat.pcap", pcap(&others))]);
    assert_eq!(counted(&alone), counted(&report));
    assert!(!report.counts.skipped.keys().any(|reason| reason.contains("missing")), "{:?}", report.counts.skipped);
    assert!(!report.counts.skipped.contains_key("gaps"), "{:?}", report.counts.skipped);
}

#[test]
fn a_connection_that_was_open_before_the_captures_is_one_as_well() {
    let all = tcp::over_tcp(&shots(&turn_over_tcp()));
    // without the three segments that open it
    let near: Vec<Shot> = all.iter().skip(4).cloned().collect();
    let alone = analyze::report(&pcap(&near));
    let far = points::translated(&points::further(&near, "10.0.0.2", 4_000), ALICE, NAT);
    let report = points::report(&[("alice.pcap", pcap(&near)), ("nat.pcap", pcap(&far))]);
    assert_eq!(counted(&alone), counted(&report));
}

#[test]
fn what_a_proxy_passes_on_counts_once() {
    let login = Login::new("alice", "example.org", "blue-harbour-42");
    let (mut near, mut far) = (Scene::new(), Scene::new());
    let mut sides = Vec::new();
    for (scene, client, server, start, late) in
        [(&mut near, ALICE, "198.51.100.1:3478", 1_000_u32, 0), (&mut far, "198.51.100.2:7777", SERVER, 77_000, 5)]
    {
        scene.later(1).after_ms(late);
        let mut connection = Tcp::running(client, server);
        connection.seq = [start, start * 3];
        connection.syn(scene);
        scene.after_ms(10).tcp(server, client, (start * 3, start + 1), 0x12, &[]);
        connection.seq[1] += 1;
        let first = Stun::request(method::ALLOCATE).requested_transport(17).tid([7; 12]);
        connection.ask(scene.after_ms(10), &first, |asked| {
            Stun::error_to(asked, 401, "Unauthorized").realm("example.org").nonce("n")
        });
        let retry = Stun::request(method::ALLOCATE).requested_transport(17).tid([8; 12]).signed(&login, "n");
        connection.ask(scene.after_ms(10), &retry, |asked| {
            Stun::success_to(asked).xor_relayed(RELAYED).xor_mapped(ALICE).lifetime(600).integrity(login.key())
        });
        scene.later(5);
        sides.push(connection);
    }
    let report = two(&shots(&near), &shots(&far));
    assert_eq!(report.joins[0].matched, 4, "{:?}", report.joins);
    assert_eq!(report.counts.stun["Allocate request"], 2, "{:?}", report.counts.stun);
    assert_eq!(report.counts.error_codes["401"], 1);
}

/// The client's capture as a pcapng that says how many packets it lost.
fn with_drops(shots: &[Shot], lost: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let length = 12 + body.len().next_multiple_of(4) as u32;
        out.extend(kind.to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend(body);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(length.to_le_bytes());
    };
    block(0x0A0D_0D0A, &[&[0x4D, 0x3C, 0x2B, 0x1A, 1, 0, 0, 0][..], &[0xFF; 8]].concat());
    // nanoseconds
    block(1, &[1, 0, 0, 0, 0, 0, 4, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
    for shot in shots {
        let mut body = vec![0; 4];
        body.extend(((shot.ns >> 32) as u32).to_le_bytes());
        body.extend((shot.ns as u32).to_le_bytes());
        body.extend((shot.bytes.len() as u32).to_le_bytes());
        body.extend((shot.whole as u32).to_le_bytes());
        body.extend(&shot.bytes);
        block(6, &body);
    }
    let mut body = vec![0; 12];
    body.extend([4, 0, 8, 0]);
    body.extend(1000_u64.to_le_bytes());
    body.extend([5, 0, 8, 0]);
    body.extend(lost.to_le_bytes());
    body.extend([0; 4]);
    block(5, &body);
    out
}

/// A client asks five times and nothing comes back.
fn silence() -> Scene {
    framed(|scene| {
        scene.after_ms(100).send_repeatedly(ALICE, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 7);
    })
}

#[test]
fn what_a_capture_lost_by_its_own_count_leaves_absence_open() {
    let all = shots(&silence());
    let whole = analyze::report(&with_drops(&all, 0));
    let told = finding(&whole, "turn-no-response");
    assert_eq!((told.severity, told.confidence), (Severity::Failure, Confidence::Certain));
    assert_eq!(whole.captures[0].lost_packets, None);
    let report = analyze::report(&with_drops(&all, 12));
    let told = finding(&report, "turn-no-response");
    assert_eq!(told.confidence, Confidence::Likely);
    assert_says(&told.explanation, "the capture lost packets (12)");
    assert_eq!(report.captures[0].lost_packets, Some(12));
    let text = turnscope::render::text::report(&report, &turnscope::render::text::Options::default());
    assert!(text.contains("Lost: 12 packets while capturing"), "{text}");
    // a refusal is no absence
    let mut scene = Scene::new();
    let login = Login::new("alice", "example.org", "wrong");
    scene.allocate_challenge(ALICE, SERVER, "example.org", "nonce");
    let retry = scene.after_ms(10).allocate_as(ALICE, SERVER, &login, "nonce");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "example.org", "nonce-2");
    scene.later(10);
    let refused = analyze::report(&with_drops(&shots(&scene), 12));
    assert_eq!(finding(&refused, "turn-integrity-rejected").confidence, Confidence::Certain);
}

#[test]
fn what_is_missing_at_a_point_that_lost_packets_is_not_certainly_lost_on_the_way() {
    let near = shots(&silence());
    let far = at_bob(&points::only(&near, |_, src, _| !from_alice(src)));
    let captures = [("alice.pcap", pcap(&near)), ("bob.pcap", with_drops(&far, 3))];
    let report = points::report(&captures);
    assert!(
        report.joins[0].lost.iter().all(|lost| lost.confidence == Confidence::Likely),
        "{:?}",
        report.joins[0].lost
    );
}

#[test]
fn four_points_tell_between_which_of_them_requests_are_lost_in_whatever_order_they_are_given() {
    let mut scene = Scene::new();
    scene.later(1).binding("10.0.0.2:50001", "192.0.2.1:3479", "203.0.113.50:61001");
    scene.after_ms(100).send_repeatedly(ALICE, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 7);
    scene.later(2).binding("10.0.0.2:50001", "192.0.2.1:3479", "203.0.113.50:61001").later(40);
    let client = shots(&scene);
    let inside = points::clock(&points::further(&client, "10.0.0.2", 1_000), 400, 0);
    // the NAT does not let them out
    let beyond = points::only(&points::further(&client, "10.0.0.2", 2_000), |_, src, _| src.port() != 50_000);
    let beyond = points::translated(&beyond, "10.0.0.2:50001", "203.0.113.50:61001");
    let outside = points::clock(&beyond, -7_000, 0);
    let server =
        points::translated(&points::further(&beyond, "203.0.113.50", 5_000), "192.0.2.1:3479", "172.16.0.1:3479");
    let server = points::clock(&server, 3_000, 0);
    let captures = [
        ("client.pcap", pcap(&client)),
        ("nat-inside.pcap", pcap(&inside)),
        ("nat-outside.pcap", pcap(&outside)),
        ("server.pcap", pcap(&server)),
    ];
    let tell = |order: [usize; 4]| {
        let report = points::report(&order.map(|at| captures[at].clone()));
        let name = |capture: u32| captures[order[capture as usize]].0;
        let lost: Vec<_> = report.joins.iter().flat_map(|join| &join.lost).collect();
        let mut lost: Vec<_> = lost.iter().map(|lost| (name(lost.from), name(lost.to), lost.count)).collect();
        lost.sort_unstable();
        let told = finding(&report, "turn-no-response");
        assert_says(&told.title, "none of them reached nat-outside.pcap");
        assert_says(&told.explanation, "7 of the 7 requests reached nat-inside.pcap");
        let nat = report.nat.iter().filter(|nat| nat.inside.to_string() == "10.0.0.2:50001").count();
        assert_eq!((nat, report.joins.len()), (1, 6));
        lost
    };
    let usual = tell([0, 1, 2, 3]);
    assert!(usual.contains(&("nat-inside.pcap", "nat-outside.pcap", 7)), "{usual:?}");
    for order in [[3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        assert_eq!(usual, tell(order), "{order:?}");
    }
}
