//! TCP connections to the messages in them: per-flow state between segments and `wire`.
//!
//! ```text
//! Segment ─▶ passed over by its first bytes ── most of a real capture ends here, after a few loads
//!      └──▶ connection ─▶ direction: bytes in order, holes, repeats ─▶ framing ─▶ Payload
//! ```
//!
//! Only connections that begin with STUN or TLS, on whatever port, are put together; of the others it is known at most that they were opened. TLS is
//! let go as soon as its handshake is over, unless somebody wants to follow it, or has the keys and finds STUN in it: then that goes on as though it
//! had been in the clear. Keys are those of [`Streams::keys`].
//! What cannot be put together is a gap, and is said; nothing is guessed.

mod connection;
mod connections;
mod direction;
mod dns;
mod dtls;
mod early;
mod entry;
mod framing;
mod head;
mod item;
mod limits;
mod proxy;
mod sieve;
mod socks;
mod table;
mod tls;

pub use connection::Connection;
pub use dns::DnsSegments;
pub use dtls::Associations;
pub use framing::{Frame, Framer, Framing};
pub use item::{Counts, Item, Payload};
pub use limits::Limits;
pub use proxy::{Header, Proxied, Reply};
pub use table::Streams;
pub use tls::{Sealed, Secured, What};

use crate::frame::Seen;
use crate::keys::Hello;
use crate::net::Endpoint;
use crate::packet::{Segment, TcpFlags};
use crate::time::Timestamp;
use crate::wire::handshake::{ExtensionType, ServerHello};

/// What keys need of a ServerHello; `offered` says whether the client offered to encrypt before the MAC (RFC 7366).
pub(crate) fn agreed(hello: &ServerHello<'_>, offered: bool) -> Hello {
    Hello {
        version: hello.negotiated().0,
        random: *hello.random,
        suite: hello.cipher_suite.0,
        encrypt_then_mac: offered && hello.extensions.find(ExtensionType::ENCRYPT_THEN_MAC).is_some(),
    }
}

/// Reads segments made of arbitrary bytes and gives how many messages they held. For fuzzing: the first byte chooses the limits; then come segments
/// of one connection, each behind flags and direction, steps of sequence number and time, bytes that were cut off, and its length.
///
/// # Panics
/// Where a bound does not hold.
#[doc(hidden)]
#[must_use]
pub fn exercise(bytes: &[u8]) -> u64 {
    let Some((&mode, mut rest)) = bytes.split_first() else { return 0 };
    let small = Limits { connections: 2, held: 512, segments: 8, total: 2048 };
    let limits = if mode & 1 == 0 { Limits::default() } else { small };
    let (client, server) = (Endpoint::v4([10, 0, 0, 2], 50_000), Endpoint::v4([192, 0, 2, 1], 3478));
    let mut streams = Streams::new(limits);
    let (mut seq, mut now, mut frame, mut found) = ([0u32; 2], 0i64, 0u64, 0u64);
    let mut each = |item: Item<'_>| {
        if let Item::Payload(payload) = item {
            assert!(!payload.message.bytes.is_empty(), "an empty message is none");
            found += 1;
        }
    };
    while let Some((&[flags, step, later, cut, long, short], data)) = rest.split_first_chunk::<6>() {
        let payload = data.get(..usize::from(u16::from_be_bytes([long & 0x0f, short]))).unwrap_or(data);
        rest = data.get(payload.len()..).unwrap_or_default();
        frame += 1;
        now = now.saturating_add(i64::from(later) * 50_000_000);
        let side = usize::from(flags >> 7);
        let [own, other] = if side == 0 { seq } else { [seq[1], seq[0]] };
        let at = own.wrapping_add_signed(i32::from(step.cast_signed()) * 16);
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_add(u32::from(cut & 0x0f) * 40);
        let (src, dst) = if side == 0 { (client, server) } else { (server, client) };
        let segment = Segment {
            src,
            dst: if flags & 0x40 == 0 { dst } else { dst.with_port(443) },
            seq: at,
            ack: other,
            flags: TcpFlags(flags & 0x3f),
            payload,
            length,
            truncated: cut & 0x0f > 0,
            ttl: 64,
            ..Segment::default()
        };
        let seen = Seen { frame, time: Timestamp(now) };
        streams.advance(seen, &mut each);
        streams.segment(seen, &segment, &mut each);
        if let Some(seq) = seq.get_mut(side) {
            *seq = at.wrapping_add(length).wrapping_add(u32::from(flags & 2 > 0));
        }
        let (connections, held) = streams.size();
        assert!(connections <= limits.connections && held <= limits.total + (256 << 10), "{held} bytes wait");
    }
    streams.finish(&mut each);
    assert_eq!(streams.size(), (0, 0), "nothing stays");
    found
}
