//! Whether requests and answers get through: silence, lost answers, ICMP, answers from elsewhere, relayed addresses.

mod support;

use support::analyze::{assert_says, finding, ids, report, report_with};
use support::calls::failures;
use support::*;
use turnscope::report::{Confidence, Severity, Verdict};

const CLIENT: &str = "172.16.84.124:50000";
const SERVER: &str = "203.0.113.1:3478";
const OTHER: &str = "203.0.113.2:3478";
const RELAYED: &str = "203.0.113.1:24000";

fn allocate() -> Stun {
    Stun::request(method::ALLOCATE).requested_transport(17)
}

const MINE: [&str; 7] = [
    "turn-no-response",
    "turn-answer-lost",
    "turn-unreachable",
    "turn-answer-from-elsewhere",
    "turn-relay-private",
    "turn-relay-unusable",
    "capture-one-sided",
];

/// The findings that are of this file.
fn mine(report: &turnscope::report::Report) -> Vec<&str> {
    ids(report).into_iter().filter(|id| MINE.contains(id)).collect()
}

/// Something else happens long after, so that answers had their time; and it is sent to the client, so that they would be here.
fn wait(scene: &mut Scene) -> &mut Scene {
    scene.after_ms(10_000).resolved(CLIENT);
    scene
}

/// Something happens long after that shows nothing of what is sent to the client.
fn wait_deaf(scene: &mut Scene) -> &mut Scene {
    scene.later(10);
    scene
}

/// A working allocation of another client, which shows that the capture holds both directions.
fn works(scene: &mut Scene, server: &str) {
    scene.allocation("172.16.84.125:50001", server, &Login::new("bob", "example.org", "b"), "n", "203.0.113.1:24999");
}

#[test]
fn seven_allocates_without_an_answer_are_a_failure() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, allocate(), 7);
    let report = report(&wait(&mut scene).pcap());
    assert_eq!(report.verdict, Verdict::Failure);
    assert_eq!(mine(&report), ["turn-no-response"]);
    let found = finding(&report, "turn-no-response");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.title, "203.0.113.1:3478 does not answer over UDP: 7 Allocate requests");
    let places: Vec<u64> = found.places.iter().map(|place| place.frame).collect();
    assert_eq!(places, [1, 7], "the first and the last copy");
}

#[test]
fn a_client_that_asks_anew_each_time_is_unanswered_too() {
    let mut scene = Scene::new();
    works(&mut scene, OTHER);
    for _ in 0..5 {
        scene.after_ms(1000).allocate(CLIENT, SERVER);
    }
    let report = report(&wait(&mut scene).pcap());
    let found = finding(&report, "turn-no-response");
    assert_says(&found.title, "while 203.0.113.2:3478 answers over UDP");
}

#[test]
fn a_server_that_answers_other_clients_meanwhile_is_not_to_be_started() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, allocate(), 7);
    works(&mut scene, SERVER);
    let report = report(&wait(&mut scene).pcap());
    let found = finding(&report, "turn-no-response");
    assert!(found.title.ends_with("over UDP, though it serves other clients"), "{}", found.title);
    assert_says(&found.fix, "what is different about 172.16.84.124");
    assert!(!found.fix.contains("check that the server runs"), "{}", found.fix);
}

#[test]
fn a_server_that_begins_to_answer_another_client_is_known_to_while_that_goes_on() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, allocate(), 7);
    works(&mut scene, SERVER);
    // the silent conversation is over, and that of the other client is not
    let bob = Login::new("bob", "example.org", "b");
    for lifetime in 0..60 {
        let refresh = Stun::request(method::REFRESH).lifetime(600 + lifetime);
        let asked = scene.after_ms(10_000).send("172.16.84.125:50001", SERVER, refresh);
        scene.after_ms(10).granted(&asked, Some(600), &bob);
    }
    let report = report(&scene.pcap());
    let found = finding(&report, "turn-no-response");
    assert!(found.title.ends_with("over UDP, though it serves other clients"), "{}", found.title);
}

#[test]
fn a_server_that_answered_others_before_may_have_stopped() {
    let mut scene = Scene::new();
    works(&mut scene, SERVER);
    scene.after_ms(1000).send_repeatedly(CLIENT, SERVER, allocate(), 7);
    let report = report(&wait(&mut scene).pcap());
    let found = finding(&report, "turn-no-response");
    assert!(
        found.title.starts_with("203.0.113.1:3478 does not answer over UDP: 7 Allocate requests"),
        "{}",
        found.title
    );
    assert!(found.title.ends_with("went unanswered, though it was heard 1 second before"), "{}", found.title);
    assert_says(&found.explanation, "It stopped since then, or the way to it was closed");
    assert_says(&found.fix, "check that the server runs");
}

/// So many calls, for each of which a host asks a server in vain `first` milliseconds before another address is served.
fn black_hole((host, server): (&str, &str), calls: u64, first: u64) -> turnscope::report::Report {
    let mut scene = Scene::new();
    for call in 0..calls {
        let (one, other) = (format!("{host}:{}", 6000 + call), format!("172.16.84.124:{}", 5000 + call));
        scene.at_ms(call * 90_000).send_repeatedly(&*one, server, allocate(), 4);
        let relayed = format!("203.0.113.1:{}", 24000 + call);
        scene.at_ms(call * 90_000 + first).allocation(&*other, SERVER, &alice(), &format!("n{call}"), &*relayed);
    }
    scene.udp(server, &*format!("{host}:9999"), b"something that is sent to it");
    report(&wait(&mut scene).pcap())
}

#[test]
fn a_way_that_leads_nowhere_in_one_call_after_the_other_is_no_certain_failure_beside_one_that_works() {
    let ipv6 = ("[2001:db8::5]", "[2001:db8:1::1]:3478");
    let tunnel = ("10.8.0.2", OTHER);
    for (way, first, calls) in
        [(ipv6, 5_000, 1), (ipv6, 5_000, 2), (ipv6, 5_000, 5), (tunnel, 200, 1), (tunnel, 200, 4)]
    {
        let report = black_hole(way, calls, first);
        let found = finding(&report, "turn-no-response");
        assert_eq!((found.confidence, found.occurrences), (Confidence::Likely, calls), "{way:?}");
        assert_says(&found.explanation, "172.16.84.124 asked at about the same time and was served: if both are");
    }
    for (way, apart) in [(ipv6, 40_000), (tunnel, 2_000)] {
        let report = black_hole(way, 2, apart);
        assert_eq!(finding(&report, "turn-no-response").confidence, Confidence::Certain, "{way:?}");
    }
}

