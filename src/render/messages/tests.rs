use super::*;
use crate::event::{Hop, Hops, IcmpAnswer, Via};
use crate::net::{Endpoint, PeerAddress, RelayedAddress};
use crate::packet::IcmpKind;
use crate::report;
use crate::secret::Secret;
use crate::session::credentials::Integrity;
use crate::time::{Span, Timestamp};
use crate::wire::dtls::{Record, Records};
use crate::wire::stun::integrity::Algorithm;
use crate::wire::turn::ChannelData;

const EVIL: &str = "a\x1b[2J,\"b\"\r\n=1+1";

/// A fatal bad_certificate.
const ALERT: &[u8] = &[21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 7, 0, 2, 2, 42];
const SERVER_HELLO_DONE: &[u8] = &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 8, 0, 12, 14, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0];
/// 100 bytes of a Certificate from byte 1000 on, of which 4 are in the record.
const BROKEN: &[u8] =
    &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 16, 11, 0, 8, 0, 0, 2, 0, 3, 0xe8, 0, 0, 100, 1, 2, 3, 4];

fn dtls(bytes: &[u8]) -> Record<'_> {
    Records::on_dtls_flow(bytes, false, None).unwrap().next().unwrap()
}

/// A message with cookie of this type and these attributes.
fn bytes(message_type: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (code, value) in attributes {
        body.extend_from_slice(&code.to_be_bytes());
        body.extend_from_slice(&(value.len() as u16).to_be_bytes());
        body.extend_from_slice(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut message = message_type.to_be_bytes().to_vec();
    message.extend_from_slice(&(body.len() as u16).to_be_bytes());
    message.extend_from_slice(&0x2112_a442_u32.to_be_bytes());
    message.extend(1..=12);
    message.extend(body);
    message
}

fn event(body: Body<'_>) -> Event<'_> {
    Event {
        frame: 1458,
        time: Timestamp(1_714_564_800_123_456_000),
        digits: 6,
        src: Endpoint::v4([10, 88, 246, 156], 3478),
        dst: Endpoint::v4([172, 16, 84, 124], 58444),
        transport: Transport::Udp,
        framing: crate::event::Framing::default(),
        hops: Hops::default(),
        truncated: false,
        ip_id: 0,
        copy: false,
        ttl: 64,
        body,
    }
}

static NONE: std::sync::LazyLock<Credentials> = std::sync::LazyLock::new(Credentials::default);

fn row<'a>(event: &'a Event<'a>) -> Row<'a> {
    Row {
        capture: 0,
        event,
        integrity: &[],
        request_frame: None,
        rtt: None,
        retransmission_of: None,
        icmp: None,
        credentials: &NONE,
    }
}

fn stun(bytes: &[u8]) -> Body<'_> {
    Body::Stun(Message::recognise(bytes, false).expect("STUN"))
}

fn write(format: Format, rows: &[&Row<'_>]) -> String {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, format, false);
    for row in rows {
        writer.row(row).unwrap();
    }
    writer.flush().unwrap();
    String::from_utf8(out).unwrap()
}

fn error_response() -> Vec<u8> {
    bytes(
        0x0113,
        &[
            (0x0009, b"\0\0\x04\x1fIntegrity Check Failure"),
            (0x0006, b"turnuser"),
            (0x0014, b"turnuser"),
            (0x0008, &[7; 20]),
        ],
    )
}

#[test]
fn a_message_has_the_fields_of_the_interface_in_their_order() {
    let bytes = error_response();
    let event = event(stun(&bytes));
    let row = Row {
        integrity: &[Integrity { algorithm: Algorithm::Sha1, status: Status::Mismatch { tried: 2 } }],
        request_frame: Some(1457),
        rtt: Some(Span::from_millis(21)),
        retransmission_of: Some(1450),
        icmp: Some(IcmpAnswer {
            frame: 1460,
            sender: [192, 0, 2, 1].into(),
            kind: IcmpKind { v6: false, kind: 3, code: 3 },
        }),
        ..row(&event)
    };
    let line = write(Format::Jsonl, &[&row]);
    let expected = concat!(
        r#"{"capture":0,"frame":1458,"time":"2024-05-01T12:00:00.123456Z","time_ns":1714564800123456000,"#,
        r#""src":"10.88.246.156:3478","dst":"172.16.84.124:58444","layers":["udp","stun"],"protocol":"stun","#,
        r#""class":"error","method":"Allocate","classic":false,"transaction_id":"0102030405060708090a0b0c","#,
        r#""attributes":[{"type":"0x0009","name":"ERROR-CODE","value":{"code":431,"reason":"Integrity Check Failure"}},"#,
        r#"{"type":"0x0006","name":"USERNAME","value":"turnuser"},{"type":"0x0014","name":"REALM","value":"turnuser"},"#,
        r#"{"type":"0x0008","name":"MESSAGE-INTEGRITY","value":"0707070707070707070707070707070707070707"}],"#,
        r#""error":{"code":431,"reason":"Integrity Check Failure"},"#,
        r#""integrity":[{"algorithm":"sha1","status":"mismatch","credential":null,"tried":2}],"#,
        r#""request_frame":1457,"rtt_us":21000,"retransmission_of":1450,"#,
        r#""icmp":{"frame":1460,"sender":"192.0.2.1","error":"port unreachable"}}"#,
        "\n"
    );
    assert_eq!(line, expected);
}

#[test]
fn every_row_is_what_the_published_type_says() {
    let plain = error_response();
    let odd = bytes(
        0x3c_01,
        &[(0x0006, EVIL.as_bytes()), (0x0014, b"\xff\xfe"), (0x7777, &[1, 2]), (0x8022, "東京\u{202e}".as_bytes())],
    );
    let mut broken = bytes(0x0001, &[(0x0006, b"abcd")]);
    broken[23] = 200;
    let inside = Hops::default()
        .through(Hop {
            via: Via::Channel(0x4001),
            peer: Some(PeerAddress(Endpoint::v6([0x20; 16], 5000))),
            relayed: Some(RelayedAddress(Endpoint::v4([192, 0, 2, 7], 49160))),
            outward: true,
        })
        .unwrap();
    let bodies = [
        Some(stun(&plain)),
        Message::recognise_on_stun_flow(&odd, false).map(Body::Stun),
        Message::recognise_on_stun_flow(&broken, false).map(Body::Stun),
        ChannelData::parse(&[0x40, 1, 0, 2, 7, 8], false).map(Body::ChannelData),
        Some(Body::Dtls(dtls(ALERT))),
        Some(Body::Dtls(dtls(SERVER_HELLO_DONE))),
        Records::on_dtls_flow(&[0x2a; 40], false, None).and_then(|mut records| records.next()).map(Body::Dtls),
        Records::on_dtls_flow(BROKEN, false, None).and_then(|mut records| records.next()).map(Body::Dtls),
        Some(Body::Rtp(&[0x80; 20])),
        Some(Body::Rtcp(&[0x80; 20])),
    ];
    for body in bodies.into_iter().flatten() {
        for (transport, hops) in [(Transport::Udp, inside), (Transport::Tls, Hops::default())] {
            let event = Event { transport, hops, ..event(body) };
            let integrity = [
                Integrity { algorithm: Algorithm::Sha256, status: Status::Untested },
                Integrity { algorithm: Algorithm::Sha1, status: Status::Truncated },
            ];
            let row = Row { integrity: &integrity, ..row(&event) };
            let line = write(Format::Jsonl, &[&row]);
            assert!(!line.trim_end_matches('\n').contains(crate::render::escape::is_unsafe), "{line:?}");
            let typed: report::Message = serde_json::from_str(&line).expect(&line);
            let untyped: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(serde_json::to_value(&typed).unwrap(), untyped);
        }
    }
}

#[test]
fn what_a_relay_carries_says_how_it_came() {
    let bytes = bytes(0x0001, &[]);
    let hops = Hops::default()
        .through(Hop {
            via: Via::Send,
            peer: Some(PeerAddress(Endpoint::v4([192, 0, 2, 9], 5000))),
            relayed: None,
            outward: true,
        })
        .unwrap();
    let event = Event { hops, ..event(stun(&bytes)) };
    let line = write(Format::Jsonl, &[&row(&event)]);
    assert!(line.contains(r#""layers":["udp","send","stun"],"peer":"192.0.2.9:5000","protocol":"stun""#), "{line}");
    assert!(line.contains(r#""integrity":[]"#), "an empty list where the message has none: {line}");
    let text = write(Format::Text(Clock::Utc), &[&row(&event)]);
    assert!(text.contains("send › peer 192.0.2.9:5000 › Binding request"), "{text}");
}

#[test]
fn malformed_messages_say_what_is_wrong_with_them() {
    let mut broken = bytes(0x0001, &[(0x0006, b"abcd")]);
    broken[23] = 200;
    let message = Message::recognise_on_stun_flow(&broken, false).expect("on a STUN flow");
    let event = event(Body::Stun(message));
    let line = write(Format::Jsonl, &[&row(&event)]);
    assert!(line.contains(r#""problems":[{"layer":"stun","offset":"#), "{line}");
    assert!(write(Format::Text(Clock::Utc), &[&row(&event)]).contains("[malformed: stun at byte"));
}

#[test]
fn csv_has_a_header_and_as_many_fields_in_every_line() {
    let stun_bytes = bytes(0x0003, &[(0x0006, EVIL.as_bytes())]);
    let data = ChannelData::parse(&[0x40, 1, 0, 2, 7, 8], false).unwrap();
    let events = [event(stun(&stun_bytes)), event(Body::ChannelData(data)), event(Body::Dtls(dtls(ALERT)))];
    let rows: Vec<Row<'_>> = events.iter().map(row).collect();
    let text = write(Format::Csv, &rows.iter().collect::<Vec<_>>());
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    assert_eq!(lines.len(), 4, "{text}");
    for line in &lines {
        assert_eq!(line.split(',').count(), COLUMNS.len(), "{line}");
    }
    assert_eq!(
        lines[1],
        "0,1458,2024-05-01T12:00:00.123456Z,1714564800123456000,10.88.246.156:3478,172.16.84.124:58444,,,stun,\
         request,Allocate,false,0102030405060708090a0b0c,,,,,,,,,,"
    );
    assert!(lines[2].ends_with(",,,channel-data,,,,,,,,,16385,2,,,,"), "{}", lines[2]);
}

#[test]
fn csv_columns_are_scalar_fields_of_the_json_form_in_its_order() {
    let source = include_str!("../../report/message.rs");
    let position = |column: &str| source.find(&format!("pub {column}: ")).unwrap_or_else(|| panic!("{column}"));
    assert!(COLUMNS.is_sorted_by_key(|column| position(column)));
}

#[test]
fn text_lines_name_user_error_and_verdict() {
    let bytes = error_response();
    let event = event(stun(&bytes));
    let mut credentials = Credentials::default();
    credentials.add_password("Expressway-E", Secret::from("x".to_owned()));
    let verified = crate::session::credentials::Derivation {
        scheme: crate::session::credentials::Scheme::ShortTerm,
        preparation: crate::session::credentials::Preparation::Raw,
    };
    let status =
        Status::Verified { credential: 0, rule: crate::wire::stun::integrity::Rule::Rfc8489, derivation: verified };
    let row = Row {
        integrity: &[Integrity { algorithm: Algorithm::Sha1, status }],
        credentials: &credentials,
        request_frame: Some(1457),
        rtt: Some(Span::from_millis(21)),
        ..row(&event)
    };
    assert_eq!(
        write(Format::Text(Clock::Utc), &[&row]),
        " 1458  2024-05-01 12:00:00.123456Z  10.88.246.156:3478    → 172.16.84.124:58444    Allocate error \
         431 Integrity Check Failure user=\"turnuser\" realm=\"turnuser\" [sha1 verified \"Expressway-E\"] (answers 1457 after 21.0 ms)\n"
    );
}

#[test]
fn text_of_a_hostile_message_is_one_harmless_line() {
    let bytes = bytes(0x0003, &[(0x0006, EVIL.as_bytes()), (0x8022, "\u{9b}31m\u{202e}".as_bytes())]);
    let event = event(stun(&bytes));
    let text = write(Format::Text(Clock::Relative(Timestamp(1_714_564_800_000_000_000))), &[&row(&event)]);
    assert_eq!(text.lines().count(), 1);
    assert!(!text.trim_end_matches('\n').contains(crate::render::escape::is_unsafe), "{text:?}");
    assert!(text.contains("    0.123456  10.88"), "{text}");
}

#[test]
fn a_live_writer_writes_every_row_at_once() {
    struct Counting(Vec<usize>);
    impl std::io::Write for &mut Counting {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.push(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let bytes = bytes(0x0001, &[]);
    let event = event(stun(&bytes));
    let mut counting = Counting(Vec::new());
    let mut writer = Writer::new(&mut counting, Format::Jsonl, true);
    writer.row(&row(&event)).unwrap();
    writer.row(&row(&event)).unwrap();
    drop(writer);
    assert_eq!(counting.0.len(), 2);
    let mut counting = Counting(Vec::new());
    let mut writer = Writer::new(&mut counting, Format::Jsonl, false);
    for _ in 0..1000 {
        writer.row(&row(&event)).unwrap();
    }
    writer.flush().unwrap();
    drop(writer);
    assert!(counting.0.len() < 10, "{:?}", counting.0);
}

#[test]
fn a_dtls_record_tells_its_messages_and_alerts() {
    let say = |format: Format, bytes: &[u8]| {
        let event = event(Body::Dtls(dtls(bytes)));
        write(format, &[&row(&event)])
    };
    let text = |bytes: &[u8]| say(Format::Text(Clock::Utc), bytes);
    assert!(text(ALERT).ends_with("DTLS 1.2 alert: fatal bad_certificate\n"), "{}", text(ALERT));
    assert!(text(SERVER_HELLO_DONE).ends_with("DTLS 1.2 handshake: ServerHelloDone\n"));
    assert!(text(BROKEN).contains("handshake: Certificate, fragment 1000..1100 of 2048 [malformed: dtls at byte 22"));
    let json = say(Format::Jsonl, ALERT);
    assert!(
        json.contains(
            r#""dtls":{"version":"DTLS 1.2","content_type":"alert","epoch":0,"sequence":7,"handshake":[],"alert":{"level":"fatal","description":"bad_certificate"}}"#
        ),
        "{json}"
    );
    let mut encrypted = SERVER_HELLO_DONE.to_vec();
    encrypted[4] = 1;
    assert!(text(&encrypted).ends_with("DTLS 1.2 handshake, encrypted, 12 bytes\n"), "{}", text(&encrypted));
    assert!(say(Format::Jsonl, &encrypted).contains(r#""epoch":1,"sequence":8,"handshake":[]}"#));
    let unified = text(&[0x2a; 40]);
    assert!(unified.contains("DTLS 1.3 ciphertext"), "{unified}");
}

#[test]
fn media_tells_its_source_and_number() {
    let rtp = [0x80, 0xef, 0x12, 0x34, 0, 0, 0, 5, 0xde, 0xad, 0xbe, 0xef];
    let rtcp = [0x80, 200, 0, 6, 0, 0, 0, 7, 1, 2, 3, 4];
    let (media, report) = (event(Body::Rtp(&rtp)), event(Body::Rtcp(&rtcp)));
    let rows = [&row(&media), &row(&report)];
    let json = write(Format::Jsonl, &rows);
    assert!(json.contains(r#""protocol":"rtp","ssrc":3735928559,"payload_type":111,"sequence":4660}"#), "{json}");
    assert!(json.contains(r#""protocol":"rtcp","ssrc":7,"packet_type":"SR"}"#), "{json}");
    for line in json.lines() {
        serde_json::from_str::<report::Message>(line).unwrap();
    }
    let csv = write(Format::Csv, &rows);
    assert!(csv.contains(",3735928559,111,4660,\n") && csv.ends_with(",7,,,SR\n"), "{csv}");
    let text = write(Format::Text(Clock::Utc), &rows);
    assert!(text.contains("RTP type 111 sequence 4660 ssrc 0xdeadbeef, 12 bytes"), "{text}");
    assert!(text.contains("RTCP SR ssrc 0x00000007, 12 bytes"), "{text}");
}
