//! Headers of frames rewritten in place: addresses, then what they carry, then the checksums by what changed. So a right checksum stays right, and a
//! wrong one stays wrong. What is not understood is cut behind the last header that was.

use super::bytes::{at, put, word, zero};
use super::payload::Room;
use super::{Flow, Redactor};
use crate::net::Endpoint;
use crate::net::protocol::{TCP, UDP};
use std::net::IpAddr;

// IP protocol numbers (IANA)
const ICMP: u8 = 1;
const IPV4: u8 = 4;
const IPV6: u8 = 41;
const GRE: u8 = 47;
const ICMPV6: u8 = 58;

/// Packets within each other.
const DEPTH: u32 = 5;

/// Source and destination, before and after.
#[derive(Clone, Copy)]
struct Ends {
    old: [IpAddr; 2],
    new: [IpAddr; 2],
}

/// Whether a packet ends its frame, how deep it lies, and whether bytes are missing at its end.
#[derive(Clone, Copy)]
pub(super) struct Place {
    room: Room,
    depth: u32,
    cut: bool,
    /// Whether it is quoted in an error, rather than on its way.
    quoted: bool,
}

impl Place {
    fn quoted(self) -> Self {
        Place { room: Room::Inside, quoted: true, ..self.inside() }
    }

    fn inside(self) -> Self {
        Place { depth: self.depth + 1, ..self }
    }
}

impl Redactor {
    /// Rewrites a frame; gives how many of its bytes stay.
    pub(super) fn link(&mut self, link_type: u16, data: &mut [u8]) -> usize {
        let place = Place { room: Room::Last, depth: 0, cut: false, quoted: false };
        let (kind, from) = match link_type {
            1 => return self.ethernet(data, place),
            105 => return self.wireless(data, false, place),
            127 => return self.wireless(data, true, place),
            113 => {
                self.cooked(data, word(data, 4), 6);
                (word(data, 14), 16)
            }
            276 => {
                self.cooked(data, data.get(11).map(|&length| usize::from(length)), 12);
                (word(data, 0), 20)
            }
            0 | 108 => (Some(0), 4),
            12 | 14 | 101 | 228 | 229 => (Some(0), 0),
            _ => {
                self.counts.unknown += 1;
                return 0;
            }
        };
        let Some(rest) = data.get_mut(from..) else { return data.len().min(from) };
        from + self.ether(kind, rest, place)
    }

    pub(super) fn mac_at(&mut self, data: &mut [u8], offset: usize) {
        match at::<6>(data, offset) {
            Some(mac) => put(data, offset, &self.addresses.mac(mac)),
            None => zero(data, offset..usize::MAX),
        }
    }

    /// The sender of a cooked frame, where it has a MAC address.
    fn cooked(&mut self, data: &mut [u8], length: Option<usize>, offset: usize) {
        if length == Some(6) {
            self.mac_at(data, offset);
        } else {
            zero(data, offset..offset + 8);
        }
    }

    pub(super) fn arp(&mut self, data: &mut [u8]) -> usize {
        if at(data, 0) != Some([0, 1, 8, 0, 6, 4]) || data.len() < 28 {
            return 8.min(data.len());
        }
        for offset in [8, 18] {
            self.mac_at(data, offset);
            if let Some(ip) = at(data, offset + 6) {
                put(data, offset + 6, &self.addresses.v4(ip));
            }
        }
        zero(data, 28..usize::MAX);
        data.len()
    }

    pub(super) fn ip(&mut self, data: &mut [u8], place: Place) -> usize {
        if place.depth > DEPTH {
            return 0;
        }
        match data.first().map(|first| first >> 4) {
            Some(4) => self.ipv4(data, place),
            Some(6) => self.ipv6(data, place),
            _ => 0,
        }
    }

