//! The paper: wrapped paragraphs, headings and tables within a width, with or without colour.

use super::grid;
use crate::render::clock::Clock;
use crate::render::escape::escape;
use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How text is laid out.
#[derive(Clone, Debug)]
pub struct Options {
    /// Columns of a line, at least 40.
    pub width: usize,
    /// Whether to colour, by ANSI escapes.
    pub colour: bool,
    /// How times are shown.
    pub clock: Clock,
    /// How much is said.
    pub detail: Detail,
}

impl Default for Options {
    fn default() -> Self {
        Options { width: 100, colour: false, clock: Clock::default(), detail: Detail::Normal }
    }
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The headline alone.
    Quiet,
    /// Lists stop after the first entries.
    Normal,
    /// Everything that the report holds.
    Verbose,
}

/// What a word is coloured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tint {
    Failure,
    Warning,
    Good,
    Note,
    Heading,
    Dim,
}

impl Tint {
    fn style(self) -> Style {
        match self {
            Tint::Failure => AnsiColor::Red.on_default().bold(),
            Tint::Warning => AnsiColor::Yellow.on_default().bold(),
            Tint::Good => AnsiColor::Green.on_default().bold(),
            Tint::Note => AnsiColor::Cyan.on_default().bold(),
            Tint::Heading => Style::new().bold(),
            Tint::Dim => Style::new().dimmed(),
        }
    }
}

/// Text under way. Everything that is put on it is escaped and wrapped here.
pub(super) struct Page<'a> {
    pub(super) options: &'a Options,
    width: usize,
    out: String,
}

