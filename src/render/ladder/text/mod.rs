//! The ladder for a terminal: time at the left, lanes in the middle, and what each arrow is at the right, a line each.
//!
//! ```text
//!            client 172.16.84.124
//!            │      TURN 10.88.246.156:3478
//!            │      │
//!  0.472718  ├─────▶│   Allocate request
//! ```

mod list;

use super::lanes::Lanes;
use super::{Choice, NOTHING, Times, caption, drawn, ending, left_out, marked, messages, rows, title};
use crate::render::escape::escape;
use crate::render::text::{Options, wrap};
use crate::report::ladder::{Ladder, Mark, Session, Shown, Step};
use crate::report::{Report, Severity};
use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

/// Columns between lanes: the least, and the most.
const NARROWEST: usize = 7;
/// The least on a page that is narrower than most.
const CRAMPED: usize = 4;
const WIDEST: usize = 14;
/// Columns that captions have at least.
const CAPTION: usize = 34;
/// Ladders that are longer than a screen say at the foot again which lane is whose.
const SCREEN: usize = 30;

const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// The sessions that are chosen, each as a ladder, and a list of all if there are several. No line is wider than the options say.
#[must_use]
pub fn text(ladder: &Ladder, report: &Report, choice: Choice, options: &Options) -> String {
    let mut paper =
        Paper { options, width: options.width.max(40), times: Times { clock: &options.clock }, out: String::new() };
    let drawn = drawn(ladder, choice);
    if ladder.sessions.is_empty() {
        paper.paragraph(0, None, NOTHING);
        return paper.out;
    }
    if ladder.sessions.len() > 1 {
        list::list(&mut paper, ladder, report, &drawn, choice);
    }
    for (index, session) in drawn.iter().enumerate() {
        if index > 0 || ladder.sessions.len() > 1 {
            paper.out.push('\n');
        }
        draw(&mut paper, session, ladder, report);
    }
    if let Some(text) = left_out(ladder) {
        paper.paragraph(0, Some(DIM), &text);
    }
    paper.out
}

struct Paper<'a> {
    options: &'a Options,
    width: usize,
    times: Times<'a>,
    out: String,
}

impl Paper<'_> {
    fn paint(&mut self, style: Option<Style>, text: &str) {
        match style {
            Some(style) if self.options.colour && !text.trim().is_empty() => {
                self.out.push_str(&format!("{style}{text}{style:#}"));
            }
            _ => self.out.push_str(text),
        }
    }

    fn paragraph(&mut self, indent: usize, style: Option<Style>, text: &str) {
        for (index, line) in wrap(&escape(text), self.width, indent, indent + 2).iter().enumerate() {
            let indent = if index == 0 { indent } else { indent + 2 };
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.paint(style, line);
            self.out.push('\n');
        }
    }
}

fn style_of(severity: Option<Severity>) -> Option<Style> {
    match severity {
        Some(Severity::Failure) => Some(RED.bold()),
        Some(Severity::Warning) => Some(YELLOW.bold()),
        Some(Severity::Note) | None => None,
    }
}

fn draw(paper: &mut Paper<'_>, session: &Session, ladder: &Ladder, report: &Report) {
    heading(paper, session, ladder, report);
    let shown = session.shown(rows(paper.options));
    let time = shown
        .iter()
        .filter_map(|row| if let Shown::Step(step) = row { Some(paper.times.of(step.first).width()) } else { None });
    let time = time.max().unwrap_or(0);
    let left = time + 4;
    let most = (paper.width.saturating_sub(left + CAPTION) / NARROWEST + 1).clamp(2, 9);
    let lanes = Lanes::new(session, &shown, most);
    let count = lanes.lanes.len().max(2);
    let gap = ((paper.width.saturating_sub(left) * 2 / 5) / (count - 1))
        .clamp(if paper.width < 72 { CRAMPED } else { NARROWEST }, WIDEST);
    let sheet = Sheet { session, lanes, left, gap, time };
    paper.out.push('\n');
    sheet.head(paper);
    let mut day = paper.times.day(session.first);
    for row in &shown {
        match row {
            Shown::Step(step) => {
                let today = paper.times.day(step.first);
                if today != day {
                    sheet.aside(paper, today.as_deref().unwrap_or_default());
                    day = today;
                }
                sheet.step(paper, step);
            }
            Shown::Gap(gap) => sheet.aside(paper, &gap.summary()),
        }
    }
    if shown.len() > SCREEN {
        sheet.foot(paper);
    }
    legend(paper, &shown);
}

