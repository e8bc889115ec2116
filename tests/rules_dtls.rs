//! Findings about DTLS: each story, its remedies, its healthy look-alikes, and what half a capture leaves open.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{self, assert_says, finding, ids};
use support::dtls::{self, DTLS_1_0, DTLS_1_3, Offer, Shake, again};
use support::ice::Agents;
use support::{Icmp, Scene, degrade, payload, sides};
use turnscope::report::{Confidence, DtlsState, Report, Severity, Verdict};
use turnscope::session::signalling::{Description, Fingerprint, Setup, Signalling};
use turnscope::wire::handshake::certificate;

const ALICE: &str = "10.0.0.2:50000";
const BOB: &str = "192.0.2.9:40000";

fn of(scene: &Scene) -> Report {
    analyze::report(&scene.pcap())
}

fn start() -> (Scene, Shake) {
    (Scene::new(), Shake::between(ALICE, BOB))
}

/// One check each way, answered: the pair works. Alice controls.
fn checks(scene: &mut Scene) {
    scene.connect(&Agents::new(ALICE, BOB));
}

/// Consent checks of both for some seconds.
fn consent(scene: &mut Scene, seconds: u64) {
    for _ in 0..seconds {
        checks(scene.after_ms(919));
    }
}

/// The ClientHello so many times, as its sender doubles the time between.
fn hellos(scene: &mut Scene, shake: &mut Shake, copies: u32) {
    let hello = shake.hello(scene);
    for copy in 1..copies {
        scene.after_ms(50 << copy);
        shake.client_says(scene, |client| again(client, &hello.payload));
    }
}

fn described(ufrag: &str, setup: Setup, certificate: &[u8]) -> Description {
    let told = certificate::Fingerprint::of(certificate).to_string();
    let (hash, value) = told.split_once(' ').unwrap();
    Description {
        origin: format!("{ufrag}.sdp"),
        ufrag: ufrag.to_owned(),
        setup: Some(setup),
        fingerprints: vec![Fingerprint { hash: hash.to_owned(), value: value.to_owned() }],
        ..Description::default()
    }
}

fn signalled(descriptions: impl IntoIterator<Item = Description>) -> Signalling {
    let mut signalling = Signalling::default();
    descriptions.into_iter().for_each(|description| signalling.add(description));
    signalling
}

fn assert_silent(report: &Report) {
    let told: Vec<_> =
        report.findings.iter().filter(|one| one.id.starts_with("dtls") && one.severity != Severity::Note).collect();
    assert!(told.is_empty(), "{told:#?}");
}

#[track_caller]
fn assert_told(report: &Report, id: &str, severity: Severity, confidence: Confidence) {
    let known = finding(report, id);
    assert_eq!((known.severity, known.confidence), (severity, confidence), "{known:#?}");
    let others: Vec<_> =
        ids(report).into_iter().filter(|one| one.starts_with("dtls") && *one != id && *one != "dtls-closed").collect();
    assert!(others.is_empty(), "beside {id}: {others:?}");
}

mod silence {
    use super::*;

    #[test]
    fn an_answer_that_goes_to_another_port_is_told_with_it() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        hellos(&mut scene, &mut shake, 4);
        let mut astray = Shake::between("10.0.0.2:58428", BOB);
        let answer = astray.server_flight(&mut scene);
        consent(&mut scene, 3);
        let report = of(&scene);
        let known = finding(&report, "dtls-no-answer");
        assert_eq!(report.headline_finding.as_deref(), Some("dtls-no-answer"));
        assert_eq!(known.title, format!("{BOB} answers the ClientHello of {ALICE} to another port, 10.0.0.2:58428"));
        assert_says(&known.explanation, &format!("from frame {} on", answer.frame));
    }

    #[test]
    fn a_hello_again_and_again_on_a_pair_that_works_is_a_failure() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        hellos(&mut scene, &mut shake, 6);
        consent(&mut scene, 3);
        let report = of(&scene);
        assert_told(&report, "dtls-no-answer", Severity::Failure, Confidence::Certain);
        assert_eq!(report.verdict, Verdict::Failure);
        assert_eq!(report.headline_finding.as_deref(), Some("dtls-no-answer"));
        let known = finding(&report, "dtls-no-answer");
        assert_says(&known.title, "6 times");
        assert_eq!(known.places.first().map(|place| place.frame), Some(7));
        assert_eq!(known.subject.client.unwrap().to_string(), ALICE);
    }

    #[test]
    fn a_hello_into_the_void_is_only_likely() {
        let (mut scene, mut shake) = start();
        hellos(&mut scene, &mut shake, 6);
        scene.after_ms(3000).udp("10.0.0.2:1", "10.0.0.3:2", vec![1]);
        assert_told(&of(&scene), "dtls-no-answer", Severity::Failure, Confidence::Likely);
    }

    #[test]
    fn a_capture_that_ends_right_after_the_hello_says_nothing() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        hellos(&mut scene, &mut shake, 2);
        assert_silent(&of(&scene));
    }

    #[test]
    fn an_answer_at_last_heals_it() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        hellos(&mut scene, &mut shake, 6);
        shake.server_flight(&mut scene);
        shake.client_flight(&mut scene);
        shake.last_flight(&mut scene);
        assert_silent(&of(&scene));
    }

    #[test]
    fn another_association_of_the_same_hosts_makes_it_a_warning() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        hellos(&mut scene, &mut shake, 6);
        let mut other = Shake::between("10.0.0.2:50001", "192.0.2.9:40001");
        other.client_says(&mut scene, |client| client.client_hello(&Offer { random: 9, ..Offer::default() }));
        other.server_flight(&mut scene);
        other.client_flight(&mut scene);
        other.last_flight(&mut scene);
        consent(&mut scene, 3);
        assert_told(&of(&scene), "dtls-no-answer", Severity::Warning, Confidence::Certain);
    }

    #[test]
    fn icmp_that_quotes_the_hello_names_who_refuses_it() {
        let (mut scene, mut shake) = start();
        let hello = shake.hello(&mut scene);
        scene.after_ms(5).icmp("192.0.2.9", Icmp::PortUnreachable, &hello);
        scene.after_ms(3000).udp("10.0.0.2:1", "10.0.0.3:2", vec![1]);
        let report = of(&scene);
        assert_told(&report, "dtls-unreachable", Severity::Failure, Confidence::Certain);
        assert_eq!(finding(&report, "dtls-unreachable").places.len(), 2);
    }

    #[test]
    fn icmp_about_the_last_data_of_a_call_of_which_one_direction_is_captured_is_no_failure() {
        let (mut scene, mut shake) = start();
        shake.hello(&mut scene);
        shake.client_flight(&mut scene);
        for _ in 0..3 {
            shake.client_says(scene.after_ms(1000), |client| client.sealed(23, 50));
        }
        let last = shake.client_says(&mut scene, |client| client.sealed(21, 26));
        scene.after_ms(1).icmp("192.0.2.9", Icmp::PortUnreachable, &last);
        let report = of(&scene);
        assert!(!ids(&report).contains(&"dtls-unreachable"), "{:?}", ids(&report));
    }

    #[test]
    fn icmp_about_the_last_data_of_a_call_is_no_failure() {
        let (mut scene, mut shake) = start();
        shake.complete(&mut scene);
        shake.talk(&mut scene, 3);
        let last = shake.client_says(&mut scene, |client| client.sealed(23, 50));
        scene.after_ms(5).icmp("192.0.2.9", Icmp::PortUnreachable, &last);
        assert_silent(&of(&scene));
    }
}

