//! Stories that are told in full: all ways that are closed, what a code means in answer to this request, who gave up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{assert_says, finding, ids, report};
use support::dtls::{self, Shake, again};
use support::ice::{Agents, plain};
use support::tcp::Tcp;
use support::tls::{self, Tls};
use support::*;
use turnscope::render::clock::Clock;
use turnscope::render::text;
use turnscope::report::{Confidence, Report, Severity, Verdict};

const CLIENT: &str = "172.16.84.124:50000";
const SERVER: &str = "203.0.113.1:3478";
const RELAYED: &str = "203.0.113.1:24000";
const PEER: &str = "198.51.100.7:40000";
const ALICE: &str = "10.0.0.2:50000";
const BOB: &str = "192.0.2.9:40000";

// Ways to a server

/// A client asks over UDP, and over TCP on these ports; nothing ever comes back.
fn knocks_everywhere(ports: &[u16]) -> Scene {
    let mut scene = Scene::new();
    scene.resolved(CLIENT);
    scene.send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 6);
    for (number, port) in ports.iter().enumerate() {
        Tcp::knock(&mut scene, &format!("172.16.84.124:{}", 50001 + number), &format!("203.0.113.1:{port}"));
    }
    scene.later(60);
    scene
}

#[test]
fn a_server_that_is_closed_over_every_transport_is_told_as_that_first_of_all() {
    let told = report(&knocks_everywhere(&[3478, 443]).pcap());
    assert_eq!(ids(&told), ["turn-no-response", "turn-unreachable", "turn-unreachable"]);
    assert!(told.headline.ends_with("went unanswered; TCP on ports 443 and 3478 fails as well."), "{}", told.headline);
    for found in &told.findings {
        assert_says(&found.fix, "Another transport is no way out");
        assert!(!found.fix.contains("give the client a TURN URL"), "{}", found.fix);
        assert!(!found.fix.contains("let the server listen there"), "{}", found.fix);
    }
    assert!(found_on(&told, 443).fix.contains("UDP on port 3478 and TCP on port 3478"), "{:#?}", told.findings);
}

fn found_on(told: &Report, port: u16) -> &turnscope::report::Finding {
    told.findings.iter().find(|found| found.subject.server.unwrap().to_string().ends_with(&format!(":{port}"))).unwrap()
}

#[test]
fn a_server_that_is_closed_over_one_transport_leaves_the_others_to_be_tried() {
    let told = report(&knocks_everywhere(&[]).pcap());
    let found = finding(&told, "turn-no-response");
    assert!(found.title.ends_with("went unanswered"), "{}", found.title);
    assert!(found.fix.ends_with("give the client a TURN URL over TCP or TLS."), "{}", found.fix);
}

#[test]
fn a_server_that_works_over_another_transport_is_not_called_closed() {
    let mut scene = knocks_everywhere(&[443]);
    let mut connection = Tcp::open(scene.at_ms(1000), "172.16.84.124:50009", SERVER);
    connection.allocate(&mut scene, &alice(), RELAYED, 17);
    scene.at_ms(200_000).later(1);
    let told = report(&scene.pcap());
    assert_ne!(told.verdict, Verdict::Failure);
    assert!(told.findings.iter().all(|found| !found.title.contains("as well")), "{:#?}", told.findings);
}

// Codes in answer to this request

/// A client with an allocation is refused this.
fn refused(request: Stun, code: u16, phrase: &str) -> Report {
    let mut scene = Scene::allocated(CLIENT, SERVER, "n", RELAYED);
    let request = scene.after_ms(20).send(CLIENT, SERVER, request.signed(&alice(), "n"));
    scene.after_ms(10).refuse_with(&request, code, phrase, |error| error.integrity(alice().key()));
    scene.later(10);
    report(&scene.pcap())
}

