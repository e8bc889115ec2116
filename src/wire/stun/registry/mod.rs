//! What the numbers mean: methods, attributes, error codes, with what an operator needs to know of each.

mod methods;

pub use methods::{METHODS, MethodRow, method};

use super::AttributeCode;
/// (under construction)
#[derive(Clone, Copy, Debug)]
pub struct AttributeRow {
    /// Name.
    pub name: &'static str,
}
/// (under construction)
#[must_use]
pub fn attribute(_code: AttributeCode) -> Option<&'static AttributeRow> {
    None
}
