//! Requests that say too little or too much, and protection that is weaker than it could be.

mod support;

use support::analyze::{assert_says, finding, ids, report, report_with};
use support::*;
use turnscope::report::{Severity, Verdict};

const CLIENT: &str = "172.16.84.124:50000";
const SERVER: &str = "10.88.246.156:3478";
const RELAYED: &str = "10.88.246.156:24000";
const REALM: &str = "example.org";
/// The nonce cookie of RFC 8489 §9.2 with the bit of password algorithms, and with that of user anonymity.
const ALGORITHMS: &str = "obMatJos2gAAAnonce";
const ANONYMITY: &str = "obMatJos2QAAAnonce";

fn frames(report: &turnscope::report::Report, id: &str) -> Vec<u64> {
    finding(report, id).places.iter().map(|place| place.frame).collect()
}

// turn-missing-attribute

#[test]
fn an_allocate_without_requested_transport_lacks_it() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    let request = scene.send(CLIENT, SERVER, Stun::request(method::ALLOCATE).signed(&alice(), "nonce-1"));
    scene.after_ms(10).refuse(&request, 400, "Transport field missed or wrong");
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-missing-attribute"]);
    assert_eq!(report.verdict, Verdict::Failure);
    assert!(report.headline.ends_with("it lacks REQUESTED-TRANSPORT."), "{}", report.headline);
    assert_eq!(frames(&report, "turn-missing-attribute"), [3, 4]);
}

#[test]
fn a_server_of_the_pion_family_says_400_to_a_missing_attribute_too() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(10).challenge(&request, 401, "", REALM, "nonce-1");
    let request = scene.send(CLIENT, SERVER, Stun::request(method::ALLOCATE).signed(&alice(), "nonce-1"));
    scene.after_ms(10).refuse(&request, 400, "");
    assert_eq!(ids(&report(&scene.pcap())), ["turn-missing-attribute"]);
}

#[test]
fn the_codes_of_the_drafts_name_what_is_missing() {
    for (code, phrase, name) in
        [(432, "Missing Username", "USERNAME"), (434, "Missing Realm", "REALM"), (435, "Missing Nonce", "NONCE")]
    {
        let mut scene = Scene::new();
        scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
        let request = Stun::request(method::ALLOCATE).requested_transport(17);
        let request = if name == "USERNAME" { request } else { request.username("alice") };
        let request = if name == "REALM" { request } else { request.realm(REALM) };
        let request = if name == "NONCE" { request } else { request.nonce("nonce-1") };
        let request = scene.send(CLIENT, SERVER, request.integrity(alice().key()));
        scene.after_ms(10).refuse(&request, code, phrase);
        let report = report(&scene.pcap());
        assert_eq!(ids(&report), ["turn-missing-attribute"]);
        assert!(report.headline.ends_with(&format!("it lacks {name}.")), "{}", report.headline);
    }
}

#[test]
fn nothing_is_said_to_lack_that_the_request_carries_whatever_the_server_says() {
    for (code, name) in [(432, "USERNAME"), (434, "REALM"), (435, "NONCE")] {
        let mut scene = Scene::new();
        scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
        let request = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
        scene.after_ms(10).refuse(&request, code, "Missing");
        let report = report(&scene.pcap());
        assert_eq!(ids(&report), ["turn-missing-attribute"]);
        let told = format!("it does not take the {name} that is there.");
        assert!(report.headline.ends_with(&told), "{}", report.headline);
        assert!(!report.findings[0].fix.contains("must carry"), "{}", report.findings[0].fix);
    }
}

#[test]
fn a_draft_that_challenges_with_missing_realm_is_challenged_as_any() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(10).challenge(&request, 434, "Missing Realm", REALM, "nonce-1");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
    assert_eq!(ids(&report(&scene.pcap())), ["turn-challenge"]);
}

#[test]
fn a_complete_request_that_is_refused_with_400_lacks_nothing() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    let request = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).refuse(&request, 400, "Wrong Lifetime Field");
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-missing-attribute"));
}

#[test]
fn what_the_snap_length_cut_off_is_not_missing() {
    let mut scene = Scene::new();
    scene.snap_length(42 + 20 + 8);
    let request = Stun::request(method::ALLOCATE).software("a client").requested_transport(17);
    let request = scene.send(CLIENT, SERVER, request.signed(&alice(), "nonce-1"));
    scene.after_ms(10).refuse(&request, 400, "Bad Request");
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-missing-attribute"));
}

#[test]
fn a_repaired_request_makes_the_missing_attribute_a_warning() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    let request = scene.send(CLIENT, SERVER, Stun::request(method::ALLOCATE).signed(&alice(), "nonce-1"));
    scene.after_ms(10).refuse(&request, 400, "Bad Request");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
    assert_eq!(finding(&report(&scene.pcap()), "turn-missing-attribute").severity, Severity::Warning);
}

