//! Packets that the capture holds twice, as a mirror port shows them, where they are of no transaction that would tell: indications, ChannelData,
//! DTLS, RTCP. (RTP has its sequence numbers.)

use super::Session;
use super::leg::is_copy;
use crate::event::{Event, Hop};
use crate::time::Timestamp;
use crate::wire::demux;
use crate::wire::turn::ChannelData;

/// How many packets are remembered; what comes within milliseconds is to find its place untaken. They take 24 KiB.
const PLACES: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Packet {
    /// A digest of where it went and what it held.
    print: u64,
    time: Timestamp,
    ip_id: u32,
}

/// The packets that came last, each where its digest says.
#[derive(Debug, Default)]
pub(super) struct Copies {
    places: Vec<Option<Packet>>,
}

impl Copies {
    /// Takes a packet; whether it is one that came just before.
    fn is_copy(&mut self, print: u64, ip_id: u32, time: Timestamp) -> bool {
        if self.places.is_empty() {
            self.places.resize(PLACES, None);
        }
        #[allow(clippy::cast_possible_truncation)] // the last digits are what is wanted
        let Some(place) = self.places.get_mut(print as usize % PLACES) else { return false };
        let known = place.replace(Packet { print, time, ip_id });
        known.is_some_and(|known| known.print == print && is_copy([known.ip_id, ip_id], time.since(known.time)))
    }
}

impl Session {
    /// Whether what an event is about came in a packet that the capture holds already; `bytes` tell it from others between the same ends.
    pub(super) fn is_copy(&mut self, event: &Event<'_>, bytes: &[u8]) -> bool {
        if event.copy || !event.hops.is_empty() {
            return event.copy;
        }
        let print = self.names.digest_between(event.src, event.dst, bytes);
        self.copies.is_copy(print, event.ip_id, event.time)
    }

    /// The same of ChannelData that makes this relay passage. Media in it is told by its numbers, as in [the short way](Session::media_in_lane).
    pub(super) fn is_copied_channel_data(&mut self, event: &Event<'_>, hop: Hop, data: &ChannelData<'_>) -> bool {
        let head = if event.transport.is_stream() { None } else { demux::rtp_head(data.data) };
        match head.zip(event.hops.through(hop)) {
            Some((head, hops)) => self.media.is_copy(&Event { hops, ..*event }, &head),
            None => self.is_copy(event, data.data),
        }
    }
}
