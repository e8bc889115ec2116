//! One ICE session: two agents, known by their user fragments, and the pairs that they check.

use super::pair::Pair;
use crate::net::{Endpoint, is_unrouted};
use crate::session::conversations::exchange::{Seen, Verdicts};
use crate::session::credentials::Status;
use crate::session::path::Path;
use crate::session::signalling::Signalling;
use crate::session::tables::names::{Name, Names};
use crate::time::{Span, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// How many selections are kept.
pub(super) const MAX_SELECTIONS: usize = 16;

/// A role (RFC 8445 §6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "IceRole")]
pub enum Role {
    /// It nominates.
    Controlling,
    /// It follows.
    Controlled,
}

/// How the controlling agent nominates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "IceNomination")]
pub enum Nomination {
    /// A pair that was found to work (RFC 8445 §8.1.1).
    Regular,
    /// Every pair from its first check on (RFC 5245 §8.1.1.2).
    Aggressive,
}

/// One of the two agents.
#[derive(Clone, Debug, Default)]
pub struct Agent {
    /// Its user fragment; `None` where the checks do not tell it apart.
    pub ufrag: Option<Name>,
    /// Its role as it said last.
    pub role: Option<Role>,
    /// How often it changed its role.
    pub role_changes: u32,
    /// Its tie-breaker as it said last (RFC 8445 §7.1.3).
    pub tie_breaker: Option<u64>,
    /// Checks that it sent, retransmissions left out.
    pub checks: u32,
    /// Its first check.
    pub first_check: Option<Seen>,
    /// Its last check, copies included; meaningless where it sent none.
    pub last_check: Timestamp,
    /// The longest time for which it checked briskly, on whatever pairs: one check soon after the other, as an agent does that has no pair yet
    /// and does not wait for answers.
    pub brisk: Span,
    /// For how long it checked briskly from its first check on.
    pub opening: Span,
    /// Since when it checks briskly now.
    pub brisk_since: Timestamp,
    /// Checks of the other that it answered by success.
    pub answers: u32,
    /// Its first check with USE-CANDIDATE.
    pub use_candidate: Option<Seen>,
    /// Whether it sends what only WebRTC's library does: GOOG-NETWORK-INFO, GOOG-PING.
    pub webrtc: bool,
    /// 487 answers that it gave, and the first and last of them.
    pub conflicts: Conflicts,
    /// What the integrity of the last of these proves.
    pub conflict_integrity: Verdicts,
    /// Its checks that were refused with 400, 401 or an error without a code since one was last answered by success.
    pub unauthorized: Option<Box<Unauthorized>>,
    /// What the integrity of its last check proves.
    pub integrity: Verdicts,
    /// What is signed with its password: the other's checks, and its own answers.
    pub signed: Signed,
}

/// How messages that are signed with one agent's password (RFC 8445 §7.2.2) fit the passwords that were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// How many verify with one that was given.
    pub verified: u32,
    /// How many verify with none that was given for its user fragment.
    pub mismatched: u32,
}

impl Signed {
    pub(super) fn add(&mut self, verdicts: &Verdicts) {
        let is = |of: fn(&Status) -> bool| verdicts.iter().flatten().any(|verdict| of(&verdict.status));
        if is(|status| matches!(status, Status::Verified { .. })) {
            self.verified = self.verified.saturating_add(1);
        } else if is(|status| matches!(status, Status::Mismatch { .. })) {
            self.mismatched = self.mismatched.saturating_add(1);
        }
    }
}

/// 487 answers (RFC 8445 §7.3.1.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct Conflicts {
    /// How many.
    pub count: u32,
    /// The first.
    pub first: Option<Seen>,
    /// The last.
    pub last: Option<Seen>,
}

/// Checks that were refused with 400 or 401.
#[derive(Clone, Debug)]
pub struct Unauthorized {
    /// How many.
    pub count: u32,
    /// The code of the last.
    pub code: u16,
    /// REASON of the last.
    pub reason: Option<Name>,
    /// The first frames: check and refusal.
    pub frames: Vec<u64>,
    /// The first refusal.
    pub first: Seen,
    /// The last refusal.
    pub last: Seen,
    /// From where the check came and to where it went.
    pub pair: (Endpoint, Endpoint),
    /// What the integrity of the refused check proves.
    pub integrity: Verdicts,
}

/// A pair became the selected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Index of the pair in its session.
    pub pair: u16,
    /// When.
    pub at: Seen,
    /// What shows it: `true` for DTLS or media on it, `false` for its nomination alone.
    pub by_data: bool,
}

