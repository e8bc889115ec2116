//! History: transactions, allocations and addresses, as reports and rows tell them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::analyze::{Told, assert_says, report, report_with, rows};
use support::degrade;
use support::*;
use turnscope::report::{AllocationEnd, AuthenticationOutcome, Report, Transaction, TransactionOutcome};

const CLIENT: &str = "10.0.0.2:50000";
const SERVER: &str = "192.0.2.1:3478";
const RELAYED: &str = "192.0.2.1:49200";
const PEER: &str = "198.51.100.7:6000";
const NONCE: &str = "nonce-1";

fn binding() -> Stun {
    Stun::request(method::BINDING)
}

fn only(report: &Report) -> &Transaction {
    assert_eq!(report.transactions.total, 1);
    &report.transactions.items[0]
}

fn row(rows: &[Told], frame: u64) -> &Told {
    rows.iter().find(|row| row.frame == frame).expect("a row of that frame")
}

#[test]
fn an_answer_is_counted_from_the_last_copy_of_the_request_and_the_first_gives_the_bound() {
    let mut scene = Scene::new();
    let first = scene.send(CLIENT, SERVER, binding());
    let again = scene.after_ms(500).retransmit(&first);
    let answer = scene.after_ms(40).succeed(&again, |success| success.xor_mapped(CLIENT));
    let rows = rows(&scene.pcap());
    assert_eq!(row(&rows, again.frame).retransmission_of, Some(first.frame));
    assert_eq!(row(&rows, answer.frame).request_frame, Some(again.frame));
    assert_eq!(row(&rows, answer.frame).rtt_us, Some(40_000));
    let report = report(&scene.pcap());
    let transaction = only(&report);
    assert_eq!((transaction.rtt_us, transaction.rtt_max_us), (Some(40_000), Some(540_000)));
    assert_eq!(transaction.requests_total, 2);
}

#[test]
fn a_copy_by_a_mirror_port_is_no_retransmission() {
    let mut scene = Scene::new();
    let first = scene.send(CLIENT, SERVER, binding());
    scene.after_us(9).mirrored_copy(&first);
    scene.after_ms(20).succeed(&first, |success| success.xor_mapped(CLIENT));
    let report = report(&scene.pcap());
    assert_eq!(only(&report).requests_total, 1);
    assert_eq!(report.counts.stun["Binding request"], 1);
}

#[test]
fn a_copy_that_is_tagged_and_comes_late_is_no_retransmission_where_its_host_numbers_packets() {
    for (late_us, copies) in [(8_000, 1), (30_000, 2)] {
        let mut scene = Scene::new();
        let first = scene.send(CLIENT, SERVER, binding());
        scene.on_vlans(&[7]).after_us(late_us).mirrored_copy(&first);
        scene.on_vlans(&[]).after_ms(20).succeed(&first, |success| success.xor_mapped(CLIENT));
        assert_eq!(only(&report(&scene.pcap())).requests_total, copies, "{late_us} µs");
    }
}

#[test]
fn an_answer_from_another_address_is_found_and_said() {
    let mut scene = Scene::new();
    let request = scene.send(CLIENT, SERVER, binding());
    let answer = Stun::success_to(&request.payload).xor_mapped(CLIENT);
    scene.after_ms(20).send("192.0.2.99:3478", CLIENT, answer);
    let report = report(&scene.pcap());
    let transaction = only(&report);
    assert_eq!(transaction.outcome, TransactionOutcome::Success);
    assert_eq!(transaction.answered_from.map(|from| from.to_string()).as_deref(), Some("192.0.2.99:3478"));
}

