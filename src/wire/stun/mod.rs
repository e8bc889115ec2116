//! STUN and TURN messages: RFC 3489, 5389, 8489, 8656, and their drafts and dialects.
//!
//! [`Message::recognise`] finds a message by what it is, on any port. A view never refuses one for being improper:
//! [`Message::problems`] says what is wrong. Numbers stay numbers ([`Method`], [`AttributeCode`]) so that unknown ones are kept;
//! [`registry`] has their names and explanations.

mod address;
mod attribute;
mod check;
mod fields;
mod fingerprint;
mod header;
pub mod integrity;
mod message;
pub mod nonce;
pub mod registry;
mod value;

pub use attribute::{Attribute, AttributeCode, Attributes};
pub use check::{LONGEST_TEXT, is_structural};
pub use fields::{AddressError, ErrorCode, Fields};
pub use fingerprint::Fingerprint;
pub use header::{COOKIE, Class, Dialect, Method, TransactionId};
pub use message::{HEADER, Message, Peers, TRANSMISSIONS};
pub use value::{Hex, PasswordAlgorithm, Text, Value, is_unsafe, password_algorithms, unknown_attributes};
