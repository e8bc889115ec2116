//! What several captures share, lost and changed on the way.

use super::page::{Page, Tint, count, or_dash};
use crate::report::{Capture, Confidence, Join, JoinNat, Relayed, Report};
use crate::time::Span;
use std::collections::HashSet;

/// Rows of a table.
const ROWS: usize = 8;

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    if report.joins.is_empty() {
        return;
    }
    page.heading("Vantage points", "what the captures share");
    for join in &report.joins {
        let text = summary(report, join);
        let tint = (join.matched == 0 && join.captures.len() > 1).then_some(Tint::Warning);
        page.item(2, "", tint, &text);
    }
    lost(page, report);
    translated(page, report);
    relays(page, report);
    rewritten(page, report);
}

pub(in crate::render) fn name(report: &Report, capture: u32) -> String {
    let name = report.captures.get(capture as usize).map_or("", Capture::name);
    let alike = report.captures.iter().filter(|other| other.name() == name).count();
    if alike == 1 { name.to_owned() } else { format!("capture {capture}") }
}

pub(in crate::render) fn summary(report: &Report, join: &Join) -> String {
    let names: Vec<String> = join.captures.iter().map(|&capture| name(report, capture)).collect();
    let [one, other] = names.as_slice() else {
        return format!("{} shows both sides of a relay", names.concat());
    };
    if join.matched == 0 {
        return format!("{one} and {other} share nothing");
    }
    let lost: u64 = join.lost.iter().map(|lost| lost.count).sum();
    let mut text = format!("{one} and {other} share {}", count(join.matched, "packet", "packets"));
    if lost > 0 {
        text += &format!("; {} lost between them", count(lost, "was", "were"));
    }
    if !join.rewritten.is_empty() {
        text += "; messages were rewritten on the way";
    }
    text
}

/// `client.pcap and server.pcap`.
pub(in crate::render) fn points(report: &Report, join: &Join) -> String {
    let names: Vec<String> = join.captures.iter().map(|&capture| name(report, capture)).collect();
    names.join(" and ")
}

/// The mappings of NATs; the same one shows between several pairs of points, and is told once.
pub(in crate::render) fn mappings(report: &Report) -> Vec<(&Join, &JoinNat)> {
    let mut known = HashSet::new();
    let all = report.joins.iter().flat_map(|join| join.nat.iter().map(move |nat| (join, nat)));
    all.filter(|(_, nat)| known.insert((nat.inside, nat.outside))).collect()
}

/// What relays passed on. What one capture shows of both sides is the relay's own doing; else the way to it is part of it.
pub(in crate::render) fn passages(report: &Report) -> impl Iterator<Item = &Relayed> {
    let own = report.joins.iter().any(|join| join.captures.len() == 1);
    let joins = report.joins.iter().filter(move |join| !own || join.captures.len() == 1);
    joins.flat_map(|join| &join.relays)
}

fn lost(page: &mut Page<'_>, report: &Report) {
    let all: Vec<_> = report.joins.iter().flat_map(|join| &join.lost).collect();
    let shown = page.limit(ROWS).min(all.len());
    for lost in all.iter().take(shown) {
        let (from, to) = (name(report, lost.from), name(report, lost.to));
        let likely = if lost.confidence == Confidence::Likely { ", or that leaves them out" } else { "" };
        let what =
            if lost.what.starts_with("STUN") { format!("{}s", lost.what) } else { format!("packets of {}", lost.what) };
        let text = format!(
            "{} of {} {what} from {} to {}: seen in {from}, not in {to}{likely}",
            lost.count, lost.of, lost.src, lost.dst
        );
        page.item(2, "Lost:", Some(Tint::Warning), &text);
    }
    page.more(2, shown, all.len() as u64);
}

fn translated(page: &mut Page<'_>, report: &Report) {
    let all = mappings(report);
    if all.is_empty() {
        return;
    }
    let header = ["inside", "outside", "between", "packets"];
    page.table_of(&header, (&all, ROWS), all.len() as u64, |(join, nat)| {
        [nat.inside.to_string(), nat.outside.to_string(), points(report, join), nat.packets.to_string()]
    });
}

fn relays(page: &mut Page<'_>, report: &Report) {
    let all: Vec<_> = passages(report).collect();
    if all.is_empty() {
        return;
    }
    let span = |micros: i64| Span::from_micros(micros).to_string();
    let header = ["relayed from", "to", "passed", "lost", "mean delay", "longest"];
    page.table_of(&header, (&all, ROWS), all.len() as u64, |relay| {
        let (client, peer) = (relay.client.to_string(), relay.peer.to_string());
        let (from, to) = if relay.outward { (client, peer) } else { (peer, client) };
        let [mean, longest] = [relay.delay_mean_us, relay.delay_max_us].map(span);
        [from, to, relay.passed.to_string(), or_dash(relay.lost), mean, longest]
    });
}

fn rewritten(page: &mut Page<'_>, report: &Report) {
    let all: Vec<_> = report.joins.iter().flat_map(|join| &join.rewritten).collect();
    let shown = page.limit(ROWS).min(all.len());
    for change in all.iter().take(shown) {
        let mut text = format!("{} in {}", change.what, count(change.count, "message", "messages"));
        if let (Some(before), Some(after)) = (&change.before, &change.after) {
            text += &format!(": {before} became {after}");
        }
        if let [first, second, ..] = change.places.as_slice() {
            let [one, other] =
                [first, second].map(|place| format!("frame {} of {}", place.frame, name(report, place.capture)));
            text += &format!(" ({one}, {other})");
        }
        page.item(2, "Rewritten:", Some(Tint::Warning), &text);
    }
    page.more(2, shown, all.len() as u64);
}
