//! Floods: what one who sends whatever he likes can make the analysis keep and do. Memory stays under what `session/limits.rs` promises, ten
//! times the packets take about ten times as long, and what found no room is told in `omitted`.
//!
//! Its own test binary, since it counts through the global allocator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;
use support::packet::{self, Ip};
use support::{Scene, Stun, attribute, method, payload, tls};
use turnscope::analyzer::{self, Analyzer, Options};
use turnscope::capture::Capture;
use turnscope::frame::{Frame, LinkType};
use turnscope::redact::{Key, Redactor};
use turnscope::report::Report;
use turnscope::report::ladder::{Collector, Ladder};
use turnscope::session::credentials::Credentials;
use turnscope::time::Timestamp;

/// What a session, what it tells and what is told of it may take together.
const SESSION: u64 = 96 << 20;
/// The same with TCP streams, which have bounds of their own.
const WITH_STREAMS: u64 = SESSION + (32 << 20);
/// What judging takes besides where all flows of a full table are over at once, as they are when the capture ends.
const AT_THE_END: u64 = 32 << 20;
/// What a redaction may keep of TCP streams: 128 MiB of what is rewritten, and a little of what is not complete.
const REWRITTEN: u64 = 160 << 20;
/// LINKTYPE_RAW: IP without anything before it.
const RAW: LinkType = LinkType(101);
const SERVER: &str = "192.0.2.1:3478";

/// Packets on their way into an analyzer, without a file between.
struct Feed {
    analyzer: Analyzer,
    ladder: Option<Collector>,
    frames: u64,
    time_us: i64,
}

impl Feed {
    fn packet(&mut self, data: &[u8]) {
        self.frames += 1;
        let ladder = &mut self.ladder;
        let frame = frame(self.frames, self.time_us, data);
        self.analyzer.frame(&frame, &mut |row| ladder.iter_mut().for_each(|ladder| ladder.row(row)));
    }

    fn udp(&mut self, from: impl packet::Place, to: impl packet::Place, payload: &[u8]) {
        self.packet(&packet::udp(from, to, Ip::default(), payload));
    }

    fn tcp(&mut self, from: SocketAddr, seq: u32, flags: packet::TcpFlags, payload: &[u8]) {
        self.packet(&packet::tcp(from, SERVER, Ip::default(), seq, 0, flags, payload));
    }
}

fn frame(number: u64, time_us: i64, data: &[u8]) -> Frame<'_> {
    let time = Some(Timestamp(1_700_000_000_000_000_000 + time_us * 1000));
    let original_len = data.len() as u32;
    Frame { number, time, digits: 6, link_type: RAW, data, original_len, fcs_len: 0, big_endian: false }
}

/// What a flood did.
struct Outcome {
    report: Report,
    ladder: Option<Ladder>,
    /// The most bytes that were allocated at one time.
    peak: u64,
    seconds: f64,
}

impl Outcome {
    fn omitted(&self, what: &str) -> u64 {
        self.report.omitted.get(what).copied().unwrap_or_default()
    }
}

/// The processor's time that this thread has had, which other threads and programs do not change, where the system tells it.
fn seconds(since: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = told.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    told.map_or(since.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}

/// Runs `each` for every number below `count`, 100 µs apart.
fn run(count: u32, flow: bool, each: &mut impl FnMut(&mut Feed, u32)) -> Outcome {
    let start = Instant::now();
    let before = seconds(start);
    let mut told = None;
    let counted = allocation_counter::measure(|| {
        let analyzer = Analyzer::new(Options { media: flow, ..Options::default() });
        let mut feed = Feed { analyzer, ladder: flow.then(|| Collector::new(0)), frames: 0, time_us: 0 };
        for number in 0..count {
            feed.time_us += 100;
            each(&mut feed, number);
        }
        let none = Scene::new().pcap();
        let analyzed = feed.analyzer.finish("flood.pcap".to_owned(), Capture::open(none.as_slice()).unwrap().info());
        let report = analyzer::report(vec![analyzed]);
        let ladder = feed.ladder.map(|ladder| Ladder::new(vec![ladder], &report));
        told = Some((report, ladder));
    });
    let (report, ladder) = told.unwrap();
    Outcome { report, ladder, peak: counted.bytes_max, seconds: seconds(start) - before }
}

/// A tenth of a flood and all of it: all of it stays under `limit` bytes, and takes about ten times as long.
fn flood(name: &str, count: u32, flow: bool, limit: u64, mut each: impl FnMut(&mut Feed, u32)) -> Outcome {
    let tenth = run(count / 10, flow, &mut each);
    let all = run(count, flow, &mut each);
    println!(
        "{name}: {:.1} MiB, {:.2} s; a tenth {:.1} MiB, {:.2} s; omitted {:?}",
        all.peak as f64 / 1_048_576.0,
        all.seconds,
        tenth.peak as f64 / 1_048_576.0,
        tenth.seconds,
        all.report.omitted
    );
    assert!(all.peak < limit, "{name}: {} bytes at one time", all.peak);
    // what grows with the square takes a hundred times as long
    assert!(all.seconds < tenth.seconds * 30.0 + 0.5, "{name}: {} s, a tenth {} s", all.seconds, tenth.seconds);
    all
}

/// An address of its own for each number, outside the ranges that the others here use.
fn address(number: u32) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from_bits(0x0a00_0000 + number), 5000))
}

