//! What a capture at a server with many clients says of those few for whom it does not work.

#![allow(clippy::indexing_slicing, clippy::panic)]

mod support;

use support::analyze::{assert_says, finding, ids, report};
use support::dtls::{self, Shake};
use support::tcp::Tcp;
use support::tls::{Offer, Tls};
use support::*;
use turnscope::report::{Finding, Report, TransportOutcome, Verdict};
use turnscope::rules::{Confidence, Severity};

const SERVER: &str = "203.0.113.1:3478";
const REALM: &str = "example.org";

/// A server that lends relays to so many clients.
fn server_with(served: u8) -> Scene {
    let mut scene = Scene::new();
    for host in 1..=served {
        let (client, relayed) = (format!("192.0.2.{host}:5000"), format!("203.0.113.1:{}", 24000 + u16::from(host)));
        let login = Login::new(&format!("user{host}"), REALM, "right");
        scene.after_ms(500).allocation(&*client, SERVER, &login, &format!("nonce-{host}"), &*relayed);
    }
    scene
}

/// A host asks without credentials so often, and goes on with nothing.
fn knock(scene: &mut Scene, client: &str, times: u8) {
    for time in 0..times {
        scene.after_ms(700 + 900 * u64::from(time)).allocate_challenge(
            client,
            SERVER,
            REALM,
            &format!("for-{client}-{time}"),
        );
    }
}

fn after_a_while(scene: &mut Scene) -> Report {
    scene.later(30);
    report(&scene.pcap())
}

#[test]
fn hosts_that_ask_once_without_credentials_and_leave_may_be_scanners() {
    let mut scene = server_with(5);
    knock(&mut scene, "198.51.100.7:40000", 1);
    knock(&mut scene, "198.51.100.8:40000", 2);
    let report = after_a_while(&mut scene);
    assert_eq!(report.verdict, Verdict::Warning, "{}", report.headline);
    let found = finding(&report, "turn-no-credentials");
    assert_eq!((found.confidence, found.occurrences, found.affected.clients_total), (Confidence::Likely, 2, 2));
    assert!(found.title.ends_with("and the client gave none; it left at that, as scanners do"), "{}", found.title);
    assert_says(&found.explanation, "5 clients have relays of this server");
    assert!(found.fix.starts_with("If this is a scanner, leave it at that. Else: "), "{}", found.fix);
}

#[test]
fn beside_few_clients_one_that_asks_once_without_credentials_is_no_scanner() {
    let mut scene = server_with(1);
    knock(&mut scene, "198.51.100.7:40000", 1);
    let report = after_a_while(&mut scene);
    let found = finding(&report, "turn-no-credentials");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert!(!found.explanation.contains("canners"), "{}", found.explanation);
}

#[test]
fn a_client_that_goes_on_asking_without_credentials_is_told_of_and_not_the_scanners_before_it() {
    let mut scene = server_with(5);
    knock(&mut scene, "198.51.100.7:40000", 1);
    knock(&mut scene, "192.0.2.99:5000", 4);
    let report = after_a_while(&mut scene);
    let found = finding(&report, "turn-no-credentials");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.title, "asked 192.0.2.99:5000 for credentials");
    assert_eq!(found.affected.clients_total, 1);
    assert!(!found.explanation.contains("canners"), "{}", found.explanation);
}

#[test]
fn where_nobody_else_is_served_a_client_that_asks_once_without_credentials_is_no_scanner() {
    let mut scene = Scene::new();
    knock(&mut scene, "192.0.2.99:5000", 1);
    let report = after_a_while(&mut scene);
    let found = finding(&report, "turn-no-credentials");
    assert_eq!((report.verdict, found.confidence), (Verdict::Failure, Confidence::Certain));
}

#[test]
fn a_health_check_without_credentials_is_no_certain_failure_of_a_server_with_many_clients() {
    let mut scene = server_with(5);
    for number in 0..12 {
        scene.at_ms(10_000 + number * 5000);
        scene.allocate_challenge(&*format!("10.9.9.9:{}", 40000 + number), SERVER, REALM, &format!("check-{number}"));
    }
    let report = after_a_while(&mut scene);
    assert_eq!(report.verdict, Verdict::Warning, "{}", report.headline);
    assert!(finding(&report, "turn-no-credentials").title.ends_with("as a health check does"));
}

