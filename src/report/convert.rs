//! The published form of what a session remembers, one function a thing.

use super::headline::is_silent;
use super::{
    Address, Allocation, AllocationEnd, Capture, Channel, Counts, Credential, Integrity, IntegrityStatus, NatMapping,
    NearMiss, Permission, Place, ProtocolError, Server, ServerActivity, Time, Transaction, TransactionOutcome,
    Transport,
};
use super::{steps, tried};
use crate::capture::CaptureInfo;
use crate::event::StreamCounts;
use crate::net::{RelayedAddress, ServerAddress};
use crate::packet;
use crate::rules::View;
use crate::session::credentials::{self, Status};
use crate::session::{self, Conversation, Exchange, Session, Verdicts};
use crate::time::Timestamp;
use crate::wire::handshake::ContentType;
use crate::wire::stun::{Class, Method};
use std::collections::{BTreeMap, BTreeSet};

/// What reports call datagrams of which the capture holds too little to tell what they are.
pub(super) const UNSEEN: &str = "datagrams cut before their content";
/// What reports call packets whose headers make no sense, or end before the ports.
pub(super) const MALFORMED: &str = "malformed headers";
/// What reports call media of calls of which the capture holds nothing else.
pub(super) const UNCLAIMED: &str = "RTP without STUN or DTLS before it";
/// How the entries of `skipped` begin that tell of a link type which cannot be read.
pub(super) const LINK_TYPE: &str = "link type";
/// What reports call packets that nobody can read without the keys of a layer below UDP.
pub(super) const ENCRYPTED: &str = "encrypted";
/// How the entries of `skipped` begin that tell of a tunnel which hides what it carries.
pub(super) const VPN: &str = "tunnelled in ";
/// How many places are listed of one thing.
const MAX_PLACES: usize = 16;
/// How many points of a server's activity are listed.
const MAX_POINTS: usize = 64;

/// The places of the first frames.
pub(super) fn places(capture: u32, frames: &[u64]) -> Vec<Place> {
    frames.iter().take(MAX_PLACES).map(|&frame| Place::of(capture, frame)).collect()
}

/// What places and times of a capture are told with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// The index of the capture.
    pub(super) capture: u32,
    /// How many digits of a second it has.
    pub(super) digits: u8,
}

impl Origin {
    pub(super) fn place(self, frame: u64) -> Place {
        Place::of(self.capture, frame)
    }

    /// The places of the first frames.
    pub(super) fn places(self, frames: &[u64]) -> Vec<Place> {
        places(self.capture, frames)
    }

    pub(super) fn time(self, at: Timestamp) -> Time {
        Time::new(at, self.digits)
    }
}

pub(super) fn capture_of(path: String, info: &CaptureInfo, origin: Origin) -> Capture {
    Capture {
        path,
        format: info.format.to_string(),
        link_types: info.link_types.iter().map(|&known| packet::link_type_name(known).to_owned()).collect(),
        frames: info.frames,
        bytes: info.bytes,
        first_time: info.first_time.map(|at| origin.time(at)),
        last_time: info.last_time.map(|at| origin.time(at)),
        comments: info.comments.clone(),
        damage: info.damage.clone(),
        damage_total: info.damage_total,
        clock_offset_us: None,
        clock_uncertainty_us: None,
        timeless: info.is_timeless(),
        clock_set_back: None,
        lost_packets: Some(info.lost_packets()).filter(|&lost| lost > 0),
        decryption: None,
        clock_drift_ppm: None,
    }
}

pub(super) fn counts(session: &Session, packets: &packet::Counts, streams: &StreamCounts) -> Counts {
    let totals = session.totals();
    let mut skipped = BTreeMap::new();
    let mut skip = |what: String, count: u64| {
        if count > 0 {
            skipped.insert(what, count);
        }
    };
    for (link_type, count) in packets.unsupported.iter() {
        skip(format!("{LINK_TYPE} {} ({})", link_type.0, packet::link_type_name(link_type)), count);
    }
    skip(ENCRYPTED.to_owned(), packets.encrypted);
    skip(MALFORMED.to_owned(), packets.malformed);
    skip(UNSEEN.to_owned(), totals.unseen.total);
    skip(UNCLAIMED.to_owned(), session.media().unclaimed());
    skip("nested too deep".to_owned(), packets.too_deep);
    let fragments = &packets.fragments;
    skip("incomplete fragments".to_owned(), fragments.incomplete);
    skip("overlapping fragments".to_owned(), fragments.overlaps);
    skip("fragments that no packet can have".to_owned(), fragments.malformed);
    skip("fragmented packets beyond the limits".to_owned(), fragments.dropped);
    skip("mirrored copies".to_owned(), totals.mirrored.total);
    skip("gaps in TCP streams".to_owned(), streams.gaps);
    skip("overlapping TCP segments that differ".to_owned(), streams.conflicts);
    skip("incomplete messages over TCP".to_owned(), streams.incomplete);
    let mut counts = Counts {
        stun: totals
            .stun_by_kind()
            .into_iter()
            .map(|(method, class, count)| (format!("{method} {class}"), count))
            .collect(),
        channel_data: totals.messages.channel_data,
        dtls: totals.messages.dtls.iter().map(|(&kind, &count)| (ContentType(kind).to_string(), count)).collect(),
        tls: totals.tls.iter().map(|(&kind, &count)| (ContentType(kind).to_string(), count)).collect(),
        other_tls: session.tls().others(),
        udp: packets.datagrams,
        tcp: packets.segments,
        rtp: totals.messages.rtp,
        rtcp: totals.messages.rtcp,
        error_codes: totals.errors().iter().map(|(code, &count)| (code.to_string(), count)).collect(),
        skipped,
    };
    // what only looks like a tunnel beside a call may be data of any kind
    if is_silent(&counts) {
        counts.skipped.extend(totals.vpn.iter().map(|(tunnel, &count)| (format!("{VPN}{tunnel}"), count)));
    }
    counts
}

