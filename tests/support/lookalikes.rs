//! Calls that work, or of which nothing can be said, and that look like those that fail.

use super::calls::allocate_v6;
use super::dtls::Shake;
use super::{IceSide, Icmp, Login, Scene, Stun, alice, attribute, method, packet, payload, sides};

const CLIENT: &str = "172.16.84.124:50000";
const SECOND: &str = "172.16.84.124:50001";
const SERVER: &str = "203.0.113.1:3478";
const OTHER: &str = "203.0.113.2:3478";
const RELAYED: &str = "203.0.113.1:24000";
const RELAYED_TOO: &str = "203.0.113.2:24000";
const MAPPED: &str = "198.51.100.9:40000";
const PEER: &str = "198.51.100.7:4000";

/// One case: its name, the scene, and the warnings that are due in it.
pub type Case = (&'static str, Scene, &'static [&'static str]);

fn scene(play: impl FnOnce(&mut Scene)) -> Scene {
    let mut scene = Scene::new();
    play(&mut scene);
    scene
}

/// A relayed call from its first request to the hang-up, of so many packets.
fn call(scene: &mut Scene, client: &str, server: &str, relayed: &str, packets: u16) {
    scene.allocation(client, server, &alice(), "nonce", relayed);
    scene.talk(client, server, &alice(), "nonce", (0x4000, PEER), packets);
    scene.hang_up(client, server, &alice(), "nonce");
}

#[rustfmt::skip]
fn gathering() -> Vec<Case> {
    let a = alice();
    vec![
        ("an ordinary relayed call", scene(|s| { call(s, CLIENT, SERVER, RELAYED, 20); s.later(30); }), &[]),
        ("a probe of two servers of which one has no user like ours, and the call works", scene(|s| {
            s.wrong_password(SECOND, OTHER, &a, "n2");
            call(s, CLIENT, SERVER, RELAYED, 20);
            s.later(30);
        }), &["turn-integrity-rejected"]),
        ("two servers asked at once: the good one answers first, the other refuses", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "example.org", "nonce");
            s.allocate_challenge(SECOND, OTHER, "example.org", "n2");
            let good = s.after_ms(1).allocate_as(CLIENT, SERVER, &a, "nonce");
            let bad = s.after_ms(1).allocate_as(SECOND, OTHER, &a, "n2");
            s.after_ms(10).allocate_granted(&good, RELAYED, 600, &a);
            s.after_ms(20).challenge(&bad, 401, "Unauthorized", "example.org", "n2");
            s.later(30);
        }), &["turn-integrity-rejected"]),
        ("three copies of the first Allocate, then an answer and a call", scene(|s| {
            let first = s.send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 4);
            s.after_ms(10).challenge(&first[0], 401, "Unauthorized", "example.org", "nonce");
            let retry = s.after_ms(10).allocate_as(CLIENT, SERVER, &a, "nonce");
            s.after_ms(10).allocate_granted(&retry, RELAYED, 600, &a);
            s.talk(CLIENT, SERVER, &a, "nonce", (0x4000, PEER), 20).later(30);
        }), &[]),
        ("each copy gets a challenge of its own, and the client takes the nonce of the second", scene(|s| {
            let first = s.allocate(CLIENT, SERVER);
            let again = s.after_ms(500).retransmit(&first);
            s.after_ms(10).challenge(&first, 401, "Unauthorized", "example.org", "nonce-1");
            s.after_ms(10).challenge(&again, 401, "Unauthorized", "example.org", "nonce-2");
            let retry = s.after_ms(10).allocate_as(CLIENT, SERVER, &a, "nonce-2");
            s.after_ms(10).allocate_granted(&retry, RELAYED, 600, &a);
            s.later(30);
        }), &[]),
        ("a nonce kept from the last session is answered by 401 and renewed", scene(|s| {
            let old = s.allocate_as(CLIENT, SERVER, &a, "old");
            s.after_ms(10).challenge(&old, 401, "Unauthorized", "example.org", "new");
            let retry = s.after_ms(10).allocate_as(CLIENT, SERVER, &a, "new");
            s.after_ms(10).allocate_granted(&retry, RELAYED, 600, &a);
            s.talk(CLIENT, SERVER, &a, "new", (0x4000, PEER), 20).later(30);
        }), &[]),
        ("a nonce kept from the last session is answered by 438 and renewed", scene(|s| {
            let old = s.allocate_as(CLIENT, SERVER, &a, "old");
            s.after_ms(10).challenge(&old, 438, "Stale Nonce", "example.org", "new");
            let retry = s.after_ms(10).allocate_as(CLIENT, SERVER, &a, "new");
            s.after_ms(10).allocate_granted(&retry, RELAYED, 600, &a);
            s.later(30);
        }), &[]),
        ("a server without IPv6 relays refuses, IPv4 is granted", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "example.org", "nonce");
            let v6 = s.after_ms(10).send(CLIENT, SERVER, allocate_v6().signed(&a, "nonce"));
            s.after_ms(10).refuse(&v6, 440, "Address Family not Supported");
            let v4 = s.after_ms(10).allocate_as(CLIENT, SERVER, &a, "nonce");
            s.after_ms(10).allocate_granted(&v4, RELAYED, 600, &a);
            s.later(30);
        }), &["turn-address-family"]),
        ("IPv4 and IPv6 relays asked at once, IPv6 is refused last and the call works", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "nonce", RELAYED);
            s.allocate_challenge(SECOND, SERVER, "example.org", "n2");
            let v6 = s.after_ms(10).send(SECOND, SERVER, allocate_v6().signed(&a, "n2"));
            s.after_ms(10).refuse(&v6, 440, "Address Family not Supported");
            s.talk(CLIENT, SERVER, &a, "nonce", (0x4000, PEER), 20).later(30);
        }), &["turn-address-family"]),
        ("a redirection that is followed", scene(|s| {
            let request = s.allocate(CLIENT, SERVER);
            s.after_ms(10).refuse_with(&request, 300, "Try Alternate", |error| error.alternate_server(OTHER));
            s.after_ms(10);
            call(s, CLIENT, OTHER, RELAYED_TOO, 20);
            s.later(30);
        }), &[]),
        ("a server that is draining sends its client to another", scene(|s| {
            s.allocate_challenge(CLIENT, SERVER, "example.org", "nonce");
            let request = s.after_ms(10).allocate_as(CLIENT, SERVER, &a, "nonce");
            s.after_ms(10).refuse(&request, 403, "Server is draining");
            s.after_ms(500);
            call(s, CLIENT, OTHER, RELAYED_TOO, 20);
            s.later(30);
        }), &["turn-refused"]),
        ("many sockets are opened, all but one are dropped after the challenge", scene(|s| {
            for port in 0..5 {
                s.after_ms(3).allocate_challenge(&*format!("172.16.84.124:{}", 51000 + port), SERVER, "example.org", &format!("n{port}"));
            }
            call(s, CLIENT, SERVER, RELAYED, 20);
            s.later(30);
        }), &["turn-no-credentials"]),
        ("a STUN server that is dead among those that answer", scene(|s| {
            s.binding(CLIENT, "192.0.2.33:3478", MAPPED);
            s.send_repeatedly(CLIENT, "192.0.2.44:3478", Stun::request(method::BINDING), 7);
            s.later(30);
        }), &["turn-no-response"]),
        ("a host of two families whose IPv6 does not lead anywhere", scene(|s| {
            s.send_repeatedly("[2001:db8:5::10]:50000", "[2001:db8::1]:3478", Stun::request(method::BINDING), 7);
            s.at_ms(15);
            s.binding(CLIENT, SERVER, MAPPED);
            call(s, CLIENT, SERVER, RELAYED, 20);
            s.later(60);
        }), &["turn-no-response"]),
        ("a host of two families without a route for IPv6", scene(|s| {
            let request = s.send("[2001:db8:5::10]:50000", "[2001:db8::1]:3478", Stun::request(method::BINDING));
            s.after_ms(3).icmp("2001:db8:5::1", Icmp::NetworkUnreachable, &request);
            s.binding(CLIENT, SERVER, MAPPED);
            call(s, CLIENT, SERVER, RELAYED, 20);
            s.later(60);
        }), &["turn-unreachable"]),
        ("UDP is blocked, and the client goes on over TCP", scene(|s| {
            s.send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 7);
            let retry = Stun::request(method::ALLOCATE).requested_transport(17).signed(&a, "n").bytes();
            let granted = Stun::success_to(&retry).xor_relayed(RELAYED).xor_mapped(CLIENT).lifetime(600).integrity(a.key()).bytes();
            s.after_ms(50).tcp(SECOND, SERVER, (1, 1), packet::ACK, &retry);
            s.after_ms(50).tcp(SERVER, SECOND, (1, 200), packet::ACK, &granted);
            s.later(30);
        }), &["turn-no-response"]),
        ("a host with a VPN of which the tunnel does not lead to the server", scene(|s| {
            s.send_repeatedly("10.8.0.2:50000", SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 7);
            s.at_ms(15);
            call(s, CLIENT, SERVER, RELAYED, 20);
            s.later(60);
        }), &["turn-no-response"]),
    ]
}

