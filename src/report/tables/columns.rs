//! The columns of each table: name, kind, and where the value comes from.

use super::cell::{Cell, Kind};
use crate::report::{
    Allocation, Credential, Dtls, Finding, IcePair, IceSession, Integrity, LogLine, MediaStream, Server,
    ServerTransport, Stated, Summary, Tls, Transaction,
};
use crate::time::Timestamp;

/// A column of a table of `T`, each of which belongs to a `P`.
pub(super) struct Column<P, T> {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) get: for<'a> fn(&'a P, &'a T) -> Cell<'a>,
}

macro_rules! columns {
    ($($name:ident: $kind:ident = |$parent:pat_param, $item:pat_param| $value:expr;)+) => {
        &[$(Column { name: stringify!($name), kind: Kind::$kind, get: |$parent, $item| Cell::from($value) }),+]
    };
}

pub(super) const CAPTURES: &[Column<(), Summary>] = columns! {
    path: Text = |_, it| &it.path;
    parts: Unsigned = |_, it| it.parts.len().max(1) as u64;
    report: Text = |_, it| it.report.as_ref();
    sha256: Text = |_, it| it.sha256.as_ref();
    size: Unsigned = |_, it| it.size;
    format: Text = |_, it| it.format.as_ref();
    frames: Unsigned = |_, it| it.frames;
    bytes: Unsigned = |_, it| it.bytes;
    first_time: Time = |_, it| it.first_time_ns.map(Timestamp);
    last_time: Time = |_, it| it.last_time_ns.map(Timestamp);
    verdict: Text = |_, it| it.verdict.map(|verdict| verdict.name());
    headline: Text = |_, it| it.headline.as_ref();
    headline_finding: Text = |_, it| it.headline_finding.as_ref();
    failures: Unsigned = |_, it| it.failures;
    warnings: Unsigned = |_, it| it.warnings;
    notes: Unsigned = |_, it| it.notes;
    servers: Text = |_, it| Cell::list(&it.servers);
    stun: Unsigned = |_, it| it.stun;
    channel_data: Unsigned = |_, it| it.channel_data;
    dtls: Unsigned = |_, it| it.dtls;
    rtp: Unsigned = |_, it| it.rtp;
    rtcp: Unsigned = |_, it| it.rtcp;
    damage: Unsigned = |_, it| it.damage;
    error: Text = |_, it| it.error.as_ref();
    page: Text = |_, it| it.page.as_ref();
};

/// Those of `messages --format csv`, the time once and as a time.
pub(super) const MESSAGES: &[(&str, Kind)] = &[
    ("frame", Kind::Unsigned),
    ("time", Kind::Time),
    ("src", Kind::Text),
    ("dst", Kind::Text),
    ("peer", Kind::Text),
    ("relayed", Kind::Text),
    ("protocol", Kind::Text),
    ("class", Kind::Text),
    ("method", Kind::Text),
    ("classic", Kind::Flag),
    ("transaction_id", Kind::Text),
    ("fingerprint", Kind::Text),
    ("request_frame", Kind::Unsigned),
    ("rtt_us", Kind::Signed),
    ("retransmission_of", Kind::Unsigned),
    ("channel", Kind::Unsigned),
    ("length", Kind::Unsigned),
    ("ssrc", Kind::Unsigned),
    ("payload_type", Kind::Unsigned),
    ("sequence", Kind::Unsigned),
    ("packet_type", Kind::Text),
    ("error_code", Kind::Unsigned),
];

pub(super) const TRANSACTIONS: &[Column<(), Transaction>] = columns! {
    frame: Unsigned = |_, it| it.requests.first().map(|place| place.frame);
    time: Time = |_, it| it.time;
    transaction_id: Text = |_, it| &it.id;
    method: Text = |_, it| &it.method;
    client: Text = |_, it| it.client;
    server: Text = |_, it| it.server;
    transport: Text = |_, it| it.transport;
    requests: Unsigned = |_, it| it.requests_total;
    response_frame: Unsigned = |_, it| it.response.map(|place| place.frame);
    outcome: Text = |_, it| Cell::word(&it.outcome);
    error_code: Unsigned = |_, it| it.error.as_ref().map(|error| error.code);
    error_reason: Text = |_, it| it.error.as_ref().map(|error| &error.reason);
    rtt_us: Signed = |_, it| it.rtt_us;
    rtt_max_us: Signed = |_, it| it.rtt_max_us;
    username: Text = |_, it| it.username.as_ref();
    realm: Text = |_, it| it.realm.as_ref();
    answered_from: Text = |_, it| it.answered_from;
    request_integrity: Text = |_, it| status(&it.request_integrity);
    request_credential: Text = |_, it| credential(&it.request_integrity);
    response_integrity: Text = |_, it| status(&it.response_integrity);
    response_credential: Text = |_, it| credential(&it.response_integrity);
};

