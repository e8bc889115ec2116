//! What a relay does not pass on: silence behind it, missing permissions, unbound channels, allocations that ended or were left behind; and
//! servers that cannot see their clients.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{assert_says, finding, ids, report};
use support::degrade::{clock_set, from, pcap, shots, snapped, to};
use support::*;
use turnscope::report::{AllocationEnd, Confidence, Report, Severity, Verdict};

const CLIENT: &str = "192.0.2.10:50000";
const SERVER: &str = "203.0.113.1:3478";
const RELAYED: &str = "203.0.113.1:24000";
const PEER: &str = "198.51.100.20:6000";
const OTHER_PEER: &str = "198.51.100.21:6000";

const MINE: [&str; 6] = [
    "turn-relay-silent",
    "turn-permission-missing",
    "turn-channel-mismatch",
    "turn-data-after-expiry",
    "turn-allocation-leaked",
    "turn-mapped-private",
];

fn mine(report: &Report) -> Vec<&str> {
    ids(report).into_iter().filter(|id| MINE.contains(id)).collect()
}

/// A client that has its allocation.
fn allocated() -> Scene {
    Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED)
}

fn permit(scene: &mut Scene, peer: &str) {
    let request = scene.after_ms(20).create_permission(CLIENT, SERVER, &alice(), "nonce-1", peer);
    scene.after_ms(10).granted(&request, None, &alice());
}

fn bind(scene: &mut Scene, channel: u16, peer: &str) {
    let request = scene.after_ms(20).channel_bind(CLIENT, SERVER, &alice(), "nonce-1", (channel, peer));
    scene.after_ms(10).granted(&request, None, &alice());
}

fn send(scene: &mut Scene, peer: &str, times: u16, every_ms: u64) {
    for number in 0..times {
        let packet = payload::rtp(96, number, u32::from(number) * 960, 1, 100);
        scene.after_ms(every_ms).send_indication(CLIENT, SERVER, peer, packet);
    }
}

fn receive(scene: &mut Scene, peer: &str, times: u16) {
    for number in 0..times {
        let packet = payload::rtp(96, number, u32::from(number) * 960, 2, 100);
        scene.after_ms(20).data_indication(SERVER, CLIENT, peer, packet);
    }
}

fn send_on(scene: &mut Scene, channel: u16, times: u16, every_ms: u64) {
    for number in 0..times {
        let packet = payload::rtp(96, number, u32::from(number) * 960, 1, 100);
        scene.after_ms(every_ms).channel_data(CLIENT, SERVER, channel, packet);
    }
}

/// Nothing certain is said of what only one direction shows, or the first bytes of each frame.
#[track_caller]
fn parts_accuse_nobody(scene: &Scene) {
    let all = shots(scene);
    for (what, part) in [
        ("requests", from(&all, "192.0.2.10")),
        ("answers", to(&all, "192.0.2.10")),
        ("without its start", all[5.min(all.len())..].to_vec()),
        ("snap length 60", snapped(&all, 60)),
        ("snap length 72", snapped(&all, 72)),
    ] {
        let report = report(&support::degrade::pcap(&part));
        for finding in report.findings.iter().filter(|finding| MINE.contains(&finding.id.as_str())) {
            let certain = finding.confidence == Confidence::Certain && finding.severity == Severity::Failure;
            assert!(!certain, "{what}: {}", finding.id);
        }
        assert_ne!(report.verdict, Verdict::Failure, "{what}: {}", report.headline);
    }
}

// turn-relay-silent

#[test]
fn data_that_leaves_through_a_relay_and_brings_nothing_back_is_a_failure() {
    let mut scene = allocated();
    permit(&mut scene, PEER);
    send(&mut scene, PEER, 10, 500);
    scene.later(5);
    let told = report(&scene.pcap());
    assert_eq!(mine(&told), ["turn-relay-silent"]);
    assert_eq!(told.headline_finding.as_deref(), Some("turn-relay-silent"));
    let found = finding(&told, "turn-relay-silent");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.fix, "port 24000");
    parts_accuse_nobody(&scene);
}

#[test]
fn a_client_that_sends_all_its_checks_within_two_seconds_has_waited_long_enough_too() {
    // as pion does, which gives up after seven checks and closes half a minute later
    let mut scene = allocated();
    permit(&mut scene, PEER);
    send(&mut scene, PEER, 8, 200);
    assert!(mine(&report(&scene.pcap())).is_empty());
    scene.later(9);
    let told = report(&scene.pcap());
    assert_eq!(mine(&told), ["turn-relay-silent"]);
    let explanation = &finding(&told, "turn-relay-silent").explanation;
    assert!(explanation.contains("over 1 second. Not one came back from any peer and within"), "{explanation}");
    parts_accuse_nobody(&scene);
}

#[test]
fn what_a_permitted_peer_sends_to_a_relay_and_the_client_never_gets_points_at_the_firewall_of_the_server() {
    for far in [false, true] {
        let mut scene = Scene::new();
        if far {
            scene.far_away(SERVER);
        }
        scene.allocation(CLIENT, SERVER, &alice(), "nonce-1", RELAYED);
        permit(&mut scene, PEER);
        let (peer, client) = caller();
        for _ in 0..10 {
            let check = support::scene::ice_check(&client, &peer, true, |check| check).bytes();
            scene.after_ms(500).send_indication(CLIENT, SERVER, PEER, &check);
            let sent = scene.after_ms(1).udp(RELAYED, PEER, check);
            scene.after_ms(20).ice_answer(&sent, &peer);
        }
        scene.later(5);
        let told = report(&scene.pcap());
        assert_eq!(mine(&told), ["turn-relay-silent"], "{far}");
        let found = finding(&told, "turn-relay-silent");
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
        let seen = if far { "is seen on its way" } else { "arrives" };
        let title = format!("What 198.51.100.20 sends to the relay 203.0.113.1:24000 {seen}");
        assert!(found.title.starts_with(&title), "{}", found.title);
        assert_says(&found.explanation, "10 datagrams of 198.51.100.20");
        assert_eq!(found.explanation.contains("the host's own firewall"), !far, "{}", found.explanation);
        assert_says(&found.fix, "24000");
    }
}

