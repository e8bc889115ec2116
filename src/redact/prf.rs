//! The keyed function that all replacements come from: HMAC-SHA-256.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// What one run replaces by. Two runs with one key give the same; without the key nobody finds the way back.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    /// A key of 32 bytes that nobody can guess.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Key(Zeroizing::new(bytes))
    }

    /// A key from the operating system's random numbers.
    ///
    /// # Errors
    /// Where the system has none to give.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).map_err(std::io::Error::other)?;
        Ok(Key(bytes))
    }

    /// 32 bytes for what the parts say together.
    pub(super) fn block(&self, parts: &[&[u8]]) -> [u8; 32] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_ref()) else { return [0; 32] };
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// As many bytes as wanted.
    pub(super) fn bytes(&self, parts: &[&[u8]], length: usize) -> Vec<u8> {
        let seed = self.block(parts);
        let mut bytes = Vec::with_capacity(length.next_multiple_of(32));
        let mut counter = 0_u64;
        while bytes.len() < length {
            bytes.extend(self.block(&[b"stream", &seed, &counter.to_be_bytes()]));
            counter += 1;
        }
        bytes.truncate(length);
        bytes
    }
}
