//! Reports as JSON.

use crate::render::escape::is_unsafe;
use crate::report::Report;
use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter, Serializer};
use std::io::{self, Write};

/// Writes a report as indented JSON with a newline at the end.
///
/// # Errors
/// Whatever the writer fails with.
pub fn report(out: &mut impl Write, report: &Report) -> io::Result<()> {
    report.serialize(&mut Serializer::with_formatter(&mut *out, Tame(PrettyFormatter::new())))?;
    out.write_all(b"\n")
}

/// Writes a value as JSON on one line, without a newline.
///
/// # Errors
/// Whatever the writer fails with.
pub fn compact(out: &mut impl Write, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Tame(CompactFormatter)))?;
    Ok(())
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
        // nearly every text is plain, and a look at the bytes tells
        if fragment.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
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
    fn strings_of_a_capture_stay_what_they_are_and_drive_no_terminal() {
        let evil = "a\x1b[2J\u{9b}\u{202e}\u{e0001}\"\\\n東京";
        let mut out = Vec::new();
        compact(&mut out, &[evil]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains(is_unsafe), "{text:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [evil]);
    }
}