/// A client far from the capture that checks a permitted peer through its relay so many times.
fn checked_from_afar(times: u8) -> Scene {
    let mut scene = Scene::new();
    scene.far_away(CLIENT);
    scene.allocation(CLIENT, SERVER, &alice(), "nonce-1", RELAYED);
    permit(&mut scene, PEER);
    let (peer, client) = caller();
    for number in 0..times {
        let check = support::scene::ice_check(&client, &peer, true, |check| check.tid([number; 12])).bytes();
        scene.after_ms(800).send_indication(CLIENT, SERVER, PEER, &check);
    }
    scene.later(5);
    scene
}

#[test]
fn one_attempt_of_checks_through_a_relay_tells_a_capture_far_from_the_client_of_no_failure() {
    // the call may have gone the direct way, which does not pass the server: libjuice goes on checking all other pairs
    for (times, confidence) in [(7, Confidence::Likely), (8, Confidence::Certain)] {
        let told = report(&checked_from_afar(times).pcap());
        let found = finding(&told, "turn-relay-silent");
        assert_eq!(found.confidence, confidence, "{times}");
        let may_be_direct = found.explanation.contains("a direct way between the two need not pass");
        assert_eq!(may_be_direct, confidence == Confidence::Likely, "{}", found.explanation);
    }
    // nor is it seen where only what is from or to the server is looked at
    let mut near = Scene::new();
    near.resolved(CLIENT);
    near.allocation(CLIENT, SERVER, &alice(), "nonce-1", RELAYED);
    permit(&mut near, PEER);
    let (peer, client) = caller();
    for number in 0..7 {
        let check = support::scene::ice_check(&client, &peer, true, |check| check.tid([number; 12])).bytes();
        near.after_ms(800).send_indication(CLIENT, SERVER, PEER, &check);
    }
    near.later(5);
    assert_eq!(finding(&report(&near.pcap()), "turn-relay-silent").confidence, Confidence::Certain);
    let server = SERVER.parse::<std::net::SocketAddr>().unwrap().ip();
    let told = support::analyze::report_of_host(&near.pcap(), server);
    assert_eq!(finding(&told, "turn-relay-silent").confidence, Confidence::Likely);
    let mut media = checked_from_afar(4);
    send(&mut media, PEER, 10, 500);
    assert_eq!(finding(&report(&media.pcap()), "turn-relay-silent").confidence, Confidence::Certain);
}

#[test]
fn what_a_peer_sent_before_there_was_a_permission_does_not_point_at_the_firewall_of_the_server() {
    let mut scene = allocated();
    let (peer, client) = caller();
    scene.after_ms(20).ice_check(PEER, RELAYED, (&peer, &client), false, |check| check);
    permit(&mut scene, PEER);
    for _ in 0..10 {
        let check = support::scene::ice_check(&client, &peer, true, |check| check).bytes();
        scene.after_ms(500).send_indication(CLIENT, SERVER, PEER, &check);
        scene.after_ms(1).udp(RELAYED, PEER, check);
    }
    scene.later(5);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-relay-silent");
    assert!(found.title.starts_with("Nothing comes back through the relay"), "{}", found.title);
}

/// What came back for what the relay sent on, as the server tells its client (RFC 8656 §11.5).
fn told_by_icmp(scene: &mut Scene, peer: &str, [kind, code]: [u8; 2]) -> u64 {
    let told = Stun::indication(method::DATA).xor_peer(peer).attribute(0x8004, [0, 0, kind, code, 0, 0, 0, 0]);
    scene.after_ms(20).send(SERVER, CLIENT, told).frame
}

#[test]
fn a_peer_that_the_relay_does_not_reach_is_told_and_not_the_ports_of_the_relay() {
    for (error, words, what) in [
        ([3, 3], "port unreachable", "still holds"),
        ([3, 13], "administratively prohibited", "Permit UDP from 203.0.113.1 to"),
        ([3, 1], "host unreachable", "route from 203.0.113.1"),
    ] {
        let mut scene = allocated();
        permit(&mut scene, PEER);
        let mut first = None;
        for _ in 0..10 {
            send(&mut scene, PEER, 1, 500);
            first.get_or_insert(told_by_icmp(&mut scene, PEER, error));
        }
        scene.later(5);
        let told = report(&scene.pcap());
        let found = finding(&told, "turn-relay-silent");
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
        let title = format!("What {CLIENT} sends through the relay {RELAYED} does not reach {PEER}: {words} (ICMP)");
        assert_eq!(found.title, title);
        assert_says(&found.explanation, "203.0.113.1:3478 told the client");
        assert!(found.places.iter().any(|place| Some(place.frame) == first), "{:?}", found.places);
        assert!(found.fix.contains(what) && !found.fix.contains("range of relay ports"), "{}", found.fix);
    }
}

#[test]
fn a_peer_that_turns_the_relay_away_is_seen_at_the_server_too() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    for number in 0..10 {
        let packet = payload::rtp(96, number, u32::from(number) * 960, 1, 100);
        scene.after_ms(500).channel_data(CLIENT, SERVER, 0x4000, &packet);
        let sent = scene.after_ms(1).udp(RELAYED, PEER, packet);
        scene.after_ms(20).icmp_unreachable("198.51.100.20", &sent);
    }
    scene.later(5);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-relay-silent");
    assert_says(&found.title, "port unreachable (ICMP)");
    assert_says(&found.explanation, "198.51.100.20 answered what the relay sent to");
}

