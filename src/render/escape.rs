//! Text from a capture, made harmless for a terminal.

pub use crate::wire::stun::is_unsafe;
use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with everything that a terminal would obey instead of print written as an escape: control characters (`\n`, `\x1b`),
/// and the marks that turn the direction of writing or hide (`\u{202e}`).
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        push(&mut out, c);
    }
    Cow::Owned(out)
}

/// Appends one character, as an escape if it is unsafe.
pub fn push(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if !is_unsafe(c) => out.push(c),
        c if (c as u32) < 0x100 => {
            let _ = write!(out, "\\x{:02x}", c as u32); // writing to a String cannot fail
        }
        c => {
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_left_alone() {
        assert!(matches!(escape("Jürgen's Gerät, 東京"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(escape("a\x1b[2Jb\nc\td\0\u{9b}31m"), "a\\x1b[2Jb\\nc\\td\\x00\\x9b31m");
        assert_eq!(escape("evil\u{202e}gnp.exe"), "evil\\u{202e}gnp.exe");
    }
}
