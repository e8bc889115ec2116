//! The search for near misses: what was done to a credential on its way is told by its kind, and never by its value.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{assert_says, finding, report_with};
use support::stun::{md5_key, sha256_key};
use support::*;
use turnscope::report::{Report, Verdict};

const CLIENT: &str = "172.16.84.124:50000";
const SERVER: &str = "10.88.246.156:3478";
const USER: &str = "turnuser";
const REALM: &str = "example.org";

/// A client that is challenged, signs in a way of its own, and is refused twice with 401.
fn refused(user: &str, key: &[u8]) -> Vec<u8> {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    for _ in 0..2 {
        let ask = Stun::request(method::ALLOCATE).requested_transport(17).username(user).realm(REALM).nonce("nonce-1");
        let retry = scene.after_ms(20).send(CLIENT, SERVER, ask.integrity(key));
        scene.after_ms(10).challenge(&retry, 401, "Unauthorized", REALM, "nonce-1");
    }
    scene.later(5);
    scene.pcap()
}

fn credential(username: &str, secret: &str) -> String {
    format!("[[credential]]\nlabel = \"the label\"\nside = \"server\"\nusername = \"{username}\"\n{secret}\n")
}

/// The kind of the one near miss; that the finding tells it in words, and that nobody tells the secrets.
#[track_caller]
fn kind(report: &Report, secrets: &[&str]) -> String {
    let near = &report.credentials.first().expect("a credential").near_misses;
    let near = near.first().unwrap_or_else(|| panic!("no near miss: {}", report.headline));
    assert_eq!((near.requests, near.responses), (2, 0), "{}", near.kind);
    let found = finding(report, "turn-integrity-rejected");
    assert!(
        found.title.ends_with(&format!("the request verifies with \"the label\" when {}", near.when)),
        "{}",
        found.title
    );
    assert_says(&found.explanation, &near.when);
    let json = serde_json::to_string(report).unwrap();
    for secret in secrets.iter().filter(|secret| secret.len() > 4) {
        assert!(!json.contains(secret), "{}: the secret is told", near.kind);
    }
    near.kind.clone()
}

#[test]
fn a_password_that_changed_on_its_way_is_told_by_what_happened_to_it() {
    let cases = [
        ("blue-harbour-42", "blue-harbour-42\n", "password-trailing-newline"),
        ("blue-harbour-42", "blue-harbour-42\r\n", "password-trailing-newline"),
        ("blue-harbour-42", "blue-harbour-42 ", "password-trailing-blank"),
        ("blue-harbour-42", " blue-harbour-42", "password-leading-blank"),
        (" blue-harbour-42 ", "blue-harbour-42", "password-trimmed"),
        ("blue-harbour-42", "\"blue-harbour-42\"", "password-quoted"),
        ("'blue-harbour-42'", "blue-harbour-42", "password-unquoted"),
        ("Blue-Harbour-42", "blue-harbour-42", "password-lower-case"),
        ("blue-harbour-42", "BLUE-HARBOUR-42", "password-upper-case"),
        ("blue-harbour-42", "Blue-harbour-42", "password-first-letter-case"),
        ("Blue-Harbour-42", "bLUE-hARBOUR-42", "password-case-swapped"),
        ("blue&harbour/42", "blue%26harbour%2F42", "password-url-encoded"),
        ("blue%26harbour%2F42", "blue&harbour/42", "password-url-decoded"),
        ("blue$harbour-42", "blue-42", "password-shell-expanded"),
        ("blue${harbour}42!", "blue42!", "password-shell-expanded"),
        ("blue$harbour", "blue$$harbour", "password-dollar-doubled"),
        ("blue#harbour", "blue", "password-cut-at-character"),
        ("blueharbour42", "blueharb", "password-cut-short"),
        ("blueharbour42", "", "password-empty"),
        ("blueharbour42", "Ymx1ZWhhcmJvdXI0Mg==", "password-base64"),
        ("Ymx1ZWhhcmJvdXI0Mg==", "blueharbour42", "password-base64-decoded"),
        ("4p+Y8/eA1234", "4p-Y8_eA1234", "password-base64-spelling"),
        ("blueharbour42", "626c7565686172626f75723432", "password-hex"),
        ("626c7565686172626f75723432", "blueharbour42", "password-hex-decoded"),
        ("blueharbour42", "turnuser", "password-is-user"),
        ("blue<harbour", "blue&lt;harbour", "password-xml-encoded"),
    ];
    for (given, used, expected) in cases {
        let secret = format!("password = '''{given}'''");
        let report = report_with(&refused(USER, &md5_key(USER, REALM, used)), &credential(USER, &secret));
        assert_eq!(report.verdict, Verdict::Failure);
        assert_eq!(kind(&report, &[given, used].map(|text| if text == USER { "" } else { text.trim() })), expected);
    }
}

