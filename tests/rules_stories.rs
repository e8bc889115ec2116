//! Broken calls, told right: whole, in parts, and when several things are wrong at once.

mod support;

use support::analyze::report;
use support::calls::{Faults, allocate_v6, failures};
use support::degrade::{self, Shot, shots};
use support::*;
use turnscope::report::Verdict;

const CLIENT: &str = "172.16.84.124:50000";
const SECOND: &str = "172.16.84.124:50001";
const SERVER: &str = "203.0.113.1:3478";
const OTHER: &str = "203.0.113.2:3478";
const RELAYED: &str = "203.0.113.1:24000";
const PEER: &str = "198.51.100.7:4000";

fn bob() -> Login {
    Login::new("bob", "example.org", "b")
}

fn allocate() -> Stun {
    Stun::request(method::ALLOCATE).requested_transport(17)
}

/// One story: its name, the scene, the finding of the headline, and what else may be called a failure in it or a part of it.
type Story = (&'static str, Scene, &'static str, &'static [&'static str]);

fn scene(play: impl FnOnce(&mut Scene)) -> Scene {
    let mut scene = Scene::new();
    play(&mut scene);
    scene.later(60);
    scene
}

#[rustfmt::skip]
fn credentials() -> Vec<Story> {
    let a = alice();
    vec![
        ("a wrong password at coturn", scene(|s| { s.wrong_password(CLIENT, SERVER, &a, "n"); }), "turn-integrity-rejected", &[]),
        ("a wrong password, with each challenge lost once and a new nonce for each copy", scene(|s| {
            let first = s.allocate(CLIENT, SERVER);
            let again = s.after_ms(500).retransmit(&first);
            s.after_ms(10).challenge(&first, 401, "Unauthorized", "example.org", "nonce-1");
            s.after_ms(10).challenge(&again, 401, "Unauthorized", "example.org", "nonce-2");
            let retry = s.after_ms(10).allocate_as(CLIENT, SERVER, &a, "nonce-2");
            s.after_ms(10).challenge(&retry, 401, "Unauthorized", "example.org", "nonce-3");
        }), "turn-integrity-rejected", &[]),
        ("a wrong password, and the server gives a new nonce each time", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "example.org", "n0");
            for round in 0..6 {
                let retry = s.after_ms(100).allocate_as(CLIENT, SERVER, &a, &format!("n{round}"));
                s.after_ms(10).challenge(&retry, 401, "Unauthorized", "example.org", &format!("n{}", round + 1));
            }
        }), "turn-integrity-rejected", &[]),
        ("a wrong password at an Expressway, tried again and again on new ports", scene(|s| {
            for round in 0..5 {
                let client = format!("172.16.84.124:{}", 50000 + round);
                s.after_ms(3000).allocate_challenge(&*client, SERVER, "turnuser", &format!("n{round}"));
                let retry = s.after_ms(10).allocate_as(&*client, SERVER, &Login::new("turnuser", "turnuser", "x"), &format!("n{round}"));
                s.after_ms(10).refuse_with(&retry, 431, "Integrity Check Failure", |e| e.username("turnuser").realm("turnuser").nonce(format!("n{round}")).integrity_long_term("turnuser", "turnuser", "y"));
            }
        }), "turn-integrity-rejected", &[]),
        ("a wrong password at pion", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "pion.ly", "n");
            let retry = s.after_ms(10).allocate_as(CLIENT, SERVER, &Login::new("u", "pion.ly", "x"), "n");
            s.after_ms(10).refuse_with(&retry, 400, "", |e| e.software("pion/turn"));
        }), "turn-integrity-rejected", &["turn-request-rejected"]),
        ("wrong passwords at two servers, nobody else", scene(|s| {
            s.wrong_password(CLIENT, SERVER, &a, "n");
            s.after_ms(50).wrong_password(SECOND, OTHER, &a, "m");
        }), "turn-integrity-rejected", &[]),
        ("a credential that ended yesterday", scene(|s| {
            s.wrong_password(CLIENT, SERVER, &Login::new("1767139200:alice", "example.org", "p"), "n");
        }), "turn-credential-expired", &[]),
        ("a wrong password and then silence of the second server", scene(|s| {
            s.wrong_password(CLIENT, SERVER, &a, "n");
            s.after_ms(100).send_repeatedly(SECOND, OTHER, allocate(), 7);
        }), "turn-integrity-rejected", &["turn-no-response"]),
        ("silence of one server and then a wrong password at the second", scene(|s| {
            s.send_repeatedly(SECOND, OTHER, allocate(), 7);
            s.after_ms(100).wrong_password(CLIENT, SERVER, &a, "n");
        }), "turn-no-response", &["turn-integrity-rejected"]),
        ("no credentials at all", scene(|s| { s.allocate_challenge(CLIENT, SERVER, "example.org", "n"); }), "turn-no-credentials", &[]),
        ("a realm that is not the server's", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "example.org", "n");
            let retry = s.after_ms(10).allocate_as(CLIENT, SERVER, &Login::new("alice", "example.com", "p"), "n");
            s.after_ms(10).refuse(&retry, 437, "Mismatched allocation: wrong transaction ID");
        }), "turn-realm-mismatch", &["turn-allocation-mismatch"]),
        ("nonces that never hold", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "example.org", "n0");
            for round in 0..6 {
                let retry = s.after_ms(100).allocate_as(CLIENT, SERVER, &a, &format!("n{round}"));
                s.after_ms(10).challenge(&retry, 438, "Stale Nonce", "example.org", &format!("n{}", round + 1));
            }
        }), "turn-stale-nonce-loop", &["turn-request-rejected"]),
        ("a user changed in the middle of a call that then stops", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            let refresh = s.after_ms(300_000).refresh(CLIENT, SERVER, &bob(), "n", 600);
            s.after_ms(10).refuse(&refresh, 441, "Wrong Credentials");
        }), "turn-user-changed", &[]),
        ("an attribute that the server does not know", scene(|s| {
            let request = s.send(CLIENT, SERVER, allocate().attribute(0x7F77, [0; 4]));
            s.after_ms(10).refuse_with(&request, 420, "Unknown Attribute", |e| e.unknown_attributes(&[0x7F77]));
        }), "turn-unknown-attribute", &[]),
    ]
}

