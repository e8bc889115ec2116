//! The ladder as a Mermaid sequence diagram, for a ticket or a wiki that draws it.
//!
//! A diagram is one session; the others are comments. Whatever stands in it from the capture is escaped by numeric entities, so that it ends
//! no statement (`;`, `#`, line ends), begins no comment or directive (`%%`, `%%{`) and is no markup.

use super::lanes::Lanes;
use super::{Choice, Times, caption, client, drawn, ending, listed, marked, messages, rows};
use crate::event::Via;
use crate::render::escape::escape;
use crate::render::text::Options;
use crate::report::ladder::{Ladder, Mark, Role, Session, Shown, Step};
use std::fmt::Write as _;

/// Lanes at most.
const LANES: usize = 8;

/// The session that is chosen as a diagram; of several that fit, the most telling.
#[must_use]
pub fn mermaid(ladder: &Ladder, choice: Choice, options: &Options) -> String {
    let times = Times { clock: &options.clock };
    let mut out = String::from("sequenceDiagram\n");
    let drawn = match (choice, ladder.sessions.as_slice()) {
        (Choice::Telling, [_, _, ..]) => {
            ladder.chosen.and_then(|index| ladder.sessions.get(index)).into_iter().collect()
        }
        _ => drawn(ladder, choice),
    };
    if ladder.sessions.len() > 1 {
        for session in listed(ladder, &drawn, options) {
            let client = client(session);
            let (_, end) = ending(session);
            let count = messages(session.messages);
            let line = format!("session {}: {client}, {}, {count}, {end}", session.number, times.span(session));
            put(&mut out, format_args!("    %% {}\n", entities(&line)));
        }
    }
    match drawn.first() {
        Some(session) => draw(&mut out, session, &times, options),
        // a diagram without anything in it is an error
        None => out.push_str("    participant c0 as client\n    Note over c0: no session in the capture\n"),
    }
    out
}

fn draw(out: &mut String, session: &Session, times: &Times<'_>, options: &Options) {
    let shown = session.shown(rows(options));
    let lanes = Lanes::new(session, &shown, LANES);
    let ids: Vec<String> =
        lanes.lanes.iter().enumerate().map(|(index, lane)| format!("{}{index}", letter(lane.role))).collect();
    let id = |lane: usize| ids.get(lane).map_or("c0", String::as_str);
    for (index, lane) in lanes.lanes.iter().enumerate() {
        let name = format!("{} {}", lane.title(session), lane.addresses(session, 3));
        put(out, format_args!("    participant {} as {}\n", id(index), entities(&name)));
    }
    let ends = |out: &mut String, text: &str| {
        let last = ids.len().saturating_sub(1);
        let over = if last == 0 { id(0).to_owned() } else { format!("{},{}", id(0), id(last)) };
        put(out, format_args!("    Note over {over}: {}\n", entities(text)));
    };
    for (label, citation) in marked(session) {
        ends(out, &format!("{label}: {}", citation.title));
    }
    for row in &shown {
        match row {
            Shown::Gap(gap) => ends(out, &gap.summary()),
            Shown::Step(step) => self::step(out, session, step, &lanes, &id, times),
        }
    }
}

fn step<'i>(
    out: &mut String,
    session: &Session,
    step: &Step,
    lanes: &Lanes,
    id: &impl Fn(usize) -> &'i str,
    times: &Times<'_>,
) {
    let mut text = format!("{} {}", times.of(step.first), caption(step));
    if let Some(addresses) = lanes.untold(session, step) {
        put(&mut text, format_args!(" ({addresses})"));
    }
    for number in &step.cited {
        put(&mut text, format_args!(" [{}]", number + 1));
    }
    let (from, to) = (lanes.of(step.from), lanes.of(step.to));
    // a cross at the end of what was lost
    let arrow = if step.mark == Mark::Lost { "-x" } else { "->>" };
    match &step.through {
        None => put(out, format_args!("    {}{arrow}{}: {}\n", id(from), id(to), entities(&text))),
        Some(passage) => {
            let server = lanes.of(passage.server);
            let relay = passage.relay.map_or(server, |relay| lanes.of(relay));
            let via = format!("{} {}", times.of(step.first), carrier(passage.via));
            let told = if step.mark == Mark::Lost { "--x" } else { "-->>" };
            if lanes.lanes.get(from).is_some_and(|lane| lane.role == Role::Client) {
                put(out, format_args!("    {}->>{}: {}\n", id(from), id(server), entities(&via)));
                put(out, format_args!("    {}{told}{}: {}\n", id(relay), id(to), entities(&text)));
            } else {
                put(out, format_args!("    {}{told}{}: {}\n", id(from), id(relay), entities(&text)));
                put(out, format_args!("    {}->>{}: {}\n", id(server), id(to), entities(&via)));
            }
        }
    }
    if step.mark == Mark::Error {
        put(out, format_args!("    Note right of {}: ✗ {}\n", id(to), entities(&step.label)));
    }
}

fn carrier(via: Via) -> String {
    match via {
        Via::Send => "Send indication".to_owned(),
        Via::Data => "Data indication".to_owned(),
        Via::Channel(channel) => format!("ChannelData 0x{channel:04x}"),
        Via::Connection => "data connection".to_owned(),
    }
}

/// Names of lanes in the source; none of them begins a keyword.
fn letter(role: Role) -> char {
    match role {
        Role::Client => 'c',
        Role::Nat => 'n',
        Role::Server => 's',
        Role::Relay => 'r',
        Role::Peer => 'p',
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text); // writing to a String cannot fail
}

/// Text as Mermaid shows it to the letter: what has a meaning to it, or to HTML, as a numeric entity.
fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in escape(text).chars() {
        match c {
            '#' | ';' | '%' | '<' | '>' | '&' | '"' | '\'' | '`' | '{' | '}' | '\\' | '$' | '*' | '_' | '~' => {
                put(&mut out, format_args!("#{};", u32::from(c)));
            }
            _ => out.push(c),
        }
    }
    out
}
