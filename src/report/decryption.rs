//! What keys opened, and what they did not.

use super::Tls;
use crate::keys::{Counts, Reason};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was done with the keys that were given, or that the capture holds itself. Nothing of the keys is in it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Decryption {
    /// Connections of which there are keys, in the key logs given and in the capture.
    pub keys: u64,
    /// Blocks of TLS secrets in the capture.
    pub embedded: u64,
    /// Lines in these that are damaged and were passed over.
    pub embedded_damaged: u64,
    /// Blocks of TLS secrets behind all packets, in a capture that is no plain file and so is not read from its end: they opened nothing.
    pub embedded_behind: u64,
    /// TLS connections of TURN that have protected records.
    pub tls_connections: u64,
    /// How many of them were opened, wholly or in part.
    pub tls_opened: u64,
    /// DTLS associations, whatever they carry, of which a ServerHello was seen and protected records.
    pub dtls_associations: u64,
    /// How many of them were opened, wholly or in part.
    pub dtls_opened: u64,
    /// Records that were opened.
    pub opened_records: u64,
    /// Records that were not, by the reason; of a TLS connection by the reason of its first.
    pub shut_records: BTreeMap<String, u64>,
}

impl Decryption {
    /// A TLS connection is over.
    pub(super) fn tls(&mut self, known: &Tls) {
        if known.opened_records + known.shut_records == 0 {
            return;
        }
        self.tls_connections += 1;
        self.tls_opened += u64::from(known.opened_records > 0);
        self.opened_records += known.opened_records;
        if let Some(reason) = &known.shut_reason {
            *self.shut_records.entry(reason.clone()).or_default() += known.shut_records;
        }
    }

    /// What came of DTLS: associations, those opened, records.
    pub(crate) fn dtls(&mut self, associations: u64, opened: u64, records: &Counts) {
        self.dtls_associations = associations;
        self.dtls_opened = opened;
        self.opened_records += records.opened;
        for reason in Reason::ALL {
            if let count @ 1.. = records.sealed_for(reason) {
                *self.shut_records.entry(reason.words().to_owned()).or_default() += count;
            }
        }
    }
}
