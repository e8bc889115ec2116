//! Messages with known content: the vectors of RFC 5769 and RFC 8489, and examples of the dialects.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::hex as bytes;
use support::vectors::*;
use turnscope::net::Endpoint;
use turnscope::wire::stun::{AttributeCode, Class, Dialect, Fingerprint, Message, Method, Value, nonce};

fn codes(message: &Message<'_>) -> Vec<u16> {
    message.attributes().map(|attribute| attribute.code.0).collect()
}

#[test]
fn the_request_of_rfc_5769_is_read_to_the_last_field() {
    let bytes = bytes(RFC5769_REQUEST);
    let message = Message::recognise(&bytes, false).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
    assert_eq!(message.transaction_id().to_string(), "b7e7a701bc34d686fa87dfae");
    assert_eq!(codes(&message), [0x8022, 0x0024, 0x8029, 0x0006, 0x0008, 0x8028]);
    let fields = message.fields();
    assert_eq!(fields.software, Some(&b"STUN test client"[..]));
    assert_eq!(fields.username, Some(&b"evtj:h6vY"[..]));
    assert_eq!(fields.priority, Some(0x6e00_01ff));
    assert_eq!(fields.controlled, Some(0x932f_f9b1_5126_3b36));
    assert_eq!(fields.integrity, [Some(76), None]);
    assert!(fields.fingerprint && fields.realm.is_none());
    assert_eq!(message.fingerprint(), Some(Fingerprint::Ok));
    assert_eq!(message.problems(), []);
    assert!(message.is_proper() && !message.is_classic() && !message.truncated());
}

#[test]
fn the_responses_of_rfc_5769_give_their_addresses() {
    for (hex, address) in
        [(RFC5769_IPV4, "192.0.2.1:32853"), (RFC5769_IPV6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    {
        let bytes = bytes(hex);
        let message = Message::recognise(&bytes, false).unwrap();
        assert_eq!((message.class(), message.method()), (Class::Success, Method::BINDING));
        assert_eq!(message.fields().xor_mapped.map(|mapped| mapped.to_string()).as_deref(), Some(address));
        let mapped = message.attribute(AttributeCode::XOR_MAPPED_ADDRESS).unwrap();
        assert_eq!(mapped.decode(&message).to_string(), address);
        assert_eq!(message.fingerprint(), Some(Fingerprint::Ok));
        assert!(message.is_proper());
    }
}

#[test]
fn the_long_term_request_of_rfc_5769_has_its_non_ascii_user() {
    let bytes = bytes(RFC5769_LONG_TERM);
    let message = Message::recognise(&bytes, false).unwrap();
    let fields = message.fields();
    assert_eq!(fields.username, Some("マトリックス".as_bytes()));
    assert_eq!(fields.realm, Some(&b"example.org"[..]));
    assert_eq!(fields.nonce, Some(&b"f//499k954d6OL34oL9FSTvy64sA"[..]));
    assert_eq!(message.fingerprint(), None);
    assert!(message.is_proper());
}

#[test]
fn the_published_length_of_rfc_8489_b1_is_refused_and_on_a_stun_flow_told() {
    let mut bytes = bytes(RFC8489_B1);
    assert!(Message::recognise(&bytes, false).is_none());
    let message = Message::recognise_on_stun_flow(&bytes, false).unwrap();
    let [problem] = message.problems()[..] else { panic!("{:?}", message.problems()) };
    assert_eq!((problem.offset, problem.needed, problem.present), (2, 156, 136));
    assert!(!message.is_proper() && !message.truncated());

    bytes[3] = 0x88;
    let message = Message::recognise(&bytes, false).unwrap();
    let fields = message.fields();
    assert_eq!(fields.userhash.map(<[u8]>::len), Some(32));
    assert_eq!(fields.integrity, [None, Some(120)]);
    assert_eq!(nonce::features(fields.nonce.unwrap()).map(|features| features.bits), Some(2));
    assert!(message.is_proper());
}

#[test]
fn an_allocate_request_gives_what_it_asks_for_and_who_asks() {
    let bytes = bytes(REST_ALLOCATE);
    let message = Message::recognise(&bytes, false).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Request, Method::ALLOCATE));
    let fields = message.fields();
    assert_eq!(fields.requested_transport, Some(17));
    assert_eq!(fields.username, Some(&b"1767225600:alice"[..]));
    assert_eq!(fields.nonce, Some(&b"0123456789abcdef"[..]));
    assert!(message.is_proper());
}

#[test]
fn both_integrity_attributes_may_stand_before_the_fingerprint() {
    let bytes = bytes(BOTH_INTEGRITIES);
    let message = Message::recognise(&bytes, false).unwrap();
    assert_eq!(message.fields().integrity, [Some(84), Some(108)]);
    assert_eq!(message.fingerprint(), Some(Fingerprint::Ok));
    assert_eq!(message.problems(), []);
}

