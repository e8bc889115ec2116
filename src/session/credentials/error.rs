//! What can be wrong with a file of credentials. File and line, never its content.

use thiserror::Error;

/// Why a file of credentials was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)] // `origin` is the file, `line` counts from 1
pub enum CredentialError {
    /// The file is not TOML. What stands there is not shown: it may be a secret.
    #[error("{origin}, line {line}, column {column}: not valid TOML (text must stand in double quotes)")]
    Syntax { origin: String, line: usize, column: usize },
    /// The file is not XML.
    #[error("{origin}, line {line}: not well-formed XML")]
    Xml { origin: String, line: usize },
    /// A key that no credential has.
    #[error("{origin}, line {line}: unknown key {key}; expected {expected}")]
    UnknownKey { origin: String, line: usize, key: String, expected: &'static str },
    /// A value that is not text.
    #[error("{origin}, line {line}: {key} must be text in double quotes")]
    NotText { origin: String, line: usize, key: &'static str },
    /// `credential` is there, but not as tables.
    #[error("{origin}, line {line}: credentials are written as [[credential]] tables")]
    NotTables { origin: String, line: usize },
    /// A credential without secret.
    #[error(
        "{origin}, line {line}: the credential{label} has no secret; give one of password, shared_secret, ice_pwd, key"
    )]
    NoSecret { origin: String, line: usize, label: String },
    /// A credential with more than one secret.
    #[error("{origin}, line {line}: the credential{label} has both {first} and {second}; write one table for each")]
    SeveralSecrets { origin: String, line: usize, label: String, first: &'static str, second: &'static str },
    /// `ice_ufrag` without `ice_pwd`, or the other way round.
    #[error("{origin}, line {line}: the credential{label} needs ice_ufrag and ice_pwd together")]
    HalfIce { origin: String, line: usize, label: String },
    /// Empty where something must be.
    #[error("{origin}, line {line}: {key} is empty")]
    Empty { origin: String, line: usize, key: &'static str },
    /// A side that is none.
    #[error("{origin}, line {line}: side must be \"client\" or \"server\"")]
    Side { origin: String, line: usize },
    /// A key that is not hex of the right length.
    #[error("{origin}, line {line}: the key must be 32 hex digits (MD5) or 64 (SHA-256)")]
    Key { origin: String, line: usize },
    /// A `user=` of `turnserver.conf` that is not `name:password`.
    #[error("{origin}, line {line}: user must be name:password or name:0xkey")]
    User { origin: String, line: usize },
    /// Nothing to test with in the file.
    #[error("{origin}: no credential in it; expected {expected}")]
    Nothing { origin: String, expected: &'static str },
    /// A list of passwords beyond what can be numbered.
    #[error("{origin}: too large for a list of passwords")]
    TooLarge { origin: String },
}
