//! `turn-integrity-rejected`: the password, or the user, differs between client and server.

use super::Refused;
use super::challenge::tokens_of;
use super::expiry::{good_for, in_milliseconds};
use super::nearly::nearly;
use crate::rules::evidence::how_long;
use crate::rules::refusal::{PATIENCE, challenge_before, is_named_pion, is_nonce_given};
use crate::rules::{Collector, Confidence, Dialect, Proof, Text, View};
use crate::session::credentials::{CredentialKind, Identity, KeyHash, Kind, Preparation, Scheme, Side, Slip};
use crate::session::{Asked, Conversation, Exchange, Name};
use crate::wire::stun::integrity::Rule;

pub(super) const ID: &str = "turn-integrity-rejected";
/// How a title says that a credential given made the request.
pub(in crate::rules) const SIGNS: &str = "the client signs with \"";

pub(super) fn tell(group: &Refused<'_>, view: &View<'_>, out: &mut Collector) {
    let conversation = group.conversation;
    let proofs = group.exchanges.iter().rev().map(|exchange| Proof::of(&exchange.asked.integrity, view));
    let request = proofs.max_by_key(strength).unwrap_or(Proof::Untested);
    let answers = group.exchanges.iter().rev().filter_map(|exchange| exchange.answer.as_ref());
    let response =
        answers.map(|answer| Proof::of(&answer.integrity, view)).max_by_key(strength).unwrap_or(Proof::Unsigned);
    let key = [
        format!("{} {} {} {}", conversation.server, group.answer.code, key(&request), key(&response)),
        apart(group, &request, &response, view),
    ]
    .concat();
    let mut seen = group.occurrence(ID, key, "RFC 8489 §9.2.4", view);
    seen.causes = &["nat-alg-rewrite"];
    let truncated = group.last.asked.truncated || group.answer.truncated;
    if truncated || !group.exchanges.iter().any(|exchange| is_certain(exchange, conversation, view)) {
        // what the same user was granted next with another nonce was not refused for the password
        if group.exchanges.iter().all(|exchange| is_nonce_renewed(exchange, conversation)) {
            return;
        }
        seen.confidence = Confidence::Likely;
    }
    if may_be_nonce(group, view) {
        seen.confidence = Confidence::Likely;
    }
    out.add(seen, || text(group, &request, &response, view));
}

/// Whether nothing but the credentials can be meant: the code says it, or the nonce is known to have been good.
fn is_certain(exchange: &Exchange, conversation: &Conversation, view: &View<'_>) -> bool {
    let Some(answer) = &exchange.answer else { return false };
    let challenge = challenge_before(exchange, conversation);
    match answer.code {
        431 | 439 => true,
        401 => {
            answer.is_challenge() && (is_nonce_given(exchange, conversation) || answer.nonce == exchange.asked.nonce)
        }
        _ => challenge.is_some() || is_named_pion(conversation, view),
    }
}

/// Whether a refusal brought another nonce with which the same user was granted the same.
fn is_nonce_renewed(exchange: &Exchange, conversation: &Conversation) -> bool {
    let asked = &exchange.asked;
    let Some(new) = exchange.answer.as_ref().and_then(|answer| answer.nonce).filter(|&new| Some(new) != asked.nonce)
    else {
        return false;
    };
    let same = |known: &Exchange| (known.asked.user, known.asked.userhash) == (asked.user, asked.userhash);
    conversation.of(exchange.method).any(|known| known.succeeded() && known.asked.nonce == Some(new) && same(known))
}

