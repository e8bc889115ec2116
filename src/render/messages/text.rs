//! Messages as lines for people: where, when, who to whom, what it is, and what is known of it.

use super::append::TimeWriter;
use super::{Media, framing, label, protocol};
use crate::event::{Body, Row, Via};
use crate::render::clock::Clock;
use crate::render::escape::escape;
use crate::report::Time;
use crate::session::credentials::{Integrity, Status};
use crate::wire::stun::integrity::Rule;
use crate::wire::stun::{AttributeCode, Fingerprint, Message, Value};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Columns of `255.255.255.255:65535`.
const ADDRESS: usize = 21;

/// What is kept between lines so that they stand in columns.
pub(super) struct Lines {
    clock: Clock,
    times: TimeWriter,
    frame: usize,
    src: usize,
    dst: usize,
    line: String,
}

impl Lines {
    pub(super) fn new(clock: Clock) -> Self {
        Lines { clock, times: TimeWriter::default(), frame: 5, src: ADDRESS, dst: ADDRESS, line: String::new() }
    }

    /// Appends the line of one message.
    pub(super) fn row(&mut self, out: &mut Vec<u8>, row: &Row<'_>) {
        self.line.clear();
        self.begin(row);
        match &row.event.body {
            Body::Stun(message) => stun(&mut self.line, message, row),
            Body::ChannelData(data) => {
                put(&mut self.line, format_args!("ChannelData 0x{:04x}, {} bytes", data.channel, data.length));
                if data.truncated {
                    self.line.push_str(", cut short");
                }
            }
            Body::Dtls(record) => super::dtls::text(&mut self.line, record),
            Body::Tls(sealed) => super::tls::text(&mut self.line, sealed),
            Body::Rtp(data) | Body::Rtcp(data) => media(&mut self.line, &Media::of(&row.event.body), data.len()),
        }
        notes(&mut self.line, row);
        out.extend_from_slice(self.line.as_bytes());
        out.push(b'\n');
    }

    /// Frame, time, addresses, layers.
    fn begin(&mut self, row: &Row<'_>) {
        let event = row.event;
        let frame = event.frame.to_string();
        self.frame = self.frame.max(frame.len());
        put(&mut self.line, format_args!("{frame:>width$}  ", width = self.frame));
        if let Clock::Utc = self.clock {
            let mut time = Vec::with_capacity(32);
            self.times.append(&mut time, event.time, event.digits);
            self.line.push_str(&String::from_utf8_lossy(&time).replace('T', " "));
        } else {
            let time = self.clock.show(Time::new(event.time, event.digits));
            put(&mut self.line, format_args!("{time:>12}"));
        }
        let (src, dst) = (event.src.to_string(), event.dst.to_string());
        self.src = self.src.max(src.len());
        self.dst = self.dst.max(dst.len());
        let layer = match event.transport {
            crate::net::Transport::Udp => "",
            crate::net::Transport::Tcp => "tcp ",
            crate::net::Transport::Tls => "tls ",
            crate::net::Transport::Dtls => "dtls ",
        };
        put(&mut self.line, format_args!("  {src:<0$} → {dst:<1$}  {layer}", self.src, self.dst));
        let bound = event.hops.iter().any(|hop| hop.via == Via::Connection);
        if let Some(framing) = framing(event.framing).filter(|_| !bound) {
            put(&mut self.line, format_args!("{framing} "));
        }
        for hop in event.hops.iter() {
            match hop.via {
                Via::Send | Via::Data => put(&mut self.line, format_args!("{} › ", hop.via.layer())),
                Via::Channel(number) => put(&mut self.line, format_args!("channel 0x{number:04x} › ")),
                // it is between client and peer that messages are framed so
                Via::Connection => put(&mut self.line, format_args!("data connection › rfc4571 ")),
            }
        }
        if row.event.hops.last().is_none() || !matches!(protocol(event), "stun") {
            return;
        }
        if let Some(peer) = row.event.hops.last().and_then(|hop| hop.peer) {
            put(&mut self.line, format_args!("peer {peer} › "));
        }
    }
}

pub(super) fn put(line: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = line.write_fmt(text); // writing to a String cannot fail
}

