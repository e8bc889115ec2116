//! Stories of TURN over TLS: certificates that are refused or should be, handshakes that fail, and the web beside them, which is nobody's business.

// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use support::analyze::{assert_says, finding, ids, report, rows};
use support::calls::{failures, graver};
use support::degrade::{self, Shot, shots};
use support::dtls::{self, Shake, certificate, certificate_until};
use support::ice::{Agents, plain};
use support::tls::*;
use support::*;
use turnscope::net::Transport;
use turnscope::report::{Confidence, DtlsState, Report, Severity, TlsTcpState, TransportOutcome, Verdict};

const CLIENT: &str = "172.16.84.124:50000";
const AGAIN: &str = "172.16.84.124:50002";
const SERVER: &str = "203.0.113.1:5349";
const ON_443: &str = "203.0.113.1:443";
const UDP: &str = "203.0.113.1:3478";
const RELAYED: &str = "203.0.113.1:24000";

const REJECTED: &str = "tls-certificate-rejected";
const NAME: &str = "tls-certificate-name";
const EXPIRED: &str = "tls-certificate-expired";
const FAILURE: &str = "tls-handshake-failure";

fn on(scene: &Scene) -> Report {
    report(&scene.pcap())
}

/// A client that breaks off by this alert when it sees the certificate.
fn refused_by(code: u8, client: &str, server: &str, offer: &Offer, certificate: Vec<u8>) -> Scene {
    let mut scene = Scene::new();
    refuse(&mut scene, code, client, server, offer, certificate);
    scene.later(60);
    scene
}

fn refuse(scene: &mut Scene, code: u8, client: &str, server: &str, offer: &Offer, certificate: Vec<u8>) {
    let mut tls = Tls::open(scene, client, server).with(certificate);
    tls.hello(scene, offer);
    tls.server_flight(scene);
    tls.alert(scene, 0, code);
    tls.tcp.close(scene, 0);
}

fn succeed(scene: &mut Scene, client: &str, server: &str, offer: &Offer) {
    let mut tls = Tls::open(scene, client, server);
    tls.complete(scene, offer);
    tls.talk(scene, 3);
    tls.tcp.close(scene, 0);
}

// What is seen of a connection

#[test]
fn a_completed_connection_is_listed_with_all_that_is_in_clear() {
    let mut scene = Scene::new();
    succeed(&mut scene, CLIENT, SERVER, &Offer::default());
    scene.later(60);
    let report = on(&scene);
    assert_eq!((report.verdict, ids(&report)), (Verdict::Healthy, vec![]));
    let [tls] = report.tls.as_slice() else { panic!("one connection: {:?}", report.tls) };
    assert_eq!((tls.state, tls.recognised_by), (DtlsState::Complete, "port"));
    assert_eq!(tls.version.as_deref(), Some("TLS 1.2"));
    assert_eq!(tls.cipher_suite.as_deref(), Some("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"));
    assert_eq!((tls.group.as_deref(), tls.server_name.as_deref()), (Some("x25519"), Some("turn.example.org")));
    assert_eq!(tls.certificates[0].subject.as_deref(), Some("CN=turn.example.org"));
    assert_eq!((tls.client_data_records, tls.server_data_records), (3, 3));
    assert_eq!(tls.duration_us, Some(30_000));
    let closed = tls.tcp.closed_by.as_ref().unwrap();
    assert_eq!(
        (tls.tcp.state, closed.by, closed.how, closed.during_handshake),
        (TlsTcpState::Closed, "client", "fin", false)
    );
    assert_eq!(report.counts.tls["application_data"], 6);
}

#[test]
fn every_record_of_a_turn_connection_is_a_row_and_none_of_the_webs() {
    let mut scene = Scene::new();
    succeed(&mut scene, CLIENT, SERVER, &Offer::default());
    succeed(&mut scene, AGAIN, "198.51.100.80:443", &Offer::of_web("www.example.com"));
    let told = rows(&scene.pcap());
    assert_eq!(told.len(), 1 + 4 + 3 + 2 + 6);
    assert!(told.iter().all(|row| row.layers == ["tcp", "tls"]), "{told:?}");
}

#[test]
fn messages_over_several_records_and_segments_are_put_together() {
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
    let hello = client_hello(&Offer::default());
    let (one, other) = hello.split_at(50);
    let stream = [record(HANDSHAKE, one), record(HANDSHAKE, other)].concat();
    for part in stream.chunks(33) {
        tls.say(&mut scene, 0, part);
    }
    tls.server_flight(&mut scene);
    tls.client_flight(&mut scene);
    tls.last_flight(&mut scene);
    let report = on(&scene);
    assert_eq!(report.tls[0].server_name.as_deref(), Some("turn.example.org"));
    assert_eq!(report.tls[0].state, DtlsState::Complete);
}

#[test]
fn tls_1_3_is_complete_once_the_server_goes_on_behind_the_clients_finished() {
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
    tls.hello(&mut scene, &Offer { versions: vec![TLS_1_3, TLS_1_2], ..Offer::default() });
    tls.server_flight_1_3(&mut scene);
    let finished = [record(CHANGE_CIPHER, &[1]), tls.sealed(DATA, 53)].concat();
    tls.say(&mut scene, 0, &finished);
    let early = on(&scene);
    assert_eq!(early.tls[0].state, DtlsState::Incomplete);
    tls.talk(&mut scene, 2);
    let report = on(&scene);
    assert_eq!((report.tls[0].state, report.tls[0].version.as_deref()), (DtlsState::Complete, Some("TLS 1.3")));
    assert!(report.tls[0].certificates.is_empty() && ids(&report).is_empty());
}

