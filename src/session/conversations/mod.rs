//! What clients and servers said to each other: exchanges, the nonces in them, and what is remembered of those who say it again and again.

pub(super) mod conversation;
pub(super) mod exchange;
pub(super) mod nonce;
pub(super) mod remembered;
pub(super) mod rooms;