#[test]
fn a_peer_that_turns_the_relay_away_beside_one_that_is_silent_is_told_with_the_relay() {
    let mut scene = allocated();
    permit(&mut scene, OTHER_PEER);
    permit(&mut scene, PEER);
    for _ in 0..10 {
        send(&mut scene, OTHER_PEER, 1, 250);
        send(&mut scene, PEER, 1, 250);
        told_by_icmp(&mut scene, PEER, [3, 3]);
    }
    scene.later(5);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-relay-silent");
    assert!(found.title.starts_with("Nothing comes back through the relay"), "{}", found.title);
    assert_says(&found.explanation, &format!("for {PEER} \"port unreachable\""));
    assert_says(&found.fix, "port 24000");
    // a packet that was too big is no reason
    let mut scene = allocated();
    permit(&mut scene, PEER);
    send(&mut scene, PEER, 10, 500);
    told_by_icmp(&mut scene, PEER, [3, 4]);
    scene.later(5);
    let told = report(&scene.pcap());
    assert!(!finding(&told, "turn-relay-silent").explanation.contains("ICMP"));
}

#[test]
fn one_request_for_permissions_gives_one_to_each_peer_that_it_names() {
    let sent_to = |peer, named: &[&str]| {
        let mut scene = allocated();
        let all = named.iter().fold(Stun::request(method::CREATE_PERMISSION), |request, peer| request.xor_peer(*peer));
        let request = scene.after_ms(20).send(CLIENT, SERVER, all.signed(&alice(), "nonce-1"));
        scene.after_ms(10).granted(&request, None, &alice());
        send(&mut scene, peer, 10, 500);
        scene.later(5);
        report(&scene.pcap())
    };
    let told = sent_to(PEER, &[OTHER_PEER, PEER]);
    let peers: Vec<String> = told.allocations[0].permissions.iter().map(|known| known.peer.to_string()).collect();
    let host = |peer: &str| peer.split(':').next().unwrap().to_owned();
    assert_eq!(peers.iter().map(|peer| host(peer)).collect::<Vec<_>>(), [host(OTHER_PEER), host(PEER)]);
    assert_eq!(mine(&told), ["turn-relay-silent"]);
    // and none to anybody else
    let another = "198.51.100.77:4000";
    assert_eq!(mine(&sent_to(another, &[OTHER_PEER, PEER])), ["turn-permission-missing"]);
    // of more than are kept anybody may have one
    let many: Vec<String> = (1..=20).map(|number| format!("198.51.100.{}:4000", 57 + number)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(!mine(&sent_to(another, &many)).contains(&"turn-permission-missing"));
}

#[test]
fn a_relay_that_brings_something_back_is_not_silent() {
    let mut scene = allocated();
    permit(&mut scene, PEER);
    send(&mut scene, PEER, 10, 500);
    receive(&mut scene, PEER, 1);
    scene.later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

#[test]
fn a_silent_relay_beside_a_call_that_works_is_not_worth_a_word() {
    let mut scene = allocated();
    permit(&mut scene, PEER);
    send(&mut scene, PEER, 10, 500);
    scene.direct_call("192.0.2.10:50010", PEER, 20).later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

#[test]
fn a_few_messages_into_a_relay_are_no_attempt() {
    let mut scene = allocated();
    permit(&mut scene, PEER);
    send(&mut scene, PEER, 4, 200);
    scene.later(60);
    assert!(!mine(&report(&scene.pcap())).contains(&"turn-relay-silent"));
}

#[test]
fn a_peer_in_a_closed_network_says_nothing_of_the_relay() {
    let mut scene = allocated();
    permit(&mut scene, "10.1.2.3:6000");
    send(&mut scene, "10.1.2.3:6000", 10, 500);
    scene.later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

// turn-permission-missing

#[test]
fn sending_without_ever_asking_for_a_permission_is_a_failure() {
    let mut scene = allocated();
    send(&mut scene, PEER, 10, 500);
    scene.later(5);
    let told = report(&scene.pcap());
    assert_eq!(mine(&told), ["turn-permission-missing"]);
    let found = finding(&told, "turn-permission-missing");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_eq!(told.headline_finding.as_deref(), Some("turn-permission-missing"));
    parts_accuse_nobody(&scene);
}

#[test]
fn data_before_the_permission_is_answered_is_no_fault() {
    let mut scene = allocated();
    send(&mut scene, PEER, 6, 500);
    permit(&mut scene, PEER);
    send(&mut scene, PEER, 2, 50);
    receive(&mut scene, PEER, 3);
    scene.later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

#[test]
fn a_permission_that_was_asked_for_and_never_answered_is_not_missing() {
    let mut scene = allocated();
    scene.after_ms(20).create_permission(CLIENT, SERVER, &alice(), "nonce-1", PEER);
    send(&mut scene, PEER, 10, 500);
    scene.later(5);
    assert!(!mine(&report(&scene.pcap())).contains(&"turn-permission-missing"));
}

#[test]
fn a_missing_permission_beside_one_that_works_is_a_note() {
    let mut scene = allocated();
    permit(&mut scene, PEER);
    send(&mut scene, OTHER_PEER, 6, 500);
    send(&mut scene, PEER, 3, 50);
    receive(&mut scene, PEER, 3);
    scene.later(5);
    let told = report(&scene.pcap());
    assert_eq!(finding(&told, "turn-permission-missing").severity, Severity::Note);
    assert_eq!(told.verdict, Verdict::Healthy);
}

#[test]
fn a_permission_that_ran_out_is_told_with_its_300_seconds() {
    let mut scene = allocated();
    permit(&mut scene, PEER);
    send(&mut scene, PEER, 2, 50);
    receive(&mut scene, PEER, 2);
    // the allocation lives, the permission does not
    for _ in 0..70 {
        send(&mut scene, PEER, 1, 5000);
    }
    scene.later(5);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-permission-missing");
    assert_eq!(found.severity, Severity::Failure);
    assert_says(&found.title, "ran out");
    assert_says(&found.explanation, "300 seconds");
}

#[test]
fn a_permission_that_ran_out_is_told_of_a_client_that_sent_to_many_peers_before_it_had_any() {
    let mut scene = allocated();
    let peers: Vec<String> = (1..=4).map(|host| format!("198.51.100.{host}:6000")).collect();
    // as Chromium does: data leaves before the permission is answered
    for peer in &peers {
        let request = scene.after_ms(5).create_permission(CLIENT, SERVER, &alice(), "nonce-1", peer.as_str());
        send(&mut scene, peer, 1, 1);
        scene.after_ms(10).granted(&request, None, &alice());
    }
    receive(&mut scene, &peers[0], 2);
    for _ in 0..70 {
        send(&mut scene, &peers[0], 1, 5000);
    }
    scene.later(5);
    let told = report(&scene.pcap());
    assert_eq!(mine(&told), ["turn-permission-missing"]);
    let found = finding(&told, "turn-permission-missing");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.title, "The permission for 198.51.100.1 on");
    parts_accuse_nobody(&scene);
}

#[test]
fn a_permission_whose_renewal_is_not_in_the_capture_has_not_run_out() {
    let mut scene = allocated();
    permit(&mut scene, PEER);
    for _ in 0..70 {
        send(&mut scene, PEER, 1, 5000);
        receive(&mut scene, PEER, 1);
    }
    scene.later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

/// A permission that ran out while data was sent, and was renewed after all; `bound` where the data goes over a channel.
fn renewed_late(bound: bool, answered_meanwhile: bool) -> Scene {
    let mut scene = allocated();
    let permit = |scene: &mut Scene| if bound { bind(scene, 0x4000, PEER) } else { permit(scene, PEER) };
    permit(&mut scene);
    for second in 0..340 {
        if bound {
            send_on(&mut scene, 0x4000, 1, 980);
        } else {
            send(&mut scene, PEER, 1, 980);
        }
        if second < 295 || answered_meanwhile {
            receive(&mut scene, PEER, 1);
        }
    }
    permit(&mut scene);
    send(&mut scene, PEER, 2, 20);
    receive(&mut scene, PEER, 2);
    scene
}

#[test]
fn a_permission_that_is_renewed_late_is_a_note_on_what_was_sent_meanwhile() {
    for bound in [false, true] {
        let told = report(&renewed_late(bound, false).pcap());
        let found = finding(&told, "turn-permission-missing");
        assert_eq!((found.severity, told.verdict), (Severity::Note, Verdict::Healthy));
        assert!(found.title.contains("had run out") && found.title.contains("renewed it late"), "{}", found.title);
        assert_says(&found.explanation, "while it had no permission");
        assert!(mine(&report(&renewed_late(bound, true).pcap())).is_empty(), "the capture lacks what renewed it");
    }
}

#[test]
fn a_permission_that_is_renewed_in_time_or_before_much_was_sent_is_not_worth_a_word() {
    let mut scene = allocated();
    for _ in 0..3 {
        permit(&mut scene, PEER);
        send(&mut scene, PEER, 250, 1000);
        receive(&mut scene, PEER, 1);
    }
    permit(&mut scene, PEER);
    scene.after_ms(320_000);
    send(&mut scene, PEER, 2, 50);
    permit(&mut scene, PEER);
    send(&mut scene, PEER, 3, 50);
    receive(&mut scene, PEER, 1);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

// the same as the server's side shows it

/// Two agents of which one checks the other's relay.
fn caller() -> (IceSide, IceSide) {
    (IceSide::new("peer", "password-of-the-peer-0123", 1), IceSide::new("turn", "password-of-the-client-012", 2))
}

/// A peer checks the relay so many times, every half second.
fn arrive(scene: &mut Scene, peer: &str, relayed: &str, times: u32) {
    let (own, other) = caller();
    for _ in 0..times {
        scene.after_ms(500).ice_check(peer, relayed, (&own, &other), false, |check| check);
    }
}

#[test]
fn a_peer_that_reaches_a_relay_which_has_no_permission_for_it_is_a_failure() {
    let mut scene = allocated();
    permit(&mut scene, OTHER_PEER);
    arrive(&mut scene, PEER, RELAYED, 12);
    scene.later(5);
    let told = report(&scene.pcap());
    assert_eq!(mine(&told), ["turn-permission-missing"]);
    let found = finding(&told, "turn-permission-missing");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert!(found.title.starts_with("Data of 198.51.100.20 reaches the relay 203.0.113.1:24000"), "{}", found.title);
    assert_says(&found.explanation, "permissions for 198.51.100.21 instead");
    assert_eq!(told.headline_finding.as_deref(), Some("turn-permission-missing"));
    parts_accuse_nobody(&scene);
}

#[test]
fn a_relay_whose_own_host_turns_peers_away_is_told_as_closed_and_not_as_lacking_a_permission() {
    for (from, shut) in [("203.0.113.1", true), ("198.51.100.1", false)] {
        let mut scene = allocated();
        permit(&mut scene, OTHER_PEER);
        let (own, other) = caller();
        for _ in 0..12 {
            send(&mut scene, OTHER_PEER, 1, 250);
            let check = scene.after_ms(250).ice_check(PEER, RELAYED, (&own, &other), false, |check| check);
            scene.after_ms(1).icmp_unreachable(from, &check);
        }
        scene.later(5);
        let told = report(&scene.pcap());
        let expected: &[&str] = match shut {
            true => &["turn-relay-silent"],
            false => &["turn-permission-missing", "turn-relay-silent"],
        };
        assert_eq!(mine(&told), expected, "{from}");
        let found = finding(&told, "turn-relay-silent");
        let words = "What peers send to the relay 203.0.113.1:24000 of 192.0.2.10:50000 is turned away by its own host";
        assert_eq!(found.title.starts_with(words), shut, "{}", found.title);
        assert_eq!(found.fix.contains("no route to a peer"), shut, "{}", found.fix);
    }
}

#[test]
fn relays_of_one_server_that_are_silent_for_different_reasons_are_told_of_apart() {
    let (another, its_relay) = ("192.0.2.11:50000", "203.0.113.1:24001");
    let mut scene = allocated();
    permit(&mut scene, PEER);
    scene.after_ms(20).allocation(another, SERVER, &alice(), "nonce-2", its_relay);
    let request = scene.after_ms(20).create_permission(another, SERVER, &alice(), "nonce-2", PEER);
    scene.after_ms(10).granted(&request, None, &alice());
    for number in 0..10 {
        let packet = payload::rtp(96, number, u32::from(number) * 960, 1, 100);
        scene.after_ms(250).send_indication(CLIENT, SERVER, PEER, packet.clone());
        scene.after_ms(250).send_indication(another, SERVER, PEER, packet.clone());
        let of_peer = scene.after_ms(1).udp(PEER, its_relay, packet);
        scene.after_ms(1).icmp_unreachable("203.0.113.1", &of_peer);
    }
    scene.later(5);
    let told = report(&scene.pcap());
    let mut titles: Vec<&str> = told
        .findings
        .iter()
        .filter(|found| found.id == "turn-relay-silent")
        .map(|found| found.title.as_str())
        .collect();
    titles.sort_unstable();
    assert!(titles[0].starts_with("Nothing comes back through the relay 203.0.113.1:24000"), "{titles:?}");
    assert!(titles[1].starts_with("What peers send to the relay 203.0.113.1:24001"), "{titles:?}");
    assert_eq!(titles.len(), 2, "{titles:?}");
}

#[test]
fn one_attempt_of_checks_that_reach_a_relay_without_permission_may_be_of_a_call_that_went_the_direct_way() {
    let mut scene = allocated();
    permit(&mut scene, OTHER_PEER);
    arrive(&mut scene, PEER, RELAYED, 7);
    scene.later(5);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-permission-missing");
    assert_eq!((found.confidence, told.verdict), (Confidence::Likely, Verdict::Warning));
    assert!(found.title.starts_with("Checks of 198.51.100.20 reach the relay"), "{}", found.title);
    assert_says(&found.explanation, "if the two found a direct way");
    let packet = payload::rtp(96, 1, 960, 1, 100);
    scene.after_ms(20).udp(PEER, RELAYED, packet);
    let told = report(&scene.pcap());
    assert_eq!(finding(&told, "turn-permission-missing").confidence, Confidence::Certain);
}

#[test]
fn a_relay_that_a_static_nat_hides_is_known_by_the_servers_own_address() {
    let mut scene = Scene::new();
    let (server, inside) = ("192.168.245.61:3478", "192.168.245.61:24000");
    scene.allocation(CLIENT, server, &alice(), "nonce-1", RELAYED);
    let request = scene.after_ms(20).create_permission(CLIENT, server, &alice(), "nonce-1", OTHER_PEER);
    scene.after_ms(10).granted(&request, None, &alice());
    arrive(&mut scene, PEER, inside, 12);
    scene.later(5);
    assert_eq!(mine(&report(&scene.pcap())), ["turn-permission-missing"]);
}

#[test]
fn a_peer_whose_address_a_nat_may_still_change_before_the_server_lacks_no_permission() {
    // client and peer are behind one NAT, and the capture before it: the permission is for the address that the NAT gives
    let mut scene = Scene::new();
    scene.far_away(SERVER);
    scene.allocation(CLIENT, SERVER, &alice(), "nonce-1", RELAYED);
    permit(&mut scene, OTHER_PEER);
    arrive(&mut scene, "192.168.1.20:6000", RELAYED, 12);
    scene.later(5);
    assert!(!mine(&report(&scene.pcap())).contains(&"turn-permission-missing"));
}

#[test]
fn a_peer_of_a_client_that_asks_for_no_permission_at_all_may_be_ringing() {
    let mut scene = allocated();
    arrive(&mut scene, PEER, RELAYED, 60);
    scene.later(5);
    let told = report(&scene.pcap());
    assert_eq!(finding(&told, "turn-permission-missing").confidence, Confidence::Likely);
    assert_eq!(told.verdict, Verdict::Warning);
}

#[test]
fn checks_that_arrive_before_the_permission_are_no_fault() {
    for answered in [true, false] {
        let mut scene = allocated();
        permit(&mut scene, OTHER_PEER);
        arrive(&mut scene, PEER, RELAYED, 12);
        let request = scene.after_ms(20).create_permission(CLIENT, SERVER, &alice(), "nonce-1", PEER);
        if answered {
            scene.after_ms(10).granted(&request, None, &alice());
            receive(&mut scene, PEER, 3);
        }
        scene.later(5);
        assert!(!mine(&report(&scene.pcap())).contains(&"turn-permission-missing"), "{answered}");
    }
}

#[test]
fn a_peer_without_a_permission_beside_one_that_gets_through_is_a_note() {
    let mut scene = allocated();
    permit(&mut scene, OTHER_PEER);
    arrive(&mut scene, PEER, RELAYED, 12);
    send(&mut scene, OTHER_PEER, 3, 50);
    receive(&mut scene, OTHER_PEER, 3);
    scene.later(5);
    let told = report(&scene.pcap());
    assert_eq!(finding(&told, "turn-permission-missing").severity, Severity::Note);
    assert_eq!(told.verdict, Verdict::Healthy);
}

#[test]
fn strangers_that_try_ports_and_peers_that_call_on_after_the_end_are_no_fault() {
    let mut scene = allocated();
    permit(&mut scene, OTHER_PEER);
    for _ in 0..12 {
        scene.after_ms(500).send("198.51.100.66:4444", RELAYED, Stun::request(method::BINDING));
        scene.udp("198.51.100.67:4444", RELAYED, *b"hello");
    }
    scene.hang_up(CLIENT, SERVER, &alice(), "nonce-1");
    arrive(&mut scene, PEER, RELAYED, 12);
    scene.later(5);
    assert!(!mine(&report(&scene.pcap())).contains(&"turn-permission-missing"));
}

#[test]
fn an_allocation_that_the_capture_joins_late_accuses_nobody_of_a_missing_permission() {
    let mut scene = Scene::new();
    let request = scene.refresh(CLIENT, SERVER, &alice(), "nonce-1", 600);
    scene.after_ms(10).granted(&request, Some(600), &alice());
    arrive(&mut scene, PEER, RELAYED, 12);
    scene.later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

// turn-channel-mismatch

#[test]
fn data_on_a_channel_that_is_bound_to_another_peer_names_both() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    let request = scene.after_ms(20).channel_bind(CLIENT, SERVER, &alice(), "nonce-1", (0x4000, OTHER_PEER));
    scene.after_ms(10).refuse_with(&request, 400, "Channel is bound", |error| error.integrity(alice().key()));
    send_on(&mut scene, 0x4000, 10, 300);
    scene.later(5);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-channel-mismatch");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(
        &found.title,
        "on channel 0x4000 for 198.51.100.21:6000, and 203.0.113.1:3478 has it bound to 198.51.100.20:6000",
    );
    assert_says(&found.explanation, "400 Channel is bound");
}

#[test]
fn a_channel_that_brings_data_of_its_own_peer_is_likely_in_use_for_that_one() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    let request = scene.after_ms(20).channel_bind(CLIENT, SERVER, &alice(), "nonce-1", (0x4000, OTHER_PEER));
    scene.after_ms(10).refuse_with(&request, 400, "Channel is bound", |error| error.integrity(alice().key()));
    scene.media(CLIENT, SERVER, 0x4000, 200).later(5);
    let told = report(&scene.pcap());
    assert_ne!(told.verdict, Verdict::Failure, "{}", told.headline);
    let found = finding(&told, "turn-channel-mismatch");
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Likely));
}

#[test]
fn data_on_a_channel_that_was_never_bound_is_a_failure() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    send_on(&mut scene, 0x4001, 10, 300);
    scene.later(5);
    let told = report(&scene.pcap());
    assert_eq!(mine(&told), ["turn-channel-mismatch"]);
    assert_eq!(told.headline_finding.as_deref(), Some("turn-channel-mismatch"));
    let found = finding(&told, "turn-channel-mismatch");
    assert_says(&found.title, "channel 0x4001");
    parts_accuse_nobody(&scene);
}

#[test]
fn data_on_a_channel_that_was_never_bound_is_a_warning_beside_a_channel_that_works() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    scene.media(CLIENT, SERVER, 0x4000, 20);
    send_on(&mut scene, 0x4001, 10, 300);
    scene.media(CLIENT, SERVER, 0x4000, 20).later(5);
    let told = report(&scene.pcap());
    assert_eq!(mine(&told), ["turn-channel-mismatch"]);
    let found = finding(&told, "turn-channel-mismatch");
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Likely));
    assert_says(&found.title, "channel 0x4001");
    assert_says(&found.explanation, "nothing came back on this channel");
    parts_accuse_nobody(&scene);
}