#[test]
fn an_answer_is_still_matched_after_thirty_nine_seconds_and_not_after_an_hour() {
    for (wait, outcome) in [(39_000, TransactionOutcome::Success), (3_600_000, TransactionOutcome::Unanswered)] {
        let mut scene = Scene::new();
        let request = scene.send(CLIENT, SERVER, binding());
        // other packets show that the time passes: by itself a leap may be a clock that was set
        for _ in 0..wait / 13_000 {
            scene.after_ms(13_000).udp("10.0.0.9:7", "10.0.0.10:7", b"other".to_vec());
        }
        scene.after_ms(wait % 13_000).succeed(&request, |success| success.xor_mapped(CLIENT));
        assert_eq!(only(&report(&scene.pcap())).outcome, outcome, "after {wait} ms");
    }
}

#[test]
fn the_ledger_follows_an_allocation_from_grant_to_release() {
    let alice = alice();
    let mut scene = Scene::allocated(CLIENT, SERVER, NONCE, RELAYED);
    let permission = scene.after_ms(10).create_permission(CLIENT, SERVER, &alice, NONCE, PEER);
    scene.after_ms(10).granted(&permission, None, &alice);
    let bind = scene.after_ms(10).channel_bind(CLIENT, SERVER, &alice, NONCE, (0x4000, PEER));
    scene.after_ms(10).granted(&bind, None, &alice);
    scene.after_ms(10).channel_data(CLIENT, SERVER, 0x4000, [0x80; 100]);
    scene.after_ms(10).channel_data(SERVER, CLIENT, 0x4000, [0x80; 60]);
    let refresh = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice, NONCE, 600);
    scene.after_ms(10).granted(&refresh, Some(600), &alice);
    let release = scene.after_ms(1000).refresh(CLIENT, SERVER, &alice, NONCE, 0);
    scene.after_ms(10).granted(&release, Some(0), &alice);
    let report = report(&scene.pcap());
    let [allocation] = report.allocations.as_slice() else { panic!("one allocation") };
    assert_eq!(allocation.end, AllocationEnd::Released);
    assert_eq!(allocation.refreshes, 1);
    assert_eq!((allocation.bytes_sent, allocation.bytes_received), (100, 60));
    assert_eq!(allocation.relayed[0].to_string(), RELAYED);
    assert_eq!(allocation.username.as_deref(), Some("alice"));
    assert_eq!(allocation.permissions.len(), 1);
    assert_eq!((allocation.channels[0].channel, allocation.channels[0].peer.to_string()), (0x4000, PEER.to_owned()));
    assert_eq!(report.authentications[0].outcome, AuthenticationOutcome::Accepted);
}

#[test]
fn an_allocation_that_is_not_refreshed_expires_by_the_captures_clock() {
    let mut scene = Scene::allocated(CLIENT, SERVER, NONCE, RELAYED);
    scene.later(700);
    let expired = report(&scene.pcap());
    assert_eq!(expired.allocations[0].end, AllocationEnd::Expired);
    let mut scene = Scene::allocated(CLIENT, SERVER, NONCE, RELAYED);
    scene.later(300);
    assert_eq!(report(&scene.pcap()).allocations[0].end, AllocationEnd::Open);
}

#[test]
fn fragments_that_are_passed_over_are_counted_by_what_is_wrong_with_them() {
    let mut scene = Scene::new();
    for _ in 0..2000 {
        scene.udp_in_fragments(CLIENT, SERVER, &[7; 3000], 1480, |place| place == 0);
    }
    let counts = report(&scene.pcap()).counts.skipped;
    assert_eq!(counts["incomplete fragments"] + counts["fragmented packets beyond the limits"], 2000, "{counts:?}");
}

#[test]
fn an_allocation_that_had_run_out_ended_then_and_not_when_the_server_said_so() {
    let alice = alice();
    let mut scene = Scene::allocated(CLIENT, SERVER, NONCE, RELAYED);
    let refresh = scene.after_ms(700_000).refresh(CLIENT, SERVER, &alice, NONCE, 600);
    scene.after_ms(10).refuse(&refresh, 437, "Allocation Mismatch");
    let report = report(&scene.pcap());
    let allocation = &report.allocations[0];
    assert_eq!((allocation.end, allocation.ended_at), (AllocationEnd::Expired, allocation.expires_at));
    let told = turnscope::render::text::report(&report, &turnscope::render::text::Options::default());
    assert!(told.contains("expired after 600.0 s"), "{told}");
}

