//! Whose names the server does not take: challenges, users, realms and expiry dates.

mod support;

use support::analyze::{assert_says, finding, frames_of, ids, report, report_of, report_with};
use support::*;
use turnscope::analyzer::Options;
use turnscope::report::{Confidence, Report, Severity, Verdict};
use turnscope::session::credentials::{Credentials, Limits};

const CLIENT: &str = "172.16.84.124:50000";
const SERVER: &str = "10.88.246.156:3478";
const RELAYED: &str = "10.88.246.156:24000";
const REALM: &str = "example.org";
const COTURN: &str = "Coturn-4.6.1 'Gorst'";

/// A client that is challenged and signs as `login`; the signed request.
fn retried(scene: &mut Scene, client: &str, login: &Login, nonce: &str) -> Sent {
    scene.allocate_challenge(client, SERVER, REALM, nonce);
    scene.after_ms(20).allocate_as(client, SERVER, login, nonce)
}

/// Frames that are no STUN, for so many seconds: the capture goes on.
fn wait(scene: &mut Scene, seconds: u64) {
    for _ in 0..seconds {
        scene.later(1);
    }
}

// turn-challenge, turn-no-credentials

#[test]
fn a_challenge_that_is_followed_by_success_is_a_note() {
    let report = report(&Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED).pcap());
    assert_eq!(ids(&report), ["turn-challenge"]);
    assert_eq!(finding(&report, "turn-challenge").severity, Severity::Note);
    assert_eq!(frames_of(&report, "turn-challenge"), [1, 2, 3, 4]);
    assert_eq!(report.verdict, Verdict::Healthy);
}

#[test]
fn a_challenge_of_which_the_snap_length_left_too_little_is_still_the_first_leg() {
    let mut scene = Scene::new();
    scene.snap_length(96);
    scene.allocation(CLIENT, SERVER, &alice(), "a-rather-long-nonce-that-fills-the-snap-length", RELAYED);
    wait(&mut scene, 10);
    assert_eq!(report(&scene.pcap()).verdict, Verdict::Healthy);
}

#[test]
fn a_client_that_stops_at_the_challenge_has_no_credentials() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    wait(&mut scene, 10);
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-no-credentials"]);
    assert_eq!(report.verdict, Verdict::Failure);
    assert_eq!(frames_of(&report, "turn-no-credentials"), [1, 2]);
    assert_says(&report.headline, "asked 172.16.84.124:50000 for credentials");
}

#[test]
fn a_client_that_asks_again_and_again_without_credentials_has_none_either() {
    // as linphone does, with a new transaction each time; behind a router its challenges may be lost on the way to it
    for far in [false, true] {
        let mut scene = Scene::new();
        if far {
            scene.far_away(CLIENT);
        }
        for number in 0..7 {
            scene.after_ms(200).allocate_challenge(CLIENT, SERVER, REALM, &format!("nonce-{number}"));
        }
        wait(&mut scene, 3);
        let report = report(&scene.pcap());
        assert_eq!(report.headline_finding.as_deref(), Some("turn-no-credentials"));
        assert_eq!(report.verdict, if far { Verdict::Warning } else { Verdict::Failure });
        let told = &finding(&report, "turn-no-credentials").explanation;
        assert!(told.contains("asked 7 times in all, each time without credentials"), "{told}");
    }
}

#[test]
fn who_asks_like_a_clock_and_stops_at_the_challenge_may_be_a_health_check() {
    let asked_at = |seconds: &[u64], ports: u16| {
        let mut scene = Scene::new();
        for (number, second) in (0..).zip(seconds) {
            let client = format!("172.16.84.124:{}", 50000 + number % ports);
            scene.at_ms(second * 1000 + u64::from(number % 3) * 40);
            scene.allocate_challenge(&*client, SERVER, REALM, &format!("nonce-{number}"));
        }
        wait(&mut scene, 10);
        report(&scene.pcap())
    };
    for (ports, every) in [(1, 10), (7, 10), (100, 60)] {
        let report = asked_at(&(0..12).map(|number| number * every).collect::<Vec<_>>(), ports);
        let found = finding(&report, "turn-no-credentials");
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely), "{ports} ports");
        assert_eq!(report.verdict, Verdict::Warning);
        let words = format!("it asks every {every} seconds, as a health check does");
        assert_says(&report.headline, &words);
        assert_says(&found.explanation, "12 times in the capture");
    }
    // whoever makes calls without credentials asks at any time, and a few times are no rhythm
    for seconds in [&[0, 7, 31, 90, 112, 180, 260][..], &[0, 10, 20, 30]] {
        let report = asked_at(seconds, 100);
        assert_eq!(finding(&report, "turn-no-credentials").confidence, Confidence::Certain, "{seconds:?}");
    }
}

