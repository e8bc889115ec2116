//! Handshake messages put together from fragments, whatever the network does to these.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use turnscope::time::{Span, Timestamp};
use turnscope::wire::dtls::{Arrival, Dropped, Fragment, Limits, Pushed, Reassembler};
use turnscope::wire::handshake::HandshakeType;

fn fragment(sequence: u16, body: &[u8], range: std::ops::Range<usize>) -> Fragment<'_> {
    Fragment {
        kind: HandshakeType::CERTIFICATE,
        sequence,
        length: u32::try_from(body.len()).unwrap(),
        offset: u32::try_from(range.start).unwrap(),
        declared: u32::try_from(range.len()).unwrap(),
        data: &body[range],
        truncated: false,
        at: 0,
    }
}

fn arrival(number: u64) -> Arrival {
    let time = Timestamp(i64::try_from(number).unwrap() * 1_000_000);
    Arrival { frame: number, time, record: Some(number), datagram: 100 + u32::try_from(number).unwrap() }
}

fn body(length: usize, salt: u8) -> Vec<u8> {
    (0..length).map(|at| (at as u8).wrapping_mul(31).wrapping_add(salt)).collect()
}

#[test]
fn a_message_is_complete_when_its_last_byte_came_and_says_what_is_missing_until_then() {
    let body = body(100, 1);
    let mut reassembler = Reassembler::default();
    let Pushed::Progress(message) = reassembler.push(&fragment(1, &body, 60..80), arrival(1)) else { panic!() };
    assert_eq!(message.missing().collect::<Vec<_>>(), [0..60, 80..100]);
    let Pushed::Progress(message) = reassembler.push(&fragment(1, &body, 0..40), arrival(2)) else { panic!() };
    assert_eq!(message.missing().collect::<Vec<_>>(), [40..60, 80..100]);
    assert_eq!(message.body(), None);
    let Pushed::Progress(_) = reassembler.push(&fragment(1, &body, 30..70), arrival(3)) else { panic!() };
    let Pushed::Complete(message) = reassembler.push(&fragment(1, &body, 70..100), arrival(4)) else { panic!() };
    assert_eq!(message.body(), Some(&body[..]));
    assert_eq!((message.first.frame, message.completed.unwrap().frame, message.fragments), (1, 4, 4));
    assert_eq!((message.largest_datagram, message.repeated, message.conflict), (104, 0, None));
}

#[test]
fn a_repeated_fragment_in_a_new_record_is_a_retransmission_and_in_the_same_a_copy() {
    let body = body(50, 2);
    let mut reassembler = Reassembler::default();
    assert!(matches!(reassembler.push(&fragment(0, &body, 0..50), arrival(1)), Pushed::Complete(_)));
    assert!(matches!(reassembler.push(&fragment(0, &body, 0..50), arrival(1)), Pushed::Copied(_)));
    assert!(matches!(reassembler.push(&fragment(0, &body, 10..30), arrival(2)), Pushed::Repeated(_)));
    let Pushed::Repeated(message) = reassembler.push(&fragment(0, &body, 0..50), arrival(3)) else { panic!() };
    assert_eq!((message.repeated, message.copied, message.completed.unwrap().frame), (2, 1, 1));
    assert_eq!(message.last.frame, 3);
}

#[test]
fn a_message_without_a_body_is_complete_at_once() {
    let mut reassembler = Reassembler::default();
    assert!(
        matches!(reassembler.push(&fragment(4, &[], 0..0), arrival(1)), Pushed::Complete(m) if m.body() == Some(&[]))
    );
    assert!(matches!(reassembler.push(&fragment(4, &[], 0..0), arrival(2)), Pushed::Repeated(_)));
}

#[test]
fn other_bytes_for_the_same_place_are_noticed_and_the_first_are_kept() {
    let (good, bad) = (body(60, 3), body(60, 4));
    let mut reassembler = Reassembler::default();
    reassembler.push(&fragment(0, &good, 0..40), arrival(1));
    let Pushed::Complete(message) = reassembler.push(&fragment(0, &bad, 30..60), arrival(2)) else { panic!() };
    assert_eq!(message.conflict.unwrap().frame, 2);
    assert_eq!(message.body().unwrap()[..40], good[..40]);
    assert_eq!(message.body().unwrap()[40..], bad[40..]);
}

#[test]
fn the_same_number_with_another_length_or_type_is_another_message() {
    let (one, two) = (body(60, 3), body(61, 4));
    let mut reassembler = Reassembler::default();
    reassembler.push(&fragment(0, &one, 0..30), arrival(1));
    assert!(matches!(reassembler.push(&fragment(0, &two, 0..61), arrival(2)), Pushed::Complete(_)));
    assert!(matches!(reassembler.push(&fragment(0, &one, 30..60), arrival(3)), Pushed::Complete(_)));
    assert_eq!(reassembler.messages().len(), 2);
}

#[test]
fn what_the_capture_cut_is_missing_and_marked() {
    let body = body(60, 5);
    let mut reassembler = Reassembler::default();
    let cut = Fragment { data: &body[..20], truncated: true, ..fragment(0, &body, 0..60) };
    let Pushed::Progress(message) = reassembler.push(&cut, arrival(1)) else { panic!() };
    assert!(message.truncated);
    let mut missing = message.missing();
    assert_eq!((missing.next(), missing.next()), (Some(20..60), None));
}

