//! What the README shows: its commands run as they stand there, and print what it says that they print.
#![cfg(unix)] // where a link puts the samples at hand
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::path::Path;
use support::desk::{Desk, turnscope};

/// A command of the README, and what is shown of its output.
struct Shown {
    command: String,
    output: Vec<String>,
}

/// The commands of this program with samples in them. Others speak of files that readers have to put in the place.
fn shown() -> Vec<Shown> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let readme = readme.replace("\\\n", "");
    let blocks: Vec<&str> = readme.split("\n```").skip(1).step_by(2).collect();
    let mut found: Vec<Shown> = Vec::new();
    // what `cargo run` prints stands in the next block
    let mut goes_on = false;
    for block in blocks {
        let (language, lines) = block.split_once('\n').unwrap_or_default();
        if !language.is_empty() {
            continue;
        }
        let mut prints = std::mem::take(&mut goes_on);
        for line in lines.lines() {
            let built = line.strip_prefix("cargo run --release -- ");
            let typed = line.strip_prefix("$ turnscope ");
            let named = line.strip_prefix("turnscope ");
            if let Some(command) = built.or(typed).or(named) {
                // what reads the output of another, or gives it to another, is looked at as far as it is this program
                let (command, _) = command.split_once(" | ").unwrap_or((command, ""));
                found.push(Shown { command: command.to_owned(), output: Vec::new() });
                (goes_on, prints) = (built.is_some(), typed.is_some());
            } else if prints {
                found.last_mut().unwrap().output.push(line.to_owned());
            }
        }
    }
    found.retain(|shown| shown.command.contains("samples/"));
    found
}

/// Runs a command in a folder that has the samples, and gives what it prints.
fn run(command: &str) -> String {
    let desk = Desk::new();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    std::os::unix::fs::symlink(samples, desk.path("samples")).unwrap();
    let run = turnscope().current_dir(&desk.folder).args(command.split_whitespace()).assert();
    let output = run.get_output();
    let status = output.status.code();
    assert!(matches!(status, Some(0 | 1)), "{command}: {status:?} {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn every_command_on_a_sample_runs_and_prints_the_lines_that_are_shown_in_their_order() {
    let all = shown();
    let with_output = all.iter().filter(|shown| !shown.output.is_empty()).count();
    assert!(all.len() >= 10 && with_output >= 4, "{} commands, {with_output} with output", all.len());
    for Shown { command, output } in all {
        let printed = run(&command);
        let mut lines = printed.lines();
        for line in output.iter().filter(|line| !line.is_empty() && *line != "…") {
            assert!(lines.any(|printed| printed == line), "{command} does not print, or not there: {line}");
        }
    }
}
