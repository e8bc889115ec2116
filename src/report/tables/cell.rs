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

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Cell::Text(text.into())
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        Cell::Text(text.as_str().into())
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Cell::Text(text.into())
    }
}

impl From<Address> for Cell<'_> {
    fn from(address: Address) -> Self {
        Cell::Address(address)
    }
}

impl From<Transport> for Cell<'_> {
    fn from(transport: Transport) -> Self {
        Cell::Text(transport.word().into())
    }
}

impl From<Time> for Cell<'_> {
    fn from(time: Time) -> Self {
        time.at.into()
    }
}

impl From<Timestamp> for Cell<'_> {
    fn from(time: Timestamp) -> Self {
        Cell::Time(time.0)
    }
}

impl From<u64> for Cell<'_> {
    fn from(number: u64) -> Self {
        Cell::Unsigned(number)
    }
}

impl From<u32> for Cell<'_> {
    fn from(number: u32) -> Self {
        Cell::Unsigned(number.into())
    }
}

impl From<u16> for Cell<'_> {
    fn from(number: u16) -> Self {
        Cell::Unsigned(number.into())
    }
}

impl From<u8> for Cell<'_> {
    fn from(number: u8) -> Self {
        Cell::Unsigned(number.into())
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Cell::Signed(number)
    }
}

impl From<bool> for Cell<'_> {
    fn from(flag: bool) -> Self {
        Cell::Flag(flag)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Null, Into::into)
    }
}