#[test]
fn a_channel_on_which_something_came_back_before_is_bound_whatever_the_capture_lacks() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    scene.after_ms(20).channel_data(SERVER, CLIENT, 0x4003, payload::rtp(96, 1, 960, 7, 100));
    send_on(&mut scene, 0x4003, 10, 300);
    scene.media(CLIENT, SERVER, 0x4000, 20).later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

#[test]
fn a_binding_that_the_snap_length_cut_may_be_that_of_the_channel() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    send_on(&mut scene, 0x4000, 10, 500);
    scene.later(5);
    for length in [64, 66, 72, 80] {
        let told = report(&support::degrade::pcap(&snapped(&shots(&scene), length)));
        assert!(!mine(&told).contains(&"turn-channel-mismatch"), "{length}: {:?}", mine(&told));
    }
}

#[test]
fn a_binding_that_was_cut_between_its_peer_and_its_channel_may_be_that_of_the_channel() {
    // pion puts the peer first
    let mut scene = allocated();
    let bind = Stun::request(method::CHANNEL_BIND).xor_peer(PEER).channel_number(0x4000).signed(&alice(), "nonce-1");
    let request = scene.after_ms(20).send(CLIENT, SERVER, bind);
    scene.after_ms(10).granted(&request, None, &alice());
    send_on(&mut scene, 0x4000, 10, 500);
    scene.later(5);
    let told = report(&support::degrade::pcap(&snapped(&shots(&scene), 76)));
    assert!(!mine(&told).contains(&"turn-channel-mismatch"), "{:?}", mine(&told));
}