// Which connections are TURN's

#[test]
fn the_web_is_counted_and_never_judged() {
    let web = Offer::of_web("www.example.com");
    for code in [40, 42, 45, 46, 48, 70] {
        let mut scene = Scene::allocated(CLIENT, UDP, "n", RELAYED);
        // another host, and the TURN server's own
        refuse(&mut scene, code, CLIENT, "198.51.100.80:443", &Offer::named("www.example.com"), certificate("other"));
        refuse(&mut scene, code, AGAIN, ON_443, &web, certificate_until("other", "251215000000Z"));
        scene.later(60);
        let report = on(&scene);
        assert_eq!((graver(&report), report.tls.len(), report.counts.other_tls), (vec![], 0, 2), "alert {code}");
    }
}

#[test]
fn alpn_of_turn_is_as_sure_as_its_port() {
    let offer = Offer { alpn: vec!["stun.turn"], ..Offer::default() };
    let report = on(&refused_by(48, CLIENT, "198.51.100.9:8443", &offer, certificate("turn.example.org")));
    assert_eq!((failures(&report), report.tls[0].recognised_by), (vec![REJECTED], "alpn"));
}

#[test]
fn a_host_that_the_client_asks_for_relays_may_serve_them_over_tls_too() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, UDP, Stun::request(method::ALLOCATE), 5);
    refuse(&mut scene, 48, AGAIN, ON_443, &Offer::named("meet.example.org"), certificate("meet.example.org"));
    scene.later(60);
    let report = on(&scene);
    assert_eq!(report.tls[0].recognised_by, "host");
    let found = finding(&report, REJECTED);
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
    assert_eq!(failures(&report), ["turn-no-response"]);
}

#[test]
fn the_same_address_and_port_over_udp_make_it_sure() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, ON_443, Stun::request(method::ALLOCATE), 5);
    refuse(&mut scene, 48, AGAIN, ON_443, &Offer::default(), certificate("turn.example.org"));
    scene.later(60);
    let report = on(&scene);
    assert_eq!((report.tls[0].recognised_by, finding(&report, REJECTED).confidence), ("server", Confidence::Certain));
}

#[test]
fn a_server_name_of_turn_makes_it_likely() {
    let report =
        on(&refused_by(48, CLIENT, "198.51.100.9:443", &Offer::named("turn-eu1.example.org"), certificate("x")));
    assert_eq!((report.tls[0].recognised_by, report.verdict), ("name", Verdict::Warning));
    assert_eq!(finding(&report, REJECTED).confidence, Confidence::Likely);
    let other = on(&refused_by(48, CLIENT, "198.51.100.9:443", &Offer::named("turnip.example.org"), certificate("x")));
    assert!(other.tls.is_empty() && ids(&other).is_empty());
}

// Certificates

#[test]
fn a_certificate_that_the_client_rejects_is_the_failure() {
    for (code, name) in [(42, "bad_certificate"), (46, "certificate_unknown"), (48, "unknown_ca")] {
        let report = on(&refused_by(code, CLIENT, SERVER, &Offer::default(), certificate("turn.example.org")));
        assert_eq!((report.verdict, failures(&report)), (Verdict::Failure, vec![REJECTED]), "{name}");
        let found = finding(&report, REJECTED);
        assert_eq!(found.confidence, Confidence::Certain);
        assert!(found.title.contains(name) && found.explanation.contains("among its names"), "{}", found.explanation);
        assert_eq!(found.places.iter().map(|place| place.frame).collect::<Vec<_>>(), [4, 5, 6]);
        assert_eq!(report.tls[0].state, DtlsState::Failed);
    }
}

#[test]
fn a_client_that_asks_for_no_name_and_rejects_is_told_so() {
    let report = on(&refused_by(48, CLIENT, SERVER, &Offer::nameless(), certificate("turn.example.org")));
    assert_eq!(failures(&report), [REJECTED]);
    assert!(finding(&report, REJECTED).explanation.contains("asks for no server name"));
}

#[test]
fn a_second_try_that_succeeds_makes_it_a_warning() {
    let mut scene = Scene::new();
    refuse(&mut scene, 48, CLIENT, SERVER, &Offer::default(), certificate("turn.example.org"));
    scene.after_ms(1000);
    succeed(&mut scene, AGAIN, SERVER, &Offer::default());
    scene.later(60);
    let report = on(&scene);
    assert_eq!((report.verdict, graver(&report)), (Verdict::Warning, vec![REJECTED]));
}

#[test]
fn an_allocation_over_udp_makes_it_a_warning() {
    let mut scene = refused_by(48, CLIENT, SERVER, &Offer::default(), certificate("turn.example.org"));
    scene.allocation(CLIENT, UDP, &alice(), "n", RELAYED);
    let report = on(&scene);
    assert_eq!((report.verdict, failures(&report)), (Verdict::Warning, vec![]));
}

