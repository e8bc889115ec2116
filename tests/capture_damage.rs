//! Captures that are cut, corrupt, or come in drops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod capture_bytes;

use std::io::{self, Read};

use capture_bytes::*;
use proptest::prelude::*;
use turnscope::capture::{Capture, exercise};

#[test]
fn a_pcap_cut_at_any_byte_gives_the_records_before_the_cut_and_says_where() {
    let (file, ends) = example_pcap(20);
    let (whole, _) = read(&file[..]);
    for cut in 24..=file.len() {
        let (frames, info) = read(&file[..cut]);
        let expected = ends.iter().filter(|&&end| end <= cut).count();
        assert!(frames == whole[..expected], "cut at {cut}");
        check_cut(&info, cut, expected.checked_sub(1).map_or(24, |last| ends[last]), expected);
    }
}

#[test]
fn a_pcapng_cut_at_any_byte_gives_the_packets_before_the_cut_and_says_where() {
    let (file, ends) = example_pcapng(20);
    let (whole, _) = read(&file[..]);
    let mut blocks = vec![0];
    while let Some(len) = file.get(blocks[blocks.len() - 1] + 4..).and_then(|rest| rest.first_chunk()) {
        blocks.push(blocks[blocks.len() - 1] + u32::from_le_bytes(*len) as usize);
    }
    for cut in 12..=file.len() {
        let (frames, info) = read(&file[..cut]);
        let expected = ends.iter().filter(|&&end| end <= cut).count();
        assert!(frames == whole[..expected], "cut at {cut}");
        let at = blocks.iter().rfind(|&&at| at <= cut).unwrap();
        check_cut(&info, cut, *at, expected);
    }
}

fn check_cut(info: &turnscope::capture::CaptureInfo, cut: usize, at: usize, frames: usize) {
    assert_eq!(info.bytes, cut as u64);
    if cut == at {
        assert_eq!(info.damage, []);
        return;
    }
    assert_eq!(info.damage_total, 1, "{:?}", info.damage);
    let damage = &info.damage[0];
    assert_eq!((damage.offset, damage.after_frame, damage.resumed_at), (at as u64, frames as u64, None));
    assert!(damage.what.contains(&format!("{} of its", cut - at)), "{}", damage.what);
}

/// A packet that itself carries a capture file, as when one is downloaded while capturing.
fn embedded() -> Vec<u8> {
    let mut data = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    data.extend(example_pcapng(3).0);
    data.extend(example_pcap(3).0);
    data
}

#[test]
fn a_cut_within_a_packet_that_carries_a_capture_invents_no_frames() {
    let data = embedded();
    let mut pcap = Bytes::new(false);
    pcap.pcap_header(0xa1b2_c3d4, 4, 1).record(T0 - 90_000_000, 0, 4, b"data").record(T0, 0, data.len() as u32, &data);
    let mut pcapng = Bytes::new(false);
    pcapng.section().interface(1, 0, |_| ()).packet(0, 1, b"data", |_| ()).packet(0, 1, &data, |b| {
        b.option(1, b"a comment behind the packet").u32(0);
    });
    for file in [pcap.bytes, pcapng.bytes] {
        assert_eq!(read(&file[..]).0.len(), 2);
        for cut in file.len() - data.len()..file.len() {
            let (frames, info) = read(&file[..cut]);
            assert_eq!((frames.len(), info.damage_total), (1, 1), "cut at {cut}");
        }
    }
}

#[test]
fn bytes_that_come_one_at_a_time_give_the_same_frames() {
    for file in [example_pcap(200).0, example_pcapng(200).0] {
        let (whole, info) = read(&file[..]);
        let (dripped, dripped_info) = read(Trickle(&file));
        assert!(whole == dripped);
        assert_eq!(format!("{info:?}"), format!("{dripped_info:?}"));
    }
}

/// Counts what it gives, one byte at a time, so that a test sees how far a reader has asked.
struct Meter<'a> {
    rest: &'a [u8],
    given: &'a std::cell::Cell<usize>,
}

impl Read for Meter<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = Trickle(self.rest).read(room)?;
        self.rest = &self.rest[count..];
        self.given.set(self.given.get() + count);
        Ok(count)
    }
}

#[test]
fn a_frame_is_delivered_as_soon_as_its_last_byte_has_been_read() {
    for (file, ends) in [example_pcap(50), example_pcapng(50)] {
        let given = std::cell::Cell::new(0);
        let mut capture = Capture::open(Meter { rest: &file, given: &given }).unwrap();
        for end in ends {
            assert!(capture.next_frame().is_some());
            assert_eq!(given.get(), end);
        }
    }
}

