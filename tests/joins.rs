//! Several captures of one event: the same packet is one message, clocks are lined up, and it is told where packets were lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{self, assert_says, finding, ids};
use support::calls::{failures, graver};
use support::degrade::{Shot, pcap, shots};
use support::{Login, Scene, Stun, method, payload, points};
use turnscope::report::{Confidence, Report, Severity, TransactionOutcome};

const CLIENT: &str = "10.0.0.2:50000";
const NAT: &str = "203.0.113.50:61000";
const SERVER: &str = "192.0.2.1:3478";
const PEER: &str = "198.51.100.7:40000";
const RELAYED: &str = "192.0.2.1:55000";

fn alice() -> Login {
    Login::new("alice", "example.org", "blue-harbour-42")
}

/// Scenes with other transactions than one another, where two are merged.
fn call() -> Scene {
    let mut scene = Scene::new();
    scene.later(1);
    scene.allocation(CLIENT, SERVER, &alice(), "nonce-1", RELAYED);
    scene.talk(CLIENT, SERVER, &alice(), "nonce-1", (0x4000, PEER), 0);
    for number in 0..40 {
        let packet = |source| payload::rtp(96, number, u32::from(number) * 960, source, 100);
        scene.after_ms(10).channel_data(CLIENT, SERVER, 0x4000, packet(1));
        scene.after_ms(10).channel_data(SERVER, CLIENT, 0x4000, packet(2));
    }
    scene.hang_up(CLIENT, SERVER, &alice(), "nonce-1");
    scene.later(2);
    scene
}

/// A client asks five times and nothing comes back; another request on another port is answered.
fn silence() -> Scene {
    let mut scene = Scene::new();
    scene.later(1);
    scene.binding("10.0.0.2:50001", "192.0.2.1:3479", "10.0.0.2:50001");
    scene.after_ms(100).send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 5);
    scene.later(2);
    scene.binding("10.0.0.2:50001", "192.0.2.1:3479", "10.0.0.2:50001");
    scene.later(40);
    scene
}

fn two(client: &[Shot], server: &[Shot]) -> Vec<(&'static str, Vec<u8>)> {
    vec![("client.pcap", pcap(client)), ("server.pcap", pcap(server))]
}

/// What does not depend on which capture was named first.
fn story(report: &Report) -> Vec<String> {
    let mut all: Vec<String> = report
        .findings
        .iter()
        .map(|finding| {
            format!(
                "{} {:?} {:?} {} {:?}",
                finding.id, finding.severity, finding.confidence, finding.title, finding.subject
            )
        })
        .collect();
    all.sort();
    all.push(format!("{:?} {}", report.verdict, report.headline));
    // where clocks differ by a fraction of a microsecond, so do the times
    let exact = |text: &String| {
        text.split(' ').filter(|word| !word.chars().all(|c| c.is_ascii_digit())).collect::<Vec<_>>().join(" ")
    };
    all.iter().map(exact).collect()
}

#[test]
fn the_same_packet_at_two_points_is_one_message() {
    let near = shots(&call());
    let far = points::clock(&points::further(&near, "10.0.0.2", 4_000), 5000, 0);
    let (one, both) = (analyze::report(&pcap(&near)), points::report(&two(&near, &far)));
    assert_eq!(one.counts.stun, both.counts.stun);
    assert_eq!(one.counts.channel_data, both.counts.channel_data);
    assert_eq!(one.transactions.total, both.transactions.total);
    assert_eq!(one.allocations[0].bytes_sent, both.allocations[0].bytes_sent);
    assert_eq!(ids(&one), ids(&both));
    assert_eq!(both.joins.len(), 1, "{:?}", both.joins);
    assert_eq!(both.joins[0].captures, [0, 1]);
    // all but the frames that are no packets
    assert_eq!(both.joins[0].matched as usize, near.len() - 2);
    assert!(both.joins[0].lost.is_empty(), "{:?}", both.joins[0].lost);
}

