//! The quick look at a message never calls one ordinary that is improper.

mod support;

use proptest::prelude::*;
use support::*;
use turnscope::wire::stun::Message;

fn messages() -> Vec<Vec<u8>> {
    let login = alice();
    let request = Stun::request(method::ALLOCATE).tid([1; 12]).signed(&login, "nonce");
    vec![
        request.bytes(),
        Stun::request(method::BINDING).tid([2; 12]).username("a:b").integrity("pw").fingerprint().bytes(),
        Stun::success(method::BINDING).tid([3; 12]).xor_mapped("192.0.2.1:5000").fingerprint().bytes(),
        Stun::error(method::ALLOCATE, 401, "Unauthorized").tid([4; 12]).realm("example.org").nonce("n").bytes(),
        Stun::success(method::ALLOCATE).tid([5; 12]).xor_relayed("192.0.2.1:5000").bytes(),
    ]
}

#[test]
fn ordinary_messages_are_not_suspect() {
    for bytes in messages() {
        let message = Message::recognise(&bytes, false).unwrap();
        assert!(message.is_proper());
        assert!(!message.fields().suspect, "{bytes:02x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_is_not_suspect_is_proper(which in 0_usize..5, changes in prop::collection::vec((0_usize..200, any::<u8>()), 1..4), cut in 0_usize..8) {
        let mut bytes = messages().swap_remove(which);
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut.min(bytes.len() - 1));
        for message in [Message::recognise(&bytes, false), Message::recognise_on_stun_flow(&bytes, false)].into_iter().flatten() {
            prop_assert!(message.fields().suspect || message.is_proper(), "{:?}", message.problems());
        }
    }
}
