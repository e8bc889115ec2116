//! Stories in which one thing is the cause of another: the headline is the cause, whatever came first or more often, and each symptom names it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{finding, ids, report, report_told, report_with};
use support::calls::failures;
use support::ice::{Agents, plain};
use support::*;
use turnscope::report::{Report, Severity, Verdict};

const A: &str = "192.0.2.10:5000";
const B: &str = "198.51.100.20:6000";
const CLIENT: &str = "192.0.2.10:50000";
const SERVER: &str = "203.0.113.1:3478";
const OTHER: &str = "203.0.113.2:3478";
const RELAYED: &str = "203.0.113.1:24000";

/// Checks of both agents that nobody answers.
fn ice_fails(scene: &mut Scene) {
    scene.a_checks_in_vain(&Agents::new(A, B), 220, 50).later(10);
}

/// The id of the finding that a finding names as its cause.
fn cause<'r>(report: &'r Report, id: &str) -> Option<&'r str> {
    let key = finding(report, id).caused_by.as_deref()?;
    let found = report.findings.iter().find(|finding| finding.key == key);
    Some(found.unwrap_or_else(|| panic!("{id} names {key}, which is no finding")).id.as_str())
}

/// From a symptom to where it all comes from.
fn root<'r>(report: &'r Report, id: &'r str) -> &'r str {
    let mut at = id;
    for _ in 0..8 {
        match cause(report, at) {
            Some(next) => at = next,
            None => return at,
        }
    }
    panic!("{id}: causes go round in a circle");
}

#[track_caller]
fn headed_by(report: &Report, id: &str, symptoms: &[&str]) {
    assert_eq!(report.headline_finding.as_deref(), Some(id), "{:?}", ids(report));
    assert_eq!(report.verdict, Verdict::Failure);
    for symptom in symptoms {
        assert_eq!(root(report, symptom), id, "{symptom}: {:?}", ids(report));
    }
}

#[test]
fn a_rejected_credential_comes_before_the_relay_candidate_that_is_missing_for_it() {
    let mut scene = Scene::new();
    scene.wrong_password(CLIENT, SERVER, &alice(), "nonce-1");
    ice_fails(&mut scene);
    let report = report(&scene.pcap());
    headed_by(&report, "turn-integrity-rejected", &["ice-no-relay-candidate", "ice-checks-unanswered"]);
    assert_eq!(cause(&report, "ice-checks-unanswered"), Some("ice-no-relay-candidate"));
}

#[test]
fn a_rejected_credential_explains_more_than_a_stun_server_that_was_silent_before() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, "192.0.2.53:19302", Stun::request(method::BINDING), 7);
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "nonce-1");
    let asked = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).challenge(&asked, 401, "Unauthorized", "example.org", "nonce-2");
    ice_fails(&mut scene);
    let report = report(&scene.pcap());
    assert_eq!(report.headline_finding.as_deref(), Some("turn-integrity-rejected"), "{}", report.headline);
    assert_eq!(root(&report, "ice-checks-unanswered"), "turn-integrity-rejected");
    assert!(failures(&report).contains(&"turn-no-response"));
}

#[test]
fn the_cause_heads_the_report_though_its_symptom_was_seen_before() {
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&Agents::new(A, B), 100, 50);
    scene.wrong_password(CLIENT, SERVER, &alice(), "nonce-1");
    scene.a_checks_in_vain(&Agents::new(A, B), 120, 50).later(10);
    headed_by(&report(&scene.pcap()), "turn-integrity-rejected", &["ice-checks-unanswered"]);
}

#[test]
fn a_blocked_port_comes_before_the_checks_that_fail() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 7);
    ice_fails(&mut scene);
    // that answers would be in the capture
    scene.allocation("192.0.2.77:50001", OTHER, &alice(), "n", "203.0.113.2:24999");
    scene.later(10);
    headed_by(&report(&scene.pcap()), "turn-no-response", &["ice-no-relay-candidate", "ice-checks-unanswered"]);
}

#[test]
fn an_unreachable_server_comes_before_the_checks_that_fail() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        let asked = scene.after_ms(500).allocate(CLIENT, SERVER);
        scene.after_ms(10).icmp_unreachable("203.0.113.1", &asked);
    }
    ice_fails(&mut scene);
    headed_by(&report(&scene.pcap()), "turn-unreachable", &["ice-checks-unanswered"]);
}

#[test]
fn a_reached_quota_comes_before_the_checks_that_fail() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "nonce-1");
    scene.refused_allocate(CLIENT, SERVER, &alice(), "nonce-1", 486);
    ice_fails(&mut scene);
    headed_by(&report(&scene.pcap()), "turn-quota", &["ice-no-relay-candidate", "ice-checks-unanswered"]);
}

#[test]
fn a_thousand_symptoms_weigh_no_more_than_their_one_cause() {
    let mut scene = Scene::new();
    scene.wrong_password(CLIENT, SERVER, &alice(), "nonce-1");
    for _ in 0..5 {
        ice_fails(&mut scene);
    }
    headed_by(&report(&scene.pcap()), "turn-integrity-rejected", &["ice-checks-unanswered"]);
}

/// Checks of A on B through its relay, for 11 seconds.
fn checks_through_the_relay(scene: &mut Scene) {
    let agents = Agents::new(A, B);
    for number in 0..220u8 {
        let check = agents.message(plain).tid([number; 12]).bytes();
        scene.after_ms(50).sent_inside(A, SERVER, B, &check);
    }
    scene.later(10);
}

