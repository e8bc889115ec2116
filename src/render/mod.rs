//! Reports and messages made readable: text, JSON, JSON Lines, CSV, annotated captures. Nothing here judges.
//!
//! What a capture says is never trusted with a terminal: [`escape`] tames it before it is printed.

pub mod annotate;
pub mod batch;
pub mod clock;
pub mod escape;
pub mod html;
pub mod json;
pub mod ladder;
pub mod messages;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod text;
pub mod verify;

use crate::report::Place;

/// A frame, with the number of its capture where there are several: `3`, `1:3`.
fn frame_name(place: Place, several: bool) -> String {
    if several { format!("{}:{}", place.capture, place.frame) } else { place.frame.to_string() }
}

/// The id of a finding in its key, which goes on with whom it is about: that is for programs.
fn id_of(key: &str) -> &str {
    key.split('/').next().unwrap_or(key)
}
