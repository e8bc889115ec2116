//! Like occurrences, which become one finding when all is known.

use super::knocks::Knocks;
use super::{Affected, Concluded, MAX_FRAMES, Occurrence, Remedy, Subject, Text};
use crate::frame::in_order;
use crate::net::Endpoint;
use crate::rules::{Confidence, Severity};
use crate::session::{Clients, Coverage, Grievance, Lendings, Names};
use crate::time::Timestamp;
use std::cmp::Ordering;

/// How many occurrences of a finding are kept to decide its severity by: the first ones, and as many of those after them that nobody got over so far.
pub(super) const MAX_GRIEVANCES: usize = 4096;

/// Findings that speak of what is not there.
const ABOUT_ABSENCE: &[&str] = &[
    "turn-no-response",
    "turn-no-credentials",
    "turn-relay-silent",
    "turn-permission-missing",
    "turn-channel-mismatch",
    "dtls-no-answer",
    "dtls-never-started",
    "dtls-fragment-lost",
    "dtls-hello-fragmented",
    "dtls-incomplete",
    "dtls-role-conflict",
    "ice-checks-unanswered",
    "ice-one-way",
    "ice-not-nominated",
    "ice-consent-lost",
    "ice-no-relay-candidate",
    "media-one-way",
];

/// Findings that speak of what was not sent to the client.
const ABOUT_ANSWERS: &[&str] = &[
    "turn-no-response",
    "turn-relay-silent",
    "dtls-no-answer",
    "ice-checks-unanswered",
    "ice-consent-lost",
    "ice-no-relay-candidate",
];

/// Of how many other clients a finding can tell, should the first get over it.
const MAX_OTHERS: usize = 4;
/// For how many of all findings that is put in words, should others get over it, too: some words take a look at all that goes on.
pub(super) const MAX_WORDED: usize = 4096;

/// What can be told of a client that is not the first.
#[derive(Debug)]
struct Told {
    remedy: Remedy,
    text: Text,
    frames: Vec<u64>,
    filter: Option<String>,
    subject: Subject,
}

/// Like occurrences on their way to be one finding.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) finding: Concluded,
    /// Of the gravest occurrences: what would remedy each.
    pub(super) grievances: Vec<(Remedy, Confidence)>,
    /// Those for which there was no room among these.
    later: Vec<(Remedy, Confidence)>,
    /// From how many occurrences on it is worth looking which of the later ones were got over.
    room_at: u64,
    others: Vec<Told>,
    pub(super) causes: &'static [&'static str],
    /// Ids of findings that it is the cause of, where they are about the same.
    pub(super) effects: &'static [&'static str],
    /// It would be a failure, and every client that it struck got over it.
    pub(super) remedied: bool,
    /// Of a way to a server: what to do if another one is open.
    pub(super) otherwise: Option<String>,
}

impl Group {
    /// A group of one.
    pub(super) fn new(key: String, seen: Occurrence, text: Text) -> Self {
        let frames_total = seen.frames.len() as u64;
        let mut frames = seen.frames;
        frames.truncate(MAX_FRAMES);
        let finding = Concluded {
            id: seen.id,
            key,
            severity: seen.severity,
            confidence: seen.confidence,
            text,
            occurrences: 1,
            at: seen.at,
            until: seen.at,
            frames,
            frames_total,
            filter: seen.filter,
            reference: seen.reference,
            subject: seen.subject,
            affected: Affected::default(),
            caused_by: None,
            explains: false,
        };
        Group {
            finding,
            grievances: vec![(seen.remedy, seen.confidence)],
            later: Vec::new(),
            room_at: 0,
            others: Vec::new(),
            causes: seen.causes,
            effects: &[],
            remedied: false,
            otherwise: None,
        }
    }

    /// Counts one more occurrence with the frames that show it.
    pub(super) fn count(&mut self, at: Timestamp, frames: &[u64]) {
        let finding = &mut self.finding;
        finding.occurrences += 1;
        (finding.at, finding.until) = (finding.at.min(at), finding.until.max(at));
        finding.frames_total += frames.len() as u64;
        let room = MAX_FRAMES.saturating_sub(finding.frames.len());
        finding.frames.extend(frames.iter().take(room));
    }

