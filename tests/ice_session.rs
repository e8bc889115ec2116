//! What a report tells of ICE: sessions, agents, pairs, selections, candidates.

// a test that meets something else than it made stops
#![allow(clippy::panic)]

mod support;

use support::analyze::report;
use support::ice::{Agents, plain};
use support::*;
use turnscope::report::{
    Candidate, CandidateType, Confidence, IceNomination, IcePair, IceRole, IceSelectedBy, IceSession, IceState, Report,
};

const A: &str = "192.0.2.10:5000";
const B: &str = "198.51.100.20:6000";
const SERVER: &str = "203.0.113.1:3478";
const RELAYED: &str = "203.0.113.1:24000";

fn agents() -> Agents {
    Agents::new(A, B)
}

fn start() -> (Agents, Scene) {
    (agents(), Scene::new())
}

fn only(report: &Report) -> &IceSession {
    let [session] = report.ice.as_slice() else { panic!("{} sessions", report.ice.len()) };
    session
}

fn pair(session: &IceSession) -> &IcePair {
    let [pair] = session.pairs.as_slice() else { panic!("{} pairs", session.pairs.len()) };
    pair
}

fn candidates(report: &Report) -> Vec<(CandidateType, String, Confidence)> {
    let told = |candidate: &Candidate| (candidate.kind, candidate.address.to_string(), candidate.confidence);
    report.candidates.iter().map(told).collect()
}

#[test]
fn two_agents_their_roles_and_the_pair_that_was_selected() {
    let (agents, mut scene) = start();
    scene.later(0).later(2).connect(&agents).talk_directly(A, B, 10);
    let report = report(&scene.pcap());
    let session = only(&report);
    assert_eq!(session.ufrags, ["aaaa", "bbbb"], "the one whose checks take longer is nearer to the capture");
    let [a, b] = session.agents.as_slice() else { panic!() };
    assert_eq!((a.role, a.checks_sent, a.answers_sent), (Some(IceRole::Controlling), 2, 1));
    assert_eq!((b.role, b.checks_sent, b.answers_sent), (Some(IceRole::Controlled), 1, 2));
    assert_eq!((a.lite, b.lite), (Some(false), Some(false)));
    assert_eq!(a.tie_breaker.as_deref(), Some("0000000000000002"));
    assert_eq!(session.roles.controlling.as_deref(), Some("aaaa"));
    assert_eq!(session.roles.nomination, Some(IceNomination::Regular));
    let pair = pair(session);
    assert_eq!((pair.local.to_string().as_str(), pair.remote.to_string().as_str()), (A, B));
    assert_eq!((pair.state, pair.nominated, pair.selected), (IceState::Succeeded, true, true));
    assert_eq!((pair.checks_sent, pair.checks_answered, pair.data_packets), (3, 3, 20));
    assert_eq!(pair.rtt_us.map(|rtt| (rtt.min, rtt.median, rtt.max)), Some((10_000, 10_000, 10_000)));
    assert_eq!(
        (session.first_answer_us, session.nominated_us, session.first_data_us),
        (Some(10_000), Some(61_000), Some(71_000))
    );
    assert_eq!(session.selections.iter().map(|chosen| chosen.by).collect::<Vec<_>>(), [IceSelectedBy::Data]);
}

#[test]
fn use_candidate_in_the_first_check_is_aggressive_nomination() {
    let (agents, mut scene) = start();
    scene.later(0).later(2).a_is_answered(&agents, Stun::use_candidate);
    let report = report(&scene.pcap());
    assert_eq!(only(&report).roles.nomination, Some(IceNomination::Aggressive));
}

#[test]
fn in_a_capture_that_may_begin_later_the_first_check_tells_nothing_of_the_style_of_nomination() {
    let mut scene = Scene::new();
    scene.a_is_answered(&agents(), Stun::use_candidate);
    assert_eq!(only(&report(&scene.pcap())).roles.nomination, None);
}

