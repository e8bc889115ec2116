//! What can be wrong with a file that is given beside the captures.

use thiserror::Error;

/// Why a file of credentials, of a deployment or of session descriptions was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{origin}{}{}: {what}", at("line", .line), at("column", .column))]
pub struct FileError {
    /// The file.
    pub origin: String,
    /// The line, from 1, if one is to blame.
    pub line: Option<usize>,
    /// The column, from 1, if it is known.
    pub column: Option<usize>,
    /// What is wrong. Nothing of the file but names of keys and labels: what else stands there may be a secret.
    pub what: String,
}

impl FileError {
    pub(in crate::session) fn new(origin: &str, line: impl Into<Option<usize>>, what: impl Into<String>) -> Self {
        FileError { origin: origin.to_owned(), line: line.into(), column: None, what: what.into() }
    }

    /// There is nothing to test with in a file.
    pub(super) fn nothing(origin: &str, expected: &str) -> Self {
        FileError::new(origin, None, format!("no credential in it; expected {expected}"))
    }
}

fn at(what: &str, number: &Option<usize>) -> String {
    number.map(|number| format!(", {what} {number}")).unwrap_or_default()
}
