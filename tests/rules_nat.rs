//! NATs, gateways, broken messages and what the way of capturing does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{assert_says, finding, frames_of, ids, report, report_with};
use support::ice::{Agents, plain};
use support::*;
use turnscope::report::{Confidence, Report, Severity, Verdict};

const CLIENT: &str = "192.168.1.10:40000";
const ONE: &str = "198.51.100.1:3478";
const TWO: &str = "198.51.100.2:3478";

fn binding() -> Stun {
    Stun::request(method::BINDING)
}

/// `CLIENT` asks `server` and is told `mapped`.
fn ask(scene: &mut Scene, server: &str, mapped: &str) {
    let asked = scene.after_ms(50).send(CLIENT, server, binding());
    scene.after_ms(20).succeed(&asked, |success| success.xor_mapped(mapped));
}

fn has(scene: &Scene, id: &str) -> bool {
    ids(&report(&scene.pcap())).contains(&id)
}

#[test]
fn two_servers_that_see_different_ports_show_a_symmetric_nat() {
    let mut scene = Scene::new();
    ask(&mut scene, ONE, "203.0.113.50:1111");
    ask(&mut scene, TWO, "203.0.113.50:2222");
    let report = report(&scene.pcap());
    let found = finding(&report, "nat-symmetric");
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain));
    for part in ["203.0.113.50:1111 for 198.51.100.1:3478", "203.0.113.50:2222 for 198.51.100.2:3478"] {
        assert_says(&found.title, part);
    }
    assert_eq!(frames_of(&report, "nat-symmetric"), [2, 4]);
}

#[test]
fn a_capture_on_the_nat_shows_what_it_makes_of_checks() {
    let (own, peer) = sides();
    for (outside, symmetric) in [("203.0.113.50:2222", true), ("203.0.113.50:1111", false)] {
        let mut scene = Scene::new();
        ask(&mut scene, ONE, "203.0.113.50:1111");
        let check = scene.after_ms(20).ice_check(CLIENT, "198.51.100.9:6000", (&own, &peer), true, |check| check);
        scene.after_us(30).forwarded(&check, outside, "198.51.100.9:6000");
        assert_eq!(has(&scene, "nat-symmetric"), symmetric, "{outside}");
    }
}

#[test]
fn one_mapping_for_all_servers_is_an_ordinary_nat() {
    let mut scene = Scene::new();
    ask(&mut scene, ONE, "203.0.113.50:1111");
    ask(&mut scene, TWO, "203.0.113.50:1111");
    assert!(!has(&scene, "nat-symmetric"));
}

#[test]
fn a_neighbour_on_the_local_network_sees_the_client_as_it_is() {
    let mut scene = Scene::new();
    ask(&mut scene, "192.168.1.77:3478", CLIENT);
    ask(&mut scene, ONE, "203.0.113.50:1111");
    assert!(!has(&scene, "nat-symmetric"));
}

#[test]
fn two_ways_out_are_at_most_likely_to_be_a_symmetric_nat() {
    let mut scene = Scene::new();
    ask(&mut scene, ONE, "203.0.113.50:1111");
    ask(&mut scene, TWO, "203.0.114.9:2222");
    assert_eq!(finding(&report(&scene.pcap()), "nat-symmetric").confidence, Confidence::Likely);
}

#[test]
fn a_vpn_that_shows_a_private_address_is_no_symmetric_nat() {
    let mut scene = Scene::new();
    ask(&mut scene, ONE, "203.0.113.50:1111");
    ask(&mut scene, "10.8.0.1:3478", "10.8.0.23:2222");
    ask(&mut scene, TWO, "10.200.0.1:3333");
    assert!(!has(&scene, "nat-symmetric"));
}

#[test]
fn a_mapping_that_ran_out_between_two_questions_is_no_symmetric_nat() {
    let mut scene = Scene::new();
    ask(&mut scene, ONE, "203.0.113.50:1111");
    scene.after_ms(600_000);
    ask(&mut scene, TWO, "203.0.113.50:2222");
    assert!(!has(&scene, "nat-symmetric"));
    let mut scene = Scene::new();
    ask(&mut scene, ONE, "203.0.113.50:1111");
    scene.after_ms(90_000);
    ask(&mut scene, ONE, "203.0.113.50:2222");
    ask(&mut scene, TWO, "203.0.113.50:2222");
    assert!(!has(&scene, "nat-symmetric"), "the newest view of the first server agrees");
}