    /// Of the gravest occurrences that are kept: what would remedy each.
    fn struck(&self) -> impl Iterator<Item = &(Remedy, Confidence)> {
        self.grievances.iter().chain(&self.later)
    }

    /// What would remedy each of these.
    pub(super) fn remedies(&self) -> impl Iterator<Item = &Remedy> {
        self.struck().map(|(remedy, _)| remedy)
    }

    /// Whether what came later shows that nothing was amiss, or that it could not be seen.
    pub(super) fn is_refuted(&self, clients: &Clients) -> bool {
        let refuted = |remedy: &Remedy| match remedy {
            Remedy::Credentials(from) => clients.signed(from.client, from.server, from.at),
            Remedy::DataOrNothing(_) => remedy.found(clients),
            _ => false,
        };
        // of whom nothing is there that was sent to it, though it acts on it, nothing can be missed
        let unheard = |from: &Grievance| clients.is_unheard(from.client);
        let unseen =
            |remedy: &Remedy| ABOUT_ANSWERS.contains(&self.finding.id) && remedy.grievance().is_some_and(unheard);
        let hidden = |remedy: &Remedy| self.may_be_hidden(remedy, clients);
        self.remedies().all(|remedy| refuted(remedy) || unseen(remedy) || hidden(remedy))
    }

    /// The same was seen again; `worded` counts other clients of whom it was put in words, of all findings.
    pub(super) fn again(&mut self, seen: Occurrence, text: impl FnOnce() -> Text, worded: &mut usize) {
        self.count(seen.at, &seen.frames);
        match seen.severity.cmp(&self.finding.severity) {
            Ordering::Less => return self.yields_to(seen, text()),
            Ordering::Equal => {}
            Ordering::Greater => return,
        }
        let grievance = (seen.remedy, seen.confidence);
        let whom = |remedy: &Remedy| remedy.grievance().map(|from| (from.client, from.user));
        let whose = whom(&seen.remedy);
        if self.grievances.first().is_some_and(|(remedy, _)| whom(remedy) == whose) {
            widen(&mut self.finding.filter, seen.filter);
        } else if let Some(told) = self.others.iter_mut().find(|other| whom(&other.remedy) == whose) {
            widen(&mut told.filter, seen.filter);
        } else if self.others.len() < MAX_OTHERS && *worded < MAX_WORDED {
            *worded += 1;
            let Occurrence { remedy, frames, filter, subject, .. } = seen;
            self.others.push(Told { remedy, text: text(), frames, filter, subject });
        }
        // without a remedy, all of one confidence count as one
        let same = |known: &(Remedy, Confidence)| matches!(known.0, Remedy::None) && known.1 == grievance.1;
        if matches!(grievance.0, Remedy::None) && self.grievances.iter().take(2).any(same) {
            return;
        }
        let kept = if self.grievances.len() < MAX_GRIEVANCES { &mut self.grievances } else { &mut self.later };
        if kept.len() < MAX_GRIEVANCES {
            kept.push(grievance);
        }
    }

    /// With what another one tells of others, as grave.
    pub(super) fn joined(mut self, other: Group, clients: &Clients) -> Group {
        self.make_room(clients);
        let Group { finding: Concluded { text, frames, filter, subject, .. }, .. } = other;
        self.finding.occurrences += other.finding.occurrences;
        self.finding.frames_total += other.finding.frames_total;
        self.finding.until = self.finding.until.max(other.finding.until);
        let room = MAX_FRAMES.saturating_sub(self.finding.frames.len());
        self.finding.frames.extend(frames.iter().take(room));
        if let Some(&(remedy, _)) = other.grievances.first().filter(|_| self.others.len() < MAX_OTHERS) {
            self.others.push(Told { remedy, text, frames, filter, subject });
        }
        let room = MAX_GRIEVANCES.saturating_sub(self.grievances.len());
        self.grievances.extend(other.grievances.into_iter().chain(other.later).take(room));
        self
    }

