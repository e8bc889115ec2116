//! Records of all forms, built by hand: what is recognised, what is not, and what is said of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use turnscope::wire::demux::{self, Kind};
use turnscope::wire::dtls::{Form, Record, Records};
use turnscope::wire::handshake::{ContentType, Version};

fn record(kind: u8, version: u16, epoch: u16, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(version.to_be_bytes());
    bytes.extend(epoch.to_be_bytes());
    bytes.extend(&sequence.to_be_bytes()[2..]);
    bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn fragment(kind: u8, length: u32, sequence: u16, offset: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(&length.to_be_bytes()[1..]);
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(&offset.to_be_bytes()[1..]);
    bytes.extend(&u32::try_from(data.len()).unwrap().to_be_bytes()[1..]);
    bytes.extend(data);
    bytes
}

fn whole(kind: u8, sequence: u16, body: &[u8]) -> Vec<u8> {
    fragment(kind, u32::try_from(body.len()).unwrap(), sequence, 0, body)
}

fn all(payload: &[u8]) -> Vec<Record<'_>> {
    Records::recognise(payload, false).map(Iterator::collect).unwrap_or_default()
}

fn known(payload: &[u8], id: Option<u8>) -> Vec<Record<'_>> {
    Records::on_dtls_flow(payload, false, id).map(Iterator::collect).unwrap_or_default()
}

#[test]
fn the_versions_of_dtls_and_the_number_before_the_rfc_are_recognised() {
    for version in [Version::DTLS_1_0, Version::DTLS_1_2, Version::DTLS_OPENSSL] {
        let bytes = record(22, version.0, 0, 5, &whole(14, 3, &[]));
        let records = all(&bytes);
        assert_eq!(records.len(), 1, "{version}");
        assert_eq!((records[0].version, records[0].sequence, records[0].epoch), (version, Some(5), 0));
        assert_eq!(records[0].fragments().next().unwrap().name(), Some("ServerHelloDone"));
        assert_eq!(records[0].problem(), None);
    }
    for version in [0x0301, 0x0303, 0xfefe, 0xfefb, 0xfefc] {
        assert!(all(&record(22, version, 0, 5, &whole(14, 3, &[]))).is_empty(), "{version:04x}");
    }
    let told = record(22, 0xfefc, 0, 5, &whole(14, 3, &[]));
    assert!(known(&told, None)[0].problem().unwrap().what.contains("no header may"));
}

#[test]
fn a_datagram_holds_several_records_each_with_its_place() {
    let mut bytes = record(22, 0xfefd, 0, 1, &[whole(2, 0, &[7; 40]), whole(14, 1, &[])].concat());
    let second = bytes.len();
    bytes.extend(record(20, 0xfefd, 0, 2, &[1]));
    bytes.extend(record(22, 0xfefd, 1, 0, &[0xaa; 40]));
    let records = all(&bytes);
    assert_eq!(records.iter().map(|r| r.content_type.0).collect::<Vec<_>>(), [22, 20, 22]);
    assert_eq!(records[1].offset, second);
    assert_eq!(records[0].fragments().count(), 2);
    assert_eq!(records[0].fragments().nth(1).unwrap().at, 13 + 12 + 40);
    assert_eq!(records[2].fragments().count(), 0, "an encrypted message is not read as a plain one");
    assert!(records.iter().all(|record| record.problem().is_none()));
}

#[test]
fn encrypted_records_are_never_plain_though_they_look_like_it() {
    let hello = whole(1, 0, &[0; 40]);
    for epoch in 1..=3 {
        let bytes = record(22, 0xfefd, epoch, 0, &hello);
        assert_eq!(all(&bytes)[0].fragments().count(), 0);
        let bytes = record(21, 0xfefd, epoch, 0, &[2, 40]);
        assert!(known(&bytes, None)[0].alert().is_none());
    }
}