pub(super) fn server(
    address: ServerAddress,
    known: &session::Server,
    files: &[(u32, String, CaptureInfo)],
    session: &Session,
    dialect: Option<&&'static str>,
    origin: Origin,
) -> Server {
    let mut names: Vec<String> = Vec::new();
    for (ip, name) in files.iter().flat_map(|(_, _, info)| &info.names) {
        if *ip == address.0.ip() && (files.len() == 1 || !names.contains(name)) {
            names.push(name.clone());
        }
    }
    for name in session.lookups().names_of(address.0.ip()).into_iter().take(MAX_PLACES) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    let peak = known.activity.peak();
    let sum = |of: fn(&session::Reached) -> u64| known.transports.iter().map(|(_, reached)| of(reached)).sum();
    Server {
        address: address.into(),
        names,
        transports: known
            .transports
            .iter()
            .map(|(transport, reached)| tried::transport(*transport, reached, origin))
            .collect(),
        software: known.software.map(|name| session.names().text(name)),
        dialect: dialect.map(|&name| name.to_owned()),
        active_clients: sum(|reached| reached.clients),
        active_relays_udp: sum(|reached| reached.relays[0]),
        active_relays_tcp: sum(|reached| reached.relays[1]),
        peak_clients: peak.clients,
        peak_relays_udp: peak.relays_udp,
        peak_relays_tcp: peak.relays_tcp,
        activity: known
            .activity
            .points(MAX_POINTS)
            .into_iter()
            .map(|(at, active)| ServerActivity {
                time: origin.time(at),
                clients: active.clients,
                relays_udp: active.relays_udp,
                relays_tcp: active.relays_tcp,
                over_tcp: active.over_tcp,
            })
            .collect(),
    }
}

pub(super) fn mapping(known: &session::Mapping, origin: Origin) -> NatMapping {
    NatMapping {
        inside: Address(known.inside),
        outside: Address(known.outside),
        evidence: origin.places(&known.evidence),
        evidence_total: known.total,
    }
}

/// Where more credentials were given than this, those that say nothing of the capture are left out of its report.
const LISTED: usize = 1000;

/// The credentials in their order, and how many were left out: those that signed something or nearly did are all there, before those that should
/// have, and before all others.
pub(super) fn credentials_of(session: &Session, origin: Origin) -> (Vec<Credential>, u64) {
    let used = &session.totals().messages.credentials;
    let mut near: BTreeMap<u32, Vec<NearMiss>> = BTreeMap::new();
    for miss in session.near_misses().iter() {
        near.entry(miss.credential).or_default().push(near_miss(miss, session, origin));
    }
    let signed =
        |number: &u32| near.contains_key(number) || used.get(number).is_some_and(|u| u.requests + u.responses > 0);
    let given = u32::try_from(session.credentials().list().len()).unwrap_or(u32::MAX);
    let (mut numbers, others): (BTreeSet<u32>, BTreeSet<u32>) =
        (0..given).chain(used.keys().copied()).chain(near.keys().copied()).partition(signed);
    let (struck, idle): (Vec<u32>, Vec<u32>) = others.iter().partition(|number| used.contains_key(number));
    let room = LISTED.saturating_sub(numbers.len());
    let omitted = others.len().saturating_sub(room);
    numbers.extend(struck.into_iter().chain(idle).take(room));
    let listed = numbers.into_iter().filter_map(|number| {
        let described = session.credentials().describe(number)?;
        let fared = used.get(&number).copied().unwrap_or_default();
        Some(Credential {
            label: described.label.into_owned(),
            side: described.side,
            kind: described.kind,
            verified: fared.requests + fared.responses,
            requests: fared.requests,
            responses: fared.responses,
            mismatched: fared.mismatched,
            near_misses: near.remove(&number).unwrap_or_default(),
        })
    });
    (listed.collect(), omitted as u64)
}

