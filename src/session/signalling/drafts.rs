//! Descriptions while a file is read: what belongs to one agent comes together here, within bounds.

use super::{Description, Fingerprint, Read, SignalledCandidate, Warning};
use crate::bounded::BoundedList;
use crate::secret::Secret;

/// How many descriptions are kept of one file.
const MAX_DESCRIPTIONS: usize = 1024;
/// How many candidates are kept of one agent: hosts with many interfaces have some dozens.
pub(super) const MAX_CANDIDATES: usize = 256;
/// How many fingerprints are kept of one agent.
pub(super) const MAX_FINGERPRINTS: usize = 32;
/// How many media are kept of one agent.
pub(super) const MAX_MEDIA: usize = 64;
/// How many warnings are kept of one file.
const MAX_WARNINGS: usize = 100;

/// How many descriptions and candidates are looked at in one file. Each is compared with all that are kept, so this bounds the time, too.
const MAX_LOOKED_AT: u32 = 65_536;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    read: Read,
    looked_at: u32,
}

impl Drafts {
    /// Adds what a description says of one agent: to what is known of it already, unless the two contradict each other.
    pub(super) fn add(&mut self, new: Description, password: Option<Secret>) {
        if !self.has_time() {
            return;
        }
        let same = self.read.descriptions.iter_mut().find(|(known, secret)| {
            known.origin == new.origin
                && known.ufrag == new.ufrag
                && agree(known.local.as_ref(), new.local.as_ref())
                && agree(secret.as_ref(), password.as_ref())
                && is_one_certificate(&known.fingerprints, &new.fingerprints)
        });
        if let Some((known, secret)) = same {
            known.has_password |= new.has_password;
            if secret.is_none() {
                *secret = password;
            }
            self.read.omitted += merge(known, new);
        } else if !self.read.descriptions.push_up_to(MAX_DESCRIPTIONS, (new, password)) {
            self.read.omitted += 1;
        }
    }

    /// Adds a candidate that was told after the description of its agent: of the agent that it names, else of the last one.
    pub(super) fn trickle(
        &mut self,
        origin: &str,
        local: Option<bool>,
        ufrag: Option<&str>,
        candidate: SignalledCandidate,
    ) {
        let mut known = self.read.descriptions.iter_mut().rev().map(|(known, _)| known).filter(|known| {
            file(&known.origin) == file(origin) && (local.is_none() || known.local.is_none() || known.local == local)
        });
        let found = match ufrag {
            Some(ufrag) => known.find(|known| known.ufrag == ufrag),
            None => known.next(),
        };
        if let Some(known) = found {
            self.read.omitted += add_candidate(&mut known.candidates, candidate);
        } else if let Some(ufrag) = ufrag {
            let (origin, ufrag) = (origin.to_owned(), ufrag.to_owned());
            self.add(Description { origin, local, ufrag, candidates: vec![candidate], ..Description::default() }, None);
        }
    }

    /// Whether one more description or candidate is looked at; else it is left out.
    pub(super) fn has_time(&mut self) -> bool {
        self.looked_at = self.looked_at.saturating_add(1);
        let fits = self.looked_at <= MAX_LOOKED_AT;
        self.read.omitted += u64::from(!fits);
        fits
    }

    /// Takes note of a place that was passed over.
    pub(super) fn warn(&mut self, origin: &str, line: usize, what: &'static str) {
        if !self.read.warnings.push_up_to(MAX_WARNINGS, Warning { origin: origin.to_owned(), line, what }) {
            self.read.omitted += 1;
        }
    }

    /// Whether no description was read.
    pub(super) fn is_empty(&self) -> bool {
        self.read.descriptions.is_empty()
    }

    /// All that was read.
    pub(super) fn finish(self) -> Read {
        self.read
    }
}

/// What a description is called without the line at which it begins.
fn file(origin: &str) -> &str {
    match origin.rsplit_once(" line ") {
        Some((file, line)) if line.bytes().all(|digit| digit.is_ascii_digit()) => file,
        _ => origin,
    }
}

/// Whether two lists may be of the same certificates: by each function that both have, they are the same. Chromium keeps one of several
/// functions of what it got.
fn is_one_certificate(known: &[Fingerprint], new: &[Fingerprint]) -> bool {
    new.iter().all(|new| known.contains(new) || known.iter().all(|known| known.hash != new.hash))
}

fn agree<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// Adds what is new; gives how much there was no room for.
fn merge(known: &mut Description, new: Description) -> u64 {
    known.kind = known.kind.or(new.kind);
    known.local = known.local.or(new.local);
    known.lite |= new.lite;
    known.directions.add(new.directions);
    // an agent that answered `active` offers `actpass` the next time, and stays what it is
    if !known.setup.is_some_and(super::Setup::is_decided) {
        known.setup = new.setup.or(known.setup);
    }
    for fingerprint in new.fingerprints {
        known.fingerprints.push_new_up_to(MAX_FINGERPRINTS, fingerprint);
    }
    for media in new.media {
        known.media.push_new_up_to(MAX_MEDIA, media);
    }
    new.candidates.into_iter().map(|candidate| add_candidate(&mut known.candidates, candidate)).sum()
}

/// Adds a candidate that is new; gives 1 where there is no room for it.
fn add_candidate(known: &mut Vec<SignalledCandidate>, candidate: SignalledCandidate) -> u64 {
    if known.contains(&candidate) {
        return 0;
    }
    if known.len() >= MAX_CANDIDATES {
        return 1;
    }
    known.push(candidate);
    0
}