#[test]
fn an_ice_check_and_its_answer_are_read() {
    let request = bytes(ICE_CHECK);
    let message = Message::recognise(&request, false).unwrap();
    let fields = message.fields();
    assert_eq!(fields.username, Some(&b"RFRG:LFRG"[..]));
    assert_eq!((fields.priority, fields.controlling), (Some(0x6eff_ffff), Some(0x0001_0203_0405_0607)));
    assert!(fields.use_candidate && fields.controlled.is_none() && message.is_proper());

    let answer = bytes(ICE_ANSWER);
    let answer = Message::recognise(&answer, false).unwrap();
    assert_eq!(answer.transaction_id(), message.transaction_id());
    assert_eq!(answer.fields().xor_mapped, Some(Endpoint::v4([192, 0, 2, 1], 32853)));
}

#[test]
fn a_classic_request_has_128_bits_of_transaction_id() {
    let bytes = bytes(CLASSIC);
    let message = Message::recognise(&bytes, false).unwrap();
    assert!(message.is_classic());
    assert_eq!(message.dialect(), Dialect::Classic);
    assert_eq!(message.transaction_id().to_string(), "00112233445566778899aabbccddeeff");
    assert_eq!(message.fields().username, Some(&b"user1234"[..]));
    assert_eq!(message.fields().integrity, [Some(32), None]);
    assert_eq!(message.problems(), []);
}

#[test]
fn ms_turn_has_unaligned_attributes_and_realm_and_nonce_the_other_way_round() {
    let bytes = bytes(MS_TURN);
    let message = Message::recognise(&bytes, false).unwrap();
    assert_eq!(message.dialect(), Dialect::Microsoft);
    assert!(!message.is_aligned());
    assert_eq!((message.class(), message.method()), (Class::Request, Method::ALLOCATE));
    assert_eq!(codes(&message), [0x000f, 0x8008, 0x0006, 0x0014, 0x0015, 0x0008]);
    let fields = message.fields();
    assert_eq!(fields.nonce, Some(&b"nonce123"[..]));
    assert_eq!(fields.realm, Some(&b"realm"[..]));
    let names: Vec<_> = message.attributes().filter_map(|attribute| attribute.name(&message)).collect();
    assert_eq!(names, ["MAGIC-COOKIE", "MS-VERSION", "USERNAME", "NONCE", "REALM", "MESSAGE-INTEGRITY"]);
    assert_eq!(message.problems(), []);
}

#[test]
fn ms_ice2_and_goog_ping_are_modern_messages() {
    let ice2 = bytes(MS_ICE2);
    let message = Message::recognise(&ice2, false).unwrap();
    assert_eq!(message.dialect(), Dialect::Modern);
    assert_eq!(message.fingerprint(), Some(Fingerprint::Ok));
    let foundation = message.attribute(AttributeCode::CANDIDATE_IDENTIFIER).unwrap();
    assert_eq!(foundation.decode(&message), Value::Text(b"1"));
    assert_eq!(message.problems(), []);

    let ping = bytes(GOOG_PING);
    let message = Message::recognise(&ping, false).unwrap();
    assert_eq!((message.method(), message.class()), (Method::GOOG_PING, Class::Request));
    assert_eq!(message.method().to_string(), "GOOG-PING");
    assert_eq!(message.problems(), []);
}

#[test]
fn microsofts_multiplexing_before_a_message_is_stripped() {
    let mut framed = bytes("ff10005c0123456789abcdef");
    framed.extend(bytes(MS_TURN));
    let message = Message::recognise(&framed, false).unwrap();
    assert_eq!(message.bytes(), &bytes(MS_TURN)[..]);
    assert_eq!(message.problems(), []);
    let mut media = bytes("ff10005c0123456789abcdef80");
    media.resize(100, 7);
    assert!(Message::recognise(&media, false).is_none());
}

#[test]
fn private_methods_and_attributes_are_recognised_by_the_cookie() {
    let call = bytes("080000082112a442000102030405060708090a0b4000000401020304");
    let message = Message::recognise(&call, false).unwrap();
    assert_eq!(message.method().to_string(), "0x200");
    assert_eq!(message.attributes().map(|attribute| attribute.code.0).collect::<Vec<_>>(), [0x4000]);
    assert_eq!(message.problems(), []);
}