#[test]
fn a_health_check_beside_a_client_that_lacks_credentials_takes_nothing_of_its_failure() {
    let mut scene = Scene::new();
    for number in 0..12 {
        scene.at_ms(number * 10_000);
        scene.allocate_challenge(&*format!("10.9.9.9:{}", 40000 + number), SERVER, REALM, &format!("nonce-{number}"));
    }
    scene.after_ms(1000).allocate_challenge(CLIENT, SERVER, REALM, "nonce");
    wait(&mut scene, 10);
    assert_eq!(report(&scene.pcap()).verdict, Verdict::Failure);
}

#[test]
fn a_server_that_takes_access_tokens_says_whose() {
    let challenged = |scene: &mut Scene, request: &Sent| {
        scene.after_ms(10).refuse_with(request, 401, "Unauthorized", |error| {
            error.realm(REALM).nonce("nonce-1").attribute(0x802E, "auth.example.org")
        });
    };
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    challenged(&mut scene, &request);
    wait(&mut scene, 10);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-no-credentials");
    assert_says(&found.title, "for credentials or an access token");
    assert_says(&found.explanation, "which \"auth.example.org\" issues");
    assert_says(&found.fix, "ACCESS-TOKEN");
    // a client that comes with a password may be refused for that
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    challenged(&mut scene, &request);
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    challenged(&mut scene, &retry);
    wait(&mut scene, 10);
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-integrity-rejected");
    assert!(found.explanation.contains("\"auth.example.org\"") && found.fix.contains("access token"), "{}", found.fix);
}

#[test]
fn a_capture_that_ends_at_the_challenge_accuses_nobody() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    wait(&mut scene, 2);
    assert!(ids(&report(&scene.pcap())).is_empty());
}

#[test]
fn a_client_that_repeats_its_request_did_not_get_the_challenge() {
    let mut scene = Scene::new();
    let (request, _) = scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    for _ in 0..4 {
        let again = scene.after_ms(1000).retransmit(&request);
        scene.after_ms(10).challenge(&again, 401, "Unauthorized", REALM, "nonce-1");
    }
    wait(&mut scene, 10);
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-no-credentials"));
}

#[test]
fn a_client_that_goes_on_from_another_socket_has_credentials() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    let retry = scene.after_ms(20).allocate_as("172.16.84.124:50001", SERVER, &alice(), "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
    wait(&mut scene, 10);
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-no-credentials"));
}

#[test]
fn a_socket_that_is_dropped_at_the_challenge_because_another_has_its_relay_is_no_failure() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    scene.allocate_challenge("172.16.84.124:50001", SERVER, REALM, "nonce-2");
    wait(&mut scene, 10);
    assert_eq!(finding(&report(&scene.pcap()), "turn-no-credentials").severity, Severity::Warning);
}

#[test]
fn the_answers_alone_tell_nothing_of_credentials() {
    let mut scene = Scene::new();
    let request = Stun::request(method::ALLOCATE).tid([7; 12]).requested_transport(17).bytes();
    let answer = Stun::error_to(&request, 401, "Unauthorized").realm(REALM).nonce("nonce-1");
    scene.udp(SERVER, CLIENT, answer.bytes());
    wait(&mut scene, 10);
    let report = report(&scene.pcap());
    assert!(report.findings.iter().all(|finding| finding.severity != Severity::Failure), "{:?}", ids(&report));
}

// turn-unknown-user

#[test]
fn a_server_of_the_drafts_that_says_unknown_user_is_taken_at_its_word() {
    let mut scene = Scene::new();
    let retry = retried(&mut scene, CLIENT, &alice(), "nonce-1");
    scene.after_ms(10).refuse_with(&retry, 436, "Unknown User", |answer| answer.realm(REALM).nonce("nonce-1"));
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-unknown-user"]);
    assert_eq!(report.verdict, Verdict::Failure);
    assert_eq!(frames_of(&report, "turn-unknown-user"), [3, 4]);
    let found = finding(&report, "turn-unknown-user");
    assert_eq!(found.title, "10.88.246.156:3478 does not know the user \"alice\": 436 Unknown User");
    assert_eq!(found.subject.client.map(|client| client.to_string()).as_deref(), Some(CLIENT));
}

