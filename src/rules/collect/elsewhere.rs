//! Clients that may have got through in another way: by another interface, or inside TLS that nobody opened.

use super::{Group, Remedy};
use crate::rules::{Confidence, Severity};
use crate::session::{Clients, Grievance, Sealed};

/// Findings that speak of the way from one address of a client.
const ABOUT_THE_WAY: &[&str] = &["turn-no-response", "turn-unreachable"];
/// Findings that speak of a call which finds no way: inside TLS it may have one.
const ABOUT_THE_CALL: &[&str] = &["ice-checks-unanswered", "ice-one-way", "ice-consent-lost", NO_RELAY];
/// The finding that says of a client that it was lent nothing at all.
const NO_RELAY: &str = "ice-no-relay-candidate";

impl Group {
    /// Whether what did not get through may be one of several ways that a host tries, of which another worked.
    pub(super) fn is_one_way_of_several(&self, from: &Grievance, clients: &Clients) -> bool {
        ABOUT_THE_WAY.contains(&self.finding.id) && clients.may_have_another_way(from.client, self.finding.at)
    }

    /// Whether it speaks of that.
    pub(super) fn is_of_the_way(&self) -> bool {
        ABOUT_THE_WAY.contains(&self.finding.id)
    }

    /// Whether the client went over TLS instead, to the same host or to another that is taken for a TURN server, and was answered there: nobody can read
    /// what, but the way is not closed.
    pub(super) fn went_over_tls(&self, remedy: &Remedy, clients: &Clients) -> bool {
        ABOUT_THE_WAY.contains(&self.finding.id)
            && remedy.grievance().is_some_and(|from| {
                clients.encrypted().spoke_secured(from.client, from.server.ip(), from.at)
                    || clients.encrypted().spoke_secured_anywhere(from.client, from.at)
            })
    }

    /// The TLS in which the client may have got what it lacks elsewhere.
    pub(super) fn may_have_gone<'c>(&self, remedy: &Remedy, clients: &'c Clients) -> Option<&'c Sealed> {
        if !ABOUT_THE_WAY.contains(&self.finding.id) && !ABOUT_THE_CALL.contains(&self.finding.id) {
            return None;
        }
        remedy.grievance().and_then(|from| clients.encrypted().sealed(from.client, from.at))
    }

    /// Whether what the finding says was never there may have been inside TLS.
    pub(super) fn may_be_hidden(&self, remedy: &Remedy, clients: &Clients) -> bool {
        self.finding.id == NO_RELAY && self.may_have_gone(remedy, clients).is_some()
    }

    /// Says that the client may have got through inside TLS, where that is what makes a failure only likely.
    pub(super) fn tell_of_sealed(&mut self, clients: &Clients) {
        if (self.finding.severity, self.finding.confidence) != (Severity::Failure, Confidence::Likely) {
            return;
        }
        let sealed = self.remedies().find_map(|remedy| self.may_have_gone(remedy, clients)).copied();
        let Some(Sealed { client, server, unread, .. }) = sealed else { return };
        self.finding.text.explanation += &if unread {
            format!(
                " {client} spoke TLS with {server}, and the capture lacks the hello that would say what for: it may have gone that way."
            )
        } else {
            format!(
                " {client} exchanged data with {server} over TLS, which is likely TURN: whether it got through there takes the keys to see (--keylog)."
            )
        };
    }
}
