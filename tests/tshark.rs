//! Every STUN message that tshark finds in the samples is found here, in the same frame, with the same class, method, transaction id,
//! attributes in the same order, addresses, ports and error code; and nothing is found that tshark does not find.
//!
//! Where the two disagree for a reason, the reason is in [`reason`]; everything else fails. Without tshark the test says that it was
//! skipped, unless `TURNSCOPE_REQUIRE_TSHARK=1`. `TURNSCOPE_CAPTURES=DIR[:DIR…]` adds the captures of other folders.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use support::of_each;
use support::oracle::{self, has_tshark};
use support::samples::captures;
use turnscope::analyzer::{Analyzer, Options};
use turnscope::capture::Capture;
use turnscope::event::{Body, Event, Row};
use turnscope::wire::dtls::{Form, Fragment};
use turnscope::wire::handshake::{Message, Protocol, Version};
use turnscope::wire::stun::{Class, Value};

/// One STUN message, as either of the two reads it.
#[derive(Clone, Debug, Default)]
struct Found {
    frame: u64,
    /// From whom to whom, on the wire.
    ends: String,
    class: &'static str,
    method: u16,
    id: String,
    /// Type, and what is in it where that is an address or an error code: `0x0020 192.0.2.1:3478`, `0x0009 401`.
    attributes: Vec<String>,
    /// How tshark says that the message travels: `udp`, `tcp` or quoted in `icmp`.
    way: &'static str,
    /// Whether the length in the header is another than the datagram's. Not asked of tshark, which then sees no STUN.
    lies: bool,
}

impl Found {
    fn told(&self) -> String {
        format!("{} {} {} {:#06x} {} {:?}", self.way, self.ends, self.class, self.method, self.id, self.attributes)
    }
}

/// What is found in one capture.
#[derive(Default)]
struct Reading {
    found: Vec<Found>,
    /// Frames with DTLS in them, relayed or not.
    dtls: BTreeSet<u64>,
    /// Those of them in which all records have the unified header of DTLS 1.3, on a flow on which a ServerHello chose that, or which ICE checks in a
    /// capture in which one did: an association goes with ICE to another pair.
    unified: BTreeSet<u64>,
    /// Those of them that came over TCP between peers.
    over_tcp: BTreeSet<u64>,
}

/// An attribute whose value is an address that both decode.
const ADDRESSES: [u16; 11] = [0x0001, 0x0004, 0x0005, 0x000b, 0x0012, 0x0016, 0x0020, 0x8023, 0x802b, 0x802c, 0x8020];

// Ours

fn ours(path: &Path) -> Reading {
    let mut reading = Reading::default();
    let mut capture = Capture::open(fs::File::open(path).unwrap()).unwrap();
    let mut analyzer = Analyzer::new(Options::default());
    let (mut chosen, mut checked, mut others) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut unified = BTreeMap::new();
    let mut tell = |row: &Row<'_>| {
        reading.found.extend(own(row));
        let Event { frame, src, dst, .. } = *row.event;
        let flow = (src.min(dst), src.max(dst));
        if let Body::Stun(message) = &row.event.body
            && message.fields().priority.is_some()
        {
            checked.insert(flow);
        }
        if let Body::Dtls(record) = &row.event.body {
            reading.dtls.insert(frame);
            if row.event.transport.is_stream() {
                reading.over_tcp.insert(frame);
            }
            if record.form == Form::Unified {
                unified.insert(frame, flow);
            } else {
                others.insert(frame);
            }
            if record.fragments().any(|fragment| chooses_1_3(&fragment)) {
                chosen.insert(flow);
            }
        }
    };
    while let Some(frame) = capture.next_frame() {
        analyzer.frame(&frame, &mut tell);
    }
    analyzer.drain(&mut tell);
    if !chosen.is_empty() {
        chosen.append(&mut checked);
    }
    unified.retain(|frame, flow| !others.contains(frame) && chosen.contains(flow));
    reading.unified.extend(unified.into_keys());
    reading
}

/// Whether this is a whole ServerHello, or a HelloRetryRequest, of DTLS 1.3.
fn chooses_1_3(fragment: &Fragment<'_>) -> bool {
    let read = fragment.is_whole().then(|| Message::parse(fragment.kind, fragment.data, Protocol::Dtls, None));
    matches!(read, Some(Ok(Message::ServerHello(hello))) if hello.negotiated() == Version::DTLS_1_3)
}