#[test]
fn a_permission_that_the_snap_length_cut_may_be_that_of_the_peer() {
    let mut scene = allocated();
    permit(&mut scene, PEER);
    send(&mut scene, PEER, 10, 500);
    scene.later(5);
    for length in [64, 72, 78, 80] {
        let told = report(&support::degrade::pcap(&snapped(&shots(&scene), length)));
        assert!(!mine(&told).contains(&"turn-permission-missing"), "{length}: {:?}", mine(&told));
    }
}

#[test]
fn data_on_a_channel_whose_binding_was_refused_names_the_refusal() {
    let mut scene = allocated();
    let request = scene.after_ms(20).channel_bind(CLIENT, SERVER, &alice(), "nonce-1", (0x5000, PEER));
    scene.after_ms(10).refuse_with(&request, 400, "Bad channel number", |error| error.integrity(alice().key()));
    send_on(&mut scene, 0x5000, 10, 300);
    scene.later(5);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-channel-mismatch");
    assert_says(&found.explanation, "400 Bad channel number");
    assert!(found.caused_by.is_some(), "the refusal is the cause");
}

#[test]
fn data_on_a_channel_before_its_binding_is_answered_is_no_fault() {
    let mut scene = allocated();
    let request = scene.after_ms(20).channel_bind(CLIENT, SERVER, &alice(), "nonce-1", (0x4000, PEER));
    send_on(&mut scene, 0x4000, 10, 300);
    scene.after_ms(10).granted(&request, None, &alice());
    scene.media(CLIENT, SERVER, 0x4000, 5).later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

#[test]
fn a_channel_that_brings_data_back_is_bound_whatever_the_capture_lacks() {
    let mut scene = allocated();
    scene.media(CLIENT, SERVER, 0x4003, 200).later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

#[test]
fn a_capture_that_starts_in_the_middle_knows_no_channel() {
    let mut scene = Scene::new();
    send_on(&mut scene, 0x4003, 50, 100);
    scene.later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

// turn-data-after-expiry

#[test]
fn data_through_an_allocation_that_ran_out_is_a_warning() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    scene.media(CLIENT, SERVER, 0x4000, 5);
    for _ in 0..3 {
        send_on(&mut scene, 0x4000, 38, 5000);
        permit(&mut scene, PEER);
    }
    send_on(&mut scene, 0x4000, 20, 5000);
    scene.later(5);
    let told = report(&scene.pcap());
    assert_eq!(mine(&told), ["turn-data-after-expiry"]);
    let found = finding(&told, "turn-data-after-expiry");
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain));
    assert_says(&found.explanation, "600 seconds ran out");
    parts_accuse_nobody(&scene);
}

