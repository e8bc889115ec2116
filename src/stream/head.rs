//! The first bytes of a message in a byte stream, and of the stream itself.

use super::framing::Framing;
use crate::net::Endpoint;
use crate::wire::tls;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// MAGIC-COOKIE, the first attribute of Microsoft's TURN, which has no cookie in the header.
const MAGIC: [u8; 8] = [0x00, 0x0f, 0x00, 0x04, 0x72, 0xc6, 0x4b, 0xc6];
const STUN_HEADER: usize = 20;
/// The port of TURN over TLS.
pub(super) const TURNS: u16 = 5349;
/// The port of TURN over TCP (RFC 8656 §5).
const TURN: u16 = 3478;
/// As much of a head is enough to tell what it is: Microsoft's framing, a STUN header, its first attribute.
const LONGEST: usize = 32;
/// Hellos that only look like TLS or SSL, before Microsoft's and Google's framing: their first bytes, and how long they are.
const PRETENDED: [(&[u8], usize); 4] = [
    (&[0x16, 3, 1, 0, 0x2d, 1, 0, 0, 0x29, 3, 1], 50),
    (&[0x16, 3, 1, 0, 0x4e, 2, 0, 0, 0x46, 3, 1], 83),
    (&[0x80, 0x46, 1, 3, 1], 72),
    (&[0x16, 3, 1, 0, 0x4a, 2, 0, 0, 0x46, 3, 1], 79),
];

/// What stands at a place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A message.
    Message {
        /// What frames it.
        framing: Framing,
        /// Bytes of that before it.
        header: usize,
        /// Bytes of the message.
        length: usize,
        /// Bytes of padding that should follow.
        padding: usize,
    },
    /// Perhaps a message: too few bytes to tell.
    Short,
    /// So many bytes are to be passed over.
    Passed(usize),
    /// No message.
    Other,
}

/// How many bytes are wanted before a head of which so many are there is looked at again.
pub(super) fn enough(there: usize) -> usize {
    match there {
        0..4 => 4,
        4..8 => 8,
        8..10 => 10,
        10..LONGEST => LONGEST,
        _ => there + 1,
    }
}

/// Whether a segment may be the first of a stream that is read here, or go on with one whose start was not captured. Looks at no more than
/// ten bytes; most segments of a capture are asked this.
#[inline]
pub(super) fn may_begin(payload: &[u8]) -> bool {
    match payload {
        [t, _, _, _, c0, c1, c2, c3, ..] if [*c0, *c1, *c2, *c3] == COOKIE => t & 0xc0 == 0,
        [_, _, t, _, _, _, c0, c1, c2, c3, ..] if [*c0, *c1, *c2, *c3] == COOKIE => t & 0xc0 == 0,
        [2, 0, _, _, 0 | 1, _, ..] | [0xff, 0x10, ..] => {
            matches!(of(payload, None), Head::Message { framing: Framing::MsTurn, .. })
        }
        [22, ..] => tls::is_hello(payload),
        _ => false,
    }
}

/// Whether a segment may go on with TLS to a TURN server, by the port that is assigned to it (RFC 8656 §5).
#[inline]
fn may_be_turns(payload: &[u8], src: Endpoint, dst: Endpoint) -> bool {
    matches!(payload, [20..=23, 3, ..]) && (src.port() == TURNS || dst.port() == TURNS) && tls::is_record(payload)
}

/// The channel of ChannelData that fills a segment from or to the port of TURN exactly: a connection to a relay may be in its middle there.
#[inline]
pub(super) fn relays_on(payload: &[u8], src: Endpoint, dst: Endpoint) -> Option<u16> {
    let &[c0 @ 0x40..=0x4f, c1, ..] = payload else { return None };
    let channel = u16::from_be_bytes([c0, c1]);
    ((src.port() == TURN || dst.port() == TURN) && accounts_for(payload, &[channel])).then_some(channel)
}

