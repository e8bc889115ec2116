//! The command as a user meets it: exit status, streams, pipes, bad files, filters.
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used)]

mod capture_bytes;
mod support;

use capture_bytes::Bytes;
use predicates::prelude::*;
use predicates::str::contains;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use support::desk::{Desk, command, turnscope};
use support::packet::{self, Ip};
use support::{Login, Scene, Stun, method};

const CLIENT: &str = "10.0.0.2:50000";
const SERVER: &str = "192.0.2.1:3478";

/// A client with the wrong password; the refusal is signed with the right one, as old drafts do.
fn refused() -> Scene {
    let mut scene = Scene::new();
    let wrong = Login::new("alice", "example.org", "wrong");
    let challenged = scene.allocate(CLIENT, SERVER);
    scene.after_ms(20).challenge(&challenged, 401, "Unauthorized", "example.org", "nonce-1");
    let retry = scene.after_ms(1).allocate_as(CLIENT, SERVER, &wrong, "nonce-1");
    scene.after_ms(20).refuse_with(&retry, 431, "Integrity Check Failure", |answer| {
        answer.username("alice").realm("example.org").nonce("nonce-1").integrity_long_term(
            "alice",
            "example.org",
            "right",
        )
    });
    scene.after_ms(60_000).udp("10.0.0.9:1", "10.0.0.8:2", "late");
    scene
}

fn granted() -> Scene {
    let mut scene = Scene::new();
    let login = Login::new("alice", "example.org", "right");
    let challenged = scene.allocate(CLIENT, SERVER);
    scene.after_ms(20).challenge(&challenged, 401, "Unauthorized", "example.org", "nonce-1");
    let retry = scene.after_ms(1).allocate_as(CLIENT, SERVER, &login, "nonce-1");
    scene.after_ms(20).allocate_granted(&retry, "192.0.2.1:49160", 600, &login);
    scene
}

const CREDENTIALS: &str = r#"
[[credential]]
label = "the phone"
side = "client"
username = "alice"
password = "wrong"

[[credential]]
label = "the server"
side = "server"
username = "alice"
password = "right"
"#;

#[test]
fn a_failure_is_told_with_its_reason_and_exits_with_1() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let keys = desk.file("keys.toml", CREDENTIALS);
    command![&capture].assert().code(1).stdout(contains("FAILURE").and(contains("turn-integrity-rejected")));
    command!["analyze", "--credentials", &keys, &capture]
        .assert()
        .code(1)
        .stdout(contains("\"the phone\"").and(contains("\"the server\"")).and(contains("\x1b").not()))
        .stderr("");
}

#[test]
fn a_healthy_capture_exits_with_0() {
    let desk = Desk::new();
    let capture = desk.file("granted.pcapng", granted().pcapng());
    command![&capture].assert().code(0).stdout(contains("HEALTHY"));
    command!["-q", &capture].assert().code(0).stdout(predicate::function(|text: &str| text.lines().count() <= 2));
}

#[test]
fn a_capture_may_come_from_standard_input() {
    for arguments in [&["-"][..], &["-", "-o", "-"]] {
        turnscope().args(arguments).write_stdin(refused().pcap()).assert().code(1).stdout(contains("FAILURE"));
    }
    command!["messages", "-"].write_stdin(refused().pcapng()).assert().code(0).stdout(contains("431"));
    command!["-", "-"].write_stdin("").assert().code(2).stderr(contains("standard input is given twice"));
}

#[test]
fn the_json_report_says_the_same() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let output = command![&capture, "--format", "json"].assert().code(1).get_output().stdout.clone();
    let report: serde_json::Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(report["schema"], "turnscope/1");
    assert_eq!(report["verdict"], "failure");
    assert_eq!(report["headline_finding"], "turn-integrity-rejected");
    assert_eq!(report["counts"]["error_codes"]["431"], 1);
}

#[test]
fn messages_are_listed_as_text_json_lines_and_csv() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let run = |format: &str| {
        String::from_utf8(
            command!["messages", &capture, "--format", format].assert().code(0).get_output().stdout.clone(),
        )
        .unwrap()
    };
    assert_eq!(run("text").lines().count(), 4);
    let rows: Vec<serde_json::Value> = run("jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[3]["error"]["code"], 431);
    assert_eq!(rows[3]["integrity"][0]["status"], "untested");
    assert_eq!(rows[3]["request_frame"], 3);
    let csv = run("csv");
    assert_eq!(csv.lines().count(), 5);
    assert!(csv.starts_with("capture,frame,time,time_ns,src,dst,"), "{csv}");
}

/// The value of a field by the frame of the row, of `messages` as JSON Lines.
fn field_by_frame(capture: &std::path::Path, field: &str) -> Vec<(u64, serde_json::Value)> {
    let output = command!["messages", "--format", "jsonl", capture].assert().get_output().stdout.clone();
    let rows = output.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let rows = rows.map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap());
    let told = |row: &serde_json::Value, field| row.get(field).cloned().unwrap_or_default();
    rows.map(|row| (told(&row, "frame").as_u64().unwrap(), told(&row, field))).collect()
}

#[test]
fn an_icmp_error_is_told_on_the_copy_that_it_answered_and_on_answers_too() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SERVER);
    scene.after_ms(1).icmp_unreachable("192.0.2.1", &request);
    let again = scene.after_ms(500).retransmit(&request);
    scene.after_ms(1).icmp_unreachable("192.0.2.1", &again);
    scene.after_ms(500).retransmit(&request);
    let answer = scene.after_ms(1).challenge(&request, 401, "Unauthorized", "example.org", "nonce-1");
    scene.after_ms(1).icmp_unreachable("10.0.0.2", &answer);
    let desk = Desk::new();
    let told = field_by_frame(&desk.file("icmp.pcap", scene.pcap()), "icmp");
    let told: Vec<_> = told.iter().map(|(frame, icmp)| (*frame, icmp["frame"].as_u64())).collect();
    assert_eq!(told, [(1, Some(2)), (3, Some(4)), (5, None), (6, Some(7))]);
}

#[test]
fn an_icmp_error_that_quotes_no_more_than_headers_is_told_on_the_message_of_that_packet() {
    for quoted in [28, 32, 60] {
        let mut scene = Scene::new();
        let first = scene.send(CLIENT, SERVER, Stun::request(method::BINDING));
        let second = scene.after_ms(5).send(CLIENT, SERVER, Stun::request(method::BINDING));
        let icmp = packet::icmp_error(
            "192.0.2.1".parse().unwrap(),
            Ip::default(),
            3,
            13,
            0,
            &first.packet[..quoted.min(first.packet.len())],
        );
        let frame = scene.after_ms(5).packet(&icmp);
        let desk = Desk::new();
        let told = field_by_frame(&desk.file("short.pcap", scene.pcap()), "icmp");
        let told: Vec<_> = told.iter().map(|(frame, icmp)| (*frame, icmp["frame"].as_u64())).collect();
        assert_eq!(told, [(first.frame, Some(frame)), (second.frame, None)], "{quoted} bytes");
    }
}