/// A client whose password the server does not take.
fn refuse(scene: &mut Scene, client: &str, user: &str) {
    scene.allocate_challenge(client, SERVER, REALM, "nonce-r");
    let wrong = scene.after_ms(10).allocate_as(client, SERVER, &Login::new(user, REALM, "wrong"), "nonce-r");
    scene.after_ms(10).challenge(&wrong, 401, "Unauthorized", REALM, "nonce-r2");
}

#[test]
fn a_refused_user_is_told_beside_how_many_others_are_served() {
    let mut scene = server_with(5);
    refuse(&mut scene, "192.0.2.77:5000", "mistaken");
    let found = after_a_while(&mut scene);
    let found = finding(&found, "turn-integrity-rejected");
    assert_says(&found.explanation, "In this capture the server gave relays to 5 other clients.");
    assert!(!found.explanation.contains("as that user"), "{}", found.explanation);
}

/// A server takes the first of five clients until a minute, and later those `still`; with time-limited credentials, of which each call has another.
fn changed_in_the_middle(limited: bool, still: &[u8]) -> Report {
    let mut scene = Scene::new();
    for (round, host) in (0..4_u64).flat_map(|round| (1..=5_u8).map(move |host| (round, host))) {
        let client = format!("192.0.2.{host}:{}", 5000 + round);
        let user = if limited { format!("{}:user{host}", 1_800_000_000 + round) } else { format!("user{host}") };
        let (login, nonce) = (Login::new(&user, REALM, "right"), format!("nonce-{round}-{host}"));
        scene.at_ms(round * 30_000 + u64::from(host) * 1_000);
        if round < 2 || still.contains(&host) {
            let relayed = format!("203.0.113.1:{}", 24000 + round * 10 + u64::from(host));
            scene.allocation(&*client, SERVER, &login, &nonce, &*relayed);
        } else {
            scene.wrong_password(&client, SERVER, &login, &nonce);
        }
    }
    after_a_while(&mut scene)
}

#[test]
fn a_server_that_takes_none_of_its_clients_any_more_is_told_as_such_and_not_by_the_password_of_one() {
    for limited in [false, true] {
        let report = changed_in_the_middle(limited, &[]);
        let found = finding(&report, "turn-integrity-rejected");
        assert_eq!((found.severity, found.confidence, found.occurrences), (Severity::Failure, Confidence::Certain, 10));
        assert_says(&found.title, "203.0.113.1:3478 accepts none of 5 clients any more: it refused");
        assert_says(
            &found.explanation,
            "gave relays to 5 of the clients that it refuses here, the last one 26 seconds before",
        );
        assert_says(&found.fix, "what hands these out to clients");
        let [first, last] = [found.first_time, found.last_time].map(|time| time.unwrap().at);
        assert_eq!(last.since(first).secs(), 34, "from the first client's third call to the last one's fourth");
    }
    // where one of them is taken still, the others may each have a reason of their own
    let found = finding(&changed_in_the_middle(false, &[3]), "turn-integrity-rejected").clone();
    assert_says(&found.title, "differs between client and server");
    assert_says(&found.explanation, "192.0.2.1 was given a relay as that user 30 seconds before");
}

