//! The packet stage on real captures: those under `samples/`, and those in the folders of `TURNSCOPE_CAPTURES=DIR[:DIR…]`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use support::oracle::{fields, has_tshark};
use support::samples::captures;
use turnscope::capture::Capture;
use turnscope::packet::{Packet, Packets};
use turnscope::time::Timestamp;

/// Calls `each` with every frame's number and what each of the two ways finds in it.
fn dissect(path: &Path, mut each: impl FnMut(u64, Vec<String>, Vec<String>, Vec<Row>)) {
    let mut capture = Capture::open(File::open(path).unwrap()).unwrap();
    let (mut packets, mut others) = (Packets::default(), Packets::default());
    let mut now = Timestamp::default();
    while let Some(frame) = capture.next_frame() {
        now = frame.time.unwrap_or(now);
        let (mut one, mut other, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        packets.dissect(&frame, now, &mut |packet| {
            one.push(format!("{packet:?}"));
            rows.extend(Row::of(&packet));
        });
        others.dissect_slowly(&frame, now, &mut |packet| other.push(format!("{packet:?}")));
        each(frame.number, one, other, rows);
    }
    assert_eq!(packets.counts(), others.counts());
}

/// What tshark is asked for too: protocol, ports, and payload bytes by the headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    tcp: bool,
    src: u16,
    dst: u16,
    length: u32,
}

impl Row {
    fn of(packet: &Packet<'_>) -> Option<Row> {
        match packet {
            Packet::Datagram(datagram) => {
                Some(Row { tcp: false, src: datagram.src.port(), dst: datagram.dst.port(), length: datagram.length })
            }
            Packet::Segment(segment) => {
                Some(Row { tcp: true, src: segment.src.port(), dst: segment.dst.port(), length: segment.length })
            }
            Packet::IcmpError(_) => None,
        }
    }
}

#[test]
fn the_short_way_agrees_with_the_long_way_on_every_sample() {
    for path in captures() {
        dissect(&path, |frame, one, other, _| assert_eq!(one, other, "{} frame {frame}", path.display()));
    }
}

/// The innermost UDP or TCP header of each frame as tshark sees it.
fn ask_tshark(path: &Path) -> BTreeMap<u64, Row> {
    let wanted = [
        "frame.number",
        "udp.srcport",
        "udp.dstport",
        "udp.length",
        "tcp.srcport",
        "tcp.dstport",
        "tcp.len",
        "frame.protocols",
    ];
    let mut rows = BTreeMap::new();
    for cells in fields(path, &["-n", "-E", "occurrence=l", "-Y", "!icmp && !icmpv6"], &wanted).unwrap() {
        let number = |at: usize| cells.get(at).and_then(|cell| cell.parse::<u32>().ok());
        let row = |tcp: bool, at: usize, header: u32| {
            Some(Row {
                tcp,
                src: u16::try_from(number(at)?).ok()?,
                dst: u16::try_from(number(at + 1)?).ok()?,
                length: number(at + 2)? - header,
            })
        };
        // Of a tunnel whose inside is neither, tshark would give the outer datagram.
        let protocols = cells.last().map_or("", String::as_str);
        let inside = protocols.rsplit(":udp").next().unwrap_or_default();
        if inside.contains(":ip") && protocols.contains(":udp:") {
            continue;
        }
        if let (Some(frame), Some(row)) = (number(0), row(true, 4, 0).or(row(false, 1, 8))) {
            rows.insert(u64::from(frame), row);
        }
    }
    rows
}

#[test]
fn tshark_finds_the_same_datagrams_and_segments_in_every_sample() {
    if !has_tshark() {
        return;
    }
    for path in captures() {
        let expected = ask_tshark(&path);
        let mut found = BTreeMap::new();
        dissect(&path, |frame, _, _, rows| found.extend(rows.last().map(|row| (frame, *row))));
        for frame in expected.keys().chain(found.keys()) {
            assert_eq!(found.get(frame), expected.get(frame), "{} frame {frame}", path.display());
        }
    }
}
