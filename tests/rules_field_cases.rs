//! What people met in the field and how it was solved, rebuilt: what is told has to be what it was.

mod support;

use support::analyze::{assert_says, finding, ids, report, report_with};
use support::calls::{failures, graver};
use support::dtls::{self, Shake};
use support::ice::{Agents, plain};
use support::*;
use turnscope::report::{Confidence, Report, Severity, Verdict};

const A: &str = "192.168.1.10:5000";
const B: &str = "198.51.100.20:10000";
const ROUTER: &str = "192.168.1.1";

fn agents() -> Agents {
    Agents::new(A, B)
}

/// A call whose DTLS is complete.
fn call() -> (Scene, Shake) {
    let mut scene = Scene::new();
    scene.connect(&agents());
    let mut shake = Shake::between(A, B);
    shake.complete(&mut scene);
    (scene, shake)
}

#[test]
fn an_agent_that_answers_from_another_address_is_the_one_to_mend_though_it_checks_from_there_too() {
    let (agents, from_there) = (agents(), Agents::new(A, "198.51.100.99:10000"));
    let mut scene = Scene::new();
    for _ in 0..25 {
        let check = scene.after_ms(400).a_checks(&agents, plain);
        let answer = Stun::success_to(&check.payload).xor_mapped("203.0.113.7:5000");
        let answer = answer.integrity_short_term(&agents.b.password).fingerprint().bytes();
        scene.after_ms(20).udp(from_there.at_b, A, answer);
        scene.after_ms(5).b_checks(&from_there, plain);
    }
    let told = report(&scene.pcap());
    let found = finding(&told, "ice-checks-unanswered");
    assert!(found.explanation.starts_with("192.168.1.10 (\"aaaa\") sent 25 checks"), "{}", found.explanation);
    assert!(found.fix.starts_with("Let 198.51.100.20 answer from"), "{}", found.fix);
}

#[test]
fn checks_that_nobody_answers_name_the_port_to_open_and_the_address_that_leads_nowhere() {
    let fix = |at_b: &'static str| {
        let mut scene = Scene::new();
        scene.a_checks_in_vain(&Agents::new(A, at_b), 30, 400).resolved(A);
        finding(&report(&scene.pcap()), "ice-checks-unanswered").fix.clone()
    };
    let told = fix(B);
    assert!(told.contains("198.51.100.20:10000") && !told.contains("private"), "{told}");
    let told = fix("172.17.0.2:8000");
    assert!(told.contains("172.17.0.2 is a private address"), "{told}");
    let told = fix("192.168.1.20:8000");
    assert!(!told.contains("is a private address"), "{told}");
}

/// Checks that are answered unless they nominate.
fn nominations_are_dropped(between: bool) -> Report {
    let agents = agents();
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.a_is_answered(&agents, plain);
    }
    for _ in 0..20 {
        if between {
            scene.a_is_answered(&agents, plain);
        }
        scene.after_ms(450).a_checks(&agents, Stun::use_candidate);
    }
    report(&scene.pcap())
}

#[test]
fn checks_that_go_unanswered_only_where_they_nominate_are_a_failure() {
    let told = nominations_are_dropped(true);
    assert_eq!(failures(&told), ["ice-not-nominated"]);
    let found = finding(&told, "ice-not-nominated");
    assert!(found.title.contains("with USE-CANDIDATE") && found.title.contains("without it"), "{}", found.title);
    assert_says(&found.fix, "firewall");
    // where no other check is sent any more, the peer may be gone
    let told = nominations_are_dropped(false);
    assert_eq!(finding(&told, "ice-not-nominated").confidence, Confidence::Likely);
    assert_eq!(told.verdict, Verdict::Warning);
}

#[test]
fn one_nomination_that_is_sent_again_and_again_goes_unanswered_as_well() {
    // as libjuice does through turn-rs, which passes on what comes in Send and drops the answers that come in ChannelData
    let agents = agents();
    let mut scene = Scene::new();
    scene.a_is_answered(&agents, plain);
    scene.send_repeatedly(A, B, agents.message(Stun::use_candidate), 6);
    let told = report(&scene.pcap());
    let found = finding(&told, "ice-not-nominated");
    assert_says(&found.explanation, "with USE-CANDIDATE 6 times");
    assert_eq!((found.confidence, told.verdict), (Confidence::Likely, Verdict::Warning));
}

