//! Flights: what one end sends before it waits for the other (RFC 6347 §4.2.4, RFC 9147 §5.7).

use super::association::Role;
use crate::session::conversations::exchange::Seen;
use crate::session::tables::few::Few;
use crate::wire::handshake::HandshakeType;

/// How many transmissions of a flight are kept.
const MAX_TIMES: usize = 12;
/// How many kinds of messages of a flight are kept.
const MAX_KINDS: usize = 12;

/// One flight, with all its transmissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Who sent it.
    pub from: Role,
    /// The messages in it, in order: those in the clear, [`What::ChangeCipherSpec`] and [`What::Protected`].
    pub messages: Vec<What>,
    /// Its first record.
    pub first: Seen,
    /// Its last record, of the last transmission.
    pub last: Seen,
    /// When each transmission began, the first 12.
    pub times: Few<Seen>,
    /// How often it was sent again.
    pub repeated: u32,
    /// Bytes of its largest and its smallest datagram.
    pub datagrams: (u32, u32),
    /// The message numbers in the clear, first and last.
    pub(super) numbers: Option<(u16, u16)>,
    /// Message number and offset of the latest fragment: where it goes back, a transmission begins.
    pub(super) cursor: (u16, u32),
    /// The length of its first protected record: where it comes again much later, the flight is sent again.
    pub(super) sealed: Option<usize>,
}

/// One thing in a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A message in the clear.
    Message(HandshakeType),
    /// The ServerHello that is a HelloRetryRequest.
    HelloRetryRequest,
    /// ChangeCipherSpec.
    ChangeCipherSpec,
    /// A protected handshake record: Finished up to DTLS 1.2, anything in DTLS 1.3.
    Protected,
}

impl What {
    /// Its name: `Certificate`, `(encrypted)`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            What::Message(kind) => kind.to_string(),
            What::HelloRetryRequest => "HelloRetryRequest".to_owned(),
            What::ChangeCipherSpec => "ChangeCipherSpec".to_owned(),
            What::Protected => "(encrypted)".to_owned(),
        }
    }
}

impl Flight {
    pub(in crate::session) fn new(from: Role, seen: Seen, datagram: u32) -> Flight {
        Flight {
            from,
            messages: Vec::new(),
            first: seen,
            last: seen,
            times: Few::One(seen),
            repeated: 0,
            datagrams: (datagram, datagram),
            numbers: None,
            cursor: (0, 0),
            sealed: None,
        }
    }

    /// Takes note of something new in it.
    pub(in crate::session) fn add(&mut self, what: What, seen: Seen, datagram: u32) {
        if self.messages.last() != Some(&what) && self.messages.len() < MAX_KINDS {
            self.messages.push(what);
        }
        self.touch(seen, datagram);
    }

    /// Takes note that a message was in it that was not known to be whole.
    pub(super) fn name(&mut self, what: What) {
        if !self.messages.contains(&what) && self.messages.len() < MAX_KINDS {
            self.messages.push(what);
        }
    }

    /// Takes a message in the clear that belongs before what came of it so far: the datagram with it was lost at first. Whether it does.
    pub(super) fn precede(&mut self, from: Role, what: What, number: u16) -> bool {
        use HandshakeType as H;
        let alone = matches!(what, What::Message(H::CLIENT_HELLO | H::HELLO_VERIFY_REQUEST) | What::HelloRetryRequest);
        let Some((first, last)) =
            self.numbers.filter(|(first, _)| self.from == from && !alone && number.checked_add(1) == Some(*first))
        else {
            return false;
        };
        self.numbers = Some((first.min(number), last));
        if self.messages.len() < MAX_KINDS {
            self.messages.insert(0, what);
        }
        true
    }

    /// Whether something new of the same sender can no more belong to it: hellos that wait for an answer end a flight, and so does
    /// ServerHelloDone. Else a capture of one direction would show one long flight.
    pub(super) fn is_over_before(&self, new: What) -> bool {
        use HandshakeType as H;
        let Some(&last) = self.messages.last() else { return false };
        match last {
            What::Message(H::CLIENT_HELLO | H::HELLO_VERIFY_REQUEST | H::SERVER_HELLO_DONE) => last != new,
            What::HelloRetryRequest => true,
            _ => false,
        }
    }

    /// Takes note of another record of it.
    pub(super) fn touch(&mut self, seen: Seen, datagram: u32) {
        self.last = seen;
        let (largest, smallest) = self.datagrams;
        self.datagrams = (largest.max(datagram), smallest.min(datagram));
    }

    /// It is sent once more.
    pub(super) fn again(&mut self, seen: Seen) {
        self.repeated = self.repeated.saturating_add(1);
        if self.times.len() < MAX_TIMES {
            self.times.push(seen);
        }
    }

    /// Whether a message in the clear with this number is part of it.
    pub(super) fn holds(&self, from: Role, number: u16) -> bool {
        self.from == from && self.numbers.is_some_and(|(first, last)| (first..=last).contains(&number))
    }
}