#[test]
fn quota_and_capacity_mean_no_relay_where_none_was_asked_for() {
    let permission = || Stun::request(method::CREATE_PERMISSION).xor_peer(PEER);
    let channel = || Stun::request(method::CHANNEL_BIND).channel_number(0x4000).xor_peer(PEER);
    for (request, code, phrase) in [
        (permission(), 486, "Allocation Quota Reached"),
        (permission(), 508, "Insufficient Capacity"),
        (channel(), 486, "Allocation Quota Reached"),
        (channel(), 508, "Cannot create socket"),
        (Stun::request(method::REFRESH).lifetime(600), 486, "Allocation Quota Reached"),
        (Stun::request(method::CONNECT).xor_peer(PEER), 508, "Insufficient Capacity"),
    ] {
        let told = refused(request, code, phrase);
        let found = finding(&told, "turn-request-rejected");
        let text = format!("{} {}", found.explanation, found.fix);
        for wrong in ["relay port", "port range", "EVEN-PORT", "as many allocations", "release what they"] {
            assert!(!text.contains(wrong), "{code} {phrase}: {text}");
        }
        assert!(text.contains("log"), "{text}");
    }
}

/// A client that asks for its address in vain, and then for a relay.
fn bound_in_vain(then: impl FnOnce(&mut Scene)) -> Report {
    let mut scene = Scene::new();
    let binding = scene.send(CLIENT, SERVER, Stun::request(method::BINDING));
    scene.after_ms(10).refuse(&binding, 400, "Bad Request");
    then(scene.after_ms(10));
    report(&scene.later(10).pcap())
}

#[test]
fn a_server_that_refuses_a_binding_is_no_failure_to_who_asks_it_for_a_relay_as_well() {
    // as rusturn does, which then lends 0.0.0.0
    let relay = bound_in_vain(|scene| _ = scene.allocation(CLIENT, SERVER, &alice(), "n", "0.0.0.0:24000"));
    assert_eq!(relay.headline_finding.as_deref(), Some("turn-relay-unusable"));
    assert_eq!(finding(&relay, "turn-request-rejected").severity, Severity::Warning);
    let alone = bound_in_vain(|_| ());
    let found = finding(&alone, "turn-request-rejected");
    assert_eq!(found.severity, Severity::Failure);
    for wrong in ["REQUESTED-TRANSPORT", "PASSWORD-ALGORITHMS", "channel"] {
        assert!(
            !found.explanation.contains(wrong) && !found.fix.contains(wrong),
            "{} {}",
            found.explanation,
            found.fix
        );
    }
}

#[test]
fn a_server_that_drops_what_is_signed_may_not_know_the_user_and_is_reached_all_the_same() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "n");
    let request = Stun::request(method::ALLOCATE).requested_transport(17).signed(&alice(), "n");
    scene.after_ms(10).send_repeatedly(CLIENT, SERVER, request, 5);
    let told = report(&scene.later(10).pcap());
    let found = finding(&told, "turn-no-response");
    assert_says(&found.explanation, "drop it without a word where user or password");
    assert!(
        found.fix.starts_with("Compare user and password") && !found.fix.contains("open that port"),
        "{}",
        found.fix
    );
}

// Credentials that are asked for later

/// A client gets an allocation without credentials, and is asked for them by this request, and goes on so, or with them.
fn asked_later(request: fn() -> Stun, signed: bool) -> Scene {
    let mut scene = Scene::new();
    let first = scene.allocate(CLIENT, SERVER);
    scene.after_ms(10).allocate_granted(&first, RELAYED, 600, &alice());
    let asked = scene.after_ms(10).send(CLIENT, SERVER, request());
    scene.after_ms(10).challenge(&asked, 401, "Unauthorized", "example.org", "n");
    if signed {
        let again = scene.after_ms(10).send(CLIENT, SERVER, request().signed(&alice(), "n"));
        scene.after_ms(10).granted(&again, None, &alice());
    }
    scene.later(20);
    scene
}

