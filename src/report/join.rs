//! What several captures share: the same packets seen at two points, those lost in between, and what became of addresses and bytes on the way.

use super::{Address, Capture, Confidence, Place};
use crate::join::{Change, Clock, Joins, LostWay, PairFacts, Point, RelayWay};
use schemars::JsonSchema;
use serde::Serialize;

/// What two captures share; or, with one capture alone, what a relay passed on within it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Join {
    /// Their indices, the lower first. Of rotated files that are one capture, the first counts.
    pub captures: Vec<u32>,
    /// How many packets were seen in both: STUN, DTLS, media and what relays carried. 0: they share nothing.
    pub matched: u64,
    /// Packets that were seen in the one, and did not come to the other on whose way they were; by flow and kind.
    pub lost: Vec<Lost>,
    /// STUN messages of which the bytes changed on the way.
    pub rewritten: Vec<Rewritten>,
    /// Addresses that were translated on the way.
    pub nat: Vec<JoinNat>,
    /// What a relay passed on between its clients and their peers.
    pub relays: Vec<Relayed>,
    /// How many entries of these lists found no room.
    pub omitted: u64,
}

/// Packets of one flow and kind that left one capture point and did not come to the next.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Lost {
    /// Index of the capture in which they are.
    pub from: u32,
    /// Index of the capture in which they should be.
    pub to: u32,
    /// Sender, as `from` shows it.
    pub src: Address,
    /// Receiver, as `from` shows it.
    pub dst: Address,
    /// `STUN request`, `STUN response`, `STUN indication`, `DTLS`, `RTP`, `relayed data`, `TCP SYN`.
    pub what: &'static str,
    /// How many packets were lost.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// `certain` where other packets of the flow or of the two hosts were seen at both points; `likely` where `to` only shows other traffic to the same receiver.
    pub confidence: Confidence,
    /// The first of them.
    pub places: Vec<Place>,
}

/// A STUN message that had other bytes at the other point.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Rewritten {
    /// What differs: the name of an attribute, `length`, or `bytes`.
    pub what: String,
    /// The value at the first of the two points that the packet passed, where it can be told.
    pub before: Option<String>,
    /// The value at the other.
    pub after: Option<String>,
    /// How many messages.
    pub count: u64,
    /// The same message at the two points; the first pairs.
    pub places: Vec<Place>,
}

/// An address that is another on the other side.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct JoinNat {
    /// On the side of the host that has it.
    pub inside: Address,
    /// On the other side.
    pub outside: Address,
    /// How many packets show it.
    pub packets: u64,
    /// The same packet on both sides; the first pairs.
    pub evidence: Vec<Place>,
}

/// What a relay passed on in one direction between one client and one peer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Relayed {
    /// The client of the relay.
    pub client: Address,
    /// The server that it sends to.
    pub server: Address,
    /// The relayed address.
    pub relayed: Address,
    /// The peer.
    pub peer: Address,
    /// Whether from the client to the peer, not the other way.
    pub outward: bool,
    /// How many packets came in and went out.
    pub passed: u64,
    /// How many came in and did not go out; `null` where the two sides are in different captures, or nothing can be said.
    pub lost: Option<u64>,
    /// The shortest time that it took, in microseconds.
    pub delay_min_us: i64,
    /// The mean.
    pub delay_mean_us: i64,
    /// The longest.
    pub delay_max_us: i64,
}

/// Says on a capture how its clock was lined up.
pub fn line_up(capture: &mut Capture, clock: &Clock) {
    let Some(first) = capture.first_time else { return };
    capture.clock_offset_us = Some(clock.apply(first.at).since(first.at).micros());
    capture.clock_uncertainty_us = clock.uncertainty.map(|span| span.micros());
    let drift = (clock.drift_ppm() * 1000.0).round() / 1000.0;
    capture.clock_drift_ppm = (drift != 0.0).then_some(drift);
}

/// What captures share, two by two; `groups` are those that share anything, with what they show.
#[must_use]
pub fn joins(groups: &[&Joins]) -> Vec<Join> {
    let Some(points) = groups.first().map(|joins| joins.points()) else { return Vec::new() };
    let mut found = Vec::new();
    for (first, one) in points.iter().enumerate() {
        for (second, other) in points.iter().enumerate().skip(first) {
            let known = |joins: &&&Joins| joins.is_member(first) && joins.is_member(second);
            let pairs = groups.iter().find(known).map(|joins| joins.pairs()).unwrap_or_default();
            let pair = pairs.iter().find(|pair| pair.points == (first, second));
            match pair {
                Some(pair) if first != second || !pair.relays.is_empty() => found.push(join(pair, points)),
                None if first != second => {
                    let captures = [one, other].map(index).to_vec();
                    found.push(Join { captures, ..Join::default() });
                }
                _ => {}
            }
        }
    }
    found
}

fn index(point: &Point) -> u32 {
    point.files.first().copied().unwrap_or_default()
}

fn places(frames: &[u64]) -> Vec<Place> {
    frames.iter().map(|&frame| Place::of(0, frame)).collect()
}

fn join(pair: &PairFacts, points: &[Point]) -> Join {
    let of = |point: usize| points.get(point).map_or(0, index);
    let (first, second) = pair.points;
    Join {
        captures: if first == second { vec![of(first)] } else { vec![of(first), of(second)] },
        matched: pair.matched,
        lost: pair.lost.iter().map(|lost| lost_of(lost, of)).collect(),
        rewritten: pair.rewritten.iter().map(rewritten).collect(),
        nat: pair
            .translated
            .iter()
            .map(|(known, packets)| JoinNat {
                inside: Address(known.inside),
                outside: Address(known.outside),
                packets: *packets,
                evidence: places(&known.frames),
            })
            .collect(),
        relays: pair.relays.iter().map(relayed).collect(),
        omitted: pair.omitted,
    }
}

fn lost_of(lost: &LostWay, of: impl Fn(usize) -> u32) -> Lost {
    Lost {
        from: of(lost.from),
        to: of(lost.to),
        src: Address(lost.src),
        dst: Address(lost.dst),
        what: lost.kind.name(),
        count: lost.count,
        of: lost.of,
        confidence: Confidence::certain_if(lost.certain),
        places: places(&lost.frames),
    }
}

fn rewritten(change: &Change) -> Rewritten {
    let [before, after] = change.values.clone();
    Rewritten { what: change.what.clone(), before, after, count: change.count, places: places(&change.frames) }
}

fn relayed(relay: &RelayWay) -> Relayed {
    let [least, mean, most] = relay.delay.map(|span| span.micros());
    Relayed {
        client: Address(relay.client.0),
        server: Address(relay.client.1),
        relayed: Address(relay.peer.0),
        peer: Address(relay.peer.1),
        outward: relay.outward,
        passed: relay.passed,
        lost: relay.lost,
        delay_min_us: least,
        delay_mean_us: mean,
        delay_max_us: most,
    }
}
