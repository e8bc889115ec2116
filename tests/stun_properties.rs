//! What holds of any bytes: no panic, no message where there is none, and what was built is what is read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use turnscope::net::Endpoint;
use turnscope::wire::demux;
use turnscope::wire::stun::{Attribute, Message, Method, TransactionId};
use turnscope::wire::turn::ChannelData;

/// Reads everything of a message that can be read.
fn read(message: &Message<'_>) {
    let _ = message.fields();
    let _ = message.fingerprint();
    let _ = message.peers().count();
    assert_eq!(message.problems().is_empty(), message.is_proper());
    let _ = format!("{message:?} {} {} {}", message.method(), message.class(), message.transaction_id());
    for attribute in message.attributes() {
        let value = attribute.decode(message);
        let _ = format!("{attribute:?} {:?}", attribute.name(message));
        let shown = value.to_string();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        let json = serde_json::to_string(&value).unwrap();
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
    }
}

fn build(message_type: u16, id: [u8; 16], attributes: &[(u16, Vec<u8>)], padding: u8) -> Vec<u8> {
    let mut message = message_type.to_be_bytes().to_vec();
    message.extend([0, 0]);
    message.extend(id);
    for (code, value) in attributes {
        message.extend(code.to_be_bytes());
        message.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        message.extend(value);
        message.resize(message.len().next_multiple_of(4), padding);
    }
    let length = u16::try_from(message.len() - 20).unwrap();
    message[2..4].copy_from_slice(&length.to_be_bytes());
    message
}

fn modern(id: [u8; 12]) -> [u8; 16] {
    let mut bytes = [0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes[4..].copy_from_slice(&id);
    bytes
}

fn xored(address: Endpoint, id: [u8; 16]) -> Vec<u8> {
    let mut value = vec![0, if address.is_v6() { 2 } else { 1 }];
    value.extend((address.port() ^ u16::from_be_bytes([id[0], id[1]])).to_be_bytes());
    match address.ip() {
        std::net::IpAddr::V4(ip) => value.extend(ip.octets().iter().zip(id).map(|(byte, key)| byte ^ key)),
        std::net::IpAddr::V6(ip) => value.extend(ip.octets().iter().zip(id).map(|(byte, key)| byte ^ key)),
    }
    value
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| Endpoint::v4(ip, port)),
        (any::<[u8; 16]>(), any::<u16>()).prop_map(|(ip, port)| Endpoint::v6(ip, port)),
    ]
}

fn known_code() -> impl Strategy<Value = u16> {
    let table = turnscope::wire::stun::registry::ATTRIBUTES;
    prop_oneof![(0..table.len()).prop_map(move |index| table[index].code.0), any::<u16>()]
}

