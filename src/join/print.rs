//! What tells a packet: the same on all its way, through NATs and in and out of relays.

use crate::packet::{Segment, TcpFlags};
use crate::wire::demux::{self, Kind as Demuxed};
use crate::wire::stun::{Class, Message, Method, TransactionId};
use crate::wire::turn::ChannelData;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

/// How much of a payload that is not STUN is looked at: sequence numbers and the beginning of what is encrypted. A snap length seldom cuts it.
const START: usize = 48;

/// What a packet is, as far as telling it again is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A STUN request.
    Request,
    /// A success or error response.
    Answer,
    /// A STUN indication that carries nothing.
    Indication,
    /// DTLS.
    Dtls,
    /// RTP or RTCP, encrypted or not.
    Media,
    /// What a relay carries and that is none of these.
    Carried,
    /// The first segment of a TCP connection, or the answer to it.
    Opening,
}

/// How many kinds there are.
pub(super) const KINDS: usize = 7;

impl Kind {
    /// All of them, in order.
    pub const ALL: [Kind; KINDS] =
        [Kind::Request, Kind::Answer, Kind::Indication, Kind::Dtls, Kind::Media, Kind::Carried, Kind::Opening];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Request => "STUN request",
            Kind::Answer => "STUN response",
            Kind::Indication => "STUN indication",
            Kind::Dtls => "DTLS",
            Kind::Media => "RTP",
            Kind::Carried => "relayed data",
            Kind::Opening => "TCP SYN",
        }
    }
}

/// A packet's mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Print<'p> {
    /// Equal for what is one packet, or a copy of it sent again.
    pub key: u64,
    /// What the bytes are; of a STUN message that was rewritten on the way they differ under the same key.
    pub exact: u32,
    pub kind: Kind,
    /// Whether it came in Send, Data or ChannelData.
    pub wrapped: bool,
    /// Of TCP: where in the stream it begins, which NATs leave as it is.
    pub seq: Option<u32>,
    /// Whether it opens a TCP connection.
    pub opens: bool,
    /// Of a STUN message: its transaction.
    pub id: Option<TransactionId>,
    /// Of a STUN message that is whole: itself.
    pub message: Option<Message<'p>>,
}

impl<'p> Print<'p> {
    /// The mark of a datagram, or of a message in a TCP segment of its own; `None` for what is no business of turnscope's.
    pub(super) fn of(payload: &'p [u8], truncated: bool) -> Option<Print<'p>> {
        match demux::kind_of_cut(payload, truncated) {
            Demuxed::Stun => {
                let message = Message::recognise(payload, truncated)?;
                if !matches!(message.method(), Method::SEND | Method::DATA) || message.class() != Class::Indication {
                    return Some(Print::stun(&message));
                }
                let fields = message.fields();
                Print::carried(fields.data?, fields.data_truncated)
            }
            Demuxed::Channel => {
                let data = ChannelData::parse(payload, truncated)?;
                Print::carried(data.data, data.truncated)
            }
            kind => Print::plain(kind, payload),
        }
    }

    /// The mark of a TCP segment: of a message that has one to itself, or of the opening of a connection, which NATs leave its first sequence number.
    pub(super) fn of_segment(segment: &Segment<'p>) -> Option<Print<'p>> {
        if !segment.flags.contains(TcpFlags::SYN) {
            let print = Print::of(segment.payload, segment.truncated).filter(|print| print.id.is_some())?;
            return Some(Print { seq: Some(segment.seq), ..print });
        }
        let opens = !segment.flags.contains(TcpFlags::ACK);
        let first = if opens { segment.seq } else { segment.ack.wrapping_sub(1) };
        let (key, kind) = (opening(first, !opens), Kind::Opening);
        Some(Print { key, exact: 0, kind, wrapped: false, seq: Some(first), opens, id: None, message: None })
    }

    fn carried(payload: &'p [u8], truncated: bool) -> Option<Print<'p>> {
        let kind = demux::kind_of_cut(payload, truncated);
        let stun = if kind == Demuxed::Stun { Message::recognise(payload, truncated) } else { None };
        let print = match stun {
            Some(message) => Print::stun(&message),
            None => Print::plain(kind, payload).unwrap_or(Print::bytes(Kind::Carried, payload)),
        };
        Some(Print { wrapped: true, ..print })
    }

    fn stun(message: &Message<'p>) -> Print<'p> {
        let kind = match message.class() {
            Class::Request => Kind::Request,
            Class::Indication => Kind::Indication,
            Class::Success | Class::Error => Kind::Answer,
        };
        let id = message.transaction_id();
        let whole = !message.truncated();
        #[allow(clippy::cast_possible_truncation)] // half of a digest is enough under the same key
        let exact = if whole { digest(7, message.bytes()) as u32 } else { 0 };
        let message = whole.then_some(*message);
        Print { key: key_of(id, kind), exact, kind, wrapped: false, seq: None, opens: false, id: Some(id), message }
    }

    /// The mark of a datagram of a relayed address, which may be anything.
    pub(super) fn of_relayed(payload: &'p [u8]) -> Print<'p> {
        Print::bytes(Kind::Carried, payload)
    }

    fn plain(kind: Demuxed, payload: &'p [u8]) -> Option<Print<'p>> {
        let kind = match kind {
            Demuxed::Dtls | Demuxed::DtlsUnified => Kind::Dtls,
            Demuxed::Rtp | Demuxed::Rtcp => Kind::Media,
            _ => return None,
        };
        Some(Print::bytes(kind, payload))
    }

    fn bytes(kind: Kind, payload: &'p [u8]) -> Print<'p> {
        let start = payload.get(..START).unwrap_or(payload);
        let key = digest(kind as u8, start);
        Print { key, exact: 0, kind, wrapped: false, seq: None, opens: false, id: None, message: None }
    }
}

/// The key of the first segment of a connection that begins with this sequence number, or of the answer to it.
pub(super) fn opening(seq: u32, answer: bool) -> u64 {
    digest(Kind::Opening as u8 | u8::from(answer) << 4, &seq.to_be_bytes())
}

/// The key of the requests or answers of a transaction.
pub(super) fn key_of(id: TransactionId, kind: Kind) -> u64 {
    digest(kind as u8, &id.header_bytes())
}

/// A digest that is the same in every run, so that a sample by it is; who guesses it gains a packet that is taken for another.
pub(super) fn digest(tag: u8, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u8(tag);
    hasher.write(bytes);
    hasher.finish()
}