    fn ipv4(&mut self, data: &mut [u8], place: Place) -> usize {
        let header = usize::from(data.first().copied().unwrap_or(0) & 0x0f) * 4;
        let (Some(old), Some(before)) = (at::<8>(data, 12), data.get(..header).map(<[u8]>::to_vec)) else {
            return 0;
        };
        if header < 20 {
            return 0;
        }
        let [a, b, c, d, e, f, g, h] = old;
        let (src, dst) = ([a, b, c, d], [e, f, g, h]);
        let new = [self.addresses.v4(src), self.addresses.v4(dst)];
        put(data, 12, &new.concat());
        // options may hold addresses
        data.get_mut(20..header).unwrap_or_default().fill(1);
        let after = data.get(..header).unwrap_or_default().to_vec();
        let without =
            |bytes: &[u8]| sum(bytes.get(..10).unwrap_or_default()) + sum(bytes.get(12..).unwrap_or_default());
        adjust(data, 10, without(&before), without(&after), false);
        // a length of 0 was left to the network card
        let length = word(data, 2).filter(|&length| length >= header).unwrap_or(data.len());
        let ends = Ends { old: [src.into(), dst.into()], new: new.map(IpAddr::from) };
        let fragment = word(data, 6).unwrap_or(0);
        let (protocol, id) = (data.get(9).copied().unwrap_or(0), word(data, 4).unwrap_or(0));
        let place = Place { cut: length > data.len(), ..place };
        let end = length.min(data.len());
        zero(data, end..usize::MAX);
        let Some(rest) = data.get_mut(header..end) else { return data.len() };
        let kept = if fragment & 0x3fff == 0 {
            self.transport(protocol, rest, &ends, place)
        } else {
            let part = Part { id: id as u32, offset: (fragment & 0x1fff) * 8, more: fragment & 0x2000 != 0, protocol };
            self.part(rest, &ends, part, place)
        };
        // padding of short frames stays behind what is whole
        if header + kept == end && place.room == Room::Last { data.len() } else { header + kept }
    }

    fn ipv6(&mut self, data: &mut [u8], place: Place) -> usize {
        let (Some(src), Some(dst)) = (at::<16>(data, 8), at::<16>(data, 24)) else { return 0 };
        let new = [self.addresses.v6(src), self.addresses.v6(dst)];
        put(data, 8, &new.concat());
        let ends = Ends { old: [src.into(), dst.into()], new: new.map(IpAddr::from) };
        let length = word(data, 4).filter(|&length| length > 0).map_or(data.len(), |length| 40 + length);
        let place = Place { cut: length > data.len(), ..place };
        let end = length.min(data.len());
        zero(data, end..usize::MAX);
        let (mut kind, mut header) = (data.get(6).copied().unwrap_or(59), 40);
        let mut part = None;
        for _ in 0..8 {
            let size = data.get(header + 1).map_or(8, |&length| usize::from(length) * 8 + 8);
            match kind {
                // options of hops and of the destination: only padding stays
                0 | 60 => {
                    let next = data.get(header).copied().unwrap_or(59);
                    zero(data, header + 2..(header + size).min(end));
                    kind = next;
                    header += size;
                }
                44 => {
                    let (fields, id) = (word(data, header + 2).unwrap_or(0), at::<4>(data, header + 4));
                    let id = u32::from_be_bytes(id.unwrap_or_default());
                    kind = data.get(header).copied().unwrap_or(59);
                    part = Some(Part { id, offset: fields & !7, more: fields & 1 != 0, protocol: kind });
                    header += 8;
                    break;
                }
                _ => break,
            }
        }
        let Some(rest) = data.get_mut(header..end) else { return data.len().min(header) };
        let kept = match part {
            Some(part) if part.more || part.offset > 0 => self.part(rest, &ends, part, place),
            _ => self.transport(kind, rest, &ends, place),
        };
        if header + kept == end && place.room == Room::Last { data.len() } else { header + kept }
    }

