//! To whom each nonce was given, and how often in a row a client was told that its nonce will not do.

use super::exchange::{Seen, Settled};
use crate::net::{ClientAddress, PeerAddress};
use crate::session::tables::queue::Queue;
use crate::time::{Span, Timestamp};
use crate::wire::stun::Method;

/// How many frames of a row of refused nonces are kept.
const MAX_FRAMES: usize = 8;

/// So long after the first of them requests may come that were under way together: near the server they pass after answers that their client
/// has not got yet.
const TOGETHER: Span = Span::from_secs(1);

/// Refusals with 438 (RFC 8489 §9.2.4) that follow from each other: each was given after the client had had time to take the nonce of the
/// one before it, and nothing was granted in between. The requests may come from one 5-tuple or each from a new one.
#[derive(Clone, Copy, Debug)]
pub struct StaleRow {
    /// How many.
    pub count: u32,
    /// The first request that was refused.
    pub first: Seen,
    /// Who sent the last one.
    pub client: ClientAddress,
    /// The last refusal.
    pub last: Seen,
    /// Requests and refusals, the first ones; 0 where there are fewer.
    pub frames: [u64; MAX_FRAMES],
    /// How many of the requests came from another port than the one to which their nonce was given.
    pub other_port: u32,
    /// How many came from another address.
    pub other_address: u32,
    /// How many carried a nonce that no answer in the capture had given.
    pub never_given: u32,
    /// How many carried the very nonce that the refusal before had replaced.
    pub not_taken: u32,
    /// A digest of the nonce that was refused last.
    pub nonce: u64,
    /// What the request with it asked for, and about whom.
    asked: (Method, Option<PeerAddress>),
}

impl StaleRow {
    /// Whether a request was under way together with the one that was refused last: it was sent before its client had the answer to that, or asks for
    /// something else with the same nonce.
    fn is_beside(&self, exchange: &Settled<'_>) -> bool {
        let other = exchange.asked.nonce == Some(self.nonce) && self.asked != (exchange.method, exchange.asked.peer);
        exchange.first <= self.last || other && exchange.first.time.since(self.first.time) < TOGETHER
    }

    fn add(mut self, exchange: &Settled<'_>, asked: u64, given_to: Option<ClientAddress>) -> StaleRow {
        self.not_taken += u32::from(self.count > 0 && self.nonce == asked && exchange.answer.nonce != Some(asked));
        self.nonce = asked;
        self.asked = (exchange.method, exchange.asked.peer);
        self.count = self.count.saturating_add(1);
        self.last = exchange.answer.seen;
        self.client = exchange.client;
        let free = self.frames.iter_mut().filter(|frame| **frame == 0);
        for (slot, frame) in free.zip([exchange.first.frame, exchange.answer.seen.frame]) {
            *slot = frame;
        }
        match given_to {
            None => self.never_given += 1,
            Some(client) if client.0.ip() != exchange.client.0.ip() => self.other_address += 1,
            Some(client) if client != exchange.client => self.other_port += 1,
            Some(_) => {}
        }
        self
    }
}

/// What is known of a nonce.
#[derive(Debug)]
struct Given {
    /// Its digest.
    nonce: u64,
    /// To whom it was given first, and when; `None` where that is not in the capture.
    to: Option<(ClientAddress, Seen)>,
    /// Whether it was given to another 5-tuple too: some servers have one nonce for everybody.
    shared: bool,
    /// When a request carried it last.
    echoed: Option<Timestamp>,
    /// The row of refusals that ends with the one that gave it, or refused it.
    row: Option<Box<StaleRow>>,
}

/// The nonces, by their digest: the newest ones.
#[derive(Debug, Default)]
pub(in crate::session) struct Nonces {
    given: Queue<Given>,
}

impl Nonces {
    /// A request carries a nonce: to whom that was given.
    pub(in crate::session) fn echo(&mut self, nonce: u64, at: Timestamp) -> Option<(ClientAddress, Seen)> {
        let known = self.get_mut(nonce)?;
        known.echoed = known.echoed.max(Some(at));
        known.to
    }

