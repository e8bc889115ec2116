use super::build::*;
use crate::frame::Frame;
use crate::packet::{FragmentLimits, Limits, Packets};
use crate::time::{Span, Timestamp};

/// 3008 bytes behind the UDP header, none like its neighbours.
fn big() -> Vec<u8> {
    let payload: Vec<u8> = (0..3008u32).map(|i| (i * 7 % 251) as u8).collect();
    udp(40_000, 3478, &payload)
}

fn part4(id: u16, whole: &[u8], from: usize, to: usize) -> Vec<u8> {
    let more = if to < whole.len() { 0x2000 } else { 0 };
    ethernet(0x0800, &ipv4_part(17, id, more | u16::try_from(from / 8).unwrap(), &whole[from..to]))
}

fn part6(id: u32, whole: &[u8], from: usize, to: usize) -> Vec<u8> {
    let offset = u16::try_from(from).unwrap() | u16::from(to < whole.len());
    let header = cat(&[&[60, 0], &offset.to_be_bytes(), &id.to_be_bytes()]);
    ethernet(0x86dd, &ipv6(44, &cat(&[&header, &whole[from..to]])))
}

struct Run {
    packets: Packets,
    all: Vec<Found>,
}

impl Run {
    fn new(limits: FragmentLimits) -> Self {
        Run { packets: Packets::new(Limits { fragments: limits, ..Limits::default() }), all: Vec::new() }
    }

    fn add(&mut self, millis: i64, data: &[u8]) {
        self.add_frame(millis, &frame(1, data));
    }

    fn add_frame(&mut self, millis: i64, frame: &Frame<'_>) {
        let now = Timestamp(0).after(Span::from_millis(millis));
        self.packets.dissect(frame, now, &mut |packet| self.all.push(found(&packet)));
    }
}

impl Default for Run {
    fn default() -> Self {
        Run::new(FragmentLimits::default())
    }
}

const CUTS: [(usize, usize); 3] = [(0, 1480), (1480, 2960), (2960, 3016)];

#[test]
fn fragments_are_put_together_in_any_order() {
    let whole = big();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut run = Run::default();
        for (at, part) in order.into_iter().enumerate() {
            assert!(run.all.is_empty());
            let (from, to) = CUTS[part];
            run.add(i64::try_from(at).unwrap(), &part4(1, &whole, from, to));
        }
        assert_eq!(run.all.len(), 1);
        assert_eq!(run.all[0].what, "udp 192.0.2.1:40000 > 198.51.100.2:3478 in 3");
        assert_eq!(run.all[0].payload, &whole[8..]);
        let counts = &run.packets.counts().fragments;
        assert_eq!((counts.seen, counts.completed, counts.overlaps, counts.duplicates), (3, 1, 0, 0));
    }
}

#[test]
fn ipv6_fragments_are_put_together_with_their_extension_headers() {
    let whole = cat(&[&[17, 0, 1, 4, 0, 0, 0, 0], &big()]);
    let mut run = Run::default();
    for (from, to) in [(1480, 2960), (0, 1480), (2960, 3024)] {
        run.add(0, &part6(0x00ab_cdef, &whole, from, to));
    }
    assert_eq!(run.all[0].what, "udp [2001:db8::1]:40000 > [2001:db8::2]:3478 in 3");
    assert_eq!(run.all[0].payload, &whole[16..]);
}

#[test]
fn a_tunnel_in_fragments_is_opened_when_it_is_whole() {
    let inner = ipv4(4, &cat(&[&plain()]));
    let (first, second) = inner[20..].split_at(32);
    let mut run = Run::default();
    run.add(0, &ethernet(0x0800, &ipv4_part(4, 9, 0x2000, first)));
    run.add(0, &ethernet(0x0800, &ipv4_part(4, 9, 4, second)));
    assert_eq!(run.all[0].payload, PAYLOAD);
}

#[test]
fn copies_of_fragments_are_no_overlaps_and_deliver_once() {
    let whole = big();
    let mut run = Run::default();
    for (from, to) in CUTS {
        run.add(0, &part4(1, &whole, from, to));
        run.add(1, &part4(1, &whole, from, to));
    }
    run.packets.finish();
    let counts = &run.packets.counts().fragments;
    assert_eq!((run.all.len(), counts.duplicates, counts.overlaps, counts.incomplete), (1, 3, 0, 0));
}

#[test]
fn an_identification_used_again_later_is_another_packet() {
    let whole = big();
    let mut run = Run::default();
    for millis in [0, 2000, 4000] {
        for (from, to) in CUTS {
            run.add(millis, &part4(1, &whole, from, to));
        }
    }
    assert_eq!((run.all.len(), run.packets.counts().fragments.duplicates), (3, 0));
}