#[test]
fn an_alert_in_the_clear_is_two_bytes() {
    let bytes = record(21, 0xfefd, 0, 9, &[2, 48]);
    assert_eq!(all(&bytes)[0].alert().unwrap().to_string(), "fatal unknown_ca");
    for odd in [&[][..], &[2], &[2, 48, 0], &[3, 48], &[2, 99]] {
        assert!(all(&record(21, 0xfefd, 0, 9, odd)).is_empty(), "{odd:?}");
    }
    let bytes = record(21, 0xfefd, 0, 9, &[2]);
    assert!(known(&bytes, None)[0].problem().unwrap().what.contains("two bytes"));
}

#[test]
fn content_types_and_epochs_must_go_together_on_an_unknown_flow() {
    let long = [0xaa; 40];
    assert!(all(&record(23, 0xfefd, 0, 0, &long)).is_empty(), "data without keys");
    assert_eq!(all(&record(23, 0xfefd, 1, 0, &long)).len(), 1);
    assert!(all(&record(23, 0xfefd, 1, 0, &long[..8])).is_empty(), "shorter than any tag");
    assert!(all(&record(23, 0xfefd, 0x4000, 0, &long)).is_empty(), "that many renegotiations do not happen");
    assert!(all(&record(20, 0xfefd, 0, 0, &[2])).is_empty());
    assert!(all(&record(24, 0xfefd, 0, 0, &long)).is_empty());
    assert_eq!(all(&record(24, 0xfefd, 1, 0, &long)).len(), 1);
    assert!(all(&record(27, 0xfefd, 1, 0, &long)).is_empty(), "only inside encryption");
    let ack = [&[0, 16][..], &[0; 16]].concat();
    assert_eq!(all(&record(26, 0xfefd, 0, 0, &ack)).len(), 1);
    assert!(all(&record(26, 0xfefd, 0, 0, &ack[..10])).is_empty());
    assert!(all(&record(22, 0xfefd, 0, 0, &whole(99, 0, &[]))).is_empty(), "no such message");
    assert!(all(&record(22, 0xfefd, 0, 0, &fragment(11, 10, 0, 8, &[0; 4]))).is_empty(), "past its message");
}

#[test]
fn lengths_account_for_the_datagram() {
    let mut bytes = record(23, 0xfefd, 1, 0, &[0xaa; 40]);
    bytes.push(0);
    assert!(all(&bytes).is_empty(), "data with something behind it may be anything");
    assert!(known(&bytes, None)[0].problem().unwrap().what.contains("no record"));
    let mut bytes = record(22, 0xfefd, 0, 0, &whole(14, 3, &[]));
    bytes.extend([0; 3]);
    assert_eq!(all(&bytes)[0].trailing, 3, "a handshake message speaks for itself");
    let short = &record(23, 0xfefd, 1, 0, &[0xaa; 40])[..30];
    assert!(all(short).is_empty());
    assert!(known(short, None)[0].problem().unwrap().what.contains("runs past the datagram"));
    assert_eq!(known(short, None)[0].problem().unwrap().offset, 11);
}

#[test]
fn what_the_capture_cut_off_is_no_fault() {
    let mut bytes = record(22, 0xfefd, 0, 0, &whole(11, 1, &[5; 400]));
    bytes.extend(record(22, 0xfefd, 0, 1, &whole(14, 2, &[])));
    for cut in 25..bytes.len() {
        let records: Vec<_> = Records::recognise(&bytes[..cut], true).unwrap_or_else(|| panic!("{cut}")).collect();
        let first = records[0];
        assert_eq!(first.truncated, cut < 13 + 412, "{cut}");
        assert_eq!(first.problem(), None, "{cut}");
        let part = first.fragments().next().unwrap();
        assert_eq!((part.declared, part.data.len().min(400)), (400, part.data.len()));
        assert_eq!(part.truncated, first.truncated);
    }
}