fn id(number: u32) -> [u8; 12] {
    let mut id = [7; 12];
    id[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    id[4..8].copy_from_slice(&number.to_be_bytes());
    id
}

/// An ICE check, with an integrity that nobody can test.
fn check(number: u32, ufrags: &str) -> Vec<u8> {
    let check = Stun::request(method::BINDING).tid(id(number)).username(ufrags).priority(0x6e00_01ff).controlling(1);
    check.attribute(attribute::MESSAGE_INTEGRITY, [0; 20]).bytes()
}

#[test]
fn sessions_of_ice_without_end() {
    let all = flood("user fragments", 100_000, false, SESSION, |feed, number| {
        feed.udp(address(number), SERVER, &check(number, &format!("b{number}:a{number}")));
    });
    assert!(all.report.ice.len() <= 4096);
    assert_eq!(all.omitted("ice") + all.omitted("ice_checks") + all.report.ice.len() as u64, 100_000);
}

#[test]
fn restarts_of_ice_without_end() {
    let all = flood("restarts", 100_000, false, SESSION, |feed, number| {
        feed.udp(address(1), SERVER, &check(number, &format!("b{number}:a{number}")));
    });
    // without a name for its user fragments, a check is one more of the session on its way
    let told = all.omitted("ice") + all.omitted("ice_checks") + all.report.ice.len() as u64;
    assert_eq!(told + all.omitted("names"), 100_000);
}

#[test]
fn pairs_of_one_session_without_end() {
    let all = flood("pairs", 100_000, false, SESSION, |feed, number| {
        feed.udp(address(number), SERVER, &check(number, "bbbb:aaaa"));
    });
    let [session] = &all.report.ice[..] else { panic!("{} sessions", all.report.ice.len()) };
    assert_eq!(session.pairs.len() as u64 + session.checks_omitted, 100_000);
    assert_eq!(session.checks_omitted, all.omitted("ice_checks"));
}

/// A ClientHello of 64 KiB of which the first fragment comes, `size` bytes of it.
fn beginning(number: u32, size: usize) -> Vec<u8> {
    let mut fragment = vec![1, 0, 0xff, 0xff, 0, 0, 0, 0, 0];
    fragment.extend(&(size as u32).to_be_bytes()[1..]);
    fragment.extend([0xfe, 0xfd]);
    fragment.extend(number.to_be_bytes());
    fragment.resize(12 + size, 0x33);
    payload::dtls_record(22, 0xfeff, 0, 0, &fragment)
}

#[test]
fn handshakes_that_are_never_complete() {
    for size in [60, 1200] {
        let count = if size < 1000 { 50_000 } else { 20_000 };
        let all = flood("hellos", count, false, SESSION, |feed, number| {
            feed.udp(address(number), SERVER, &beginning(number, size));
        });
        assert_eq!(all.omitted("dtls") + all.report.dtls.len() as u64, u64::from(count), "{size}");
    }
}

#[test]
fn fragments_of_one_handshake_without_end() {
    let all = flood("fragments", 50_000, false, SESSION, |feed, number| {
        let mut fragment = vec![11, 0, 0xff, 0xff];
        fragment.extend(((number / 30) as u16).to_be_bytes());
        fragment.extend(&(number % 30 * 2000).to_be_bytes()[1..]);
        fragment.extend(&500_u32.to_be_bytes()[1..]);
        fragment.resize(512, 0x44);
        let first = number == 0;
        let datagram =
            if first { beginning(1, 60) } else { payload::dtls_record(22, 0xfeff, 0, number.into(), &fragment) };
        feed.udp(address(1), SERVER, &datagram);
    });
    let kept = 64 * 30; // as many messages as one direction holds
    assert!(all.omitted("dtls_fragments") >= 50_000 - kept, "{:?}", all.report.omitted);
}

fn rtp(feed: &mut Feed, from: SocketAddr, ssrc: u32, sequence: u32) {
    feed.udp(from, SERVER, &payload::rtp(96, sequence as u16, sequence * 960, ssrc, 40));
}

#[test]
fn sources_of_media_without_end() {
    let all = flood("sources on one flow", 200_000, false, SESSION, |feed, number| rtp(feed, address(1), number, 0));
    assert_eq!(all.report.media.total, 0, "a source that sends once is none");
    let all = flood("sources on many flows", 40_000, false, SESSION, |feed, number| {
        (0..5).for_each(|sequence| rtp(feed, address(number), number, sequence));
    });
    let media = &all.report.media;
    assert_eq!(media.items.len() as u64 + media.omitted, media.total);
}

#[test]
fn proven_sources_of_media_without_end() {
    let all = flood("proven sources on one flow", 40_000, false, SESSION, |feed, number| {
        if number == 0 {
            feed.udp(address(1), SERVER, &check(1, "bbbb:aaaa"));
        }
        (0..5).for_each(|sequence| rtp(feed, address(1), number, sequence));
    });
    let media = &all.report.media;
    assert_eq!(media.items.len() as u64 + media.omitted, media.total);
}

#[test]
fn tcp_connections_that_are_never_open() {
    let all = flood("half-open connections", 100_000, false, WITH_STREAMS, |feed, number| {
        feed.tcp(address(number), 1, packet::SYN, &[]);
    });
    assert!(all.omitted("streams") + all.omitted("connections") > 0, "{:?}", all.report.omitted);
}

#[test]
fn tcp_connections_that_begin_as_turn_does_and_never_go_on() {
    let mut head = check(1, "bbbb:aaaa");
    head[2..4].copy_from_slice(&0x0400_u16.to_be_bytes());
    head.resize(1000, 0x55);
    let all = flood("connections that begin like TURN", 100_000, false, WITH_STREAMS, |feed, number| {
        feed.tcp(address(number), 0, packet::SYN, &[]);
        feed.tcp(address(number), 1, packet::ACK, &head);
    });
    assert!(all.omitted("streams") > 50_000, "{:?}", all.report.omitted);
}

#[test]
fn tcp_segments_that_wait_for_others() {
    let mut head = check(1, "bbbb:aaaa");
    head[2..4].copy_from_slice(&0x4000_u16.to_be_bytes());
    let all = flood("segments out of order", 100_000, false, WITH_STREAMS, |feed, number| {
        // 1000 connections that begin as STUN does, then leave a byte out after each segment
        let from = address(number % 1000);
        match number / 1000 {
            0 => feed.tcp(from, 0, packet::SYN, &[]),
            1 => feed.tcp(from, 1, packet::ACK, &head),
            round => feed.tcp(from, round * 1301, packet::ACK, &[0x55; 1300]),
        }
    });
    assert!(all.peak > 16 << 20, "nothing waited: {}", all.peak);
    flood("segments out of order, backwards, on one connection", 100_000, false, WITH_STREAMS, |feed, number| {
        match number {
            0 => feed.tcp(address(1), 0, packet::SYN, &[]),
            1 => feed.tcp(address(1), 1, packet::ACK, &head),
            _ => feed.tcp(address(1), 30_000_000 - number * 3, packet::ACK, &[0x55; 2]),
        }
    });
}

#[test]
fn handshakes_of_tls_that_are_as_large_as_they_may_be() {
    let name: &'static str = Box::leak("x".repeat(250).into_boxed_str());
    let offer = tls::Offer { alpn: vec![name; 60], ..tls::Offer::default() };
    let hello = tls::record(tls::HANDSHAKE, &tls::client_hello(&offer));
    let all = flood("hellos of TLS", 5000, true, WITH_STREAMS, |feed, number| {
        feed.tcp(address(number), 0, packet::SYN, &[]);
        for (at, part) in hello.chunks(1400).enumerate() {
            feed.tcp(address(number), 1 + at as u32 * 1400, packet::ACK, part);
        }
    });
    assert!(all.omitted("tls_cut_off") > 0 && all.report.tls.len() > 100, "{:?}", all.report.omitted);
    // messages that go on and on
    let endless = tls::record(tls::HANDSHAKE, &[&[1, 0, 0xff, 0xf0][..], &[0; 1390]].concat());
    flood("messages of TLS that do not end", 100_000, false, WITH_STREAMS, |feed, number| {
        let from = address(number % 2000);
        match number / 2000 {
            0 => feed.tcp(from, 0, packet::SYN, &[]),
            round => feed.tcp(from, 1 + (round - 1) * endless.len() as u32, packet::ACK, &endless),
        }
    });
}

#[test]
fn names_of_multicast_dns_without_end() {
    let all = flood("hidden candidates", 100_000, false, SESSION, |feed, number| {
        let mut question = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 36];
        question.extend(format!("{number:08x}-0000-4000-8000-0123456789ab").bytes());
        question.extend(*b"\x05local\0\0\x01\0\x01");
        feed.udp("192.168.1.2:5353", "224.0.0.251:5353", &question);
    });
    assert!(all.omitted("hidden_candidates") > 90_000, "{:?}", all.report.omitted);
}

