//! Files and streams around a capture that are not what one expects: endless, packed in other ways, the capture itself, more than may be open.
#![cfg(unix)]
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::fs::{self, File};
use std::process::Stdio;
use support::desk::{Desk, turnscope};
use support::{Scene, gzip};

const CLIENT: &str = "10.0.0.2:50000";
const SERVER: &str = "192.0.2.1:3478";
const RELAYED: &str = "192.0.2.1:24000";

fn healthy() -> Vec<u8> {
    Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED).pcap()
}

fn desk() -> Desk {
    let desk = Desk::new();
    desk.file("a.pcap", healthy());
    desk
}

fn run(desk: &Desk, arguments: &[&str]) -> Command {
    let mut command = turnscope();
    command.current_dir(desk.folder.path()).args(arguments);
    command
}

#[test]
fn files_without_end_beside_a_capture_are_refused_once_they_are_too_large() {
    let desk = desk();
    for option in ["--keylog", "--sdp", "--credentials"] {
        let told = contains("/dev/zero: larger than 256 MiB; give the part of it that is needed");
        run(&desk, &["a.pcap", option, "/dev/zero"]).assert().code(2).stderr(told);
    }
    run(&desk, &["a.pcap"]).env("TURNSCOPE_CONFIG", "/dev/zero").assert().code(2).stderr(contains("larger than 1 MiB"));
    let list = ["batch", "--files-from", "/dev/zero", "--out", "out"];
    run(&desk, &list).assert().code(2).stderr(contains("larger than 64 MiB"));
}

#[test]
fn a_report_is_not_written_over_its_capture() {
    let desk = desk();
    desk.file("b.pcap", healthy());
    for arguments in [["analyze", "a.pcap", "b.pcap", "-o", "./b.pcap"], ["flow", "b.pcap", "a.pcap", "-o", "b.pcap"]] {
        run(&desk, &arguments).assert().code(2).stderr(contains("b.pcap: would be overwritten while it is read"));
    }
    assert_eq!(fs::read(desk.path("b.pcap")).unwrap(), healthy());
}

#[test]
fn results_are_not_written_over_what_is_given_beside_a_capture() {
    let desk = desk();
    desk.file("given", "kept");
    for arguments in [
        ["analyze", "a.pcap", "--credentials", "given", "-o", "./given"],
        ["analyze", "a.pcap", "--log", "given", "-o", "given"],
        ["flow", "a.pcap", "--passwords", "given", "-o", "given"],
        ["annotate", "a.pcap", "--keylog", "given", "-o", "given"],
    ] {
        let told = contains("given: would be overwritten, and is given to be read");
        run(&desk, &arguments).assert().code(2).stderr(told);
    }
    assert_eq!(fs::read(desk.path("given")).unwrap(), b"kept");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_not_read_stays_so_with_results_in_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = desk();
    let out = desk.file("out", "before");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o600)).unwrap();
    run(&desk, &["a.pcap", "-o", "out"]).assert().success();
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    assert_ne!(fs::read(&out).unwrap(), b"before");
}

#[test]
fn a_name_as_long_as_the_system_takes_can_be_written() {
    let desk = desk();
    let name = "n".repeat(255);
    run(&desk, &["a.pcap", "-o", &name]).assert().success();
    assert!(fs::metadata(desk.path(&name)).unwrap().len() > 0);
    assert_eq!(fs::read_dir(desk.folder.path()).unwrap().count(), 2);
}

#[test]
fn what_is_packed_twice_or_in_old_ways_is_named() {
    let desk = desk();
    for (bytes, told) in [
        (gzip(&gzip(&healthy())), "packed twice, with gzip and then with gzip: unpack it once"),
        (b"\x02\x21\x4c\x18\x00\x00\x00\x00".to_vec(), "compressed with lz4 in its legacy format: unpack it first"),
        (b"\x5d\x00\x00\x80\x00\xff\xff\xff".to_vec(), "compressed with lzma: unpack it first"),
    ] {
        desk.file("b", bytes);
        run(&desk, &["b"]).assert().code(2).stderr(contains(told));
    }
}

#[test]
fn a_pipe_to_which_nobody_writes_is_refused_where_a_capture_is_read_twice() {
    let desk = desk();
    let made = std::process::Command::new("mkfifo").arg(desk.path("pipe")).status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    for command in ["annotate", "redact"] {
        let told = contains("pipe: is read twice, and is no regular file");
        run(&desk, &[command, "pipe", "-o", "out.pcapng"]).assert().code(2).stderr(told);
    }
}

#[test]
fn more_captures_than_may_be_open_at_once_are_all_read() {
    let desk = Desk::new();
    let names: Vec<String> = (0..80).map(|number| format!("{number}.pcap")).collect();
    names.iter().for_each(|name| drop(desk.file(name, healthy())));
    let mut command = Command::new("sh");
    let line = "ulimit -n 40; exec \"$@\"";
    command.current_dir(desk.folder.path()).args(["-c", line, "sh", env!("CARGO_BIN_EXE_turnscope")]).args(&names);
    let output = command.env("TURNSCOPE_CONFIG", "").arg("--format").arg("json").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["captures"].as_array().unwrap().len(), 80);
}

#[test]
fn a_standard_error_that_takes_nothing_stops_nothing() {
    if let Ok(full) = File::options().write(true).open("/dev/full") {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_turnscope"));
        let status = command.arg("no-such-file").env("TURNSCOPE_CONFIG", "").stderr(Stdio::from(full)).status();
        assert_eq!(status.unwrap().code(), Some(2));
    }
}

#[test]
fn help_that_cannot_be_printed_is_an_error() {
    if let Ok(full) = File::options().write(true).open("/dev/full") {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_turnscope"));
        let output = command.arg("--help").stdout(Stdio::from(full)).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(contains("standard output: cannot be written").eval(&String::from_utf8_lossy(&output.stderr)));
    }
}

#[test]
fn where_nothing_is_left_of_what_was_asked_for_the_report_says_so() {
    let desk = desk();
    for filter in [["--host", "203.0.113.99"], ["--from", "+100"]] {
        let told = contains("No STUN, TURN or DTLS in what was asked for of 4 frames.");
        run(&desk, &["a.pcap", filter[0], filter[1]]).assert().success().stdout(told);
    }
}
