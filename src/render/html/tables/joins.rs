//! What several captures share, lost and changed on the way.

use super::super::super::text::{join_summary, point_name};
use super::super::Links;
use super::{Cell, Table, frames, long, mono, number, span, table, text};
use crate::report::{Confidence, Join, Report};
use std::collections::HashSet;

/// Two captures each.
pub(super) fn summary(report: &Report) -> Table {
    let rows = report.joins.iter().map(|join| {
        let class = if join.matched == 0 && join.captures.len() > 1 { "long odd" } else { "long" };
        vec![long(join_summary(report, join)).classed(class), number(join.matched)]
    });
    let omitted = report.joins.iter().map(|join| join.omitted).sum();
    table("points", "Vantage points", &["what the captures share", "packets"], rows, omitted)
}

/// What left one point and did not come to the next.
pub(super) fn lost(report: &Report, links: &Links) -> Table {
    let rows = report.joins.iter().flat_map(|join| &join.lost).map(|lost| {
        let likely = if lost.confidence == Confidence::Likely { "or left out there" } else { "" };
        vec![
            text(lost.what),
            mono(lost.src),
            mono(lost.dst),
            text(point_name(report, lost.from)),
            text(point_name(report, lost.to)),
            number(lost.count).classed("number bad"),
            number(lost.of),
            text(likely),
            frames(&lost.places, lost.count, links),
        ]
    });
    let columns = &["what", "from", "to", "seen in", "not in", "lost", "of", "sure", "frames"];
    table("lost", "Lost between captures", columns, rows, 0)
}

/// Addresses that were translated on the way; the same mapping shows between several pairs of points, and is told once.
pub(super) fn nat(report: &Report, links: &Links) -> Table {
    let mut known = HashSet::new();
    let mut all: Vec<_> = report.joins.iter().flat_map(|join| join.nat.iter().map(move |nat| (join, nat))).collect();
    all.retain(|(_, nat)| known.insert((nat.inside, nat.outside)));
    let rows = all.into_iter().map(|(join, nat)| {
        vec![
            mono(nat.inside),
            mono(nat.outside),
            long(between(report, join)),
            number(nat.packets),
            frames(&nat.evidence, 0, links),
        ]
    });
    let columns = &["inside", "outside", "between", "packets", "frames"];
    table("translated", "Translated between captures", columns, rows, 0)
}

fn between(report: &Report, join: &Join) -> String {
    let names: Vec<String> = join.captures.iter().map(|&capture| point_name(report, capture)).collect();
    names.join(" and ")
}

/// What relays passed on, and how long it took them.
pub(super) fn relays(report: &Report) -> Table {
    // what one capture shows of both sides is the relay's own doing; else the way to it is part of it
    let own = report.joins.iter().any(|join| join.captures.len() == 1);
    let joins = report.joins.iter().filter(move |join| !own || join.captures.len() == 1);
    let rows = joins.flat_map(|join| &join.relays).map(|relay| {
        let (from, to) = if relay.outward { (relay.client, relay.peer) } else { (relay.peer, relay.client) };
        let lost = relay.lost.map_or_else(Cell::default, number);
        vec![
            mono(from),
            mono(to),
            mono(relay.relayed),
            number(relay.passed),
            lost.classed(if relay.lost.is_some_and(|lost| lost > 0) { "number bad" } else { "number" }),
            span(Some(relay.delay_min_us)),
            span(Some(relay.delay_mean_us)),
            span(Some(relay.delay_max_us)),
        ]
    });
    let columns = &["from", "to", "relayed", "passed", "lost", "least delay", "mean delay", "longest"];
    table("relays", "What relays passed on", columns, rows, 0)
}

/// Messages that had other bytes at the other point.
pub(super) fn rewritten(report: &Report, links: &Links) -> Table {
    let rows = report.joins.iter().flat_map(|join| join.rewritten.iter().map(move |change| (join, change)));
    let rows = rows.map(|(join, change)| {
        vec![
            text(&change.what).classed("bad"),
            long(change.before.as_deref().unwrap_or_default()),
            long(change.after.as_deref().unwrap_or_default()),
            number(change.count),
            long(between(report, join)),
            frames(&change.places, 0, links),
        ]
    });
    let columns = &["what", "before", "after", "messages", "between", "frames"];
    table("rewritten", "Rewritten on the way", columns, rows, 0)
}
