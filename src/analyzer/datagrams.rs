//! Where datagrams go: RTP of known streams the short way, all else the long one.

use super::Core;
use crate::event::{Body, Event, Framing, Hops, Row};
use crate::frame::Frame;
use crate::packet::{Datagram, Segment};
use crate::session::{Bare, FlowId, Known, Seen};
use crate::stream::DnsSegments;
use crate::time::Timestamp;
use crate::wire::demux::{self, Kind};
use crate::wire::dns;
use crate::wire::stun::{HEADER, Message};
use crate::wire::turn::ChannelData;
use crate::wire::vpn;
use std::net::IpAddr;

impl Core {
    /// Takes a datagram.
    #[inline(always)]
    pub(super) fn datagram(
        &mut self,
        frame: u64,
        time: Timestamp,
        datagram: &Datagram<'_>,
        sink: &mut impl FnMut(&Row<'_>),
    ) {
        if self.media_in_lane(frame, time, datagram, sink) {
            return;
        }
        self.other_datagram(frame, time, datagram, sink);
    }

    /// Takes a datagram that is nothing but a STUN message, and comes from no port of another protocol; with its flow, if that was looked up.
    #[inline(always)]
    pub(super) fn stun_datagram<'p>(
        &mut self,
        frame: u64,
        time: Timestamp,
        (datagram, message): (&Datagram<'p>, Message<'p>),
        flow: Option<FlowId>,
        sink: &mut impl FnMut(&Row<'_>),
    ) {
        if !self.filters.ends(datagram.src, datagram.dst) {
            return;
        }
        let &Datagram { src, dst, transport, ip_id, ttl, .. } = datagram;
        let at = Bare { src, dst, transport, seen: Seen { frame, time }, ip_id, ttl, flow };
        // what is told of a plain message is made where it is wanted only
        if let Some(known) = self.session.plain_stun(&at, &message) {
            return self.row(&self.event(frame, time, datagram, Body::Stun(message)), &known, sink);
        }
        self.other_stun_datagram(frame, time, (datagram, message), flow, sink);
    }

    #[inline(never)]
    fn other_stun_datagram<'p>(
        &mut self,
        frame: u64,
        time: Timestamp,
        (datagram, message): (&Datagram<'p>, Message<'p>),
        flow: Option<FlowId>,
        sink: &mut impl FnMut(&Row<'_>),
    ) {
        let mut event = self.event(frame, time, datagram, Body::Stun(message));
        let known = self.session.other_stun(&event, &message, flow);
        if let Some(carried) = self.told(&mut event, &message, &known, sink) {
            let kind = demux::kind_of_cut(carried, event.truncated);
            self.message(&mut event, kind, carried, sink);
        }
    }

    /// Takes RTP in the short way, bare or in ChannelData; `false` if it is to go the long way.
    #[inline(always)]
    fn media_in_lane(
        &mut self,
        frame: u64,
        time: Timestamp,
        datagram: &Datagram<'_>,
        sink: &mut impl FnMut(&Row<'_>),
    ) -> bool {
        let &Datagram { src, dst, payload, truncated, .. } = datagram;
        if self.media || truncated || !self.filters.ends(src, dst) {
            return false;
        }
        let seen = Seen { frame, time };
        if let Some(head) = demux::rtp_head(payload) {
            return self.session.media_in_lane((src, dst), None, (&head, payload.len()), seen);
        }
        let Some(data) = ChannelData::parse(payload, false) else { return false };
        let channel = Some((data.channel, data.length));
        let Some(head) = demux::rtp_head(data.data) else { return false };
        if !self.session.media_in_lane((src, dst), channel, (&head, data.data.len()), seen) {
            return false;
        }
        let event = self.event(frame, time, datagram, Body::ChannelData(data));
        self.row(&event, &Known::default(), sink);
        true
    }

    #[inline(always)]
    fn event<'p>(&self, frame: u64, time: Timestamp, datagram: &Datagram<'p>, body: Body<'p>) -> Event<'p> {
        let Datagram { src, dst, transport, truncated, ip_id, ttl, .. } = *datagram;
        let (digits, hops, framing, copy) = (self.digits, Hops::default(), Framing::Bare, false);
        Event { frame, time, digits, src, dst, transport, framing, hops, truncated, ip_id, copy, ttl, body }
    }

    #[inline(never)]
    fn other_datagram(
        &mut self,
        frame: u64,
        time: Timestamp,
        datagram: &Datagram<'_>,
        sink: &mut impl FnMut(&Row<'_>),
    ) {
        if self.perhaps_dns(frame, time, datagram) {
            return;
        }
        let payload = datagram.payload;
        let kind = demux::kind_of_cut(payload, datagram.truncated);
        if datagram.truncated && datagram.payload.len() < HEADER {
            self.session.totals_mut().unseen.add(frame);
        }
        if !self.filters.ends(datagram.src, datagram.dst) {
            return;
        }
        if let Some(vpn) = vpn::of([datagram.src.port(), datagram.dst.port()], payload, datagram.length) {
            self.session.totals_mut().vpn(vpn);
        }
        if kind == Kind::Other {
            return;
        }
        let mut event = self.event(frame, time, datagram, Body::Rtp(payload));
        self.message(&mut event, kind, payload, sink);
    }

    /// Takes DNS, whose first bytes may be those of anything; `false` where it is something else.
    #[inline]
    fn perhaps_dns(&mut self, frame: u64, time: Timestamp, datagram: &Datagram<'_>) -> bool {
        (datagram.src.port() == dns::PORT || datagram.dst.port() == dns::PORT)
            && self.dns(Seen { frame, time }, datagram)
    }

    /// Takes the DNS in a segment on its port, which is other bytes than STUN and TLS are.
    #[inline]
    pub(super) fn perhaps_dns_over_tcp(&mut self, at: Seen, segment: &Segment<'_>) {
        if DnsSegments::is_one(segment) {
            self.dns_over_tcp(at, segment);
        }
    }

    #[inline(never)]
    fn dns_over_tcp(&mut self, at: Seen, segment: &Segment<'_>) {
        self.session.dns_segment();
        if self.filters.ends(segment.src, segment.dst) {
            let (session, ends) = (&mut self.session, (segment.src, segment.dst));
            self.dns.segment(segment, &mut |message| session.dns_in_stream(at, ends, message));
        }
    }

    #[inline(never)]
    fn dns(&mut self, at: Seen, datagram: &Datagram<'_>) -> bool {
        let is_one = dns::is_one(datagram.payload);
        if is_one && self.filters.ends(datagram.src, datagram.dst) {
            self.session.dns(at, (datagram.src, datagram.dst), datagram.payload);
        }
        is_one
    }

    /// What a frame shows beside the packets in it: how much of it the capture holds, and a host to which an answer to ARP is sent, as packets are.
    #[inline]
    pub(super) fn beside_packets(&mut self, frame: &Frame<'_>, heard: Option<IpAddr>) {
        let [whole, cut] = &mut self.session.totals_mut().longest;
        let longest = if frame.truncated() { cut } else { whole };
        *longest = (*longest).max(frame.data.len());
        if let Some(host) = heard {
            self.session.hears(host);
        }
    }
}