#[test]
fn an_answer_whose_two_addresses_differ_was_rewritten() {
    let mut scene = Scene::new();
    let asked = scene.send(CLIENT, ONE, binding());
    scene.after_ms(20).succeed(&asked, |success| success.mapped(CLIENT).xor_mapped("203.0.113.50:1111"));
    let report = report(&scene.pcap());
    let found = finding(&report, "nat-alg-rewrite");
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain));
    assert_eq!(frames_of(&report, "nat-alg-rewrite"), [1, 2]);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn an_answer_whose_two_addresses_agree_was_not() {
    let mut scene = Scene::new();
    let asked = scene.send(CLIENT, ONE, binding());
    let outside = "203.0.113.50:1111";
    scene.after_ms(20).succeed(&asked, |success| success.mapped(outside).xor_mapped(outside).fingerprint());
    assert!(!has(&scene, "nat-alg-rewrite"));
}

#[test]
fn an_inside_address_under_a_broken_seal_was_put_there_by_a_gateway() {
    let mut scene = Scene::new();
    let login = alice();
    scene.allocate_challenge(CLIENT, ONE, "example.org", "nonce-1");
    let retry = scene.after_ms(10).allocate_as(CLIENT, ONE, &login, "nonce-1");
    scene.after_ms(10).succeed(&retry, |success| {
        let success = success.xor_relayed("198.51.100.1:24000").xor_mapped("192.168.1.10:1111").lifetime(600);
        success.integrity(b"not the key of this message").fingerprint_wrong()
    });
    let toml = "[[credential]]\nlabel = \"a\"\nusername = \"alice\"\nrealm = \"example.org\"\npassword = \"secret\"\n";
    let report = report_with(&scene.pcap(), toml);
    assert_eq!(finding(&report, "nat-alg-rewrite").severity, Severity::Warning);
    let fingerprint = finding(&report, "stun-fingerprint-bad");
    assert!(fingerprint.caused_by.is_some(), "the gateway is the cause of the wrong fingerprint");
}

#[test]
fn a_wrong_checksum_where_there_is_no_nat_accuses_no_gateway() {
    let mut scene = Scene::new();
    let asked = scene.send(CLIENT, ONE, binding());
    scene.after_ms(20).succeed(&asked, |success| success.xor_mapped(CLIENT).fingerprint_wrong());
    assert!(!has(&scene, "nat-alg-rewrite"));
    assert!(has(&scene, "stun-fingerprint-bad"));
    // the same client is known to be behind a NAT: then the server cannot have seen its inside address
    let asked = scene.after_ms(20).send(CLIENT, TWO, binding());
    scene.after_ms(20).succeed(&asked, |success| success.xor_mapped("203.0.113.50:1111"));
    assert_eq!(finding(&report(&scene.pcap()), "nat-alg-rewrite").confidence, Confidence::Likely);
}

/// An allocation that is refreshed from another outside port, and whether the old port is heard again.
fn moved(code: Option<u16>, returns: bool) -> Scene {
    let mut scene = Scene::new();
    let login = alice();
    let (old, new) = ("203.0.113.50:1111", "203.0.113.50:2222");
    scene.allocation(old, ONE, &login, "nonce-1", "198.51.100.1:24000");
    let refresh = scene.after_ms(40_000).refresh(new, ONE, &login, "nonce-1", 600);
    match code {
        Some(code) => scene.after_ms(10).refuse(&refresh, code, "Mismatch"),
        None => scene.after_ms(10).granted(&refresh, Some(600), &login),
    };
    if returns {
        let again = scene.after_ms(1000).refresh(old, ONE, &login, "nonce-1", 600);
        scene.after_ms(10).granted(&again, Some(600), &login);
    }
    scene.later(10);
    scene
}

