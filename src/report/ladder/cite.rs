//! What the findings of a report have to do with a session.

use super::limits::CITATIONS;
use super::{Citation, Mark, Participant, Role, Session};
use crate::report::{Confidence, Finding, Place, Report, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Marks what failures and warnings rest on.
pub(super) fn cite(session: &mut Session, report: &Report) {
    let mut by_place: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
    for (index, step) in session.steps.iter().enumerate() {
        for &frame in &step.frames {
            by_place.entry(session.place(frame)).or_default().push(index);
        }
    }
    let mut findings: Vec<&Finding> =
        report.findings.iter().filter(|finding| finding.severity != Severity::Note).collect();
    findings.sort_by_key(|finding| (!is_headline(finding, report), effective(finding)));
    for finding in findings {
        let steps: BTreeSet<usize> =
            finding.places.iter().filter_map(|place| by_place.get(place)).flatten().copied().collect();
        if session.citations.len() >= CITATIONS || (steps.is_empty() && !is_about(finding, session)) {
            continue;
        }
        let number = session.citations.len();
        // a finding of many clients is told by the words of the first
        let first = finding.places.first();
        let is_first = first.is_none_or(|place| by_place.contains_key(place));
        let own = is_first || is_subject(finding, session);
        for index in steps {
            if let Some(step) = session.steps.get_mut(index) {
                step.cited.push(number);
                let silent = step.mark == Mark::Note && step.remark.starts_with("no answer");
                if silent && effective(finding) == Severity::Failure {
                    step.mark = Mark::Lost;
                }
            }
        }
        session.citations.push(Citation {
            id: finding.id.clone(),
            severity: effective(finding),
            title: if own { finding.title.clone() } else { format!("as elsewhere: {}", finding.title) },
            is_headline: own && is_headline(finding, report),
        });
    }
}

/// A failure that is only likely counts as a warning, as in the verdict.
fn effective(finding: &Finding) -> Severity {
    match (finding.severity, finding.confidence) {
        (Severity::Failure, Confidence::Likely) => Severity::Warning,
        (severity, _) => severity,
    }
}

/// The headline is a finding's title, whose id the report tells.
fn is_headline(finding: &Finding, report: &Report) -> bool {
    report.headline_finding.as_ref().is_some_and(|id| *id == finding.id) && report.headline.contains(&finding.title)
}

/// Whether the client and the user name that a finding names are the session's.
fn is_subject(finding: &Finding, session: &Session) -> bool {
    let subject = &finding.subject;
    subject.client.is_some_and(|client| has_client(session, client.0.ip()))
        && subject.username.as_ref().is_none_or(|name| session.users.contains(name))
}

/// Whether a client of the session has this address, or is seen under it.
fn has_client(session: &Session, ip: IpAddr) -> bool {
    let own = |known: &Participant| matches!(known, Participant::Client(own) | Participant::Nat(own) if *own == ip);
    session.participants.iter().any(own)
}

/// Whether a finding whose frames are not drawn is about the session's client, and about one of its servers if about any.
fn is_about(finding: &Finding, session: &Session) -> bool {
    let subject = &finding.subject;
    let client = subject.client.is_some_and(|client| has_client(session, client.0.ip()));
    let server = subject.server.is_none_or(|server| {
        session.participants.iter().any(|known| known.role() == Role::Server && known.address() == server.to_string())
    });
    // what is listed in frames of another session is that one's
    client && server && !finding.places.iter().any(|place| session.is_in(*place))
}
