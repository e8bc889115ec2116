//! ICE sessions: who checked what, what was answered, what was selected and when.

use super::page::{Page, count, or_dash};
use super::tables::candidate_type;
use crate::render::clock::Clock;
use crate::report::{
    Address, CandidateType, IceAgent, IceChecks, IceConsent, IceNomination, IcePair, IceRole, IceSelectedBy,
    IceSession, IceState, Report, Time,
};
use crate::rules::Severity;
use crate::time::Span;
use std::net::IpAddr;

/// Sessions that are shown.
const SESSIONS: usize = 4;
/// Pairs of a session.
const PAIRS: usize = 8;

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    // what ran while a restart was under way is told only to those who want everything
    let told = report.ice.iter().filter(|session| !session.mixed || page.limit(0) > 0);
    let mut sessions: Vec<&IceSession> = told.collect();
    let shown = page.limit(SESSIONS).min(sessions.len());
    if shown < sessions.len() {
        sessions.sort_by_cached_key(|session| !is_struck(session, report)); // stable: otherwise by time
    }
    for session in sessions.iter().take(shown) {
        one(page, session);
    }
    let omitted = report.left_out("ice");
    let total = sessions.len() as u64 + omitted;
    if total > shown as u64 {
        page.remark(0, &format!("{} more", count(total - shown as u64, "ICE session", "ICE sessions")));
    }
}

/// Whether what is graver than a note is told of the agents of a session.
fn is_struck(session: &IceSession, report: &Report) -> bool {
    let host = |at: IpAddr| session.agents.iter().filter_map(|agent| agent.host).any(|known| known.0.ip() == at);
    report.findings.iter().filter(|found| found.severity != Severity::Note).any(|found| {
        let subject = &found.subject;
        let ends = subject.client.zip(subject.peer.or(subject.server));
        let [one, other] = ends.map_or([false; 2], |(one, other)| [host(one.0.ip()), host(other.0.ip())]);
        // who alone is affected may be the one that serves all
        one && other || found.affected.clients_total > 1 && found.affected.clients.iter().any(|&client| host(client))
    })
}

fn one(page: &mut Page<'_>, session: &IceSession) {
    let agents: Vec<String> = session.agents.iter().map(agent).collect();
    page.heading("ICE", &agents.join(" and "));
    let clock = page.options.clock.clone();
    page.item(2, "", None, &outcome(session));
    let steps = steps(session, &clock);
    if !steps.is_empty() {
        page.item(2, "", None, &steps);
    }
    if let Some(consent) = &session.consent {
        page.item(2, "", None, &consent_of(consent, session.first_check_at));
    }
    let header = ["local", "remote", "types", "→ answered", "← answered", "rtt", "state"];
    page.table_of(&header, (&session.pairs, PAIRS), session.pairs.len() as u64, |pair| {
        [
            pair.local.to_string(),
            if pair.remote_hidden { "?".to_owned() } else { pair.remote.to_string() },
            types(pair),
            checks(&pair.from_local),
            checks(&pair.from_remote),
            or_dash(pair.rtt_us.map(|rtt| Span::from_micros(rtt.median.into()))),
            state(pair),
        ]
    });
    if session.checks_omitted > 0 {
        page.remark(2, &format!("{} on further pairs", count(session.checks_omitted, "check", "checks")));
    }
}

