//! Datagrams of DTLS: by what they are known, and the records in them.

use super::Core;
use crate::event::{Body, Event, Row};
use crate::wire::demux::Kind;
use crate::wire::dtls::Records;
use crate::wire::stun::Message;

impl Core {
    /// The DTLS datagram that rides in a check is part of the handshake on the same pair; it is no message of its own.
    pub(super) fn dtls_in_stun(&mut self, check: &Event<'_>, message: &Message<'_>) {
        let Some(datagram) = message.fields().dtls else { return };
        for record in Records::recognise(datagram, check.truncated).into_iter().flatten() {
            let event = Event { truncated: record.truncated, body: Body::Dtls(record), ..*check };
            self.session.dtls(&event, &record, datagram.len(), Some("dtls-in-stun"));
        }
    }

    /// DTLS is recognised by itself; on a flow where it was before, records that lie about their length and those of DTLS 1.3, which say
    /// next to nothing of themselves, are taken too. In a capture that begins within a call ICE alone tells of the latter.
    pub(super) fn dtls<'p>(
        &mut self,
        kind: Kind,
        event: &mut Event<'p>,
        payload: &'p [u8],
        sink: &mut impl FnMut(&Row<'_>),
    ) {
        let truncated = event.truncated;
        let by_itself = if kind == Kind::Dtls { Records::recognise(payload, truncated) } else { None };
        let records = by_itself.or_else(|| match self.session.dtls_connection_id(event) {
            Some(length) => Records::on_dtls_flow(payload, truncated, length),
            None if !self.session.ice_runs_on(event) => None,
            None if kind == Kind::Dtls => Records::on_dtls_flow(payload, truncated, None),
            None => Records::where_ice_runs(payload, truncated),
        });
        let mut news = None;
        for record in records.into_iter().flatten() {
            event.truncated = record.truncated;
            event.body = Body::Dtls(record);
            let is_news = *news.get_or_insert_with(|| self.session.data(event, payload));
            self.session.dtls(event, &record, payload.len(), None);
            if is_news {
                self.session.count_dtls(&record);
            }
            self.record(event, payload, &record, sink);
        }
    }
}
