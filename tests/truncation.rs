//! Captures that end too early, are damaged, or hold less than the wire did: the report of what is left comes, says what is missing, and
//! never calls something a certain failure that the whole capture does not show.
//!
//! Every sample is cut at every byte, and each cut is read to its end. What analysis sees of a cut is only its whole frames and the
//! note of the damage, so the analysis itself runs at every byte of small captures only; of the others at ends of records and one byte
//! after each. That keeps the whole under two minutes on two cores without optimisation.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeSet;
use support::held::{new_failures, on_every_sample};
use support::samples::Sample;
use turnscope::capture::Capture;
use turnscope::event::Row;
use turnscope::frame::Frame;
use turnscope::packet::{Limits, Packet, Packets};
use turnscope::report::{Confidence, Report};
use turnscope::time::Timestamp;

/// Up to this size every cut is analysed.
const SMALL: usize = 1700;
/// About so many records are cut at in a larger one.
const MANY: usize = 160;

/// The end of every record of the file, its header counted as one, each with the number of frames up to there. Independent of the
/// reader under test.
fn records(bytes: &[u8]) -> Vec<(usize, u64)> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut ends = Vec::new();
    let mut frames = 0;
    if bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        let mut at = 0;
        while at < bytes.len() {
            let is_packet = matches!(word(at), 2 | 3 | 6);
            at += word(at + 4) as usize;
            frames += u64::from(is_packet);
            ends.push((at, frames));
        }
    } else {
        let mut at = 24;
        ends.push((at, 0));
        while at < bytes.len() {
            at += 16 + word(at + 8) as usize;
            frames += 1;
            ends.push((at, frames));
        }
    }
    ends
}

#[test]
fn a_capture_cut_at_any_byte_gives_its_whole_frames_and_says_where_it_ends() {
    on_every_sample(|sample, complaints| {
        let ends = records(&sample.bytes);
        for cut in 0..sample.bytes.len() {
            let whole_records = ends.iter().take_while(|(end, _)| *end <= cut).last();
            let Ok(mut capture) = Capture::open(&sample.bytes[..cut]) else {
                // without the header of the file nothing says that it is a capture
                if whole_records.is_some() {
                    complaints.push(format!("cut at {cut}: not a capture any more"));
                }
                continue;
            };
            while capture.next_frame().is_some() {}
            let info = capture.info();
            let frames = whole_records.map_or(0, |(_, frames)| *frames);
            let at_an_end = whole_records.is_some_and(|(end, _)| *end == cut);
            if info.frames != frames {
                complaints.push(format!("cut at {cut}: {} frames of {frames}", info.frames));
            }
            if info.damage.is_empty() != at_an_end {
                complaints.push(format!("cut at {cut}: damage {:?}", info.damage));
            }
        }
    });
}

#[test]
fn a_report_on_a_capture_cut_at_any_byte_calls_nothing_a_failure_that_the_whole_does_not() {
    on_every_sample(|sample, complaints| {
        let whole = sample.report();
        // of a large capture the records are too many, all the same at its middle: its beginning, and then every so many
        let ends = records(&sample.bytes);
        let step = (ends.len() / MANY).max(1);
        let some = ends.iter().enumerate().filter(|(number, _)| *number < MANY / 2 || number % step == 0);
        let mut cuts: BTreeSet<usize> = some.flat_map(|(_, &(end, _))| [end, end + 1]).collect();
        if sample.bytes.len() <= SMALL {
            cuts.extend(1..sample.bytes.len());
        }
        for cut in cuts.into_iter().filter(|cut| *cut < sample.bytes.len()) {
            let Ok(part) = sample.report_on(&sample.bytes[..cut]) else { continue };
            for new in new_failures(&whole, &part) {
                complaints.push(format!("cut at {cut}, after frame {}: {new}", part.captures[0].frames));
            }
        }
    });
}

/// A generator of the same numbers each time (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }
}

