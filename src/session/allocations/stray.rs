//! What a client sends through a relay that the relay does not pass on: to peers without a permission, on channels that are not bound, or on an
//! allocation that has ended.

use super::allocation::Allocation;
use crate::bounded::BoundedList;
use crate::net::PeerAddress;
use crate::session::conversations::exchange::Seen;
use crate::time::Span;
use std::net::IpAddr;

/// How many peers, and how many channels, are told apart: there may be tens of thousands of allocations.
const MAX: usize = 2;
/// How many channels without a known binding are told apart.
pub(crate) const MAX_IN_USE: usize = 8;
/// Clocks of client and server, and the way between them, differ by no more than this.
const GRACE: Span = Span::from_secs(10);

/// Where a client's data is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// To a peer, in a Send indication.
    Peer(PeerAddress),
    /// Over a channel.
    Channel(u16),
}

/// Why data goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There never was a permission, or a binding.
    Never,
    /// It has run out.
    Expired,
    /// The channel is bound to another peer than the client wanted it for.
    Other,
}

/// Data to one peer or on one channel that goes nowhere.
#[derive(Clone, Copy, Debug)]
pub struct Stray {
    /// The peer's address, where it is known.
    pub peer: Option<IpAddr>,
    /// The channel, if it went over one.
    pub channel: Option<u16>,
    /// Why.
    pub lack: Lack,
    /// The first message.
    pub first: Seen,
    /// The last message.
    pub last: Seen,
    /// How many there were.
    pub packets: u64,
    /// How many packets had come back through the relay when it began.
    received: u64,
    /// The last that came back from this peer since, media on a known way excepted; of a packet that does not tell its peer it may be any.
    pub heard: Option<Seen>,
    /// The request that renewed the permission, where nothing had come back until then.
    pub renewed: Option<Seen>,
}

impl Stray {
    fn new(peer: Option<IpAddr>, channel: Option<u16>, lack: Lack, seen: Seen, received: u64) -> Stray {
        Stray { peer, channel, lack, first: seen, last: seen, packets: 1, received, heard: None, renewed: None }
    }

    fn again(&mut self, seen: Seen) {
        (self.last, self.packets) = (seen, self.packets + 1);
    }
}

/// All that of one allocation.
#[derive(Clone, Debug, Default)]
pub struct Strays {
    /// To peers without a permission.
    pub unpermitted: Vec<Stray>,
    /// On channels that are not bound.
    pub unbound: Vec<Stray>,
    /// Channels on which the server sends though no binding of them is in the capture: it knows them.
    pub in_use: Vec<u16>,
    /// After the allocation's end: the first, the last, and how many.
    pub late: Option<(Seen, Seen, u64)>,
}

impl Strays {
    /// How many messages there are of all kinds.
    #[must_use]
    pub fn packets(&self) -> u64 {
        let astray = |stray: &&Stray| stray.lack != Lack::Other; // that goes somewhere, if not where it should
        let lists = self.unpermitted.iter().chain(&self.unbound).filter(astray).map(|stray| stray.packets);
        lists.sum::<u64>() + self.late.map_or(0, |(_, _, packets)| packets)
    }

    /// The server sends on a channel of which no binding is known.
    #[cold]
    pub(super) fn uses(&mut self, channel: u16) {
        self.in_use.push_new_up_to(MAX_IN_USE, channel);
    }

    /// Something came back from a peer, if it tells which.
    #[cold]
    pub(super) fn hears(&mut self, peer: Option<IpAddr>, seen: Seen) {
        for stray in self.unpermitted.iter_mut().filter(|stray| peer.is_none() || stray.peer == peer) {
            stray.heard = Some(seen);
        }
    }

    /// The permission for a peer, which had run out, is renewed after `received` packets came back. Where some of them came meanwhile it had not run
    /// out, and the capture lacks what renewed it.
    #[cold]
    pub(super) fn renewed(&mut self, peer: IpAddr, at: Seen, received: u64) {
        let is_open = |stray: &Stray| (stray.peer, stray.lack, stray.renewed) == (Some(peer), Lack::Expired, None);
        self.unpermitted.retain(|stray| !is_open(stray) || stray.received == received);
        for stray in self.unpermitted.iter_mut().filter(|stray| is_open(stray)) {
            stray.renewed = Some(at);
        }
    }
}

impl Allocation {
    /// The client sends data.
    #[inline]
    pub fn sends(&mut self, to: To, seen: Seen) {
        if self.ended.is_some() || seen.time > self.expires.after(GRACE) {
            let late = &mut self.strays.get_or_insert_default().late;
            let &mut (_, ref mut last, ref mut packets) = late.get_or_insert((seen, seen, 0));
            (*last, *packets) = (seen, *packets + 1);
            return;
        }
        match to {
            To::Peer(peer) => {
                let lack = match self.permission_of(peer.0.ip()) {
                    Some(known) if seen.time <= known.expires.after(GRACE) => return,
                    Some(_) => Lack::Expired,
                    None => Lack::Never,
                };
                self.add_unpermitted(Stray::new(Some(peer.0.ip()), None, lack, seen, self.received.packets));
            }
            To::Channel(number) => {
                let known = self.channels.iter().rev().find(|known| known.number == number);
                let lack = match known {
                    // data on a channel is data to its peer: that permission must hold too
                    Some(known) if seen.time <= known.expires.after(GRACE) => match known.wanted {
                        Some(_) => Lack::Other,
                        None => {
                            let peer = known.peer;
                            return self.sends_on_bound(peer, seen);
                        }
                    },
                    Some(_) => Lack::Expired,
                    None => Lack::Never,
                };
                let peer = known.map(|known| known.wanted.unwrap_or(known.peer).0.ip());
                let new = Stray::new(peer, Some(number), lack, seen, self.received.packets);
                add(&mut self.strays.get_or_insert_default().unbound, new, |_| false);
            }
        }
    }

    /// Data on a channel whose binding holds for twice as long as the permission that came with it.
    fn sends_on_bound(&mut self, peer: PeerAddress, seen: Seen) {
        if self.permission_of(peer.0.ip()).is_some_and(|known| seen.time > known.expires.after(GRACE)) {
            self.add_unpermitted(Stray::new(Some(peer.0.ip()), None, Lack::Expired, seen, self.received.packets));
        }
    }

    /// What was sent to a peer before the permission for it came is over with that.
    fn add_unpermitted(&mut self, stray: Stray) {
        let permissions = &self.permissions;
        let is_over = |known: &Stray| {
            let permitted = || permissions.iter().any(|permission| Some(permission.peer.0.ip()) == known.peer);
            known.renewed.is_some() || known.lack == Lack::Never && permitted()
        };
        add(&mut self.strays.get_or_insert_default().unpermitted, stray, is_over);
    }
}

/// Adds to what is known of the same, or takes a free place, or that of one which is over: what lasts matters more.
fn add(list: &mut Vec<Stray>, stray: Stray, is_over: impl Fn(&Stray) -> bool) {
    let key = |known: &Stray| (known.peer, known.channel, known.lack, known.renewed);
    if let Some(known) = list.iter_mut().find(|known| key(known) == key(&stray)) {
        known.again(stray.first);
    } else if list.len() < MAX {
        list.reserve_exact(1);
        list.push(stray);
    } else if let Some(over) = list.iter_mut().find(|known| is_over(known)) {
        *over = stray;
    }
}
