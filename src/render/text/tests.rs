//! The story that this project starts from, and what else a person may get to read.

use super::*;
use crate::net::Endpoint;
use crate::report::*;
use crate::time::Timestamp;
use unicode_width::UnicodeWidthStr;

fn address(text: &str) -> Address {
    Address(Endpoint::from(text.parse::<std::net::SocketAddr>().unwrap()))
}

fn time(micros: i64) -> Option<Time> {
    Some(Time::new(Timestamp(1_600_000_000_000_000_000 + micros * 1000), 6))
}

fn place(frame: u64) -> Place {
    Place { capture: 0, frame }
}

fn capture() -> Capture {
    Capture {
        path: "expressway.pcapng".into(),
        format: "pcapng".into(),
        frames: 1500,
        bytes: 234_567,
        first_time: time(0),
        last_time: time(12_000_000),
        ..Capture::default()
    }
}

fn step(frame: u64, micros: i64, from: Side, what: &str) -> Step {
    Step { place: place(frame), time: time(micros), from, what: what.into() }
}

fn story() -> Report {
    let (client, server) = (address("172.16.84.124:58444"), address("10.88.246.156:3478"));
    Report {
        captures: vec![capture()],
        verdict: Verdict::Failure,
        headline: "10.88.246.156:3478 holds another password for turnuser than the client, which signs with “Meeting Server API”".into(),
        headline_finding: Some("turn-integrity-rejected".into()),
        counts: Counts {
            stun: [("Allocate request".into(), 2), ("Allocate error".into(), 2)].into(),
            error_codes: [("401".into(), 1), ("431".into(), 1)].into(),
            ..Counts::default()
        },
        authentications: vec![Authentication {
            client,
            proxied_for: None,
            server,
            username: Some("turnuser".into()),
            realm: Some("turnuser".into()),
            steps: vec![
                step(1455, 0, Side::Client, "Allocate request"),
                step(1456, 21_000, Side::Server, "Allocate error 401 “Unauthorized”: challenge with realm turnuser and a nonce"),
                step(1457, 22_500, Side::Client, "Allocate request for user turnuser, signed"),
                step(1458, 44_000, Side::Server, "Allocate error 431 “Integrity Check Failure”, signed"),
            ],
            steps_total: 4,
            outcome: AuthenticationOutcome::Rejected,
            request_credential: Some("Meeting Server API".into()),
            response_credential: Some("Expressway-E".into()),
        }],
        nat: vec![NatMapping {
            inside: client,
            outside: address("203.0.113.50:41000"),
            evidence: vec![place(1456)],
            evidence_total: 1,
        }],
        credentials: vec![Credential {
            label: "Meeting Server API".into(),
            side: Some(Side::Client),
            kind: CredentialKind::Password,
            verified: 1,
            requests: 1,
            responses: 0,
            mismatched: 0, near_misses: Vec::new(),
        }],
        findings: vec![
            Finding {
                title: "The server does not accept the client's credentials".into(),
                explanation: "In frame 1458 the server refuses the signature of frame 1457 with 431. The request verifies with the password that the Meeting Server has; the answer is signed with another.".into(),
                fix: "Set the same password on the TURN server object of the Meeting Server's API and in the Expressway-E's local authentication database.".into(),
                places: vec![place(1455), place(1456), place(1457), place(1458)],
                places_total: 4,
                filter: Some("stun.id == 00:01:02:03:04:05:06:07:08:09:0a:0b || frame.number in {1455..1458}".into()),
                reference: Some("RFC 8489 §9.2.4".into()),
                ..Finding::example("turn-integrity-rejected", Severity::Failure)
            },
            Finding {
                title: "The server asked for credentials".into(),
                explanation: "This is how long-term credentials begin.".into(),
                ..Finding::example("turn-challenge", Severity::Note)
            },
        ],
        ..Report::default()
    }
}

