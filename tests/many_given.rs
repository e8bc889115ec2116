//! Very many things given beside a capture: what reading and using them costs grows with them, and no faster.
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use serde_json::Value;
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use support::Scene;
use support::desk::{Desk, turnscope};
use turnscope::session::Totals;

const CLIENT: &str = "10.0.0.2:50000";
const SERVER: &str = "192.0.2.1:3478";
const RELAYED: &str = "192.0.2.1:24000";
/// What is linear takes a few seconds of it even where nothing is optimised, and what grows with the square a multiple.
const LIMIT: Duration = Duration::from_secs(30);

fn healthy() -> Vec<u8> {
    Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED).pcap()
}

/// So many users of a server, and alice at the end.
fn users(count: u32) -> String {
    let mut text = String::new();
    for number in 0..count {
        let _ = write!(
            text,
            "[[credential]]\nlabel = \"of user {number}\"\nusername = \"user{number}\"\nrealm = \"example.org\"\npassword = \"pw{number}\"\n\n"
        );
    }
    text + "[[credential]]\nlabel = \"of alice\"\nusername = \"alice\"\nrealm = \"example.org\"\npassword = \"secret\"\n"
}

fn report(desk: &Desk, arguments: &[&str]) -> Value {
    let begun = Instant::now();
    let mut command = turnscope();
    let output = command.current_dir(desk.folder.path()).args(["a.pcap", "--format", "json"]).args(arguments);
    let output = output.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn tens_of_thousands_of_users_are_read_at_once_and_the_report_names_those_that_matter() {
    let desk = Desk::new();
    desk.file("a.pcap", healthy());
    desk.file("users.toml", users(20_000));
    let report = report(&desk, &["--credentials", "users.toml"]);
    let listed = report["credentials"].as_array().unwrap();
    assert_eq!(listed.len(), 1000);
    assert_eq!(listed.last().unwrap()["label"], "of alice");
    assert_eq!((&listed[999]["requests"], &listed[0]["label"]), (&1.into(), &"of user 0".into()));
    assert_eq!(report["omitted"]["credentials"], 19_001);
}

#[test]
fn what_a_password_far_down_a_list_signed_is_counted_as_any_other() {
    let mut totals = Totals::default();
    for number in [3, 9_999_999] {
        totals.credential(number).requests += 1;
    }
    let counted: Vec<(u32, u64)> =
        totals.messages.credentials.iter().map(|(&number, used)| (number, used.requests)).collect();
    assert_eq!(counted, [(3, 1), (9_999_999, 1)]);
}

#[test]
fn a_deployment_of_thousands_of_servers_is_read_at_once() {
    let desk = Desk::new();
    desk.file("a.pcap", healthy());
    let server =
        |n: u32| format!("[[server]]\naddresses = [\"10.{}.{}.{}\"]\nrealm = \"r\"\n", n >> 16, n >> 8 & 255, n & 255);
    desk.file("servers.toml", (0..18_000).map(server).collect::<String>());
    report(&desk, &["--deployment", "servers.toml"]);
}
