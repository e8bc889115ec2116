//! Stories over TCP: the same answers as over UDP, and what only TCP has: connections that are refused, or never answered.

// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use support::analyze::{assert_says, finding, ids, report, rows};
use support::calls::{Faults, failures, graver};
use support::degrade::{self, Shot, shots};
use support::dtls::{Offer, Shake, again};
use support::ice::{Agents, plain};
use support::lookalikes::cases;
use support::tcp::{Tcp, over_tcp};
use support::*;
use turnscope::report::{Confidence, Report, Severity, Transport, TransportOutcome, Verdict};

const CLIENT: &str = "172.16.84.124:50000";
const SERVER: &str = "203.0.113.1:3478";
const RELAYED: &str = "203.0.113.1:24000";
const PEER: &str = "198.51.100.7:40000";

/// A call through a relay, as it would go over UDP.
fn call() -> Scene {
    let login = alice();
    let mut scene = Scene::allocated(CLIENT, SERVER, "n", RELAYED);
    scene.talk(CLIENT, SERVER, &login, "n", (0x4000, PEER), 6);
    scene.after_ms(100).hang_up(CLIENT, SERVER, &login, "n");
    scene.later(60);
    scene
}

fn on(shots: &[Shot]) -> Report {
    report(&degrade::pcap(shots))
}

// The same answers

#[test]
fn a_call_over_tcp_is_reported_as_the_same_call_over_udp_is() {
    let (udp, tcp) = (shots(&call()), over_tcp(&shots(&call())));
    let (udp, tcp) = (on(&udp), on(&tcp));
    assert_eq!((tcp.verdict, ids(&tcp)), (udp.verdict, ids(&udp)));
    assert_eq!(tcp.counts.stun, udp.counts.stun);
    assert_eq!(tcp.counts.channel_data, udp.counts.channel_data);
    assert_eq!((tcp.nat.len(), tcp.allocations.len()), (udp.nat.len(), 1));
    assert_eq!(tcp.servers[0].transports[0].transport, Transport::Tcp);
    assert_eq!(tcp.allocations[0].transport, Transport::Tcp);
    assert_eq!(tcp.allocations[0].bytes_sent, udp.allocations[0].bytes_sent);
    assert!(tcp.transactions.items.iter().all(|item| item.transport == Transport::Tcp));
    assert_eq!(tcp.counts.skipped, udp.counts.skipped);
}

#[test]
fn rows_say_what_the_messages_travel_in() {
    let mut told: Vec<String> = Vec::new();
    for row in rows(&degrade::pcap(&over_tcp(&shots(&call())))) {
        let layers = row.layers.join(" ");
        if !told.contains(&layers) {
            told.push(layers);
        }
    }
    assert_eq!(told, ["tcp stun", "tcp channel-data"]);
}

#[test]
fn the_same_ports_over_udp_and_tcp_are_two_conversations() {
    let login = alice();
    let mut both = shots(&Scene::allocated(CLIENT, SERVER, "n", RELAYED));
    let mut other = Scene::new();
    let request = other.after_ms(500).allocate_as(CLIENT, SERVER, &login, "m");
    other.after_ms(10).allocate_granted(&request, "203.0.113.1:24002", 600, &login);
    other.later(5);
    // transaction ids of the second scene would be those of the first
    both.extend(over_tcp(&shots(other.with_other_ids())));
    both.sort_by_key(|shot| shot.ns);
    let report = on(&both);
    assert_eq!(report.allocations.len(), 2, "{:?}", report.allocations);
    let transports: Vec<_> = report.servers[0].transports.iter().map(|each| (each.transport, each.allocated)).collect();
    assert_eq!(transports, [(Transport::Udp, 1), (Transport::Tcp, 1)]);
    assert!(report.nat.is_empty());
}

#[test]
fn display_filters_name_the_tcp_port() {
    let mut scene = Scene::new();
    let login = alice();
    scene.allocate_challenge(CLIENT, SERVER, "example.org", "n");
    let retry = scene.after_ms(20).allocate_as(CLIENT, SERVER, &login.with_password("wrong"), "n");
    scene.after_ms(20).refuse(&retry, 441, "Wrong Credentials");
    scene.later(30);
    let report = on(&over_tcp(&shots(&scene)));
    assert_eq!(ids(&report), ids(&on(&shots(&scene))));
    let filters: Vec<_> = report.findings.iter().filter_map(|finding| finding.filter.as_deref()).collect();
    assert!(filters.iter().any(|filter| filter.contains("tcp.port == 50000")), "{filters:?}");
    assert!(filters.iter().all(|filter| !filter.contains("udp.port")), "{filters:?}");
}

// Look-alikes

#[test]
fn that_a_host_may_have_had_a_way_over_tcp_is_said_of_that_host_alone() {
    let agents = Agents::new(CLIENT, PEER);
    let mut scene = Scene::new();
    for _ in 0..12 {
        scene.a_checks_in_vain(&agents, 1, 500).b_checks_in_vain(&agents, 1, 500);
    }
    scene.resolved(CLIENT);
    let checks = shots(scene.later(20));
    for (client, server, confidence) in [
        ("172.16.84.124:50001", SERVER, Confidence::Likely),
        ("172.16.84.125:50001", SERVER, Confidence::Certain),
        // which may be the same host
        ("[2001:db8::5]:50001", "[2001:db8::1]:3478", Confidence::Likely),
    ] {
        let mut other = Scene::new();
        let mut tcp = Tcp::open(&mut other, client, server);
        tcp.say(&mut other, 0, &Stun::request(method::ALLOCATE).requested_transport(17).tid([99; 12]).bytes());
        let report = on(&degrade::merged(&checks, &shots(&other)));
        assert_eq!(finding(&report, "ice-checks-unanswered").confidence, confidence, "{client}");
    }
}

#[test]
fn what_works_carries_no_failure_over_tcp_either() {
    let mut faults = Faults::default();
    for (name, scene, due) in cases() {
        let all = shots(&scene);
        let (before, report) = (on(&all), on(&over_tcp(&all)));
        let known = graver(&before);
        let undue = graver(&report).iter().any(|id| !due.contains(id) && !known.contains(id));
        if undue || !failures(&report).is_empty() {
            faults.add(name, "over TCP", &report);
        }
    }
}

#[test]
fn what_works_over_tcp_carries_no_failure_wherever_the_capture_starts_or_loses_a_frame() {
    let mut faults = Faults::default();
    for (name, scene, due) in cases() {
        if !due.is_empty() || name.contains("go unanswered since") {
            continue;
        }
        let all = over_tcp(&shots(&scene));
        for place in 1..all.len().min(40) {
            let mut without = all.clone();
            without.remove(place);
            for (how, kept) in [("from", &all[place..]), ("without", &without[..])] {
                let report = on(kept);
                if !failures(&report).is_empty() {
                    faults.add(name, &format!("over TCP, {how} frame {}", place + 1), &report);
                }
            }
        }
    }
}

