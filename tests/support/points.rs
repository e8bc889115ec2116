//! The same scene as captured at several points: each with its own clock, at another place on the way, behind a NAT, and without what was lost
//! before it.

use std::net::{IpAddr, SocketAddr};

use super::degrade::{self, Shot};
use super::packet::Place;
use turnscope::analyzer::{self, Analyzed, Options, Source, Together};
use turnscope::capture::Capture;
use turnscope::report::Report;

/// The report on several captures of one event: name and bytes of each.
pub fn report(captures: &[(&str, Vec<u8>)]) -> Report {
    report_with(captures, "")
}

/// The same, with the credentials of a TOML text.
pub fn report_with(captures: &[(&str, Vec<u8>)], credentials: &str) -> Report {
    let sources = captures.iter().enumerate().map(|(point, (name, _))| Source { path: (*name).to_owned(), point });
    report_of(sources.collect(), captures, credentials)
}

/// The report on several captures with logs beside them: name and text of each.
pub fn report_beside(captures: &[(&str, Vec<u8>)], logs: &[(&str, &str)]) -> Report {
    let sources = captures.iter().enumerate().map(|(point, (name, _))| Source { path: (*name).to_owned(), point });
    let logs: Vec<(String, &[u8])> = logs.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes())).collect();
    analyzer::report_beside(parts_of(sources.collect(), captures, ""), &logs, None)
}

/// The report on the files of one capture, one written after the other.
pub fn rotated(captures: &[(&str, Vec<u8>)]) -> Report {
    let sources = captures.iter().map(|(name, _)| Source { path: (*name).to_owned(), point: 0 });
    report_of(sources.collect(), captures, "")
}

fn report_of(sources: Vec<Source>, captures: &[(&str, Vec<u8>)], credentials: &str) -> Report {
    analyzer::report(parts_of(sources, captures, credentials))
}

fn parts_of(sources: Vec<Source>, captures: &[(&str, Vec<u8>)], credentials: &str) -> Vec<Analyzed> {
    let open = |index: u32| Capture::open(captures[index as usize].1.as_slice()).ok();
    let together = Together::new(sources, &open);
    let mut options = |_| {
        let credentials = super::analyze::given(credentials);
        Ok::<_, std::convert::Infallible>(Options { credentials, ..Options::default() })
    };
    let Ok(parts) = together.analyze(&mut options, &mut |_| {});
    parts
}

/// The ends of a UDP datagram or TCP segment in IPv4 in Ethernet.
fn ends(shot: &Shot) -> Option<(SocketAddr, SocketAddr)> {
    let mut shot = shot.clone();
    // ports stand in the same place
    if shot.bytes.get(23) == Some(&6) {
        shot.bytes[23] = 17;
    }
    degrade::ends(&shot)
}

/// The scene as it is seen further on: what this address sends is there so many microseconds later, what comes to it was there earlier.
pub fn further(shots: &[Shot], near: &str, delay_us: u64) -> Vec<Shot> {
    let near: IpAddr = near.parse().unwrap();
    let by = i64::try_from(delay_us * 1000).unwrap();
    let moved = shots.iter().map(|shot| match ends(shot) {
        Some((src, _)) if src.ip() == near => Shot { ns: shot.ns.saturating_add_signed(by), ..shot.clone() },
        Some((_, dst)) if dst.ip() == near => Shot { ns: shot.ns.saturating_add_signed(-by), ..shot.clone() },
        _ => shot.clone(),
    });
    let mut moved: Vec<Shot> = moved.collect();
    moved.sort_by_key(|shot| shot.ns);
    moved
}

/// The same by a clock that is so many milliseconds ahead and gains so many parts per million.
pub fn clock(shots: &[Shot], ahead_ms: i64, ppm: i64) -> Vec<Shot> {
    let start = shots.first().map_or(0, |shot| shot.ns);
    let set = |shot: &Shot| {
        let gained = i64::try_from(shot.ns.saturating_sub(start)).unwrap() / 1_000_000 * ppm;
        Shot { ns: shot.ns.saturating_add_signed(ahead_ms * 1_000_000 + gained), ..shot.clone() }
    };
    shots.iter().map(set).collect()
}

/// The scene beyond a NAT that puts one address for the other, in the headers alone.
pub fn translated(shots: &[Shot], inside: impl Place, outside: impl Place) -> Vec<Shot> {
    let (inside, outside) = (inside.place(), outside.place());
    let mut all = shots.to_vec();
    for shot in &mut all {
        let Some((src, dst)) = ends(shot) else { continue };
        let SocketAddr::V4(to) = outside else { panic!("IPv4 only") };
        for (end, ip, port) in [(src, 26, 34), (dst, 30, 36)] {
            if end == inside {
                shot.bytes[ip..ip + 4].copy_from_slice(&to.ip().octets());
                shot.bytes[port..port + 2].copy_from_slice(&to.port().to_be_bytes());
            }
        }
    }
    all
}

/// Only what `keep` says yes to, by number from 0, sender and receiver.
pub fn only(shots: &[Shot], keep: impl Fn(usize, SocketAddr, SocketAddr) -> bool) -> Vec<Shot> {
    let kept =
        shots.iter().enumerate().filter(|(number, shot)| ends(shot).is_none_or(|(src, dst)| keep(*number, src, dst)));
    kept.map(|(_, shot)| shot.clone()).collect()
}
