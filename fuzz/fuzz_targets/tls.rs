#![no_main]
//! Any bytes as what client and server say over TCP, in pieces, each behind a byte of how it comes and its length in two bytes: records, messages put
//! together, bodies, and the stream inside, as far as the key logs of the samples open it.

use libfuzzer_sys::fuzz_target;
use turnscope::frame::Seen;
use turnscope::net::Endpoint;
use turnscope::packet::{Segment, TcpFlags};
use turnscope::stream::{Item, Limits, Streams, What};
use turnscope::time::Timestamp;
use turnscope::wire::handshake::{CipherSuite, Message, Protocol, Version};
use turnscope::wire::tls::Assembler;

/// The key logs of the samples that the seeds are made from, so that what they protect is reached.
const KEYS: [&[u8]; 2] =
    [include_bytes!("../../samples/tls-success/keylog.txt"), include_bytes!("../../samples/tls13-success/keylog.txt")];

fuzz_target!(|bytes: &[u8]| {
    let Some((&mode, mut rest)) = bytes.split_first() else { return };
    let small = Limits { connections: 2, held: 4096, segments: 8, total: 8192 };
    let limits = if mode & 1 == 0 { Limits::default() } else { small };
    let ends =
        [Endpoint::v4([10, 0, 0, 2], 50_000), Endpoint::v4([192, 0, 2, 1], if mode & 2 == 0 { 443 } else { 5349 })];
    let mut streams = Streams::new(limits);
    for log in KEYS {
        let _ = streams.keys().add(log);
    }
    let mut each = |item: Item<'_>| match item {
        Item::Secured(secured) => {
            secured.follow.set(mode & 4 != 0);
            match secured.what {
                What::Message { kind, body, opened, .. } => read(kind, body, opened),
                What::Record(sealed) => {
                    let record = sealed.record;
                    assert!(record.payload.len() <= record.length);
                    let _ = (record.problem(!sealed.protected), format!("{sealed:?}"));
                    assert!(sealed.opened.is_none() || sealed.protected);
                }
            }
        }
        Item::Payload(payload) => assert!(!payload.message.bytes.is_empty()),
        Item::Connection(_) | Item::Proxied(_) => {}
    };
    let (mut seq, mut frame) = ([100_u32; 2], 0_u64);
    if mode & 8 == 0 {
        for side in 0..2 {
            frame += 1;
            let flags = TcpFlags(if side == 0 { 2 } else { 18 });
            streams.segment(Seen { frame, time: Timestamp(0) }, &segment(ends, side, 99, flags, &[], 0), &mut each);
        }
    }
    while let Some((&[how, long, short], after)) = rest.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([long & 0x3f, short])).min(after.len());
        let (payload, after) = after.split_at(length);
        rest = after;
        frame += 1;
        let side = usize::from(how & 1);
        // bytes that are missing before it, and behind it
        let at = seq[side].wrapping_add(u32::from(how >> 6) * 7);
        let cut = u32::from(how >> 4 & 3) * 5;
        let flags = TcpFlags(if how & 8 != 0 { 17 } else { 16 });
        let seen = Seen { frame, time: Timestamp(frame as i64 * 20_000_000) };
        streams.advance(seen, &mut each);
        streams.segment(seen, &segment(ends, side, at, flags, payload, cut), &mut each);
        seq[side] = at.wrapping_add(length as u32 + cut);
        let (connections, held) = streams.size();
        assert!(connections <= limits.connections && held <= limits.total + (512 << 10), "{held} bytes wait");
    }
    streams.finish(&mut each);
    assert_eq!(streams.size(), (0, 0));
    let mut assembler = Assembler::default();
    for part in bytes.chunks(usize::from(mode) + 1) {
        assembler.push(part, &mut |message| assert!(message.body.len() <= Assembler::MAX_MESSAGE));
        assert!(assembler.held() <= 4 * Assembler::MAX_MESSAGE);
    }
});

fn segment(ends: [Endpoint; 2], side: usize, seq: u32, flags: TcpFlags, payload: &[u8], cut: u32) -> Segment<'_> {
    Segment {
        src: ends[side],
        dst: ends[1 - side],
        seq,
        ack: 0,
        flags,
        window: 0,
        payload,
        length: payload.len() as u32 + cut,
        truncated: cut > 0,
        ip_id: 0,
        ttl: 64,
    }
}

fn read(kind: turnscope::wire::handshake::HandshakeType, body: &[u8], opened: bool) {
    let versions = [Version::TLS_1_0, Version::TLS_1_2, Version::TLS_1_3];
    for version in versions.into_iter().filter(|version| opened || *version != Version::TLS_1_3) {
        let Ok(message) = Message::parse(kind, body, Protocol::Tls, Some((version, CipherSuite(0xc02b)))) else {
            continue;
        };
        let _ = format!("{message:?}");
        if let Message::Certificate(chain) = message {
            assert!(chain.count() <= body.len());
        }
    }
}