#[test]
fn one_direction_of_a_call_over_tcp_carries_no_failure() {
    let all = over_tcp(&shots(&call()));
    let of = |ip: &str| -> Vec<Shot> {
        let ip: std::net::Ipv4Addr = ip.parse().unwrap();
        all.iter().filter(|shot| shot.bytes.get(26..30) == Some(&ip.octets()[..])).cloned().collect()
    };
    for ip in ["172.16.84.124", "203.0.113.1"] {
        let report = on(&of(ip));
        assert!(failures(&report).is_empty(), "{ip}: {}", support::calls::show(&report));
    }
}

// Silence over TCP

/// A connection that is opened, and an Allocate on it that nobody answers.
fn ignored(seconds: u64) -> Scene {
    let mut scene = Scene::new();
    let mut connection = Tcp::open(&mut scene, CLIENT, SERVER);
    let request = Stun::request(method::ALLOCATE).requested_transport(17).tid([7; 12]).bytes();
    connection.say(&mut scene, 0, &request);
    scene.later(seconds);
    scene
}

#[test]
fn one_request_on_an_open_connection_is_unanswered_once_its_time_is_over() {
    let report = report(&ignored(45).pcap());
    assert_eq!((report.verdict, ids(&report)), (Verdict::Failure, vec!["turn-no-response"]));
    let found = finding(&report, "turn-no-response");
    assert_eq!(found.confidence, Confidence::Certain);
    assert_says(&found.title, "does not answer over TCP: 1 Allocate request");
    assert!(found.fix.contains("over TLS") && !found.fix.contains("over TCP or TLS"), "{}", found.fix);
    assert_says(&found.explanation, "The connection as such was accepted (frame 2)");
    assert!(found.fix.contains("what takes the connection") && !found.fix.contains("open that port"), "{}", found.fix);
}

#[test]
fn a_request_that_waits_for_its_answer_is_no_failure_yet() {
    assert_eq!(ids(&report(&ignored(5).pcap())), [""; 0]);
    assert_eq!(finding(&report(&ignored(20).pcap()), "turn-no-response").confidence, Confidence::Likely);
}

#[test]
fn requests_of_which_one_direction_was_captured_are_not_called_unanswered() {
    let all: Vec<_> = shots(&ignored(60)).into_iter().filter(|shot| shot.bytes.get(26) != Some(&203)).collect();
    assert_eq!(ids(&on(&all)), [""; 0]);
}

/// The server takes an Allocate and ends the connection, after it said this.
fn hung_up(said: &[u8], reset: bool) -> Scene {
    let mut scene = Scene::new();
    let mut connection = Tcp::open(&mut scene, CLIENT, SERVER);
    let request = Stun::request(method::ALLOCATE).requested_transport(17).tid([7; 12]).bytes();
    connection.say(&mut scene, 0, &request);
    if !said.is_empty() {
        connection.say(scene.after_ms(20), 1, said);
    }
    connection.end(scene.after_ms(5), 1, reset);
    scene.later(5);
    scene
}

#[test]
fn a_server_that_hangs_up_instead_of_answering_is_the_failure() {
    for (said, reset) in [(&b""[..], false), (b"", true), (b"220 mail.example.org ESMTP\r\n", false)] {
        let report = report(&hung_up(said, reset).pcap());
        assert_eq!((report.verdict, ids(&report)), (Verdict::Failure, vec!["turn-no-response"]), "{said:?} {reset}");
        let found = finding(&report, "turn-no-response");
        assert_eq!(found.confidence, Confidence::Certain);
        let told = "203.0.113.1:3478 closes the TCP connection of 172.16.84.124:50000 instead of answering its Allocate request";
        assert_eq!(found.title, told);
    }
}

