//! What was stated of the deployment and what of it the packets show: what is wrong first.

use super::conversation::places;
use super::page::{Page, Tint, count};
use crate::report::{Report, Stated, StatedSeen};

/// Statements that are told.
const ROWS: usize = 30;
/// Frames of each.
const FRAMES: usize = 4;

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    let stated = &report.deployment;
    if stated.is_empty() {
        return;
    }
    let number = |seen: StatedSeen| stated.iter().filter(|known| known.seen == seen).count();
    let rest = format!(
        "{} stated: {} right, {} wrong, {} not seen",
        count(stated.len() as u64, "thing", "things"),
        number(StatedSeen::Right),
        number(StatedSeen::Wrong),
        number(StatedSeen::NotSeen)
    );
    page.heading("Deployment", &rest);
    let order = by_gravity(report);
    let known = order.iter().filter(|known| known.seen != StatedSeen::NotSeen).count();
    let whole = page.limit(0) > 0;
    let shown = if whole { order.len() } else { known.min(ROWS) };
    let several = order.iter().any(|known| Some(&known.file) != order.first().map(|first| &first.file));
    for known in order.iter().take(shown) {
        let (word, tint) = match known.seen {
            StatedSeen::Right => ("right   ", Tint::Good),
            StatedSeen::Wrong => ("wrong   ", Tint::Failure),
            StatedSeen::NotSeen => ("not seen", Tint::Dim),
        };
        let file = if several { format!("{} ", known.file) } else { String::new() };
        let mut text = format!("{file}line {}: {}", known.line, known.expected);
        if let Some(instead) = &known.instead {
            text += &format!(" – seen: {instead}");
        }
        if !known.places.is_empty() {
            let limit = page.limit(FRAMES);
            let word = if known.places_total > 1 { "frames" } else { "frame" };
            text += &format!(" ({word} {})", places(report, &known.places, known.places_total, limit));
        }
        page.item(2, word, Some(tint), &text);
    }
    if !whole && !several {
        unseen(page, stated);
    }
    let told = if whole { stated.len() } else { known };
    page.more(2, shown, told as u64 + report.left_out("deployment"));
}

/// The statements, those that are wrong first, then those that are right.
pub(in crate::render) fn by_gravity(report: &Report) -> Vec<&Stated> {
    let mut order: Vec<&Stated> = report.deployment.iter().collect();
    order.sort_by_key(|known| match known.seen {
        StatedSeen::Wrong => 0,
        StatedSeen::Right => 1,
        StatedSeen::NotSeen => 2,
    });
    order
}

/// The lines of which nothing is seen, in short.
fn unseen(page: &mut Page<'_>, stated: &[Stated]) {
    let mut lines: Vec<u64> =
        stated.iter().filter(|known| known.seen == StatedSeen::NotSeen).map(|known| known.line).collect();
    lines.dedup();
    if lines.is_empty() {
        return;
    }
    let word = if lines.len() > 1 { "lines" } else { "line" };
    let list = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    page.item(2, "not seen", Some(Tint::Dim), &format!("of {word} {list} (--verbose tells what)"));
}
