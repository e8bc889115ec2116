#![no_main]
//! Any bytes as a datagram: read as STUN and as ChannelData, whole and cut short, on any flow and on a STUN flow.

use libfuzzer_sys::fuzz_target;
use turnscope::wire::demux;
use turnscope::wire::stun::Message;
use turnscope::wire::turn::ChannelData;

fuzz_target!(|bytes: &[u8]| {
    let _ = demux::kind(bytes);
    for truncated in [false, true] {
        let _ = ChannelData::parse(bytes, truncated);
        let messages = [Message::recognise(bytes, truncated), Message::recognise_on_stun_flow(bytes, truncated)];
        for message in messages.into_iter().flatten() {
            let _ = (message.fields(), message.fingerprint(), message.peers().count());
            assert_eq!(message.problems().is_empty(), message.is_proper());
            for attribute in message.attributes() {
                let value = attribute.decode(&message);
                assert!(!value.to_string().chars().any(char::is_control));
            }
        }
    }
});