/// An ICE session: one generation of user fragments. What every packet of media touches comes first and fills one cache line.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct IceSession {
    /// Its last message.
    pub last: Seen,
    /// The pairs, in the order in which they were first checked; the first ones.
    pub pairs: Vec<Pair>,
    /// Another number each time that a way which led to one of its pairs leads elsewhere, and not one that a session had before.
    pub(super) stamp: u32,
    /// The selected pair, where data showed that it is and none has been on any other since: more data on it then tells nothing new.
    pub(super) steady: Option<u16>,
    /// Its number, in the order in which sessions began.
    pub number: u32,
    /// The two agents; the one that sent the first check that was seen comes first.
    pub agents: [Agent; 2],
    /// Checks on pairs for which there was no room.
    pub checks_omitted: u64,
    /// Its first message.
    pub first: Seen,
    /// The session that it is the restart of: its number.
    pub restart_of: Option<u32>,
    /// How many restarts came before.
    pub restarts: u32,
    /// Whether it pairs an old user fragment with a new one: such a session lasts only until both sides know the new ones.
    pub is_mixed: bool,
    /// The restart that follows: its number, and its first check.
    pub restarted_by: Option<(u32, Seen)>,
    /// The first check that pairs one of its user fragments with a new one of the other agent: one side restarts.
    pub half_restarted: Option<Seen>,
    /// The first answer to any check.
    pub first_answer: Option<Seen>,
    /// The last check of the session before it on one of its ways, and the user fragment of its sender: that session goes on.
    pub beside: Option<(Name, Seen)>,
    /// Answers on its pairs of which no check was seen before.
    pub stray_answers: u32,
    /// DTLS or media ran on the way of a pair, were it before the first check.
    pub is_under_data: bool,
    /// How it nominates, once USE-CANDIDATE was seen.
    pub nomination: Option<Nomination>,
    /// The first answer to a check with USE-CANDIDATE.
    pub nominated: Option<Seen>,
    /// Checks of one agent while the other claimed the same role, and the first of them.
    pub same_role: Conflicts,
    /// The selected pairs, in order of time; the last ones.
    pub(super) selections: Vec<Selection>,
    /// How many there were before those that are kept.
    pub selections_omitted: u32,
    /// What may be about to become selected, by what each agent sends: pair, first datagram, datagrams without one on the selected pair.
    pub(super) challengers: [Option<(u16, Seen, u32)>; 2],
    /// The way that identifies it, where user fragments do not.
    pub(super) flow: Option<Path>,
}

impl IceSession {
    pub(super) fn new(number: u32, agents: [Agent; 2], seen: Seen, flow: Option<Path>) -> Self {
        IceSession { number, agents, first: seen, last: seen, flow, ..IceSession::default() }
    }

    /// The agent with this number.
    #[must_use]
    pub fn agent(&self, number: usize) -> &Agent {
        let [one, other] = &self.agents;
        if number == 0 { one } else { other }
    }

    pub(super) fn agent_mut(&mut self, number: usize) -> &mut Agent {
        let [one, other] = &mut self.agents;
        if number == 0 { one } else { other }
    }

    /// The selected pairs, in order of time; the last ones.
    #[must_use]
    pub fn selections(&self) -> &[Selection] {
        &self.selections
    }

    /// What made the selected pair the selected one; `None` where none is.
    #[must_use]
    pub fn selection(&self) -> Option<&Selection> {
        self.selections.last().filter(|chosen| self.holds(chosen))
    }

    /// Whether both agents have what was selected: one whose own checks on it go unanswered does not take it (RFC 8445 §7.3.1.5).
    #[must_use]
    pub fn holds(&self, chosen: &Selection) -> bool {
        chosen.by_data || self.pairs.get(usize::from(chosen.pair)).is_none_or(|pair| !pair.is_one_way())
    }

    /// The selected pair.
    #[must_use]
    pub fn selected(&self) -> Option<&Pair> {
        self.pairs.get(usize::from(self.selection()?.pair))
    }

    /// The pair with this way, and its index.
    #[must_use]
    pub fn pair_on(&self, path: &Path) -> Option<(usize, &Pair)> {
        let on = |pair: &&Pair| pair.path() == path || pair.other_paths().any(|other| other == path);
        let index = self.pairs.iter().position(|pair| on(&pair))?;
        Some((index, self.pairs.get(index)?))
    }

    /// The pairs that an agent checks.
    pub fn checked_by(&self, agent: usize) -> impl Iterator<Item = &Pair> {
        self.pairs.iter().filter(move |pair| pair.way(agent).first.is_some())
    }

