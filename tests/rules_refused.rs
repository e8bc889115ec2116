//! Refusals of peers and of clients, redirections, faults, and codes that no other finding explains.

mod support;

use support::analyze::{assert_says, finding, frames_of, ids, report};
use support::calls::{failures, graver};
use support::*;
use turnscope::report::{Confidence, Report, Severity, Verdict};

const CLIENT: &str = "172.16.84.124:50000";
const SERVER: &str = "10.88.246.156:3478";
const SECOND: &str = "10.88.246.157:3478";
const RELAYED: &str = "10.88.246.156:24000";
const PEER: &str = "198.51.100.7:4000";

/// A client with an allocation: frames 1 to 4.
fn allocated() -> Scene {
    Scene::allocated(CLIENT, SERVER, "nonce", RELAYED)
}

/// A permission for `peer`, refused.
fn forbid(scene: &mut Scene, peer: &str) {
    let request = scene.after_ms(20).create_permission(CLIENT, SERVER, &alice(), "nonce", peer);
    scene.after_ms(10).refuse_with(&request, 403, "Forbidden IP", |error| error.integrity(alice().key()));
}

/// The capture goes on for a while.
fn later(scene: &mut Scene) -> Report {
    scene.later(8);
    report(&scene.pcap())
}

/// A signed Allocate, refused.
fn refused(code: u16, reason: &str) -> Scene {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "nonce");
    let request = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce");
    scene.after_ms(10).refuse_with(&request, code, reason, |error| error.integrity(alice().key()));
    scene
}

fn granted_later(scene: &mut Scene) {
    let retry = scene.after_ms(1000).allocate_as(CLIENT, SERVER, &alice(), "nonce");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
}

/// A request without credentials, and 300 to `alternate`.
fn redirected(scene: &mut Scene, client: &str, server: &str, alternate: &str) {
    let request = scene.after_ms(50).allocate(client, server);
    scene.after_ms(10).refuse_with(&request, 300, "Try Alternate", |error| error.alternate_server(alternate));
}

#[test]
fn findings_that_found_no_room_are_counted() {
    let mut scene = Scene::new();
    for number in 0..1100 {
        let server = format!("10.88.{}.{}:3478", number / 250, 1 + number % 250);
        let request = scene.after_ms(10).allocate(CLIENT, server.as_str());
        scene.after_ms(10).refuse(&request, 500, "Server Error");
    }
    let report = later(&mut scene);
    assert_eq!((report.findings.len(), report.omitted["findings"]), (1024, 76));
}

#[test]
fn a_forbidden_peer_is_named_with_the_class_of_its_address() {
    let mut scene = allocated();
    forbid(&mut scene, "192.168.7.20:4000");
    let report = later(&mut scene);
    assert_eq!(graver(&report), ["turn-peer-forbidden"]);
    let found = finding(&report, "turn-peer-forbidden");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.title, "192.168.7.20 (private address)");
    assert_eq!(found.places.iter().map(|place| place.frame).collect::<Vec<_>>(), [5, 6]);
    assert!(found.subject.peer.is_some());
}

#[test]
fn servers_that_refuse_a_client_the_same_private_peer_are_one_finding() {
    const THIRD: &str = "10.88.246.156:5349";
    for (peer, expected) in [("192.168.7.20:4000", 1), (PEER, 3)] {
        let mut scene = Scene::new();
        for (number, server) in [SERVER, SECOND, THIRD].into_iter().enumerate() {
            let client = format!("172.16.84.124:{}", 50000 + number);
            scene.after_ms(50).allocation(&*client, server, &alice(), "nonce", RELAYED);
            let request = scene.after_ms(20).create_permission(&*client, server, &alice(), "nonce", peer);
            scene.after_ms(10).refuse_with(&request, 403, "Forbidden IP", |error| error.integrity(alice().key()));
        }
        let report = later(&mut scene);
        assert_eq!(graver(&report), vec!["turn-peer-forbidden"; expected]);
        let found = finding(&report, "turn-peer-forbidden");
        if expected == 1 {
            assert_eq!(found.occurrences, 3);
            assert!(found.title.ends_with("; nor do 10.88.246.157:3478 and 10.88.246.156:5349"), "{}", found.title);
            let frames: Vec<_> = found.places.iter().map(|place| place.frame).collect();
            assert_eq!(frames, [5, 6, 11, 12, 17, 18]);
            assert_eq!(found.filter.as_deref(), Some("stun && ip.addr == 172.16.84.124"), "it shows all of them");
        }
    }
}

