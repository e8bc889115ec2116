//! IP packets of associations of which fragments never came, and whether they would be in the capture.

use super::association::Role;
use super::table::Handshakes;
use crate::bounded::BoundedList;
use crate::net::{Endpoint, protocol};
use crate::packet::{Counts, Incomplete};
use crate::time::{Span, Timestamp};

/// How long before and after its records IP fragments may be an association's.
const NEAR: Span = Span::from_secs(2);
const MAX_LOST_PACKETS: usize = 8;

/// An IP packet of which fragments never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostPacket {
    /// Who sent it.
    pub from: Role,
    /// Bytes of its payload that came.
    pub received: u32,
    /// Bytes that it has, where the last fragment came.
    pub expected: Option<u32>,
    /// When its first fragment came.
    pub at: Timestamp,
    /// Whether the capture holds fragments of the kind that it lacks, first or later ones, of this packet or of another. Where it holds none, it may be that
    /// whoever captured left them out: only first fragments have ports, and pass a filter on ports (RFC 791 §3.2), as nothing
    /// does that is not IP, such as ARP.
    pub shown: bool,
}

impl Handshakes {
    /// IP packets of which fragments never came: those between the ends of an association within its time. `counts` tells of all frames of the capture.
    pub(in crate::session) fn lost_packets(&mut self, packets: &[Incomplete], counts: &Counts) {
        let same = |told: Endpoint, known: Endpoint| {
            told.ip() == known.ip() && (told.port() == 0 || told.port() == known.port())
        };
        let Counts { fragments: counts, not_ip, .. } = counts;
        self.forgot_packets |= counts.dropped > 0 || counts.incomplete > packets.len() as u64;
        for packet in packets.iter().filter(|packet| packet.protocol == protocol::UDP) {
            // of one whose first fragment did not come nobody knows the ports
            let lacks_first = packet.src.port() == 0;
            let shown = if lacks_first { counts.first > 0 } else { counts.seen > counts.first || *not_ip > 0 };
            for handshake in self.going_on() {
                let near = handshake.first.time.before(NEAR)..=handshake.last.time.after(NEAR);
                let from = handshake.ways.iter().find_map(|way| {
                    let (low, high) = (way.path.ends.low, way.path.ends.high);
                    match () {
                        () if same(packet.src, low) && same(packet.dst, high) => Some(way.low),
                        () if same(packet.src, high) && same(packet.dst, low) => Some(way.low.other()),
                        () => None,
                    }
                });
                if let Some(from) = from.filter(|_| near.contains(&packet.first_seen)) {
                    let (received, expected, at) = (packet.received, packet.expected, packet.first_seen);
                    let lost = LostPacket { from, received, expected, at, shown };
                    handshake.ip_fragments.push_up_to(MAX_LOST_PACKETS, lost);
                }
            }
        }
    }
}