mod roles {
    use super::*;

    fn both_hello(scene: &mut Scene) -> (Shake, Shake) {
        let (mut shake, mut other) = (Shake::between(ALICE, BOB), Shake::between(BOB, ALICE));
        shake.hello(scene);
        other.client_says(scene, |client| client.client_hello(&Offer { random: 0x66, ..Offer::default() }));
        (shake, other)
    }

    #[test]
    fn a_hello_of_either_side_is_a_failure() {
        let mut scene = Scene::new();
        checks(&mut scene);
        both_hello(&mut scene);
        consent(&mut scene, 4);
        let report = of(&scene);
        assert_told(&report, "dtls-role-conflict", Severity::Failure, Confidence::Certain);
        assert_eq!(report.dtls.len(), 1);
        let frames: Vec<_> = finding(&report, "dtls-role-conflict").places.iter().map(|place| place.frame).collect();
        assert_eq!(frames, [7, 8]);
    }

    #[test]
    fn the_alert_that_one_side_sends_about_it_is_its_symptom() {
        let mut scene = Scene::new();
        let (mut shake, _) = both_hello(&mut scene);
        shake.client_says(&mut scene, |client| client.alert(2, 10));
        let report = of(&scene);
        let known = finding(&report, "dtls-role-conflict");
        assert_eq!((known.severity, known.confidence), (Severity::Failure, Confidence::Certain));
        assert_eq!(finding(&report, "dtls-alert").caused_by.as_ref(), Some(&known.key));
        assert!(finding(&report, "dtls-role-conflict").explanation.contains("unexpected_message"));
    }

    #[test]
    fn an_alert_that_the_capture_holds_before_its_senders_own_hello_hides_no_second_client() {
        let mut scene = Scene::new();
        let (mut shake, mut other) = (Shake::between(ALICE, BOB), Shake::between(BOB, ALICE));
        shake.client_says(&mut scene, |client| {
            client.client_hello(&Offer { random: 0x11, share: 1216, ..Offer::default() })
        });
        let own = other.client.client_hello(&Offer { random: 0x66, ..Offer::default() });
        other.client_says(&mut scene, |client| client.alert(2, 10));
        other.up(&mut scene, own);
        let report = of(&scene);
        assert_eq!(report.dtls.len(), 1);
        let known = finding(&report, "dtls-role-conflict");
        assert_eq!((known.severity, known.confidence), (Severity::Failure, Confidence::Certain));
    }

    #[test]
    fn a_side_that_gives_in_and_answers_makes_it_an_ordinary_handshake() {
        let mut scene = Scene::new();
        let (shake, other) = both_hello(&mut scene);
        // the first of the two answers as server
        let mut answer = Shake::between(BOB, ALICE);
        answer.server = shake.client.clone();
        answer.server.message = 0;
        answer.client = other.client.clone();
        let flight = answer.server.server_flight(&shake.certificates.0);
        shake.up(&mut scene, flight);
        let flight = answer.client.client_flight(&shake.certificates.1);
        other.up(&mut scene, flight);
        let last = answer.server.last_flight();
        shake.up(&mut scene, last);
        let report = of(&scene);
        assert_silent(&report);
        assert_eq!(report.dtls[0].client.to_string(), BOB);
    }
}

mod fragments {
    use super::*;