#[test]
fn early_turn_is_read_by_the_meaning_its_numbers_had() {
    // Data indication 0x0115 with REMOTE-ADDRESS in clear and DATA, after the cookie attribute.
    let data = bytes("0115001911112222333344445555666677778888000f000472c64bc6001200080001138ac0000205001300010a");
    let message = Message::recognise(&data, false).unwrap();
    assert_eq!((message.method(), message.class()), (Method::DATA, Class::Indication));
    assert_eq!(message.fields().peer, Some(Endpoint::v4([192, 0, 2, 5], 5002)));
    assert_eq!(message.fields().data, Some(&[10][..]));
    assert_eq!(message.problems(), []);
    // Allocate success: MAPPED-ADDRESS is the relayed address.
    let success = bytes("0103001411112222333344445555666677778888000f000472c64bc6000100080001138ac0000205");
    let message = Message::recognise(&success, false).unwrap();
    assert_eq!(message.fields().relayed, [Some(Endpoint::v4([192, 0, 2, 5], 5002)), None]);
    assert_eq!(message.fields().mapped, None);
    // Type 0x0004 is Send, and 0x0006 Set Active Destination.
    let send = bytes("0004000811112222333344445555666677778888000f000472c64bc6");
    assert_eq!(Message::recognise(&send, false).unwrap().method(), Method::SEND);
    let active = bytes("0006000811112222333344445555666677778888000f000472c64bc6");
    assert_eq!(Message::recognise(&active, false).unwrap().method(), Method::SET_ACTIVE_DESTINATION);
}

#[test]
fn a_message_cut_at_each_byte_is_recognised_from_its_header_on_and_has_no_problems() {
    for hex in [RFC5769_REQUEST, BOTH_INTEGRITIES, MS_ICE2, RFC5769_LONG_TERM] {
        let bytes = bytes(hex);
        let whole = Message::recognise(&bytes, false).unwrap();
        for end in 0..bytes.len() {
            let cut = Message::recognise(&bytes[..end], true);
            assert_eq!(cut.is_some(), end >= 20, "cut at {end}");
            assert!(Message::recognise(&bytes[..end], false).is_none(), "cut at {end} without the capture's doing");
            if let Some(cut) = cut {
                assert!(cut.truncated() && cut.problems().is_empty(), "cut at {end}: {:?}", cut.problems());
                assert_eq!(cut.transaction_id(), whole.transaction_id());
                let complete = cut.attributes().filter(|attribute| attribute.is_whole());
                assert!(complete.zip(whole.attributes()).all(|(cut, whole)| cut == whole), "cut at {end}");
                assert_ne!(cut.fingerprint(), Some(Fingerprint::Bad), "cut at {end}");
            }
        }
    }
}

#[test]
fn a_classic_message_cut_short_is_recognised_by_its_first_attribute() {
    let bytes = bytes(CLASSIC);
    for end in 24..bytes.len() {
        let cut = Message::recognise(&bytes[..end], true).unwrap_or_else(|| panic!("cut at {end}"));
        assert!(cut.is_classic() && cut.truncated());
        assert_eq!(cut.problems(), []);
    }
    assert!(Message::recognise(&bytes[..23], true).is_none());
}

#[test]
fn data_cut_by_the_capture_is_still_given_as_far_as_it_goes() {
    let send = bytes("001600142112a442000102030405060708090a0b001200080001a147e112a6430013000401020304");
    let message = Message::recognise(&send[..send.len() - 2], true).unwrap();
    let fields = message.fields();
    assert_eq!((fields.data, fields.data_truncated), (Some(&[1, 2][..]), true));
    assert_eq!(fields.peer, Some(Endpoint::v4([192, 0, 2, 1], 32853)));
}

/// Changes the REST Allocate request at one place, and gives the first problem found on a STUN flow.
fn first_problem(change: impl FnOnce(&mut Vec<u8>)) -> (u32, u32, u32, &'static str) {
    let mut bytes = bytes(REST_ALLOCATE);
    change(&mut bytes);
    let message = Message::recognise_on_stun_flow(&bytes, false).expect("still recognised");
    assert_eq!(message.is_proper(), message.problems().is_empty());
    let problem = *message.problems().first().expect("a problem");
    (problem.offset, problem.needed, problem.present, problem.what)
}

#[test]
fn each_kind_of_damage_is_told_with_its_place_and_numbers() {
    let what = "the message length runs past the datagram";
    assert_eq!(first_problem(|bytes| bytes[3] = 0x5c), (2, 0x5c, 0x58, what));
    let what = "the message length is not a multiple of 4";
    assert_eq!(first_problem(|bytes| bytes[3] = 0x57), (2, 0x58, 0x57, what));
    let what = "the value does not fit the attribute's type";
    assert_eq!(first_problem(|bytes| bytes[23] = 3), (20, 4, 3, what));
    let what = "an attribute runs past the end of the message";
    assert_eq!(first_problem(|bytes| bytes[86] = 0xff), (84, 0xff14, 20, what));
    let what = "bytes in the datagram after the end of the message";
    assert_eq!(first_problem(|bytes| bytes.extend([0; 4])), (108, 0, 4, what));
    let after = |bytes: &mut Vec<u8>| {
        bytes.extend([0x80, 0x22, 0, 0]);
        bytes[3] += 4;
    };
    assert_eq!(first_problem(after), (108, 0, 0, "an attribute after the integrity attribute"));
    assert_eq!(first_problem(|bytes| bytes[27] = 1), (24, 0, 0, "reserved bits are set"));
    let what = "no magic cookie in a message of a form that needs it";
    assert_eq!(first_problem(|bytes| bytes[7] = 0x43), (4, 0x2112_a442, 0x2112_a443, what));
    let short = |bytes: &mut Vec<u8>| {
        bytes.truncate(86);
        bytes[3] = 66;
    };
    assert_eq!(first_problem(short).3, "the message length is not a multiple of 4");
}

