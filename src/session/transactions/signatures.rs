//! Which credential signed a message, as a session asks it.

use crate::session::conversations::exchange::Verdicts;
use crate::session::credentials::{Credentials, Identity, Integrity, Status};
use crate::session::{Name, Names, Session};
use crate::wire::stun::integrity::Algorithm;
use crate::wire::stun::{Fields, Message, Method};

impl Session {
    pub(in crate::session) fn check(
        &mut self,
        message: &Message<'_>,
        fields: &Fields<'_>,
        identity: &Identity<'_>,
    ) -> Verdicts {
        if let Some(verdicts) = verdicts_at_once(&self.credentials, message, fields) {
            return verdicts;
        }
        verdicts(self.credentials.check(message, identity).results.iter())
    }

    pub(in crate::session) fn count_integrity(&mut self, frame: u64, verdicts: &Verdicts, request: bool) {
        let mut verified = None;
        for verdict in verdicts.iter().flatten() {
            match verdict.status {
                Status::Verified { credential, .. } => verified = verified.or(Some(credential)),
                Status::Truncated => self.totals.unverifiable.add(frame),
                Status::Mismatch { .. } | Status::Untested => {}
            }
        }
        if let Some(used) = verified.map(|credential| self.totals.credential(credential)) {
            *if request { &mut used.requests } else { &mut used.responses } += 1;
        }
    }
}

/// The verdicts that need no look at the message: it has no integrity attribute, not even one that the capture cut off, or it is an
/// ordinary one and there is nothing to test it with.
fn verdicts_at_once(credentials: &Credentials, message: &Message<'_>, fields: &Fields<'_>) -> Option<Verdicts> {
    if message.truncated() || message.method() == Method::GOOG_PING {
        return None;
    }
    let untested = |algorithm| Some(Integrity { algorithm, status: Status::Untested });
    match fields.integrity {
        [None, None] => Some(Verdicts::default()),
        _ if fields.suspect || !credentials.is_empty() => None,
        [Some(_), None] => Some([untested(Algorithm::Sha1), None]),
        [None, Some(_)] => Some([untested(Algorithm::Sha256), None]),
        [Some(_), Some(_)] => None,
    }
}

pub(super) fn check_answer(
    credentials: &mut Credentials,
    names: &Names,
    message: &Message<'_>,
    fields: &Fields<'_>,
    identity: [Option<Name>; 3],
) -> Verdicts {
    if let Some(verdicts) = verdicts_at_once(credentials, message, fields) {
        return verdicts;
    }
    verdicts(credentials.check(message, &identity_of_answer(names, fields, identity)).results.iter())
}

/// A response has no user name of its own: it takes the request's (RFC 8489 §9.1.4, §9.2.5).
pub(super) fn identity_of_answer<'n>(names: &'n Names, fields: &Fields<'n>, asked: [Option<Name>; 3]) -> Identity<'n> {
    let bytes = |name: Option<Name>| name.map(|name| names.bytes(name));
    let [user, realm, userhash] = asked;
    Identity {
        username: bytes(user).or(fields.username),
        realm: bytes(realm).or(fields.realm),
        userhash: bytes(userhash),
        access_token: fields.access_token.is_some(),
    }
}

/// Whether a message is signed with none of the credentials given for it.
pub(super) fn mismatched(verdicts: &Verdicts) -> bool {
    let mut statuses = verdicts.iter().flatten().map(|verdict| verdict.status);
    let bad = statuses.clone().any(|status| matches!(status, Status::Mismatch { .. }));
    bad && !statuses.any(|status| matches!(status, Status::Verified { .. }))
}

pub(super) fn verdicts<'v>(checked: impl Iterator<Item = &'v Integrity>) -> Verdicts {
    let mut verdicts = Verdicts::default();
    for (slot, verdict) in verdicts.iter_mut().zip(checked) {
        *slot = Some(*verdict);
    }
    verdicts
}
