//! One flow as it is told: its moments, and what it shows of its two ends.

use super::flight::Flight;
use super::limits::{CHANNELS, FLIGHTS, LOOK_BACK, NAMES};
use super::moment::{Kind, Moment, Seen};
use super::{Mark, moment};
use crate::bounded::BoundedList;
use crate::event::Event;
use crate::net::Endpoint;
use crate::time::{MIRROR, Timestamp};
use crate::wire::dtls::Record;

/// One flow between two endpoints, whichever of them sends.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    /// Who sent the first message, and to whom. Sides are indices into this.
    pub ends: [Endpoint; 2],
    pub first_frame: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The flow of which this is the other side of a NAT: its messages are told there.
    pub twin_of: Option<usize>,
    /// The side that asks a TURN server for something.
    pub turn_by: Option<usize>,
    /// The side that asks what its address is.
    pub binding_by: Option<usize>,
    /// Whether ICE agents check this very path.
    pub ice: bool,
    pub users: Vec<String>,
    /// Local name fragments of each side.
    pub ufrags: [Vec<String>; 2],
    pub relayed: Vec<Endpoint>,
    /// What each side was told to be seen as.
    pub mapped: [Vec<Endpoint>; 2],
    pub channels: Vec<(u16, Endpoint)>,
    /// Whether each side sent anything at all.
    pub heard: [bool; 2],
    /// Whether each side sent media or other data, directly or through a relay.
    pub data: [bool; 2],
    pub allocated: bool,
    pub refused: bool,
    pub checked: bool,
    pub messages: u64,
    /// The last packet of each side.
    last_packet: [Option<Packet>; 2],
    pub moments: Vec<Moment>,
    next: u64,
}

/// What tells a copy by a mirror port from a packet of its own.
#[derive(Clone, Copy, Debug)]
struct Packet {
    frame: u64,
    time: Timestamp,
    ip_id: u32,
    /// Whether the sender gives its packets different identifications.
    counts: bool,
    /// Whether this one is a copy.
    copy: bool,
}

impl Story {
    pub(super) fn new(src: Endpoint, dst: Endpoint, frame: u64, time: Timestamp) -> Self {
        Story { ends: [src, dst], first_frame: frame, first: time, last: time, ..Story::default() }
    }

    /// Which side an endpoint is; on the flow beyond a NAT, the side of its partner here.
    pub(super) fn side(&self, src: Endpoint, dst: Endpoint) -> usize {
        let [one, other] = self.ends;
        usize::from(src == other || (dst == one && src != one))
    }

    /// Whether the message came in a packet that was captured just before, and is here once more by a mirror port: same sender, same IP
    /// identification though these change from packet to packet, and next to no time between.
    pub(super) fn is_copy(&mut self, event: &Event<'_>) -> bool {
        let Some(last) = self.last_packet.get_mut(usize::from(event.src != self.ends[0])) else { return false };
        if let Some(known) = last.filter(|known| known.frame == event.frame) {
            return known.copy;
        }
        let same = last.is_some_and(|known| known.ip_id == event.ip_id);
        let counts = last.is_some_and(|known| known.counts || !same);
        let soon = last.is_some_and(|known| event.time.since(known.time) <= MIRROR);
        let copy = same && soon && counts && event.ip_id != 0;
        *last = Some(Packet { frame: event.frame, time: event.time, ip_id: event.ip_id, counts, copy });
        copy
    }

    /// The moment with this id, if it is kept.
    pub(super) fn moment(&mut self, id: u64) -> Option<&mut Moment> {
        let index = self.moments.binary_search_by_key(&id, |moment| moment.id).ok()?;
        self.moments.get_mut(index)
    }

    /// Tells a message as one more of a moment that is alike and not far back, if there is one; returns its id.
    pub(super) fn add(&mut self, seen: &Seen<'_>) -> Option<u64> {
        let alike = self
            .moments
            .iter_mut()
            .rev()
            .take(LOOK_BACK)
            .take_while(|moment| !moment.is_barrier() || moment.takes(seen))
            .find(|moment| moment.takes(seen))?;
        // several records of a datagram are one message here
        if alike.kind != Kind::Bulk || alike.last_frame != seen.frame {
            alike.add(seen.frame, seen.time, true);
        }
        Some(alike.id)
    }

    /// Tells a message as a new moment.
    pub(super) fn push(&mut self, seen: &Seen<'_>) -> u64 {
        let id = self.next;
        self.next += 1;
        self.moments.push(Moment::new(id, seen));
        id
    }