#[test]
fn a_nomination_that_is_lost_once_and_then_answered_is_healthy() {
    let agents = agents();
    let mut scene = Scene::new();
    scene.a_is_answered(&agents, plain);
    for _ in 0..3 {
        scene.after_ms(450).a_checks(&agents, Stun::use_candidate);
    }
    scene.connect(&agents).talk_directly(A, B, 50);
    assert_eq!(report(&scene.pcap()).verdict, Verdict::Healthy);
}

#[test]
fn a_controlled_agent_whose_peer_only_answers_waits_for_a_nomination_that_never_comes() {
    let mut agents = agents();
    agents.a_controls = false;
    let mut scene = Scene::new();
    for _ in 0..20 {
        scene.after_ms(450).a_is_answered(&agents, plain);
    }
    let told = report(&scene.pcap());
    assert_eq!(failures(&told), ["ice-not-nominated"]);
    let found = finding(&told, "ice-not-nominated");
    assert_eq!(
        found.title,
        "192.168.1.10 waits to be nominated by 198.51.100.20, which sends no checks: nobody nominates a pair"
    );
    assert_says(&found.fix, "a=ice-lite");
}

#[test]
fn a_controlled_agent_that_asks_a_silent_peer_for_consent_in_the_middle_of_a_call_lacks_nothing() {
    let mut agents = agents();
    agents.a_controls = false;
    let mut scene = Scene::new();
    for _ in 0..12 {
        scene.after_ms(5000).a_is_answered(&agents, plain);
    }
    assert!(graver(&report(&scene.pcap())).is_empty());
}

#[test]
fn a_role_conflict_that_is_answered_without_a_signature_is_not_heard() {
    let agents = agents();
    let refused = |sign: Option<&str>| {
        let mut scene = Scene::new();
        for _ in 0..20 {
            let check = scene.after_ms(450).a_checks(&agents, plain);
            scene.after_ms(20).refuse_with(&check, 487, "Role Conflict", |error| match sign {
                Some(password) => error.integrity_short_term(password).fingerprint(),
                None => error,
            });
        }
        let given = format!("[[credential]]\nice_ufrag = \"bbbb\"\nice_pwd = \"{}\"\n", agents.b.password);
        finding(&report_with(&scene.pcap(), &given), "ice-role-conflict").clone()
    };
    let found = refused(None);
    assert_says(&found.explanation, "carry no MESSAGE-INTEGRITY");
    assert!(found.fix.starts_with("Update the stack of 198.51.100.20"), "{}", found.fix);
    let found = refused(Some(&agents.a.password));
    assert_says(&found.explanation, "do not verify");
    assert!(found.fix.starts_with("Update the stack of 198.51.100.20"), "{}", found.fix);
    let found = refused(Some(&agents.b.password));
    assert!(!found.explanation.contains("verify"), "{}", found.explanation);
    assert!(found.fix.starts_with("The agent that is answered 487"), "{}", found.fix);
}

#[test]
fn checks_with_the_user_fragment_of_another_section_are_not_told_as_a_restart_nor_as_an_agent_that_gave_up() {
    let agents = agents();
    let mut other = agents.clone();
    other.a.ufrag = "vvvv".into();
    other.a.password = "another-password-of-ice-01".into();
    let mut scene = Scene::new();
    for _ in 0..15 {
        scene.a_is_answered(&agents, plain);
        let check = scene.after_ms(400).b_checks(&other, plain);
        scene.after_ms(2).refuse(&check, 400, "Bad Request");
    }
    let told = report(&scene.pcap());
    let found = finding(&told, "ice-check-unauthorized");
    let all = format!("{} {} {}", found.title, found.explanation, found.fix);
    assert!(!all.contains("given up") && !all.contains("ICE restart with one from after"), "{all}");
    assert!(found.explanation.contains("\"vvvv\"") && found.explanation.contains("\"aaaa\""), "{}", found.explanation);
}

