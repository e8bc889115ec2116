//! TLS over TCP: whatever becomes of the segments, records and messages are the same, or nothing is guessed; and what whoever has keys opens goes on as
//! though it had been in the clear.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use proptest::prelude::*;
use std::fs::File;
use std::path::Path;
use support::tls::*;
use turnscope::capture::Capture;
use turnscope::frame::Seen;
use turnscope::net::Endpoint;
use turnscope::packet::{Limits as PacketLimits, Packet, Packets, Segment, TcpFlags};
use turnscope::stream::{Connection, Counts, Item, Limits, Streams, What};
use turnscope::time::Timestamp;
use turnscope::wire::handshake::ContentType;

const SYN: u8 = 2;
const RST: u8 = 4;

/// A segment: who sends it, where in its stream, what.
#[derive(Clone, Debug)]
struct Made {
    side: usize,
    seq: u32,
    flags: u8,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Read {
    /// Side, content type, length, whether it is under keys.
    records: Vec<(usize, u8, usize, bool)>,
    /// Side, type, body, whether it was opened.
    messages: Vec<(usize, u8, Vec<u8>, bool)>,
    /// Side, bytes, whether it was under TLS.
    payloads: Vec<(usize, Vec<u8>, bool)>,
    connections: Vec<Connection>,
    counts: Counts,
    /// Connections that were followed when all was said, before the capture ended.
    followed: usize,
    /// The most bytes that waited.
    held: usize,
}

impl Read {
    fn kinds(&self, side: usize) -> Vec<u8> {
        self.messages.iter().filter(|message| message.0 == side).map(|message| message.1).collect()
    }
}

fn end(side: usize, port: u16) -> Endpoint {
    if side == 0 { Endpoint::v4([10, 0, 0, 2], 50_000) } else { Endpoint::v4([192, 0, 2, 1], port) }
}

fn read(segments: &[Made], follow: bool, keys: Option<&[u8]>) -> Read {
    let mut streams = Streams::new(Limits::default());
    if let Some(keys) = keys {
        streams.keys().add(keys);
    }
    let mut read = Read::default();
    let mut each = |item: Item<'_>| match item {
        Item::Secured(secured) => {
            if follow {
                secured.follow.set(true);
            }
            match secured.what {
                What::Record(sealed) => {
                    let record = sealed.record;
                    read.records.push((secured.side, record.content_type.0, record.length, sealed.protected));
                }
                What::Message { kind, body, opened, .. } => {
                    read.messages.push((secured.side, kind.0, body.to_vec(), opened));
                }
            }
        }
        Item::Payload(payload) => {
            let side = usize::from(payload.src != end(0, 443));
            read.payloads.push((side, payload.message.bytes.to_vec(), payload.secured));
        }
        Item::Connection(connection) => read.connections.push(*connection),
        Item::Proxied(_) => {}
    };
    let mut held = 0;
    for (number, made) in (1u64..).zip(segments) {
        let segment = Segment {
            src: end(made.side, 443),
            dst: end(1 - made.side, 443),
            seq: made.seq,
            flags: TcpFlags(made.flags),
            payload: &made.bytes,
            length: u32::try_from(made.bytes.len()).unwrap(),
            ttl: 64,
            ..Segment::default()
        };
        let time = Timestamp(i64::try_from(number).unwrap() * 1_000_000);
        let at = Seen { frame: number, time };
        streams.advance(at, &mut each);
        streams.segment(at, &segment, &mut each);
        held = held.max(streams.size().1);
    }
    let followed = streams.size().0;
    streams.finish(&mut each);
    assert_eq!(streams.size(), (0, 0), "nothing stays");
    read.counts = *streams.counts();
    (read.followed, read.held) = (followed, held);
    read
}

fn sealed(kind: u8, contents: &[u8]) -> Vec<u8> {
    let flipped: Vec<u8> = contents.iter().map(|byte| !byte).collect();
    record(kind, &[&flipped[..], &[0xEE; 16]].concat())
}

