//! What of a capture is looked at.

use crate::net::{Endpoint, Network};
use crate::time::Timestamp;

/// What of a capture is looked at; empty: everything.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// Only frames at this time or later.
    pub from: Option<Timestamp>,
    /// Only frames at this time or earlier.
    pub to: Option<Timestamp>,
    /// Only datagrams from or to one of these.
    pub hosts: Vec<Host>,
    /// Only rows, conversations and findings of this user.
    pub user: Option<String>,
}

impl Filters {
    /// Whether frames are passed over, whoever they are of.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        self.from.is_some() || self.to.is_some() || !self.hosts.is_empty()
    }
}

/// Whom is asked for: an address or a network, and perhaps a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// The addresses.
    pub network: Network,
    /// The port, if only one.
    pub port: Option<u16>,
}

impl Host {
    /// Whether an endpoint is meant.
    #[must_use]
    pub fn matches(&self, end: Endpoint) -> bool {
        self.network.contains(end.ip()) && self.port.is_none_or(|port| port == end.port())
    }
}

impl Filters {
    /// The hosts of which everything is looked at; `None` where that is all of them.
    pub(super) fn whole_hosts(&self) -> Option<Vec<Network>> {
        let whole = self.hosts.iter().filter(|host| host.port.is_none()).map(|host| host.network);
        (!self.hosts.is_empty()).then(|| whole.collect())
    }

    /// Whether a time is looked at.
    pub(super) fn time(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time <= to)
    }

    /// Whether what is sent between these is looked at.
    #[inline(always)]
    pub(super) fn ends(&self, src: Endpoint, dst: Endpoint) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|host| host.matches(src) || host.matches(dst))
    }
}
