//! What servers lent, to whom and for how long, and what goes through it, past it and to it.

pub(super) mod activity;
pub(super) mod allocation;
pub(super) mod arrivals;
pub(super) mod data_connection;
pub(super) mod earlier;
pub(super) mod lent;
pub(super) mod mobility;
pub(super) mod relay;
pub(super) mod stray;
pub(super) mod unreached;
