//! Who signs with what.

pub use crate::session::credentials::CredentialKind;

use super::{Capture, Message, Place, Side};

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
    /// Messages that none of the credentials signed, and this one nearly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub near_misses: Vec<NearMiss>,
}

/// A mishap that a credential suffered on its way to one of the two sides, told by its kind and never by its value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NearMiss {
    /// A stable name: `password-trailing-newline`.
    pub kind: String,
    /// In words, to follow "the messages verify when": `a newline is added to the end of the password`.
    pub when: String,
    /// USERNAME of the messages, or what stands for it.
    pub username: Option<String>,
    /// REALM of the messages.
    pub realm: Option<String>,
    /// How many requests verify so.
    pub requests: u64,
    /// How many responses verify so.
    pub responses: u64,
    /// Where; the first ones.
    pub places: Vec<Place>,
}