    #[test]
    fn a_flight_of_which_the_same_part_is_always_missing_is_a_failure() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.large_flight(&mut scene, 4, false);
        let report = of(&scene);
        assert_told(&report, "dtls-fragment-lost", Severity::Failure, Confidence::Certain);
        let known = finding(&report, "dtls-fragment-lost");
        assert_says(&known.title, "1200 of 1806 bytes of its Certificate");
        assert_eq!(report.dtls[0].missing[0].bytes, [[400, 1599]]);
    }

    #[test]
    fn one_loss_that_nobody_repeated_before_the_capture_ends_says_nothing() {
        let (mut scene, mut shake) = start();
        shake.large_flight(&mut scene, 1, false);
        assert_silent(&of(&scene));
    }

    #[test]
    fn a_capture_that_cuts_datagrams_accuses_nobody() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.complete(&mut scene);
        shake.talk(&mut scene, 3);
        for length in [64, 90, 128, 300] {
            let cut = degrade::pcap(&degrade::snapped(&degrade::shots(&scene), length));
            assert_silent(&analyze::report(&cut));
        }
    }

    #[test]
    fn what_the_snap_length_hid_of_a_handshake_is_told_as_cut_and_not_as_missing() {
        let (mut scene, mut shake) = start();
        shake.complete(&mut scene);
        let cut = degrade::pcap(&degrade::snapped(&degrade::shots(&scene), 90));
        let report = analyze::report(&cut);
        assert!(!report.dtls[0].missing.is_empty());
        assert!(report.dtls[0].missing.iter().all(|part| part.cut));
    }

    #[test]
    fn a_handshake_whose_last_records_stand_behind_the_cut_of_a_frame_does_not_stop() {
        let (mut scene, mut shake) = start();
        shake.complete(&mut scene);
        scene.later(10);
        for length in [64, 90, 96, 128, 300] {
            let cut = degrade::pcap(&degrade::snapped(&degrade::shots(&scene), length));
            assert_silent(&analyze::report(&cut));
        }
    }

    #[test]
    fn ip_fragments_that_never_come_are_a_failure() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        scene.resolved(ALICE); // ARP has no ports: no filter on them left fragments out
        let hello = shake.hello(&mut scene);
        let flight = shake.server.server_flight(&vec![0x30; 2500]);
        for copy in 0..4 {
            scene.after_ms(200).udp_in_fragments(BOB, ALICE, &flight, 1480, |place| place == 0);
            scene.after_ms(400 << copy);
            shake.client_says(&mut scene, |client| again(client, &hello.payload));
        }
        let report = of(&scene);
        assert_told(&report, "dtls-fragment-lost", Severity::Failure, Confidence::Certain);
        assert!(finding(&report, "dtls-fragment-lost").explanation.contains("4 IP packets"));
    }

    /// A flight of the server that a router turns back each time that it is sent, before the capture loses sight of it.
    fn turned_back(copies: u32, quoted: impl Fn(support::Sent) -> support::Sent) -> Report {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.certificates.1 = vec![0x30; 1000];
        let hello = shake.hello(&mut scene);
        for copy in 0..4 {
            shake.server.message = 0;
            let flight = shake.server_flight(&mut scene);
            if copy < copies {
                scene.after_ms(3).icmp("192.0.2.254", Icmp::TooBig(1200), &quoted(flight));
            }
            scene.after_ms(900 << copy);
            shake.client_says(&mut scene, |client| again(client, &hello.payload));
        }
        consent(&mut scene, 3);
        of(&scene)
    }

    #[test]
    fn a_flight_that_a_router_calls_too_big_each_time_is_lost_there() {
        // many routers quote the IP header and the ports alone
        for kept in [usize::MAX, 28] {
            let report = turned_back(4, |mut sent| {
                sent.packet.truncate(kept);
                sent
            });
            assert_told(&report, "dtls-fragment-lost", Severity::Failure, Confidence::Certain);
            let known = finding(&report, "dtls-fragment-lost");
            assert_eq!(report.headline_finding.as_deref(), Some("dtls-fragment-lost"));
            let title = format!(
                "The DTLS handshake from {BOB} is too large for the path to {ALICE}: 192.0.2.254 passes on 1200 bytes at most"
            );
            assert_eq!(known.title, title);
            assert_says(&known.fix, "to 1172 bytes or less");
        }
    }

    #[test]
    fn a_router_that_calls_one_datagram_too_big_is_told_beside_what_stops() {
        let report = turned_back(1, |sent| sent);
        assert_told(&report, "dtls-incomplete", Severity::Failure, Confidence::Certain);
        let text = &finding(&report, "dtls-incomplete").explanation;
        assert!(text.contains("192.0.2.254 says that packets are too big and takes 1200 bytes at most"), "{text}");
    }

    #[test]
    fn a_handshake_that_goes_on_in_smaller_pieces_after_a_router_called_it_too_big_is_healthy() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.certificates.1 = vec![0x30; 1000];
        shake.hello(&mut scene);
        for _ in 0..2 {
            shake.server.message = 0;
            let flight = shake.server_flight(&mut scene);
            scene.after_ms(3).icmp("192.0.2.254", Icmp::TooBig(1200), &flight);
            scene.after_ms(1000);
        }
        shake.client_flight(&mut scene);
        shake.last_flight(&mut scene);
        shake.talk(&mut scene, 3);
        assert_silent(&of(&scene));
    }

    #[test]
    fn an_answer_that_may_be_too_large_for_the_path_is_named_where_small_packets_pass() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        hellos(&mut scene, &mut shake, 6);
        consent(&mut scene, 3);
        let report = of(&scene);
        let silent = finding(&report, "dtls-no-answer");
        assert_says(&silent.explanation, "too large for the path");
        assert_says(&silent.fix, "DTLS MTU");
        // the same after a small datagram of the server got through
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.hello(&mut scene);
        shake.server_says(&mut scene, |server| server.hello_verify_request(&[7; 20]));
        let hello = shake.client.client_hello(&Offer { cookie: vec![7; 20], ..Offer::default() });
        for copy in 0..5 {
            scene.after_ms(500 << copy);
            shake.client_says(&mut scene, |client| again(client, &hello));
        }
        consent(&mut scene, 3);
        let report = of(&scene);
        let stuck = finding(&report, "dtls-incomplete");
        assert_says(&stuck.explanation, "too large for the path");
        assert_says(&stuck.fix, "DTLS MTU");
    }

    /// A hello whose key share makes it two records.
    fn hello_in_pieces() -> (Scene, Shake) {
        let (mut scene, mut shake) = start();
        let body = dtls::client_hello_body(&Offer { share: 1216, versions: vec![DTLS_1_3], ..Offer::default() });
        for range in [0..1100, 1100..body.len()] {
            shake.client_says(&mut scene, |client| client.fragment(1, &body, range));
        }
        (scene, shake)
    }

    #[test]
    fn a_hello_in_pieces_that_a_peer_refuses_is_named() {
        let (mut scene, mut shake) = hello_in_pieces();
        shake.server_says(&mut scene, |server| server.alert(2, 50));
        let report = of(&scene);
        assert_told(&report, "dtls-hello-fragmented", Severity::Failure, Confidence::Certain);
        assert!(finding(&report, "dtls-hello-fragmented").title.contains("2 fragments"));
    }

    #[test]
    fn a_hello_in_pieces_that_a_peer_accepts_is_healthy() {
        let (mut scene, mut shake) = hello_in_pieces();
        let flight = [shake.server.server_hello(0xA5, DTLS_1_3, 0x1301), shake.server.unified(2, 600)].concat();
        shake.down(&mut scene, flight);
        shake.client_says(&mut scene, |client| client.unified(2, 500));
        shake.server_says(&mut scene, |server| server.unified(3, 35));
        assert_silent(&of(&scene));
    }
}

