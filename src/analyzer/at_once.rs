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
use std::io::Read;

/// A frame that lies ready, as far as it was looked at.
struct Prepared<'c> {
    frame: Frame<'c>,
    /// The plain UDP datagram in it.
    datagram: Option<Datagram<'c>>,
}

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
    pub fn at_once<R: Read>(
        &mut self,
        capture: &Capture<R>,
        before: u64,
        sink: &mut impl FnMut(&Row<'_>),
        more: impl Fn() -> bool,
    ) -> (Ahead, usize) {
        let mut frames: [Option<Prepared<'_>>; FORESEEN] = [const { None }; FORESEEN];
        let mut expected: [Option<Expectation>; FORESEEN] = [None; FORESEEN];
        let session = &self.core.session;
        let mut slots = frames.iter_mut().zip(&mut expected);
        let ahead = capture.ahead(FORESEEN, |frame| {
            let Some((slot, expectation)) = slots.next() else { return };
            let datagram = Packets::peek(&frame);
            if let Some(datagram) = &datagram
                && let Some((message_type, id)) = plain_stun(datagram)
            {
                *expectation = Some(session.foresee(datagram.src, datagram.dst, message_type, id));
            }
            *slot = Some(Prepared { frame: Frame { number: frame.number + before, ..frame }, datagram });
        });
        session.look_ahead(&mut expected);
        let mut taken = 0;
        for prepared in frames.iter().flatten() {
            self.core.session.look_beyond(&mut expected, taken);
            self.prepared(prepared, expected.get(taken).and_then(Option::as_ref), sink);
            taken += 1;
            if !more() {
                break;
            }
        }
        (ahead, taken)
    }

    #[inline]
    fn prepared(
        &mut self,
        Prepared { frame, datagram }: &Prepared<'_>,
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
