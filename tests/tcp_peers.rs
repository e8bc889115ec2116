//! TCP between peers: ICE over TCP (RFC 6544) in frames of RFC 4571, and relays for TCP (RFC 6062) with a data connection for each peer.

// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use support::analyze::{assert_says, finding, ids, report, rows};
use support::degrade::{self, Shot, shots};
use support::dtls::Shake;
use support::ice::Agents;
use support::tcp::{framed, over_ice_tcp, over_tcp};
use support::*;
use turnscope::report::{
    ConnectionOpener, ConnectionState, DataConnection, IceState, Report, Side, TcpType, Transport, Verdict,
};

const A: &str = "192.168.7.10:50000";
const B: &str = "192.168.7.20:9000";
const CLIENT: &str = "172.16.84.124:50000";
const DATA: &str = "172.16.84.124:50002";
const SERVER: &str = "203.0.113.1:3478";
const RELAYED: &str = "203.0.113.1:24000";
const PEER: &str = "198.51.100.7:40000";
const CONNECTION_ID: u16 = 0x002a;

fn on(shots: &[Shot]) -> Report {
    report(&degrade::pcap(shots))
}

// ICE over TCP

/// Two agents that check each other, shake hands and talk.
fn ice_call() -> Scene {
    let agents = Agents::new(A, B);
    let mut scene = Scene::new();
    scene.connect(&agents);
    Shake::between(A, B).complete(&mut scene);
    scene.talk_directly(A, B, 20).consent(&agents, 20);
    scene
}

#[test]
fn an_ice_session_over_tcp_is_told_as_over_udp_with_who_opened_the_connection() {
    let all = shots(&ice_call());
    let (udp, tcp) = (on(&all), on(&over_ice_tcp(&all)));
    assert_eq!((tcp.verdict, ids(&tcp)), (udp.verdict, ids(&udp)));
    let ([over_udp], [over_tcp]) = (&udp.ice[..], &tcp.ice[..]) else { panic!("{:?}", tcp.ice) };
    let ([one], [other]) = (&over_udp.pairs[..], &over_tcp.pairs[..]) else { panic!("{:?}", over_tcp.pairs) };
    assert_eq!((other.transport, other.state, other.selected), (Transport::Tcp, IceState::Succeeded, true));
    assert_eq!((other.local_tcp_type, other.remote_tcp_type), (Some(TcpType::Active), Some(TcpType::Passive)));
    assert_eq!((one.transport, one.local_tcp_type), (Transport::Udp, None));
    assert_eq!((other.checks_sent, other.checks_answered), (one.checks_sent, one.checks_answered));
    assert_eq!((other.data_packets, other.data_bytes), (one.data_packets, one.data_bytes));
    let told: Vec<_> =
        tcp.candidates.iter().map(|told| (told.address.to_string(), told.transport, told.tcp_type)).collect();
    assert_eq!(
        told,
        [(A.to_owned(), Transport::Tcp, Some(TcpType::Active)), (B.to_owned(), Transport::Tcp, Some(TcpType::Passive))]
    );
}

#[test]
fn dtls_and_media_in_frames_are_told_as_going_over_tcp() {
    let all = shots(&ice_call());
    let (udp, tcp) = (on(&all), on(&over_ice_tcp(&all)));
    let ([one], [other]) = (&udp.dtls[..], &tcp.dtls[..]) else { panic!("{:?}", tcp.dtls) };
    assert_eq!((one.transport, other.transport), (Transport::Udp, Transport::Tcp));
    assert_eq!((other.state, one.state), (one.state, other.state));
    assert!(tcp.media.items.iter().all(|stream| stream.transport == Transport::Tcp));
    let told = |report: &Report| report.media.items.iter().map(|it| (it.src, it.packets, it.lost)).collect::<Vec<_>>();
    assert_eq!((told(&tcp), tcp.media.items.len()), (told(&udp), 2));
    assert_eq!(other.evidence.len(), one.evidence.len());
}

#[test]
fn rows_of_ice_over_tcp_name_the_framing() {
    let layers: Vec<String> =
        rows(&degrade::pcap(&over_ice_tcp(&shots(&ice_call())))).iter().map(|row| row.layers.join(" ")).collect();
    assert!(layers.iter().all(|told| told == "tcp rfc4571 stun" || told == "tcp rfc4571 dtls"), "{layers:?}");
    assert!(layers.contains(&"tcp rfc4571 dtls".to_owned()));
}

