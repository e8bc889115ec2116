//! Reports as JSON.

mod compact;

use crate::render::escape::is_unsafe;
use crate::report::Report;
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};
use std::io::{self, Write};

/// Writes a report as indented JSON with a newline at the end.
///
/// # Errors
/// Whatever the writer fails with.
pub fn report(out: &mut impl Write, report: &Report) -> io::Result<()> {
    report.serialize(&mut Serializer::with_formatter(&mut *out, Tame(Indented::default())))?;
    out.write_all(b"\n")
}

/// Appends a report as JSON on one line, with a newline at the end: what [`compact`] gives, in less time.
///
/// # Errors
/// None that a report causes.
pub fn line(out: &mut Vec<u8>, report: &Report) -> io::Result<()> {
    compact::write(out, report)?;
    out.push(b'\n');
    Ok(())
}

/// Writes a value as JSON on one line, without a newline.
///
/// # Errors
/// Whatever the writer fails with.
pub fn compact(out: &mut impl Write, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Tame(CompactFormatter)))?;
    Ok(())
}

/// Two blanks for each level, each line begun by one write: reports are mostly short lines.
#[derive(Default)]
struct Indented {
    level: usize,
    /// Whether the array or object that is open has anything in it.
    filled: bool,
}

impl Indented {
    fn line<W: Write + ?Sized>(&self, writer: &mut W, comma: bool) -> io::Result<()> {
        const LINE: &str = ",\n                                        ";
        let (from, blanks) = (usize::from(!comma), 2 * self.level);
        if let Some(line) = LINE.get(from..2 + blanks) {
            return writer.write_all(line.as_bytes());
        }
        writer.write_all(if comma { b",\n" } else { b"\n" })?;
        (0..self.level).try_for_each(|_| writer.write_all(b"  "))
    }

    fn open<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: u8) -> io::Result<()> {
        self.level += 1;
        self.filled = false;
        writer.write_all(&[bracket])
    }

    fn close<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: u8) -> io::Result<()> {
        self.level = self.level.saturating_sub(1);
        if self.filled {
            self.line(writer, false)?;
        }
        self.filled = true;
        writer.write_all(&[bracket])
    }
}

impl Formatter for Indented {
    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b'[')
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b']')
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.filled = true;
        self.line(writer, !first)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b'{')
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b'}')
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.begin_array_value(writer, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// Escapes in strings, beyond what JSON asks for, everything that a terminal could obey: reports are looked at, too.
struct Tame<F>(F);

macro_rules! forward {
    ($($name:ident($($argument:ident: $kind:ty),*);)+) => {$(
        fn $name<W: Write + ?Sized>(&mut self, writer: &mut W $(, $argument: $kind)*) -> io::Result<()> {
            self.0.$name(writer $(, $argument)*)
        }
    )+};
}

impl<F: Formatter> Formatter for Tame<F> {
    forward! {
        begin_array(); end_array(); begin_array_value(first: bool); end_array_value();
        begin_object(); end_object(); begin_object_key(first: bool); end_object_key();
        begin_object_value(); end_object_value();
    }

    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // nearly every text is plain, and a look at all bytes at once tells
        if fragment.bytes().fold(true, |plain, byte| plain & (b' '..0x7f).contains(&byte)) {
            return self.0.write_string_fragment(writer, fragment);
        }
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            let (before, from) = rest.split_at(at);
            self.0.write_string_fragment(writer, before)?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = from.get(c.len_utf8()..).unwrap_or_default();
        }
        self.0.write_string_fragment(writer, rest)
    }

    fn write_char_escape<W: Write + ?Sized>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        self.0.write_char_escape(writer, escape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_report_has_every_field_of_the_interface() {
        let mut out = Vec::new();
        report(&mut out, &Report::default()).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        for field in [
            "schema",
            "captures",
            "verdict",
            "headline",
            "headline_finding",
            "counts",
            "servers",
            "transactions",
            "authentications",
            "allocations",
            "candidates",
            "nat",
            "media",
            "credentials",
            "findings",
        ] {
            assert!(json.get(field).is_some(), "{field}");
        }
        assert_eq!(json["verdict"], "nothing-found");
        assert!(json["headline_finding"].is_null());
        assert!(out.ends_with(b"}\n"));
    }

    #[test]
    fn it_is_indented_as_is_usual() {
        let deep = (0..60).fold(serde_json::json!([[], {}, [1, {}]]), |inner, level| match level % 3 {
            0 => serde_json::json!({ "a": inner, "b": [], "c": {} }),
            1 => serde_json::json!([inner, "x", null]),
            _ => serde_json::json!([[], inner]),
        });
        let mut out = Vec::new();
        deep.serialize(&mut Serializer::with_formatter(&mut out, Tame(Indented::default()))).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string_pretty(&deep).unwrap());
    }

    #[test]
    fn strings_of_a_capture_stay_what_they_are_and_drive_no_terminal() {
        let evil = "a\x1b[2J\u{9b}\u{202e}\u{e0001}\"\\\n東京";
        let mut out = Vec::new();
        compact(&mut out, &[evil]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains(is_unsafe), "{text:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [evil]);
    }
}