#[test]
fn a_user_that_is_refused_here_and_accepted_there_is_told_as_that() {
    let login = Login::new("alice", REALM, "right");
    let told = |served: &str, before: bool| {
        let mut scene = Scene::new();
        if before {
            scene.allocation(served, SERVER, &login, "nonce-s", "203.0.113.1:24000");
        }
        refuse(scene.after_ms(60_000), "192.0.2.77:5000", "alice");
        if !before {
            scene.after_ms(120_000).allocation(served, SERVER, &login, "nonce-s", "203.0.113.1:24000");
        }
        after_a_while(&mut scene)
    };
    let same = "192.0.2.77:5009";
    for (served, before, verdict, title, why) in [
        (same, true, Verdict::Failure, "; 60 seconds before the same user was accepted", "changed in between"),
        (same, false, Verdict::Warning, "; later the same user was accepted", "mended in between"),
        (
            "192.0.2.5:6000",
            true,
            Verdict::Failure,
            "; it accepted the same user from 192.0.2.5",
            "holds what that client has",
        ),
        (
            "192.0.2.5:6000",
            false,
            Verdict::Failure,
            "; it accepted the same user from 192.0.2.5",
            "holds what that client has",
        ),
    ] {
        let report = told(served, before);
        let found = finding(&report, "turn-integrity-rejected");
        assert_eq!(report.verdict, verdict, "{served} {before}");
        assert!(found.title.ends_with(title), "{}", found.title);
        assert_says(&found.explanation, why);
    }
}

/// Servers that took each of these users, and one that refuses so many of them.
fn one_of_several_refuses(users: &[&str], takers: u8) -> Report {
    let mut scene = Scene::new();
    for (number, user) in (1_u16..).zip(users) {
        let client = format!("192.0.2.{number}:5000");
        for server in 1..=takers {
            let login = Login::new(user, REALM, "right");
            let (server, relayed) =
                (format!("198.51.100.{server}:3478"), format!("198.51.100.{server}:{}", 24000 + number));
            scene.after_ms(500).allocation(&*client, &*server, &login, &format!("nonce-{server}-{number}"), &*relayed);
        }
        refuse(scene.after_ms(5_000), &client, user);
    }
    after_a_while(&mut scene)
}

#[test]
fn a_server_that_refuses_users_whom_other_servers_took_is_told_as_the_one_that_differs() {
    for (users, takers, told, title) in [
        (
            &["alice"][..],
            1,
            "198.51.100.1:3478 gave relays to that user: where",
            "; 198.51.100.1:3478 accepted the same user",
        ),
        (
            &["alice", "bob"],
            2,
            "198.51.100.1:3478 and 198.51.100.2:3478 gave relays to 2 of the users that it refuses: where",
            "client and server",
        ),
        (
            &["alice"],
            5,
            "198.51.100.3:3478 and 2 other servers gave relays to that user: where",
            "accepted the same user",
        ),
    ] {
        let report = one_of_several_refuses(users, takers);
        let found = finding(&report, "turn-integrity-rejected");
        assert_says(&found.explanation, told);
        assert_says(&found.explanation, "203.0.113.1:3478 is the one that differs");
        assert!(found.title.ends_with(title), "{}", found.title);
    }
    let alone = one_of_several_refuses(&["alice", "bob"], 0);
    assert!(!finding(&alone, "turn-integrity-rejected").explanation.contains("differs"));
}

#[test]
fn a_user_that_is_refused_accepted_and_refused_again_was_accepted_before_what_stands() {
    let mut scene = Scene::new();
    refuse(&mut scene, "192.0.2.77:5000", "alice");
    let login = Login::new("alice", REALM, "right");
    scene.after_ms(60_000).allocation("192.0.2.77:5001", SERVER, &login, "nonce-s", "203.0.113.1:24000");
    refuse(scene.after_ms(120_000), "192.0.2.77:5002", "alice");
    let report = after_a_while(&mut scene);
    let found = finding(&report, "turn-integrity-rejected");
    assert_eq!((report.verdict, found.occurrences), (Verdict::Failure, 2));
    assert_says(&found.title, "; 2 minutes before the same user was accepted");
}

#[test]
fn a_server_of_which_the_capture_holds_only_what_it_relays_is_in_use_and_not_silent() {
    let mut scene = Scene::new();
    scene.media("192.0.2.7:5000", SERVER, 0x4000, 50);
    let report = after_a_while(&mut scene);
    let way = &report.servers[0].transports[0];
    assert_eq!((way.asked, way.reachable, way.outcome), (0, true, TransportOutcome::Connected));
    assert_eq!(report.verdict, Verdict::Healthy, "{}", report.headline);
    let text = turnscope::render::text::report(&report, &turnscope::render::text::Options::default());
    assert!(text.contains("in use, nothing asked"), "{text}");
}