#[test]
fn several_forbidden_peers_of_several_classes_are_one_finding() {
    let mut scene = allocated();
    for peer in ["127.0.0.1:4000", "192.168.7.20:4000", "192.168.7.20:4002", "224.0.0.1:4000", "203.0.113.9:4000"] {
        forbid(&mut scene, peer);
    }
    let report = later(&mut scene);
    assert_eq!(graver(&report), ["turn-peer-forbidden"]);
    let title = &finding(&report, "turn-peer-forbidden").title;
    assert!(
        title.contains(
            "127.0.0.1 (loopback address), 192.168.7.20 (private address), 224.0.0.1 (multicast address) and 1 other"
        ),
        "{title}"
    );
}

#[test]
fn a_request_for_several_peers_that_is_forbidden_blames_none_of_them() {
    let mut scene = allocated();
    let both = Stun::request(method::CREATE_PERMISSION).xor_peer("198.51.100.7:4000").xor_peer("192.168.7.20:4000");
    let request = scene.after_ms(20).send(CLIENT, SERVER, both.signed(&alice(), "nonce"));
    scene.after_ms(10).refuse_with(&request, 403, "Forbidden IP", |error| error.integrity(alice().key()));
    let report = later(&mut scene);
    let found = finding(&report, "turn-peer-forbidden");
    assert_says(&found.title, "198.51.100.7 (public) or another peer of the same request");
    assert!(!found.explanation.contains("barred by a rule"), "{}", found.explanation);
}

#[test]
fn a_forbidden_peer_among_others_that_exchange_data_is_a_warning() {
    let mut before = allocated();
    forbid(&mut before, "192.168.7.20:4000");
    before.talk(CLIENT, SERVER, &alice(), "nonce", (0x4000, PEER), 5);
    assert_eq!(finding(&later(&mut before), "turn-peer-forbidden").severity, Severity::Warning);
    let mut after = allocated();
    after.talk(CLIENT, SERVER, &alice(), "nonce", (0x4000, PEER), 5);
    forbid(&mut after, "192.168.7.20:4000");
    assert_eq!(finding(&later(&mut after), "turn-peer-forbidden").severity, Severity::Warning);
}

