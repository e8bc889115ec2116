//! What can be said depends on where a capture was taken: calls that work, as a filter, one queue or both sides of a NAT show them, and halves of stories.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{self, assert_says, finding, ids, report_told};
use support::calls::{failures, graver, show};
use support::degrade::{self, Shot};
use support::dtls::{Shake, again};
use support::{IceSide, Icmp, Scene, Sent, Stun, Tcp, method, packet, payload, sides};
use turnscope::report::{Confidence, Report, Severity};

const ALICE: &str = "10.0.0.2:50000";
const BOB: &str = "198.51.100.7:40000";
const SERVER: &str = "192.0.2.1:3478";

fn of(scene: &Scene) -> Report {
    analyze::report(&scene.pcap())
}

fn of_shots(shots: &[Shot]) -> Report {
    analyze::report(&degrade::pcap(shots))
}

/// One check each way between two addresses, answered.
fn checks(scene: &mut Scene, one: &str, other: &str, nominates: bool) {
    let (a, b) = sides();
    let dress = |check: Stun| if nominates { check.use_candidate() } else { check };
    let check = scene.after_ms(1).ice_check(one, other, (&a, &b), true, dress);
    scene.after_ms(1).ice_answer(&check, &b);
    let check = scene.after_ms(1).ice_check(other, one, (&b, &a), false, |check| check);
    scene.after_ms(1).ice_answer(&check, &a);
}

/// The same of the component of RTCP, as its priority tells.
fn rtcp_checks(scene: &mut Scene, one: &str, other: &str) {
    let (a, b) = sides();
    for (from, to, asker, answerer, controls) in [(one, other, &a, &b, true), (other, one, &b, &a, false)] {
        let check = Stun::request(method::BINDING).username(format!("{}:{}", answerer.ufrag, asker.ufrag));
        let check = check.priority(0x6E00_01FE);
        let check = if controls { check.controlling(2).use_candidate() } else { check.controlled(1) };
        let check = scene.after_ms(1).send(from, to, check.integrity_short_term(&answerer.password).fingerprint());
        scene.after_ms(1).ice_answer(&check, answerer);
    }
}

/// Fifty packets of RTP one way, in a second.
fn media(scene: &mut Scene, ends: &[(&str, &str, u32)], second: u64) {
    for number in 0..50 {
        let sequence = (second * 50 + number) as u32;
        for (from, to, ssrc) in ends {
            scene.after_us(200).udp(*from, *to, payload::rtp(111, sequence as u16, sequence * 960, *ssrc, 80));
        }
        scene.after_ms(19);
    }
}

const ALICE_RTCP: &str = "10.0.0.2:50001";
const BOB_RTCP: &str = "198.51.100.7:40001";

/// How the two components of a call are told apart.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Components,
    /// Both are of component 1: two streams, each with media of its own.
    Streams,
    Ports,
}

/// A call of two components, of which the second never gets keys.
fn without_rtcp_keys(told: Told, rtp_works: bool, half_way: bool, multiplexed: bool) -> Report {
    let mut scene = Scene::new();
    let ask = |scene: &mut Scene| match told {
        Told::Components => {
            checks(scene, ALICE, BOB, true);
            rtcp_checks(scene, ALICE_RTCP, BOB_RTCP);
        }
        Told::Streams => {
            checks(scene, ALICE, BOB, true);
            checks(scene, ALICE_RTCP, BOB_RTCP, true);
        }
        Told::Ports => {}
    };
    ask(&mut scene);
    let mut of_rtp = Shake::between(ALICE, BOB);
    let mut of_rtcp = Shake::between(ALICE_RTCP, BOB_RTCP);
    if rtp_works {
        of_rtp.complete(&mut scene);
    }
    let offer = support::dtls::Offer { random: 0x33, ..Default::default() };
    let hello = of_rtcp.client_says(&mut scene, |client| client.client_hello(&offer));
    let flight = half_way.then(|| of_rtcp.server_flight(&mut scene));
    for second in 0..20 {
        if second % 5 == 0 {
            ask(&mut scene);
        }
        if rtp_works {
            media(&mut scene, &[(ALICE, BOB, 0xaaaa), (BOB, ALICE, 0xbbbb)], second);
            if multiplexed {
                scene.udp(
                    ALICE,
                    BOB,
                    payload::srtcp(&payload::rtcp_sender_report(0xaaaa, second as u32), second as u32),
                );
            }
        } else {
            scene.after_ms(1000);
        }
        if matches!(second, 1 | 3 | 5 | 7) {
            let _ = match &flight {
                Some(flight) => of_rtcp.server_says(&mut scene, |server| again(server, &flight.payload)),
                None => of_rtcp.client_says(&mut scene, |client| again(client, &hello.payload)),
            };
        }
    }
    of(&scene)
}

