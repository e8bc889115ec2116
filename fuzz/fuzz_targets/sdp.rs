#![no_main]
//! Any bytes as a file of signalling: SDP, logs, JSON. What is read is within its bounds, reads the same twice, and shows no password.

use libfuzzer_sys::fuzz_target;
use turnscope::session::credentials::Credentials;
use turnscope::session::signalling::{Signalling, compare, looks_like_one, read};
use turnscope::wire::handshake::certificate::Fingerprint;

fuzz_target!(|bytes: &[u8]| {
    let _ = looks_like_one(bytes);
    let Ok(told) = read(bytes, "fuzz.sdp") else { return };
    assert_eq!(read(bytes, "fuzz.sdp").expect("as before").descriptions, told.descriptions);
    assert!((1..=1024).contains(&told.descriptions.len()) && told.warnings.len() <= 101);
    let (mut signalling, mut credentials) = (Signalling::default(), Credentials::default());
    signalling.take(&told, &mut credentials);
    for description in signalling.descriptions() {
        assert!(!description.ufrag.is_empty() && description.candidates.len() <= 256);
        assert!(signalling.of_agent(description.ufrag.as_bytes()).is_some());
        let _ = compare::certificate(description, &[Fingerprint::of(b"certificate")]);
        for candidate in &description.candidates {
            if let Some(address) = candidate.endpoint() {
                assert!(compare::told_as(description, address).count() > 0);
            }
        }
    }
});
