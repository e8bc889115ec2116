//! What ICE sessions are found to suffer from, and what they do not.

mod support;

use support::analyze::{assert_says, finding, frames_of, ids, report, report_of_host, report_told, report_with};
use support::calls::{failures, graver};
use support::dtls::{Offer, Shake, again};
use support::ice::{Agents, plain};
use support::*;
use turnscope::report::{Confidence, IceAgent, IceDtlsRole, IcePassword, Report, Severity, Verdict};

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

fn ice(report: &Report) -> Vec<&str> {
    ids(report).into_iter().filter(|id| id.starts_with("ice-")).collect()
}

/// A signed check that is refused.
fn refused(scene: &mut Scene, agents: &Agents, code: u16, reason: &str) {
    let check = scene.after_ms(50).a_checks(agents, plain);
    scene.after_ms(10).refuse(&check, code, reason);
}

#[test]
fn a_call_that_works_is_healthy() {
    let (agents, mut scene) = start();
    scene.connect(&agents).talk_directly(A, B, 50).consent(&agents, 30);
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Healthy);
    assert!(ice(&report).is_empty());
}

#[test]
fn checks_that_nobody_answers_are_a_failure() {
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&agents(), 220, 50).resolved(A);
    let report = report(&scene.pcap());
    assert_eq!(failures(&report), ["ice-checks-unanswered"]);
    let found = finding(&report, "ice-checks-unanswered");
    assert_eq!(found.title, "No connectivity check between 192.0.2.10 and 198.51.100.20 is answered");
    assert_says(&found.explanation, "sent 220 checks on 1 pair (over 10.9 s, from frame 1 on)");
    assert_eq!(frames_of(&report, "ice-checks-unanswered"), [1]);
    assert!(report.headline.starts_with(&found.title));
}

#[test]
fn checks_of_one_candidate_that_is_looked_at_alone_are_only_likely_the_whole_story() {
    // pion gives a pair up after eight checks
    let dead = Agents::new(A, "10.9.9.9:6000");
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&dead, 8, 200);
    scene.connect(&agents()).talk_directly(A, B, 50);
    scene.binding(A, "10.9.9.9:6000", A).later(10);
    let told = report_of_host(&scene.pcap(), "10.9.9.9".parse().unwrap());
    assert_eq!((failures(&told), told.verdict), (vec![], Verdict::Warning), "{:?}", ids(&told));
}

#[test]
fn the_same_check_sent_again_and_again_is_one_too() {
    let (agents, mut scene) = start();
    scene.send_repeatedly(A, B, agents.message(plain), 6);
    scene.resolved(A);
    assert_eq!(failures(&report(&scene.pcap())), ["ice-checks-unanswered"]);
}

/// A check that is sent so often in all, at growing distances, as Firefox does it within 6.3 seconds.
fn sent_again(scene: &mut Scene, agents: &Agents, times: u32) {
    let check = scene.a_checks(agents, plain);
    for copy in 0..times - 1 {
        scene.after_ms(100 << copy).retransmit(&check);
    }
}

#[test]
fn an_agent_that_gave_up_every_pair_has_failed_however_fast() {
    let dead = Agents { at_b: "10.1.2.3:6000", ..agents() };
    for (times, confidence) in [(7, Confidence::Certain), (6, Confidence::Likely)] {
        let mut scene = Scene::new();
        scene.resolved(A);
        sent_again(&mut scene, &agents(), times);
        sent_again(&mut scene, &dead, times);
        assert_eq!(finding(&report(&scene.pcap()), "ice-checks-unanswered").confidence, confidence, "{times}");
    }
    // what is captured of one peer alone may lack the pair that works
    let mut scene = Scene::new();
    sent_again(&mut scene, &dead, 7);
    assert!(failures(&report(&scene.pcap())).is_empty());
}

/// `a` checks as often as one check is sent at most, and sends media at the same time, as agents of SIP do to the address of the other's description
/// before they have a pair; `b` sends media where it is to, and a check that is answered as often as it is sent.
fn early_media(checks_of_b: u32, b_sends: bool) -> Scene {
    let (agents, mut scene) = start();
    scene.resolved(A);
    let own = scene.a_checks(&agents, plain);
    let other = (checks_of_b > 0).then(|| scene.b_checks(&agents, plain));
    for copy in 0..7_u16 {
        if copy > 0 {
            scene.after_ms(100 << (copy - 1)).retransmit(&own);
        }
        if let Some(other) = other.as_ref().filter(|_| u32::from(copy) < checks_of_b) {
            let check = if copy > 0 { scene.after_ms(5).retransmit(other) } else { other.clone() };
            scene.after_ms(1).ice_answer(&check, &agents.a);
        }
        scene.after_ms(5).udp(A, B, payload::rtp(0, copy, u32::from(copy) * 160, 1, 100));
        if b_sends {
            scene.after_ms(5).udp(B, A, payload::rtp(0, copy, u32::from(copy) * 160, 2, 100));
        }
    }
    scene.later(9);
    scene
}

#[test]
fn media_of_an_agent_that_repeats_its_checks_in_vain_shows_no_pair_that_works() {
    let told = report(&early_media(0, false).pcap());
    assert_eq!(failures(&told), ["ice-checks-unanswered"]);
    assert!(told.ice[0].selected_pair.is_none(), "nothing shows that the other takes it");
    // neither hears the other, for all that both send
    assert_eq!(failures(&report(&early_media(7, true).pcap())), ["ice-one-way"]);
}

#[test]
fn media_both_ways_works_where_only_one_of_the_agents_checks_in_vain() {
    // the other hears its answers, or speaks no ICE
    for checks_of_b in [1, 0] {
        assert_eq!(failures(&report(&early_media(checks_of_b, true).pcap())), [""; 0], "{checks_of_b}");
    }
}

#[test]
fn a_private_address_that_a_router_turns_away_is_told_to_be_out_of_reach() {
    let dead = Agents { at_b: "10.1.2.3:6000", ..agents() };
    for turned in [true, false] {
        let mut scene = Scene::new();
        scene.resolved(A);
        sent_again(&mut scene, &dead, 7);
        let check = scene.a_checks(&dead, plain);
        if turned {
            scene.icmp_unreachable("192.0.2.1", &check);
        }
        let report = report(&scene.pcap());
        let fix = &finding(&report, "ice-checks-unanswered").fix;
        assert_eq!(
            fix.contains("10.1.2.3:6000 is a private address, to which 192.0.2.1 knows no way"),
            turned,
            "{fix}"
        );
    }
}

#[test]
fn peers_behind_one_nat_that_does_not_turn_packets_back_are_told_so() {
    let inside = "100.64.1.10:5000";
    for (outside, same) in [("198.51.100.20:5000", true), ("198.51.100.21:5000", false)] {
        let mut scene = Scene::new();
        let asked = scene.send(inside, SERVER, Stun::request(method::BINDING));
        scene.after_ms(20).succeed(&asked, |answer| answer.xor_mapped(outside));
        scene.a_checks_in_vain(&Agents::new(inside, B), 220, 50);
        let report = report(&scene.pcap());
        let found = finding(&report, "ice-checks-unanswered");
        assert_eq!(found.title.ends_with("is answered: both are behind the same NAT"), same, "{}", found.title);
        let words = "198.51.100.20:6000, which 100.64.1.10 checks, is at the outside address of its own NAT";
        assert_eq!(found.explanation.contains(words), same, "{}", found.explanation);
        assert_eq!(found.fix.contains("behind one NAT"), same, "{}", found.fix);
    }
}

#[test]
fn checks_in_a_capture_that_holds_nothing_towards_their_sender_may_have_been_refused() {
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&agents(), 220, 50);
    let report = report(&scene.pcap());
    let found = finding(&report, "ice-checks-unanswered");
    assert_eq!(found.confidence, Confidence::Likely);
    assert_says(&found.explanation, "refusals would be missing too");
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn a_peer_that_checks_once_and_not_again_was_answered_whatever_the_capture_lacks() {
    let (agents, mut scene) = start();
    scene.b_checks_in_vain(&agents, 1, 10).a_checks_in_vain(&agents, 30, 500).resolved(A);
    assert_eq!(finding(&report(&scene.pcap()), "ice-checks-unanswered").confidence, Confidence::Likely);
}