#[test]
fn rtcp_that_gets_no_keys_is_no_failure_where_media_flows() {
    for told in [Told::Components, Told::Ports] {
        for (half_way, id) in [(false, "dtls-no-answer"), (true, "dtls-incomplete")] {
            for (multiplexed, severity) in [(false, Severity::Warning), (true, Severity::Note)] {
                let report = without_rtcp_keys(told, true, half_way, multiplexed);
                assert!(failures(&report).is_empty(), "{told:?}\n{}", show(&report));
                let found = finding(&report, id);
                assert_eq!(found.severity, severity, "{told:?}");
                assert_says(&found.explanation, "This is the component of RTCP");
            }
        }
    }
}

#[test]
fn a_component_without_keys_is_a_failure_where_no_media_flows_or_it_would_be_its_own() {
    for (half_way, id) in [(false, "dtls-no-answer"), (true, "dtls-incomplete")] {
        for told in [Told::Components, Told::Streams] {
            assert!(failures(&without_rtcp_keys(told, false, half_way, false)).contains(&id), "{told:?}");
        }
        assert!(failures(&without_rtcp_keys(Told::Streams, true, half_way, false)).contains(&id));
    }
}

/// A hello again and again, and of the flight that answers it each time the IP fragments that are kept. `whole` is a datagram in fragments that all come.
fn fragmented(keep: impl Fn(usize) -> bool + Copy, whole: bool) -> Report {
    let mut scene = Scene::new();
    checks(&mut scene, ALICE, BOB, true);
    let mut shake = Shake::between(ALICE, BOB);
    if whole {
        scene.udp_in_fragments("192.0.2.77:5060", "10.0.0.77:5060", &[0x41; 2000], 1480, |_| true);
    }
    let hello = shake.hello(&mut scene);
    let flight = shake.server.server_flight(&vec![0x30; 2500]);
    for copy in 0..4 {
        scene.after_ms(20).udp_in_fragments(BOB, ALICE, &flight, 1480, keep);
        scene.after_ms(400 << copy);
        shake.client_says(&mut scene, |client| again(client, &hello.payload));
    }
    checks(&mut scene, ALICE, BOB, true);
    scene.later(5);
    of(&scene)
}

#[test]
fn fragments_that_a_filter_on_ports_leaves_out_may_have_come() {
    let of = |keep: fn(usize) -> bool, whole| {
        let report = fragmented(keep, whole);
        let found = finding(&report, "dtls-fragment-lost").clone();
        (found.confidence, found.explanation + &found.fix)
    };
    // the later ones have no ports; and there may be one queue of several that is captured
    for keep in [|place| place == 0, |place| place != 0] as [fn(usize) -> bool; 2] {
        let (confidence, told) = of(keep, false);
        assert_eq!(confidence, Confidence::Likely);
        assert_says(&told, "Or it is the capture that leaves them out");
        assert_says(&told, "or (ip[6:2] & 0x1fff != 0)");
        let (confidence, told) = of(keep, true);
        assert_eq!(confidence, Confidence::Certain, "another packet shows that the capture holds all");
        assert!(!told.contains("leaves them out"), "{told}");
    }
    assert_eq!(of(|place| place != 1, false).0, Confidence::Likely, "the last one of two is the second");
}

#[test]
fn a_capture_with_more_incomplete_packets_than_are_kept_is_not_sure_of_silence() {
    let told = |strangers: u16| {
        let mut scene = Scene::new();
        checks(&mut scene, ALICE, BOB, true);
        for _ in 0..strangers {
            scene.udp_in_fragments("192.0.2.77:5060", "10.0.0.77:5060", &[0x41; 2000], 1480, |place| place == 0);
        }
        let mut shake = Shake::between(ALICE, BOB);
        let hello = shake.hello(&mut scene);
        for copy in 0..4 {
            scene.after_ms(400 << copy);
            shake.client_says(&mut scene, |client| again(client, &hello.payload));
        }
        checks(&mut scene, ALICE, BOB, true);
        scene.later(5);
        finding(&of(&scene), "dtls-no-answer").confidence
    };
    assert_eq!((told(1), told(100)), (Confidence::Certain, Confidence::Likely));
}