#[test]
fn an_allocation_that_goes_on_from_a_new_port_while_the_old_one_is_silent_was_rebound() {
    let report = report(&moved(Some(437), false).pcap());
    let found = finding(&report, "nat-rebinding");
    assert_eq!(found.severity, Severity::Warning);
    assert!(found.title.contains("203.0.113.50:1111") && found.title.contains("203.0.113.50:2222"), "{}", found.title);
    assert_says(&found.explanation, "answered 437");
    assert_eq!(frames_of(&report, "nat-rebinding"), [3, 5]);
}

/// Data on a channel that goes on from another outside port at once, and a Refresh at last; its first frame from there.
fn moved_under_data(refused: bool) -> (Scene, Option<u64>) {
    let mut scene = Scene::new();
    let login = alice();
    let (old, new, peer) = ("203.0.113.50:1111", "203.0.113.50:2222", "192.0.2.7:4000");
    scene.allocation(old, ONE, &login, "nonce-1", "198.51.100.1:24000");
    let bind = scene.after_ms(10).channel_bind(old, ONE, &login, "nonce-1", (0x4000, peer));
    scene.after_ms(10).granted(&bind, None, &login);
    let mut data = |from: &str, seconds: u16| {
        let sent = (0..seconds * 10).map(|number| {
            let packet = payload::rtp(96, number, u32::from(number) * 960, 1, 100);
            scene.after_ms(100).channel_data(from, ONE, 0x4000, packet).frame
        });
        sent.min()
    };
    data(old, 4);
    let first = data(new, 10);
    let refresh = scene.after_ms(40).refresh(new, ONE, &login, "nonce-1", 600);
    if refused {
        scene.after_ms(10).refuse(&refresh, 437, "Invalid allocation");
    } else {
        scene.after_ms(10).granted(&refresh, Some(600), &login);
    }
    scene.later(10);
    (scene, first)
}

#[test]
fn a_mapping_that_is_lost_under_running_data_is_not_blamed_on_silence() {
    let (scene, first) = moved_under_data(true);
    let report = report(&scene.pcap());
    let found = finding(&report, "nat-rebinding");
    assert_eq!(frames_of(&report, "nat-rebinding").last().copied(), first);
    assert!(found.explanation.contains("the NAT lost it") && !found.fix.contains("keepalives"), "{}", found.fix);
    assert_says(&found.explanation, "answered 437");
    assert!(!has(&moved_under_data(false).0, "nat-rebinding"), "mobility");
}

/// Checks through a relay that are answered, and go on from another address; what the server does with them there, and whether the old one is heard again.
fn checks_moved(taken: bool, returns: bool) -> Report {
    let mut scene = Scene::new();
    let login = alice();
    let (old, new, peer, relayed) = ("203.0.113.50:1111", "203.0.113.60:1111", "192.0.2.7:4000", "198.51.100.1:24000");
    let agents = Agents::new(relayed, peer);
    scene.allocation(old, ONE, &login, "nonce-1", relayed);
    // a candidate that leads nowhere is refused in calls that work, too
    let refused = scene.after_ms(10).create_permission(old, ONE, &login, "nonce-1", "127.0.0.1:4000");
    scene.after_ms(10).refuse_with(&refused, 403, "Forbidden IP", |error| error.integrity(login.key()));
    let bind = scene.after_ms(10).channel_bind(old, ONE, &login, "nonce-1", (0x4000, peer));
    scene.after_ms(10).granted(&bind, None, &login);
    let mut number = 0;
    let mut check = |scene: &mut Scene, from: &str, answered: bool| {
        number += 1;
        let check = agents.message(Stun::use_candidate).tid([number; 12]).bytes();
        scene.after_ms(1000).channel_data(from, ONE, 0x4000, &check);
        let passed = scene.after_ms(1).b_checks(&agents, plain);
        if answered {
            scene.after_ms(10).channel_data(ONE, from, 0x4000, Stun::success_to(&check).xor_mapped(relayed).bytes());
            scene.after_ms(1).ice_answer(&passed, &agents.a);
        }
    };
    (0..12).for_each(|_| check(&mut scene, old, true));
    (0..30).for_each(|_| check(&mut scene, new, taken));
    if returns {
        check(&mut scene, old, true);
    }
    report(&scene.pcap())
}