#[test]
fn channel_data_that_the_snap_length_cuts_is_told_and_counted() {
    let mut scene = granted();
    let frame = scene.snap_length(100).after_ms(1).channel_data(CLIENT, SERVER, 0x4001, [7; 300]).frame;
    let desk = Desk::new();
    let capture = desk.file("cut.pcap", scene.pcap());
    let told = field_by_frame(&capture, "protocol");
    assert_eq!(told.last(), Some(&(frame, "channel-data".into())));
    assert_eq!(field_by_frame(&capture, "length").last(), Some(&(frame, 300.into())));
}

#[test]
fn of_a_fingerprint_in_a_message_that_was_cut_nothing_is_said() {
    for (snap_length, told) in [(70, "ok".into()), (69, serde_json::Value::Null)] {
        let mut scene = Scene::new();
        scene.snap_length(snap_length).send(CLIENT, SERVER, Stun::request(method::BINDING).fingerprint());
        let desk = Desk::new();
        let capture = desk.file("cut.pcap", scene.pcap());
        assert_eq!(field_by_frame(&capture, "fingerprint"), [(1, told)]);
    }
}

#[test]
fn a_capture_that_is_cut_before_the_messages_says_so_in_its_headline() {
    for (snap_length, why) in [(50, "2 datagrams are cut short"), (30, "headers of 2")] {
        let mut scene = Scene::new();
        let request = scene.snap_length(snap_length).allocate(CLIENT, SERVER);
        scene.after_ms(1).challenge(&request, 401, "Unauthorized", "example.org", "nonce-1");
        let capture = Desk::new();
        let file = capture.file("cut.pcap", scene.pcap());
        command!["-q", file].assert().code(0).stdout(contains(why));
    }
}

#[test]
fn a_message_that_is_cut_short_is_not_said_to_lack_what_may_stand_behind_the_cut() {
    let mut scene = Scene::new();
    let request = scene.snap_length(64).allocate(CLIENT, SERVER);
    scene.after_ms(1).challenge(&request, 401, "Unauthorized", "example.org", "nonce-1");
    let desk = Desk::new();
    let file = desk.file("cut.pcap", scene.pcap());
    let told = contains("Allocate request, cut short by the capture").and(contains("Allocate error, cut short"));
    command![file].assert().stdout(told);
}

#[test]
fn a_capture_of_a_link_type_that_is_not_supported_says_so_in_its_headline() {
    let mut capture = granted().pcap();
    capture.splice(20..24, 249u32.to_le_bytes()); // USB
    let desk = Desk::new();
    let headline = contains("NOTHING FOUND").and(contains("link type 249"));
    command!["-q", desk.file("usb.pcap", capture)].assert().code(0).stdout(headline);
}

#[test]
fn a_frame_without_a_time_is_told_with_the_last_known_to_all_its_digits() {
    let mut scene = Scene::new();
    let request = scene.after_us(123_456).allocate(CLIENT, SERVER);
    scene.after_ms(1).challenge(&request, 401, "Unauthorized", "example.org", "nonce-1");
    let (_, again, _) = scene.frames().next().unwrap();
    let capture = [scene.pcapng(), simple(again)].concat();
    let desk = Desk::new();
    let told = field_by_frame(&desk.file("simple.pcapng", capture), "time");
    assert_eq!(told.len(), 3);
    assert_eq!(told[2].1, told[1].1);
}

/// A Simple Packet Block.
fn simple(frame: &[u8]) -> Vec<u8> {
    let mut block = Bytes::new(false);
    block.block(3, |b| {
        b.u32(frame.len() as u32).padded(frame);
    });
    block.bytes
}

#[test]
fn a_frame_without_a_time_before_all_others_is_told_with_the_first_that_is_known() {
    let mut scene = Scene::new();
    let request = scene.after_us(123_456).allocate(CLIENT, SERVER);
    scene.after_ms(1).challenge(&request, 401, "Unauthorized", "example.org", "nonce-1");
    let (_, asked, _) = scene.frames().next().unwrap();
    let mut capture = scene.pcapng();
    let head = |at: usize| u32::from_le_bytes(capture[at + 4..at + 8].try_into().unwrap()) as usize;
    let (first, second) = (head(0), head(0) + head(head(0)));
    assert_eq!(capture[first..first + 4], [1, 0, 0, 0], "the interface");
    capture.splice(second..second, [simple(asked), simple(asked)].concat());
    let desk = Desk::new();
    let capture = desk.file("simple.pcapng", capture);
    let told = field_by_frame(&capture, "time");
    assert_eq!(told.len(), 4);
    assert_eq!((&told[0].1, &told[1].1), (&told[2].1, &told[2].1));
    command!["--from", "+0s", "--to", "+1s", &capture].assert().stdout(contains("1970").not());
}

#[test]
fn an_empty_table_still_has_its_header() {
    let desk = Desk::new();
    let mut quiet = Scene::new();
    quiet.udp("10.0.0.9:1", "10.0.0.8:2", "nothing");
    let capture = desk.file("quiet.pcap", quiet.pcap());
    command!["messages", &capture, "--format", "csv"].assert().code(0).stdout(contains("capture,frame,"));
    command![&capture].assert().code(0).stdout(contains("NOTHING FOUND"));
}

#[test]
fn verify_says_who_signs_with_what_and_exits_with_1_if_nothing_given_fits() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let both = desk.file("both.toml", CREDENTIALS);
    command!["verify", &capture, "--credentials", &both].assert().code(0).stdout(
        contains("2 protected messages").and(contains("the phone")).and(contains("sha1 verified \"the server\"")),
    );
    let passwords = desk.file("words", "guess\nwrong\n");
    command!["verify", &capture, "--passwords", &passwords]
        .assert()
        .code(1)
        .stdout(contains("mismatch").and(contains("No credentials were given").not()));
    command!["verify", &capture].assert().code(0).stdout(contains("untested"));
    // a pipe may bring any number of messages
    let many = desk.file("many", "guess\n".repeat(2500));
    command!["verify", "-", "--passwords", &many]
        .write_stdin(refused().pcap())
        .assert()
        .stderr(contains("its 2500 passwords are tried on each signed message").and(contains("guess").not()));
    command!["verify", &capture, "--passwords", &many].assert().stderr(contains("passwords").not());
    let output = command!["verify", &capture, "--format", "json", "--credentials", &both]
        .assert()
        .code(0)
        .get_output()
        .stdout
        .clone();
    let json: serde_json::Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(json["messages"].as_array().unwrap().len(), 2);
    assert_eq!(json["credentials"][0]["verified"], 1);
}

#[test]
fn a_turnserver_conf_is_known_by_what_is_in_it() {
    let desk = Desk::new();
    let capture = desk.file("granted.pcap", granted().pcap());
    let conf = desk.file("anything.txt", "# coturn\nrealm=example.org\nuser=alice:right\n");
    command!["verify", &capture, "--credentials", &conf].assert().code(0).stdout(contains("sha1 verified"));
}

