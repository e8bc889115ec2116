//! What was lent, and what goes through it: data that the relay does not pass on, or that comes to nothing beyond it.

mod address;
pub(super) mod after_expiry;
mod channel_mismatch;
mod channel_padding;
mod leaked;
mod permission_at_relay;
mod permission_missing;
mod silent;

use crate::rules::{Judge, Rule};

#[rustfmt::skip] // one rule a line
pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[channel_padding::ID], judge: Judge::Capture(channel_padding::judge) },
    Rule { ids: &[address::PRIVATE, address::UNUSABLE], judge: Judge::Conversation(address::judge) },
    Rule { ids: &[silent::ID], judge: Judge::Conversation(silent::judge) },
    Rule { ids: &[permission_missing::ID], judge: Judge::Conversation(permission_missing::judge) },
    Rule { ids: &[permission_missing::ID], judge: Judge::Capture(permission_at_relay::judge) },
    Rule { ids: &[channel_mismatch::ID], judge: Judge::Conversation(channel_mismatch::judge) },
    Rule { ids: &[after_expiry::ID], judge: Judge::Conversation(after_expiry::judge) },
    Rule { ids: &[leaked::ID], judge: Judge::Conversation(leaked::judge) },
];