mod certificates {
    use super::*;

    fn rejected(description: u8) -> (Scene, Shake) {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.hello(&mut scene);
        shake.server_flight(&mut scene);
        shake.client_says(&mut scene, |client| client.alert(2, description));
        (scene, shake)
    }

    #[test]
    fn the_alert_about_a_certificate_names_its_sender_and_the_fingerprint() {
        for (code, name) in [(42, "bad_certificate"), (46, "certificate_unknown"), (48, "unknown_ca")] {
            let (scene, shake) = rejected(code);
            let report = of(&scene);
            assert_told(&report, "dtls-certificate-rejected", Severity::Failure, Confidence::Certain);
            let known = finding(&report, "dtls-certificate-rejected");
            assert!(known.title.contains(ALICE) && known.title.contains(name), "{}", known.title);
            let fingerprint = certificate::Fingerprint::of(&shake.certificates.1).to_string();
            assert_says(&known.explanation, &fingerprint);
            assert_eq!(known.places.iter().map(|place| place.frame).collect::<Vec<_>>(), [8, 9]);
        }
    }

    #[test]
    fn with_descriptions_it_says_whether_the_certificate_is_the_one_signalled() {
        let (scene, shake) = rejected(42);
        let right = described("bbbb", Setup::Passive, &shake.certificates.1);
        let report = analyze::report_signalled(&scene.pcap(), signalled([right]));
        assert_told(&report, "dtls-certificate-rejected", Severity::Failure, Confidence::Certain);
        let text = &finding(&report, "dtls-certificate-rejected").explanation;
        assert!(text.contains("It is the one"), "{text}");
        let wrong = described("bbbb", Setup::Passive, &dtls::certificate("somebody else"));
        let report = analyze::report_signalled(&scene.pcap(), signalled([wrong]));
        let text = &finding(&report, "dtls-certificate-rejected").explanation;
        assert!(text.contains("tells another"), "{text}");
        assert_eq!(finding(&report, "dtls-fingerprint-mismatch").confidence, Confidence::Certain);
    }

    #[test]
    fn a_certificate_that_differs_from_the_description_of_its_agent_is_a_failure() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.complete(&mut scene);
        let other = dtls::certificate("altered");
        let told = [described("aaaa", Setup::Active, &other), described("bbbb", Setup::Passive, &shake.certificates.1)];
        let report = analyze::report_signalled(&scene.pcap(), signalled(told));
        assert_told(&report, "dtls-fingerprint-mismatch", Severity::Failure, Confidence::Certain);
        assert!(finding(&report, "dtls-fingerprint-mismatch").title.contains(ALICE));
    }

    #[test]
    fn certificates_as_they_were_signalled_are_healthy() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.complete(&mut scene);
        shake.talk(&mut scene, 2);
        let (one, other) = shake.certificates.clone();
        let told = [described("aaaa", Setup::Active, &one), described("bbbb", Setup::Passive, &other)];
        assert_silent(&analyze::report_signalled(&scene.pcap(), signalled(told)));
    }

    #[test]
    fn without_checks_all_descriptions_are_compared_and_the_finding_is_likely() {
        let (mut scene, mut shake) = start();
        shake.complete(&mut scene);
        let (one, other) = shake.certificates.clone();
        let told = [described("x", Setup::Active, &one), described("y", Setup::Passive, &other)];
        assert_silent(&analyze::report_signalled(&scene.pcap(), signalled(told)));
        let told = [described("x", Setup::Active, &one), described("y", Setup::Passive, &dtls::certificate("altered"))];
        let report = analyze::report_signalled(&scene.pcap(), signalled(told));
        assert_told(&report, "dtls-fingerprint-mismatch", Severity::Failure, Confidence::Likely);
        assert_eq!(report.verdict, Verdict::Warning);
    }

    #[test]
    fn descriptions_of_another_leg_of_a_media_server_say_nothing_of_agents_that_the_checks_name() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.complete(&mut scene);
        shake.talk(&mut scene, 2);
        let told = [described("another", Setup::Active, &dtls::certificate("of somebody else"))];
        assert_silent(&analyze::report_signalled(&scene.pcap(), signalled(told)));
    }

    #[test]
    fn fingerprints_by_other_hash_functions_are_compared_too() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.complete(&mut scene);
        let told = certificate::Fingerprint::with(certificate::HashFunction::Sha1, &shake.certificates.1).to_string();
        let (hash, value) = told.split_once(' ').unwrap();
        let fingerprints = vec![Fingerprint { hash: hash.to_owned(), value: value.to_owned() }];
        let description = Description { fingerprints, ..described("bbbb", Setup::Passive, &[]) };
        assert_silent(&analyze::report_signalled(&scene.pcap(), signalled([description])));
    }
}

mod alerts {
    use super::*;

