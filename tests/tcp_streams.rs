//! Messages over TCP: whatever becomes of the segments, the messages are the same, or it is said that bytes are missing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use proptest::prelude::*;
use support::tcp::{Piece, Read, read_streams};
use turnscope::frame::Seen;
use turnscope::net::Endpoint;
use turnscope::packet::{Segment, TcpFlags};
use turnscope::stream::{Framing, Item, Limits, Streams};
use turnscope::time::Timestamp;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const ENDS: [([u8; 4], u16); 2] = [([10, 0, 0, 2], 50_000), ([192, 0, 2, 1], 3478)];

fn end(side: usize) -> Endpoint {
    Endpoint::v4(ENDS[side].0, ENDS[side].1)
}

/// A STUN message with so many bytes of attributes, which are not looked into.
fn stun(kind: u16, id: u8, words: usize) -> Vec<u8> {
    let mut out = kind.to_be_bytes().to_vec();
    out.extend(u16::try_from(words * 4).unwrap().to_be_bytes());
    out.extend(COOKIE);
    out.extend([id; 12]);
    out.extend((0..words * 4).map(|at| u8::try_from(at % 251).unwrap()));
    out
}

fn channel_data(channel: u16, length: usize) -> Vec<u8> {
    let mut out = channel.to_be_bytes().to_vec();
    out.extend(u16::try_from(length).unwrap().to_be_bytes());
    out.extend((0..length).map(|at| u8::try_from(at % 253).unwrap()));
    out
}

fn padded(mut message: Vec<u8>) -> Vec<u8> {
    message.resize(message.len().next_multiple_of(4), 0);
    message
}

/// One segment, made by hand.
#[derive(Clone, Debug)]
struct Made {
    side: usize,
    seq: u32,
    ack: Option<u32>,
    flags: u8,
    bytes: Vec<u8>,
    /// Bytes on the wire, if more than were captured.
    length: usize,
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

fn data(side: usize, seq: u32, bytes: &[u8]) -> Made {
    Made { side, seq, ack: None, flags: ACK, bytes: bytes.to_vec(), length: bytes.len() }
}

fn syn(side: usize, seq: u32, flags: u8) -> Made {
    Made { flags: SYN | flags, ..data(side, seq, &[]) }
}

impl Read {
    fn of(&self, side: usize) -> Vec<Vec<u8>> {
        self.out.iter().filter(|out| out.src == end(side)).map(|out| out.bytes.clone()).collect()
    }

    fn frames(&self, side: usize) -> Vec<u64> {
        self.out.iter().filter(|out| out.src == end(side)).map(|out| out.frame).collect()
    }
}

/// Frame `n` is the n-th segment, 20 ms after the one before it.
fn read(segments: &[Made]) -> Read {
    read_within(segments, Limits::default())
}

fn read_within(segments: &[Made], limits: Limits) -> Read {
    let piece = |(number, made): (i64, &Made)| Piece {
        time: Timestamp(number * 20_000_000),
        src: end(made.side),
        dst: end(1 - made.side),
        seq: made.seq,
        ack: made.ack.unwrap_or_default(),
        flags: if made.ack.is_some() { made.flags | ACK } else { made.flags & !ACK },
        bytes: made.bytes.clone(),
        length: made.length,
    };
    read_streams(&(1i64..).zip(segments).map(piece).collect::<Vec<_>>(), limits)
}

// Plain streams

#[test]
fn messages_back_to_back_are_cut_where_they_end_and_told_with_the_frame_that_completes_them() {
    let messages = [stun(1, 1, 3), stun(0x16, 2, 0), padded(channel_data(0x4000, 5)), stun(3, 3, 40)];
    let all = messages.concat();
    // the first segment holds one message and a half, the second the rest of it and two bytes of padding, the third all else
    let cuts = [0, 32 + 10, 32 + 20 + 9 + 2, all.len()];
    let mut segments = vec![syn(0, 99, 0)];
    segments.extend(cuts.windows(2).map(|cut| data(0, 100 + cut[0] as u32, &all[cut[0]..cut[1]])));
    let read = read(&segments);
    assert_eq!(read.of(0), [stun(1, 1, 3), stun(0x16, 2, 0), channel_data(0x4000, 5), stun(3, 3, 40)]);
    assert_eq!(read.frames(0), [2, 3, 3, 4]);
    assert!(read.whole() && read.connections.last().unwrap().stun);
}

#[test]
fn a_connection_that_begins_with_anything_else_is_forgotten_at_once() {
    for start in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0x16, 3, 1, 2, 0, 11, 0, 1, 0xfc, 3, 3][..],
        &[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x43, 0, 0, 0, 0],
        &[0, 1, 0, 7, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0],
    ] {
        let mut streams = Streams::new(Limits::default());
        for (number, made) in [syn(0, 0, 0), data(0, 1, start)].iter().enumerate() {
            let segment = Segment {
                src: end(0),
                dst: end(1),
                seq: made.seq,
                flags: TcpFlags(made.flags & !ACK),
                payload: &made.bytes,
                length: u32::try_from(made.bytes.len()).unwrap(),
                ttl: 1,
                ..Segment::default()
            };
            streams.segment(Seen { frame: number as u64, time: Timestamp(0) }, &segment, &mut |_| {});
        }
        assert_eq!(streams.size(), (0, 0), "{start:?}");
    }
}