#[rustfmt::skip]
fn crowds() -> Vec<Case> {
    let a = alice();
    vec![
        ("a load test in which some meet the quota and get through a moment later", scene(|s| {
            for number in 0..200 {
                let client = format!("10.20.{}.{}:40000", number / 100, number % 100 + 1);
                let (login, nonce) = (Login::new(&format!("u{number}"), "example.org", "p"), format!("n{number}"));
                s.allocate_challenge(&*client, SERVER, "example.org", &nonce);
                if number % 20 == 0 {
                    s.refused_allocate(&client, SERVER, &login, &nonce, 486);
                    s.after_ms(300);
                }
                let retry = s.after_ms(5).allocate_as(&*client, SERVER, &login, &nonce);
                s.after_ms(5).allocate_granted(&retry, &*format!("203.0.113.1:{}", 20_000 + number), 600, &login);
            }
            s.later(30);
        }), &["turn-quota"]),
        ("a probe without credentials beside a call that works", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            for port in 0..3 { s.after_ms(1000).allocate_challenge(&*format!("172.16.84.124:{}", 52000 + port), OTHER, "example.org", &format!("p{port}")); }
            s.talk(CLIENT, SERVER, &a, "n", (0x4000, PEER), 20).later(30);
        }), &["turn-no-credentials"]),
        ("a server that wants credentials for Binding, and the call goes over its relay", scene(|s| {
            let plain = s.send(SECOND, SERVER, Stun::request(method::BINDING));
            s.after_ms(10).challenge(&plain, 401, "Unauthorized", "example.org", "b");
            call(s, CLIENT, SERVER, RELAYED, 20);
            s.later(30);
        }), &["turn-no-credentials"]),
        ("a server that is silent to Binding and gives relays", scene(|s| {
            s.send_repeatedly(SECOND, SERVER, Stun::request(method::BINDING), 7);
            call(s, CLIENT, SERVER, RELAYED, 20);
            s.later(30);
        }), &["turn-no-response"]),
        ("refreshes of which the first copies are lost", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            for _ in 0..4 {
                let refresh = s.after_ms(240_000).refresh(CLIENT, SERVER, &a, "n", 600);
                for _ in 0..4 { s.after_ms(500).retransmit(&refresh); }
                s.after_ms(10).granted(&refresh, Some(600), &a);
            }
            s.hang_up(CLIENT, SERVER, &a, "n").later(30);
        }), &[]),
        ("answers that come twice", scene(|s| {
            let first = s.allocate(CLIENT, SERVER);
            for _ in 0..2 { s.after_ms(10).challenge(&first, 401, "Unauthorized", "example.org", "n"); }
            let retry = s.after_ms(10).allocate_as(CLIENT, SERVER, &a, "n");
            for _ in 0..2 { s.after_ms(10).allocate_granted(&retry, RELAYED, 600, &a); }
            s.later(30);
        }), &[]),
        ("a wrong password that is put right", scene(|s| {
            s.wrong_password(CLIENT, SERVER, &a, "n");
            s.after_ms(200);
            call(s, SECOND, SERVER, RELAYED, 5);
            s.later(30);
        }), &["turn-integrity-rejected"]),
        ("a call over TURN that moves to a direct way, and the relay is given up", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            s.talk(CLIENT, SERVER, &a, "n", (0x4000, PEER), 5);
            s.direct_call(CLIENT, PEER, 20).hang_up(CLIENT, SERVER, &a, "n");
            s.direct_call(CLIENT, PEER, 20).later(30);
        }), &[]),
        ("one client with two users at two servers", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            s.allocation(SECOND, OTHER, &Login::new("bob", "example.com", "b"), "m", RELAYED_TOO);
            s.talk(CLIENT, SERVER, &a, "n", (0x4000, PEER), 5).later(30);
        }), &[]),
        ("one socket for two servers", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            s.allocation(CLIENT, OTHER, &Login::new("bob", "example.com", "b"), "m", RELAYED_TOO);
            s.talk(CLIENT, SERVER, &a, "n", (0x4000, PEER), 5).later(30);
        }), &[]),
        ("a server of the early drafts that challenges with 435", scene(|s| {
            let request = s.allocate(CLIENT, SERVER);
            s.after_ms(10).challenge(&request, 435, "Missing Nonce", "turnuser", "n");
            let login = Login::new("turnuser", "turnuser", "p");
            let retry = s.after_ms(10).allocate_as(CLIENT, SERVER, &login, "n");
            s.after_ms(10).allocate_granted(&retry, RELAYED, 600, &login);
            s.talk(CLIENT, SERVER, &login, "n", (0x4000, PEER), 5).later(30);
        }), &[]),
    ]
}

