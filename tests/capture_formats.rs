//! Every variant of pcap and pcapng, plain and compressed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod capture_bytes;

use std::io::Write;

use capture_bytes::*;
use turnscope::capture::{Capture, Compression, Limits, SecretsKind};
use turnscope::frame::LinkType;

const T0_NANOS: i64 = T0 as i64 * 1_000_000_000;

fn refusal(bytes: &[u8]) -> String {
    let text = Capture::open(bytes).err().expect("refused").to_string();
    assert!(!text.contains('\n'), "one line: {text}");
    text
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_both_fractions() {
    for big_endian in [false, true] {
        for (magic, digits, unit) in [(0xa1b2_c3d4, 6, 1000), (0xa1b2_3c4d, 9, 1)] {
            let mut file = Bytes::new(big_endian);
            file.pcap_header(magic, 4, 1).record(T0, 123_456, 100, b"hello").record(T0 + 1, 1, 2, b"hi");
            let (frames, info) = read(&file.bytes[..]);
            assert_eq!(frames.len(), 2);
            assert_eq!(frames[0].nanos, Some(T0_NANOS + 123_456 * unit));
            assert_eq!((frames[0].digits, frames[0].original_len, frames[0].big_endian), (digits, 100, big_endian));
            assert_eq!((frames[1].number, &frames[1].data[..]), (2, &b"hi"[..]));
            assert_eq!(info.format.to_string(), "pcap");
            assert_eq!((info.bytes, info.frames, info.damage_total), (file.len() as u64, 2, 0));
            assert_eq!(info.first_time.unwrap().0, T0_NANOS + 123_456 * unit);
            assert_eq!(info.last_time.unwrap().0, T0_NANOS + 1_000_000_000 + unit);
        }
    }
}

#[test]
fn the_modified_variant_has_longer_record_headers() {
    for big_endian in [false, true] {
        let mut file = Bytes::new(big_endian);
        file.pcap_header(0xa1b2_cd34, 4, 1);
        for text in [&b"one"[..], b"three"] {
            file.u32(T0).u32(7).u32(text.len() as u32).u32(60).u32(1).u16(0x800).raw(&[0, 0]).raw(text);
        }
        let (frames, info) = read(&file.bytes[..]);
        assert_eq!(frames.iter().map(|f| &f.data[..]).collect::<Vec<_>>(), [&b"one"[..], b"three"]);
        assert_eq!(info.damage_total, 0);
    }
}

#[test]
fn lcap_files_have_a_longer_file_header() {
    for big_endian in [false, true] {
        for (magic, digits) in [(0x1c00_01ac, 9), (0x1c00_01ab, 6)] {
            let mut file = Bytes::new(big_endian);
            file.pcap_header(magic, 4, 1).u32(0).record(T0, 5, 4, b"data");
            let (frames, info) = read(&file.bytes[..]);
            assert_eq!((frames[0].data.as_slice(), frames[0].digits), (&b"data"[..], digits));
            assert_eq!((frames.len(), info.damage_total), (1, 0));
        }
    }
}

#[test]
fn old_writers_exchange_the_lengths() {
    for minor in [2, 3] {
        let mut file = Bytes::new(false);
        file.pcap_header(0xa1b2_c3d4, minor, 1);
        for _ in 0..2 {
            file.u32(T0).u32(0).u32(90).u32(4).raw(b"data");
        }
        let (frames, info) = read(&file.bytes[..]);
        assert_eq!((frames.len(), info.damage_total), (2, 0));
        assert_eq!((frames[1].data.as_slice(), frames[1].original_len), (&b"data"[..], 90));
    }
}

#[test]
fn the_link_type_field_tells_the_frame_check_sequence() {
    let mut file = Bytes::new(true);
    file.pcap_header(0xa1b2_c3d4, 4, 0x2400_0000 | 113).record(T0, 0, 8, b"packet..");
    let (frames, info) = read(&file.bytes[..]);
    assert_eq!((frames[0].link_type, frames[0].fcs_len), (113, 4));
    assert_eq!(info.link_types, [LinkType(113)]);
}

#[test]
fn captured_lengths_above_the_original_are_taken_as_they_are() {
    let mut file = Bytes::new(false);
    file.pcap_header(0xa1b2_c3d4, 4, 1);
    for index in 0..4 {
        file.record(T0 + index, 0, 10, &[7; 14]);
    }
    let (frames, info) = read(&file.bytes[..]);
    assert_eq!((frames.len(), info.damage_total, frames[0].original_len), (4, 0, 14));
}

#[test]
fn a_clock_that_is_set_while_capturing_is_no_damage() {
    let mut file = Bytes::new(false);
    file.pcap_header(0xa1b2_c3d4, 4, 1);
    for seconds in [3, 4, T0, T0 + 1, 9] {
        file.record(seconds, 0, 4, b"data");
    }
    let (frames, info) = read(&file.bytes[..]);
    assert_eq!((frames.len(), info.damage_total), (5, 0));
    assert_eq!(info.first_time.unwrap().0, 3_000_000_000);
}

#[test]
fn files_of_other_kinds_are_refused_in_one_clear_line() {
    assert_eq!(refusal(b""), "empty file");
    assert_eq!(refusal(b"GET / HTTP/1.1\r\n"), "not a capture file: starts with \"GET / HT\"");
    assert_eq!(refusal(&[0, 1, 2]), "not a capture file: starts with 00 01 02");
    assert!(refusal(b"snoop\0\0\0").contains("to pcapng with Wireshark or editcap"));
    assert!(refusal(&[0xa1, 0x2b, 0x3c, 0x4d, 0, 0]).contains("Navtel"));
    assert!(refusal(&[0xcd, 0x34, 0xb2, 0xa1]).contains("Mesquita"));
    assert!(refusal(&[0xcb, 0xc3, 0xb2, 0xa1]).contains("filter"));
    assert!(refusal(b"TRSNIFF data").contains("Sniffer"));
    assert_eq!(refusal(b"PK\x03\x04\x14\0"), "zip archive");
    let tar = [&b"captures/one.pcap"[..], &[0; 240], b"ustar\0", &[0; 249]].concat();
    assert_eq!(refusal(&tar), "tar archive");
    // a buffer of 64 KiB of one processor, and the event that describes the trace
    let buffer = [&[0, 0, 1, 0][..], &[7; 68], &[2, 0, 2, 0xc0, 0x90, 1, 0, 0], &[0; 400]].concat();
    assert!(refusal(&buffer).contains("pktmon etl2pcap"));
    let redirected: Vec<u8> = "\u{feff}\n\r\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(refusal(&redirected).contains("PowerShell"));
    assert!(refusal(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]).contains("after 6 bytes"));
    assert!(refusal(&[0x0a, 0x0d, 0x0d, 0x0a, 28, 0]).contains("after 6 bytes"));
    assert!(refusal(b"\x0a\x0d\x0d\x0a0123456789").starts_with("not a capture file"));
    let packed = gzip(b"just text");
    assert!(refusal(&packed).contains("the gzip stream unpacks to what starts with \"just tex\""));
    assert!(refusal(&packed[..4]).contains("the gzip stream is cut short"));
}

