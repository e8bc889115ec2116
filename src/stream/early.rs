//! Resets that stand in the capture just before the SYNs that they answer, as the queues of a capture card, or interfaces that were merged, may have them.

use crate::frame::{OUT_OF_ORDER, Seen};
use crate::packet::Segment;

/// How many are held at one time.
const MAX: usize = 16;

/// The last resets of connections that are not known.
#[derive(Debug, Default)]
pub(super) struct EarlyResets {
    held: [Option<(Seen, Segment<'static>)>; MAX],
    next: usize,
}

impl EarlyResets {
    /// Holds a segment, if it may answer a SYN by a reset (RFC 9293 §3.5.2).
    #[cold]
    pub(super) fn hold(&mut self, at: Seen, segment: &Segment<'_>) {
        if segment.flags.rst() && segment.flags.ack() {
            if let Some(place) = self.held.get_mut(self.next) {
                *place = Some((at, Segment { payload: &[], length: 0, ..*segment }));
            }
            self.next = (self.next + 1) % MAX;
        }
    }

    /// The reset that answers this SYN.
    pub(super) fn answer_to(&mut self, syn: &Segment<'_>, at: Seen) -> Option<(Seen, Segment<'static>)> {
        let answers = |(then, reset): &(Seen, Segment<'_>)| {
            (reset.src, reset.dst, reset.ack) == (syn.dst, syn.src, syn.seq.wrapping_add(1))
                && at.time.apart(then.time) <= OUT_OF_ORDER
        };
        self.held.iter_mut().find(|held| held.as_ref().is_some_and(answers))?.take()
    }
}
