//! Messages, sound and damaged, read by this dissector and by an independent one (stun-types).
//!
//! Where the other accepts, class, method, transaction id and attributes are the same; where it refuses, we recognise nothing or report a
//! problem or a bad FINGERPRINT.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use stun_types::message::{Message as Theirs, MessageClass};
use turnscope::wire::stun::{Class, Fingerprint, Message};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

fn build(message_type: u16, id: [u8; 12], attributes: &[(u16, Vec<u8>)], with_fingerprint: bool) -> Vec<u8> {
    let mut message = message_type.to_be_bytes().to_vec();
    message.extend([0, 0]);
    message.extend(COOKIE);
    message.extend(id);
    for (code, value) in attributes {
        message.extend(code.to_be_bytes());
        message.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        message.extend(value);
        message.resize(message.len().next_multiple_of(4), 0x20);
    }
    let length = message.len() - 20 + if with_fingerprint { 8 } else { 0 };
    message[2..4].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    if with_fingerprint {
        let checksum = crc32fast::hash(&message) ^ 0x5354_554e;
        message.extend([0x80, 0x28, 0, 4]);
        message.extend(checksum.to_be_bytes());
    }
    message
}

fn theirs_class(class: MessageClass) -> Class {
    match class {
        MessageClass::Request => Class::Request,
        MessageClass::Indication => Class::Indication,
        MessageClass::Success => Class::Success,
        MessageClass::Error => Class::Error,
    }
}

fn compare(bytes: &[u8]) {
    let ours = Message::recognise_on_stun_flow(bytes, false);
    let Ok(theirs) = Theirs::from_bytes(bytes) else {
        if let Some(ours) = ours.filter(|ours| !ours.is_classic()) {
            let sound = ours.is_proper() && ours.fingerprint() != Some(Fingerprint::Bad);
            assert!(!sound, "they refuse what we find proper: {bytes:02x?}");
        }
        return;
    };
    let ours = ours.unwrap_or_else(|| panic!("they accept what we do not recognise: {bytes:02x?}"));
    assert_eq!(ours.class(), theirs_class(theirs.class()));
    assert_eq!(ours.method().0, theirs.method().value());
    let id: u128 = theirs.transaction_id().into();
    assert_eq!(ours.transaction_id().to_string(), format!("{id:024x}"));
    if ours.trailing() > 0 {
        assert!(!ours.is_proper());
        return; // they go on reading attributes past the end of the message
    }
    let list: Vec<(usize, u16, &[u8])> = ours.attributes().map(|ours| (ours.offset, ours.code.0, ours.value)).collect();
    let their_attributes: Vec<_> = theirs.iter_attributes().collect();
    let their_list: Vec<(usize, u16, &[u8])> =
        their_attributes.iter().map(|(offset, raw)| (*offset, raw.header.get_type().value(), &*raw.value)).collect();
    if list != their_list {
        // They drop without a word what follows the integrity attributes and FINGERPRINT; we keep it and tell.
        assert!(list.starts_with(&their_list), "{list:02x?}\n{their_list:02x?}");
        assert!(!ours.is_proper(), "{bytes:02x?}");
    }
}

fn attribute() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let code = prop_oneof![
        Just(0x0006u16),
        Just(0x0008),
        Just(0x0009),
        Just(0x0012),
        Just(0x0013),
        Just(0x0014),
        Just(0x001c),
        Just(0x0020),
        Just(0x8022),
        Just(0x8028),
        any::<u16>()
    ];
    (code, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(code, mut value)| {
        match code {
            0x0008 => value.resize(20, 7),
            0x001c => value.resize(32, 7),
            _ => {}
        }
        (code, value)
    })
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let attributes = prop::collection::vec(attribute(), 0..8);
    (0..0x4000u16, any::<[u8; 12]>(), attributes, any::<bool>())
        .prop_map(|(kind, id, attributes, fingerprint)| build(kind, id, &attributes, fingerprint))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn both_read_the_same_from_messages(bytes in message()) {
        compare(&bytes);
    }

    #[test]
    fn both_judge_alike_of_messages_with_one_byte_changed(
        bytes in message(), at in any::<prop::sample::Index>(), to in any::<u8>()
    ) {
        let mut bytes = bytes;
        let at = at.index(bytes.len());
        bytes[at] = to;
        compare(&bytes);
    }

    #[test]
    fn both_judge_alike_of_messages_with_wrong_lengths(bytes in message(), length in 0..200u16, more in 0..9usize) {
        let mut bytes = bytes;
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes.extend(std::iter::repeat_n(0, more));
        compare(&bytes);
    }
}

#[test]
fn both_judge_alike_of_a_message_cut_at_each_byte() {
    let attributes =
        [(0x0006, b"user".to_vec()), (0x8022, b"software".to_vec()), (0x0013, vec![1, 2, 3]), (0x0008, vec![9; 20])];
    let whole = build(0x0001, [7; 12], &attributes, true);
    for end in 0..=whole.len() {
        compare(&whole[..end]);
    }
}
