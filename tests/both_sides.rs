//! Captures at a NAT or firewall itself, which hold what passes on both of its sides: what it does is to be seen, and not to be guessed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{self, assert_says, finding, ids, report};
use support::calls::{failures, graver, show};
use support::degrade::{self, Shot};
use support::ice::{Agents, plain};
use support::*;
use turnscope::report::{Confidence, Report, Severity, Verdict};

const INSIDE: &str = "10.0.0.5:50000";
const SERVER: &str = "203.0.113.1:3478";
const RELAYED: &str = "203.0.113.1:24000";
const PEER: &str = "192.0.2.9:7000";
const OUTSIDE: &str = "198.51.100.7:40000";
const OUTSIDE_LATER: &str = "198.51.100.7:51000";

/// What of a scene passes beyond a NAT that has this address for a client: 200 µs from the inner side, and one hop further.
fn beyond(shots: &[Shot], inside: &str, outside: &str) -> Vec<Shot> {
    let all = points::translated(shots, inside, outside);
    let of_client = |shot: &Shot| degrade::ends(shot).filter(|(one, other)| [*one, *other].contains(&outside.place()));
    let mut passed: Vec<Shot> = all.into_iter().filter(|shot| of_client(shot).is_some()).collect();
    passed.iter_mut().for_each(|shot| shot.bytes[22] -= 1);
    points::further(&passed, &outside.place().ip().to_string(), 200)
}

/// What a capture at the NAT holds of a scene, of which it shows the frames from number `turn` (counted from 0) on at another outside address.
fn mapped_anew(scene: &Scene, turn: usize, [before, after]: [&str; 2]) -> Vec<u8> {
    let shots = degrade::shots(scene);
    let (one, other) = shots.split_at(turn);
    let outer = [beyond(one, INSIDE, before), beyond(other, INSIDE, after)].concat();
    degrade::pcap(&degrade::merged(&shots, &outer))
}

/// A call over a relay; in the middle, at the frame of which the number is given, the NAT gives the client another outside address. The server takes its
/// next Refresh, or refuses that.
fn remapped(taken: bool) -> (Scene, usize) {
    let (mut scene, login) = (Scene::new(), alice());
    scene.allocate_challenge(INSIDE, SERVER, &login.realm, "n");
    let asked = scene.after_ms(10).allocate_as(INSIDE, SERVER, &login, "n");
    scene.after_ms(20).granted_behind_nat(&asked, OUTSIDE, RELAYED, &login);
    scene.talk(INSIDE, SERVER, &login, "n", (0x4000, PEER), 50);
    let turn = usize::try_from(scene.last_frame()).unwrap();
    for number in 50..150 {
        let packet = payload::rtp(96, number, u32::from(number) * 960, 1, 100);
        scene.after_ms(20).channel_data(INSIDE, SERVER, 0x4000, &packet);
    }
    let asked = scene.after_ms(20).refresh(INSIDE, SERVER, &login, "n", 600);
    scene.after_ms(20);
    if taken {
        scene.granted(&asked, Some(600), &login);
        scene.media(INSIDE, SERVER, 0x4000, 50);
    } else {
        scene.refuse_with(&asked, 437, "Allocation Mismatch", |error| error.integrity(login.key()));
    }
    scene.later(30);
    (scene, turn)
}

#[test]
fn a_nat_that_maps_a_client_anew_is_named_with_both_addresses_and_the_loss_is_one_finding() {
    for later in [OUTSIDE_LATER, "198.51.100.8:51000"] {
        let (scene, turn) = remapped(false);
        let report = analyze::report(&mapped_anew(&scene, turn, [OUTSIDE, later]));
        assert_eq!(graver(&report), ["turn-allocation-gone"], "{}", show(&report));
        let found = finding(&report, "turn-allocation-gone");
        assert_eq!((found.occurrences, found.subject.client.unwrap().0.to_string()), (1, INSIDE.to_owned()));
        assert_says(&found.explanation, &format!("The server saw the client as {OUTSIDE} before"));
        assert_says(&found.explanation, &format!("and sees it as {later} now"));
        assert_eq!(report.authentications.len(), 1, "one client: {:?}", report.authentications);
        // where the server takes the client from there, all is well
        let (scene, turn) = remapped(true);
        let report = analyze::report(&mapped_anew(&scene, turn, [OUTSIDE, later]));
        assert_eq!(report.verdict, Verdict::Healthy, "{}", show(&report));
        assert_eq!(report.authentications.len(), 1);
    }
}

#[test]
fn a_refusal_in_a_capture_that_starts_in_the_middle_is_counted_once_on_both_sides() {
    for taken in [true, false] {
        let (scene, turn) = remapped(taken);
        let shots = degrade::shots(&scene);
        let outer = beyond(&shots[turn..], INSIDE, OUTSIDE);
        let report = report(&degrade::pcap(&degrade::merged(&shots[turn..], &outer)));
        let told: Vec<u64> = report.findings.iter().map(|found| found.occurrences).collect();
        assert_eq!(told, if taken { vec![] } else { vec![1] }, "{}", show(&report));
        assert_eq!(report.authentications.len(), 1, "{:?}", report.authentications);
    }
}

