//! The one sentence for a capture in which nothing is wrong: it says what worked.

mod support;

use support::analyze::{assert_says, report, report_told};
use support::ice::Agents;
use support::*;
use turnscope::report::Verdict;

const A: &str = "192.0.2.10:5000";
const B: &str = "198.51.100.20:6000";
const SERVER: &str = "203.0.113.1:3478";
const RELAYED: &str = "203.0.113.1:24000";

fn agents() -> Agents {
    Agents::new(A, B)
}

#[track_caller]
fn says(scene: &Scene, headline: &str) {
    let report = report(&scene.pcap());
    assert_eq!((report.verdict, report.headline.as_str()), (Verdict::Healthy, headline));
}

#[test]
fn a_direct_call_says_its_pair_and_its_media() {
    let mut scene = Scene::new();
    scene.connect(&agents()).talk_directly(A, B, 50);
    says(&scene, "Nothing wrong: ICE selected 192.0.2.10:5000 – 198.51.100.20:6000; RTP flowed both ways.");
    let offer = "v=0\na=ice-ufrag:aaaa\na=ice-pwd:a-password-of-ice-0123456\nm=audio 9 UDP/TLS/RTP/SAVPF 0\n";
    let report = report_told(&scene.pcap(), &[("offer.sdp", offer)]);
    assert!(report.headline.ends_with("; audio flowed both ways."), "{}", report.headline);
}

#[test]
fn a_handshake_says_the_version_and_the_data_in_it_or_that_no_media_followed() {
    let mut scene = Scene::new();
    scene.connect(&agents());
    let mut shake = dtls::Shake::between(A, B);
    shake.complete(&mut scene);
    says(
        &scene,
        "Nothing wrong: ICE selected 192.0.2.10:5000 – 198.51.100.20:6000; DTLS 1.2 was agreed on; no media followed in the capture.",
    );
    shake.talk(&mut scene, 2);
    says(
        &scene,
        "Nothing wrong: ICE selected 192.0.2.10:5000 – 198.51.100.20:6000; DTLS 1.2 was agreed on; data went both ways inside DTLS.",
    );
}

#[test]
fn a_pair_on_which_nothing_followed_is_said_to_be_that() {
    let mut scene = Scene::new();
    scene.connect(&agents());
    says(
        &scene,
        "Nothing wrong: ICE selected 192.0.2.10:5000 – 198.51.100.20:6000; no DTLS or media followed on it in the capture.",
    );
}

#[test]
fn a_restart_is_the_same_call_and_another_agent_is_not() {
    let mut scene = Scene::new();
    scene.connect(&agents()).talk_directly(A, B, 20).connect(&agents().restarted()).talk_directly(A, B, 20);
    says(&scene, "Nothing wrong: ICE selected 192.0.2.10:5000 – 198.51.100.20:6000; RTP flowed both ways.");
    let mut other = Agents::new("192.0.2.11:5000", "198.51.100.21:6000");
    (other.a, other.b) =
        (IceSide::new("cccc", "c-password-of-ice-0123456", 8), IceSide::new("dddd", "d-password-of-ice-012345", 9));
    scene.connect(&other).talk_directly(other.at_a, other.at_b, 20);
    says(
        &scene,
        "Nothing wrong: ICE selected 192.0.2.10:5000 – 198.51.100.20:6000 (and 1 more); RTP flowed both ways.",
    );
}

#[test]
fn checks_without_a_selected_pair_are_counted() {
    let agents = agents();
    let mut scene = Scene::new();
    scene.a_is_answered(&agents, support::ice::plain);
    scene.b_is_answered(&agents, support::ice::plain);
    says(&scene, "Nothing wrong: connectivity checks were answered on the only pair.");
}

#[test]
fn a_server_that_answers_is_no_success_where_no_check_is_answered() {
    let mut scene = Scene::new();
    let asked = scene.send(A, SERVER, Stun::request(method::BINDING));
    scene.after_ms(10).succeed(&asked, |success| success.xor_mapped(A));
    scene.a_checks_in_vain(&agents(), 3, 100);
    says(
        &scene,
        "Nothing wrong is to be seen here, and nothing that shows success either: no connectivity check on its one pair is answered in it.",
    );
}