#[test]
fn a_cut_at_any_byte_is_read_without_harm_and_recognised_only_where_it_can_be() {
    let mut bytes = record(22, 0xfefd, 0, 0, &[whole(2, 0, &[7; 40]), whole(14, 1, &[])].concat());
    bytes.extend(record(20, 0xfefd, 0, 1, &[1]));
    bytes.extend(record(22, 0xfefd, 1, 0, &[0xaa; 40]));
    bytes.extend([0x2e, 0, 0, 0, 20]);
    bytes.extend([0xbb; 20]);
    for cut in 0..=bytes.len() {
        for truncated in [false, true] {
            for id in [None, Some(0), Some(8), Some(255)] {
                for record in Records::on_dtls_flow(&bytes[..cut], truncated, id).into_iter().flatten() {
                    let _ = (record.problem(), record.alert(), record.fragments().count());
                    assert!(record.offset + record.header + record.payload.len() + record.trailing <= cut);
                }
            }
        }
        if cut > 0 && Records::recognise(&bytes[..cut], false).is_some() {
            assert!(cut >= 13 + 64, "{cut} bytes hold no whole first record");
        }
    }
}

#[test]
fn connection_ids_of_dtls_1_2_are_found_with_and_without_knowing_their_length() {
    let mut bytes = vec![25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 7];
    bytes.extend([1, 2, 3, 4, 5, 6]);
    bytes.extend([0, 24]);
    bytes.extend([0xcc; 24]);
    for records in [all(&bytes), known(&bytes, None), known(&bytes, Some(6))] {
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].form, records[0].content_type), (Form::ConnectionId, ContentType::TLS12_CID));
        assert_eq!((records[0].connection_id, records[0].length), (&[1, 2, 3, 4, 5, 6][..], 24));
        assert_eq!((records[0].epoch, records[0].sequence), (1, Some(7)));
    }
    let odd = &bytes[..bytes.len() - 1];
    assert!(all(odd).is_empty());
    assert_eq!(known(odd, None)[0].connection_id, [0; 0], "nothing fits: the id is not told from the contents");
    assert!(Records::recognise(odd, true).is_none(), "cut short, every length fits");
}

#[test]
fn unified_headers_are_read_by_their_bits_on_a_flow_that_is_dtls() {
    let body = [0xdd; 20];
    for (bits, between, length) in [
        (0x2c | 2, &[0, 5, 0, 20][..], 20), // S, L
        (0x24 | 3, &[5, 0, 20], 20),        // L
        (0x28 | 2, &[0, 5], 20),            // S
        (0x20, &[5], 20),                   // neither
    ] {
        let bytes = [&[bits][..], between, &body].concat();
        assert!(all(&bytes).is_empty(), "nothing in it says that it is DTLS");
        let records = known(&bytes, None);
        assert_eq!(records.len(), 1, "{bits:02x}");
        let record = records[0];
        assert_eq!((record.form, record.version, record.sequence), (Form::Unified, Version::DTLS_1_3, None));
        assert_eq!((record.epoch, record.length, record.header), (u16::from(bits & 3), length, 1 + between.len()));
        assert_eq!(record.content_type, ContentType::CIPHERTEXT);
    }
    let with_id = [&[0x3e][..], &[9, 9, 9, 9], &[0, 5, 0, 20], &body].concat();
    assert_eq!(known(&with_id, Some(4))[0].connection_id, [9; 4]);
    assert_eq!(known(&with_id, Some(4))[0].length, 20);
    assert_eq!(known(&with_id, None)[0].connection_id, [0; 0], "its length is not known");
    let lies = [&[0x2e][..], &[0, 5, 0, 99], &body].concat();
    assert!(known(&lies, None).is_empty());
    assert!(known(&[0x2a, 0, 1, 2], None).is_empty(), "shorter than any ciphertext");
}

#[test]
fn a_server_hello_of_1_3_is_followed_by_hidden_records_in_the_same_datagram() {
    let mut bytes = record(22, 0xfefd, 0, 0, &whole(2, 0, &[7; 60]));
    for _ in 0..2 {
        bytes.extend([0x2e, 0, 1, 0, 30]);
        bytes.extend([0xee; 30]);
    }
    let forms: Vec<Form> = all(&bytes).iter().map(|record| record.form).collect();
    assert_eq!(forms, [Form::Plain, Form::Unified, Form::Unified]);
}

