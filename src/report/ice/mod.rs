//! ICE as reports tell it: sessions, agents, pairs, and what candidates the checks show.

mod candidates;
mod convert;

pub(super) use candidates::{Known, binding, of_session};
pub(super) use convert::session;

pub use crate::session::ice::{Nomination as IceNomination, Role as IceRole, State as IceState};
pub use crate::session::signalling::compare::Role as IceDtlsRole;

use super::signalling::SignalledAddress;
use super::{Address, CandidateType, Place, TcpType, Time, Transport};
use schemars::JsonSchema;
use serde::Serialize;

/// One ICE session: two agents, known by their user fragments, and the candidate pairs that they checked.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct IceSession {
    /// The user fragments, that of the local agent first; empty where the checks do not tell them.
    pub ufrags: Vec<String>,
    /// The two agents, the local one first: the one that is nearer to the capture point as far as times and hop limits tell, else the one that
    /// was seen checking first.
    pub agents: Vec<IceAgent>,
    /// Who is who, and how nomination went.
    pub roles: IceRoles,
    /// The pairs, in the order in which they were first checked.
    pub pairs: Vec<IcePair>,
    /// Checks on further pairs, for which there was no room.
    pub checks_omitted: u64,
    /// The pair that is selected at the end.
    pub selected_pair: Option<IceEnds>,
    /// Since when it is.
    pub selected_at: Option<Time>,
    /// All selections, in order of time; the last ones.
    pub selections: Vec<IceSelection>,
    /// The first check.
    pub first_check_at: Option<Time>,
    /// From the first check to the first answer, in microseconds.
    pub first_answer_us: Option<i64>,
    /// From the first check to the first answer to one with USE-CANDIDATE, in microseconds.
    pub nominated_us: Option<i64>,
    /// From the first check to the first DTLS or media on one of the pairs, in microseconds.
    pub first_data_us: Option<i64>,
    /// Consent (RFC 7675) on the selected pair.
    pub consent: Option<IceConsent>,
    /// How many restarts came before.
    pub restarts: u32,
    /// Whether it pairs an old user fragment with a new one: such a session lasts only until both sides know the new ones.
    pub mixed: bool,
    /// The user fragments of the session that it is the restart of, where that is listed.
    pub restart_of: Vec<String>,
    /// Frames that prove it: first check, first answer, nomination, selection.
    pub evidence: Vec<Place>,
    /// How many frames that are.
    pub evidence_total: u64,
}

/// One of the two agents.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct IceAgent {
    /// Its user fragment.
    pub ufrag: Option<String>,
    /// Where it is on the wire, as far as the capture shows: its own address, also where it is behind a NAT or its relay.
    pub host: Option<Address>,
    /// Its ends of the pairs.
    pub addresses: Vec<Address>,
    /// Its role as it said last.
    pub role: Option<IceRole>,
    /// Whether it is lite: as its description says, or `false` where it sends checks; `null` where it only answers.
    pub lite: Option<bool>,
    /// Its tie-breaker as it said last: 16 hex digits.
    pub tie_breaker: Option<String>,
    /// Checks that it sent, retransmissions left out.
    pub checks_sent: u64,
    /// Checks of the other that it answered by success.
    pub answers_sent: u64,
    /// Whether it sends what only WebRTC's library does.
    pub webrtc: bool,
    /// `a=setup` of its descriptions: `actpass`, `active`, `passive`, `holdconn`; one that decides before one that leaves it open.
    pub setup: Option<String>,
    /// What the descriptions of both make it in the DTLS handshake.
    pub dtls_role: Option<IceDtlsRole>,
    /// Its password, as far as descriptions or credentials give it.
    pub password: IcePassword,
    /// The candidates that its descriptions tell, each once; the first ones.
    pub candidates_told: Vec<SignalledAddress>,
    /// How many that are.
    pub candidates_told_total: u64,
}

/// An agent's password: the other's checks and its own answers are signed with it (RFC 8445 §7.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IcePassword {
    /// Whether it came with a description.
    pub told: bool,
    /// Messages that verify with a password that was given for its user fragment.
    pub verified: u64,
    /// Messages that verify with none of those.
    pub mismatched: u64,
}

/// Who is who, and how nomination went.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct IceRoles {
    /// User fragment of the controlling agent, if one is to be told.
    pub controlling: Option<String>,
    /// User fragment of the controlled agent.
    pub controlled: Option<String>,
    /// How the controlling agent nominates.
    pub nomination: Option<IceNomination>,
    /// 487 answers.
    pub conflicts: u64,
    /// Whether checks were answered by success after the last of them; `null` where there was none.
    pub resolved: Option<bool>,
}