#[test]
fn data_after_an_end_that_an_unanswered_refresh_brought_is_told_with_that() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    scene.media(CLIENT, SERVER, 0x4000, 5).later(535);
    let refresh = Stun::request(method::REFRESH).lifetime(600).signed(&alice(), "nonce-1");
    scene.send_repeatedly(CLIENT, SERVER, refresh, 7);
    send_on(&mut scene, 0x4000, 30, 5000);
    scene.later(5);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-data-after-expiry");
    assert_says(&found.explanation, "since its Refresh got no answer");
    let cause = &finding(&told, "turn-no-response").key;
    assert_eq!(found.caused_by.as_ref(), Some(cause));
}

#[test]
fn data_of_a_peer_that_a_server_lets_pass_a_moment_after_the_end_does_not_hide_it() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    for _ in 0..2 {
        send_on(&mut scene, 0x4000, 40, 5000);
        permit(&mut scene, PEER);
    }
    send_on(&mut scene, 0x4000, 39, 5000);
    scene.media(CLIENT, SERVER, 0x4000, 200);
    scene.after_ms(2000).media(CLIENT, SERVER, 0x4000, 50);
    send_on(&mut scene, 0x4000, 100, 200);
    scene.later(5);
    let told = report(&scene.pcap());
    assert_eq!(mine(&told), ["turn-data-after-expiry"]);
}