    #[test]
    fn nothing_in_common_shows_what_was_offered() {
        for code in [40, 71] {
            let (mut scene, mut shake) = start();
            shake.hello(&mut scene);
            shake.server_says(&mut scene, |server| server.alert(2, code));
            let report = of(&scene);
            assert_told(&report, "dtls-handshake-failure", Severity::Failure, Confidence::Certain);
            let text = &finding(&report, "dtls-handshake-failure").explanation;
            for offered in ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "x25519", "SRTP_AEAD_AES_128_GCM"] {
                assert!(text.contains(offered), "{text}");
            }
        }
    }

    #[test]
    fn a_client_that_finds_the_security_of_a_chosen_suite_insufficient_means_the_certificate() {
        let (mut scene, mut shake) = start();
        shake.hello(&mut scene);
        shake.server_flight(&mut scene);
        shake.client_says(&mut scene, |client| client.alert(2, 71));
        let report = of(&scene);
        assert_told(&report, "dtls-handshake-failure", Severity::Failure, Confidence::Certain);
        let found = finding(&report, "dtls-handshake-failure");
        assert!(
            found.title.ends_with("insufficient_security after the certificate of 192.0.2.9:40000"),
            "{}",
            found.title
        );
        assert_says(&found.explanation, "EC secp256r1");
        assert_says(&found.fix, "2048");
    }

    #[test]
    fn a_value_out_of_place_is_not_told_as_nothing_in_common() {
        let (mut scene, mut shake) = start();
        shake.hello(&mut scene);
        shake.server_says(&mut scene, |server| server.alert(2, 47));
        let report = of(&scene);
        assert_told(&report, "dtls-handshake-failure", Severity::Failure, Confidence::Certain);
        let found = finding(&report, "dtls-handshake-failure");
        assert!(found.title.ends_with("illegal_parameter: a value in a message is out of place"), "{}", found.title);
        assert!(!found.fix.contains("cipher suite"), "{}", found.fix);
    }

    #[test]
    fn a_client_without_the_certificate_that_is_required_is_told_so() {
        let (mut scene, mut shake) = start();
        shake.hello(&mut scene);
        shake.server_flight(&mut scene);
        let flight = [shake.client.certificate(&[]), shake.client.client_key_exchange(), shake.client.last_flight()];
        shake.up(&mut scene, flight.concat());
        shake.server_says(&mut scene, |server| server.alert(2, 40));
        let report = of(&scene);
        assert_told(&report, "dtls-handshake-failure", Severity::Failure, Confidence::Certain);
        assert!(finding(&report, "dtls-handshake-failure").title.contains("requires a certificate"));
    }

    #[test]
    fn disjoint_versions_are_named() {
        let (mut scene, mut shake) = start();
        shake.client_says(&mut scene, |client| client.client_hello(&Offer { version: DTLS_1_0, ..Offer::default() }));
        shake.server_says(&mut scene, |server| server.alert(2, 70));
        let report = of(&scene);
        assert_told(&report, "dtls-version", Severity::Failure, Confidence::Certain);
        assert!(finding(&report, "dtls-version").title.contains("DTLS 1.0"));
    }

    #[test]
    fn any_other_fatal_alert_is_a_warning() {
        let (mut scene, mut shake) = start();
        shake.hello(&mut scene);
        shake.server_flight(&mut scene);
        shake.client_says(&mut scene, |client| client.alert(2, 80));
        assert_told(&of(&scene), "dtls-alert", Severity::Warning, Confidence::Certain);
    }

    #[test]
    fn a_hang_up_within_the_handshake_is_none() {
        let (mut scene, mut shake) = start();
        shake.hello(&mut scene);
        shake.server_flight(&mut scene);
        let goodbye = [shake.client.alert(1, 90), shake.client.alert(1, 0)].concat();
        shake.up(&mut scene, goodbye);
        assert_silent(&of(&scene));
    }
}

mod endings {
    use super::*;

    #[test]
    fn a_close_right_after_the_handshake_is_a_warning_and_one_after_a_call_a_note() {
        let (mut scene, mut shake) = start();
        shake.complete(&mut scene);
        shake.client_says(&mut scene, |client| client.sealed(21, 26));
        assert_told(&of(&scene), "dtls-closed-early", Severity::Warning, Confidence::Certain);

        let (mut scene, mut shake) = start();
        shake.complete(&mut scene);
        shake.talk(&mut scene, 5);
        shake.client_says(&mut scene, |client| client.sealed(21, 26));
        let report = of(&scene);
        assert_silent(&report);
        assert_eq!(finding(&report, "dtls-closed").severity, Severity::Note);
        assert_eq!(report.verdict, Verdict::Healthy);
    }

