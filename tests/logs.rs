//! Logs of servers beside captures: on one timeline, quoted by the findings that explain them, and without secrets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::analyze::{finding, report_beside};
use support::*;
use turnscope::logs::parse_offset;
use turnscope::report::{LogOffset, Report};

const CLIENT: &str = "10.0.0.2:50000";
const SERVER: &str = "192.0.2.1:3478";

/// A wrong password, refused 40 ms after midnight of 2026-01-01; the capture lasts 10 s.
fn refused(mut scene: Scene) -> Scene {
    let wrong = Login::new("alice", "example.org", "wrong");
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "nonce");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &wrong, "nonce");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "example.org", "nonce-2");
    scene.later(10);
    scene
}

fn with(log: &str, offset: Option<&str>) -> Report {
    report_beside(
        &refused(Scene::new()).pcap(),
        "",
        &[("srv/turn.log", log)],
        offset.map(|text| parse_offset(text).expect("an offset")),
    )
}

const MEETING: &str = "2026-01-01 00:00:04.805 Warning call 6: ICE failure; relay candidate creation timeout\n";

/// What coturn writes of the challenge and of the refusal.
fn coturn(stamp: &str) -> String {
    format!(
        "{stamp}session 000000000000000001: realm <example.org> user <>: incoming packet message processed, error 401: Unauthorized\n\
         {stamp}ERROR: check_stun_auth: user alice credentials are incorrect\n\
         {stamp}session 000000000000000001: realm <example.org> user <alice>: incoming packet message processed, error 401: Unauthorized\n"
    )
}

#[test]
fn a_meeting_servers_timeout_is_explained_by_the_refused_password() {
    let report = with(MEETING, None);
    let found = finding(&report, "turn-integrity-rejected");
    assert_eq!((found.logs.len(), found.logs_total), (1, 1));
    let line = &found.logs[0];
    assert_eq!(line.text, "Warning call 6: ICE failure; relay candidate creation timeout");
    assert_eq!(
        (line.time.to_string().as_str(), line.file.as_str(), line.line),
        ("2026-01-01T00:00:04.805Z", "srv/turn.log", 1)
    );
    assert_eq!(report.logs, found.logs);
    assert_eq!(report.logs[0].finding.as_deref(), Some(found.key.as_str()));
    let file = &report.log_files[0];
    assert_eq!((file.offset_us, file.offset_from), (Some(0), Some(LogOffset::Assumed)));
    assert_eq!((file.lines, file.relevant), (1, 1));
}

#[test]
fn lines_outside_of_the_captures_time_are_not_about_it() {
    for stamp in ["2025-12-31 23:59:20", "2026-01-01 00:01:00", "2026-01-02 00:00:04"] {
        let report = with(&MEETING.replace("2026-01-01 00:00:04.805", stamp), None);
        assert!(report.logs.is_empty() && finding(&report, "turn-integrity-rejected").logs.is_empty(), "{stamp}");
        assert_eq!(report.log_files[0].lines, 1);
    }
}

#[test]
fn a_line_of_before_the_finding_is_not_explained_by_it() {
    let report = with(&MEETING.replace("2026-01-01 00:00:04.805", "2025-12-31 23:59:40"), None);
    assert!(finding(&report, "turn-integrity-rejected").logs.is_empty());
}

#[test]
fn an_offset_that_is_given_is_added() {
    for (stamp, offset) in [
        ("2026-01-01 02:00:04.805", "-02:00:00"),
        ("2026-01-01 00:00:01.805", "3"),
        ("2025-12-31 19:00:04.805", "+5:00"),
    ] {
        let report = with(&MEETING.replace("2026-01-01 00:00:04.805", stamp), Some(offset));
        assert_eq!(report.logs[0].time.to_string(), "2026-01-01T00:00:04.805Z", "{offset}");
        assert_eq!(report.log_files[0].offset_from, Some(LogOffset::Given));
    }
}

#[test]
fn both_forms_of_coturns_log_are_placed_by_what_they_tell() {
    for (stamp, expected) in [
        ("2026-01-01T00:00:00+0000: ", LogOffset::Zone),
        ("2026-01-01 00:00:00 ", LogOffset::Estimated),
        ("2026-01-01 05:30:00 ", LogOffset::Estimated),
        ("57: : ", LogOffset::Estimated),
        ("57: ", LogOffset::Estimated),
        ("<134>1 2026-01-01T00:00:00Z host turnserver 77 - - ", LogOffset::Zone),
        ("Jan  1 00:00:00 host turnserver[77]: ", LogOffset::Estimated),
    ] {
        let report = with(&coturn(stamp), None);
        let found = finding(&report, "turn-integrity-rejected");
        assert_eq!(report.log_files[0].offset_from, Some(expected), "{stamp}");
        assert_eq!(found.logs_total, 2, "{stamp}: {:?}", report.logs);
        assert!(
            found.logs.iter().all(|line| line.time.to_string().starts_with("2026-01-01T00:00:0")),
            "{:?}",
            found.logs
        );
        assert_eq!(report.logs.len(), 2, "the challenge is ordinary, and names nobody: {:?}", report.logs);
    }
}