#[test]
fn checks_of_both_sides_that_arrive_and_are_not_answered_are_told_as_such() {
    let (agents, mut scene) = start();
    for _ in 0..12 {
        scene.a_checks_in_vain(&agents, 1, 500).b_checks_in_vain(&agents, 1, 500);
    }
    scene.resolved(A);
    let report = report(&scene.pcap());
    let found = finding(&report, "ice-checks-unanswered");
    assert_eq!(found.confidence, Confidence::Certain);
    assert_says(&found.explanation, "are not answered either");
}

#[test]
fn unanswered_checks_of_a_client_whose_data_flows_afterwards_are_a_warning() {
    let dead = Agents::new(A, "198.51.100.99:6000");
    let mut works = agents();
    (works.a, works.b) = (dead.restarted().a, dead.restarted().b);
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&dead, 100, 50).connect(&works).talk_directly(A, B, 50);
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Warning);
    assert_eq!(finding(&report, "ice-checks-unanswered").severity, Severity::Warning);
}

#[test]
fn pairs_without_an_answer_beside_one_that_works_are_ordinary() {
    let agents = agents();
    let dead = Agents { at_b: "10.1.2.3:6000", ..agents.clone() };
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&dead, 20, 50).connect(&agents).a_checks_in_vain(&dead, 200, 50);
    scene.talk_directly(A, B, 50);
    assert_eq!(report(&scene.pcap()).verdict, Verdict::Healthy);
}

#[test]
fn a_few_checks_at_the_end_of_the_capture_may_yet_be_answered() {
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&agents(), 20, 50);
    assert!(graver(&report(&scene.pcap())).is_empty());
}

#[test]
fn consent_checks_of_which_the_capture_holds_one_direction_only_accuse_nobody() {
    // every 5 s, as an agent checks whose checks are answered
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&agents(), 20, 5000);
    let report = report(&scene.pcap());
    assert!(failures(&report).is_empty(), "{:?}", ids(&report));
}

#[test]
fn an_agent_that_slows_down_hears_answers_that_the_capture_may_lack() {
    // briskly until it has a pair, then every 480 ms, and never the same check again
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&agents(), 60, 50).a_checks_in_vain(&agents(), 30, 480);
    let report = report(&scene.pcap());
    assert!(failures(&report).is_empty(), "{:?}", ids(&report));
}

#[test]
fn a_pair_that_is_dead_beside_one_that_is_checked_at_leisure_is_no_certain_failure() {
    let agents = agents();
    let beside = Agents { at_a: "192.0.2.10:5001", ..agents.clone() };
    let mut scene = Scene::new();
    let dead = scene.a_checks(&beside, plain);
    for wait in [500, 1000, 2000, 4000, 8000] {
        scene.a_checks_in_vain(&agents, 1, wait).retransmit(&dead);
    }
    let report = report(&scene.pcap());
    assert!(failures(&report).is_empty(), "{:?}", ids(&report));
}

#[test]
fn an_agent_that_checks_on_without_a_pause_has_no_pair_even_if_nothing_is_seen_of_the_other() {
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&agents(), 60, 200).resolved(A);
    let report = report(&scene.pcap());
    assert_eq!(failures(&report), ["ice-checks-unanswered"]);
    let told = &finding(&report, "ice-checks-unanswered").explanation;
    assert!(told.contains("No check of 198.51.100.20 (\"bbbb\") is seen"), "{told}");
}

#[test]
fn one_attempt_on_each_pair_that_a_server_sees_tells_nothing_of_the_pairs_that_it_does_not() {
    // libjuice makes its attempts to their end, whatever pair it has found to work
    let told = |far: bool, copies: u32| {
        let mut scene = Scene::new();
        if far {
            scene.far_away(A);
        }
        scene.resolved(A);
        let check = agents().message(plain);
        scene.send_repeatedly(A, B, check, copies);
        let report = report(&scene.later(10).pcap());
        let found = report.findings.iter().find(|known| known.id == "ice-checks-unanswered");
        found.map(|known| known.confidence)
    };
    assert_eq!([told(true, 6), told(false, 6)], [Some(Confidence::Likely), Some(Confidence::Certain)]);
    // one check, and the agent had found another way, as over TCP
    assert_eq!([told(true, 1), told(false, 1)], [None, Some(Confidence::Likely)]);
}

#[test]
fn unanswered_checks_that_a_given_password_does_not_fit_may_have_been_dropped_for_it() {
    let mut scene = Scene::new();
    scene.a_checks_in_vain(&agents(), 60, 200).resolved(A);
    let told = |pwd: &str| {
        let given = format!("[[credential]]\nlabel = \"answer\"\nice_ufrag = \"bbbb\"\nice_pwd = \"{pwd}\"\n");
        let report = report_with(&scene.pcap(), &given);
        let found = finding(&report, "ice-checks-unanswered");
        (found.explanation.clone(), found.fix.clone())
    };
    let (explanation, fix) = told("another-password-of-ice-99");
    let words =
        "The checks of 192.0.2.10 do not verify with the password given for that user fragment of 198.51.100.20";
    assert!(explanation.contains(words), "{explanation}");
    assert!(fix.contains("First compare a=ice-ufrag and a=ice-pwd"), "{fix}");
    let (explanation, fix) = told("b-password-of-ice-0123456");
    assert!(!explanation.contains("verify") && !fix.contains("ice-pwd"), "{explanation} {fix}");
}

#[test]
fn an_agent_that_sends_media_was_answered_whatever_the_capture_lacks() {
    let mut scene = Scene::new();
    for number in 0..200u16 {
        scene.after_ms(50).a_checks(&agents(), plain);
        scene.after_ms(1).udp(A, B, payload::rtp(96, number, 0, 1, 100));
    }
    assert!(graver(&report(&scene.pcap())).is_empty());
}

#[test]
fn a_client_without_a_relay_and_without_a_direct_way_lacks_its_relay_candidate() {
    let login = alice();
    let mut scene = Scene::new();
    scene.wrong_password(A, SERVER, &login, "nonce-1");
    scene.a_checks_in_vain(&agents(), 250, 50).resolved(A);
    let report = report(&scene.pcap());
    assert_eq!(report.headline_finding.as_deref(), Some("turn-integrity-rejected"));
    let relay = finding(&report, "ice-no-relay-candidate");
    assert_eq!((relay.severity, relay.confidence), (Severity::Failure, Confidence::Certain));
    assert!(relay.caused_by.as_deref().is_some_and(|key| key.starts_with("turn-integrity-rejected")));
    let checks = finding(&report, "ice-checks-unanswered");
    assert!(checks.caused_by.as_deref().is_some_and(|key| key.starts_with("ice-no-relay-candidate")));
}

#[test]
fn a_client_without_a_relay_whose_direct_way_works_lacks_nothing() {
    let login = alice();
    let mut scene = Scene::new();
    scene.wrong_password(A, SERVER, &login, "nonce-1");
    scene.connect(&agents()).talk_directly(A, B, 20);
    assert!(ice(&report(&scene.pcap())).is_empty());
}

#[test]
fn checks_that_a_refused_permission_keeps_in_have_that_cause() {
    let agents = agents();
    let login = alice();
    let mut scene = Scene::allocated(A, SERVER, "nonce-1", RELAYED);
    let permission = scene.after_ms(20).create_permission(A, SERVER, &login, "nonce-1", B);
    for number in 0..40u8 {
        let check = agents.message(plain).tid([number; 12]).bytes();
        scene.after_ms(100).sent_inside(A, SERVER, B, &check);
        if number == 0 {
            scene.after_ms(5).refuse_with(&permission, 403, "Forbidden IP", |error| error.integrity(login.key()));
        }
    }
    let report = report(&scene.pcap());
    assert_eq!(report.headline_finding.as_deref(), Some("turn-peer-forbidden"));
    let checks = finding(&report, "ice-checks-unanswered");
    assert!(checks.caused_by.as_deref().is_some_and(|key| key.starts_with("turn-peer-forbidden")));
    assert_says(&checks.explanation, "on 1 pair, through the relay");
}

#[test]
fn checks_answered_one_way_only_are_a_failure() {
    let (agents, mut scene) = start();
    for _ in 0..40 {
        scene.a_is_answered(&agents, plain);
        scene.b_checks_in_vain(&agents, 1, 100);
    }
    let report = report(&scene.pcap());
    assert_eq!(failures(&report), ["ice-one-way"]);
    let found = finding(&report, "ice-one-way");
    assert_eq!(
        found.title,
        "Checks from 198.51.100.20 to 192.0.2.10 go unanswered, while those the other way are answered"
    );
    assert_eq!(found.subject.client.map(|client| client.to_string()).as_deref(), Some(B));
}

