//! What stands in a table.

use crate::report::{Address, Time, Transport};
use crate::time::Timestamp;
use serde::Serialize;
use std::borrow::Cow;

/// A value in a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Not known, or does not apply.
    Null,
    /// Text, as the capture has it.
    Text(Cow<'a, str>),
    /// An address, which stands as text, too; it is not made one before it is written down.
    Address(Address),
    /// A number that cannot be negative.
    Unsigned(u64),
    /// A number.
    Signed(i64),
    /// Yes or no.
    Flag(bool),
    /// Nanoseconds since 1970, UTC.
    Time(i64),
}

/// What all values of a column are, where they are not null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Cell::Text`].
    Text,
    /// [`Cell::Unsigned`].
    Unsigned,
    /// [`Cell::Signed`].
    Signed,
    /// [`Cell::Flag`].
    Flag,
    /// [`Cell::Time`].
    Time,
}

impl Cell<'_> {
    /// Its kind; `None` of a null, which stands in any column.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Cell::Null => None,
            Cell::Text(_) | Cell::Address(_) => Some(Kind::Text),
            Cell::Unsigned(_) => Some(Kind::Unsigned),
            Cell::Signed(_) => Some(Kind::Signed),
            Cell::Flag(_) => Some(Kind::Flag),
            Cell::Time(_) => Some(Kind::Time),
        }
    }

    /// The word that JSON has for a value.
    pub(super) fn word(value: &impl Serialize) -> Cell<'static> {
        match serde_json::to_value(value) {
            Ok(serde_json::Value::String(word)) => Cell::Text(word.into()),
            _ => Cell::Null,
        }
    }

    /// A list in one text.
    pub(super) fn list<T: AsRef<str>>(list: &[T]) -> Cell<'static> {
        let mut text = String::new();
        for (index, item) in list.iter().enumerate() {
            if index > 0 {
                text.push(' ');
            }
            text.push_str(item.as_ref());
        }
        Cell::Text(text.into())
    }
}

macro_rules! cells {
    ($($kind:ty: $cell:ident = |$value:ident| $inner:expr;)+) => {$(
        impl<'a> From<$kind> for Cell<'a> {
            fn from($value: $kind) -> Self {
                Cell::$cell($inner)
            }
        }
    )+};
}

cells! {
    &'a str: Text = |text| text.into();
    &'a String: Text = |text| text.as_str().into();
    String: Text = |text| text.into();
    Transport: Text = |transport| transport.word().into();
    Address: Address = |address| address;
    Time: Time = |time| time.at.0;
    Timestamp: Time = |time| time.0;
    u64: Unsigned = |number| number;
    u32: Unsigned = |number| number.into();
    u16: Unsigned = |number| number.into();
    u8: Unsigned = |number| number.into();
    i64: Signed = |number| number;
    bool: Flag = |flag| flag;
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Null, Into::into)
    }
}