#[test]
fn the_same_addresses_over_udp_and_tcp_are_two_pairs() {
    let agents = Agents::new(A, B);
    let mut over_udp = Scene::new();
    over_udp.a_checks_in_vain(&agents, 4, 500);
    let mut all = shots(&over_udp);
    let mut other = Scene::new();
    other.with_other_ids().after_ms(3000);
    other.connect(&agents);
    other.talk_directly(A, B, 20).consent(&agents, 10);
    all.extend(over_ice_tcp(&shots(&other)));
    let report = on(&all);
    let [session] = &report.ice[..] else { panic!("{:?}", report.ice) };
    let told: Vec<_> = session.pairs.iter().map(|pair| (pair.transport, pair.state, pair.selected)).collect();
    assert_eq!(told, [(Transport::Udp, IceState::Failed, false), (Transport::Tcp, IceState::Succeeded, true)]);
}

#[test]
fn ice_over_tcp_that_was_joined_midway_does_not_say_who_opened_it() {
    let mut all = over_ice_tcp(&shots(&ice_call()));
    all.drain(..3);
    let report = on(&all);
    let pair = &report.ice[0].pairs[0];
    assert_eq!((pair.transport, pair.local_tcp_type, pair.remote_tcp_type), (Transport::Tcp, None, None));
}

#[test]
fn a_connection_to_a_relay_of_which_the_capture_begins_in_the_middle_is_known_by_its_channel_data() {
    let agents = Agents::new(A, B);
    let all = over_tcp(&shots(&agents.call_through(SERVER, RELAYED)));
    // the media at the end alone
    let late = on(&all[all.len() - 30..]);
    let mut told: Vec<_> = late.media.items.iter().map(|it| (it.src.to_string(), it.dst.to_string())).collect();
    told.sort();
    assert_eq!(told, [(A.to_owned(), SERVER.to_owned()), (SERVER.to_owned(), A.to_owned())]);
    assert!(late.counts.channel_data >= 15, "{:?}", late.counts);
    assert!(late.counts.stun.is_empty(), "{:?}", late.counts.stun);
    let server = &late.servers[0];
    assert_eq!(server.address.to_string(), SERVER);
}

// Relays for TCP

fn connection_id(id: u32) -> [u8; 4] {
    id.to_be_bytes()
}

/// A client with a relay for TCP.
fn client(scene: &mut Scene) -> Tcp {
    let mut control = Tcp::open(scene, CLIENT, SERVER);
    control.allocate(scene, &alice(), RELAYED, 6);
    control
}

/// The client has the relay connect to a peer, which is granted under this id.
fn connect(scene: &mut Scene, control: &mut Tcp, id: u32) -> [u64; 2] {
    let request = Stun::request(method::CONNECT).tid([0x41; 12]).xor_peer(PEER).signed(&alice(), "n");
    control.ask(scene.after_ms(20), &request, |asked| {
        Stun::success_to(asked).attribute(CONNECTION_ID, connection_id(id)).integrity(alice().key())
    })
}

fn attempt(scene: &mut Scene, control: &mut Tcp, id: u32) -> u64 {
    let told = Stun::indication(method::CONNECTION_ATTEMPT).tid([0x42; 12]);
    let told = told.attribute(CONNECTION_ID, connection_id(id)).xor_peer(PEER);
    control.say(scene.after_ms(20), 1, &told.bytes())
}

/// The request by which a client claims a connection on another one.
fn bind(id: u32) -> Stun {
    Stun::request(method::CONNECTION_BIND)
        .tid([0x43; 12])
        .attribute(CONNECTION_ID, connection_id(id))
        .signed(&alice(), "n")
}

fn granted(asked: &[u8]) -> Stun {
    Stun::success_to(asked).integrity(alice().key())
}

fn bound(scene: &mut Scene, from: &str, id: u32) -> Tcp {
    let mut data = Tcp::open(scene.after_ms(10), from, SERVER);
    data.ask(scene, &bind(id), granted);
    data
}

fn only(report: &Report) -> &DataConnection {
    let [allocation] = &report.allocations[..] else { panic!("{:?}", report.allocations) };
    let [connection] = &allocation.connections[..] else { panic!("{:?}", allocation.connections) };
    connection
}

#[test]
fn a_data_connection_that_the_server_ends_without_an_answer_is_told_with_its_peer() {
    for reset in [true, false] {
        let mut scene = Scene::new();
        let mut control = client(&mut scene);
        attempt(&mut scene, &mut control, 0x1234);
        let mut data = Tcp::open(scene.after_ms(10), DATA, SERVER);
        data.say(scene.after_ms(5), 0, &bind(0x1234).bytes());
        data.end(scene.after_ms(20), 1, reset);
        scene.later(5);
        let report = report(&scene.pcap());
        let found = support::analyze::finding(&report, "turn-connection-closed");
        assert_says(&found.title, "without an answer to its ConnectionBind");
        assert_says(&found.title, PEER);
        assert_eq!(report.verdict, turnscope::report::Verdict::Warning);
    }
}