#[test]
fn an_agent_that_acts_on_answers_and_leaves_checks_on_the_same_way_unanswered_discards_them() {
    // as libjuice does with checks that are signed with another password than its own
    let agents = agents();
    let discards = |dress: fn(Stun) -> Stun, every_ms: u64| {
        let mut scene = Scene::new();
        for _ in 0..3 {
            scene.a_is_answered(&agents, plain);
            scene.b_checks_in_vain(&agents, 4, every_ms);
        }
        scene.a_is_answered(&agents, dress);
        scene.b_checks_in_vain(&agents, 4, every_ms);
        scene
    };
    let nominated = discards(Stun::use_candidate, 500).pcap();
    let told = report(&nominated);
    assert_eq!(failures(&told), ["ice-one-way"]);
    let found = finding(&told, "ice-one-way");
    assert_eq!(
        found.title,
        "192.0.2.10 discards the checks of 198.51.100.20, while its own are answered on the same way"
    );
    assert!(found.explanation.contains("The path is open") && !found.fix.contains("firewall"), "{}", found.explanation);
    assert_says(&found.fix, "a=ice-pwd");
    let password =
        |pwd: &str| format!("[[credential]]\nlabel = \"offer\"\nice_ufrag = \"aaaa\"\nice_pwd = \"{pwd}\"\n");
    for (pwd, words) in [
        ("another-password-of-ice-99", "do not verify with the password given"),
        ("a-password-of-ice-0123456", "verify with the password given for that user fragment, so that"),
    ] {
        let told = report_with(&nominated, &password(pwd));
        let explanation = &finding(&told, "ice-one-way").explanation;
        assert!(explanation.contains(words), "{explanation}");
    }
    // checks that are merely answered may be so at this capture point alone
    let brisk = report(&discards(plain, 200).pcap());
    assert!(finding(&brisk, "ice-one-way").fix.contains("firewall"));
}

#[test]
fn a_hello_that_nobody_answers_follows_from_checks_that_its_receiver_sends_in_vain() {
    // libjuice drops the checks that are signed with another password than its own, and goes on to DTLS: its peer, which hears no answer, does not
    let (agents, mut scene) = start();
    let mut shake = Shake::between(A, B);
    let hello = shake.client.client_hello(&Offer::default());
    let mut sent = hello.clone();
    for round in 0..4u64 {
        scene.a_is_answered(&agents, plain);
        shake.up(&mut scene, sent);
        sent = again(&mut shake.client, &hello);
        for _ in 0..2 {
            scene.after_ms(700 * (1 + round)).b_checks(&agents, plain);
        }
    }
    let told = report(&scene.later(9).pcap());
    assert_eq!(told.headline_finding.as_deref(), Some("ice-one-way"));
    let cause = finding(&told, "dtls-no-answer").caused_by.as_deref();
    assert!(cause.is_some_and(|key| key.starts_with("ice-one-way")), "{cause:?}");
    let password =
        "[[credential]]\nlabel = \"offer\"\nice_ufrag = \"aaaa\"\nice_pwd = \"another-password-of-ice-99\"\n";
    assert_says(
        &finding(&report_with(&scene.pcap(), password), "ice-one-way").explanation,
        "do not verify with the password",
    );
    // whoever sends data itself has a pair that works
    shake.server_flight(&mut scene);
    assert!(!ice(&report(&scene.later(9).pcap())).contains(&"ice-one-way"));
}

#[test]
fn the_filter_of_checks_that_also_come_through_the_others_relay_shows_those_too() {
    let (agents, mut scene) = start();
    scene.allocation(A, SERVER, &alice(), "nonce-1", RELAYED);
    for number in 0..40u8 {
        scene.a_is_answered(&agents, plain);
        scene.b_checks_in_vain(&agents, 1, 100);
        let relayed = Agents { at_a: RELAYED, ..agents.clone() };
        let check = support::scene::ice_check(&relayed.b, &relayed.a, false, plain).tid([number; 12]).bytes();
        scene.after_ms(1).data_indication(SERVER, A, B, check);
    }
    let report = report(&scene.pcap());
    let found = finding(&report, "ice-one-way");
    assert_eq!(found.filter.as_deref(), Some("stun && ip.addr == 192.0.2.10"));
}

#[test]
fn checks_that_all_went_unanswered_within_two_seconds_are_one_way_too_and_select_nothing() {
    let (agents, mut scene) = start();
    let asked = scene.send("198.51.100.20:6000", "192.0.2.10:3478", Stun::request(method::BINDING));
    scene.after_ms(10).succeed(&asked, |success| success.xor_mapped(B));
    for _ in 0..8 {
        scene.a_is_answered(&agents, Stun::use_candidate);
        scene.b_checks_in_vain(&agents, 1, 150);
    }
    let told = report(&scene.pcap());
    assert!(!ice(&told).contains(&"ice-one-way"), "answers may still come");
    scene.later(9);
    let told = report(&scene.pcap());
    assert_eq!(failures(&told), ["ice-one-way"]);
    let fix = &finding(&told, "ice-one-way").fix;
    assert!(fix.contains("192.0.2.10:3478 is at the same address") && fix.contains("5000 among them"), "{fix}");
}

#[test]
fn a_pair_on_which_one_agent_hears_nothing_is_nominated_and_not_selected() {
    let (agents, mut scene) = start();
    for _ in 0..20 {
        scene.a_is_answered(&agents, Stun::use_candidate);
        scene.b_checks_in_vain(&agents, 1, 200);
    }
    let session = &report(&scene.pcap()).ice[0];
    assert!(session.pairs[0].nominated && !session.pairs[0].selected);
    assert!(session.selected_pair.is_none() && session.selections.is_empty());
}

#[test]
fn an_agent_behind_its_relay_is_told_by_its_own_address() {
    let report = report(&agents().call_through(SERVER, RELAYED).pcap());
    let [own, peer] = report.ice[0].agents.as_slice() else { panic!("two agents") };
    assert_eq!(own.host.map(|host| host.to_string()).as_deref(), Some(A));
    assert_eq!(peer.host.map(|host| host.to_string()).as_deref(), Some(B));
}

#[test]
fn an_agent_that_answered_gives_up_and_then_refuses_checks_was_still_not_heard() {
    // as Firefox does once its own checks have failed, while the other side goes on
    let (agents, mut scene) = start();
    for _ in 0..40 {
        scene.a_is_answered(&agents, plain);
        scene.b_checks_in_vain(&agents, 1, 100);
    }
    for _ in 0..20 {
        refused(&mut scene, &agents, 400, "Bad Request");
    }
    assert_eq!(failures(&report(&scene.pcap())), ["ice-one-way"]);
}

#[test]
fn an_agent_that_only_ever_refuses_with_400_may_have_given_up_before_the_capture() {
    // as Firefox goes on to do; the capture shows nothing of what came before
    let agents = agents();
    let told = |code, dress: &dyn Fn(&mut Scene)| {
        let mut scene = Scene::new();
        for _ in 0..60 {
            refused(&mut scene, &agents, code, "Bad Request");
            dress(&mut scene);
        }
        report(&scene.pcap())
    };
    let alone = told(400, &|_| {});
    let found = finding(&alone, "ice-check-unauthorized");
    assert_eq!((found.confidence, alone.verdict), (Confidence::Likely, Verdict::Warning));
    assert!(
        found.title.ends_with("400 Bad Request: it has given up, or ICE credentials do not match"),
        "{}",
        found.title
    );
    assert_says(&found.explanation, "sends no checks itself in that time");
    // one that checks itself has not given up, and 401 is about credentials
    let busy = told(400, &|scene| _ = scene.b_is_answered(&agents, plain));
    for report in [busy, told(401, &|_| {})] {
        assert_eq!(failures(&report), ["ice-check-unauthorized"]);
        assert!(finding(&report, "ice-check-unauthorized").title.ends_with(": ICE credentials do not match"));
    }
}

#[test]
fn a_400_to_checks_that_a_given_password_does_not_fit_is_about_the_password() {
    let mut scene = Scene::new();
    for _ in 0..60 {
        refused(&mut scene, &agents(), 400, "Bad Request");
    }
    let credentials =
        "[[credential]]\nlabel = \"answer\"\nice_ufrag = \"bbbb\"\nice_pwd = \"another-password-of-ice-99\"\n";
    assert_eq!(failures(&report_with(&scene.pcap(), credentials)), ["ice-check-unauthorized"]);
}

