//! A media packet of a stream that is known costs no allocation, directly or through a relay: a capture with twice the packets is read with as
//! many allocations. Its own test binary, since it counts through the global allocator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::{Scene, alice, payload};
use turnscope::analyzer::{Analyzer, Options};
use turnscope::capture::Capture;

const CLIENT: &str = "10.0.0.2:50000";
const SERVER: &str = "192.0.2.1:3478";
const PEER: &str = "198.51.100.7:40000";

/// How often memory was asked for while `packets` of each stream were read: through the whole analyzer, to the last frame.
fn allocations(scene: &Scene, media: bool) -> u64 {
    let bytes = scene.pcap();
    let mut capture = Capture::open(bytes.as_slice()).unwrap();
    let mut analyzer = Analyzer::new(Options { media, ..Options::default() });
    let mut rows = 0_u64;
    let counted = allocation_counter::measure(|| {
        while let Some(frame) = capture.next_frame() {
            analyzer.frame(&frame, &mut |_| rows += 1);
        }
    });
    assert!(rows > 0 && counted.count_total > 0);
    counted.count_total
}

/// Eight streams each way that take turns, with loss, copies, late packets and a change of the payload type among them.
fn packets(scene: &mut Scene, count: u32, mut send: impl FnMut(&mut Scene, bool, Vec<u8>)) {
    for number in 0..count {
        for source in 0..8_u32 {
            let sequence = match number % 50 {
                10 => number + 1,
                11 => number - 1,
                _ => number,
            };
            let kind = if number % 97 == 5 { 97 } else { 96 };
            let packet = payload::rtp(kind, sequence as u16, sequence * 960, 100 + source, 60);
            scene.after_us(1_000);
            if number % 31 != 30 {
                send(scene, true, packet.clone());
            }
            send(scene, false, packet.clone());
            if number % 40 == 20 {
                send(scene, false, packet);
            }
        }
    }
}

fn direct(count: u32) -> Scene {
    let mut scene = Scene::new();
    scene.direct_call(CLIENT, PEER, 0);
    packets(&mut scene, count, |scene, outward, packet| {
        let (from, to) = if outward { (CLIENT, PEER) } else { (PEER, CLIENT) };
        scene.udp(from, to, packet);
    });
    scene
}

fn relayed(count: u32) -> Scene {
    let login = alice();
    let mut scene = Scene::allocated(CLIENT, SERVER, "nonce", "192.0.2.1:50123");
    scene.talk(CLIENT, SERVER, &login, "nonce", (0x4000, PEER), 0);
    packets(&mut scene, count, |scene, outward, packet| {
        let (from, to) = if outward { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        scene.channel_data(from, to, 0x4000, packet);
    });
    scene
}

#[test]
fn twice_the_media_packets_are_read_with_as_many_allocations() {
    for media in [false, true] {
        assert_eq!(allocations(&direct(500), media), allocations(&direct(1000), media), "direct, rows {media}");
        assert_eq!(allocations(&relayed(500), media), allocations(&relayed(1000), media), "relayed, rows {media}");
    }
}

#[test]
fn bytes_that_only_look_like_media_cost_no_allocation_each() {
    let noise = |count: u32| {
        let mut scene = Scene::new();
        scene.direct_call(CLIENT, PEER, 1);
        for number in 0..count {
            let random = number.wrapping_mul(0x9e37_79b9) ^ 0x5bd1_e995;
            scene.after_us(1_000).udp(CLIENT, PEER, payload::rtp(96, (random >> 7) as u16, random, random, 60));
        }
        allocations(&scene, true)
    };
    assert_eq!(noise(8_000), noise(16_000));
}