    fn transport(&mut self, protocol: u8, data: &mut [u8], ends: &Ends, place: Place) -> usize {
        let old = data.to_vec();
        let [from, to] = ends.old;
        let port = |offset| word(&old, offset).map_or(0, |port| port as u16);
        let (src, dst) = (Endpoint::new(from, port(0)), Endpoint::new(to, port(2)));
        let flow = Flow { src, dst, depth: place.depth as u8, peer: None };
        // what stays, and where the checksum is
        let (kept, field) = match protocol {
            UDP => self.udp(data, &flow, place),
            TCP => self.tcp(data, &flow, place),
            ICMP => (self.icmp(data, matches!(data.first(), Some(3 | 4 | 5 | 11 | 12)), place), Some(2)),
            ICMPV6 => {
                let kind = data.first().copied().unwrap_or(255);
                let kept =
                    if matches!(kind, 135 | 136) { self.neighbour(data) } else { self.icmp(data, kind < 5, place) };
                (kept, Some(2))
            }
            IPV4 | IPV6 => (self.ip(data, place.inside()).min(data.len()), None),
            GRE => (self.gre(data, place.inside()).min(data.len()), None),
            _ => (0, None),
        };
        if let Some(field) = field {
            let pseudo = |ips: [IpAddr; 2]| ips.into_iter().map(sum_of).sum::<u64>();
            // ICMP of version 4 has no pseudo-header
            let (before, after) = if protocol == ICMP { (0, 0) } else { (pseudo(ends.old), pseudo(ends.new)) };
            let without = |bytes: &[u8]| {
                let (head, tail) = (bytes.get(..field), bytes.get(field + 2..));
                sum(head.unwrap_or_default()) + sum(tail.unwrap_or_default())
            };
            adjust(data, field, without(&old) + before, without(data) + after, protocol == UDP);
        }
        if place.room == Room::Inside {
            zero(data, kept..usize::MAX);
            return data.len();
        }
        kept
    }

    /// A UDP datagram: how much of it stays, and where its checksum is, if it has a whole header.
    fn udp(&mut self, data: &mut [u8], flow: &Flow, place: Place) -> (usize, Option<usize>) {
        let (port, length) = (word(data, 2), word(data, 4).filter(|&length| length >= 8).unwrap_or(data.len()));
        let end = length.min(data.len());
        zero(data, end..usize::MAX);
        let Some(payload) = data.get_mut(8..end) else { return (data.len(), None) };
        let cut = length > 8 + payload.len();
        let kept = match port.and_then(|port| self.tunnelled(port, payload, place.inside())) {
            Some(kept) => {
                let kept = kept.min(payload.len());
                zero(payload, kept..usize::MAX);
                8 + if place.room == Room::Last { kept } else { payload.len() }
            }
            None => 8 + self.payload(payload, cut, flow, place.room, place.depth),
        };
        (if kept == end { data.len() } else { kept }, Some(6))
    }

    /// The same of a TCP segment.
    fn tcp(&mut self, data: &mut [u8], flow: &Flow, place: Place) -> (usize, Option<usize>) {
        let header = usize::from(data.get(12).copied().unwrap_or(0) >> 4) * 4;
        if header < 20 || data.len() < 20 {
            // of a segment quoted in an error there may be no more than the ports
            zero(data, 8..usize::MAX);
            return (data.len().min(8), None);
        }
        let options = header.min(data.len());
        tcp_options(data.get_mut(20..options).unwrap_or_default());
        let (seq, flags) = (at(data, 4).map_or(0, u32::from_be_bytes), data.get(13).copied().unwrap_or(0));
        let rest = data.get_mut(options..).unwrap_or_default();
        let kept = self.segment(rest, flow, seq, flags, place.quoted);
        zero(rest, kept..usize::MAX);
        let kept = if place.room == Room::Inside { rest.len() } else { kept };
        (options + kept, Some(16))
    }

    /// An ICMP message: of errors, the packet that they quote.
    fn icmp(&mut self, data: &mut [u8], error: bool, place: Place) -> usize {
        if !error {
            return data.len().min(8);
        }
        if data.first() == Some(&5)
            && let Some(gateway) = at(data, 4)
        {
            put(data, 4, &self.addresses.v4(gateway));
        }
        let Some(quoted) = data.get_mut(8..) else { return data.len() };
        let place = Place { cut: true, ..place.quoted() };
        let kept = self.ip(quoted, place);
        zero(quoted, kept..usize::MAX);
        data.len()
    }