    /// Where an agent is on the wire: on the selected pair, else on the first that it checks, direct ones before those behind its relay; of one behind the
    /// other's relay the candidate that it is heard at; `None` where the capture does not tell.
    #[must_use]
    pub fn host(&self, agent: usize) -> Option<Endpoint> {
        let direct = || self.checked_by(agent).filter(|pair| pair.relays().is_none()).find_map(|pair| pair.host(agent));
        let behind = || self.pairs.iter().find_map(|pair| pair.host(agent).filter(|_| pair.relays().is_some()));
        // of candidates the one at which it was heard
        let heard = |pair: &&Pair| pair.way(agent).first.is_some() || pair.way(1 - agent).answered.is_some();
        let known = || self.pairs.iter().filter(|pair| pair.is_end_known(agent));
        let any = || known().find(heard).or_else(|| known().next()).map(|pair| pair.end(agent));
        self.selected().and_then(|pair| pair.host(agent)).or_else(direct).or_else(behind).or_else(any)
    }

    /// Whether any check was answered by success.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.first_answer.is_some()
    }

    /// Whether DTLS or media went both ways on any pair.
    #[must_use]
    pub fn has_data_both_ways(&self) -> bool {
        self.pairs.iter().any(Pair::has_data_both_ways)
    }

    /// The first DTLS or media on any pair.
    #[must_use]
    pub fn first_data(&self) -> Option<Seen> {
        self.pairs.iter().filter_map(Pair::first_data).min()
    }

    /// The agent that is nearer to the capture point: that uses a relay or sends with a hop limit that no router has lowered, or whose checks
    /// take longer than those of the other; where nothing tells them apart, the first.
    #[must_use]
    pub fn local(&self) -> usize {
        let nearness = |agent: usize| {
            let relays = self.pairs.iter().any(|pair| pair.relays() == Some(agent));
            let unrouted = self.pairs.iter().any(|pair| is_unrouted(pair.way(agent).ttl));
            let rtt = self.pairs.iter().filter_map(|pair| pair.way(agent).answered.as_ref()?.rtt.summary());
            (relays, unrouted, rtt.map(|[_, median, _]| median).max())
        };
        usize::from(nearness(1) > nearness(0))
    }

    /// Whether, after the last 487, a check of one that met it was answered by success, or the two claim different roles. Where nobody answers 487, they must
    /// claim different roles, or have gone on without. Of an agent that sends no checks the role is not known; then the other has to have switched its own.
    #[must_use]
    pub fn is_conflict_resolved(&self) -> bool {
        let last = self.agents.iter().filter_map(|agent| agent.conflicts.last).max();
        // whose checks meet 487 may answer those of the other all the same
        let refused =
            (0..2).filter(|&asker| self.agents.get(1 - asker).is_some_and(|other| other.conflicts.last.is_some()));
        let answers = refused.flat_map(|asker| self.pairs.iter().map(move |pair| pair.way(asker)));
        let answered = answers.filter_map(|way| way.answered.as_ref()).map(|answered| answered.last).max();
        let [one, other] = &self.agents;
        let differ = match (one.role, other.role) {
            (Some(one), Some(other)) => one != other,
            _ => self
                .agents
                .iter()
                .any(|agent| agent.role_changes > 0 && last.is_none_or(|last| agent.last_check > last.time)),
        };
        (answered > last && last.is_some()) || differ || (last.is_none() && self.nominated.is_some())
    }

    /// The controlling agent, if exactly one claims to be that, or the other says that it is controlled.
    #[must_use]
    pub fn controlling(&self) -> Option<usize> {
        let [one, other] = &self.agents;
        match (one.role, other.role) {
            (Some(Role::Controlling), Some(Role::Controlled) | None) | (None, Some(Role::Controlled)) => Some(0),
            (Some(Role::Controlled), Some(Role::Controlling) | None) | (None, Some(Role::Controlling)) => Some(1),
            _ => None,
        }
    }

    /// Whether an agent is lite (RFC 8445 §2.5): `Some` by what its description says, or `Some(false)` where it sends checks; `None` where it
    /// only answers, as a lite agent does, and nothing more is known of it.
    #[must_use]
    pub fn is_lite(&self, agent: usize, signalling: &Signalling, names: &Names) -> Option<bool> {
        let agent = self.agent(agent);
        let described = agent.ufrag.and_then(|ufrag| signalling.of_agent(names.bytes(ufrag)));
        let said = described.map(|description| description.lite);
        if agent.checks > 0 { Some(false) } else { said }
    }

    /// Whether the agents are WebRTC's: one of them sends the attributes of its library, or descriptions with DTLS were given.
    #[must_use]
    pub fn is_webrtc(&self, signalling: &Signalling, names: &Names) -> bool {
        self.agents.iter().any(|agent| {
            let described = agent.ufrag.and_then(|ufrag| signalling.of_agent(names.bytes(ufrag)));
            agent.webrtc || described.is_some_and(|description| !description.fingerprints.is_empty())
        })
    }
}
