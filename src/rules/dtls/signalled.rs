//! What session descriptions say of the two ends of an association, and whether its pair works.

use super::Story;
use crate::rules::View;
use crate::rules::evidence::quote;
use crate::session::Seen;
use crate::session::handshake::{Both, Certificate, Role};
use crate::session::ice::{IceSession, Pair};
use crate::session::signalling::{Description, Setup, compare};
use crate::time::{Span, Timestamp};

/// What the descriptions that were given say of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match<'s> {
    /// None was given that tells a fingerprint, or it was not told by a hash function that is known.
    Unknown,
    /// A description of this end has its fingerprint.
    Right,
    /// The description of this end, known by the user fragments of the checks on the pair, has another; perhaps there is another of the
    /// same agent that has it.
    Wrong(&'s Description, Option<&'s Description>),
    /// Which description is of this end is not known, and none that was given has it.
    InNone,
}

impl<'h> Story<'h> {
    /// The ICE session and pair on the first of its ways that has one, with the agents of client and server.
    pub(super) fn pair<'s>(&self, view: &View<'s>) -> Option<(&'s IceSession, &'s Pair, Both<usize>)> {
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

    /// Whether agents check the pair and the capture holds no answer to any of their checks, without which there is no DTLS.
    pub(super) fn lacks_answers(&self, view: &View<'_>) -> bool {
        let unanswered = |(_, pair, _): (&IceSession, &Pair, Both<usize>)| {
            let ways = [pair.way(0), pair.way(1)];
            ways.iter().any(|way| way.first.is_some()) && ways.iter().all(|way| way.answered.is_none())
        };
        self.pair(view).is_some_and(unanswered)
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

    /// Whether an end sent neither DTLS nor media for so long after a time, though it goes on to be there.
    pub(super) fn is_idle_after(&self, role: Role, time: Timestamp, long: Span, view: &View<'_>) -> bool {
        let around = &self.handshake.surroundings;
        let (mut own, mut there) = (around.data_last[role], around.last[role]);
        if let Some((_, pair, agents)) = self.pair(view) {
            let (carried, checks) = (pair.carried(agents[role]), pair.way(agents[role]));
            own = own.max(carried.first.map(|_| carried.last));
            there = there.max(checks.first.map(|_| checks.last));
        }
        own.is_none_or(|last| last.since(time) < Span::from_secs(1))
            && there.is_some_and(|last| last.since(time) >= long)
    }

    /// The last check of an end on the pair of the association.
    pub(super) fn last_check(&self, role: Role, view: &View<'_>) -> Option<Timestamp> {
        let (_, pair, agents) = self.pair(view)?;
        let checks = pair.way(agents[role]);
        checks.first.map(|_| checks.last)
    }

    /// When an end sent its last media on the ways of the association.
    pub(super) fn last_media(&self, role: Role, view: &View<'_>) -> Option<Seen> {
        let media = view.session.media().each_way();
        let ways = media.filter_map(|known| Some((self.handshake.way_on(&known.path)?, known)));
        let last = ways.filter_map(|(way, known)| known.from(usize::from(way.low != role)).0.media);
        last.map(|(_, last)| last).max()
    }

    /// Whether both ends send data or media on the pair long after the last flight, or, up to DTLS 1.2, the client does, whose handshake is over last.
    /// Through a relay too: they have their keys, and the capture lacks the end of the handshake.
    pub(super) fn went_on(&self, view: &View<'_>) -> bool {
        const PLAINLY: Span = Span::from_millis(200);
        const LONG: Span = Span::from_secs(2);
        let Some((_, pair, agents)) = self.pair(view) else { return false };
        let shaken = self.handshake.last_flight().time;
        let goes_on = |role: Role, after: Span| {
            let carried = pair.carried(agents[role]);
            let is_goodbye = carried.alert.is_some_and(|alert| alert.time >= carried.last);
            carried.first.is_some() && carried.last > shaken.after(after) && !is_goodbye
        };
        let both = [Role::Client, Role::Server].into_iter().all(|role| goes_on(role, LONG));
        both || !self.handshake.is_1_3() && goes_on(Role::Client, PLAINLY)
    }

    /// The user fragment of an end, where checks on the same pair tell it.
    fn ufrag<'s>(&self, role: Role, view: &View<'s>) -> Option<&'s [u8]> {
        let (session, _, agents) = self.pair(view)?;
        session.agent(agents[role]).ufrag.map(|name| view.session.names().bytes(name))
    }

    /// The descriptions of the two ends, where the checks on the pair tell which they are.
    pub(super) fn descriptions<'s>(&self, view: &View<'s>) -> Vec<(Role, &'s Description)> {
        let signalling = view.session.signalling();
        let of = |role: Role| {
            let ufrag = self.ufrag(role, view).filter(|_| !signalling.is_empty());
            ufrag.into_iter().flat_map(|ufrag| signalling.all_of_agent(ufrag)).map(move |known| (role, known))
        };
        of(Role::Client).chain(of(Role::Server)).collect()
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
            let setup = known.setup.map(Setup::name).unwrap_or_default();
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
        let signalling = view.session.signalling();
        if signalling.is_empty() {
            return Match::Unknown;
        }
        let mut seen = certificate.others.clone();
        seen.push(certificate.fingerprint);
        let own = self.ufrag(role, view);
        match own.map_or(compare::Certificate::Untold, |ufrag| compare::certificate_of(signalling, ufrag, &seen)) {
            compare::Certificate::Told => return Match::Right,
            compare::Certificate::Another(wrong) => return Match::Wrong(wrong, None),
            compare::Certificate::Contradicted { wrong, right } => return Match::Wrong(wrong, Some(right)),
            compare::Certificate::Untold => {}
        }
        // descriptions of agents on this pair are not of anybody else: the other end's is not this one's
        let known_ends = self.descriptions(view);
        let is_known = |known: &Description| known_ends.iter().any(|(_, end)| std::ptr::eq(*end, known));
        let others = signalling.descriptions().iter().filter(|known| !is_known(known));
        let mut found = Match::Unknown;
        for told in others.map(|known| compare::certificate(known, &seen)) {
            match told {
                compare::Certificate::Told => return Match::Right,
                // where the checks tell whose description it would be, those of others say nothing
                compare::Certificate::Another(_) if own.is_none() => found = Match::InNone,
                _ => {}
            }
        }
        found
    }
}

/// The fingerprints that a description tells, for people.
pub(super) fn listed(description: &Description) -> String {
    let told: Vec<String> =
        description.fingerprints.iter().map(|told| format!("{} {}", told.hash, told.value)).collect();
    told.join(", ")
}