#[test]
fn data_that_goes_on_from_a_new_address_at_which_the_server_says_nothing_shows_the_move() {
    // libwebrtc and pion ask the server for nothing until a refresh is due, minutes later
    let told = checks_moved(false, false);
    let found = finding(&told, "nat-rebinding");
    assert_eq!(
        found.title,
        "The TURN session of 203.0.113.50:1111 with 198.51.100.1:3478 went on from 203.0.113.60:1111: it has another address now"
    );
    assert_eq!(told.headline_finding.as_deref(), Some("nat-rebinding"));
    let cause = finding(&told, "ice-consent-lost").caused_by.as_deref();
    assert!(cause.is_some_and(|key| key.starts_with("nat-rebinding")), "{cause:?}");
    for (taken, returns) in [(true, false), (false, true)] {
        let told = checks_moved(taken, returns);
        assert!(told.findings.iter().all(|finding| finding.id != "nat-rebinding"), "taken: {taken}");
    }
}

#[test]
fn a_request_from_a_new_port_that_the_end_of_the_capture_leaves_unanswered_tells_nothing() {
    let login = alice();
    let mut scene = Scene::allocated("203.0.113.50:1111", ONE, "nonce-1", "198.51.100.1:24000");
    scene.after_ms(40_000).refresh("203.0.113.50:2222", ONE, &login, "nonce-1", 600);
    assert!(!has(&scene, "nat-rebinding"), "the server may take it, and the old port may be heard again");
    assert!(!has(&scene, "capture-one-sided"), "the nonce came to the old port");
    scene.later(10);
    let report = report(&scene.pcap());
    let told = &finding(&report, "nat-rebinding").explanation;
    assert!(told.contains("no answer of the server to that is in the capture"), "{told}");
}

#[test]
fn a_second_socket_or_a_move_that_the_server_takes_is_no_rebinding() {
    assert!(!has(&moved(Some(437), true), "nat-rebinding"), "the old port is heard again");
    assert!(!has(&moved(None, false), "nat-rebinding"), "mobility");
}

/// An ICE session whose controlling side is seen at one port for `seconds`, then at another.
fn ice_moved(seconds: u64, returns: bool) -> Scene {
    ice_moved_behind(None, seconds, returns)
}

/// The same, captured before the NAT, where `inside` is its address.
fn ice_moved_behind(inside: Option<&str>, seconds: u64, returns: bool) -> Scene {
    let mut scene = Scene::new();
    let (one, two) = sides();
    let peer = "198.51.100.9:5000";
    let check = |scene: &mut Scene, port: u16| {
        let outside = format!("203.0.113.50:{port}");
        let from = inside.unwrap_or(&outside);
        let check = scene.after_ms(1000).ice_check(from, peer, (&one, &two), true, |check| check);
        scene.after_ms(10).succeed(&check, |success| {
            success.xor_mapped(outside.as_str()).integrity_short_term(&two.password).fingerprint()
        });
    };
    (0..seconds).for_each(|_| check(&mut scene, 1111));
    check(&mut scene, 2222);
    if returns {
        check(&mut scene, 1111);
    }
    check(&mut scene, 2222);
    scene
}

#[test]
fn an_ice_session_that_goes_on_from_a_new_port_was_rebound() {
    let report = report(&ice_moved(20, false).pcap());
    let found = finding(&report, "nat-rebinding");
    assert!(found.title.starts_with("The ICE session of 203.0.113.50:1111"), "{}", found.title);
}

#[test]
fn before_the_nat_the_answers_tell_of_the_new_mapping() {
    let report = report(&ice_moved_behind(Some(CLIENT), 20, false).pcap());
    let found = finding(&report, "nat-rebinding");
    assert_eq!(
        found.title,
        "198.51.100.9:5000 saw 192.168.1.10:40000 as 203.0.113.50:1111, and then as 203.0.113.50:2222: the NAT between them made a new mapping"
    );
    assert_eq!((found.severity, frames_of(&report, "nat-rebinding")), (Severity::Warning, vec![40, 42]));
    assert!(!has(&ice_moved_behind(Some(CLIENT), 20, true), "nat-rebinding"), "both mappings are in use");
    assert!(
        !has(&ice_moved_behind(Some(CLIENT), 1, false), "nat-rebinding"),
        "checks of both sides crossed: two flows from the start"
    );
}

