//! User names of time-limited credentials (TURN REST), and the passwords that belong to them.

use super::derive::KeyHash;
use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit, Mac};
use zeroize::Zeroizing;

/// 2001-01-01 and 2100-01-01: an expiry outside was never meant as one.
const PLAUSIBLE: std::ops::Range<i64> = 978_307_200..4_102_444_800;

/// The end of a time-limited credential, read from its user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Seconds since 1970.
    pub seconds: i64,
    /// The name is nothing but digits. It may be a telephone number: believe it only where a shared secret verifies it.
    pub bare: bool,
}

/// The expiry in a user name of the form `expiry[:user]`, if it is a date from 2001 to 2099.
///
/// A few services put the user first; a separator other than `:` is a setting of some servers. Both are read.
#[must_use]
pub fn rest_expiry(username: &[u8]) -> Option<Expiry> {
    let username = super::prepare::trim(username);
    let digits = username.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (head, rest) = username.split_at(digits);
    match rest.first() {
        None => plausible(head).map(|seconds| Expiry { seconds, bare: true }),
        Some(separator) if is_separator(*separator) && digits > 0 => {
            plausible(head).map(|seconds| Expiry { seconds, bare: false })
        }
        _ => {
            let tail = username.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            let (head, tail) = username.split_at(username.len() - tail);
            let seconds = plausible(tail)?;
            // Only the usual separator here: names that end in digits are common.
            (head.last() == Some(&b':')).then_some(Expiry { seconds, bare: false })
        }
    }
}

/// Whom a user name stands for: that of a time-limited credential without its expiry, by which servers count what one user has.
#[must_use]
pub fn person(username: &[u8]) -> &[u8] {
    if rest_expiry(username).is_none_or(|expiry| expiry.bare) {
        return username;
    }
    let name = super::prepare::trim(username);
    let head = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match name.split_at(head) {
        ([_, ..], [separator, person @ ..]) if is_separator(*separator) => person,
        _ => {
            let tail = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            name.get(..name.len().saturating_sub(tail + 1)).unwrap_or_default()
        }
    }
}

fn is_separator(byte: u8) -> bool {
    byte.is_ascii_punctuation() && !matches!(byte, b'@' | b'.')
}

fn plausible(digits: &[u8]) -> Option<i64> {
    if !(9..=10).contains(&digits.len()) {
        return None;
    }
    let seconds = std::str::from_utf8(digits).ok()?.parse().ok()?;
    PLAUSIBLE.contains(&seconds).then_some(seconds)
}

/// The password of a user name: base64 of an HMAC under the shared secret. SHA-1 as a rule; some servers take a SHA-2 hash.
pub(super) fn password(secret: &[u8], username: &[u8], hash: KeyHash) -> Option<Zeroizing<Vec<u8>>> {
    macro_rules! mac {
        ($hash:ty) => {{
            let mut mac = Hmac::<$hash>::new_from_slice(secret).ok()?;
            mac.update(username);
            Base64::encode_string(&mac.finalize().into_bytes()).into_bytes()
        }};
    }
    Some(Zeroizing::new(match hash {
        KeyHash::Md5 => return None,
        KeyHash::Sha1 => mac!(sha1::Sha1),
        KeyHash::Sha256 => mac!(sha2::Sha256),
        KeyHash::Sha384 => mac!(sha2::Sha384),
        KeyHash::Sha512 => mac!(sha2::Sha512),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expiry(seconds: i64, bare: bool) -> Option<Expiry> {
        Some(Expiry { seconds, bare })
    }

    #[test]
    fn an_expiry_is_read_from_the_forms_in_use() {
        assert_eq!(rest_expiry(b"1767225600:alice"), expiry(1_767_225_600, false));
        assert_eq!(rest_expiry(b"1767225600"), expiry(1_767_225_600, true));
        assert_eq!(rest_expiry(b"1767225600_alice"), expiry(1_767_225_600, false));
        assert_eq!(rest_expiry(b"alice:1767225600"), expiry(1_767_225_600, false));
        assert_eq!(rest_expiry(b"\"1767225600:alice\"\0"), expiry(1_767_225_600, false));
        assert_eq!(rest_expiry(b"1767225600:"), expiry(1_767_225_600, false));
    }

    #[test]
    fn what_is_no_plausible_date_is_no_expiry() {
        for name in [
            "",
            ":",
            "alice",
            "4912345",
            "1767225600alice",
            "99999:alice",
            "0000000001",
            "9999999999:x",
            "alice1767225600",
        ] {
            assert_eq!(rest_expiry(name.as_bytes()), None, "{name}");
        }
        assert_eq!(rest_expiry(b"00000000000000000000000000000001767225600:x"), None);
        assert_eq!(rest_expiry(b"1767225600@example.org"), None);
    }

    #[test]
    fn a_person_is_the_user_name_without_its_expiry() {
        for (name, expected) in [
            ("1767225600:alice", "alice"),
            ("1767225600_alice", "alice"),
            ("alice:1767225600", "alice"),
            ("4alice:1767225600", "4alice"),
            ("\"1767225600:alice\"\0", "alice"),
            ("1767225600:", ""),
            ("1767225600", "1767225600"),
            ("4912345:alice", "4912345:alice"),
            ("alice", "alice"),
        ] {
            assert_eq!(person(name.as_bytes()), expected.as_bytes(), "{name}");
        }
    }

    #[test]
    fn the_password_of_a_shared_secret_is_the_usual_one() {
        let password = |hash| password(b"s3cret-shared", b"1767225600:alice", hash);
        assert_eq!(password(KeyHash::Sha1).expect("a password").as_slice(), b"kaP8oiCOQi1N4NSZPSAYWko+LUs=");
        assert_eq!(password(KeyHash::Sha256).expect("a password").len(), 44);
        assert_eq!(password(KeyHash::Sha384).expect("a password").len(), 64);
        assert_eq!(password(KeyHash::Sha512).expect("a password").len(), 88);
    }
}