#[rustfmt::skip]
fn relays() -> Vec<Story> {
    let a = alice();
    vec![
        ("one allocation too many and nothing flows", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            s.allocate_challenge(SECOND, SERVER, "example.org", "m");
            s.refused_allocate(SECOND, SERVER, &a, "m", 486);
        }), "turn-quota", &[]),
        ("no ports", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "example.org", "n");
            s.refused_allocate(CLIENT, SERVER, &a, "n", 508);
        }), "turn-capacity", &[]),
        ("no ports, and later a wrong password at another server", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "example.org", "n");
            s.refused_allocate(CLIENT, SERVER, &a, "n", 508);
            s.after_ms(100).wrong_password(SECOND, OTHER, &a, "m");
        }), "turn-capacity", &["turn-integrity-rejected"]),
        ("no IPv6 relay, and the client wants nothing else", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "example.org", "n");
            let v6 = s.after_ms(10).send(CLIENT, SERVER, allocate_v6().signed(&a, "n"));
            s.after_ms(10).refuse(&v6, 440, "Address Family not Supported");
        }), "turn-address-family", &[]),
        ("a port that is in use already", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            s.after_ms(1000);
            s.refused_allocate(CLIENT, SERVER, &a, "n", 437);
        }), "turn-allocation-mismatch", &[]),
        ("a peer that is forbidden, and there is no other", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            let permit = s.after_ms(10).create_permission(CLIENT, SERVER, &a, "n", "10.0.0.5:4000");
            s.after_ms(10).refuse(&permit, 403, "Forbidden IP");
        }), "turn-peer-forbidden", &[]),
        ("a refresh that is refused, and nothing flows any more", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            s.talk(CLIENT, SERVER, &a, "n", (0x4000, PEER), 10);
            let refresh = s.after_ms(60_000).refresh(CLIENT, SERVER, &a, "n", 600);
            s.after_ms(10).refuse(&refresh, 437, "Allocation Mismatch");
            for number in 0..5 { s.after_ms(20).channel_data(CLIENT, SERVER, 0x4000, support::payload::rtp(96, number, 0, 1, 50)); }
        }), "turn-allocation-gone", &[]),
        ("a server that is at fault", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "example.org", "n");
            s.refused_allocate(CLIENT, SERVER, &a, "n", 500);
        }), "turn-server-error", &[]),
        ("servers that send a client round in a circle", scene(|s| {
            for (port, (one, other)) in [(SERVER, OTHER), (OTHER, SERVER), (SERVER, OTHER), (OTHER, SERVER)].into_iter().enumerate() {
                let request = s.after_ms(50).allocate(&*format!("172.16.84.124:{}", 50000 + port), one);
                s.after_ms(10).refuse_with(&request, 300, "Try Alternate", |e| e.alternate_server(other));
            }
        }), "turn-redirect-loop", &["turn-redirect-ignored"]),
        ("a redirection that is not followed", scene(|s| {
            for round in 0..4 {
                let request = s.at_ms(round * 2000).allocate(CLIENT, SERVER);
                s.after_ms(10).refuse_with(&request, 300, "Try Alternate", |e| e.alternate_server(OTHER));
            }
        }), "turn-redirect-ignored", &[]),
        ("a followed redirection to a server that knows another password", scene(|s| {
            let request = s.allocate(CLIENT, SERVER);
            s.after_ms(10).refuse_with(&request, 300, "Try Alternate", |e| e.alternate_server(OTHER));
            s.after_ms(10).wrong_password(CLIENT, OTHER, &a, "n");
        }), "turn-integrity-rejected", &["turn-redirect-ignored"]),
    ]
}

