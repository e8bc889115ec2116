//! What an abuse desk reads of a TURN server: somebody tries out names and passwords.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{assert_says, finding, report, report_with};
use support::calls::show;
use support::*;
use turnscope::report::Severity;

const SERVER: &str = "203.0.113.1:3478";
const REALM: &str = "example.org";

/// A host tries logins one after the other, from a port each, and is refused.
fn tries(logins: impl IntoIterator<Item = Login>) -> Scene {
    let mut scene = Scene::new();
    for (number, login) in logins.into_iter().enumerate() {
        let (client, nonce) = (format!("198.18.0.66:{}", 30_000 + number), format!("n{number}"));
        scene.after_ms(20).allocate_challenge(&*client, SERVER, REALM, &nonce);
        let asked = scene.after_ms(20).allocate_as(&*client, SERVER, &login, &nonce);
        scene.after_ms(20).challenge(&asked, 401, "Unauthorized", REALM, &nonce);
    }
    scene
}

fn passwords(many: usize) -> impl Iterator<Item = Login> {
    (0..many).map(|number| Login::new("alice", REALM, &format!("password-{number}")))
}

#[test]
fn a_server_that_lends_relays_to_anybody_is_told_as_that_beside_it() {
    let told = |signs: bool| {
        let mut scene = Scene::new();
        for number in 0..3 {
            let (client, relayed) = (format!("198.18.{number}.66:30000"), format!("203.0.113.1:{}", 24_000 + number));
            if signs {
                scene.allocation(&*client, SERVER, &alice(), &format!("n{number}"), &*relayed);
                continue;
            }
            let asked = scene.after_ms(10).allocate(&*client, SERVER);
            scene
                .after_ms(10)
                .succeed(&asked, |answer| answer.xor_relayed(&*relayed).xor_mapped(&*client).lifetime(600));
        }
        report(&scene.later(30).pcap())
    };
    let server = |told: &turnscope::report::Report| told.servers[0].transports[0].allocated_unsigned;
    assert_eq!((server(&told(false)), server(&told(true))), (Some(3), None));
    let text = turnscope::render::text::report(&told(false), &turnscope::render::text::Options::default());
    assert_says(
        &text.split_whitespace().collect::<Vec<_>>().join(" "),
        "3 allocations without credentials: it lends to anybody",
    );
}

#[test]
fn many_users_that_one_host_tries_are_told_to_be_of_one_host() {
    let users = |many: usize| (0..many).map(|number| Login::new(&format!("user{number}"), REALM, "123456"));
    let told = report(&tries(users(20)).later(30).pcap());
    let found = finding(&told, "turn-integrity-rejected");
    assert_eq!(found.occurrences, 20);
    assert_says(&found.explanation, "All 20 users were tried from 198.18.0.66");
    // two accounts of one person are nothing to remark
    let few = report(&tries(users(2)).later(30).pcap());
    assert!(!finding(&few, "turn-integrity-rejected").explanation.contains("were tried from"));
}

#[test]
fn passwords_of_a_list_that_one_host_tries_are_one_finding() {
    let list = |many: usize| -> String {
        passwords(many)
            .map(|login| format!("[[credential]]\nusername = \"alice\"\npassword = \"{}\"\n", login.password))
            .collect()
    };
    let told = report_with(&tries(passwords(12)).later(30).pcap(), &list(12));
    let all: Vec<_> = told.findings.iter().filter(|found| found.id == "turn-integrity-rejected").collect();
    assert_eq!(all.len(), 1, "{}", show(&told));
    assert_eq!((all[0].occurrences, all[0].severity), (12, Severity::Failure));
    assert_says(&all[0].title, "198.18.0.66 signs with 12 of the credentials given, one after the other");
    assert_says(&told.headline, "signs with 12 of the credentials given");
    // two that were mixed up are told one by one, with their labels
    let told = report_with(&tries(passwords(2)).later(30).pcap(), &list(2));
    let all = told.findings.iter().filter(|found| found.id == "turn-integrity-rejected");
    assert_eq!(all.count(), 2, "{}", show(&told));
}

#[test]
fn of_many_passwords_the_one_that_the_server_holds_is_among_those_that_are_shown() {
    let mut scene = tries(passwords(30));
    let right = Login::new("alice", REALM, "right");
    scene.allocation("198.18.0.66:31000", SERVER, &right, "last", "203.0.113.1:24000");
    let list: String = passwords(30)
        .chain([right])
        .map(|login| {
            format!("[[credential]]\nlabel = \"{0}\"\nusername = \"alice\"\npassword = \"{0}\"\n", login.password)
        })
        .collect();
    let told = report_with(&scene.later(30).pcap(), &list);
    let text = turnscope::render::text::report(&told, &turnscope::render::text::Options::default());
    let table = text.split("Credentials  who").nth(1).unwrap();
    assert_says(&table[..table.find("more").unwrap()], "right ");
}

#[test]
fn a_host_that_asks_many_closed_ports_is_one_finding() {
    for (ports, findings) in [(2, 2), (7, 1)] {
        let mut scene = Scene::new();
        scene.allocation("198.51.100.10:40000", SERVER, &alice(), "n", "203.0.113.1:24000");
        for port in 0..ports {
            let asked = scene.after_ms(300).send(
                "198.18.0.66:5555",
                &*format!("203.0.113.1:{}", 5349 + port),
                Stun::request(method::BINDING),
            );
            scene.after_ms(1).icmp_unreachable("203.0.113.1", &asked);
        }
        let told = report(&scene.later(30).pcap());
        let all: Vec<_> = told.findings.iter().filter(|found| found.id == "turn-unreachable").collect();
        assert_eq!(all.len(), findings, "{}", show(&told));
        if findings == 1 {
            assert_eq!(
                all[0].title,
                "198.18.0.66 asked 7 ports of 203.0.113.1 at which nothing listens: 5349, 5350, 5351 and 4 more"
            );
            assert_eq!(all[0].occurrences, 7);
        }
    }
}

#[test]
fn a_user_that_is_taken_after_many_refusals_may_have_been_guessed() {
    for (many, guessed) in [(2, false), (20, true)] {
        let mut scene = tries(passwords(many));
        scene.allocation(
            "198.18.0.66:31000",
            SERVER,
            &Login::new("alice", REALM, "right"),
            "last",
            "203.0.113.1:24000",
        );
        let told = report(&scene.later(30).pcap());
        let found = finding(&told, "turn-integrity-rejected");
        assert_eq!(found.severity, Severity::Warning);
        assert_eq!(
            found.explanation.contains("or the right password was found by trying"),
            guessed,
            "{}",
            found.explanation
        );
    }
}
