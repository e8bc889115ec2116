//! `turn-refused`, `turn-server-error` and `turn-request-rejected`: refusals of which code and phrase say all there is to say.

use super::denied::Denied;
use super::{Collector, Occurrence, Remedy, Severity, Text, View};
use crate::wire::stun::{Method, registry};

pub(super) const BARRED: &str = "turn-refused";
pub(super) const FAULT: &str = "turn-server-error";
pub(super) const OTHER: &str = "turn-request-rejected";

pub(super) fn tell_barred(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    out.add(denied.occurrence(BARRED, "RFC 8656 §7.2", view), || barred(denied, view));
}

pub(super) fn tell_fault(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    out.add(occurrence(denied, FAULT, view), || fault(denied, view));
}

pub(super) fn tell_other(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    out.add(occurrence(denied, OTHER, view), || other(denied, view));
}

fn occurrence(denied: &Denied<'_>, id: &'static str, view: &View<'_>) -> Occurrence {
    let (conversation, method) = (denied.conversation, denied.last.method);
    let mut seen = denied.occurrence(id, "RFC 8489 §14.8", view);
    seen.key = format!("{} {method} {}", conversation.server, denied.answer.code);
    seen.subject.peer = denied.last.asked.peer;
    match method {
        Method::BINDING if denied.exchanges.iter().all(|exchange| exchange.asked.nat_test) => {
            seen.severity = Severity::Warning;
        }
        Method::BINDING => seen.remedy = Remedy::Reachability(denied.grievance(denied.answer.seen.time)),
        Method::CREATE_PERMISSION | Method::CHANNEL_BIND | Method::CONNECT => {
            seen.remedy = Remedy::Data(denied.grievance(conversation.first.time));
        }
        Method::ALLOCATE | Method::REFRESH | Method::CONNECTION_BIND => {}
        // not a request of STUN or TURN as they are today: what depends on it cannot be told
        _ => seen.severity = Severity::Warning,
    }
    seen
}

fn barred(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (server, whom) = (denied.conversation.server, denied.whom(view));
    if super::denied::reason(denied.answer, view).contains("draining") {
        return Text {
            title: format!("{server} takes no new allocations, since it is about to be stopped: it refuses {whom}"),
            explanation: format!(
                "{} asked {server} for an allocation and was answered {} {}: the server is draining, it serves what it has until that ends.",
                denied.who(view),
                view.error(denied.answer),
                denied.listed(),
            ),
            fix: "Take a draining server out of the list that clients are given, or let the balancer send them to another.".to_owned(),
        };
    }
    Text {
        title: format!("{server} refuses to serve {whom}: {}", view.error(denied.answer)),
        explanation: format!(
            "{} asked {server} for an allocation and was refused {}. That is a decision of the server's administrator about this user or \
             this address, not a question of the password.{}",
            denied.who(view),
            denied.listed(),
            denied.phrase(view),
        ),
        fix: format!(
            "Look up in the server's configuration or log why {whom} is barred, and lift the bar; or use another server."
        ),
    }
}

fn fault(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (server, method) = (denied.conversation.server, denied.last.method);
    Text {
        title: format!("{server} answers {method} with a fault of its own: {}", view.error(denied.answer)),
        explanation: format!(
            "{} sent {method} and was answered {} {}. 500 says that the server failed, not that the request was wrong.{}",
            denied.who(view),
            view.error(denied.answer),
            denied.listed(),
            denied.phrase(view),
        ),
        fix: "Read the server's log at that time; have the client try again later, or another server.".to_owned(),
    }
}

fn other(denied: &Denied<'_>, view: &View<'_>) -> Text {
    let (server, method, code) = (denied.conversation.server, denied.last.method, denied.answer.code);
    let error = if code == 0 { "an error without a code".to_owned() } else { view.error(denied.answer) };
    let row = registry::error(code);
    let peer = denied.last.asked.peer.map(|peer| format!(" (about the peer {peer})")).unwrap_or_default();
    let meaning = match (denied.phrase(view), row) {
        (phrase, _) if !phrase.is_empty() => phrase,
        (_, Some(row)) => format!(" {} Mostly behind it: {}", row.meaning, row.cause),
        _ => " The code is none that is registered: the server's own documentation must say what it means.".to_owned(),
    };
    Text {
        title: format!("{server} refused the {method} of {}: {error}", denied.whom(view)),
        explanation: format!(
            "{} sent {method}{peer} and was answered {error} {}.{meaning}",
            denied.who(view),
            denied.listed(),
        ),
        fix: row.map_or_else(|| "Read the server's log at that time.".to_owned(), |row| row.fix.to_owned()),
    }
}