fn heading(paper: &mut Paper<'_>, session: &Session, ladder: &Ladder, report: &Report) {
    let (severity, end) = ending(session);
    let title = title(session, ladder);
    paper.paint(Some(BOLD), &title);
    let first = title.width() + 1;
    let users = &session.users;
    let mut text = if users.is_empty() { String::new() } else { format!(" · {}", users.join(", ")) };
    text.push_str(&format!(" · {} · {}", messages(session.messages), paper.times.span(session)));
    if let Some(paths) = session.paths(report) {
        text.push_str(&format!(" · {paths}"));
    }
    for (index, line) in wrap(&escape(&text), paper.width, first, 2).iter().enumerate() {
        paper.out.push_str(if index == 0 { " " } else { "\n  " });
        paper.paint(None, line);
    }
    paper.out.push('\n');
    if session.citations.is_empty() {
        paper.paragraph(2, style_of(severity), &end);
    }
    for (label, citation) in marked(session) {
        paper.paragraph(2, style_of(Some(citation.severity)), &label);
        paper.paragraph(6, None, &citation.title);
    }
}

/// What the signs mean that occur.
fn legend(paper: &mut Paper<'_>, shown: &[Shown<'_>]) {
    let any = |is: fn(&Step) -> bool| shown.iter().any(|row| matches!(row, Shown::Step(step) if is(step)));
    let mut texts = Vec::new();
    if any(|step| step.through.is_some()) {
        texts.push("┄ goes on through the relay, as what the server was sent or sends tells");
    }
    if any(|step| step.both_sides) {
        texts.push("● captured on both sides of the NAT");
    }
    if !texts.is_empty() {
        paper.out.push('\n');
    }
    for text in texts {
        paper.paragraph(2, Some(DIM), text);
    }
}

/// Where things stand in the ladder of one session.
struct Sheet<'a> {
    session: &'a Session,
    lanes: Lanes,
    /// Columns before the first lane.
    left: usize,
    gap: usize,
    time: usize,
}