    #[test]
    fn a_side_that_falls_silent_once_it_has_seen_the_certificate_is_a_warning() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.complete(&mut scene);
        for _ in 0..6 {
            shake.server_says(&mut scene, |server| server.sealed(23, 70));
            consent(&mut scene, 1);
        }
        assert_told(&of(&scene), "dtls-closed-early", Severity::Warning, Confidence::Likely);
    }

    #[test]
    fn an_obsolete_version_is_a_warning() {
        let (mut scene, mut shake) = start();
        (shake.client.version, shake.server.version) = (DTLS_1_0, DTLS_1_0);
        shake.client_says(&mut scene, |client| client.client_hello(&Offer { version: DTLS_1_0, ..Offer::default() }));
        let flight = [
            shake.server.server_hello(0xA5, DTLS_1_0, 0xC009),
            shake.server.certificate(&[&shake.certificates.1]),
            shake.server.server_hello_done(),
        ];
        shake.down(&mut scene, flight.concat());
        let answer = [shake.client.client_key_exchange(), shake.client.last_flight()].concat();
        shake.up(&mut scene, answer);
        shake.last_flight(&mut scene);
        assert_told(&of(&scene), "dtls-obsolete", Severity::Warning, Confidence::Certain);
    }

    /// Hello and server flight; then the server sends its flight again and again.
    fn stuck(times: u32) -> Scene {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.hello(&mut scene);
        let flight = shake.server_flight(&mut scene);
        for time in 1..times {
            scene.after_ms(500 << time);
            shake.server_says(&mut scene, |server| again(server, &flight.payload));
        }
        consent(&mut scene, 4);
        scene
    }

    /// As webrtc-rs does when it is told to close: the alert is in the clear, since there are no keys, and is no data.
    #[test]
    fn a_handshake_that_both_ends_close_in_the_clear_in_the_end_did_not_go_on() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        let hello = shake.hello(&mut scene);
        let verify = shake.server_says(&mut scene, |server| server.hello_verify_request(&[7; 20]));
        for _ in 0..6 {
            shake.client_says(scene.after_ms(980), |client| again(client, &hello.payload));
            shake.server_says(&mut scene, |server| again(server, &verify.payload));
        }
        consent(&mut scene, 6);
        shake.server_says(&mut scene, |server| server.alert(1, 0));
        shake.client_says(&mut scene, |client| client.alert(1, 0));
        let report = of(&scene);
        assert_told(&report, "dtls-incomplete", Severity::Failure, Confidence::Certain);
        assert_eq!(report.dtls[0].state, DtlsState::Incomplete);
        assert_says(&finding(&report, "dtls-incomplete").title, &format!("{ALICE} owes the next flight"));
    }

    #[test]
    fn a_flight_that_is_sent_again_every_50_ms_may_yet_be_answered() {
        // as Zoom's client does, with a server 160 ms away
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.hello(&mut scene);
        shake.server_flight(&mut scene);
        let flight = shake.client_flight(&mut scene);
        for _ in 0..4 {
            shake.client_says(scene.after_ms(50), |client| again(client, &flight.payload));
        }
        let report = of(&scene);
        assert!(!ids(&report).contains(&"dtls-incomplete"), "{:?}", ids(&report));
    }

    #[test]
    fn a_handshake_that_stops_says_who_owes_the_next_flight() {
        let report = of(&stuck(5));
        assert_told(&report, "dtls-incomplete", Severity::Failure, Confidence::Certain);
        let known = finding(&report, "dtls-incomplete");
        assert_says(&known.title, &format!("{ALICE} owes the next flight"));
        assert_told(&of(&stuck(2)), "dtls-incomplete", Severity::Warning, Confidence::Likely);
    }

    #[test]
    fn nobody_owes_a_flight_after_the_servers_finished_whatever_the_snap_length_hid_before_it() {
        let (mut scene, mut shake) = start();
        scene.snap_length(96);
        checks(&mut scene);
        shake.hello(&mut scene);
        let flight = shake.server_flight(&mut scene);
        for time in 1..4 {
            shake.server_says(scene.after_ms(50 << time), |server| again(server, &flight.payload));
        }
        shake.client_flight(&mut scene);
        let end = shake.last_flight(&mut scene);
        shake.server_says(scene.after_ms(100), |server| again(server, &end.payload));
        for number in 0..200_u16 {
            scene.after_ms(20).udp(BOB, ALICE, payload::rtp(111, number, u32::from(number) * 960, 7, 80));
        }
        assert_silent(&of(&scene));
    }

    #[test]
    fn a_server_that_sends_media_has_finished_and_its_last_flight_is_what_is_missing() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.hello(&mut scene);
        shake.server_flight(&mut scene);
        let flight = shake.client_flight(&mut scene);
        for number in 0..200_u16 {
            scene.after_ms(20).udp(BOB, ALICE, payload::rtp(111, number, u32::from(number) * 960, 7, 80));
            if number % 50 == 49 {
                shake.client_says(&mut scene, |client| again(client, &flight.payload));
            }
        }
        let report = of(&scene);
        assert_told(&report, "dtls-incomplete", Severity::Failure, Confidence::Certain);
        let told = &finding(&report, "dtls-incomplete").explanation;
        assert!(
            told.contains(&format!("for {BOB} it is complete: what does not get here is its last flight")),
            "{told}"
        );
        assert!(!told.contains("certificate, and says nothing") && !told.contains("does not go on"), "{told}");
    }

    #[test]
    fn one_direction_of_a_handshake_accuses_nobody() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.complete(&mut scene);
        shake.talk(&mut scene, 5);
        let shots = degrade::shots(&scene);
        for ip in ["10.0.0.2", "192.0.2.9"] {
            assert_silent(&analyze::report(&degrade::pcap(&degrade::from(&shots, ip))));
        }
    }

    #[test]
    fn a_capture_that_begins_or_ends_anywhere_in_a_call_accuses_nobody() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.complete(&mut scene);
        shake.talk(&mut scene, 3);
        shake.client_says(&mut scene, |client| client.sealed(21, 26));
        let shots = degrade::shots(&scene);
        for cut in 0..shots.len() {
            assert_silent(&analyze::report(&degrade::pcap(&shots[cut..])));
            assert_silent(&analyze::report(&degrade::pcap(&shots[..cut])));
        }
    }

    #[test]
    fn an_encrypted_alert_in_place_of_the_acknowledgement_breaks_off_dtls_1_3() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.client_says(&mut scene, |client| {
            client.client_hello(&Offer { versions: vec![DTLS_1_3], ..Offer::default() })
        });
        let flight = [shake.server.server_hello(0xA5, DTLS_1_3, 0x1301), shake.server.unified(2, 600)].concat();
        shake.down(&mut scene, flight);
        shake.client_says(&mut scene, |client| client.unified(2, 500));
        shake.server_says(&mut scene, |server| server.unified(3, 19));
        shake.client_says(&mut scene, |client| client.unified(3, 61));
        let report = of(&scene);
        assert_told(&report, "dtls-closed-early", Severity::Warning, Confidence::Certain);
        assert!(finding(&report, "dtls-closed-early").title.contains(BOB));
    }
}

mod ends_that_are_not_in_the_capture {
    use super::*;

    /// A call with data until its client closes; the server's last flight is in the capture, or is not.
    fn closed_in_the_end(last_flight: bool) -> Scene {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.hello(&mut scene);
        shake.server_flight(&mut scene);
        shake.client_flight(&mut scene);
        let flight = shake.server.last_flight();
        if last_flight {
            shake.down(&mut scene, flight);
        }
        shake.talk(&mut scene, 1);
        for end in [shake.client.sealed(21, 26), shake.server.sealed(21, 26)] {
            shake.up(&mut scene, end);
        }
        scene
    }

