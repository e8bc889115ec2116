//! A capture with what was found in it: comments on the frames that matter, which Wireshark shows beside them.

use crate::bounded::BoundedMap;
use crate::capture::{OtherBlock, PacketRecord, Record, Records, SecretsKind, Writer};
use crate::frame::{Frame, Place};
use crate::net::Endpoint;
use crate::packet::{Packet, Packets, Segment, TcpFlags};
use crate::report::{Address, Integrity, IntegrityStatus, Report, Transport};
use crate::wire::demux::{self, Kind};
use crate::wire::stun::{AttributeCode, Message, Method};
use crate::wire::turn::ChannelData;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::net::IpAddr;

/// How many frames before one that matters may belong to the same message: IP fragments and TCP segments that it consists of.
const BEFORE: u64 = 64;

/// How many segments of a connection to a TURN server are kept from its start, so that Wireshark can follow it.
const OPENING: u32 = 256;

/// How many connections are followed.
const CONNECTIONS: usize = 4096;

/// What is written into one capture.
#[derive(Debug, Default)]
pub struct Notes {
    section: Vec<String>,
    names: BTreeMap<IpAddr, String>,
    frames: BTreeMap<u64, Vec<String>>,
    /// TURN servers asked over TCP or TLS: connections to them are kept.
    servers: BTreeSet<Endpoint>,
    /// Whether there are DTLS handshakes, which are kept whole.
    handshakes: bool,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Frames.
    pub frames: u64,
    /// Comments on them.
    pub comments: u64,
    /// Comments that had no place: simple packets have no room for them.
    pub unplaced: u64,
}

impl Notes {
    /// What a report says of one of its captures: of the headline, of each finding, of each step and signature, at the frames where it shows.
    #[must_use]
    pub fn new(report: &Report, capture: u32) -> Self {
        let mut notes =
            Notes { section: vec![headline(report)], handshakes: !report.dtls.is_empty(), ..Notes::default() };
        notes.frames = cited(report, capture).into_iter().map(|frame| (frame, Vec::new())).collect();
        let of_this = |place: &&Place| place.capture == capture;
        for finding in &report.findings {
            let said = format!("turnscope: {}, {}: {}", finding.severity.name(), finding.id, finding.title);
            for (index, place) in finding.places.iter().filter(of_this).enumerate() {
                let fix = if index == 0 { format!(". To mend it: {}", finding.fix) } else { String::new() };
                notes.add(place.frame, format!("{said}{fix}"));
            }
        }
        for authentication in &report.authentications {
            for step in authentication.steps.iter().filter(|step| step.place.capture == capture) {
                notes.add(step.place.frame, format!("turnscope: {}", step.what));
            }
        }
        for transaction in &report.transactions.items {
            for request in transaction.requests.iter().filter(of_this) {
                notes.signatures(request.frame, &transaction.request_integrity);
            }
            if let Some(response) = transaction.response.iter().find(of_this) {
                notes.signatures(response.frame, &transaction.response_integrity);
            }
        }
        notes.name(report);
        notes
    }

    fn add(&mut self, frame: u64, comment: String) {
        let comments = self.frames.entry(frame).or_default();
        if !comments.contains(&comment) {
            comments.push(comment);
        }
    }

    fn signatures(&mut self, frame: u64, integrity: &[Integrity]) {
        for one in integrity {
            let algorithm = if one.algorithm == "sha256" { "MESSAGE-INTEGRITY-SHA256" } else { "MESSAGE-INTEGRITY" };
            let verdict = match (one.status, &one.credential) {
                (IntegrityStatus::Verified, Some(label)) => format!("made with \"{label}\""),
                (IntegrityStatus::Verified, None) => "verified".to_owned(),
                (IntegrityStatus::Mismatch, _) => "made with none of the credentials given".to_owned(),
                (IntegrityStatus::Truncated, _) => "not to be verified, since the frame is cut short".to_owned(),
                (IntegrityStatus::Untested, _) => continue,
            };
            self.add(frame, format!("turnscope: {algorithm} {verdict}"));
        }
    }

