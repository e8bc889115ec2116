//! From a secret to the key of the HMAC (RFC 8489 §9.1.1, §9.2.2, §18.5.1).

use super::prepare::Preparation;
use md5::{Digest, Md5};
use sha2::{Sha256, Sha384, Sha512};
use std::fmt;
use zeroize::Zeroizing;

/// A hash function that makes keys or passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyHash {
    /// Of long-term keys since RFC 5389.
    Md5,
    /// Of TURN REST passwords.
    Sha1,
    /// Of long-term keys by PASSWORD-ALGORITHM (RFC 8489 §18.5.1.2).
    Sha256,
    /// Of long-term keys of coturn's SHA-2 variant.
    Sha384,
    /// Of long-term keys of coturn's SHA-2 variant.
    Sha512,
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            KeyHash::Md5 => "MD5",
            KeyHash::Sha1 => "SHA-1",
            KeyHash::Sha256 => "SHA-256",
            KeyHash::Sha384 => "SHA-384",
            KeyHash::Sha512 => "SHA-512",
        })
    }
}

/// How a key came from a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Hash of `username:realm:password`.
    LongTerm(KeyHash),
    /// The password is the key.
    ShortTerm,
    /// Long-term, the password being made from the user name by a shared secret.
    TurnRest {
        /// Hash of the HMAC that makes the password; SHA-1 as a rule.
        password: KeyHash,
        /// Hash of the long-term key.
        key: KeyHash,
    },
    /// The key itself was given.
    RawKey,
}

/// How a key came from a credential, and from strings prepared in which way. Displays as "long-term MD5", "short-term", "TURN REST".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Derivation {
    /// From which strings and by which hash.
    pub scheme: Scheme,
    /// What was done to the strings first.
    pub preparation: Preparation,
}

impl fmt::Display for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::LongTerm(hash) => write!(f, "long-term {hash}")?,
            Scheme::ShortTerm => f.write_str("short-term")?,
            Scheme::TurnRest { password: KeyHash::Sha1, key: KeyHash::Md5 } => f.write_str("TURN REST")?,
            Scheme::TurnRest { password: KeyHash::Sha1, key } => write!(f, "TURN REST {key}")?,
            Scheme::TurnRest { password, key } => write!(f, "TURN REST {key}, password by HMAC-{password}")?,
            Scheme::RawKey => f.write_str("raw key")?,
        }
        match self.preparation {
            Preparation::Raw => Ok(()),
            preparation => write!(f, ", {preparation}"),
        }
    }
}

/// A key of any of the mechanisms, wiped when it goes.
pub(super) type Key = Zeroizing<Vec<u8>>;

/// The long-term key: hash of `username:realm:password`.
pub(super) fn long_term(hash: KeyHash, username: &[u8], realm: &[u8], password: &[u8]) -> Key {
    fn digest<D: Digest>(parts: [&[u8]; 5]) -> Key {
        let mut digest = D::new();
        for part in parts {
            digest.update(part);
        }
        Zeroizing::new(digest.finalize().to_vec())
    }
    let parts = [username, b":", realm, b":", password];
    match hash {
        KeyHash::Md5 => digest::<Md5>(parts),
        KeyHash::Sha1 => digest::<sha1::Sha1>(parts),
        KeyHash::Sha256 => digest::<Sha256>(parts),
        KeyHash::Sha384 => digest::<Sha384>(parts),
        KeyHash::Sha512 => digest::<Sha512>(parts),
    }
}

/// The key that a scheme makes of a secret; for plain text, which needs no preparation.
pub(super) fn key(scheme: Scheme, username: &[u8], realm: &[u8], secret: &[u8]) -> Option<Key> {
    Some(match scheme {
        Scheme::LongTerm(hash) => long_term(hash, username, realm, secret),
        Scheme::ShortTerm | Scheme::RawKey => Zeroizing::new(secret.to_vec()),
        Scheme::TurnRest { password, key } => {
            long_term(key, username, realm, &super::rest::password(secret, username, password)?)
        }
    })
}

/// USERHASH: SHA-256 of `username:realm` (RFC 8489 §14.4).
pub(super) fn userhash(username: &[u8], realm: &[u8]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(username);
    digest.update(b":");
    digest.update(realm);
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn long_term_keys_are_those_of_the_published_examples() {
        let key = |hash, user: &str, realm: &str, password: &str| {
            hex(&long_term(hash, user.as_bytes(), realm.as_bytes(), password.as_bytes()))
        };
        assert_eq!(key(KeyHash::Md5, "user", "realm", "pass"), "8493fbc53ba582fb4c044c456bdc40eb");
        let matrix = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";
        assert_eq!(key(KeyHash::Md5, matrix, "example.org", "TheMatrIX"), "e8ca7ad59d5eb0518e312911d2dab2a9");
        assert_eq!(
            key(KeyHash::Sha256, matrix, "example.org", "TheMatrIX"),
            "dd295a613b9058c3c23d6dc7165bda072304d989c9d0af3a8c7e184b4f9bb4a1"
        );
        let rest = "kaP8oiCOQi1N4NSZPSAYWko+LUs=";
        assert_eq!(key(KeyHash::Md5, "1767225600:alice", "example.org", rest), "1681d54a2f2fdf6e77677f8758a6e1a8");
        assert_eq!(
            key(KeyHash::Sha256, "1767225600:alice", "example.org", rest),
            "d48cca48ec5d614b19d72bde10af6ac0dfa9d8932d2af1c022f44e31b2553fec"
        );
    }

    #[test]
    fn the_userhash_is_that_of_rfc_8489() {
        let matrix = "\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}";
        assert_eq!(
            hex(&userhash(matrix.as_bytes(), b"example.org")),
            "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
        );
    }

    #[test]
    fn derivations_say_what_they_are() {
        let show = |scheme, preparation| Derivation { scheme, preparation }.to_string();
        assert_eq!(show(Scheme::LongTerm(KeyHash::Md5), Preparation::Raw), "long-term MD5");
        assert_eq!(show(Scheme::LongTerm(KeyHash::Sha256), Preparation::SaslPrep), "long-term SHA-256, SASLprep");
        let rest = Scheme::TurnRest { password: KeyHash::Sha1, key: KeyHash::Md5 };
        assert_eq!(show(rest, Preparation::Raw), "TURN REST");
        let rest = Scheme::TurnRest { password: KeyHash::Sha256, key: KeyHash::Md5 };
        assert_eq!(show(rest, Preparation::Raw), "TURN REST MD5, password by HMAC-SHA-256");
        assert_eq!(show(Scheme::ShortTerm, Preparation::Raw), "short-term");
        assert_eq!(show(Scheme::RawKey, Preparation::Raw), "raw key");
    }
}