#[test]
fn a_start_that_comes_a_few_bytes_at_a_time_is_waited_for() {
    let message = stun(1, 7, 2);
    let mut segments = vec![syn(0, 0, 0)];
    segments.extend(message.iter().enumerate().map(|(at, byte)| data(0, 1 + at as u32, &[*byte])));
    let read = read(&segments);
    assert_eq!((read.of(0), read.frames(0)), (vec![message], vec![segments.len() as u64]));
}

#[test]
fn a_start_in_the_wrong_order_is_waited_for_though_nothing_is_there_of_the_end_that_it_acknowledges() {
    let message = stun(3, 7, 8);
    let (start, rest) = message.split_at(30);
    let said = |seq, bytes| Made { ack: Some(9_001), ..data(0, seq, bytes) };
    let read = read(&[syn(0, 99, 0), said(130, rest), said(100, start)]);
    assert_eq!(read.of(0), [message]);
}

#[test]
fn both_directions_are_streams_of_their_own_and_numbers_wrap_around() {
    let (asked, answered) = (stun(1, 1, 10), stun(0x101, 1, 10));
    let start = u32::MAX - 30;
    let read = read(&[
        syn(0, start.wrapping_sub(1), 0),
        Made { ack: Some(start), ..syn(1, start.wrapping_sub(11), ACK) },
        data(0, start, &asked[..33]),
        data(1, start.wrapping_sub(10), &answered[..20]),
        data(0, start.wrapping_add(33), &asked[33..]),
        data(1, start.wrapping_add(10), &answered[20..]),
    ]);
    assert_eq!((read.of(0), read.of(1)), (vec![asked], vec![answered]));
    assert_eq!((read.frames(0), read.frames(1)), (vec![5], vec![6]));
}

#[test]
fn a_stream_that_runs_already_is_found_where_a_message_begins_a_segment() {
    let messages = [stun(1, 1, 3), stun(1, 2, 3)];
    let read = read(&[
        data(0, 5000, b"the end of something, and a start"),
        data(0, 6000, &messages[0][..8]),
        data(0, 6008, &messages[0][8..]),
        data(0, 6032, &messages[1]),
        data(1, 70, &stun(0x101, 1, 1)[4..]),
        data(1, 90, &stun(0x101, 2, 1)),
    ]);
    assert_eq!((read.of(0), read.of(1)), (messages.to_vec(), vec![stun(0x101, 2, 1)]));
}

