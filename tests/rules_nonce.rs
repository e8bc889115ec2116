//! Nonces that run out, and nonces that never hold.

mod support;

use support::analyze::{assert_says, finding, frames_of, ids, report};
use support::*;
use turnscope::report::{Report, Severity, Verdict};

const CLIENT: &str = "172.16.84.124:50000";
const SERVER: &str = "10.88.246.156:3478";
const RELAYED: &str = "10.88.246.156:24000";
const REALM: &str = "example.org";

/// A signed Allocate from `client` with `nonce`, refused with 438 and `next`.
fn stale(scene: &mut Scene, client: &str, nonce: &str, next: &str) {
    let request = scene.after_ms(500).allocate_as(client, SERVER, &alice(), nonce);
    scene.after_ms(10).challenge(&request, 438, "Stale Nonce", REALM, next);
}

#[test]
fn a_nonce_that_runs_out_and_is_renewed_is_a_note() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    let refresh = scene.after_ms(60_000).refresh(CLIENT, SERVER, &alice(), "nonce-1", 600);
    scene.after_ms(10).challenge(&refresh, 438, "Stale nonce", REALM, "nonce-2");
    let refresh = scene.after_ms(10).refresh(CLIENT, SERVER, &alice(), "nonce-2", 600);
    scene.after_ms(10).granted(&refresh, Some(600), &alice());
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-challenge", "turn-stale-nonce"]);
    assert_eq!(report.verdict, Verdict::Healthy);
    assert_eq!(frames_of(&report, "turn-stale-nonce"), [5, 6, 7, 8]);
}

#[test]
fn a_nonce_that_is_refused_as_soon_as_it_was_given_did_not_run_out() {
    let told = |age_ms: u64| {
        let mut scene = Scene::new();
        scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
        let request = scene.after_ms(age_ms).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
        scene.after_ms(10).challenge(&request, 438, "Wrong nonce", REALM, "nonce-2");
        let request = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-2");
        scene.after_ms(10).allocate_granted(&request, RELAYED, 600, &alice());
        finding(&report(&scene.pcap()), "turn-stale-nonce").explanation.clone()
    };
    assert!(told(10).contains("That nonce was 10.0 ms old and cannot have run out: several servers"), "{}", told(10));
    assert!(told(60_000).contains("Servers limit the life of a nonce"), "{}", told(60_000));
}

#[test]
fn a_nonce_that_ran_out_may_be_refused_with_401() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    let refresh = scene.after_ms(60_000).refresh(CLIENT, SERVER, &alice(), "nonce-1", 600);
    scene.after_ms(10).challenge(&refresh, 401, "Unauthorized", REALM, "nonce-2");
    let refresh = scene.after_ms(10).refresh(CLIENT, SERVER, &alice(), "nonce-2", 600);
    scene.after_ms(10).granted(&refresh, Some(600), &alice());
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-challenge", "turn-stale-nonce"]);
    assert_eq!(report.verdict, Verdict::Healthy);
}

#[test]
fn requests_that_were_under_way_with_the_old_nonce_are_one_renewal() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    scene.after_ms(60_000);
    let asked: Vec<Sent> = (1..=4)
        .map(|host| {
            scene.create_permission(CLIENT, SERVER, &alice(), "nonce-1", format!("192.0.2.{host}:5000").as_str())
        })
        .collect();
    scene.after_ms(10);
    for request in &asked {
        scene.after_ms(1).challenge(request, 438, "Stale nonce", REALM, "nonce-2");
    }
    let permission = scene.after_ms(10).create_permission(CLIENT, SERVER, &alice(), "nonce-2", "192.0.2.1:5000");
    scene.after_ms(10).granted(&permission, None, &alice());
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-challenge", "turn-stale-nonce"]);
    assert_eq!(finding(&report, "turn-stale-nonce").occurrences, 1);
}

#[test]
fn many_requests_refused_at_once_are_no_loop() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    scene.after_ms(60_000);
    let asked: Vec<Sent> =
        (0..6).map(|_| scene.create_permission(CLIENT, SERVER, &alice(), "nonce-1", "192.0.2.1:5000")).collect();
    for request in &asked {
        scene.after_ms(1).challenge(request, 438, "Stale nonce", REALM, "nonce-2");
    }
    assert_eq!(ids(&report(&scene.pcap())), ["turn-challenge"]);
}