#[test]
fn a_read_error_ends_the_capture_with_what_was_read() {
    for (file, ends) in [example_pcap(20), example_pcapng(20)] {
        let (frames, info) = read(Failing(&file[..ends[9]]));
        assert_eq!((frames.len(), info.damage_total), (10, 1));
        assert_eq!(info.damage[0].offset, ends[9] as u64);
        assert!(info.damage[0].what.contains("disk on fire"));
        let (frames, info) = read(Failing(&file[..ends[9] + 20]));
        assert_eq!((frames.len(), info.damage_total), (10, 1));
        assert!(info.damage[0].what.contains("disk on fire") && info.damage[0].what.contains("20 of its"));
    }
}

/// Bytes that are neither records nor blocks, in several flavours.
fn garbage() -> Vec<Vec<u8>> {
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let noise = (0..1001).map(|_| random()).collect();
    vec![vec![0; 64], vec![0; 4099], vec![0xff; 333], b"All work and no play ".repeat(9), noise]
}

#[test]
fn garbage_between_frames_is_passed_over() {
    for (file, ends) in [example_pcap(20), example_pcapng(20)] {
        let (whole, _) = read(&file[..]);
        for garbage in garbage() {
            let at = ends[9];
            let file = [&file[..at], &garbage, &file[at..]].concat();
            let (frames, info) = read(&file[..]);
            assert!(frames == whole, "{} frames, {:?}", frames.len(), info.damage);
            assert_eq!(info.damage_total, 1);
            let damage = &info.damage[0];
            assert_eq!((damage.offset, damage.after_frame), (at as u64, 10));
            assert_eq!(damage.resumed_at, Some((at + garbage.len()) as u64));
        }
    }
}

#[test]
fn garbage_over_frames_loses_those_and_no_more() {
    for (mut file, ends) in [example_pcap(20), example_pcapng(20)] {
        let (whole, _) = read(&file[..]);
        file[ends[9]..ends[12] - 5].fill(0xee);
        let (frames, info) = read(&file[..]);
        let data: Vec<_> = frames.iter().map(|f| &f.data).collect();
        let expected: Vec<_> = whole[..10].iter().chain(&whole[13..]).map(|f| &f.data).collect();
        assert_eq!(data, expected);
        assert!(frames.iter().zip(1..).all(|(f, n)| f.number == n), "numbers go on counting");
        assert_eq!(info.damage[0].resumed_at, Some(ends[12] as u64));
    }
}

#[test]
fn zeros_at_the_end_of_a_file_are_damage_and_no_frames() {
    for (file, _) in [example_pcap(20), example_pcapng(20)] {
        let (frames, info) = read(&[&file[..], &[0; 10_000]].concat()[..]);
        assert_eq!((frames.len(), info.damage_total), (20, 1));
        assert_eq!((info.damage[0].offset, info.damage[0].resumed_at), (file.len() as u64, None));
    }
}

#[test]
fn a_record_that_claims_gigabytes_is_passed_over() {
    let (mut file, ends) = example_pcap(20);
    file[ends[4] + 8..ends[4] + 12].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let (frames, info) = read(&file[..]);
    assert_eq!((frames.len(), info.damage_total), (19, 1));
    assert_eq!(info.damage[0].resumed_at, Some(ends[5] as u64));
    assert!(info.damage[0].what.contains("2147483647"), "{}", info.damage[0].what);
}

#[test]
fn lengths_of_blocks_that_lie_cost_at_most_their_packet() {
    let (file, ends) = example_pcapng(20);
    for lie in [0, 8, 13, 16, 4096, 1 << 20, 0xffff_fffc_u32] {
        for at in [ends[4] + 4, ends[5] - 4] {
            let mut file = file.clone();
            file[at..at + 4].copy_from_slice(&lie.to_le_bytes());
            let (frames, info) = read(&file[..]);
            assert!(frames.len() >= 19, "{lie} at {at}: {} frames, {:?}", frames.len(), info.damage);
            assert_eq!(info.damage_total, 1);
            assert_eq!((info.damage[0].offset, info.damage[0].after_frame), (ends[4] as u64, 5));
            assert_eq!(info.damage[0].resumed_at, Some(ends[5] as u64));
        }
        let mut file = file.clone();
        file[ends[4] + 20..ends[4] + 24].copy_from_slice(&(lie | 0x100_0000).to_le_bytes());
        let (frames, info) = read(&file[..]);
        assert_eq!((frames.len(), info.damage[0].resumed_at), (19, Some(ends[5] as u64)));
    }
}