/// The ends of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IceEnds {
    /// That of the local agent.
    pub local: Address,
    /// That of the remote agent.
    pub remote: Address,
}

/// A candidate pair.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct IcePair {
    /// The local candidate: what the other agent sees, as the answers to checks tell it (RFC 8445 §7.2.5.3.2); until there is one, where the
    /// checks are sent from. Of what passes its relay the relayed address, where that is known.
    pub local: Address,
    /// The remote candidate.
    pub remote: Address,
    /// The remote agent is behind a channel of the local one's relay that was bound before the capture, which does not tell its address: `remote` is
    /// that of the TURN server.
    pub remote_hidden: bool,
    /// Where the local agent sends from, if not from the address of its candidate: there is a NAT on the way.
    pub local_base: Option<Address>,
    /// The same of the remote agent.
    pub remote_base: Option<Address>,
    /// Type of the local candidate, where something shows it.
    pub local_type: Option<CandidateType>,
    /// Type of the remote candidate.
    pub remote_type: Option<CandidateType>,
    /// What it goes over as ICE sees it: `udp` or `tcp` (RFC 6544).
    pub transport: Transport,
    /// Of a pair over TCP: whether the local candidate opens the connection.
    pub local_tcp_type: Option<TcpType>,
    /// The same of the remote candidate.
    pub remote_tcp_type: Option<TcpType>,
    /// The TURN server that the checks were seen to pass.
    pub via: Option<Address>,
    /// How it stands.
    pub state: IceState,
    /// Checks sent by both agents, retransmissions left out.
    pub checks_sent: u64,
    /// Checks of both agents that were answered by success.
    pub checks_answered: u64,
    /// The checks of the local agent.
    pub from_local: IceChecks,
    /// The checks of the remote agent.
    pub from_remote: IceChecks,
    /// Round-trip times of the agent whose checks take longer, which is the one nearer to the capture point.
    pub rtt_us: Option<IceRtt>,
    /// Whether it was nominated: a check with USE-CANDIDATE was answered.
    pub nominated: bool,
    /// When.
    pub nominated_at: Option<Time>,
    /// Whether it is the selected one at the end.
    pub selected: bool,
    /// Datagrams of DTLS and media on it, both ways.
    pub data_packets: u64,
    /// Bytes of those.
    pub data_bytes: u64,
    /// The ICMP error that a check met.
    pub icmp: Option<String>,
    /// From where an answer came, if not from where the check went.
    pub answered_from: Option<Address>,
    /// Whether the capture shows it at more than one point: on both legs of a relay, or on both sides of a NAT.
    pub points: u32,
    /// First check, first answer.
    pub evidence: Vec<Place>,
}

/// The checks of one agent on a pair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IceChecks {
    /// Sent, retransmissions left out.
    pub sent: u64,
    /// Retransmissions.
    pub retransmitted: u64,
    /// Answered by success.
    pub answered: u64,
    /// Answered by an error.
    pub refused: u64,
    /// The last such error.
    pub error: Option<u16>,
    /// Round-trip times as seen at the capture point.
    pub rtt_us: Option<IceRtt>,
}

/// Round-trip times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IceRtt {
    /// The least.
    pub min: u32,
    /// The median; where there are more than 16, of a sample of them.
    pub median: u32,
    /// The greatest.
    pub max: u32,
}

/// A pair became the selected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct IceSelection {
    /// The local end.
    pub local: Address,
    /// The remote end.
    pub remote: Address,
    /// When.
    pub at: Time,
    /// What shows it.
    pub by: IceSelectedBy,
    /// The frame that shows it.
    pub place: Place,
}

/// What shows that a pair is the selected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IceSelectedBy {
    /// Its nomination alone.
    Nomination,
    /// DTLS or media on it.
    Data,
}

/// Consent checks on the selected pair (RFC 7675), of the agent whose checks were answered worst.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct IceConsent {
    /// User fragment of the agent that asks.
    pub from: Option<String>,
    /// Checks that it sent on the pair.
    pub sent: u64,
    /// Of these, answered.
    pub answered: u64,
    /// The longest time between two answers while it asked, in microseconds.
    pub longest_gap_us: i64,
    /// The last answer.
    pub last_answer_at: Option<Time>,
    /// When consent ran out: 30 s after the last answer, if it went on asking as long as that.
    pub lost_at: Option<Time>,
}
