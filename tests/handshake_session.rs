//! What is known of a DTLS association after its records went by.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::dtls::{self, DTLS_1_3, End, Offer, Shake};
use support::{Scene, alice, analyze, degrade, sides};
use turnscope::report::{Dtls, DtlsState, Report};

const ALICE: &str = "10.0.0.2:50000";
const BOB: &str = "192.0.2.9:40000";
const TURN: &str = "203.0.113.1:3478";

fn of(capture: &[u8]) -> Report {
    analyze::report(capture)
}

fn only(report: &Report) -> &Dtls {
    let [known] = report.dtls.as_slice() else { panic!("{} associations", report.dtls.len()) };
    known
}

fn complete() -> (Scene, Shake) {
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    shake.complete(&mut scene);
    (scene, shake)
}

#[test]
fn a_whole_handshake_tells_who_agreed_on_what_and_with_which_certificates() {
    let (scene, shake) = complete();
    let report = of(&scene.pcap());
    let known = only(&report);
    assert_eq!((known.client.to_string().as_str(), known.server.to_string().as_str()), (ALICE, BOB));
    assert_eq!((known.state, known.roles_known, known.resumed), (DtlsState::Complete, true, false));
    assert_eq!(known.version.as_deref(), Some("DTLS 1.2"));
    assert_eq!(known.cipher_suite.as_deref(), Some("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"));
    assert_eq!(known.srtp_profile.as_deref(), Some("SRTP_AEAD_AES_128_GCM"));
    assert_eq!((known.group.as_deref(), known.groups.len()), (Some("x25519"), 2));
    assert_eq!(known.duration_us, Some(30_000));
    assert_eq!(known.retransmits, 0);
    let flights: Vec<_> = known.flights.iter().map(|flight| (flight.from, flight.places[0].frame)).collect();
    assert_eq!(flights, [("client", 1), ("server", 2), ("client", 3), ("server", 4)]);
    assert_eq!(known.certificates.len(), 2);
    let server = known.certificates.iter().find(|one| one.from == "server").unwrap();
    assert_eq!((server.subject.as_deref(), server.key.as_deref()), (Some("CN=server"), Some("EC secp256r1")));
    assert_eq!((server.self_signed, server.valid), (Some(true), Some(true)));
    assert_eq!(known.server_fingerprint.as_ref(), Some(&server.fingerprint));
    assert_eq!(shake.certificates.1[0], 0x30);
    assert!(analyze::ids(&report).iter().all(|id| !id.starts_with("dtls")), "{:?}", analyze::ids(&report));
}

#[test]
fn a_certificate_that_is_not_valid_at_the_time_of_the_capture_is_shown_so() {
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    shake.certificates.1 = dtls::certificate_until("server", "251215000000Z");
    shake.complete(&mut scene);
    let report = of(&scene.pcap());
    let known = only(&report);
    let valid = |from| known.certificates.iter().find(|one| one.from == from).and_then(|one| one.valid);
    assert_eq!((valid("client"), valid("server")), (Some(true), Some(false)));
}

#[test]
fn a_flight_that_is_sent_again_is_counted_and_a_mirrored_copy_is_not() {
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    let hello = shake.hello(&mut scene);
    for wait in [50, 100, 200] {
        let copy = dtls::again(&mut shake.client, &hello.payload);
        scene.after_ms(wait);
        shake.up(&mut scene, copy);
    }
    let flight = shake.server_flight(&mut scene);
    scene.after_us(5).mirrored_copy(&flight);
    shake.client_flight(&mut scene);
    shake.last_flight(&mut scene);
    let report = of(&scene.pcap());
    let known = only(&report);
    assert_eq!(known.retransmits, 3);
    assert_eq!(known.flights[0].places.len(), 4);
    assert_eq!((known.flights.len(), known.state), (4, DtlsState::Complete));
}

