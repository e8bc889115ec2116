//! Media: streams of RTP that come with gaps, or only one way.

mod at_nat;
mod gone;
mod lossy;
mod one_way;
mod too_large;

use crate::rules::{Judge, Rule};
use crate::time::Span;

/// The same packet passes the places of one capture within this time.
const TOGETHER: Span = Span::from_millis(500);

#[rustfmt::skip] // one rule a line
pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[one_way::ID], judge: Judge::Capture(one_way::judge) },
    Rule { ids: &[lossy::ID], judge: Judge::Capture(lossy::judge) },
    Rule { ids: &[lossy::ID], judge: Judge::Capture(too_large::judge) },
];