#[test]
fn a_web_server_that_answers_in_place_of_turn_is_told_with_its_status() {
    let told = report(&hung_up(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", false).pcap());
    let found = finding(&told, "turn-no-response");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
    assert!(found.title.ends_with("over TCP with HTTP status 400"), "{}", found.title);
    let explanation = &found.explanation;
    assert!(explanation.contains("HTTP status 400 (frame 5): a web server listens there"), "{explanation}");
    let told = report(&hung_up(b"", false).pcap());
    assert!(!finding(&told, "turn-no-response").explanation.contains("HTTP status"));
}

/// A client that ends its connection after so many seconds without an answer.
fn gave_up(seconds: u64, header: &[u8], in_one_segment: bool) -> Scene {
    let mut scene = Scene::new();
    let mut connection = Tcp::open(&mut scene, CLIENT, SERVER);
    let request = Stun::request(method::ALLOCATE).requested_transport(17).tid([7; 12]).bytes();
    if in_one_segment {
        connection.say(&mut scene, 0, &[header, &request].concat());
    } else {
        connection.say(&mut scene, 0, header);
        connection.say(&mut scene, 0, &request);
    }
    connection.close(scene.after_ms(seconds * 1000), 0);
    scene.later(5);
    scene
}

#[test]
fn a_client_that_ends_its_connection_after_it_waited_in_vain_is_likely_not_answered() {
    let told = report(&gave_up(6, b"", true).pcap());
    let found = finding(&told, "turn-no-response");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
    assert_says(&found.explanation, "sent 1 Allocate request to");
    assert_eq!(ids(&report(&gave_up(1, b"", true).pcap())), [""; 0], "it may not need it any more");
}

#[test]
fn a_proxy_header_before_a_request_that_nobody_answers_is_told() {
    let binary = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &[7; 12]].concat();
    let text = b"PROXY TCP4 192.0.2.1 203.0.113.1 40000 3478\r\n".to_vec();
    for (header, behind) in [(binary, "7.7.7.7:1799"), (text, "192.0.2.1:40000")] {
        for in_one_segment in [false, true] {
            let told = report(&gave_up(6, &header, in_one_segment).pcap());
            let found = finding(&told, "turn-no-response");
            assert_says(&found.explanation, "header of the PROXY protocol (frame 4)");
            assert_says(&found.explanation, &format!("stands for, here {behind};"));
            assert_says(&found.fix, "send no PROXY header");
        }
    }
}

#[test]
fn a_call_behind_a_proxy_header_is_read_as_any() {
    let mut scene = Scene::new();
    let mut connection = Tcp::open(&mut scene, CLIENT, SERVER);
    connection.say(&mut scene, 0, b"PROXY TCP4 192.0.2.1 203.0.113.1 40000 3478\r\n");
    connection.allocate(&mut scene, &alice(), RELAYED, 17);
    let told = report(&scene.later(5).pcap());
    assert_eq!((told.verdict, told.allocations.len()), (Verdict::Healthy, 1));
    let behind = [told.allocations[0].proxied_for, told.authentications[0].proxied_for];
    assert_eq!(
        behind.map(|behind| behind.map(|behind| behind.to_string())),
        [(); 2].map(|()| Some("192.0.2.1:40000".into()))
    );
}

#[test]
fn one_direction_of_a_server_that_hangs_up_tells_nothing() {
    for ip in [[172, 16, 84, 124], [203, 0, 113, 1]] {
        let all: Vec<_> =
            shots(&hung_up(b"", false)).into_iter().filter(|shot| shot.bytes.get(26..30) != Some(&ip[..])).collect();
        assert_eq!(ids(&on(&all)), [""; 0]);
    }
}

// Connections that come to nothing

#[test]
fn a_syn_that_a_reset_answers_is_a_refusal() {
    let mut scene = Scene::new();
    let frames = Tcp::refused(&mut scene, CLIENT, SERVER);
    scene.later(5);
    let report = report(&scene.pcap());
    assert_eq!((report.verdict, ids(&report)), (Verdict::Failure, vec!["turn-unreachable"]));
    let found = finding(&report, "turn-unreachable");
    assert_says(&found.title, "203.0.113.1:3478 refuses TCP connections");
    let places: Vec<u64> = found.places.iter().map(|place| place.frame).collect();
    assert_eq!(places, frames);
    assert_eq!(
        found.filter.as_deref(),
        Some("(ip.addr == 172.16.84.124 && ip.addr == 203.0.113.1 && tcp.port == 3478)")
    );
}

#[test]
fn a_server_that_serves_by_dtls_and_refuses_tcp_took_no_connection_of_it() {
    let mut scene = Scene::new();
    let mut shake = Shake::between("172.16.84.124:40000", "203.0.113.1:5349");
    shake.client_says(&mut scene, |client| client.client_hello(&Offer { srtp: Vec::new(), ..Offer::default() }));
    shake.server_flight(&mut scene);
    shake.client_flight(&mut scene);
    shake.last_flight(&mut scene);
    shake.talk(&mut scene, 3);
    for client in ["192.0.2.9:50000", "192.0.2.9:50001"] {
        Tcp::refused(&mut scene, client, "203.0.113.1:5349");
    }
    scene.later(5);
    let report = report(&scene.pcap());
    assert_says(&finding(&report, "turn-unreachable").explanation, "No process listens on that port");
}

#[test]
fn a_refusal_in_a_capture_of_headers_alone_is_only_likely_one_of_a_turn_server() {
    let told = |length: usize, speaks: bool| {
        let mut scene = Scene::new();
        if speaks {
            scene.allocate_challenge(CLIENT, "203.0.113.9:3478", "example.org", "nonce");
        }
        Tcp::refused(&mut scene, CLIENT, SERVER);
        let report = on(&degrade::snapped(&shots(scene.later(5)), length));
        finding(&report, "turn-unreachable").clone()
    };
    let found = told(54, false);
    assert_eq!(found.confidence, Confidence::Likely);
    assert_says(&found.explanation, "by the port alone");
    assert_eq!(told(62, true).confidence, Confidence::Certain, "what is left of a datagram shows STUN");
    assert_eq!(told(128, false).confidence, Confidence::Certain);
}

#[test]
fn a_syn_that_nothing_answers_is_silence() {
    let mut scene = Scene::new();
    Tcp::knock(&mut scene, CLIENT, SERVER);
    scene.later(5).resolved(CLIENT);
    let report = report(&scene.pcap());
    assert_eq!((report.verdict, ids(&report)), (Verdict::Failure, vec!["turn-unreachable"]));
    let title = &finding(&report, "turn-unreachable").title;
    assert!(title.contains("does not answer over TCP: 4 SYNs of 172.16.84.124 went unanswered"), "{title}");
}

#[test]
fn a_client_that_gives_up_after_its_second_syn_likely_found_silence() {
    let told = |silence| {
        let mut scene = Scene::new();
        let connection = Tcp::running(CLIENT, SERVER);
        connection.clone().syn(&mut scene);
        connection.clone().syn(scene.after_ms(1000));
        scene.after_ms(silence).resolved(CLIENT);
        report(&scene.pcap())
    };
    let gave_up = told(4000);
    assert_eq!((gave_up.verdict, ids(&gave_up)), (Verdict::Warning, vec!["turn-unreachable"]));
    let found = finding(&gave_up, "turn-unreachable");
    assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Likely));
    assert!(found.explanation.contains("sent its SYN 2 times within 1 second ("), "{}", found.explanation);
    assert_eq!(ids(&told(1500)), [""; 0], "a third may still come");
}

#[test]
fn silence_over_udp_is_sure_where_any_connection_of_the_client_was_answered() {
    let told = |answered: bool| {
        let mut scene = Scene::new();
        if answered {
            Tcp::open(&mut scene, CLIENT, "198.51.100.80:443");
        }
        scene.send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 7);
        finding(&on(&shots(scene.later(60))), "turn-no-response").confidence
    };
    assert_eq!((told(true), told(false)), (Confidence::Certain, Confidence::Likely));
}

#[test]
fn one_lost_syn_is_no_silence() {
    let mut scene = Scene::new();
    let connection = Tcp::running(CLIENT, SERVER);
    connection.clone().syn(&mut scene);
    Tcp::open(scene.after_ms(1000), CLIENT, SERVER);
    scene.later(60);
    assert_eq!(ids(&report(&scene.pcap())), [""; 0]);
}

#[test]
fn an_icmp_error_that_quotes_the_syn_is_told_with_its_sender() {
    let mut scene = Scene::new();
    let mut connection = Tcp::running(CLIENT, SERVER);
    let frame = connection.syn(&mut scene);
    let quoted = scene.frames().nth(frame as usize - 1).unwrap().1[14..].to_vec();
    let about =
        Sent { frame, from: CLIENT.parse().unwrap(), to: SERVER.parse().unwrap(), payload: Vec::new(), packet: quoted };
    scene.after_ms(3).icmp("172.16.84.1", Icmp::Prohibited, &about);
    scene.later(5);
    let report = report(&scene.pcap());
    assert_eq!(ids(&report), ["turn-unreachable"]);
    let found = finding(&report, "turn-unreachable");
    assert!(found.title.contains("172.16.84.1 forbids the way") && found.fix.contains("Permit TCP"), "{found:?}");
}