#[test]
fn an_ice_agent_that_tries_several_sockets_was_not() {
    assert!(!has(&ice_moved(2, false), "nat-rebinding"), "the first pair was only tried");
    assert!(!has(&ice_moved(20, true), "nat-rebinding"), "both sockets are in use");
}

#[test]
fn broken_messages_on_a_flow_of_stun_are_told_with_frame_and_byte() {
    let mut scene = Scene::new();
    ask(&mut scene, ONE, "203.0.113.50:1111");
    scene.send(CLIENT, ONE, binding().attribute(attribute::SOFTWARE, b"abcd").length_says(400));
    let mut cut = binding().attribute(attribute::SOFTWARE, b"abcd").tid(*b"twelve bytes").bytes();
    cut[23] = 200;
    scene.udp(CLIENT, ONE, cut);
    let report = report(&scene.pcap());
    let found = finding(&report, "stun-malformed");
    assert_eq!((found.severity, found.occurrences), (Severity::Warning, 2));
    assert_says(&found.explanation, "stun at byte 2: the message length runs past the datagram");
    assert_eq!(frames_of(&report, "stun-malformed"), [3, 4]);
}

#[test]
fn a_snap_length_an_unknown_attribute_or_an_odd_order_is_no_damage() {
    let mut scene = Scene::new();
    ask(&mut scene, ONE, "203.0.113.50:1111");
    scene.send(CLIENT, ONE, binding().attribute(0xC057, [1, 2, 3, 4]).attribute(0x7F42, [9; 7]));
    scene.send(CLIENT, ONE, binding().integrity(b"key").attribute(attribute::SOFTWARE, b"late"));
    scene.snap_length(80).send(CLIENT, ONE, binding().attribute(attribute::SOFTWARE, [b'x'; 80]));
    let report = report(&scene.pcap());
    assert!(!ids(&report).contains(&"stun-malformed"));
    assert_eq!(finding(&report, "capture-truncated").severity, Severity::Note);
}

#[test]
fn data_on_a_flow_of_stun_that_a_snap_length_cuts_where_a_message_would_end_is_no_damage() {
    let mut scene = Scene::new();
    ask(&mut scene, ONE, "203.0.113.50:1111");
    let mut data = vec![7; 100];
    data[..4].copy_from_slice(&[1, 1, 0, 4]);
    data[20..24].copy_from_slice(&[0, 0x22, 0, 0]);
    scene.snap_length(42 + 24).after_ms(20).udp(CLIENT, ONE, data);
    assert!(!has(&scene, "stun-malformed"));
}

#[test]
fn wrong_fingerprints_are_one_finding_a_sender() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.after_ms(10).send(CLIENT, ONE, binding().fingerprint_wrong());
    }
    scene.after_ms(10).send(CLIENT, ONE, binding().fingerprint());
    let report = report(&scene.pcap());
    let found = finding(&report, "stun-fingerprint-bad");
    assert_eq!((found.severity, found.occurrences), (Severity::Warning, 3));
    assert_eq!(frames_of(&report, "stun-fingerprint-bad"), [1, 2, 3]);
}

#[test]
fn copies_of_a_mirror_port_are_a_note_and_no_retransmissions() {
    let mut scene = Scene::new();
    let asked = scene.send(CLIENT, ONE, binding());
    scene.after_us(4).mirrored_copy(&asked);
    let answer = scene.after_ms(20).succeed(&asked, |success| success.xor_mapped(CLIENT));
    scene.after_us(4).mirrored_copy(&answer);
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Healthy);
    assert_eq!(finding(&report, "capture-duplicates").severity, Severity::Note);
    assert_eq!(finding(&report, "capture-duplicates").occurrences, 2);
    assert_eq!(report.transactions.items[0].requests_total, 1);
}

#[test]
fn answers_alone_are_a_note() {
    let mut scene = Scene::new();
    for id in [*b"first answer", *b"other answer"] {
        scene.after_ms(20).send(ONE, CLIENT, Stun::success(method::BINDING).tid(id).xor_mapped("203.0.113.50:1111"));
    }
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["capture-one-sided"]);
    assert_eq!(report.verdict, Verdict::Healthy);
}