fn near_miss(near: &session::Near, session: &Session, origin: Origin) -> NearMiss {
    let text = |name: Option<session::Name>| name.map(|name| session.names().text(name));
    NearMiss {
        kind: near.slip.name().to_owned(),
        when: near.when(session.credentials()),
        username: text(near.user),
        realm: text(near.realm),
        requests: if near.requests { near.messages } else { 0 },
        responses: if near.requests { 0 } else { near.messages },
        places: origin.places(&near.frames),
    }
}

/// The published form of the verdicts on a message.
#[must_use]
pub(super) fn integrity(verdicts: &Verdicts, session: &Session) -> Vec<Integrity> {
    verdicts.iter().flatten().map(|verdict| integrity_of(verdict, session.credentials())).collect()
}

/// The published form of one verdict.
#[must_use]
pub fn integrity_of(verdict: &credentials::Integrity, known: &credentials::Credentials) -> Integrity {
    let (status, credential, rule, tried) = match verdict.status {
        Status::Verified { credential, rule, derivation } => {
            let label = known.describe(credential).map(|described| described.label.into_owned());
            let rule = steps::unusual(rule, derivation);
            (IntegrityStatus::Verified, label, rule, None)
        }
        Status::Mismatch { tried } => (IntegrityStatus::Mismatch, None, None, Some(tried)),
        Status::Untested => (IntegrityStatus::Untested, None, None, None),
        Status::Truncated => (IntegrityStatus::Truncated, None, None, None),
    };
    Integrity { algorithm: verdict.algorithm.name().to_owned(), status, credential, rule, tried }
}

fn protocol_error(answer: &session::Answer, view: &View<'_>) -> Option<ProtocolError> {
    let reason = answer.reason.map(|name| view.text(name)).unwrap_or_default();
    (answer.class == Class::Error).then_some(ProtocolError { code: answer.code, reason })
}

pub(super) fn transaction(exchange: &Exchange, transport: Transport, origin: Origin, view: &View<'_>) -> Transaction {
    let answer = exchange.answer.as_ref();
    let copies = std::iter::once(exchange.first).chain(exchange.again.iter().copied());
    let text = |name: Option<session::Name>| name.map(|name| view.text(name));
    Transaction {
        time: Some(Time::new(exchange.first.time, 9)),
        id: exchange.id.to_string(),
        method: exchange.method.to_string(),
        client: exchange.client.into(),
        server: exchange.server.into(),
        transport,
        requests: copies.map(|copy| origin.place(copy.frame)).collect(),
        requests_total: 1 + u64::from(exchange.again_total),
        response: answer.map(|answer| origin.place(answer.seen.frame)),
        outcome: match answer.map(|answer| answer.class) {
            None => TransactionOutcome::Unanswered,
            Some(Class::Error) => TransactionOutcome::Error,
            Some(_) => TransactionOutcome::Success,
        },
        error: answer.and_then(|answer| protocol_error(answer, view)),
        rtt_us: exchange.rtt().map(|(least, _)| least.micros()),
        rtt_max_us: exchange.rtt().map(|(_, most)| most.micros()),
        username: text(exchange.asked.user),
        realm: text(exchange.asked.realm.or(answer.and_then(|answer| answer.realm))),
        answered_from: answer.and_then(|answer| answer.from).map(Address),
        request_integrity: integrity(&exchange.asked.integrity, view.session),
        response_integrity: answer.map(|answer| integrity(&answer.integrity, view.session)).unwrap_or_default(),
    }
}

pub(super) fn relayed_transport(number: Option<u8>) -> Option<Transport> {
    match number {
        Some(17) => Some(Transport::Udp),
        Some(6) => Some(Transport::Tcp),
        _ => None,
    }
}