// turn-unknown-attribute

#[test]
fn an_attribute_that_the_server_does_not_know_is_named() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    let request = Stun::request(method::ALLOCATE).requested_transport(17).attribute(0x7F42, b"beta");
    let request = scene.send(CLIENT, SERVER, request.signed(&alice(), "nonce-1"));
    scene.after_ms(10).refuse_with(&request, 420, "Unknown Attribute", |answer| answer.unknown_attributes(&[0x7F42]));
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-unknown-attribute"]);
    assert_eq!(report.verdict, Verdict::Failure);
    assert_says(&report.headline, "attribute 0x7F42");
}

#[test]
fn a_client_that_leaves_the_attribute_out_the_next_time_is_served() {
    let mut scene = Scene::new();
    let request =
        scene.send(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17).attribute(0x001A, b""));
    scene.after_ms(10).refuse_with(&request, 420, "Unknown Attribute", |answer| answer.unknown_attributes(&[0x001A]));
    scene.after_ms(10).allocation(CLIENT, SERVER, &alice(), "nonce-1", RELAYED);
    let report = report(&scene.pcap());
    let found = finding(&report, "turn-unknown-attribute");
    assert_eq!(found.severity, Severity::Warning);
    assert_says(&found.title, "DONT-FRAGMENT (0x001A)");
}

#[test]
fn a_nat_test_that_a_server_does_not_offer_is_no_failure() {
    let mut scene = Scene::new();
    let request = scene.send(CLIENT, SERVER, Stun::request(method::BINDING).attribute(0x0003, [0, 0, 0, 6]));
    scene.after_ms(10).refuse_with(&request, 420, "Unknown Attribute", |answer| answer.unknown_attributes(&[0x0003]));
    let report = report(&scene.pcap());
    let found = finding(&report, "turn-unknown-attribute");
    assert_eq!((report.verdict, found.severity), (Verdict::Healthy, Severity::Note), "{}", report.headline);
    assert_says(&found.title, "does not offer the NAT tests");

    // coturn does not say which attribute
    let mut scene = Scene::new();
    let request = scene.send(CLIENT, SERVER, Stun::request(method::BINDING).attribute(0x0003, [0, 0, 0, 6]));
    scene.after_ms(10).refuse(&request, 420, "Unknown attribute: TURN server was configured without RFC 5780 support");
    let found = support::analyze::report(&scene.pcap());
    assert_says(
        &finding(&found, "turn-unknown-attribute").explanation,
        "the answer does not list what it does not know",
    );
}

// turn-response-integrity-bad

const GIVEN: &str = "
[[credential]]
label = \"alice\"
username = \"alice\"
password = \"secret\"
";

#[test]
fn a_success_that_is_signed_with_something_else_is_warned_of() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice().with_password("another"));
    let report = report_with(&scene.pcap(), GIVEN);
    assert_eq!(ids(&report), ["turn-response-integrity-bad", "turn-challenge"]);
    assert_eq!(report.verdict, Verdict::Warning);
    assert_eq!(frames(&report, "turn-response-integrity-bad"), [3, 4]);
}

#[test]
fn a_success_that_verifies_and_one_that_cannot_be_tested_are_left_alone() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    let bob = Login::new("bob", REALM, "his");
    scene.after_ms(10).allocation("172.16.84.124:50001", SERVER, &bob, "nonce-2", "10.88.246.156:24001");
    assert_eq!(ids(&report_with(&scene.pcap(), GIVEN)), ["turn-challenge"]);
    assert_eq!(ids(&report(&scene.pcap())), ["turn-challenge"]);
}

// turn-bid-down

/// A challenge with `nonce`, with or without the list of algorithms, answered by `retry`, granted.
fn offered(nonce: &str, list: bool, retry: impl FnOnce(Stun) -> Stun) -> Scene {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(10).refuse_with(&request, 401, "Unauthenticated", |answer| {
        let answer = answer.realm(REALM).nonce(nonce);
        if list { answer.password_algorithms(&[2, 1]) } else { answer }
    });
    let request =
        scene.after_ms(10).send(CLIENT, SERVER, retry(Stun::request(method::ALLOCATE).requested_transport(17)));
    scene.after_ms(10).allocate_granted(&request, RELAYED, 600, &alice());
    scene
}

#[test]
fn a_client_that_signs_with_sha_1_although_more_was_offered_is_warned_of() {
    let scene = offered(ALGORITHMS, true, |request| request.signed(&alice(), ALGORITHMS));
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-bid-down", "turn-challenge"]);
    assert_eq!(report.verdict, Verdict::Warning);
    assert_eq!(frames(&report, "turn-bid-down"), [3, 4]);
    assert_says(&report.headline, "signs with SHA-1 although");
}