#[test]
fn a_cookie_makes_two_more_flights_of_the_same_association() {
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    shake.hello(&mut scene);
    shake.server_says(&mut scene, |server| server.hello_verify_request(b"cookie"));
    shake.client_says(&mut scene, |client| {
        client.client_hello(&Offer { cookie: b"cookie".to_vec(), ..Offer::default() })
    });
    shake.server_flight(&mut scene);
    shake.client_flight(&mut scene);
    shake.last_flight(&mut scene);
    let report = of(&scene.pcap());
    let known = only(&report);
    assert!(known.hello_verify);
    assert_eq!((known.flights.len(), known.state, known.retransmits), (6, DtlsState::Complete, 0));
}

#[test]
fn the_same_handshake_on_both_sides_of_a_nat_is_one_association() {
    let (scene, _) = complete();
    let both = degrade::both_sides_of_a_nat(&degrade::shots(&scene), "10.0.0.2", "198.51.100.7");
    let report = of(&degrade::pcap(&both));
    let known = only(&report);
    assert_eq!((known.state, known.retransmits, known.flights.len()), (DtlsState::Complete, 0, 4));
    assert_eq!(known.also.len(), 1);
    assert!(
        known.also[0].client.to_string().starts_with("198.51.100.7")
            || known.client.to_string().starts_with("198.51.100.7")
    );
}

#[test]
fn a_handshake_goes_on_from_send_indications_to_a_channel() {
    let alice = alice();
    let mut scene = Scene::new();
    let mut shake = Shake::between(ALICE, BOB);
    scene.allocation(ALICE, TURN, &alice, "nonce", "203.0.113.1:60000");
    let permission = scene.after_ms(10).create_permission(ALICE, TURN, &alice, "nonce", BOB);
    scene.after_ms(10).granted(&permission, None, &alice);
    let hello = shake.client.client_hello(&Offer::default());
    scene.after_ms(10).send_indication(ALICE, TURN, BOB, hello);
    let flight = shake.server.server_flight(&shake.certificates.1);
    scene.after_ms(10).data_indication(TURN, ALICE, BOB, flight);
    let bind = scene.after_ms(10).channel_bind(ALICE, TURN, &alice, "nonce", (0x4000, BOB));
    scene.after_ms(10).granted(&bind, None, &alice);
    let answer = shake.client.client_flight(&shake.certificates.0);
    scene.after_ms(10).channel_data(ALICE, TURN, 0x4000, answer);
    let last = shake.server.last_flight();
    scene.after_ms(10).channel_data(TURN, ALICE, 0x4000, last);
    let report = of(&scene.pcap());
    let known = only(&report);
    assert_eq!(known.via, ["send", "data", "channel-data"]);
    assert_eq!((known.client.to_string().as_str(), known.server.to_string().as_str()), ("203.0.113.1:60000", BOB));
    assert_eq!((known.state, known.flights.len()), (DtlsState::Complete, 4));
}

#[test]
fn a_channel_whose_peer_becomes_known_carries_the_same_association() {
    let alice = alice();
    let mut scene = Scene::new();
    let mut shake = Shake::between(ALICE, BOB);
    let hello = shake.client.client_hello(&Offer::default());
    // the capture starts after the binding, which is refreshed within the handshake
    scene.allocate(ALICE, TURN);
    scene.after_ms(10).channel_data(ALICE, TURN, 0x4000, hello);
    let flight = shake.server.server_flight(&shake.certificates.1);
    scene.after_ms(10).channel_data(TURN, ALICE, 0x4000, flight);
    let bind = scene.after_ms(10).channel_bind(ALICE, TURN, &alice, "nonce", (0x4000, BOB));
    scene.after_ms(10).granted(&bind, None, &alice);
    let answer = shake.client.client_flight(&shake.certificates.0);
    scene.after_ms(10).channel_data(ALICE, TURN, 0x4000, answer);
    let last = shake.server.last_flight();
    scene.after_ms(10).channel_data(TURN, ALICE, 0x4000, last);
    let report = of(&scene.pcap());
    assert_eq!(only(&report).state, DtlsState::Complete);
}