/// Large packets that a router turns back, each time.
fn too_large(scene: &mut Scene, mut large: impl FnMut(u16) -> Vec<u8>, number: u16) {
    for packet in 0..number {
        let sent = scene.after_ms(100).udp(A, B, large(packet));
        scene.after_ms(1).icmp(ROUTER, Icmp::TooBig(1280), &sent);
        let audio = payload::rtp(111, packet, u32::from(packet) * 4800, 8, 80);
        scene.udp(B, A, audio.clone());
        scene.udp(A, B, audio);
    }
}

#[test]
fn media_and_data_that_a_router_finds_too_large_are_told_with_what_it_takes() {
    let (mut scene, _) = call();
    too_large(&mut scene, |number| payload::rtp(96, number, u32::from(number) * 9000, 9, 1350), 30);
    let told = report(&scene.pcap());
    assert_eq!(graver(&told), ["media-lossy"]);
    let found = finding(&told, "media-lossy");
    assert_eq!(
        found.title,
        "Large packets from 192.168.1.10:5000 do not get to 198.51.100.20:10000: 192.168.1.1 passes on 1280 bytes at most"
    );
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain));
    // so of a data channel
    let (mut scene, mut shake) = call();
    too_large(&mut scene, |_| shake.client.sealed(23, 1300), 30);
    assert_eq!(graver(&report(&scene.pcap())), ["media-lossy"]);
}

#[test]
fn a_sender_that_is_told_once_what_a_path_takes_has_lost_nothing() {
    let (mut scene, mut shake) = call();
    too_large(&mut scene, |_| shake.client.sealed(23, 1300), 1);
    shake.talk(&mut scene, 10);
    assert!(graver(&report(&scene.pcap())).is_empty());
}

#[test]
fn packets_too_large_for_the_path_are_told_after_hundreds_of_calls_ended_in_closed_ports() {
    let (mut scene, _) = call();
    for port in 20_000..20_300 {
        let client = format!("192.168.1.10:{port}");
        scene.after_ms(1).allocate(client.as_str(), SERVER);
        let data = scene.channel_data(SERVER, client.as_str(), 0x4000, payload::rtp(111, 1, 1, 8, 80));
        scene.icmp("192.168.1.10", Icmp::PortUnreachable, &data);
    }
    too_large(&mut scene, |number| payload::rtp(96, number, u32::from(number) * 9000, 9, 1350), 30);
    assert!(ids(&report(&scene.pcap())).contains(&"media-lossy"));
}

#[test]
fn a_handshake_that_agrees_on_no_srtp_profile_leaves_a_call_without_media() {
    let agreed = |with_srtp: bool| {
        let mut scene = Scene::new();
        scene.connect(&agents());
        let mut shake = Shake::between(A, B);
        shake.hello(&mut scene);
        let certificate = shake.certificates.1.clone();
        let mut flight = match with_srtp {
            true => shake.server.server_hello(0xA5, dtls::DTLS_1_2, 0xC02B),
            false => shake.server.message(2, &dtls::server_hello_body(0xA5, dtls::DTLS_1_2, 0xC02B, &[])),
        };
        flight.extend(shake.server.certificate(&[&certificate]));
        flight.extend(shake.server.server_key_exchange());
        flight.extend(shake.server.certificate_request());
        flight.extend(shake.server.server_hello_done());
        shake.down(&mut scene, flight);
        shake.client_flight(&mut scene);
        shake.last_flight(&mut scene);
        (scene, shake)
    };
    let (mut scene, _) = agreed(false);
    scene.consent(&agents(), 30);
    let told = report(&scene.pcap());
    let found = finding(&told, "dtls-closed-early");
    assert_says(&found.title, "no SRTP profile");
    assert_eq!(ids(&told).first(), Some(&"dtls-closed-early"));
    // a data channel needs none
    let (mut scene, mut shake) = agreed(false);
    shake.talk(&mut scene, 10);
    assert!(graver(&report(&scene.pcap())).is_empty());
    // nor does it say anything where one was agreed on
    let (mut scene, _) = agreed(true);
    scene.consent(&agents(), 30);
    assert!(graver(&report(&scene.pcap())).is_empty());
}