    #[test]
    fn an_end_that_sent_data_breaks_no_handshake_off() {
        let report = of(&closed_in_the_end(false));
        assert_silent(&report);
        assert_eq!(report.dtls[0].state, DtlsState::Complete);
    }

    #[test]
    fn a_snap_length_that_hides_the_handshake_leaves_the_end_of_a_call_what_it_is() {
        let all = degrade::shots(&closed_in_the_end(true));
        for length in [60, 68, 80, 96, 128, 160, 200, 256] {
            assert_silent(&analyze::report(&degrade::pcap(&degrade::snapped(&all, length))));
        }
    }

    #[test]
    fn an_encrypted_alert_long_after_the_last_flight_ends_a_call_and_no_handshake() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.hello(&mut scene);
        shake.server_flight(&mut scene);
        shake.client_flight(&mut scene);
        consent(&mut scene, 2);
        shake.server_says(&mut scene, |server| server.sealed(21, 26));
        assert_silent(&of(&scene));
    }

    #[test]
    fn an_alert_on_which_the_capture_joins_tells_of_no_handshake() {
        let (mut scene, mut shake) = start();
        shake.server_says(&mut scene, |server| server.alert(2, 80));
        consent(&mut scene, 3);
        assert_silent(&of(&scene));
    }

    #[test]
    fn media_of_the_client_shows_that_its_handshake_is_over() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        shake.hello(&mut scene);
        shake.server_flight(&mut scene);
        shake.client_flight(&mut scene);
        for number in 0..40 {
            shake.up(&mut scene, support::payload::rtp(96, number, u32::from(number) * 960, 7, 80));
        }
        scene.after_ms(20_000).resolved("10.0.0.2:1");
        assert_silent(&of(&scene));
    }

    #[test]
    fn a_small_hello_in_two_datagrams_is_no_matter_of_an_alert_at_the_end() {
        let (mut scene, mut shake) = start();
        checks(&mut scene);
        let body = dtls::client_hello_body(&Offer::default());
        for part in [0..60, 60..body.len()] {
            shake.client_says(&mut scene, |client| client.fragment(1, &body, part));
        }
        consent(&mut scene, 4);
        shake.client_says(&mut scene, |client| client.sealed(21, 26));
        let report = of(&scene);
        assert!(!ids(&report).contains(&"dtls-hello-fragmented"), "{:?}", ids(&report));
    }
}

mod beginnings {
    use super::*;

    /// Checks of agents that say by an attribute that they are WebRTC's, and go on for some seconds.
    fn webrtc(scene: &mut Scene, seconds: u64, mut between: impl FnMut(&mut Scene)) {
        let (alice, bob) = sides();
        for second in 0..=seconds {
            let check = scene.after_ms(400).ice_check(ALICE, BOB, (&alice, &bob), true, |check| {
                if second > 0 { check.use_candidate() } else { check }
            });
            scene.after_ms(1).ice_answer(&check, &bob);
            let check = scene
                .after_ms(20)
                .ice_check(BOB, ALICE, (&bob, &alice), false, |check| check.attribute(0xC057, [0; 4]));
            scene.after_ms(1).ice_answer(&check, &alice);
            between(scene.after_ms(578));
        }
    }

    #[test]
    fn nothing_but_stun_does_not_show_whether_dtls_began() {
        let mut scene = Scene::new();
        webrtc(&mut scene, 8, |_| {});
        let filtered = of(&scene);
        let known = finding(&filtered, "dtls-never-started");
        assert_eq!((known.severity, filtered.verdict), (Severity::Note, Verdict::Healthy));
        assert_says(&known.explanation, "nothing but STUN");
        // an answer to ARP was taken, too: the capture was not filtered
        scene.resolved("10.0.0.2:1");
        assert_told(&of(&scene), "dtls-never-started", Severity::Failure, Confidence::Certain);
    }

    #[test]
    fn dtls_1_3_of_a_call_that_the_capture_joins_is_dtls() {
        let (mut scene, mut shake) = start();
        scene.resolved("10.0.0.2:1");
        webrtc(&mut scene, 8, |scene| {
            let (one, other) = (shake.client.unified(3, 40), shake.server.unified(3, 60));
            shake.up(scene, one);
            shake.down(scene, other);
        });
        let report = of(&scene);
        assert_silent(&report);
        assert_eq!(report.verdict, Verdict::Healthy, "{}", report.headline);
    }

    #[test]
    fn what_other_software_sends_where_ice_ran_is_no_dtls() {
        let (mut scene, shake) = start();
        let mut first = 0x20;
        webrtc(&mut scene, 40, |scene| {
            // whatever its first byte, with bits that no stack sets, or with a length that is not its own
            shake.up(scene, (0..90).map(|at| if at == 0 { first } else { at ^ first }).collect::<Vec<u8>>());
            first = (first + 1).min(0x3f);
        });
        let report = of(&scene);
        assert!(report.counts.dtls.is_empty(), "{:?}", report.counts.dtls);
    }

    #[test]
    fn agents_that_go_on_with_another_pair_than_the_first_that_was_nominated_wait_as_long() {
        let (mut scene, (alice, bob)) = (Scene::new(), sides());
        scene.resolved("10.0.0.2:1");
        for second in 0..9 {
            for to in [BOB, "192.0.2.9:40001"].into_iter().skip(usize::from(second > 0)) {
                let check =
                    scene.after_ms(400).ice_check(ALICE, to, (&alice, &bob), true, |check| check.use_candidate());
                scene.after_ms(1).ice_answer(&check, &bob);
                let check = scene
                    .after_ms(20)
                    .ice_check(to, ALICE, (&bob, &alice), false, |check| check.attribute(0xC057, [0; 4]));
                scene.after_ms(1).ice_answer(&check, &alice);
            }
            scene.after_ms(578);
        }
        assert_eq!(finding(&of(&scene), "dtls-never-started").severity, Severity::Failure);
    }