#[test]
fn an_allocation_ends_where_the_server_makes_another_for_the_same_addresses() {
    let alice = alice();
    let mut scene = Scene::allocated(CLIENT, SERVER, NONCE, RELAYED);
    let again = scene.after_ms(50_000).allocate_as(CLIENT, SERVER, &alice, NONCE);
    let granted = scene.after_ms(20).allocate_granted(&again, "192.0.2.1:49300", 600, &alice);
    let report = report(&scene.pcap());
    let ends: Vec<_> = report.allocations.iter().map(|one| one.end).collect();
    assert_eq!(ends, [AllocationEnd::Rejected, AllocationEnd::Open]);
    assert_eq!(report.allocations[0].evidence.last().map(|place| place.frame), Some(granted.frame));
    let told = turnscope::render::text::report(&report, &turnscope::render::text::Options::default());
    assert!(told.contains("gone after 50.0 s"), "{told}");
}

#[test]
fn permissions_and_channels_that_ran_out_and_are_granted_anew_have_an_end_each() {
    let alice = alice();
    let mut scene = Scene::allocated(CLIENT, SERVER, NONCE, RELAYED);
    // renewed in time, and after both had run out
    for seconds in [10, 200, 1000] {
        scene.at_ms(seconds * 1000);
        let permission = scene.create_permission(CLIENT, SERVER, &alice, NONCE, PEER);
        scene.granted(&permission, None, &alice);
        let bind = scene.channel_bind(CLIENT, SERVER, &alice, NONCE, (0x4000, "198.51.100.8:6000"));
        scene.granted(&bind, None, &alice);
        let refresh = scene.refresh(CLIENT, SERVER, &alice, NONCE, 3600);
        scene.granted(&refresh, Some(3600), &alice);
    }
    let report = report(&scene.pcap());
    let allocation = &report.allocations[0];
    let start = report.captures[0].first_time.unwrap().at;
    let seconds = |time: Option<turnscope::report::Time>| time.unwrap().at.since(start).secs();
    let of_peer = allocation.permissions.iter().filter(|one| PEER.starts_with(&one.peer.to_string()));
    let permissions: Vec<_> = of_peer.map(|one| (seconds(one.created_at), seconds(one.expires_at))).collect();
    let channels = allocation.channels.iter().map(|one| (seconds(one.created_at), seconds(one.expires_at)));
    assert_eq!(permissions, [(10, 500), (1000, 1300)]);
    assert_eq!(channels.collect::<Vec<_>>(), [(10, 800), (1000, 1600)]);
}

#[test]
fn a_clock_that_is_set_back_tells_neither_how_long_an_answer_took_nor_that_an_allocation_ran_out() {
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", NONCE);
    let request = scene.after_ms(10).allocate_as(CLIENT, SERVER, &alice(), NONCE);
    let granted = scene.after_ms(20).allocate_granted(&request, RELAYED, 600, &alice());
    let capture = degrade::pcap(&degrade::clock_set(&degrade::shots(&scene), 3, -3_600_000));
    assert_eq!(row(&rows(&capture), granted.frame).rtt_us, None);
    let report = report(&capture);
    let transaction = &report.transactions.items[1];
    assert_eq!(transaction.outcome, TransactionOutcome::Success);
    assert_eq!((transaction.rtt_us, transaction.rtt_max_us), (None, None));
    assert_eq!(report.allocations[0].end, AllocationEnd::Open);
    assert_eq!(report.headline, "Nothing wrong: 192.0.2.1:3478 gave 10.0.0.2 the relayed address 192.0.2.1:49200.");
}

