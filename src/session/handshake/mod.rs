//! DTLS associations: who said what to whom until there were keys, or none, and how it ended (RFC 6347, RFC 9147, RFC 5763).

mod association;
pub(super) mod dtls;
mod entry;
mod flight;
mod fragments;
mod learn;
mod offer;
mod table;
mod window;

pub use association::{
    AlertSeen, Both, Certificate, Closing, Handshake, MessageSeen, Missing, Protected, Role, Side, State, Surroundings,
    Way,
};
pub use flight::{Flight, What};
pub use fragments::LostPacket;
pub use offer::{Chosen, Offer};

pub(super) use learn::{ALERT_1_3, Heard, learn};
pub(super) use table::Handshakes;

use super::Session;
use super::signalling::Signalling;
use crate::event::Event;
use crate::packet::{Counts, IcmpError, Incomplete};
use crate::wire::dtls::Record;
use crate::wire::handshake::certificate::HashFunction;

impl Session {
    /// Takes a DTLS record of a datagram with so many bytes. `carrier` names a layer around it that is no relay passage: `dtls-in-stun`.
    pub fn dtls(&mut self, event: &Event<'_>, record: &Record<'_>, datagram: usize, carrier: Option<&'static str>) {
        self.dtls.learn(event, record);
        let (flows, clients, now) = (&self.flows, &mut self.clients, self.now);
        self.handshakes.take(event, record, datagram, carrier, |table| table.make_room(flows, clients, now));
        if carrier.is_none() {
            self.expect_media(event, record);
        }
    }

    /// Counts a DTLS record, of a packet that the capture holds for the first time.
    pub fn count_dtls(&mut self, record: &Record<'_>) {
        *self.totals.messages.dtls.entry(record.content_type.0).or_default() += 1;
    }

    /// Takes what keys showed to be in a record that [`Session::dtls`] had before: a handshake message or an alert.
    pub fn dtls_opened(&mut self, event: &Event<'_>, record: &Record<'_>, datagram: usize) {
        self.handshakes.opened(event, record, datagram);
    }

    /// Whether DTLS was recognised on the way of an event; if so, how long the connection ids are that records there may have.
    #[must_use]
    pub fn dtls_connection_id(&self, event: &Event<'_>) -> Option<Option<u8>> {
        self.dtls.connection_id(event)
    }

    /// Whether ICE runs on the way of an event.
    #[must_use]
    pub fn ice_runs_on(&self, event: &Event<'_>) -> bool {
        self.ice.runs_on(event)
    }

    /// The DTLS associations that are over, to be judged and forgotten.
    pub fn ripe_handshakes(&mut self) -> Vec<Handshake> {
        let ripe = self.handshakes.ripe();
        for gone in &ripe {
            self.servers.add_dtls(gone);
            if let (Some(role), Some(way)) = (gone.acts_on_unseen(), gone.way()) {
                self.clients.coverage.acts_on_unseen(if role == Role::Client {
                    way.client.ip()
                } else {
                    way.server.ip()
                });
            }
        }
        ripe
    }

    /// IP packets of which fragments never came, and what became of all frames; call it before [`Session::finish`].
    pub fn lost_packets(&mut self, packets: &[Incomplete], counts: &Counts) {
        self.handshakes.lost_packets(packets, counts);
    }

    /// Whether IP packets stayed incomplete of which nothing more is known: any datagram may have been among them.
    #[must_use]
    pub fn forgot_packets(&self) -> bool {
        self.handshakes.forgot_packets
    }

    pub(super) fn dtls_icmp(&mut self, frame: u64, error: &IcmpError<'_>) -> bool {
        self.handshakes.icmp(&error.quoted, error.answer(frame), error.mtu, self.now)
    }
}

/// The hash functions by which descriptions tell fingerprints, SHA-256 left out.
pub(super) fn functions_of(signalling: &Signalling) -> Vec<HashFunction> {
    let told = signalling.descriptions().iter().flat_map(|description| &description.fingerprints);
    let mut functions: Vec<HashFunction> = told.filter_map(|told| HashFunction::named(&told.hash)).collect();
    functions.sort_unstable();
    functions.dedup();
    functions.retain(|&function| function != HashFunction::Sha256);
    functions
}
