//! The sessions of a capture, a line each.

use super::{BOLD, DIM, Paper, style_of};
use crate::render::escape::escape;
use crate::render::ladder::{self, Choice, ending, listed};
use crate::report::Report;
use crate::report::ladder::{Ladder, Role, Session};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The names of the columns; how it ended stands behind them.
const HEADS: [&str; 5] = ["", "client", "server or peer", "when", "msgs"];

/// All sessions, a line each.
pub(super) fn list(paper: &mut Paper<'_>, ladder: &Ladder, report: &Report, drawn: &[&Session], choice: Choice) {
    let sessions = listed(ladder, drawn, paper.options);
    let lines: Vec<[String; 5]> = sessions
        .iter()
        .map(|session| {
            let server = server(session);
            // when it began is enough where room is short
            let when = if paper.width < 100 { paper.times.start(session) } else { paper.times.span(session) };
            [session.number.to_string(), client(session), server, when, session.messages.to_string()]
        })
        .collect();
    let ends = sessions.iter().map(|session| ending(session).1.width()).max().unwrap_or(0).clamp(12, 32);
    let widths = widths(&lines, paper.width.saturating_sub(2 + ends), paper.width);
    paper.paint(Some(BOLD), &format!("{} sessions", ladder.sessions.len()));
    paper.out.push('\n');
    let line = |cells: [&str; 5]| {
        let mut text = String::new();
        for (index, (cell, width)) in cells.iter().zip(widths).enumerate().filter(|(_, (_, width))| *width > 0) {
            let cell = cut(&escape(cell), width);
            let pad = " ".repeat(width - cell.width().min(width));
            let numeric = index == 0 || index == 4;
            text.push_str(&if numeric { format!("{pad}{cell}") } else { format!("{cell}{pad}") });
            text.push_str("  ");
        }
        text
    };
    let head = line(HEADS);
    let room = paper.width.saturating_sub(2 + head.width());
    paper.out.push_str("  ");
    paper.paint(Some(DIM), &format!("{head}{}", cut("how it ended", room)));
    paper.out.push('\n');
    for (session, cells) in sessions.iter().zip(&lines) {
        let is_drawn = drawn.iter().any(|other| other.number == session.number) && drawn.len() < ladder.sessions.len();
        paper.out.push_str(if is_drawn { "▸ " } else { "  " });
        let [number, client, server, when, count] = cells;
        paper.out.push_str(&line([number, client, server, when, count]));
        let (severity, end) = ending(session);
        paper.paint(style_of(severity), &cut(&escape(&end), room));
        paper.out.push('\n');
    }
    remarks(paper, ladder, report, (&sessions, drawn), choice);
}

/// How wide each column is, so that all fit into so much room of a page as wide as this.
fn widths(lines: &[[String; 5]], room: usize, page: usize) -> [usize; 5] {
    let mut widths = HEADS.map(UnicodeWidthStr::width);
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.width());
        }
    }
    // a very narrow page has no room for where and when: the ladder tells
    if page < 72 {
        (widths[2], widths[3]) = (0, 0);
    }
    // what does not fit is cut where it is least missed: addresses, and then the times
    while widths.iter().map(|width| width + 2).sum::<usize>() > room {
        let [_, client, server, when, _] = &mut widths;
        let widest = if client.max(server) > &mut 14 { client.max(server) } else { when };
        if *widest <= 8 {
            break;
        }
        *widest -= 1;
    }
    widths
}

/// What there is beside the sessions that are listed, which one is drawn, and which captures show them.
fn remarks(
    paper: &mut Paper<'_>,
    ladder: &Ladder,
    report: &Report,
    (sessions, drawn): (&[&Session], &[&Session]),
    choice: Choice,
) {
    let more = ladder.sessions.len() - sessions.len();
    if more > 0 {
        paper.paragraph(2, Some(DIM), &format!("… {more} more; --verbose lists them"));
    }
    if drawn.len() < ladder.sessions.len() && choice == Choice::Telling {
        let why = match drawn
            .first()
            .map(|session| (session.citations.iter().any(|c| c.is_headline), session.citations.is_empty()))
        {
            Some((true, _)) => "the headline is about",
            Some((false, false)) => "is the gravest",
            _ => "has the most messages",
        };
        let number = drawn.first().map_or(0, |session| session.number);
        paper.paragraph(2, Some(DIM), &format!("Drawn below is {number}, which {why}. --session N draws another."));
    }
    if report.captures.len() > 1 {
        let mut told: Vec<&[u32]> = Vec::new();
        for session in sessions.iter() {
            if told.contains(&session.captures.as_slice()) {
                continue;
            }
            told.push(&session.captures);
            let numbers = |other: &&&Session| other.captures == session.captures;
            let own: Vec<String> = sessions.iter().filter(|s| numbers(s)).map(|s| s.number.to_string()).collect();
            if let Some(paths) = session.paths(report) {
                paper.paragraph(2, Some(DIM), &format!("{paths}: {}", own.join(", ")));
            }
        }
    }
}

/// Text cut to a number of columns, with a mark where it is.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if kept.width() + c.width().unwrap_or(0) + 1 > columns {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// `172.16.84.124`, with the first of the user names.
fn client(session: &Session) -> String {
    let client = ladder::client(session);
    match session.users.as_slice() {
        [] => client,
        [user] => format!("{client} {user}"),
        [user, rest @ ..] => format!("{client} {user} +{}", rest.len()),
    }
}

/// The first server, else the first peer, and how many others there are.
fn server(session: &Session) -> String {
    let of = |role: Role| session.participants.iter().filter(move |known| known.role() == role);
    let role = if of(Role::Server).next().is_some() { Role::Server } else { Role::Peer };
    let first = of(role).next().map(|known| known.address()).unwrap_or_default();
    match of(role).count() {
        0 | 1 => first,
        many => format!("{first} +{}", many - 1),
    }
}