#[rustfmt::skip]
fn long_calls() -> Vec<Case> {
    let a = alice();
    vec![
        ("a long call with a refresh every nine minutes, each with a new nonce", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n0", RELAYED);
            s.talk(CLIENT, SERVER, &a, "n0", (0x4000, PEER), 5);
            for round in 0..60_u64 {
                s.at_ms((round + 1) * 540_000);
                let (old, new) = (format!("n{round}"), format!("n{}", round + 1));
                let refresh = s.refresh(CLIENT, SERVER, &a, &old, 600);
                s.after_ms(10).challenge(&refresh, 438, "Stale nonce", "example.org", &new);
                let again = s.after_ms(10).refresh(CLIENT, SERVER, &a, &new, 600);
                s.after_ms(10).granted(&again, Some(600), &a);
                s.media(CLIENT, SERVER, 0x4000, 5);
            }
            s.hang_up(CLIENT, SERVER, &a, "n60").later(30);
        }), &[]),
        ("a hang-up that meets an old nonce", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n0", RELAYED);
            s.talk(CLIENT, SERVER, &a, "n0", (0x4000, PEER), 5);
            let release = s.at_ms(500_000).refresh(CLIENT, SERVER, &a, "n0", 0);
            s.after_ms(10).challenge(&release, 438, "Stale nonce", "example.org", "n1");
            s.later(60);
        }), &[]),
        ("a hang-up that nobody answers", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n0", RELAYED);
            s.talk(CLIENT, SERVER, &a, "n0", (0x4000, PEER), 5);
            s.after_ms(20);
            let release = s.refresh(CLIENT, SERVER, &a, "n0", 0);
            for _ in 0..6 { s.after_ms(500).retransmit(&release); }
            s.later(60);
        }), &[]),
        ("a client that vanishes without a word, and the relay goes on sending", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n0", RELAYED);
            s.talk(CLIENT, SERVER, &a, "n0", (0x4000, PEER), 10);
            for number in 0..50 { s.after_ms(20).channel_data(SERVER, CLIENT, 0x4000, payload::rtp(96, number, 0, 1, 50)); }
            s.later(900);
        }), &[]),
        ("a closed socket that answers the last packets with ICMP", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n0", RELAYED);
            s.talk(CLIENT, SERVER, &a, "n0", (0x4000, PEER), 10);
            s.hang_up(CLIENT, SERVER, &a, "n0");
            let late = s.after_ms(5).channel_data(SERVER, CLIENT, 0x4000, payload::rtp(96, 99, 0, 1, 50));
            s.after_ms(1).icmp_unreachable("172.16.84.124", &late);
            s.later(30);
        }), &[]),
        ("a client that goes on allocating anew on one port after each release", scene(|s| {
            for round in 0..5 {
                let nonce = format!("n{round}");
                s.allocation(CLIENT, SERVER, &a, &nonce, &*format!("203.0.113.1:{}", 24000 + round));
                s.hang_up(CLIENT, SERVER, &a, &nonce).after_ms(2000);
            }
            s.later(30);
        }), &[]),
        ("private candidates of the peer are forbidden, the public one is not", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            for peer in ["192.168.1.7:4000", "10.0.0.7:4000", "127.0.0.1:4000"] {
                let request = s.after_ms(5).create_permission(CLIENT, SERVER, &a, "n", peer);
                s.after_ms(10).refuse(&request, 403, "Forbidden IP");
            }
            s.talk(CLIENT, SERVER, &a, "n", (0x4000, PEER), 20).later(30);
        }), &["turn-peer-forbidden"]),
        ("all the peer's candidates are forbidden to the relay, and the direct way works", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            let request = s.after_ms(5).create_permission(CLIENT, SERVER, &a, "n", "172.16.84.125:4000");
            s.after_ms(10).refuse(&request, 403, "Forbidden IP");
            s.direct_call(SECOND, "172.16.84.125:4000", 20).later(30);
        }), &["turn-peer-forbidden"]),
        ("the server restarts in the middle and the client allocates anew", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            s.talk(CLIENT, SERVER, &a, "n", (0x4000, PEER), 20);
            let refresh = s.after_ms(60_000).refresh(CLIENT, SERVER, &a, "n", 600);
            s.after_ms(10).challenge(&refresh, 438, "Wrong nonce", "example.org", "m");
            let refresh = s.after_ms(10).refresh(CLIENT, SERVER, &a, "m", 600);
            s.after_ms(10).refuse(&refresh, 437, "Allocation Mismatch");
            s.after_ms(100).allocation(SECOND, SERVER, &a, "m2", "203.0.113.1:24001");
            s.talk(SECOND, SERVER, &a, "m2", (0x4001, PEER), 20).later(30);
        }), &["turn-allocation-gone"]),
        ("a move to another network with mobility", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            s.talk(CLIENT, SERVER, &a, "n", (0x4000, PEER), 20);
            let refresh = s.after_ms(5000).refresh("192.168.77.5:50000", SERVER, &a, "n", 600);
            s.after_ms(10).granted(&refresh, Some(600), &a);
            s.media("192.168.77.5:50000", SERVER, 0x4000, 20).later(30);
        }), &[]),
        ("two calls of one client, the second after an ICE restart on new ports", scene(|s| {
            call(s, CLIENT, SERVER, RELAYED, 20);
            s.after_ms(2000);
            call(s, SECOND, SERVER, "203.0.113.1:24001", 20);
            s.later(30);
        }), &[]),
        ("a call over the relay in indications alone, without a channel", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            let permit = s.after_ms(5).create_permission(CLIENT, SERVER, &a, "n", PEER);
            s.after_ms(10).granted(&permit, None, &a);
            for number in 0..20 {
                let packet = payload::rtp(96, number, 0, 1, 50);
                s.after_ms(20).send_indication(CLIENT, SERVER, PEER, &packet);
                s.after_ms(5).data_indication(SERVER, CLIENT, PEER, &packet);
            }
            s.later(30);
        }), &[]),
    ]
}

