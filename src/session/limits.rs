//! All bounds on what a session remembers, in one place.

/// How much is remembered at most. Each kind of flood alone keeps the whole analysis under 96 MiB, but for clients that never come again: as many
/// flows as there may be, each with its conversation, are 120 MiB, and 138 MiB where ICMP turns each of them away or each asks for many
/// permissions. A capture that fills every list at once, TCP and the end of the capture included, was measured at 141 MiB; `tests/bounds.rs` holds
/// it under 160 MiB.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// UDP flows at one time; the idle ones make room.
    pub flows: usize,
    /// Transactions at one time, within the 40 s that each is kept; those that were answered make room.
    /// This, like [`Limits::clients`], is what fits a hash table whose size is a power of 2.
    pub transactions: usize,
    /// Distinct user names, realms and reason phrases.
    pub names: usize,
    /// Bytes of those.
    pub name_bytes: usize,
    /// Client addresses of which the outcome is remembered.
    pub clients: usize,
    /// Servers.
    pub servers: usize,
    /// Allocations of flows that are over.
    pub lents: usize,
    /// NAT mappings.
    pub mappings: usize,
    /// Exchanges that are kept though nothing is odd about them, so that a report can list them.
    pub ordinary_exchanges: usize,
    /// Exchanges that are kept at one time; beyond it the conversations that were silent longest are judged as far as they went.
    pub exchanges: usize,
    /// Flows at one time beyond which one that is done goes as soon as no answer can come any more, instead of being watched on.
    pub crowded: usize,
    /// ICE sessions at one time.
    pub ice_sessions: usize,
    /// Candidate pairs of all of them; one takes about 400 bytes, or 700 where checks were answered both ways.
    pub ice_pairs: usize,
    /// Candidate pairs of one session.
    pub ice_pairs_of_session: usize,
    /// Nonces whose first user is remembered.
    pub nonces: usize,
    /// RTP streams at one time, and paths that they take; the idle ones make room, and as many of these are kept for the report.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            flows: 65_536,
            transactions: 49_152,
            names: 114_688,
            name_bytes: 8 << 20,
            clients: 28_672,
            servers: 1_024,
            lents: 7_168,
            mappings: 7_168,
            ordinary_exchanges: 1_024,
            exchanges: 6_656,
            crowded: 8_192,
            ice_sessions: 4_096,
            ice_pairs: 8_192,
            ice_pairs_of_session: 64,
            nonces: 8_192,
            streams: 3_584,
        }
    }
}
