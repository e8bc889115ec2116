//! What was found, as plain public data: the published JSON forms and what every renderer reads.
//!
//! One set of structs. Their serialisation is the public form of `analyze --format json` ([`Report`]), of `messages --format
//! jsonl` ([`Message`]) and of `verify --format json` ([`VerifyReport`]); the JSON Schemas of the repository are generated from
//! them. Field names never change; fields may be added. An optional value is `null` in a report, and absent in a message.
//!
//! Texts here are as the capture has them, control characters included: JSON escapes them, and so must every other renderer.

mod assemble;
mod build;
mod convert;
mod finding;
mod handshake;
mod headline;
mod ice;
pub mod ladder;
mod media;
mod message;
mod outcome;
mod signalling;
mod steps;
mod value;
mod verify;

pub use assemble::assemble;
pub use build::{Builder, Part};
pub use convert::integrity_of;
pub use finding::{Confidence, Finding, Severity, Subject};
pub use handshake::{Dtls, DtlsAlertSeen, DtlsCertificate, DtlsClosing, DtlsFlight, DtlsMissing, DtlsState, DtlsWay};
pub use ice::{
    IceAgent, IceChecks, IceConsent, IceDtlsRole, IceEnds, IceNomination, IcePair, IcePassword, IceRole, IceRoles,
    IceRtt, IceSelectedBy, IceSelection, IceSession, IceState,
};
pub use media::{Media, MediaReports, MediaStream};
pub use message::{Attribute, DtlsAlert, DtlsRecord, Icmp, Message, Problem};
pub use signalling::{Signalled, SignalledAddress};
pub use value::{Address, Integrity, IntegrityStatus, Place, ProtocolError, Side, Time, Transport};
pub use verify::{Credential, CredentialKind, VerifyReport};

use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The name and version of the form, in the field `schema`.
pub const SCHEMA: &str = "turnscope/1";

/// Everything that `analyze` has to say about one or several captures.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// Name and version of this form: `turnscope/1`.
    pub schema: &'static str,
    /// The captures, in the order of the command line; places refer to them by index.
    pub captures: Vec<Capture>,
    /// The worst that was found.
    pub verdict: Verdict,
    /// One sentence: what explains the most.
    pub headline: String,
    /// The id of the finding that the headline is made from.
    pub headline_finding: Option<String>,
    /// How many messages of each kind there are.
    pub counts: Counts,
    /// The STUN and TURN servers that were asked.
    pub servers: Vec<Server>,
    /// The transactions that findings cite, and a bounded number more.
    pub transactions: Transactions,
    /// The conversations in which clients asked for an allocation and proved who they are.
    pub authentications: Vec<Authentication>,
    /// The ledger of TURN allocations.
    pub allocations: Vec<Allocation>,
    /// ICE candidates, learned from addresses on the wire.
    pub candidates: Vec<Candidate>,
    /// Which inside address appears outside as which.
    pub nat: Vec<NatMapping>,
    /// The DTLS associations.
    pub dtls: Vec<Dtls>,
    /// ICE sessions, in the order in which they began.
    pub ice: Vec<IceSession>,
    /// The streams of RTP.
    pub media: Media,
    /// The credentials given, and what they verified.
    pub credentials: Vec<Credential>,
    /// The session descriptions given, and how much of them the packets show.
    pub signalling: Vec<Signalled>,
    /// What is wrong or worth knowing, the headline's finding first.
    pub findings: Vec<Finding>,
    /// How many entries were left out of the lists above, by the name of the list; empty where all are there.
    pub omitted: BTreeMap<String, u64>,
}

impl Default for Report {
    fn default() -> Self {
        Report {
            schema: SCHEMA,
            captures: Vec::new(),
            verdict: Verdict::NothingFound,
            headline: String::new(),
            headline_finding: None,
            counts: Counts::default(),
            servers: Vec::new(),
            transactions: Transactions::default(),
            authentications: Vec::new(),
            allocations: Vec::new(),
            candidates: Vec::new(),
            nat: Vec::new(),
            dtls: Vec::new(),
            ice: Vec::new(),
            media: Media::default(),
            credentials: Vec::new(),
            signalling: Vec::new(),
            findings: Vec::new(),
            omitted: BTreeMap::new(),
        }
    }
}

