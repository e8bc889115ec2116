//! `turn-integrity-rejected`: the password, or the user, differs between client and server.

use super::evidence::{filter_of, frames, frames_of};
use super::refusal::{Refusal, classify};
use super::{Collector, Confidence, Dialect, Occurrence, Proof, Remedy, Severity, Subject, Text, View};
use crate::session::credentials::Side;
use crate::session::{Answer, Conversation, Exchange, Grievance};

pub(super) const ID: &str = "turn-integrity-rejected";

pub(super) fn judge(conversation: &Conversation, view: &View<'_>, out: &mut Collector) {
    let dialect = Dialect::of(conversation, view);
    let refused: Vec<&Exchange> = conversation
        .exchanges
        .iter()
        .filter(|exchange| classify(exchange, conversation, view) == Refusal::Integrity)
        .collect();
    let (Some(first), Some(last)) = (refused.first(), refused.last()) else { return };
    let Some(answer) = &last.answer else { return };
    let request = refused.iter().rev().map(|exchange| Proof::of(&exchange.asked.integrity, view));
    let request = request.max_by_key(strength).unwrap_or(Proof::Untested);
    let response = refused.iter().rev().filter_map(|exchange| exchange.answer.as_ref());
    let response =
        response.map(|answer| Proof::of(&answer.integrity, view)).max_by_key(strength).unwrap_or(Proof::Unsigned);
    let later = conversation.granted_after(last.method, answer.seen.time);
    let user = last.asked.user.or(last.asked.userhash);
    let client = conversation.client.0.ip();
    let seen = Occurrence {
        id: ID,
        key: format!("{} {} {} {}", conversation.server, answer.code, key(&request), key(&response)),
        severity: if later { Severity::Warning } else { Severity::Failure },
        confidence: if last.asked.truncated || answer.truncated { Confidence::Likely } else { Confidence::Certain },
        remedy: Remedy::Service(Grievance { client, user, server: conversation.server.0, at: answer.seen.time }),
        at: first.first.time,
        frames: frames_of(refused.iter().copied()),
        filter: Some(filter_of(conversation)),
        reference: "RFC 8489 §9.2.4",
        subject: Subject {
            client: Some(conversation.client),
            server: Some(conversation.server),
            username: user.map(|name| view.text(name)),
            realm: last.asked.realm.map(|name| view.text(name)),
            ..Subject::default()
        },
        causes: &["nat-alg-rewrite"],
    };
    out.add(seen, || text(conversation, &refused, answer, dialect, &request, &response, view));
}

fn strength(proof: &Proof) -> u8 {
    match proof {
        Proof::Unsigned => 0,
        Proof::Truncated => 1,
        Proof::Untested => 2,
        Proof::Mismatch(_) => 3,
        Proof::By { .. } => 4,
    }
}

fn key(proof: &Proof) -> String {
    match proof {
        Proof::By { credential, .. } => credential.to_string(),
        Proof::Mismatch(_) => "mismatch".to_owned(),
        _ => "-".to_owned(),
    }
}

fn text(
    conversation: &Conversation,
    refused: &[&Exchange],
    answer: &Answer,
    dialect: Dialect,
    request: &Proof,
    response: &Proof,
    view: &View<'_>,
) -> Text {
    let server = conversation.server;
    let last = refused.last().copied();
    let user = view.quoted(last.and_then(|exchange| exchange.asked.user));
    let error = view.error(answer);
    let what = match dialect {
        Dialect::Draft => "password",
        _ => "user or password",
    };
    let (why, proof, fix) = blame(request, response, what, &user, dialect);
    let listed = frames(&frames_of(refused.iter().copied()));
    let times = match refused.len() {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        many => format!("{many} times"),
    };
    Text {
        title: format!("{server} refused the {what} of {user} with {error}: {why}"),
        explanation: format!(
            "{} asked {server} as {user} in realm {} and was refused {times} ({listed}), although the request carries the server's own \
             realm and a nonce that nothing in the capture speaks against. {proof}",
            conversation.client,
            view.quoted(last.and_then(|exchange| exchange.asked.realm)),
        ),
        fix,
    }
}

/// Who holds what: a clause for the headline, sentences with the proof, and what to change.
fn blame(request: &Proof, response: &Proof, what: &str, user: &str, dialect: Dialect) -> (String, String, String) {
    let cisco = match dialect {
        Dialect::Draft => {
            " With a Cisco Meeting Server and an Expressway-E these are the password of the TURN server object in the Meeting Server's \
             API and that of the user in the Expressway-E's local authentication database."
        }
        _ => "",
    };
    match (request, response) {
        (Proof::By { label: client, credential: one, .. }, Proof::By { label: server, credential: other, .. }) if one != other => (
            format!("the client signs with \"{client}\", the server with \"{server}\""),
            format!(
                "The request's integrity verifies with the credential \"{client}\" and the error response's own with \"{server}\": \
                 each side holds another password."
            ),
            format!("Give both sides the same password for {user}: the one of \"{server}\" to the client, or the one of \"{client}\" to the server.{cisco}"),
        ),
        (Proof::By { label, side, .. }, _) => {
            let held = match side {
                Some(Side::Server) => format!("the client signs with \"{label}\", which the server should hold and does not"),
                _ => format!("the client signs with \"{label}\", and the server holds another"),
            };
            let proof = format!(
                "The request's integrity verifies with the credential \"{label}\", so that is what the client was given; the server must \
                 hold another {what} for it."
            );
            (held, proof, format!("Set on the server, for {user}, the password of \"{label}\"; or give the client the one that the server holds.{cisco}"))
        }
        (Proof::Mismatch(tried), Proof::By { label, .. }) => (
            format!("the server holds \"{label}\", the client was given something else"),
            format!(
                "The request verifies with none of the {tried} credentials that apply to it; the error response's own integrity \
                 verifies with \"{label}\", so the server holds that one."
            ),
            format!("Give the client the password of \"{label}\" for {user}.{cisco}"),
        ),
        (Proof::Mismatch(tried), _) => (
            "the client signs with none of the credentials given".to_owned(),
            format!(
                "The request verifies with none of the {tried} credentials that apply to it: the client was given something else, or a \
                 password was changed or mistyped on its way there."
            ),
            format!("Look at what the client was really given for {user}, and set the same on client and server.{cisco}"),
        ),
        (_, Proof::By { label, .. }) => (
            format!("the server holds \"{label}\", the client another"),
            format!("The error response's own integrity verifies with \"{label}\": that is what the server holds."),
            format!("Give the client the password of \"{label}\" for {user}.{cisco}"),
        ),
        (Proof::Truncated, _) => (
            format!("{what} differs between client and server"),
            "The capture cuts the signed messages short, so no credential can be tested on them.".to_owned(),
            format!("Set the same {what} on client and server; capture whole packets to see which of them is wrong.{cisco}"),
        ),
        _ => (
            format!("{what} differs between client and server"),
            "Which side is wrong the packets can show too: give the credentials that each side should have with --credentials FILE.".to_owned(),
            format!("Set the same {what} on client and server.{cisco}"),
        ),
    }
}