#[test]
fn a_permission_that_takes_credentials_and_never_gets_them_is_a_failure() {
    let permission = || Stun::request(method::CREATE_PERMISSION).xor_peer(PEER);
    let channel = || Stun::request(method::CHANNEL_BIND).channel_number(0x4000).xor_peer(PEER);
    let refresh = || Stun::request(method::REFRESH).lifetime(600);
    for (request, name) in
        [(permission as fn() -> Stun, "CreatePermission"), (channel, "ChannelBind"), (refresh, "Refresh")]
    {
        let told = report(&asked_later(request, false).pcap());
        assert_eq!(ids(&told), ["turn-no-credentials"], "{name}");
        let found = finding(&told, "turn-no-credentials");
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
        assert_says(&found.title, &format!("on its {name}"));
        assert_says(&found.explanation, "granted without any (frame 1)");
        assert_eq!(ids(&report(&asked_later(request, true).pcap())), [""; 0], "{name}, signed");
    }
}

#[test]
fn a_release_that_is_challenged_and_left_is_no_fault() {
    let told = report(&asked_later(|| Stun::request(method::REFRESH).lifetime(0), false).pcap());
    assert_eq!(ids(&told), [""; 0]);
}

#[test]
fn a_challenge_at_the_end_of_the_capture_is_no_fault() {
    let mut scene = Scene::new();
    let first = scene.allocate(CLIENT, SERVER);
    scene.after_ms(10).allocate_granted(&first, RELAYED, 600, &alice());
    let asked = scene.after_ms(10).send(CLIENT, SERVER, Stun::request(method::CREATE_PERMISSION).xor_peer(PEER));
    scene.after_ms(10).challenge(&asked, 401, "Unauthorized", "example.org", "n");
    assert_eq!(ids(&report(&scene.later(2).pcap())), [""; 0]);
}

// Handshakes that are given up

fn checks(scene: &mut Scene) {
    let agents = Agents::new(ALICE, BOB);
    scene.a_is_answered(&agents, Stun::use_candidate);
    scene.b_is_answered(&agents, plain);
}

/// The server's flight, so many times, and then one end says this in the clear.
fn given_up(times: u64, by_client: bool, alert: u8) -> Report {
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    checks(&mut scene);
    shake.hello(&mut scene);
    let flight = shake.server_flight(&mut scene);
    for time in 1..times {
        scene.after_ms(1000 * time);
        shake.server_says(&mut scene, |server| again(server, &flight.payload));
    }
    scene.after_ms(500);
    if by_client {
        shake.client_says(&mut scene, |client| client.alert(1, alert));
    } else {
        shake.server_says(&mut scene, |server| server.alert(1, alert));
    }
    for _ in 0..5 {
        checks(scene.after_ms(1000));
    }
    report(&scene.pcap())
}

#[test]
fn a_handshake_that_one_end_closes_is_told_as_closed_by_that_end() {
    for (alert, name) in [(0, "close_notify"), (90, "user_canceled")] {
        for (by_client, who, other) in [(true, ALICE, BOB), (false, BOB, ALICE)] {
            let told = given_up(1, by_client, alert);
            assert_eq!((told.verdict, ids(&told)), (Verdict::Healthy, vec!["dtls-incomplete"]));
            let found = finding(&told, "dtls-incomplete");
            assert_eq!((found.severity, found.confidence), (Severity::Note, Confidence::Certain));
            let title = format!("{who} closes DTLS with {other} before the handshake is complete ({name})");
            assert_eq!(found.title, title);
        }
    }
}

#[test]
fn a_handshake_that_had_stopped_before_it_was_closed_tells_both() {
    let told = given_up(5, false, 0);
    let found = finding(&told, "dtls-incomplete");
    assert_eq!(found.severity, Severity::Failure);
    assert!(found.title.ends_with("stops: 10.0.0.2:50000 owes the next flight"), "{}", found.title);
    assert_says(&found.explanation, "192.0.2.9:40000 closed it in the end (close_notify, frame");
}

// Servers that fall silent

