//! Every row of the attribute tables, decoded from a crafted value: number, name, message it stands in, bytes, JSON, text.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::hex as bytes;
use turnscope::wire::stun::registry::ATTRIBUTES;
use turnscope::wire::stun::{Attribute, Message, Value};

/// The message around a value.
#[derive(Clone, Copy)]
enum In {
    Request,
    Success,
    Error,
    /// A request with PRIORITY before the attribute.
    Check,
    /// A Data indication with an IPv6 peer before the attribute.
    DataV6,
    /// An Allocate request that starts with MAGIC-COOKIE.
    Microsoft,
}

fn message(around: In, code: u16, value: &[u8]) -> Vec<u8> {
    const MODERN: &str = "2112a442000102030405060708090a0b";
    let (start, before) = match around {
        In::Request => ("0003", ""),
        In::Success => ("0103", ""),
        In::Error => ("0113", "000900040000041f"),
        In::Check => ("0001", "002400046effffff"),
        In::DataV6 => ("0017", "00120014000201010113a9fa000102030405060708090a0b"),
        In::Microsoft => ("0003", "000f000472c64bc6"),
    };
    let mut attributes = bytes(before);
    attributes.extend(code.to_be_bytes());
    attributes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    attributes.extend(value);
    let id = if matches!(around, In::Microsoft) { "11112222333344445555666677778888" } else { MODERN };
    if !matches!(around, In::Microsoft) {
        attributes.resize(attributes.len().next_multiple_of(4), 0);
    }
    let mut message = bytes(start);
    message.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    message.extend(bytes(id));
    message.extend(attributes);
    message
}

fn with_last<T>(bytes: &[u8], run: impl FnOnce(&Message<'_>, Attribute<'_>) -> T) -> T {
    let message = Message::recognise(bytes, false).expect("recognised");
    let last = message.attributes().last().expect("an attribute");
    run(&message, last)
}

type Row = (u16, &'static str, In, &'static str, &'static str, &'static str);

