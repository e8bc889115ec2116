//! A message of any bytes against one credential of every kind: no panic, and nothing but a key verifies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use turnscope::session::credentials::{Credentials, Identity, Limits};
use turnscope::wire::stun::Message;

const CREDENTIALS: &str = r#"
[[credential]]
username = "u"
password = "Pass\u00e9"
[[credential]]
shared_secret = "north"
[[credential]]
ice_ufrag = "u"
ice_pwd = "0123456789012345678901"
[[credential]]
key = "8493fbc53ba582fb4c044c456bdc40eb"
"#;

thread_local! {
    /// Kept from one input to the next, with tight limits, so that what is kept is fuzzed too.
    static KEPT: RefCell<Credentials> = RefCell::new({
        let limits = Limits { identities: 4, keys: 16, keys_of_identity: 3, identity_bytes: 24, ..Limits::default() };
        let mut credentials = Credentials::with_limits(limits);
        credentials.add_toml(CREDENTIALS, "fuzz.toml").expect("credentials");
        credentials.add_passwords(b"one\ntwo\n".to_vec(), "words.txt").expect("a list");
        credentials
    });
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, payload)) = data.split_first() else { return };
    let Some(message) = Message::recognise_on_stun_flow(payload, flags & 1 != 0) else { return };
    let identity = if flags & 2 == 0 { Identity::of(&message.fields()) } else { Identity::default() };
    KEPT.with_borrow_mut(|credentials| {
        let first = credentials.check(&message, &identity);
        assert_eq!(first, credentials.check(&message, &identity), "the same message, another verdict");
    });
});
