//! Servers that answer nobody for a while: what one client meets then is not about that client.

use crate::net::ServerAddress;
use crate::rules::View;
use crate::session::{Conversation, Exchange, Meanwhile};

/// While a client asked it in vain, a server with several clients answered nobody.
#[derive(Clone, Copy)]
pub(super) struct Nobody {
    before: bool,
    after: bool,
}

impl Nobody {
    /// Whether it is so of what a client asked for in vain.
    pub(super) fn of(conversation: &Conversation, asked: &[&Exchange], view: &View<'_>) -> Option<Nobody> {
        match meanwhile(conversation, asked, view)? {
            Meanwhile::Nobody { before, after } if before || after => Some(Nobody { before, after }),
            _ => None,
        }
    }

    /// A sentence on it.
    pub(super) fn told(self, server: ServerAddress) -> String {
        let when = match (self.before, self.after) {
            (true, true) => "before and afterwards",
            (true, false) => "before",
            _ => "afterwards",
        };
        format!("In that time the capture holds no answer of {server} to anybody; {when} it answered others.")
    }
}

/// What the server did for anybody from the first to the last of what a client asked for in vain.
pub(super) fn meanwhile(conversation: &Conversation, asked: &[&Exchange], view: &View<'_>) -> Option<Meanwhile> {
    let first = asked.iter().map(|exchange| exchange.first.time).min()?;
    let last = asked.iter().map(|exchange| exchange.last.time).max()?;
    view.session.servers().meanwhile(conversation.server, conversation.transport, [first, last])
}