#[test]
fn a_certificate_for_another_name_is_the_cause_of_its_rejection() {
    let report = on(&refused_by(42, CLIENT, SERVER, &Offer::default(), certificate("relay.example.net")));
    assert_eq!(report.headline_finding.as_deref(), Some(NAME));
    let (name, rejected) = (finding(&report, NAME), finding(&report, REJECTED));
    assert_eq!((name.severity, name.confidence), (Severity::Failure, Confidence::Certain));
    assert_eq!(rejected.caused_by.as_ref(), Some(&name.key));
    assert!(name.title.contains("turn.example.org") && name.explanation.contains("relay.example.net"), "{name:?}");
    assert_says(&name.fix, "something on the way that inspects TLS");
}

#[test]
fn a_client_that_does_not_check_the_name_gets_a_warning() {
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER).with(certificate("relay.example.net"));
    tls.complete(&mut scene, &Offer::default());
    tls.talk(&mut scene, 3);
    scene.later(60);
    let report = on(&scene);
    assert_eq!((report.verdict, graver(&report)), (Verdict::Warning, vec![NAME]));
    assert!(finding(&report, NAME).explanation.contains("does not check"));
}

#[test]
fn a_client_that_looks_at_the_certificate_once_the_handshake_is_over_and_leaves_gave_up() {
    let leaves = |certificate: Vec<u8>| {
        let mut scene = Scene::new();
        let mut tls = Tls::open(&mut scene, CLIENT, SERVER).with(certificate);
        tls.complete(&mut scene, &Offer::default());
        tls.tcp.close(&mut scene, 0);
        scene.later(60);
        on(&scene)
    };
    let old = certificate_until("turn.example.org", "251215000000Z");
    for (id, certificate) in [(NAME, certificate("relay.example.net")), (EXPIRED, old)] {
        let report = leaves(certificate);
        let found = finding(&report, id);
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
        let told = &found.explanation;
        assert!(told.contains("checks the certificate afterwards") && !told.contains("does not check"), "{told}");
    }
    assert_eq!(graver(&leaves(certificate("turn.example.org"))), Vec::<&str>::new());
}

#[test]
fn a_client_that_goes_on_to_another_server_over_tls_got_over_a_bad_certificate() {
    let mut scene = Scene::new();
    refuse(&mut scene, 46, CLIENT, SERVER, &Offer::default(), certificate("relay.example.net"));
    succeed(&mut scene, AGAIN, "203.0.113.9:5349", &Offer::default());
    scene.later(60);
    let report = on(&scene);
    assert_eq!((report.verdict, failures(&report)), (Verdict::Warning, vec![]));
}

#[test]
fn a_wildcard_is_for_the_name() {
    let report = on(&refused_by(48, CLIENT, SERVER, &Offer::default(), certificate("*.example.org")));
    assert_eq!(graver(&report), [REJECTED]);
}

#[test]
fn an_expired_certificate_is_the_failure_where_the_client_gives_up() {
    for code in [45, 46] {
        let old = certificate_until("turn.example.org", "251215000000Z");
        let report = on(&refused_by(code, CLIENT, SERVER, &Offer::default(), old));
        assert_eq!(report.headline_finding.as_deref(), Some(EXPIRED), "alert {code}");
        let found = finding(&report, EXPIRED);
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
        assert!(found.title.contains("has expired") && found.title.contains("2025-12-15"), "{}", found.title);
    }
}

#[test]
fn an_expired_certificate_that_the_client_takes_is_a_warning() {
    let mut scene = Scene::new();
    let old = certificate_until("turn.example.org", "251215000000Z");
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER).with(old);
    tls.complete(&mut scene, &Offer::default());
    tls.talk(&mut scene, 3);
    scene.later(60);
    let report = on(&scene);
    assert_eq!((report.verdict, graver(&report)), (Verdict::Warning, vec![EXPIRED]));
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_told_as_such() {
    let mut scene = Scene::starting_at(1_764_000_000); // a week before it is
    refuse(&mut scene, 42, CLIENT, SERVER, &Offer::default(), certificate("turn.example.org"));
    scene.later(60);
    let report = on(&scene);
    assert!(finding(&report, EXPIRED).title.contains("is not valid yet"), "{}", finding(&report, EXPIRED).title);
}

#[test]
fn a_client_with_a_wrong_clock_is_told_from_a_certificate_that_is_old() {
    let report = on(&refused_by(45, CLIENT, SERVER, &Offer::default(), certificate("turn.example.org")));
    let found = finding(&report, EXPIRED);
    assert_says(&found.title, "which it is not by the capture's clock");
}

#[test]
fn a_capture_that_ends_within_the_handshake_shows_nobody_giving_up() {
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER).with(certificate("relay.example.net"));
    tls.hello(&mut scene, &Offer::default());
    tls.server_flight(&mut scene);
    let report = on(&scene);
    assert_eq!((report.verdict, failures(&report)), (Verdict::Warning, vec![]));
}