#[test]
fn a_client_that_opens_a_socket_for_each_try_never_has_a_nonce_of_its_own() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-0");
    for step in 0..4 {
        let client = format!("172.16.84.124:{}", 50001 + step);
        stale(&mut scene, &client, &format!("nonce-{step}"), &format!("nonce-{}", step + 1));
    }
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-stale-nonce-loop"]);
    assert_eq!(report.verdict, Verdict::Failure);
    assert_eq!(finding(&report, "turn-stale-nonce-loop").occurrences, 1);
    assert_eq!(frames_of(&report, "turn-stale-nonce-loop"), [3, 4, 5, 6, 7, 8, 9, 10]);
    assert_says(&report.headline, "each nonce was given to another port");
}

#[test]
fn a_client_that_leaves_by_another_address_each_time_is_told_so() {
    let mut scene = Scene::new();
    scene.allocate_challenge("203.0.113.1:50000", SERVER, REALM, "nonce-0");
    for step in 0..4 {
        let client = format!("203.0.113.{}:50000", 2 + step);
        stale(&mut scene, &client, &format!("nonce-{step}"), &format!("nonce-{}", step + 1));
    }
    let report = report(&scene.pcap());
    assert_says(&report.headline, "each nonce was given to another address");
}

#[test]
fn servers_behind_one_address_that_do_not_share_nonces_are_told_from_a_client_that_moves() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-0");
    for step in 0..4 {
        stale(&mut scene, CLIENT, &format!("nonce-{step}"), &format!("nonce-{}", step + 1));
    }
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-stale-nonce-loop"]);
    assert_says(&report.headline, "echoes each nonce from where it was given");
    assert!(finding(&report, "turn-stale-nonce-loop").fix.contains("balancer"));
}

#[test]
fn two_servers_that_take_turns_with_a_nonce_each_are_a_loop() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-a");
    for step in 0..4 {
        let (one, other) = if step % 2 == 0 { ("nonce-a", "nonce-b") } else { ("nonce-b", "nonce-a") };
        stale(&mut scene, CLIENT, one, other);
    }
    assert_eq!(ids(&report(&scene.pcap())), ["turn-stale-nonce-loop"]);
}

#[test]
fn a_client_that_keeps_its_own_nonce_does_not_echo() {
    let mut scene = Scene::new();
    for step in 0..4 {
        stale(&mut scene, CLIENT, "my-own-nonce", &format!("nonce-{step}"));
    }
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-stale-nonce-loop"]);
    assert_says(&report.headline, "does not use the nonces that it is given");
}

#[test]
fn a_client_that_does_not_take_the_new_nonce_is_told_from_servers_that_do_not_share_theirs() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    for step in 2..6 {
        let refresh = scene.after_ms(2000).refresh(CLIENT, SERVER, &alice(), "nonce-1", 600);
        scene.after_ms(10).challenge(&refresh, 438, "Stale nonce", REALM, &format!("nonce-{step}"));
    }
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-stale-nonce-loop", "turn-challenge"]);
    assert_says(&report.headline, "rejected 4 requests of 172.16.84.124");
    assert_says(&report.headline, "the client goes on with the old one");
    assert!(!finding(&report, "turn-stale-nonce-loop").fix.contains("balancer"));
}

#[test]
fn a_loop_that_ends_in_an_allocation_is_no_failure() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-0");
    for step in 0..4 {
        stale(&mut scene, CLIENT, &format!("nonce-{step}"), &format!("nonce-{}", step + 1));
    }
    let retry = scene.after_ms(500).allocate_as(CLIENT, SERVER, &alice(), "nonce-4");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
    let report = report(&scene.pcap());
    assert!(!ids(&report).contains(&"turn-stale-nonce-loop"), "{:?}", ids(&report));
    assert_eq!(report.verdict, Verdict::Healthy);
}

#[test]
fn a_loop_that_another_server_makes_good_is_a_warning() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-0");
    for step in 0..4 {
        stale(&mut scene, CLIENT, &format!("nonce-{step}"), &format!("nonce-{}", step + 1));
    }
    scene.after_ms(500).allocation(CLIENT, "10.88.246.157:3478", &alice(), "another", "10.88.246.157:24000");
    assert_eq!(finding(&report(&scene.pcap()), "turn-stale-nonce-loop").severity, Severity::Warning);
}

#[test]
fn clients_that_are_all_given_the_same_nonce_are_not_one_loop() {
    let mut scene = Scene::new();
    for port in 50000..50006 {
        let client = format!("203.0.113.9:{port}");
        scene.after_ms(500).allocate_challenge(client.as_str(), SERVER, REALM, "everybody's");
    }
    for port in 50000..50006 {
        stale(&mut scene, &format!("203.0.113.9:{port}"), "everybody's", "everybody's next");
    }
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-stale-nonce-loop"));
}