    /// Tells it of those who were asked in vain by one who serves several, at this end: whether it stands is for them to say. Unless it is `certain` that they
    /// wanted to be served, what goes by data is only likely.
    pub(super) fn turn_around(&mut self, server: Endpoint, certain: bool) {
        let told = self.others.iter_mut().map(|told| &mut told.remedy);
        for (remedy, confidence) in self.grievances.iter_mut().chain(&mut self.later) {
            *remedy = remedy.turned_around(server);
            if !certain && matches!(remedy, Remedy::Data(_)) {
                *confidence = Confidence::Likely;
            }
        }
        told.for_each(|remedy| *remedy = remedy.turned_around(server));
    }

    /// What was only likely of each alone is certain where several met it.
    pub(super) fn assure(&mut self) {
        self.grievances.iter_mut().chain(&mut self.later).for_each(|(_, confidence)| *confidence = Confidence::Certain);
    }

    /// Whether the next of these might find no room.
    pub(super) fn is_crowded(&self) -> bool {
        self.others.len() == MAX_OTHERS || self.is_full()
    }

    /// Whether there is no room for later ones, and enough came since it was looked who got over it.
    fn is_full(&self) -> bool {
        self.later.len() == MAX_GRIEVANCES && self.finding.occurrences >= self.room_at
    }

    /// Forgets who got over it meanwhile, so that there is room for who does not.
    pub(super) fn make_room(&mut self, clients: &Clients) {
        self.others.retain(|other| !other.remedy.found(clients));
        if self.is_full() {
            self.later.retain(|(remedy, _)| !remedy.found(clients));
            self.room_at = self.finding.occurrences + MAX_GRIEVANCES as u64 / 2;
        }
    }

    /// What is graver than all before takes their place: what counts is who got over the gravest.
    fn yields_to(&mut self, seen: Occurrence, text: Text) {
        let finding = &mut self.finding;
        finding.severity = seen.severity;
        (finding.text, finding.filter, finding.subject) = (text, seen.filter, seen.subject);
        finding.frames.splice(..0, seen.frames);
        finding.frames.truncate(MAX_FRAMES);
        self.grievances = vec![(seen.remedy, seen.confidence)];
        self.later.clear();
        self.others.clear();
    }

    /// A failure stands if one client that it struck never got what it asked for.
    pub(super) fn decide(&mut self, clients: &Clients, lendings: &Lendings<'_>, names: &Names) {
        let knocks = Knocks::among(self, clients, lendings);
        let fails = |remedy: &Remedy| !remedy.found(clients) && !self.went_over_tls(remedy, clients);
        let is_scan = |remedy: &Remedy| knocks.are(remedy) || !fails(remedy);
        let only_scanned = self.remedies().any(fails) && self.remedies().all(is_scan);
        let stands = |remedy: &Remedy| fails(remedy) && (only_scanned || !knocks.are(remedy));
        let open = self.struck().filter(|(remedy, _)| stands(remedy));
        let open: Vec<(Remedy, Confidence)> = open
            .map(|&(remedy, confidence)| match self.may_have_gone(&remedy, clients) {
                None if !knocks.are(&remedy) => (remedy, confidence),
                _ => (remedy, Confidence::Likely),
            })
            .collect();
        // who got over it is not told of where another did not
        let first_stands = self.grievances.first().is_some_and(|(remedy, _)| stands(remedy));
        let others = self.others.iter().filter(|other| !first_stands && stands(&other.remedy));
        let others: Vec<&Told> = others.collect();
        if let Some(Told { text, filter, subject, .. }) = others.first() {
            let finding = &mut self.finding;
            (finding.text, finding.filter, finding.subject) = (text.clone(), filter.clone(), subject.clone());
            finding.frames = others.iter().flat_map(|told| &told.frames).copied().take(MAX_FRAMES).collect();
        }
        if open.is_empty() && self.finding.severity == Severity::Failure {
            self.finding.severity = Severity::Warning;
            self.remedied = true;
        }
        let counted = if open.is_empty() { &self.grievances } else { &open };
        self.finding.confidence =
            counted.iter().map(|&(_, confidence)| confidence).min().unwrap_or(Confidence::Certain);
        let told: Vec<Grievance> = counted.iter().filter_map(|(remedy, _)| remedy.grievance()).copied().collect();
        self.finding.affected = Affected::of(&told, names);
        if !self.tell_of_change(&told, lendings) {
            self.tell_of_others(&told, lendings, names);
        }
        if !self.tell_of_changed_tls(&told, clients) {
            self.tell_of_secured(&told, clients);
        }
        self.tell_of_restart(lendings);
        self.tell_of_sealed(clients);
        if only_scanned {
            knocks.tell(&mut self.finding);
        } else {
            self.tell_of_monitors(&open);
        }
        self.tell_of_proxies(clients);
        self.doubt_one_of_several(clients);
        if self.finding.severity == Severity::Failure && self.is_open_to_doubt(&open, clients) {
            self.finding.confidence = Confidence::Likely;
        }
        self.tell_of_lost_packets(clients.coverage());
        self.finding.frames = in_order(std::mem::take(&mut self.finding.frames));
    }