    /// Who is who, by address. Who was named first keeps the name, and names that the servers have go before roles.
    fn name(&mut self, report: &Report) {
        for server in &report.servers {
            let role = server.names.first().map_or("turn-server", String::as_str);
            self.role(Some(server.address), role);
            let streamed = server.transports.iter().any(|one| matches!(one.transport, Transport::Tcp | Transport::Tls));
            if streamed {
                self.servers.insert(server.address.0);
            }
        }
        for allocation in &report.allocations {
            self.role(Some(allocation.client), "client");
            self.role(allocation.relayed.first().copied(), "relay");
            self.role(allocation.mapped, "nat-of-client");
            for permission in &allocation.permissions {
                self.named(permission.peer, "peer");
            }
        }
        for authentication in &report.authentications {
            self.role(Some(authentication.client), "client");
        }
    }

    fn role(&mut self, address: Option<Address>, role: &str) {
        if let Some(Address(endpoint)) = address {
            self.named(endpoint.ip(), role);
        }
    }

    fn named(&mut self, ip: IpAddr, role: &str) {
        if ip.is_unspecified() || self.names.contains_key(&ip) {
            return;
        }
        let taken = |name: &str| self.names.values().any(|other| other == name);
        let free = (2_u32..).map(|number| format!("{role}-{number}")).find(|name| !taken(name));
        let name = if taken(role) { free.unwrap_or_default() } else { role.to_owned() };
        self.names.insert(ip, name);
    }

    /// Whether one of the frames up to [`BEFORE`] after this one matters.
    fn is_before(&self, frame: u64) -> bool {
        self.frames.range(frame..=frame.saturating_add(BEFORE)).next().is_some()
    }
}

/// Writes the frames that matter, or all, with the notes on them: an annotated pcapng. Comments, names, interfaces and times of the original
/// stay as they are. `key_log` is embedded, so that Wireshark decrypts what it opens.
///
/// # Errors
/// If the result cannot be written.
pub fn write<R: Read, W: Write>(
    records: &mut Records<R>,
    notes: &Notes,
    all: bool,
    key_log: Option<&[u8]>,
    out: W,
) -> io::Result<Written> {
    let mut writer = Writer::new(out);
    let mut written = Written::default();
    let mut companions = Companions::default();
    if let Some(implied) = records.implied() {
        let application = concat!("turnscope ", env!("CARGO_PKG_VERSION"));
        writer.section(false, [Writer::<W>::application(application)].into_iter(), &notes.section)?;
        preamble(&mut writer, notes, key_log)?;
        writer.interface(implied)?;
    }
    let mut first = true;
    while let Some(record) = records.next_record() {
        match record {
            Record::Other(block) if block.is_section() => {
                section(&mut writer, block, if first { &notes.section } else { &[] })?;
                if first {
                    preamble(&mut writer, notes, key_log)?;
                }
                first = false;
            }
            Record::Other(block) if block.is_not_to_be_copied() => {}
            Record::Other(block) => writer.other(block)?,
            Record::Packet(packet) => {
                let comments = notes.frames.get(&packet.frame.number);
                let companion = !all && companions.has(&packet.frame, notes);
                if all || companion || comments.is_some() {
                    let placed = frame(&mut writer, &packet, comments.map_or(&[], Vec::as_slice))?;
                    written.frames += 1;
                    let count = comments.map_or(0, Vec::len) as u64;
                    *(if placed { &mut written.comments } else { &mut written.unplaced }) += count;
                }
            }
        }
    }
    writer.finish()?;
    Ok(written)
}

fn section<W: Write>(writer: &mut Writer<W>, block: &OtherBlock, comments: &[String]) -> io::Result<()> {
    writer.section(block.big_endian, block.section_options(), comments)
}

/// What a section has before its frames.
fn preamble<W: Write>(writer: &mut Writer<W>, notes: &Notes, key_log: Option<&[u8]>) -> io::Result<()> {
    if !notes.names.is_empty() {
        writer.names(notes.names.iter().map(|(&ip, name)| (ip, name.as_str())))?;
    }
    key_log.map_or(Ok(()), |log| writer.secrets(SecretsKind::TLS_KEY_LOG, log))
}