#[test]
fn a_second_handshake_on_the_same_addresses_is_an_association_of_its_own() {
    let (mut scene, _) = complete();
    let mut shake = Shake::between(ALICE, BOB);
    let hello = shake.client.client_hello(&Offer { random: 0x77, ..Offer::default() });
    scene.after_ms(3000);
    shake.up(&mut scene, hello);
    let flight = [
        shake.server.server_hello(0x88, 0xFEFD, 0xC02B),
        shake.server.certificate(&[&shake.certificates.1]),
        shake.server.server_key_exchange(),
        shake.server.server_hello_done(),
    ];
    shake.down(&mut scene, flight.concat());
    let report = of(&scene.pcap());
    let states: Vec<_> = report.dtls.iter().map(|known| known.state).collect();
    assert_eq!(states, [DtlsState::Complete, DtlsState::Incomplete]);
}

#[test]
fn fragments_over_several_datagrams_in_any_order_make_one_certificate() {
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    shake.hello(&mut scene);
    shake.server_says(&mut scene, |server| server.server_hello(0xA5, 0xFEFD, 0xC02B));
    let body = dtls::certificate_body(&[&shake.certificates.1]);
    let middle = body.len() / 2;
    let last = shake.server.fragment(11, &body, middle..body.len());
    let first = shake.server.fragment(11, &body, 0..middle);
    shake.down(&mut scene, last);
    shake.down(&mut scene, first);
    let report = of(&scene.pcap());
    let known = only(&report);
    assert_eq!(known.certificates.len(), 1);
    assert_eq!(known.certificates[0].place.frame, 4);
    assert!(known.missing.is_empty());
}

/// Hellos with a post-quantum key share take two datagrams.
#[test]
fn a_hello_of_which_the_second_fragment_is_seen_first_begins_one_handshake() {
    for first_is_lost in [false, true] {
        let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
        let body = dtls::client_hello_body(&Offer::default());
        let first = shake.client.fragment(1, &body, 0..60);
        let second = shake.client.fragment(1, &body, 60..body.len());
        shake.up(&mut scene, second.clone());
        if first_is_lost {
            scene.after_ms(1000);
            for fragment in [&first, &second] {
                let again = dtls::again(&mut shake.client, fragment);
                shake.up(&mut scene, again);
            }
        } else {
            shake.up(&mut scene, first);
        }
        shake.server_flight(&mut scene);
        shake.client_flight(&mut scene);
        shake.last_flight(&mut scene);
        let report = of(&scene.pcap());
        let known = only(&report);
        assert_eq!((known.state, known.missing.len()), (DtlsState::Complete, 0), "{first_is_lost}");
        assert_eq!(known.flights[0].places[0].frame, 1, "{first_is_lost}");
    }
}

#[test]
fn dtls_1_3_is_complete_by_its_epochs() {
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    let offer = Offer { versions: vec![DTLS_1_3, 0xFEFD], suites: vec![0x1301], ..Offer::default() };
    shake.client_says(&mut scene, |client| client.client_hello(&offer));
    let flight = [shake.server.server_hello(0xA5, DTLS_1_3, 0x1301), shake.server.unified(2, 600)].concat();
    shake.down(&mut scene, flight);
    shake.client_says(&mut scene, |client| client.unified(2, 500));
    let before = of(&scene.pcap());
    assert_eq!(only(&before).state, DtlsState::Incomplete, "the server has not acknowledged the client's flight");
    shake.server_says(&mut scene, |server| server.unified(3, 35));
    let report = of(&scene.pcap());
    let known = only(&report);
    assert_eq!((known.state, known.version.as_deref()), (DtlsState::Complete, Some("DTLS 1.3")));
    assert_eq!((known.srtp_profile.as_deref(), known.certificates.len()), (None, 0));
    assert_eq!(known.duration_us, Some(30_000));
}

#[test]
fn a_resumed_handshake_shows_no_certificate_and_the_server_finishes_first() {
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    shake.client_says(&mut scene, |client| client.client_hello(&Offer { session: vec![4; 32], ..Offer::default() }));
    let flight =
        [shake.server.server_hello(0xA5, 0xFEFD, 0xC02B), shake.server.change_cipher(), shake.server.finished()]
            .concat();
    shake.down(&mut scene, flight);
    shake.client_says(&mut scene, |client| client.last_flight());
    let report = of(&scene.pcap());
    assert_eq!((only(&report).state, only(&report).resumed), (DtlsState::Complete, true));
}