/// A client whose STUN server answers its keepalives so many times, and then no more.
fn keeps_alive(answered: u32, in_vain: u32) -> Scene {
    let mut scene = Scene::new();
    for number in 0..answered + in_vain {
        let request = scene.after_ms(20_000).send(CLIENT, SERVER, Stun::request(method::BINDING));
        if number < answered {
            scene.after_ms(20).succeed(&request, |success| success.xor_mapped("198.51.100.9:6000"));
        }
    }
    scene.later(10);
    scene
}

#[test]
fn a_stun_server_that_answers_no_more_is_a_warning() {
    let told = report(&keeps_alive(5, 8).pcap());
    assert_eq!((told.verdict, ids(&told)), (Verdict::Warning, vec!["turn-no-response"]));
    let title = &finding(&told, "turn-no-response").title;
    assert!(title.ends_with("no more: the last 8, over 2 minutes, went unanswered"), "{title}");
    for (answered, in_vain) in [(5, 0), (5, 2), (20, 3)] {
        assert_eq!(ids(&report(&keeps_alive(answered, in_vain).pcap())), [""; 0], "{answered} {in_vain}");
    }
}

/// A client over TCP whose server takes its Refresh and says nothing for so long.
fn refreshes_over_tcp(seconds: u64, closes: bool) -> Scene {
    let mut scene = Scene::new();
    let mut connection = Tcp::open(&mut scene, CLIENT, SERVER);
    connection.allocate(&mut scene, &alice(), RELAYED, 17);
    let refresh = Stun::request(method::REFRESH).lifetime(600).tid([9; 12]).signed(&alice(), "n").bytes();
    connection.say(scene.after_ms(200_000), 0, &refresh);
    if closes {
        connection.close(scene.after_ms(5000), 0);
    }
    scene.later(seconds);
    scene
}

#[test]
fn a_refresh_over_tcp_that_nobody_answers_is_a_relay_that_is_lost() {
    let told = report(&refreshes_over_tcp(60, false).pcap());
    assert_eq!((told.verdict, ids(&told)), (Verdict::Failure, vec!["turn-no-response", "turn-challenge"]));
    assert!(finding(&told, "turn-no-response").title.contains("1 request (Refresh) went unanswered"), "{told:#?}");
    for (seconds, closes) in [(10, false), (60, true)] {
        let told = report(&refreshes_over_tcp(seconds, closes).pcap());
        assert!(!ids(&told).contains(&"turn-no-response"), "{seconds} {closes}: {:?}", ids(&told));
    }
}

#[test]
fn a_client_whose_refresh_goes_unanswered_did_not_leave_its_allocation() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "n", RELAYED);
    let refresh = Stun::request(method::REFRESH).lifetime(600).signed(&alice(), "n");
    // at the very time of the last answer, as a coarse clock has it
    scene.send_repeatedly(CLIENT, SERVER, refresh, 6);
    scene.later(60);
    let told = report(&scene.pcap());
    assert_eq!(ids(&told), ["turn-no-response", "turn-challenge"]);
}

// What the packets say against the usual reading

/// A server that answers each ClientHello by asking for a cookie; the client numbers its hellos on, or gives all with a cookie one number.
fn wants_cookies(rounds: u16, counts: bool) -> Report {
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    checks(&mut scene);
    for round in 0..rounds {
        shake.client.message = if counts { round } else { round.min(1) };
        shake.server.message = if counts { round } else { 0 };
        let hello = shake.client.client_hello(&dtls::Offer {
            cookie: vec![round as u8; usize::from(round > 0) * 20],
            ..dtls::Offer::default()
        });
        shake.up(scene.after_ms(300), hello);
        shake.server_says(&mut scene, |server| server.hello_verify_request(&[round as u8 + 1; 20]));
    }
    for _ in 0..5 {
        checks(scene.after_ms(1000));
    }
    report(&scene.pcap())
}

