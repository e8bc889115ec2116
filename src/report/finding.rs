//! A finding: something that a rule has to say, with its evidence.

pub use crate::rules::{Affected, Confidence, Severity};

use super::{Address, LogLine, Place, Time};
use schemars::JsonSchema;
use serde::Serialize;

/// Something wrong, about to go wrong, or worth knowing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Finding {
    /// Stable id of the diagnosis: `turn-integrity-rejected`.
    pub id: String,
    /// Tells this finding from others with the same id in the report; others refer to it by `caused_by`.
    pub key: String,
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is.
    pub confidence: Confidence,
    /// One line, without a full stop.
    pub title: String,
    /// What was seen and what it means, with the addresses, names and frames at hand.
    pub explanation: String,
    /// What to do about it; empty where there is nothing to do.
    pub fix: String,
    /// How many times it was seen.
    pub occurrences: u64,
    /// When it was seen first, by the clock that captures are lined up with; none where the capture tells no times.
    pub first_time: Option<Time>,
    /// When the last time began that it was seen.
    pub last_time: Option<Time>,
    /// The key of the finding that is its cause.
    pub caused_by: Option<String>,
    /// The frames that prove it, the first ones.
    pub places: Vec<Place>,
    /// How many frames that are.
    pub places_total: u64,
    /// Lines of logs that it explains, the first ones.
    pub logs: Vec<LogLine>,
    /// How many lines that are.
    pub logs_total: u64,
    /// A Wireshark display filter that shows it.
    pub filter: Option<String>,
    /// The text that it rests on: `RFC 8489 §9.2`.
    pub reference: Option<String>,
    /// Whom it is about, of the first time that it was seen.
    pub subject: Subject,
    /// Whom it affects, of all the times.
    pub affected: Affected,
}

/// Whom or what a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Subject {
    /// The client.
    pub client: Option<Address>,
    /// The server.
    pub server: Option<Address>,
    /// The user name.
    pub username: Option<String>,
    /// The realm.
    pub realm: Option<String>,
    /// The peer behind a relay.
    pub peer: Option<Address>,
    /// The relayed address.
    pub relayed: Option<Address>,
    /// The mapped address.
    pub mapped: Option<Address>,
}

#[cfg(test)]
impl Finding {
    /// A certain finding about nobody in particular, seen once, without evidence.
    pub(crate) fn example(id: &str, severity: Severity) -> Self {
        Finding {
            id: id.to_owned(),
            key: id.to_owned(),
            severity,
            confidence: Confidence::Certain,
            title: String::new(),
            explanation: String::new(),
            fix: String::new(),
            occurrences: 1,
            first_time: None,
            last_time: None,
            caused_by: None,
            places: Vec::new(),
            places_total: 0,
            logs: Vec::new(),
            logs_total: 0,
            filter: None,
            reference: None,
            subject: Subject::default(),
            affected: Affected::default(),
        }
    }
}