#[test]
fn an_allocation_that_ran_out_before_its_client_gave_it_up_was_not_given_up() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    scene.media(CLIENT, SERVER, 0x4000, 5);
    for _ in 0..3 {
        send_on(&mut scene, 0x4000, 38, 5000);
        permit(&mut scene, PEER);
    }
    send_on(&mut scene, 0x4000, 20, 5000);
    let release = scene.after_ms(20).refresh(CLIENT, SERVER, &alice(), "nonce-1", 0);
    scene.after_ms(10).refuse_with(&release, 437, "Invalid allocation", |error| error.integrity(alice().key()));
    scene.later(5);
    let told = report(&scene.pcap());
    let allocation = &told.allocations[0];
    assert_eq!(allocation.end, AllocationEnd::Expired);
    assert_eq!(allocation.ended_at, allocation.expires_at);
    assert_eq!(mine(&told), ["turn-data-after-expiry"]);
    let found = finding(&told, "turn-data-after-expiry");
    assert_says(&found.explanation, "600 seconds ran out");
}

#[test]
fn what_an_allocation_carried_until_its_refresh_was_refused_is_no_remedy_however_it_is_given_up_then() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    for _ in 0..2 {
        send_on(&mut scene, 0x4000, 40, 5000);
        permit(&mut scene, PEER);
    }
    let bob = Login::new("bob", "example.org", "other");
    let refresh = scene.after_ms(20).refresh(CLIENT, SERVER, &bob, "nonce-1", 600);
    scene.after_ms(10).refuse_with(&refresh, 441, "Wrong Credentials", |error| error.integrity(bob.key()));
    send_on(&mut scene, 0x4000, 39, 5000);
    scene.media(CLIENT, SERVER, 0x4000, 200);
    send_on(&mut scene, 0x4000, 40, 500);
    let release = scene.after_ms(20).refresh(CLIENT, SERVER, &bob, "nonce-1", 0);
    scene.after_ms(10).refuse_with(&release, 437, "Invalid allocation", |error| error.integrity(bob.key()));
    scene.later(5);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-user-changed");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_eq!(told.headline_finding.as_deref(), Some("turn-user-changed"));
}

#[test]
fn what_was_on_its_way_when_the_allocation_ended_does_no_harm() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    scene.media(CLIENT, SERVER, 0x4000, 5).hang_up(CLIENT, SERVER, &alice(), "nonce-1");
    send_on(&mut scene, 0x4000, 10, 20);
    scene.later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

#[test]
fn data_long_after_a_release_is_a_warning() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    scene.media(CLIENT, SERVER, 0x4000, 5).hang_up(CLIENT, SERVER, &alice(), "nonce-1");
    send_on(&mut scene, 0x4000, 30, 200);
    scene.later(5);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-data-after-expiry");
    assert_says(&found.explanation, "given up itself");
}

#[test]
fn an_allocation_whose_refresh_is_not_in_the_capture_lives_on() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    scene.media(CLIENT, SERVER, 0x4000, 5).later(640);
    scene.media(CLIENT, SERVER, 0x4000, 200).later(5);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

// turn-allocation-leaked

