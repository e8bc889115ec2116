//! What rules may ask of a session beside its subject: what several captures show, and which allocations were alive.

use super::{Lent, Name, Session};
use crate::join::Joins;
use crate::net::{ClientAddress, ServerAddress};
use crate::time::Timestamp;
use std::net::IpAddr;

impl Session {
    /// The same session with what several captures together show.
    #[must_use]
    pub fn with_joins(mut self, joins: Joins) -> Self {
        for known in joins.translated() {
            self.nat.learn(known.inside, known.outside, &known.frames);
        }
        Session { joins, ..self }
    }

    /// What several captures together show; empty where there is one alone.
    #[must_use]
    pub fn joins(&self) -> &Joins {
        &self.joins
    }

    /// The allocations of a user with a server (whichever of its ports) that were alive at `at`, as far as the capture shows: of the
    /// flows that are over and of those that are not.
    #[must_use]
    pub fn lent(&self, server: IpAddr, user: Option<Name>, at: Timestamp) -> Vec<Lent> {
        let open =
            self.flows.iter().filter_map(|(_, flow)| flow.conversation.as_deref().filter(|_| flow.twin_of.is_none()));
        let open = open.flat_map(Lent::of);
        let mut alive: Vec<Lent> = self.lents.iter().chain(open).filter(|lent| lent.is(server, user, at)).collect();
        alive.sort_unstable_by_key(|lent| lent.created.frame);
        alive
    }

    /// The last allocation on a 5-tuple, of a flow that is over.
    #[must_use]
    pub fn last_lent(&self, client: ClientAddress, server: ServerAddress) -> Option<Lent> {
        self.lents.last(client, server)
    }
}