#[test]
fn new_requests_in_a_capture_that_holds_nothing_towards_the_client_are_only_likely_unanswered() {
    let mut scene = Scene::new();
    for _ in 0..5 {
        scene.after_ms(1000).allocate(CLIENT, SERVER);
    }
    let report = report(&wait_deaf(&mut scene).pcap());
    assert_eq!(finding(&report, "turn-no-response").confidence, Confidence::Likely);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn a_request_that_is_repeated_in_a_capture_of_one_direction_may_have_been_turned_away() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, allocate(), 7);
    let report = report(&wait_deaf(&mut scene).pcap());
    let found = finding(&report, "turn-no-response");
    assert_eq!(found.confidence, Confidence::Likely);
    assert_says(&found.explanation, "nothing that was sent to 172.16.84.124");
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn a_client_that_goes_on_was_answered_though_the_capture_holds_nothing_that_was_sent_to_it() {
    let peer = "198.51.100.9:40000";
    let mut scene = Scene::new();
    let mut shake = dtls::Shake::between(CLIENT, peer);
    shake.complete(&mut scene);
    scene.send_repeatedly("172.16.84.124:50001", SERVER, Stun::request(method::BINDING), 7);
    scene.send_repeatedly("172.16.84.124:50002", SERVER, allocate(), 7);
    wait_deaf(&mut scene);
    let whole = report(&scene.pcap());
    assert_eq!(mine(&whole), ["turn-no-response", "turn-no-response"]);
    // what the client sent alone: it could not have gone on in the handshake without the server's part of it
    let half = report(&degrade::pcap(&degrade::from(&degrade::shots(&scene), "172.16.84.124")));
    assert_eq!(mine(&half), ["capture-one-sided"]);
    let note = finding(&half, "capture-one-sided");
    assert_eq!(note.title, "The capture holds nothing that was sent to 172.16.84.124");
    // a hello alone says nothing of what came back
    let mut scene = Scene::new();
    dtls::Shake::between(CLIENT, peer).hello(&mut scene);
    scene.send_repeatedly("172.16.84.124:50002", SERVER, allocate(), 7);
    assert_eq!(mine(&report(&wait_deaf(&mut scene).pcap())), ["turn-no-response"]);
    // somebody else who goes on says nothing of this client
    let mut scene = Scene::new();
    let mut shake = dtls::Shake::between("172.16.84.125:50000", peer);
    shake.complete(&mut scene);
    scene.send_repeatedly(CLIENT, SERVER, allocate(), 7);
    wait_deaf(&mut scene);
    let shots = degrade::shots(&scene);
    let sent = degrade::merged(&degrade::from(&shots, "172.16.84.124"), &degrade::from(&shots, "172.16.84.125"));
    assert_eq!(mine(&report(&degrade::pcap(&sent))), ["turn-no-response", "capture-one-sided"]);
}

#[test]
fn a_small_snap_length_hides_no_silence_and_makes_none() {
    let mut scene = Scene::new();
    scene.snap_length(64);
    scene.send_repeatedly(CLIENT, SERVER, allocate(), 7);
    assert_eq!(mine(&report(&wait(&mut scene).pcap())), ["turn-no-response"]);
    let mut healthy = Scene::new();
    healthy.snap_length(64).allocation(CLIENT, SERVER, &alice(), "nonce-1", RELAYED);
    assert_eq!(mine(&report(&wait(&mut healthy).pcap())), Vec::<&str>::new());
}

#[test]
fn a_second_server_that_answers_makes_silence_a_warning() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, allocate(), 5);
    scene.after_ms(1000).allocation(CLIENT, OTHER, &alice(), "nonce-1", "203.0.113.2:24000");
    let report = report(&wait(&mut scene).pcap());
    let found = finding(&report, "turn-no-response");
    assert_eq!(found.severity, Severity::Warning);
    assert_says(&found.explanation, "203.0.113.2:3478 answers over UDP");
}

#[test]
fn requests_whose_answers_had_no_time_before_the_end_prove_nothing() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, allocate(), 3);
    assert_eq!(mine(&report(&scene.pcap())), Vec::<&str>::new());
}

#[test]
fn two_copies_or_a_burst_are_not_several_times() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, allocate(), 2);
    let burst = scene.after_ms(10).allocate("172.16.84.124:50001", SERVER);
    for _ in 0..5 {
        scene.after_ms(50).retransmit(&burst);
    }
    assert_eq!(mine(&report(&wait(&mut scene).pcap())), Vec::<&str>::new());
}

#[test]
fn checks_and_tests_of_a_nat_go_unanswered_without_blame() {
    let mut scene = Scene::new();
    let (one, two) = sides();
    let check = scene.ice_check(CLIENT, SERVER, (&one, &two), true, |check| check);
    for _ in 0..5 {
        scene.after_ms(1000).retransmit(&check);
    }
    let test = Stun::request(method::BINDING).attribute(attribute::CHANGE_REQUEST, [0, 0, 0, 6]);
    scene.send_repeatedly("172.16.84.124:50002", SERVER, test, 7);
    assert_eq!(mine(&report(&wait(&mut scene).pcap())), Vec::<&str>::new());
}

#[test]
fn a_request_whose_answer_is_to_go_elsewhere_is_unanswered_without_blame() {
    let mut scene = Scene::new();
    let test = Stun::request(method::BINDING).classic([7; 16]);
    scene.send_repeatedly(CLIENT, SERVER, test.address(attribute::RESPONSE_ADDRESS, "172.16.84.124:50001"), 7);
    assert_eq!(mine(&report(&wait(&mut scene).pcap())), Vec::<&str>::new());
}

#[test]
fn a_peer_that_ignores_plain_bindings_is_no_silent_server() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, "198.51.100.7:52011", Stun::request(method::BINDING), 7);
    assert_eq!(mine(&report(&wait(&mut scene).pcap())), Vec::<&str>::new());
}

#[test]
fn bindings_to_a_silent_server_are_a_failure_until_some_server_answers() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, Stun::request(method::BINDING), 7);
    let silent = report(&wait(&mut scene).pcap());
    assert_eq!(finding(&silent, "turn-no-response").severity, Severity::Failure);
    let asked = scene.send(CLIENT, OTHER, Stun::request(method::BINDING));
    scene.after_ms(20).succeed(&asked, |success| success.xor_mapped(CLIENT));
    assert_eq!(finding(&report(&wait(&mut scene).pcap()), "turn-no-response").severity, Severity::Warning);
}

#[test]
fn the_clients_side_of_a_working_session_alone_shows_no_silence() {
    let mut scene = Scene::new();
    let login = alice();
    scene.allocate(CLIENT, SERVER);
    scene.after_ms(20).allocate_as(CLIENT, SERVER, &login, "nonce-1");
    scene.after_ms(20).create_permission(CLIENT, SERVER, &login, "nonce-1", "198.51.100.9:4000");
    for _ in 0..5 {
        scene.after_ms(1000).refresh(CLIENT, SERVER, &login, "nonce-1", 600);
    }
    let report = report(&wait(&mut scene).pcap());
    assert_eq!(mine(&report), ["capture-one-sided"]);
}