/// Media goes to a server that answers checks, and asks itself or not, and sends nothing else; or, until a second, sends media too.
fn broadcast(asks: bool, until: u64) -> Scene {
    let mut scene = Scene::new();
    let (a, b) = sides();
    checks(&mut scene, ALICE, BOB, true);
    Shake::between(ALICE, BOB).complete(&mut scene);
    for second in 0..60 {
        let both = [(ALICE, BOB, 0xaaaa), (BOB, ALICE, 0xbbbb)];
        media(&mut scene, if second < until { &both } else { &both[..1] }, second);
        if second % 5 == 0 {
            scene.udp(ALICE, BOB, payload::srtcp(&payload::rtcp_sender_report(0xaaaa, second as u32), second as u32));
            if asks {
                checks(&mut scene, ALICE, BOB, false);
            } else {
                let check = scene.after_ms(1).ice_check(ALICE, BOB, (&a, &b), true, |check| check);
                scene.after_ms(1).ice_answer(&check, &b);
            }
        }
    }
    scene
}

#[test]
fn a_server_that_takes_media_in_and_gives_no_reports_is_accused_of_nothing_for_certain() {
    let sdp = |side: &IceSide, direction: &str| {
        format!("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:{}\r\na={direction}\r\n", side.ufrag)
    };
    let (a, b) = sides();
    let (offer, answer) = (sdp(&a, "sendonly"), sdp(&b, "recvonly"));
    for asks in [false, true] {
        let report = report_told(&broadcast(asks, 0).pcap(), &[("offer.sdp", &offer), ("answer.sdp", &answer)]);
        assert!(failures(&report).is_empty(), "{}", show(&report));
        let found = finding(&report, "media-one-way");
        assert_eq!(found.confidence, Confidence::Likely);
        assert_says(&found.explanation, "unless its stack gives no reports at all");
        assert_says(&found.fix, "None is needed where 198.51.100.7:40000 is meant to send nothing");
        // nor is one that sends media for a while, and gives no reports even then
        assert!(failures(&of(&broadcast(asks, 10))).is_empty());
    }
}

/// As [`degrade::both_sides_of_a_nat`], of TCP too.
fn both_sides(shots: &[Shot], inside: [u8; 4], outside: [u8; 4]) -> Vec<Shot> {
    let mut out = Vec::new();
    for shot in shots {
        out.push(shot.clone());
        for (at, early) in [(26, false), (30, true)] {
            if shot.bytes[at..at + 4] == inside {
                let mut beyond = shot.clone();
                beyond.bytes[22] -= 1;
                beyond.bytes[at..at + 4].copy_from_slice(&outside);
                beyond.ns = if early { shot.ns.saturating_sub(200_000) } else { shot.ns + 200_000 };
                out.push(beyond);
            }
        }
    }
    out.sort_by_key(|shot| shot.ns);
    out
}

/// The findings of one id, in a capture on one side of a NAT and on both.
fn seen_from(scene: &Scene, id: &str) -> [Vec<(Confidence, u64)>; 2] {
    let shots = degrade::shots(scene);
    let both = both_sides(&shots, [10, 0, 0, 2], [203, 0, 113, 5]);
    [of_shots(&shots), of_shots(&both)].map(|report| {
        let found = report.findings.iter().filter(|found| found.id == id);
        found.map(|found| (found.confidence, found.occurrences)).collect()
    })
}

#[test]
fn a_connection_that_comes_to_nothing_is_counted_once_on_both_sides_of_a_nat() {
    for refused in [false, true] {
        let mut scene = Scene::new();
        scene.allocate(ALICE, SERVER);
        if refused {
            Tcp::refused(&mut scene, "10.0.0.2:51000", SERVER);
            Tcp::refused(scene.after_ms(700), "10.0.0.2:51001", SERVER);
        } else {
            Tcp::knock(&mut scene, "10.0.0.2:51000", SERVER);
        }
        scene.later(5);
        let [one, both] = seen_from(&scene, "turn-unreachable");
        assert_eq!((one.len(), one[0].1), (1, 1));
        assert_eq!(both, one, "refused: {refused}");
    }
}

#[test]
fn media_one_way_is_counted_once_on_both_sides_of_a_nat() {
    for until in [0, 10] {
        let mut scene = Scene::new();
        checks(&mut scene, ALICE, BOB, true);
        Shake::between(ALICE, BOB).complete(&mut scene);
        for second in 0..40 {
            let both = [(ALICE, BOB, 0xaaaa), (BOB, ALICE, 0xbbbb)];
            let sending = if second < until { &both[..] } else { &both[..1] };
            if second % 5 == 0 {
                checks(&mut scene, ALICE, BOB, false);
            }
            media(&mut scene, sending, second);
            for (from, to, ssrc) in sending {
                let report = payload::rtcp_sender_report(*ssrc, second as u32);
                scene.udp(*from, *to, payload::srtcp(&report, second as u32));
            }
        }
        let [one, both] = seen_from(&scene, "media-one-way");
        assert_eq!((one.len(), one[0].1), (1, 1));
        assert_eq!(both, one, "media until {until}");
    }
}

