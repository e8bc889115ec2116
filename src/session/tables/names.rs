//! Text that repeats in every message (user names, realms, software, reason phrases), kept once.

use crate::net::Endpoint;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// A text that was seen, as a number that is cheap to keep and compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(std::num::NonZeroU32);

/// The texts behind the [`Name`]s, bounded in count and bytes.
#[derive(Debug)]
pub struct Names {
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    /// All texts, one after the other, and from where to where each is.
    texts: Vec<u8>,
    spans: Vec<(u32, u32)>,
    max_count: usize,
    max_bytes: usize,
    dropped: u64,
}

impl Names {
    /// An empty set that holds at most `max_count` texts of `max_bytes` bytes together.
    #[must_use]
    pub fn new(max_count: usize, max_bytes: usize) -> Self {
        Names {
            hasher: DefaultHashBuilder::default(),
            index: HashTable::new(),
            texts: Vec::new(),
            spans: Vec::new(),
            max_count,
            max_bytes,
            dropped: 0,
        }
    }

    /// The name of a text; `None` where it is new and the set is full.
    #[inline(never)]
    pub(in crate::session) fn intern(&mut self, text: &[u8]) -> Option<Name> {
        let hash = self.hasher.hash_one(text);
        let same = |&at: &u32| self.at(at) == text;
        let at = match self.index.find(hash, same) {
            Some(&at) => at,
            None => self.add(hash, text)?,
        };
        std::num::NonZeroU32::new(at.wrapping_add(1)).map(Name)
    }

    /// The name of a text that is probably that of `likely` again.
    #[inline(always)]
    pub(in crate::session) fn intern_like(&mut self, text: &[u8], likely: Option<Name>) -> Option<Name> {
        if likely.is_some_and(|name| self.bytes(name) == text) { likely } else { self.intern(text) }
    }

    fn add(&mut self, hash: u64, text: &[u8]) -> Option<u32> {
        let [start, end] = [self.texts.len(), self.texts.len() + text.len()].map(|place| u32::try_from(place).ok());
        let end = end.filter(|&end| self.spans.len() < self.max_count && end as usize <= self.max_bytes);
        let (Some(start), Some(end), Ok(at)) = (start, end, u32::try_from(self.spans.len())) else {
            self.dropped += 1;
            return None;
        };
        self.texts.extend_from_slice(text);
        self.spans.push((start, end));
        let (hasher, texts, spans) = (&self.hasher, &self.texts, &self.spans);
        self.index.insert_unique(hash, at, |&at| hasher.hash_one(piece(texts, spans, at)));
        Some(at)
    }

    fn at(&self, at: u32) -> &[u8] {
        piece(&self.texts, &self.spans, at)
    }

    /// The bytes of a name.
    #[must_use]
    pub fn bytes(&self, name: Name) -> &[u8] {
        self.at(name.0.get() - 1)
    }

    /// The text of a name; what is not UTF-8 in it is replaced. Names are UTF-8 (RFC 8489 §14.3), so what is not and as long as a USERHASH
    /// (§14.4) is one: it is shown by its first digits.
    #[must_use]
    pub fn text(&self, name: Name) -> String {
        let bytes = self.bytes(name);
        match std::str::from_utf8(bytes) {
            Ok(text) => text.trim_end_matches('\0').to_owned(),
            Err(_) => match bytes {
                [a, b, c, d, ..] if bytes.len() == 32 => format!("hash {a:02x}{b:02x}{c:02x}{d:02x}…"),
                _ => String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned(),
            },
        }
    }

    /// How many times a new text found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A keyed hash of bytes that are only compared, never shown (nonces, whole messages).
    #[must_use]
    pub fn digest(&self, bytes: &[u8]) -> u64 {
        self.hasher.hash_one(bytes)
    }

    /// The same of bytes that one end sent to another.
    pub(in crate::session) fn digest_between(&self, src: Endpoint, dst: Endpoint, bytes: &[u8]) -> u64 {
        self.hasher.hash_one((src, dst, bytes))
    }
}

/// The text with this number.
#[inline]
fn piece<'t>(texts: &'t [u8], spans: &[(u32, u32)], at: u32) -> &'t [u8] {
    let (start, end) = spans.get(at as usize).copied().unwrap_or_default();
    texts.get(start as usize..end as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_has_the_same_name() {
        let mut names = Names::new(10, 100);
        let user = names.intern(b"turnuser").unwrap();
        assert_eq!(names.intern(b"turnuser"), Some(user));
        assert_ne!(names.intern(b"other"), Some(user));
        assert_eq!(names.text(user), "turnuser");
    }

    #[test]
    fn a_full_set_drops_new_texts_and_counts_them() {
        let mut names = Names::new(2, 6);
        let first = names.intern(b"abc").unwrap();
        assert!(names.intern(b"defg").is_none());
        assert!(names.intern(b"def").is_some());
        assert!(names.intern(b"g").is_none());
        assert_eq!(names.intern(b"abc"), Some(first));
        assert_eq!(names.dropped(), 2);
    }
}