#[test]
fn answers_that_leave_while_the_client_repeats_its_request_are_lost() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(1).challenge(&request, 401, "Unauthorized", "example.org", "nonce-1");
    for gap in [500, 1000, 2000, 4000] {
        let again = scene.after_ms(gap).retransmit(&request);
        scene.after_ms(1).challenge(&again, 401, "Unauthorized", "example.org", "nonce-1");
    }
    let report = report(&wait(&mut scene).pcap());
    assert_eq!(report.headline_finding.as_deref(), Some("turn-answer-lost"));
    let found = finding(&report, "turn-answer-lost");
    let places: Vec<u64> = found.places.iter().map(|place| place.frame).collect();
    assert_eq!(places, [1, 2, 3, 5, 7, 9], "request, answer, repeats");
    assert_eq!(found.severity, Severity::Failure);
}

#[test]
fn a_way_back_that_is_lost_in_the_middle_of_a_session_is_seen_by_all_that_the_client_asks_in_vain() {
    let peer = "198.51.100.9:4000";
    let session = |repeats: usize, others: bool| {
        let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
        let first = scene.after_ms(60_000).refresh(CLIENT, SERVER, &alice(), "nonce-1", 600);
        scene.after_ms(1).granted(&first, Some(600), &alice());
        let mut asked = vec![scene.after_ms(60_000).refresh(CLIENT, SERVER, &alice(), "nonce-1", 600)];
        if others {
            asked.push(scene.after_ms(100).channel_bind(CLIENT, SERVER, &alice(), "nonce-1", (0x4000, peer)));
        }
        for round in 0..=repeats {
            for request in &asked {
                let copy = if round == 0 { request.clone() } else { scene.after_ms(500 << round).retransmit(request) };
                scene.after_ms(1).granted(&copy, None, &alice());
            }
        }
        let release = scene.after_ms(5000).refresh(CLIENT, SERVER, &alice(), "nonce-1", 0);
        scene.after_ms(1).granted(&release, Some(0), &alice());
        report(&wait(&mut scene).pcap())
    };
    let told = session(5, true);
    let lost: Vec<_> = told.findings.iter().filter(|known| known.id == "turn-answer-lost").collect();
    assert_eq!(lost.len(), 2, "{:?}", ids(&told));
    for found in lost {
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
        assert_says(&found.explanation, "the way back was lost in between");
    }
    let told = session(5, false);
    assert!(finding(&told, "turn-answer-lost").explanation.contains("Either it is dropped for its size"));
    for others in [false, true] {
        assert!(!ids(&session(1, others)).contains(&"turn-answer-lost"));
    }
}

#[test]
fn data_that_goes_on_both_ways_at_the_server_does_not_show_that_its_answers_get_to_the_client() {
    let peer = "198.51.100.9:4000";
    let session = |repeats: u32| {
        let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
        let permission = scene.after_ms(20).create_permission(CLIENT, SERVER, &alice(), "nonce-1", peer);
        scene.after_ms(1).granted(&permission, None, &alice());
        let talk = |scene: &mut Scene| {
            scene.after_ms(200).send_indication(CLIENT, SERVER, peer, [0x90; 40]);
            scene.after_ms(20).data_indication(SERVER, CLIENT, peer, [0x90; 40]);
        };
        (0..10).for_each(|_| talk(&mut scene));
        let refresh = scene.after_ms(20).refresh(CLIENT, SERVER, &alice(), "nonce-1", 600);
        scene.after_ms(1).granted(&refresh, Some(600), &alice());
        for round in 0..repeats {
            (0..2 << round).for_each(|_| talk(&mut scene));
            let copy = scene.after_ms(60).retransmit(&refresh);
            scene.after_ms(1).granted(&copy, Some(600), &alice());
        }
        (0..20).for_each(|_| talk(&mut scene));
        report(&wait(&mut scene).pcap())
    };
    let told = session(6);
    let found = finding(&told, "turn-answer-lost");
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain), "data may get there");
    let told = session(4);
    let found = finding(&told, "turn-answer-lost");
    assert_eq!(
        found.confidence,
        Confidence::Likely,
        "a path that loses a third of all loses that many in a row now and then"
    );
    assert!(found.explanation.contains("data goes on through the relay"), "{}", found.explanation);
    assert!(!ids(&session(1)).contains(&"turn-answer-lost"));
}

#[test]
fn a_client_far_away_that_repeats_its_request_sooner_than_an_answer_can_come_loses_none() {
    let peer = "198.51.100.9:4000";
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    let permission = scene.after_ms(1200).create_permission(CLIENT, SERVER, &alice(), "nonce-1", peer);
    scene.after_ms(1).granted(&permission, None, &alice());
    for gap in [100, 200, 400] {
        let copy = scene.after_ms(gap).retransmit(&permission);
        scene.after_ms(1).granted(&copy, None, &alice());
    }
    for _ in 0..20 {
        scene.after_ms(500).send_indication(CLIENT, SERVER, peer, [0x90; 40]);
        scene.after_ms(20).data_indication(SERVER, CLIENT, peer, [0x90; 40]);
    }
    assert!(!ids(&report(&wait(&mut scene).pcap())).contains(&"turn-answer-lost"));
}

#[test]
fn checks_of_which_the_capture_lacks_the_user_name_are_no_requests_to_a_server() {
    let (alice, bob) = sides();
    let (at_a, at_b) = ("10.0.0.2:50000", "192.0.2.9:40000");
    for asks_back in [false, true] {
        let mut scene = Scene::new();
        if asks_back {
            scene.ice_check(at_b, at_a, (&bob, &alice), false, |check| check);
        }
        let check = scene.after_ms(5).ice_check(at_a, at_b, (&alice, &bob), true, |check| check);
        scene.after_ms(5).ice_answer(&check, &bob);
        for _ in 0..5 {
            let copy = scene.after_ms(500).retransmit(&check);
            if asks_back {
                scene.after_ms(5).ice_answer(&copy, &bob);
            }
        }
        wait(&mut scene);
        for length in [62, 64, 68] {
            let cut = report(&degrade::pcap(&degrade::snapped(&degrade::shots(&scene), length)));
            assert!(!ids(&cut).contains(&"turn-answer-lost"), "{length} {asks_back}: {:?}", ids(&cut));
        }
    }
    let mut unanswered = Scene::new();
    let to_relay = unanswered.ice_check("10.0.0.2:50000", "192.0.2.9:27000", (&alice, &bob), true, |check| check);
    for _ in 0..6 {
        unanswered.after_ms(500).retransmit(&to_relay);
    }
    let cut = degrade::pcap(&degrade::snapped(&degrade::shots(wait_deaf(&mut unanswered)), 64));
    assert!(!ids(&report(&cut)).contains(&"turn-no-response"), "a relay is no silent server");
}