#[test]
fn a_flow_of_which_one_direction_is_missing_is_counted_once_on_both_sides_of_a_nat() {
    let mut scene = Scene::new();
    let login = support::alice();
    scene.allocation(ALICE, SERVER, &login, "nonce-1", "192.0.2.1:50123");
    scene.talk(ALICE, SERVER, &login, "nonce-1", (0x4000, BOB), 20);
    let half: Vec<_> = degrade::shots(&scene).into_iter().filter(|shot| shot.bytes[26..30] == [10, 0, 0, 2]).collect();
    let report = of_shots(&both_sides(&half, [10, 0, 0, 2], [203, 0, 113, 5]));
    assert_eq!(finding(&report, "capture-one-sided").occurrences, 1);
}

/// A call, at Bob's side, of which Alice leaves her network after 20 s, and goes on from another `back_at` seconds after its beginning. Bob sends to the old
/// address until then, or goes on with it.
fn moved(new: &str, back_at: u64, overlap: bool, restart: bool) -> Report {
    let mobile = "203.0.113.77:61000";
    let mut scene = Scene::new();
    checks(&mut scene, ALICE, BOB, true);
    Shake::between(ALICE, BOB).complete(&mut scene);
    let report = |scene: &mut Scene, from: &str, to: &str, ssrc: u32, second: u64| {
        scene.udp(from, to, payload::srtcp(&payload::rtcp_sender_report(ssrc, second as u32), second as u32));
    };
    let (mut a, mut b) = sides();
    for second in 0..80 {
        let there = second >= back_at;
        if second == back_at {
            if restart {
                a = IceSide::new("a2a2", "a-password-of-ice-6543210", 2);
                b = IceSide::new("b2b2", "b-password-of-ice-6543210", 1);
            }
            let check = scene.after_ms(1).ice_check(mobile, new, (&a, &b), true, |check| check.use_candidate());
            scene.after_ms(1).ice_answer(&check, &b);
            let check = scene.after_ms(1).ice_check(new, mobile, (&b, &a), false, |check| check);
            scene.after_ms(1).ice_answer(&check, &a);
        }
        let mut ends = Vec::new();
        if second < 20 {
            ends.push((ALICE, BOB, 0xaaaa));
        }
        if there {
            ends.extend([(mobile, new, 0xaaaa), (new, mobile, 0xbbbb)]);
        }
        if !there || overlap {
            ends.push((BOB, ALICE, 0xbbbb));
        }
        ends.iter().for_each(|(from, to, ssrc)| report(&mut scene, from, to, *ssrc, second));
        media(&mut scene, &ends, second);
    }
    of(&scene)
}

#[test]
fn a_side_that_goes_on_from_another_network_is_not_gone() {
    for new in [BOB, "198.51.100.7:40009"] {
        for (back_at, overlap) in [(24, true), (24, false), (50, true), (50, false)] {
            for restart in [true, false] {
                let report = moved(new, back_at, overlap, restart);
                assert!(graver(&report).is_empty(), "{new} {back_at} {overlap} {restart}\n{}", show(&report));
            }
        }
    }
    let gone = moved(BOB, 80, false, false);
    assert_eq!(finding(&gone, "media-one-way").severity, Severity::Failure, "one that does not is");
}

/// The frames with each of these 30 us earlier than the one before it, and before it in the file.
fn answers_first(scene: &Scene, answers: &[u64]) -> Vec<Shot> {
    let mut shots = degrade::shots(scene);
    for &frame in answers {
        let at = frame as usize - 1;
        shots[at].ns = shots[at - 1].ns - 30_000;
        shots.swap(at - 1, at);
    }
    shots
}

/// Errors and resets that stand before what they answer tell the same as those behind it.
#[track_caller]
fn assert_same(scene: &Scene, answers: &[u64], id: &str) {
    let (one, other) = (of(scene), of_shots(&answers_first(scene, answers)));
    let [told, early] = [&one, &other]
        .map(|report| (finding(report, id).title.clone(), finding(report, id).confidence, ids(report).len()));
    assert_eq!(early, told, "\n{}\n{}", show(&one), show(&other));
}

