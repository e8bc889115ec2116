//! FINGERPRINT, the checksum that tells STUN from what shares its port (RFC 8489 §14.7).

use super::Message;
use super::attribute::{Attribute, AttributeCode};
use std::sync::LazyLock;

/// XORed over the checksum, so that it differs from one of the application's own: "STUN".
const XOR: u32 = 0x5354_554e;

/// What a FINGERPRINT is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fingerprint {
    /// It fits the message.
    Ok,
    /// It does not: the message was changed on its way, or is none.
    Bad,
    /// The capture does not have all of it.
    Truncated,
}

impl<'a> Message<'a> {
    /// Checks the first FINGERPRINT; `None` where there is none, as far as the capture shows.
    ///
    /// Windows Live Messenger 2009 and early MS-ICE2 compute it with one wrong entry in their CRC table; that is `Ok` too.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        // Where the last eight bytes look like one and fit, they are: that spares the walk over the attributes. What only looks like
        // one, in the DATA of a relayed message, does not fit.
        if let Some((covered, &[0x80, 0x28, 0, 4, a, b, c, d])) = self.bytes().split_last_chunk::<8>()
            && covered.len() + 8 == 20 + usize::from(self.declared_length())
            && checksum(covered) ^ XOR == u32::from_be_bytes([a, b, c, d])
        {
            return Some(Fingerprint::Ok);
        }
        let attribute = self.attributes().find(|attribute| attribute.code == AttributeCode::FINGERPRINT)?;
        Some(self.check_fingerprint(&attribute))
    }

    fn check_fingerprint(&self, attribute: &Attribute<'_>) -> Fingerprint {
        let Ok(value) = <[u8; 4]>::try_from(attribute.value) else {
            let cut = self.truncated() && !attribute.is_whole();
            return if cut { Fingerprint::Truncated } else { Fingerprint::Bad };
        };
        let wanted = u32::from_be_bytes(value) ^ XOR;
        let covered = self.bytes().get(..attribute.offset).unwrap_or_default();
        let (length, rest) = (self.declared_length(), covered.get(4..).unwrap_or_default());
        // The length that counts is the one up to FINGERPRINT itself, which is the header's where it is last, as it must be.
        let own = u16::try_from(attribute.offset.saturating_sub(12)).unwrap_or(u16::MAX);
        if crc32fast::hash(covered) == wanted
            || (own != length && with_length(self.message_type(), own, rest) == wanted)
            || ms_crc(covered) == wanted
        {
            Fingerprint::Ok
        } else {
            Fingerprint::Bad
        }
    }
}

/// The checksum of a message up to its FINGERPRINT. What the processor can do is asked once and not for every message.
#[inline]
fn checksum(bytes: &[u8]) -> u32 {
    static READY: LazyLock<crc32fast::Hasher> = LazyLock::new(crc32fast::Hasher::new);
    let mut hasher = READY.clone();
    hasher.update(bytes);
    hasher.finalize()
}

/// The checksum with another length in the header.
fn with_length(message_type: u16, length: u16, rest: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&message_type.to_be_bytes());
    hasher.update(&length.to_be_bytes());
    hasher.update(rest);
    hasher.finalize()
}

/// CRC-32 with the table of Windows Live Messenger 2009, one of whose entries is wrong.
#[cold]
fn ms_crc(bytes: &[u8]) -> u32 {
    const RIGHT: u32 = 0x8bbe_b8ea;
    const WRONG: u32 = 0x08bb_e8ea;
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        let mut entry = (crc ^ u32::from(byte)) & 0xff;
        for _ in 0..8 {
            entry = if entry & 1 != 0 { entry >> 1 ^ 0xedb8_8320 } else { entry >> 1 };
        }
        crc >> 8 ^ if entry == RIGHT { WRONG } else { entry }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_with(fingerprint: impl Fn(&[u8]) -> u32) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let value = fingerprint(&bytes) ^ XOR;
        bytes.extend([0x80, 0x28, 0, 4]);
        bytes.extend(value.to_be_bytes());
        bytes
    }

    #[test]
    fn right_and_wrong_checksums_are_told_apart() {
        let mut bytes = message_with(crc32fast::hash);
        assert_eq!(Message::recognise(&bytes, false).unwrap().fingerprint(), Some(Fingerprint::Ok));
        bytes[9] ^= 1;
        assert_eq!(Message::recognise(&bytes, false).unwrap().fingerprint(), Some(Fingerprint::Bad));
        assert_eq!(Message::recognise(&bytes[..26], true).unwrap().fingerprint(), Some(Fingerprint::Truncated));
        assert_eq!(Message::recognise(&bytes[..22], true).unwrap().fingerprint(), None);
    }

    #[test]
    fn the_wrong_table_of_windows_live_messenger_is_accepted() {
        // A message that runs into the wrong entry: only then do the two differ.
        let mut bytes = message_with(ms_crc);
        for byte in 0..=255 {
            bytes[19] = byte;
            let value = ms_crc(&bytes[..20]) ^ XOR;
            bytes[24..].copy_from_slice(&value.to_be_bytes());
            assert_eq!(Message::recognise(&bytes, false).unwrap().fingerprint(), Some(Fingerprint::Ok));
        }
        assert!((0..=255u8).any(|byte| ms_crc(&[byte]) != crc32fast::hash(&[byte])));
    }

    #[test]
    fn the_fingerprint_of_a_relayed_message_is_not_that_of_the_message_around_it() {
        let inner = message_with(crc32fast::hash);
        let mut outer =
            vec![0, 0x16, 0, 32, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 0x13, 0, 28];
        outer.extend(&inner);
        assert_eq!(Message::recognise(&outer, false).unwrap().fingerprint(), None);
    }

    #[test]
    fn a_fingerprint_that_is_not_last_is_checked_up_to_itself() {
        let mut bytes = message_with(crc32fast::hash);
        bytes.extend([0x80, 0x22, 0, 0]);
        bytes[3] += 4;
        assert_eq!(Message::recognise(&bytes, false).unwrap().fingerprint(), Some(Fingerprint::Ok));
    }
}