#[test]
fn a_data_connection_is_followed_to_its_allocation_with_the_bytes_each_way() {
    for by_peer in [false, true] {
        let mut scene = Scene::new();
        let mut control = client(&mut scene);
        if by_peer {
            attempt(&mut scene, &mut control, 0x1234);
        } else {
            connect(&mut scene, &mut control, 0x1234);
        }
        let mut data = bound(&mut scene, DATA, 0x1234);
        // what looks like STUN to the relay is the peer's
        let lookalike = Stun::request(method::ALLOCATE).tid([7; 12]).requested_transport(17).bytes();
        data.say(scene.after_ms(10), 0, &lookalike);
        data.say(scene.after_ms(10), 0, &[0x33; 1000]);
        data.say(scene.after_ms(10), 1, &[0x44; 301]);
        data.close(scene.after_ms(10), 1);
        scene.later(1);
        let report = report(&scene.pcap());
        assert_eq!((report.verdict, ids(&report)), (Verdict::Healthy, vec!["turn-challenge"]));
        let told = only(&report);
        let opener = if by_peer { ConnectionOpener::Peer } else { ConnectionOpener::Client };
        assert_eq!((told.opened_by, told.state, told.closed_by), (opener, ConnectionState::Closed, Some(Side::Server)));
        assert_eq!(told.connection_id.as_deref(), Some("0x00001234"));
        assert_eq!(told.peer.map(|peer| peer.to_string()).as_deref(), Some(PEER));
        assert_eq!(told.client.map(|end| end.to_string()).as_deref(), Some(DATA));
        assert_eq!((told.bytes_sent, told.bytes_received), (1000 + lookalike.len() as u64, 301));
        let allocation = &report.allocations[0];
        assert_eq!((allocation.bytes_sent, allocation.bytes_received), (told.bytes_sent, told.bytes_received));
        assert_eq!((allocation.relayed_transport, allocation.connections_total), (Some(Transport::Tcp), 1));
        assert_eq!(report.counts.stun.get("Allocate request"), Some(&2), "{:?}", report.counts.stun);
    }
}

#[test]
fn bytes_are_counted_once_whatever_tcp_repeats_and_though_some_are_missing() {
    let mut scene = Scene::new();
    let mut control = client(&mut scene);
    connect(&mut scene, &mut control, 1);
    let mut data = bound(&mut scene, DATA, 1);
    let first = data.clone();
    data.say(scene.after_ms(10), 0, &[0x33; 1000]);
    first.clone().say(scene.after_ms(10), 0, &[0x33; 1000]);
    data.seq[0] = data.seq[0].wrapping_add(500); // not in the capture
    data.say(scene.after_ms(10), 0, &[0x33; 1000]);
    data.say(scene.after_ms(10), 1, &[0x44; 10]);
    let told = only(&report(&scene.pcap())).clone();
    assert_eq!((told.bytes_sent, told.bytes_received, told.state), (2500, 10, ConnectionState::Bound));
}

#[test]
fn the_peers_first_bytes_may_come_with_the_success() {
    let mut scene = Scene::new();
    let mut control = client(&mut scene);
    connect(&mut scene, &mut control, 1);
    let mut data = Tcp::open(&mut scene, DATA, SERVER);
    let request = bind(1).bytes();
    data.say(&mut scene, 0, &request);
    let mut both = granted(&request).bytes();
    both.extend([0x55; 77]);
    data.say(scene.after_ms(5), 1, &both);
    data.say(scene.after_ms(5), 1, &[0x55; 3]);
    assert_eq!(only(&report(&scene.pcap())).bytes_received, 80);
}

