//! TLS and DTLS opened with keys as this program and tshark open them, a message at a time: the same STUN, and over TLS the same ChannelData, completed by
//! the same frames.
//!
//! Runs over the matrix in `keys/` and over the samples with keys, where tshark is installed; `TURNSCOPE_REQUIRE_TSHARK=1` makes it fail elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use support::oracle::{fields, has_tshark};
use turnscope::analyzer::{Analyzer, Options};
use turnscope::capture::Capture;
use turnscope::event::Body;
use turnscope::net::Transport;

/// Frame and first bytes of each message of a connection, which its ports tell, in the order of the capture.
type Messages = BTreeMap<[u16; 2], Vec<(u64, Vec<u8>)>>;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// Captures, each with the key log beside it, if it does not hold the keys itself.
fn captures() -> Vec<(PathBuf, Option<PathBuf>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![];
    for name in ["tls", "dtls"] {
        let matrix = root.join("tests/keys");
        found.push((matrix.join(format!("{name}.pcap")), Some(matrix.join(format!("{name}.keylog")))));
    }
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root.join("samples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let (capture, keys) = (folder.join("capture.pcapng"), folder.join("keylog.txt"));
        if keys.exists() {
            found.push((capture, Some(keys)));
        } else if folder.ends_with("tls-embedded-keys") {
            found.push((capture, None));
        }
    }
    assert!(found.len() >= 6, "the matrix and the samples are there");
    found
}

/// The first bytes of a message and all of its length, at the start of a stream.
fn message(stream: &[u8]) -> Option<(Vec<u8>, usize)> {
    let &[kind, _, high, low, ..] = stream else { return None };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let (head, whole) = if kind < 0x40 { (20, 20 + length) } else { (4, (4 + length).next_multiple_of(4)) };
    (stream.len() >= whole).then(|| (stream[..head].to_vec(), whole))
}

/// What tshark's plain text of each connection and direction holds.
fn theirs(path: &Path, keys: Option<&Path>) -> Messages {
    let log = keys.map(|keys| format!("tls.keylog_file:{}", keys.display()));
    // data inside DTLS is not to be taken for anything by its looks
    let mut shown = vec!["-n", "--disable-heuristic", "stun_udp", "--disable-heuristic", "stun_tcp"];
    shown.extend(["-Y", "(tls.app_data || dtls.app_data) && !icmp && !icmpv6"]);
    shown.extend(["-E", "occurrence=a", "-E", "aggregator=,"]);
    shown.extend(log.iter().flat_map(|log| ["-o", log]));
    let wanted = ["frame.number", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "data.data"];
    let rows = fields(path, &shown, &wanted).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (mut all, mut streams) = (Messages::new(), BTreeMap::<[u16; 2], Vec<u8>>::new());
    for columns in &rows {
        let [frame, tcp_src, tcp_dst, udp_src, udp_dst, data] = &columns[..] else { panic!("{columns:?}") };
        let port = |text: &String| text.parse::<u16>().unwrap();
        let ports = if tcp_src.is_empty() { [udp_src, udp_dst].map(port) } else { [tcp_src, tcp_dst].map(port) };
        let found = |found: &mut Messages, head: Vec<u8>| {
            let mut connection = ports;
            connection.sort_unstable();
            found.entry(connection).or_default().push((frame.parse().unwrap(), head));
        };
        for data in data.split(',').filter(|data| !data.is_empty()) {
            let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
            let bytes: Vec<u8> = data.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
            if tcp_src.is_empty() {
                // a datagram of its own; of ChannelData tshark shows what is in it, and what peers say inside a call is none
                if ports.contains(&5349) && bytes.get(4..8) == Some(&COOKIE) {
                    found(&mut all, bytes[..20].to_vec());
                }
                continue;
            }
            let stream = streams.entry(ports).or_default();
            stream.extend(bytes);
            while let Some((head, length)) = message(stream) {
                stream.drain(..length);
                found(&mut all, head);
            }
        }
    }
    all
}

fn ours(path: &Path, keys: Option<&Path>) -> Messages {
    let mut capture = Capture::open(File::open(path).unwrap()).unwrap();
    let mut options = Options::default();
    if let Some(keys) = keys {
        options.keys.add(&fs::read(keys).unwrap());
    }
    let mut analyzer = Analyzer::new(options);
    let mut found = Messages::new();
    while let Some((frame, secrets)) = capture.next_with_secrets() {
        analyzer.secrets(secrets);
        analyzer.frame(&frame, &mut |row| {
            let event = row.event;
            if !event.hops.is_empty() || !matches!(event.transport, Transport::Tls | Transport::Dtls) {
                return;
            }
            let head = match event.body {
                Body::Stun(message) => message.bytes()[..20].to_vec(),
                Body::ChannelData(data) if event.transport == Transport::Tls => {
                    [data.channel.to_be_bytes(), data.length.to_be_bytes()].concat()
                }
                _ => return,
            };
            let mut connection = [event.src.port(), event.dst.port()];
            connection.sort_unstable();
            found.entry(connection).or_default().push((event.frame, head));
        });
    }
    found
}

#[test]
fn what_keys_open_is_what_tshark_opens_with_them() {
    if !has_tshark() {
        return;
    }
    let mut compared = 0;
    for (path, keys) in captures() {
        let theirs = theirs(&path, keys.as_deref());
        let ours = ours(&path, keys.as_deref());
        for (connection, theirs) in &theirs {
            // tshark 4.0 does not follow a renegotiation of DTLS
            let renegotiates = path.ends_with("dtls.pcap") && (40180..=40200).contains(&connection[1]);
            let ours = &ours[connection][..];
            let ours = if renegotiates { &ours[..theirs.len()] } else { ours };
            assert_eq!(ours, theirs, "{connection:?} of {}: ours on the left", path.display());
            compared += theirs.len();
        }
        // nor does it open DTLS under ChaCha20-Poly1305
        let only_ours: Vec<_> = ours.keys().filter(|connection| !theirs.contains_key(*connection)).collect();
        eprintln!("{}: {} connections compared, {only_ours:?} not opened by tshark", path.display(), theirs.len());
        assert!(only_ours.len() * 4 <= ours.len(), "tshark opens most: {only_ours:?}");
    }
    eprintln!("{compared} messages compared");
    assert!(compared > 400, "{compared}");
}
