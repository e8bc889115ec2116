//! Tables of text: how wide their columns are, and where cells are broken so that all fits.

use crate::wire::stun::LONGEST_TEXT;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use std::borrow::Cow;
use unicode_width::UnicodeWidthStr;

/// How much of an address is mostly shown in one piece: all of it but with IPv6.
const USUAL: usize = 30;
/// What two or three short words take.
const WORDS: usize = 12;

/// The lines of a table, the names of its columns in the first, indented by one column.
pub(super) fn lines(mut header: Vec<String>, mut rows: Vec<Vec<String>>, width: usize) -> Vec<String> {
    if Columns::of(&header, &rows).may_be_stacked() && !Columns::of(&header, &rows).fit(width) {
        let (mut narrow, mut below) = (header.clone(), rows.clone());
        stack(&mut narrow, " /");
        below.iter_mut().for_each(|row| stack(row, ""));
        let (as_it_is, stacked) = (Columns::of(&header, &rows), Columns::of(&narrow, &below));
        if stacked.fit(width) || (stacked.fit_by(0, width) && !as_it_is.fit_by(0, width)) {
            (header, rows) = (narrow, below);
        }
    }
    let shares = Columns::of(&header, &rows).shares(width);
    for (column, share) in shares.iter().enumerate() {
        if let Share::Broken(width) = share {
            for cell in rows.iter_mut().filter_map(|row| row.get_mut(column)) {
                *cell = broken(cell, *width);
            }
        }
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width - 2).unwrap_or(u16::MAX));
    table.set_header(&header);
    table.add_rows(rows);
    for (column, share) in table.column_iter_mut().zip(shares) {
        let Some(least) = share.least() else { continue };
        let width = Width::Fixed(u16::try_from(least + 2).unwrap_or(u16::MAX));
        column.set_constraint(ColumnConstraint::LowerBoundary(width));
    }
    table.lines().collect()
}

/// The columns of a table and what they need.
struct Columns<'t> {
    header: &'t [String],
    rows: &'t [Vec<String>],
}

impl<'t> Columns<'t> {
    fn of(header: &'t [String], rows: &'t [Vec<String>]) -> Self {
        Columns { header, rows }
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = &'t str> {
        let cells = self.rows.iter().filter_map(move |row| row.get(column));
        self.header.get(column).into_iter().chain(cells).map(String::as_str)
    }

    fn widest(&self, column: usize) -> usize {
        self.cells(column).flat_map(str::lines).map(UnicodeWidthStr::width).max().unwrap_or(0)
    }

    /// The longest word; a number with its unit is one.
    fn word(&self, column: usize) -> usize {
        const SHORT: usize = 7;
        let lines = self.cells(column).flat_map(str::lines);
        let words = lines.map(|line| match line.width() {
            width @ ..=SHORT => width,
            _ => line.split_whitespace().map(UnicodeWidthStr::width).max().unwrap_or(0),
        });
        words.max().unwrap_or(0)
    }

    fn is_address(&self, column: usize) -> bool {
        column < 2 && self.widest(column) >= 9
    }

    /// What a column needs in which no word of the usual length is broken, and as many of them stand beside each other as have `room`.
    fn least(&self, column: usize, room: usize) -> usize {
        let widest = self.widest(column);
        let needs = if self.is_address(column) { widest } else { self.word(column).max(widest.min(room)) };
        needs.min(USUAL)
    }

    /// Whether all of them get that.
    fn fit_by(&self, room: usize, width: usize) -> bool {
        2 + (0..self.header.len()).map(|column| self.least(column, room) + 2).sum::<usize>() <= width
    }

    /// The same with room for two or three words.
    fn fit(&self, width: usize) -> bool {
        self.fit_by(WORDS, width)
    }

    /// Whether the first two are addresses, and nothing beside them is too long for any table.
    fn may_be_stacked(&self) -> bool {
        let colon = |column| self.rows.iter().filter_map(|row| row.get(column)).any(|cell: &String| cell.contains(':'));
        (0..2).all(|column| self.is_address(column) && colon(column) && self.widest(column) <= USUAL)
            && (2..self.header.len()).all(|column| self.word(column) <= USUAL)
    }

