//! What the numbers mean: methods, attributes, error codes, with what an operator needs to know of each.
//!
//! Static tables, looked up by number. The explanations are what `turnscope explain` prints.

mod attributes;
mod errors;
mod methods;
mod phrases;

pub use attributes::{ATTRIBUTES, AttributeRow, Format, attribute};
pub use errors::{ERRORS, ErrorRow, error, errors_named};
pub use methods::{METHODS, MethodRow, method};
pub use phrases::{PHRASES, Phrase, phrase};

use std::fmt;

/// Who gave a number its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Era {
    /// RFC 3489.
    Classic,
    /// Drafts of STUN and TURN that never became an RFC in this form, and what was built on them.
    Draft,
    /// RFC 5389 and later: in force.
    Modern,
    /// Microsoft's protocols.
    Microsoft,
    /// Google's and libwebrtc's.
    Google,
    /// Other vendors, experiments, undocumented use.
    Private,
    /// Not a number of the protocol: software makes it up on its own side.
    Local,
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Era::Classic => "RFC 3489",
            Era::Draft => "drafts",
            Era::Modern => "current",
            Era::Microsoft => "Microsoft",
            Era::Google => "Google",
            Era::Private => "private",
            Era::Local => "never on the wire",
        })
    }
}
