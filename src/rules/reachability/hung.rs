//! Servers that answer nobody for a while: what one client meets then is not about that client.

use crate::net::ServerAddress;
use crate::rules::View;
use crate::session::{Conversation, Exchange, Meanwhile, Silence};

/// What the server did for anybody from the first to the last of what a client asked for in vain. Where the clock was set back, times tell nothing.
pub(super) fn meanwhile(conversation: &Conversation, asked: &[&Exchange], view: &View<'_>) -> Option<Meanwhile> {
    let first = asked.iter().map(|exchange| exchange.first.time).min()?;
    let last = asked.iter().map(|exchange| exchange.last.time).max()?;
    let is_ordered = !view.session.clients().coverage().is_out_of_order(first);
    is_ordered.then(|| view.session.servers().meanwhile(conversation, [first, last])).flatten()
}

/// A sentence on a server that answered nobody.
pub(super) fn told(silence: Silence, server: ServerAddress) -> String {
    let when = match (silence.before, silence.after) {
        (true, true) => "before and afterwards",
        (true, false) => "before",
        _ => "afterwards",
    };
    format!(
        "In that time the capture holds nothing that {server} sent to anybody, though others asked it, too; {when} it was heard."
    )
}

/// What to do about it, without a full stop.
pub(super) fn fix(server: ServerAddress) -> String {
    format!(
        "See whether {server} ran at that time and was reached: its log, its load, a restart, the network in front of it"
    )
}