fn stun(line: &mut String, message: &Message<'_>, row: &Row<'_>) {
    put(line, format_args!("{} {}", message.method(), message.class()));
    if message.is_classic() {
        line.push_str(" (classic)");
    }
    for attribute in message.attributes() {
        if let Some(word) = word(attribute.code, message) {
            let value = attribute.decode(message);
            match value {
                Value::Error(_) => put(line, format_args!(" {value}")),
                Value::Flag => put(line, format_args!(" {word}")),
                Value::Text(_) => put(line, format_args!(" {word}=\"{value}\"")),
                _ => put(line, format_args!(" {word}={value}")),
            }
        }
    }
    for verdict in row.integrity {
        line.push_str(" [");
        verdict_text(line, verdict, |credential| label(row.credentials, credential));
        line.push(']');
    }
    match message.fingerprint() {
        Some(Fingerprint::Bad) => line.push_str(" [fingerprint bad]"),
        Some(Fingerprint::Ok | Fingerprint::Truncated) | None => {}
    }
    if !message.is_proper() {
        for problem in message.problems() {
            put(line, format_args!(" [malformed: {problem}]"));
        }
    }
}

fn media(line: &mut String, media: &Media, bytes: usize) {
    line.push_str(if media.rtp.is_some() { "RTP" } else { "RTCP" });
    if let Some((payload_type, sequence)) = media.rtp {
        put(line, format_args!(" type {payload_type} sequence {sequence}"));
    }
    if let Some(name) = media.packet_type {
        put(line, format_args!(" {name}"));
    }
    if let Some(ssrc) = media.ssrc {
        put(line, format_args!(" ssrc 0x{ssrc:08x}"));
    }
    put(line, format_args!(", {bytes} bytes"));
}

/// What an attribute is called here, if it is one that a person looks for.
fn word(code: AttributeCode, message: &Message<'_>) -> Option<&'static str> {
    Some(match code {
        AttributeCode::ERROR_CODE => "error",
        AttributeCode::USERNAME => "user",
        // In messages without cookie these two have each other's number.
        AttributeCode::REALM if !message.is_classic() => "realm",
        AttributeCode::NONCE if message.is_classic() => "realm",
        AttributeCode::XOR_MAPPED_ADDRESS | AttributeCode::XOR_MAPPED_ADDRESS_OLD | AttributeCode::MAPPED_ADDRESS => {
            "mapped"
        }
        AttributeCode::XOR_RELAYED_ADDRESS => "relayed",
        AttributeCode::XOR_PEER_ADDRESS => "peer",
        AttributeCode::LIFETIME => "lifetime",
        AttributeCode::CHANNEL_NUMBER => "channel",
        AttributeCode::CONNECTION_ID => "connection",
        AttributeCode::REQUESTED_TRANSPORT => "transport",
        AttributeCode::REQUESTED_ADDRESS_FAMILY => "family",
        AttributeCode::ALTERNATE_SERVER => "alternate",
        AttributeCode::UNKNOWN_ATTRIBUTES => "unknown",
        AttributeCode::USE_CANDIDATE => "use-candidate",
        AttributeCode::ICE_CONTROLLING => "controlling",
        AttributeCode::ICE_CONTROLLED => "controlled",
        AttributeCode::SOFTWARE => "software",
        _ => return None,
    })
}

/// `sha1 verified “label”`, `sha256 mismatch against all credentials that apply (3)`.
pub(in crate::render) fn verdict_text<'a>(
    line: &mut String,
    verdict: &Integrity,
    label: impl FnOnce(u32) -> Cow<'a, str>,
) {
    put(line, format_args!("{} ", verdict.algorithm));
    match verdict.status {
        Status::Verified { credential, rule, .. } => {
            put(line, format_args!("verified \"{}\"", escape(&label(credential))));
            if rule != Rule::Rfc8489 {
                put(line, format_args!(" by {rule}"));
            }
        }
        Status::Mismatch { tried: 1 } => line.push_str("mismatch against the one credential that applies"),
        Status::Mismatch { tried } => put(line, format_args!("mismatch against all {tried} credentials that apply")),
        Status::Untested => line.push_str("untested"),
        Status::Truncated => line.push_str("cut short"),
    }
}

fn notes(line: &mut String, row: &Row<'_>) {
    if let (Some(frame), Some(rtt)) = (row.request_frame, row.rtt) {
        put(line, format_args!(" (answers {frame} after {rtt})"));
    }
    if let Some(frame) = row.retransmission_of {
        put(line, format_args!(" (repeats {frame})"));
    }
    if let Some(answer) = &row.icmp {
        put(line, format_args!(" (ICMP {} from {} in {})", answer.kind, answer.sender, answer.frame));
    }
    if row.event.truncated && !matches!(row.event.body, Body::ChannelData(_)) {
        line.push_str(" (cut short in the capture)");
    }
}
