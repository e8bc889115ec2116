//! Any bytes as a capture, all the way: analysed with a credential, then rendered in every form that a report has.
#![no_main]

use turnscope::render::{json, text};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(report) = turnscope::analyzer::exercise(bytes) else { return };
    json::report(&mut std::io::sink(), &report).expect("a sink takes everything");
    let options = text::Options { detail: text::Detail::Verbose, ..text::Options::default() };
    assert!(!text::report(&report, &options).contains('\x1b'), "a capture drives no terminal");
});