#[test]
fn names_that_changed_on_their_way_are_told_by_what_happened_to_them() {
    let password = "blue-harbour-42";
    let given = credential(USER, "password = \"blue-harbour-42\"");
    for (user, realm, expected) in [
        (REALM, USER, "user-realm-swapped"),
        (USER, "", "realm-empty"),
        (USER, "EXAMPLE.ORG", "realm-case"),
        (USER, "example.org\n", "realm-blanks"),
        (USER, "\"example.org\"", "realm-quoted"),
        ("TURNUSER", REALM, "user-case"),
        ("turnuser ", REALM, "user-blanks"),
        ("turnuser@example.org", REALM, "user-with-realm"),
    ] {
        let report = report_with(&refused(USER, &md5_key(user, realm, password)), &given);
        assert_eq!(kind(&report, &[password]), expected);
    }
}

#[test]
fn a_message_of_names_that_no_credential_is_for_is_tried_all_the_same() {
    let password = "blue-harbour-42";
    let given = credential(USER, "password = \"blue-harbour-42\"");
    for (user, expected) in [
        ("TurnUser", "user-case"),
        ("turnuser ", "user-blanks"),
        ("turnuser@example.org", "user-with-realm"),
        ("somebody", "user-differs"),
    ] {
        let report = report_with(&refused(user, &md5_key(user, REALM, password)), &given);
        assert_eq!(kind(&report, &[password]), expected, "{user}");
        let fix = &finding(&report, "turn-integrity-rejected").fix;
        assert_eq!(
            fix.contains("which is for another user: give the client that user's name"),
            user == "somebody",
            "{fix}"
        );
    }
    let other_realm = given.replace("username", "realm = \"another.org\"\nusername");
    let report = report_with(&refused(USER, &md5_key(USER, REALM, password)), &other_realm);
    assert_eq!(kind(&report, &[password]), "realm-differs");
    let fix = &finding(&report, "turn-integrity-rejected").fix;
    assert!(fix.contains("which is for another realm than the server's"), "{fix}");
}

#[test]
fn keys_made_in_another_way_are_told() {
    let password = "blue-harbour-42";
    let given = credential(USER, "password = \"blue-harbour-42\"");
    let report = report_with(&refused(USER, password.as_bytes()), &given);
    assert_eq!(kind(&report, &[password]), "password-as-key");
    let digits: String = md5_key(USER, REALM, password).iter().map(|byte| format!("{byte:02x}")).collect();
    let report = report_with(&refused(USER, &md5_key(USER, REALM, &digits)), &given);
    assert_eq!(kind(&report, &[password, &digits]), "key-as-password");
    // as turnserver.conf has it, after 0x
    for text in [digits.clone(), format!("0x{digits}")] {
        let given = credential(USER, &format!("password = \"{text}\""));
        let report = report_with(&refused(USER, &md5_key(USER, REALM, password)), &given);
        assert_eq!(kind(&report, &[password, &text]), "password-is-key");
    }
    // by the other hash and with a blank too many
    let report = report_with(&refused(USER, &sha256_key(USER, REALM, "blue-harbour-42 ")), &given);
    assert_eq!(kind(&report, &[password]), "password-trailing-blank");
}

#[test]
fn a_shared_secret_that_was_recoded_is_told() {
    let user = "4000000000:alice";
    // HMAC-SHA1 in base64 as a server makes it, of the secret and of what a client may take for it
    let made = |secret: &str| rest_password(secret.as_bytes(), user);
    let given = credential(user, "shared_secret = \"north-wind-7\"");
    for (used, expected) in [
        ("north-wind-7\n", "password-trailing-newline"),
        ("bm9ydGgtd2luZC03", "password-base64"),
        ("6e6f7274682d77696e642d37", "password-hex"),
    ] {
        let report = report_with(&refused(user, &md5_key(user, REALM, &made(used))), &given);
        assert_eq!(kind(&report, &["north-wind-7", &made(used)]), expected);
        let when = &report.credentials[0].near_misses[0].when;
        assert!(when.contains("the shared secret"), "{when}");
    }
    let report = report_with(&refused(user, &md5_key(user, REALM, "north-wind-7")), &given);
    assert_eq!(kind(&report, &["north-wind-7"]), "secret-as-password");
}