#[test]
fn checks_from_before_the_other_agent_was_there_say_nothing_of_the_path() {
    // one side is ready long before the other; the capture ends when that has just begun
    let agents = agents();
    let told = |late: u32| {
        let mut scene = Scene::new();
        scene.a_checks_in_vain(&agents, 100, 100);
        scene.b_is_answered(&agents, plain);
        scene.a_checks_in_vain(&agents, late, 100);
        report(&scene.pcap())
    };
    assert!(!ids(&told(5)).contains(&"ice-one-way"), "{:?}", ids(&told(5)));
    assert_eq!(failures(&told(50)), ["ice-one-way"]);
}

#[test]
fn one_way_checks_that_are_answered_later_are_no_matter() {
    let (agents, mut scene) = start();
    for _ in 0..40 {
        scene.a_is_answered(&agents, plain);
        scene.b_checks_in_vain(&agents, 1, 100);
    }
    scene.b_is_answered(&agents, plain);
    assert!(graver(&report(&scene.pcap())).is_empty());
}

#[test]
fn an_agent_that_only_answers_is_lite_and_healthy() {
    let (agents, mut scene) = start();
    for _ in 0..20 {
        scene.a_is_answered(&agents, Stun::use_candidate);
        scene.later(1);
    }
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Healthy);
    assert_eq!(report.ice[0].agents[1].lite, None);
}

#[test]
fn a_hello_that_nobody_answers_follows_from_checks_that_are_refused() {
    // libwebrtc: the other's checks are answered, so that it goes on to DTLS; this one has no pair that works
    let (agents, mut scene) = start();
    let mut shake = Shake::between(B, A);
    let hello = shake.client.client_hello(&Offer::default());
    let mut sent = hello.clone();
    for round in 0..6 {
        scene.b_is_answered(&agents, plain);
        shake.up(&mut scene, sent);
        sent = again(&mut shake.client, &hello);
        for _ in 0..5 {
            refused(scene.after_ms(50 << round), &agents, 401, "Unauthorized");
        }
    }
    let told = report(&scene.pcap());
    assert_eq!(told.headline_finding.as_deref(), Some("ice-check-unauthorized"));
    let cause = finding(&told, "dtls-no-answer").caused_by.as_deref();
    assert!(cause.is_some_and(|key| key.starts_with("ice-check-unauthorized")), "{cause:?}");
}

#[test]
fn a_peer_behind_the_relay_is_where_it_is_heard_and_not_at_a_candidate_that_nobody_answers_at() {
    // a loopback address among the candidates is tried first
    let agents = agents();
    let mut scene = Scene::allocated(A, SERVER, "nonce-1", RELAYED);
    let check = agents.message(plain).tid([9; 12]).bytes();
    scene.after_ms(20).sent_inside(A, SERVER, "127.0.0.1:6000", &check);
    for number in 0..4 {
        let check = agents.message(Stun::use_candidate).tid([number; 12]).bytes();
        scene.after_ms(20).sent_inside(A, SERVER, B, &check);
        let answer = Stun::success_to(&check).xor_mapped(RELAYED).bytes();
        scene.after_ms(20).data_indication(SERVER, A, B, answer);
    }
    let told = report(&scene.pcap());
    let hosts: Vec<_> = told.ice[0].agents.iter().filter_map(|agent| agent.host.map(|end| end.to_string())).collect();
    assert!(hosts.contains(&B.to_owned()), "{hosts:?}");
}

#[test]
fn refused_credentials_are_a_failure_and_the_given_password_tells_whose() {
    let (agents, mut scene) = start();
    for _ in 0..60 {
        refused(&mut scene, &agents, 401, "Unauthorized");
    }
    let told = report(&scene.pcap());
    assert_eq!(failures(&told), ["ice-check-unauthorized"]);
    let found = finding(&told, "ice-check-unauthorized");
    assert_eq!(
        found.title,
        "198.51.100.20 refuses the connectivity checks of 192.0.2.10 with 401 Unauthorized: ICE credentials do not match"
    );
    let credentials =
        "[[credential]]\nlabel = \"the answer\"\nice_ufrag = \"bbbb\"\nice_pwd = \"b-password-of-ice-0123456\"\n";
    let told = report_with(&scene.pcap(), credentials);
    let found = finding(&told, "ice-check-unauthorized");
    assert_says(&found.explanation, "verify with the password of \"the answer\"");
    let credentials =
        "[[credential]]\nlabel = \"the answer\"\nice_ufrag = \"bbbb\"\nice_pwd = \"another-password-0123456\"\n";
    let told = report_with(&scene.pcap(), credentials);
    let found = finding(&told, "ice-check-unauthorized");
    assert_says(&found.explanation, "do not verify with the password given");
    assert!(!found.explanation.contains("0123456"), "no password is printed");
}

#[test]
fn a_password_that_changed_on_its_way_to_the_agent_is_told_by_what_happened_to_it() {
    let (agents, mut scene) = start();
    for _ in 0..60 {
        refused(&mut scene, &agents, 401, "Unauthorized");
    }
    // what the agent took was made from this
    for (ufrag, given, told) in [
        ("bbbb", "B-PASSWORD-OF-ICE-0123456", "when all letters of the password are made small"),
        ("bbbb", "b-password-of-ice-0123456 ", "when the blanks and line ends around the password are taken off"),
        ("cccc", "b-password-of-ice-0123456", "which belongs to another user fragment"),
    ] {
        let credentials =
            format!("[[credential]]\nlabel = \"the answer\"\nice_ufrag = \"{ufrag}\"\nice_pwd = \"{given}\"\n");
        let report = report_with(&scene.pcap(), &credentials);
        let found = finding(&report, "ice-check-unauthorized");
        assert!(found.explanation.contains(told), "{given}: {}", found.explanation);
        assert!(!serde_json::to_string(&report).unwrap().contains("0123456"), "no password is printed");
    }
}

#[test]
fn checks_that_are_refused_until_the_answer_has_arrived_are_ordinary() {
    let (agents, mut scene) = start();
    refused(&mut scene, &agents, 401, "Unauthorized");
    refused(&mut scene, &agents, 401, "Unauthorized");
    scene.connect(&agents).talk_directly(A, B, 20);
    assert_eq!(report(&scene.pcap()).verdict, Verdict::Healthy);
}

#[test]
fn a_refusal_where_the_capture_ends_is_only_likely() {
    let mut scene = Scene::new();
    refused(&mut scene, &agents(), 400, "Bad Request");
    let report = report(&scene.pcap());
    assert_eq!(finding(&report, "ice-check-unauthorized").confidence, Confidence::Likely);
    assert!(failures(&report).is_empty());
}

/// A call in which B restarts and A goes on with what it knew, refused by B from then on.
fn only_one_side_restarts() -> Scene {
    let old = agents();
    let half = Agents { b: old.restarted().b, ..old.clone() };
    let mut scene = Scene::new();
    scene.connect(&old).talk_directly(A, B, 20);
    for _ in 0..8 {
        scene.after_ms(1000).b_is_answered(&half, plain);
        scene.after_ms(1500);
        refused(&mut scene, &old, 401, "Unauthorized");
    }
    scene
}

#[test]
fn checks_of_the_generation_before_a_restart_that_are_refused_are_told_as_such() {
    let report = report(&only_one_side_restarts().pcap());
    let found = finding(&report, "ice-check-unauthorized");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    let text = &found.explanation;
    assert!(text.contains("of the generation before the ICE restart that begins in frame 47"), "{text}");
    assert!(text.contains("and none succeeded after frame 6"), "{text}");
    assert_eq!(failures(&report), ["ice-check-unauthorized"]);
}

#[test]
fn an_agent_that_restarts_alone_and_is_refused_from_then_on_is_told() {
    let old = agents();
    let alone = || {
        let half = Agents { a: old.restarted().a, ..old.clone() };
        let mut scene = Scene::new();
        scene.connect(&old).talk_directly(A, B, 20);
        for _ in 0..8 {
            refused(scene.after_ms(1000), &half, 401, "Unauthorized");
        }
        scene
    };
    let told = report(&alone().pcap());
    assert_eq!(failures(&told), ["ice-check-unauthorized"]);
    let text = &finding(&told, "ice-check-unauthorized").explanation;
    assert!(text.contains("one side restarted ICE"), "{text}");
    // the media goes on as before, or the other side restarts, too
    assert_ne!(report(&alone().talk_directly(A, B, 50).pcap()).verdict, Verdict::Failure);
    assert_ne!(report(&alone().connect(&old.restarted()).talk_directly(A, B, 50).pcap()).verdict, Verdict::Failure);
}

