//! Messages as comma-separated values: the scalar fields of the JSON form, in its order.
//!
//! Every field is a number, an address, a time or a word of this program. Text that a sender chose stands in none of them, so no spreadsheet
//! can take one for a formula; a method without name is a number.

use super::append::{TimeWriter, endpoint, number, signed};
use super::{Media, protocol};
use crate::event::{Body, Row};

/// The columns, in order; what does not apply to a message is empty.
pub const COLUMNS: [&str; 23] = [
    "capture",
    "frame",
    "time",
    "time_ns",
    "src",
    "dst",
    "peer",
    "relayed",
    "protocol",
    "class",
    "method",
    "classic",
    "transaction_id",
    "fingerprint",
    "request_frame",
    "rtt_us",
    "retransmission_of",
    "channel",
    "length",
    "ssrc",
    "payload_type",
    "sequence",
    "packet_type",
];

/// Appends the line of column names.
pub(super) fn header(out: &mut Vec<u8>) {
    for (i, column) in COLUMNS.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(column.as_bytes());
    }
    out.push(b'\n');
}

/// Appends the line of one message.
#[inline]
pub(super) fn row(out: &mut Vec<u8>, times: &mut TimeWriter, row: &Row<'_>) {
    let event = row.event;
    number(out, u64::from(row.capture));
    out.push(b',');
    number(out, event.frame);
    out.push(b',');
    times.append(out, event.time, event.digits);
    out.push(b',');
    signed(out, event.time.0);
    out.push(b',');
    endpoint(out, event.src);
    out.push(b',');
    endpoint(out, event.dst);
    out.push(b',');
    let hop = event.hops.last();
    if let Some(peer) = hop.and_then(|hop| hop.peer) {
        endpoint(out, peer.0);
    }
    out.push(b',');
    if let Some(relayed) = hop.and_then(|hop| hop.relayed) {
        endpoint(out, relayed.0);
    }
    out.push(b',');
    out.extend_from_slice(protocol(event).as_bytes());
    out.push(b',');
    if let Body::Stun(message) = &event.body {
        out.extend_from_slice(message.class().name().as_bytes());
        out.push(b',');
        super::method(out, message.method());
        out.extend_from_slice(if message.is_classic() { b",true," } else { b",false," });
        super::transaction_id(out, message);
        out.push(b',');
        out.extend_from_slice(super::fingerprint_name(message).unwrap_or_default().as_bytes());
    } else {
        out.extend_from_slice(b",,,,");
    }
    out.push(b',');
    if let Some(frame) = row.request_frame {
        number(out, frame);
    }
    out.push(b',');
    if let Some(rtt) = row.rtt {
        signed(out, rtt.micros());
    }
    out.push(b',');
    if let Some(frame) = row.retransmission_of {
        number(out, frame);
    }
    out.push(b',');
    if let Body::ChannelData(data) = &event.body {
        number(out, u64::from(data.channel));
        out.push(b',');
        number(out, u64::from(data.length));
    } else {
        out.push(b',');
    }
    out.push(b',');
    media(out, &Media::of(&event.body));
    out.push(b'\n');
}

fn media(out: &mut Vec<u8>, media: &Media) {
    if let Some(ssrc) = media.ssrc {
        number(out, u64::from(ssrc));
    }
    out.push(b',');
    if let Some((payload_type, sequence)) = media.rtp {
        number(out, u64::from(payload_type));
        out.push(b',');
        number(out, u64::from(sequence));
    } else {
        out.push(b',');
    }
    out.push(b',');
    out.extend_from_slice(media.packet_type.unwrap_or_default().as_bytes());
}