#[test]
fn clocks_are_lined_up_by_requests_and_their_answers() {
    let near = shots(&call());
    let far = points::clock(&points::further(&near, "10.0.0.2", 4_000), 5000, 0);
    let report = points::report(&two(&near, &far));
    let [first, second] = report.captures.as_slice() else { panic!("two captures") };
    assert_eq!((first.clock_offset_us, first.clock_uncertainty_us), (Some(0), Some(0)));
    let offset = second.clock_offset_us.unwrap();
    assert!((offset + 5_000_000).abs() <= second.clock_uncertainty_us.unwrap(), "{offset}");
    assert!(second.clock_uncertainty_us.unwrap() <= 4_000);
    assert_eq!(second.clock_drift_ppm, None);
}

#[test]
fn a_clock_that_gains_is_lined_up_all_along() {
    let mut scene = Scene::new();
    for _ in 0..60 {
        scene.after_ms(10_000).binding(CLIENT, SERVER, CLIENT);
    }
    let near = shots(&scene);
    let far = points::clock(&points::further(&near, "10.0.0.2", 4_000), -70_000, 100);
    let report = points::report(&two(&near, &far));
    let second = &report.captures[1];
    let drift = second.clock_drift_ppm.expect("a drift");
    assert!((drift + 100.0).abs() < 2.0, "{drift}");
    assert!((second.clock_offset_us.unwrap() - 70_000_000).abs() < 4_000, "{second:?}");
    assert_eq!(report.joins[0].matched, 120);
    assert!(graver(&report).is_empty(), "{:?}", graver(&report));
    // by the corrected clock every answer comes after its request
    assert!(report.transactions.items.iter().all(|item| item.rtt_us.unwrap() > 0));
}

#[test]
fn a_nat_between_two_points_shows_in_the_packets_of_both() {
    let near = shots(&call());
    let far = points::translated(&points::further(&near, "10.0.0.2", 3_000), CLIENT, NAT);
    let report = points::report(&two(&near, &far));
    let nat = &report.joins[0].nat;
    assert_eq!(nat.len(), 1, "{nat:?}");
    assert_eq!((nat[0].inside.to_string(), nat[0].outside.to_string()), (CLIENT.to_owned(), NAT.to_owned()));
    assert_eq!(nat[0].packets as usize, near.len() - 2);
    assert_eq!(nat[0].evidence[0].capture, 0);
    assert_eq!(nat[0].evidence[1].capture, 1);
    assert!(report.nat.iter().any(|known| known.inside.to_string() == CLIENT && known.outside.to_string() == NAT));
    assert!(graver(&report).is_empty(), "{:?}", graver(&report));
    let one = analyze::report(&pcap(&near));
    assert_eq!(
        (&one.counts.stun, one.counts.channel_data, one.counts.rtp),
        (&report.counts.stun, report.counts.channel_data, report.counts.rtp)
    );
    // one conversation, not one on each side
    assert_eq!(report.authentications.len(), 1, "{:?}", report.authentications);
    assert_eq!(report.allocations.len(), 1);
}

#[test]
fn a_server_behind_static_nat_has_its_own_address_inside() {
    let near = shots(&call());
    let far = points::translated(&points::further(&near, "10.0.0.2", 3_000), SERVER, "192.168.245.61:3478");
    let report = points::report(&two(&near, &far));
    let nat = &report.joins[0].nat;
    assert_eq!(nat.len(), 1, "{nat:?}");
    assert_eq!(
        (nat[0].inside.to_string(), nat[0].outside.to_string()),
        ("192.168.245.61:3478".to_owned(), SERVER.to_owned())
    );
    assert_eq!(report.authentications.len(), 1);
}

#[test]
fn requests_that_leave_the_client_and_never_reach_the_server_are_lost_in_between() {
    let near = shots(&silence());
    let far = points::clock(
        &points::only(&points::further(&near, "10.0.0.2", 9_000), |_, src, _| src.port() != 50000),
        -3000,
        0,
    );
    let report = points::report(&two(&near, &far));
    let told = finding(&report, "turn-no-response");
    assert_eq!((told.severity, told.confidence), (Severity::Failure, Confidence::Certain));
    assert_says(&told.title, "none of them reached server.pcap");
    assert_says(&told.explanation, "they were lost before that point");
    assert!(told.places.iter().all(|place| place.capture == 0));
    let lost = &report.joins[0].lost;
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!((lost[0].from, lost[0].to, lost[0].count, lost[0].what), (0, 1, 5, "STUN request"));
    assert_eq!(lost[0].src.to_string(), CLIENT);
    assert_eq!(lost[0].places.len(), 1);
}

