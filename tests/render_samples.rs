//! Every sample through every renderer: nothing is too wide, nothing reaches a terminal as an escape, rows are what the types say.
// What is unwrapped here is ours.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::fs::{self, File};
use std::path::Path;
use support::samples::captures;
use support::schema::Schema;
use turnscope::analyzer::{self, Analyzer, Options};
use turnscope::capture::Capture;
use turnscope::render::clock::Clock;
use turnscope::render::escape::is_unsafe;
use turnscope::render::{json, messages, text, verify};
use turnscope::report::{Message, Report};
use unicode_width::UnicodeWidthStr;

fn read(path: &Path, sink: &mut impl FnMut(&turnscope::event::Row<'_>)) -> Report {
    let mut capture = Capture::open(File::open(path).unwrap()).unwrap();
    let mut options = Options { media: true, ..Options::default() };
    if let Ok(credentials) = fs::read_to_string(path.with_file_name("credentials.toml")) {
        options.credentials.add_file(&credentials, "credentials.toml").unwrap();
    }
    let mut analyzer = Analyzer::new(options);
    while let Some(frame) = capture.next_frame() {
        analyzer.frame(&frame, sink);
    }
    analyzer::report(vec![analyzer.finish("capture".into(), capture.info())])
}

fn is_tame(text: &str, path: &Path) {
    let unsafe_character = text.chars().find(|c| *c != '\n' && is_unsafe(*c));
    assert_eq!(unsafe_character, None, "{}", path.display());
}

#[test]
fn reports_of_all_samples_fit_and_are_tame() {
    let schema = Schema::read("analyze.json");
    for path in captures() {
        let report = read(&path, &mut |_| ());
        for width in [60, 80, 120] {
            let options = text::Options { width, detail: text::Detail::Verbose, ..text::Options::default() };
            let page = text::report(&report, &options);
            is_tame(&page, &path);
            for line in page.lines() {
                assert!(line.width() <= width, "{} columns of {width} in {}: {line}", line.width(), path.display());
            }
        }
        let mut bytes = Vec::new();
        json::report(&mut bytes, &report).unwrap();
        let written = String::from_utf8(bytes).unwrap();
        is_tame(&written, &path);
        let value: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(value["schema"], "turnscope/1");
        assert_eq!(schema.complaint(&value), None, "{}", path.display());
    }
}

#[test]
fn rows_of_all_samples_are_what_the_published_type_says() {
    let schema = Schema::read("messages.json");
    for path in captures() {
        let formats = [messages::Format::Text(Clock::Utc), messages::Format::Jsonl, messages::Format::Csv];
        let mut counts = Vec::new();
        for format in formats {
            let mut out = Vec::new();
            let is_json = matches!(format, messages::Format::Jsonl);
            let mut writer = messages::Writer::new(&mut out, format, false);
            read(&path, &mut |row| writer.row(row).unwrap());
            writer.flush().unwrap();
            let written = String::from_utf8(out).unwrap();
            is_tame(&written, &path);
            counts.push(written.lines().count());
            for line in written.lines().filter(|_| is_json) {
                let typed: Message = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                let untyped: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(serde_json::to_value(&typed).unwrap(), untyped, "{}", path.display());
                assert_eq!(schema.complaint(&untyped), None, "{}", path.display());
            }
        }
        let &[text, json, csv] = counts.as_slice() else { panic!("three formats") };
        assert_eq!((text, text + 1), (json, csv), "{}", path.display());
    }
}

#[test]
fn verify_of_all_samples_fits_and_is_one_json_object() {
    let schema = Schema::read("verify.json");
    for path in captures() {
        let layout = text::Options { width: 80, ..text::Options::default() };
        for format in [verify::Format::Text(layout), verify::Format::Json] {
            let is_json = matches!(format, verify::Format::Json);
            let mut out = Vec::new();
            let mut writer = verify::Writer::new(&mut out, format, false);
            let report = read(&path, &mut |row| writer.row(row).unwrap());
            writer.finish(&report.captures, &report.credentials).unwrap();
            drop(writer);
            let written = String::from_utf8(out).unwrap();
            is_tame(&written, &path);
            if is_json {
                let value = serde_json::from_str(&written).unwrap();
                assert_eq!(schema.complaint(&value), None, "{}", path.display());
            } else {
                assert!(written.lines().all(|line| line.width() <= 80), "{}\n{written}", path.display());
            }
        }
    }
}