impl<'a> Page<'a> {
    pub(super) fn new(options: &'a Options) -> Self {
        Page { options, width: options.width.max(40), out: String::new() }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// How many entries of a list to show, if `usual` are enough for most.
    pub(super) fn limit(&self, usual: usize) -> usize {
        if self.options.detail == Detail::Verbose { usize::MAX } else { usual }
    }

    fn paint(&mut self, tint: Option<Tint>, text: &str) {
        match tint {
            Some(tint) if self.options.colour => {
                let style = tint.style();
                self.out.push_str(&format!("{style}{text}{style:#}"));
            }
            _ => self.out.push_str(text),
        }
    }

    /// A coloured word and a sentence after it, wrapped to the left edge.
    pub(super) fn lead(&mut self, word: &str, tint: Tint, text: &str) {
        let first = word.width() + 2;
        let lines = wrap(&escape(text), self.width, first, 0);
        self.paint(Some(tint), word);
        self.out.push_str("  ");
        self.push_lines(&lines, 0, Some(Tint::Heading));
        self.out.push('\n');
    }

    /// An empty line and a heading; the rest of the line says what it is about.
    pub(super) fn heading(&mut self, title: &str, rest: &str) {
        self.out.push('\n');
        self.paint(Some(Tint::Heading), title);
        if !rest.is_empty() {
            let lines = wrap(&escape(rest), self.width, title.width() + 2, 2);
            self.out.push_str("  ");
            self.push_lines(&lines, 2, None);
        }
        self.out.push('\n');
    }

    /// A paragraph: an indented, perhaps coloured label, and text that wraps under its own beginning (or, where the label takes more than a
    /// third of the line, under the label's).
    pub(super) fn item(&mut self, indent: usize, label: &str, tint: Option<Tint>, text: &str) {
        let (label, text) = (escape(label), escape(text));
        self.indent(indent);
        if indent + label.width() + 10 > self.width {
            let lines = wrap(&format!("{label} {text}"), self.width, indent, indent + 2);
            self.push_lines(&lines, indent + 2, None);
            self.out.push('\n');
            return;
        }
        self.paint(tint, &label);
        let gap = usize::from(!label.is_empty());
        let first = indent + label.width() + gap;
        let hang = if label.width() * 3 > self.width { indent + 2 } else { first };
        if gap > 0 {
            self.out.push(' ');
        }
        let lines = wrap(&text, self.width, first, hang);
        self.push_lines(&lines, hang, None);
        self.out.push('\n');
    }

    /// A line that its maker has fitted into the width, blanks and all.
    pub(super) fn verbatim(&mut self, indent: usize, line: &str) {
        if line.width() + indent > self.width {
            return self.item(indent, "", None, line);
        }
        self.indent(indent);
        self.out.push_str(&escape(line));
        self.out.push('\n');
    }

    /// The names of columns, dim, for lines that are put on by [`Page::verbatim`].
    pub(super) fn columns(&mut self, indent: usize, names: &str) {
        self.indent(indent);
        let names: String = escape(names).chars().take(self.width.saturating_sub(indent)).collect();
        self.paint(Some(Tint::Dim), &names);
        self.out.push('\n');
    }

    /// A dim remark.
    pub(super) fn remark(&mut self, indent: usize, text: &str) {
        self.indent(indent);
        let lines = wrap(&escape(text), self.width, indent, indent);
        self.push_lines(&lines, indent, Some(Tint::Dim));
        self.out.push('\n');
    }

    /// The first of `all`, each told by `details` under a heading of its own, then some of the rest in a line each; `omitted` more are not among them.
    pub(super) fn told<T>(
        &mut self,
        (title, titles): (&str, &str),
        all: &[&T],
        (told, listed): (usize, usize),
        omitted: u64,
        summary: impl Fn(&T) -> String,
        mut details: impl FnMut(&mut Self, &T),
    ) {
        let (told, rest) = all.split_at_checked(self.limit(told)).unwrap_or((all, &[]));
        for one in told {
            self.heading(title, &summary(one));
            details(self, one);
        }
        if !rest.is_empty() {
            let shown = self.limit(listed).min(rest.len());
            self.heading(&format!("More {titles}"), "");
            for one in rest.iter().take(shown) {
                self.item(2, "·", None, &summary(one));
            }
            self.more(2, shown, rest.len() as u64 + omitted);
        }
    }

    /// Says that a list goes on, if it does.
    pub(super) fn more(&mut self, indent: usize, shown: usize, total: u64) {
        let rest = total.saturating_sub(shown as u64);
        if rest > 0 {
            self.remark(indent, &format!("… {rest} more"));
        }
    }

    /// A table indented by two columns.
    pub(super) fn table<R, C>(&mut self, header: &[&str], rows: R)
    where
        R: IntoIterator<Item = C>,
        C: IntoIterator<Item = String>,
    {
        let rows = rows.into_iter().map(|row| row.into_iter().map(|text| cell(&text)).collect());
        self.table_of_lines(header, rows.collect());
    }

    /// A table of the first of `all`, which says how many more there are of `total`.
    pub(super) fn table_of<'t, T, C>(
        &mut self,
        header: &[&str],
        (all, usual): (&'t [T], usize),
        total: u64,
        row: impl Fn(&'t T) -> C,
    ) where
        C: IntoIterator<Item = String>,
    {
        let shown = self.limit(usual).min(all.len());
        self.table(header, all.iter().take(shown).map(row));
        self.more(2, shown, total);
    }

    /// The same of [cells](cell) that may have several lines.
    pub(super) fn table_of_lines(&mut self, header: &[&str], rows: Vec<Vec<String>>) {
        let header = header.iter().map(|&name| name.to_owned()).collect();
        for (i, line) in grid::lines(header, rows, self.width).iter().enumerate() {
            self.out.push(' ');
            self.paint((i == 0).then_some(Tint::Dim), line.trim_end());
            self.out.push('\n');
        }
    }

    fn indent(&mut self, columns: usize) {
        self.out.extend(std::iter::repeat_n(' ', columns));
    }

    fn push_lines(&mut self, lines: &[String], hang: usize, tint: Option<Tint>) {
        for (i, line) in lines.iter().enumerate() {
            if i > 0 {
                self.out.push('\n');
                self.indent(hang);
            }
            self.paint(tint, line);
        }
    }
}

/// Breaks text into lines of at most `width` columns, of which the first begins at column `first` and the others at `hang`. Words that are
/// too long for a line are cut.
pub(in crate::render) fn wrap(text: &str, width: usize, first: usize, hang: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut room = width.saturating_sub(first).max(1);
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.width();
        let gap = usize::from(used > 0);
        if used + gap + length <= room {
            if gap > 0 {
                line.push(' ');
            }
            line.push_str(word);
            used += gap + length;
            continue;
        }
        if used > 0 || width.saturating_sub(hang) > room {
            lines.push(std::mem::take(&mut line));
            room = width.saturating_sub(hang).max(1);
            used = 0;
        }
        for c in word.chars() {
            let columns = c.width().unwrap_or(0);
            if used + columns > room && used > 0 {
                lines.push(std::mem::take(&mut line));
                room = width.saturating_sub(hang).max(1);
                used = 0;
            }
            line.push(c);
            used += columns;
        }
    }
    lines.push(line);
    lines
}

/// Text as one line of a cell.
pub(super) fn cell(text: &str) -> String {
    escape(&grid::shortened(text)).into_owned()
}

/// `1 frame`, `2 frames`.
pub(in crate::render) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The value, or a dash.
pub(super) fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_drives_no_terminal_either() {
        for label in ["\x1b[2J.log:".to_owned(), "\x1b".repeat(100)] {
            let options = Options::default();
            let mut page = Page::new(&options);
            page.item(2, &label, None, "text");
            assert!(page.finish().starts_with("  \\x1b"));
        }
    }

    #[test]
    fn words_go_to_the_next_line_where_they_do_not_fit() {
        assert_eq!(wrap("one two three", 8, 0, 2), ["one two", "three"]);
        assert_eq!(wrap("three four", 8, 5, 2), ["", "three", "four"]);
    }

    #[test]
    fn a_word_longer_than_a_line_is_cut() {
        assert_eq!(wrap("abcdefghij", 4, 0, 0), ["abcd", "efgh", "ij"]);
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(wrap("東京東京", 4, 0, 0), ["東京", "東京"]);
    }

    #[test]
    fn a_word_in_a_table_is_cut_where_it_is_longer_than_any_name_may_be() {
        let table = |words: String| {
            let options = Options::default();
            let mut page = Page::new(&options);
            page.table(&["user", "kind"], [[words, "plain".to_owned()]]);
            page.finish().chars().filter(|c| matches!(c, 'x' | '…')).collect::<String>()
        };
        assert_eq!(table("x".repeat(763)), "x".repeat(763));
        assert_eq!(table("x".repeat(100_000)), "x".repeat(763) + "…");
        assert_eq!(table(vec!["xxx"; 1000].join(" ")), "x".repeat(3000), "many words are no long one");
    }
}
