//! The ladder as SVG: one file without scripts or anything from elsewhere, light and dark as the reader's system is, its text selectable.

use super::lanes::Lanes;
use super::{Choice, NOTHING, Times, caption, client, drawn, ending, left_out, listed, marked, messages, rows, title};
use crate::render::escape::escape;
use crate::render::frame_name;
use crate::render::text::{Options, wrap};
use crate::report::ladder::{Ladder, Mark, Role, Session, Shown, Step};
use crate::report::{Place, Report, Severity};
use std::collections::BTreeSet;
use std::fmt::{Arguments, Write as _};
use unicode_width::UnicodeWidthStr;

/// Lanes at most.
const LANES: usize = 8;
/// Pixels: the margin, a line of small text, the distance between arrows.
const MARGIN: usize = 24;
const LINE: usize = 15;
const STEP: usize = 34;
/// Pixels that a character of the captions and of the monospaced text takes, about.
const LETTER: usize = 7;
/// Pixels right of the last lane, for captions that begin near it.
const RIGHT: usize = 250;
/// The least width.
const LEAST: usize = 900;
/// Ladders with more lines say at the foot again which lane is whose.
const SCREEN: usize = 25;

/// Colours by the reader's preference.
const COLOURS: &str = "\
:root{--paper:#ffffff;--ink:#1d2430;--dim:#5f6b7c;--line:#c3cad5;--box:#f1f4f9;--bad:#c01c28;--odd:#8f5902;--good:#1a6b3c}\n\
@media (prefers-color-scheme:dark){:root{--paper:#14181f;--ink:#e4e8ef;--dim:#98a3b3;--line:#3d4757;--box:#1f2631;--bad:#ff7b72;--odd:#e3b341;--good:#6cc48a}}\n";

/// How the drawing looks, in a page that has the same colours too; `paint-order` keeps captions readable where they cross a lifeline.
pub(in crate::render) const STYLE: &str = "\
.ladder{background:var(--paper)}\n\
.ladder text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:var(--ink);paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}\n\
.ladder .t{font:12px ui-monospace,SFMono-Regular,Consolas,'DejaVu Sans Mono',monospace;fill:var(--dim)}\n\
.ladder .h{font-size:18px;font-weight:600}.ladder .b{font-weight:600}.ladder .d{fill:var(--dim)}.ladder .i{stroke:none}\n\
.ladder .a{font:12px ui-monospace,SFMono-Regular,Consolas,'DejaVu Sans Mono',monospace;stroke:none}\n\
.ladder .v{stroke:var(--line);stroke-width:1.5;fill:none}.ladder .box{fill:var(--box);stroke:var(--line)}\n\
.ladder .s{stroke:var(--ink);stroke-width:1.5;fill:none}.ladder .p{fill:var(--ink);stroke:none}.ladder .o{stroke-dasharray:5 4}\n\
.ladder .e .c{fill:var(--bad);font-weight:600}.ladder .e .s{stroke:var(--bad)}.ladder .e .p{fill:var(--bad)}\n\
.ladder .n .c{fill:var(--odd)}.ladder .n .s{stroke:var(--odd)}.ladder .n .p{fill:var(--odd)}\n\
.ladder .f{fill:var(--bad);font-weight:600}.ladder .w{fill:var(--odd);font-weight:600}\n";

/// The sessions that are chosen below each other, under a list of all if there are several: a file of its own.
#[must_use]
pub fn svg(ladder: &Ladder, report: &Report, choice: Choice, options: &Options) -> String {
    let style = format!("<style>\n{COLOURS}{STYLE}</style>\n");
    drawing(ladder, report, choice, options, &style, None)
}

/// The same as an element of a page that has [`STYLE`] and the colours. Each frame of a step is an anchor: `f0-24` for frame 24 of the first
/// capture.
pub(in crate::render) fn embedded(ladder: &Ladder, report: &Report, choice: Choice, options: &Options) -> String {
    drawing(ladder, report, choice, options, "", Some(BTreeSet::new()))
}

fn drawing(
    ladder: &Ladder,
    report: &Report,
    choice: Choice,
    options: &Options,
    style: &str,
    anchors: Option<BTreeSet<(u32, u64)>>,
) -> String {
    let times = Times { clock: &options.clock };
    let mut sheet = Sheet { out: String::new(), y: MARGIN, width: LEAST, times, options, anchors };
    let drawn = drawn(ladder, choice);
    let plans: Vec<Plan<'_>> = drawn.iter().map(|session| Plan::new(session, &sheet)).collect();
    sheet.width = plans.iter().map(Plan::width).max().unwrap_or(LEAST).max(LEAST);
    if ladder.sessions.is_empty() {
        sheet.lines(MARGIN, "", NOTHING);
    }
    if ladder.sessions.len() > 1 {
        list(&mut sheet, ladder, &drawn);
    }
    for plan in &plans {
        heading(&mut sheet, plan.session, ladder, report);
        plan.draw(&mut sheet);
        sheet.y += MARGIN;
    }
    if let Some(text) = left_out(ladder) {
        sheet.lines(MARGIN, "d", &text);
    }
    let Sheet { out, y, width, .. } = sheet;
    let height = y + MARGIN;
    let title = xml(&report.headline);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ladder\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>{title}</title>\n{style}{out}</svg>\n"
    )
}