#[test]
fn a_restart_that_both_sides_make_after_all_heals_it() {
    let mut scene = only_one_side_restarts();
    scene.connect(&agents().restarted()).talk_directly(A, B, 50);
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Warning);
    assert_eq!(finding(&report, "ice-check-unauthorized").severity, Severity::Warning);
    assert_eq!(finding(&report, "ice-restart").severity, Severity::Note);
}

#[test]
fn a_restart_on_the_same_addresses_is_a_note_though_the_last_checks_of_the_old_generation_are_refused() {
    let (old, new) = (agents(), agents().restarted());
    let mut scene = Scene::new();
    scene.connect(&old).talk_directly(A, B, 20).connect(&new);
    for _ in 0..4 {
        refused(&mut scene, &old, 401, "Unauthorized");
        scene.talk_directly(A, B, 10);
    }
    scene.talk_directly(A, B, 20).consent(&new, 20);
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Healthy, "{:?}", ids(&report));
    assert_eq!(ice(&report), ["ice-restart"]);
    assert_eq!((report.ice[0].restarts, report.ice[1].restarts), (0, 1));
}

#[test]
fn a_description_with_another_user_fragment_of_the_same_address_tells_that_the_checks_are_of_another_generation() {
    let mut scene = Scene::new();
    for _ in 0..60 {
        refused(&mut scene, &agents(), 401, "Unauthorized");
    }
    let newer = "v=0\na=ice-ufrag:b2b2\na=ice-pwd:b-password-of-ice-6543210\nm=audio 9 UDP/TLS/RTP/SAVPF 0\n\
                 a=candidate:1 1 udp 2130706431 198.51.100.20 6000 typ host\n";
    let told = report_told(&scene.pcap(), &[("answer-2.sdp", newer)]);
    let text = &finding(&told, "ice-check-unauthorized").explanation;
    let says = "\"answer-2.sdp\" tells another user fragment of 198.51.100.20 at this very address, \"b2b2\"";
    assert!(text.contains(says), "{text}");
    // what its own description tells is no other generation
    let told = report_told(&scene.pcap(), &[("answer.sdp", &newer.replace("b2b2", "bbbb"))]);
    let text = &finding(&told, "ice-check-unauthorized").explanation;
    assert!(!text.contains("generation") && text.contains("do not verify with the password given"), "{text}");
}

#[test]
fn the_samples_with_an_altered_password_tell_which_description_the_refused_checks_verify_with() {
    // the peer signs with the password that it got, which is not the one that its maker had sent
    for (name, got) in [("ice-wrong-password", "answer.sdp"), ("ice-wrong-password-offer", "offer.sdp")] {
        let sample = support::samples::all().into_iter().find(|sample| sample.name == name).expect("the sample");
        let report = sample.report();
        let found = report.findings.iter().filter(|finding| finding.id == "ice-check-unauthorized");
        let texts: Vec<&str> = found.map(|finding| finding.explanation.as_str()).collect();
        let says = format!("verify with the password of \"{got} (ufrag ");
        let told = texts.iter().find(|text| text.contains(&says)).unwrap_or_else(|| panic!("{name}: {texts:#?}"));
        let sent = format!("{}-sent.sdp (ufrag ", got.trim_end_matches(".sdp"));
        assert!(told.contains("the other side has another: \"") && told.contains(&sent), "{name}: {told}");
    }
}

#[test]
fn with_descriptions_agents_tell_their_candidates_password_and_dtls_role() {
    let mut scene = Scene::new();
    scene.connect(&agents()).talk_directly(A, B, 20);
    let sdp = |ufrag: &str, password: &str, setup: &str, address: &str| {
        format!(
            "v=0\na=ice-ufrag:{ufrag}\na=ice-pwd:{password}\na=setup:{setup}\nm=audio 9 UDP/TLS/RTP/SAVPF 0\n\
             a=candidate:1 1 udp 2130706431 {address} typ host\na=candidate:2 1 udp 1 203.0.113.99 9999 typ relay\n"
        )
    };
    let offer = sdp("aaaa", "a-password-of-ice-0123456", "actpass", "192.0.2.10 5000");
    let answer = sdp("bbbb", "not-the-password-01234567", "active", "198.51.100.20 6000");
    let told = report_told(&scene.pcap(), &[("offer.sdp", &offer), ("again.sdp", &offer), ("answer.sdp", &answer)]);
    let [a, b] = told.ice[0].agents.as_slice() else { panic!() };
    let told = |agent: &IceAgent| -> Vec<(String, Option<bool>)> {
        agent.candidates_told.iter().map(|told| (told.address.clone(), told.seen)).collect()
    };
    assert_eq!(told(a), [(A.to_owned(), Some(true)), ("203.0.113.99:9999".to_owned(), Some(false))]);
    assert_eq!((a.candidates_told_total, b.candidates_told_total), (2, 2));
    assert_eq!((a.setup.as_deref(), a.dtls_role), (Some("actpass"), Some(IceDtlsRole::Server)));
    assert_eq!((b.setup.as_deref(), b.dtls_role), (Some("active"), Some(IceDtlsRole::Client)));
    // one check of B and its answer are signed with A's password, two checks of A and their answers with B's
    assert_eq!(a.password, IcePassword { told: true, verified: 2, mismatched: 0 });
    assert_eq!(b.password, IcePassword { told: true, verified: 0, mismatched: 4 });
}

#[test]
fn a_role_conflict_that_is_resolved_is_a_note() {
    let agents = agents();
    let follows = Agents { a_controls: false, ..agents.clone() };
    let mut scene = Scene::new();
    scene.b_is_answered(&follows, plain);
    let check = scene.after_ms(20).a_checks(&agents, plain);
    scene.after_ms(10).refuse(&check, 487, "Role Conflict");
    scene.connect(&follows).talk_directly(A, B, 20);
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Healthy);
    let found = finding(&report, "ice-role-conflict");
    assert_eq!(found.severity, Severity::Note);
    assert_says(&found.explanation, "switched its role");
    assert_eq!(frames_of(&report, "ice-role-conflict"), [3, 4], "the check and its refusal");
}

#[test]
fn a_role_conflict_that_nobody_gives_way_in_is_a_failure() {
    let agents = agents();
    let stubborn = Agents { a_controls: false, ..agents.clone() };
    let mut scene = Scene::new();
    for _ in 0..20 {
        let check = scene.after_ms(200).a_checks(&agents, plain);
        scene.after_ms(10).refuse(&check, 487, "Role Conflict");
        scene.after_ms(200).b_checks(&stubborn, plain);
    }
    let report = report(&scene.pcap());
    assert_eq!(failures(&report), ["ice-role-conflict"]);
    let found = finding(&report, "ice-role-conflict");
    assert_says(&found.title, "both claim to be the controlling agent");
    assert_says(&found.explanation, "Neither side switched its role");
}

#[test]
fn an_agent_that_keeps_its_role_against_487_is_not_told_to_have_agreed_since_it_answers_others() {
    // as where an agent drops a 487 that is signed with another password than its check
    let agents = agents();
    let stubborn = Agents { a_controls: false, ..agents.clone() };
    let mut scene = Scene::new();
    for _ in 0..12 {
        let check = scene.after_ms(200).a_checks(&agents, plain);
        scene.after_ms(10).refuse(&check, 487, "Role Conflict");
        scene.after_ms(50).b_is_answered(&stubborn, plain);
    }
    let told = report(&scene.pcap());
    assert_eq!(failures(&told), ["ice-role-conflict"]);
    let found = finding(&told, "ice-role-conflict");
    assert!(found.title.ends_with("both claim to be the controlling agent, and neither gives way"), "{}", found.title);
    // where the other nominates a pair it works, but they have not agreed
    scene.b_is_answered(&stubborn, Stun::use_candidate);
    for data in [0, 50] {
        scene.talk_directly(A, B, data);
        let told = report(&scene.pcap());
        assert_eq!(failures(&told), [""; 0]);
        let found = finding(&told, "ice-role-conflict");
        assert!(
            found.title.ends_with("both claim to be the controlling agent, and get on all the same"),
            "{}",
            found.title
        );
    }
}

#[test]
fn checks_that_are_refused_without_a_code_are_likely_refused_for_their_credentials() {
    let (agents, mut scene) = start();
    for _ in 0..15 {
        let check = scene.after_ms(300).a_checks(&agents, plain);
        let answer = [&[0x01, 0x11, 0, 0][..], &check.payload[4..20]].concat();
        scene.after_ms(10).udp(check.to, check.from, answer);
    }
    let told = report(&scene.pcap());
    let found = finding(&told, "ice-check-unauthorized");
    assert_eq!((found.confidence, told.verdict), (Confidence::Likely, Verdict::Warning));
    assert_says(&found.title, "with an error without a code: ");
}