/// A client has an allocation and goes away; another one, behind the same NAT, is given its outside port and asks the same server.
fn port_reused() -> [Scene; 2] {
    let (mut one, login) = (Scene::new(), alice());
    one.allocate_challenge(INSIDE, SERVER, &login.realm, "n");
    let asked = one.after_ms(10).allocate_as(INSIDE, SERVER, &login, "n");
    one.after_ms(20).granted_behind_nat(&asked, OUTSIDE, RELAYED, &login);
    one.talk(INSIDE, SERVER, &login, "n", (0x4000, PEER), 50);
    let (mut other, bob) = (Scene::new(), Login::new("bob", "example.org", "b"));
    other.with_other_ids().at_ms(120_000);
    other.refused_next("10.0.0.6:51000", &bob);
    [one, other]
}

impl Scene {
    fn refused_next(&mut self, client: &str, login: &Login) {
        self.allocate_challenge(client, SERVER, &login.realm, "m");
        let asked = self.after_ms(10).allocate_as(client, SERVER, login, "m");
        self.after_ms(20).refuse_with(&asked, 437, "Allocation Mismatch", |error| error.integrity(login.key()));
        self.later(30);
    }
}

#[test]
fn an_outside_port_that_the_nat_gives_to_another_client_shows_whose_allocation_is_in_the_way() {
    let [one, other] = port_reused().map(|scene| degrade::shots(&scene));
    let outer = [beyond(&one, INSIDE, OUTSIDE), beyond(&other, "10.0.0.6:51000", OUTSIDE)].concat();
    let whole = degrade::merged(&degrade::merged(&one, &other), &outer);
    let told = report(&degrade::pcap(&whole));
    let found = finding(&told, "turn-allocation-mismatch");
    assert_says(&found.title, &format!("whose allocation still lives at {OUTSIDE}"));
    assert_says(&found.explanation, "10.0.0.5:50000");
    assert_says(&found.explanation, "\"alice\"");
    assert!(!found.explanation.contains("does not show that allocation"), "{}", found.explanation);
    // beyond the NAT it may be one client that changed its user, or two
    let told: Report = report(&degrade::pcap(&outer));
    let found = finding(&told, "turn-user-changed");
    assert!(!found.title.contains("changed its user"), "{}", found.title);
    assert_says(&found.explanation, "another client behind the same NAT");
    assert!(!ids(&told).contains(&"turn-allocation-mismatch"));
}

/// What a capture at the NAT holds of a scene in which the NAT passes nothing on from some time on that a host sends.
fn held_back(scene: &Scene, sender: &str, from_ms: u64) -> Report {
    let shots = degrade::shots(scene);
    let outer = beyond(&shots, INSIDE, OUTSIDE);
    let until = shots[0].ns + from_ms * 1_000_000;
    let seen_as = if sender == INSIDE { OUTSIDE } else { sender }.place();
    let passes = |shot: &&Shot| shot.ns < until || degrade::ends(shot).is_none_or(|(src, _)| src != seen_as);
    let kept = |shots: &[Shot]| -> Vec<Shot> { shots.iter().filter(passes).cloned().collect() };
    let (inner, outer) = if sender == INSIDE { (shots, kept(&outer)) } else { (kept(&shots), outer) };
    report(&degrade::pcap(&degrade::merged(&inner, &outer)))
}

/// A call between the client and a peer; with consent, until a time in seconds checks get through, and those of `held`, and its answers, no more after it.
fn call(seconds: u64, consent: Option<(u64, &str)>) -> Scene {
    let agents = Agents::new(INSIDE, PEER);
    let mut scene = Scene::new();
    scene.connect(&agents);
    let begun = 1_000;
    for second in 0..seconds {
        scene.at_ms(begun + second * 1000);
        if let Some((until, held)) = consent.filter(|_| second % 5 == 0) {
            // who is held back gets what the other sends, and answers it in vain
            if second < until || held == PEER {
                scene.a_is_answered(&agents, plain);
            } else {
                scene.a_checks(&agents, plain);
            }
            if second < until || held == INSIDE {
                scene.b_is_answered(&agents, plain);
            } else {
                scene.b_checks(&agents, plain);
            }
        }
        for packet in 0..20 {
            let number = u16::try_from(second * 20 + packet).unwrap();
            for (from, to, ssrc) in [(INSIDE, PEER, 1), (PEER, INSIDE, 2)] {
                let packet = payload::rtp(96, number, u32::from(number) * 960, ssrc, 100);
                scene.after_ms(20).udp(from, to, packet);
            }
        }
    }
    scene.later(2);
    scene
}

