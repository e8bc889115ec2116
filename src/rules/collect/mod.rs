//! Findings on their way: like ones become one with a count, and severity is decided when all is known.

mod affected;
mod alike;
mod beside;
mod causes;
mod changed;
mod crowds;
mod elsewhere;
mod group;
mod guesses;
mod knocks;
mod monitors;
mod proxies;
mod refusers;
mod remedy;
mod restarts;
#[cfg(test)]
mod tests;
mod ways;

pub use affected::Affected;
pub use remedy::Remedy;

use super::{Confidence, Severity};
use crate::net::{ClientAddress, MappedAddress, PeerAddress, RelayedAddress, ServerAddress, Transport};
use crate::session::{Clients, Names};
use crate::time::Timestamp;
use causes::{cause_of, gravest_symptoms, raise_causes};
use group::Group;
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// How many frames of a finding are kept.
const MAX_FRAMES: usize = 16;
/// How many different findings are kept.
const MAX_FINDINGS: usize = 1024;

/// Whom a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // each is what its type says
pub struct Subject {
    pub client: Option<ClientAddress>,
    pub server: Option<ServerAddress>,
    pub transport: Option<Transport>,
    pub username: Option<String>,
    pub realm: Option<String>,
    pub peer: Option<PeerAddress>,
    pub relayed: Option<RelayedAddress>,
    pub mapped: Option<MappedAddress>,
}

impl Subject {
    /// Two ends, of whom one asks and the other is asked.
    pub(super) fn between(client: ClientAddress, server: ServerAddress) -> Subject {
        Subject { client: Some(client), server: Some(server), ..Subject::default() }
    }
}

/// What a person gets to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// One sentence that could be the headline: what happened, between whom, and why if that is known. No full stop at its end.
    pub title: String,
    /// What the packets show, with the frames, and what it means. Whole sentences.
    pub explanation: String,
    /// What to change, by whom. Whole sentences.
    pub fix: String,
}

/// One time that something was seen.
#[derive(Clone, Debug)]
pub struct Occurrence {
    /// The finding's id.
    pub id: &'static str,
    /// What distinguishes this finding from others of its id: occurrences with the same words are one finding.
    pub key: String,
    /// How grave it is, if no remedy is found.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// What would make a failure a warning.
    pub remedy: Remedy,
    /// When it happened.
    pub at: Timestamp,
    /// The frames that prove it, in order.
    pub frames: Vec<u64>,
    /// A Wireshark display filter that shows it.
    pub filter: Option<String>,
    /// RFC and section.
    pub reference: &'static str,
    /// Whom it is about.
    pub subject: Subject,
    /// Ids of findings that, where they are about the same client or server, are the cause of this one.
    pub causes: &'static [&'static str],
}

impl Occurrence {
    /// One of a finding, with the RFC and section that it rests on, of which nothing else is known yet: for rules to fill in. Nothing would make a failure
    /// a warning, nothing else is its cause, and no filter shows it.
    pub(super) fn of(id: &'static str, reference: &'static str) -> Occurrence {
        Occurrence {
            id,
            key: String::new(),
            severity: Severity::Warning,
            confidence: Confidence::Certain,
            remedy: Remedy::None,
            at: Timestamp::default(),
            frames: Vec::new(),
            filter: None,
            reference,
            subject: Subject::default(),
            causes: &[],
        }
    }
}

/// A finding, concluded.
#[derive(Clone, Debug)]
pub struct Concluded {
    /// Its id.
    pub id: &'static str,
    /// Id and what distinguishes it.
    pub key: String,
    /// How grave it is.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// What a person gets to read, of the first occurrence.
    pub text: Text,
    /// How often it occurred.
    pub occurrences: u64,
    /// When it occurred first.
    pub at: Timestamp,
    /// When it occurred last.
    pub until: Timestamp,
    /// The frames that prove it; the first ones.
    pub frames: Vec<u64>,
    /// How many frames there were.
    pub frames_total: u64,
    /// A Wireshark display filter that shows it.
    pub filter: Option<String>,
    /// RFC and section.
    pub reference: &'static str,
    /// Whom it is about, of the first occurrence.
    pub subject: Subject,
    /// Whom it affects, of all occurrences.
    pub affected: Affected,
    /// The key of the finding that is its cause.
    pub caused_by: Option<String>,
    /// Whether it is the cause of a failure.
    pub explains: bool,
}