#[test]
fn an_icmp_error_that_stands_just_before_the_packet_that_it_quotes_answers_it() {
    for often in [1, 2, 4] {
        let mut scene = Scene::new();
        let answers: Vec<u64> = (0..often)
            .map(|number| {
                let request = Stun::request(method::ALLOCATE).requested_transport(17).tid([7; 12]);
                let sent = scene.at_ms(1000 + 500 * number).send(ALICE, SERVER, request);
                scene.after_us(40).icmp_unreachable("192.0.2.1", &sent)
            })
            .collect();
        scene.later(5);
        assert_same(&scene, &answers, "turn-unreachable");

        let mut scene = Scene::new();
        let mut shake = Shake::between(ALICE, BOB);
        let hello = shake.hello(&mut scene);
        let mut answers = vec![scene.after_us(100).icmp_unreachable("198.51.100.7", &hello)];
        for _ in 1..often {
            scene.after_ms(700);
            let hello = shake.client_says(&mut scene, |client| again(client, &hello.payload));
            answers.push(scene.after_us(100).icmp_unreachable("198.51.100.7", &hello));
        }
        scene.later(5);
        assert_same(&scene, &answers, "dtls-unreachable");
    }
}

#[test]
fn an_answer_to_a_syn_that_stands_just_before_it_answers_it() {
    for (often, reset) in [(1, false), (1, true), (3, false), (3, true)] {
        let mut scene = Scene::new();
        scene.allocate(ALICE, SERVER);
        let answers: Vec<u64> = (0..often)
            .map(|number| {
                let from = format!("10.0.0.2:{}", 51_000 + number);
                let packet = packet::tcp(from.as_str(), SERVER, packet::Ip::default(), 1000, 0, packet::SYN, &[]);
                scene.after_ms(1000).packet(&packet);
                let (client, server) = (from.parse().unwrap(), SERVER.parse().unwrap());
                let syn = Sent { frame: 0, from: client, to: server, payload: Vec::new(), packet };
                match reset {
                    true => scene.after_us(50).tcp(SERVER, from.as_str(), (0, 1001), packet::RST | packet::ACK, &[]),
                    false => scene.after_us(50).icmp("10.0.0.1", Icmp::Prohibited, &syn),
                }
            })
            .collect();
        scene.later(5);
        assert_same(&scene, &answers, "turn-unreachable");
    }
}

#[test]
fn a_capture_of_the_servers_port_does_not_show_the_direct_way_that_made_its_relay_needless() {
    let told = |whole: bool| {
        let (login, (a, b)) = (support::alice(), sides());
        let mut scene = Scene::new();
        if whole {
            scene.resolved(ALICE); // it is no filter on a port that made this capture
        }
        scene.allocation(ALICE, SERVER, &login, "nonce-1", "192.0.2.1:50123");
        let asked = scene.after_ms(20).create_permission(ALICE, SERVER, &login, "nonce-1", BOB);
        scene.after_ms(10).granted(&asked, None, &login);
        for number in 0..12 {
            let check = support::scene::ice_check(&a, &b, true, |check| check).tid([number; 12]).bytes();
            scene.after_ms(300).send_indication(ALICE, SERVER, BOB, &check);
        }
        scene.after_ms(10_000).hang_up(ALICE, SERVER, &login, "nonce-1");
        scene.later(5);
        let report = of(&scene);
        finding(&report, "turn-relay-silent").clone()
    };
    assert_eq!(told(true).confidence, Confidence::Certain);
    assert_eq!(told(false).confidence, Confidence::Likely);
    assert_says(&told(false).explanation, "Capture all UDP of the client");
}

#[test]
fn a_pair_that_webrtc_keeps_up_beside_the_one_that_it_chose_elsewhere_lacks_no_nomination_for_certain() {
    let told = |every_ms: u64, webrtc: bool| {
        let (a, b) = sides();
        let dress = |check: Stun| if webrtc { check.attribute(0xC057, [0, 1, 0, 10]) } else { check };
        let mut scene = Scene::new();
        for _ in 0..8000 / every_ms {
            let check = scene.after_ms(every_ms - 3).ice_check(ALICE, BOB, (&a, &b), true, dress);
            scene.after_ms(1).ice_answer(&check, &b);
            let check = scene.after_ms(1).ice_check(BOB, ALICE, (&b, &a), false, dress);
            scene.after_ms(1).ice_answer(&check, &a);
        }
        scene.later(30);
        finding(&of(&scene), "ice-not-nominated").confidence
    };
    assert_eq!(told(900, true), Confidence::Likely);
    assert_eq!((told(200, true), told(900, false)), (Confidence::Certain, Confidence::Certain));
}