#[test]
fn a_forbidden_peer_beside_a_permission_for_another_need_not_be_what_fails() {
    let mut scene = allocated();
    let request = scene.after_ms(20).create_permission(CLIENT, SERVER, &alice(), "nonce", PEER);
    scene.after_ms(10).granted(&request, None, &alice());
    forbid(&mut scene, "192.168.7.20:4000");
    let report = later(&mut scene);
    assert_eq!(finding(&report, "turn-peer-forbidden").confidence, Confidence::Likely);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn an_allocation_alone_does_not_make_a_forbidden_peer_good() {
    let mut scene = allocated();
    forbid(&mut scene, "192.168.7.20:4000");
    scene.after_ms(100).allocation("172.16.84.124:50001", SERVER, &alice(), "nonce", "10.88.246.156:24002");
    assert_eq!(finding(&later(&mut scene), "turn-peer-forbidden").severity, Severity::Failure);
}

#[test]
fn a_403_for_the_kind_of_relay_is_not_about_the_peer() {
    let mut scene = allocated();
    let request = scene.after_ms(20).channel_bind(CLIENT, SERVER, &alice(), "nonce", (0x4000, PEER));
    scene.after_ms(10).refuse(&request, 403, "Channel bind cannot be used with TCP relay");
    let report = later(&mut scene);
    assert_eq!(graver(&report), ["turn-request-rejected"]);
    assert!(finding(&report, "turn-request-rejected").explanation.contains("An allocation for TCP has no channels."));
}

#[test]
fn a_peer_that_the_relay_cannot_connect_to_is_named() {
    for (code, words) in [(447, "could not connect to the peer 198.51.100.7:4000"), (446, "has a connection already")] {
        let mut scene = allocated();
        let connect = Stun::request(method::CONNECT).xor_peer(PEER).signed(&alice(), "nonce");
        let request = scene.after_ms(20).send(CLIENT, SERVER, connect);
        scene.after_ms(10).refuse(&request, code, "Connection Timeout or Failure");
        let report = later(&mut scene);
        assert_eq!(graver(&report), ["turn-peer-connect-failed"]);
        let found = finding(&report, "turn-peer-connect-failed");
        assert_eq!(found.severity, Severity::Failure);
        assert_says(&found.title, words);
    }
}

#[test]
fn a_failed_connection_beside_data_that_flows_is_a_warning() {
    let mut scene = allocated();
    let connect = Stun::request(method::CONNECT).xor_peer("192.0.2.77:80").signed(&alice(), "nonce");
    let request = scene.after_ms(20).send(CLIENT, SERVER, connect);
    scene.after_ms(10).refuse(&request, 447, "Connection Timeout or Failure");
    scene.talk(CLIENT, SERVER, &alice(), "nonce", (0x4000, PEER), 5);
    assert_eq!(finding(&later(&mut scene), "turn-peer-connect-failed").severity, Severity::Warning);
}

#[test]
fn a_client_that_is_barred_is_told_so_and_a_draining_server_is_named() {
    let report = later(&mut refused(403, "Forbidden"));
    assert_eq!(graver(&report), ["turn-refused"]);
    assert_says(&report.headline, "refuses to serve \"alice\": 403 Forbidden");
    let report = later(&mut refused(403, "Server is draining, then will shutdown. Try another server."));
    assert_says(&report.headline, "about to be stopped");
}

#[test]
fn each_refusal_of_an_allocate_is_one_failure_that_a_later_grant_softens() {
    for (code, reason, id) in [
        (403, "Forbidden", "turn-refused"),
        (500, "Server Error", "turn-server-error"),
        (405, "Mobility Forbidden", "turn-request-rejected"),
        (400, "Wrong Lifetime Field", "turn-request-rejected"),
        (600, "Global Failure", "turn-request-rejected"),
        (699, "", "turn-request-rejected"),
    ] {
        let alone = later(&mut refused(code, reason));
        assert_eq!(graver(&alone), [id], "{code}");
        assert_eq!(finding(&alone, id).severity, Severity::Failure, "{code}");
        assert_eq!(alone.verdict, Verdict::Failure);
        let mut scene = refused(code, reason);
        granted_later(&mut scene);
        assert_eq!(finding(&later(&mut scene), id).severity, Severity::Warning, "{code}");
    }
}

#[test]
fn a_client_that_is_granted_what_only_an_allocation_gives_has_one_though_the_capture_lacks_the_answer() {
    for served in [false, true] {
        let mut scene = refused(420, "Unknown Attribute");
        let other = "172.16.84.124:50001";
        let login = alice();
        scene.after_ms(10).allocate_as(other, SERVER, &login, "m");
        if served {
            let permission = scene.after_ms(10).create_permission(other, SERVER, &login, "m", PEER);
            scene.after_ms(1).granted(&permission, None, &login);
        }
        assert_eq!(later(&mut scene).verdict, if served { Verdict::Warning } else { Verdict::Failure });
    }
}

#[test]
fn a_lone_refused_refresh_is_a_failure_and_one_that_succeeds_after_it_a_warning() {
    let mut scene = allocated();
    let refresh = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
    scene.after_ms(10).refuse(&refresh, 400, "Bad Request");
    let alone = later(&mut scene);
    assert_eq!(graver(&alone), ["turn-request-rejected"]);
    assert_eq!(alone.verdict, Verdict::Failure);
    let again = scene.after_ms(10).refresh(CLIENT, SERVER, &alice(), "nonce", 600);
    scene.after_ms(10).granted(&again, Some(600), &alice());
    assert_eq!(later(&mut scene).verdict, Verdict::Warning);
}

#[test]
fn a_refused_release_is_no_failure() {
    let mut scene = allocated();
    let release = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce", 0);
    scene.after_ms(10).refuse(&release, 500, "Server Error");
    assert_eq!(finding(&later(&mut scene), "turn-server-error").severity, Severity::Warning);
}

#[test]
fn what_is_refused_while_the_client_closes_is_no_failure() {
    let mut scene = allocated();
    let release = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice(), "nonce", 0);
    scene.after_ms(10).granted(&release, Some(0), &alice());
    let late = scene.after_ms(5).channel_bind(CLIENT, SERVER, &alice(), "nonce", (0x4000, PEER));
    scene.after_ms(10).refuse(&late, 400, "");
    assert!(graver(&later(&mut scene)).is_empty());
}

