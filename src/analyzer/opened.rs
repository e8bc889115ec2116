//! DTLS records that keys opened: what they hold goes in again, as though it had been in the clear.

use super::Core;
use crate::event::{Body, Event, Row};
use crate::keys::Outcome;
use crate::net::Transport;
use crate::session::{Known, Path};
use crate::wire::demux::{self, Kind};
use crate::wire::dtls::Record;
use crate::wire::handshake::ContentType;

impl Core {
    /// Takes a DTLS record as `event` says, and gives its row.
    pub(super) fn record(
        &mut self,
        event: &Event<'_>,
        datagram: &[u8],
        record: &Record<'_>,
        sink: &mut impl FnMut(&Row<'_>),
    ) {
        let mut plain = std::mem::take(&mut self.plain);
        let way = Path::of_event(event);
        let (side, at) = (way.direction(event.src), (event.frame, event.time));
        match self.dtls.take(way, side, (datagram, record), at, &mut plain) {
            Outcome::Opened { content_type, epoch, sequence } => {
                let inner = record.opened(ContentType(content_type), epoch, sequence, &plain);
                self.opened(event, &inner, datagram.len(), sink);
            }
            Outcome::Sealed(_) | Outcome::Clear => self.row(event, &Known::default(), sink),
        }
        self.plain = plain;
    }

    fn opened(&mut self, event: &Event<'_>, record: &Record<'_>, datagram: usize, sink: &mut impl FnMut(&Row<'_>)) {
        let mut inner = Event { body: Body::Dtls(*record), ..*event };
        self.row(&inner, &Known::default(), sink);
        if record.content_type != ContentType::APPLICATION_DATA {
            self.session.dtls_opened(&inner, record, datagram);
        } else if event.hops.is_empty() && event.transport == Transport::Udp {
            // DTLS to a TURN server; what peers say to each other under DTLS is not looked at
            let kind = demux::kind(record.payload);
            if matches!(kind, Kind::Stun | Kind::Channel) {
                (inner.transport, inner.truncated) = (Transport::Dtls, false);
                self.message(&mut inner, kind, record.payload, sink);
            }
        }
    }
}
