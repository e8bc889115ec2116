//! DNS over TCP (RFC 7766): messages behind their lengths, put together from segments that come in order.
//!
//! Apart from the streams of STUN and TLS, since it is a few small messages on one port: what comes out of order, or not at all, costs the message
//! that it belongs to.

use crate::net::Endpoint;
use crate::packet::Segment;
use crate::wire::dns::{self, PORT};
use hashbrown::HashMap;

/// How many directions of connections are followed at a time.
const MAX_FOLLOWED: usize = 128;
/// How many bytes of a message may wait for the rest of it. Answers about servers are far shorter.
const MAX_HELD: usize = 16 << 10;
/// A message's header (RFC 1035 §4.1.1).
const HEADER: usize = 12;

/// What is known of one direction.
#[derive(Debug, Default)]
struct Followed {
    /// The sequence number of the byte that comes next.
    next: u32,
    /// The beginning of a message, with its length.
    held: Vec<u8>,
}

/// Puts DNS messages together, in bounded memory.
#[derive(Debug, Default)]
pub struct DnsSegments {
    followed: HashMap<(Endpoint, Endpoint), Followed>,
}

impl DnsSegments {
    /// Whether a segment is on the port of DNS.
    #[must_use]
    #[inline]
    pub fn is_one(segment: &Segment<'_>) -> bool {
        segment.src.port() == PORT || segment.dst.port() == PORT
    }

    /// Takes a segment on the port of DNS; `each` gets the messages that it completes.
    pub fn segment(&mut self, segment: &Segment<'_>, each: &mut impl FnMut(&[u8])) {
        let key = (segment.src, segment.dst);
        if segment.flags.syn() || segment.payload.is_empty() {
            if segment.flags.syn() {
                self.followed.remove(&key);
            }
            return;
        }
        if self.followed.len() >= MAX_FOLLOWED && !self.followed.contains_key(&key) {
            // those that wait for nothing only serve to pass over what is sent again
            self.followed.retain(|_, known| !known.held.is_empty());
            if self.followed.len() >= MAX_FOLLOWED {
                self.followed.clear();
            }
        }
        let end = segment.seq.wrapping_add(segment.length);
        let (known, fresh) = match self.followed.entry(key) {
            hashbrown::hash_map::Entry::Occupied(entry) => (entry.into_mut(), false),
            hashbrown::hash_map::Entry::Vacant(entry) => (entry.insert(Followed::default()), true),
        };
        if !fresh && segment.seq != known.next {
            let again = known.next.wrapping_sub(segment.seq) < 1 << 31;
            if again {
                return;
            }
            known.held.clear(); // what is between is not in the capture
        }
        known.next = end;
        known.held.extend_from_slice(segment.payload);
        let mut at = 0;
        while let Some(rest) = known.held.get(at..).filter(|rest| !rest.is_empty()) {
            let Some((length, body)) = rest.split_first_chunk::<2>() else { break };
            let length = usize::from(u16::from_be_bytes(*length));
            let begins = body.len() < HEADER || dns::is_one(body);
            if length < HEADER || !begins {
                at = known.held.len(); // the middle of something
                break;
            }
            let Some(message) = body.get(..length) else { break };
            each(message);
            at += 2 + length;
        }
        known.held.drain(..at);
        if segment.truncated || known.held.len() > MAX_HELD {
            known.held = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::TcpFlags;

    fn question(id: u8) -> Vec<u8> {
        let mut message = vec![0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, b't', b'u', b'r', b'n', 0, 0, 1, 0, 1];
        let length = u16::try_from(message.len()).unwrap();
        message.splice(..0, length.to_be_bytes());
        message
    }

    fn ids(pieces: &[(u32, &[u8])]) -> Vec<u8> {
        let (src, dst) = (Endpoint::v4([10, 0, 0, 2], 40_000), Endpoint::v4([10, 0, 0, 1], 53));
        let mut found = Vec::new();
        let mut segments = DnsSegments::default();
        for &(seq, payload) in pieces {
            let length = u32::try_from(payload.len()).unwrap();
            let segment = Segment { src, dst, seq, flags: TcpFlags(0x18), payload, length, ..Segment::default() };
            segments.segment(&segment, &mut |message| found.push(message[1]));
        }
        found
    }

    #[test]
    fn messages_come_one_a_segment_several_in_one_or_one_in_several() {
        let (one, two) = (question(1), question(2));
        assert_eq!(ids(&[(100, &one), (124, &two)]), [1, 2]);
        assert_eq!(ids(&[(100, &[one.clone(), two.clone()].concat())]), [1, 2]);
        assert_eq!(ids(&[(100, &one[..2]), (102, &one[2..])]), [1]);
        assert_eq!(ids(&[(100, &one[..9]), (109, &one[9..20]), (120, &one[20..]), (124, &two)]), [1, 2]);
    }

    #[test]
    fn what_is_sent_again_counts_once_and_what_is_missing_costs_its_message_alone() {
        let (one, two) = (question(1), question(2));
        assert_eq!(ids(&[(100, &one), (100, &one), (124, &two)]), [1, 2]);
        assert_eq!(ids(&[(100, &one[..9]), (124, &two)]), [2]);
        assert_eq!(ids(&[(100, &[0xff; 300]), (400, &two)]), [2]);
    }

    #[test]
    fn a_flood_of_connections_is_bounded() {
        let mut segments = DnsSegments::default();
        let dst = Endpoint::v4([10, 0, 0, 1], 53);
        for number in 0..100_000_u32 {
            let src = Endpoint::v4((0x0a00_0000 + number).to_be_bytes(), 40_000);
            let payload = [0x3f, 0xff, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            let (flags, payload) = (TcpFlags(0x18), payload.as_slice());
            let segment = Segment { src, dst, seq: 1, flags, payload, length: 14, ..Segment::default() };
            segments.segment(&segment, &mut |_| {});
            assert!(segments.followed.len() <= MAX_FOLLOWED);
        }
    }
}
