//! The sum of `verify`: who signs with what.

use super::page::{Options, Page, count};
use super::{captures, tables};
use crate::report::{Capture, Credential};

/// What comes after the protected messages. `given` says whether there was anything to test them with: a list of passwords of which none
/// fitted is no row of `credentials`.
#[must_use]
pub fn verify_summary(
    captures: &[Capture],
    credentials: &[Credential],
    messages: u64,
    given: bool,
    options: &Options,
) -> String {
    let mut page = Page::new(options);
    let found = match messages {
        0 => "No message is protected by an integrity attribute.".to_owned(),
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