#[test]
fn memory_is_bounded_in_every_direction() {
    let limits = Limits { messages: 4, message_bytes: 1000, bytes: 2500, parts: 3, age: Span::from_secs(10) };
    let mut reassembler = Reassembler::new(limits);
    let long = body(1001, 0);
    assert!(matches!(reassembler.push(&fragment(0, &long, 0..9), arrival(1)), Pushed::Dropped(Dropped::TooLong)));
    let wide = body(1000, 0);
    for (n, start) in [0, 100, 200].into_iter().enumerate() {
        assert!(matches!(
            reassembler.push(&fragment(0, &wide, start..start + 9), arrival(n as u64)),
            Pushed::Progress(_)
        ));
    }
    let scattered = reassembler.push(&fragment(0, &wide, 300..309), arrival(5));
    assert!(matches!(scattered, Pushed::Dropped(Dropped::TooScattered)));
    assert!(matches!(reassembler.push(&fragment(0, &wide, 9..100), arrival(6)), Pushed::Progress(_)), "joins two");
    assert!(matches!(reassembler.push(&fragment(0, &wide, 500..500), arrival(6)), Pushed::Dropped(Dropped::Improper)));
    for sequence in 1..40 {
        reassembler.push(&fragment(sequence, &wide, 990..1000), arrival(u64::from(sequence) + 10));
        assert!(reassembler.messages().len() <= 4);
    }
    reassembler.push(&fragment(50, &wide, 0..10), arrival(60_000));
    assert_eq!(reassembler.messages().len(), 1, "the others are too old");
    assert_eq!(
        reassembler.unkept(),
        2 + 4 + 39,
        "too long, too scattered; those of the first message; one of each other"
    );
}

#[test]
fn complete_messages_stay_while_incomplete_ones_make_room() {
    let limits = Limits { messages: 3, ..Limits::default() };
    let mut reassembler = Reassembler::new(limits);
    let body = body(20, 0);
    reassembler.push(&fragment(0, &body, 0..20), arrival(1));
    for sequence in 1..10 {
        reassembler.push(&fragment(sequence, &body, 0..10), arrival(u64::from(sequence) + 1));
    }
    let numbers: Vec<u16> = reassembler.messages().map(|message| message.sequence).collect();
    assert_eq!(numbers, [0, 8, 9]);
}

/// A part of a message: which message, from where, to where.
type Part = (usize, usize, usize);

/// Messages, each cut into parts that may overlap, all parts in any order, some of them several times.
fn flights() -> impl Strategy<Value = (Vec<Vec<u8>>, Vec<Part>)> {
    let bodies = prop::collection::vec((0usize..2000, any::<u8>()).prop_map(|(length, salt)| body(length, salt)), 1..5);
    bodies.prop_flat_map(|bodies| {
        let cuts =
            bodies.iter().map(|body| prop::collection::vec((0..=body.len(), 0usize..60), 0..8)).collect::<Vec<_>>();
        (Just(bodies), cuts, any::<prop::sample::Index>()).prop_flat_map(|(bodies, cuts, again)| {
            let mut parts = Vec::new();
            for (index, (body, cuts)) in bodies.iter().zip(cuts).enumerate() {
                let mut marks: Vec<(usize, usize)> = cuts;
                marks.sort_unstable();
                let mut from = 0;
                for (mark, overlap) in marks {
                    if mark > from {
                        parts.push((index, from.saturating_sub(overlap), mark));
                        from = mark;
                    }
                }
                if from < body.len() || body.is_empty() {
                    parts.push((index, from, body.len()));
                }
            }
            let twice = parts[again.index(parts.len())];
            parts.push(twice);
            (Just(bodies), Just(parts).prop_shuffle())
        })
    })
}

proptest! {
    #[test]
    fn any_split_order_and_repetition_gives_the_same_messages((bodies, parts) in flights()) {
        let mut reassembler = Reassembler::default();
        for (number, &(index, from, to)) in parts.iter().enumerate() {
            let pushed = reassembler.push(&fragment(index as u16, &bodies[index], from..to), arrival(number as u64));
            prop_assert!(!matches!(pushed, Pushed::Dropped(_)), "{:?}", pushed);
        }
        let whole: Vec<&[u8]> = reassembler.messages().map(|message| message.body().expect("all parts came")).collect();
        prop_assert_eq!(whole, bodies.iter().map(Vec::as_slice).collect::<Vec<_>>());
        for message in reassembler.messages() {
            prop_assert_eq!(message.conflict, None);
            prop_assert!(message.first.frame <= message.completed.unwrap().frame);
        }
    }

    #[test]
    fn what_is_missing_is_what_no_fragment_brought((bodies, mut parts) in flights(), lost in any::<prop::sample::Index>()) {
        parts.remove(lost.index(parts.len()));
        let mut reassembler = Reassembler::default();
        for (number, &(index, from, to)) in parts.iter().enumerate() {
            reassembler.push(&fragment(index as u16, &bodies[index], from..to), arrival(number as u64));
        }
        for message in reassembler.messages() {
            let of = |&&(index, ..): &&Part| index == usize::from(message.sequence);
            let came = |at: u32| parts.iter().filter(of).any(|&(_, from, to)| (from..to).contains(&(at as usize)));
            let missing: Vec<u32> = message.missing().flatten().collect();
            let expected: Vec<u32> = (0..message.length).filter(|&at| !came(at)).collect();
            prop_assert_eq!(&missing, &expected);
            prop_assert_eq!(message.is_complete(), expected.is_empty());
        }
    }
}