#[test]
fn an_allocation_that_nobody_uses_any_more_is_a_note() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    scene.media(CLIENT, SERVER, 0x4000, 5).later(120);
    let told = report(&scene.pcap());
    assert_eq!(mine(&told), ["turn-allocation-leaked"]);
    assert_eq!(finding(&told, "turn-allocation-leaked").severity, Severity::Note);
    assert_eq!(told.verdict, Verdict::Healthy);
}

#[test]
fn an_allocation_in_use_or_given_up_is_not_left_behind() {
    let mut scene = allocated();
    bind(&mut scene, 0x4000, PEER);
    scene.media(CLIENT, SERVER, 0x4000, 5);
    assert!(mine(&report(&scene.pcap())).is_empty(), "the capture ends in the middle of the call");
    let set_back = clock_set(&shots(&scene), 6, -120_000);
    assert!(mine(&report(&pcap(&set_back))).is_empty(), "so it does where its clock was set back");
    scene.hang_up(CLIENT, SERVER, &alice(), "nonce-1").later(120);
    assert!(mine(&report(&scene.pcap())).is_empty());
}

// turn-mapped-private

fn told_of(server: &str, client: &str, mapped: &str) -> Report {
    let mut scene = Scene::new();
    scene.allocate_challenge(client, server, "example.org", "nonce-1");
    let retry = scene.after_ms(10).allocate_as(client, server, &alice(), "nonce-1");
    scene.after_ms(10).granted_behind_nat(&retry, mapped, RELAYED, &alice());
    scene.after_ms(20).hang_up(client, server, &alice(), "nonce-1");
    report(&scene.pcap())
}

#[test]
fn a_server_in_the_open_that_sees_a_private_address_is_a_warning() {
    for (client, mapped) in [("192.0.2.10:50000", "10.0.0.7:41000"), ("192.168.1.10:50000", "100.64.3.4:41000")] {
        let told = told_of(SERVER, client, mapped);
        assert_eq!(mine(&told), ["turn-mapped-private"], "{client}");
        let found = finding(&told, "turn-mapped-private");
        assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain));
        assert_says(&found.title, mapped);
    }
}

#[test]
fn a_private_address_with_the_clients_own_port_may_be_that_of_a_capture_made_anonymous() {
    let told = told_of(SERVER, "198.51.100.10:50000", "10.0.0.7:50000");
    let found = finding(&told, "turn-mapped-private");
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Likely));
    assert_says(&found.explanation, "the port in the message is the client's own");

    let lent = |mapped| {
        let mut scene = Scene::new();
        let asked = scene.allocate_as("198.51.100.10:50000", SERVER, &alice(), "nonce-1");
        scene.after_ms(10).granted_behind_nat(&asked, mapped, "10.0.0.1:24000", &alice());
        let told = report(&scene.pcap());
        let found = finding(&told, "turn-relay-private");
        (found.confidence, found.explanation.contains("the port in the message is the client's own"))
    };
    assert_eq!(lent("10.0.0.7:50000"), (Confidence::Likely, true));
    assert_eq!(lent("198.51.100.10:50000"), (Confidence::Certain, false));
}

#[test]
fn an_address_that_is_the_clients_own_or_seen_by_a_server_inside_is_no_fault() {
    for (server, client, mapped) in [
        (SERVER, "192.168.1.10:50000", "192.168.1.10:50000"),
        (SERVER, "192.168.1.10:50000", "198.51.100.99:41000"),
        ("10.0.0.1:3478", "192.168.1.10:50000", "10.0.0.7:41000"),
    ] {
        assert!(mine(&told_of(server, client, mapped)).is_empty(), "{server} {client} {mapped}");
    }
}

#[test]
fn a_permission_that_ran_out_is_told_though_another_peer_gets_through() {
    for (own_too, bound) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut scene = allocated();
        permit(&mut scene, PEER);
        if bound {
            bind(&mut scene, 0x4001, OTHER_PEER);
        }
        for second in 0..360 {
            if second % 240 == 0 {
                permit(&mut scene, OTHER_PEER);
            }
            send(&mut scene, PEER, 1, 450);
            if bound {
                // media goes a way of its own through the program
                let packet = payload::rtp(96, second, u32::from(second) * 960, 7, 100);
                scene.after_ms(250).channel_data(CLIENT, SERVER, 0x4001, &packet);
                scene.after_ms(250).channel_data(SERVER, CLIENT, 0x4001, &packet);
            } else {
                send(&mut scene, OTHER_PEER, 1, 450);
                receive(&mut scene, OTHER_PEER, 1);
            }
            if second < 290 || own_too {
                receive(&mut scene, PEER, 1);
            }
        }
        let told = report(&scene.later(1).pcap());
        assert_eq!(told.verdict, Verdict::Healthy);
        let found: Vec<_> = told.findings.iter().filter(|found| found.id == "turn-permission-missing").collect();
        assert_eq!(found.len(), usize::from(!own_too), "{own_too} {bound}: {found:#?}");
        assert!(found.iter().all(|found| found.explanation.contains("Data of other peers passes")), "{found:#?}");
    }
}

#[test]
fn what_peers_send_to_a_relayed_address_counts_for_whoever_has_it_then() {
    const SECOND: &str = "192.0.2.11:50000";
    let mut scene = allocated();
    permit(&mut scene, OTHER_PEER);
    // just before the permission of a call that was never made
    arrive(&mut scene, PEER, RELAYED, 2);
    scene.after_ms(60_000).hang_up(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(60_000).allocation(SECOND, SERVER, &alice(), "nonce-2", RELAYED);
    let request = scene.after_ms(20).create_permission(SECOND, SERVER, &alice(), "nonce-2", OTHER_PEER);
    scene.after_ms(10).granted(&request, None, &alice());
    arrive(&mut scene, "198.51.100.20:6001", RELAYED, 200);
    scene.later(5);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-permission-missing");
    assert_eq!(found.occurrences, 1);
    assert_eq!(found.subject.client.map(|client| client.to_string()).as_deref(), Some(SECOND));
}