/// What client and server say in a handshake of TLS 1.2, and then; one waits for the other.
fn said(data: &[(usize, Vec<u8>)]) -> Vec<(usize, Vec<u8>)> {
    let finished = || [record(CHANGE_CIPHER, &[1]), sealed(HANDSHAKE, &message(20, &[9; 12]))].concat();
    let hellos =
        [record(HANDSHAKE, &server_hello(0xA5, TLS_1_2)), record(HANDSHAKE, &message(11, &[0, 0, 0]))].concat();
    let mut said = vec![
        (0, record(HANDSHAKE, &client_hello(&Offer::default()))),
        (1, [hellos, record(HANDSHAKE, &message(14, &[]))].concat()),
        (0, [record(HANDSHAKE, &message(16, &[1, 7])), finished()].concat()),
        (1, finished()),
    ];
    said.extend(data.iter().map(|(side, bytes)| (*side, sealed(DATA, bytes))));
    said
}

/// The same in segments of these lengths.
fn cut(said: &[(usize, Vec<u8>)], lengths: &[usize]) -> Vec<Made> {
    let mut made: Vec<Made> = (0..2)
        .map(|side| Made { side, seq: 99, flags: if side == 0 { SYN } else { SYN | 16 }, bytes: Vec::new() })
        .collect();
    let mut seq = [100u32; 2];
    let mut lengths = lengths.iter().cycle();
    for (side, bytes) in said {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (part, after) = rest.split_at((*lengths.next().unwrap()).min(rest.len()));
            made.push(Made { side: *side, seq: seq[*side], flags: 0, bytes: part.to_vec() });
            seq[*side] += u32::try_from(part.len()).unwrap();
            rest = after;
        }
    }
    made
}

/// What a sample's only TLS connection says, and its key log: what each end sends before the other does.
fn sample(name: &str) -> (Vec<(usize, Vec<u8>)>, Vec<u8>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name);
    let mut capture = Capture::open(File::open(folder.join("capture.pcapng")).unwrap()).unwrap();
    let mut packets = Packets::new(PacketLimits::default());
    let mut said: Vec<(usize, Vec<u8>)> = Vec::new();
    while let Some(frame) = capture.next_frame() {
        packets.dissect(&frame, Timestamp(0), &mut |packet| {
            if let Packet::Segment(segment) = packet
                && !segment.payload.is_empty()
            {
                said.push((usize::from(segment.src.port() == 5349), segment.payload.to_vec()));
            }
        });
    }
    (said, std::fs::read(folder.join("keylog.txt")).unwrap())
}

#[test]
fn records_and_messages_come_out_of_any_segments() {
    let said = said(&[(0, vec![1; 50]), (1, vec![2; 5000])]);
    for lengths in [&[1][..], &[3, 7], &[100], &[1448], &[100_000]] {
        let read = read(&cut(&said, lengths), true, None);
        assert_eq!((read.kinds(0), read.kinds(1)), (vec![1, 16], vec![2, 11, 14]), "{lengths:?}");
        let of_client: Vec<_> = read.records.iter().filter(|record| record.0 == 0).copied().collect();
        let expected = [(22, false), (22, false), (20, false), (22, true), (23, true)];
        assert_eq!(of_client.iter().map(|record| (record.1, record.3)).collect::<Vec<_>>(), expected);
        assert!(read.payloads.is_empty() && read.connections.last().unwrap().tls);
        assert_eq!((read.counts.tls, read.counts.recognised), (1, 0));
    }
}

#[test]
fn a_hello_over_several_segments_is_read_where_the_server_is_not_heard() {
    let mut segments = cut(&said(&[])[..1], &[60]);
    segments.remove(1); // the server's SYN
    segments.iter_mut().for_each(|made| made.flags |= 16 * u8::from(made.flags & SYN == 0));
    let read = read(&segments, true, None);
    assert_eq!((read.kinds(0), read.counts.tls), (vec![1], 1));
}

