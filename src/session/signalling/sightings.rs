//! Which of what was told shows in the packets.

use super::Signalling;
use crate::event::Event;
use crate::net::Endpoint;
use crate::wire::stun::Fields;
use std::collections::HashMap;

/// The user fragments and addresses that were told, each with whether it was seen. As many as were told; empty, and asked in no time, where
/// nothing was.
#[derive(Debug, Default)]
pub struct Sightings {
    ufrags: HashMap<Vec<u8>, bool>,
    addresses: HashMap<Endpoint, bool>,
}

impl Sightings {
    /// What to look out for.
    #[must_use]
    pub fn of(signalling: &Signalling) -> Self {
        let mut sightings = Sightings::default();
        for description in signalling.descriptions() {
            sightings.ufrags.insert(description.ufrag.as_bytes().to_vec(), false);
            let addresses = description.candidates.iter().filter_map(super::SignalledCandidate::endpoint);
            sightings.addresses.extend(addresses.map(|address| (address, false)));
        }
        sightings
    }

    /// Whether nothing is looked out for.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ufrags.is_empty()
    }

    /// Takes a STUN message: its ends, the ends within the relay, the addresses that it tells, and the agents that a check names.
    pub fn stun(&mut self, event: &Event<'_>, fields: &Fields<'_>) {
        let (from, to) = event.pair();
        let [relayed, other] = fields.relayed;
        let told = [fields.xor_mapped, fields.mapped, fields.peer, relayed, other];
        for address in [event.src, event.dst, from, to].into_iter().chain(told.into_iter().flatten()) {
            self.address(address);
        }
        // the receiver's user fragment and the sender's (RFC 8445 §7.2.2)
        if fields.realm.is_none() {
            for ufrag in fields.username.into_iter().flat_map(|name| name.split(|&byte| byte == b':')).take(2) {
                if let Some(seen) = self.ufrags.get_mut(ufrag) {
                    *seen = true;
                }
            }
        }
    }

    /// Takes an address that packets were seen from or to.
    pub fn address(&mut self, address: Endpoint) {
        if let Some(seen) = self.addresses.get_mut(&address) {
            *seen = true;
        }
    }

    /// Whether a connectivity check named the agent.
    #[must_use]
    pub fn has_agent(&self, ufrag: &str) -> bool {
        self.ufrags.get(ufrag.as_bytes()).copied().unwrap_or_default()
    }

    /// Whether an address that was told was seen: on the wire, within a relay, or told by a server or peer.
    #[must_use]
    pub fn has_address(&self, address: Endpoint) -> bool {
        self.addresses.get(&address).copied().unwrap_or_default()
    }
}