#[test]
fn media_that_a_nat_no_longer_passes_on_is_told_where_the_capture_holds_both_of_its_sides() {
    for (sender, came, passed) in [
        (PEER, format!("RTP from {PEER} to {OUTSIDE} ends at the NAT"), format!("passed it on to {INSIDE}")),
        (INSIDE, format!("RTP from {INSIDE} to {PEER} ends at the NAT"), format!("passed it on from {OUTSIDE}")),
    ] {
        let told = held_back(&call(40, None), sender, 20_000);
        assert_eq!(failures(&told), ["media-one-way"], "{sender}: {}", show(&told));
        let found = finding(&told, "media-one-way");
        assert_says(&found.title, &came);
        assert_says(&found.title, &passed);
        // a call that ends, or whose last seconds one side shows alone, is none
        for from_ms in [36_000, 45_000] {
            let told = held_back(&call(40, None), sender, from_ms);
            assert!(failures(&told).is_empty(), "{from_ms}: {}", show(&told));
        }
    }
}

#[test]
fn consent_that_is_lost_at_the_nat_is_told_as_that_and_not_as_a_peer_that_falls_silent() {
    for (sender, title, words) in [
        (
            PEER,
            "The NAT passes nothing of 192.0.2.9 on to 10.0.0.5 any more",
            format!("still arrives at {OUTSIDE}, and is not passed on to {INSIDE}"),
        ),
        (
            INSIDE,
            "The NAT passes nothing of 10.0.0.5 on to 192.0.2.9 any more",
            format!("still comes to it, and nothing of that leaves towards {PEER}"),
        ),
    ] {
        let told = held_back(&call(80, Some((20, sender))), sender, 20_000);
        let found = finding(&told, "ice-consent-lost");
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain), "{}", show(&told));
        assert_says(&found.title, title);
        assert_says(&found.explanation, &words);
        assert_eq!(told.headline_finding.as_deref(), Some("ice-consent-lost"));
    }
}

#[test]
fn what_a_balancer_passes_on_to_its_server_is_not_served_by_another_one_too() {
    let (mut scene, login) = (Scene::new(), alice());
    scene.allocation(INSIDE, SERVER, &login, "n", RELAYED);
    let asked = scene.after_ms(10).channel_bind(INSIDE, SERVER, &login, "n", (0x4000, PEER));
    scene.after_ms(20).refuse_with(&asked, 437, "Allocation Mismatch", |error| error.integrity(login.key()));
    scene.later(30);
    let shots = degrade::shots(&scene);
    let behind = beyond(&shots, SERVER, "10.9.0.10:3478");
    for whole in [shots.clone(), degrade::merged(&shots, &points::further(&behind, "10.0.0.5", 400))] {
        let told = report(&degrade::pcap(&whole));
        assert_eq!(failures(&told), ["turn-allocation-gone"], "{} frames: {}", whole.len(), show(&told));
    }
}

#[test]
fn the_outside_address_of_a_server_behind_a_nat64_is_its_ipv4_one() {
    let (client, server) = ("[2001:db8:1::5]:50000", "[64:ff9b::203.0.113.1]:3478");
    let mut scene = Scene::allocated(client, server, "n", "10.20.0.5:24000");
    scene.talk(client, server, &alice(), "n", (0x4000, PEER), 0);
    for number in 0..50 {
        scene.after_ms(100).channel_data(client, server, 0x4000, payload::rtp(96, number, 0, 1, 50));
    }
    let told = report(&scene.later(30).pcap());
    assert_says(&finding(&told, "turn-relay-private").fix, "Tell the server its outside address, 203.0.113.1,");
}

#[test]
fn requests_that_nobody_answers_are_told_to_leave_the_nat_or_not() {
    let asks = |client: &str| {
        let mut scene = Scene::new();
        scene.with_other_ids().at_ms(1_000);
        scene.send_repeatedly(client, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 7);
        scene.later(30);
        degrade::shots(&scene)
    };
    let mut other = Scene::allocated(INSIDE, SERVER, "n", RELAYED);
    other.talk(INSIDE, SERVER, &alice(), "n", (0x4000, PEER), 5);
    let other = degrade::shots(&other);
    let around = degrade::merged(&other, &beyond(&other, INSIDE, OUTSIDE));
    let (client, outside) = ("10.0.0.6:51000", "198.51.100.7:41000");
    let inner = asks(client);
    let outer = beyond(&inner, client, outside);
    for (whole, words) in [
        (
            degrade::merged(&degrade::merged(&around, &inner), &outer),
            format!("They leave the NAT: the capture holds them beyond it, too, as coming from {outside}"),
        ),
        (degrade::merged(&around, &inner), "of these requests the inner side alone".to_owned()),
    ] {
        let told = report(&degrade::pcap(&whole));
        assert_says(&finding(&told, "turn-no-response").explanation, &words);
    }
    // where the capture is on one side, it says nothing of the other
    let told = report(&degrade::pcap(&degrade::merged(&other, &inner)));
    assert!(!finding(&told, "turn-no-response").explanation.contains("NAT"));
}