/// Whether a request is protected with SHA-256 alone though the server had not offered it.
fn only_unoffered_sha256(exchange: &Exchange, conversation: &Conversation) -> bool {
    let offered = challenge_before(exchange, conversation).is_none_or(|challenge| challenge.password_algorithms);
    exchange.asked.integrity_sha256 && !exchange.asked.integrity_sha1 && !offered
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

/// What sets one refusal apart from others of the server, though the same was proved: it is told of, and is true of those that share it only.
fn apart(group: &Refused<'_>, request: &Proof, response: &Proof, view: &View<'_>) -> String {
    let asked = &group.last.asked;
    let near = nearly(asked, request, response, view);
    let slips = near.iter().flat_map(|near| [near.request, near.response]).flatten().map(|near| near.slip.name());
    let odd = oddity(request, asked).map(Slip::name);
    let limited = good_for(group.last, view).map(|_| "time-limited");
    slips.chain(odd).chain(limited).flat_map(|what| [" ", what]).collect()
}

fn text(group: &Refused<'_>, request: &Proof, response: &Proof, view: &View<'_>) -> Text {
    let conversation = group.conversation;
    let (server, client) = (conversation.server, conversation.client);
    let dialect = Dialect::of(conversation, view);
    let asked = &group.last.asked;
    let user = view.user(&group.last.asked);
    let error = view.error(group.answer);
    let what = match (asked.access_token, group.answer.code) {
        (true, _) => "access token",
        (_, 431) => "password",
        _ => "user or password",
    };
    let listed = group.listed();
    if only_unoffered_sha256(group.last, conversation) && !matches!(request, Proof::Mismatch(_)) {
        return Text {
            title: format!("{server} refused {user} with {error}: the request is signed with SHA-256, which the server did not offer"),
            explanation: format!(
                "{client} signs with MESSAGE-INTEGRITY-SHA256 only, though the challenge listed no PASSWORD-ALGORITHMS, and was refused {listed}. \
                 A server that does not know the attribute sees an unsigned request and challenges again."
            ),
            fix: "Let the client sign with MESSAGE-INTEGRITY (SHA-1) unless the challenge offers more, or update the server.".to_owned(),
        };
    }
    let same = match (request, response) {
        (Proof::By { credential: one, .. }, Proof::By { credential: other, .. }) => {
            view.session.credentials().have_same_secret(*one, *other)
        }
        _ => false,
    };
    let near = nearly(asked, request, response, view);
    let odd = oddity(request, asked);
    let Text { title: why, explanation: proof, fix } = match near {
        _ if same => no_blame(&user),
        Some(near) => near.blame(response, &user, view),
        None => by_configuration(request, response, asked, &user, dialect, view)
            .or_else(|| made_otherwise(request, response, odd?, &user))
            .or_else(|| accepted_before(group, (request, response), &user))
            .or_else(|| not_given(asked, (request, response), what, &user, view))
            .unwrap_or_else(|| blame(request, response, what, &user, dialect)),
    };
    let proof = match odd {
        Some(slip) => format!("{proof} It does so only when {slip}."),
        None => proof,
    };
    let nonce = match challenge_before(group.last, conversation) {
        Some(_) => "although the request carries the realm and the nonce that the server had given",
        None => "although nothing in the capture speaks against the request's realm and nonce",
    };
    let left = good_for(group.last, view)
        .filter(|_| ![request, response].into_iter().any(|proof| matches!(proof, Proof::By { .. })));
    let (limited, fix) = match left {
        Some(left) => (
            format!(
                " The user name is that of a time-limited credential, which by the clock of this capture was good for another {}: the shared secret differs \
                 between the server and whoever issues such credentials, or the server's clock is ahead by more than that.",
                how_long(left)
            ),
            format!(
                "{fix} Of a time-limited credential that is the shared secret (coturn: static-auth-secret); compare the clocks, too."
            ),
        ),
        None => match in_milliseconds(group.last, view) {
            Some(slip) => (slip, format!("{fix} First let the issuer of the credential write its end in seconds.")),
            None => (String::new(), fix),
        },
    };
    let tokens = tokens_of(group.answer, view);
    let padded = padded(asked.realm, view);
    Text {
        title: format!("{server} refused the {what} of {user} with {error}: {why}"),
        explanation: format!(
            "{client} asked {server} as {user} in realm {} and was refused {listed}, {nonce}. {proof}{limited}{padded}{}{}",
            view.quoted(asked.realm),
            wording(dialect, group.answer.code),
            tokens.as_deref().unwrap_or_default(),
        ),
        fix: match tokens {
            Some(_) if !asked.access_token => {
                format!("{fix} Or have the client fetch an access token: the server may take nothing else.")
            }
            _ => fix,
        },
    }
}

/// That a realm ends in zero bytes, which its length counts as part of it, as a sentence.
fn padded(realm: Option<Name>, view: &View<'_>) -> String {
    let bytes = realm.map(|realm| view.session.names().bytes(realm)).unwrap_or_default();
    match bytes.iter().rev().take_while(|byte| **byte == 0).count() {
        0 => String::new(),
        zeros => format!(
            " The realm on the wire ends in {zeros} zero byte{}, which its length counts as part of it: who signs without them gets another key, so that server and \
             client may differ in this alone.",
            if zeros == 1 { "" } else { "s" }
        ),
    }
}

/// The last request of the same user that the server granted before those that it refuses.
fn granted_before<'c>(group: &Refused<'c>) -> Option<&'c Exchange> {
    let first = group.first;
    let names = |asked: &Asked| (asked.user, asked.userhash, asked.realm);
    let same =
        |known: &&Exchange| known.succeeded() && known.asked.is_signed() && names(&known.asked) == names(&first.asked);
    group.conversation.exchanges.iter().filter(same).rfind(|known| known.first < first.first)
}

