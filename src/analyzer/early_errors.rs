//! ICMP errors that stand in the capture just before the packets that they quote, as the queues of a capture card, or interfaces that were merged, may have
//! them. One that quotes the first packet of something is held for a moment.

use super::Core;
use crate::event::Row;
use crate::frame::{OUT_OF_ORDER, Seen};
use crate::net::protocol::{TCP, UDP};
use crate::packet::{IcmpError, Quoted};
use crate::stream::Streams;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// How many are held at one time, and of how many bytes that they quote.
const MAX: usize = 64;
const MAX_BYTES: usize = 2048;

/// The errors that are held, in the order of the capture, each with the bytes that it quotes.
#[derive(Debug, Default)]
pub(super) struct EarlyErrors(VecDeque<(Seen, IcmpError<'static>, Vec<u8>)>);

impl EarlyErrors {
    /// Whether the first of them was held long enough.
    #[inline(always)]
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.0.front().is_some_and(|(at, ..)| now.apart(at.time) > OUT_OF_ORDER)
    }
}

impl Core {
    /// Takes an ICMP error, at once or in a moment.
    #[cold]
    pub(super) fn icmp_error(
        &mut self,
        streams: &mut Streams,
        at: Seen,
        error: &IcmpError<'_>,
        sink: &mut impl FnMut(&Row<'_>),
    ) {
        self.session.hears(error.receiver);
        if !self.quotes_what_is_to_come(streams, &error.quoted) {
            return self.turned_back(streams, at, error, sink);
        }
        if self.early.0.len() >= MAX {
            self.release_error(streams, sink);
        }
        let quoted = Quoted { payload: &[], ..error.quoted };
        self.early.0.push_back((at, IcmpError { quoted, ..*error }, error.quoted.payload.to_vec()));
    }

    /// Whether what an error quotes begins a conversation, a handshake or a connection of which nothing was seen yet.
    fn quotes_what_is_to_come(&self, streams: &Streams, quoted: &Quoted<'_>) -> bool {
        let (src, dst) = (quoted.src, quoted.dst);
        let begins = matches!(quoted.payload.first(), Some(0..=3 | 20..=63)) && quoted.payload.len() <= MAX_BYTES;
        quoted.has_ports()
            && match quoted.protocol {
                TCP => !streams.is_known(src, dst),
                UDP => begins && self.session.flows().find(src, dst).is_none(),
                _ => false,
            }
    }

    /// Takes the errors that were held long enough at a time, or all that are.
    #[cold]
    pub(super) fn release_errors(
        &mut self,
        streams: &mut Streams,
        now: Option<Timestamp>,
        sink: &mut impl FnMut(&Row<'_>),
    ) {
        while now.map_or(!self.early.0.is_empty(), |now| self.early.is_due(now)) {
            self.release_error(streams, sink);
        }
    }

    fn release_error(&mut self, streams: &mut Streams, sink: &mut impl FnMut(&Row<'_>)) {
        let Some((at, error, payload)) = self.early.0.pop_front() else { return };
        let quoted = Quoted { payload: &payload, ..error.quoted };
        self.turned_back(streams, at, &IcmpError { quoted, ..error }, sink);
    }

    fn turned_back(&mut self, streams: &mut Streams, at: Seen, error: &IcmpError<'_>, sink: &mut impl FnMut(&Row<'_>)) {
        self.session.icmp(at.frame, error);
        streams.icmp(at, error, &mut |item| self.streamed(&item, sink));
    }
}
