//! Archives made here, byte by byte.

use super::*;
use crate::cli::archive::Stream;

/// An entry as POSIX has it.
fn entry(name: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    let mut header = [0; BLOCK];
    header[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
    header[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    sum(&mut header);
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn sum(header: &mut [u8; BLOCK]) {
    header[148..156].fill(b' ');
    let sum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// Names and bytes of all files, and the error at the end.
fn all(bytes: &[u8]) -> (Vec<(String, Vec<u8>)>, Option<String>) {
    let mut tar = Tar::new(Stream(bytes));
    let mut found = Vec::new();
    loop {
        match tar.next_file() {
            Ok(Some(entry)) => {
                let mut data = Vec::new();
                if let Err(error) = tar.data().read_to_end(&mut data) {
                    return (found, Some(error.to_string()));
                }
                assert!(entry.unreadable.is_some() || bytes[entry.offset as usize..].starts_with(&data));
                found.push((entry.name, data));
            }
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error.to_string())),
        }
    }
}

#[test]
fn files_are_told_with_their_bytes_and_nothing_else_is() {
    let mut bytes = entry(b"folder/", b'5', b"");
    bytes.extend(entry(b"folder/a.pcap", b'0', b"one"));
    bytes.extend(entry(b"link", b'2', b""));
    bytes.extend(entry(b"b.pcap", 0, &[7; 1024]));
    bytes.extend([0; 2 * BLOCK]);
    bytes.extend(b"what stands behind the end is not looked at");
    let (files, error) = all(&bytes);
    assert_eq!(error, None);
    assert_eq!(files, [("folder/a.pcap".to_owned(), b"one".to_vec()), ("b.pcap".to_owned(), vec![7; 1024])]);
    assert!(is_one(&bytes));
}

#[test]
fn long_names_of_gnu_and_pax_are_read() {
    let long = "x/".repeat(100) + "a.pcap";
    let mut bytes = entry(b"././@LongLink", b'L', format!("{long}\0").as_bytes());
    bytes.extend(entry(&long.as_bytes()[..100], b'0', b"one"));
    let record = format!("{} path={long}\n", long.len() + 10);
    assert_eq!(record.len(), long.len() + 10);
    bytes.extend(entry(b"pax", b'x', record.as_bytes()));
    bytes.extend(entry(b"short", b'0', b"two"));
    bytes.extend(entry(b"after", b'0', b""));
    let (files, error) = all(&bytes);
    assert_eq!(error, None);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [&long, &long, "after"]);
}

#[test]
fn the_prefix_of_posix_belongs_to_the_name() {
    let mut header = <[u8; BLOCK]>::try_from(entry(b"a.pcap", b'0', b"")).unwrap();
    header[345..348].copy_from_slice(b"far");
    sum(&mut header);
    assert_eq!(all(&header).0, [("far/a.pcap".to_owned(), Vec::new())]);
}

#[test]
fn what_an_archive_claims_reserves_nothing() {
    // 8 EiB of name, of header, of data
    for kind in [b'L', b'x', b'0'] {
        let mut header = <[u8; BLOCK]>::try_from(entry(b"a", kind, b"")).unwrap();
        header[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        sum(&mut header);
        let (files, error) = all(&header);
        assert!(files.is_empty() && error.is_some(), "{files:?}");
    }
}

#[test]
fn a_cut_or_damaged_archive_gives_what_was_before() {
    let mut bytes = entry(b"a", b'0', b"one");
    bytes.extend(entry(b"b", b'0', &[7; 600]));
    for cut in [BLOCK + 3, 2 * BLOCK + 100, 3 * BLOCK + 99] {
        let (files, error) = all(&bytes[..cut]);
        assert!(
            files.len() <= 1 && error.is_some_and(|error| error.contains("cut short")) || cut == BLOCK + 3,
            "{cut}"
        );
    }
    bytes[2 * BLOCK] ^= 1;
    let (files, error) = all(&bytes);
    assert_eq!(files.len(), 1);
    assert!(error.unwrap().contains("checksum"));
}

#[test]
fn a_sparse_file_is_not_taken_for_its_bytes() {
    let bytes = entry(b"a", b'S', b"one");
    assert!(Tar::new(Stream(&bytes[..])).next_file().unwrap().unwrap().unreadable.is_some());
}

#[test]
fn other_bytes_are_no_tar() {
    assert!(!is_one(&[0; BLOCK]));
    assert!(!is_one(&[b'a'; BLOCK]));
    assert!(!is_one(b"short"));
}
