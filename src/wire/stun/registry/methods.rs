//! The methods.

use super::super::Method;
/// One method.
#[derive(Clone, Copy, Debug)]
pub struct MethodRow {
    /// Its number.
    pub method: Method,
    /// Its name.
    pub name: &'static str,
}

/// All methods, by number.
pub static METHODS: &[MethodRow] =
    &[MethodRow { method: Method::BINDING, name: "Binding" }, MethodRow { method: Method::ALLOCATE, name: "Allocate" }];

/// The row of a method.
#[must_use]
pub fn method(method: Method) -> Option<&'static MethodRow> {
    METHODS.iter().find(|row| row.method == method)
}