#[test]
fn data_through_a_relay_from_before_the_capture_needs_no_answer() {
    let mut scene = Scene::new();
    for _ in 0..5 {
        scene.after_ms(100).send_indication("203.0.113.50:1111", ONE, "192.0.2.7:4000", payload::rtp(96, 1, 1, 1, 100));
    }
    assert!(!has(&scene, "capture-one-sided"), "the peer may be silent");
    let login = alice();
    for _ in 0..2 {
        scene.after_ms(300_000).refresh("203.0.113.50:1111", ONE, &login, "nonce-1", 600);
    }
    scene.later(10);
    assert!(has(&scene, "capture-one-sided"), "a Refresh that is not repeated was answered");
}

#[test]
fn a_capture_of_both_sides_of_a_nat_is_judged_once() {
    let mut scene = Scene::new();
    let login = Login::new("alice", "example.org", "wrong");
    let outside = "203.0.113.50:1111";
    let pass = |scene: &mut Scene, sent: &Sent| {
        scene.after_us(300);
        if sent.from.ip().to_string().starts_with("192.168") {
            scene.forwarded(sent, outside, ONE)
        } else {
            scene.forwarded(sent, ONE, CLIENT)
        }
    };
    let request = scene.allocate(CLIENT, ONE);
    let passed = pass(&mut scene, &request);
    let challenge = scene.after_ms(10).challenge(&passed, 401, "Unauthorized", "example.org", "nonce-1");
    pass(&mut scene, &challenge);
    let retry = scene.after_ms(10).allocate_as(CLIENT, ONE, &login, "nonce-1");
    let passed = pass(&mut scene, &retry);
    let refusal = scene.after_ms(10).challenge(&passed, 401, "Unauthorized", "example.org", "nonce-1");
    pass(&mut scene, &refusal);
    scene.later(10);
    let report = report(&scene.pcap());
    let refused = finding(&report, "turn-integrity-rejected");
    assert_eq!(refused.occurrences, 1, "the conversation is seen twice and judged once");
    assert_eq!(
        refused.subject.client.map(|client| client.0.to_string()),
        Some(CLIENT.to_owned()),
        "as the client itself has it"
    );
    for id in ["nat-rebinding", "nat-symmetric", "turn-no-response", "turn-answer-from-elsewhere", "capture-duplicates"]
    {
        assert!(!ids(&report).contains(&id), "{id}");
    }
    let mapping =
        report.nat.iter().find(|known| known.inside.0.to_string() == CLIENT && known.outside.0.to_string() == outside);
    assert!(mapping.is_some(), "{:?}", report.nat);
}

/// A request that passes a NAT after `delay_us`, to a server behind another one; or one that the client sends there itself.
fn passing(delay_us: u64, itself: bool) -> Scene {
    let mut scene = Scene::new();
    let asked = scene.send(CLIENT, ONE, binding());
    // a NAT that changes the destination keeps the packet's identification
    let id = u16::from_be_bytes(asked.packet.get(4..6).and_then(|id| id.try_into().ok()).unwrap_or_default());
    let ip = if itself { packet::Ip { id: id + 1, ttl: 64 } } else { packet::Ip { id, ttl: 63 } };
    let packet = packet::udp(CLIENT, "10.0.0.5:3478", ip, &asked.payload);
    scene.after_us(delay_us).packet(&packet);
    let passed = Sent { to: "10.0.0.5:3478".place(), packet, ..asked };
    let answer = scene.after_ms(5).succeed(&passed, |success| success.xor_mapped(CLIENT));
    scene.after_us(delay_us).forwarded(&answer, ONE, CLIENT);
    scene
}

#[test]
fn the_inside_address_of_a_server_behind_a_nat_is_learned() {
    let report = report(&passing(400, false).pcap());
    let known = report.nat.iter().map(|known| (known.inside.0.to_string(), known.outside.0.to_string()));
    assert_eq!(known.collect::<Vec<_>>(), [("10.0.0.5:3478".to_owned(), ONE.to_owned())]);
    assert_eq!(report.verdict, Verdict::Healthy, "{:?}", ids(&report));
}

#[test]
fn the_same_request_to_another_server_much_later_is_no_passage_through_a_nat() {
    assert!(report(&passing(500_000, true).pcap()).nat.is_empty());
}