const V4: &str = "0001138ac0000205";
const XV4: &str = "00013298e112a647";
const V4_JSON: &str = r#""192.0.2.5:5002""#;
const V4_TEXT: &str = "192.0.2.5:5002";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (0x0000, "", In::Request, "01", r#""01""#, "01"),
    (0x0001, "MAPPED-ADDRESS", In::Success, V4, V4_JSON, V4_TEXT),
    (0x0002, "RESPONSE-ADDRESS", In::Request, V4, V4_JSON, V4_TEXT),
    (0x0003, "CHANGE-REQUEST", In::Request, "00000006", r#"{"change_ip":true,"change_port":true}"#, "other IP and port"),
    (0x0004, "SOURCE-ADDRESS", In::Success, V4, V4_JSON, V4_TEXT),
    (0x0005, "CHANGED-ADDRESS", In::Success, V4, V4_JSON, V4_TEXT),
    (0x0006, "USERNAME", In::Request, "c582c3b3647a", r#""łódz""#, "łódz"),
    (0x0007, "PASSWORD", In::Success, "736563726574", r#"{"hidden":true,"length":6}"#, "(6 bytes, not shown)"),
    (0x0008, "MESSAGE-INTEGRITY", In::Request, "0102030405060708090a0b0c0d0e0f1011121314", r#""0102030405060708090a0b0c0d0e0f1011121314""#, "0102030405060708090a0b0c0d0e0f1011121314"),
    (0x0009, "ERROR-CODE", In::Error, "0000041f496e74656772697479", r#"{"code":431,"reason":"Integrity"}"#, "431 Integrity"),
    (0x000a, "UNKNOWN-ATTRIBUTES", In::Error, "001a7fff", r#"{"types":["0x001a","0x7fff"]}"#, "DONT-FRAGMENT, 0x7fff"),
    (0x000b, "REFLECTED-FROM", In::Success, V4, V4_JSON, V4_TEXT),
    (0x000c, "CHANNEL-NUMBER", In::Request, "40010000", "16385", "0x4001"),
    (0x000d, "LIFETIME", In::Request, "00000258", "600", "600 s"),
    (0x000e, "MS-ALTERNATE-SERVER", In::Microsoft, V4, V4_JSON, V4_TEXT),
    (0x000f, "MAGIC-COOKIE", In::Request, "72c64bc6", r#""0x72c64bc6""#, "0x72c64bc6"),
    (0x0010, "BANDWIDTH", In::Request, "00000080", "128", "128 kbit/s"),
    (0x0011, "DESTINATION-ADDRESS", In::Microsoft, V4, V4_JSON, V4_TEXT),
    (0x0012, "XOR-PEER-ADDRESS", In::Request, XV4, V4_JSON, V4_TEXT),
    (0x0012, "REMOTE-ADDRESS", In::Microsoft, V4, V4_JSON, V4_TEXT),
    (0x0013, "DATA", In::Request, "00ff", r#""00ff""#, "00ff"),
    (0x0014, "REALM", In::Request, "6578", r#""ex""#, "ex"),
    (0x0014, "NONCE", In::Microsoft, "6578", r#""ex""#, "ex"),
    (0x0015, "NONCE", In::Request, "6eff", r#"{"hex":"6eff"}"#, r"n\xff"),
    (0x0015, "REALM", In::Microsoft, "6e1b", r#""n\u001b""#, r"n\u{1b}"),
    (0x0016, "XOR-RELAYED-ADDRESS", In::Success, XV4, V4_JSON, V4_TEXT),
    (0x0016, "REQUESTED-ADDRESS-TYPE", In::Request, "00000001", "1", "1"),
    (0x0017, "REQUESTED-ADDRESS-FAMILY", In::Request, "02000000", "2", "IPv6"),
    (0x0018, "EVEN-PORT", In::Request, "80", r#"{"even":true,"reserve_next":true,"preserve":false}"#, "even port, reserve the next"),
    (0x0018, "REQUESTED-PROPS", In::Request, "a0000000", r#"{"even":true,"reserve_next":false,"preserve":true}"#, "even port, preserve"),
    (0x0019, "REQUESTED-TRANSPORT", In::Request, "11000000", "17", "UDP"),
    (0x001a, "DONT-FRAGMENT", In::Request, "", "true", "yes"),
    (0x001b, "ACCESS-TOKEN", In::Request, "0002aabbc0c1000102030405060708090a0b0c0d0e0f", r#"{"nonce":"aabb","ciphertext":"c0c1","tag":"000102030405060708090a0b0c0d0e0f"}"#, "nonce aabb, 2 bytes encrypted, tag 000102030405060708090a0b0c0d0e0f"),
    (0x001c, "MESSAGE-INTEGRITY-SHA256", In::Request, "000102030405060708090a0b0c0d0e0f", r#""000102030405060708090a0b0c0d0e0f""#, "000102030405060708090a0b0c0d0e0f"),
    (0x001d, "PASSWORD-ALGORITHM", In::Request, "00020000", r#"{"algorithm":2,"name":"SHA-256"}"#, "SHA-256"),
    (0x001e, "USERHASH", In::Request, "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f", r#""000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f""#, "000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"),
    (0x001f, "", In::Request, "01", r#""01""#, "01"),
    (0x0020, "XOR-MAPPED-ADDRESS", In::Success, XV4, V4_JSON, V4_TEXT),
    (0x0021, "TIMER-VAL", In::Request, "0000003c", "60", "60"),
    (0x0021, "XOR-ONLY", In::Request, "", "true", "yes"),
    (0x0022, "RESERVATION-TOKEN", In::Success, "0001020304050607", r#""0001020304050607""#, "0001020304050607"),
    (0x0022, "REQUESTED-IP", In::Microsoft, V4, V4_JSON, V4_TEXT),
    (0x0023, "CONNECT-STAT", In::Request, "00000001", "1", "1"),
    (0x0024, "PRIORITY", In::Request, "6e0001ff", "1845494271", "1845494271 (type 110, local 1, component 1)"),
    (0x0025, "USE-CANDIDATE", In::Check, "", "true", "yes"),
    (0x0026, "PADDING", In::Request, "00000000", r#""00000000""#, "00000000"),
    (0x0027, "RESPONSE-PORT", In::Request, "138a0000", "5002", "5002"),
    (0x0027, "XOR-RESPONSE-TARGET", In::Request, XV4, V4_JSON, V4_TEXT),
    (0x0028, "XOR-REFLECTED-FROM", In::Success, XV4, V4_JSON, V4_TEXT),
    (0x0029, "", In::Request, "01", r#""01""#, "01"),
    (0x002a, "CONNECTION-ID", In::Success, "00000007", r#""0x00000007""#, "0x00000007"),
    (0x0030, "LEGACY-ICMP", In::Request, "03010000", r#"{"type":3,"code":1,"data":0}"#, "type 3, code 1"),
    (0x0101, "", In::Request, "01", r#""01""#, "01"),
    (0x0103, "", In::Request, "01", r#""01""#, "01"),
    (0x0800, "", In::Request, "01", r#""01""#, "01"),
    (0x24df, "", In::Request, "01", r#""01""#, "01"),
    (0x3802, "", In::Request, "01", r#""01""#, "01"),
    (0x4000, "", In::Request, "01", r#""01""#, "01"),
    (0x4001, "", In::Request, "01", r#""01""#, "01"),
    (0x4002, "", In::Request, "01", r#""01""#, "01"),
    (0x4003, "", In::Request, "01", r#""01""#, "01"),
    (0x4004, "", In::Request, "01", r#""01""#, "01"),
    (0x4007, "", In::Request, "01", r#""01""#, "01"),
    (0x8000, "ADDITIONAL-ADDRESS-FAMILY", In::Request, "02000000", "2", "IPv6"),
    (0x8000, "ADDITIONAL-ADDRESS-FAMILY", In::Microsoft, V4, V4_JSON, V4_TEXT),
    (0x8001, "ADDRESS-ERROR-CODE", In::Success, "020004286e6f", r#"{"family":2,"code":440,"reason":"no"}"#, "IPv6: 440 no"),
    (0x8001, "OPTIONS", In::Microsoft, "00000001", r#""0x00000001""#, "0x00000001"),
    (0x8002, "PASSWORD-ALGORITHMS", In::Error, "0002000000010000", r#"{"algorithms":[{"algorithm":2,"name":"SHA-256"},{"algorithm":1,"name":"MD5"}]}"#, "SHA-256, MD5"),
    (0x8002, "PASSWORD-ALGORITHMS", In::Error, "00070001ee000000", r#"{"algorithms":[{"algorithm":7,"parameters":"ee"}]}"#, "algorithm 7"),
    (0x8003, "ALTERNATE-DOMAIN", In::Error, "612e62", r#""a.b""#, "a.b"),
    (0x8004, "ICMP", In::Request, "0000030400000578", r#"{"type":3,"code":4,"data":1400}"#, "type 3, code 4, data 1400"),
    (0x8004, "ICMP", In::Request, "0000060100000000", r#"{"type":3,"code":1,"data":0}"#, "type 3, code 1"),
    (0x8004, "ICMP", In::Request, "0000160000000000", r#"{"type":11,"code":0,"data":0}"#, "type 11, code 0"),
    (0x8004, "ICMP", In::DataV6, "0000020000000500", r#"{"type":2,"code":0,"data":1280}"#, "type 2, code 0, data 1280"),
    (0x8004, "ICMP", In::DataV6, "0000020300000000", r#"{"type":1,"code":3,"data":0}"#, "type 1, code 3"),
    (0x8004, "ICMP", In::DataV6, "0000060000000000", r#"{"type":3,"code":0,"data":0}"#, "type 3, code 0"),
    (0x8006, "", In::Microsoft, "01", r#""01""#, "01"),
    (0x8008, "MS-VERSION", In::Microsoft, "00000003", "3", "3 (MS-ICE2 with SHA-256)"),
    (0x8010, "BANDWIDTH", In::Request, "00000080", "128", "128 kbit/s"),
    (0x8020, "XOR-MAPPED-ADDRESS", In::Success, XV4, V4_JSON, V4_TEXT),
    (0x8020, "XOR-MAPPED-ADDRESS", In::Microsoft, "0001029bd1112027", V4_JSON, V4_TEXT),
    (0x8022, "SOFTWARE", In::Request, "436f7475726e", r#""Coturn""#, "Coturn"),
    (0x8023, "ALTERNATE-SERVER", In::Error, V4, V4_JSON, V4_TEXT),
    (0x8024, "", In::Request, "01", r#""01""#, "01"),
    (0x8025, "TRANSACTION-TRANSMIT-COUNTER", In::Request, "00000201", r#"{"requests":2,"responses":1}"#, "copy 2 of the request, copy 1 of the response"),
    (0x8026, "", In::Request, "01", r#""01""#, "01"),
    (0x8027, "CACHE-TIMEOUT", In::Request, "0000000a", "10", "10 s"),
    (0x8028, "FINGERPRINT", In::Request, "e57a3bcf", r#""0xe57a3bcf""#, "0xe57a3bcf"),
    (0x8029, "ICE-CONTROLLED", In::Request, "932ff9b151263b36", r#""0x932ff9b151263b36""#, "0x932ff9b151263b36"),
    (0x802a, "ICE-CONTROLLING", In::Request, "932ff9b151263b36", r#""0x932ff9b151263b36""#, "0x932ff9b151263b36"),
    (0x802b, "RESPONSE-ORIGIN", In::Success, V4, V4_JSON, V4_TEXT),
    (0x802c, "OTHER-ADDRESS", In::Success, V4, V4_JSON, V4_TEXT),
    (0x802d, "ECN-CHECK", In::Check, "00000005", r#"{"ecf":2,"valid":true}"#, "ECN 2, valid"),
    (0x802e, "THIRD-PARTY-AUTHORIZATION", In::Error, "612e62", r#""a.b""#, "a.b"),
    (0x802e, "MOBILITY-TICKET", In::Request, "612e62", r#""612e62""#, "612e62"),
    (0x802f, "ORIGIN", In::Request, "612e62", r#""a.b""#, "a.b"),
    (0x8030, "MOBILITY-TICKET", In::Request, "", r#""""#, ""),
    (0x8032, "MS-ALTERNATE-HOST-NAME", In::Microsoft, "612e62", r#""a.b""#, "a.b"),
    (0x8036, "", In::Microsoft, "01", r#""01""#, "01"),
    (0x8037, "MS-APP-ID", In::Microsoft, "0102", r#""0102""#, "0102"),
    (0x8039, "MS-SECURE-TAG", In::Microsoft, "0102", r#""0102""#, "0102"),
    (0x8041, "PD", In::Request, "0102", r#""0102""#, "0102"),
    (0x8050, "MS-SEQUENCE-NUMBER", In::Microsoft, "0102030405060708090a0b0c0d0e0f101112131400000009", r#"{"connection_id":"0102030405060708090a0b0c0d0e0f1011121314","sequence":9}"#, "connection 0102030405060708090a0b0c0d0e0f1011121314, number 9"),
    (0x8054, "CANDIDATE-IDENTIFIER", In::Check, "31320000", r#""12""#, "12"),
    (0x8055, "MS-SERVICE-QUALITY", In::Microsoft, "00020001", r#"{"stream":2,"reliable":1}"#, "video, reliable"),
    (0x8055, "MS-SERVICE-QUALITY", In::Request, "40000000", r#""40000000""#, "40000000"),
    (0x8056, "BANDWIDTH-ADMISSION-CONTROL-MESSAGE", In::Microsoft, "00000001", "1", "commit"),
    (0x8057, "BANDWIDTH-RESERVATION-IDENTIFIER", In::Microsoft, "000102030405060708090a0b0c0d0e0f", r#""000102030405060708090a0b0c0d0e0f""#, "000102030405060708090a0b0c0d0e0f"),
    (0x8058, "BANDWIDTH-RESERVATION-AMOUNT", In::Microsoft, "00000004000000030000000200000001", r#"{"max_send":4,"min_send":3,"max_receive":2,"min_receive":1}"#, "send 3 to 4 kbit/s, receive 1 to 2 kbit/s"),
    (0x8059, "REMOTE-SITE-ADDRESS", In::Request, XV4, V4_JSON, V4_TEXT),
    (0x805a, "REMOTE-RELAY-SITE-ADDRESS", In::Request, XV4, V4_JSON, V4_TEXT),
    (0x805b, "LOCAL-SITE-ADDRESS", In::Request, XV4, V4_JSON, V4_TEXT),
    (0x805c, "LOCAL-RELAY-SITE-ADDRESS", In::Request, XV4, V4_JSON, V4_TEXT),
    (0x805d, "REMOTE-SITE-ADDRESS-RESPONSE", In::Success, "c00000000000000200000001", r#"{"valid":true,"pstn":true,"max_send":2,"max_receive":1}"#, "valid, PSTN, send up to 2 kbit/s, receive up to 1 kbit/s"),
    (0x805e, "REMOTE-RELAY-SITE-ADDRESS-RESPONSE", In::Success, "c00000000000000200000001", r#"{"valid":true,"pstn":false,"max_send":2,"max_receive":1}"#, "valid, send up to 2 kbit/s, receive up to 1 kbit/s"),
    (0x805f, "LOCAL-SITE-ADDRESS-RESPONSE", In::Success, "400000000000000200000001", r#"{"valid":false,"pstn":true,"max_send":2,"max_receive":1}"#, "not valid, PSTN, send up to 2 kbit/s, receive up to 1 kbit/s"),
    (0x8060, "LOCAL-RELAY-SITE-ADDRESS-RESPONSE", In::Success, "800000000000000200000001", r#"{"valid":true,"pstn":false,"max_send":2,"max_receive":1}"#, "valid, send up to 2 kbit/s, receive up to 1 kbit/s"),
    (0x8061, "SIP-DIALOG-IDENTIFIER", In::Request, "0102", r#""0102""#, "0102"),
    (0x8062, "SIP-CALL-IDENTIFIER", In::Request, "0102", r#""0102""#, "0102"),
    (0x8068, "LOCATION-PROFILE", In::Request, "01020100", r#"{"peer":1,"self":2,"federation":1}"#, "peer Internet, self intranet, federation enterprise"),
    (0x8070, "IMPLEMENTATION-VERSION", In::Check, "00000002", "2", "2 (RFC 3489bis-02 formats)"),
    (0x8072, "TRANSACTION-TRANSMIT-COUNTER", In::Request, "00000201", r#"{"requests":2,"responses":1}"#, "copy 2 of the request, copy 1 of the response"),
    (0x8090, "MS-ALTERNATE-MAPPED-ADDRESS", In::Success, V4, V4_JSON, V4_TEXT),
    (0x8095, "MS-MULTIPLEXED-TURN-SESSION-ID", In::Request, "0001020304050607", r#""0x0001020304050607""#, "0x0001020304050607"),
    (0xc000, "CISCO-STUN-FLOWDATA", In::Request, "0102", r#""0102""#, "0102"),
    (0xc001, "ENF-FLOW-DESCRIPTION", In::Request, "30020000", r#"{"type":3,"max_bandwidth":512}"#, "type 3, at most 512"),
    (0xc001, "NOMINATION", In::Check, "00000005", "5", "5"),
    (0xc001, "CONNECTION-REQUEST-BINDING", In::Request, "64736c666f72756d2e6f72672f54522d31313120", r#""dslforum.org/TR-111 ""#, "dslforum.org/TR-111 "),
    (0xc002, "ENF-NETWORK-STATUS", In::Request, "8003000000100020", r#"{"flags":128,"nodes":3,"up_max":16,"down_max":32}"#, "flags 0x80, 3 nodes, up 16, down 32"),
    (0xc002, "BINDING-CHANGE", In::Request, "", "true", "yes"),
    (0xc003, "CISCO-WEBEX-FLOW-INFO", In::Request, "0102", r#""0102""#, "0102"),
    (0xc056, "CITRIX-TRANSACTION-ID", In::Request, "0102", r#""0102""#, "0102"),
    (0xc057, "GOOG-NETWORK-INFO", In::Check, "00010384", r#"{"network_id":1,"cost":900}"#, "network 1, cost 900 (cellular)"),
    (0xc058, "GOOG-LAST-ICE-CHECK-RECEIVED", In::Check, "000102030405060708090a0b", r#""000102030405060708090a0b""#, "000102030405060708090a0b"),
    (0xc059, "GOOG-MISC-INFO", In::Check, "0001", r#"{"goog_ping_version":1,"values":[1]}"#, "1"),
    (0xc05a, "GOOG-OBSOLETE-1", In::Check, "01", r#""01""#, "01"),
    (0xc05b, "GOOG-CONNECTION-ID", In::Check, "00000001", "1", "1"),
    (0xc05c, "GOOG-DELTA", In::Check, "01", r#""01""#, "01"),
    (0xc05d, "GOOG-DELTA-ACK", In::Check, "0000000000000001", r#""0x0000000000000001""#, "0x0000000000000001"),
    (0xc05e, "GOOG-DELTA-SYNC-REQ", In::Check, "01", r#""01""#, "01"),
    (0xc060, "GOOG-MESSAGE-INTEGRITY-32", In::Request, "01020304", r#""01020304""#, "01020304"),
    (0xc070, "META-DTLS-IN-STUN", In::Check, "16feff", r#""16feff""#, "16feff"),
    (0xc071, "META-DTLS-IN-STUN-ACKNOWLEDGEMENT", In::Check, "0000000100000002", r#"{"crc32":["0x00000001","0x00000002"]}"#, "0x00000001, 0x00000002"),
    (0xff00, "RETRANSMIT-COUNT", In::Check, "00000003", "3", "3"),
    (0xff03, "", In::Request, "01", r#""01""#, "01"),
    (0xff04, "GOOG-MULTI-MAPPING", In::Request, "0102", r#""0102""#, "0102"),
    (0xff05, "GOOG-LOGGING-ID", In::Request, "6162", r#""ab""#, "ab"),
];

#[test]
fn every_row_is_decoded_to_its_typed_value_and_to_nothing_improper() {
    for &(code, name, around, value, json, text) in ROWS {
        let bytes = message(around, code, &bytes(value));
        with_last(&bytes, |message, attribute| {
            let value = attribute.decode(message);
            assert_eq!(attribute.code.0, code);
            assert_eq!(attribute.name(message).unwrap_or(""), name, "0x{code:04x}");
            assert_eq!(serde_json::to_string(&value).unwrap(), json, "0x{code:04x}");
            assert_eq!(value.to_string(), text, "0x{code:04x}");
            assert!(!matches!(value, Value::Opaque(_)), "0x{code:04x} is known");
            let problems = message.problems();
            let at = u32::try_from(attribute.offset).unwrap();
            let own = problems.iter().find(|problem| problem.offset == at);
            assert_eq!(own, None, "0x{code:04x}");
        });
    }
}

#[test]
fn every_row_of_the_registry_has_a_value_to_decode() {
    for row in ATTRIBUTES {
        assert!(ROWS.iter().any(|&(code, ..)| code == row.code.0), "{} 0x{:04x}", row.name, row.code.0);
    }
}

#[test]
fn unknown_types_keep_their_number_and_bytes() {
    for code in [0x0031, 0x002b, 0x7abc, 0x8031, 0xc05f, 0xffff] {
        let bytes = message(In::Request, code, &[0xde, 0xad]);
        with_last(&bytes, |message, attribute| {
            assert_eq!(attribute.decode(message), Value::Opaque(&[0xde, 0xad]));
            assert_eq!(attribute.code.to_string(), format!("0x{code:04x}"));
            assert_eq!(message.problems(), []);
            assert_eq!(attribute.code.is_required(), code < 0x8000);
        });
    }
}

#[test]
fn values_of_a_length_that_does_not_fit_stay_bytes_and_are_told() {
    for &(code, _, around, value, ..) in ROWS {
        // Only the types whose length is fixed.
        let known_lengths: Vec<usize> = ROWS.iter().filter(|row| row.0 == code).map(|row| row.3.len() / 2).collect();
        let mut long = bytes(value);
        long.extend([0; 37]);
        let long_message = message(around, code, &long);
        with_last(&long_message, |message, attribute| {
            let opaque = attribute.decode(message) == Value::Opaque(&long);
            let told =
                message.problems().iter().any(|problem| problem.what == "the value does not fit the attribute's type");
            assert_eq!(opaque, told, "0x{code:04x} with {} bytes, known {known_lengths:?}", long.len());
        });
    }
}

#[test]
fn half_a_password_is_not_shown_either() {
    let bytes = message(In::Success, 0x0007, b"secret-secret-12");
    let message = Message::recognise(&bytes[..bytes.len() - 8], true).unwrap();
    let password = message.attributes().last().unwrap();
    assert_eq!(password.decode(&message), Value::Hidden(8));
    assert!(!format!("{password:?} {:?} {message:?}", password.decode(&message)).contains("secret"));
}
