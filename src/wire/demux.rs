//! What a datagram may be, by its first bytes (RFC 7983, RFC 9443, RFC 5761).

use super::rtp::Head;
use super::turn::ChannelData;

/// The protocol that the first bytes of a datagram point to.
///
/// Only [`Kind::Dtls`] and [`Kind::Channel`] had lengths or versions checked; every other is a hint that the history of the flow or a full
/// reading confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// STUN by first byte 0 to 3, or a higher method number with the magic cookie.
    Stun,
    /// ZRTP: first byte 16 to 19 and the magic word.
    Zrtp,
    /// A DTLS record with its version in clear: DTLS 1.0, 1.2, and the plain records of 1.3.
    Dtls,
    /// First byte 32 to 63: an encrypted DTLS 1.3 record where the flow is known to be DTLS (RFC 9147 §4), else anything.
    DtlsUnified,
    /// TURN ChannelData by its framing.
    Channel,
    /// RTP or SRTP, version 2.
    Rtp,
    /// RTCP or SRTCP by the packet type (RFC 5761 §4).
    Rtcp,
    /// QUIC by its form and fixed bits: a short header may be anything.
    Quic,
    /// Microsoft multiplexed TURN, 0xFF10.
    MsTurn,
    /// None of them.
    Other,
}

/// What the first bytes say. Looks at no more than eight of them and the length.
#[must_use]
#[inline]
pub fn kind(payload: &[u8]) -> Kind {
    let &[first, second, ..] = payload else { return Kind::Other };
    match first {
        0..=3 => Kind::Stun,
        4..=15 if word(payload, 4) == Some(super::stun::COOKIE) => Kind::Stun,
        16..=19 if word(payload, 4) == Some(0x5a52_5450) => Kind::Zrtp,
        20..=27 => dtls(payload),
        // Private STUN methods may start here too; the cookie tells.
        32..=63 if word(payload, 4) == Some(super::stun::COOKIE) => Kind::Stun,
        32..=63 => Kind::DtlsUnified,
        64..=127 if ChannelData::parse(payload, false).is_some() => Kind::Channel,
        64..=127 => Kind::Quic,
        128..=191 => rtp(payload, second),
        0xff if second == 0x10 && payload.len() >= 12 => Kind::MsTurn,
        192..=255 => quic_long(payload),
        _ => Kind::Other,
    }
}

/// The head of RTP, where [`kind`] says that a payload is RTP and nothing else: nearly all packets of a call are, and this asks for nothing more.
#[must_use]
#[inline(always)]
pub fn rtp_head(payload: &[u8]) -> Option<Head> {
    let head = Head::parse(payload)?;
    let &[first, second, ..] = payload else { return None };
    let whole = first & 0x0f == 0 || rtp(payload, second) == Kind::Rtp;
    (whole && !matches!(second, 192..=223)).then_some(head)
}

/// The same of a datagram of which bytes at the end may be missing in the capture: ChannelData cannot account for its whole length then,
/// and only the history of the flow tells it from QUIC.
#[must_use]
#[inline]
pub fn kind_of_cut(payload: &[u8], truncated: bool) -> Kind {
    match kind(payload) {
        Kind::Quic if truncated && ChannelData::parse(payload, true).is_some() => Kind::Channel,
        kind => kind,
    }
}

fn word(payload: &[u8], at: usize) -> Option<u32> {
    payload.get(at..)?.first_chunk::<4>().map(|&word| u32::from_be_bytes(word))
}

/// A record has 13 bytes of header at least, and the version is 0xFEFF, 0xFEFD or 0xFEFC, or the 0x0100 of old OpenSSL.
fn dtls(payload: &[u8]) -> Kind {
    match payload {
        [_, 0xfe, 0xfc..=0xff, rest @ ..] | [_, 0x01, 0x00, rest @ ..] if rest.len() >= 10 => Kind::Dtls,
        _ if word(payload, 4) == Some(super::stun::COOKIE) => Kind::Stun,
        _ => Kind::Other,
    }
}

fn rtp(payload: &[u8], second: u8) -> Kind {
    let contributors = usize::from(payload.first().copied().unwrap_or(0) & 0x0f);
    match second {
        192..=223 if payload.len() >= 8 => Kind::Rtcp,
        _ if payload.len() >= 12 + 4 * contributors => Kind::Rtp,
        _ => Kind::Other,
    }
}

/// Long header: version, then a connection id of at most 20 bytes (RFC 9000 §17.2).
fn quic_long(payload: &[u8]) -> Kind {
    match payload {
        [_, _, _, _, _, 0..=20, _, ..] => Kind::Quic,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_has_the_head_of_rtp_is_rtp_and_all_rtp_has_it(first in 0x70_u8..=0xd0, second: u8, rest in proptest::collection::vec(0_u8.., 0..80)) {
            let mut payload = vec![first, second];
            payload.extend(rest);
            proptest::prop_assert_eq!(rtp_head(&payload).is_some(), kind(&payload) == Kind::Rtp);
        }
    }

    #[test]
    fn channel_data_that_was_cut_is_known_by_its_length_field() {
        let cut = [0x40, 0x01, 0, 100, 1, 2, 3];
        assert_eq!((kind_of_cut(&cut, false), kind_of_cut(&cut, true)), (Kind::Quic, Kind::Channel));
        assert_eq!(kind_of_cut(&[0x40, 0x01, 0, 1, 1, 2, 3, 4, 5], true), Kind::Quic);
    }

    #[test]
    fn first_bytes_are_told_apart_as_rfc_7983_draws_them() {
        let with = |start: &[u8]| {
            let mut bytes = [0u8; 40];
            bytes[..start.len()].copy_from_slice(start);
            kind(&bytes)
        };
        assert_eq!(with(&[0, 1, 0, 0]), Kind::Stun);
        assert_eq!(with(&[8, 0, 0, 0, 0x21, 0x12, 0xa4, 0x42]), Kind::Stun);
        assert_eq!(with(&[8, 0]), Kind::Other);
        assert_eq!(with(&[16, 0, 0, 0, 0x5a, 0x52, 0x54, 0x50]), Kind::Zrtp);
        assert_eq!(with(&[22, 0xfe, 0xff]), Kind::Dtls);
        assert_eq!(with(&[22, 3, 1]), Kind::Other);
        assert_eq!(with(&[0x2f]), Kind::DtlsUnified);
        assert_eq!(with(&[0x40, 0, 0, 36]), Kind::Channel);
        assert_eq!(with(&[0x40, 0, 0, 3]), Kind::Quic);
        assert_eq!(with(&[0x80, 111]), Kind::Rtp);
        assert_eq!(with(&[0x8f, 111]), Kind::Other, "15 contributing sources do not fit");
        assert_eq!(with(&[0x80, 200]), Kind::Rtcp);
        assert_eq!(with(&[0xc3, 0, 0, 0, 1, 8]), Kind::Quic);
        assert_eq!(with(&[0xff, 0x10, 0, 36]), Kind::MsTurn);
        assert_eq!(kind(&[]), Kind::Other);
        assert_eq!(kind(&[0]), Kind::Other);
    }
}
