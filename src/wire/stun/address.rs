//! Address values: plain and XORed (RFC 8489 §14.1, §14.2).

use crate::net::Endpoint;

/// A plain address: reserved byte, family, port, address; 8 bytes for IPv4, 20 for IPv6.
#[inline]
pub(super) fn plain(value: &[u8]) -> Option<Endpoint> {
    match *value {
        [_, 1, p0, p1, a, b, c, d] => Some(Endpoint::v4([a, b, c, d], u16::from_be_bytes([p0, p1]))),
        [_, 2, p0, p1, ref ip @ ..] => Some(Endpoint::v6(ip.try_into().ok()?, u16::from_be_bytes([p0, p1]))),
        _ => None,
    }
}

/// An address XORed with bytes 4 to 19 of its message. That is the cookie and the transaction id, and in a message without the cookie the
/// start of its 128-bit id, as the drafts had it.
#[inline]
pub(super) fn xored(value: &[u8], key: [u8; 16]) -> Option<Endpoint> {
    let [k0, k1, k2, k3, ..] = key;
    match *value {
        [_, 1, p0, p1, a, b, c, d] => {
            Some(Endpoint::v4([a ^ k0, b ^ k1, c ^ k2, d ^ k3], u16::from_be_bytes([p0 ^ k0, p1 ^ k1])))
        }
        [_, 2, p0, p1, ref ip @ ..] => {
            let ip: [u8; 16] = ip.try_into().ok()?;
            let ip = u128::from_be_bytes(ip) ^ u128::from_be_bytes(key);
            Some(Endpoint::v6(ip.to_be_bytes(), u16::from_be_bytes([p0 ^ k0, p1 ^ k1])))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_plain_and_xored() {
        let key = [0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 1, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        assert_eq!(xored(&[0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43], key), Some(Endpoint::v4([192, 0, 2, 1], 32853)));
        assert_eq!(plain(&[0, 1, 0x80, 0x55, 192, 0, 2, 1]), Some(Endpoint::v4([192, 0, 2, 1], 32853)));
        let v6 = [
            0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9,
            0xd9,
        ];
        assert_eq!(xored(&v6, key).unwrap().to_string(), "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
    }

    #[test]
    fn lengths_and_families_that_do_not_fit_are_refused() {
        for value in
            [&[][..], &[0, 1, 0, 0], &[0, 3, 0, 0, 1, 2, 3, 4], &[0, 2, 0, 0, 1, 2, 3, 4], &[0, 1, 0, 0, 1, 2, 3, 4, 5]]
        {
            assert_eq!(plain(value), None);
            assert_eq!(xored(value, [0; 16]), None);
        }
    }
}
