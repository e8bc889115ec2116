//! The strings that go into a key: what surrounds them taken off, then as they are or prepared.
//!
//! RFC 5389 prepares user name and password by SASLprep (RFC 4013), RFC 8489 realm and password by `OpaqueString` (RFC 8265 §4.2); many
//! implementations do neither. For plain ASCII all three are the same, so only one is tried there.

use std::borrow::Cow;
use std::fmt;
use stringprep::tables;
use unicode_normalization::UnicodeNormalization;

/// What was done to the strings before they were hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preparation {
    /// Nothing.
    Raw,
    /// RFC 4013: NFKC, some characters mapped to nothing.
    SaslPrep,
    /// RFC 8265 §4.2: NFC, other spaces mapped to U+0020.
    OpaqueString,
}

impl fmt::Display for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Preparation::Raw => "as it is",
            Preparation::SaslPrep => "SASLprep",
            Preparation::OpaqueString => "OpaqueString",
        })
    }
}

/// All preparations, in the order in which they are tried.
pub(super) const ALL: [Preparation; 3] = [Preparation::Raw, Preparation::SaslPrep, Preparation::OpaqueString];

impl Preparation {
    /// Prepares a string. `None` where the profile refuses it, or it is no UTF-8.
    pub(super) fn apply(self, text: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self {
            Preparation::Raw => Some(Cow::Borrowed(text)),
            _ if is_plain(text) => Some(Cow::Borrowed(text)),
            Preparation::SaslPrep => saslprep(std::str::from_utf8(text).ok()?),
            Preparation::OpaqueString => opaque_string(std::str::from_utf8(text).ok()?),
        }
    }
}

/// Printable ASCII: every profile leaves it alone.
pub(super) fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| (0x20..0x7f).contains(byte))
}

fn saslprep(text: &str) -> Option<Cow<'_, [u8]>> {
    match stringprep::saslprep(text) {
        Ok(Cow::Borrowed(text)) => Some(Cow::Borrowed(text.as_bytes())),
        Ok(Cow::Owned(text)) => Some(Cow::Owned(text.into_bytes())),
        Err(_) => None,
    }
}

/// RFC 8265 §4.2.2: map non-ASCII spaces, normalise by NFC, refuse the empty string and controls. Characters that the `FreeformClass` of
/// RFC 8264 refuses for other reasons are let through: a key that does not fit costs one HMAC, a refused one costs the answer.
fn opaque_string(text: &str) -> Option<Cow<'_, [u8]>> {
    let mapped = text.chars().map(|c| if tables::non_ascii_space_character(c) && c != '\u{200b}' { ' ' } else { c });
    let prepared: String = mapped.nfc().collect();
    let refused = prepared.is_empty() || prepared.chars().any(char::is_control);
    (!refused).then(|| Cow::Owned(prepared.into_bytes()))
}

/// A user name or realm without trailing NULs and surrounding quotes, as servers and clients hash it.
#[must_use]
pub(super) fn trim(name: &[u8]) -> &[u8] {
    match trim_nuls(name) {
        [b'"', inner @ .., b'"'] => inner,
        name => name,
    }
}

/// Bytes without the NULs at their end.
#[must_use]
pub(super) fn trim_nuls(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., 0] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether two names are the same after any preparation.
#[must_use]
pub(super) fn same_name(left: &[u8], right: &[u8]) -> bool {
    let (left, right) = (trim(left), trim(right));
    left == right
        || !(is_plain(left) && is_plain(right))
            && ALL.iter().any(|way| matches!((way.apply(left), way.apply(right)), (Some(l), Some(r)) if l == r))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(way: Preparation, text: &str) -> Option<String> {
        way.apply(text.as_bytes()).map(|bytes| String::from_utf8(bytes.into_owned()).expect("UTF-8"))
    }

    #[test]
    fn saslprep_follows_the_examples_of_rfc_4013() {
        let sasl = |text| prepared(Preparation::SaslPrep, text);
        assert_eq!(sasl("I\u{ad}X").as_deref(), Some("IX"));
        assert_eq!(sasl("user").as_deref(), Some("user"));
        assert_eq!(sasl("USER").as_deref(), Some("USER"));
        assert_eq!(sasl("\u{aa}").as_deref(), Some("a"));
        assert_eq!(sasl("\u{2168}").as_deref(), Some("IX"));
        assert_eq!(sasl("\u{7}"), None);
        assert_eq!(sasl("\u{627}1"), None);
        assert_eq!(sasl("The\u{ad}M\u{aa}tr\u{2168}").as_deref(), Some("TheMatrIX"));
    }

    #[test]
    fn opaque_string_follows_the_examples_of_rfc_8265() {
        let opaque = |text| prepared(Preparation::OpaqueString, text);
        assert_eq!(opaque("correct horse battery staple").as_deref(), Some("correct horse battery staple"));
        assert_eq!(opaque("Correct Horse Battery Staple").as_deref(), Some("Correct Horse Battery Staple"));
        assert_eq!(opaque("\u{3c0}\u{df}\u{e5}").as_deref(), Some("\u{3c0}\u{df}\u{e5}"));
        assert_eq!(opaque("Jack of \u{2666}s").as_deref(), Some("Jack of \u{2666}s"));
        assert_eq!(opaque("foo\u{1680}bar").as_deref(), Some("foo bar"));
        assert_eq!(opaque("my cat is a \u{9}by"), None);
        assert_eq!(opaque("e\u{301}\u{a0}x").as_deref(), Some("\u{e9} x"));
    }

    #[test]
    fn bytes_that_are_no_text_are_only_used_as_they_are() {
        let bytes = [0xff, 0xfe];
        assert_eq!(Preparation::Raw.apply(&bytes).as_deref(), Some(&bytes[..]));
        assert_eq!(Preparation::SaslPrep.apply(&bytes), None);
        assert_eq!(Preparation::OpaqueString.apply(&bytes), None);
    }

    #[test]
    fn quotes_and_trailing_nuls_are_no_part_of_a_name() {
        assert_eq!(trim(b"\"example.org\"\0\0"), b"example.org");
        assert_eq!(trim(b"\""), b"\"");
        assert_eq!(trim(b"\0"), b"");
        assert_eq!(trim_nuls(b"a\0b\0"), b"a\0b");
        assert!(same_name(b"\"user\"", b"user\0"));
        assert!(same_name("I\u{ad}X".as_bytes(), b"IX"));
        assert!(!same_name(b"user", b"User"));
    }
}