#[test]
fn no_secret_is_ever_printed() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let secret = "hunter2-Zq9";
    let keys = desk.file("keys.toml", format!("[[credential]]\nlabel = \"l\"\npassword = \"{secret}\"\n"));
    let broken = desk.file("broken.toml", format!("[[credential]]\npassword = {secret}\n"));
    for file in [&keys, &broken] {
        for arguments in [
            ["analyze", "--format=text"],
            ["analyze", "--format=json"],
            ["messages", "--format=jsonl"],
            ["verify", "-v"],
        ] {
            let output = turnscope().args(arguments).arg(&capture).arg("--credentials").arg(file).output().unwrap();
            let text = [output.stdout, output.stderr].concat();
            assert!(!String::from_utf8_lossy(&text).contains(secret));
        }
    }
}

#[test]
fn what_cannot_be_read_is_one_line_that_says_what_to_do() {
    let desk = Desk::new();
    let nothing = desk.file("empty.pcap", "");
    let notes = desk.file("notes.txt", "dear diary, today nobody answered");
    let missing = desk.path("missing.pcap");
    let endless = desk.path(&("endless".repeat(99) + "*")); // which no system takes
    for (path, words) in [
        (&nothing, "empty file"),
        (&notes, "not a capture file"),
        (&missing, "no such file; check the path"),
        (&endless, "cannot be the name of a file; check the path"),
        (&desk.folder.path().to_owned(), "is a directory"),
    ] {
        for command in ["analyze", "messages", "verify"] {
            let line = predicate::function(|text: &str| text.lines().count() == 1 && text.starts_with("turnscope: "));
            command![command, path].assert().code(2).stdout("").stderr(contains(words).and(line));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_capture_whose_name_is_no_text_is_read_and_shown_as_far_as_it_is_one() {
    use std::os::unix::ffi::OsStrExt as _;
    let desk = Desk::new();
    let capture = desk.file("granted.pcap", granted().pcap());
    let odd = capture.with_file_name(OsStr::from_bytes(b"gr\xfcn.pcap"));
    fs::rename(&capture, &odd).unwrap();
    let other = desk.file("other.pcap", granted().pcap());
    command!["analyze", &odd].assert().code(0).stdout(contains("gr\u{fffd}n.pcap: pcap, 4 frames"));
    command![&odd, &other].assert().code(0).stdout(contains("gr\u{fffd}n.pcap"));
    command!["messages", &odd].assert().code(0).stdout(contains("Allocate"));
    command!["verify", &odd].assert().code(0);
    command!["flow", &odd].assert().code(0).stdout(contains("Allocate"));
    for command in ["annotate", "redact"] {
        let out = desk.path("out.pcapng");
        command![command, &odd, "-o", &out].assert().code(0);
        command!["analyze", &out].assert().code(0).stdout(contains("Nothing wrong"));
    }
    let list = desk.file("list", [odd.as_os_str().as_bytes(), b"\n"].concat());
    for (number, given) in
        [vec![odd.as_os_str()], vec![OsStr::new("--files-from"), list.as_os_str()]].iter().enumerate()
    {
        let out = desk.path(&format!("out{number}"));
        command!["batch"].args(given).arg("--out").arg(&out).assert().code(0);
        assert!(fs::read_to_string(out.join("summary.jsonl")).unwrap().contains("n.pcap"));
    }
}

#[test]
fn one_unreadable_capture_does_not_stop_the_others() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    command![desk.path("missing.pcap"), &capture]
        .assert()
        .code(1)
        .stdout(contains("FAILURE"))
        .stderr(contains("no such file"));
    command![desk.path("a.pcap"), desk.path("b.pcap")].assert().code(2).stdout("");
}

#[test]
fn captures_that_can_be_read_are_compared_though_another_cannot() {
    let desk = Desk::new();
    let sides = ["capture.pcapng", "server.pcapng"].map(|name| format!("samples/points-request-lost/{name}"));
    let mut three = turnscope();
    three
        .args(sides)
        .arg(desk.path("missing.pcap"))
        .assert()
        .code(1)
        .stdout(contains("none of them reached"))
        .stderr(contains("missing.pcap: no such file").and(contains("pipe").not()));
}

#[test]
fn a_damaged_capture_exits_by_what_was_found_in_it() {
    let desk = Desk::new();
    let mut bytes = refused().pcap();
    bytes.truncate(bytes.len() - 7);
    let capture = desk.file("cut.pcap", &bytes);
    command![&capture].assert().stdout(contains("Damaged at byte"));
    command!["messages", &capture].assert().code(0).stderr(contains("damaged at byte"));
    command!["messages", "-q", &capture].assert().code(0).stderr("");
}

#[test]
fn bad_files_of_credentials_and_bad_options_are_usage_errors() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let bad = desk.file("bad.toml", "[[credential]]\nlabel = \"x\"\n");
    let binary = desk.file("binary.toml", [0xff, 0xfe, 0x00]);
    for (arguments, words) in [
        (vec!["--credentials", bad.to_str().unwrap()], "has no secret"),
        (vec!["--credentials", binary.to_str().unwrap()], "not UTF-8 text"),
        (vec!["--credentials", "/nonexistent"], "no such file"),
        (vec!["--from", "yesterday"], "not a time"),
        (vec!["--from", "+10", "--to", "+5"], "--to: is before --from"),
        (vec!["--from", "2024-05-01T12:00:00Z", "--to", "2024-05-01T11:00:00Z"], "--to: is before --from"),
        (vec!["--host", "example.org"], "not an address"),
        (vec!["--nonsense"], "unexpected argument"),
        (vec!["--password", "x"], "unexpected argument"),
        (vec!["--format", "yaml"], "invalid value"),
    ] {
        command!["analyze", &capture].args(arguments).assert().code(2).stdout("").stderr(contains(words));
    }
    turnscope().assert().code(2);
    command!["--user", "x", "messages", &capture].assert().code(2).stderr(contains("put them after it"));
    for before in [["--format", "json"], ["--time", "relative"], ["--output", "report.txt"]] {
        let wrong = turnscope().args(before).arg("messages").arg(&capture).assert().code(2).stdout("");
        wrong.stderr(contains("put them after it"));
    }
    command!["--color", "never", "messages", &capture].assert().success();
}

#[test]
fn filters_leave_only_what_was_asked_for() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let count = |arguments: &[&str]| {
        let output = command!["messages", &capture].args(arguments).assert().code(0).get_output().stdout.clone();
        String::from_utf8(output).unwrap().lines().count()
    };
    assert_eq!(count(&[]), 4);
    assert_eq!(count(&["--from", "+0.02"]), 3);
    assert_eq!(count(&["--to", "+0.02"]), 2);
    assert_eq!(count(&["--from", "+0.02", "--to", "+0.0205"]), 1);
    assert_eq!(count(&["--from", "2100-01-01T00:00:00Z"]), 0);
    assert_eq!(count(&["--host", "10.0.0.2"]), 4);
    assert_eq!(count(&["--host", "10.0.0.2:50000"]), 4);
    assert_eq!(count(&["--host", "10.0.0.2:50001"]), 0);
    assert_eq!(count(&["--host", "10.0.0.0/30", "--host", "203.0.113.7"]), 4);
    assert_eq!(count(&["--host", "203.0.113.0/24"]), 0);
    assert_eq!(count(&["--user", "bob"]), 0);
    assert!(count(&["--user", "alice"]) >= 2);
}