/// A frame as Wireshark counts it, with its capture where there are several.
fn number(session: &Session, frame: u64) -> String {
    frame_name(session.place(frame), session.captures.len() > 1)
}

/// Text as XML: markup, and what XML has no place for, escaped.
pub(in crate::render) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in escape(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The drawing under way, from the top down.
struct Sheet<'a> {
    out: String,
    y: usize,
    width: usize,
    times: Times<'a>,
    options: &'a Options,
    /// The frames that can be linked to, each at the first step that has it, where that is wanted.
    anchors: Option<BTreeSet<(u32, u64)>>,
}

impl Sheet<'_> {
    fn put(&mut self, text: Arguments<'_>) {
        let _ = self.out.write_fmt(text); // writing to a String cannot fail
    }

    /// Text at a place; it is not cut.
    fn text(&mut self, x: usize, y: usize, class: &str, text: &str) {
        let text = xml(text);
        if class.is_empty() {
            self.put(format_args!("<text x=\"{x}\" y=\"{y}\">{text}</text>\n"));
        } else {
            self.put(format_args!("<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{text}</text>\n"));
        }
    }

    /// A paragraph within the width, below what is there.
    fn lines(&mut self, x: usize, class: &str, text: &str) {
        for line in fitted(text, self.width.saturating_sub(x + MARGIN)) {
            self.y += LINE + 3;
            self.text(x, self.y, class, &line);
        }
    }
}

/// Text in lines of so many pixels.
fn fitted(text: &str, pixels: usize) -> Vec<String> {
    wrap(&escape(text), (pixels / LETTER).max(12), 0, 0)
}

fn class_of(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Failure) => "f",
        Some(Severity::Warning) => "w",
        Some(Severity::Note) | None => "d",
    }
}

/// All sessions, a line each.
fn list(sheet: &mut Sheet<'_>, ladder: &Ladder, drawn: &[&Session]) {
    let sessions = listed(ladder, drawn, sheet.options);
    sheet.y += LINE;
    sheet.text(MARGIN, sheet.y, "h", &format!("{} sessions", ladder.sessions.len()));
    sheet.y += 8;
    for session in &sessions {
        sheet.y += LINE + 5;
        let is_drawn = drawn.iter().any(|other| other.number == session.number);
        let client = client(session);
        let far = session.participants.iter().find(|known| matches!(known.role(), Role::Server | Role::Peer));
        let far = far.map(|far| format!(" – {far}")).unwrap_or_default();
        let text = format!(
            "{}  {client}{far}, {}, {}, ",
            session.number,
            sheet.times.span(session),
            messages(session.messages)
        );
        let (severity, end) = ending(session);
        let (y, class) = (sheet.y, if is_drawn { "b" } else { "" });
        let (text, end, tone) = (xml(&text), xml(&end), class_of(severity));
        sheet.put(format_args!(
            "<text x=\"{MARGIN}\" y=\"{y}\" class=\"{class}\">{text}<tspan class=\"{tone}\">{end}</tspan></text>\n"
        ));
    }
    let more = ladder.sessions.len() - sessions.len();
    if more > 0 {
        sheet.lines(MARGIN, "d", &format!("… {more} more"));
    }
    sheet.y += MARGIN;
}

fn heading(sheet: &mut Sheet<'_>, session: &Session, ladder: &Ladder, report: &Report) {
    sheet.y += LINE + 3;
    sheet.text(MARGIN, sheet.y, "h", &title(session, ladder));
    let mut facts = session.users.clone();
    facts.push(messages(session.messages));
    facts.push(sheet.times.span(session));
    let paths = session.captures.iter().filter_map(|&capture| report.captures.get(capture as usize));
    facts.extend(paths.map(|capture| capture.path.clone()));
    sheet.y += 4;
    sheet.lines(MARGIN, "d", &facts.join(" · "));
    if session.citations.is_empty() {
        sheet.lines(MARGIN, "d", &session.outcome.to_string());
    }
    for (label, citation) in marked(session) {
        sheet.y += 4;
        sheet.lines(MARGIN, class_of(Some(citation.severity)), &label);
        sheet.lines(MARGIN + 22, "", &citation.title);
    }
    sheet.y += MARGIN;
}