pub(super) const ALLOCATIONS: &[Column<(), Allocation>] = columns! {
    frame: Unsigned = |_, it| it.evidence.first().map(|place| place.frame);
    requested_at: Time = |_, it| it.requested_at;
    created_at: Time = |_, it| it.created_at;
    expires_at: Time = |_, it| it.expires_at;
    ended_at: Time = |_, it| it.ended_at;
    client: Text = |_, it| it.client;
    server: Text = |_, it| it.server;
    transport: Text = |_, it| it.transport;
    username: Text = |_, it| it.username.as_ref();
    realm: Text = |_, it| it.realm.as_ref();
    mapped: Text = |_, it| it.mapped;
    relayed: Text = |_, it| it.relayed.first().copied();
    relayed_transport: Text = |_, it| it.relayed_transport;
    requested_lifetime_s: Unsigned = |_, it| it.requested_lifetime_s;
    lifetime_s: Unsigned = |_, it| it.lifetime_s;
    refreshes: Unsigned = |_, it| it.refreshes;
    outcome: Text = |_, it| Cell::word(&it.end);
    error_code: Unsigned = |_, it| it.error.as_ref().map(|error| error.code);
    error_reason: Text = |_, it| it.error.as_ref().map(|error| &error.reason);
    permissions: Unsigned = |_, it| it.permissions_total;
    channels: Unsigned = |_, it| it.channels_total;
    bytes_sent: Unsigned = |_, it| it.bytes_sent;
    bytes_received: Unsigned = |_, it| it.bytes_received;
};

pub(super) const FINDINGS: &[Column<(), Finding>] = columns! {
    frame: Unsigned = |_, it| it.places.first().map(|place| place.frame);
    finding: Text = |_, it| &it.id;
    key: Text = |_, it| &it.key;
    severity: Text = |_, it| Cell::word(&it.severity);
    confidence: Text = |_, it| Cell::word(&it.confidence);
    title: Text = |_, it| &it.title;
    explanation: Text = |_, it| &it.explanation;
    fix: Text = |_, it| &it.fix;
    occurrences: Unsigned = |_, it| it.occurrences;
    first_time: Time = |_, it| it.first_time;
    last_time: Time = |_, it| it.last_time;
    affected_clients: Unsigned = |_, it| it.affected.clients_total;
    affected_users: Unsigned = |_, it| it.affected.users_total;
    caused_by: Text = |_, it| it.caused_by.as_ref();
    frames: Unsigned = |_, it| it.places_total;
    filter: Text = |_, it| it.filter.as_ref();
    reference: Text = |_, it| it.reference.as_ref();
    client: Text = |_, it| it.subject.client;
    server: Text = |_, it| it.subject.server;
    username: Text = |_, it| it.subject.username.as_ref();
    realm: Text = |_, it| it.subject.realm.as_ref();
    peer: Text = |_, it| it.subject.peer;
    relayed: Text = |_, it| it.subject.relayed;
    mapped: Text = |_, it| it.subject.mapped;
};

