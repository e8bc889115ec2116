#![no_main]
//! What stands beside packets, by the first byte: a DNS message, a log, a deployment or a file of credentials in any form. Nothing panics, bounds
//! hold, and what a log keeps is printable.

use libfuzzer_sys::fuzz_target;
use turnscope::session::credentials::Credentials;
use turnscope::{logs, session::deployment, wire::dns};

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    match kind % 4 {
        0 => _ = dns::exercise(rest),
        1 => _ = logs::exercise(rest),
        2 => _ = std::str::from_utf8(rest).map(deployment::exercise),
        _ => _ = std::str::from_utf8(rest).map(|text| Credentials::default().add_file(text, "fuzz.toml").is_ok()),
    }
});