#[test]
fn the_reason_phrase_cannot_drive_a_terminal() {
    let report = later(&mut refused(500, "\u{1b}[31mred"));
    assert!(!serde_json::to_string(&report).unwrap().contains("\\u001b[31mred: "));
    assert!(!report.headline.contains('\u{1b}'), "{}", report.headline);
}

#[test]
fn a_challenge_and_its_retry_are_no_refusal() {
    assert!(graver(&later(&mut allocated())).iter().all(|id| *id == "turn-challenge"));
}

#[test]
fn a_challenge_that_the_snap_length_cut_is_no_refusal() {
    let mut scene = Scene::new();
    scene.snap_length(80);
    scene.allocation(CLIENT, SERVER, &alice(), "nonce", RELAYED);
    assert!(!graver(&later(&mut scene)).contains(&"turn-request-rejected"));
}

#[test]
fn a_client_that_follows_a_redirection_is_healthy() {
    let mut scene = Scene::new();
    redirected(&mut scene, CLIENT, SERVER, SECOND);
    scene.after_ms(10).allocation("172.16.84.124:50001", SECOND, &alice(), "nonce", RELAYED);
    let report = later(&mut scene);
    assert_eq!(finding(&report, "turn-redirect").severity, Severity::Note);
    assert_eq!(report.verdict, Verdict::Healthy);
}

#[test]
fn a_client_that_asks_the_alternate_with_the_id_that_was_answered_is_judged_there() {
    // as libjuice does; many systems number no packets that must not be fragmented, so that the two could be one packet on both sides of a NAT
    let request = Stun::request(method::ALLOCATE).requested_transport(17).tid([7; 12]).bytes();
    let ask = |scene: &mut Scene, server: &str| {
        let packet = packet::udp(CLIENT, server, packet::Ip { id: 0, ttl: 64 }, &request);
        scene.packet(&packet);
        packet
    };
    for turned_away in [false, true] {
        let mut scene = Scene::new();
        ask(&mut scene, SERVER);
        let redirection = Stun::error_to(&request, 300, "Try Alternate").alternate_server(SECOND).bytes();
        scene.after_us(300).udp(SERVER, CLIENT, redirection);
        for wait in [0, 500, 1000, 2000] {
            let asked = ask(scene.after_ms(wait).after_us(50), SECOND);
            if turned_away {
                let router = "172.16.84.1".parse().unwrap();
                let told = packet::icmp_error(router, packet::Ip::default(), 3, 1, 0, &asked);
                scene.after_ms(5).packet(&told);
            }
        }
        let report = later(&mut scene);
        let expected = if turned_away { "turn-unreachable" } else { "turn-no-response" };
        assert_eq!(failures(&report), [expected], "{}", report.headline);
        assert_says(&report.headline, SECOND);
        let found = finding(&report, expected);
        assert_says(&found.explanation, "since 10.88.246.156:3478 sent it on");
        assert_says(&found.fix, "10.88.246.156:3478 name another alternate server");
        assert_eq!(finding(&report, "turn-redirect").severity, Severity::Note);
    }
}