#[test]
fn retransmissions_are_no_checks_of_their_own() {
    let (agents, mut scene) = start();
    let check = scene.a_checks(&agents, plain);
    scene.after_ms(500).retransmit(&check);
    scene.after_ms(1000).retransmit(&check);
    scene.after_ms(10).ice_answer(&check, &agents.b);
    let report = report(&scene.pcap());
    let checks = pair(only(&report)).from_local;
    assert_eq!((checks.sent, checks.retransmitted, checks.answered), (1, 2, 1));
    assert_eq!(checks.rtt_us.map(|rtt| rtt.min), Some(10_000), "counted from the last copy");
}

#[test]
fn a_copy_made_by_a_mirror_port_is_not_counted() {
    let (agents, mut scene) = start();
    let check = scene.a_checks(&agents, plain);
    scene.after_us(3).mirrored_copy(&check);
    let answer = scene.after_ms(10).ice_answer(&check, &agents.b);
    scene.after_us(3).mirrored_copy(&answer);
    let report = report(&scene.pcap());
    let checks = pair(only(&report)).from_local;
    assert_eq!((checks.sent, checks.retransmitted, checks.answered), (1, 0, 1));
}

#[test]
fn both_sides_of_a_nat_are_one_pair_counted_once() {
    const OUTSIDE: &str = "203.0.113.77:41000";
    let (agents, mut scene) = start();
    let check = scene.a_checks(&agents, plain);
    let outside = scene.after_us(200).forwarded(&check, OUTSIDE, B);
    let answer = scene.after_ms(10).ice_answer(&outside, &agents.b);
    scene.after_us(200).forwarded(&answer, B, A);
    // the triggered check is seen outside first
    let check = scene.after_ms(5).ice_check(B, OUTSIDE, (&agents.b, &agents.a), false, plain);
    let inside = scene.after_us(200).forwarded(&check, B, A);
    let answer = scene.after_ms(1).succeed(&inside, |success| success.xor_mapped(B));
    scene.after_us(200).forwarded(&answer, OUTSIDE, B);
    let report = report(&scene.pcap());
    let session = only(&report);
    let pair = pair(session);
    assert_eq!((pair.points, pair.checks_sent, pair.checks_answered), (2, 2, 2));
    assert_eq!(pair.local.to_string(), OUTSIDE, "the candidate is what the other side sees");
    assert_eq!(pair.local_base.map(|base| base.to_string()).as_deref(), Some(A));
    assert_eq!(pair.local_type, Some(CandidateType::Prflx), "no server told it");
}

#[test]
fn both_legs_of_a_relay_are_one_pair_counted_once() {
    let agents = agents();
    let mut scene = Scene::allocated(A, SERVER, "nonce-1", RELAYED);
    let message = agents.message(plain).tid(*b"check-number").bytes();
    scene.after_ms(5).sent_inside(A, SERVER, B, &message);
    let leg = scene.after_us(300).udp(RELAYED, B, message);
    let answer = scene.after_ms(10).ice_answer(&leg, &agents.b);
    scene.after_us(300).data_indication(SERVER, A, B, &answer.payload);
    let report = report(&scene.pcap());
    let session = only(&report);
    let pair = pair(session);
    assert_eq!((pair.points, pair.checks_sent, pair.checks_answered), (2, 1, 1));
    assert_eq!((pair.local.to_string().as_str(), pair.remote.to_string().as_str()), (RELAYED, B));
    assert_eq!(pair.local_type, Some(CandidateType::Relay));
    assert_eq!(pair.via.map(|server| server.to_string()).as_deref(), Some(SERVER));
    assert_eq!(pair.rtt_us.map(|rtt| rtt.median), Some(10_600), "from the client's own side");
}