#[rustfmt::skip]
fn ways() -> Vec<Story> {
    let a = alice();
    vec![
        ("a server that does not answer", scene(|s| { s.send_repeatedly(CLIENT, SERVER, allocate(), 7); s.resolved(CLIENT); }), "turn-no-response", &[]),
        ("a port on which nobody listens", scene(|s| {
            let request = s.allocate(CLIENT, SERVER);
            s.after_ms(5).icmp_unreachable("203.0.113.1", &request);
        }), "turn-unreachable", &["turn-no-response"]),
        ("answers that do not arrive", scene(|s| {
            let request = s.allocate(CLIENT, SERVER);
            for round in 0..6 {
                s.after_ms(10).challenge(&request, 401, "Unauthorized", "example.org", "n");
                s.after_ms(500 << round).retransmit(&request);
            }
        }), "turn-answer-lost", &["turn-no-response"]),
        ("answers from another address", scene(|s| {
            let request = s.allocate(CLIENT, SERVER);
            for round in 0..6 {
                let answer = Stun::error_to(&request.payload, 401, "Unauthorized").realm("example.org").nonce("n").bytes();
                s.after_ms(10).udp("203.0.113.9:3478", CLIENT, answer);
                s.after_ms(500 << round).retransmit(&request);
            }
        }), "turn-answer-from-elsewhere", &["turn-no-response"]),
        ("a relay behind a NAT that it does not know", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", "10.5.5.5:24000");
            let permit = s.after_ms(10).create_permission(CLIENT, SERVER, &a, "n", PEER);
            s.after_ms(10).granted(&permit, None, &a);
            for number in 0..10 { s.after_ms(50).send_indication(CLIENT, SERVER, PEER, support::payload::rtp(96, number, 0, 1, 50)); }
        }), "turn-relay-private", &[]),
        ("a signed Allocate that is never answered while the first was", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "example.org", "n");
            s.after_ms(10).send_repeatedly(CLIENT, SERVER, allocate().signed(&a, "n"), 7);
        }), "turn-no-response", &[]),
    ]
}

fn stories() -> Vec<Story> {
    credentials().into_iter().chain(relays()).chain(ways()).collect()
}

/// A part of a story may show less; what it shows must be of the story.
fn part(faults: &mut Faults, (name, id, also): (&str, &str, &[&str]), how: &str, shots: &[Shot]) {
    let report = report(&degrade::pcap(shots));
    if failures(&report).iter().any(|told| *told != id && !also.contains(told)) {
        faults.add(name, how, &report);
    }
}

