//! How a session keeps things: texts, short lists, hashes, and what is found by them, in order.

pub(super) mod few;
pub(super) mod index;
pub(super) mod keyed;
pub(super) mod names;
pub(super) mod queue;
