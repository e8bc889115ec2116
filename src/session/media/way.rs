//! What is known of one path that media takes: both directions, their RTCP, and whether a handshake was seen.

use crate::event::Via;
use crate::net::Endpoint;
use crate::session::Name;
use crate::session::conversations::exchange::Seen;
use crate::session::path::Path;
use crate::time::{Span, Timestamp};
use crate::wire::rtcp::{PacketType, Rtcp};

/// How many sources of reports are told apart in one direction.
const MAX_REPORTERS: usize = 16;
/// How many streams of one direction are found without a look-up: audio, video, and what repeats and repairs them.
const RECENT: usize = 4;

/// A path with media.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct MediaWay {
    /// From the lower end, from the higher end.
    pub directions: [MediaDirection; 2],
    /// The path.
    pub path: Path,
    /// Its first RTP, RTCP or handshake.
    pub first: Seen,
    /// The user of the relay that it goes through.
    pub user: Option<Name>,
    /// The number of the ICE session that it is a pair of, once that is over.
    pub ice: Option<u32>,
    /// The user fragments of its agents that send in the two directions.
    pub agents: [Option<Name>; 2],
}

/// One direction of a path with media. What every packet touches comes first.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct MediaDirection {
    /// The first and the last packet of streams that are believed.
    pub media: Option<(Seen, Seen)>,
    /// Sources, and where their streams are.
    recent: [Option<(u32, u32)>; RECENT],
    turn: u8,
    /// Sender and receiver as ICE sees them; of what a relay carries the relayed and the peer's address, where the capture tells them.
    pub ends: Option<(Endpoint, Endpoint)>,
    /// The relay passages, outermost first.
    pub via: [Option<Via>; 3],
    /// The first and the last record of a DTLS handshake.
    pub handshake: Option<(Seen, Seen)>,
    /// The last DTLS record after a handshake: data, or the alert that closes.
    pub sealed: Option<Seen>,
    /// The last STUN message since there is media or a handshake: the agent is there, and the capture has this direction.
    pub alive: Option<Seen>,
    /// The longest time between two of these, and when it began.
    pub lifeless: (Span, Timestamp),
    /// Datagrams of RTCP.
    pub rtcp: u64,
    /// The first and the last of them.
    pub rtcp_seen: Option<(Seen, Seen)>,
    /// A BYE. Of encrypted RTCP only one that begins its datagram is seen (RFC 3711 §3.4).
    pub bye: Option<Seen>,
    /// The sources of RTCP; the first ones.
    pub reports: Vec<Reports>,
}

/// What one source of RTCP says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reports {
    /// The source.
    pub ssrc: u32,
    /// Datagrams of it that begin with a sender report: by RFC 3550 §6.4 it sent media shortly before.
    pub sender: u32,
    /// Datagrams that begin with anything else.
    pub other: u32,
    /// The first and the last with a sender report.
    pub sender_seen: Option<(Seen, Seen)>,
    /// The packets that it says to have sent, in its last sender report; only where RTCP is in the clear.
    pub sent: Option<u32>,
    /// Of the packets that it says to have sent, those between two reports between which none was captured.
    pub unseen: u64,
    /// The first report before, and the last after, such packets.
    pub unseen_seen: Option<(Seen, Seen)>,
    /// The last sender report, and how many packets of the source were captured by then.
    last: Option<(Seen, u64)>,
}

impl Reports {
    /// A sender report passes, with the count that it tells, after so many packets of the source were captured.
    fn sender_report(&mut self, sent: Option<u32>, captured: u64, seen: Seen) {
        self.sender = self.sender.saturating_add(1);
        self.sender_seen.get_or_insert((seen, seen)).1 = seen;
        if let (Some(before), Some(now), Some((last, then))) = (self.sent, sent, self.last)
            && captured == then
        {
            // a count that goes back was not one of packets sent in between
            let more = now.wrapping_sub(before);
            if (1..1 << 24).contains(&more) {
                self.unseen += u64::from(more);
                self.unseen_seen.get_or_insert((last, seen)).1 = seen;
            }
        }
        self.sent = sent.or(self.sent);
        self.last = Some((seen, captured));
    }
}

impl MediaWay {
    pub(super) fn new(path: Path, first: Seen, user: Option<Name>) -> MediaWay {
        MediaWay { path, first, user, ice: None, agents: [None; 2], directions: Default::default() }
    }

    /// When the last was seen of it.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        let lasts = self.directions.iter().flat_map(|known| [known.media, known.rtcp_seen]);
        lasts.flatten().map(|(_, last)| last.time).max().unwrap_or(self.first.time).max(self.first.time)
    }

    /// What goes in one direction (0 from the lower end, 1 from the higher) and what in the other.
    #[must_use]
    pub fn from(&self, direction: usize) -> (&MediaDirection, &MediaDirection) {
        let [low, high] = &self.directions;
        if direction == 0 { (low, high) } else { (high, low) }
    }
}

impl MediaDirection {
    /// Where the stream of a source is, if it is one of the last few.
    #[inline]
    pub(super) fn recent(&self, ssrc: u32) -> Option<u32> {
        self.recent.iter().flatten().find(|(known, _)| *known == ssrc).map(|&(_, place)| place)
    }

    pub(super) fn remember(&mut self, ssrc: u32, place: u32) {
        self.turn = self.turn.wrapping_add(1);
        if let Some(slot) = self.recent.get_mut(usize::from(self.turn) % RECENT) {
            *slot = Some((ssrc, place));
        }
    }

    pub(super) fn forget(&mut self, place: u32) {
        for slot in &mut self.recent {
            *slot = slot.filter(|&(_, known)| known != place);
        }
    }

    /// A packet passes of a stream that began at `first` and is believed.
    #[inline]
    pub(super) fn media(&mut self, first: Seen, seen: Seen) {
        match &mut self.media {
            Some((_, last)) => *last = seen,
            none => *none = Some((first, seen)),
        }
    }

    /// RTCP passes, after so many packets of its source were captured.
    pub(super) fn report(&mut self, rtcp: &Rtcp<'_>, captured: u64, seen: Seen) {
        self.rtcp += 1;
        self.rtcp_seen.get_or_insert((seen, seen)).1 = seen;
        if rtcp.packet_type == PacketType::BYE || rtcp.parts().any(|part| part.packet_type == PacketType::BYE) {
            self.bye.get_or_insert(seen);
        }
        let sent = rtcp.parts().filter(|part| part.ssrc() == Some(rtcp.ssrc)).find_map(|part| part.sender_packets());
        if !self.reports.iter().any(|known| known.ssrc == rtcp.ssrc) && self.reports.len() < MAX_REPORTERS {
            self.reports.push(Reports { ssrc: rtcp.ssrc, ..Reports::default() });
        }
        let Some(known) = self.reports.iter_mut().find(|known| known.ssrc == rtcp.ssrc) else { return };
        if rtcp.packet_type == PacketType::SR {
            known.sender_report(sent, captured, seen);
        } else {
            known.other = known.other.saturating_add(1);
        }
    }
}
