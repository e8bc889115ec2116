//! Several captures' parts put together: the verdict, the headline, the sums.

use super::build::Part;
use super::convert::places as places_of;
use super::headline;
use super::places;
use super::{Address, Capture, Counts, Credential, Finding, Report, SCHEMA, Subject, Time, Verdict};
use crate::logs::{self, Event};
use crate::rules::{Concluded, Severity};
use crate::time::{Span, Timestamp};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// The same with logs beside them.
#[must_use]
pub fn assemble_beside(mut parts: Vec<Part>, logs: &[logs::LogFile], offset: Option<Span>) -> Report {
    let events: Vec<Event> = parts.iter_mut().flat_map(|part| std::mem::take(&mut part.events)).collect();
    let mut report = assemble(parts);
    super::logs::quote(&mut report, logs, offset, &events);
    report
}

/// Puts the parts of several captures together.
#[must_use]
pub fn assemble(parts: Vec<Part>) -> Report {
    let mut whole = Report { schema: SCHEMA, ..Report::default() };
    let mut facts = headline::Facts::default();
    let mut findings: Vec<(u32, Concluded)> = Vec::new();
    let mut captures: Vec<(u32, Capture)> = Vec::new();
    let mut labelled = HashMap::new();
    for part in parts {
        let Part { report, findings: found, facts: seen, capture, captures: files, .. } = part;
        captures.extend(files);
        add_counts(&mut whole.counts, report.counts);
        whole.servers.extend(report.servers);
        whole.proxies.extend(report.proxies);
        whole.transactions.total += report.transactions.total;
        whole.transactions.omitted += report.transactions.omitted;
        whole.transactions.items.extend(report.transactions.items);
        whole.authentications.extend(report.authentications);
        whole.allocations.extend(report.allocations);
        whole.candidates.extend(report.candidates);
        whole.nat.extend(report.nat);
        whole.dtls.extend(report.dtls);
        whole.tls.extend(report.tls);
        whole.ice.extend(report.ice);
        whole.media.add(report.media);
        whole.joins.extend(report.joins);
        add_credentials(&mut whole.credentials, &mut labelled, report.credentials);
        super::signalling::add(&mut whole.signalling, report.signalling);
        super::deployment::add(&mut whole.deployment, report.deployment);
        for (list, count) in report.omitted {
            *whole.omitted.entry(list).or_default() += count;
        }
        facts.add(seen);
        findings.extend(found.into_iter().map(|finding| (capture, finding)));
    }
    captures.sort_by_key(|(index, _)| *index);
    whole.captures = captures.into_iter().map(|(_, capture)| capture).collect();
    let labels = places::labels(&whole.captures);
    for (_, Concluded { text, .. }) in &mut findings {
        for text in [&mut text.title, &mut text.explanation, &mut text.fix] {
            places::tell(text, &labels);
        }
    }
    findings.sort_by_key(|(_, finding)| {
        let (own, many) = (finding.effective_severity(), Reverse(finding.affected.weight()));
        // a cause stands before what it explains, however much graver that is
        let weight = if finding.explains { Severity::Failure } else { own };
        (weight, finding.caused_by.is_some(), own, finding.severity, !finding.explains, many, finding.at)
    });
    let worst = findings.iter().map(|(_, finding)| finding.effective_severity()).min();
    whole.verdict = match worst {
        Some(Severity::Failure) => Verdict::Failure,
        Some(Severity::Warning) => Verdict::Warning,
        _ if facts.is_empty(&whole.counts) => Verdict::NothingFound,
        _ => Verdict::Healthy,
    };
    let leading = findings
        .iter()
        .map(|(_, finding)| finding)
        .find(|finding| finding.caused_by.is_none() && finding.effective_severity() != Severity::Note);
    whole.headline = match leading {
        Some(finding) => format!("{}{}.", finding.text.title, finding.affected.others()),
        None => {
            let found: Vec<&str> = findings.iter().map(|(_, finding)| finding.id).collect();
            facts.sentence(&whole, &found)
        }
    };
    whole.headline_finding = leading.map(|finding| finding.id.to_owned());
    whole.findings = findings.into_iter().map(|(capture, finding)| finding_of(finding, capture, &whole)).collect();
    whole
}

fn finding_of(finding: Concluded, capture: u32, whole: &Report) -> Finding {
    let first =
        whole.captures.get(capture as usize).filter(|capture| !capture.timeless).and_then(|capture| capture.first_time);
    let time = |at: Timestamp| first.map(|first| Time::new(at, first.digits));
    let Concluded {
        id,
        key,
        severity,
        confidence,
        text,
        occurrences,
        at,
        until,
        frames,
        frames_total,
        filter,
        reference,
        subject,
        affected,
        ..
    } = finding;
    Finding {
        id: id.to_owned(),
        key,
        severity,
        confidence,
        title: text.title,
        explanation: text.explanation,
        fix: text.fix,
        occurrences,
        first_time: time(at),
        last_time: time(until),
        caused_by: finding.caused_by,
        places: places_of(capture, &frames),
        places_total: frames_total,
        logs: Vec::new(),
        logs_total: 0,
        filter,
        reference: (!reference.is_empty()).then(|| reference.to_owned()),
        subject: Subject {
            client: subject.client.map(Address::from),
            server: subject.server.map(Address::from),
            username: subject.username,
            realm: subject.realm,
            peer: subject.peer.map(Address::from),
            relayed: subject.relayed.map(Address::from),
            mapped: subject.mapped.map(Address::from),
        },
        affected,
    }
}

fn add_counts(whole: &mut Counts, part: Counts) {
    let add = |into: &mut BTreeMap<String, u64>, from: BTreeMap<String, u64>| {
        for (what, count) in from {
            *into.entry(what).or_default() += count;
        }
    };
    add(&mut whole.stun, part.stun);
    add(&mut whole.dtls, part.dtls);
    add(&mut whole.tls, part.tls);
    whole.other_tls += part.other_tls;
    add(&mut whole.error_codes, part.error_codes);
    add(&mut whole.skipped, part.skipped);
    whole.channel_data += part.channel_data;
    whole.udp += part.udp;
    whole.tcp += part.tcp;
    whole.rtp += part.rtp;
    whole.rtcp += part.rtcp;
}

/// Those of the same label are one; `labelled` is where each label stands.
fn add_credentials(whole: &mut Vec<Credential>, labelled: &mut HashMap<String, usize>, part: Vec<Credential>) {
    for credential in part {
        let place = labelled.get(&credential.label).copied().and_then(|place| whole.get_mut(place));
        let Some(known) = place else {
            labelled.insert(credential.label.clone(), whole.len());
            whole.push(credential);
            continue;
        };
        known.verified += credential.verified;
        known.requests += credential.requests;
        known.responses += credential.responses;
        known.mismatched += credential.mismatched;
        known.near_misses.extend(credential.near_misses);
    }
}
