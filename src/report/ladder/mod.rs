//! The ladder of a session: who sent what to whom, as plain data for every drawing of it.
//!
//! A [`Collector`] takes the rows of one capture as they are read and folds them early, flow by flow, in bounded memory
//! ([`limits`]). At the end [`Ladder::new`] knows from the report what was not known under way, puts the flows of a client together into
//! one [`Session`], gives everybody a role, and marks the steps that findings cite.

mod cite;
mod collect;
mod flight;
mod label;
pub mod limits;
mod moment;
mod rows;
mod sessions;
mod story;
mod ticket;

pub use collect::Collector;
pub use rows::{Gap, Shown};

use super::{Place, Report, Severity, Time};
use crate::event::Via;
use crate::net::{Endpoint, PeerAddress, RelayedAddress, ServerAddress};
use std::fmt;
use std::net::IpAddr;

/// All sessions of the captures that were read.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    /// The sessions, in the order in which they begin; their numbers count from 1.
    pub sessions: Vec<Session>,
    /// Index of the session that the headline of the report is about, or of the one with the most to tell; `None` without sessions.
    pub chosen: Option<usize>,
    /// Messages on flows beyond the first [`limits::STORIES`], which are in no session.
    pub omitted: u64,
}

/// One client's story: its conversations with servers, its checks, handshakes and media, together.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its number, from 1.
    pub number: usize,
    /// Indices of the captures that it is in: one, or several that were read as one.
    pub captures: Vec<u32>,
    /// User names that the client gave to servers, as the capture has them.
    pub users: Vec<String>,
    /// Who takes part, the client first, then in the order of [`Role`].
    pub participants: Vec<Participant>,
    /// What was sent, by the time at which it began.
    pub steps: Vec<Step>,
    /// When it begins.
    pub first: Time,
    /// When it ends.
    pub last: Time,
    /// Messages in all; what a relay message carries is counted with it.
    pub messages: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What the report finds about it, gravest first.
    pub citations: Vec<Citation>,
}

/// Someone who takes part, by role. Roles are types, so that a mapped address is never drawn as a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Participant {
    /// The client, from whatever port.
    Client(IpAddr),
    /// A NAT in front of it, by the outside address.
    Nat(IpAddr),
    /// A server that was asked for nothing but the client's own address.
    Stun(ServerAddress),
    /// A server that was asked for a relay.
    Turn(ServerAddress),
    /// What a server lent the client.
    Relay(RelayedAddress),
    /// Whom the client talks to, directly or through a relay.
    Peer(PeerAddress),
}

/// What someone is to the client, in the order of the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The client.
    Client,
    /// A NAT in front of it.
    Nat,
    /// A STUN or TURN server.
    Server,
    /// A relayed address.
    Relay,
    /// A peer.
    Peer,
}

impl Participant {
    /// The role.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Participant::Client(_) => Role::Client,
            Participant::Nat(_) => Role::Nat,
            Participant::Stun(_) | Participant::Turn(_) => Role::Server,
            Participant::Relay(_) => Role::Relay,
            Participant::Peer(_) => Role::Peer,
        }
    }

    /// The role as it is written before an address: `client`, `NAT`, `STUN`, `TURN`, `relay`, `peer`.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self {
            Participant::Client(_) => "client",
            Participant::Nat(_) => "NAT",
            Participant::Stun(_) => "STUN",
            Participant::Turn(_) => "TURN",
            Participant::Relay(_) => "relay",
            Participant::Peer(_) => "peer",
        }
    }

    /// The address with its port, of those that have one.
    #[must_use]
    pub fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Participant::Client(_) | Participant::Nat(_) => None,
            Participant::Stun(end) | Participant::Turn(end) => Some(end.0),
            Participant::Relay(end) => Some(end.0),
            Participant::Peer(end) => Some(end.0),
        }
    }

    /// The address: without a port where many ports are one participant.
    #[must_use]
    pub fn address(&self) -> String {
        match self {
            Participant::Client(ip) | Participant::Nat(ip) => ip.to_string(),
            Participant::Stun(end) | Participant::Turn(end) => end.to_string(),
            Participant::Relay(end) => end.to_string(),
            Participant::Peer(end) => end.to_string(),
        }
    }
}

