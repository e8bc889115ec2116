//! tshark's statistics of RTP streams (`-z rtp,streams`) agree with ours: which streams go directly, their packets, what is lost, and, where
//! tshark knows the clock, the jitter. What goes through a relay tshark does not see.
//!
//! It runs over the samples, over calls made up here, and, with `TURNSCOPE_CAPTURES=DIR[:DIR…]`, over the captures of other folders. Without
//! tshark it says that it was skipped; `TURNSCOPE_REQUIRE_TSHARK=1` makes it fail then.
// What is unwrapped here is ours or tshark's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use support::oracle::{has_tshark, tshark};
use support::samples::captures;
use support::{Scene, of_each, payload};
use turnscope::report::{MediaStream, Transport};

/// Who sends to whom, and the source.
type Key = (String, String, u32);

/// What tshark says of a stream.
#[derive(Clone, Debug, PartialEq)]
struct Theirs {
    packets: i64,
    lost: i64,
    mean_jitter_ms: f64,
    max_jitter_ms: f64,
}

fn ours(path: &Path) -> BTreeMap<Key, MediaStream> {
    let report = support::analyze::report(&fs::read(path).unwrap());
    // it reads no RTP in the frames of ICE over TCP (RFC 4571)
    let direct =
        report.media.items.into_iter().filter(|stream| stream.via.is_empty() && stream.transport == Transport::Udp);
    direct.map(|stream| ((stream.src.to_string(), stream.dst.to_string(), stream.ssrc), stream)).collect()
}

/// The streams that tshark finds on these ports.
fn theirs(path: &Path, ports: &BTreeSet<String>) -> BTreeMap<Key, Theirs> {
    let ports: Vec<String> = ports.iter().map(|port| format!("udp.port=={port},rtp")).collect();
    let mut arguments = vec!["-n", "-q", "-z", "rtp,streams"];
    arguments.extend(ports.iter().flat_map(|port| ["-d", port]));
    tshark(path, &arguments).unwrap().lines().filter_map(stream).collect()
}

/// One line: start, end, source, port, destination, port, SSRC, payload, packets, lost, percentage, three of the time between packets,
/// three of the jitter. The name of the payload may be of several words, so what follows is counted from the end.
fn stream(line: &str) -> Option<(Key, Theirs)> {
    let line = line.trim().trim_end_matches('X').trim_end();
    let (head, tail) = line.split_once('(')?;
    let head: Vec<&str> = head.split_whitespace().collect();
    let tail: Vec<&str> = tail.split_whitespace().collect();
    let ssrc = head.get(6)?.strip_prefix("0x")?;
    let end = |ip: &str, port: &str| if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") };
    let key = (end(head[2], head[3]), end(head[4], head[5]), u32::from_str_radix(ssrc, 16).ok()?);
    let number = |text: &str| text.parse::<f64>().ok();
    let [packets, lost] = [head[head.len() - 2], head[head.len() - 1]].map(|text| text.parse().ok());
    let (mean, max) = (number(tail[tail.len() - 2])?, number(tail[tail.len() - 1])?);
    Some((key, Theirs { packets: packets?, lost: lost?, mean_jitter_ms: mean, max_jitter_ms: max }))
}

/// What was compared, and what differs.
#[derive(Debug, Default)]
struct Comparison {
    streams: usize,
    jitters: usize,
    lost: u64,
    reordered: u64,
    duplicates: u64,
    wrong: Vec<String>,
}