#[test]
fn under_tls_1_3_what_an_encrypted_alert_says_is_likely_at_most() {
    let story = |code: Option<u8>| {
        let mut scene = Scene::new();
        let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
        tls.hello(&mut scene, &Offer { versions: vec![TLS_1_3, TLS_1_2], ..Offer::default() });
        tls.server_flight_1_3(&mut scene);
        match code {
            Some(code) => tls.alert(&mut scene, 0, code),
            None => {
                let sealed = tls.sealed(DATA, 19);
                tls.say(&mut scene, 0, &sealed)
            }
        };
        tls.tcp.close(&mut scene, 0);
        scene
    };
    let mut scene = story(None);
    scene.later(60);
    let report = on(&scene);
    let found = finding(&report, REJECTED);
    assert_eq!(
        (found.severity, found.confidence, report.verdict),
        (Severity::Failure, Confidence::Likely, Verdict::Warning)
    );
    // OpenSSL has no keys yet when it refuses: its alert is in clear
    let mut scene = story(Some(48));
    scene.later(60);
    let report = on(&scene);
    assert_eq!(failures(&report), [REJECTED]);
    assert!(finding(&report, REJECTED).explanation.contains("encrypts the certificate"));
    // a connection that was dropped beside one that serves
    let mut scene = story(None);
    succeed(&mut scene, AGAIN, SERVER, &Offer::default());
    scene.later(60);
    assert_eq!(graver(&on(&scene)), Vec::<&str>::new());
}

// Handshakes

#[test]
fn nothing_in_common_names_what_was_offered() {
    for (code, words) in
        [(40, "answers handshake_failure"), (70, "no version of TLS in common: the client offers TLS 1.2")]
    {
        let mut scene = Scene::new();
        let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
        tls.hello(&mut scene, &Offer::default());
        tls.alert(&mut scene, 1, code);
        tls.tcp.close(&mut scene, 1);
        scene.later(60);
        let report = on(&scene);
        assert_eq!((report.verdict, failures(&report)), (Verdict::Failure, vec![FAILURE]));
        let found = finding(&report, FAILURE);
        assert_says(&found.title, words);
        assert_says(&found.explanation, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
        assert_says(&found.explanation, "groups x25519, secp256r1");
    }
}

#[test]
fn other_alerts_in_the_handshake_are_warnings_and_those_after_it_nothing() {
    for code in [10, 47, 71, 80, 112] {
        let mut scene = Scene::new();
        let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
        tls.hello(&mut scene, &Offer { alpn: vec!["stun.turn"], ..Offer::default() });
        tls.alert(&mut scene, 1, code);
        scene.later(60);
        let report = on(&scene);
        assert_eq!((report.verdict, report.tls[0].state), (Verdict::Warning, DtlsState::Failed), "{code}");
        let found = finding(&report, FAILURE);
        assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain), "{code}");
        assert_says(&found.title, "203.0.113.1:5349 breaks off the TLS handshake with 172.16.84.124:50000");
        assert!(
            found.explanation.contains("\"turn.example.org\"") && found.explanation.contains("stun.turn"),
            "{}",
            found.explanation
        );
    }
    // a client that then gets through another way had no trouble
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
    tls.hello(&mut scene, &Offer::default());
    tls.alert(&mut scene, 1, 80);
    succeed(&mut scene, AGAIN, SERVER, &Offer::default());
    scene.later(60);
    assert_eq!(graver(&on(&scene)), [""; 0]);
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
    tls.complete(&mut scene, &Offer::default());
    let alert = tls.sealed(ALERT, 26);
    tls.say(&mut scene, 1, &alert);
    tls.tcp.reset(&mut scene, 1);
    scene.later(60);
    let report = on(&scene);
    assert_eq!((graver(&report), report.tls[0].state), (vec![], DtlsState::Complete));
    assert_eq!(report.tls[0].tcp.state, TlsTcpState::Reset);
}

#[test]
fn a_reset_in_the_middle_of_the_handshake_is_a_failure() {
    for answered in [false, true] {
        let mut scene = Scene::new();
        let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
        tls.hello(&mut scene, &Offer::default());
        if answered {
            tls.server_flight(&mut scene);
        }
        tls.tcp.reset(&mut scene, 1);
        scene.later(60);
        let report = on(&scene);
        assert_eq!((report.verdict, failures(&report)), (Verdict::Failure, vec![FAILURE]));
        let closed = report.tls[0].tcp.closed_by.as_ref().unwrap();
        assert_eq!((closed.by, closed.how, closed.during_handshake), ("server", "rst", true));
    }
}

#[test]
fn a_reset_by_the_client_is_likely_at_most_and_nothing_where_another_connection_serves() {
    let story = || {
        let mut scene = Scene::new();
        let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
        tls.hello(&mut scene, &Offer::default());
        tls.server_flight(&mut scene);
        tls.tcp.reset(&mut scene, 0);
        scene
    };
    let mut scene = story();
    scene.later(60);
    let report = on(&scene);
    assert_eq!((finding(&report, FAILURE).confidence, report.verdict), (Confidence::Likely, Verdict::Warning));
    let mut scene = story();
    succeed(&mut scene, AGAIN, SERVER, &Offer::default());
    scene.later(60);
    assert_eq!(graver(&on(&scene)), Vec::<&str>::new());
}

#[test]
fn a_client_that_resets_for_a_certificate_that_is_wrong_has_that_cause() {
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER).with(certificate("relay.example.net"));
    tls.hello(&mut scene, &Offer::default());
    tls.server_flight(&mut scene);
    tls.tcp.reset(&mut scene, 0);
    scene.later(60);
    let report = on(&scene);
    assert_eq!(report.headline_finding.as_deref(), Some(NAME));
    assert!(finding(&report, FAILURE).caused_by.as_deref().is_some_and(|key| key.starts_with(NAME)));
}