#[test]
fn an_unknown_user_that_is_a_known_one_but_for_a_mishap_is_told_by_its_kind() {
    let given = |user: &str, password: &str| {
        format!("[[credential]]\nlabel = \"the label\"\nusername = \"{user}\"\npassword = \"{password}\"\n")
    };
    for (used, user, kind) in [
        ("alice ", "alice", "a blank or a line end is added to the user name or taken off"),
        ("Alice", "alice", "the letter case of the user name changes"),
        ("al%69ce", "alice", "the user name is URL-encoded or URL-decoded"),
        (REALM, REALM, ""),
    ] {
        let mut scene = Scene::new();
        let retry = retried(&mut scene, CLIENT, &Login::new(used, REALM, "secret"), "nonce-1");
        scene.after_ms(10).refuse_with(&retry, 436, "Unknown User", |answer| answer.realm(REALM).nonce("nonce-1"));
        scene.later(5);
        // by what the key proves, and by the names alone
        for password in ["secret", "another"] {
            let report = report_with(&scene.pcap(), &given(user, password));
            let found = finding(&report, "turn-unknown-user");
            let told = format!("\"the label\" when {kind}.");
            assert_eq!(found.explanation.contains(&told), !kind.is_empty(), "{used}: {}", found.explanation);
            assert!(!serde_json::to_string(&report).unwrap().contains("\"another\""), "no password is printed");
        }
    }
}

#[test]
fn user_name_and_realm_of_a_credential_that_were_swapped_are_told_so() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &Login::new(REALM, "alice", "secret"), "nonce-1");
    scene.after_ms(10).refuse_with(&retry, 441, "Wrong Credentials", |answer| answer.realm(REALM));
    let given = "[[credential]]\nlabel = \"the label\"\nusername = \"alice\"\npassword = \"another\"\n";
    let report = report_with(&scene.pcap(), given);
    let found = finding(&report, "turn-realm-mismatch");
    assert_says(&found.explanation, "those of \"the label\" when user name and realm are swapped");
}

#[test]
fn a_realm_that_is_the_servers_but_for_a_mishap_is_told_by_its_kind() {
    for (used, kind) in [
        ("Example.org", "the letter case of the realm changes"),
        ("example.org ", "a blank or a line end is added to the realm or taken off"),
        ("another.org", ""),
    ] {
        let mut scene = Scene::new();
        scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
        let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &Login::new("alice", used, "secret"), "nonce-1");
        scene.after_ms(10).refuse_with(&retry, 441, "Wrong Credentials", |answer| answer.realm(REALM));
        let report = report(&scene.pcap());
        let found = finding(&report, "turn-realm-mismatch");
        let told = format!("The one becomes the other when {kind}.");
        assert_eq!(found.explanation.contains(&told), !kind.is_empty(), "{used}: {}", found.explanation);
    }
}

#[test]
fn an_unknown_user_who_is_created_in_time_is_a_warning() {
    let mut scene = Scene::new();
    let retry = retried(&mut scene, CLIENT, &alice(), "nonce-1");
    scene.after_ms(10).refuse(&retry, 436, "Unknown User");
    let retry = scene.after_ms(3000).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
    assert_eq!(finding(&report(&scene.pcap()), "turn-unknown-user").severity, Severity::Warning);
}

// turn-credential-expired, turn-expired-credential-accepted

/// 30 days before the scene begins.
fn ended() -> Login {
    let name = format!("{}:alice", scene::NEW_YEAR - 30 * 86_400);
    Login::new(&name, REALM, "kaP8oiCOQi1N4NSZPSAYWko+LUs=")
}

#[test]
fn a_credential_used_after_its_end_is_told_as_expired_and_as_nothing_else() {
    let mut scene = Scene::new();
    for nonce in ["nonce-1", "nonce-2"] {
        let retry = retried(&mut scene, CLIENT, &ended(), nonce);
        scene.after_ms(10).challenge(&retry, 401, "Unauthorized", REALM, nonce);
    }
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-credential-expired"]);
    assert_eq!(report.verdict, Verdict::Failure);
    assert_says(&report.headline, "ended on 2025-12-02 00:00:00 UTC, 30 days earlier");
    assert_eq!(frames_of(&report, "turn-credential-expired"), [3, 4, 7, 8]);
    assert_eq!(finding(&report, "turn-credential-expired").occurrences, 1, "one client that tries twice");
}

