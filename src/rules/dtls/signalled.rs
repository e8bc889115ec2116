//! What session descriptions say of the two ends of an association, and whether its pair works.

use super::super::View;
use super::super::evidence::quote;
use super::Story;
use crate::session::handshake::{Both, Certificate, Role};
use crate::session::ice::{IceSession, Pair};
use crate::session::signalling::{Description, Setup};
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
    /// The ICE session and pair on the first of its ways that has one, with the agents of client and server.
    fn pair<'s>(&self, view: &View<'s>) -> Option<(&'s IceSession, &'s Pair, Both<usize>)> {
        self.handshake.ways.iter().find_map(|way| {
            let (session, pair) = view.session.ice().on(&way.path)?;
            let client = pair.agent_on(&way.path, usize::from(way.low != Role::Client))?;
            Some((session, pair, Both { client, server: 1_usize.saturating_sub(client) }))
        })
    }

    /// Whether the pair of addresses carries anything of the server's side at all, so that an answer would have come.
    pub(super) fn pair_works(&self, view: &View<'_>) -> bool {
        let around = &self.handshake.surroundings;
        let answered = |(_, pair, _): (&IceSession, &Pair, Both<usize>)| {
            [0, 1].iter().any(|&agent| pair.way(agent).answered.is_some())
        };
        around.packets.server > 0 || around.checks_answered.client > 0 || self.pair(view).is_some_and(answered)
    }

    /// Whether an end sent neither DTLS nor media for so long after a time, though it goes on to be there and the other end sends.
    pub(super) fn sends_nothing_after(&self, role: Role, time: Timestamp, long: Span, view: &View<'_>) -> bool {
        let around = &self.handshake.surroundings;
        let mut own = around.data_last[role];
        let mut other = around.data_last[role.other()];
        let mut there = around.last[role];
        if let Some((_, pair, agents)) = self.pair(view) {
            let carried = |role: Role| {
                let carried = pair.carried(agents[role]);
                carried.first.map(|_| carried.last)
            };
            (own, other) = (own.max(carried(role)), other.max(carried(role.other())));
            let checks = pair.way(agents[role]);
            there = there.max(checks.first.map(|_| checks.last));
        }
        let stopped = own.is_some_and(|last| last.since(time) < Span::from_secs(1));
        let later = |last: Option<Timestamp>| last.is_some_and(|last| last.since(time) >= long);
        stopped && later(there) && later(other)
    }

    /// The user fragment of an end, where checks on the same pair tell it.
    fn ufrag(&self, role: Role, view: &View<'_>) -> Option<String> {
        let (session, _, agents) = self.pair(view)?;
        session.agent(agents[role]).ufrag.map(|name| view.text(name))
    }

    /// The descriptions of the two ends, where the checks on the pair tell which they are.
    pub(super) fn descriptions<'s>(&self, view: &View<'s>) -> Vec<(Role, &'s Description)> {
        let all = view.session.signalling().descriptions();
        let mut found = Vec::new();
        if all.is_empty() {
            return found;
        }
        for role in [Role::Client, Role::Server] {
            let Some(ufrag) = self.ufrag(role, view) else { continue };
            found.extend(all.iter().filter(|known| known.ufrag == ufrag).map(|known| (role, known)));
        }
        found
    }

    /// What a=setup of the descriptions says against who acts as client; empty where it fits.
    pub(super) fn setup_note(&self, view: &View<'_>) -> String {
        let against = |&(role, known): &(Role, &Description)| match known.setup {
            Some(Setup::Active) => role == Role::Server,
            Some(Setup::Passive) => role == Role::Client,
            _ => false,
        };
        let wrong = self.descriptions(view).into_iter().find(against).filter(|_| self.handshake.roles_known);
        wrong.map_or_else(String::new, |(role, known)| {
            let setup = known.setup.map(setup_name).unwrap_or_default();
            let end = self.end(role);
            format!(
                " The session description of {end} ({}) says a=setup:{setup}, but it acts as {}.",
                quote(&known.origin),
                role.name()
            )
        })
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

/// `active`, as in `a=setup`.
pub(super) fn setup_name(setup: Setup) -> &'static str {
    match setup {
        Setup::ActPass => "actpass",
        Setup::Active => "active",
        Setup::Passive => "passive",
        Setup::HoldConn => "holdconn",
    }
}