#[test]
fn checks_without_integrity_are_refused_for_that() {
    let (agents, mut scene) = start();
    for _ in 0..15 {
        let check = Stun::request(method::BINDING).username("bbbb:aaaa").priority(1).controlling(2);
        let check = scene.after_ms(300).send(agents.at_a, agents.at_b, check);
        scene.after_ms(10).refuse(&check, 400, "Bad Request");
    }
    let told = report(&scene.pcap());
    assert_eq!(failures(&told), ["ice-check-unauthorized"]);
    let found = finding(&told, "ice-check-unauthorized");
    assert!(found.title.ends_with("400 Bad Request: they carry no MESSAGE-INTEGRITY"), "{}", found.title);
    assert!(!found.fix.contains("stale or mangled"), "{}", found.fix);
}

#[test]
fn checks_without_integrity_that_nobody_answers_are_told_so() {
    let (agents, mut scene) = start();
    for _ in 0..15 {
        scene.a_is_answered(&agents, plain);
        scene.after_ms(300).send(B, A, Stun::request(method::BINDING).username("aaaa:bbbb"));
    }
    let told = report(&scene.later(10).pcap());
    let found = finding(&told, "ice-one-way");
    assert_says(&found.explanation, "The checks of 198.51.100.20 carry no MESSAGE-INTEGRITY");
    assert!(found.fix.starts_with("First see that 198.51.100.20 signs its checks"), "{}", found.fix);
}

#[test]
fn checks_that_were_let_in_before_are_not_refused_for_their_password() {
    let (agents, mut scene) = start();
    scene.connect(&agents).talk_directly(A, B, 20);
    for _ in 0..12 {
        refused(scene.after_ms(2500), &agents, 401, "Unauthorized");
    }
    let told = report(&scene.pcap());
    let found = finding(&told, "ice-check-unauthorized");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert!(found.title.ends_with("with 401 Unauthorized: it takes them no more"), "{}", found.title);
    assert_says(&found.explanation, "let in until frame 6");
}

#[test]
fn two_controlled_agents_that_wait_for_each_other_are_a_failure() {
    let waiting = Agents { a_controls: false, ..agents() };
    let mut scene = Scene::new();
    for _ in 0..12 {
        scene.after_ms(600).a_is_answered(&waiting, plain);
        let follows = Agents { a_controls: true, ..waiting.clone() };
        scene.b_is_answered(&follows, plain);
    }
    scene.later(10);
    let told = report(&scene.pcap());
    assert_eq!(failures(&told), ["ice-role-conflict"]);
    let found = finding(&told, "ice-role-conflict");
    assert_says(&found.title, "both claim to be the controlled agent, and neither gives way");
    assert_says(&found.explanation, "without an error 487, from frame");
    assert_says(&found.fix, "a=ice-lite");
    // one that gives way without a word
    scene.connect(&agents()).talk_directly(A, B, 20);
    let told = report(&scene.pcap());
    assert_eq!(told.verdict, Verdict::Healthy);
    assert_eq!(finding(&told, "ice-role-conflict").severity, Severity::Note);
}

#[test]
fn checks_of_private_addresses_from_behind_a_nat_ask_for_an_address_that_can_be_reached() {
    const INSIDE: &str = "192.168.1.10:5000";
    let told = |at_b: &'static str, outside: Option<&str>| {
        let mut scene = Scene::new();
        if let Some(outside) = outside {
            let asked = scene.send(INSIDE, SERVER, Stun::request(method::BINDING));
            scene.after_ms(20).succeed(&asked, |success| success.xor_mapped(outside));
        }
        scene.a_checks_in_vain(&Agents::new(INSIDE, at_b), 30, 500).later(20);
        finding(&report(&scene.pcap()), "ice-checks-unanswered").clone()
    };
    let found = told("172.31.5.4:20000", Some("203.0.113.50:40000"));
    let title =
        "No connectivity check between 192.168.1.10 and 172.31.5.4 is answered: none but private addresses are checked";
    assert_eq!(found.title, title);
    assert_says(&found.explanation, "such as 172.31.5.4");
    assert_says(&found.fix, "nat_1_1_mapping");
    for (at_b, outside) in [
        ("198.51.100.20:6000", Some("203.0.113.50:40000")),
        ("192.168.1.20:6000", Some("203.0.113.50:40000")),
        ("172.31.5.4:20000", None),
    ] {
        let found = told(at_b, outside);
        assert!(!found.title.contains("private"), "{at_b}: {}", found.title);
    }
}

#[test]
fn a_role_conflict_with_an_agent_that_sends_no_checks_is_not_resolved_by_its_silence() {
    let (agents, mut scene) = start();
    for _ in 0..20 {
        scene.after_ms(200);
        refused(&mut scene, &agents, 487, "Role Conflict");
    }
    let told = report(&scene.pcap());
    assert_eq!(failures(&told), ["ice-role-conflict"]);
    let found = finding(&told, "ice-role-conflict");
    assert_says(&found.title, "neither gives way");
    assert_says(&found.explanation, "sends no checks");
    assert_eq!(told.ice[0].roles.resolved, Some(false));
}

#[test]
fn checks_that_were_under_way_together_when_the_first_was_refused_for_its_role_are_no_failure() {
    let (agents, mut scene) = start();
    let sent: Vec<_> = (0..6).map(|_| scene.after_ms(20).a_checks(&agents, plain)).collect();
    for check in &sent {
        scene.after_ms(20).refuse(check, 487, "Role Conflict");
    }
    let told = report(&scene.pcap());
    assert_eq!(failures(&told), [""; 0]);
    assert_eq!(finding(&told, "ice-role-conflict").severity, Severity::Note);
}

#[test]
fn pairs_that_work_and_are_never_nominated_are_a_failure() {
    let (agents, mut scene) = start();
    for _ in 0..20 {
        scene.after_ms(450).a_is_answered(&agents, plain);
        scene.b_is_answered(&agents, plain);
    }
    let report = report(&scene.pcap());
    assert_eq!(failures(&report), ["ice-not-nominated"]);
    assert_eq!(
        finding(&report, "ice-not-nominated").title,
        "192.0.2.10 never nominates a pair, though 192.0.2.10:5000 – 198.51.100.20:6000 works"
    );
}

#[test]
fn consent_checks_in_the_middle_of_a_call_are_not_taken_for_a_lack_of_nomination() {
    // plain data over ICE is not recognised, and the nomination was before the capture
    let (agents, mut scene) = start();
    scene.consent(&agents, 60);
    assert!(graver(&report(&scene.pcap())).is_empty());
}

#[test]
fn a_call_with_media_needs_no_nomination_in_the_capture() {
    let (agents, mut scene) = start();
    for _ in 0..20 {
        scene.after_ms(450).a_is_answered(&agents, plain);
        scene.b_is_answered(&agents, plain);
        scene.talk_directly(A, B, 5);
    }
    assert!(graver(&report(&scene.pcap())).is_empty());
}

/// A call of which one side falls silent, while the other asks on for so many seconds.
fn falls_silent(seconds: u32) -> Scene {
    let (agents, mut scene) = start();
    scene.connect(&agents).talk_directly(A, B, 50).consent(&agents, 15);
    scene.a_checks_in_vain(&agents, seconds / 5, 5000);
    scene
}

#[test]
fn a_peer_that_stops_answering_consent_checks_for_30_seconds_is_a_failure() {
    let report = report(&falls_silent(40).pcap());
    assert_eq!(failures(&report), ["ice-consent-lost"]);
    let found = finding(&report, "ice-consent-lost");
    assert_eq!(
        found.title,
        "198.51.100.20 stopped answering the consent checks of 192.0.2.10 after a pair had been selected"
    );
    assert!(report.ice[0].consent.as_ref().is_some_and(|consent| consent.lost_at.is_some()));
}

