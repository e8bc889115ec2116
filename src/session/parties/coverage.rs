//! What the capture holds of the hosts in it, and what it lacks: what is not seen may have been there all the same.

use crate::time::Timestamp;
use hashbrown::HashSet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// How many hosts are remembered that act on what the capture lacks.
const MAX_UNSEEN: usize = 1024;

/// What the capture holds and lacks.
#[derive(Debug, Default)]
pub struct Coverage {
    max: usize,
    /// Where the capture's clock was set back: the time before, and the earliest after.
    set_back: Option<[Timestamp; 2]>,
    /// Whether the capture lacks frames from its middle.
    holes: bool,
    /// Frames that the capturing program lost by its own count.
    lost: u64,
    /// Hosts to which something else than answers to requests was sent: an answer to ARP, an ICMP error, a refusal.
    pub(super) heard: HashSet<IpAddr>,
    /// Whether any of that was not STUN.
    others_heard: bool,
    /// Hosts that went on as only an answer lets them, none of which is in the capture.
    pub(super) unseen: BTreeSet<IpAddr>,
    /// Whether any request of anybody was answered.
    both_ways: bool,
    /// Hosts that sent STUN over TCP, or were sent it; and whether there are such by IPv4, and by IPv6.
    over_tcp: HashSet<IpAddr>,
    over_tcp_by: [bool; 2],
}

impl Coverage {
    /// Nothing known yet; of at most `max` hosts what was sent to them.
    pub(super) fn new(max: usize) -> Self {
        Coverage { max, ..Coverage::default() }
    }

    /// The capture's clock was set back: what came later may bear an earlier time.
    pub(in crate::session) fn clock_set_back(&mut self, from: Timestamp, to: Timestamp) {
        if self.set_back.is_none_or(|[_, known]| to < known) {
            self.set_back = Some([from, to]);
        }
    }

    /// The last time before the capture's clock was set back, and the earliest after it; `None` where it was not.
    #[must_use]
    pub fn set_back(&self) -> Option<[Timestamp; 2]> {
        self.set_back
    }

    /// Whether times after `at` are no measure of what came later.
    #[must_use]
    pub fn is_out_of_order(&self, at: Timestamp) -> bool {
        self.set_back.is_some_and(|[_, to]| to <= at)
    }

    /// The capture lacks frames from its middle.
    pub(in crate::session) fn has_gaps(&mut self) {
        self.holes = true;
    }

    /// The capturing program says that it lost so many frames, nobody knows which.
    pub(in crate::session) fn lost_while_capturing(&mut self, frames: u64) {
        self.lost = self.lost.saturating_add(frames);
        self.holes |= frames > 0;
    }

    /// Frames that the capturing program lost by its own count.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether what is not in the capture may have been on the wire all the same.
    #[must_use]
    pub fn may_miss_some(&self) -> bool {
        self.holes
    }

    /// Something other than STUN was sent to a host, whatever it was: so the capture holds what is sent to it.
    pub(in crate::session) fn hears(&mut self, host: IpAddr) {
        self.others_heard = true;
        self.hears_refusal(host);
    }

    /// A server refused a host something: so the capture holds what is sent to it.
    pub(in crate::session) fn hears_refusal(&mut self, host: IpAddr) {
        if self.heard.len() < self.max {
            self.heard.insert(host);
        }
    }

    /// Whether anything other than STUN was sent to anybody: an answer to ARP, an ICMP error, an answer to a SYN.
    #[must_use]
    pub(in crate::session) fn others_heard(&self) -> bool {
        self.others_heard
    }

    /// A host went on as only an answer lets it, and the capture does not hold that.
    pub(in crate::session) fn acts_on_unseen(&mut self, host: IpAddr) {
        if self.unseen.len() < MAX_UNSEEN {
            self.unseen.insert(host);
        }
    }

    /// A request was answered by whom it was sent to.
    pub(in crate::session) fn sees_both_ways(&mut self) {
        self.both_ways = true;
    }

    /// Whether the capture holds requests and their answers, of whomever: then it was taken where both directions pass.
    #[must_use]
    pub fn has_both_ways(&self) -> bool {
        self.both_ways
    }

    /// STUN went between two hosts over TCP.
    pub(in crate::session) fn speak_over_tcp(&mut self, hosts: [IpAddr; 2]) {
        if self.over_tcp.len() < self.max {
            let [by_v4, by_v6] = &mut self.over_tcp_by;
            *by_v4 |= hosts.iter().any(IpAddr::is_ipv4);
            *by_v6 |= hosts.iter().any(IpAddr::is_ipv6);
            self.over_tcp.extend(hosts);
        }
    }

    /// Whether one of these may have used TCP, or a host of which nothing tells that it is none of them: by IPv6, where these are known by IPv4.
    #[must_use]
    pub fn may_have_used_tcp(&self, hosts: &[IpAddr]) -> bool {
        let [by_v4, by_v6] = self.over_tcp_by;
        self.over_tcp.len() >= self.max
            || hosts.iter().any(|host| self.over_tcp.contains(host))
            || by_v4 && hosts.iter().all(IpAddr::is_ipv6)
            || by_v6 && hosts.iter().all(IpAddr::is_ipv4)
    }
}
