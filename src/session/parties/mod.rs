//! Clients and servers: what each client had in the end, how each server fared, who exchanged data with whom, and the connections between them that came to nothing.

pub(super) mod answering;
pub(super) mod attempts;
pub(super) mod client;
pub(super) mod company;
pub(super) mod coverage;
pub(super) mod encrypted;
pub(super) mod outcome;
pub(super) mod proxies;
pub(super) mod served;
pub(super) mod server;