fn attributes() -> impl Strategy<Value = Vec<(u16, Vec<u8>)>> {
    prop::collection::vec((known_code(), prop::collection::vec(any::<u8>(), 0..40)), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic_and_are_no_message(
        bytes in prop::collection::vec(any::<u8>(), 0..200), truncated in any::<bool>()
    ) {
        let _ = demux::kind(&bytes);
        let _ = ChannelData::parse(&bytes, truncated);
        prop_assert!(Message::recognise(&bytes, truncated).is_none());
        if let Some(message) = Message::recognise_on_stun_flow(&bytes, truncated) {
            read(&message);
        }
    }

    #[test]
    fn media_and_handshakes_are_no_messages(first in 20u8.., rest in prop::collection::vec(any::<u8>(), 20..1200)) {
        let mut bytes = vec![first];
        bytes.extend(rest);
        prop_assert!(first == 0xff || Message::recognise(&bytes, false).is_none());
        prop_assert!(Message::recognise(&bytes, true).is_none());
    }

    #[test]
    fn zeros_and_counters_of_other_protocols_are_no_messages(
        start in any::<[u8; 8]>(), fill in any::<u8>(), length in 8usize..600, truncated in any::<bool>()
    ) {
        let mut bytes = start.to_vec();
        bytes.resize(length, if fill < 128 { 0 } else { fill });
        bytes[0] &= 3;
        // A length that fits, as a block counter may by chance.
        let fitting = u16::try_from(length.saturating_sub(20)).unwrap().to_be_bytes();
        bytes[2..4].copy_from_slice(&fitting);
        if bytes[4..] != start[4..] || start[4..] != [0x21, 0x12, 0xa4, 0x42] {
            let message = Message::recognise(&bytes, truncated);
            prop_assert!(message.is_none(), "{message:?}");
        }
    }

    #[test]
    fn what_was_built_is_what_is_read(
        kind in 0..0x4000u16, id in any::<[u8; 12]>(), attributes in attributes(), padding in any::<u8>()
    ) {
        let bytes = build(kind, modern(id), &attributes, padding);
        let message = Message::recognise(&bytes, false).unwrap();
        read(&message);
        prop_assert_eq!(message.bytes(), &bytes[..]);
        prop_assert_eq!(message.transaction_id(), TransactionId::from_header(modern(id)));
        if message.is_aligned() {
            prop_assert_eq!(message.message_type(), kind);
            let read: Vec<(u16, Vec<u8>)> =
                message.attributes().map(|attribute| (attribute.code.0, attribute.value.to_vec())).collect();
            prop_assert_eq!(read, attributes);
        }
    }

    #[test]
    fn damaged_messages_never_panic(
        kind in 0..0x4000u16, id in any::<[u8; 12]>(), attributes in attributes(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        end in any::<prop::sample::Index>(), truncated in any::<bool>()
    ) {
        let mut bytes = build(kind, modern(id), &attributes, 0);
        for (at, to) in flips {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        bytes.truncate(end.index(bytes.len() + 1));
        if let Some(message) = Message::recognise_on_stun_flow(&bytes, truncated) {
            read(&message);
        }
        if let Some(message) = Message::recognise(&bytes, truncated) {
            read(&message);
        }
    }

    #[test]
    fn messages_without_cookie_never_panic(
        kind in prop::sample::select(vec![1u16, 2, 3, 4, 6, 0x101, 0x103, 0x111, 0x115, 0x116]),
        id in any::<[u8; 16]>(), attributes in attributes(), magic in any::<bool>(), end in any::<prop::sample::Index>()
    ) {
        let mut attributes = attributes;
        if magic {
            attributes.insert(0, (0x000f, vec![0x72, 0xc6, 0x4b, 0xc6]));
        }
        let bytes = build(kind, id, &attributes, 0);
        for (bytes, truncated) in [(&bytes[..], false), (&bytes[..end.index(bytes.len() + 1)], true)] {
            if let Some(message) = Message::recognise_on_stun_flow(bytes, truncated) {
                read(&message);
            }
        }
    }

    #[test]
    fn addresses_come_back_as_they_were_put_in(
        id in any::<[u8; 12]>(), mapped in endpoint(), relayed in endpoint(), peer in endpoint(), lifetime in any::<u32>()
    ) {
        let id = modern(id);
        let attributes = [
            (0x0020, xored(mapped, id)),
            (0x0016, xored(relayed, id)),
            (0x0012, xored(peer, id)),
            (0x000d, lifetime.to_be_bytes().to_vec()),
        ];
        let bytes = build(0x0103, id, &attributes, 0);
        let message = Message::recognise(&bytes, false).unwrap();
        let fields = message.fields();
        prop_assert_eq!((fields.xor_mapped, fields.relayed[0], fields.peer), (Some(mapped), Some(relayed), Some(peer)));
        prop_assert_eq!(fields.lifetime, Some(lifetime));
        let decoded: Vec<String> =
            message.attributes().map(|attribute: Attribute<'_>| attribute.decode(&message).to_string()).collect();
        prop_assert_eq!(&decoded[..3], &[mapped.to_string(), relayed.to_string(), peer.to_string()][..]);
        prop_assert_eq!(message.method(), Method::ALLOCATE);
    }

    #[test]
    fn channel_data_comes_back_as_it_was_put_in(
        channel in 0x4000u16..0x8000, data in prop::collection::vec(any::<u8>(), 0..100), padded in any::<bool>()
    ) {
        let mut bytes = channel.to_be_bytes().to_vec();
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend(&data);
        if padded {
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let read = ChannelData::parse(&bytes, false).unwrap();
        prop_assert_eq!((read.channel, read.data, read.truncated), (channel, &data[..], false));
        prop_assert_eq!(demux::kind(&bytes), demux::Kind::Channel);
        for end in 4..4 + data.len() {
            prop_assert!(ChannelData::parse(&bytes[..end], false).is_none());
            prop_assert!(ChannelData::parse(&bytes[..end], true).is_some_and(|cut| cut.truncated));
        }
    }
}