#[test]
fn seconds_that_fit_nothing_are_not_placed() {
    let report = with("57: : session 9: realm <other> user <bob>: incoming packet ALLOCATE processed, success\n", None);
    assert!(report.logs.is_empty());
    assert_eq!((report.log_files[0].offset_us, report.log_files[0].offset_from), (None, None));
    let placed = with("57: : session 9: user <alice>: closed, error 401: x\n", Some("-50"));
    assert_eq!(
        placed.logs[0].time.to_string(),
        "2026-01-01T00:00:07.000Z",
        "counted from the beginning of the capture"
    );
}

#[test]
fn a_line_about_somebody_else_is_not_explained() {
    let report = with("2026-01-01 00:00:01 user <bob>: error 401: Unauthorized\n", None);
    assert!(report.logs.is_empty());
    let report = with("2026-01-01 00:00:01 call from 203.0.113.77: relay candidate creation timeout\n", None);
    assert!(report.logs.is_empty());
    let report = with("2026-01-01 00:00:01 call from 10.0.0.2:7: relay candidate creation timeout\n", None);
    assert_eq!(finding(&report, "turn-integrity-rejected").logs.len(), 1);
}

#[test]
fn lines_that_name_those_in_the_capture_are_listed_without_a_finding() {
    let report = with("2026-01-01 00:00:01 Info using TURN server 192.0.2.1:3478\n", None);
    assert_eq!((report.logs.len(), report.logs[0].finding.clone()), (1, None));
}

#[test]
fn secrets_of_a_log_are_nowhere_in_the_report() {
    let log = "2026-01-01 00:00:01 user <alice> password=hunter2 nonce=\"hunter2\" error 401: x\n\
               2026-01-01 00:00:01 using turn:alice:hunter2@192.0.2.1:3478\n\
               2026-01-01 00:00:02 Authorization: Bearer hunter2 from 10.0.0.2\n";
    let report = with(log, None);
    assert_eq!(report.logs.len(), 3);
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("hunter2"), "{:?}", report.logs);
}

#[test]
fn a_flood_of_lines_is_bounded_and_counted() {
    let line = "2026-01-01 00:00:01 user <alice>: error 401: Unauthorized\n";
    let report = with(&line.repeat(5000), None);
    let found = finding(&report, "turn-integrity-rejected");
    assert_eq!((found.logs.len(), found.logs_total), (8, 5000));
    assert_eq!((report.logs.len() as u64) + report.omitted["logs"], 5000);
    assert!(report.logs.len() <= 250);
}

#[test]
fn a_log_that_begins_in_december_without_its_year_fits_a_capture_of_january() {
    let log = "Dec 31 23:59:30 host turnserver[77]: session 1: user <alice>: closed\n\
               Jan  1 00:00:04 host turnserver[77]: session 2: user <alice>: error 401: Unauthorized\n";
    let report = with(log, None);
    assert_eq!(finding(&report, "turn-integrity-rejected").logs_total, 1);
    let times: Vec<String> = report.logs.iter().map(|line| line.time.to_string()).collect();
    assert_eq!(times, ["2025-12-31T23:59:30.000Z", "2026-01-01T00:00:04.000Z"]);
}

#[test]
fn what_coturn_writes_at_its_most_verbose_is_placed_and_quoted() {
    // 4.5, 4.6 and later ones with a number of the thread and a level
    for prefix in [
        "7: ",
        "7: : ",
        "7: (4711): INFO: ",
        "2026-01-01T00:00:00+0000: ",
        "2026-01-01T00:00:00.123456+0000: (1): INFO: ",
    ] {
        let line = |text: &str| format!("{prefix}{text}\n");
        let log = [
            line("udp_server_input_handler:623:start"),
            line("IPv4. Local relay addr: 192.0.2.1:61934"),
            line("session 001000000000000003: realm <example.org> user <>: incoming packet message processed, error 401: Unauthorized"),
            line("timer_event_handler: timeout 0x7ff104002b80: timer_handler"),
            line("session 001000000000000003: realm <example.org> user <alice>: incoming packet message processed, error 401: Unauthorized"),
            line("check_stun_auth: user alice credentials are incorrect"),
            line("handle_udp_packet: New UDP endpoint: local addr 192.0.2.1:3478, remote addr 10.0.0.2:50000"),
        ]
        .concat();
        let report = with(&log, None);
        let found = finding(&report, "turn-integrity-rejected");
        assert_eq!(found.logs_total, 2, "{prefix}: {:?}", report.logs);
        assert_eq!(report.logs.len(), 4, "{prefix}: {:?}", report.logs);
        assert_eq!(report.log_files[0].lines, 7);
    }
}