#[test]
fn an_expired_credential_at_a_server_of_the_pion_family_is_expired_too() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(10).challenge(&request, 401, "", REALM, "nonce-1");
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &ended(), "nonce-1");
    scene.after_ms(10).refuse(&retry, 400, "");
    assert_eq!(ids(&report(&scene.pcap())), ["turn-credential-expired"]);
}

#[test]
fn a_renewed_credential_makes_the_expired_one_a_warning() {
    let mut scene = Scene::new();
    let retry = retried(&mut scene, CLIENT, &ended(), "nonce-1");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", REALM, "nonce-1");
    let fresh = Login::new(&format!("{}:alice", scene::NEW_YEAR + 86_400), REALM, "fresh");
    let retry = scene.after_ms(500).allocate_as(CLIENT, SERVER, &fresh, "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &fresh);
    assert_eq!(finding(&report(&scene.pcap()), "turn-credential-expired").severity, Severity::Warning);
}

#[test]
fn a_credential_that_still_holds_is_refused_for_its_password() {
    let mut scene = Scene::new();
    let login = Login::new(&format!("{}:alice", scene::NEW_YEAR + 86_400), REALM, "wrong");
    let retry = retried(&mut scene, CLIENT, &login, "nonce-1");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", REALM, "nonce-1");
    assert_eq!(ids(&report(&scene.pcap())), ["turn-integrity-rejected"]);
}

#[test]
fn bare_digits_are_a_telephone_number_unless_a_shared_secret_says_otherwise() {
    let mut scene = Scene::new();
    let login = Login::new("1234567890", REALM, "wrong");
    let retry = retried(&mut scene, CLIENT, &login, "nonce-1");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", REALM, "nonce-1");
    assert_eq!(ids(&report(&scene.pcap())), ["turn-integrity-rejected"]);
}

#[test]
fn a_quota_met_with_an_expired_credential_is_not_told_as_expiry() {
    let mut scene = Scene::new();
    let retry = retried(&mut scene, CLIENT, &ended(), "nonce-1");
    scene.after_ms(10).refuse(&retry, 486, "Allocation Quota Reached");
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-credential-expired"));
}

#[test]
fn a_server_that_accepts_what_has_ended_is_warned_of() {
    let mut scene = Scene::new();
    let retry = retried(&mut scene, CLIENT, &ended(), "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &ended());
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-expired-credential-accepted", "turn-challenge"]);
    assert_eq!(report.verdict, Verdict::Warning);
    assert_eq!(frames_of(&report, "turn-expired-credential-accepted"), [3, 4]);
}

#[test]
fn a_refresh_may_outlive_the_credential() {
    let login = Login::new(&format!("{}:alice", scene::NEW_YEAR + 60), REALM, "fresh");
    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &login, "nonce-1", RELAYED);
    let refresh = scene.after_ms(300_000).refresh(CLIENT, SERVER, &login, "nonce-1", 600);
    scene.after_ms(10).granted(&refresh, Some(600), &login);
    assert_eq!(ids(&report(&scene.pcap())), ["turn-challenge"]);
}

// turn-realm-mismatch

#[test]
fn coturn_answers_a_wrong_realm_with_437_and_that_is_no_mismatch_of_allocations() {
    let mut scene = Scene::new();
    let login = Login::new("alice", "meeting.example", "secret");
    let retry = retried(&mut scene, CLIENT, &login, "nonce-1");
    let phrase = "Allocation mismatch: wrong credentials: the realm value is incorrect";
    scene.after_ms(10).refuse_with(&retry, 437, phrase, |answer| answer.software(COTURN));
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-realm-mismatch"]);
    assert_eq!(report.verdict, Verdict::Failure);
    assert_says(&report.headline, "signs for realm \"meeting.example\", 10.88.246.156:3478 has realm \"example.org\"");
    assert_eq!(frames_of(&report, "turn-realm-mismatch"), [3, 4]);
}

#[test]
fn a_phrase_about_the_realm_that_the_snap_length_cuts_is_no_mismatch_of_allocations() {
    let mut scene = Scene::new();
    let retry = retried(&mut scene, CLIENT, &Login::new("alice", "meeting.example", "secret"), "nonce-1");
    let phrase = "Allocation mismatch: wrong credentials: the realm value is incorrect";
    scene.after_ms(10).refuse_with(&retry, 437, phrase, |answer| answer.software(COTURN));
    let report_at = |snap| report(&degrade::pcap(&degrade::snapped(&degrade::shots(&scene), snap)));
    // header of Ethernet, IPv4, UDP and STUN, and what stands before the phrase
    let begin = 14 + 20 + 8 + 20 + 8;
    let named = begin + "Allocation mismatch: wrong credentials:".len();
    for snap in begin..begin + phrase.len() + 4 {
        let report = report_at(snap);
        let expected = if snap < named { "turn-request-rejected" } else { "turn-realm-mismatch" };
        let found: Vec<_> =
            ids(&report).into_iter().filter(|id| id.starts_with("turn-") && *id != "turn-challenge").collect();
        // the challenge or the request may tell the realm before the phrase does
        assert!(found == [expected] || found == ["turn-realm-mismatch"], "{snap}: {found:?}");
        assert_eq!(finding(&report, found[0]).confidence, Confidence::Likely);
    }
    let cut = report_at(begin + 26);
    let found = finding(&cut, "turn-request-rejected");
    assert_says(&found.explanation, "stands behind the cut of the snap length");
}

#[test]
fn a_phrase_that_is_cut_behind_its_colon_is_about_credentials_also_where_an_allocation_stands() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    let again = scene.after_ms(1000).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).refuse(&again, 437, "Allocation mismatch: wrong credentials: the realm value is incorrect");
    let mut shots = degrade::shots(&scene);
    let last = shots.len() - 1;
    for (kept, expected) in [(10, "turn-allocation-mismatch"), (26, "turn-request-rejected")] {
        shots[last].bytes.truncate(14 + 20 + 8 + 20 + 8 + kept);
        let report = report(&degrade::pcap(&shots));
        let found = ids(&report);
        assert!(found.contains(&expected), "{kept}: {found:?}");
        shots = degrade::shots(&scene);
    }
}

