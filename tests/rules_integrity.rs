//! `turn-integrity-rejected`: who holds the wrong password, from requests and responses.

mod support;

use support::analyze::{assert_says, finding, ids, report, report_with};
use support::*;
use turnscope::report::{Confidence, Severity, Verdict};

const CLIENT: &str = "172.16.84.124:50000";
const SERVER: &str = "10.88.246.156:3478";

/// A client that is challenged, signs as `turnuser` and is refused with 431, the refusal signed by the server.
fn refused(client_password: &str, server_password: &str) -> Scene {
    let mut scene = Scene::new();
    let (client, server) =
        (Login::new("turnuser", "turnuser", client_password), Login::new("turnuser", "turnuser", server_password));
    scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce-1");
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &client, "nonce-1");
    scene.after_ms(10).refuse_with(&retry, 431, "Integrity Check Failure", |answer| answer.integrity(server.key()));
    scene.later(5);
    scene
}

const BOTH_SIDES: &str = "
[[credential]]
label = \"Meeting Server API\"
side = \"client\"
username = \"turnuser\"
password = \"cisco\"

[[credential]]
label = \"Expressway local database\"
side = \"server\"
username = \"turnuser\"
password = \"other\"
";

#[test]
fn without_credentials_the_refusal_is_a_failure_and_either_side_may_be_wrong() {
    let report = report(&refused("cisco", "other").pcap());
    assert_eq!(report.verdict, Verdict::Failure);
    assert_eq!(report.headline_finding.as_deref(), Some("turn-integrity-rejected"));
    assert_eq!(ids(&report), ["turn-integrity-rejected"]);
    let places: Vec<u64> = report.findings[0].places.iter().map(|place| place.frame).collect();
    assert_eq!(places, [3, 4], "the refused request and its refusal prove it");
}

#[test]
fn with_the_credentials_of_both_sides_the_headline_names_who_signs_with_what() {
    let report = report_with(&refused("cisco", "other").pcap(), BOTH_SIDES);
    assert!(
        report
            .headline
            .contains("the client signs with \"Meeting Server API\", the server with \"Expressway local database\""),
        "{}",
        report.headline
    );
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("cisco\""), "no password in the report");
}

#[test]
fn a_client_that_signs_with_none_of_the_credentials_was_given_something_else() {
    let report = report_with(&refused("mistyped", "other").pcap(), BOTH_SIDES);
    let found = finding(&report, "turn-integrity-rejected");
    assert_says(&found.title, "the server holds \"Expressway local database\"");
    assert_says(&found.title, "the client was given something else");
}

#[test]
fn a_refusal_that_a_later_allocation_makes_good_is_a_warning() {
    let mut scene = refused("cisco", "other");
    let login = Login::new("turnuser", "turnuser", "other");
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &login, "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, "10.88.246.156:24000", 600, &login);
    let report = report(&scene.pcap());
    assert_eq!(finding(&report, "turn-integrity-rejected").severity, Severity::Warning);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn another_user_behind_the_same_address_makes_nothing_good() {
    let mut scene = refused("cisco", "other");
    let bob = Login::new("bob", "turnuser", "bob's");
    let other = "172.16.84.124:50001";
    let retry = scene.after_ms(20).allocate_as(other, SERVER, &bob, "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, "10.88.246.156:24000", 600, &bob);
    assert_eq!(finding(&report(&scene.pcap()), "turn-integrity-rejected").severity, Severity::Failure);
}

#[test]
fn a_new_challenge_for_a_nonce_that_was_never_given_accuses_no_password() {
    let mut scene = Scene::new();
    let login = Login::new("turnuser", "turnuser", "cisco");
    scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce-1");
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &login, "another-nonce");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "turnuser", "nonce-2");
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-integrity-rejected"));
}