#[test]
fn a_relay_from_which_nothing_comes_back_comes_before_the_checks_through_it() {
    let mut scene = Scene::allocated(A, SERVER, "nonce-1", RELAYED);
    let permit = scene.after_ms(10).create_permission(A, SERVER, &alice(), "nonce-1", B);
    scene.after_ms(10).granted(&permit, None, &alice());
    checks_through_the_relay(&mut scene);
    headed_by(&report(&scene.pcap()), "turn-relay-silent", &["ice-checks-unanswered"]);
}

#[test]
fn a_permission_that_was_never_asked_for_comes_before_the_checks_through_the_relay() {
    let mut scene = Scene::allocated(A, SERVER, "nonce-1", RELAYED);
    checks_through_the_relay(&mut scene);
    headed_by(&report(&scene.pcap()), "turn-permission-missing", &["ice-checks-unanswered"]);
}

#[test]
fn a_forbidden_peer_comes_before_the_checks_through_the_relay() {
    let mut scene = Scene::allocated(A, SERVER, "nonce-1", RELAYED);
    let permit = scene.after_ms(10).create_permission(A, SERVER, &alice(), "nonce-1", B);
    scene.after_ms(10).refuse_with(&permit, 403, "Forbidden IP", |error| error.integrity(alice().key()));
    checks_through_the_relay(&mut scene);
    headed_by(&report(&scene.pcap()), "turn-peer-forbidden", &["ice-checks-unanswered"]);
}

#[test]
fn a_loopback_candidate_that_is_refused_beside_good_ones_is_the_cause_of_nothing() {
    let mut scene = Scene::allocated(A, SERVER, "nonce-1", RELAYED);
    let loopback = scene.after_ms(10).create_permission(A, SERVER, &alice(), "nonce-1", "127.0.0.1:6000");
    scene.after_ms(10).refuse_with(&loopback, 403, "Forbidden IP", |error| error.integrity(alice().key()));
    let permit = scene.after_ms(10).create_permission(A, SERVER, &alice(), "nonce-1", B);
    scene.after_ms(10).granted(&permit, None, &alice());
    checks_through_the_relay(&mut scene);
    headed_by(&report(&scene.pcap()), "turn-relay-silent", &["ice-checks-unanswered"]);
}

#[test]
fn two_failures_that_have_nothing_to_do_with_each_other_name_no_cause() {
    let mut scene = Scene::new();
    let other = "192.0.2.99:50000";
    scene.wrong_password(other, SERVER, &alice(), "nonce-1");
    ice_fails(&mut scene);
    let report = report(&scene.pcap());
    assert_eq!(cause(&report, "ice-checks-unanswered"), None);
    assert_eq!(report.headline_finding.as_deref(), Some("turn-integrity-rejected"), "the earlier before the later");
}

#[test]
fn what_the_client_got_over_is_no_cause() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 7);
    scene.allocation(CLIENT, OTHER, &alice(), "nonce-1", "203.0.113.2:24000");
    ice_fails(&mut scene);
    let report = report(&scene.pcap());
    assert_eq!(finding(&report, "turn-no-response").severity, Severity::Warning);
    assert_eq!(cause(&report, "ice-checks-unanswered"), None);
    assert_eq!(report.headline_finding.as_deref(), Some("ice-checks-unanswered"));
}

#[test]
fn what_came_long_after_is_no_cause() {
    let mut scene = Scene::new();
    ice_fails(&mut scene);
    scene.later(600).wrong_password(CLIENT, SERVER, &alice(), "nonce-1");
    scene.later(10);
    let report = report(&scene.pcap());
    assert!(ids(&report).contains(&"turn-integrity-rejected"));
    assert_eq!(cause(&report, "ice-checks-unanswered"), None, "it failed ten minutes before");
}

#[test]
fn a_warning_that_explains_a_failure_heads_the_report() {
    // a gateway rewrites what the client signs: its request is refused, and only the rewriting explains why
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "nonce-1");
    let asked = scene.after_ms(10).send(CLIENT, SERVER, Stun::request(method::BINDING));
    scene.after_ms(10).succeed(&asked, |answer| answer.mapped("10.0.0.1:5000").xor_mapped("192.0.2.10:50000"));
    for _ in 0..3 {
        let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
        scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "example.org", "nonce-1");
    }
    scene.later(5);
    let report = report(&scene.pcap());
    headed_by(&report, "nat-alg-rewrite", &["turn-integrity-rejected"]);
}

#[test]
fn no_sample_has_causes_in_a_circle_or_a_headline_that_has_a_cause() {
    for sample in support::samples::all() {
        let report = sample.report();
        for found in &report.findings {
            root(&report, &found.id);
        }
        if let Some(headline) = &report.headline_finding {
            let found = finding(&report, headline);
            assert!(found.caused_by.is_none(), "{}: {headline} is caused by {:?}", sample.name, found.caused_by);
        }
    }
}

#[test]
fn credentials_and_descriptions_beside_the_capture_change_no_cause() {
    let mut scene = Scene::new();
    scene.wrong_password(CLIENT, SERVER, &alice(), "nonce-1");
    ice_fails(&mut scene);
    let given = "[[credential]]\nlabel = \"one\"\nside = \"client\"\npassword = \"wrong\"\n";
    headed_by(&report_with(&scene.pcap(), given), "turn-integrity-rejected", &["ice-checks-unanswered"]);
    let offer = "v=0\na=ice-ufrag:aaaa\na=ice-pwd:a-password-of-ice-0123456\nm=audio 9 UDP/TLS/RTP/SAVPF 0\n";
    headed_by(
        &report_told(&scene.pcap(), &[("offer.sdp", offer)]),
        "turn-integrity-rejected",
        &["ice-checks-unanswered"],
    );
}