#[test]
fn a_redirection_that_the_snap_length_cut_is_no_refusal_where_the_client_was_served() {
    let mut scene = Scene::new();
    redirected(&mut scene, CLIENT, SERVER, SECOND);
    scene.after_ms(10).allocation("172.16.84.124:50001", SECOND, &alice(), "nonce", RELAYED);
    later(&mut scene);
    let all = degrade::shots(&scene);
    // from the end of the reason phrase on
    for length in [72, 74, 78, 82] {
        let report = report(&degrade::pcap(&degrade::snapped(&all, length)));
        assert_eq!(report.verdict, Verdict::Healthy, "{length}: {}", report.headline);
    }
}

#[test]
fn a_client_that_goes_on_at_the_redirecting_server_ignores_it() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        redirected(&mut scene, CLIENT, SERVER, SECOND);
        scene.after_ms(2000);
    }
    let report = later(&mut scene);
    assert_eq!(graver(&report), ["turn-redirect-ignored"]);
    let found = finding(&report, "turn-redirect-ignored");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.title, SECOND);
}

#[test]
fn a_client_that_asked_the_alternate_in_vain_before_did_not_follow_the_redirection() {
    let mut scene = Scene::new();
    let request = scene.allocate(CLIENT, SECOND);
    scene.after_ms(10).refuse(&request, 508, "Insufficient Capacity");
    for _ in 0..3 {
        redirected(scene.after_ms(2000), CLIENT, SERVER, SECOND);
    }
    let report = later(&mut scene);
    let found = finding(&report, "turn-redirect-ignored");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
    assert_says(&found.explanation, "the alternate it had asked before that");
    assert!(!ids(&report).contains(&"turn-redirect"));
}

#[test]
fn a_client_that_the_alternate_serves_already_has_followed_the_redirection() {
    let mut scene = Scene::allocated(CLIENT, SECOND, "nonce", RELAYED);
    redirected(scene.after_ms(60_000), "172.16.84.124:50001", SERVER, SECOND);
    assert_eq!(later(&mut scene).verdict, Verdict::Healthy);
}