#[test]
fn a_quiet_coturn_is_placed_by_the_refusals_that_it_writes() {
    let report = with("7: : ERROR: check_stun_auth: user alice credentials are incorrect\n", None);
    let file = &report.log_files[0];
    assert_eq!((file.offset_from, file.matched), (Some(LogOffset::Estimated), 1));
    assert_eq!(finding(&report, "turn-integrity-rejected").logs_total, 1);
}

#[test]
fn a_log_of_another_day_is_not_drawn_to_the_capture_by_one_line() {
    let log = "2026-01-03 00:00:00 session 1: realm <example.org> user <alice>: incoming packet message processed, error 401: Unauthorized\n";
    let report = with(log, None);
    assert_eq!(report.log_files[0].offset_from, Some(LogOffset::Assumed));
    assert!(report.logs.is_empty());
}

#[test]
fn a_log_of_which_the_end_was_not_read_is_said_to_be_cut() {
    let mut text = MEETING.to_owned();
    text.extend(std::iter::repeat_n('x', turnscope::logs::MAX_FILE));
    let report = with(&text, None);
    assert!(report.log_files[0].cut && report.log_files[0].lines == 2);
    assert_eq!(report.omitted["logs_cut_off"], 1);
    let text = turnscope::render::text::report(&report, &turnscope::render::text::Options::default());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("its end was not read"), "{text}");
    let whole = with(MEETING, None);
    assert!(!whole.log_files[0].cut && !whole.omitted.contains_key("logs_cut_off"));
}

#[test]
fn secrets_in_a_log_of_binary_junk_and_endless_lines_stay_bounded_and_hidden() {
    let mut log = b"2026-01-01 00:00:01 password=hunter2 ".to_vec();
    log.extend(std::iter::repeat_n(b'x', 3 << 20));
    log.extend(
        b"\n\xff\xfe\x00\x01hunter2 secret=hunter2\n2026-01-01 00:00:02 user <alice> error 401: \x1b[31mhunter3\x07\n",
    );
    let files = [turnscope::logs::LogFile::read(&log, "x.log", 2026)];
    assert!(files[0].lines.iter().all(|line| line.text.len() < 2000 && !line.text.contains(char::is_control)));
    assert!(!files[0].lines[0].text.contains("hunter2"), "{:?}", files[0].lines[0]);
    assert_eq!(files[0].lines.last().unwrap().number, 3);
}

#[test]
fn a_servers_log_is_placed_by_the_clock_of_the_capture_that_was_taken_there() {
    use support::{degrade, points};
    let shots = degrade::shots(&{
        let mut scene = Scene::new();
        scene.binding("10.0.0.2:50001", SERVER, "10.0.0.2:50001");
        refused(scene)
    });
    // the server's clock is 95 s ahead, and its log has that clock
    let far = points::clock(&points::further(&shots, "10.0.0.2", 4_000), 95_000, 0);
    let log = "2026-01-01T00:01:35Z session 1: realm <example.org> user <alice>: incoming packet message processed, error 401: Unauthorized\n";
    let captures = [("client.pcap", degrade::pcap(&shots)), ("server.pcap", degrade::pcap(&far))];
    let report = points::report_beside(&captures, &[("turn.log", log)]);
    let file = &report.log_files[0];
    assert_eq!((file.offset_from, file.matched), (Some(LogOffset::Capture), 1));
    assert!((file.offset_us.unwrap() + 95_000_000).abs() < 10_000, "{file:?}");
    assert_eq!(finding(&report, "turn-integrity-rejected").logs_total, 1);
    // on the client's own clock it is long after the end
    let alone = report_beside(&degrade::pcap(&shots), "", &[("turn.log", log)], None);
    assert!(alone.logs.is_empty());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_read_as_log_deployment_or_dns_without_harm(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let _ = turnscope::logs::exercise(&bytes);
        let _ = turnscope::wire::dns::exercise(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = turnscope::session::deployment::exercise(&text);
    }

    #[test]
    fn lines_that_nearly_make_sense_are_read_without_harm(
        stamp in "(2017-0[0-9]-[0-3][0-9][T ][0-2][0-9]:[0-9]{2}:[0-9]{2}[.,]?[0-9]{0,12}(Z|[+-][0-9]{2}:?[0-9]{2})?|[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8}|[0-9]{1,12}):? ",
        words in "((user|realm|error|password|nonce|turn:|:|=|<|>|[0-9.]{1,9}|\\[|\"|é|a) ?){0,12}",
    ) {
        let _ = turnscope::logs::exercise(format!("{stamp}{words}\n{stamp}{words}").as_bytes());
    }
}

#[test]
fn bytes_that_are_no_log_say_nothing() {
    for log in ["", "\u{0}\u{1}\u{2}", "not a log\nat all\n"] {
        let report = with(log, None);
        assert!(report.logs.is_empty());
        assert_eq!(report.log_files[0].format, None);
    }
}