#[test]
fn a_data_channel_that_nobody_answers_while_the_peer_goes_on_with_ice_is_told_as_such() {
    let (mut scene, mut shake) = call();
    for round in 0..6 {
        scene.after_ms(1000 << round.min(3));
        shake.client_says(&mut scene, |client| client.sealed(23, 124));
        scene.consent(&agents(), 5);
    }
    let told = report(&scene.pcap());
    let found = finding(&told, "dtls-closed-early");
    assert!(found.explanation.contains("SCTP") && !found.explanation.contains("hangs up"), "{}", found.explanation);
}

const SERVER: &str = "203.0.113.5:3478";
const RELAYED: &str = "203.0.113.5:50123";
const PEER: &str = "198.51.100.7:4000";

#[test]
fn a_peer_that_keeps_its_channel_for_five_minutes_after_its_end_is_named() {
    let login = alice();
    let mut scene = Scene::allocated(A, SERVER, "n", RELAYED);
    scene.talk(A, SERVER, &login, "n", (0x4000, PEER), 50);
    for channel in [0x4001, 0x4002, 0x4003] {
        let bind = scene.after_ms(233_000).channel_bind(A, SERVER, &login, "n", (channel, PEER));
        scene.after_ms(10).refuse(&bind, 400, "Bad Request");
        let refresh = scene.after_ms(10).refresh(A, SERVER, &login, "n", 600);
        scene.after_ms(10).granted(&refresh, Some(600), &login);
    }
    let told = report(&scene.later(30).pcap());
    let found = finding(&told, "turn-request-rejected");
    assert_says(&found.explanation, "Channel 0x4000 is bound to 198.51.100.7:4000");
    assert_says(&found.explanation, "5 minutes more");
}

#[test]
fn checks_that_lack_a_user_fragment_are_told_so() {
    for (own, peer, whose) in [("", "bbbb", "of 192.168.1.10"), ("aaaa", "", "of 198.51.100.20")] {
        let mut agents = agents();
        (agents.a.ufrag, agents.b.ufrag) = (own.into(), peer.into());
        let mut scene = Scene::new();
        scene.a_checks_in_vain(&agents, 30, 400).resolved(A);
        let told = report(&scene.pcap());
        let found = finding(&told, "ice-checks-unanswered");
        assert!(
            found.explanation.contains("lacks the user fragment") && found.explanation.contains(whose),
            "{}",
            found.explanation
        );
        assert_says(&found.fix, "a=ice-ufrag");
    }
}

#[test]
fn checks_over_tcp_that_nobody_answers_ask_for_a_way_for_tcp() {
    let agents = agents();
    let mut scene = Scene::new();
    let mut tcp = Tcp::open(&mut scene, A, B);
    for number in 0..8 {
        let check = agents.message(plain).tid([number; 12]).bytes();
        tcp.say(scene.after_ms(500), 0, &support::tcp::framed(&check));
    }
    let told = report(&scene.later(20).pcap());
    let found = finding(&told, "ice-checks-unanswered");
    assert!(found.fix.starts_with("Open the path for TCP"), "{}", found.fix);
}

/// Checks through a relay that nobody answers.
fn through_the_relay(peer: &'static str) -> Report {
    let login = alice();
    let mut scene = Scene::new();
    scene.resolved(A);
    scene.allocation(A, SERVER, &login, "n", RELAYED);
    let permit = scene.after_ms(10).create_permission(A, SERVER, &login, "n", peer);
    scene.after_ms(10).granted(&permit, None, &login);
    let agents = Agents::new(A, peer);
    for number in 0..20 {
        let check = agents.message(plain).tid([100 + number; 12]).bytes();
        scene.after_ms(400).sent_inside(A, SERVER, peer, &check);
    }
    report(&scene.pcap())
}