#[test]
fn a_server_that_wants_cookies_without_end_is_not_told_as_a_client_that_owes() {
    for counts in [true, false] {
        let told = wants_cookies(6, counts);
        assert_eq!((told.verdict, ids(&told)), (Verdict::Failure, vec!["dtls-incomplete"]));
        let title = "192.0.2.9:40000 does not take the DTLS cookie of 10.0.0.2:50000: it asks for one again and again";
        assert_eq!(finding(&told, "dtls-incomplete").title, title);
        assert_ne!(wants_cookies(2, counts).verdict, Verdict::Failure, "one round is the usual one");
    }
}

#[test]
fn a_user_that_was_accepted_before_is_not_said_to_have_had_another_password_all_along() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "n", RELAYED);
    for _ in 0..2 {
        let refresh = scene.after_ms(240_000).refresh(CLIENT, SERVER, &alice(), "n", 600);
        scene.after_ms(10).challenge(&refresh, 401, "Unauthorized", "example.org", "n");
    }
    let told = report(&scene.later(10).pcap());
    let found = finding(&told, "turn-integrity-rejected");
    assert!(
        found.title.ends_with("with 401 Unauthorized: the same user was accepted 4 minutes before"),
        "{}",
        found.title
    );
    assert_says(&found.explanation, "in frame 3");
}

#[test]
fn a_binding_request_that_takes_credentials_is_a_matter_of_the_server() {
    let mut scene = Scene::new();
    let request = scene.send(CLIENT, SERVER, Stun::request(method::BINDING));
    scene.after_ms(10).challenge(&request, 401, "Unauthorized", "example.org", "n");
    let told = report(&scene.later(20).pcap());
    let fix = &finding(&told, "turn-no-credentials").fix;
    assert!(fix.contains("secure-stun") && !fix.contains("RTCIceServer"), "{fix}");
}

#[test]
fn a_channel_that_is_refused_is_told_by_its_number() {
    for (number, before, words) in [
        (0x5000, None, "RFC 8656 leaves 0x4000 to 0x4fff"),
        (0x4000, Some((0x4000, "198.51.100.8:40000")), "Channel 0x4000 is bound to 198.51.100.8:40000 since frame 5"),
        (0x4001, Some((0x4000, PEER)), "Channel 0x4000 is bound to 198.51.100.7:40000 since frame 5"),
    ] {
        let mut scene = Scene::allocated(CLIENT, SERVER, "n", RELAYED);
        if let Some(before) = before {
            let bind = scene.after_ms(20).channel_bind(CLIENT, SERVER, &alice(), "n", before);
            scene.after_ms(10).granted(&bind, None, &alice());
        }
        let bind = scene.after_ms(20).channel_bind(CLIENT, SERVER, &alice(), "n", (number, PEER));
        scene.after_ms(10).refuse_with(&bind, 400, "Bad Request", |error| error.integrity(alice().key()));
        let told = report(&scene.later(10).pcap());
        let found = finding(&told, "turn-request-rejected");
        assert_says(&found.explanation, words);
        assert!(!found.explanation.contains("PASSWORD-ALGORITHMS"), "{}", found.explanation);
    }
}

/// Two agents whose checks go through a relay, and come to nothing: both claim to be controlling.
#[test]
fn a_role_conflict_inside_a_relay_is_not_got_over_by_its_own_checks() {
    let (one, other) = sides();
    let mut scene = Scene::allocated(CLIENT, SERVER, "n", RELAYED);
    let bind = scene.after_ms(20).channel_bind(CLIENT, SERVER, &alice(), "n", (0x4000, PEER));
    scene.after_ms(10).granted(&bind, None, &alice());
    for number in 0..10u8 {
        let refused = |check: &[u8], password: &str| {
            Stun::error_to(check, 487, "Role Conflict").integrity_short_term(password).fingerprint().bytes()
        };
        let up = scene::ice_check(&one, &other, true, |check| check).tid([number; 12]).bytes();
        let down = scene::ice_check(&other, &one, true, |check| check).tid([number + 100; 12]).bytes();
        scene.after_ms(300).channel_data(CLIENT, SERVER, 0x4000, &up);
        scene.after_ms(20).channel_data(SERVER, CLIENT, 0x4000, refused(&up, &other.password));
        scene.after_ms(20).channel_data(SERVER, CLIENT, 0x4000, &down);
        scene.after_ms(20).channel_data(CLIENT, SERVER, 0x4000, refused(&down, &one.password));
    }
    let told = report(&scene.later(10).pcap());
    assert_eq!((told.verdict, told.headline_finding.as_deref()), (Verdict::Failure, Some("ice-role-conflict")));
}