#[test]
fn a_client_that_waits_for_an_answer_to_its_hello_in_vain_is_likely_a_failure() {
    let waits = |ms: u64| {
        let mut scene = Scene::new();
        let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
        tls.hello(&mut scene, &Offer::default());
        tls.tcp.close(scene.after_ms(ms), 0);
        scene.later(60);
        scene
    };
    let report = on(&waits(10_000));
    let found = finding(&report, FAILURE);
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
    assert!(found.title.starts_with("172.16.84.124 closes its connection to the TURN server"), "{}", found.title);
    assert_says(&found.explanation, "to which no TLS came back");
    assert_eq!(ids(&on(&waits(1000))), [""; 0], "a client may drop what it does not need");
    assert_eq!(ids(&report_of(&one_way(&waits(10_000), true))), [""; 0], "the answer may be in the other direction");
}

#[test]
fn resets_where_no_handshake_was_begun_or_after_it_are_nothing() {
    // a balancer that knocks, and a client that leaves
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
    tls.tcp.reset(&mut scene, 0);
    let mut tls = Tls::open(&mut scene, AGAIN, SERVER);
    tls.complete(&mut scene, &Offer::default());
    tls.talk(&mut scene, 3);
    tls.tcp.reset(&mut scene, 0);
    scene.later(60);
    assert_eq!(graver(&on(&scene)), Vec::<&str>::new());
}

// Half captures

/// Only what one end sent.
fn one_way(scene: &Scene, client: bool) -> Vec<Shot> {
    let wanted = if client { [172, 16, 84, 124] } else { [203, 0, 113, 1] };
    shots(scene).into_iter().filter(|shot| shot.bytes.len() < 30 || shot.bytes[26..30] == wanted).collect()
}

#[test]
fn half_a_capture_accuses_nobody_of_a_certain_failure_that_it_does_not_show() {
    let mut healthy = Scene::new();
    let mut tls = Tls::open(&mut healthy, CLIENT, SERVER);
    tls.complete(&mut healthy, &Offer::default());
    tls.talk(&mut healthy, 3);
    tls.tcp.reset(&mut healthy, 0);
    healthy.later(60);
    for client in [true, false] {
        let report = report(&degrade::pcap(&one_way(&healthy, client)));
        assert_eq!(failures(&report), Vec::<&str>::new(), "client {client}");
        assert!(!ids(&report).iter().any(|id| id.starts_with("tls-")), "{:?}", ids(&report));
    }
    // every frame as the first of the capture, and as the last
    let all = shots(&healthy);
    for cut in 0..all.len() {
        for part in [&all[cut..], &all[..cut]] {
            let report = report(&degrade::pcap(part));
            assert!(!ids(&report).iter().any(|id| id.starts_with("tls-")), "cut at {cut}: {:?}", ids(&report));
        }
    }
    for length in [54, 60, 64, 80, 96, 128, 200] {
        let report = report(&degrade::pcap(&degrade::snapped(&all, length)));
        assert!(!ids(&report).iter().any(|id| id.starts_with("tls-")), "snap length {length}: {:?}", ids(&report));
    }
}

#[test]
fn a_rejection_is_sure_even_where_the_servers_direction_is_missing() {
    let scene = refused_by(48, CLIENT, SERVER, &Offer::default(), certificate("turn.example.org"));
    let report = report(&degrade::pcap(&one_way(&scene, true)));
    let found = finding(&report, REJECTED);
    assert_eq!(found.confidence, Confidence::Certain);
    assert_says(&found.explanation, "not in the capture");
}

#[test]
fn a_connection_that_runs_already_is_found_at_a_record_and_not_judged() {
    let mut scene = Scene::new();
    let mut tls = Tls::running(CLIENT, SERVER);
    tls.talk(&mut scene, 4);
    tls.tcp.reset(&mut scene, 1);
    scene.later(60);
    let report = on(&scene);
    assert_eq!((ids(&report), report.tls.len()), (vec![], 1));
    assert_eq!((report.tls[0].state, report.tls[0].client.0.to_string()), (DtlsState::Incomplete, CLIENT.to_owned()));
    assert_eq!((report.tls[0].client_data_records, report.tls[0].server_data_records), (4, 4));
}

// UDP that is silent, and TLS that works

#[test]
fn silence_over_udp_is_a_warning_where_tls_to_the_same_server_works() {
    let silent = |scene: &mut Scene| {
        scene.send_repeatedly(CLIENT, UDP, Stun::request(method::ALLOCATE), 5);
        scene.after_ms(1000);
    };
    let mut scene = Scene::new();
    silent(&mut scene);
    succeed(&mut scene, AGAIN, SERVER, &Offer::default());
    scene.later(60);
    let report = on(&scene);
    assert_eq!((report.verdict, graver(&report)), (Verdict::Warning, vec!["turn-no-response"]));
    let fallback = finding(&report, "turn-fallback");
    assert_eq!((fallback.severity, fallback.confidence), (Severity::Note, Confidence::Likely));
    // TLS in which nothing is answered is no way out
    let mut scene = Scene::new();
    silent(&mut scene);
    let mut tls = Tls::open(&mut scene, AGAIN, SERVER);
    tls.complete(&mut scene, &Offer::default());
    let asked = tls.sealed(DATA, 100);
    tls.say(&mut scene, 0, &asked);
    scene.later(60);
    let report = on(&scene);
    assert_eq!((report.verdict, ids(&report).contains(&"turn-fallback")), (Verdict::Failure, false));
}