fn compare(path: &Path) -> Comparison {
    let mut into = Comparison::default();
    let wrong = &mut into.wrong;
    let own = ours(path);
    let port = |end: &str| end.rsplit(':').next().unwrap().to_owned();
    let ports: BTreeSet<String> = own.keys().flat_map(|(src, dst, _)| [port(src), port(dst)]).collect();
    if own.is_empty() {
        return into;
    }
    let other = theirs(path, &ports);
    for (key, stream) in &own {
        let told = format!("{} {key:?}", path.display());
        let Some(theirs) = other.get(key) else {
            wrong.push(format!("{told}: not to tshark"));
            continue;
        };
        into.lost += stream.lost;
        into.reordered += stream.reordered;
        into.duplicates += stream.duplicates;
        // tshark counts copies as packets, and so takes them from what is lost
        let packets = (stream.packets + stream.duplicates) as i64;
        let lost = stream.lost as i64 - stream.duplicates as i64;
        if (packets, lost) != (theirs.packets, theirs.lost) {
            wrong.push(format!("{told}: {packets} packets, {lost} lost, but to tshark {theirs:?}"));
        }
        // it knows the clocks of RFC 3551 only, and for others tells 0
        if let (Some(own), true) = (stream.jitter_us, theirs.max_jitter_ms > 0.0 && stream.duplicates == 0) {
            let (mean, max) = (own as f64 / 1000.0, stream.jitter_max_us.unwrap() as f64 / 1000.0);
            into.jitters += 1;
            let near = |one: f64, other: f64| (one - other).abs() <= 0.05 + other * 0.02;
            if !near(mean, theirs.mean_jitter_ms) || !near(max, theirs.max_jitter_ms) {
                wrong.push(format!("{told}: jitter {mean} at most {max} ms, but to tshark {theirs:?}"));
            }
        }
    }
    let believed = |key: &&Key| other[*key].packets > 3;
    for key in other.keys().filter(believed).filter(|key| !own.contains_key(*key)) {
        wrong.push(format!("{} {key:?}: to tshark only: {:?}", path.display(), other[key]));
    }
    into.streams += own.len();
    into
}

/// Compares all captures; what differs comes in their order.
fn compare_all(paths: &[PathBuf]) -> Comparison {
    let mut all = Comparison::default();
    for own in of_each(paths, |path| compare(path)) {
        all.streams += own.streams;
        all.jitters += own.jitters;
        all.lost += own.lost;
        all.reordered += own.reordered;
        all.duplicates += own.duplicates;
        all.wrong.extend(own.wrong);
    }
    all
}

/// A call with two sources each way: PCMU that suffers as the number says, and VP8 that wraps.
fn suffering(seed: u32) -> Scene {
    let (one, other) = ("10.0.0.2:50000", "198.51.100.7:40000");
    let mut scene = Scene::new();
    scene.direct_call(one, other, 0);
    let mut random = seed;
    let mut next = move |below: u32| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) % below
    };
    let mut late = None;
    for number in 0..3_000_u32 {
        scene.at_us(1_000_000 + u64::from(number) * 20_000 + u64::from(next(15_000)));
        let audio = payload::rtp(0, (number + 64_000) as u16, number.wrapping_mul(160), 0xaaaa, 160);
        let video = payload::rtp(97, (number + 65_530) as u16, number.wrapping_mul(1800), 0xbbbb, 900);
        match next(100) {
            chance if chance < seed % 20 => {}
            98 if seed.is_multiple_of(2) => late = Some(audio),
            97 if seed.is_multiple_of(3) => {
                scene.udp(one, other, audio.clone());
                scene.udp(one, other, audio);
            }
            _ => {
                scene.udp(one, other, audio);
                if let Some(packet) = late.take() {
                    scene.udp(one, other, packet);
                }
            }
        }
        scene.udp(other, one, video);
    }
    scene
}

#[test]
fn tshark_counts_the_same_streams() {
    if !has_tshark() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut paths = captures();
    for seed in 0..12 {
        let path = folder.path().join(format!("{seed}.pcap"));
        fs::write(&path, suffering(seed).pcap()).unwrap();
        paths.push(path);
    }
    let all = compare_all(&paths);
    let Comparison { streams, jitters, lost, reordered, duplicates, wrong } = all;
    println!(
        "{streams} streams of {} captures, {jitters} with jitter, are the same to tshark: {lost} packets lost, {reordered} late, {duplicates} twice",
        paths.len()
    );
    assert!(streams >= 24 && jitters >= 8 && lost > 1000 && reordered > 100 && duplicates > 50);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
