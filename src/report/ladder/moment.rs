//! What happens on one flow, folded: a message, or several that are alike.

use super::Mark;
use super::flight::Flight;
use super::limits::{FRAMES, MEDIA_PAUSE, PAUSE};
use crate::bounded::BoundedList;
use crate::event::Via;
use crate::net::Endpoint;
use crate::time::{Span, Timestamp};

/// What messages are folded by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A STUN request.
    Request,
    /// A STUN response or indication.
    Stun,
    /// A DTLS handshake flight.
    Flight,
    /// An alert in the clear.
    Alert,
    /// Media and other data that come in numbers.
    Bulk,
    /// What stands for moments that are kept no longer.
    Gap,
}

/// The relay passage of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub via: Via,
    pub relayed: Option<Endpoint>,
    pub peer: Option<Endpoint>,
}

/// One moment of a flow.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    /// Increases along the flow; stays when others go.
    pub id: u64,
    /// Which end of the flow sent it.
    pub from: usize,
    pub kind: Kind,
    pub hop: Option<Hop>,
    pub label: String,
    pub flight: Option<Box<Flight>>,
    /// Messages, retransmissions included.
    pub count: u64,
    /// First copies.
    pub originals: u64,
    /// Of requests: how many were answered.
    pub answered: u64,
    /// Of requests: the moment with their answers.
    pub answer: Option<u64>,
    pub first: Timestamp,
    pub last: Timestamp,
    pub frames: Vec<u64>,
    pub last_frame: u64,
    pub mark: Mark,
    pub remark: String,
    pub both_sides: bool,
}

/// What a message is like, before it is known whether it is folded into another.
pub(super) struct Seen<'a> {
    pub from: usize,
    pub kind: Kind,
    pub hop: Option<Hop>,
    pub label: &'a str,
    pub mark: Mark,
    pub frame: u64,
    pub time: Timestamp,
}

impl Moment {
    pub(super) fn new(id: u64, seen: &Seen<'_>) -> Self {
        Moment {
            id,
            from: seen.from,
            kind: seen.kind,
            hop: seen.hop,
            label: seen.label.to_owned(),
            flight: None,
            count: 1,
            originals: 1,
            answered: 0,
            answer: None,
            first: seen.time,
            last: seen.time,
            frames: vec![seen.frame],
            last_frame: seen.frame,
            mark: seen.mark,
            remark: String::new(),
            both_sides: false,
        }
    }

    /// Whether the message is one more of these.
    pub(super) fn takes(&self, seen: &Seen<'_>) -> bool {
        self.from == seen.from
            && self.kind == seen.kind
            && self.mark == seen.mark
            && self.kind != Kind::Flight
            && self.label == seen.label
            && same_way(self.hop, seen.hop)
            && self.remark.is_empty()
            && seen.time.since(self.last) <= self.pause()
    }

    fn pause(&self) -> Span {
        if self.kind == Kind::Bulk { MEDIA_PAUSE } else { PAUSE }
    }

    /// One more copy, or one more of the kind.
    pub(super) fn add(&mut self, frame: u64, time: Timestamp, original: bool) {
        self.count += 1;
        self.originals += u64::from(original);
        self.last = self.last.max(time);
        if self.last_frame != frame {
            self.last_frame = frame;
            if self.frames.len() < FRAMES && self.kind != Kind::Bulk {
                self.frames.push(frame);
            }
        }
    }

    /// Keeps a frame that shows the same message elsewhere.
    pub(super) fn cite(&mut self, frame: u64) {
        self.frames.push_up_to(FRAMES, frame);
    }

    /// Whether it is kept when others go.
    pub(super) fn matters(&self) -> bool {
        self.mark != Mark::Ok || !self.remark.is_empty() || (self.kind == Kind::Request && self.answered == 0)
    }

    /// Whether what comes after it is not folded with what was before it.
    pub(super) fn is_barrier(&self) -> bool {
        self.mark >= Mark::Note || self.kind == Kind::Alert
    }
}

/// The relayed address of the first messages may be unknown yet.
fn same_way(one: Option<Hop>, other: Option<Hop>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.peer == other.peer && same_carrier(one.via, other.via),
        _ => false,
    }
}

/// Send, Data and ChannelData with one peer are one way; which of them it was matters little.
fn same_carrier(one: Via, other: Via) -> bool {
    matches!(one, Via::Channel(_)) == matches!(other, Via::Channel(_))
}
