//! Clients that may have got through in another way: by another interface, or inside TLS that nobody opened.

use super::{Group, Remedy};
use crate::rules::{Confidence, Severity};
use crate::session::{Clients, Sealed};
use hashbrown::HashMap;
use std::net::IpAddr;

/// Findings that speak of the way from one address of a client.
const ABOUT_THE_WAY: &[&str] = &["turn-no-response", "turn-unreachable"];
/// Findings that speak of a call which finds no way: inside TLS it may have one.
const ABOUT_THE_CALL: &[&str] = &["ice-checks-unanswered", "ice-one-way", "ice-consent-lost", NO_RELAY];
/// The finding that says of a client that it was lent nothing at all.
const NO_RELAY: &str = "ice-no-relay-candidate";

impl Group {
    /// Leaves it only likely where what did not get through may be one of several ways that each host tries, of which another worked, at any of the times.
    pub(super) fn doubt_one_of_several(&mut self, clients: &Clients) {
        if !self.is_of_the_way() || self.finding.severity != Severity::Failure {
            return;
        }
        let told = self.remedies().filter_map(Remedy::grievance);
        let ways: HashMap<IpAddr, IpAddr> =
            told.filter_map(|from| Some((from.client, clients.other_way(from.client, from.met)?))).collect();
        if !self.remedies().all(|remedy| remedy.grievance().is_some_and(|from| ways.contains_key(&from.client))) {
            return;
        }
        self.finding.confidence = Confidence::Likely;
        if let Some(other) = self.finding.subject.client.and_then(|client| ways.get(&client.0.ip())) {
            self.finding.text.explanation += &format!(
                " {other} asked at about the same time and was served: if both are addresses of one host, that way is enough for it."
            );
        }
    }

    /// Whether it speaks of that.
    pub(super) fn is_of_the_way(&self) -> bool {
        ABOUT_THE_WAY.contains(&self.finding.id)
    }

    /// Whether the client went over TLS instead, to the same host or to another that is taken for a TURN server, and was answered there: nobody can read
    /// what, but the way is not closed.
    pub(super) fn went_over_tls(&self, remedy: &Remedy, clients: &Clients) -> bool {
        ABOUT_THE_WAY.contains(&self.finding.id)
            && remedy.grievance().is_some_and(|from| clients.encrypted().spoke_secured(from.client, from.at))
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