#[test]
fn requests_that_reach_the_server_without_an_answer_are_the_servers_affair() {
    let near = shots(&silence());
    let far = points::further(&near, "10.0.0.2", 9_000);
    let report = points::report(&two(&near, &far));
    let told = finding(&report, "turn-no-response");
    assert_says(&told.title, "though 5 of them reached server.pcap");
    assert_says(&told.explanation, "5 of the 5 requests reached server.pcap");
    assert!(report.joins[0].lost.is_empty(), "{:?}", report.joins[0].lost);
    assert_eq!(told.occurrences, 1);
    assert_says(&told.title, "5 Allocate requests");
}

/// A server answers each of five copies.
fn answers_all() -> Scene {
    let mut scene = Scene::new();
    scene.later(1);
    scene.binding("10.0.0.2:50001", "192.0.2.1:3479", "10.0.0.2:50001");
    let first = scene.after_ms(50).send(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17));
    for copy in 0..5 {
        if copy > 0 {
            scene.after_ms(500 << copy).retransmit(&first);
        }
        scene.after_ms(30).challenge(&first, 401, "Unauthorized", "example.org", "nonce-1");
    }
    scene.later(1);
    scene.binding("10.0.0.2:50001", "192.0.2.1:3479", "10.0.0.2:50001");
    scene.later(40);
    scene
}

#[test]
fn answers_that_leave_the_server_and_never_reach_the_client_are_lost_on_the_way_back() {
    for nat in [false, true] {
        let all = shots(&answers_all());
        let near = points::only(&all, |_, src, dst| src.port() != 3478 || dst.port() != 50000);
        let mut far = points::clock(&points::further(&all, "10.0.0.2", 9_000), 1500, 0);
        if nat {
            far = points::translated(&points::translated(&far, CLIENT, NAT), "10.0.0.2:50001", "203.0.113.50:61001");
        }
        let report = points::report(&two(&near, &far));
        let told = finding(&report, "turn-answer-lost");
        assert_eq!((told.severity, told.confidence), (Severity::Failure, Confidence::Certain));
        assert_says(&told.explanation, "passed server.pcap and never came to client.pcap");
        assert!(!ids(&report).contains(&"turn-no-response"));
        let lost: Vec<_> =
            report.joins[0].lost.iter().map(|lost| (lost.from, lost.to, lost.count, lost.what)).collect();
        assert_eq!(lost, [(1, 0, 5, "STUN response")], "NAT: {nat}");
    }
}

#[test]
fn an_answer_that_comes_to_its_second_asking_is_no_loss_worth_a_finding() {
    let mut scene = Scene::new();
    scene.later(1);
    let first = scene.send(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17));
    scene.after_ms(500).retransmit(&first);
    scene.after_ms(30).challenge(&first, 401, "Unauthorized", "example.org", "nonce-1");
    let retry = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), "nonce-1");
    scene.after_ms(10).allocate_granted(&retry, RELAYED, 600, &alice());
    scene.hang_up(CLIENT, SERVER, &alice(), "nonce-1").later(2);
    let near = shots(&scene);
    // the first copy is lost on the way
    let far = points::only(&points::further(&near, "10.0.0.2", 2_000), |number, _, _| number != 1);
    let report = points::report(&two(&near, &far));
    assert!(graver(&report).is_empty(), "{:?}", graver(&report));
    let lost = &report.joins[0].lost;
    assert_eq!((lost.len(), lost[0].count, lost[0].from), (1, 1, 0), "{lost:?}");
}