/// The worst that a report holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// At least one finding that is a certain failure.
    Failure,
    /// Something is wrong or about to fail, but nothing certainly failed.
    Warning,
    /// There is traffic to judge, and nothing is wrong with it.
    Healthy,
    /// The capture holds nothing that could be judged: no STUN, TURN or DTLS.
    NothingFound,
}

/// One capture that was read.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Capture {
    /// As given on the command line; `-` for standard input.
    pub path: String,
    /// `pcap`, `pcapng`, with the compression in parentheses: `pcapng (gzip)`.
    pub format: String,
    /// Link types of its frames, by name where they have one.
    pub link_types: Vec<String>,
    /// Frames read.
    pub frames: u64,
    /// Bytes of the unpacked file that were read.
    pub bytes: u64,
    /// Time of the first frame that has one.
    pub first_time: Option<Time>,
    /// Time of the last frame that has one.
    pub last_time: Option<Time>,
    /// Comments that the file holds on itself and on frames.
    pub comments: Vec<Comment>,
    /// Where the file could not be read.
    pub damage: Vec<Damage>,
    /// How many such places there are, those not listed included.
    pub damage_total: u64,
    /// What was added to this capture's times to line it up with the first, in microseconds.
    pub clock_offset_us: Option<i64>,
    /// How far that may be off, in microseconds.
    pub clock_uncertainty_us: Option<i64>,
}

/// A comment of a pcapng file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Comment {
    /// The frame that it is on; `null` for one on the whole file.
    pub frame: Option<u64>,
    /// Its text.
    pub text: String,
}

/// A place of the file that could not be read.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Damage {
    /// Byte of the unpacked file.
    pub offset: u64,
    /// The last frame before it, 0 for none.
    pub after_frame: u64,
    /// What is wrong there.
    pub what: String,
    /// The byte from which reading went on; `null` where it ended.
    pub resumed_at: Option<u64>,
}

/// How many messages of each kind there are.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Counts {
    /// STUN and TURN messages by method and class, `Allocate request`.
    pub stun: BTreeMap<String, u64>,
    /// TURN ChannelData messages.
    pub channel_data: u64,
    /// DTLS records by content type.
    pub dtls: BTreeMap<String, u64>,
    /// RTP packets.
    pub rtp: u64,
    /// RTCP packets.
    pub rtcp: u64,
    /// Error responses by code.
    pub error_codes: BTreeMap<String, u64>,
    /// Frames that could not be looked into, by the reason, and what was dropped because a limit was reached.
    pub skipped: BTreeMap<String, u64>,
}

/// A STUN or TURN server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Server {
    /// Where it was asked.
    pub address: Address,
    /// Names that the capture gives for the address.
    pub names: Vec<String>,
    /// How it was reached.
    pub transports: Vec<ServerTransport>,
    /// What it says it is, in SOFTWARE.
    pub software: Option<String>,
    /// The family of servers whose wording it uses.
    pub dialect: Option<String>,
    /// Clients with a live allocation at the end.
    pub active_clients: u64,
    /// Live allocations relaying UDP at the end.
    pub active_relays_udp: u64,
    /// Live allocations relaying TCP at the end.
    pub active_relays_tcp: u64,
}

/// One way of reaching a server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServerTransport {
    /// The transport.
    pub transport: Transport,
    /// Transactions begun, retransmissions not counted.
    pub asked: u64,
    /// Of these, how many were answered.
    pub answered: u64,
    /// Allocations made.
    pub allocated: u64,
    /// Least time to an answer, in microseconds.
    pub rtt_us: Option<i64>,
    /// The client's address as the server told it first.
    pub mapped: Option<Address>,
}