#[test]
fn requests_whose_answers_are_not_in_the_capture_are_no_loop() {
    let mut scene = Scene::new();
    for step in 0..6 {
        scene.after_ms(500).allocate_as(CLIENT, SERVER, &alice(), &format!("nonce-{step}"));
    }
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-stale-nonce-loop"));
}

/// A relayed call whose Refresh gets a new nonce; the client does not use it, and goes on sending `after` the allocation's end, or is answered there.
fn left_alone(after: bool, answered: bool) -> Report {
    let (client, server, peer, login) = ("172.16.84.124:50000", "203.0.113.1:3478", "198.51.100.7:40000", alice());
    let mut scene = Scene::new();
    scene.allocation(client, server, &login, "nonce-1", "203.0.113.1:24000");
    scene.talk(client, server, &login, "nonce-1", (0x4000, peer), 50);
    let refresh = scene.after_ms(200_000).refresh(client, server, &login, "nonce-1", 600);
    scene.after_ms(10).challenge(&refresh, 438, "Stale Nonce", &login.realm, "nonce-2");
    scene.media(client, server, 0x4000, 50);
    scene.after_ms(420_000);
    for _ in 0..if after { 50 } else { 0 } {
        scene.after_ms(100).channel_data(client, server, 0x4000, [0x80; 172]);
        if answered {
            scene.after_ms(1).channel_data(server, client, 0x4000, [0x80; 172]);
        }
    }
    scene.later(10);
    report(&scene.pcap())
}

#[test]
fn a_client_that_leaves_the_new_nonce_alone_is_told_so() {
    let told = left_alone(true, false);
    let found = finding(&told, "turn-request-rejected");
    assert_eq!((told.verdict, told.headline_finding.as_deref()), (Verdict::Failure, Some("turn-request-rejected")));
    assert_says(&found.title, "does not repeat its Refresh with the new nonce");
    let late = finding(&told, "turn-data-after-expiry");
    assert_eq!(late.caused_by.as_deref(), Some(found.key.as_str()), "{late:?}");
}

#[test]
fn a_nonce_left_alone_is_a_warning_where_the_relay_is_not_missed() {
    for told in [left_alone(false, false), left_alone(true, true)] {
        assert_eq!(told.verdict, Verdict::Warning, "{:?}", ids(&told));
    }
}

#[test]
fn a_nonce_that_is_refused_as_soon_as_it_is_given_is_not_told_to_have_run_out() {
    let mut scene = Scene::new();
    for port in 50_000..50_003 {
        let client = format!("10.0.0.2:{port}");
        scene.after_ms(2000).allocate_challenge(&*client, SERVER, REALM, &format!("nonce-{port}"));
        let retry = scene.after_ms(10).allocate_as(&*client, SERVER, &alice(), &format!("nonce-{port}"));
        scene.after_ms(10).challenge(&retry, 438, "Wrong nonce", REALM, &format!("other-{port}"));
    }
    let report = report(&scene.later(60).pcap());
    let found = finding(&report, "turn-request-rejected");
    assert_says(&found.title, "refuses a nonce that it gave 10.0.0.2:50000 only 10.0 ms before");
    assert_says(&found.fix, "keep a client on one server and on one port");
}

/// Requests that are under way together with an old nonce, as the server sees them `apart_ms` from each other, each refused at once; and their
/// second try, which a server that was restarted refuses for another reason.
fn volley(apart_ms: u64, way_ms: u64) -> Report {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    scene.after_ms(60_000);
    let peers = ["198.51.100.1:6000", "198.51.100.2:6000", "198.51.100.3:6000", "198.51.100.4:6000"];
    for (number, peer) in (2..).zip(peers) {
        let request = scene.after_ms(apart_ms).create_permission(CLIENT, SERVER, &alice(), "nonce-1", peer);
        scene.after_us(50).challenge(&request, 438, "Stale nonce", REALM, &format!("nonce-{number}"));
    }
    scene.after_ms(way_ms);
    for (number, peer) in (2..).zip(peers) {
        let nonce = format!("nonce-{number}");
        let request = scene.after_ms(apart_ms).create_permission(CLIENT, SERVER, &alice(), &nonce, peer);
        scene.after_us(50).refuse(&request, 437, "Allocation Mismatch");
    }
    report(&scene.later(5).pcap())
}

#[test]
fn requests_under_way_together_are_one_refusal_where_the_server_was_captured_too() {
    for apart_ms in [1, 30, 60] {
        let told = volley(apart_ms, 100);
        assert!(!ids(&told).contains(&"turn-stale-nonce-loop"), "{apart_ms} ms: {:?}", ids(&told));
        assert!(ids(&told).contains(&"turn-allocation-gone"), "{apart_ms} ms: {:?}", ids(&told));
    }
}