#[test]
fn a_check_that_the_relay_does_not_pass_on_takes_nothing_from_the_pair_that_works() {
    // as the relay's own host has it, behind a NAT
    const INSIDE: &str = "192.168.7.1:49200";
    let agents = agents();
    let mut scene = Scene::allocated(A, SERVER, "nonce-1", RELAYED);
    // before there is a permission
    let early = scene.after_ms(5).ice_check(B, INSIDE, (&agents.b, &agents.a), false, plain);
    let asks = |scene: &mut Scene, number: u8| {
        let message = agents.message(Stun::use_candidate).tid([number; 12]).bytes();
        scene.after_ms(40).sent_inside(A, SERVER, B, &message);
        let leg = scene.after_us(300).udp(INSIDE, B, message);
        let answer = scene.after_ms(10).ice_answer(&leg, &agents.b);
        scene.after_us(300).data_indication(SERVER, A, B, &answer.payload);
    };
    asks(&mut scene, 1);
    let again = scene.after_ms(400).retransmit(&early);
    scene.after_us(300).data_indication(SERVER, A, B, &again.payload);
    let answer = scene.after_ms(10).ice_answer(&again, &agents.a);
    scene.after_us(300).sent_inside(A, SERVER, B, &answer.payload);
    (2..6).for_each(|number| asks(&mut scene, number));
    let report = report(&scene.pcap());
    let selected = only(&report).pairs.iter().find(|pair| pair.selected).expect("a pair that is selected");
    assert_eq!((selected.from_local.sent, selected.from_local.answered), (5, 5));
}

#[test]
fn the_relayed_address_is_known_from_a_check_where_the_allocation_is_not_in_the_capture() {
    let (agents, mut scene) = start();
    let message = agents.message(plain).tid(*b"check-number").bytes();
    let request = scene.sent_inside(A, SERVER, B, &message);
    let answer = Stun::success_to(&message).xor_mapped(RELAYED).bytes();
    scene.after_ms(10).data_indication(request.to, request.from, B, answer);
    let report = report(&scene.pcap());
    let pair = pair(only(&report));
    assert_eq!((pair.local.to_string().as_str(), pair.local_type), (RELAYED, Some(CandidateType::Relay)));
    assert_eq!(candidates(&report), [(CandidateType::Relay, RELAYED.to_owned(), Confidence::Likely)]);
}

#[test]
fn new_user_fragments_on_the_same_addresses_are_a_restart() {
    let (agents, mut scene) = start();
    scene.connect(&agents).talk_directly(A, B, 10);
    scene.connect(&agents.restarted()).talk_directly(A, B, 10);
    let report = report(&scene.pcap());
    let [first, second] = report.ice.as_slice() else { panic!("{} sessions", report.ice.len()) };
    assert_eq!((first.restarts, second.restarts), (0, 1));
    assert_eq!(second.restart_of, ["aaaa", "bbbb"]);
    assert_eq!((pair(first).data_packets, pair(second).data_packets), (20, 20));
}

#[test]
fn checks_of_the_old_generation_go_on_counting_there() {
    let (agents, mut scene) = start();
    scene.connect(&agents);
    scene.a_is_answered(&agents.restarted(), plain);
    scene.a_is_answered(&agents, plain);
    scene.a_is_answered(&agents.restarted(), plain);
    let report = report(&scene.pcap());
    let [first, second] = report.ice.as_slice() else { panic!("{} sessions", report.ice.len()) };
    assert_eq!((pair(first).checks_answered, pair(second).checks_answered), (4, 2));
}

#[test]
fn a_restart_from_new_ports_is_known_by_the_checks_that_mix_old_and_new_user_fragments() {
    let old = agents();
    let new = Agents { at_a: "192.0.2.10:5001", at_b: "198.51.100.20:6001", ..old.restarted() };
    let mixed = Agents { a: new.a.clone(), at_a: new.at_a, ..old.clone() };
    let mut scene = Scene::new();
    scene.connect(&old);
    scene.b_is_answered(&mixed, plain);
    scene.connect(&new);
    let report = report(&scene.pcap());
    let told: Vec<_> = report.ice.iter().map(|session| (session.restarts, session.mixed)).collect();
    assert_eq!(told, [(0, false), (1, true), (1, false)]);
    assert_eq!(report.ice[2].restart_of, ["aaaa", "bbbb"]);
}