#[test]
fn media_lost_between_two_points_is_missed_where_it_should_arrive() {
    let mut scene = Scene::new();
    let (one, other) = ("10.0.0.2:40000", "192.0.2.9:50000");
    scene.later(1).direct_call(one, other, 0);
    for number in 0..400 {
        let packet = |source| payload::rtp(96, number, u32::from(number) * 960, source, 100);
        scene.after_ms(10).udp(one, other, packet(1));
        scene.after_ms(10).udp(other, one, packet(2));
    }
    scene.later(1);
    let near = shots(&scene);
    // a tenth of what the first sends does not arrive
    let far = points::only(&points::further(&near, "10.0.0.2", 4_000), |number, src, _| {
        src.port() != 40000 || number < 20 || number % 20 > 1
    });
    let report = points::report(&two(&near, &far));
    let told = finding(&report, "media-lossy");
    assert_says(&told.title, "from 10.0.0.2:40000 to 192.0.2.9:50000");
    let lost = report.joins[0].lost.iter().find(|lost| lost.what == "RTP").expect("lost media");
    assert_eq!((lost.from, lost.to), (0, 1));
    assert_eq!(lost.src.to_string(), "10.0.0.2:40000");
    let stream = report.media.items.iter().find(|item| item.src.to_string() == "10.0.0.2:40000").unwrap();
    assert_eq!(stream.lost, lost.count);
}

#[test]
fn what_an_alg_rewrites_is_told_with_what_it_was() {
    let near = shots(&call());
    let mut far = points::further(&near, "10.0.0.2", 5_000);
    // the answer that leaves the server names another relayed address
    let message = near.iter().position(|shot| shot.bytes.len() > 60 && shot.bytes[42..44] == [1, 3]).unwrap();
    let id = near[message].bytes[42..62].to_vec();
    let answer = far.iter_mut().find(|shot| shot.bytes[42.min(shot.bytes.len())..].starts_with(&id)).unwrap();
    let at = answer.bytes.windows(4).position(|bytes| bytes == [0, 0x16, 0, 8]).unwrap();
    answer.bytes[at + 11] ^= 1;
    let report = points::report(&two(&near, &far));
    let rewritten = &report.joins[0].rewritten;
    assert_eq!(rewritten.len(), 1, "{rewritten:?}");
    assert_eq!((rewritten[0].what.as_str(), rewritten[0].count), ("XOR-RELAYED-ADDRESS", 1));
    assert_eq!(rewritten[0].before.as_deref(), Some("192.0.2.0:55000"));
    assert_eq!(rewritten[0].after.as_deref(), Some(RELAYED));
    assert_eq!(rewritten[0].places[0].capture, 1);
}

#[test]
fn a_relay_seen_from_both_sides_tells_its_own_delay_and_loss() {
    let client = shots(&call());
    // at the server both legs are seen: what comes in a channel goes out bare 300 microseconds later, but for every tenth
    let mut server = points::further(&client, "10.0.0.2", 2_000);
    let mut legs = Scene::new();
    for shot in server.iter().filter(|shot| shot.bytes.len() > 50 && shot.bytes[42] == 0x40) {
        let data = shot.bytes[46..].to_vec();
        let number = u16::from_be_bytes([data[2], data[3]]);
        let out = shot.bytes[26..30] == [10, 0, 0, 2];
        let since = (shot.ns - shots(&call())[0].ns) / 1000 + 1_000_000;
        if out && number % 10 != 3 {
            legs.at_us(since + 300).udp(RELAYED, PEER, data);
        } else if !out {
            legs.at_us(since - 200).udp(PEER, RELAYED, data);
        }
    }
    server.extend(shots(&legs));
    server.sort_by_key(|shot| shot.ns);
    let report = points::report(&two(&client, &server));
    let relay = report.joins.iter().find(|join| join.captures == [1]).expect("both sides of the relay");
    let [out, back] = relay.relays.as_slice() else { panic!("{:?}", relay.relays) };
    assert!(out.outward && !back.outward);
    assert_eq!((out.client.to_string(), out.peer.to_string()), (CLIENT.to_owned(), PEER.to_owned()));
    assert_eq!(out.relayed.to_string(), RELAYED);
    assert_eq!((out.passed, out.lost), (36, Some(4)));
    assert_eq!((out.delay_min_us, out.delay_max_us), (300, 300));
    assert_eq!((back.passed, back.lost, back.delay_mean_us), (40, Some(0), 200));
    assert!(failures(&report).is_empty(), "{:?}", failures(&report));
}

