use super::Choice;
use crate::render::text::Options;
use crate::report::Report;
use crate::report::ladder::Ladder;

/// x
pub fn svg(_: &Ladder, _: &Report, _: Choice, _: &Options) -> String {
    String::new()
}