#[test]
fn peers_that_try_each_other_by_plain_requests_are_no_servers() {
    let mut scene = Scene::new();
    let binding = || Stun::request(method::BINDING);
    for _ in 0..3 {
        scene.after_ms(500).send(A, B, binding());
        let asked = scene.after_ms(10).send(B, A, binding());
        scene.after_ms(10).succeed(&asked, |success| success.xor_mapped(B));
    }
    let last = scene.after_ms(500).send(A, B, binding());
    scene.after_ms(10).succeed(&last, |success| success.xor_mapped(A));
    let report = report(&scene.pcap());
    assert!(!report.headline.contains("servers answered"), "{}", report.headline);
    assert!(report.servers.is_empty(), "{:?}", report.servers);
    let answered = |report: &turnscope::report::Report| -> Vec<(u64, u64)> {
        let over = report.servers.iter().flat_map(|server| &server.transports);
        over.map(|over| (over.asked, over.answered)).collect()
    };
    // a server that asks its client, too: what the client answers is none of its answers
    let mut scene = Scene::new();
    scene.send(A, SERVER, binding());
    let refresh = scene.after_ms(10).send(A, SERVER, Stun::request(method::REFRESH));
    scene.after_ms(10).refuse(&refresh, 437, "Mismatch");
    for _ in 0..4 {
        let asked = scene.after_ms(10).send(SERVER, A, binding());
        scene.after_ms(10).succeed(&asked, |success| success.xor_mapped(SERVER));
    }
    assert_eq!(answered(&support::analyze::report(&scene.pcap())), [(2, 1)]);
}

#[test]
fn data_that_goes_out_through_a_relay_is_no_request_that_nobody_answers() {
    let mut scene = Scene::new();
    for sequence in 0..5 {
        scene.after_ms(100).send_indication(A, SERVER, B, payload::rtp(96, sequence, 1, 1, 100));
    }
    let told = report(&scene.pcap()).headline;
    assert!(told.ends_with("either: no request to a server is in it."), "{told}");
}

#[test]
fn of_requests_that_the_capture_cut_short_nobody_knows_that_servers_answered_them() {
    let agents = agents();
    let mut scene = Scene::new();
    for _ in 0..3 {
        let check = scene.after_ms(50).ice_check(A, B, (&agents.a, &agents.b), true, |check| check);
        scene.after_ms(10).ice_answer(&check, &agents.b);
    }
    let cut = report(&degrade::pcap(&degrade::snapped(&degrade::shots(&scene), 64)));
    assert_says(&cut.headline, "Binding requests were answered");
}

#[test]
fn requests_that_no_server_answers_are_no_success() {
    let mut scene = Scene::new();
    scene.allocate(A, SERVER);
    says(
        &scene,
        "Nothing wrong is to be seen here, and nothing that shows success either: no request to a server is answered in it.",
    );
}

#[test]
fn checks_through_a_relay_that_ice_does_not_select_are_no_data_through_it() {
    let agents = agents();
    let mut scene = Scene::allocated(A, SERVER, "nonce-1", RELAYED);
    let bind = scene.after_ms(20).channel_bind(A, SERVER, &support::alice(), "nonce-1", (0x4000, B));
    scene.after_ms(10).granted(&bind, None, &support::alice());
    let check = agents.message(support::ice::plain).bytes();
    scene.after_ms(20).channel_data(A, SERVER, 0x4000, &check);
    let answer = Stun::success_to(&check).xor_mapped(RELAYED).bytes();
    scene.after_ms(30).channel_data(SERVER, A, 0x4000, answer);
    scene.connect(&agents).talk_directly(A, B, 20);
    let headline = report(&scene.pcap()).headline;
    assert!(headline.contains("ICE selected 192.0.2.10:5000") && !headline.contains("through the relay"), "{headline}");
}

#[test]
fn a_relayed_call_names_the_relay_once_and_what_went_through_it() {
    let scene = agents().call_through(SERVER, RELAYED);
    let headline = report(&scene.pcap()).headline;
    let says = "data went both ways through the relay; ICE selected 203.0.113.1:24000 – 198.51.100.20:6000 through it; RTP flowed both ways.";
    assert!(headline.starts_with("Nothing wrong: 203.0.113.1:3478 gave 192.0.2.10 the relayed address"), "{headline}");
    assert!(headline.ends_with(says), "{headline}");
}

