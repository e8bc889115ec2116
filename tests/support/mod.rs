//! The test kit: STUN messages, frames and whole captures, built from the RFCs' layouts and from nothing of turnscope's own,
//! so that a mistake in the library cannot hide behind the same mistake in its tests.
//!
//! - [`Stun`] builds one message, attribute by attribute; lengths, integrity and fingerprint are worked out at the end.
//! - [`packet`] wraps payloads in UDP, TCP, ICMP, IP and Ethernet; [`payload`] makes ChannelData, RTP and DTLS ones.
//! - [`Scene`] is a capture under construction with a clock, told in sentences:
//!
//! ```ignore
//! mod support;
//! use support::{Login, Scene};
//!
//! let alice = Login::new("alice", "example.org", "wrong");
//! let mut scene = Scene::new();
//! scene.allocate_challenge("10.0.0.2:50000", "192.0.2.1:3478", "example.org", "nonce-1");
//! let retry = scene.after_ms(20).allocate_as("10.0.0.2:50000", "192.0.2.1:3478", &alice, "nonce-1");
//! scene.after_ms(20).challenge(&retry, 401, "Unauthorized", "example.org", "nonce-1");
//! let capture: Vec<u8> = scene.pcap();
//! ```
// Each integration test compiles its own copy and uses a part of it.
#![allow(dead_code, unused_imports, unused_macros, unreachable_pub)]
// What is indexed here was built here; a kit that panics fails the test that misused it, as it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod analyze;
pub mod calls;
pub mod degrade;
pub mod desk;
pub mod dns;
pub mod dtls;
pub mod held;
pub mod ice;
pub mod lookalikes;
pub mod oracle;
pub mod packet;
pub mod payload;
pub mod points;
pub mod samples;
pub mod scene;
pub mod schema;
pub mod stun;
pub mod tcp;
pub mod tls;
pub mod vectors;

pub use ice::sides;
pub use packet::{Place, TcpFlags};
pub use scene::{IceSide, Icmp, Scene, Sent};
pub use stun::{Login, Stun, alice, attribute, method};
pub use tcp::Tcp;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a function gives for each of these, in their order; as many at a time as the machine has processors.
pub fn of_each<I: Sync, T: Send>(items: &[I], ask: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let work = || {
        let mut done = BTreeMap::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return done };
            done.insert(at, ask(item));
        }
    };
    let mut all = BTreeMap::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| all.extend(worker.join().unwrap()));
    });
    all.into_values().collect()
}

/// Bytes written as hex; blanks and line ends between the digits are passed over.
pub fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "an odd number of hex digits");
    digits
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).expect("hex digits"))
        .collect()
}

/// Bytes packed with gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}
