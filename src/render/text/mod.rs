//! A report as a person reads it: from the top, what explains the most first, on one screen for the main story.

mod captures;
mod conversation;
mod deployment;
mod dtls;
mod explain;
mod findings;
mod grid;
mod ice;
mod joins;
mod logs;
mod media;
mod page;
mod picture;
mod signalling;
mod tables;
#[cfg(test)]
mod tests;
mod tls;
mod tried;
mod verify;

pub use explain::{Unknown, explain};
pub use page::{Detail, Options};
pub use verify::{Protected, verify_summary};

pub(super) use captures::{TIMELESS, clock_moved, opened, set_back};
pub(super) use deployment::by_gravity;
pub(super) use findings::when;
pub(super) use ice::{checks, state as pair_state, types as pair_types};
pub(super) use joins::{mappings, name as point_name, passages, points, summary as join_summary};
pub(super) use logs::summary as log_summary;
pub(super) use media::lost;
pub(super) use page::{count, wrap};
pub(super) use picture::{Station, ways};
pub(super) use signalling::{name as description_name, whether_seen};
pub(super) use tables::{bytes, candidate_type, end, how_it_ended, inside};
pub(super) use tls::{how_tcp_ended, why_of_turn};
pub(super) use tried::{outcome as transport_outcome, state as connection_state};

use crate::report::{Report, Verdict};
use page::{Page, Tint};

/// The report as text, every line within the width of the options, with a newline at the end.
#[must_use]
pub fn report(report: &Report, options: &Options) -> String {
    let mut page = Page::new(options);
    headline(&mut page, report);
    if options.detail != Detail::Quiet {
        conversation::section(&mut page, report);
        picture::section(&mut page, report);
        tables::credentials(&mut page, &report.credentials);
        tables::allocations(&mut page, report);
        tried::data_connections(&mut page, report);
        ice::section(&mut page, report);
        dtls::section(&mut page, report);
        tls::section(&mut page, report);
        media::section(&mut page, report);
        findings::section(&mut page, report);
        joins::section(&mut page, report);
        deployment::section(&mut page, report);
        logs::section(&mut page, report);
        signalling::section(&mut page, report);
        tried::servers(&mut page, report);
        tried::proxies(&mut page, report);
        tables::candidates(&mut page, report);
        captures::section(&mut page, report);
    }
    page.finish()
}

fn headline(page: &mut Page<'_>, report: &Report) {
    let (word, tint) = match report.verdict {
        Verdict::Failure => ("FAILURE", Tint::Failure),
        Verdict::Warning => ("WARNING", Tint::Warning),
        Verdict::Healthy => ("HEALTHY", Tint::Good),
        Verdict::NothingFound => ("NOTHING FOUND", Tint::Note),
    };
    page.lead(word, tint, &report.headline);
}