#[test]
fn a_phrase_that_is_cut_tells_no_other_user_from_another_realm() {
    let phrase = "Wrong credentials: the realm value is incorrect";
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "n");
    let refresh = scene.after_ms(20).refresh(CLIENT, SERVER, &alice(), "n", 600);
    scene.after_ms(10).refuse_with(&refresh, 441, phrase, |answer| answer.software(COTURN));
    let shots = degrade::shots(&scene);
    let begin = 14 + 20 + 8 + 20 + 8;
    for kept in 0..phrase.len() {
        let report = report(&degrade::pcap(&degrade::snapped(&shots, begin + kept)));
        assert!(!ids(&report).contains(&"turn-user-changed"), "{kept}: {:?}", ids(&report));
    }
}

#[test]
fn a_second_server_behind_the_same_address_has_another_realm() {
    let mut scene = Scene::new();
    let retry = retried(&mut scene, CLIENT, &alice(), "nonce-1");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "other.example", "nonce-2");
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-realm-mismatch"]);
    assert_says(&report.headline, "then refused it with realm \"other.example\"");
}

#[test]
fn a_realm_that_the_phrase_alone_names_is_enough() {
    let mut scene = Scene::new();
    let retry = scene.allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).refuse(&retry, 441, "Wrong credentials: the realm value is incorrect");
    assert_eq!(ids(&report(&scene.pcap())), ["turn-realm-mismatch"]);
}

#[test]
fn a_realm_in_quotation_marks_is_the_same_realm() {
    let mut scene = Scene::new();
    let login = Login::new("alice", "\"example.org\"", "secret");
    let retry = retried(&mut scene, CLIENT, &login, "nonce-1");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", REALM, "nonce-1");
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-realm-mismatch"));
}

