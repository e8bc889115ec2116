//! The UDP flows and TCP connections on which STUN, TURN, DTLS or media was seen: one entry a pair of addresses.

use super::conversations::conversation::Conversation;
use super::conversations::exchange::Seen;
use super::media::WayId;
use super::tables::index::Index;
use super::tables::keyed::Keyed;
use crate::net::{Endpoint, Transport};
use crate::time::{Span, Timestamp};
use crate::wire::stun::TransactionId;
use std::cell::Cell;

/// The number of a flow in its table; a slot that is used again gives another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId {
    slot: u32,
    generation: u32,
}

/// The two ends of a flow, the lower address first; of a TCP connection the higher one first. A UDP flow and a TCP connection between the same
/// ports are so two flows, at no cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ends {
    /// The lower end; of a TCP connection the higher one.
    pub low: Endpoint,
    /// The other end.
    pub high: Endpoint,
}

impl Ends {
    /// The ends of a datagram's flow.
    #[must_use]
    pub fn of(src: Endpoint, dst: Endpoint) -> Ends {
        if src <= dst { Ends { low: src, high: dst } } else { Ends { low: dst, high: src } }
    }

    /// The ends of the flow of a message that came this way.
    #[must_use]
    #[inline]
    pub fn on(transport: Transport, src: Endpoint, dst: Endpoint) -> Ends {
        let Ends { low, high } = Ends::of(src, dst);
        if transport.is_stream() { Ends { low: high, high: low } } else { Ends { low, high } }
    }

    /// Whether they are those of a TCP connection.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.low > self.high
    }
}

/// Messages of one kind in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many datagrams.
    pub packets: u64,
    /// How many bytes of payload.
    pub bytes: u64,
    /// When the last was seen; meaningless where there was none.
    pub last: Timestamp,
}

impl Traffic {
    /// Counts a datagram.
    pub fn add(&mut self, bytes: usize, time: Timestamp) {
        self.packets += 1;
        self.bytes += bytes as u64;
        self.last = time;
    }
}

/// Connectivity checks of ICE in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Requests sent, retransmissions included.
    pub sent: u32,
    /// Requests answered by success.
    pub answered: u32,
}

/// What was seen in one direction of a flow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direction {
    /// DTLS, RTP and RTCP.
    pub data: Traffic,
    /// Connectivity checks that were sent this way, and their answers.
    pub checks: Checks,
    /// STUN responses without a request in the capture.
    pub orphans: u32,
}

/// One flow. What every packet touches comes first, in two cache lines.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Flow {
    /// Its ends.
    pub ends: Ends,
    /// Its last message.
    pub last: Seen,
    /// What client and server said to each other, if one end is a STUN or TURN server.
    pub conversation: Option<Box<Conversation>>,
    /// When the last datagram was seen from the lower end and from the higher end; meaningless where there was none.
    pub heard: [Timestamp; 2],
    /// Datagrams that are STUN, ChannelData, DTLS or media, from the lower end and from the higher end.
    pub packets: [u32; 2],
    /// The last request, and whether it is waiting.
    asked: TransactionId,
    is_waiting: bool,
    /// Whether STUN was seen.
    pub stun: bool,
    /// ChannelData on a flow of which nothing else was seen: how often it looked right.
    pub channel_guesses: u8,
    /// Odd where the flow is over and waits to be judged, or is none.
    generation: u32,
    /// Where the path of its last media is.
    pub media: Option<WayId>,
    /// The flow that is the same one seen on the other side of a NAT.
    pub twin_of: Option<FlowId>,
    /// From the lower end, from the higher end.
    pub directions: [Direction; 2],
    /// Its first message.
    pub first: Seen,
}

impl Flow {
    /// What is in a slot without a flow.
    fn none(generation: u32) -> Flow {
        let seen = Seen::default();
        let nowhere = Endpoint::v4([0; 4], 0);
        Flow {
            ends: Ends { low: nowhere, high: nowhere },
            last: seen,
            conversation: None,
            heard: [Timestamp::default(); 2],
            packets: [0; 2],
            asked: TransactionId::from_header([0; 16]),
            is_waiting: false,
            generation,
            media: None,
            channel_guesses: 0,
            stun: false,
            twin_of: None,
            directions: [Direction::default(); 2],
            first: seen,
        }
    }