    /// Tells a DTLS record that belongs to a handshake. Returns whether there is a moment more.
    pub(super) fn handshake(&mut self, seen: &Seen<'_>, record: &Record<'_>) -> bool {
        let same = |moment: &Moment| {
            moment.from == seen.from && moment.hop.map(|hop| hop.peer) == seen.hop.map(|hop| hop.peer)
        };
        let recent = || self.moments.iter().rev().take(LOOK_BACK).filter(|moment| moment.flight.is_some());
        let again =
            recent().find(|moment| same(moment) && moment.flight.as_ref().is_some_and(|flight| flight.has(record)));
        let again = again.map(|moment| moment.id);
        let last = recent().next().filter(|moment| same(moment)).map(|moment| moment.id);
        if let Some(moment) = again.and_then(|id| self.moment(id)) {
            if moment.flight.as_ref().is_some_and(|flight| flight.begins_with(record)) {
                moment.add(seen.frame, seen.time, false);
            } else {
                moment.last = moment.last.max(seen.time);
                moment.last_frame = seen.frame;
            }
            return false;
        }
        if let Some(moment) = last.and_then(|id| self.moment(id)) {
            moment.last = seen.time;
            if moment.last_frame != seen.frame && moment.frames.len() < super::limits::FRAMES {
                moment.frames.push(seen.frame);
            }
            moment.last_frame = seen.frame;
            if let Some(flight) = &mut moment.flight {
                flight.add(record);
                moment.label = flight.label();
            }
            return false;
        }
        let mut flight = Flight::default();
        flight.add(record);
        let id = self.push(&Seen { label: &flight.label(), ..*seen });
        if let Some(moment) = self.moment(id) {
            moment.flight = Some(Box::new(flight));
        }
        let old = self.moments.iter_mut().rev().filter(|moment| moment.flight.is_some()).nth(FLIGHTS);
        if let Some(old) = old {
            old.flight = None;
        }
        true
    }

    /// Lets go of what matters least where there are too many: what is in the middle, and is like what stands before and after it.
    pub(super) fn thin(&mut self, most: usize) -> usize {
        let before = self.moments.len();
        if before < most {
            return 0;
        }
        let (head, tail) = (most / 4, before - most / 4);
        let mut room = most / 4;
        let mut kept: Vec<Moment> = Vec::with_capacity(most);
        for (index, moment) in std::mem::take(&mut self.moments).into_iter().enumerate() {
            let in_middle = index >= head && index < tail;
            if !in_middle || (moment.kind != Kind::Gap && moment.matters() && room > 0) {
                room -= usize::from(in_middle);
                kept.push(moment);
                continue;
            }
            match kept.last_mut().filter(|last| last.kind == Kind::Gap) {
                Some(gap) => {
                    gap.count += moment.count;
                    gap.last = gap.last.max(moment.last);
                    gap.last_frame = moment.last_frame;
                }
                None => kept.push(Moment {
                    kind: Kind::Gap,
                    label: String::new(),
                    hop: None,
                    flight: None,
                    mark: Mark::Ok,
                    remark: String::new(),
                    ..moment
                }),
            }
        }
        self.moments = kept;
        before.saturating_sub(self.moments.len())
    }

    pub(super) fn learn_channel(&mut self, channel: u16, peer: Endpoint) {
        let full = self.channels.len() >= CHANNELS;
        match self.channels.iter_mut().find(|(number, _)| *number == channel) {
            Some(known) => known.1 = peer,
            None if !full => self.channels.push((channel, peer)),
            None => {}
        }
    }

    pub(super) fn peer_of(&self, channel: u16) -> Option<Endpoint> {
        self.channels.iter().find(|(number, _)| *number == channel).map(|(_, peer)| *peer)
    }
}

/// Adds a value to a bounded list of different ones.
pub(super) fn learn<T: PartialEq>(list: &mut Vec<T>, value: T) {
    list.push_new_up_to(NAMES, value);
}

/// The client's side of a flow with a server, if it is one.
pub(super) fn asker(story: &Story) -> Option<usize> {
    story.turn_by.or(if story.ice { None } else { story.binding_by })
}

/// The passage of the moment, with what the flow learned of the channel since.
pub(super) fn hop(story: &Story, moment: &Moment) -> Option<moment::Hop> {
    let mut hop = moment.hop?;
    if let (None, crate::event::Via::Channel(channel)) = (hop.peer, hop.via) {
        hop.peer = story.peer_of(channel);
    }
    if hop.relayed.is_none() && story.relayed.len() == 1 {
        hop.relayed = story.relayed.first().copied();
    }
    Some(hop)
}