#[test]
fn an_allocation_that_is_granted_for_no_time_at_all_is_no_success() {
    let login = alice();
    let mut scene = Scene::new();
    scene.allocate_challenge(A, SERVER, &login.realm, "nonce-1");
    let request = scene.after_ms(10).allocate_as(A, SERVER, &login, "nonce-1");
    scene.after_ms(10).allocate_granted(&request, RELAYED, 0, &login);
    let headline = report(&scene.later(5).pcap()).headline;
    assert!(headline.starts_with("Nothing wrong is to be seen here, and nothing that shows success"), "{headline}");
}

#[test]
fn checks_that_went_both_ways_through_a_relay_are_told_from_data() {
    let (agents, login) = (agents(), alice());
    let mut scene = Scene::new();
    scene.allocation(A, SERVER, &login, "nonce-1", RELAYED);
    let check = agents.message(|check| check);
    let permit = scene.after_ms(10).create_permission(A, SERVER, &login, "nonce-1", B);
    scene.after_ms(10).granted(&permit, None, &login);
    for id in 0..4 {
        let check = check.clone().tid([id; 12]).bytes();
        scene.after_ms(20).send_indication(A, SERVER, B, &check);
        let answer = Stun::success_to(&check).xor_mapped(RELAYED).bytes();
        scene.after_ms(10).data_indication(SERVER, A, B, answer);
    }
    let headline = report(&scene.pcap()).headline;
    assert!(headline.contains("; connectivity checks went both ways through the relay"), "{headline}");
    scene.send_indication(A, SERVER, B, b"one");
    assert_eq!(report(&scene.pcap()).headline, headline, "one way only");
    scene.data_indication(SERVER, A, B, b"two");
    let headline = report(&scene.pcap()).headline;
    assert!(headline.contains("; data went both ways through the relay"), "{headline}");
}

#[test]
fn checks_that_went_both_ways_through_a_relay_in_vain_are_said_to_be_so() {
    let (agents, login) = (agents(), alice());
    let mut scene = Scene::new();
    scene.allocation(A, SERVER, &login, "nonce-1", RELAYED);
    let permit = scene.after_ms(10).create_permission(A, SERVER, &login, "nonce-1", B);
    scene.after_ms(10).granted(&permit, None, &login);
    let check = agents.message(|check| check);
    let back = Agents { a: agents.b.clone(), b: agents.a.clone(), a_controls: false, ..agents }.message(|check| check);
    scene.after_ms(20).send_indication(A, SERVER, B, check.clone().tid([1; 12]).bytes());
    scene.after_ms(20).data_indication(SERVER, A, B, back.tid([2; 12]).bytes());
    let headline = report(&scene.pcap()).headline;
    assert!(
        headline.ends_with("; connectivity checks went both ways through the relay, none of them answered."),
        "{headline}"
    );
}

#[test]
fn frames_without_times_of_their_own_are_said_to_be_why_silence_tells_nothing() {
    let mut scene = Scene::new();
    let asked = scene.allocate(A, SERVER);
    for _ in 0..6 {
        scene.after_ms(1000).retransmit(&asked);
    }
    scene.after_ms(1000).resolved(A);
    let shots = degrade::shots(&scene);
    let timed = |between: u64| {
        let at = |(number, shot): (u64, &degrade::Shot)| degrade::Shot {
            ns: shots[0].ns + number * between,
            ..shot.clone()
        };
        report(&degrade::pcap(&(0..).zip(&shots).map(at).collect::<Vec<_>>()))
    };
    assert_eq!(timed(1_000_000_000).headline_finding.as_deref(), Some("turn-no-response"));
    for between in [0, 1, 1000] {
        let report = timed(between);
        assert!(report.captures[0].timeless);
        assert_eq!(report.verdict, Verdict::Healthy);
        assert!(report.headline.ends_with("without which silence tells nothing."), "{}", report.headline);
        let text = turnscope::render::text::report(&report, &turnscope::render::text::Options::default());
        assert!(text.contains("Times: its frames have none of their own"), "{text}");
    }
    assert!(!timed(20_000).captures[0].timeless, "as fast as a network may be");
}

#[test]
fn media_beside_checks_that_nobody_answers_was_not_selected_by_ice() {
    let (one, other) = ("10.0.0.5:50000", "192.0.2.9:7000");
    let agents = Agents::new(one, other);
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&agents, 20, 200).talk_directly(one, other, 500).later(30);
    let told = report(&scene.pcap());
    assert_eq!(
        told.headline,
        format!(
            "Nothing wrong: data went between {one} and {other}, though no check of ICE was answered; RTP flowed both ways."
        )
    );
}
