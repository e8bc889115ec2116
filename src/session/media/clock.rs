//! The clock of a stream's timestamps, and its jitter by that clock (RFC 3550 §6.4.1, A.8).
//!
//! Without signalling the rate of a dynamic payload type is not told anywhere. It shows in the timestamps: over a second or more they advance
//! by the rate, as the capture's clock has it, whatever the network did to single packets. The rate is taken for known when what was seen
//! is close to a usual one, and is looked at again over the whole stream before a jitter is told.

use crate::time::{Span, Timestamp};
use crate::wire::rtp;

/// The clocks in use (RFC 3551, 7587, 4867, 3640, 5574): ticks a second.
const USUAL: [u32; 7] = [8_000, 16_000, 24_000, 32_000, 44_100, 48_000, 90_000];
/// How far from a usual rate one may be that is taken for it, in per cent: 44.1 and 48 kHz are 8 % apart.
const TOLERANCE: u64 = 4;
/// The same where the whole stream is compared with what was assumed early on.
const CONTRADICTION: u64 = 12;
/// A rate is looked for after this time, and where it is not clear then, after twice as much, and so on.
const FIRST_LOOK: Span = Span::from_secs(1);
/// How often it is looked for.
const LOOKS: u8 = 7;
/// Timestamps that jump further than this, against the capture's clock, have begun anew.
const DISCONTINUITY: i64 = 5_000_000_000;
/// Beyond this the timestamps may have wrapped.
const LONGEST: Span = Span::from_secs(6 * 3600);

/// A stream's clock and its jitter so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// Where counting began.
    anchor: Timestamp,
    anchor_ticks: u32,
    last_ticks: u32,
    /// Ticks a second; 0 while it is not known.
    rate: u32,
    /// The payload type that it is of.
    payload_type: u8,
    looks: u8,
    /// The estimate of RFC 3550, in sixteenths of a nanosecond.
    estimate: u64,
    /// The sum of the estimates after each packet, in nanoseconds.
    sum: u64,
    count: u32,
    /// The highest estimate, in microseconds.
    max: u32,
    /// The ticks and the rate that were divided last, and what came of it.
    divided: (i32, u32),
    quotient: i64,
}

/// Interarrival jitter (RFC 3550 §6.4.1) of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jitter {
    /// Ticks a second of the clock that it was measured with.
    pub clock: u32,
    /// The mean of the estimates after each packet.
    pub mean: Span,
    /// The highest.
    pub max: Span,
}

impl Clock {
    pub(super) fn new(payload_type: u8, ticks: u32, time: Timestamp) -> Clock {
        let rate = rtp::static_clock(payload_type).unwrap_or(0);
        let (anchor, anchor_ticks, last_ticks) = (time, ticks, ticks);
        Clock { anchor, anchor_ticks, last_ticks, rate, payload_type, ..Clock::default() }
    }

    /// Takes the timestamp of a packet that came `after` the one before.
    #[inline]
    pub(super) fn take(&mut self, payload_type: u8, ticks: u32, time: Timestamp, after: Span) {
        if payload_type != self.payload_type {
            self.other_payload(payload_type, ticks, time);
            return;
        }
        let advance = ticks.wrapping_sub(self.last_ticks).cast_signed();
        self.last_ticks = ticks;
        if self.rate == 0 {
            self.look(ticks, time);
            return;
        }
        let sent = self.span(advance);
        let apart = after.0.saturating_sub(sent).unsigned_abs();
        if apart > DISCONTINUITY.unsigned_abs() {
            self.restart(ticks, time);
            return;
        }
        self.estimate = self.estimate + apart - ((self.estimate + 8) >> 4);
        let estimate = self.estimate >> 4;
        self.sum = self.sum.saturating_add(estimate);
        self.count = self.count.saturating_add(1);
        self.max = self.max.max(u32::try_from(estimate / 1000).unwrap_or(u32::MAX));
    }

    /// How long so many ticks are, in nanoseconds. Most streams advance by the same again and again, or not at all, and a division is the dearest
    /// thing that a packet costs.
    #[inline]
    fn span(&mut self, ticks: i32) -> i64 {
        if ticks == 0 {
            return 0;
        }
        if self.divided != (ticks, self.rate) {
            // 2^31 ticks of 10^9 ns fit an i64
            self.quotient = i64::from(ticks) * 1_000_000_000 / i64::from(self.rate);
            self.divided = (ticks, self.rate);
        }
        self.quotient
    }

    /// A packet came out of which nothing is learned but that the next one follows it.
    pub(super) fn restart(&mut self, ticks: u32, time: Timestamp) {
        (self.anchor, self.anchor_ticks, self.last_ticks) = (time, ticks, ticks);
    }