/// Where the things of one session stand.
struct Plan<'a> {
    session: &'a Session,
    shown: Vec<Shown<'a>>,
    lanes: Lanes,
    /// The middle of the first lane, and the distance to the next.
    first: usize,
    gap: usize,
}

impl<'a> Plan<'a> {
    fn new(session: &'a Session, sheet: &Sheet<'_>) -> Self {
        let shown = session.shown(rows(sheet.options));
        let lanes = Lanes::new(session, &shown, LANES);
        let gap = match lanes.lanes.len() {
            0..=2 => 380,
            3 => 290,
            4 => 230,
            _ => 200,
        };
        let time =
            shown.iter().map(|row| if let Shown::Step(step) = row { sheet.times.of(step.first).width() } else { 0 });
        let first = MARGIN + time.max().unwrap_or(0) * 8 + 12 + (gap - 20) / 2;
        Plan { session, shown, lanes, first, gap }
    }

    fn x(&self, lane: usize) -> usize {
        self.first + lane * self.gap
    }

    fn width(&self) -> usize {
        self.x(self.lanes.lanes.len().saturating_sub(1)) + RIGHT
    }

    fn draw(&self, sheet: &mut Sheet<'_>) {
        let top = self.heads(sheet);
        // the lifelines lie under everything else, and how long they are is known at the end
        let before = std::mem::take(&mut sheet.out);
        let mut day = sheet.times.day(self.session.first);
        for row in &self.shown {
            match row {
                Shown::Gap(gap) => self.aside(sheet, &gap.summary()),
                Shown::Step(step) => {
                    let today = sheet.times.day(step.first);
                    if today != day {
                        self.aside(sheet, today.as_deref().unwrap_or_default());
                        day = today;
                    }
                    self.step(sheet, step);
                }
            }
        }
        sheet.y += 16;
        let steps = std::mem::replace(&mut sheet.out, before);
        for lane in 0..self.lanes.lanes.len() {
            let (x, bottom) = (self.x(lane), sheet.y);
            sheet.put(format_args!("<line class=\"v\" x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{bottom}\"/>\n"));
        }
        sheet.out.push_str(&steps);
        if self.shown.len() > SCREEN {
            self.heads(sheet);
        }
        self.legend(sheet);
    }

    /// A box for each lane. Returns where the lifelines begin.
    fn heads(&self, sheet: &mut Sheet<'_>) -> usize {
        const ADDRESSES: usize = 4;
        let width = self.gap - 20;
        let names: Vec<Vec<String>> = self
            .lanes
            .lanes
            .iter()
            .map(|lane| {
                let addresses = lane.addresses(self.session, ADDRESSES);
                addresses.split(", ").flat_map(|address| fitted(address, width - 16)).collect()
            })
            .collect();
        let most = names.iter().map(Vec::len).max().unwrap_or(1);
        let (top, height) = (sheet.y, 30 + most * LINE);
        for (index, (lane, names)) in self.lanes.lanes.iter().zip(&names).enumerate() {
            let (x, left) = (self.x(index), self.x(index) - width / 2);
            sheet.put(format_args!(
                "<rect class=\"box\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"7\"/>\n\
                 <text class=\"b i\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                top + 20,
                xml(&lane.title(self.session))
            ));
            for (row, name) in names.iter().enumerate() {
                let y = top + 20 + LINE * (row + 1);
                sheet.put(format_args!(
                    "<text class=\"a\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{}</text>\n",
                    xml(name)
                ));
            }
        }
        sheet.y = top + height;
        sheet.y
    }

    /// A line that is no arrow.
    fn aside(&self, sheet: &mut Sheet<'_>, text: &str) {
        sheet.y += STEP - 6;
        let (x, y) = (self.x(0) + 10, sheet.y);
        sheet.text(x, y, "d", text);
        sheet.y += 4;
    }