#[test]
fn a_server_that_takes_any_realm_is_left_alone() {
    let mut scene = Scene::new();
    let login = Login::new("alice", "meeting.example", "secret");
    let retry = retried(&mut scene, CLIENT, &login, "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &login);
    let permission = scene.after_ms(10).create_permission(CLIENT, SERVER, &login, "nonce-1", "192.0.2.7:5000");
    scene.after_ms(10).refuse(&permission, 403, "Forbidden");
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-realm-mismatch"));
}

// turn-user-changed

#[test]
fn a_user_that_is_rotated_under_a_live_allocation_is_named_with_the_one_before() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    let bob = Login::new("bob", REALM, "other");
    let refresh = scene.after_ms(1000).refresh(CLIENT, SERVER, &bob, "nonce-1", 600);
    scene.after_ms(10).refuse(&refresh, 441, "Wrong Credentials");
    wait(&mut scene, 10);
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-user-changed", "turn-challenge"]);
    assert_eq!(report.verdict, Verdict::Failure);
    assert_says(&report.headline, "changed its user from \"alice\" to \"bob\"");
    assert_eq!(frames_of(&report, "turn-user-changed"), [4, 5, 6]);
}

#[test]
fn an_allocate_of_another_user_on_a_taken_port_is_a_change_of_user() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    let bob = Login::new("bob", REALM, "other");
    let again = scene.after_ms(1000).allocate_as(CLIENT, SERVER, &bob, "nonce-1");
    scene.after_ms(10).refuse(&again, 437, "Allocation Mismatch");
    assert!(ids(&report(&scene.pcap())).contains(&"turn-user-changed"));
}

#[test]
fn another_user_on_a_port_where_the_first_was_refused_is_told_as_that_and_not_as_an_older_allocation() {
    // coturn keeps the user of a port once a request was signed there
    let mut scene = Scene::new();
    let retry = retried(&mut scene, CLIENT, &alice(), "nonce-1");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", REALM, "nonce-1");
    let bob = Login::new("bob", REALM, "other");
    let again = scene.after_ms(1000).allocate_as(CLIENT, SERVER, &bob, "nonce-1");
    scene.after_ms(10).refuse(&again, 437, "Allocation mismatch: wrong credentials");
    wait(&mut scene, 10);
    let report = report(&scene.pcap());
    let found = finding(&report, "turn-user-changed");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.title, "as \"alice\" and then as \"bob\"");
    assert!(!ids(&report).contains(&"turn-allocation-mismatch"));
    assert!(frames_of(&report, "turn-user-changed").contains(&retry.frame));
}

#[test]
fn an_allocate_of_the_same_user_on_a_taken_port_is_not() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    let again = scene.after_ms(1000).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).refuse(&again, 437, "Allocation Mismatch");
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-user-changed"));
}

#[test]
fn a_change_of_user_in_a_capture_that_starts_later_is_only_likely() {
    let mut scene = Scene::new();
    let refresh = scene.refresh(CLIENT, SERVER, &alice(), "nonce-1", 600);
    scene.after_ms(10).refuse(&refresh, 441, "Wrong Credentials");
    let report = report(&scene.pcap());
    assert_eq!(finding(&report, "turn-user-changed").confidence, Confidence::Likely);
    assert_eq!(report.verdict, Verdict::Warning);
}

// what credentials were seen to do

#[test]
fn messages_that_a_credential_should_have_signed_are_counted() {
    let mut scene = Scene::new();
    let wrong = alice().with_password("mistyped");
    let retry = retried(&mut scene, CLIENT, &wrong, "nonce-1");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", REALM, "nonce-1");
    scene.after_ms(100).retransmit(&retry);
    let given = "
[[credential]]
label = \"alice\"
username = \"alice\"
password = \"secret\"

[[credential]]
label = \"bob\"
username = \"bob\"
password = \"secret\"
";
    let report = report_with(&scene.pcap(), given);
    let counts: Vec<_> = report.credentials.iter().map(|known| (known.label.as_str(), known.mismatched)).collect();
    assert_eq!(counts, [("alice", 1), ("bob", 0)]);
}

#[test]
fn wrong_credentials_for_the_user_who_made_the_allocation_are_no_change_of_user() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    let refresh = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce-1", 600);
    scene.after_ms(10).refuse(&refresh, 441, "Wrong Credentials");
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-user-changed"));
}

#[test]
fn a_thousand_ordinary_challenges_are_one_note_with_a_true_count() {
    let mut scene = Scene::new();
    for port in 20_000..21_000 {
        let client = format!("10.0.0.2:{port}");
        scene.after_ms(1).allocation(
            client.as_str(),
            SERVER,
            &alice(),
            "nonce-1",
            format!("192.0.2.1:{port}").as_str(),
        );
    }
    let report = report(&scene.pcap());
    let note = finding(&report, "turn-challenge");
    assert_eq!((note.occurrences, note.places_total), (1000, 4000));
}

