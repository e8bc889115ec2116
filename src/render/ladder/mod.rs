//! Ladders drawn: as text for a terminal, as SVG, as a Mermaid sequence diagram.

mod lanes;
mod mermaid;
mod svg;
mod text;

pub use mermaid::mermaid;

pub use svg::svg;
pub(in crate::render) use svg::{STYLE, embedded, xml};
pub use text::text;

use crate::render::clock::Clock;
use crate::render::text::{Detail, Options, count};
use crate::report::ladder::{Citation, Ladder, Session, Step};
use crate::report::{Severity, Time};
use crate::time::Span;

/// Lines of one session, about; never more than twice as many.
const ROWS: usize = 100;
/// The same where everything is asked for.
const ALL_ROWS: usize = 10_000;
/// Steps of all sessions up to which all are drawn, unless one is asked for.
const FEW: usize = 60;
/// How long repeats go on that is worth telling of any message.
const LONG: Span = Span::from_secs(1);
/// Sessions listed.
const LISTED: usize = 20;

/// What is drawn: all sessions, or one of them and the others in a line each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// All sessions if they are few and short, else the one that the headline is about.
    #[default]
    Telling,
    /// The session with this number.
    Session(usize),
}

/// The sessions to draw, in their order.
fn drawn(ladder: &Ladder, choice: Choice) -> Vec<&Session> {
    match choice {
        Choice::Session(number) => ladder.sessions.iter().filter(|session| session.number == number).collect(),
        Choice::Telling if ladder.sessions.iter().map(|session| session.steps.len() + 6).sum::<usize>() <= FEW => {
            ladder.sessions.iter().collect()
        }
        Choice::Telling => ladder.chosen.and_then(|index| ladder.sessions.get(index)).into_iter().collect(),
    }
}

/// Lines of one session.
fn rows(options: &Options) -> usize {
    if options.detail == Detail::Verbose { ALL_ROWS } else { ROWS }
}

/// The sessions that the list above the ladders has: the first ones, and those that are drawn.
fn listed<'a>(ladder: &'a Ladder, drawn: &[&Session], options: &Options) -> Vec<&'a Session> {
    let most = if options.detail == Detail::Verbose { usize::MAX } else { LISTED };
    let is_drawn = |session: &Session| drawn.iter().any(|other| other.number == session.number);
    ladder
        .sessions
        .iter()
        .enumerate()
        .filter(|(index, session)| *index < most || is_drawn(session))
        .map(|(_, session)| session)
        .collect()
}

/// What a step says beside its arrow, but for what it cites: label, repeats, duration, remark.
fn caption(step: &Step) -> String {
    let mut text = step.label.clone();
    if step.count > 1 {
        text.push_str(&format!(" ×{}", step.count));
        if step.originals == 1 {
            text.push_str(" (retransmitted)");
        } else if step.originals < step.count {
            text.push_str(&format!(" ({} retransmitted)", step.count - step.originals));
        }
        let lasted = step.last.at.since(step.first.at);
        if step.is_run || lasted >= LONG {
            text.push_str(&format!(" · {lasted}"));
        }
    }
    if !step.remark.is_empty() {
        text.push_str("; ");
        text.push_str(&step.remark);
    }
    text
}

/// The times at the side: of the day where the clock shows dates, which then stand in the heading.
struct Times<'a> {
    clock: &'a Clock,
}

impl Times<'_> {
    /// The time of a step, to the microsecond.
    fn of(&self, time: Time) -> String {
        let text = self.clock.show(Time::new(time.at, time.digits.min(6)));
        match self.clock {
            Clock::Relative(_) => text,
            // date, blank, time, zone
            Clock::Utc | Clock::Local(_) => {
                let time = text.split(' ').nth(1).unwrap_or(&text);
                let end = time.find(['Z', '+', '-']).unwrap_or(time.len());
                time.get(..end).unwrap_or(time).to_owned()
            }
        }
    }

    /// The day of a step, where the clock has days.
    fn day(&self, time: Time) -> Option<String> {
        match self.clock {
            Clock::Relative(_) => None,
            Clock::Utc | Clock::Local(_) => self.clock.show(time).split(' ').next().map(str::to_owned),
        }
    }

    /// When a session began, to the millisecond.
    fn start(&self, session: &Session) -> String {
        let text = self.of(Time::new(session.first.at, session.first.digits.min(3)));
        if matches!(self.clock, Clock::Relative(_)) { format!("{text} s") } else { text }
    }

    /// From when to when a session was, in a few words.
    fn span(&self, session: &Session) -> String {
        let (first, last) = (session.first, session.last);
        match self.clock {
            Clock::Relative(_) => {
                let short = |time: Time| self.clock.show(Time::new(time.at, time.digits.min(3)));
                format!("{} – {} s", short(first), short(last))
            }
            Clock::Utc | Clock::Local(_) => {
                let whole = self.clock.show(Time::new(first.at, first.digits.min(3)));
                let zone =
                    whole.split(' ').nth(1).and_then(|time| time.find(['Z', '+', '-']).and_then(|at| time.get(at..)));
                let short = |time: Time| self.of(Time::new(time.at, time.digits.min(3)));
                let day = self.day(first).unwrap_or_default();
                format!("{day} {} – {}{}", short(first), short(last), zone.unwrap_or_default())
            }
        }
    }
}

/// `Session 2 of 3`.
fn title(session: &Session, ladder: &Ladder) -> String {
    match ladder.sessions.len() {
        0 | 1 => format!("Session {}", session.number),
        several => format!("Session {} of {several}", session.number),
    }
}

/// What findings a session is told with: their marks, as steps bear them, and their ids.
fn marked(session: &Session) -> impl Iterator<Item = (String, &Citation)> {
    (1..)
        .zip(&session.citations)
        .map(|(number, citation)| (format!("[{number}] {} {}", citation.severity.name(), citation.id), citation))
}

/// The address of whose session it is.
fn client(session: &Session) -> String {
    session.participants.first().map(|client| client.address()).unwrap_or_default()
}

/// How a session ended: by what is found about it, else by what its packets tell.
fn ending(session: &Session) -> (Option<Severity>, String) {
    match session.citations.first() {
        Some(citation) => (Some(citation.severity), citation.id.clone()),
        None => (None, session.outcome.to_string()),
    }
}

/// `12 messages`.
fn messages(number: u64) -> String {
    count(number, "message", "messages")
}

/// What stands where nothing can be drawn.
const NOTHING: &str = "No session: the captures hold no STUN, DTLS or media that could be drawn.";

/// What is said of messages that are in no session.
fn left_out(ladder: &Ladder) -> Option<String> {
    let told =
        || format!("{} on further flows are in no session: there are too many at once.", messages(ladder.omitted));
    (ladder.omitted > 0).then(told)
}