#[test]
fn packets_written_out_as_text_are_told_from_captures() {
    for text in [
        "[\n  {\n    \"_index\": \"packets-2026-11-22\",\n",
        "{\"index\":{\"_index\":\"packets-2026-11-22\"}}\n",
        "<?xml version=\"1.0\"?>\n<?xml-stylesheet type=\"text/xsl\" href=\"pdml2html.xsl\"?>\n<pdml version=\"0\">",
        "<?xml version=\"1.0\"?>\n<psml version=\"0\">",
        "No.     Time           Source                Destination\n      1 0.000000",
        "Frame 1: 70 bytes on wire (560 bits), 70 bytes captured",
        "\"No.\",\"Time\",\"Source\",\"Destination\"\n",
        "+---------+---------------+----------+\n",
    ] {
        assert!(refusal(text.as_bytes()).starts_with("packets written out as text"), "{text}");
    }
    assert_eq!(refusal(b"{\n  \"sdp\": 1}"), "not a capture file: starts with \"{\\n  \\\"sdp\"");
}

#[test]
fn a_file_of_a_header_only_is_an_empty_capture() {
    let (frames, info) = read(&example_pcap(0).0[..]);
    assert_eq!((frames.len(), info.damage_total), (0, 0));
    let (frames, info) = read(&example_pcapng(0).0[..]);
    assert_eq!((frames.len(), info.damage_total), (0, 0));
}

