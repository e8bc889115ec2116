//! Who exchanged data with whom: a host that serves several is told from those that it serves.

use crate::bounded::BoundedMap;
use crate::net::Endpoint;
use crate::time::Timestamp;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// Who exchanges data with so many serves them.
const SEVERAL: usize = 3;

/// Which hosts exchanged data both ways, and until when.
#[derive(Debug, Default)]
pub struct Company {
    max: usize,
    /// By host, its port, and the other host.
    met: BTreeMap<(IpAddr, u16, IpAddr), Timestamp>,
    /// The first of those that a host had to do with.
    others: HashMap<IpAddr, Vec<IpAddr>>,
    full: bool,
}

impl Company {
    /// Nobody yet; of at most `max` pairs of a port and a host.
    pub(super) fn new(max: usize) -> Self {
        Company { max, ..Company::default() }
    }

    /// Data went both ways between two ends, until a time.
    pub(in crate::session) fn met(&mut self, one: Endpoint, other: Endpoint, until: Timestamp) {
        for (own, other) in [(one, other.ip()), (other, one.ip())] {
            let known = self.met.entry_up_to(self.max, (own.ip(), own.port(), other), || until);
            self.full |= known.is_none();
            if let Some(known) = known {
                *known = until.max(*known);
            }
            if let Some(others) = self.others.entry_up_to(self.max, own.ip(), Vec::new)
                && others.len() < SEVERAL
                && !others.contains(&other)
            {
                others.push(other);
            }
        }
    }

    /// Whether a host exchanged data with several others, as a conference server does.
    #[must_use]
    pub fn serves_several(&self, host: IpAddr) -> bool {
        self.others.get(&host).is_some_and(|others| others.len() >= SEVERAL)
    }

    /// With whom a host exchanged data, at which of its ports, and until when.
    pub fn of(&self, host: IpAddr) -> impl Iterator<Item = (u16, IpAddr, Timestamp)> + '_ {
        let first = (host, 0, IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let of_host = self.met.range(first..).take_while(move |((own, ..), _)| *own == host);
        of_host.map(|(&(_, port, other), &until)| (port, other, until))
    }

    /// Whether there was no room for some.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full
    }
}
