//! The servers that were asked, and how each fared by transport.

use super::activity::Activity;
use super::conversation::Conversation;
use super::names::Name;
use crate::net::{MappedAddress, ServerAddress, Transport};
use crate::time::{Span, Timestamp};
use hashbrown::HashMap;

/// How one transport of a server fared.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    /// Requests, without copies.
    pub asked: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Allocate requests that were granted.
    pub allocated: u64,
    /// The least round trip time.
    pub rtt: Option<Span>,
    /// A mapped address that it told.
    pub mapped: Option<MappedAddress>,
    /// 5-tuples with an allocation that was alive when last seen.
    pub clients: u64,
    /// Allocations for UDP, and for TCP, that were alive when last seen.
    pub relays: [u64; 2],
}

/// One server.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// By transport, in the order in which they were tried.
    pub transports: Vec<(Transport, Reached)>,
    /// How many clients and relays it had over time.
    pub activity: Activity,
    /// SOFTWARE.
    pub software: Option<Name>,
    /// The number of its first conversation, for the order in reports.
    pub first_frame: u64,
}

/// All servers.
#[derive(Debug)]
pub struct Servers {
    servers: HashMap<ServerAddress, Server>,
    max: usize,
    dropped: u64,
}

impl Servers {
    /// An empty table for at most `max` servers.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Servers { servers: HashMap::new(), max, dropped: 0 }
    }

    /// How many conversations were with servers that found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The servers in the order in which they were first spoken to.
    #[must_use]
    pub fn sorted(&self) -> Vec<(ServerAddress, &Server)> {
        let mut all: Vec<_> = self.servers.iter().map(|(&address, server)| (address, server)).collect();
        all.sort_unstable_by_key(|(address, server)| (server.first_frame, *address));
        all
    }

    /// Adds what a conversation that ends at `now` showed.
    pub fn add(&mut self, conversation: &Conversation, now: Timestamp) {
        let address = conversation.server;
        if !self.servers.contains_key(&address) && self.servers.len() >= self.max {
            self.dropped += 1;
            return;
        }
        let server = self.servers.entry(address).or_default();
        if server.first_frame == 0 || conversation.first.frame < server.first_frame {
            server.first_frame = conversation.first.frame;
        }
        server.software = conversation.software.or(server.software);
        let found = server.transports.iter().position(|(transport, _)| *transport == conversation.transport);
        let index = found.unwrap_or_else(|| {
            server.transports.push((conversation.transport, Reached::default()));
            server.transports.len() - 1
        });
        let Some((_, reached)) = server.transports.get_mut(index) else { return };
        reached.asked += conversation.asked;
        reached.answered += conversation.answered;
        reached.allocated += conversation.allocated;
        reached.rtt = match (reached.rtt, conversation.rtt) {
            (Some(known), Some(new)) => Some(known.min(new)),
            (known, new) => known.or(new),
        };
        for allocation in conversation.allocations() {
            reached.mapped = reached.mapped.or(allocation.mapped);
            server.activity.add(allocation, now);
            if allocation.is_alive(now) {
                reached.clients += 1;
                let [udp, tcp] = &mut reached.relays;
                *if allocation.transport == Some(6) { tcp } else { udp } += 1;
            }
        }
    }
}
