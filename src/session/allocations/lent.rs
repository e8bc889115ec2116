//! What servers have lent to whom: the allocations of flows that are over, for the questions how many a user holds and what became of
//! the one that a client goes on to use.

use super::allocation::{Allocation, End};
use crate::net::{ClientAddress, RelayedAddress, ServerAddress};
use crate::session::Session;
use crate::session::conversations::conversation::Conversation;
use crate::session::conversations::exchange::Seen;
use crate::session::credentials;
use crate::session::tables::names::Name;
use crate::time::Timestamp;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::net::IpAddr;

/// One allocation, reduced to who holds it and until when.
#[derive(Clone, Copy, Debug)]
pub struct Lent {
    /// Who holds it.
    pub client: ClientAddress,
    /// Who lent it.
    pub server: ServerAddress,
    /// As which user.
    pub user: Option<Name>,
    /// What was lent.
    pub relayed: Option<RelayedAddress>,
    /// The success response.
    pub created: Seen,
    /// LIFETIME granted last, in seconds.
    pub lifetime: u32,
    /// Successful refreshes.
    pub refreshes: u32,
    /// When it ends by what was granted last.
    pub expires: Timestamp,
    /// When the client gave it up, or the server would not know it any longer.
    pub ended: Option<(End, Timestamp)>,
}

impl Lent {
    /// An allocation of a conversation.
    #[must_use]
    pub fn new(conversation: &Conversation, allocation: &Allocation) -> Lent {
        Lent {
            client: conversation.client,
            server: conversation.server,
            user: allocation.user,
            relayed: allocation.relayed.into_iter().flatten().next(),
            created: allocation.created,
            lifetime: allocation.lifetime,
            refreshes: allocation.refreshes,
            expires: allocation.expires,
            ended: allocation.ended.map(|(end, seen)| (end, seen.time)),
        }
    }

    /// The allocations of a conversation.
    pub fn of(conversation: &Conversation) -> impl Iterator<Item = Lent> {
        conversation.allocations().map(|allocation| Lent::new(conversation, allocation))
    }

    /// Whether it could be in use at `time`, by what was known then.
    #[must_use]
    fn was_alive(&self, time: Timestamp) -> bool {
        self.created.time <= time && time <= self.expires && self.ended.is_none_or(|(_, ended)| ended > time)
    }
}

/// The allocations of flows that are over; the newest ones.
#[derive(Debug)]
pub struct Lents {
    ended: VecDeque<Lent>,
    /// The number of the first that is still kept.
    base: u64,
    /// The number of the last on each 5-tuple.
    last: HashMap<(ClientAddress, ServerAddress), u64>,
    max: usize,
}

impl Lents {
    /// An empty ledger of at most `max` allocations.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Lents { ended: VecDeque::new(), base: 0, last: HashMap::new(), max }
    }

    /// Writes down the allocations of a conversation that is over.
    pub fn add(&mut self, conversation: &Conversation) {
        for lent in Lent::of(conversation) {
            if self.ended.len() >= self.max
                && let Some(oldest) = self.ended.pop_front()
            {
                let ends = (oldest.client, oldest.server);
                if self.last.get(&ends) == Some(&self.base) {
                    self.last.remove(&ends);
                }
                self.base += 1;
            }
            self.last.insert((lent.client, lent.server), self.base + self.ended.len() as u64);
            self.ended.push_back(lent);
        }
    }

    /// All of them, in the order in which their flows ended.
    pub fn iter(&self) -> impl Iterator<Item = Lent> {
        self.ended.iter().copied()
    }

    /// The last one on a 5-tuple.
    #[must_use]
    pub fn last(&self, client: ClientAddress, server: ServerAddress) -> Option<Lent> {
        let number = self.last.get(&(client, server))?.checked_sub(self.base)?;
        self.ended.get(usize::try_from(number).ok()?).copied()
    }
}

impl Session {
    /// The allocations of a user with a server (whichever of its ports) that were alive at `at`, as far as the capture shows: of the
    /// flows that are over and of those that are not. Names of time-limited credentials that differ in their expiry alone are of one user.
    #[must_use]
    pub fn lent(&self, server: IpAddr, user: Option<Name>, at: Timestamp) -> Vec<Lent> {
        let open = self.flows.iter().filter_map(|(_, flow)| flow.own_conversation()).flat_map(Lent::of);
        let person = |user: Option<Name>| user.map(|name| credentials::person(self.names.bytes(name)));
        let theirs = |lent: &Lent| lent.user == user || person(lent.user) == person(user);
        let alive = |lent: &Lent| lent.server.0.ip() == server && lent.was_alive(at) && theirs(lent);
        let mut alive: Vec<Lent> = self.lents.iter().chain(open).filter(alive).collect();
        alive.sort_unstable_by_key(|lent| lent.created.frame);
        alive
    }

    /// The last allocation on a 5-tuple, of a flow that is over.
    #[must_use]
    pub fn last_lent(&self, client: ClientAddress, server: ServerAddress) -> Option<Lent> {
        self.lents.last(client, server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Endpoint, Transport};
    use crate::session::{Answer, Asked, Exchange};
    use crate::wire::stun::{Method, TransactionId};

    fn seen(frame: u64) -> Seen {
        Seen { frame, time: Timestamp(frame.cast_signed() * 1_000_000_000) }
    }

    fn conversation(port: u16, frame: u64) -> Conversation {
        let client = ClientAddress(Endpoint::v4([192, 0, 2, 9], port));
        let server = ServerAddress(Endpoint::v4([192, 0, 2, 1], 3478));
        let mut conversation = Conversation::new(client, server, Transport::Udp, seen(frame));
        let exchange = Exchange {
            id: TransactionId::from_header([0; 16]),
            method: Method::ALLOCATE,
            client,
            server,
            first: seen(frame),
            again: Vec::new(),
            again_total: 0,
            again_after_answer: 0,
            differs: false,
            last: seen(frame),
            asked: Asked::default(),
            answer: Some(Answer { lifetime: Some(600), ..Answer::bare(seen(frame), seen(frame)) }),
            icmp: None,
            answered_beyond: None,
            watched: true,
        };
        conversation.settled(&exchange.settled().unwrap());
        conversation
    }

    #[test]
    fn the_last_allocation_of_a_5_tuple_is_found_until_it_makes_room() {
        let mut lents = Lents::new(2);
        let (one, again, other) = (conversation(1, 10), conversation(1, 20), conversation(2, 30));
        lents.add(&one);
        lents.add(&again);
        assert_eq!(lents.last(one.client, one.server).map(|lent| lent.created.frame), Some(20));
        lents.add(&other);
        assert_eq!(lents.last(one.client, one.server).map(|lent| lent.created.frame), Some(20));
        lents.add(&conversation(3, 40));
        assert!(lents.last(one.client, one.server).is_none());
        assert_eq!(lents.last(other.client, other.server).map(|lent| lent.created.frame), Some(30));
        assert_eq!(lents.iter().count(), 2);
    }

    #[test]
    fn an_allocation_is_alive_from_its_grant_to_its_end() {
        let lent = Lent::of(&conversation(1, 10)).next().unwrap();
        let at = |seconds: i64| Timestamp(seconds * 1_000_000_000);
        assert_eq!([9, 10, 610, 611].map(|second| lent.was_alive(at(second))), [false, true, true, false]);
        let released = Lent { ended: Some((End::Released, at(100))), ..lent };
        assert_eq!([99, 100].map(|second| released.was_alive(at(second))), [true, false]);
    }
}