#[test]
fn a_client_that_goes_nowhere_after_a_redirection_is_likely_only() {
    let mut scene = Scene::new();
    redirected(&mut scene, CLIENT, SERVER, SECOND);
    let report = later(&mut scene);
    assert_eq!(finding(&report, "turn-redirect-ignored").confidence, Confidence::Likely);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn a_client_that_gets_service_elsewhere_was_not_stopped_by_the_redirection() {
    let mut scene = Scene::new();
    redirected(&mut scene, CLIENT, SERVER, SECOND);
    redirected(&mut scene, CLIENT, SERVER, SECOND);
    scene.after_ms(10).allocation(CLIENT, "192.0.2.1:3478", &alice(), "nonce", RELAYED);
    assert_eq!(finding(&later(&mut scene), "turn-redirect-ignored").severity, Severity::Warning);
}

#[test]
fn servers_that_send_a_client_to_each_other_are_a_loop() {
    let mut scene = Scene::new();
    for _ in 0..2 {
        redirected(&mut scene, CLIENT, SERVER, SECOND);
        redirected(&mut scene, CLIENT, SECOND, SERVER);
    }
    let report = later(&mut scene);
    assert_eq!(graver(&report), ["turn-redirect-loop"], "one finding for both servers");
    assert_eq!(finding(&report, "turn-redirect-loop").severity, Severity::Failure);
    assert!(report.headline.contains(SERVER) && report.headline.contains(SECOND), "{}", report.headline);
}

#[test]
fn a_client_is_not_said_to_ignore_a_redirection_that_the_capture_shows_it_to_have_followed_by_answers_alone() {
    let mut scene = Scene::new();
    for round in 0..3 {
        let ports = [50_000 + 2 * round, 50_001 + 2 * round].map(|port| format!("172.16.84.124:{port}"));
        redirected(&mut scene, &ports[0], SERVER, SECOND);
        redirected(scene.after_ms(1500), &ports[1], SECOND, SERVER);
        scene.after_ms(1500);
    }
    later(&mut scene);
    let all = degrade::shots(&scene);
    let to_second = |shot: &degrade::Shot| degrade::ends(shot).is_some_and(|(_, to)| to.to_string() == SECOND);
    let part: Vec<_> = all.iter().filter(|shot| !to_second(shot)).cloned().collect();
    let looped = report(&degrade::pcap(&part));
    assert_eq!(graver(&looped), ["turn-redirect-loop"]);

    // the alternate serves
    let mut scene = Scene::new();
    redirected(&mut scene, CLIENT, SERVER, SECOND);
    scene.after_ms(10).allocation("172.16.84.124:50001", SECOND, &alice(), "nonce", RELAYED);
    redirected(scene.after_ms(2000), "172.16.84.124:50002", SERVER, SECOND);
    later(&mut scene);
    let all = degrade::shots(&scene);
    let part: Vec<_> = all.iter().filter(|shot| !to_second(shot)).cloned().collect();
    let followed = report(&degrade::pcap(&part));
    assert!(!graver(&followed).contains(&"turn-redirect-ignored"), "{:?}", graver(&followed));
}

#[test]
fn a_server_that_sends_a_client_to_itself_is_a_loop() {
    let mut scene = Scene::new();
    redirected(&mut scene, CLIENT, SERVER, SERVER);
    assert_eq!(graver(&later(&mut scene)), ["turn-redirect-loop"]);
}

#[test]
fn a_chain_of_redirections_that_ends_is_no_loop() {
    let third = "10.88.246.158:3478";
    let mut scene = Scene::new();
    redirected(&mut scene, CLIENT, SERVER, SECOND);
    redirected(&mut scene, CLIENT, SECOND, third);
    scene.after_ms(10).allocation(CLIENT, third, &alice(), "nonce", RELAYED);
    let report = later(&mut scene);
    assert!(
        graver(&report).iter().all(|id| matches!(*id, "turn-redirect" | "turn-challenge")),
        "{:?}",
        graver(&report)
    );
    assert_eq!(report.verdict, Verdict::Healthy);
}

#[test]
fn a_refused_binding_is_remedied_by_any_server_that_answers() {
    let binding = |scene: &mut Scene| {
        let request = scene.send(CLIENT, SERVER, Stun::request(method::BINDING));
        scene.after_ms(10).refuse(&request, 500, "Server Error");
    };
    let mut alone = Scene::new();
    binding(&mut alone);
    assert_eq!(finding(&later(&mut alone), "turn-server-error").severity, Severity::Failure);
    let mut other = Scene::new();
    binding(&mut other);
    let request = other.after_ms(10).send(CLIENT, SECOND, Stun::request(method::BINDING));
    other.after_ms(10).succeed(&request, |success| success.xor_mapped(CLIENT));
    assert_eq!(finding(&later(&mut other), "turn-server-error").severity, Severity::Warning);
}

#[test]
fn refusals_of_several_kinds_are_each_told_once() {
    let mut scene = refused(500, "Server Error");
    for (code, reason) in [(403, "Forbidden"), (486, "Allocation Quota Reached"), (508, ""), (405, ""), (500, "")] {
        let request = scene.after_ms(100).allocate_as(CLIENT, SERVER, &alice(), "nonce");
        scene.after_ms(10).refuse(&request, code, reason);
    }
    let report = later(&mut scene);
    let mut told = graver(&report);
    told.sort_unstable();
    assert_eq!(told, ["turn-capacity", "turn-quota", "turn-refused", "turn-request-rejected", "turn-server-error"]);
    assert!(report.findings.iter().all(|finding| finding.severity == Severity::Failure));
}

#[test]
fn a_challenge_without_realm_and_nonce_is_the_servers_fault() {
    let (client, server) = ("172.16.84.124:50000", "203.0.113.1:3478");
    for (given, lacking) in [(None, "neither a REALM nor a NONCE"), (Some(true), "no NONCE"), (Some(false), "no REALM")]
    {
        let mut scene = Scene::new();
        for _ in 0..2 {
            let request = scene.after_ms(500).allocate(client, server);
            scene.after_ms(10).refuse_with(&request, 401, "Unauthorized", |answer| match given {
                None => answer,
                Some(true) => answer.realm("example.org"),
                Some(false) => answer.nonce("nonce-1"),
            });
        }
        scene.later(10);
        let told = report(&scene.pcap());
        assert_eq!(failures(&told), ["turn-request-rejected"]);
        let found = finding(&told, "turn-request-rejected");
        assert!(found.title.ends_with(&format!("but with {lacking}")), "{}", found.title);
        assert_says(&found.fix, "realm");
    }
}

#[test]
fn an_error_of_which_the_snap_length_hid_the_code_is_told_as_likely() {
    for snap in [64, 68] {
        let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
        let request = scene.after_ms(20).create_permission(CLIENT, SERVER, &alice(), "nonce-1", PEER);
        scene.after_ms(10).refuse(&request, 403, "Forbidden IP");
        let cut = degrade::pcap(&degrade::snapped(&degrade::shots(&scene), snap));
        let report = report(&cut);
        let found = finding(&report, "turn-request-rejected");
        assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Likely));
        assert_says(&found.title, "the snap length cut the code off");
        assert_eq!(frames_of(&report, "turn-request-rejected"), [5, 6]);
        assert_says(&found.fix, "tcpdump -s 0");
        assert_eq!(report.verdict, Verdict::Warning);
        let note = finding(&report, "capture-truncated");
        assert_says(&note.explanation, "Of 2 error responses it hid the code (frames 2 and 6).");
    }
}

