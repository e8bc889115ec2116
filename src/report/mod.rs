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
mod decryption;
mod deployment;
mod dtls;
mod finding;
mod headline;
mod ice;
mod join;
pub mod ladder;
mod logs;
mod media;
mod message;
mod outcome;
mod over_time;
mod places;
mod proxy;
mod signalling;
mod silence;
mod steps;
mod summary;
pub mod tables;
mod tls;
mod totals;
mod tried;
mod turn;
mod value;
mod verify;

pub use crate::capture::{Comment, Damage};
pub use assemble::{assemble, assemble_beside};
pub use build::{Builder, Part};
pub use convert::integrity_of;
pub use decryption::Decryption;
pub use deployment::{Stated, StatedSeen};
pub use dtls::{Dtls, DtlsAlertSeen, DtlsCertificate, DtlsClosing, DtlsFlight, DtlsMissing, DtlsState, DtlsWay};
pub use finding::{Affected, Confidence, Finding, Severity, Subject};
pub use ice::{
    IceAgent, IceChecks, IceConsent, IceDtlsRole, IceEnds, IceNomination, IcePair, IcePassword, IceRole, IceRoles,
    IceRtt, IceSelectedBy, IceSelection, IceSession, IceState,
};
pub use join::{Join, JoinNat, Lost, Relayed, Rewritten, joins, line_up};
pub use logs::{LogFile, LogLine, LogOffset};
pub use media::{Media, MediaReports, MediaStream};
pub use message::{Attribute, DtlsAlert, DtlsRecord, Icmp, Message, Problem};
pub use over_time::{Counted, OverTime};
pub use proxy::Proxy;
pub use signalling::{Signalled, SignalledAddress};
pub use summary::Summary;
pub use tls::{Tls, TlsFlight, TlsTcp, TlsTcpClosing, TlsTcpState};
pub use totals::Totals;
pub use turn::{
    Allocation, AllocationEnd, Authentication, AuthenticationOutcome, Candidate, CandidateType, Channel,
    ConnectionOpener, ConnectionState, DataConnection, NatMapping, Permission, Server, ServerActivity,
    ServerConnections, ServerIcmp, ServerTransport, Step, TcpType, Transaction, TransactionOutcome, Transactions,
    TransportOutcome,
};
pub use value::{Address, Integrity, IntegrityStatus, Place, ProtocolError, Side, Time, Transport};
pub use verify::{Credential, CredentialKind, NearMiss, VerifyReport};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name and version of the form, in the field `schema`.
pub const SCHEMA: &str = "turnscope/1";

/// Everything that `analyze` has to say about one or several captures.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
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
    /// The proxies, of HTTP and SOCKS, that were asked for a TURN server. Left out where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<Proxy>,
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
    /// The TLS connections of TURN; those of the web are only counted.
    pub tls: Vec<Tls>,
    /// ICE sessions, in the order in which they began.
    pub ice: Vec<IceSession>,
    /// The streams of RTP.
    pub media: Media,
    /// What several captures share, two by two.
    pub joins: Vec<Join>,
    /// The credentials given, and what they verified.
    pub credentials: Vec<Credential>,
    /// The session descriptions given, and how much of them the packets show.
    pub signalling: Vec<Signalled>,
    /// What was stated of the deployment, and whether the packets show it so.
    pub deployment: Vec<Stated>,
    /// The lines of the logs given that are about what the captures show, by time.
    pub logs: Vec<LogLine>,
    /// The logs given, and how their times were taken.
    pub log_files: Vec<LogFile>,
    /// What is wrong or worth knowing, the headline's finding first.
    pub findings: Vec<Finding>,
    /// How many entries were left out of the lists above, by the name of the list; empty where all are there.
    pub omitted: BTreeMap<String, u64>,
}

impl Report {
    /// How many entries were left out of a list.
    #[must_use]
    pub fn left_out(&self, list: &str) -> u64 {
        self.omitted.get(list).copied().unwrap_or(0)
    }
}

/// The worst that a report holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// At least one finding that is a certain failure.
    Failure,
    /// Something is wrong or about to fail, but nothing certainly failed.
    Warning,
    /// There is traffic to judge, and nothing is wrong with it.
    Healthy,
    /// The capture holds nothing that could be judged: no STUN, TURN or DTLS.
    #[default]
    NothingFound,
}

impl Verdict {
    /// Its word in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Failure => "failure",
            Verdict::Warning => "warning",
            Verdict::Healthy => "healthy",
            Verdict::NothingFound => "nothing-found",
        }
    }
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
    /// What was added to this capture's times to line it up with the first that it shares packets with, in microseconds, at its first frame;
    /// `null` where it shares none.
    pub clock_offset_us: Option<i64>,
    /// How far that may be off, in microseconds; `null` where packets in one direction only could be compared.
    pub clock_uncertainty_us: Option<i64>,
    /// Whether the times of its frames tell nothing, since there are none, all are the same, or they count the frames: then what is silent cannot be
    /// told. Absent where they do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub timeless: bool,
    /// Where the times of its frames go back by more than a second, as when the clock is set: how long anything took from before to after is not known.
    /// Absent where they do not, and of captures that were read as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_set_back: Option<SetBack>,
    /// Packets that were lost while capturing, by the count that the capturing program left in the file; absent where that is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_packets: Option<u64>,
    /// What keys opened; absent where none were given and none are in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// By how much this capture's clock runs slow against that first one, in parts per million: so much is added besides as time passes.
    pub clock_drift_ppm: Option<f64>,
}

impl Capture {
    /// Its name without the folder that it lies in.
    #[must_use]
    pub fn name(&self) -> &str {
        base_name(&self.path)
    }
}

/// A file's name without its folders.
pub(crate) fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// A step back of a capture's clock.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct SetBack {
    /// The latest time before it.
    pub from: Time,
    /// The earliest behind it.
    pub to: Time,
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
    /// TLS records of connections of TURN, by content type.
    pub tls: BTreeMap<String, u64>,
    /// TLS connections of which nothing says that they are of TURN, which are not judged.
    pub other_tls: u64,
    /// UDP datagrams, whatever they hold.
    pub udp: u64,
    /// TCP segments, whatever they hold.
    pub tcp: u64,
    /// RTP packets.
    pub rtp: u64,
    /// RTCP packets.
    pub rtcp: u64,
    /// Error responses by code.
    pub error_codes: BTreeMap<String, u64>,
    /// Frames that could not be looked into, by the reason, and what was dropped because a limit was reached.
    pub skipped: BTreeMap<String, u64>,
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
            ("summary.json", "summary.jsonl of turnscope batch, one line", written().into_root_schema_for::<Summary>()),
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
