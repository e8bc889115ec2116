//! Rows of tables as bytes, for keeping them between reading a capture and writing the tables.
//!
//! ```text
//! length of texts u32 · texts, one behind the other · rows: table u8 · columns u8 · cells: tag u8, and of a text its length, of a number itself
//! ```
//!
//! Numbers and lengths are in groups of seven bits, the lowest first. All texts are looked at once to be UTF-8. The first cell, which names the capture,
//! is the same in all rows and left out.

use crate::report::tables::{Cell, Table};
use std::fmt::Write as _;

/// Rows on their way.
#[derive(Default)]
pub(super) struct Encoder {
    texts: String,
    cells: Vec<u8>,
}

impl Encoder {
    /// Appends a row.
    pub(super) fn row(&mut self, table: Table, cells: &[Cell<'_>]) {
        let cells = cells.get(1..).unwrap_or_default();
        let index = Table::ALL.iter().position(|one| *one == table).unwrap_or_default();
        self.cells.push(u8::try_from(index).unwrap_or_default());
        self.cells.push(u8::try_from(cells.len()).unwrap_or(u8::MAX));
        for cell in cells.iter().take(u8::MAX.into()) {
            let begun = self.texts.len();
            match cell {
                Cell::Null => self.cells.push(0),
                Cell::Text(text) => self.texts.push_str(text),
                Cell::Address(address) => drop(write!(self.texts, "{address}")), // writing to a String cannot fail
                Cell::Unsigned(value) => self.number(2, *value),
                Cell::Signed(value) => self.number(3, zigzag(*value)),
                Cell::Time(nanos) => self.number(4, zigzag(*nanos)),
                Cell::Flag(flag) => self.number(5, (*flag).into()),
            }
            if matches!(cell, Cell::Text(_) | Cell::Address(_)) {
                self.number(1, (self.texts.len() - begun) as u64);
            }
        }
    }

    /// Bytes of what came together.
    pub(super) fn len(&self) -> usize {
        if self.cells.is_empty() { 0 } else { 4 + self.texts.len() + self.cells.len() }
    }

    /// All of it, in pieces that stand one behind the other.
    pub(super) fn pieces<'e>(&'e self, length: &'e mut [u8; 4]) -> [&'e [u8]; 3] {
        if self.cells.is_empty() {
            return [&[]; 3];
        }
        *length = u32::try_from(self.texts.len()).unwrap_or(u32::MAX).to_le_bytes();
        [length, self.texts.as_bytes(), &self.cells]
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.texts.clear();
        self.cells.clear();
    }

    fn number(&mut self, tag: u8, mut value: u64) {
        self.cells.push(tag);
        while value >= 0x80 {
            self.cells.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.cells.push(value as u8);
    }
}

/// Rows as they come back.
pub(super) struct Decoder<'a> {
    texts: &'a str,
    cells: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// `None` where it is no rows.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Decoder { texts: "", cells: &[] });
        }
        let (length, rest) = bytes.split_first_chunk()?;
        let (texts, cells) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        Some(Decoder { texts: std::str::from_utf8(texts).ok()?, cells })
    }

    /// Whether there are no more.
    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Takes the next row off, behind what is in `cells` already; `None` at the end, or where it is no row.
    pub(super) fn row(&mut self, cells: &mut Vec<Cell<'a>>) -> Option<Table> {
        let [index, count] = self.array()?;
        for _ in 0..count {
            let [tag] = self.array()?;
            cells.push(match tag {
                0 => Cell::Null,
                1 => {
                    let length = usize::try_from(self.number()?).ok()?;
                    let (text, rest) = self.texts.split_at_checked(length)?;
                    self.texts = rest;
                    Cell::Text(text.into())
                }
                2 => Cell::Unsigned(self.number()?),
                3 => Cell::Signed(unzigzag(self.number()?)),
                4 => Cell::Time(unzigzag(self.number()?)),
                5 => Cell::Flag(self.number()? != 0),
                _ => return None,
            });
        }
        Table::ALL.get(usize::from(index)).copied()
    }

    #[inline]
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.cells.split_first_chunk()?;
        self.cells = rest;
        Some(*array)
    }
}

/// Small numbers of either sign become small ones.
fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;
    use crate::report::Address;
    use std::net::SocketAddr;

    #[test]
    fn rows_come_back_as_they_were() {
        let address = Address(Endpoint::from("192.0.2.1:3478".parse::<SocketAddr>().unwrap()));
        let id = Cell::from("id");
        let rows = [
            (Table::Findings, vec![Cell::from("a\0東"), Cell::Null, Cell::from(true), Cell::Unsigned(u64::MAX)]),
            (Table::Media, vec![]),
            (Table::Dtls, vec![Cell::Address(address), Cell::Unsigned(0), Cell::Unsigned(127), Cell::Unsigned(128)]),
            (
                Table::Credentials,
                vec![Cell::Signed(-1), Cell::Time(i64::MIN), Cell::Time(i64::MAX), Cell::from(false), Cell::from("")],
            ),
        ];
        let mut encoder = Encoder::default();
        assert_eq!((encoder.len(), encoder.pieces(&mut [0; 4]).concat().len()), (0, 0));
        for (table, cells) in &rows {
            encoder.row(*table, &[std::slice::from_ref(&id), cells].concat());
        }
        let bytes = encoder.pieces(&mut [0; 4]).concat();
        assert_eq!(bytes.len(), encoder.len());
        let mut decoder = Decoder::new(&bytes).unwrap();
        for (table, wanted) in &rows {
            let mut cells = Vec::new();
            assert_eq!(decoder.row(&mut cells), Some(*table));
            let wanted: Vec<Cell<'_>> = wanted
                .iter()
                .map(|cell| match cell {
                    Cell::Address(address) => Cell::from(address.to_string()),
                    other => other.clone(),
                })
                .collect();
            assert_eq!(cells, wanted);
        }
        assert!(decoder.is_empty());
        for cut in 0..bytes.len() {
            let Some(mut decoder) = Decoder::new(&bytes[..cut]) else { continue };
            while decoder.row(&mut Vec::new()).is_some() {}
        }
    }
}