#[test]
fn a_code_that_stands_before_the_cut_is_read_though_its_phrase_is_cut() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    let request = scene.after_ms(20).create_permission(CLIENT, SERVER, &alice(), "nonce-1", PEER);
    scene.after_ms(10).refuse(&request, 403, "Forbidden IP");
    let cut = degrade::pcap(&degrade::snapped(&degrade::shots(&scene), 72));
    let report = report(&cut);
    assert_eq!(finding(&report, "turn-peer-forbidden").confidence, Confidence::Likely);
    assert_eq!(report.counts.error_codes.get("403"), Some(&1));
}

#[test]
fn an_error_without_its_code_that_the_client_got_over_is_nothing_but_a_note() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce-1", RELAYED);
    for refused in [true, false] {
        let request = scene.after_ms(20).create_permission(CLIENT, SERVER, &alice(), "nonce-1", PEER);
        scene.after_ms(10);
        if refused {
            scene.refuse(&request, 438, "Stale Nonce");
        } else {
            scene.granted(&request, None, &alice());
        }
    }
    let cut = degrade::pcap(&degrade::snapped(&degrade::shots(&scene), 66));
    assert_eq!(report(&cut).verdict, Verdict::Healthy);
}

#[test]
fn credentials_that_are_challenged_again_behind_the_cut_of_a_snap_length_are_no_health() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "nonce-1");
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).challenge(&retry, 401, "Unauthorized", "example.org", "nonce-2");
    let cut = degrade::pcap(&degrade::snapped(&degrade::shots(&scene), 96));
    let report = report(&cut);
    assert_eq!(finding(&report, "turn-request-rejected").confidence, Confidence::Likely);
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn checks_and_refreshes_that_the_snap_length_cut_are_refused_without_a_word() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce", RELAYED);
    let refresh = scene.after_ms(20).refresh(CLIENT, SERVER, &alice(), "nonce", 0);
    scene.after_ms(10).refuse(&refresh, 437, "Allocation Mismatch");
    let (own, peer) = sides();
    let check = scene.after_ms(20).ice_check(CLIENT, PEER, (&own, &peer), true, |check| check);
    scene.after_ms(10).refuse(&check, 487, "Role Conflict");
    scene.later(8);
    for snap in [64, 72] {
        let cut = degrade::pcap(&degrade::snapped(&degrade::shots(&scene), snap));
        assert_eq!(report(&cut).verdict, Verdict::Healthy, "{snap}");
    }
}