/// node-turn answers ChannelBind without MESSAGE-INTEGRITY, and werift waits for an answer that has one.
#[test]
fn a_client_that_repeats_a_signed_request_passes_over_an_answer_without_signature() {
    let peer = "198.51.100.9:4000";
    let told = |signed: bool, repeats: u32| {
        let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
        let asked = scene.after_ms(100).channel_bind(CLIENT, SERVER, &alice(), "nonce-1", (0x4000, peer));
        for round in 0..=repeats {
            let copy = if round == 0 { asked.clone() } else { scene.after_ms(100 << round).retransmit(&asked) };
            let answer = |success: Stun| if signed { success.integrity(alice().key()) } else { success };
            scene.after_ms(1).succeed(&copy, answer);
        }
        let permission = scene.after_ms(3000).create_permission(CLIENT, SERVER, &alice(), "nonce-1", peer);
        scene.after_ms(1).granted(&permission, None, &alice());
        report(&wait(&mut scene).pcap())
    };
    let unsigned = told(false, 6);
    assert_eq!(failures(&unsigned), ["turn-answer-lost"]);
    let found = finding(&unsigned, "turn-answer-lost");
    assert_says(&found.title, "does not sign its answer to ");
    assert_says(&found.explanation, "carries no MESSAGE-INTEGRITY");
    for (signed, repeats) in [(true, 6), (false, 1)] {
        assert!(!ids(&told(signed, repeats)).contains(&"turn-answer-lost"), "{signed} {repeats}");
    }
}

/// A client that repeats its signed request each time it is refused; the nonces are those of the challenge and of the refusals.
fn repeated_though_refused([first, then]: [&str; 2]) -> Scene {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", first);
    let signed = scene.after_ms(2).allocate_as(CLIENT, SERVER, &alice(), first);
    scene.after_ms(2).challenge(&signed, 401, "Unauthorized", "example.org", then);
    for gap in [100, 200, 400, 800, 1600] {
        let copy = scene.after_ms(gap).retransmit(&signed);
        scene.after_ms(2).challenge(&copy, 401, "Unauthorized", "example.org", then);
    }
    scene
}

/// node-turn's client passes over a refusal and repeats its signed request: with the challenge in the capture, its nonce shows that the client
/// hears the server. What the capture does not hold of that shows nothing.
#[test]
fn a_refusal_may_have_come_to_a_client_whose_nonce_the_capture_cannot_place() {
    let all = degrade::shots(wait(&mut repeated_though_refused(["nonce-1", "nonce-2"])));
    let whole = report(&degrade::pcap(&all));
    assert_eq!(failures(&whole), ["turn-integrity-rejected"]);
    let parts = [("late", all[2..].to_vec()), ("96", degrade::snapped(&all, 96)), ("68", degrade::snapped(&all, 68))];
    for (how, part) in parts {
        let told = report(&degrade::pcap(&part));
        let certain = told.findings.iter().filter(|found| found.confidence == Confidence::Certain);
        let certain: Vec<&str> = certain.map(|found| found.id.as_str()).collect();
        assert!(!certain.contains(&"turn-answer-lost"), "{how}: {certain:?}");
        assert_ne!(told.verdict, Verdict::Failure, "{how}");
    }
}

#[test]
fn answers_that_end_at_the_outer_side_of_a_nat_are_lost_there() {
    let (inside, outside) = ("192.168.1.10:40000", "198.51.100.50:1111");
    let mut scene = Scene::new();
    let request = scene.allocate(inside, SERVER);
    for gap in [500, 1000, 2000, 4000, 8000] {
        let passed = scene.after_us(300).forwarded(&request, outside, SERVER);
        scene.after_ms(10).challenge(&passed, 401, "Unauthorized", "example.org", "nonce-1");
        scene.after_ms(gap).retransmit(&request);
    }
    let report = report(&wait(&mut scene).pcap());
    assert_eq!(mine(&report), ["turn-answer-lost"], "and no silent server");
    let found = finding(&report, "turn-answer-lost");
    assert_says(&found.explanation, "both sides of a NAT");
}

#[test]
fn a_client_that_goes_on_in_the_end_had_its_answer() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    for _ in 0..4 {
        scene.after_ms(1).challenge(&request, 401, "Unauthorized", "example.org", "nonce-1");
        scene.after_ms(500).retransmit(&request);
    }
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
    assert!(!ids(&report(&wait(&mut scene).pcap())).contains(&"turn-answer-lost"));
}

#[test]
fn one_repeat_that_crossed_the_answer_is_nothing() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(499).challenge(&request, 401, "Unauthorized", "example.org", "nonce-1");
    scene.after_ms(1).retransmit(&request);
    assert!(!ids(&report(&wait(&mut scene).pcap())).contains(&"turn-answer-lost"));
}

#[test]
fn an_icmp_error_whose_quote_the_capture_cut_before_the_ports_is_still_one() {
    for (client, server, router, length) in
        [(CLIENT, SERVER, "203.0.113.1", 64), ("[2001:db8::10]:50000", "[2001:db8:1::1]:3478", "2001:db8:1::1", 104)]
    {
        let mut scene = Scene::new();
        let request = scene.allocate(client, server);
        for gap in [1, 500, 1000, 2000] {
            let copy = if gap == 1 { request.clone() } else { scene.after_ms(gap).retransmit(&request) };
            scene.after_ms(1).icmp_unreachable(router, &copy);
        }
        let cut = degrade::pcap(&degrade::snapped(&degrade::shots(wait(&mut scene)), length));
        let report = report(&cut);
        assert_eq!(mine(&report), ["turn-unreachable"], "{length}: {:?}", ids(&report));
        assert!(
            finding(&report, "turn-unreachable").title.contains(&format!("nothing listens on {server}")),
            "{length}"
        );
    }
}

#[test]
fn an_icmp_error_whose_quote_no_nat_translated_back_is_known_by_its_transaction() {
    let told = |receiver: [u8; 4]| {
        let mut scene = Scene::new();
        let asked = scene.allocate(CLIENT, SERVER);
        // as the router beyond the NAT saw it, and as the NAT passes its error on
        let beyond = Scene::new().forwarded(&asked, "198.51.100.9:61000", SERVER);
        let mut aside = Scene::new();
        aside.icmp_unreachable("203.0.113.1", &beyond);
        let mut error = aside.frames().next().unwrap().1[14..].to_vec();
        error[16..20].copy_from_slice(&receiver);
        scene.after_ms(20).packet(&error);
        report(&scene.pcap())
    };
    let of_client = told([172, 16, 84, 124]);
    assert_eq!((of_client.verdict, ids(&of_client)), (Verdict::Failure, vec!["turn-unreachable"]));
    // an error to somebody else is about somebody else's packet
    assert_eq!(ids(&told([10, 9, 9, 9])), Vec::<&str>::new());
}

