//! Messages one by one, as they are read: text, JSON Lines, CSV.
//!
//! These run once per message, so they append to one buffer by hand and allocate nothing per row, as far as well-formed messages go.

pub(super) mod append;
mod cells;
mod csv;
mod dtls;
pub(super) mod jsonl;
mod text;
mod tls;

#[cfg(test)]
mod tests;

pub use cells::cells;
pub use csv::COLUMNS;
pub(super) use text::verdict_text;

use crate::event::{Body, Event, Framing, Row, Via};
use crate::net::Transport;
use crate::render::clock::Clock;
use crate::session::credentials::{Credentials, Status};
use crate::wire::rtcp::Rtcp;
use crate::wire::rtp::Head;
use crate::wire::stun::{Fingerprint, Message, Method};
use append::TimeWriter;
use std::borrow::Cow;
use std::io::{self, Write};

/// Bytes after which the buffer is written out.
const FLUSH_AT: usize = 64 * 1024;

/// How messages are written.
#[derive(Clone, Debug)]
pub enum Format {
    /// One aligned line a message, for people.
    Text(Clock),
    /// One JSON object a message and line.
    Jsonl,
    /// The scalar fields as comma-separated values (RFC 4180), a header first; lines end in a line feed.
    Csv,
}

/// Writes rows to `W`.
pub struct Writer<W> {
    out: W,
    buffer: Vec<u8>,
    /// Whether every row is written out at once: someone is watching, or the capture is still being made.
    live: bool,
    form: Form,
}

enum Form {
    Text(text::Lines),
    Jsonl(TimeWriter),
    Csv(TimeWriter),
}

impl<W: Write> Writer<W> {
    /// A writer; `live` makes it write every row at once instead of 64 KiB at a time.
    ///
    /// # Errors
    /// None yet: the header of CSV is written with the first rows.
    pub fn new(out: W, format: Format, live: bool) -> Self {
        let mut buffer = Vec::with_capacity(FLUSH_AT + 4096);
        let form = match format {
            Format::Text(clock) => Form::Text(text::Lines::new(clock)),
            Format::Jsonl => Form::Jsonl(TimeWriter::default()),
            Format::Csv => {
                csv::header(&mut buffer);
                Form::Csv(TimeWriter::default())
            }
        };
        Writer { out, buffer, live, form }
    }

    /// Writes one message.
    ///
    /// # Errors
    /// Whatever `W` fails with; a broken pipe among them.
    #[inline]
    pub fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        match &mut self.form {
            Form::Text(lines) => lines.row(&mut self.buffer, row),
            Form::Jsonl(times) => {
                jsonl::row(&mut self.buffer, times, row);
                self.buffer.push(b'\n');
            }
            Form::Csv(times) => csv::row(&mut self.buffer, times, row),
        }
        if self.live || self.buffer.len() >= FLUSH_AT {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes out what is in the buffer.
    ///
    /// # Errors
    /// Whatever `W` fails with.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        self.out.flush()
    }
}

/// The layers below the transport's own name: `udp`, `tcp`.
fn carrier(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp | Transport::Dtls => "udp",
        Transport::Tcp | Transport::Tls => "tcp",
    }
}

/// The layer that frames messages in a byte stream, where they do not do it themselves.
fn framing(framing: Framing) -> Option<&'static str> {
    match framing {
        Framing::Bare | Framing::Tls => None,
        Framing::Rfc4571 => Some("rfc4571"),
        Framing::MsTurn => Some("ms-turn"),
    }
}

/// What stands between transport and message: framing, and relay passages, outermost first. Inside a data connection client and peer frame what
/// they say, not client and relay.
fn inside<'e>(event: &'e Event<'_>) -> impl Iterator<Item = &'static str> + 'e {
    let mut hops = event.hops.iter().map(|hop| hop.via).peekable();
    let connection = hops.next_if_eq(&Via::Connection).map(Via::layer);
    connection.into_iter().chain(framing(event.framing)).chain(hops.map(Via::layer))
}

/// The layer of encryption under the message, if there is one.
fn encryption(transport: Transport) -> Option<&'static str> {
    match transport {
        Transport::Udp | Transport::Tcp => None,
        Transport::Tls => Some("tls"),
        Transport::Dtls => Some("dtls"),
    }
}

/// The name of the message's protocol.
fn protocol(event: &Event<'_>) -> &'static str {
    match event.body {
        Body::Stun(_) => "stun",
        Body::ChannelData(_) => "channel-data",
        Body::Dtls(_) => "dtls",
        Body::Tls(_) => "tls",
        Body::Rtp(_) => "rtp",
        Body::Rtcp(_) => "rtcp",
    }
}

/// What a row tells of RTP or RTCP.
#[derive(Clone, Copy, Debug, Default)]
struct Media {
    ssrc: Option<u32>,
    /// Payload type and sequence number.
    rtp: Option<(u8, u16)>,
    /// Of RTCP.
    packet_type: Option<&'static str>,
}

impl Media {
    #[inline]
    fn of(body: &Body<'_>) -> Media {
        match body {
            Body::Rtp(data) => Head::parse(data).map_or_else(Media::default, |head| Media {
                ssrc: Some(head.ssrc),
                rtp: Some((head.payload_type, head.sequence)),
                packet_type: None,
            }),
            Body::Rtcp(data) => Rtcp::parse(data).map_or_else(Media::default, |rtcp| Media {
                ssrc: Some(rtcp.ssrc),
                rtp: None,
                packet_type: rtcp.packet_type.name(),
            }),
            Body::Stun(_) | Body::ChannelData(_) | Body::Dtls(_) | Body::Tls(_) => Media::default(),
        }
    }
}

/// The method's name, else `0x…`.
#[inline]
fn method(out: &mut Vec<u8>, method: Method) {
    match method.name() {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => {
            let _ = write!(out, "{method}"); // writing to a Vec cannot fail
        }
    }
}

/// 24 hexadecimal digits, 32 of a message without cookie.
#[inline]
fn transaction_id(out: &mut Vec<u8>, message: &Message<'_>) {
    let id = message.transaction_id();
    let bytes = id.header_bytes();
    let skip = if id.is_classic() { 0 } else { 4 };
    append::hex(out, bytes.get(skip..).unwrap_or_default());
}

/// `ok`, `bad`; nothing where there is none, or where the capture cut the message before its end.
fn fingerprint_name(message: &Message<'_>) -> Option<&'static str> {
    match message.fingerprint()? {
        Fingerprint::Ok => Some("ok"),
        Fingerprint::Bad => Some("bad"),
        Fingerprint::Truncated => None,
    }
}

/// `verified`, `mismatch`, `untested`, `truncated`.
fn status_name(status: Status) -> &'static str {
    match status {
        Status::Verified { .. } => "verified",
        Status::Mismatch { .. } => "mismatch",
        Status::Untested => "untested",
        Status::Truncated => "truncated",
    }
}

/// What a credential is called.
pub(super) fn label(credentials: &Credentials, credential: u32) -> Cow<'_, str> {
    credentials.describe(credential).map_or(Cow::Borrowed("?"), |known| known.label)
}