#[test]
fn a_channel_on_a_relay_for_tcp_is_not_a_matter_of_the_peers_range() {
    let mut scene = Scene::new();
    let mut tcp = Tcp::open(&mut scene, CLIENT, SERVER);
    tcp.allocate(&mut scene, &alice(), RELAYED, 6);
    let bind = Stun::request(method::CHANNEL_BIND)
        .channel_number(0x4000)
        .xor_peer(PEER)
        .signed(&alice(), "nonce")
        .tid([78; 12]);
    tcp.ask(&mut scene, &bind, |asked| Stun::error_to(asked, 403, "Channel bind cannot be used with TCP relay"));
    tcp.close(&mut scene, 0);
    let report = report(&scene.later(20).pcap());
    let found = finding(&report, "turn-request-rejected");
    assert_says(&found.explanation, "An allocation for TCP has no channels");
    assert!(found.fix.contains("RFC 6062") && !found.fix.contains("range"), "{}", found.fix);
}

#[test]
fn a_reservation_that_is_not_to_be_had_is_told_from_404() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "n");
    let token = Stun::request(method::ALLOCATE).requested_transport(17).attribute(attribute::RESERVATION_TOKEN, [7; 8]);
    let request = scene.after_ms(10).send(CLIENT, SERVER, token.signed(&alice(), "n"));
    scene.after_ms(10).refuse(&request, 404, "Cannot find reserved socket");
    let report = report(&scene.later(20).pcap());
    let found = finding(&report, "turn-request-rejected");
    assert_says(&found.explanation, "RESERVATION-TOKEN");
    assert_says(&found.fix, "EVEN-PORT");
}

/// A client of a server built on pion/turn, whose policy denies its peer: what it says to each request.
fn denied_by_policy() -> Scene {
    let login = Login::new("user-1", "stunner.l7mp.io", "p");
    let mut scene = Scene::new();
    let first = scene.allocate(CLIENT, SERVER);
    scene.after_ms(10).refuse_with(&first, 401, "", |error| error.realm("stunner.l7mp.io").nonce("n"));
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &login, "n");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &login);
    scene
}

#[test]
fn a_peer_that_a_server_on_pion_denies_without_a_code_is_named() {
    let mut scene = denied_by_policy();
    let login = Login::new("user-1", "stunner.l7mp.io", "p");
    let permit = scene.after_ms(10).create_permission(CLIENT, SERVER, &login, "n", PEER);
    scene.after_ms(10).udp(SERVER, CLIENT, [&[0x01, 0x18, 0, 0][..], &permit.payload[4..20]].concat());
    let report = report(&scene.later(20).pcap());
    let found = finding(&report, "turn-request-rejected");
    assert_says(&found.explanation, "pion/turn (STUNner, LiveKit)");
    assert_says(&found.fix, "UDPRoute");
}

#[test]
fn a_401_without_a_challenge_to_who_has_an_allocation_does_not_accuse_the_password() {
    let mut scene = denied_by_policy();
    let login = Login::new("user-1", "stunner.l7mp.io", "p");
    let bind = scene.after_ms(10).channel_bind(CLIENT, SERVER, &login, "n", (0x4000, PEER));
    scene.after_ms(10).refuse(&bind, 401, "");
    let report = report(&scene.later(20).pcap());
    assert!(!ids(&report).contains(&"turn-integrity-rejected"), "{:?}", ids(&report));
    let found = finding(&report, "turn-request-rejected");
    assert_says(&found.explanation, "they gave the client its allocation");
}