#[test]
fn data_that_ms_turn_sends_in_requests_waits_for_no_answer() {
    let mut scene = Scene::new();
    let cookie = [0x72, 0xc6, 0x4b, 0xc6];
    let send = Stun::request(4).classic([7; 16]).attribute(0x000f, cookie).address(0x0011, PEER).data([9; 12]);
    scene.send(CLIENT, SERVER, send);
    scene.later(60);
    assert_eq!(report(&scene.pcap()).transactions.total, 0);
}

#[test]
fn an_indication_that_is_signed_is_verified_as_other_messages_are() {
    let mut scene = Scene::new();
    let signed = Stun::indication(method::BINDING).username("alice").realm("example.org").integrity(alice().key());
    scene.send(CLIENT, SERVER, signed);
    let report = report_with(&scene.pcap(), "[[credential]]\nusername = \"alice\"\npassword = \"secret\"\n");
    assert_eq!((report.credentials[0].verified, report.credentials[0].requests), (1, 1));
}

#[test]
fn what_a_relay_carries_is_told_with_its_peer_and_relayed_address() {
    let alice = alice();
    let mut scene = Scene::allocated(CLIENT, SERVER, NONCE, RELAYED);
    let (one, other) =
        (IceSide::new("aaaa", "password-of-aaaa-22-ch", 1), IceSide::new("bbbb", "password-of-bbbb-22-ch", 2));
    let check = scene::ice_check(&one, &other, true, |check| check).bytes();
    let sent = scene.after_ms(10).send_indication(CLIENT, SERVER, PEER, &check);
    scene.after_ms(10).channel_bind(CLIENT, SERVER, &alice, NONCE, (0x4001, PEER));
    let in_channel = scene.after_ms(10).channel_data(CLIENT, SERVER, 0x4001, payload::dtls_client_hello(0));
    let rows = rows(&scene.pcap());
    let nested = |frame: u64| rows.iter().filter(move |row| row.frame == frame).nth(1).expect("a nested message");
    assert_eq!(nested(sent.frame).layers, ["udp", "send", "stun"]);
    assert_eq!(nested(sent.frame).hop, Some((Some(PEER.to_owned()), Some(RELAYED.to_owned()))));
    assert_eq!(nested(in_channel.frame).layers, ["udp", "channel-data", "dtls"]);
    assert_eq!(
        nested(in_channel.frame).hop,
        Some((Some(PEER.to_owned()), Some(RELAYED.to_owned()))),
        "a channel counts from its request on, before the answer"
    );
}

#[test]
fn a_channel_bound_before_the_capture_starts_has_an_unknown_peer() {
    let mut scene = Scene::new();
    for sequence in 0..6 {
        scene.after_ms(20).channel_data(CLIENT, SERVER, 0x4000, payload::rtp(96, sequence, 0, 7, 100));
    }
    let report = report(&scene.pcap());
    assert!(
        report.counts.channel_data >= 4,
        "believed once it looks right again and again: {}",
        report.counts.channel_data
    );
    assert!(report.findings.iter().all(|finding| finding.severity != turnscope::report::Severity::Failure));
}