fn own(row: &Row<'_>) -> Option<Found> {
    let Body::Stun(message) = row.event.body else { return None };
    let attribute = |attribute: turnscope::wire::stun::Attribute<'_>| {
        let code = attribute.code.0;
        match attribute.decode(&message) {
            Value::Address(address) if ADDRESSES.contains(&code) => format!("{code:#06x} {address}"),
            Value::Error(error) => format!("{code:#06x} {}", error.code),
            _ => format!("{code:#06x}"),
        }
    };
    Some(Found {
        frame: row.event.frame,
        ends: format!("{} > {}", row.event.src, row.event.dst),
        class: match message.class() {
            Class::Request => "request",
            Class::Indication => "indication",
            Class::Success => "success",
            Class::Error => "error",
        },
        method: message.method().0,
        id: message.transaction_id().to_string(),
        attributes: message.attributes().map(attribute).collect(),
        way: if row.event.transport.is_stream() { "tcp" } else { "udp" },
        lies: message.bytes().len() != 20 + usize::from(message.declared_length()) || message.trailing() != 0,
    })
}

// Theirs

/// What tshark finds, or why it cannot be asked.
fn theirs(path: &Path) -> Result<Reading, String> {
    // quoted and nested messages too; without a second pass, so that memory stays small
    let nested = ["--enable-heuristic", "stun_turn", "--enable-heuristic", "dtls_stun"];
    let arguments = [&["-n", "-T", "pdml"], &nested[..], &["-o", "ip.defragment:TRUE"]].concat();
    let text = oracle::tshark(path, &arguments).map_err(|error| format!("tshark: {error}"))?;
    let mut reading = Pdml::default();
    text.lines().for_each(|line| reading.line(line.trim()));
    Ok(reading.reading)
}

/// Reads tshark's PDML, which has one element a line.
#[derive(Default)]
struct Pdml {
    reading: Reading,
    frame: u64,
    way: &'static str,
    /// The innermost addresses and ports up to here: source, destination.
    ips: [String; 2],
    ports: [String; 2],
    /// The port of the address attribute at hand, which comes before the address.
    port: String,
    /// The hundreds of the error code at hand, which come before the rest.
    hundreds: u16,
    /// The open elements, each with the message that it began, if it began one.
    open: Vec<Option<usize>>,
}

impl Pdml {
    fn line(&mut self, line: &str) {
        if line.starts_with("<packet>") {
            self.open.clear();
            self.way = "udp";
        } else if line.starts_with("</proto") || line.starts_with("</field") {
            self.open.pop();
        } else if line.starts_with("<proto ") {
            let message = self.proto(value(line, "name").unwrap_or_default());
            if !line.ends_with("/>") {
                self.open.push(message);
            }
        } else if line.starts_with("<field ") {
            self.field(value(line, "name").unwrap_or_default(), value(line, "show").unwrap_or_default());
            if !line.ends_with("/>") {
                self.open.push(None);
            }
        }
    }

    fn proto(&mut self, name: &str) -> Option<usize> {
        match name {
            "icmp" | "icmpv6" => self.way = "icmp",
            "tcp" if self.way == "udp" => self.way = "tcp",
            "dtls" if self.way != "icmp" => _ = self.reading.dtls.insert(self.frame),
            _ => {}
        }
        (name == "stun" || name == "classicstun").then(|| {
            let [(src, dst), (from, to)] = [&self.ips, &self.ports].map(|[a, b]| (a, b));
            let end =
                |ip: &str, port: &str| if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") };
            let ends = format!("{} > {}", end(src, from), end(dst, to));
            self.reading.found.push(Found { frame: self.frame, ends, way: self.way, ..Found::default() });
            self.reading.found.len() - 1
        })
    }

    fn field(&mut self, name: &str, show: &str) {
        match name {
            "frame.number" => self.frame = show.parse().unwrap(),
            "ip.src" | "ipv6.src" => self.ips[0] = show.to_owned(),
            "ip.dst" | "ipv6.dst" => self.ips[1] = show.to_owned(),
            "udp.srcport" | "tcp.srcport" => self.ports[0] = show.to_owned(),
            "udp.dstport" | "tcp.dstport" => self.ports[1] = show.to_owned(),
            _ => {}
        }
        let Some(message) = self.open.iter().rev().flatten().next().and_then(|at| self.reading.found.get_mut(*at))
        else {
            return;
        };
        let number = || u16::from_str_radix(show.trim_start_matches("0x"), 16).unwrap_or_default();
        let Some(name) = name.strip_prefix("classic").unwrap_or(name).strip_prefix("stun.") else {
            if let Some(code) = show.strip_prefix("Unknown attribute ").filter(|_| name.is_empty()) {
                message.attributes.push(code.to_owned());
            }
            return;
        };
        let mut into_last = |what: String| {
            let last = message.attributes.last_mut().expect("a value belongs to an attribute");
            *last = format!("{last} {what}");
        };
        match name {
            "type" => {
                let kind = number();
                message.class = match kind & 0x0110 {
                    0 => "request",
                    0x0010 => "indication",
                    0x0100 => "success",
                    _ => "error",
                };
                message.method = kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2;
            }
            "id" => message.id = show.replace(':', ""),
            "att.type" => message.attributes.push(format!("{:#06x}", number())),
            "att.port" => self.port = show.to_owned(),
            "att.ipv4" => into_last(format!("{show}:{}", self.port)),
            "att.ipv6" => into_last(format!("[{show}]:{}", self.port)),
            "att.error.class" => self.hundreds = show.parse().unwrap(),
            "att.error" => into_last((self.hundreds * 100 + show.parse::<u16>().unwrap()).to_string()),
            _ => {}
        }
    }
}

