//! What several captures share, lost and changed on the way.

use super::super::super::text::{join_summary, mappings, passages, point_name, points};
use super::super::Links;
use super::{Cell, Table, frames, long, mono, number, span, table, text};
use crate::report::{Confidence, Report};

/// Two captures each.
pub(super) fn summary(report: &Report) -> Table {
    let rows = report.joins.iter().map(|join| {
        let class = if join.matched == 0 && join.captures.len() > 1 { "long odd" } else { "long" };
        vec![
            ("what the captures share", long(join_summary(report, join)).classed(class)),
            ("packets", number(join.matched)),
        ]
    });
    let omitted = report.joins.iter().map(|join| join.omitted).sum();
    table("points", "Vantage points", rows, omitted)
}

/// What left one point and did not come to the next.
pub(super) fn lost(report: &Report, links: &Links) -> Table {
    let rows = report.joins.iter().flat_map(|join| &join.lost).map(|lost| {
        let likely = if lost.confidence == Confidence::Likely { "or left out there" } else { "" };
        vec![
            ("what", text(lost.what)),
            ("from", mono(lost.src)),
            ("to", mono(lost.dst)),
            ("seen in", text(point_name(report, lost.from))),
            ("not in", text(point_name(report, lost.to))),
            ("lost", number(lost.count).classed("number bad")),
            ("of", number(lost.of)),
            ("sure", text(likely)),
            ("frames", frames(&lost.places, lost.count, links)),
        ]
    });
    table("lost", "Lost between captures", rows, 0)
}

/// Addresses that were translated on the way.
pub(super) fn nat(report: &Report, links: &Links) -> Table {
    let rows = mappings(report).into_iter().map(|(join, nat)| {
        vec![
            ("inside", mono(nat.inside)),
            ("outside", mono(nat.outside)),
            ("between", long(points(report, join))),
            ("packets", number(nat.packets)),
            ("frames", frames(&nat.evidence, 0, links)),
        ]
    });
    table("translated", "Translated between captures", rows, 0)
}

/// What relays passed on, and how long it took them.
pub(super) fn relays(report: &Report) -> Table {
    let rows = passages(report).map(|relay| {
        let (from, to) = if relay.outward { (relay.client, relay.peer) } else { (relay.peer, relay.client) };
        let lost = relay.lost.map_or_else(Cell::default, number);
        vec![
            ("from", mono(from)),
            ("to", mono(to)),
            ("relayed", mono(relay.relayed)),
            ("passed", number(relay.passed)),
            ("lost", lost.classed(if relay.lost.is_some_and(|lost| lost > 0) { "number bad" } else { "number" })),
            ("least delay", span(Some(relay.delay_min_us))),
            ("mean delay", span(Some(relay.delay_mean_us))),
            ("longest", span(Some(relay.delay_max_us))),
        ]
    });
    table("relays", "What relays passed on", rows, 0)
}

/// Messages that had other bytes at the other point.
pub(super) fn rewritten(report: &Report, links: &Links) -> Table {
    let rows = report.joins.iter().flat_map(|join| join.rewritten.iter().map(move |change| (join, change)));
    let rows = rows.map(|(join, change)| {
        vec![
            ("what", text(&change.what).classed("bad")),
            ("before", long(change.before.as_deref().unwrap_or_default())),
            ("after", long(change.after.as_deref().unwrap_or_default())),
            ("messages", number(change.count)),
            ("between", long(points(report, join))),
            ("frames", frames(&change.places, 0, links)),
        ]
    });
    table("rewritten", "Rewritten on the way", rows, 0)
}