#[test]
fn a_relay_that_sends_to_a_relay_of_its_own_server_is_told_to_reach_its_own_address() {
    let told = through_the_relay("203.0.113.5:50177");
    let found = finding(&told, "turn-relay-silent");
    assert_says(&found.explanation, "at the server's own address");
    assert_says(&found.fix, "hairpin");
    let told = through_the_relay(PEER);
    assert!(!finding(&told, "turn-relay-silent").fix.contains("hairpin"));
}

#[test]
fn a_private_peer_behind_a_relay_is_told_to_be_out_of_its_reach() {
    let found = through_the_relay("10.33.142.88:40000");
    let fix = &finding(&found, "ice-checks-unanswered").fix;
    assert!(fix.contains("10.33.142.88 is a private address") && fix.contains("203.0.113.5"), "{fix}");
}

#[test]
fn a_permission_that_ran_out_while_others_were_renewed_is_told_so() {
    let (login, other) = (alice(), "198.51.100.8:4000");
    let mut scene = Scene::new();
    scene.allocation(A, SERVER, &login, "n", RELAYED);
    for peer in [PEER, other] {
        let permit = scene.after_ms(10).create_permission(A, SERVER, &login, "n", peer);
        scene.after_ms(10).granted(&permit, None, &login);
    }
    for number in 0..200_u16 {
        let packet = payload::rtp(111, number, u32::from(number) * 960, 1, 80);
        scene.after_ms(2000).send_indication(A, SERVER, PEER, &packet);
        if number < 148 {
            scene.data_indication(SERVER, A, PEER, &packet);
        }
        if number == 120 {
            let permit = scene.create_permission(A, SERVER, &login, "n", other);
            scene.granted(&permit, None, &login);
        }
    }
    let told = report(&scene.pcap());
    let found = finding(&told, "turn-permission-missing");
    assert_says(&found.explanation, "It does renew the permission for 198.51.100.8");
}

/// A TLS connection with a TURN server that is over after so many answers.
fn over_tls(answers: usize, closes: usize) -> Report {
    let mut scene = Scene::new();
    let mut tls = support::tls::Tls::open(&mut scene, A, "203.0.113.5:5349");
    tls.complete(&mut scene, &support::tls::Offer::default());
    tls.talk(&mut scene, answers);
    tls.tcp.close(&mut scene, closes);
    report(&scene.later(30).pcap())
}

#[test]
fn a_server_that_closes_tls_after_one_answer_has_lent_no_relay() {
    let told = over_tls(1, 1);
    let found = finding(&told, "turn-connection-closed");
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Likely));
    assert!(
        found.title.contains("after a single answer") && found.fix.contains("ALPN"),
        "{} {}",
        found.title,
        found.fix
    );
    for (answers, closes) in [(1, 0), (3, 1)] {
        assert!(graver(&over_tls(answers, closes)).is_empty(), "{answers} {closes}");
    }
}

#[test]
fn a_reset_that_answers_the_first_data_after_a_long_silence_asks_for_keepalives() {
    let login = alice();
    let mut scene = Scene::new();
    let mut tcp = Tcp::open(&mut scene, A, SERVER);
    tcp.allocate(&mut scene, &login, RELAYED, 17);
    let data = payload::channel_data(0x4000, payload::rtp(96, 1, 960, 1, 80));
    tcp.say(scene.after_ms(355_000), 0, &data);
    tcp.reset(scene.after_ms(5), 1);
    let told = report(&scene.later(30).pcap());
    let found = finding(&told, "turn-connection-closed");
    assert_says(&found.fix, "keepalives");
}

#[test]
fn a_client_that_does_not_prove_its_certificate_is_told_so_where_the_server_alerts() {
    let mut scene = Scene::new();
    scene.connect(&agents());
    let mut shake = Shake::between(A, B);
    shake.hello(&mut scene);
    shake.server_flight(&mut scene);
    let certificate = shake.certificates.0.clone();
    let mut flight = shake.client.certificate(&[&certificate]);
    flight.extend(shake.client.client_key_exchange());
    flight.extend(shake.client.change_cipher());
    flight.extend(shake.client.finished());
    shake.up(&mut scene, flight);
    shake.server_says(&mut scene, |server| server.alert(2, 10));
    scene.consent(&agents(), 10);
    let told = report(&scene.pcap());
    let found = finding(&told, "dtls-alert");
    assert_says(&found.explanation, "no CertificateVerify");
}

