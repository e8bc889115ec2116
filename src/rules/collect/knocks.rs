//! Hosts that ask a server for a relay without credentials and leave at the challenge, while others are served: scanners of the Internet do so
//! wherever a server is open to it, and a client that lacks its credentials may.

use super::monitors::NO_CREDENTIALS;
use super::{Concluded, Group, Remedy};
use crate::session::{Clients, Lendings};
use hashbrown::HashMap;
use std::net::IpAddr;

/// So often asks who only wants to know what is there.
const SCANNED: usize = 3;
/// A server that serves so many clients is captured where everybody's packets pass.
const MANY: usize = 4;

/// Who knocked at a server, as far as it serves others.
#[derive(Debug, Default)]
pub(super) struct Knocks {
    asked: HashMap<IpAddr, usize>,
    served: usize,
}

impl Knocks {
    /// Those of like occurrences, which are all about one server.
    pub(super) fn among(group: &Group, clients: &Clients, lendings: &Lendings) -> Knocks {
        let mut grievances = group.grievances.iter().filter_map(|(remedy, _)| remedy.grievance()).peekable();
        let server = match grievances.peek() {
            Some(first) if group.finding.id == NO_CREDENTIALS => first.server,
            _ => return Knocks::default(),
        };
        let mut knocks = Knocks { asked: HashMap::new(), served: lendings.clients(server) };
        for from in grievances {
            *knocks.asked.entry(from.client).or_default() += 1;
        }
        knocks.asked.retain(|&client, times| *times <= SCANNED && clients.only_asked(client, server));
        knocks
    }

    /// Whether it was a client that may be a scanner.
    pub(super) fn may_be(&self, remedy: &Remedy) -> bool {
        self.served > 0 && remedy.grievance().is_some_and(|from| self.asked.contains_key(&from.client))
    }

    /// Whether it was one, in a capture of a server.
    pub(super) fn are(&self, remedy: &Remedy) -> bool {
        self.served >= MANY && self.may_be(remedy)
    }

    /// Says so.
    pub(super) fn tell(&self, finding: &mut Concluded) {
        let text = &mut finding.text;
        let others = match self.served {
            1 => "1 client has a relay".to_owned(),
            many => format!("{many} clients have relays"),
        };
        text.title += "; it left at that, as scanners do";
        text.explanation += &format!(
            " That is all that is there of it, while {others} of this server. Scanners of the Internet look just like that, and then nothing is wrong."
        );
        text.fix = format!("If this is a scanner, leave it at that. Else: {}", text.fix);
    }
}
