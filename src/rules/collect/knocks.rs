//! Hosts that ask a server of many clients for a relay without credentials and leave at the challenge: scanners of the Internet do so wherever a
//! server is open to it, and a client that lacks its credentials may.

use super::monitors::NO_CREDENTIALS;
use super::{Concluded, Group, Remedy};
use crate::session::{Clients, Lendings};
use hashbrown::HashMap;
use std::net::IpAddr;

/// So often asks who only wants to know what is there.
const SCANNED: usize = 3;
/// A server that serves so many clients is captured where everybody's packets pass.
const MANY: usize = 4;

/// Who knocked at a server of many clients.
#[derive(Debug, Default)]
pub(super) struct Knocks {
    asked: HashMap<IpAddr, usize>,
    served: usize,
}

impl Knocks {
    /// Those of like occurrences, which are all about one server.
    pub(super) fn among(group: &Group, clients: &Clients, lendings: &Lendings<'_>) -> Knocks {
        let mut grievances = group.remedies().filter_map(Remedy::grievance).peekable();
        let mut knocks = Knocks::default();
        let Some(server) = grievances.peek().map(|first| first.server) else { return knocks };
        knocks.served = lendings.clients(server);
        if group.finding.id != NO_CREDENTIALS || knocks.served < MANY {
            return knocks;
        }
        for from in grievances {
            *knocks.asked.entry(from.client).or_default() += 1;
        }
        knocks.asked.retain(|&client, times| *times <= SCANNED && clients.only_asked(client, server));
        knocks
    }

    /// Whether it was a client that may be a scanner.
    pub(super) fn are(&self, remedy: &Remedy) -> bool {
        remedy.grievance().is_some_and(|from| self.asked.contains_key(&from.client))
    }

    /// Says so, where nobody else is concerned.
    pub(super) fn tell(&self, finding: &mut Concluded) {
        let text = &mut finding.text;
        text.title += "; it left at that, as scanners do";
        text.explanation += &format!(
            " That is all that is there of it, while {} clients have relays of this server. Scanners of the Internet look just like that, and then nothing is wrong.",
            self.served
        );
        text.fix = format!("If this is a scanner, leave it at that. Else: {}", text.fix);
    }
}