#[test]
fn two_calls_of_one_agent_with_two_others_are_no_restart() {
    let one = agents();
    let mut other = Agents::new("192.0.2.10:5001", B);
    other.b = IceSide::new("cccc", "c-password-of-ice-0123456", 7);
    let mut scene = Scene::new();
    scene.connect(&one).connect(&other);
    let report = report(&scene.pcap());
    assert!(report.ice.iter().all(|session| session.restarts == 0 && !session.mixed));
}

#[test]
fn a_goog_ping_counts_as_a_check() {
    let (agents, mut scene) = start();
    scene.connect(&agents);
    let ping = scene.after_ms(2500).goog_ping(A, B);
    scene.after_ms(10).goog_pong(&ping);
    let report = report(&scene.pcap());
    let session = only(&report);
    assert_eq!((pair(session).from_local.sent, pair(session).from_local.answered), (3, 3));
    assert!(session.agents[0].webrtc);
    assert_eq!(session.consent.as_ref().map(|consent| consent.longest_gap_us), Some(2_510_000));
}

#[test]
fn pings_alone_make_a_session_that_gets_its_names_later() {
    let (agents, mut scene) = start();
    let ping = scene.goog_ping(A, B);
    scene.after_ms(10).goog_pong(&ping);
    scene.connect(&agents);
    let report = report(&scene.pcap());
    let session = only(&report);
    assert_eq!((session.ufrags.len(), pair(session).checks_sent, session.restarts), (2, 4, 0));
}

#[test]
fn user_names_without_a_colon_make_a_session_of_their_flow() {
    let check = |user: &str| Stun::request(method::BINDING).username(user).priority(1).integrity_short_term("x");
    let mut scene = Scene::new();
    let request = scene.send(A, B, check("bbbbaaaa"));
    scene.after_ms(10).succeed(&request, |success| success.xor_mapped(A));
    let request = scene.after_ms(10).send(B, A, check("aaaabbbb"));
    scene.after_ms(10).succeed(&request, |success| success.xor_mapped(B));
    let report = report(&scene.pcap());
    let session = only(&report);
    assert!(session.ufrags.is_empty());
    assert_eq!((pair(session).checks_sent, pair(session).checks_answered), (2, 2));
}

#[test]
fn a_check_whose_user_and_peer_stand_behind_the_cut_of_a_frame_makes_no_session() {
    let check = Stun::request(method::BINDING).tid([7; 12]).priority(0x6E00_01FF).username("bbbb:aaaa");
    let mut scene = Scene::allocated(A, SERVER, "nonce-1", RELAYED);
    scene.snap_length(96).after_ms(10).send(SERVER, A, Stun::indication(method::DATA).data(check.bytes()).xor_peer(B));
    assert!(report(&scene.pcap()).ice.is_empty());
}

#[test]
fn a_question_to_a_server_is_no_check() {
    let mut scene = Scene::new();
    scene.binding(A, SERVER, "203.0.113.9:4000");
    let report = report(&scene.pcap());
    assert!(report.ice.is_empty());
    assert_eq!(candidates(&report), [(CandidateType::Srflx, "203.0.113.9:4000".to_owned(), Confidence::Certain)]);
}

#[test]
fn an_answer_from_another_address_does_not_count() {
    let (agents, mut scene) = start();
    let check = scene.a_checks(&agents, plain);
    let answer = Stun::success_to(&check.payload).xor_mapped(A).bytes();
    scene.after_ms(10).udp("198.51.100.21:6000", A, answer);
    let report = report(&scene.later(10).pcap());
    let pair = pair(only(&report));
    assert_eq!((pair.state, pair.checks_answered), (IceState::Failed, 0));
    assert_eq!(pair.answered_from.map(|from| from.to_string()).as_deref(), Some("198.51.100.21:6000"));
}

#[test]
fn a_pair_without_an_answer_is_in_progress_until_none_can_come() {
    let mut scene = Scene::new();
    scene.a_checks(&agents(), plain);
    assert_eq!(pair(only(&report(&scene.pcap()))).state, IceState::InProgress);
    assert_eq!(pair(only(&report(&scene.later(10).pcap()))).state, IceState::Failed);
}