#[test]
fn who_is_asked_for_is_found_among_those_tried_or_said_not_to_be_there() {
    let mut scene = Scene::new();
    let (first, second) = (Login::new("first", "example.org", "a"), Login::new("second", "example.org", "b"));
    let refused = scene.allocate_as(CLIENT, SERVER, &first, "nonce-1");
    scene.after_ms(20).challenge(&refused, 401, "Unauthorized", "example.org", "nonce-2");
    let granted = scene.after_ms(20).allocate_as(CLIENT, SERVER, &second, "nonce-2");
    scene.after_ms(20).allocate_granted(&granted, "192.0.2.1:49200", 600, &second);
    let desk = Desk::new();
    let capture = desk.file("two.pcap", scene.pcap());
    let about = |user: &str| {
        let mut command = command!["analyze", &capture, "--format", "json", "--user", user];
        serde_json::from_slice::<serde_json::Value>(&command.assert().code(0).get_output().stdout).unwrap()
    };
    for user in ["first", "second"] {
        assert_eq!(about(user)["authentications"].as_array().unwrap().len(), 1, "{user}");
    }
    let nobody = about("nobody");
    assert_eq!(nobody["verdict"], "nothing-found");
    assert_eq!(nobody["headline"], "No message of user \"nobody\" in 4 frames.");
}

#[test]
fn times_are_shown_as_asked_for() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let run = |how: &str| {
        let mut command = command!["messages", &capture, "--time", how];
        String::from_utf8(command.env("TZ", "Asia/Kathmandu").assert().code(0).get_output().stdout.clone()).unwrap()
    };
    assert!(run("relative").lines().nth(1).unwrap().contains(" 0.020000 "), "{}", run("relative"));
    assert!(run("utc").contains("Z  10.0.0.2:50000"));
    assert_ne!(run("local"), run("utc"));
}

#[test]
fn a_file_of_results_appears_when_it_is_complete() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let out = desk.file("report.txt", "what stood here before");
    command![&capture, "-o", &out, "--color", "never"].assert().code(1).stdout("");
    assert!(fs::read_to_string(&out).unwrap().starts_with("FAILURE"));
    let nowhere = desk.path("no/such/folder/report.txt");
    command![&capture, "-o", &nowhere].assert().code(2).stderr(contains("cannot be written"));
    let left: Vec<_> = fs::read_dir(desk.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "no temporary file is left: {left:?}");
}

#[cfg(unix)]
#[test]
fn a_file_of_results_that_is_not_complete_goes_when_it_is_stopped() {
    // a shell that runs the tests in the background has them ignore SIGINT
    let with_signals = || {
        let mut command = std::process::Command::new("env");
        command.arg("--default-signal=INT,TERM,HUP");
        command
    };
    if !with_signals().arg("true").status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no env of GNU");
        return;
    }
    let desk = Desk::new();
    let once = granted().pcap();
    let capture = desk.file("long.pcap", [&once[..24], &once[24..].repeat(10_000)].concat());
    // what is ignored of them is no matter to the others
    for (ignored, signal) in [("QUIT", "-INT"), ("QUIT", "-TERM"), ("QUIT", "-HUP"), ("INT", "-TERM"), ("HUP", "-INT")]
    {
        let mut child = with_signals()
            .arg(format!("--ignore-signal={ignored}"))
            .args([env!("CARGO_BIN_EXE_turnscope"), "redact"])
            .arg(&capture)
            .arg("-o")
            .arg(desk.path("out.pcapng"))
            .env("TURNSCOPE_CONFIG", "")
            .spawn()
            .unwrap();
        let parts = || {
            let names = fs::read_dir(desk.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
            names.filter(|name| name.to_string_lossy().ends_with(".part")).count()
        };
        while parts() == 0 {
            assert!(child.try_wait().unwrap().is_none());
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!((parts(), desk.path("out.pcapng").exists()), (0, false));
    }
}

#[test]
fn colour_is_for_terminals_unless_it_is_asked_for() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    command![&capture].assert().stdout(contains("\x1b").not());
    command![&capture, "--color", "always"].assert().stdout(contains("\x1b["));
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let desk = Desk::new();
    let mut scene = Scene::new();
    for _ in 0..2000 {
        scene.after_ms(1).allocate(CLIENT, SERVER);
    }
    let capture = desk.file("many.pcap", scene.pcap());
    for arguments in [vec!["messages", "--format", "jsonl"], vec!["verify"], vec!["analyze", "-v"]] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_turnscope"))
            .args(&arguments)
            .arg(&capture)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments:?} {:?}", output.status);
    }
}

/// `messages` of a pipe that stays open, with the ends of its own.
fn live_messages() -> (Child, ChildStdin, ChildStdout) {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_turnscope"))
        .args(["messages", "-", "--format", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    (child, input, output)
}

#[test]
fn messages_of_a_growing_capture_appear_before_it_ends() {
    let bytes = refused().pcap();
    let (mut child, mut input, mut output) = live_messages();
    // All but the last frame; the pipe stays open.
    input.write_all(&bytes[..bytes.len() - 20]).unwrap();
    input.flush().unwrap();
    let mut first = [0; 12];
    output.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"{\"capture\":0");
    drop(input);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest.lines().count(), 4);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_pipe_of_frames_without_a_time_is_not_waited_for() {
    let mut scene = Scene::new();
    scene.allocate(CLIENT, SERVER);
    let (_, asked, _) = scene.frames().next().unwrap();
    let capture = scene.pcapng();
    let head = |at: usize| u32::from_le_bytes(capture[at + 4..at + 8].try_into().unwrap()) as usize;
    let (mut child, mut input, mut output) = live_messages();
    input.write_all(&capture[..head(0) + head(head(0))]).unwrap();
    input.write_all(&[simple(asked), simple(asked)].concat()).unwrap();
    input.flush().unwrap();
    // the pipe stays open, and brings less than is looked through for a time in a file
    let mut first = [0; 12];
    output.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"{\"capture\":0");
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn explain_answers_offline_and_an_unknown_word_with_what_is_near() {
    command!["explain", "431"].assert().code(0).stdout(contains("Integrity Check Failure"));
    command!["explain", "alert", "40"].assert().code(0).stdout(contains("handshake_failure"));
    command!["explain", "turn-integrity-rejected"].assert().code(0).stdout(contains("Fix:"));
    command!["explain", "USERNMAE"]
        .assert()
        .code(2)
        .stdout("")
        .stderr(contains("near to it: USERNAME").and(contains("turnscope: USERNMAE")));
    command!["explain"].assert().code(2);
}

#[test]
fn completions_and_the_manual_page_are_printed() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        command!["completions", shell].assert().code(0).stdout(contains("turnscope"));
    }
    let page = contains(".TH TURNSCOPE")
        .and(contains("CREDENTIALS"))
        .and(contains("\"MESSAGES\""))
        .and(contains("Exit status"));
    command!["man"].assert().code(0).stdout(page);
    command!["--version"].assert().code(0).stdout(contains("turnscope "));
    command!["--help"].assert().code(0).stdout(contains("verify"));
}

#[test]
fn a_password_can_only_be_asked_for_at_a_terminal() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    // Whether a terminal can be opened depends on where the tests run; without one it says what to do instead.
    let mut command = command!["verify", &capture, "--ask-password"];
    if fs::File::open("/dev/tty").is_err() {
        command.assert().code(2).stderr(contains("--passwords FILE"));
    }
}