/// A call whose Refreshes are refused from some time on; whether the client goes on sending after the end of its allocation, and whether something comes back.
fn refused_while_it_talks(user: &str, goes_on: bool, answered: bool) -> Report {
    let login = Login::new(user, REALM, "secret");
    let mut scene = Scene::new();
    scene.allocation(CLIENT, SERVER, &login, "nonce-1", "203.0.113.1:24000");
    scene.talk(CLIENT, SERVER, &login, "nonce-1", (0x4000, "198.51.100.9:7000"), 50);
    for (wait, nonce) in [(240, "nonce-1"), (240, "nonce-2")] {
        let refresh = scene.later(wait).refresh(CLIENT, SERVER, &login, nonce, 600);
        scene.after_ms(10).challenge(&refresh, 401, "Unauthorized", REALM, "nonce-2");
        scene.media(CLIENT, SERVER, 0x4000, 50);
    }
    scene.later(200);
    for _ in 0..if goes_on { 50 } else { 0 } {
        scene.after_ms(100).channel_data(CLIENT, SERVER, 0x4000, [0x80; 172]);
        if answered {
            scene.after_ms(1).channel_data(SERVER, CLIENT, 0x4000, [0x80; 172]);
        }
    }
    wait(&mut scene, 10);
    report(&scene.pcap())
}

#[test]
fn a_call_that_ends_since_its_refreshes_are_refused_is_a_failure_however_long_it_went_on_before() {
    let soon = format!("{}:alice", scene::NEW_YEAR + 100);
    for (user, id) in [("alice", "turn-integrity-rejected"), (&soon, "turn-credential-expired")] {
        let told = refused_while_it_talks(user, true, false);
        assert_eq!((told.verdict, told.headline_finding.as_deref()), (Verdict::Failure, Some(id)));
        let late = finding(&told, "turn-data-after-expiry");
        assert_eq!(late.caused_by.as_deref(), Some(finding(&told, id).key.as_str()), "{late:?}");
        let words = "whose 600 seconds ran out, since 2 Refreshes were refused";
        assert_says(&late.explanation, words);
        for (goes_on, answered) in [(false, false), (true, true)] {
            assert_eq!(refused_while_it_talks(user, goes_on, answered).verdict, Verdict::Warning);
        }
    }
}

#[test]
fn a_client_that_names_its_user_and_signs_nothing_is_told_so() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "nonce-1");
    let named =
        Stun::request(method::ALLOCATE).requested_transport(17).username("alice").realm("example.org").nonce("nonce-1");
    let again = scene.after_ms(10).send(CLIENT, SERVER, named);
    scene.after_ms(10).challenge(&again, 401, "Unauthorized", "example.org", "nonce-2");
    let report = report(&scene.later(20).pcap());
    let found = finding(&report, "turn-no-credentials");
    assert!(
        found.title.contains("names the user \"alice\"") && found.title.ends_with("no MESSAGE-INTEGRITY"),
        "{}",
        found.title
    );
    assert!(!found.explanation.contains("neither sent credentials"), "{}", found.explanation);
}

#[test]
fn an_empty_realm_is_named_where_a_client_stops_at_it() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "", "nonce-1");
    let report = report(&scene.later(20).pcap());
    let found = finding(&report, "turn-no-credentials");
    assert_says(&found.explanation, "The realm is empty");
    assert!(found.fix.starts_with("Set a realm on"), "{}", found.fix);
}

#[test]
fn signatures_that_were_not_tried_with_all_passwords_of_a_list_are_counted_as_left_out() {
    let mut scene = Scene::new();
    let request = retried(&mut scene, CLIENT, &Login::new("alice", REALM, "secret"), "nonce");
    scene.after_ms(2).challenge(&request, 401, "Unauthorized", REALM, "nonce");
    let omitted = |list_tries: u64| {
        let mut credentials = Credentials::with_limits(Limits { list_tries, ..Limits::default() });
        credentials.add_passwords(b"one\ntwo\nthree\n".to_vec(), "words.txt").expect("a list");
        report_of(&scene.pcap(), Options { credentials, ..Options::default() }).left_out("signatures")
    };
    assert_eq!((omitted(100), omitted(1)), (0, 1));
}