#[test]
fn a_refusal_on_another_port_is_nobodys_business_unless_stun_was_spoken_there() {
    for port in [80, 443, 5060, 8443, 3479] {
        let mut scene = Scene::new();
        Tcp::refused(&mut scene, CLIENT, &format!("203.0.113.1:{port}"));
        scene.later(5);
        assert_eq!(ids(&report(&scene.pcap())), [""; 0], "{port}");
    }
    // the client asked that address by STUN, and falls back to 443
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 4);
    Tcp::refused(scene.after_ms(100), CLIENT, "203.0.113.1:443");
    scene.later(10);
    let report = report(&scene.pcap());
    assert!(ids(&report).contains(&"turn-unreachable"), "{:?}", ids(&report));
}

#[test]
fn a_host_that_looks_for_open_ports_is_no_client() {
    let mut scene = Scene::new();
    for port in 3470..3490 {
        Tcp::refused(scene.after_ms(20), "198.51.100.99:40000", &format!("203.0.113.1:{port}"));
    }
    scene.later(5);
    assert_eq!(ids(&report(&scene.pcap())), [""; 0]);
}

#[test]
fn a_client_that_has_its_relay_over_udp_is_only_warned() {
    let mut scene = call();
    Tcp::refused(&mut scene, CLIENT, SERVER);
    scene.later(5);
    let report = report(&scene.pcap());
    assert_eq!(finding(&report, "turn-unreachable").severity, Severity::Warning);
    assert_eq!(report.verdict, Verdict::Warning);
}

/// A connection that is open, a request on it, and a router's answer to that segment.
fn turned_away() -> (Scene, Tcp, Vec<u8>) {
    let mut scene = Scene::new();
    let mut connection = Tcp::open(&mut scene, CLIENT, SERVER);
    let request = Stun::request(method::ALLOCATE).requested_transport(17).tid([7; 12]).bytes();
    let frame = connection.say(&mut scene, 0, &request);
    let quoted = scene.frames().nth(frame as usize - 1).unwrap().1[14..].to_vec();
    let about =
        Sent { frame, from: CLIENT.parse().unwrap(), to: SERVER.parse().unwrap(), payload: Vec::new(), packet: quoted };
    scene.after_ms(3).icmp("172.16.84.1", Icmp::HostUnreachable, &about);
    (scene, connection, request)
}

#[test]
fn an_icmp_error_that_quotes_a_request_on_an_open_connection_is_told_with_its_sender() {
    let (mut scene, ..) = turned_away();
    scene.later(60);
    let report = report(&scene.pcap());
    assert_eq!((report.verdict, ids(&report)), (Verdict::Failure, vec!["turn-unreachable"]));
    let found = finding(&report, "turn-unreachable");
    assert_says(&found.title, "172.16.84.1 cannot deliver");
    let told = report.servers[0].transports[0].icmp.as_ref().unwrap();
    assert_eq!((told.kind.as_str(), told.sender.as_str()), ("host unreachable", "172.16.84.1"));
}

#[test]
fn an_icmp_error_after_which_tcp_delivers_all_the_same_is_no_failure() {
    let (mut scene, mut connection, request) = turned_away();
    connection.seq[0] = connection.seq[0].wrapping_sub(request.len() as u32);
    connection.say(scene.after_ms(200), 0, &request);
    let answer = Stun::error_to(&request, 401, "Unauthorized").realm("example.org").nonce("n");
    connection.say(scene.after_ms(20), 1, &answer.bytes());
    scene.later(60);
    assert!(!ids(&report(&scene.pcap())).contains(&"turn-unreachable"));
}

// What was tried

#[test]
fn every_transport_that_was_tried_is_on_the_scoreboard_with_what_came_of_it() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 4);
    Tcp::refused(scene.after_ms(100), CLIENT, SERVER);
    Tcp::knock(scene.after_ms(100), CLIENT, "203.0.113.1:443");
    let mut works = Tcp::open(scene.after_ms(100), "172.16.84.124:50007", "203.0.113.2:3478");
    works.allocate(&mut scene, &alice(), RELAYED, 17);
    scene.later(60);
    let report = report(&scene.pcap());
    let told: Vec<_> = report
        .servers
        .iter()
        .flat_map(|server| {
            server.transports.iter().map(move |it| (server.address.to_string(), it.transport, it.outcome))
        })
        .collect();
    let server = |text: &str| text.to_owned();
    assert_eq!(
        told,
        [
            (server(SERVER), Transport::Udp, TransportOutcome::Unanswered),
            (server(SERVER), Transport::Tcp, TransportOutcome::Refused),
            (server("203.0.113.1:443"), Transport::Tcp, TransportOutcome::Unanswered),
            (server("203.0.113.2:3478"), Transport::Tcp, TransportOutcome::Allocated),
        ]
    );
    let connections = |server: usize, way: usize| report.servers[server].transports[way].connections.clone();
    assert!(connections(0, 0).is_none(), "UDP has none");
    assert_eq!(connections(0, 1).map(|known| (known.tried, known.opened, known.refused)), Some((1, 0, 1)));
    assert_eq!(connections(1, 0).map(|known| (known.tried, known.unanswered_syns)), Some((1, 4)));
    assert_eq!(connections(2, 0).and_then(|known| known.handshake_us), Some(10_000));
}

#[test]
fn knocks_of_a_scanner_are_not_on_the_scoreboard() {
    let mut scene = call();
    for port in 3470..3490 {
        Tcp::refused(scene.after_ms(20), "198.51.100.99:40000", &format!("203.0.113.1:{port}"));
    }
    scene.later(5);
    let report = report(&scene.pcap());
    let [server] = &report.servers[..] else { panic!("{:?}", report.servers) };
    assert_eq!(server.transports.len(), 1);
}

#[test]
fn who_knocks_once_at_a_server_that_serves_others_looks_for_open_ports() {
    let mut scene = call();
    Tcp::refused(scene.after_ms(20), "198.51.100.99:40000", "203.0.113.1:5349");
    scene.later(5);
    let told = report(&scene.pcap());
    assert_eq!(told.verdict, Verdict::Healthy, "{}", told.headline);
    Tcp::refused(scene.after_ms(20), "198.51.100.99:40001", "203.0.113.1:5349");
    scene.later(5);
    assert!(ids(&report(&scene.pcap())).contains(&"turn-unreachable"));
}

#[test]
fn a_syn_that_nobody_answers_is_certainly_unanswered_only_where_an_answer_would_be_seen() {
    let mut scene = Scene::new();
    Tcp::knock(&mut scene, CLIENT, SERVER);
    scene.later(30);
    assert_eq!(finding(&report(&scene.pcap()), "turn-unreachable").confidence, Confidence::Likely);
    scene.resolved(CLIENT);
    assert_eq!(finding(&report(&scene.pcap()), "turn-unreachable").confidence, Confidence::Certain);
}

// UDP silent, TCP works