#[test]
fn captures_that_share_nothing_are_said_to_share_nothing() {
    let mut other = Scene::starting_at(support::scene::NEW_YEAR + 3);
    other.with_other_ids();
    other.allocation("10.0.0.2:50000", "198.51.100.1:3478", &alice(), "nonce-9", "198.51.100.1:55000");
    let report = points::report(&two(&shots(&call()), &shots(&other)));
    assert_eq!(report.joins.len(), 1);
    assert_eq!((report.joins[0].captures.as_slice(), report.joins[0].matched), ([0, 1].as_slice(), 0));
    assert!(report.captures.iter().all(|capture| capture.clock_offset_us.is_none()));
    assert_eq!(report.allocations.len(), 2);
    let text = turnscope::render::text::report(&report, &turnscope::render::text::Options::default());
    assert!(text.contains("client.pcap and server.pcap share nothing"), "{text}");
}

#[test]
fn a_server_that_shows_others_only_tells_that_the_requests_did_not_come() {
    let mut others = Scene::new();
    others.with_other_ids();
    for _ in 0..20 {
        others.after_ms(3000).binding("10.7.7.7:50000", SERVER, "10.7.7.7:50000");
    }
    let near = points::only(&shots(&silence()), |_, src, dst| src.port() != 50001 && dst.port() != 50001);
    let report = points::report(&two(&near, &shots(&others)));
    assert_eq!(report.joins[0].matched, 0);
    let told = finding(&report, "turn-no-response");
    assert_says(&told.explanation, "server.pcap shows other packets to 192.0.2.1");
}

#[test]
fn what_each_end_of_a_call_asks_its_relay_is_not_lost_on_the_way_to_the_other_end() {
    let (other, other_relay) = ("10.0.1.2:50000", "192.0.2.1:55001");
    let (mut near, mut far) = (Scene::new(), Scene::new());
    far.with_other_ids();
    near.allocation(CLIENT, SERVER, &alice(), "nonce-1", RELAYED);
    far.allocation(other, SERVER, &alice(), "nonce-2", other_relay);
    for number in 0..20 {
        let packet = |source| payload::rtp(96, number, u32::from(number) * 960, source, 100);
        near.after_ms(10).send_indication(CLIENT, SERVER, other_relay, packet(1));
        far.after_ms(10).data_indication(SERVER, other, RELAYED, packet(1));
        near.after_ms(10).data_indication(SERVER, CLIENT, other_relay, packet(2));
        far.after_ms(10).send_indication(other, SERVER, RELAYED, packet(2));
    }
    let report = points::report(&two(&shots(&near), &shots(&far)));
    assert_eq!(report.joins[0].matched, 40);
    assert!(report.joins[0].lost.is_empty(), "{:?}", report.joins[0].lost);
}

#[test]
fn a_capture_and_itself_are_the_same_event_once() {
    let all = pcap(&shots(&call()));
    let (one, twice) = (analyze::report(&all), points::report(&[("a.pcap", all.clone()), ("b.pcap", all.clone())]));
    assert_eq!(one.counts.stun, twice.counts.stun);
    assert_eq!(ids(&one), ids(&twice));
    assert_eq!(one.headline, twice.headline);
    assert!(!ids(&twice).contains(&"capture-duplicates"));
    assert_eq!(twice.captures[1].clock_offset_us, Some(0));
}

#[test]
fn three_points_tell_between_which_of_them_a_packet_was_lost() {
    let near = shots(&silence());
    let middle = points::clock(&points::further(&near, "10.0.0.2", 3_000), 700, 0);
    let far = points::clock(
        &points::only(&points::further(&near, "10.0.0.2", 8_000), |_, src, _| src.port() != 50000),
        -900,
        0,
    );
    let captures = [("client.pcap", pcap(&near)), ("nat.pcap", pcap(&middle)), ("server.pcap", pcap(&far))];
    let report = points::report(&captures);
    assert_eq!(report.joins.len(), 3);
    let lost: Vec<_> =
        report.joins.iter().flat_map(|join| &join.lost).map(|lost| (lost.from, lost.to, lost.count)).collect();
    assert_eq!(lost, [(1, 2, 5)]);
    let told = finding(&report, "turn-no-response");
    assert_says(&told.explanation, "5 of the 5 requests reached nat.pcap");
    assert!(
        told.explanation.contains("server.pcap shows other packets between the two")
            || told.explanation.contains("server.pcap shows other packets to"),
        "{}",
        told.explanation
    );
}