#[test]
fn where_fragments_overlap_the_first_bytes_count() {
    let whole = big();
    let mut forged = whole.clone();
    forged.iter_mut().for_each(|byte| *byte ^= 0xff);
    let mut run = Run::default();
    run.add(0, &part4(1, &whole, 0, 800));
    run.add(0, &part4(1, &whole, 1600, 2400));
    run.add(0, &part4(1, &forged, 400, 2000));
    run.add(0, &part4(1, &whole, 2400, 3016));
    let expected = cat(&[&whole[8..800], &forged[800..1600], &whole[1600..]]);
    assert_eq!(run.all[0].payload, expected);
    assert_eq!(run.packets.counts().fragments.overlaps, 1);
}

#[test]
fn missing_parts_are_never_made_up_and_are_counted_in_the_end() {
    let whole = big();
    let mut run = Run::default();
    run.add(0, &part4(1, &whole, 0, 1480));
    run.add(0, &part4(1, &whole, 2960, 3016));
    run.add(31_000, &part4(2, &whole, 1480, 2960));
    assert_eq!(run.packets.counts().fragments.incomplete, 1);
    run.add(31_001, &part4(1, &whole, 1480, 2960));
    run.packets.finish();
    assert!(run.all.is_empty());
    assert_eq!(run.packets.counts().fragments.incomplete, 3);
    let first = run.packets.incomplete()[0];
    assert_eq!((first.src.to_string(), first.dst.port()), ("192.0.2.1:40000".into(), 3478));
    assert_eq!((first.received, first.expected, first.fragments, first.protocol), (1536, Some(3016), 2, 17));
    let second = run.packets.incomplete()[1];
    assert_eq!((second.src.port(), second.expected, second.ip_id), (0, None, 2));
}

#[test]
fn a_snap_length_leaves_the_bytes_up_to_the_first_gap() {
    let whole = big();
    let parts: Vec<_> = CUTS.iter().map(|(from, to)| part4(1, &whole, *from, *to)).collect();
    let mut run = Run::default();
    for part in &parts {
        let kept = part.len().min(128);
        run.add_frame(0, &Frame { original_len: u32::try_from(part.len()).unwrap(), ..frame(1, &part[..kept]) });
    }
    assert_eq!(run.all[0].what, "udp 192.0.2.1:40000 > 198.51.100.2:3478 cut of 3008 in 3");
    assert_eq!(run.all[0].payload, &whole[8..128 - 34]);
}

#[test]
fn fragments_that_no_packet_can_have_are_refused() {
    let mut run = Run::default();
    // No whole units of eight bytes; nothing in it; past 65,535; after the end.
    run.add(0, &ethernet(0x0800, &ipv4_part(17, 1, 0x2000, &[0; 9])));
    run.add(0, &ethernet(0x0800, &ipv4_part(17, 1, 0x2000, b"")));
    run.add(0, &ethernet(0x0800, &ipv4_part(17, 1, 0x1fff, &[0; 100])));
    run.add(0, &ethernet(0x0800, &ipv4_part(17, 2, 2, &[0; 8])));
    run.add(0, &ethernet(0x0800, &ipv4_part(17, 2, 0x2000 | 4, &[0; 8])));
    run.add(0, &ethernet(0x0800, &ipv4_part(17, 2, 4, &[0; 8])));
    assert_eq!(run.packets.counts().fragments.malformed, 5);
    assert!(run.all.is_empty());
}

#[test]
fn waiting_fragments_are_bounded_in_number_bytes_and_parts() {
    let whole = big();
    let limits = FragmentLimits { packets: 10, bytes: 20_000, parts: 4, age: Span::from_secs(30) };
    let mut run = Run::new(limits);
    for id in 0..100 {
        run.add(0, &part4(id, &whole, 0, 8));
    }
    assert_eq!(run.packets.counts().fragments.dropped, 90);
    for id in 200..300 {
        run.add(0, &part4(id, &whole, 0, 2960));
    }
    assert!(run.packets.fragments.cost() <= 20_000);
    let mut run = Run::new(limits);
    for part in 0..5 {
        run.add(0, &part4(1, &whole, part * 16, part * 16 + 8));
    }
    assert_eq!(run.packets.counts().fragments.dropped, 1);
    assert_eq!(run.packets.fragments.cost(), 0);
}

#[test]
fn the_queue_of_waiting_packets_does_not_grow_with_the_capture() {
    let whole = big();
    let mut run = Run::default();
    run.add(0, &part4(0xffff, &whole, 0, 8));
    for id in 0..5000u16 {
        for (from, to) in CUTS {
            run.add(0, &part4(id, &whole, from, to));
        }
    }
    assert_eq!(run.packets.counts().fragments.completed, 5000);
    assert!(run.packets.fragments.waiting() <= 3000);
}