fn open_allocation(index: u16) -> Allocation {
    Allocation {
        client: address(&format!("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:1]:{}", 40_000 + index)),
        server: address("[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:3478"),
        username: Some("1600000000:someone-with-a-long-name@example.org".into()),
        realm: Some("example.org".into()),
        mapped: Some(address("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:2]:40000")),
        relayed: vec![address("[2001:db8:ffff:ffff:ffff:ffff:ffff:fffe]:61234"), address("198.51.100.7:61234")],
        relayed_transport: Some(Transport::Udp),
        requested_lifetime_s: Some(3600),
        lifetime_s: Some(600),
        requested_at: time(0),
        created_at: time(20_000),
        expires_at: time(600_000_000),
        end: AllocationEnd::Open,
        channels: vec![Channel {
            channel: 0x4000,
            peer: address("192.0.2.9:5000"),
            created_at: time(1),
            expires_at: None,
            error: None,
        }],
        channels_total: 1,
        bytes_sent: 123_456,
        ..Allocation::default()
    }
}

fn crowded() -> Report {
    let mut report = story();
    report.allocations = (0..50).map(open_allocation).collect();
    report.omitted.insert("allocations".into(), 300);
    report.authentications = vec![report.authentications[0].clone(); 30];
    report.servers = vec![Server {
        address: address("[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:3478"),
        names: vec!["turn.a-rather-long-name-for-a-server.example.org".into()],
        transports: vec![ServerTransport {
            transport: Transport::Udp,
            reachable: true,
            active_clients: 0,
            active_relays: 0,
            asked: 4,
            answered: 3,
            allocated: 1,
            allocated_unsigned: None,
            rtt_us: Some(21_000),
            mapped: None,
            outcome: TransportOutcome::Allocated,
            connections: None,
            icmp: None,
            first_time: None,
        }],
        software: Some("Coturn-4.6.1 'Gorst' and some more words about the build".into()),
        dialect: None,
        active_clients: 1,
        active_relays_udp: 1,
        active_relays_tcp: 0,
        peak_clients: 0,
        peak_relays_udp: 0,
        peak_relays_tcp: 0,
        activity: Vec::new(),
    }];
    report.candidates = vec![Candidate {
        owner: "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:1]".into(),
        transport: Transport::Udp,
        tcp_type: None,
        kind: CandidateType::Relay,
        address: address("[2001:db8:ffff:ffff:ffff:ffff:ffff:fffe]:61234"),
        base: None,
        server: None,
        confidence: Confidence::Likely,
        evidence: vec![],
        evidence_total: 0,
    }];
    report.captures[0].damage = vec![Damage {
        offset: 234_000,
        after_frame: 1499,
        what: "block length runs past the end".into(),
        resumed_at: None,
    }];
    report.captures[0].damage_total = 1;
    report.captures[0].comments = vec![Comment { frame: None, text: "x".repeat(300) }];
    report.counts.skipped.insert("frame with unsupported link type 147".into(), 3);
    report
}

fn at(width: usize) -> Options {
    Options { width, ..Options::default() }
}

