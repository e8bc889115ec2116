//! Names and addresses: what was looked up, what hides behind names, what NATs made of it, and who went on from another.

pub(super) mod dns;
pub(super) mod hidden;
pub(super) mod moves;
pub(super) mod nat;