    /// Columns of addresses are not broken where there is room for two of them and something beside. Where there is none, as with those of IPv6, they are
    /// broken at colons, and what stands beside them keeps its words whole.
    fn shares(&self, width: usize) -> Vec<Share> {
        // less than this of an address is of no use to anybody
        const LEAST: usize = 14;
        let addresses: Vec<usize> = (0..self.header.len()).filter(|&column| self.is_address(column)).collect();
        let whole: usize = (0..self.header.len()).map(|column| self.widest(column) + 2).sum();
        let beside: usize =
            (0..self.header.len()).filter(|&column| !self.is_address(column)).map(|column| self.word(column) + 2).sum();
        let share = (width.saturating_sub(2 + beside) / addresses.len().max(1)).saturating_sub(2);
        let long = addresses.iter().any(|&column| self.widest(column) > USUAL);
        if long && whole + 2 > width && share >= LEAST {
            let broken =
                |column| if self.is_address(column) { Share::Broken(share) } else { Share::Least(self.word(column)) };
            return (0..self.header.len()).map(broken).collect();
        }
        if let Some(room) = [WORDS, 0].into_iter().find(|&room| self.fit_by(room, width)).filter(|_| whole + 2 > width)
        {
            return (0..self.header.len()).map(|column| Share::Least(self.least(column, room))).collect();
        }
        let mut left = width * 2 / 3;
        (0..self.header.len())
            .map(|column| {
                let needs = self.widest(column).min(USUAL);
                if !self.is_address(column) || needs + 2 > left {
                    return Share::Any;
                }
                left -= needs + 2;
                Share::Least(needs)
            })
            .collect()
    }
}

/// Puts the second of two cells below the first.
fn stack(cells: &mut Vec<String>, mark: &str) {
    if cells.len() > 1 {
        let second = cells.remove(1);
        if let Some(first) = cells.first_mut() {
            *first = format!("{first}{mark}\n{second}");
        }
    }
}

/// What a column of a table is given.
#[derive(Clone, Copy)]
enum Share {
    /// Whatever is left.
    Any,
    /// So many columns at least.
    Least(usize),
    /// So many, into which its cells are broken.
    Broken(usize),
}

impl Share {
    fn least(self) -> Option<usize> {
        match self {
            Share::Any => None,
            Share::Least(width) | Share::Broken(width) => Some(width),
        }
    }
}

/// A line of a cell with its words as long at most as any text that STUN allows: how long breaking a word takes grows with the square of its length.
pub(super) fn shortened(line: &str) -> Cow<'_, str> {
    if line.len() <= LONGEST_TEXT {
        return Cow::Borrowed(line);
    }
    let words = line.split(' ').map(|word| match word.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => Cow::Owned(format!("{}…", word.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(word),
    });
    Cow::Owned(words.collect::<Vec<_>>().join(" "))
}

/// A cell with its lines broken behind colons, so that addresses of IPv6 stay readable.
fn broken(cell: &str, width: usize) -> String {
    let mut out = String::with_capacity(cell.len() + 4);
    for (number, line) in cell.lines().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        let mut used = 0;
        for piece in line.split_inclusive(':') {
            let wide = piece.width();
            if used > 0 && used + wide > width {
                out.push('\n');
                used = 0;
            }
            out.push_str(piece);
            used += wide;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_a_long_name_addresses_are_stacked_before_short_cells_are_broken_word_by_word() {
        let header = ["client", "relayed", "user", "end", "sent", "received"].map(str::to_owned).to_vec();
        let user = "1715374885:5969643449701658072";
        let row = ["192.168.12.156:40482", "18.195.4.121:61894", user, "open, 596 of 600 s left", "345 B", "160 B"];
        for width in [80, 100] {
            let lines = lines(header.clone(), vec![row.map(str::to_owned).to_vec()], width);
            let text = lines.join("\n");
            assert!(text.contains(user) && text.contains("345 B") && text.contains("160 B"), "{text}");
        }
    }

    #[test]
    fn an_address_is_broken_behind_its_colons() {
        let address = "[2001:db8:1234:5678:9abc:def0:1234:5678]:60002";
        assert_eq!(broken(address, 20), "[2001:db8:1234:5678:\n9abc:def0:1234:\n5678]:60002");
        assert_eq!(broken("192.0.2.1:3478\n–", 20), "192.0.2.1:3478\n–");
    }
}