#[test]
fn a_hundred_refused_clients_are_one_finding() {
    let mut scene = Scene::new();
    let login = Login::new("turnuser", "turnuser", "cisco");
    for port in 50000..50100 {
        let client = format!("172.16.84.124:{port}");
        let retry = scene.after_ms(20).allocate_as(client.as_str(), SERVER, &login, "nonce-1");
        scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "turnuser", "nonce-2");
    }
    let report = report(&scene.pcap());
    let found = finding(&report, "turn-integrity-rejected");
    assert_eq!(found.occurrences, 100);
    assert_eq!(found.places_total, 200);
}

const COTURN: &str = "Coturn-4.6.1 'Gorst'";
const RELAYED: &str = "10.88.246.156:24000";

fn turnuser(password: &str) -> Login {
    Login::new("turnuser", "turnuser", password)
}

#[test]
fn on_coturn_a_wrong_password_and_an_unknown_user_cannot_be_told_apart() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    let refuse = |scene: &mut Scene, request: &Sent| {
        scene.after_ms(10).refuse_with(request, 401, "Unauthorized", |answer| {
            answer.nonce("nonce-1").realm("turnuser").software(COTURN)
        });
    };
    refuse(&mut scene, &request);
    for _ in 0..30 {
        let retry = scene.after_ms(1).allocate_as(CLIENT, SERVER, &turnuser("cisco"), "nonce-1");
        refuse(&mut scene, &retry);
    }
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-integrity-rejected"]);
    let found = finding(&report, "turn-integrity-rejected");
    assert_eq!(found.occurrences, 1, "thirty tries of one client are one story");
    assert_eq!(found.confidence, Confidence::Certain);
    assert_says(&found.title, "refused the user or password of \"turnuser\" with 401 Unauthorized");
    assert_says(&found.explanation, "coturn");
    assert_says(&found.explanation, "30 times");
}

#[test]
fn a_server_of_the_pion_family_answers_a_wrong_password_with_a_bare_400() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(10).challenge(&request, 401, "", "turnuser", "nonce-1");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &turnuser("cisco"), "nonce-1");
    scene.after_ms(10).refuse(&retry, 400, "");
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-integrity-rejected"]);
    assert_eq!(report.verdict, Verdict::Failure);
    assert!(finding(&report, "turn-integrity-rejected").explanation.contains("pion"));
}

#[test]
fn a_400_with_a_reason_is_about_something_else() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce-1");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &turnuser("cisco"), "nonce-1");
    scene.after_ms(10).refuse(&retry, 400, "Wrong Lifetime Field");
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-integrity-rejected"));
}

#[test]
fn a_bare_400_after_the_same_user_was_accepted_is_about_something_else() {
    let mut scene = Scene::new();
    let login = turnuser("cisco");
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(10).challenge(&request, 401, "", "turnuser", "nonce-1");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &login, "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &login);
    let bind = scene.after_ms(10).channel_bind(CLIENT, SERVER, &login, "nonce-1", (0x4000, "192.0.2.7:5000"));
    scene.after_ms(10).refuse(&bind, 400, "");
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-integrity-rejected"));
}

#[test]
fn a_438_in_between_does_not_hide_the_refusal() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce-1");
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &turnuser("cisco"), "nonce-1");
    scene.after_ms(10).challenge(&retry, 438, "Stale Nonce", "turnuser", "nonce-2");
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &turnuser("cisco"), "nonce-2");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "turnuser", "nonce-2");
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-integrity-rejected"]);
    let places: Vec<u64> = report.findings[0].places.iter().map(|place| place.frame).collect();
    assert_eq!(places, [5, 6]);
}

#[test]
fn a_client_that_tries_two_users_in_turn_is_told_of_each() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce-1");
    for _ in 0..2 {
        for login in [turnuser("cisco"), Login::new("guest", "turnuser", "visit")] {
            let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &login, "nonce-1");
            scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "turnuser", "nonce-1");
        }
    }
    assert_eq!(finding(&report(&scene.pcap()), "turn-integrity-rejected").occurrences, 2);
}