    /// Whether what would show that nothing was amiss, or was got over, may have been there all the same; `open` is what nobody is known to have got over.
    fn is_open_to_doubt(&self, open: &[(Remedy, Confidence)], clients: &Clients) -> bool {
        // where the clock was set back, nobody can say what came after
        let unsure = |from: &Grievance| clients.coverage().is_out_of_order(from.at);
        // of clients for which there was no room, nobody can say that they never recovered
        let untold = |remedy: &Remedy| remedy.grievance().is_none_or(|from| !clients.knows(from.client));
        self.may_have_been_missed(clients.coverage())
            || self.remedies().all(|remedy| remedy.grievance().is_some_and(unsure))
            || clients.dropped() > 0 && open.iter().all(|(remedy, _)| untold(remedy))
    }

    /// Whether it speaks of what is not there, and frames are missing, which may be the ones that were looked for.
    fn may_have_been_missed(&self, coverage: &Coverage) -> bool {
        coverage.may_miss_some() && ABOUT_ABSENCE.contains(&self.finding.id)
    }

    fn tell_of_lost_packets(&mut self, coverage: &Coverage) {
        let packets = match coverage.lost() {
            0 => return,
            1 => "a packet".to_owned(),
            many => format!("packets ({many})"),
        };
        if self.may_have_been_missed(coverage) {
            self.finding.text.explanation += &format!(
                " By its own count the capture lost {packets} that it should have held: what is missing may be among them."
            );
        }
    }
}

/// What a display filter joins its demands with.
pub(super) const AND: &str = " && ";

/// Has a display filter show another occurrence between the same hosts, too: of several ports it names none.
pub(super) fn widen(filter: &mut Option<String>, other: Option<String>) {
    let (Some(one), Some(other)) = (filter.as_deref(), other.as_deref()) else { return };
    let names_hosts = of_hosts(one).count() > 1 && is_plain(one);
    if one != other && names_hosts && of_hosts(one).eq(of_hosts(other)) {
        *filter = Some(of_hosts(one).collect::<Vec<_>>().join(AND));
    }
}

/// Whether a display filter is a list of demands: alternatives of whole ones are not taken apart.
pub(super) fn is_plain(filter: &str) -> bool {
    filter.split(AND).all(|term| term.matches('(').count() == term.matches(')').count())
}

/// What a display filter demands beside ports.
fn of_hosts(filter: &str) -> impl Iterator<Item = &str> {
    filter.split(AND).filter(|term| !term.contains(".port == "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_shows_every_port_between_the_same_hosts_and_stays_where_hosts_differ() {
        let of = |host: u8, port: u16| {
            format!("stun && ip.addr == 192.0.2.{host} && ip.addr == 192.0.2.9 && udp.port == {port}")
        };
        for (one, other, expected) in [
            (of(1, 5000), of(1, 5000), of(1, 5000)),
            (of(1, 5000), of(1, 5001), "stun && ip.addr == 192.0.2.1 && ip.addr == 192.0.2.9".to_owned()),
            (of(1, 5000), of(2, 5001), of(1, 5000)),
            (format!("({}) || icmp", of(1, 5000)), of(1, 5001), format!("({}) || icmp", of(1, 5000))),
            (
                "stun && udp.port == 5000".to_owned(),
                "stun && udp.port == 5001".to_owned(),
                "stun && udp.port == 5000".to_owned(),
            ),
        ] {
            let mut filter = Some(one);
            widen(&mut filter, Some(other));
            assert_eq!(filter, Some(expected));
        }
    }
}