    /// Neighbour solicitations and advertisements (RFC 4861 §4.3): the target and a link-layer address.
    fn neighbour(&mut self, data: &mut [u8]) -> usize {
        let Some(target) = at(data, 8) else { return data.len().min(8) };
        put(data, 8, &self.addresses.v6(target));
        if let (Some([1 | 2, 1]), true) = (at(data, 24), data.len() >= 32) {
            self.mac_at(data, 26);
            return 32;
        }
        24
    }

    /// A fragment of a packet: put together in the first pass, looked up in the second.
    fn part(&mut self, data: &mut [u8], ends: &Ends, part: Part, place: Place) -> usize {
        let key = (ends.old, part.id, part.protocol);
        if self.learning && !place.cut {
            if let Some(mut whole) = self.parts.push(key, part.offset, part.more, data, self.frame) {
                let mut bytes = std::mem::take(&mut whole.bytes);
                let inside = Place { room: Room::Inside, cut: false, ..place };
                self.transport(part.protocol, &mut bytes, ends, inside);
                self.parts.keep(&whole, &bytes);
            }
            return data.len();
        }
        match self.parts.rewritten(self.frame, part.offset) {
            Some(bytes) if bytes.len() == data.len() => put(data, 0, bytes),
            _ => {
                self.counts.zeroed += u64::from(!self.learning);
                // the ports of the first are known for what they are
                zero(data, if part.offset == 0 && matches!(part.protocol, TCP | UDP) { 8 } else { 0 }..usize::MAX);
            }
        }
        data.len()
    }
}

/// What an IP header says of a fragment.
#[derive(Clone, Copy)]
struct Part {
    id: u32,
    offset: usize,
    more: bool,
    protocol: u8,
}

/// Options that say nothing of whose connection it is stay.
fn tcp_options(options: &mut [u8]) {
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        let length = match kind {
            0 => break,
            1 => 1,
            _ => options.get(at + 1).map_or(usize::MAX, |&length| usize::from(length).max(2)),
        };
        let end = at.saturating_add(length).min(options.len());
        if !matches!(kind, 1..=5 | 8) {
            options.get_mut(at..end).unwrap_or_default().fill(1);
        }
        at = end;
    }
    zero(options, at..usize::MAX);
}

/// The sum of words that checksums are made of (RFC 1071).
fn sum(bytes: &[u8]) -> u64 {
    bytes
        .chunks(2)
        .map(|pair| match *pair {
            [high, low] => u64::from(high) << 8 | u64::from(low),
            [high] => u64::from(high) << 8,
            _ => 0,
        })
        .sum()
}

fn sum_of(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => sum(&ip.octets()),
        IpAddr::V6(ip) => sum(&ip.octets()),
    }
}

/// Changes the checksum of all there is by what it was before.
pub(super) fn adjust_by(data: &mut [u8], field: usize, before: &[u8]) {
    let without =
        |bytes: &[u8]| sum(bytes.get(..field).unwrap_or_default()) + sum(bytes.get(field + 2..).unwrap_or_default());
    let after = without(data);
    adjust(data, field, without(before), after, false);
}

/// Changes a checksum by what the sum of the rest changed by (RFC 1624).
fn adjust(data: &mut [u8], field: usize, before: u64, after: u64, zero_is_none: bool) {
    let Some(old) = word(data, field) else { return };
    if zero_is_none && old == 0 {
        return;
    }
    let fold = |mut sum: u64| {
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum
    };
    let (before, after) = (fold(before), fold(after));
    if before == after {
        return;
    }
    let new = 0xffff ^ fold((0xffff ^ old as u64) + (0xffff ^ before) + after);
    let new = if zero_is_none && new == 0 { 0xffff } else { new as u16 };
    put(data, field, &new.to_be_bytes());
}