#[test]
fn keep_alives_are_no_data() {
    let read = read(&[
        syn(0, 9, 0),
        data(0, 10, &stun(1, 1, 0)),
        data(0, 29, &[0]),
        data(0, 29, &[]),
        data(0, 30, &stun(1, 2, 0)),
        data(0, 49, &[0]),
    ]);
    assert_eq!(read.of(0), [stun(1, 1, 0), stun(1, 2, 0)]);
    assert!(read.whole());
}

// Holes, repeats, overlaps

#[test]
fn what_comes_early_waits_and_the_frame_that_fills_the_hole_completes_it() {
    let (one, two) = (stun(1, 1, 5), stun(1, 2, 5));
    let read = read(&[syn(0, 0, 0), data(0, 41, &two), data(0, 21, &one[20..]), data(0, 1, &one[..20])]);
    assert_eq!((read.of(0), read.frames(0)), (vec![one, two], vec![4, 4]));
    assert!(read.whole());
}

#[test]
fn a_hole_that_was_acknowledged_is_a_gap_and_reading_goes_on_behind_it() {
    let messages: Vec<_> = (0..50).map(|id| stun(1, id, 5)).collect();
    let mut segments = vec![syn(0, 0, 0), Made { ack: Some(1), ..syn(1, 500, ACK) }];
    for (at, message) in (0u32..).zip(&messages) {
        if at != 3 {
            segments.push(data(0, 1 + at * 40, message));
        }
        segments.push(Made { ack: Some(1 + (at + 1) * 40), ..data(1, 501, &[]) });
    }
    let read = read(&segments);
    let mut expected = messages.clone();
    expected.remove(3);
    assert_eq!(read.of(0), expected);
    assert_eq!((read.counts.gaps, read.connections.last().unwrap().missing), (1, [40, 0]));
}

#[test]
fn a_hole_is_not_waited_for_longer_than_senders_repeat_what_was_lost() {
    let mut streams = Streams::new(Limits::default());
    let mut seen = Vec::new();
    let messages = [stun(1, 1, 0), stun(1, 2, 0), stun(1, 3, 0)];
    let mut each = |item: Item<'_>| {
        if let Item::Payload(payload) = item {
            seen.push((payload.at.frame, payload.message.bytes[8]));
        }
    };
    for (number, at) in [(1u64, 0u32), (2, 2)] {
        let segment = Segment {
            src: end(0),
            dst: end(1),
            seq: at * 20,
            flags: TcpFlags::PSH,
            payload: &messages[at as usize],
            length: 20,
            ttl: 1,
            ..Segment::default()
        };
        streams.segment(Seen { frame: number, time: Timestamp(0) }, &segment, &mut each);
    }
    for (frame, seconds) in [(3, 5), (4, 11)] {
        streams.advance(Seen { frame, time: Timestamp(seconds * 1_000_000_000) }, &mut each);
    }
    assert_eq!(seen, [(1, 1), (2, 3)], "with the frame in which it came");
    assert_eq!((streams.counts().gaps, streams.size()), (1, (1, 0)));
}

#[test]
fn a_gap_within_a_message_costs_that_message_alone() {
    let (one, two) = (padded(channel_data(0x4001, 1001)), stun(1, 2, 5));
    let stream = [stun(1, 1, 0), one, two.clone()].concat();
    let mut segments = vec![syn(0, 0, 0), Made { ack: Some(1), ..syn(1, 500, ACK) }];
    for at in (0..stream.len()).step_by(100) {
        if at != 300 {
            segments.push(data(0, 1 + at as u32, &stream[at..stream.len().min(at + 100)]));
        }
    }
    let read = read(&segments);
    assert_eq!(read.of(0).len(), 3);
    assert_eq!((read.out[1].bytes.len(), read.out[1].truncated), (280, true));
    assert_eq!((&read.out[2].bytes, read.counts.gaps), (&two, 1));
}