/// `8Y6H at 192.0.2.1 (controlling)`.
fn agent(agent: &IceAgent) -> String {
    let name = agent.ufrag.as_deref().unwrap_or("an agent");
    let at = agent.host.map(|address| format!(" at {}", address.0.ip())).unwrap_or_default();
    let mut notes = Vec::new();
    match agent.role {
        Some(IceRole::Controlling) => notes.push("controlling"),
        Some(IceRole::Controlled) => notes.push("controlled"),
        None => {}
    }
    match agent.lite {
        Some(true) => notes.push("lite"),
        None if agent.answers_sent > 0 => notes.push("only answers"),
        _ => {}
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    format!("{name}{at}{notes}")
}

fn outcome(session: &IceSession) -> String {
    let mut text = match (&session.selected_pair, session.selected_at) {
        (Some(pair), Some(_)) => {
            let chosen = session.pairs.iter().find(|pair| pair.selected);
            let via = chosen.and_then(|pair| pair.via);
            let via = via.map(|server| format!(" through the relay of {server}")).unwrap_or_default();
            let by = session.selections.last().map(|selection| match selection.by {
                IceSelectedBy::Data => "",
                IceSelectedBy::Nomination => ", by its nomination",
            });
            let base = |base: Option<Address>| base.map(|base| format!(" (sent from {base})")).unwrap_or_default();
            let local = format!("{}{}", pair.local, base(chosen.and_then(|pair| pair.local_base)));
            let (remote, hidden) = match chosen.is_some_and(|pair| pair.remote_hidden) {
                true => ("?".to_owned(), ", whose peer the capture does not name"),
                false => (format!("{}{}", pair.remote, base(chosen.and_then(|pair| pair.remote_base))), ""),
            };
            format!("selected {local} – {remote}{via}{hidden}{}", by.unwrap_or_default())
        }
        _ if session.pairs.iter().any(|pair| pair.state == IceState::Succeeded) => "no pair was selected".to_owned(),
        _ => "no check was answered".to_owned(),
    };
    if let [.., before, _] = session.selections.as_slice() {
        text.push_str(&format!("; before that {} – {}", before.local, before.remote));
    }
    match session.restarts {
        0 => {}
        1 => text.push_str("; a restart"),
        number => text.push_str(&format!("; restart number {number}")),
    }
    if let [one, other] = session.restart_of.as_slice() {
        text.push_str(&format!(" of {one} and {other}"));
    }
    if session.roles.conflicts > 0 {
        let resolved = if session.roles.resolved == Some(true) { "resolved" } else { "not resolved" };
        let conflicts = count(session.roles.conflicts, "role conflict", "role conflicts");
        text.push_str(&format!("; {conflicts}, {resolved}"));
    }
    text
}

/// The time of the first check, and those of what followed from there on.
fn steps(session: &IceSession, clock: &Clock) -> String {
    let style = match session.roles.nomination {
        Some(IceNomination::Regular) => " (regular)",
        Some(IceNomination::Aggressive) => " (aggressive)",
        None => "",
    };
    let selected = session.selected_at.zip(session.first_check_at);
    let selected = selected.map(|(at, start)| at.at.since(start.at).micros());
    let mut steps = [
        session.first_answer_us.map(|us| (us, format!("first answer after {}", Span::from_micros(us)))),
        session.nominated_us.map(|us| (us, format!("nominated after {}{style}", Span::from_micros(us)))),
        // a pair is mostly selected by what nominates it
        selected
            .filter(|us| session.nominated_us != Some(*us))
            .map(|us| (us, format!("selected after {}", Span::from_micros(us)))),
        session.first_data_us.map(|us| (us, format!("first DTLS or media after {}", Span::from_micros(us)))),
    ];
    steps.sort_by_key(|step| step.as_ref().map(|(us, _)| *us)); // stable: what came at once stays in this order
    let start = session.first_check_at.map(|at| format!("first check at {}", clock.show(at)));
    let steps = steps.into_iter().flatten().map(|(_, step)| step);
    start.into_iter().chain(steps).collect::<Vec<_>>().join(", ")
}

fn consent_of(consent: &IceConsent, start: Option<Time>) -> String {
    let gap = match consent.longest_gap_us {
        0 => String::new(), // one check has no gap
        gap => format!(", longest gap {}", Span::from_micros(gap)),
    };
    let lost =
        consent.lost_at.zip(start).map(|(at, start)| format!("; lost {} after the first check", at.at.since(start.at)));
    let lost = lost.unwrap_or_default();
    let from = consent.from.as_deref().map(|from| format!(" of {from}")).unwrap_or_default();
    let (answered, sent) = (consent.answered, consent.sent);
    format!("consent: {answered} of {} on this pair answered{gap}{lost}", checks_of(sent, &from))
}

fn checks_of(number: u64, from: &str) -> String {
    if number == 1 { format!("1 check{from}") } else { format!("{number} checks{from}") }
}

/// `3 of 4`: answered, of those sent; with copies, how many were sent in all: `0 of 1 (×6)`.
pub(in crate::render) fn checks(checks: &IceChecks) -> String {
    if checks.sent == 0 {
        return "–".to_owned();
    }
    let again = checks.sent + checks.retransmitted;
    let again = if checks.retransmitted > 0 { format!(" (×{again})") } else { String::new() };
    format!("{} of {}{again}", checks.answered, checks.sent)
}

/// `selected`, `succeeded`, `failed: 401`.
pub(in crate::render) fn state(pair: &IcePair) -> String {
    let error = pair.from_local.error.or(pair.from_remote.error);
    let mut state = match pair.state {
        _ if pair.selected => "selected".to_owned(),
        IceState::Succeeded if pair.nominated => "nominated".to_owned(),
        IceState::Succeeded => "succeeded".to_owned(),
        IceState::InProgress => "in progress".to_owned(),
        IceState::Failed => match (&pair.icmp, error) {
            (Some(icmp), _) => format!("failed: {icmp}"),
            (None, Some(code)) => format!("failed: {code}"),
            (None, None) => "failed".to_owned(),
        },
    };
    if let Some(from) = pair.answered_from {
        state.push_str(&format!(", answered from {from}"));
    }
    state
}

/// `host–relay`, `host–prflx, TCP`: which end opened the connection stands with the candidates.
pub(in crate::render) fn types(pair: &IcePair) -> String {
    let kinds = format!("{}–{}", kind(pair.local_type), kind(pair.remote_type));
    if pair.transport.is_stream() { format!("{kinds}, TCP") } else { kinds }
}

fn kind(kind: Option<CandidateType>) -> &'static str {
    kind.map_or("?", candidate_type)
}