#[test]
fn silence_over_udp_and_a_relay_over_tcp_is_a_fallback() {
    let mut scene = Scene::new();
    scene.send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 5);
    let mut all = shots(&scene);
    let mut other = Scene::new();
    other.after_ms(12_000);
    other.with_other_ids().allocation("172.16.84.124:50007", SERVER, &alice(), "n", RELAYED);
    other.talk("172.16.84.124:50007", SERVER, &alice(), "n", (0x4000, PEER), 3);
    other.later(5);
    all.extend(over_tcp(&shots(&other)));
    let report = on(&all);
    assert_eq!(report.verdict, Verdict::Warning, "{:?}", ids(&report));
    assert_eq!(finding(&report, "turn-no-response").severity, Severity::Warning);
    let found = finding(&report, "turn-fallback");
    assert_eq!(found.severity, Severity::Note);
    assert!(
        found.title.contains("UDP to 203.0.113.1 is silent") && found.title.contains("over TCP"),
        "{}",
        found.title
    );
}

#[test]
fn tcp_beside_udp_that_works_is_no_fallback() {
    let mut all = shots(&call());
    let mut other = Scene::new();
    other.after_ms(100).with_other_ids().allocation("172.16.84.124:50007", SERVER, &alice(), "n", RELAYED);
    other.later(5);
    all.extend(over_tcp(&shots(&other)));
    all.sort_by_key(|shot| shot.ns);
    assert!(!ids(&on(&all)).contains(&"turn-fallback"));
}

// Connections that are closed under a live allocation

/// An allocation over TCP, and a minute of keepalives.
fn allocated() -> (Scene, Tcp) {
    let mut scene = Scene::new();
    let mut connection = Tcp::open(&mut scene, CLIENT, SERVER);
    connection.allocate(&mut scene, &alice(), RELAYED, 17);
    for second in 1..4 {
        let refresh = Stun::request(method::REFRESH).tid([second; 12]).lifetime(600).signed(&alice(), "n");
        connection.ask(scene.after_ms(5000), &refresh, |asked| {
            Stun::success_to(asked).lifetime(600).integrity(alice().key())
        });
    }
    (scene, connection)
}

fn release(scene: &mut Scene, connection: &mut Tcp, answered: bool) {
    let refresh = Stun::request(method::REFRESH).tid([9; 12]).lifetime(0).signed(&alice(), "n");
    if answered {
        connection.ask(scene, &refresh, |asked| Stun::success_to(asked).lifetime(0).integrity(alice().key()));
    } else {
        connection.say(scene, 0, &refresh.bytes());
    }
}

#[test]
fn a_relay_is_not_silent_where_the_capture_lacks_bytes_of_the_servers_stream() {
    let (mut scene, mut connection) = allocated();
    let bind = Stun::request(method::CHANNEL_BIND).tid([7; 12]).channel_number(0x4000).xor_peer(PEER);
    connection
        .ask(scene.after_ms(20), &bind.signed(&alice(), "n"), |asked| Stun::success_to(asked).integrity(alice().key()));
    let bound = shots(&scene).len();
    let data = [&[0x40, 0, 0, 70][..], &[0x90; 70], &[0, 0]].concat();
    for _ in 0..20 {
        connection.say(scene.after_ms(300), 0, &data);
        connection.say(scene.after_ms(20), 1, &data);
    }
    let all = shots(scene.later(5));
    let without = [&all[..bound + 1], &all[bound + 2..]].concat();
    // 54 bytes of headers, and the data without its padding
    for (how, kept) in [("whole", all.clone()), ("lacking one", without), ("cut", degrade::snapped(&all, 54 + 74))] {
        let report = on(&kept);
        assert!(!ids(&report).contains(&"turn-relay-silent"), "{how}: {}", support::calls::show(&report));
        let received = report.allocations[0].bytes_received;
        assert_eq!(received, if how == "lacking one" { 0 } else { 20 * 70 }, "{how}");
    }
}

const CLOSED: &str = "turn-connection-closed";

#[test]
fn a_server_that_closes_or_resets_the_connection_of_a_live_allocation_is_named() {
    for reset in [false, true] {
        let (mut scene, mut connection) = allocated();
        connection.end(scene.after_ms(3000), 1, reset);
        scene.later(60);
        let report = report(&scene.pcap());
        assert_eq!((report.verdict, ids(&report)), (Verdict::Warning, vec![CLOSED, "turn-challenge"]), "{reset}");
        let found = finding(&report, CLOSED);
        assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain));
        let did = if reset { "was reset by 203.0.113.1:3478" } else { "was closed by 203.0.113.1:3478" };
        assert!(
            found.title.starts_with("The TCP connection of 172.16.84.124:50000") && found.title.contains(did),
            "{}",
            found.title
        );
        assert_says(&found.fix, "log of 203.0.113.1:3478");
        assert_eq!(found.subject.relayed.map(|relayed| relayed.to_string()).as_deref(), Some(RELAYED));
        assert_eq!(
            found.filter.as_deref(),
            Some("ip.addr == 172.16.84.124 && ip.addr == 203.0.113.1 && tcp.port == 50000")
        );
        let places: Vec<u64> = found.places.iter().map(|place| place.frame).collect();
        assert_eq!(places, [7, 14]);
        let server = &report.servers[0].transports[0];
        let told = server.connections.as_ref().unwrap();
        assert_eq!((told.tried, told.opened, told.reset_by_server), (1, 1, u64::from(reset)));
    }
}

#[test]
fn a_connection_that_is_closed_after_a_long_silence_asks_for_keepalives() {
    let (mut scene, mut connection) = allocated();
    connection.reset(scene.after_ms(300_000), 1);
    scene.later(5);
    let report = report(&scene.pcap());
    let found = finding(&report, CLOSED);
    assert_says(&found.title, "after 5 minutes without a message");
    assert_says(&found.fix, "keepalives more often than every 5 minutes");
}

#[test]
fn a_reset_from_another_distance_is_not_the_servers() {
    let (mut scene, connection) = allocated();
    let ip = support::packet::Ip { id: 7, ttl: 41 };
    let [of_client, of_server] = connection.seq;
    let packet = support::packet::tcp(SERVER, CLIENT, ip, of_server, of_client, 0x14, &[]);
    scene.after_ms(500).packet(&packet);
    scene.later(5);
    let report = report(&scene.pcap());
    let found = finding(&report, CLOSED);
    assert_says(&found.title, "in the name of 203.0.113.1:3478");
    assert!(found.explanation.contains("hop limit 41") && found.fix.contains("firewall"), "{found:?}");
}

