//! `turn-unknown-user`, `turn-realm-mismatch` and `turn-user-changed`: the names that a client signs under.

use super::Refused;
use crate::frame::in_order;
use crate::rules::evidence::quote;
use crate::rules::refusal::{allocation_at, asked_before_as, challenge_before, servers_realm};
use crate::rules::{Collector, Confidence, Dialect, Text, View};
use crate::session::credentials::{Credentials, Identity};
use crate::session::{Asked, Name};
use crate::wire::stun::Method;

pub(super) const UNKNOWN_USER: &str = "turn-unknown-user";
pub(super) const REALM_MISMATCH: &str = "turn-realm-mismatch";
pub(super) const USER_CHANGED: &str = "turn-user-changed";

pub(super) fn tell_unknown_user(group: &Refused<'_>, view: &View<'_>, out: &mut Collector) {
    let conversation = group.conversation;
    let key = format!("{} {}", conversation.server, group.answer.code);
    let seen = group.occurrence(UNKNOWN_USER, key, "draft-rosenberg-midcom-turn", view);
    out.add(seen, || {
        let (server, user, error) = (conversation.server, view.user(&group.last.asked), view.error(group.answer));
        let draft = Dialect::of(conversation, view) == Dialect::Draft;
        let nearly = nearly(&group.last.asked, view).unwrap_or_default();
        Text {
            title: format!("{server} does not know the user {user}: {error}"),
            explanation: format!(
                "{} asked as {user} in realm {} and was refused {}. The server names the user, not the password: no such user exists there, \
                 or not in that realm.{nearly}",
                conversation.client,
                view.quoted(group.last.asked.realm),
                group.listed(),
            ),
            fix: if draft {
                format!(
                    "Create {user} on the server, or correct the name on the client; letter case counts. On a Cisco Expressway-E users are in \
                     the local authentication database, on the Meeting Server the name is that of the TURN server object."
                )
            } else {
                format!("Create {user} on the server, or correct the name on the client; letter case counts.")
            },
        }
    });
}

pub(super) fn tell_realm(group: &Refused<'_>, view: &View<'_>, out: &mut Collector) {
    let conversation = group.conversation;
    let key = format!("{} {}", conversation.server, group.answer.code);
    let seen = group.occurrence(REALM_MISMATCH, key, "RFC 8489 §9.2.4", view);
    out.add(seen, || {
        let (client, server, error) = (conversation.client, conversation.server, view.error(group.answer));
        let asked = view.quoted(group.last.asked.realm);
        let challenge = challenge_before(group.last, conversation);
        let theirs = servers_realm(group.last, conversation).filter(|&realm| Some(realm) != group.last.asked.realm);
        let own = group.answer.realm.filter(|&realm| Some(realm) != group.last.asked.realm);
        let followed = challenge.is_some_and(|challenge| challenge.realm == group.last.asked.realm);
        let (title, shows, fix) = match (theirs, own) {
            // the client did as it was told, and then another server answered
            (_, Some(own)) if followed => (
                format!(
                    "{server} challenged {client} with realm {asked} and then refused it with realm {}: {error}",
                    view.quoted(Some(own))
                ),
                "The client signed for the realm of the challenge, and the refusal names another: several servers with different realms stand \
                 behind this address."
                    .to_owned(),
                "Give all servers behind the address the same realm, and make the balancer keep a client on one of them.".to_owned(),
            ),
            (Some(theirs), _) if group.last.asked.realm.is_some() => (
                format!("{client} signs for realm {asked}, {server} has realm {}: {error}", view.quoted(Some(theirs))),
                format!(
                    "The server's challenge names the realm {}, the client's request names {asked}. The realm is part of the key, so no password \
                     can be right.{}",
                    view.quoted(Some(theirs)),
                    becomes(theirs, &group.last.asked, view)
                ),
                "Let the client take the realm from the challenge instead of a fixed setting; where several servers share an address, give all \
                 of them the same realm."
                    .to_owned(),
            ),
            _ if group.last.asked.realm.is_none() => (
                format!("{server} refused the realm of {client}: {error}"),
                "The server's own words say that the realm is wrong; which one the client signed for stands behind the cut of the snap length.".to_owned(),
                "Compare the realm that is configured on the server with the one that the client sends; one realm on all servers.".to_owned(),
            ),
            _ => (
                format!("{server} refused realm {asked} of {client}: {error}"),
                "The server's own words say that the realm is wrong; its challenge is not in the capture.".to_owned(),
                "Compare the realm that is configured on the server with the one that the client sends; one realm on all servers.".to_owned(),
            ),
        };
        let nearly = nearly(&group.last.asked, view).unwrap_or_default();
        let coturn = match group.answer.code {
            437 | 441 => " coturn answers a wrong realm with 437 to an Allocate and with 441 to everything else.",
            _ => "",
        };
        Text {
            title,
            explanation: format!("{shows} It was refused {}.{coturn}{nearly}", group.listed()),
            fix,
        }
    });
}

