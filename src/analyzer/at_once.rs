//! Many frames at once, for captures with very many flows: while they are taken one by one, what those behind them need is looked up and asked
//! for.

use super::Analyzer;
use crate::capture::{Ahead, Capture};
use crate::event::Row;
use crate::frame::Frame;
use crate::packet::{Datagram, Packets};
use crate::session::{Expectation, FORESEEN};
use crate::wire::dns;
use crate::wire::stun::{Message, TransactionId};
use arrayvec::ArrayVec;
use std::io::Read;

impl Analyzer {
    /// Whether there is so much that taking frames many at a time pays.
    #[must_use]
    #[inline]
    pub fn is_large(&self) -> bool {
        self.core.session.is_large()
    }

    /// Takes the frames that a capture holds ready, for as long as `more` says so, as so many calls of [`Analyzer::frame`] would; with very many
    /// flows they take less than half the time so. `before` is added to the numbers of the frames. Gives what to
    /// [pass over](Capture::pass_over).
    #[inline(never)] // beside it the loop over single frames would have fewer registers
    pub fn at_once<R: Read>(
        &mut self,
        capture: &Capture<R>,
        before: u64,
        sink: &mut impl FnMut(&Row<'_>),
        more: impl Fn() -> bool,
    ) -> (Ahead, usize) {
        // each by itself: what is as large as all three together is copied twice
        let mut frames = ArrayVec::<_, FORESEEN>::new();
        let mut datagrams = ArrayVec::<_, FORESEEN>::new();
        let mut expected = ArrayVec::<_, FORESEEN>::new();
        let session = &self.core.session;
        let ahead = capture.ahead(FORESEEN, |frame| {
            let datagram = Packets::peek(&frame);
            let head = datagram.as_ref().and_then(|datagram| Some((datagram, plain_stun(datagram)?)));
            expected.push(head.map(|(Datagram { src, dst, .. }, (kind, id))| session.foresee(*src, *dst, kind, id)));
            datagrams.push(datagram);
            frames.push(Frame { number: frame.number + before, ..frame });
        });
        session.look_ahead(&mut expected);
        let mut taken = 0;
        for (frame, datagram) in frames.iter().zip(&datagrams) {
            self.core.session.look_beyond(&mut expected, taken);
            self.prepared((frame, datagram.as_ref()), expected.get(taken).and_then(Option::as_ref), sink);
            taken += 1;
            if !more() {
                break;
            }
        }
        (ahead, taken)
    }

    /// Takes a frame with the plain UDP datagram in it, if it holds one, and what was found for that, if it is a plain STUN message.
    #[inline]
    fn prepared(
        &mut self,
        (frame, datagram): (&Frame<'_>, Option<&Datagram<'_>>),
        expected: Option<&Expectation>,
        sink: &mut impl FnMut(&Row<'_>),
    ) {
        let Some(datagram) = datagram else { return self.frame(frame, sink) };
        let Some(time) = self.begin(frame, sink) else { return };
        self.packets.count_datagram();
        let core = &mut self.core;
        if let Some(expected) = expected
            && let Some(message) = Message::exact(datagram.payload)
        {
            let flow = core.session.expect(expected);
            core.stun_datagram(frame.number, time, (datagram, message), flow, sink);
        } else {
            core.datagram(frame.number, time, datagram, sink);
        }
    }
}

/// Type and id of the STUN message that a datagram is, if it is nothing but a plain one and comes from no port of another protocol.
#[inline(always)]
fn plain_stun(datagram: &Datagram<'_>) -> Option<(u16, TransactionId)> {
    let of_dns = datagram.src.port() == dns::PORT || datagram.dst.port() == dns::PORT;
    if of_dns || datagram.truncated { None } else { Message::exact_head(datagram.payload) }
}
