//! Findings on their way: like ones become one with a count, and severity is decided when all is known.

mod affected;
mod beside;
mod causes;
mod elsewhere;
mod group;
mod knocks;
mod monitors;
mod proxies;
mod refusers;
mod remedy;
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
    /// Of notes that every healthy conversation with a server makes: how often, and with how many frames.
    routine: HashMap<(&'static str, ServerAddress), (u64, u64)>,
    /// The keys of notes about servers, by id and server: a note that comes with every conversation is not worth its words each time.
    notes: HashMap<(&'static str, ServerAddress), String>,
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
            group.again(seen, text);
            return;
        }
        if self.groups.len() >= MAX_FINDINGS {
            self.dropped += 1;
            return;
        }
        self.groups.insert(key.clone(), Group::new(key, seen, text()));
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

    /// Counts a note that every healthy conversation makes, with so many frames; `true` where that is all there is to do, since as many were
    /// told as a finding can show. The note's key must be the server.
    pub fn is_routine(&mut self, id: &'static str, server: ServerAddress, frames: u64) -> bool {
        let is_full = self.routine.len() >= MAX_FINDINGS && !self.routine.contains_key(&(id, server));
        if is_full || self.user.is_some() {
            return false;
        }
        let (count, total) = self.routine.entry((id, server)).or_default();
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
        for ((id, server), (count, frames)) in self.routine.drain() {
            if let Some(group) = self.groups.get_mut(&key_of(id, &server.to_string())) {
                group.finding.occurrences += count.saturating_sub(MAX_FRAMES as u64);
                group.finding.frames_total += frames;
            }
        }
        let mut groups: Vec<Group> = self.groups.into_values().collect();
        groups.retain(|group| !group.is_refuted(clients));
        let lendings = clients.lendings(names, groups.iter().flat_map(Group::refused_users));
        for group in &mut groups {
            group.decide(clients, &lendings, names);
        }
        refusers::join(&mut groups);
        let causes: Vec<_> = groups.iter().map(|group| cause_of(group, &groups)).collect();
        for (group, cause) in groups.iter_mut().zip(causes) {
            group.finding.caused_by = cause;
        }
        raise_causes(&mut groups);
        ways::tell(&mut groups);
        let mut findings: Vec<Concluded> = groups.into_iter().map(|group| group.finding).collect();
        let gravest = gravest_symptoms(&findings);
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
                    finding.severity,
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
    /// Whether a client is the one that it is told of, or may be among the others that it affects.
    fn may_affect(&self, client: IpAddr) -> bool {
        let told = self.subject.client.is_some_and(|told| told.0.ip() == client);
        told || self.affected.clients.contains(&client)
            || self.affected.clients_total > self.affected.clients.len() as u64
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;
    use crate::session::Grievance;

    fn seen(key: &str, at: i64, severity: Severity) -> Occurrence {
        Occurrence {
            key: key.to_owned(),
            severity,
            confidence: Confidence::Certain,
            at: Timestamp(at),
            frames: vec![u64::try_from(at).unwrap()],
            ..Occurrence::of("turn-server-error", "")
        }
    }

    fn names() -> Names {
        Names::new(10, 100)
    }

    fn grievance(at: i64) -> Grievance {
        let server = Endpoint::v4([192, 0, 2, 1], 3478);
        Grievance { client: "192.0.2.9".parse().unwrap(), user: None, server, at: Timestamp(at) }
    }

    #[test]
    fn like_occurrences_are_one_finding_with_a_count_and_its_first_frames() {
        let mut collector = Collector::default();
        for at in 1..=100 {
            collector.add(seen("x", at, Severity::Failure), Text::default);
        }
        let findings = collector.conclude(&Clients::new(10), &names());
        assert_eq!(findings.len(), 1);
        assert_eq!((findings[0].occurrences, findings[0].frames_total), (100, 100));
        assert_eq!(findings[0].frames, (1..=16).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_added_to_a_note_counts_as_if_it_was_told_in_full() {
        let server = ServerAddress(Endpoint::v4([192, 0, 2, 1], 3478));
        let told = |at| seen(&server.to_string(), at, Severity::Note);
        let (mut short, mut full) = (Collector::default(), Collector::default());
        for at in [50, 40, 60, 30] {
            let occurrence = told(at);
            if !short.add_to_note(occurrence.id, server, occurrence.at, &occurrence.frames) {
                short.add(occurrence, Text::default);
            }
            full.add(told(at), Text::default);
        }
        assert_eq!(short.added(), full.added());
        let of = |collector: Collector| {
            let finding = collector.conclude(&Clients::new(10), &names()).remove(0);
            (finding.key, finding.occurrences, finding.at, finding.frames, finding.frames_total)
        };
        assert_eq!(of(short), of(full));
    }

    #[test]
    fn a_failure_that_was_remedied_is_a_warning() {
        let mut clients = Clients::new(10);
        clients.allocated("192.0.2.9".parse().unwrap(), None, Endpoint::v4([192, 0, 2, 1], 3478), Timestamp(50));
        let mut collector = Collector::default();
        let remedied = Occurrence { remedy: Remedy::Service(grievance(10)), ..seen("early", 10, Severity::Failure) };
        let open = Occurrence { remedy: Remedy::Service(grievance(60)), ..seen("late", 60, Severity::Failure) };
        collector.add(remedied, Text::default);
        collector.add(open, Text::default);
        let findings = collector.conclude(&clients, &names());
        assert_eq!(findings[0].key, "turn-server-error/late");
        assert_eq!(findings[0].severity, Severity::Failure);
        assert_eq!(findings[1].severity, Severity::Warning);
    }

    #[test]
    fn what_is_less_grave_does_not_uphold_a_failure_that_was_got_over() {
        let mut clients = Clients::new(10);
        clients.allocated("192.0.2.9".parse().unwrap(), None, Endpoint::v4([192, 0, 2, 1], 3478), Timestamp(50));
        let told =
            |at, severity, from| Occurrence { remedy: Remedy::Service(grievance(from)), ..seen("x", at, severity) };
        let concluded = |from: i64| {
            let mut collector = Collector::default();
            for (at, severity, from) in
                [(1, Severity::Warning, 60), (2, Severity::Failure, from), (3, Severity::Note, 60)]
            {
                collector.add(told(at, severity, from), || Text { title: at.to_string(), ..Text::default() });
            }
            collector.conclude(&clients, &names()).remove(0)
        };
        let (got_over, stands) = (concluded(10), concluded(60));
        assert_eq!((got_over.severity, got_over.occurrences), (Severity::Warning, 3));
        assert_eq!((stands.severity, stands.text.title.as_str()), (Severity::Failure, "2"));
    }

    #[test]
    fn what_befell_the_same_client_is_its_cause_and_not_what_befell_another_of_the_same_server() {
        let mut collector = Collector::default();
        let server = Some(ServerAddress(Endpoint::v4([192, 0, 2, 1], 3478)));
        let of = |host: u8| {
            let client = Some(ClientAddress(Endpoint::v4([192, 0, 2, host], 1)));
            Subject { client, server, ..Subject::default() }
        };
        for (id, host) in [("turn-integrity-rejected", 8), ("turn-quota", 9)] {
            let told = Occurrence { id, subject: of(host), ..seen("", 1, Severity::Failure) };
            collector.add(told, Text::default);
        }
        let (id, causes): (_, &[&str]) = ("ice-no-relay-candidate", &["turn-integrity-rejected", "turn-quota"]);
        collector.add(Occurrence { id, causes, subject: of(9), ..seen("", 1, Severity::Failure) }, Text::default);
        let findings = collector.conclude(&Clients::new(10), &names());
        let found = findings.iter().find(|found| found.id == "ice-no-relay-candidate").unwrap();
        assert_eq!(found.caused_by.as_deref(), Some("turn-quota"));
    }

    #[test]
    fn what_befell_the_other_side_is_a_cause_where_nothing_befell_this_one() {
        let at = |host: u8| Endpoint::v4([192, 0, 2, host], 1);
        let of = |host| Subject { client: Some(ClientAddress(at(host))), ..Subject::default() };
        let caused_by = |struck: &[u8]| {
            let mut collector = Collector::default();
            for &host in struck {
                let told = Occurrence { subject: of(host), ..seen(&host.to_string(), 1, Severity::Warning) };
                collector.add(told, Text::default);
            }
            let subject = Subject { peer: Some(PeerAddress(at(9))), ..of(8) };
            let symptom = Occurrence {
                id: "ice-consent-lost",
                causes: &["turn-server-error"],
                subject,
                ..seen("", 2, Severity::Failure)
            };
            collector.add(symptom, Text::default);
            let findings = collector.conclude(&Clients::new(10), &names());
            findings.iter().find(|found| found.id == "ice-consent-lost").unwrap().caused_by.clone()
        };
        assert_eq!(caused_by(&[7]), None);
        assert_eq!(caused_by(&[7, 9]).as_deref(), Some("turn-server-error/9"));
        assert_eq!(caused_by(&[9, 8]).as_deref(), Some("turn-server-error/8"));
    }

    #[test]
    fn a_cause_comes_before_its_symptom() {
        let mut collector = Collector::default();
        let client = Some(ClientAddress(Endpoint::v4([192, 0, 2, 9], 1)));
        let subject = Subject { client, ..Subject::default() };
        let symptom = Occurrence {
            id: "turn-allocation-gone",
            causes: &["turn-server-error"],
            subject: subject.clone(),
            ..seen("", 1, Severity::Failure)
        };
        collector.add(symptom, Text::default);
        collector.add(Occurrence { subject, ..seen("", 2, Severity::Failure) }, Text::default);
        let findings = collector.conclude(&Clients::new(10), &names());
        assert_eq!(findings[0].id, "turn-server-error");
        assert_eq!(findings[1].caused_by.as_deref(), Some("turn-server-error"));
    }
}