/// All of a story in another guise: the same headline.
fn whole(faults: &mut Faults, (name, id): (&str, &str), how: &str, shots: &[Shot]) {
    let report = report(&degrade::pcap(shots));
    let headline = report.headline_finding.as_deref().unwrap_or_default();
    let right = headline == id || headline.starts_with(&format!("{id}/"));
    if !right || report.verdict != Verdict::Failure {
        faults.add(name, how, &report);
    }
}

#[test]
fn each_story_is_told_by_its_cause() {
    let mut faults = Faults::default();
    for (name, scene, id, _) in stories() {
        whole(&mut faults, (name, id), "as it is", &shots(&scene));
    }
}

#[test]
fn a_mirror_port_a_nat_or_another_client_in_the_capture_changes_no_headline() {
    let mut healthy = Scene::new();
    healthy.with_other_ids().after_ms(700).allocation(
        "192.168.9.9:40000",
        SERVER,
        &bob(),
        "of-bob",
        "203.0.113.1:24999",
    );
    healthy.talk("192.168.9.9:40000", SERVER, &bob(), "of-bob", (0x4000, PEER), 100);
    let healthy = shots(&healthy);
    let mut faults = Faults::default();
    for (name, scene, id, _) in stories() {
        let all = shots(&scene);
        for after in [30, 900] {
            whole(
                &mut faults,
                (name, id),
                &format!("each frame twice within {after} us"),
                &degrade::mirrored(&all, after),
            );
        }
        whole(
            &mut faults,
            (name, id),
            "both sides of a NAT",
            &degrade::both_sides_of_a_nat(&all, "172.16.84.124", "198.51.100.200"),
        );
        whole(&mut faults, (name, id), "with a healthy call of another client", &degrade::merged(&all, &healthy));
    }
}

#[test]
fn parts_of_a_story_tell_less_and_nothing_else() {
    let mut faults = Faults::default();
    for (name, scene, id, also) in stories() {
        let all = shots(&scene);
        let end = all.last().unwrap().clone();
        let story = (name, id, also);
        for place in 1..all.len() {
            part(&mut faults, story, &format!("from frame {} on", place + 1), &all[place..]);
            part(&mut faults, story, &format!("up to frame {place}"), &all[..place]);
            let mut kept = all.clone();
            kept.remove(place - 1);
            part(&mut faults, story, &format!("without frame {place}"), &kept);
            for by in [-3_600_000, -3_000, 3_000] {
                part(
                    &mut faults,
                    story,
                    &format!("clock set by {by} ms before frame {}", place + 1),
                    &degrade::clock_set(&all, place, by),
                );
            }
        }
        for ip in ["172.16.84.124", "203.0.113.1"] {
            let mut sent = degrade::from(&all, ip);
            sent.push(end.clone());
            let mut got = degrade::to(&all, ip);
            got.push(end.clone());
            // of requests that are repeated one can say that the client has no answer, whoever is to blame
            part(
                &mut faults,
                (name, id, &[also, &["turn-no-response"]].concat()),
                &format!("only what {ip} sends"),
                &sent,
            );
            part(
                &mut faults,
                (name, id, &[also, &["turn-no-response"]].concat()),
                &format!("only what {ip} gets"),
                &got,
            );
        }
        part(
            &mut faults,
            story,
            "both sides of the server's NAT",
            &degrade::both_sides_of_a_nat(&all, "203.0.113.1", "203.0.113.200"),
        );
        part(&mut faults, story, "whole seconds", &degrade::coarse(&all));
        for (start, length) in (1..all.len()).flat_map(|start| [(start, 2), (start, 3), (start, 5)]) {
            let kept: Vec<Shot> = all[..start].iter().chain(all.iter().skip(start + length)).cloned().collect();
            part(
                &mut faults,
                (name, id, &[also, &["turn-no-credentials"]].concat()),
                &format!("without {length} frames from {} on", start + 1),
                &kept,
            );
        }
        for length in [60, 72, 96, 128] {
            part(&mut faults, story, &format!("{length} bytes of each frame"), &degrade::snapped(&all, length));
        }
    }
}
