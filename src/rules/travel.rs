//! What several captures show of the way of requests and answers: where they were lost.

use super::View;
use crate::frame::Place;
use crate::join::{Joins, Point};
use crate::net::{ClientAddress, ServerAddress};
use crate::session::{Conversation, Exchange, Seen};

/// Where unanswered requests went, as far as several captures tell.
pub(super) struct Whereabouts {
    /// What is certain, to go on a title: `, and none of them reached server.pcapng`.
    pub title: String,
    /// Sentences, each with a blank before it.
    pub text: String,
    /// Where to look, the same way; empty where nothing more is known.
    pub fix: String,
}

/// Requests of a client that nothing answered.
pub(super) fn of_requests(conversation: &Conversation, asked: &[&Exchange], view: &View<'_>) -> Whereabouts {
    let mut told = Whereabouts { title: String::new(), text: String::new(), fix: String::new() };
    let joins = view.session.joins();
    let Some(origin) = asked.first().and_then(|exchange| point_of(exchange.first, joins)) else { return told };
    let (client, server) = (conversation.client, conversation.server);
    let sent = total(asked, joins, |travel| travel.requests.get(origin).copied());
    for (number, point) in joins.points().iter().enumerate().filter(|(number, _)| *number != origin) {
        let Some(name) = name(point) else { continue };
        if !joins.is_member(number) {
            told.text += &stranger(point, &name, asked, server);
            continue;
        }
        let reached = total(asked, joins, |travel| travel.requests.get(number).copied());
        let answered = total(asked, joins, |travel| travel.answers.get(number).copied());
        let covered = asked
            .iter()
            .any(|exchange| joins.travel(exchange.id).is_some_and(|travel| travel.covered >> number & 1 == 1));
        match (reached, answered) {
            (0, 0) if covered => none_reached(&mut told, joins, number, point, (client, server), &name),
            (0, 0) => {}
            (_, 0) => {
                told.title = format!(", though {reached} of them reached {name}");
                told.text += &format!(
                    " {reached} of the {sent} requests reached {name}, which shows no answer to them: the server did not answer, or its \
                     answers were lost before that point."
                );
                told.fix = format!(
                    " The way from the client as far as {name} is open: look at the server itself, and beyond that point."
                );
            }
            _ => {
                told.text += &format!(
                    " {name} shows {answered} answers, which did not come back to the client: they were lost on the way."
                );
            }
        }
    }
    told
}

fn none_reached(
    told: &mut Whereabouts,
    joins: &Joins,
    number: usize,
    point: &Point,
    (client, server): (ClientAddress, ServerAddress),
    name: &str,
) {
    let passes = joins.passes_between(client.0.ip(), server.0.ip(), number);
    let hears = joins.names_of(server.0.ip()).any(|ip| point.heard(ip).to > 0);
    if !passes && !hears {
        return;
    }
    if told.title.is_empty() {
        told.title = format!(", and none of them reached {name}");
    }
    told.text += &if passes {
        format!(
            " {name} shows other packets between the two and none of these requests: they were lost before that point."
        )
    } else {
        format!(
            " {name} shows other packets to {} and none of these requests: they were lost before that point, unless that capture leaves \
             out what {} sends.",
            server.0.ip(),
            client.0.ip()
        )
    };
    told.fix = format!(" Look between the client and {name} first: the requests did not come that far.");
}

/// What a capture tells that shares no packet with this one: its clock may be another.
fn stranger(point: &Point, name: &str, asked: &[&Exchange], server: ServerAddress) -> String {
    let ran = asked.iter().any(|exchange| point.ran_at(exchange.first.time) || point.ran_at(exchange.last.time));
    if !ran || point.heard(server.0.ip()).to == 0 {
        return String::new();
    }
    format!(
        " {name} shows other packets to {} and, by its own clock, ran at that time; none of these requests is in it: they were lost before that \
         point, unless that capture leaves them out.",
        server.0.ip()
    )
}

/// Where an answer was seen that did not come to the client: `, which passed server.pcapng and did not come to client.pcapng`.
pub(super) fn of_answer(exchange: &Exchange, answer: Seen, view: &View<'_>) -> Option<String> {
    let joins = view.session.joins();
    let (asked, answered) = (point_of(exchange.first, joins)?, point_of(answer, joins)?);
    if asked == answered {
        return None;
    }
    let [here, there] = [asked, answered].map(|number| joins.points().get(number).and_then(name));
    let (here, there) = (here?, there?);
    let count = joins.travel(exchange.id).and_then(|travel| travel.answers.get(answered).copied()).unwrap_or(1);
    let answers = if count == 1 { "The answer".to_owned() } else { format!("Its {count} answers") };
    Some(format!("{answers} passed {there} and never came to {here}: what loses them lies between these two points."))
}

fn total(asked: &[&Exchange], joins: &Joins, of: impl Fn(&crate::join::Travel) -> Option<u16>) -> u64 {
    asked.iter().filter_map(|exchange| of(joins.travel(exchange.id)?)).map(u64::from).sum()
}

fn point_of(seen: Seen, joins: &Joins) -> Option<usize> {
    if joins.is_empty() { None } else { joins.point_of(Place::of(u32::MAX, seen.frame).capture) }
}

/// The number that means a capture as such: the report puts its name for it.
fn name(point: &Point) -> Option<String> {
    point.files.first().map(|&file| Place::joined(1, file, 0).to_string())
}