#[test]
fn options_that_claim_more_than_their_block_has_are_damage_and_cost_no_packet() {
    let bad = |b: &mut Bytes| {
        b.option(1, b"kept").u16(1).u16(400).raw(b"lost");
    };
    for place in 0..5 {
        let mut file = Bytes::new(false);
        let options = |b: &mut Bytes, at: usize| {
            if at == place {
                bad(b)
            }
        };
        file.block(0x0a0d_0d0a, |b| {
            b.u32(0x1a2b_3c4d).u16(1).u16(0).u64(u64::MAX);
            options(b, 0);
        });
        let mut starts = vec![0, file.len()];
        file.interface(1, 0, |b| options(b, 1));
        starts.push(file.len());
        file.packet(0, 1, &data(0), |b| options(b, 2));
        starts.push(file.len());
        file.block(5, |b| {
            b.u32(0).u64(0);
            options(b, 3);
        });
        starts.push(file.len());
        file.block(4, |b| {
            b.u32(0);
            options(b, 4);
        });
        starts.push(file.len());
        file.packet(0, 2, &data(1), |_| {});
        let (frames, info) = read(&file.bytes[..]);
        assert_eq!((frames.len(), info.comments.len(), info.damage_total), (2, 1, 1), "block {place}");
        let damage = &info.damage[0];
        assert_eq!((damage.offset, damage.resumed_at), (starts[place] as u64, Some(starts[place + 1] as u64)));
        assert_eq!(damage.after_frame, u64::from(place > 1));
        assert!(damage.what.contains("option"), "{}", damage.what);
    }
}

#[test]
fn packets_of_an_interface_that_no_block_describes_are_said_once() {
    let mut file = Bytes::new(true);
    file.section().interface(1, 0, |_| ());
    for _ in 0..5 {
        file.packet(3, 1, b"lost", |_| ()).packet(0, 1, b"kept", |_| ());
    }
    let (frames, info) = read(&file.bytes[..]);
    assert_eq!((frames.len(), info.damage_total), (5, 1));
    assert!(info.damage[0].what.contains("interface 3"));
}

#[test]
fn a_file_of_nothing_but_damage_ends_and_lists_a_bounded_number_of_places() {
    let mut file = Bytes::new(false);
    file.section().interface(1, 0, |_| ());
    for _ in 0..5000 {
        file.packet(0, 1, b"good", |_| ()).raw(b"bad!bad!bad!bad!");
    }
    let (frames, info) = read(&file.bytes[..]);
    assert_eq!((frames.len(), info.damage_total, info.damage.len()), (5000, 5000, 100));
}

#[test]
fn headers_that_all_look_good_and_lead_nowhere_take_linear_time() {
    // Each position of the search is a candidate of the largest length that a search believes.
    let mut file = Bytes::new(false);
    file.section().interface(1, 0, |_| ()).raw(&[0xff; 12]);
    for _ in 0..200_000 {
        file.u32(6).u32(1 << 20).u32(0);
    }
    assert_eq!(exercise(&file.bytes), 0);
    let mut file = Bytes::new(false);
    file.pcap_header(0xa1b2_c3d4, 4, 1).record(T0, 0, 4, b"data").raw(&[0xff; 16]);
    for _ in 0..200_000 {
        file.u32(T0).u32(0).u32(200_000).u32(200_000);
    }
    assert!(exercise(&file.bytes) <= 60);
}

proptest! {
    #[test]
    fn flipped_bits_never_panic(flips in prop::collection::vec((0_usize..100_000, 0_u8..8), 1..6)) {
        for (mut file, _) in [example_pcap(40), example_pcapng(40)] {
            for &(at, bit) in &flips {
                let at = 24 + at % (file.len() - 24);
                file[at] ^= 1 << bit;
            }
            let _ = exercise(&file);
        }
    }

    #[test]
    fn arbitrary_bytes_after_a_header_never_panic(tail in prop::collection::vec(any::<u8>(), 0..400), which in 0_usize..4) {
        let mut file = Bytes::new(which % 2 == 0);
        if which < 2 {
            file.pcap_header(0xa1b2_c3d4, 4, 1);
        } else {
            file.section().interface(1, 0, |_| ());
        }
        file.raw(&tail);
        let _ = exercise(&file.bytes);
    }

    #[test]
    fn blocks_of_any_type_and_body_never_panic(blocks in prop::collection::vec((0_u32..12, prop::collection::vec(any::<u8>(), 0..80)), 0..20)) {
        let mut file = Bytes::new(false);
        file.section().interface(1, 0, |_| ());
        for (kind, body) in blocks {
            file.block(kind, |b| { b.padded(&body); });
        }
        let (frames, info) = read(&file.bytes[..]);
        prop_assert_eq!(frames.len() as u64, info.frames);
    }
}
