//! `turn-credential-expired` and `turn-expired-credential-accepted`: time-limited credentials after their end.

use super::View;
use crate::session::Exchange;
use crate::session::credentials::{Scheme, Status, rest_expiry};
use crate::time::Timestamp;

/// When the credential of a request had ended before the request was sent: its user name is of the form `expiry:user` (bare digits only
/// where a shared secret verifies it), and the expiry is a plausible date in the past.
pub(super) fn expired_at(exchange: &Exchange, view: &View<'_>) -> Option<Timestamp> {
    let user = exchange.asked.user?;
    let expiry = rest_expiry(view.session.names().bytes(user))?;
    let derived = exchange.asked.integrity.iter().flatten().any(|verdict| {
        matches!(verdict.status, Status::Verified { derivation, .. } if matches!(derivation.scheme, Scheme::TurnRest { .. }))
    });
    let end = Timestamp(expiry.seconds.saturating_mul(1_000_000_000));
    ((!expiry.bare || derived) && end < exchange.first.time).then_some(end)
}
