//! What session descriptions say of the two ends of an association, and whether its pair works.

use super::super::View;
use super::Story;
use crate::session::handshake::{Certificate, Role};
use crate::session::signalling::Description;
use crate::time::{Span, Timestamp};
use crate::wire::handshake::certificate::Fingerprint;

/// What the descriptions that were given say of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match<'s> {
    /// None was given that tells a fingerprint, or it was not told by a hash function that is known.
    Unknown,
    /// A description of this end has its fingerprint.
    Right,
    /// The description of this end, known by the user fragments of the checks on the pair, has another.
    Wrong(&'s Description),
    /// Which description is of this end is not known, and none that was given has it.
    InNone,
}

impl<'h> Story<'h> {
    /// Whether the pair of addresses carries anything of the server's side at all, so that an answer would have come.
    pub(super) fn pair_works(&self, _view: &View<'_>) -> bool {
        let around = &self.handshake.surroundings;
        around.packets.server > 0 || around.checks_answered.client > 0
    }

    /// Whether an end sent neither DTLS nor media for so long after a time, though the capture goes on to show that it is there.
    pub(super) fn sends_nothing_after(&self, role: Role, time: Timestamp, long: Span, _view: &View<'_>) -> bool {
        let around = &self.handshake.surroundings;
        let own = around.data_last[role];
        let other = around.data_last[role.other()];
        let stopped = own.is_some_and(|last| last.since(time) < Span::from_secs(1));
        // its checks, which go on, tell that it is there
        let there = around.last[role].is_some_and(|last| last.since(time) >= long);
        stopped && there && other.is_some_and(|last| last.since(time) >= long)
    }

    /// The user fragments of client and server, where checks on the same pair tell them.
    fn ufrag(&self, _role: Role, _view: &View<'_>) -> Option<String> {
        None
    }

    /// The descriptions of the two ends, where the checks on the pair tell which they are.
    pub(super) fn descriptions<'s>(&self, view: &View<'s>) -> Vec<(Role, &'s Description)> {
        let all = view.session.signalling().descriptions();
        [Role::Client, Role::Server]
            .into_iter()
            .filter_map(|role| Some((role, self.ufrag(role, view)?)))
            .flat_map(|(role, ufrag)| {
                all.iter().filter(move |known| known.ufrag == ufrag).map(move |known| (role, known))
            })
            .collect()
    }

    /// Whether a certificate of an end is the one that was signalled.
    pub(super) fn compare<'s>(&self, role: Role, certificate: &Certificate, view: &View<'s>) -> Match<'s> {
        let own: Vec<&Description> = self
            .descriptions(view)
            .into_iter()
            .filter(|(of, known)| *of == role && tells(known))
            .map(|(_, known)| known)
            .collect();
        if let Some(wrong) = own.iter().find(|known| !has(known, certificate)) {
            return Match::Wrong(wrong);
        }
        if !own.is_empty() {
            return Match::Right;
        }
        let known_ends = self.descriptions(view);
        // the other end's description is not this one's
        let is_known = |known: &Description| known_ends.iter().any(|(_, end)| std::ptr::eq(*end, known));
        let others = view.session.signalling().descriptions().iter().filter(|known| tells(known) && !is_known(known));
        let others: Vec<&Description> = others.collect();
        match others.as_slice() {
            [] => Match::Unknown,
            some if some.iter().any(|known| has(known, certificate)) => Match::Right,
            _ => Match::InNone,
        }
    }
}

/// The fingerprints of a description in the form in which certificates have theirs.
fn fingerprints(description: &Description) -> impl Iterator<Item = Fingerprint> + '_ {
    description.fingerprints.iter().filter_map(|told| format!("{} {}", told.hash, told.value).parse().ok())
}

fn tells(description: &Description) -> bool {
    fingerprints(description).next().is_some()
}

fn has(description: &Description, certificate: &Certificate) -> bool {
    fingerprints(description).any(|told| told == certificate.fingerprint || certificate.others.contains(&told))
}

/// The fingerprints that a description tells, for people.
pub(super) fn listed(description: &Description) -> String {
    let told: Vec<String> =
        description.fingerprints.iter().map(|told| format!("{} {}", told.hash, told.value)).collect();
    told.join(", ")
}