#[test]
fn a_server_that_hands_on_its_peers_hop_limits_resets_with_any_of_them() {
    for (ttl, forged) in [(62, false), (64, false), (255, true)] {
        let (mut scene, connection) = allocated();
        let [of_client, of_server] = connection.seq;
        let relayed = payload::channel_data(0x4000, [7; 8]);
        let from_server = |ttl, seq, flags, payload: &[u8]| {
            support::packet::tcp(SERVER, CLIENT, support::packet::Ip { id: 7, ttl }, seq, of_client, flags, payload)
        };
        let data = from_server(61, of_server, 0x18, &relayed);
        scene.after_ms(500).packet(&data);
        let reset = from_server(ttl, of_server.wrapping_add(relayed.len() as u32), 0x14, &[]);
        scene.after_ms(500).packet(&reset);
        scene.later(5);
        let report = report(&scene.pcap());
        let found = finding(&report, CLOSED);
        assert_eq!(found.title.contains("in the name of"), forged, "{}", found.title);
        assert_eq!(found.explanation.contains("bears 61 to 64"), forged, "{}", found.explanation);
    }
}

#[test]
fn a_client_that_hangs_up_is_no_fault() {
    for (release_first, reset) in [(false, false), (false, true), (true, false), (true, true)] {
        let (mut scene, mut connection) = allocated();
        if release_first {
            release(&mut scene, &mut connection, true);
        }
        if reset {
            connection.reset(scene.after_ms(20), 0);
        } else {
            connection.close(scene.after_ms(20), 0);
            connection.reset(scene.after_ms(20), 1);
        }
        scene.later(60);
        let report = report(&scene.pcap());
        assert_eq!(ids(&report), ["turn-challenge"], "{release_first} {reset}");
    }
}

#[test]
fn a_reset_by_a_client_that_comes_back_at_once_was_not_meant() {
    let (mut scene, mut connection) = allocated();
    connection.reset(scene.after_ms(500), 0);
    let mut again = Tcp::open(scene.after_ms(500), "172.16.84.124:50006", SERVER);
    again.allocate(&mut scene, &alice(), "203.0.113.1:24002", 17);
    scene.later(60);
    let report = report(&scene.pcap());
    assert_eq!(finding(&report, CLOSED).confidence, Confidence::Likely);
}

#[test]
fn a_server_that_closes_after_the_end_of_the_allocation_is_no_fault() {
    for how in ["released", "release unanswered", "expired", "never made"] {
        let (mut scene, mut connection) = match how {
            "never made" => {
                let mut scene = Scene::new();
                let mut connection = Tcp::open(&mut scene, CLIENT, SERVER);
                connection.ask(&mut scene, &Stun::request(method::BINDING).tid([4; 12]), |asked| {
                    Stun::success_to(asked).xor_mapped(CLIENT)
                });
                (scene, connection)
            }
            _ => allocated(),
        };
        match how {
            "released" => release(&mut scene, &mut connection, true),
            "release unanswered" => release(&mut scene, &mut connection, false),
            "expired" => _ = scene.after_ms(700_000),
            _ => {}
        }
        connection.close(scene.after_ms(20), 1);
        scene.later(5);
        assert!(!ids(&report(&scene.pcap())).contains(&CLOSED), "{how}");
    }
}

#[test]
fn a_server_that_answers_a_fin_which_the_capture_lacks_did_not_close() {
    let (mut scene, mut connection) = allocated();
    connection.close(scene.after_ms(20), 0);
    scene.later(5);
    let mut all = shots(&scene);
    let fin = all
        .iter()
        .position(|shot| shot.bytes.get(26) == Some(&172) && shot.bytes.get(47).is_some_and(|flags| flags & 1 > 0));
    all.remove(fin.unwrap());
    assert_eq!(ids(&on(&all)), ["turn-challenge"]);
}

// The padding of ChannelData

/// ChannelData of these lengths with DTLS records in it, which are shorter by what is given.
fn padded(lengths: &[(usize, usize)], pads: bool) -> Scene {
    let (mut scene, mut connection) = allocated();
    for (number, &(length, beyond)) in lengths.iter().enumerate() {
        let mut record = support::payload::dtls_record(23, 0xfefd, 1, number as u64, &vec![0x5a; length - 13 - beyond]);
        record.resize(length, 0);
        let mut message = support::payload::channel_data(0x4000, record);
        if pads {
            message.resize(message.len().next_multiple_of(4), 0);
        }
        connection.say(scene.after_ms(20), 0, &message);
    }
    release(&mut scene, &mut connection, true);
    scene.later(5);
    scene
}

const PADDING: &str = "turn-channel-padding";

#[test]
fn padding_that_is_counted_as_data_names_its_sender() {
    let report = report(&padded(&[(64, 3), (100, 1), (80, 0), (120, 2)], true).pcap());
    let found = finding(&report, PADDING);
    assert_eq!((found.severity, found.confidence), (Severity::Warning, Confidence::Certain));
    assert_says(&found.title, "172.16.84.124:50000 counts the padding");
    assert_says(&found.fix, "client");
    assert_eq!(found.places.len(), 3);
}

#[test]
fn padding_counted_once_is_only_likely() {
    let report = report(&padded(&[(64, 3), (100, 0)], true).pcap());
    assert_eq!(finding(&report, PADDING).confidence, Confidence::Likely);
}

#[test]
fn data_of_any_length_with_its_padding_is_no_fault() {
    for lengths in [&[(61, 0), (62, 0), (63, 0), (64, 0)][..], &[(61, 0), (64, 1), (64, 3)]] {
        assert!(!ids(&report(&padded(lengths, true).pcap())).contains(&PADDING), "{lengths:?}");
    }
}

#[test]
fn channel_data_without_its_padding_names_its_sender() {
    let report = report(&padded(&[(61, 0), (62, 0), (63, 0), (64, 0)], false).pcap());
    let found = finding(&report, PADDING);
    assert_eq!(found.confidence, Confidence::Certain);
    assert_says(&found.title, "sends ChannelData without padding over TCP");
}