#[rustfmt::skip]
fn other_traffic() -> Vec<Case> {
    let a = alice();
    vec![
        ("a direct call with checks both ways", scene(|s| { s.direct_call(CLIENT, PEER, 20).later(30); }), &[]),
        ("an agent of ICE-lite that only answers", scene(|s| {
            let (one, other) = (IceSide::new("aaaa", "a-password-of-ice-0123456", 2), IceSide::new("lite", "b-password-of-ice-0123456", 1));
            for _ in 0..5 {
                let check = s.after_ms(500).ice_check(CLIENT, PEER, (&one, &other), true, Stun::use_candidate);
                s.after_ms(10).ice_answer(&check, &other);
            }
            s.later(30);
        }), &[]),
        ("checks to candidates that are not there", scene(|s| {
            let (one, other) = sides();
            for peer in ["192.168.1.7:4000", "10.3.3.3:4000", "172.17.0.1:4000"] {
                let check = s.after_ms(5).ice_check(CLIENT, peer, (&one, &other), true, |check| check);
                for _ in 0..6 { s.after_ms(500).retransmit(&check); }
            }
            s.direct_call(CLIENT, PEER, 20).later(30);
        }), &[]),
        ("a test of the NAT's behaviour with requests that are to go unanswered", scene(|s| {
            s.binding(CLIENT, SERVER, MAPPED);
            for flags in [6_u32, 2] {
                let test = Stun::request(method::BINDING).attribute(attribute::CHANGE_REQUEST, flags.to_be_bytes());
                s.send_repeatedly(CLIENT, SERVER, test, 7);
            }
            s.later(30);
        }), &[]),
        ("classic STUN with MAPPED-ADDRESS alone", scene(|s| {
            let request = s.send(CLIENT, SERVER, Stun::request(method::BINDING).classic(*b"0123456789abcdef"));
            s.after_ms(10).succeed(&request, |success| success.mapped(MAPPED));
            s.later(30);
        }), &[]),
        ("keepalives by Binding indication and by Binding request for an hour", scene(|s| {
            for _ in 0..100 {
                s.after_ms(15_000).send(CLIENT, SERVER, Stun::indication(method::BINDING));
                s.binding(CLIENT, SERVER, MAPPED);
            }
            s.later(30);
        }), &[]),
        ("keepalives of which the last go unanswered since the client left its network", scene(|s| {
            for _ in 0..10 { s.after_ms(1000).binding(CLIENT, SERVER, MAPPED); }
            s.send_repeatedly(CLIENT, SERVER, Stun::request(method::BINDING), 7);
            s.later(30);
        }), &[]),
        ("a port restricted NAT, two servers that see the same", scene(|s| {
            s.binding(CLIENT, SERVER, MAPPED).binding(CLIENT, OTHER, MAPPED).later(30);
        }), &[]),
        ("two local ports that a NAT maps to two outside ports", scene(|s| {
            s.binding(CLIENT, SERVER, MAPPED).binding(SECOND, OTHER, "198.51.100.9:40001").later(30);
        }), &[]),
        ("a server behind static NAT, seen from its own side", scene(|s| {
            let server = "192.168.245.61:3478";
            s.allocate_challenge("198.51.100.9:40000", server, "example.org", "n");
            let retry = s.after_ms(10).allocate_as("198.51.100.9:40000", server, &a, "n");
            s.after_ms(10).allocate_granted(&retry, "203.0.113.61:24000", 600, &a);
            s.talk("198.51.100.9:40000", server, &a, "n", (0x4000, PEER), 20).later(30);
        }), &[]),
        ("a relay whose addresses are next to that of the server", scene(|s| {
            s.allocation(CLIENT, "10.1.2.3:3478", &a, "n", "10.1.2.4:24000");
            s.later(30);
        }), &[]),
        ("a hundred clients behind one address", scene(|s| {
            for number in 0..100 {
                let client = format!("198.51.100.9:{}", 30_000 + number);
                let login = Login::new(&format!("user{number}"), "example.org", "p");
                s.allocation(&*client, SERVER, &login, &format!("n{number}"), &*format!("203.0.113.1:{}", 24000 + number));
                s.talk(&client, SERVER, &login, &format!("n{number}"), (0x4000, PEER), 4);
            }
            s.later(30);
        }), &[]),
        ("relay to relay on one server", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            s.allocation(PEER, SERVER, &Login::new("bob", "example.org", "b"), "m", "203.0.113.1:24001");
            s.talk(CLIENT, SERVER, &a, "n", (0x4000, "203.0.113.1:24001"), 10);
            s.talk(PEER, SERVER, &Login::new("bob", "example.org", "b"), "m", (0x4000, RELAYED), 10);
            s.later(30);
        }), &[]),
        ("a client and its relay's far side in one capture", scene(|s| {
            s.allocation(CLIENT, SERVER, &a, "n", RELAYED);
            s.talk(CLIENT, SERVER, &a, "n", (0x4000, PEER), 10);
            s.direct_call(RELAYED, PEER, 10).later(30);
        }), &[]),
        ("a server of one nonce for everybody", scene(|s| {
            for number in 0..20 {
                let client = format!("198.51.100.{number}:40000");
                s.allocation(&*client, SERVER, &a, "the-nonce", &*format!("203.0.113.1:{}", 24000 + number));
            }
            s.later(30);
        }), &[]),
        ("a server that asks for no credentials", scene(|s| {
            let request = s.allocate(CLIENT, SERVER);
            s.after_ms(10).succeed(&request, |success| success.xor_relayed(RELAYED).xor_mapped(CLIENT).lifetime(600));
            s.later(30);
        }), &[]),
        ("a client that works with credentials in its first request", scene(|s| {
            let request = s.allocate_as(CLIENT, SERVER, &a, "kept");
            s.after_ms(10).allocate_granted(&request, RELAYED, 600, &a);
            s.talk(CLIENT, SERVER, &a, "kept", (0x4000, PEER), 10).later(30);
        }), &[]),
        ("a slow path with an answer after two seconds to each request", scene(|s| {
            let first = s.send_repeatedly(CLIENT, SERVER, Stun::request(method::ALLOCATE).requested_transport(17), 3);
            let challenge = s.after_ms(500).challenge(&first[0], 401, "Unauthorized", "example.org", "n");
            for _ in 0..2 { s.after_ms(300).forwarded(&challenge, SERVER, CLIENT); }
            let retry = s.after_ms(1).allocate_as(CLIENT, SERVER, &a, "n");
            s.after_ms(500).retransmit(&retry);
            s.after_ms(1000).retransmit(&retry);
            let granted = s.after_ms(500).allocate_granted(&retry, RELAYED, 600, &a);
            for _ in 0..2 { s.after_ms(300).forwarded(&granted, SERVER, CLIENT); }
            s.talk(CLIENT, SERVER, &a, "n", (0x4000, PEER), 10).later(30);
        }), &[]),
        ("a port that is not STUN's with random payload", scene(|s| {
            for number in 0_u8..50 { s.after_ms(20).udp(CLIENT, PEER, (0..80).map(|i: u8| i.wrapping_mul(number).wrapping_add(77)).collect::<Vec<u8>>()); }
            s.later(30);
        }), &[]),
        ("a DNS query and a DTLS handshake on the port of a server", scene(|s| {
            s.udp(CLIENT, "192.0.2.53:53", payload::dns_query(7, "turn.example.org"));
            let mut shake = Shake::between(CLIENT, "203.0.113.1:5349");
            shake.complete(s);
            shake.talk(s, 3);
            s.later(30);
        }), &[]),
    ]
}

/// All cases.
pub fn cases() -> Vec<Case> {
    gathering().into_iter().chain(crowds()).chain(long_calls()).chain(other_traffic()).collect()
}