#[test]
fn a_client_that_takes_the_offer_is_left_alone() {
    let key = stun::sha256_key("alice", REALM, "secret");
    let scene = offered(ALGORITHMS, true, |request| {
        let request = request.username("alice").realm(REALM).nonce(ALGORITHMS);
        request.password_algorithms(&[2, 1]).password_algorithm(2).integrity_sha256(key)
    });
    assert_eq!(ids(&report(&scene.pcap())), ["turn-challenge"]);
}

#[test]
fn a_challenge_whose_list_was_taken_out_on_the_way_is_warned_of() {
    let scene = offered(ALGORITHMS, false, |request| request.signed(&alice(), ALGORITHMS));
    let report = report(&scene.pcap());
    let titles: Vec<_> = report.findings.iter().map(|finding| finding.title.as_str()).collect();
    assert!(
        titles.iter().any(|title| title.contains("promises password algorithms in its nonce and lists none")),
        "{titles:?}"
    );
}

#[test]
fn a_user_name_in_the_clear_where_its_hash_was_asked_for_is_warned_of() {
    let scene = offered(ANONYMITY, false, |request| request.signed(&alice(), ANONYMITY));
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-bid-down", "turn-challenge"]);
    assert_says(&report.headline, "in the clear");
    let scene = offered(ANONYMITY, false, |request| {
        request.userhash("alice", REALM).realm(REALM).nonce(ANONYMITY).integrity(alice().key())
    });
    assert_eq!(ids(&support::analyze::report(&scene.pcap())), ["turn-challenge"]);
}

#[test]
fn a_client_that_takes_the_offer_up_and_keeps_to_sha_1_was_not_bid_down() {
    let scene = offered(ALGORITHMS, true, |request| {
        let request = request.username("alice").realm(REALM).nonce(ALGORITHMS);
        request.password_algorithms(&[2, 1]).password_algorithm(1).integrity(alice().key())
    });
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Healthy);
    let told =
        report.findings.iter().find(|finding| finding.id == "turn-bid-down").expect("the weaker choice is noted");
    assert_says(&told.explanation, "the offer got through");
    assert!(!told.explanation.contains("older than RFC 8489"), "{}", told.explanation);
}

/// A server repeats realm and nonce in other errors, too: only 401 and 438 carry the list (RFC 8489 §9.2.4).
#[test]
fn an_error_that_asks_for_no_credentials_need_not_list_the_algorithms() {
    let mut scene = offered(ALGORITHMS, true, |request| {
        let request = request.username("alice").realm(REALM).nonce(ALGORITHMS);
        request
            .password_algorithms(&[2, 1])
            .password_algorithm(2)
            .integrity_sha256(stun::sha256_key("alice", REALM, "secret"))
    });
    let refresh = Stun::request(method::REFRESH).lifetime(0).username("alice").realm(REALM).nonce(ALGORITHMS);
    let refresh = refresh.password_algorithms(&[2, 1]).password_algorithm(2);
    let refresh =
        scene.after_ms(900).send(CLIENT, SERVER, refresh.integrity_sha256(stun::sha256_key("alice", REALM, "secret")));
    scene.after_ms(10).refuse_with(&refresh, 400, "Bad Request", |answer| answer.realm(REALM).nonce(ALGORITHMS));
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-bid-down"));
    // nor is one cheated that was shown the list before: a server may leave it out of a later 438
    let refresh = Stun::request(method::REFRESH).lifetime(600).username("alice").realm(REALM).nonce(ALGORITHMS);
    let refresh = refresh.password_algorithms(&[2, 1]).password_algorithm(2);
    let refresh =
        scene.after_ms(900).send(CLIENT, SERVER, refresh.integrity_sha256(stun::sha256_key("alice", REALM, "secret")));
    scene.after_ms(10).refuse_with(&refresh, 438, "Stale Nonce", |answer| answer.realm(REALM).nonce(ALGORITHMS));
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-bid-down"));
}

#[test]
fn who_hides_the_name_behind_its_hash_is_shown_by_the_hash() {
    let scene = offered(ANONYMITY, false, |request| {
        request.userhash("alice", REALM).realm(REALM).nonce(ANONYMITY).integrity(alice().key())
    });
    let report = report(&scene.pcap());
    let user = report.allocations[0].username.as_deref().expect("the allocation has a user");
    assert!(user.starts_with("hash ") && user.is_char_boundary(13), "{user:?}");
    assert!(user[5..13].bytes().all(|byte| byte.is_ascii_hexdigit()), "{user:?}");
}