#[test]
fn a_hello_without_extended_master_secret_is_told_so_where_it_is_refused() {
    let mut scene = Scene::new();
    scene.connect(&agents());
    let mut shake = Shake::between(A, B);
    shake.hello(&mut scene);
    shake.server_says(&mut scene, |server| server.alert(2, 40));
    scene.consent(&agents(), 10);
    let told = report(&scene.pcap());
    let found = finding(&told, "dtls-handshake-failure");
    assert_says(&found.explanation, "extended_master_secret");
}

#[test]
fn a_peer_that_closes_thirty_seconds_after_the_last_check_of_a_full_agent_missed_its_consent() {
    let closed = |consent: bool| {
        let (mut scene, mut shake) = call();
        for number in 0..1500_u16 {
            scene.after_ms(20).udp(A, B, payload::rtp(96, number, u32::from(number) * 960, 7, 300));
            if consent && number % 250 == 249 {
                scene.a_is_answered(&agents(), plain);
            }
        }
        shake.server_says(&mut scene, |server| server.sealed(21, 26));
        for number in 1500..1600_u16 {
            scene.after_ms(20).udp(A, B, payload::rtp(96, number, u32::from(number) * 960, 7, 300));
        }
        report(&scene.pcap())
    };
    let told = closed(false);
    let found = finding(&told, "dtls-closed");
    assert_says(&found.explanation, "no check of 192.168.1.10");
    assert_says(&found.fix, "RFC 7675");
    assert!(!finding(&closed(true), "dtls-closed").explanation.contains("no check"));
}

#[test]
fn a_resolver_that_is_asked_for_a_hidden_candidate_is_told_as_the_wrong_one_to_ask() {
    const NAME: &str = "de01e13b-2790-47b1-b17d-926ad07a7ad6.local";
    let mut scene = Scene::new();
    scene.does_not_resolve("10.0.0.5", "10.0.0.2", NAME, (1, 3));
    scene.binding("10.0.0.5:40000", "198.51.100.30:3478", "203.0.113.9:40000").later(30);
    let told = report(&scene.pcap());
    let found = finding(&told, "ice-mdns-unresolved");
    assert_says(&found.explanation, "asked the resolver 10.0.0.2");
    assert_says(&found.fix, "libnss-mdns");
    // one that knows the address serves as well
    let mut scene = Scene::new();
    scene.resolves("10.0.0.5", "10.0.0.2", NAME, &["10.0.0.9"]);
    scene.binding("10.0.0.5:40000", "198.51.100.30:3478", "203.0.113.9:40000").later(30);
    assert!(graver(&report(&scene.pcap())).is_empty());
}

/// Checks of which every second one is refused, from some number on.
fn refused_by_turns(from: u32) -> Report {
    let agents = agents();
    let mut scene = Scene::new();
    for number in 0..30 {
        let check = scene.after_ms(400).a_checks(&agents, plain);
        if number >= from && number % 2 == 1 {
            scene.after_ms(10).refuse(&check, 401, "Unauthorized");
        } else {
            scene.after_ms(10).ice_answer(&check, &agents.b);
        }
    }
    report(&scene.pcap())
}

#[test]
fn checks_that_are_answered_and_refused_by_turns_reach_several_agents() {
    let told = refused_by_turns(0);
    let found = finding(&told, "ice-check-unauthorized");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
    assert_says(&found.title, "answers and refuses the connectivity checks of 192.168.1.10 by turns");
    assert_says(&found.fix, "balancer");
    assert!(!ids(&refused_by_turns(28)).contains(&"ice-check-unauthorized"));
}