pub(super) const DTLS: &[Column<(), Dtls>] = columns! {
    frame: Unsigned = |_, it| it.evidence.first().map(|place| place.frame);
    started_at: Time = |_, it| it.started_at;
    completed_at: Time = |_, it| it.completed_at;
    client: Text = |_, it| it.client;
    server: Text = |_, it| it.server;
    state: Text = |_, it| Cell::word(&it.state);
    version: Text = |_, it| it.version.as_ref();
    cipher_suite: Text = |_, it| it.cipher_suite.as_ref();
    srtp_profile: Text = |_, it| it.srtp_profile.as_ref();
    key_group: Text = |_, it| it.group.as_ref();
    server_name: Text = |_, it| it.server_name.as_ref();
    duration_us: Signed = |_, it| it.duration_us;
    resumed: Flag = |_, it| it.resumed;
    retransmits: Unsigned = |_, it| it.retransmits;
    client_fingerprint: Text = |_, it| it.client_fingerprint.as_ref();
    server_fingerprint: Text = |_, it| it.server_fingerprint.as_ref();
    client_largest_datagram: Unsigned = |_, it| it.client_largest_datagram;
    server_largest_datagram: Unsigned = |_, it| it.server_largest_datagram;
    alert_from: Text = |_, it| it.alert.as_ref().map(|alert| alert.from);
    alert: Text = |_, it| it.alert.as_ref().map(|alert| &alert.description);
    alert_frame: Unsigned = |_, it| it.alert.as_ref().map(|alert| alert.place.frame);
    via: Text = |_, it| Cell::list(&it.via);
};

pub(super) const TLS: &[Column<(), Tls>] = columns! {
    frame: Unsigned = |_, it| it.evidence.first().map(|place| place.frame);
    started_at: Time = |_, it| it.started_at;
    completed_at: Time = |_, it| it.completed_at;
    client: Text = |_, it| it.client;
    server: Text = |_, it| it.server;
    recognised_by: Text = |_, it| it.recognised_by;
    state: Text = |_, it| Cell::word(&it.state);
    version: Text = |_, it| it.version.as_ref();
    cipher_suite: Text = |_, it| it.cipher_suite.as_ref();
    key_group: Text = |_, it| it.group.as_ref();
    alpn: Text = |_, it| it.alpn.as_ref();
    server_name: Text = |_, it| it.server_name.as_ref();
    duration_us: Signed = |_, it| it.duration_us;
    resumed: Flag = |_, it| it.resumed;
    client_fingerprint: Text = |_, it| it.client_fingerprint.as_ref();
    server_fingerprint: Text = |_, it| it.server_fingerprint.as_ref();
    alert_from: Text = |_, it| it.alert.as_ref().map(|alert| alert.from);
    alert: Text = |_, it| it.alert.as_ref().map(|alert| &alert.description);
    alert_frame: Unsigned = |_, it| it.alert.as_ref().map(|alert| alert.place.frame);
    client_data_records: Unsigned = |_, it| it.client_data_records;
    server_data_records: Unsigned = |_, it| it.server_data_records;
    opened_records: Unsigned = |_, it| it.opened_records;
    shut_records: Unsigned = |_, it| it.shut_records;
};

pub(super) const ICE_PAIRS: &[Column<IceSession, IcePair>] = columns! {
    frame: Unsigned = |_, it| it.evidence.first().map(|place| place.frame);
    first_check_at: Time = |session, _| session.first_check_at;
    ufrags: Text = |session, _| Cell::list(&session.ufrags);
    controlling: Text = |session, _| session.roles.controlling.as_ref();
    local: Text = |_, it| it.local;
    remote: Text = |_, it| it.remote;
    local_base: Text = |_, it| it.local_base;
    remote_base: Text = |_, it| it.remote_base;
    local_type: Text = |_, it| it.local_type.map_or(Cell::Null, |kind| Cell::word(&kind));
    remote_type: Text = |_, it| it.remote_type.map_or(Cell::Null, |kind| Cell::word(&kind));
    via: Text = |_, it| it.via;
    state: Text = |_, it| Cell::word(&it.state);
    checks_sent: Unsigned = |_, it| it.checks_sent;
    checks_answered: Unsigned = |_, it| it.checks_answered;
    rtt_min_us: Unsigned = |_, it| it.rtt_us.map(|rtt| rtt.min);
    rtt_median_us: Unsigned = |_, it| it.rtt_us.map(|rtt| rtt.median);
    rtt_max_us: Unsigned = |_, it| it.rtt_us.map(|rtt| rtt.max);
    nominated: Flag = |_, it| it.nominated;
    nominated_at: Time = |_, it| it.nominated_at;
    selected: Flag = |_, it| it.selected;
    data_packets: Unsigned = |_, it| it.data_packets;
    data_bytes: Unsigned = |_, it| it.data_bytes;
    icmp: Text = |_, it| it.icmp.as_ref();
};