#[test]
fn port_unreachable_from_the_server_says_that_nothing_listens() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(1).icmp_unreachable("203.0.113.1", &request);
    let report = report(&wait(&mut scene).pcap());
    assert_eq!(mine(&report), ["turn-unreachable"]);
    let found = finding(&report, "turn-unreachable");
    assert_says(&found.title, "nothing listens on 203.0.113.1:3478");
    let places: Vec<u64> = found.places.iter().map(|place| place.frame).collect();
    assert_eq!((found.severity, places), (Severity::Failure, vec![1, 2]));
}

#[test]
fn a_single_binding_request_that_a_host_turns_away_is_likely_a_search_for_servers() {
    let mut scene = Scene::new();
    let asked = scene.send("198.51.100.33:33333", SERVER, Stun::request(method::BINDING));
    scene.icmp_unreachable("203.0.113.1", &asked);
    wait(&mut scene);
    let report = report(&scene.pcap());
    assert_eq!(finding(&report, "turn-unreachable").confidence, Confidence::Likely);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn a_router_that_forbids_the_way_is_named() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(1).icmp("172.16.84.1", Icmp::Prohibited, &request);
    let report = report(&wait(&mut scene).pcap());
    assert_says(&report.headline, "172.16.84.1 forbids the way to 203.0.113.1:3478");
}

#[test]
fn an_icmp_error_about_an_answer_a_check_or_the_mtu_accuses_no_server() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    let answer = scene.after_ms(1).challenge(&request, 401, "Unauthorized", "example.org", "nonce-1");
    scene.after_ms(1).icmp_unreachable("172.16.84.124", &answer);
    let large = scene.after_ms(1).allocate("172.16.84.124:50001", SERVER);
    scene.after_ms(1).icmp("172.16.84.1", Icmp::TooBig(1280), &large);
    let (one, two) = sides();
    let check = scene.after_ms(1).ice_check("172.16.84.124:50002", "10.9.9.9:40000", (&one, &two), true, |check| check);
    scene.after_ms(1).icmp_unreachable("10.9.9.9", &check);
    assert!(!ids(&report(&wait(&mut scene).pcap())).contains(&"turn-unreachable"));
}

#[test]
fn another_server_that_works_makes_an_unreachable_one_a_warning() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(1).icmp_unreachable("203.0.113.1", &request);
    scene.after_ms(20).allocation(CLIENT, OTHER, &alice(), "nonce-1", "203.0.113.2:24000");
    assert_eq!(finding(&report(&wait(&mut scene).pcap()), "turn-unreachable").severity, Severity::Warning);
}

/// The answers come from an address that nobody asked; `copies` requests in all.
fn from_elsewhere(copies: u32) -> Scene {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    let answer = Stun::error_to(&request.payload, 401, "Unauthorized").realm("example.org").nonce("nonce-1").bytes();
    scene.after_ms(10).udp("192.168.245.61:3478", CLIENT, answer.clone());
    for _ in 1..copies {
        scene.after_ms(800).retransmit(&request);
        scene.after_ms(10).udp("192.168.245.61:3478", CLIENT, answer.clone());
    }
    scene
}

#[test]
fn answers_from_an_address_that_was_not_asked_fail_where_the_client_drops_them() {
    let report = report(&wait(&mut from_elsewhere(5)).pcap());
    assert_eq!(mine(&report), ["turn-answer-from-elsewhere"]);
    let found = finding(&report, "turn-answer-from-elsewhere");
    assert_eq!(found.severity, Severity::Failure);
    assert_says(&found.title, "192.168.245.61:3478");
}

#[test]
fn answers_from_elsewhere_that_the_client_takes_are_a_warning() {
    let mut scene = from_elsewhere(1);
    scene.after_ms(20).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    let report = report(&wait(&mut scene).pcap());
    assert_eq!(finding(&report, "turn-answer-from-elsewhere").severity, Severity::Warning);
}

#[test]
fn an_answer_from_elsewhere_that_was_asked_for_is_right() {
    let mut scene = Scene::new();
    let test = Stun::request(method::BINDING).attribute(attribute::CHANGE_REQUEST, [0, 0, 0, 6]);
    let request = scene.send(CLIENT, SERVER, test);
    let answer = Stun::success_to(&request.payload).xor_mapped(CLIENT).bytes();
    scene.after_ms(10).udp("203.0.113.2:3479", CLIENT, answer);
    assert_eq!(mine(&report(&wait(&mut scene).pcap())), Vec::<&str>::new());
}

/// An allocation, and checks that leave through the relay; with `answered`, data comes back.
fn relayed(server: &str, relayed: &str, answered: bool) -> Scene {
    let login = alice();
    let mut scene = Scene::allocated(CLIENT, server, "nonce-1", relayed);
    let peer = "198.51.100.9:4000";
    let permission = scene.after_ms(10).create_permission(CLIENT, server, &login, "nonce-1", peer);
    scene.after_ms(10).granted(&permission, None, &login);
    for _ in 0..5 {
        scene.after_ms(500).send_indication(CLIENT, server, peer, [0x80; 24]);
        if answered {
            scene.after_ms(20).data_indication(server, CLIENT, peer, [0x80; 24]);
        }
    }
    wait(&mut scene);
    scene
}

#[test]
fn a_private_relayed_address_of_a_public_server_fails_where_nothing_comes_back() {
    let report = report(&relayed(SERVER, "10.0.0.5:24000", false).pcap());
    let found = finding(&report, "turn-relay-private");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.title, "lends the private address 10.0.0.5:24000");
    let places: Vec<u64> = found.places.iter().map(|place| place.frame).collect();
    assert_eq!(places, [3, 4], "the Allocate request and its success");
}

#[test]
fn a_private_relayed_address_that_peers_reach_all_the_same_is_a_warning() {
    let report = report(&relayed(SERVER, "10.0.0.5:24000", true).pcap());
    assert_eq!(finding(&report, "turn-relay-private").severity, Severity::Warning);
}

#[test]
fn relayed_addresses_of_the_servers_own_reach_are_no_matter() {
    for (server, address) in [
        (SERVER, RELAYED),
        (SERVER, "198.51.100.77:24000"),
        ("10.0.0.5:3478", "10.0.0.5:24000"),
        ("10.0.0.5:3478", "10.0.0.6:24000"),
        ("10.0.0.5:3478", "203.0.113.1:24000"),
    ] {
        for answered in [true, false] {
            let report = report(&relayed(server, address, answered).pcap());
            assert!(!ids(&report).contains(&"turn-relay-private"), "{server} lends {address}");
        }
    }
}

