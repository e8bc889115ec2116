//! Every sample's report, as JSON and as text, is the one that its folder holds.
//!
//! `TURNSCOPE_BLESS=1 cargo test --test golden` writes them again; look at the difference before you commit it.

#![allow(clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;
use support::samples::{self, Sample};
use turnscope::render::{json, text};
use turnscope::report::Report;

/// What a sample's folder holds: the name of the file and what stands in it.
fn outputs(sample: &Sample) -> Vec<(String, String)> {
    let mut outputs = forms(sample, "expected", &sample.report());
    if !sample.beside.is_empty() {
        let order: Vec<usize> = (0..=sample.beside.len()).collect();
        outputs.extend(forms(sample, "expected-together", &sample.together(&order)));
    }
    outputs
}

/// A report as JSON and as text.
fn forms(sample: &Sample, name: &str, report: &Report) -> Vec<(String, String)> {
    let folder = format!("samples/{}", sample.name);
    let mut pretty = Vec::new();
    json::report(&mut pretty, report).expect("a vector takes everything");
    // 100 columns, no colour, times in UTC, as much as is said without asking for more
    let options = text::Options { width: 100, colour: false, ..text::Options::default() };
    vec![
        (format!("{folder}/{name}.json"), String::from_utf8(pretty).expect("JSON is UTF-8")),
        (format!("{folder}/{name}.txt"), text::report(report, &options)),
    ]
}

/// The first line that differs, with what was expected and what is.
fn first_difference(expected: &str, actual: &str) -> String {
    let (mut expected, mut actual) = (expected.lines(), actual.lines());
    for number in 1.. {
        match (expected.next(), actual.next()) {
            (None, None) => break,
            (left, right) if left == right => {}
            (left, right) => {
                let end = "(end of file)";
                return format!("line {number}\n  - {}\n  + {}", left.unwrap_or(end), right.unwrap_or(end));
            }
        }
    }
    "line ends".to_owned()
}

#[test]
fn every_sample_gives_the_report_that_its_folder_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bless = std::env::var_os("TURNSCOPE_BLESS").is_some();
    let mut wrong = Vec::new();
    for sample in samples::all() {
        for (name, actual) in outputs(&sample) {
            let path = root.join(&name);
            if bless {
                fs::write(&path, &actual).expect("the samples can be written");
                continue;
            }
            match fs::read_to_string(&path) {
                Ok(expected) if expected == actual => {}
                Ok(expected) => wrong.push(format!("{name}: {}", first_difference(&expected, &actual))),
                Err(error) => wrong.push(format!("{name}: {error}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} files differ; if that is what you want, TURNSCOPE_BLESS=1 cargo test --test golden\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_first_example_of_the_readme_is_what_is_printed() {
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("it is there");
    assert!(read("README.md").contains(&read("samples/expressway-431/expected.txt")));
}

#[test]
fn the_same_capture_gives_the_same_report_byte_for_byte() {
    for sample in samples::all() {
        assert_eq!(outputs(&sample), outputs(&sample), "{}", sample.name);
    }
}
