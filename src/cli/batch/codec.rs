//! Rows of tables as bytes, for keeping them between reading a capture and writing the tables.

use crate::report::tables::{Cell, Table};

/// Appends a row.
pub(super) fn encode(out: &mut Vec<u8>, table: Table, cells: &[Cell<'_>]) {
    let index = Table::ALL.iter().position(|one| *one == table).unwrap_or_default();
    out.push(u8::try_from(index).unwrap_or_default());
    out.push(u8::try_from(cells.len()).unwrap_or(u8::MAX));
    for cell in cells.iter().take(u8::MAX.into()) {
        match cell {
            Cell::Null => out.push(0),
            Cell::Text(text) => {
                // a text of 4 GiB is none
                let text = text.get(..text.len().min(u32::MAX as usize)).unwrap_or_default();
                out.push(1);
                out.extend_from_slice(&u32::try_from(text.len()).unwrap_or_default().to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            Cell::Unsigned(number) => number_of(out, 2, number.to_le_bytes()),
            Cell::Signed(number) => number_of(out, 3, number.to_le_bytes()),
            Cell::Time(nanos) => number_of(out, 4, nanos.to_le_bytes()),
            Cell::Flag(flag) => out.extend_from_slice(&[5, (*flag).into()]),
        }
    }
}

fn number_of(out: &mut Vec<u8>, tag: u8, bytes: [u8; 8]) {
    out.push(tag);
    out.extend_from_slice(&bytes);
}

/// Takes the next row off; `None` at the end, or where it is no row.
pub(super) fn decode<'a>(bytes: &mut &'a [u8], cells: &mut Vec<Cell<'a>>) -> Option<Table> {
    cells.clear();
    let [index, count] = array(bytes)?;
    for _ in 0..count {
        let [tag] = array(bytes)?;
        cells.push(match tag {
            0 => Cell::Null,
            1 => {
                let length = u32::from_le_bytes(array(bytes)?);
                let (text, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
                *bytes = rest;
                Cell::Text(std::str::from_utf8(text).ok()?.into())
            }
            2 => Cell::Unsigned(u64::from_le_bytes(array(bytes)?)),
            3 => Cell::Signed(i64::from_le_bytes(array(bytes)?)),
            4 => Cell::Time(i64::from_le_bytes(array(bytes)?)),
            5 => Cell::Flag(array::<1>(bytes)? != [0]),
            _ => return None,
        });
    }
    Table::ALL.get(usize::from(index)).copied()
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (array, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let rows = [
            (Table::Findings, vec![Cell::from("a\0東"), Cell::Null, Cell::from(true), Cell::Unsigned(u64::MAX)]),
            (Table::Media, vec![]),
            (Table::Credentials, vec![Cell::Signed(-1), Cell::Time(i64::MIN), Cell::from(false), Cell::from("")]),
        ];
        let mut bytes = Vec::new();
        for (table, cells) in &rows {
            encode(&mut bytes, *table, cells);
        }
        let (mut rest, mut cells) = (bytes.as_slice(), Vec::new());
        for (table, wanted) in &rows {
            assert_eq!(decode(&mut rest, &mut cells), Some(*table));
            assert_eq!(&cells, wanted);
        }
        assert_eq!(decode(&mut rest, &mut cells), None);
        for cut in 0..bytes.len() {
            let mut rest = &bytes[..cut];
            while decode(&mut rest, &mut cells).is_some() {}
        }
    }
}
