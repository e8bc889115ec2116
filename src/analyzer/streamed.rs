//! What TCP streams give: messages, which go the way of datagrams, and what became of connections.

use super::Core;
use crate::event::{Body, Event, Framing, Hops, Row};
use crate::net::Transport;
use crate::session::{Known, Seen};
use crate::stream::{Item, Payload, Secured, What};
use crate::wire::demux::{self, Kind};
use crate::wire::stun::{HEADER, Method};

impl Core {
    /// A message of a TCP connection, or what became of one.
    pub(super) fn streamed(&mut self, item: &Item<'_>, sink: &mut impl FnMut(&Row<'_>)) {
        let payload = match item {
            Item::Payload(payload) => payload,
            Item::Connection(connection) => return self.session.connection(connection),
            Item::Secured(secured) => return self.secured(secured, sink),
            Item::Proxied(answer) => return self.session.proxied(answer),
        };
        let &Payload { src, dst, message, secured, at: Seen { frame, time }, ttl, .. } = payload;
        // a stream gives each byte once: two messages that are the same are no copies of one packet, though one packet may bring both
        self.streamed = self.streamed.wrapping_add(1);
        let ip_id = self.streamed | 1 << 31;
        let kind = demux::kind_of_cut(message.bytes, message.truncated);
        if kind == Kind::Other || !self.filters.ends(src, dst) {
            return;
        }
        if message.truncated && message.bytes.len() < HEADER {
            self.session.totals_mut().unseen.add(frame);
            match message.bytes {
                [1, 1, ..] => self.session.granted_in_short(Method::BINDING, src, dst, time),
                [1, 3, ..] => self.session.granted_in_short(Method::ALLOCATE, src, dst, time),
                _ => {}
            }
        }
        let (transport, framing) = (if secured { Transport::Tls } else { Transport::Tcp }, message.framing);
        let (digits, hops, truncated, copy) = (self.digits, Hops::default(), message.truncated, false);
        let body = Body::Rtp(message.bytes);
        let mut event =
            Event { frame, time, digits, src, dst, transport, framing, hops, truncated, ip_id, copy, ttl, body };
        if message.unpadded_before {
            self.session.totals_mut().unpadded.add(src, dst, Seen { frame, time });
        }
        if message.bound {
            let hop = self.session.data_connection_hop(&event);
            if event.hops.pass(hop).is_none() {
                return;
            }
        }
        if self.session.joins().is_passed_on(src, dst) {
            self.session.tells_again();
            self.message(&mut event, kind, message.bytes, sink);
            self.session.told_again();
            return;
        }
        self.message(&mut event, kind, message.bytes, sink);
    }
    /// A TLS record, or a handshake message that records completed.
    fn secured(&mut self, secured: &Secured<'_>, sink: &mut impl FnMut(&Row<'_>)) {
        let &Secured { src, dst, at: Seen { frame, time }, ttl, .. } = secured;
        if !self.filters.ends(src, dst) || !self.session.secured(secured) {
            return;
        }
        let What::Record(sealed) = secured.what else { return };
        self.streamed = self.streamed.wrapping_add(1);
        let (ip_id, digits, hops, truncated) =
            (self.streamed | 1 << 31, self.digits, Hops::default(), sealed.record.truncated);
        let (transport, framing, copy, body) = (Transport::Tcp, Framing::Tls, false, Body::Tls(sealed));
        let event =
            Event { frame, time, digits, src, dst, transport, framing, hops, truncated, ip_id, copy, ttl, body };
        self.row(&event, &Known::default(), sink);
    }
}