#[test]
fn flipped_bits_never_stop_the_report() {
    on_every_sample(|sample, complaints| {
        let mut random = Random(sample.bytes.len() as u64);
        let rounds = if sample.bytes.len() < 8000 { 300 } else { 150 };
        for round in 0..rounds {
            let mut bytes = sample.bytes.clone();
            let mut flipped = Vec::new();
            // mostly one bit, sometimes a handful
            for _ in 0..=random.below(4) * usize::from(round % 3 == 0) {
                let (at, bit) = (random.below(bytes.len()), random.below(8));
                bytes[at] ^= 1 << bit;
                flipped.push((at, bit));
            }
            let in_header = flipped.iter().any(|(at, _)| *at < 28);
            match sample.report_on(&bytes) {
                Ok(report) => {
                    let capture = &report.captures[0];
                    let whole = records(&sample.bytes).last().map_or(0, |(_, frames)| *frames);
                    if capture.frames < whole && capture.damage.is_empty() && flipped.len() == 1 {
                        // a block whose type became another one is passed over, as unknown blocks are
                        let in_type = is_in_a_block_type(&sample.bytes, flipped[0].0);
                        if !in_type {
                            complaints
                                .push(format!("{flipped:?}: {} of {whole} frames, no damage named", capture.frames));
                        }
                    }
                }
                Err(_) if in_header => {}
                Err(error) => complaints.push(format!("{flipped:?}: {error}")),
            }
        }
    });
}

fn is_in_a_block_type(bytes: &[u8], at: usize) -> bool {
    let mut start = 0;
    for (end, _) in records(bytes) {
        if (start..start + 4).contains(&at) {
            return true;
        }
        start = end;
    }
    false
}

/// Which way the UDP datagram or ICMP error in a frame goes: from the lower address and port to the higher one, or back. ARP is of neither,
/// and `None` stands for everything else.
fn upwards(packets: &mut Packets, frame: &Frame<'_>) -> Option<bool> {
    let mut way = None;
    packets.dissect(frame, frame.time.unwrap_or(Timestamp(0)), &mut |packet| match packet {
        Packet::Datagram(datagram) => way = Some(datagram.src < datagram.dst),
        Packet::IcmpError(error) => way = Some(error.quoted.src > error.quoted.dst),
        Packet::Segment(_) => {}
    });
    way
}

fn is_arp(frame: &Frame<'_>) -> bool {
    frame.link_type.0 == 1 && frame.data.get(12..14) == Some(&[0x08, 0x06])
}

/// Whether a frame comes from the one of two hosts on a wire; `None` where there are no hardware addresses.
fn from_one_end(frame: &Frame<'_>, first: &mut Option<[u8; 6]>) -> Option<bool> {
    let from: [u8; 6] = frame.data.get(6..12)?.try_into().ok()?;
    (frame.link_type.0 == 1).then(|| *first.get_or_insert(from) == from)
}