#[test]
fn what_strikes_many_clients_heads_the_report_before_what_struck_one_of_them_earlier() {
    let of = |many: u8| {
        let mut scene = server_with(2);
        let login = Login::new("heavy", REALM, "right");
        scene.allocate_challenge("192.0.2.90:5000", SERVER, REALM, "nonce-h");
        scene.after_ms(10).refused_allocate("192.0.2.90:5000", SERVER, &login, "nonce-h", 486);
        for host in 0..many {
            refuse(scene.after_ms(500), &format!("192.0.2.{}:5000", 100 + host), &format!("user{host}"));
        }
        after_a_while(&mut scene).headline_finding
    };
    assert_eq!(of(6).as_deref(), Some("turn-integrity-rejected"));
    // few addresses may be one client's: what came first is the story
    assert_eq!(of(3).as_deref(), Some("turn-quota"));
}

#[test]
fn where_the_clock_was_set_back_no_duration_is_told_rather_than_a_negative_one() {
    let login = Login::new("alice", REALM, "right");
    let mut scene = Scene::new();
    scene.at_ms(7_200_000).allocation("192.0.2.7:5000", SERVER, &login, "nonce-1", "203.0.113.1:24000");
    scene.talk("192.0.2.7:5000", SERVER, &login, "nonce-1", (0x4000, "198.51.100.9:7000"), 50);
    scene.at_ms(1000).media("192.0.2.7:5000", SERVER, 0x4000, 50);
    scene.hang_up("192.0.2.7:5000", SERVER, &login, "nonce-1");
    let report = after_a_while(&mut scene);
    assert_eq!(report.verdict, Verdict::Healthy, "{}", report.headline);
    let text = turnscope::render::text::report(&report, &turnscope::render::text::Options::default());
    assert!(text.contains("alice  released  ") && !text.contains("after -"), "{text}");
    assert!(
        text.contains("– s  client → server  Refresh request with lifetime 0") && !text.contains("  -71"),
        "{text}"
    );
    let captures = text.split("\nCapture").nth(1).expect("a section on the capture");
    let captures = captures.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(captures.contains("Times: they go back by 2 h 0 min after "), "{captures}");
}

/// One of five clients refreshes and a new one asks, both in vain and for half a minute; another is served at these times (seconds).
fn unanswered_while_another(is_served: impl Fn(&mut Scene), at: &[u64]) -> Report {
    let mut scene = server_with(5);
    let login = |host: u8| Login::new(&format!("user{host}"), REALM, "right");
    let sent = [
        scene.at_ms(20_000).refresh("192.0.2.1:5000", SERVER, &login(1), "nonce-1", 600),
        scene.after_ms(1).allocate("198.51.100.7:5000", SERVER),
    ];
    let copies = [20_500, 21_500, 23_500, 27_500, 35_500, 51_500].map(|time| (time, false));
    let mut events: Vec<(u64, bool)> = copies.into_iter().chain(at.iter().map(|&at| (at * 1_000, true))).collect();
    events.sort_unstable();
    for (time, served) in events {
        scene.at_ms(time);
        if served {
            is_served(&mut scene);
        } else {
            sent.iter().for_each(|sent| drop(scene.retransmit(sent)));
        }
    }
    scene.at_ms(130_000).frame(&[0; 60]);
    report(&scene.pcap())
}

/// The second client refreshes and is answered.
fn refreshes(scene: &mut Scene) {
    let login = Login::new("user2", REALM, "right");
    let refresh = scene.refresh("192.0.2.2:5000", SERVER, &login, "nonce-2", 600);
    scene.after_ms(1).granted(&refresh, Some(600), &login);
}

#[test]
fn a_server_that_answers_nobody_for_a_while_is_told_of_and_not_the_clients_that_ask_it_then() {
    for (served, when) in [(&[70][..], "before and afterwards it was heard."), (&[], "before it was heard.")] {
        let report = unanswered_while_another(refreshes, served);
        let told: Vec<&Finding> = report.findings.iter().filter(|found| found.id == "turn-no-response").collect();
        assert_eq!(told.len(), 2, "{}", report.headline);
        for found in told {
            assert_says(&found.title, "nor anybody else in that time");
            assert_says(&found.explanation, when);
            assert_says(&found.fix, "See whether 203.0.113.1:3478 ran at that time and was reached");
        }
    }
}