// What works over TLS that nobody can read

#[test]
fn a_stun_server_that_is_silent_is_no_failure_where_the_client_goes_over_tls_to_another() {
    for (works, verdict) in [(true, Verdict::Warning), (false, Verdict::Failure)] {
        let mut scene = Scene::new();
        scene.resolved(CLIENT);
        scene.send_repeatedly("172.16.84.124:50001", "198.51.100.77:19302", Stun::request(method::BINDING), 6);
        scene.send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 6);
        if works {
            let mut connection = Tls::open(&mut scene, "172.16.84.124:50002", "203.0.113.1:443");
            connection.complete(&mut scene, &tls::Offer::default());
            connection.talk(&mut scene, 6);
        }
        scene.later(60);
        let told = report(&scene.pcap());
        assert_eq!(told.verdict, verdict, "{:#?}", told.findings.iter().map(|f| &f.title).collect::<Vec<_>>());
    }
}

// Answers that are not taken

#[test]
fn a_granted_allocation_that_the_client_never_takes_is_a_failure() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "n");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "n");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
    for wait in [500, 1000, 2000, 4000] {
        let again = scene.after_ms(wait).retransmit(&retry);
        scene.after_ms(10).allocate_granted(&again, RELAYED, 600, &alice());
    }
    let told = report(&scene.later(20).pcap());
    assert_eq!((told.verdict, told.headline_finding.as_deref()), (Verdict::Failure, Some("turn-answer-lost")));
    let found = finding(&told, "turn-answer-lost");
    assert!(
        found.title.ends_with("the client does not take the answer: it repeats its Allocate request"),
        "{}",
        found.title
    );
    // where it asks anew and goes on with that, it was got over
    let second = scene.allocate_as(CLIENT, SERVER, &alice(), "n");
    scene.after_ms(10).allocate_granted(&second, RELAYED, 600, &alice());
    assert_ne!(report(&scene.later(20).pcap()).verdict, Verdict::Failure);
}

// Narrow terminals

#[test]
fn tables_of_pairs_keep_their_words_whole_in_eighty_columns() {
    let mut scene = Scene::new();
    let (one, other) = sides();
    for _ in 0..2 {
        let check = scene.after_ms(20).ice_check(
            "192.168.100.120:51000",
            "198.51.100.199:50002",
            (&one, &other),
            true,
            |check| check.use_candidate(),
        );
        scene.after_ms(10).ice_answer(&check, &other);
    }
    let told = report(&scene.pcap());
    let options = text::Options {
        width: 80,
        colour: false,
        clock: Clock::Relative(Default::default()),
        detail: text::Detail::Normal,
    };
    let shown = text::report(&told, &options);
    for words in ["  local /", "→ answered  ← answered", "host–?  2 of 2", "192.168.100.120:51000"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn a_nonce_that_may_have_run_out_is_no_certain_password() {
    for seconds in [1, 20] {
        let mut scene = Scene::allocated(CLIENT, SERVER, "n", RELAYED);
        let refresh = scene.after_ms(240_000).refresh(CLIENT, SERVER, &alice(), "n", 600);
        scene.after_ms(10).challenge(&refresh, 401, "Unauthorized", "example.org", "another");
        let told = report(&scene.later(seconds).pcap());
        let certain = finding(&told, "turn-integrity-rejected").confidence == Confidence::Certain;
        assert_eq!(certain, seconds > 10, "{}", told.headline);
    }
}