#[test]
fn what_the_snap_length_cut_off_is_missing_and_the_next_message_is_found() {
    let (one, two) = (stun(3, 1, 60), stun(8, 2, 10));
    let cut = Made { length: one.len(), ..data(0, 1, &one[..90]) };
    let read = read(&[syn(0, 0, 0), cut, data(0, 1 + one.len() as u32, &two)]);
    assert_eq!(read.of(0), [one[..90].to_vec(), two]);
    assert!(read.out[0].truncated && !read.out[1].truncated);
    assert_eq!(read.counts.gaps, 1);
}

#[test]
fn padding_that_the_snap_length_cut_off_costs_nothing() {
    let messages =
        [channel_data(0x4001, 70), channel_data(0x4001, 69), channel_data(0x4001, 71), channel_data(0x4001, 80)];
    for kept in [76, 75, 74, 70, 60] {
        let (first, mut seq) = (stun(3, 1, 0), 1);
        let mut segments = vec![syn(0, 0, 0), data(0, seq, &first)];
        seq += first.len() as u32;
        for message in &messages {
            let whole = padded(message.clone());
            segments.push(Made { length: whole.len(), ..data(0, seq, &whole[..kept.min(whole.len())]) });
            seq += whole.len() as u32;
        }
        let read = read(&segments);
        let expected: Vec<Vec<u8>> =
            messages.iter().map(|message| message[..kept.min(message.len())].to_vec()).collect();
        assert_eq!(read.of(0)[1..], expected, "{kept}");
    }
}

#[test]
fn the_first_bytes_win_and_others_are_counted() {
    let message = stun(1, 1, 10);
    let mut other = message[30..50].to_vec();
    other[3] ^= 0xff;
    let read = read(&[
        syn(0, 0, 0),
        data(0, 31, &message[30..]),
        data(0, 31, &other),
        data(0, 1, &message[..31]),
        data(0, 1, &stun(1, 9, 3)),
    ]);
    assert_eq!(read.of(0), [message]);
    assert_eq!(read.counts.conflicts, 1, "what is still there is compared");
}

#[test]
fn a_new_connection_on_the_same_ports_is_a_new_stream() {
    let read = read(&[
        syn(0, 100, 0),
        data(0, 101, &stun(1, 1, 0)),
        Made { flags: FIN, ..data(0, 121, &[]) },
        syn(0, 70_000, 0),
        data(0, 70_001, &stun(1, 2, 0)),
    ]);
    assert_eq!(read.of(0), [stun(1, 1, 0), stun(1, 2, 0)]);
    assert_eq!((read.counts.recognised, read.counts.gaps), (2, 0));
}

// Framings

