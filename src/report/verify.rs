//! Who signs with what.

use super::{Capture, Message, Side};
use schemars::JsonSchema;
use serde::Serialize;

/// Everything that `verify` has to say about a capture.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct VerifyReport {
    /// Name and version of this form: `turnscope/1`.
    pub schema: &'static str,
    /// The messages that carry an integrity attribute, in capture order, as `messages` prints them.
    pub messages: Vec<Message>,
    /// The capture.
    pub captures: Vec<Capture>,
    /// The credentials given, and what they verified.
    pub credentials: Vec<Credential>,
}

/// A credential that was given, and what it verified.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Credential {
    /// Its name: the label given, or the line of the file that it stands in.
    pub label: String,
    /// Who is configured with it, where that was said.
    pub side: Option<Side>,
    /// What it is.
    pub kind: CredentialKind,
    /// Messages that verify with it.
    pub verified: u64,
    /// Of these, how many are requests or indications.
    pub requests: u64,
    /// Of these, how many are responses.
    pub responses: u64,
    /// Messages that it applies to by user name, realm or ufrag, and that verify with no credential given.
    pub mismatched: u64,
}

/// What a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// A password: long-term, or short-term where the message has no realm.
    Password,
    /// The secret that time-limited passwords are made from.
    SharedSecret,
    /// An ICE ufrag and password.
    Ice,
    /// A long-term key.
    Key,
}
