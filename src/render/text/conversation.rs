//! Who said what to whom until there was an allocation, or none.

use super::page::{Page, Tint, count};
use crate::render::clock::since;
use crate::render::frame_name;
use crate::report::{Authentication, AuthenticationOutcome, Report, Side, Step, Subject};

/// How many conversations are told step by step.
const TOLD: usize = 1;
/// How many are listed after these in one line each.
const LISTED: usize = 4;
/// How many steps of one are told.
const STEPS: usize = 8;

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    let mut order: Vec<&Authentication> = report.authentications.iter().collect();
    let subject = headline_subject(report);
    // That of the headline first, then what went wrong; the sort is stable: otherwise by time.
    order.sort_by_key(|conversation| {
        let told = subject.is_some_and(|subject| is_about(conversation, subject));
        (!told, conversation.outcome == AuthenticationOutcome::Accepted)
    });
    let omitted = report.left_out("authentications");
    let titles = ("Conversation", "conversations");
    page.told(titles, &order, (TOLD, LISTED), omitted, summary, |page, conversation| steps(page, report, conversation));
}

/// Whom the finding behind the headline is about.
fn headline_subject(report: &Report) -> Option<&Subject> {
    let id = report.headline_finding.as_ref()?;
    report.findings.iter().find(|finding| finding.id == *id).map(|finding| &finding.subject)
}

fn is_about(conversation: &Authentication, subject: &Subject) -> bool {
    let client = subject.client.is_some_and(|client| client == conversation.client);
    client && subject.server.is_none_or(|server| server == conversation.server)
}

fn summary(conversation: &Authentication) -> String {
    let mut text = format!("{} → {}", conversation.client, conversation.server);
    if let Some(behind) = conversation.proxied_for {
        text += &format!(", for {behind}");
    }
    if let Some(username) = &conversation.username {
        text += &format!(", user {username}");
    }
    if let Some(realm) = &conversation.realm {
        text += &format!(", realm {realm}");
    }
    text += match conversation.outcome {
        AuthenticationOutcome::Accepted => ": accepted",
        AuthenticationOutcome::Rejected => ": rejected",
        AuthenticationOutcome::Redirected => ": sent on to another server",
        AuthenticationOutcome::Challenged => ": challenged, and the client did not come back",
        AuthenticationOutcome::Unanswered => ": no answer",
        AuthenticationOutcome::Open => ": still open where the capture ends",
    };
    text
}

fn steps(page: &mut Page<'_>, report: &Report, conversation: &Authentication) {
    let start = conversation.steps.iter().find_map(|step| step.time);
    let width = conversation.steps.iter().map(|step| digits(step.place.frame)).max().unwrap_or(1);
    let several = report.captures.len() > 1;
    // In the order of the capture: requests that overlap are told as they were sent.
    let mut steps: Vec<&Step> = conversation.steps.iter().collect();
    steps.sort_by_key(|step| (several.then_some(step.time), step.place));
    // a clock that was set back does not tell how long after the first message that was
    let set_back = report.captures.iter().any(|capture| capture.clock_set_back.is_some());
    let mut latest = start;
    let mut rest = steps.as_slice();
    let mut lines = page.limit(STEPS);
    while let Some((step, after)) = rest.split_first().filter(|_| lines > 0) {
        let (round, again) = repeats(rest);
        let told = if again == 0 { std::slice::from_ref(step) } else { rest.get(..round).unwrap_or_default() };
        for step in told {
            let mut label = if several { format!("{}:", step.place.capture) } else { String::new() };
            label += &format!("frame {:>width$}", step.place.frame);
            if let (Some(start), Some(time)) = (start, step.time) {
                let told = if set_back && Some(time) < latest { "–".to_owned() } else { since(start, time) };
                label += &format!("  {told:>9} s");
            }
            latest = latest.max(step.time);
            label += match step.from {
                Side::Client => "  client → server ",
                Side::Server => "  server → client ",
            };
            page.item(2, &label, None, &step.what);
            lines = lines.saturating_sub(1);
        }
        let (folded, unfolded) = rest.split_at_checked(round * again.saturating_add(1)).unwrap_or_default();
        if let (Some(first), Some(last), true) = (folded.get(round), folded.last(), again > 0) {
            let times = if again == 1 { "once more".to_owned() } else { format!("{again} times more") };
            let text = format!("the same {times}, frames {} to {}", first.place.frame, last.place.frame);
            page.item(2, "  …", Some(Tint::Note), &text);
            rest = unfolded;
        } else {
            rest = after;
        }
    }
    let shown = conversation.steps.len() - rest.len();
    page.more(2, shown, conversation.steps_total.max(conversation.steps.len() as u64));
    signed(page, conversation);
}

/// The length of the round that steps begin with, of one to four exchanges, and how often it follows again in the same words.
fn repeats(steps: &[&Step]) -> (usize, usize) {
    let alike = |one: &[&Step], other: &[&Step]| {
        one.iter().zip(other).all(|(one, other)| one.from == other.from && one.what == other.what)
    };
    (2..=8)
        .step_by(2)
        .map(|round| {
            let mut rounds = steps.chunks_exact(round);
            let first = rounds.next().unwrap_or_default();
            (round, rounds.take_while(|other| alike(first, other)).count())
        })
        .max_by_key(|&(round, again)| (round * again, std::cmp::Reverse(round)))
        .unwrap_or((2, 0))
}

fn signed(page: &mut Page<'_>, conversation: &Authentication) {
    let text = match (&conversation.request_credential, &conversation.response_credential) {
        (None, None) => return,
        (Some(request), Some(response)) if request == response => format!("both sides sign with \"{request}\""),
        (Some(request), Some(response)) => {
            format!("the client signs with \"{request}\", the server with \"{response}\"")
        }
        (Some(request), None) => format!("the client signs with \"{request}\""),
        (None, Some(response)) => format!("the server signs with \"{response}\""),
    };
    page.item(2, "Keys:", Some(Tint::Note), &text);
}

pub(super) fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// `frames 3, 4 and 12 more`: where something is seen.
pub(super) fn places(report: &Report, places: &[crate::report::Place], total: u64, limit: usize) -> String {
    let several = report.captures.len() > 1;
    let shown: Vec<String> = places.iter().take(limit).map(|place| frame_name(*place, several)).collect();
    let rest = total.max(places.len() as u64).saturating_sub(shown.len() as u64);
    let text = shown.join(", ");
    if rest > 0 { format!("{text} and {}", count(rest, "more", "more")) } else { text }
}