impl Sheet<'_> {
    fn column(&self, lane: usize) -> usize {
        lane * self.gap
    }

    /// Columns from the first lane to the last, that one included.
    fn span(&self) -> usize {
        self.column(self.lanes.lanes.len().saturating_sub(1)) + 1
    }

    /// Lifelines alone.
    fn blank(&self) -> Vec<char> {
        let mut canvas = vec![' '; self.span()];
        for lane in 0..self.lanes.lanes.len() {
            put(&mut canvas, self.column(lane), '│');
        }
        canvas
    }

    /// Who is on which lane: each name at the head of its line.
    fn head(&self, paper: &mut Paper<'_>) {
        for (index, lane) in self.lanes.lanes.iter().enumerate() {
            let column = self.left + self.column(index);
            let title = lane.title(self.session);
            let room = paper.width.saturating_sub(column + title.width() + 1);
            let mut most = lane.members.len();
            while most > 1 && lane.addresses(self.session, most).width() > room {
                most -= 1;
            }
            let addresses = lane.addresses(self.session, most);
            let lines = wrap(&addresses, paper.width, column + title.width() + 1, column + 2);
            for (row, line) in lines.iter().enumerate() {
                let stems: String = (0..self.span())
                    .map(|at| {
                        let stem = (0..index + usize::from(row > 0)).any(|lane| self.column(lane) == at);
                        if stem { '│' } else { ' ' }
                    })
                    .take(self.column(index) + usize::from(row > 0))
                    .collect();
                paper.out.push_str(&" ".repeat(self.left));
                paper.paint(Some(DIM), &stems);
                if row == 0 {
                    paper.paint(Some(BOLD), &title);
                }
                paper.out.push(' ');
                paper.out.push_str(line);
                paper.out.push('\n');
            }
        }
        self.line(paper, "", &self.blank(), None, "", None);
    }

    /// The titles alone.
    fn foot(&self, paper: &mut Paper<'_>) {
        let mut text = String::new();
        for (index, lane) in self.lanes.lanes.iter().enumerate() {
            let column = self.column(index);
            let missing = column.saturating_sub(text.width());
            text.extend(std::iter::repeat_n(' ', missing));
            text.extend(lane.title(self.session).chars().take(self.gap - 1));
        }
        paper.out.push_str(&" ".repeat(self.left));
        paper.paint(Some(BOLD), &text);
        paper.out.push('\n');
    }

    /// A line that is no arrow.
    fn aside(&self, paper: &mut Paper<'_>, text: &str) {
        let canvas: Vec<char> = self.blank().into_iter().map(|c| if c == '│' { '┊' } else { c }).collect();
        self.line(paper, "", &canvas, None, text, Some(DIM));
    }

    fn step(&self, paper: &mut Paper<'_>, step: &Step) {
        let style = match step.mark {
            Mark::Error => Some(RED),
            Mark::Lost | Mark::Note => Some(YELLOW),
            Mark::Ok => None,
        };
        let mut text = match step.mark {
            Mark::Error => "✗ ".to_owned(),
            Mark::Lost => "? ".to_owned(),
            Mark::Ok | Mark::Note => String::new(),
        };
        text.push_str(&caption(step));
        if let Some(addresses) = self.lanes.untold(self.session, step) {
            text.push_str(&format!(" ({addresses})"));
        }
        let cited: Vec<String> = step.cited.iter().map(|number| format!("[{}]", number + 1)).collect();
        if !cited.is_empty() {
            text.push(' ');
            text.push_str(&cited.join(""));
        }
        let time = paper.times.of(step.first);
        self.line(paper, &time, &self.arrow(step), style, &text, style);
    }

    /// Lifelines and the arrow of a step.
    fn arrow(&self, step: &Step) -> Vec<char> {
        let mut canvas = self.blank();
        let (from, to) = (self.lanes.of(step.from), self.lanes.of(step.to));
        let lost = step.mark == Mark::Lost;
        match &step.through {
            None => self.shaft(&mut canvas, from, to, lost, lost),
            Some(passage) => {
                let server = self.lanes.of(passage.server);
                let outward = from <= to;
                let (captured, told) =
                    if outward { ((from, server), (server, to)) } else { ((server, to), (from, server)) };
                // where it was lost is not known: what was captured was not
                self.shaft(&mut canvas, told.0, told.1, true, lost);
                self.shaft(&mut canvas, captured.0, captured.1, false, false);
            }
        }
        if step.both_sides {
            for (lane, known) in self.lanes.lanes.iter().enumerate() {
                if known.role == crate::report::ladder::Role::Nat {
                    put(&mut canvas, self.column(lane), '●');
                }
            }
        }
        canvas
    }

    fn shaft(&self, canvas: &mut [char], from: usize, to: usize, dashed: bool, lost: bool) {
        let (start, end) = (self.column(from), self.column(to));
        let (low, high) = (start.min(end), start.max(end));
        let stroke = if dashed { '┄' } else { '─' };
        for at in low + 1..high {
            let lifeline = canvas.get(at) == Some(&'│');
            put(canvas, at, if lifeline { '┼' } else { stroke });
        }
        if low == high {
            // both ends are on one lane
            put(canvas, start, '◆');
            return;
        }
        put(canvas, start, if start < end { '├' } else { '┤' });
        match (start < end, lost) {
            (true, true) => put(canvas, end - 1, '╳'),
            (true, false) => put(canvas, end - 1, '▶'),
            (false, true) => put(canvas, end + 1, '╳'),
            (false, false) => put(canvas, end + 1, '◀'),
        }
    }

    /// One line, or several where the text needs them.
    fn line(
        &self,
        paper: &mut Paper<'_>,
        time: &str,
        canvas: &[char],
        ladder: Option<Style>,
        text: &str,
        style: Option<Style>,
    ) {
        let column = self.left + self.span() + 2;
        let lines = wrap(&escape(text), paper.width, column, column + 2);
        let rest: String = self.blank().into_iter().collect();
        for (index, line) in lines.iter().enumerate() {
            let time = if index == 0 { format!("{time:>width$}", width = self.time) } else { " ".repeat(self.time) };
            let ladder_text: String = if index == 0 { canvas.iter().collect() } else { rest.clone() };
            paper.out.push_str("  ");
            paper.paint(Some(DIM), &time);
            paper.out.push_str("  ");
            let shape = if index == 0 { ladder.or_else(|| is_plain(canvas).then_some(DIM)) } else { Some(DIM) };
            paper.paint(shape, &ladder_text);
            if !line.is_empty() {
                paper.out.push_str(if index == 0 { "  " } else { "    " });
                paper.paint(style, line);
            }
            paper.out.push('\n');
        }
    }
}

/// Whether nothing but lifelines is there.
fn is_plain(canvas: &[char]) -> bool {
    canvas.iter().all(|c| matches!(c, ' ' | '│' | '┊'))
}

fn put(canvas: &mut [char], at: usize, c: char) {
    if let Some(cell) = canvas.get_mut(at) {
        *cell = c;
    }
}
