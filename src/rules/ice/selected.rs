//! `ice-pair-switched`, `ice-restart`, `ice-relay-used`: what a session came to.

use super::{address, ends, named, occurrence};
use crate::net::ServerAddress;
use crate::rules::evidence::ip_filter;
use crate::rules::{Collector, Remedy, Severity, Text, View};
use crate::session::ice::IceSession;
use crate::time::Span;

pub(super) const SWITCHED: &str = "ice-pair-switched";
pub(super) const RESTART: &str = "ice-restart";
pub(in crate::rules) const RELAYED: &str = "ice-relay-used";

pub(super) fn judge(ice: &IceSession, view: &View<'_>, out: &mut Collector) {
    if ice.is_mixed {
        return;
    }
    switched(ice, out);
    restarted(ice, view, out);
    relayed(ice, out);
}

fn switched(ice: &IceSession, out: &mut Collector) {
    let agent = ice.local();
    for (before, after) in ice.selections().iter().zip(ice.selections().iter().skip(1)) {
        let pair = |index: u16| ice.pairs.get(usize::from(index));
        let (Some(old), Some(new)) = (pair(before.pair), pair(after.pair)) else { continue };
        let numbers = vec![before.at.frame, after.at.frame];
        let mut seen = occurrence(ice, agent, (SWITCHED, "RFC 8445 §8"), Severity::Note, after.at.time, numbers);
        (seen.key, seen.remedy) = (String::new(), Remedy::None);
        // checks, DTLS and media of both
        let [first, second] = [old, new].map(|pair| ip_filter(pair.path().ends.low, pair.path().ends.high));
        seen.filter = Some(if first == second { first } else { format!("({first}) || ({second})") });
        out.add(seen, || {
            let last = old.last_check().max(old.last_data());
            let silent = last.filter(|&last| last <= after.at.time).map(|last| after.at.time.since(last));
            let silent =
                silent.map(|span| format!(", {span} after the last packet on the old one")).unwrap_or_default();
            let shown = if after.by_data { "DTLS or media moved over" } else { "the nomination went" };
            Text {
                title: format!("The selected pair changed from {} to {}", ends(old, agent), ends(new, agent)),
                explanation: format!(
                    "{} was selected in frame {}; {} later {shown} to {} (frame {}){silent}.",
                    ends(old, agent),
                    before.at.frame,
                    after.at.time.since(before.at.time),
                    ends(new, agent),
                    after.at.frame
                ),
                fix: String::new(),
            }
        });
    }
}

fn restarted(ice: &IceSession, view: &View<'_>, out: &mut Collector) {
    if ice.restart_of.is_none() {
        return;
    }
    let agent = ice.local();
    let mut seen =
        occurrence(ice, agent, (RESTART, "RFC 8445 §9"), Severity::Note, ice.first.time, vec![ice.first.frame]);
    (seen.key, seen.remedy) = (String::new(), Remedy::None);
    out.add(seen, || {
        let outcome = match ice.selection() {
            Some(chosen) => format!(" A pair was selected {} later.", chosen.at.time.since(ice.first.time)),
            None if ice.is_answered() => " Checks were answered, and no pair was selected.".to_owned(),
            None => " None of its checks was answered.".to_owned(),
        };
        Text {
            title: format!("ICE was restarted between {} and {}", address(ice, agent), address(ice, 1 - agent)),
            explanation: format!(
                "From frame {} on, {} and {} check with new user fragments what was checked with others before.{outcome}",
                ice.first.frame,
                named(ice, agent, view),
                named(ice, 1 - agent, view)
            ),
            fix: String::new(),
        }
    });
}

fn relayed(ice: &IceSession, out: &mut Collector) {
    let (Some(pair), Some(chosen)) = (ice.selected(), ice.selection()) else { return };
    let Some(relay) = pair.passes_relay() else { return };
    let agent = pair.relays().unwrap_or_else(|| ice.local());
    let about = (RELAYED, "RFC 8445 §8");
    let mut seen = occurrence(ice, agent, about, Severity::Note, chosen.at.time, vec![chosen.at.frame]);
    seen.key = relay.to_string();
    seen.remedy = Remedy::None;
    seen.subject.server = Some(ServerAddress(relay));
    out.add(seen, || {
        let median = |agent: usize| Some(pair.way(agent).answered.as_ref()?.rtt.summary()?[1]);
        let rtt = median(0).max(median(1)).map(|micros| Span::from_micros(micros.into()));
        let rtt = rtt.map(|rtt| format!(" Checks through it take {rtt} (median).")).unwrap_or_default();
        let (own, peer) = (pair.carried(agent), pair.carried(1 - agent));
        let data = if own.packets + peer.packets > 0 {
            format!(
                " DTLS and media on it: {} bytes from {}, {} bytes to it.",
                own.bytes,
                address(ice, agent),
                peer.bytes
            )
        } else {
            String::new()
        };
        Text {
            title: match pair.is_end_known(1 - agent) {
                true => format!("{} talks to {} through the relay {relay}", address(ice, agent), pair.end(1 - agent)),
                false => format!("{} talks to a peer through the relay {relay}", address(ice, agent)),
            },
            explanation: format!(
                "The selected pair is {}, selected in frame {}.{}{rtt}{data}",
                ends(pair, agent),
                chosen.at.frame,
                match pair.is_end_known(1 - agent) {
                    true => "",
                    false => " Its channel was bound before the capture, which does not hold the address of the peer.",
                }
            ),
            fix: String::new(),
        }
    });
}
