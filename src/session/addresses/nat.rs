//! Which address became which on the way.

use crate::bounded::BoundedList;
use crate::net::{ClientAddress, Endpoint, MappedAddress, ServerAddress};
use crate::session::conversations::exchange::Seen;
use hashbrown::{HashMap, HashSet};
use std::net::IpAddr;

/// How many frames are kept as evidence of one mapping.
const MAX_EVIDENCE: usize = 4;

/// One address that is another beyond a NAT.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// On the side of the one who sends.
    pub inside: Endpoint,
    /// On the other side.
    pub outside: Endpoint,
    /// Frames that prove it; the first ones.
    pub evidence: Vec<u64>,
    /// How many frames prove it.
    pub total: u64,
    /// The newest of them: one may prove it by what follows it, too.
    newest: [u64; 2],
    /// Whether the capture holds a request on both sides, and not only what the server says of its sender.
    pub crossed: bool,
}

impl Mapping {
    fn is_proved_by(&mut self, frame: u64) {
        if self.evidence.contains(&frame) || self.newest.contains(&frame) {
            return;
        }
        let [_, last] = self.newest;
        self.newest = [last, frame];
        self.total += 1;
        self.evidence.push_up_to(MAX_EVIDENCE, frame);
    }
}

/// One local address that was given different mapped addresses.
#[derive(Clone, Debug)]
pub struct Dependent {
    /// The client's address.
    pub client: ClientAddress,
    /// The first server or peer, what it saw, and the frame.
    pub one: (ServerAddress, MappedAddress, Seen),
    /// The other.
    pub other: (ServerAddress, MappedAddress, Seen),
}

/// All mappings, in the order in which they were learned.
#[derive(Debug, Default)]
pub struct Nat {
    mappings: Vec<Mapping>,
    index: HashMap<(Endpoint, Endpoint), u32>,
    first_views: HashMap<ClientAddress, (ServerAddress, MappedAddress, Seen)>,
    dependents: Vec<Dependent>,
    dependent_total: u64,
    translated: HashSet<IpAddr>,
    max: usize,
    dropped: u64,
}

impl Nat {
    /// An empty table for at most `max` mappings.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Nat { max, ..Nat::default() }
    }

    /// The mappings.
    #[must_use]
    pub fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// How many mappings found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The clients whose mapping depends on whom they talk to; the first ones, and how many there were.
    #[must_use]
    pub fn dependents(&self) -> (&[Dependent], u64) {
        (&self.dependents, self.dependent_total)
    }

    /// Whether an address was ever seen as another one.
    #[must_use]
    pub fn is_translated(&self, inside: IpAddr) -> bool {
        self.translated.contains(&inside)
    }

    /// Whether what a client asks is its own address beyond the NAT: a test whether that turns packets back (RFC 4787 §6).
    #[must_use]
    pub fn is_own(&self, client: ClientAddress, asked: ServerAddress) -> bool {
        self.index.contains_key(&(client.0, asked.0))
    }

    /// Whether two ends are one and the same, or one on both sides of a NAT.
    #[must_use]
    pub fn are_one(&self, one: Endpoint, other: Endpoint) -> bool {
        one == other || self.index.contains_key(&(one, other)) || self.index.contains_key(&(other, one))
    }

    /// What a client was made to be as a packet passed its NAT, where the capture holds that on both sides.
    pub fn passed(&self, inside: Endpoint, frame: u64) -> impl Iterator<Item = &Mapping> {
        let shows = move |known: &&Mapping| {
            known.crossed
                && known.inside == inside
                && (known.evidence.contains(&frame) || known.newest.contains(&frame))
        };
        self.mappings.iter().filter(shows)
    }

    /// Whom a NAT sent out from the place of another one before that, by a mapping of this one.
    pub fn before(&self, known: &Mapping) -> impl Iterator<Item = Endpoint> {
        let Mapping { inside, outside, .. } = *known;
        let first = known.evidence.first().copied();
        let before = move |other: &&Mapping| {
            other.outside == outside && other.inside != inside && other.evidence.first().copied() < first
        };
        self.mappings.iter().filter(before).map(|other| other.inside)
    }

    /// Two places that a NAT made of one client, as far as frames prove it: the one that it had at a frame, and the one that it was given since, at which
    /// another frame shows it.
    #[must_use]
    pub fn given_anew(&self, inside: Endpoint, [had, now]: [u64; 2]) -> Option<[(Endpoint, u64); 2]> {
        let first = |known: &Mapping| known.evidence.first().copied();
        let new = self.passed(inside, now).find(|known| first(known).is_some_and(|frame| frame > had))?;
        // behind one NAT may be another: what each makes of the client are two things
        let old = self.mappings.iter().filter(|known| {
            let same_kind = known.outside.scope() == new.outside.scope();
            known.inside == inside && same_kind && first(known).is_some_and(|frame| frame <= had)
        });
        let old = old.max_by_key(|known| first(known))?;
        Some([(old.outside, first(old)?), (new.outside, now)])
    }

    /// `inside` was seen as `outside`, proved by these frames.
    pub fn learn(&mut self, inside: Endpoint, outside: Endpoint, frames: &[u64]) {
        if inside == outside {
            return;
        }
        let at = match self.index.get(&(inside, outside)) {
            Some(&at) => at as usize,
            None if self.mappings.len() >= self.max => {
                self.dropped += 1;
                return;
            }
            None => {
                let at = self.mappings.len();
                if inside.ip() != outside.ip() {
                    self.translated.insert(inside.ip());
                }
                self.mappings.push(Mapping {
                    inside,
                    outside,
                    evidence: Vec::new(),
                    total: 0,
                    newest: [0; 2],
                    crossed: false,
                });
                if let Ok(number) = u32::try_from(at) {
                    self.index.insert((inside, outside), number);
                }
                at
            }
        };
        let Some(mapping) = self.mappings.get_mut(at) else { return };
        for &frame in frames {
            mapping.is_proved_by(frame);
        }
    }

    /// A request of `inside` was seen as that of `outside` beyond the NAT.
    pub fn cross(&mut self, inside: Endpoint, outside: Endpoint, frames: &[u64]) {
        self.learn(inside, outside, frames);
        let known = self.index.get(&(inside, outside)).and_then(|&at| self.mappings.get_mut(at as usize));
        if let Some(known) = known {
            known.crossed = true;
        }
    }

    /// A server or peer told a client its address; compares it with what another told the same client.
    pub fn view(&mut self, client: ClientAddress, server: ServerAddress, mapped: MappedAddress, seen: Seen) {
        let room = self.first_views.len() < self.max;
        match self.first_views.get_mut(&client) {
            None if room => {
                self.first_views.insert(client, (server, mapped, seen));
            }
            None => self.dropped += 1,
            // the newest view counts: a NAT that forgot its mapping meanwhile is no symmetric one
            Some(one) if one.0 == server => *one = (server, mapped, seen),
            Some(&mut one) => {
                let same_network = one.1.0.is_v6() == mapped.0.is_v6();
                if one.1 != mapped && same_network {
                    self.dependent_total += 1;
                    let known = self.dependents.iter().any(|known| known.client == client);
                    if !known && self.dependents.len() < 64 {
                        self.dependents.push(Dependent { client, one, other: (server, mapped, seen) });
                    }
                }
            }
        }
    }
}