pub(super) fn allocation(
    known: &session::Allocation,
    conversation: &Conversation,
    view: &View<'_>,
    origin: Origin,
) -> Allocation {
    let time = |at: Timestamp| Some(origin.time(at));
    // a clock that was set back says nothing of what has run out since
    let is_told = !view.session.clients().coverage().is_out_of_order(known.created.time);
    let end = known.end(if is_told { view.now() } else { known.created.time });
    let ended_at = match (known.ended, end) {
        // a refusal that came later only shows that it was gone
        (_, session::End::Expired) => time(known.expires),
        (Some((_, seen)), _) => time(seen.time),
        _ => None,
    };
    let closed = conversation.connection.as_deref().and_then(session::closed).map(|(_, seen, _)| seen.time);
    let closed =
        closed.filter(|&at| known.created.time <= at && at <= known.ended.map_or(known.expires, |(_, seen)| seen.time));
    let refused = refused_peers(conversation, view, origin);
    let mut permissions: Vec<Permission> = known
        .permissions
        .iter()
        .map(|made| Permission {
            peer: made.peer.0.ip(),
            created_at: time(made.made.time),
            expires_at: time(made.expires),
            error: None,
        })
        .collect();
    permissions.extend(refused);
    let evidence = [Some(known.requested), Some(known.created), known.ended.map(|(_, seen)| seen)];
    let evidence: Vec<Place> = evidence.into_iter().flatten().map(|seen| origin.place(seen.frame)).collect();
    Allocation {
        client: conversation.client.into(),
        proxied_for: conversation.proxied_for().map(Address),
        server: conversation.server.into(),
        transport: conversation.transport,
        username: known.user.map(|name| view.text(name)),
        realm: known.realm.map(|name| view.text(name)),
        mapped: known.mapped.map(Address::from),
        relayed: known.relayed.iter().flatten().map(|&relayed: &RelayedAddress| relayed.into()).collect(),
        relayed_transport: relayed_transport(known.transport),
        requested_lifetime_s: known.requested_lifetime,
        lifetime_s: Some(known.lifetime),
        requested_at: time(known.requested.time),
        created_at: time(known.created.time),
        refreshes: u64::from(known.refreshes),
        expires_at: time(known.expires),
        ended_at,
        end,
        moved_to: known.moved_to.as_deref().map(|&client| client.into()),
        connection_closed_at: closed.and_then(time),
        error: None,
        permissions_total: permissions.len() as u64,
        permissions,
        channels: known
            .channels
            .iter()
            .map(|bound| Channel {
                channel: bound.number,
                peer: bound.peer.into(),
                created_at: time(bound.bound.time),
                expires_at: time(bound.expires),
                error: None,
            })
            .collect(),
        channels_total: known.channels.len() as u64,
        connections: known.connections.iter().map(|known| tried::data_connection(known, origin)).collect(),
        connections_total: u64::from(known.connections_total),
        bytes_sent: known.sent.bytes,
        bytes_received: known.received.bytes,
        evidence_total: evidence.len() as u64,
        evidence,
    }
}

/// Peers that the server refused to let send.
fn refused_peers(conversation: &Conversation, view: &View<'_>, origin: Origin) -> Vec<Permission> {
    conversation
        .of(Method::CREATE_PERMISSION)
        .filter_map(|exchange| {
            let error = protocol_error(exchange.answer.as_ref()?, view)?;
            Some(Permission {
                peer: exchange.asked.peer?.0.ip(),
                created_at: Some(origin.time(exchange.first.time)),
                expires_at: None,
                error: Some(error),
            })
        })
        .take(MAX_PLACES)
        .collect()
}

/// What a way goes over as its ends see it, given whether it is bound to a peer's TCP connection: relays carry datagrams otherwise.
pub(super) fn transport(path: &session::Path, bound: bool) -> Transport {
    let direct = path.inside.is_none() && path.ends.is_stream();
    if bound || direct { Transport::Tcp } else { Transport::Udp }
}

/// The last Allocate of a conversation that never got one, if it was refused for good.
pub(super) fn refused_allocation(conversation: &Conversation) -> Option<&Exchange> {
    let last = conversation.of(Method::ALLOCATE).next_back()?;
    let signed_or_final = last.asked.is_signed() || last.answer.as_ref().is_some_and(|answer| !answer.is_challenge());
    (conversation.allocated == 0 && last.failed() && signed_or_final).then_some(last)
}

pub(super) fn rejected(
    exchange: &Exchange,
    conversation: &Conversation,
    view: &View<'_>,
    origin: Origin,
) -> Allocation {
    let answer = exchange.answer.as_ref();
    let evidence: Vec<Place> = exchange.frames().map(|frame| origin.place(frame)).collect();
    Allocation {
        client: conversation.client.into(),
        proxied_for: conversation.proxied_for().map(Address),
        server: conversation.server.into(),
        transport: conversation.transport,
        username: exchange.asked.user.map(|name| view.text(name)),
        realm: exchange.asked.realm.map(|name| view.text(name)),
        relayed_transport: relayed_transport(exchange.asked.transport),
        requested_lifetime_s: exchange.asked.lifetime,
        requested_at: Some(origin.time(exchange.first.time)),
        ended_at: answer.map(|answer| origin.time(answer.seen.time)),
        end: AllocationEnd::Rejected,
        error: answer.and_then(|answer| protocol_error(answer, view)),
        evidence_total: evidence.len() as u64,
        evidence,
        ..Allocation::default()
    }
}