#[test]
fn servers_of_rfc_3489_may_add_a_masked_address_to_the_plain_one() {
    let header = "0101001801020304161718191a1b1c1d1e1f2021";
    let [plain, masked] = ["000100080001c000c0a80702", "002000080001c102c1aa0406"];
    let both = bytes(&[header, plain, masked].concat());
    assert_eq!(Message::recognise(&both, false).unwrap().problems(), []);
    let mut alone = bytes(&[header, masked].concat());
    alone[3] = 12;
    let what = "no magic cookie in a message of a form that needs it";
    assert_eq!(Message::recognise(&alone, false).unwrap().problems()[0].what, what);
}

#[test]
fn an_error_response_needs_an_error_code_in_range() {
    let error = |attribute: &str| {
        let attribute = bytes(attribute);
        let mut message = bytes("011300002112a442000102030405060708090a0b");
        message[3] = attribute.len() as u8;
        message.extend(attribute);
        Message::recognise(&message, false).unwrap().problems().first().map(|problem| problem.what)
    };
    assert_eq!(error("000900040000041f"), None);
    assert_eq!(error(""), Some("an error response without ERROR-CODE"));
    assert_eq!(error("0009000400000464"), Some("an error code outside the range of codes"));
    assert_eq!(error("0009000400000701"), Some("an error code outside the range of codes"));
    assert_eq!(error("000900040001041f"), Some("reserved bits are set"));
    assert_eq!(error("000900020000"), Some("the message length is not a multiple of 4"));
}

#[test]
fn a_fingerprint_that_is_not_last_or_does_not_fit_is_told() {
    let mut late = bytes(RFC5769_REQUEST);
    late.extend([0x80, 0x22, 0, 0]);
    late[3] += 4;
    let problems = Message::recognise(&late, false).unwrap().problems();
    assert!(problems.iter().any(|problem| problem.what == "an attribute after FINGERPRINT" && problem.offset == 108));
    let mut changed = bytes(RFC5769_REQUEST);
    changed[30] ^= 1;
    let message = Message::recognise(&changed, false).unwrap();
    assert_eq!((message.fingerprint(), message.problems()), (Some(Fingerprint::Bad), vec![]));
}

#[test]
fn values_longer_than_their_limit_are_told() {
    let with = |code: [u8; 2], length: usize, fill: u8| {
        let mut message = bytes("000100002112a442000102030405060708090a0b");
        message[2..4].copy_from_slice(&u16::try_from(4 + length.next_multiple_of(4)).unwrap().to_be_bytes());
        message.extend(code);
        message.extend(u16::try_from(length).unwrap().to_be_bytes());
        message.extend(vec![fill; length]);
        message.resize(24 + length.next_multiple_of(4), 0);
        Message::recognise(&message, false).unwrap().problems().len()
    };
    assert_eq!(with([0, 6], 512, b'a') + with([0, 0x14], 127, b'a') + with([0, 0x15], 763, 0xff), 0);
    assert_eq!((with([0, 6], 513, b'a'), with([0, 0x14], 128, b'a'), with([0, 0x15], 764, 0xff)), (1, 1, 1));
    assert_eq!((with([0x80, 0x22], 128, b'a'), with([0x80, 3], 256, b'a')), (1, 1));
}

#[test]
fn several_peers_and_both_relayed_addresses_are_given() {
    let permission = bytes("000800182112a442000102030405060708090a0b001200080001a147e112a643001200080001a147e112a642");
    let message = Message::recognise(&permission, false).unwrap();
    assert_eq!(message.fields().peers, 2);
    let peers: Vec<_> = message.peers().map(|peer| peer.to_string()).collect();
    assert_eq!(peers, ["192.0.2.1:32853", "192.0.2.0:32853"]);
    let dual = bytes(
        "010300242112a442000102030405060708090a0b001600080001a147e112a643001600140002a1470113a9fa000102030405060708090a0b",
    );
    let relayed = Message::recognise(&dual, false).unwrap().fields().relayed;
    assert_eq!(relayed.map(|address| address.map(|address| address.is_v6())), [Some(false), Some(true)]);
}