    /// Another payload type may have another clock; what was measured stands where one was known.
    fn other_payload(&mut self, payload_type: u8, ticks: u32, time: Timestamp) {
        if self.rate == 0 {
            *self = Clock::new(payload_type, ticks, time);
        } else {
            // events and comfort noise come in between: the next of the own payload type is not compared with them
            self.last_ticks = ticks;
        }
    }

    #[cold]
    fn look_now(&mut self, ticks: u32, elapsed: u64) {
        self.looks += 1;
        let passed = ticks.wrapping_sub(self.anchor_ticks);
        let seen = u64::from(passed) * 1_000_000_000 / elapsed.max(1);
        self.rate = USUAL.into_iter().find(|&rate| close(seen, rate, TOLERANCE)).unwrap_or(0);
    }

    #[inline]
    fn look(&mut self, ticks: u32, time: Timestamp) {
        let elapsed = time.since(self.anchor);
        if self.looks < LOOKS && elapsed.0 >> self.looks >= FIRST_LOOK.0 {
            self.look_now(ticks, elapsed.0.unsigned_abs());
        }
    }

    /// Whether a timestamp is one that the stream would have so long `after` its last packet.
    pub(super) fn goes_on(&self, ticks: u32, after: Span) -> bool {
        if self.rate == 0 {
            return false;
        }
        let advance = i64::from(ticks.wrapping_sub(self.last_ticks).cast_signed());
        let sent = advance * 1_000_000_000 / i64::from(self.rate);
        after.0.saturating_sub(sent).unsigned_abs() < FIRST_LOOK.0.unsigned_abs()
    }

    /// The jitter of a stream that ended at `last`; `None` where the clock is not known, or where the whole stream speaks against it.
    pub(super) fn jitter(&self, last: Timestamp) -> Option<Jitter> {
        let elapsed = last.since(self.anchor);
        if self.rate == 0 || self.count == 0 {
            return None;
        }
        if elapsed >= FIRST_LOOK && elapsed < LONGEST {
            let passed = self.last_ticks.wrapping_sub(self.anchor_ticks);
            let seen = u64::from(passed) * 1_000_000_000 / elapsed.0.unsigned_abs().max(1);
            if !close(seen, self.rate, CONTRADICTION) {
                return None;
            }
        }
        let mean = self.sum / u64::from(self.count);
        Some(Jitter {
            clock: self.rate,
            mean: Span(i64::try_from(mean).unwrap_or(i64::MAX)),
            max: Span::from_micros(self.max.into()),
        })
    }
}

/// Whether a rate is so many per cent from a usual one at most.
fn close(seen: u64, usual: u32, per_cent: u64) -> bool {
    let usual = u64::from(usual);
    seen.abs_diff(usual) * 100 <= usual * per_cent
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock fed with packets every 20 ms of capture time, `ticks` apart, delayed by what `delay` says in microseconds.
    fn fed(payload_type: u8, ticks: u32, packets: u32, delay: impl Fn(u32) -> i64) -> (Clock, Timestamp) {
        let at = |number: u32| Timestamp((i64::from(number) * 20_000 + delay(number)) * 1000);
        let mut clock = Clock::new(payload_type, 7, at(0));
        for number in 1..packets {
            let after = at(number).since(at(number - 1));
            clock.take(payload_type, 7_u32.wrapping_add(number.wrapping_mul(ticks)), at(number), after);
        }
        (clock, at(packets - 1))
    }

    #[test]
    fn the_clock_of_a_dynamic_payload_type_shows_in_its_timestamps() {
        for (ticks, rate) in [(160, 8_000), (320, 16_000), (960, 48_000), (1800, 90_000)] {
            let (clock, last) = fed(111, ticks, 100, |number| i64::from(number % 3) * 1000);
            assert_eq!(clock.jitter(last).map(|jitter| jitter.clock), Some(rate));
        }
    }

    #[test]
    fn timestamps_that_follow_no_clock_give_no_jitter() {
        let (clock, last) = fed(111, 1, 500, |_| 0);
        assert_eq!(clock.jitter(last), None);
    }

    #[test]
    fn a_payload_type_with_a_clock_for_good_is_not_believed_against_the_timestamps() {
        let (clock, last) = fed(0, 160, 200, |_| 0);
        assert_eq!(clock.jitter(last).map(|jitter| jitter.clock), Some(8_000));
        let (clock, last) = fed(0, 960, 200, |_| 0);
        assert_eq!(clock.jitter(last), None);
    }

    #[test]
    fn packets_that_come_alternately_early_and_late_jitter_by_as_much() {
        let (clock, last) = fed(0, 160, 2000, |number| i64::from(number % 2) * 4000);
        let jitter = clock.jitter(last).unwrap();
        assert!((3_900..=4_000).contains(&jitter.max.micros()), "{jitter:?}");
        let (clock, last) = fed(0, 160, 2000, |_| 0);
        assert_eq!(clock.jitter(last).map(|jitter| jitter.max), Some(Span(0)));
    }
}
