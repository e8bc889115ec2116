//! What may happen to a password or a name on its way from one configuration to another.
//!
//! Each is known by its kind alone: nothing here says what the password is.

use std::fmt;

macro_rules! slips {
    ($($slip:ident $name:literal $clause:literal;)+) => {
        /// A mishap that makes one secret of two: what has to be done to a credential so that it fits.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Slip {
            $(#[doc = concat!("It fits when ", $clause, ".")] $slip),+
        }

        impl Slip {
            /// All of them.
            pub const ALL: &'static [Slip] = &[$(Slip::$slip),+];

            /// A stable name: `password-trailing-newline`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Slip::$slip => $name),+ }
            }

            /// What has to be done, to follow "when": `a newline is added to the end of the password`.
            #[must_use]
            pub fn clause(self) -> &'static str {
                match self { $(Slip::$slip => $clause),+ }
            }
        }
    };
}

slips! {
    TrailingNewline "password-trailing-newline" "a newline is added to the end of the password";
    TrailingCarriageReturn "password-trailing-carriage-return" "a carriage return is added to the end of the password";
    TrailingBlank "password-trailing-blank" "a blank is added to the end of the password";
    TrailingTab "password-trailing-tab" "a tab is added to the end of the password";
    TrailingNul "password-trailing-nul" "a NUL byte is added to the end of the password";
    LeadingBlank "password-leading-blank" "a blank is put before the password";
    LeadingNewline "password-leading-newline" "a newline is put before the password";
    LeadingMark "password-leading-byte-order-mark" "a byte order mark is put before the password";
    SurroundingBlanks "password-surrounding-blanks" "blanks are put before and after the password";
    Trimmed "password-trimmed" "the blanks and line ends around the password are taken off";
    Quoted "password-quoted" "quotation marks are put around the password";
    Unquoted "password-unquoted" "the quotation marks around the password are taken off";
    Lower "password-lower-case" "all letters of the password are made small";
    Upper "password-upper-case" "all letters of the password are made capital";
    CaseSwapped "password-case-swapped" "small and capital letters of the password are exchanged";
    FirstLetter "password-first-letter-case" "the first letter of the password changes between small and capital";
    PercentDecoded "password-url-decoded" "the password is URL-decoded";
    PercentEncoded "password-url-encoded" "the password is URL-encoded";
    Expanded "password-shell-expanded" "what a shell would expand after a `$` in the password is taken out";
    DollarDoubled "password-dollar-doubled" "each `$` of the password is doubled, or each doubled one made single";
    BackslashesTaken "password-backslashes-taken" "backslashes in the password are taken as escapes";
    BackslashesAdded "password-backslashes-added" "backslashes are put before special characters of the password";
    EntitiesDecoded "password-xml-decoded" "the XML entities in the password are decoded";
    EntitiesEncoded "password-xml-encoded" "special characters of the password are written as XML entities";
    CutAtCharacter "password-cut-at-character" "the password is cut off at a special character";
    CutShort "password-cut-short" "the end of the password is cut off";
    Empty "password-empty" "the password is empty";
    Doubled "password-doubled" "the password is written twice";
    Base64 "password-base64" "the password is encoded in base64";
    Base64Decoded "password-base64-decoded" "the password is decoded from base64";
    Base64Url "password-base64url" "the password is encoded in base64url";
    Base64UrlDecoded "password-base64url-decoded" "the password is decoded from base64url";
    Base64Spelling "password-base64-spelling" "the password is spelled in base64url instead of base64, or the other way round, or with other padding";
    Hex "password-hex" "the password is written in hex";
    HexDecoded "password-hex-decoded" "the password is decoded from hex";
    Latin1 "password-latin-1" "the password is encoded in Latin-1 instead of UTF-8";
    Utf8Twice "password-utf-8-twice" "the password is encoded in UTF-8 twice";
    Utf16 "password-utf-16" "the password is encoded in UTF-16";
    Composed "password-unicode-form" "the password is brought to another Unicode normalisation form";
    LettersExchanged "password-y-and-z" "y and z of the password are exchanged, as another keyboard layout does";
    UserAsPassword "password-is-user" "the user name is taken for the password";
    RealmAsPassword "password-is-realm" "the realm is taken for the password";
    AsKey "password-as-key" "the password is used as the key itself, without user name and realm";
    IsKey "password-is-key" "the password, which is hex digits, is taken for the key that they spell, as `key` is in a credentials file";
    AsLongTermKey "password-as-long-term-key" "the key is made from user name, realm and password, as for long-term credentials";
    KeyAsPassword "key-as-password" "the hex digits of the long-term key are taken for the password";
    KeyInHex "key-in-hex" "the key is used as hex digits instead of bytes";
    NotShared "secret-as-password" "the shared secret is itself taken for the password";
    RestSha2 "rest-password-sha2" "the time-limited password is made with a SHA-2 hash";
    RestHex "rest-password-hex" "the time-limited password is written in hex instead of base64";
    RestBase64Url "rest-password-base64url" "the time-limited password is written in base64url, or without padding";
    RestOfExpiry "rest-password-of-expiry" "the time-limited password is made from the expiry alone";
    RestOfUser "rest-password-of-user" "the time-limited password is made from the user name without the expiry";
    SharedSecret "password-as-shared-secret" "the password is taken for a shared secret that makes time-limited ones";
    Swapped "user-realm-swapped" "user name and realm are swapped";
    EmptyRealm "realm-empty" "the realm is left empty";
    RealmDiffers "realm-differs" "the realm of the credential is passed over";
    RealmCase "realm-case" "the letter case of the realm changes";
    RealmBlanks "realm-blanks" "a blank or a line end is added to the realm or taken off";
    RealmQuoted "realm-quoted" "quotation marks are put around the realm";
    RealmEncoded "realm-url-encoded" "the realm is URL-encoded or URL-decoded";
    RealmOfCredential "realm-of-credential" "the key is made with the realm of the credential, not with the message's";
    UserDiffers "user-differs" "the user name of the credential is passed over";
    UserCase "user-case" "the letter case of the user name changes";
    UserBlanks "user-blanks" "a blank or a line end is added to the user name or taken off";
    UserQuoted "user-quoted" "quotation marks are put around the user name";
    UserEncoded "user-url-encoded" "the user name is URL-encoded or URL-decoded";
    UserWithRealm "user-with-realm" "the realm is added to the user name";
    UserWithoutRealm "user-without-realm" "the realm or domain in the user name is taken off";
    UserWithoutExpiry "user-without-expiry" "the key is made from the user name without its expiry";
    UserOfCredential "user-of-credential" "the key is made with the user name of the credential, not with the message's";
    OtherAgent "ice-password-of-other" "the password of another ICE agent is taken";
    Sha256Key "key-sha-256" "the key is made by SHA-256 instead of MD5";
    Md5Key "key-md5" "the key is made by MD5 instead of SHA-256";
    Prepared "password-prepared" "user name, realm and password are prepared by SASLprep or OpaqueString";
    ZeroPadded "integrity-zero-padded" "the HMAC is made over a text padded with zeros, as in RFC 3489";
    FullLength "integrity-full-length" "the HMAC is made over the message's full length";
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.clause())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_kebab_case_and_once() {
        let names: std::collections::BTreeSet<&str> = Slip::ALL.iter().map(|slip| slip.name()).collect();
        assert_eq!(names.len(), Slip::ALL.len());
        assert!(
            names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
        );
    }
}
