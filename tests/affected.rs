//! One finding about many: whom it affects, and what of it is about one user.

#![allow(clippy::expect_used)]

mod support;

use support::analyze::{assert_says, finding, frames_of, report, report_of};
use support::*;
use turnscope::analyzer::{Filters, Options};
use turnscope::report::Report;

const SERVER: &str = "203.0.113.1:3478";
const REALM: &str = "example.org";

/// Clients by address and user that the server does not take, of which the ones with a relayed address are taken at the second try.
fn refused(clients: &[(&str, &str, Option<&str>)]) -> Scene {
    let mut scene = Scene::new();
    for (client, user, relayed) in clients {
        let nonce = format!("nonce-of-{user}");
        scene.allocate_challenge(*client, SERVER, REALM, &nonce);
        let wrong = scene.after_ms(20).allocate_as(*client, SERVER, &Login::new(user, REALM, "wrong"), &nonce);
        scene.after_ms(10).challenge(&wrong, 401, "Unauthorized", REALM, &nonce);
        if let Some(relayed) = relayed {
            scene.after_ms(100).allocation(*client, SERVER, &Login::new(user, REALM, "right"), &nonce, *relayed);
        }
    }
    scene.later(20);
    scene
}

fn report_of_user(scene: &Scene, user: &str) -> Report {
    let filters = Filters { user: Some(user.to_owned()), ..Filters::default() };
    report_of(&scene.pcap(), Options { filters, ..Options::default() })
}

#[test]
fn a_finding_names_all_whom_it_affects_and_the_headline_counts_the_others() {
    let report = report(
        &refused(&[
            ("192.0.2.10:5000", "alice", None),
            ("192.0.2.10:5001", "alice", None),
            ("192.0.2.11:5000", "bob", None),
            ("192.0.2.12:5000", "carol", None),
        ])
        .pcap(),
    );
    let affected = &finding(&report, "turn-integrity-rejected").affected;
    assert_eq!((affected.users.join(" "), affected.users_total), ("alice bob carol".to_owned(), 3));
    assert_eq!(affected.clients_total, 3, "two ports are one client");
    assert!(report.headline.starts_with("203.0.113.1:3478 refused the user or password of \"alice\""));
    assert!(report.headline.ends_with(" (and 2 other users)."), "{}", report.headline);
    let words = "users \"alice\", \"bob\", \"carol\"; clients 192.0.2.10, 192.0.2.11, 192.0.2.12";
    assert_eq!(affected.several().as_deref(), Some(words));
}

#[test]
fn who_got_over_it_is_not_affected_where_others_did_not() {
    let scene = refused(&[
        ("192.0.2.10:5000", "alice", Some("203.0.113.1:24000")),
        ("192.0.2.11:5000", "bob", None),
        ("192.0.2.12:5000", "carol", Some("203.0.113.1:24001")),
    ]);
    let report = report(&scene.pcap());
    let affected = &finding(&report, "turn-integrity-rejected").affected;
    assert_eq!((affected.users.join(" "), affected.users_total, affected.clients_total), ("bob".to_owned(), 1, 1));
    assert_says(&report.headline, "the user or password of \"bob\"");
    assert!(!report.headline.contains("other"), "{}", report.headline);
}

#[test]
fn one_client_alone_is_not_told_of_twice() {
    let report = report(&refused(&[("192.0.2.10:5000", "alice", None)]).pcap());
    assert_eq!(finding(&report, "turn-integrity-rejected").affected.several(), None);
    assert!(!report.headline.contains("other"), "{}", report.headline);
}

#[test]
fn a_finding_about_one_user_of_several_is_told_of_that_user_alone() {
    let scene = refused(&[
        ("192.0.2.10:5000", "alice", None),
        ("192.0.2.11:5000", "bob", None),
        ("192.0.2.12:5000", "carol", Some("203.0.113.1:24001")),
    ]);
    let report = report_of_user(&scene, "bob");
    let found = finding(&report, "turn-integrity-rejected");
    assert_eq!((found.occurrences, found.subject.username.as_deref()), (1, Some("bob")));
    assert_says(&report.headline, "of \"bob\" with 401");
    // a note that every healthy conversation makes is told of its user, too
    let report = report_of_user(&scene, "carol");
    assert_eq!(finding(&report, "turn-challenge").occurrences, 1);
    assert_eq!(report.findings.iter().filter(|found| found.subject.username.as_deref() != Some("carol")).count(), 0);
}

#[test]
fn who_did_not_get_over_it_is_told_of_however_many_did_before() {
    let mut scene = Scene::new();
    for number in 1..=40_u16 {
        let (client, user) = (format!("192.0.2.{number}:5000"), format!("user{number}"));
        let (login, nonce) = (Login::new(&user, REALM, "right"), format!("nonce-of-{user}"));
        scene.allocate_challenge(client.as_str(), SERVER, REALM, &nonce);
        let full = scene.after_ms(20).allocate_as(client.as_str(), SERVER, &login, &nonce);
        scene.after_ms(10).refuse(&full, 508, "Insufficient Capacity");
        if number != 30 {
            let relayed = format!("203.0.113.1:{}", 24_000 + number);
            let again = format!("192.0.2.{number}:5001");
            scene.after_ms(100).allocation(again.as_str(), SERVER, &login, &nonce, relayed.as_str());
        }
    }
    scene.later(20);
    let report = report(&scene.pcap());
    let found = finding(&report, "turn-capacity");
    assert_eq!(found.subject.client.map(|client| client.to_string()).as_deref(), Some("192.0.2.30:5000"));
    assert_eq!((found.occurrences, frames_of(&report, "turn-capacity").len()), (40, 2), "the frames show that one");
}