#[test]
fn two_private_networks_that_are_both_routed_are_no_matter() {
    let report = report(&relayed("10.0.0.5:3478", "192.168.7.7:24000", true).pcap());
    assert!(!ids(&report).contains(&"turn-relay-private"));
}

/// A server and a relayed address in two private networks, with data that is not answered; packets arrive with these TTLs.
fn between_private_networks(server: &str, relayed: &str, client_ttl: u8, server_ttl: u8) -> Scene {
    let mut scene = Scene::new();
    let send = |scene: &mut Scene, from: &str, to: &str, ttl: u8, payload: &[u8]| {
        let id = scene.last_frame() as u16 + 1;
        scene.after_ms(20).packet(&packet::udp(from, to, packet::Ip { id, ttl }, payload));
    };
    let request = allocate().tid(*b"an allocate!").signed(&alice(), "nonce-1").bytes();
    let success = Stun::success_to(&request).xor_relayed(relayed).xor_mapped(CLIENT).lifetime(600).bytes();
    send(&mut scene, CLIENT, server, client_ttl, &request);
    send(&mut scene, server, CLIENT, server_ttl, &success);
    for number in 0..5 {
        let data = Stun::indication(method::SEND).xor_peer("198.51.100.9:4000").data([0x80; 24]);
        let data = data.tid([number; 12]).bytes();
        send(&mut scene, CLIENT, server, client_ttl, &data);
    }
    wait(&mut scene);
    scene
}

#[test]
fn among_private_networks_the_clients_side_is_told_by_the_ttl_of_the_servers_packets() {
    let (inside, outside) = ("192.168.245.61", "10.88.246.156");
    let (server, relayed) = (format!("{outside}:3478"), format!("{inside}:24000"));
    let failing = report(&between_private_networks(&server, &relayed, 64, 61).pcap());
    let found = finding(&failing, "turn-relay-private");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    let unknown = report(&between_private_networks(&server, &relayed, 64, 64).pcap());
    assert_eq!(finding(&unknown, "turn-relay-private").confidence, Confidence::Likely);
    let (server, relayed) = (format!("{inside}:3478"), format!("{outside}:24000"));
    let mirrored = report(&between_private_networks(&server, &relayed, 61, 64).pcap());
    assert!(!ids(&mirrored).contains(&"turn-relay-private"), "the server's own side shows the mirror image");
}

#[test]
fn a_relayed_address_that_is_none_fails_unless_another_allocation_works() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", "0.0.0.0:0");
    let useless = report(&wait(&mut scene).pcap());
    let found = finding(&useless, "turn-relay-unusable");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    scene.allocation("172.16.84.124:50009", SERVER, &alice(), "nonce-2", RELAYED);
    assert_eq!(finding(&report(&wait(&mut scene).pcap()), "turn-relay-unusable").severity, Severity::Warning);
}

#[test]
fn an_allocation_that_names_no_relayed_address_is_of_no_use() {
    let granted = |fill: &dyn Fn(Stun) -> Stun| {
        let mut scene = Scene::new();
        scene.allocate_challenge(CLIENT, SERVER, "example.org", "nonce-1");
        let request = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
        scene.after_ms(10).succeed(&request, |success| fill(success.lifetime(600)).integrity(alice().key()));
        scene
    };
    let mapped = |success: Stun| success.xor_mapped(CLIENT);
    let told = report(&wait(&mut granted(&mapped)).pcap());
    let found = finding(&told, "turn-relay-unusable");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert!(found.title.ends_with("an allocation without a relayed address"), "{}", found.title);
    // one that cannot be read is none either
    let odd = |success: Stun| success.attribute(attribute::XOR_RELAYED_ADDRESS, [0, 9, 1, 2]).xor_mapped(CLIENT);
    assert!(mine(&report(&wait(&mut granted(&odd)).pcap())).contains(&"turn-relay-unusable"));
    // what the capture cut off may have been there, and where data passes there was one
    let cut = degrade::snapped(&degrade::shots(wait(&mut granted(&mapped))), 80);
    assert!(mine(&report(&degrade::pcap(&cut))).is_empty());
    let mut scene = granted(&mapped);
    scene.talk(CLIENT, SERVER, &alice(), "nonce-1", (0x4000, "198.51.100.7:4000"), 10);
    assert_eq!(finding(&report(&wait(&mut scene).pcap()), "turn-relay-unusable").severity, Severity::Warning);
}

#[test]
fn an_allocate_that_asks_for_no_relay_need_not_get_one() {
    // as services do that set up calls with an Allocate of their own, and send media to the server itself
    let mut scene = Scene::new();
    let request = scene.send(CLIENT, SERVER, Stun::request(method::ALLOCATE).attribute(0x4000, [7; 8]));
    scene.after_ms(10).succeed(&request, |success| success.xor_mapped(CLIENT));
    let told = report(&wait(&mut scene).pcap());
    assert_eq!(mine(&told), Vec::<&str>::new());
    assert_eq!((told.allocations.len(), told.servers[0].transports[0].allocated), (0, 0), "nobody has a relay");
    assert_eq!(told.servers[0].active_relays_udp, 0);
}

#[test]
fn a_healthy_session_has_none_of_these_findings() {
    let report = report_with(&relayed(SERVER, RELAYED, true).pcap(), "");
    assert_eq!(mine(&report), Vec::<&str>::new());
}

/// A client whose relay works, and whose server then goes: what is sent meets port unreachable.
fn server_gone(comes_back: bool) -> Scene {
    let login = alice();
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", "203.0.113.1:49200");
    let permission = scene.after_ms(10).create_permission(CLIENT, SERVER, &login, "nonce-1", "198.51.100.7:0");
    scene.after_ms(10).granted(&permission, None, &login);
    scene.after_ms(10).send_indication(CLIENT, SERVER, "198.51.100.7:6000", [0x80; 40]);
    scene.after_ms(10).data_indication(SERVER, CLIENT, "198.51.100.7:6000", [0x80; 40]);
    for _ in 0..20 {
        let sent = scene.after_ms(20).send_indication(CLIENT, SERVER, "198.51.100.7:6000", [0x80; 40]);
        scene.after_ms(1).icmp_unreachable("203.0.113.1", &sent);
    }
    if comes_back {
        scene.after_ms(10).data_indication(SERVER, CLIENT, "198.51.100.7:6000", [0x80; 40]);
    }
    scene
}

#[test]
fn a_server_that_goes_away_under_a_working_relay_is_told() {
    let report = report(&server_gone(false).pcap());
    assert_eq!(report.headline_finding.as_deref(), Some("turn-unreachable"));
    assert_eq!(finding(&report, "turn-unreachable").severity, Severity::Failure);
    assert_says(&report.headline, "lost its relay");
}