#[test]
fn an_icmp_error_fails_a_pair() {
    let (agents, mut scene) = start();
    let check = scene.a_checks(&agents, plain);
    scene.after_ms(1).icmp_unreachable("198.51.100.20", &check);
    let report = report(&scene.pcap());
    let pair = pair(only(&report));
    assert_eq!((pair.state, pair.icmp.as_deref()), (IceState::Failed, Some("port unreachable")));
}

#[test]
fn where_the_media_runs_is_the_selected_pair_whatever_was_nominated() {
    let one = agents();
    let other = Agents { at_a: "192.0.2.10:5001", ..one.clone() };
    let mut scene = Scene::new();
    scene.a_is_answered(&one, Stun::use_candidate);
    scene.a_is_answered(&other, Stun::use_candidate);
    scene.talk_directly(other.at_a, B, 20);
    let report = report(&scene.pcap());
    let session = only(&report);
    assert_eq!(session.selected_pair.map(|pair| pair.local.to_string()).as_deref(), Some(other.at_a));
    assert_eq!(session.selections.len(), 1, "the first was only a guess");
}

#[test]
fn components_side_by_side_are_no_switch() {
    let rtp = agents();
    let rtcp = Agents { at_a: "192.0.2.10:5001", at_b: "198.51.100.20:6001", ..rtp.clone() };
    let mut scene = Scene::new();
    scene.connect(&rtp).connect(&rtcp);
    for _ in 0..6 {
        scene.talk_directly(rtp.at_a, rtp.at_b, 40);
        scene.talk_directly(rtcp.at_a, rtcp.at_b, 4);
    }
    scene.talk_directly(rtcp.at_a, rtcp.at_b, 100);
    let report = report(&scene.pcap());
    assert_eq!(only(&report).selections.len(), 1);
}

#[test]
fn local_addresses_are_hosts_and_what_the_peer_sees_is_peer_reflexive() {
    let (agents, mut scene) = start();
    let check = scene.a_checks(&agents, plain);
    scene.after_ms(10).succeed(&check, |success| success.xor_mapped("203.0.113.77:41000"));
    let report = report(&scene.pcap());
    let told = candidates(&report);
    assert!(told.contains(&(CandidateType::Host, A.to_owned(), Confidence::Certain)), "{told:?}");
    assert!(told.contains(&(CandidateType::Prflx, "203.0.113.77:41000".to_owned(), Confidence::Certain)), "{told:?}");
    assert_eq!(told.len(), 2, "of an agent that only answers nothing is known: {told:?}");
}

#[test]
fn what_a_server_told_before_is_server_reflexive() {
    const OUTSIDE: &str = "203.0.113.77:41000";
    let (agents, mut scene) = start();
    scene.binding(A, SERVER, OUTSIDE);
    let check = scene.a_checks(&agents, plain);
    scene.after_ms(10).succeed(&check, |success| success.xor_mapped(OUTSIDE));
    let report = report(&scene.pcap());
    let pair = pair(only(&report));
    assert_eq!((pair.local.to_string().as_str(), pair.local_type), (OUTSIDE, Some(CandidateType::Srflx)));
}

#[test]
fn a_priority_is_never_taken_for_a_type() {
    let agents = agents();
    let told = |priority: u32| {
        let mut scene = Scene::new();
        let check = Stun::request(method::BINDING).username("bbbb:aaaa").priority(priority).controlling(1);
        scene.send(A, B, check.integrity_short_term(&agents.b.password).fingerprint());
        candidates(&report(&scene.pcap()))
    };
    assert_eq!(told(0x7EFF_FFFF), told(0x00FF_FFFF));
}

#[test]
fn pairs_beyond_the_limit_are_counted() {
    let mut scene = Scene::new();
    let (a, b) = (agents().a, agents().b);
    for port in 0..80u16 {
        let from = format!("192.0.2.10:{}", 5000 + port);
        scene.after_ms(5).ice_check(from.as_str(), B, (&a, &b), true, plain);
    }
    let report = report(&scene.pcap());
    let session = only(&report);
    assert_eq!((session.pairs.len(), session.checks_omitted), (64, 16));
}