#[test]
fn improper_fragments_are_told_with_their_place() {
    let cases = [
        (fragment(11, 10, 0, 8, &[0; 4]), 13 + 6, "past the end of its message"),
        ([whole(14, 0, &[]), vec![1, 2, 3]].concat(), 13 + 12, "too few bytes"),
        (fragment(11, 400, 0, 0, &[0; 100])[..50].to_vec(), 13 + 9, "runs past its record"),
    ];
    for (payload, offset, what) in cases {
        let bytes = record(22, 0xfefd, 0, 0, &payload);
        let problem = known(&bytes, None)[0].problem().unwrap();
        assert!(problem.what.contains(what), "{problem}");
        assert_eq!(problem.offset, offset, "{problem}");
    }
}

/// Small generator with a fixed seed, so that the share below is the same in every run (xorshift).
fn random(state: &mut u64) -> u8 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 32) as u8
}

#[test]
fn random_payload_is_next_to_never_dtls_even_with_the_right_first_bytes() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut found = 0;
    for round in 0..200_000 {
        let length = 13 + usize::from(random(&mut state)) * 5;
        let mut bytes: Vec<u8> = (0..length).map(|_| random(&mut state)).collect();
        assert!(Records::recognise(&bytes, false).is_none(), "{bytes:02x?}");
        // Bytes that begin like a record are 1 in 700,000 of random ones; of these again few may pass.
        bytes[0] = 20 + (round % 8) as u8;
        (bytes[1], bytes[2]) = (0xfe, if round % 2 == 0 { 0xfd } else { 0xff });
        found += usize::from(Records::recognise(&bytes, false).is_some());
    }
    assert!(found <= 20, "{found} of 200000");
}

proptest! {
    #[test]
    fn rtp_quic_and_channel_data_are_never_dtls(first in 64u8.., rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = [&[first][..], &rest].concat();
        prop_assert!(!matches!(demux::kind(&bytes), Kind::Dtls | Kind::DtlsUnified));
        prop_assert!(Records::recognise(&bytes, false).is_none());
        prop_assert!(Records::recognise(&bytes, true).is_none());
        prop_assert!(Records::on_dtls_flow(&bytes, false, None).is_none());
    }

    #[test]
    fn what_is_recognised_is_what_demux_points_to_and_accounts_for_the_datagram(
        kind in 18u8..70, version in prop::sample::select(vec![0xfefdu16, 0xfeff, 0x0100]), epoch in 0u16..3,
        payload in prop::collection::vec(any::<u8>(), 0..80), lie in -2i32..3,
    ) {
        let mut bytes = record(kind, version, epoch, 1, &payload);
        let length = u16::try_from((i32::try_from(payload.len()).unwrap() + lie).max(0)).unwrap();
        bytes[11..13].copy_from_slice(&length.to_be_bytes());
        if let Some(records) = Records::recognise(&bytes, false) {
            prop_assert_eq!(demux::kind(&bytes), Kind::Dtls);
            let records: Vec<_> = records.collect();
            let sum: usize = records.iter().map(|record| record.header + record.payload.len() + record.trailing).sum();
            prop_assert_eq!(sum, bytes.len());
            prop_assert!(records[0].payload.len() == records[0].length);
        }
    }

    #[test]
    fn any_bytes_are_walked_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..400), id in any::<Option<u8>>()) {
        for truncated in [false, true] {
            let mut end = 0;
            for record in Records::on_dtls_flow(&bytes, truncated, id).into_iter().flatten() {
                prop_assert!(record.offset >= end);
                end = record.offset + record.header + record.payload.len();
                prop_assert!(end <= bytes.len());
                let _ = (record.problem(), record.alert(), record.fragments().count());
            }
        }
    }
}
