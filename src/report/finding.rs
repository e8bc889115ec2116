//! A finding: something that a rule has to say, with its evidence.

pub use crate::rules::{Affected, Confidence, Severity};

use super::{Address, LogLine, Place};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

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

impl Finding {
    /// A certain finding about nobody in particular, seen once, without evidence yet; the key is the id.
    ///
    /// ```
    /// use turnscope::report::{Finding, Severity};
    /// let finding = Finding::new("turn-server-error", Severity::Failure, "The server failed")
    ///     .explain("The server answered 500.")
    ///     .fix("Look at the server's log.")
    ///     .reference("RFC 8489 §14.8");
    /// assert_eq!(finding.key, "turn-server-error");
    /// ```
    #[must_use]
    pub fn new(id: &str, severity: Severity, title: impl Into<String>) -> Self {
        Finding {
            id: id.to_owned(),
            key: id.to_owned(),
            severity,
            confidence: Confidence::Certain,
            title: title.into(),
            explanation: String::new(),
            fix: String::new(),
            occurrences: 1,
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

    /// Tells it from others with the same id: the key becomes `id/part`.
    #[must_use]
    pub fn keyed(mut self, part: impl fmt::Display) -> Self {
        self.key = format!("{}/{part}", self.id);
        self
    }

    /// Makes it a guess.
    #[must_use]
    pub fn likely(mut self) -> Self {
        self.confidence = Confidence::Likely;
        self
    }

    /// What was seen and what it means.
    #[must_use]
    pub fn explain(mut self, text: impl Into<String>) -> Self {
        self.explanation = text.into();
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(mut self, text: impl Into<String>) -> Self {
        self.fix = text.into();
        self
    }

    /// The frames that prove it; sets the total to their number.
    #[must_use]
    pub fn places(mut self, places: impl IntoIterator<Item = Place>) -> Self {
        self.places = places.into_iter().collect();
        self.places_total = self.places.len() as u64;
        self
    }

    /// How many frames prove it, those not listed included.
    #[must_use]
    pub fn places_total(mut self, total: u64) -> Self {
        self.places_total = total.max(self.places.len() as u64);
        self
    }

    /// How many times it was seen.
    #[must_use]
    pub fn occurrences(mut self, occurrences: u64) -> Self {
        self.occurrences = occurrences;
        self
    }

    /// The finding that is its cause, by key.
    #[must_use]
    pub fn caused_by(mut self, key: impl Into<String>) -> Self {
        self.caused_by = Some(key.into());
        self
    }

    /// A Wireshark display filter that shows it.
    #[must_use]
    pub fn filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = Some(filter.into());
        self
    }

    /// The text that it rests on.
    #[must_use]
    pub fn reference(mut self, reference: impl Into<String>) -> Self {
        self.reference = Some(reference.into());
        self
    }

    /// Whom it is about.
    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.subject = subject;
        self
    }
}