#[test]
fn a_401_to_a_nonce_that_may_have_run_out_before_the_capture_is_only_likely() {
    let mut scene = Scene::new();
    let retry = scene.allocate_as(CLIENT, SERVER, &turnuser("cisco"), "nonce-1");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "turnuser", "nonce-2");
    let report = report(&scene.pcap());
    assert_eq!(finding(&report, "turn-integrity-rejected").confidence, Confidence::Likely);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn a_401_that_repeats_the_nonce_of_the_request_is_certain_wherever_the_capture_starts() {
    let mut scene = Scene::new();
    let retry = scene.allocate_as(CLIENT, SERVER, &turnuser("cisco"), "nonce-1");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "turnuser", "nonce-1");
    assert_eq!(finding(&report(&scene.pcap()), "turn-integrity-rejected").confidence, Confidence::Certain);
}

#[test]
fn a_refused_refresh_of_an_allocation_that_goes_on_carrying_data_is_a_warning() {
    let mut scene = Scene::new();
    let login = turnuser("cisco");
    scene.allocation(CLIENT, SERVER, &login, "nonce-1", RELAYED);
    let refresh = scene.after_ms(1000).refresh(CLIENT, SERVER, &login.with_password("other"), "nonce-1", 600);
    scene.after_ms(10).challenge(&refresh, 401, "Unauthorized", "turnuser", "nonce-1");
    for number in 0..5 {
        scene.after_ms(20).send_indication(CLIENT, SERVER, "192.0.2.7:5000", payload::rtp(0, number, 0, 1, 100));
        scene.after_ms(20).data_indication(SERVER, CLIENT, "192.0.2.7:5000", payload::rtp(0, number, 0, 2, 100));
    }
    assert_eq!(finding(&report(&scene.pcap()), "turn-integrity-rejected").severity, Severity::Warning);
}

#[test]
fn a_lone_refused_refresh_after_which_nothing_flows_is_a_failure() {
    let mut scene = Scene::new();
    let login = turnuser("cisco");
    scene.allocation(CLIENT, SERVER, &login, "nonce-1", RELAYED);
    let refresh = scene.after_ms(1000).refresh(CLIENT, SERVER, &login.with_password("other"), "nonce-1", 600);
    scene.after_ms(10).challenge(&refresh, 401, "Unauthorized", "turnuser", "nonce-1");
    assert_eq!(finding(&report(&scene.pcap()), "turn-integrity-rejected").severity, Severity::Failure);
}

#[test]
fn two_sides_that_sign_with_the_same_password_do_not_differ_in_it() {
    let alike = BOTH_SIDES.replace("other", "cisco");
    let report = report_with(&refused("cisco", "cisco").pcap(), &alike);
    let found = finding(&report, "turn-integrity-rejected");
    assert_says(&found.title, "both sides sign with the same password");
}

#[test]
fn sha_256_that_nobody_offered_is_blamed_before_the_password() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce-1");
    let request = Stun::request(method::ALLOCATE).requested_transport(17).username("turnuser").realm("turnuser");
    let request = request.nonce("nonce-1").integrity_sha256(turnuser("cisco").key());
    let retry = scene.after_ms(20).send(CLIENT, SERVER, request);
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "turnuser", "nonce-1");
    let report = report(&scene.pcap());
    assert_says(&report.headline, "SHA-256, which the server did not offer");
}

#[test]
fn a_user_who_hides_behind_a_hash_is_not_printed_as_text() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce-1");
    let request = Stun::request(method::ALLOCATE).requested_transport(17).userhash("turnuser", "turnuser");
    let request = request.realm("turnuser").nonce("nonce-1").integrity(turnuser("cisco").key());
    let retry = scene.after_ms(20).send(CLIENT, SERVER, request);
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "turnuser", "nonce-1");
    let report = report(&scene.pcap());
    assert_says(&report.headline, "the user with hash ");
}

