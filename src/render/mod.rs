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

/// A file's name without its folders.
fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