/// Whether a refusal may be that of a nonce which ran out: the user had been good, and what it did with the new nonce is not in the capture.
fn may_be_nonce(group: &Refused<'_>, view: &View<'_>) -> bool {
    let renewed = group.answer.nonce.is_some() && group.answer.nonce != group.last.asked.nonce;
    let unseen = group.conversation.orphans > 0 || view.now().since(group.answer.seen.time) < PATIENCE;
    renewed && unseen && granted_before(group).is_some()
}

/// Where nothing was given to test with, and the server had taken the same user's signature before: something changed in between.
fn accepted_before(group: &Refused<'_>, (request, response): (&Proof, &Proof), user: &str) -> Option<Text> {
    let untested = |proof: &Proof| matches!(proof, Proof::Untested | Proof::Unsigned | Proof::Truncated);
    let before = granted_before(group).filter(|_| untested(request) && untested(response))?;
    let ago = how_long(group.first.first.time.since(before.first.time));
    Some(Text {
        title: format!("the same user was accepted {ago} before"),
        explanation: format!(
            "The server had granted the {} that {user} signed in frame {}. Since then the password was changed or the user removed on the server, or the client \
             signs with something else; credentials given with --credentials FILE show which.",
            before.method, before.first.frame
        ),
        fix: format!(
            "See what changed for {user} at that time: on the server a password, a user that was removed or ran out, a restart with another database; on the client \
             another account. Give both sides the same again."
        ),
    })
}

/// Where credentials were given, and none for the names in the request.
fn not_given(
    asked: &Asked,
    (request, response): (&Proof, &Proof),
    what: &str,
    user: &str,
    view: &View<'_>,
) -> Option<Text> {
    let untested = *request == Proof::Untested && matches!(response, Proof::Untested | Proof::Unsigned);
    let given = view.session.credentials().list();
    let of_servers = given.iter().any(|known| !matches!(known.kind, Kind::Ice { .. }));
    if !untested || !of_servers || !applying(asked, view).is_empty() {
        return None;
    }
    let realm = view.quoted(asked.realm);
    Some(Text {
        title: format!("none of the credentials given is for {user} in realm {realm}"),
        explanation: format!(
            "None of the credentials given is for {user} in realm {realm}, so that the signature could not be tested. If they are all that the server has, it does not know the user."
        ),
        fix: format!(
            "Look whether the server has {user} in realm {realm}, and set the same {what} on client and server."
        ),
    })
}

/// That none of the credentials which apply made a signature.
fn not_by(tried: u32) -> String {
    match tried {
        1 => "does not verify with the one credential that applies to it".to_owned(),
        _ => format!("verifies with none of the {tried} credentials that apply to it"),
    }
}

/// What the code means in the server's dialect.
fn wording(dialect: Dialect, code: u16) -> &'static str {
    match (dialect, code) {
        (_, 431) => {
            " 431 is what servers of the RFC 3489 and early TURN draft family answer to a wrong password; servers of RFC 8489 answer 401."
        }
        (Dialect::Coturn, _) => " This is a coturn, which answers an unknown user and a wrong password alike.",
        (Dialect::Pion, 400) => {
            " The server words its refusals as those built on pion do: a wrong password and an unknown user both get a bare 400."
        }
        _ => " By RFC 8489 an unknown user and a wrong password get the same answer.",
    }
}

/// What is odd about the way in which a request verifies: the server may do it otherwise, and that alone makes it refuse.
fn oddity(request: &Proof, asked: &Asked) -> Option<Slip> {
    const SHA256: u16 = 2;
    let Proof::By { derivation, rule, .. } = request else { return None };
    let announced = asked.password_algorithm == Some(SHA256);
    let key = match derivation.scheme {
        Scheme::LongTerm(key) | Scheme::TurnRest { key, .. } => Some(key),
        Scheme::ShortTerm | Scheme::RawKey => None,
    };
    match (rule, key, derivation.preparation) {
        (Rule::ZeroPadded | Rule::FullLengthZeroPadded, ..) => Some(Slip::ZeroPadded),
        (Rule::FullLength, ..) => Some(Slip::FullLength),
        (_, Some(KeyHash::Sha256), _) if !announced => Some(Slip::Sha256Key),
        (_, Some(KeyHash::Md5), _) if announced => Some(Slip::Md5Key),
        (_, _, Preparation::SaslPrep | Preparation::OpaqueString) => Some(Slip::Prepared),
        _ if matches!(derivation.scheme, Scheme::TurnRest { password, .. } if password != KeyHash::Sha1) => {
            Some(Slip::RestSha2)
        }
        _ => None,
    }
}

