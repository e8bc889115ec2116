//! Two large captures of one event, whose clocks are an hour apart and part further, read as one in memory that does not grow with them.
//!
//! Its own test binary, since it counts through the global allocator. The captures are made as they are read, and exist nowhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::cell::Cell;
use std::convert::Infallible;
use std::io::Read;
use std::rc::Rc;
use support::packet::{self, Ip};
use support::{Stun, method, payload};
use turnscope::analyzer::{self, Options, Source, Together};
use turnscope::capture::Capture;
use turnscope::report::Report;

/// What reading them together may take at a time: packets that are looked for at the other point, for 20 to 40 s or as many as there is room for,
/// and what the session keeps.
const LIMIT: u64 = 160 << 20;
const START: i64 = 1_700_000_000_000_000_000;
/// From one packet to the next.
const STEP: i64 = 100_000;
/// The way between the two points.
const WAY: i64 = 2_000_000;
/// The second clock.
const AHEAD: i64 = 3_600_000_000_000;
const PPM: i64 = 60;
/// Of the packets one in so many asks a server, the next one is the answer; all others are media, of which one in so many is lost in between.
const ASKS: u64 = 50;
const LOST: u64 = 97;

/// A capture as it would be read from a file.
struct Made {
    point: usize,
    next: u64,
    count: u64,
    ready: Vec<u8>,
    given: usize,
    bytes: Rc<Cell<u64>>,
}

impl Made {
    fn new(point: usize, count: u64, bytes: Rc<Cell<u64>>) -> Made {
        let mut ready = Vec::new();
        ready.extend(0xA1B2_3C4D_u32.to_le_bytes());
        // version 2.4, raw IP
        ready.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0]);
        Made { point, next: 0, count, ready, given: 0, bytes }
    }

    fn fill(&mut self) {
        self.ready.clear();
        self.given = 0;
        while self.ready.len() < 64 << 10 && self.next < self.count {
            let number = self.next;
            self.next += 1;
            let (outward, packet) = packet_of(number);
            let is_media = number % ASKS > 1;
            if self.point == 1 && is_media && number.is_multiple_of(LOST) {
                continue;
            }
            let mut time = number as i64 * STEP;
            if self.point == 1 {
                time += if outward { WAY } else { -WAY };
                time += AHEAD + time * PPM / 1_000_000;
            }
            let time = START + time;
            self.ready.extend(((time / 1_000_000_000) as u32).to_le_bytes());
            self.ready.extend(((time % 1_000_000_000) as u32).to_le_bytes());
            self.ready.extend([(packet.len() as u32).to_le_bytes(), (packet.len() as u32).to_le_bytes()].concat());
            self.ready.extend(packet);
        }
    }
}

/// Whether it goes from the first point to the second, and its bytes.
fn packet_of(number: u64) -> (bool, Vec<u8>) {
    let (kind, asked) = (number % ASKS, number / ASKS);
    if kind < 2 {
        let client = format!("10.1.{}.{}:5000", asked / 200 % 200, asked % 200 + 1);
        let mut id = [7; 12];
        id[..8].copy_from_slice(&asked.to_be_bytes());
        let request = Stun::request(method::BINDING).tid(id).bytes();
        return if kind == 0 {
            (true, packet::udp(client.as_str(), "192.0.2.1:3478", Ip::default(), &request))
        } else {
            let answer = Stun::success_to(&request).xor_mapped(client.as_str()).bytes();
            (false, packet::udp("192.0.2.1:3478", client.as_str(), Ip::default(), &answer))
        };
    }
    let outward = number.is_multiple_of(2);
    let (from, to) = if outward { (1, 2) } else { (2, 1) };
    let media = payload::rtp(96, (number / 2) as u16, (number * 8) as u32, from, 140);
    let ends = [format!("10.0.0.{from}:40000"), format!("10.0.0.{to}:40000")];
    (outward, packet::udp(ends[0].as_str(), ends[1].as_str(), Ip::default(), &media))
}

impl Read for Made {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.given == self.ready.len() {
            self.fill();
        }
        let rest = &self.ready[self.given..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        self.bytes.set(self.bytes.get() + count as u64);
        Ok(count)
    }
}

/// The report on two captures of so many packets, the most bytes that were allocated at one time, and how many were read in all.
fn together(count: u64) -> (Report, u64, u64) {
    let bytes = Rc::new(Cell::new(0));
    let mut told = None;
    let counted = allocation_counter::measure(|| {
        let sources = ["near.pcap", "far.pcap"].into_iter().enumerate();
        let sources = sources.map(|(point, path)| Source { path: path.to_owned(), point }).collect();
        let open = |index: u32| Capture::open(Made::new(index as usize, count, Rc::clone(&bytes))).ok();
        let together = Together::new(sources, &open);
        let Ok(parts) = together.analyze(&mut |_| Ok::<_, Infallible>(Options::default()), &mut |_| {});
        told = Some(analyzer::report(parts));
    });
    (told.unwrap(), counted.bytes_max, bytes.get())
}

#[test]
fn two_captures_of_any_length_are_merged_in_bounded_memory() {
    let (_, tenth, _) = together(40_000);
    let count = 400_000;
    let (report, peak, read) = together(count);
    println!(
        "{:.1} MiB for {:.1} MiB read; a tenth {:.1} MiB",
        peak as f64 / 1048576.0,
        read as f64 / 1048576.0,
        tenth as f64 / 1048576.0
    );
    assert!(peak < LIMIT, "{peak} bytes at one time");
    assert!(peak * 2 < read / 3, "{peak} bytes at one time of {} in the captures", read / 3);
    let join = &report.joins[0];
    let lost = (0..count).filter(|number| number % ASKS > 1 && number.is_multiple_of(LOST)).count() as u64;
    assert_eq!(join.matched, count - lost);
    // what a point shows in its last half second may come to the other after its end
    let told: u64 = join.lost.iter().map(|lost| lost.count).sum();
    assert!(told <= lost && lost - told <= 60, "{told} of {lost}");
    assert_eq!(report.counts.stun["Binding request"], count / ASKS);
    let far = &report.captures[1];
    assert!((far.clock_offset_us.unwrap() + AHEAD / 1000).abs() <= 200, "{far:?}");
    assert!((far.clock_drift_ppm.unwrap() + PPM as f64).abs() < 1.0, "{far:?}");
    assert!(far.clock_uncertainty_us.unwrap() <= 2_100, "{far:?}");
}