#[test]
fn the_order_in_which_captures_are_given_changes_no_finding() {
    let all = shots(&answers_all());
    let near = points::only(&all, |_, src, dst| src.port() != 3478 || dst.port() != 50000);
    let far = points::clock(&points::further(&all, "10.0.0.2", 9_000), 1500, 0);
    let middle = points::clock(&points::further(&all, "10.0.0.2", 5_000), -800, 0);
    let captures = [("client.pcap", pcap(&near)), ("nat.pcap", pcap(&middle)), ("server.pcap", pcap(&far))];
    let usual = story(&points::report(&captures));
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let other = points::report(&order.map(|place: usize| captures[place].clone()));
        assert_eq!(usual, story(&other), "{order:?}");
    }
}

#[test]
fn a_damaged_capture_takes_nothing_from_the_others() {
    let near = shots(&call());
    let far = points::further(&near, "10.0.0.2", 4_000);
    let mut captures = two(&near, &far);
    let length = captures[1].1.len();
    captures[1].1.truncate(length / 2);
    let report = points::report(&captures);
    assert_eq!(report.captures[1].damage.len(), 1);
    assert!(report.joins[0].matched > 10);
    assert_eq!(report.counts.stun, analyze::report(&pcap(&near)).counts.stun);
    assert!(graver(&report).is_empty(), "{:?}", graver(&report));
}

#[test]
fn a_point_that_began_late_or_ended_early_lost_nothing() {
    let near = shots(&call());
    let far = points::further(&near, "10.0.0.2", 4_000);
    for part in [&far[..far.len() / 2], &far[far.len() / 2..]] {
        let report = points::report(&two(&near, part));
        assert!(report.joins[0].lost.is_empty(), "{:?}", report.joins[0].lost);
        assert!(graver(&report).is_empty(), "{:?}", graver(&report));
        assert_eq!(report.counts.stun, analyze::report(&pcap(&near)).counts.stun);
    }
}

#[test]
fn files_that_were_rotated_are_one_capture() {
    let all = shots(&call());
    let whole = analyze::report(&pcap(&all));
    let thirds: Vec<Vec<u8>> = all.chunks(all.len() / 3 + 1).map(pcap).collect();
    let named: Vec<(&str, Vec<u8>)> = ["a_1.pcap", "a_2.pcap", "a_3.pcap"].into_iter().zip(thirds).collect();
    let report = points::rotated(&named);
    assert_eq!(report.captures.len(), 3);
    assert_eq!(
        (ids(&whole), &whole.headline, &whole.counts.stun),
        (ids(&report), &report.headline, &report.counts.stun)
    );
    assert!(report.joins.is_empty());
    let last = &report.authentications[0].steps.last().unwrap().place;
    assert_eq!(last.capture, 2);
    assert!(last.frame <= report.captures[2].frames);
}

#[test]
fn the_same_captures_give_the_same_report_byte_for_byte() {
    let near = shots(&silence());
    let far = points::only(&points::further(&near, "10.0.0.2", 9_000), |number, _, _| number % 3 != 0);
    let captures = two(&near, &far);
    let json = |report: &Report| serde_json::to_string(report).unwrap();
    let first = json(&points::report(&captures));
    for _ in 0..3 {
        assert_eq!(first, json(&points::report(&captures)));
    }
}

#[test]
fn random_loss_at_either_point_never_makes_a_call_that_works_a_failure() {
    let near = shots(&call());
    for seed in 0..24_u64 {
        let dropped = |number: usize, salt: u64| {
            let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (seed + salt) << 17);
            (mixed >> 33).is_multiple_of(10)
        };
        let one = points::only(&near, |number, _, _| !dropped(number, 100));
        let far = points::further(&near, "10.0.0.2", 4_000);
        let other = points::clock(&points::only(&far, |number, _, _| !dropped(number, 200)), 250, 0);
        let report = points::report(&two(&one, &other));
        assert!(failures(&report).is_empty(), "{seed}: {:?}", failures(&report));
    }
}