/// Whether a segment may be the first that is seen of a connection that is read here.
#[inline]
pub(super) fn may_join(payload: &[u8], src: Endpoint, dst: Endpoint) -> bool {
    may_begin(payload) || may_be_turns(payload, src, dst) || relays_on(payload, src, dst).is_some()
}

/// What stands at the start of `bytes`: in a stream with this framing, or, without one, at the start of a stream.
pub(super) fn of(bytes: &[u8], framing: Option<Framing>) -> Head {
    match framing {
        Some(Framing::Bare) => match stun(bytes) {
            Head::Other => channel_data(bytes),
            head => head,
        },
        Some(Framing::Rfc4571) => match bytes {
            [high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                Head::Message { framing: Framing::Rfc4571, header: 2, length, padding: 0 }
            }
            _ => Head::Short,
        },
        Some(Framing::MsTurn) => ms_turn(bytes, true),
        Some(Framing::Tls) => record(bytes),
        None => {
            let mut short = false;
            for head in [stun(bytes), rfc4571(bytes), ms_turn(bytes, false), pretended(bytes)] {
                match head {
                    Head::Short => short = true,
                    Head::Other => {}
                    found => return found,
                }
            }
            // last: a hello may only look like TLS
            if short { Head::Short } else { beginning_of_tls(bytes) }
        }
    }
}

/// A record of TLS within a stream of them.
fn record(bytes: &[u8]) -> Head {
    match bytes {
        [_, _, _, high, low, ..] if tls::is_record(bytes) => {
            let length = tls::HEADER + usize::from(u16::from_be_bytes([*high, *low]));
            Head::Message { framing: Framing::Tls, header: 0, length, padding: 0 }
        }
        [20..=24, 3, 0..=4, _] | [20..=24, 3, 0..=4] | [20..=24, 3] | [20..=24] | [] => Head::Short,
        _ => Head::Other,
    }
}

/// What TLS begins with: a hello, or the alert that refuses one.
fn beginning_of_tls(bytes: &[u8]) -> Head {
    match bytes {
        [22, 3, 0..=4, _, _, _, ..] if tls::is_hello(bytes) => record(bytes),
        [21, 3, 0..=4, 0, 2, ..] => record(bytes),
        [22, 3, 0..=4, ..] if bytes.len() < 6 => Head::Short,
        [21, 3, 0..=4, ..] if bytes.len() < tls::HEADER => Head::Short,
        [21 | 22] | [21 | 22, 3] => Head::Short,
        _ => Head::Other,
    }
}

/// The framing of a segment that begins with a message, in a stream whose place is lost: a STUN header with the cookie proves it, or ChannelData
/// on known channels that accounts for the whole segment.
pub(super) fn resume(bytes: &[u8], framing: Framing, channels: &[u16]) -> Option<Framing> {
    let whole = |head: Head| match head {
        Head::Message { framing, .. } => Some(framing),
        _ => None,
    };
    if framing == Framing::Tls {
        return whole(record(bytes));
    }
    let found =
        [stun(bytes), rfc4571(bytes), ms_turn(bytes, false), beginning_of_tls(bytes)].into_iter().find_map(whole);
    found.or_else(|| (framing == Framing::Bare && accounts_for(bytes, channels)).then_some(Framing::Bare))
}

/// Whether ChannelData, the first on a known channel and with something in it, fills the bytes exactly: CHANNEL-NUMBER looks like one with nothing.
fn accounts_for(bytes: &[u8], channels: &[u16]) -> bool {
    let known = match *bytes {
        [_, _, 0, 0, ..] => false,
        [c0, c1, ..] => c0 != 0 && channels.contains(&u16::from_be_bytes([c0, c1])),
        _ => false,
    };
    let mut rest = bytes;
    while let Head::Message { header, length, padding, .. } = of(rest, Some(Framing::Bare)) {
        let end = header + length;
        rest = match (rest.get(end + padding..), rest.len() == end) {
            (Some(after), _) => after,
            (None, true) => &[],
            (None, false) => return false,
        };
        if rest.is_empty() {
            return known;
        }
    }
    false
}

