//! (under construction)

pub mod catalogue;