#[test]
fn the_requests_alone_and_the_answers_alone_accuse_nobody() {
    let whole = refused("cisco", "other");
    for from_client in [true, false] {
        let mut half = Scene::new();
        for (_, bytes, _) in whole.frames() {
            // source address of an IPv4 header behind Ethernet
            if bytes.get(26..30).is_some_and(|source| (source == [172, 16, 84, 124]) == from_client) {
                half.after_ms(20).frame(bytes);
            }
        }
        assert_ne!(report(&half.pcap()).verdict, Verdict::Failure);
    }
}

#[test]
fn a_refusal_that_the_snap_length_cut_short_is_only_likely() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "turnuser", "nonce-1");
    // headers, and all attributes up to the value of MESSAGE-INTEGRITY
    scene.snap_length(42 + 20 + 8 + 12 + 12 + 12 + 4 + 8);
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &turnuser("cisco"), "nonce-1");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "turnuser", "nonce-1");
    let report = report_with(&scene.pcap(), BOTH_SIDES);
    assert_eq!(finding(&report, "turn-integrity-rejected").confidence, Confidence::Likely);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn both_sides_of_a_nat_show_one_refusal() {
    let mut scene = Scene::new();
    let (inside, outside) = ("192.168.1.10:50000", "203.0.113.50:61000");
    let (request, challenge) = {
        let request = scene.allocate(inside, SERVER);
        let out = scene.after_us(200).forwarded(&request, outside, SERVER);
        (request, scene.after_ms(10).challenge(&out, 401, "Unauthorized", "turnuser", "nonce-1"))
    };
    scene.after_us(200).forwarded(&challenge, SERVER, request.from);
    let retry = scene.after_ms(10).allocate_as(inside, SERVER, &turnuser("cisco"), "nonce-1");
    let out = scene.after_us(200).forwarded(&retry, outside, SERVER);
    let refusal = scene.after_ms(10).challenge(&out, 401, "Unauthorized", "turnuser", "nonce-1");
    scene.after_us(200).forwarded(&refusal, SERVER, inside);
    let report = report(&scene.pcap());
    assert_eq!(finding(&report, "turn-integrity-rejected").occurrences, 1);
    assert!(!ids(&report).contains(&"turn-no-credentials"));
}

#[test]
fn a_time_limited_credential_that_had_not_ended_points_at_the_shared_secret_and_the_clock() {
    let refused = |user: &str| {
        let mut scene = Scene::starting_at(1_700_000_000);
        let login = Login::new(user, "example.org", "secret");
        scene.wrong_password("172.16.84.124:50000", "203.0.113.1:3478", &login, "nonce-1");
        scene.later(10);
        finding(&report(&scene.pcap()), "turn-integrity-rejected").explanation.clone()
    };
    let told = refused("1700003600:alice");
    assert!(
        told.contains("by the clock of this capture was good for another 59 minutes: the shared secret differs"),
        "{told}"
    );
    let told = refused("1700003600000:alice");
    assert!(told.contains("a time only if it counts milliseconds (2023-11-14 23:13:20 UTC)"), "{told}");
    // what is no date, or too far ahead for one, says nothing
    for user in ["alice", "1700003600", "1900000000:alice", "1900000000000:alice"] {
        let told = refused(user);
        assert!(!told.contains("milliseconds"), "{user}: {told}");
        assert!(!told.contains("time-limited"), "{user}: {told}");
    }
}

#[test]
fn a_realm_that_ends_in_zero_bytes_is_told_as_such() {
    // a server that counts the padding of REALM as part of it, and makes its key without
    let mut scene = Scene::new();
    let login = Login::new("alice", "123456\0\0", "p");
    scene.wrong_password("172.16.84.124:50000", "10.88.246.156:3478", &login, "n");
    let report = report(&scene.later(20).pcap());
    let found = finding(&report, "turn-integrity-rejected");
    assert_says(&found.explanation, "The realm on the wire ends in 2 zero bytes");
}
