//! Near misses in a finding: what was done to a credential on its way.

use crate::rules::{Proof, Text, View};
use crate::session::credentials::{Side, Slip};
use crate::session::{Asked, Near};
use std::fmt::Write as _;

/// Near misses of a request that verifies with nothing, and of its refusal.
pub(super) struct Nearly<'n> {
    pub(super) request: Option<&'n Near>,
    pub(super) response: Option<&'n Near>,
}

/// The near misses that say more than the proofs do.
pub(super) fn nearly<'v>(asked: &Asked, request: &Proof, response: &Proof, view: &View<'v>) -> Option<Nearly<'v>> {
    let known = view.session.near_misses();
    let user = asked.user_or_hash();
    let open = |proof: &Proof| matches!(proof, Proof::Mismatch(_) | Proof::Untested);
    let of = |proof: &Proof, requests| known.of(user, asked.realm, requests).filter(|_| open(proof));
    let found = Nearly { request: of(request, true), response: of(response, false) };
    (found.request.is_some() || found.response.is_some()).then_some(found)
}

impl Nearly<'_> {
    /// A clause for the headline, sentences with the proof, and what to change.
    pub(super) fn blame(&self, response: &Proof, user: &str, view: &View<'_>) -> Text {
        let credentials = view.session.credentials();
        let said = |near: &Near| {
            let described = credentials.describe(near.credential);
            let side = described.as_ref().and_then(|known| known.side);
            (described.map(|known| known.label.into_owned()).unwrap_or_default(), near.when(credentials), side)
        };
        let (near, whose) = match (self.request, self.response) {
            (Some(near), _) => (near, "request"),
            (None, Some(near)) => (near, "error response"),
            (None, None) => return Default::default(),
        };
        let (label, when, side) = said(near);
        let mut proof = match near.untested {
            true => format!(
                "No credential given is for the names in the {whose}, and it verifies with \"{label}\" when {when}."
            ),
            false => format!(
                "The {whose} verifies with none of the credentials as they are given, and with \"{label}\" when {when}."
            ),
        };
        match (response, self.request.and(self.response)) {
            (Proof::By { label, .. }, _) => {
                let _ = write!(proof, " The error response's own integrity verifies with \"{label}\" as it is given.");
            }
            (_, Some(other)) => {
                let (label, when, _) = said(other);
                let _ = write!(proof, " The error response verifies with \"{label}\" when {when}.");
            }
            _ => {}
        }
        let fix = match (whose, side) {
            ("request", _) if near.slip == Slip::UserDiffers => format!(
                "The client signs as {user} with the password of \"{label}\", which is for another user: give the client that user's name, too, or set this password for {user} on the server."
            ),
            ("request", _) if near.slip == Slip::RealmDiffers => format!(
                "The client signs with the password of \"{label}\", which is for another realm than the server's: give the client the one for {user} there, or set this password for {user} in the server's realm."
            ),
            ("request", Some(Side::Client)) => format!(
                "What was meant for the client changed before it was used: look at how \"{label}\" is entered, stored and escaped there, and correct it."
            ),
            ("request", _) => format!(
                "Give the client the credential of \"{label}\" for {user} without that change: look at how it was copied, quoted or encoded on its way there."
            ),
            (_, Some(Side::Client)) => format!(
                "Give the server the credential of \"{label}\" for {user} without that change: look at how it was entered or encoded there."
            ),
            _ => format!(
                "What was meant for the server changed before it was used: look at how \"{label}\" is entered, stored and escaped there."
            ),
        };
        Text { title: format!("the {whose} verifies with \"{label}\" when {when}"), explanation: proof, fix }
    }
}
