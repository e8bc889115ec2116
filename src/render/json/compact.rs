//! JSON on one line, straight into memory.
//!
//! A batch writes a report a capture, and most bytes of these are names of fields, addresses and numbers: here names are copied as they are, and a text is
//! looked at once, as a whole. What needs escaping goes the long way. The bytes are those of the other serialiser, which a test asserts on every sample.

use super::{CompactFormatter, Tame};
use serde::ser::{self, Serialize};
use serde_json::{Error, ser::Serializer as LongWay};
use std::fmt::Display;
use std::io::Write as _;

/// Writes a value behind what is there.
pub(super) fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
    value.serialize(Compact(out))
}

struct Compact<'o>(&'o mut Vec<u8>);

/// An array or object that is open.
struct Open<'o> {
    out: &'o mut Vec<u8>,
    is_filled: bool,
    end: &'static str,
}

impl<'o> Open<'o> {
    fn new(out: &'o mut Vec<u8>, begin: u8, end: &'static str) -> Self {
        out.push(begin);
        Open { out, is_filled: false, end }
    }

    /// Of an enum's variant that holds something: `{"name":[` or `{"name":{`.
    fn variant(out: &'o mut Vec<u8>, name: &str, begin: u8, end: &'static str) -> Self {
        out.push(b'{');
        text(out, name);
        out.push(b':');
        Open::new(out, begin, end)
    }

    #[inline]
    fn next(&mut self) {
        if self.is_filled {
            self.out.push(b',');
        }
        self.is_filled = true;
    }

    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.next();
        value.serialize(Compact(self.out))
    }

    /// A field. Its name is one of this program's, in which nothing needs escaping.
    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.next();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        value.serialize(Compact(self.out))
    }

    fn close(self) {
        self.out.extend_from_slice(self.end.as_bytes());
    }
}

/// Whether a text stands in JSON, and on a terminal, as it is. A look at all bytes at once tells.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    text.iter().fold(true, |plain, byte| plain & (b' '..0x7f).contains(byte) & (*byte != b'"') & (*byte != b'\\'))
}

#[inline]
fn text(out: &mut Vec<u8>, text: &str) {
    if !is_plain(text.as_bytes()) {
        return escaped(out, text);
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

#[cold]
fn escaped(out: &mut Vec<u8>, text: &str) {
    let _ = text.serialize(&mut LongWay::with_formatter(out, Tame(CompactFormatter))); // to memory it cannot fail
}

macro_rules! numbers {
    ($($name:ident: $kind:ty),+) => {$(
        #[inline]
        fn $name(self, value: $kind) -> Result<(), Error> {
            (&mut LongWay::new(self.0)).$name(value)
        }
    )+};
}

impl<'o> ser::Serializer for Compact<'o> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Open<'o>;
    type SerializeTuple = Open<'o>;
    type SerializeTupleStruct = Open<'o>;
    type SerializeTupleVariant = Open<'o>;
    type SerializeMap = Open<'o>;
    type SerializeStruct = Open<'o>;
    type SerializeStructVariant = Open<'o>;

    numbers! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128, serialize_u8: u8,
        serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_f32: f32, serialize_f64: f64,
        serialize_bytes: &[u8]
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        text(self.0, value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Error> {
        text(self.0, value);
        Ok(())
    }

    #[inline]
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        let begun = self.0.len();
        self.0.push(b'"');
        write!(self.0, "{value}").map_err(Error::io)?;
        if is_plain(self.0.get(begun + 1..).unwrap_or_default()) {
            self.0.push(b'"');
        } else {
            let shown = String::from_utf8_lossy(self.0.get(begun + 1..).unwrap_or_default()).into_owned();
            self.0.truncate(begun);
            escaped(self.0, &shown);
        }
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Error> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let mut object = Open::new(self.0, b'{', "}");
        object.field(variant, value)?;
        object.close();
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'o>, Error> {
        Ok(Open::new(self.0, b'[', "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'o>, Error> {
        Ok(Open::new(self.0, b'[', "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'o>, Error> {
        Ok(Open::new(self.0, b'[', "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'o>, Error> {
        Ok(Open::variant(self.0, variant, b'[', "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'o>, Error> {
        Ok(Open::new(self.0, b'{', "}"))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'o>, Error> {
        Ok(Open::new(self.0, b'{', "}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'o>, Error> {
        Ok(Open::variant(self.0, variant, b'{', "}}"))
    }
}

macro_rules! lists {
    ($($list:ident: $item:ident),+) => {$(
        impl ser::$list for Open<'_> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )+};
}

lists! {
    SerializeSeq: serialize_element, SerializeTuple: serialize_element, SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field
}

macro_rules! structs {
    ($($kind:ident),+) => {$(
        impl ser::$kind for Open<'_> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )+};
}

structs! { SerializeStruct, SerializeStructVariant }

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.next();
        let begun = self.out.len();
        key.serialize(Compact(self.out))?;
        // numbers are keys as texts
        if self.out.get(begun) != Some(&b'"') {
            self.out.insert(begun, b'"');
            self.out.push(b'"');
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(b':');
        value.serialize(Compact(self.out))
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    #[derive(serde::Serialize)]
    enum Kind {
        Plain,
        Held(u8),
        Pair(i64, f64),
        Named { at: Option<bool>, text: &'static str },
    }

    #[test]
    fn it_is_what_the_other_serialiser_writes() {
        let value = (
            [
                Kind::Plain,
                Kind::Held(7),
                Kind::Pair(-3, 1.5),
                Kind::Named { at: Some(true), text: "a \"b\" \\ \n\u{1b}[2J 東\u{202e}" },
            ],
            BTreeMap::from([(1_u32, "one"), (2, "two \u{7f}")]),
            BTreeMap::from([("k\"ey", ()), ("", ())]),
            (f64::NAN, u64::MAX, i128::MIN, 'x', '"', IpAddr::from([192, 0, 2, 1])),
            Vec::<u8>::new(),
            BTreeMap::<String, u8>::new(),
        );
        let mut fast = b"before ".to_vec();
        write(&mut fast, &value).unwrap();
        let mut long = b"before ".to_vec();
        value.serialize(&mut LongWay::with_formatter(&mut long, Tame(CompactFormatter))).unwrap();
        assert_eq!(String::from_utf8(fast).unwrap(), String::from_utf8(long).unwrap());
    }
}