    fn step(&self, sheet: &mut Sheet<'_>, step: &Step) {
        let (from, to) = (self.lanes.of(step.from), self.lanes.of(step.to));
        let left = self.x(from.min(to)) + 12;
        let mut text = if step.mark == Mark::Error { "✗ ".to_owned() } else { String::new() };
        text.push_str(&caption(step));
        if let Some(addresses) = self.lanes.untold(self.session, step) {
            text.push_str(&format!(" ({addresses})"));
        }
        // room for the marks of findings
        let marks = step.cited.len() * 4 * LETTER;
        let lines = fitted(&text, sheet.width.saturating_sub(left + MARGIN + marks));
        let class = match step.mark {
            Mark::Error => " class=\"e\"",
            Mark::Lost | Mark::Note => " class=\"n\"",
            Mark::Ok => "",
        };
        let frames: Vec<String> = step.frames.iter().take(12).map(|&frame| number(self.session, frame)).collect();
        let word = if frames.len() == 1 { "frame" } else { "frames" };
        let more = if step.count > frames.len() as u64 { " …" } else { "" };
        sheet.put(format_args!("<g{class}><title>{word} {}{more}</title>\n", frames.join(", ")));
        for &frame in &step.frames {
            let Place { capture, frame } = self.session.place(frame);
            if sheet.anchors.as_mut().is_some_and(|anchors| anchors.insert((capture, frame))) {
                // A browser goes to where an anchor is, which it tells by what is in it: a line that is not drawn, from so far above that
                // what sticks to the top of the page does not cover the step.
                let (above, below) = (sheet.y.saturating_sub(3 * STEP), sheet.y + STEP);
                let _ = writeln!(sheet.out, "<g id=\"f{capture}-{frame}\"><path d=\"M{MARGIN} {above}V{below}\"/></g>"); // writing to a String cannot fail
            }
        }
        sheet.y += STEP - LINE;
        let last = lines.len().saturating_sub(1);
        for (index, line) in lines.iter().enumerate() {
            sheet.y += if index == 0 { 3 } else { LINE };
            let y = sheet.y;
            let mut marks = String::new();
            for number in step.cited.iter().filter(|_| index == last) {
                let severity = self.session.citations.get(*number).map(|citation| citation.severity);
                let tone = class_of(severity);
                let _ = write!(marks, " <tspan class=\"{tone}\">[{}]</tspan>", number + 1); // writing to a String cannot fail
            }
            sheet.put(format_args!("<text class=\"c\" x=\"{left}\" y=\"{y}\">{}{marks}</text>\n", xml(line)));
        }
        sheet.y += LINE - 5;
        let time = sheet.times.of(step.first);
        let y = sheet.y;
        sheet.text(MARGIN, y + 4, "t", &time);
        self.arrow(sheet, step, from, to);
        sheet.put(format_args!("</g>\n"));
    }

    fn arrow(&self, sheet: &mut Sheet<'_>, step: &Step, from: usize, to: usize) {
        let lost = step.mark == Mark::Lost;
        match &step.through {
            None => self.shaft(sheet, from, to, lost, lost),
            Some(passage) => {
                let server = self.lanes.of(passage.server);
                let outward = from <= to;
                self.shaft(sheet, from, server, !outward, lost && !outward);
                self.shaft(sheet, server, to, outward, lost && outward);
                let relay = passage.relay.map(|relay| self.lanes.of(relay));
                for lane in [Some(server), relay].into_iter().flatten() {
                    let (x, y) = (self.x(lane), sheet.y);
                    sheet.put(format_args!("<circle class=\"p\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>\n"));
                }
            }
        }
        if step.both_sides {
            for (lane, _) in self.lanes.lanes.iter().enumerate().filter(|(_, lane)| lane.role == Role::Nat) {
                let (x, y) = (self.x(lane), sheet.y);
                sheet.put(format_args!("<circle class=\"p\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>\n"));
            }
        }
    }

    fn shaft(&self, sheet: &mut Sheet<'_>, from: usize, to: usize, dashed: bool, lost: bool) {
        let (start, end, y) = (self.x(from), self.x(to), sheet.y);
        let dashes = if dashed { " o" } else { "" };
        if start == end {
            // both ends are on one lane
            let (right, below) = (start + 26, y + 8);
            sheet.put(format_args!("<path class=\"s{dashes}\" d=\"M{start} {y}H{right}V{below}H{start}\"/>\n"));
            return;
        }
        // the head stands before the lifeline
        let (tip, back) = if start < end { (end - 1, end - 10) } else { (end + 1, end + 10) };
        sheet.put(format_args!("<line class=\"s{dashes}\" x1=\"{start}\" y1=\"{y}\" x2=\"{back}\" y2=\"{y}\"/>\n"));
        let (above, below) = (y.saturating_sub(5), y + 5);
        if lost {
            sheet.put(format_args!(
                "<path class=\"s\" d=\"M{back} {above}L{tip} {below}M{back} {below}L{tip} {above}\"/>\n"
            ));
        } else {
            sheet.put(format_args!("<path class=\"p\" d=\"M{tip} {y}L{back} {above}V{below}z\"/>\n"));
        }
    }

    /// What the signs mean that occur.
    fn legend(&self, sheet: &mut Sheet<'_>) {
        let any = |is: fn(&Step) -> bool| self.shown.iter().any(|row| matches!(row, Shown::Step(step) if is(step)));
        sheet.y += 6;
        if any(|step| step.through.is_some()) {
            sheet.lines(MARGIN, "d", "Dashed: goes on through the relay, as what the server was sent or sends tells.");
        }
        if any(|step| step.both_sides) {
            sheet.lines(MARGIN, "d", "Dot on the NAT: captured on both sides of it.");
        }
        if any(|step| step.mark == Mark::Lost) {
            sheet.lines(MARGIN, "d", "Cross at the end: nothing answered.");
        }
    }
}