#[test]
fn a_server_that_answers_others_meanwhile_runs() {
    /// What the server relays to the second client.
    fn is_sent_data(scene: &mut Scene) {
        for packet in 0..20 {
            let rtp = payload::rtp(96, packet, 0, 1, 100);
            scene.after_ms(100).data_indication(SERVER, "192.0.2.2:5000", "198.51.100.99:7000", rtp);
        }
    }
    let served: [fn(&mut Scene); 3] = [refreshes, is_sent_data, |scene| {
        is_sent_data(scene);
        refreshes(scene);
    }];
    for is_served in served {
        let report = unanswered_while_another(is_served, &[40, 70]);
        let of = |client: &str| {
            let told = report.findings.iter().filter(|found| found.id == "turn-no-response");
            let is_told = |found: &&Finding| found.subject.client.is_some_and(|known| known.to_string() == client);
            told.clone().find(is_told).unwrap_or_else(|| panic!("{client}: {}", report.headline))
        };
        assert_says(&of("198.51.100.7:5000").title, "though it serves other clients");
        let stopped = &of("192.0.2.1:5000").explanation;
        assert_says(stopped, "The server was heard on other ways meanwhile, so that it is this one that is closed");
    }
}

#[test]
fn a_server_that_nobody_else_asks_more_than_once_is_not_said_to_hang() {
    let mut scene = server_with(5);
    let login = Login::new("user1", REALM, "right");
    scene.at_ms(20_000);
    scene.send_repeatedly(
        "192.0.2.1:5000",
        SERVER,
        Stun::request(method::REFRESH).lifetime(600).signed(&login, "nonce-1"),
        7,
    );
    let leaver = Login::new("user3", REALM, "right");
    scene.at_ms(40_000).refresh("192.0.2.3:5000", SERVER, &leaver, "nonce-3", 600);
    refreshes(scene.at_ms(70_000));
    let report = after_a_while(&mut scene);
    let found = finding(&report, "turn-no-response");
    assert_says(&found.explanation, "The way that was open is closed, or the server is gone");
    assert!(!found.title.contains("anybody"), "{}", found.title);
}

#[test]
fn one_client_that_is_seen_on_both_sides_of_its_nat_is_not_two_that_ask_in_vain() {
    const INSIDE: &str = "192.168.1.5:5000";
    const OUTSIDE: &str = "198.51.100.7:62000";
    let mut scene = server_with(5);
    let sent = scene.at_ms(20_000).allocate(INSIDE, SERVER);
    for time in [20_000, 20_500, 21_500, 23_500, 27_500, 35_500, 51_500] {
        scene.at_ms(time);
        if time > 20_000 {
            scene.retransmit(&sent);
        }
        scene.after_us(300).forwarded(&sent, OUTSIDE, SERVER);
    }
    refreshes(scene.at_ms(70_000));
    let report = after_a_while(&mut scene);
    let found = finding(&report, "turn-no-response");
    assert_says(&found.title, "though it serves other clients");
}

/// A client talks over TLS, or does not know who signed the certificate.
fn over_tls(scene: &mut Scene, client: &str, trusts: bool) {
    let mut tls = Tls::open(scene, client, "203.0.113.1:5349");
    if trusts {
        tls.complete(scene, &Offer::named("turn.example.org"));
        tls.talk(scene, 3);
    } else {
        tls.hello(scene, &Offer::named("turn.example.org"));
        tls.server_flight(scene);
        tls.alert(scene, 0, 48);
    }
    tls.tcp.close(scene, 0);
}

#[test]
fn clients_that_do_not_trust_a_servers_certificate_are_one_finding_beside_those_that_do() {
    let mut scene = Scene::new();
    for host in 1..=6 {
        over_tls(&mut scene, &format!("192.0.2.{host}:5000"), host <= 4);
    }
    let report = after_a_while(&mut scene);
    let [found] = &report.findings[..] else { panic!("{}", report.headline) };
    assert_eq!((found.id.as_ref(), found.occurrences), ("tls-certificate-rejected", 2));
    assert_eq!(found.affected.clients_total, 2);
    assert_says(&found.explanation, "In this capture 4 other clients completed TLS with 203.0.113.1");
}