#[test]
fn what_is_under_keys_is_never_read_as_plain() {
    // behind ChangeCipherSpec a record whose bytes look like a hello, and one like an alert
    let mut said = said(&[]);
    said.push((0, record(HANDSHAKE, &client_hello(&Offer { random: 9, ..Offer::default() }))));
    said.push((0, record(ALERT, &[2, 40])));
    let read = read(&cut(&said, &[1000]), true, None);
    assert_eq!(read.kinds(0), [1, 16]);
    assert!(read.records.iter().filter(|record| record.0 == 0).skip(3).all(|record| record.3));
}

#[test]
fn opened_data_goes_on_as_messages_whatever_segments_cut() {
    for name in ["tls-success", "tls13-success"] {
        let (said, keys) = sample(name);
        let straight = read(&cut(&said, &[100_000]), false, Some(&keys));
        assert!(straight.payloads.len() > 10 && straight.payloads.iter().all(|payload| payload.2), "{name}");
        assert!(straight.connections.last().unwrap().stun && !straight.connections.last().unwrap().let_go);
        assert_eq!(straight.counts.recognised, 1);
        for lengths in [&[1][..], &[7, 64], &[1448]] {
            let read = read(&cut(&said, lengths), false, Some(&keys));
            assert_eq!(read.payloads, straight.payloads, "{name} {lengths:?}");
            assert_eq!(read.messages, straight.messages, "{name} {lengths:?}");
        }
        let without = read(&cut(&said, &[1448]), true, None);
        assert!(without.payloads.is_empty() && without.messages.iter().all(|message| !message.3));
    }
}

#[test]
fn the_web_is_let_go_when_its_handshake_is_over() {
    let data: Vec<(usize, Vec<u8>)> = (0..40).map(|at| (at % 2, vec![7; 1000])).collect();
    let read = read(&cut(&said(&data), &[1448]), false, None);
    assert!(read.connections.last().unwrap().let_go && read.records.len() < 20, "{}", read.records.len());
    assert_eq!(read.followed, 0, "nothing of it stays in the table");
}

#[test]
fn what_answers_a_hello_with_anything_but_tls_is_let_go_at_its_first_bytes() {
    let hello = said(&[]).swap_remove(0);
    let answer = |bytes: &[u8]| {
        let mut said = vec![hello.clone(), (1, bytes.to_vec())];
        said.extend((0..8).map(|_| (0, record(23, &[7; 1000]))));
        said
    };
    for other in [&b"HTTP/1.1 400 Bad Request\r\n"[..], &[23, 3, 3, 0x3f, 0xff, 1, 2, 3]] {
        let let_go = read(&cut(&answer(other), &[1448]), false, None);
        assert!(let_go.connections.last().unwrap().let_go && let_go.records.len() == 1, "{}", let_go.records.len());
        // where it is known to be of TURN, all of it is read
        let followed = read(&cut(&answer(other), &[1448]), true, None);
        assert!(!followed.connections.last().unwrap().let_go && followed.records.len() == 9);
    }
}

#[test]
fn long_records_that_nobody_can_open_are_told_when_they_are_complete_and_not_kept() {
    let data: Vec<(usize, Vec<u8>)> = vec![(1, vec![7; 16_000]), (1, vec![9; 12_000])];
    for lengths in [&[1][..], &[3, 700], &[1448], &[100_000]] {
        let segments = cut(&said(&data), lengths);
        let (seen, followed) = (read(&segments, false, None), read(&segments, true, None));
        let of_server = |read: &Read| read.records.iter().filter(|record| record.0 == 1).cloned().collect::<Vec<_>>();
        assert_eq!(of_server(&seen), of_server(&followed), "{lengths:?}");
        assert!(seen.held < 4096 || lengths == [100_000], "{} bytes wait, {lengths:?}", seen.held);
    }
}