#[test]
fn a_channel_that_is_bound_under_an_allocation_from_before_the_capture_has_its_peer() {
    let login = alice();
    let sent_to = |used_before: bool| {
        let mut scene = Scene::new();
        let rtp = |sequence: u16| payload::rtp(96, sequence, u32::from(sequence) * 960, 7, 100);
        for sequence in 0..if used_before { 6 } else { 0 } {
            scene.after_ms(20).channel_data(CLIENT, SERVER, 0x4000, rtp(sequence));
        }
        let bind = scene.after_ms(20).channel_bind(CLIENT, SERVER, &login, "nonce-1", (0x4000, "192.0.2.7:4000"));
        scene.after_ms(1).granted(&bind, None, &login);
        for sequence in 6..12 {
            scene.after_ms(20).channel_data(CLIENT, SERVER, 0x4000, rtp(sequence));
        }
        let media = report(&scene.pcap()).media.items;
        media.iter().map(|stream| stream.dst.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(sent_to(false), ["192.0.2.7:4000"]);
    assert_eq!(sent_to(true), [SERVER], "one stream, not two");
}

#[test]
fn both_sides_of_a_nat_in_one_capture_are_one_transaction_and_a_mapping() {
    let mut scene = Scene::new();
    let request = scene.send(CLIENT, SERVER, binding());
    let outside = scene.after_us(300).forwarded(&request, "203.0.113.5:61000", SERVER);
    let answer = scene.after_ms(20).succeed(&outside, |success| success.xor_mapped("203.0.113.5:61000"));
    scene.after_us(300).forwarded(&answer, SERVER, CLIENT);
    let report = report(&scene.pcap());
    assert_eq!(report.nat.len(), 1);
    assert_eq!(report.nat[0].inside.to_string(), CLIENT);
    assert_eq!(report.nat[0].outside.to_string(), "203.0.113.5:61000");
    let asked: u64 = report.servers.iter().flat_map(|server| &server.transports).map(|one| one.asked).sum();
    assert_eq!(asked, 1, "counted once");
    assert_eq!(report.transactions.total, 1, "one transaction, seen twice");
}

#[test]
fn a_client_behind_two_nats_is_drawn_with_both_and_each_frame_proves_a_mapping_once() {
    let mut scene = Scene::new();
    let (between, outside) = ("100.64.1.1:41000", "203.0.113.5:61000");
    let alice = alice();
    for round in 0..3 {
        let request = match round {
            0 => scene.after_ms(50).allocate_as(CLIENT, SERVER, &alice, NONCE),
            _ => scene.after_ms(50).refresh(CLIENT, SERVER, &alice, NONCE, 600),
        };
        let request = scene.after_us(300).forwarded(&request, between, SERVER);
        let request = scene.after_us(300).forwarded(&request, outside, SERVER);
        let answer = Stun::success_to(&request.payload).xor_relayed(RELAYED).xor_mapped(outside).lifetime(600);
        let answer = scene.after_ms(20).send(SERVER, outside, answer);
        let answer = scene.after_us(300).forwarded(&answer, SERVER, between);
        scene.after_us(300).forwarded(&answer, SERVER, CLIENT);
    }
    let report = report(&scene.pcap());
    let told = turnscope::render::text::report(&report, &turnscope::render::text::Options::default());
    assert!(told.contains(&format!("{CLIENT} ──▶ {between} ──▶ {outside} ──▶ {SERVER}")), "{told}");
    for known in &report.nat {
        let frames: Vec<u64> = known.evidence.iter().map(|place| place.frame).collect();
        assert!(frames.windows(2).all(|pair| pair[0] != pair[1]), "{frames:?}");
        assert!(known.evidence_total >= frames.len() as u64, "{known:?}");
    }
}

#[test]
fn an_icmp_error_belongs_to_the_request_that_it_quotes_and_what_it_quotes_is_not_counted() {
    let mut scene = Scene::new();
    let request = scene.send(CLIENT, SERVER, binding());
    scene.after_ms(3).icmp_unreachable("10.0.0.1", &request);
    let report = report(&scene.pcap());
    assert_eq!(report.counts.stun["Binding request"], 1);
    assert_eq!(only(&report).outcome, TransactionOutcome::Unanswered);
}

#[test]
fn the_same_capture_gives_the_same_report_byte_for_byte() {
    let mut scene = Scene::new();
    for port in 50_000..50_200 {
        let client = format!("10.0.0.2:{port}");
        scene.after_ms(3).allocation(
            client.as_str(),
            SERVER,
            &alice(),
            NONCE,
            format!("192.0.2.1:{}", port - 1000).as_str(),
        );
    }
    let capture = scene.pcap();
    let json = |report: &Report| serde_json::to_string(report).unwrap();
    assert_eq!(json(&report(&capture)), json(&report(&capture)));
}

/// A mobile client (RFC 8016): an allocation with a ticket, a channel and data, and then a Refresh from another network, granted with this in it.
fn moved(dress: impl Fn(Stun) -> Stun) -> Scene {
    const MOBILITY_TICKET: u16 = 0x8030;
    const ELSEWHERE: &str = "10.64.0.9:40000";
    let login = alice();
    let mut scene = Scene::new();
    scene.allocate_challenge(CLIENT, SERVER, &login.realm, NONCE);
    let request = Stun::request(method::ALLOCATE).requested_transport(17).attribute(MOBILITY_TICKET, []);
    let request = scene.after_ms(10).send(CLIENT, SERVER, request.signed(&login, NONCE));
    scene.after_ms(10).succeed(&request, |success| {
        let success = success.xor_relayed(RELAYED).xor_mapped(CLIENT).lifetime(600);
        success.attribute(MOBILITY_TICKET, b"first ticket").integrity(login.key())
    });
    scene.talk(CLIENT, SERVER, &login, NONCE, (0x4000, PEER), 5).later(20);
    let request = || Stun::request(method::REFRESH).attribute(MOBILITY_TICKET, b"first ticket");
    let first = scene.send(ELSEWHERE, SERVER, request());
    scene.after_ms(10).challenge(&first, 401, "Unauthorized", &login.realm, "nonce-2");
    let again = scene.after_ms(10).send(ELSEWHERE, SERVER, request().signed(&login, "nonce-2"));
    scene.after_ms(10).succeed(&again, |success| dress(success.lifetime(600)).integrity(login.key()));
    // the old way is good until data comes by the new one
    for number in 5..15 {
        scene.after_ms(2000).channel_data(CLIENT, SERVER, 0x4000, payload::rtp(96, number, 0, 1, 100));
    }
    scene.media(ELSEWHERE, SERVER, 0x4000, 5).later(90).hang_up(ELSEWHERE, SERVER, &login, "nonce-2");
    scene
}

#[test]
fn an_allocation_follows_its_client_to_another_network_by_its_ticket() {
    let told = report(&moved(|success| success.attribute(0x8030, b"second ticket")).pcap());
    let [left, allocation] = told.allocations.as_slice() else { panic!("{:?}", told.allocations) };
    assert_eq!((left.client.to_string(), left.end), (CLIENT.to_owned(), AllocationEnd::Released));
    assert_eq!(left.moved_to.map(|client| client.to_string()).as_deref(), Some("10.64.0.9:40000"));
    assert_eq!((left.bytes_sent, left.bytes_received), (1680, 560));
    assert_eq!((allocation.client.to_string().as_str(), allocation.moved_to), ("10.64.0.9:40000", None));
    assert_eq!((allocation.end, allocation.refreshes), (AllocationEnd::Released, 1));
    assert_eq!((allocation.bytes_sent, allocation.bytes_received), (560, 560));
    assert_eq!((allocation.channels.len(), told.servers[0].peak_relays_udp), (1, 1));
    assert_eq!(support::calls::graver(&told), [""; 0]);
    assert_says(&told.headline, "within 30.0 ms");

    let shots = degrade::shots(&moved(|success| success.attribute(0x8030, b"second ticket")));
    let beyond = report(&degrade::pcap(&degrade::both_sides_of_a_nat(&shots, "10.64.0.9", "203.0.113.9")));
    assert_eq!(beyond.allocations[0].moved_to.map(|client| client.to_string()).as_deref(), Some("10.64.0.9:40000"));

    // a server that knows nothing of mobility gives no other ticket
    let stayed = report(&moved(|success| success).pcap());
    let [stays] = stayed.allocations.as_slice() else { panic!("{:?}", stayed.allocations) };
    assert_eq!((stays.client.to_string().as_str(), stays.end), (CLIENT, AllocationEnd::Open));
}
