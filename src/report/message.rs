//! One message of a capture, as `messages --format jsonl` prints it.
//!
//! The writers of `render::messages` print this form by hand, because they run once per message; a test holds the two together.

use super::{Integrity, ProtocolError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One message. What does not apply to it is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]

pub struct Message {
    /// Index of the capture on the command line.
    pub capture: u32,
    /// Number of the frame as Wireshark counts it; of a message over several frames: the frame that completes it.
    pub frame: u64,
    /// RFC 3339, UTC, all digits that the capture has.
    pub time: String,
    /// The same as nanoseconds since 1970.
    pub time_ns: i64,
    /// Sender: the innermost transport address that was on the wire.
    pub src: String,
    /// Receiver: the innermost transport address that was on the wire.
    pub dst: String,
    /// Protocols from the transport inwards, tunnels left out.
    pub layers: Vec<String>,
    /// Of a message inside a relay: the peer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Of a message inside a relay: the relayed address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relayed: Option<String>,
    /// `stun`, `channel-data`, `dtls`, `tls`, `rtp`, `rtcp`.
    pub protocol: String,
    /// STUN: `request`, `indication`, `success`, `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// STUN: the IANA name, else `0x…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// STUN: whether it is of RFC 3489, without the cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classic: Option<bool>,
    /// STUN: 24 hex digits, 32 for classic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// STUN: in wire order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<Attribute>>,
    /// STUN: what an error response says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ProtocolError>,
    /// STUN: one entry for each integrity attribute; an empty list where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity: Option<Vec<Integrity>>,
    /// STUN: `ok` or `bad`; also `truncated`, where the capture holds too little to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// On a response: the frame of the request copy that the time is counted from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_frame: Option<u64>,
    /// On a response: the time since then, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<i64>,
    /// The frame of the first copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retransmission_of: Option<u64>,
    /// The ICMP error that answered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp: Option<Icmp>,
    /// ChannelData: the channel number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<u16>,
    /// ChannelData: the length that its header gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u16>,
    /// RTP and RTCP: the synchronisation source, of RTCP that of its sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<u32>,
    /// RTP: the payload type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_type: Option<u8>,
    /// RTP: the sequence number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u16>,
    /// RTCP: the type of the first packet, `SR`, `RR`, …; absent where it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet_type: Option<String>,
    /// DTLS: the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtls: Option<DtlsRecord>,
    /// TLS: the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsRecord>,
    /// What is malformed; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problems: Option<Vec<Problem>>,
}

/// One attribute of a STUN message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attribute {
    /// `0x0006`.
    #[serde(rename = "type")]
    pub code: String,
    /// Its name; absent where the number is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A string, number, object or list by its type, or, for what is not known, hex.
    pub value: serde_json::Value,
}

/// An ICMP error that answered a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Icmp {
    /// The frame of the ICMP error.
    pub frame: u64,
    /// Who sent it.
    pub sender: String,
    /// What it says: `port unreachable`.
    pub error: String,
}

/// A DTLS record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]

pub struct DtlsRecord {
    /// `DTLS 1.2`, as the record header gives it.
    pub version: String,
    /// `handshake`, `alert`, `change_cipher_spec`, `application_data`, …; `tls12_cid` and `ciphertext` where the type is encrypted.
    pub content_type: String,
    /// Epoch of the record; of a `ciphertext` record of DTLS 1.3 its two lowest bits.
    pub epoch: u16,
    /// Sequence number within the epoch; absent where it is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Names of the handshake messages of which fragments are inside, where they are in the clear.
    pub handshake: Vec<String>,
    /// The alert inside, where it is in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<DtlsAlert>,
}

/// A TLS record of a connection of TURN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsRecord {
    /// `TLS 1.2`, as the record header gives it.
    pub version: String,
    /// `handshake`, `alert`, `change_cipher_spec`, `application_data`, …; of TLS 1.3 all that is encrypted says `application_data`.
    pub content_type: String,
    /// Bytes of its contents.
    pub length: u64,
    /// Whether the contents are encrypted.
    pub encrypted: bool,
    /// What it holds in truth, where it was encrypted and the keys given opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<String>,
    /// Names of the handshake messages that begin in it, where they are readable; the first 8.
    pub handshake: Vec<String>,
    /// The alert inside, where it is readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<DtlsAlert>,
}

/// A TLS or DTLS alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DtlsAlert {
    /// `warning` or `fatal`.
    pub level: String,
    /// Its name: `bad_certificate`.
    pub description: String,
}

/// Something malformed in a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The layer to which it belongs: `stun`.
    pub layer: String,
    /// Bytes from the start of that layer's message to the field at fault.
    pub offset: u32,
    /// What the field asks for, where that is the trouble; else 0.
    pub needed: u32,
    /// What is there; else 0.
    pub present: u32,
    /// The fault in words.
    pub what: String,
}
