//! The streams of RTP that passed the capture point.

use super::convert::{Origin, transport};
use super::{Address, Place, Time, Transport};
use crate::event::Via;
use crate::session::{self, Break, MediaWay, Session, Stream};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashSet;

/// How many streams are listed: those with most packets.
const MAX_LISTED: usize = 250;
/// How many payload types of a stream are listed.
const MAX_TYPES: usize = 16;

/// A bounded list of RTP streams.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Media {
    /// How many there are in the captures.
    pub total: u64,
    /// How many of these are not listed.
    pub omitted: u64,
    /// Packets that look like RTP and whose sequence numbers do not behave like RTP's: they are in no stream.
    pub unproven_packets: u64,
    /// Those with most packets, in the order in which they began.
    pub items: Vec<MediaStream>,
}

impl Media {
    /// The streams of another capture.
    pub(super) fn add(&mut self, other: Media) {
        self.total += other.total;
        self.omitted += other.omitted;
        self.unproven_packets += other.unproven_packets;
        self.items.extend(other.items);
    }
}

/// One RTP stream: a source in one direction of a path. Everything is as it passed the capture point: what is lost behind it is not seen.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MediaStream {
    /// Who sent it; of what a relay carries the peer or the relayed address, where the capture tells it.
    pub src: Address,
    /// Who is to have it.
    pub dst: Address,
    /// What it goes over between the two: `udp`, or `tcp` in frames of RFC 4571; a relay's client may reach that over something else.
    pub transport: Transport,
    /// The relay passages inside which it was, outermost first: `send`, `data`, `channel-data`; empty for what goes directly.
    pub via: Vec<String>,
    /// The synchronisation source. Retransmissions and error correction have one of their own.
    pub ssrc: u32,
    /// The payload type of most packets.
    pub payload_type: u8,
    /// All payload types, the first ones.
    pub payload_types: Vec<u8>,
    /// Packets, each counted once.
    pub packets: u64,
    /// Bytes of these, RTP header included, as far as the capture has them.
    pub bytes: u64,
    /// Packets that the sequence numbers show to be missing (RFC 3550 A.3).
    pub lost: u64,
    /// Copies of packets that had passed before.
    pub duplicates: u64,
    /// Packets that came after one with a higher number.
    pub reordered: u64,
    /// Runs of missing packets.
    pub gaps: u64,
    /// The longest time between two packets between which others are missing, in microseconds.
    pub longest_gap_us: Option<i64>,
    /// The last packet before it.
    pub longest_gap_at: Option<Time>,
    /// The longest time without a packet, though none is missing, in microseconds: the sender paused.
    pub longest_pause_us: Option<i64>,
    /// How often the sequence numbers began anew.
    pub restarts: u32,
    /// Ticks a second of the timestamps: by the payload type, or inferred from the capture's clock.
    pub clock_rate: Option<u32>,
    /// Interarrival jitter of RFC 3550 §6.4.1 in microseconds, the mean over the stream; `null` where the clock of the timestamps is not
    /// to be known.
    pub jitter_us: Option<i64>,
    /// The highest jitter.
    pub jitter_max_us: Option<i64>,
    /// What the source says in RTCP in the same direction.
    pub rtcp: MediaReports,
    /// The first packet.
    pub first_time: Time,
    /// The last packet.
    pub last_time: Time,
    /// The frames of these.
    pub evidence: Vec<Place>,
}

/// What the source of a stream says in RTCP.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct MediaReports {
    /// Datagrams that begin with a sender report of it.
    pub sender_reports: u32,
    /// Datagrams of it that begin with anything else.
    pub others: u32,
    /// The frame of a BYE in this direction; of encrypted RTCP only one that begins its datagram is seen.
    pub bye: Option<Place>,
}

/// The streams of a capture; of one user, where one is asked for.
pub(super) fn media(session: &Session, origin: Origin, user: Option<&str>) -> Media {
    let known = session.media();
    let mut streams = known.streams();
    if let Some(user) = user {
        let named = |way: &MediaWay| way.user.is_some_and(|name| session.names().text(name) == *user);
        streams.retain(|(way, _, _)| named(way));
    }
    let total = streams.len() as u64 + known.dropped();
    // the order of those with as many packets is that of their beginning
    streams.sort_by_key(|(_, _, stream)| std::cmp::Reverse(stream.packets));
    streams.truncate(MAX_LISTED);
    streams.sort_by_key(|(way, direction, stream)| (stream.first.frame, stream.ssrc, way.path, *direction));
    let mut items: Vec<MediaStream> =
        streams.into_iter().filter_map(|(way, direction, stream)| item(way, direction, stream, origin)).collect();
    let all = items.len();
    // on both sides of a NAT, and on its way to one relay and from another, a stream has the same ends: what passed unchanged is listed once
    let mut told = HashSet::new();
    items.retain(|item| {
        told.insert((item.src, item.dst, item.via.clone(), item.ssrc, item.packets, item.bytes, item.lost))
    });
    let total = total.saturating_sub((all - items.len()) as u64);
    Media { total, omitted: total.saturating_sub(items.len() as u64), unproven_packets: known.unproven(), items }
}

fn item(way: &MediaWay, direction: usize, stream: &Stream, origin: Origin) -> Option<MediaStream> {
    let (own, _) = way.from(direction);
    let (src, dst) = own.ends?;
    let micros = |pause: Option<Break>| pause.map(|pause| pause.span.micros());
    let jitter = stream.jitter();
    Some(MediaStream {
        src: Address(src),
        dst: Address(dst),
        transport: transport(&way.path, own.via.iter().flatten().any(|via| *via == Via::Connection)),
        via: own.via.iter().flatten().map(|via| via.layer().to_owned()).collect(),
        ssrc: stream.ssrc,
        payload_type: stream.payload_type(),
        payload_types: stream.payload_types().take(MAX_TYPES).collect(),
        packets: stream.packets,
        bytes: stream.bytes,
        lost: stream.lost(),
        duplicates: stream.duplicates,
        reordered: stream.reordered,
        gaps: stream.gaps,
        longest_gap_us: micros(stream.longest_gap),
        longest_gap_at: stream.longest_gap.map(|gap| origin.time(gap.from)),
        longest_pause_us: micros(stream.longest_pause),
        restarts: stream.restarts,
        clock_rate: jitter.map(|jitter| jitter.clock),
        jitter_us: jitter.map(|jitter| jitter.mean.micros()),
        jitter_max_us: jitter.map(|jitter| jitter.max.micros()),
        rtcp: reports(own, stream.ssrc, origin),
        first_time: origin.time(stream.first.time),
        last_time: origin.time(stream.last.time),
        evidence: [stream.first, stream.last].map(|seen| origin.place(seen.frame)).to_vec(),
    })
}

fn reports(own: &session::MediaDirection, ssrc: u32, origin: Origin) -> MediaReports {
    let known = own.reports.iter().find(|known| known.ssrc == ssrc);
    MediaReports {
        sender_reports: known.map_or(0, |known| known.sender),
        others: known.map_or(0, |known| known.other),
        bye: own.bye.map(|seen| origin.place(seen.frame)),
    }
}
