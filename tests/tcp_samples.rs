//! The samples with TCP, their segments cut, repeated, out of order and lost: the messages stay the same, or it is said that bytes are missing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::LazyLock;
use support::packet::{ACK, FIN, RST, SYN};
use support::samples;
use support::tcp::{Out, Piece, Read, read_streams};
use turnscope::capture::Capture;
use turnscope::net::Endpoint;
use turnscope::packet::{self, Packet, Packets};
use turnscope::stream::Limits;
use turnscope::time::Timestamp;

/// A sample's segments, and what is read of them as they were captured.
struct Recorded {
    name: String,
    pieces: Vec<Piece>,
    read: Read,
}

/// The samples in which messages go over TCP.
static RECORDED: LazyLock<Vec<Recorded>> = LazyLock::new(|| {
    let all = samples::all().into_iter().map(|sample| {
        let pieces = pieces(&sample.bytes);
        Recorded { name: sample.name, read: read_streams(&pieces, Limits::default()), pieces }
    });
    all.filter(|recorded| !recorded.read.out.is_empty()).collect()
});

/// The TCP segments of a capture.
fn pieces(bytes: &[u8]) -> Vec<Piece> {
    let mut capture = Capture::open(bytes).expect("a sample is a capture");
    let mut packets = Packets::new(packet::Limits::default());
    let (mut found, mut now) = (Vec::new(), Timestamp(0));
    while let Some(frame) = capture.next_frame() {
        now = frame.time.unwrap_or(now);
        packets.dissect(&frame, now, &mut |packet| {
            let Packet::Segment(segment) = packet else { return };
            found.push(Piece {
                time: now,
                src: segment.src,
                dst: segment.dst,
                seq: segment.seq,
                ack: segment.ack,
                flags: segment.flags.0,
                bytes: segment.payload.to_vec(),
                length: segment.length as usize,
            });
        });
    }
    found
}

/// What becomes of segments, one fate after the other, over and over.
#[derive(Clone, Copy, Debug)]
struct Fate {
    /// Where the segment is cut in two, in thousandths of its length.
    cut: Option<usize>,
    /// How many places later it comes.
    moves: usize,
    /// How many places later it comes again.
    again: Option<usize>,
    lost: bool,
}

fn fates(lossy: bool) -> impl Strategy<Value = Vec<Fate>> {
    let cut = proptest::option::weighted(0.6, 1usize..1000);
    let again = proptest::option::weighted(0.3, 0usize..8);
    let lost = proptest::bool::weighted(if lossy { 0.1 } else { 0.0 });
    let fate = (cut, 0usize..6, again, lost).prop_map(|(cut, moves, again, lost)| Fate { cut, moves, again, lost });
    proptest::collection::vec(fate, 1..40)
}

/// Whether a segment is nothing but data.
fn is_plain(piece: &Piece) -> bool {
    !piece.bytes.is_empty() && piece.bytes.len() == piece.length && piece.flags & (SYN | FIN | RST) == 0
}

/// Whether what can not be lost shows that this segment was sent: the other end acknowledged it, or the same end went on behind it.
fn is_proven(piece: &Piece, later: &[Piece]) -> bool {
    let end = piece.seq.wrapping_add(u32::try_from(piece.length).unwrap());
    let reaches = |number: u32| number.wrapping_sub(end) < 1 << 31;
    later.iter().filter(|later| !is_plain(later)).any(|later| {
        let back = (later.src, later.dst) == (piece.dst, piece.src) && later.flags & ACK != 0 && reaches(later.ack);
        back || (later.src, later.dst) == (piece.src, piece.dst) && reaches(later.seq)
    })
}

/// Two segments for one.
fn cut(piece: &Piece, at: usize) -> Vec<Piece> {
    let (first, rest) = piece.bytes.split_at(at);
    if first.is_empty() || rest.is_empty() {
        return vec![piece.clone()];
    }
    let part = |bytes: &[u8], seq| Piece { seq, bytes: bytes.to_vec(), length: bytes.len(), ..piece.clone() };
    vec![part(first, piece.seq), part(rest, piece.seq.wrapping_add(u32::try_from(at).unwrap()))]
}