/// Hosts that begin DTLS with others and are answered with an alert: who with whom, and which.
fn refused_dtls(pairs: &[(&str, &str, u8)]) -> Report {
    let mut scene = Scene::new();
    for (number, (client, server, alert)) in (0_u8..).zip(pairs) {
        scene.after_ms(1_000);
        let mut shake = Shake::between(*client, *server);
        shake
            .client_says(&mut scene, |end| end.client_hello(&dtls::Offer { random: number, ..dtls::Offer::default() }));
        shake.server_says(&mut scene, |end| end.alert(2, *alert));
    }
    after_a_while(&mut scene)
}

#[test]
fn what_several_meet_with_one_host_is_one_finding_of_that_host() {
    let (hosts, one) = (["192.0.2.1:5000", "192.0.2.2:5000", "192.0.2.3:5000", "192.0.2.4:5000"], "203.0.113.9:10000");
    for is_asked in [true, false] {
        let pairs = hosts.map(|host| if is_asked { (host, one, 40) } else { (one, host, 40) });
        let report = refused_dtls(&pairs);
        let [found] = &report.findings[..] else { panic!("{:?}", ids(&report)) };
        assert_eq!((&*found.id, found.severity, found.occurrences), ("dtls-handshake-failure", Severity::Failure, 4));
        assert_says(&found.explanation, "3 others met the same with it: it is 203.0.113.9 itself");
    }
    for (name, pairs) in [
        ("two hosts", &hosts.map(|host| (host, one, 40))[..2]),
        ("another alert each", &[(hosts[0], one, 40), (hosts[1], one, 70), (hosts[2], one, 71)]),
        (
            "three calls of one host",
            &[(hosts[0], one, 40), (hosts[0], "203.0.113.9:10001", 40), (hosts[0], "203.0.113.9:10002", 40)],
        ),
    ] {
        let report = refused_dtls(pairs);
        assert!(report.findings.iter().all(|found| !found.explanation.contains("others met")), "{name}");
    }
}

/// So many clients complete TLS with a server and reject its certificate a minute later, but for those `still`.
fn certificate_changed(clients: u8, still: &[u8]) -> Report {
    let mut scene = Scene::new();
    for (round, host) in (0..2_u64).flat_map(|round| (1..=clients).map(move |host| (round, host))) {
        scene.at_ms(round * 60_000 + u64::from(host) * 1_000);
        let client = format!("192.0.2.{host}:{}", 5000 + round);
        over_tls(&mut scene, &client, round == 0 || still.contains(&host));
    }
    after_a_while(&mut scene)
}

#[test]
fn clients_that_completed_tls_until_a_time_and_then_none_say_that_something_was_changed() {
    for (clients, whom) in [(1, "192.0.2.1"), (4, "4 of these clients")] {
        let report = certificate_changed(clients, &[]);
        let found = finding(&report, "tls-certificate-rejected");
        assert_says(&found.explanation, &format!(" {whom} completed TLS with 203.0.113.1 before, the last time"));
        assert_says(&found.fix, "See what was changed at that time");
    }
    let report = certificate_changed(4, &[3]);
    let found = finding(&report, "tls-certificate-rejected");
    assert_says(&found.explanation, "In this capture 1 other client completed TLS with 203.0.113.1");
    assert!(!found.fix.contains("at that time"), "{}", found.fix);
}