/// What an agent of [`Scene::direct_call`] tells its peer.
fn description(ufrag: &str, password: &str, address: &str) -> String {
    let (ip, port) = address.split_once(':').unwrap();
    format!(
        "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=setup:actpass\r\n\
         a=candidate:1 1 udp 2130706431 {ip} {port} typ host\r\na=candidate:2 1 udp 16777215 198.51.100.9 61000 typ relay\r\n"
    )
}

/// A call between two agents, and what both told.
fn call(desk: &Desk) -> (PathBuf, PathBuf, PathBuf) {
    let (one, other) = ("192.168.1.2:40000", "192.168.1.3:40001");
    let mut scene = Scene::new();
    scene.direct_call(one, other, 10);
    let offer = desk.file("offer.sdp", description("aaaa", "a-password-of-ice-0123456", one));
    let answer = desk.file("answer.sdp", description("bbbb", "b-password-of-ice-0123456", other));
    (desk.file("call.pcap", scene.pcap()), offer, answer)
}

#[test]
fn session_descriptions_verify_the_checks_and_are_held_against_the_packets() {
    let desk = Desk::new();
    let (capture, offer, answer) = call(&desk);
    let both = [OsStr::new("--sdp"), offer.as_os_str(), OsStr::new("--sdp"), answer.as_os_str()];
    command!["verify", &capture]
        .args(both)
        .assert()
        .code(0)
        .stdout(contains("answer.sdp (ufrag bbbb)").and(contains("mismatch  ").not()));
    command!["messages", &capture].args(both).assert().stdout(contains("offer.sdp (ufrag aaaa)"));
    let output = command![&capture].args(both).args(["--format", "json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = &json["signalling"];
    assert_eq!(
        (&told[0]["ufrag"], &told[0]["seen"], &told[0]["setup"]),
        (&"aaaa".into(), &true.into(), &"actpass".into())
    );
    let seen: Vec<_> = told[1]["candidates"].as_array().unwrap().iter().map(|told| told["seen"].clone()).collect();
    assert_eq!(seen, [true, false]);
    assert_eq!(json["credentials"][1]["verified"], 2);
    let text = command![&capture].args(both).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("Signalling") && text.contains("answer.sdp"), "{text}");
    for output in [String::from_utf8(output.stdout).unwrap(), text] {
        assert!(!output.contains("password-of-ice"), "{output}");
    }
}

#[test]
fn a_password_that_signalling_mangled_is_told_by_verify() {
    let desk = Desk::new();
    let (capture, offer, _) = call(&desk);
    let mangled = desk.file("mangled.sdp", description("bbbb", "b-password-of-ice-9999999", "192.168.1.3:40001"));
    command!["verify", &capture, "--sdp", &offer, "--sdp", &mangled].assert().code(1).stdout(contains("mismatch"));
}

#[test]
fn files_of_credentials_may_be_session_descriptions_and_dumps_may_be_packed() {
    let desk = Desk::new();
    let (capture, offer, answer) = call(&desk);
    let value =
        |file: &PathBuf| serde_json::json!({ "type": "offer", "sdp": fs::read_to_string(file).unwrap() }).to_string();
    let log = serde_json::json!([
        { "type": "setLocalDescription", "value": value(&offer) },
        { "type": "setRemoteDescription", "value": value(&answer) },
    ]);
    let dump = serde_json::json!({ "PeerConnections": { "8-1": { "updateLog": log } } }).to_string();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(dump.as_bytes()).unwrap();
    let packed = desk.file("webrtc_internals_dump.gz", packer.finish().unwrap());
    let label = "webrtc_internals_dump.gz, peer connection 8-1, remote offer (ufrag bbbb)";
    for option in ["--sdp", "--credentials"] {
        let output = command!["verify", &capture, option, &packed, "--format", "json"].output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&json["credentials"][1]["label"], output.status.code()), (&label.into(), Some(0)), "{option}");
    }
    command!["verify", &capture, "--credentials", &offer].assert().code(0);
}

#[test]
fn a_file_without_a_description_is_a_usage_error_and_damaged_lines_are_not() {
    let desk = Desk::new();
    let (capture, offer, _) = call(&desk);
    let empty = desk.file("empty.sdp", "v=0\r\ns=-\r\n");
    let cut = desk.file("cut.gz", [0x1f, 0x8b]);
    for (file, words) in [
        (&empty, "no session description with a=ice-ufrag in it"),
        (&cut, "cannot be unpacked"),
        (&desk.path("none.sdp"), "no such file"),
        (&capture, "no session description"),
    ] {
        let output = command![&capture, "--sdp", file].assert().code(2).stdout("").stderr(contains(words));
        assert_eq!(output.get_output().stderr.iter().filter(|&&byte| byte == b'\n').count(), 1);
    }
    let text = fs::read_to_string(&offer).unwrap().replace("a=setup:actpass", "a=setup:whatever");
    let damaged = desk.file("damaged.sdp", text);
    let mut command = command![&capture, "--sdp", &damaged];
    command
        .assert()
        .code(0)
        .stderr(contains("damaged.sdp, line 5: a=setup with a role that there is not, passed over"));
    command.arg("-q").assert().code(0).stderr("");
    for name in ["analyze", "messages", "verify", "flow"] {
        let output = command![name, &capture, "--sdp", &damaged].assert();
        let said = String::from_utf8(output.get_output().stderr.clone()).unwrap();
        assert_eq!(said.matches("passed over").count(), 1, "{name} says it once: {said}");
    }
}

#[test]
fn flow_draws_the_ladder_and_exits_with_0_whatever_was_found() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    command!["flow", &capture]
        .assert()
        .success()
        .stdout(contains("client 10.0.0.2").and(contains("TURN 192.0.2.1:3478")).and(contains("✗ 431")))
        .stderr("");
    for (format, begins) in
        [("svg", "<svg xmlns="), ("mermaid", "sequenceDiagram\n    participant c0 as client 10.0.0.2")]
    {
        command!["flow", &capture, "--format", format].assert().success().stdout(predicate::str::starts_with(begins));
        let file = desk.path(format);
        command!["flow", &capture, "--format", format, "-o", &file].assert().success().stdout("");
        assert!(fs::read_to_string(file).unwrap().starts_with(begins));
    }
}

#[test]
fn flow_shows_times_as_asked_for_and_relative_ones_else() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let flow = |time: &[&str]| {
        let output = command!["flow", &capture].args(time).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(flow(&[]).contains("  0.000000  ├"), "{}", flow(&[]));
    assert!(flow(&["--time", "utc"]).contains("00:00:00.041000  │◀"), "{}", flow(&["--time", "utc"]));
}

#[test]
fn flow_takes_the_filters_and_credentials_that_other_commands_take() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let passwords = desk.file("passwords", "wrong\nright\n");
    command!["flow", &capture, "--passwords", &passwords]
        .assert()
        .success()
        .stdout(contains("alice, signed, verified"));
    command!["flow", &capture, "--host", "10.9.9.9"]
        .assert()
        .success()
        .stdout(predicate::str::starts_with("No session"));
}

