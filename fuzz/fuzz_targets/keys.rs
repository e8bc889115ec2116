#![no_main]
//! Any bytes as a key log, and as hellos and records of TLS and DTLS that it opens; see `turnscope::keys::exercise`.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = turnscope::keys::exercise(bytes);
});