/// A bounded list of transactions.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Transactions {
    /// How many there are in the captures.
    pub total: u64,
    /// How many of these are not listed.
    pub omitted: u64,
    /// Those that findings cite, and some more.
    pub items: Vec<Transaction>,
}

/// A request, its copies, and its answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Transaction {
    /// Transaction id: 24 hex digits, 32 of a message without cookie.
    pub id: String,
    /// Method by its IANA name, else `0x…`.
    pub method: String,
    /// Who asked.
    pub client: Address,
    /// Who was asked.
    pub server: Address,
    /// What carried it.
    pub transport: Transport,
    /// The first copies of the request.
    pub requests: Vec<Place>,
    /// How many copies there are.
    pub requests_total: u64,
    /// The answer.
    pub response: Option<Place>,
    /// How it ended.
    pub outcome: TransactionOutcome,
    /// What an error response says.
    pub error: Option<ProtocolError>,
    /// Time to the answer in microseconds; the least it can be where retransmissions make it ambiguous.
    pub rtt_us: Option<i64>,
    /// The most it can be.
    pub rtt_max_us: Option<i64>,
    /// USERNAME of the request.
    pub username: Option<String>,
    /// REALM of the request.
    pub realm: Option<String>,
    /// Where the answer came from, if not from where it was asked.
    pub answered_from: Option<Address>,
    /// Verdicts on the request's integrity attributes.
    pub request_integrity: Vec<Integrity>,
    /// Verdicts on the response's integrity attributes.
    pub response_integrity: Vec<Integrity>,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransactionOutcome {
    /// A success response.
    Success,
    /// An error response.
    Error,
    /// No answer.
    Unanswered,
}

/// One client's conversation with a server until it has an allocation or gives up.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Authentication {
    /// Who asked.
    pub client: Address,
    /// Who was asked.
    pub server: Address,
    /// The user that was tried last.
    pub username: Option<String>,
    /// The realm that was used last.
    pub realm: Option<String>,
    /// What was said, in order; the first ones.
    pub steps: Vec<Step>,
    /// How many steps there were.
    pub steps_total: u64,
    /// How it ended.
    pub outcome: AuthenticationOutcome,
    /// Label of the credential that the last request verifies with.
    pub request_credential: Option<String>,
    /// Label of the credential that the last response verifies with.
    pub response_credential: Option<String>,
}

/// One message of an [`Authentication`].
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Step {
    /// Where it stands.
    pub place: Place,
    /// When it was captured.
    pub time: Option<Time>,
    /// Who sent it.
    pub from: Side,
    /// What it is, in words: `Allocate request for user turnuser, signed`.
    pub what: String,
}

/// How an [`Authentication`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthenticationOutcome {
    /// The server granted what was asked.
    Accepted,
    /// The server refused.
    Rejected,
    /// The server asked for credentials and the client did not come back.
    Challenged,
    /// The server did not answer.
    Unanswered,
    /// Still going on where the capture ends.
    Open,
}

/// One TURN allocation, or the attempt at one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Allocation {
    /// Whose it is.
    pub client: Address,
    /// Who made it.
    pub server: Address,
    /// Transport between the two.
    pub transport: Transport,
    /// The user it belongs to.
    pub username: Option<String>,
    /// The realm of that user.
    pub realm: Option<String>,
    /// The client's address as the server sees it.
    pub mapped: Option<Address>,
    /// Relayed addresses: two for a dual allocation.
    pub relayed: Vec<Address>,
    /// Transport between relay and peers: `udp` or `tcp`.
    pub relayed_transport: Option<Transport>,
    /// Lifetime asked for, in seconds.
    pub requested_lifetime_s: Option<u32>,
    /// Lifetime last given, in seconds.
    pub lifetime_s: Option<u32>,
    /// First request.
    pub requested_at: Option<Time>,
    /// The success response.
    pub created_at: Option<Time>,
    /// Refreshes that succeeded.
    pub refreshes: u64,
    /// When its last lifetime runs out.
    pub expires_at: Option<Time>,
    /// When it ended, if it did.
    pub ended_at: Option<Time>,
    /// How it ended.
    pub end: AllocationEnd,
    /// What the server refused it with.
    pub error: Option<ProtocolError>,
    /// Permissions, the first ones.
    pub permissions: Vec<Permission>,
    /// How many permissions there are.
    pub permissions_total: u64,
    /// Channels, the first ones.
    pub channels: Vec<Channel>,
    /// How many channels there are.
    pub channels_total: u64,
    /// Payload bytes from the client to peers.
    pub bytes_sent: u64,
    /// Payload bytes from peers to the client.
    pub bytes_received: u64,
    /// Frames that prove it, the first ones.
    pub evidence: Vec<Place>,
    /// How many frames that are.
    pub evidence_total: u64,
}

