//! Points in time, as captures tell them: nanoseconds since 1970 and nothing else.
//!
//! The library never asks a clock. Everything that depends on time takes it from frames.

use std::fmt;

/// Nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted (as in pcap and pcapng).
///
/// The range reaches from 1677 to 2262; readers saturate what a capture puts outside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A length of capture time in nanoseconds; negative where a clock went back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub i64);

/// Two packets with the same content closer than this are copies made by the capture, as by a mirror port, never sent again: the shortest
/// retransmission timer in use is 50 ms.
pub const MIRROR: Span = Span::from_millis(2);
/// The same, of packets that their host gave a number, since it gives no two the same nor sends a message again so soon, and of SYNs, which are not
/// sent again before 200 ms.
pub const NUMBERED_MIRROR: Span = Span::from_millis(20);

/// Whether two packets with the same content are one, captured twice, by their IPv4 identifications and the time between them. Hosts that never let packets be
/// fragmented may leave the identification at 0.
#[must_use]
pub fn is_mirrored([one, other]: [u32; 2], gap: Span) -> bool {
    one == other && gap < if one == 0 { MIRROR } else { NUMBERED_MIRROR }
}

impl Timestamp {
    /// The time that has passed from `earlier` to `self`; negative if `earlier` is later. Saturates.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// The time between this one and another, whichever is earlier; never negative.
    #[must_use]
    pub fn apart(self, other: Timestamp) -> Span {
        self.max(other).since(self.min(other))
    }

    /// What passed since `earlier`; `None` where the clock says that it is yet to come, for it was set back.
    #[must_use]
    #[inline]
    pub fn passed_since(self, earlier: Timestamp) -> Option<Span> {
        let passed = self.since(earlier);
        (passed.0 >= 0).then_some(passed)
    }

    /// The time `span` after this one. Saturates.
    #[must_use]
    pub fn after(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }

    /// The time `span` before this one. Saturates.
    #[must_use]
    pub fn before(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }

    /// Whole seconds since 1970, rounded towards the past.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }
}

impl Span {
    /// A span of whole seconds. Saturates.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Span {
        Span(seconds.saturating_mul(1_000_000_000))
    }

    /// A span of whole milliseconds. Saturates.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Span {
        Span(millis.saturating_mul(1_000_000))
    }

    /// A span of whole microseconds. Saturates.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Span {
        Span(micros.saturating_mul(1000))
    }

    /// Whole microseconds, rounded towards zero.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0 / 1000
    }

    /// Whole seconds, rounded towards zero.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0 / 1_000_000_000
    }
}

impl fmt::Display for Span {
    /// In the unit that a person would pick: `850 µs`, `12.3 ms`, `4.0 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        match nanos {
            0..1_000_000 => write!(f, "{sign}{} µs", nanos / 1000),
            1_000_000..1_000_000_000 => {
                write!(f, "{sign}{}.{} ms", nanos / 1_000_000, nanos / 100_000 % 10)
            }
            _ => write!(f, "{sign}{}.{} s", nanos / 1_000_000_000, nanos / 100_000_000 % 10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_in_the_unit_that_fits() {
        assert_eq!(Span(850_000).to_string(), "850 µs");
        assert_eq!(Span(12_340_000).to_string(), "12.3 ms");
        assert_eq!(Span::from_secs(4).to_string(), "4.0 s");
        assert_eq!(Span(-1_500_000_000).to_string(), "-1.5 s");
    }

    #[test]
    fn arithmetic_saturates_at_the_ends_of_the_range() {
        assert_eq!(Timestamp(i64::MAX).after(Span(1)), Timestamp(i64::MAX));
        assert_eq!(Timestamp(i64::MIN).before(Span(1)), Timestamp(i64::MIN));
        assert_eq!(Timestamp(i64::MIN).since(Timestamp(1)), Span(i64::MIN));
    }
}
