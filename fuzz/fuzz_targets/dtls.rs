#![no_main]
//! Any bytes as datagrams, each after its length in two bytes: records, fragments, reassembly, bodies, certificates. The first byte of all
//! chooses whether captures are cut and how long connection ids are.

use libfuzzer_sys::fuzz_target;
use turnscope::time::{Span, Timestamp};
use turnscope::wire::dtls::{Arrival, Limits, Pushed, Reassembler, Records};
use turnscope::wire::handshake::certificate::{Fingerprint, Summary};
use turnscope::wire::handshake::{CipherSuite, Message, Protocol, Version};

fuzz_target!(|bytes: &[u8]| {
    let Some((&mode, mut rest)) = bytes.split_first() else { return };
    let (truncated, id) = (mode & 1 != 0, (mode & 2 != 0).then_some(mode >> 2));
    let limits = Limits { messages: 8, message_bytes: 4096, bytes: 8192, parts: 16, age: Span::from_secs(5) };
    let mut reassembler = Reassembler::new(limits);
    let mut frame = 0_u32;
    while let Some((&length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(length)).min(after.len());
        let (datagram, after) = after.split_at(length);
        rest = after;
        frame += 1;
        if let Some(records) = Records::recognise(datagram, truncated) {
            assert!(records.count() > 0);
        }
        for record in Records::on_dtls_flow(datagram, truncated, id).into_iter().flatten() {
            let _ = (record.problem(), record.alert());
            let time = Timestamp(i64::from(frame) * 1_000_000_000);
            for fragment in record.fragments() {
                let _ = (fragment.name(), fragment.problem(), fragment.is_whole());
                let arrival = Arrival { frame: frame.into(), time, record: record.number(), datagram: length as u32 };
                if let Pushed::Complete(message) = reassembler.push(&fragment, arrival) {
                    let body = message.body().expect("a complete message has a body");
                    assert_eq!(body.len(), message.length as usize);
                    assert_eq!(message.missing().count(), 0);
                    read(message.kind, body);
                }
            }
        }
        let held: usize = reassembler.messages().filter_map(|message| message.body()).map(<[u8]>::len).sum();
        assert!(held <= 8192 && reassembler.messages().len() <= 8);
    }
});

fn read(kind: turnscope::wire::handshake::HandshakeType, body: &[u8]) {
    let suites = [0xc02b, 0xc02f, 0x009e, 0x002f, 0x00a8, 0xd001, 0x1301, 0xffff].map(CipherSuite);
    let chosen = suites
        .into_iter()
        .flat_map(|suite| [Version::DTLS_1_0, Version::DTLS_1_2].map(|version| Some((version, suite))));
    for chosen in chosen.chain([None]) {
        for protocol in [Protocol::Dtls, Protocol::Tls] {
            let Ok(message) = Message::parse(kind, body, protocol, chosen) else { continue };
            let _ = format!("{message:?}");
            let extensions = match message {
                Message::ClientHello(hello) => Some(hello.extensions),
                Message::ServerHello(hello) => Some(hello.extensions),
                Message::Certificate(chain) => {
                    for der in chain {
                        let _ = (Fingerprint::of(der), Summary::of(der).map(|summary| summary.key.to_string()));
                    }
                    None
                }
                _ => None,
            };
            for extension in extensions.into_iter().flatten() {
                let _ = extension.decode().map(|value| format!("{value:?}"));
            }
        }
    }
}
