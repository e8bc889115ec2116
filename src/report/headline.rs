//! The one sentence for a capture in which nothing is wrong: what worked.

use super::outcome::Outcome;
use super::proxy::refusal;
use super::silence::silence;
use super::{Counts, DtlsState, Report, Tls};
use crate::net::{ClientAddress, RelayedAddress, ServerAddress};
use crate::rules::{ONE_SIDED, TRUNCATED};
use crate::session::{Allocation, Conversation, Flow};
use crate::time::{Span, Timestamp};
use crate::wire::stun::Method;

/// What went both ways through a relay, the least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Relayed {
    #[default]
    Nothing,
    Checks,
    Data,
}

impl Relayed {
    fn of(conversation: &Conversation) -> Relayed {
        match (conversation.relayed_both_ways(), conversation.relayed_data_both_ways()) {
            (None, _) => Relayed::Nothing,
            (Some(_), false) => Relayed::Checks,
            (Some(_), true) => Relayed::Data,
        }
    }
}

/// What worked, counted while the capture is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Allocations that were granted.
    allocated: u64,
    /// Those of them that were there for a while, and through which no peer was asked for.
    untried: u64,
    /// The first of them: its client, its server, the relayed address, the time from the first request to the grant if the clock tells it.
    first: Option<(ClientAddress, ServerAddress, RelayedAddress, Option<Span>)>,
    /// What went both ways through a relay.
    relayed: Relayed,
    /// Conversations in which a server answered Binding requests.
    bindings: u64,
    /// The capture cut such requests short, so that they may be checks between peers.
    is_cut: bool,
    /// Flows with connectivity checks, and those where they were answered.
    checked: [u64; 2],
    /// Conversations about allocations from before the capture in which requests were granted.
    kept: u64,
    /// Flows with data both ways.
    data: u64,
    /// The user who is asked for, if only one is, and whether anything of that user was seen.
    sought: Option<String>,
    met: bool,
    /// Whether only some times or hosts are looked at.
    narrow: bool,
}

/// Whether an allocation was there for long enough to be used, and was not.
fn is_untried(allocation: &Allocation, conversation: &Conversation) -> bool {
    const LONG: Span = Span::from_secs(10);
    let until = allocation.ended.map_or(conversation.last.time, |(_, seen)| seen.time);
    let unused = allocation.permissions.is_empty() && allocation.channels.is_empty();
    unused && allocation.sent.packets + allocation.received.packets == 0 && until.since(allocation.created.time) >= LONG
}

impl Facts {
    /// Nothing yet; `user` is who is asked for alone, if anybody, and `narrow` whether only some times or hosts are.
    pub(super) fn about(user: Option<String>, narrow: bool) -> Facts {
        Facts { sought: user, narrow, ..Facts::default() }
    }

    /// The user who is asked for, if only one is.
    pub(super) fn sought(&self) -> Option<&str> {
        self.sought.as_deref()
    }

    /// Something of the user was seen who is asked for.
    pub(super) fn met(&mut self) {
        self.met = true;
    }

    pub(super) fn flow(&mut self, flow: &Flow) {
        let checks = |of: fn(&crate::session::Checks) -> u32| flow.directions.iter().any(|d| of(&d.checks) > 0);
        self.checked[0] += u64::from(checks(|checks| checks.sent));
        self.checked[1] += u64::from(checks(|checks| checks.answered));
        self.data += u64::from(flow.data_both_ways().is_some());
    }

    pub(super) fn conversation(&mut self, conversation: &Conversation) {
        self.allocated += conversation.allocated;
        self.untried += conversation.allocations().filter(|known| is_untried(known, conversation)).count() as u64;
        let binding = conversation.granted_after(Method::BINDING, Timestamp(i64::MIN));
        self.bindings += u64::from(binding && !conversation.is_between_peers());
        self.is_cut |= conversation.of(Method::BINDING).any(|exchange| exchange.asked.truncated);
        self.relayed = self.relayed.max(Relayed::of(conversation));
        let granted = |method| conversation.granted_after(method, Timestamp(i64::MIN));
        let kept = [Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND].into_iter().any(granted);
        self.kept += u64::from(kept && conversation.allocated == 0);
        if self.first.is_none()
            && let Some(allocation) = conversation.allocations().find(|known| known.expires > known.created.time)
        {
            let took = allocation.created.time.passed_since(conversation.first.time);
            let relayed = allocation.relayed.iter().flatten().next();
            self.first = relayed.map(|relayed| (conversation.client, conversation.server, *relayed, took));
        }
    }

