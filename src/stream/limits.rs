//! All bounds on what is remembered of TCP, in one place.

/// How much is remembered at most. The defaults keep all streams together under 32 MiB whatever the capture holds: 16 MiB of bytes that
/// wait, and as much for the connections themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time; those that were silent longest make room.
    pub connections: usize,
    /// Bytes of one direction that wait for those before them.
    pub held: usize,
    /// Segments of one direction that wait for those before them.
    pub segments: usize,
    /// Bytes of all connections that wait, those of messages that are not complete among them.
    pub total: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { connections: 16_384, held: 128 << 10, segments: 256, total: 16 << 20 }
    }
}
