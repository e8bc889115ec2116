//! Names for names: each word of a name by another of the same length and shape, the same one everywhere.

use super::prf::Key;
use crate::session::credentials::rest_expiry;
use crate::session::is_likely;
use crate::wire::stun::nonce;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Words kept, so that no two become the same. Further ones are replaced as surely, only that two short ones may become one.
const WORDS: usize = 1 << 18;
/// Bytes of these.
const HELD: usize = 64 << 20;

/// Products that make servers answer in a way of their own; rules ask for them.
const PRODUCTS: [&str; 5] = ["rfc5766-turn-server", "coturn", "pion", "stunner", "livekit"];

/// Ends of names that say what kind of name it is.
const ENDS: [&str; 2] = ["local", "arpa"];

pub(super) struct Names {
    key: Key,
    words: HashMap<Vec<u8>, Vec<u8>>,
    taken: HashSet<Vec<u8>>,
    held: usize,
}

impl Names {
    pub(super) fn new(key: Key) -> Self {
        Names { key, words: HashMap::new(), taken: HashSet::new(), held: 0 }
    }

    /// All words that were replaced and by what.
    pub(super) fn words(&self) -> BTreeMap<String, String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.words.iter().map(|(from, to)| (text(from), text(to))).collect()
    }

    /// A user name, realm, host name or whatever else names something. The expiry of a time-limited user name stays.
    pub(super) fn name(&mut self, text: &[u8]) -> Vec<u8> {
        let digits = |byte: &&u8| byte.is_ascii_digit();
        let (mut head, mut tail) = (0, 0);
        if rest_expiry(text).is_some() {
            let start = text.iter().take_while(digits).count();
            (head, tail) = if start >= 9 { (start, 0) } else { (0, text.iter().rev().take_while(digits).count()) };
        }
        let inner = text.get(head..text.len() - tail).unwrap_or_default();
        let mut result = text.get(..head).unwrap_or_default().to_vec();
        let words = inner.split_inclusive(|&byte| is_separator(byte));
        let mut dotted = false;
        for word in words {
            let (word, separator) = match word.split_last() {
                Some((&last, word)) if is_separator(last) => (word, Some(last)),
                _ => (word, None),
            };
            let kept = dotted && separator.is_none() && is_end(word);
            result.extend(if kept { word.to_vec() } else { self.word(word) });
            result.extend(separator);
            dotted |= separator == Some(b'.');
        }
        result.extend(text.get(text.len() - tail..).unwrap_or_default());
        result
    }

    /// A label of a name in DNS. Labels of services, and those that say which tree it is, stay.
    pub(super) fn label(&mut self, label: &[u8]) -> Vec<u8> {
        let kept = label.first() == Some(&b'_') || is_end(label) || matches!(label, b"in-addr" | b"ip6");
        if kept { label.to_vec() } else { self.name(label) }
    }

    /// A text with those of its words replaced that are known from names.
    pub(super) fn known(&self, text: &str) -> String {
        let mut result = Vec::new();
        for part in text.as_bytes().split_inclusive(|&byte| is_separator(byte)) {
            let (word, separator) = match part.split_last() {
                Some((&last, word)) if is_separator(last) => (word, Some(last)),
                _ => (part, None),
            };
            match self.words.get(&word.to_ascii_lowercase()) {
                Some(other) => result.extend(cased(other, word)),
                None => result.extend(word),
            }
            result.extend(separator);
        }
        String::from_utf8_lossy(&result).into_owned()
    }

    /// A nonce. What says which features the server has (RFC 8489 §9.2), and when coturn issued it, stays.
    pub(super) fn nonce(&mut self, text: &[u8]) -> Vec<u8> {
        let kept = if nonce::features(text).is_some() {
            13
        } else if nonce::coturn_issued_at(text).is_some() {
            8
        } else {
            0
        };
        let (head, rest) = text.split_at_checked(kept).unwrap_or((&[], text));
        let other = if rest.len() < 12 { self.word(rest) } else { shaped(&self.key, b"nonce", 0, rest) };
        head.iter().copied().chain(other).collect()
    }

    /// The name of a product and its version: the product stays where answers are read by it.
    pub(super) fn software(&mut self, text: &[u8]) -> Vec<u8> {
        let lower = text.to_ascii_lowercase();
        let mut result = self.name(text);
        for product in PRODUCTS {
            let found = lower.windows(product.len()).position(|window| window == product.as_bytes());
            if let Some(at) = found
                && let (Some(to), Some(from)) =
                    (result.get_mut(at..at + product.len()), text.get(at..at + product.len()))
            {
                to.copy_from_slice(from);
                break;
            }
        }
        result
    }

    /// Bytes without meaning to anybody but who made them.
    pub(super) fn opaque(&self, bytes: &[u8]) -> Vec<u8> {
        self.key.bytes(&[b"opaque", bytes], bytes.len())
    }

    fn word(&mut self, word: &[u8]) -> Vec<u8> {
        let lower = word.to_ascii_lowercase();
        if let Some(known) = self.words.get(&lower) {
            return cased(known, word);
        }
        if !lower.iter().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii()) {
            return word.to_vec();
        }
        // what kind of server a name is for stays: `turn`, of `stuns-eu` the first five letters
        let kind =
            if says_server(&lower) { lower.iter().take_while(|byte| byte.is_ascii_alphabetic()).count() } else { 0 };
        let (head, rest) = lower.split_at_checked(kind).unwrap_or((&[], &lower));
        if rest.is_empty() {
            return word.to_vec();
        }
        let mut other = Vec::new();
        for attempt in 0..64 {
            other = [head, &shaped(&self.key, b"word", attempt, rest)].concat();
            let free = other != lower && !self.taken.contains(&other) && !self.words.contains_key(&other);
            if free && says_server(&other) == says_server(&lower) {
                break;
            }
        }
        // the word, what it becomes, and that this is taken
        let size = 3 * other.len();
        if self.words.len() < WORDS && self.held + size <= HELD {
            self.held += size;
            self.taken.insert(other.clone());
            self.words.insert(lower, other.clone());
        }
        cased(&other, word)
    }
}