#[test]
fn requests_of_as_many_clients_as_one_likes() {
    for flow in [false, true] {
        let all = flood("clients", 200_000, flow, if flow { SESSION + (48 << 20) } else { SESSION }, |feed, number| {
            let request = Stun::request(method::ALLOCATE).tid(id(number)).requested_transport(17);
            feed.udp(address(number % 20_000), SERVER, &request.bytes());
        });
        let Some(ladder) = all.ladder else { continue };
        assert!(ladder.sessions.len() <= 4096 && ladder.omitted > 100_000, "{}", ladder.omitted);
    }
}

#[test]
fn requests_while_the_clock_stands_still_or_goes_back() {
    for step in [100, 200] {
        let all = run(150_000, false, &mut |feed, number| {
            feed.time_us -= step;
            let request = Stun::request(method::ALLOCATE).tid(id(number)).requested_transport(17);
            feed.udp(address(number % 50), SERVER, &request.bytes());
        });
        assert!(all.peak < 32 << 20, "{} bytes at one time", all.peak);
        assert!(all.omitted("unanswered_transactions") > 50_000, "{:?}", all.report.omitted);
    }
}

#[test]
fn clients_that_never_come_again_and_what_turns_them_away() {
    for (turned_away, name, limit) in
        [(false, "ever new clients", 124 << 20), (true, "clients that ICMP turns away", 142 << 20)]
    {
        flood(name, 100_000, false, limit, |feed, number| {
            let request = Stun::request(method::ALLOCATE).tid(id(number)).requested_transport(17).bytes();
            let request = packet::udp(address(number), SERVER, Ip::default(), &request);
            feed.packet(&request);
            if turned_away {
                let router = "198.51.100.1".parse().unwrap();
                feed.packet(&packet::icmp_error(router, Ip::default(), 3, 3, 0, &request));
            }
        });
    }
    // each asks for more permissions than are kept
    flood("clients of many peers", 100_000, false, 140 << 20, |feed, number| {
        let request = Stun::request(method::CREATE_PERMISSION).tid(id(number));
        let request = (0..10).fold(request, |request, peer| request.xor_peer(address(peer)));
        feed.udp(address(number), SERVER, &request.bytes());
    });
}