#[test]
fn channel_data_without_its_padding_is_told_and_read() {
    let all = [stun(9, 1, 2), channel_data(0x4000, 5), channel_data(0x4000, 6), channel_data(0x4000, 7), stun(4, 2, 2)]
        .concat();
    let bad = read(&[syn(0, 0, 0), data(0, 1, &all)]);
    assert_eq!(bad.of(0).len(), 5);
    assert_eq!(bad.counts.unpadded, 3);
    // with padding, in whatever pieces
    let all = [stun(9, 1, 2), padded(channel_data(0x4000, 5)), padded(channel_data(0x4003, 6)), stun(4, 2, 2)].concat();
    let mut segments = vec![syn(0, 0, 0)];
    segments.extend(all.chunks(3).enumerate().map(|(at, part)| data(0, 1 + at as u32 * 3, part)));
    let read = read(&segments);
    assert_eq!((read.of(0).len(), read.counts.unpadded), (4, 0));
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

#[test]
fn rfc_4571_frames_are_known_by_the_first_message_and_carry_anything_after_it() {
    let all = [framed(&stun(1, 1, 4)), framed(&[0x80, 111, 0, 1]), framed(&[]), framed(&stun(0x101, 5, 1))].concat();
    for size in [1, 2, 3, 7, 1000] {
        let mut segments = vec![syn(0, 0, 0)];
        segments.extend(all.chunks(size).enumerate().map(|(at, part)| data(0, 1 + (at * size) as u32, part)));
        let read = read(&segments);
        assert_eq!(read.of(0), [stun(1, 1, 4), vec![0x80, 111, 0, 1], stun(0x101, 5, 1)], "{size}");
        assert!(read.out.iter().all(|out| out.framing == Framing::Rfc4571));
    }
}

#[test]
fn microsofts_frames_are_read_behind_its_pretended_hello() {
    let mut message = vec![0, 3, 0, 8];
    message.extend((1..17).map(|byte| byte * 7));
    message.extend([0, 0x0f, 0, 4, 0x72, 0xc6, 0x4b, 0xc6]);
    let control = [&[2, 0, 0, u8::try_from(message.len()).unwrap()], &message[..]].concat();
    let mut hello = vec![0x16, 3, 1, 0, 0x2d, 1, 0, 0, 0x29, 3, 1];
    hello.resize(50, 0);
    let all = [hello, control.clone(), vec![3, 0, 0, 4, 1, 2, 3, 4], control].concat();
    for size in [1, 9, 50, 1000] {
        let mut segments = vec![syn(0, 0, 0)];
        segments.extend(all.chunks(size).enumerate().map(|(at, part)| data(0, 1 + (at * size) as u32, part)));
        let read = read(&segments);
        assert_eq!(read.of(0), [message.clone(), message.clone()], "{size}");
        assert!(read.out.iter().all(|out| out.framing == Framing::MsTurn));
    }
}

#[test]
fn what_follows_a_granted_connection_bind_is_the_peers_own() {
    let read = read(&[
        syn(0, 0, 0),
        Made { ack: Some(1), ..syn(1, 0, ACK) },
        data(0, 1, &stun(0x000b, 1, 2)),
        data(1, 1, &[stun(0x010b, 1, 0), stun(1, 9, 0)].concat()),
        data(0, 29, &stun(1, 8, 0)),
    ]);
    assert_eq!((read.of(0), read.of(1)), (vec![stun(0x000b, 1, 2)], vec![stun(0x010b, 1, 0)]));
}

#[test]
fn a_connection_bind_that_was_captured_after_its_answer_is_read_and_what_follows_is_the_peers() {
    let read = read(&[
        syn(0, 0, 0),
        Made { ack: Some(1), ..syn(1, 0, ACK) },
        data(1, 1, &[stun(0x010b, 1, 0), vec![9; 30]].concat()),
        data(0, 1, &[stun(0x000b, 1, 2), stun(1, 9, 0)].concat()),
        data(0, 49, &stun(1, 8, 0)),
    ]);
    assert_eq!((read.of(0), read.of(1)), (vec![stun(0x000b, 1, 2)], vec![stun(0x010b, 1, 0)]));
    assert_eq!(read.connections.last().unwrap().carried, Some([40, 30]));
}

#[test]
fn channel_data_without_its_padding_is_read_though_a_segment_ends_where_padding_would() {
    let all = [channel_data(0x4000, 5), channel_data(0x4000, 5), channel_data(0x4000, 5)].concat();
    let first = stun(9, 1, 2);
    for at in 1..all.len() {
        let next = 1 + first.len() as u32;
        let (one, other) = all.split_at(at);
        let read = read(&[syn(0, 0, 0), data(0, 1, &first), data(0, next, one), data(0, next + at as u32, other)]);
        assert_eq!(read.of(0).len(), 4, "cut at {at}");
        assert!(read.whole());
    }
}

// What becomes of connections

#[test]
fn how_a_connection_was_opened_and_closed_is_kept() {
    let read = read(&[
        syn(0, 0, 0),
        syn(0, 0, 0),
        Made { ack: Some(1), ..syn(1, 0, ACK) },
        data(0, 1, &stun(1, 1, 0)),
        Made { flags: RST, ..data(1, 1, &[]) },
    ]);
    let known = read.connections.last().unwrap();
    assert_eq!((known.syns, known.syn_ack.unwrap().frame, known.handshake.unwrap().micros()), (2, 3, 20_000));
    assert_eq!((known.rst[0], known.rst[1].unwrap().frame, known.refused), (None, 5, None));
}

#[test]
fn a_reset_that_answers_the_syn_is_a_refusal_and_another_is_none() {
    let refused = read(&[syn(0, 9, 0), Made { flags: RST | ACK, ack: Some(10), ..data(1, 0, &[]) }]);
    assert_eq!(refused.connections.last().unwrap().refused.unwrap().frame, 2);
    let forged = read(&[syn(0, 9, 0), Made { flags: RST | ACK, ack: Some(77), ..data(1, 0, &[]) }]);
    assert_eq!(forged.connections.last().unwrap().refused, None);
}

#[test]
fn a_hundred_thousand_half_open_streams_stay_within_the_bound() {
    let limits = Limits::default();
    let mut streams = Streams::new(limits);
    let mut most = 0;
    for number in 0..100_000u32 {
        let src = Endpoint::v4(number.to_be_bytes(), 40_000);
        let mut segment = Segment { src, dst: end(1), flags: TcpFlags::SYN, ttl: 1, ..Segment::default() };
        let at = Seen { frame: u64::from(number), time: Timestamp(i64::from(number) * 1000) };
        streams.segment(at, &segment, &mut |_| {});
        let start = stun(1, 1, 300);
        (segment.flags, segment.seq, segment.payload) = (TcpFlags::ACK, 1, &start[..1000]);
        segment.length = 1000;
        streams.segment(at, &segment, &mut |_| {});
        most = most.max(streams.size().1);
        assert!(streams.size().0 <= limits.connections);
    }
    assert!(most <= limits.total + (256 << 10), "{most}");
    assert!(streams.counts().dropped > 0);
}

// Whatever happens to the segments

#[derive(Clone, Debug)]
enum Kind {
    Stun(usize),
    Channel(usize),
}

fn message(kind: &Kind, id: u8) -> (Vec<u8>, Vec<u8>) {
    let bare = match kind {
        Kind::Stun(words) => stun(0x0016, id, *words),
        Kind::Channel(length) => channel_data(0x4000 + u16::from(id % 3), *length),
    };
    (bare.clone(), padded(bare))
}

#[derive(Clone, Debug)]
struct Plan {
    start: u32,
    kinds: Vec<Kind>,
    cuts: Vec<usize>,
    /// What becomes of each segment: how far it moves, whether it comes twice, whether it is lost.
    fates: Vec<(usize, bool, bool)>,
    with_syn: bool,
}

fn plan(lossy: bool) -> impl Strategy<Value = Plan> {
    let kind = prop_oneof![(0usize..40).prop_map(Kind::Stun), (0usize..300).prop_map(Kind::Channel)];
    let fates = proptest::collection::vec((0usize..6, any::<bool>(), proptest::bool::weighted(0.15)), 1..40);
    (
        any::<u32>(),
        proptest::collection::vec(kind, 1..25),
        proptest::collection::vec(1usize..400, 1..40),
        fates,
        any::<bool>(),
    )
        .prop_map(move |(start, kinds, cuts, mut fates, with_syn)| {
            fates.iter_mut().for_each(|fate| fate.2 &= lossy);
            Plan { start, kinds, cuts, fates, with_syn }
        })
}

/// The messages of a plan, and its segments in the order in which they come.
fn play(plan: &Plan) -> (Vec<Vec<u8>>, Vec<Made>) {
    let first = (stun(0x0003, 0xee, 2), stun(0x0003, 0xee, 2));
    let built = plan.kinds.iter().zip(1u8..).map(|(kind, id)| message(kind, id));
    let (bare, wire): (Vec<_>, Vec<_>) = std::iter::once(first).chain(built).unzip();
    let stream = wire.concat();
    let (mut at, mut segments, mut cuts) = (0, Vec::new(), plan.cuts.iter().cycle());
    while at < stream.len() {
        // where the start was not captured, the stream is known by a segment that shows what begins it
        let least = if at == 0 && !plan.with_syn { 8 } else { 1 };
        let upto = stream.len().min(at + cuts.next().unwrap().max(&least));
        segments.push(data(0, plan.start.wrapping_add(at as u32), &stream[at..upto]));
        at = upto;
    }
    let mut order: Vec<(usize, Made)> = Vec::new();
    for ((number, segment), &(moves, twice, lost)) in segments.into_iter().enumerate().zip(plan.fates.iter().cycle()) {
        // a stream that is found in its middle was not seen before that
        if lost && (number > 0 || plan.with_syn) {
            continue;
        }
        if twice {
            order.push((number + moves + 3, segment.clone()));
        }
        // the one that the stream is found by, where its start is not known, comes first
        order.push((if number == 0 { 0 } else { number + moves }, segment));
    }
    order.sort_by_key(|(place, _)| *place);
    let mut made: Vec<Made> = order.into_iter().map(|(_, segment)| segment).collect();
    if plan.with_syn {
        made.insert(0, syn(0, plan.start.wrapping_sub(1), 0));
    }
    made.push(Made { flags: FIN, ..data(0, plan.start.wrapping_add(stream.len() as u32), &[]) });
    (bare, made)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn segments_in_any_order_and_more_than_once_give_the_same_messages(plan in plan(false)) {
        let (messages, segments) = play(&plan);
        let read = read(&segments);
        let messages: Vec<_> = messages.into_iter().filter(|message| !message.is_empty()).collect();
        prop_assert_eq!(read.of(0), messages);
        prop_assert!(read.whole(), "{:?}", read.counts);
        prop_assert_eq!(read.counts.conflicts, 0);
        prop_assert_eq!(read.counts.unpadded, 0);
    }

    #[test]
    fn with_segments_lost_what_is_read_is_right_and_what_is_not_is_said(plan in plan(true)) {
        let (messages, segments) = play(&plan);
        let read = read(&segments);
        let mut rest = messages.iter();
        for out in &read.out {
            let found = rest.any(|message| {
                if out.truncated { message.starts_with(&out.bytes) } else { *message == out.bytes }
            });
            prop_assert!(found, "made up, or out of order: {:?}", out);
        }
        let whole = read.out.iter().filter(|out| !out.truncated).count();
        let nothing = read.counts.recognised == 0;
        prop_assert!(whole == messages.len() || nothing || !read.whole(), "{whole} of {} and {:?}", messages.len(), read.counts);
    }

    #[test]
    fn what_fuzzing_does_to_streams_does_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600), seed in 0usize..6) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/stream");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let mut data = std::fs::read(&files[seed % files.len()]).unwrap();
        let _ = turnscope::stream::exercise(&bytes);
        for (number, pair) in bytes.chunks_exact(2).enumerate().take(20) {
            let at = (usize::from(pair[0]) * 31 + number * 97) % data.len();
            data[at] ^= pair[1];
        }
        let _ = turnscope::stream::exercise(&data);
    }

    #[test]
    fn any_bytes_in_any_segments_do_no_harm(
        segments in proptest::collection::vec(
            (0usize..2, 0u32..2000, any::<Option<u16>>(), 0u8..32, proptest::collection::vec(any::<u8>(), 0..60), 0usize..80, any::<bool>()),
            0..60,
        )
    ) {
        let made: Vec<_> = segments.into_iter().map(|(side, seq, ack, flags, mut bytes, more, real)| {
            if real {
                bytes.splice(..0, stun(1, 1, 2));
            }
            Made { side, seq, ack: ack.map(u32::from), flags, length: bytes.len() + more.saturating_sub(60), bytes }
        }).collect();
        let small = Limits { connections: 4, held: 200, segments: 6, total: 600 };
        let _ = read_within(&made, small);
        let _ = read(&made);
    }
}