#[test]
fn tls_that_the_capture_cuts_short_is_a_way_out_where_data_went_to_and_fro() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, UDP, Stun::request(method::ALLOCATE), 5);
    scene.after_ms(1000);
    succeed(&mut scene, AGAIN, SERVER, &Offer::default());
    scene.later(60);
    let all = shots(&scene);
    for length in [90, 100, 128, 160, 200] {
        let report = report(&degrade::pcap(&degrade::snapped(&all, length)));
        assert_eq!(report.verdict, Verdict::Warning, "{length}: {}", report.headline);
    }
    // of TLS 1.2 the answers to data show that the handshake was completed, whatever of it is missing but the server's hello
    for lost in (0..all.len()).filter(|lost| *lost != 9) {
        let mut kept = all.clone();
        kept.remove(lost);
        let report = report(&degrade::pcap(&kept));
        assert_ne!(report.verdict, Verdict::Failure, "without frame {}: {}", lost + 1, report.headline);
    }
}

/// Of what TLS carries, where nobody opened it.
const NO_RELAY: &str = "ice-no-relay-candidate";
const UNANSWERED: &str = "ice-checks-unanswered";

/// A client whose Allocate over UDP goes unanswered, and whose TLS with a server does not, or does not get far.
fn beside_silence(version: u16, server: &str, offer: &Offer, rounds: usize) -> Vec<Shot> {
    let mut scene = Scene::new();
    scene.resolved(CLIENT);
    scene.send_repeatedly(CLIENT, UDP, Stun::request(method::ALLOCATE).requested_transport(17), 7);
    let mut tls = Tls::open(scene.after_ms(1000), AGAIN, server);
    if version == TLS_1_3 {
        tls.complete_1_3(&mut scene, &Offer { versions: vec![TLS_1_3, TLS_1_2], ..offer.clone() });
    } else {
        tls.complete(&mut scene, offer);
    }
    tls.talk(&mut scene, rounds);
    scene.later(60);
    shots(&scene)
}

#[test]
fn tls_whose_hello_the_capture_cuts_may_be_the_way_that_the_client_took() {
    const ELSEWHERE: &str = "198.51.100.77:443";
    for version in [TLS_1_2, TLS_1_3] {
        for server in [ON_443, ELSEWHERE] {
            let all = beside_silence(version, server, &Offer::long(), 5);
            for length in [66, 96, 128, 200] {
                let report = report_of(&degrade::snapped(&all, length));
                let what = format!("{version:x} with {server} at {length}: {}", report.headline);
                assert_eq!((report.verdict, failures(&report)), (Verdict::Warning, vec![]), "{what}");
                let found = finding(&report, "turn-no-response");
                assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely), "{what}");
                let told = format!("{AGAIN} spoke TLS with {server}, and the capture lacks the hello");
                assert!(found.explanation.contains(&told), "{what}: {}", found.explanation);
            }
        }
        // a handshake, and nothing in it, is no way out; and with its hello the web is known
        for (offer, rounds, length) in [(Offer::long(), 0, 128), (Offer::of_web("www.example.org"), 5, 2000)] {
            let report = report_of(&degrade::snapped(&beside_silence(version, ELSEWHERE, &offer, rounds), length));
            assert_eq!(failures(&report), ["turn-no-response"], "{version:x}, {rounds} rounds at {length}");
        }
    }
}

#[test]
fn a_connection_of_which_the_capture_keeps_headers_alone_may_be_the_way_that_the_client_took() {
    for (server, expected) in [(ON_443, Verdict::Warning), ("203.0.113.1:22", Verdict::Failure)] {
        let all = beside_silence(TLS_1_2, server, &Offer::default(), 5);
        // TCP with options leaves nothing of the payload; here their place is cut
        let cut = |shot: &Shot| {
            let length = if degrade::ends(shot).is_some() { 64 } else { 54 };
            Shot { bytes: shot.bytes[..shot.bytes.len().min(length)].to_vec(), ..shot.clone() }
        };
        let report = report_of(&all.iter().map(cut).collect::<Vec<_>>());
        assert_eq!(report.verdict, expected, "{server}: {}", report.headline);
    }
}

#[test]
fn a_call_may_run_in_tls_that_nobody_opened() {
    let call = |offer: &Offer| {
        let mut scene = Scene::new();
        scene.resolved(CLIENT);
        scene.send_repeatedly(CLIENT, UDP, Stun::request(method::ALLOCATE).requested_transport(17), 7);
        let ways = [Agents::new(CLIENT, "192.168.77.5:4000"), Agents::new(CLIENT, "198.51.100.9:40001")];
        for _ in 0..25 {
            ways.iter().for_each(|way| _ = scene.after_ms(300).a_checks(way, plain));
        }
        succeed(&mut scene, AGAIN, ON_443, offer);
        scene.later(60);
        on(&scene)
    };
    let report = call(&Offer::default());
    assert_eq!((report.verdict, failures(&report)), (Verdict::Warning, vec![]), "{}", report.headline);
    assert!(!ids(&report).contains(&NO_RELAY), "nobody knows that it has none");
    let found = finding(&report, UNANSWERED);
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
    assert_says(&found.explanation, "takes the keys to see (--keylog)");
    // what is the web's is no way for a call
    assert!(failures(&call(&Offer::of_web("www.example.org"))).contains(&NO_RELAY));
}

