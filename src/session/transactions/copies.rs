//! Packets that the capture holds twice, as a mirror port shows them, where they are of no transaction that would tell: indications, ChannelData,
//! DTLS, RTCP, answers to requests that it lacks. (RTP has its sequence numbers.)

use super::transaction::Sighting;
use crate::event::{Event, Hop};
use crate::session::Session;
use crate::session::tables::queue::Queue;
use crate::time::{NUMBERED_MIRROR, Timestamp, is_mirrored};
use crate::wire::demux;
use crate::wire::turn::ChannelData;

/// How many packets are remembered at most: as many as come within [`NUMBERED_MIRROR`] at 100,000 a second. They take 64 KiB.
const MOST: usize = 2048;

#[derive(Clone, Copy, Debug)]
struct Packet {
    /// A digest of where it went and what it held.
    print: u64,
    time: Timestamp,
    ip_id: u32,
}

/// The packets that came last.
#[derive(Debug, Default)]
pub(in crate::session) struct Copies {
    packets: Queue<Packet>,
}

impl Copies {
    /// Takes a packet; whether it is one that came just before.
    fn is_copy(&mut self, print: u64, ip_id: u32, time: Timestamp) -> bool {
        let full = self.packets.len() >= MOST;
        let is_old = |first: &Packet| full || time.since(first.time) >= NUMBERED_MIRROR;
        while self.packets.nth(0).is_some_and(is_old) {
            self.packets.pop();
        }
        let is_same =
            |known: &Packet| known.print == print && is_mirrored([known.ip_id, ip_id], known.time.apart(time));
        let copy = self.packets.find(print, is_same).is_some();
        self.packets.push(print, Packet { print, time, ip_id });
        copy
    }
}

impl Session {
    /// Whether what an event is about came in a packet that the capture holds already; `bytes` tell it from others between the same ends.
    pub(in crate::session) fn is_copy(&mut self, event: &Event<'_>, bytes: &[u8]) -> bool {
        if event.copy || !event.hops.is_empty() {
            return event.copy;
        }
        let print = self.names.digest_between(event.src, event.dst, bytes);
        self.copies.is_copy(print, event.ip_id, event.time)
    }

    /// The same of an answer whose request the capture does not hold.
    pub(in crate::session) fn is_copied_answer(&mut self, at: &Sighting, bytes: &[u8]) -> bool {
        let print = self.names.digest_between(at.src, at.dst, bytes);
        at.depth == 0 && self.copies.is_copy(print, at.ip_id, at.seen.time)
    }

    /// The same of ChannelData that makes this relay passage. Media in it is told by its numbers, as in [the short way](Session::media_in_lane).
    pub(in crate::session) fn is_copied_channel_data(
        &mut self,
        event: &Event<'_>,
        hop: Hop,
        data: &ChannelData<'_>,
    ) -> bool {
        let head = if event.transport.is_stream() { None } else { demux::rtp_head(data.data) };
        match head.zip(event.hops.through(hop)) {
            Some((head, hops)) => self.media.is_copy(&Event { hops, ..*event }, &head),
            None => self.is_copy(event, data.data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_that_comes_twice_within_milliseconds_is_found_whatever_came_between() {
        let mut copies = Copies::default();
        let at = |micros: i64| Timestamp(micros * 1000);
        let print = |number: i64| number.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for number in 0..20_000 {
            assert!(!copies.is_copy(print(number), 7, at(number * 20)), "{number}");
            // the second copies lie 900 packets behind
            if let Some(earlier) = number.checked_sub(900).filter(|earlier| *earlier >= 0) {
                assert!(copies.is_copy(print(earlier), 7, at(number * 20 + 1)), "{earlier}");
            }
        }
    }

    #[test]
    fn packets_with_the_same_content_are_none_where_their_hosts_numbered_them_apart_or_they_are_far_apart() {
        let mut copies = Copies::default();
        let at = |millis: i64| Timestamp(millis * 1_000_000);
        let told: Vec<bool> = [(7, 0), (8, 1), (7, 2), (0, 3), (0, 4), (0, 6), (7, 30), (7, 5)]
            .into_iter()
            .map(|(ip_id, millis)| copies.is_copy(1, ip_id, at(millis)))
            .collect();
        assert_eq!(told, [false, false, true, false, true, false, false, false]);
    }

    #[test]
    fn no_more_packets_are_remembered_than_there_is_room_for_also_where_the_clock_goes_back() {
        let mut copies = Copies::default();
        for number in 0..10_000_u32 {
            copies.is_copy(u64::from(number), 0, Timestamp(-i64::from(number)));
            assert!(copies.packets.len() <= MOST);
        }
    }
}