#[test]
fn a_server_that_takes_no_connections_any_more_is_told_by_those_clients_too_that_it_served_before() {
    let mut scene = Scene::new();
    let call = |scene: &mut Scene, host: u8, port: u16| {
        let mut tls = Tls::open(scene, &format!("192.0.2.{host}:{port}"), "203.0.113.1:5349");
        tls.complete(scene, &Offer::named("turn.example.org"));
        tls.talk(scene, 3);
        tls.tcp.close(scene, 0);
    };
    (1..=4).for_each(|host| call(&mut scene, host, 5000));
    for host in 1..=4 {
        scene.after_ms(20_000);
        Tcp::refused(&mut scene, &format!("192.0.2.{host}:6000"), "203.0.113.1:5349");
    }
    scene.after_ms(60_000);
    (1..=3).for_each(|host| call(&mut scene, host, 7000));
    let report = after_a_while(&mut scene);
    let found = finding(&report, "turn-unreachable");
    assert_eq!((found.severity, found.affected.clients_total), (Severity::Failure, 1), "{}", report.headline);
    assert_says(&found.title, "203.0.113.1:5349 refuses TCP connections: the SYN of 192.0.2.4 is answered by a reset");
    assert_says(&found.explanation, "It took other connections in this capture");
    assert_says(&found.explanation, "or a firewall rejects this one in its name");
}

/// Clients of a conference server, of which these hear no more of it after half a minute, and of these the ones that go on elsewhere; or it alone asks for
/// consent, and does not hear these any more.
fn conference(clients: u8, lost: &[u8], elsewhere: &[u8], asks: bool) -> Report {
    const CONFERENCE: &str = "203.0.113.9:10000";
    let own = |host: u8| IceSide::new(&format!("client{host}"), &format!("password-of-client-{host:04}"), 7);
    let its = |host: u8| IceSide::new(&format!("server{host}"), &format!("password-for-client-{host:04}"), 1);
    let mut scene = Scene::new();
    for tick in 0..40_u64 {
        for host in 1..=clients {
            let client = format!("192.0.2.{host}:5000");
            scene.at_ms(1_000 + tick * 2_500 + u64::from(host) * 10);
            let (is_first, answers) = (tick == 0, tick < 12 || !lost.contains(&host));
            let dress = |check: Stun| if is_first { check.use_candidate() } else { check };
            let (check, answerer) = match asks {
                false => (scene.ice_check(&*client, CONFERENCE, (&own(host), &its(host)), true, dress), its(host)),
                true => (scene.ice_check(CONFERENCE, &*client, (&its(host), &own(host)), true, dress), own(host)),
            };
            scene.after_ms(1).udp(&*client, CONFERENCE, payload::rtp(96, tick as u16, 0, 1, 100));
            if answers {
                scene.after_ms(1).ice_answer(&check, &answerer);
                scene.after_ms(1).udp(CONFERENCE, &*client, payload::rtp(96, tick as u16, 0, 2, 100));
            }
        }
    }
    for host in elsewhere {
        scene.direct_call(&format!("192.0.2.{host}:6000"), "203.0.113.10:10000", 100);
    }
    after_a_while(&mut scene)
}

#[test]
fn a_conference_server_that_several_clients_lose_at_once_is_one_finding() {
    let lost = |report: &Report| report.findings.iter().filter(|found| found.id == "ice-consent-lost").count();
    let all = conference(5, &[1, 2, 3, 4, 5], &[], false);
    assert_eq!(lost(&all), 1, "{}", all.headline);
    let found = finding(&all, "ice-consent-lost");
    assert_eq!((found.occurrences, found.affected.clients_total), (5, 5));
    let told = "4 others met the same with it at about that time: it is 203.0.113.9 itself";
    assert_says(&found.explanation, told);
    assert_says(&all.headline, "(and 4 other clients)");
    let alone = conference(5, &[1, 2, 3, 4, 5], &[], true);
    assert_eq!(lost(&alone), 1, "{}", alone.headline);
    assert_says(&finding(&alone, "ice-consent-lost").explanation, told);
    let two = conference(5, &[2, 4], &[], false);
    assert_eq!(lost(&two), 2, "{}", two.headline);
    assert!(!finding(&two, "ice-consent-lost").explanation.contains("others met"));
    let but_one = conference(9, &[1, 2, 3, 4, 5, 6, 7, 8, 9], &[1, 2, 3, 4, 5, 6, 7, 8], false);
    assert_says(&but_one.headline, "203.0.113.9 stopped answering the consent checks of 192.0.2.9");
}
