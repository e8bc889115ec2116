//! (under construction)
/// Who may have signed what.
pub mod credentials;