/// How an [`Allocation`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AllocationEnd {
    /// By a Refresh with lifetime 0.
    Released,
    /// Its lifetime ran out.
    Expired,
    /// It lives on at the end of the capture.
    Open,
    /// It was never made.
    Rejected,
}

/// A peer address that may send through an allocation (RFC 8656 §9).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Permission {
    /// The peer's IP address.
    pub peer: IpAddr,
    /// When it was granted first.
    pub created_at: Option<Time>,
    /// When it runs out.
    pub expires_at: Option<Time>,
    /// What it was refused with.
    pub error: Option<ProtocolError>,
}

/// A channel bound to a peer (RFC 8656 §12).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Channel {
    /// Its number, 16384 to 32767.
    pub channel: u16,
    /// The peer.
    pub peer: Address,
    /// When it was bound first.
    pub created_at: Option<Time>,
    /// When it runs out.
    pub expires_at: Option<Time>,
    /// What it was refused with.
    pub error: Option<ProtocolError>,
}

/// An ICE candidate.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Candidate {
    /// Whose it is: the address of the client.
    pub owner: String,
    /// How it came about.
    #[serde(rename = "type")]
    pub kind: CandidateType,
    /// The candidate's address.
    pub address: Address,
    /// The address that it is sent from.
    pub base: Option<Address>,
    /// The server that it was learned from.
    pub server: Option<Address>,
    /// How sure that is.
    pub confidence: Confidence,
    /// Frames that prove it, the first ones.
    pub evidence: Vec<Place>,
    /// How many frames that are.
    pub evidence_total: u64,
}

/// The types of candidates of RFC 8445 §5.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateType {
    /// An address of the host itself.
    Host,
    /// What a NAT made of it, as a server told.
    Srflx,
    /// What a NAT made of it, as a peer told.
    Prflx,
    /// Lent by a TURN server.
    Relay,
}

/// An address inside a NAT and what it became outside.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NatMapping {
    /// Inside.
    pub inside: Address,
    /// Outside.
    pub outside: Address,
    /// Frames that prove it, the first ones.
    pub evidence: Vec<Place>,
    /// How many frames that are.
    pub evidence_total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::generate::SchemaSettings;
    use std::fs;
    use std::path::Path;

    /// The schemas of the repository are made from the types: `TURNSCOPE_BLESS=1 cargo test --lib schemas` writes them again.
    #[test]
    fn schemas_in_the_repository_are_those_of_the_types() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
        let written = || SchemaSettings::draft2020_12().for_serialize().into_generator();
        for (name, title, mut schema) in [
            ("analyze.json", "turnscope analyze --format json", written().into_root_schema_for::<Report>()),
            (
                "messages.json",
                "turnscope messages --format jsonl, one line",
                written().into_root_schema_for::<Message>(),
            ),
            ("verify.json", "turnscope verify --format json", written().into_root_schema_for::<VerifyReport>()),
        ] {
            schema.insert("title".into(), title.into());
            let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            let path = folder.join(name);
            if std::env::var_os("TURNSCOPE_BLESS").is_some() {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, &text).unwrap();
            }
            let kept = fs::read_to_string(&path).unwrap_or_default();
            assert!(kept == text, "schema/{name} is out of date; run with TURNSCOPE_BLESS=1");
        }
    }
}