fn says_server(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(is_likely)
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b':' | b'@' | b'.' | b'\\' | b'"' | b'\'' | b'<' | b'>' | b'(' | b')' | b',' | b';' | 0..=b' ')
}

fn is_end(word: &[u8]) -> bool {
    ENDS.iter().any(|end| word.eq_ignore_ascii_case(end.as_bytes()))
}

/// The same word with capitals where another has them.
fn cased(word: &[u8], like: &[u8]) -> Vec<u8> {
    let pairs = word.iter().zip(like);
    pairs.map(|(byte, like)| if like.is_ascii_uppercase() { byte.to_ascii_uppercase() } else { *byte }).collect()
}

/// Digits for digits, letters for letters; for hexadecimal letters such letters in what may be a number; punctuation stays.
fn shaped(key: &Key, domain: &[u8], attempt: u32, text: &[u8]) -> Vec<u8> {
    let random = key.bytes(&[domain, &attempt.to_be_bytes(), text], text.len());
    let alphanumeric = || text.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let letters = if alphanumeric().count() >= 8 && alphanumeric().all(u8::is_ascii_hexdigit) { 6 } else { 26 };
    let mut result: Vec<u8> = text
        .iter()
        .zip(&random)
        .map(|(&byte, &random)| match byte {
            b'0'..=b'9' => b'0' + random % 10,
            b'a'..=b'z' => b'a' + random % letters,
            b'A'..=b'Z' => b'A' + random % letters,
            0x80.. => 0x80 | random,
            _ => byte,
        })
        .collect();
    // characters stay characters of as many bytes
    if let Ok(text) = std::str::from_utf8(text) {
        for (at, char) in text.char_indices().filter(|(_, char)| !char.is_ascii()) {
            let random = u32::from(random.get(at).copied().unwrap_or_default());
            let other = match char.len_utf8() {
                2 => 0xe0 + random % 0x17,
                3 => 0x3042 + random % 80,
                _ => 0x1_f600 + random % 64,
            };
            let mut buffer = [0; 4];
            let bytes = char::from_u32(other).unwrap_or(char).encode_utf8(&mut buffer).as_bytes();
            if let Some(place) = result.get_mut(at..at + char.len_utf8())
                && place.len() == bytes.len()
            {
                place.copy_from_slice(bytes);
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(Key::new([3; 32]))
    }

    #[test]
    fn words_are_replaced_in_their_shape_and_everywhere_by_the_same() {
        let mut names = names();
        let user = names.name(b"Alice.Example@example.org");
        assert_eq!(user.len(), 25);
        assert_eq!((user[5], user[13]), (b'.', b'@'));
        assert!(user[0].is_ascii_uppercase() && user[1].is_ascii_lowercase());
        assert_eq!(user[6..13].to_ascii_lowercase(), user[14..21]);
        assert_eq!(names.name(b"example.org"), user[14..]);
    }

    #[test]
    fn both_sides_of_an_ice_user_name_are_fragments_of_their_own() {
        let mut names = names();
        let (one, other) = (names.name(b"aB3+"), names.name(b"Zz/9"));
        assert_eq!(names.name(b"aB3+:Zz/9"), [one, b":".to_vec(), other].concat());
    }

    #[test]
    fn expiries_nonce_cookies_products_and_local_stay() {
        let mut names = names();
        assert!(names.name(b"1767225600:alice").starts_with(b"1767225600:"));
        assert!(!names.name(b"1767225600:alice").ends_with(b"alice"));
        assert!(names.nonce(b"obMatJos2gAAAf//499k954d6OL34oL9FSTvy64sA").starts_with(b"obMatJos2gAAA"));
        assert!(names.name(b"turn-eu.example.org").starts_with(b"turn-"));
        assert!(names.software(b"Coturn-4.6.1 'Gorst'").starts_with(b"Coturn-"));
        assert!(!names.software(b"Coturn-4.6.1 'Gorst'").ends_with(b"'Gorst'"));
        assert!(names.name(b"0b0b0b0b-1111-2222-3333-444444444444.local").ends_with(b".local"));
    }

    #[test]
    fn text_beyond_ascii_stays_text_of_the_same_length() {
        let other = names().name("Gräfin マトリックス".as_bytes());
        assert_eq!(std::str::from_utf8(&other).unwrap().chars().count(), "Gräfin マトリックス".chars().count());
    }
}