/// How likely a message begins here: 0 not, 1 perhaps, 2 by all that is known.
pub(super) fn likely(bytes: &[u8], channels: &[u16]) -> u8 {
    match (stun(bytes), bytes) {
        (Head::Message { .. }, _) => 2,
        (Head::Short, _) => 1,
        (_, [c0, c1, ..]) if *c0 & 0xc0 == 0x40 => {
            if channels.contains(&u16::from_be_bytes([*c0, *c1])) {
                2
            } else {
                u8::from(*c0 < 0x50)
            }
        }
        _ => 0,
    }
}

/// A STUN header with the cookie and a length that can be (RFC 8489 §5).
fn stun(bytes: &[u8]) -> Head {
    let (start, short) = match bytes.first_chunk::<8>() {
        Some(&start) => (start, false),
        None => {
            // what is not there yet is taken to be right
            let mut start = [0, 0, 0, 0, COOKIE[0], COOKIE[1], COOKIE[2], COOKIE[3]];
            for (to, from) in start.iter_mut().zip(bytes) {
                *to = *from;
            }
            (start, true)
        }
    };
    let [t0, _, l0, l1, cookie @ ..] = start;
    let length = u16::from_be_bytes([l0, l1]);
    match () {
        () if t0 & 0xc0 != 0 || cookie != COOKIE || !length.is_multiple_of(4) => Head::Other,
        () if short => Head::Short,
        () => {
            Head::Message { framing: Framing::Bare, header: 0, length: STUN_HEADER + usize::from(length), padding: 0 }
        }
    }
}

fn channel_data(bytes: &[u8]) -> Head {
    match bytes {
        [] => Head::Short,
        [c0, ..] if c0 & 0xc0 != 0x40 => Head::Other,
        [_, _, high, low, ..] => {
            let length = 4 + usize::from(u16::from_be_bytes([*high, *low]));
            Head::Message { framing: Framing::Bare, header: 0, length, padding: length.wrapping_neg() & 3 }
        }
        _ => Head::Short,
    }
}

/// Two bytes of length and a STUN message of exactly that length: what the first message between ICE agents is.
pub(super) fn rfc4571(bytes: &[u8]) -> Head {
    let (prefix, rest) = bytes.split_at_checked(2).unwrap_or((bytes, &[]));
    match (stun(rest), prefix) {
        (Head::Message { length, .. }, &[high, low]) => {
            if usize::from(u16::from_be_bytes([high, low])) == length {
                Head::Message { framing: Framing::Rfc4571, header: 2, length, padding: 0 }
            } else {
                Head::Other
            }
        }
        (Head::Short, &[high, low]) if u16::from_be_bytes([high, low]) < 20 => Head::Other,
        (Head::Short, _) => Head::Short,
        _ => Head::Other,
    }
}

/// Microsoft's framing: a type, a zero, the length, then a message; or the 12 bytes of multiplexed TURN before a message. Within a stream
/// the frame is believed; at its start the message must be one.
fn ms_turn(bytes: &[u8], within: bool) -> Head {
    match bytes {
        [2, 0, high, low, rest @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let message = Head::Message { framing: Framing::MsTurn, header: 4, length, padding: 0 };
            if within {
                message
            } else {
                ms_message(rest, Some(length)).map_or(Head::Other, |sure| if sure { message } else { Head::Short })
            }
        }
        // what peers send each other: not a message to the server
        [3, 0, high, low, ..] if within => Head::Passed(4 + usize::from(u16::from_be_bytes([*high, *low]))),
        [0xff, 0x10, _, _, _, _, _, _, _, _, _, _, rest @ ..] => match (ms_message(rest, None), rest) {
            (Some(true), [_, _, high, low, ..]) => {
                let length = 12 + STUN_HEADER + usize::from(u16::from_be_bytes([*high, *low]));
                Head::Message { framing: Framing::MsTurn, header: 0, length, padding: 0 }
            }
            (Some(_), _) => Head::Short,
            (None, _) => Head::Other,
        },
        [] | [2] | [2, 0] | [2, 0, _] | [0xff] | [0xff, 0x10, ..] => Head::Short,
        [3] | [3, 0] | [3, 0, _] if within => Head::Short,
        _ => Head::Other,
    }
}