    pub(super) fn add(&mut self, other: Facts) {
        self.sought = self.sought.take().or(other.sought);
        self.met |= other.met;
        self.narrow |= other.narrow;
        self.allocated += other.allocated;
        self.untried += other.untried;
        self.first = self.first.take().or(other.first);
        self.relayed = self.relayed.max(other.relayed);
        self.bindings += other.bindings;
        self.is_cut |= other.is_cut;
        self.kept += other.kept;
        self.data += other.data;
        for (sum, more) in self.checked.iter_mut().zip(other.checked) {
            *sum += more;
        }
    }

    /// Whether a capture holds nothing that this program, or who asks it, is about.
    pub(super) fn is_empty(&self, counts: &Counts) -> bool {
        self.unmet().is_some() || is_silent(counts)
    }

    /// The user who is asked for, where nothing of that user was seen.
    fn unmet(&self) -> Option<&str> {
        self.sought().filter(|_| !self.met)
    }

    /// The sentence; `found` are the ids of what was found.
    pub(super) fn sentence(&self, report: &Report, found: &[&str]) -> String {
        if is_silent(&report.counts) {
            return silence(report, self.narrow);
        }
        if let Some(user) = self.unmet() {
            return format!("No message of user \"{user}\" in {}.", frames(report));
        }
        let mut worked = Vec::new();
        if let Some((client, server, relayed, took)) = &self.first {
            let others = if self.allocated > 1 { format!(" (and {} more)", self.allocated - 1) } else { String::new() };
            let client = client.0.ip();
            let took = took.map(|took| format!(" within {took}")).unwrap_or_default();
            let idle = self.untried >= self.allocated && self.checked[0] == 0 && self.data == 0 && !self.narrow;
            let untried = if idle { ", and no peer was tried through it" } else { "" };
            worked.push(format!("{server} gave {client} the relayed address {relayed}{others}{took}{untried}"));
        }
        let [pairs, answered] = self.checked_on(report);
        let relay = self.first.as_ref().map(|(_, server, ..)| server.0).filter(|_| self.relayed == Relayed::Data);
        let outcome = Outcome::of(report, relay);
        match self.relayed {
            Relayed::Data => worked.push("data went both ways through the relay".to_owned()),
            // where ICE selected a pair, checks on others need no word
            Relayed::Checks if !outcome.selected || outcome.relays => {
                let in_vain = if in_vain(report) { ", none of them answered" } else { "" };
                worked.push(format!("connectivity checks went both ways through the relay{in_vain}"));
            }
            Relayed::Checks | Relayed::Nothing => {}
        }
        // that a server answers is no success where then no check is answered
        if worked.is_empty() && self.bindings > 0 && !outcome.selected && (pairs == 0 || answered > 0) {
            let words =
                if self.is_cut { "Binding requests were answered" } else { "servers answered Binding requests" };
            worked.push(words.to_owned());
        }
        if answered > 0 && !outcome.selected {
            worked.push(match pairs {
                1 => "connectivity checks were answered on the only pair".to_owned(),
                _ => format!("connectivity checks were answered on {answered} of {pairs} pairs"),
            });
        }
        worked.extend(outcome.words);
        if self.first.is_none() {
            worked.extend(sealed(report));
        }
        if self.data > 0 && !outcome.data {
            let flows = if self.data == 1 { "one flow".to_owned() } else { format!("{} flows", self.data) };
            worked.push(format!("DTLS or media went both ways on {flows}"));
        }
        if worked.is_empty() && self.kept > 0 {
            worked.push("servers granted requests on allocations that were there before the capture".to_owned());
        }
        if worked.is_empty() {
            let lacking = self.lacking(report, found).map(|lacking| format!(": {lacking}")).unwrap_or_default();
            return format!("Nothing wrong is to be seen here, and nothing that shows success either{lacking}.");
        }
        format!("Nothing wrong: {}.", worked.join("; "))
    }