/// Base64 of HMAC-SHA1, from the ground up.
fn rest_password(secret: &[u8], user: &str) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret).unwrap();
    mac.update(user.as_bytes());
    let digest = mac.finalize().into_bytes();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in digest.chunks(3) {
        let word = chunk.iter().chain([&0, &0]).take(3).fold(0u32, |word, &byte| word << 8 | u32::from(byte));
        for place in 0..4 {
            let digit = alphabet[(word >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[test]
fn what_fits_in_no_form_is_no_near_miss() {
    let given = credential(USER, "password = \"blue-harbour-42\"");
    let report = report_with(&refused(USER, &md5_key(USER, REALM, "entirely different")), &given);
    assert!(report.credentials[0].near_misses.is_empty());
    let found = finding(&report, "turn-integrity-rejected");
    assert!(found.title.ends_with("the client signs with none of the credentials given"), "{}", found.title);
}

#[test]
fn a_credential_that_fits_is_no_near_miss() {
    let given = credential(USER, "password = \"blue-harbour-42\"");
    let report = report_with(&refused(USER, &md5_key(USER, REALM, "blue-harbour-42")), &given);
    assert!(report.credentials[0].near_misses.is_empty());
}

#[test]
fn a_key_that_fits_only_when_made_otherwise_says_so() {
    let given = credential(USER, "password = \"blue-harbour-42\"");
    let report = report_with(&refused(USER, &sha256_key(USER, REALM, "blue-harbour-42")), &given);
    let found = finding(&report, "turn-integrity-rejected");
    assert_says(&found.explanation, "only when the key is made by SHA-256 instead of MD5");
    assert!(found.title.ends_with("when the key is made by SHA-256 instead of MD5"), "{}", found.title);
    assert!(found.fix.starts_with("Let client and server make integrity in the same way"), "{}", found.fix);
    // a Roman numeral that SASLprep writes in letters
    let given = credential(USER, "password = \"\u{2168}-harbour\"");
    let report = report_with(&refused(USER, &md5_key(USER, REALM, "IX-harbour")), &given);
    let found = finding(&report, "turn-integrity-rejected");
    assert_says(&found.explanation, "prepared by SASLprep");
}

#[test]
fn the_servers_own_password_is_searched_in_its_refusal() {
    let mut scene = Scene::new();
    let (client, server) = (md5_key(USER, REALM, "client's own"), md5_key(USER, REALM, "blue-harbour-42\n"));
    scene.allocate_challenge(CLIENT, SERVER, REALM, "nonce-1");
    let ask = Stun::request(method::ALLOCATE).requested_transport(17).username(USER).realm(REALM).nonce("nonce-1");
    let retry = scene.after_ms(20).send(CLIENT, SERVER, ask.integrity(client));
    scene.after_ms(10).refuse_with(&retry, 431, "Integrity Check Failure", |answer| answer.integrity(server));
    scene.later(5);
    let given = credential(USER, "password = \"blue-harbour-42\"");
    let report = report_with(&scene.pcap(), &given);
    let near = &report.credentials[0].near_misses;
    assert_eq!((near.len(), near[0].kind.as_str(), near[0].responses), (1, "password-trailing-newline", 1));
    assert_says(&report.headline, "the error response verifies with \"the label\" when a newline");
}

#[test]
fn a_thousand_users_with_wrong_passwords_take_bounded_work() {
    let mut scene = Scene::new();
    for number in 0..1000 {
        let (user, client) = (format!("user-{number}"), format!("10.1.{}.{}:50000", number / 250, number % 250 + 1));
        let ask = Stun::request(method::ALLOCATE).requested_transport(17).username(&user).realm(REALM).nonce("nonce-1");
        let retry = scene.after_ms(1).send(client.as_str(), SERVER, ask.integrity(md5_key(&user, REALM, "wrong")));
        scene.after_ms(1).challenge(&retry, 401, "Unauthorized", REALM, "nonce-1");
    }
    let given: String = (0..200).map(|number| credential(&format!("user-{number}"), "password = \"right\"")).collect();
    let began = std::time::Instant::now();
    let report = report_with(&scene.pcap(), &given);
    assert_eq!(report.verdict, Verdict::Failure);
    assert!(began.elapsed().as_secs() < 120, "{:?}", began.elapsed());
}

/// Users that one server refuses, each with the password that it signs with.
fn all_refused(users: &[(&str, &str)]) -> Vec<u8> {
    let mut scene = Scene::new();
    for (client, (user, password)) in (10..).zip(users) {
        let (client, nonce) = (format!("192.0.2.{client}:5000"), format!("nonce-of-{user}"));
        scene.allocate_challenge(client.as_str(), SERVER, REALM, &nonce);
        let wrong = scene.after_ms(20).allocate_as(client.as_str(), SERVER, &Login::new(user, REALM, password), &nonce);
        scene.after_ms(10).challenge(&wrong, 401, "Unauthorized", REALM, &nonce);
    }
    scene.later(20);
    scene.pcap()
}

#[test]
fn users_whose_passwords_went_wrong_in_different_ways_are_told_of_apart() {
    let users = ["ann", "ben", "cat", "dan"];
    let given = users.map(|user| {
        let lines = [
            format!("[[credential]]\nlabel = \"{user}'s\"\nside = \"server\"\n"),
            format!("username = \"{user}\"\nrealm = \"{REALM}\"\npassword = \"Blue-Harbour-{user}\"\n"),
        ];
        lines.concat()
    });
    let refused = all_refused(&[
        ("ann", "blue-harbour-ann"),
        ("ben", "quite another"),
        ("cat", "blue-harbour-cat"),
        ("dan", "Blue-Harbour-dan\n"),
        ("eve", "Blue-Harbour-eve"),
    ]);
    let report = report_with(&refused, &given.concat());
    let told = report.findings.iter().filter(|found| found.id == "turn-integrity-rejected").map(|found| {
        let reason = found.title.split_once("401 Unauthorized: ").expect("a title with its reason").1;
        (reason.to_owned(), found.occurrences)
    });
    let mut told: Vec<(String, u64)> = told.collect();
    told.sort();
    let expected = [
        ("none of the credentials given is for \"eve\" in realm \"example.org\"", 1),
        ("the client signs with none of the credentials given", 1),
        ("the request verifies with \"ann's\" when all letters of the password are made small", 2),
        ("the request verifies with \"dan's\" when a newline is added to the end of the password", 1),
    ];
    assert_eq!(told, expected.map(|(reason, times)| (reason.to_owned(), times)));
    let plain = report.findings.iter().find(|found| found.title.ends_with("none of the credentials given"));
    let words = "The request does not verify with the one credential that applies to it";
    assert!(plain.expect("of ben").explanation.contains(words));
}

#[test]
fn of_many_credentials_those_that_do_not_fit_are_shown_first_and_the_rest_is_counted() {
    let mut scene = Scene::new();
    let mut given = String::new();
    for number in 10..34 {
        let (client, user) = (format!("192.0.2.{number}:5000"), format!("user{number}"));
        let (nonce, relayed) = (format!("nonce-of-{user}"), format!("203.0.113.1:240{number}"));
        let secret = format!("Blue-Harbour-{number}");
        given += &credential(&user, &format!("password = \"{secret}\"")).replace("the label", &user);
        scene.allocate_challenge(client.as_str(), SERVER, REALM, &nonce);
        if number < 22 {
            let login = Login::new(&user, REALM, &secret);
            scene.after_ms(20).allocation(client.as_str(), SERVER, &login, &nonce, relayed.as_str());
        } else {
            let login = Login::new(&user, REALM, &format!("{secret}\n"));
            let wrong = scene.after_ms(20).allocate_as(client.as_str(), SERVER, &login, &nonce);
            scene.after_ms(10).challenge(&wrong, 401, "Unauthorized", REALM, &nonce);
        }
    }
    let report = report_with(&scene.after_ms(20_000).pcap(), &given);
    let text = turnscope::render::text::report(&report, &turnscope::render::text::Options::default());
    let section = text.split("\nCredentials").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.contains("server  password")).collect();
    assert_eq!(rows.len(), 10, "{section}");
    assert!(rows.iter().all(|row| row.trim_end().ends_with('1')), "{section}");
    assert_eq!(section.matches("nearly: ").count(), 10, "{section}");
    assert!(section.contains("nearly: 1 request of \"user22\" verifies with \"user22\" when a newline"), "{section}");
    assert!(section.contains("… 14 more") && section.ends_with("… 2 more"), "{section}");
}