/// A capture to which this happened. Connections that were joined midway are known by the segment that shows where a message begins, and stay as
/// they are; of the others what a direction begins with is not lost, nor is a last segment that nothing proves. With `in_turn` nothing overtakes
/// what the other end sent: an acknowledgment that comes before what it acknowledges says that this is lost. Without it the beginning is not late
/// either, so that what acknowledges the rest comes to a connection that is known.
fn befall(pieces: &[Piece], fates: &[Fate], in_turn: bool) -> Vec<Piece> {
    let opened: HashSet<(Endpoint, Endpoint)> =
        pieces.iter().filter(|piece| piece.flags & SYN != 0).map(|piece| (piece.src, piece.dst)).collect();
    let (mut fates, mut order, mut turn) = (fates.iter().cycle(), Vec::new(), 0);
    let mut before: Option<&Piece> = None;
    let mut begun = HashSet::new();
    for (number, piece) in pieces.iter().enumerate() {
        let known = is_plain(piece) && opened.contains(&(piece.src, piece.dst));
        // what comes now is a turn of its own
        let same = before.is_some_and(|before| is_plain(before) && before.src == piece.src && before.dst == piece.dst);
        turn += usize::from(in_turn && !(known && same));
        before = Some(piece);
        let fate = fates.next().unwrap();
        let proven = begun.contains(&(piece.src, piece.dst)) && is_proven(piece, &pieces[number + 1..]);
        let begins = known && begun.insert((piece.src, piece.dst));
        let parts = match fate.cut {
            Some(at) if known => cut(piece, piece.bytes.len() * at / 1000),
            _ => vec![piece.clone()],
        };
        for part in parts {
            let fate = fates.next().unwrap();
            let place = order.len();
            if !known {
                order.push(((turn, place), part));
                continue;
            }
            if let Some(later) = fate.again {
                order.push(((turn, place + later), part.clone()));
            }
            if !(fate.lost && proven) {
                let moves = if begins && !in_turn { 0 } else { fate.moves };
                order.push(((turn, place + moves), part));
            }
        }
    }
    order.sort_by_key(|(place, _)| *place);
    let mut times: Vec<Timestamp> = order.iter().map(|(_, piece)| piece.time).collect();
    times.sort_unstable();
    order.into_iter().zip(times).map(|((_, piece), time)| Piece { time, ..piece }).collect()
}

/// The messages of each direction of each connection, in order.
fn by_direction(read: &Read) -> Vec<&Out> {
    let mut all: Vec<&Out> = read.out.iter().collect();
    all.sort_by_key(|out| (out.src, out.dst));
    all
}

#[test]
fn there_are_samples_of_turn_over_tcp_with_and_without_tls_beneath_and_of_relays_for_tcp() {
    let names: Vec<&str> = RECORDED.iter().map(|recorded| recorded.name.as_str()).collect();
    for name in ["tcp-success", "tcp-relay", "tcp-relay-peers", "tcp-channel-padding", "tcp-connection-reset"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let bits = RECORDED.iter().flat_map(|recorded| &recorded.pieces).fold(0, |bits, piece| bits | piece.flags);
    assert_eq!(bits & (SYN | ACK | FIN | RST), SYN | ACK | FIN | RST);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn cut_repeated_and_out_of_order_they_give_the_same_messages(fates in fates(false)) {
        for recorded in RECORDED.iter() {
            let read = read_streams(&befall(&recorded.pieces, &fates, true), Limits::default());
            let (told, usual) = (by_direction(&read), by_direction(&recorded.read));
            prop_assert_eq!(told.len(), usual.len(), "{}", &recorded.name);
            for (one, other) in told.into_iter().zip(usual) {
                let same = Out { frame: other.frame, ..one.clone() };
                prop_assert_eq!(&same, other, "{}", &recorded.name);
            }
            prop_assert_eq!(read.counts, recorded.read.counts, "{}", &recorded.name);
        }
    }

    #[test]
    fn with_segments_lost_or_late_what_is_read_is_right_and_what_is_not_is_said(fates in fates(true)) {
        for recorded in RECORDED.iter() {
            let read = read_streams(&befall(&recorded.pieces, &fates, false), Limits::default());
            let usual = by_direction(&recorded.read);
            let mut rest = usual.iter();
            let mut whole = 0;
            for out in by_direction(&read) {
                let found = rest.any(|other| {
                    let same = if out.truncated { other.bytes.starts_with(&out.bytes) } else { other.bytes == out.bytes };
                    same && (other.src, other.dst) == (out.src, out.dst)
                });
                prop_assert!(found, "{}: made up, or out of order: {:?}", &recorded.name, out);
                whole += usize::from(!out.truncated);
            }
            // a connection of which no message is left is none that is known
            let known: HashSet<_> = read.out.iter().flat_map(|out| [(out.src, out.dst), (out.dst, out.src)]).collect();
            let missing = usual.iter().filter(|out| known.contains(&(out.src, out.dst))).count().saturating_sub(whole);
            prop_assert!(missing == 0 || !read.whole(), "{}: {} lost without a word: {:?}", &recorded.name, missing, read.counts);
        }
    }
}