    /// Its conversation, unless it is the other side of a NAT, which shows that of another flow once more.
    #[must_use]
    pub fn own_conversation(&self) -> Option<&Conversation> {
        self.conversation.as_deref().filter(|_| self.twin_of.is_none())
    }

    /// Whether it is one that is not over.
    fn is_there(&self) -> bool {
        self.generation.is_multiple_of(2)
    }

    /// The direction of datagrams from `src`, and the opposite one.
    pub(super) fn directions_from(&mut self, src: Endpoint) -> (&mut Direction, &mut Direction) {
        let [low, high] = &mut self.directions;
        if src == self.ends.low { (low, high) } else { (high, low) }
    }

    /// The request that is waiting, for an ICMP error that quotes too little to tell its transaction id.
    #[inline]
    pub(super) fn waiting(&self) -> Option<TransactionId> {
        self.is_waiting.then_some(self.asked)
    }

    /// A request was sent.
    #[inline]
    pub(super) fn asks(&mut self, id: TransactionId) {
        (self.asked, self.is_waiting) = (id, true);
    }

    /// This request was answered.
    #[inline]
    pub(super) fn gets_answer(&mut self, id: TransactionId) {
        self.is_waiting &= self.asked != id;
    }

    /// Counts a datagram from `src`.
    #[inline]
    pub fn count(&mut self, src: Endpoint, seen: Seen) {
        self.count_from(src != self.ends.low, seen);
    }

    /// Counts a datagram from the higher end, or from the lower one.
    #[inline]
    pub(super) fn count_from(&mut self, high: bool, seen: Seen) {
        self.last = seen;
        let ([of_low, of_high], [low_heard, high_heard]) = (&mut self.packets, &mut self.heard);
        let (packets, heard) = if high { (of_high, high_heard) } else { (of_low, low_heard) };
        *packets = packets.saturating_add(1);
        *heard = seen.time;
    }

    /// Whether DTLS or media went both ways, more than a stray packet; and until when it did.
    #[must_use]
    pub fn data_both_ways(&self) -> Option<Timestamp> {
        let [low, high] = &self.directions;
        let enough = low.data.packets.min(high.data.packets) >= 3;
        enough.then(|| low.data.last.min(high.data.last))
    }

    /// Whether connectivity checks were answered both ways.
    #[must_use]
    pub(super) fn checks_both_ways(&self) -> bool {
        self.directions.iter().all(|direction| direction.checks.answered > 0)
    }
}

/// The flows that are still of interest.
#[derive(Debug)]
pub struct Flows {
    hasher: Keyed,
    index: Index,
    slots: Vec<Flow>,
    /// The slots that are free.
    free: Vec<u32>,
    max: usize,
    /// What was found last: one packet asks for its flow several times.
    recent: Cell<Option<(Endpoint, Endpoint, FlowId)>>,
}

