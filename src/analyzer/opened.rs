//! Keys, and DTLS records that they opened: what these hold goes in again, as though it had been in the clear.

use super::{Analyzer, Core};
use crate::capture::{Secrets, SecretsKind};
use crate::event::{Body, Event, Row};
use crate::keys::{KeyLog, Outcome};
use crate::net::Transport;
use crate::session::{Known, Path};
use crate::wire::demux::{self, Kind};
use crate::wire::dtls::Record;
use crate::wire::handshake::ContentType;

impl Analyzer {
    /// Takes decryption secrets that stand in a capture before the next frame. They open what comes from then on, also of connections that have begun.
    #[inline]
    pub fn secrets(&mut self, secrets: &[Secrets]) {
        if !secrets.is_empty() {
            self.take_secrets(secrets);
        }
    }

    fn take_secrets(&mut self, secrets: &[Secrets]) {
        // both hold the same log: it is copied for neither if one lets it go meanwhile
        *self.core.dtls.keys() = KeyLog::new();
        for block in secrets.iter().filter(|block| block.kind == SecretsKind::TLS_KEY_LOG) {
            let added = self.streams.keys().add(block.data.expose());
            self.embedded.0 += 1;
            self.embedded.1 += added.damaged_total;
        }
        *self.core.dtls.keys() = self.streams.keys().clone();
    }
}

impl Core {
    /// Has the report say what the keys opened, where there are any; `embedded`: blocks of them in the capture, and damaged lines there; `behind`: blocks
    /// that stood behind all packets.
    pub(super) fn tell_keys(&mut self, keys: &KeyLog, embedded: (u64, u64), behind: u64) {
        if keys.is_empty() && embedded.0 + behind == 0 {
            return;
        }
        let (seen, opened, records) = self.dtls.counts();
        self.builder.keyed(|told| {
            (told.keys, told.embedded, told.embedded_damaged) = (keys.connections() as u64, embedded.0, embedded.1);
            told.embedded_behind = behind;
            told.dtls(seen, opened, records);
        });
        self.builder.lacks("dtls_hellos", self.dtls.forgotten());
    }

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
