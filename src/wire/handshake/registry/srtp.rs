//! Protection profiles of use_srtp (IANA "DTLS-SRTP Protection Profiles").

use super::displayed_as_name_or_hex;

/// An SRTP protection profile, as use_srtp offers and chooses it (RFC 5764 §4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SrtpProfile(pub u16);
displayed_as_name_or_hex!(SrtpProfile);

impl SrtpProfile {
    /// The name, where the number is known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        srtp_profile(self).map(|row| row.name)
    }
}

/// What is known of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SrtpRow {
    /// Its number.
    pub profile: SrtpProfile,
    /// Its name.
    pub name: &'static str,
    /// Bits of the key of one direction.
    pub key: u16,
    /// Bits of the salt of one direction.
    pub salt: u16,
    /// Bits of the authentication tag on RTP packets.
    pub tag: u16,
    /// Bits of the authentication tag on RTCP packets.
    pub rtcp_tag: u16,
    /// Where it is described.
    pub source: &'static str,
}

/// The row of a profile.
#[must_use]
pub fn srtp_profile(profile: SrtpProfile) -> Option<&'static SrtpRow> {
    let index = SRTP_PROFILES.binary_search_by_key(&profile, |row| row.profile).ok()?;
    SRTP_PROFILES.get(index)
}

const fn row(number: u16, name: &'static str, bits: [u16; 4], source: &'static str) -> SrtpRow {
    let [key, salt, tag, rtcp_tag] = bits;
    SrtpRow { profile: SrtpProfile(number), name, key, salt, tag, rtcp_tag, source }
}

/// All profiles, by number. A short tag on RTP is never one on RTCP: those always have 80 bits at least.
pub static SRTP_PROFILES: &[SrtpRow] = &[
    row(0x0001, "SRTP_AES128_CM_HMAC_SHA1_80", [128, 112, 80, 80], "RFC 5764 §4.1.2"),
    row(0x0002, "SRTP_AES128_CM_HMAC_SHA1_32", [128, 112, 32, 80], "RFC 5764 §4.1.2"),
    row(0x0003, "SRTP_AES256_CM_SHA1_80", [256, 112, 80, 80], "drafts of RFC 5764"),
    row(0x0004, "SRTP_AES256_CM_SHA1_32", [256, 112, 32, 80], "drafts of RFC 5764"),
    row(0x0005, "SRTP_NULL_HMAC_SHA1_80", [0, 112, 80, 80], "RFC 5764 §4.1.2"),
    row(0x0006, "SRTP_NULL_HMAC_SHA1_32", [0, 112, 32, 80], "RFC 5764 §4.1.2"),
    row(0x0007, "SRTP_AEAD_AES_128_GCM", [128, 96, 128, 128], "RFC 7714"),
    row(0x0008, "SRTP_AEAD_AES_256_GCM", [256, 96, 128, 128], "RFC 7714"),
    row(0x0009, "DOUBLE_AEAD_AES_128_GCM_AEAD_AES_128_GCM", [256, 192, 256, 256], "RFC 8723"),
    row(0x000a, "DOUBLE_AEAD_AES_256_GCM_AEAD_AES_256_GCM", [512, 192, 256, 256], "RFC 8723"),
    row(0x000b, "SRTP_ARIA_128_CTR_HMAC_SHA1_80", [128, 112, 80, 80], "RFC 8269"),
    row(0x000c, "SRTP_ARIA_128_CTR_HMAC_SHA1_32", [128, 112, 32, 80], "RFC 8269"),
    row(0x000d, "SRTP_ARIA_256_CTR_HMAC_SHA1_80", [256, 112, 80, 80], "RFC 8269"),
    row(0x000e, "SRTP_ARIA_256_CTR_HMAC_SHA1_32", [256, 112, 32, 80], "RFC 8269"),
    row(0x000f, "SRTP_AEAD_ARIA_128_GCM", [128, 96, 128, 128], "RFC 8269"),
    row(0x0010, "SRTP_AEAD_ARIA_256_GCM", [256, 96, 128, 128], "RFC 8269"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_in_order_and_found_by_number() {
        assert!(SRTP_PROFILES.is_sorted_by(|a, b| a.profile < b.profile));
        assert_eq!(SrtpProfile(1).name(), Some("SRTP_AES128_CM_HMAC_SHA1_80"));
        assert_eq!(SrtpProfile(0x11).to_string(), "0x0011");
        assert!(SRTP_PROFILES.iter().all(|row| row.rtcp_tag >= 80));
    }
}
