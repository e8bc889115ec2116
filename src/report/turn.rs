//! The servers, their transactions and allocations, and the addresses learned from them, as the report shows them.

pub use crate::session::{End as AllocationEnd, Opener as ConnectionOpener};

use super::{Address, Confidence, Integrity, Place, ProtocolError, Side, Time, Transport};
use schemars::JsonSchema;
use serde::Serialize;
use std::net::IpAddr;

/// A STUN or TURN server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Server {
    /// Where it was asked.
    pub address: Address,
    /// Names of the address, from the capture file and from DNS answers in it.
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
    /// The most clients with a live allocation at one time.
    pub peak_clients: u64,
    /// The most live allocations relaying UDP at one time.
    pub peak_relays_udp: u64,
    /// The most live allocations relaying TCP at one time.
    pub peak_relays_tcp: u64,
    /// These counters over time: from each time on, until the next.
    pub activity: Vec<ServerActivity>,
}

/// What a server lent from a time on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServerActivity {
    /// From when on.
    pub time: Time,
    /// Clients with a live allocation.
    pub clients: u64,
    /// Live allocations relaying UDP.
    pub relays_udp: u64,
    /// Live allocations relaying TCP.
    pub relays_tcp: u64,
    /// Live allocations, whatever they relay, of clients that are connected over TCP or TLS; those of all others are connected over UDP or DTLS.
    pub over_tcp: u64,
}

/// One way of reaching a server.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServerTransport {
    /// The transport.
    pub transport: Transport,
    /// Whether it answered anybody: requests, or the opening of connections and their handshakes.
    pub reachable: bool,
    /// Transactions begun, retransmissions not counted.
    pub asked: u64,
    /// Of these, how many were answered.
    pub answered: u64,
    /// Allocations made.
    pub allocated: u64,
    /// Of these, how many were asked for without credentials: the server lends relays to anybody. Left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_unsigned: Option<u64>,
    /// Least time to an answer, in microseconds.
    pub rtt_us: Option<i64>,
    /// The client's address as the server told it first.
    pub mapped: Option<Address>,
    /// Clients on this transport with a live allocation at the end.
    pub active_clients: u64,
    /// Their live allocations at the end.
    pub active_relays: u64,
    /// What came of it.
    pub outcome: TransportOutcome,
    /// The connections that carry it, of TCP, TLS or DTLS; `null` for plain UDP. Where TLS or DTLS could not be read they are all that is known: then
    /// `asked`, `answered` and `allocated` are 0.
    pub connections: Option<ServerConnections>,
    /// The first ICMP error that answered: what it says, who sent it, and where it stands.
    pub icmp: Option<ServerIcmp>,
    /// The first message or SYN.
    pub first_time: Option<Time>,
}

/// What came of trying a server over one transport: the furthest that any client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransportOutcome {
    /// Requests, or connection attempts, that nothing answered.
    Unanswered,
    /// An ICMP error answered.
    Unreachable,
    /// A reset answered the SYN.
    Refused,
    /// The connection was open, and its TLS or DTLS handshake failed.
    HandshakeFailed,
    /// The connection was open, or data went both ways, and nothing was answered, or nothing that can be read without the keys of TLS or DTLS.
    Connected,
    /// The server answered.
    Answered,
    /// The server granted an allocation.
    Allocated,
}

/// Connections of clients to a server.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct ServerConnections {
    /// How many were tried.
    pub tried: u64,
    /// How many were opened: SYN, SYN-ACK; or were running when the capture began.
    pub opened: u64,
    /// How many were answered by a reset instead.
    pub refused: u64,
    /// How many SYNs were never answered, each copy counted.
    pub unanswered_syns: u64,
    /// Least time from SYN to SYN-ACK, in microseconds.
    pub handshake_us: Option<i64>,
    /// How many were reset after they had been open, by the server and by clients.
    pub reset_by_server: u64,
    /// The same by clients.
    pub reset_by_client: u64,
}