#[test]
fn a_peer_whose_port_is_closed_is_told_by_its_own_host_and_not_sought_in_the_network() {
    let agents = agents();
    let closed = |router: &str| {
        let mut scene = falls_silent(0);
        for _ in 0..8 {
            let check = scene.after_ms(5000).a_checks(&agents, plain);
            scene.after_ms(1).icmp_unreachable(router, &check);
        }
        report(&scene.pcap())
    };
    let told = closed("198.51.100.20");
    assert_eq!(failures(&told), ["ice-consent-lost"]);
    let found = finding(&told, "ice-consent-lost");
    assert!(found.title.ends_with(": 198.51.100.20 says that the port is closed (ICMP)"), "{}", found.title);
    assert_says(&found.explanation, "ICMP \"port unreachable\"");
    assert!(found.fix.contains("the application ended") && !found.fix.contains("firewall"), "{}", found.fix);
    let told = closed("203.0.113.254");
    let found = finding(&told, "ice-consent-lost");
    assert_says(&found.explanation, "203.0.113.254 answered with ICMP");
    assert!(!found.title.contains("closed") && found.fix.contains("firewall"), "{}", found.fix);
}

#[test]
fn a_peer_that_was_suspended_and_comes_back_too_late_sent_nothing_meanwhile() {
    let agents = agents();
    let mut scene = falls_silent(40);
    scene.after_ms(500).b_checks(&agents, plain);
    let report = report(&scene.pcap());
    assert_eq!(failures(&report), ["ice-consent-lost"]);
    let told = &finding(&report, "ice-consent-lost").explanation;
    assert!(told.contains("nothing of 198.51.100.20 arrived on the pair; then it was back"), "{told}");
}

#[test]
fn a_peer_that_was_heard_without_being_asked_fell_silent_when_its_media_ended() {
    // as with pion, which asks for consent only while nothing else passes
    let (agents, mut scene) = start();
    scene.connect(&agents).talk_directly(A, B, 400);
    scene.a_checks_in_vain(&agents, 15, 2000);
    let report = report(&scene.pcap());
    assert_eq!(failures(&report), ["ice-consent-lost"]);
    let told = &finding(&report, "ice-consent-lost").explanation;
    assert!(told.contains("The last packet of 198.51.100.20 arrived on the pair 8.0 s after that answer"), "{told}");
}

#[test]
fn a_peer_that_is_silent_for_a_while_only_has_not_lost_consent() {
    assert!(graver(&report(&falls_silent(25).pcap())).is_empty());
}

#[test]
fn a_peer_that_falls_silent_while_media_is_sent_to_it_until_consent_ends_is_likely_gone() {
    // as Firefox does when the peer's machine dies: it asks and sends until its 30 s are over, and stops just before
    let (agents, mut scene) = start();
    scene.connect(&agents).talk_directly(A, B, 50).consent(&agents, 15);
    for number in 0..250 {
        if number % 50 == 0 {
            scene.a_checks(&agents, plain);
        }
        scene.after_ms(100).udp(A, B, payload::rtp(96, 50 + number, (50 + u32::from(number)) * 960, 1, 100));
    }
    scene.a_checks(&agents, plain);
    let report = report(&scene.pcap());
    assert_eq!((report.verdict, report.headline_finding.as_deref()), (Verdict::Warning, Some("ice-consent-lost")));
    assert_eq!(finding(&report, "ice-consent-lost").confidence, Confidence::Likely);
}

#[test]
fn a_call_that_one_side_closes_after_it_heard_nothing_for_ten_seconds_is_likely_cut() {
    // as libdatachannel does on a path that is cut: it sends on, asks every five seconds, and closes after 13
    let agents = agents();
    let cut = |seconds: u16, hears: bool| {
        let mut scene = Scene::new();
        scene.connect(&agents).talk_directly(A, B, 50).consent(&agents, 15);
        for number in 0..seconds * 10 {
            if number % 50 == 5 {
                scene.after_ms(1).a_checks(&agents, plain);
            }
            let packet = payload::rtp(96, 50 + number, (50 + u32::from(number)) * 960, 1, 100);
            scene.after_ms(100).udp(A, B, packet.clone());
            if hears {
                scene.udp(B, A, packet);
            }
        }
        scene.after_ms(10).udp(A, B, payload::dtls_alert(1, 0));
        report(&scene.later(30).pcap())
    };
    let told = cut(13, false);
    assert_eq!((told.verdict, told.headline_finding.as_deref()), (Verdict::Warning, Some("ice-consent-lost")));
    assert_eq!(finding(&told, "ice-consent-lost").confidence, Confidence::Likely);
    for (seconds, hears) in [(8, false), (13, true)] {
        let told = cut(seconds, hears);
        assert!(!ids(&told).contains(&"ice-consent-lost"), "{seconds} {hears}: {:?}", ids(&told));
    }
}

#[test]
fn a_path_that_is_cut_one_way_is_likely_seen_where_what_comes_the_other_way_goes_on() {
    // as between two browsers, at the one of which everything still arrives
    let agents = agents();
    let cut = |checks: u16, answers: u16, goodbye: bool| {
        let mut scene = Scene::new();
        scene.connect(&agents).talk_directly(A, B, 50).consent(&agents, 15);
        for number in 0..checks {
            if number < answers {
                scene.after_ms(50).a_is_answered(&agents, plain);
            } else {
                scene.after_ms(50).a_checks(&agents, plain);
            }
            scene.after_ms(50).b_is_answered(&agents, plain);
            scene.udp(B, A, payload::rtp(96, 50 + number, (50 + u32::from(number)) * 960, 1, 100));
        }
        if goodbye {
            scene.after_ms(10).udp(B, A, payload::dtls_alert(1, 0));
        }
        report(&scene.later(30).pcap())
    };
    for goodbye in [false, true] {
        let told = cut(170, 0, goodbye);
        assert_eq!((told.verdict, told.headline_finding.as_deref()), (Verdict::Warning, Some("ice-consent-lost")));
        let found = finding(&told, "ice-consent-lost");
        let words = "so that the way is lost in one direction: from 192.0.2.10 to 198.51.100.20";
        assert_says(&found.explanation, words);
    }
    for (checks, answers, goodbye) in [(120, 0, false), (120, 0, true), (170, 60, true), (170, 170, false)] {
        let told = cut(checks, answers, goodbye);
        assert!(!ids(&told).contains(&"ice-consent-lost"), "{checks} {answers} {goodbye}: {:?}", ids(&told));
    }
}

#[test]
fn a_path_that_is_cut_one_way_is_seen_by_an_agent_that_asks_every_five_seconds_too() {
    // as werift does, which is hung up just before its consent ends
    let agents = agents();
    let cut = |checks: u16| {
        let mut scene = Scene::new();
        scene.connect(&agents).talk_directly(A, B, 50).consent(&agents, 15);
        for number in 0..checks {
            scene.after_ms(2500).a_checks(&agents, plain);
            scene.after_ms(2500).b_is_answered(&agents, plain);
            let packet = payload::rtp(96, 50 + number, (50 + u32::from(number)) * 960, 1, 100);
            scene.udp(A, B, packet.clone());
            scene.udp(B, A, packet);
        }
        report(&scene.pcap())
    };
    let told = cut(5);
    assert_eq!((told.verdict, told.headline_finding.as_deref()), (Verdict::Warning, Some("ice-consent-lost")));
    let found = finding(&told, "ice-consent-lost");
    assert_says(&found.explanation, "The capture ends before the 30 seconds");
    assert!(
        found.fix.starts_with("Find what lets packets of 198.51.100.20 through and none of 192.0.2.10"),
        "{}",
        found.fix
    );
    assert!(!ids(&cut(4)).contains(&"ice-consent-lost"));
}

#[test]
fn an_ordinary_end_of_a_call_is_no_loss_of_consent() {
    let (agents, mut scene) = start();
    scene.connect(&agents).talk_directly(A, B, 50).consent(&agents, 15);
    scene.later(120);
    assert_eq!(report(&scene.pcap()).verdict, Verdict::Healthy);
}

#[test]
fn a_goodbye_after_consent_has_run_out_excuses_nothing() {
    // what either says when it has given up: the one that asked in vain, or the other, which goes on to send for as long
    let agents = agents();
    for (from, to, goes_on) in [(A, B, false), (B, A, true)] {
        let mut scene = Scene::new();
        scene.connect(&agents).talk_directly(A, B, 50).consent(&agents, 15);
        for number in 0..35 {
            if number % 5 == 0 {
                scene.after_ms(100).a_checks(&agents, plain);
            }
            scene.after_ms(1000);
            if goes_on {
                scene.udp(B, A, payload::rtp(96, 50 + number, (50 + u32::from(number)) * 960, 1, 100));
            }
        }
        scene.a_checks(&agents, plain);
        scene.after_ms(100).udp(from, to, payload::dtls_alert(1, 0));
        let report = report(&scene.pcap());
        assert_eq!(report.headline_finding.as_deref(), Some("ice-consent-lost"), "{from}");
    }
}