#[test]
fn sections_set_their_own_byte_order_and_number_their_interfaces_anew() {
    let mut file = Vec::new();
    for big_endian in [true, false] {
        let mut part = Bytes::new(big_endian);
        part.section()
            .interface(if big_endian { 101 } else { 1 }, 0, |_| ())
            .interface(113, 0, |b| {
                b.option(9, &[9]);
            })
            .packet(0, 1_000_001, b"first", |_| ())
            .packet(1, 2_000_000_002, b"second", |_| ());
        file.extend(part.bytes);
    }
    let (frames, info) = read(&file[..]);
    let seen: Vec<_> = frames.iter().map(|f| (f.number, f.link_type, f.nanos.unwrap(), f.big_endian)).collect();
    assert_eq!(
        seen,
        [
            (1, 101, 1_000_001_000, true),
            (2, 113, 2_000_000_002, true),
            (3, 1, 1_000_001_000, false),
            (4, 113, 2_000_000_002, false)
        ]
    );
    assert_eq!(info.link_types, [LinkType(101), LinkType(113), LinkType(1)]);
    assert_eq!((info.interfaces.len(), info.damage_total), (4, 0));
    assert_eq!(info.applications, ["builder"]);
}

#[test]
fn interface_options_set_resolution_offset_and_frame_check_sequence() {
    for big_endian in [false, true] {
        let mut file = Bytes::new(big_endian);
        let offset = if big_endian { 100_i64.to_be_bytes() } else { 100_i64.to_le_bytes() };
        let flags = if big_endian { (2_u32 << 5).to_be_bytes() } else { (2_u32 << 5).to_le_bytes() };
        file.section()
            .interface(1, 0, |b| {
                b.option(9, &[0x8a]).option(14, &offset).option(13, &[32]).u32(0);
            })
            .packet(0, 1536, b"plain", |_| ())
            .packet(0, 1536, b"flags", |b| {
                b.option(2, &flags).u32(0);
            });
        let (frames, _) = read(&file.bytes[..]);
        assert_eq!((frames[0].nanos, frames[0].digits), (Some(101_500_000_000), 9));
        assert_eq!((frames[0].fcs_len, frames[1].fcs_len), (4, 2));
    }
}

#[test]
fn simple_and_obsolete_packets_are_frames() {
    for big_endian in [false, true] {
        let mut file = Bytes::new(big_endian);
        file.section().interface(1, 6, |_| ());
        file.block(3, |b| {
            b.u32(100).padded(b"simple");
        });
        file.block(3, |b| {
            b.u32(3).padded(b"abc");
        });
        file.block(2, |b| {
            b.u16(0).u16(9).u32(0).u32(77).u32(5).u32(50).padded(b"older").option(1, b"note").u32(0);
        });
        let (frames, info) = read(&file.bytes[..]);
        assert_eq!(frames.iter().map(|f| &f.data[..]).collect::<Vec<_>>(), [&b"simple"[..], b"abc", b"older"]);
        // they tell no time, and those before all others get the first that is told
        assert_eq!((frames[0].nanos, frames[0].digits, frames[0].original_len), (Some(77_000), 6, 100));
        assert_eq!(info.first_time.map(|time| time.0), Some(77_000));
        assert_eq!((frames[2].nanos, frames[2].original_len), (Some(77_000), 50));
        assert_eq!((info.comments[0].frame, info.damage_total), (Some(3), 0));
    }
}

