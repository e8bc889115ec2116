//! Requests and responses: which belong together, what was captured twice or out of order, and who signed them.

pub(super) mod copies;
pub(super) mod early;
pub(super) mod leg;
pub(super) mod near;
pub(super) mod requests;
pub(super) mod responses;
pub(super) mod signatures;
pub(super) mod transaction;