#[test]
fn a_session_that_is_lost_while_the_next_one_carries_the_call_is_a_warning() {
    // new ports on both sides: nothing but the hosts tells that the two belong together, and the old pair is asked for to the end of the capture
    let old = agents();
    let new = Agents { at_a: "192.0.2.10:5002", at_b: "198.51.100.20:6002", ..old.restarted() };
    let goes_on = |media: bool| {
        let mut scene = Scene::new();
        scene.connect(&old).talk_directly(A, B, 50).consent(&old, 15);
        scene.connect(&new);
        for _ in 0..10 {
            if media {
                scene.talk_directly(new.at_a, new.at_b, 200);
            }
            scene.after_ms(1000).a_checks(&old, plain);
        }
        report(&scene.pcap())
    };
    let told = goes_on(true);
    assert_eq!(told.verdict, Verdict::Warning);
    assert_eq!(finding(&told, "ice-consent-lost").severity, Severity::Warning);
}

#[test]
fn a_peer_that_said_goodbye_need_not_answer() {
    let (agents, mut scene) = start();
    scene.connect(&agents).talk_directly(A, B, 50).consent(&agents, 15);
    scene.after_ms(100).udp(B, A, payload::dtls_alert(1, 0));
    scene.a_checks_in_vain(&agents, 8, 5000);
    let told = report(&scene.pcap());
    assert!(!ids(&told).contains(&"ice-consent-lost"), "{:?}", ids(&told));
}

#[test]
fn a_new_mapping_of_the_other_side_stands_before_the_loss_of_consent_that_it_explains() {
    let agents = agents();
    let moved = Agents { at_b: "198.51.100.20:6666", ..agents.clone() };
    let mut scene = Scene::new();
    scene.connect(&agents).talk_directly(A, B, 50).consent(&agents, 15);
    for _ in 0..8 {
        scene.after_ms(2000).b_checks(&moved, plain);
        scene.after_ms(3000).a_checks(&agents, plain);
    }
    let report = report(&scene.pcap());
    let told: Vec<_> = report.findings.iter().map(|found| (found.id.as_str(), found.severity)).collect();
    assert_eq!(told[..2], [("nat-rebinding", Severity::Warning), ("ice-consent-lost", Severity::Failure)]);
    assert!(report.findings[1].caused_by.as_deref().is_some_and(|cause| cause.starts_with("nat-rebinding")));
    assert_eq!((report.verdict, report.headline_finding.as_deref()), (Verdict::Failure, Some("nat-rebinding")));
}

#[test]
fn loss_of_consent_that_a_restart_heals_is_a_warning() {
    let mut scene = falls_silent(40);
    scene.connect(&agents().restarted()).talk_directly(A, B, 50);
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Warning);
    assert_eq!(finding(&report, "ice-consent-lost").severity, Severity::Warning);
    assert_eq!(finding(&report, "ice-restart").severity, Severity::Note);
}

#[test]
fn an_agent_that_gives_a_pair_up_sooner_makes_it_likely() {
    let (agents, mut scene) = start();
    scene.connect(&agents).talk_directly(A, B, 50).consent(&agents, 15);
    scene.a_checks_in_vain(&agents, 200, 90).later(60);
    let report = report(&scene.pcap());
    let found = finding(&report, "ice-consent-lost");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
    assert_eq!(report.verdict, Verdict::Warning);
}

#[test]
fn data_that_goes_on_from_a_lost_mapping_to_the_relay_is_no_other_pair() {
    let agents = Agents::new("192.0.2.10:50000", B);
    let mut scene = agents.call_through(SERVER, RELAYED);
    for number in 0..40_u16 {
        if number % 10 == 0 {
            let check = agents.message(plain).tid([number as u8 + 50; 12]).bytes();
            scene.after_ms(1).channel_data("192.0.2.10:7777", SERVER, 0x4000, check);
        }
        let packet = payload::rtp(96, 20 + number, u32::from(number) * 960, 1, 100);
        scene.after_ms(100).channel_data("192.0.2.10:7777", SERVER, 0x4000, packet);
    }
    let told = report(&scene.later(5).pcap());
    assert!(!ids(&told).contains(&"ice-pair-switched"), "{:?}", ids(&told));
}

#[test]
fn media_that_moves_to_another_pair_is_noted() {
    let one = agents();
    let other = Agents { at_a: "192.0.2.110:5001", ..one.clone() };
    let mut scene = Scene::new();
    scene.connect(&one).talk_directly(A, B, 100);
    scene.connect(&other).talk_directly(other.at_a, B, 100);
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Healthy);
    let found = finding(&report, "ice-pair-switched");
    assert_eq!(found.severity, Severity::Note);
    assert_eq!(
        found.title,
        "The selected pair changed from 192.0.2.10:5000 – 198.51.100.20:6000 to 192.0.2.110:5001 – 198.51.100.20:6000"
    );
    assert_eq!(report.ice[0].selections.len(), 2);
}

#[test]
fn agents_that_each_send_on_a_pair_of_their_own_switch_nothing() {
    let one = agents();
    let other = Agents { at_b: "198.51.100.20:6001", ..one.clone() };
    let mut scene = Scene::new();
    scene.connect(&one).connect(&other);
    for number in 0..400 {
        let packet = payload::rtp(96, number, u32::from(number) * 960, 1, 100);
        scene.after_ms(10).udp(A, B, packet.clone());
        scene.after_ms(10).udp(other.at_b, A, packet);
    }
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Healthy);
    assert!(!ids(&report).contains(&"ice-pair-switched"), "{:?}", report.ice[0].selections);
    assert!(report.headline.ends_with("RTP flowed both ways."), "{}", report.headline);
}

#[test]
fn what_came_back_before_the_pair_was_chosen_is_no_way_back() {
    let one = agents();
    let other = Agents { at_b: "198.51.100.20:6001", ..one.clone() };
    let mut scene = Scene::new();
    scene.connect(&one).talk_directly(A, B, 100).connect(&other);
    for number in 0..200 {
        scene.after_ms(20).udp(A, other.at_b, payload::rtp(96, 100 + number, u32::from(number) * 960, 1, 100));
    }
    let headline = report(&scene.pcap()).headline;
    assert!(headline.ends_with("RTP flowed from 192.0.2.10:5000 to 198.51.100.20:6001."), "{headline}");
}

#[test]
fn a_call_through_the_relay_is_noted() {
    let scene = agents().call_through(SERVER, RELAYED);
    let report = report(&scene.pcap());
    assert_eq!(report.verdict, Verdict::Healthy);
    let found = finding(&report, "ice-relay-used");
    assert_eq!(found.title, "192.0.2.10 talks to 198.51.100.20:6000 through the relay 203.0.113.1:3478");
    assert_says(&found.explanation, "Checks through it take 30.0 ms (median).");
    assert_says(&found.explanation, "2240 bytes from 192.0.2.10, 2240 bytes to it");
}

#[test]
fn answers_that_the_capture_has_before_their_checks_are_answers_all_the_same() {
    let (agents, mut scene) = start();
    for _ in 0..220 {
        scene.after_ms(50).a_is_answered(&agents, plain);
    }
    let mut shots = degrade::shots(&scene);
    for pair in shots.chunks_mut(2) {
        if let [check, answer] = pair {
            std::mem::swap(&mut check.bytes, &mut answer.bytes);
            std::mem::swap(&mut check.whole, &mut answer.whole);
        }
    }
    assert!(failures(&report(&degrade::pcap(&shots))).is_empty());
}

#[test]
fn checks_that_are_answered_from_another_address_are_not_answered() {
    let agents = Agents::new("172.16.84.124:50000", "203.0.113.9:40000");
    let mut scene = Scene::new();
    for _ in 0..12 {
        let check = scene.after_ms(400).send(agents.at_a, agents.at_b, agents.message(plain));
        let answer = Stun::success_to(&check.payload)
            .xor_mapped(agents.at_a)
            .integrity_short_term(&agents.b.password)
            .fingerprint();
        scene.after_ms(20).send("10.0.0.9:40000", agents.at_a, answer);
    }
    let report = report(&scene.pcap());
    assert_eq!((report.verdict, ids(&report)), (Verdict::Warning, vec!["ice-checks-unanswered"]));
    let found = finding(&report, "ice-checks-unanswered");
    assert!(found.title.ends_with("is answered: answers come from 10.0.0.9:40000 instead"), "{}", found.title);
    assert_says(&found.fix, "answer from the address");
}