#[test]
fn comments_names_secrets_and_statistics_are_kept_and_unknown_blocks_passed_over() {
    for big_endian in [false, true] {
        let mut file = Bytes::new(big_endian);
        file.block(0x0a0d_0d0a, |b| {
            b.u32(0x1a2b_3c4d).u16(1).u16(2).u64(u64::MAX).option(1, b"of the section").u32(0);
        });
        file.interface(1, 96, |b| {
            b.option(2, b"en0").option(3, b"Wi-Fi").option(1, b"of the interface").u32(0);
        });
        file.block(0xa, |b| {
            b.u32(0x544c_534b).u32(7).padded(b"CLIENT_").option(1, b"of the secrets");
        });
        file.block(4, |b| {
            b.option(1, &[192, 0, 2, 1, b'a', 0, b'b', 0]).option(3, &[1, 2, 3, 4, 5, 6, b'x', 0]);
            b.option(2, &[&[0x20; 16][..], b"six\0"].concat()).u32(0).option(1, b"of the names").u32(0);
        });
        file.block(0x0bad, |b| {
            b.u32(32473).raw(b"data");
        });
        file.block(0x8000_0001, |b| {
            b.raw(b"localuse");
        });
        file.packet(0, 1, b"packet", |b| {
            b.option(1, b"of the packet").option(1, b"again \xff").u32(0);
        });
        let count = |n: u64| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
        file.block(5, |b| {
            b.u32(0).u64(0).option(4, &count(10)).option(5, &count(2)).option(7, &count(3)).u32(0);
        });
        let (frames, info) = read(&file.bytes[..]);
        assert_eq!((frames.len(), info.damage_total, info.blocks_skipped), (1, 0, 1));
        let comments: Vec<_> = info.comments.iter().map(|c| (c.frame, c.text.as_str())).collect();
        assert_eq!(
            comments,
            [
                (None, "of the section"),
                (None, "of the interface"),
                (None, "of the secrets"),
                (None, "of the names"),
                (Some(1), "of the packet"),
                (Some(1), "again \u{fffd}")
            ]
        );
        let names: Vec<_> = info.names.iter().map(|(ip, name)| format!("{ip} {name}")).collect();
        assert_eq!(names, ["192.0.2.1 a", "192.0.2.1 b", "2020:2020:2020:2020:2020:2020:2020:2020 six"]);
        assert_eq!(info.secrets[0].kind, SecretsKind::TLS_KEY_LOG);
        assert_eq!(info.secrets[0].data.expose(), b"CLIENT_");
        assert!(!format!("{info:?}").contains("67, 76, 73"), "secrets do not print");
        let interface = &info.interfaces[0];
        assert_eq!((interface.name.as_str(), interface.description.as_str()), ("en0", "Wi-Fi"));
        assert_eq!((interface.received, interface.dropped, interface.snap_len), (Some(10), Some(5), 96));
    }
}

#[test]
fn what_goes_beyond_the_limits_is_counted() {
    let mut file = Bytes::new(false);
    file.section().interface(1, 0, |_| ());
    for _ in 0..3 {
        file.packet(0, 1, b"packet", |b| {
            b.option(1, b"four").u32(0);
        });
        file.block(0xa, |b| {
            b.u32(1).u32(40).padded(&[1; 40]);
        });
        file.block(4, |b| {
            b.option(1, &[192, 0, 2, 1, b'a', 0]).u32(0);
        });
    }
    let limits = Limits { comment_bytes: 10, names: 1, secret_bytes: 120, ..Limits::default() };
    let mut capture = Capture::open_with(&file.bytes[..], limits).unwrap();
    while capture.next_frame().is_some() {}
    let info = capture.info();
    assert_eq!((info.comments.len(), info.comments_dropped), (2, 1));
    assert_eq!((info.names.len(), info.names_dropped), (1, 2));
    assert_eq!((info.secrets.len(), info.secrets_dropped), (1, 2));
}

