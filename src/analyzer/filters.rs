//! What of a capture is looked at.

use crate::net::Endpoint;
use crate::time::Timestamp;
use std::net::IpAddr;

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

/// An address, a network or an address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// The address.
    pub ip: IpAddr,
    /// How many leading bits of it count.
    pub prefix: u8,
    /// The port, if only one.
    pub port: Option<u16>,
}

impl Host {
    /// Whether an endpoint is meant.
    #[must_use]
    pub fn matches(&self, end: Endpoint) -> bool {
        let bits = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()) << 96, true),
            IpAddr::V6(ip) => (ip.to_bits(), false),
        };
        let ((own, own_v4), (other, other_v4)) = (bits(self.ip), bits(end.ip()));
        let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix.min(128))).unwrap_or(0);
        own_v4 == other_v4 && own & mask == other & mask && self.port.is_none_or(|port| port == end.port())
    }
}

impl Filters {
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