/// Whether a message of Microsoft's TURN begins here, of this length in all where that is known; `Some(false)` where it is too short to tell.
fn ms_message(bytes: &[u8], length: Option<usize>) -> Option<bool> {
    let told = match bytes {
        [0 | 1, _, high, low, ..] => STUN_HEADER + usize::from(u16::from_be_bytes([*high, *low])),
        [0 | 1] | [0 | 1, _] | [0 | 1, _, _] | [] => return Some(false),
        _ => return None,
    };
    if length.is_some_and(|length| length != told) {
        return None;
    }
    let cookie = bytes.get(4..8).is_some_and(|cookie| cookie == COOKIE);
    match bytes.get(STUN_HEADER..STUN_HEADER + MAGIC.len()) {
        _ if cookie => Some(true),
        Some(magic) => (magic == MAGIC).then_some(true),
        None => Some(false),
    }
}

/// A hello that only pretends to be TLS.
fn pretended(bytes: &[u8]) -> Head {
    let mut head = Head::Other;
    for (start, length) in PRETENDED {
        if bytes.starts_with(start) {
            return Head::Passed(length);
        }
        if start.starts_with(bytes) {
            head = Head::Short;
        }
    }
    head
}

/// Whether the message at the start of a segment is one that servers send: an answer, or an indication to a client.
pub(super) fn is_of_server(payload: &[u8], src: Endpoint) -> bool {
    if matches!(payload, [20..=23, 3, ..]) {
        return matches!(payload, [22, _, _, _, _, 2, ..]) || src.port() == TURNS && !tls::is_hello(payload);
    }
    if matches!(payload, [0x40..=0x4f, ..]) {
        return src.port() == TURN;
    }
    let message = match payload {
        [_, _, _, _, c0, c1, c2, c3, ..] if [*c0, *c1, *c2, *c3] == COOKIE => payload,
        [_, _, rest @ ..] if rest.get(4..8) == Some(&COOKIE) => rest,
        [2, 0, _, _, rest @ ..] | [0xff, 0x10, _, _, _, _, _, _, _, _, _, _, rest @ ..] => rest,
        _ => payload,
    };
    // Data and ConnectionAttempt indications (RFC 8656 §11, RFC 6062 §4.5)
    matches!(message, [t, _, ..] if t & 1 == 1) || matches!(message, [0, 0x17 | 0x1c, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_data_shows_a_relay_only_where_it_fills_the_segment_on_the_port_of_turn() {
        let client = Endpoint::v4([192, 0, 2, 9], 50_000);
        let server = |port| Endpoint::v4([192, 0, 2, 1], port);
        let frame = [0x40, 0x01, 0, 5, 0x80, 1, 2, 3, 4, 0, 0, 0];
        let two = [frame, frame].concat();
        assert_eq!(relays_on(&two, client, server(3478)), Some(0x4001));
        assert_eq!(relays_on(&two[..21], server(3478), client), Some(0x4001), "the last may lack its padding");
        assert_eq!(relays_on(&two, client, server(3479)), None);
        assert_eq!(relays_on(&two[..20], client, server(3478)), None, "cut");
        assert_eq!(relays_on(&[two.as_slice(), &[1]].concat(), client, server(3478)), None, "more than that");
        assert_eq!(relays_on(&[0x50, 1, 0, 1, 0], client, server(3478)), None, "no channel of RFC 8656");
        assert_eq!(relays_on(&[0x40, 1, 0, 0], client, server(3478)), None, "the value of CHANNEL-NUMBER");
    }
}
