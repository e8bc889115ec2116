//! What the numbers of TLS and DTLS mean: newtypes with names, and tables for `turnscope explain`.
//!
//! A number that is in no table displays as hexadecimal digits; those set aside to exercise receivers (GREASE, RFC 8701) say so.

mod alerts;
mod extensions;
mod groups;
mod signatures;
mod srtp;
mod suites;
mod types;

pub use alerts::{ALERTS, AlertInfo, find};
pub use extensions::{EXTENSIONS, ExtensionType};
pub use groups::{GROUPS, NamedGroup};
pub use signatures::{SIGNATURE_SCHEMES, SignatureScheme};
pub use srtp::{SRTP_PROFILES, SrtpProfile, SrtpRow, srtp_profile};
pub use suites::{Authentication, CIPHER_SUITES, CipherSuite, SuiteParts};
pub use types::{
    AlertDescription, AlertLevel, CONTENT_TYPES, ContentType, HANDSHAKE_TYPES, HandshakeType, VERSIONS, Version,
};

/// Whether a 16-bit number is one of the sixteen that RFC 8701 sets aside: 0x0A0A, 0x1A1A, … 0xFAFA.
#[must_use]
pub fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// A number with a table of names: the type, its constants, its lookup.
macro_rules! numbers {
    (
        $(#[$about:meta])* $name:ident($int:ty) in $(#[$table_about:meta])* $table:ident
        { $($number:literal $text:literal $(= $constant:ident)?,)+ }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        $(#[$table_about])*
        pub static $table: &[($name, &str)] = &[$(($name($number), $text)),+];

        impl $name {
            $($(
                #[doc = concat!("`", $text, "`.")]
                pub const $constant: $name = $name($number);
            )?)+

            /// The name, where the number is in the table.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                let index = $table.binary_search_by_key(&self, |row| row.0).ok()?;
                $table.get(index).map(|row| row.1)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

/// Display of 16-bit numbers: the name, `GREASE (0x0a0a)`, or the number.
macro_rules! displayed_as_name_or_hex {
    ($name:ident) => {
        impl $name {
            /// Whether the number is there to exercise receivers only (RFC 8701).
            #[must_use]
            pub fn is_grease(self) -> bool {
                super::is_grease(self.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None if self.is_grease() => write!(f, "GREASE (0x{:04x})", self.0),
                    None => write!(f, "0x{:04x}", self.0),
                }
            }
        }
    };
}

use {displayed_as_name_or_hex, numbers};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_in_order_so_that_every_row_is_found() {
        fn check<N: Copy + Ord + std::fmt::Debug>(rows: &[(N, &str)], name: impl Fn(N) -> Option<&'static str>) {
            assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "{rows:?}");
            for &(number, text) in rows {
                assert_eq!(name(number), Some(text));
            }
        }
        check(VERSIONS, Version::name);
        check(CONTENT_TYPES, ContentType::name);
        check(HANDSHAKE_TYPES, HandshakeType::name);
        check(EXTENSIONS, ExtensionType::name);
        check(GROUPS, NamedGroup::name);
        check(SIGNATURE_SCHEMES, SignatureScheme::name);
        check(CIPHER_SUITES, CipherSuite::name);
    }

    #[test]
    fn grease_is_the_sixteen_numbers_of_the_rfc_and_no_other() {
        let all: Vec<u16> = (0..=u16::MAX).filter(|&number| is_grease(number)).collect();
        assert_eq!(all.len(), 16);
        assert_eq!((all.first(), all.last()), (Some(&0x0a0a), Some(&0xfafa)));
        assert_eq!(CipherSuite(0x3a3a).to_string(), "GREASE (0x3a3a)");
        assert_eq!(NamedGroup(0x4242).to_string(), "0x4242");
    }
}
