//! What several captures share: the same packets seen at two points, those lost in between, and what became of addresses and bytes on the way.

use super::{Address, Confidence, Place};
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
    /// `STUN request`, `STUN response`, `STUN indication`, `DTLS`, `RTP`, `relayed data`.
    pub what: &'static str,
    /// How many packets were lost.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// `certain` where other packets of the flow were seen at both points; `likely` where `to` only shows other traffic to the same receiver.
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