#[test]
fn a_keepalive_that_is_turned_away_as_well_does_not_make_the_lost_relay_less() {
    // libwebrtc asks its server for its own address every 10 s, allocation or not
    let mut scene = Scene::new();
    scene.binding(CLIENT, SERVER, "203.0.113.50:50000");
    served(&mut scene);
    for number in 0..20 {
        let packet = payload::rtp(96, number, u32::from(number) * 960, 1, 100);
        let sent = scene.after_ms(20).channel_data(CLIENT, SERVER, 0x4001, packet);
        scene.after_ms(1).icmp_unreachable("203.0.113.1", &sent);
    }
    let keepalive = scene.after_ms(5000).send(CLIENT, SERVER, Stun::request(method::BINDING));
    scene.after_ms(1).icmp_unreachable("203.0.113.1", &keepalive);
    let report = report(&wait(&mut scene).pcap());
    assert_eq!(mine(&report), ["turn-unreachable"]);
    let told = finding(&report, "turn-unreachable");
    assert_eq!((told.severity, told.occurrences), (Severity::Failure, 1));
    assert!(told.title.starts_with("172.16.84.124:50000 lost its relay after 4"), "{}", told.title);
}

#[test]
fn icmp_errors_beside_data_that_goes_on_are_none_of_it() {
    assert!(!ids(&report(&server_gone(true).pcap())).contains(&"turn-unreachable"));
}

/// A client that has an allocation and a channel, through which data flows both ways.
fn served(scene: &mut Scene) {
    scene.allocation(CLIENT, SERVER, &alice(), "nonce", RELAYED);
    let bind = scene.after_ms(10).channel_bind(CLIENT, SERVER, &alice(), "nonce", (0x4001, "198.51.100.9:5000"));
    scene.after_ms(10).granted(&bind, None, &alice());
    for _ in 0..10 {
        scene.after_ms(20).channel_data(CLIENT, SERVER, 0x4001, b"hello");
        scene.after_ms(20).channel_data(SERVER, CLIENT, 0x4001, b"hello");
    }
}

/// The same Refresh `copies` times, with growing gaps, while the client goes on sending.
fn refreshes_in_vain(scene: &mut Scene, seconds: u32, copies: usize) {
    let refresh = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce", seconds);
    for wait in [500, 1000, 2000, 4000].into_iter().take(copies - 1) {
        scene.after_ms(wait / 2).channel_data(CLIENT, SERVER, 0x4001, b"hello");
        scene.after_ms(wait / 2).retransmit(&refresh);
    }
}

#[test]
fn a_server_that_answers_no_more_in_the_middle_of_a_call_is_a_failure() {
    let mut scene = Scene::new();
    served(&mut scene);
    refreshes_in_vain(&mut scene, 600, 4);
    let report = report(&wait(&mut scene).pcap());
    assert_eq!(report.verdict, Verdict::Failure);
    assert_eq!(mine(&report), ["turn-no-response"]);
    let found = finding(&report, "turn-no-response");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert!(found.title.starts_with("203.0.113.1:3478 answers 172.16.84.124:50000 no more after 4"), "{}", found.title);
    assert!(found.title.ends_with("nothing comes back, and 4 requests (Refresh) went unanswered"), "{}", found.title);
}

#[test]
fn a_server_that_gives_a_new_nonce_and_answers_nothing_that_bears_it_has_forgotten_the_allocation() {
    let mut scene = Scene::new();
    served(&mut scene);
    let refresh = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
    scene.after_ms(10).challenge(&refresh, 438, "Stale nonce", "example.org", "nonce-2");
    let again = scene.after_ms(5).refresh(CLIENT, SERVER, &alice(), "nonce-2", 600);
    for gap in [500, 1000, 2000, 4000] {
        scene.after_ms(gap).retransmit(&again);
    }
    let report = report(&wait(&mut scene).pcap());
    let found = finding(&report, "turn-no-response");
    assert_says(&found.explanation, "the client asked again with that");
    assert!(found.fix.contains("was restarted") && !found.fix.contains("firewalls"), "{}", found.fix);
}

#[test]
fn of_a_server_that_is_silent_right_after_its_allocation_no_time_is_told_for_which_it_answered() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce", RELAYED);
    refreshes_in_vain(&mut scene, 600, 4);
    let report = report(&wait(&mut scene).pcap());
    let found = finding(&report, "turn-no-response");
    assert_says(&found.title, "answers 172.16.84.124:50000 no more: nothing comes back");
    assert_says(&found.fix, "a rule that changed, and");
}

#[test]
fn a_client_that_allocates_anew_where_its_server_went_silent_has_a_warning() {
    let mut scene = Scene::new();
    served(&mut scene);
    refreshes_in_vain(&mut scene, 600, 4);
    scene.after_ms(10).allocation("172.16.84.124:50002", OTHER, &alice(), "n2", "203.0.113.2:24002");
    let report = report(&wait(&mut scene).pcap());
    assert_eq!((report.verdict, mine(&report)), (Verdict::Warning, vec!["turn-no-response"]));
}

#[test]
fn silence_to_a_client_that_leaves_or_that_still_gets_data_accuses_nobody() {
    let leaves = |scene: &mut Scene| refreshes_in_vain(scene, 0, 4);
    let hears = |scene: &mut Scene| {
        refreshes_in_vain(scene, 600, 3);
        scene.after_ms(100).channel_data(SERVER, CLIENT, 0x4001, b"hello");
    };
    let asks_once = |scene: &mut Scene| {
        scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
    };
    let others: [&dyn Fn(&mut Scene); 3] = [&leaves, &hears, &asks_once];
    for (number, goes_on) in others.into_iter().enumerate() {
        let mut scene = Scene::new();
        served(&mut scene);
        goes_on(&mut scene);
        let report = report(&wait(&mut scene).pcap());
        assert!(mine(&report).is_empty(), "{number}: {:?}", ids(&report));
    }
}

#[test]
fn a_server_that_is_stopped_in_the_middle_of_a_call_is_told_as_a_relay_that_is_lost() {
    let mut scene = Scene::new();
    served(&mut scene);
    let refresh = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
    scene.after_ms(1).icmp_unreachable("203.0.113.1", &refresh);
    let report = report(&wait(&mut scene).pcap());
    assert_eq!(mine(&report), ["turn-unreachable"]);
    let title = &finding(&report, "turn-unreachable").title;
    assert!(title.starts_with("172.16.84.124:50000 lost its relay after 1.4"), "{title}");
}