#[test]
fn the_story_fits_one_screen_of_eighty_columns_and_says_who_why_where_and_what_to_do() {
    let text = report(&story(), &at(80));
    assert!(text.lines().count() <= 50, "{} lines:\n{text}", text.lines().count());
    for part in [
        "FAILURE  10.88.246.156:3478 holds another password",
        "frame 1458  +0.044000 s  server → client  Allocate error 431",
        "the client signs with \"Meeting Server API\", the server",
        "172.16.84.124:58444 ──▶ 203.0.113.50:41000 ──▶ 10.88.246.156:3478",
        "Fix: Set the same password",
        "Frames: 1455, 1456, 1457, 1458",
        "Wireshark: stun.id ==",
        "See: RFC 8489 §9.2.4",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn no_line_is_wider_than_asked_for() {
    for width in [40, 60, 80, 100, 120, 200] {
        for the_report in [story(), crowded(), Report::default()] {
            for line in report(&the_report, &at(width)).lines() {
                assert!(line.width() <= width, "{} > {width}: {line}", line.width());
            }
        }
    }
}

#[test]
fn long_lists_stop_and_say_how_many_more_there_are() {
    let text = report(&crowded(), &at(120));
    assert!(text.contains("… 340 more"), "{text}");
    assert!(text.contains("… 25 more"), "{text}");
    let all = report(&crowded(), &Options { detail: Detail::Verbose, ..at(120) });
    assert!(all.contains("… 300 more"), "{all}");
}

#[test]
fn quiet_is_the_headline_alone() {
    let text = report(&story(), &Options { detail: Detail::Quiet, ..at(200) });
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_healthy_capture_is_short_and_has_no_empty_sections() {
    let healthy = Report {
        captures: vec![capture()],
        verdict: Verdict::Healthy,
        headline: "1 allocation was made and released in good order".into(),
        ..Report::default()
    };
    let text = report(&healthy, &at(80));
    assert!(text.starts_with("HEALTHY  1 allocation"), "{text}");
    assert!(text.lines().count() <= 6, "{text}");
    for section in ["Findings", "Credentials", "Allocations", "Conversation", "Addresses"] {
        assert!(!text.contains(section), "{section}");
    }
}

#[test]
fn damage_says_where_it_begins_and_whether_reading_went_on() {
    let text = report(&crowded(), &at(200));
    let expected =
        "byte 234000 of the file, after frame 1499: block length runs past the end; the rest could not be read";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn colour_is_only_there_when_asked_for_and_changes_no_word() {
    let plain = report(&crowded(), &at(80));
    let coloured = report(&crowded(), &Options { colour: true, ..at(80) });
    assert!(!plain.contains('\x1b'));
    assert!(coloured.contains('\x1b'));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn what_the_capture_says_cannot_reach_the_terminal_as_an_escape() {
    const EVIL: &str = "a\x1b[2J\u{9b}1m\r\nb\u{202e}c";
    let mut hostile = crowded();
    hostile.headline = EVIL.into();
    hostile.captures[0].path = EVIL.into();
    hostile.captures[0].comments[0].text = EVIL.into();
    hostile.captures[0].damage[0].what = EVIL.into();
    hostile.authentications[0].username = Some(EVIL.into());
    hostile.authentications[0].steps[0].what = EVIL.into();
    hostile.authentications[0].request_credential = Some(EVIL.into());
    hostile.allocations[0].username = Some(EVIL.into());
    hostile.servers[0].software = Some(EVIL.into());
    hostile.servers[0].names = vec![EVIL.into()];
    hostile.credentials[0].label = EVIL.into();
    hostile.counts.stun.insert(EVIL.into(), 1);
    hostile.counts.skipped.insert(EVIL.into(), 1);
    let finding = &mut hostile.findings[0];
    (finding.title, finding.explanation, finding.fix) = (EVIL.into(), EVIL.into(), EVIL.into());
    (finding.filter, finding.reference, finding.caused_by) = (Some(EVIL.into()), Some(EVIL.into()), Some(EVIL.into()));
    for width in [40, 80, 200] {
        let text = report(&hostile, &at(width));
        assert!(!text.chars().any(|c| c != '\n' && crate::render::escape::is_unsafe(c)), "{text:?}");
        assert!(text.lines().all(|line| line.width() <= width), "{text}");
    }
}

#[test]
fn a_line_end_in_a_name_begins_no_line_of_a_table() {
    let mut hostile = crowded();
    let name = "alice\nFAKE";
    hostile.allocations[0].username = Some(name.into());
    hostile.servers[0].software = Some(name.into());
    hostile.servers[0].names = vec![name.into()];
    let text = report(&hostile, &at(200));
    assert!(text.matches("alice\\nFAKE").count() >= 3, "{text}");
    assert!(!text.lines().any(|line| line.trim_start().starts_with("FAKE")), "{text}");
}

#[test]
fn frames_of_several_captures_are_told_with_the_capture() {
    let mut two = story();
    two.captures.push(capture());
    two.findings[0].places[0].capture = 1;
    let text = report(&two, &at(80));
    assert!(text.contains("Frames: 1:1455, 0:1456"), "{text}");
}
