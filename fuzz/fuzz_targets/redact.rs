//! Any bytes as a capture, redacted; what comes out can be read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(written) = turnscope::redact::exercise(bytes) else { return };
    assert!(turnscope::capture::exercise(&written) < u64::MAX);
});