/// What has to be done to a credential that was given so that it fits the request: by what its key proves, else by its names alone.
fn nearly(asked: &Asked, view: &View<'_>) -> Option<String> {
    let session = view.session;
    let credentials = session.credentials();
    let label = |number: u32| credentials.describe(number).map(|known| quote(&known.label));
    if let Some(near) = session.near_misses().of(asked.user_or_hash(), asked.realm, true) {
        let when = near.when(credentials);
        return Some(format!(" The request verifies with {} when {when}.", label(near.credential)?));
    }
    let bytes = |name: Option<Name>| name.map(|name| session.names().bytes(name));
    let identity =
        Identity { username: bytes(asked.user), realm: bytes(asked.realm), userhash: None, access_token: false };
    let (number, slip) = credentials.nearly_named(&identity)?;
    Some(format!(" The names in the request are those of {} when {slip}.", label(number)?))
}

/// How the server's realm becomes that of a request, where a mishap explains it.
fn becomes(theirs: Name, asked: &Asked, view: &View<'_>) -> String {
    let names = view.session.names();
    let slip = asked.realm.and_then(|realm| Credentials::realm_slip(names.bytes(theirs), names.bytes(realm)));
    slip.map(|slip| format!(" The one becomes the other when {slip}.")).unwrap_or_default()
}

pub(super) fn tell_user_changed(group: &Refused<'_>, view: &View<'_>, out: &mut Collector) {
    let conversation = group.conversation;
    let key = format!("{} {} {}", conversation.server, group.last.method, group.answer.code);
    let mut seen = group.occurrence(USER_CHANGED, key, "RFC 8656 §5", view);
    let allocation = allocation_at(group.last, conversation);
    let before = asked_before_as(group.last, conversation).filter(|_| allocation.is_none());
    if allocation.is_none() && before.is_none() {
        seen.confidence = Confidence::Likely;
    }
    let earlier = before.map(|known| known.first).or(allocation.map(|known| known.created));
    seen.frames = in_order(seen.frames.into_iter().chain(earlier.map(|seen| seen.frame)));
    seen.subject.relayed = allocation.and_then(|known| known.relayed.first().copied().flatten());
    out.add(seen, || {
        let (client, server, method) = (conversation.client, conversation.server, group.last.method);
        let (user, error) = (view.user(&group.last.asked), view.error(group.answer));
        let refused = group.listed();
        if let Some(known) = before {
            let other = view.user(&known.asked);
            return Text {
                title: format!("{client} asked {server} as {other} and then as {user}, and is refused its {method}: {error}"),
                explanation: format!(
                    "Frame {} was signed as {other} on the same addresses and ports; the {method} was signed as {user} and refused {refused}. Some servers \
                     (coturn) keep the user of the first signed request there, granted or not, and refuse every other.",
                    known.first.frame,
                ),
                fix: "Have the client ask from a new local port after a change of user.".to_owned(),
            };
        }
        // who asks for a new one may be new there, too
        let (by_whom, anew) = match method {
            Method::ALLOCATE => (" Either the client changed its user, or another client behind the same NAT was given its port.", true),
            _ => ("", false),
        };
        let explanation = match allocation {
            Some(known) => format!(
                "The allocation belongs to {} (made in frame {}); the {method} was signed as {user} and refused {refused}. An allocation \
                 belongs to the user who made it until it ends.{by_whom}",
                view.quoted(known.user),
                known.created.frame,
            ),
            None => format!(
                "The {method} was signed as {user} and refused {refused}. This code says that the allocation belongs to another user; it was \
                 made before the capture begins."
            ),
        };
        let title = match allocation {
            Some(known) if anew => format!(
                "{client} asked {server} as {user} for an allocation where one of {} still lives, and was refused: {error}",
                view.quoted(known.user)
            ),
            Some(known) => format!(
                "{client} changed its user from {} to {user} under a live allocation, and {server} refused its {method}: {error}",
                view.quoted(known.user)
            ),
            None => format!("{server} refused the {method} of {client} as {user}, whose allocation it is not: {error}"),
        };
        let fix = if method == Method::ALLOCATE {
            "Allocate from a new local port after a change of user, or give the old allocation back first (Refresh with lifetime 0)."
        } else {
            "Keep the user for the life of the allocation: when credentials are rotated, use the old ones until it is given back, or allocate \
             anew with the new ones."
        };
        Text { title, explanation, fix: fix.to_owned() }
    });
}