#[test]
fn direct_checks_that_a_client_of_tls_sends_once_and_not_again_are_no_story() {
    // pjnath drops its other checks when a pair is nominated, which here goes through a relay inside TLS
    let call = |times: usize| {
        let mut scene = Scene::new();
        scene.resolved(CLIENT);
        let check = scene.after_ms(20).a_checks(&Agents::new(CLIENT, "198.51.100.9:40001"), plain);
        (1..times).for_each(|copy| _ = scene.after_ms(100 << copy).retransmit(&check));
        succeed(&mut scene, AGAIN, ON_443, &Offer::default());
        scene.later(60);
        on(&scene)
    };
    assert_eq!(ids(&call(1)).iter().filter(|id| **id == UNANSWERED).count(), 0);
    assert!(ids(&call(5)).contains(&UNANSWERED), "it goes on asking");
}

// The scoreboard

/// Of each server and transport: what came of it, connections tried and opened, requests asked.
fn board(report: &Report) -> Vec<(String, Transport, TransportOutcome, [u64; 3])> {
    let servers = report.servers.iter();
    let tried = servers.flat_map(|server| server.transports.iter().map(move |it| (server.address.to_string(), it)));
    let told = tried.map(|(server, it)| {
        let known = it.connections.clone().unwrap_or_default();
        (server, it.transport, it.outcome, [known.tried, known.opened, it.asked])
    });
    told.collect()
}

#[test]
fn a_server_over_tls_is_on_the_scoreboard_without_keys() {
    let server = || SERVER.to_owned();
    let refused = refused_by(48, CLIENT, SERVER, &Offer::default(), certificate("turn.example.org"));
    let failed = (server(), Transport::Tls, TransportOutcome::HandshakeFailed, [1, 1, 0]);
    assert_eq!(board(&on(&refused)), [failed]);
    // a second try that succeeds is the furthest that anybody got
    let mut scene = refused;
    succeed(&mut scene, AGAIN, SERVER, &Offer::default());
    scene.later(60);
    assert_eq!(board(&on(&scene)), [(server(), Transport::Tls, TransportOutcome::Connected, [2, 2, 0])]);
}

#[test]
fn what_may_be_the_webs_is_not_on_the_scoreboard() {
    let mut scene = Scene::new();
    succeed(&mut scene, CLIENT, "198.51.100.80:443", &Offer::of_web("www.example.com"));
    succeed(&mut scene, AGAIN, "198.51.100.81:443", &Offer::default());
    scene.later(60);
    assert_eq!(board(&on(&scene)), []);
}

#[test]
fn a_server_over_dtls_is_on_the_scoreboard_without_keys() {
    let mut scene = Scene::new();
    let mut shake = Shake::between(CLIENT, SERVER);
    let hello = shake.client.client_hello(&dtls::Offer { srtp: Vec::new(), ..dtls::Offer::default() });
    shake.up(&mut scene, hello.clone());
    let unheard = (SERVER.to_owned(), Transport::Dtls, TransportOutcome::Unanswered, [1, 0, 0]);
    let mut alone = Scene::new();
    shake.up(&mut alone, hello);
    alone.later(60);
    assert_eq!(board(&on(&alone)), [unheard]);
    shake.server_flight(&mut scene);
    shake.client_says(&mut scene, |client| client.alert(2, 48));
    scene.later(60);
    let failed = (SERVER.to_owned(), Transport::Dtls, TransportOutcome::HandshakeFailed, [1, 1, 0]);
    assert_eq!(board(&on(&scene)), [failed]);
}

// DTLS as transport of TURN

#[test]
fn dtls_with_a_turn_server_is_judged_as_tls_is_and_not_as_that_of_a_call() {
    let story = |srtp: Vec<u16>, code: u8| {
        let mut scene = Scene::new();
        let mut shake = Shake::between(CLIENT, SERVER);
        shake.certificates.1 = certificate("turn.example.org");
        shake.client_says(&mut scene, |client| client.client_hello(&dtls::Offer { srtp, ..dtls::Offer::default() }));
        shake.server_flight(&mut scene);
        shake.client_says(&mut scene, |client| client.alert(2, code));
        scene.later(60);
        on(&scene)
    };
    let report = story(Vec::new(), 48);
    assert_eq!(ids(&report), [REJECTED]);
    assert!(finding(&report, REJECTED).title.contains("DTLS alert unknown_ca"), "{}", finding(&report, REJECTED).title);
    assert_eq!((report.dtls.len(), report.tls.len()), (1, 0));
    // what offers SRTP is of a call
    assert_eq!(ids(&story(vec![7, 1], 48)), ["dtls-certificate-rejected"]);
}

#[test]
fn dtls_with_a_turn_server_that_works_does_not_excuse_a_call_that_does_not() {
    let mut scene = Scene::new();
    let mut turn = Shake::between(CLIENT, SERVER);
    let hello = turn.client.client_hello(&dtls::Offer { srtp: Vec::new(), random: 9, ..dtls::Offer::default() });
    turn.up(&mut scene, hello);
    turn.server_flight(&mut scene);
    turn.client_flight(&mut scene);
    turn.last_flight(&mut scene);
    turn.talk(&mut scene, 4);
    let mut call = Shake::between("172.16.84.124:51000", "198.51.100.7:40000");
    call.hello(&mut scene);
    call.server_flight(&mut scene);
    call.client_says(&mut scene, |client| client.alert(2, 42));
    turn.talk(&mut scene, 4);
    scene.later(60);
    let report = on(&scene);
    assert_eq!(failures(&report), ["dtls-certificate-rejected"]);
}

