//! What a nonce tells: the security features of RFC 8489, the time of issue of coturn's.

/// How a nonce starts that carries security features (RFC 8489 §9.2).
const COOKIE: &[u8] = b"obMatJos2";

/// The security features that a server announces in its nonce (RFC 8489 §18.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Features {
    /// The 24 bits as they stand; bit 0 of the RFC is the highest.
    pub bits: u32,
    /// PASSWORD-ALGORITHMS are offered and have to be repeated.
    pub password_algorithms: bool,
    /// USERHASH is to be used in place of USERNAME.
    pub username_anonymity: bool,
}

/// The features in a nonce; `None` where it does not start with the nonce cookie.
#[must_use]
pub fn features(nonce: &[u8]) -> Option<Features> {
    let digits = nonce.strip_prefix(COOKIE)?.first_chunk::<4>()?;
    let mut bits = 0;
    for &digit in digits {
        bits = bits << 6 | u32::from(base64(digit)?);
    }
    Some(Features { bits, password_algorithms: bits & 0x0080_0000 != 0, username_anonymity: bits & 0x0040_0000 != 0 })
}

fn base64(digit: u8) -> Option<u8> {
    Some(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// When a stateless nonce of coturn was issued, in seconds since 1970: 24 hexadecimal digits, the first 8 being the time. Other servers' nonces can
/// have that form, so the caller compares with the time of the capture.
#[must_use]
pub fn coturn_issued_at(nonce: &[u8]) -> Option<u32> {
    let digits: &[u8; 24] = nonce.try_into().ok()?;
    let mut time = 0u32;
    for (index, &digit) in digits.iter().enumerate() {
        let value = char::from(digit).to_digit(16)?;
        if index < 8 {
            time = time << 4 | value;
        }
    }
    Some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read_from_the_high_end() {
        let bits = |nonce: &str| features(nonce.as_bytes()).map(|found| found.bits);
        assert_eq!(bits("obMatJos2AAAAx"), Some(0));
        assert_eq!(bits("obMatJos2gAAA"), Some(0x80_0000));
        assert_eq!(bits("obMatJos2QAAArest"), Some(0x40_0000));
        let both = features(b"obMatJos2wAAA").unwrap();
        assert!(both.password_algorithms && both.username_anonymity);
    }

    #[test]
    fn the_published_example_numbers_bits_from_the_other_end() {
        let example = features(b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA").unwrap();
        assert_eq!(example.bits, 2);
        assert!(!example.password_algorithms && !example.username_anonymity);
    }

    #[test]
    fn other_nonces_have_no_features() {
        for nonce in ["", "obMatJos2", "obMatJos2AA", "obMatJos2A=AA", "obMatJos3AAAA", "f//499k954d6OL34oL9FSTvy64sA"]
        {
            assert_eq!(features(nonce.as_bytes()), None, "{nonce}");
        }
    }

    #[test]
    fn the_time_of_a_stateless_nonce_is_read() {
        assert_eq!(coturn_issued_at(b"6955b9000123456789abcdef"), Some(0x6955_b900));
        assert_eq!(coturn_issued_at(b"6955b9000123456789abcdeg"), None);
        assert_eq!(coturn_issued_at(b"0123456789abcdef"), None);
    }
}