/// The value of an XML attribute.
fn value<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(&format!(" {name}=\""))?;
    Some(rest.split_once('"')?.0)
}

// Side by side

/// Why the two may disagree on a frame, if they may.
fn reason(ours: &[&Found], theirs: &[&Found]) -> Option<&'static str> {
    if !theirs.is_empty() || ours.is_empty() {
        return None;
    }
    if ours.iter().all(|found| found.lies) {
        return Some("the length in the header is not that of the datagram: shown here on a flow known to be STUN");
    }
    let private = ours.iter().all(|found| found.method > 0xff);
    private.then_some("a method above 0xff, as WhatsApp uses them: tshark takes those for no STUN")
}

/// The outcome for one capture.
#[derive(Default)]
struct Comparison {
    same: usize,
    dtls: usize,
    explained: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

fn compare(path: &Path, into: &mut Comparison) -> Result<(), String> {
    let (ours, theirs) = (ours(path), theirs(path)?);
    let mut frames: BTreeMap<u64, (Vec<&Found>, Vec<&Found>)> = BTreeMap::new();
    for found in &ours.found {
        frames.entry(found.frame).or_default().0.push(found);
    }
    for found in &theirs.found {
        // tshark calls ChannelData a message of STUN; it has no transaction id
        if found.id.is_empty() {
            continue;
        }
        if let Some(why) = left_out(found) {
            *into.explained.entry(why).or_default() += 1;
            continue;
        }
        frames.entry(found.frame).or_default().1.push(found);
    }
    into.dtls += ours.dtls.intersection(&theirs.dtls).count();
    for frame in ours.dtls.symmetric_difference(&theirs.dtls) {
        // newer ones than 4.0 do show them, and then nothing differs
        if ours.unified.contains(frame) {
            let why = "frames with nothing but unified headers of DTLS 1.3 on a flow that chose it, or to which ICE took it: not all versions of tshark know them";
            *into.explained.entry(why).or_default() += 1;
            continue;
        }
        if ours.over_tcp.contains(frame) {
            *into
                .explained
                .entry("DTLS in frames of RFC 4571 over TCP: tshark looks for DTLS in UDP only")
                .or_default() += 1;
            continue;
        }
        let who = if ours.dtls.contains(frame) { "here, not by tshark" } else { "by tshark, not here" };
        into.wrong.push(format!("  {} frame {frame}\n    DTLS seen {who}", path.display()));
    }
    for (frame, (ours, theirs)) in frames {
        if ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(ours, theirs)| ours.told() == theirs.told()) {
            into.same += ours.len();
        } else if let Some(why) = reason(&ours, &theirs) {
            *into.explained.entry(why).or_default() += ours.len().max(theirs.len());
        } else {
            let told =
                |found: &[&Found]| found.iter().map(|found| format!("\n      {}", found.told())).collect::<String>();
            let lines =
                format!("  {} frame {frame}\n    ours:{}\n    tshark:{}", path.display(), told(&ours), told(&theirs));
            into.wrong.push(lines);
        }
    }
    Ok(())
}

/// Why a message that tshark shows is none here.
fn left_out(found: &Found) -> Option<&'static str> {
    match found.way {
        "icmp" => Some("quoted in an ICMP error: ties the error to its request, is no message on the wire"),
        _ => None,
    }
}

#[test]
fn tshark_finds_the_same_messages() {
    if !has_tshark() {
        return;
    }
    let paths = captures();
    let mut total = Comparison::default();
    let compared = of_each(&paths, |path| {
        let mut own = Comparison::default();
        if let Err(error) = compare(path, &mut own) {
            own.wrong.push(format!("  {}: {error}", path.display()));
        }
        own
    });
    for own in compared {
        total.same += own.same;
        total.dtls += own.dtls;
        own.explained.into_iter().for_each(|(why, n)| *total.explained.entry(why).or_default() += n);
        total.wrong.extend(own.wrong);
    }
    println!(
        "{} messages and {} frames of DTLS in {} captures are the same to tshark",
        total.same,
        total.dtls,
        paths.len()
    );
    for (why, count) in &total.explained {
        println!("{count} differ: {why}");
    }
    assert!(total.wrong.is_empty(), "{} frames differ\n{}", total.wrong.len(), total.wrong.join("\n"));
}
