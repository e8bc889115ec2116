//! A list of passwords, one a line: kept as the file is, so that a million lines cost little more than their bytes.

use super::base_name;
use super::error::FileError;
use std::fmt;
use zeroize::Zeroizing;

/// The lines of a file of passwords.
pub(super) struct Words {
    origin: String,
    text: Zeroizing<Vec<u8>>,
    lines: Vec<Line>,
}

/// Where a password stands.
struct Line {
    start: u32,
    end: u32,
    /// Counted from 1, empty lines too.
    number: u32,
}

impl Words {
    /// Splits a file. Bytes, not text: passwords in old encodings are tried as they are.
    pub(super) fn new(text: Vec<u8>, origin: &str) -> Result<Self, FileError> {
        let text = Zeroizing::new(text);
        if u32::try_from(text.len()).is_err() {
            return Err(FileError::new(origin, None, "too large for a list of passwords"));
        }
        let mark = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut lines = Vec::new();
        let mut start = mark;
        for (number, line) in (1u32..).zip(text.get(mark..).unwrap_or_default().split(|&byte| byte == b'\n')) {
            let end = start + line.strip_suffix(b"\r").unwrap_or(line).len();
            if let (Ok(start), Ok(end), true) = (u32::try_from(start), u32::try_from(end), start < end) {
                lines.push(Line { start, end, number });
            }
            start += line.len() + 1;
        }
        if lines.is_empty() {
            return Err(FileError::nothing(origin, "one password a line"));
        }
        Ok(Words { origin: base_name(origin).to_owned(), text, lines })
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        let line = self.lines.get(index)?;
        self.text.get(usize::try_from(line.start).ok()?..usize::try_from(line.end).ok()?)
    }

    /// `passwords.txt line 3`.
    pub(super) fn label(&self, index: usize) -> Option<String> {
        Some(format!("{} line {}", self.origin, self.lines.get(index)?.number))
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({} of {})", self.lines.len(), self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<(String, Vec<u8>)> {
        let words = Words::new(text.to_vec(), "lists/passwords.txt").expect("a list");
        (0..words.len()).map(|n| (words.label(n).expect("label"), words.get(n).expect("word").to_vec())).collect()
    }

    fn line(number: u32, word: &[u8]) -> (String, Vec<u8>) {
        (format!("passwords.txt line {number}"), word.to_vec())
    }

    #[test]
    fn each_line_is_a_password() {
        assert_eq!(all(b"one\ntwo three \n\nfour"), [line(1, b"one"), line(2, b"two three "), line(4, b"four")]);
    }

    #[test]
    fn byte_order_mark_and_carriage_returns_are_no_part_of_it() {
        assert_eq!(all(b"\xef\xbb\xbfone\r\ntwo\r\n"), [line(1, b"one"), line(2, b"two")]);
    }

    #[test]
    fn other_encodings_than_utf_8_are_kept_byte_for_byte() {
        assert_eq!(all(b"caf\xe9\n"), [line(1, b"caf\xe9")]);
    }

    #[test]
    fn an_empty_list_is_refused() {
        for text in [&b""[..], b"\n\r\n", b"\xef\xbb\xbf"] {
            let error = Words::new(text.to_vec(), "p.txt").expect_err("empty");
            assert_eq!(error.to_string(), "p.txt: no credential in it; expected one password a line");
        }
    }
}
