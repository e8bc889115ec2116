//! The sum of `verify`: who signs with what.

use super::page::{Options, Page, count};
use super::{captures, tables};
use crate::report::{Capture, Credential};

/// How many messages are protected, and how many of these a credential made, or none that applies to them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Protected {
    /// All of them.
    pub messages: u64,
    /// Those that a credential made.
    pub verified: u64,
    /// Those to which credentials apply, none of which made them.
    pub mismatched: u64,
}

/// What comes after the protected messages. `given` says whether there was anything to test them with: a list of passwords of which none
/// fitted is no row of `credentials`.
#[must_use]
pub fn verify_summary(
    captures: &[Capture],
    credentials: &[Credential],
    protected: Protected,
    given: bool,
    options: &Options,
) -> String {
    let mut page = Page::new(options);
    let Protected { messages, verified, mismatched } = protected;
    let found = match messages {
        0 => "No message is protected by an integrity attribute.".to_owned(),
        _ if given => format!(
            "{}: {verified} verified, {mismatched} mismatched, {} untested",
            count(messages, "protected message", "protected messages"),
            messages.saturating_sub(verified).saturating_sub(mismatched)
        ),
        _ => count(messages, "protected message", "protected messages"),
    };
    if messages > 0 {
        page.item(0, "", None, "");
    }
    page.item(0, "", None, &found);
    tables::credentials(&mut page, credentials);
    if !given && messages > 0 {
        page.remark(0, "No credentials were given; --credentials FILE names what each side may have signed with.");
    }
    captures::list(&mut page, captures);
    page.finish()
}