/// Writes a frame as it was; gives whether there was room for comments.
fn frame<W: Write>(writer: &mut Writer<W>, packet: &PacketRecord<'_>, comments: &[String]) -> io::Result<bool> {
    let frame = &packet.frame;
    match packet.units {
        Some(units) => {
            let options = packet.options();
            writer.packet(packet.interface, units, frame.data, frame.original_len, options, comments)?;
        }
        None => writer.simple_packet(frame.data, frame.original_len)?,
    }
    Ok(packet.units.is_some())
}

/// Frames that matter only together with others: the fragments and segments of a message of which the last frame is cited, how connections to
/// TURN servers opened and closed, and all flights of DTLS handshakes.
#[derive(Default)]
struct Companions {
    packets: Packets,
    /// How many segments of each connection have been kept, by both ends in order.
    connections: BTreeMap<(Endpoint, Endpoint), u32>,
}

impl Companions {
    fn has(&mut self, frame: &Frame<'_>, notes: &Notes) -> bool {
        let Companions { packets, connections } = self;
        let fragments = packets.counts().fragments.seen;
        let now = frame.time.unwrap_or_default();
        let mut wanted = false;
        packets.dissect(frame, now, &mut |packet| {
            wanted |= match packet {
                Packet::Segment(segment) => {
                    follows(connections, &segment, &notes.servers)
                        || notes.is_before(frame.number) && is_turn(&segment, notes)
                }
                Packet::Datagram(datagram) => notes.handshakes && is_handshake(datagram.payload),
                Packet::IcmpError(_) => false,
            };
        });
        let fragment = packets.counts().fragments.seen > fragments;
        wanted || fragment && notes.is_before(frame.number)
    }
}

/// Whether a datagram holds a handshake message or an alert of DTLS, bare or on its way through a relay.
fn is_handshake(payload: &[u8]) -> bool {
    let inner = match demux::kind(payload) {
        Kind::Channel => ChannelData::parse(payload, true).map(|message| message.data),
        Kind::Stun => Message::recognise(payload, true)
            .filter(|message| matches!(message.method(), Method::SEND | Method::DATA))
            .and_then(|message| message.attribute(AttributeCode::DATA))
            .map(|attribute| attribute.value),
        _ => Some(payload),
    };
    inner.is_some_and(|inner| demux::kind(inner) == Kind::Dtls && matches!(inner.first(), Some(20..=22)))
}

fn is_turn(segment: &Segment<'_>, notes: &Notes) -> bool {
    notes.servers.contains(&segment.dst) || notes.servers.contains(&segment.src)
}

/// Whether a segment belongs to the opening or closing of a connection to one of the servers.
fn follows(
    connections: &mut BTreeMap<(Endpoint, Endpoint), u32>,
    segment: &Segment<'_>,
    servers: &BTreeSet<Endpoint>,
) -> bool {
    let key = if servers.contains(&segment.dst) {
        (segment.src, segment.dst)
    } else if servers.contains(&segment.src) {
        (segment.dst, segment.src)
    } else {
        return false;
    };
    if [TcpFlags::SYN, TcpFlags::FIN, TcpFlags::RST].iter().any(|&flag| segment.flags.contains(flag)) {
        return true;
    }
    let Some(kept) = connections.entry_up_to(CONNECTIONS, key, || 0) else { return false };
    *kept += u32::from(*kept < OPENING);
    *kept < OPENING
}

fn headline(report: &Report) -> String {
    format!("turnscope: {}: {}", report.verdict.name().replace('-', " "), report.headline)
}

/// The frames of a capture that anything in the report names.
fn cited(report: &Report, capture: u32) -> BTreeSet<u64> {
    let mut frames = BTreeSet::new();
    if let Ok(value) = serde_json::to_value(report) {
        gather(&value, capture, &mut frames);
    }
    frames
}

/// Places are the objects that hold a capture and a frame, wherever they stand; the depth is that of the report's own form.
fn gather(value: &Value, capture: u32, frames: &mut BTreeSet<u64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, capture, frames)),
        Value::Object(fields) => {
            let number = |name| fields.get(name).and_then(Value::as_u64);
            match (fields.len(), number("capture"), number("frame")) {
                (2, Some(of), Some(frame)) if of == u64::from(capture) => {
                    frames.insert(frame);
                }
                _ => fields.values().for_each(|value| gather(value, capture, frames)),
            }
        }
        _ => {}
    }
}