impl Flows {
    /// An empty table for at most `max` flows.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let hasher = Keyed::default();
        Flows { hasher, index: Index::default(), slots: Vec::new(), free: Vec::new(), max, recent: Cell::new(None) }
    }

    /// How many flows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many places [`Flows::select`] looks through.
    pub(super) fn places(&self) -> usize {
        self.slots.len()
    }

    /// Whether a new flow needs room first: see [`Flows::idle`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.index.len() >= self.max
    }

    /// The flow of a datagram.
    #[must_use]
    #[inline]
    pub fn find(&self, src: Endpoint, dst: Endpoint) -> Option<FlowId> {
        if let Some((from, to, id)) = self.recent.get()
            && (from, to) == (src, dst)
            && self.get(id).is_some()
        {
            return Some(id);
        }
        let id = self.look_up(Ends::of(src, dst))?;
        self.recent.set(Some((src, dst, id)));
        Some(id)
    }

    /// The flow with these ends.
    #[must_use]
    pub fn with(&self, ends: &Ends) -> Option<FlowId> {
        self.look_up(*ends)
    }

    /// The flow of a message that came this way.
    #[must_use]
    #[inline]
    pub fn find_on(&self, transport: Transport, src: Endpoint, dst: Endpoint) -> Option<FlowId> {
        if transport.is_stream() { self.look_up(Ends::on(transport, src, dst)) } else { self.find(src, dst) }
    }

    fn look_up(&self, ends: Ends) -> Option<FlowId> {
        let same = |slot| self.at(slot).is_some_and(|flow| flow.ends == ends);
        let slot = self.index.find(self.hasher.ends(&ends), same)?;
        Some(FlowId { slot, generation: self.at(slot)?.generation })
    }

    /// What the flow between these ends is looked up by.
    #[must_use]
    #[inline]
    pub(super) fn hash(&self, ends: &Ends) -> u64 {
        self.hasher.ends(ends)
    }

    /// Asks for what tells where the flow with this hash is.
    #[inline]
    pub(super) fn fetch(&self, hash: u64) {
        self.index.fetch(hash);
    }

    /// The slot in which the flow with this hash is, if it is in any: the flows themselves are not looked at.
    #[must_use]
    pub(super) fn likely(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |_| true)
    }

    /// The flow with these ends, if it is in this slot.
    #[inline]
    pub(super) fn confirm(&self, slot: u32, ends: &Ends) -> Option<FlowId> {
        let flow = self.at(slot)?;
        let generation = flow.generation;
        (flow.ends == *ends && generation % 2 == 0).then_some(FlowId { slot, generation })
    }

    /// The flow in a slot.
    #[must_use]
    #[inline]
    pub(super) fn at(&self, slot: u32) -> Option<&Flow> {
        self.slots.get(slot as usize)
    }

    /// The flow of a datagram, made where there is none; `None` where there is no room.
    pub fn find_or_add(&mut self, src: Endpoint, dst: Endpoint, seen: Seen) -> Option<FlowId> {
        self.find_or_add_on(Transport::Udp, src, dst, seen)
    }

    /// The flow of a message that came this way, made where there is none; `None` where there is no room.
    pub fn find_or_add_on(&mut self, transport: Transport, src: Endpoint, dst: Endpoint, seen: Seen) -> Option<FlowId> {
        if let Some(id) = self.find_on(transport, src, dst) {
            return Some(id);
        }
        if self.is_full() {
            return None;
        }
        let slot = match self.free.pop() {
            Some(free) => free,
            None => {
                let slot = u32::try_from(self.slots.len()).ok()?;
                if self.slots.len() == self.slots.capacity() && self.slots.len() >= self.max {
                    // those that wait to be judged must not double a full table
                    self.slots.reserve_exact(self.max / 16);
                }
                self.slots.push(Flow::none(u32::MAX));
                slot
            }
        };
        let ends = Ends::on(transport, src, dst);
        let flow = self.slots.get_mut(slot as usize)?;
        let generation = flow.generation.wrapping_add(1);
        *flow = Flow { ends, last: seen, first: seen, ..Flow::none(generation) };
        self.index.insert(self.hasher.ends(&ends), slot);
        Some(FlowId { slot, generation })
    }

    /// A flow by its number.
    #[must_use]
    #[inline]
    pub fn get(&self, id: FlowId) -> Option<&Flow> {
        self.slots.get(id.slot as usize).filter(|flow| flow.generation == id.generation)
    }

    /// A flow by its number, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        self.slots.get_mut(id.slot as usize).filter(|flow| flow.generation == id.generation)
    }

    /// The conversation of a flow.
    #[must_use]
    #[inline]
    pub fn conversation(&self, id: FlowId) -> Option<&Conversation> {
        self.get(id)?.conversation.as_deref()
    }

    /// The conversation of a flow, to be changed.
    #[inline]
    pub(super) fn conversation_mut(&mut self, id: FlowId) -> Option<&mut Conversation> {
        self.get_mut(id)?.conversation.as_deref_mut()
    }

    /// A flow is over: it is not found any longer, by its ends or by its number, and stays in its place under the number that this gives until it is
    /// [taken](Flows::take).
    pub(super) fn close(&mut self, id: FlowId) -> Option<FlowId> {
        let flow = self.get_mut(id)?;
        flow.generation = id.generation.wrapping_add(1);
        let (ends, generation) = (flow.ends, flow.generation);
        self.index.remove(self.hasher.ends(&ends), id.slot);
        Some(FlowId { generation, ..id })
    }

    /// Takes a flow out for a moment that is over: [`Flows::put_back`] must follow.
    pub(super) fn lift(&mut self, over: FlowId) -> Option<Flow> {
        let flow = self.get_mut(over)?;
        // odd, and no number that was ever given
        let none = Flow::none(over.generation.wrapping_add(2));
        Some(std::mem::replace(flow, none))
    }

    /// Puts a flow back that was [lifted](Flows::lift).
    pub(super) fn put_back(&mut self, id: FlowId, flow: Flow) {
        if let Some(slot) = self.slots.get_mut(id.slot as usize) {
            *slot = flow;
        }
    }

    /// Takes a flow out that is over.
    pub(super) fn take(&mut self, over: FlowId) -> Option<Flow> {
        let flow = self.lift(over)?;
        self.free.push(over.slot);
        Some(flow)
    }

    /// The flows with nothing seen since `since`, oldest first.
    #[must_use]
    pub fn idle(&self, since: Timestamp) -> Vec<FlowId> {
        self.select(|flow| flow.last.time < since)
    }

    /// The flows that are wanted, oldest first.
    #[must_use]
    pub fn select(&self, wanted: impl Fn(&Flow) -> bool) -> Vec<FlowId> {
        // most are not wanted, which their first cache line tells
        let wanted = self.slots.iter().zip(0..).filter(|(flow, _)| wanted(flow) && flow.is_there());
        let mut found: Vec<_> =
            wanted.map(|(flow, slot)| (flow.first.frame, FlowId { slot, generation: flow.generation })).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// The time of the last message of the flow that a quarter of all are older than.
    #[must_use]
    pub(super) fn oldest_quarter(&self) -> Timestamp {
        let mut times: Vec<_> = self.iter().map(|(_, flow)| flow.last.time).collect();
        let quarter = times.len() / 4;
        if quarter == 0 {
            return Timestamp(i64::MAX);
        }
        let (_, &mut time, _) = times.select_nth_unstable(quarter);
        time.after(Span(1))
    }

    /// All flows that are not over, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (FlowId, &Flow)> {
        self.slots.iter().zip(0u32..).filter_map(|(flow, slot)| {
            let generation = flow.generation;
            flow.is_there().then_some((FlowId { slot, generation }, flow))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(port: u16) -> Endpoint {
        Endpoint::v4([192, 0, 2, 1], port)
    }

    fn seen(frame: u64) -> Seen {
        Seen { frame, time: Timestamp(frame.cast_signed()) }
    }

    #[test]
    fn both_directions_are_one_flow() {
        let mut flows = Flows::new(10);
        let id = flows.find_or_add(end(1), end(2), seen(1)).unwrap();
        assert_eq!(flows.find(end(2), end(1)), Some(id));
        assert_eq!(flows.find_or_add(end(2), end(1), seen(2)), Some(id));
        assert_eq!(flows.len(), 1);
    }

    #[test]
    fn a_removed_flow_is_not_found_under_its_old_number() {
        let mut flows = Flows::new(10);
        let old = flows.find_or_add(end(1), end(2), seen(1)).unwrap();
        let over = flows.close(old).unwrap();
        assert!(flows.find(end(1), end(2)).is_none());
        assert!(flows.get(old).is_none() && flows.iter().next().is_none());
        assert!(flows.take(old).is_none());
        assert_eq!(flows.take(over).map(|flow| flow.first), Some(seen(1)));
        let new = flows.find_or_add(end(1), end(3), seen(2)).unwrap();
        assert!(flows.get(old).is_none() && flows.get(over).is_none());
        assert!(flows.get(new).is_some());
    }

    #[test]
    fn a_full_table_takes_no_new_flow_and_names_its_oldest() {
        let mut flows = Flows::new(4);
        for port in 1..=4 {
            flows.find_or_add(end(port), end(100), seen(u64::from(port))).unwrap();
        }
        assert!(flows.find_or_add(end(5), end(100), seen(5)).is_none());
        assert_eq!(flows.idle(flows.oldest_quarter()).len(), 2);
    }
}