/// A bit of everything, from clients that never come again.
fn mixed(feed: &mut Feed, number: u32) {
    let from = address(number);
    feed.udp(from, SERVER, &check(number, &format!("b{number}:a{number}")));
    feed.udp(from, SERVER, &beginning(number, 60));
    (0..4).for_each(|sequence| rtp(feed, from, number, sequence));
    let request = Stun::request(method::ALLOCATE).tid(id(!number)).requested_transport(17);
    feed.udp(address(number + 1_000_000), SERVER, &request.username(format!("user {number}")).bytes());
    feed.tcp(from, 1, packet::SYN, &[]);
}

#[test]
fn a_flood_of_everything_at_once() {
    flood("all at once", 60_000, false, WITH_STREAMS + AT_THE_END, mixed);
}

/// Segments of TCP, by client, as a redaction looks at them first: the most bytes that it allocates at one time stay bounded.
fn redact(name: &str, count: u32, each: impl Fn(u32) -> (SocketAddr, u32, Vec<u8>)) {
    let counted = allocation_counter::measure(|| {
        let mut redactor = Redactor::new(&Key::new([1; 32]), Credentials::default(), false);
        for number in 0..count {
            let (from, seq, payload) = each(number);
            let packet = packet::tcp(from, SERVER, Ip::default(), seq, 0, packet::ACK, &payload);
            redactor.learn(&frame(number.into(), number.into(), &packet));
        }
    });
    println!("{name}: {:.1} MiB", counted.bytes_max as f64 / 1_048_576.0);
    assert!(counted.bytes_max < REWRITTEN, "{name}: {} bytes at one time", counted.bytes_max);
}

#[test]
fn redacting_streams_keeps_a_bounded_part_of_them() {
    let alerts = tls::record(21, &[1, 0]).repeat(200);
    redact("small records of TLS", 15_000, |number| (address(1), 1 + number * alerts.len() as u32, alerts.clone()));
    // of what goes, nothing may stay but that it was there
    let media = [&[0x40, 0, 0xea, 0x60][..], &[0; 60_000]].concat();
    redact("media in channels", 4_000, |number| match number {
        0 => (address(1), 1, Stun::request(method::ALLOCATE).tid(id(1)).bytes()),
        _ => (address(1), 21 + (number - 1) * media.len() as u32, media.clone()),
    });
    let done = tls::record(tls::HANDSHAKE, &tls::message(14, &[0; 16_000]));
    redact("large messages of handshakes", 1_000, |number| (address(number), 1, done.clone()));
}
