//! Of a failure that struck several clients, of which some got over it, it is told how it struck one that did not.

use super::{Group, Occurrence, Remedy, Subject, Text};
use crate::rules::Severity;
use crate::session::Name;
use crate::time::Timestamp;
use std::net::IpAddr;

/// So many clients are known beside the first.
const MAX_FACES: usize = 8;

/// How a finding struck another client than the first.
#[derive(Debug)]
pub(super) struct Face {
    remedy: Remedy,
    text: Text,
    at: Timestamp,
    frames: Vec<u64>,
    filter: Option<String>,
    subject: Subject,
}

/// Whom something struck.
fn whom(remedy: &Remedy) -> Option<(IpAddr, Option<Name>)> {
    remedy.grievance().map(|from| (from.client, from.user))
}

impl Group {
    /// Keeps how an occurrence is told, if it is one of a client that is not known yet.
    pub(super) fn meet(&mut self, seen: &Occurrence, text: impl FnOnce() -> Text) {
        let Some(who) = whom(&seen.remedy) else { return };
        let first = self.grievances.first().map(|(remedy, _)| remedy);
        let mut known = first.into_iter().chain(self.faces.iter().map(|face| &face.remedy)).filter_map(whom);
        if seen.severity != Severity::Failure || self.faces.len() >= MAX_FACES || known.any(|known| known == who) {
            return;
        }
        self.faces.push(Face {
            remedy: seen.remedy,
            text: text(),
            at: seen.at,
            frames: seen.frames.clone(),
            filter: seen.filter.clone(),
            subject: seen.subject.clone(),
        });
    }

    /// Tells the failure by a client of which one of `open` speaks, and how many clients got over it.
    pub(super) fn face(&mut self, open: &[Remedy]) {
        let (struck, over) = (self.grievances.len(), self.grievances.len() - open.len());
        if over == 0 {
            return;
        }
        let is_open = |remedy: &Remedy| open.iter().any(|open| whom(open) == whom(remedy));
        let finding = &mut self.finding;
        let first_is_open = self.grievances.first().is_none_or(|(remedy, _)| is_open(remedy));
        let another = self.faces.iter().position(|face| is_open(&face.remedy)).filter(|_| !first_is_open);
        if let Some(face) = another.map(|place| self.faces.swap_remove(place)) {
            let listed = std::mem::replace(&mut finding.frames, face.frames);
            let room = super::MAX_FRAMES.saturating_sub(finding.frames.len());
            finding.frames.extend(listed.into_iter().take(room));
            finding.frames.truncate(super::MAX_FRAMES);
            (finding.text, finding.at, finding.filter, finding.subject) =
                (face.text, face.at, face.filter, face.subject);
        }
        if struck as u64 == finding.occurrences {
            finding.text.explanation +=
                &format!(" In {over} of the {struck} cases the client afterwards had what it lacked.");
        }
    }
}