#[test]
fn flow_says_which_sessions_there_are_and_what_cannot_be_read() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    command!["flow", &capture, "--session", "7"]
        .assert()
        .code(2)
        .stdout("")
        .stderr(contains("there is only session 1"));
    let other = desk.file("text.pcap", "no capture");
    command!["flow", &other].assert().code(2).stdout("");
    command!["flow", &other, &capture].assert().success().stdout(contains("✗ 431"));
    // the same event twice is one, another is another
    let mut scene = Scene::new();
    scene.with_other_ids().allocate_challenge("10.0.0.77:50000", "192.0.2.1:3478", "example.org", "nonce-2");
    let third = desk.file("third.pcap", scene.pcap());
    let flow = command!["flow", &capture, &capture].assert().success();
    flow.stdout(predicate::str::starts_with("2 sessions").not()).stdout(contains("✗ 431"));
    let flow = command!["flow", &capture, &third].assert().success();
    flow.stdout(predicate::str::starts_with("2 sessions"));
}

#[test]
fn flow_reads_a_pipe_and_a_closed_one_ends_it_quietly() {
    let desk = Desk::new();
    let scene = refused();
    command!["flow", "-"].write_stdin(scene.pcap()).assert().success().stdout(contains("✗ 431"));
    let capture = desk.file("refused.pcap", scene.pcap());
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_turnscope"))
        .args(["flow".as_ref(), capture.as_os_str(), "--format".as_ref(), "svg".as_ref()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!((child.wait().unwrap().code(), told.as_str()), (Some(0), ""));
}

#[test]
fn flow_colours_errors_where_colour_is_asked_for() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let flow = |colour: &str| {
        let output = command!["flow", &capture, "--color", colour].output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(flow("always").contains("\u{1b}[31m✗ 431"), "{}", flow("always"));
    assert!(!flow("auto").contains('\u{1b}'));
}

#[test]
fn annotate_writes_a_capture_that_it_can_read_again_and_never_over_its_input() {
    let desk = Desk::new();
    let capture = desk.file("call.pcap", refused().pcap());
    let out = desk.path("call.pcapng");
    let annotate = |from: &OsStr, to: &OsStr| command!["annotate", from, "-o", to];
    annotate(capture.as_ref(), out.as_ref()).assert().code(0).stdout("").stderr(contains("4 frames"));
    command![&out].assert().code(1).stdout(contains("turn-integrity-rejected"));
    annotate(capture.as_ref(), capture.as_ref()).assert().code(2).stderr(contains("would be overwritten"));
    annotate("-".as_ref(), out.as_ref()).assert().code(2).stderr(contains("read twice"));
    annotate(desk.path("nowhere").as_ref(), out.as_ref()).assert().code(2).stderr(contains("no such file"));
    let text = desk.file("text.pcap", "no capture at all");
    annotate(text.as_ref(), out.as_ref()).assert().code(2);
    assert!(fs::read(&out).is_ok_and(|bytes| !bytes.is_empty()), "what was there stays");
}

#[test]
fn redact_writes_a_capture_and_beside_it_only_what_is_asked_for() {
    let desk = Desk::new();
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/expressway-431");
    let [out, stand_ins, map] = ["out.pcapng", "stand-ins.toml", "map.json"].map(|name| desk.path(name));
    let redact = |from: &OsStr| command!["redact", from, "-o", &out];
    let capture = sample.join("capture.pcapng");
    redact(capture.as_ref()).assert().code(0).stdout("").stderr(contains("nobody can verify"));
    assert!(!stand_ins.exists() && !map.exists());
    let mut whole = redact(capture.as_ref());
    whole.arg("--credentials").arg(sample.join("credentials.toml"));
    whole.arg("--credentials-out").arg(&stand_ins).arg("--map").arg(&map).assert().code(0).stdout("");
    assert!(fs::read_to_string(&map).is_ok_and(|text| text.contains("turnuser")));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let readers = fs::metadata(&map).unwrap().permissions().mode() & 0o077;
        assert_eq!(readers, 0, "what tells who is who is nobody else's to read");
    }
    assert!(fs::read_to_string(&stand_ins).is_ok_and(|text| !text.contains("turnuser") && text.contains("Expressway")));
    let mut again = turnscope();
    again.arg(&out).arg("--credentials").arg(&stand_ins);
    again.assert().code(1).stdout(contains("the server with \"Expressway local database\""));
    redact("-".as_ref()).assert().code(2).stderr(contains("read twice"));
    redact(out.as_ref()).assert().code(2).stderr(contains("would be overwritten"));
    redact(capture.as_ref()).args(["--user", "x"]).assert().code(2).stderr(contains("whole capture"));
    let given = desk.file("theirs.toml", fs::read(sample.join("credentials.toml")).unwrap());
    let mut over = redact(capture.as_ref());
    over.arg("--credentials").arg(&given).arg("--credentials-out").arg(&given);
    over.assert().code(2).stderr(contains("theirs.toml: would be overwritten, and is given to be read"));
    assert_eq!(fs::read(&given).unwrap(), fs::read(sample.join("credentials.toml")).unwrap());
    fs::create_dir(desk.path("sub")).unwrap();
    for same in [out.clone(), desk.path("sub/../out.pcapng")] {
        redact(capture.as_ref()).arg("--map").arg(same).assert().code(2).stderr(contains("would be written twice"));
    }
    let mut printed = redact(capture.as_ref());
    printed.current_dir(desk.path("")).args(["--map", "-"]).assert().code(0).stdout(contains("turnuser"));
    assert!(!desk.path("-").exists());
}

#[test]
fn key_logs_open_tls_in_every_command_and_show_nothing_of_themselves() {
    let capture = "samples/tls-success/capture.pcapng";
    let keys = "samples/tls-success/keylog.txt";
    let secret = fs::read_to_string(keys).unwrap().lines().last().unwrap().split(' ').nth(2).unwrap().to_owned();
    for (command, words) in [
        (&["analyze"][..], "1 of 1 TLS connections of TURN opened"),
        (&["analyze", "--format=json"], "\"tls_opened\": 1"),
        (&["messages"], "tls Allocate success"),
        (&["messages", "--format=jsonl"], r#""layers":["tcp","tls","stun"]"#),
        (&["messages", "--format=csv"], "Allocate"),
        (&["verify"], "Allocate"),
        (&["flow"], "Allocate success"),
    ] {
        let output =
            turnscope().args(command).arg(capture).args(["--keylog", keys]).assert().code(0).stdout(contains(words));
        let shown = String::from_utf8_lossy(&output.get_output().stdout).to_lowercase();
        assert!(!shown.contains(&secret[..16].to_lowercase()), "{command:?}");
    }
    command!["messages", capture].assert().code(0).stdout(contains("Allocate").not());
}

#[test]
fn secrets_behind_all_packets_open_what_is_before_them_in_a_file_and_a_pipe_says_that_they_came_too_late() {
    let mut capture = fs::read("samples/tls-embedded-keys/capture.pcapng").unwrap();
    let head = u32::from_le_bytes(capture[4..8].try_into().unwrap()) as usize;
    let length = u32::from_le_bytes(capture[head + 4..head + 8].try_into().unwrap()) as usize;
    assert_eq!(capture[head], 0x0a, "the secrets");
    let secrets: Vec<u8> = capture.drain(head..head + length).collect();
    let statistics = [5u32, 24, 0, 0, 0, 24].iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    capture.extend([&statistics, &secrets, &statistics].into_iter().flatten());
    let desk = Desk::new();
    let file = desk.file("late.pcapng", &capture);
    let opened = "1 of 1 TLS connections of TURN opened";
    command![&file].assert().code(0).stdout(contains(opened).and(contains("too late").not()));
    command!["messages", &file].assert().stdout(contains("tls Allocate success"));
    command!["--join", &file, &file].assert().stdout(contains(opened));
    let mut files = vec![file];
    #[cfg(target_os = "linux")]
    {
        let name: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"late\xff.pcapng");
        files.push(desk.path("").join(name));
        fs::write(&files[1], &capture).unwrap();
    }
    for (number, file) in files.iter().enumerate() {
        let reports = desk.path(&format!("reports{number}"));
        command!["batch", file, "--out", &reports].assert().code(0);
        let report = fs::read_dir(reports.join("reports")).unwrap().next().unwrap().unwrap().path();
        assert!(fs::read_to_string(report).unwrap().contains("\"tls_opened\":1"), "{number}");
    }
    command!["-"]
        .write_stdin(capture)
        .assert()
        .code(0)
        .stdout(contains("1 block of secrets behind all packets, found too late").and(contains(opened).not()));
}

#[test]
fn damaged_lines_of_a_key_log_are_named_by_number_and_other_files_are_refused() {
    let desk = Desk::new();
    let digits = "5ec2e7".repeat(16);
    let random = "ab".repeat(32);
    let good = format!("# log\nCLIENT_RANDOM {random} {digits}\n");
    let damaged = desk.file("damaged.log", format!("{good}CLIENT_RANDOM {random} {digits}00\n"));
    let notes = desk.file("notes.txt", "dear diary\n");
    let capture = "samples/tls-success/capture.pcapng";
    let output = command![capture, "--keylog", &damaged].assert().code(0);
    let errors = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(errors.contains("line 3: CLIENT_RANDOM: the secret has not the length that it must have"), "{errors}");
    assert!(!errors.contains("5ec2e7"), "{errors}");
    command![capture, "--keylog", &notes].assert().code(2).stderr(contains("not a key log"));
    command![capture, "--keylog", "missing.log"].assert().code(2).stderr(contains("no such file"));
}

const DEPLOYMENT: &str =
    "[[server]]\nname = \"TURN\"\naddresses = \"192.0.2.1\"\nrealm = \"example.org\"\nlisten = \"3478/udp\"\n";

#[test]
fn a_deployment_is_compared_line_by_line() {
    let desk = Desk::new();
    let capture = desk.file("granted.pcapng", granted().pcapng());
    let right = desk.file("d.toml", DEPLOYMENT);
    let text =
        contains("3 things stated: 3 right, 0 wrong, 0 not seen").and(contains("line 4: TURN: realm example.org"));
    command![&capture, "--deployment", &right].assert().code(0).stdout(text);
    let wrong = desk.file("w.toml", DEPLOYMENT.replace("example.org", "elsewhere"));
    let output = command!["analyze", "--format", "json", "--deployment", &wrong, &capture]
        .assert()
        .code(0)
        .get_output()
        .stdout
        .clone();
    let report: serde_json::Value = serde_json::from_slice(&output).unwrap();
    assert_eq!((&report["verdict"], &report["headline_finding"]), (&"warning".into(), &"deployment-mismatch".into()));
    let line = &report["deployment"][1];
    assert_eq!((&line["line"], &line["seen"], &line["instead"]), (&4.into(), &"wrong".into(), &"example.org".into()));
    assert_eq!(line["places"][0]["frame"], 2);
}

#[test]
fn mistakes_in_a_deployment_are_wrong_usage_and_name_the_line() {
    let desk = Desk::new();
    let capture = desk.file("granted.pcapng", granted().pcapng());
    for (text, expected) in [
        (DEPLOYMENT.replace("realm", "realmm"), "d.toml, line 4: unknown key \"realmm\""),
        (DEPLOYMENT.replace("3478/udp", "udp"), "d.toml, line 5: listen must be ports"),
        ("[[server]".to_owned(), "d.toml, line 1: not valid TOML"),
        (String::new(), "d.toml: nothing is stated in it"),
        ("<turnServer>".to_owned(), "not well-formed XML"),
    ] {
        let file = desk.file("d.toml", text);
        command![&capture, "--deployment", &file].assert().code(2).stdout("").stderr(contains(expected));
    }
    let file = desk.file("d.toml", [0xff, 0xfe]);
    command![&capture, "--deployment", &file].assert().code(2).stderr(contains("not UTF-8 text"));
    let missing = desk.path("missing.toml");
    command![&capture, "--deployment", &missing].assert().code(2).stderr(contains("no such file"));
    command![&capture, "messages", "--deployment", "x"].assert().code(2);
}

#[test]
fn logs_are_quoted_with_the_finding_that_explains_them() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let log = desk.file(
        "cms.log",
        "2026-01-01 02:00:04.5 Warning call 6: ICE failure; relay candidate creation timeout password=hunter2\n",
    );
    let quoted =
        contains("Log: cms.log line 1: 2026-01-01 00:00:04.500Z Warning call 6").and(contains("hunter2").not());
    command![&capture, "--log", &log, "--log-offset", "-02:00:00"].assert().code(1).stdout(quoted);
    let elsewhere = contains("taken for UTC, since they name no zone").and(contains("Log: cms.log").not());
    command![&capture, "--log", &log].assert().code(1).stdout(elsewhere);
}