#[test]
fn a_server_behind_the_clients_own_nat_is_told_to_need_a_nat_that_turns_packets_back() {
    let silent = |server: &'static str| {
        let mut scene = Scene::new();
        scene.resolved(A);
        scene.binding(A, "198.51.100.30:3478", "203.0.113.77:40000");
        scene.send_repeatedly(A, server, Stun::request(method::ALLOCATE).requested_transport(17), 7);
        Tcp::knock(&mut scene, "192.168.1.10:5001", server);
        report(&scene.later(20).pcap())
    };
    let told = silent("203.0.113.77:3478");
    for id in ["turn-no-response", "turn-unreachable"] {
        let found = finding(&told, id);
        assert_says(&found.explanation, "the outside address of the client's own NAT");
        assert_says(&found.fix, "split DNS");
    }
    assert!(!finding(&silent("203.0.113.5:3478"), "turn-no-response").fix.contains("split DNS"));
}

/// A relay that is lent and given up so many seconds later, with a permission or without one.
fn lent_for(seconds: u64, permitted: bool) -> Report {
    let login = alice();
    let mut scene = Scene::allocated(A, SERVER, "n", RELAYED);
    if permitted {
        let permit = scene.after_ms(10).create_permission(A, SERVER, &login, "n", PEER);
        scene.after_ms(10).granted(&permit, None, &login);
    }
    scene.after_ms(seconds * 1000).hang_up(A, SERVER, &login, "n");
    report(&scene.pcap())
}

#[test]
fn a_relay_through_which_no_peer_is_tried_is_told_so() {
    let headline = lent_for(30, false).headline;
    assert!(headline.contains("and no peer was tried through it"), "{headline}");
    for (seconds, permitted) in [(30, true), (1, false)] {
        let headline = lent_for(seconds, permitted).headline;
        assert!(!headline.contains("no peer"), "{headline}");
    }
}

#[test]
fn a_peer_that_refuses_tcp_as_well_is_told_with_the_checks_that_it_does_not_answer() {
    let mut scene = Scene::new();
    scene.resolved(A);
    let [syn, _] = Tcp::refused(&mut scene, A, "198.51.100.20:8555");
    scene.a_checks_in_vain(&agents(), 30, 400);
    let told = report(&scene.pcap());
    let found = finding(&told, "ice-checks-unanswered");
    let expected = format!("TCP to 198.51.100.20:8555 was refused as well (frame {syn})");
    assert_says(&found.explanation, &expected);
}

#[test]
fn a_nat_that_maps_by_destination_is_told_with_the_checks_that_nobody_answers() {
    let explanation = |mapped: &str| {
        let mut scene = Scene::new();
        scene.resolved(A);
        scene.binding(A, "198.51.100.30:3478", "203.0.113.77:41000");
        scene.binding(A, "198.51.100.31:3478", mapped);
        scene.a_checks_in_vain(&agents(), 30, 400);
        finding(&report(&scene.pcap()), "ice-checks-unanswered").explanation.clone()
    };
    let told = explanation("203.0.113.77:41507");
    assert!(told.contains("The NAT of 192.168.1.10 maps by destination, and it checks through no relay"), "{told}");
    assert!(!explanation("203.0.113.77:41000").contains("maps by destination"));
}

#[test]
fn a_controlling_agent_that_goes_on_checking_though_it_is_answered_does_not_hear_the_answers() {
    let told = |seconds: u64, nominates: bool| {
        let agents = agents();
        let mut scene = Scene::new();
        scene.far_away(A);
        for _ in 0..seconds * 5 {
            scene.after_ms(170).a_is_answered(&agents, plain);
        }
        if nominates {
            scene.a_is_answered(&agents, Stun::use_candidate);
        }
        report(&scene.pcap())
    };
    let report = told(15, false);
    let found = finding(&report, "ice-not-nominated");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
    assert_says(&found.explanation, "The answers leave here");
    assert!(graver(&told(15, true)).is_empty() && graver(&told(4, false)).is_empty());
}

#[test]
fn checks_of_a_relayed_address_that_nobody_answers_name_the_relay_ports_of_the_server() {
    let mut scene = Scene::new();
    scene.resolved(A);
    scene.binding(A, SERVER, "203.0.113.77:41000");
    scene.a_checks_in_vain(&Agents::new(A, RELAYED), 30, 400);
    let told = report(&scene.pcap());
    let fix = &finding(&told, "ice-checks-unanswered").fix;
    assert!(fix.contains("let UDP in to its relay ports"), "{fix}");
}