#[test]
fn a_server_that_counts_the_padding_of_datagrams_is_why_a_hello_stays_without_an_answer() {
    // turn-rs passes 137 bytes of pion on as 140; the DTLS of its receiver drops them
    let scene = |beyond: usize| {
        let login = alice();
        let mut scene = Scene::allocated(CLIENT, SERVER, "n", RELAYED);
        let bind = scene.after_ms(10).channel_bind(CLIENT, SERVER, &login, "n", (0x4000, "192.0.2.7:4000"));
        scene.after_ms(10).granted(&bind, None, &login);
        let agents = Agents::new("192.0.2.7:4000", RELAYED);
        let mut shake = Shake::between(CLIENT, SERVER);
        let hello = shake.client.client_hello(&Offer::default());
        let mut sent = hello.clone();
        for number in 0..6 {
            let check = agents.message(plain).tid([number; 12]).bytes();
            scene.after_ms(20).channel_data(SERVER, CLIENT, 0x4000, &check);
            scene.after_ms(1).channel_data(
                CLIENT,
                SERVER,
                0x4000,
                Stun::success_to(&check).xor_mapped("192.0.2.7:4000").bytes(),
            );
            let own = support::scene::ice_check(&agents.b, &agents.a, false, plain).tid([number + 100; 12]).bytes();
            scene.after_ms(20).channel_data(CLIENT, SERVER, 0x4000, &own);
            scene.after_ms(1).channel_data(SERVER, CLIENT, 0x4000, Stun::success_to(&own).xor_mapped(RELAYED).bytes());
            let length = sent.len() + if beyond > 0 { 4 - sent.len() % 4 } else { 0 };
            sent.resize(length, 0);
            scene.after_ms(200 << number).channel_data(SERVER, CLIENT, 0x4000, sent);
            sent = again(&mut shake.client, &hello);
        }
        scene.later(5);
        report(&scene.pcap())
    };
    let told = scene(3);
    assert_eq!(told.headline_finding.as_deref(), Some(PADDING));
    let cause = finding(&told, "dtls-no-answer").caused_by.as_deref();
    assert!(cause.is_some_and(|key| key.starts_with(PADDING)), "{cause:?}");
    assert!(!finding(&told, PADDING).fix.contains("over UDP"));
    assert!(!ids(&scene(0)).contains(&PADDING));
}

#[test]
fn over_udp_nobody_needs_padding() {
    let mut scene = Scene::allocated(CLIENT, SERVER, "n", RELAYED);
    for length in [61, 62, 63] {
        scene.after_ms(20).channel_data(CLIENT, SERVER, 0x4000, vec![0x80; length]);
    }
    scene.later(5);
    assert!(!ids(&report(&scene.pcap())).contains(&PADDING));
}

// HTTP proxies

const PROXY: &str = "10.0.0.80:3128";

/// A client asks the proxy for a connection, and is answered by this line.
fn by_proxy(scene: &mut Scene, client: &str, target: &str, answers: &[&str]) -> Tcp {
    let mut tcp = Tcp::open(scene, client, PROXY);
    for answer in answers {
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Connection: Keep-Alive\r\n\r\n");
        tcp.say(scene.after_ms(10), 0, request.as_bytes());
        tcp.say(scene.after_ms(10), 1, format!("HTTP/1.1 {answer}\r\nVia: 1.1 proxy\r\n\r\n").as_bytes());
    }
    tcp
}

const YES: &str = "200 Connection established";
const TARGET: &str = "turn.example.org:3478";

#[test]
fn what_a_proxy_passes_on_is_followed_from_its_yes_and_the_proxy_is_called_one() {
    for answers in [&[YES][..], &["407 Proxy Authentication Required", "407 Proxy Authentication Required", YES]] {
        let mut scene = Scene::new();
        let mut tcp = by_proxy(&mut scene, CLIENT, TARGET, answers);
        tcp.allocate(&mut scene, &alice(), RELAYED, 17);
        tcp.close(&mut scene, 0);
        let told = report(&scene.later(5).pcap());
        assert_eq!(told.verdict, Verdict::Healthy, "{}", told.headline);
        let tried = told.servers.iter().find(|known| known.address.to_string() == PROXY).unwrap();
        assert!(
            tried.transports.iter().any(|known| known.connections.as_ref().is_some_and(|of| of.handshake_us.is_some())),
            "the connection is known from its SYN on"
        );
        // what goes wrong is said of the server beyond
        let mut scene = Scene::new();
        let mut tcp = by_proxy(&mut scene, CLIENT, TARGET, answers);
        let request = || Stun::request(method::ALLOCATE).requested_transport(17);
        let no = |asked: &[u8]| Stun::error_to(asked, 401, "Unauthorized").realm("example.org").nonce("n");
        tcp.ask(&mut scene, &request().tid([1; 12]), no);
        tcp.ask(&mut scene, &request().tid([2; 12]).signed(&alice(), "n"), no);
        let told = report(&scene.later(30).pcap());
        let found = finding(&told, "turn-integrity-rejected");
        let words = format!("{PROXY} is an HTTP proxy, which 172.16.84.124 asked for a connection to {TARGET}");
        assert_says(&found.explanation, &words);
    }
}

#[test]
fn a_request_that_goes_unanswered_behind_a_proxy_is_judged_as_any_over_tcp() {
    let mut scene = Scene::new();
    let mut tcp = by_proxy(&mut scene, CLIENT, TARGET, &[YES]);
    tcp.say(&mut scene, 0, &Stun::request(method::ALLOCATE).requested_transport(17).tid([1; 12]).bytes());
    let told = report(&scene.later(60).pcap());
    assert_eq!(finding(&told, "turn-no-response").confidence, Confidence::Certain);
}

#[test]
fn what_a_proxy_answers_is_never_taken_for_a_web_server_where_turn_is_expected() {
    let hung_up = |asked: &[&str], lost: bool, late: bool| {
        let mut scene = Scene::new();
        let mut tcp = Tcp::open(&mut scene, CLIENT, PROXY);
        let connect = format!("CONNECT {TARGET} HTTP/1.1\r\nHost: {TARGET}\r\n\r\n");
        let mut elsewhere = Scene::new();
        let shown = if lost { &mut elsewhere } else { scene.after_ms(10) };
        tcp.say(shown, 0, connect.as_bytes());
        let request = Stun::request(method::ALLOCATE).requested_transport(17).tid([1; 12]).bytes();
        if late {
            tcp.say(scene.after_ms(10), 0, &request);
        }
        for answer in asked {
            tcp.say(scene.after_ms(10), 1, format!("HTTP/1.1 {answer}\r\nVia: 1.1 proxy\r\n\r\n").as_bytes());
        }
        if !late {
            tcp.say(scene.after_ms(10), 0, &request);
        }
        tcp.close(scene.after_ms(10), 1);
        scene.later(5);
        report(&scene.pcap())
    };
    for late in [false, true] {
        let told = hung_up(&[YES], false, late);
        let found = finding(&told, "turn-no-response");
        assert!(!found.explanation.contains("HTTP status"), "{late}: {}", found.explanation);
        assert!(found.title.contains("closes the TCP connection"), "{late}: {}", found.title);
        // what the capture lacks leaves open who said it
        assert_eq!(ids(&hung_up(&[YES], true, late)), [""; 0]);
    }
}