#[test]
fn logs_that_cannot_be_read_and_offsets_that_are_none_are_wrong_usage() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let log = desk.file("cms.log", "no log\n");
    command![&capture, "--log", desk.path("missing.log")].assert().code(2).stderr(contains("no such file"));
    command![&capture, "--log", &log, "--log-offset", "yesterday"]
        .assert()
        .code(2)
        .stderr(contains("--log-offset yesterday: not an offset"));
    command![&capture, "--log-offset", "5"].assert().code(2).stderr(contains("--log"));
    command![&capture, "--log", &log].assert().code(1).stdout(contains("no line with a time"));
}

#[test]
fn the_xml_of_a_turn_server_is_a_credential_of_the_client() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let xml =
        desk.file("turn.xml", "<turnServer>\n<username>alice</username>\n<password>wrong</password>\n</turnServer>");
    command![&capture, "--credentials", &xml].assert().code(1).stdout(contains("turn.xml line 3  client"));
}

#[test]
fn the_environment_gives_what_is_always_the_same() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let passwords = desk.file(
        "credentials.toml",
        "[[credential]]\nlabel = \"mine\"\nusername = \"alice\"\nrealm = \"example.org\"\npassword = \"wrong\"\n",
    );
    let with = |arguments: &[&str]| {
        let mut command = turnscope();
        command
            .env("TURNSCOPE_CREDENTIALS", &passwords)
            .env("TURNSCOPE_COLOR", "always")
            .env("TURNSCOPE_TIME", "relative");
        let output = command.args(arguments).arg(&capture).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let told = with(&[]);
    assert!(told.contains("mine") && told.contains('\u{1b}'), "{told}");
    assert!(with(&["verify"]).contains("mine"));
    let listed = with(&["messages", "--color", "never"]);
    assert!(!listed.contains('\u{1b}') && listed.starts_with(' ') || listed.contains("0.000000"), "{listed}");
    turnscope()
        .env("TURNSCOPE_CREDENTIALS", desk.path("none"))
        .arg(&capture)
        .assert()
        .code(2)
        .stderr(contains("no such file"));
}