impl fmt::Display for Participant {
    /// `TURN 192.0.2.1:3478`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.title(), self.address())
    }
}

/// One arrow: a message, or several that are alike.
#[derive(Clone, Debug)]
pub struct Step {
    /// Index of the participant that sent it.
    pub from: usize,
    /// Index of the participant that it is for.
    pub to: usize,
    /// The relay that it went through, where it was captured between client and server: what goes on to the peer is known from that alone.
    pub through: Option<Passage>,
    /// What it is, as the capture has it: control characters included.
    pub label: String,
    /// How many messages these are, retransmissions included; 0 never.
    pub count: u64,
    /// How many of them are first copies, where retransmissions can be told.
    pub originals: u64,
    /// When the first was captured.
    pub first: Time,
    /// When the last was captured.
    pub last: Time,
    /// Whether how long it went on is worth telling however short it is: a run of media.
    pub is_run: bool,
    /// The frames; of many the first few and the last.
    pub frames: Vec<u64>,
    /// How it stands out.
    pub mark: Mark,
    /// What else there is to say: `no answer seen`, `ICMP port unreachable from 192.0.2.9 (frame 7)`.
    pub remark: String,
    /// Whether the capture has it on both sides of the NAT.
    pub both_sides: bool,
    /// Indices of the session's citations that rest on it.
    pub cited: Vec<usize>,
    /// Whether it stands for messages that were kept no longer, all of one flow.
    pub is_gap: bool,
}

/// How a message passed a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Index of the server.
    pub server: usize,
    /// Index of the relayed address, where it is known.
    pub relay: Option<usize>,
    /// What carried it between client and server.
    pub via: Via,
}

/// How a step stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Nothing special.
    #[default]
    Ok,
    /// Unusual, or the beginning of something: a challenge, a redirection, a role conflict.
    Note,
    /// A request that nothing answered.
    Lost,
    /// An error: an error response, a fatal alert, an ICMP error.
    Error,
}

/// How a session ended, as far as its packets tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nobody answered.
    Unanswered,
    /// Somebody answered, and that is all.
    Answered,
    /// A server refused, and nothing else came of it.
    Refused,
    /// A server lent a relayed address.
    Allocated,
    /// ICE checks were answered.
    Checked,
    /// Media or other data went one way.
    OneWay,
    /// Media or other data went both ways.
    BothWays,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Unanswered => "no answer seen",
            Outcome::Answered => "answered",
            Outcome::Refused => "refused",
            Outcome::Allocated => "relay allocated",
            Outcome::Checked => "checks answered",
            Outcome::OneWay => "data one way",
            Outcome::BothWays => "data both ways",
        })
    }
}

/// A finding that is about a session.
#[derive(Clone, Debug)]
pub struct Citation {
    /// The finding's id.
    pub id: String,
    /// How grave it is.
    pub severity: Severity,
    /// What it says in one sentence.
    pub title: String,
    /// Whether the headline of the report is this finding's.
    pub is_headline: bool,
}

impl Session {
    /// The place of a frame of a step.
    #[must_use]
    pub fn place(&self, frame: u64) -> Place {
        Place::of(self.captures.first().copied().unwrap_or_default(), frame)
    }

    /// Whether a place is in one of its captures.
    #[must_use]
    pub fn is_in(&self, place: Place) -> bool {
        self.captures.contains(&place.capture)
    }

    /// What its captures are called, where a report has several.
    #[must_use]
    pub fn paths(&self, report: &Report) -> Option<String> {
        let path = |&capture: &u32| report.captures.get(capture as usize).map(|capture| capture.path.as_str());
        let paths: Vec<&str> = self.captures.iter().filter_map(path).collect();
        (report.captures.len() > 1 && !paths.is_empty()).then(|| paths.join(" + "))
    }
}

impl Ladder {
    /// Puts together what was collected of each capture, in the order of the captures, and marks what findings of the report cite.
    #[must_use]
    pub fn new(collected: Vec<Collector>, report: &Report) -> Self {
        sessions::assemble(collected, report)
    }
}