    /// Flows with connectivity checks, and those where they were answered: none where an answer got as far as a relay at most, and nobody who had
    /// asked got one.
    fn checked_on(&self, report: &Report) -> [u64; 2] {
        let [pairs, answered] = self.checked;
        [pairs, if in_vain(report) { 0 } else { answered }]
    }

    /// Why neither failure nor success is to be seen, where the capture tells.
    fn lacking(&self, report: &Report, found: &[&str]) -> Option<String> {
        if let Some(refused) = refusal(&report.proxies) {
            return Some(refused);
        }
        if found.contains(&TRUNCATED) {
            return Some("its messages are cut short (capture whole packets, tcpdump -s 0)".to_owned());
        }
        if found.contains(&ONE_SIDED) {
            return Some("it holds one direction only of what passed".to_owned());
        }
        if report.captures.iter().any(|capture| capture.timeless) {
            return Some("its frames have no times of their own, without which silence tells nothing".to_owned());
        }
        let mut tried = report.servers.iter().flat_map(|server| &server.transports).peekable();
        let passes = |known: &Tls| known.client_data_records + known.server_data_records > 0 && untold(known);
        if self.checked[0] == 0 && report.tls.iter().any(passes) {
            return Some("what passed between client and server is encrypted, which takes the keys to read".to_owned());
        }
        if self.checked[0] == 0 && !report.servers.is_empty() && tried.clone().all(|over| over.asked == 0) {
            return Some("no request to a server is in it".to_owned());
        }
        match self.checked {
            [0, _] if tried.peek().is_some() && tried.all(|over| over.answered == 0) => {
                Some("no request to a server is answered in it".to_owned())
            }
            [0, _] => None,
            [1, _] => Some("no connectivity check on its one pair is answered in it".to_owned()),
            [pairs, _] => Some(format!("no connectivity check on its {pairs} pairs is answered in it")),
        }
    }
}

/// Whether there are pairs of ICE, and no check on any of them was answered.
fn in_vain(report: &Report) -> bool {
    let mut known = report.ice.iter().flat_map(|session| &session.pairs).peekable();
    known.peek().is_some() && known.all(|pair| pair.checks_answered == 0)
}

/// The TLS connection of TURN that was completed, where nobody can read what it carries, or there is nothing to read.
fn sealed(report: &Report) -> Option<String> {
    let complete = || report.tls.iter().filter(|known| known.state == DtlsState::Complete && untold(known));
    let known = complete().find(|known| known.client_data_records > 0).or_else(|| complete().next())?;
    let more = complete().count().saturating_sub(1);
    let others = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    let version = known.version.as_deref().unwrap_or("TLS");
    let data = if known.client_data_records > 0 && known.server_data_records > 0 {
        ", and data went both ways in it, which takes the keys to read"
    } else {
        ""
    };
    Some(format!("{} agreed on {version} with {}{others}{data}", known.client.0.ip(), known.server))
}

/// Whether nobody can read what a connection carries, or there is nothing to read.
fn untold(known: &Tls) -> bool {
    known.opened_records == 0 || known.client_data_records == 0
}

/// Whether there is no message of any kind that this program reads.
pub(super) fn is_silent(counts: &Counts) -> bool {
    counts.stun.is_empty() && counts.channel_data == 0 && counts.dtls.is_empty() && counts.tls.is_empty()
}

pub(super) fn frames(report: &Report) -> String {
    match report.captures.iter().map(|capture| capture.frames).sum() {
        1 => "1 frame".to_owned(),
        frames => format!("{frames} frames"),
    }
}