    fn waiting(seconds: u64) -> Scene {
        let mut scene = Scene::new();
        checks(&mut scene);
        consent(&mut scene, seconds);
        scene
    }

    fn both(setup: Setup) -> Signalling {
        signalled([described("aaaa", setup, b"one"), described("bbbb", setup, b"two")])
    }

    #[test]
    fn a_pair_on_which_nobody_begins_is_a_failure() {
        let report = analyze::report_signalled(&waiting(8).pcap(), both(Setup::Passive));
        assert_told(&report, "dtls-never-started", Severity::Failure, Confidence::Certain);
        assert!(finding(&report, "dtls-never-started").explanation.contains("Both are passive"));
    }

    #[test]
    fn agents_that_are_not_known_to_speak_dtls_may_do_without() {
        assert_silent(&of(&waiting(8)));
    }

    #[test]
    fn a_pair_that_was_just_chosen_says_nothing() {
        assert_silent(&analyze::report_signalled(&waiting(2).pcap(), both(Setup::Passive)));
    }
}

#[test]
fn a_small_hello_that_the_capture_cut_short_is_no_large_one() {
    let (mut scene, mut shake) = start();
    scene.snap_length(96);
    checks(&mut scene);
    hellos(&mut scene, &mut shake, 5);
    // what else the server said is not there
    shake.server_says(&mut scene, |server| server.unified(3, 30));
    consent(&mut scene, 10);
    let report = of(&scene);
    assert!(!ids(&report).contains(&"dtls-hello-fragmented"), "{:?}", ids(&report));
    assert_ne!(report.verdict, Verdict::Failure, "{}", report.headline);
}

#[test]
fn a_hello_that_the_capture_cut_short_may_have_lost_a_part_on_the_way() {
    let (mut scene, mut shake) = start();
    checks(&mut scene);
    hellos(&mut scene, &mut shake, 6);
    consent(&mut scene, 5);
    let all = degrade::shots(&scene);
    assert_eq!(finding(&analyze::report(&degrade::pcap(&all)), "dtls-no-answer").confidence, Confidence::Certain);
    let cut = analyze::report(&degrade::pcap(&degrade::snapped(&all, 96)));
    assert_eq!(finding(&cut, "dtls-no-answer").confidence, Confidence::Likely);
}

#[test]
fn a_server_flight_that_the_end_of_the_capture_cuts_has_lost_nothing() {
    // the hello was sent again and again before the server was up
    let (mut scene, mut shake) = start();
    checks(&mut scene);
    hellos(&mut scene, &mut shake, 4);
    let body = dtls::certificate_body(&[&[0x30; 3000]]);
    shake.server_says(&mut scene, |server| server.server_hello(0xA5, dtls::DTLS_1_2, 0xC02B));
    for start in [0, 1000] {
        shake.server_says(&mut scene, |server| server.fragment(11, &body, start..start + 1000));
    }
    let report = of(&scene);
    assert!(
        report.findings.iter().all(|one| (one.severity, one.confidence) != (Severity::Failure, Confidence::Certain))
    );
}

#[test]
fn a_large_hello_was_read_where_the_server_goes_on_though_the_capture_lacks_its_hello() {
    let (mut scene, mut shake) = start();
    checks(&mut scene);
    let hello = shake.client.client_hello(&Offer { share: 1500, ..Offer::default() });
    shake.up(&mut scene, hello.clone());
    for _ in 0..4 {
        scene.after_ms(200);
        shake.client_says(&mut scene, |client| again(client, &hello));
    }
    let _lost = shake.server.server_flight(&shake.certificates.1.clone());
    shake.client_flight(&mut scene);
    shake.last_flight(&mut scene);
    let report = of(&scene);
    assert!(!ids(&report).contains(&"dtls-hello-fragmented"), "{:?}", ids(&report));
}

#[test]
fn a_pair_that_was_nominated_before_the_capture_may_have_its_keys() {
    let (alice, bob) = sides();
    let mut scene = Scene::new();
    for _ in 0..8 {
        // the controlled one is seen first; the other one has chosen long ago
        let check =
            scene.after_ms(2500).ice_check(BOB, ALICE, (&bob, &alice), false, |check| check.attribute(0xC057, [0; 4]));
        scene.after_ms(1).ice_answer(&check, &alice);
        let check = scene.after_ms(20).ice_check(ALICE, BOB, (&alice, &bob), true, |check| check.use_candidate());
        scene.after_ms(1).ice_answer(&check, &bob);
    }
    scene.after_ms(10).resolved(ALICE); // so that not all of it is STUN
    let report = of(&scene);
    let known = finding(&report, "dtls-never-started");
    assert_eq!(known.confidence, Confidence::Likely);
    assert_says(&known.explanation, "begins within a call");
}

/// Only the alert of a handshake that began before the capture, by Bob, and a pair that works from then on.
fn alert_alone(description: u8) -> Report {
    let (mut scene, mut shake) = start();
    shake.server_says(&mut scene, |server| server.alert(2, description));
    checks(&mut scene);
    consent(&mut scene, 20);
    of(&scene)
}

#[test]
fn a_capture_that_begins_with_the_end_of_a_handshake_does_not_lack_its_beginning() {
    let report = alert_alone(10);
    assert!(!ids(&report).contains(&"dtls-never-started"), "{:?}", ids(&report));
}

#[test]
fn an_alert_alone_tells_who_sent_it_and_nothing_that_only_the_handshake_tells() {
    let refused = alert_alone(46);
    let fix = &finding(&refused, "dtls-certificate-rejected").fix;
    assert!(!fix.contains("above") && fix.contains("a=fingerprint"), "{fix}");
    let version = alert_alone(70);
    let found = finding(&version, "dtls-version");
    assert!(!found.title.contains("unknown version") && !found.fix.contains("listed"), "{} {}", found.title, found.fix);
    let text = turnscope::render::text::report(&version, &turnscope::render::text::Options::default());
    assert!(text.contains(&format!("alert fatal protocol_version from {BOB}, frame 1")), "{text}");
}