#[test]
fn the_file_of_defaults_counts_behind_the_environment_and_what_is_typed() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    let credential =
        "[[credential]]\nlabel = \"mine\"\nusername = \"alice\"\nrealm = \"example.org\"\npassword = \"wrong\"\n";
    fs::create_dir_all(desk.path("conf/turnscope")).unwrap();
    desk.file("conf/turnscope/mine.toml", credential);
    let write = |text: &str| desk.file("conf/turnscope/config.toml", text);
    write(
        "time = \"relative\"\ncredentials = [\"mine.toml\"]\n[analyze]\nformat = \"json\"\n[messages]\nformat = \"csv\"\n",
    );
    let run = |arguments: &[&str], more: &[(&str, &str)]| {
        let mut command = turnscope();
        command.env_remove("TURNSCOPE_CONFIG").env("XDG_CONFIG_HOME", desk.path("conf"));
        command.envs(more.iter().copied()).args(arguments).arg(&capture);
        command
    };
    run(&[], &[]).assert().code(1).stdout(contains("\"label\": \"mine\"").or(contains("\"label\":\"mine\"")));
    run(&["verify"], &[]).assert().stdout(contains("mine"));
    run(&["--format", "text"], &[]).assert().stdout(contains("mine").and(contains("\"headline\"").not()));
    run(&["messages"], &[]).assert().stdout(predicates::str::starts_with("capture,frame,"));
    run(&["messages", "--format", "text"], &[]).assert().stdout(contains(" 0.000000"));
    run(&["messages", "--format", "text"], &[("TURNSCOPE_TIME", "utc")]).assert().stdout(contains("000000Z "));
    let nothing = [("TURNSCOPE_TIME", ""), ("TURNSCOPE_COLOR", ""), ("TURNSCOPE_JOBS", "")];
    run(&["messages", "--format", "text"], &nothing).assert().code(0).stdout(contains(" 0.000000"));
    run(&["--format", "text"], &[("TURNSCOPE_CONFIG", "")]).assert().stdout(contains("mine").not());

    write("colour = \"never\"\n");
    run(&[], &[]).assert().code(2).stdout("").stderr(contains("line 1: unknown field `colour`"));
    // what reads no capture needs no defaults
    let bare = |argument: &str| {
        let mut command = turnscope();
        command.env_remove("TURNSCOPE_CONFIG").env("XDG_CONFIG_HOME", desk.path("conf")).arg(argument);
        command
    };
    bare("--help").assert().code(0);
    bare("man").assert().code(0).stdout(contains("TURNSCOPE_CONFIG"));
    let missing = desk.path("none.toml");
    run(&[], &[("TURNSCOPE_CONFIG", missing.to_str().unwrap())]).assert().code(2).stderr(contains("no such file"));
}

#[test]
fn a_file_of_defaults_in_the_working_directory_is_not_read() {
    let desk = Desk::new();
    let capture = desk.file("refused.pcap", refused().pcap());
    fs::create_dir_all(desk.path("turnscope")).unwrap();
    fs::create_dir_all(desk.path(".config/turnscope")).unwrap();
    for name in ["config.toml", "turnscope.toml", "turnscope/config.toml", ".config/turnscope/config.toml"] {
        desk.file(name, "bad = 1\n");
    }
    for folder in [".", ""] {
        let mut command = turnscope();
        command.env_remove("TURNSCOPE_CONFIG").env("XDG_CONFIG_HOME", folder).env("HOME", folder);
        command.current_dir(desk.path("")).arg(&capture).assert().code(1);
    }
}

#[test]
fn redact_seals_what_keys_open_anew_and_says_so() {
    let desk = Desk::new();
    let sample = "samples/tls-success";
    let (out, stand_ins) = (desk.path("out.pcapng"), desk.path("stand-ins.toml"));
    let own = fs::read_to_string(format!("{sample}/keylog.txt")).unwrap();
    command![
        "redact",
        &format!("{sample}/capture.pcapng"),
        "--keylog",
        &format!("{sample}/keylog.txt"),
        "--credentials",
        &format!("{sample}/credentials.toml"),
        "-o",
        &out,
        "--credentials-out",
        &stand_ins
    ]
    .assert()
    .code(0)
    .stderr(contains("encrypted with other keys").and(contains("nobody can verify").not()));
    let written = fs::read(&out).unwrap();
    let secret = own.lines().find(|line| line.starts_with("CLIENT_RANDOM")).and_then(|line| line.split(' ').nth(2));
    let secret = secret.unwrap().as_bytes();
    assert!(!written.windows(secret.len()).any(|part| part == secret), "a key of the original");
    let told = || contains("1 of 1 TLS connections of TURN opened");
    command![&out, "--credentials", &stand_ins].assert().code(0).stdout(told());
    // messages inside TLS verify with the stand-ins
    command!["verify", &out, "--credentials", &stand_ins]
        .assert()
        .code(0)
        .stdout(contains("verified").or(contains("signed")));
    // without the keys it is dropped as ever
    command!["redact", &format!("{sample}/capture.pcapng"), "-o", &out]
        .assert()
        .code(0)
        .stderr(contains("encrypted with other keys").not());
}

#[test]
fn annotate_embeds_the_keys_of_its_capture_only_where_it_is_asked_to() {
    let desk = Desk::new();
    let sample = "samples/tls13-success";
    let own = fs::read_to_string(format!("{sample}/keylog.txt")).unwrap();
    let other = format!("CLIENT_RANDOM {} {}\n", "ab".repeat(32), "5ec2e7ff".repeat(12));
    let keys = desk.file("keys.log", format!("{other}{own}"));
    let annotated = |name: &str, more: &[&str]| {
        let out = desk.path(name);
        command!["annotate", &format!("{sample}/capture.pcapng"), "--all", "-o", &out, "--keylog", &keys]
            .args(more)
            .assert()
            .code(0);
        (fs::read(&out).unwrap(), out)
    };
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    let secret = own.lines().rfind(|line| !line.starts_with('#')).unwrap();
    let (with, path) = annotated("with.pcapng", &["--embed-keys"]);
    assert!(holds(&with, secret) && !holds(&with, "5ec2e7ff"), "its own keys and no others");
    command![&path].assert().stdout(contains("1 of 1 TLS connections of TURN opened"));
    let (without, _) = annotated("without.pcapng", &[]);
    assert!(!holds(&without, secret), "no key that was not asked for");
    command!["annotate", "x.pcap", "-o", "y.pcapng", "--embed-keys"].assert().code(2);
}
