//! `turn-redirect`, `turn-redirect-ignored` and `turn-redirect-loop`: 300 with ALTERNATE-SERVER, and what the client makes of it.

use super::Denied;
use crate::net::{Endpoint, ServerAddress};
use crate::rules::evidence::client_filter;
use crate::rules::refusal::PATIENCE;
use crate::rules::{Collector, Confidence, Remedy, Severity, Text, View};
use crate::session::{Conversation, Redirect};
use crate::time::Span;

pub(super) const FOLLOWED: &str = "turn-redirect";
pub(super) const IGNORED: &str = "turn-redirect-ignored";
pub(super) const LOOP: &str = "turn-redirect-loop";

/// A server that sends the client back within this time makes a loop (RFC 8489 §10).
const LOOP_WITHIN: Span = Span::from_secs(300);
/// A client that opens another socket to the same server within this time had not read the answer to the first.
const AT_ONCE: Span = Span::from_secs(1);

pub(super) fn tell(denied: &Denied<'_>, view: &View<'_>, out: &mut Collector) {
    let conversation = denied.conversation;
    let Some(to) = denied.answer.alternate else { return };
    let (client, server) = (conversation.client.0.ip(), conversation.server);
    let clients = view.session.clients();
    let mut seen = denied.occurrence(FOLLOWED, "RFC 8489 §10", view);
    let round = circle(server.0, to.0, clients.redirects(client));
    if !round.is_empty() {
        let mut names: Vec<String> = round.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        seen.id = LOOP;
        seen.filter = Some(client_filter(conversation));
        seen.key = names.join(" ");
        out.add(seen, || looped(denied, &round, view));
        return;
    }
    seen.key = format!("{server} {to}");
    let refused_at = denied.answer.seen.time;
    let told_at = denied.first.answer.as_ref().map_or(refused_at, |answer| answer.seen.time);
    let contact = clients.contact(client, to.0);
    if contact.is_some_and(|contact| contact >= told_at) || clients.was_answered(client, to.0) {
        seen.severity = Severity::Note;
        seen.remedy = Remedy::None;
        out.add(seen, || followed(denied, to, view));
        return;
    }
    let asked_again = conversation.exchanges.iter().any(|exchange| exchange.first.time > refused_at)
        || denied.exchanges.len() > 1
        || clients.contact(client, server.0).is_some_and(|last| last.since(refused_at) > AT_ONCE);
    if !asked_again {
        if view.now().since(refused_at) < PATIENCE {
            return;
        }
        // it gave up, or the capture does not show where it went
        seen.confidence = Confidence::Likely;
    }
    // it may have gone on there from a port that it had used before, or where nobody looks
    if contact.is_some() || view.session.hides(client) && view.session.hides(to.0.ip()) {
        seen.confidence = Confidence::Likely;
    }
    seen.id = IGNORED;
    out.add(seen, || ignored(denied, to, (asked_again, contact.is_some()), view));
}

/// Who sent the client on to the server that does not serve it, in words for explanation and fix; empty where nobody did.
pub(in crate::rules) fn sent_here(conversation: &Conversation, view: &View<'_>) -> (String, String) {
    let server = conversation.server;
    let redirects = view.session.clients().redirects(conversation.client.0.ip());
    let Some(known) = redirects.iter().rfind(|redirect| redirect.to == server.0) else { return Default::default() };
    (
        format!(
            " The client went there since {} sent it on with 300 Try Alternate (frame {}).",
            known.from, known.at.frame
        ),
        format!(
            " Or have {} name another alternate server, or none, while {server} does not serve (coturn: alternate-server).",
            known.from
        ),
    )
}

/// The servers through which the client's redirections lead from `server` back to it; empty if they do not.
fn circle(server: Endpoint, to: Endpoint, known: &[Redirect]) -> Vec<Endpoint> {
    let mut round = vec![server];
    let Some(first) = known.iter().find(|redirect| redirect.from == server && redirect.to == to) else {
        return Vec::new();
    };
    let mut here = to;
    while here != server {
        let near = |redirect: &&Redirect| redirect.from == here && redirect.at.time.apart(first.at.time) <= LOOP_WITHIN;
        let next = known.iter().filter(near).max_by_key(|redirect| redirect.at);
        match next {
            Some(next) if !round.contains(&here) => {
                round.push(here);
                here = next.to;
            }
            _ => return Vec::new(),
        }
    }
    round
}

fn followed(denied: &Denied<'_>, to: ServerAddress, view: &View<'_>) -> Text {
    let server = denied.conversation.server;
    Text {
        title: format!("{server} sent {} on to {to}, and the client went there", denied.whom(view)),
        explanation: format!(
            "{} asked {server}, was answered {} {} with the alternate server {to}, and asked that. This is how servers share their load.",
            denied.who(view),
            view.error(denied.answer),
            denied.listed(),
        ),
        fix: String::new(),
    }
}

fn ignored(denied: &Denied<'_>, to: ServerAddress, (asked_again, asked_there): (bool, bool), view: &View<'_>) -> Text {
    let server = denied.conversation.server;
    let (short, long) = match (asked_again, asked_there) {
        (true, false) => (
            "goes on asking the same server",
            "It went on asking the same server, and the capture shows no packet to the alternate.",
        ),
        (true, true) => (
            "goes on asking the same server",
            "It went on asking the same server; the alternate it had asked before that, and had got nothing there.",
        ),
        (false, false) => (
            "does not go there",
            "The capture shows no packet to the alternate: the client gave up, or went there by a way that is not captured.",
        ),
        (false, true) => (
            "does not go there",
            "The client had asked the alternate before that, had got nothing there, and does not begin anew with it: it gave up, or went there by a way that is \
             not captured.",
        ),
    };
    Text {
        title: format!("{server} sends {} on to {to}, and the client {short}", denied.conversation.client.0.ip()),
        explanation: format!(
            "{} asked {server} and was answered {} {} with the alternate server {to}. {long}",
            denied.who(view),
            view.error(denied.answer),
            denied.listed(),
        ),
        fix: format!(
            "Give the client the address {to} itself, or a client that follows redirections; or have {server} serve its clients. A client \
             may rightly refuse a 300 without MESSAGE-INTEGRITY."
        ),
    }
}

fn looped(denied: &Denied<'_>, round: &[Endpoint], view: &View<'_>) -> Text {
    let server = denied.conversation.server;
    let way = match round {
        [only] => format!("{only} sends {} to itself", denied.conversation.client.0.ip()),
        [one, other] => format!("{one} and {other} send {} to each other", denied.conversation.client.0.ip()),
        _ => {
            let names: Vec<String> = round.iter().map(ToString::to_string).collect();
            format!("{} and back send {} round in a circle", names.join(" to "), denied.conversation.client.0.ip())
        }
    };
    Text {
        title: format!("{way} with {}", view.error(denied.answer)),
        explanation: format!(
            "{} asked {server} and was answered {} {}; the servers that it is sent to send it back. Nobody serves it.",
            denied.who(view),
            view.error(denied.answer),
            denied.listed(),
        ),
        fix: "Correct the alternates on these servers (coturn: alternate-server): one of them must serve.".to_owned(),
    }
}