#[test]
fn a_connection_that_the_capture_joined_later_is_not_said_to_end_in_its_handshake() {
    let sample = support::samples::all().into_iter().find(|sample| sample.name == "tls-success").unwrap();
    let report = sample.report_edited(&sample.bytes, &mut |frame| frame.number > 20, &mut |_| {}).unwrap();
    let [known] = report.tls.as_slice() else { panic!("{:?}", report.tls) };
    let closed = known.tcp.closed_by.as_ref().unwrap();
    assert!(!closed.during_handshake, "{known:?}");
}

#[test]
fn a_client_that_speaks_turn_without_tls_to_a_port_with_tls_is_told_so() {
    for code in [70, 10, 40] {
        let mut scene = Scene::new();
        let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
        let request = Stun::request(method::ALLOCATE).requested_transport(17).tid([7; 12]).bytes();
        tls.say(&mut scene, 0, &request);
        let alert = tls.alert(&mut scene, 1, code);
        tls.tcp.close(&mut scene, 1);
        scene.later(60);
        let report = on(&scene);
        assert_eq!((report.verdict, report.headline_finding.as_deref()), (Verdict::Failure, Some(FAILURE)));
        let found = finding(&report, FAILURE);
        assert_says(&found.title, "speaks TURN without TLS to 203.0.113.1:5349");
        assert_eq!(found.places.first().map(|place| place.frame), Some(alert));
        assert_says(&found.fix, "turns:");
        // the request that got no other answer is its consequence
        let others = report.findings.iter().filter(|known| known.id != FAILURE && known.severity != Severity::Note);
        assert!(others.into_iter().all(|known| known.caused_by.is_some()), "{:?}", ids(&report));
    }
}

#[test]
fn http_in_answer_to_the_hello_shows_that_nothing_speaks_tls_there() {
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
    tls.hello(&mut scene, &Offer::default());
    tls.tcp.say(&mut scene, 1, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    tls.tcp.close(&mut scene, 1);
    scene.later(60);
    let report = on(&scene);
    let found = finding(&report, FAILURE);
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&found.title, "with HTTP status 400: what listens there speaks no TLS");
}

#[test]
fn a_connection_that_is_closed_in_answer_to_the_hello_is_likely_a_failure() {
    let hung_up = |answers: bool, side: usize| {
        let mut scene = Scene::new();
        let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
        tls.hello(&mut scene, &Offer::default());
        if answers {
            tls.server_flight(&mut scene);
        }
        tls.tcp.close(&mut scene, side);
        scene.later(60);
        on(&scene)
    };
    let report = hung_up(false, 1);
    let found = finding(&report, FAILURE);
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
    assert!(
        found.title.ends_with("is closed by the TURN server 203.0.113.1:5349 during the TLS handshake (FIN)"),
        "{}",
        found.title
    );
    assert_eq!(ids(&hung_up(false, 0)), [""; 0], "a client may drop what it does not need");
    assert_eq!(ids(&hung_up(true, 1)), [""; 0], "the rest may be with the client");
    // another connection of the same client serves it
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
    tls.hello(&mut scene, &Offer::default());
    tls.tcp.close(&mut scene, 1);
    succeed(&mut scene, AGAIN, SERVER, &Offer::default());
    scene.later(60);
    assert_eq!(finding(&on(&scene), FAILURE).severity, Severity::Warning);
    // and of the client's direction alone nothing is told
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
    tls.hello(&mut scene, &Offer::default());
    tls.tcp.close(&mut scene, 1);
    assert_eq!(ids(&report_of(&one_way(&scene, true))), [""; 0]);
}

fn report_of(shots: &[Shot]) -> Report {
    report(&degrade::pcap(shots))
}

/// A client leaves the server's half of the handshake unanswered for so long and ends the connection.
fn left(ms: u64, end: impl FnOnce(&mut Tls, &mut Scene)) -> Report {
    let mut scene = Scene::new();
    let mut tls = Tls::open(&mut scene, CLIENT, SERVER);
    tls.hello(&mut scene, &Offer::default());
    tls.server_flight(&mut scene);
    end(&mut tls, scene.after_ms(ms));
    scene.later(60);
    on(&scene)
}

#[test]
fn a_client_that_takes_nothing_of_what_the_server_sent_and_leaves_is_likely_a_failure() {
    let closes = |tls: &mut Tls, scene: &mut Scene| tls.tcp.close(scene, 0);
    // OpenSSL answers the end of the stream in the middle of a handshake by decode_error: that is not what ended it
    let is_answered = |tls: &mut Tls, scene: &mut Scene| {
        tls.tcp.fin(scene, 0);
        tls.alert(scene, 1, 50);
        tls.tcp.reset(scene, 0);
    };
    for report in [left(7_700, closes), left(11_700, is_answered)] {
        let found = finding(&report, FAILURE);
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
        assert_says(
            &found.title,
            "172.16.84.124 closes its connection to the TURN server 203.0.113.1:5349 during the TLS handshake (FIN)",
        );
        assert_says(&found.explanation, "does not take what the server sent, such as its certificate");
        assert_says(&found.fix, "log of 172.16.84.124");
    }
    for report in [left(900, closes), left(900, is_answered)] {
        assert_eq!(ids(&report), [""; 0], "a client may drop what it does not need");
    }
}