#[test]
fn what_a_web_server_answers_beyond_a_proxy_is_told() {
    let mut scene = Scene::new();
    let mut tcp = by_proxy(&mut scene, CLIENT, TARGET, &[YES]);
    tcp.say(&mut scene, 0, &Stun::request(method::ALLOCATE).requested_transport(17).tid([1; 12]).bytes());
    tcp.say(scene.after_ms(10), 1, b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    tcp.close(scene.after_ms(10), 1);
    let told = report(&scene.later(5).pcap());
    let found = finding(&told, "turn-no-response");
    assert!(found.title.ends_with("over TCP with HTTP status 400"), "{}", found.title);
}

#[test]
fn a_proxy_that_refuses_the_way_to_a_turn_server_is_told_where_udp_is_silent() {
    for (target, answer, words) in [
        (TARGET, "403 Forbidden", "permit turn.example.org:3478"),
        ("turn.example.org:443", "407 Proxy Authentication Required", "wants credentials"),
        ("203.0.113.1:5349", "503 Service Unavailable", "does not connect to 203.0.113.1:5349"),
        ("www.example.org:443", "403 Forbidden", "TURN URL over TCP or TLS"),
    ] {
        let mut scene = Scene::new();
        scene.send_repeatedly(
            "172.16.84.124:40000",
            SERVER,
            Stun::request(method::ALLOCATE).requested_transport(17),
            7,
        );
        let mut tcp = by_proxy(scene.after_ms(1000), CLIENT, target, &[answer]);
        tcp.close(&mut scene, 1);
        let told = report(&scene.later(30).pcap());
        let found = finding(&told, "turn-no-response");
        assert_eq!((found.severity, found.confidence), (Severity::Failure, Confidence::Certain));
        assert!(found.fix.contains(words), "{target}: {}", found.fix);
        assert_eq!(found.explanation.contains("Nor does the HTTP proxy"), target != "www.example.org:443");
    }
}

/// A client and a proxy of SOCKS, in turns.
fn by_socks(scene: &mut Scene, words: &[&[u8]]) -> Tcp {
    let mut tcp = Tcp::open(scene, CLIENT, SOCKS);
    for (turn, words) in words.iter().enumerate() {
        tcp.say(scene.after_ms(10), turn % 2, words);
    }
    tcp
}

const SOCKS: &str = "10.0.0.80:1080";
const OFFER: &[u8] = &[5, 2, 0, 2];
const LOGIN: &[u8] = b"\x01\x05carol\x07hunter2";
const WANTED: &[u8] = b"\x05\x01\0\x03\x10turn.example.org\x0d\x96";
const CONNECTED: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
const WANTED_4: &[u8] = b"\x04\x01\x0d\x96\0\0\0\x01\0turn.example.org\0";

#[test]
fn what_a_proxy_of_socks_passes_on_is_followed_from_its_yes() {
    for words in [
        &[OFFER, &[5, 0], WANTED, CONNECTED][..],
        &[OFFER, &[5, 2], LOGIN, &[1, 0], WANTED, CONNECTED],
        &[WANTED_4, &[0, 90, 0, 0, 0, 0, 0, 0]],
    ] {
        let mut scene = Scene::new();
        let mut tcp = by_socks(&mut scene, words);
        tcp.allocate(&mut scene, &alice(), RELAYED, 17);
        tcp.close(&mut scene, 0);
        let told = report(&scene.later(5).pcap());
        assert_eq!((told.verdict, told.allocations.len()), (Verdict::Healthy, 1), "{}", told.headline);
        assert_eq!((told.proxies.len(), told.proxies[0].granted), (1, true));
        assert_eq!(told.proxies[0].target, TARGET);
    }
}

#[test]
fn a_proxy_of_socks_that_turns_a_client_away_is_told_where_udp_is_silent() {
    let no = |code| [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    let (forbidden, refused) = (no(2), no(5));
    for (words, told_of_it, fix) in [
        (&[OFFER, &[5, 0xff]][..], "answers with 255 (no acceptable method", "wants credentials"),
        (
            &[OFFER, &[5, 2], LOGIN, &[1, 1]],
            "answers with 1 (user name and password are refused)",
            "refuses the client's",
        ),
        (&[OFFER, &[5, 0], WANTED, &forbidden], "with 2 (not allowed by its rules)", "permit turn.example.org:3478"),
        (&[OFFER, &[5, 0], WANTED, &refused], "with 5 (connection refused)", "does not connect to turn.example.org"),
        (&[WANTED_4, &[0, 91, 0, 0, 0, 0, 0, 0]], "the SOCKS4 proxy", "does not connect to turn.example.org"),
    ] {
        let mut scene = Scene::new();
        let request = Stun::request(method::ALLOCATE).requested_transport(17);
        scene.send_repeatedly("172.16.84.124:40000", SERVER, request, 7);
        let mut tcp = by_socks(scene.after_ms(1000), words);
        tcp.close(&mut scene, 1);
        let told = report(&scene.later(30).pcap());
        let found = finding(&told, "turn-no-response");
        assert!(found.explanation.contains(told_of_it), "{told_of_it}: {}", found.explanation);
        assert!(found.fix.contains(fix), "{fix}: {}", found.fix);
        let all = serde_json::to_string(&told).unwrap();
        assert!(!all.contains("carol") && !all.contains("hunter2"), "what a client logs in with is a secret");
    }
}

#[test]
fn a_client_that_a_proxy_of_socks_lets_in_at_another_time_was_not_turned_away() {
    let mut scene = Scene::new();
    by_socks(&mut scene, &[&[5, 1, 0], &[5, 0xff]]).close(&mut scene, 1);
    let mut tcp = Tcp::open(scene.after_ms(10), "172.16.84.124:50009", SOCKS);
    for (turn, words) in [OFFER, &[5, 2], LOGIN, &[1, 0], WANTED, CONNECTED].iter().enumerate() {
        tcp.say(scene.after_ms(10), turn % 2, words);
    }
    tcp.allocate(&mut scene, &alice(), RELAYED, 17);
    let told = report(&scene.later(5).pcap());
    assert_eq!(told.proxies.iter().map(|known| known.granted).collect::<Vec<_>>(), [true]);
}

#[test]
fn a_proxy_that_refuses_the_way_to_a_turn_server_is_told_without_a_finding_of_its_own() {
    for answer in ["403 Forbidden", "407 Proxy Authentication Required"] {
        let mut scene = Scene::new();
        by_proxy(&mut scene, CLIENT, TARGET, &[answer]);
        let told = report(&scene.pcap());
        assert_eq!((told.verdict, told.findings.len()), (Verdict::NothingFound, 0));
        let code = &answer[..3];
        let words = format!(
            "the HTTP proxy {PROXY} answers 172.16.84.124, which asks for a connection to {TARGET}, with {code}"
        );
        assert_says(&told.headline, &words);
        assert_eq!(told.proxies.iter().map(|known| known.code.to_string()).collect::<Vec<_>>(), [code]);
    }
}
