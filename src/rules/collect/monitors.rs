//! Clients that ask at regular intervals and never give credentials: a health check that only wants to know whether the server answers does so, and a
//! client that lacks them and tries again may.

use super::group::MAX_GRIEVANCES;
use super::{Collector, Group, Remedy, key_of};
use crate::rules::evidence::how_long;
use crate::rules::{Confidence, Severity};
use crate::time::{Span, Timestamp};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The finding that a client gives no credentials.
pub(super) const NO_CREDENTIALS: &str = "turn-no-credentials";
/// So many times make a rhythm.
const OFTEN: usize = 5;
/// How far the time between two may be from what it mostly is: a tenth, and a second.
const TENTH: i64 = 10;
const SECOND: Span = Span::from_secs(1);

impl Collector {
    /// What was just [added](Collector::add) was seen at other times as well, each with what would remedy it; it still counts as once.
    pub fn add_earlier(&mut self, id: &str, key: &str, remedies: impl Iterator<Item = Remedy>, confidence: Confidence) {
        if let Some(group) = self.groups.get_mut(&key_of(id, key)) {
            let room = MAX_GRIEVANCES.saturating_sub(group.grievances.len());
            group.grievances.extend(remedies.take(room).map(|remedy| (remedy, confidence)));
        }
    }
}

impl Group {
    /// Whoever asks like a clock may not want any more than an answer.
    pub(super) fn tell_of_monitors(&mut self, open: &[(Remedy, Confidence)]) {
        if self.finding.id != NO_CREDENTIALS || self.finding.severity != Severity::Failure {
            return;
        }
        let mut asked: BTreeMap<IpAddr, Vec<Timestamp>> = BTreeMap::new();
        for from in open.iter().filter_map(|(remedy, _)| remedy.grievance()) {
            asked.entry(from.client).or_default().push(from.at);
        }
        let Some(rhythms) = asked.values_mut().map(|times| rhythm(times)).collect::<Option<Vec<Span>>>() else {
            return;
        };
        let (Some(every), Some((client, times))) = (rhythms.first(), asked.first_key_value()) else { return };
        self.finding.confidence = Confidence::Likely;
        let every = how_long(*every);
        let text = &mut self.finding.text;
        text.title += &format!("; it asks every {every}, as a health check does");
        text.explanation += &format!(
            " {client} asks so every {every}, {} times in the capture, and goes no further. A health check that only wants to see an answer looks just like \
             that, and then nothing is wrong.",
            times.len()
        );
        text.fix = format!(
            "If this is a health check, leave it at that, or give it credentials so that it tries the whole way. Else: {}",
            text.fix
        );
    }
}

/// The time between any two that follow each other, where that is always about the same.
fn rhythm(times: &mut [Timestamp]) -> Option<Span> {
    times.sort_unstable();
    let mut gaps: Vec<i64> = times.iter().zip(times.iter().skip(1)).map(|(one, next)| next.since(*one).0).collect();
    gaps.sort_unstable();
    let middle = *gaps.get(gaps.len() / 2)?;
    let near = |gap: &i64| (gap - middle).abs() <= (middle / TENTH).min(SECOND.0);
    // a client that tries again has given up before, and those that try several times at once do not wait
    (times.len() >= OFTEN && middle >= SECOND.0 && gaps.iter().all(near)).then_some(Span(middle))
}