/// The headline's finding of the samples with several captures, all of them together: what one alone cannot tell is told there.
const TOGETHER: &[(&str, Option<&str>)] = &[
    ("points-alg", Some("nat-alg-rewrite")),
    ("points-answer-lost", Some("turn-answer-lost")),
    ("points-fragment-lost", Some("dtls-fragment-lost")),
    ("points-healthy", None),
    ("points-one-way", Some("ice-checks-unanswered")),
    ("points-request-lost", Some("turn-no-response")),
    ("points-tcp", None),
    ("server-side", None),
];

/// The scene with some answers five milliseconds before their requests, as interfaces that were merged may have them.
fn answers_first(shots: &[Shot]) -> Vec<Shot> {
    let id = |shot: &Shot| shot.bytes.get(50..62).map(<[u8]>::to_vec);
    let is_stun = |shot: &&Shot| shot.bytes.get(46..50) == Some(&[0x21, 0x12, 0xA4, 0x42]);
    let mut moved = shots.to_vec();
    for shot in moved.iter_mut().filter(|shot| is_stun(&&**shot) && shot.bytes[42] == 1).skip(1) {
        let request = shots.iter().filter(is_stun).find(|request| id(request) == id(shot)).unwrap();
        shot.ns = request.ns - 5_000_000;
    }
    moved.sort_by_key(|shot| shot.ns);
    moved
}

#[test]
fn answers_that_stand_before_their_requests_at_one_point_are_their_answers() {
    let near = shots(&call());
    for far in [points::further(&near, "10.0.0.2", 3_000), points::translated(&near, CLIENT, NAT)] {
        let whole = points::report(&two(&near, &far));
        for mixed in [two(&answers_first(&near), &far), two(&near, &answers_first(&far))] {
            let report = points::report(&mixed);
            assert_eq!(ids(&whole), ids(&report));
            assert_eq!(whole.counts.stun, report.counts.stun);
            assert_eq!(whole.transactions.total, report.transactions.total);
            assert_eq!(whole.joins[0].matched, report.joins[0].matched);
            assert!(report.transactions.items.iter().all(|item| item.outcome != TransactionOutcome::Unanswered));
        }
    }
}

#[test]
fn samples_of_several_points_tell_their_story_in_whatever_order_they_are_given() {
    let several: Vec<_> = support::samples::all().into_iter().filter(|sample| !sample.beside.is_empty()).collect();
    let mut names: Vec<&str> = several.iter().map(|sample| sample.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, TOGETHER.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for sample in several {
        let order: Vec<usize> = (0..=sample.beside.len()).collect();
        let report = sample.together(&order);
        let (_, headline) = TOGETHER.iter().find(|(name, _)| *name == sample.name).unwrap();
        assert_eq!(report.headline_finding.as_deref(), *headline, "{}", sample.name);
        let back: Vec<usize> = order.into_iter().rev().collect();
        assert_eq!(story(&report), story(&sample.together(&back)), "{}", sample.name);
    }
}

#[test]
fn every_sample_given_twice_is_the_same_event_once() {
    let mut wrong = Vec::new();
    // the keys in the file itself are read by the command and here, not by the kit
    for sample in support::samples::all().into_iter().filter(|sample| sample.name != "tls-embedded-keys") {
        let one = analyze::report_with(&sample.bytes, &sample.credentials);
        let captures = [("a.pcap", sample.bytes.clone()), ("b.pcap", sample.bytes.clone())];
        let twice = points::report_with(&captures, &sample.credentials);
        let told = |report: &Report| {
            let mut ids: Vec<String> = report
                .findings
                .iter()
                .map(|known| format!("{} {:?} {:?}", known.id, known.severity, known.confidence))
                .collect();
            ids.sort();
            format!("{:?} {ids:?} {:?}", report.verdict, report.counts.stun)
        };
        if told(&one) != told(&twice) {
            wrong.push(format!("{}\n  - {}\n  + {}", sample.name, told(&one), told(&twice)));
        }
    }
    assert!(wrong.is_empty(), "{} samples:\n{}", wrong.len(), wrong.join("\n"));
}
