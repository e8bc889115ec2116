//! The short way for what nearly all packets of a call are: the next RTP packet of a stream, bare or in ChannelData.
//!
//! It does what the long way does ([`Session::channel_data`], [`Session::take_media`]) and gives the same, which is tested. What the long way had to
//! look for at the last such packet, it remembers with the ends of the datagram, and uses only while it still holds. Whatever is not plain goes
//! the long way, with nothing changed.

use super::allocations::stray::To;
use super::conversations::conversation::From;
use super::conversations::exchange::Seen;
use super::flow::FlowId;
use super::ice::Place;
use super::media::Route;
use super::path::{Inside, Path};
use super::{Session, WayId};
use crate::event::{Event, Via};
use crate::net::{Endpoint, PeerAddress};
use crate::wire::rtp::Head;

/// How many sets of lanes there are, a power of 2. Both lanes of them take half a MiB, if there is media at all.
const SETS: usize = 2048;

/// One direction of a flow, or of a channel in one; in two cache lines, of which the first tells whether it is the one.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Lane {
    src: Endpoint,
    dst: Endpoint,
    /// The channel; 0, which is none, for what comes bare.
    channel: u16,
    /// Whether it begins at the flow's higher end.
    from_high: bool,
    /// Whether it begins at the TURN client.
    from_client: bool,
    /// The agent of ICE that sends.
    agent: u8,
    flow: FlowId,
    route: Route,
    /// The pair of ICE that it runs on, and of which state of the table that is said.
    place: Option<Place>,
    ice: Option<u32>,
    /// The peer that the channel was bound to.
    peer: Option<PeerAddress>,
}

/// The lanes, in sets of two. A newer one takes the place of the older one of its set.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    sets: Vec<[Option<Lane>; 2]>,
}

impl Lanes {
    #[inline(always)]
    fn get(&self, src: Endpoint, dst: Endpoint, channel: u16) -> Option<&Lane> {
        let [newer, older] = self.sets.get(set_of(src, dst, channel))?;
        for lane in [newer, older] {
            if let Some(lane) = lane
                && lane.src == src
                && lane.dst == dst
                && lane.channel == channel
            {
                return Some(lane);
            }
        }
        None
    }

    fn put(&mut self, lane: Lane) {
        if self.sets.is_empty() {
            self.sets.resize(SETS, [None; 2]);
        }
        let Some([newer, older]) = self.sets.get_mut(set_of(lane.src, lane.dst, lane.channel)) else { return };
        let key = |lane: &Lane| (lane.src, lane.dst, lane.channel);
        if newer.as_ref().is_some_and(|known| key(known) != key(&lane)) {
            *older = newer.take();
        }
        *newer = Some(lane);
    }
}

#[inline]
fn set_of(src: Endpoint, dst: Endpoint, channel: u16) -> usize {
    let mixed = (src.mixed().rotate_left(7) ^ dst.mixed()).wrapping_add(u64::from(channel));
    #[allow(clippy::cast_possible_truncation)] // the first digits are what is wanted
    let high = (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
    high % SETS
}

impl Session {
    /// Takes RTP, by its head and its length, that came bare or, with the channel's number and the length that ChannelData tells, in ChannelData;
    /// `false` if it is not plain: then nothing was done.
    #[inline(always)]
    pub fn media_in_lane(
        &mut self,
        (src, dst): (Endpoint, Endpoint),
        channel: Option<(u16, u16)>,
        (head, bytes): (&Head, usize),
        seen: Seen,
    ) -> bool {
        let number = channel.map_or(0, |(number, _)| number);
        let Some(lane) = self.lanes.get(src, dst, number) else { return false };
        if lane.ice != self.ice.stamp(lane.place) {
            return false;
        }
        let Some(flow) = self.flows.get_mut(lane.flow) else { return false };
        let direction = usize::from(lane.from_high);
        let conversation = flow.conversation.as_deref_mut();
        if channel.is_some() && conversation.as_ref().is_none_or(|known| known.peer_of(number) != lane.peer) {
            return false;
        }
        let Some(copy) = self.media.next(&lane.route, direction, head, bytes, seen) else { return false };
        flow.media = Some(lane.route.way());
        if copy {
            flow.count_from(lane.from_high, seen);
            return true;
        }
        match (channel, conversation) {
            (Some((_, length)), Some(conversation)) => {
                let from = if lane.from_client { From::Client } else { From::Server };
                conversation.message(from, seen, &mut self.servers);
                conversation.relayed(from, usize::from(length), seen.time);
                if from == From::Client {
                    conversation.sends(To::Channel(number), seen);
                }
                self.totals.messages.channel_data += 1;
            }
            _ => {
                let [low, high] = &mut flow.directions;
                if lane.from_high { high } else { low }.data.add(bytes, seen.time);
            }
        }
        flow.count_from(lane.from_high, seen);
        self.totals.messages.rtp += 1;
        if let Some(place) = lane.place {
            self.ice.carry(place, usize::from(lane.agent), bytes, seen, false);
        }
        true
    }

    /// Remembers the way that RTP took, as the long way found it.
    pub(super) fn open_lane(&mut self, event: &Event<'_>, flow: FlowId, way: WayId, head: &Head) {
        if self.long_way_only || event.transport.is_stream() {
            return;
        }
        let mut hops = event.hops.iter();
        let (channel, peer) = match (hops.next(), hops.next()) {
            (None, _) => (0, None),
            (Some(hop), None) => match hop.via {
                Via::Channel(number) => (number, hop.peer),
                Via::Send | Via::Data | Via::Connection => return,
            },
            _ => return,
        };
        let path = Path::of_event(event);
        debug_assert!(
            channel == 0 || path.inside == Some(peer.map_or(Inside::Channel(channel), |peer| Inside::Peer(peer.0)))
        );
        let direction = path.direction(event.src);
        let Some(route) = self.media.route(way, &path, direction, head.ssrc) else { return };
        let place = self.ice.find(&path);
        let ice = self.ice.stamp(place);
        let agent = u8::from(place.is_some_and(|place| self.ice.sender(place, direction) == 1));
        let (src, dst, from_high) = (event.src, event.dst, direction == 1);
        let known = self.flows.get(flow).and_then(|flow| flow.conversation.as_deref());
        let from_client = known.is_some_and(|known| known.client.0 == src);
        self.lanes.put(Lane { src, dst, channel, from_high, from_client, agent, flow, route, place, ice, peer });
    }
}