pub(super) const MEDIA: &[Column<(), MediaStream>] = columns! {
    frame: Unsigned = |_, it| it.evidence.first().map(|place| place.frame);
    first_time: Time = |_, it| it.first_time;
    last_time: Time = |_, it| it.last_time;
    src: Text = |_, it| it.src;
    dst: Text = |_, it| it.dst;
    via: Text = |_, it| Cell::list(&it.via);
    ssrc: Unsigned = |_, it| it.ssrc;
    payload_type: Unsigned = |_, it| it.payload_type;
    packets: Unsigned = |_, it| it.packets;
    bytes: Unsigned = |_, it| it.bytes;
    lost: Unsigned = |_, it| it.lost;
    duplicates: Unsigned = |_, it| it.duplicates;
    reordered: Unsigned = |_, it| it.reordered;
    gaps: Unsigned = |_, it| it.gaps;
    longest_gap_us: Signed = |_, it| it.longest_gap_us;
    jitter_us: Signed = |_, it| it.jitter_us;
    jitter_max_us: Signed = |_, it| it.jitter_max_us;
};

pub(super) const CREDENTIALS: &[Column<(), Credential>] = columns! {
    label: Text = |_, it| &it.label;
    side: Text = |_, it| it.side.map_or(Cell::Null, |side| Cell::word(&side));
    kind: Text = |_, it| Cell::word(&it.kind);
    verified: Unsigned = |_, it| it.verified;
    requests: Unsigned = |_, it| it.requests;
    responses: Unsigned = |_, it| it.responses;
    mismatched: Unsigned = |_, it| it.mismatched;
};

pub(super) const SERVERS: &[Column<Server, ServerTransport>] = columns! {
    server: Text = |server, _| server.address;
    names: Text = |server, _| Cell::list(&server.names);
    software: Text = |server, _| server.software.as_ref();
    dialect: Text = |server, _| server.dialect.as_ref();
    transport: Text = |_, it| it.transport;
    first_time: Time = |_, it| it.first_time;
    outcome: Text = |_, it| Cell::word(&it.outcome);
    reachable: Flag = |_, it| it.reachable;
    asked: Unsigned = |_, it| it.asked;
    answered: Unsigned = |_, it| it.answered;
    allocated: Unsigned = |_, it| it.allocated;
    rtt_us: Signed = |_, it| it.rtt_us;
    mapped: Text = |_, it| it.mapped;
    connections_tried: Unsigned = |_, it| it.connections.as_ref().map(|known| known.tried);
    connections_opened: Unsigned = |_, it| it.connections.as_ref().map(|known| known.opened);
    connections_refused: Unsigned = |_, it| it.connections.as_ref().map(|known| known.refused);
    icmp: Text = |_, it| it.icmp.as_ref().map(|icmp| &icmp.kind);
};

pub(super) const DEPLOYMENT: &[Column<(), Stated>] = columns! {
    frame: Unsigned = |_, it| it.places.first().map(|place| place.frame);
    file: Text = |_, it| &it.file;
    line: Unsigned = |_, it| it.line;
    expected: Text = |_, it| &it.expected;
    seen: Text = |_, it| Cell::word(&it.seen);
    instead: Text = |_, it| it.instead.as_ref();
    frames: Unsigned = |_, it| it.places_total;
};

pub(super) const LOGS: &[Column<(), LogLine>] = columns! {
    time: Time = |_, it| it.time;
    file: Text = |_, it| &it.file;
    line: Unsigned = |_, it| it.line;
    text: Text = |_, it| &it.text;
    finding: Text = |_, it| it.finding.as_ref();
};

/// The best that is known of a message's integrity: one value that verifies is enough.
fn status(values: &[Integrity]) -> Cell<'static> {
    let best = values.iter().find(|one| one.credential.is_some()).or(values.first());
    best.map(|one| Cell::word(&one.status)).into()
}

fn credential(values: &[Integrity]) -> Option<&String> {
    values.iter().find_map(|one| one.credential.as_ref())
}