/// Where the client does otherwise than most do with what it was given, the server may hold the same all the same.
fn made_otherwise(request: &Proof, response: &Proof, odd: Slip, user: &str) -> Option<Text> {
    let Proof::By { label, .. } = request else { return None };
    if matches!(response, Proof::By { .. } | Proof::Mismatch(_)) {
        return None; // that shows what the server holds
    }
    Some(Text {
        title: format!("{SIGNS}{label}\" when {odd}"),
        explanation: format!(
            "Whether the server holds the same as the client does not show: one that makes integrity otherwise refuses {user} even then. The request's integrity verifies \
             with the credential \"{label}\", which is what the client was given."
        ),
        fix: format!(
            "Let client and server make integrity in the same way: as RFC 8489 has it, or as this server expects it. If the server refuses {user} then, too, set the \
             password of \"{label}\" on it."
        ),
    })
}

/// The credentials, given one by one, that are for the names in a request.
fn applying(asked: &Asked, view: &View<'_>) -> Vec<u32> {
    let bytes = |name: Option<Name>| name.map(|name| view.session.names().bytes(name));
    let identity = Identity {
        username: bytes(asked.user),
        realm: bytes(asked.realm),
        userhash: bytes(asked.userhash),
        access_token: asked.access_token,
    };
    let mut found = Vec::new();
    view.session.credentials().applying(&identity, |number| found.push(number));
    found
}

/// Where the refusal is not signed, or not with what was given: what the server should hold says as much, if it was given too.
fn by_configuration(
    request: &Proof,
    response: &Proof,
    asked: &Asked,
    user: &str,
    dialect: Dialect,
    view: &View<'_>,
) -> Option<Text> {
    let Proof::By { label: client, credential, side, .. } = request else { return None };
    if *side == Some(Side::Server) || matches!(response, Proof::By { .. }) {
        return None;
    }
    let credentials = view.session.credentials();
    let is_shared =
        |number: u32| credentials.describe(number).is_some_and(|known| known.kind == CredentialKind::SharedSecret);
    let of_server = |number: u32| credentials.describe(number).filter(|known| known.side == Some(Side::Server));
    let servers = applying(asked, view).into_iter();
    let servers = servers.filter_map(|number| Some((number, of_server(number)?.label.into_owned())));
    let servers: Vec<(u32, String)> = servers.collect();
    let same = servers.iter().find(|(number, _)| credentials.have_same_secret(*credential, *number));
    let cisco = cisco(dialect);
    let third = match response {
        Proof::Mismatch(_) => {
            " Its refusal is signed with none of the credentials given, so what it really holds is a third."
        }
        _ => "",
    };
    if let Some((_, server)) = same {
        if oddity(request, asked).is_some() {
            return None;
        }
        return Some(Text {
            title: format!(
                "{SIGNS}{client}\", the same as the server's \"{server}\", and the server does not hold that"
            ),
            explanation: format!(
                "The request's integrity verifies with \"{client}\", and \"{server}\", which is said to be the server's, is the same: the client signs with what both \
                 sides should have, and the server must hold something else, or does not know {user} at all.{third}"
            ),
            fix: format!(
                "Set the password of \"{server}\" for {user} on the server again, and see that it is used: another database, a restart that is due, an older file.{cisco}"
            ),
        });
    }
    let (number, server) = servers.first()?;
    let near = credentials.slip_between(*number, *credential);
    let near = near.map(|slip| format!(" They differ by a mishap: \"{server}\" becomes \"{client}\" when {slip}."));
    let near = near.unwrap_or_default();
    if is_shared(*number) || is_shared(*credential) {
        return Some(Text {
            title: format!(
                "the client's password was made with \"{client}\", and the server's \"{server}\" is another shared secret"
            ),
            explanation: format!(
                "The request's integrity verifies with a time-limited password made with \"{client}\", so that is what issued it; \"{server}\", which the server is \
                 configured with, is another shared secret, and makes other passwords for the same user name.{near}{third}"
            ),
            fix: format!(
                "Give the service that issues the time-limited credentials and the server the same shared secret: that of \"{server}\" to the former, or that of \
                 \"{client}\" to the latter."
            ),
        });
    }
    Some(Text {
        title: format!("{SIGNS}{client}\", and the server's \"{server}\" is another password"),
        explanation: format!(
            "The request's integrity verifies with \"{client}\", so that is what the client holds; \"{server}\", which the server is configured with, is another password: \
             the two sides were given different ones.{near}{third}"
        ),
        fix: format!(
            "Give both sides the same password for {user}: the one of \"{server}\" to the client, or the one of \"{client}\" to the server.{cisco}"
        ),
    })
}

