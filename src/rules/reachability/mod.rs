//! The way to the server: whether what is asked gets there, whether the answer comes back, and what carries both.

mod answer_lost;
mod connection_closed;
mod fallback;
mod hung;
mod no_response;
pub(super) mod stopped;
mod unreachable;
mod unreachable_tcp;

pub(super) use connection_closed::ID as CONNECTION_CLOSED;
pub(super) use unreachable::CLOSED;

use crate::rules::{Judge, Rule};
use crate::time::Span;

/// Servers that are asked within this time are asked together: what one of them gave just before counts.
const AT_ONCE: Span = Span::from_secs(2);

#[rustfmt::skip] // one rule a line
pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[no_response::ID], judge: Judge::Exchanges(no_response::judge) },
    Rule { ids: &[no_response::ID], judge: Judge::Conversation(stopped::judge) },
    Rule { ids: &[answer_lost::LOST], judge: Judge::Exchanges(answer_lost::judge_lost) },
    Rule { ids: &[answer_lost::ELSEWHERE], judge: Judge::Exchanges(answer_lost::judge_elsewhere) },
    Rule { ids: &[unreachable::ID], judge: Judge::Exchanges(unreachable::judge) },
    Rule { ids: &[unreachable::ID], judge: Judge::Conversation(unreachable::judge_gone) },
    Rule { ids: &[unreachable::ID], judge: Judge::Capture(unreachable_tcp::judge) },
    Rule { ids: &[fallback::ID], judge: Judge::Capture(fallback::judge) },
    Rule { ids: &[connection_closed::ID], judge: Judge::Conversation(connection_closed::judge) },
];
