//! What each finding means, for people: the texts behind `explain`, by stable id.
//!
//! Every diagnosis that this program makes or will make has its entry here, so that an id seen in a report, a script or a
//! conversation can be looked up offline.

mod allocation;
mod authentication;
mod dtls;
mod ice;
mod media;
mod stun;
mod tls;

/// What stands behind a finding id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// The stable id, as printed and as in the JSON: `turn-integrity-rejected`.
    pub id: &'static str,
    /// `failure`, `warning` or `note`, with the condition where it depends on one.
    pub severity: &'static str,
    /// One line.
    pub title: &'static str,
    /// What must be in the capture before it is said.
    pub signature: &'static str,
    /// What it means.
    pub cause: &'static str,
    /// What to do; empty where there is nothing to do.
    pub fix: &'static str,
    /// The texts it rests on, with a comma between them: a finding cites the one that fits it. Empty where it is experience rather than a standard.
    pub reference: &'static str,
}

/// All findings, table by table.
pub static CATALOGUE: &[&[RuleInfo]] =
    &[authentication::RULES, allocation::RULES, stun::RULES, ice::RULES, dtls::RULES, tls::RULES, media::RULES];

/// All findings, in the order of the catalogue.
pub fn all() -> impl Iterator<Item = &'static RuleInfo> {
    CATALOGUE.iter().flat_map(|table| table.iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_id_is_there_once_and_is_spelt_in_kebab_case() {
        let mut seen = BTreeSet::new();
        for rule in all() {
            assert!(seen.insert(rule.id), "{} twice", rule.id);
            assert!(rule.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", rule.id);
        }
        assert_eq!(seen.len(), 87);
    }

    #[test]
    fn every_entry_says_what_was_seen_and_what_it_means() {
        for rule in all() {
            assert!(["failure", "warning", "note"].iter().any(|word| rule.severity.starts_with(word)), "{}", rule.id);
            for (field, text) in [("title", rule.title), ("signature", rule.signature), ("cause", rule.cause)] {
                assert!(text.len() > 10, "{} {field}", rule.id);
            }
            assert!(!rule.title.ends_with('.'), "{}", rule.id);
            assert!(rule.severity == "note" || !rule.fix.is_empty(), "{} has no advice", rule.id);
        }
    }
}
