//! `turn-integrity-rejected`: who holds the wrong password, from requests and responses.

mod support;

use support::analyze::{finding, ids, report, report_with};
use support::*;
use turnscope::report::{Severity, Verdict};

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
    scene.after_ms(5000).frame(&[0; 60]);
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
    assert!(found.title.contains("the server holds \"Expressway local database\""), "{}", found.title);
    assert!(found.title.contains("the client was given something else"), "{}", found.title);
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