#[test]
fn sessions_beyond_the_limit_are_counted() {
    let mut scene = Scene::new();
    for number in 0..5000u32 {
        let (a, b) = (IceSide::new(&format!("a{number}"), "x", 1), IceSide::new(&format!("b{number}"), "y", 2));
        let from = format!("10.0.{}.{}:5000", number / 250, number % 250);
        scene.after_us(500).ice_check(from.as_str(), B, (&a, &b), true, plain);
    }
    let report = report(&scene.pcap());
    assert_eq!(report.omitted.get("ice_checks"), Some(&904));
    assert_eq!(report.ice.len() as u64 + report.omitted["ice"], 4096);
}

/// Both check each other from afar and are answered.
fn from_afar(at_b: &'static str) -> Scene {
    let far = Agents::new(A, at_b);
    let mut scene = Scene::new();
    scene.far_away(at_b);
    scene.a_is_answered(&far, plain);
    scene.b_is_answered(&far, plain);
    scene
}

#[test]
fn a_far_address_beside_a_server_may_be_a_relay_and_has_no_type() {
    let beside = "10.9.0.1:24000";
    let server = "10.9.0.1:3478";
    let of_remote = |scene: &Scene| pair(only(&report(&scene.pcap()))).remote_type;
    let mut scene = from_afar(beside);
    assert_eq!(of_remote(&scene), Some(CandidateType::Host));
    let asked = scene.send(A, server, Stun::request(method::BINDING));
    scene.after_ms(10).succeed(&asked, |success| success.xor_mapped(A));
    assert_eq!(of_remote(&scene), None);
}

#[test]
fn a_far_address_of_which_nothing_tells_host_from_relay_has_no_type() {
    for (far, other, kind) in [
        ("10.9.0.7:6000", None, Some(CandidateType::Host)),
        ("10.9.0.7:6000", Some("10.8.0.1:6001"), None),
        ("198.51.100.20:6000", None, None),
    ] {
        let mut scene = from_afar(far);
        if let Some(other) = other {
            scene.a_checks(&Agents::new(A, other), plain);
        }
        let told = report(&scene.pcap());
        let pair = only(&told).pairs.iter().find(|pair| pair.remote.to_string() == far).unwrap();
        assert_eq!(pair.remote_type, kind, "{far} beside {other:?}");
        assert_eq!(told.candidates.iter().any(|known| known.address.to_string() == far), kind.is_some());
    }
}

#[test]
fn a_far_address_with_the_port_of_a_private_one_of_the_same_agent_is_what_a_nat_makes_of_that() {
    for (inside, is_nat) in [("10.1.2.3:6000", true), ("10.1.2.3:6001", false)] {
        let mut scene = from_afar(B);
        scene.a_checks(&Agents::new(A, inside), plain);
        let told = candidates(&report(&scene.pcap()));
        let srflx = (CandidateType::Srflx, B.to_owned(), Confidence::Likely);
        assert_eq!(told.contains(&srflx), is_nat, "{inside}: {told:?}");
    }
}

#[test]
fn a_relayed_address_that_is_lent_again_is_a_candidate_of_each_client() {
    const SECOND: &str = "192.0.2.11:5000";
    let mut scene = Scene::allocated(A, SERVER, "nonce-1", RELAYED);
    scene.after_ms(1000).hang_up(A, SERVER, &alice(), "nonce-1");
    scene.after_ms(1000).allocation(SECOND, SERVER, &alice(), "nonce-2", RELAYED);
    let told = report(&scene.pcap()).candidates;
    let relays = told.iter().filter(|known| known.kind == CandidateType::Relay);
    let of: Vec<(&str, u64)> = relays.map(|known| (known.owner.as_str(), known.evidence[0].frame)).collect();
    assert_eq!(of, [("192.0.2.10", 4), ("192.0.2.11", 10)]);
}