/// An ICMP error.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServerIcmp {
    /// What it says, in words.
    pub kind: String,
    /// Who sent it.
    pub sender: String,
    /// Where it stands.
    pub place: Place,
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
    /// When the first copy of the request was sent; for tables.
    #[serde(skip)]
    pub time: Option<Time>,
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
    /// Whom `client` stands for, as the PROXY header of its connection tells: then `client` is a balancer. Left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxied_for: Option<Address>,
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
    /// The server sent the client on to another.
    Redirected,
    /// The server asked for credentials and the client did not come back.
    Challenged,
    /// The server did not answer.
    Unanswered,
    /// Still going on where the capture ends.
    Open,
}

/// One TURN allocation, or the attempt at one.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Allocation {
    /// Whose it is.
    pub client: Address,
    /// Whom `client` stands for, as the PROXY header of its connection tells: then `client` is a balancer. Left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxied_for: Option<Address>,
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
    /// Where it went on, if it followed its client to another address (RFC 8016); it is listed there, too, and its end here is `released`. Left out where
    /// it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<Address>,
    /// When the TCP or TLS connection that carries it was closed, if that came before its end: with the connection it is gone. Left out where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_closed_at: Option<Time>,
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
    /// Connections to peers, of a relay for TCP (RFC 6062); the first ones.
    pub connections: Vec<DataConnection>,
    /// How many there were.
    pub connections_total: u64,
    /// Payload bytes from the client to peers, those of connections among them.
    pub bytes_sent: u64,
    /// Payload bytes from peers to the client.
    pub bytes_received: u64,
    /// Frames that prove it, the first ones.
    pub evidence: Vec<Place>,
    /// How many frames that are.
    pub evidence_total: u64,
}

/// A connection between a relay and a peer, and the client's own connection to the relay that it is bound to (RFC 6062).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DataConnection {
    /// CONNECTION-ID: `0x…`; `null` where the relay told none.
    pub connection_id: Option<String>,
    /// The peer.
    pub peer: Option<Address>,
    /// Who wanted it: the client by Connect, or the peer.
    pub opened_by: ConnectionOpener,
    /// How it stands at the end of the capture.
    pub state: ConnectionState,
    /// What the server refused it with.
    pub error: Option<u16>,
    /// The client's end of the data connection, once it claimed this one.
    pub client: Option<Address>,
    /// The Connect request, or the ConnectionAttempt indication.
    pub opened_at: Option<Time>,
    /// The answer to ConnectionBind.
    pub bound_at: Option<Time>,
    /// When the data connection was closed.
    pub closed_at: Option<Time>,
    /// Who closed it.
    pub closed_by: Option<Side>,
    /// Whether by a reset.
    pub reset: bool,
    /// Bytes from the client to the peer; those that the capture lacks are counted by sequence numbers.
    pub bytes_sent: u64,
    /// Bytes from the peer to the client.
    pub bytes_received: u64,
    /// Frames that prove it.
    pub evidence: Vec<Place>,
}

/// How a connection to a peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionState {
    /// Connect, or ConnectionBind, was refused.
    Refused,
    /// The relay has not answered Connect.
    Asked,
    /// The relay is connected to the peer, and the client has not bound a data connection to it.
    Unbound,
    /// Bound to a data connection.
    Bound,
    /// It was bound, and the data connection was closed.
    Closed,
}

impl Allocation {
    /// Whether it was granted, however it ended.
    #[must_use]
    pub fn was_made(&self) -> bool {
        self.created_at.is_some()
    }
}

/// A peer address that may send through an allocation (RFC 8656 §9).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Permission {
    /// The peer's IP address.
    pub peer: IpAddr,
    /// When it was asked for first; one that had run out and was granted anew is another.
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
    /// When it was asked for first; one that had run out and was bound anew is another.
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
    /// What it is for: `udp` or `tcp` (RFC 6544).
    pub transport: Transport,
    /// Of a candidate for TCP: whether it opens connections, where the capture shows one that was opened.
    pub tcp_type: Option<TcpType>,
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

/// Who opens the connection (RFC 6544 §4.1). Simultaneous opening is not told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TcpType {
    /// It opens the connection.
    Active,
    /// It waits for it.
    Passive,
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
