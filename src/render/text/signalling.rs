//! What was told beside the packets, a row for each description, and in full where more is wanted.

use super::page::{Page, or_dash};
use crate::report::{Report, Signalled, SignalledAddress, base_name};

/// Rows of the table.
const ROWS: usize = 10;

pub(super) fn section(page: &mut Page<'_>, report: &Report) {
    let told = &report.signalling;
    if told.is_empty() {
        return;
    }
    page.heading("Signalling", "what the two sides told each other, and what of it the packets show");
    let mut order: Vec<&Signalled> = told.iter().collect();
    order.sort_by_key(|told| !told.seen);
    let header = ["description", "ufrag", "in checks", "setup", "media", "candidates", "seen"];
    page.table_of(&header, (&order, ROWS), told.len() as u64 + report.left_out("signalling"), |told| {
        [
            name(told),
            told.ufrag.clone(),
            if told.seen { "yes" } else { "no" }.to_owned(),
            or_dash(told.setup.as_deref()),
            or_dash((!told.media.is_empty()).then(|| told.media.join(" "))),
            told.candidates.len().to_string(),
            told.candidates.iter().filter(|told| told.seen == Some(true)).count().to_string(),
        ]
    });
    if page.limit(0) == 0 {
        return;
    }
    for told in order {
        page.item(2, &format!("{}:", told.ufrag), None, &told.fingerprints.join(", "));
        for candidate in &told.candidates {
            page.item(4, &candidate.kind, None, &whether_seen(candidate));
        }
    }
}

/// The file without its folders, and what the description is.
pub(in crate::render) fn name(told: &Signalled) -> String {
    let file = base_name(&told.origin);
    let side = told.local.map(|local| if local { "local" } else { "remote" });
    let words: Vec<&str> = side.into_iter().chain(told.kind.as_deref()).collect();
    if words.is_empty() { file.to_owned() } else { format!("{file}, {}", words.join(" ")) }
}

pub(in crate::render) fn whether_seen(candidate: &SignalledAddress) -> String {
    let seen = match candidate.seen {
        Some(true) => "seen",
        Some(false) => "not seen",
        None => "cannot be looked for",
    };
    format!("{} {}: {seen}", candidate.address, candidate.transport)
}
