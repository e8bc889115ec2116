//! Clients that go on from another port: an allocation or an ICE session whose outside address changed in the middle.

use crate::bounded::{BoundedList, BoundedMap};
use crate::net::Endpoint;
use crate::session::conversations::exchange::Seen;
use crate::session::tables::names::Name;
use crate::time::Span;
use hashbrown::HashMap;
use std::net::IpAddr;

/// How many moves are kept.
const MAX_MOVES: usize = 256;
/// A pair of ICE that was in use for this long was the chosen one, not one that was merely tried.
pub(in crate::session) const IN_USE: Span = Span::from_secs(5);
/// After this long without a check the session was over.
const OVER: Span = Span::from_secs(60);

/// What went on from another port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The use of a TURN allocation.
    Allocation,
    /// An ICE session: the same pair of user fragments.
    Ice,
}

/// One client that went on from another port or address.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// What went on.
    pub what: What,
    /// The server, or in ICE the other agent.
    pub to: Endpoint,
    /// Where the client was seen before.
    pub old: Endpoint,
    /// Its last message from there before the move.
    pub last: Seen,
    /// Where it was seen afterwards.
    pub new: Endpoint,
    /// Its first message from there.
    pub first: Seen,
    /// The request from there that shows whose it is.
    pub asked: Seen,
    /// Whose it is: USERNAME.
    pub user: Option<Name>,
    /// Whether it was heard from the old port again: then it has two sockets and did not move.
    pub returned: bool,
    /// How the first request from the new port was answered: the error code, 0 for success, `None` for silence so far.
    pub code: Option<u16>,
}

/// The moves, and for ICE where each session was last seen.
#[derive(Debug, Default)]
pub struct Moves {
    moves: Vec<Move>,
    agents: HashMap<(Name, Endpoint, IpAddr), Agent>,
    /// Who had checks of these user fragments carried by an allocation with this server, last.
    carried: HashMap<(Name, Endpoint), Endpoint>,
    /// How many checks others sent there, of whom no allocation with that server is known; `None` where one of these was answered.
    astray: HashMap<(Endpoint, Endpoint), Option<u32>>,
}

#[derive(Debug)]
struct Agent {
    at: Endpoint,
    first: Seen,
    last: Seen,
    before: Option<(Endpoint, u32)>,
    /// It checks from several sockets at a time: nothing can be told of it.
    several: bool,
}

impl Moves {
    /// The moves, in order.
    #[must_use]
    pub fn list(&self) -> &[Move] {
        &self.moves
    }

    /// One more; gives its number.
    pub(in crate::session) fn add(&mut self, new: Move) -> Option<u32> {
        add(&mut self.moves, new)
    }

    pub(in crate::session) fn get_mut(&mut self, number: u32) -> Option<&mut Move> {
        self.moves.get_mut(number as usize)
    }

    /// A client with an allocation sends a connectivity check through it.
    pub(in crate::session) fn carries(&mut self, user: Name, server: Endpoint, client: Endpoint, max: usize) {
        if let Some(known) = self.carried.entry_up_to(max, (user, server), || client) {
            *known = client;
        }
    }

    /// Who did that last with checks of these user fragments.
    pub(in crate::session) fn carrier(&self, user: Name, server: Endpoint) -> Option<Endpoint> {
        self.carried.get(&(user, server)).copied()
    }

    /// A client without an allocation that is known sends a check to be carried: how many it sent, unless one was answered.
    pub(in crate::session) fn strays(&mut self, client: Endpoint, server: Endpoint, max: usize) -> Option<u32> {
        let sent = self.astray.entry_up_to(max, (client, server), || Some(0))?.as_mut()?;
        *sent += 1;
        Some(*sent)
    }

    /// The server passes the answer to a check on to a client: it has an allocation for it.
    pub(in crate::session) fn serves(&mut self, client: Endpoint, server: Endpoint) {
        if self.astray.get_mut(&(client, server)).and_then(Option::take).is_some() {
            let of_client = |known: &&mut Move| known.new == client && known.to == server;
            self.moves.iter_mut().filter(of_client).for_each(|known| known.returned = true);
        }
    }

    /// A connectivity check; `answered` tells whether checks from an address to this agent were answered.
    pub(in crate::session) fn check(
        &mut self,
        user: Name,
        (src, dst): (Endpoint, Endpoint),
        seen: Seen,
        max: usize,
        answered: impl FnOnce(Endpoint) -> bool,
    ) {
        let key = (user, dst, src.ip());
        let Some(agent) = self.agents.get_mut(&key) else {
            if self.agents.len() < max {
                self.agents.insert(key, Agent { at: src, first: seen, last: seen, before: None, several: false });
            }
            return;
        };
        if agent.at == src || agent.several {
            agent.last = seen;
            return;
        }
        if let Some((_, number)) = agent.before.filter(|(old, _)| *old == src) {
            agent.several = true;
            if let Some(known) = self.moves.get_mut(number as usize) {
                known.returned = true;
            }
            return;
        }
        let in_use = agent.last.time.since(agent.first.time) >= IN_USE && answered(agent.at);
        if !in_use || seen.time.since(agent.last.time) > OVER {
            agent.several = true;
            return;
        }
        let (old, last) = (agent.at, agent.last);
        (agent.at, agent.first, agent.last) = (src, seen, seen);
        let new = Move {
            what: What::Ice,
            to: dst,
            old,
            last,
            new: src,
            first: seen,
            asked: seen,
            user: Some(user),
            returned: false,
            code: None,
        };
        if let Some(number) = add(&mut self.moves, new) {
            agent.before = Some((old, number));
        }
    }
}

fn add(moves: &mut Vec<Move>, new: Move) -> Option<u32> {
    let number = u32::try_from(moves.len()).ok()?;
    moves.push_up_to(MAX_MOVES, new).then_some(number)
}
