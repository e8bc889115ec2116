//! Which packets of the merged row are news.

use super::MAX_POINTS;
use super::facts::Joins;
use super::print::{Kind, Print, digest};
use crate::net::Endpoint;
use crate::packet::{Datagram, IcmpError, Packet, Segment};
use crate::time::{Span, Timestamp};
use hashbrown::HashMap;

/// How long a packet is remembered, at least.
const WINDOW: Span = Span::from_secs(20);
/// A capture that goes on in silence may have run so long after its last frame.
const SLACK: Span = Span::from_secs(2);
/// How many packets are remembered, in each of two generations.
const MAX_REMEMBERED: usize = 1 << 18;
/// How much of a payload is compared beside its length.
const START: usize = 64;

/// What a packet is to the analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picked {
    /// News.
    New,
    /// The same as before, seen at another point.
    Copy,
    /// The same as before, seen at another point with other addresses: it tells of the way, and is counted already.
    Again,
    /// An answer at a point before the last one on its way: whether it got there is told by that one.
    Underway,
}

/// Sorts out packets that several points show.
///
/// A packet that comes for the n-th time at a point is news if it came less often at every other: so a retransmission of which the first copy was
/// lost between two points is told once for each copy that was sent. Of answers, handshakes and media only what passes the last point counts: what was lost
/// before it did not arrive.
#[derive(Debug, Default)]
pub struct Picker {
    young: HashMap<u64, [u8; MAX_POINTS]>,
    old: HashMap<u64, [u8; MAX_POINTS]>,
    turned: Option<Timestamp>,
}

impl Picker {
    /// Takes a packet that was seen at a point.
    pub fn pick(&mut self, joins: &Joins, point: usize, now: Timestamp, packet: &Packet<'_>) -> Picked {
        let key = match packet {
            Packet::Datagram(datagram) => of_datagram(datagram),
            Packet::Segment(segment) => of_segment(segment),
            Packet::IcmpError(error) => of_icmp(error),
        };
        let copy = self.is_copy(key, point, now);
        let Packet::Datagram(datagram) = packet else { return if copy { Picked::Copy } else { Picked::New } };
        let Some(print) = Print::of(datagram.payload, datagram.truncated) else {
            return if copy { Picked::Copy } else { Picked::New };
        };
        let last = Self::last_of(joins, datagram, &print, now);
        if last.is_some_and(|last| last != point) {
            return Picked::Underway;
        }
        if copy && last.is_none() {
            return Picked::Copy;
        }
        // in and out of a relay it is two messages
        let again =
            self.is_copy(digest(4, &[&print.key.to_be_bytes()[..], &[u8::from(print.wrapped)]].concat()), point, now);
        if again { Picked::Again } else { Picked::New }
    }

    /// The point that tells whether an answer, or media, arrives.
    fn last_of(joins: &Joins, datagram: &Datagram<'_>, print: &Print<'_>, now: Timestamp) -> Option<usize> {
        let last = joins.last_point(datagram.src, datagram.dst)?;
        let counts = match print.kind {
            Kind::Answer => !print.wrapped,
            Kind::Media => true,
            // of a handshake of which nothing arrives at all, what was sent is told
            Kind::Dtls => joins.has_keyed(datagram.src, datagram.dst),
            _ => false,
        };
        let point = joins.points().get(last)?;
        if !counts || !point.shows(print.kind) {
            return None;
        }
        // where nothing of this arrives, the last frame of the capture is not its end
        let mut stretches = joins.stretches(datagram.src, datagram.dst, print.wrapped).iter();
        let mut none = || stretches.any(|stretch| stretch.point == last && stretch.seen(print.kind) == 0);
        (point.ran_at(now) || point.span.is_some_and(|(first, end)| first <= now && now <= end.after(SLACK)) && none())
            .then_some(last)
    }

    fn is_copy(&mut self, key: u64, point: usize, now: Timestamp) -> bool {
        let turned = *self.turned.get_or_insert(now);
        if now.since(turned) >= WINDOW || self.young.len() >= MAX_REMEMBERED {
            self.turned = Some(now);
            self.old = std::mem::take(&mut self.young);
        }
        let old = &self.old;
        let counts = self.young.entry(key).or_insert_with(|| old.get(&key).copied().unwrap_or_default());
        let others = counts.iter().enumerate().filter(|(other, _)| *other != point).map(|(_, &count)| count);
        let most = others.max().unwrap_or(0);
        let Some(own) = counts.get_mut(point) else { return false };
        *own = own.saturating_add(1);
        *own <= most
    }
}

fn ends(src: Endpoint, dst: Endpoint) -> [u8; 36] {
    let mut bytes = [0; 36];
    let both = [src, dst].into_iter().flat_map(|end| {
        let ip = match end.ip() {
            std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            std::net::IpAddr::V6(ip) => ip.octets(),
        };
        ip.into_iter().chain(end.port().to_be_bytes())
    });
    bytes.iter_mut().zip(both).for_each(|(to, from)| *to = from);
    bytes
}

fn of(tag: u8, src: Endpoint, dst: Endpoint, more: &[u8], payload: &[u8]) -> u64 {
    let start = payload.get(..START).unwrap_or(payload);
    // STUN differs in its transaction id, DTLS and RTP in their numbers, all of which stand at the beginning
    digest(tag, &[&ends(src, dst), more, start].concat())
}

fn of_datagram(datagram: &Datagram<'_>) -> u64 {
    of(1, datagram.src, datagram.dst, &datagram.length.to_be_bytes(), datagram.payload)
}

fn of_segment(segment: &Segment<'_>) -> u64 {
    let &Segment { src, dst, seq, ack, flags, length, .. } = segment;
    let header = [seq, ack, length, u32::from(flags.0)].map(u32::to_be_bytes).concat();
    of(2, src, dst, &header, segment.payload)
}

fn of_icmp(error: &IcmpError<'_>) -> u64 {
    let (sender, receiver) = (Endpoint::new(error.sender, 0), Endpoint::new(error.receiver, 0));
    let quoted = ends(error.quoted.src, error.quoted.dst);
    of(3, sender, receiver, &[&quoted[..], error.kind.to_string().as_bytes()].concat(), error.quoted.payload)
}