#[test]
fn a_packet_larger_than_the_buffer_is_read_and_those_after_it_too() {
    let big = vec![0x5a; 3 << 20];
    let mut file = Bytes::new(false);
    file.section().interface(1, 0, |_| ());
    for index in 0..2000 {
        file.packet(0, 1, if index % 700 == 0 { &big } else { &big[..700] }, |_| ());
    }
    let (frames, info) = read(&file.bytes[..]);
    assert_eq!((frames.len(), info.damage_total), (2000, 0));
    assert!(frames.iter().enumerate().all(|(i, f)| f.data.len() == if i % 700 == 0 { big.len() } else { 700 }));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().block_size(lz4_flex::frame::BlockSize::Max64KB);
    let mut packer = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn packed(bytes: &[u8]) -> Vec<(Compression, Vec<u8>)> {
    #[allow(unused_mut)]
    let mut forms = vec![(Compression::Gzip, gzip(bytes)), (Compression::Lz4, lz4(bytes))];
    #[cfg(feature = "zstd")]
    forms.push((Compression::Zstd, zstd::stream::encode_all(bytes, 3).unwrap()));
    #[cfg(feature = "xz")]
    {
        use std::io::Read;
        let mut out = Vec::new();
        liblzma::read::XzEncoder::new(bytes, 6).read_to_end(&mut out).unwrap();
        forms.push((Compression::Xz, out));
    }
    forms
}

#[test]
fn compressed_captures_give_the_frames_of_the_plain_ones() {
    for file in [example_pcap(3000).0, example_pcapng(3000).0] {
        let (plain, plain_info) = read(&file[..]);
        let (first, second) = file.split_at(file.len() / 3);
        for ((compression, whole), half, rest) in
            packed(&file).into_iter().zip(packed(first)).zip(packed(second)).map(|((a, b), c)| (a, b.1, c.1))
        {
            for packed in [whole, [half, rest].concat()] {
                let (frames, info) = read(&packed[..]);
                assert!(frames == plain, "{compression}");
                assert_eq!((info.bytes, info.damage_total), (plain_info.bytes, 0), "{compression}");
                assert_eq!(info.format.to_string(), format!("{} ({compression})", plain_info.format));
            }
        }
    }
}

#[test]
fn a_compressed_capture_cut_short_gives_what_could_be_unpacked() {
    let (file, ends) = example_pcap(30_000);
    let (plain, _) = read(&file[..]);
    for (compression, packed) in packed(&file) {
        let (frames, info) = read(&packed[..packed.len() * 2 / 3]);
        assert!(!frames.is_empty() && frames.len() < plain.len(), "{compression}: {} frames", frames.len());
        assert!(frames == plain[..frames.len()], "{compression}");
        assert_eq!(info.damage_total, 1, "{compression}: {:?}", info.damage);
        assert_eq!(info.damage[0].offset, ends[frames.len() - 1] as u64);
        let what = &info.damage[0].what;
        assert!(what.starts_with(&format!("the {compression} stream is cut short")), "{what}");
        assert!(what.contains("unpacked"), "{what}");
    }
}

#[test]
fn a_compressed_capture_that_lacks_its_last_bytes_is_said_to_be_cut_short() {
    let (file, _) = example_pcap(30_000);
    for (compression, packed) in packed(&file) {
        for missing in [1, 2, 4, 6] {
            let (frames, info) = read(&packed[..packed.len() - missing]);
            assert!(info.damage_total == 1, "{compression} without {missing} bytes: {} frames", frames.len());
            assert!(info.damage[0].what.contains("is cut short"), "{}", info.damage[0].what);
        }
    }
}

#[test]
fn a_wrong_checksum_at_the_end_of_a_compressed_capture_costs_no_frames() {
    let (file, _) = example_pcap(3000);
    #[allow(unused_mut)]
    let mut forms = vec![(gzip(&file), 8)];
    #[cfg(feature = "zstd")]
    {
        let mut packer = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        packer.include_checksum(true).unwrap();
        packer.write_all(&file).unwrap();
        forms.push((packer.finish().unwrap(), 4));
    }
    for (mut packed, from_end) in forms {
        let place = packed.len() - from_end;
        packed[place] ^= 0xff;
        let (frames, info) = read(&packed[..]);
        assert_eq!((frames.len(), info.damage_total), (3000, 1), "{:?}", info.damage);
        assert_eq!(info.damage[0].offset, file.len() as u64);
    }
}

#[test]
fn what_follows_a_compressed_capture_costs_no_frames() {
    let (file, _) = example_pcap(300);
    for (compression, packed) in packed(&file) {
        let (frames, info) = read(&[&packed[..], b"something else behind it"].concat()[..]);
        assert_eq!((frames.len(), info.damage_total), (300, 1), "{compression}: {:?}", info.damage);
    }
}

#[test]
fn a_corrupt_compressed_capture_gives_a_report_of_what_came_before() {
    let (file, _) = example_pcap(30_000);
    for (compression, mut packed) in packed(&file) {
        let middle = packed.len() * 4 / 5;
        packed[middle..middle + 32].fill(0xff);
        let Ok(mut capture) = Capture::open(&packed[..]) else { continue };
        while capture.next_frame().is_some() {}
        assert!(capture.info().damage_total > 0, "{compression}");
    }
}

#[test]
fn fractions_of_a_second_beyond_a_second_are_added_up() {
    // Nanoseconds under the magic of microseconds: wrong, but each record is there.
    let mut file = Bytes::new(false);
    file.pcap_header(0xa1b2_c3d4, 4, 1);
    for index in 0..9 {
        file.record(T0 + index, 999_000_000 + index, 4, b"data");
    }
    let (frames, info) = read(&file.bytes[..]);
    assert_eq!((frames.len(), info.damage_total), (9, 0));
}

#[test]
fn packets_gathered_from_different_years_are_no_damage() {
    let mut file = Bytes::new(false);
    file.pcap_header(0xa1b2_c3d4, 4, 1);
    for year in [9, 3, 14, 0, 11, 5] {
        file.record(1_200_000_000 + year * 31_536_000, 0, 4, b"data");
    }
    let (frames, info) = read(&file.bytes[..]);
    assert_eq!((frames.len(), info.damage_total), (6, 0));
}