#[test]
fn a_relay_that_is_older_than_the_capture_and_turned_away_in_it_is_likely_lost() {
    let mut scene = Scene::new();
    let packet = |number: u16, source| payload::rtp(96, number, u32::from(number) * 960, source, 100);
    for number in 0..10 {
        scene.after_ms(20).channel_data(CLIENT, SERVER, 0x4001, packet(number, 1));
        scene.after_ms(20).channel_data(SERVER, CLIENT, 0x4001, packet(number, 2));
    }
    for number in 10..15 {
        let sent = scene.after_ms(500).channel_data(CLIENT, SERVER, 0x4001, packet(number, 1));
        scene.after_ms(1).icmp_unreachable("203.0.113.1", &sent);
    }
    let report = report(&wait(&mut scene).pcap());
    let told = finding(&report, "turn-unreachable");
    assert_eq!((told.severity, told.confidence), (Severity::Failure, Confidence::Likely));
    assert!(told.title.starts_with("172.16.84.124:50000 lost its relay: nothing listens on"), "{}", told.title);
}

#[test]
fn a_client_that_asks_its_own_address_beyond_the_nat_tests_it_and_accuses_no_server() {
    let mut scene = Scene::new();
    let request = scene.send(CLIENT, SERVER, Stun::request(method::BINDING));
    scene.after_ms(10).succeed(&request, |success| success.xor_mapped("203.0.113.50:50000"));
    for _ in 0..4 {
        let hairpin = scene.after_ms(500).send(CLIENT, "203.0.113.50:50000", Stun::request(method::BINDING));
        scene.after_ms(1).icmp_unreachable("203.0.113.50", &hairpin);
    }
    let report = report(&wait(&mut scene).pcap());
    assert_eq!(report.verdict, Verdict::Healthy, "{:?}", ids(&report));
}

#[test]
fn a_client_that_passes_over_a_refusal_and_repeats_its_request_hears_the_server() {
    // as werift does with a second 401: it goes on until its time is over
    let report = report(&wait(&mut repeated_though_refused(["nonce"; 2])).pcap());
    assert_eq!(report.headline_finding.as_deref(), Some("turn-integrity-rejected"));
    assert!(mine(&report).is_empty(), "{:?}", ids(&report));
}

/// A request like another one, with its transaction id: libjuice asks again so when it has the nonce.
fn same_id(message: Stun, first: &Sent) -> Stun {
    message.answering(&first.payload)
}

#[test]
fn a_signed_request_with_the_id_of_the_challenged_one_is_a_request_of_its_own() {
    let retry = || Stun::request(method::ALLOCATE).requested_transport(17).signed(&alice(), "nonce");
    let mut scene = Scene::new();
    let (bare, _) = scene.allocate_challenge(CLIENT, SERVER, "example.org", "nonce");
    let signed = scene.after_us(80).send(CLIENT, SERVER, same_id(retry(), &bare));
    scene.after_us(250).allocate_granted(&signed, RELAYED, 600, &alice());
    let granted = report(&wait(&mut scene).pcap());
    assert_eq!((granted.verdict, ids(&granted)), (Verdict::Healthy, vec!["turn-challenge"]));
    assert_eq!(granted.allocations.len(), 1);

    let mut scene = Scene::new();
    let (bare, _) = scene.allocate_challenge(CLIENT, SERVER, "example.org", "nonce");
    let signed = scene.after_us(80).send(CLIENT, SERVER, same_id(retry(), &bare));
    scene.after_us(250).challenge(&signed, 401, "Unauthorized", "example.org", "nonce");
    let refused = report(&wait(&mut scene).pcap());
    assert_eq!(ids(&refused), ["turn-integrity-rejected"]);
    assert_eq!(refused.transactions.total, 2);
}

#[test]
fn a_signed_request_that_the_capture_holds_before_the_challenge_to_its_id_is_no_lack_of_credentials() {
    for granted in [true, false] {
        let mut scene = Scene::new();
        let bare = scene.allocate(CLIENT, SERVER);
        let retry = Stun::request(method::ALLOCATE).requested_transport(17).signed(&alice(), "nonce");
        let signed = scene.after_us(80).send(CLIENT, SERVER, same_id(retry, &bare));
        scene.after_us(80).challenge(&bare, 401, "Unauthorized", "example.org", "nonce");
        if granted {
            scene.after_us(250).allocate_granted(&signed, RELAYED, 600, &alice());
        } else {
            scene.after_us(250).challenge(&signed, 401, "Unauthorized", "example.org", "nonce");
        }
        let report = report(&wait(&mut scene).pcap());
        assert_eq!(report.verdict, Verdict::Healthy, "{granted}: {:?}", ids(&report));
    }
}

#[test]
fn keepalives_of_an_application_that_a_closed_port_answers_accuse_no_server() {
    // one direction of a call, with the errors that came when it was over: 203.0.113.9 asks its peer
    let mut scene = Scene::new();
    for _ in 0..6 {
        let keepalive =
            scene.after_ms(2000).send("203.0.113.9:32704", "192.168.2.12:56328", Stun::request(method::BINDING));
        scene.after_ms(1).icmp_unreachable("192.168.2.12", &keepalive);
    }
    let report = report(&wait(&mut scene).pcap());
    assert!(!mine(&report).contains(&"turn-unreachable"), "{:?}", ids(&report));
}

#[test]
fn a_server_for_stun_alone_is_not_said_to_be_silent() {
    let (client, server) = ("172.16.84.124:50000", "203.0.113.1:3478");
    let mut scene = Scene::new();
    scene.binding(client, server, client);
    let request = Stun::request(method::ALLOCATE).requested_transport(17);
    scene.after_ms(10).send_repeatedly(client, server, request, 7);
    scene.later(10);
    let report = report(&scene.pcap());
    let found = finding(&report, "turn-no-response");
    assert_eq!((report.verdict, found.confidence), (Verdict::Failure, Confidence::Certain));
    let told = "203.0.113.1:3478 answers Binding requests over UDP, but not 7 Allocate requests of 172.16.84.124:50000";
    assert_eq!(found.title, told);
    assert_says(&found.fix, "not one for STUN alone");
}

#[test]
fn an_icmp_error_that_quotes_headers_alone_is_of_the_request_of_that_packet() {
    let mut scene = Scene::new();
    let first = scene.send(CLIENT, SERVER, allocate());
    let second = scene.after_ms(5).send(CLIENT, SERVER, allocate());
    let frame = scene.after_ms(5).icmp(
        "203.0.113.254",
        Icmp::Prohibited,
        &Sent { packet: first.packet[..28].to_vec(), ..first },
    );
    let found = report(&wait(&mut scene).pcap());
    let frames = support::analyze::frames_of(&found, "turn-unreachable");
    assert_eq!(frames, [1, frame], "not frame {}", second.frame);
}