/// Complains about what the report on edited frames claims beyond the report on the whole.
fn compare(sample: &Sample, what: &str, complaints: &mut Vec<String>, mut edit: impl FnMut(&mut Frame<'_>) -> bool) {
    let mut sink = |_: &Row<'_>| {};
    let part = sample.report_edited(&sample.bytes, &mut edit, &mut sink).unwrap();
    complaints.extend(new_failures(&sample.report(), &part).into_iter().map(|new| format!("{what}: {new}")));
}

#[test]
fn the_first_half_of_a_capture_shows_no_failure_that_the_whole_does_not() {
    on_every_sample(|sample, complaints| {
        let frames = records(&sample.bytes).last().map_or(0, |(_, frames)| *frames);
        compare(sample, "first half", complaints, |frame| frame.number <= frames / 2);
    });
}

#[test]
fn the_last_half_of_a_capture_shows_no_failure_that_the_whole_does_not() {
    on_every_sample(|sample, complaints| {
        let frames = records(&sample.bytes).last().map_or(0, |(_, frames)| *frames);
        compare(sample, "last half", complaints, |frame| frame.number > frames / 2);
    });
}

#[test]
fn one_direction_alone_shows_no_failure_that_both_do_not() {
    on_every_sample(|sample, complaints| {
        for kept in [true, false] {
            let mut packets = Packets::new(Limits::default());
            let what = if kept { "upwards only" } else { "downwards only" };
            compare(sample, what, complaints, |frame| !is_arp(frame) && upwards(&mut packets, frame) != Some(!kept));
            // as a display filter on an IP address leaves it: ARP passes both ways. Without the ICMP errors that alone answer, there is silence
            if sample.name != "prohibited" {
                let what = if kept { "upwards and ARP" } else { "downwards and ARP" };
                compare(sample, what, complaints, |frame| upwards(&mut packets, frame) != Some(!kept));
            }
            // as a tap of one direction has it
            let mut first = None;
            let what = if kept { "from one end" } else { "towards one end" };
            compare(sample, what, complaints, |frame| from_one_end(frame, &mut first) != Some(!kept));
        }
    });
}

#[test]
fn a_snap_length_of_96_shows_no_failure_that_whole_frames_do_not() {
    on_every_sample(|sample, complaints| {
        for snap in [60, 96, 150] {
            compare(sample, &format!("snap length {snap}"), complaints, |frame| {
                frame.data = &frame.data[..frame.data.len().min(snap)];
                true
            });
        }
    });
}

#[test]
fn a_mirror_port_that_sees_every_frame_twice_changes_no_verdict() {
    on_every_sample(|sample, complaints| {
        let (mut doubled, mut start, mut before) = (Vec::new(), 0, 0);
        for (end, frames) in records(&sample.bytes) {
            let record = &sample.bytes[start..end];
            doubled.extend_from_slice(record);
            if frames > before {
                doubled.extend_from_slice(record);
            }
            (start, before) = (end, frames);
        }
        let (whole, twice) = (sample.report(), sample.report_on(&doubled).unwrap());
        if (whole.verdict, &whole.headline_finding) != (twice.verdict, &twice.headline_finding) {
            let told = |report: &Report| format!("{:?} by {:?}", report.verdict, report.headline_finding);
            complaints.push(format!("{}, twice {}", told(&whole), told(&twice)));
        }
        let relayed = |report: &Report| -> Vec<(u64, u64)> {
            report.allocations.iter().map(|known| (known.bytes_sent, known.bytes_received)).collect()
        };
        if relayed(&whole) != relayed(&twice) {
            complaints.push(format!("relayed {:?}, twice {:?}", relayed(&whole), relayed(&twice)));
        }
        let found = |report: &Report| -> Vec<(String, Confidence, u64)> {
            let of_calls = report.findings.iter().filter(|found| !found.id.starts_with("capture-"));
            of_calls.map(|found| (found.id.clone(), found.confidence, found.occurrences)).collect()
        };
        if found(&whole) != found(&twice) {
            complaints.push(format!("found {:?}, twice {:?}", found(&whole), found(&twice)));
        }
        let counted = |report: &Report| {
            let counts = &report.counts;
            format!("{:?} {:?} {:?} {:?}", counts.stun, counts.channel_data, counts.dtls, counts.error_codes)
        };
        if counted(&whole) != counted(&twice) {
            complaints.push(format!("counted {}, twice {}", counted(&whole), counted(&twice)));
        }
        complaints.extend(new_failures(&whole, &twice).into_iter().map(|new| format!("twice: {new}")));
    });
}

#[test]
fn frames_in_another_order_show_no_failure_that_the_right_order_does_not() {
    on_every_sample(|sample, complaints| {
        let (mut swapped, mut start, mut before, mut held) = (Vec::new(), 0, 0, None);
        for (end, frames) in records(&sample.bytes) {
            let record = &sample.bytes[start..end];
            match (frames > before, held.take()) {
                (true, None) => held = Some(record),
                (_, waiting) => {
                    swapped.extend_from_slice(record);
                    swapped.extend_from_slice(waiting.unwrap_or_default());
                }
            }
            (start, before) = (end, frames);
        }
        swapped.extend_from_slice(held.unwrap_or_default());
        let (whole, other) = (sample.report(), sample.report_on(&swapped).unwrap());
        complaints.extend(new_failures(&whole, &other));
    });
}