    fn get(&self, nonce: u64) -> Option<&Given> {
        self.given.get(self.given.find(nonce, |given| given.nonce == nonce)?)
    }

    fn get_mut(&mut self, nonce: u64) -> Option<&mut Given> {
        self.given.get_mut(self.given.find(nonce, |given| given.nonce == nonce)?)
    }

    /// Whether a request carried the nonce after `time`, from whatever 5-tuple.
    pub(in crate::session) fn is_echoed_after(&self, nonce: u64, time: Timestamp) -> bool {
        self.get(nonce).and_then(|known| known.echoed).is_some_and(|echoed| echoed > time)
    }

    /// Whether it was given to several 5-tuples.
    pub(in crate::session) fn is_shared(&self, nonce: u64) -> bool {
        self.get(nonce).is_some_and(|known| known.shared)
    }

    /// An answer gives a nonce.
    pub(in crate::session) fn learn(&mut self, nonce: u64, client: ClientAddress, seen: Seen, max: usize) {
        if let Some(known) = self.get_mut(nonce) {
            let (first, _) = known.to.get_or_insert((client, seen));
            known.shared |= *first != client;
            return;
        }
        self.insert(Given { nonce, to: Some((client, seen)), shared: false, echoed: None, row: None }, max);
    }

    fn insert(&mut self, given: Given, max: usize) {
        if self.given.len() >= max {
            self.given.pop();
        }
        self.given.make_place(max);
        self.given.push(given.nonce, given);
    }

    /// A request was refused with 438: the row that this refusal makes longer.
    pub(in crate::session) fn refused(&mut self, exchange: &Settled<'_>, max: usize) -> Option<StaleRow> {
        let answer = exchange.answer;
        let asked = exchange.asked.nonce?;
        let known = self.get(asked);
        let given_to = known.and_then(|known| known.to).map(|(client, _)| client);
        let own = |known: &&Given| !known.shared || known.row.as_ref().is_some_and(|row| row.client == exchange.client);
        let row = match known.filter(own).and_then(|known| known.row.as_deref()) {
            // several requests were under way with the same nonce: that is one refusal
            Some(row) if row.is_beside(exchange) => *row,
            Some(row) => row.add(exchange, asked, given_to),
            None => {
                let new = StaleRow {
                    count: 0,
                    first: exchange.first,
                    client: exchange.client,
                    last: answer.seen,
                    frames: [0; MAX_FRAMES],
                    other_port: 0,
                    other_address: 0,
                    never_given: 0,
                    not_taken: 0,
                    nonce: asked,
                    asked: (exchange.method, exchange.asked.peer),
                };
                new.add(exchange, asked, given_to)
            }
        };
        for nonce in [Some(asked), answer.nonce].into_iter().flatten() {
            match self.get_mut(nonce) {
                Some(known) => known.row = Some(Box::new(row)),
                None => {
                    let (echoed, row) = (Some(exchange.first.time), Some(Box::new(row)));
                    self.insert(Given { nonce, to: None, shared: false, echoed, row }, max);
                }
            }
        }
        Some(row)
    }

    /// A request with this nonce was granted: the row is over.
    pub(in crate::session) fn accepted(&mut self, nonce: u64) {
        if let Some(known) = self.get_mut(nonce) {
            known.row = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;

    fn client(port: u16) -> ClientAddress {
        ClientAddress(Endpoint::v4([192, 0, 2, 9], port))
    }

    #[test]
    fn the_oldest_nonce_makes_room_and_an_echo_is_remembered() {
        let seen = Seen { frame: 1, time: Timestamp(1) };
        let mut nonces = Nonces::default();
        for nonce in 1..=3 {
            nonces.learn(nonce, client(1), seen, 2);
        }
        assert_eq!(nonces.echo(1, Timestamp(5)), None);
        assert!(!nonces.is_echoed_after(3, seen.time));
        assert_eq!(nonces.echo(3, Timestamp(5)), Some((client(1), seen)));
        assert!(nonces.is_echoed_after(3, seen.time));
        assert!(!nonces.is_echoed_after(3, Timestamp(5)));
    }
}