#[test]
fn a_protected_alert_at_the_end_is_its_closing() {
    let (mut scene, mut shake) = complete();
    shake.talk(&mut scene, 3);
    shake.server_says(&mut scene, |server| server.sealed(21, 26));
    let report = of(&scene.pcap());
    let closed = only(&report).closed.as_ref().unwrap();
    assert_eq!((closed.by, closed.clear), ("server", false));
    assert_eq!((only(&report).client_data_records, only(&report).server_data_records), (3, 3));
    let finding = analyze::finding(&report, "dtls-closed");
    assert!(finding.title.contains(BOB), "{}", finding.title);
}

#[test]
fn a_capture_that_begins_within_a_handshake_knows_the_roles_by_what_only_one_side_sends() {
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    let mut unseen = Scene::new();
    shake.hello(&mut unseen);
    shake.server_flight(&mut unseen);
    shake.client_flight(&mut scene);
    shake.last_flight(&mut scene);
    let report = of(&scene.pcap());
    let known = only(&report);
    assert_eq!((known.client.to_string().as_str(), known.state), (ALICE, DtlsState::Complete));
    assert_eq!((known.duration_us, known.started_at), (None, None));
}

#[test]
fn application_data_alone_makes_no_association() {
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    shake.talk(&mut scene, 5);
    let report = of(&scene.pcap());
    assert!(report.dtls.is_empty() && !report.counts.dtls.is_empty());
}

#[test]
fn as_many_handshakes_as_one_likes_are_told_apart_within_bounds() {
    let mut scene = Scene::new();
    for number in 0..3000_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        let client = format!("10.1.{high}.{low}:5000");
        let mut end = End::default();
        let mut hello = end.client_hello(&Offer::default());
        // a random of its own
        hello[13 + 12 + 2..13 + 12 + 6].copy_from_slice(&number.to_be_bytes());
        scene.after_ms(10).udp(client.as_str(), BOB, hello);
    }
    let report = of(&scene.pcap());
    assert_eq!(report.dtls.len() as u64 + report.omitted["dtls"], 3000);
}

#[test]
fn a_hello_that_rides_in_a_check_is_part_of_the_handshake() {
    let (alice, bob) = sides();
    let (mut scene, mut shake) = (Scene::new(), Shake::between(ALICE, BOB));
    let hello = shake.client.client_hello(&Offer::default());
    let check = scene.ice_check(ALICE, BOB, (&alice, &bob), true, |check| check.attribute(0xC070, hello.as_slice()));
    let flight = shake.server.server_flight(&shake.certificates.1);
    scene.after_ms(10).succeed(&check, |success| success.attribute(0xC070, flight.as_slice()));
    shake.client_flight(&mut scene);
    shake.last_flight(&mut scene);
    let report = of(&scene.pcap());
    let known = only(&report);
    assert_eq!((known.state, known.flights.len(), known.duration_us), (DtlsState::Complete, 4, Some(30_000)));
    assert_eq!(known.via, ["dtls-in-stun"]);
}

#[test]
fn whatever_is_damaged_in_a_handshake_the_rest_is_told_without_panic() {
    let (mut scene, mut shake) = complete();
    shake.talk(&mut scene, 1);
    let shots = degrade::shots(&scene);
    let mut seed = 0x2545_F491_u32;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed as usize % below
    };
    for _ in 0..1500 {
        let mut damaged = shots.clone();
        for _ in 0..=random(4) {
            let shot = random(damaged.len());
            let bytes = &mut damaged[shot].bytes;
            // beyond the headers of Ethernet, IP and UDP
            let at = 42 + random(bytes.len() - 42);
            bytes[at] = random(256) as u8;
        }
        if random(3) == 0 {
            damaged.swap(0, 1);
        }
        let report = of(&degrade::pcap(&damaged));
        assert!(report.dtls.len() <= 8);
    }
}