#[test]
fn ice_and_dtls_inside_a_data_connection_are_dissected_with_peer_and_relay() {
    let agents = Agents::new("203.0.113.1:24000", PEER);
    let mut scene = Scene::new();
    let mut control = client(&mut scene);
    connect(&mut scene, &mut control, 1);
    let mut data = bound(&mut scene, DATA, 1);
    let check = agents.message(|check| check.tid([0x61; 12]).use_candidate()).bytes();
    let answer =
        Stun::success_to(&check).xor_mapped(RELAYED).integrity_short_term(&agents.b.password).fingerprint().bytes();
    let whole = framed(&check);
    // over two segments, as TCP may cut it
    data.say(scene.after_ms(10), 0, &whole[..30]);
    let frame = data.say(scene.after_ms(1), 0, &whole[30..]);
    data.say(scene.after_ms(20), 1, &framed(&answer));
    data.say(scene.after_ms(20), 0, &framed(&payload::dtls_client_hello(0)));
    data.say(scene.after_ms(20), 1, &framed(&payload::dtls_server_hello(0)));
    let pcap = scene.pcap();
    let inside: Vec<_> = rows(&pcap).into_iter().filter(|row| row.hop.is_some()).collect();
    let layers: Vec<String> = inside.iter().map(|row| row.layers.join(" ")).collect();
    let stun = "tcp data-connection rfc4571 stun";
    let dtls = "tcp data-connection rfc4571 dtls";
    assert_eq!(layers, [stun, stun, dtls, dtls]);
    assert_eq!(inside[0].frame, frame);
    assert!(inside.iter().all(|row| row.hop == Some((Some(PEER.to_owned()), Some(RELAYED.to_owned())))), "{inside:?}");
    let report = report(&pcap);
    let pair = &report.ice[0].pairs[0];
    assert_eq!(
        (pair.transport, pair.local.to_string(), pair.remote.to_string()),
        (Transport::Tcp, RELAYED.into(), PEER.into())
    );
    assert_eq!(pair.via.map(|server| server.to_string()).as_deref(), Some(SERVER));
    assert_eq!((report.dtls[0].transport, &report.dtls[0].via[..]), (Transport::Tcp, &["data-connection"][..]));
}

#[test]
fn a_connection_that_nobody_binds_or_that_is_refused_is_told_so() {
    let mut scene = Scene::new();
    let mut control = client(&mut scene);
    attempt(&mut scene, &mut control, 5);
    scene.later(40);
    assert_eq!(only(&report(&scene.pcap())).state, ConnectionState::Unbound);

    let mut scene = Scene::new();
    let mut control = client(&mut scene);
    let request = Stun::request(method::CONNECT).tid([0x41; 12]).xor_peer(PEER).signed(&alice(), "n");
    control.ask(&mut scene, &request, |asked| {
        Stun::error_to(asked, 447, "Connection Timeout or Failure").integrity(alice().key())
    });
    scene.later(5);
    let report = report(&scene.pcap());
    let told = only(&report);
    assert_eq!((told.state, told.error), (ConnectionState::Refused, Some(447)));
    assert!(finding(&report, "turn-peer-connect-failed").title.contains("198.51.100.7"), "{:?}", report.findings);
}

#[test]
fn a_connection_id_that_no_allocation_has_is_nobodys_and_the_reset_is_told() {
    let mut scene = Scene::new();
    let mut control = client(&mut scene);
    connect(&mut scene, &mut control, 1);
    let mut data = Tcp::open(&mut scene, DATA, SERVER);
    data.say(&mut scene, 0, &bind(99).bytes());
    let reset = data.reset(scene.after_ms(5), 1);
    scene.later(60);
    let report = report(&scene.pcap());
    assert_eq!(only(&report).state, ConnectionState::Unbound);
    let told = report.authentications.iter().find(|told| told.client.to_string() == DATA).unwrap();
    let last = told.steps.iter().find(|step| step.place.frame == reset).unwrap();
    assert_eq!((last.from, last.what.as_str()), (Side::Server, "resets the connection"));
    // its nonce is that of the other connection, so nothing is missing from this one
    assert_eq!((report.verdict, ids(&report)), (Verdict::Healthy, vec!["turn-challenge", "turn-allocation-leaked"]));
}

#[test]
fn two_data_connections_of_one_allocation_are_told_apart() {
    let mut scene = Scene::new();
    let mut control = client(&mut scene);
    connect(&mut scene, &mut control, 1);
    let mut one = bound(&mut scene, DATA, 1);
    attempt(&mut scene, &mut control, 2);
    let mut other = Tcp::open(&mut scene, "172.16.84.124:50004", SERVER);
    other.ask(&mut scene, &bind(2).tid([0x44; 12]), granted);
    one.say(scene.after_ms(10), 0, &[1; 100]);
    other.say(scene.after_ms(10), 1, &[2; 200]);
    let report = report(&scene.pcap());
    let told: Vec<_> = report.allocations[0]
        .connections
        .iter()
        .map(|told| (told.opened_by, told.bytes_sent, told.bytes_received))
        .collect();
    assert_eq!(told, [(ConnectionOpener::Client, 100, 0), (ConnectionOpener::Peer, 0, 200)]);
    assert_eq!((report.allocations[0].bytes_sent, report.allocations[0].bytes_received), (100, 200));
}
