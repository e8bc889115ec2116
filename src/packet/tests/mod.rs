//! Tests of the whole stage, on handmade frames.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod build;
mod differential;
mod fragments;
mod icmp;
mod lengths;
mod links;
mod neighbours;
mod properties;
mod tunnels;