#[test]
fn a_reset_within_the_handshake_is_told_with_the_connection() {
    let mut segments = cut(&said(&[])[..1], &[1448]);
    segments.push(Made { side: 1, seq: 100, flags: RST | 16, bytes: Vec::new() });
    let read = read(&segments, false, None);
    let last = read.connections.last().unwrap();
    assert!(last.rst[1].is_some() && last.rst[0].is_none());
}

#[test]
fn a_hello_that_only_pretends_is_none() {
    let pretended = [&[0x16, 3, 1, 0, 0x2d, 1, 0, 0, 0x29, 3, 1][..], &[0; 39]].concat();
    let read = read(&cut(&[(0, pretended)], &[1448]), true, None);
    assert!(read.records.is_empty());
}

/// The segments behind the SYNs, some of them later than they were, some twice.
fn mix(straight: &[Made], swaps: &[(prop::sample::Index, usize)], again: &[prop::sample::Index]) -> Vec<Made> {
    let mut mixed = straight.to_vec();
    for (at, step) in swaps {
        let at = 2 + at.index(mixed.len() - 2);
        let other = (at + step).min(mixed.len() - 1);
        // one waits for the other: what an end said before the other spoke stays before that
        if mixed[at..=other].iter().all(|made| made.side == mixed[at].side) {
            mixed.swap(at, other);
        }
    }
    for at in again {
        let at = 2 + at.index(mixed.len() - 2);
        let copy = mixed[at].clone();
        mixed.insert(at, copy);
    }
    mixed
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn segments_in_any_order_and_more_than_once_give_the_same(
        lengths in prop::collection::vec(1usize..120, 1..8),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), 1usize..4), 0..12),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        new in any::<bool>(),
    ) {
        let (said, keys) = sample(if new { "tls13-success" } else { "tls-success" });
        let straight = cut(&said, &lengths);
        let expected = read(&straight, true, Some(&keys));
        let found = read(&mix(&straight, &swaps, &again), true, Some(&keys));
        prop_assert_eq!(&found.records, &expected.records);
        prop_assert_eq!(&found.messages, &expected.messages);
        prop_assert_eq!(&found.payloads, &expected.payloads);
    }

    #[test]
    fn with_segments_lost_nothing_false_comes_out(
        lengths in prop::collection::vec(1usize..120, 1..8),
        lost in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
        new in any::<bool>(),
    ) {
        let (said, keys) = sample(if new { "tls13-success" } else { "tls-success" });
        let mut segments = cut(&said, &lengths);
        let whole = read(&segments, true, Some(&keys));
        for at in lost {
            let at = 2 + at.index(segments.len() - 2);
            segments.remove(at);
        }
        let found = read(&segments, true, Some(&keys));
        for (side, kind, body, _) in &found.messages {
            let known = whole.messages.iter().any(|message| (message.0, message.1, &message.2) == (*side, *kind, body));
            prop_assert!(known, "{kind} of {side}");
        }
        for payload in &found.payloads {
            // what bytes are missing of is told as cut short
            prop_assert!(whole.payloads.iter().any(|known| known.0 == payload.0 && known.1.starts_with(&payload.1)));
        }
    }

    #[test]
    fn any_bytes_behind_a_hello_do_no_harm(
        client in prop::collection::vec(any::<u8>(), 0..400),
        server in prop::collection::vec(any::<u8>(), 0..400),
        lengths in prop::collection::vec(1usize..200, 1..5),
    ) {
        let keys = format!("CLIENT_RANDOM {} {}\n", "5a".repeat(32), "11".repeat(48));
        let mut said = said(&[]);
        said.extend([(0, client), (1, server)]);
        for keys in [None, Some(keys.as_bytes())] {
            let read = read(&cut(&said, &lengths), true, keys);
            prop_assert!(read.records.iter().all(|record| record.1 <= ContentType::HEARTBEAT.0));
            prop_assert!(read.payloads.is_empty());
        }
    }
}