/// Takes in occurrences, gives out findings.
#[derive(Debug, Default)]
pub struct Collector {
    groups: BTreeMap<String, Group>,
    /// Of notes that every healthy conversation with a server makes: how often, with how many frames, and when last.
    routine: HashMap<(&'static str, ServerAddress), (u64, u64, Timestamp)>,
    /// The keys of notes about servers, by id and server: a note that comes with every conversation is not worth its words each time.
    notes: HashMap<(&'static str, ServerAddress), String>,
    /// Those in which the next might find no room.
    crowded: Vec<String>,
    /// How often it was put in words what another client than the first met.
    worded: usize,
    dropped: u64,
    added: u64,
    /// The one user whose findings are wanted.
    user: Option<String>,
}

impl Collector {
    /// One that takes in everything or, where a user is given, what is not about another one.
    #[must_use]
    pub fn of(user: Option<String>) -> Self {
        Collector { user, ..Collector::default() }
    }

    /// Whether an occurrence is not to be told, since it is about another user than the one that is wanted.
    fn is_of_another(&self, seen: &Occurrence) -> bool {
        self.user.is_some() && seen.subject.username.is_some() && self.user != seen.subject.username
    }

    /// Something was seen. `text` is asked for only where it is the first of its kind.
    pub fn add(&mut self, seen: Occurrence, text: impl FnOnce() -> Text) {
        if self.is_of_another(&seen) {
            return;
        }
        self.added += 1;
        let key = key_of(seen.id, &seen.key);
        if let Some(group) = self.groups.get_mut(&key) {
            group.again(seen, text, &mut self.worded);
            if group.is_crowded() && !self.crowded.contains(&key) {
                self.crowded.push(key);
            }
            return;
        }
        if self.groups.len() >= MAX_FINDINGS {
            self.dropped += 1;
            return;
        }
        self.groups.insert(key.clone(), Group::new(key, seen, text()));
    }

    /// Forgets who got over what meanwhile, where there is no room for others.
    pub fn make_room(&mut self, clients: &Clients) {
        for key in self.crowded.drain(..) {
            if let Some(group) = self.groups.get_mut(&key) {
                group.make_room(clients);
            }
        }
    }

    /// Something was seen that is the cause of findings with these ids, where they are about the same server (else client) and user. It is as
    /// grave as the gravest that it causes.
    pub fn add_cause(&mut self, seen: Occurrence, effects: &'static [&'static str], text: impl FnOnce() -> Text) {
        let key = key_of(seen.id, &seen.key);
        self.add(seen, text);
        if let Some(group) = self.groups.get_mut(&key) {
            group.effects = effects;
        }
    }

    /// The same thing was seen so many times, of which `seen` shows the first ones.
    pub fn add_times(&mut self, times: u64, seen: Occurrence, text: impl FnOnce() -> Text) {
        if self.is_of_another(&seen) {
            return;
        }
        let (key, shown) = (key_of(seen.id, &seen.key), seen.frames.len() as u64);
        self.add(seen, text);
        if let Some(group) = self.groups.get_mut(&key) {
            group.finding.occurrences += times.saturating_sub(1);
            group.finding.frames_total += times.saturating_sub(shown);
        }
    }

    /// Adds an occurrence to a note whose key is the server, whose severity and confidence never change and that needs no remedy, if it was
    /// told before; `false` where it was not, and is to be [added](Collector::add).
    pub fn add_to_note(&mut self, id: &'static str, server: ServerAddress, at: Timestamp, frames: &[u64]) -> bool {
        if self.user.is_some() {
            return false;
        }
        let Some(key) = self.notes.get(&(id, server)) else {
            let key = key_of(id, &server.to_string());
            if self.groups.contains_key(&key) && self.notes.len() < MAX_FINDINGS {
                self.notes.insert((id, server), key);
                return self.add_to_note(id, server, at, frames);
            }
            return false;
        };
        let Some(group) = self.groups.get_mut(key) else { return false };
        self.added += 1;
        group.count(at, frames);
        true
    }

    /// Counts a note that every healthy conversation makes at a time, with so many frames; `true` where that is all there is to do, since as many were
    /// told as a finding can show. The note's key must be the server.
    pub fn is_routine(&mut self, id: &'static str, server: ServerAddress, at: Timestamp, frames: u64) -> bool {
        let is_full = self.routine.len() >= MAX_FINDINGS && !self.routine.contains_key(&(id, server));
        if is_full || self.user.is_some() {
            return false;
        }
        let (count, total, until) = self.routine.entry((id, server)).or_insert((0, 0, at));
        *until = at.max(*until);
        if *count < MAX_FRAMES as u64 {
            *count += 1;
            return false;
        }
        *count += 1;
        *total += frames;
        true
    }

    /// How many occurrences were told so far: a conversation that adds to it is worth listing in full.
    #[must_use]
    pub fn added(&self) -> u64 {
        self.added
    }

    /// How many occurrences found no room: none of them is of a finding that is kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Decides every severity and cause; the findings come the gravest first, causes before symptoms, those that explain another failure before others, what
    /// struck many clients before what struck few, the earlier before the later.
    #[must_use]
    pub fn conclude(mut self, clients: &Clients, names: &Names) -> Vec<Concluded> {
        for ((id, server), (count, frames, until)) in self.routine.drain() {
            if let Some(group) = self.groups.get_mut(&key_of(id, &server.to_string())) {
                group.finding.until = group.finding.until.max(until);
                group.finding.occurrences += count.saturating_sub(MAX_FRAMES as u64);
                group.finding.frames_total += frames;
            }
        }
        let mut groups: Vec<Group> = self.groups.into_values().collect();
        groups.retain(|group| !group.is_refuted(clients));
        crowds::join(&mut groups, clients);
        guesses::join(&mut groups, clients);
        let lendings = clients.lendings(names, groups.iter().flat_map(Group::refused_users));
        for group in &mut groups {
            group.decide(clients, &lendings, names);
        }
        refusers::join(&mut groups);
        let causes: Vec<_> = groups.iter().map(|group| cause_of(group, &groups, clients)).collect();
        for (group, cause) in groups.iter_mut().zip(causes) {
            group.finding.caused_by = cause;
        }
        raise_causes(&mut groups);
        ways::tell(&mut groups);
        let mut findings: Vec<Concluded> = groups.into_iter().map(|group| group.finding).collect();
        let gravest = gravest_symptoms(&findings, Concluded::effective_severity);
        let likely = gravest_symptoms(&findings, |finding| finding.severity);
        for finding in &mut findings {
            finding.explains = gravest.get(&finding.key) == Some(&Severity::Failure);
        }
        findings.sort_by(|a, b| {
            let rank = |finding: &Concluded| {
                let own = finding.effective_severity();
                (
                    gravest.get(&finding.key).copied().map_or(own, |symptom| own.min(symptom)),
                    finding.caused_by.is_some(),
                    own,
                    // a failure that is only likely, or its cause, before what is a warning for certain
                    likely.get(&finding.key).map_or(finding.severity, |&symptom| finding.severity.min(symptom)),
                    !finding.explains,
                    Reverse(finding.affected.weight()),
                    finding.at,
                    finding.frames.first().copied(),
                )
            };
            rank(a).cmp(&rank(b)).then_with(|| a.key.cmp(&b.key))
        });
        findings
    }
}

/// What like occurrences have in common: the finding's id, and what tells it from others of that id.
fn key_of(id: &str, own: &str) -> String {
    if own.is_empty() { id.to_owned() } else { format!("{id}/{own}") }
}

impl Concluded {
    /// Whether a client is the one that it is told of, or among the first of the others that it affects.
    fn strikes(&self, client: IpAddr) -> bool {
        self.subject.client.is_some_and(|told| told.0.ip() == client) || self.affected.clients.contains(&client)
    }

    /// Whether a client is one of these, or may be one that it affects beyond them.
    fn may_affect(&self, client: IpAddr) -> bool {
        self.strikes(client) || self.affected.clients_total > self.affected.clients.len() as u64
    }

    /// What it counts for in the verdict: a failure that is only likely counts as a warning.
    #[must_use]
    pub fn effective_severity(&self) -> Severity {
        match (self.severity, self.confidence) {
            (Severity::Failure, Confidence::Likely) => Severity::Warning,
            (severity, _) => severity,
        }
    }
}