/// Where the two passwords are set in the pair that this most often is.
fn cisco(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Draft => {
            " With a Cisco Meeting Server and an Expressway-E these are the password of the TURN server object in the Meeting Server's \
             API and that of the user in the Expressway-E's local authentication database."
        }
        _ => "",
    }
}

/// Request and refusal are signed with the same password: it is not the password.
fn no_blame(user: &str) -> Text {
    Text {
        title: "though both sides sign with the same password".to_owned(),
        explanation: "The request's integrity and the error response's own verify with the same password, so the two sides agree on it.".to_owned(),
        fix: format!("Look at the server for another reason to refuse {user}: an account that is locked or has run out, or a limit."),
}
}

/// Who holds what: a clause for the headline, sentences with the proof, and what to change.
fn blame(request: &Proof, response: &Proof, what: &str, user: &str, dialect: Dialect) -> Text {
    let cisco = cisco(dialect);
    match (request, response) {
        (Proof::By { label: client, credential: one, .. }, Proof::By { label: server, credential: other, .. }) if one != other => Text {
            title: format!("{SIGNS}{client}\", the server with \"{server}\""),
            explanation: format!(
                "The request's integrity verifies with the credential \"{client}\" and the error response's own with \"{server}\": \
                 each side holds another password."
            ),
            fix: format!("Give both sides the same password for {user}: the one of \"{server}\" to the client, or the one of \"{client}\" to the server.{cisco}"),
},
        (Proof::By { label, side, .. }, _) => {
            let held = match side {
                Some(Side::Server) => format!("{SIGNS}{label}\", which the server should hold and does not"),
                _ if what == "user or password" => {
                    format!("{SIGNS}{label}\", and the server holds another password or does not know the user")
                }
                _ => format!("{SIGNS}{label}\", and the server holds another"),
            };
            let proof = format!(
                "The request's integrity verifies with the credential \"{label}\", so that is what the client was given; the server does not \
                 hold the same."
            );
            Text {
                title: held,
                explanation: proof,
                fix: format!("Set on the server, for {user}, the password of \"{label}\"; or give the client the one that the server holds.{cisco}"),
            }
        }
        (Proof::Mismatch(tried), Proof::By { label, .. }) => Text {
            title: format!("the server holds \"{label}\", the client was given something else"),
            explanation: format!(
                "The request {}; the error response's own integrity verifies with \"{label}\", so the server holds that one.",
                not_by(*tried)
            ),
            fix: format!("Give the client the password of \"{label}\" for {user}.{cisco}"),
},
        (Proof::Mismatch(tried), _) => Text {
            title: "the client signs with none of the credentials given".to_owned(),
            explanation: format!(
                "The request {}: the client was given something else, or a password was changed or mistyped on its way there.",
                not_by(*tried)
            ),
            fix: format!("Look at what the client was really given for {user}, and set the same on client and server.{cisco}"),
},
        (_, Proof::By { label, .. }) => Text {
            title: format!("the server holds \"{label}\", the client another"),
            explanation: format!("The error response's own integrity verifies with \"{label}\": that is what the server holds."),
            fix: format!("Give the client the password of \"{label}\" for {user}.{cisco}"),
},
        (Proof::Truncated, _) => Text {
            title: format!("{what} differs between client and server"),
            explanation: "The capture cuts the signed messages short, so no credential can be tested on them.".to_owned(),
            fix: format!("Set the same {what} on client and server; capture whole packets to see which of them is wrong.{cisco}"),
},
        _ => Text {
            title: format!("{what} differs between client and server"),
            explanation: "Which side is wrong the packets can show too: give the credentials that each side should have with --credentials FILE.".to_owned(),
            fix: format!("Set the same {what} on client and server.{cisco}"),
},
    }
}
